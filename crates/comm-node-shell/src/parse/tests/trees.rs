//! What single texts are parsed to.

use super::check;

#[test]
fn lists_and_pipelines() {
    check(&[
        ("", ""),
        ("  # nothing\n\n", ""),
        ("echo a b", "(echo a b)"),
        ("a; b & c\nd", "(a); (b) &; (c); (d)"),
        ("a && b || c && d", "(a) && (b) || (c) && (d)"),
        ("a &&\n # why\n b", "(a) && (b)"),
        ("a | b |& c |\n d", "(a) | (b) | (c) | (d)"),
        ("! a | b", "(a) | (b)"),
        ("time -p a; ! ! b; ! time ! c; !", "(a); (b); (c); "),
        ("a | time b", "(a) | (time b)"),
        ("a &\\\n& b |\\\n| c", "(a) && (b) || (c)"),
        ("a # b; c\nd#e", "(a); (d#e)"),
        ("a;#b\nc", "(a); (c)"),
        ("while\\\n a; do\\\n\\\n b; done", "(loop [(a)] [(b)])"),
        ("echo if then", "(echo if then)"),
        ("a\r\nb", "(a\r); (b)"),
        ("; a", "fault at 0"),
        ("a ;; b", "fault at 2"),
        ("a && ; b", "fault at 5"),
        ("a | ! b", "fault at 4"),
        ("a )", "fault at 2"),
        ("a\0b", "fault at 1"),
    ]);
}

