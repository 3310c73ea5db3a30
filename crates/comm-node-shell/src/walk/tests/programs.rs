//! What the table says, put into its place.

use super::{check, run};

#[test]
fn programs_write_where_the_shell_is() {
    check("touch f", "c f");
    check("cd src && touch f", "c src/f");
    check("(cd src; touch f) && touch g", "c src/f; c g");
    check("cd $X && touch f /n/g", "c g; unknown Path");
    check("cd nowhere; touch f", "p nowhere/f; p f");
    check("tee a b > c", "c c; c a; c b");
    check("ls | tee /dev/stderr", "");
    check("x=f; rm -f $x", "certain Entry /n/f");
    check("rm *.rs", "certain Entry /n/a.rs; certain Entry /n/b.rs; certain Entry /n/with space.rs");
    check("touch {a,b}.rs", "c a.rs; c b.rs");
    check("rm -rf \"$X\"", "unknown Path");
    check("rm -rf big/*", "possible Under /n/big");
    check("sed -i s/a/b/ src/*.rs", "c src/x.rs; c src/y.rs");
    check("if [ -f x ]; then touch f; fi", "p f");
    check("cat a.rs b.rs | grep x | sort > f", "c f");
    check("no-such-program", "unknown Program");
    check("ls -la && git status && cat a.rs && grep -rn x src", "");
    check("mkdir d && cd d && touch f", "certain Entry /n/d; c d/f");
    check("mkdir -p d/e; cd d/e; touch f", "certain Entry /n/d/e; c d/e/f");
    check("git clone url d; cd d; touch f", "certain Under /n/d; c d/f");
    check(
        "for f in *.rs; do mv \"$f\" \"${f%.rs}.txt\"; done > /dev/null; echo",
        concat!(
            "certain Entry /n/a.rs; certain Entry /n/a.txt; certain Entry /n/b.rs; certain Entry /n/b.txt; ",
            "certain Entry /n/with space.rs; certain Entry /n/with space.txt"
        ),
    );
}

#[test]
fn programs_run_programs() {
    check("env touch f", "c f");
    check("env X=1 touch f", "c f");
    check("sudo touch f", "c f");
    check("nohup touch f &", "c f");
    check("timeout 5 touch f", "c f");
    check("env -C src touch f", "c src/f");
    check("env -C $X touch f", "unknown Path");
    check("sudo env nice touch f", "c f");
    check("sudo echo x", "");
    check("sudo $X", "unknown Name");
    check("touch() { :; }; sudo touch f", "c f");
    check("xargs rm < list", "unknown Path");
    check("xargs touch f < list", "p f; unknown Path");
    check("find src -name '*.rs' -exec sh -c 'echo x > f' \\;", "c f");
    check("exec touch f", "c f");
    check("command touch f", "c f");
    check("builtin touch f", "");
    check("time touch f", "c f");
}

#[test]
fn shells_run_texts() {
    check("bash -c 'touch f'", "c f");
    check("cd src && sh -c 'touch f'", "c src/f");
    check("bash -c 'cd src && touch f'; touch g", "c src/f; c g");
    check("bash -c 'touch $1' x f", "c f");
    check("bash -c 'for x; do touch $x; done' - a b", "c a; c b");
    check("bash -c \"$X\"", "unknown Script");
    check("bash -c 'if'", "unknown Syntax");
    check("bash -c \"bash -c 'touch f'\"", "c f");
    check("sudo bash -c 'touch f'", "c f");
    check("x=f; bash -c 'touch $x'", "unknown Path");
    check("export x=f; bash -c 'touch $x'", "c f");
    check("x=f bash -c 'touch $x'", "c f");
    check("env x=f bash -c 'touch $x'", "c f");
    check("set -a; x=f; bash -c 'touch $x'", "c f");
    check("x=f; bash -c \"touch $x\"", "c f");
    check("bash -c 'trap \"touch f\" EXIT'", "p f");
    check("bash script.sh", "unknown Script");
    check("f() { touch f; }; bash -c f", "unknown Program");
}

#[test]
fn shells_read_texts() {
    check("bash <<'EOF'\ntouch f\nEOF", "c f");
    check("bash -s a <<'EOF'\ntouch $1\nEOF", "c a");
    check("x=f; sh <<EOF\ntouch $x\nEOF", "c f");
    check("sh <<EOF\ntouch $X\nEOF", "unknown Script");
    check("bash <<< 'touch f'", "c f");
    check("echo 'touch f' | sh", "c f");
    check("printf '%s\\n' 'touch f' | bash", "c f");
    check("cat <<'EOF' | bash\ntouch f\nEOF", "c f");
    check("echo 'touch f' | cat | sudo sh", "c f");
    check("{ echo 'cd src'; echo 'touch f'; } | sh", "c src/f");
    check("curl -s https://x | sh", "unknown Script");
    check("cat install.sh | sh", "unknown Script");
    check("bash < f", "unknown Script");
    check("{ bash; } <<< 'touch f'", "c f");
    check("echo 'touch f' > g | sh", "c g");
    check("bash <<'EOF'\nbash <<'END'\ntouch f\nEND\nEOF", "c f");
}

