//! Branches, loops, functions, texts that are run.

use super::check;

#[test]
fn lists_are_run() {
    check("> a; > b\n> c & > d", "c a; c b; c c; c d");
    check("> a && > b || > c", "c a; c b; p c");
    check("[ -f x ] && > a", "p a");
    check("! > a", "c a");
    check("time > a", "c a");
    check("> a | > b |& > c", "c a; c b; c c");
    check("coproc > a", "c a");
    check("", "");
    check("# nothing", "");
}

#[test]
fn branches_are_possible() {
    check("if > c; then > a; elif > d; then > b; else > e; fi", "c c; p a; p d; p b; p e");
    check("case $x in a) > a;; b|c) > b;; esac", "p a; p b");
    check("case $(> w) in $(> v)) ;; esac", "c w; c v");
    check("while > c; do > a; done", "c c; p a");
    check("until > c; do > a; done", "c c; p a");
    check("for ((i=0; i<$(> w; echo 3); i++)); do > a; done", "c w; p a");
    check("[[ $(> a) == x ]]", "c a");
    check("(( $(> a) ))", "c a");
    check("select x in a b; do > $x; done", "c a; c b");
}

#[test]
fn branches_keep_what_they_agree_on() {
    check("if [ x ]; then x=a; else x=a; fi; > $x", "c a");
    check("if [ x ]; then x=a; else x=b; fi; > $x", "unknown Path");
    check("x=a; if [ x ]; then x=b; fi; > $x", "unknown Path");
    check("x=a; if [ x ]; then x=b; exit; fi; > $x", "c a");
    check("x=a; [ x ] && x=b; > $x", "unknown Path");
    check("x=a; case y in y) x=b;; esac; > $x", "unknown Path");
    check("x=a; while [ y ]; do > $x; x=b; done", "p a; unknown Path");
    check("a=1; b=1; c=1; while [ y ]; do > f$c; c=$b; b=$a; a=2; done", "p f1; unknown Path");
}

#[test]
fn loops_take_each_value() {
    check("for x in a b; do > $x; done; > $x.txt", "c a; c b; c b.txt");
    check("for x in a $Y; do > $x; done", "c a; unknown Path");
    check("for x in $(ls); do > $x; done", "unknown Path");
    check("for x in $(echo a b); do > $x; done", "c a; c b");
    check("for x in a b; do [ $x ] && continue; > $x; done", "c a; c b");
    check("for x in a b; do > $x; break; done; > c", "c a; p b; c c");
    check("for x in {1..300}; do :; done; > f$x", "unknown Path");
    check("for x in; do > f; done", "");
}

#[test]
fn what_follows_an_exit_is_not_sure() {
    check("exit 0; > a", "p a");
    check("if [ x ]; then exit; > b; fi; > a", "p b; c a");
    check("f() { return; > a; }; f; > b", "p a; c b");
    check("f() { if [ x ]; then cd src; return; fi; }; f; > b", "p b; p src/b");
    check("(exit); > a", "c a");
    check("exec true; > a", "p a");
}

#[test]
fn functions_are_called() {
    check("f() { > a; }", "");
    check("f() { > a; }; f", "c a");
    check("function f { > a; }; f", "c a");
    check("f() ( cd src; > a ); f; > b", "c src/a; c b");
    check("f() { cd src; }; f; > b", "c src/b");
    check("f() { > a; }; (f)", "c a");
    check("f() { > a; }; f() { > b; }; f", "c b");
    check("f() { > a; }; unset -f f; f", "unknown Program");
    check("[ x ] && f() { > a; }; f", "p a; unknown Program");
    check("if [ x ]; then f() { > a; }; else f() { > b; }; fi; f", "p b; p a");
    check("f() { > $x; }; x=a f", "c a");
    check("cd() { > a; }; cd src; > b", "c a; c b");
    check("cd() { builtin cd src; }; cd x; > b", "c src/b");
    check("f() { f; }; f", "unknown TooLarge");
    check("f() { f; f; > a; }; f", "c a; unknown TooLarge; unknown TooLarge");
}

#[test]
fn texts_are_run() {
    check("eval '> a'", "c a");
    check("eval 'cd src'; > a", "c src/a");
    check("eval cd src\\; '> a'", "c src/a");
    check("eval \"$X\"", "unknown Script");
    check("eval 'if'", "unknown Syntax");
    check("source f.sh", "unknown Script");
    check(". ./f.sh", "unknown Script");
    check("trap '> a' EXIT", "p a");
    check("trap '> \"$x\"' EXIT; x=a", "p a");
    check("trap - EXIT; trap '' INT; trap", "");
    check("trap \"$X\" EXIT", "unknown Script");
    check("(trap '> a' EXIT); > b", "p a; c b");
    check("trap '> a' EXIT & wait; > b", "p a; c b");
    check("trap '> a' EXIT | :; > b", "p a; c b");
    check("trap 'cd src; > a' EXIT; > b", "c b; p src/a");
    check("if", "unknown Syntax");
    check("> a; if", "unknown Syntax");
}

#[test]
fn aliases_may_be_in_force() {
    check("alias w='> a'\nw", "p a");
    check("alias w='> a; echo'\nw > b", "p a; c b");
    check("alias e='echo x'\ne > b", "c b; unknown Program");
    check("alias a=b b=a\na", "unknown Program; unknown Program");
}

#[test]
fn the_shells_own_commands_write_nothing() {
    for command in [
        "true",
        "false",
        ":",
        "echo a",
        "printf a",
        "test -f x",
        "[ -f x ]",
        "pwd",
        "cd src",
        "wait",
        "jobs",
        "kill 1",
        "hash -r",
        "type ls",
        "command -v ls",
        "umask 022",
        "ulimit -n 3",
        "export A=b",
        "set -x",
        "shopt -s nullglob",
        "history",
        "exit 3",
        "local x",
        "alias",
        "read x",
        "exec 2>&1",
        "unset x",
        "shift",
        "times",
    ] {
        check(command, "");
    }
    check("command cd src; > a", "c src/a");
    check("history -w f", "c f");
}
