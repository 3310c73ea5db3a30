//! Which messages are announced, and when: a decision over values.

use std::collections::BTreeMap;

use comm_node_core::mail::Ulid;
use comm_node_core::store::Item;

/// How long each session of a domain leaves a message to the one that is woken before it.
const TURN_MS: u64 = 15_000;

/// What was announced so far, and what is held back.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// When each message that waits was first looked at, and whether it was announced.
    known: BTreeMap<Ulid, (u64, bool)>,
    holds: bool,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// These are due.
    Announce(Vec<Item>),
    /// One is due in this many milliseconds.
    In(u64),
    /// The end of the turn is waited for.
    Hold,
    /// There is nothing to announce.
    Nothing,
}

impl Plan {
    /// True while the end of a turn is waited for.
    pub(super) fn holds(&self) -> bool {
        self.holds
    }

    /// What to do where `waiting` waits, some of it for a session that is `busy` or not, and `before` others are
    /// woken first.
    pub(super) fn next(
        &mut self,
        waiting: &[Item],
        ours: &dyn Fn(&Item) -> bool,
        busy: bool,
        before: usize,
        now_ms: u64,
    ) -> Next {
        // What is just being told is remembered too: it may come back.
        self.known.retain(|id, _| waiting.iter().any(|item| item.id == *id));
        let items: Vec<&Item> = waiting.iter().filter(|item| ours(item)).collect();
        for item in &items {
            self.known.entry(item.id).or_insert((now_ms, false));
        }
        let grace = TURN_MS.saturating_mul(before as u64);
        let due_in = |item: &Item| match self.known.get(&item.id) {
            Some((since, false)) => Some(since.saturating_add(grace).saturating_sub(now_ms)),
            _ => None,
        };
        let soonest = items.iter().filter_map(|item| due_in(item)).min();
        self.holds = busy && soonest.is_some();
        match soonest {
            None => Next::Nothing,
            Some(_) if busy => Next::Hold,
            Some(0) => {
                let due: Vec<Item> =
                    items.iter().filter(|item| due_in(item) == Some(0)).map(|item| (*item).clone()).collect();
                for item in &due {
                    self.known.insert(item.id, (now_ms, true));
                }
                Next::Announce(due)
            }
            Some(ms) => Next::In(ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use comm_node_core::mail::{Priority, Rank};
    use comm_node_core::session::SessionId;
    use comm_node_core::store::{Place, State};

    use super::*;

    fn item(ms: u64) -> Item {
        let id = Ulid::fresh(ms, None);
        Item { id, rank: Rank::By(Priority::Medium), place: Place::New, state: State::Queued }
    }

    fn look(plan: &mut Plan, waiting: &[Item], busy: bool, before: usize, now_ms: u64) -> Next {
        plan.next(waiting, &|item| !matches!(item.state, State::Offering(_)), busy, before, now_ms)
    }

    #[test]
    fn each_message_is_announced_once() {
        let mut plan = Plan::default();
        let (a, b) = (item(1), item(2));
        assert_eq!(look(&mut plan, &[], false, 0, 10), Next::Nothing);
        assert_eq!(look(&mut plan, std::slice::from_ref(&a), false, 0, 10), Next::Announce(vec![a.clone()]));
        assert_eq!(look(&mut plan, &[a.clone(), b.clone()], false, 0, 11), Next::Announce(vec![b.clone()]));
        assert_eq!(look(&mut plan, &[a.clone(), b], false, 0, 12), Next::Nothing);
        // A hook takes it and tells it, or dies over it.
        let session = SessionId::new("s").expect("an id");
        let taken = Item { state: State::Offering(session), ..a.clone() };
        assert_eq!(look(&mut plan, &[taken], false, 0, 12), Next::Nothing);
        assert_eq!(look(&mut plan, std::slice::from_ref(&a), false, 0, 12), Next::Nothing);
        // It left and came back: the session that had been told has died.
        assert_eq!(look(&mut plan, &[], false, 0, 13), Next::Nothing);
        assert_eq!(look(&mut plan, std::slice::from_ref(&a), false, 0, 14), Next::Announce(vec![a]));
    }

    #[test]
    fn nothing_is_announced_in_a_turn() {
        let mut plan = Plan::default();
        let a = item(1);
        assert_eq!(look(&mut plan, std::slice::from_ref(&a), true, 0, 10), Next::Hold);
        assert!(plan.holds());
        // A hook told it meanwhile.
        assert_eq!(look(&mut plan, &[], true, 0, 11), Next::Nothing);
        assert!(!plan.holds());
        assert_eq!(look(&mut plan, std::slice::from_ref(&a), true, 0, 12), Next::Hold);
        assert_eq!(look(&mut plan, std::slice::from_ref(&a), false, 0, 13), Next::Announce(vec![a]));
        assert!(!plan.holds());
    }

    #[test]
    fn sessions_of_a_domain_are_woken_one_after_the_other() {
        let mut plan = Plan::default();
        let a = item(1);
        assert_eq!(look(&mut plan, std::slice::from_ref(&a), false, 2, 1_000), Next::In(2 * TURN_MS));
        assert_eq!(look(&mut plan, std::slice::from_ref(&a), false, 2, 2_000), Next::In(2 * TURN_MS - 1_000));
        // The one before ended.
        assert_eq!(
            look(&mut plan, std::slice::from_ref(&a), false, 1, 1_000 + TURN_MS),
            Next::Announce(vec![a])
        );
    }
}
