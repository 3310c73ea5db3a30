//! Which process a record speaks of, and whether it still lives.
//!
//! A process is named by its id, its start time, and the machine (boot and PID namespace) that
//! both belong to: ids are reused, start times of other machines mean nothing here.

use serde::{Deserialize, Serialize};

/// A process that is recognised again although its id may be reused.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct ProcessId {
    /// The process id.
    pub pid: u32,
    /// Its start time in the system's own unit (clock ticks since boot on Linux).
    pub start: u64,
    /// The boot and PID namespace it runs in.
    pub machine: String,
}

/// Whether a process still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// It has ended.
    Dead,
    /// It can't be told from here: another machine or container, or a system without the means.
    Unknown,
}

impl ProcessId {
    /// The process `pid` as it runs now, if it does and the system tells its start time.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, start: sys::start(pid)?, machine: sys::machine()? })
    }

    /// Whether this very process still runs.
    #[must_use]
    pub fn liveness(&self) -> Liveness {
        if sys::machine().as_deref() != Some(self.machine.as_str()) {
            return Liveness::Unknown;
        }
        match sys::start(self.pid) {
            Some(start) if start == self.start => Liveness::Alive,
            _ => Liveness::Dead,
        }
    }
}

/// What names this run of the machine, if the system tells.
#[must_use]
pub fn boot() -> Option<String> {
    sys::boot()
}

/// The parent of `pid`, if the system tells.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    sys::parent(pid)
}

/// True if the child `pid` of this process has ended; it stays to be waited for, so that its id is not given
/// to another process meanwhile.
#[cfg(unix)]
#[must_use]
pub fn has_ended(pid: u32) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(pid), how), Ok(None))
}

/// Ends every process of the group that `leader` began, which must not have been waited for yet: its id
/// could otherwise be another's by now.
pub fn kill_group(leader: u32) {
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(leader).ok().and_then(rustix::process::Pid::from_raw) {
        // A group that is gone needs no killing.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    // There, a program's own end is all that can be asked for.
    #[cfg(not(unix))]
    let _ = leader;
}

#[cfg(target_os = "linux")]
mod sys {
    use std::fs;
    use std::path::Path;
    use std::sync::OnceLock;

    use rustix::fs::{Mode, OFlags};

    /// One line that the kernel writes; mostly it gives it with one read. The standard library makes four and more, and
    /// looks at the file.
    pub(super) fn line(path: impl AsRef<Path>) -> Option<String> {
        let file = rustix::fs::open(path.as_ref(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut bytes = [0; 1024];
        let mut filled = 0;
        while !bytes[..filled].ends_with(b"\n") {
            match rustix::io::read(&file, &mut bytes[filled..]) {
                Ok(0) => break,
                Ok(got) => filled += got,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        // A program's name in it is cut at 15 bytes, in the middle of a character too.
        Some(String::from_utf8_lossy(&bytes[..filled]).into_owned())
    }

    /// Field `n` (from 3, as in proc(5)) of `/proc/<pid>/stat`; a zombie counts as ended.
    fn stat(pid: u32, n: usize) -> Option<u64> {
        let text = line(format!("/proc/{pid}/stat"))?;
        // The name (field 2) may hold spaces and parentheses; the last `)` ends it.
        let rest = text.get(text.rfind(')')? + 2..)?;
        let mut fields = rest.split(' ');
        if matches!(fields.clone().next(), Some("Z" | "X" | "x")) {
            return None;
        }
        fields.nth(n - 3)?.parse().ok()
    }

    pub(super) fn start(pid: u32) -> Option<u64> {
        stat(pid, 22)
    }

    pub(super) fn parent(pid: u32) -> Option<u32> {
        stat(pid, 4).and_then(|p| u32::try_from(p).ok())
    }

    pub(super) fn boot() -> Option<String> {
        let id = line("/proc/sys/kernel/random/boot_id")?;
        Some(id.trim().to_owned())
    }

    pub(super) fn machine() -> Option<String> {
        // It stays the same while this process lives, and is asked for with each session.
        static KNOWN: OnceLock<String> = OnceLock::new();
        if let Some(known) = KNOWN.get() {
            return Some(known.clone());
        }
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
        let machine = format!("{} {}", boot()?, namespace.display());
        Some(KNOWN.get_or_init(|| machine).clone())
    }
}

#[cfg(target_os = "macos")]
mod sys {
    use std::process::{Command, Stdio};

    fn line(program: &str, args: &[&str]) -> Option<String> {
        let out =
            Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(out.stdout).ok()?;
        let text = text.trim();
        (out.status.success() && !text.is_empty()).then(|| text.to_owned())
    }

    /// The start time as seconds, hashed from `ps`'s own form: only equality matters.
    pub(super) fn start(pid: u32) -> Option<u64> {
        let text = line("/bin/ps", &["-o", "lstart=", "-p", &pid.to_string()])?;
        Some(
            text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)),
        )
    }

    pub(super) fn parent(pid: u32) -> Option<u32> {
        line("/bin/ps", &["-o", "ppid=", "-p", &pid.to_string()])?.trim().parse().ok()
    }

    pub(super) fn boot() -> Option<String> {
        line("/usr/sbin/sysctl", &["-n", "kern.boottime"])
    }

    pub(super) fn machine() -> Option<String> {
        boot()
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod sys {
    pub(super) fn start(_pid: u32) -> Option<u64> {
        None
    }

    pub(super) fn parent(_pid: u32) -> Option<u32> {
        None
    }

    pub(super) fn boot() -> Option<String> {
        None
    }

    pub(super) fn machine() -> Option<String> {
        None
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_its_reused_id_does_not() {
        let me = ProcessId::of(std::process::id()).expect("on Linux");
        assert_eq!(me.liveness(), Liveness::Alive);
        let reused = ProcessId { start: me.start + 1, ..me.clone() };
        assert_eq!(reused.liveness(), Liveness::Dead);
        let elsewhere = ProcessId { machine: "other".into(), ..me };
        assert_eq!(elsewhere.liveness(), Liveness::Unknown);
    }

    #[test]
    fn a_line_of_the_kernel_is_read_whole() {
        for path in ["/proc/self/stat", "/proc/sys/kernel/random/boot_id"] {
            let whole = std::fs::read_to_string(path).expect("reads");
            let line = sys::line(path).expect("reads");
            // Figures in the first change from look to look; how many there are does not.
            assert_eq!(line.split(' ').count(), whole.split(' ').count(), "{path}");
            assert!(line.ends_with('\n'), "{path}");
        }
        assert_eq!(sys::line("/proc/nothing"), None);
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("long");
        std::fs::write(&path, "x".repeat(4096)).expect("writes");
        assert_eq!(sys::line(&path).map(|line| line.len()), Some(1024), "a bound");
    }
}
