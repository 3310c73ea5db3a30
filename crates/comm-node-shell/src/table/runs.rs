//! Variables and settings of git by which a program runs another one, or code, that its arguments say nothing of.
//!
//! Where the value is a command it is followed as one; what only names code or a file that says more (`LD_PRELOAD`,
//! `GIT_CONFIG_GLOBAL`) makes the program one that could write anything. A variable that no program of the command looks
//! at is nobody's business.

use super::row::among;
use super::{Argument, Effect};
use crate::{Certainty, Why};

/// What the value of a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A shell text that is given a file of the program's own.
    Editor,
    /// A shell text that reads what it is to show.
    Pager,
    /// A shell text that may be given anything.
    Command,
    /// The same, with `|` before it and `%s` for what it is given.
    Opener,
    /// Options, harmless but for these, which load code.
    Options(&'static str),
    /// What a shell expands, substitutions too.
    Prompt,
    /// Code, or a file or directory with some: nobody knows what that does.
    Code,
}

const ANY: &str = "*";
const GIT: &str = "git|gh|hub|glab|tig|lazygit";
const SHELLS: &str = "bash|sh|zsh|dash|ksh|ash|mksh|busybox";
const NODE: &str =
    "-r,--require,--import,--loader,--experimental-loader,-e,--eval,-p,--print,--env-file,--snapshot-blob";
const JAVA: &str =
    "-javaagent,-agentlib,-agentpath,-XX:OnError,-XX:OnOutOfMemoryError,-XX:Flags,-Xbootclasspath,@";

/// The table: variables, the programs that look at them, and what their values are.
const TABLE: [(&str, &str, Kind); 35] = [
    ("GIT_PAGER", GIT, Kind::Pager),
    ("GH_PAGER|GLAB_PAGER", "gh|glab", Kind::Pager),
    ("GIT_EDITOR|GIT_SEQUENCE_EDITOR", GIT, Kind::Editor),
    (
        "EDITOR|VISUAL",
        "git|gh|hub|glab|tig|lazygit|hg|svn|jj|crontab|kubectl|systemctl|less|more|man|psql|mysql|sudoedit|visudo|bat|aws|heroku|pass",
        Kind::Editor,
    ),
    ("GH_EDITOR|GLAB_EDITOR", "gh|glab", Kind::Editor),
    (
        "HGEDITOR|SVN_EDITOR|KUBE_EDITOR|SYSTEMD_EDITOR|PSQL_EDITOR",
        "hg|svn|kubectl|systemctl|psql",
        Kind::Editor,
    ),
    ("GIT_EXTERNAL_DIFF|GIT_SSH_COMMAND|GIT_SSH|GIT_PROXY_COMMAND", GIT, Kind::Command),
    (
        "PAGER",
        "git|gh|hub|glab|tig|man|hg|svn|jj|psql|mysql|systemctl|journalctl|aws|bat|batcat|delta|info|kubectl",
        Kind::Pager,
    ),
    ("MANPAGER", "man|apropos", Kind::Pager),
    ("GH_BROWSER|BROWSER", "gh|git|hub|glab|man|heroku", Kind::Command),
    (
        "SYSTEMD_PAGER|PSQL_PAGER|BAT_PAGER|DELTA_PAGER|AWS_PAGER",
        "systemctl|journalctl|psql|bat|batcat|delta|aws",
        Kind::Pager,
    ),
    ("GIT_ASKPASS|SSH_ASKPASS|SUDO_ASKPASS", "git|gh|hub|ssh|scp|ssh-add|rsync|sudo", Kind::Command),
    ("RSYNC_RSH|CVS_RSH|SVN_SSH", "rsync|cvs|svn", Kind::Command),
    (
        "RUSTC|RUSTC_WRAPPER|RUSTC_WORKSPACE_WRAPPER|RUSTDOC|CARGO_BUILD_RUSTC|CARGO_BUILD_RUSTC_WRAPPER",
        "cargo|rustup",
        Kind::Command,
    ),
    ("LESSOPEN|LESSCLOSE", "less|man|git|more|bat|batcat|gh", Kind::Opener),
    ("PROMPT_COMMAND", SHELLS, Kind::Command),
    ("PS0|PS1|PS2|PS4", SHELLS, Kind::Prompt),
    ("NODE_OPTIONS", ANY, Kind::Options(NODE)),
    ("JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS", ANY, Kind::Options(JAVA)),
    ("RUBYOPT", "ruby|rubocop|standardrb|erb_lint|erblint|bundle|gem|rake|rails", Kind::Options("-r,-e,-I")),
    ("PERL5OPT|PERL5LIB|PERLLIB|PERL5DB", ANY, Kind::Code),
    ("RUBYLIB", "ruby|rubocop|standardrb|erb_lint|erblint|bundle|gem|rake|rails", Kind::Code),
    (
        "PYTHONPATH|PYTHONHOME|PYTHONSTARTUP",
        "python|mypy|flake8|pylint|pyflakes|pycodestyle|pydocstyle|bandit|vulture|black|isort|yapf|\
        autopep8|autoflake|pip|yamllint|sqlfluff|codespell|cmake-format|aws|gcloud|gsutil|docformatter|pyupgrade|djlint",
        Kind::Code,
    ),
    (
        "GOFLAGS",
        "go|gopls|staticcheck|golangci-lint",
        Kind::Options("-toolexec,-vettool,-overlay,-exec,-modfile"),
    ),
    ("TAR_OPTIONS", "tar|gtar|bsdtar", Kind::Code),
    ("LD_PRELOAD|LD_LIBRARY_PATH|LD_AUDIT", ANY, Kind::Code),
    (
        "DYLD_INSERT_LIBRARIES|DYLD_LIBRARY_PATH|DYLD_FRAMEWORK_PATH|DYLD_FALLBACK_LIBRARY_PATH",
        ANY,
        Kind::Code,
    ),
    ("BASH_ENV", ANY, Kind::Code),
    // `ENV=production` is a word of many programs; what a shell would read is a path.
    ("ENV", "sh|dash|ksh|ash|mksh|busybox", Kind::Options("/,./,../,~")),
    ("ZDOTDIR", "zsh", Kind::Code),
    (
        "GIT_EXEC_PATH|GIT_TEMPLATE_DIR|GIT_CONFIG|GIT_CONFIG_GLOBAL|GIT_CONFIG_SYSTEM|GIT_CONFIG_PARAMETERS",
        GIT,
        Kind::Code,
    ),
    (
        "HOME|XDG_CONFIG_HOME",
        "git|gh|hub|curl|wget|ssh|scp|rsync|rg|bat|batcat|less|psql|sqlite3|zsh",
        Kind::Code,
    ),
    ("CURL_HOME|WGETRC|SYSTEM_WGETRC", "curl|wget", Kind::Code),
    ("RIPGREP_CONFIG_PATH|BAT_CONFIG_PATH|BAT_CONFIG_DIR|ACKRC", "rg|bat|batcat|ack", Kind::Code),
    (
        "LESS|LESSKEY|LESSKEYIN|MORE",
        "less|man|git|more|bat|batcat|gh",
        Kind::Options("-o,-O,--log-file,--LOG-FILE,+!,/"),
    ),
];

