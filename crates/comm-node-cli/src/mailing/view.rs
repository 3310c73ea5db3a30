//! How a message is shown.

use comm_node_core::clock;
use comm_node_core::mail::{EVERYONE, Message};
use comm_node_core::session::SessionId;
use comm_node_core::store::{Item, State};
use comm_node_core::text::one_line;
use serde_json::{Value, json};

use crate::out::Out;

/// Says that `message` was sent.
pub(crate) fn confirm(out: &Out, json: bool, message: &Message) {
    let to: Vec<&str> = message.said.to.iter().map(String::as_str).filter(|to| *to != EVERYONE).collect();
    if json {
        out.json(&view(message));
        return;
    }
    out.line(format!(
        "sent {} to {} ({} tokens each); `comm-node sent` shows how far it got",
        message.id.short(),
        to.join(", "),
        message.cost()
    ));
}

/// A message as JSON.
pub(crate) fn view(message: &Message) -> Value {
    let said = &message.said;
    json!({
        "id": message.id,
        "short": message.id.short(),
        "from": message.from,
        "to": said.to,
        "type": said.kind,
        "task": said.task,
        "priority": said.priority,
        "thread": message.thread(),
        "reply_to": said.reply_to,
        "blocks_progress": said.blocks_progress,
        "token_budget": said.token_budget,
        "artifacts": said.artifacts,
        "expires": message.expires_ms().map(clock::rfc3339),
        "tier": message.tier(),
        "tokens": message.cost(),
        "sent": clock::rfc3339(message.id.ms()),
        "body": said.body,
    })
}

/// The same with how far it got in one mailbox.
pub(crate) fn view_in(message: &Message, item: &Item, now_ms: u64) -> Value {
    let mut value = view(message);
    value["state"] = state(message, &item.state, now_ms).into();
    value["session"] = item.state.session().map(SessionId::as_str).into();
    value
}

/// The state as people see it: what waits although its time is over is expired.
pub(crate) fn state(message: &Message, state: &State, now_ms: u64) -> &'static str {
    match state {
        State::Queued | State::Again | State::Offering(_) | State::Offered(_)
            if message.is_expired(now_ms) =>
        {
            "expired"
        }
        other => other.name(),
    }
}

/// The first line of a body, for a table.
pub(crate) fn first_line(message: &Message) -> String {
    one_line(message.said.body.lines().next().unwrap_or_default(), 60).into_owned()
}

/// How long ago a message was sent.
pub(crate) fn age(message: &Message, now_ms: u64) -> String {
    clock::span(now_ms.saturating_sub(message.id.ms()))
}
