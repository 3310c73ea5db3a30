//! What cmdlets write, and how their arguments are bound.

use super::Walker;
use super::lex::{Kind, Piece, Token};
use crate::table::{Argument, Shape};
use crate::{Certainty, FileKind, Why};

/// Cmdlets that write: their names, what they do, their parameters that hold a path, each with its place
/// among the arguments without a name where it has one.
const ROWS: &str = "\
set-content|sc write path:0 literalpath
add-content|ac write path:0 literalpath
clear-content|clc write path:0 literalpath
out-file write filepath:0 literalpath
tee-object|tee write filepath:0 literalpath
export-csv|epcsv write path:0 literalpath
export-clixml write path:0 literalpath
start-transcript write path:0 literalpath
set-itemproperty|sp write path:0 literalpath
set-acl write path:0 literalpath
invoke-webrequest|iwr|wget|curl write outfile
invoke-restmethod|irm write outfile
new-item|ni make path:0 name
mkdir|md make path:0 name
remove-item|rm|del|rd|ri|erase|rmdir remove path:0 literalpath
move-item|mv|mi|move move path:0 literalpath destination:1
copy-item|cp|ci|copy|cpi copy path:0 literalpath destination:1
rename-item|ren|rni rename path:0 literalpath newname:1
expand-archive expand path:0 literalpath destinationpath:1
compress-archive pack path:0 literalpath destinationpath:1
";
/// Parameters without a value.
const SWITCHES: &str = "force recurse verbose debug whatif confirm passthru append noclobber nonewline \
                        container asbytestream raw notypeinformation nti update useculture noheader \
                        usebasicparsing resume skipcertificatecheck directory file hidden \
                        includeinvocationheader ";
/// Parameters with a value that is no path to write.
const VALUES: &str = "erroraction warningaction informationaction ea wa infa errorvariable outvariable ev \
                      ov pv pipelinevariable encoding filter include exclude value inputobject delimiter \
                      depth width type itemtype target credential stream property compressionlevel uri \
                      method headers body contenttype timeoutsec useragent variable quotefields usequotes ";

/// The arguments of a cmdlet.
#[derive(Default)]
struct Bound {
    /// By parameter: its name in full, and its values.
    named: Vec<(String, Vec<Argument>)>,
    switches: Vec<String>,
    /// False if there is a parameter that isn't known, or splatting.
    sure: bool,
}

impl Bound {
    fn get(&self, name: &str) -> Option<&[Argument]> {
        self.named.iter().find(|(n, _)| n == name).map(|(_, values)| values.as_slice())
    }

    fn has(&self, switch: &str) -> bool {
        self.switches.iter().any(|s| s == switch)
    }
}

/// The row of a cmdlet, its name in lower case: what it does, and its parameters.
fn row(name: &str) -> Option<(&'static str, &'static str)> {
    ROWS.lines().find_map(|line| {
        let (names, rest) = line.split_once(' ')?;
        names.split('|').any(|n| n == name).then_some(())?;
        rest.split_once(' ')
    })
}

