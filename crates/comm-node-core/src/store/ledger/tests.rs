use std::time::Duration;

use super::*;
use crate::ledger::{Keys, Spend, Usage};
use crate::store::crash;

fn setup() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = Store::new(dir.path().join("state"));
    (dir, store)
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

fn source(session: &str) -> Source {
    Source::main(SessionId::new(session).expect("valid"))
}

fn keys(domain: &str, task: &str) -> Keys {
    Keys { domain: domain.into(), task: task.into(), day: "2026-11-25".into(), ..Keys::default() }
}

fn spend(output: u64) -> Spend {
    Spend { usage: Usage { output_tokens: output, responses: 1, ..Usage::default() }, ..Spend::default() }
}

fn book(store: &Store, source: &Source, key: u64, keys: &Keys, output: u64) -> Result<()> {
    let books = store.ledger().open(soon())?;
    let old = books.ledger().record(source)?.unwrap_or_else(Record::new);
    let mut new = old;
    new.book(key, keys, spend(output));
    new.offset += 100;
    books.put(source, new)
}

fn output(store: &Store, domain: &str) -> u64 {
    store.ledger().spent(domain).expect("reads").total.usage.output_tokens
}

#[test]
fn sessions_add_up_in_their_domain() {
    let (_dir, store) = setup();
    assert_eq!(output(&store, "backend"), 0);
    assert!(!store.dir().exists());
    let [one, two] = ["s1", "s2"].map(source);
    book(&store, &one, 1, &keys("backend", "a"), 1).expect("books");
    book(&store, &two, 2, &keys("backend", "b"), 2).expect("books");
    book(&store, &one, 3, &keys("frontend", ""), 4).expect("books");
    book(&store, &one, 3, &keys("frontend", ""), 5).expect("books");
    book(&store, &one, 4, &keys("", ""), 8).expect("books");
    book(&store, &one, 5, &keys("../x", ""), 16).expect("books");
    assert_eq!((output(&store, "backend"), output(&store, "frontend")), (3, 5));
    assert_eq!(store.ledger().spent("backend").expect("reads").task("b").usage.output_tokens, 2);
    assert_eq!(store.ledger().domains(), ["backend", "frontend"]);
    assert_eq!(store.ledger().survey().sources, [one, two]);
}

#[test]
fn closing_changes_no_sum_and_what_is_closed_may_grow() {
    let (_dir, store) = setup();
    let one = source("s1");
    for (key, want) in [(1, 1), (2, 3), (3, 6)] {
        book(&store, &one, key, &keys("backend", "a"), key).expect("books");
        assert_eq!(output(&store, "backend"), want);
        let books = store.ledger().open(soon()).expect("opens");
        for _ in 0..2 {
            books.close(&one).expect("closes");
            assert_eq!(output(&store, "backend"), want);
        }
        assert!(books.ledger().tally("backend").expect("reads").expect("there").open.is_empty());
        let records = [(one.clone(), books.ledger().record(&one).expect("reads").expect("there"))];
        assert_eq!(
            books.rebuild("backend", &records, &Unread::default(), &|_| true).expect("is right"),
            Rebuilt::Same
        );
    }
}

/// Dies at every point of every kind of write, goes on, and compares.
#[test]
fn whoever_dies_loses_nothing_and_doubles_nothing() {
    let mut points = 0;
    for closed in [false, true] {
        for point in 0.. {
            let (_dir, store) = setup();
            let one = source("s1");
            book(&store, &one, 1, &keys("backend", "a"), 1).expect("books");
            book(&store, &one, 2, &keys("frontend", ""), 2).expect("books");
            if closed {
                store.ledger().open(soon()).expect("opens").close(&one).expect("closes");
            }
            let offset = |store: &Store| store.ledger().record(&one).expect("reads").expect("there").offset;
            let before = offset(&store);
            crash::arm(point);
            let died = book(&store, &one, 3, &keys("backend", "a"), 4).is_err();
            assert_eq!(died, crash::disarm());
            points += u32::from(died);
            // As a reader of transcripts would: again, if it is not on record how far was read.
            if offset(&store) == before {
                book(&store, &one, 3, &keys("backend", "a"), 4).expect("books");
            }
            crash::arm(point);
            let closing = store.ledger().open(soon()).and_then(|books| books.close(&one));
            assert_eq!(closing.is_err(), crash::disarm());
            book(&store, &one, 4, &keys("backend", "a"), 8).expect("books");
            book(&store, &one, 5, &keys("frontend", "a"), 16).expect("books");
            let sums = (output(&store, "backend"), output(&store, "frontend"));
            assert_eq!(sums, (13, 18), "{closed} {point}");
            store.ledger().open(soon()).expect("opens").close(&one).expect("closes");
            let sums = (output(&store, "backend"), output(&store, "frontend"));
            assert_eq!(sums, (13, 18), "{closed} {point}");
            if !died {
                break;
            }
        }
    }
    // Open: before and in the middle of both lines. Closed: four files that are replaced.
    assert_eq!(points, 4 + 4);
}

