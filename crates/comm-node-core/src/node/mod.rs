//! A node: finding it from a directory, and naming the paths that belong to it.
//!
//! - [`find`] walks up from a directory to the node's root, through linked git worktrees and
//!   `.comm-node/link` files.
//! - [`registry`] is `comm-node.yaml` in compiled form.
//! - [`excerpt`] is the part of it that most answers depend on.
//! - [`roles`] is the table of the built-in roles.
//! - [`head`] says which commit a worktree stands on.
//! - [`locate`] says where in the node a path is, which is what rules are applied to.

pub mod excerpt;
mod find;
mod head;
mod place;
pub mod registry;
pub mod roles;
mod worktree;

pub use find::{find, find_from, read_link_file};
pub use head::{Head, head, head_or_empty};
pub use place::{Place, Worktrees, locate};
pub use worktree::{Worktree, is_linked_worktree};

/// The file whose directory is a node's root.
pub const YAML: &str = "comm-node.yaml";
/// The directory with a node's state.
pub const STATE: &str = ".comm-node";
/// In [`STATE`]: the compiled rules.
pub const REGISTRY: &str = "registry.json";
/// In a domain's own repository: the file in [`STATE`] that points to the node.
pub const LINK: &str = "link";
