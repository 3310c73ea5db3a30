//! Messages between domains: what they say and what they cost. Values only; `store::mail` keeps them.
//!
//! - [`Draft`] is what an author says, [`Message`] that with what comm-node adds.
//! - [`form`] is the file, [`signal`] the one-line tier.
//! - [`frame`] is how a message is put before a model: as data of another agent, escaped, capped.

pub mod form;
pub mod frame;
pub mod signal;
mod ulid;

use serde::Serialize;

pub use ulid::Ulid;

use crate::text;

/// The address of the person.
pub const HUMAN: &str = "human";
/// The address of every domain but one's own.
pub const EVERYONE: &str = "*";

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One line: done, acknowledged, alive.
    Signal,
    /// Wants an answer.
    Question,
    /// Answers one, or just tells.
    Answer,
    /// A file is published.
    ArtifactReady,
    /// The author can't go on.
    Blocked,
    /// Asks for a hand.
    Help,
    /// Passes a task on.
    Handoff,
    /// Gives a task.
    Task,
    /// Asks for tokens.
    BudgetRequest,
    /// Begins a common effort.
    Kickoff,
    /// Everybody begins.
    Start,
    /// Everybody stops.
    Stop,
}

/// The names of the kinds, in the order of [`Kind`].
pub const KINDS: [(&str, Kind); 12] = [
    ("signal", Kind::Signal),
    ("question", Kind::Question),
    ("answer", Kind::Answer),
    ("artifact_ready", Kind::ArtifactReady),
    ("blocked", Kind::Blocked),
    ("help", Kind::Help),
    ("handoff", Kind::Handoff),
    ("task", Kind::Task),
    ("budget_request", Kind::BudgetRequest),
    ("kickoff", Kind::Kickoff),
    ("start", Kind::Start),
    ("stop", Kind::Stop),
];

impl Kind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// True if the message stays open until somebody acknowledges or answers it.
    #[must_use]
    pub fn wants_reaction(self) -> bool {
        !matches!(self, Self::Signal | Self::Answer | Self::ArtifactReady | Self::Start | Self::Stop)
    }
}

/// How soon a message should be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// In the middle of a turn.
    High,
    /// At the next prompt.
    #[default]
    Medium,
    /// After the others.
    Low,
}

/// The names of the priorities.
pub const PRIORITIES: [(&str, Priority); 3] =
    [("high", Priority::High), ("medium", Priority::Medium), ("low", Priority::Low)];

impl Priority {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        PRIORITIES.iter().find(|(_, p)| *p == self).map_or("", |(name, _)| name)
    }
}

/// The order in which waiting messages are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Its author waits for it.
    Blocks,
    /// By its priority.
    By(Priority),
}

impl Rank {
    /// All of them, first one first.
    pub const ALL: [Self; 4] =
        [Self::Blocks, Self::By(Priority::High), Self::By(Priority::Medium), Self::By(Priority::Low)];

    /// True if it is worth telling in the middle of a turn.
    #[must_use]
    pub fn is_urgent(self) -> bool {
        self <= Self::By(Priority::High)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::By(priority) => priority.name(),
        }
    }

    /// The rank called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name == "blocks" {
            return Some(Self::Blocks);
        }
        PRIORITIES.iter().find(|(n, _)| *n == name).map(|(_, p)| Self::By(*p))
    }
}

/// How large a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// One line.
    Signal,
    /// Two or three sentences.
    Coordination,
    /// Sections.
    Detailed,
}

impl Tier {
    /// The most estimated tokens that a reader may have to pay for it.
    #[must_use]
    pub fn limit(self) -> usize {
        match self {
            Self::Signal => 20,
            Self::Coordination => 120,
            Self::Detailed => 600,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Coordination => "coordination",
            Self::Detailed => "detailed",
        }
    }

    /// The tier called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Signal, Self::Coordination, Self::Detailed].into_iter().find(|tier| tier.name() == name)
    }
}

