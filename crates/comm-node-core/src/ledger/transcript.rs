//! Where a session's transcripts are.
//!
//! A path comes from Claude Code with every hook. It is taken only if the file is named after the session, so
//! that no other file can be metered in its name; it is opened without following a link at its end and
//! without waiting, and only what is a plain file is read. The directories above it are the client's.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Source;
use crate::session::SessionId;
use crate::store::file;

/// The description of a subagent is a few hundred bytes.
const MAX_META: u64 = 64 << 10;
/// Subagents' transcripts lie at most so many directories deep.
const DEPTH: u32 = 4;

/// The transcript of one session's main loop, and beside it those of its subagents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    path: PathBuf,
    session: SessionId,
}

/// A subagent's transcript.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentFile {
    /// The subagent.
    pub source: Source,
    /// Where it is.
    pub path: PathBuf,
}

impl Transcript {
    /// The transcript at `path`, if that can be one of `session`.
    #[must_use]
    pub fn new(path: &Path, session: &SessionId) -> Option<Self> {
        let named = path.file_stem().and_then(|stem| stem.to_str()) == Some(session.as_str());
        let kind = path.extension().is_some_and(|e| e == "jsonl");
        let plain = path.components().all(|c| !matches!(c, std::path::Component::ParentDir));
        (path.is_absolute() && named && kind && plain)
            .then(|| Self { path: path.to_path_buf(), session: session.clone() })
    }

    /// The session's transcript at `path`, which names the session.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        let session = SessionId::new(path.file_stem()?.to_str()?).ok()?;
        Self::new(path, &session)
    }

    /// The main loop's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// The main loop, as a source.
    #[must_use]
    pub fn main(&self) -> Source {
        Source::main(self.session.clone())
    }

    fn agents_dir(&self) -> PathBuf {
        self.path.with_extension("").join("subagents")
    }

    /// The file of the subagent `id`; `None` for what can't be an id.
    #[must_use]
    pub fn agent(&self, id: &str) -> Option<AgentFile> {
        let source = Source::agent(self.session.clone(), id)?;
        let path = self.agents_dir().join([source.part(), ".jsonl"].concat());
        Some(AgentFile { source, path })
    }

    /// The subagents' files that are there, sorted.
    #[must_use]
    pub fn agents(&self) -> Vec<AgentFile> {
        let mut found = Vec::new();
        self.list(&self.agents_dir(), DEPTH, &mut found);
        found.sort();
        // One that moved is still the same.
        found.dedup_by(|a, b| a.source == b.source);
        found
    }

    fn list(&self, dir: &Path, depth: u32, found: &mut Vec<AgentFile>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth > 0 => self.list(&path, depth - 1, found),
                Ok(kind) if kind.is_file() => {
                    let name = path.file_name().and_then(|name| name.to_str());
                    let id = name.and_then(|name| name.strip_prefix("agent-")?.strip_suffix(".jsonl"));
                    let source = id.and_then(|id| Source::agent(self.session.clone(), id));
                    found.extend(source.map(|source| AgentFile { source, path }));
                }
                _ => {}
            }
        }
    }
}

impl AgentFile {
    /// What kind of subagent it is, as the client's note beside its transcript says.
    #[must_use]
    pub fn kind(&self) -> Option<String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Meta {
            agent_type: String,
        }
        let bytes = file::read_bytes(&self.path.with_extension("meta.json"), MAX_META).ok()??;
        serde_json::from_slice::<Meta>(&bytes).ok().map(|meta| meta.agent_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_named_after_the_session_is_its_transcript() {
        let session = SessionId::new("s1").expect("valid");
        for (path, expected) in [
            ("/c/projects/p/s1.jsonl", true),
            ("/c/projects/p/s2.jsonl", false),
            ("/c/projects/p/s1.json", false),
            ("/etc/passwd", false),
            ("s1.jsonl", false),
            ("/c/../s1.jsonl", false),
            ("", false),
        ] {
            assert_eq!(Transcript::new(Path::new(path), &session).is_some(), expected, "{path}");
        }
    }

    #[test]
    fn subagents_lie_beside_it() {
        let dir = tempfile::tempdir().expect("temp dir");
        let transcript = Transcript::at(&dir.path().join("s1.jsonl")).expect("valid");
        assert_eq!(transcript.agents(), []);
        let deep = dir.path().join("s1/subagents/flow");
        std::fs::create_dir_all(&deep).expect("dirs");
        let put = |path: &str, text: &str| std::fs::write(dir.path().join(path), text).expect("writes");
        put("s1/subagents/agent-a1.jsonl", "");
        put("s1/subagents/agent-a1.meta.json", r#"{"agentType":"general-purpose","x":1}"#);
        put("s1/subagents/flow/agent-b2.jsonl", "");
        put("s1/subagents/agent-a b.jsonl", "");
        put("s1/subagents/other.jsonl", "");
        let agents = transcript.agents();
        let names: Vec<_> = agents.iter().map(|agent| agent.source.to_string()).collect();
        assert_eq!(names, ["s1/agent-a1", "s1/agent-b2"]);
        assert_eq!(agents[0].kind().as_deref(), Some("general-purpose"));
        assert_eq!(agents[1].kind(), None);
        assert_eq!(transcript.agent("a1"), Some(agents[0].clone()));
        assert_eq!(transcript.agent("../a1"), None);
    }
}
