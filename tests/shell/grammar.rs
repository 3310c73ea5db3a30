//! Random commands from the part of the shell that is claimed to be understood.
//!
//! They are run for real. So that a command can't leave its directory: a word never begins with a
//! variable that `/` follows, absolute paths begin with `$PWD` or `$HOME` only, and `..` stands only
//! where nothing repeats it.

use crate::node::{Node, Random};

const FILES: &[&str] = &[
    "a.txt",
    "./b.txt",
    "d/a.txt",
    "d/b.txt",
    "'c d.txt'",
    "\"d/a.txt\"",
    "d/e/x.txt",
    "e/y.txt",
    "e/b.txt",
    "d//b.txt",
    "./d/./a.txt",
    "d/'a'.txt",
    "a\\.txt",
    "$'b.txt'",
    ".hid",
    "\"c d\".txt",
    "e/../a.txt",
];
const NEW: &[&str] = &[
    "new",
    "d/new.txt",
    "e/n1",
    "'n w'",
    "\"d/new\"",
    "d/e/z.txt",
    "./n2",
    "empty/n3",
    "new.txt",
    "d/n\\ 4",
    "~/h2",
    "\"$HOME\"/h3",
    "\"$PWD\"/n5",
    "$PWD/d/n6",
    "n\"7\"",
    "empty/a.txt",
    "\"$PWD/e/n8\"",
];
const DIRECTORIES: &[&str] =
    &["d", "e", "d/", "./e", "empty", "d/e", "\"d\"", "~", "\"$PWD/d\"", "d/e/", "."];
const INNER: &[&str] = &["d", "e", "d/", "./e", "empty", "d/e", "\"d\"", "\"$PWD/d\""];
const FRESH: &[&str] = &["m", "m/", "d/m", "\"m n\"", "e/m/k", "./m2", "~/m3"];
const GLOBS: &[&str] = &[
    "*.txt",
    "d/*.txt",
    "[ab].txt",
    "?.txt",
    "d/*",
    "*/a.txt",
    "*/*.txt",
    "{a,b}.txt",
    "d/{a,b}.txt",
    "e/*",
    "d/[!b]*.txt",
    "{d,e}/*.txt",
    "d/{a,new}.txt",
    "\"d\"/*.txt",
    "d/?.t*",
];
const VALUES: &[&str] =
    &["a.txt", "d/a.txt", "new", "'c d.txt'", "\"b.txt\"", "d", "e/y.txt", "v1", "'a.txt b.txt'", "\"e\""];
const READERS: &[&str] = &[
    "cat a.txt",
    "ls",
    "ls -la d",
    "grep -c x a.txt",
    "wc -l < a.txt",
    "head -1 d/a.txt",
    "echo 'x > y'",
    "sort a.txt b.txt",
    "sed -n p a.txt",
    "cat d/*.txt",
    "echo \"rm $v\"",
    "test -f a.txt",
    "pwd",
    "true",
    "echo $((3>2))",
    "[[ a < b ]]",
    "printf '%s > %s\\n' a b",
    "diff a.txt a.txt",
    "find . -name x",
    "date",
    "echo {a,b}.txt",
    "stat a.txt",
    "awk '{ print $1 }' a.txt",
    "tr a b < a.txt",
    "uniq a.txt",
];
const CONDITIONS: &[&str] =
    &["[ -f a.txt ]", "[[ -d d ]]", "grep -q x a.txt", "test -e nosuch", "true", "! false", "[ 1 -gt 2 ]"];

/// Makes commands.
pub(crate) struct Maker {
    pub(crate) random: Random,
    /// In a loop or a function: nothing that goes up.
    repeated: bool,
    functions: usize,
}

