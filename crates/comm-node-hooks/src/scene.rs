//! Where a call takes place: its surroundings, its node, the node's rules.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use comm_node_core::deadline::Deadline;
use comm_node_core::guard::{self, Binding, Outposts};
use comm_node_core::node::excerpt::Excerpt;
use comm_node_core::node::registry::{Layout, Registry, Role, SourceId, VERSION};
use comm_node_core::node::{self, Place, Worktrees};
use comm_node_core::path::Resolved;
use comm_node_core::session::{Session, SessionId};
use comm_node_core::store::Store;
use comm_node_core::text::one_line;
use comm_node_core::{Error, Result, path};

use crate::failure;
use crate::wire::Call;

/// What the client puts around a hook besides its input. Read once, here.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `CLAUDE_PROJECT_DIR`: where the session began.
    pub project_dir: Option<PathBuf>,
    /// The directory this program was started in.
    pub cwd: Option<PathBuf>,
    /// `CLAUDE_PID`: the client's process.
    pub client: Option<u32>,
    /// `COMM_NODE_DOMAIN`.
    pub domain: Option<String>,
    /// `CLAUDE_ENV_FILE`: a file whose shell lines later Bash calls begin with.
    pub env_file: Option<PathBuf>,
    /// Claude Code's configuration directory.
    pub claude_dir: Option<PathBuf>,
    /// `COMM_NODE_ORCHESTRATOR`: true if the user wants to be reminded to plan and to delegate.
    pub orchestrator: bool,
    /// True if this program runs as part of the plugin.
    pub plugin: bool,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        let home =
            || var("HOME").or_else(|| var("USERPROFILE")).map(|home| PathBuf::from(home).join(".claude"));
        Self {
            project_dir: var("CLAUDE_PROJECT_DIR").map(PathBuf::from),
            cwd: std::env::current_dir().ok(),
            client: var("CLAUDE_PID").and_then(|v| v.to_str()?.parse().ok()),
            domain: var("COMM_NODE_DOMAIN").and_then(|v| v.into_string().ok()),
            env_file: var("CLAUDE_ENV_FILE").map(PathBuf::from),
            claude_dir: var("CLAUDE_CONFIG_DIR").map(PathBuf::from).or_else(home),
            orchestrator: var("COMM_NODE_ORCHESTRATOR").is_some_and(|v| v == "1" || v == "true" || v == "on"),
            plugin: var("CLAUDE_PLUGIN_ROOT").is_some(),
        }
    }

    /// `path` resolved. What the system itself says of this program's directory needs no look.
    ///
    /// # Errors
    /// When its symbolic links can't be followed.
    pub fn real(&self, path: &Path) -> Result<PathBuf> {
        self.resolve(path).map(|resolved| resolved.real)
    }

    /// `path` resolved, with the links that it led through.
    ///
    /// # Errors
    /// When its symbolic links can't be followed.
    pub fn resolve(&self, path: &Path) -> Result<Resolved> {
        match &self.cwd {
            Some(cwd) if cwd.starts_with(path) => {
                Ok(Resolved { real: path.to_path_buf(), links: Vec::new(), exists: true })
            }
            Some(cwd) => path::resolve(cwd, path),
            None => path::resolve(Path::new(""), path),
        }
    }

    /// Where protected files of this session are besides their usual names in `node`, as
    /// far as it matters to a write to `place`.
    #[must_use]
    pub fn outposts(&self, node: &Layout, place: &Place) -> Outposts {
        let claude_dir = self.claude_dir.as_deref().and_then(|dir| self.real(dir).ok());
        let programs = match place {
            // The node's scopes say who writes there.
            Place::Inside { .. } => None,
            Place::Outside { .. } => {
                std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf))
            }
        };
        Outposts::find(node, claude_dir, programs)
    }

    /// The directory that the session began in, as far as it is known, resolved.
    #[must_use]
    pub fn start(&self, call: &Call<'_>) -> Option<PathBuf> {
        let cwd = Path::new(&*call.cwd);
        let dir = self.project_dir.as_deref().unwrap_or(cwd);
        Some(dir).filter(|d| d.is_absolute()).and_then(|d| self.real(d).ok())
    }

    /// The directories that can say which node this is, first one first.
    pub fn directories(&self) -> impl Iterator<Item = PathBuf> {
        [self.project_dir.clone(), self.cwd.clone()].into_iter().flatten().filter(|d| d.is_absolute())
    }
}

