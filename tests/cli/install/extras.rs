//! Agents, commands and conventions for all of a user's sessions.

use std::fs;

use super::Home;

const MINE: &str = "# My rules\r\nno tabs";

#[test]
fn they_come_with_the_hooks_and_go_with_them_to_the_byte() {
    let home = Home::new();
    home.write("home/.claude/CLAUDE.md", MINE);
    home.write("home/.claude/commands/inbox.md", "my own inbox\n");
    fs::create_dir_all(home.at("home/.claude/agents")).expect("makes");
    let before = home.tree();
    let said = home.install(&[]).done();
    assert!(said.err.contains("~/.claude/commands/inbox.md is yours and was left"), "{}", said.err);
    let claude = home.read("home/.claude/CLAUDE.md");
    assert!(claude.starts_with(MINE) && claude.contains("\r\n@comm-node/conventions.md\r\n"), "{claude}");
    assert!(
        home.read("home/.claude/comm-node/conventions.md").contains("several sessions work on one system")
    );
    assert!(home.read("home/.claude/agents/finder.md").contains("name: \"finder\""));
    assert!(home.read("home/.claude/commands/kickoff.md").contains("ask which one"));
    assert_eq!(home.read("home/.claude/commands/inbox.md"), "my own inbox\n");
    let record = home.json("home/.claude/comm-node/install.json");
    let files = record["files"].as_array().expect("a list");
    assert!(
        files.len() > 20 && files.iter().all(|f| !f.as_str().is_some_and(|f| f.ends_with("inbox.md"))),
        "{record}"
    );

    let first = home.tree();
    home.install(&[]).done().says("are these already");
    let second = home.tree();
    let changed: Vec<_> = first.iter().filter(|(path, what)| second.get(*path) != Some(what)).collect();
    assert!(changed.iter().all(|(path, _)| path.ends_with("install.json")), "twice is once: {changed:?}");

    home.run(&["uninstall"])
        .done()
        .says("took our part out of")
        .says("with agents, commands and conventions");
    assert_eq!(home.tree(), before);
}

#[test]
fn what_was_changed_by_hand_is_kept() {
    let home = Home::new();
    home.install(&[]).done();
    let path = "home/.claude/agents/finder.md";
    let edited = home.read(path).replace("You answer", "Please answer");
    home.write(path, &edited);
    home.install(&[]).done().says("was installed and then changed by hand; it was left");
    assert_eq!(home.read(path), edited);
    home.run(&["uninstall"]).done().says("it was installed and then changed by hand");
    assert_eq!(home.read(path), edited);
    assert!(!home.at("home/.claude/CLAUDE.md").exists() && !home.at("home/.claude/commands").exists());
}

#[test]
fn an_upgrade_replaces_ours_and_takes_out_what_is_no_more() {
    let home = Home::new();
    home.install(&[]).done();
    // As an earlier version could have left it: another text, and a command that this one does not have.
    let now = home.read("home/.claude/commands/locks.md");
    let old = stamped(&now.replace("Say in a line or two", "Say"));
    home.write("home/.claude/commands/locks.md", &old);
    home.write("home/.claude/commands/gone.md", &old);
    let mut record = home.json("home/.claude/comm-node/install.json");
    let gone = home.at("home/.claude/commands/gone.md").display().to_string();
    record["files"].as_array_mut().expect("a list").push(gone.into());
    home.write("home/.claude/comm-node/install.json", &record.to_string());
    home.install(&[]).done();
    assert_eq!(home.read("home/.claude/commands/locks.md"), now);
    assert!(!home.at("home/.claude/commands/gone.md").exists());
    // Without a record they are known by what stands in them.
    fs::remove_file(home.at("home/.claude/comm-node/install.json")).expect("removes");
    home.run(&["uninstall"]).done();
    assert!(
        !home.at("home/.claude/commands/locks.md").exists() && !home.at("home/.claude/CLAUDE.md").exists()
    );
}

/// `text`, a file of ours, with the hash of what it holds now.
fn stamped(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let rest: String = lines[2..].iter().map(|l| format!("{l}\n")).collect();
    let hash = comm_node_cli::generate::whole::stamped(&format!("---\n{rest}"), "user/");
    let stamp = hash.lines().nth(1).expect("a stamp").to_owned();
    lines[1] = &stamp;
    lines.iter().map(|l| format!("{l}\n")).collect()
}

