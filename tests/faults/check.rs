//! What must hold in the state directory whatever happened to a writer. Each check gives back what is wrong, so that
//! the tests at the end can show that it sees it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use comm_node_core::clock;
use comm_node_core::deadline::Deadline;
use comm_node_core::lease::Lease;
use comm_node_core::mail::form;
use comm_node_core::store::Leftovers;
use serde_json::Value;

use super::field::Field;
use super::writers::Heard;

/// Nothing, or what is wrong.
pub(crate) type Check = Result<(), String>;

/// An hour and a bit: how old a temporary file must be to be swept.
const LATER_MS: u64 = 2 * 60 * 60 * 1000;

/// Every file below `dir`.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_path_buf()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                open.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Every state file can be read whole, or is a temporary one that `doctor --fix` or the next sender sweeps.
pub(crate) fn files_are_whole(field: &Field) -> Check {
    let state = field.state();
    let Leftovers { temporary, .. } = field.store().leftovers(clock::now_ms() + LATER_MS);
    for path in files(&state) {
        let below = path.strip_prefix(&state).expect("below").display().to_string();
        let wrong = |why: &str| Err(format!("{below}: {why}"));
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = fs::read(&path).map_err(|e| format!("{below}: {e}"))?;
        let text = String::from_utf8_lossy(&bytes);
        // Written in place, one short line; what can't be read makes the numbering go on behind the block.
        let in_place = below == "leases/last.json" && bytes.is_empty();
        if name.ends_with(".tmp") {
            let sent = below.starts_with("sending/");
            if !sent && !temporary.contains(&path) {
                return wrong("a temporary file that nobody ever sweeps");
            }
        } else if name.starts_with('.') && name != ".gitignore" {
            return wrong("a hidden file that nobody knows");
        } else if name.ends_with(".lock") {
            if !bytes.is_empty() {
                return wrong("a lock file with something in it");
            }
        } else if name.ends_with(".json") || name == "paused" {
            if let (Err(e), false) = (serde_json::from_str::<Value>(&text), in_place) {
                return wrong(&format!("{e}"));
            }
        } else if name.ends_with(".jsonl") {
            // An appended lease may be torn by a full disk; its reader passes over it. The log never is.
            let whole = text.rfind('\n').map_or(0, |at| at + 1);
            if whole < text.len() && !below.starts_with("leases/") {
                return wrong("a torn line");
            }
            for line in text[..whole].lines() {
                if let Err(e) = serde_json::from_str::<Value>(line) {
                    return wrong(&format!("{e} in {line}"));
                }
            }
        } else if name.ends_with(".md")
            && (below.starts_with("mail/") || below.starts_with("sen"))
            && !below.contains("/tmp/")
        {
            form::read(&text).map_err(|e| format!("{below}: {e}"))?;
        }
    }
    Ok(())
}

/// No lock is held.
pub(crate) fn locks_are_free(field: &Field) -> Check {
    for path in files(&field.top).into_iter().filter(|p| p.extension().is_some_and(|e| e == "lock")) {
        let file = File::options().read(true).write(true).open(&path).map_err(|e| e.to_string())?;
        file.try_lock().map_err(|e| format!("{} is held: {e}", path.display()))?;
    }
    Ok(())
}

/// The hooks of others go on: both domains' sessions write their own and not the other's.
pub(crate) fn others_go_on(field: &Field) -> Check {
    let own = field.write("f", "web/own.txt").said();
    if !own.is_silent() {
        return Err(format!("frontend may not write its own: {own:?}"));
    }
    for (id, foreign) in [("f", "api/foreign.txt"), ("b", "web/foreign.txt")] {
        let said = field.write(id, foreign).said();
        if said.refusal().is_none_or(|why| !why.contains("belongs to domain")) {
            return Err(format!("{id} was not kept from {foreign}: {said:?}"));
        }
    }
    Ok(())
}

/// What is leased, also by those who are gone; each is found too by who asks only what its session holds.
pub(crate) fn leased(field: &Field) -> Result<Vec<Lease>, String> {
    let store = field.store();
    let (leases, errors) = store.leases().list().map_err(|e| e.to_string())?;
    if !errors.is_empty() {
        return Err(format!("the table: {errors:?}"));
    }
    for lease in &leases {
        let Some(id) = &lease.holder.session else { continue };
        let soon = Deadline::after(Duration::from_secs(20));
        let (held, _) = store.leases().held_by(id, soon).map_err(|e| e.to_string())?;
        if !held.contains(lease) {
            return Err(format!("nobody finds that {id} holds {}", lease.path));
        }
    }
    Ok(leases)
}

