//! `registry.json`: `comm-node.yaml` compiled into what the hooks need.
//!
//! The command line writes it (it has the YAML parser), the hooks read it, and
//! both use these types. Everything borrows from the file's text. Patterns are
//! already normalised: relative to their tree, NFC, lower case where the file
//! system folds case.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use super::excerpt::Excerpt;
use crate::budget::{Budget, OnExhausted};
use crate::text::{Text, one_line};

/// The version of the format that this program reads and writes.
///
/// 3 has an index at its end, which leads to the roles too, and a checksum; 1, without any, and 2 are read all the same, and made anew
/// when somebody looks.
pub const VERSION: u32 = 3;
/// The first version with a checksum.
const SEALED: u32 = 3;
/// A glob is shown up to this many characters.
const SHOWN: usize = 200;

/// The compiled configuration of one node.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Registry<'a> {
    /// The format's version, [`VERSION`].
    pub version: u32,
    /// Which `comm-node.yaml` this was compiled from.
    pub source: SourceId,
    /// Set while the present `comm-node.yaml` is broken; the rest is then the last good form.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault<'a>>,
    /// The node's name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// True where the file system takes `A` and `a` for the same name.
    #[serde(default)]
    pub fold_case: bool,
    /// The directories whose paths this node judges: first the node's root, then each domain's
    /// own repository, absolute and resolved.
    #[serde(default, borrow)]
    pub trees: Vec<Text<'a>>,
    /// Node-wide rules.
    #[serde(default)]
    pub policy: Policy,
    /// What all domains together may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// `policy.protected`, on top of what is always protected.
    #[serde(default, borrow)]
    pub protected: Vec<Pattern<'a>>,
    /// MCP tools that write, with the input fields that hold the paths.
    #[serde(default, borrow, skip_serializing_if = "Vec::is_empty")]
    pub mcp_writes: Vec<McpWrite<'a>>,
    /// `shell.commands`: what programs of the node's own write, one row each; they come before the
    /// built-in table's.
    #[serde(default, borrow, skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<Text<'a>>,
    /// `prices`: what models cost here, in rows; they come before the built-in table's.
    #[serde(default, borrow, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<Text<'a>>,
    /// The roles in force: the built-in ones with the node's changes applied.
    #[serde(default, borrow)]
    pub roles: Roles<'a>,
    /// The domains, in the order of the file.
    #[serde(default, borrow, deserialize_with = "roomy")]
    pub domains: Vec<Domain<'a>>,
    /// Set where not all domains were read.
    #[serde(skip)]
    pub part: Option<Part>,
}

/// Owners of more keys are looked for among all domains.
const MAX_ASKED: usize = 8;

/// What is known of the domains that were not read, and what was asked for that only they can tell.
#[derive(Debug)]
pub struct Part {
    strictest: Mode,
    /// The keys whose owners are among the domains that were read.
    known: Vec<String>,
    /// The keys whose owners were asked for and are not known.
    asked: Mutex<Vec<String>>,
    /// True if anything else was asked for.
    missed: AtomicBool,
    /// All of it, for who does not decide twice.
    rest: Option<Rest>,
}

/// The whole text of a registry of which a part was read; the rest of it is, once that is asked for.
#[derive(Clone, Debug)]
struct Rest {
    text: &'static str,
    /// `None` where it can't be read, although its checksum is right.
    whole: OnceLock<Option<Box<Registry<'static>>>>,
}

impl Part {
    fn new(strictest: Mode, known: Vec<String>) -> Self {
        Self { strictest, known, asked: Mutex::default(), missed: AtomicBool::new(false), rest: None }
    }

    /// The whole registry, where its text is at hand.
    fn whole(&self) -> Option<&Registry<'static>> {
        let Rest { text, whole } = self.rest.as_ref()?;
        whole.get_or_init(|| Registry::parse(text).ok().map(Box::new)).as_deref()
    }
}

impl Clone for Part {
    fn clone(&self) -> Self {
        let asked = self.asked.lock().map_or_else(|poisoned| poisoned.into_inner().clone(), |a| a.clone());
        let missed = AtomicBool::new(self.missed.load(Ordering::Relaxed));
        let (known, rest) = (self.known.clone(), self.rest.clone());
        Self { strictest: self.strictest, known, asked: Mutex::new(asked), missed, rest }
    }
}

