//! What a path really is: resolved through symlinks, and as the key that patterns are matched with.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use crate::nfc::{is_nfc, nfc};
use crate::{Error, Result};

/// How many symbolic links one path may lead through, as on Linux.
const MAX_LINKS: usize = 40;

/// `raw` taken relative to `base`, with `.` and `..` removed by their names alone.
///
/// This is how the client reads a path before it gives it to the system.
#[must_use]
pub fn lexical(base: &Path, raw: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in base.join(raw).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// `path` (absolute) with every symbolic link followed, as the system would on a write to it.
///
/// A tail that does not exist yet is kept as it is; a link whose target does not exist is
/// followed all the same, because a write would create the target.
///
/// # Errors
/// When a link can't be read, when links lead in a circle, or when `path` is not absolute.
pub fn real(path: &Path) -> Result<PathBuf> {
    real_below(Path::new(""), path)
}

/// [`real`] for a `path` beside or below `known`, a directory whose own path is known to be
/// real: what both have in common is not looked at again.
///
/// # Errors
/// As [`real`].
pub fn real_below(known: &Path, path: &Path) -> Result<PathBuf> {
    resolve(known, path).map(|resolved| resolved.real)
}

/// What a path is, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The path without symbolic links.
    pub real: PathBuf,
    /// Where each symbolic link on the way stands, itself by its real path, first one first.
    pub links: Vec<PathBuf>,
    /// False if nothing stands there.
    pub exists: bool,
}

/// [`real_below`], with the links that it led through.
///
/// # Errors
/// As [`real`].
pub fn resolve(known: &Path, path: &Path) -> Result<Resolved> {
    if !path.is_absolute() {
        return Err(Error::Invalid { what: "the path", why: format!("{} is not absolute", path.display()) });
    }
    let mut out = PathBuf::with_capacity(path.as_os_str().len() + 1);
    // What is above a real directory is real too.
    let above = known.ancestors().filter(|dir| !dir.as_os_str().is_empty());
    let below = above.filter_map(|dir| Some((dir, path.strip_prefix(dir).ok()?))).next();
    // Components still to walk, last first.
    let mut todo = match below {
        Some((dir, rest)) => {
            out.push(dir);
            steps(rest)
        }
        None => steps(path),
    };
    let mut links: Vec<PathBuf> = Vec::new();
    let mut exists = true;
    while let Some(step) = todo.pop() {
        let name = match step {
            Step::Root(root) => {
                out = root;
                exists = true;
                continue;
            }
            Step::Up => {
                out.pop();
                exists = exists || out.symlink_metadata().is_ok();
                continue;
            }
            Step::Name(name) => name,
        };
        out.push(&name);
        if !exists {
            continue;
        }
        match std::fs::read_link(&out) {
            Ok(_) if is_magic(&out) => {
                let why = format!(
                    "{} leads through {}, which is another thing for every process",
                    path.display(),
                    out.display()
                );
                return Err(Error::Invalid { what: "the path", why });
            }
            Ok(target) => {
                links.push(out.clone());
                if links.len() > MAX_LINKS {
                    return Err(Error::Invalid {
                        what: "the path",
                        why: format!("{} leads through more than {MAX_LINKS} symbolic links", path.display()),
                    });
                }
                out.pop();
                todo.extend(steps(&target));
            }
            // EINVAL: it exists and is no link.
            Err(e) if e.kind() == ErrorKind::InvalidInput => {}
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => exists = false,
            // Windows answers a plain file with ERROR_NOT_A_REPARSE_POINT.
            Err(e) if e.raw_os_error() == Some(4390) && cfg!(windows) => {}
            Err(e) => return Err(Error::io("resolve", path)(e)),
        }
    }
    Ok(Resolved { real: out, links, exists })
}

/// True for links whose target depends on who looks (proc(5)): `/proc/self/cwd` is one directory
/// for the client and another one for us.
fn is_magic(link: &Path) -> bool {
    cfg!(target_os = "linux") && link.starts_with("/proc")
}

enum Step {
    Root(PathBuf),
    Up,
    Name(OsString),
}

