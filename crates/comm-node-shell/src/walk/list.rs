//! Lists and pipelines: what `&&`, `||` and `|` mean for what comes behind them.

use std::rc::Rc;

use super::Walker;
use super::state::{Cwds, State, meet};
use crate::ast::{AndOr, Item, Kind, Part, Pipeline};

impl Walker<'_> {
    /// Walks pipelines that are joined by `&&` and `||`.
    pub(super) fn item(&mut self, item: &Item, state: &mut State) {
        let certain = self.certain;
        // Where the shell is if a `cd` has failed on the way.
        let mut elsewhere = None;
        // What holds if something has failed on the way and so the rest wasn't run.
        let divided =
            item.rest.iter().any(|(how, _)| *how == AndOr::Or) || !item.rest.is_empty() && asks(&item.first);
        let mut short = divided.then(|| self.copy(state));
        self.pipeline(&item.first, state);
        let mut last = &item.first;
        for (how, pipeline) in &item.rest {
            if self.work == 0 {
                break;
            }
            merge(&mut elsewhere, state.failed.take());
            self.spend(state.weight());
            let skips = asks(last);
            if let Some(short) = &mut short {
                // A `cd` that has failed has changed nothing.
                if *how == AndOr::And || last.negated || !is(last, &["cd", "pushd"]) {
                    short.join(state);
                }
            } else if skips {
                short = Some(self.copy(state));
            }
            match how {
                AndOr::And => {
                    self.certain &= !skips;
                    self.pipeline(pipeline, state);
                }
                AndOr::Or => {
                    // A `cd` to what is there doesn't fail.
                    let idle = std::ptr::eq(last, &raw const item.first)
                        && elsewhere.is_none()
                        && is(last, &["cd", "pushd"]);
                    let after = idle.then(|| self.copy(state));
                    self.otherwise(pipeline, state, short.as_ref(), elsewhere.take());
                    if let Some(after) = after {
                        *state = after;
                    }
                    // Whatever had failed has come this way.
                    short = None;
                }
            }
            last = pipeline;
        }
        self.certain = certain;
        // `set -e` ends the shell where the last one fails.
        let failed = state.failed.take().filter(|_| !state.errexit);
        merge(&mut elsewhere, failed);
        if let Some(elsewhere) = elsewhere {
            meet(&mut state.cwds, &elsewhere);
        }
        // `[ -d x ] && cd x`: here not running the rest is no fault.
        if let Some(short) = short {
            let left = state.left;
            state.join(&short);
            state.left = left.min(short.left);
        }
    }

    /// Walks what stands behind `||`: `short` is what may hold before it.
    fn otherwise(
        &mut self,
        pipeline: &Pipeline,
        state: &mut State,
        short: Option<&State>,
        elsewhere: Option<Cwds>,
    ) {
        let mut other = self.copy(short.unwrap_or(state));
        if let Some(elsewhere) = elsewhere {
            meet(&mut other.cwds, &elsewhere);
        }
        // What has printed something has not failed, so nothing is added here.
        let printed = self.out.take().filter(|text| !text.is_empty());
        let certain = std::mem::replace(&mut self.certain, false);
        self.pipeline(pipeline, &mut other);
        self.certain = certain;
        self.out = printed;
        if other.left <= state.left {
            state.join(&other);
            merge(&mut state.failed, other.failed);
        }
    }

    /// Walks commands that are joined by `|`.
    fn pipeline(&mut self, pipeline: &Pipeline, state: &mut State) {
        let [commands @ .., last] = pipeline.commands.as_slice() else { return };
        if commands.is_empty() {
            return self.command(last, state);
        }
        let stdin = self.stdin.clone();
        for command in commands {
            if self.work == 0 {
                break;
            }
            let out = self.out.replace(String::new());
            let mut own = self.fork(state);
            self.command(command, &mut own);
            self.finish(own);
            self.stdin = std::mem::replace(&mut self.out, out).map(Rc::from);
        }
        // Other shells run the last one themselves, so that what it changes may last.
        let mut own = self.fork(state);
        self.command(last, &mut own);
        let ended = self.copy(&own);
        self.finish(ended);
        own.left = state.left;
        merge(&mut state.failed, own.failed.take());
        state.join(&own);
        self.stdin = stdin;
    }
}

/// Adds directories to those where a failed `cd` leaves the shell.
fn merge(mine: &mut Option<Cwds>, others: Option<Cwds>) {
    match (mine.as_mut(), others) {
        (Some(mine), Some(others)) => {
            meet(mine, &others);
        }
        (None, others) => *mine = others,
        (Some(_), None) => {}
    }
}

/// True for what is run to see whether it fails, as `[ -d x ]` is.
fn asks(pipeline: &Pipeline) -> bool {
    if pipeline.negated {
        return true;
    }
    match pipeline.commands.last().map(|command| &command.kind) {
        Some(Kind::Test(_) | Kind::Arith(_)) => true,
        _ => is(pipeline, &["[", "test", "grep", "command", "which", "type", "false", "diff"]),
    }
}

/// True if the last command runs one of these programs.
fn is(pipeline: &Pipeline, names: &[&str]) -> bool {
    match pipeline.commands.last().map(|command| &command.kind) {
        Some(Kind::Simple { words, .. }) => match words.first().map(|word| word.parts.as_slice()) {
            Some([Part::Plain(name)]) => names.contains(&name.as_str()),
            _ => false,
        },
        _ => false,
    }
}
