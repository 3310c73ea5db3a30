//! Leases and shell commands: what takes one, who is refused because of one, and what sweeps over those of others.

use std::fs;

use super::{COMMIT, REFUSED, SOON, headless, leased, news, shop, wait_for, web};
use crate::driver::{Client, Running};
use crate::script::{Asker, Script, Turn};
use crate::support::node::Node;

const FIRST: &str = "aaaaaaaa-1111-4111-8111-111111111111";
const SECOND: &str = "bbbbbbbb-2222-4222-8222-222222222222";

/// Starts a session of `domain` that takes `turns`.
fn start(
    client: &Client,
    node: &Node,
    id: &str,
    domain: &str,
    turns: impl IntoIterator<Item = Turn>,
) -> Running {
    client.server.script(Script::new(turns));
    headless(client, node).args(["--session-id", id]).env("COMM_NODE_DOMAIN", domain).spawn()
}

/// What the model of `client` was told after its turn `i`, once it was.
fn told(client: &Client, i: usize) -> String {
    client.server.wait_for(&format!("{} requests", i + 2), SOON, |requests| {
        requests.iter().filter(|r| r.asker == Asker::Main).count() >= i + 2
    });
    news(&client.server.main(i + 1))
}

#[test]
fn a_command_that_writes_takes_a_lease_until_the_commit() {
    for mode in ["enforce", "off"] {
        let node = shop(mode, "");
        let (Some(first), Some(second)) = (Client::guarded(), Client::guarded()) else { return };
        let [go, free] = ["go", "free"].map(|name| first.home().join(name));
        let turns = [
            Turn::bash("echo mine >> api/x"),
            wait_for(&go),
            Turn::bash(format!("git add api/x && {COMMIT} -qm x")),
            Turn::hang(),
        ];
        let holder = start(&first, &node, FIRST, "api", turns);
        told(&first, 0);
        let turns = [
            Turn::read(node.text("api/x")),
            Turn::edit(node.text("api/x"), "old", "edited"),
            Turn::bash("sed -i s/old/sed/ api/x"),
            Turn::bash("cp .gitignore api/x; true"),
            Turn::bash("cat api/x; echo y > api/y"),
            wait_for(&free),
            Turn::bash("echo second >> api/x"),
        ];
        let asker = start(&second, &node, SECOND, "api", turns);
        let guarded = mode == "enforce";
        let edit = told(&second, 1);
        assert_eq!(
            edit.contains("comm-node refused the write to `api/x`: another agent holds it"),
            guarded,
            "{edit}"
        );
        for (turn, by) in [(2, "`sed -i s/old/sed/ api/x`"), (3, "`cp .gitignore api/x`")] {
            let said = told(&second, turn);
            let start = format!("{REFUSED}{by} would write `api/x`: another agent holds it");
            for piece in
                [&start, "api/x is held by api (session aaaaaaaa)", "`comm-node lock 'api/x' --wait 60s`"]
            {
                assert_eq!(said.contains(piece), guarded, "{mode}, {piece}: {said}");
            }
        }
        assert!(!told(&second, 4).contains("comm-node"), "{}", told(&second, 4));
        let [x, y] = ["api/x", "api/y"].map(str::to_owned);
        assert_eq!(leased(&node), if guarded { vec![x, y.clone()] } else { vec![] });
        if guarded {
            assert_eq!(node.read("api/x").as_deref(), Some("old\nmine\n"));
        }
        fs::write(&go, "").expect("could not write the flag");
        let after = told(&first, 2);
        assert!(!after.contains("comm-node"), "{after}");
        assert_eq!(leased(&node), if guarded { vec![y] } else { vec![] });
        fs::write(&free, "").expect("could not write the flag");
        asker.finish(SOON).assert_success();
        assert!(node.read("api/x").expect("it is there").ends_with("second\n"), "{}", told(&second, 6));
        drop(holder);
    }
}

/// Git commands that touch every file of the worktree, or put every change into the index.
const SWEEPS: &[&str] = &[
    "git stash",
    "git stash push -u -q",
    "git reset -q --hard",
    "git reset --hard HEAD~1",
    "git checkout -q -f other",
    "git switch -q --discard-changes other",
    "git checkout -q -f -b new other",
    "cd api && git stash -q",
    "git add -A",
    "git add -u",
    "git add .",
    "git commit -qam all",
    "git -c user.name=T -c user.email=t@example.com commit -a -q -m all",
];

/// What git may do all the same.
const HARMLESS: &[&str] = &[
    "git status --short > /dev/null; git stash list",
    "git checkout -q -b fresh; git branch b2",
    "echo y > api/x; git add api",
    "COMMIT -qm own",
    "git log -1 --format=%s; git diff HEAD~1 --stat",
];

