//! What each client of the soak does, chosen by a seed: edits of files that others want too, edits where it may not, messages.
//!
//! Whatever a call leaves behind bears a mark that no other call has, so that its trace can be looked for afterwards.

use serde_json::json;

use crate::random::Random;
use crate::script::{Turn, Usage};
use crate::support::node::Node;

/// Files of each domain that its sessions change again and again.
const FILES: usize = 2;
/// The last line of each of these; edits put theirs before it.
const END: &str = "end of file\n";

/// A client of the soak.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// Its place among the clients.
    pub(crate) number: usize,
    pub(crate) domain: &'static str,
}

/// What a tool call is for, and where its trace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Leaves its mark in a file; `own` where its domain may.
    Mark { path: String, own: bool },
    /// Sends a message whose text begins with the mark; `open` if it wants an answer.
    Send { open: bool },
    /// Answers the first message in the inbox that was seen, if there is one.
    Reply,
    /// Leaves a message in the drop box.
    Draft,
    /// Gives back all that the session holds.
    Unlock,
    /// Changes nothing.
    Look,
}

/// One tool call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) mark: String,
    pub(crate) aim: Aim,
}

/// One response of the model: its turn, and what each of its calls is for.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) turn: Turn,
    pub(crate) calls: Vec<Call>,
}

/// The `i`-th contested file of `domain`.
pub(crate) fn file(domain: &str, i: usize) -> String {
    format!("{domain}/f{i}.txt")
}

/// A node in which the sessions of `who` work, each domain's guard in `mode`.
pub(crate) fn node(who: &[Who], mode: &str) -> Node {
    let mut domains: Vec<&str> = who.iter().map(|w| w.domain).collect();
    domains.sort_unstable();
    domains.dedup();
    let mut yaml = "version: 1\nname: soak\ndomains:\n".to_owned();
    for d in &domains {
        yaml += &format!("  {d}: {{scope: [\"{d}/**\"], max_sessions: 2, mode: {mode}}}\n");
    }
    let files = domains.iter().flat_map(|d| (0..FILES).map(|i| file(d, i)));
    files.fold(Node::builder().yaml(&yaml), |node, path| node.file(&path, END)).build()
}

/// Reads a file, holds what it read for `seconds`, and writes it back with a line more: two at once lose one.
pub(crate) fn read_then_write(path: &str, mark: &str, seconds: f32) -> String {
    format!("t=$(cat {path}) && sleep {seconds} && printf '%s\\n%s\\n' \"$t\" {mark} > {path}")
}

/// Chooses what one client does.
pub(crate) struct Planner<'n> {
    random: Random,
    node: &'n Node,
    who: Who,
    /// The other domains; at least one.
    others: Vec<&'static str>,
    steps: Vec<Step>,
    /// Calls so far; gives each its mark.
    calls: usize,
}

impl<'n> Planner<'n> {
    /// A plan of at least `calls` tool calls for `who` among `all`.
    pub(crate) fn plan(seed: u64, node: &'n Node, who: &Who, all: &[Who], calls: usize) -> Vec<Step> {
        let mut others: Vec<&str> = all.iter().map(|w| w.domain).filter(|d| *d != who.domain).collect();
        others.sort_unstable();
        others.dedup();
        let random = Random::case(seed, who.number as u64);
        let mut planner = Self { random, node, who: who.clone(), others, steps: Vec::new(), calls: 0 };
        while planner.calls < calls {
            planner.choose();
        }
        planner.steps
    }

    fn choose(&mut self) {
        match self.random.below(12) {
            0..=2 => self.edit(),
            3 | 4 => {
                let i = self.random.below(FILES);
                let call = self.shell(file(self.who.domain, i), true);
                self.step([call]);
            }
            5 | 6 => self.several(),
            7 => {
                let call = self.foreign();
                self.step([call]);
            }
            8 | 9 => {
                let call = self.send();
                self.step([call]);
            }
            10 => {
                let call = self.reply();
                self.step([call]);
            }
            _ => {
                let call = self.draft();
                self.step([call]);
            }
        }
        if self.random.below(3) > 0 {
            let turn = Turn::bash("comm-node unlock --all");
            let call = self.call(Aim::Unlock);
            self.step([(turn, call)]);
        }
    }

