//! What more than one test program needs. Include it with `#[path = "../support/mod.rs"] mod support;`.

#![allow(dead_code, reason = "each test program uses its own part")]

pub(crate) mod node;
