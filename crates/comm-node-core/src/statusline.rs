//! The status line of one session: what a person sees below the prompt. Values in, text out.

use crate::activity::{Activity, State};
use crate::budget::Gauge;
use crate::lease::counting;
use crate::mail::HUMAN;
use crate::node::registry::Registry;
use crate::session::{Session, SessionId};
use crate::store::{Seen, Store};
use crate::text::one_line;
use crate::{Result, clock, deadline::Deadline};

/// Everything that the line shows.
#[derive(Clone, Debug, Default, serde::Serialize, PartialEq, Eq)]
pub struct Line {
    /// The session's domain; empty where it has none.
    pub domain: String,
    /// The domain that the session waits for room in.
    pub waits_for: String,
    /// Its task.
    pub task: String,
    /// How much of it is done, in percent.
    pub progress: Option<u8>,
    /// True if the agent said that it can't go on.
    pub blocked: bool,
    /// The budget that is spent furthest of those that concern its work; none where there is none.
    pub budget: Option<Spent>,
    /// Messages that wait for the domain.
    pub mail: usize,
    /// Messages that wait for the person.
    pub human: usize,
    /// Leases that the session holds, and whether there may be more.
    pub leases: (usize, bool),
    /// Sessions of the node that are lost.
    pub lost: usize,
    /// Sessions of the node that are silent in the middle of a turn.
    pub silent: usize,
    /// True while the node is paused.
    pub paused: bool,
}

/// What is spent of a budget.
#[derive(Clone, Debug, Default, serde::Serialize, PartialEq, Eq)]
pub struct Spent {
    /// Hundredths.
    pub percent: u64,
    /// A bar, and of what.
    pub text: String,
}

impl From<Gauge> for Spent {
    fn from(gauge: Gauge) -> Self {
        Self { percent: gauge.percent, text: gauge.text }
    }
}

/// Cells of the bar.
pub const BAR: usize = 8;

/// How long the lease table is looked at: the line is drawn often, and is no place to wait.
const LISTING: std::time::Duration = std::time::Duration::from_millis(2);

/// Reads what the line of session `id` shows.
///
/// # Errors
/// When the session's record or a mailbox can't be read.
pub fn gather(store: &Store, id: &SessionId) -> Result<Line> {
    let now = clock::Now::read();
    // What can't be read is the guard's and `status`'s to report, unless it is the session's own.
    let (seen, _) = store.seen(now.wall_ms)?;
    let session = match seen.iter().find(|seen| seen.session.session_id == *id) {
        Some(seen) => seen.session.clone(),
        None => store.read_session(id)?.unwrap_or_else(|| Session::new(id.clone())),
    };
    let mail = store.mail();
    let mut line = Line {
        human: mail.waiting(HUMAN)?.len(),
        paused: store.paused().is_some(),
        waits_for: session.waiting_for.unwrap_or_default(),
        ..Line::default()
    };
    let others = |state: State| {
        let is = |s: &&Seen| s.state == state && s.session.session_id != *id && s.session.domain.is_some();
        seen.iter().filter(is).count()
    };
    (line.lost, line.silent) = (others(State::Lost), others(State::Silent));
    let Some(domain) = session.domain else { return Ok(line) };
    line.mail = mail.waiting(&domain)?.len();
    line.task = session.task.unwrap_or_default();
    line.progress = session.progress;
    line.blocked = session.activity == Some(Activity::Blocked);
    if let Ok((leases, more)) = store.leases().held_by(id, Deadline::after(LISTING)) {
        let own = counting(leases, now, &|_| crate::process::Liveness::Alive);
        line.leases = (own.len(), more);
    }
    // Rules without a budget need not be parsed: with many domains that is most of the work.
    if let Ok(Some(text)) = store.read_registry()
        && text.contains("\"budget\"")
        && let Ok(registry) = Registry::parse(&text)
    {
        let task = Some(line.task.as_str()).filter(|task| !task.is_empty());
        line.budget = store.gauge(&registry, &domain, task, BAR).ok().flatten().map(Spent::from);
    }
    line.domain = domain;
    Ok(line)
}

