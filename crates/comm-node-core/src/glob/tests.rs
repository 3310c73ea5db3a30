//! Tests of matching against globset, and of overlaps against brute force.

use globset::GlobBuilder;
use proptest::prelude::*;

use super::overlap::is_key;
use super::*;

/// Also of rules that never went through [`check`]: compiled by somebody else, or damaged.
#[test]
fn no_glob_is_the_opposite_of_itself() {
    for glob in ["!x/**", "!!x/**", "!", "!*"] {
        assert!(!matches(glob, "y") && !matches(glob, "x/a"), "{glob}");
    }
    assert!(matches("!x/**", "!x/a") && matches("!!x/**", "!!x/a") && matches("!", "!"));
}

#[test]
fn what_the_table_says() {
    let yes = [
        ("dir/**", "dir/x"),
        ("dir/**", "dir/x/.y"),
        ("**/x", "x"),
        ("**/x", "a/b/x"),
        ("a/**/b", "a/b"),
        ("*", ".hidden"),
        ("?", "x"),
        ("??", "é"),
        ("[!a]", "b"),
        ("[^a]", "b"),
        ("[]a]", "]"),
        ("[a-]", "-"),
        (r"\*\a", "*a"),
        (r"\!x", "!x"),
        ("{a,b{c,d}}", "bd"),
        ("{a/**,b}/c", "a/x/c"),
        ("{a/**,b}", "a/x/y"),
        ("x,y}", "x,y}"),
        ("**", "a/b"),
    ];
    for (glob, key) in yes {
        assert!(matches(glob, key), "{glob} must match {key}");
    }
    let no = [
        ("dir/**", "dir"),
        ("*", "a/b"),
        ("a?b", "a/b"),
        ("a[!x]b", "a/b"),
        ("a[/]b", "a/b"),
        ("?", "é"),
        ("**/x", "yx"),
        ("src", "src/x"),
    ];
    for (glob, key) in no {
        assert!(!matches(glob, key), "{glob} must not match {key}");
    }
}

#[test]
fn checks() {
    for good in
        ["**", "a", "a/**", "**/*.{rs,toml}", "[!a]", "[]]", r"\!x", "a}b", "a,b", ".env*", "...", "é/*"]
    {
        assert_eq!(check(good), Ok(()), "{good}");
    }
    for (bad, why) in [
        ("", "empty"),
        ("!a", "negated"),
        ("a[b", "unclosed character class"),
        ("{a,b", "unclosed brace"),
        ("a\\", "trailing backslash"),
        ("/a", "leading slash"),
        ("a/", "below a directory is `a/**`"),
        ("./a", "`.` or `..`"),
        ("a/../b", "`.` or `..`"),
        ("a//b", "no path"),
        ("src/**.rs", "byte 4 is only a part"),
        ("***", "part of"),
        ("x{**,a}", "part of"),
        ("{a/,}**", "part of"),
        ("**{/a,b}", "part of"),
        ("[b-a]", "no path"),
        (&"x".repeat(600), "600 bytes"),
        (&"{a,b}".repeat(9), "more than 256 globs"),
        (&"{a,b}".repeat(11), "limit of 10 groups"),
    ] {
        let said = check(bad).expect_err(bad);
        assert!(said.contains(why), "{bad}: {said}");
    }
    assert_eq!(automaton::alternatives(b"{a,b{c,d},{e,{f,g}}}x{h,i}"), 12);
}

#[test]
fn escaped_keys_match_themselves_only() {
    for key in ["a", "!a", "a*b", "[x]", "{a,b}", r"a\nb", "é/ü", "a!b", "new\nline"] {
        assert!(matches(&escape(key), key), "{key}");
        assert_eq!(overlap(&escape(key), "**").as_deref(), Some(key));
    }
    assert!(is_literal("a/b.rs") && !is_literal("a*") && !is_literal("!a"));
}

#[test]
fn overlaps() {
    for (a, b, want) in [
        ("src/**/a.rs", "src/b/*", Some("src/b/a.rs")),
        ("src/**", "**/*.rs", Some("src/a.rs")),
        ("src/**", "src", None),
        ("src/*", "src/a/b", None),
        ("a/b", "a/b", Some("a/b")),
        ("a/b", "a/c", None),
        ("{a,b}/x", "{b,c}/?", Some("b/x")),
        ("*.rs", "*.toml", None),
        ("a*", "*b", Some("ab")),
        ("**/tests/**", "src/*/t?sts/[a-c]*", Some("src/a/tests/a")),
        ("[ab]", "[bc]", Some("b")),
        ("[ab]", "[!ab]", None),
        ("a/**/b", "a/b", Some("a/b")),
        ("**", "**", Some("a")),
        ("?", ".", None),
        ("é*", "??x", Some("éx")),
        ("é", "?", None),
        ("x{a/**,b}", "xa/{c,d}/e", Some("xa/c/e")),
        ("../**", "**", None),
    ] {
        assert_eq!(overlap(a, b).as_deref(), want, "{a} and {b}");
        assert_eq!(overlap(b, a).is_some(), want.is_some(), "{b} and {a}");
        assert_eq!(super::overlaps(a, b), want.is_some(), "{a} and {b}");
        assert_eq!(super::overlaps(b, a), want.is_some(), "{b} and {a}");
    }
}

#[test]
fn overlaps_without_excludes() {
    assert_eq!(overlap_excluding("src/**", "src/gen/**", &["src/gen/**"]), None);
    assert_eq!(overlap_excluding("a/**", "**", &["a/*", "a/*/*"]).as_deref(), Some("a/a/a/a"));
    assert_eq!(overlap_excluding("a/*", "a/*", &["a/[!b]*"]).as_deref(), Some("a/b"));
    assert_eq!(overlap_excluding("a", "a", &["a"]), None);
}

