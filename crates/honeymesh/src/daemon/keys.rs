//! A change of cluster keys that loses no message: the new key opens at once, seals after a grace, and the old ones go
//! after another; the key file follows each step, so that a restart goes on from where it was.

use super::clerk::Clerk;
use crate::config::{secrets, walk};
use honeymesh_api::NewKey;
use honeymesh_mesh_proto::{Key, KeyRing, KeyRingError};
use honeymesh_types::{ClusterName, MonoTime};
use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat, renameat},
    sys::stat::{Mode, SFlag, fstatat},
    unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat},
};
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use zeroize::Zeroizing;

/// The keys of one cluster, as the mesh has them.
#[derive(Clone, Debug)]
pub struct ClusterKeys {
    /// The cluster.
    pub cluster: ClusterName,
    /// Where its keys are written down.
    pub file: PathBuf,
    /// How long every member has for a step.
    pub grace: Duration,
    /// The keys in use.
    pub ring: KeyRing,
    /// Who writes them down, if the daemon may not: the clerk, to whom the file has this place.
    pub clerk: Option<(Clerk, u8)>,
}

/// What comes next in a change of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The new key seals.
    Use,
    /// The old keys go.
    Retire,
}

/// A change of keys under way.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The place of the cluster in the configuration.
    pub place: usize,
    /// The new key.
    pub key: Key,
    /// What comes next.
    pub next: Next,
    /// When.
    pub due: MonoTime,
}

impl ClusterKeys {
    /// The ring with `key` as one that only opens.
    ///
    /// # Errors
    /// The ring is full.
    pub fn with(&self, key: Key) -> Result<Self, KeyRingError> {
        let mut changed = self.clone();
        changed.ring.add(key)?;
        Ok(changed)
    }

    /// Writes the ring to the key file: whole or not at all, mode 0600, the owner kept where that is possible.
    ///
    /// # Errors
    /// In words, with the mend.
    pub fn write(&self) -> Result<(), String> {
        let written = match &self.clerk {
            Some((clerk, place)) => clerk.replace(*place, &self.ring),
            None => directory_of(&self.file)
                .map_err(Unwritten::AsItWas)
                .and_then(|directory| replace(&directory, &self.file, text(&self.cluster, &self.ring).as_bytes())),
        };
        written.map_err(|failure| failure.told(&self.file))
    }
}

/// Why nobody can say that a key file holds the new keys, and will after a power cut.
#[derive(Debug)]
pub enum Unwritten {
    /// The file is as it was.
    AsItWas(io::Error),
    /// It is in its place, but the disk has not confirmed that.
    Unconfirmed(io::Error),
    /// Whoever writes it has the order and has not answered; in words, until when it may still be written.
    Unanswered(String),
}

impl Unwritten {
    /// In words, with the mend.
    fn told(&self, file: &Path) -> String {
        let file = file.display();
        match self {
            Self::AsItWas(error) => {
                format!(
                    "{file} could not be rewritten ({error}); put the new key there yourself before the next start of this node"
                )
            }
            Self::Unconfirmed(error) => format!(
                "{file} holds the new keys, but its directory could not be written to the disk ({error}), so that after a power cut it may be \
                 the old file; mend the disk, run `sync`, and look into it before the next start of this node"
            ),
            Self::Unanswered(until) => format!(
                "nobody knows what is in {file} ({until}); look into it then, put the new key there yourself if it is missing, and restart this node"
            ),
        }
    }
}

impl From<io::Error> for Unwritten {
    fn from(error: io::Error) -> Self {
        Self::AsItWas(error)
    }
}

impl From<Errno> for Unwritten {
    fn from(errno: Errno) -> Self {
        Self::AsItWas(errno.into())
    }
}

/// A key file's content.
#[must_use]
pub fn text(cluster: &ClusterName, ring: &KeyRing) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("# cluster {cluster}: the first key seals, the others only open\n"));
    for key in ring.keys() {
        text.push_str(&key.to_text());
        text.push('\n');
    }
    text
}

/// The directory of a file, held open: whoever renames it afterwards changes nothing about which one it is.
///
/// # Errors
/// It cannot be opened, or the way to it is not to be trusted.
pub fn directory_of(file: &Path) -> io::Result<File> {
    walk::directory(file.parent().ok_or(io::ErrorKind::InvalidInput)?)
}

