//! Variables, parameters and substitutions.

use super::check;

#[test]
fn variables_keep_their_values() {
    check("x=f; > $x", "c f");
    check("x=f; > ${x}.txt", "c f.txt");
    check("x=f y=g; > $x$y", "c fg");
    check("x=a; x+=b; > $x", "c ab");
    check("X+=b; > $X", "unknown Path");
    check("x='a b'; > \"$x\"", "c a b");
    check("x='a b'; for y in $x; do > $y; done", "c a; c b");
    check("IFS=:; x=a:b; for y in $x; do > $y; done", "c a; c b");
    check("IFS=: read -r x; > $x", "unknown Path");
    check("x=f; y=$x; x=g; > $y", "c f");
    check("x=~/f; > $x", "certain File /home/u/f");
    check("x=a:~/f; > $x", "c a:/home/u/f");
    check("x=\"~/f\"; > $x", "c ~/f");
    check("x=*; > \"$x\"", "c *");
    check("x=f; unset x; > g$x", "c g");
    check("x=1 echo; > f$x", "unknown Path");
    check("x=1; x=2 echo; > f$x", "c f1");
    check("HOME=/n/h; > ~/f", "c h/f");
    check("> $HOME/f", "certain File /home/u/f");
    check("x[1]=a; > $x", "unknown Path");
}

#[test]
fn arrays_keep_their_elements() {
    check("x=(a 'b c'); for y in \"${x[@]}\"; do > \"$y\"; done", "c a; c b c");
    check("x=(a 'b c'); for y in ${x[@]}; do > \"$y\"; done", "c a; c b; c c");
    check("x=(a 'b c'); > \"${x[*]}\"", "c a b c");
    check("x=(a b); > $x", "c a");
    check("x=(); > f$x; for y in \"${x[@]}\"; do > $y; done", "c f");
    check("x=(); x+=(a); x+=(b); touch \"${x[@]}\"", "c a; c b");
    check("X+=(a); touch \"${X[@]}\"", "unknown Path");
    check("x=(*.rs); touch \"${x[@]}\"", "c a.rs; c b.rs; c with space.rs");
    check("x=(a $Y b); touch \"${x[@]}\"", "c a; c b; unknown Path");
    check("x=(a b); > ${x[1]}", "unknown Path");
    check("x=(a b); x[0]=c; > $x", "unknown Path");
    check("x=([1]=a); > $x", "unknown Path");
    check("x=(a.rs); > ${x%.rs}", "unknown Path");
    check("x=a; touch \"${x[@]}\"", "c a");
    check("declare -a x=(a b); touch \"${x[@]}\"", "c a; c b");
    check("f() { local x=(\"$@\"); touch \"${x[@]}\"; }; f a b", "c a; c b");
    check("x=($(> f)); touch ${x[@]}", "c f");
    check("export x=(a); bash -c 'touch $x'", "unknown Path");
}

#[test]
fn declarations_assign() {
    check("export X=f; > $X", "c f");
    check("declare x=f; > $x", "c f");
    check("readonly x=f y=g; > $x$y", "c fg");
    check("declare -r x=f; > $x", "c f");
    check("declare -i x=1+1; > $x", "unknown Path");
    check("y=f; export X=$y/g; > $X", "c f/g");
    check("y='a b=c'; export X=$y; > \"$X\"", "c a b=c");
    check("y=X=f; export $y; > $X", "c f");
    check("export X=~/f; > $X", "certain File /home/u/f");
    check("local x=f; > $x", "unknown Path");
    check("x=f; export x; > $x", "c f");
    check("x=f; declare -p x; > $x", "c f");
    check("x=f; f() { local x=g; > $x; }; f; > $x", "c g; c f");
    check("x=f; f() { x=g; }; f; > $x", "c g");
    check("x=f; f() { local x; > a$x; }; f; > $x", "c a; c f");
    check("x=f; f() { declare -g x=g; }; f; > $x", "c g");
}

#[test]
fn what_is_read_is_unknown() {
    check("x=f; read x; > $x", "unknown Path");
    check("x=f; read -r y x < a; > $x", "unknown Path");
    check("x=f; mapfile -t x; > $x", "unknown Path");
    check("x=f; getopts ab x; > $x", "unknown Path");
    check("x=1; ((x++)); > f$x", "unknown Path");
    check("x=1; : $((x++)); > f$x", "unknown Path");
    check("x=1; : $((y = x += 2)); > f$x", "unknown Path");
    check("x=1; : $((x <<= 2)); > f$x", "unknown Path");
    check("x=1; : $[x=2]; > f$x", "unknown Path");
    check("x=1; cat <<EOF; > f$x\n$((x++))\nEOF", "unknown Path");
    check("x=1; y=$((x + 1)); z=$((x == 2)); ((x <= y)); > f$x", "c f1");
    check("x=1; let x=2; > f$x", "unknown Path");
    check("x=a; let x=2; > f$x", "unknown Path");
    check("x=f; echo y | read x; > $x", "unknown Path");
    check("printf -v x %s-%s a b; > $x", "c a-b");
    check("printf -v x %s $Y; > $x", "unknown Path");
}