#[test]
fn words() {
    check(&[
        (r#"a'b c'd"e f"g"#, "(a'b c'd'e f'g)"),
        (r#"'' "" a"" $'' $"""#, "('' '' a'' '' '')"),
        (r#"a\ b \"c \é \\"#, r#"(a' 'b '"'c 'é' '\')"#),
        ("a\\\nb 'c\\\nd' \"e\\\nf\"", "(ab 'c\\\\nd' 'ef')"),
        (r#""a\b\$\`\"\\\é""#, r#"('a\b$`"\\é')"#),
        (r"$'a\tb\x41\101\u00e9\'\e[0m\q'", "('a\\tbAAé'\u{1b}[0m\\q')"),
        (r"$'\xc3\xa9' $'a\0b'c", "('é' 'a'c)"),
        (r"echo $'\xff'", "fault at 6"),
        (r#"$"a $x""#, "('a '\"${x}\")"),
        ("~/a*{b,c}?[d] ~\"/\"", "(~/a*{b,c}?[d] ~'/')"),
        ("{a b} {} a} }a", "({a b} {} a} }a)"),
        ("a$ $ \"$\" \"$ a\"", "(a$ $ '$' '$ a')"),
        ("<(a; b) >(c) d<(e)f", "(<((a); (b)) <((c)) d<((e))f)"),
        ("'a", "fault at 2"),
        ("\"a", "fault at 2"),
        ("\"a'b\" \"$'c'\"", "('a'b' '$'c'')"),
        ("a\\", "(a'\\')"),
        ("@(a|b)", "fault at 1"),
        ("shopt -s extglob\nrm !(a|b) c+(d e)", "(shopt -s extglob); (rm !(a|b) c+(d e))"),
    ]);
}

#[test]
fn parameters() {
    check(&[
        ("$a$b1-$1$10 $@ $# $? $- $$ $! $*", "(${a}${b1}-${1}${1}0 ${@} ${#} ${?} ${-} ${$} ${!} ${*})"),
        ("\"$a\"b\"c$d\"", "(\"${a}\"b'c'\"${d}\")"),
        ("${a} ${10} ${@} ${#} ${!} ${$}", "(${a} ${10} ${@} ${#} ${!} ${$})"),
        (
            "${a-b} ${a:-b} ${a=b} ${a:=b} ${a+b} ${a:+b} ${a?b} ${a:?b}",
            "(${a-b} ${a-b} ${a=b} ${a=b} ${a+b} ${a+b} ${a?b} ${a?b})",
        ),
        ("${a#b} ${a##b} ${a%b} ${a%%b}", "(${a#b} ${a##b} ${a%b} ${a%%b})"),
        ("${a:-} ${#-x} ${##x} ${#:-x} ${!-x}", "(${a-''} ${#-x} ${##x} ${#-x} ${!-x})"),
        (
            "${#a} ${!a} ${a[$i]} ${a/$b/c} ${a:1:$n} ${a^} ${a@Q} ${#} ${##} ${#?} ${!a@}",
            "(${a!} ${a!} ${a!${i}} ${a!${b}} ${a!${n}} ${a!} ${a!} ${#} ${#!} ${?!} ${a!})",
        ),
        ("${a:-b c 'd}' \"$e\" $(f)}", "(${a-b c 'd}' \"${e}\" $((f))})"),
        ("\"${a:-b 'c' \"d\" $e ${f-g}}\"", "(\"${a-'b 'c' d '\"${e}\"' '\"${f-'g'}\"}\")"),
        ("\"${a#*/} ${a%'}'$b}\"", "(\"${a#*/}\"' '\"${a%'}'${b}}\")"),
        ("\"${a-'}'}\" ${a-\\}} \"${a-\\}}\"", "(\"${a-''}''}\" ${a-'}'} \"${a-'}'}\")"),
        ("${a-<(b)} \"${a-<(b)}\"", "(${a-<((b))} \"${a-'<(b)'}\")"),
        ("${a b} ${} ${%}", "(${a!} ${!} ${!})"),
        (r#""${a-"\{ \}"}" "${b-\{}""#, r#"("${a-'{ }'}" "${b-'\{'}")"#),
        ("${$-a} ${${a}:-$b} ${$(a)}", "(${$-a} ${!${a}${b}} ${!$((a))})"),
        ("${a", "fault at 3"),
        ("$HO\\\nME $\\\n{a} $\\\n(b)", "(${HOME} ${a} $((b)))"),
    ]);
}

#[test]
fn substitutions() {
    check(&[
        ("a $(b | c) \"d $(e \"f g\")\"", "(a $((b) | (c)) 'd '\"$((e 'f g'))\")"),
        ("$(case x in a) b;; (c) d; esac)e", "($((case x a [(b)] c [(d)]))e)"),
        ("$(# it's )\na)", "($((a)))"),
        ("$() $( )", "($() $())"),
        (
            "`a \\`b \\\\\\`c\\\\\\` \\$d\\`` \"`e \\\"f g\\\"`\"",
            "($((a $((b $((c)) ${d})))) \"$((e 'f g'))\")",
        ),
        ("`a", "fault at 2"),
        ("`(`", "fault at 0"),
        ("$((1 + (2*$a) + `b`)) $[c[$d] + 1] \"$((e))\"", "($[${a}$((b))] $[${d}] $[])"),
        ("$((a) | (b)) $( (c) ) $((d); e)", "($((sub (a)) | (sub (b))) $((sub (c))) $((sub (d)); (e)))"),
        ("$(((1)))", "($[])"),
        ("$((a $(b) `c`) )", "($((sub (a $((b)) $((c))))))"),
        ("${ a; } ${\n b\n}c", "($((a)) $((b))c)"),
        ("$(a", "fault at 3"),
        ("$(a))", "fault at 4"),
    ]);
}

#[test]
fn assignments() {
    check(&[
        ("a=b c+=$d e= f", "(a=b c+=${d} e='' f)"),
        ("a=b", "(a=b)"),
        ("a=\"b c\"d a[$i+1]=x a[b c]+=y", "(a='b c'd a[${i}]=x a[]+=y)"),
        ("a=(b 'c d' [3]=e [f g]=h # no\n $i) x", "(a=(b 'c d' [3]=e [f g]=h ${i}) x)"),
        ("a=() b+=(c)", "(a=() b+=(c))"),
        ("a b=c d=(e)", "fault at 8"),
        ("declare -a a=(b c) d=e", "(declare -a a=(b c) d=e)"),
        ("export a=$b; local c[1]+=(d)", "(export a=${b}); (local c[1]+=(d))"),
        ("1a=b a-b=c a[b]c", "(1a=b a-b=c a[b]c)"),
        ("a[$b c]d=e", "(a[${b} c]d=e)"),
        ("a[b", "fault at 3"),
        ("a=(b", "fault at 4"),
        ("a=(b;c)", "fault at 4"),
        ("env A=b c", "(env A=b c)"),
    ]);
}

#[test]
fn redirections() {
    check(&[
        ("a >b >>c <d <>e >|f", "(a) >b >>c <d <>e >|f"),
        ("a 2>&1 >&- <&3- >&x &>b &>>c", "(a) 2>&1 >&- <&3- >&x &>b &>>c"),
        (">b a c", "(a c) >b"),
        (">b", "() >b"),
        ("a 10>b 2 >c d2>e", "(a 2 d2) 10>b >c >e"),
        ("a {fd}>b {1}>c", "(a {1}) fd>b >c"),
        ("a <<<\"b $c\" <<< d", "(a) <<<'b '\"${c}\" <<<d"),
        ("a >'b c'$d", "(a) >'b c'${d}"),
        ("a > >(b) < <(c) 2>(d)", "(a 2<((d))) ><((b)) <<((c))"),
        ("a >&-b", "(a b) >&-"),
        ("a 2&>b", "(a 2) &>b"),
        ("{ a; } >b 2>&1 | c", "(group (a)) >b 2>&1 | (c)"),
        ("a >", "fault at 3"),
        ("a > ;", "fault at 4"),
        ("{ a; } >b c", "fault at 10"),
    ]);
}

#[test]
fn here_documents() {
    check(&[
        ("cat <<E >f\na $b\\$c `d`\nE\ne", "(cat) <<'a '\"${b}\"'$c '\"$((d))\"'\\n' >f; (e)"),
        ("cat <<'E'\na $b\n\\\nE\ne", "(cat) <<'a $b\\n\\\\n'; (e)"),
        ("cat <<\\E\n$a\nE", "(cat) <<'$a\\n'"),
        ("cat <<-E\n\ta\n\t\t\tb\n\tE\nc", "(cat) <<'a\\nb\\n'; (c)"),
        ("cat <<-'E'\n\ta\n\tE\nc", "(cat) <<'a\\n'; (c)"),
        ("a <<-E\n\\\n\t\tb\\\n\tc\n\tE", "(a) <<'b\\tc\\n'"),
        ("a <<E | b <<F && c\n1\nE\n2\nF\nd", "(a) <<'1\\n' | (b) <<'2\\n' && (c); (d)"),
        ("a <<E\nb", "(a) <<'b\\n'"),
        ("a <<E", "(a) <<''"),
        ("a <<E\nE\nb", "(a) <<''; (b)"),
        ("a <<E; b \"c\nd\"\n1\nE\ne", "(a) <<'1\\n'; (b 'c\\nd'); (e)"),
        ("a $(b <<E\n1)\nE\n) c", "(a $((b) <<'1)\\n') c)"),
        ("a $(b <<E\n1\nE) c", "(a $((b) <<'1\\n') c)"),
        ("a $(b <<E)\n1\nE\nc", "(a $((b) <<'1\\n')); (c)"),
        ("a <<E; x=$(b\nc)\n1\nE\nd", "(a) <<'1\\n'; (x=$((b); (c))); (d)"),
        ("(a <<E)\n1\nE\nb", "(sub (a) <<'1\\n'); (b)"),
        ("if a <<E; then\n1\nE\nb; fi", "(if [(a) <<'1\\n'] [(b)])"),
        ("a <<E\n\"b\" 'c' \\\" ${d-\"e\"} $'f'\nE", "(a) <<'\"b\" 'c' \\\" '\"${d-'e'}\"' $'f'\\n'"),
        ("a <<E\nb\\\nE\nE\nc", "(a) <<'bE\\n'; (c)"),
        ("a <<E\n$(b <<F\n1\nF\n)\nE", "(a) <<\"$((b) <<'1\\n')\"'\\n'"),
        ("a <<'E'$x\"F\"\n1\nE$xF\nb", "(a) <<'1\\n'; (b)"),
        ("a <<\"\"\n1\n\nb", "(a) <<'1\\n'; (b)"),
        ("a <<E\r\n1\nE\r\nb", "(a) <<'1\\n'; (b)"),
        ("f() { a; } <<E\n1\nE", "(def f (group (a)) <<'1\\n')"),
        ("$((a <<E\n1\nE\n) )\nb", "($((sub (a) <<'1\\n'))); (b)"),
        ("a <<\n", "fault at 4"),
    ]);
}

#[test]
fn groups_and_conditions() {
    check(&[
        ("{ a; b; }", "(group (a); (b))"),
        ("{ a\n}", "(group (a))"),
        ("(a; b) && (c)", "(sub (a); (b)) && (sub (c))"),
        ("{(a)}", "(group (sub (a)))"),
        ("((a + $b)) && c", "((${b})) && (c)"),
        ("((a); b)", "(sub (sub (a)); (b))"),
        ("if a; then b; elif c; d\nthen e; else f; fi >g", "(if [(a)] [(b)] [(c); (d)] [(e)] else [(f)]) >g"),
        ("while a; do b; done | c", "(loop [(a)] [(b)]) | (c)"),
        ("until a\ndo\nb\ndone &", "(loop [(a)] [(b)]) &"),
        ("for x in a $b; do c; done", "(for x in a ${b} [(c)])"),
        ("for x do a; done; for x; do b; done", "(for x [(a)]); (for x [(b)])"),
        ("for x\nin a\ndo b\ndone", "(for x in a [(b)])"),
        ("for x in; do a; done", "(for x in  [(a)])"),
        ("for x in a; { b; }", "(for x in a [(b)])"),
        ("select x in a; do b; done", "(for x in a [(b)])"),
        ("for ((i=0; i<$n; i++)); do a; done", "(for(( ${n} [(a)])"),
        ("for ((;;)) { a; }", "(for((  [(a)])"),
        ("case $a in b|'c d') e;; (f*) g; h;& *) ;;& esac", "(case ${a} b 'c d' [(e)] f* [(g); (h)] * [])"),
        ("case a in\n# b\nb)\nc\n;;\nd) e\nesac", "(case a b [(c)] d [(e)])"),
        ("case a in esac", "(case a)"),
        ("case a in @(b|c)|d) e; esac", "(case a @(b|c) d [(e)])"),
        ("{ }", "fault at 2"),
        ("( )", "fault at 2"),
        ("if a; then fi", "fault at 11"),
        ("if a; then b", "fault at 12"),
        ("{ a; } b", "fault at 7"),
        ("{ a }", "fault at 5"),
        ("while a; { b; }", "fault at 15"),
        ("fi", "fault at 0"),
    ]);
}

#[test]
fn functions_and_coprocesses() {
    check(&[
        ("f() { a; }", "(def f (group (a)))"),
        ("f ( )\n(a) >b", "(def f (sub (a)) >b)"),
        ("function f { a; }", "(def f (group (a)))"),
        ("function f-g () { a; }; b", "(def f-g (group (a))); (b)"),
        ("function f (a)", "(def f (sub (a)))"),
        ("f() if a; then b; fi", "(def f (if [(a)] [(b)]))"),
        ("f() a", "fault at 4"),
        ("f(a)", "fault at 1"),
        ("coproc a b", "(coproc (a b))"),
        ("coproc N { a; } >b", "(coproc (group (a)) >b)"),
        ("coproc { a; }", "(coproc (group (a)))"),
        ("coproc", "fault at 6"),
    ]);
}

#[test]
fn tests() {
    check(&[
        ("[[ -f $a && b == c* ]]", "(test -f ${a} && b == c*)"),
        ("[[ ! ( a || -n \"b\" ) ]] && c", "(test ! ( a || -n 'b' )) && (c)"),
        ("[[ a =~ ^(b c|d)$e[f]|g$ ]]", "(test a =~ ^(b c|d)${e}[f]|g$)"),
        ("[[ a == @(b|c d) ]]", "(test a == @(b|c d))"),
        ("[[ a < b && c > d ]]", "(test a < b && c > d)"),
        ("[[ a == b\n&&\n\nc -eq 1 ]] >f", "(test a == b && c -eq 1) >f"),
        ("[[ $(a) ]]", "(test $((a)))"),
        ("[[ ]]", "fault at 3"),
        ("[[ a b ]]", "fault at 5"),
        ("[[ a == ]]", "fault at 8"),
        ("[[ ( a ]]", "fault at 7"),
        ("[[ a", "fault at 4"),
        ("[ a ] && [ -f b ]", "([ a ]) && ([ -f b ])"),
    ]);
}
