//! The table on a real file system, with writers that die at every point.

mod held;

use std::cell::Cell;
use std::time::Duration;

use super::*;
use crate::lease::{Kind, Mode, ending, permits};
use crate::store::Durability;
use crate::store::leases::files::shard;

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
    now: Cell<Now>,
    dead: Cell<Option<char>>,
}

fn holder(name: &str) -> Holder {
    let (session, agent) = name.split_once('/').map_or((name, None), |(s, a)| (s, Some(a.to_owned())));
    Holder { domain: Some("d".to_owned()), session: SessionId::new(session).ok(), agent }
}

impl Bench {
    fn new() -> Self {
        // In memory where that can be had: flushing thousands of small tables takes a minute.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("temp dir");
        let store = Store::new(dir.path().join(".comm-node"));
        let now = Cell::new(Now { wall_ms: 1_775_572_200_000, up_ms: Some(1_000_000) });
        Self { dir, store, now, dead: Cell::new(None) }
    }

    fn life(&self, h: &Holder) -> Liveness {
        let dead = self.dead.get().map(String::from);
        if h.session.as_ref().map(SessionId::as_str) == dead.as_deref() {
            Liveness::Dead
        } else {
            Liveness::Alive
        }
    }

    fn ask<T>(&self, who: &str, f: impl FnOnce(Leases<'_>, &Asking<'_>) -> T) -> T {
        let holder = holder(who);
        let liveness = |h: &Holder| self.life(h);
        let deadline = Deadline::after(Duration::from_secs(5));
        f(
            self.store.leases(),
            &Asking { holder: &holder, now: self.now.get(), liveness: &liveness, deadline },
        )
    }

    fn take(&self, who: &str, key: &str) -> Result<Outcome> {
        self.ask(who, |leases, asking| leases.take(&[Ask::key("", key)], "call", 1800, asking))
    }

    fn written(&self, who: &str, key: &str) -> Result<Outcome> {
        self.ask(who, |leases, asking| leases.written(&[Ask::key("", key)], 1800, asking))
    }

    fn lock(&self, who: &str, glob: &str, mode: Mode) -> Result<Outcome> {
        let terms =
            Terms::Explicit { mode, ttl_s: 3600, fixed: false, share_with_subagents: false, reason: "why" };
        self.ask(who, |leases, asking| leases.lock(&[Ask::glob("", glob)], &terms, asking))
    }

    fn release(&self, which: &Release<'_>) -> Result<Vec<Lease>> {
        self.store.leases().release(which, Deadline::after(Duration::from_secs(5)))
    }

    fn list(&self) -> Vec<Lease> {
        let (leases, errors) = self.store.leases().list().expect("lists");
        assert!(errors.is_empty(), "{errors:?}");
        leases
    }

    fn wait(&self, ms: u64) {
        let now = self.now.get();
        self.now.set(Now { wall_ms: now.wall_ms + ms, up_ms: now.up_ms.map(|u| u + ms) });
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(".comm-node").join(name)
    }
}

