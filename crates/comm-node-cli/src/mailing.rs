//! What the mail commands share: who asks, whom they write to, which message is meant, how it is shown.

use std::io::{IsTerminal, Read};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Binding};
use comm_node_core::mail::{self, Draft, EVERYONE, HUMAN, Message, Ulid};
use comm_node_core::node::registry::Registry;
use comm_node_core::session::SessionId;
use comm_node_core::store::{Event, Item, Mail, State};
use comm_node_core::text::{self, one_line};
use serde_json::{Value, json};

use crate::allowance;
use crate::config::reader::nearest;
use crate::env::Env;
use crate::here::{Here, session_of_caller};
use crate::out::Out;

/// How long another sender is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The largest text that is read from stdin; more than any message may have.
const MAX_STDIN: u64 = 64 << 10;
/// Days of the archive that are looked through for the short form of an id.
const DAYS: usize = 31;

/// On whose behalf a command runs.
#[derive(Clone, Debug)]
pub(crate) struct Me {
    /// The domain, or [`HUMAN`].
    pub(crate) name: String,
    /// The session; for a person one called [`HUMAN`].
    pub(crate) session: SessionId,
}

impl Me {
    /// Whoever runs this command: the session's domain, or the person at the terminal.
    pub(crate) fn find(env: &Env, here: &Here, registry: &Registry<'_>) -> Result<Self> {
        let Some(session) = session_of_caller(env, &here.store)? else {
            return Ok(Self { name: HUMAN.to_owned(), session: SessionId::new(HUMAN)? });
        };
        Self::of(here, registry, session)
    }

    /// The domain of `session`.
    pub(crate) fn of(here: &Here, registry: &Registry<'_>, session: SessionId) -> Result<Self> {
        let record = here.store.read_session(&session)?;
        let binding = record.as_ref().map_or(Binding::None, |record| guard::binding(registry, record));
        match binding {
            Binding::Domain(domain) => Ok(Self { name: domain.name.to_string(), session }),
            Binding::None => bail!(
                "this session works for no domain, so it has no mailbox; run `comm-node join <domain>` first"
            ),
            Binding::Waiting(domain) => bail!(
                "this session waits for room in domain {0} and has no mailbox meanwhile; tell the user, who can end \
                 the other session or run `comm-node join {0} --session {1} --force`",
                domain.name,
                session.short()
            ),
            Binding::Gone(name) => bail!(
                "this session is bound to domain {}, which comm-node.yaml does not have; tell the user",
                one_line(name, 60)
            ),
        }
    }

    pub(crate) fn is_person(&self) -> bool {
        self.name == HUMAN
    }
}

/// The owner of the mailbox that `--domain` names.
pub(crate) fn owner(registry: &Registry<'_>, name: &str) -> Result<String> {
    if name == HUMAN || registry.domain(name).is_some() {
        Ok(name.to_owned())
    } else {
        Err(unknown(registry, name))
    }
}

fn unknown(registry: &Registry<'_>, name: &str) -> anyhow::Error {
    let names: Vec<&str> = registry.domains.iter().map(|d| d.name.as_str()).chain([HUMAN]).collect();
    let shown = one_line(name, 60);
    match nearest(name, names.iter().copied()) {
        Some(best) => anyhow::anyhow!("no domain is called `{shown}`; did you mean `{best}`?"),
        None => {
            anyhow::anyhow!("no domain is called `{shown}`; there are {}, and * for all", names.join(", "))
        }
    }
}

/// The recipients that `names` mean, each once. `*` stays in front of the names that it means.
pub(crate) fn recipients(registry: &Registry<'_>, me: &Me, names: &[String]) -> Result<Vec<String>> {
    let mut out: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !out.iter().any(|n| n == name) {
            out.push(name.to_owned());
        }
    };
    if names.iter().any(|name| name == EVERYONE) {
        add(EVERYONE);
    }
    for name in names {
        match name.as_str() {
            EVERYONE => {
                registry.domains.iter().filter(|d| *d.name != *me.name).for_each(|d| add(&d.name));
            }
            name if name == me.name => bail!("`{name}` is this session's own domain; name another one"),
            HUMAN => add(HUMAN),
            name if registry.domain(name).is_some() => add(name),
            name => return Err(unknown(registry, name)),
        }
    }
    match out.last().map(String::as_str) {
        None => bail!("the message names no recipient; name a domain, `human`, or * for all domains"),
        Some(EVERYONE) => bail!("this node has no other domain that could read it"),
        _ => Ok(out),
    }
}