#[test]
fn operators_work_on_known_values() {
    check("x=; > ${x:-f}", "c f");
    check("x=g; > ${x:-f}", "c g");
    check("unset x; > ${x:-f}", "c f");
    check("> ${X:-f}", "unknown Path");
    check("> ${X:-$(> g)}", "p g; unknown Path");
    check("unset x; > ${x:=f}; > $x.txt", "c f; c f.txt");
    check("x=1; > f${x:+g}", "c fg");
    check("x=; > f${x:+g}", "c f");
    check("x=f; > ${x:?no}", "c f");
    check("x=a/b/c.rs; > ${x##*/}", "c c.rs");
    check("x=a/b/c.rs; > ${x#*/}", "c b/c.rs");
    check("x=a/b/c.rs; > ${x%/*}", "c a/b");
    check("x=a/b/c.rs; > ${x%%/*}", "c a");
    check("x=c.rs; > \"${x%.rs}.txt\"", "c c.txt");
    check("x=c.rs; y=.rs; > \"${x%$y}.txt\"", "c c.txt");
    check("x=abc; > ${x/b/d}", "unknown Path");
    check("x=abc; > ${#x}", "unknown Path");
    check("x=y; y=f; > ${!x}", "unknown Path");
}

#[test]
fn positional_parameters_are_followed() {
    check("set -- a b; > $1; > $2; > f$3; > $#", "c a; c b; c f; c 2");
    check("set -- a b; shift; > $1", "c b");
    check("set -- a 'b c'; for x in \"$@\"; do > \"$x\"; done", "c a; c b c");
    check("set -- a 'b c'; for x; do > \"$x\"; done", "c a; c b c");
    check("set -- a 'b c'; for x in $@; do > \"$x\"; done", "c a; c b; c c");
    check("set -- a b; > \"$*\"", "c a b");
    check("set -- a b; > \"x$@y\"", "c xa; c by");
    check("set -- $X b; > $1", "unknown Path");
    check("set -- a $X; > $1; > $2", "c a; unknown Path");
    check("f() { > $1; }; f a; f b", "c a; c b");
    check("f() { shift; > $1; }; f a b; > g$1", "c b; c g");
    check("f() { g \"$@\"; }; g() { > $2; }; f a b", "c b");
    check("> f${1-g}", "c fg");
    check("for x in \"$@\"; do > $x; done", "");
}

#[test]
fn substitutions_of_plain_programs_are_known() {
    check("> $(echo f)", "c f");
    check("> \"$(echo f g)\"", "c f g");
    check("> `echo f`", "c f");
    check("> $(printf '%s.txt' f)", "c f.txt");
    check("> $(pwd)/f", "c f");
    check("cd $(pwd)/src; > f", "c src/f");
    check("d=$(cd src && pwd); > $d/f", "c src/f");
    check("x=$(echo $(echo a)b); > $x", "c ab");
    check("x=$(if y=1; then echo a; fi); > $x", "unknown Path");
    check("x=$(echo a; echo b); > \"$x\"", "c a\nb");
    check("x=$(y=1 || echo b); > f$x", "unknown Path");
    check("x=$(echo a || echo b); > f$x", "c fa");
    check("x=$(echo a > g); > f$x", "c g; c f");
    check("x=$(echo a >&2; echo b); > $x", "c b");
    check("x=$(f() { echo a; }; f); > $x", "c a");
    check("x=$(eval echo a); > $x", "c a");
    check("x=$(read y); > f$x", "c f");
    check("x=$(echo a & echo b); > f$x", "unknown Path");
    check("x=$(echo -e a); > f$x", "unknown Path");
    check("x=$(for y in a b; do echo $y; done); for z in $x; do > $z; done", "c a; c b");
}

#[test]
fn what_is_a_part_of_a_name_stays_in_its_directory() {
    check("> src/x.$$", "possible Under /n/src");
    check("f=src/$RANDOM; > $f; > $f.bak", "possible Under /n/src");
    check("> src/$((i + 1))/f", "possible Under /n/src");
    check("cp a.rs src/$(date +%F-%H).rs", "possible Under /n/src");
    // All of the working directory would be too much.
    check("> log.$$", "p log.0; unknown Path");
    check("> /tmp/log.$$", "possible Under /tmp");
    check("RANDOM=../x; > src/$RANDOM", "c src/../x");
    check("> src/$(date +%D)", "possible Under /n/src; unknown Path");
    check("x.$$ a", "unknown Name");
    check("sed -n \"$((n + 1)),$(($n * 2))p\" src/x.rs", "");
    check("for i in $(seq 2); do > src/$i; done", "c src/1; c src/2");
    check("for i in $(seq 2 9999); do > src/$i; done", "possible Under /n/src; unknown Path");
    check("x=a.$$; > src/${x%.*}", "possible Under /n/src; unknown Path");
}

#[test]
fn the_known_beginning_of_a_path_names_a_directory() {
    check("> src/$X", "possible Under /n/src; unknown Path");
    check("> src/a$X", "possible Under /n/src; unknown Path");
    check("> $X", "unknown Path");
    check("> x$X", "unknown Path");
    check("> ./$X", "unknown Path");
    check("> ../n/$X", "unknown Path");
    check("ls | xargs -I{} cp {} src/", "possible Under /n/src; unknown Path");
    check("find src -exec sh -c 'rm \"$1\"' _ {} \\;", "possible Under /n/src; unknown Path");
    check("find src -exec sh -c 'rm \"$@\"' _ {} +", "possible Under /n/src; unknown Path");
    check("sh -c 'rm $0 $1' a b", "certain Entry /n/a; certain Entry /n/b");
    check("sh -c 'rm \"$1\"' $X b", "unknown Path");
    check("X=a; X=b ls > $X", "c a");
    check("X=a; X=b > $X", "c b");
}
