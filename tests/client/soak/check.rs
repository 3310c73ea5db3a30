//! What must be so after the soak, judged from values alone, so that each check can be seen to fail.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::script::Usage;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Refused,
    /// Its client was killed meanwhile, and nobody was told.
    Unknown,
    /// With what no call should end with.
    Odd(String),
}

/// A call that was to leave its mark in a file.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) mark: String,
    pub(crate) path: String,
    /// Whether its domain may write there.
    pub(crate) own: bool,
    pub(crate) outcome: Outcome,
}

/// A client's lease on a path, from after the grant to before it was given back or lost.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) client: usize,
    pub(crate) path: String,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

/// A call that was to send a message.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) mark: String,
    pub(crate) from: String,
    /// Whether it wants an answer, and so is open until it gets one.
    pub(crate) open: bool,
    pub(crate) outcome: Outcome,
}

/// A message in the requests of a client's model.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) client: usize,
    pub(crate) domain: String,
    pub(crate) mark: String,
    /// The most that it stood in one request.
    pub(crate) most: u64,
    /// It came with the last request before a kill, so that nobody knows whether it was used.
    pub(crate) unused: bool,
    /// When the first request with it came.
    pub(crate) at: Instant,
    /// If that was the first one of a run of the client, when the run began.
    pub(crate) start: Option<Instant>,
}

/// All that was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) calls: usize,
    pub(crate) kills: usize,
    pub(crate) took: Duration,
    pub(crate) traces: Vec<Trace>,
    /// The text of every file at the end.
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) spans: Vec<Span>,
    pub(crate) sent: Vec<Sent>,
    /// The marks of what each domain sent, as `comm-node sent` lists it.
    pub(crate) listed: BTreeMap<String, Vec<String>>,
    pub(crate) told: Vec<Told>,
    /// Of each response: the domain, the client, what was served, and what the client wrote down of it.
    pub(crate) served: Vec<(String, usize, Usage, Option<Usage>)>,
    /// What `comm-node usage` says, and of how many responses.
    pub(crate) metered: BTreeMap<String, (Usage, u64)>,
    /// When each client lived for certain, and whether that ended with a kill.
    pub(crate) lives: BTreeMap<usize, Vec<(Instant, Instant, bool)>>,
    /// How often each client was killed.
    pub(crate) killed: BTreeMap<usize, usize>,
}

impl Seen {
    /// Everything that is wrong.
    pub(crate) fn wrong(&self) -> Vec<String> {
        [self.edits(), self.holders(), self.messages(), self.tokens()].concat()
    }

    /// Every edit that was let through is in its file, once; no other one is in any.
    pub(crate) fn edits(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for trace in &self.traces {
            let (mark, path) = (&trace.mark, &trace.path);
            let there = self.files.get(path).map_or(0, |text| text.matches(mark.as_str()).count());
            let anywhere: usize = self.files.values().map(|text| text.matches(mark.as_str()).count()).sum();
            match (&trace.outcome, there) {
                (Outcome::Odd(text), _) => wrong.push(format!("{mark} in {path} ended oddly: {text}")),
                (Outcome::Done, _) if !trace.own => wrong.push(format!("{mark} was let through in {path}")),
                (Outcome::Done, 0) => wrong.push(format!("{mark} was let through and is lost from {path}")),
                (Outcome::Refused, 1..) => wrong.push(format!("{mark} was refused and is in {path}")),
                (Outcome::Unknown, 1..) if !trace.own => wrong.push(format!("{mark} got into {path}")),
                (_, 2..) => wrong.push(format!("{mark} is in {path} {there} times")),
                _ => {}
            }
            if anywhere > there {
                wrong.push(format!("{mark} is elsewhere than in {path}"));
            }
        }
        wrong
    }

    /// No two clients hold one path at one time.
    pub(crate) fn holders(&self) -> Vec<String> {
        let mut spans: Vec<&Span> = self.spans.iter().collect();
        spans.sort_by(|a, b| (&a.path, a.from).cmp(&(&b.path, b.from)));
        let mut wrong = Vec::new();
        for (i, span) in spans.iter().enumerate() {
            let later = spans[i + 1..].iter().take_while(|s| s.path == span.path && s.from < span.to);
            for other in later.filter(|s| s.client != span.client) {
                wrong.push(format!("clients {} and {} held {}", span.client, other.client, span.path));
            }
        }
        wrong
    }