/// What a writer leaves that died in the middle of a line is not read, and the next line does not stick to it.
#[test]
fn a_line_without_its_end_counts_nothing() {
    let (_dir, store) = setup();
    let one = source("s1");
    for key in 1..4 {
        book(&store, &one, key, &keys("backend", "a"), 1).expect("books");
    }
    let paths = [store.ledger().record_path(&one), store.ledger().tally_path("backend")];
    for path in &paths {
        let text = std::fs::read_to_string(path).expect("reads");
        assert!(text.lines().count() > 1, "appended, not replaced: {text}");
        let last = text.lines().last().expect("a line");
        for torn in [&last[..last.len() - 1], &last[..1], "\0\0\0"] {
            let text = format!("{text}{}", torn.replace("\"output_tokens\":", "\"output_tokens\":9"));
            std::fs::write(path, text).expect("writes");
            assert_eq!(output(&store, "backend"), 3, "{torn}");
        }
    }
    book(&store, &one, 4, &keys("backend", "a"), 1).expect("books");
    assert_eq!(output(&store, "backend"), 4);
    for path in &paths {
        assert_eq!(std::fs::read_to_string(path).expect("reads").lines().count(), 1, "{path:?}");
    }
    assert_eq!(store.ledger().record(&one).expect("reads").expect("there").rows[0].spend.usage.responses, 4);
}

/// A file that was appended to for long says what one line would, and does not grow for ever.
#[test]
fn many_lines_are_as_one_line() {
    let (_dir, store) = setup();
    let one = source("s1");
    let mut expected = Record::new();
    let path = store.ledger().record_path(&one);
    let (mut replaced, mut before) = (0, 0);
    for n in 0..400 {
        let task = ["a", "b", ""][n as usize % 3];
        book(&store, &one, n / 2, &keys("backend", task), n).expect("books");
        expected.book(n / 2, &keys("backend", task), spend(n));
        expected.offset += 100;
        assert_eq!(store.ledger().record(&one).expect("reads").as_ref(), Some(&expected), "{n}");
        let sum = expected.rows.iter().map(|row| row.spend.usage.output_tokens).sum::<u64>();
        assert_eq!(output(&store, "backend"), sum);
        let size = path.metadata().expect("is there").len();
        replaced += u32::from(size < before);
        before = size;
        assert!(size < 40_000, "{size}");
    }
    assert!((4..40).contains(&replaced), "{replaced}");
}

/// What is appended goes nowhere else, even if a link stands in the place of a directory.
#[cfg(unix)]
#[test]
fn nothing_is_appended_through_a_link() {
    for linked in ["ledger", "ledger/sessions", "ledger/sessions/s1", "ledger/domains"] {
        let (dir, store) = setup();
        let one = source("s1");
        book(&store, &one, 1, &keys("backend", ""), 1).expect("books");
        let (real, elsewhere) = (store.dir().join(linked), dir.path().join("elsewhere"));
        std::fs::rename(&real, &elsewhere).expect("moves");
        std::os::unix::fs::symlink(&elsewhere, &real).expect("links");
        let told = book(&store, &one, 2, &keys("backend", ""), 1);
        assert!(matches!(told, Err(Error::Untrusted { .. })), "{linked}: {told:?}");
    }
}

