//! In which order messages are told, and which in the middle of a turn.

use serde::Serialize;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
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
}
