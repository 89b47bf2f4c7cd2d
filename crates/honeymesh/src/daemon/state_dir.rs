//! The state directory and the identity in it: made at the first start, refused when others could read them.

use super::owner::{self, Owner};
use crate::config::{Config, secrets};
use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, openat},
    sys::stat::Mode,
    unistd::{Gid, Uid, UnlinkatFlags, fchown, fchownat, unlinkat},
};
use std::{
    ffi::{OsStr, OsString},
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The identity's file name in the state directory.
pub const IDENTITY_FILE: &str = "identity.key";
/// The most files that are taken over from another owner; more than the daemon ever makes.
const FILES_MAX: usize = 4_096;

const SEED_BYTES: usize = 32;

/// Made and removed to see whether the file system gives files away at all.
const OWNER_PROBE: &str = "api.owner-probe";

/// The Ed25519 seed that is this node's identity.
pub type Seed = Zeroizing<[u8; SEED_BYTES]>;

/// Why the state directory cannot be used, in words with the mend. Nothing in it was given to anybody, or the next start goes on with that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// What is there cannot become the user's: who stays root can use it.
    #[error("{0}")]
    NotGiven(String),
    /// Whoever the daemon is.
    #[error("{0}")]
    Wrong(String),
}

impl From<String> for Unusable {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

/// The state directory, ready for use.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
    group: Option<u32>,
    owner: Owner,
}

impl StateDir {
    /// Makes the directory for `owner` (mode 0700; 0710 for the group `honeymesh` if there is one, so that its members reach the
    /// control socket but can list nothing), or checks the one that is there. What an earlier start has kept there as
    /// another user becomes `owner`'s, file by file.
    ///
    /// # Errors
    /// It cannot be made, is no directory, strangers may write to it, it is a stranger's, a daemon works with it as another user, or
    /// it cannot be given away.
    pub fn prepare(path: &Path, owner: Owner) -> Result<Self, Unusable> {
        let shown = path.display();
        make(path).map_err(|error| format!("state_dir {shown} cannot be made: {error}; make it, or set [node] state_dir"))?;
        let cannot = |error: io::Error| format!("state_dir {shown} cannot be read: {error}");
        // From here on it is this directory, whatever becomes of its name.
        let directory = OpenOptions::new().read(true).custom_flags(nix::libc::O_DIRECTORY).open(path).map_err(cannot)?;
        let metadata = directory.metadata().map_err(cannot)?;
        if metadata.mode() & 0o022 != 0 {
            return Err(format!("state_dir {shown} can be written by others; run chmod 700 {shown}").into());
        }
        if !owner.may_follow(metadata.uid()) {
            return Err(format!(
                "state_dir {shown} belongs to another user ({}); run chown -R {} {shown}, or set [node] state_dir",
                owner::name_of(metadata.uid()),
                owner.name()
            )
            .into());
        }
        let mut state = Self { path: path.into(), group: owner::group(), owner };
        state.take_over(&directory, metadata.uid())?;
        state.open_to_group(&directory);
        Ok(state)
    }

    /// The directory as it is, for a command beside the daemon: what is done there is done as whoever owns it.
    ///
    /// # Errors
    /// As [`StateDir::prepare`].
    pub fn as_it_is(config: &Config) -> Result<Self, Unusable> {
        let path = &config.node.state_dir;
        let oneself = Owner::oneself();
        let owner = std::fs::metadata(path).ok().map(|found| Owner::of(found.uid(), found.gid()));
        let may_be = |owner: &Owner| oneself.may_follow(owner.user().user) || owner.is_named(config.node.user.as_ref());
        Self::prepare(path, owner.filter(may_be).unwrap_or(oneself))
    }