/// What session `b` held stands in nobody's way, its client being gone. Takes it all.
pub(crate) fn the_dead_hold_nothing(field: &Field) -> Check {
    for lease in leased(field)? {
        if lease.holder.session.as_ref().is_none_or(|id| id.as_str() != "b") || lease.path.contains('*') {
            continue;
        }
        let said = field.write("b2", &lease.path).said();
        if !said.is_silent() {
            return Err(format!("{} is kept by {:?}: {said:?}", lease.path, lease.holder));
        }
    }
    let numbers: Vec<u64> = leased(field)?.iter().map(|l| l.fencing).collect();
    let mut once = numbers.clone();
    once.sort_unstable();
    once.dedup();
    if once.len() == numbers.len() { Ok(()) } else { Err(format!("a number was given twice: {numbers:?}")) }
}

/// The bodies that new sessions of `domain` are told, and how often each. What older sessions were told and did not
/// see is told again, because these are gone.
fn told(field: &Field, domain: &str) -> Heard {
    let id = format!("next-{domain}");
    field.register(&id, domain);
    let mut heard = BTreeMap::new();
    let mut hear = |text: &str| {
        let bodies = text.lines().filter_map(|line| line.strip_prefix("> "));
        bodies.for_each(|body| *heard.entry(body.to_owned()).or_default() += 1);
        text.is_empty()
    };
    hear(&field.start(&id).said().context());
    for _ in 0..20 {
        if hear(&field.prompt(&id).said().context()) {
            break;
        }
    }
    heard
}

/// Of the messages to `domain`, those that `must` be told are, once, and no others but those that `may` be.
pub(crate) fn told_once(field: &Field, domain: &str, must: &[&str], may: &[&str]) -> Result<Heard, String> {
    let heard = told(field, domain);
    if let Some(body) = must.iter().find(|body| !heard.contains_key(**body)) {
        return Err(format!("{domain} never hears {body:?}, only {heard:?}"));
    }
    for (body, times) in &heard {
        if *times != 1 {
            return Err(format!("{domain} hears {body:?} {times} times"));
        }
        if !must.contains(&&**body) && !may.contains(&&**body) {
            return Err(format!("{domain} hears {body:?}, which it knew or nobody said"));
        }
    }
    Ok(heard)
}

/// Nothing of a sender that died stays behind once a minute has passed and somebody looks.
pub(crate) fn senders_leave_nothing(field: &Field) -> Check {
    let sending = field.state().join("sending");
    for path in files(&sending) {
        let file = File::options().append(true).open(&path).map_err(|e| e.to_string())?;
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(120);
        file.set_modified(then).map_err(|e| e.to_string())?;
    }
    let looked = field.person(&["sent", "--json"]).said();
    if looked.code != Some(0) {
        return Err(format!("{looked:?}"));
    }
    let mut left = files(&sending);
    let undelivered = |p: &PathBuf| p.parent().is_some_and(|dir| dir.ends_with("tmp"));
    left.extend(files(&field.state().join("mail")).into_iter().filter(undelivered));
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {left:?}")) }
}

/// The settings are JSON, and what others put there is as it was.
pub(crate) fn settings_keep(path: &Path, foreign: &str) -> Check {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut now: Value = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
    let before: Value = serde_json::from_str(foreign).expect("JSON");
    let ours = |v: &Value| v.to_string().contains("comm-node");
    let empty =
        |v: &Value| v.as_array().is_some_and(Vec::is_empty) || v.as_object().is_some_and(|o| o.is_empty());
    if let Some(hooks) = now.get_mut("hooks").and_then(Value::as_object_mut) {
        for list in hooks.values_mut().filter_map(Value::as_array_mut) {
            list.retain(|v| !ours(v));
        }
        hooks.retain(|_, v| !empty(v));
    }
    if let Some(rules) = now.pointer_mut("/permissions/allow").and_then(Value::as_array_mut) {
        rules.retain(|v| !ours(v));
    }
    let same = |a: &Value, b: &Value| a == b;
    for (key, value) in before.as_object().expect("an object") {
        if !now.get(key).is_some_and(|v| same(v, value)) {
            return Err(format!("`{key}` was {value} and is {:?}", now.get(key)));
        }
    }
    Ok(())
}