/// What the author of a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Domain names and [`HUMAN`]; [`EVERYONE`] stands before the names that it meant.
    pub to: Vec<String>,
    /// What kind of message it is.
    pub kind: Kind,
    /// The task it is about.
    pub task: Option<String>,
    /// How soon it should be read.
    pub priority: Priority,
    /// The first message of the conversation, if this is not it.
    pub thread: Option<Ulid>,
    /// The message that this answers.
    pub reply_to: Option<Ulid>,
    /// True if the author can't go on before it is answered.
    pub blocks_progress: bool,
    /// What the author will spend on the answer, in tokens.
    pub token_budget: Option<u32>,
    /// Published files that it is about.
    pub artifacts: Vec<String>,
    /// After this many seconds nobody needs it any more.
    pub expires_s: Option<u64>,
    /// True if the author asked for the largest tier.
    pub detailed: bool,
    /// The text: Markdown, or one line.
    pub body: String,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            kind: Kind::Answer,
            task: None,
            priority: Priority::Medium,
            thread: None,
            reply_to: None,
            blocks_progress: false,
            token_budget: None,
            artifacts: Vec::new(),
            expires_s: None,
            detailed: false,
            body: String::new(),
        }
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: Ulid,
    /// The domain of the session that sent it, or [`HUMAN`].
    pub from: String,
    /// What it says.
    pub said: Draft,
}

impl Message {
    /// Where it stands among others.
    #[must_use]
    pub fn rank(&self) -> Rank {
        if self.said.blocks_progress { Rank::Blocks } else { Rank::By(self.said.priority) }
    }

    /// The first message of its conversation.
    #[must_use]
    pub fn thread(&self) -> Ulid {
        self.said.thread.unwrap_or(self.id)
    }

    /// When it expires, in milliseconds since 1970.
    #[must_use]
    pub fn expires_ms(&self) -> Option<u64> {
        self.said.expires_s.map(|s| self.id.ms().saturating_add(s.saturating_mul(1000)))
    }

    /// True if nobody needs it at `now_ms` any more.
    #[must_use]
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_ms().is_some_and(|end| end <= now_ms)
    }

    /// True if it stays open until somebody acknowledges or answers it.
    #[must_use]
    pub fn wants_reaction(&self) -> bool {
        self.said.blocks_progress || self.said.kind.wants_reaction()
    }

    /// The tier it is in.
    #[must_use]
    pub fn tier(&self) -> Tier {
        match (self.said.kind, self.said.detailed) {
            (Kind::Signal, _) => Tier::Signal,
            (_, false) => Tier::Coordination,
            (_, true) => Tier::Detailed,
        }
    }

    /// What a reader pays for it, in estimated tokens: the block that is put before the model.
    #[must_use]
    pub fn cost(&self) -> usize {
        text::estimate_tokens(&frame::block(self))
    }
}

/// True if `text` can be a domain's name, and so a directory's.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !text.is_empty() && text.len() <= 100 && !text.starts_with('-') && text.bytes().all(good)
}

/// Where a task's or a file's name ends in a signal, and what it therefore can't contain.
#[must_use]
pub fn is_word(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.len() <= max
        && !text.contains(['→', '📄', '[', ']', '`', ',', '<', '>'])
        && !text.chars().any(|c| c.is_whitespace() || text::is_hidden(c))
}

/// The largest body that is looked at, in bytes; the tiers allow far less.
pub const MAX_BODY: usize = 16 << 10;
/// Characters of a task's name.
const MAX_TASK: usize = 80;
/// Characters of an artifact's path.
const MAX_ARTIFACT: usize = 200;
/// Artifacts of one message.
const MAX_ARTIFACTS: usize = 10;

