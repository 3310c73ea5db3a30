//! The readers, and what must be so of what they read.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use comm_node_cli::config::{self, Ground};
use comm_node_cli::install::wiring;
use comm_node_cli::settings::edit;
use comm_node_core::deadline::Deadline;
use comm_node_core::handoff;
use comm_node_core::ledger::{Booking, Bound, Keys, Record};
use comm_node_core::mail::form;
use comm_node_core::mail::signal::Signal;
use comm_node_core::node::registry::{Registry, SourceId};
use comm_node_hooks::wire::Call;
use serde_json::Value;

use super::state;

/// A reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Wire,
    Config,
    Message,
    Signal,
    Draft,
    Transcript,
    Settings,
    Handoff,
    Notes,
    Prices,
    Session,
    Registry,
    Records,
    /// What is wrong in every way that the harness must notice.
    Broken,
}

impl Target {
    const ALL: [Self; 13] = [
        Self::Wire,
        Self::Config,
        Self::Message,
        Self::Signal,
        Self::Draft,
        Self::Transcript,
        Self::Settings,
        Self::Handoff,
        Self::Notes,
        Self::Prices,
        Self::Session,
        Self::Registry,
        Self::Records,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Config => "config",
            Self::Message => "message",
            Self::Signal => "signal",
            Self::Draft => "draft",
            Self::Transcript => "transcript",
            Self::Settings => "settings",
            Self::Handoff => "handoff",
            Self::Notes => "notes",
            Self::Prices => "prices",
            Self::Session => "session",
            Self::Registry => "registry",
            Self::Records => "records",
            Self::Broken => "broken",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Reads `text`; what is wrong with what became of it.
    pub(crate) fn try_one(self, text: &[u8]) -> Result<(), String> {
        if self == Self::Transcript {
            return transcript(text);
        }
        // Everything else is refused before it is read, unless it is UTF-8.
        let text = String::from_utf8_lossy(text);
        match self {
            Self::Wire => wire(&text),
            Self::Config => config(&text),
            Self::Message => message(&text),
            Self::Signal => signal(&text),
            Self::Draft => draft(&text),
            Self::Settings => settings(&text),
            Self::Handoff => hand_off(&text),
            Self::Notes => state::notes(&text),
            Self::Prices => state::prices(&text),
            Self::Session => state::session(&text),
            Self::Registry => state::registry(&text),
            Self::Records => state::records(&text),
            _ => broken(&text),
        }
    }
}

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, a: &T, b: &T) -> Result<(), String> {
    if a == b { Ok(()) } else { Err(format!("{what}: {a:?} is not {b:?}")) }
}

/// What is read from a call is what another JSON reader reads.
fn wire(text: &str) -> Result<(), String> {
    let call = Call::parse(text);
    let value = serde_json::from_str::<Value>(text);
    let Ok(call) = call else { return Ok(()) };
    let value = match value {
        Ok(value) => value,
        // Halves of surrogates are nobody's text to the one and a mark to the other; what is skipped may be deep.
        Err(e)
            if ["surrogate", "recursion", "hex escape", "out of range"]
                .iter()
                .any(|w| e.to_string().contains(w)) =>
        {
            return Ok(());
        }
        Err(e) => return Err(format!("only the hook reads it: {e}")),
    };
    let fields = [
        ("session_id", &*call.session_id),
        ("cwd", &call.cwd),
        ("hook_event_name", &call.hook_event_name),
        ("tool_name", &call.tool_name),
        ("tool_use_id", &call.tool_use_id),
        ("source", &call.source),
        ("reason", &call.reason),
        ("file_path", &call.file_path),
        ("transcript_path", &call.transcript_path),
    ];
    for (name, read) in fields {
        same(name, &value[name].as_str().unwrap_or(""), &read)?;
    }
    same("agent_id", &value["agent_id"].as_str(), &call.agent_id.as_deref())?;
    same("stop_hook_active", &value["stop_hook_active"].as_bool().unwrap_or(false), &call.stop_hook_active)?;
    let calls = value["tool_calls"].as_array().map_or(0, Vec::len);
    same("tool_calls", &calls, &call.tool_calls.len())?;
    let _ = (call.is_alone(), call.runs_shells(), call.main_agent(), call.subagent());
    Ok(())
}

/// It is compiled or has faults, each in the text; what is compiled can be read by the hooks.
fn config(text: &str) -> Result<(), String> {
    let ground = Ground { root: Path::new("/nowhere/shop"), fold_case: false, id: SourceId::default() };
    let compiled = config::compile("comm-node.yaml", text, ground);
    same("compiled or faulty", &compiled.registry.is_some(), &compiled.faults.is_empty())?;
    let warnings = config::warnings(&compiled);
    for issue in compiled.faults.iter().chain(&warnings) {
        if compiled.source.text().get(issue.at.clone()).is_none() {
            return Err(format!("a fault outside of the text: {issue:?}"));
        }
        if compiled.source.one_line(issue).contains(['\n', '\u{1b}']) {
            return Err(format!("not one harmless line: {issue:?}"));
        }
    }
    let picture = compiled.source.draw(compiled.faults.iter().chain(&warnings), false);
    if picture.contains('\u{1b}') {
        return Err("an escape reaches the terminal".to_owned());
    }
    let Some(registry) = &compiled.registry else { return Ok(()) };
    let json = registry.to_text();
    same("as the hooks read it", &Registry::parse(&json).as_ref(), &Ok(registry))
}

