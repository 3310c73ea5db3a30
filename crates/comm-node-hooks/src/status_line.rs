//! The status line: a hook-like program that prints one line about the session, and behind it what the person's own
//! status line says.
//!
//! Its command is a shell's, so that the person's earlier command can be its argument: nothing has to be
//! read to find it, and whoever reads the settings sees both. Outside of a node that one alone is
//! shown. Whatever fails here leaves the person's own line.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::node;
use comm_node_core::session::SessionId;
use comm_node_core::statusline;
use comm_node_core::store::Store;
use comm_node_core::{Result, path};
use serde::Deserialize;

use crate::child::{self, Late, Until};
use crate::input;

/// How long the person's own command may take. The client itself waits no longer than it likes.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of what it says is shown.
const MAX_SAID: usize = 16 << 10;
/// How long it is still listened to once it has ended: something that it left running may hold its output open.
const GRACE: Duration = Duration::from_millis(20);
/// How long the input may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// What the client says of the session, as far as it is used. Read leniently.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Input {
    session_id: String,
    cwd: String,
    workspace: Workspace,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Workspace {
    current_dir: String,
    project_dir: String,
}

/// The program: `comm-node-statusline [the person's own command]`.
pub fn main() {
    let mut args = std::env::args().skip(1);
    let own = args.next().filter(|command| !command.trim().is_empty());
    let text = input::read(Deadline::of_process(DEADLINE)).unwrap_or_default();
    let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let mut said = line(&text, colour).into_bytes();
    if let Some(command) = own {
        // What takes no time is on its way before what may.
        let shown = run(&command, &text);
        if !said.is_empty() && !shown.is_empty() {
            said.push(b'\n');
        }
        said.extend(shown);
    }
    if !said.is_empty() && said.last() != Some(&b'\n') {
        said.push(b'\n');
    }
    // A closed pipe is no fault of ours.
    let _ = std::io::stdout().write_all(&said);
}

/// The line about the session that `text` speaks of; empty outside of a node.
fn line(text: &str, colour: bool) -> String {
    let Ok(input) = serde_json::from_str::<Input>(text) else { return String::new() };
    match of(&input) {
        Ok(None) => String::new(),
        Ok(Some(line)) => line.render(colour),
        Err(_) => "comm-node: the state can't be read; `comm-node doctor` says why".to_owned(),
    }
}

fn of(input: &Input) -> Result<Option<statusline::Line>> {
    let Ok(id) = SessionId::new(&input.session_id) else { return Ok(None) };
    // As for the hooks: where the session began says which node it is, before where it is now.
    let mut searched = None;
    for dir in [&input.workspace.project_dir, &input.workspace.current_dir, &input.cwd] {
        if !Path::new(dir).is_absolute() || searched.as_deref() == Some(Path::new(dir)) {
            continue;
        }
        let real = path::real(Path::new(dir))?;
        if let Some(layout) = node::find_from(&real, searched.as_deref())? {
            let store = Store::new(layout.state());
            store.look_out_sometimes(&id, Deadline::after(DEADLINE));
            return statusline::gather(&store, &id).map(Some);
        }
        searched.get_or_insert(real);
    }
    Ok(None)
}

/// What the person's own command says, given the same input, as the client would run it: by a shell, in the same
/// place. It is killed with all that it started when it takes too long; what it says is cut.
fn run(command: &str, input: &str) -> Vec<u8> {
    let limit = (Deadline::after(PATIENCE), Late::KilledWithItsOwn);
    let said = child::run(&mut shell(command), Some(input.as_bytes()), MAX_SAID, limit, Until::Ended(GRACE));
    said.ok().flatten().map(|said| said.bytes).unwrap_or_default()
}

#[cfg(unix)]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command);
    shell
}

#[cfg(not(unix))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(command);
    shell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_persons_own_command_is_run_as_the_client_would() {
        assert_eq!(run("read -r l; printf '%s!' \"$l\"", "{\"a\":1}\n"), b"{\"a\":1}!");
        assert_eq!(run("exit 3", ""), b"");
        assert_eq!(run("no-such-program-anywhere", ""), b"");
        // It does not read its input, of which there is more than a pipe holds, and says much.
        assert_eq!(run("echo x", &"y".repeat(1 << 20)), b"x\n");
        assert_eq!(run("head -c 1000000 /dev/zero", "").len(), MAX_SAID);
    }

    #[test]
    fn what_it_leaves_running_holds_nobody_up() {
        let start = std::time::Instant::now();
        assert_eq!(run("sleep 4 & echo x", ""), b"x\n");
        assert!(start.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn input_that_is_none_has_no_line() {
        for text in ["", "{}", "[]", "{\"session_id\":5}", "{\"session_id\":\"../x\",\"cwd\":\"/\"}"] {
            assert_eq!(line(text, false), "", "{text}");
        }
    }
}
