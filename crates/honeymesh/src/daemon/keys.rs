//! A change of cluster keys that loses no message: the new key opens at once, seals after a grace, and the old ones go
//! after another; the key file follows each step, so that a restart goes on from where it was.

use crate::config::secrets;
use honeymesh_api::NewKey;
use honeymesh_mesh_proto::{Key, KeyRing, KeyRingError};
use honeymesh_types::{ClusterName, MonoTime};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
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
        let mut text = Zeroizing::new(format!("# cluster {}: the first key seals, the others only open\n", self.cluster));
        for key in self.ring.keys() {
            text.push_str(&key.to_text());
            text.push('\n');
        }
        replace(&self.file, text.as_bytes()).map_err(|error| {
            let file = self.file.display();
            format!("{file} could not be rewritten ({error}); put the new key there yourself before the next start of this node")
        })
    }
}

/// Replaces a secret file atomically.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let _ = fs::remove_file(&part);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    if let Ok(old) = fs::metadata(path) {
        // Another owner than ours is kept if we may; else the daemon that wrote it can still read it.
        let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
    }
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
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

    fn key(fill: u8) -> Key {
        Key::from_bytes([fill; 32])
    }

    #[test]
    fn the_key_file_follows_the_ring_and_stays_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mesh.key");
        let keys =
            ClusterKeys { cluster: "m".parse().unwrap(), file: file.clone(), grace: Duration::ZERO, ring: KeyRing::new(key(1)) };
        keys.write().unwrap();
        assert_eq!(secrets::read_keys(&file).unwrap().keys(), [key(1)]);
        keys.with(key(2)).unwrap().write().unwrap();
        assert_eq!(secrets::read_keys(&file).unwrap().keys(), [key(1), key(2)]);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_key_file_that_cannot_be_written_is_told_with_the_mend() {
        let keys = ClusterKeys {
            cluster: "m".parse().unwrap(),
            file: "/proc/nothing/mesh.key".into(),
            grace: Duration::ZERO,
            ring: KeyRing::new(key(1)),
        };
        assert!(keys.write().unwrap_err().contains("put the new key there yourself"));
    }
}
