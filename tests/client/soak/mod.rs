//! Several real clients at once, for long: they edit the same files, their own and each other's, write to one another, and are
//! killed and go on. At the end no edit is lost, no path had two holders, no message is lost or doubled, and the meter says
//! what was served.
//!
//! The short form is part of the tests; `just soak-clients` is the long one.

use std::time::Duration;

use check::Seen;
use plan::{Planner, Who};
use run::Worker;

use crate::driver::Client;
use crate::meter::metered;
use crate::random::Random;

mod check;
mod plan;
mod run;

/// Of two domains two sessions each want the same files.
const DOMAINS: [&str; 5] = ["a", "a", "b", "b", "c"];

/// A number from the environment, or the short form's.
fn size(name: &str, short: usize) -> usize {
    std::env::var(name).map_or(short, |v| v.parse().unwrap_or_else(|_| panic!("{name} is no number: {v}")))
}

/// `count` clients, as many of them in one domain as there may be.
fn crowd(count: usize) -> Vec<Who> {
    (0..count).map(|number| Who { number, domain: DOMAINS[number % DOMAINS.len()] }).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "what was really tried must be known")]
fn no_edit_and_no_message_is_lost_and_every_token_is_counted() {
    let (clients, calls) = (size("SOAK_CLIENTS", 3), size("SOAK_CALLS", 20));
    // Twice the number, because those that differ in their lowest bit alone choose the same.
    let (kills, seed) = (size("SOAK_KILLS", 1), 2 * size("SOAK_SEED", 1) as u64);
    let crowd = crowd(clients.min(DOMAINS.len()));
    let node = plan::node(&crowd, "enforce");
    let mut random = Random::case(seed, 99);
    let mut workers = Vec::new();
    for who in &crowd {
        let Some(client) = Client::guarded() else { return };
        // The short form kills one of them, the long one all, again and again.
        let kills = if kills >= crowd.len() { kills / crowd.len() } else { usize::from(who.number < kills) };
        let steps = Planner::plan(seed, &node, who, &crowd, calls);
        workers.push(Worker::new(client, who.clone(), steps, kills, &mut random));
    }
    let patience = Duration::from_secs(60 + 3 * calls as u64);
    run::run(&node, &mut workers, seed, patience);
    let mut seen: Seen = run::seen(&node, &workers);
    seen.metered = metered(&workers[0].client, &node, "domain");
    println!("seed {}: {}", seed / 2, seen.summary());
    let wrong = seen.wrong();
    if !wrong.is_empty() {
        let kept = node.keep();
        panic!("the node is kept at {}; {} wrong:\n{}", kept.display(), wrong.len(), wrong.join("\n"));
    }
    assert!(seen.calls >= calls * crowd.len(), "only {} calls", seen.calls);
}

/// The same where nobody is refused: the checks see the edits that are lost for it, and who held a path together.
#[test]
fn without_the_guard_edits_are_lost() {
    let crowd = crowd(2);
    let node = plan::node(&crowd, "off");
    let mut workers = Vec::new();
    for who in &crowd {
        let Some(client) = Client::guarded() else { return };
        let steps = run::reader_and_writer(&plan::file("a", 0), who.number, 8);
        workers.push(Worker::new(client, who.clone(), steps, 0, &mut Random(1)));
    }
    run::run(&node, &mut workers, 1, Duration::from_secs(60));
    let seen = run::seen(&node, &workers);
    assert!(seen.edits().iter().any(|w| w.contains("is lost")), "{:?}", seen.traces);
    assert!(!seen.holders().is_empty(), "{:?}", seen.spans);
}
