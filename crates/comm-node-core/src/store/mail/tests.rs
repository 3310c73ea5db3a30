//! Sending and claiming, with processes that die at every step.

use std::time::{Duration, SystemTime};

use super::{Item, Mail, Place, Routed, State, Verdict};
use crate::deadline::Deadline;
use crate::mail::{Draft, Kind, Message, Priority, Ulid};
use crate::session::SessionId;
use crate::store::{Store, crash};

struct Node {
    _dir: tempfile::TempDir,
    store: Store,
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Store::new(dir.path().join("state"));
        Self { _dir: dir, store }
    }

    fn mail(&self) -> Mail<'_> {
        self.store.mail()
    }

    fn send(&self, from: &str, to: &[&str], body: &str) -> crate::Result<Message> {
        self.mail().send(from, draft(to, body), &session("s"), soon())
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

fn session(id: &str) -> SessionId {
    SessionId::new(id).expect("valid")
}

fn draft(to: &[&str], body: &str) -> Draft {
    let to = to.iter().map(|&to| to.to_owned()).collect();
    Draft { to, kind: Kind::Question, body: body.into(), ..Draft::default() }
}

fn ids(items: &[Item]) -> Vec<Ulid> {
    items.iter().map(|i| i.id).collect()
}

#[test]
fn a_message_goes_through_its_states() {
    let node = Node::new();
    let mail = node.mail();
    let sent = node.send("web", &["*", "api", "docs"], "hello").expect("sends");
    let item = mail.waiting("api").expect("lists").remove(0);
    assert_eq!((item.id, &item.state), (sent.id, &State::Queued));
    assert_eq!(mail.read("api", &item).expect("reads"), Some(sent.clone()));
    assert_eq!(mail.read_sent("web", sent.id).expect("reads"), Some(sent.clone()));
    let days = mail.sent_days("web").expect("lists");
    assert_eq!(mail.sent("web", &days[0]).expect("lists"), [sent.id]);
    // Of two sessions one gets it.
    let offering = mail.offer("api", &item, &session("a")).expect("moves").expect("first");
    assert_eq!(mail.offer("api", &item, &session("b")).expect("moves"), None);
    assert!(!mail.is_stale("api", &offering, crate::clock::now_ms()));
    assert!(mail.is_stale("api", &offering, crate::clock::now_ms() + 20_000));
    let offered = mail.offered("api", &offering).expect("moves").expect("there");
    let seen = mail.seen("api", &offered, &session("a")).expect("moves").expect("there");
    assert_eq!(mail.waiting("api").expect("lists"), []);
    assert_eq!(mail.open("api").expect("lists"), std::slice::from_ref(&seen));
    assert_eq!(mail.find("api", sent.id).expect("finds"), Some(seen));
    mail.acknowledge("api", sent.id, &session("a")).expect("moves").expect("there");
    assert_eq!(mail.open("api").expect("lists"), []);
    let acked = mail.find("api", sent.id).expect("finds").expect("there");
    assert_eq!((acked.place, acked.state), (Place::Archive, State::Acked(session("a"))));
    let days = mail.archive_days("api").expect("lists");
    assert_eq!(ids(&mail.archived("api", &days[0]).expect("lists")), [sent.id]);
    // The other recipient's is untouched.
    assert_eq!(mail.find("docs", sent.id).expect("finds").map(|i| i.state), Some(State::Queued));
    assert_eq!(mail.find("web", sent.id).expect("finds"), None);
}

#[test]
fn order_is_that_of_sending_even_if_the_clock_goes_back() {
    let node = Node::new();
    let sent: Vec<Ulid> =
        (0..20).map(|i| node.send("web", &["api"], &i.to_string()).expect("sends").id).collect();
    assert!(sent.is_sorted());
    assert_eq!(ids(&node.mail().waiting("api").expect("lists")), sent);
    // A clock that was half an hour ahead.
    let ahead = Ulid::fresh(crate::clock::now_ms() + 1_800_000, None);
    std::fs::write(node.store.dir().join("mail.last"), ahead.text()).expect("writes");
    assert!(node.send("web", &["api"], "x").expect("sends").id > ahead);
    // One that was years ahead is not followed.
    let wrong = Ulid::fresh(crate::clock::now_ms() * 2, None);
    std::fs::write(node.store.dir().join("mail.last"), wrong.text()).expect("writes");
    assert!(node.send("web", &["api"], "x").expect("sends").id < wrong);
    std::fs::write(node.store.dir().join("mail.last"), "rubbish").expect("writes");
    node.send("web", &["api"], "x").expect("sends");
}

/// Kills a sender at every step; whoever comes next finds the message in every mailbox or in none.
#[test]
fn a_sender_that_dies_has_sent_to_all_or_to_none() {
    let (mut before, mut after) = (0, 0);
    for step in 0.. {
        let node = Node::new();
        let mail = node.mail();
        let question = node.send("api", &["web"], "what?").expect("sends");
        let mut said = draft(&["api", "docs"], "this");
        said.reply_to = Some(question.id);
        said.priority = Priority::High;
        crash::arm(step);
        let result = mail.send("web", said, &session("s"), soon());
        if !crash::disarm() {
            result.expect("sends");
            break;
        }
        let decided = node.store.dir().join("sending").read_dir().is_ok_and(|mut dir| {
            dir.any(|e| e.expect("entry").path().extension().is_some_and(|e| e == "md"))
        }) || !mail.sent_days("web").expect("lists").is_empty();
        assert_eq!(result.is_ok(), decided, "step {step}");
        // One recipient is quick and has closed it before anybody cleans up.
        let early = mail.waiting("api").expect("lists");
        for item in &early {
            mail.close("api", item, State::Acked(session("b"))).expect("moves").expect("there");
        }
        for _ in 0..3 {
            mail.recover_locked(crate::clock::now_ms() + 120_000).expect("recovers");
        }
        let count = |domain: &str| {
            let archived: usize = mail
                .archive_days(domain)
                .expect("lists")
                .iter()
                .map(|day| mail.archived(domain, day).expect("lists").len())
                .sum();
            mail.waiting(domain).expect("lists").len() + archived
        };
        let there = usize::from(decided);
        assert_eq!((count("api"), count("docs")), (there, there), "step {step}");
        let asked = mail.find("web", question.id).expect("finds").expect("there");
        assert_eq!(matches!(asked.state, State::Acked(_)), decided, "step {step}");
        assert!(!mail.is_interrupted(), "step {step}");
        for to in ["api", "docs"] {
            let tmp = node.store.dir().join("mail").join(to).join("tmp");
            assert!(tmp.read_dir().is_ok_and(|mut dir| dir.next().is_none()), "step {step}");
        }
        // The next one is none the worse.
        let next = node.send("web", &["api"], "next").expect("sends");
        assert_eq!(mail.waiting("api").expect("lists").last().map(|i| i.id), Some(next.id));
        *(if decided { &mut after } else { &mut before }) += 1;
    }
    assert!(before >= 5 && after >= 8, "{before} steps before the decision, {after} after it");
}

#[test]
fn what_another_process_took_is_no_error() {
    let node = Node::new();
    let mail = node.mail();
    node.send("web", &["api"], "x").expect("sends");
    let item = mail.waiting("api").expect("lists").remove(0);
    let mine = mail.offer("api", &item, &session("a")).expect("moves").expect("there");
    assert_eq!(mail.read("api", &item).expect("no error"), None);
    assert_eq!(mail.shift("api", &item, Place::Cur, State::Seen(session("b"))).expect("no error"), None);
    assert_eq!(mail.waiting("api").expect("lists"), [mine]);
    assert_eq!(mail.waiting("nobody").expect("lists"), []);
    assert_eq!(mail.acknowledge("nobody", item.id, &session("a")).expect("no error"), None);
}

#[test]
fn a_damaged_message_is_named_and_harms_no_other() {
    let node = Node::new();
    let mail = node.mail();
    for i in 0..3 {
        node.send("web", &["api"], &i.to_string()).expect("sends");
    }
    let items = mail.waiting("api").expect("lists");
    let path = mail.path("api", &items[1]);
    std::fs::remove_file(&path).expect("removes");
    std::fs::write(&path, "---\nversion: 1\n").expect("writes");
    assert!(mail.read("api", &items[1]).is_err_and(|e| e.to_string().contains("no end")));
    node.store.set_aside(&path).expect("moves");
    assert_eq!(ids(&mail.waiting("api").expect("lists")), [items[0].id, items[2].id]);
    for rubbish in ["x.md", ".hidden", "01ARZ3NDEKTSV4RRFFQ69G5FAV.md"] {
        std::fs::write(path.with_file_name(rubbish), "x").expect("writes");
    }
    assert_eq!(mail.waiting("api").expect("lists").len(), 2);
}

#[cfg(unix)]
#[test]
fn mail_behind_a_link_is_not_trusted() {
    let node = Node::new();
    let mail = node.mail();
    node.send("web", &["api"], "x").expect("sends");
    let new = node.store.dir().join("mail/api/new");
    let elsewhere = node.store.dir().join("elsewhere");
    std::fs::rename(&new, &elsewhere).expect("moves");
    std::os::unix::fs::symlink(&elsewhere, &new).expect("links");
    assert!(mail.waiting("api").is_err());
    assert!(node.send("web", &["api"], "x").is_err());
}

#[test]
fn many_that_want_a_message_and_one_gets_it() {
    let node = Node::new();
    for i in 0..40 {
        node.send("web", &["api"], &i.to_string()).expect("sends");
    }
    let got: Vec<Vec<Ulid>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|n| {
                let store = &node.store;
                scope.spawn(move || {
                    let (mail, me) = (store.mail(), session(&format!("s{n}")));
                    let mut got = Vec::new();
                    loop {
                        let items = mail.waiting("api").expect("lists");
                        let Some(item) = items.iter().find(|i| i.state == State::Queued) else { break };
                        got.extend(mail.offer("api", item, &me).expect("moves").map(|i| i.id));
                    }
                    got
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().expect("ends")).collect()
    });
    let mut all: Vec<Ulid> = got.concat();
    all.sort_unstable();
    let count = all.len();
    all.dedup();
    assert_eq!((count, all.len()), (40, 40));
}

#[test]
fn senders_at_the_same_time_lose_nothing() {
    let node = Node::new();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let node = &node;
            scope.spawn(move || {
                for i in 0..10 {
                    node.send("web", &["api", "docs"], &format!("{n} {i}")).expect("sends");
                }
            });
        }
    });
    for to in ["api", "docs"] {
        let items = node.mail().waiting(to).expect("lists");
        assert_eq!(items.len(), 40);
        for n in 0..4 {
            let mine: Vec<String> = items
                .iter()
                .filter_map(|item| node.mail().read(to, item).expect("reads"))
                .map(|m| m.said.body)
                .filter(|body| body.starts_with(&format!("{n} ")))
                .collect();
            let wanted: Vec<String> = (0..10).map(|i| format!("{n} {i}")).collect();
            assert_eq!(mine, wanted);
        }
    }
}

