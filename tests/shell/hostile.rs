//! Hostile texts: built to be slow, deep or large; and what people type, damaged.

use comm_node_shell::MAX_BYTES;

use crate::corpus;
use crate::grammar::Maker;
use crate::node::Random;

const TOKENS: &[&str] = &[
    "$(",
    ")",
    "`",
    "${",
    "}",
    "$((",
    "))",
    "\"",
    "'",
    "\\",
    "\n",
    ";",
    "&&",
    "||",
    "|",
    "&",
    "<<EOF\n",
    "\nEOF\n",
    "<<'E'\n",
    "\nE\n",
    "<<<",
    ">",
    ">>",
    "<(",
    ">(",
    "(",
    "{ ",
    "; }",
    "if ",
    "; then ",
    "; fi",
    "for x in ",
    "; do ",
    "; done",
    "while ",
    "case x in ",
    ") ",
    ";; esac",
    "f() ",
    "function ",
    "[[ ",
    " ]]",
    "((",
    "*",
    "?",
    "[a-z]",
    "{a,b}",
    "{1..9}",
    "~",
    "~/",
    "$x",
    "${x:-",
    "${x%",
    "$@",
    "$1",
    "x=",
    "x+=",
    "x=(",
    "web/a.txt",
    "rm ",
    "-rf ",
    "cd ",
    "cd .. ",
    "eval ",
    "bash -c ",
    "sed -i ",
    "xargs ",
    "find . -exec ",
    "{} \\;",
    "env ",
    "alias a=",
    "export ",
    "local ",
    "set -- ",
    "#",
    "!",
    "$'",
    "\\x41",
    "\0",
    "\u{feff}",
    "ü",
    "\u{202e}",
    "\r\n",
    "\t",
    "2>&1",
    "&>",
    ">|",
    "<>",
    "coproc ",
    "time ",
    "-- ",
    "--",
    "=",
    "%",
    "^",
    "@",
    ":",
    ",",
    "..",
    "/",
    "//",
    "/dev/null",
    "tee ",
    "git ",
    "awk '{print > \"x\"}' ",
    "perl -i -e ",
    "tar -xf ",
    "cp -r ",
    "mv ",
    "trap ",
    "source ",
    "exec ",
    "unset ",
    "GIT_EDITOR=",
    "PAGER=",
    "GIT_CONFIG_KEY_0=",
    "LD_PRELOAD=",
    "PATH=",
    "git -c core.editor=",
];

/// One text and what it was made of.
pub(crate) struct Case {
    pub(crate) kind: String,
    pub(crate) text: String,
    pub(crate) powershell: bool,
}

