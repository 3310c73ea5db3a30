//! What ssh, and what goes through it, does on this machine: settings and options that name a program, code or a file.

use super::apply::Call;
use super::runs::{self, Kind};
use super::{Argument, Effect, Shape};
use crate::{Certainty, Why};

/// `ssh -o Key=value`, `-F`, `-I`, `rsync -e`: what they make it run or write here. What runs on the other machine is nobody's
/// business.
pub(super) fn configured(call: &mut Call<'_>) {
    let (mut found, mut files) = (Vec::new(), Vec::new());
    for option in &call.words.options {
        let Some(given) = &option.value else { continue };
        match (option.name.as_str(), call.name) {
            ("-e" | "--rsh", "rsync") | ("--ssh", "mosh") | ("-S" | "-D", "scp") => {
                found.extend(command(given, Kind::Command));
            }
            ("-F", "ssh" | "scp") if is_own_config(given.text()) => {}
            ("-F", "ssh" | "scp") | ("-I", "ssh") => found.extend(runs::effect(Kind::Code, given)),
            ("-o", "ssh" | "scp") => setting(given, &mut found, &mut files),
            _ => {}
        }
    }
    for effect in found {
        match effect {
            Effect::Unknown(why) => call.unknown(why),
            effect => call.push(effect),
        }
    }
    for file in files {
        call.write(file, Shape::File, Certainty::Possible);
    }
}

/// One setting: `Key=value` or `Key value`, in any case.
fn setting(given: &Argument, found: &mut Vec<Effect>, files: &mut Vec<Argument>) {
    let between = |c: char| c == '=' || c.is_ascii_whitespace();
    let text = given.text().trim_start();
    let Some((key, value)) = text.split_once(between) else { return };
    let value = given.with(value.trim_start_matches(between));
    if matches!(value.text(), "none" | "internal") {
        return;
    }
    match key.to_ascii_lowercase().as_str() {
        "proxycommand" | "localcommand" | "knownhostscommand" => found.extend(command(&value, Kind::Pager)),
        "xauthlocation" => found.extend(command(&value, Kind::Command)),
        "include" | "pkcs11provider" | "securitykeyprovider" => {
            found.extend(runs::effect(Kind::Code, &value))
        }
        // New hosts are written into the first of them.
        "userknownhostsfile" => {
            let first = value.text().split_ascii_whitespace().next().unwrap_or_default();
            if first != "/dev/null" && !first.is_empty() {
                files.push(value.with(first));
            }
        }
        _ => {}
    }
}

/// What a shell text does. Of one whose end isn't known, an address or a port mostly, the beginning tells the program.
fn command(value: &Argument, kind: Kind) -> Option<Effect> {
    let text = value.text().trim_start();
    match text.rsplit_once(|c: char| c.is_ascii_whitespace()) {
        Some((begins, _)) if value.is_open() => {
            runs::effect(Kind::Command, &Argument::Known(begins.to_owned()))
        }
        None if value.is_open() => Some(Effect::Unknown(Why::Name)),
        _ => runs::effect(kind, value),
    }
}

/// Whether `path` is where a person keeps their settings of ssh.
fn is_own_config(path: &str) -> bool {
    path == "none" || path.contains("/.ssh/") || path.starts_with("/etc/ssh/")
}
