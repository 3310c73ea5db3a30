//! What is measured: a hook program, its input, what it has to say. Also used by `tests/cost`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::scene::{self, bash_call, batch_call, call, write_call};

pub(crate) const GUARD: &str = "comm-node-pre-tool-use";
pub(crate) const AFTER: &str = "comm-node-post-tool-use";
pub(crate) const PROMPT: &str = "comm-node-user-prompt-submit";
pub(crate) const START: &str = "comm-node-session-start";

/// What a program has to say, so that no case measures an error.
#[derive(Clone, Copy)]
pub(crate) enum Says {
    Nothing,
    This(&'static str),
}

pub(crate) const DENY: Says = Says::This("\"permissionDecision\":\"deny\"");

/// One thing that is measured.
pub(crate) struct Case {
    pub name: String,
    pub program: &'static str,
    pub args: Vec<String>,
    pub cwd: PathBuf,
    /// The input of the n-th run.
    pub input: Box<dyn Fn(usize) -> String>,
    /// What is put back before each run.
    pub before: Option<Box<dyn Fn(usize)>>,
    pub says: Says,
    /// The most that it may take, as a ratio to /bin/true; 0 where nothing is set.
    pub goal: f64,
    /// True if a person runs it, outside of any session.
    pub person: bool,
    /// Pairs to measure, where that is not the usual number.
    pub pairs: Option<usize>,
}

impl Case {
    /// A case with the same input in each run, which says nothing.
    pub(crate) fn new(name: impl Into<String>, program: &'static str, cwd: &Path, input: String) -> Self {
        Self {
            name: name.into(),
            program,
            args: Vec::new(),
            cwd: cwd.to_path_buf(),
            input: Box::new(move |_| input.clone()),
            before: None,
            says: Says::Nothing,
            goal: 0.0,
            person: false,
            pairs: None,
        }
    }

    pub(crate) fn goal(mut self, goal: f64) -> Self {
        self.goal = goal;
        self
    }

    pub(crate) fn says(mut self, says: Says) -> Self {
        self.says = says;
        self
    }

    pub(crate) fn each(mut self, input: impl Fn(usize) -> String + 'static) -> Self {
        self.input = Box::new(input);
        self
    }

