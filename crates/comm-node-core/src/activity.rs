//! What a session does: as its agent said, and as its hooks and its client's process show.
//!
//! Decisions over values. [`Signs`] are read by whoever asks; [`state`] makes one word of them.

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::process::Liveness;
use crate::session::{SILENT_MS, Session};
use crate::text::one_line;

/// What an agent says of itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// It works.
    Busy,
    /// It has nothing to do.
    Idle,
    /// It can't go on.
    Blocked,
}

/// What a session does, as far as can be told.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody asks it anything.
    Idle,
    /// It works.
    Busy,
    /// It said that it can't go on.
    Blocked,
    /// It is in the middle of a turn, its client lives, and nothing was heard of it for [`SILENT_TURN_MS`]:
    /// it waits for a person's permission, runs something long, or hangs.
    Silent,
    /// Its client is gone, or can't be looked at and is not heard of any more.
    Lost,
}

impl State {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Blocked => "blocked",
            Self::Silent => "silent",
            Self::Lost => "lost",
        }
    }
}

/// In the middle of a turn a session that gives no sign of life for this long is silent.
pub const SILENT_TURN_MS: u64 = 2 * 60 * 1000;

/// What can be seen of a session from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signs {
    /// Whether its client's process lives.
    pub liveness: Liveness,
    /// When something was last heard of it: a hook's heartbeat, or a line in its transcript.
    pub heard_ms: u64,
    /// When the turn began that it is in, if it is in one.
    pub turn_ms: Option<u64>,
    /// True while a shell command of its runs in the foreground, for as long as that may take.
    pub runs_command: bool,
}

/// What `session` does at `now_ms`.
///
/// A client that lives is never lost, whatever it is silent about: its leases are its own until it ends
/// or a person takes them.
#[must_use]
pub fn state(session: &Session, signs: &Signs, now_ms: u64) -> State {
    let quiet_ms = now_ms.saturating_sub(signs.heard_ms);
    let silent = signs.turn_ms.is_some() && !signs.runs_command && quiet_ms >= SILENT_TURN_MS;
    match signs.liveness {
        Liveness::Dead => return State::Lost,
        Liveness::Unknown if silent || quiet_ms >= SILENT_MS => return State::Lost,
        _ if silent => return State::Silent,
        _ => {}
    }
    match (session.activity, signs.turn_ms) {
        (Some(Activity::Blocked), _) => State::Blocked,
        // What it said before it was asked again is over.
        (Some(Activity::Idle), Some(began)) if session.said_ms.is_some_and(|said| said >= began) => {
            State::Idle
        }
        (_, Some(_)) | (Some(Activity::Busy), None) => State::Busy,
        (Some(Activity::Idle) | None, None) => State::Idle,
    }
}

/// True if a person should hear that `session` is in `state`: once for each life that ended, and once for each
/// turn that fell silent.
#[must_use]
pub fn is_news(session: &Session, state: State, signs: &Signs) -> bool {
    match (state, session.reported, signs.turn_ms) {
        // That nobody asked it anything for long is no news where its process can't be looked at.
        (State::Lost, _, None) if signs.liveness == Liveness::Unknown => false,
        (State::Lost, None | Some((_, false)), _) => true,
        // Told, and heard of again since: it was resumed.
        (State::Lost, Some((at, true)), _) => at < signs.heard_ms,
        (State::Silent, told, Some(began)) => told.is_none_or(|(at, _)| at < began),
        _ => false,
    }
}

/// What a person is told of `session`, which holds so many leases.
#[must_use]
pub fn report(session: &Session, state: State, signs: &Signs, held: usize, now_ms: u64) -> String {
    let quiet = clock::span(now_ms.saturating_sub(signs.heard_ms));
    let (id, domain) = (session.session_id.short(), session.domain.as_deref().unwrap_or("no domain"));
    let mut text = ["session ", id, " of ", &one_line(domain, 60)].concat();
    let leases = match held {
        0 => String::new(),
        1 => "a lease".to_owned(),
        n => [&n.to_string(), " leases"].concat(),
    };
    if state == State::Silent {
        text.push_str(&[" was not heard of for ", &quiet, " in the middle of a turn"].concat());
        text.push_str(": it waits for your permission, runs something long, or hangs.");
        if held > 0 {
            text.push_str(&[" It lives, so it keeps ", &leases, "."].concat());
        }
        return text;
    }
    text.push_str(match signs.liveness {
        Liveness::Dead => " is lost: its client is gone",
        _ => " is lost: it is not heard of any more",
    });
    text.push_str(&[" (last seen ", &quiet, " ago"].concat());
    if signs.turn_ms.is_some() {
        text.push_str(", in the middle of a turn");
    }
    text.push_str(").");
    if held > 0 {
        let free = if signs.liveness == Liveness::Dead {
            " no longer counts"
        } else {
            " ends when its time is over"
        };
        text.push_str(&[" What it held (", &leases, ")", free, "."].concat());
    }
    text.push_str(&[" `claude --resume ", session.session_id.as_str(), "` goes on with it."].concat());
    text
}