    /// Puts one response of the model together.
    fn step(&mut self, calls: impl IntoIterator<Item = (Turn, Call)>) {
        let (turns, calls): (Vec<Turn>, Vec<Call>) = calls.into_iter().unzip();
        let Some(turn) = turns.into_iter().reduce(Turn::and) else { return };
        let n = self.steps.len() as u64;
        // Small enough that the client does not think its context full, and no two steps alike.
        let usage = Usage {
            input: 1 + n,
            output: 20 + n * 3,
            cache_read: 100 + n * 5,
            cache_write_5m: n % 3,
            cache_write_1h: n % 2,
        };
        self.steps.push(Step { turn: turn.usage(usage), calls });
    }

    fn call(&mut self, aim: Aim) -> Call {
        self.calls += 1;
        let kind = if matches!(aim, Aim::Send { .. } | Aim::Reply | Aim::Draft) { "msg" } else { "mark" };
        Call { mark: format!("{kind}-{}-{}.", self.who.number, self.calls), aim }
    }

    fn edit(&mut self) {
        let i = self.random.below(FILES);
        let path = file(self.who.domain, i);
        let look = (Turn::read(self.node.text(&path)), self.call(Aim::Look));
        self.step([look]);
        let call = self.call(Aim::Mark { path: path.clone(), own: true });
        let turn = Turn::edit(self.node.text(&path), END, &format!("{}\n{END}", call.mark));
        let mut calls = vec![(turn, call)];
        if self.random.one_in(3) {
            calls.push(self.foreign());
        }
        self.step(calls);
    }

    fn shell(&mut self, path: String, own: bool) -> (Turn, Call) {
        let call = self.call(Aim::Mark { path: path.clone(), own });
        let mark = &call.mark;
        let command = match self.random.below(3) {
            0 => read_then_write(&path, mark, 0.05),
            1 => format!("echo {mark} >> {path}"),
            _ => format!("sed -i '$a {mark}' {path}"),
        };
        (Turn::bash(command), call)
    }

    /// A new file that nobody else wants.
    fn fresh(&mut self, domain: &str, own: bool) -> (Turn, Call) {
        let path = format!("{domain}/new/{}-{}.txt", self.who.number, self.calls);
        let call = self.call(Aim::Mark { path: path.clone(), own });
        (Turn::write(self.node.text(&path), &format!("{}\n", call.mark)), call)
    }

    /// What is another domain's to do.
    fn foreign(&mut self) -> (Turn, Call) {
        let domain = self.others[self.random.below(self.others.len())];
        if self.random.one_in(2) {
            return self.fresh(domain, false);
        }
        let i = self.random.below(FILES);
        self.shell(file(domain, i), false)
    }

    /// Calls in parallel, each on a path of its own.
    fn several(&mut self) {
        let first = self.random.below(FILES);
        let domain = self.who.domain;
        let calls = [
            self.shell(file(domain, first), true),
            self.fresh(domain, true),
            self.shell(file(domain, (first + 1) % FILES), true),
            self.foreign(),
        ];
        self.step(calls);
    }

    fn send(&mut self) -> (Turn, Call) {
        let to = self.others[self.random.below(self.others.len())];
        let how = self.random.pick(&["--type question", "--type answer --priority high", "--type answer"]);
        let call = self.call(Aim::Send { open: how.contains("question") });
        (Turn::bash(format!("comm-node send {to} '{} all is well' {how}", call.mark)), call)
    }

    fn reply(&mut self) -> (Turn, Call) {
        let call = self.call(Aim::Reply);
        // One that was seen: an answer closes what it answers, also what nobody was told yet.
        let seen = r#"awk -F'"' '/"id":/ {id=$4} /"state": "seen"/ {print id; exit}'"#;
        let command = format!(
            "id=$(comm-node inbox --json | {seen}); \
             [ -n \"$id\" ] && comm-node reply \"$id\" '{} so it is' || echo nobody wrote",
            call.mark
        );
        (Turn::bash(command), call)
    }

    fn draft(&mut self) -> (Turn, Call) {
        let to = self.others[self.random.below(self.others.len())];
        let call = self.call(Aim::Draft);
        let path = format!(".comm-node/outbox/{}-{}.md", self.who.number, self.calls);
        let text = format!(
            "---\nfrom: {}\nto: {to}\ntype: answer\n---\n\n{} as agreed\n",
            self.who.domain, call.mark
        );
        (Turn::tool("Write", json!({"file_path": self.node.text(&path), "content": text})), call)
    }
}
