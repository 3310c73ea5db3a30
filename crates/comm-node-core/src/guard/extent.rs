//! What the rules say of a whole directory at once, where its files need not be looked at.

use super::Binding;
use crate::glob;
use crate::node::registry::{Pattern, Registry, Role};

/// The glob of everything below the directory `key`.
#[must_use]
pub fn below(key: &str) -> String {
    if key.is_empty() { "**".to_owned() } else { format!("{}/**", glob::escape(key)) }
}

/// True if the agent may write everything below the directory `key` of `tree`, by the patterns alone:
/// one of the domain's takes it whole, and nothing is left out of it. Built-in protection aside, which
/// holds at any depth.
///
/// False says nothing: what the patterns take together is not put together here.
#[must_use]
pub fn takes_whole(
    registry: &Registry<'_>,
    binding: Binding<'_>,
    roles: &[Role<'_>],
    tree: usize,
    key: &str,
) -> bool {
    let Binding::Domain(domain) = binding else { return false };
    let all = below(key);
    let whole = |patterns: &[Pattern<'_>]| patterns.iter().any(|p| is_above(p.glob(), key));
    let none = |patterns: &[Pattern<'_>]| !patterns.iter().any(|p| glob::overlaps(p.glob(), &all));
    domain.tree == tree
        && whole(&domain.scope)
        && none(&domain.exclude)
        && none(&registry.protected)
        && roles.iter().all(|role| whole(&role.scope) && none(&role.exclude))
}

/// True if the domain's scope reaches below the directory `key` of `tree`.
#[must_use]
pub fn takes_some(binding: Binding<'_>, tree: usize, key: &str) -> bool {
    let Binding::Domain(domain) = binding else { return false };
    let all = below(key);
    domain.tree == tree && domain.scope.iter().any(|p| glob::overlaps(p.glob(), &all))
}

/// True if `pattern` is `**`, or `dir/**` for a `dir` that is `key` or above it.
fn is_above(pattern: &str, key: &str) -> bool {
    if pattern == "**" {
        return true;
    }
    pattern
        .strip_suffix("/**")
        .filter(|dir| glob::is_literal(dir))
        .and_then(|dir| key.strip_prefix(dir))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    fn registry(scope: &str, exclude: &str, protected: &str) -> Registry<'static> {
        let list = |globs: &str| {
            let items: Vec<String> = globs.split_whitespace().map(|g| format!(r#"["{g}",1]"#)).collect();
            format!("[{}]", items.join(","))
        };
        let text = format!(
            r#"{{"version":1,"source":{{"size":0,"mtime_ns":0,"ctime_ns":0,"ino":0}},"name":"n","trees":["/n","/o"],
            "protected":{},"domains":[{{"name":"d","scope":{},"exclude":{}}}]}}"#,
            list(protected),
            list(scope),
            list(exclude)
        );
        Registry::parse(text.leak()).expect("valid")
    }

    #[test]
    fn of_a_directory_as_a_whole() {
        for (scope, exclude, protected, key, whole, some) in [
            ("**", "", "", "", true, true),
            ("**", "", "", "a/b", true, true),
            ("**", "gen/**", "", "", false, true),
            ("**", "gen/**", "", "gen", false, true),
            ("**", "gen/**", "", "api", true, true),
            ("**", "**/*.lock", "", "api", false, true),
            ("**", "", "*.md", "api", true, true),
            ("**", "", "**/*.md", "api", false, true),
            ("api/**", "", "", "api", true, true),
            ("api/**", "", "", "api/x", true, true),
            ("api/**", "", "", "", false, true),
            ("api/**", "", "", "apiary", false, false),
            ("api/**", "", "", "web", false, false),
            ("a*/**", "", "", "api", false, true),
            ("api/*.rs", "", "", "api", false, true),
            ("x api/**", "", "", "api", true, true),
        ] {
            let r = registry(scope, exclude, protected);
            let binding = Binding::Domain(&r.domains[0]);
            let got = (takes_whole(&r, binding, &[], 0, key), takes_some(binding, 0, key));
            assert_eq!(got, (whole, some), "{scope} not {exclude}, {protected}: {key:?}");
            assert!(!takes_whole(&r, binding, &[], 1, key) && !takes_some(binding, 1, key));
        }
    }

    #[test]
    fn a_role_has_to_take_it_too() {
        let r = registry("api/**", "", "");
        let role = |scope: &'static str, exclude: &'static str| {
            let list = |glob: &'static str| vec![Pattern(Text::from(glob), 0)];
            Role { name: "r".into(), scope: list(scope), exclude: list(exclude), next: None, model: None }
        };
        let whole = |role: Role<'_>| takes_whole(&r, Binding::Domain(&r.domains[0]), &[role], 0, "api");
        assert!(whole(role("**", "web/**")));
        assert!(!whole(role("**", "**/tests/**")));
        assert!(!whole(role("**/tests/**", "none")));
        assert!(!takes_whole(&r, Binding::None, &[], 0, "api"));
    }

    #[test]
    fn a_directory_with_special_characters_is_itself() {
        assert_eq!(below("a[1]/b"), r"a\[1\]/b/**");
        assert!(glob::matches(&below("a[1]/b"), "a[1]/b/c"));
        assert!(!glob::matches(&below("a[1]/b"), "a1/b/c"));
    }
}