/// The percentage that `text` says: `40`, `40%` or `2/5`.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn progress(text: &str) -> Result<u8, String> {
    let number = |part: &str| -> Option<u32> {
        let part = part.trim();
        (!part.is_empty() && part.len() <= 6 && part.bytes().all(|b| b.is_ascii_digit())).then_some(())?;
        part.parse().ok()
    };
    let percent = match text.split_once('/') {
        Some((done, all)) => match (number(done), number(all)) {
            (Some(done), Some(all)) if all > 0 && done <= all => Some(done * 100 / all),
            _ => None,
        },
        None => number(text.trim().strip_suffix('%').unwrap_or(text)).filter(|percent| *percent <= 100),
    };
    percent.and_then(|percent| u8::try_from(percent).ok()).ok_or_else(|| {
        format!(
            "`{}` is no progress; say 0 to 100, as in 40 or 40%, or parts done as in 2/5",
            one_line(text, 40)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionId;

    const NOW: u64 = 1_000_000_000;

    fn session(activity: Option<Activity>, said_ms: u64) -> Session {
        Session { activity, said_ms: Some(said_ms), ..Session::new(SessionId::new("s").expect("an id")) }
    }

    fn signs(liveness: Liveness, quiet_ms: u64, turn_ago_ms: Option<u64>) -> Signs {
        Signs {
            liveness,
            heard_ms: NOW - quiet_ms,
            turn_ms: turn_ago_ms.map(|ago| NOW - ago),
            runs_command: false,
        }
    }

    #[test]
    fn the_word_for_it() {
        use Activity::{Blocked, Busy, Idle};
        use Liveness::{Alive, Dead, Unknown};
        let long = SILENT_TURN_MS;
        for (said, at_ago, signs, expected) in [
            (None, 0, signs(Alive, 0, None), State::Idle),
            (None, 0, signs(Alive, 99 * long, None), State::Idle),
            (None, 0, signs(Alive, 0, Some(5)), State::Busy),
            (Some(Busy), 3, signs(Alive, 0, None), State::Busy),
            // Said in this turn, and before it.
            (Some(Idle), 3, signs(Alive, 0, Some(5)), State::Idle),
            (Some(Idle), 9, signs(Alive, 0, Some(5)), State::Busy),
            (Some(Blocked), 9, signs(Alive, 0, Some(5)), State::Blocked),
            (Some(Blocked), 9, signs(Alive, 0, None), State::Blocked),
            (Some(Blocked), 9, signs(Alive, long, Some(long)), State::Silent),
            (None, 0, signs(Alive, long - 1, Some(long)), State::Busy),
            (None, 0, Signs { runs_command: true, ..signs(Alive, 9 * long, Some(9 * long)) }, State::Busy),
            (Some(Busy), 0, signs(Dead, 0, None), State::Lost),
            (None, 0, signs(Unknown, long - 1, Some(long)), State::Busy),
            (None, 0, signs(Unknown, long, Some(long)), State::Lost),
            (None, 0, signs(Unknown, long, None), State::Idle),
            (None, 0, signs(Unknown, SILENT_MS, None), State::Lost),
        ] {
            assert_eq!(state(&session(said, NOW - at_ago), &signs, NOW), expected, "{said:?} {signs:?}");
        }
    }

    #[test]
    fn each_loss_is_news_once() {
        let mut lost = session(None, 0);
        let gone = signs(Liveness::Dead, 500, None);
        assert!(is_news(&lost, State::Lost, &gone));
        lost.reported = Some((NOW, true));
        assert!(!is_news(&lost, State::Lost, &gone));
        // It was resumed, lived on, and was lost again.
        lost.reported = Some((NOW - 1000, true));
        assert!(is_news(&lost, State::Lost, &gone));
        // Idle on another machine.
        assert!(!is_news(&session(None, 0), State::Lost, &signs(Liveness::Unknown, SILENT_MS, None)));
        let mut silent = session(None, 0);
        let quiet = signs(Liveness::Alive, SILENT_TURN_MS, Some(SILENT_TURN_MS + 5));
        assert!(is_news(&silent, State::Silent, &quiet));
        silent.reported = Some((NOW, false));
        assert!(!is_news(&silent, State::Silent, &quiet));
        // Its client ends after all.
        assert!(is_news(&silent, State::Lost, &Signs { liveness: Liveness::Dead, ..quiet }));
        // Another turn.
        assert!(is_news(&silent, State::Silent, &Signs { turn_ms: Some(NOW + 1), ..quiet }));
        for state in [State::Idle, State::Busy, State::Blocked] {
            assert!(!is_news(&session(None, 0), state, &quiet));
        }
    }

    #[test]
    fn progress_is_a_percentage() {
        for (text, percent) in
            [("0", 0), ("40", 40), ("40%", 40), (" 7 % ", 7), ("2/5", 40), ("1/3", 33), ("5/5", 100)]
        {
            assert_eq!(progress(text), Ok(percent), "{text}");
        }
        for text in
            ["", "%", "101", "-1", "40.5", "half", "6/5", "1/0", "/", "1/", "99999999999", "1/2/3", "４０"]
        {
            assert!(progress(text).is_err(), "{text}");
        }
        assert!(progress("\u{1b}[31m").is_err_and(|why| !why.contains('\u{1b}')));
    }
}
