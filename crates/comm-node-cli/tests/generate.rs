//! What `comm-node generate` makes of three nodes, whole, and that nothing in it is there by chance: each
//! line of each template and each variable is missed when it is gone.
//!
//! `UPDATE_GOLDEN=1` writes the expected texts anew, to be read before they are committed.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use comm_node_cli::config;
use comm_node_cli::generate::context::Subject;
use comm_node_cli::generate::engine::Engine;
use comm_node_cli::generate::frontmatter;
use comm_node_cli::generate::plan::{self, Form};
use comm_node_cli::generate::templates::{BUILT_IN, Templates};
use comm_node_core::node::registry::{Layout, Registry, Role};
use comm_node_core::node::roles;
use serde_json::Value;

const NODES: [&str; 3] = ["small", "shop", "hostile"];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generate").join(name)
}

/// The three nodes, and one of thirty domains.
fn nodes() -> Vec<Registry<'static>> {
    let wide: String = (0..30).map(|i| format!("  d{i}: {{scope: [\"d{i}/**\"]}}\n")).collect();
    let (_temp, wide) = node_of("wide", &format!("version: 1\nname: wide\ndomains:\n{wide}"));
    NODES.iter().map(|name| node(name).1).chain([wide]).collect()
}

/// The node called `name`, in a directory of its own.
fn node(name: &str) -> (tempfile::TempDir, Registry<'static>) {
    node_of(name, &fs::read_to_string(file(&format!("{name}.yaml"))).expect("reads"))
}

fn node_of(name: &str, text: &str) -> (tempfile::TempDir, Registry<'static>) {
    let temp = tempfile::tempdir().expect("temp dir");
    let top = temp.path().canonicalize().expect("real");
    for dir in ["node", "node/packages/shared", "other"] {
        fs::create_dir_all(top.join(dir)).expect("makes");
    }
    let checked = config::check_text(&Layout::at(top.join("node")), text);
    let registry = checked.registry.unwrap_or_else(|| panic!("{name}: {:?}", checked.faults));
    (temp, registry)
}

fn golden(name: &str, text: &str) {
    let path = file(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
        fs::write(&path, text).expect("writes");
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        wanted == text,
        "{name} is not what is rendered; UPDATE_GOLDEN=1 writes it anew, then read the diff"
    );
}

#[test]
fn three_nodes_render_as_they_should() {
    let engine = Engine::new(Templates::built_in()).expect("the built-in templates are right");
    for name in NODES {
        let (temp, registry) = node(name);
        let top = temp.path().canonicalize().expect("real");
        let mut all = String::new();
        for output in plan::outputs(&registry, &engine).expect("renders") {
            let path = output.path.strip_prefix(&top).expect("in the node").display();
            let form = if output.form == Form::Part { "part of " } else { "" };
            let _ = write!(all, "──── {form}{path} for {}\n{}", output.owner, output.text);
        }
        golden(&format!("{name}.golden"), &all);
    }
}

#[test]
fn what_is_for_everybody_renders_as_it_should() {
    let engine = Engine::new(Templates::built_in()).expect("the built-in templates are right");
    let mut all = String::new();
    let convention = engine.templates().get("convention.md").expect("there");
    let context = Subject::ANYBODY.context(None).expect("a context");
    let _ = write!(all, "──── convention.md\n{}", engine.part(convention, &context).expect("renders"));
    for (path, text) in plan::files(&engine).expect("renders") {
        let _ = write!(all, "──── {}\n{text}", path.display());
    }
    golden("everybody.golden", &all);
}

/// Nothing in `comm-node.yaml` gets out of where it stands, whatever it is.
#[test]
fn hostile_texts_stay_where_they_are() {
    let engine = Engine::new(Templates::built_in()).expect("the built-in templates are right");
    let (_temp, registry) = node("hostile");
    let outputs = plan::outputs(&registry, &engine).expect("renders");
    let mut seen = 0;
    for output in &outputs {
        let at = output.path.display();
        let text = &output.text;
        let front = match output.form {
            Form::Part => "",
            Form::Whole => frontmatter::split(text).unwrap_or_else(|| panic!("{at}: no front matter")).0,
        };
        let fields =
            if front.is_empty() { Default::default() } else { frontmatter::fields(text).expect("YAML") };
        let known = [
            "name",
            "description",
            "tools",
            "model",
            "paths",
            "argument-hint",
            "allowed-tools",
            "disable-model-invocation",
        ];
        assert!(fields.keys().all(|k| known.contains(&k.as_str())), "{at}: {fields:?}");
        if let Some(name) = fields.get("name") {
            assert_eq!(
                Some(name.as_str().expect("text")),
                output.path.file_stem().and_then(|s| s.to_str()),
                "{at}"
            );
        }
        let body = &text[front.len()..];
        // Only the templates' own commands are run, and only the user's own arguments are filled in.
        for line in body.lines().filter(|l| l.contains("!`")) {
            assert!(
                line.starts_with("!`comm-node ") && line.ends_with(" --in-prompt 2>&1 || true`"),
                "{at}: {line}"
            );
        }
        assert!(body.matches("$ARGUMENTS").count() <= 1 && !body.contains("$A/"), "{at}: {body}");
        assert!(
            !text.contains('\u{202e}') && !text.contains("<!--") && !text.contains("-->"),
            "{at}: {text}"
        );
        for (i, _) in body.match_indices('@') {
            assert!(
                body[..i].ends_with('`') || body[..i].ends_with("`` "),
                "{at}: a mention: {}",
                &body[i..]
            );
        }
        seen += usize::from(body.contains("touch pwned"));
    }
    assert!(seen > 0, "the hostile description is nowhere");
    // An agent whose role may write is given tools to write with, although the built-in one only reads.
    let finder = outputs.iter().find(|o| o.path.ends_with("node/.claude/agents/finder.md")).expect("there");
    assert!(!finder.text.contains("\ntools:"), "{}", finder.text);
}

