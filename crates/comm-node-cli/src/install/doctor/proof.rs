//! The proof: the guard, run exactly as it is wired, must deny a write into another domain's
//! scope and must not deny one into its own.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::Check;
use super::probe::{Answer, Call};
use super::wired::{Entry, Wired};
use crate::env::Env;

const DENY: &str = "guard-denies";
const ALLOW: &str = "guard-allows";

const YAML: &str = "version: 1
name: doctor
domains:
  ours:
    scope: [\"ours/**\"]
  theirs:
    scope: [\"theirs/**\"]
";

/// Both halves of the proof.
#[must_use]
pub fn checks(env: &Env, wired: &Wired) -> Vec<Check> {
    let entry = wired.entries.iter().find(|e| e.found.event == "PreToolUse" && e.found.matches("Write"));
    let Some(entry) = entry else {
        let what = "no guard is wired, so nothing is denied";
        return vec![
            Check::fail(DENY, what, "run `comm-node install`"),
            Check::skip(ALLOW, "no guard is wired"),
        ];
    };
    match prove(env, entry) {
        Ok(both) => both,
        Err(e) => vec![
            Check::fail(
                DENY,
                format!("could not make a node to try it in: {e}"),
                "make room in the temporary directory",
            ),
            Check::skip(ALLOW, "there is no node to try it in"),
        ],
    }
}

fn prove(env: &Env, entry: &Entry) -> std::io::Result<Vec<Check>> {
    let place = tempfile::tempdir()?;
    let node = place.path().canonicalize()?;
    std::fs::write(node.join("comm-node.yaml"), YAML)?;
    std::fs::create_dir(node.join("ours"))?;
    std::fs::create_dir(node.join("theirs"))?;
    let theirs = call(env, entry, &node, "theirs/proof.txt");
    let ours = call(env, entry, &node, "ours/proof.txt");
    Ok(vec![denies(&theirs), allows(&ours)])
}

/// Runs the wired program for a Write to `file` in `node`.
fn call(env: &Env, entry: &Entry, node: &Path, file: &str) -> Result<Answer, String> {
    let session = format!("doctor-{}", std::process::id());
    let input = json!({
        "session_id": session,
        "transcript_path": node.join("transcript.jsonl"),
        "cwd": node,
        "permission_mode": "bypassPermissions",
        "hook_event_name": "PreToolUse",
        "tool_name": "Write",
        "tool_input": {"file_path": node.join(file), "content": "proof\n"},
        "tool_use_id": "toolu_doctor",
    });
    let text = |path: &Path| path.display().to_string();
    let mut vars = vec![
        ("CLAUDE_PROJECT_DIR".to_owned(), text(node)),
        ("CLAUDE_CODE_SESSION_ID".to_owned(), session.clone()),
        ("CLAUDE_PID".to_owned(), std::process::id().to_string()),
        ("COMM_NODE_DOMAIN".to_owned(), "ours".to_owned()),
    ];
    for name in ["PATH", "HOME", "CLAUDE_CONFIG_DIR", "SystemRoot"] {
        vars.extend(env.var(name).map(|value| (name.to_owned(), value.to_owned())));
    }
    vars.extend(entry.plugin.as_ref().map(|root| ("CLAUDE_PLUGIN_ROOT".to_owned(), text(root))));
    let raw = &entry.found.raw;
    let args: Vec<String> = raw
        .get("args")
        .and_then(Value::as_array)
        .map(|a| a.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let limit = Duration::from_secs(raw.get("timeout").and_then(Value::as_u64).unwrap_or(5).clamp(1, 60));
    let program = Path::new(&entry.found.command);
    let call = Call { program, args: &args, vars: &vars, cwd: node, input: &input.to_string(), limit };
    call.run().map_err(|e| format!("could not start {}: {e}", program.display()))
}

/// The decision in an answer, and its reason.
fn decision(answer: &Answer) -> (Option<String>, String) {
    let value: Value = serde_json::from_slice(&answer.stdout).unwrap_or_default();
    let part = |name| value.pointer(&format!("/hookSpecificOutput/{name}")).and_then(Value::as_str);
    let reason = part("permissionDecisionReason").unwrap_or("").to_owned();
    (part("permissionDecision").map(str::to_owned), reason)
}

fn denies(answer: &Result<Answer, String>) -> Check {
    let remedy = "edits are not guarded until this passes: run `comm-node install` again";
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return Check::fail(DENY, why.clone(), remedy),
    };
    let (decision, reason) = decision(answer);
    // A guard that can't read its node denies too; the proof is a denial for the right reason.
    if answer.success && decision.as_deref() == Some("deny") && reason.contains("theirs") {
        return Check::pass(DENY, "a write into another domain's scope was denied");
    }
    let what = match decision.as_deref() {
        Some("deny") => format!("it denied, but for another reason: {reason}"),
        _ => format!("a write into another domain's scope was not denied: {}", said(answer)),
    };
    Check::fail(DENY, what, remedy)
}

fn allows(answer: &Result<Answer, String>) -> Check {
    let remedy = "agents can't edit until this passes: run `comm-node install` again";
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return Check::fail(ALLOW, why.clone(), remedy),
    };
    let (decision, reason) = decision(answer);
    match decision.as_deref() {
        None | Some("allow") if answer.success => {
            Check::pass(ALLOW, "a write into the own scope was let through")
        }
        Some("deny" | "ask") => {
            Check::fail(ALLOW, format!("a write into the own scope was refused: {reason}"), remedy)
        }
        _ => Check::fail(ALLOW, format!("a write into the own scope failed: {}", said(answer)), remedy),
    }
}

fn said(answer: &Answer) -> String {
    let output = String::from_utf8_lossy(&answer.stdout);
    let output = comm_node_core::text::one_line(output.trim(), 200);
    let printed = if output.is_empty() { "no output".into() } else { output };
    format!("{}, {printed} {}", answer.end, answer.stderr).trim_end().to_owned()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Status;
    use super::*;
    use crate::settings::entry::Found;

    /// Runs both halves against a shell script in the guard's place.
    fn against(script: &str) -> Vec<Status> {
        let dir = tempfile::tempdir().expect("temp dir");
        let program = dir.path().join("comm-node-pre-tool-use");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("writes");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("mode");
        let found = Found {
            event: "PreToolUse".into(),
            matcher: "Edit|Write".into(),
            command: program.display().to_string(),
            raw: json!({"args": ["with space"], "timeout": 1}),
        };
        let entry = Entry { origin: dir.path().to_path_buf(), plugin: None, found };
        let vars = [("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("SECRET".to_owned(), "x".to_owned())];
        let env = Env { vars: vars.into_iter().collect(), ..Env::default() };
        prove(&env, &entry).expect("a node").iter().map(|c| c.status).collect()
    }

    const DENIES: &str = r#"echo '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"theirs owns it"}}'"#;

    #[test]
    fn only_the_right_answers_pass() {
        use Status::{Fail, Pass};
        let judged = format!(r#"read -r in; case "$in" in *theirs/proof*) {DENIES};; esac"#);
        assert_eq!(against(&judged), [Pass, Pass]);
        assert_eq!(against("exit 0"), [Fail, Pass], "a guard that allows everything");
        assert_eq!(against(DENIES), [Pass, Fail], "a guard that denies everything");
        assert_eq!(against(&DENIES.replace("theirs", "state unreadable")), [Fail, Fail]);
        assert_eq!(against("exit 3"), [Fail, Fail]);
        assert_eq!(against("sleep 30 & exit 0"), [Fail, Fail], "a child that holds stdout");
        assert_eq!(against("exec sleep 30"), [Fail, Fail], "a guard that hangs");
    }

    #[test]
    fn it_is_run_as_the_client_runs_it() {
        let all = r#"[ "$1" = "with space" ] && [ -z "$SECRET" ] && [ "$COMM_NODE_DOMAIN" = ours ] &&
            [ -f "$CLAUDE_PROJECT_DIR/comm-node.yaml" ] && [ "$PWD" = "$CLAUDE_PROJECT_DIR" ] || exit 9"#;
        assert_eq!(against(all)[1], Status::Pass);
    }
}
