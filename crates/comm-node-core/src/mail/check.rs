//! What a draft may say.

use super::{Draft, HUMAN, Kind};
use crate::text;

/// True if `text` can be a domain's name, and so a directory's.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !text.is_empty() && text.len() <= 100 && !text.starts_with('-') && text.bytes().all(good)
}

/// Where a task's or a file's name ends in a signal, and what it therefore can't contain.
#[must_use]
pub fn is_word(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.len() <= max
        && !text.contains(['→', '📄', '[', ']', '`', ',', '<', '>'])
        && !text.chars().any(|c| c.is_whitespace() || text::is_hidden(c))
}

/// The largest body that is looked at, in bytes; the tiers allow far less.
pub const MAX_BODY: usize = 16 << 10;
/// Characters of a task's name.
const MAX_TASK: usize = 80;
/// Characters of an artifact's path.
const MAX_ARTIFACT: usize = 200;
/// Artifacts of one message.
const MAX_ARTIFACTS: usize = 10;

/// What is wrong with a draft apart from its recipients and its size, as *what; what to do*.
#[must_use]
pub fn fault(draft: &Draft) -> Option<String> {
    let shown = |raw: &str| text::one_line(raw, 60).into_owned();
    if draft.body.len() > MAX_BODY {
        let (len, max) = (draft.body.len(), MAX_BODY);
        return Some(format!(
            "the body has {len} bytes, more than {max}; publish a file and point to it with --artifact"
        ));
    }
    if draft.body.contains('\0') {
        return Some("the body contains a NUL byte; send text".to_owned());
    }
    if draft.body.trim().is_empty() {
        return Some("the message has no body; say something, as an argument or on stdin".to_owned());
    }
    if let Some(task) = &draft.task
        && !is_word(task, MAX_TASK)
    {
        return Some(format!("`{}` is no task's name; write one word such as bd-102", shown(task)));
    }
    if draft.artifacts.len() > MAX_ARTIFACTS {
        return Some(format!("it names {} artifacts; {MAX_ARTIFACTS} at most", draft.artifacts.len()));
    }
    let climbs = |path: &str| path.starts_with('/') || path.split(['/', '\\']).any(|part| part == "..");
    if let Some(path) = draft.artifacts.iter().find(|path| !is_word(path, MAX_ARTIFACT) || climbs(path)) {
        let path = shown(path);
        return Some(format!(
            "`{path}` is no artifact's path; write it below artifacts/, such as backend/api.yaml"
        ));
    }
    if draft.kind == Kind::BudgetRequest && draft.token_budget.is_none() {
        return Some(
            "it does not say how many tokens are needed; add --token-budget (`token_budget:` in a file)"
                .to_owned(),
        );
    }
    if draft.token_budget.is_some_and(|n| n == 0 || n > 100_000) {
        return Some("the token budget must be from 1 to 100000".to_owned());
    }
    None
}

/// True for what may be sent although its author has nothing left to spend: what closes work, asks for more, or is
/// said to the person alone.
#[must_use]
pub fn is_spared(draft: &Draft) -> bool {
    let to_person = draft.to.iter().all(|to| to == HUMAN) && !draft.to.is_empty();
    to_person || matches!(draft.kind, Kind::Handoff | Kind::BudgetRequest)
}

#[cfg(test)]
mod tests {
    use super::super::tests::message;
    use super::*;

    #[test]
    fn drafts_are_checked() {
        let good = message("hello").said;
        assert_eq!(fault(&good), None);
        let bad = [
            Draft { body: " \n".into(), ..good.clone() },
            Draft { body: "a\0b".into(), ..good.clone() },
            Draft { body: "x".repeat(MAX_BODY + 1), ..good.clone() },
            Draft { task: Some("two words".into()), ..good.clone() },
            Draft { task: Some("a→b".into()), ..good.clone() },
            Draft { artifacts: vec!["../secrets".into()], ..good.clone() },
            Draft { artifacts: vec!["/etc/passwd".into()], ..good.clone() },
            Draft { artifacts: vec!["a".into(); 11], ..good.clone() },
            Draft { token_budget: Some(0), ..good },
        ];
        for draft in bad {
            assert!(fault(&draft).is_some_and(|why| why.contains(';') || why.contains("must")), "{draft:?}");
        }
    }

    #[test]
    fn what_closes_work_is_always_let_through() {
        let to = |to: &[&str], kind| Draft {
            to: to.iter().map(|s| (*s).to_owned()).collect(),
            kind,
            ..message("x").said
        };
        assert!(is_spared(&to(&["human"], Kind::Question)) && is_spared(&to(&["docs"], Kind::Handoff)));
        assert!(is_spared(&to(&["docs"], Kind::BudgetRequest)));
        assert!(!is_spared(&to(&["human", "docs"], Kind::Answer)) && !is_spared(&to(&[], Kind::Answer)));
    }
}