    pub(crate) fn before(mut self, before: impl Fn(usize) + 'static) -> Self {
        self.before = Some(Box::new(before));
        self
    }
}

/// The program of a case as the client starts it.
pub(crate) fn command(program: &Path, case: &Case) -> Command {
    let mut command = Command::new(program);
    command
        .args(&case.args)
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("PATH", "/usr/bin:/bin")
        .current_dir(&case.cwd)
        .stderr(Stdio::null());
    if !case.person {
        command
            .env("CLAUDE_PROJECT_DIR", &case.cwd)
            .env("CLAUDE_PID", std::process::id().to_string())
            .env("CLAUDE_CODE_SESSION_ID", scene::SESSION);
    }
    command
}

/// Fails unless a program said what it has to.
pub(crate) fn check(case: &Case, said: &str) {
    match case.says {
        Says::Nothing => assert_eq!(said, "", "{}", case.name),
        Says::This(part) => assert!(said.contains(part), "{}: it said {said:?}", case.name),
    }
}

pub(crate) fn edit(name: &str, root: &Path, path: &'static str) -> Case {
    let own = root.to_path_buf();
    Case::new(name, GUARD, root, String::new())
        .each(move |n| write_call("PreToolUse", &own, &path.replace("{n}", &n.to_string())))
}

pub(crate) fn prompt(name: &str, root: &Path) -> Case {
    Case::new(name, PROMPT, root, call("UserPromptSubmit", root, r#","prompt":"go""#))
}

pub(crate) fn stop(name: &str, root: &Path) -> Case {
    Case::new(name, "comm-node-stop", root, call("Stop", root, r#","stop_hook_active":false"#))
}

/// The status line, as the client asks for it.
pub(crate) fn status_line(name: &str, root: &Path) -> Case {
    let dir = root.display();
    let input = format!(
        r#"{{"session_id":"{}","transcript_path":"{dir}.jsonl","cwd":"{dir}","model":{{"id":"m","display_name":"M"}},"workspace":{{"current_dir":"{dir}","project_dir":"{dir}"}},"version":"2.1.329"}}"#,
        scene::SESSION
    );
    Case::new(name, "comm-node-statusline", root, input).says(Says::This("domain0"))
}

/// The end of a batch of calls, before which the transcript of the node at `root` gained 10 kB.
pub(crate) fn metered(name: &str, root: &Path) -> Case {
    let transcript = root.with_extension("jsonl");
    Case::new(name, AFTER, root, batch_call(root, "d0/src/a/b.rs"))
        .before(move |n| _ = scene::append(&transcript, 10_000, n + 1))
}

/// A start that is answered: two of the same kind within seconds would be one event.
pub(crate) fn start(name: &str, root: &Path) -> Case {
    let own = root.to_path_buf();
    let sources = ["startup", "clear"];
    Case::new(name, START, root, String::new())
        .each(move |n| call("SessionStart", &own, &format!(r#","source":"{}""#, sources[n % 2])))
        .says(Says::This("additionalContext"))
}

/// Everyday commands, all of them let through without a word.
pub(crate) const SHELL: [(&str, &str); 10] = [
    ("`ls -la`", "ls -la"),
    ("`git status`", "git status"),
    ("`cd … && cargo test … \\| tail`", "cd d0 && cargo test 2>&1 | tail -20"),
    ("`cat > … <<EOF`", "cat > d0/src/x.rs <<'EOF'\nfn main() {\n    println!(\"x\");\n}\nEOF"),
    ("`sed -i`", "sed -i 's/main/start/g' d0/src/a/b.rs"),
    ("`grep -rn … \\| head`", "grep -rn --include='*.rs' 'fn main' d0 | head -20"),
    ("`for … do … done`", "for f in d0/src/*.rs; do echo \"$f\"; wc -l \"$f\"; done"),
    (
        "`git add … && git commit`",
        "git add d0/src/a/b.rs && git commit -m \"$(cat <<'EOF'\nfeat: a thing (and more)\n\nIt's done.\nEOF\n)\"",
    ),
    ("`python3 - <<EOF`", "python3 - <<'EOF'\nimport json\nprint(json.dumps({'a': [1, 2]}))\nEOF"),
    ("`npx prettier --write`", "npx prettier --write d0/src"),
];

/// A shell command; each call has an id of its own, as it has in the client, and the one before has ended.
pub(crate) fn shell(name: &str, root: &Path, text: &'static str) -> Case {
    let (own, store) = (root.to_path_buf(), scene::store(root));
    let id = move |n: usize| format!("toolu_{n}_{}", text.len());
    Case::new(name, GUARD, root, String::new())
        .each(move |n| bash_call("PreToolUse", &own, text, &id(n)))
        .before(move |n| {
            let before = id(n.wrapping_sub(1));
            scene::ended(&store, &before);
        })
}

/// Every hook once, in the node at `root`; where `node` is false there is none, and nobody says a word.
pub(crate) fn hooks(root: &Path, node: bool) -> Vec<Case> {
    let own = "d0/src/a/b.rs";
    let simple = |name: &str, program, event: &str, more: &str| {
        Case::new(name, program, root, call(event, root, more))
    };
    let mut start = start("SessionStart", root);
    if !node {
        start.says = Says::Nothing;
    }
    let home = root.to_path_buf();
    let bind = move |_| {
        if node {
            scene::bind(&home);
        }
    };
    vec![
        start,
        prompt("UserPromptSubmit", root),
        edit("PreToolUse, Write", root, own),
        shell("PreToolUse, Bash", root, "ls -la"),
        Case::new("PostToolUse, Write", AFTER, root, write_call("PostToolUse", root, own)),
        Case::new("PostToolUse, Bash", AFTER, root, bash_call("PostToolUse", root, "ls -la", "toolu_2")),
        Case::new("PostToolBatch", AFTER, root, batch_call(root, own)),
        simple(
            "SubagentStart",
            "comm-node-subagent-start",
            "SubagentStart",
            r#","agent_id":"a1","agent_type":"general""#,
        )
        .says(if node { Says::This("additionalContext") } else { Says::Nothing }),
        simple(
            "SubagentStop",
            "comm-node-subagent-stop",
            "SubagentStop",
            r#","agent_id":"a1","agent_type":"general""#,
        ),
        stop("Stop", root),
        simple("PreCompact", "comm-node-pre-compact", "PreCompact", r#","trigger":"auto""#),
        simple(
            "ConfigChange",
            "comm-node-config-change",
            "ConfigChange",
            r#","source":"user_settings","file_path":"/nonexistent/settings.json""#,
        )
        // No settings file would wire the guard any more.
        .says(if node { Says::This("\"decision\":\"block\"") } else { Says::Nothing }),
        simple("SessionEnd", "comm-node-session-end", "SessionEnd", r#","reason":"other""#).before(bind),
    ]
}
