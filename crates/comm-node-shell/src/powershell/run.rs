//! Pipelines: what each of their commands does.

use std::path::PathBuf;

use super::lex::{Kind, Piece, Token, lex};
use super::value::piece;
use super::{Walker, bare, dotnet, is_value, listed};
use crate::table::{Argument, Effect, Shape, Surroundings, effects};
use crate::{Certainty, Context, FileKind, MAX_DEPTH, Reserved, Why, Write};

/// What an argument of a program costs that another one runs.
const ARGUMENT: usize = 256;
/// What a text of another shell costs.
const SHELL: usize = super::WORK / 16;
/// Cmdlets that change no file, besides those whose verb says so.
const READERS: &str = "echo ls dir gci cat type gc pwd gl gm gi gp gps ps gv gcm gal sls ft fl fw measure \
                       sort select where ? group compare diff cls clear h history sleep write-host \
                       write-output write-error write-warning write-verbose write-debug write-information \
                       write-progress write out-null out-string out-host out-default out-gridview \
                       import-csv import-clixml ipcsv read-host r foreach-object foreach % where-object \
                       start-sleep clear-host set-strictmode new-object new-timespan new-guid \
                       invoke-command icm invoke-history tee-null stop-process kill spps clear-variable clv \
                       remove-variable rv exit break continue return throw ";
/// Verbs of cmdlets that only read.
const VERBS: &str = "get select where format measure test convertto convertfrom compare group sort resolve \
                     split join find show wait debug trace ";
/// Aliases that PowerShell has on Windows alone; elsewhere these are programs.
const NATIVE: &str = "ls cat cp mv rm rmdir mkdir tee sort diff ps kill sleep clear wget curl mount man ";

/// Components of the working directory. Each `cd ..` adds one that the system goes through again with the next.
const MAX_STEPS: usize = 256;

