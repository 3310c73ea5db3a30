//! What the scripted model says: turns, their blocks, and the tokens they claim to have used.
//!
//! Nothing here knows about sockets; [`crate::server`] asks a [`Script`] for the next [`Turn`]
//! and sends what [`Turn::events`] or [`Turn::message`] renders.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

/// A main-loop request carries the whole tool list; titles and other side requests carry none or one or two.
const MAIN_LOOP_TOOLS: usize = 4;

/// Token figures of one response, in the classes that the client writes into its transcript.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write_5m: u64,
    pub(crate) cache_write_1h: u64,
}

impl Usage {
    /// Uncached figures only; set the other fields with struct update syntax.
    pub(crate) const fn new(input: u64, output: u64) -> Self {
        Self { input, output, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0 }
    }

    fn to_json(self, output: u64) -> Value {
        json!({
            "input_tokens": self.input,
            "output_tokens": output,
            "cache_read_input_tokens": self.cache_read,
            "cache_creation_input_tokens": self.cache_write_5m + self.cache_write_1h,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.cache_write_5m,
                "ephemeral_1h_input_tokens": self.cache_write_1h,
            },
            "service_tier": "standard",
        })
    }
}

impl std::ops::Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input: self.input + other.input,
            output: self.output + other.output,
            cache_read: self.cache_read + other.cache_read,
            cache_write_5m: self.cache_write_5m + other.cache_write_5m,
            cache_write_1h: self.cache_write_1h + other.cache_write_1h,
        }
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| a + b)
    }
}

#[derive(Clone, Debug)]
enum Block {
    Text(String),
    ToolUse { name: String, input: Value },
}

/// One response of the model: content blocks in order, and its usage.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    blocks: Vec<Block>,
    pub(crate) usage: Usage,
    pub(crate) delay: Duration,
    /// Holds the connection open without an answer until the server is dropped.
    pub(crate) hang: bool,
}

impl Turn {
    fn of(block: Block) -> Self {
        Self { blocks: vec![block], usage: Usage::new(100, 10), delay: Duration::ZERO, hang: false }
    }

    /// A turn that says `text` and, with nothing else in it, ends the agent's work.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::of(Block::Text(text.into()))
    }

    /// A turn that calls one tool with `input` exactly as given.
    pub(crate) fn tool(name: &str, input: Value) -> Self {
        Self::of(Block::ToolUse { name: name.to_owned(), input })
    }

    /// A `Write` of `content` to `path`; the path is sent as it stands.
    pub(crate) fn write(path: impl AsRef<str>, content: &str) -> Self {
        Self::tool("Write", json!({"file_path": path.as_ref(), "content": content}))
    }

    /// An `Edit` of `path`. The client refuses it unless the file was read before.
    pub(crate) fn edit(path: impl AsRef<str>, old: &str, new: &str) -> Self {
        Self::tool("Edit", json!({"file_path": path.as_ref(), "old_string": old, "new_string": new}))
    }

    /// A `Read` of `path`.
    pub(crate) fn read(path: impl AsRef<str>) -> Self {
        Self::tool("Read", json!({"file_path": path.as_ref()}))
    }

    /// A `Bash` call in the foreground.
    pub(crate) fn bash(command: impl AsRef<str>) -> Self {
        Self::tool("Bash", json!({"command": command.as_ref(), "description": "scripted"}))
    }

    /// Starts a subagent in the foreground; `prompt` is what [`Script::agent`] matches on.
    pub(crate) fn agent(kind: &str, prompt: &str) -> Self {
        let input = json!({"subagent_type": kind, "description": "scripted", "prompt": prompt, "run_in_background": false});
        Self::tool("Agent", input)
    }

    /// The blocks of both turns in one response (a parallel batch, if both call tools).
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.blocks.extend(other.blocks);
        self
    }

    /// Reports these token figures instead of the default 100 in, 10 out.
    pub(crate) fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// Answers after `delay`.
    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Never answers: the state in which a session is when it is killed in the middle of a turn.
    pub(crate) fn hang() -> Self {
        let mut turn = Self::text("");
        turn.hang = true;
        turn.usage = Usage::default();
        turn
    }

    fn stop_reason(&self) -> &'static str {
        let calls = self.blocks.iter().any(|b| matches!(b, Block::ToolUse { .. }));
        if calls { "tool_use" } else { "end_turn" }
    }

    /// The response as one JSON message, for requests that don't stream. `serial` makes its ids unique.
    pub(crate) fn message(&self, serial: &str, model: &Value) -> Value {
        let content: Vec<Value> = self
            .blocks
            .iter()
            .enumerate()
            .map(|(i, block)| match block {
                Block::Text(text) => json!({"type": "text", "text": text}),
                Block::ToolUse { name, input } => {
                    json!({"type": "tool_use", "id": format!("toolu_{serial}_{i}"), "name": name, "input": input})
                }
            })
            .collect();
        json!({
            "id": format!("msg_{serial}"), "type": "message", "role": "assistant", "model": model,
            "content": content, "stop_reason": self.stop_reason(), "stop_sequence": null,
            "usage": self.usage.to_json(self.usage.output),
        })
    }

    /// The response as server-sent events.
    pub(crate) fn events(&self, serial: &str, model: &Value) -> String {
        let mut out = String::new();
        let mut event = |body: Value| {
            let kind = body["type"].as_str().unwrap_or_default();
            out.push_str(&format!("event: {kind}\ndata: {body}\n\n"));
        };
        // The first event carries a placeholder for the output, as the service's does; the last one is right.
        event(json!({"type": "message_start", "message": {
            "id": format!("msg_{serial}"), "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": self.usage.to_json(1),
        }}));
        for (index, block) in self.blocks.iter().enumerate() {
            let (start, delta) = match block {
                Block::Text(text) => {
                    (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": text}))
                }
                Block::ToolUse { name, input } => (
                    json!({"type": "tool_use", "id": format!("toolu_{serial}_{index}"), "name": name, "input": {}}),
                    json!({"type": "input_json_delta", "partial_json": input.to_string()}),
                ),
            };
            event(json!({"type": "content_block_start", "index": index, "content_block": start}));
            event(json!({"type": "content_block_delta", "index": index, "delta": delta}));
            event(json!({"type": "content_block_stop", "index": index}));
        }
        event(json!({
            "type": "message_delta",
            "delta": {"stop_reason": self.stop_reason(), "stop_sequence": null},
            "usage": self.usage.to_json(self.usage.output),
        }));
        event(json!({"type": "message_stop"}));
        out
    }
}

