//! `comm-node man`: print the manual page.

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::Outcome;
use crate::cli::Cli;
use crate::env::Env;
use crate::out::Out;

/// Arguments of `comm-node man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comm-node man > ~/.local/share/man/man1/comm-node.1\n  \
                        comm-node man --of join | man -l -")]
pub struct Args {
    /// The page of one command instead of the whole program's.
    #[arg(long, value_name = "COMMAND")]
    of: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When there is no such command.
pub fn run(args: &Args, _env: &Env, out: &Out) -> Result<Outcome> {
    let whole = Cli::command();
    let command = match &args.of {
        None => whole,
        Some(name) => {
            whole.find_subcommand(name).cloned().with_context(|| format!("there is no command `{name}`"))?
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text).context("could not render the manual page")?;
    out.raw(text);
    Ok(Outcome::Done)
}