/// The text that was given, or else what stands on stdin.
pub(crate) fn body(given: Option<&str>) -> Result<String> {
    match given {
        Some(text) if text != "-" => Ok(text.to_owned()),
        _ if std::io::stdin().is_terminal() => {
            bail!("no text was given; write it behind the recipient, or give it on stdin")
        }
        _ => {
            let mut bytes = Vec::new();
            std::io::stdin().take(MAX_STDIN + 1).read_to_end(&mut bytes).context("could not read stdin")?;
            if bytes.len() as u64 > MAX_STDIN {
                bail!(
                    "stdin holds more than {MAX_STDIN} bytes; publish a file and point to it with --artifact"
                );
            }
            String::from_utf8(bytes).map_err(|e| {
                anyhow::anyhow!("stdin is not UTF-8 text at byte {}; send text", e.utf8_error().valid_up_to())
            })
        }
    }
}

/// Checks `said` and sends it.
pub(crate) fn send(here: &Here, me: &Me, said: Draft) -> Result<Message> {
    if let Some(why) = mail::fault(&said) {
        bail!("not sent: {why}");
    }
    // The id has the same length whichever it will be.
    let trial = Message { id: Ulid::fresh(clock::now_ms(), None), from: me.name.clone(), said };
    if let Some(why) = mail::too_large(&trial) {
        bail!("not sent: {why}");
    }
    if let Some(why) = allowance::refusal(here, &here.registry()?, me, &trial.said)? {
        bail!("not sent: {why}");
    }
    let deadline = Deadline::after(PATIENCE);
    let message = here.store.mail().send(&me.name, trial.said, &me.session, deadline)?;
    let note = format!("{} {} to {}", message.id, message.said.kind.name(), message.said.to.join(","));
    log(here, me, "mail_sent", &note)?;
    Ok(message)
}

/// Puts what became of a message into the log.
pub(crate) fn log(here: &Here, me: &Me, event: &str, note: &str) -> Result<()> {
    let session = if me.is_person() { "" } else { me.session.as_str() };
    let domain = if me.is_person() { "" } else { me.name.as_str() };
    Ok(here.store.log(&Event { event, session, domain, note, ..Event::default() })?)
}

/// Says that `message` was sent.
pub(crate) fn confirm(out: &Out, json: bool, message: &Message) {
    let to: Vec<&str> = message.said.to.iter().map(String::as_str).filter(|to| *to != EVERYONE).collect();
    if json {
        out.json(&view(message));
        return;
    }
    out.line(format!(
        "sent {} to {} ({} tokens each); `comm-node sent` shows how far it got",
        message.id.short(),
        to.join(", "),
        message.cost()
    ));
}

/// A message as JSON.
pub(crate) fn view(message: &Message) -> Value {
    let said = &message.said;
    json!({
        "id": message.id,
        "short": message.id.short(),
        "from": message.from,
        "to": said.to,
        "type": said.kind,
        "task": said.task,
        "priority": said.priority,
        "thread": message.thread(),
        "reply_to": said.reply_to,
        "blocks_progress": said.blocks_progress,
        "token_budget": said.token_budget,
        "artifacts": said.artifacts,
        "expires": message.expires_ms().map(clock::rfc3339),
        "tier": message.tier(),
        "tokens": message.cost(),
        "sent": clock::rfc3339(message.id.ms()),
        "body": said.body,
    })
}

/// The same with how far it got in one mailbox.
pub(crate) fn view_in(message: &Message, item: &Item, now_ms: u64) -> Value {
    let mut value = view(message);
    value["state"] = state(message, &item.state, now_ms).into();
    value["session"] = item.state.session().map(SessionId::as_str).into();
    value
}

/// The state as people see it: what waits although its time is over is expired.
pub(crate) fn state(message: &Message, state: &State, now_ms: u64) -> &'static str {
    match state {
        State::Queued | State::Offering(_) | State::Offered(_) if message.is_expired(now_ms) => "expired",
        other => other.name(),
    }
}

/// The first line of a body, for a table.
pub(crate) fn first_line(message: &Message) -> String {
    one_line(message.said.body.lines().next().unwrap_or_default(), 60).into_owned()
}

/// How long ago a message was sent.
pub(crate) fn age(message: &Message, now_ms: u64) -> String {
    clock::span(now_ms.saturating_sub(message.id.ms()))
}

/// The message that `raw` means in the mailbox of `domain`: a whole id, or the end of one.
pub(crate) fn find(mail: Mail<'_>, domain: &str, raw: &str) -> Result<Option<Item>> {
    let wanted = raw.to_ascii_uppercase();
    if let Some(id) = Ulid::parse(&wanted) {
        return Ok(mail.find(domain, id)?);
    }
    short(&wanted, raw)?;
    let mut found: Vec<Item> = Vec::new();
    let mut look =
        |items: Vec<Item>| found.extend(items.into_iter().filter(|i| i.id.text().ends_with(&wanted)));
    look(mail.waiting(domain)?);
    look(mail.open(domain)?);
    if found.is_empty() {
        for day in mail.archive_days(domain)?.iter().take(DAYS) {
            let items = mail.archived(domain, day)?;
            found.extend(items.into_iter().filter(|i| i.id.text().ends_with(&wanted)));
            if !found.is_empty() {
                break;
            }
        }
    }
    match found.len() {
        0 | 1 => Ok(found.pop()),
        n => bail!("{n} messages' ids end with `{wanted}`; give more of the id"),
    }
}

