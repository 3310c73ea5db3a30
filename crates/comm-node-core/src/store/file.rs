//! Reading and replacing one file, safely against what else may stand in its place.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::crash;
use crate::{Error, Result};

/// The text of the regular file at `path`, `None` if there is none.
///
/// A symlink, a pipe or a device in its place is refused without blocking on it, and so is a file
/// of more than `max` bytes or one that is not UTF-8.
///
/// # Errors
/// [`Error::Io`], [`Error::Untrusted`] or [`Error::Damaged`].
pub fn read(path: &Path, max: u64) -> Result<Option<String>> {
    let Some(bytes) = read_bytes(path, max)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|e| Error::Damaged {
        path: path.to_path_buf(),
        why: format!("it is not UTF-8 text at byte {}", e.utf8_error().valid_up_to()),
    })
}

/// The bytes of the regular file at `path`, `None` if there is none; as [`read`] but for UTF-8.
///
/// # Errors
/// [`Error::Io`], [`Error::Untrusted`] or [`Error::Damaged`].
pub fn read_bytes(path: &Path, max: u64) -> Result<Option<Vec<u8>>> {
    Ok(read_open(path, max)?.map(|(_, bytes)| bytes))
}

/// As [`read_bytes`], with the file that was read, for [`still_at`].
///
/// # Errors
/// [`Error::Io`], [`Error::Untrusted`] or [`Error::Damaged`].
pub fn read_open(path: &Path, max: u64) -> Result<Option<(File, Vec<u8>)>> {
    let Some((mut file, len)) = open_sized(path)? else { return Ok(None) };
    if len > max {
        let why = format!("it has {len} bytes, more than the {max} that it could sensibly have");
        return Err(Error::Damaged { path: path.to_path_buf(), why });
    }
    // One byte more than it has: a read that leaves it free has met the end, without a second one.
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0) + 1];
    let mut filled = 0;
    loop {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(Error::io("read", path)(e)),
        }
        if filled < bytes.len() {
            break;
        }
        if filled as u64 > max {
            let why = format!("it grew beyond the {max} bytes that it could sensibly have");
            return Err(Error::Damaged { path: path.to_path_buf(), why });
        }
        bytes.resize(filled * 2, 0);
    }
    bytes.truncate(filled);
    Ok(Some((file, bytes)))
}

/// How long an open file is, if it is still the one at `path`: one that was removed, replaced or set aside is not. `None` too where
/// that can't be told.
#[must_use]
pub fn still_at(file: &File, path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let (own, there) = (rustix::fs::fstat(file).ok()?, rustix::fs::lstat(path).ok()?);
        let same = (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino);
        same.then(|| u64::try_from(own.st_size).ok())?
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        None
    }
}

/// True if nothing stands at `path`.
#[must_use]
pub fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound)
}

/// As [`read_bytes`], but of a file of more than `max` bytes the first `max`.
///
/// # Errors
/// [`Error::Io`] or [`Error::Untrusted`].
pub fn read_head(path: &Path, max: u64) -> Result<Option<Vec<u8>>> {
    let Some((file, len)) = open_sized(path)? else { return Ok(None) };
    let mut bytes = Vec::with_capacity(usize::try_from(len.min(max)).unwrap_or(0));
    file.take(max).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    Ok(Some(bytes))
}

/// What a file in the store is opened for, by [`straight`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// A lock, which is made if need be.
    Lock,
    /// Being read, and added to.
    Appending,
    /// The same, and it is made if need be.
    Making,
}

/// Opens the file at `path` in one call, if no component of that is a link; `None` wherever it is not opened so, or the system doesn't
/// know how: whoever asks goes the long way then, which looks at each directory that is ours. Nothing is said of the file's kind.
///
/// The path of a state directory is a real one, so that mostly nothing else has to be looked at.
pub(super) fn straight(path: &Path, why: For) -> Option<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
        let how = match why {
            For::Lock => OFlags::RDWR | OFlags::CREATE,
            For::Appending => OFlags::RDWR | OFlags::APPEND,
            For::Making => OFlags::RDWR | OFlags::APPEND | OFlags::CREATE,
        };
        let mode = if how.contains(OFlags::CREATE) { Mode::RUSR | Mode::WUSR } else { Mode::empty() };
        let flags = how | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat2(CWD, path, flags, mode, ResolveFlags::NO_SYMLINKS).ok().map(File::from)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (path, why);
        None
    }
}

