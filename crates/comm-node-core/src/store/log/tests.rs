use super::read::{CHUNK, LogReader, MAX_LINE, Piece, TOO_LONG};
use crate::store::{Event, Store};

struct Place {
    _dir: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        std::fs::create_dir_all(store.dir().join("log")).expect("makes");
        Self { _dir: dir, store }
    }

    fn put(&self, file: &str, text: &str) {
        std::fs::write(self.store.dir().join("log").join(file), text).expect("writes");
    }

    fn append(&self, text: &str) {
        use std::io::Write;
        let mut how = std::fs::OpenOptions::new();
        let path = self.store.log_path();
        how.append(true)
            .create(true)
            .open(path)
            .and_then(|mut f| f.write_all(text.as_bytes()))
            .expect("writes");
    }

    fn rotate(&self, name: &str) {
        std::fs::rename(self.store.log_path(), self.store.log_path().with_file_name(name)).expect("renames");
    }
}

fn line(n: usize) -> String {
    format!("{{\"t\":\"2026-01-01T00:00:00.000Z\",\"event\":\"e{n}\"}}\n")
}

fn lines(numbers: impl IntoIterator<Item = usize>) -> String {
    numbers.into_iter().map(line).collect()
}

/// What was shown: events by number, and damage as the byte it begins at.
fn collect<'s>(shown: &'s mut Vec<String>) -> impl FnMut(Piece<'_>) -> bool + 's {
    |piece| {
        shown.push(match piece {
            Piece::Line(line) => {
                let at = line.rfind("\"e").expect("an event") + 1;
                line[at..].trim_end_matches("\"}").to_owned()
            }
            Piece::Damaged { file, at, why } => {
                format!("{}@{at} {why}", file.file_name().unwrap_or_default().to_string_lossy())
            }
        });
        true
    }
}

fn all(log: &mut LogReader) -> Vec<String> {
    let mut shown = Vec::new();
    assert!(log.read(true, &mut collect(&mut shown)).expect("reads"));
    shown
}

fn followed(log: &mut LogReader) -> Vec<String> {
    let mut shown = Vec::new();
    assert!(log.follow(&mut collect(&mut shown)).expect("reads"));
    shown
}

#[test]
fn the_last_ones_across_rotations() {
    let place = Place::new();
    assert!(all(&mut place.store.read_log().expect("opens")).is_empty());
    place.put("events-200-1.jsonl", &lines(3..6));
    place.put("events-99-9.jsonl", &lines(0..3));
    place.put("events.jsonl", &lines(6..8));
    place.put("other.jsonl", "x\n");
    place.put("events-200-1.jsonl.damaged-7", "x\n");
    let names = |range: std::ops::Range<usize>| range.map(|n| format!("e{n}")).collect::<Vec<_>>();
    for count in 0..=9 {
        let mut log = place.store.read_log().expect("opens");
        log.start_before(Some(count), |_| true, |_| false).expect("reads");
        assert_eq!(all(&mut log), names(8usize.saturating_sub(count)..8), "{count}");
    }
    let mut log = place.store.read_log().expect("opens");
    log.start_before(Some(2), |line| line.contains("e1") || line.contains("e4"), |_| false).expect("reads");
    assert_eq!(all(&mut log), names(1..8));
    let mut log = place.store.read_log().expect("opens");
    log.start_before(None, |_| true, |line| line.contains("e4")).expect("reads");
    assert_eq!(all(&mut log), names(5..8));
}

#[test]
fn long_files_are_read_in_pieces() {
    let place = Place::new();
    let count = 5_000;
    let text = lines(0..count);
    assert!(text.len() > 3 * CHUNK);
    place.put("events.jsonl", &text);
    for last in [1, 1_000, 1_437, 4_999, 5_000] {
        let mut log = place.store.read_log().expect("opens");
        log.start_before(Some(last), |_| true, |_| false).expect("reads");
        let shown = all(&mut log);
        assert_eq!((shown.len(), shown[0].as_str()), (last, format!("e{}", count - last).as_str()));
    }
}

#[test]
fn what_is_damaged_is_named_with_its_place() {
    let place = Place::new();
    let torn = &line(1)[..30];
    let text = [
        line(0).as_bytes(),
        torn.as_bytes(),
        line(2).as_bytes(),
        b"\xff\xfe\n",
        b"[1]\n\n{\"t\":1,\"event\":\"x\"}\n",
        "x".repeat(MAX_LINE + CHUNK).as_bytes(),
        b"\n",
        line(3).as_bytes(),
        torn.as_bytes(),
    ]
    .concat();
    std::fs::write(place.store.log_path(), text).expect("writes");
    let at = line(0).len();
    let bad = at + torn.len() + line(2).len();
    let long = bad + 3 + 5 + "{\"t\":1,\"event\":\"x\"}\n".len();
    let end = long + MAX_LINE + CHUNK + 1 + line(3).len();
    let expected = [
        "e0".to_owned(),
        format!("events.jsonl@{at} it breaks off, and the next one follows"),
        "e2".to_owned(),
        format!("events.jsonl@{bad} it is not UTF-8 text"),
        format!("events.jsonl@{} it is no event", bad + 3),
        format!("events.jsonl@{} it is no event", bad + 3 + 5),
        format!("events.jsonl@{long} {TOO_LONG}"),
        "e3".to_owned(),
        format!("events.jsonl@{end} it breaks off"),
    ];
    let mut log = place.store.read_log().expect("opens");
    assert_eq!(all(&mut log), expected);
    let mut log = place.store.read_log().expect("opens");
    log.start_before(Some(3), |_| true, |_| false).expect("reads");
    assert_eq!(all(&mut log), expected);
}

#[test]
fn following_goes_across_rotations_and_late_writers() {
    let place = Place::new();
    place.put("events-50-1.jsonl", &lines(0..2));
    place.append(&lines(2..4));
    let mut log = place.store.read_log().expect("opens");
    log.start_before(Some(1), |_| true, |_| false).expect("reads");
    let mut shown = Vec::new();
    assert!(log.read(false, &mut collect(&mut shown)).expect("reads"));
    assert_eq!(shown, ["e3"]);
    assert!(followed(&mut log).is_empty());
    // Half a line is none until it has its end.
    let half = line(4);
    place.append(&half[..20]);
    assert!(followed(&mut log).is_empty());
    place.append(&half[20..]);
    assert_eq!(followed(&mut log), ["e4"]);
    // Rotated twice between two looks, and a writer that had opened the first file.
    let mut late = std::fs::OpenOptions::new().append(true).open(place.store.log_path()).expect("opens");
    place.append(&line(5));
    place.rotate("events-100-1.jsonl");
    place.append(&line(6));
    place.rotate("events-101-1.jsonl");
    place.append(&line(7));
    assert_eq!(followed(&mut log), ["e5", "e6", "e7"]);
    std::io::Write::write_all(&mut late, line(8).as_bytes()).expect("writes");
    place.append(&line(9));
    assert_eq!(followed(&mut log), ["e8", "e9"]);
    // Emptied by hand.
    place.put("events.jsonl", "");
    assert!(followed(&mut log).is_empty());
    place.append(&line(10));
    assert_eq!(followed(&mut log), ["e10"]);
    std::fs::remove_dir_all(place.store.dir().join("log")).expect("removes");
    assert!(followed(&mut log).is_empty());
    std::fs::create_dir(place.store.dir().join("log")).expect("makes");
    place.append(&line(11));
    assert_eq!(followed(&mut log), ["e11"]);
}

#[test]
fn what_the_store_writes_is_read() {
    let place = Place::new();
    place.store.log(&Event { event: "a \"b\"\n", note: "\u{1b}", ..Event::default() }).expect("logs");
    let mut lines = Vec::new();
    let mut log = place.store.read_log().expect("opens");
    let mut show = |piece: Piece<'_>| {
        lines.push(format!("{piece:?}"));
        true
    };
    assert!(log.read(true, &mut show).expect("reads"));
    assert!(lines.len() == 1 && lines[0].starts_with("Line("), "{lines:?}");
}

