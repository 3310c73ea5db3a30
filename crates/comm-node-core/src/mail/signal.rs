//! The smallest tier: one line such as `✓bd-123 backend→frontend [!] 📄api.yaml →integrate-jwt`.
//!
//! ```text
//! signal   = mark [task] " " [from] "→" to {"," to} [" [!]" | " [~]"] {" 📄" path} [" →" next]
//! mark     = ✓ done | ✗ failed | ▶ started | ↩ acknowledged | ♥ alive
//! [!], [~] = high, low priority
//! ```

use super::{Draft, EVERYONE, Kind, Message, Priority, is_name, is_word};
use crate::text;

/// What a signal says of its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It is done.
    Done,
    /// It was given up.
    Failed,
    /// It was begun.
    Started,
    /// The message about it arrived.
    Acknowledged,
    /// The author is at it.
    Alive,
}

/// The marks: sign, word, meaning.
pub const MARKS: [(char, &str, Mark); 5] = [
    ('✓', "done", Mark::Done),
    ('✗', "failed", Mark::Failed),
    ('▶', "started", Mark::Started),
    ('↩', "ack", Mark::Acknowledged),
    ('♥', "alive", Mark::Alive),
];

const ARROW: char = '→';
const FILE: char = '📄';

/// A signal in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// What happened.
    pub mark: Mark,
    /// The task.
    pub task: Option<String>,
    /// Who says it, where it was said.
    pub from: Option<String>,
    /// To whom.
    pub to: Vec<String>,
    /// How soon it should be read.
    pub priority: Priority,
    /// Published files.
    pub artifacts: Vec<String>,
    /// The task that can begin now.
    pub next: Option<String>,
}

/// True if `line` looks like a signal, valid or not.
#[must_use]
pub fn is_signal(line: &str) -> bool {
    line.starts_with(|c| MARKS.iter().any(|(sign, _, _)| *sign == c)) && line.contains(ARROW)
}

/// The sign for a mark's word, such as `✓` for `done`.
#[must_use]
pub fn mark_named(word: &str) -> Option<Mark> {
    MARKS.iter().find(|(_, name, _)| *name == word).map(|(_, _, mark)| *mark)
}

impl Signal {
    /// The signal in `line`.
    ///
    /// # Errors
    /// What is wrong with it and what would be right.
    pub fn parse(line: &str) -> Result<Self, String> {
        let shape = "write ✓task →domain, then [!], 📄file and →next as needed";
        let wrong = |what: &str, word: &str| format!("{what} `{}`; {shape}", text::one_line(word, 40));
        let mut words = line.split(' ');
        let first = words.next().unwrap_or_default();
        let sign = first.chars().next().unwrap_or(' ');
        let Some((_, _, mark)) = MARKS.iter().find(|(c, _, _)| *c == sign) else {
            return Err(wrong("a signal begins with ✓ ✗ ▶ ↩ or ♥, not with", first));
        };
        let task = first.get(sign.len_utf8()..).filter(|task| !task.is_empty());
        if let Some(task) = task.filter(|task| !is_word(task, 80)) {
            return Err(wrong("this is no task's name:", task));
        }
        let route = words.next().unwrap_or_default();
        let Some((from, to)) = route.split_once(ARROW) else {
            return Err(wrong("the second word must say from whom to whom, not", route));
        };
        let to: Vec<String> = to.split(',').map(str::to_owned).collect();
        let name = |name: &str| name == EVERYONE || is_name(name);
        if !to.iter().all(|to| name(to)) || !(from.is_empty() || is_name(from)) {
            return Err(wrong("this is no domain's name:", route));
        }
        let mut signal = Self {
            mark: *mark,
            task: task.map(str::to_owned),
            from: Some(from).filter(|from| !from.is_empty()).map(str::to_owned),
            to,
            priority: Priority::Medium,
            artifacts: Vec::new(),
            next: None,
        };
        for word in words {
            match word {
                "[!]" if signal.priority == Priority::Medium => signal.priority = Priority::High,
                "[~]" if signal.priority == Priority::Medium => signal.priority = Priority::Low,
                _ => {
                    if let Some(path) = word.strip_prefix(FILE).filter(|path| is_word(path, 200)) {
                        signal.artifacts.push(path.to_owned());
                    } else if let Some(next) = word.strip_prefix(ARROW).filter(|next| is_word(next, 80))
                        && signal.next.is_none()
                    {
                        signal.next = Some(next.to_owned());
                    } else {
                        return Err(wrong("a signal has no room for", word));
                    }
                }
            }
        }
        Ok(signal)
    }

