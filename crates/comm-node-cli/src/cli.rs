//! The grammar of the command line.

use std::ffi::OsString;
use std::io::Write as _;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::Outcome;
use crate::commands;
use crate::env::Env;
use crate::out::Out;

/// Lets many Claude Code sessions build one system without stepping on each other.
#[derive(Debug, Parser)]
#[command(name = "comm-node", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// The output becomes part of a prompt (in slash commands): nothing in it is a mention of a file
    #[arg(long, global = true, hide = true)]
    pub in_prompt: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The command line `args`, the program's own name in front. What is wrong with it, or asked of it, is printed, and
    /// the process ends.
    #[must_use]
    pub fn of(args: &[OsString]) -> Self {
        let joined = with_text(args);
        let args = joined.as_deref().unwrap_or(args);
        Self::briefly(args).unwrap_or_else(|| match Self::try_parse_from(args) {
            Ok(cli) => cli,
            Err(said) => end(&said),
        })
    }

    /// The same for what hooks and agents run often, where nothing is wrong: only the grammar of that one command is built.
    /// That of all of them takes more instructions than sending a message does.
    fn briefly(args: &[OsString]) -> Option<Self> {
        let (name, rest) = (args.get(1)?.to_str()?, args.get(2..)?);
        match name {
            "ack" => only(rest, Command::Ack),
            "compile" => only(rest, Command::Compile),
            "gate" => only(rest, Command::Gate),
            "inbox" => only(rest, Command::Inbox),
            "lock" => only(rest, Command::Lock),
            "read" => only(rest, Command::Read),
            "reply" => only(rest, Command::Reply),
            "route" => only(rest, Command::Route),
            "send" => only(rest, Command::Send),
            "statusline" => only(rest, Command::Statusline),
            "unlock" => only(rest, Command::Unlock),
            "watch" => only(rest, Command::Watch),
            _ => None,
        }
    }
}

/// One command's grammar by itself.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Only<A: clap::Args> {
    #[arg(long)]
    in_prompt: bool,
    #[command(flatten)]
    args: A,
}

/// The command whose arguments are `args`; `None` where they are not only that, which the whole grammar says better.
fn only<A: clap::Args>(args: &[OsString], command: fn(A) -> Command) -> Option<Cli> {
    let Only { in_prompt, args } = Only::try_parse_from(args).ok()?;
    Some(Cli { in_prompt, command: command(args) })
}

/// `args` with each text that begins with a dash put to the option before it, if there is one: `--next '- wire the page'`, a
/// bullet, is no option. `None` where nothing is.
fn with_text(args: &[OsString]) -> Option<Vec<OsString>> {
    let is_text = |arg: &OsString| {
        let text = arg.to_string_lossy();
        let space = text.find(char::is_whitespace);
        text.starts_with('-') && space.is_some_and(|space| text.find('=').is_none_or(|sign| space < sign))
    };
    if !args.iter().any(is_text) {
        return None;
    }
    let mut options = Vec::new();
    texts_of(&Cli::command(), &mut options);
    let mut out: Vec<OsString> = Vec::with_capacity(args.len());
    for (i, arg) in args.iter().enumerate() {
        if args[..i].iter().any(|arg| arg == "--") || !is_text(arg) {
            out.push(arg.clone());
        } else if let Some(option) =
            out.last_mut().filter(|last| options.iter().any(|name| last.to_str() == Some(name)))
        {
            option.push("=");
            option.push(arg);
        } else {
            out.push(arg.clone());
        }
    }
    Some(out)
}

/// The long options of `command`, and of those below it, that have a value.
fn texts_of(command: &clap::Command, out: &mut Vec<String>) {
    let named = command.get_arguments().filter(|arg| arg.get_action().takes_values());
    out.extend(named.filter_map(|arg| arg.get_long()).map(|name| format!("--{name}")));
    command.get_subcommands().for_each(|below| texts_of(below, out));
}

