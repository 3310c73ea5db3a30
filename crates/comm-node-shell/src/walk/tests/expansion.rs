//! From words to paths.

use super::check;

#[test]
fn redirections_write() {
    check("echo a > f", "c f");
    check("echo a >> f", "c f");
    check("echo a >| f", "c f");
    check("echo a &> f", "c f");
    check("echo a &>> f", "c f");
    check("echo a >& f", "c f");
    check("echo a 2> f", "c f");
    check("echo a {fd}> f", "c f");
    check(": <> f", "c f");
    check("> f", "c f");
    check("x=1 > f", "c f");
    check("export X=1 > f", "c f");
    check("exec > f", "c f");
    check("exec 3> f; > g", "c f; c g");
    check("{ echo a; echo b; } > f", "c f");
    check("(echo a) > f 2> g", "c f; c g");
    check("if :; then :; fi > f", "c f");
    check("while :; do :; done > f", "c f");
    check("for x in a; do :; done > f", "c f");
    check("case x in x) ;; esac > f", "c f");
    check("[[ -f x ]] > f", "c f");
    check("f() { :; } > g; f", "c g");
    check("cat <<EOF > f\nx\nEOF", "c f");
}

#[test]
fn what_is_no_file_is_not_written() {
    check("echo a > /dev/null", "");
    check("echo a > /dev/null 2>&1", "");
    check("echo a &> /dev/null", "");
    check("echo a >&2", "");
    check("echo a 2>&1 1>&2 3>&- 4>&1-", "");
    check("echo a > /dev/stderr > /dev/tty > /dev/fd/3 > /proc/self/fd/3", "");
    check("read x < f", "");
    check("read x <<< f", "");
    check("echo a 2>&$fd", "");
    check("echo a > /dev/shm/x", "certain File /dev/shm/x");
    check("echo a > /dev/../n/x", "certain File /dev/../n/x");
}

#[test]
fn paths_are_made_absolute() {
    check("> ./f", "c f");
    check("> a/./b//f", "c a/b/f");
    check("> a/../f", "c a/../f");
    check("> ../f", "c ../f");
    check("> ~/f", "certain File /home/u/f");
    check("> ~root/f", "unknown Path");
    check("> '~/f'", "c ~/f");
    check("> \\~/f", "c ~/f");
    check("> a~/f", "c a~/f");
    check("> ~+/f", "c f");
    check("> \"with space\"", "c with space");
    check("> with\\ space", "c with space");
    check("> 'a'\"b\"c", "c abc");
    check("> $'a\\tb'", "c a\tb");
    check("> \"\"", "");
    check("> -", "c -");
    check("> f # > g", "c f");
}

#[test]
fn braces_become_several() {
    check("for x in a{b,c}d; do > $x; done", "c abd; c acd");
    check("for x in {1..3}.txt; do > $x; done", "c 1.txt; c 2.txt; c 3.txt");
    check("for x in ~/{a,b}; do > $x; done", "certain File /home/u/a; certain File /home/u/b");
    check("for x in {~,/n}/a; do > $x; done", "certain File /home/u/a; c a");
    check("for x in '{a,b}'; do > $x; done", "c {a,b}");
    check("y='{a,b}'; for x in $y; do > $x; done", "c {a,b}");
    check("y=k; for x in {$y,b}; do > $x; done", "c k; c b");
    check("for x in {$y,b}; do > $x; done", "c b; unknown Path");
    check("for x in {1..100000}; do > $x; done", "unknown Path");
}

#[test]
fn patterns_become_what_is_there() {
    check("for x in *.rs; do > \"$x\"; done", "c a.rs; c b.rs; c with space.rs");
    check("for x in ?.rs; do > $x; done", "c a.rs; c b.rs");
    check("for x in [!a].rs; do > $x; done", "c b.rs");
    check("for x in [ac].rs; do > $x; done", "c a.rs");
    check("for x in .*.rs; do > $x; done", "c .hidden.rs");
    check("shopt -s dotglob; for x in *n.rs; do > $x; done", "c .hidden.rs");
    check("for x in src/*.rs; do > $x; done", "c src/x.rs; c src/y.rs");
    check("for x in */*.rs; do > $x; done", "possible Under /n/big; c src/x.rs; c src/y.rs");
    check("for x in /n/s*/*.rs; do > $x; done", "c src/x.rs; c src/y.rs");
    check("for x in s*/deep/z.rs s*/none; do > $x; done", "c src/deep/z.rs; c s*/none");
    check("for x in src/**/*.rs; do > $x; done", "c src/deep/z.rs; c src/x.rs; c src/y.rs");
    check("for x in *.zig; do > $x; done", "c *.zig");
    check("for x in '*.rs' \\*.rs; do > \"$x\"; done", "c *.rs");
    check("y='s*/x.rs'; for x in $y; do > $x; done", "c src/x.rs");
    check("y='s*/x.rs'; for x in \"$y\"; do > \"$x\"; done", "c s*/x.rs");
    check("set -f; for x in *.rs; do > \"$x\"; done", "c *.rs");
    check("cd $X; for x in *.rs; do > $x; done", "unknown Path");
    check("> *.md", "c *.md");
    check("> docs/*.md", "c docs/x.md");
    check("for x in {1..600}.txt; do :; done > f; cd src; > */$x", "c f; unknown Path");
}

#[test]
fn patterns_match_what_the_command_has_made() {
    check("> k1; > k2; for x in k*; do > $x.z; done", "c k1; c k2; c k1.z; c k2.z");
    check("> m/k1; for x in m/*; do > $x.z; done", "c m/k1; c m/k1.z");
    check("mkdir m; > m/k1; for x in m*/k1; do > $x.z; done", "certain Entry /n/m; c m/k1; c m/k1.z");
    check("> m/k1; for x in m*/k1; do > $x.z; done", "c m/k1; c m*/k1.z");
}

#[test]
fn a_directory_with_too_many_names_is_meant_as_a_whole() {
    check("for x in big/*; do > \"$x\"; done", "possible Under /n/big");
    check("cd big; > x*", "possible Under /n/big");
    check("> big/f", "c big/f");
    check("> big/f; > big/*", "c big/f; possible Under /n/big");
}

#[test]
fn what_follows_something_unknown_is_unknown() {
    check("> $X", "unknown Path");
    check("> src/$X", "possible Under /n/src; unknown Path");
    check("> $(date).txt", "unknown Path");
    check("> \"$@\"", "unknown Path");
    check("> ${x[1]}", "unknown Path");
    check("$X a", "unknown Name");
    check("\"$X/bin/tool\" a", "unknown Name");
}