    /// Does `work` with the rights to files that the daemon will have.
    ///
    /// # Errors
    /// What `work` says; or these rights cannot be taken, and nothing was done.
    pub fn as_owner<T, E: std::fmt::Display>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
        self.owner.files(work).map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// The same if `path` leads through this directory, by whatever name; a file elsewhere is the operator's.
    ///
    /// # Errors
    /// As for [`StateDir::as_owner`].
    pub fn as_owner_of<T, E: std::fmt::Display>(&self, path: &Path, work: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
        let identity = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        let own = identity(&self.path);
        let is_in = path.ancestors().any(|step| step == self.path || (own.is_some() && identity(step) == own));
        if is_in { self.as_owner(work) } else { work().map_err(|error| error.to_string()) }
    }

    /// Gives what `before` owned here to the owner. Each file is looked at, and changed, by a descriptor of the very file and not by its
    /// name, so that nobody can put another one in its place; one that has a second name somewhere is left alone, for that
    /// may be anybody's. The directory itself comes last: a start that is broken off here is repeated by the next one.
    fn take_over(&self, directory: &File, before: u32) -> Result<(), Unusable> {
        let user = self.owner.user();
        if before == user.user || !nix::unistd::geteuid().is_root() {
            return Ok(());
        }
        let shown = self.path.display();
        let _nobody_else = self.lock(directory)?;
        let names = self.own_files()?;
        self.try_giving(directory)?;
        for name in names {
            self.give(directory, &name, before)?;
        }
        fchown(directory, Some(Uid::from_raw(user.user)), Some(self.files_group()))
            .map_err(|errno| self.not_given(errno.into()))?;
        tracing::info!(user = self.owner.name(), "what {} kept in {shown} is the daemon's user's now", owner::name_of(before));
        Ok(())
    }

    fn files_group(&self) -> Gid {
        Gid::from_raw(self.group.unwrap_or(self.owner.user().group))
    }

    /// Gives one file away, unless it is none of the daemon's: a link, another user's, one with a second name, or one that the system
    /// holds fast (mounted there on its own to be read only, or made immutable), which is then told.
    fn give(&self, directory: &File, name: &OsStr, before: u32) -> Result<(), Unusable> {
        let user = self.owner.user();
        let cannot =
            |error: io::Error| Unusable::Wrong(format!("{} cannot be looked at: {error}", self.path.join(name).display()));
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = File::from(openat(directory, name, flags, Mode::empty()).map_err(|errno| cannot(errno.into()))?);
        let metadata = file.metadata().map_err(cannot)?;
        if metadata.is_symlink() && user.user == 0 {
            return Err(Unusable::Wrong(format!(
                "{0} is a link, which root must not follow where `{1}` could make it; look where it leads, and remove it: rm {0}",
                self.path.join(name).display(),
                owner::name_of(before)
            )));
        }
        if !metadata.is_file() || metadata.uid() != before {
            return Ok(());
        }
        let name = name.display().to_string();
        if metadata.nlink() != 1 {
            tracing::warn!(name, "a file in state_dir has a second name, so it stays whose it is");
            return Ok(());
        }
        let uid = Uid::from_raw(user.user);
        match fchownat(file.as_fd(), "", Some(uid), Some(self.files_group()), AtFlags::AT_EMPTY_PATH) {
            Err(errno @ (Errno::EROFS | Errno::EPERM)) => {
                let user = self.owner.name();
                tracing::warn!(name, %errno, "a file in state_dir cannot be given to user {user}, so it stays whose it is");
                Ok(())
            }
            given => given.map_err(|errno| self.not_given(errno.into())),
        }
    }

