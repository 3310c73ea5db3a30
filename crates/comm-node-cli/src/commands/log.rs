//! `comm-node log`: what happened in the node.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use comm_node_core::clock;
use comm_node_core::store::Piece;
use comm_node_core::text::{self, one_line};
use serde::Deserialize;

use crate::Outcome;
use crate::config::reader::duration;
use crate::env::Env;
use crate::here::layout_at;
use crate::out::{Ink, Out};

/// Arguments of `comm-node log`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Go on with what is logged from now on, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Only what concerns sessions of these domains
    #[arg(long, value_name = "DOMAIN", value_delimiter = ',')]
    domain: Vec<String>,
    /// Only what concerns these tasks
    #[arg(long, value_name = "TASK", value_delimiter = ',')]
    task: Vec<String>,
    /// Only these events, such as denied, wrote or mail_sent
    #[arg(long = "type", value_name = "EVENT", value_delimiter = ',')]
    kind: Vec<String>,
    /// Only what concerns this session, by its id or the beginning of it
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only what happened since then: 90s, 30m, 2h, 1d ago, or 2026-11-25, or 2026-11-25T14:30:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// The last so many, or `all` [default: 50; with --since all]
    #[arg(short = 'n', long, value_name = "N", value_parser = lines)]
    lines: Option<Lines>,
    /// Print JSON: one object per line
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  comm-node log
  comm-node log --follow --type denied,warned
  comm-node log --domain backend --since 2h
  comm-node log -n all --json | jq -r 'select(.event == \"wrote\") | .path' | sort | uniq -c

Times are UTC. Each line: when, what, whose (domain, session), the task, and then the tool, the path, the rule and
whatever else there is. Lines that are damaged are passed over and named on stderr with their place.";

/// How many events, where nothing is said of it.
const LINES: usize = 50;
/// How often a followed log is looked at.
const ROUND: Duration = Duration::from_millis(200);
/// Events of processes that ran side by side may stand in another order than their times.
const DISORDER_MS: u64 = 10_000;
/// Damaged lines that are named one by one, in a log that is not followed.
const NAMED: usize = 20;

/// How many.
#[derive(Clone, Copy, Debug)]
enum Lines {
    Last(usize),
    All,
}

fn lines(text: &str) -> Result<Lines, String> {
    match text {
        "all" => Ok(Lines::All),
        _ => text.parse().map(Lines::Last).map_err(|_| "give a number, or `all`".to_owned()),
    }
}

/// An event as far as it is filtered and shown. Fields of later versions are skipped.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    t: String,
    event: String,
    session: String,
    agent: String,
    domain: String,
    task: String,
    tool: String,
    path: String,
    rule: String,
    note: String,
}

/// Which events are wanted.
struct Filter<'a> {
    args: &'a Args,
    since_ms: Option<u64>,
}

impl Filter<'_> {
    fn takes(&self, event: &Event) -> bool {
        let one_of = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|w| w == is);
        let args = self.args;
        one_of(&args.kind, &event.event)
            && one_of(&args.domain, &event.domain)
            && one_of(&args.task, &event.task)
            && args.session.as_deref().is_none_or(|id| event.session.starts_with(id))
            && self.since_ms.is_none_or(|since| clock::parse_rfc3339(&event.t).is_none_or(|t| t >= since))
    }

    /// True for an event so old that none before it is wanted.
    fn is_over(&self, event: &Event) -> bool {
        let old = |since: u64| clock::parse_rfc3339(&event.t).is_some_and(|t| t + DISORDER_MS < since);
        self.since_ms.is_some_and(old)
    }
}

