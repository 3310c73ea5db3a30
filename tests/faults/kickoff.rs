//! kill -9 at the system calls of every step of a kickoff: the call, a report, the last one, a late one, the start by
//! force, and a second call. Whoever goes on finds no message lost and none doubled.

use comm_node_core::mail::{Draft, Kind, Priority};
use comm_node_core::session::SessionId;
use comm_node_core::store::State;
use serde_json::Value;

use super::check::{self, Check};
use super::field::{Field, Run, Said};
use super::{is_long, skipped, strace};

/// How many calls of a step are tried in the short form, evenly chosen.
const SHORT: usize = 10;
/// The domains and a session of each.
const WHO: [(&str, &str); 2] = [("backend", "b"), ("frontend", "f")];

/// A step of a kickoff, with what went before it.
struct Step {
    name: &'static str,
    before: fn(&Field),
    run: fn(&Field) -> Run,
    /// The goal of the kickoff that is under way after it.
    goal: &'static str,
}

fn call(field: &Field, goal: &str) -> Run {
    field.person(&["kickoff", "--goal", goal, "--wait", "1s"])
}

fn report(field: &Field, domain: &str, id: &str) -> Run {
    field.agent(id, &["kickoff", domain])
}

/// The first kickoff is called, and backend is there.
fn one_is_there(field: &Field) {
    assert_eq!(call(field, "First").said().code, Some(1));
    assert_eq!(report(field, "backend", "b").said().code, Some(0));
}

const STEPS: [Step; 6] = [
    Step { name: "the call", before: |_| {}, run: |f| call(f, "First"), goal: "First" },
    Step {
        name: "a report",
        before: |f| assert_eq!(call(f, "First").said().code, Some(1)),
        run: |f| report(f, "backend", "b"),
        goal: "First",
    },
    Step {
        name: "the last report",
        before: one_is_there,
        run: |f| report(f, "frontend", "f"),
        goal: "First",
    },
    Step {
        name: "a start by force",
        before: one_is_there,
        run: |f| f.person(&["kickoff", "--force"]),
        goal: "First",
    },
    Step {
        name: "a late report",
        before: |f| {
            one_is_there(f);
            assert_eq!(f.person(&["kickoff", "--force"]).said().code, Some(0));
        },
        run: |f| report(f, "frontend", "f"),
        goal: "First",
    },
    Step { name: "a second call", before: one_is_there, run: |f| call(f, "Second"), goal: "Second" },
];

/// How many messages of `kind` about `goal` the domain got that are not taken back, and how many of them it did not read.
fn got(field: &Field, domain: &str, kind: Kind, goal: &str) -> (usize, usize) {
    let store = field.store();
    let mail = store.mail();
    let mut items = mail.waiting(domain).expect("lists");
    items.extend(mail.open(domain).expect("lists"));
    for day in mail.archive_days(domain).expect("lists") {
        items.extend(mail.archived(domain, &day).expect("lists"));
    }
    let mut count = (0, 0);
    for item in items.into_iter().filter(|item| item.state != State::Expired) {
        let message = mail.read(domain, &item).expect("reads").expect("is there");
        if message.said.kind == kind && message.said.body.contains(goal) {
            count.0 += 1;
            count.1 += usize::from(!matches!(item.state, State::Acked(_)));
        }
    }
    count
}

fn record(field: &Field) -> Value {
    let said = field.person(&["kickoff", "--status", "--json"]).said();
    serde_json::from_str(&said.out).unwrap_or_default()
}

/// Each domain was called once for `goal`, and is called for nothing else.
fn called_once(field: &Field, goal: &str) -> Check {
    for (domain, _) in WHO {
        let (all, _) = got(field, domain, Kind::Kickoff, goal);
        let (_, unread) = got(field, domain, Kind::Kickoff, "Goal: ");
        let (_, own) = got(field, domain, Kind::Kickoff, goal);
        if all != 1 || unread != own {
            return Err(format!("{domain} was called {all} times for {goal}, and {unread} calls wait"));
        }
    }
    Ok(())
}

/// Both report, which may be for the second time, and each gets START once.
fn starts_once(field: &Field, goal: &str) -> Check {
    let mut last = None;
    // The first time backend may have to wait for frontend.
    for (domain, id) in WHO.into_iter().chain([WHO[0]]) {
        let said = report(field, domain, id).said();
        if said.code != Some(0) {
            return Err(format!("{domain} can't report: {said:?}"));
        }
        last = Some(said);
    }
    let said = last.map(|said| said.out).unwrap_or_default();
    if !said.contains(&format!("START: {goal}")) {
        return Err(format!("backend is not told to start: {said}"));
    }
    for (domain, id) in WHO {
        let started = got(field, domain, Kind::Start, goal);
        if started != (1, 0) {
            return Err(format!("{domain} got and did not read START: {started:?}"));
        }
        let member = &record(field)["members"][domain];
        if member["session"] != id || !member["start"].is_string() || !member["starting"].is_null() {
            return Err(format!("{domain} on record: {member}"));
        }
    }
    match record(field)["state"].as_str() {
        Some("started") => Ok(()),
        state => Err(format!("it is {state:?}")),
    }
}