/// What was read once is written and read again without change.
fn message(text: &str) -> Result<(), String> {
    let Ok(message) = form::read(text) else { return Ok(()) };
    let written = form::write(&message);
    let again =
        form::read(&written).map_err(|e| format!("what was written can't be read: {e}: {written:?}"))?;
    same("read again", &again, &message)?;
    same("written again", &form::write(&again), &written)
}

fn signal(text: &str) -> Result<(), String> {
    let Ok(signal) = Signal::parse(text) else { return Ok(()) };
    let line = signal.line();
    let again = Signal::parse(&line).map_err(|e| format!("its own line {line:?} can't be read: {e}"))?;
    same("line", &again.line(), &line)
}

/// It is a draft or has faults, each in one line.
fn draft(text: &str) -> Result<(), String> {
    match comm_node_cli::draft::read("left.md", text, false) {
        Ok(_) => Ok(()),
        Err(faulty) if !faulty.issues.is_empty() => {
            let lines: Vec<String> =
                faulty.issues.iter().map(|issue| faulty.source.one_line(issue)).collect();
            match lines.iter().find(|line| line.contains(['\n', '\u{1b}'])) {
                Some(line) => Err(format!("not one harmless line: {line:?}")),
                None => Ok(()),
            }
        }
        Err(_) => Err("refused without a reason".to_owned()),
    }
}

/// Read in pieces it comes to the same as read at once.
fn transcript(text: &[u8]) -> Result<(), String> {
    let mut file = tempfile::tempfile().map_err(|e| e.to_string())?;
    file.write_all(text).map_err(|e| e.to_string())?;
    let keys = Keys { domain: "d".into(), ..Keys::default() };
    let mut read = |record: &mut Record, bytes: u64| {
        let mut booking = Booking {
            session: "s",
            subagent: false,
            keys: &keys,
            price: &mut |_, _, usage| Some(usage.output_tokens),
            counts: &mut |_| true,
        };
        let bound = Bound { bytes, deadline: Deadline::after(Duration::from_secs(60)) };
        file.seek(SeekFrom::Start(0)).and_then(|_| record.read_on(&mut file, &mut booking, bound))
    };
    let (mut whole, mut pieces) = (Record::new(), Record::new());
    let once = read(&mut whole, u64::MAX).map_err(|e| e.to_string())?;
    let again = read(&mut whole, u64::MAX).map_err(|e| e.to_string())?;
    if once.more || again.more {
        return Err(format!("{once:?}, {again:?}"));
    }
    for _ in 0..=text.len() {
        if !read(&mut pieces, 300).map_err(|e| e.to_string())?.more {
            break;
        }
    }
    same("offset", &pieces.offset, &whole.offset)?;
    same("in pieces", &pieces.account("d"), &whole.account("d"))
}

/// Ours put in and taken out leave every other byte as it was; put in twice they are there once.
fn settings(text: &str) -> Result<(), String> {
    let wanted = wiring::wanted(Path::new("/home/u/.claude/comm-node/bin"));
    let Ok((merged, trace)) = edit::merge(text, &wanted) else { return Ok(()) };
    serde_json::from_str::<Value>(&merged).map_err(|e| format!("merged is no JSON: {e}: {merged:?}"))?;
    let (twice, _) = edit::merge(&merged, &wanted).map_err(|e| format!("merged can't be merged: {e:#}"))?;
    same("merged twice", &twice, &merged)?;
    // Entries that look like ours would go too.
    if text.contains("comm-node") || text.contains("\\u") {
        return Ok(());
    }
    let out = edit::strip(&merged, Some(&trace), &wanted.rules)
        .map_err(|e| format!("can't be taken out: {e:#}"))?;
    same("taken out", &out.as_str(), &text)
}

fn hand_off(text: &str) -> Result<(), String> {
    let _ = handoff::head(text);
    match handoff::read(text) {
        Ok(read) => {
            let written = handoff::write(&read);
            let again = handoff::read(&written)
                .map_err(|faults| format!("what was written can't be read: {faults:?}: {written:?}"))?;
            same("written again", &handoff::write(&again), &written)
        }
        Err(faults) if faults.is_empty() => Err("refused without a reason".to_owned()),
        Err(_) => Ok(()),
    }
}

fn broken(text: &str) -> Result<(), String> {
    match text {
        "wrong" => Err("wrong".to_owned()),
        "panic" => panic!("it was asked for"),
        "slow" => {
            super::harness::waste();
            Ok(())
        }
        _ => Ok(()),
    }
}