/// Prints what clap says instead of a command line: help, the version, or what is wrong. Ends the process, with 1 where that
/// can't be written.
fn end(said: &clap::Error) -> ! {
    let printed = said.print().and_then(|()| std::io::stdout().flush());
    let code = match printed {
        Err(e) if !said.use_stderr() && e.kind() != std::io::ErrorKind::BrokenPipe => {
            Out::of_process().note(format!("error: could not write all of it to stdout: {e}"));
            1
        }
        _ => said.exit_code(),
    };
    #[expect(clippy::exit, reason = "as clap does where it parses by itself")]
    std::process::exit(code)
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 refused or a check failed, 2 wrong usage.
Start with: comm-node install, then comm-node init in your project, then open Claude Code there.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Propose domains for this project and write comm-node.yaml
    Init(commands::init::Args),
    /// Check comm-node.yaml and show every fault with its place
    Check(commands::check::Args),
    /// Say who owns a path
    Show(commands::show::Args),
    /// Point the repositories of domains that live elsewhere back to this node
    Link(commands::link::Args),
    /// Write each domain's CLAUDE.md, agents and slash commands
    Generate(commands::generate::Args),
    /// Compile comm-node.yaml for the hooks (they do this by themselves)
    #[command(hide = true)]
    Compile(commands::compile::Args),
    /// Bind a session to a domain
    Join(commands::join::Args),
    /// Undo a session's binding
    Leave(commands::leave::Args),
    /// List the node's sessions
    Sessions(commands::sessions::Args),
    /// Show the node: domains, sessions, faults
    Status(commands::status::Args),
    /// Print the status line of a session
    Statusline(commands::statusline::Args),
    /// Show what happened in the node, and go on showing it
    Log(commands::log::Args),
    /// Explain what the guard would say to a write
    Why(commands::why::Args),
    /// Say what a shell command would write, and what the guard would say to it
    Explain(commands::explain::Args),
    /// Take a lease: keep paths from every other agent
    Lock(commands::lock::Args),
    /// Give leases back
    Unlock(commands::unlock::Args),
    /// List the leases: who holds what, since when, and why
    Locks(commands::locks::Args),
    /// Send a message to other domains, or to the person
    Send(commands::send::Args),
    /// Answer a message, which closes it
    Reply(commands::reply::Args),
    /// List the messages that wait for this domain
    Inbox(commands::inbox::Args),
    /// Show messages in full
    Read(commands::read::Args),
    /// Close messages that need no answer
    Ack(commands::ack::Args),
    /// Show a conversation
    Thread(commands::thread::Args),
    /// List what this domain sent, and how far it got
    Sent(commands::sent::Args),
    /// Find messages by text and by field
    Search(commands::search::Args),
    /// Say what arrives, one line per message, as long as the session lives
    Watch(commands::watch::Args),
    /// Say what was spent: tokens and cost by domain, task, role, model, day or session
    Usage(commands::usage::Args),
    /// Send what was left in .comm-node/outbox/ (hooks and other commands do this by themselves)
    #[command(hide = true)]
    Route(commands::route::Args),
    /// Give all domains a goal, and start them together
    Kickoff(commands::kickoff::Args),
    /// Pass a task on to another session, or take one over
    Handoff(commands::handoff::Args),
    /// Show what may be spent and what is; ask for more, grant it
    Budget(commands::budget::Args),
    /// Name what only a person can settle
    Blocker(commands::blocker::Args),
    /// Tell the other agents of an effort a fact
    Finding(commands::finding::Args),
    /// Put a fact on record for everyone, for good
    KnownIssue(commands::known_issue::Args),
    /// Show the task plan, and what is wrong with it
    Plan(commands::plan::Args),
    /// Run the commands that must pass before a session may stop with a task open
    Gate(commands::gate::Args),
    /// Make the working files of a project
    InitAgentic(commands::init_agentic::Args),
    /// Stop every agent's edits in this node
    Pause(commands::pause::Args),
    /// End a pause
    Resume(commands::resume::Args),
    /// Install the hooks into Claude Code
    Install(commands::install::Args),
    /// Take back what install changed
    Uninstall(commands::uninstall::Args),
    /// Check that everything works, with a call that must be denied
    Doctor(commands::doctor::Args),
    /// Print a shell's completions
    Completions(commands::completions::Args),
    /// Print the manual page
    Man(commands::man::Args),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever kept it from being done.
    pub fn run(self, env: &Env, out: &Out) -> anyhow::Result<Outcome> {
        match self {
            Self::Init(args) => commands::init::run(&args, env, out),
            Self::Check(args) => commands::check::run(&args, env, out),
            Self::Show(args) => commands::show::run(&args, env, out),
            Self::Link(args) => commands::link::run(&args, env, out),
            Self::Generate(args) => commands::generate::run(&args, env, out),
            Self::Compile(args) => commands::compile::run(&args, env, out),
            Self::Join(args) => commands::join::run(&args, env, out),
            Self::Leave(args) => commands::leave::run(&args, env, out),
            Self::Sessions(args) => commands::sessions::run(&args, env, out),
            Self::Status(args) => commands::status::run(&args, env, out),
            Self::Statusline(args) => commands::statusline::run(&args, env, out),
            Self::Log(args) => commands::log::run(&args, env, out),
            Self::Why(args) => commands::why::run(&args, env, out),
            Self::Explain(args) => commands::explain::run(&args, env, out),
            Self::Lock(args) => commands::lock::run(&args, env, out),
            Self::Unlock(args) => commands::unlock::run(&args, env, out),
            Self::Locks(args) => commands::locks::run(&args, env, out),
            Self::Send(args) => commands::send::run(&args, env, out),
            Self::Reply(args) => commands::reply::run(&args, env, out),
            Self::Inbox(args) => commands::inbox::run(&args, env, out),
            Self::Read(args) => commands::read::run(&args, env, out),
            Self::Ack(args) => commands::ack::run(&args, env, out),
            Self::Thread(args) => commands::thread::run(&args, env, out),
            Self::Sent(args) => commands::sent::run(&args, env, out),
            Self::Search(args) => commands::search::run(&args, env, out),
            Self::Watch(args) => commands::watch::run(&args, env, out),
            Self::Usage(args) => commands::usage::run(&args, env, out),
            Self::Route(args) => commands::route::run(&args, env, out),
            Self::Kickoff(args) => commands::kickoff::run(&args, env, out),
            Self::Handoff(args) => commands::handoff::run(&args, env, out),
            Self::Budget(args) => commands::budget::run(&args, env, out),
            Self::Blocker(args) => commands::blocker::run(&args, env, out),
            Self::Finding(args) => commands::finding::run(&args, env, out),
            Self::KnownIssue(args) => commands::known_issue::run(&args, env, out),
            Self::Plan(args) => commands::plan::run(&args, env, out),
            Self::Gate(args) => commands::gate::run(&args, env, out),
            Self::InitAgentic(args) => commands::init_agentic::run(&args, env, out),
            Self::Pause(args) => commands::pause::run(&args, env, out),
            Self::Resume(args) => commands::resume::run(&args, env, out),
            Self::Install(args) => commands::install::run(&args, env, out),
            Self::Uninstall(args) => commands::uninstall::run(&args, env, out),
            Self::Doctor(args) => commands::doctor::run(&args, env, out),
            Self::Completions(args) => commands::completions::run(&args, env, out),
            Self::Man(args) => commands::man::run(&args, env, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn one_command_by_itself_is_read_as_among_all() {
        let lines = [
            "ack 7G2K9Q",
            "compile --quiet",
            "gate",
            "inbox --json",
            "lock a/b.rs --reason x",
            "read 7G2K9Q --in-prompt",
            "reply 7G2K9Q yes --priority high",
            "route --in-prompt",
            "send backend hello --type answer --task bd-1 --artifact a --artifact b",
            "statusline --json",
            "unlock a/b.rs",
            "watch",
        ];
        for line in lines {
            let args = words(&format!("comm-node {line}"));
            let quick = Cli::briefly(&args).unwrap_or_else(|| panic!("{line}"));
            let whole = Cli::try_parse_from(&args).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(format!("{quick:?}"), format!("{whole:?}"));
        }
    }

    #[test]
    fn a_text_that_begins_with_a_dash_is_a_value() {
        let of = |args: &[&str]| with_text(&args.iter().map(OsString::from).collect::<Vec<_>>());
        let joined = of(&[
            "comm-node",
            "handoff",
            "write",
            "t",
            "--status",
            "-n is wrong",
            "--next",
            "- a=b",
            "--json",
        ]);
        let want = ["comm-node", "handoff", "write", "t", "--status=-n is wrong", "--next=- a=b", "--json"];
        assert_eq!(joined, Some(want.map(OsString::from).to_vec()));
        let cli = Cli::try_parse_from(joined.expect("joined")).expect("is understood");
        assert!(format!("{cli:?}").contains(r#"next: ["- a=b"]"#), "{cli:?}");
        assert_eq!(of(&["comm-node", "plan", "list", "--json"]), None);
        // What is no value of an option is left as it is.
        for args in [&["comm-node", "x", "--json", "- a"][..], &["comm-node", "x", "--", "--next", "- a"]] {
            assert_eq!(of(args), Some(args.iter().map(OsString::from).collect::<Vec<_>>()), "{args:?}");
        }
    }

    #[test]
    fn what_is_wrong_or_asked_is_left_to_the_whole_grammar() {
        for line in [
            "",
            " send",
            " send --help",
            " send a b c",
            " ack --nothing",
            " --in-prompt send a b",
            " help send",
            " init",
        ] {
            let args = words(&format!("comm-node{line}"));
            assert!(Cli::briefly(&args).is_none(), "{line}");
        }
    }
}
