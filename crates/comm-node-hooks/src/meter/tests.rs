use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use comm_node_core::budget::{Budget, Limit, Span, Unit};
use comm_node_core::node::registry::{Layout, Registry};
use comm_node_core::store::Store;

use super::*;

const RULES: &str = r#"{"version":1,"source":{"size":0,"mtime_ns":0,"ctime_ns":0,"ino":0},"name":"shop",
    "trees":["/n"],"domains":[{"name":"api","scope":[]}]}"#;

/// A session of domain `api`, whose transcript has one response and waits for its calls.
struct Late {
    _dir: tempfile::TempDir,
    scene: Scene,
    session: Session,
    path: PathBuf,
}

fn line(id: &str, call: &str) -> String {
    format!(
        r#"{{"type":"assistant","parentUuid":"p","message":{{"id":"{id}","model":"m","usage":{{"output_tokens":5}},"content":[{{"type":"tool_use","id":"{call}"}}]}}}}"#
    ) + "\n"
}

impl Late {
    fn new(is_limited: bool) -> Self {
        let dir = tempfile::tempdir().expect("temp dir");
        let mut registry = Registry::parse(RULES).expect("valid");
        if is_limited {
            let limits = vec![Limit(Span::Day, Unit::Tokens, 1_000)];
            registry.domains[0].budget = Some(Box::new(Budget { limits, ..Budget::default() }));
        }
        let layout = Layout::at(dir.path().to_path_buf());
        let scene = Scene::with(layout.clone(), Store::new(layout.state()), registry);
        let id = SessionId::new("s1").expect("an id");
        let session = Session { domain: Some("api".to_owned()), ..Session::new(id) };
        let path = dir.path().join("s1.jsonl");
        fs::write(&path, line("m1", "toolu_1")).expect("writes");
        Self { _dir: dir, scene, session, path }
    }

    /// Meters the end of a batch with that call: how long it took, and how many responses are booked.
    fn batch(&self, call: &str) -> (Duration, u64) {
        let one = Call { tool_use_id: call.to_owned().into(), ..Call::default() };
        let path = self.path.display().to_string();
        let call = Call { transcript_path: path.into(), tool_calls: vec![one], ..Call::default() };
        let start = Instant::now();
        let deadline = Deadline::after(Duration::from_secs(3));
        at_batch(&self.scene, &self.session, &call, &Surroundings::default(), deadline);
        (start.elapsed(), self.scene.store.ledger().spent("api").expect("reads").total.usage.responses)
    }

    /// The same, while the line with that call is written 30 ms late.
    fn batch_late(&self) -> (Duration, u64) {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                let mut file = fs::File::options().append(true).open(&self.path).expect("opens");
                file.write_all(line("m2", "toolu_2").as_bytes()).expect("writes");
            });
            self.batch("toolu_2")
        })
    }
}

/// A machine may be busy for longer than anything here waits: once in five times is enough.
fn once(what: &str, mut is_so: impl FnMut() -> bool) {
    assert!((0..5).any(|_| is_so()), "{what}");
}

#[test]
fn what_is_written_late_is_booked_where_a_budget_needs_it() {
    once("the late response is booked with its own batch", || Late::new(true).batch_late().1 == 2);
    // What is there already is not waited for.
    once("no wait", || {
        let (took, booked) = Late::new(true).batch("toolu_1");
        booked == 1 && took < late::LAG
    });
}

#[test]
fn what_is_never_written_is_waited_for_no_longer_than_that() {
    let mut fastest = Duration::MAX;
    once("it ends", || {
        let (took, booked) = Late::new(true).batch("toolu_never");
        assert!(took >= late::LAG && booked == 1, "{took:?} {booked}");
        fastest = fastest.min(took);
        fastest < 2 * late::LAG
    });
}

#[test]
fn without_a_budget_nothing_is_waited_for() {
    once("it is at once", || Late::new(false).batch("toolu_never").0 < late::LAG);
    once("what comes late is for the next batch", || {
        let late = Late::new(false);
        late.batch_late().1 == 1 && late.batch("toolu_3").1 == 2
    });
}