/// What was asked of it makes it no other part.
impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        (self.strictest, &self.known) == (other.strictest, &other.known)
    }
}

/// What identifies one state of a source file without reading it.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct SourceId {
    /// Size in bytes.
    pub size: u64,
    /// Last modification, nanoseconds since 1970.
    pub mtime_ns: u64,
    /// Last change of the inode, nanoseconds since 1970; 0 where there is none.
    pub ctime_ns: u64,
    /// Inode number; 0 where there is none.
    pub ino: u64,
}

/// Why the present `comm-node.yaml` could not be compiled.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Fault<'a> {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The fault and its remedy in one line.
    #[serde(borrow)]
    pub message: Text<'a>,
}

/// A glob and the line of `comm-node.yaml` that it stands in, written `["src/**", 7]`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Pattern<'a>(#[serde(borrow)] pub Text<'a>, pub u32);

impl Pattern<'_> {
    /// The glob.
    #[must_use]
    pub fn glob(&self) -> &str {
        &self.0
    }

    /// The glob as it may be shown: a directory's name can hold anything.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        one_line(&self.0, SHOWN)
    }

    /// The line in `comm-node.yaml`, 0 for a built-in pattern.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.1
    }
}

/// Node-wide rules (`policy:` in `comm-node.yaml`).
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Policy {
    /// Paths in the node that no domain owns.
    pub unowned: Rule,
    /// Paths outside the node.
    pub outside: Rule,
    /// Sessions bound to no domain.
    pub unbound: Unbound,
    /// Work whose budget is used up.
    pub on_exhausted: OnExhausted,
    /// How long a lease lasts without renewal, in seconds.
    pub lease_ttl_s: u64,
    /// Whether a path has one lease for all worktrees of its repository, or one in each.
    pub leases_across_worktrees: bool,
    /// Commands that must pass before an agent may stop with a task open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_gate: Vec<String>,
    /// How long these may take together, in seconds.
    pub gate_timeout_s: u64,
    /// True if prompts that ask for work are answered with a reminder to plan and to delegate.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub orchestrator: bool,
    /// Settings that only later releases act on, kept as they are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            unowned: Rule::Deny,
            outside: Rule::Allow,
            unbound: Unbound::Warn,
            on_exhausted: OnExhausted::Refuse,
            lease_ttl_s: 1800,
            leases_across_worktrees: true,
            stop_gate: Vec::new(),
            gate_timeout_s: 300,
            orchestrator: false,
            other: BTreeMap::new(),
        }
    }
}

/// What happens to a write that a policy speaks about.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Refused.
    Deny,
    /// Put before the person.
    Ask,
    /// Let through.
    Allow,
}

/// What happens to the writes of a session that is bound to no domain.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Unbound {
    /// Refused.
    Deny,
    /// Let through, with a note to the agent.
    Warn,
    /// Let through.
    Allow,
}

/// How a domain's rules are applied.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A refusal stops the call.
    #[default]
    Enforce,
    /// A refusal becomes a note; the call goes on.
    Warn,
    /// Nothing is judged.
    Off,
}

/// A named part of the node.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Domain<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// What it is for, in one line.
    #[serde(default, borrow, skip_serializing_if = "str_is_empty")]
    pub description: Text<'a>,
    /// How its rules are applied.
    #[serde(default)]
    pub mode: Mode,
    /// The index in [`Registry::trees`] that its patterns are relative to.
    #[serde(default)]
    pub tree: usize,
    /// What it may write.
    #[serde(borrow, deserialize_with = "exact")]
    pub scope: Vec<Pattern<'a>>,
    /// What it may not write although `scope` matches.
    #[serde(default, borrow, deserialize_with = "exact", skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Pattern<'a>>,
    /// Directories (relative to the tree, no trailing slash) in which a new session is taken to
    /// belong to this domain; `""` is the whole tree.
    #[serde(default, borrow, deserialize_with = "exact", skip_serializing_if = "Vec::is_empty")]
    pub home: Vec<Text<'a>>,
    /// Live sessions at a time.
    #[serde(default = "one")]
    pub max_sessions: u32,
    /// The role its main loop acts in, if one is set.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub role: Option<Text<'a>>,
    /// What it publishes.
    #[serde(default, borrow, deserialize_with = "exact", skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<Text<'a>>,
    /// What it consumes: the other domain's name and the exports.
    #[serde(default, borrow, deserialize_with = "exact", skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<(Text<'a>, Vec<Text<'a>>)>,
    /// What it may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Box<Budget>>,
    /// Fields that only later releases act on (`allowed_imports` …), kept as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, serde_json::Value>,
}

