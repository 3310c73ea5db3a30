//! What the budget commands share: requests and grants, and budgets as they are shown.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use comm_node_core::budget::efficiency::Score;
use comm_node_core::budget::{
    Band, Budget, By, ENOUGH, Grant, Line, Span, Unit, Verdict, adds, judge, lines, percent,
};
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::mail::{Draft, HUMAN, Kind, Message, NODE, Priority, form};
use comm_node_core::node::registry::Registry;
use comm_node_core::session::SessionId;
use comm_node_core::store::{Event, Treasury, today};
use comm_node_core::text::one_line;
use serde_json::{Value, json};

use crate::here::Here;
use crate::mailing::{self, Me};

/// How long another command is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of a reason that are kept.
const MAX_REASON: usize = 400;
/// More than this at once is a mistake.
const MAX_GRANT: u64 = 4_000_000_000_000;

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) verdict: Verdict,
    pub(crate) score: Score,
    /// The answer, in whole sentences.
    pub(crate) text: String,
}

/// Judges the request of `session` for `n` tokens, and grants it where that is right.
pub(crate) fn request(
    here: &Here,
    registry: &Registry<'_>,
    me: &Me,
    n: u64,
    task: Option<&str>,
    reason: &str,
) -> Result<Answered> {
    let treasury = here.store.treasury(Deadline::after(PATIENCE))?;
    let score = here.store.score(registry, &me.name)?;
    let mut grants = here.store.grants(Some(&me.name))?;
    let none = Budget::default();
    let budget = registry.domain(&me.name).and_then(|d| d.budget.as_deref()).unwrap_or(&none);
    let verdict = judge(n, task, budget, &grants, &score, &today());
    let wanted = Unit::Tokens.show(n);
    if verdict == Verdict::Granted {
        let session = me.session.as_str().to_owned();
        grants.add(Grant { session, ..new(n, Unit::Tokens, task, By::Request, reason) });
        treasury.write_grants(Some(&me.name), &grants)?;
        treasury.reassess(registry, &me.name)?;
    }
    let (event, text) = match verdict {
        Verdict::Granted => {
            ("budget_granted", format!("granted: {wanted} more for {}.", whom(&me.name, task)))
        }
        Verdict::Inefficient => (
            "budget_refused",
            format!(
                "refused: the efficiency of domain {} is {:.2}, and {:.2} is needed; its weakest part is {} ({:.2}): {}. {}",
                me.name,
                score.total(),
                f64::from(ENOUGH) / 100.0,
                score.weakest().name(),
                part(&score),
                score.weakest().advice(),
                person(&me.name, n, task)
            ),
        ),
        Verdict::OverCap { left, cap } => (
            "budget_refused",
            format!(
                "refused: requests may add {} in a day, of which {} are left. {}",
                Unit::Tokens.show(cap),
                Unit::Tokens.figure(left),
                person(&me.name, n, task)
            ),
        ),
        Verdict::NothingToAdd => (
            "budget_refused",
            format!(
                "refused: domain {} has no budget in tokens that this would add to{}. {}",
                me.name,
                if budget.limit(Span::Task, Unit::Tokens).is_some() {
                    "; name the task with --task"
                } else {
                    ""
                },
                "`comm-node budget` shows what it has; a person grants dollars with `comm-node budget grant … --usd`."
            ),
        ),
    };
    log(here, event, &me.session, &me.name, task, &format!("{} on request: {reason}", Unit::Tokens.show(n)));
    Ok(Answered { verdict, score, text })
}

/// The value of the weakest part.
fn part(score: &Score) -> f64 {
    use comm_node_core::budget::efficiency::Part;
    match score.weakest() {
        Part::Clarity => score.clarity,
        Part::Thrift => score.thrift,
        Part::Economy => score.economy,
    }
}

/// How a person grants what was refused.
fn person(domain: &str, n: u64, task: Option<&str>) -> String {
    let task = task.map_or_else(String::new, |task| format!(" --task {}", one_line(task, 80)));
    format!("Tell the user, who can grant it: comm-node budget grant {domain} {n}{task}")
}

/// Domain and task in words.
pub(crate) fn whom(domain: &str, task: Option<&str>) -> String {
    match task {
        Some(task) => format!("task {} of domain {domain}", one_line(task, 80)),
        None => format!("domain {domain}"),
    }
}

fn new(n: u64, unit: Unit, task: Option<&str>, by: By, reason: &str) -> Grant {
    Grant {
        at: clock::rfc3339(clock::now_ms()),
        n,
        unit,
        day: today(),
        task: task.map(str::to_owned),
        by,
        reason: one_line(reason, MAX_REASON).into_owned(),
        ..Grant::default()
    }
}

