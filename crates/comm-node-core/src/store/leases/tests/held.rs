//! What is known of where a session's leases are.

use super::*;
use crate::store::leases::files::file_of;

const SOON: Duration = Duration::from_secs(5);

fn id(name: &str) -> SessionId {
    SessionId::new(name).expect("valid")
}

fn hint(b: &Bench, name: &str) -> PathBuf {
    b.path("leases/of").join(format!("{name}.jsonl"))
}

/// No session has a lease that is not looked for.
pub(super) fn check(b: &Bench, what: &str) {
    for lease in b.list() {
        let session = lease.holder.session.as_ref().expect("a session");
        let names = b.store.leases().names_of(session).expect("can be told");
        assert!(names.contains(&file_of(&lease)), "{what}: {lease:?} {names:?}");
    }
}

fn held(b: &Bench, name: &str) -> Vec<String> {
    let (leases, _) = b.store.leases().held_by(&id(name), Deadline::after(SOON)).expect("works");
    leases.into_iter().map(|lease| lease.path).collect()
}

/// Paths of that many different files of leases.
fn apart(count: usize) -> Vec<String> {
    let mut shards = Vec::new();
    let fresh = |path: &String| {
        let name = shard(path);
        let fresh = !shards.contains(&name);
        shards.push(name);
        fresh
    };
    (0..).map(|i| format!("p{i}")).filter(fresh).take(count).collect()
}

#[test]
fn files_without_its_leases_are_not_read() {
    let b = Bench::new();
    let paths = apart(4);
    taken(b.take("A", &paths[0]));
    taken(b.take("A/s", &paths[1]));
    taken(b.lock("A", "deep/*", Mode::Exclusive));
    taken(b.take("B", &paths[2]));
    // Whoever reads these says so.
    for path in &paths[2..] {
        std::fs::write(b.path("leases").join(shard(path)), "{\n").expect("writes");
    }
    assert_eq!(held(&b, "A"), ["deep/*", &paths[0], &paths[1]]);
    assert_eq!(b.release(&Release::Subagents(&id("A"))).expect("works").len(), 1);
    taken(b.take("A/s", &paths[1]));
    assert_eq!(b.release(&Release::Holder(&holder("A/s"))).expect("works").len(), 1);
    assert_eq!(b.release(&Release::Session(&id("A"))).expect("works").len(), 2);
    assert!(!hint(&b, "A").exists());
    // One that never had any has nothing to read.
    assert!(b.release(&Release::Session(&id("C"))).expect("works").is_empty());
    assert!(b.release(&Release::Session(&id("B"))).is_err());
    assert!(hint(&b, "B").exists());
}

/// An older comm-node took leases, or somebody removed the hints.
#[test]
fn without_hints_everything_is_read_until_somebody_writes_them() {
    let b = Bench::new();
    let paths = apart(40);
    for (i, path) in paths[..30].iter().enumerate() {
        taken(b.take(["A", "A/s", "B"][i % 3], path));
    }
    for stage in ["removed", "written again"] {
        if stage == "removed" {
            std::fs::remove_dir_all(b.path("leases/of")).expect("removes");
        } else {
            taken(b.take("C", &paths[30]));
            assert!(b.path("leases/of/complete.json").is_file());
        }
        super::check(&b, stage);
        assert_eq!((held(&b, "A").len(), held(&b, "B").len()), (20, 10), "{stage}");
    }
    assert_eq!(b.release(&Release::Holder(&holder("A/s"))).expect("works").len(), 10);
    assert_eq!(b.release(&Release::Session(&id("A"))).expect("works").len(), 10);
    assert_eq!(held(&b, "B").len(), 10);
    // The writer's own are among them when it is the one who looks everywhere.
    std::fs::remove_dir_all(b.path("leases/of")).expect("removes");
    taken(b.take("B", &paths[31]));
    assert_eq!(b.release(&Release::Session(&id("B"))).expect("works").len(), 11);
    // While a file of leases can't be read nobody knows what is in it.
    taken(b.take("C", &paths[32]));
    std::fs::remove_dir_all(b.path("leases/of")).expect("removes");
    let damaged = b.path("leases").join(shard(&paths[39]));
    std::fs::write(&damaged, "{\n").expect("writes");
    taken(b.take("C", &paths[33]));
    assert!(!hint(&b, "C").exists() && !b.path("leases/of/complete.json").exists());
    std::fs::remove_file(damaged).expect("removes");
    assert_eq!(b.release(&Release::Session(&id("C"))).expect("works").len(), 3);
}

