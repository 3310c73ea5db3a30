//! What others hold of a domain's scope, for those who begin to work in it.

use super::{Holder, Kind, Lease, ending};
use crate::clock::Now;
use crate::glob;
use crate::node::registry::{Domain, Pattern, Registry};
use crate::process::Liveness;
use crate::session::SessionId;

/// Those of `leases` that still count: what stands in somebody's way.
#[must_use]
pub fn counting(leases: Vec<Lease>, now: Now, liveness: &dyn Fn(&Holder) -> Liveness) -> Vec<Lease> {
    // A session has many leases and one life.
    let mut known: Vec<(Option<SessionId>, Liveness)> = Vec::new();
    let counts = |lease: &Lease| {
        let session = &lease.holder.session;
        let life = match known.iter().find(|(s, _)| s == session) {
            Some((_, life)) => *life,
            None => {
                let life = liveness(&lease.holder);
                known.push((session.clone(), life));
                life
            }
        };
        ending(lease, now, life).is_none()
    };
    leases.into_iter().filter(counts).collect()
}

/// True if `lease` is on something that `domain` may write and another session than `own`, or a
/// person, holds it.
#[must_use]
pub fn is_foreign(lease: &Lease, own: &SessionId, registry: &Registry<'_>, domain: &Domain<'_>) -> bool {
    let tree = match domain.tree {
        0 => "",
        tree => registry.trees.get(tree).map_or("", |t| t.as_str()),
    };
    if lease.holder.session.as_ref() == Some(own) || lease.tree != tree {
        return false;
    }
    let any = |patterns: &[Pattern<'_>]| patterns.iter().any(|p| glob::matches(p.glob(), &lease.path));
    match lease.kind {
        Kind::Automatic => any(&domain.scope) && !any(&domain.exclude),
        Kind::Explicit => {
            let not: Vec<&str> = domain.exclude.iter().map(Pattern::glob).collect();
            domain.scope.iter().any(|p| glob::overlap_excluding(p.glob(), &lease.path, &not).is_some())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn lease(session: &str, kind: &str, tree: &str, path: &str) -> Lease {
        let text = format!(
            r#"{{"path":"{path}","fencing":1,"tree":"{tree}","kind":"{kind}","session":"{session}","ttl_s":1800,
            "since":"2026-01-01T00:00:00Z","until":"2026-01-01T00:30:00Z"}}"#
        );
        serde_json::from_str(&text).expect("a lease")
    }

    #[test]
    fn of_others_in_the_scope() {
        let text = r#"{"version":1,"source":{"size":0,"mtime_ns":0,"ctime_ns":0,"ino":0},"name":"n",
            "trees":["/n","/other"],"domains":[
            {"name":"api","scope":[["api/**",1]],"exclude":[["api/gen/**",2]]},
            {"name":"far","tree":1,"scope":[["api/**",1]]}]}"#;
        let registry = Registry::parse(text).expect("valid");
        let own = SessionId::new("own").expect("valid");
        for (session, kind, tree, path, api, far) in [
            ("other", "automatic", "", "api/a", true, false),
            ("own", "automatic", "", "api/a", false, false),
            ("other", "automatic", "", "web/a", false, false),
            ("other", "automatic", "", "api/gen/a", false, false),
            ("other", "automatic", "/other", "api/gen/a", false, true),
            ("other", "explicit", "", "**/a", true, false),
            ("other", "explicit", "", "web/**", false, false),
            ("other", "explicit", "", "api/gen/*.rs", false, false),
            ("other", "explicit", "/other", "**", false, true),
        ] {
            let lease = lease(session, kind, tree, path);
            let of = |i: usize| is_foreign(&lease, &own, &registry, &registry.domains[i]);
            assert_eq!((of(0), of(1)), (api, far), "{lease:?}");
        }
    }

    #[test]
    fn the_dead_hold_nothing_and_are_looked_at_once() {
        let leases = ["dead", "alive", "dead", "alive"].map(|s| lease(s, "automatic", "", "a")).to_vec();
        let looks = Cell::new(0);
        let life = |h: &Holder| {
            looks.set(looks.get() + 1);
            let dead = h.session.as_ref().is_some_and(|s| s.as_str() == "dead");
            if dead { Liveness::Dead } else { Liveness::Alive }
        };
        let now = Now { wall_ms: u64::MAX, up_ms: None };
        let left = counting(leases, now, &life);
        assert_eq!(left.len(), 2);
        assert!(left.iter().all(|l| l.holder.session.as_ref().is_some_and(|s| s.as_str() == "alive")));
        assert_eq!(looks.get(), 2);
    }
}
