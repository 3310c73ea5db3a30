//! Redirections: what they write, and what they put on the standard input.

use std::rc::Rc;

use super::Walker;
use super::state::State;
use crate::ast::{Part, Redirect, RedirectOp};
use crate::table::{Argument, Shape};
use crate::{Certainty, Why};

impl Walker<'_> {
    /// Walks the redirections of a command; true if they lead its standard output away.
    pub(super) fn redirects(&mut self, redirects: &[Redirect], state: &mut State) -> bool {
        let mut captured = false;
        let span = self.span;
        for redirect in redirects {
            self.span = redirect.span;
            let fd = redirect.fd.as_deref();
            match redirect.op {
                RedirectOp::HereDoc | RedirectOp::HereString => {
                    let (text, draft) = self.here(&redirect.target, state);
                    if matches!(fd, None | Some("0")) {
                        self.stdin = match text {
                            Argument::Known(text) => Some(Rc::from(text)),
                            Argument::Unknown { .. } => None,
                        };
                        self.draft = draft;
                    }
                }
                RedirectOp::Read | RedirectOp::DupIn => {
                    self.arguments(std::slice::from_ref(&redirect.target), state);
                    if matches!(fd, None | Some("0")) {
                        self.stdin = None;
                    }
                }
                op => {
                    let targets = self.arguments(std::slice::from_ref(&redirect.target), state);
                    captured |= matches!(fd, None | Some("1")) && op != RedirectOp::ReadWrite;
                    for target in &targets {
                        if op == RedirectOp::DupOut && duplicates(target, fd) {
                            continue;
                        }
                        self.write(target, Shape::File, Certainty::Certain, state);
                    }
                    // bash refuses several; dash and zsh take a value as it is.
                    if targets.len() > 1
                        && redirect
                            .target
                            .parts
                            .iter()
                            .any(|part| matches!(part, Part::Parameter(p) if p.name != "@"))
                    {
                        let whole = self.document(&redirect.target, state);
                        self.write(&whole, Shape::File, Certainty::Possible, state);
                    }
                    if targets.is_empty() {
                        self.unknown(Why::Path);
                    }
                }
            }
        }
        self.span = span;
        captured
    }
}

/// True if what stands behind `>&` is another file descriptor.
fn duplicates(target: &Argument, fd: Option<&str>) -> bool {
    match target {
        Argument::Known(text) => {
            text == "-" || text.trim_end_matches('-').bytes().all(|b| b.is_ascii_digit())
        }
        Argument::Unknown { .. } => fd.is_some(),
    }
}