/// The control is the end of the holder: then the same is done.
#[test]
fn commands_that_sweep_over_the_tree_are_refused_while_others_hold_something_there() {
    let node = shop("enforce", "");
    node.git(&["branch", "other", "HEAD~1"]);
    let head = node.git(&["rev-parse", "HEAD"]);
    let (Some(first), Some(second)) = (Client::guarded(), Client::guarded()) else { return };
    let free = second.home().join("free");
    let work = format!("echo held > {}", web(0));
    let holder = start(&first, &node, FIRST, "web", [Turn::bash(work), Turn::hang()]);
    told(&first, 0);
    let harmless: Vec<String> = HARMLESS.iter().map(|c| c.replace("COMMIT", COMMIT)).collect();
    let turns = harmless.iter().map(String::as_str).chain(SWEEPS.iter().copied()).map(Turn::bash);
    let last = [
        wait_for(&free),
        Turn::bash("git stash -q && git stash drop -q"),
        Turn::bash(format!("echo y > api/y; {COMMIT} -qam all")),
        Turn::bash("git checkout -q other"),
        Turn::hang(),
    ];
    let asker = start(&second, &node, SECOND, "api", turns.chain(last));
    for (i, command) in harmless.iter().enumerate() {
        let said = told(&second, i);
        assert!(!said.contains("comm-node"), "{command}: {said}");
    }
    for (i, sweep) in SWEEPS.iter().enumerate() {
        let said = told(&second, HARMLESS.len() + i);
        for piece in [REFUSED, "of web (session aaaaaaaa)", &web(0)] {
            assert!(said.contains(piece), "{sweep}, {piece}: {said}");
        }
    }
    assert_eq!(node.read(&web(0)).as_deref(), Some("held\n"));
    assert_eq!(node.git(&["rev-parse", "HEAD~1"]), head, "only the own commit is there");
    assert_eq!(node.git(&["diff", "--cached", "--name-only"]), "");
    let denied: Vec<_> = node.events().into_iter().filter(|e| e["event"] == "denied").collect();
    assert_eq!(denied.len(), SWEEPS.len(), "{denied:?}");
    assert!(denied.iter().all(|e| e["rule"] == "lease" && e["domain"] == "api"), "{denied:?}");

    holder.signal("KILL");
    holder.finish(SOON);
    fs::write(&free, "").expect("could not write the flag");
    for i in 1..4 {
        let said = told(&second, HARMLESS.len() + SWEEPS.len() + i);
        assert!(!said.contains("comm-node") && !said.contains("Exit code"), "{said}");
    }
    assert_eq!(node.read(&web(0)).as_deref(), Some("old\n"));
    assert_eq!(node.git(&["rev-parse", "HEAD"]), node.git(&["rev-parse", "other"]));
    drop(asker);
}

/// A lease that was locked by hand holds against commands as it does against edits, until it is given back.
#[test]
fn an_explicit_lock_holds_against_commands() {
    let node = shop("enforce", "");
    let (Some(first), Some(second)) = (Client::guarded(), Client::guarded()) else { return };
    let [go, free] = ["go", "free"].map(|name| first.home().join(name));
    let turns = [
        Turn::bash("comm-node lock 'api/**' --reason renaming"),
        wait_for(&go),
        Turn::bash("comm-node unlock 'api/**'"),
        Turn::hang(),
    ];
    let holder = start(&first, &node, FIRST, "api", turns);
    told(&first, 0);
    let commands = ["echo y > api/deep", "rm -rf api"].map(Turn::bash);
    let turns = commands.clone().into_iter().chain([wait_for(&free)]).chain(commands);
    let asker = start(&second, &node, SECOND, "api", turns);
    for i in 0..2 {
        let said = told(&second, i);
        assert!(said.contains(REFUSED) && said.contains("renaming"), "{said}");
    }
    assert!(node.path("api/x").exists() && !node.path("api/deep").exists());
    fs::write(&go, "").expect("could not write the flag");
    told(&first, 2);
    fs::write(&free, "").expect("could not write the flag");
    asker.finish(SOON).assert_success();
    for i in 3..5 {
        assert!(!told(&second, i).contains("comm-node"), "{}", told(&second, i));
    }
    assert!(!node.path("api").exists());
    drop(holder);
}

/// What a refused or failed command took is given back; and the own leases keep nobody from sweeping along.
#[test]
fn a_refused_command_holds_nothing_and_the_own_leases_sweep_along() {
    let node = shop("enforce", "");
    let Some(client) = Client::guarded() else { return };
    let flag = client.home().join("flag");
    let turns = [
        Turn::bash(format!("echo y > api/x; echo y > {}", web(0))),
        Turn::bash("cp api/nothing api/y"),
        Turn::bash("grep -q nothing api/x && echo y > api/y; true"),
        wait_for(&flag),
        Turn::bash("echo mine > api/x"),
        Turn::bash("git stash -q"),
        Turn::bash("git stash pop -q"),
        Turn::bash("git add -A; git reset -q"),
        Turn::bash("git reset -q --hard"),
    ];
    let running = start(&client, &node, FIRST, "api", turns);
    assert!(told(&client, 0).contains(REFUSED));
    let said = told(&client, 2);
    assert!(!said.contains("comm-node"), "{said}");
    assert_eq!(leased(&node), [] as [&str; 0]);
    fs::write(&flag, "").expect("could not write the flag");
    running.finish(SOON).assert_success();
    for i in 4..9 {
        assert!(!told(&client, i).contains("comm-node"), "{i}: {}", told(&client, i));
    }
    assert_eq!(node.read("api/x").as_deref(), Some("old\n"));
}