/// What is wrong with a draft apart from its recipients and its size, as *what; what to do*.
#[must_use]
pub fn fault(draft: &Draft) -> Option<String> {
    let shown = |raw: &str| text::one_line(raw, 60).into_owned();
    if draft.body.len() > MAX_BODY {
        let (len, max) = (draft.body.len(), MAX_BODY);
        return Some(format!(
            "the body has {len} bytes, more than {max}; publish a file and point to it with --artifact"
        ));
    }
    if draft.body.contains('\0') {
        return Some("the body contains a NUL byte; send text".to_owned());
    }
    if draft.body.trim().is_empty() {
        return Some("the message has no body; say something, as an argument or on stdin".to_owned());
    }
    if let Some(task) = &draft.task
        && !is_word(task, MAX_TASK)
    {
        return Some(format!("`{}` is no task's name; write one word such as bd-102", shown(task)));
    }
    if draft.artifacts.len() > MAX_ARTIFACTS {
        return Some(format!("it names {} artifacts; {MAX_ARTIFACTS} at most", draft.artifacts.len()));
    }
    let climbs = |path: &str| path.starts_with('/') || path.split(['/', '\\']).any(|part| part == "..");
    if let Some(path) = draft.artifacts.iter().find(|path| !is_word(path, MAX_ARTIFACT) || climbs(path)) {
        let path = shown(path);
        return Some(format!(
            "`{path}` is no artifact's path; write it below artifacts/, such as backend/api.yaml"
        ));
    }
    if draft.token_budget.is_some_and(|n| n == 0 || n > 100_000) {
        return Some("the token budget must be from 1 to 100000".to_owned());
    }
    None
}

/// True for what may be sent although its author has nothing left to spend: what closes work, asks for more, or is
/// said to the person alone.
#[must_use]
pub fn is_spared(draft: &Draft) -> bool {
    let to_person = draft.to.iter().all(|to| to == HUMAN) && !draft.to.is_empty();
    to_person || matches!(draft.kind, Kind::Handoff | Kind::BudgetRequest)
}