fn drop_file(node: &Node, name: &str, text: &str) {
    let dir = node.store.dir().join("outbox");
    std::fs::create_dir_all(&dir).expect("makes");
    std::fs::write(dir.join(name), text).expect("writes");
}

/// Anything is a message to api; `no` is none, and `else` is somebody else's.
fn any(_: &str, text: &str) -> Verdict {
    match text {
        "no" => Verdict::Reject("no message".into()),
        "else" => Verdict::Leave,
        text => Verdict::Send(draft(&["api"], text)),
    }
}

fn route(node: &Node, fresh: bool) -> crate::Result<Vec<(String, Routed)>> {
    let mail = node.mail();
    let names = mail.dropped()?;
    mail.route("web", &session("s"), &names, fresh, soon(), &mut any)
}

#[test]
fn what_is_dropped_is_sent_left_or_put_aside() {
    let node = Node::new();
    assert_eq!(node.mail().dropped().expect("lists"), Vec::<String>::new());
    for (name, text) in [("a.md", "hello"), ("b.md", "no"), ("c.md", "else"), (".d.md", "x"), ("e.txt", "x")]
    {
        drop_file(&node, name, text);
    }
    let written = |name: &str, ago: i64| {
        let file = std::fs::File::options().write(true).open(node.store.dir().join("outbox").join(name));
        let at = SystemTime::now();
        let span = Duration::from_millis(ago.unsigned_abs());
        let at = if ago < 0 { at + span } else { at - span };
        file.expect("opens").set_modified(at).expect("sets");
    };
    // Who wrote it may still look for it, and what is no message may still be being written.
    assert_eq!(route(&node, false).expect("routes"), []);
    for name in ["a.md", "b.md", "c.md"] {
        written(name, 1_500);
    }
    let routed = route(&node, false).expect("routes");
    assert!(matches!(routed.as_slice(), [(name, Routed::Sent(_))] if name == "a.md"), "{routed:?}");
    // A clock that is ahead holds nothing up for ever.
    drop_file(&node, "a.md", "hello");
    written("a.md", -3_600_000);
    let routed = route(&node, false).expect("routes");
    assert!(matches!(routed.as_slice(), [(name, Routed::Sent(_))] if name == "a.md"), "{routed:?}");
    drop_file(&node, "f.md", "no");
    written("f.md", -3_600_000);
    let routed = route(&node, false).expect("routes");
    assert!(matches!(routed.as_slice(), [(name, Routed::Rejected(_))] if name == "f.md"), "{routed:?}");
    let routed = route(&node, true).expect("routes");
    assert_eq!(routed, [("b.md".to_owned(), Routed::Rejected("no message".into()))]);
    assert_eq!(node.mail().dropped().expect("lists"), ["c.md"]);
    let read = |path: &str| std::fs::read_to_string(node.store.dir().join(path)).expect("is there");
    assert_eq!(
        (read("outbox/rejected/b.md").as_str(), read("outbox/rejected/b.md.why.txt").as_str()),
        ("no", "no message\n")
    );
    drop_file(&node, "b.md", "no");
    route(&node, true).expect("routes");
    assert_eq!(node.store.dir().join("outbox/rejected").read_dir().expect("lists").count(), 6);
    drop_file(&node, "bad.md", "x");
    std::fs::write(node.store.dir().join("outbox/bad.md"), b"a\xff").expect("writes");
    let routed = route(&node, true).expect("routes");
    assert!(
        matches!(&routed[0].1, Routed::Rejected(why) if why == "bad.md: it is not UTF-8 text at byte 1"),
        "{routed:?}"
    );
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/hostname", node.store.dir().join("outbox/link.md")).expect("links");
        let routed = route(&node, true).expect("routes");
        assert!(
            matches!(&routed[0].1, Routed::Rejected(why) if why == "link.md: it is a symbolic link"),
            "{routed:?}"
        );
    }
    assert_eq!(node.mail().waiting("api").expect("lists").len(), 2);
}

