//! What Claude Code reads of a node by itself, rendered from templates: each domain's `CLAUDE.md`, and
//! agents and slash commands.
//!
//! - [`templates`] is the one table of templates; [`engine`] renders them, strictly; `trial` tries a node's own in all branches;
//! - [`safe`] makes texts from outside harmless, [`context`] is all that a template can name;
//! - [`place`] says where a domain's files are;
//! - [`frontmatter`] reads what such a file says of itself;
//! - [`block`] is a marked part of a person's file, [`whole`] a file that is ours;
//! - [`plan`] says what is to change, [`stale`] finds what nobody wants any more, [`apply`] writes.

pub mod apply;
pub mod block;
pub mod context;
pub mod engine;
pub mod frontmatter;
pub mod place;
pub mod plan;
pub mod rule;
pub mod safe;
pub mod stale;
pub mod templates;
mod trial;
pub mod whole;
