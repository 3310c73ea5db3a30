//! The one error type of this crate: what happened, to which file, and what to do.

use std::path::{Path, PathBuf};

use crate::node::STATE;

/// What people write below the state directory.
const PERSONS: [&str; 4] = ["templates", "handoffs", "blockers.md", "findings.md"];

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong below a command or a hook.
///
/// Every variant displays as *what happened: why*; [`Error::remedy`] adds what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation on a file failed.
    #[error("could not {action} {}: {cause}", path.display())]
    Io {
        /// The verb, such as `read`.
        action: &'static str,
        /// The file it was about.
        path: PathBuf,
        /// The system's reason. It is part of the text, and so no `source`, which whoever prints a chain of errors would add.
        cause: std::io::Error,
    },
    /// A file is there but does not hold what it should.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Something that must be a plain file or directory of comm-node's own is not.
    #[error("{} cannot be trusted: {why}", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// A lock was not free in time.
    #[error("could not lock {} in {waited_ms} ms: another comm-node process holds it", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long was waited, in milliseconds.
        waited_ms: u64,
    },
    /// The node has no usable compiled configuration.
    #[error("the configuration of {} is not usable: {why}", root.display())]
    Config {
        /// The node's root.
        root: PathBuf,
        /// Place and text of the fault.
        why: String,
    },
    /// The node's `comm-node.yaml` is gone, and what it was compiled to is still there.
    #[error("comm-node.yaml of {} is gone; {rules}", root.display())]
    Gone {
        /// The node's root.
        root: PathBuf,
        /// What that means for the rules.
        rules: &'static str,
    },
    /// The program that compiles the configuration could not do it.
    #[error("the configuration of {} can't be compiled: {why}", root.display())]
    Compiler {
        /// The node's root.
        root: PathBuf,
        /// What kept it.
        why: String,
    },
    /// The program that says where the budgets stand could not do it.
    #[error("where the budgets stand can't be told: {why}")]
    Assess {
        /// What kept it.
        why: String,
    },
    /// A value from outside is not acceptable.
    #[error("{what} is not valid: {why}")]
    Invalid {
        /// What was given.
        what: &'static str,
        /// Why it is refused.
        why: String,
    },
}

impl Error {
    /// An [`Error::Io`] for `action` on `path`, for use with `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io { action, path: path.to_path_buf(), cause }
    }

    /// What a person can do about it, as a clause without a full stop.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Io { path, cause, .. } if is_of_another_kind(cause) => {
                if is_a_persons(path) {
                    "something else stands where it should be; move that away"
                } else {
                    "something else stands where it should be; run `comm-node doctor --fix`, which sets it aside"
                }
            }
            Self::Io { .. } => {
                "check that the disk has room and that the file belongs to you, then run `comm-node doctor`"
            }
            Self::Damaged { path, .. } if is_a_persons(path) => {
                "save it as UTF-8 text, and shorter if it is too long; comm-node changes nothing in it"
            }
            Self::Damaged { .. } => {
                "run `comm-node doctor --fix`, which sets the file aside and keeps what can be read"
            }
            Self::Untrusted { path, .. } if is_a_persons(path) => {
                "put a plain file in its place, such as a copy of what a link leads to"
            }
            Self::Untrusted { .. } => "remove it and run `comm-node doctor`",
            Self::Locked { .. } => "try again; `comm-node doctor` says who holds the lock if it stays",
            Self::Config { .. } => "correct comm-node.yaml; `comm-node check` shows the place",
            Self::Gone { .. } => "restore it, or remove .comm-node to end the node",
            Self::Compiler { .. } => "run `comm-node install` again; `comm-node doctor` says what is missing",
            Self::Assess { .. } => {
                "run `comm-node doctor --fix`, which sets damaged files aside; `comm-node budget` says more"
            }
            Self::Invalid { what, .. } => remedy_for(what),
        }
    }
}