#[test]
fn a_hint_that_cannot_be_read_keeps_nobody_from_anything() {
    let garbage: [(&str, &[u8]); 7] = [
        ("no header", b"\"00\"\n"),
        ("a later version", b"{\"version\":2}\n\"00\"\n"),
        ("a torn line", b"{\"version\":1}\n\"0"),
        ("no names", b"{\"version\":1}\n\"../x\"\n"),
        ("nothing", b""),
        ("bytes", b"\xff\0"),
        ("much", &[b'\n'; 9000]),
    ];
    let paths = apart(4);
    for (what, bytes) in garbage {
        let b = Bench::new();
        taken(b.take("A", &paths[0]));
        std::fs::write(hint(&b, "A"), bytes).expect("writes");
        taken(b.take("A", &paths[1]));
        taken(b.take("B", &paths[2]));
        super::check(&b, what);
        assert_eq!(held(&b, "A").len(), 2, "{what}");
        assert_eq!(b.release(&Release::Holder(&holder("A"))).expect("works").len(), 2, "{what}");
        assert_eq!(b.release(&Release::Session(&id("A"))).expect("works").len(), 0, "{what}");
        assert!(!hint(&b, "A").exists(), "{what}");
    }
    let b = Bench::new();
    taken(b.take("A", &paths[0]));
    std::fs::remove_file(hint(&b, "A")).expect("removes");
    std::fs::create_dir(hint(&b, "A")).expect("makes");
    taken(b.take("A", &paths[1]));
    assert_eq!(b.release(&Release::Holder(&holder("A"))).expect("works").len(), 2);
}

/// A file that was removed, or cut off behind a line, looks like one that is right.
#[test]
fn a_hint_that_is_missing_or_too_short_is_found_and_written_anew() {
    let paths = apart(5);
    for what in ["missing", "too short", "missing and begun anew", "a directory", "torn"] {
        let b = Bench::new();
        for path in &paths[..3] {
            taken(b.take("A", path));
        }
        taken(b.take("B", &paths[3]));
        let leases = || b.store.leases();
        assert!(leases().hints(Deadline::after(SOON)).expect("compares").is_empty());
        let file = hint(&b, "A");
        match what {
            "too short" => {
                let text = std::fs::read_to_string(&file).expect("reads");
                std::fs::write(&file, &text[..text.len() - 5]).expect("writes");
            }
            "torn" => {
                let text = std::fs::read_to_string(&file).expect("reads");
                std::fs::write(&file, &text[..text.len() - 3]).expect("writes");
            }
            _ => std::fs::remove_file(&file).expect("removes"),
        }
        match what {
            "missing and begun anew" => drop(taken(b.take("A", &paths[4]))),
            "a directory" => std::fs::create_dir(&file).expect("makes"),
            _ => {}
        }
        assert_eq!(
            leases().hints(Deadline::after(SOON)).expect("compares").wrong,
            std::slice::from_ref(&file),
            "{what}"
        );
        let mended = leases().mend_hints(Deadline::after(SOON)).expect("mends");
        assert_eq!((mended.wrong.len(), mended.left.len()), (1, 0), "{what}");
        super::check(&b, what);
        assert!(leases().hints(Deadline::after(SOON)).expect("compares").is_empty(), "{what}");
        let all = if what == "missing and begun anew" { 4 } else { 3 };
        assert_eq!(held(&b, "A").len(), all, "{what}");
        assert_eq!(b.release(&Release::Session(&id("A"))).expect("works").len(), all, "{what}");
    }
}

