//! Budgets: what may be spent, how much of it is, and what follows. Values only; `store` keeps them.

mod limit;

pub use limit::{Budget, COMPLEXITY, Limit, OnExhausted, Span, Unit, coordination_of, grouped};