#[test]
fn the_dearest_globs_stay_affordable() {
    // Every state of one side with every state of the other, and no overlap at the end.
    let a = format!("{}x", "*a".repeat(200));
    let b = format!("{}y", "*b".repeat(200));
    assert_eq!(check(&a), Ok(()));
    let start = std::time::Instant::now();
    assert_eq!(overlap(&a, &b), None);
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

/// A small glob, sometimes an odd one.
fn glob() -> impl Strategy<Value = String> {
    let atom = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "/", "/", "*", "**", "?", "."]).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["**/", "/**", "/**/", "[ab]", "[!a]", "[a-c]", "é", r"\a", r"\*"])
            .prop_map(str::to_owned),
    ];
    let atoms =
        move |inner: BoxedStrategy<String>| prop::collection::vec(inner, 0..4).prop_map(|v| v.concat());
    let flat = atoms(atom.boxed()).boxed();
    let braces = prop::collection::vec(flat.clone(), 1..4).prop_map(|v| format!("{{{}}}", v.join(",")));
    let nested = prop::collection::vec(prop_oneof![flat.clone(), braces.clone()], 1..3)
        .prop_map(|v| format!("{{{}}}", v.join(",")));
    prop::collection::vec(prop_oneof![5 => flat, 2 => braces, 1 => nested], 1..4)
        .prop_map(|v| v.concat())
        .prop_filter("well formed", |g| check(g).is_ok())
}

/// Every key of up to six characters over a small alphabet.
fn keys() -> &'static [String] {
    static KEYS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    KEYS.get_or_init(|| {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..6 {
            let until = all.len();
            for i in from..until {
                for c in ["a", "b", "/", ".", "é"] {
                    all.push(format!("{}{c}", all[i]));
                }
            }
            from = until;
        }
        all.retain(|k| is_key(k));
        all
    })
}

/// Enough to find a fault that was put in on purpose; set `PROPTEST_CASES` for more.
const CASES: u32 = 100;

/// The globs without braces that `glob` stands for.
fn expand(glob: &str) -> Vec<String> {
    let Some(open) = glob.find('{') else { return vec![glob.to_owned()] };
    let (mut depth, mut parts, mut from, mut close) = (0, Vec::new(), open + 1, open);
    for (i, c) in glob.char_indices().skip_while(|&(i, _)| i < open) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c == ',' && depth == 1 || depth == 0 {
            parts.push(&glob[from..i]);
            from = i + 1;
        }
        if depth == 0 {
            close = i;
            break;
        }
    }
    // Two stars that only meet through the braces are no `**`.
    let join = |a: &str, b: &str| match a.strip_suffix('*') {
        Some(a) if b.starts_with('*') => format!("{a}{b}"),
        _ => format!("{a}{b}"),
    };
    let whole = |part: &&str| expand(&join(&join(&glob[..open], part), &glob[close + 1..]));
    parts.iter().flat_map(whole).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn fast_glob_agrees_with_the_automaton(a in glob(), from in 0..400_usize) {
        for key in keys().iter().skip(from).step_by(400) {
            // A literal glob skips the automaton, so give the key as one that is none.
            let class: String = match key.chars().next() {
                Some(c) if c.is_ascii() && c != '.' => format!("[{c}]{}", escape(&key[1..])),
                _ => continue,
            };
            prop_assert_eq!(overlap(&a, &class).is_some(), matches(&a, key), "{} with {}", a, key);
        }
    }

    #[test]
    fn overlap_is_brute_force(a in glob(), b in glob()) {
        let common = keys().iter().find(|k| matches(&a, k) && matches(&b, k));
        let found = overlap(&a, &b);
        prop_assert_eq!(found.is_some(), overlap(&b, &a).is_some());
        prop_assert_eq!(found.is_some(), super::overlaps(&a, &b));
        match (found, common) {
            (Some(key), _) => prop_assert!(
                is_key(&key) && matches(&a, &key) && matches(&b, &key), "{} for {} and {}", key, a, b),
            (None, Some(key)) => prop_assert!(false, "{} and {} both match {}", a, b, key),
            (None, None) => {}
        }
    }

    #[test]
    fn excluding_is_brute_force(a in glob(), b in glob(), c in glob(), d in glob()) {
        let not = [c.as_str(), d.as_str()];
        let good = |k: &str| matches(&a, k) && matches(&b, k) && !not.iter().any(|n| matches(n, k));
        match (overlap_excluding(&a, &b, &not), keys().iter().find(|k| good(k))) {
            (Some(key), _) => prop_assert!(is_key(&key) && good(&key), "{}", key),
            (None, Some(key)) => prop_assert!(false, "{} and {} without {:?} both match {}", a, b, not, key),
            (None, None) => {}
        }
    }

    #[test]
    fn matching_is_globset(a in glob()) {
        // In globset a class matches `/` and no escape is a control character, and braces are
        // looked into for `**` by their text alone. It takes a last `**/` for `**`.
        prop_assume!(!a.contains("[!") && !a.contains('\\'));
        let oracles: Vec<_> = expand(&a)
            .iter()
            .filter(|g| check(g).is_ok())
            .map(|g| GlobBuilder::new(g).literal_separator(true).build().map(|g| g.compile_matcher()))
            .collect::<Result<_, _>>()
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        for key in keys() {
            prop_assert_eq!(matches(&a, key), oracles.iter().any(|o| o.is_match(key)), "{} with {}", a, key);
        }
    }
}
