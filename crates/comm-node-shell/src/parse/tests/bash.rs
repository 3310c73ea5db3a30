//! Agreement with bash itself about what is a command and what is none.

use std::io::Write;
use std::process::Stdio;

use crate::ast::{Command, Item, Kind, ParameterOp, Part, Word};
use crate::parse::parse;

/// One text a line; `¶` is a line's end in it, `→` a tab.
const SNIPPETS: &str = include_str!("snippets.txt");

/// Asks bash about each of the texts on its input, none of which is run: it says 1 for one that it
/// accepts. About some that it does not, it complains without a status.
const ASK: &str = r#"
PATH=
mapfile -d '' -t texts
for text in "${texts[@]}"; do
    said=$(eval "set -n"$'\n'"$text" 2>&1) && accepts=1 || accepts=0
    while IFS= read -r line; do
        case $line in '' | *warning:*) ;; *) accepts=0 ;; esac
    done <<<"$said"
    echo "$accepts"
done
"#;

/// What bash prints when it runs `script` with `texts`, each with a NUL behind it, as its input;
/// `None` without bash, or with another one: what they accept differs.
#[expect(clippy::print_stdout, reason = "a comparison that does not take place is said aloud")]
fn bash(script: &str, texts: &[String]) -> Option<String> {
    let version = std::process::Command::new("bash").args(["--norc", "-c", "echo $BASH_VERSION"]).output();
    let version =
        version.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    if !version.starts_with("5.2.") {
        println!("SKIPPED: there is no bash 5.2 here to compare with, but {version:?}");
        return None;
    }
    let mut bash = std::process::Command::new("bash");
    bash.args(["--norc", "-c", script]);
    bash.env_remove("BASH_ENV").env_remove("SHELLOPTS").env("LC_ALL", "C.UTF-8");
    bash.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = bash.spawn().ok()?;
    let mut input = child.stdin.take().unwrap();
    let all = texts.iter().map(|text| format!("{text}\0")).collect::<String>();
    let writer = std::thread::spawn(move || input.write_all(all.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether bash accepts each text; `None` without bash.
fn accepted(texts: &[String]) -> Option<Vec<bool>> {
    let said = bash(ASK, texts)?;
    let said: Vec<_> = said.lines().map(|line| line == "1").collect();
    assert_eq!(said.len(), texts.len(), "bash did not answer for each text");
    Some(said)
}

pub(super) fn snippets() -> Vec<String> {
    SNIPPETS.lines().map(|line| line.replace('¶', "\n").replace('→', "\t")).collect()
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }
}

/// `text` with something left out, put in, doubled, or replaced by a piece of `other`.
fn mutate(text: &str, other: &str, random: &mut Random) -> String {
    const PIECES: [&str; 40] = [
        " ", "\n", ";", "&", "|", "(", ")", "{", "}", "<", ">", "'", "\"", "`", "$", "\\", "#", "!", "=",
        "[", "]", "*", "$(", "${", "((", "))", "<<E\n", "&&", "||", ";;", " if ", "; then ", "; do ",
        " done", " in ", "esac", "[[ ", " ]]", "a", "; ",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(3) {
        let at = random.below(chars.len() + 1);
        let length = random.below(4).min(chars.len() - at);
        let piece: Vec<char> = match random.below(5) {
            0 => Vec::new(),
            1 => chars[at..at + length].iter().chain(&chars[at..at + length]).copied().collect(),
            2 => {
                let other: Vec<char> = other.chars().collect();
                let from = random.below(other.len() + 1);
                other[from..].iter().take(random.below(12)).copied().collect()
            }
            _ => PIECES[random.below(PIECES.len())].chars().collect(),
        };
        let length =
            if piece.is_empty() { length.max(1).min(chars.len() - at) } else { random.below(2) * length };
        chars.splice(at..at + length, piece);
    }
    chars.into_iter().collect()
}

/// Texts that bash accepts and we refuse, or the other way round, each with the reason.
const KNOWN: [(&str, &str); 3] = [
    ("for x { a; }", "bash wants a `;` before the `{`, against its own grammar"),
    ("for ((a;b)); do c; done", "what the arithmetic says is not looked at, how many parts it has neither"),
    ("case x in @(a|b)) c;; esac", "as if `extglob` were on: nothing else can be meant"),
];

/// Why bash accepts a text that we refuse: it does not look at what it may never expand. `None` if
/// nothing in the text is such a reason.
fn why_refused(text: &str) -> Option<&'static str> {
    let has = |piece: &str| text.contains(piece);
    if has("`") {
        Some("bash parses what stands in backquotes when it expands them")
    } else if has("<<") && has("$") {
        Some("bash parses a here-document's body when it expands it")
    } else if has("$((") {
        Some("bash takes `$((` for arithmetic until it expands it")
    } else if ["${ ", "${\t", "${\n", "${|"].iter().any(|begin| has(begin)) {
        Some("bash before 5.3 knows no `${ …; }`, and does not look into a bad expansion")
    } else if text.split('}').skip(1).any(|rest| !rest.starts_with(|c| " \t\n;&|<>()".contains(c))) {
        Some("we let nothing but `}` itself begin with `}` where a command may begin")
    } else {
        None
    }
}

#[test]
fn agrees_with_bash() {
    let texts = snippets();
    assert!(texts.len() >= 300);
    let Some(bash) = accepted(&texts) else { return };
    let mut wrong = String::new();
    for (text, accepts) in texts.iter().zip(bash) {
        let ours = parse(text, 0);
        let known = KNOWN.iter().any(|(known, _)| known == text);
        if (ours.is_ok() != accepts) != known {
            wrong.push_str(&format!("bash {accepts}, we {ours:?}: {text:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
#[expect(clippy::print_stdout, reason = "what differs is shown on demand")]
fn agrees_with_bash_about_mutations() {
    let base = snippets();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut texts = Vec::new();
    for round in 0..rounds(5) {
        for text in &base {
            // Some begin as two of them, one behind the other.
            let other = &base[random.below(base.len())];
            let both = format!("{text}\n{other}");
            texts.push(mutate(if round % 3 == 2 { &both } else { text }, other, &mut random));
        }
    }
    let Some(bash) = accepted(&texts) else { return };
    let (mut refused, mut loose, mut wrong) = (0, String::new(), String::new());
    for (text, accepts) in texts.iter().zip(bash) {
        match (parse(text, 0), accepts) {
            (Ok(_), false) => loose.push_str(&format!("we accept: {text:?}\n")),
            (Err(fault), true) if why_refused(text).is_none() => {
                wrong.push_str(&format!("we refuse, {fault:?}: {text:?}\n"));
            }
            (Err(_), true) => refused += 1,
            _ => {}
        }
    }
    println!(
        "{} texts; bash accepts {refused} that we refuse for a known reason\n{loose}{wrong}",
        texts.len()
    );
    // Measured: 1 in 95, 1 in 600 and 1 in 9,000.
    assert!(refused <= texts.len() / 50, "we refuse {refused} of {}", texts.len());
    assert!(loose.lines().count() <= texts.len() / 200, "bash refuses\n{loose}");
    assert!(wrong.lines().count() <= texts.len() / 1000, "bash accepts\n{wrong}");
}

/// How often each snippet is changed; more of them on demand.
fn rounds(usual: usize) -> usize {
    std::env::var("COMM_NODE_SHELL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Prints its words, each with a NUL behind it.
const PRINT: &str = "printf '%s\\0' ";

/// What bash prints when it runs each text; `None` without bash.
fn printed(texts: &[String]) -> Option<Vec<String>> {
    let run = r#"
PATH=
set -f
mapfile -d '' -t texts
for text in "${texts[@]}"; do
    (eval "$text") 2>&-
    printf '\1'
done
"#;
    let output = bash(run, texts)?;
    let mut all: Vec<_> = output.split('\u{1}').map(str::to_owned).collect();
    all.pop();
    assert_eq!(all.len(), texts.len(), "bash did not answer for each text");
    Some(all)
}

/// The words' text, if bash would neither expand nor glob any of it.
fn literal(words: &[Word]) -> Option<String> {
    let mut out = String::new();
    for word in words {
        literal_parts(&word.parts, &mut out)?;
        out.push('\0');
    }
    Some(out)
}

/// The same of parts. The parameter `u` has no value.
fn literal_parts(parts: &[Part], out: &mut String) -> Option<()> {
    for part in parts {
        match part {
            Part::Plain(text) | Part::Quoted(text) => out.push_str(text),
            Part::Parameter(parameter) if parameter.name == "u" && parameter.quoted => match &parameter.op {
                ParameterOp::Default(word) => literal_parts(&word.parts, out)?,
                _ => return None,
            },
            _ => return None,
        }
    }
    Some(())
}

/// Compares words, each of which is made of some of `pieces` between `begin` and `end`.
fn compare_words(begin: &str, pieces: &[&str], end: &str) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut texts = Vec::new();
    let mut ours = Vec::new();
    for _ in 0..2000 * rounds(3) {
        let words: String = (0..2 + random.below(12)).map(|_| pieces[random.below(pieces.len())]).collect();
        let text = format!("{PRINT}{begin}{words}{end}");
        if ends_oddly(&text) {
            continue;
        }
        let Ok(script) = parse(&text, 0) else { continue };
        let [Item { first, .. }] = script.items.as_slice() else { continue };
        let [Command { kind: Kind::Simple { words, .. }, .. }] = first.commands.as_slice() else { continue };
        let Some(expected) = literal(words.get(2..).unwrap_or_default()) else { continue };
        if words.len() > 2 && !expected.contains('\u{1}') && texts.len() < 300 * rounds(3) {
            texts.push(text);
            ours.push(expected);
        }
    }
    assert!(texts.len() > 300);
    compare(&texts, &ours);
}

#[test]
fn words_mean_what_bash_makes_of_them() {
    let pieces = [
        "a", "b", " ", "'", "'", "\"", "\"", "\\", "\\", "$'", "$\"", "$", "\n", "\\\n", "n", "x41", "\\x4",
        "u00e9", "101", "c", "#", "é", "\\\\", "\\'", "\\\"", "=",
    ];
    compare_words("", &pieces, "");
}

#[test]
fn quoted_defaults_mean_what_bash_makes_of_them() {
    let pieces = [
        "a", " ", "\\", "\"", "\"", "'b}'", "\\}", "}\"\"", "\\\"", "\\$", "{", "${u-", "}", "\n", "\\\n",
        "*", "é",
    ];
    compare_words("\"${u-", &pieces, "}\"");
}

#[test]
fn here_documents_mean_what_bash_makes_of_them() {
    const PIECES: [&str; 16] = [
        "a", " ", "\t", "\n", "\n", "\nE", "\nE\n", "\n\tE\n", "E", "\\", "\\\n", "\\$", "\\`", "\"", "'",
        "\\\\",
    ];
    const BEGINS: [&str; 6] = ["<<E", "<<-E", "<<'E'", "<<-\"E\"", "<<\\E", "<<''"];
    let mut random = Random(0xd1b5_4a32_d192_ed03);
    let mut texts = Vec::new();
    let mut ours = Vec::new();
    while texts.len() < 300 * rounds(3) {
        let begin = BEGINS[random.below(BEGINS.len())];
        let body: String = (0..random.below(14)).map(|_| PIECES[random.below(PIECES.len())]).collect();
        // What follows the body would be run; it must be nothing but the printing.
        let text = format!("mapfile -d '' x {begin}; {PRINT}\"${{x[@]}}\"\n{body}");
        if ends_oddly(&text) {
            continue;
        }
        let Ok(script) = parse(&text, 0) else { continue };
        let [Item { first, .. }, _] = script.items.as_slice() else { continue };
        let target =
            first.commands.first().and_then(|command| command.redirects.first()).map(|r| r.target.clone());
        let Some(expected) = target.and_then(|target| literal(&[target])) else { continue };
        // For an empty body bash reads `/dev/null`, which is none of our business.
        if expected.len() > 1 {
            texts.push(text);
            ours.push(expected);
        }
    }
    compare(&texts, &ours);
}

/// Whether a backslash or a tab is the last that is read, with which bash does odd things.
fn ends_oddly(text: &str) -> bool {
    text.ends_with(['\\', '\t'])
}

fn compare(texts: &[String], ours: &[String]) {
    let Some(bash) = printed(texts) else { return };
    let mut wrong = String::new();
    for ((text, bash), ours) in texts.iter().zip(bash).zip(ours) {
        if bash != *ours {
            wrong.push_str(&format!("{text:?}\n    bash {bash:?}\n    we   {ours:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