/// Who asked: decides which queue answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The main loop of the session.
    Main,
    /// A queue made by [`Script::agent`] or [`Script::on`], by its name.
    Queue(String),
    /// The summary that `/compact` (or a full context) asks for.
    Compact,
    /// Titles and whatever else the client asks on the side.
    Side,
}

type Matcher = Box<dyn Fn(&Value) -> bool + Send>;

struct Queue {
    name: String,
    matches: Matcher,
    turns: VecDeque<Turn>,
}

/// What the model will say, request by request.
#[derive(Default)]
pub(crate) struct Script {
    main: VecDeque<Turn>,
    queues: Vec<Queue>,
    summary: Option<Turn>,
}

impl Script {
    /// A script whose main loop takes `turns` in order, and says "Done." once they are used up.
    pub(crate) fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self { main: turns.into_iter().collect(), ..Self::default() }
    }

    /// Gives the subagent whose prompt contains `needle` its own turns.
    pub(crate) fn agent(self, needle: &str, turns: impl IntoIterator<Item = Turn>) -> Self {
        let wanted = needle.to_owned();
        self.on(needle, move |body| first_user_text(body).contains(&wanted), turns)
    }

    /// Gives requests that `matches` their own turns; earlier queues are asked first.
    pub(crate) fn on(
        mut self,
        name: &str,
        matches: impl Fn(&Value) -> bool + Send + 'static,
        turns: impl IntoIterator<Item = Turn>,
    ) -> Self {
        let turns = turns.into_iter().collect();
        self.queues.push(Queue { name: name.to_owned(), matches: Box::new(matches), turns });
        self
    }

    /// What a request for a compaction summary is answered with.
    pub(crate) fn summary(mut self, turn: Turn) -> Self {
        self.summary = Some(turn);
        self
    }

    /// Appends a turn to the main loop, while the client may already be running.
    pub(crate) fn push(&mut self, turn: Turn) {
        self.main.push_back(turn);
    }

    /// Main-loop turns nobody has asked for yet.
    pub(crate) fn left(&self) -> usize {
        self.main.len()
    }

    /// Takes the turn that answers `body`.
    pub(crate) fn answer(&mut self, body: &Value) -> (Asker, Turn) {
        let done = || Turn::text("Done.");
        if is_compaction(body) {
            let turn =
                self.summary.clone().unwrap_or_else(|| Turn::text("<summary>Scripted summary.</summary>"));
            return (Asker::Compact, turn);
        }
        if let Some(queue) = self.queues.iter_mut().find(|q| (q.matches)(body)) {
            return (Asker::Queue(queue.name.clone()), queue.turns.pop_front().unwrap_or_else(done));
        }
        if body["tools"].as_array().is_some_and(|t| t.len() >= MAIN_LOOP_TOOLS) {
            return (Asker::Main, self.main.pop_front().unwrap_or_else(done));
        }
        (Asker::Side, Turn::text("Scripted").usage(Usage::default()))
    }
}

/// Whether the client asks for a summary of the conversation instead of a next step.
fn is_compaction(body: &Value) -> bool {
    let last = body["messages"].as_array().and_then(|m| m.last()).map(message_text).unwrap_or_default();
    last.contains("Your task is to create a detailed summary of the conversation")
}

/// All text of a message, the texts of its tool results included.
pub(crate) fn message_text(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<String> = blocks.iter().map(block_text).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

fn block_text(block: &Value) -> String {
    match block["type"].as_str() {
        Some("text") => block["text"].as_str().unwrap_or_default().to_owned(),
        Some("tool_result") => message_text(block),
        _ => String::new(),
    }
}

/// The texts of the tool results that `body`'s last user message hands to the model.
pub(crate) fn tool_results(body: &Value) -> Vec<String> {
    let last = body["messages"].as_array().into_iter().flatten().rev().find(|m| m["role"] == "user");
    let blocks = last.and_then(|m| m["content"].as_array()).into_iter().flatten();
    blocks.filter(|b| b["type"] == "tool_result").map(block_text).collect()
}

fn first_user_text(body: &Value) -> String {
    let first = body["messages"].as_array().into_iter().flatten().find(|m| m["role"] == "user");
    first.map(message_text).unwrap_or_default()
}