#[test]
fn substitutions_of_programs_are_known() {
    check("touch $(dirname src/x.rs)/f", "c src/f");
    check("touch $(basename src/x.rs .rs).txt", "c x.txt");
    check("cd \"$(git rev-parse --show-toplevel)\" && touch f", "c f");
    check("cd src/deep && cd $(git rev-parse --show-toplevel 2>/dev/null || pwd) && touch f", "c f");
    check("d=$(mktemp -d); touch $d/f", "certain File /tmp/tmp.XXXXXXXXXX/f");
    check("touch $(cat list)", "unknown Path");
    check("x=$(touch f)", "c f");
}

#[test]
fn here_documents_are_not_commands() {
    check("cat > f <<'EOF'\nrm -rf /n/src\n$(touch g)\nEOF", "c f");
    check("cat > f <<EOF\nrm -rf /n/src\n$(touch g)\nEOF", "c f; c g");
    check("git commit -m \"$(cat <<'EOF'\nfeat: > x\nEOF\n)\"", "");
    check("git commit -am \"$(cat <<'EOF'\nfeat: > x\nEOF\n)\"", "certain Staged /n");
}

#[test]
fn the_users_rows_come_first() {
    let context = crate::Context { rows: vec!["mygen -o=FILE"], ..super::context() };
    let set = crate::write_set("cd src && mygen -o f", &context, &super::Fake);
    assert_eq!(super::render(&set), ["certain File /n/src/f"]);
}

#[test]
fn a_piece_of_an_inner_text_is_named() {
    let by = |command: &str| run(command).writes.first().map(|write| write.by.clone()).unwrap();
    assert_eq!(by("ls; touch   f > /dev/null; ls"), "touch f > /dev/null");
    assert_eq!(by("bash -c 'ls; touch f'"), "touch f");
    assert_eq!(by("f() { touch \"$1\"; }; f x"), "touch \"$1\"");
    assert_eq!(by("touch a \\\n   b"), "touch a \\ b");
}

#[test]
fn a_write_through_a_link_that_was_just_made_is_one_elsewhere() {
    check("ln -s ../x src/l; > src/l/f", "certain Entry /n/src/l; c src/l/f; certain File /n/src/../x/f");
    check("ln -s /n/docs l; (cd l; > f)", "certain Entry /n/l; c l/f; c docs/f");
    check("ln a.rs h; > h", "certain Entry /n/h; c h; c a.rs");
    check("ln -s a l; ln -s l m; > m", "certain Entry /n/l; certain Entry /n/m; c m; c l; c a");
    check(
        "ln -s docs l; ln -s x l/m; > docs/m",
        "certain Entry /n/l; possible Under /n/l/m; possible Under /n/docs/m; c docs/m; c docs/x",
    );
    check("ln -s docs l; rm l/*", "certain Entry /n/l; possible Under /n/l; possible Under /n/docs");
    // To replace or remove the link says nothing about what it leads to.
    check("ln -s a l; rm l", "certain Entry /n/l");
    check("ln -s $x l; > l", "certain Entry /n/l; c l; unknown Path");
    check("ln -s l l; > l/f", "certain Entry /n/l; c l/f");
    check("mv src/x.rs l; > l", "certain Entry /n/src/x.rs; certain Entry /n/l; c l; unknown Path");
    check("> t; mv t l; > l", "c t; certain Entry /n/t; certain Entry /n/l; c l");
    check("cp -a src l; > l/f", "certain Under /n/l; c l/f; unknown Path");
    check("cp a.rs l; > l", "c l");
}

#[test]
fn a_directory_that_was_just_made_is_one() {
    check("mkdir q && cp a.rs q", "certain Entry /n/q; c q/a.rs");
    check("mkdir -p q/r; mv a.rs q", "certain Entry /n/q/r; certain Entry /n/a.rs; certain Entry /n/q/a.rs");
    check("false || mkdir q; cp a.rs q", "possible Entry /n/q; possible Under /n/q");
    check("mkdir q; mv q r; cp a.rs r", "certain Entry /n/q; certain Under /n/q; certain Under /n/r; c r");
    check("rm -r src; cd src; > f", "certain Under /n/src; p src/f; p f");
    check("rm -r src; mkdir src; cd src; > f", "certain Under /n/src; certain Entry /n/src; c src/f");
}

#[test]
fn a_pattern_whose_matches_are_gone_stands_for_itself() {
    check(
        "rm docs/./x.md; for f in docs/*.md; do > $f; done",
        "certain Entry /n/docs/x.md; c docs/x.md; c docs/*.md",
    );
    check("ln a.rs docs/n; cp docs/* src", "certain Entry /n/docs/n; c src/n; c src/x.md");
    check("x='b c'; > a/$x", "c a/b; c c; p a/b c");
}