/// A process of its own, for the test below: writes events until it is killed, or nobody is there any more to do that.
#[cfg(unix)]
#[test]
fn writer() {
    let (Ok(dir), Ok(name)) = (std::env::var("COMM_NODE_TEST_LOG"), std::env::var("COMM_NODE_TEST_WRITER"))
    else {
        return;
    };
    let path = std::path::Path::new(&dir).join("events.jsonl");
    let parent = std::os::unix::process::parent_id();
    for n in 0.. {
        if std::os::unix::process::parent_id() != parent {
            return;
        }
        let note = format!("{name} {n}");
        super::append_within(&path, &[Event { event: "e", note: &note, ..Event::default() }], 32 << 10)
            .expect("logs");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// The writer and the number in an event of the writers above.
#[cfg(unix)]
fn written(line: &str) -> Option<(String, usize)> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    let (name, n) = event["note"].as_str()?.split_once(' ')?;
    Some((name.to_owned(), n.parse().ok()?))
}

/// Eight writers, each killed in the middle of whatever it does, over many rotations: the log has every line of
/// each of them without a gap, but for the one that it was writing when it was killed, and who follows it is shown each
/// once.
#[cfg(unix)]
#[test]
fn killed_writers_lose_nothing_and_followers_see_it_once() {
    use std::time::{Duration, Instant};
    const KILLS: usize = 100;
    let place = Place::new();
    let dir = place.store.dir().join("log");
    let start = |name: usize| {
        std::process::Command::new(std::env::current_exe().expect("a test"))
            .args(["--exact", "store::log::tests::writer", "--test-threads=1"])
            .env("COMM_NODE_TEST_LOG", &dir)
            .env("COMM_NODE_TEST_WRITER", name.to_string())
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("starts")
    };
    let mut log = place.store.read_log().expect("opens");
    let look = |log: &mut LogReader, followed: &mut Vec<(String, usize)>| {
        let mut show = |piece: Piece<'_>| match piece {
            Piece::Line(line) => {
                followed.push(written(line).expect("an event of ours"));
                true
            }
            Piece::Damaged { why, .. } => {
                // One that was killed left it, and another one wrote behind it.
                assert_eq!(why, "it breaks off, and the next one follows");
                true
            }
        };
        log.follow(&mut show).expect("follows");
    };
    let mut followed: Vec<(String, usize)> = Vec::new();
    let mut writers: Vec<std::process::Child> = (0..8).map(start).collect();
    let mut next = writers.len();
    let mut kill = |writer: &mut std::process::Child| {
        writer.kill().expect("kills");
        writer.wait().expect("ends");
    };
    while next < writers.len() + KILLS || followed.len() <= 2_000 {
        for writer in &mut writers {
            std::thread::sleep(Duration::from_millis(3 + (next as u64 * 7) % 11));
            // However busy the machine is: something was written since the last kill.
            let (before, patience) = (followed.len(), Instant::now() + Duration::from_secs(60));
            while followed.len() == before {
                assert!(Instant::now() < patience, "nobody writes any more, after {before} lines");
                look(&mut log, &mut followed);
            }
            kill(writer);
            // A kill between two pages of a line leaves its beginning. That is rare, so each eighth is made to.
            if next.is_multiple_of(8) {
                place.append(&line(next)[..30]);
            }
            *writer = start(next);
            next += 1;
        }
    }
    writers.iter_mut().for_each(&mut kill);
    look(&mut log, &mut followed);
    let mut found: Vec<(String, usize)> = Vec::new();
    let (mut files, mut remains) = (0, 0);
    for entry in std::fs::read_dir(&dir).expect("lists").flatten() {
        files += 1;
        let text = std::fs::read_to_string(entry.path()).expect("UTF-8");
        for (at, line) in text.split("{\"t\":\"").enumerate().filter(|(_, line)| !line.is_empty()) {
            match if at == 0 { None } else { written(&["{\"t\":\"", line].concat()) } {
                Some(event) if line.ends_with('\n') => found.push(event),
                _ => remains += 1,
            }
        }
    }
    assert!(files > 3, "{files} files");
    assert!((1..=2 * next).contains(&remains), "{remains} lines break off, and {next} writers were killed");
    // Each writer's lines are there from its first to its last, once.
    let mut by_writer: std::collections::BTreeMap<&str, Vec<usize>> = std::collections::BTreeMap::new();
    for (name, n) in &found {
        by_writer.entry(name).or_default().push(*n);
    }
    for (name, mut numbers) in by_writer {
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..numbers.len()), "writer {name} has gaps or doubles");
    }
    followed.sort_unstable();
    found.sort_unstable();
    assert_eq!(followed, found);
}
