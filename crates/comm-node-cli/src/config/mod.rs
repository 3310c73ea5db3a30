//! `comm-node.yaml`: read with places, checked, and compiled into the registry.
//!
//! - [`compile`] turns text into a registry and a list of faults; it looks at the disk only for a
//!   domain's `path`.
//! - [`warnings`] finds what a person should look at although the file can be used.
//! - [`ensure`] keeps `registry.json` in step with the file; hooks wait for it.
//! - [`propose`] writes a first `comm-node.yaml` for `comm-node init`.

pub(crate) mod budget;
mod compile;
mod domain;
mod ensure;
pub mod fault;
mod glob;
mod place;
mod policy;
mod prices;
pub mod propose;
pub(crate) mod reader;
mod role;
mod shell;
mod warn;
pub(crate) mod yaml;

use anyhow::Result;
use comm_node_core::node::YAML;
use comm_node_core::node::registry::{Layout, SourceId};
use comm_node_core::store::Store;

pub use compile::{Compiled, Ground, compile};
pub use domain::Marks;
pub use ensure::{Ensured, ensure, summary};
pub(crate) use reader::duration;
pub use warn::warnings;

/// The text of the registry, compiled anew if `comm-node.yaml` changed since.
///
/// # Errors
/// When there is neither a usable `comm-node.yaml` nor an older compiled form.
pub fn ensure_compiled(layout: &Layout, store: &Store) -> Result<String> {
    ensure(layout, store).map(|ensured| ensured.text)
}

/// Reads and checks `comm-node.yaml` of the node as it is now, without writing anything.
///
/// # Errors
/// When the file can't be read.
pub fn check(layout: &Layout) -> Result<Compiled> {
    ensure::check(layout)
}

/// Compiles `text` as if it were the `comm-node.yaml` of the node in `layout`.
#[must_use]
pub fn check_text(layout: &Layout, text: &str) -> Compiled {
    let ground =
        Ground { root: &layout.root, fold_case: ensure::folds_case(layout), id: SourceId::default() };
    compile(YAML, text, ground)
}

/// The registry of a node that is nowhere, for trying things on.
///
/// # Errors
/// The first fault of `text`.
pub(crate) fn sample(text: &str) -> Result<comm_node_core::node::registry::Registry<'static>> {
    let ground = Ground { root: std::path::Path::new("/"), fold_case: false, id: SourceId::default() };
    let compiled = compile(YAML, text, ground);
    match (compiled.registry, compiled.faults.first()) {
        (Some(registry), _) => Ok(registry),
        (None, fault) => anyhow::bail!("{}", fault.map_or("it has a fault", |f| f.what.as_str())),
    }
}
