//! What metering costs a hook, by the size of the transcript, and how fast the first pass is.
//!
//! Run with `cargo bench --bench metering` after building the programs, as [`latency`](latency.rs) is.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark reports and may stop"
)]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use comm_node_core::deadline::Deadline;
use comm_node_core::ledger::{Booking, Bound, Keys, Prices, Source};
use comm_node_core::session::SessionId;
use comm_node_core::store::Store;

/// Pairs measured per case.
const PAIRS: usize = 300;
const SESSION: &str = "5e551011-0000-4000-8000-000000000001";

fn main() {
    let top = tempfile::tempdir().unwrap();
    let top = top.path().canonicalize().unwrap();
    println!("{PAIRS} pairs per case; 10 kB new at each run\n");
    println!("| PostToolBatch, a transcript of | median µs | /bin/true µs | ratio |\n|---|---|---|---|");
    for (name, size) in
        [("200 kB", 200_000), ("2 MB", 2_000_000), ("20 MB", 20_000_000), ("200 MB", 200_000_000)]
    {
        case(&top, name, size);
    }
    first_pass(&top);
    memory(&top);
}

/// About `size` bytes of lines as the client writes them: one in five tells of a response.
fn write_lines(out: &mut impl Write, size: usize, from: usize) -> usize {
    let mut written = 0;
    let mut n = from;
    while written < size {
        let pad = "All work and no play makes Jack a dull boy. ".repeat(1 + n * 7 % 90);
        let line = if n.is_multiple_of(5) {
            format!(
                r#"{{"parentUuid":"{n}","isSidechain":false,"message":{{"content":[{{"text":"{pad}","type":"text"}}],"id":"msg_{n}","model":"claude-sonnet-4-5","role":"assistant","type":"message","usage":{{"input_tokens":1,"cache_creation_input_tokens":55,"cache_read_input_tokens":11,"output_tokens":101,"cache_creation":{{"ephemeral_1h_input_tokens":33,"ephemeral_5m_input_tokens":22}}}}}},"requestId":"req_{n}","type":"assistant","uuid":"{n}","timestamp":"2026-11-25T21:33:07.420Z","cwd":"/n","sessionId":"{SESSION}","version":"2.1.329"}}"#
            )
        } else {
            format!(
                r#"{{"parentUuid":"{n}","type":"user","message":{{"role":"user","content":[{{"type":"tool_result","content":"{pad}"}}]}},"uuid":"{n}","timestamp":"2026-11-25T21:33:07.420Z","sessionId":"{SESSION}"}}"#
            )
        };
        out.write_all(line.as_bytes()).unwrap();
        out.write_all(b"\n").unwrap();
        written += line.len() + 1;
        n += 1;
    }
    n
}

fn transcript(top: &Path, size: usize) -> (PathBuf, usize) {
    let dir = top.join(format!("t{size}"));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join(format!("{SESSION}.jsonl"));
    let mut out = BufWriter::new(File::create(&path).unwrap());
    let n = write_lines(&mut out, size, 0);
    out.flush().unwrap();
    (path, n)
}

/// A node with one bound session.
fn node(top: &Path, name: &str) -> PathBuf {
    let root = top.join(name);
    std::fs::create_dir_all(root.join(".git")).unwrap();
    std::fs::write(root.join("comm-node.yaml"), "version: 1\ndomains:\n  d: {scope: [\"d/**\"]}\n").unwrap();
    let compiled = Command::new(cli()).args(["compile", "--quiet"]).current_dir(&root).status().unwrap();
    assert!(compiled.success());
    let session = format!(
        r#"{{"version":1,"session_id":"{SESSION}","domain":"d","bound_by":"join","started":"2026-01-01T00:00:00.000Z"}}"#
    );
    std::fs::create_dir_all(root.join(".comm-node/sessions")).unwrap();
    std::fs::write(root.join(format!(".comm-node/sessions/{SESSION}.jsonl")), session).unwrap();
    root
}

fn cli() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_comm-node"))
}

fn hook(top: &Path) -> PathBuf {
    let dir = std::env::var_os("COMM_NODE_BENCH_BIN").map(PathBuf::from).unwrap_or_else(|| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/x86_64-unknown-linux-musl/release")
    });
    // In one piece, as the installer writes it.
    let built = dir.join("comm-node-post-tool-use");
    let copy = top.join("comm-node-post-tool-use");
    std::fs::write(&copy, std::fs::read(&built).expect("no release build")).unwrap();
    std::fs::set_permissions(&copy, std::fs::metadata(&built).unwrap().permissions()).unwrap();
    copy
}

