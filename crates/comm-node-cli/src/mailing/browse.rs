//! Going through messages, the latest first.

use anyhow::Result;
use comm_node_core::mail::{HUMAN, Message, Ulid};
use comm_node_core::store::{Item, Mail};
use comm_node_core::text;

use super::Desk;
use crate::here::Here;
use crate::out::Out;

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

/// Shows the messages that may be read at this desk to `keep`, the latest first, until it says false: a person's
/// all of the node, an agent's what its domain got and sent.
pub(crate) fn each(desk: &Desk<'_>, out: &Out, keep: &mut dyn FnMut(&Message) -> bool) -> Result<()> {
    let (mail, me) = (desk.mail(), &desk.me);
    let authors: Vec<String> = if me.is_person() {
        desk.registry.domains.iter().map(|d| d.name.to_string()).chain([HUMAN.to_owned()]).collect()
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
        let mut older = |id: Ulid| days.peek().is_some_and(|next| Mail::day_of(id) <= *next);
        let later = found.iter().position(|(id, _)| older(*id)).unwrap_or(found.len());
        for (id, source) in found.drain(..later) {
            let message = match source {
                Source::Got(name, item) => read(desk.here, out, &name, &item),
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