/// True for what a system says where a directory stands for a file, or the other way round.
fn is_of_another_kind(cause: &std::io::Error) -> bool {
    use std::io::ErrorKind::{IsADirectory, NotADirectory};
    matches!(cause.kind(), IsADirectory | NotADirectory)
}

/// True for what people write, in a state directory or elsewhere: nobody is told to remove that.
fn is_a_persons(path: &Path) -> bool {
    let mut parts = path.iter().rev();
    let mut below = None;
    // The state directory nearest to the file is the one that it is in.
    let is_state = parts.any(|part| {
        let found = part == STATE;
        if !found {
            below = Some(part);
        }
        found
    });
    !is_state || below.is_some_and(|name| PERSONS.iter().any(|own| name == *own))
}

/// What helps against a value that is not valid; most come from the client and not from a person.
fn remedy_for(what: &str) -> &'static str {
    match what {
        "the hook's input" | "the tool's input" => {
            "try it again; if it happens again, write the file in smaller parts, or run `comm-node doctor`"
        }
        "the path" => "name the file by its plain absolute path",
        "the session id" => {
            "start a new session; a session's id comes from Claude Code, outside of one unset CLAUDE_CODE_SESSION_ID"
        }
        "the lease table" | "fencing.json" => {
            "a newer comm-node wrote it: run the `comm-node install` of that version"
        }
        _ => {
            "try it again; if it happens again, run `comm-node doctor` and report it as a mistake in comm-node"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_remove_what_a_person_wrote() {
        let damaged = |path: &str| Error::Damaged { path: PathBuf::from(path), why: String::new() }.remedy();
        let untrusted = |path: &str| Error::Untrusted { path: PathBuf::from(path), why: "" }.remedy();
        for path in [
            "/x/brief.md",
            "brief.md",
            "/x/docs/KNOWN_ISSUES.md",
            "/x/.claude/mytasks/todo.md",
            "/x/.comm-node/templates/agents/finder.md.hbs",
            "/x/.comm-node/templates",
            "/x/.comm-node/blockers.md",
            "/x/.comm-node/handoffs/api/taken/t.md",
            "/x/.comm-node/y/.comm-node/findings.md",
        ] {
            assert!(damaged(path).starts_with("save it as UTF-8"), "{path}");
            assert!(untrusted(path).starts_with("put a plain file"), "{path}");
        }
        for path in ["/x/.comm-node", "/x/.comm-node/kickoff.json", "/x/.comm-node/mail/templates/a.md"] {
            assert!(damaged(path).contains("doctor --fix"), "{path}");
            assert!(untrusted(path).contains("remove it"), "{path}");
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        let error = Error::io("read", Path::new("/x"))(std::io::Error::other("no luck"));
        assert_eq!(error.to_string(), "could not read /x: no luck");
        assert!(std::error::Error::source(&error).is_none(), "who prints the chain would say it again");
    }

    #[test]
    fn a_directory_for_a_file_is_no_matter_of_room() {
        let remedy = |path: &str, kind: std::io::ErrorKind| {
            Error::io("replace", Path::new(path))(std::io::Error::from(kind)).remedy()
        };
        let state = "/x/.comm-node/leases/last.json";
        for kind in [std::io::ErrorKind::IsADirectory, std::io::ErrorKind::NotADirectory] {
            assert!(remedy(state, kind).contains("doctor --fix"), "{kind}");
            assert!(!remedy("/x/brief.md", kind).contains("doctor --fix"), "{kind}");
        }
        assert!(remedy(state, std::io::ErrorKind::StorageFull).contains("has room"));
    }

    #[test]
    fn what_is_not_valid_has_a_remedy_of_its_own() {
        let remedy = |what| Error::Invalid { what, why: String::new() }.remedy();
        assert!(remedy("the hook's input").contains("smaller parts"));
        assert_eq!(remedy("the tool's input"), remedy("the hook's input"));
        assert!(remedy("the path").contains("absolute path"));
        assert!(remedy("the session id").contains("new session"));
        assert!(remedy("the lease table").contains("newer comm-node"));
        assert!(remedy("comm-node's own state").contains("comm-node doctor"));
    }
}