/// A node as one call sees it.
#[derive(Debug)]
pub struct Scene {
    /// Where the node's files are.
    pub layout: Layout,
    /// The node's state.
    pub store: Store,
    /// The node's rules. They borrow from text that lives until the process ends, which is soon.
    pub registry: Registry<'static>,
    /// What was found out of its directories.
    worktrees: Worktrees,
    /// Where only a part of the rules was read: the whole of them, and the session's record by which it was chosen.
    part: Option<Chosen>,
}

/// What becomes of rules of which only a part was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It is decided by them, and once more with [more](Scene::complete) of them where they [lack](Scene::lacks) something.
    Decide,
    /// The rest is read where it is asked for.
    Read,
}

#[derive(Debug)]
struct Chosen {
    text: &'static str,
    /// The session's own.
    domain: String,
    session: Mutex<Option<Session>>,
}

/// Shorter rules are read at once.
const WORTH_A_CHOICE: usize = 2 << 10;

impl Scene {
    /// A node with all of its rules.
    #[must_use]
    pub fn with(layout: Layout, store: Store, registry: Registry<'static>) -> Self {
        Self { layout, store, registry, worktrees: Worktrees::default(), part: None }
    }

    /// The place of `real`, a path without symlinks.
    #[must_use]
    pub fn locate(&self, real: &Path) -> Place {
        self.worktrees.locate(&self.registry, real)
    }

    /// The node that the session belongs to: that of the directory it began in, which the agent
    /// can't change, else that of its working directory. `None` where there is none. Of long rules what concerns the session's
    /// own domain is read, and the rest where it is asked for.
    ///
    /// # Errors
    /// When there is a node but its rules can't be read.
    pub fn of_session(call: &Call<'_>, around: &Surroundings, deadline: Deadline) -> Result<Option<Self>> {
        let load = |layout| Self::load_part(layout, None, call, deadline, Then::Read);
        Self::place_of_session(call, around)?.map(load).transpose()
    }

    /// [`Scene::of_session`] with all of the rules, for who tells of every domain.
    ///
    /// # Errors
    /// As [`Scene::of_session`].
    pub fn whole_of_session(
        call: &Call<'_>,
        around: &Surroundings,
        deadline: Deadline,
    ) -> Result<Option<Self>> {
        Self::place_of_session(call, around)?.map(|layout| Self::load(layout, deadline)).transpose()
    }

    /// Where the node that the session belongs to is; its rules are not read.
    ///
    /// # Errors
    /// When it can't be told whether there is one.
    pub fn place_of_session(call: &Call<'_>, around: &Surroundings) -> Result<Option<Layout>> {
        let project = around.project_dir.as_deref().filter(|d| d.is_absolute());
        let cwd = Some(Path::new(&*call.cwd)).filter(|d| d.is_absolute() && Some(*d) != project);
        let mut searched: Option<PathBuf> = None;
        for dir in [project, cwd].into_iter().flatten() {
            let dir = around.real(dir)?;
            if let Some(layout) = node::find_from(&dir, searched.as_deref())? {
                return Ok(Some(layout));
            }
            searched.get_or_insert(dir);
        }
        Ok(None)
    }

    /// Reads the rules of a node, compiled anew first if `comm-node.yaml` changed since.
    ///
    /// What is stale after that could not be compiled, and the last good form stays in force, as it
    /// does where the file is gone.
    ///
    /// # Errors
    /// When its rules can't be read.
    pub fn load(layout: Layout, deadline: Deadline) -> Result<Self> {
        Self::load_read(layout, None, deadline)
    }