    /// The signal as a line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut out = String::with_capacity(80);
        out.extend(MARKS.iter().find(|(_, _, mark)| *mark == self.mark).map(|(sign, _, _)| *sign));
        out.push_str(self.task.as_deref().unwrap_or_default());
        out.push(' ');
        out.push_str(self.from.as_deref().unwrap_or_default());
        out.push(ARROW);
        out.push_str(&self.to.join(","));
        out.push_str(match self.priority {
            Priority::High => " [!]",
            Priority::Medium => "",
            Priority::Low => " [~]",
        });
        for path in &self.artifacts {
            out.push(' ');
            out.push(FILE);
            out.push_str(path);
        }
        if let Some(next) = &self.next {
            out.push(' ');
            out.push(ARROW);
            out.push_str(next);
        }
        out
    }

    /// What `from` says with it. The line names who says it, and everyone as `*`.
    #[must_use]
    pub fn draft(&self, from: &str) -> Draft {
        let said = Self { from: Some(from.to_owned()), ..self.clone() };
        Draft {
            to: self.to.clone(),
            kind: Kind::Signal,
            task: self.task.clone(),
            priority: self.priority,
            artifacts: self.artifacts.clone(),
            body: said.line(),
            ..Draft::default()
        }
    }

    /// The signal that `message` is, if it is one.
    #[must_use]
    pub fn of(message: &Message) -> Option<Self> {
        let signal = Self::parse(&message.said.body).ok()?;
        (message.said.kind == Kind::Signal && signal.from.as_deref() == Some(&message.from)).then_some(signal)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Ulid, form};
    use super::*;

    const EXAMPLE: &str = "✓bd-123 backend→frontend [!] 📄api.yaml →integrate-jwt";

    #[test]
    fn the_designs_example() {
        let signal = Signal::parse(EXAMPLE).expect("valid");
        assert_eq!(signal.mark, Mark::Done);
        assert_eq!(signal.task.as_deref(), Some("bd-123"));
        assert_eq!(
            (signal.from.as_deref(), signal.to.as_slice()),
            (Some("backend"), &["frontend".to_owned()][..])
        );
        assert_eq!(signal.priority, Priority::High);
        assert_eq!(
            (signal.artifacts.as_slice(), signal.next.as_deref()),
            (&["api.yaml".to_owned()][..], Some("integrate-jwt"))
        );
        assert_eq!(signal.line(), EXAMPLE);
        let message =
            Message { id: Ulid::fresh(1, None), from: "backend".into(), said: signal.draft("backend") };
        assert_eq!(super::super::too_large(&message), None, "{} tokens", message.cost());
    }

    #[test]
    fn faults_are_named() {
        for (line, why) in [
            ("hello", "begins with"),
            ("✓bd-1", "from whom to whom"),
            ("✓bd-1 backend", "from whom to whom"),
            ("✓bd-1 →", "no domain's name"),
            ("✓bd-1 →a,,b", "no domain's name"),
            ("✓bd-1 →a please look", "no room for `please`"),
            ("✓bd-1 →a →x →y", "no room for `→y`"),
            ("✓bd-1 →a [!] [~]", "no room for `[~]`"),
            ("✓bd-1 →a  →x", "no room for ``"),
            ("✓b\u{202e}d →a", "no task's name"),
        ] {
            assert!(Signal::parse(line).is_err_and(|e| e.contains(why)), "{line}: {:?}", Signal::parse(line));
        }
        assert!(is_signal("♥ →*") && !is_signal("✓ done") && !is_signal("a →b"));
    }

    fn word() -> impl Strategy<Value = String> {
        "[a-zA-Zé0-9][a-z0-9./_-]{0,8}"
    }

    prop_compose! {
        fn signals()(
            mark in 0..MARKS.len(),
            task in prop::option::of(word()),
            to in prop_oneof![prop::collection::vec("[a-z][a-z0-9_-]{0,8}", 1..4), Just(vec!["*".to_owned()])],
            priority in prop_oneof![Just(Priority::High), Just(Priority::Medium), Just(Priority::Low)],
            artifacts in prop::collection::vec(word(), 0..3),
            next in prop::option::of(word()),
        ) -> Signal {
            Signal { mark: MARKS[mark].2, task, from: Some("backend".into()), to, priority, artifacts, next }
        }
    }

    proptest! {
        #[test]
        fn a_line_and_its_structured_form_are_the_same(signal in signals()) {
            prop_assert_eq!(Signal::parse(&signal.line()), Ok(signal.clone()));
            let message = Message { id: Ulid::fresh(7, None), from: "backend".into(), said: signal.draft("backend") };
            let read = form::read(&form::write(&message)).expect("reads");
            prop_assert_eq!(Signal::of(&read), Some(signal.clone()));
            prop_assert_eq!((&read.said.task, &read.said.artifacts), (&signal.task, &signal.artifacts));
        }

        #[test]
        fn nothing_makes_it_panic(line in "[✓✗▶]?(\\PC|→|📄| ){0,40}") {
            if let Ok(signal) = Signal::parse(&line) {
                prop_assert_eq!(signal.line(), line);
            }
        }
    }
}
