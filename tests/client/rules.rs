//! The words of a domain without a directory of its own come with its files, and not with those of others: the client reads
//! the globs of a rule in another way than comm-node reads those of a scope.

use std::fs;

use crate::driver::Client;
use crate::installed::person;
use crate::script::{Script, Turn};
use crate::support::node::{Node, TWO_DOMAINS};

/// Of which of these two domains a session is told that reads `file`.
fn told(node: &Node, file: &str) -> Option<Vec<&'static str>> {
    let client = Client::start(Script::new([Turn::read(node.text(file))]))?;
    client.headless(node.root(), "go").run().assert_success();
    let last = client.server.requests_main().pop()?;
    let met = |domain: &&str| last.count(&format!("## Domain {domain} of shop")) > 0;
    Some(["top", "pages"].into_iter().filter(met).collect())
}

#[test]
fn the_words_of_a_domain_come_with_its_own_files_alone() {
    let more = "  top: {scope: [\"*\", \".claude/**\"]}\n  pages: {scope: [\"docs/ol?/**\", \"docs/*\"]}\n";
    let mut builder = Node::builder().yaml(&format!("{TWO_DOMAINS}{more}"));
    let files = [
        ("notes.txt", &["top"][..]),
        ("apps/web/index.html", &[]),
        ("docs/a.md", &["pages"]),
        ("docs/old/b.md", &["pages"]),
        ("docs/new/c.md", &[]),
    ];
    for (file, _) in files {
        builder = builder.file(file, "x\n");
    }
    let node = builder.build();
    person(node.root(), &["generate"]);
    for (file, owner) in files {
        let Some(told) = told(&node, file) else { return };
        assert_eq!(told, owner, "{file}");
    }
    // Control: with the scope's own globs the words come with everybody's files.
    let rule = node.path(".claude/rules/comm-node-top.md");
    let text = fs::read_to_string(&rule).expect("generated");
    let plain = text.replace("  - \"/*\"\n  - \"!/*/\"\n", "  - \"*\"\n");
    assert_ne!(text, plain);
    fs::write(&rule, plain).expect("writes");
    assert_eq!(told(&node, "apps/web/index.html"), Some(vec!["top"]));
}
