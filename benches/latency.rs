//! Whole hook processes, as the client starts them, each paired with `/bin/true` in the same run.
//!
//! Every figure is the ratio of two medians taken in turn in one loop, so that the machine's mood
//! falls on both alike. Run with `just bench` (or `cargo bench --bench latency`), after building the
//! programs; `COMM_NODE_BENCH_BIN` names their directory.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark reports and may stop"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use comm_node_core::clock::Now;
use comm_node_core::deadline::Deadline;
use comm_node_core::lease::{Ask, Holder};
use comm_node_core::node::registry::{
    Domain, Layout, Mode, Pattern, Policy, Registry, Roles, SourceId, VERSION,
};
use comm_node_core::process::{Liveness, ProcessId};
use comm_node_core::session::{BoundBy, Session, SessionId};
use comm_node_core::store::{Asking, Outcome, Store};
use comm_node_core::text::{self, Text};

/// Pairs measured per case.
const PAIRS: usize = 400;

struct Case {
    name: &'static str,
    program: &'static str,
    /// The input of the n-th run.
    input: Box<dyn Fn(usize) -> String>,
    cwd: PathBuf,
    /// What stdout must contain, so that no case measures an error.
    expect: Option<&'static str>,
    goal: f64,
}

const GUARD: &str = "comm-node-pre-tool-use";
const DENY: Option<&str> = Some("\"permissionDecision\":\"deny\"");

/// Everyday commands, all of them let through without a word.
const SHELL: [(&str, &str); 10] = [
    ("Bash, `ls -la`", "ls -la"),
    ("Bash, `git status`", "git status"),
    ("Bash, `cd … && cargo test … | tail`", "cd d0 && cargo test 2>&1 | tail -20"),
    ("Bash, `cat > … <<EOF`", "cat > d0/src/x.rs <<'EOF'\nfn main() {\n    println!(\"x\");\n}\nEOF"),
    ("Bash, `sed -i`", "sed -i 's/main/start/g' d0/src/a/b.rs"),
    ("Bash, `grep -rn … | head`", "grep -rn --include='*.rs' 'fn main' d0 | head -20"),
    ("Bash, `for … do … done`", "for f in d0/src/*.rs; do echo \"$f\"; wc -l \"$f\"; done"),
    (
        "Bash, `git add … && git commit`",
        "git add d0/src/a/b.rs && git commit -m \"$(cat <<'EOF'\nfeat: a thing (and more)\n\nIt's done.\nEOF\n)\"",
    ),
    ("Bash, `python3 - <<EOF`", "python3 - <<'EOF'\nimport json\nprint(json.dumps({'a': [1, 2]}))\nEOF"),
    ("Bash, `npx prettier --write`", "npx prettier --write d0/src"),
];

