//! A node whose `comm-node.yaml` is gone: said plainly, and begun anew with `init`.

use std::fs;

use super::{GOOD, Node, text};

fn gone() -> Node {
    let node = Node::with(GOOD);
    node.ok(&["compile"]);
    fs::remove_file(node.yaml()).unwrap();
    node
}

#[test]
fn a_missing_yaml_is_said_once_with_its_remedy() {
    let node = gone();
    let wanted = format!(
        "comm-node.yaml of {} is gone; its last rules stay in force; restore it, or remove .comm-node to end the node",
        node.root.display()
    );
    for args in
        [&["status"][..], &["check"], &["compile"], &["show", "api/x"], &["why", "api/x"], &["sessions"]]
    {
        let output = node.run(args);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(&wanted), "{args:?}: {said}");
        assert!(!said.contains("os error"), "{args:?}: {said}");
    }
    fs::remove_dir_all(node.root.join(".comm-node")).unwrap();
    assert!(text(&node.run(&["status"])).contains("run `comm-node init`"), "the node has ended");
}

#[test]
fn init_begins_it_anew_in_that_directory_alone() {
    let node = gone();
    let below = node.command(&["init", "--yes"]).current_dir(node.root.join("services")).output().unwrap();
    assert_eq!(below.status.code(), Some(1), "{}", text(&below));
    assert!(text(&below).contains("belongs to the node"), "{}", text(&below));
    node.ok(&["init", "--yes"]);
    node.ok(&["check"]);
    assert!(!node.registry_text().contains("api/**"), "the rules are those of the new file");
}
