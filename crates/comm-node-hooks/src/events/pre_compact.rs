//! PreCompact: the context is about to be compacted.

use crate::Hook;

/// The hook program.
pub const HOOK: Hook = Hook { program: "comm-node-pre-compact", gate: false, run: super::heartbeat };
