//! Sessions that are hook programs and commands, killed at random: no message is lost, none is told twice to one
//! session, and the words of each author, and of each conversation, arrive in their order.
//!
//! Each domain has one session at a time. Its hooks get what the client gives them on stdin, and what they
//! answer is what it was told; of a hook that was killed the client takes nothing. Other processes send on
//! behalf of the session that its domain has at that moment. Hooks and senders are killed after a random time, clients
//! too, and a session whose client is gone is followed by a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use comm_node_core::clock;
use serde_json::{Value, json};

use crate::node::{END, Node, POST, PROMPT, START, STOP, sleeper};
use crate::store::{Random, number};

/// What one session was told, in the order in which it was.
#[derive(Default)]
struct Told {
    domain: String,
    /// The texts of the messages, which are all different.
    words: Vec<String>,
    /// What a hook that was killed had written out whole: it may have been told.
    perhaps: Vec<String>,
}

/// What all threads share.
struct Field {
    node: Node,
    domains: u64,
    /// The session that each domain has now.
    now: Vec<Mutex<String>>,
    told: Mutex<Vec<Told>>,
    reported: Mutex<BTreeSet<String>>,
    sent: AtomicU64,
    wanted: u64,
    kills: AtomicU64,
    limit: Instant,
    next: AtomicU64,
}

fn domain(i: u64) -> String {
    format!("d{i}")
}

fn index(n: u64) -> usize {
    usize::try_from(n).expect("small")
}

impl Field {
    fn goes_on(&self) -> bool {
        assert!(Instant::now() < self.limit, "only {} were sent", self.sent.load(Ordering::Relaxed));
        self.sent.load(Ordering::Relaxed) < self.wanted
    }

    /// One of so many programs is killed, within the time that it takes.
    fn doom(&self, random: &mut Random, one_in: u64) -> Option<Duration> {
        (random.below(one_in) == 0).then(|| Duration::from_micros(random.below(25_000)))
    }

