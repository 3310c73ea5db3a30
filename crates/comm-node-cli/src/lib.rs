//! The comm-node command line.
//!
//! [`cli`] is the grammar, [`commands`] has one module per command, [`mod@env`] is the only place
//! that looks at the environment, [`out`] the only one that prints. A command is a function from
//! its arguments and the environment to an [`Outcome`].

#![forbid(unsafe_code)]

mod allowance;
mod budgeting;
pub mod cli;
mod closing;
pub mod commands;
pub mod config;
pub mod draft;
pub mod env;
mod exec;
pub mod generate;
mod handing;
pub mod here;
pub mod install;
mod judging;
mod leasing;
mod mailing;
mod metering;
mod noting;
pub mod out;
mod routing;
pub mod settings;
mod watching;

use std::process::ExitCode;

/// How a command ended, which is also its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it was asked for: 0.
    Done,
    /// It refused, or a check failed: 1. (Usage errors are 2, from clap.)
    Refused,
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let cli = cli::Cli::of(&args);
    let env = env::Env::of_process();
    let out = out::Out { prompt: cli.in_prompt, ..out::Out::of_process() };
    let done = cli.command.run(&env, &out);
    if let Some(why) = out::lost() {
        let done =
            if matches!(done, Ok(Outcome::Done)) { "; what the command was to do is done" } else { "" };
        out.note(format!("error: could not write all of it to stdout: {why}{done}"));
        return ExitCode::from(1);
    }
    match done {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(1),
        Err(error) => {
            out.error(&error);
            ExitCode::from(1)
        }
    }
}