impl Walker<'_> {
    pub(super) fn pipeline(&mut self, tokens: &[Token<'_>], text: &str) {
        for (i, element) in tokens.split(|t| matches!(t.kind, Kind::Pipe)).enumerate() {
            if let (Some(first), Some(last)) = (element.first(), element.last()) {
                self.by = piece(text.get(first.start..last.end).unwrap_or_default());
                self.element(element, i > 0, text);
            }
        }
    }

    /// One command or expression of a pipeline.
    pub(super) fn element(&mut self, tokens: &[Token<'_>], piped: bool, text: &str) {
        let mut words: Vec<&Token<'_>> = Vec::new();
        let mut tokens_left = tokens.iter();
        while let Some(token) = tokens_left.next() {
            match (&token.kind, tokens_left.as_slice().first().map(|t| &t.kind)) {
                (Kind::Redirect, Some(Kind::Word(word))) => {
                    tokens_left.next();
                    let null = |name: &str| name.eq_ignore_ascii_case("null");
                    if !matches!(word.pieces.as_slice(), [Piece::Variable(name)] if null(name)) {
                        let target = self.value(word);
                        self.write(&target, Shape::File, Certainty::Certain);
                    }
                }
                (Kind::Redirect, Some(Kind::Paren(inner))) => {
                    let target = self.value_of_group(inner);
                    self.write(&target, Shape::File, Certainty::Certain);
                }
                (Kind::Redirect, _) => self.unknown(Why::Syntax),
                (Kind::Assign, _) if words.is_empty() => self.unknown(Why::Syntax),
                _ => words.push(token),
            }
        }
        let called = match words.as_slice() {
            [head, ..] if matches!(head.kind, Kind::Amp) || bare(head) == Some(".") => {
                words.remove(0);
                true
            }
            _ => false,
        };
        while matches!(words.last(), Some(Token { kind: Kind::Amp, .. })) {
            words.pop();
        }
        let Some((head, arguments)) = words.split_first() else { return };
        self.nested(tokens, called && matches!(head.kind, Kind::Block(_)));
        match &head.kind {
            Kind::Word(word) if called || !is_value(head, text) => match self.value(word) {
                Argument::Known(name) => self.command(&name, arguments, piped),
                Argument::Unknown { .. } => self.unknown(Why::Name),
            },
            Kind::Paren(_) if called => self.unknown(Why::Name),
            _ => {
                let counts = |t: &Token<'_>| {
                    let raw = text.get(t.start..t.end).unwrap_or_default();
                    raw.contains("++") || raw.contains("--")
                };
                if tokens.iter().any(counts) {
                    self.variables.clear();
                }
                self.methods(tokens, text);
            }
        }
    }

    /// Walks what stands in parentheses and braces. A block is run for certain if it is `called`.
    pub(super) fn nested(&mut self, tokens: &[Token<'_>], mut called: bool) {
        for token in tokens {
            match &token.kind {
                Kind::Word(word) => {
                    for piece in &word.pieces {
                        if let Piece::Sub(inner) = piece {
                            self.text(inner);
                        }
                    }
                }
                Kind::Paren(inner) => self.text(inner),
                Kind::Block(inner) if std::mem::take(&mut called) => self.text(inner),
                Kind::Block(inner) => self.perhaps(inner),
                Kind::Hash(inner) => match lex(inner) {
                    Some(inner) if self.depth < MAX_DEPTH => {
                        self.depth += 1;
                        self.nested(&inner, false);
                        self.depth -= 1;
                    }
                    _ => self.unknown(Why::Syntax),
                },
                _ => {}
            }
        }
    }

    pub(super) fn command(&mut self, name: &str, arguments: &[&Token<'_>], piped: bool) {
        let lower = name.rsplit('\\').next().unwrap_or(name).to_ascii_lowercase();
        let lower = lower.strip_suffix(".exe").unwrap_or(&lower);
        if self.functions.iter().any(|f| f == lower) {
            return;
        }
        if lower.ends_with(".ps1") {
            return self.unknown(Why::Script);
        }
        let native = !self.windows && listed(NATIVE, lower);
        if native {
            return self.program(lower, arguments);
        }
        if self.cmdlet(lower, arguments, piped) {
            return;
        }
        match lower {
            "cd" | "chdir" | "sl" | "set-location" | "pushd" | "push-location" => {
                if lower.starts_with("push") {
                    self.stack.push(self.cwd.clone());
                }
                self.go(arguments);
            }
            "popd" | "pop-location" => self.cwd = self.stack.pop().flatten(),
            "invoke-expression" | "iex" => match self.first(arguments) {
                Some(Argument::Known(text)) => self.text(&text),
                _ => self.unknown(Why::Script),
            },
            "powershell" | "pwsh" => self.shell(arguments),
            "cmd" | "." | "start-job" | "sajb" => self.unknown(Why::Script),
            "set-variable" | "sv" | "set-item" | "si" | "new-variable" | "nv" => self.variables.clear(),
            "set-alias" | "sal" | "new-alias" | "nal" | "start-process" | "saps" | "start" => {
                self.unknown(Why::Program);
            }
            "foreach-object" | "foreach" | "%" => {
                // `% Delete` calls a method.
                let member = arguments.first().and_then(|t| bare(t)).unwrap_or_default();
                if !dotnet::is_harmless(member) && dotnet::is_verb(member) {
                    self.unknown(Why::Code);
                }
            }
            _ if listed(READERS, lower) => {}
            _ => match lower.split_once('-') {
                Some((verb, noun))
                    if listed(VERBS, verb) && noun.bytes().all(|b| b.is_ascii_alphanumeric()) => {}
                _ => self.program(if name.contains(['/', '\\']) { name } else { lower }, arguments),
            },
        }
    }

    /// `cd` and its like.
    pub(super) fn go(&mut self, arguments: &[&Token<'_>]) {
        let to = match self.first(arguments) {
            Some(Argument::Known(path)) if !path.starts_with(['-', '+']) => self.place(&path),
            None => self.context.home.clone(),
            _ => None,
        };
        // It goes on where it was if there is no such directory.
        let there = |path: &PathBuf| {
            self.tree.kind(path) == Some(FileKind::Directory)
                || self.set.writes.iter().any(|w| w.target.path().starts_with(path))
        };
        let short = |path: &PathBuf| path.components().count() <= MAX_STEPS;
        self.cwd = to.filter(|path| self.certain && short(path) && there(path));
    }

    /// PowerShell in PowerShell.
    pub(super) fn shell(&mut self, arguments: &[&Token<'_>]) {
        let flag = |t: &Token<'_>| bare(t).map(str::to_ascii_lowercase).unwrap_or_default();
        let at = arguments.iter().position(|t| {
            let flag = flag(t);
            flag.len() > 1 && "-command".starts_with(flag.as_str())
        });
        let asks = |flag: String| matches!(flag.as_str(), "--version" | "-version" | "-v" | "-help" | "-h");
        if matches!(arguments, [only] if asks(flag(only))) {
            return;
        }
        match at.map(|at| arguments.get(at + 1..).unwrap_or_default()) {
            Some([Token { kind: Kind::Word(word), .. }]) => match self.value(word) {
                Argument::Known(text) => {
                    let (variables, cwd) = (std::mem::take(&mut self.variables), self.cwd.clone());
                    self.text(&text);
                    self.variables = variables;
                    self.cwd = cwd;
                }
                Argument::Unknown { .. } => self.unknown(Why::Script),
            },
            Some([Token { kind: Kind::Block(_), .. }]) => {}
            _ => self.unknown(Why::Script),
        }
    }

    /// The first value among arguments.
    pub(super) fn first(&mut self, arguments: &[&Token<'_>]) -> Option<Argument> {
        let named = |t: &&&Token<'_>| bare(t).is_some_and(|text| text.len() > 1 && text.starts_with('-'));
        let found = arguments.iter().find(|t| !named(t))?;
        Some(match &found.kind {
            Kind::Word(word) => self.value(word),
            Kind::Paren(inner) => self.value_of_group(inner),
            _ => Argument::Unknown { prefix: String::new() },
        })
    }

    /// A program that is no cmdlet, as the table knows it.
    pub(super) fn program(&mut self, name: &str, arguments: &[&Token<'_>]) {
        let mut argv = vec![Argument::Known(self.slashes(name))];
        for token in arguments {
            match &token.kind {
                Kind::Word(word) => {
                    let value = self.value(word);
                    argv.push(match value {
                        Argument::Known(text) => Argument::Known(self.slashes(&text)),
                        unknown => unknown,
                    });
                }
                Kind::Paren(inner) => argv.push(self.value_of_group(inner)),
                Kind::Comma => {}
                _ => argv.push(Argument::Unknown { prefix: String::new() }),
            }
        }
        self.run(&argv);
    }

    pub(super) fn run(&mut self, argv: &[Argument]) {
        if self.depth >= MAX_DEPTH {
            return self.unknown(Why::TooLarge);
        }
        // Programs that run programs are looked through again for each of them.
        if self.depth > 0 {
            let Some(left) = self.work.checked_sub(argv.len() * ARGUMENT) else {
                return self.unknown(Why::TooLarge);
            };
            self.work = left;
        }
        let cwd = self.cwd.clone();
        let around = Surroundings {
            cwd: cwd.as_deref(),
            tree: self.tree,
            made: &|_| None,
            rows: &self.context.rows,
            own: self.context.own.as_deref(),
        };
        for effect in effects(argv, &around) {
            match effect {
                Effect::Write { path, shape, certainty } => self.write(&path, shape, certainty),
                Effect::Run { argv, cwd: elsewhere, certainty, .. } => {
                    let certain = self.certain;
                    self.certain &= certainty == Certainty::Certain;
                    match elsewhere {
                        Some(Argument::Known(path)) => self.cwd = self.place(&path),
                        Some(Argument::Unknown { .. }) => self.cwd = None,
                        None => {}
                    }
                    self.depth += 1;
                    self.run(&argv);
                    self.depth -= 1;
                    self.cwd.clone_from(&cwd);
                    self.certain = certain;
                }
                Effect::Script { text: Argument::Known(text), parameters, .. } if parameters.len() < 2 => {
                    self.other_shell(&text);
                }
                Effect::Script { .. } | Effect::ScriptFromStdin { .. } => self.unknown(Why::Script),
                Effect::Personal(what) => {
                    let reserved = Reserved { what, cwd: self.cwd.clone(), by: self.by.clone() };
                    self.set.personal.push(reserved);
                }
                Effect::Elsewhere(text) => {
                    if let Some(cwd) = self.cwd.clone().filter(|_| text.is_some()) {
                        let context = Context { cwd, ..self.context.clone() };
                        let found = crate::write_set(&text.unwrap_or_default(), &context, self.tree);
                        self.set.personal.extend(found.personal);
                    }
                }
                Effect::Unknown(why) => self.unknown(why),
                // Where links matter a link is made by other means: `New-Item`.
                Effect::Stands { .. } => {}
            }
        }
    }

    /// A text that bash runs.
    pub(super) fn other_shell(&mut self, text: &str) {
        let (Some(cwd), Some(left)) = (self.cwd.clone(), self.work.checked_sub(SHELL)) else {
            return self.unknown(Why::Script);
        };
        self.work = left;
        let context = Context { cwd, ..self.context.clone() };
        let found = crate::write_set(text, &context, self.tree);
        for write in found.writes {
            let certainty = if self.certain { write.certainty } else { Certainty::Possible };
            self.add(Write { certainty, ..write });
        }
        self.set.personal.extend(found.personal);
        for unknown in found.unknown {
            self.by = unknown.by;
            self.unknown(unknown.why);
        }
    }
}