/// The roles that an agent's template is rendered for in these tests.
fn about(name: &str, registry: Option<&Registry<'static>>) -> Vec<Option<Role<'static>>> {
    let Some(role) = name.strip_prefix("agents/").and_then(|n| n.strip_suffix(".md")) else {
        return vec![None];
    };
    let all = registry.map_or_else(roles::builtin, |r| r.roles.list().expect("roles"));
    if role == "role" {
        let own = ["writer", "proofreader"];
        return all.into_iter().filter(|r| own.contains(&r.name.as_str())).map(Some).collect();
    }
    let mut found: Vec<Option<Role<'static>>> =
        all.into_iter().filter(|r| r.name.as_str() == role).map(Some).collect();
    // The same role as a node may have changed it.
    let other = found.first().cloned().flatten().map(|r| Role {
        next: None,
        model: r.model.is_none().then(|| "smart".into()),
        exclude: Vec::new(),
        scope: if r.scope.is_empty() { roles::builtin().remove(0).scope } else { Vec::new() },
        ..r
    });
    found.push(other);
    found
}

/// All that the template called `name` makes of the nodes of these tests, faults included. `change` may take
/// something out of the context.
fn made(
    engine: &Engine,
    name: &str,
    registries: &[Registry<'static>],
    change: &dyn Fn(&mut Value),
) -> Vec<Result<String, String>> {
    let template = engine.templates().get(name).expect("there");
    let mut found = Vec::new();
    let mut render = |registry: Option<&Registry<'static>>, domain| {
        let subject = Subject { registry, domain };
        for role in about(name, registry) {
            let mut context = subject.context(role.as_ref()).expect("a context");
            change(context.data_mut());
            let made = match name.contains('/') {
                true => engine.file(template, &context, role.as_ref().map(|r| r.name.as_str())),
                false => engine.part(template, &context),
            };
            found.push(made.map_err(|e| format!("{e:#}")));
        }
    };
    for registry in registries {
        for domain in registry.domains.iter().take(if registry.domains.len() > 5 { 1 } else { 5 }) {
            render(Some(registry), Some(domain));
        }
        if name != "CLAUDE.md" {
            render(Some(registry), None);
        }
    }
    if name != "CLAUDE.md" {
        render(None, None);
    }
    found
}

#[test]
fn no_line_of_a_template_can_go_unnoticed() {
    let registries = nodes();
    let right = Engine::new(Templates::built_in()).expect("right");
    let mut mutants = 0;
    let mut missed = Vec::new();
    for (name, text) in BUILT_IN.iter().filter(|(name, _)| *name != "convention.md") {
        let wanted = made(&right, name, &registries, &|_| ());
        let lines: Vec<&str> = text.lines().collect();
        for gone in 0..lines.len() {
            // Of two empty lines in a row, or one at an end, nobody misses one.
            let kept = lines.iter().enumerate().filter(|(i, _)| *i != gone);
            let mutant: String = kept.map(|(_, line)| format!("{line}\n")).collect();
            mutants += 1;
            let own = vec![(format!("{name}.hbs"), mutant)];
            let engine = Engine::new(Templates::with(own, &["writer"]).expect("known"));
            if engine.is_ok_and(|engine| made(&engine, name, &registries, &|_| ()) == wanted) {
                missed.push(format!("{name}:{}: {}", gone + 1, lines[gone]));
            }
        }
    }
    assert!(mutants > 300, "{mutants}");
    assert!(missed.is_empty(), "of {mutants} mutants, these went unnoticed:\n{}", missed.join("\n"));
}

#[test]
fn no_variable_can_go_unnoticed() {
    let registries = nodes();
    let engine = Engine::new(Templates::built_in()).expect("right");
    let domain = registries[1].domains.first().expect("one");
    let full =
        Subject { registry: Some(&registries[1]), domain: Some(domain) }.context(roles::builtin().first());
    let full = full.expect("a context");
    let mut paths: Vec<Vec<String>> = Vec::new();
    for (key, value) in full.data().as_object().expect("an object") {
        paths.push(vec![key.clone()]);
        for inner in value.as_object().into_iter().flatten().map(|(k, _)| k) {
            paths.push(vec![key.clone(), inner.clone()]);
        }
    }
    // These are for templates of a node's own; no built-in one names them.
    let spare = [["domain", "mode"], ["domain", "max_sessions"]];
    let mut missed = Vec::new();
    for path in &paths {
        if spare.iter().any(|s| path == s) {
            continue;
        }
        let take_out = |context: &mut Value| {
            let (last, above) = path.split_last().expect("not empty");
            let at = above.iter().try_fold(context, |v, key| v.get_mut(key));
            if let Some(object) = at.and_then(Value::as_object_mut) {
                object.remove(last);
            }
        };
        let fails = BUILT_IN.iter().any(|(name, _)| {
            made(&engine, name, &registries, &take_out)
                .iter()
                .any(|m| m.as_ref().is_err_and(|e| e.contains("there is no variable")))
        });
        if !fails {
            missed.push(path.join("."));
        }
    }
    assert!(paths.len() > 20, "{paths:?}");
    assert!(missed.is_empty(), "these went unnoticed: {missed:?}");
}
