//! The end of a turn, as others see it.

use std::time::Duration;

use comm_node_core::Result;
use comm_node_core::activity::Activity;
use comm_node_core::deadline::Deadline;
use comm_node_core::session::Session;

use crate::scene::Scene;

/// The turn has ended: what the agent said that it was busy with it no longer is. A turn in which it said
/// nothing writes nothing.
///
/// # Errors
/// When the session's record can't be read or written.
pub(crate) fn ends(scene: &Scene, session: &Session, deadline: Deadline) -> Result<()> {
    scene.store.close_turn(&session.session_id);
    if session.activity != Some(Activity::Busy) {
        return Ok(());
    }
    let _lock = scene.store.lock("sessions", deadline.at_most(Duration::from_secs(1)))?;
    let Some(mut session) = scene.store.read_session(&session.session_id)? else { return Ok(()) };
    session.activity = None;
    scene.store.write_session(&session)
}
