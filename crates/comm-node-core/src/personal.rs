//! What of the command line is a person's alone.
//!
//! The command line refuses these to whoever it sees to be inside a session; the guard refuses them where they stand in a
//! session's command, because a program that was started in a roundabout way can't see that. Both go by this one list.

/// A use of the command line that is for a person.
#[derive(Debug, PartialEq, Eq)]
pub struct Personal {
    /// The subcommand, and what is below it.
    words: &'static [&'static str],
    /// Which uses of it.
    which: Which,
    /// It as people write it.
    pub shown: &'static str,
    /// What an agent can do instead, as a sentence; `""` where there is nothing.
    pub instead: &'static str,
}

/// Which uses of a subcommand are meant.
#[derive(Debug, PartialEq, Eq)]
enum Which {
    All,
    /// Those with one of the first options and none of the second.
    With(&'static [&'static str], &'static [&'static str]),
    /// Those without any of these options.
    Without(&'static [&'static str]),
}

const fn all(words: &'static [&'static str], shown: &'static str, instead: &'static str) -> Personal {
    Personal { words, which: Which::All, shown, instead }
}

/// `comm-node budget grant`.
pub static BUDGET_GRANT: Personal = all(
    &["budget", "grant"],
    "comm-node budget grant",
    "`comm-node budget request <n> --reason '…'` asks for more.",
);
/// `comm-node budget set`.
pub static BUDGET_SET: Personal = all(
    &["budget", "set"],
    "comm-node budget set",
    "`comm-node budget request <n> --reason '…'` asks for more.",
);
/// `comm-node leave`.
pub static LEAVE: Personal = all(&["leave"], "comm-node leave", "");
/// `comm-node resume`.
pub static RESUME: Personal = all(&["resume"], "comm-node resume", "");
/// `comm-node uninstall`.
pub static UNINSTALL: Personal = Personal {
    words: &["uninstall"],
    which: Which::Without(&["--dry-run"]),
    shown: "comm-node uninstall",
    instead: "With --dry-run it only shows what it would do.",
};
/// `comm-node generate`.
pub static GENERATE: Personal = Personal {
    words: &["generate"],
    which: Which::Without(&["--check", "--dry-run"]),
    shown: "comm-node generate",
    instead: "With --check or --dry-run it only shows what it would write.",
};
/// `comm-node init --force`.
pub static INIT_FORCE: Personal = Personal {
    words: &["init"],
    which: Which::With(&["--force"], &["--dry-run"]),
    shown: "comm-node init --force",
    instead: "With --dry-run it only shows what it would write.",
};
/// `comm-node join --force`.
pub static JOIN_FORCE: Personal = Personal {
    words: &["join"],
    which: Which::With(&["--force"], &[]),
    shown: "comm-node join --force",
    instead: "",
};
/// `comm-node unlock --force`.
pub static UNLOCK_FORCE: Personal = Personal {
    words: &["unlock"],
    which: Which::With(&["--force"], &[]),
    shown: "comm-node unlock --force",
    instead: "Ask the holder with `comm-node send`.",
};
/// `comm-node kickoff` as whoever calls the domains, and starts them.
pub static KICKOFF: Personal = Personal {
    words: &["kickoff"],
    which: Which::With(&["--goal", "--force"], &[]),
    shown: "comm-node kickoff --goal",
    instead: "`comm-node kickoff <domain>` reports ready, `--done` that a part is done.",
};

/// All of them.
pub static ALL: [&Personal; 10] = [
    &BUDGET_GRANT,
    &BUDGET_SET,
    &LEAVE,
    &RESUME,
    &UNINSTALL,
    &GENERATE,
    &INIT_FORCE,
    &JOIN_FORCE,
    &UNLOCK_FORCE,
    &KICKOFF,
];

/// One argument of a command line that was not run: its text, or as much of its beginning as is known.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The text.
    pub text: &'a str,
    /// True if more may follow.
    pub open: bool,
}

impl Given<'_> {
    /// True if it may be `word`.
    fn may_be(self, word: &str) -> bool {
        if self.open { word.starts_with(self.text) } else { word == self.text }
    }

    /// True if it may be the option `name`, with a value too. What isn't known at all is no option: most such arguments
    /// are names of things.
    fn may_set(self, name: &str) -> bool {
        match self.text.split_once('=') {
            Some((option, _)) => option == name,
            None => self.may_be(name) && !self.text.is_empty(),
        }
    }
}