    /// [`Scene::load`], where the text of the compiled rules may have been read already.
    ///
    /// # Errors
    /// As [`Scene::load`].
    pub fn load_read(layout: Layout, text: Option<&'static str>, deadline: Deadline) -> Result<Self> {
        let store = Store::new(layout.state());
        let source = layout.met.or_else(|| source_id(&layout));
        // A node that was moved is judged by where it is now.
        let here = |r: &Registry<'_>| is_of(r, &layout);
        // An older format is read, and made anew first.
        let new = |r: &Registry<'_>| r.version == VERSION;
        let read_before = match text {
            Some(text) => parse(&store, text).map(Some),
            None => read(&store),
        };
        let fresh = read_before.ok().flatten().filter(|r| Some(r.source) == source && here(r) && new(r));
        let registry = match fresh {
            Some(registry) => registry,
            None => {
                let compiled = if source.is_some() { compile(&layout.root, deadline) } else { Ok(()) };
                let root = layout.root.clone();
                let why = || match source {
                    Some(_) => Error::Config { root, why: "it was compiled for another place".into() },
                    None => Error::Gone { root, rules: "its last rules were compiled for another place" },
                };
                read(&store)?.filter(here).ok_or_else(|| compiled.err().unwrap_or_else(why))?
            }
        };
        failure::set_mode(registry.strictest_mode());
        Ok(Self::with(layout, store, registry))
    }

    /// [`Scene::load_read`], but of the rules only what concerns the session's own domain, where the session is known
    /// and the rules are long. Who decides by them has to see whether they [lack](Scene::lacks) something.
    ///
    /// # Errors
    /// As [`Scene::load`].
    pub fn load_own(
        layout: Layout,
        text: Option<&'static str>,
        call: &Call<'_>,
        deadline: Deadline,
    ) -> Result<Self> {
        Self::load_part(layout, text, call, deadline, Then::Decide)
    }

    fn load_part(
        layout: Layout,
        text: Option<&'static str>,
        call: &Call<'_>,
        deadline: Deadline,
        then: Then,
    ) -> Result<Self> {
        let store = Store::new(layout.state());
        let text = match text {
            Some(text) => text,
            // Whatever is wrong is said where all of it is read.
            None => match store.read_registry() {
                Ok(Some(text)) => text.leak(),
                _ => return Self::load_read(layout, None, deadline),
            },
        };
        if text.len() < WORTH_A_CHOICE {
            return Self::load_read(layout, Some(text), deadline);
        }
        // Of a session that can't be known all rules may matter.
        let id = SessionId::new(&call.session_id).ok();
        let session = id.and_then(|id| store.read_session(&id).ok().flatten());
        let session = session.filter(|s| s.waiting_for.is_none());
        let Some(domain) = session.as_ref().and_then(|session| session.domain.as_deref()) else {
            return Self::load_read(layout, Some(text), deadline);
        };
        let registry = Excerpt::of(text, domain).and_then(|excerpt| {
            let Some(excerpt) = excerpt else { return Ok(None) };
            // It lives until the process ends, as all rules do.
            let excerpt = Box::leak(Box::new(excerpt));
            match then {
                Then::Decide => Registry::parse_part(excerpt, domain).map(Some),
                Then::Read => Registry::parse_lazily(excerpt, domain, text).map(Some),
            }
        });
        let source = layout.met.or_else(|| source_id(&layout));
        let fresh = |r: &Registry<'_>| source == Some(r.source) && is_of(r, &layout) && r.version == VERSION;
        match registry {
            Ok(Some(registry)) if fresh(&registry) => {
                failure::set_mode(registry.strictest_mode());
                let domain = domain.to_owned();
                let part = Some(Chosen { text, domain, session: Mutex::new(session) });
                Ok(Self { layout, store, registry, worktrees: Worktrees::default(), part })
            }
            Ok(_) => Self::load_read(layout, Some(text), deadline),
            // Damaged; it is made anew as any damaged one is.
            Err(_) => Self::load_read(layout, Some(""), deadline),
        }
    }

