//! Opens what the configuration names without being led astray. Root reads keys and tokens before the daemon gives its power away, and a
//! path may lead through a directory of somebody else's: the daemon's own, which whoever took it over could fill with links.
//!
//! So root goes step by step, each from the descriptor of the one before, and follows a link only if it is root's and no directory
//! on the way so far was anybody else's. Behind such a directory there are no links, no `..`, and no file with a second name that is not that user's.

use crate::daemon::owner::name_of;
use nix::{
    fcntl::{OFlag, openat, readlinkat},
    sys::stat::Mode,
    unistd::geteuid,
};
use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

/// More links on one way are a circle; as many as the kernel follows.
const LINKS_MAX: usize = 40;
/// Without `O_NONBLOCK` a named pipe in a file's place would hold the reader up for ever.
const TO_READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);
const TO_PASS: OFlag = OFlag::O_PATH.union(OFlag::O_CLOEXEC);

/// Opens a regular file to be read.
///
/// # Errors
/// It cannot be opened, is no regular file, or root would have to follow what somebody else may have put there.
pub fn file(path: &Path) -> io::Result<File> {
    let (file, stranger) = open(path, TO_READ)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    match stranger {
        Some(user) if found.uid() != user && found.nlink() > 1 => Err(io::Error::other(format!(
            "it has a second name, and is in a directory of user `{}`, who may have put anybody's file there; put a copy in its place",
            name_of(user)
        ))),
        _ => Ok(file),
    }
}

/// Opens a directory, and holds it: whoever renames it afterwards changes nothing about which one it is.
///
/// # Errors
/// As for [`file()`].
pub fn directory(path: &Path) -> io::Result<File> {
    open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).map(|(directory, _)| directory)
}

/// Opens it, and tells whose directories the way has led through, if they were not root's alone.
fn open(path: &Path, flags: OFlag) -> io::Result<(File, Option<u32>)> {
    if !geteuid().is_root() {
        // Whoever is not root is led nowhere that he could not go by himself.
        return Ok((File::options().read(true).custom_flags(flags.bits()).open(path)?, None));
    }
    let mut walk = Walk { at: start(path)?, stranger: None, links: 0 };
    let mut left = steps(path);
    let mut last = OsString::from(".");
    while let Some(step) = left.pop() {
        last = step;
        let Some(more) = walk.pass(&last, left.is_empty())? else { continue };
        left.extend(more);
        last = ".".into();
    }
    walk.look()?;
    let file = File::from(openat(&walk.at, last.as_os_str(), flags | OFlag::O_NOFOLLOW, Mode::empty())?);
    Ok((file, walk.stranger))
}

fn start(path: &Path) -> io::Result<File> {
    let from = if path.is_absolute() { "/" } else { "." };
    File::options().read(true).custom_flags((TO_PASS | OFlag::O_DIRECTORY).bits()).open(from)
}

/// The steps of a path, the first one last.
fn steps(path: &Path) -> Vec<OsString> {
    let steps = path.components().filter(|step| matches!(step, Component::Normal(_) | Component::ParentDir));
    let mut steps: Vec<_> = steps.map(|step| step.as_os_str().to_owned()).collect();
    steps.reverse();
    steps
}

/// How far root has come.
struct Walk {
    /// The directory.
    at: File,
    /// Whose directory the way has led through, if not root's.
    stranger: Option<u32>,
    links: usize,
}

impl Walk {
    /// Whose the directory is that it is in.
    fn look(&mut self) -> io::Result<()> {
        let user = self.at.metadata()?.uid();
        self.stranger = self.stranger.or((user != 0).then_some(user));
        Ok(())
    }

    /// One step on, unless it is the last one and no link. Of a link, where it leads, the first step last.
    fn pass(&mut self, step: &OsString, is_last: bool) -> io::Result<Option<Vec<OsString>>> {
        self.look()?;
        if step == ".." && self.stranger.is_some() {
            return Err(self.refuse("leads back by `..`"));
        }
        let next = File::from(openat(&self.at, step.as_os_str(), TO_PASS | OFlag::O_NOFOLLOW, Mode::empty())?);
        let found = next.metadata()?;
        if found.is_symlink() {
            self.stranger = self.stranger.or((found.uid() != 0).then_some(found.uid()));
            if self.stranger.is_some() {
                return Err(self.refuse(&format!("leads over the link `{}`", step.display())));
            }
            self.links += 1;
            if self.links > LINKS_MAX {
                return Err(nix::errno::Errno::ELOOP.into());
            }
            let target = PathBuf::from(readlinkat(&next, "")?);
            if target.is_absolute() {
                self.at = start(&target)?;
            }
            return Ok(Some(steps(&target)));
        }
        if !is_last {
            self.at = next;
        }
        Ok(None)
    }