/// What of a person's `args` are, the arguments of the command line behind its own name. Where one that decides isn't
/// known, it is taken for a person's.
#[must_use]
pub fn find(args: &[Given<'_>]) -> Option<&'static Personal> {
    let end = args.iter().position(|arg| !arg.open && arg.text == "--").unwrap_or(args.len());
    let options = args.get(..end)?;
    // It prints its help then, and does nothing.
    if options.iter().any(|arg| !arg.open && matches!(arg.text, "--help" | "-h")) {
        return None;
    }
    let has = |names: &[&str]| options.iter().any(|arg| !arg.open && names.contains(&arg.text));
    let words: Vec<Given<'_>> =
        args.iter().copied().filter(|arg| !arg.text.starts_with('-')).take(2).collect();
    ALL.into_iter().find(|one| {
        let fits = one.words.iter().enumerate().all(|(at, word)| {
            // What isn't known may be several words.
            words.get(at).map_or(at > 0 && words.get(at - 1).is_some_and(|w| w.open), |w| w.may_be(word))
        });
        fits && match one.which {
            Which::All => true,
            Which::With(names, unless) => {
                options.iter().any(|arg| names.iter().any(|name| arg.may_set(name))) && !has(unless)
            }
            Which::Without(names) => !has(names),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of a person's a command line is; `$` at the end of a word: more of it isn't known.
    fn found(line: &str) -> Option<&'static str> {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let given: Vec<Given<'_>> = words
            .iter()
            .map(|word| match word.strip_suffix('$') {
                Some(text) => Given { text, open: true },
                None => Given { text: word, open: false },
            })
            .collect();
        find(&given).map(|one| one.shown)
    }

    #[test]
    fn what_is_a_person_s() {
        for (line, shown) in [
            ("budget grant api 500", "comm-node budget grant"),
            ("--in-prompt budget grant api 500 --usd", "comm-node budget grant"),
            ("budget --in-prompt set api --tokens 5", "comm-node budget set"),
            ("budget set", "comm-node budget set"),
            ("budget $", "comm-node budget grant"),
            ("budget g$", "comm-node budget grant"),
            ("budget s$ x", "comm-node budget set"),
            ("b$ grant", "comm-node budget grant"),
            ("$", "comm-node budget grant"),
            ("r$", "comm-node resume"),
            ("resume", "comm-node resume"),
            ("resume -- --help", "comm-node resume"),
            ("leave --session x", "comm-node leave"),
            ("uninstall", "comm-node uninstall"),
            ("uninstall --purge $", "comm-node uninstall"),
            ("generate", "comm-node generate"),
            ("generate --force", "comm-node generate"),
            ("generate -- --check", "comm-node generate"),
            ("init --yes --force", "comm-node init --force"),
            ("join api --force", "comm-node join --force"),
            ("join --f$ api", "comm-node join --force"),
            ("unlock a --force b", "comm-node unlock --force"),
            ("kickoff --goal=x", "comm-node kickoff --goal"),
            ("kickoff --goal x", "comm-node kickoff --goal"),
            ("kickoff --force", "comm-node kickoff --goal"),
        ] {
            assert_eq!(found(line), Some(shown), "{line}");
        }
    }

    #[test]
    fn what_agents_may_do() {
        for line in [
            "",
            "--help",
            "--version",
            "budget",
            "budget --json",
            "budget request 5000 --reason $",
            "budget r$",
            "budget explain",
            "budget explain grant",
            "budget grant --help",
            "budget -h set",
            "help budget grant",
            "send api $",
            "send api resume",
            "send budget grant",
            "s$",
            "inbox $",
            "reply $ resume",
            "generate --check",
            "generate --dry-run --domain $",
            "uninstall --dry-run",
            "init --yes",
            "init --dry-run",
            "init --force --dry-run",
            "join api",
            "join $",
            "unlock $",
            "unlock a -- --force",
            "kickoff api --wait 90s",
            "kickoff --done --note $",
            "kickoff --status",
            "pause",
            "status --set busy",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }

    #[test]
    fn the_list_has_each_once() {
        for (at, one) in ALL.iter().enumerate() {
            assert!(ALL[..at].iter().all(|other| other.shown != one.shown && other != one), "{}", one.shown);
        }
    }
}
