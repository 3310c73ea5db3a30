//! A program that this one starts and waits for: what it is given, what it says, and how long it may take.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use comm_node_core::deadline::Deadline;

/// What a pipe holds in any case, in bytes; Linux gives no less to a person who has many of them.
const PIPE: usize = 4096;
/// How long a look at whether it has ended takes to come around.
const LOOK: Duration = Duration::from_millis(2);

/// What becomes of a program that takes too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// It is killed.
    Killed,
    /// It is killed with all that it started; it has a process group of its own for that.
    KilledWithItsOwn,
    /// It has a process group of its own too, and runs on.
    Left,
}

/// For how long a program is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until nobody holds its stdout open any more.
    Closed,
    /// The same; what it said until it was late counts.
    Late,
    /// Until it has ended, and this long: what it left running may hold its stdout.
    Ended(Duration),
}

/// What a program said, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Its exit code, `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its output, the first bytes of it.
    pub(crate) bytes: Vec<u8>,
    /// Whether it said more than that.
    pub(crate) cut: bool,
}

/// Runs `command` with `input` and listens to it; `None` where it was not through at `limit`, unless it is listened to until then.
///
/// Its first `max` bytes are kept. The rest is read too, so that it comes to its end.
///
/// # Errors
/// When it can't be started or waited for.
pub(crate) fn run(
    command: &mut Command,
    input: Option<&[u8]>,
    max: usize,
    (limit, late): (Deadline, Late),
    until: Until,
) -> io::Result<Option<Said>> {
    #[cfg(unix)]
    if late != Late::Killed {
        std::os::unix::process::CommandExt::process_group(command, 0);
    }
    let given = input.map(given).transpose()?;
    let (stdin, rest) = given.map_or((Stdio::null(), None), |(stdin, rest)| (stdin, rest));
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let (Some(rest), Some(mut pipe)) = (rest, child.stdin.take()) {
        std::thread::spawn(move || pipe.write_all(&rest));
    }
    let Some(stdout) = child.stdout.take() else { return Ok(None) };
    let ear = Ear::to(stdout, max);
    let mut seen = None;
    let code = loop {
        let look = child.try_wait();
        if look.is_err() {
            end(&mut child, late);
        }
        if let Some(ended) = look? {
            let since = *seen.get_or_insert_with(Instant::now);
            let enough = matches!(until, Until::Ended(grace) if since.elapsed() >= grace);
            if enough || ear.thread.is_finished() {
                break ended.code();
            }
        }
        if limit.passed() {
            end(&mut child, late);
            if until == Until::Late {
                break None;
            }
            return Ok(None);
        }
        // Where all is said it ends at once.
        let rest = if ear.thread.is_finished() { LOOK / 20 } else { LOOK };
        std::thread::park_timeout(limit.left().min(rest));
    };
    let mut heard = ear.heard.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Some(Said { code, bytes: std::mem::take(&mut heard.bytes), cut: heard.cut }))
}

/// What `input` is given as, and what has to be written while the program runs.
///
/// Nothing is, where it can be helped: a program that ends before it has read all would end this one, by SIGPIPE,
/// with no answer given.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn given(input: &[u8]) -> io::Result<(Stdio, Option<Vec<u8>>)> {
    use std::io::Seek;
    if input.len() <= PIPE {
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(input)?;
        return Ok((reader.into(), None));
    }
    let file = rustix::fs::memfd_create("input", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    file.write_all(input)?;
    file.rewind()?;
    Ok((file.into(), None))
}

/// What `input` is given as, and what has to be written while the program runs. Elsewhere than on Linux these programs
/// are started by the standard library, which has a closed pipe told as an error.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn given(input: &[u8]) -> io::Result<(Stdio, Option<Vec<u8>>)> {
    if input.len() <= PIPE {
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(input)?;
        return Ok((reader.into(), None));
    }
    Ok((Stdio::piped(), Some(input.to_vec())))
}

