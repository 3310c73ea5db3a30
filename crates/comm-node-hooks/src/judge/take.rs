//! Taking the leases on everything that a call would write, or none.

use std::path::PathBuf;

use comm_node_core::Result;
use comm_node_core::guard::Outcome;
use comm_node_core::node::Place;

use super::{Case, Court, Finding, Sitting};
use crate::lease;

/// More leases than this are not taken beforehand; that nobody else has them is looked at all the same.
pub(crate) const MAX_LEASES: usize = 500;

/// Takes the leases on all `open` cases, or none: what stands in the way, a lease or then a budget of which
/// nothing is left, is added to `findings`. Returns
/// the paths that are held now in the session's own node.
///
/// # Errors
/// When a lease table can't be read or written; the writes must then not happen.
pub(crate) fn take(
    court: &Court<'_>,
    sittings: &[Sitting<'_>],
    open: &[&Case],
    findings: &mut Vec<Finding>,
) -> Result<Vec<PathBuf>> {
    let (call, deadline) = (court.call, court.deadline);
    let mut held: Vec<(usize, Vec<&Place>)> = Vec::new();
    for (node, sitting) in sittings.iter().enumerate() {
        let Some(session) = sitting.session else { continue };
        let mut mine: Vec<&Case> = open.iter().copied().filter(|case| case.node == node).collect();
        if mine.is_empty() {
            continue;
        }
        let spent = sitting.purse(deadline)?;
        // What a budget refuses takes no lease; but that somebody holds it comes first.
        let spent = mine.iter().find_map(|case| {
            let decision = sitting.exhausted(&case.place, spent.as_ref()?)?;
            Some((*case, decision))
        });
        let denied = spent.as_ref().is_some_and(|(_, decision)| decision.outcome == Outcome::Deny);
        let only_look = sitting.visited() || mine.len() > MAX_LEASES || denied;
        let take = if only_look { lease::look } else { lease::take };
        while !mine.is_empty() {
            let places: Vec<&Place> = mine.iter().map(|case| &case.place).collect();
            let Some(conflict) = take(sitting.scene, session, call, &places, deadline)? else { break };
            let at = lease::meant(sitting.scene, &places, &conflict);
            let case = mine.remove(at);
            let decision = sitting.leased(&case.place, &conflict);
            findings.extend(Finding::of(sitting, case, &decision));
            if decision.outcome == Outcome::Deny {
                return give_back(court, sittings, held);
            }
            // Where a lease is only news, the write goes on without one.
        }
        if let Some((case, decision)) = spent {
            findings.extend(Finding::of(sitting, case, &decision));
            if denied {
                return give_back(court, sittings, held);
            }
        }
        if !only_look {
            held.push((node, mine.iter().map(|case| &case.place).collect()));
        }
    }
    let own = held.into_iter().filter(|(node, _)| sittings[*node].home).flat_map(|(_, places)| places);
    Ok(own
        .filter(|place| matches!(place, Place::Inside { .. }))
        .map(|place| place.real().to_path_buf())
        .collect())
}

/// Gives back what was taken for a call that is refused; nothing is held then.
fn give_back(
    court: &Court<'_>,
    sittings: &[Sitting<'_>],
    held: Vec<(usize, Vec<&Place>)>,
) -> Result<Vec<PathBuf>> {
    let call = court.call;
    for (node, places) in held {
        if let Some(session) = sittings[node].session {
            let scene = sittings[node].scene;
            lease::give_back(scene, session, call, &call.tool_use_id, &places, court.deadline)?;
        }
    }
    Ok(Vec::new())
}
