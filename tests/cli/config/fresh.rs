//! `compile`: the registry follows the file, under races, damage and faults.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use comm_node_core::node::registry::{Registry, SourceId};

use super::{GOOD, Node, text};

#[test]
fn the_last_good_form_stays_in_force() {
    let node = Node::with(GOOD);
    node.ok(&["compile"]);
    fs::write(node.yaml(), GOOD.replace("scope", "scop")).unwrap();
    let output = node.run(&["compile", "--quiet"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    {
        let text = node.registry_text();
        let registry = Registry::parse(&text).unwrap();
        let fault = registry.fault.as_ref().unwrap();
        assert_eq!((fault.line, fault.column), (4, 9));
        assert!(fault.message.contains("did you mean `scope`?"), "{}", fault.message);
        assert_eq!(registry.domain("api").unwrap().scope[0].glob(), "api/**");
        assert_eq!(registry.source, SourceId::of(&fs::metadata(node.yaml()).unwrap()));
    }
    assert!(node.ok(&["show", "api/x"]).contains("api"), "other commands go on with the last good form");
    fs::write(node.yaml(), GOOD.replace("api", "web")).unwrap();
    node.ok(&["compile"]);
    let text = node.registry_text();
    assert_eq!(Registry::parse(&text).unwrap().fault, None);
}

#[test]
fn a_fault_of_the_disk_goes_away_without_a_new_file() {
    let node = Node::with(GOOD);
    node.ok(&["compile"]);
    fs::write(node.yaml(), GOOD.replace("scope: [\"api/**\"]", "path: api")).unwrap();
    assert!(!node.run(&["compile"]).status.success());
    fs::create_dir(node.root.join("api")).unwrap();
    node.ok(&["compile"]);
    let text = node.registry_text();
    assert_eq!(Registry::parse(&text).unwrap().fault, None);
}

#[test]
fn a_damaged_registry_is_set_aside_and_made_again() {
    let node = Node::with(GOOD);
    node.ok(&["compile"]);
    fs::write(node.registry_path(), "{\"version\":1,").unwrap();
    node.ok(&["compile"]);
    let text = node.registry_text();
    assert!(Registry::parse(&text).is_ok());
    let aside = |node: &Node| {
        let names = fs::read_dir(node.root.join(".comm-node")).unwrap();
        names.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains("damaged")).count()
    };
    assert_eq!(aside(&node), 1);
    // Another version's format is no damage.
    fs::write(node.registry_path(), "{\"version\":99}").unwrap();
    node.ok(&["compile"]);
    assert_eq!(aside(&node), 1);
    // Nor does damage hide a fault.
    fs::write(node.registry_path(), "damage").unwrap();
    fs::write(node.yaml(), "version: 2").unwrap();
    assert_eq!(node.run(&["compile"]).status.code(), Some(1));
    assert_eq!(aside(&node), 2);
}

#[test]
fn a_moved_node_is_compiled_again() {
    let node = Node::with(GOOD);
    node.ok(&["compile"]);
    let moved = node.root.with_file_name("moved");
    fs::rename(&node.root, &moved).unwrap();
    let node = Node { _dir: node._dir, root: moved };
    node.ok(&["compile"]);
    let text = node.registry_text();
    assert_eq!(Path::new(Registry::parse(&text).unwrap().trees[0].as_str()), node.root);
}

#[test]
fn a_quick_second_edit_of_the_same_size_is_seen() {
    let node = Node::with(GOOD);
    for round in 0..15 {
        // Both edits may fall into one tick of the file system's clock.
        fs::write(node.yaml(), GOOD.replace("api/", &format!("a{:02}/", round))).unwrap();
        let first = node.command(&["compile"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(round % 5));
        let last = GOOD.replace("api/", &format!("b{round:02}/"));
        let mut file = fs::OpenOptions::new().write(true).open(node.yaml()).unwrap();
        std::io::Write::write_all(&mut file, last.as_bytes()).unwrap();
        drop(file);
        first.wait_with_output().unwrap();
        node.ok(&["compile", "--quiet"]);
        let text = node.registry_text();
        let registry = Registry::parse(&text).unwrap();
        assert_eq!(registry.domain("api").unwrap().scope[0].glob(), format!("b{round:02}/**"));
    }
}

#[test]
fn eight_processes_compile_at_once() {
    let node = Node::with(GOOD);
    for round in 0..5 {
        fs::write(node.yaml(), GOOD.replace("api/", &format!("r{round}/"))).unwrap();
        let start = Instant::now();
        let all: Vec<_> = (0..8)
            .map(|_| {
                node.command(&["compile", "--quiet"])
                    .stderr(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for child in all {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", text(&output));
        }
        assert!(start.elapsed() < Duration::from_secs(10));
        let text = node.registry_text();
        let registry = Registry::parse(&text).unwrap();
        assert_eq!(registry.domain("api").unwrap().scope[0].glob(), format!("r{round}/**"));
        let left = fs::read_dir(node.root.join(".comm-node")).unwrap();
        assert!(!left.into_iter().any(|e| e.unwrap().file_name().to_string_lossy().ends_with(".tmp")));
    }
}
