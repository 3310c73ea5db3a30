//! Many processes that use the store, killed at random: no message is lost, none is told twice to one
//! session, and the words of each author arrive in their order.
//!
//! Each domain has one session at a time, which sends and receives, and there are processes that only
//! send. What a session was told it appends to a transcript, as the client does. When enough was
//! sent, the sessions that are left read on until nothing waits, and the transcripts are compared with what the
//! authors' copies say.
//!
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::mail::{Draft, EVERYONE, Kind, Ulid};
use comm_node_core::process::ProcessId;
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::{State, Store};

/// xorshift64*: good enough to choose what happens next.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

/// A number from the environment.
pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}

fn domain(i: u64) -> String {
    format!("d{i}")
}

/// What a worker is, given in its environment.
struct Worker {
    store: Store,
    dir: PathBuf,
    /// Its session, also the name by which its words are told apart.
    me: SessionId,
    domain: u64,
    domains: u64,
    receives: bool,
    /// True once nothing more is to be sent.
    drains: bool,
}

/// The process of one session: runs until it is killed, or, when it drains, until nothing waits.
#[test]
fn worker() {
    let Ok(spec) = std::env::var("MAIL_WORKER") else { return };
    let parts: Vec<&str> = spec.split(' ').collect();
    let [dir, me, domain, domains, receives, drains, seed] = parts[..] else { return };
    let parse = |text: &str| text.parse::<u64>().expect("a number");
    let worker = Worker {
        store: Store::new(Path::new(dir).join("state")),
        dir: PathBuf::from(dir),
        me: SessionId::new(me).expect("an id"),
        domain: parse(domain),
        domains: parse(domains),
        receives: receives == "1",
        drains: drains == "1",
    };
    worker.run(Random(parse(seed)));
}

impl Worker {
    fn run(&self, mut random: Random) {
        if self.receives {
            let mut session = Session::new(self.me.clone());
            session.domain = Some(domain(self.domain));
            session.process = ProcessId::of(std::process::id());
            self.store.write_session(&session).expect("writes");
        }
        let mut seq = 0u64;
        loop {
            if self.receives && self.receive(&mut random) == 0 && self.drains {
                return;
            }
            if !self.drains && (!self.receives || random.below(2) == 0) {
                seq += self.send(&mut random, seq);
            }
        }
    }

    /// Sends one message; 0 if it could not.
    fn send(&self, random: &mut Random, seq: u64) -> u64 {
        let mut to: BTreeSet<String> = BTreeSet::new();
        for _ in 0..=random.below(3) {
            let other = random.below(self.domains);
            if other != self.domain {
                to.insert(domain(other));
            }
        }
        if to.is_empty() {
            return 0;
        }
        let body = format!("{} {seq}", self.me);
        let said = Draft { to: to.into_iter().collect(), kind: Kind::Answer, body, ..Draft::default() };
        let sent = self.store.mail().send(
            &domain(self.domain),
            said,
            &self.me,
            Deadline::after(Duration::from_secs(20)),
        );
        match sent {
            Ok(message) => {
                self.append("reported", &message.id.text());
                1
            }
            Err(_) => 0,
        }
    }

    /// Does what the hooks do; the number of messages that were told.
    fn receive(&self, random: &mut Random) -> usize {
        let (mail, name, now) = (self.store.mail(), domain(self.domain), clock::now_ms());
        let free = |state: &State| match state {
            State::Queued => true,
            State::Offering(id) | State::Offered(id) => *id != self.me && !self.store.session_lives(id, now),
            _ => false,
        };
        let mut claimed = Vec::new();
        for item in mail.waiting(&name).expect("lists").into_iter().filter(|i| free(&i.state)) {
            claimed.extend(mail.offer(&name, &item, &self.me).expect("moves"));
            if claimed.len() > 20 {
                break;
            }
        }
        let text: Vec<String> = claimed
            .iter()
            .map(|item| {
                let message = mail.read(&name, item).expect("is whole").expect("is there");
                format!("{} {}", message.id, message.said.body)
            })
            .collect();
        if text.is_empty() {
            std::thread::sleep(Duration::from_millis(2));
            return 0;
        }
        // One write, as the answer of a hook.
        self.append(&format!("told-{}-{}", self.domain, self.me), &text.join("\n"));
        for item in claimed {
            let Some(item) = mail.offered(&name, &item).expect("moves") else { continue };
            let Some(item) = mail.seen(&name, &item, &self.me).expect("moves") else { continue };
            if random.below(4) > 0 {
                mail.close(&name, &item, State::Acked(self.me.clone())).expect("moves");
            }
        }
        text.len()
    }

    fn append(&self, file: &str, line: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.dir.join(file)).expect("opens");
        file.write_all(format!("{line}\n").as_bytes()).expect("writes");
    }
}

struct Slot {
    child: Child,
    domain: u64,
    receives: bool,
}

struct Field {
    dir: PathBuf,
    domains: u64,
    next: u64,
    random: Random,
}