/// Grants `n` to `domain`, or to all domains together, on behalf of a person.
pub(crate) fn grant(
    here: &Here,
    registry: &Registry<'_>,
    domain: Option<&str>,
    (n, unit): (u64, Unit),
    task: Option<&str>,
    reason: &str,
) -> Result<()> {
    let name = domain.unwrap_or("*");
    let budget = match domain {
        Some(name) => registry.domain(name).and_then(|d| d.budget.as_deref()),
        None => registry.budget.as_ref(),
    };
    let kind = if unit == Unit::Tokens { "tokens" } else { "dollars" };
    let Some(budget) = budget else {
        bail!(
            "{} has no budget in comm-node.yaml, so that nothing stops it; set one with `comm-node budget set`",
            if domain.is_some() { format!("domain {name}") } else { "the node".to_owned() }
        );
    };
    if !adds(budget, task, unit) {
        let of_tasks = budget.limit(Span::Task, unit).is_some();
        bail!(
            "{name} has no budget in {kind} that this would add to{}; `comm-node budget` shows what it has",
            if of_tasks { " without a task: name it with --task" } else { "" }
        );
    }
    let treasury: Treasury<'_> = here.store.treasury(Deadline::after(PATIENCE))?;
    let mut grants = here.store.grants(domain)?;
    grants.add(new(n, unit, task, By::Person, reason));
    treasury.write_grants(domain, &grants)?;
    match domain {
        Some(name) => drop(treasury.reassess(registry, name)?),
        // Any domain takes the node's own budget along.
        None => {
            if let Some(first) = registry.domains.first() {
                treasury.reassess(registry, &first.name)?;
            }
        }
    }
    let person = SessionId::new(HUMAN)?;
    let note = format!("{} by a person: {reason}", unit.show(n));
    log(here, "budget_granted", &person, domain.unwrap_or_default(), task, &note);
    Ok(())
}

fn log(here: &Here, event: &str, session: &SessionId, domain: &str, task: Option<&str>, note: &str) {
    let session = if session.as_str() == HUMAN { "" } else { session.as_str() };
    let note = one_line(note, MAX_REASON);
    let task = task.unwrap_or_default();
    here.log(&Event { event, session, domain, task, note: &note, ..Event::default() });
}

/// Decides about a message of type `budget_request` that was sent, and answers it by mail. What goes wrong is said
/// in the answer, or logged: the request is sent.
pub(crate) fn answer(
    here: &Here,
    registry: &Registry<'_>,
    me: &Me,
    message: &Message,
) -> Result<Option<String>> {
    let (Kind::BudgetRequest, Some(n), false) =
        (message.said.kind, message.said.token_budget, me.is_person())
    else {
        return Ok(None);
    };
    let task = message.said.task.clone().or(here.store.read_session(&me.session)?.and_then(|s| s.task));
    let answered = request(here, registry, me, n.into(), task.as_deref(), form::tidy(&message.said.body))?;
    let said = Draft {
        to: vec![me.name.clone()],
        kind: Kind::Answer,
        // It is waited for: it is told in the middle of the turn.
        priority: Priority::High,
        task: message.said.task.clone(),
        thread: Some(message.thread()),
        reply_to: Some(message.id),
        body: answered.text.clone(),
        ..Draft::default()
    };
    let mail = here.store.mail();
    mail.send(NODE, said, &SessionId::new(NODE)?, Deadline::after(mailing::PATIENCE))?;
    if answered.verdict == Verdict::Granted {
        // Nobody has to see to it any more.
        for to in &message.said.to {
            let _ = mail.acknowledge(to, message.id, &me.session);
        }
    }
    Ok(Some(answered.text))
}

/// A number of tokens as people write it: `5000`, `5,000`, `5k`, `2M`.
pub(crate) fn tokens(raw: &str) -> Result<u64> {
    let plain: String = raw.chars().filter(|c| !matches!(c, ',' | '_')).collect();
    let (digits, factor) = match plain.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_000),
        None => plain.strip_suffix(['m', 'M']).map_or((plain.as_str(), 1), |digits| (digits, 1_000_000)),
    };
    let n = digits.parse::<u64>().ok().or_else(|| whole(digits)).and_then(|n| n.checked_mul(factor));
    n.filter(|n| (1..=MAX_GRANT).contains(n)).with_context(|| {
        format!("`{}` is no number of tokens; write it as 5000, 5k or 2M", one_line(raw, 40))
    })
}

/// `1e3`, as comm-node.yaml takes it too.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to fit")]
fn whole(text: &str) -> Option<u64> {
    let is_plain = text.contains(['e', 'E']) && text.starts_with(|c: char| c.is_ascii_digit());
    text.parse::<f64>().ok().filter(|n| is_plain && n.fract() == 0.0 && *n <= 1e15).map(|n| n as u64)
}