/// Opens the regular file at `path` for reading, as [`open`] does, and says how long it is.
#[cfg(unix)]
pub(super) fn open_sized(path: &Path) -> Result<Option<(File, u64)>> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;
    // Not through the standard library, which sets a flag twice and looks at the file twice.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => fd,
        // With a file in the place of a directory nothing is known of what should be there, so that it isn't missing.
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => {
            return Err(Error::Untrusted { path: path.to_path_buf(), why: "it is a symbolic link" });
        }
        Err(e) => return Err(Error::io("open", path)(e.into())),
    };
    sized(File::from(fd), path).map(Some)
}

/// A file that was opened, if it is a regular one, and how long it is.
pub(super) fn sized(file: File, path: &Path) -> Result<(File, u64)> {
    #[cfg(unix)]
    let (is_file, len) = {
        let stat = rustix::fs::fstat(&file).map_err(|e| Error::io("read", path)(e.into()))?;
        let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
        (kind.is_file(), u64::try_from(stat.st_size).unwrap_or(0))
    };
    #[cfg(not(unix))]
    let (is_file, len) = {
        let meta = file.metadata().map_err(Error::io("read", path))?;
        (meta.is_file(), meta.len())
    };
    if !is_file {
        return Err(Error::Untrusted { path: path.to_path_buf(), why: "it is not a plain file" });
    }
    Ok((file, len))
}

#[cfg(not(unix))]
pub(super) fn open_sized(path: &Path) -> Result<Option<(File, u64)>> {
    let Some(file) = open_any(path, OpenOptions::new().read(true))? else { return Ok(None) };
    sized(file, path).map(Some)
}

/// Fills `into` with what stands in `file` from `at` on; how much that was, less only where the file ends.
pub(super) fn read_at(file: &File, into: &mut [u8], at: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        let from = at + filled as u64;
        #[cfg(unix)]
        let got = std::os::unix::fs::FileExt::read_at(file, &mut into[filled..], from);
        #[cfg(not(unix))]
        let got = {
            use std::io::{Seek, SeekFrom};
            let mut file = file;
            file.seek(SeekFrom::Start(from)).and_then(|_| file.read(&mut into[filled..]))
        };
        match got {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// Opens the regular file at `path` without following a link and without blocking; `None` if
/// there is none.
///
/// # Errors
/// [`Error::Io`] or [`Error::Untrusted`].
pub fn open(path: &Path, how: &mut OpenOptions) -> Result<Option<File>> {
    let Some(file) = open_any(path, how)? else { return Ok(None) };
    if !file.metadata().map_err(Error::io("read", path))?.is_file() {
        return Err(Error::Untrusted { path: path.to_path_buf(), why: "it is not a plain file" });
    }
    Ok(Some(file))
}

/// As [`open`], for who sees for itself that it is a regular file.
pub(super) fn open_any(path: &Path, how: &mut OpenOptions) -> Result<Option<File>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        how.custom_flags(flags.bits().cast_signed()).mode(0o600);
    }
    match how.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(_) if path.is_symlink() => {
            Err(Error::Untrusted { path: path.to_path_buf(), why: "it is a symbolic link" })
        }
        Err(e) => Err(Error::io("open", path)(e)),
    }
}

/// Goes through the directory at `dir`, in no order: `each` is given a name and whether a directory bears it, and says
/// whether to go on.
///
/// # Errors
/// When it can't be listed, or not to its end.
pub fn entries(dir: &Path, mut each: impl FnMut(&OsStr, bool) -> ControlFlow<()>) -> std::io::Result<()> {
    entries_to(dir, &mut each)
}

/// Once, and in no other function: its room would be a page of the stack of each, touched whether or not anything is listed.
#[inline(never)]
fn entries_to(dir: &Path, each: &mut dyn FnMut(&OsStr, bool) -> ControlFlow<()>) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FileType, Mode, OFlags, RawDir};
        use std::mem::MaybeUninit;
        use std::os::unix::ffi::OsStrExt;
        // Not through the C library, which maps memory for each directory and gives it back.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = rustix::fs::open(dir, flags, Mode::empty())?;
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut list = RawDir::new(&open, &mut room);
        while let Some(entry) = list.next() {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let is_dir = match entry.file_type() {
                FileType::Unknown => dir.join(name).symlink_metadata().is_ok_and(|meta| meta.is_dir()),
                kind => kind.is_dir(),
            };
            if each(name, is_dir).is_break() {
                break;
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    for entry in dir.read_dir()? {
        let entry = entry?;
        if each(&entry.file_name(), entry.file_type().is_ok_and(|kind| kind.is_dir())).is_break() {
            break;
        }
    }
    Ok(())
}

/// How much a replaced file is worth if the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It can be made again: whole or old after a crash of the program, not flushed.
    Rebuildable,
    /// A person wrote it or it grants a right: flushed, and its directory too.
    Flushed,
}

