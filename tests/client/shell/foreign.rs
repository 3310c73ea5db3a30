//! The ways around a refused edit: every one ends at another domain's file, and none gets there unseen.

use super::{Fate, LOCAL, REFUSED, Try, Who, check, program, shop, web, with_bin};
use crate::driver::Client;
use crate::script::Turn;

/// What every refusal says.
const WHY: &[&str] = &[
    "` would write `web/",
    "it belongs to domain web (scope `web/**`, comm-node.yaml:9)",
    "this session works for domain api, which may write `api/**`",
    "Leave the change to domain web",
    "`comm-node why 'web/",
    "another tool or command is against the same rule",
];

use Fate::{Caught, Refused, Reported};

/// Programs that name what they write.
const PROGRAMS: &[Try] = &[
    Try(Refused, "sed -i s/local/mine/ {}"),
    Try(Refused, "perl -pi -e s/local/mine/ {}"),
    Try(Refused, "git checkout -- {}"),
    Try(Refused, "git restore {}"),
    Try(Refused, "git rm -qf {}"),
    Try(Refused, "git -C web mv -f {name} {name}.new"),
    Try(Refused, "echo y | tee {}"),
    Try(Refused, "echo y | tee -a api/x {} > /dev/null"),
    Try(Refused, "cp api/x {}"),
    Try(Refused, "cp -t web api/x && mv web/x {}"),
    Try(Refused, "cp api/x api/m && mv api/m {}"),
    Try(Refused, "mv {} api/n"),
    Try(Refused, "rm {}"),
    Try(Refused, "rm -rf web/{name}*"),
    Try(Refused, "ln -sf ../api/x {}"),
    Try(Refused, "install -m 644 api/x {}"),
    Try(Refused, "dd if=api/x of={} status=none"),
    Try(Refused, "truncate -s 0 {}"),
    Try(Refused, "printf '%s\\n' '--- {}' '+++ {}' '@@ -1 +1 @@' '-local' '+mine' | patch -s -p0 {}"),
    Try(Refused, "find web -name '{name}' -delete"),
    Try(Refused, "find web -name '{name}' -exec sed -i s/local/mine/ {abs} ';'"),
    Try(Refused, "sort -r -o {} api/x"),
    Try(Refused, "prettier --write {}"),
    Try(Refused, "npx prettier -w {}"),
    Try(Refused, "cd web && npx --yes prettier --write {name}; cd .."),
];

/// Redirections, wherever they stand.
const SHELL: &[Try] = &[
    Try(Refused, "cat > {} <<'EOF'\nhello\nEOF"),
    Try(Refused, "cat <<EOF >> {}\n$HOME\nEOF"),
    Try(Refused, "echo y > {abs}"),
    Try(Refused, "echo y >| ./api/../{}"),
    Try(Refused, "echo y > api/link/{name}"),
    Try(Refused, "(cd web && echo y > {name})"),
    Try(Refused, "cd web; echo y > {name}; cd .."),
    Try(Refused, "pushd web > /dev/null; echo y > {name}; popd > /dev/null"),
    Try(Refused, "bash -c 'echo y > {}'"),
    Try(Refused, "$(echo cp) api/x {}"),
    Try(Refused, "echo 'echo y > {}' | sh"),
    Try(Refused, "bash <<'EOF'\necho y > {}\nEOF"),
    Try(Refused, "eval \"echo y > {}\""),
    Try(Refused, "f={}; echo y >> \"$f\""),
    Try(Refused, "d=web; echo y > ${d}/{name}"),
    Try(Refused, "f() { echo y > \"$1\"; }; f {}"),
    Try(Refused, "for f in {}; do echo y > \"$f\"; done"),
    Try(Refused, "while :; do echo y > {}; break; done"),
    Try(Refused, "if true; then echo y > {}; fi"),
    Try(Refused, "true && echo y > {}"),
    Try(Refused, "false || { echo y; echo z; } > {}"),
    Try(Refused, "x=$(echo y > {}); echo \"$x\""),
    Try(Refused, "cat <(echo y > {}); sleep 0.2"),
    Try(Refused, "echo y > {} & wait"),
    Try(Refused, "exec 3> {}; echo y >&3"),
    Try(Refused, "env A=1 timeout 5 tee {} < api/x"),
    Try(Refused, "nohup sh -c 'echo y > {}' > /dev/null 2>&1"),
    Try(Refused, "command cp api/x {} && \\cp api/y {}"),
    Try(Refused, "echo web/{name} | sed 's/^/x/' > {}"),
    Try(Refused, "case a in a) : > {} ;; esac"),
    Try(Refused, "alias w='cp api/x'\nw {}"),
];

