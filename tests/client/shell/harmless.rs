//! Everyday commands: none is refused, and the model reads nothing but their output.

use super::{COMMIT, of_api, shop};

/// Commands that only read, or write where everyone may.
const READING: &[&str] = &[
    "ls",
    "ls -la web api > /dev/null 2>&1",
    "cat {}",
    "head -n 3 web/*.txt | tail -1",
    "git status --short",
    "git diff > /tmp/$$.diff; rm /tmp/$$.diff",
    "git log --oneline -3 && git show --stat HEAD && git branch -a",
    "grep -rn old . | wc -l",
    "find . -name '*.txt' -newer api/x -print | sort | uniq -c",
    "cargo --version; rustc --version || true",
    "python3 --version; command -v sed",
    "cp {} /tmp/copy-of-web && rm /tmp/copy-of-web",
    "diff {} api/x; true",
    "sed -n 1p {}; awk '{print $1 > \"/dev/stderr\"}' {}",
    "wc -c < {}; sort {} | tee /dev/null",
    "t=$(mktemp -d); echo x > $t/f; cat $t/f; rm -r $t",
    "cd web && ls && cd ..",
    "for f in web/*.txt; do grep -c old $f; done > /dev/null; true",
    "echo \"a > b\" '> {}' # > {}",
    "test -f {} && [ -d web ] && stat -c %s {}",
    "jobs; env | grep -c PATH; which ls; date; pwd; uname",
    "curl -s --max-time 1 http://127.0.0.1:1/ > /dev/null || echo no",
    "mkdir -p build && echo x > build/y && mkdir -p build/a/b; touch build/a/b/c",
    "echo x > build/z; rm -r build",
    "git stash list; git tag; git remote -v; git rev-parse HEAD",
    "git fetch -q . main:refs/scratch/one; true",
    "xargs -n1 echo < {}",
    "tar -cf /dev/null web",
];

/// Work in the session's own scope.
const WORKING: &[&str] = &[
    "cat > api/new <<'EOF'\nhello\nEOF",
    "sed -i s/hello/bye/ api/new && cat api/new",
    "cd api && echo hi > z; cd ..",
    "mkdir -p api/deep/er && touch api/deep/er/f && cp api/x api/deep/x && mv api/deep/x api/deep/y && rm api/deep/y",
    "python3 -c \"open('api/by-python', 'w').write('y')\"",
    "python3 -c \"import os; os.makedirs('target'); open('target/out', 'w').write('y')\"",
    "git add api/new api/z",
    "git add api && COMMIT -qm x",
    "git checkout -q -- api/x && git restore api/y && git checkout -q -b topic",
];

#[test]
fn commands_that_read_are_let_through_without_a_word() {
    let node = shop("enforce", "policy:\n  unowned: deny\n");
    // The last one is the control: the hooks are there and speak.
    let commands = [READING, &["echo y > {}"]].concat();
    let Some(ran) = of_api(&node, &commands) else { return };
    assert!(ran.told(READING.len()).contains(super::REFUSED));
    for (i, command) in READING.iter().enumerate() {
        ran.assert_silent(i, command);
        assert!(!super::is_changed(&node, i), "{command}");
    }
    assert!(super::leases(&node).is_empty(), "reading takes no lease: {:?}", super::leased(&node));
    let told: Vec<_> = node.events().into_iter().filter(|e| e["tool"].is_string()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn work_in_the_own_scope_is_let_through_without_a_word() {
    let node = shop("enforce", "");
    let commands: Vec<String> = WORKING.iter().map(|c| c.replace("COMMIT", COMMIT)).collect();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let Some(ran) = of_api(&node, &commands) else { return };
    for (i, command) in commands.iter().enumerate() {
        let told = ran.assert_silent(i, command);
        assert!(!told.contains("Exit code"), "{command}: {told}");
    }
    assert_eq!(node.read("api/new").as_deref(), Some("bye\n"));
    assert_eq!(
        (node.read("api/z").as_deref(), node.read("target/out").as_deref()),
        (Some("hi\n"), Some("y"))
    );
    assert_eq!(node.git(&["log", "--format=%s", "-1"]).trim(), "x");
}