/// Each check sees what it is there for.
#[test]
fn the_checks_can_fail() {
    let field = Field::new();
    let id = field.send("first", &[]);
    assert!(field.write("b", "api/a.txt").said().is_silent());
    field.save();
    let anew = || field.put_back();
    let put = |path: &str, text: &str| fs::write(field.state().join(path), text).expect("writes");
    // As it is nothing is wrong.
    files_are_whole(&field).expect("whole");
    locks_are_free(&field).expect("free");
    others_go_on(&field).expect("go on");
    senders_leave_nothing(&field).expect("nothing");

    for (path, text) in [
        ("sessions/f.jsonl", "{\"version\": 1, "),
        ("log/events.jsonl", "{\"t\":"),
        ("leases/00.jsonl", "{\"version\":1}\n{\"path\":\n"),
        ("sending/x.md", "---\nversion: 1\n"),
        ("sessions/.f.jsonl.1-0.swap", "{}"),
        ("outbox/.x.1-0.tmp", "{}"),
        ("leases.lock", "1"),
        ("paused", "{"),
    ] {
        anew();
        let _ = fs::create_dir_all(field.state().join(path).parent().expect("a parent"));
        put(path, text);
        assert!(files_are_whole(&field).is_err(), "{path}");
    }

    anew();
    let held = File::options().write(true).open(field.state().join("leases.lock")).expect("opens");
    held.lock().expect("locks");
    assert!(locks_are_free(&field).is_err());
    drop(held);

    put("paused", "{}");
    assert!(others_go_on(&field).is_err());
    anew();
    fs::write(field.node().join("comm-node.yaml"), super::field::ANYWHERE).expect("writes");
    assert!(others_go_on(&field).is_err(), "a guard that lets everything through");
    field.rules();

    anew();
    leased(&field).expect("as it was");
    put("leases/of/b.jsonl", "{\"version\":1}\n");
    assert!(leased(&field).is_err(), "a lease that its holder does not find");

    anew();
    assert!(the_dead_hold_nothing(&field).is_err(), "its client lives");
    field.bury("b");
    the_dead_hold_nothing(&field).expect("nothing is kept");

    anew();
    told_once(&field, "backend", &["first"], &[]).expect("told once");
    anew();
    assert!(told_once(&field, "backend", &[], &[]).is_err(), "nobody said it");
    anew();
    let file = field.state().join("mail/backend/new").join(format!("{id}.medium.md"));
    let second = comm_node_core::mail::Ulid::fresh(1, None).text();
    let copy = file.with_file_name(format!("{second}.medium.md"));
    // Its id stands in it too; one that has another is no message.
    let text = fs::read_to_string(&file).expect("reads").replace(&id.to_string(), &second);
    fs::write(&copy, text).expect("copies");
    assert!(told_once(&field, "backend", &["first"], &[]).is_err(), "it is there twice");
    anew();
    fs::remove_file(&file).expect("removes");
    assert!(told_once(&field, "backend", &["first"], &[]).is_err(), "it is gone");

    anew();
    fs::copy(
        field.state().join("sent").join(day_of(&field)).join(format!("{id}.md")),
        field.state().join("mail/backend/tmp/x.md"),
    )
    .expect("copies");
    assert!(senders_leave_nothing(&field).is_err());

    let settings = field.top.join("settings.json");
    let foreign =
        r#"{"model": "x", "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "mine"}]}]}}"#;
    fs::write(&settings, foreign).expect("writes");
    settings_keep(&settings, foreign).expect("as it was");
    for broken in [r#"{"model": "x"}"#, r#"{"model": "x", "hooks""#, "", r#"{"model": "y", "hooks": {}}"#] {
        fs::write(&settings, broken).expect("writes");
        assert!(settings_keep(&settings, foreign).is_err(), "{broken}");
    }
}

/// Where the author's copies of frontend are: there is one day.
fn day_of(field: &Field) -> String {
    let days = field.store().mail().sent_days("frontend").expect("lists");
    format!("frontend/{}", days.first().expect("a day"))
}
