//! Runs the clients of the soak at once, kills them and has them go on, and gathers what was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::check::{Outcome, Seen, Sent, Span, Told, Trace};
use super::plan::{Aim, Step, Who};
use crate::driver::{Client, Running, kill};
use crate::installed::{all, comm_node};
use crate::random::Random;
use crate::script::{Asker, Script, Turn, Usage};
use crate::support::node::Node;

/// How often idle sessions are asked to go on at the end, until no mail waits.
const ROUNDS: usize = 30;

/// One client with its plan, and what happened to it.
pub(crate) struct Worker {
    pub(crate) client: Client,
    pub(crate) who: Who,
    pub(crate) steps: Vec<Step>,
    /// The requests after which it is killed.
    pub(crate) kills: Vec<usize>,
    falls: Vec<Fall>,
    lives: Vec<Life>,
}

/// One run of the client.
struct Life {
    start: Instant,
    end: Instant,
    /// How many requests of the main loop came before it.
    from: usize,
}

/// A kill.
struct Fall {
    at: Instant,
    /// How many requests of the main loop there were.
    requests: usize,
    /// The body of the last of them.
    body: Value,
}

impl Worker {
    /// A worker that is killed `kills` times, at random.
    pub(crate) fn new(client: Client, who: Who, steps: Vec<Step>, kills: usize, random: &mut Random) -> Self {
        client.server.script(Script::new(steps.iter().map(|step| step.turn.clone())));
        client.server.keep(|body| json!({"told": told(body)}));
        let mut kills: Vec<usize> = (0..kills).map(|_| 3 + random.below(steps.len().max(6) - 5)).collect();
        kills.sort_unstable();
        kills.dedup();
        Self { client, who, steps, kills, falls: Vec::new(), lives: Vec::new() }
    }

    fn session(&self) -> String {
        format!("5{:07}-1111-4111-8111-111111111111", self.who.number)
    }

    fn start(&mut self, node: &Node) -> Running {
        self.begin();
        let run = self.client.headless(node.root(), "go");
        run.args(["--session-id", &self.session()]).env("COMM_NODE_DOMAIN", self.who.domain).spawn()
    }

    fn resume(&mut self, node: &Node, prompt: &str) -> Running {
        self.begin();
        let run = self.client.headless(node.root(), prompt);
        run.resume(&self.session()).env("COMM_NODE_DOMAIN", self.who.domain).spawn()
    }

    fn begin(&mut self) {
        let (start, from) = (Instant::now(), self.client.server.requests_main().len());
        self.lives.push(Life { start, end: start, from });
    }

    /// Waits for the end of the running client; `as_of` when it was no more certain to live.
    fn end(
        &mut self,
        running: Running,
        as_of: Option<Instant>,
        patience: Duration,
    ) -> crate::driver::Outcome {
        let outcome = running.finish(patience);
        let life = self.lives.last_mut().expect("it was started");
        life.end = as_of.unwrap_or_else(Instant::now);
        outcome
    }

    /// Runs the plan to its end, through all kills.
    fn work(&mut self, node: &Node, seed: u64, patience: Duration) {
        let mut random = Random::case(seed ^ 0x51, self.who.number as u64);
        let mut pause = |most: usize| {
            std::thread::sleep(Duration::from_millis(u64::try_from(random.below(most)).unwrap_or(0)));
        };
        let mut running = self.start(node);
        for after in self.kills.clone() {
            self.client.server.wait_for(&format!("{after} requests"), patience, |requests| {
                requests.iter().filter(|r| r.asker == Asker::Main).count() >= after
            });
            pause(400);
            let at = Instant::now();
            fell(&running);
            self.end(running, Some(at), patience);
            let last = self.client.server.last_main().expect("there were requests");
            let requests = self.client.server.requests_main().len();
            self.falls.push(Fall { at, requests, body: last.body });
            pause(1_000);
            running = self.resume(node, "go on");
        }
        self.end(running, None, patience).assert_success();
        assert_eq!(self.client.server.turns_left(), 0, "client {} ended early", self.who.number);
    }

    /// Whether the `k`-th request of the main loop was the last one before a kill.
    fn fell_in(&self, k: usize) -> bool {
        self.falls.iter().any(|fall| fall.requests == k + 1)
    }
}

