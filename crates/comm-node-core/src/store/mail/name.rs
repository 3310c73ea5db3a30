//! What the name of a message's file says.

use crate::mail::{Rank, Ulid};
use crate::session::SessionId;

/// Which part of a mailbox a message is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Not yet known to be seen.
    New,
    /// Seen and open.
    Cur,
    /// Closed.
    Archive,
}

/// How far a message got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody was told.
    Queued,
    /// It was told to a session that was resumed without it. Whoever takes it may know it too.
    Again,
    /// A hook of this session is about to tell it.
    Offering(SessionId),
    /// This session was told.
    Offered(SessionId),
    /// The model of this session went on with it.
    Seen(SessionId),
    /// This session, or a person, acknowledged or answered it.
    Acked(SessionId),
    /// Its time was over before anybody was told.
    Expired,
}

impl State {
    /// The state's name, as people see it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Queued | Self::Again | Self::Offering(_) => "queued",
            Self::Offered(_) => "offered",
            Self::Seen(_) => "seen",
            Self::Acked(_) => "acked",
            Self::Expired => "expired",
        }
    }

    /// The session that brought it there.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        match self {
            Self::Queued | Self::Again | Self::Expired => None,
            Self::Offering(id) | Self::Offered(id) | Self::Seen(id) | Self::Acked(id) => Some(id),
        }
    }
}

/// A message in a mailbox, as far as its name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: Ulid,
    /// When its turn comes.
    pub rank: Rank,
    /// Where it is.
    pub place: Place,
    /// How far it got.
    pub state: State,
}

impl Item {
    /// The item that a file called `name` stands for in `place`, if it is one.
    #[must_use]
    pub fn parse(name: &str, place: Place) -> Option<Self> {
        let mut parts = name.strip_suffix(".md")?.split('.');
        let id = Ulid::parse(parts.next()?)?;
        let rank = Rank::named(parts.next()?)?;
        let state = match parts.next() {
            None => State::Queued,
            Some("expired") => State::Expired,
            Some("again") => State::Again,
            Some(text) => {
                let (word, session) = text.split_once('-')?;
                let session = SessionId::new(session).ok()?;
                match word {
                    "offering" => State::Offering(session),
                    "offered" => State::Offered(session),
                    "seen" => State::Seen(session),
                    "acked" => State::Acked(session),
                    _ => return None,
                }
            }
        };
        if parts.next().is_some() {
            return None;
        }
        Some(Self { id, rank, place, state })
    }

    /// The name of its file.
    #[must_use]
    pub fn name(&self) -> String {
        let mut out = self.id.text();
        out.push('.');
        out.push_str(self.rank.name());
        let word = match &self.state {
            State::Queued => None,
            State::Again => Some(".again"),
            State::Offering(_) => Some(".offering"),
            State::Expired => Some(".expired"),
            State::Offered(_) => Some(".offered"),
            State::Seen(_) => Some(".seen"),
            State::Acked(_) => Some(".acked"),
        };
        if let Some(word) = word {
            out.push_str(word);
        }
        if let Some(session) = self.state.session() {
            out.push('-');
            out.push_str(session.as_str());
        }
        out.push_str(".md");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Priority;

    #[test]
    fn names_are_read_back() {
        let id = Ulid::fresh(1_700_000_000_000, None);
        let session = SessionId::new("aaaa-bb_c").expect("valid");
        let states = [
            State::Queued,
            State::Again,
            State::Offering(session.clone()),
            State::Offered(session.clone()),
            State::Seen(session.clone()),
            State::Acked(session),
            State::Expired,
        ];
        for state in states {
            let item = Item { id, rank: Rank::By(Priority::High), place: Place::New, state };
            assert_eq!(Item::parse(&item.name(), Place::New), Some(item));
        }
    }

    #[test]
    fn other_files_are_none() {
        let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
        for name in [
            "x.md".to_owned(),
            format!("{id}.md"),
            format!("{id}.urgent.md"),
            format!("{id}.high.seen.md"),
            format!("{id}.high.seen-.md"),
            format!("{id}.high.lost-a.md"),
            format!("{id}.high.seen-a.b.md"),
            format!("{id}.high.seen-a/b.md"),
            format!("{id}.high.md.damaged-1"),
        ] {
            assert_eq!(Item::parse(&name, Place::New), None, "{name}");
        }
    }
}
