//! `comm-node why`: explain what the guard would say to a write.

use std::path::PathBuf;

use anyhow::Result;
use comm_node_core::path;
use comm_node_core::text::one_line;
use serde_json::json;

use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::judging::{self, Judge};
use crate::out::Out;

/// Arguments of `comm-node why`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  comm-node why apps/web/index.ts                    as the session this runs in\n  \
                        comm-node why apps/web/index.ts --domain backend   as a session of that domain\n  \
                        comm-node why src/lib.rs --domain backend --role finder\n\n\
                        Exit code 0: the write would go through. 1: it would be refused or asked about."
)]
pub struct Args {
    /// The path that would be written.
    path: PathBuf,
    /// As a session of this domain.
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// As an agent in this role.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Print JSON: one object with the decision and the rule.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no node, or the domain or role does not exist.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let session = judging::session(env, &here, args.domain.as_deref())?;
    let judge =
        Judge::new(env, &here, &registry, session.as_ref(), args.domain.as_deref(), args.role.as_deref())?;
    let named = path::lexical(&env.cwd, &args.path);
    let verdict = judge.write(&named, true)?;
    let (word, key) = (verdict.word(), &verdict.key);
    if args.json {
        out.json(&json!({
            "path": key, "real": verdict.real, "domain": judge.domain(),
            "roles": judge.roles.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(),
            "decision": word, "rule": verdict.rule,
            "file": verdict.line.map(|_| here.layout.yaml()), "line": verdict.line, "why": verdict.why,
        }));
    } else {
        out.line(format!("{}: {} for {}", one_line(key, 400), out.ink(verdict.ink(), word), judge.who()));
        out.line(format!("  because  {}", verdict.why));
        let place = match verdict.line {
            Some(line) => format!("{}:{line}", crate::out::path(&here.layout.yaml())),
            None => "built in".into(),
        };
        out.line(format!("  rule     {}, {place}", verdict.rule));
        if verdict.real != named {
            out.line(format!("  really   {}", crate::out::path(&verdict.real)));
        }
    }
    Ok(if verdict.passes() { Outcome::Done } else { Outcome::Refused })
}
