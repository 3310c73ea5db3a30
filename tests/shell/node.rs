//! Commands that can be made smaller.

pub(crate) use super::random::Random;

/// A command that can be made smaller.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// A simple command: words that can be dropped, except the first.
    Leaf(Vec<String>),
    /// A simple command with a here-document, whose text can't stand in one line.
    Doc(String),
    /// Commands one after the other.
    List(Vec<Node>),
    /// Commands joined by `&&`.
    And(Vec<Node>),
    /// Commands joined by `|`.
    Pipe(Vec<Node>),
    /// Something around a command: what stands before and behind it.
    Around(&'static str, Box<Node>, String),
    /// The command as the text of another: what stands before the quoted text, and behind it.
    Text(&'static str, Box<Node>, &'static str),
    /// `if`, with a condition that doesn't write.
    If(&'static str, Box<Node>, Option<Box<Node>>),
}

impl Node {
    /// Its text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Leaf(words) => words.join(" "),
            Self::Doc(text) => text.clone(),
            Self::List(nodes) => join(nodes, "\n"),
            Self::And(nodes) => join(nodes, " && "),
            Self::Pipe(nodes) => join(nodes, " | "),
            Self::Around(before, node, behind) => format!("{before}{}\n{behind}", node.text()),
            Self::Text(before, node, behind) => format!("{before}{}{behind}", quoted(&node.text())),
            Self::If(condition, node, None) => format!("if {condition}; then\n{}\nfi", node.text()),
            Self::If(condition, node, Some(otherwise)) => {
                format!("if {condition}; then\n{}\nelse\n{}\nfi", node.text(), otherwise.text())
            }
        }
    }

    /// Whether it has to end with its own line.
    pub(crate) fn has_document(&self) -> bool {
        match self {
            Self::Doc(_) => true,
            Self::Leaf(_) | Self::Text(..) => false,
            Self::List(nodes) | Self::And(nodes) | Self::Pipe(nodes) => nodes.iter().any(Self::has_document),
            Self::Around(_, node, _) => node.has_document(),
            Self::If(_, node, otherwise) => {
                node.has_document() || otherwise.as_deref().is_some_and(Self::has_document)
            }
        }
    }

    /// It with one piece less, in every way there is.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut out = Vec::new();
        match self {
            Self::Leaf(words) => {
                for i in 1..words.len() {
                    let mut fewer = words.clone();
                    fewer.remove(i);
                    out.push(Self::Leaf(fewer));
                }
            }
            Self::Doc(_) => {}
            Self::List(nodes) | Self::And(nodes) | Self::Pipe(nodes) => {
                let again = |nodes: Vec<Self>| match self {
                    Self::List(_) => Self::List(nodes),
                    Self::And(_) => Self::And(nodes),
                    _ => Self::Pipe(nodes),
                };
                if nodes.len() > 1 {
                    for i in 0..nodes.len() {
                        let mut fewer = nodes.clone();
                        fewer.remove(i);
                        out.push(again(fewer));
                    }
                } else {
                    out.extend(nodes.iter().cloned());
                }
                for (i, node) in nodes.iter().enumerate() {
                    for less in node.smaller() {
                        let mut changed = nodes.clone();
                        changed[i] = less;
                        out.push(again(changed));
                    }
                }
            }
            Self::Around(before, node, behind) => {
                out.push((**node).clone());
                out.extend(
                    node.smaller().into_iter().map(|n| Self::Around(before, Box::new(n), behind.clone())),
                );
            }
            Self::Text(before, node, behind) => {
                out.push((**node).clone());
                out.extend(node.smaller().into_iter().map(|n| Self::Text(before, Box::new(n), behind)));
            }
            Self::If(condition, node, otherwise) => {
                out.push((**node).clone());
                if let Some(otherwise) = otherwise {
                    out.push((**otherwise).clone());
                    out.push(Self::If(condition, node.clone(), None));
                    for less in otherwise.smaller() {
                        out.push(Self::If(condition, node.clone(), Some(Box::new(less))));
                    }
                }
                for less in node.smaller() {
                    out.push(Self::If(condition, Box::new(less), otherwise.clone()));
                }
            }
        }
        out
    }
}

fn join(nodes: &[Node], by: &str) -> String {
    nodes.iter().map(Node::text).collect::<Vec<_>>().join(by)
}

/// The text between single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