    /// Sends one message of `author`, its `seq`th, for the session that domain `of` has now.
    fn send(&self, random: &mut Random, of: u64, author: &str, seq: u64, ids: &mut Vec<String>) {
        let mut to: BTreeSet<String> = BTreeSet::new();
        for _ in 0..=random.below(3) {
            let other = random.below(self.domains);
            if other != of {
                to.insert(domain(other));
            }
        }
        if to.is_empty() {
            return;
        }
        let session = self.now[index(of)].lock().expect("whole").clone();
        let to: Vec<String> = to.into_iter().collect();
        let body = format!("{author} {seq}");
        let to = to.join(",");
        let mut args = vec!["send", &to, &body, "--json"];
        args.extend(["--type", if random.below(8) == 0 { "question" } else { "answer" }]);
        args.extend(["--priority", ["medium", "high"][index(random.below(2))]]);
        let thread = (!ids.is_empty() && random.below(3) == 0)
            .then(|| ids[index(random.below(ids.len() as u64))].clone());
        if let Some(thread) = &thread {
            args.extend(["--thread", thread]);
        }
        let doom = self.doom(random, 6);
        let said = self.node.command_of(&session, &args, doom);
        self.kills.fetch_add(u64::from(doom.is_some()), Ordering::Relaxed);
        // Whoever was told that it was sent, in whatever state it died then, is right.
        if let Ok(message) = serde_json::from_str::<Value>(&said.out) {
            ids.push(message["id"].as_str().expect("an id").to_owned());
            self.reported.lock().expect("whole").insert(body);
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The sessions of one domain, one after the other; the last one stays until nothing waits.
    fn receive(&self, of: u64, mut random: Random) {
        let (name, mut seq, mut ids) = (domain(of), 0, Vec::new());
        loop {
            let last = !self.goes_on();
            let id = format!("s{of}-{}", self.next.fetch_add(1, Ordering::Relaxed));
            let mut client = sleeper();
            let mut told = Told { domain: name.clone(), ..Told::default() };
            self.tell(&mut told, START, &id, &client, "SessionStart", None);
            self.now[index(of)].lock().expect("whole").clone_from(&id);
            while self.goes_on() && random.below(25) > 0 {
                let doom = self.doom(&mut random, 8);
                match random.below(5) {
                    0 => self.tell(&mut told, PROMPT, &id, &client, "UserPromptSubmit", doom),
                    1 | 2 => self.tell(&mut told, POST, &id, &client, "PostToolBatch", doom),
                    3 => self.tell(&mut told, STOP, &id, &client, "Stop", doom),
                    _ => {
                        seq += 1;
                        self.send(&mut random, of, &format!("r{of}"), seq, &mut ids);
                    }
                }
            }
            if last {
                self.drain(&mut told, &id, &client);
            }
            let ended = !last && random.below(4) == 0;
            if ended {
                self.tell(&mut told, END, &id, &client, "SessionEnd", None);
            }
            end(&mut client);
            self.told.lock().expect("whole").push(told);
            if last {
                return;
            }
        }
    }

    /// Reads on until nothing waits.
    fn drain(&self, told: &mut Told, id: &str, client: &Child) {
        let mut empty = 0;
        while empty < 3 {
            let before = told.words.len();
            self.tell(told, POST, id, client, "PostToolBatch", None);
            self.tell(told, PROMPT, id, client, "UserPromptSubmit", None);
            empty = if told.words.len() == before { empty + 1 } else { 0 };
        }
        self.tell(told, STOP, id, client, "Stop", None);
    }

    fn tell(
        &self,
        told: &mut Told,
        program: &str,
        id: &str,
        client: &Child,
        event: &str,
        doom: Option<Duration>,
    ) {
        let more = json!({"source": "startup", "stop_hook_active": false, "reason": "other", "tool_calls": [
            {"tool_name": "Read", "tool_use_id": "t", "tool_input": {}}
        ]});
        let said = self.node.hook_of(program, (id, client.id()), &told.domain, event, &more, doom);
        self.kills.fetch_add(u64::from(doom.is_some()), Ordering::Relaxed);
        let killed = said.status.signal().is_some();
        assert!(killed || said.status.success(), "{event}: {said:?}");
        let words: Vec<String> = context(&said.out)
            .lines()
            .filter_map(|line| line.strip_prefix("> ").map(str::to_owned))
            .collect();
        if killed { told.perhaps.extend(words) } else { told.words.extend(words) }
    }
}

fn end(client: &mut Child) {
    let _ = client.kill();
    let _ = client.wait();
}

/// What the model reads of an answer; nothing of half an answer.
fn context(said: &str) -> String {
    let answer: Value = serde_json::from_str(said).unwrap_or_default();
    answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn programs_that_are_killed_lose_nothing_and_tell_nothing_twice() {
    let domains = number("MAIL_DOMAINS", 3);
    let processes = number("MAIL_PROCESSES", 5).max(domains + 1);
    let wanted = number("MAIL_MESSAGES", 100);
    let seed = number("MAIL_SEED", clock::now_ms() | 1);
    println!("MAIL_SEED={seed}");
    let names: Vec<String> = (0..domains).map(domain).collect();
    let node = Node::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let field = Arc::new(Field {
        node,
        domains,
        now: (0..domains).map(|_| Mutex::new(String::from("nobody"))).collect(),
        told: Mutex::default(),
        reported: Mutex::default(),
        sent: AtomicU64::new(0),
        wanted,
        kills: AtomicU64::new(0),
        limit: Instant::now() + Duration::from_secs(90 + wanted / 5),
        next: AtomicU64::new(0),
    });
    let random = |i: u64| Random(seed.wrapping_mul(2 * i + 3) | 1);
    let sending: Vec<_> = (domains..processes)
        .map(|i| {
            let (field, mut random) = (Arc::clone(&field), random(i));
            std::thread::spawn(move || {
                let (mut seq, mut ids) = (0, Vec::new());
                while field.goes_on() {
                    seq += 1;
                    field.send(&mut random, i % field.domains, &format!("w{i}"), seq, &mut ids);
                }
            })
        })
        .collect();
    let reading: Vec<_> = (0..domains)
        .map(|i| {
            let (field, random) = (Arc::clone(&field), random(i));
            std::thread::spawn(move || field.receive(i, random))
        })
        .collect();
    for thread in sending.into_iter().chain(reading) {
        thread.join().expect("a thread failed");
    }
    // Mail that came when its reader had read on already, and what senders left that died last.
    for name in &names {
        let said = field.node.run("", &["inbox", "--domain", name, "--json"], b"");
        assert!(said.status.success(), "{said:?}");
    }
    for i in 0..domains {
        let (mut client, id) = (sleeper(), format!("z{i}"));
        let mut told = Told { domain: domain(i), ..Told::default() };
        field.tell(&mut told, START, &id, &client, "SessionStart", None);
        field.drain(&mut told, &id, &client);
        end(&mut client);
        field.told.lock().expect("whole").push(told);
    }
    judge(&field);
}

/// A message as its author's copy has it.
struct Sent {
    id: String,
    rank: String,
    thread: String,
    to: BTreeSet<String>,
}

fn judge(field: &Field) {
    let mut all: BTreeMap<String, Sent> = BTreeMap::new();
    for name in (0..field.domains).map(domain) {
        let said = field.node.run("", &["sent", "--domain", &name, "--json", "--limit", "1000000"], b"");
        let list: Vec<Value> = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        for message in list {
            let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
            let to = message["recipients"].as_array().expect("a list").iter();
            let to = to.map(|r| r["to"].as_str().expect("a name").to_owned()).collect();
            let sent = Sent { id: text("id"), rank: text("priority"), thread: text("thread"), to };
            assert!(all.insert(text("body"), sent).is_none(), "sent twice: {message}");
        }
    }
    for body in field.reported.lock().expect("whole").iter() {
        assert!(all.contains_key(body), "{body} was reported as sent and is not");
    }
    let told = field.told.lock().expect("whole");
    let (mut arrived, mut perhaps) = (BTreeSet::new(), BTreeSet::new());
    for session in told.iter() {
        let faults = faults(session, &all);
        assert!(faults.is_empty(), "a session of {}: {faults:?}\n{:?}", session.domain, session.words);
        arrived.extend(session.words.iter().map(|word| (session.domain.clone(), word.clone())));
        perhaps.extend(session.perhaps.iter().map(|word| (session.domain.clone(), word.clone())));
    }
    let due: BTreeSet<(String, String)> = all
        .iter()
        .flat_map(|(body, sent)| sent.to.iter().map(move |to| (to.clone(), body.clone())))
        .collect();
    let unsure = due.difference(&arrived).filter(|one| perhaps.contains(one)).count();
    let lost: Vec<_> = due.difference(&arrived).filter(|one| !perhaps.contains(one)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let kills = field.kills.load(Ordering::Relaxed);
    println!(
        "{} messages to {} mailboxes, {} sessions, {kills} kills; {unsure} in answers of hooks that were killed behind them",
        all.len(),
        due.len(),
        told.len(),
    );
    assert!(kills > 10 && all.len() as u64 >= field.wanted, "the test did next to nothing");
}

/// What is wrong with what a session was told.
fn faults(told: &Told, all: &BTreeMap<String, Sent>) -> Vec<String> {
    let mut out = Vec::new();
    let mut once = BTreeSet::new();
    let mut latest: BTreeMap<String, &str> = BTreeMap::new();
    for word in &told.words {
        let Some(sent) = all.get(word).filter(|sent| sent.to.contains(&told.domain)) else {
            out.push(format!("nobody sent {word} to it"));
            continue;
        };
        if !once.insert(word) {
            out.push(format!("{word} was told twice"));
        }
        let author = word.split(' ').next().unwrap_or_default();
        // What is urgent overtakes; within a rank nothing does.
        for key in [format!("author {author} {}", sent.rank), format!("thread {} {}", sent.thread, sent.rank)]
        {
            if latest.insert(key.clone(), &sent.id).is_some_and(|before| *before > *sent.id) {
                out.push(format!("{word} came late: {key}"));
            }
        }
    }
    out
}

#[test]
fn what_would_be_wrong_is_noticed() {
    let sent = |id: &str, thread: &str| Sent {
        id: id.into(),
        rank: "medium".into(),
        thread: thread.into(),
        to: BTreeSet::from(["d0".to_owned()]),
    };
    let all = BTreeMap::from([
        ("a 1".to_owned(), sent("1", "1")),
        ("a 2".to_owned(), sent("2", "2")),
        ("b 1".to_owned(), sent("3", "1")),
    ]);
    let of = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        faults(&Told { domain: "d0".into(), words, perhaps: Vec::new() }, &all).len()
    };
    assert_eq!((of(&["a 1", "a 2", "b 1"]), of(&["b 1", "a 2"])), (0, 0));
    assert_eq!((of(&["a 2", "a 1"]), of(&["b 1", "a 1"]), of(&["a 1", "a 1"]), of(&["c 1"])), (1, 1, 1, 1));
}
