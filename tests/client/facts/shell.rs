//! How the client runs shell commands, and what hooks learn before and after.

use std::fs;

use serde_json::{Value, json};

use super::{on_all, string};
use crate::driver::{Client, Permission};
use crate::hook::{Firing, Hooks};
use crate::script::{Script, Turn};
use crate::support::node::Node;

/// What follows the recording: a refusal of calls with `FORBIDDEN` in them, and a word after each call.
const MORE: &str = r#"
input=$(cat {dir}/firing-*-$$/input)
case $input in
*'"hook_event_name":"PreToolUse"'*FORBIDDEN*)
    echo '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"not yours"}}' ;;
*'"hook_event_name":"PostTool'*)
    event=$(printf '%s' "$input" | sed 's/.*"hook_event_name":"\([A-Za-z]*\)".*/\1/')
    echo "{\"hookSpecificOutput\":{\"hookEventName\":\"$event\",\"additionalContext\":\"the word of $event\"}}" ;;
esac"#;

/// A run with such a hook on every event.
struct Seen {
    client: Client,
    hooks: Hooks,
}

impl Seen {
    /// Runs `script` in `node`; `prepare` gets the client before.
    fn run(
        node: &Node,
        script: Script,
        permission: Permission,
        settings: Option<(&str, Value)>,
        prepare: impl FnOnce(&Client) -> Vec<(&'static str, String)>,
    ) -> Option<Self> {
        let client = Client::start(script)?;
        let hooks = Hooks::new();
        let more = MORE.replace("{dir}", &hooks.dir().display().to_string());
        let all = on_all(&hooks.recording_and("record", &more));
        client.settings(&settings.into_iter().fold(all, |s, (key, value)| s.set(key, value)));
        let env = prepare(&client);
        let run = client.headless(node.root(), "go").permission(permission);
        env.into_iter().fold(run, |run, (name, value)| run.env(name, value)).run().assert_success();
        Some(Self { client, hooks })
    }

    fn bypass(node: &Node, turns: impl IntoIterator<Item = Turn>) -> Option<Self> {
        Self::run(node, Script::new(turns), Permission::Bypass, None, |_| Vec::new())
    }

    /// What the model was told after its turn `i`, one text per call.
    fn told(&self, i: usize) -> Vec<String> {
        self.client.server.tool_results(i + 1)
    }

    /// The one firing of `event` for a command that begins with `command`.
    fn one(&self, event: &str, command: &str) -> Firing {
        let mut found = self.hooks.firings_of(event);
        found.retain(|f| string_in(&f.input["tool_input"], "command").starts_with(command));
        assert_eq!(found.len(), 1, "{event} of {command:?}");
        found.remove(0)
    }

    /// Events in their order, each with its call or its kind.
    fn story(&self) -> Vec<String> {
        let text = |f: &Firing| {
            format!("{} {}", f.event(), string(f, "tool_use_id").rsplit('_').next().unwrap_or_default())
        };
        self.hooks.firings().iter().map(|f| text(f).trim_end().to_owned()).collect()
    }
}

fn string_in<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The directory of a firing, relative to the node.
fn cwd(firing: &Firing, node: &Node) -> String {
    format!("{}/", string(firing, "cwd")).replace(&node.text(""), "./")
}

#[test]
fn a_command_is_evaluated_by_a_fresh_bash_and_only_the_directory_carries_over() {
    let node = Node::builder().file("sub/x.txt", "").build();
    let text = "cat <<'E' # a\n$x \\\nE\n";
    let turns = [
        Turn::bash("cd sub; export A=1; B=2; alias c=ls; d() { :; }; shopt -s globstar; set -f"),
        Turn::bash(
            "echo [$A$B] $- $0 $BASH $TMPDIR; type c d; shopt globstar extglob expand_aliases nullglob; true",
        ),
        Turn::bash("cat /proc/$$/cmdline | tr '\\0' ' '"),
        // An alias counts from the next line on.
        Turn::bash("alias e='echo same'; e; true\nalias f='echo next line'\nf"),
        // A call that fails leaves the directory, one that leaves the project begins anew at its top.
        Turn::bash("cd ..; false"),
        Turn::bash("cd /; true"),
        Turn::bash("env | grep -c ^CLAUDE_PROJECT_DIR; true"),
        Turn::bash("cd sub; : 7"),
        // A `cd` to where it is already is taken away before hooks see the call; all else stays as it is.
        Turn::bash(format!("cd {} && {text}", node.text("sub"))),
    ];
    let Some(seen) = Seen::bypass(&node, turns) else { return };
    let home = seen.client.home().display();
    let state = seen.told(1).concat();
    assert!(state.starts_with(&format!("[] hBc /bin/bash /bin/bash {home}/tmp\n")), "{state}");
    assert!(state.contains("type: c: not found") && state.contains("type: d: not found"), "{state}");
    let options = state.lines().filter(|l| l.contains('\t')).map(|l| l.replace([' ', '\t'], ""));
    assert_eq!(
        options.collect::<Vec<_>>(),
        ["globstaroff", "extgloboff", "expand_aliaseson", "nullgloboff"],
        "{state}"
    );
    let line = seen.told(2).concat();
    assert!(line.starts_with("/bin/bash -c source ") && line.contains(" && eval 'cat "), "{line}");
    assert!(line.contains("' < /dev/null && pwd -P >| "), "{line}");
    let aliases = seen.told(3).concat();
    assert!(aliases.contains("e: command not found") && aliases.ends_with("next line"), "{aliases}");
    assert_eq!(seen.told(6).concat().trim_end(), "0", "CLAUDE_PROJECT_DIR is for hooks only");

    let before: Vec<String> = seen.hooks.firings_of("PreToolUse").iter().map(|f| cwd(f, &node)).collect();
    let sub = "./sub/";
    assert_eq!(before, ["./", sub, sub, sub, sub, sub, "./", "./", sub]);
    // After the call it is the new one, not the one in which the command ran.
    assert_eq!(cwd(&seen.one("PostToolUse", "cd sub; : 7"), &node), sub);
    assert_eq!(seen.one("PreToolUse", "cat <<").input["tool_input"]["command"], text);
}

/// So a command may mean something else than it says, for a user who wants it so.
#[test]
fn what_the_users_shell_defines_is_there() {
    let node = Node::bare();
    let look = "ll; ff; ee; shopt nullglob extglob; set -o | grep noclobber";
    let rc = "alias ll='echo alias'\nff() { echo function; }\nshopt -s nullglob extglob\nset -o noclobber\n";
    let seen = Seen::run(&node, Script::new([Turn::bash(look)]), Permission::Bypass, None, |client| {
        fs::write(client.home().join(".bashrc"), rc).expect("could not write .bashrc");
        vec![("SHELL", "/bin/bash".to_owned()), ("BASH_FUNC_ee%%", "() { echo exported; }".to_owned())]
    });
    let Some(seen) = seen else { return };
    let told = seen.told(0).concat();
    let words: Vec<&str> = told.split_whitespace().collect();
    let all = ["alias", "function", "exported", "nullglob", "on", "extglob", "off", "noclobber", "on"];
    assert_eq!(words, all);
}

#[test]
fn a_subagents_calls_all_begin_where_its_session_was() {
    let node = Node::builder().file("sub/deep/x.txt", "").build();
    let script = Script::new([
        Turn::bash("cd sub; : main"),
        Turn::agent("general-purpose", "the errand"),
        Turn::bash("pwd"),
    ])
    .agent("the errand", [Turn::bash("cd deep; pwd"), Turn::bash("pwd")]);
    let Some(seen) = Seen::run(&node, script, Permission::Bypass, None, |_| Vec::new()) else { return };
    let before = seen.hooks.firings_of("PreToolUse");
    let bash: Vec<String> =
        before.iter().filter(|f| string(f, "tool_name") == "Bash").map(|f| cwd(f, &node)).collect();
    assert_eq!(bash, ["./", "./sub/", "./sub/", "./sub/"]);
    assert_eq!(before.iter().filter(|f| f.input["agent_id"].is_string()).count(), 2);
}

#[test]
fn after_a_failing_call_another_event_comes_without_a_response() {
    let node = Node::builder().file("a.txt", "1\n").build();
    let turns = [
        Turn::bash("echo out; echo err >&2; echo 2 > a.txt; exit 3"),
        Turn::bash("echo fine"),
        Turn::bash("echo FORBIDDEN"),
        Turn::tool("Bash", json!({"command": "sleep 9", "description": "s", "timeout": 1000})),
    ];
    let Some(seen) = Seen::bypass(&node, turns) else { return };
    let story = seen.story();
    let of_calls: Vec<&str> = story.iter().map(String::as_str).filter(|s| s.contains("Tool")).collect();
    assert_eq!(
        of_calls,
        [
            "PreToolUse 0",
            "PostToolUseFailure 0",
            "PostToolBatch",
            "PreToolUse 0",
            "PostToolUse 0",
            "PostToolBatch",
            "PreToolUse 0",
            "PostToolBatch",
            "PreToolUse 0",
            "PostToolUseFailure 0",
            "PostToolBatch"
        ]
    );
    let failure = seen.one("PostToolUseFailure", "echo out").input;
    assert_eq!(failure["error"], "Exit code 3\nout\nerr");
    assert_eq!(failure["is_interrupt"], false);
    assert!(failure["tool_response"].is_null() && failure["duration_ms"].is_u64(), "{failure}");
    let late = seen.one("PostToolUseFailure", "sleep").input;
    assert_eq!(late["error"], "Exit code 143\nCommand timed out after 1s");
    assert_eq!(seen.told(2), ["PreToolUse:Bash hook error: not yours"]);
    // What a hook says after a call stands in the very next request, and stays there.
    for (request, event) in [(1, "PostToolUseFailure:Bash"), (2, "PostToolUse:Bash")] {
        let name = event.replace(":Bash", "");
        let said = format!("{event} hook additional context: the word of {name}");
        assert_eq!(seen.client.server.count_in_body(request - 1, &said), 0, "{said}");
        assert_eq!(seen.client.server.count_in_body(request, &said), 1, "{said}");
    }
}

/// So two calls of one agent that write never overlap, unless one of them is in the background.
#[test]
fn in_a_batch_only_calls_that_look_like_reading_run_at_the_same_time() {
    let node = Node::bare();
    let write = |i: u8| Turn::bash(format!("sleep 0.3; echo x > {i}.txt"));
    let turns = [
        Turn::bash("sleep 0.3; cat comm-node.yaml; true").and(Turn::bash("sleep 0.3; date")),
        write(0).and(write(1)),
        write(2).and(Turn::bash("echo FORBIDDEN > 3.txt")).and(write(4)),
    ];
    let Some(seen) = Seen::bypass(&node, turns) else { return };
    let story = seen.story();
    let of_calls: Vec<&str> = story.iter().map(String::as_str).filter(|s| s.contains("Tool")).collect();
    assert!(of_calls[..2].iter().all(|s| s.starts_with("PreToolUse ")), "{of_calls:?}");
    assert!(of_calls[2].starts_with("PostToolUse ") && of_calls[3].starts_with("PostToolUse "));
    let [one, after] = [["PreToolUse 0", "PostToolUse 0"], ["PreToolUse 1", "PostToolUse 1"]];
    assert_eq!(of_calls[5..9], [one, after].concat());
    assert_eq!(
        of_calls[10..],
        ["PreToolUse 0", "PostToolUse 0", "PreToolUse 1", "PreToolUse 2", "PostToolUse 2", "PostToolBatch"]
    );
    assert!(node.read("2.txt").is_some() && node.read("3.txt").is_none() && node.read("4.txt").is_some());
}

#[test]
fn a_background_call_is_over_at_once_and_its_end_is_no_tool_event() {
    let node = Node::builder().file("a.txt", "1\n").build();
    let background =
        json!({"command": "sleep 1; echo 2 > a.txt", "description": "s", "run_in_background": true});
    let turns = [Turn::tool("Bash", background), Turn::text("Waiting."), Turn::text("Woken.")];
    let Some(seen) = Seen::bypass(&node, turns) else { return };
    assert_eq!(node.read("a.txt").as_deref(), Some("2\n"));
    let story = seen.story();
    let events: Vec<&str> = story.iter().filter_map(|s| s.split(' ').next()).collect();
    let first = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolBatch", "Stop"];
    assert_eq!(events, [&first[..], &["UserPromptSubmit", "Stop", "SessionEnd"]].concat());
    let response = &seen.one("PostToolUse", "sleep").input["tool_response"];
    assert!(response["backgroundTaskId"].is_string() && response["bashEditDiff"].is_null(), "{response}");
    let stop = &seen.hooks.firings_of("Stop")[0].input["background_tasks"][0];
    assert_eq!((&stop["type"], &stop["command"]), (&json!("shell"), &json!("sleep 1; echo 2 > a.txt")));
    let woken = &seen.hooks.firings_of("UserPromptSubmit")[1];
    assert!(string(woken, "prompt").starts_with("<task-notification>\n<task-id>"), "{}", woken.input);
}

#[test]
fn the_client_may_list_what_a_call_changed_and_often_cannot() {
    let node =
        Node::builder().file("a.txt", "1\n").file("gone.txt", "").file(".gitignore", "build/\n").build();
    let elsewhere = Node::builder().file("b.txt", "1\n").build();
    let b = elsewhere.text("b.txt");
    let turns = [
        Turn::bash("echo 2 > a.txt; echo x > new.txt; rm gone.txt; : all"),
        Turn::bash(format!("mkdir -p build; echo x > build/x; echo x > .git/hooks/x; echo 2 > {b}; : none")),
        Turn::bash("echo 3 > a.txt; false"),
        Turn::bash("for i in $(seq 205); do echo x > f$i; done; : many"),
    ];
    let Some(seen) = Seen::bypass(&node, turns.clone()) else { return };
    let diff = |seen: &Seen, command: &str| {
        seen.one("PostToolUse", command).input["tool_response"]["bashEditDiff"].clone()
    };
    let all = diff(&seen, "echo 2 > a");
    let paths = ["a.txt", "gone.txt", "new.txt"].map(|name| node.text(name));
    assert_eq!((&all["changedFiles"], &all["moreFiles"]), (&json!(paths), &json!(0)));
    let mut files = all["files"].as_array().expect("a list").clone();
    files.sort_by_key(|f| f["filePath"].to_string());
    let kinds = files.iter().map(|f| (f["filePath"].as_str(), f["created"] == true, f["deleted"] == true));
    let [a, gone, new] = paths.each_ref().map(|p| Some(p.as_str()));
    assert_eq!(kinds.collect::<Vec<_>>(), [(a, false, false), (gone, false, true), (new, true, false)]);
    assert_eq!(files[0]["hunks"][0]["lines"], json!(["-1", "+2"]));
    // Nothing of what git ignores, of git's own, of another repository, or of a call that failed.
    assert_eq!(diff(&seen, "mkdir"), Value::Null);
    assert!(seen.one("PostToolUseFailure", "echo 3").input["tool_response"].is_null());
    let many = diff(&seen, "for");
    assert_eq!((many["changedFiles"].as_array().map(Vec::len), &many["moreFiles"]), (Some(200), &json!(200)));

    // Outside of bypass mode only the user's settings turn it on; the project's can turn it off.
    let cases = [
        (Permission::AcceptEdits, None, None, false),
        (Permission::AcceptEdits, Some(true), None, true),
        (Permission::AcceptEdits, None, Some(true), false),
        (Permission::Bypass, None, Some(false), false),
    ];
    for (permission, user, project, listed) in cases {
        let mut node = Node::builder().file("a.txt", "1\n");
        if let Some(on) = project {
            node = node.file(".claude/settings.json", &json!({"bashEditDiffEnabled": on}).to_string());
        }
        let user = user.map(|on| ("bashEditDiffEnabled", json!(on)));
        let script = Script::new([Turn::bash("echo 2 > a.txt")]);
        let Some(seen) = Seen::run(&node.build(), script, permission, user, |_| Vec::new()) else { return };
        assert_eq!(diff(&seen, "echo").is_object(), listed, "{permission:?}, {project:?}");
    }
}

/// It is a comparison of before and after: whoever changed something meanwhile.
#[test]
fn what_the_client_lists_may_be_the_work_of_others() {
    let node = Node::bare();
    let turns = [
        Turn::bash("(until [ -e go ]; do sleep 0.05; done; echo x > late.txt) & true"),
        Turn::bash("touch go; until [ -s late.txt ]; do sleep 0.05; done; rm go"),
    ];
    let Some(seen) = Seen::bypass(&node, turns) else { return };
    let listed = |command: &str| {
        seen.one("PostToolUse", command).input["tool_response"]["bashEditDiff"]["changedFiles"].clone()
    };
    assert_eq!(listed("(until"), Value::Null);
    assert_eq!(listed("touch"), json!([node.text("late.txt")]));
}

#[test]
fn monitor_and_powershell_run_commands_too() {
    let node = Node::builder().file("sub/x.txt", "").build();
    let watch = |command: &str| {
        let input = json!({"command": command, "description": "s", "timeout_ms": 5000, "persistent": false});
        Turn::tool("Monitor", input)
    };
    let shell = |command: &str| Turn::tool("PowerShell", json!({"command": command, "description": "s"}));
    let turns = [
        watch("echo x > m.txt; pwd"),
        watch("echo FORBIDDEN > n.txt"),
        shell("Set-Content p.txt x"),
        shell("Set-Content q.txt FORBIDDEN"),
        Turn::bash("sleep 0.5"),
    ];
    let fake = "#!/bin/sh\nfor last; do :; done\nprintf '%s' \"$last\" > ran.txt\n";
    let seen = Seen::run(&node, Script::new(turns), Permission::Bypass, None, |client| {
        use std::os::unix::fs::PermissionsExt;
        let pwsh = client.home().join("pwsh");
        fs::write(&pwsh, fake).expect("could not write a program");
        fs::set_permissions(&pwsh, fs::Permissions::from_mode(0o755)).expect("could not make it executable");
        let path = std::env::var("PATH").unwrap_or_default();
        vec![
            ("PATH", format!("{}:{path}", client.home().display())),
            ("CLAUDE_CODE_USE_POWERSHELL_TOOL", "1".to_owned()),
        ]
    });
    let Some(seen) = seen else { return };
    let before = seen.hooks.firings_of("PreToolUse");
    let names: Vec<&str> = before.iter().map(|f| string(f, "tool_name")).collect();
    assert_eq!(names, ["Monitor", "Monitor", "PowerShell", "PowerShell", "Bash"]);
    let response = &seen.one("PostToolUse", "echo x > m").input["tool_response"];
    assert!(response["taskId"].is_string(), "{response}");
    assert!(node.read("m.txt").is_some() && node.read("n.txt").is_none());
    // Without the words that stand before it for the other tools.
    assert_eq!(seen.told(1), ["not yours"]);
    let ran = node.read("ran.txt").expect("it ran");
    assert!(ran.contains("; Set-Content p.txt x\n; $_ec = "), "{ran}");
    assert_eq!(seen.told(3), ["PreToolUse:PowerShell hook error: not yours"]);
}

/// A hook is asked before the client's own rules, so that a call which it lets pass may still never run.
#[test]
fn in_accept_edits_mode_shell_commands_write_and_others_are_refused_after_the_hook() {
    let node = Node::builder().file("a.txt", "1\n").build();
    let turns = ["sed -i s/1/2/ a.txt", "echo x > b.txt", "python3 -c 1"].map(Turn::bash);
    let script = Script::new(turns);
    let Some(seen) = Seen::run(&node, script, Permission::AcceptEdits, None, |_| Vec::new()) else { return };
    assert_eq!((node.read("a.txt").as_deref(), node.read("b.txt").as_deref()), (Some("2\n"), Some("x\n")));
    assert_eq!(seen.told(2), ["This command requires approval"]);
    assert_eq!(seen.hooks.firings_of("PreToolUse").len(), 3);
    let last = seen.story();
    assert!(last.join(" ").contains("PreToolUse 0 PostToolBatch Stop"), "{last:?}");
}
