//! Budgets: what may be spent, how much of it is, and what follows. Values only; `store` keeps them.
//!
//! - [`Budget`] is what `comm-node.yaml` limits, [`Grants`] what was added to it.
//! - [`lines`] and [`assess`] say how much of it is spent, [`Standing`] is the little of that which the
//!   guard reads.
//! - [`efficiency`] says how well a domain uses what it has, [`judge`] whether its request is granted.
//! - [`words`] is what agents and people read.

pub mod efficiency;
mod grant;
mod limit;
mod standing;
pub mod words;

pub use grant::{By, ENOUGH, Grant, Grants, Verdict, adds, judge};
pub use limit::{Budget, COMPLEXITY, Limit, OnExhausted, Span, Unit, coordination_of, grouped};
pub use standing::{
    Band, Figures, Gauge, Line, Mark, Marks, Spent, Standing, Whose, assess, bar, gauge, lines, percent,
};