    /// Can anything be given away here? Tried with a file of no meaning, before anything else is changed: some file systems refuse, and
    /// some say yes and do nothing.
    fn try_giving(&self, directory: &File) -> Result<(), Unusable> {
        let remove = || unlinkat(directory, OWNER_PROBE, UnlinkatFlags::NoRemoveDir);
        let _there_is_none = remove();
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let shown = self.path.display();
        let made = openat(directory, OWNER_PROBE, flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(|errno| {
            format!("state_dir {shown} cannot be written: {}; mend that, or set [node] state_dir elsewhere", errno.desc())
        })?;
        let (file, uid) = (File::from(made), Uid::from_raw(self.owner.user().user));
        let given = fchown(&file, Some(uid), Some(self.files_group())).map_err(io::Error::from);
        let owner = given.and_then(|()| file.metadata()).map(|found| found.uid());
        let _ = remove();
        match owner {
            Ok(owner) if owner == uid.as_raw() => Ok(()),
            Ok(_) => Err(self.not_given(io::Error::other("its file system has no owners"))),
            Err(error) => Err(self.not_given(error)),
        }
    }

    fn not_given(&self, error: io::Error) -> Unusable {
        let (shown, name) = (self.path.display(), self.owner.name());
        Unusable::NotGiven(format!(
            "state_dir {shown} cannot be given to user `{name}` ({error}); put it on a file system that has owners, run chown -R {name} {shown} from \
             where that is possible, or mount it as that user's"
        ))
    }

    /// The names of what a daemon keeps here; whatever else is here stays whose it is. A directory that holds other things and no
    /// identity is not a daemon's: a slip in the configuration must not give `/etc` away.
    fn own_files(&self) -> Result<Vec<OsString>, String> {
        let shown = self.path.display();
        let entries = std::fs::read_dir(&self.path).and_then(|entries| {
            entries.take(FILES_MAX + 1).map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()
        });
        let names = entries.map_err(|error| format!("state_dir {shown} cannot be read: {error}"))?;
        if names.len() > FILES_MAX {
            return Err(format!("state_dir {shown} holds more than {FILES_MAX} files; give the daemon a directory of its own"));
        }
        let is_known = names.iter().any(|name| name == IDENTITY_FILE);
        let (own, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_own(name));
        match others.first() {
            Some(other) if !is_known => Err(format!(
                "state_dir {shown} holds other things ({}) and no {IDENTITY_FILE}: it is not a daemon's; give the daemon a directory of its own",
                other.display()
            )),
            _ => Ok(own),
        }
    }

    /// Nobody works with it: a daemon that does would lose its files.
    fn lock(&self, directory: &File) -> Result<Option<File>, String> {
        let name = crate::config::CONTROL_SOCKET.to_owned() + honeymesh_api::LOCK_SUFFIX;
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let Ok(file) = openat(directory, name.as_str(), flags, Mode::empty()).map(File::from) else { return Ok(None) };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                Err(honeymesh_api::ControlError::Live(self.path.join(crate::config::CONTROL_SOCKET)).to_string())
            }
            _ => Ok(Some(file)),
        }
    }

    /// Lets the group in, if there is one. Where nothing can be given to it, it is kept out, of the control socket too, which is safe.
    fn open_to_group(&mut self, directory: &File) {
        let Some(group) = self.group else { return };
        match fchown(directory, None, Some(Gid::from_raw(group))) {
            Ok(()) => drop(directory.set_permissions(std::fs::Permissions::from_mode(0o710))),
            Err(errno) => {
                let name = owner::NAME;
                tracing::warn!(%errno, "state_dir cannot be given to the group `{name}`, so its members cannot use the control socket");
                self.group = None;
            }
        }
    }

    /// The group whose members may use the control socket, if there is one.
    #[must_use]
    pub const fn group(&self) -> Option<u32> {
        self.group
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
        self.as_owner(|| match path.try_exists() {
            Ok(true) => read_seed(&path),
            Ok(false) => Self::new_identity(&path),
            Err(error) => Err(format!("identity {} cannot be read: {error}", path.display())),
        })
    }

    fn new_identity(path: &Path) -> Result<Seed, String> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        getrandom::fill(&mut *seed).map_err(|error| format!("the kernel gives no random bytes: {error}"))?;
        let text = Zeroizing::new(hex(&*seed) + "\n");
        create_secret(path, text.as_bytes())
            .map_err(|error| format!("identity {} cannot be written: {error}", path.display()))?;
        Ok(seed)
    }
}

/// Is it the name of something that a daemon keeps? Keys of clusters and the configuration are an operator's, wherever they are.
fn is_own(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let begins = ["honeymesh.db", "honeymesh.sock", "api.", "traps.", "traps-"];
    name == IDENTITY_FILE || name.ends_with(".certificate") || begins.iter().any(|begin| name.starts_with(begin))
}