/// Kills a router at every step; whoever comes next sends the file once.
#[test]
fn a_file_is_routed_once_whoever_dies_over_it() {
    for step in 0.. {
        let node = Node::new();
        drop_file(&node, "a.b.md", "hello");
        crash::arm(step);
        let _ = route(&node, true);
        let died = crash::disarm();
        // Whether it died is seen although nothing else waits, and then nothing is stuck.
        let deadline = Deadline::after(std::time::Duration::from_secs(5));
        node.mail().recover(deadline).expect("recovers");
        let routing = node.store.dir().join("outbox/.routing");
        assert!(routing.read_dir().map_or(true, |mut dir| dir.next().is_none()), "step {step}");
        for _ in 0..2 {
            node.mail().recover_locked(crate::clock::now_ms() + 120_000).expect("recovers");
            drop_file(&node, "z.md", "else");
            route(&node, true).expect("routes");
        }
        assert_eq!(node.mail().waiting("api").expect("lists").len(), 1, "step {step}");
        assert_eq!(node.mail().dropped().expect("lists"), ["z.md"], "step {step}");
        assert_eq!(
            node.store.dir().join("outbox/.routing").read_dir().expect("lists").count(),
            0,
            "step {step}"
        );
        if !died {
            assert!(step > 8, "{step}");
            break;
        }
    }
}
