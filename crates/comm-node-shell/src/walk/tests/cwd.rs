//! Where the shell is.

use super::check;

#[test]
fn cd_leads_what_follows() {
    check("cd src && > f", "c src/f");
    check("cd src; > f", "c src/f");
    check("cd src; cd deep; > f", "c src/deep/f");
    check("cd src/..; > f", "c f");
    check("cd ../n/src; > f", "c src/f");
    check("cd /tmp && > f", "certain File /tmp/f");
    check("cd; > f", "certain File /home/u/f");
    check("cd ~; > f", "certain File /home/u/f");
    check("cd -- src; > f", "c src/f");
    check("cd -L src; > f", "c src/f");
    check("cd -P src/..; > f", "c src/../f");
    check("cd src; cd -; > f", "c f");
    check("cd $PWD/src; > $PWD/f", "c src/f");
    check("cd src; cd $OLDPWD; > f", "c f");
    check("cd \"$CLAUDE_PROJECT_DIR/src\"; > f", "c src/f");
}

#[test]
fn a_directory_that_is_not_there_may_fail() {
    check("cd nowhere && > f", "c nowhere/f");
    check("cd nowhere; > f", "p nowhere/f; p f");
    check("cd nowhere && > f; > g", "c nowhere/f; p nowhere/g; p g");
    check("cd nowhere || exit 1; > f", "c nowhere/f");
    check("cd nowhere || { echo no; exit 1; }; > f", "c nowhere/f");
    check("set -e; cd nowhere; > f", "c nowhere/f");
    check("set -e; cd nowhere && > f; > g", "c nowhere/f; p nowhere/g; p g");
    check("no-such-program; cd nowhere; > f", "c nowhere/f; unknown Program");
    check("cd $(mktemp -d); > f", "certain File /tmp/tmp.XXXXXXXXXX/f");
    check("set -euo pipefail\ncd nowhere\n> f", "c nowhere/f");
    check("set -o errexit; cd nowhere; > f", "c nowhere/f");
    check("cd nowhere || cd src; > f", "p nowhere/f; p src/f");
    check("cd src || > g; > f", "p g; c src/f");
    check("mkdir d; cd d; > f", "certain Entry /n/d; c d/f");
    check("> d/x; cd d; > f", "c d/x; p d/f; p f");
    check("cd a.rs; > f", "p a.rs/f; p f");
}

#[test]
fn a_place_that_is_not_known_is_unknown() {
    check("cd $X; > f", "unknown Path");
    check("cd $X; > /n/f", "c f");
    check("cd \"$(head -1 list)\" && > f", "unknown Path");
    check("cd $X && cd /n/src && > f", "c src/f");
    check("cd a b; > f", "unknown Path");
    check("cd -2; > f", "unknown Path");
    check("cd -; > f", "unknown Path");
}

#[test]
fn a_test_divides_the_way() {
    check("[ -d src ] && cd src; > f", "p src/f; p f");
    check("[ -d src ] && cd src || exit; > f", "c src/f");
    check("[ -d src ] && cd src || cd docs; > f", "p src/f; p docs/f");
    check("[[ -d src ]] && cd src && > g; > f", "p src/g; p src/f; p f");
    check("test -d src || cd src; > f", "p f; p src/f");
    check("if [ -d src ]; then cd src; fi; > f", "p f; p src/f");
    check("if [ -d src ]; then cd src; else cd docs; fi; > f", "p docs/f; p src/f");
    check("if [ -d src ]; then cd src; else exit; fi; > f", "c src/f");
}

#[test]
fn a_shell_of_its_own_keeps_its_directory() {
    check("(cd src; > f); > g", "c src/f; c g");
    check("(cd src && > f) && > g", "c src/f; c g");
    check("echo $(cd src; > f); > g", "c src/f; c g");
    check("cd src & > g", "c g");
    check("{ cd src; }; > g", "c src/g");
    check("cat <(cd src; > f) > g", "c src/f; c g");
    check("echo x | cd src; > f", "p f; p src/f");
    check("cd src | echo x; > f", "c f");
}

#[test]
fn the_stack_of_directories_is_followed() {
    check("pushd src; > f; popd; > g", "c src/f; c g");
    check("pushd src; pushd deep; popd; > f; popd; > g", "c src/f; c g");
    check("pushd src; pushd; > f", "c f");
    check("pushd +1; > f", "unknown Path");
    check("popd; > f", "unknown Path");
}

#[test]
fn a_loop_that_goes_on_loses_the_place() {
    check("while x=1; do cd src; > f; done", "p src/f; p src/src/f; unknown Path");
    check("while x=1; do cd /n/src; > f; done; > g", "p src/f; p g; p src/g");
    check("for d in src docs; do cd $d; > f; cd ..; done; > g", "c src/f; c docs/f; c g");
    check("for d in src docs; do (cd $d; > f); done", "c src/f; c docs/f");
    check("while x=1; do cd src; break; done; > f", "p f; p src/f");
}

#[test]
fn what_stands_behind_a_negation_may_not_be_run() {
    check("! mkdir -p m && cd src; > f", "certain Entry /n/m; p src/f; p f");
    check("! cd src || > f", "p f; p src/f");
}

#[test]
fn a_name_in_a_directory_does_not_make_it() {
    // So the second `cd` may fail as well, wherever the first has left the shell.
    check(
        "cd src/deep; cd x; ln f; cd ../x; > g",
        "possible Entry /n/src/deep/x/f; possible Entry /n/src/deep/f; p src/deep/x/g; p src/x/g; p src/deep/g",
    );
}