/// Numbered variables that hold a setting of git each, and what they hold by the same number.
pub(crate) const KEY: &str = "GIT_CONFIG_KEY_";
pub(crate) const VALUE: &str = "GIT_CONFIG_VALUE_";

/// What the variable `name` means to the programs that look at it, which are given too.
pub(crate) fn variable(name: &str) -> Option<(&'static str, Kind)> {
    // Mostly it is one that somebody made up.
    if !name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_') {
        return None;
    }
    let (_, programs, kind) = TABLE.iter().find(|(names, ..)| among(names, '|', name))?;
    Some((programs, *kind))
}

/// Whether `program` is one of `programs`, by the name that it is called by.
pub(crate) fn looks(program: &str, programs: &str) -> bool {
    let Some(name) = super::lookup::name_of(program) else { return programs == ANY };
    let is = |name: &str| among(programs, '|', name);
    programs == ANY || is(&name) || super::lookup::unversioned(&name).is_some_and(is)
}

/// What a program may do that has a variable or a setting of this `kind` with this `value`.
pub(crate) fn effect(kind: Kind, value: &Argument) -> Option<Effect> {
    let text = match value {
        Argument::Known(text) => text.trim(),
        // Options that aren't known are nearly always some number.
        Argument::Unknown { .. } if matches!(kind, Kind::Options(_) | Kind::Prompt) => return None,
        Argument::Unknown { .. } => return Some(Effect::Unknown(Why::Name)),
    };
    // What takes the place of nothing at all, or says yes or no.
    if text.is_empty() || among("/dev/null|true|false|:|0|1|yes|no|on|off|cat|less|sccache|ccache", '|', text)
    {
        return None;
    }
    let anything = || Argument::Unknown { prefix: String::new() };
    let own = || Argument::Known("/dev/null".to_owned());
    match kind {
        Kind::Editor => Some(run([text, " \"$@\""].concat(), own())),
        Kind::Pager => Some(run(text.to_owned(), own())),
        Kind::Command => Some(run([text, " \"$@\""].concat(), anything())),
        Kind::Opener => Some(run(text.trim_start_matches(['|', '-']).replace("%s", "\"$@\""), anything())),
        Kind::Options(bad) => {
            let loads = |word: &str| bad.split(',').any(|bad| word.starts_with(bad));
            text.split_whitespace().any(loads).then_some(Effect::Unknown(Why::Code))
        }
        Kind::Prompt => text.contains(['`', '(']).then_some(Effect::Unknown(Why::Script)),
        Kind::Code => Some(Effect::Unknown(Why::Code)),
    }
}