    /// What was sent is listed once and was told; nothing is told twice but what a killed session may not have used, and to
    /// a session that starts what one that is gone left open.
    pub(crate) fn messages(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for Sent { mark, from, open, outcome } in &self.sent {
            let listed = self.listed.get(from).into_iter().flatten().filter(|m| *m == mark).count();
            let anywhere: usize = self.listed.values().flatten().filter(|m| *m == mark).count();
            let mut told: Vec<&Told> = self.told.iter().filter(|t| t.mark == *mark).collect();
            told.sort_by_key(|t| t.at);
            match outcome {
                Outcome::Odd(text) => wrong.push(format!("{mark} ended oddly: {text}")),
                Outcome::Done if listed == 0 => wrong.push(format!("{mark} was sent and is not listed")),
                Outcome::Refused if listed > 0 => wrong.push(format!("{mark} was not sent and is listed")),
                _ if anywhere > 1 => wrong.push(format!("{mark} is listed {anywhere} times")),
                _ => {}
            }
            if listed > 0 && told.is_empty() {
                wrong.push(format!("{mark} of {from} was told to nobody"));
            }
            if listed == 0 && !told.is_empty() {
                wrong.push(format!("{mark} was told and is not listed"));
            }
            if told.iter().any(|t| t.most > 1 || t.domain == *from) {
                wrong.push(format!("{mark} of {from} was told twice to one session, or at home: {told:?}"));
            }
            let handed_on = |pair: &[&Told]| pair[0].unused || self.was_gone(pair[0], pair[1], *open);
            if !told.windows(2).all(handed_on) {
                wrong.push(format!("{mark} of {from} was told to several: {told:?}"));
            }
        }
        wrong
    }

    /// Whether `later` was told when its client started, while the one that was told `earlier` may have been gone: with a
    /// question that is still `open`, or killed in the turn in which it was told, so that not even an answer was closed.
    fn was_gone(&self, earlier: &Told, later: &Told, open: bool) -> bool {
        let lives = self.lives.get(&earlier.client).map_or(&[][..], Vec::as_slice);
        let lived = |start: Instant| lives.iter().any(|(from, to, _)| *from <= start && later.at <= *to);
        let killed = lives.iter().any(|(from, to, kill)| *from <= earlier.at && earlier.at <= *to && *kill);
        later.start.is_some_and(|start| !lived(start)) && (open || killed)
    }

    /// What is metered is what was served; of a killed client, what it wrote down.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expected: BTreeMap<String, (Usage, u64)> = BTreeMap::new();
        let mut unwritten: BTreeMap<usize, usize> = BTreeMap::new();
        for (domain, client, served, written) in &self.served {
            let kills = self.killed.get(client).copied().unwrap_or(0);
            let counts = if kills == 0 { Some(*served) } else { *written };
            if *written != Some(*served) {
                *unwritten.entry(*client).or_default() += 1;
            }
            if let Some(usage) = counts {
                let sum = expected.entry(domain.clone()).or_default();
                *sum = (sum.0 + usage, sum.1 + 1);
            }
        }
        // A kill can cost the response that was under way, and no more.
        for (client, n) in unwritten {
            let kills = self.killed.get(&client).copied().unwrap_or(0);
            if n > kills {
                wrong.push(format!(
                    "client {client} did not write down {n} responses, and was killed {kills} times"
                ));
            }
        }
        if expected != self.metered {
            wrong.push(format!("metered {:?}, and served {expected:?}", self.metered));
        }
        wrong
    }

    /// Responses that stand in no transcript, or not with what they cost.
    pub(crate) fn unwritten(&self) -> usize {
        self.served.iter().filter(|(_, _, served, written)| *written != Some(*served)).count()
    }

    /// One line of what was tried.
    pub(crate) fn summary(&self) -> String {
        let count = |outcome: &Outcome| self.traces.iter().filter(|t| t.outcome == *outcome).count();
        let sent: usize = self.listed.values().map(Vec::len).sum();
        let again = self.told.iter().filter(|t| t.unused).count();
        let tokens: u64 = self.metered.values().map(|(u, _)| u.input + u.output + u.cache_read).sum();
        let stale = self.traces.iter().filter(|t| t.own && t.outcome == Outcome::Refused).count();
        format!(
            "{} calls in {} s, {} kills; of {} edits {} done, {} refused ({stale} of them in the own scope), {} unknown; \
             {sent} messages sent, {} tellings, {again} of them just before a kill; {} responses served, {} not written \
             down, {tokens} tokens metered",
            self.calls,
            self.took.as_secs(),
            self.kills,
            self.traces.len(),
            count(&Outcome::Done),
            count(&Outcome::Refused),
            count(&Outcome::Unknown),
            self.told.len(),
            self.served.len(),
            self.unwritten(),
        )
    }
}

