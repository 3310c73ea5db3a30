//! What the node's policies make of sessions without a domain and of paths without an owner, and what `warn` means.

use super::{Played, Step, Who, play, shop};
use crate::driver::Client;
use crate::support::node::Node;

/// The events of the log about edits, as `event rule path`.
fn told(node: &Node) -> Vec<String> {
    let events = node.events().into_iter().filter(|e| e["tool"].is_string() && e["event"] != "wrote");
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
    events.map(|e| format!("{} {} {}", text(&e["event"]), text(&e["rule"]), text(&e["path"]))).collect()
}

/// How often the model was told `needle`, by the last request of the run.
fn said(played: &Played, needle: &str) -> usize {
    played.requests().last().expect("there were requests").count(needle)
}

/// A session bound to nothing takes `steps` in a node with `policy.unbound: <unbound>`.
fn unbound(mode: &str, unbound: &str, refused: Option<&[&'static str]>) -> Option<(Node, Played)> {
    let node = shop(mode, &format!("policy:\n  unbound: {unbound}\n")).build();
    let client = Client::guarded()?;
    let steps: Vec<Step> = ["services/api/a.txt", "apps/web/b.txt", "NOTES.md"]
        .map(|path| match refused {
            Some(pieces) => Step::write(&node, path).refused(pieces),
            None => Step::write(&node, path),
        })
        .to_vec();
    let played = play(client, node.root(), Who::Main, &steps, |run| run);
    played.assert_guarded(&steps);
    Some((node, played))
}

const NOTE: &str = "through because this session is bound to no domain";

#[test]
fn unbound_deny_refuses_all() {
    let refused: &[&str] =
        &[super::REFUSED, "this session is bound to no domain", "`comm-node join <domain>`"];
    let Some((node, played)) = unbound("enforce", "deny", Some(refused)) else { return };
    assert_eq!(
        told(&node),
        ["denied unbound services/api/a.txt", "denied unbound apps/web/b.txt", "denied unbound NOTES.md"]
    );
    assert_eq!(said(&played, "bound to no domain of node shop. Its edits in the node are refused"), 1);
    assert!(played.result(0).contains("belongs to domain backend"), "{}", played.result(0));
    // Control: it is the guard that refused.
    let Some((node, _)) = unbound("off", "deny", None) else { return };
    assert!(told(&node).is_empty());
}

#[test]
fn unbound_warn_tells_the_model_once_and_logs_each() {
    let Some((node, played)) = unbound("enforce", "warn", None) else { return };
    assert_eq!(
        told(&node),
        ["warned unbound services/api/a.txt", "warned unbound apps/web/b.txt", "warned unbound NOTES.md"]
    );
    assert_eq!(said(&played, NOTE), 1);
    assert_eq!(said(&played, "PreToolUse:Write hook additional context: comm-node let the write to"), 1);
    assert_eq!(said(&played, "Its edits are let through and logged"), 1);
}

#[test]
fn unbound_allow_says_nothing() {
    let Some((node, played)) = unbound("enforce", "allow", None) else { return };
    assert!(told(&node).is_empty(), "{:?}", told(&node));
    assert_eq!(said(&played, NOTE), 0);
}

/// A session of backend writes what nobody owns, and something outside of the node, under `policy`.
fn policy(policy: &str, path: impl Fn(&Node) -> String, refused: Option<&[&'static str]>) -> Option<Played> {
    let node = shop("enforce", &format!("policy:\n  {policy}\n")).build();
    let client = Client::guarded()?;
    let path = path(&node);
    let step = Step::write_as(&path, path.clone().into());
    let steps = [match refused {
        Some(pieces) => step.refused(pieces),
        None => step,
    }];
    let played = play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
    played.assert_guarded(&steps);
    let expected = match refused {
        None => Vec::new(),
        Some(_) if policy.ends_with("ask") => vec!["asked"],
        Some(_) => vec!["denied"],
    };
    let events: Vec<String> =
        told(&node).iter().filter_map(|t| Some(t.split(' ').next()?.to_owned())).collect();
    assert_eq!(events, expected, "{policy}");
    Some(played)
}

/// One policy each way is the control of the other.
#[test]
fn unowned_paths_are_refused_asked_about_or_let_through() {
    let notes = |node: &Node| node.text("NOTES.md");
    let why: &[&str] = &["no domain owns it (policy.unowned)", "which may write `services/api/**`"];
    policy("unowned: deny", notes, Some(why));
    // Headless there is nobody to ask.
    policy("unowned: ask", notes, Some(why));
    policy("unowned: allow", notes, None);
}

#[test]
fn outside_paths_are_refused_or_let_through() {
    let dir = tempfile::tempdir().expect("could not make a directory");
    let outside = |_: &Node| dir.path().join("x.txt").to_str().expect("UTF-8").to_owned();
    policy("outside: deny", outside, Some(&["it is outside the node (policy.outside)"]));
    policy("outside: allow", outside, None);
}

/// In warn mode nothing is stopped, every breach is told to the model and logged.
#[test]
fn warn_mode_notes_what_enforce_mode_refuses() {
    let node = shop("warn", "policy:\n  protected: [\".env*\"]\n").build();
    let Some(client) = Client::guarded() else { return };
    let paths = ["services/api/a.txt", "apps/web/b.txt", "NOTES.md", "services/api/.env"];
    let steps = paths.map(|path| Step::write(&node, path));
    let played = play(client, node.root(), Who::Main, &steps, |run| run.env("COMM_NODE_DOMAIN", "backend"));
    played.assert_guarded(&steps);
    assert_eq!(
        told(&node),
        ["warned scope apps/web/b.txt", "warned unowned NOTES.md", "warned protected services/api/.env"]
    );
    for path in &paths[1..] {
        let note = format!("comm-node let the write to `{path}` through because the guard is in warn mode");
        assert_eq!(said(&played, &note), 1, "{path}");
    }
    assert_eq!(said(&played, "comm-node let the write"), 3);
}
