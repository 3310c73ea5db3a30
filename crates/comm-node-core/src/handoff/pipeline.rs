//! A pipeline is a chain of roles, each in a fresh session. What passes from one to the next is said
//! here and nowhere else; `docs/handoffs.md` shows the same table.

use super::{Handoff, Head};
use crate::glob;
use crate::node::registry::{Pattern, Role};
use crate::node::roles::{IMPLEMENT, TEST};

/// The role that opens a test-first pipeline.
const TEST_LIST: &str = "test-list";
/// The role that ends a round of it.
const REFACTOR: &str = "refactor";

/// A field of a hand-off that a role needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The list of behaviours.
    List,
    /// The tests of this round.
    Tests,
    /// The files written to make them pass.
    Code,
    /// The command that runs the tests.
    Check,
    /// At least one next step.
    Next,
}

impl Field {
    /// Its name in the frontmatter, or its section.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Tests => "tests",
            Self::Code => "code",
            Self::Check => "check",
            Self::Next => "Next",
        }
    }

    /// How it gets there.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::List => "write the list of behaviours into a file such as docs/test-list-login.md first",
            Self::Tests => "write at least one test first",
            Self::Code => "write the code first",
            Self::Check => "add --check '<the command that runs the tests>'",
            Self::Next => "add --next '<step>'",
        }
    }
}

/// The fields that the role called `name` starts with; nothing else passes to it. The first list must be
/// there, the second may.
#[must_use]
pub fn fields(name: &str) -> (&'static [Field], &'static [Field]) {
    match name {
        TEST => (&[Field::List, Field::Next], &[]),
        IMPLEMENT => (&[Field::Tests, Field::Check], &[Field::List]),
        REFACTOR => (&[Field::Tests, Field::Check, Field::Code], &[Field::List]),
        TEST_LIST => (&[], &[Field::List]),
        _ => (&[], &[]),
    }
}

/// Fills in the fields that `next` gets: from what this session wrote, as its role's and `test`'s scopes
/// sort it, and from the hand-off that it took itself.
pub fn fill(head: &mut Head, next: &str, roles: &[Role<'_>], touched: &[String], taken: Option<&Head>) {
    let (must, may) = fields(next);
    let passes = |field| must.contains(&field) || may.contains(&field);
    let in_scope = |name: &str| -> Vec<String> {
        let Some(role) = roles.iter().find(|role| *role.name == *name) else { return Vec::new() };
        touched.iter().filter(|path| any(&role.scope, path) && !any(&role.exclude, path)).cloned().collect()
    };
    let lists = in_scope(TEST_LIST);
    if passes(Field::List) && head.list.is_none() {
        // A role that may write everything did not make each Markdown file a list.
        let fresh = lists.last().cloned();
        head.list = fresh.or_else(|| taken.and_then(|t| t.list.clone()));
    }
    if passes(Field::Tests) && head.tests.is_empty() {
        head.tests = in_scope(TEST);
        for test in taken.map(|t| t.tests.as_slice()).unwrap_or_default() {
            if !head.tests.contains(test) {
                head.tests.push(test.clone());
            }
        }
    }
    if passes(Field::Code) && head.code.is_empty() {
        head.code = touched.iter().filter(|path| !in_scope(TEST).contains(path)).cloned().collect();
    }
    if passes(Field::Check) && head.check.is_none() {
        head.check = taken.and_then(|t| t.check.clone());
    }
    if !passes(Field::Check) {
        head.check = None;
    }
}

/// The fields that `next` needs and `handoff` lacks.
#[must_use]
pub fn missing(handoff: &Handoff, next: &str) -> Vec<Field> {
    let (must, _) = fields(next);
    let there = |field: &Field| match field {
        Field::List => handoff.head.list.is_some(),
        Field::Tests => !handoff.head.tests.is_empty(),
        Field::Code => !handoff.head.code.is_empty(),
        Field::Check => handoff.head.check.is_some(),
        Field::Next => handoff.open().next().is_some(),
    };
    must.iter().filter(|field| !there(field)).copied().collect()
}

fn any(patterns: &[Pattern<'_>], path: &str) -> bool {
    patterns.iter().any(|pattern| glob::matches(pattern.glob(), path))
}

#[cfg(test)]
mod tests {
    use super::super::Step;
    use super::*;
    use crate::node::roles::builtin;

    fn passed(next: &str, touched: &[&str], taken: Option<&Head>) -> Head {
        let touched: Vec<String> = touched.iter().map(|path| (*path).to_owned()).collect();
        let mut head = Head { check: Some("run".into()).filter(|_| next == IMPLEMENT), ..Head::default() };
        fill(&mut head, next, &builtin(), &touched, taken);
        head
    }

    #[test]
    fn one_round_passes_each_field_to_whom_it_concerns() {
        let to_test = passed(TEST, &["docs/test-list.md"], None);
        assert_eq!(to_test, Head { list: Some("docs/test-list.md".into()), ..Head::default() });
        let to_implement = passed(IMPLEMENT, &["tests/a.rs"], Some(&to_test));
        assert_eq!(
            (to_implement.tests.as_slice(), to_implement.check.as_deref()),
            (&["tests/a.rs".to_owned()][..], Some("run"))
        );
        let to_refactor = passed("refactor", &["src/a.rs"], Some(&to_implement));
        assert_eq!(to_refactor.code, ["src/a.rs"]);
        assert_eq!((&to_refactor.tests, to_refactor.check.as_deref()), (&to_implement.tests, Some("run")));
        // The next round starts with the list alone: no test, no code, no command of the last one.
        let to_list = passed("test-list", &["src/a.rs", "tests/a.rs"], Some(&to_refactor));
        assert_eq!(to_list, Head { list: Some("docs/test-list.md".into()), ..Head::default() });
    }

    #[test]
    fn what_a_role_needs_has_to_be_there() {
        let mut handoff = Handoff::default();
        assert_eq!(missing(&handoff, TEST), [Field::List, Field::Next]);
        handoff.next.push(Step { done: true, text: "x".into() });
        handoff.head.list = Some("l".into());
        assert_eq!(missing(&handoff, TEST), [Field::Next]);
        assert_eq!(missing(&handoff, IMPLEMENT), [Field::Tests, Field::Check]);
        assert!(missing(&handoff, "reviewer").is_empty());
    }

    #[test]
    fn every_built_in_role_of_the_chain_has_its_fields() {
        for role in builtin() {
            let in_chain = builtin().iter().any(|other| other.next.as_deref() == Some(&*role.name));
            let (must, may) = fields(&role.name);
            assert_eq!(in_chain, !must.is_empty() || !may.is_empty(), "{}", role.name);
        }
    }
}