#[test]
fn only_with_the_user_s_hooks_and_only_if_wanted() {
    for args in [&["--bare"][..], &["--scope", "local"], &["--plugin"]] {
        let home = Home::new();
        // Without a client the plugin is only written, so that the doctor finds no guard.
        let ran = home.install(args);
        assert_eq!(ran.code, Some(i32::from(args.contains(&"--plugin"))), "{}", ran.err);
        for path in ["agents", "commands", "CLAUDE.md", "comm-node/conventions.md"] {
            assert!(!home.at("home/.claude").join(path).exists(), "{args:?}: {path}");
        }
    }
    let home = Home::new();
    let before = home.tree();
    let said = home.install(&["--dry-run"]).done();
    for part in [
        "allowed without asking (permissions.allow), and nothing else:",
        "  Bash(comm-node inbox:*)",
        "  Edit(//**/.comm-node/outbox/*.md)",
        "new  ~/.claude/agents/finder.md",
        "new  ~/.claude/CLAUDE.md",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    for too_much in [
        "Bash(comm-node:*)",
        "Bash(comm-node resume",
        "Bash(comm-node budget:*)",
        "Bash(comm-node unlock",
        "Bash(comm-node pause",
    ] {
        assert!(!said.out.contains(too_much), "{too_much}: {}", said.out);
    }
    assert_eq!(home.tree(), before);
}

#[test]
fn damaged_marks_leave_the_file_and_install_the_rest() {
    let home = Home::new();
    let broken = "mine\n<!-- comm-node:end -->\n";
    home.write("home/.claude/CLAUDE.md", broken);
    home.install(&[]).done().says("line 2 ends a part of comm-node's that never began");
    assert_eq!(home.read("home/.claude/CLAUDE.md"), broken);
    assert!(home.at("home/.claude/agents/finder.md").exists());
    home.run(&["uninstall"]).done();
    assert_eq!(home.read("home/.claude/CLAUDE.md"), broken);
}

/// What doctor says of the check `name`.
fn check(home: &Home, name: &str) -> String {
    let said = home.run(&["doctor"]);
    let found = said.out.lines().find(|line| line.contains(&format!(" {name}: "))).map(str::to_owned);
    found.unwrap_or_else(|| format!("no {name} in {}", said.out))
}

#[test]
fn doctor_names_what_is_missing_changed_old_or_left_over() {
    let home = Home::new();
    assert!(check(&home, "user-files").starts_with("SKIP "), "nothing is installed");
    home.install(&[]).done();
    let right = check(&home, "user-files");
    assert!(right.starts_with("PASS ") && right.contains("as this version writes them"), "{right}");
    let path = |name: &str| format!("home/.claude/{name}");
    let locks = home.read(&path("commands/locks.md"));
    let old = stamped(&locks.replace("Say in a line or two", "Say"));
    let finder = home.read(&path("agents/finder.md"));
    fs::remove_file(home.at(&path("commands/kickoff.md"))).expect("removes");
    let said = check(&home, "user-files");
    assert!(
        said.starts_with("WARN ")
            && said.contains("commands/kickoff.md is missing")
            && said.ends_with("run `comm-node install`"),
        "{said}"
    );
    home.write(&path("commands/locks.md"), &old);
    home.write(&path("agents/finder.md"), &finder.replace("You answer", "Please answer"));
    home.write(&path("commands/gone.md"), &old);
    let mut record = home.json("home/.claude/comm-node/install.json");
    let gone = home.at(&path("commands/gone.md")).display().to_string();
    record["files"].as_array_mut().expect("a list").push(gone.into());
    home.write("home/.claude/comm-node/install.json", &record.to_string());
    home.write("home/.claude/comm-node/conventions.md", "mine\n");
    let said = check(&home, "user-files");
    for piece in [
        "commands/locks.md is of an older version",
        "agents/finder.md is changed by hand",
        "commands/gone.md is left over",
        "conventions.md is missing or changed",
        "kept: remove its line `# Generated by comm-node`",
    ] {
        assert!(said.contains(piece), "{piece}: {said}");
    }
    // The remedies are right: what was not changed by hand is mended, and then the rest.
    home.install(&[]).done();
    let said = check(&home, "user-files");
    assert!(
        said.contains("agents/finder.md is changed by hand") && !said.contains("run `comm-node install`"),
        "{said}"
    );
    fs::remove_file(home.at(&path("agents/finder.md"))).expect("removes");
    home.install(&[]).done();
    assert_eq!(check(&home, "user-files"), right);
}

#[test]
fn doctor_looks_at_what_is_generated_in_the_node() {
    let home = Home::new();
    home.install(&[]).done();
    home.write("work/comm-node.yaml", "version: 1\nname: shop\ndomains:\n  backend: {scope: [\"api/**\"]}\n");
    fs::create_dir_all(home.at("work/api")).expect("makes");
    home.run(&["compile"]).done();
    assert!(check(&home, "generated").starts_with("SKIP "), "{}", check(&home, "generated"));
    home.run(&["generate"]).done();
    assert!(check(&home, "generated").starts_with("PASS "), "{}", check(&home, "generated"));
    fs::remove_file(home.at("work/.claude/agents/finder.md")).expect("removes");
    let said = check(&home, "generated");
    assert!(said.contains("agents/finder.md is missing; run `comm-node generate`"), "{said}");
    home.run(&["generate"]).done();
    let claude = home.read("work/api/CLAUDE.md");
    home.write("work/api/CLAUDE.md", &claude.replace("backend", "nobody"));
    let said = check(&home, "generated");
    assert!(said.starts_with("WARN ") && said.contains("api/CLAUDE.md is changed by hand"), "{said}");
}