/// Kills a client and whatever it started, in one instant.
///
/// What it started would go on: a shell command of a dead client still writes, although its lease is gone.
fn fell(running: &Running) {
    running.signal("STOP");
    let family = descendants(running.pid());
    running.signal("KILL");
    for pid in family {
        kill("KILL", &pid.to_string());
    }
}

fn descendants(of: u32) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let names = fs::read_dir("/proc").expect("lists").flatten();
    let pids = names.filter_map(|e| e.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let (mut family, mut next) = (Vec::new(), vec![of]);
    while let Some(pid) = next.pop() {
        let children = parents.iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| *child);
        let from = family.len();
        family.extend(children);
        next.extend_from_slice(&family[from..]);
    }
    family
}

/// Runs all at once, and then goes on with each until no mail waits.
pub(crate) fn run(node: &Node, workers: &mut [Worker], seed: u64, patience: Duration) {
    std::thread::scope(|scope| {
        for worker in workers.iter_mut() {
            scope.spawn(move || worker.work(node, seed, patience));
        }
    });
    for _ in 0..ROUNDS {
        let waiting: BTreeSet<&'static str> =
            workers.iter().map(|w| w.who.domain).filter(|domain| waits(node, domain)).collect();
        if waiting.is_empty() {
            return;
        }
        for domain in waiting {
            let worker = workers.iter_mut().find(|w| w.who.domain == domain).expect("it has a session");
            let running = worker.resume(node, "what is new?");
            worker.end(running, None, patience).assert_success();
        }
    }
}

/// Whether a message waits for `domain` that no session went on with.
fn waits(node: &Node, domain: &str) -> bool {
    let inbox = listed(node, &["inbox", "--domain", domain, "--json"]);
    inbox.iter().any(|m| ["queued", "offered", "offering"].contains(&m["state"].as_str().unwrap_or_default()))
}

fn listed(node: &Node, args: &[&str]) -> Vec<Value> {
    let said = comm_node(node.root(), &node.path(".claude"), node.root(), args);
    serde_json::from_slice(&said.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", all(&said)))
}

/// The marks of what `domain` sent.
fn sent(node: &Node, domain: &str) -> Vec<String> {
    let sent = listed(node, &["sent", "--domain", domain, "--json", "--limit", "1000000"]);
    let mark = |m: &Value| m["body"].as_str().and_then(|b| b.split(' ').next()).map(str::to_owned);
    sent.iter().map(|m| mark(m).unwrap_or_default()).collect()
}

/// Everything that the checks judge.
pub(crate) fn seen(node: &Node, workers: &[Worker]) -> Seen {
    let mut seen = Seen::default();
    for worker in workers {
        gather(worker, &mut seen);
        let domain = worker.who.domain.to_owned();
        seen.listed.entry(domain).or_insert_with_key(|domain| sent(node, domain));
    }
    let mut open = vec![node.root().to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("lists").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(node.root()).expect("it is below").display().to_string();
            if path.is_dir() {
                if ![".git", ".comm-node"].contains(&name.as_str()) {
                    open.push(path);
                }
            } else if !is_temporary(&name) {
                seen.files
                    .insert(name, String::from_utf8_lossy(&fs::read(&path).expect("reads")).into_owned());
            }
        }
    }
    seen
}

