//! How a mail command begins.

use anyhow::Result;
use comm_node_core::deadline::Deadline;
use comm_node_core::mail::Message;
use comm_node_core::node::registry::Registry;
use comm_node_core::store::{Item, Mail};

use super::{Me, PATIENCE, find, find_sent, missing, owner};
use crate::Outcome;
use crate::env::Env;
use crate::here::Here;
use crate::out::Out;
use crate::routing;

/// Where a mail command works, and on whose behalf.
pub(crate) struct Desk<'d> {
    /// The node.
    pub(crate) here: &'d Here,
    /// Its rules.
    pub(crate) registry: &'d Registry<'d>,
    /// Whoever asks.
    pub(crate) me: Me,
}

impl Desk<'_> {
    /// Gives `work` the desk of whoever runs this command, after what waits in the drop box was sent.
    pub(crate) fn open(
        env: &Env,
        out: &Out,
        work: impl FnOnce(&Desk<'_>) -> Result<Outcome>,
    ) -> Result<Outcome> {
        let here = Here::find(env)?;
        let registry = here.registry()?;
        let me = Me::find(env, &here, &registry)?;
        routing::sweep(&here, &registry, &me, out);
        work(&Desk { here: &here, registry: &registry, me })
    }

    /// Gives `work` a desk and the name of the mailbox to look at: that of `domain` if one is given, else one's own.
    /// What senders that died left is finished before.
    pub(crate) fn over(
        env: &Env,
        out: &Out,
        domain: Option<&str>,
        work: impl FnOnce(&Here, &str) -> Result<Outcome>,
    ) -> Result<Outcome> {
        let here = Here::find(env)?;
        let registry = here.registry()?;
        // First, because it may put a file back into the drop box.
        here.store.mail().recover(Deadline::after(PATIENCE))?;
        let name = match domain {
            Some(domain) => owner(&registry, domain)?,
            None => {
                let me = Me::find(env, &here, &registry)?;
                routing::sweep(&here, &registry, &me, out);
                me.name
            }
        };
        work(&here, &name)
    }

    /// The node's mail.
    pub(crate) fn mail(&self) -> Mail<'_> {
        self.here.store.mail()
    }

    /// The message that `raw` means in one's own mailbox.
    pub(crate) fn find(&self, raw: &str) -> Result<Item> {
        find(self.mail(), &self.me.name, raw)?.ok_or_else(|| self.missing(raw))
    }

    /// The message that `raw` means among those that one got or sent.
    pub(crate) fn got_or_sent(&self, raw: &str) -> Result<Message> {
        let (mail, name) = (self.mail(), &self.me.name);
        let got = find(mail, name, raw)?.map(|item| mail.read(name, &item)).transpose()?.flatten();
        match got {
            Some(message) => Ok(message),
            None => find_sent(mail, name, raw)?.ok_or_else(|| self.missing(raw)),
        }
    }

    /// No message has that id.
    pub(crate) fn missing(&self, raw: &str) -> anyhow::Error {
        missing(&self.me.name, raw)
    }
}
