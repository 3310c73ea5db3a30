//! The command line and the hook programs, as a user and as the client see them.

mod budget;
mod config;
mod docs;
mod escapes;
mod explain;
mod gate;
mod generate;
mod handoff;
mod hooks;
mod install;
mod log;
mod mail;
mod mending;
mod parts;
mod rounds;
mod shell;
mod status;
mod statusline;
mod unheard;
mod usage;
mod work;
