//! comm-node as `comm-node install` sets it up, made once and shared: the programs are big, and no test changes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::driver::Client;

/// What an installation consists of.
pub(crate) struct Installation {
    /// The directory that stands for the user's home.
    home: PathBuf,
}

impl Installation {
    /// Makes it in the home called `name`; its output has to contain `says`.
    fn make(name: &str, args: &[&str], says: &str) -> Self {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let made = Self { home };
        // What an earlier build of the tests left is not what this one would install. The programs may stay: they
        // are compared.
        for old in ["settings.json", "comm-node/install.json"] {
            let _ = fs::remove_file(made.claude().join(old));
        }
        fs::create_dir_all(made.claude()).expect("could not make the home of the shared installation");
        let output = comm_node(&made.home, &made.claude(), &made.home, args);
        assert!(all(&output).contains(says), "comm-node {args:?}: {}", all(&output));
        made
    }

    /// Claude Code's directory in that home.
    pub(crate) fn claude(&self) -> PathBuf {
        self.home.join(".claude")
    }

    /// The directory of the installed programs.
    pub(crate) fn bin(&self) -> PathBuf {
        self.claude().join("comm-node/bin")
    }

    /// `settings.json` as the installer wrote it.
    pub(crate) fn settings(&self) -> String {
        fs::read_to_string(self.claude().join("settings.json")).expect("the installer wrote settings.json")
    }

    /// The directory of the packaged plugin.
    pub(crate) fn plugin(&self) -> PathBuf {
        self.claude().join("comm-node/plugin/plugin")
    }
}

/// The installation in the user's settings.
pub(crate) fn in_settings() -> &'static Installation {
    static MADE: OnceLock<Installation> = OnceLock::new();
    MADE.get_or_init(|| Installation::make("installed", &["install", "--no-link"], " 0 failed"))
}

/// The installation as a plugin. No client is on the `PATH` of the installer, so that the plugin is only written.
pub(crate) fn as_plugin() -> &'static Installation {
    static MADE: OnceLock<Installation> = OnceLock::new();
    let args = ["install", "--plugin", "--no-link"];
    MADE.get_or_init(|| Installation::make("installed-plugin", &args, "wrote the plugin to"))
}

impl Client {
    /// A client whose user has installed comm-node; `None` when the tests have to be skipped.
    pub(crate) fn guarded() -> Option<Self> {
        let client = Self::start(crate::script::Script::default())?;
        client.install();
        Some(client)
    }

    /// Gives this client the settings that the installer wrote.
    pub(crate) fn install(&self) {
        fs::write(self.config().join("settings.json"), in_settings().settings())
            .expect("could not write settings.json");
    }

    /// Installs comm-node for this client alone, as its user would; for tests that change the installation.
    pub(crate) fn install_own(&self, args: &[&str]) -> Output {
        let mut all_args = vec!["install", "--no-link"];
        all_args.extend(args);
        let output = self.person(self.home(), &all_args);
        assert!(output.status.success(), "{}", all(&output));
        output
    }

    /// Runs `comm-node` in `cwd` as the user of this client would, who has `claude` on the `PATH`.
    pub(crate) fn person(&self, cwd: &Path, args: &[&str]) -> Output {
        let programs = self.program.parent().expect("the client is in a directory");
        run(self.home(), &self.config(), cwd, &format!("{}:/usr/bin:/bin", programs.display()), args)
    }
}

/// Runs `comm-node` in `cwd` as the person whose home this is would: in a terminal, outside any session.
pub(crate) fn comm_node(home: &Path, claude: &Path, cwd: &Path, args: &[&str]) -> Output {
    run(home, claude, cwd, "/usr/bin:/bin", args)
}

fn run(home: &Path, claude: &Path, cwd: &Path, path: &str, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_comm-node"))
        .args(args)
        .current_dir(cwd)
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .env("CLAUDE_CONFIG_DIR", claude)
        .stdin(Stdio::null())
        .output()
        .expect("could not run comm-node")
}

/// What a person sees of `comm-node args` in `cwd`; panics unless it succeeds.
pub(crate) fn person(cwd: &Path, args: &[&str]) -> String {
    let output = comm_node(cwd, &cwd.join(".claude"), cwd, args);
    assert!(output.status.success(), "comm-node {args:?}: {}", all(&output));
    all(&output)
}

/// Everything that a command said.
pub(crate) fn all(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), &output.stderr].concat();
    format!("{:?}\n{}", output.status, String::from_utf8_lossy(&bytes))
}