/// Makes the directory, closed to others, and what is missing on the way to it so that it can be passed.
fn make(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().mode(0o711).recursive(true).create(parent)?;
    }
    DirBuilder::new().mode(0o700).recursive(true).create(path)
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
        let state = StateDir::prepare(&parent.path().join("a/state"), Owner::oneself()).unwrap();
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
        assert!(StateDir::prepare(&state.path, Owner::oneself()).unwrap_err().to_string().contains("chmod 700"));
        let file = state.file("file");
        std::fs::write(&file, "x").unwrap();
        assert!(StateDir::prepare(&file, Owner::oneself()).is_err());
    }

    #[test]
    fn a_secret_is_never_overwritten() {
        let (_parent, state) = dir();
        let file = state.file("key");
        create_secret(&file, b"one").unwrap();
        assert!(create_secret(&file, b"two").is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"one");
    }

    fn other(user: u32) -> Owner {
        Owner::of(user, user)
    }

    /// A directory that root has kept until now, reachable for others.
    fn of_root() -> Option<(tempfile::TempDir, PathBuf)> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: needs root to give files away");
            return None;
        }
        let parent = tempfile::tempdir().unwrap();
        std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let path = parent.path().join("state");
        StateDir::prepare(&path, Owner::oneself()).unwrap().identity().unwrap();
        Some((parent, path))
    }

    fn uid(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().uid()
    }

    #[test]
    fn what_root_has_kept_becomes_the_users_and_back_and_nothing_is_lost() {
        let Some((_parent, path)) = of_root() else { return };
        let seed = std::fs::read(path.join(IDENTITY_FILE)).unwrap();
        for user in [owner::NUMBER, 0, owner::NUMBER] {
            let state = StateDir::prepare(&path, other(user)).unwrap();
            assert_eq!([uid(&path), uid(&path.join(IDENTITY_FILE))], [user; 2]);
            state.identity().unwrap();
            assert_eq!(std::fs::read(path.join(IDENTITY_FILE)).unwrap(), seed);
            assert!(matches!(mode(&path), 0o700 | 0o710));
        }
        StateDir::prepare(&path, other(12_345)).unwrap();
        // Only root's and the usual users' directories are taken over.
        let error = StateDir::prepare(&path, other(owner::NUMBER)).unwrap_err().to_string();
        assert!(error.contains("belongs to another user (12345); run chown -R"), "{error}");
    }

    #[test]
    fn links_and_files_with_a_second_name_are_not_given_away() {
        let Some((parent, path)) = of_root() else { return };
        let (secret, linked) = (parent.path().join("secret"), parent.path().join("linked"));
        for file in [&secret, &linked] {
            std::fs::write(file, "root's").unwrap();
        }
        std::os::unix::fs::symlink(&secret, path.join("api.key")).unwrap();
        std::fs::hard_link(&linked, path.join("traps.pem")).unwrap();
        std::fs::create_dir(path.join("directory")).unwrap();
        std::fs::write(path.join("directory/file"), "root's").unwrap();
        StateDir::prepare(&path, other(owner::NUMBER)).unwrap();
        assert_eq!(uid(&path.join(IDENTITY_FILE)), owner::NUMBER);
        for left in [&secret, &linked, &path.join("traps.pem"), &path.join("directory"), &path.join("directory/file")] {
            assert_eq!(uid(left), 0, "{}", left.display());
        }
        // In the user's own directory nothing is taken over any more, whatever the user puts there.
        std::fs::write(path.join("late"), "root's").unwrap();
        let state = StateDir::prepare(&path, other(owner::NUMBER)).unwrap();
        assert_eq!(uid(&path.join("late")), 0);
        // Root follows no link back.
        let error = StateDir::prepare(&path, other(0)).unwrap_err().to_string();
        assert!(error.contains("api.key is a link") && error.contains("remove it: rm"), "{error}");
        // And a link in the place of a file of the daemon leads nowhere, good as what it leads to would be.
        std::fs::write(&secret, hex(&[7; SEED_BYTES])).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::remove_file(path.join(IDENTITY_FILE)).unwrap();
        std::os::unix::fs::symlink(&secret, path.join(IDENTITY_FILE)).unwrap();
        assert!(read_seed(&secret).is_ok() && state.identity().is_err());
        std::fs::remove_file(path.join(IDENTITY_FILE)).unwrap();
        std::os::unix::fs::symlink(parent.path().join("made"), path.join(IDENTITY_FILE)).unwrap();
        assert!(state.identity().is_err() && !parent.path().join("made").exists());
    }

    #[test]
    fn what_is_no_daemons_is_not_given_away() {
        let Some((parent, path)) = of_root() else { return };
        let other_place = parent.path().join("etc");
        std::fs::create_dir(&other_place).unwrap();
        std::fs::write(other_place.join("passwd"), "root's").unwrap();
        let error = StateDir::prepare(&other_place, other(owner::NUMBER)).unwrap_err().to_string();
        assert!(error.contains("holds other things (passwd)") && error.contains("a directory of its own"), "{error}");
        assert_eq!([uid(&other_place), uid(&other_place.join("passwd"))], [0; 2]);
        for name in ["honeymesh.toml", "mesh.key"] {
            std::fs::write(path.join(name), "an operator's").unwrap();
        }
        StateDir::prepare(&path, other(owner::NUMBER)).unwrap();
        assert_eq!(uid(&path.join(IDENTITY_FILE)), owner::NUMBER);
        assert_eq!([uid(&path.join("honeymesh.toml")), uid(&path.join("mesh.key"))], [0; 2]);
    }

    #[test]
    fn where_nothing_can_be_given_away_nothing_is_and_that_is_told_with_the_mend() {
        let Some((_parent, path)) = of_root() else { return };
        let prepared = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                caps::drop(None, caps::CapSet::Effective, caps::Capability::CAP_CHOWN).unwrap();
                StateDir::prepare(&path, other(owner::NUMBER))
            });
            thread.join().unwrap()
        });
        let Err(Unusable::NotGiven(words)) = prepared else { panic!("{prepared:?}") };
        assert!(words.contains("cannot be given to user") && words.contains("chown -R"), "{words}");
        assert_eq!([uid(&path), uid(&path.join(IDENTITY_FILE))], [0; 2]);
        assert!(!path.join(OWNER_PROBE).exists());
        StateDir::prepare(&path, Owner::oneself()).unwrap().identity().unwrap();
    }

    #[test]
    fn a_file_that_is_mounted_to_be_read_only_stays_whose_it_is_and_the_rest_is_given() {
        use nix::{
            mount::{MsFlags, mount},
            sched::{CloneFlags, unshare},
        };
        let Some((_parent, path)) = of_root() else { return };
        let token = path.join("api.token");
        std::fs::write(&token, "an operator's").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // Mounts of this thread alone, which end with it.
                unshare(CloneFlags::CLONE_NEWNS).unwrap();
                let none = None::<&str>;
                mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
                mount(Some(&token), &token, none, MsFlags::MS_BIND, none).unwrap();
                let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
                mount(none, &token, none, read_only, none).unwrap();
                StateDir::prepare(&path, other(owner::NUMBER)).unwrap().identity().unwrap();
            });
        });
        assert_eq!([uid(&path), uid(&path.join(IDENTITY_FILE)), uid(&token)], [owner::NUMBER, owner::NUMBER, 0]);
    }

    #[test]
    fn a_directory_that_a_daemon_works_with_is_not_taken_from_it() {
        let Some((_parent, path)) = of_root() else { return };
        let lock = File::create(path.join("honeymesh.sock.lock")).unwrap();
        lock.try_lock().unwrap();
        let error = StateDir::prepare(&path, other(owner::NUMBER)).unwrap_err().to_string();
        assert!(error.starts_with("another daemon already listens at "), "{error}");
        assert_eq!(uid(&path.join(IDENTITY_FILE)), 0);
        drop(lock);
        StateDir::prepare(&path, other(owner::NUMBER)).unwrap();
    }
}
