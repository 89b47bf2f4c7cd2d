//! The state directory and the identity in it: made at the first start, refused when others could read them.

use crate::config::secrets;
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The identity's file name in the state directory.
pub const IDENTITY_FILE: &str = "identity.key";
/// The group whose members may use the control socket.
pub const GROUP: &str = "honeymesh";

const SEED_BYTES: usize = 32;

/// The Ed25519 seed that is this node's identity.
pub type Seed = Zeroizing<[u8; SEED_BYTES]>;

/// The state directory, ready for use.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
    group: Option<nix::unistd::Gid>,
}

impl StateDir {
    /// Makes the directory (mode 0700; 0710 for the group `honeymesh` if there is one, so that its members reach the
    /// control socket but can list nothing), or checks the one that is there.
    ///
    /// # Errors
    /// In words with the mend: it cannot be made, is no directory, or strangers may write to it.
    pub fn prepare(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        match DirBuilder::new().mode(0o700).recursive(true).create(path) {
            Ok(()) => {}
            Err(error) => return Err(format!("state_dir {shown} cannot be made: {error}; make it, or set [node] state_dir")),
        }
        let metadata = std::fs::metadata(path).map_err(|error| format!("state_dir {shown} cannot be read: {error}"))?;
        if metadata.mode() & 0o022 != 0 {
            return Err(format!("state_dir {shown} can be written by others; run chmod 700 {shown}"));
        }
        if metadata.uid() != 0 && metadata.uid() != nix::unistd::geteuid().as_raw() {
            return Err(format!("state_dir {shown} belongs to another user; run chown root {shown}, or set [node] state_dir"));
        }
        let group = nix::unistd::Group::from_name(GROUP).ok().flatten().map(|group| group.gid);
        let state = Self { path: path.into(), group };
        state.open_to_group(path, 0o710);
        Ok(state)
    }

    /// Lets the group in, if there is one. A file system without groups keeps them out, which is safe.
    fn open_to_group(&self, path: &Path, mode: u32) {
        let Some(group) = self.group else { return };
        if nix::unistd::chown(path, None, Some(group)).is_ok() {
            let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
        }
    }

    /// The group whose members may use the control socket, if there is one.
    #[must_use]
    pub fn group(&self) -> Option<u32> {
        self.group.map(nix::unistd::Gid::as_raw)
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// This node's identity; made from the kernel's random source if there is none yet.
    ///
    /// # Errors
    /// In words with the mend: it cannot be made or read, is malformed, or others may read it.
    pub fn identity(&self) -> Result<Seed, String> {
        let path = self.file(IDENTITY_FILE);
        match path.try_exists() {
            Ok(true) => read_seed(&path),
            Ok(false) => self.new_identity(&path),
            Err(error) => Err(format!("identity {} cannot be read: {error}", path.display())),
        }
    }

    fn new_identity(&self, path: &Path) -> Result<Seed, String> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        getrandom::fill(&mut *seed).map_err(|error| format!("the kernel gives no random bytes: {error}"))?;
        let text = Zeroizing::new(hex(&*seed) + "\n");
        create_secret(path, text.as_bytes())
            .map_err(|error| format!("identity {} cannot be written: {error}", path.display()))?;
        Ok(seed)
    }
}

/// Writes a new file with mode 0600 that is either whole and on the disk, or absent.
///
/// # Errors
/// The file exists already, or cannot be written; then none is left behind.
pub fn create_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| sync_parent(path));
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

fn read_seed(path: &Path) -> Result<Seed, String> {
    let text = secrets::read_secret(path).map_err(|error| format!("identity {error}"))?;
    let digits = text.trim();
    let malformed = || {
        let shown = path.display();
        format!("identity {shown} is not 64 hexadecimal digits; restore it from a backup, or remove it to become a new node")
    };
    if digits.len() != 2 * SEED_BYTES || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(malformed());
    }
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    for (byte, pair) in seed.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| malformed())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
    }
    Ok(seed)
}

/// The bytes of an even number of hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2));
    pairs.map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect()
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir() -> (tempfile::TempDir, StateDir) {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::prepare(&parent.path().join("a/state")).unwrap();
        (parent, state)
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn an_identity_is_made_once_and_kept() {
        let (_parent, state) = dir();
        let first = state.identity().unwrap();
        assert_eq!(*first, *state.identity().unwrap());
        assert_ne!(*first, [0; 32]);
        assert_eq!(mode(&state.file(IDENTITY_FILE)), 0o600);
        assert!(matches!(mode(&state.path), 0o700 | 0o710));
    }

    #[test]
    fn an_identity_that_others_can_read_or_that_is_broken_is_refused() {
        let (_parent, state) = dir();
        let file = state.file(IDENTITY_FILE);
        create_secret(&file, &[b'a'; 63]).unwrap();
        assert!(state.identity().unwrap_err().contains("64 hexadecimal digits"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(state.identity().unwrap_err().contains("chmod 600"));
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let (_parent, state) = dir();
        std::fs::set_permissions(&state.path, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(StateDir::prepare(&state.path).unwrap_err().contains("chmod 700"));
        let file = state.file("file");
        std::fs::write(&file, "x").unwrap();
        assert!(StateDir::prepare(&file).is_err());
    }

    #[test]
    fn a_secret_is_never_overwritten() {
        let (_parent, state) = dir();
        let file = state.file("key");
        create_secret(&file, b"one").unwrap();
        assert!(create_secret(&file, b"two").is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"one");
    }
}