/// Why a message is too large for its tier, as *what; what to do*.
#[must_use]
pub fn too_large(message: &Message) -> Option<String> {
    let (tier, cost) = (message.tier(), message.cost());
    let limit = tier.limit();
    if cost <= limit {
        return None;
    }
    let advice = match tier {
        Tier::Signal => "say less, or leave `--type signal` out",
        Tier::Coordination => {
            "say it in two or three sentences, publish an artifact and point to it with --artifact, or add --detailed \
             (600 tokens) for a design discussion"
        }
        Tier::Detailed => "publish an artifact and point to it with --artifact",
    };
    Some(format!(
        "the message costs its reader about {cost} tokens, a {} may cost {limit}; {advice}",
        tier.name()
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn message(body: &str) -> Message {
        let said =
            Draft { to: vec!["backend".into()], body: body.into(), kind: Kind::Question, ..Draft::default() };
        Message { id: Ulid::fresh(1_700_000_000_000, None), from: "frontend".into(), said }
    }

    #[test]
    fn names_are_read_back() {
        for (name, kind) in KINDS {
            assert_eq!(kind.name(), name);
        }
        for (name, priority) in PRIORITIES {
            assert_eq!(priority.name(), name);
            assert_eq!(Rank::named(name), Some(Rank::By(priority)));
        }
        assert_eq!(Rank::named("blocks"), Some(Rank::Blocks));
        assert_eq!(Rank::named("urgent"), None);
    }

    #[test]
    fn who_waits_comes_first() {
        let mut ranks =
            [Rank::By(Priority::Low), Rank::By(Priority::High), Rank::Blocks, Rank::By(Priority::Medium)];
        ranks.sort();
        assert_eq!(ranks, Rank::ALL);
        let names: Vec<&str> = ranks.iter().map(|r| r.name()).collect();
        assert_eq!(names, ["blocks", "high", "medium", "low"]);
        assert!(Rank::By(Priority::High).is_urgent() && !Rank::By(Priority::Medium).is_urgent());
    }

    #[test]
    fn tiers_have_limits() {
        let mut m = message(&"word ".repeat(90));
        assert_eq!(too_large(&m), None, "{}", m.cost());
        m.said.body = "word ".repeat(120);
        assert!(
            too_large(&m)
                .is_some_and(|why| why.contains("a coordination may cost 120") && why.contains("--detailed"))
        );
        m.said.detailed = true;
        assert_eq!(too_large(&m), None);
        m.said.body = "word ".repeat(600);
        assert!(too_large(&m).is_some_and(|why| why.contains("may cost 600")));
        m.said.kind = Kind::Signal;
        assert!(too_large(&m).is_some_and(|why| why.contains("a signal may cost 20")));
    }

    #[test]
    fn drafts_are_checked() {
        let good = message("hello").said;
        assert_eq!(fault(&good), None);
        let bad = [
            Draft { body: " \n".into(), ..good.clone() },
            Draft { body: "a\0b".into(), ..good.clone() },
            Draft { body: "x".repeat(MAX_BODY + 1), ..good.clone() },
            Draft { task: Some("two words".into()), ..good.clone() },
            Draft { task: Some("a→b".into()), ..good.clone() },
            Draft { artifacts: vec!["../secrets".into()], ..good.clone() },
            Draft { artifacts: vec!["/etc/passwd".into()], ..good.clone() },
            Draft { artifacts: vec!["a".into(); 11], ..good.clone() },
            Draft { token_budget: Some(0), ..good },
        ];
        for draft in bad {
            assert!(fault(&draft).is_some_and(|why| why.contains(';') || why.contains("must")), "{draft:?}");
        }
    }

    #[test]
    fn what_closes_work_is_always_let_through() {
        let to = |to: &[&str], kind| Draft {
            to: to.iter().map(|s| (*s).to_owned()).collect(),
            kind,
            ..message("x").said
        };
        assert!(is_spared(&to(&["human"], Kind::Question)) && is_spared(&to(&["docs"], Kind::Handoff)));
        assert!(is_spared(&to(&["docs"], Kind::BudgetRequest)));
        assert!(!is_spared(&to(&["human", "docs"], Kind::Answer)) && !is_spared(&to(&[], Kind::Answer)));
    }

    #[test]
    fn expiry_counts_from_the_id() {
        let mut m = message("x");
        assert!(!m.is_expired(u64::MAX));
        m.said.expires_s = Some(60);
        assert!(!m.is_expired(m.id.ms() + 59_999) && m.is_expired(m.id.ms() + 60_000));
    }

    /// The figures of `docs/mail.md`.
    #[test]
    fn the_same_said_in_four_ways() {
        let prose = "Hi frontend team, this is the backend session. I wanted to let you know that I have now finished \
                     working on task bd-123. The description of the API has been published as api.yaml, so you can go \
                     ahead and begin with the task integrate-jwt. Please treat this as a high priority.";
        let markdown = "## Status update\n\n- **From:** backend\n- **To:** frontend\n- **Priority:** high\n- **Task:** bd-123 is \
                        done\n- **Artifact:** `api.yaml` is published\n\n### Next step\n\nYou can begin with `integrate-jwt`.";
        let said = Draft {
            task: Some("bd-123".into()),
            kind: Kind::ArtifactReady,
            priority: Priority::High,
            artifacts: vec!["api.yaml".into()],
            body: "It is done; integrate-jwt can begin.".into(),
            ..message("").said
        };
        let coordination = Message { said, from: "backend".into(), ..message("") };
        let line = "✓bd-123 backend→frontend [!] 📄api.yaml →integrate-jwt";
        let said = signal::Signal::parse(line).expect("valid").draft("backend");
        let signal = Message { said, from: "backend".into(), ..message("") };
        let costs = [
            text::estimate_tokens(prose),
            text::estimate_tokens(markdown),
            coordination.cost(),
            signal.cost(),
        ];
        assert_eq!(costs, [66, 47, 27, 18]);
        assert!(costs[0] >= 3 * costs[3]);
    }
}
