//! How large a message may be, by its tier.

use serde::Serialize;

use super::Message;

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
mod tests {
    use super::super::{Kind, tests::message};
    use super::*;

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
}
