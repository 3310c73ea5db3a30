//! Finds the client that the tests drive, once per process, and says loudly when there is none.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The one pin; `setup.sh` reads the same file.
const VERSION: &str = include_str!("version");

/// The client's program, or `None` after a message that says what to do.
///
/// Panics instead when `COMM_NODE_REQUIRE_CLIENT=1`, so that a build which must run these tests can't lose them silently.
pub(crate) fn client() -> Option<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOUND.get_or_init(find) {
        Ok(program) => Some(program.clone()),
        Err(why) => {
            assert!(std::env::var_os("COMM_NODE_REQUIRE_CLIENT").is_none_or(|v| v != "1"), "{why}");
            let test = std::thread::current().name().unwrap_or("test").to_owned();
            // Straight to the stream: what `eprintln!` prints in a passing test is swallowed by the harness.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {why}");
            None
        }
    }
}

fn find() -> Result<PathBuf, String> {
    let wanted = VERSION.trim();
    let remedy = "run tests/client/setup.sh, or set COMM_NODE_CLAUDE to the program";
    let program = match std::env::var_os("COMM_NODE_CLAUDE") {
        Some(named) => PathBuf::from(named),
        None => cache()
            .ok_or_else(|| {
                format!("no Claude Code client: neither HOME nor a cache directory is set; {remedy}")
            })?
            .join("node_modules/@anthropic-ai")
            .join(package())
            .join("claude"),
    };
    if !program.is_file() {
        return Err(format!("no Claude Code client {wanted} at {}; {remedy}", program.display()));
    }
    let output = Command::new(&program)
        .arg("--version")
        .env_clear()
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("no Claude Code client: could not run {}: {e}; {remedy}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if said.split_whitespace().next() == Some(wanted) {
        Ok(program)
    } else {
        let said = said.trim();
        Err(format!("no Claude Code client {wanted}: {} says {said:?}; {remedy}", program.display()))
    }
}

fn cache() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("COMM_NODE_CLIENT_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|c| c.join("comm-node/client")))
        .or_else(|| set("HOME").map(|h| h.join(".cache/comm-node/client")))
}

/// The client's package for this platform, named as `setup.sh` names it.
fn package() -> String {
    let os = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let libc =
        if cfg!(target_env = "musl") && !std::path::Path::new("/lib64").exists() { "-musl" } else { "" };
    format!("claude-code-{os}-{arch}{libc}")
}
