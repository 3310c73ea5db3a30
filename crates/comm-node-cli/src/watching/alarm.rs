//! Waiting for something to happen: in a directory, or to whoever reads our lines.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher, recommended_watcher};

/// How often is looked where the system does not tell.
const POLL: Duration = Duration::from_secs(2);

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// Names in a directory changed, or it is time to look.
    Look,
    /// Nobody reads our lines any more, or the client has ended.
    HungUp,
}

/// Wakes when names change in the directories that it was given.
pub(super) struct Alarm {
    sender: Sender<Wake>,
    receiver: Receiver<Wake>,
    watcher: Option<RecommendedWatcher>,
    watched: Vec<(PathBuf, Mark)>,
}

/// What tells a directory from another one of its name: where it is, and when it was made, because the number of
/// one that is gone may be given to the next.
type Mark = Option<(u64, u64, Option<SystemTime>)>;

impl Alarm {
    /// One that also wakes when the process `client` ends.
    pub(super) fn new(client: Option<u32>) -> Self {
        let (sender, receiver) = channel();
        let on_hang_up = sender.clone();
        std::thread::spawn(move || {
            if hang_up(client) {
                let _ = on_hang_up.send(Wake::HungUp);
            }
        });
        Self { sender, receiver, watcher: None, watched: Vec::new() }
    }

    /// Watches `wanted` and nothing else.
    pub(super) fn watch(&mut self, wanted: &[PathBuf]) {
        let wanted: Vec<(PathBuf, Mark)> = wanted.iter().map(|path| (path.clone(), mark(path))).collect();
        if self.watcher.is_some() && wanted == self.watched {
            return;
        }
        // One that is made anew has no memory of directories that are gone.
        self.watcher = None;
        self.watched.clear();
        let sender = self.sender.clone();
        let tell = move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| is_news(event.kind)) {
                let _ = sender.send(Wake::Look);
            }
        };
        let Ok(mut watcher) = recommended_watcher(tell) else { return };
        if wanted.iter().all(|(path, _)| watcher.watch(path, RecursiveMode::NonRecursive).is_ok()) {
            (self.watcher, self.watched) = (Some(watcher), wanted);
        }
    }

    /// Waits for `limit` at most, and less where the system does not tell what happens.
    pub(super) fn wait(&self, limit: Duration) -> Wake {
        let limit = if self.watcher.is_some() { limit } else { limit.min(POLL) };
        let mut woken = self.receiver.recv_timeout(limit).unwrap_or(Wake::Look);
        while let Ok(more) = self.receiver.try_recv() {
            if more == Wake::HungUp {
                woken = more;
            }
        }
        woken
    }
}

/// True for a change of names; that files are read, also by ourselves, is none.
fn is_news(kind: EventKind) -> bool {
    use notify::event::ModifyKind;
    matches!(
        kind,
        EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Other
    )
}

#[cfg(unix)]
fn mark(path: &Path) -> Mark {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata().ok().map(|meta| (meta.dev(), meta.ino(), meta.created().ok()))
}

#[cfg(not(unix))]
fn mark(path: &Path) -> Mark {
    path.symlink_metadata().ok().map(|meta| (0, 0, meta.created().ok()))
}

/// Waits until the other end of stdout is closed or the process `client` ends; false where that can't be told.
#[cfg(unix)]
fn hang_up(client: Option<u32>) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    let stdout = std::io::stdout();
    let process = client.and_then(watched_process);
    let mut ends = vec![PollFd::new(&stdout, PollFlags::empty())];
    ends.extend(process.as_ref().map(|process| PollFd::new(process, PollFlags::IN)));
    loop {
        match poll(&mut ends, None) {
            Ok(_) => {
                let over = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL | PollFlags::IN;
                return ends.iter().any(|end| end.revents().intersects(over));
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// A handle that can be read once the process has ended.
#[cfg(target_os = "linux")]
fn watched_process(pid: u32) -> Option<std::os::fd::OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Elsewhere it is looked for from time to time.
#[cfg(all(unix, not(target_os = "linux")))]
fn watched_process(_: u32) -> Option<std::os::fd::OwnedFd> {
    None
}

#[cfg(not(unix))]
fn hang_up(_: Option<u32>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn it_wakes_for_names_and_not_for_reading() {
        let dir = tempfile::tempdir().expect("temp dir");
        let (new, other) = (dir.path().join("new"), dir.path().join("other"));
        std::fs::create_dir(&new).expect("makes");
        std::fs::create_dir(&other).expect("makes");
        std::fs::write(other.join("a"), "x").expect("writes");
        let mut alarm = Alarm::new(None);
        alarm.watch(std::slice::from_ref(&new));
        assert!(alarm.watcher.is_some(), "the system tells");
        let slept = |alarm: &Alarm, limit| {
            let begin = Instant::now();
            (alarm.wait(Duration::from_millis(limit)), begin.elapsed())
        };
        let (woken, time) = slept(&alarm, 300);
        assert!(woken == Wake::Look && time >= Duration::from_millis(300));
        std::fs::rename(other.join("a"), new.join("a")).expect("moves");
        let (woken, time) = slept(&alarm, 20_000);
        assert!(woken == Wake::Look && time < Duration::from_secs(10), "{time:?}");
        let _ = slept(&alarm, 100);
        // Reading it, and listing the directory, is nothing new.
        let _ = std::fs::read(new.join("a")).expect("reads");
        let _ = std::fs::read_dir(&new).expect("lists").count();
        let (_, time) = slept(&alarm, 300);
        assert!(time >= Duration::from_millis(300), "{time:?}");
        // Another directory of the same name is watched anew.
        std::fs::remove_dir_all(&new).expect("removes");
        std::fs::create_dir(&new).expect("makes");
        alarm.watch(std::slice::from_ref(&new));
        let _ = slept(&alarm, 100);
        std::fs::write(new.join("b"), "x").expect("writes");
        let (_, time) = slept(&alarm, 20_000);
        assert!(time < Duration::from_secs(10), "{time:?}");
        // What is not there can't be watched, and is looked at.
        alarm.watch(&[dir.path().join("none")]);
        let (_, time) = slept(&alarm, 20_000);
        assert!(time >= POLL && time < Duration::from_secs(10), "{time:?}");
    }
}