/// The components of `path`, last first.
fn steps(path: &Path) -> Vec<Step> {
    let mut root = PathBuf::new();
    let mut out = Vec::with_capacity(12);
    for part in path.components() {
        match part {
            Component::Prefix(_) | Component::RootDir => root.push(part),
            Component::CurDir => {}
            Component::ParentDir => out.push(Step::Up),
            Component::Normal(name) => out.push(Step::Name(name.to_owned())),
        }
    }
    if !root.as_os_str().is_empty() {
        out.insert(0, Step::Root(root));
    }
    out.reverse();
    out
}

/// The form of a relative path that patterns are matched against: `/` between components, NFC,
/// lower case if `fold`. Names that are not UTF-8 keep their readable parts.
#[must_use]
pub fn key(relative: &Path, fold: bool) -> String {
    let mut out = String::with_capacity(relative.as_os_str().len());
    for part in relative.components() {
        if let Component::Normal(name) = part {
            if !out.is_empty() {
                out.push('/');
            }
            out.push_str(&normal(&name.to_string_lossy(), fold));
        }
    }
    out
}

/// `text` in NFC, and in lower case if `fold`.
#[must_use]
pub fn normal(text: &str, fold: bool) -> Cow<'_, str> {
    let composed: Cow<'_, str> = if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(nfc(text)) };
    if fold && composed.chars().any(|c| !c.is_lowercase()) {
        // Lower-casing can leave NFC (İ), so normalise once more.
        let lower = composed.to_lowercase();
        Cow::Owned(if is_nfc(&lower) { lower } else { nfc(&lower) })
    } else {
        composed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lexical_removes_dots() {
        assert_eq!(lexical(Path::new("/a/b"), Path::new("../c/./d")), Path::new("/a/c/d"));
        assert_eq!(lexical(Path::new("/a"), Path::new("../../../x")), Path::new("/x"));
        assert_eq!(lexical(Path::new("/a"), Path::new("/b//c/")), Path::new("/b/c"));
    }

    #[test]
    fn keys() {
        assert_eq!(key(Path::new("a/b.rs"), false), "a/b.rs");
        assert_eq!(key(Path::new("A/É"), true), "a/é");
        assert_eq!(key(Path::new("cafe\u{301}/x"), false), "caf\u{e9}/x");
    }

    #[cfg(unix)]
    mod links {
        use super::*;
        use proptest::prelude::*;
        use std::os::unix::fs::symlink;

        #[test]
        fn links_are_followed_also_where_they_dangle() {
            let dir = tempfile::tempdir().expect("temp dir");
            let top = dir.path().canonicalize().expect("real");
            std::fs::create_dir_all(top.join("in/deep")).expect("dirs");
            std::fs::create_dir_all(top.join("out")).expect("dirs");
            symlink("../out", top.join("in/dir")).expect("link");
            symlink("../out/new.txt", top.join("in/dangling")).expect("link");
            symlink("loop", top.join("in/loop")).expect("link");
            assert_eq!(real(&top.join("in/dir/x/y")).expect("ok"), top.join("out/x/y"));
            assert_eq!(real(&top.join("in/dangling")).expect("ok"), top.join("out/new.txt"));
            assert_eq!(real(&top.join("in/dir/../z")).expect("ok"), top.join("z"));
            assert_eq!(real(&top.join("in/none/../deep/f")).expect("ok"), top.join("in/deep/f"));
            assert!(real(&top.join("in/loop/x")).is_err());
        }

        #[cfg(target_os = "linux")]
        #[test]
        fn links_that_mean_another_thing_to_everyone_are_refused() {
            for path in ["/proc/self/cwd/x", "/proc/self/root/etc/x", "/dev/fd/0", "/proc/thread-self/cwd/x"]
            {
                assert!(real(Path::new(path)).is_err(), "{path}");
            }
            assert!(real(Path::new("/proc/none/x")).is_ok());
        }

        #[test]
        fn links_on_the_way_are_named_by_where_they_stand() {
            let dir = tempfile::tempdir().expect("temp dir");
            let top = dir.path().canonicalize().expect("real");
            std::fs::create_dir_all(top.join("node/in")).expect("dirs");
            symlink("node", top.join("alias")).expect("link");
            symlink("../../else", top.join("node/in/out")).expect("link");
            let found = resolve(Path::new(""), &top.join("alias/in/out/x")).expect("ok");
            assert_eq!(found.real, top.join("else/x"));
            assert_eq!(found.links, [top.join("alias"), top.join("node/in/out")]);
        }

        #[test]
        fn a_known_directory_is_not_looked_at_again() {
            let dir = tempfile::tempdir().expect("temp dir");
            let top = dir.path().canonicalize().expect("real");
            std::fs::create_dir(top.join("to")).expect("dir");
            symlink("to", top.join("link")).expect("link");
            assert_eq!(real_below(&top, &top.join("link/x")).expect("ok"), top.join("to/x"));
            assert_eq!(real_below(&top.join("link"), &top.join("link/x")).expect("ok"), top.join("link/x"));
            assert_eq!(real_below(&top.join("to"), &top.join("link/x")).expect("ok"), top.join("to/x"));
            // Nor is what is above it.
            let (beside, below) = (top.join("link/a/b"), top.join("link/x/../y"));
            assert_eq!(real_below(&beside, &below).expect("ok"), top.join("link/y"));
            assert_eq!(real_below(&beside, &top.join("link/../x")).expect("ok"), top.join("x"));
        }

        #[test]
        fn a_link_behind_a_missing_directory_is_still_seen() {
            let dir = tempfile::tempdir().expect("temp dir");
            let top = dir.path().canonicalize().expect("real");
            std::fs::create_dir_all(top.join("a/out")).expect("dirs");
            symlink("out", top.join("a/link")).expect("link");
            assert_eq!(real(&top.join("a/none/../link/f")).expect("ok"), top.join("a/out/f"));
        }

        /// A farm of directories and links: each link by its place and what it holds.
        fn farm() -> impl Strategy<Value = Vec<(String, String)>> {
            let name = prop::sample::select(vec!["a", "b", "c", "a/a", "a/b", "b/a", "b/c", "c/c", "a/b/c"]);
            let target = prop::sample::select(vec![
                "a", "b", "c", "..", ".", "../a", "../b/c", "../../c", "a/../b", "none", "none/x", "../none",
                "/", "./c/.",
            ]);
            prop::collection::vec((name.prop_map(String::from), target.prop_map(String::from)), 0..7)
        }

        fn walk() -> impl Strategy<Value = String> {
            let part = prop::sample::select(vec!["a", "b", "c", "..", ".", "none", "new"]);
            prop::collection::vec(part, 1..6).prop_map(|parts| parts.join("/"))
        }

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(400))]

            /// The oracle is the system itself: what it opens or creates at a path is what was foretold.
            #[test]
            fn a_write_lands_where_it_was_foretold(links in farm(), path in walk()) {
                let dir = tempfile::tempdir()?;
                let top = dir.path().canonicalize()?;
                for made in ["a/b", "b/c", "c"] {
                    std::fs::create_dir_all(top.join(made))?;
                }
                for (place, target) in &links {
                    // `/` stands for the farm's own top, so that nothing leads out of it.
                    let target = if target == "/" { top.clone() } else { target.into() };
                    let _ = symlink(target, top.join(place));
                }
                let asked = top.join(&path);
                let Ok(found) = real(&asked) else {
                    // Only a circle is an error, and the system agrees that it is one.
                    prop_assert!(std::fs::metadata(&asked).is_err(), "{path} can be opened");
                    return Ok(());
                };
                prop_assert!(found.is_absolute());
                prop_assert_eq!(&real(&found)?, &found, "not idempotent");
                for part in found.ancestors() {
                    prop_assert!(!part.is_symlink(), "{} is a link", part.display());
                }
                for known in found.ancestors().chain([top.join("a/b").as_path()]) {
                    if known.is_dir() && !known.ancestors().any(Path::is_symlink) {
                        prop_assert_eq!(&real_below(known, &asked)?, &found, "a known directory changes nothing");
                    }
                }
                if let Ok(there) = asked.canonicalize() {
                    prop_assert_eq!(&there, &found);
                } else if found.starts_with(&top) && std::fs::write(&asked, "x").is_ok() {
                    prop_assert_eq!(asked.canonicalize()?, found);
                }
            }
        }
    }
}