/// What the client renames to a file once it is whole, `<file>.tmp.<process>.<digits>`: one that is killed leaves it.
fn is_temporary(name: &str) -> bool {
    name.rsplit_once(".tmp.").and_then(|(_, rest)| rest.split_once('.')).is_some_and(|(process, digits)| {
        process.bytes().all(|b| b.is_ascii_digit()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// What one client did, was told and was served.
fn gather(worker: &Worker, seen: &mut Seen) {
    let requests = worker.client.server.requests();
    let main: Vec<_> = requests.iter().filter(|r| r.asker == Asker::Main).collect();
    let last = main.last().expect("there were requests");
    let bodies: Vec<&Value> = worker.falls.iter().map(|f| &f.body).chain([&last.body]).collect();
    let mut results = BTreeMap::new();
    // The first is what the client said; one that was killed before it wrote that down says after it was resumed that it
    // does not know.
    for (id, result) in bodies.iter().flat_map(|body| tool_results(body)) {
        results.entry(id).or_insert(result);
    }
    let client = worker.who.number;
    let begin = main[0].at;
    let mut held: BTreeMap<&str, Instant> = BTreeMap::new();
    for (k, step) in worker.steps.iter().enumerate() {
        let Some(request) = main.get(k) else { break };
        // A kill, or the end, ends every lease.
        let fall = worker.falls.iter().find(|f| f.requests == k).map(|f| f.at);
        let unlocks = step.calls.iter().any(|c| c.aim == Aim::Unlock).then_some(request.at);
        if let Some(to) = fall.or(unlocks) {
            let spans = std::mem::take(&mut held).into_iter();
            seen.spans.extend(spans.map(|(path, from)| Span { client, path: path.to_owned(), from, to }));
        }
        for (i, call) in step.calls.iter().enumerate() {
            let in_flight = worker.fell_in(k);
            let outcome =
                outcome(results.get(&format!("toolu_{}_{i}", request.serial)), in_flight, &call.aim);
            let mark = call.mark.clone();
            match &call.aim {
                Aim::Mark { path, own } => {
                    if let (Outcome::Done, Some(next), false) = (&outcome, main.get(k + 1), in_flight) {
                        held.entry(path).or_insert(next.at);
                    }
                    seen.traces.push(Trace { mark, path: path.clone(), own: *own, outcome });
                }
                Aim::Send { .. } | Aim::Reply | Aim::Draft => {
                    let open = call.aim == Aim::Send { open: true };
                    seen.sent.push(Sent { mark, from: worker.who.domain.to_owned(), open, outcome });
                }
                Aim::Unlock | Aim::Look => {}
            }
            seen.calls += 1;
        }
    }
    let to = last.at;
    seen.spans.extend(held.into_iter().filter(|(_, from)| *from < to).map(|(path, from)| Span {
        client,
        path: path.to_owned(),
        from,
        to,
    }));
    seen.took = seen.took.max(last.at - begin);
    seen.kills += worker.falls.len();
    seen.killed.insert(client, worker.falls.len());
    // What first stood in the last request before a kill may be told to another: nobody knows whether it was used.
    let each: Vec<BTreeMap<String, u64>> = main
        .iter()
        .map(|r| match &r.body["told"] {
            Value::Object(counts) => {
                counts.iter().map(|(m, n)| (m.clone(), n.as_u64().unwrap_or(0))).collect()
            }
            _ => told(&r.body),
        })
        .collect();
    let mut marks: BTreeMap<&str, Told> = BTreeMap::new();
    for (k, counts) in each.iter().enumerate() {
        for (mark, n) in counts {
            let told = marks.entry(mark).or_insert_with(|| Told {
                client,
                domain: worker.who.domain.to_owned(),
                mark: mark.clone(),
                most: 0,
                unused: worker.fell_in(k),
                at: main[k].at,
                start: worker.lives.iter().find(|life| life.from == k).map(|life| life.start),
            });
            told.most = told.most.max(*n);
        }
    }
    seen.told.extend(marks.into_values());
    // It lives for certain from its first request on.
    let killed = |life: &Life| worker.falls.iter().any(|fall| fall.at == life.end);
    let lives = worker.lives.iter().filter_map(|l| Some((main.get(l.from)?.at, l.end, killed(l))));
    seen.lives.insert(client, lives.collect());
    let written = written(&worker.client);
    for request in requests.iter().filter(|r| r.served != Usage::default()) {
        let wrote = written.get(&format!("msg_{}", request.serial)).copied();
        seen.served.push((worker.who.domain.to_owned(), client, request.served, wrote));
    }
}

/// How a call ended, by the result that its model was given.
fn outcome(result: Option<&(String, bool)>, in_flight: bool, aim: &Aim) -> Outcome {
    let Some((text, failed)) = result else {
        return if in_flight { Outcome::Unknown } else { Outcome::Odd("it has no result".to_owned()) };
    };
    let stale = ["modified since read", "has not been read yet", "String to replace not found"];
    match failed {
        false if matches!(aim, Aim::Send { .. } | Aim::Reply) && !says_sent(text) => Outcome::Refused,
        false => Outcome::Done,
        true if text.contains("PreToolUse") || stale.iter().any(|s| text.contains(s)) => Outcome::Refused,
        true if matches!(aim, Aim::Unlock | Aim::Look) => Outcome::Refused,
        true if in_flight || text.contains("so its outcome is unknown") => Outcome::Unknown,
        true => Outcome::Odd(text.clone()),
    }
}

/// Whether a command says that it sent its message: a line of its own. It also says what it found in the drop box and sent.
fn says_sent(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("sent "))
}

#[test]
fn what_another_left_is_not_what_a_command_sent() {
    let routed = "nobody wrote\noutbox/3-93.md was sent as SD0D42 to a";
    for (text, done) in [(routed, false), ("sent SD0D42 to a (27 tokens each)", true)] {
        let said = (format!("{text}\n"), false);
        let expected = if done { Outcome::Done } else { Outcome::Refused };
        assert_eq!(outcome(Some(&said), false, &Aim::Reply), expected, "{text}");
    }
    let both = (format!("{routed}\nsent SD0D43 to a (27 tokens each)"), false);
    assert_eq!(outcome(Some(&both), false, &Aim::Reply), Outcome::Done);
}

/// Every tool result in a conversation, by the id of its call: the text, and whether it says that the call failed.
fn tool_results(body: &Value) -> BTreeMap<String, (String, bool)> {
    let blocks = body["messages"].as_array().into_iter().flatten().filter_map(|m| m["content"].as_array());
    let results = blocks.flatten().filter(|b| b["type"] == "tool_result");
    results
        .map(|b| {
            let text = b["content"].as_str().map_or_else(|| b["content"].to_string(), str::to_owned);
            let id = b["tool_use_id"].as_str().unwrap_or_default().to_owned();
            (id, (text, b["is_error"] == true))
        })
        .collect()
}

/// How often each message stands in a conversation, as a reader is told it.
fn told(body: &Value) -> BTreeMap<String, u64> {
    fn walk(value: &Value, counts: &mut BTreeMap<String, u64>) {
        match value {
            Value::String(text) => {
                for (at, _) in text.match_indices("> msg-") {
                    let mark = text[at + 2..].split(' ').next().unwrap_or_default();
                    *counts.entry(mark.to_owned()).or_default() += 1;
                }
            }
            Value::Array(items) => items.iter().for_each(|v| walk(v, counts)),
            Value::Object(fields) => fields.values().for_each(|v| walk(v, counts)),
            _ => {}
        }
    }
    let mut counts = BTreeMap::new();
    walk(&body["messages"], &mut counts);
    counts
}

/// What the client wrote down of each response: the last line of an id is right.
fn written(client: &Client) -> BTreeMap<String, Usage> {
    let mut found = BTreeMap::new();
    for line in client.transcripts().into_iter().flat_map(|(_, lines)| lines) {
        let (Some(id), usage) = (line["message"]["id"].as_str(), &line["message"]["usage"]) else { continue };
        let n = |value: &Value| value.as_u64().unwrap_or(0);
        let writes = &usage["cache_creation"];
        found.insert(
            id.to_owned(),
            Usage {
                input: n(&usage["input_tokens"]),
                output: n(&usage["output_tokens"]),
                cache_read: n(&usage["cache_read_input_tokens"]),
                cache_write_5m: n(&writes["ephemeral_5m_input_tokens"]),
                cache_write_1h: n(&writes["ephemeral_1h_input_tokens"]),
            },
        );
    }
    found
}

/// The turn of a session that reads, changes and writes a contested file, again and again.
pub(crate) fn reader_and_writer(path: &str, who: usize, times: usize) -> Vec<Step> {
    (0..times)
        .map(|n| {
            let mark = format!("mark-{who}-{n}.");
            let turn = Turn::bash(super::plan::read_then_write(path, &mark, 0.2));
            let aim = Aim::Mark { path: path.to_owned(), own: true };
            Step { turn, calls: vec![super::plan::Call { mark, aim }] }
        })
        .collect()
}
