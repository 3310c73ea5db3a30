//! What a shell command looks like once it is parsed: bash's grammar, as far as it decides what runs.
//!
//! Every text is owned, because what stands in backquotes is not a piece of the source. Spans are
//! byte offsets into the text that was parsed. What stands in backquotes or in a here-document's body
//! was parsed as a text of its own, in which offsets would mean nothing outside: there all spans are
//! that of the whole, backquotes included.

/// A piece of the source, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub start: u32,
    /// Where it ends; this byte is no longer part of it.
    pub end: u32,
}

/// A sequence of commands: a whole command line, or what stands between `{` and `}`, `$(` and `)` …
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// Its and-or lists, one after the other.
    pub items: Vec<Item>,
}

/// Pipelines that are joined by `&&` and `||`, ended by `;`, `&` or a line's end.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The first pipeline.
    pub first: Pipeline,
    /// The others, each with what joins it to those before.
    pub rest: Vec<(AndOr, Pipeline)>,
    /// True if it ended with `&`.
    pub background: bool,
}

/// What joins two pipelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AndOr {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// Commands joined by `|` or `|&`; often a single one. `time` before it is dropped.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// True behind `!`, which turns success and failure round.
    pub negated: bool,
    /// At least one command; none only after `!` or `time` alone.
    pub commands: Vec<Command>,
}

/// One command with its redirections.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
    /// Its redirections, in their order; those of a simple command too.
    pub redirects: Vec<Redirect>,
}

/// The kinds of command.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `NAME=value … program argument …`; either list may be empty.
    Simple {
        /// Assignments before the program.
        assignments: Vec<Assignment>,
        /// The program and its arguments. In arguments of `declare`, `export`, `local`, `readonly`
        /// and `typeset`, `NAME=value` is an ordinary word, and `NAME=(…)` one whose last part is [`Part::Array`].
        words: Vec<Word>,
    },
    /// `{ …; }`
    Group(Script),
    /// `( … )`
    Subshell(Script),
    /// `if …; then …; elif …; then …; else …; fi`
    If {
        /// Conditions, each with what is run if it holds.
        arms: Vec<(Script, Script)>,
        /// What is run otherwise.
        otherwise: Option<Script>,
    },
    /// `while …; do …; done`, and `until`.
    Loop {
        /// The condition.
        condition: Script,
        /// What is repeated.
        body: Script,
    },
    /// `for name in word …; do …; done`, and `select`.
    For {
        /// The variable.
        name: String,
        /// Its values; `None` without `in`, which means the positional parameters.
        words: Option<Vec<Word>>,
        /// What is repeated.
        body: Script,
    },
    /// `for ((…; …; …)); do …; done`
    ForArith {
        /// The expansions in the three expressions; what they assign is not analysed.
        parts: Vec<Part>,
        /// What is repeated.
        body: Script,
    },
    /// `case word in pattern | pattern) …;; esac`
    Case {
        /// What is compared.
        word: Word,
        /// Patterns, each with what is run.
        arms: Vec<(Vec<Word>, Script)>,
    },
    /// `name() …`, `function name …`
    Function {
        /// Its name.
        name: String,
        /// Its body, with the redirections that apply to each call; shared, because each definition is kept.
        body: std::rc::Rc<Command>,
    },
    /// `[[ … ]]`: the words between, operators included.
    Test(Vec<Word>),
    /// `(( … ))`: the expansions in it.
    Arith(Vec<Part>),
    /// `coproc [name] …`
    Coproc(Box<Command>),
}

/// `NAME=value`, `NAME+=value`, `NAME[i]=value`, `NAME=(a b)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Where it stands.
    pub span: Span,
    /// The variable.
    pub name: String,
    /// True for `+=`.
    pub append: bool,
    /// The expansions in a subscript `[…]`, if there is one.
    pub subscript: Option<Vec<Part>>,
    /// The value; an array is a single [`Part::Array`].
    pub value: Word,
}

/// One redirection.
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// Where it stands, the file descriptor included, a here-document's body not.
    pub span: Span,
    /// What it does.
    pub op: RedirectOp,
    /// The file descriptor, where one is named: a number, or the text of `{name}`.
    pub fd: Option<String>,
    /// The file, the number behind `>&`, or the body of a here-document or here-string.
    pub target: Word,
}

/// The redirection operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectOp {
    /// `<`
    Read,
    /// `>`
    Write,
    /// `>>`
    Append,
    /// `>|`
    Clobber,
    /// `<>`
    ReadWrite,
    /// `&>`
    Both,
    /// `&>>`
    BothAppend,
    /// `>&`, which is `&>` if its target is no number and no `-`
    DupOut,
    /// `<&`
    DupIn,
    /// `<<` and `<<-`: the target is the body. With a quoted delimiter it is one [`Part::Quoted`]; else expansions are parts as in
    /// double quotes. Tabs that `<<-` drops are dropped.
    HereDoc,
    /// `<<<`
    HereString,
}

/// A word before expansion: its parts stand side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Word {
    /// Where it stands.
    pub span: Span,
    /// Its parts. `""` is a single empty [`Part::Quoted`]; a word without parts does not occur.
    pub parts: Vec<Part>,
}

/// A part of a word.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text outside quotes, in which `~`, `{a,b}`, `*`, `?` and `[…]` may mean something.
    Plain(String),
    /// Text that means itself: in quotes, behind a backslash, in `$'…'` (decoded).
    Quoted(String),
    /// `$name`, `${name…}`, `$1`, `$@` …
    Parameter(Box<Parameter>),
    /// `$(…)`, backquotes, `${ …; }`.
    Command {
        /// What is run.
        script: Script,
        /// True between double quotes.
        quoted: bool,
    },
    /// `$((…))`, `$[…]`: the expansions in it.
    Arith(Vec<Part>),
    /// `<(…)` and `>(…)`
    Process(Script),
    /// `(a b …)` of an array assignment; a word `[i]=v` stands as one word.
    Array(Vec<Word>),
}

/// A parameter expansion.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The parameter's name: `x`, `1`, `@`, `?` …
    pub name: String,
    /// True between double quotes.
    pub quoted: bool,
    /// What is done with the value.
    pub op: ParameterOp,
}

/// What a parameter expansion does with the value.
#[derive(Clone, Debug, PartialEq)]
pub enum ParameterOp {
    /// `$x`, `${x}`
    Value,
    /// `${x-w}`, `${x:-w}`: the word where there is no value.
    Default(Word),
    /// `${x=w}`, `${x:=w}`: the same, and assigned.
    Assign(Word),
    /// `${x+w}`, `${x:+w}`: the word where there is a value.
    Alternative(Word),
    /// `${x?w}`, `${x:?w}`: the value or the end.
    Demand(Word),
    /// `${x#w}` (false), `${x##w}` (true): without the prefix that matches.
    Prefix(Word, bool),
    /// `${x%w}` (false), `${x%%w}` (true): without the suffix that matches.
    Suffix(Word, bool),
    /// `${x[@]}` (true), `${x[*]}` (false): all elements of an array.
    Elements(bool),
    /// Everything else, `${#x}`, `${!x}`, `${x[i]}`, `${x/a/b}`, `${x:1:2}`, `${x^}`, `${x@Q}`: the expansions in it.
    Other(Vec<Part>),
}
