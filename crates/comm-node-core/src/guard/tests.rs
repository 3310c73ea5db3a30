//! The decision, table by table: no file system, no clock, no environment.

use std::path::PathBuf;

use super::*;
use crate::node::registry::{Policy, Roles, SourceId, VERSION};
use crate::text::Text;

fn patterns(globs: &[&'static str]) -> Vec<Pattern<'static>> {
    (10..).zip(globs).map(|(line, glob)| Pattern(Text::from(*glob), line)).collect()
}

fn domain(name: &'static str, scope: &[&'static str], exclude: &[&'static str]) -> Domain<'static> {
    Domain {
        name: name.into(),
        description: "".into(),
        mode: Mode::Enforce,
        tree: 0,
        scope: patterns(scope),
        exclude: patterns(exclude),
        home: vec![],
        max_sessions: 1,
        role: None,
        exports: vec![],
        imports: vec![],
        budget: None,
        other: Default::default(),
    }
}

fn registry() -> Registry<'static> {
    Registry {
        version: VERSION,
        part: None,
        source: SourceId::default(),
        fault: None,
        name: "shop".into(),
        fold_case: false,
        trees: vec!["/n".into(), "/other".into()],
        policy: Policy::default(),
        budget: None,
        protected: patterns(&[".env*", "**/secrets/**"]),
        mcp_writes: vec![],
        shell: vec![],
        prices: vec![],
        roles: Roles::List(vec![
            role("finder", &[], &[]),
            role("planner", &[".claude/mytasks/**"], &[]),
            role("test", &["**/tests/**"], &[]),
            role("implement", &["**"], &["**/tests/**"]),
        ]),
        domains: vec![
            domain("backend", &["services/api/**"], &["services/api/generated/**"]),
            domain("frontend", &["apps/web/**"], &[]),
            Domain { tree: 1, ..domain("far", &["src/**"], &[]) },
        ],
    }
}

fn role(name: &'static str, scope: &[&'static str], exclude: &[&'static str]) -> Role<'static> {
    Role { name: name.into(), scope: patterns(scope), exclude: patterns(exclude), next: None, model: None }
}

fn inside(tree: usize, key: &str) -> Place {
    let root = ["/n", "/other"][tree];
    Place::Inside { tree, key: key.into(), real: PathBuf::from(root).join(key) }
}

/// Outcome and rule for `place` written by a session of `who` (`""` is unbound) acting as `role`.
fn ask(registry: &Registry<'_>, who: &str, role: &str, place: &Place) -> (Outcome, &'static str) {
    let binding = registry.domain(who).map_or(Binding::None, Binding::Domain);
    let roles = roles(registry, binding, [None; 2], Some(role)).expect("readable");
    let outposts = Outposts { claude_dir: Some("/home/u/.claude".into()), ..Outposts::default() };
    let decision = decide(&Question {
        registry,
        binding,
        roles: &roles,
        paused: None,
        place,
        named: place,
        through_link: false,
        outposts: &outposts,
    });
    (decision.outcome, decision.reason.rule())
}

#[test]
fn scopes() {
    let r = registry();
    for (who, tree, key, expected) in [
        ("backend", 0, "services/api/a.rs", (Outcome::Allow, "in scope")),
        ("backend", 0, "services/api/generated/a.rs", (Outcome::Deny, "exclude")),
        ("backend", 0, "apps/web/a.ts", (Outcome::Deny, "scope")),
        ("backend", 0, "README.md", (Outcome::Deny, "unowned")),
        ("backend", 1, "services/api/a.rs", (Outcome::Deny, "unowned")),
        ("backend", 1, "src/a.rs", (Outcome::Deny, "scope")),
        ("far", 1, "src/a.rs", (Outcome::Allow, "in scope")),
        ("far", 0, "src/a.rs", (Outcome::Deny, "unowned")),
        ("backend", 0, ".claude/mytasks/todo.md", (Outcome::Allow, "working files")),
        ("", 0, "apps/web/a.ts", (Outcome::Warn, "unbound")),
    ] {
        assert_eq!(ask(&r, who, "", &inside(tree, key)), expected, "{who} {tree} {key}");
    }
}

#[test]
fn protection_beats_scope_and_binding() {
    let mut r = registry();
    r.domains[0].scope = patterns(&["**"]);
    for who in ["backend", ""] {
        for key in [
            "comm-node.yaml",
            ".comm-node/paused",
            ".git/config",
            ".claude/settings.json",
            ".env",
            "a/secrets/k",
        ] {
            assert_eq!(ask(&r, who, "", &inside(0, key)), (Outcome::Deny, "protected"), "{who} {key}");
        }
    }
    for real in ["/home/u/.claude/settings.json", "/home/u/.claude/comm-node/bin/x", "/home/u/.claude.json"] {
        let place = Place::Outside { real: real.into() };
        assert_eq!(ask(&r, "backend", "", &place), (Outcome::Deny, "protected"), "{real}");
    }
    let memory = Place::Outside { real: "/home/u/.claude/projects/p/memory/m.md".into() };
    assert_eq!(ask(&r, "backend", "", &memory), (Outcome::Allow, "outside"));
}

#[test]
fn roles_narrow_the_scope_and_never_widen_it() {
    let r = registry();
    for (role, key, expected) in [
        ("finder", "services/api/a.rs", (Outcome::Deny, "role")),
        ("comm-node:finder", "services/api/a.rs", (Outcome::Deny, "role")),
        ("unknown", "services/api/a.rs", (Outcome::Allow, "in scope")),
        ("test", "services/api/tests/a.rs", (Outcome::Allow, "in scope")),
        ("test", "services/api/a.rs", (Outcome::Deny, "role")),
        ("test", "apps/web/tests/a.ts", (Outcome::Deny, "scope")),
        ("implement", "services/api/tests/a.rs", (Outcome::Deny, "role")),
        ("implement", "services/api/a.rs", (Outcome::Allow, "in scope")),
        ("planner", ".claude/mytasks/todo.md", (Outcome::Allow, "working files")),
        ("planner", "services/api/a.rs", (Outcome::Deny, "role")),
    ] {
        assert_eq!(ask(&r, "backend", role, &inside(0, key)), expected, "{role} {key}");
    }
    let outside = Place::Outside { real: "/tmp/x".into() };
    assert_eq!(ask(&r, "backend", "finder", &outside), (Outcome::Deny, "role"));
}

#[test]
fn a_subagent_keeps_the_role_of_its_session() {
    let mut r = registry();
    r.domains[0].role = Some("test".into());
    let tests = inside(0, "services/api/tests/a.rs");
    let code = inside(0, "services/api/a.rs");
    assert_eq!(ask(&r, "backend", "", &tests).0, Outcome::Allow);
    for role in ["", "unknown", "implement", "test"] {
        assert_eq!(ask(&r, "backend", role, &code), (Outcome::Deny, "role"), "{role}");
    }
    assert_eq!(ask(&r, "backend", "implement", &tests), (Outcome::Deny, "role"));
    let names = |list: Result<Vec<Role<'_>>, String>| {
        list.expect("readable").iter().map(|r| r.name.to_string()).collect::<Vec<_>>()
    };
    let binding = Binding::Domain(&r.domains[0]);
    assert_eq!(names(roles(&r, binding, [None, Some("finder")], Some("finder"))), ["test", "finder"]);
    assert_eq!(names(roles(&r, Binding::None, [Some("finder"), None], None)), ["finder"]);
}

#[test]
fn roles_that_can_not_be_read_are_an_error_and_not_none() {
    let text = registry().to_text().replace(r#""name":"finder""#, r#""nome":"finder""#);
    let body = text.rfind(",\"sum\":").map_or("", |at| &text[..at]);
    let text = crate::node::excerpt::sealed(body);
    let r = Registry::parse(&text).expect("the rest is whole");
    let binding = r.domain("backend").map_or(Binding::None, Binding::Domain);
    assert!(roles(&r, binding, [None; 2], None).is_ok_and(|none| none.is_empty()));
    assert!(roles(&r, binding, [None; 2], Some("planner")).expect_err("damaged").contains("roles"));
}

#[test]
fn policies() {
    let mut r = registry();
    for (rule, outcome) in
        [(Rule::Deny, Outcome::Deny), (Rule::Ask, Outcome::Ask), (Rule::Allow, Outcome::Allow)]
    {
        r.policy.unowned = rule;
        r.policy.outside = rule;
        assert_eq!(ask(&r, "backend", "", &inside(0, "x")), (outcome, "unowned"));
        assert_eq!(ask(&r, "backend", "", &Place::Outside { real: "/tmp/x".into() }), (outcome, "outside"));
    }
    for (rule, outcome) in
        [(Unbound::Deny, Outcome::Deny), (Unbound::Warn, Outcome::Warn), (Unbound::Allow, Outcome::Allow)]
    {
        r.policy.unbound = rule;
        assert_eq!(ask(&r, "", "", &inside(0, "x")), (outcome, "unbound"));
    }
}

#[test]
fn modes() {
    let mut r = registry();
    let foreign = inside(0, "apps/web/a.ts");
    r.domains[0].mode = Mode::Warn;
    assert_eq!(ask(&r, "backend", "", &foreign), (Outcome::Warn, "scope"));
    r.domains[0].mode = Mode::Off;
    assert_eq!(ask(&r, "backend", "", &foreign), (Outcome::Allow, "off"));
    // One domain without a guard does not get at the rules of the others.
    let yaml = inside(0, "comm-node.yaml");
    assert_eq!(ask(&r, "backend", "", &yaml), (Outcome::Deny, "protected"));
    assert_eq!(ask(&r, "", "", &yaml), (Outcome::Deny, "protected"));
    assert_eq!(ask(&r, "backend", "", &inside(0, ".env")), (Outcome::Allow, "off"));
    for domain in &mut r.domains {
        domain.mode = Mode::Off;
    }
    assert_eq!(ask(&r, "backend", "", &yaml), (Outcome::Allow, "off"));
    for domain in &mut r.domains {
        domain.mode = Mode::Warn;
    }
    assert_eq!(ask(&r, "backend", "", &yaml), (Outcome::Warn, "protected"));
}

#[test]
fn protected_files_behind_links() {
    let r = registry();
    let real = inside(0, "services/api/node.yaml");
    let named = inside(0, "comm-node.yaml");
    let plain = Outposts::default();
    let linked = Outposts { config: Some(real.real().to_path_buf()), ..Outposts::default() };
    let rule = |place: &Place, named: &Place, outposts: &Outposts| {
        let binding = Binding::Domain(&r.domains[0]);
        let base = Question {
            registry: &r,
            binding,
            roles: &[],
            paused: None,
            place,
            named,
            through_link: false,
            outposts,
        };
        decide(&base).reason.rule()
    };
    assert_eq!(rule(&real, &real, &plain), "in scope");
    assert_eq!(rule(&real, &real, &linked), "protected", "by where the link leads");
    assert_eq!(rule(&real, &named, &plain), "protected", "by the link's own name");
}

#[test]
fn a_lease_is_news_to_a_session_that_no_scope_binds() {
    let mut r = registry();
    let place = inside(0, "x");
    let outposts = Outposts::default();
    let q = |r: &'static Registry<'static>, place: &'static Place, outposts: &'static Outposts| {
        let base = Question {
            registry: r,
            binding: Binding::None,
            roles: &[],
            paused: None,
            place,
            named: place,
            through_link: false,
            outposts,
        };
        leased(&base, "held".into()).outcome
    };
    let (place, outposts): (&'static Place, &'static _) =
        (Box::leak(Box::new(place)), Box::leak(Box::new(outposts)));
    assert_eq!(q(Box::leak(Box::new(r.clone())), place, outposts), Outcome::Warn);
    r.policy.unbound = Unbound::Deny;
    assert_eq!(q(Box::leak(Box::new(r)), place, outposts), Outcome::Deny);
}

#[test]
fn pause_waiting_gone_and_links_out() {
    let r = registry();
    let pause = Pause { version: 1, since: "2026-04-07T14:30:00.000Z".into(), reason: "demo".into() };
    let mine = inside(0, "services/api/a.rs");
    let out = Place::Outside { real: "/tmp/x".into() };
    let outposts = Outposts::default();
    let base = Question {
        registry: &r,
        binding: Binding::Domain(&r.domains[0]),
        roles: &[],
        paused: None,
        place: &mine,
        named: &mine,
        through_link: false,
        outposts: &outposts,
    };
    let rule = |q: &Question<'_>| {
        let d = decide(q);
        (d.outcome, d.reason.rule())
    };
    assert_eq!(rule(&base), (Outcome::Allow, "in scope"));
    assert_eq!(rule(&Question { paused: Some(&pause), ..base }), (Outcome::Deny, "paused"));
    assert_eq!(
        rule(&Question { binding: Binding::Waiting(&r.domains[0]), ..base }),
        (Outcome::Deny, "waiting")
    );
    assert_eq!(rule(&Question { binding: Binding::Gone("old"), ..base }), (Outcome::Deny, "gone"));
    assert_eq!(rule(&Question { place: &out, through_link: true, ..base }), (Outcome::Deny, "link"));
    let text =
        refusal(&decide(&Question { paused: Some(&pause), ..base }), &r, "services/api/a.rs", Act::Edit);
    assert!(text.contains("since 2026-04-07T14:30:00.000Z (reason: demo)"), "{text}");
}

#[test]
fn a_refusal_names_rule_owner_place_and_way_out() {
    let r = registry();
    let place = inside(0, "apps/web/a.ts");
    let outposts = Outposts::default();
    let decision = decide(&Question {
        registry: &r,
        binding: Binding::Domain(&r.domains[0]),
        roles: &[],
        paused: None,
        place: &place,
        named: &place,
        through_link: true,
        outposts: &outposts,
    });
    assert_eq!(
        refusal(&decision, &r, "apps/web/a.ts", Act::Edit),
        "comm-node refused the write to `apps/web/a.ts`: it belongs to domain frontend (scope `apps/web/**`, \
         comm-node.yaml:10); this session works for domain backend, which may write `services/api/**` except \
         `services/api/generated/**`. Leave the change to domain frontend: tell the user what it should be. \
         `comm-node why 'apps/web/a.ts'` explains the rule. Writing it by another tool or command is against \
         the same rule."
    );
    let hostile = refusal(&decision, &r, "a\n\u{1b}[2J'; rm -rf ~; '", Act::Edit);
    assert!(!hostile.contains('\n') && !hostile.contains('\u{1b}'), "{hostile}");
    assert!(!hostile.contains("why '"), "no command is offered that a quote could break: {hostile}");
    let of = |by| refusal(&decision, &r, "apps/web/a.ts", Act::Command(by));
    let sed = of("sed -i s/a/b/ apps/web/a.ts");
    assert!(
        sed.starts_with(
            "comm-node refused this command: `sed -i s/a/b/ apps/web/a.ts` would write `apps/web/a.ts`: it belongs \
             to domain frontend"
        ),
        "{sed}"
    );
    assert!(
        of("echo `date`\n>x").starts_with("comm-node refused this command: it would write `apps/web/a.ts`:")
    );
    assert!(!of("a\u{1b}[2J\nb").contains('\n'));
}

#[test]
fn messages_may_be_dropped_and_nothing_else_of_the_state_is_written() {
    let r = registry();
    let dropped = inside(0, ".comm-node/outbox/note.md");
    assert_eq!(ask(&r, "backend", "", &dropped), (Outcome::Allow, "working files"));
    assert_eq!(ask(&r, "far", "", &dropped), (Outcome::Allow, "working files"));
    assert_eq!(ask(&r, "", "", &dropped), (Outcome::Warn, "unbound"));
    assert_eq!(ask(&r, "backend", "finder", &dropped), (Outcome::Deny, "role"));
    for key in [
        ".comm-node/outbox/note.txt",
        ".comm-node/outbox/.note.md",
        ".comm-node/outbox/a/note.md",
        ".comm-node/outbox/rejected/note.md",
        ".comm-node/outbox",
        ".comm-node/outbox.md",
        ".comm-node/note.md",
        ".comm-node/mail/frontend/new/note.md",
        "services/api/.comm-node/outbox/note.md",
    ] {
        assert_eq!(ask(&r, "backend", "", &inside(0, key)), (Outcome::Deny, "protected"), "{key}");
    }
    // In another tree, and in a linked worktree, it is not the node's drop box.
    assert_eq!(ask(&r, "far", "", &inside(1, ".comm-node/outbox/note.md")), (Outcome::Deny, "protected"));
    let real = PathBuf::from("/worktree/.comm-node/outbox/note.md");
    let elsewhere = Place::Inside { tree: 0, key: ".comm-node/outbox/note.md".into(), real };
    assert_eq!(ask(&r, "backend", "", &elsewhere), (Outcome::Deny, "protected"));
}