fn taken(outcome: Result<Outcome>) -> Vec<Lease> {
    match outcome.expect("works") {
        Outcome::Taken(leases) => leases,
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: Result<Outcome>) -> Conflict {
    match outcome.expect("works") {
        Outcome::Refused(conflict) => *conflict,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_path_one_holder() {
    let b = Bench::new();
    let lease = taken(b.take("A", "src/a.rs")).remove(0);
    assert!(lease.provisional && lease.fencing == 1);
    assert_eq!(b.take("A", "src/a.rs").expect("works"), Outcome::Held);
    let conflict = refused(b.take("B", "src/a.rs"));
    assert_eq!(
        conflict.describe(b.now.get()),
        "src/a.rs is held by d (session A), which it is writing, since 0 s; it is live, so the lease does not run out"
    );
    assert!(!taken(b.written("A", "src/a.rs"))[0].provisional);
    assert_eq!(b.written("A", "src/a.rs").expect("works"), Outcome::Held);
    // A live holder's lease outlasts its time, a dead one's ends at once.
    b.wait(86_400_000);
    let words = refused(b.take("B", "src/a.rs")).describe(b.now.get());
    assert!(words.contains("held by d (session A), which it wrote last, since "), "{words}");
    b.dead.set(Some('A'));
    assert_eq!(taken(b.take("B", "src/a.rs"))[0].fencing, 2);
    let log = std::fs::read_to_string(b.store.log_path()).expect("a log");
    assert!(log.contains(r#""event":"lease_taken_over","session":"B","domain":"d","path":"src/a.rs","rule":"holder_gone","note":"lease 1 of d (session A)""#), "{log}");
    // The old holder, if it lives after all, is told.
    b.dead.set(None);
    refused(b.written("A", "src/a.rs"));
}

#[test]
fn half_of_the_time_left_costs_no_write() {
    let b = Bench::new();
    taken(b.take("A", "x"));
    taken(b.written("A", "x"));
    let before = std::fs::read_dir(b.path("leases")).expect("dir").count();
    let size = |b: &Bench| std::fs::metadata(b.path("leases").join(shard("x"))).expect("file").len();
    let small = size(&b);
    b.wait(800_000);
    assert_eq!(b.take("A", "x").expect("works"), Outcome::Held);
    assert_eq!(size(&b), small);
    b.wait(200_000);
    assert_eq!(taken(b.take("A", "x"))[0].fencing, 1);
    assert!(size(&b) > small);
    assert_eq!(std::fs::read_dir(b.path("leases")).expect("dir").count(), before);
}

/// What was read without the lock holds under it only if nobody came in between: here somebody does, while it is
/// asked whether another holder lives.
#[test]
fn who_comes_between_the_look_and_the_lock_is_seen() {
    type Between<'b> = &'b dyn Fn(&Bench);
    let y = |b: &Bench| drop(taken(b.take("C", "y")));
    let anew: Between<'_> = &|b| {
        let other = (0..).map(|i| format!("p{i}")).find(|p| shard(p) != shard("x")).expect("there is one");
        taken(b.take("C", &format!("y/{other}")));
    };
    let replaced: Between<'_> = &|b| {
        // As long as it was, and another file.
        let file = b.path("leases").join(shard("y"));
        let text = std::fs::read_to_string(&file).expect("reads");
        let foreign = text.replace("\"session\":\"B\"", "\"session\":\"C\"");
        assert_ne!(text, foreign);
        crate::store::file::replace(&file, foreign.as_bytes(), Durability::Rebuildable).expect("replaces");
    };
    let removed: Between<'_> = &|b| {
        std::fs::remove_file(b.path("leases").join(shard("y"))).expect("removes");
        taken(b.take("C", "y"));
    };
    let explicit: Between<'_> = &|b| drop(taken(b.lock("C", "y*", Mode::Exclusive)));
    let plain = [Ask::key("", "x"), Ask::key("", "y")];
    let globs = [Ask::glob("", "x"), Ask::glob("", "y/**")];
    let cases: [(&str, &[Ask<'_>], bool, Between<'_>); 6] = [
        ("a new file", &plain, false, &y),
        ("a line", &plain, true, &|b| {
            b.release(&Release::Session(&SessionId::new("B").expect("valid"))).expect("releases");
            y(b);
        }),
        ("another file", &plain, true, replaced),
        ("one removed and made anew", &plain, true, removed),
        ("an explicit one", &plain, false, explicit),
        ("a file that a glob meets", &globs, false, anew),
    ];
    for (what, asks, own, between) in cases {
        let b = Bench::new();
        taken(b.take("A", "x"));
        if own {
            taken(b.take("B", "y"));
        }
        b.dead.set(Some('A'));
        let (holder, done) = (holder("B"), Cell::new(false));
        let liveness = |h: &Holder| {
            if !done.replace(true) {
                between(&b);
            }
            b.life(h)
        };
        let deadline = Deadline::after(Duration::from_secs(5));
        let who = Asking { holder: &holder, now: b.now.get(), liveness: &liveness, deadline };
        let outcome = match asks[0].what {
            lease::What::Key(_) => b.store.leases().take(asks, "another", 1800, &who),
            lease::What::Glob(_) => {
                let (mode, reason) = (Mode::Exclusive, "");
                let terms =
                    Terms::Explicit { mode, ttl_s: 60, fixed: false, share_with_subagents: false, reason };
                b.store.leases().lock(asks, &terms, &who)
            }
        };
        assert!(done.get(), "{what}: nobody came");
        assert!(
            matches!(&outcome, Ok(Outcome::Refused(c)) if c.path.starts_with('y')),
            "{what}: {outcome:?}"
        );
    }
}

/// Each look reads the last line of a lease; that an older one is damaged is nobody's loss.
#[test]
fn a_path_written_again_and_again_is_read_once() {
    let b = Bench::new();
    for i in 0..40 {
        let call = format!("call{i}");
        taken(b.ask("A", |leases, who| leases.take(&[Ask::key("", "x")], &call, 1800, who)));
    }
    let file = b.path("leases").join(shard("x"));
    let text = std::fs::read_to_string(&file).expect("reads");
    assert_eq!(text.lines().count(), 41);
    std::fs::write(&file, text.replace("\"call39\"", "\"call7\"").replacen("\"call7\"", "call7", 1))
        .expect("writes");
    let leases = b.list();
    assert!(leases.len() == 1 && leases[0].call == "call7" && leases[0].fencing == 1, "{leases:?}");
    std::fs::write(&file, text.replace("\"call39\"", "call39")).expect("writes");
    let error = b.take("B", "x").expect_err("the last one counts");
    assert!(error.to_string().contains("line 41"), "{error}");
}

#[test]
fn an_unconfirmed_lease_runs_out_and_can_be_given_back() {
    let b = Bench::new();
    taken(b.take("A", "x"));
    b.wait(59_000);
    refused(b.take("B", "x"));
    b.wait(2_000);
    taken(b.take("B", "x"));
    let b_holder = holder("B");
    let give = |call: &str| {
        let deadline = Deadline::after(Duration::from_secs(5));
        b.store.leases().give_back(&[Ask::key("", "x")], call, &b_holder, deadline).expect("works")
    };
    assert_eq!(give("another"), 0);
    assert_eq!(give("call"), 1);
    assert!(b.list().is_empty());
    taken(b.take("A", "x"));
    taken(b.written("A", "x"));
    assert_eq!(give("call"), 0);
}

#[test]
fn one_that_waited_sees_a_younger_lease() {
    let b = Bench::new();
    taken(b.take("A", "x"));
    // B read the clocks before A did, and its wall clock is a day ahead.
    let now = b.now.get();
    b.now.set(Now { wall_ms: now.wall_ms + 86_400_000, up_ms: now.up_ms.map(|u| u - 1) });
    refused(b.take("B", "x"));
}

#[test]
fn subagents() {
    let b = Bench::new();
    taken(b.take("A", "x"));
    // The main loop's own touch lets its subagent through, but not two of them.
    taken(b.take("A/one", "x"));
    refused(b.take("A/two", "x"));
    refused(b.take("A", "x"));
    b.release(&Release::Holder(&holder("A/one"))).expect("works");
    taken(b.take("A/two", "x"));
    taken(b.lock("A", "y/*", Mode::Exclusive));
    refused(b.take("A/two", "y/1"));
    assert_eq!(b.take("A", "y/1").expect("works"), Outcome::Held);
    b.release(&Release::Session(&SessionId::new("A").expect("id"))).expect("works");
    assert!(b.list().is_empty());
}

#[test]
fn the_subagents_of_one_session_together() {
    let b = Bench::new();
    for (who, path) in [("A", "m"), ("A/one", "x"), ("A/two", "y"), ("B/one", "z")] {
        taken(b.take(who, path));
    }
    taken(b.lock("A/one", "deep/*", Mode::Exclusive));
    let id = SessionId::new("A").expect("id");
    assert_eq!(b.release(&Release::Subagents(&id)).expect("works").len(), 3);
    let left: Vec<String> = b.list().into_iter().map(|lease| lease.path).collect();
    assert_eq!(left, ["m", "z"]);
    // With nothing to do it waits for nobody's lock.
    let _lock = b.store.lock(LOCK, Deadline::after(Duration::from_secs(5))).expect("locks");
    let soon = Deadline::after(Duration::from_millis(50));
    assert!(b.store.leases().release(&Release::Subagents(&id), soon).expect("works").is_empty());
}

#[test]
fn globs() {
    let b = Bench::new();
    taken(b.lock("A", "src/**/a.rs", Mode::Shared));
    taken(b.lock("B", "src/b/*", Mode::Shared));
    assert_eq!(refused(b.lock("B", "src/b/*", Mode::Exclusive)).path, "src/b/a.rs");
    refused(b.take("C", "src/b/zz"));
    refused(b.take("A", "src/b/a.rs"));
    taken(b.take("C", "src/c/zz"));
    assert_eq!(refused(b.lock("A", "**/z*", Mode::Shared)).path, "src/c/zz");
    assert_eq!(refused(b.lock("A", "src/{b,c}/z?", Mode::Exclusive)).path, "src/b/za");
    let mine = Some(SessionId::new("A").expect("id"));
    assert_eq!(b.release(&Release::Of(&mine, &[Ask::glob("", "src/**")])).expect("works").len(), 1);
    assert_eq!(taken(b.lock("B", "src/b/*", Mode::Exclusive))[0].fencing, 4);
    assert_eq!(b.release(&Release::Force(&[Ask::glob("", "**")])).expect("works").len(), 2);
    assert!(b.list().is_empty());
}

#[test]
fn names_with_special_characters_are_themselves() {
    let b = Bench::new();
    for key in ["pages/[id].tsx", "a\"b\\c", "{x}", "*", "é\n"] {
        taken(b.take("A", key));
        refused(b.take("B", key));
        assert_eq!(b.take("A", key).expect("works"), Outcome::Held);
    }
    taken(b.take("B", "pages/i.tsx"));
    assert_eq!(b.list().len(), 6);
    let other = b.ask("B", |l, asking| l.take(&[Ask::key("/other/tree", "*")], "call", 1800, asking));
    taken(other);
}

#[test]
fn a_grown_file_is_written_anew_without_what_no_longer_counts() {
    let b = Bench::new();
    let same: Vec<String> = (0..20_000).map(|i| format!("p{i}")).filter(|p| shard(p) == "00.jsonl").collect();
    for path in &same {
        taken(b.take("A", path));
    }
    b.dead.set(Some('A'));
    for path in same.iter().take(60) {
        taken(b.take("B", path));
        taken(b.written("B", path));
    }
    let leases = b.list();
    assert!(leases.iter().filter(|l| l.holder.same(&holder("B"))).count() == same.len().min(60));
    assert!(leases.iter().all(|l| l.holder.same(&holder("B"))), "{}", leases.len());
    assert!(std::fs::read_to_string(b.store.log_path()).expect("log").contains("lease_swept"));
}

#[test]
fn unknown_fields_survive() {
    let b = Bench::new();
    taken(b.take("A", "x"));
    let file = b.path("leases").join(shard("x"));
    let text =
        std::fs::read_to_string(&file).expect("file").replace("\"fencing\"", "\"later\":[1],\"fencing\"");
    std::fs::write(&file, text).expect("writes");
    taken(b.written("A", "x"));
    assert!(b.list()[0].other.contains_key("later"));
}

#[test]
fn damage_is_told_and_mended_without_loss() {
    let b = Bench::new();
    let same: Vec<String> = (0..3000).map(|i| format!("p{i}")).filter(|p| shard(p) == "00.jsonl").collect();
    taken(b.take("A", &same[0]));
    taken(b.take("A", &same[1]));
    let file = b.path("leases").join("00.jsonl");
    let text = std::fs::read_to_string(&file).expect("file").replacen("\"fencing\":1,", "\"fencing\":,", 1);
    std::fs::write(&file, &text).expect("writes");
    let error = b.take("B", &same[0]).expect_err("damaged");
    assert!(matches!(error, Error::Damaged { .. }) && error.to_string().contains("line 2"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).expect("file"), text, "it is left as it was");
    let done = b.store.leases().repair(Deadline::after(Duration::from_secs(5))).expect("repairs");
    assert_eq!((done[0].kept, done[0].lost), (1, 1));
    assert_eq!(std::fs::read_to_string(&done[0].aside).expect("aside"), text);
    assert_eq!(b.list().len(), 1);
    assert_eq!(taken(b.take("B", &same[0]))[0].fencing, 3);
}

#[test]
fn a_torn_line_counts_for_nothing() {
    let b = Bench::new();
    taken(b.take("A", "x"));
    let file = b.path("leases").join(shard("x"));
    let whole = std::fs::read(&file).expect("file");
    for cut in 1..whole.len() {
        std::fs::write(&file, &whole[..cut]).expect("writes");
        let fencing = taken(b.take("B", "x"))[0].fencing;
        assert!(fencing > 1, "{cut}");
        assert_eq!(b.list().len(), 1);
    }
}

/// What a writer that died can't have left is damage, wherever it stands: what was there may have been a lease.
#[test]
fn what_no_writer_leaves_is_damage() {
    let b = Bench::new();
    taken(b.take("A", "x"));
    taken(b.lock("A", "deep/*", Mode::Exclusive));
    for (name, path) in [(shard("x"), "x"), ("explicit.jsonl".to_owned(), "deep/1")] {
        let file = b.path("leases").join(name);
        let whole = std::fs::read(&file).expect("file");
        let text = std::str::from_utf8(&whole).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        let zeros = |count: usize| "\0".repeat(count);
        for (what, bytes) in [
            ("no line", "garbage".to_owned()),
            ("one byte", "x".to_owned()),
            ("spaces", " ".to_owned()),
            ("no header", "\n".to_owned()),
            ("empty lines", "\n\n\n".to_owned()),
            ("an empty line for a header", format!("\n{}\n", lines[1])),
            ("a lease alone", lines[1].to_owned()),
            ("a header and more", format!("{}{}", lines[0], lines[1])),
            ("zeros alone", zeros(text.len())),
            ("a header's beginning and zeros", format!("{{\"version\"{}", zeros(9))),
            ("zeros behind", format!("{text}{}", zeros(300))),
            ("zeros for the last line", format!("{}\n{}", lines[0], zeros(lines[1].len() + 1))),
            ("zeros in the last line", format!("{}\n{}{}", lines[0], &lines[1][..30], zeros(200))),
            ("zeros for all but the last line", format!("{}\n{}\n", zeros(lines[0].len()), lines[1])),
            ("something behind", format!("{text}garbage")),
            ("a line of something else", format!("{text}{{\"version\":1")),
        ] {
            std::fs::write(&file, &bytes).expect("writes");
            let error = b.take("B", path).expect_err(what);
            assert!(matches!(error, Error::Damaged { .. }), "{what}: {error}");
            assert_eq!(b.store.leases().list().expect("lists").1.len(), 1, "{what}");
            assert_eq!(
                std::fs::read(&file).expect("reads"),
                bytes.as_bytes(),
                "{what}: it is left as it was"
            );
            let done = b.store.leases().repair(Deadline::after(Duration::from_secs(5))).expect("repairs");
            assert_eq!(done.len(), 1, "{what}");
            assert_eq!(std::fs::read(&done[0].aside).expect("aside"), bytes.as_bytes(), "{what}");
            assert!(
                done[0].lost > 0 || bytes.trim().is_empty() || bytes.contains(lines[1]),
                "{what}: {done:?}"
            );
            assert!(b.store.leases().list().expect("lists").1.is_empty(), "{what}");
        }
        // An empty file is one that nothing was written to yet.
        std::fs::write(&file, "").expect("writes");
        taken(b.take("B", path));
        std::fs::write(&file, whole).expect("writes");
    }
}

#[test]
fn numbers_never_go_back() {
    let b = Bench::new();
    let mut last = 0;
    let mut next = |b: &Bench, what: &str| {
        let n = taken(b.take("A", &format!("p{last}")))[0].fencing;
        assert!(n > last, "{what}: {n} after {last}");
        last = n;
    };
    next(&b, "first");
    next(&b, "second");
    std::fs::remove_file(b.path("leases/last.json")).expect("removes");
    next(&b, "without the counter");
    std::fs::write(b.path("leases/last.json"), "{\"version\":1,\"la").expect("writes");
    next(&b, "with a torn counter");
    std::fs::write(b.path("leases/last.json"), "{\"version\":1,\"last\":1,\"boot\":\"before\"}\n")
        .expect("writes");
    next(&b, "after a power cut");
    std::fs::remove_dir_all(b.path("leases")).expect("removes");
    next(&b, "without a table");
    std::fs::remove_file(b.path("fencing.json")).expect("removes");
    next(&b, "without the mark");
    std::fs::write(b.path("fencing.json"), "oops").expect("writes");
    next(&b, "with a damaged mark");
    assert!(
        std::fs::read_dir(b.path(""))
            .expect("dir")
            .flatten()
            .any(|e| { e.file_name().to_string_lossy().starts_with("fencing.json.damaged-") })
    );
    std::fs::remove_dir_all(b.path("leases")).expect("removes");
    std::fs::remove_file(b.path("fencing.json")).expect("removes");
    std::fs::create_dir(b.path("leases")).expect("creates");
    std::fs::write(b.path("leases/00.jsonl.damaged-1"), "").expect("writes");
    // Then time is all that is left to go by, and it must have gone on by as much as a block.
    std::thread::sleep(Duration::from_millis(5));
    next(&b, "without anything but a trace");
    for _ in 0..2 * fence::BLOCK {
        next(&b, "over the end of a block");
    }
}

#[cfg(unix)]
#[test]
fn a_state_that_cannot_be_written_is_an_error() {
    use std::os::unix::fs::symlink;
    let b = Bench::new();
    taken(b.take("A", "x"));
    taken(b.written("A", "x"));
    std::fs::remove_file(b.path("leases.lock")).expect("removes");
    std::fs::create_dir(b.path("leases.lock")).expect("creates");
    // What is held needs no write; anything else can't be granted.
    assert_eq!(b.take("A", "x").expect("works"), Outcome::Held);
    refused(b.take("B", "x"));
    assert!(b.take("A", "y").is_err());
    std::fs::remove_dir(b.path("leases.lock")).expect("removes");
    std::fs::rename(b.path("leases"), b.dir.path().join("elsewhere")).expect("renames");
    symlink(b.dir.path().join("elsewhere"), b.path("leases")).expect("links");
    assert!(matches!(b.take("A", "y"), Err(Error::Untrusted { .. })));
}

/// Two leases that count must not meet unless one lets the other through; and where a session's are is known.
fn check(b: &Bench, what: &str) {
    held::check(b, what);
    let counts = |l: &&Lease| ending(l, b.now.get(), b.life(&l.holder)).is_none();
    let all = b.list();
    let live: Vec<&Lease> = all.iter().filter(counts).collect();
    for (i, x) in live.iter().enumerate() {
        for y in &live[..i] {
            assert_ne!(x.fencing, y.fencing, "{what}");
            let meet = match y.kind {
                Kind::Automatic => x.covers(&y.path),
                Kind::Explicit => x.overlap(&y.path).is_some(),
            };
            let peace = permits(x, &y.holder, y.mode) || permits(y, &x.holder, x.mode);
            assert!(!meet || peace, "{what}: {x:?} and {y:?}");
        }
    }
}

#[test]
fn a_writer_may_die_anywhere() {
    type Step = fn(&Bench) -> Result<()>;
    fn ok<T>(r: Result<T>) -> Result<()> {
        r.map(drop)
    }
    let steps: [(&str, Step); 10] = [
        ("A takes x", |b| ok(b.take("A", "x"))),
        ("A wrote x", |b| ok(b.written("A", "x"))),
        ("A's subagent takes x", |b| ok(b.take("A/s", "x"))),
        ("B takes x", |b| ok(b.take("B", "x"))),
        ("B takes x and y", |b| {
            ok(b.ask("B", |l, a| l.take(&[Ask::key("", "x"), Ask::key("", "y")], "call", 1800, a)))
        }),
        ("B locks *", |b| ok(b.lock("B", "*", Mode::Exclusive))),
        ("A shares *", |b| ok(b.lock("A", "*", Mode::Shared))),
        ("A ends", |b| ok(b.release(&Release::Session(&SessionId::new("A")?)))),
        ("a minute passes", |b| {
            b.wait(61_000);
            Ok(())
        }),
        ("A is killed", |b| {
            b.dead.set(Some('A'));
            Ok(())
        }),
    ];
    let mut deaths = 0;
    for first in &steps {
        for second in &steps {
            for third in &steps {
                let mut point = 0;
                loop {
                    let b = Bench::new();
                    first.1(&b).expect("works");
                    second.1(&b).expect("works");
                    let high = b.list().iter().map(|l| l.fencing).max().unwrap_or(0);
                    let before = b.list();
                    crash::arm(point);
                    let result = third.1(&b);
                    let died = crash::disarm();
                    assert_eq!(died, result.is_err(), "{result:?}");
                    let what = format!("{}, {}, {} dying at {point}", first.0, second.0, third.0);
                    check(&b, &what);
                    // Whatever was new has a new number, and what counted before and was another's stands.
                    for lease in b.list() {
                        assert!(
                            lease.fencing > high || before.iter().any(|l| l.fencing == lease.fencing),
                            "{what}"
                        );
                    }
                    // The next one finds a table that works, and a number that is higher.
                    let all = b.list().iter().map(|l| l.fencing).max().unwrap_or(0);
                    b.wait(61_000);
                    b.dead.set(Some('A'));
                    let next = taken(b.take("C", "z/new"))[0].fencing;
                    assert!(next > all.max(high), "{what}: {next}");
                    check(&b, &what);
                    if !died {
                        break;
                    }
                    deaths += 1;
                    point += 1;
                }
            }
        }
    }
    assert!(deaths > 1000, "{deaths}");
}

/// What was planned with a file that somebody has set aside since is decided anew: `doctor` mends so, under the lock that was waited for.
#[cfg(unix)]
#[test]
fn what_was_set_aside_is_not_what_was_read() {
    let dir = tempfile::tempdir().expect("temp dir");
    let path = dir.path().join("00.jsonl");
    std::fs::write(&path, "{\"version\":1,\"compacted\":0}\n").expect("writes");
    let read = super::journal::Journal::read(path.clone()).expect("reads");
    assert!(read.is_current());
    let aside = dir.path().join("00.jsonl.damaged");
    std::fs::rename(&path, &aside).expect("sets aside");
    assert!(!read.is_current(), "it is gone");
    std::fs::copy(&aside, &path).expect("makes another");
    assert!(!read.is_current(), "another one is as long");
    std::fs::rename(&aside, &path).expect("puts it back");
    assert!(read.is_current());
}
