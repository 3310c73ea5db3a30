//! `comm-node show`: say who owns a path.

use std::path::{Path, PathBuf};

use anyhow::Result;
use comm_node_core::glob::matches;
use comm_node_core::node::registry::{Domain, Pattern, Registry};
use comm_node_core::node::{self, Place};
use comm_node_core::path;
use comm_node_core::text::one_line;
use serde_json::{Value, json};

use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::out::{Ink, Out};

/// Arguments of `comm-node show`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The paths, which need not exist
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node show services/api/src/main.rs
  git diff --name-only | xargs comm-node show --json

It says who owns a path; `comm-node why` says what the guard would decide about a write to it.";

/// Runs the command.
///
/// # Errors
/// When there is no node, or when a path's symbolic links can't be followed.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let here = Here::find(env)?;
    let registry = here.registry()?;
    let mut found = Vec::new();
    for raw in &args.paths {
        let given = path::lexical(&env.cwd, raw);
        let place = node::locate(&registry, &path::real(&given)?);
        found.push((raw.display().to_string(), given, place));
    }
    if args.json {
        let all: Vec<Value> =
            found.iter().map(|(raw, given, place)| as_json(&registry, raw, given, place)).collect();
        out.json(&all);
        return Ok(Outcome::Done);
    }
    for (raw, given, place) in &found {
        as_text(out, &registry, raw, given, place);
    }
    Ok(Outcome::Done)
}

/// A domain whose scope matches, the pattern that does, and the one that excludes it again.
struct Claim<'r> {
    domain: &'r Domain<'r>,
    scope: &'r Pattern<'r>,
    exclude: Option<&'r Pattern<'r>>,
}

fn claims<'r>(registry: &'r Registry<'r>, tree: usize, key: &str) -> Vec<Claim<'r>> {
    let hit = |patterns: &'r [Pattern<'r>]| patterns.iter().find(|p| matches(p.glob(), key));
    registry
        .domains
        .iter()
        .filter(|domain| domain.tree == tree)
        .filter_map(|domain| {
            Some(Claim { domain, scope: hit(&domain.scope)?, exclude: hit(&domain.exclude) })
        })
        .collect()
}

/// The real path, where it is another than the one that was asked for.
fn elsewhere<'p>(given: &Path, place: &'p Place) -> Option<&'p Path> {
    Some(place.real()).filter(|real| *real != given)
}

fn protected<'r>(registry: &'r Registry<'r>, key: &str) -> Option<&'r Pattern<'r>> {
    registry.protected.iter().find(|p| matches(p.glob(), key))
}

fn as_text(out: &Out, registry: &Registry<'_>, raw: &str, given: &Path, place: &Place) {
    let raw = one_line(raw, 400);
    let Place::Inside { tree, key, real } = place else {
        out.line(format!("{raw}: outside the node ({})", crate::out::path(place.real())));
        return;
    };
    let claims = claims(registry, *tree, key);
    let owners: Vec<&Claim<'_>> = claims.iter().filter(|c| c.exclude.is_none()).collect();
    let head = match owners.as_slice() {
        [] => out.ink(Ink::Yellow, "no domain owns it"),
        [one] => out.ink(Ink::Green, &one.domain.name),
        many => {
            let names: Vec<&str> = many.iter().map(|c| c.domain.name.as_str()).collect();
            out.ink(Ink::Yellow, &format!("{} (their scopes overlap)", names.join(", ")))
        }
    };
    out.line(format!("{raw}: {head}"));
    for Claim { domain, scope, exclude } in &claims {
        let line =
            format!("  {}: scope \"{}\" ({}:{})", domain.name, scope.shown(), node::YAML, scope.line());
        out.line(match exclude {
            Some(by) => format!("{line}, excluded by \"{}\" ({}:{})", by.shown(), node::YAML, by.line()),
            None => line,
        });
    }
    if let Some(by) = protected(registry, key) {
        out.line(format!("  protected by \"{}\" ({}:{})", by.shown(), node::YAML, by.line()));
    }
    if *tree != 0
        && let Some(top) = registry.trees.get(*tree)
    {
        out.line(format!("  in the repository {}", one_line(top, 400)));
    }
    if elsewhere(given, place).is_some() {
        out.line(format!("  really {}", crate::out::path(real)));
    }
}

fn as_json(registry: &Registry<'_>, raw: &str, given: &Path, place: &Place) -> Value {
    let Place::Inside { tree, key, .. } = place else {
        return json!({"path": raw, "inside": false, "owners": [], "real": place.real()});
    };
    let pattern = |p: &Pattern<'_>| json!({"pattern": p.glob(), "line": p.line()});
    let claims = claims(registry, *tree, key);
    let owners: Vec<&str> =
        claims.iter().filter(|c| c.exclude.is_none()).map(|c| c.domain.name.as_str()).collect();
    let claims: Vec<Value> = claims
        .iter()
        .map(|c| {
            json!({
                "domain": c.domain.name,
                "scope": pattern(c.scope),
                "excluded_by": c.exclude.map(pattern),
            })
        })
        .collect();
    json!({
        "path": raw,
        "inside": true,
        "owners": owners,
        "claims": claims,
        "protected_by": protected(registry, key).map(pattern),
        "tree": registry.trees.get(*tree),
        "key": key,
        "real": place.real(),
        "differs": elsewhere(given, place).is_some(),
    })
}