/// Puts a few `bytes` in the place of as many in the file at `path`; false, and nothing done, if that has another length or
/// is not there.
///
/// For what is read under the lock alone under which it is written: no reader meets it half done. No file is made for
/// it and none removed, which some file systems take milliseconds for.
///
/// # Errors
/// [`Error::Io`] or [`Error::Untrusted`].
pub(super) fn overwrite(path: &Path, bytes: &[u8]) -> Result<bool> {
    let Some(mut file) = open(path, OpenOptions::new().write(true))? else { return Ok(false) };
    let len = file.metadata().map_err(Error::io("read", path))?.len();
    if len != bytes.len() as u64 {
        return Ok(false);
    }
    file.write_all(bytes).map_err(Error::io("write", path))?;
    Ok(true)
}

/// Adds `line`, which has its end, to the file at `path` with one write; false, and nothing done, where the file has to be
/// replaced: it is not there, is longer than `max` bytes, or ends in half a line.
///
/// Nothing is removed by it, as where a file is replaced, which some file systems wait milliseconds for.
///
/// # Errors
/// [`Error::Io`] or [`Error::Untrusted`]; the file is then what it was, as far as that can be done.
pub(super) fn append_line(path: &Path, line: &[u8], max: u64) -> Result<bool> {
    let Some(mut file) = open_any(path, OpenOptions::new().read(true).append(true))? else {
        return Ok(false);
    };
    let meta = file.metadata().map_err(Error::io("read", path))?;
    if !meta.is_file() {
        return Err(Error::Untrusted { path: path.to_path_buf(), why: "it is not a plain file" });
    }
    let (len, mut end) = (meta.len(), [0]);
    if len == 0 || len > max {
        return Ok(false);
    }
    if read_at(&file, &mut end, len - 1).map_err(Error::io("read", path))? == 0 || end != *b"\n" {
        return Ok(false);
    }
    crash::here()?;
    if crash::torn() {
        let _ = file.write_all(&line[..line.len() / 2]);
        return Err(crash::error());
    }
    file.write_all(line).map(|()| true).map_err(|e| {
        // A disk that is full took a part of it.
        let _ = file.set_len(len);
        Error::io("append to", path)(e)
    })
}

/// Puts `bytes` in the place of `path`: readers see the old file or the new one, never a part.
///
/// # Errors
/// [`Error::Io`]; the old file is then untouched.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    let temporary = temporary(path);
    let written = write_new(&temporary, bytes, durability)
        .and_then(|()| std::fs::rename(&temporary, path).map_err(Error::io("replace", path)));
    if written.is_err() {
        // What is left of it has no meaning; the first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
    } else if durability == Durability::Flushed {
        flush_directory(path)?;
    }
    written
}

/// As [`replace`], with what `write` writes, which can be made again; the new file, open for reading and writing.
///
/// # Errors
/// [`Error::Io`]; the old file is then untouched.
pub fn replace_with(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<File> {
    let temporary = temporary(path);
    let written = new_file(&temporary).and_then(|mut file| {
        write(&mut file).map_err(Error::io("write", &temporary))?;
        std::fs::rename(&temporary, path).map_err(Error::io("replace", path))?;
        Ok(file)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// A name for what will stand in the place of `path`.
fn temporary(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

fn new_file(path: &Path) -> Result<File> {
    // A leftover of a process with the same id that died here.
    if path.symlink_metadata().is_ok() {
        std::fs::remove_file(path).map_err(Error::io("remove", path))?;
    }
    let mut how = OpenOptions::new();
    how.read(true).write(true).create_new(true);
    open(path, &mut how)?.ok_or_else(|| Error::io("create", path)(std::io::Error::from(ErrorKind::NotFound)))
}

fn write_new(path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    let mut file = new_file(path)?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    if durability == Durability::Flushed {
        file.sync_all().map_err(Error::io("flush", path))?;
    }
    Ok(())
}

/// Makes a rename in the directory of `path` survive a power cut, where the system can.
pub(super) fn flush_directory(path: &Path) -> Result<()> {
    #[cfg(unix)]
    if let Some(dir) = path.parent() {
        File::open(dir).and_then(|d| d.sync_all()).map_err(Error::io("flush", dir))?;
    }
    // A directory can't be opened for that there.
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
