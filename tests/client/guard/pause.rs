//! A node that a person has paused.

use super::{Step, Who, play, shop};
use crate::driver::Client;
use crate::installed::person;
use crate::script::Turn;

const PAUSED: &[&str] = &[
    super::REFUSED,
    "a person paused the node shop since ",
    "(reason: release in progress)",
    "only a person can end the pause with `comm-node resume`",
];

const PERSON: &[&str] = &["`comm-node resume` is for a person"];

#[test]
fn a_pause_stops_every_edit_until_a_person_ends_it() {
    let node = shop("enforce", "").build();
    person(node.root(), &["pause", "--reason", "release in progress"]);
    let Some(client) = Client::guarded() else { return };
    let steps = [
        Step::write(&node, "services/api/a.txt").refused(PAUSED),
        Step::first(Turn::bash("comm-node resume")).refused(PERSON),
        Step::first(Turn::bash("env -i PATH=\"$PATH\" comm-node resume")).refused(PERSON),
        Step::first(Turn::bash(
            "cd / && env -u CLAUDE_CODE_SESSION_ID -u CLAUDECODE sh -c 'cd - >/dev/null; comm-node resume'",
        ))
        .refused(PERSON),
        Step::write(&node, ".comm-node/paused").refused(PAUSED),
        Step::write(&node, "services/api/b.txt").refused(PAUSED),
    ];
    let played = play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
    played.assert_guarded(&steps);
    assert!(node.path(".comm-node/paused").exists());
    let brief = "The node is paused (release in progress): every edit is refused";
    assert_eq!(played.client.server.count_in_body(0, brief), 1);

    // A person ends it, and the same edit goes through: also the control of the above.
    let said = person(node.root(), &["resume"]);
    assert!(said.contains("resumed"), "{said}");
    let Some(client) = Client::guarded() else { return };
    let steps = [Step::write(&node, "services/api/b.txt")];
    let played = play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
    played.assert_guarded(&steps);
    assert_eq!(played.client.server.count_in_body(0, "The node is paused"), 0);
}

/// A pause holds in a subagent and for a session that is bound to nothing, too.
#[test]
fn a_pause_holds_for_everyone() {
    for (paused, who) in [(true, Who::Main), (true, Who::Agent("general-purpose")), (false, Who::Main)] {
        let node = shop("enforce", "policy:\n  unbound: allow\n").build();
        if paused {
            person(node.root(), &["pause"]);
        }
        let Some(client) = Client::guarded() else { return };
        let step = Step::write(&node, "services/api/a.txt");
        let steps = [if paused { step.refused(&["a person paused the node shop"]) } else { step }];
        play(client, node.root(), who, &steps, |run| run).assert_guarded(&steps);
    }
}