/// What must be so once a step's process is dead. `again`: the same is tried again; else somebody only looks how it stands.
fn judge(field: &Field, step: &Step, clean: &Said, again: bool) -> Check {
    check::files_are_whole(field)?;
    check::locks_are_free(field)?;
    let run = (step.run)(field);
    if again {
        let said = run.said();
        if said.code != clean.code {
            return Err(format!("the next one said {said:?} instead of {clean:?}"));
        }
    }
    let now = record(field);
    if now["goal"] != step.goal {
        // It died before it was on record: for the others nothing has happened yet.
        run.said();
    } else if now["missing"] == serde_json::json!([]) {
        let said = report(field, "backend", "b").said();
        if !said.out.contains("START: ") {
            return Err(format!("all are ready, and backend hears {said:?}"));
        }
    }
    called_once(field, step.goal)?;
    starts_once(field, step.goal)?;
    // And the node can begin anew.
    if call(field, "Next").said().code != Some(1) {
        return Err("nobody can be called any more".to_owned());
    }
    called_once(field, "Next")?;
    for (domain, _) in WHO {
        if got(field, domain, Kind::Start, "START").1 != 0 {
            return Err(format!("{domain} is still told to start"));
        }
    }
    starts_once(field, "Next")?;
    check::senders_leave_nothing(field)?;
    check::files_are_whole(field)
}

#[test]
fn a_kickoff_killed_anywhere_loses_and_doubles_nothing() {
    if !strace::works() {
        return skipped("strace can't trace here, so no kickoff was killed at a system call");
    }
    // Each waits most of the time.
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = STEPS.iter().map(|step| scope.spawn(|| kill_one(step))).collect();
        all.into_iter().flat_map(|one| one.join().expect("ends")).collect()
    });
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn kill_one(step: &Step) -> Vec<String> {
    let field = Field::new();
    (step.before)(&field);
    field.save();
    let run = (step.run)(&field);
    let (all, clean) = strace::points(&run, &field.top.join("trace"));
    let mut points: Vec<_> = all.into_iter().filter(|p| is_long() || p.changes()).collect();
    if !is_long() && points.len() > SHORT {
        let stride = points.len().div_ceil(SHORT);
        points = points.into_iter().step_by(stride).collect();
    }
    let (mut killed, mut wrong) = (0, Vec::new());
    for (i, point) in points.iter().enumerate() {
        field.put_back();
        killed += usize::from(strace::kill_at(&run, point).signal == Some(9));
        if let Err(why) = judge(&field, step, &clean, i % 2 == 0) {
            let (line, nth, name) = (&point.line, point.nth, &point.name);
            wrong.push(format!("{} killed at {line} ({nth}. {name}): {why}", step.name));
        }
    }
    println!("{:<20} {:>4} calls, {killed:>4} kills, {} wrong", step.name, points.len(), wrong.len());
    assert!(killed * 4 >= points.len() * 3, "{}: only {killed} were killed", step.name);
    wrong
}

#[test]
fn what_a_kickoff_lost_or_doubled_is_seen() {
    let field = Field::new();
    one_is_there(&field);
    starts_once(&field, "First").expect("as it should be");
    called_once(&field, "First").expect("as it should be");
    let store = field.store();
    let mail = store.mail();
    let again = |kind: Kind, body: &str| {
        let said = Draft {
            to: vec!["frontend".to_owned()],
            kind,
            priority: Priority::High,
            body: body.to_owned(),
            ..Draft::default()
        };
        let person = SessionId::new("human").expect("an id");
        let deadline = comm_node_core::deadline::Deadline::after(std::time::Duration::from_secs(5));
        mail.send("human", said, &person, deadline).expect("sends").id
    };
    let second = again(Kind::Kickoff, "Goal: First");
    assert!(called_once(&field, "First").is_err(), "called twice");
    let item = mail.find("frontend", second).expect("looks").expect("is there");
    mail.close("frontend", &item, State::Expired).expect("closes");
    called_once(&field, "First").expect("that is taken back");
    let second = again(Kind::Start, "START: First.");
    assert!(starts_once(&field, "First").is_err(), "started twice");
    let first = record(&field)["members"]["frontend"]["start"].as_str().expect("an id").to_owned();
    for path in check::files(&field.state().join("mail/frontend")) {
        let name = path.display().to_string();
        if [&second.text(), &first].iter().any(|id| name.contains(id.as_str())) {
            std::fs::remove_file(&path).expect("removes");
        }
    }
    assert!(starts_once(&field, "First").is_err(), "never started");
}
