//! `comm-node completions`: print a shell's completions.

use anyhow::Result;
use clap::CommandFactory;

use crate::Outcome;
use crate::cli::Cli;
use crate::env::Env;
use crate::out::Out;

/// Arguments of `comm-node completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  comm-node completions zsh > ~/.zfunc/_comm-node")]
pub struct Args {
    /// The shell.
    shell: clap_complete::Shell,
}

/// Runs the command.
///
/// # Errors
/// Never.
pub fn run(args: &Args, _env: &Env, out: &Out) -> Result<Outcome> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "comm-node", &mut text);
    out.raw(text);
    Ok(Outcome::Done)
}