fn main() {
    let top = tempfile::tempdir().unwrap();
    let top = top.path().canonicalize().unwrap();
    let bin = installed(&bin_dir(), &top);
    let empty = top.join("no/node/in/this/place");
    std::fs::create_dir_all(&empty).unwrap();
    let five = node(&top.join("five"), 5);
    let hundred = node(&top.join("hundred"), 100);
    let thousand = leased(node(&top.join("thousand"), 20), 1_000);
    let many = leased(node(&top.join("many"), 20), 10_000);
    let guard = |name, root: &Path, path: &'static str, expect, goal| {
        let (cwd, root) = (root.to_path_buf(), root.to_path_buf());
        let input =
            Box::new(move |n: usize| write_call("PreToolUse", &root, &path.replace("{n}", &n.to_string())));
        Case { name, program: GUARD, input, cwd, expect, goal }
    };
    let prompt = |name, root: &Path, goal| {
        let (cwd, root) = (root.to_path_buf(), root.to_path_buf());
        let input = Box::new(move |_| call("UserPromptSubmit", &root, r#","prompt":"go""#));
        Case { name, program: "comm-node-user-prompt-submit", input, cwd, expect: None, goal }
    };
    let own = "d0/src/a/b.rs";
    let bash = |(name, command): (&'static str, &'static str)| {
        // Each call has an id of its own, as it has in the client: to replace a record waits for the disk.
        let root = five.clone();
        let id = move |n| format!("toolu_{n}_{}", command.len());
        let input = Box::new(move |n| bash_call("PreToolUse", &root, command, &id(n)));
        Case { name, program: GUARD, input, cwd: five.clone(), expect: None, goal: 0.60 }
    };
    let mut cases = vec![
        prompt("UserPromptSubmit, no node", &empty, 0.30),
        guard("PreToolUse, no node", &empty, "a/b.rs", None, 0.30),
        prompt("UserPromptSubmit, 5 domains, quiet", &five, 0.40),
        guard("PreToolUse, 5 domains, allow", &five, own, None, 0.40),
        guard("PreToolUse, 5 domains, deny", &five, "d3/src/a/b.rs", DENY, 0.40),
        guard("PreToolUse, 100 domains, allow", &hundred, own, None, 0.55),
        guard("PreToolUse, 100 domains, deny", &hundred, "d97/src/a/b.rs", DENY, 0.55),
        guard("PreToolUse, 1,000 leases, held", &thousand, own, None, 0.55),
        guard("PreToolUse, 10,000 leases, held", &many, own, None, 0.80),
        guard("PreToolUse, 10,000 leases, another's", &many, "d0/src/foreign7.rs", DENY, 0.80),
        guard("PreToolUse, 1,000 leases, a new one", &thousand, "d0/src/new{n}.rs", None, 1.0),
        guard("PreToolUse, 10,000 leases, a new one", &many, "d0/src/new{n}.rs", None, 1.0),
        Case {
            name: "PostToolUse, 5 domains",
            program: "comm-node-post-tool-use",
            input: {
                let root = five.clone();
                Box::new(move |_| write_call("PostToolUse", &root, "d0/src/a/b.rs"))
            },
            cwd: five.clone(),
            expect: None,
            goal: 0.60,
        },
    ];
    cases.extend(SHELL.map(bash));
    cases.push(Case {
        name: "PostToolUse, `ls`",
        program: "comm-node-post-tool-use",
        input: {
            let input = bash_call("PostToolUse", &five, "ls -la", "toolu_2");
            Box::new(move |_| input.clone())
        },
        cwd: five.clone(),
        expect: None,
        goal: 0.60,
    });
    println!("{PAIRS} pairs per case; ratio to /bin/true started the same way in the same loop\n");
    println!("| case | median µs | /bin/true µs | ratio | p95 ratio | goal | |");
    println!("|---|---|---|---|---|---|---|");
    for case in &cases {
        measure(&bin, case);
    }
    println!("\n| program | bytes |\n|---|---|");
    for program in [GUARD, "comm-node-session-start", "comm-node-post-tool-use"] {
        println!("| {program} | {} |", std::fs::metadata(bin.join(program)).unwrap().len());
    }
    println!("\n| context | characters | estimated tokens | goal |\n|---|---|---|---|");
    let twenty = node(&top.join("twenty"), 20);
    for (domains, root, goal) in [(5, &five, 250), (20, &twenty, 500), (100, &hundred, 500)] {
        let input = call("SessionStart", root, r#","source":"startup""#);
        let out = run_once(&bin.join("comm-node-session-start"), &input, root);
        let brief = context_of(&out);
        println!(
            "| brief, {domains} domains | {} | {} | {goal} |",
            brief.chars().count(),
            text::estimate_tokens(&brief)
        );
    }
    let quiet =
        run_once(&bin.join("comm-node-user-prompt-submit"), &call("UserPromptSubmit", &five, ""), &five);
    println!("| quiet turn (UserPromptSubmit) | {0} | {0} | 0 |", quiet.len());
    at_once(&bin, &many);
}

/// A call of the Bash tool.
fn bash_call(event: &str, root: &Path, command: &str, id: &str) -> String {
    let command = serde_json::Value::from(command);
    let answer = match event {
        "PostToolUse" => r#","tool_response":{"stdout":"a\nb\n","stderr":"","interrupted":false}"#,
        _ => "",
    };
    let more = format!(
        r#","tool_name":"Bash","tool_input":{{"command":{command},"description":"x"}}{answer},"tool_use_id":"{id}""#
    );
    call(event, root, &more)
}

/// 64 hooks at once, each taking a lease of its own: how long the slowest wait.
fn at_once(bin: &Path, root: &Path) {
    const HOOKS: usize = 64;
    const ROUNDS: usize = 10;
    let mut times = Vec::with_capacity(HOOKS * ROUNDS);
    for round in 0..ROUNDS {
        let started: Vec<_> = (0..HOOKS)
            .map(|i| {
                let (program, root) = (bin.join(GUARD), root.to_path_buf());
                let input = write_call("PreToolUse", &root, &format!("d0/src/at-once-{round}-{i}.rs"));
                std::thread::spawn(move || time(&program, &input, &root) / 1000.0)
            })
            .collect();
        times.extend(started.into_iter().map(|t| t.join().unwrap()));
    }
    println!(
        "\n| {HOOKS} hooks at once, 10,000 leases, each a new one | median ms | p99 ms | max ms | goal p99 |\n|---|---|---|---|---|"
    );
    let (median, p99, max) =
        (quantile(&mut times, 0.5), quantile(&mut times, 0.99), quantile(&mut times, 1.0));
    println!("| {} runs | {median:.1} | {p99:.1} | {max:.1} | 50 |", HOOKS * ROUNDS);
}

/// A write of `path` below `root`, with 1,300 bytes of content.
fn write_call(event: &str, root: &Path, path: &str) -> String {
    let path = root.join(path);
    let content = "fn main() {}\\n".repeat(100);
    let input = format!(r#"{{"file_path":"{}","content":"{content}"}}"#, path.display());
    call(event, root, &format!(r#","tool_name":"Write","tool_input":{input},"tool_use_id":"toolu_1""#))
}

/// Adds that many leases of another live session, in all 20 domains.
fn leased(root: PathBuf, leases: usize) -> PathBuf {
    let store = Store::new(Layout { root: root.clone() }.state());
    let mut other = Session::new(SessionId::new("5e551011-0000-4000-8000-000000000002").unwrap());
    other.domain = Some("domain1".into());
    other.process = ProcessId::of(std::process::id());
    store.write_session(&other).unwrap();
    let holder = Holder { domain: other.domain.clone(), session: Some(other.session_id), agent: None };
    let liveness = |_: &Holder| Liveness::Alive;
    for i in 0..leases {
        let key = format!("d{}/src/foreign{i}.rs", i % 20);
        let key = if i == 7 { "d0/src/foreign7.rs" } else { &key };
        let deadline = Deadline::after(Duration::from_secs(5));
        let who = Asking { holder: &holder, now: Now::read(), liveness: &liveness, deadline };
        let outcome = store.leases().written(&[Ask::key("", key)], 1800, &who).unwrap();
        assert!(matches!(outcome, Outcome::Taken(_)), "{key}: {outcome:?}");
    }
    root
}

fn context_of(out: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(out).expect("a brief");
    value["hookSpecificOutput"]["additionalContext"].as_str().unwrap().to_owned()
}

/// The programs as the installer leaves them: each written in one piece, so that the system keeps it
/// in large pieces of memory. What a linker wrote bit by bit starts a quarter slower.
fn installed(built: &Path, top: &Path) -> PathBuf {
    let bin = top.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for program in
        [GUARD, "comm-node-session-start", "comm-node-post-tool-use", "comm-node-user-prompt-submit"]
    {
        std::fs::write(bin.join(program), std::fs::read(built.join(program)).unwrap()).unwrap();
        let mode = std::fs::metadata(built.join(program)).unwrap().permissions();
        std::fs::set_permissions(bin.join(program), mode).unwrap();
    }
    bin
}

fn bin_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("COMM_NODE_BENCH_BIN") {
        return dir.into();
    }
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    ["x86_64-unknown-linux-musl/release", "aarch64-unknown-linux-musl/release", "release"]
        .iter()
        .map(|part| target.join(part))
        .find(|dir| dir.join("comm-node-pre-tool-use").is_file())
        .expect("no release build found: run install/install.sh or name the directory in COMM_NODE_BENCH_BIN")
}

fn call(event: &str, cwd: &Path, more: &str) -> String {
    format!(
        r#"{{"session_id":"5e551011-0000-4000-8000-000000000001","transcript_path":"/tmp/t.jsonl","cwd":"{}","prompt_id":"p","permission_mode":"default","hook_event_name":"{event}"{more}}}"#,
        cwd.display()
    )
}

/// A node with that many domains and one bound session.
fn node(root: &Path, domains: usize) -> PathBuf {
    std::fs::create_dir_all(root.join(".git")).unwrap();
    for i in 0..domains {
        std::fs::create_dir_all(root.join(format!("d{i}/src/a"))).unwrap();
    }
    let layout = Layout { root: root.to_path_buf() };
    std::fs::write(layout.yaml(), "version: 1\n").unwrap();
    let store = Store::new(layout.state());
    let patterns =
        |globs: Vec<String>| globs.into_iter().map(|g| Pattern(Text::from(g), 7)).collect::<Vec<_>>();
    let registry = Registry {
        version: VERSION,
        source: SourceId::of(&std::fs::metadata(layout.yaml()).unwrap()),
        fault: None,
        name: "bench".into(),
        fold_case: false,
        trees: vec![Text::from(root.to_str().unwrap().to_owned())],
        policy: Policy::default(),
        budget: None,
        protected: patterns(vec![".env*".into(), "**/secrets/**".into()]),
        mcp_writes: vec![],
        prices: vec![],
        shell: vec![],
        roles: Roles::List(comm_node_core::node::roles::builtin()),
        domains: (0..domains)
            .map(|i| Domain {
                name: Text::from(format!("domain{i}")),
                description: Text::from(format!("Part {i} of the system")),
                mode: Mode::Enforce,
                tree: 0,
                scope: patterns(vec![format!("d{i}/src/**"), format!("d{i}/tests/**")]),
                exclude: patterns(vec![format!("d{i}/src/generated/**")]),
                home: vec![Text::from(format!("d{i}"))],
                max_sessions: 1,
                role: None,
                exports: vec!["Contract".into()],
                imports: vec![],
                budget: None,
                other: Default::default(),
            })
            .collect(),
    };
    store.write_registry(&registry.to_text()).unwrap();
    let mut session = Session::new(SessionId::new("5e551011-0000-4000-8000-000000000001").unwrap());
    session.domain = Some("domain0".into());
    session.bound_by = Some(BoundBy::Join);
    session.process = ProcessId::of(std::process::id());
    store.write_session(&session).unwrap();
    root.to_path_buf()
}

fn command(program: &Path, cwd: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("PATH", "/usr/bin:/bin")
        .env("CLAUDE_PROJECT_DIR", cwd)
        .env("CLAUDE_PID", std::process::id().to_string())
        .current_dir(cwd)
        .stderr(Stdio::null());
    command
}

fn run_once(program: &Path, input: &str, cwd: &Path) -> String {
    let mut child = command(program, cwd).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// Microseconds from before the start to after the end.
fn time(program: &Path, input: &str, cwd: &Path) -> f64 {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(input.as_bytes()).unwrap();
    drop(writer);
    let mut command = command(program, cwd);
    command.stdin(reader).stdout(Stdio::null());
    let start = Instant::now();
    command.status().unwrap();
    start.elapsed().as_secs_f64() * 1e6
}

fn measure(bin: &Path, case: &Case) {
    let program = bin.join(case.program);
    let said = run_once(&program, &(case.input)(PAIRS), &case.cwd);
    match case.expect {
        Some(part) => assert!(said.contains(part), "{}: {said}", case.name),
        None => assert_eq!(said, "", "{}", case.name),
    }
    let (mut ours, mut base) = (Vec::with_capacity(PAIRS), Vec::with_capacity(PAIRS));
    for n in 0..PAIRS {
        let input = (case.input)(n);
        base.push(time(Path::new("/bin/true"), &input, &case.cwd));
        ours.push(time(&program, &input, &case.cwd));
    }
    let mut ratios: Vec<f64> = ours.iter().zip(&base).map(|(o, b)| o / b).collect();
    let (m, b) = (quantile(&mut ours, 0.5), quantile(&mut base, 0.5));
    let ratio = m / b;
    println!(
        "| {} | {m:.0} | {b:.0} | {ratio:.2} | {:.2} | {:.2} | {} |",
        case.name,
        quantile(&mut ratios, 0.95),
        case.goal,
        if ratio <= case.goal { "met" } else { "missed" }
    );
}

fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a small index"
    )]
    let index = ((values.len() - 1) as f64 * q) as usize;
    values[index]
}
