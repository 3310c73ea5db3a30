//! The end of a turn, seen by those who watch for it.

use serde_json::json;

use super::field::{Field, STOP};
use super::{skipped, strace};

/// A monitor that sees the turn ended announces what waits. So what the turn was told has been seen before, wherever
/// the hook is cut short.
#[test]
fn a_turn_that_has_ended_leaves_nothing_that_it_was_told() {
    if !strace::works() {
        return skipped("strace can't trace here, so no end of a turn was cut short");
    }
    let told = || {
        let field = Field::new();
        field.send("are the fields named?", &[]);
        assert!(field.prompt("b").said().context().contains("are the fields named?"));
        assert_eq!(state(&field), (true, 1));
        field
    };
    let stop = |field: &Field| {
        field.hook(STOP, "b", "Stop", &json!({"stop_hook_active": false, "background_tasks": []}))
    };
    let field = told();
    let log = tempfile::NamedTempFile::new().expect("temp file");
    let (points, _) = strace::points(&stop(&field), log.path());
    assert_eq!(state(&field), (false, 0));
    let mut between = 0;
    for point in points.iter().filter(|point| point.changes()) {
        let field = told();
        strace::kill_at(&stop(&field), point);
        let (open, waiting) = state(&field);
        assert!(open || waiting == 0, "{}", point.line);
        between += usize::from(open && waiting == 0);
    }
    assert!(between > 0, "it was never cut short between the two");
}

/// Whether a turn is open, and how many messages wait.
fn state(field: &Field) -> (bool, usize) {
    let waiting = field.store().mail().waiting("backend").expect("lists").len();
    (field.state().join("sessions/b.turn").exists(), waiting)
}