/// Dollars as people write them, in millionths: `2.50`, `$3`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to fit")]
pub(crate) fn dollars(raw: &str) -> Result<u64> {
    let usd = raw.trim_start_matches('$').parse::<f64>().ok().filter(|usd| *usd > 0.0 && *usd <= 1e6);
    usd.map(|usd| (usd * 1e6).round() as u64)
        .filter(|n| *n > 0)
        .with_context(|| format!("`{}` is no amount of dollars; write it as 2.50", one_line(raw, 40)))
}

/// A budget as it is listed, with its domain; `*` is all domains together.
pub(crate) struct Listed {
    pub(crate) domain: String,
    pub(crate) line: Line,
    /// Responses without a known price, in a budget in dollars.
    pub(crate) unpriced: u64,
    /// True for what messages about a task may cost.
    pub(crate) messages: bool,
}

/// All budgets of the node, or of one domain.
pub(crate) fn listed(here: &Here, registry: &Registry<'_>, only: Option<&str>) -> Result<Vec<Listed>> {
    let today = today();
    let mut out = Vec::new();
    let mut add = |domain: &str, budget: &Budget, of: Option<&str>| -> Result<()> {
        let figures = match of {
            Some(name) => here.store.figures(name, &today)?,
            None => here.store.figures_of_all(registry, &today)?,
        };
        for line in lines(budget, &here.store.grants(of)?, &figures, &today) {
            let spent = match line.span {
                Span::Day => figures.today,
                Span::Total => figures.total,
                Span::Task => figures.tasks.get(&line.period).copied().unwrap_or_default(),
            };
            let unpriced = if line.unit == Unit::Usd { spent.unpriced } else { 0 };
            out.push(Listed { domain: domain.to_owned(), line, unpriced, messages: false });
        }
        for (task, spent) in &figures.tasks {
            let Some(limit) = budget.coordination.filter(|_| spent.messages > 0) else { continue };
            let (span, unit, period) = (Span::Task, Unit::Tokens, task.clone());
            let line = Line { span, unit, period, spent: spent.messages, limit, granted: 0 };
            out.push(Listed { domain: domain.to_owned(), line, unpriced: 0, messages: true });
        }
        Ok(())
    };
    if let Some(budget) = registry.budget.as_ref().filter(|_| only.is_none()) {
        add("*", budget, None)?;
    }
    for domain in &registry.domains {
        if let Some(budget) =
            domain.budget.as_deref().filter(|_| only.is_none_or(|name| name == &*domain.name))
        {
            add(&domain.name, budget, Some(&domain.name))?;
        }
    }
    Ok(out)
}

impl Listed {
    /// What is limited, in words.
    pub(crate) fn what(&self) -> String {
        let task = || one_line(&self.line.period, 60).into_owned();
        match self.line.span {
            Span::Day => "today".to_owned(),
            Span::Total => "in all".to_owned(),
            Span::Task if self.messages => format!("messages about {}", task()),
            Span::Task => format!("task {}", task()),
        }
    }

    /// Hundredths spent.
    pub(crate) fn percent(&self) -> u64 {
        percent(self.line.spent, self.line.limit)
    }

    /// As JSON, dollars in dollars.
    #[expect(clippy::cast_precision_loss, reason = "an amount of dollars")]
    pub(crate) fn json(&self) -> Value {
        let amount = |n: u64| match self.line.unit {
            Unit::Tokens => json!(n),
            Unit::Usd => json!(n as f64 / 1e6),
        };
        let span = match self.line.span {
            Span::Task if self.messages => "messages",
            Span::Task => "task",
            Span::Day => "day",
            Span::Total => "total",
        };
        let task = (self.line.span == Span::Task).then_some(&self.line.period);
        let day = (self.line.span == Span::Day).then_some(&self.line.period);
        json!({
            "domain": self.domain, "span": span, "task": task, "day": day, "unit": self.line.unit,
            "spent": amount(self.line.spent), "limit": amount(self.line.limit), "granted": amount(self.line.granted),
            "left": amount(self.line.left()), "percent": self.percent(), "unpriced_responses": self.unpriced,
            "band": match self.line.band() { Band::Silent => 0, Band::Half => 50, Band::Most => 80, Band::All => 100 },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (raw, n) in [("5000", 5_000), ("5,000", 5_000), ("5k", 5_000), ("2M", 2_000_000)] {
            assert_eq!(tokens(raw).expect(raw), n);
        }
        for raw in ["", "0", "-1", "5x", "k", "1.5k", "99999999999999999999", "5000000000000"] {
            assert!(tokens(raw).is_err(), "{raw}");
        }
        assert_eq!(dollars("2.50").expect("valid"), 2_500_000);
        assert_eq!(dollars("$3").expect("valid"), 3_000_000);
        for raw in ["", "0", "-1", "NaN", "inf", "1e9", "x", "0.0000001"] {
            assert!(dollars(raw).is_err(), "{raw}");
        }
    }
}
