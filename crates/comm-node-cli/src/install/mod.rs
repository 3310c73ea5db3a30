//! Installing comm-node into Claude Code, proving that it works, and taking it back.
//!
//! - [`wiring`] is the one table of which program answers which event;
//! - [`layout`] says where the installer's own files are, [`lock`] keeps two installers apart;
//! - [`programs`] copies the programs, [`link`] makes the command line reachable;
//! - [`wire`] changes a settings file and writes down how, [`record`] is what was written down;
//! - [`extras`] are agents, commands and conventions for all of a user's sessions;
//! - [`status_line`] chains the person's status line;
//! - [`plugin`] is the other way in, by the client's plugin manager;
//! - [`remove`] takes everything back;
//! - [`doctor`] checks it all, with a call that must be denied;
//! - [`preview`] shows what would be changed.

pub mod doctor;
pub mod extras;
pub mod layout;
pub mod link;
pub mod lock;
pub mod plugin;
pub mod preview;
pub mod programs;
pub mod record;
pub mod remove;
pub mod status_line;
pub mod wire;
pub mod wiring;