impl Line {
    /// The line, in colour or not. Whatever agents and people wrote stands in it without effect.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let ink = |code: &str, text: String| match colour {
            true => ["\u{1b}[", code, "m", &text, "\u{1b}[0m"].concat(),
            false => text,
        };
        let mut parts = Vec::new();
        let mut who = match (self.domain.as_str(), self.waits_for.as_str()) {
            ("", "") => ink("33", "no domain".to_owned()),
            ("", domain) => ink("33", ["waits for ", &one_line(domain, 40)].concat()),
            (domain, _) => ink("1", one_line(domain, 40).into_owned()),
        };
        if !self.task.is_empty() {
            who.push(' ');
            who.push_str(&one_line(&self.task, 40));
        }
        if let Some(percent) = self.progress {
            who.push_str(&[" ", &percent.to_string(), "%"].concat());
        }
        parts.push(who);
        if self.blocked {
            parts.push(ink("33", "blocked".to_owned()));
        }
        if let Some(spent) = &self.budget {
            let code = match spent.percent {
                0..50 => "32",
                50..100 => "33",
                _ => "31",
            };
            parts.push(ink(code, ["budget ", &one_line(&spent.text, 80)].concat()));
        }
        let mut count = |n: usize, more: bool, code: &str, one: &str, many: &str| {
            if n > 0 || more {
                let number = n.to_string();
                let plus = if more { "+" } else { "" };
                let text = [number.as_str(), plus, " ", if n == 1 && !more { one } else { many }].concat();
                parts.push(if code.is_empty() { text } else { ink(code, text) });
            }
        };
        count(self.mail, false, "36", "message", "messages");
        count(self.human, false, "36", "for you", "for you");
        count(self.leases.0, self.leases.1, "", "lease", "leases");
        count(self.lost, false, "31", "lost", "lost");
        count(self.silent, false, "33", "silent", "silent");
        if self.paused {
            parts.push(ink("33", "PAUSED".to_owned()));
        }
        parts.join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_line_says() {
        let full = Line {
            domain: "backend".into(),
            task: "bd-1".into(),
            progress: Some(40),
            blocked: true,
            budget: Some(Spent {
                percent: 62, text: "▓▓▓▓░░░░ 62 % of today's 1,000 tokens".into()
            }),
            mail: 2,
            human: 1,
            leases: (3, false),
            lost: 1,
            silent: 1,
            paused: true,
            waits_for: String::new(),
        };
        assert_eq!(
            full.render(false),
            "backend bd-1 40% · blocked · budget ▓▓▓▓░░░░ 62 % of today's 1,000 tokens · 2 messages · 1 for you · 3 leases · 1 lost · 1 silent · PAUSED"
        );
        let quiet = Line { domain: "backend".into(), leases: (1, false), mail: 1, ..Line::default() };
        assert_eq!(quiet.render(false), "backend · 1 message · 1 lease");
        assert_eq!(Line::default().render(false), "no domain");
        assert_eq!(Line { waits_for: "docs".into(), ..Line::default() }.render(false), "waits for docs");
        assert_eq!(Line { leases: (0, true), ..quiet }.render(false), "backend · 1 message · 0+ leases");
    }

    #[test]
    fn only_our_own_colours_reach_the_terminal() {
        let raw = "a\u{1b}]0;x\u{7}\n\u{202e}b";
        let line = Line {
            domain: raw.into(),
            task: raw.into(),
            waits_for: raw.into(),
            budget: Some(Spent { percent: 100, text: raw.into() }),
            ..Line::default()
        };
        let shown = line.render(false);
        assert!(!shown.chars().any(crate::text::is_hidden), "{shown:?}");
        let mut rest = line.render(true);
        for code in ["1", "31", "32", "33", "36", "0"] {
            rest = rest.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(rest, shown);
    }
}
