//! Running a program to its end: with a time limit, with the end of what it says, and with nothing
//! left of it afterwards.

use std::io::{ErrorKind, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use comm_node_core::process;

/// How often it is looked whether the program has ended.
const TICK: Duration = Duration::from_millis(10);
/// How long is waited for the end of what it said, once it has ended itself.
const DRAIN: Duration = Duration::from_millis(500);

/// What became of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Its exit code; `None` if it was killed.
    pub(crate) code: Option<i32>,
    /// True if its time was over.
    pub(crate) late: bool,
    /// The end of what it said on both of its streams.
    pub(crate) said: Vec<u8>,
}

impl Ran {
    /// True if it ended well.
    pub(crate) fn is_good(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs `command` for at most `limit`, keeping the last `keep` bytes of its output. Its whole process group is
/// killed when its time is over, when `unwanted` says so, and when it has ended and left something running.
///
/// # Errors
/// When it can't be started.
pub(crate) fn run(
    command: &mut Command,
    limit: Duration,
    keep: usize,
    unwanted: &dyn Fn() -> bool,
) -> std::io::Result<Ran> {
    let (mut ours, theirs) = std::io::pipe()?;
    command.stdin(Stdio::null()).stdout(theirs.try_clone()?).stderr(theirs);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let spawned = command.spawn();
    // The command keeps its ends of the pipe, and as long as one is open nobody sees the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = spawned?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        loop {
            match ours.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    if sender.send(buffer[..n].to_vec()).is_err() {
                        break;
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    });
    let end = Instant::now() + limit;
    let mut said = Vec::new();
    let take = |said: &mut Vec<u8>, wait: Duration| -> bool {
        match receiver.recv_timeout(wait) {
            Ok(more) => {
                said.extend(more);
                if said.len() > 2 * keep {
                    said.drain(..said.len() - keep);
                }
                true
            }
            Err(mpsc::RecvTimeoutError::Timeout) => true,
            Err(mpsc::RecvTimeoutError::Disconnected) => false,
        }
    };
    let mut late = false;
    let mut open = true;
    loop {
        // Not waited for yet: its id is still its own, and so is its group's.
        if has_ended(&mut child) {
            break;
        }
        late = Instant::now() >= end;
        if late || unwanted() {
            break;
        }
        if open {
            open = take(&mut said, TICK);
        } else {
            std::thread::sleep(TICK);
        }
    }
    process::kill_group(child.id());
    let _ = child.kill();
    let ended = child.wait()?;
    let drained = Instant::now() + DRAIN;
    while open && Instant::now() < drained {
        open = take(&mut said, TICK);
    }
    if said.len() > keep {
        said.drain(..said.len() - keep);
    }
    Ok(Ran { code: if late { None } else { ended.code() }, late, said })
}

/// True if `child` has ended, without taking note of it.
#[cfg(unix)]
fn has_ended(child: &mut std::process::Child) -> bool {
    process::has_ended(child.id())
}

#[cfg(not(unix))]
fn has_ended(child: &mut std::process::Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Ran {
        run(Command::new("sh").args(["-c", script]), limit, 1000, &|| false).expect("starts")
    }

    #[test]
    fn code_and_output() {
        let ran = sh("echo one; echo two >&2; exit 3", Duration::from_secs(20));
        assert_eq!((ran.code, ran.late, ran.said.as_slice()), (Some(3), false, &b"one\ntwo\n"[..]));
        assert!(sh("true", Duration::from_secs(20)).is_good());
        assert!(run(&mut Command::new("/nonexistent"), Duration::from_secs(1), 9, &|| false).is_err());
    }

    #[test]
    fn only_the_end_of_much_output_is_kept() {
        let ran = sh("seq 1 200000; echo end", Duration::from_secs(60));
        assert!(ran.said.len() <= 1000 && ran.said.ends_with(b"200000\nend\n"), "{}", ran.said.len());
    }

    #[test]
    fn nothing_is_left_of_it() {
        let began = Instant::now();
        let ran = sh("sleep 60 & echo $!; sleep 60", Duration::from_millis(300));
        assert!(ran.late && ran.code.is_none() && began.elapsed() < Duration::from_secs(20), "{ran:?}");
        let pid: u32 = String::from_utf8_lossy(&ran.said).trim().parse().expect("a pid");
        let gone = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            process::ProcessId::of(pid).is_none()
        });
        assert!(gone, "its child lives");
        // What it leaves behind when it ends by itself goes too, and is not waited for.
        let ran = sh("sleep 60 & echo $!", Duration::from_secs(30));
        assert!(ran.is_good() && began.elapsed() < Duration::from_secs(20), "{ran:?}");
        // Somebody who no longer wants to know.
        let ran = run(Command::new("sleep").arg("60"), Duration::from_secs(60), 9, &|| true).expect("starts");
        assert!(!ran.late && ran.code.is_none());
    }
}