/// Replaces a secret file in `directory`, by the last part of its path: whole or not at all, with mode 0600 and its owner
/// kept where that is possible. No link is followed.
///
/// # Errors
/// The system's: the file is as it was, or the new one is in its place and only its directory is not on the disk.
pub fn replace(directory: &File, path: &Path, content: &[u8]) -> Result<(), Unwritten> {
    let part = path.with_extension("part");
    let (name, part) = (last(path)?, last(&part)?);
    let remove = || unlinkat(directory, part, UnlinkatFlags::NoRemoveDir);
    let _there_is_none = remove();
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(directory, part, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
    if let Ok(old) = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)
        && SFlag::from_bits_truncate(old.st_mode).contains(SFlag::S_IFREG)
    {
        // Another owner than ours is kept if we may; else the daemon that wrote it can still read it.
        let _ = fchown(&file, Some(Uid::from_raw(old.st_uid)), Some(Gid::from_raw(old.st_gid)));
    }
    let written = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| renameat(directory, part, directory, name).map_err(io::Error::from));
    if let Err(error) = written {
        let _ = remove();
        return Err(error.into());
    }
    directory.sync_all().map_err(Unwritten::Unconfirmed)
}

fn last(path: &Path) -> io::Result<&std::ffi::OsStr> {
    path.file_name().ok_or_else(|| Errno::EINVAL.into())
}

/// The key that an operator gave.
///
/// # Errors
/// In words, without the key: the file cannot be read, others can read it, or it holds no key.
pub fn given(new: &NewKey) -> Result<Key, String> {
    match new {
        NewKey::Text(text) => Key::parse(text.reveal()).map_err(|error| error.to_string()),
        NewKey::File(path) => {
            let ring = secrets::read_keys(path)?;
            ring.keys().first().cloned().ok_or_else(|| format!("{} holds no key", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::MetadataExt};

    fn key(fill: u8) -> Key {
        Key::from_bytes([fill; 32])
    }

    #[test]
    fn the_key_file_follows_the_ring_and_stays_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mesh.key");
        let keys = ClusterKeys {
            cluster: "m".parse().unwrap(),
            file: file.clone(),
            grace: Duration::ZERO,
            ring: KeyRing::new(key(1)),
            clerk: None,
        };
        keys.write().unwrap();
        assert_eq!(secrets::read_keys(&file).unwrap().keys(), [key(1)]);
        keys.with(key(2)).unwrap().write().unwrap();
        assert_eq!(secrets::read_keys(&file).unwrap().keys(), [key(1), key(2)]);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn no_link_is_followed_when_a_key_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (file, precious) = (dir.path().join("mesh.key"), dir.path().join("precious"));
        fs::write(&precious, "as it was").unwrap();
        std::os::unix::fs::symlink(&precious, dir.path().join("mesh.part")).unwrap();
        std::os::unix::fs::symlink(&precious, &file).unwrap();
        replace(&directory_of(&file).unwrap(), &file, b"new").unwrap();
        assert_eq!((fs::read(&file).unwrap(), fs::read(&precious).unwrap()), (b"new".to_vec(), b"as it was".to_vec()));
        assert!(fs::symlink_metadata(&file).unwrap().is_file());
    }

    #[test]
    fn what_is_in_its_place_is_not_told_as_if_it_were_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mesh.key");
        fs::write(&file, "old").unwrap();
        // Good to open and rename in, but the kernel does not sync it.
        let flags = nix::libc::O_PATH | nix::libc::O_DIRECTORY;
        let directory = std::os::unix::fs::OpenOptionsExt::custom_flags(File::options().read(true), flags).open(dir.path());
        let told = replace(&directory.unwrap(), &file, b"new").unwrap_err();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(matches!(told, Unwritten::Unconfirmed(_)), "{told:?}");
        let words = told.told(&file);
        assert!(words.contains("holds the new keys") && words.contains("after a power cut"), "{words}");
    }

    #[test]
    fn a_key_file_that_cannot_be_written_is_told_with_the_mend() {
        let keys = ClusterKeys {
            cluster: "m".parse().unwrap(),
            file: "/proc/nothing/mesh.key".into(),
            grace: Duration::ZERO,
            ring: KeyRing::new(key(1)),
            clerk: None,
        };
        assert!(keys.write().unwrap_err().contains("put the new key there yourself"));
    }
}