#[test]
fn who_asks_for_all_gets_all_without_a_hint() {
    let b = Bench::new();
    let paths = apart(3);
    for path in &paths[..2] {
        taken(b.take("A", path));
    }
    taken(b.take("B", &paths[2]));
    std::fs::remove_file(hint(&b, "A")).expect("removes");
    assert_eq!(b.release(&Release::Everywhere(&id("A"))).expect("works").len(), 2);
    assert_eq!(b.list().len(), 1);
}

#[test]
fn hints_of_sessions_that_ended_go() {
    let b = Bench::new();
    let paths = apart(2);
    taken(b.take("A", &paths[0]));
    taken(b.take("B", &paths[1]));
    for (name, text) in [("gone", "{\"version\":1}\n\"00\"\n"), ("live", "{\"version\":1}\n"), ("torn", "{")]
    {
        std::fs::write(hint(&b, name), text).expect("writes");
    }
    std::fs::create_dir(b.path("sessions")).expect("makes");
    std::fs::write(b.path("sessions/live.jsonl"), "{}").expect("writes");
    let left = [hint(&b, "gone"), hint(&b, "torn")];
    assert_eq!(b.store.leases().hints(Deadline::after(SOON)).expect("compares").left, left);
    assert_eq!(b.store.leases().mend_hints(Deadline::after(SOON)).expect("mends").left, left);
    assert!(left.iter().all(|path| !path.exists()));
    assert!(["A", "B", "live"].iter().all(|name| hint(&b, name).is_file()));
}

#[test]
fn what_was_given_back_long_ago_is_not_looked_for_for_ever() {
    let b = Bench::new();
    let paths = apart(60);
    for path in &paths {
        taken(b.take("A/s", path));
    }
    taken(b.take("A", "main"));
    assert_eq!(b.store.leases().names_of(&id("A")).expect("can be told").len(), 62);
    assert_eq!(b.release(&Release::Holder(&holder("A/s"))).expect("works").len(), 60);
    assert_eq!(b.store.leases().names_of(&id("A")).expect("can be told").len(), 2);
    super::check(&b, "shortened");
    assert_eq!(held(&b, "A"), ["main"]);
}

#[test]
fn who_writes_the_first_hints_may_die_anywhere() {
    let paths = apart(8);
    let mut point = 0;
    loop {
        let b = Bench::new();
        for (i, path) in paths[..6].iter().enumerate() {
            taken(b.take(["A", "B", "C"][i % 3], path));
        }
        std::fs::remove_dir_all(b.path("leases/of")).expect("removes");
        crash::arm(point);
        let result = b.take("B", &paths[6]);
        let died = crash::disarm();
        assert_eq!(died, result.is_err(), "{result:?}");
        let what = format!("dying at {point}");
        super::check(&b, &what);
        taken(b.take("D", &paths[7]));
        super::check(&b, &what);
        let of_b = b.list().iter().filter(|lease| lease.holder.same(&holder("B"))).count();
        assert_eq!(b.release(&Release::Session(&id("B"))).expect("works").len(), of_b, "{what}");
        super::check(&b, &what);
        if !died {
            break;
        }
        point += 1;
    }
    assert!(point > 8, "{point}");
}

#[test]
fn some_of_what_sessions_hold() {
    let b = Bench::new();
    let paths = apart(40);
    for path in &paths[..30] {
        taken(b.take("A", path));
    }
    taken(b.take("B", &paths[30]));
    taken(b.lock("C", "deep/*", Mode::Exclusive));
    let some = |sessions: &[&str], enough: usize, most: usize| {
        let ids: Vec<SessionId> = sessions.iter().map(|name| id(name)).collect();
        let ids: Vec<&SessionId> = ids.iter().collect();
        let enough = |leases: &[Lease]| leases.len() >= enough;
        let soon = Deadline::after(SOON);
        let (leases, more) =
            b.store.leases().some_of(&ids, &|path| path != "p1", &enough, most, soon).expect("works");
        (leases.len(), more)
    };
    assert_eq!(some(&[], 99, 99), (1, false));
    assert_eq!(some(&["B"], 99, 99), (2, false));
    assert_eq!(some(&["B", "A"], 99, 99), (31, false));
    assert_eq!(some(&["B", "A"], 4, 99), (4, true));
    assert_eq!(some(&["B", "A"], 99, 1), (2, true));
}
