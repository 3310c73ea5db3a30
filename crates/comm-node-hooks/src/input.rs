//! stdin: one JSON object, bounded in bytes and time, read without waiting for the end of file.

use std::io::Read;

use comm_node_core::deadline::Deadline;
use comm_node_core::{Error, Result};

/// The largest call that is read. A call carries the content of a write, so this is also the size
/// of the largest file that an agent writes at once.
pub const MAX_INPUT: usize = 32 << 20;

/// The text of the first JSON object on stdin.
///
/// # Errors
/// When it is not there in time, too large, cut off, or not UTF-8.
pub fn read(deadline: Deadline) -> Result<String> {
    read_from(&mut Stdin, |left| wait(left, deadline))
}

/// Reads from `source`; `ready` waits until there is something to read.
fn read_from(source: &mut impl Read, ready: impl Fn(()) -> Result<()>) -> Result<String> {
    // Grows by doubling: most calls are small, and a page that is not touched costs nothing.
    let mut bytes = vec![0; 4 << 10];
    let mut len = 0;
    let mut scan = Scan::default();
    loop {
        ready(())?;
        let got = match source.read(&mut bytes[len..]) {
            Ok(got) => got,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(invalid(format!("stdin can't be read: {e}"))),
        };
        if got == 0 {
            return Err(invalid(format!("it ended after {len} bytes, before the object was complete")));
        }
        let end = scan.feed(&bytes[len..len + got]).map(|end| len + end);
        // Of a file the last part comes at once, and that is as long as all before it.
        if end.unwrap_or(len + got) > MAX_INPUT {
            return Err(invalid(format!("it is larger than {} MiB", MAX_INPUT >> 20)));
        }
        if let Some(end) = end {
            bytes.truncate(end);
            // What comes next lies in the pages that were touched here.
            bytes.shrink_to_fit();
            return String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8".into()));
        }
        len += got;
        if len == bytes.len() {
            bytes.resize(len * 2, 0);
        }
    }
}

/// stdin without the standard library's buffer, which would be one more copy and eight more pages.
struct Stdin;

impl Read for Stdin {
    #[cfg(unix)]
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        Ok(rustix::io::read(rustix::stdio::stdin(), buf)?)
    }

    #[cfg(not(unix))]
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        std::io::stdin().lock().read(buf)
    }
}

fn invalid(why: String) -> Error {
    Error::Invalid { what: "the hook's input", why }
}

#[cfg(unix)]
fn wait((): (), deadline: Deadline) -> Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdin = rustix::stdio::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    // Mostly the input is there already.
    let mut left = std::time::Duration::ZERO;
    loop {
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) if deadline.passed() => return Err(invalid("it did not arrive whole in time".into())),
            Ok(0) | Err(rustix::io::Errno::INTR) => left = deadline.left(),
            Ok(_) => return Ok(()),
            Err(e) => return Err(invalid(format!("stdin can't be waited for: {e}"))),
        }
    }
}

#[cfg(not(unix))]
fn wait((): (), _: Deadline) -> Result<()> {
    Ok(())
}

/// Finds the end of the first JSON object in a stream, without parsing it.
#[derive(Default)]
struct Scan {
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// The index behind the object's last byte, if it lies in `chunk`.
    fn feed(&mut self, chunk: &[u8]) -> Option<usize> {
        for (i, &byte) in chunk.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(i + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its parts one by one, then blocks for ever (here: fails the test).
    struct Parts(Vec<&'static [u8]>);
    impl Read for Parts {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            assert!(!self.0.is_empty(), "it read on after the object was complete");
            let part = self.0.remove(0);
            buf[..part.len()].copy_from_slice(part);
            Ok(part.len())
        }
    }

    fn take(parts: &[&'static [u8]]) -> Result<String> {
        read_from(&mut Parts(parts.to_vec()), |()| Ok(()))
    }

    #[test]
    fn stops_at_the_end_of_the_object() {
        assert_eq!(take(&[b"{\"a\":1}"]).expect("whole"), "{\"a\":1}");
        assert_eq!(
            take(&[b" {\"a\":", b"{\"}\\\"}\": [1]}", b"}\n{\"b\""]).expect("whole"),
            " {\"a\":{\"}\\\"}\": [1]}}"
        );
    }

    #[test]
    fn says_what_is_wrong() {
        let cut = take(&[b"{\"a\"", b""]).expect_err("cut off").to_string();
        assert!(cut.contains("ended after 4 bytes"), "{cut}");
        assert!(take(&[b"{\"\xff\"}"]).is_err());
        let endless = read_from(&mut std::io::repeat(b'['), |()| Ok(())).expect_err("too large").to_string();
        assert!(endless.contains("32 MiB"), "{endless}");
        // Of a file it comes in parts as large as the buffer.
        let object = |len: usize| format!("[{}]", " ".repeat(len - 2));
        let read = |text: String| read_from(&mut text.as_bytes(), |()| Ok(())).map(|read| read.len());
        assert_eq!(read(object(MAX_INPUT)).expect("just small enough"), MAX_INPUT);
        let large = read(object(MAX_INPUT + 1)).expect_err("too large").to_string();
        assert!(large.contains("32 MiB"), "{large}");
    }
}