/// The message that `raw` means among those that `from` sent.
pub(crate) fn find_sent(mail: Mail<'_>, from: &str, raw: &str) -> Result<Option<Message>> {
    let wanted = raw.to_ascii_uppercase();
    if let Some(id) = Ulid::parse(&wanted) {
        return Ok(mail.read_sent(from, id)?);
    }
    short(&wanted, raw)?;
    for day in mail.sent_days(from)?.iter().take(DAYS) {
        if let Some(id) = mail.sent(from, day)?.into_iter().rfind(|id| id.text().ends_with(&wanted)) {
            return Ok(mail.read_sent(from, id)?);
        }
    }
    Ok(None)
}

fn short(wanted: &str, raw: &str) -> Result<()> {
    if wanted.len() < 4 || wanted.len() > 26 || !wanted.bytes().all(|b| b.is_ascii_alphanumeric()) {
        bail!(
            "`{}` is no message's id; give the six characters that `comm-node inbox` shows",
            one_line(raw, 40)
        );
    }
    Ok(())
}

/// No message has that id.
pub(crate) fn missing(domain: &str, raw: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "the mailbox of {domain} has no message `{}`; `comm-node inbox --all` lists what it has",
        one_line(raw, 40)
    )
}

/// The message of `item`; a damaged one is reported and passed over.
pub(crate) fn read(here: &Here, out: &Out, domain: &str, item: &Item) -> Option<Message> {
    match here.store.mail().read(domain, item) {
        Ok(message) => message,
        Err(e) => {
            out.note(format!("warning: {}", text::one_line(&format!("{e}; {}", e.remedy()), 600)));
            None
        }
    }
}

/// Shows the messages that `me` may read to `keep`, the latest first, until it says false: a person's
/// all of the node, an agent's what its domain got and sent.
pub(crate) fn each(
    here: &Here,
    out: &Out,
    registry: &Registry<'_>,
    me: &Me,
    keep: &mut dyn FnMut(&Message) -> bool,
) -> Result<()> {
    let mail = here.store.mail();
    let authors: Vec<String> = if me.is_person() {
        registry.domains.iter().map(|d| d.name.to_string()).chain([HUMAN.to_owned()]).collect()
    } else {
        vec![me.name.clone()]
    };
    // Whoever sent a message has a copy of it; of what comes from domains that are gone the recipient has.
    let boxes = &authors;
    let mut found: Vec<(Ulid, Source)> = Vec::new();
    for name in boxes {
        for item in mail.waiting(name)?.into_iter().chain(mail.open(name)?) {
            found.push((item.id, Source::Got(name.clone(), item)));
        }
    }
    let mut days: Vec<String> = Vec::new();
    for name in boxes {
        days.append(&mut mail.archive_days(name)?);
        days.append(&mut mail.sent_days(name)?);
    }
    days.sort_unstable_by(|a, b| b.cmp(a));
    days.dedup();
    let mut days = days.into_iter().peekable();
    loop {
        let day = days.next();
        if let Some(day) = &day {
            for name in boxes {
                found.extend(mail.sent(name, day)?.into_iter().map(|id| (id, Source::Sent(name.clone()))));
                let items = mail.archived(name, day)?;
                found.extend(items.into_iter().map(|item| (item.id, Source::Got(name.clone(), item))));
            }
        }
        found.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
        found.dedup_by_key(|(id, _)| *id);
        // What waits may be older than this day.
        let mut older = |id: Ulid| days.peek().is_some_and(|next| day_of(id) <= *next);
        let later = found.iter().position(|(id, _)| older(*id)).unwrap_or(found.len());
        for (id, source) in found.drain(..later) {
            let message = match source {
                Source::Got(name, item) => read(here, out, &name, &item),
                Source::Sent(name) => mail.read_sent(&name, id).ok().flatten(),
            };
            if message.is_some_and(|message| !keep(&message)) {
                return Ok(());
            }
        }
        if day.is_none() {
            return Ok(());
        }
    }
}

enum Source {
    Got(String, Item),
    Sent(String),
}

fn day_of(id: Ulid) -> String {
    let mut day = clock::rfc3339(id.ms());
    day.truncate(10);
    day.replace_range(7..8, "/");
    day
}