    /// True if something was asked for that only the whole of the rules knows: what was decided may be wrong.
    #[must_use]
    pub fn lacks(&self) -> bool {
        self.registry.lacks()
    }

    /// Reads more of the rules: every domain that may own what was asked for, where that was all, else the whole.
    ///
    /// # Errors
    /// When they are damaged.
    pub fn complete(&mut self) -> Result<()> {
        let Some(part) = self.part.take() else { return Ok(()) };
        match self.owners(&part) {
            Some(registry) => {
                self.registry = registry;
                self.part = Some(part);
            }
            None => self.registry = parse(&self.store, part.text)?,
        }
        Ok(())
    }

    fn owners(&self, part: &Chosen) -> Option<Registry<'static>> {
        let keys = self.registry.owners_asked()?;
        let excerpt = Excerpt::owners(part.text, &part.domain, &keys).ok()??;
        Registry::parse_owners(Box::leak(Box::new(excerpt)), &part.domain, keys).ok()
    }

    /// Has the command line write down where the budgets of `domain` stand.
    ///
    /// # Errors
    /// When that can't be told.
    pub(crate) fn assess(&self, domain: &str, deadline: Deadline) -> Result<()> {
        let why = match beside(&self.layout.root, &["--assess", domain], deadline) {
            Ok(Ok(())) => return Ok(()),
            // Its own remedy is said here once more.
            Ok(Err(said)) => {
                let said = said.strip_prefix("error: ").unwrap_or(&said);
                said.rsplit_once("; ").map_or(said, |(what, _)| what).to_owned()
            }
            Err(why) => why,
        };
        Err(Error::Assess { why: one_line(&why, 500).into_owned() })
    }

    /// True if the command line says that the shell command `text` of this tool does nothing but close work. It knows how a
    /// shell reads; this is asked at the end of a run.
    pub(crate) fn closes(&self, tool: &str, text: &str, deadline: Deadline) -> bool {
        let how = if tool == "PowerShell" { "--closing-powershell=" } else { "--closing=" };
        let said =
            beside(&self.layout.root, &[&[how, text].concat()], deadline.at_most(Duration::from_secs(1)));
        matches!(said, Ok(Ok(())))
    }

    /// The session's record, `None` where there is none: the first time as it was read to choose a part of the rules a moment ago, or
    /// else as it is.
    ///
    /// # Errors
    /// When it is there but can't be read.
    pub(crate) fn session(&self, id: &SessionId) -> Result<Option<Session>> {
        match self.take_session().filter(|session| session.session_id == *id) {
            Some(session) => Ok(Some(session)),
            None => self.store.read_session(id),
        }
    }

    /// The session's record, if it was read already to choose a part of the rules.
    pub(crate) fn take_session(&self) -> Option<Session> {
        self.part.as_ref().and_then(|part| part.session.lock().ok()?.take())
    }

    /// The roles of the agent that calls.
    ///
    /// # Errors
    /// When the registry's roles are damaged.
    pub fn roles<'s>(
        &'s self,
        binding: Binding<'s>,
        session: &Session,
        call: &Call<'_>,
    ) -> Result<Vec<Role<'s>>> {
        guard::roles(&self.registry, binding, session.roles(), call.agent_type.as_deref())
            .map_err(|why| Error::Damaged { path: self.store.registry_path(), why })
    }

    /// True if `comm-node.yaml` changed since it was last compiled, or is gone: the rules in force
    /// are older.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        source_id(&self.layout) != Some(self.registry.source)
    }
}