impl Maker {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, repeated: false, functions: 0 }
    }

    /// A whole command.
    pub(crate) fn command(&mut self) -> Node {
        let n = 1 + self.random.below(4);
        let mut nodes: Vec<Node> = (0..n).map(|_| self.node(3)).collect();
        let text = Node::List(nodes.clone()).text();
        // What isn't set may come from the environment, which can't be known.
        for (name, uses, values) in
            [("v", ["$v", "${v"], VALUES), ("w", ["$w", "${w"], &["e", "d", "./d/e", "'d'"])]
        {
            if uses.iter().any(|u| text.contains(u)) && !self.random.one_in(12) {
                let keyword = self.random.pick(&["", "", "export ", "declare -x "]);
                let value = self.random.pick(values);
                nodes.insert(0, leaf(&[&format!("{keyword}{name}={value}")]));
            }
        }
        Node::List(nodes)
    }

    fn list(&mut self, depth: usize) -> Node {
        let n = 1 + self.random.below(2);
        Node::List((0..n).map(|_| self.node(depth)).collect())
    }

    fn boxed(&mut self, depth: usize) -> Box<Node> {
        Box::new(self.list(depth))
    }

    fn node(&mut self, depth: usize) -> Node {
        if depth == 0 || self.random.below(100) < 58 {
            return self.simple();
        }
        let depth = depth - 1;
        match self.random.below(19) {
            0 => Node::Around("(", self.boxed(depth), ")".into()),
            1 => Node::Around("{ ", self.boxed(depth), "}".into()),
            2 => {
                let behind = format!("}} > {}", self.target());
                Node::Around("{ ", self.boxed(depth), behind)
            }
            3 => {
                let behind = format!(") >> {}", self.target());
                Node::Around("( echo x\n", self.boxed(depth), behind)
            }
            4 => {
                let (node, condition) = (self.boxed(depth), self.random.pick(CONDITIONS));
                let otherwise = if self.random.one_in(2) { Some(self.boxed(depth)) } else { None };
                Node::If(condition, node, otherwise)
            }
            5 | 6 => {
                let before = self.random.pick(&[
                    "for f in a.txt d/b.txt; do\n",
                    "for f in d/*.txt; do\n",
                    "for f in *.txt; do\n",
                    "for f in n{1..3}; do\n",
                    "for f in {a,b}.txt new; do\n",
                    "for f in 'c d.txt'; do\n",
                ]);
                let (mut body, uses) = (self.in_loop(depth), self.loop_leaf());
                body.push(uses);
                Node::Around(before, Box::new(Node::List(body)), "done".into())
            }
            7 => {
                let body = self.in_loop(depth);
                Node::Around(
                    "i=0; while [ $i -lt 2 ]; do i=$((i+1))\n",
                    Box::new(Node::List(body)),
                    "done".into(),
                )
            }
            8 => {
                self.functions += 1;
                let before = self.random.pick(&["f() {\n", "function f {\n", "f() (\n"]);
                let (close, call) = if before.ends_with("(\n") { (")", "\nf ") } else { ("}", "\nf ") };
                let argument = self.plain_file();
                let mut body = self.in_loop(depth);
                if self.random.one_in(2) {
                    let uses = self.random.pick(&[
                        "touch \"$1\"",
                        "echo x > \"$1\"",
                        "rm -f \"$1\"",
                        "cp a.txt \"$1\"",
                    ]);
                    body.push(leaf(&[uses]));
                }
                if self.random.one_in(4) {
                    body.insert(0, leaf(&["local v=e/y.txt"]));
                }
                Node::Around(before, Box::new(Node::List(body)), format!("{close}{call}{argument}"))
            }
            9 => {
                let n = 2 + self.random.below(2);
                let nodes: Vec<Node> = (0..n).map(|_| self.one_line()).collect();
                Node::And(nodes)
            }
            10 => {
                let first = leaf(&[self.random.pick(READERS)]);
                let second = match self.random.below(3) {
                    0 => self.one_line(),
                    1 => Node::Around("{ ", self.boxed(depth), "}".into()),
                    _ => Node::Leaf(vec!["tee".into(), self.target(), ">/dev/null".into()]),
                };
                Node::Pipe(vec![first, second])
            }
            11 => Node::Text(
                self.random.pick(&["bash -c ", "env bash -c ", "command bash -c "]),
                self.boxed(depth),
                self.random.pick(&["", " _ a.txt", " x d/b.txt"]),
            ),
            12 => Node::Text("eval ", self.boxed(depth), ""),
            13 => {
                let before = self.random.pick(&["echo $(", "cat <(", "x=$(", "echo \"$("]);
                let behind = if before.contains('"') { ")\"" } else { ")" };
                Node::Around(before, self.boxed(depth), behind.into())
            }
            14 => {
                let (before, end) =
                    [("bash <<'E0'\n", "E0"), ("bash - <<'E1'\n", "E1"), ("bash -s <<\\E2\n", "E2")][depth];
                Node::Around(before, self.boxed(depth), end.into())
            }
            15 => {
                let arm = self.random.pick(&[
                    "case a.txt in *.md) : ;; *)\n",
                    "case \"$v\" in a*)\n",
                    "case d in d)\n",
                ]);
                Node::Around(arm, self.boxed(depth), ";; esac".into())
            }
            16 => {
                let one = self.one_line().text();
                Node::Leaf(vec![
                    format!("{} {one}", self.random.pick(&["!", "time -p"])),
                    "2>/dev/null".into(),
                ])
            }
            17 => Node::Leaf(vec![self.one_line().text(), "&".into(), "wait".into()]),
            _ => {
                let one = self.one_line().text();
                Node::Leaf(vec![format!("false || {one}")])
            }
        }
    }

    fn in_loop(&mut self, depth: usize) -> Vec<Node> {
        let before = std::mem::replace(&mut self.repeated, true);
        let body = vec![self.list(depth)];
        self.repeated = before;
        body
    }

    /// A simple command without a here-document.
    fn one_line(&mut self) -> Node {
        loop {
            let node = self.simple();
            if !node.has_document() {
                return node;
            }
        }
    }

    fn loop_leaf(&mut self) -> Node {
        leaf(&[self.random.pick(&[
            "touch \"$f\"",
            "echo x >> \"$f\"",
            "cp \"$f\" \"$f.bak\"",
            "cp \"$f\" \"./${f%.txt}.md\"",
            "cp \"$f\" \"e/${f##*/}\"",
            "mv \"$f\" e/",
            "rm -f \"$f\"",
            "sed -i s/x/q/ \"$f\"",
            "cat \"$f\" > \"$f.out\"",
            "echo \"$f\"",
            "mv -- \"$f\" \"$f-old\"",
        ])])
    }

    fn plain_file(&mut self) -> String {
        let of = if self.random.one_in(3) { NEW } else { FILES };
        self.random.pick(of).to_owned()
    }

    /// Something that can be written to.
    fn target(&mut self) -> String {
        match self.random.below(12) {
            // Never a device: `mv a.txt /dev/null`, run by root, replaces it for the whole machine.
            0 | 1 => "\"./$v\"".to_owned(),
            2 => "d/$v".to_owned(),
            3 => "ln".to_owned(),
            4 => "dl/a.txt".to_owned(),
            5 | 6 => self.random.pick(FILES).to_owned(),
            _ => self.random.pick(NEW).to_owned(),
        }
    }

    /// Something that probably is a file.
    fn source(&mut self) -> String {
        match self.random.below(12) {
            0 => "\"$v\"".to_owned(),
            1 => "./$v".to_owned(),
            2 => "ln".to_owned(),
            3 => "dl/b.txt".to_owned(),
            _ => self.random.pick(FILES).to_owned(),
        }
    }

    /// One or more things that probably are files.
    fn sources(&mut self) -> String {
        match self.random.below(4) {
            0 => self.random.pick(GLOBS).to_owned(),
            1 => format!("{} {}", self.source(), self.source()),
            _ => self.source(),
        }
    }

    fn directory(&mut self) -> String {
        match self.random.below(12) {
            0 => "dl".to_owned(),
            1 => "./$w".to_owned(),
            _ => self.random.pick(DIRECTORIES).to_owned(),
        }
    }

    fn simple(&mut self) -> Node {
        let words = self.words();
        if let [text] = words.as_slice()
            && text.contains('\n')
        {
            return Node::Doc(text.clone());
        }
        let mut words = words;
        match self.random.below(28) {
            0 if !words[0].contains('=') && !words[0].starts_with(['[', '>', '!']) => {
                words.insert(0, "command".into())
            }
            1 if !words[0].contains('=') => {
                let before = self.random.pick(&["env", "env X=1", "nice", "timeout 9", "nohup", "X=1 Y=2"]);
                if !["cd", "eval", "exec", "pushd", "popd", "set", "export", "local", ">", ":", "shopt"]
                    .iter()
                    .any(|b| words[0].split(' ').next() == Some(b))
                    && !words[0].starts_with(['>', '{', '[', '!'])
                {
                    words.insert(0, before.into());
                }
            }
            2 => words.push("2>/dev/null".into()),
            3 => words.push("2>&1".into()),
            4 => words.push("# > comment".into()),
            _ => {}
        }
        if words.iter().any(|w| w.starts_with('#')) {
            // What follows in the line would be a comment too.
            return Node::Doc(words.join(" "));
        }
        Node::Leaf(words)
    }

    fn words(&mut self) -> Vec<String> {
        let r = self.random.below(62);
        let s = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        match r {
            0..=3 => s(&["echo x", ">", &self.target()]).merged(),
            4 => s(&["printf '%s\\n' a b", ">>", &self.target()]).merged(),
            5 => s(&["cat", &self.source(), ">", &self.target()]).merged(),
            6 => s(&[">", &self.target()]).merged(),
            7 => s(&[":", ">|", &self.target()]).merged(),
            8 => s(&["echo x", "&>", &self.target()]).merged(),
            9 => vec![format!("cat > {} <<'EOF'\n$(touch never) `touch never` > never\nEOF", self.target())],
            10 => vec![format!("cat <<EOF >> {}\ntext $v \"rm a.txt\"\nEOF", self.target())],
            11 => vec![format!("tee {} <<-EOF >/dev/null\n\tx\n\tEOF", self.target())],
            12 => s(&["cp", &self.source(), &self.target()]),
            13 => s(&["cp", &self.sources(), &self.directory()]),
            14 => s(&["cp", "-r", self.random.pick(INNER), self.random.pick(FRESH)]),
            15 => s(&["cp", "-r", self.random.pick(INNER), &self.directory()]),
            16 => s(&["cp", "-t", &self.directory(), &self.sources()]),
            17 => s(&["cp", "-a", "d/.", self.random.pick(&["e", "empty", "m"])]),
            18 => s(&["cp", "--parents", "d/a.txt", self.random.pick(&["e", "empty"])]),
            19 => s(&["mv", &self.source(), &self.target()]),
            20 => s(&["mv", &self.sources(), &self.directory()]),
            21 => s(&["mv", self.random.pick(INNER), self.random.pick(FRESH)]),
            22 => s(&["mv", "-f", &self.source(), &self.target()]),
            23 => s(&["rm", &self.sources()]),
            24 => s(&["rm", "-f", &self.sources(), self.random.pick(NEW)]),
            25 => s(&["rm", "-r", self.random.pick(INNER)]),
            26 => s(&["rm", "-rf", "--", self.random.pick(INNER), self.random.pick(FRESH)]),
            27 => s(&["rmdir", self.random.pick(&["empty", "d/e", "m"])]),
            28 => s(&["mkdir", self.random.pick(FRESH)]),
            29 => s(&["mkdir", "-p", self.random.pick(FRESH), "m/k/j"]),
            30 => s(&["touch", &self.target(), self.random.pick(NEW)]),
            31 => s(&["touch", &self.sources()]),
            32 => s(&["ln", "-s", "a.txt", self.random.pick(&["l2", "d/l3", "e", "new"])]),
            33 => s(&["ln", "-sf", "../a.txt", self.random.pick(&["d/l4", "d/a.txt"])]),
            34 => s(&["ln", &self.source(), self.random.pick(NEW)]),
            35 => s(&["sed", "-i", "'s/x/y/'", &self.sources()]),
            36 => s(&["sed", "-i.bak", "-e", "s/x/y/", &self.source()]),
            37 => s(&["sed", "-i", "-E", "'s/(x)/\\1 > z/'", &self.sources()]),
            38 => vec![format!("echo x | tee {} {}", self.target(), self.random.pick(NEW))],
            39 => vec![format!("cat a.txt | tee -a {} > /dev/null", self.target())],
            40 => vec![format!("dd if={} of={} status=none", self.random.pick(&["a.txt", "d/b.txt"]), {
                self.random.pick(&["n9", "d/a.txt", "e/n9", "a.txt"])
            })],
            41 => s(&["truncate", "-s", "0", &self.target()]),
            42 => s(&["install", "-m", "644", &self.source(), &self.target()]),
            43 => s(&["install", "-d", self.random.pick(FRESH)]),
            44 => s(&["install", "-D", "a.txt", "m/k/f"]),
            45 => s(&["install", &self.sources(), self.random.pick(DIRECTORIES)]),
            46 => s(&["chmod", self.random.pick(&["755", "+x", "go-r"]), &self.source()]),
            47 => s(&["sort", &self.source(), "-o", &self.target()]),
            48 => s(&["find", self.random.pick(INNER), "-name '*.txt'", "-delete"]),
            49 => s(&["find", self.random.pick(INNER), "-type f", "-exec", "rm {} +"]),
            50 => s(&["find", self.random.pick(INNER), "-type f", "-exec", "sed -i s/x/y/ {} \\;"]),
            51 | 52 => {
                let to = if self.repeated {
                    self.random.pick(&["d", "./e", "\"d\""])
                } else {
                    self.random.pick(&[
                        "d",
                        "e",
                        "\"$PWD/d\"",
                        "..",
                        "-",
                        "~",
                        "d/e",
                        "nosuch",
                        "./$w",
                        "-- e",
                        "dl",
                    ])
                };
                // `~` is the home, from where `..` leads to the top.
                s(&["cd", to])
            }
            53..=55 => s(&[&format!(
                "{}{}={}",
                self.random.pick(&["", "", "", "export ", "declare "]),
                self.random.pick(&["v", "v", "w"]),
                self.random.pick(VALUES)
            )]),
            56 => s(&[self.random.pick(&[
                "v=$w.x",
                "v=d/${v##*/}",
                "w=e",
                "v+=z",
                "unset v",
                "v=${v:-new}",
                "set -f",
            ])]),
            57 => {
                s(&["tar", "-cf", self.random.pick(&["n.tar", "d/n.tar"]), self.random.pick(&["e", "a.txt"])])
            }
            58 => s(&[self.random.pick(&[
                "mkdir -p m && cd m && touch k",
                "cp a.txt t.tmp && mv t.tmp a.txt",
                "sort a.txt > t.tmp && mv t.tmp a.txt",
                "mkdir q && cp a.txt q && ls q",
                "pushd d >/dev/null; touch p; popd >/dev/null",
                "exec 3> fd3; echo x >&3; exec 3>&-",
                "mkdir m5; mv a.txt b.txt m5",
                "touch d/zz.txt; rm -f d/*z.txt",
                "gzip -k a.txt",
                "echo a.txt | xargs rm -f",
                "ls d | xargs echo > n10",
                "unlink .hid",
                "split -n 2 a.txt",
                "cp a.txt{,.bak}",
                "mv d/{a,c}.txt",
                "read -r v < a.txt",
            ])]),
            _ => s(&[self.random.pick(READERS)]),
        }
    }
}

fn leaf(words: &[&str]) -> Node {
    Node::Leaf(words.iter().map(|w| (*w).to_owned()).collect())
}

/// An operator and its file are one word, so that they are dropped together.
trait Merged {
    fn merged(self) -> Self;
}

impl Merged for Vec<String> {
    fn merged(mut self) -> Self {
        if let [.., operator, file] = self.as_slice() {
            let both = format!("{operator} {file}");
            self.truncate(self.len() - 2);
            self.push(both);
        }
        self
    }
}

/// What the differential test tries: `cargo test --test shell grammar -- --ignored --nocapture`.
#[test]
#[ignore = "it only shows"]
fn shows_commands() {
    for n in 0..crate::number("SHELL_CASES", 40) {
        let text = Maker::new(Random::case(crate::number("SHELL_SEED", 1), n)).command().text();
        println!("{text}\n────");
    }
}
