//! Files that grow, are torn, cut and replaced.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use super::*;

/// A transcript on disk and its record.
struct Case {
    _dir: tempfile::TempDir,
    path: PathBuf,
    record: Record,
    subagent: bool,
    /// How much one look may read.
    bytes: u64,
}

impl Case {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("s.jsonl");
        Self { _dir: dir, path, record: Record::new(), subagent: false, bytes: u64::MAX }
    }

    fn write(&self, text: &[u8]) {
        std::fs::write(&self.path, text).expect("writes");
    }

    fn append(&self, text: &[u8]) {
        let mut file = File::options().append(true).create(true).open(&self.path).expect("opens");
        file.write_all(text).expect("writes");
    }

    fn look(&mut self) -> Progress {
        let mut file = File::open(&self.path).expect("opens");
        let keys = Keys { domain: "d".into(), ..Keys::default() };
        let mut booking = Booking {
            session: "s",
            subagent: self.subagent,
            keys: &keys,
            price: &mut |_, _, usage| Some(usage.output_tokens),
            counts: &mut |_| true,
        };
        let bound = Bound { bytes: self.bytes, deadline: Deadline::after(Duration::from_secs(60)) };
        self.record.read_on(&mut file, &mut booking, bound).expect("reads")
    }

    /// Output tokens and responses so far, after looking again.
    fn sum(&mut self) -> (u64, u64) {
        self.look();
        let total = self.record.account("d").total;
        assert_eq!(total.pico_usd, total.usage.output_tokens);
        (total.usage.output_tokens, total.usage.responses)
    }
}

fn line(id: u64, output: u64, second: u64) -> Vec<u8> {
    padded(id, output, second, 0)
}

fn padded(id: u64, output: u64, second: u64, pad: usize) -> Vec<u8> {
    let pad = "x".repeat(pad);
    format!(
        "{{\"type\":\"assistant\",\"pad\":\"{pad}\",\"sessionId\":\"s\",\"timestamp\":\"2026-11-25T10:{:02}:{:02}.000Z\",\"message\":{{\"id\":\"m{id}\",\"model\":\"x\",\"usage\":{{\"output_tokens\":{output}}}}}}}\n",
        second / 60,
        second % 60
    )
    .into_bytes()
}

#[test]
fn every_way_to_cut_a_file_into_looks_gives_the_same() {
    let text: Vec<u8> =
        [line(1, 1, 1), line(1, 10, 1), line(2, 100, 2), b"{\"type\":\"x\"}\n".to_vec(), line(3, 1000, 3)]
            .concat();
    for cut in 0..=text.len() {
        let mut case = Case::new();
        case.write(&text[..cut]);
        case.look();
        let before = case.record.offset;
        assert!(
            before <= cut as u64
                && (before == 0 || text[usize::try_from(before).expect("small") - 1] == b'\n')
        );
        case.append(&text[cut..]);
        assert_eq!(case.sum(), (1110, 3), "cut at {cut}");
        assert_eq!(case.look(), Progress::default());
    }
}

#[test]
fn a_torn_last_line_waits_for_its_end() {
    let mut case = Case::new();
    let second = line(2, 20, 2);
    case.write(&[line(1, 1, 1), second[..second.len() - 1].to_vec()].concat());
    assert_eq!(case.sum(), (1, 1));
    case.append(b"\n");
    assert_eq!(case.sum(), (21, 2));
}

#[test]
fn bounded_looks_read_it_all_in_the_end() {
    let mut case = Case::new();
    case.write(&(0..2000).flat_map(|n| padded(n, 1, n % 60, 500)).collect::<Vec<u8>>());
    case.bytes = 100_000;
    let mut looks = 0;
    while case.look().more {
        looks += 1;
        assert!(looks < 100);
    }
    assert!(looks > 2);
    assert_eq!(case.sum(), (2000, 2000));
}

#[test]
fn long_lines_are_read_and_those_beyond_the_bound_are_passed_over() {
    for bytes in [u64::MAX, 1 << 20] {
        let mut case = Case::new();
        case.bytes = bytes;
        case.write(&[line(1, 1, 1), padded(2, 10, 2, 1_200_000), line(3, 100, 3)].concat());
        while case.look().more {}
        assert_eq!(case.sum(), (111, 3));
        case.append(&padded(4, 1000, 4, 6 << 20));
        while case.look().more {}
        case.append(&line(5, 10_000, 5));
        assert_eq!(case.sum(), (10_111, 4));
        assert!(!case.record.skipping);
    }
}

#[test]
fn a_file_that_is_cut_or_replaced_counts_what_is_new_in_it() {
    let many = |from: u64, to: u64| (from..to).flat_map(|n| line(n, 1, n)).collect::<Vec<u8>>();
    // Cut, and written on: what was there before is not counted again, however long ago.
    let mut case = Case::new();
    case.write(&many(0, 100));
    assert_eq!(case.sum(), (100, 100));
    case.write(&many(0, 50));
    assert_eq!(case.sum(), (100, 100));
    case.append(&many(100, 110));
    assert_eq!(case.sum(), (110, 110));
    // Another file, longer than the first: its old part was counted, its new part is not.
    case.write(&[b"{\"type\":\"summary\"}\n".to_vec(), many(30, 200)].concat());
    assert_eq!(case.sum(), (200, 200));
    // Emptied.
    case.write(b"");
    assert_eq!(case.sum(), (200, 200));
    case.append(&many(200, 201));
    assert_eq!(case.sum(), (201, 201));
}

/// Whoever writes into a transcript can neither push today out of the tally, nor have what follows a cut passed over.
#[test]
fn what_claims_to_be_of_tomorrow_is_of_today() {
    let future = |id: u64, day: u64| {
        let text = String::from_utf8(line(id, 1, id)).expect("UTF-8");
        text.replace("2026-11-25T", &format!("9999-12-{day}T")).into_bytes()
    };
    let mut case = Case::new();
    case.write(&[future(1, 28), future(2, 29), future(3, 30), future(4, 31)].concat());
    assert_eq!(case.sum(), (4, 4));
    let account = case.record.account("d");
    assert_eq!(account.days.keys().map(String::as_str).collect::<Vec<_>>(), [today()]);
    case.write(b"");
    assert_eq!(case.sum(), (4, 4));
    case.append(&line(5, 100, 5));
    assert_eq!(case.sum(), (104, 5));
}

#[test]
fn what_was_before_the_session_or_is_somebody_elses_is_not_counted() {
    let mut case = Case::new();
    case.record.since_ms = clock::parse_rfc3339("2026-11-25T10:00:30.000Z").expect("valid");
    let foreign = String::from_utf8(line(9, 7, 50)).expect("text").replace("\"s\"", "\"other\"");
    case.write(&[line(1, 1, 29), line(1, 1, 31), line(2, 10, 30), foreign.into_bytes()].concat());
    // The second line of the first response is later, and still the same response.
    assert_eq!(case.sum(), (10, 1));
}

#[test]
fn a_forked_subagents_first_response_is_its_parents() {
    let root = |line: Vec<u8>| {
        String::from_utf8(line).expect("text").replacen('{', "{\"parentUuid\":null,", 1).into_bytes()
    };
    let text = [root(line(1, 1, 1)), line(1, 1, 1), line(2, 10, 2)].concat();
    let mut case = Case::new();
    case.subagent = true;
    case.write(&text);
    assert_eq!(case.sum(), (10, 1));
    // Control: at the beginning of a main loop's transcript it counts.
    let mut case = Case::new();
    case.write(&text);
    assert_eq!(case.sum(), (11, 2));
}
