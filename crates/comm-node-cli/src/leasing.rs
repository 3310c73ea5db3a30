//! What `lock`, `unlock` and `locks` share: who asks, and what is meant by the globs given.

use std::path::Path;

use anyhow::{Result, bail};
use comm_node_core::guard::{self, Binding};
use comm_node_core::lease::{Ask, Holder, tree_of};
use comm_node_core::node::registry::{Pattern, Registry};
use comm_node_core::{glob, node, path, text};

use crate::env::Env;
use crate::here::{Here, session_of_caller};

/// A glob as it is kept: relative to its tree.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The tree's name among the leases.
    pub(crate) tree: String,
    /// The tree's index in the registry.
    index: usize,
    /// The glob.
    pub(crate) glob: String,
    /// The path, where one was meant.
    pub(crate) key: Option<String>,
}

impl Target {
    /// What is asked for with it.
    pub(crate) fn ask(&self) -> Ask<'_> {
        Ask::glob(&self.tree, &self.glob)
    }

    /// What it covers when leases are given back: automatic ones go by their plain path.
    pub(crate) fn asks(&self) -> impl Iterator<Item = Ask<'_>> {
        let key = self.key.as_deref().map(|key| Ask::key(&self.tree, key));
        std::iter::once(self.ask()).chain(key)
    }
}

/// The agent that runs this command, or the person. The command line can't tell a subagent from
/// its main loop; `agent` names it.
pub(crate) fn holder(env: &Env, here: &Here, agent: Option<&str>) -> Result<Holder> {
    let session = session_of_caller(env, &here.store)?;
    let record = session.as_ref().and_then(|id| here.store.read_session(id).ok().flatten());
    if session.is_none() && agent.is_some() {
        bail!("--agent names a subagent of a session, and this is not run inside one");
    }
    Ok(Holder { domain: record.and_then(|r| r.domain), session, agent: agent.map(str::to_owned) })
}

/// `raw` as a glob of its tree. It is taken relative to the working directory, as a path would
/// be; a directory stands for what is below it, and the name of a file that is there for itself.
pub(crate) fn target(env: &Env, registry: &Registry<'_>, raw: &str) -> Result<Target> {
    let shown = text::one_line(raw, 200);
    let given = path::lexical(&env.cwd, Path::new(raw));
    let plain = glob::is_literal(raw) || given.symlink_metadata().is_ok();
    // Up to the last separator before the first special character it is a path.
    let special = if plain { raw.len() } else { raw.find(['*', '?', '[', '{', '\\']).unwrap_or(raw.len()) };
    let cut = if plain { raw.len() } else { raw[..special].rfind('/').map_or(0, |at| at + 1) };
    let (dir, rest) = raw.split_at(cut);
    let base = path::lexical(&env.cwd, Path::new(dir));
    let place = node::locate(registry, &path::real(&base.join(if plain { "" } else { "-" }))?);
    let Some((tree, key)) = tree_of(registry, &place) else {
        bail!("`{shown}` is outside the node; leases are on paths of the node");
    };
    let node::Place::Inside { tree: index, .. } = &place else { bail!("`{shown}` is outside the node") };
    let (tree, index) = (tree.into_owned(), *index);
    let (glob, key) = if plain {
        let below = raw.ends_with('/') || given.is_dir();
        match (below, key) {
            (true, "") => ("**".to_owned(), None),
            (true, key) => (format!("{}/**", glob::escape(key)), None),
            (false, key) => (glob::escape(key), Some(key.to_owned())),
        }
    } else {
        let above = key.strip_suffix('-').unwrap_or(key);
        let rest = path::normal(rest, registry.fold_case);
        (format!("{}{rest}", glob::escape(above)), None)
    };
    if let Err(why) = glob::check(&glob) {
        bail!("`{shown}` is not a glob to lock: {why}");
    }
    Ok(Target { tree, index, glob, key })
}

/// Refuses what an agent has no business to lock: whatever is not in its domain's scope.
pub(crate) fn in_scope(
    here: &Here,
    registry: &Registry<'_>,
    holder: &Holder,
    targets: &[Target],
) -> Result<()> {
    // A person may lock anything.
    let Some(id) = &holder.session else { return Ok(()) };
    let session = here.store.read_session(id)?;
    let binding = session.as_ref().map_or(Binding::None, |s| guard::binding(registry, s));
    let Binding::Domain(domain) = binding else {
        bail!(
            "this session works for no domain, so it has no scope to lock in; run `comm-node join <domain>` first"
        );
    };
    let globs = |patterns: &[Pattern<'_>]| patterns.iter().map(|p| p.glob().to_owned()).collect::<Vec<_>>();
    let scope = globs(&domain.scope);
    let scope: Vec<&str> = scope.iter().map(String::as_str).collect();
    for target in targets {
        let shown = text::one_line(&target.glob, 200);
        let foreign = if target.index == domain.tree {
            glob::overlap_excluding(&target.glob, "**", &scope)
                .or_else(|| domain.exclude.iter().find_map(|p| glob::overlap(&target.glob, p.glob())))
        } else {
            glob::overlap(&target.glob, "**")
        };
        if let Some(path) = foreign {
            bail!(
                "`{shown}` reaches beyond the scope of domain {}: it matches {}, for one. The scope is {}; lock less",
                domain.name,
                text::one_line(&path, 200),
                guard::scope(domain)
            );
        }
    }
    Ok(())
}