/// A shell text that perhaps is run with this argument.
fn run(text: String, argument: Argument) -> Effect {
    let argv = ["sh", "-c", &text, "sh"].map(|word| Argument::Known(word.to_owned()));
    let argv = argv.into_iter().chain([argument]).collect();
    Effect::Run { argv, assignments: Vec::new(), cwd: None, certainty: Certainty::Possible }
}

/// What git may do that is told `key=value` on its command line or by a variable.
pub(crate) fn setting(key: &str, value: &Argument) -> Option<Effect> {
    const COMMANDS: &str = "askpass|sshcommand|gitproxy|external|command|cmd|textconv|fsmonitor|driver|clean|smudge|process|program|\
        uploadpack|receivepack|packobjectshook|alternaterefscommand|difffilter|tocmd|cccmd|sendmailcmd|headercmd";
    const CODE: &str = "hookspath|templatedir|worktree|vcs|defaultremotehelper";
    let key = key.to_ascii_lowercase();
    let first = key.split('.').next().unwrap_or_default();
    let last = key.rsplit('.').next().unwrap_or_default();
    let text = value.text();
    match last {
        _ if first == "alias" => match text.strip_prefix('!') {
            Some(command) => effect(Kind::Command, &value.with(command)),
            None => effect(Kind::Command, &value.with(&["git ", text].concat())),
        },
        "path" if matches!(first, "include" | "includeif") => effect(Kind::Code, value),
        "editor" => effect(Kind::Editor, value),
        "helper" => match text.strip_prefix('!') {
            Some(command) => effect(Kind::Command, &value.with(command)),
            // A name stands for a program of git's own.
            None if !value.is_open() && !text.contains(['/', ' ', '\\']) => None,
            None => effect(Kind::Command, value),
        },
        _ if first == "pager" || last == "pager" => effect(Kind::Pager, value),
        _ if among(COMMANDS, '|', last) => effect(Kind::Command, value),
        _ if among(CODE, '|', last) => effect(Kind::Code, value),
        _ => None,
    }
}

/// Whether programs that are found by their name in what `PATH` was set to are what their names say: `text` is what it begins
/// with, before what isn't known of it (mostly what it was before). `home` is the home directory, if it is known: its `bin` is the
/// person's.
pub(crate) fn is_usual_path(text: &str, home: Option<&str>) -> bool {
    const MORE: &str =
        "/usr/local/go/bin|/usr/lib/go/bin|/usr/games|/usr/local/games|/home/linuxbrew/.linuxbrew/bin";
    const ENDS: &str = "/go/bin|/.npm-global/bin|/.deno/bin|/.pyenv/bin|/.pyenv/shims|/.rbenv/bin|/.rbenv/shims|/.volta/bin|/.asdf/shims|\
        /.local/share/pnpm|/.yarn/bin|/.poetry/bin|/.rye/shims|/.dotnet/tools|/.local/share/mise/shims|/.ghcup/bin|/.cabal/bin|/.linkerd2/bin";
    let is_usual = |directory: &str| {
        let directory = directory.trim_end_matches('/');
        directory.is_empty()
            || super::lookup::usual(directory)
            || among(MORE, '|', directory)
            || home.is_some_and(|home| directory.strip_prefix(home) == Some("/bin"))
            || ENDS.split('|').any(|end| directory.ends_with(end))
            || (directory.contains("/.nvm/versions/node/") && directory.ends_with("/bin"))
            || (directory.starts_with("/nix/store/") && directory.ends_with("/bin"))
    };
    let mut directories = text.split([':', ';']).peekable();
    while let Some(directory) = directories.next() {
        // An empty one is the working directory, the last one excepted: what isn't known begins there, or nothing comes behind it.
        if directory.is_empty() && directories.peek().is_some() || !is_usual(directory) {
            return false;
        }
    }
    true
}