/// Texts that are built to be slow, deep or large, one after the other, so that they don't fill the memory
/// that is measured.
pub(crate) fn pathological(sizes: &[usize], each: &mut dyn FnMut(Case)) {
    let mut count = 0;
    let mut add = |kind: &str, text: String| {
        count += 1;
        if count % 5 == 0 {
            each(Case { kind: format!("PowerShell, {kind}"), text: text.clone(), powershell: true });
        }
        each(Case { kind: kind.to_owned(), text, powershell: false });
    };
    for &n in sizes {
        // Repeated, and where it closes also closed again.
        for (open, inner, close) in [
            ("$(", "rm x", ")"),
            ("\"$(", "rm x", ")\""),
            ("`", "", ""),
            ("(", "rm x", ")"),
            ("{ ", "rm x", "; }"),
            ("${x:-", "y", "}"),
            ("\"${x:-", "y", "}\""),
            ("${x:-$(", "rm x", ")}"),
            ("$((", "1", "))"),
            ("((", "1", "))"),
            ("<(", "rm x", ")"),
            ("echo \"", "", ""),
            ("'", "", ""),
            ("\\", "", ""),
            ("if true; then ", "rm x", "; fi"),
            ("if ", "rm x", "; then :; fi"),
            ("for i in a b c; do ", "rm $i", "; done"),
            ("for i in {1..99}; do ", "rm $i$i", "; done"),
            ("while true; do ", "rm x", "; done"),
            ("case x in x) ", "rm x", ";; esac"),
            ("case $(", "", ""),
            ("f() { ", "rm x", "; }"),
            ("[[ ( ", "a", " ) ]]"),
            ("{a,b}", "", ""),
            ("echo {a,b}", "", ""),
            ("{", "a,b", "}"),
            ("{a,", "b", "}"),
            ("{1..100}", "", ""),
            ("{1..999999999}", "", ""),
            ("*", "", ""),
            ("*/", "x", ""),
            ("rm */*/*/* ", "", ""),
            ("?", "", ""),
            ("*a*b", "", ""),
            ("[", "a", "]"),
            ("[!a-z]*", "", ""),
            ("> web/x ", "", ""),
            (">x", "", ""),
            ("<<a ", "", ""),
            ("<<E\nE\n", "", ""),
            ("cat <<E\n$(", "x", ")\nE\n"),
            ("; ", "", ""),
            ("| cat ", "", ""),
            ("&& rm x ", "", ""),
            ("rm x; ", "", ""),
            ("rm x\n", "", ""),
            ("x=$x$x; ", "rm $x", ""),
            ("x=a$x; ", "rm $x", ""),
            ("x+=$x; ", "rm $x", ""),
            ("eval ", "rm x", ""),
            ("env ", "rm x", ""),
            ("sudo ", "rm x", ""),
            ("command ", "rm x", ""),
            ("xargs ", "rm x", ""),
            ("timeout 1 ", "rm x", ""),
            ("find . -exec ", "rm x", " \\;"),
            ("a=b ", "rm x", ""),
            ("x=( ", "a", " )"),
            ("cd web; ", "rm x", ""),
            ("cd ..; ", "rm x", ""),
            ("cd a && ", "rm x", ""),
            ("(cd a; ", "rm x", ")"),
            ("../", "x", ""),
            ("rm ", "x", ""),
            ("rm web/* ", "", ""),
            ("~", "", ""),
            ("$", "", ""),
            ("$x", "", ""),
            ("$@", "", ""),
            ("a", "", ""),
            ("é", "", ""),
            ("\0", "", ""),
            ("#", "", ""),
            ("\n", "", ""),
            (" ", "", ""),
            ("\\\n", "", ""),
            ("! ", "rm x", ""),
            ("time ", "rm x", ""),
            ("coproc ", "rm x", ""),
            ("function f ", "", ""),
            ("f() ", "rm x", ""),
            ("trap '", "", ""),
            ("alias a=", "", ""),
            ("tee a b c ", "", ""),
            ("sed -i s/a/b/ -e 'w x' ", "", ""),
            ("git -C web ", "reset --hard", ""),
            ("git -c core.pager='tee x' ", "log", ""),
            ("GIT_EDITOR='tee x' ", "git commit", ""),
            ("export GIT_EDITOR='tee x'; git commit; ", "", ""),
            ("PATH=x:$PATH ", "ls", ""),
        ] {
            if open.len() * n > 1 << 20 {
                continue;
            }
            let begun = open.repeat(n);
            add(&format!("{open:?} × {n}"), format!("{begun}{inner}"));
            add(&format!("echo {open:?} × {n}"), format!("echo {begun}{inner}{}", close.repeat(n)));
        }
        add(&format!("one word of {n}"), format!("rm {}", "x".repeat(n)));
        add(
            &format!("{n} functions"),
            (0..n.min(20_000)).map(|i| format!("f{i}() {{ f{}; }}\n", i + 1)).collect::<String>() + "f0",
        );
        add(
            &format!("{n} variables"),
            (0..n.min(20_000)).map(|i| format!("x{i}=$x{}\n", i.max(1) - 1)).collect::<String>() + "rm $x9",
        );
        add(
            &format!("{n} aliases"),
            (0..n.min(20_000)).map(|i| format!("alias a{i}=a{}\n", i + 1)).collect::<String>() + "a0",
        );
        add(
            &format!("{n} settings"),
            (0..n.min(20_000))
                .map(|i| format!("export GIT_CONFIG_KEY_{i}=core.pager GIT_CONFIG_VALUE_{i}='git log'\n"))
                .collect::<String>()
                + &"git log; ".repeat(n.min(20_000)),
        );
        add(
            &format!("{n} doublings"),
            "x=web/aaaa\n".to_owned() + &"x=$x$x\n".repeat(n.min(20_000)) + "rm $x",
        );
        add(&format!("{n} targets"), (0..n.min(20_000)).map(|i| format!("> f{i}\n")).collect());
        add(
            &format!("{n} documents"),
            "cat ".to_owned() + &"<<E ".repeat(n.min(20_000)) + "\n" + &"E\n".repeat(n.min(20_000)),
        );
    }
    for (kind, text) in [
        ("f() { f; f; }; f", "f() { f; f; }; f"),
        ("f calls itself with more", "f() { f \"$@\" \"$@\"; rm \"$@\"; }; f a b c"),
        ("f and g", "f() { g; g; g; }; g() { f; f; f; }; f"),
        (
            "ladder",
            "a(){ rm x; }; b(){ a;a;a;a; }; c(){ b;b;b;b; }; d(){ c;c;c;c; }; e(){ d;d;d;d; }; g(){ e;e;e;e; }; h(){ g;g;g;g; }; i(){ h;h;h;h; }; j(){ i;i;i;i; }; j",
        ),
        ("eval of itself", "x='eval \"$x\"; eval \"$x\"'; eval \"$x\""),
        ("eval grows", "x='x=\"$x$x\"; eval \"$x\"'; eval \"$x\""),
        ("bash -c of itself", "export x='bash -c \"$x\"; bash -c \"$x\"'; bash -c \"$x\""),
        ("alias of itself", "shopt -s expand_aliases\nalias a='a a'\na"),
        ("aliases of each other", "shopt -s expand_aliases\nalias a='b b' b='a a'\na"),
        (
            "loops over loops",
            "for a in {1..50}; do for b in {1..50}; do for c in {1..50}; do for d in {1..50}; do rm $a/$b/$c/$d; done; done; done; done",
        ),
        ("braces over braces", "rm {1..99}/{1..99}/{1..99}/{1..99}"),
        ("patterns over all", "rm /*/*/*/*/*/*"),
        ("patterns that nearly match", "rm *a*b*c*d*e*f*g*h*i*j*k*l*m*n*o*p*"),
        ("recursive globs", "shopt -s globstar; rm /**/**/**/x"),
        ("suffixes", "x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; rm ${x%%*a*a*a*a*a*a*a*a*a*b}"),
        ("set grows", "set -- a b c d; while true; do set -- \"$@\" \"$@\"; done; rm \"$@\""),
        (
            "set grows flat",
            "set -- a b c d; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; set -- \"$@\" \"$@\"; rm \"$@\"",
        ),
        ("a loop that doubles", "x=ab; for i in {1..200}; do x=$x$x; done; rm $x"),
        ("a loop that globs", "for i in {1..9999}; do rm /usr/*/*; done"),
        (
            "a loop that runs texts",
            "for i in {1..9999}; do bash -c 'for j in {1..9999}; do eval rm $j; done'; done",
        ),
        ("numbers with many zeros", "echo {00000000000000000001..00000000000000099999}"),
        (
            "numbers out of range",
            "rm {-9223372036854775808..9223372036854775807} {1..2..0} {a..z..-99999999999999999999}",
        ),
        (
            "programs of variables of each other",
            "export GIT_EDITOR='git commit; git commit' EDITOR='git commit; git log' PAGER='git log; git log' GIT_PAGER='git log' \
             GIT_SSH_COMMAND='git fetch; git fetch' GIT_ASKPASS='git log' GIT_EXTERNAL_DIFF='git diff; git diff' VISUAL='git log'; git commit",
        ),
        (
            "a program of itself",
            "export GIT_EDITOR='GIT_EDITOR=\"$GIT_EDITOR\" git commit'; git commit; git commit",
        ),
        ("descriptors", "exec 99999999999999999999> x; exec {a[b]}> y; 4294967296>z"),
    ] {
        add(kind, text.to_owned());
    }
    // What a 256 KiB text can do with quadratic work: many small pieces, and many uses of a large one.
    let half = MAX_BYTES / 2;
    add("a large value, used often", format!("x={}; {}", "a".repeat(half), "rm $x; ".repeat(half / 8)));
    add("a large value, split", format!("x='{}'; {}", "a ".repeat(half / 2), "rm $x; ".repeat(half / 8)));
    add("a large value, as a pattern", format!("x={}; {}", "*".repeat(half), "rm $x; ".repeat(half / 8)));
    add("a large value, trimmed", format!("x={}; {}", "a".repeat(half), "y=${x%%*b}; ".repeat(half / 13)));
    add(
        "a large function, called often",
        format!("f() {{ {} }}; {}", "rm x; ".repeat(half / 8), "f; ".repeat(half / 4)),
    );
    add(
        "a large text, run often",
        format!("x='{}'; {}", "rm a; ".repeat(half / 8), "eval \"$x\"; ".repeat(half / 12)),
    );
    add(
        "a large document, to many shells",
        format!("x='{}'; {}", "rm a; ".repeat(half / 8), "bash <<< \"$x\"; ".repeat(half / 20)),
    );
    add(
        "a large loop",
        format!("for i in {}; do {} done", "a ".repeat(half / 2), "rm $i; ".repeat(half / 8)),
    );
    add(
        "many words to many programs",
        format!("set -- {}; {}", "a ".repeat(half / 2), "rm \"$@\"; ".repeat(half / 10)),
    );
    add("as large as is looked at", "x".repeat(MAX_BYTES));
    for n in [MAX_BYTES + 1, 1 << 20] {
        add(&format!("{n} bytes"), "x".repeat(n));
        add(&format!("{n} bytes of $("), "$(".repeat(n / 2 + 1));
        add(&format!("{n} bytes of commands"), "rm x\n".repeat(n / 5 + 1));
    }
}