/// A list that takes no more memory than its items. In a hook the pages that are touched are what
/// reading costs, and most of these lists have one item.
fn exact<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    let mut list = Vec::deserialize(d)?;
    list.shrink_to_fit();
    Ok(list)
}

/// A list that has room for many large items from the start, so that it is not copied while it
/// grows; room that is not used is never touched.
fn roomy<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    struct Visitor<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::with_capacity(128);
            while let Some(item) = items.next_element()? {
                list.push(item);
            }
            Ok(list)
        }
    }
    d.deserialize_seq(Visitor(PhantomData))
}

fn one() -> u32 {
    1
}

fn str_is_empty(text: &Text<'_>) -> bool {
    text.is_empty()
}

/// The roles of a node, parsed when they are asked for: most calls are made by agents in none.
#[derive(Clone, Debug)]
pub enum Roles<'a> {
    /// As they stand in the file: a JSON list, if that is not damaged.
    Text(&'a str),
    /// As they were read from `comm-node.yaml`.
    List(Vec<Role<'a>>),
}

impl<'a> Roles<'a> {
    /// All of them.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn list(&self) -> Result<Vec<Role<'a>>, String> {
        match self {
            Self::Text(text) => serde_json::from_str(text).map_err(|e| format!("its roles: {e}")),
            Self::List(list) => Ok(list.clone()),
        }
    }
}

impl Default for Roles<'_> {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl PartialEq for Roles<'_> {
    fn eq(&self, other: &Self) -> bool {
        matches!((self.list(), other.list()), (Ok(a), Ok(b)) if a == b)
    }
}

impl Serialize for Roles<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => {
                serde_json::from_str::<&RawValue>(text).map_err(serde::ser::Error::custom)?.serialize(s)
            }
            Self::List(list) => list.serialize(s),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Roles<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(d).map(|text| Self::Text(text.get()))
    }
}

/// A capability profile.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Role<'a> {
    /// Its name, which is also the `agent_type` it is recognised by.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// What an agent in it may write, besides being inside the domain's scope: nothing when
    /// empty, everything with `**`.
    #[serde(default, borrow)]
    pub scope: Vec<Pattern<'a>>,
    /// What it may not write although `scope` matches.
    #[serde(default, borrow, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Pattern<'a>>,
    /// The role that follows it in a pipeline.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub next: Option<Text<'a>>,
    /// The model class or alias it runs on.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    pub model: Option<Text<'a>>,
}

/// An MCP tool that writes files.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct McpWrite<'a> {
    /// The tool's name, a glob such as `mcp__fs__*`.
    #[serde(borrow)]
    pub tool: Text<'a>,
    /// The fields of its input that hold a path or a list of paths.
    #[serde(borrow)]
    pub fields: Vec<Text<'a>>,
}

impl<'a> Registry<'a> {
    /// The registry in `json`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the text.
    pub fn parse(json: &'a str) -> Result<Self, String> {
        let sealed = super::excerpt::checked(json)?.is_some();
        let registry = Self::read(json)?;
        // Before, there was none.
        if registry.version >= SEALED && !sealed {
            return Err("it has no checksum".to_owned());
        }
        Ok(registry)
    }

