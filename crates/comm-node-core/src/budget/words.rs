//! What is said of budgets.

use super::standing::{Band, Mark, Whose};
use super::{OnExhausted, Span, Unit};
use crate::text::one_line;

/// What is refused and what is not, once nothing is left.
pub const STILL: &str = "Reading, `comm-node` commands (messages, hand-offs) and commits stay possible.";

/// A limit as people say it: `today's 20,000 tokens`.
#[must_use]
pub fn limit(span: Span, unit: Unit, amount: u64) -> String {
    let amount = unit.show(amount);
    match span {
        Span::Day => format!("today's {amount}"),
        Span::Task => format!("the task's {amount}"),
        Span::Total => format!("the {amount} in all"),
    }
}

/// Whose budget a mark is about, and which.
fn subject(whose: Whose, mark: &Mark, domain: &str) -> String {
    let limit = limit(mark.span, mark.unit, mark.limit);
    match (whose, mark.span) {
        (Whose::Node, _) => format!("{limit} of all domains together"),
        (Whose::Domain, Span::Task) => {
            format!("{limit} (task {}, domain {domain})", one_line(&mark.period, 80))
        }
        (Whose::Domain, _) => format!("{limit} of domain {domain}"),
    }
}

/// One line for a session whose budget crossed a band.
#[must_use]
pub fn warning(whose: Whose, mark: &Mark, domain: &str, on_exhausted: OnExhausted) -> String {
    let subject = subject(whose, mark, domain);
    match mark.band {
        Band::Silent => String::new(),
        Band::Half => format!("comm-node: half of the budget is spent: 50 % or more of {subject}."),
        Band::Most => format!(
            "comm-node: the budget is nearly spent: 80 % or more of {subject}. Bring the work to an end, or ask for more in \
             time: {}.",
            ask(whose, mark)
        ),
        Band::All if on_exhausted == OnExhausted::Warn => {
            format!("comm-node: the budget is used up: {subject}. Work may go on; tell the user.")
        }
        Band::All if on_exhausted == OnExhausted::Stop => last_call(whose, mark, domain),
        Band::All => format!("comm-node: the budget is used up: {subject}. {}", then(whose, mark, domain)),
    }
}

/// Why a write is refused, as a clause.
#[must_use]
pub fn why(whose: Whose, mark: &Mark, domain: &str) -> String {
    format!("the budget is used up: {} are spent", subject(whose, mark, domain))
}

/// How an agent asks for more.
fn ask(whose: Whose, mark: &Mark) -> String {
    if whose == Whose::Node || mark.unit == Unit::Usd {
        return "only a person can grant it, tell the user".to_owned();
    }
    format!("`comm-node budget request <tokens> --reason '…'{}`", of_task(mark))
}

/// The option that names the task, where the task's budget is meant.
fn of_task(mark: &Mark) -> String {
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:#/".contains(&b));
    match mark.span {
        Span::Task if plain(&mark.period) => format!(" --task {}", mark.period),
        Span::Task => " --task <task>".to_owned(),
        _ => String::new(),
    }
}

/// What to do once nothing is left, in whole sentences.
#[must_use]
pub fn then(whose: Whose, mark: &Mark, domain: &str) -> String {
    let who = if whose == Whose::Node { "'*'" } else { domain };
    let (amount, usd) = match mark.unit {
        Unit::Tokens => ("<tokens>", ""),
        Unit::Usd => ("<dollars>", " --usd"),
    };
    let task = of_task(mark);
    let grant = format!("`comm-node budget grant {who} {amount}{usd}{task}`");
    let ask = match ask(whose, mark) {
        text if text.starts_with('`') => {
            format!("Ask for more with {text}, or tell the user, who can grant it with {grant}.")
        }
        _ => format!("Tell the user, who can grant more with {grant}."),
    };
    format!("{STILL} Write a hand-off of what is open. {ask}")
}

/// What a session is told before its run is ended.
#[must_use]
pub fn last_call(whose: Whose, mark: &Mark, domain: &str) -> String {
    format!(
        "comm-node: the budget is used up: {}. This run ends with the next call that is no `comm-node` command and \
         no message in `.comm-node/outbox/`: write the hand-off now, with `comm-node handoff write` or \
         `comm-node send human --type handoff '…'`.",
        subject(whose, mark, domain)
    )
}

/// What the person reads when the run was ended.
#[must_use]
pub fn stopped(whose: Whose, mark: &Mark, domain: &str) -> String {
    let who = if whose == Whose::Node { "'*'" } else { domain };
    let usd = if mark.unit == Unit::Usd { " --usd" } else { "" };
    format!(
        "comm-node stopped this run: the budget is used up, {}. `comm-node budget grant {who} <n>{usd}{}` lets it go \
         on; `comm-node budget` shows all.",
        subject(whose, mark, domain),
        of_task(mark)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(span: Span, unit: Unit, period: &str, band: Band) -> Mark {
        Mark { span, unit, period: period.into(), band, limit: 20_000 }
    }

    #[test]
    fn they_say_what_is_spent_what_is_possible_and_how_to_ask() {
        let day = mark(Span::Day, Unit::Tokens, "2026-11-25", Band::All);
        let text = warning(Whose::Domain, &day, "api", OnExhausted::Refuse);
        for piece in [
            "used up: today's 20,000 tokens of domain api.",
            "Reading, `comm-node` commands",
            "hand-off",
            "`comm-node budget request <tokens> --reason '…'`",
            "`comm-node budget grant api <tokens>`",
        ] {
            assert!(text.contains(piece), "{piece}: {text}");
        }
        let task = mark(Span::Task, Unit::Tokens, "bd-1", Band::All);
        assert!(then(Whose::Domain, &task, "api").contains("--reason '…' --task bd-1`"));
        let usd = mark(Span::Total, Unit::Usd, "", Band::All);
        let text = then(Whose::Node, &usd, "api");
        assert!(text.contains("grant '*' <dollars> --usd`") && !text.contains("request"), "{text}");
        let hostile = mark(Span::Task, Unit::Tokens, "x'`\u{1b}[31m\nrm", Band::All);
        let text = warning(Whose::Domain, &hostile, "api", OnExhausted::Refuse);
        assert!(text.contains("--task <task>") && !text.contains('\u{1b}') && !text.contains('\n'), "{text}");
        let half = mark(Span::Day, Unit::Tokens, "d", Band::Half);
        assert_eq!(warning(Whose::Domain, &half, "api", OnExhausted::Refuse).lines().count(), 1);
        let warn = warning(Whose::Domain, &day, "api", OnExhausted::Warn);
        assert!(warn.contains("Work may go on") && !warn.contains("stay possible"), "{warn}");
        assert!(warning(Whose::Domain, &day, "api", OnExhausted::Stop).contains("This run ends with"));
    }
}