/// What can't be known before is looked at afterwards.
const UNKNOWN: &[Try] = &[
    Try(Reported, "python3 - <<'EOF'\nopen('{}', 'w').write('y')\nEOF"),
    Try(Reported, "python3 -c \"open('{}', 'w').write('y')\""),
    Try(Reported, "own-tool {}"),
    Try(Caught, "printf '%s\\n' {} | xargs rm"),
    Try(Caught, "ls web/{name}* | xargs sed -i s/local/mine/"),
    Try(Caught, "sh -c 'cd web && echo y > $0' {name}"),
    Try(Caught, "ln -s ../web api/l2; echo y > api/l2/{name}; rm api/l2"),
    Try(Reported, "python3 -c \"open('{}', 'w').write('y')\"; false"),
    Try(Reported, "python3 -c \"import os; os.remove('{}')\""),
    // As old as what it replaces, or already committed: it is a change all the same.
    Try(Reported, "python3 -c \"import shutil; shutil.copy2('api/fresh', '{}')\""),
    Try(Reported, "cp -p api/fresh api/r; python3 -c \"import os; os.rename('api/r', '{}')\""),
    Try(
        Caught,
        "python3 -c \"open('{}', 'w').write('y')\"; git -c user.name=T -c user.email=t@example.com commit -qm x {}",
    ),
    Try(Caught, "printf 'all:\\n\\techo y > {}\\n' > api/mk; make -s -f api/mk"),
    Try(Caught, "git checkout -q HEAD~1 -- {} api/x"),
    Try(Caught, "T={}; printf '%s' 'echo y > $T' > api/s; . api/s"),
    Try(
        Caught,
        "node -e \"require('fs').writeFileSync('{}', 'y')\" || python3 -c \"open('{}', 'w').write('y')\"",
    ),
];

/// Runs `tries` where three programs of the test's own are on the `PATH`.
fn check_with_programs(tries: &[Try]) {
    let home = tempfile::tempdir().expect("could not make a directory");
    for name in ["own-tool", "prettier", "npx"] {
        program(home.path(), name, "for last; do :; done; echo y > \"$last\"");
    }
    let path = with_bin(home.path());
    let pieces = if tries.iter().any(|t| t.0 == Reported) { &[] } else { WHY };
    check(tries, pieces, Who::Main, |mode| shop(mode, ""), |_, run| run.env("PATH", path.clone()));
}

#[test]
fn programs_that_write() {
    check_with_programs(PROGRAMS);
}

#[test]
fn redirections() {
    check_with_programs(SHELL);
}

#[test]
fn what_cannot_be_known_is_reported_at_once() {
    check_with_programs(UNKNOWN);
}

/// The directory of the last call counts, and the text says what to do instead, as after the `Write` that came first.
#[test]
fn a_refused_write_and_the_command_that_would_do_the_same() {
    for mode in ["enforce", "off"] {
        let node = shop(mode, "");
        let Some(client) = Client::guarded() else { return };
        let turns = [
            Turn::write(node.text("web/new.txt"), "y\n"),
            Turn::bash("cat > web/new.txt <<'EOF'\ny\nEOF"),
            Turn::bash("cd web"),
            // Refused as a whole: what comes before the refused piece does not run either.
            Turn::bash("echo y > ../api/before; echo y > 01.txt"),
            Turn::bash("echo y > ../api/new.txt"),
        ];
        let ran = super::run(client, &node, Who::Main, turns, |run| run.env("COMM_NODE_DOMAIN", "api"));
        let guarded = mode == "enforce";
        assert_eq!(node.read("web/new.txt").is_none(), guarded);
        assert_eq!(node.read(&web(1)).as_deref() == Some(LOCAL), guarded);
        assert_eq!(node.read("api/before").is_none(), guarded);
        assert!(node.read("api/new.txt").is_some());
        assert_eq!(ran.told(0).contains("comm-node refused the write to"), guarded);
        for (turn, by) in [(1, "`> web/new.txt`"), (3, "`> 01.txt`")] {
            let told = ran.told(turn);
            assert_eq!(
                told.contains(&format!("PreToolUse:Bash hook error: {REFUSED}{by}")),
                guarded,
                "{told}"
            );
            assert_eq!(WHY.iter().all(|piece| told.contains(piece)), guarded, "{told}");
        }
        ran.assert_silent(2, "cd");
        ran.assert_silent(4, "in the scope");
        let denied: Vec<_> = node.events().into_iter().filter(|e| e["event"] == "denied").collect();
        let paths: Vec<_> = denied.iter().map(|e| (e["tool"].as_str(), e["path"].as_str())).collect();
        let [write, bash] = [Some("Write"), Some("Bash")];
        let new = Some("web/new.txt");
        let expected = [(write, new), (bash, new), (bash, Some("web/01.txt"))];
        assert_eq!(paths, if guarded { expected.to_vec() } else { Vec::new() });
    }
}