/// Something like what people type, damaged.
pub(crate) fn mutated(random: &mut Random, corpus: &[corpus::Row]) -> Case {
    let mut row = &corpus[random.below(corpus.len())];
    let mut text =
        if random.one_in(8) { Maker::new(Random(random.0)).command().text() } else { row.command.clone() };
    if random.one_in(6) {
        text = (0..1 + random.below(60)).map(|_| random.pick(TOKENS)).collect();
    }
    for _ in 0..random.below(6) {
        let at = boundary(&text, random.below(text.len() + 1));
        let to = boundary(&text, at + random.below(12));
        match random.below(9) {
            0 => text.insert_str(at, random.pick(TOKENS)),
            1 => text.replace_range(at..to, ""),
            2 => {
                let piece = text[at..to].repeat(1 + random.below(40));
                text.insert_str(at, &piece);
            }
            3 => {
                row = &corpus[random.below(corpus.len())];
                let cut = boundary(&row.command, random.below(row.command.len() + 1));
                text.truncate(at);
                text.push_str(&row.command[cut..]);
            }
            4 => {
                // A byte flipped; what is no UTF-8 any more reaches the extractor as it would reach it from JSON.
                let mut bytes = text.into_bytes();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
                text = String::from_utf8_lossy(&bytes).into_owned();
            }
            5 => {
                let (before, behind) = random.pick(&[
                    &("$(", ")"),
                    &("\"", "\""),
                    &("'", "'"),
                    &("bash -c '", "'"),
                    &("{ ", "; }"),
                    &("(", ")"),
                    &("f() { ", "; }; f"),
                    &("for x in a b; do ", "; done"),
                    &("eval \"", "\""),
                    &("`", "`"),
                    &("if ", "; then :; fi"),
                    &("cat <<EOF\n", "\nEOF"),
                    &("bash <<EOF\n", "\nEOF\n"),
                    &("${x:-", "}"),
                ]);
                text = format!("{before}{text}{behind}");
            }
            6 => text.push_str(random.pick(TOKENS)),
            7 => {
                row = &corpus[random.below(corpus.len())];
                text = format!("{text}{}{}", random.pick(&["; ", "\n", " | ", " && ", " "]), row.command);
            }
            _ => text.truncate(at),
        }
    }
    Case { kind: "mutation".to_owned(), text, powershell: row.powershell || random.one_in(20) }
}

fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
