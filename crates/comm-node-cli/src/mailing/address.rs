//! Whom a message is for.

use anyhow::{Result, bail};
use comm_node_core::mail::{EVERYONE, HUMAN};
use comm_node_core::node::registry::Registry;
use comm_node_core::text::one_line;

use super::Me;
use crate::config::reader::nearest;

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