impl Field {
    fn start(&mut self, of: u64, receives: bool, drains: bool) -> Slot {
        self.next += 1;
        let spec = format!(
            "{} s{} {of} {} {} {} {}",
            self.dir.display(),
            self.next,
            self.domains,
            u8::from(receives),
            u8::from(drains),
            1 + self.random.below(u64::from(u32::MAX))
        );
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "store::worker", "--nocapture"])
            .env("MAIL_WORKER", spec)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        Slot { child, domain: of, receives }
    }
}

fn end(slot: &mut Slot) {
    let _ = slot.child.kill();
    let _ = slot.child.wait();
}

#[test]
fn nothing_is_lost_or_told_twice_whoever_is_killed() {
    let (domains, processes) = (number("MAIL_DOMAINS", 5), number("MAIL_PROCESSES", 8));
    let wanted = number("MAIL_MESSAGES", 300);
    let seed = number("MAIL_SEED", clock::now_ms() | 1);
    println!("MAIL_SEED={seed}");
    let temp = tempfile::tempdir().expect("temp dir");
    let mut field = Field { dir: temp.path().to_path_buf(), domains, next: 0, random: Random(seed) };
    let mut slots: Vec<Slot> =
        (0..processes.max(domains)).map(|i| field.start(i % domains, i < domains, false)).collect();
    let store = Store::new(temp.path().join("state"));
    let limit = Instant::now() + Duration::from_secs(60 + wanted / 5);
    let mut kills = 0;
    while count(&store, domains) < wanted {
        assert!(Instant::now() < limit, "only {} of {wanted} were sent", count(&store, domains));
        std::thread::sleep(Duration::from_millis(10 + field.random.below(40)));
        let index = usize::try_from(field.random.below(slots.len() as u64)).expect("small");
        end(&mut slots[index]);
        kills += 1;
        let (of, receives) = (slots[index].domain, slots[index].receives);
        slots[index] = field.start(of, receives, false);
    }
    slots.iter_mut().for_each(end);
    store.mail().recover(Deadline::after(Duration::from_secs(10))).expect("recovers");
    let mut last: Vec<Slot> = (0..domains).map(|i| field.start(i, true, true)).collect();
    for slot in &mut last {
        assert!(slot.child.wait().expect("ends").success(), "d{} could not read on", slot.domain);
    }
    judge(temp.path(), &store, domains, kills);
}

/// How many messages were sent.
fn count(store: &Store, domains: u64) -> u64 {
    let mail = store.mail();
    let of = |from: &str| {
        let days = mail.sent_days(from).expect("lists");
        days.iter().map(|day| mail.sent(from, day).expect("lists").len() as u64).sum::<u64>()
    };
    (0..domains).map(|i| of(&domain(i))).sum()
}

fn judge(dir: &Path, store: &Store, domains: u64, kills: u64) {
    let mail = store.mail();
    // What should have arrived, by the authors' copies.
    let mut due: BTreeSet<(String, Ulid)> = BTreeSet::new();
    let mut all: BTreeSet<Ulid> = BTreeSet::new();
    for from in (0..domains).map(domain) {
        for day in mail.sent_days(&from).expect("lists") {
            for id in mail.sent(&from, &day).expect("lists") {
                let message = mail.read_sent(&from, id).expect("is whole").expect("is there");
                all.insert(id);
                due.extend(message.said.to.iter().filter(|to| *to != EVERYONE).map(|to| (to.clone(), id)));
            }
        }
    }
    let reported = std::fs::read_to_string(dir.join("reported")).unwrap_or_default();
    for id in reported.lines().filter_map(Ulid::parse) {
        assert!(all.contains(&id), "{id} was reported as sent and is not");
    }
    let (mut told, mut sessions) = (BTreeSet::new(), 0);
    for entry in dir.read_dir().expect("lists").flatten() {
        let name = entry.file_name().into_string().expect("UTF-8");
        let Some((of, session)) = name.strip_prefix("told-").and_then(|rest| rest.split_once('-')) else {
            continue;
        };
        sessions += 1;
        let text = std::fs::read_to_string(entry.path()).expect("reads");
        let mut once = BTreeSet::new();
        let mut latest: BTreeMap<&str, u64> = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [id, author, seq] = words[..] else { panic_with(line) };
            let id = Ulid::parse(id).expect("an id");
            assert!(once.insert(id), "{session} was told of {id} twice");
            let seq: u64 = seq.parse().expect("a number");
            if let Some(before) = latest.insert(author, seq) {
                assert!(before < seq, "{session} was told {author}'s word {seq} after {before}");
            }
            told.insert((format!("d{of}"), id));
        }
    }
    let lost: Vec<_> = due.difference(&told).collect();
    let invented: Vec<_> = told.difference(&due).collect();
    assert!(lost.is_empty() && invented.is_empty(), "lost {lost:?}, invented {invented:?}");
    println!("{} messages to {} mailboxes, {sessions} sessions, {kills} kills", all.len(), due.len());
    assert!(kills > 3 && all.len() > 50, "the test did next to nothing");
}

fn panic_with(line: &str) -> ! {
    panic!("half a line in a transcript: {line:?}")
}
