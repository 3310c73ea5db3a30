//! The built-in roles: who may write what besides being inside the domain's scope, and which
//! model a role runs on. This table is the only place that knows them.

use super::registry::{Pattern, Role};
use crate::text::Text;

/// Everything.
const ALL: &[&str] = &["**"];
/// Nothing: the role only reads.
const NONE: &[&str] = &[];
/// The planner's brief and plan files.
const PLANS: &[&str] = &[".claude/mytasks/**"];
/// The list that opens a test-first pipeline.
const TEST_LISTS: &[&str] = &["**/test-list*.md", "**/*.test-list.md"];
/// Tests, as the common tools name them.
const TESTS: &[&str] = &[
    "**/tests/**",
    "**/test/**",
    "**/__tests__/**",
    "**/*_test.*",
    "**/*.test.*",
    "**/*.spec.*",
    "**/test_*.py",
];

/// The role whose scope another role must keep out of, unless the node says otherwise.
pub const TEST: &str = "test";
/// The role that writes everything but what [`TEST`] writes.
pub const IMPLEMENT: &str = "implement";

/// The model classes, each with the Claude Code model alias that it stands for.
pub const MODELS: [(&str, &str); 3] = [("reasoning", "opus"), ("smart", "sonnet"), ("fast", "haiku")];

/// The Claude Code model alias for `model`, a class or already an alias.
#[must_use]
pub fn model_alias(model: &str) -> &str {
    MODELS.iter().find(|(class, _)| *class == model).map_or(model, |(_, alias)| alias)
}

/// The built-in roles, which `roles:` in `comm-node.yaml` overrides field by field.
#[must_use]
pub fn builtin() -> Vec<Role<'static>> {
    [
        role("planner", PLANS, NONE, "", "reasoning"),
        role("auditor", NONE, NONE, "", "reasoning"),
        role("finder", NONE, NONE, "", "fast"),
        role("researcher", NONE, NONE, "", "fast"),
        role("builder-fast", ALL, NONE, "", "fast"),
        role("builder-smart", ALL, NONE, "", "smart"),
        role("reviewer", ALL, NONE, "", "smart"),
        role("tester", NONE, NONE, "", "fast"),
        role("integration", ALL, NONE, "", "smart"),
        role("coordinator", ALL, NONE, "", "smart"),
        role("test-list", TEST_LISTS, NONE, TEST, ""),
        role(TEST, TESTS, NONE, IMPLEMENT, ""),
        role(IMPLEMENT, ALL, TESTS, "refactor", ""),
        role("refactor", ALL, NONE, "test-list", ""),
    ]
    .into()
}

/// One row of the table; an empty `next` or `model` stands for none.
fn role(
    name: &'static str,
    scope: &[&'static str],
    exclude: &[&'static str],
    next: &'static str,
    model: &'static str,
) -> Role<'static> {
    let patterns = |globs: &[&'static str]| globs.iter().map(|g| Pattern(Text::from(*g), 0)).collect();
    let set = |text: &'static str| (!text.is_empty()).then(|| Text::from(text));
    Role {
        name: name.into(),
        scope: patterns(scope),
        exclude: patterns(exclude),
        next: set(next),
        model: set(model),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_next_is_a_role_and_names_are_unique() {
        let roles = builtin();
        for role in &roles {
            assert_eq!(roles.iter().filter(|r| r.name == role.name).count(), 1, "{}", role.name);
            if let Some(next) = &role.next {
                assert!(roles.iter().any(|r| r.name == *next), "{next}");
            }
        }
    }

    #[test]
    fn test_and_implement_share_no_file() {
        let roles = builtin();
        let find = |name: &str| roles.iter().find(|r| r.name.as_str() == name).expect("built in");
        assert_eq!(find(TEST).scope, find(IMPLEMENT).exclude);
    }

    #[test]
    fn classes_become_aliases_and_aliases_stay() {
        assert_eq!(model_alias("fast"), "haiku");
        assert_eq!(model_alias("opus"), "opus");
    }
}