    /// [`Registry::parse`] of what has no checksum of its own.
    fn read(json: &'a str) -> Result<Self, String> {
        let registry: Self = serde_json::from_str(json).map_err(|e| e.to_string())?;
        if !(1..=VERSION).contains(&registry.version) {
            return Err(format!(
                "it has format version {}, this comm-node reads {VERSION}",
                registry.version
            ));
        }
        if let Some(d) = registry.domains.iter().find(|d| d.tree >= registry.trees.len()) {
            return Err(format!("domain {} names a tree that is not listed", d.name));
        }
        // The index leads to the one and the list to the other; the command line writes none of them.
        let mut names: Vec<&str> = registry.domains.iter().map(|d| d.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|two| two[0] == two[1]) {
            return Err(format!("domain {} stands there twice", twice[0]));
        }
        Ok(registry)
    }

    fn parse_excerpt(excerpt: &'a Excerpt<'a>) -> Result<Self, String> {
        let mut registry = Self::read(&excerpt.json)?;
        registry.roles = Roles::Text(excerpt.roles);
        Ok(registry)
    }

    /// The part of a registry that an [`Excerpt`] holds; see [`Registry::lacks`].
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse_part(excerpt: &'a Excerpt<'a>, domain: &str) -> Result<Self, String> {
        let mut registry = Self::parse_excerpt(excerpt)?;
        match registry.domains.as_slice() {
            [one] if one.name.as_str() == domain => {}
            _ => return Err("its index is wrong: it leads to another domain".to_owned()),
        }
        registry.part = Some(Part::new(excerpt.strictest, Vec::new()));
        Ok(registry)
    }

    /// [`Registry::parse_part`] of `text`, a whole registry, which is parsed once something else is asked for. It
    /// [lacks](Registry::lacks) something only where that can't be read although its checksum is right.
    ///
    /// # Errors
    /// As [`Registry::parse_part`].
    pub fn parse_lazily(excerpt: &'a Excerpt<'a>, domain: &str, text: &'static str) -> Result<Self, String> {
        let mut registry = Self::parse_part(excerpt, domain)?;
        if let Some(part) = &mut registry.part {
            part.rest = Some(Rest { text, whole: OnceLock::new() });
        }
        Ok(registry)
    }

    /// The part of a registry that holds every domain that may own one of `keys`, as [`Excerpt::owners`] cuts it out, and
    /// that of the name `domain`.
    ///
    /// # Errors
    /// As [`Registry::parse_part`].
    pub fn parse_owners(excerpt: &'a Excerpt<'a>, domain: &str, keys: Vec<String>) -> Result<Self, String> {
        let mut registry = Self::parse_excerpt(excerpt)?;
        if !registry.domains.iter().any(|one| one.name.as_str() == domain) {
            return Err("its index is wrong: it leads to other domains".to_owned());
        }
        registry.part = Some(Part::new(excerpt.strictest, keys));
        Ok(registry)
    }

    /// True if more than the part that was read has been asked for: what was answered may be wrong, and is to be asked
    /// of the whole.
    #[must_use]
    pub fn lacks(&self) -> bool {
        let lacks = |part: &Part| {
            part.missed.load(Ordering::Relaxed) || part.asked.lock().is_ok_and(|asked| !asked.is_empty())
        };
        self.part.as_ref().is_some_and(lacks)
    }

    /// The keys whose owners are all that was asked for and that this part [lacks](Self::lacks); `None` where that is more, or
    /// where it was cut out for other keys already.
    #[must_use]
    pub fn owners_asked(&self) -> Option<Vec<String>> {
        let part = self.part.as_ref()?;
        if part.missed.load(Ordering::Relaxed) || !part.known.is_empty() {
            return None;
        }
        part.asked.lock().ok().map(|asked| asked.clone()).filter(|asked| !asked.is_empty())
    }

    /// The domains that may own `key`, in the order of the file, and perhaps others. Of a part whose rest is not at hand it is noted
    /// that it [lacks](Self::lacks) some, unless it was cut out for this key.
    pub fn owners(&self, key: &str) -> std::slice::Iter<'_, Domain<'a>> {
        if let Some(part) = &self.part
            && !part.known.iter().any(|known| known == key)
        {
            if let Some(whole) = part.whole() {
                return whole.domains.iter();
            }
            match part.asked.lock() {
                Ok(asked) if asked.iter().any(|asked| asked == key) => {}
                Ok(mut asked) if asked.len() < MAX_ASKED => asked.push(key.to_owned()),
                _ => part.missed.store(true, Ordering::Relaxed),
            }
        }
        self.domains.iter()
    }

