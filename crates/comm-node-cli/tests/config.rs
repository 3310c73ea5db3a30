//! Whatever stands in `comm-node.yaml` or in a project's directories: no panic, every fault with a
//! place, and what `init` writes is always read again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[cfg(unix)]
use std::fs;
use std::path::Path;

#[cfg(unix)]
use comm_node_cli::config::propose;
use comm_node_cli::config::{self, Compiled, Ground};
use comm_node_core::node::registry::{Registry, SourceId};
use proptest::prelude::*;

const FULL: &str = include_str!("../../../tests/cli/fixtures/config/valid/full.yaml");

fn compile(text: &str, root: &Path) -> Compiled {
    let ground = Ground { root, fold_case: false, id: SourceId::default() };
    config::compile("comm-node.yaml", text, ground)
}

/// What must hold for any text.
fn sound(text: &str) -> Compiled {
    let compiled = compile(text, Path::new("/nowhere/shop"));
    assert_eq!(compiled.registry.is_some(), compiled.faults.is_empty());
    assert_eq!(compiled.registry.as_ref().map_or(0, |r| r.domains.len()), compiled.marks.len());
    let warnings = config::warnings(&compiled);
    let lines = text.lines().count() + 1;
    for issue in compiled.faults.iter().chain(&warnings) {
        let (line, column) = compiled.source.place(issue.at.start);
        assert!(line >= 1 && column >= 1 && line as usize <= lines, "{issue:?}");
        assert!(issue.at.start <= issue.at.end && issue.at.end <= compiled.source.text().len(), "{issue:?}");
        assert!(compiled.source.text().get(issue.at.clone()).is_some(), "{issue:?}");
        assert!(!issue.what.is_empty() && !issue.help.is_empty(), "{issue:?}");
        assert!(!compiled.source.one_line(issue).contains('\n'));
        assert!(compiled.source.json(issue).is_object());
    }
    let picture = compiled.source.draw(compiled.faults.iter().chain(&warnings), false);
    assert!(!picture.contains('\u{1b}'), "{picture}");
    if let Some(registry) = &compiled.registry {
        let json = registry.to_text();
        assert_eq!(&Registry::parse(&json).unwrap(), registry);
    }
    compiled
}

/// Pieces from which something close to a real file can come.
fn piece() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "version: 1\n",
        "domains:\n",
        "  a:\n",
        "    scope: ",
        "[\"a/**\", b]\n",
        "- ",
        "  ",
        "\n",
        "\t",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        ": ",
        "? ",
        "*",
        "&a ",
        "*a",
        "!x ",
        "!!str ",
        "|\n",
        ">-\n",
        "#",
        "---\n",
        "...\n",
        "<<: ",
        "null",
        "true",
        "1.5",
        "é",
        "\u{feff}",
        "\r\n",
        "policy:\n",
        "roles: ",
        "mode: off\n",
        "path: ..\n",
        "imports: {b: [c]}\n",
        "%YAML 1.2\n",
        "\u{202e}",
        "\u{0}",
        "\\",
        "0x",
        "1e999",
        "budget: ",
        "\u{85}",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        sound(&text);
    }

    #[test]
    fn pieces_of_yaml_are_answered(pieces in prop::collection::vec(piece(), 0..40)) {
        sound(&pieces.concat());
    }

    #[test]
    fn a_real_file_with_an_error_is_answered(
        at in 0..FULL.len(), len in 0usize..6, insert in piece(),
    ) {
        let start = (0..=at).rev().find(|i| FULL.is_char_boundary(*i)).unwrap();
        let end = (start + len..).find(|i| *i >= FULL.len() || FULL.is_char_boundary(*i)).unwrap().min(FULL.len());
        sound(&format!("{}{insert}{}", &FULL[..start], &FULL[end..]));
    }

    #[test]
    fn any_pattern_is_taken_or_refused(glob in "[a-c*?{}\\[\\]/.!,\\\\ é-]{0,14}") {
        let quoted = serde_json::to_string(&glob).unwrap();
        let compiled = sound(&format!("version: 1\ndomains: {{a: {{scope: [{quoted}]}}}}\n"));
        if let Some(registry) = compiled.registry {
            let form = registry.domains[0].scope[0].glob().to_owned();
            prop_assert_eq!(comm_node_core::glob::check(&form), Ok(()));
        }
    }
}

#[test]
fn a_file_of_the_largest_size_is_read_in_time() {
    let start = std::time::Instant::now();
    let items: Vec<String> = (0..40_000).map(|n| format!("dir{n}/**")).collect();
    let good = format!("version: 1\ndomains:\n  a:\n    scope: [{}]\n", items.join(", "));
    assert!(sound(&good).registry.is_some());
    let bad = format!("version: 1\ndomains:\n  a:\n    scope:\n{}", "    - ../x\n".repeat(40_000));
    assert!(!sound(&bad).faults.is_empty());
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[cfg(unix)]
    #[test]
    fn what_init_writes_is_read_again(
        name in any::<String>(),
        dirs in prop::collection::vec("[^/\u{0}]{1,12}", 0..14),
        kind in 0..4,
        owners in any::<String>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (file, text, manifest) = match kind {
            0 => ("package.json", r#"{"workspaces": ["p/*"]}"#, "package.json"),
            1 => ("Cargo.toml", "[workspace]\nmembers = [\"p/*\"]", "Cargo.toml"),
            2 => ("CODEOWNERS", "", "x"),
            _ => ("README", "", "x"),
        };
        fs::write(root.join(file), text).unwrap();
        let mut lines = owners;
        for (n, name) in dirs.iter().filter(|d| *d != "." && *d != "..").enumerate() {
            let place = root.join(if kind < 2 { "p" } else { "." }).join(name);
            if fs::create_dir_all(&place).is_ok() {
                let _ = fs::write(place.join(manifest), "");
            }
            lines.push_str(&format!("\n/{name}/ @org/{name}-{n}"));
        }
        if kind == 2 {
            fs::write(root.join("CODEOWNERS"), lines).unwrap();
        }
        let proposal = propose::propose(&root, Some(&name));
        let text = propose::render(&proposal);
        let compiled = compile(&text, &root);
        prop_assert!(compiled.faults.is_empty(), "{}\n{}", text, compiled.source.draw(&compiled.faults, false));
        let warnings = config::warnings(&compiled);
        prop_assert!(warnings.is_empty(), "{}\n{}", text, compiled.source.draw(&warnings, false));
        let registry = compiled.registry.unwrap();
        prop_assert_eq!(registry.domains.len(), proposal.domains.len());
        for (read, meant) in registry.domains.iter().zip(&proposal.domains) {
            prop_assert_eq!(read.name.as_str(), &meant.name);
            let globs: Vec<&str> = read.scope.iter().map(|p| p.glob()).collect();
            prop_assert_eq!(globs, meant.scope.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
