//! How hook programs are started, what they inherit, and what their failure means.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{SESSION, SOON, string};
use crate::driver::{Client, Outcome};
use crate::hook::Hooks;
use crate::script::{Script, Turn};
use crate::settings::Settings;
use crate::support::node::Node;

#[test]
fn exec_form_expands_the_project_directory_and_nothing_else() {
    let cases = [
        ("${CLAUDE_PROJECT_DIR}/hook", true),
        ("./hook", true),
        ("$CLAUDE_PROJECT_DIR/hook", false),
        ("${CLAUDE_CONFIG_DIR}/hook", false),
        ("${HOME}/hook", false),
        ("~/hook", false),
        ("hook", false),
    ];
    for (command, runs) in cases {
        let node = Node::bare();
        let Some(client) = Client::start(Script::new([Turn::write("a.txt", "x")])) else {
            return;
        };
        let hooks = Hooks::new();
        let hook = hooks.denying("hook", "it ran");
        for directory in [node.root(), client.home(), &client.config()] {
            fs::copy(&hook, directory.join("hook")).expect("could not copy the hook");
        }
        client.settings(&Settings::new().guard(command));
        client.headless(node.root(), "go").run().assert_success();
        assert_eq!(client.server.tool_results(1)[0].contains("it ran"), runs, "{command}");
    }
}

#[test]
fn the_client_is_the_parent_of_hooks_and_of_shell_commands() {
    let node = Node::builder().file("sub/x.txt", "x\n").build();
    let ask = "echo \"$CLAUDE_CODE_SESSION_ID $CLAUDE_PID $PPID $FROM_START\"; command -v from-start";
    let Some(client) = Client::start(Script::new([Turn::bash("cd sub"), Turn::bash(ask)])) else {
        return;
    };
    let hooks = Hooks::new();
    let bin = hooks.dir().join("bin");
    fs::create_dir(&bin).expect("could not make a directory");
    fs::copy(hooks.script("from-start", ""), bin.join("from-start")).expect("could not copy a program");
    let lines = format!(
        "printf 'export FROM_START=yes\\nexport PATH=\"%s:$PATH\"\\n' '{}' >>\"$CLAUDE_ENV_FILE\"",
        bin.display()
    );
    let start = hooks.recording_and("start", &lines);
    client.settings(&Settings::new().hook("SessionStart", None, start).hook(
        "PreToolUse",
        None,
        hooks.recording("record"),
    ));
    let run = client.headless(node.root(), "go").args(["--session-id", SESSION]).spawn();
    let pid = run.pid().to_string();
    run.finish(SOON).assert_success();
    for firing in hooks.firings() {
        assert_eq!((firing.var("CLAUDE_PID"), firing.parent.as_str()), (Some(pid.as_str()), pid.as_str()));
        assert_eq!(firing.var("CLAUDE_CODE_SESSION_ID"), Some(SESSION));
        assert_eq!(firing.var("CLAUDE_PROJECT_DIR"), Some(node.text("").trim_end_matches('/')));
    }
    // What SessionStart wrote into its environment file holds in every later shell command.
    let said = client.server.tool_results(2).concat();
    assert!(said.starts_with(&format!("{SESSION} {pid} {pid} yes\n{}", bin.display())), "{said}");
    // The input's cwd and the hook's own follow `cd`; the project directory doesn't.
    let last = hooks.firings().pop().expect("hooks ran");
    assert_eq!(
        (string(&last, "cwd"), last.var("PWD")),
        (node.text("sub").as_str(), Some(node.text("sub").as_str()))
    );
}

/// One run with a missing program on `event`; says what became of it.
fn with_missing_program(event: &str) -> Option<(Outcome, usize, Vec<String>)> {
    let node = Node::bare();
    let client = Client::start(Script::new([Turn::write("a.txt", "x"), Turn::text("Finished.")]))?;
    client.settings(&Settings::new().hook(event, None, "/nonexistent/program"));
    let run = client.headless(node.root(), "go").run();
    let main = client.server.requests_main();
    let told = main.get(1).map(|r| r.body["messages"].to_string()).into_iter().collect();
    Some((run, main.len(), told))
}

#[test]
fn on_failure_block_means_something_else_on_every_event() {
    let Some((run, requests, _)) = with_missing_program("UserPromptSubmit") else {
        return;
    };
    assert!(requests == 0 && run.stdout.contains("blocked by hook"), "a prompt is swallowed: {}", run.stdout);
    let Some((run, requests, told)) = with_missing_program("PostToolUse") else {
        return;
    };
    assert!(requests == 2 && run.stdout.contains("Finished."), "the run goes on");
    assert!(told.concat().contains("PostToolUse:Write hook blocking error"), "and the model hears of it");
    let Some((run, requests, _)) = with_missing_program("PostToolBatch") else {
        return;
    };
    assert!(requests == 1 && run.stdout.trim().is_empty(), "the run ends without a word: {}", run.stdout);
    for event in ["SessionStart", "Stop", "SubagentStop", "SessionEnd"] {
        let Some((run, requests, told)) = with_missing_program(event) else {
            return;
        };
        assert!(requests == 2 && run.stdout.contains("Finished."), "nothing happens on {event}");
        assert!(!told.concat().contains("onFailure"), "{event}");
    }
}

#[test]
fn every_end_but_sigkill_is_told() {
    for (signal, told) in [("TERM", true), ("HUP", true), ("INT", true), ("KILL", false)] {
        let node = Node::bare();
        let Some(client) = Client::start(Script::new([Turn::hang()])) else {
            return;
        };
        let hooks = Hooks::new();
        client.settings(&Settings::new().hook("SessionEnd", None, hooks.recording("record")));
        let run = client.headless(node.root(), "go").spawn();
        client.server.wait_for("request", SOON, |requests| !requests.is_empty());
        run.signal(signal);
        assert!(run.finish(SOON).status.is_some(), "{signal} did not end the client");
        assert_eq!(hooks.firings_of("SessionEnd").len(), usize::from(told), "{signal}");
    }
}

#[test]
fn a_plugins_hooks_find_their_program_in_exec_form() {
    let node = Node::bare();
    let Some(client) = Client::start(Script::new([Turn::write("a.txt", "x"), Turn::bash("tool-of-plugin")]))
    else {
        return;
    };
    let hooks = Hooks::new();
    // A space in the path: exec form needs no quoting.
    let plugin = hooks.dir().join("the plugin");
    let put = |path: &str, text: &Value| {
        let path: PathBuf = plugin.join(path);
        fs::create_dir_all(path.parent().expect("a file has a parent")).expect("could not make a directory");
        fs::write(path, text.to_string()).expect("could not write a file of the plugin");
    };
    put(".claude-plugin/plugin.json", &json!({"name": "test", "version": "0.0.1", "description": "d"}));
    put("hooks/hooks.json", &Settings::new().guard("${CLAUDE_PLUGIN_ROOT}/bin/deny").hooks_json());
    fs::create_dir(plugin.join("bin")).expect("could not make a directory");
    fs::copy(hooks.denying("deny", "the plugin says no"), plugin.join("bin/deny"))
        .expect("could not copy a program");
    fs::copy(hooks.script("t", "echo it ran"), plugin.join("bin/tool-of-plugin"))
        .expect("could not copy a program");
    client.headless(node.root(), "go").plugin_dir(&plugin).run().assert_success();
    assert!(client.server.tool_results(1)[0].contains("the plugin says no"));
    assert_eq!(client.server.tool_results(2)[0], "it ran");
}
