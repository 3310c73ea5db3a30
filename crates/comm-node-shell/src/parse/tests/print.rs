//! A tree as one line.

use crate::ast::{
    AndOr, Assignment, Command, Kind, Parameter, ParameterOp, Part, Pipeline, Redirect, RedirectOp, Script,
    Word,
};

pub(super) fn script(script: &Script) -> String {
    let mut items = Vec::new();
    for item in &script.items {
        let mut out = pipeline(&item.first);
        for (joined, right) in &item.rest {
            out.push_str(if *joined == AndOr::And { " && " } else { " || " });
            out.push_str(&pipeline(right));
        }
        out.push_str(if item.background { " &" } else { "" });
        items.push(out);
    }
    items.join("; ")
}

fn pipeline(pipeline: &Pipeline) -> String {
    pipeline.commands.iter().map(command).collect::<Vec<_>>().join(" | ")
}

fn command(command: &Command) -> String {
    let mut out = match &command.kind {
        Kind::Simple { assignments, words } => {
            let mut all: Vec<_> = assignments.iter().map(assignment).collect();
            all.extend(words.iter().map(word));
            format!("({})", all.join(" "))
        }
        Kind::Group(inner) => format!("(group {})", script(inner)),
        Kind::Subshell(inner) => format!("(sub {})", script(inner)),
        Kind::If { arms, otherwise } => {
            let mut out = "(if".to_owned();
            for (condition, body) in arms {
                out.push_str(&format!(" [{}] [{}]", script(condition), script(body)));
            }
            if let Some(body) = otherwise {
                out.push_str(&format!(" else [{}]", script(body)));
            }
            out + ")"
        }
        Kind::Loop { condition, body } => format!("(loop [{}] [{}])", script(condition), script(body)),
        Kind::For { name, words: None, body } => format!("(for {name} [{}])", script(body)),
        Kind::For { name, words: Some(values), body } => {
            format!("(for {name} in {} [{}])", words(values), script(body))
        }
        Kind::ForArith { parts: found, body } => format!("(for(( {} [{}])", parts(found), script(body)),
        Kind::Case { word: subject, arms } => {
            let mut out = format!("(case {}", word(subject));
            for (patterns, body) in arms {
                out.push_str(&format!(" {} [{}]", words(patterns), script(body)));
            }
            out + ")"
        }
        Kind::Function { name, body } => format!("(def {name} {})", self::command(body)),
        Kind::Test(inner) => format!("(test {})", words(inner)),
        Kind::Arith(found) => format!("(({}))", parts(found)),
        Kind::Coproc(body) => format!("(coproc {})", self::command(body)),
    };
    for redirect in &command.redirects {
        out.push_str(&self::redirect(redirect));
    }
    out
}

fn assignment(assignment: &Assignment) -> String {
    let subscript =
        assignment.subscript.as_deref().map_or(String::new(), |found| format!("[{}]", parts(found)));
    let sign = if assignment.append { "+=" } else { "=" };
    format!("{}{subscript}{sign}{}", assignment.name, word(&assignment.value))
}

fn redirect(redirect: &Redirect) -> String {
    let op = match redirect.op {
        RedirectOp::Read => "<",
        RedirectOp::Write => ">",
        RedirectOp::Append => ">>",
        RedirectOp::Clobber => ">|",
        RedirectOp::ReadWrite => "<>",
        RedirectOp::Both => "&>",
        RedirectOp::BothAppend => "&>>",
        RedirectOp::DupOut => ">&",
        RedirectOp::DupIn => "<&",
        RedirectOp::HereDoc => "<<",
        RedirectOp::HereString => "<<<",
    };
    format!(" {}{op}{}", redirect.fd.as_deref().unwrap_or(""), word(&redirect.target))
}

fn words(words: &[Word]) -> String {
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Parts side by side; each is told from its neighbours by how it begins.
pub(super) fn word(word: &Word) -> String {
    assert!(!word.parts.is_empty(), "a word without parts");
    parts(&word.parts)
}

fn parts(parts: &[Part]) -> String {
    parts.iter().map(part).collect()
}

fn part(part: &Part) -> String {
    match part {
        Part::Plain(text) => text.clone(),
        Part::Quoted(text) => format!("'{}'", text.replace('\n', "\\n").replace('\t', "\\t")),
        Part::Parameter(inner) => parameter(inner),
        Part::Command { script: inner, quoted: false } => format!("$({})", script(inner)),
        Part::Command { script: inner, quoted: true } => format!("\"$({})\"", script(inner)),
        Part::Arith(found) => format!("$[{}]", parts(found)),
        Part::Process(inner) => format!("<({})", script(inner)),
        Part::Array(inner) => format!("({})", words(inner)),
    }
}

fn parameter(parameter: &Parameter) -> String {
    let op = match &parameter.op {
        ParameterOp::Value => String::new(),
        ParameterOp::Elements(separate) => (if *separate { "[@]" } else { "[*]" }).to_owned(),
        ParameterOp::Default(w) => format!("-{}", word(w)),
        ParameterOp::Assign(w) => format!("={}", word(w)),
        ParameterOp::Alternative(w) => format!("+{}", word(w)),
        ParameterOp::Demand(w) => format!("?{}", word(w)),
        ParameterOp::Prefix(w, long) => format!("{}{}", if *long { "##" } else { "#" }, word(w)),
        ParameterOp::Suffix(w, long) => format!("{}{}", if *long { "%%" } else { "%" }, word(w)),
        ParameterOp::Other(found) => format!("!{}", parts(found)),
    };
    let quote = if parameter.quoted { "\"" } else { "" };
    format!("{quote}${{{}{op}}}{quote}", parameter.name)
}