    fn refuse(&self, how: &str) -> io::Error {
        let user = self.stranger.map(name_of).unwrap_or_default();
        io::Error::other(format!(
            "its path {how}, which user `{user}` may have put there, so root does not follow; name the file itself"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        io::Read,
        os::unix::fs::{chown, symlink},
    };

    const STRANGER: u32 = 65_521;

    fn is_root() -> bool {
        let root = geteuid().is_root();
        if !root {
            eprintln!("SKIPPED: needs root to give directories away");
        }
        root
    }

    /// Root's directory with a good file in it, and a stranger's directory beside it.
    fn scene() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let (good, own) = (dir.path().join("good"), dir.path().join("own"));
        fs::write(&good, "good").unwrap();
        fs::create_dir(&own).unwrap();
        chown(&own, Some(STRANGER), Some(STRANGER)).unwrap();
        (dir, good, own)
    }

    fn read(path: &Path) -> Result<String, String> {
        let mut text = String::new();
        file(path).and_then(|mut file| file.read_to_string(&mut text)).map_err(|error| error.to_string())?;
        Ok(text)
    }

    #[test]
    fn roots_own_links_are_followed_as_ever() {
        if !is_root() {
            return;
        }
        let (dir, good, own) = scene();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        symlink("../../good", dir.path().join("a/b/link")).unwrap();
        symlink(dir.path().join("a/b"), dir.path().join("way")).unwrap();
        fs::write(own.join("plain"), "plain").unwrap();
        for path in ["good", "a/b/link", "way/link", "a/../good", "./good"] {
            assert_eq!(read(&dir.path().join(path)).unwrap(), "good", "{path}");
        }
        assert_eq!(read(&own.join("plain")).unwrap(), "plain", "a file that root has put there itself");
        symlink("circle", dir.path().join("circle")).unwrap();
        assert!(read(&dir.path().join("circle")).unwrap_err().contains("symbolic links"));
        assert!(read(&good.join("file")).unwrap_err().contains("Not a directory"));
        assert_eq!(file(&dir.path().join("absent")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(read(dir.path()).unwrap_err().contains("no regular file"));
        assert!(directory(&dir.path().join("way")).is_ok() && directory(&good).is_err() && directory(Path::new("/")).is_ok());
    }

    /// Each target is a good file, so that nothing but the link can be what is refused.
    #[test]
    fn no_link_that_somebody_else_may_have_put_there_is_followed() {
        if !is_root() {
            return;
        }
        let (dir, good, own) = scene();
        symlink(&good, own.join("absolute")).unwrap();
        symlink("../good", own.join("relative")).unwrap();
        symlink(dir.path(), own.join("way")).unwrap();
        symlink("/", own.join("root")).unwrap();
        // In root's directory, but not root's: what a move has brought there.
        symlink(&good, dir.path().join("moved")).unwrap();
        std::os::unix::fs::lchown(dir.path().join("moved"), Some(STRANGER), None).unwrap();
        symlink(own.join("absolute"), dir.path().join("to_theirs")).unwrap();
        let through_root = own.join("root").join(good.strip_prefix("/").unwrap());
        let ways = ["own/absolute", "own/relative", "own/way/good", "own/../good", "moved", "to_theirs"];
        for path in ways.map(|way| dir.path().join(way)).into_iter().chain([through_root]) {
            assert_eq!(fs::read(&path).unwrap(), b"good", "{}", path.display());
            let error = read(&path).unwrap_err();
            assert!(error.contains("root does not follow") && error.contains(&name_of(STRANGER)), "{}: {error}", path.display());
        }
        assert!(directory(&own.join("way")).unwrap_err().to_string().contains("root does not follow"));
        fs::hard_link(&good, own.join("second")).unwrap();
        assert!(read(&own.join("second")).unwrap_err().contains("second name"));
        nix::unistd::mkfifo(&own.join("pipe"), Mode::S_IRUSR).unwrap();
        assert!(read(&own.join("pipe")).unwrap_err().contains("no regular file"));
    }
}
