//! Which message is meant.

use anyhow::{Result, bail};
use comm_node_core::mail::{Message, Ulid};
use comm_node_core::store::{Item, Mail};
use comm_node_core::text::one_line;

/// Days of the archive that are looked through for the short form of an id.
const DAYS: usize = 31;

/// The message that `raw` means in the mailbox of `domain`: a whole id, or the end of one.
pub(crate) fn find(mail: Mail<'_>, domain: &str, raw: &str) -> Result<Option<Item>> {
    let wanted = raw.to_ascii_uppercase();
    if let Some(id) = Ulid::parse(&wanted) {
        return Ok(mail.find(domain, id)?);
    }
    check_id(&wanted, raw)?;
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
    check_id(&wanted, raw)?;
    for day in mail.sent_days(from)?.iter().take(DAYS) {
        if let Some(id) = mail.sent(from, day)?.into_iter().rfind(|id| id.text().ends_with(&wanted)) {
            return Ok(mail.read_sent(from, id)?);
        }
    }
    Ok(None)
}

/// Refuses what is no id and no end of one: `wanted` is `raw` in capitals.
///
/// # Errors
/// When it is none.
pub(crate) fn check_id(wanted: &str, raw: &str) -> Result<()> {
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