#[test]
fn a_damaged_tally_is_set_aside_and_made_again() {
    let (_dir, store) = setup();
    let one = source("s1");
    book(&store, &one, 1, &keys("backend", "a"), 1).expect("books");
    let path = store.ledger().tally_path("backend");
    std::fs::write(&path, "{").expect("writes");
    assert!(matches!(store.ledger().spent("backend"), Err(Error::Damaged { .. })));
    assert!(book(&store, &one, 2, &keys("backend", "a"), 2).is_err());
    let books = store.ledger().open(soon()).expect("opens");
    let records = [(one.clone(), books.ledger().record(&one).expect("reads").expect("there"))];
    assert_eq!(
        books.rebuild("backend", &records, &Unread::default(), &|_| false).expect("rebuilds"),
        Rebuilt::Made
    );
    assert_eq!(output(&store, "backend"), 1);
    drop(books);
    book(&store, &one, 2, &keys("backend", "a"), 2).expect("books");
    assert_eq!(output(&store, "backend"), 3);
    let beside = std::fs::read_dir(path.parent().expect("parent")).expect("lists").count();
    assert_eq!(beside, 2);
}

/// The line of response `id`, `second` seconds after midnight.
fn line(id: u64, second: u64) -> String {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{{\"type\":\"assistant\",\"timestamp\":\"2026-11-25T{hour:02}:{minute:02}:{second:02}.000Z\",\"message\":{{\"id\":\"m{id}\",\"model\":\"x\",\"usage\":{{\"output_tokens\":1}}}}}}\n"
    )
}

fn lines(ids: impl IntoIterator<Item = u64>) -> String {
    ids.into_iter().map(|id| line(id, id)).collect()
}

/// Looks at the transcript at `path` once.
fn look(store: &Store, source: &Source, path: &Path, bytes: u64) -> Result<Progress> {
    let keys = keys("backend", "");
    let mut booking = Booking {
        session: source.session.as_str(),
        subagent: false,
        keys: &keys,
        price: &mut |_, _, _| Some(0),
        counts: &mut |_| true,
    };
    store.ledger().catch_up(source, path, 0, &mut booking, Bound { bytes, deadline: soon() })
}

/// How many responses are counted once the transcript at `path` was read to its end.
fn counted(store: &Store, source: &Source, path: &Path) -> u64 {
    while look(store, source, path, 100_000).expect("looks").more {}
    store.ledger().spent("backend").expect("reads").total.usage.responses
}

#[test]
fn a_response_counts_once_however_many_came_since() {
    for n in [25, 3_000] {
        let (dir, store) = setup();
        let (one, path) = (source("s1"), dir.path().join("s1.jsonl"));
        let mut text = lines(0..n);
        std::fs::write(&path, &text).expect("writes");
        assert_eq!(counted(&store, &one, &path), n);
        // At once, and each by itself; with its own time, and with that of now.
        text += &lines(0..n);
        text += &line(0, n + 1);
        std::fs::write(&path, &text).expect("writes");
        assert_eq!(counted(&store, &one, &path), n);
        for id in (0..n).step_by(97) {
            text += &line(id, n + 2);
            std::fs::write(&path, &text).expect("writes");
            assert_eq!(counted(&store, &one, &path), n, "{id}");
        }
        text += &lines(n..n + 5);
        std::fs::write(&path, &text).expect("writes");
        assert_eq!(counted(&store, &one, &path), n + 5);
        let ids = store.ledger().ids_path(&one).metadata().expect("is there").len();
        assert_eq!(ids, 8 * (n + 6));
    }
}

/// A directory or a link in the place of what was counted keeps nothing that is new from being counted.
#[cfg(unix)]
#[test]
fn what_is_no_file_in_the_place_of_what_was_counted_stops_no_booking() {
    for (kind, first) in [("directory", 0), ("directory", 40), ("link", 0), ("link", 40)] {
        let (dir, store) = setup();
        let (one, path) = (source("s1"), dir.path().join("s1.jsonl"));
        std::fs::write(&path, lines(0..first)).expect("writes");
        assert_eq!(counted(&store, &one, &path), first);
        let ids = store.ledger().ids_path(&one);
        let _ = std::fs::remove_file(&ids);
        std::fs::create_dir_all(ids.parent().expect("has one")).expect("makes");
        match kind {
            "directory" => std::fs::create_dir(&ids).expect("makes"),
            _ => std::os::unix::fs::symlink(dir.path().join("elsewhere"), &ids).expect("links"),
        }
        std::fs::write(&path, lines(0..first + 30)).expect("writes");
        assert_eq!(counted(&store, &one, &path), first + 30, "{kind}, {first}");
        assert!(ids.symlink_metadata().expect("is there").is_file(), "{kind}, {first}");
        assert!(!dir.path().join("elsewhere").exists());
    }
}

/// Another file in the place of the first, or the same session in two places: what is new counts, and nothing twice.
#[test]
fn a_file_that_is_replaced_counts_what_was_not_counted() {
    let (dir, store) = setup();
    let (one, path) = (source("s1"), dir.path().join("s1.jsonl"));
    let write = |text: &str| std::fs::write(&path, text).expect("writes");
    // Shorter than what tells one file from another, and of an earlier time than what was counted.
    write(&line(100, 100));
    assert!(path.metadata().expect("there").len() < 256);
    assert_eq!(counted(&store, &one, &path), 1);
    write(&lines(0..50));
    assert_eq!(counted(&store, &one, &path), 51);
    // It only grows: that is no other file.
    write(&lines(0..60));
    assert_eq!(counted(&store, &one, &path), 61);
    write(&lines(200..300));
    assert_eq!(counted(&store, &one, &path), 161);
    let other = dir.path().join("elsewhere.jsonl");
    std::fs::write(&other, lines((90..110).chain([5, 250]))).expect("writes");
    for _ in 0..3 {
        assert_eq!(counted(&store, &one, &other), 161 + 19);
        assert_eq!(counted(&store, &one, &path), 161 + 19);
    }
    write("");
    assert_eq!(counted(&store, &one, &path), 180);
    write(&lines(0..1));
    assert_eq!(counted(&store, &one, &path), 180);
}

/// Where nobody knows any more what was counted, what is older than the latest was.
#[test]
fn responses_that_are_lost_from_the_record_do_not_count_twice() {
    for how in ["gone", "cut", "made up", "of an earlier version"] {
        let (dir, store) = setup();
        let (one, path) = (source("s1"), dir.path().join("s1.jsonl"));
        std::fs::write(&path, lines(0..40)).expect("writes");
        assert_eq!(counted(&store, &one, &path), 40);
        let ids = store.ledger().ids_path(&one);
        match how {
            "gone" => std::fs::remove_file(&ids).expect("removes"),
            "cut" => std::fs::write(&ids, [0; 100]).expect("writes"),
            "made up" => std::fs::write(&ids, [255; 400]).expect("writes"),
            _ => {
                std::fs::remove_file(&ids).expect("removes");
                let record = Record { ids: 0, ..store.ledger().record(&one).expect("reads").expect("there") };
                store.ledger().open(soon()).expect("opens").put(&one, record).expect("writes");
            }
        }
        std::fs::write(&path, lines(1..42)).expect("writes");
        assert_eq!(counted(&store, &one, &path), 42, "{how}");
        std::fs::write(&path, lines(2..43)).expect("writes");
        assert_eq!(counted(&store, &one, &path), 43, "{how}");
    }
}

/// Dies at every point of a look, goes on, and then reads it all once more.
#[test]
fn whoever_dies_in_a_look_counts_each_response_once() {
    let mut points = 0;
    for point in 0.. {
        let (dir, store) = setup();
        let (one, path) = (source("s1"), dir.path().join("s1.jsonl"));
        std::fs::write(&path, lines(0..1_000)).expect("writes");
        assert_eq!(counted(&store, &one, &path), 1_000);
        std::fs::write(&path, lines(0..1_100)).expect("writes");
        crash::arm(point);
        let died = look(&store, &one, &path, u64::MAX).is_err();
        assert_eq!(died, crash::disarm());
        points += u32::from(died);
        std::fs::write(&path, lines(0..1_101)).expect("writes");
        assert_eq!(counted(&store, &one, &path), 1_101, "{point}");
        std::fs::write(&path, lines((0..1_102).rev())).expect("writes");
        assert_eq!(counted(&store, &one, &path), 1_102, "{point}");
        if !died {
            break;
        }
    }
    // Before and in the middle of the responses, and of both lines.
    assert_eq!(points, 6);
}
