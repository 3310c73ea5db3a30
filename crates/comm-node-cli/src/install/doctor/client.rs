//! A check on Claude Code itself.

use std::time::Duration;

use super::Check;
use super::probe::Call;
use crate::env::Env;
use crate::install::plugin;

/// The first version that knows `"onFailure": "block"`.
const BLOCKS_SINCE: [u32; 3] = [2, 1, 295];

/// The client on PATH is new enough to block edits when the guard itself fails.
#[must_use]
pub fn version(env: &Env) -> Check {
    let name = "client";
    let Some(program) = plugin::client(env) else {
        return Check::skip(name, "claude is not on PATH, so its version is not known");
    };
    let vars: Vec<(String, String)> = env.vars.clone().into_iter().collect();
    let args = ["--version".to_owned()];
    let limit = Duration::from_secs(10);
    let call = Call { program: &program, args: &args, vars: &vars, cwd: &env.cwd, input: "", limit };
    let said =
        call.run().map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default();
    let Some(version) = parse(&said) else {
        return Check::skip(name, format!("{} does not tell its version", program.display()));
    };
    let shown = version.map(|n| n.to_string()).join(".");
    if version < BLOCKS_SINCE {
        let what = format!("Claude Code {shown} lets edits through when a hook is missing, hangs or dies");
        return Check::warn(name, what, "update it to 2.1.295 or later, which blocks them");
    }
    Check::pass(name, format!("Claude Code {shown} blocks edits when the guard fails"))
}

/// The version in a line such as `2.1.329 (Claude Code)`.
fn parse(said: &str) -> Option<[u32; 3]> {
    let mut numbers = said.split_whitespace().next()?.split('.').map(|n| n.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse("2.1.329 (Claude Code)\n"), Some([2, 1, 329]));
        assert_eq!(parse("hello"), None);
        assert_eq!(parse(""), None);
        assert!(parse("2.1.99").is_some_and(|v| v < BLOCKS_SINCE));
        assert!(parse("2.10.0").is_some_and(|v| v > BLOCKS_SINCE));
    }
}
