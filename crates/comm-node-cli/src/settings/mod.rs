//! Claude Code's settings files, edited in place.
//!
//! - [`places`] says which file a scope means, and which others the client reads;
//! - [`document`] reads one strictly and finds the place of what is wrong with it;
//! - [`entry`] is a hook entry, as we write it and as we find it;
//! - [`edit`] puts our entries in and takes them out, as a function from text to text;
//! - [`tree`] is such a text opened at the places that are edited, with every other byte kept;
//! - [`style`] is how a text is laid out;
//! - [`file`](mod@file) replaces the file itself, whole and only if nobody else wrote meanwhile.

pub mod document;
pub mod edit;
pub mod entry;
pub mod file;
pub mod places;
pub mod style;
pub mod tree;