type Spoil = fn(&mut Seen);

/// Each check sees what it is for.
#[test]
fn the_checks_can_fail() {
    let begin = Instant::now();
    let at = |ms| begin + Duration::from_millis(ms);
    let good = || {
        let trace = |mark: &str, path: &str, own, outcome| Trace {
            mark: mark.into(),
            path: path.into(),
            own,
            outcome,
        };
        let span = |client, from, to| Span { client, path: "a/f".into(), from: at(from), to: at(to) };
        let told = |client, ms, start| Told {
            client,
            domain: "b".into(),
            mark: "msg-0-3.".into(),
            most: 1,
            unused: false,
            at: at(ms),
            start,
        };
        let used = Usage::new(3, 4);
        Seen {
            traces: vec![
                trace("mark-0-1.", "a/f", true, Outcome::Done),
                trace("mark-0-2.", "a/f", true, Outcome::Refused),
                trace("mark-1-1.", "a/f", false, Outcome::Refused),
                trace("mark-1-2.", "a/f", true, Outcome::Unknown),
            ],
            files: BTreeMap::from([("a/f".into(), "mark-0-1.\n".into()), ("b/f".into(), String::new())]),
            spans: vec![span(0, 0, 5), span(1, 5, 9), span(0, 10, 11), span(0, 10, 12)],
            sent: vec![
                Sent { mark: "msg-0-3.".into(), from: "a".into(), open: true, outcome: Outcome::Done },
                Sent { mark: "msg-0-4.".into(), from: "a".into(), open: false, outcome: Outcome::Refused },
            ],
            listed: BTreeMap::from([("a".into(), vec!["msg-0-3.".into()])]),
            told: vec![told(1, 3, None), told(2, 9, Some(at(8)))],
            lives: BTreeMap::from([(1, vec![(at(0), at(7), false), (at(10), at(11), false)])]),
            served: vec![("a".into(), 0, used, Some(used)), ("b".into(), 1, used, None)],
            metered: BTreeMap::from([("a".into(), (used, 1))]),
            killed: BTreeMap::from([(1, 1)]),
            ..Seen::default()
        }
    };
    assert_eq!(good().wrong(), Vec::<String>::new());
    let breaks: [(&str, Spoil); 17] = [
        ("is lost", |s| drop(s.files.insert("a/f".into(), String::new()))),
        ("2 times", |s| drop(s.files.insert("a/f".into(), "mark-0-1. mark-0-1.".into()))),
        ("was refused and is in", |s| drop(s.files.insert("a/f".into(), "mark-0-1. mark-0-2.".into()))),
        ("elsewhere", |s| drop(s.files.insert("b/f".into(), "mark-1-1.".into()))),
        ("was let through in", |s| s.traces[0].own = false),
        ("ended oddly", |s| s.traces[3].outcome = Outcome::Odd("what".into())),
        ("clients 0 and 1 held", |s| s.spans[0].to = s.spans[1].to),
        ("not listed", |s| s.listed.clear()),
        ("was not sent and is listed", |s| s.listed.values_mut().for_each(|l| l.push("msg-0-4.".into()))),
        ("listed 2 times", |s| s.listed.values_mut().for_each(|l| l.push("msg-0-3.".into()))),
        ("told to nobody", |s| s.told.clear()),
        ("twice to one", |s| s.told[0].most = 2),
        ("told to several", |s| s.told[1].start = None),
        ("told to several", |s| s.sent[0].open = false),
        ("told to several", |s| s.lives.values_mut().for_each(|l| l[0].1 = l[1].1)),
        ("did not write down", |s| s.killed.clear()),
        ("metered", |s| s.metered.clear()),
    ];
    for (what, spoil) in breaks {
        let mut seen = good();
        spoil(&mut seen);
        let wrong = seen.wrong();
        assert!(wrong.iter().any(|w| w.contains(what)), "{what}: {wrong:?}");
    }
}
