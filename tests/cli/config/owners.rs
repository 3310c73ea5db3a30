//! `show` and `link`: who owns a path, here and in other repositories.

use std::fs;

use super::{GOOD, Node, text};

#[test]
fn show_names_owner_pattern_line_and_exclusion() {
    let node = Node::with(
        "version: 1\ndomains:\n  api:\n    scope: [\"api/**\"]\n    exclude: [\"api/gen/**\"]\n  \
         other: {path: ../other}\npolicy: {protected: [\".env\"]}\n",
    );
    let shown =
        node.ok(&["show", "api/x.rs", "api/gen/x.rs", "web/x", "../other/y", "/etc/passwd", "api/.env"]);
    let shown = shown.replace(&*node.root.parent().unwrap().to_string_lossy(), "<dir>");
    assert_eq!(
        shown,
        "api/x.rs: api\n  \
           api: scope \"api/**\" (comm-node.yaml:4)\n\
         api/gen/x.rs: no domain owns it\n  \
           api: scope \"api/**\" (comm-node.yaml:4), excluded by \"api/gen/**\" (comm-node.yaml:5)\n\
         web/x: no domain owns it\n\
         ../other/y: other\n  \
           other: scope \"**\" (comm-node.yaml:6)\n  \
           in the repository <dir>/other\n\
         /etc/passwd: outside the node (/etc/passwd)\n\
         api/.env: api\n  \
           api: scope \"api/**\" (comm-node.yaml:4)\n  \
           protected by \"**/.env\" (comm-node.yaml:7)\n"
    );
    let json = node.json(&["show", "--json", "api/gen/x.rs"]);
    assert_eq!(json[0]["owners"].as_array().unwrap().len(), 0);
    assert_eq!(json[0]["claims"][0]["excluded_by"]["line"], 5);
}

#[cfg(unix)]
#[test]
fn show_follows_links() {
    let node = Node::with(GOOD);
    fs::create_dir_all(node.root.join("api/src")).unwrap();
    std::os::unix::fs::symlink("api/src", node.root.join("short")).unwrap();
    let shown = node.ok(&["show", "short/x.rs"]);
    assert!(shown.starts_with("short/x.rs: api\n"), "{shown}");
    assert!(shown.contains("really ") && shown.contains("api/src/x.rs"), "{shown}");
}

#[test]
fn link_points_back_and_sessions_there_find_the_node() {
    let node = Node::with("version: 1\ndomains:\n  other: {path: ../other}\n");
    let link = node.root.with_file_name("other").join(".comm-node/link");
    assert!(node.ok(&["link", "--dry-run"]).contains("would write"));
    assert!(!link.exists());
    assert!(text(&node.run(&["check"])).contains("comm-node link"));
    node.ok(&["link"]);
    assert!(fs::read_to_string(&link).unwrap().contains("\nnode: ../shop\n"));
    assert!(fs::read_to_string(link.with_file_name(".gitignore")).unwrap().contains("!/link"));
    assert!(node.ok(&["link"]).contains("up to date"));
    assert!(!text(&node.run(&["check"])).contains("warning"));
    let there =
        node.command(&["show", "x.rs"]).current_dir(node.root.with_file_name("other")).output().unwrap();
    assert!(text(&there).contains("x.rs: other"), "{}", text(&there));
    assert!(Node::with(GOOD).ok(&["link"]).contains("nothing to link"));
}