/// True if `registry` was compiled for the node where it is now.
fn is_of(registry: &Registry<'_>, layout: &Layout) -> bool {
    registry.trees.first().is_some_and(|top| Path::new(&**top) == layout.root)
}

/// The compiled rules, `None` where there are none yet.
fn read(store: &Store) -> Result<Option<Registry<'static>>> {
    store.read_registry()?.map(|text| parse(store, text.leak())).transpose()
}

fn parse(store: &Store, text: &'static str) -> Result<Registry<'static>> {
    Registry::parse(text).map_err(|why| Error::Damaged { path: store.registry_path(), why })
}

/// Which state of `comm-node.yaml` is there, `None` if there is none.
fn source_id(layout: &Layout) -> Option<SourceId> {
    std::fs::metadata(layout.yaml()).ok().filter(std::fs::Metadata::is_file).map(|meta| SourceId::of(&meta))
}

/// Has the command line beside this program compile the node's configuration. If that finds it
/// faulty, the error is its own first line.
fn compile(root: &Path, deadline: Deadline) -> Result<()> {
    let failed = |why: String| Error::Compiler { root: root.to_path_buf(), why };
    beside(root, &[], deadline).map_err(failed)?.map_err(|said| {
        let why = one_line(bare(&said, root), 500).into_owned();
        Error::Config { root: root.to_path_buf(), why }
    })
}

/// The command line's file, beside this program.
///
/// # Errors
/// When this program's own place isn't known.
pub(crate) fn command_line() -> std::io::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    Ok(exe.with_file_name(["comm-node", std::env::consts::EXE_SUFFIX].concat()))
}

/// Runs `comm-node compile` beside this program: what it said first if it fails.
///
/// # Errors
/// Why it could not be run.
fn beside(
    root: &Path,
    more: &[&str],
    deadline: Deadline,
) -> std::result::Result<std::result::Result<(), String>, String> {
    let program = command_line().map_err(|e| format!("this program's own place is not known: {e}"))?;
    let mut child = Command::new(&program)
        .args(["compile", "--quiet"])
        .args(more)
        .arg("--node")
        .arg(root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{} can't be run: {e}", program.display()))?;
    let limit = deadline.at_most(Duration::from_millis(2_500));
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if limit.passed() => {
                // Leave no child behind.
                let _ = child.kill();
                let _ = child.wait();
                return Err("it took too long".into());
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Err(e) => return Err(format!("the compiler can't be waited for: {e}")),
        }
    };
    if status.success() {
        return Ok(Ok(()));
    }
    let mut said = Vec::new();
    if let Some(pipe) = child.stderr.take() {
        let _ = std::io::Read::read_to_end(&mut std::io::Read::take(pipe, 4096), &mut said);
    }
    let said = String::from_utf8_lossy(&said);
    Ok(Err(said.lines().next().unwrap_or("no reason was given").to_owned()))
}

/// What the compiler said, without what [`Error::Config`] says around it once more.
fn bare<'s>(said: &'s str, root: &Path) -> &'s str {
    let around = Error::Config { root: root.to_path_buf(), why: String::new() };
    let prefix = around.to_string();
    let said = said.strip_prefix("error: ").unwrap_or(said);
    let Some(said) = said.strip_prefix(&*one_line(&prefix, 2000)) else { return said };
    said.strip_suffix(around.remedy()).and_then(|said| said.strip_suffix("; ")).unwrap_or(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_words_are_not_said_twice() {
        let root = Path::new("/shop");
        let error = Error::Config { root: root.to_path_buf(), why: "line 3: no `scope`".into() };
        assert_eq!(bare(&format!("error: {error}; {}", error.remedy()), root), "line 3: no `scope`");
        assert_eq!(bare(&error.to_string(), root), "line 3: no `scope`");
        assert_eq!(bare("error: could not read x; try", root), "could not read x; try");
        assert_eq!(bare("comm-node.yaml:3:1: no", root), "comm-node.yaml:3:1: no");
    }
}
