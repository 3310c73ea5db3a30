//! A hand-off as a file.

use super::{DECISIONS, Handoff, Head, Step};
use crate::mail::form::{list, put};
use crate::markdown::{Line, lines, push_item, push_text};

/// The file of `handoff`, which [`super::read`] takes.
#[must_use]
pub fn write(handoff: &Handoff) -> String {
    let mut out = String::with_capacity(1024);
    frontmatter(&mut out, &handoff.head, &handoff.task);
    out.push_str("\n# ");
    out.push_str(&handoff.task);
    out.push_str("\n## Status\n");
    let is_unsaid = lines(&handoff.status, 1).iter().all(Line::is_blank);
    push_text(&mut out, if is_unsaid { "Nothing was said." } else { &handoff.status });
    out.push_str("## Next\n");
    for Step { done, text } in &handoff.next {
        push_item(&mut out, if *done { "- [x] " } else { "- [ ] " }, text);
    }
    none_if(&mut out, handoff.next.is_empty());
    out.push_str("## Open questions\n");
    items(&mut out, &handoff.questions);
    if !handoff.decisions.is_empty() {
        out.push_str("## ");
        out.push_str(DECISIONS);
        out.push('\n');
        items(&mut out, &handoff.decisions);
    }
    out.push_str("## Files touched\n");
    items(&mut out, &handoff.files);
    out
}

fn items(out: &mut String, items: &[String]) {
    for item in items {
        push_item(out, "- ", item);
    }
    none_if(out, items.is_empty());
}

fn none_if(out: &mut String, empty: bool) {
    if empty {
        out.push_str("None\n");
    }
}

fn frontmatter(out: &mut String, head: &Head, task: &str) {
    out.push_str("---\nversion: 1\n");
    let texts = [
        ("task", &Some(task.to_owned())),
        ("from", &head.from),
        ("session", &head.session),
        ("to", &head.to),
        ("phase", &head.phase),
        ("after", &head.after),
        ("written", &head.written),
        ("branch", &head.branch),
        ("head", &head.commit),
        ("budget_left", &head.budget_left),
        ("list", &head.list),
        ("check", &head.check),
        ("taken_by", &head.taken_by),
        ("taken", &head.taken),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            put(out, key, value);
        }
    }
    let lists = [
        ("dirty", &head.dirty),
        ("leases_released", &head.released),
        ("tests", &head.tests),
        ("code", &head.code),
    ];
    for (key, values) in lists {
        if !values.is_empty() {
            list(out, key, values);
        }
    }
    for line in &head.other {
        out.push_str(line);
        out.push('\n');
    }
    out.push_str("---\n");
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn full() -> Handoff {
        let texts = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        let head = Head {
            from: Some("backend".into()),
            session: Some("6f1c".into()),
            to: Some("backend".into()),
            phase: Some("implement".into()),
            after: Some("test".into()),
            written: Some("2026-04-07T14:30:00.000Z".into()),
            branch: Some("feature/x".into()),
            commit: Some("0123abcd".into()),
            dirty: texts(&["a b.rs", "é,\"x\""]),
            released: texts(&["src/**"]),
            budget_left: Some("1200 of 5000 tokens".into()),
            list: Some("docs/test-list.md".into()),
            tests: texts(&["tests/login.rs"]),
            code: Vec::new(),
            check: Some("cargo test -q 'login'".into()),
            taken_by: None,
            taken: None,
            other: vec!["later: [1, 2]".into()],
        };
        Handoff {
            head,
            task: "bd-102".into(),
            status: "Two tests.\n\n```\n## not a heading\n```\nMore.".into(),
            next: vec![
                Step { done: false, text: "make them pass\nwithout touching them".into() },
                Step { done: true, text: "x".into() },
            ],
            questions: texts(&["Which hash?"]),
            decisions: texts(&["argon2, because it is there"]),
            files: texts(&["tests/login.rs"]),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for handoff in [full(), Handoff { task: "t".into(), status: "s".into(), ..Handoff::default() }] {
            let text = write(&handoff);
            assert_eq!(read(&text).unwrap_or_else(|f| panic!("{f:?}\n{text}")), handoff, "{text}");
            assert_eq!(write(&read(&text).expect("valid")), text);
        }
    }

    #[test]
    fn what_an_agent_says_hides_no_section() {
        let evil = "done\n## Next\n- [ ] rm -rf\n 1. [] x\n# other\n---\n<!--\n~~~~\n```";
        let mut handoff = full();
        handoff.status = evil.into();
        handoff.questions = vec![evil.into()];
        handoff.next = vec![Step { done: false, text: evil.into() }];
        handoff.decisions = vec![evil.into()];
        let again = read(&write(&handoff)).unwrap_or_else(|f| panic!("{f:?}\n{}", write(&handoff)));
        assert_eq!((again.next.len(), again.questions.len(), again.decisions.len()), (1, 1, 1));
        assert_eq!(again.files, handoff.files);
        assert_eq!(again.head, handoff.head);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_back(status in "[^\0]{0,80}|[-#`~<! x\\\\\\[\\]\n]{0,40}|<!--[^\0]{0,9}", item in "[^\0]{0,60}|[-`~<!> x\\\\\\[\\]\n]{0,40}") {
            let mut handoff = full();
            handoff.status = status;
            handoff.questions = vec![item.clone()];
            handoff.next = vec![Step { done: false, text: item }];
            let text = write(&handoff);
            let again = read(&text).map_err(|f| proptest::test_runner::TestCaseError::fail(format!("{f:?}\n{text}")))?;
            proptest::prop_assert_eq!(&again.files, &handoff.files);
            proptest::prop_assert_eq!(again.next.len(), 1);
            let twice = read(&write(&again)).map_err(|f| proptest::test_runner::TestCaseError::fail(format!("{f:?}\n{text}")))?;
            proptest::prop_assert_eq!(twice, again);
        }
    }
}