/// Runs the command.
///
/// # Errors
/// When there is no node, or its log can't be read.
pub fn run(args: &Args, env: &Env, out: &Out) -> Result<Outcome> {
    let layout = layout_at(&env.cwd)?;
    let store = comm_node_core::store::Store::new(layout.state());
    let since_ms = args.since.as_deref().map(|text| since(text, clock::now_ms())).transpose()?;
    let filter = Filter { args, since_ms };
    let count = match (args.lines, since_ms) {
        (Some(Lines::Last(count)), _) => Some(count),
        (Some(Lines::All), _) | (None, Some(_)) => None,
        (None, None) => Some(LINES),
    };
    let mut log = store.read_log()?;
    if count.is_some() || since_ms.is_some() {
        let parse = |line: &str| serde_json::from_str::<Event>(line).ok();
        log.start_before(
            count,
            |line| parse(line).is_some_and(|event| filter.takes(&event)),
            |line| parse(line).is_some_and(|event| filter.is_over(&event)),
        )?;
    }
    let (mut shown, mut damaged) = (0usize, 0usize);
    let mut show = |piece: Piece<'_>| match piece {
        Piece::Line(line) => match serde_json::from_str::<Event>(line) {
            Ok(event) if !filter.takes(&event) => true,
            Ok(event) => {
                shown += 1;
                let text = if args.json { as_json(line) } else { as_text(&event, out) };
                out.try_line(text)
            }
            Err(_) => true,
        },
        Piece::Damaged { file, at, why } => {
            damaged += 1;
            if args.follow || damaged <= NAMED {
                warn(file, at, why, out);
            }
            true
        }
    };
    if !log.read(!args.follow, &mut show)? {
        return Ok(Outcome::Done);
    }
    if args.follow {
        loop {
            std::thread::sleep(ROUND);
            if !log.follow(&mut show)? {
                return Ok(Outcome::Done);
            }
        }
    }
    if damaged > NAMED {
        out.note(format!("warning: and {} more damaged lines", damaged - NAMED));
    }
    if shown == 0 && !args.json {
        out.note("nothing of that kind is in the log");
    }
    Ok(Outcome::Done)
}

fn warn(file: &Path, at: u64, why: &str, out: &Out) {
    out.note(format!(
        "warning: {}, byte {at}: passed over: {why}",
        one_line(&file.display().to_string(), 400)
    ));
}

/// The moment that `text` means.
fn since(text: &str, now_ms: u64) -> Result<u64> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    if let Some(ms) = clock::parse_rfc3339(&whole) {
        return Ok(ms);
    }
    match duration(text) {
        Ok(s) => Ok(now_ms.saturating_sub(s * 1000)),
        Err(_) => bail!(
            "--since `{}` is no time; write how long ago (90s, 30m, 2h, 1d), or a day or a time in UTC such as \
             2026-11-25 or 2026-11-25T14:30:00Z",
            one_line(text, 40)
        ),
    }
}

/// The line as it is, with what would act on a terminal as escapes.
fn as_json(line: &str) -> String {
    crate::out::escaped(line)
}

fn as_text(event: &Event, out: &Out) -> String {
    let word = |text: &str, max| one_line(text, max).into_owned();
    let ink = match event.event.as_str() {
        "denied" | "held back" | "lost" | "violation" => Ink::Red,
        "warned" | "asked" | "silent" | "paused" => Ink::Yellow,
        _ => Ink::Bold,
    };
    let when = event.t.get(..19).map_or_else(|| word(&event.t, 24), |t| word(&t.replace('T', " "), 24));
    let mut who = if event.domain.is_empty() { "-".to_owned() } else { word(&event.domain, 40) };
    if !event.session.is_empty() {
        who.push('/');
        who.push_str(&word(event.session.get(..8).unwrap_or(&event.session), 8));
    }
    if !event.agent.is_empty() {
        who.push('+');
        who.push_str(&word(event.agent.get(..8).unwrap_or(&event.agent), 8));
    }
    let mut line = format!("{when}Z  {}  {who}", out.ink(ink, &format!("{:<12}", word(&event.event, 30))));
    for part in [&event.task, &event.tool, &event.path, &event.rule] {
        if !part.is_empty() {
            line.push_str("  ");
            line.push_str(&word(part, 200));
        }
    }
    if !event.note.is_empty() {
        line.push_str("  ");
        line.push_str(&text::one_line(&event.note, 300));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_when() {
        let now = clock::parse_rfc3339("2026-11-25T12:00:00Z").expect("a time");
        for (text, at) in [
            ("2h", "2026-11-25T10:00:00Z"),
            ("1d", "2026-11-24T12:00:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("2026-11-20T08:30:00Z", "2026-11-20T08:30:00Z"),
        ] {
            assert_eq!(Some(since(text, now).expect("a time")), clock::parse_rfc3339(at), "{text}");
        }
        for text in ["", "yesterday", "2026-13-45", "5", "2h ago", "-1h"] {
            assert!(since(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn hostile_text_is_shown_as_text() {
        let out = Out { colour: false, colour_err: false, prompt: false };
        let raw = "a\u{1b}[2J\n\u{202e}b";
        let event = Event {
            t: raw.into(),
            event: raw.into(),
            session: raw.into(),
            agent: raw.into(),
            domain: raw.into(),
            task: raw.into(),
            tool: raw.into(),
            path: raw.into(),
            rule: raw.into(),
            note: raw.into(),
        };
        let shown = as_text(&event, &out);
        assert!(!shown.chars().any(text::is_hidden), "{shown:?}");
    }
}
