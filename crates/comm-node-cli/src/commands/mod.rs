//! One module per command; each has its arguments (`Args`) and `run`.

pub mod check;
pub mod compile;
pub mod completions;
pub mod doctor;
pub mod explain;
pub mod init;
pub mod install;
pub mod join;
pub mod leave;
pub mod link;
pub mod lock;
pub mod locks;
pub mod man;
pub mod pause;
pub mod resume;
pub mod sessions;
pub mod show;
pub mod status;
pub mod uninstall;
pub mod unlock;
pub mod why;