    /// All domains, in the order of the file. Of a part whose rest is not at hand it is noted that it [lacks](Self::lacks) some.
    pub fn all_domains(&self) -> std::slice::Iter<'_, Domain<'a>> {
        if let Some(part) = &self.part {
            if let Some(whole) = part.whole() {
                return whole.domains.iter();
            }
            part.missed.store(true, Ordering::Relaxed);
        }
        self.domains.iter()
    }

    /// The registry as text: one line per domain, role and pattern list, so that it reads well. It is always the
    /// present [`VERSION`] of the format.
    #[must_use]
    pub fn to_text(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        let mut fields = value.as_object().cloned().unwrap_or_default();
        fields.insert("version".to_owned(), VERSION.into());
        let domains = fields.remove("domains").unwrap_or_default();
        let domains = domains.as_array().map_or(&[][..], Vec::as_slice);
        super::excerpt::text(&fields, domains, self.strictest_mode())
    }

    /// The domain of that name.
    #[must_use]
    pub fn domain(&self, name: &str) -> Option<&Domain<'a>> {
        let found = self.domains.iter().find(|d| d.name.as_str() == name);
        if let (None, Some(part)) = (found, &self.part) {
            if let Some(whole) = part.whole() {
                return whole.domain(name);
            }
            part.missed.store(true, Ordering::Relaxed);
        }
        found
    }

    /// The role of that name; `agent_type` may carry a plugin's prefix (`comm-node:finder`).
    ///
    /// # Errors
    /// What is wrong with the text of the roles.
    pub fn role(&self, agent_type: &str) -> Result<Option<Role<'a>>, String> {
        let name = agent_type.rsplit(':').next().unwrap_or(agent_type);
        Ok(self.roles.list()?.into_iter().find(|r| r.name.as_str() == name))
    }

    /// The mode for failures that concern no single domain: the strictest of all.
    #[must_use]
    pub fn strictest_mode(&self) -> Mode {
        if let Some(part) = &self.part {
            return part.strictest;
        }
        let mut modes = self.domains.iter().map(|d| d.mode);
        if self.domains.is_empty() || modes.clone().any(|m| m == Mode::Enforce) {
            Mode::Enforce
        } else if modes.any(|m| m == Mode::Warn) {
            Mode::Warn
        } else {
            Mode::Off
        }
    }

    /// The tree that `real` lies in and the path below it, longest tree first.
    #[must_use]
    pub fn tree_of<'p>(&self, real: &'p Path) -> Option<(usize, &'p Path)> {
        self.trees
            .iter()
            .enumerate()
            .filter_map(|(i, root)| Some((i, real.strip_prefix(root.as_str()).ok()?)))
            .min_by_key(|(_, rest)| rest.as_os_str().len())
    }
}

impl SourceId {
    /// The identity of the file with this metadata.
    #[must_use]
    pub fn of(meta: &std::fs::Metadata) -> Self {
        let mtime_ns = meta
            .modified()
            .ok()
            .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
            .map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX));
        #[cfg(unix)]
        let (ctime_ns, ino) = {
            use std::os::unix::fs::MetadataExt;
            let ns = meta.ctime().wrapping_mul(1_000_000_000).wrapping_add(meta.ctime_nsec());
            (ns.cast_unsigned(), meta.ino())
        };
        #[cfg(not(unix))]
        let (ctime_ns, ino) = (0, 0);
        Self { size: meta.len(), mtime_ns, ctime_ns, ino }
    }
}

/// Where a node's files are.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The node's root: real, absolute.
    pub root: PathBuf,
    /// Which state of `comm-node.yaml` was met on the way here, where that is a file and no link. No part of what is compared.
    pub met: Option<SourceId>,
}

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for Layout {}

impl Layout {
    /// That of the node at `root`.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self { root, met: None }
    }

    /// `comm-node.yaml`.
    #[must_use]
    pub fn yaml(&self) -> PathBuf {
        self.root.join(super::YAML)
    }

    /// The state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join(super::STATE)
    }
}