fn input(root: &Path, path: &Path) -> String {
    format!(
        r#"{{"session_id":"{SESSION}","transcript_path":"{}","cwd":"{}","hook_event_name":"PostToolBatch","tool_calls":[{{"tool_name":"Read","tool_input":{{}},"tool_use_id":"toolu_1"}}]}}"#,
        path.display(),
        root.display()
    )
}

fn time(program: &Path, input: &str, cwd: &Path) -> f64 {
    let start = Instant::now();
    let mut child = Command::new(program)
        .current_dir(cwd)
        .env_clear()
        .env("CLAUDE_PROJECT_DIR", cwd)
        .env("HOME", cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait().unwrap();
    start.elapsed().as_secs_f64() * 1e6
}

fn responses(root: &Path) -> u64 {
    Store::new(root.join(".comm-node")).ledger().spent("d").unwrap().total.usage.responses
}

fn case(top: &Path, name: &str, size: usize) {
    let (path, mut n) = transcript(top, size);
    let root = node(top, &format!("n{size}"));
    let program = hook(top);
    let input = input(&root, &path);
    // The first pass, in as many looks as it takes.
    let mut before = u64::MAX;
    while responses(&root) != before {
        before = responses(&root);
        time(&program, &input, &root);
    }
    assert_eq!(before, (n as u64).div_ceil(5), "{name}");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let mut out = File::options().append(true).open(&path).unwrap();
        n = write_lines(&mut out, 10_000, n);
        drop(out);
        ours.push(time(&program, &input, &root));
        theirs.push(time(Path::new("/bin/true"), &input, &root));
    }
    assert_eq!(responses(&root), (n as u64).div_ceil(5), "{name}: no case may measure an error");
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    println!("| {name} | {ours:.0} | {theirs:.0} | {:.2} |", ours / theirs);
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn first_pass(top: &Path) {
    let (path, n) = transcript(top, 200_000_001);
    let size = path.metadata().unwrap().len();
    let prices = Prices::above([]);
    let keys = Keys { domain: "d".into(), ..Keys::default() };
    let mut best = f64::MAX;
    let source = Source::main(SessionId::new(SESSION).unwrap());
    for turn in 0..5 {
        let store = Store::new(top.join(format!("first-{turn}")));
        let mut booking = Booking {
            session: SESSION,
            subagent: false,
            keys: &keys,
            price: &mut |model, day, usage| prices.cost(model, day, usage),
            counts: &mut |_| true,
        };
        let start = Instant::now();
        // In steps of what a hook reads at once, as it would be without the start of a process for each.
        let bound = Bound { bytes: 8 << 20, deadline: Deadline::after(Duration::from_secs(600)) };
        while store.ledger().catch_up(&source, &path, 0, &mut booking, bound).unwrap().more {}
        best = best.min(start.elapsed().as_secs_f64());
        let spent = store.ledger().spent("d").unwrap();
        assert_eq!(spent.total.usage.responses, (n as u64).div_ceil(5));
    }
    println!(
        "\nfirst pass of {} MB, in the page cache: {:.0} MB/s",
        size / 1_000_000,
        size as f64 / 1e6 / best
    );
}

/// Runs the hook with 10 MiB of address space, on a file with a line of 6 MB.
fn memory(top: &Path) {
    let dir = top.join("memory");
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join(format!("{SESSION}.jsonl"));
    let mut out = BufWriter::new(File::create(&path).unwrap());
    let n = write_lines(&mut out, 3_000_000, 0);
    writeln!(out, "{{\"x\":\"{}\"}}", "x".repeat(6_000_000)).unwrap();
    let n = write_lines(&mut out, 3_000_000, n);
    out.flush().unwrap();
    let root = node(top, "nm");
    let program = hook(top);
    let input = input(&root, &path);
    for limit_kib in [10_240, 8_192, 6_144, 4_096] {
        let _ = std::fs::remove_dir_all(root.join(".comm-node/ledger"));
        for _ in 0..8 {
            let mut child = Command::new("sh")
                .args(["-c", &format!("ulimit -v {limit_kib}; exec \"$0\""), program.to_str().unwrap()])
                .current_dir(&root)
                .env("CLAUDE_PROJECT_DIR", &root)
                .env("HOME", &root)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
            child.wait().unwrap();
        }
        let done = responses(&root) == (n as u64).div_ceil(5);
        println!(
            "with {limit_kib} KiB of address space: {}",
            if done { "all counted" } else { "not enough" }
        );
    }
}