impl Walker<'_> {
    /// Follows a cmdlet that writes; false if it is none. Its arguments are `tokens`, and `piped` is
    /// true if something is piped into it.
    pub(super) fn cmdlet(&mut self, name: &str, tokens: &[&Token<'_>], piped: bool) -> bool {
        let Some((act, parameters)) = row(name) else { return false };
        let bound = self.bind(tokens, parameters);
        if bound.has("whatif") {
            return true;
        }
        if !bound.sure {
            self.unknown(Why::Path);
        }
        let literal = bound.get("literalpath").is_some();
        let parameter =
            if literal { "literalpath" } else { parameters.split([':', ' ']).next().unwrap_or_default() };
        let paths = bound.get(parameter).unwrap_or_default();
        if paths.is_empty() && piped && matches!(act, "remove" | "move" | "rename" | "copy") {
            self.unknown(Why::Path);
        }
        let recurse = bound.has("recurse");
        match act {
            "write" => {
                for path in paths {
                    self.target(path, Shape::File, literal);
                }
            }
            "pack" => {
                for path in bound.get("destinationpath").unwrap_or_default() {
                    self.target(path, Shape::File, true);
                }
            }
            "make" => {
                let kind = bound.get("itemtype").or(bound.get("type")).and_then(<[_]>::first);
                let file = name != "mkdir"
                    && name != "md"
                    && !matches!(kind, Some(Argument::Known(k)) if is_entry(k));
                let shape = if file { Shape::File } else { Shape::Entry };
                let names = bound.get("name").unwrap_or_default();
                let here = [Argument::Known(String::new())];
                for path in if paths.is_empty() && !names.is_empty() { &here } else { paths } {
                    match names.first() {
                        Some(name) => self.target(&join(path, name), shape, true),
                        None => self.target(path, shape, true),
                    }
                }
            }
            "remove" => {
                for path in paths {
                    self.gone(path, recurse, literal);
                }
            }
            "rename" => {
                let to = bound.get("newname").and_then(<[_]>::first);
                for path in paths {
                    self.gone(path, true, literal);
                    if let (Argument::Known(from), Some(to)) = (path, to) {
                        let from = self.slashes(from);
                        let above =
                            from.trim_end_matches('/').rsplit_once('/').map_or("", |(above, _)| above);
                        self.target(&join(&Argument::Known(above.to_owned()), to), Shape::Entry, true);
                    }
                }
            }
            "expand" => {
                let to = match (bound.get("destinationpath").and_then(<[_]>::first), paths.first()) {
                    (Some(to), _) => to.clone(),
                    (None, Some(Argument::Known(from))) => {
                        let from = self.slashes(from);
                        let name = from.rsplit('/').next().unwrap_or_default();
                        Argument::Known(name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned())
                    }
                    _ => Argument::Unknown { prefix: String::new() },
                };
                self.target(&to, Shape::Under, true);
            }
            _ => {
                if act == "move" {
                    for path in paths {
                        self.gone(path, true, literal);
                    }
                }
                let here = Argument::Known(".".to_owned());
                let to = bound.get("destination").and_then(<[_]>::first).unwrap_or(&here);
                for path in paths {
                    self.arrives(path, to, recurse || act == "move");
                }
                if paths.is_empty() && piped {
                    self.write(to, Shape::Under, Certainty::Possible);
                }
            }
        }
        true
    }

    /// A path that is written, or a pattern.
    fn target(&mut self, path: &Argument, shape: Shape, literal: bool) {
        match path {
            Argument::Known(text) if !literal && is_pattern(text) => {
                let text = self.slashes(text);
                let start = text.find(['*', '?', '[']).unwrap_or_default();
                let above =
                    text.get(..start).and_then(|t| t.rsplit_once('/')).map_or(".", |(above, _)| above);
                let above = if above.is_empty() { "/" } else { above };
                self.write(&Argument::Known(above.to_owned()), Shape::Under, Certainty::Possible);
            }
            _ => self.write(path, shape, Certainty::Certain),
        }
    }

    /// A path that is removed or moved away.
    fn gone(&mut self, path: &Argument, whole: bool, literal: bool) {
        let shape = match self.kind(path) {
            Some(FileKind::Directory) if whole => Shape::Under,
            None if whole => Shape::Under,
            _ => Shape::Entry,
        };
        self.target(path, shape, literal);
    }

    /// What `from` becomes at `to`.
    fn arrives(&mut self, from: &Argument, to: &Argument, whole: bool) {
        let name = match from {
            Argument::Known(text) if !is_pattern(text) => {
                let text = self.slashes(text);
                text.trim_end_matches('/').rsplit('/').next().map(str::to_owned)
            }
            _ => None,
        };
        let whole = whole && !matches!(self.kind(from), Some(FileKind::File | FileKind::Other));
        let shape = if whole { Shape::Under } else { Shape::File };
        match (self.kind(to), name) {
            (Some(FileKind::Directory), Some(name)) => {
                self.write(&join(to, &Argument::Known(name)), shape, Certainty::Certain);
            }
            (Some(FileKind::Directory), None) => self.write(to, Shape::Under, Certainty::Possible),
            (_, None) => self.write(to, Shape::Under, Certainty::Possible),
            (_, Some(_)) => self.write(to, shape, Certainty::Certain),
        }
    }

    /// Binds arguments to the parameters of a row.
    fn bind(&mut self, tokens: &[&Token<'_>], parameters: &str) -> Bound {
        let mut bound = Bound { sure: true, ..Bound::default() };
        let mut place = 0usize;
        let mut wants: Option<String> = None;
        let mut list: Option<String> = None;
        let mut comma = false;
        for token in tokens {
            let value = match &token.kind {
                Kind::Comma => {
                    comma = true;
                    continue;
                }
                Kind::Word(word) => match word.pieces.first() {
                    Some(Piece::Text(text)) if word.bare && !comma && is_parameter(text) => {
                        let (name, value) =
                            text.split_once(':').map_or((text.as_str(), None), |(n, v)| (n, Some(v)));
                        let name = name.trim_start_matches('-').to_ascii_lowercase();
                        (wants, list) = (None, None);
                        match find(&name, parameters) {
                            Parameter::Switch(name) => {
                                // `-WhatIf:$false` is none.
                                if value.is_none() || !matches!(word.pieces.get(1), Some(Piece::Variable(_)))
                                {
                                    bound.switches.push(name.to_owned());
                                }
                                continue;
                            }
                            Parameter::Value(name) => {
                                bound.sure &= name.is_some();
                                let name = name.unwrap_or_default().to_owned();
                                match value {
                                    Some("") | None if word.pieces.len() == 1 => wants = Some(name),
                                    _ => {
                                        let rest = value.unwrap_or_default();
                                        let all = self.value(word);
                                        let skip = text.len() - rest.len();
                                        let value = match all {
                                            Argument::Known(t) => {
                                                Argument::Known(t.get(skip..).unwrap_or_default().to_owned())
                                            }
                                            unknown => unknown,
                                        };
                                        bound.named.push((name, vec![value]));
                                    }
                                }
                                continue;
                            }
                        }
                    }
                    Some(Piece::Opaque) if word.pieces.len() == 1 => {
                        // Splatting, or a value.
                        Argument::Unknown { prefix: String::new() }
                    }
                    _ => self.value(word),
                },
                Kind::Paren(inner) => self.value_of_group(inner),
                _ => Argument::Unknown { prefix: String::new() },
            };
            if std::mem::take(&mut comma)
                && let Some(name) = &list
            {
                if let Some((_, values)) = bound.named.iter_mut().find(|(n, _)| n == name) {
                    values.push(value);
                }
                continue;
            }
            let name = match wants.take() {
                Some(name) => name,
                None => {
                    place += 1;
                    at_place(parameters, place - 1).unwrap_or_default().to_owned()
                }
            };
            list = Some(name.clone());
            bound.named.push((name, vec![value]));
        }
        bound
    }
}

enum Parameter<'p> {
    Switch(&'p str),
    /// With a value; its name, if it is known.
    Value(Option<&'p str>),
}

/// What a parameter's name, which may be shortened, means.
fn find<'p>(name: &str, parameters: &'p str) -> Parameter<'p> {
    let own = || parameters.split(' ').map(|p| p.split(':').next().unwrap_or_default());
    let name = match name {
        "pspath" | "lp" => "literalpath",
        name => name,
    };
    if let Some(found) = own().find(|p| *p == name) {
        return Parameter::Value(Some(found));
    }
    let words = |list: &'static str| list.split_ascii_whitespace();
    if let Some(found) = words(SWITCHES).find(|s| *s == name) {
        return Parameter::Switch(found);
    }
    if let Some(found) = words(VALUES).find(|v| *v == name) {
        return Parameter::Value(Some(found));
    }
    if let Some(found) = own().find(|p| p.starts_with(name)) {
        return Parameter::Value(Some(found));
    }
    if let Some(found) = words(SWITCHES).find(|s| s.starts_with(name)) {
        return Parameter::Switch(found);
    }
    Parameter::Value(words(VALUES).find(|v| v.starts_with(name)))
}

fn at_place(parameters: &str, place: usize) -> Option<&str> {
    parameters.split(' ').find_map(|p| {
        let (name, at) = p.split_once(':')?;
        (at.parse() == Ok(place)).then_some(name)
    })
}

fn is_parameter(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// True for the kinds of item that are no files.
fn is_entry(kind: &str) -> bool {
    !kind.eq_ignore_ascii_case("file")
}

pub(super) fn join(above: &Argument, name: &Argument) -> Argument {
    match (above, name) {
        (Argument::Known(above), Argument::Known(name)) if above.is_empty() => Argument::Known(name.clone()),
        (Argument::Known(above), Argument::Known(name)) => Argument::Known([above, "/", name].concat()),
        _ => Argument::Unknown { prefix: String::new() },
    }
}