/// Ends a program that took too long.
fn end(child: &mut Child, late: Late) {
    if late == Late::Left {
        return;
    }
    #[cfg(unix)]
    if let (Late::KilledWithItsOwn, Some(group)) =
        (late, i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw))
    {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// What was heard so far.
struct Heard {
    bytes: Vec<u8>,
    cut: bool,
}

/// Listens while the program runs: one that says more than a pipe holds would never end.
struct Ear {
    heard: Arc<Mutex<Heard>>,
    thread: JoinHandle<()>,
}

impl Ear {
    fn to(mut stdout: ChildStdout, max: usize) -> Self {
        let heard = Arc::new(Mutex::new(Heard { bytes: Vec::new(), cut: false }));
        let (ours, waits) = (Arc::clone(&heard), std::thread::current());
        let thread = std::thread::spawn(move || {
            let mut piece = [0; PIPE];
            loop {
                let read = stdout.read(&mut piece);
                if matches!(&read, Err(e) if e.kind() == io::ErrorKind::Interrupted) {
                    continue;
                }
                let Ok(got @ 1..) = read else { break };
                let mut heard = ours.lock().unwrap_or_else(PoisonError::into_inner);
                let kept = got.min(max.saturating_sub(heard.bytes.len()));
                heard.bytes.extend_from_slice(&piece[..kept]);
                heard.cut |= kept < got;
            }
            waits.unpark();
        });
        Self { heard, thread }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, input: Option<&[u8]>, max: usize, ms: u64, late: Late, until: Until) -> Option<Said> {
        let limit = Deadline::after(Duration::from_millis(ms));
        run(Command::new("/bin/sh").args(["-c", script]), input, max, (limit, late), until).expect("starts")
    }

    const LONG: u64 = 20_000;

    #[test]
    fn it_is_given_all_and_all_it_says_is_kept() {
        for length in [0, 1, PIPE, PIPE + 1, 1 << 20] {
            let input = vec![b'x'; length];
            let said = sh("cat", Some(&input), 1 << 20, LONG, Late::Killed, Until::Closed).expect("ends");
            assert_eq!((said.code, said.cut, said.bytes == input), (Some(0), false, true), "{length}");
        }
    }

    #[test]
    fn one_that_does_not_read_ends_as_it_likes() {
        let input = vec![b'x'; 1 << 20];
        let said = sh("exit 3", Some(&input), 10, LONG, Late::Killed, Until::Closed);
        assert_eq!(said, Some(Said { code: Some(3), bytes: Vec::new(), cut: false }));
    }

    /// What is written while the program runs would end a hook by SIGPIPE, which tests don't see: the standard library
    /// has it ignored in them.
    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_is_written_while_it_runs() {
        for length in [1, PIPE, PIPE + 1, 1 << 20] {
            assert!(given(&vec![b'x'; length]).expect("is given").1.is_none(), "{length}");
        }
    }

    #[test]
    fn one_that_says_too_much_is_cut_and_comes_to_its_end() {
        let said = sh("head -c 300000 /dev/zero; exit 4", None, 7, LONG, Late::Killed, Until::Closed);
        assert_eq!(said, Some(Said { code: Some(4), bytes: vec![0; 7], cut: true }));
    }

    #[test]
    fn one_that_takes_too_long_is_killed_with_its_own() {
        let dir = tempfile::tempdir().expect("temp dir");
        let file = dir.path().join("written");
        let script = format!("(sleep 0.6; echo late >'{}') & wait", file.display());
        let said = sh(&script, None, 9, 100, Late::KilledWithItsOwn, Until::Closed);
        assert_eq!(said, None);
        std::thread::sleep(Duration::from_millis(900));
        assert!(!file.exists(), "what it started went on");
        assert_eq!(sh(&script, None, 9, 100, Late::Left, Until::Closed), None);
        std::thread::sleep(Duration::from_millis(900));
        assert!(file.exists(), "what was to be left was killed");
    }

    #[test]
    fn what_it_said_until_it_was_late_counts_or_not() {
        let script = "echo x; exec sleep 30";
        assert_eq!(sh(script, None, 9, 500, Late::Killed, Until::Closed), None);
        let said = sh(script, None, 9, 500, Late::Killed, Until::Late);
        assert_eq!(said, Some(Said { code: None, bytes: b"x\n".to_vec(), cut: false }));
    }

    #[test]
    fn what_it_left_running_is_waited_for_or_not() {
        let script = "sleep 0.7 & echo x";
        let start = Instant::now();
        let said = sh(script, None, 9, LONG, Late::Killed, Until::Closed).expect("ends");
        assert_eq!(
            (said.bytes.as_slice(), start.elapsed() >= Duration::from_millis(700)),
            (&b"x\n"[..], true)
        );
        let script = "sleep 30 & echo x";
        let quiet = Duration::from_millis(50);
        let start = Instant::now();
        let said = sh(script, None, 9, LONG, Late::Killed, Until::Ended(quiet)).expect("ends");
        assert_eq!((said.bytes.as_slice(), start.elapsed() < Duration::from_secs(15)), (&b"x\n"[..], true));
    }

    #[test]
    fn one_that_is_not_there_is_an_error() {
        let limit = Deadline::after(Duration::from_secs(5));
        let said = run(&mut Command::new("/no/such/program"), None, 9, (limit, Late::Killed), Until::Closed);
        assert_eq!(said.expect_err("is not there").kind(), io::ErrorKind::NotFound);
    }
}
