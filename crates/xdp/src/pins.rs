//! The directory on the BPF file system: mounted if need be, locked, and laid out by version.
//!
//! `<pin_dir>/v<VERSION>/maps/<table>`, `<pin_dir>/v<VERSION>/links/<interface index>_<mode>` and
//! `<pin_dir>/v<VERSION>/steering/<interface index>`. Names have no dots,
//! which that file system does not allow, so an interface is named by its index.

use crate::{
    AttachMode, Error,
    link::{Link, Seat},
};
use honeymesh_xdp_abi::VERSION;
use nix::{
    fcntl::{Flock, FlockArg},
    mount::{MsFlags, mount},
    sys::{
        stat::{major, minor},
        statfs::{BPF_FS_MAGIC, statfs},
    },
};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Where everybody expects the BPF file system.
const BPFFS: &str = "/sys/fs/bpf";
/// Below a version's directory: links of the first program ...
const LINKS: &str = "links";
/// ... and of the second.
const STEERING: &str = "steering";

/// The pin directory, locked for this process as long as this value lives.
#[derive(Debug)]
pub(crate) struct Pins {
    base: PathBuf,
    _lock: Flock<File>,
}

/// A link pinned by an earlier start, of this or another version.
#[derive(Debug)]
pub(crate) struct LinkPin {
    pub(crate) path: PathBuf,
    pub(crate) index: u32,
    pub(crate) mode: AttachMode,
}

/// A link of the second program, pinned by an earlier start, of this or another version.
#[derive(Debug)]
pub(crate) struct SteeringPin {
    pub(crate) path: PathBuf,
    pub(crate) index: u32,
}

impl Pins {
    /// Opens `base`, mounting the file system and making the directories that are missing.
    pub(crate) fn open(base: &Path) -> Result<Self, Error> {
        ensure_bpffs(base)?;
        make(base)?;
        let pins = Self { base: base.to_owned(), _lock: lock(base)? };
        make(&pins.maps())?;
        make(&pins.links())?;
        make(&pins.steerings())?;
        Ok(pins)
    }

    /// Opens `base` if it is there, with what an earlier start of whatever version has left; mounts and makes nothing.
    pub(crate) fn existing(base: &Path) -> Result<Option<Self>, Error> {
        if !is_bpffs(base) || !base.is_dir() {
            return Ok(None);
        }
        Ok(Some(Self { base: base.to_owned(), _lock: lock(base)? }))
    }

    /// Where everything of this version is pinned.
    pub(crate) fn version(&self) -> PathBuf {
        self.base.join(format!("v{VERSION}"))
    }

    fn maps(&self) -> PathBuf {
        self.version().join("maps")
    }

    /// Where links are pinned.
    fn links(&self) -> PathBuf {
        self.version().join(LINKS)
    }

    fn steerings(&self) -> PathBuf {
        self.version().join(STEERING)
    }

    /// Every pinned link of the second program, of every version.
    pub(crate) fn all_steering(&self) -> Vec<SteeringPin> {
        let links = self.versions().into_iter().flat_map(|version| children(&version.join(STEERING)));
        links.filter_map(SteeringPin::at).collect()
    }

    pub(crate) fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    /// Where a link is pinned.
    pub(crate) fn link(&self, link: &Link) -> PathBuf {
        place(&self.version(), link)
    }

    /// Every pinned link, of every version.
    pub(crate) fn all_links(&self) -> Vec<LinkPin> {
        let links = self.versions().into_iter().flat_map(|version| children(&version.join(LINKS)));
        links.filter_map(LinkPin::at).collect()
    }

    /// The newest version but this one that has pinned anything.
    pub(crate) fn other_version(&self) -> Option<u32> {
        self.versions().iter().filter_map(|path| number(path)).filter(|version| *version != VERSION).max()
    }

    /// Removes what other versions have pinned. Their links must have been taken over before.
    pub(crate) fn remove_other_versions(&self) {
        for other in self.versions().into_iter().filter(|path| *path != self.version()) {
            if let Err(error) = remove_tree(&other) {
                tracing::warn!(%error, "another version's pins stay");
            }
        }
    }

    /// Removes every pin and directory of ours. The base stays if it is a mount or somebody else uses it too.
    pub(crate) fn remove(self) -> Result<(), Error> {
        self.versions().iter().try_for_each(|version| remove_tree(version))
    }

    /// The directories that some version of this program has made.
    pub(crate) fn versions(&self) -> Vec<PathBuf> {
        children(&self.base).into_iter().filter(|path| is_version(path)).collect()
    }
}

/// Directories that hold nothing go: those of a start that failed.
impl Drop for Pins {
    fn drop(&mut self) {
        for directory in [self.links(), self.steerings(), self.maps(), self.version(), self.base.clone()] {
            let _in_use = fs::remove_dir(directory);
        }
    }
}

impl SteeringPin {
    fn at(path: PathBuf) -> Option<Self> {
        let index = path.file_name()?.to_str()?.parse().ok()?;
        Some(Self { path, index })
    }
}

impl LinkPin {
    fn at(path: PathBuf) -> Option<Self> {
        let (index, mode) = path.file_name()?.to_str()?.split_once('_')?;
        let index = index.parse().ok()?;
        let mode = [AttachMode::Native, AttachMode::Generic].into_iter().find(|known| known.as_str() == mode)?;
        Some(Self { path, index, mode })
    }
}

/// Where a link is pinned below a version's directory.
pub(crate) fn place(version: &Path, link: &Link) -> PathBuf {
    let index = link.interface().index;
    match link.seat() {
        Seat::Xdp(mode) => version.join(LINKS).join(format!("{index}_{mode}")),
        Seat::Tcx => version.join(STEERING).join(index.to_string()),
    }
}

/// The directories below a version's that links are pinned in.
pub(crate) fn places(version: &Path) -> [PathBuf; 2] {
    [LINKS, STEERING].map(|name| version.join(name))
}

/// Is it where some version pins what sits on an interface?
pub(crate) fn is_below_links(file: &Path) -> bool {
    file.components().any(|part| [LINKS, STEERING].iter().any(|name| part.as_os_str() == *name))
}

/// Removes a file below the pin directory; it may be gone already.
pub(crate) fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Pin { doing: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn remove_tree(path: &Path) -> Result<(), Error> {
    for child in children(path) {
        if child.is_dir() {
            remove_tree(&child)?;
        } else {
            remove_file(&child)?;
        }
    }
    match fs::remove_dir(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Pin { doing: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn is_version(path: &Path) -> bool {
    number(path).is_some()
}

/// The version whose directory this is.
fn number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix('v')?.parse().ok()
}

pub(crate) fn children(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten();
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

fn make(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Pin { doing: "make", path: path.to_owned(), source })
}

fn lock(base: &Path) -> Result<Flock<File>, Error> {
    let failed = |source| Error::Pin { doing: "lock", path: base.to_owned(), source };
    let directory = File::open(base).map_err(failed)?;
    Flock::lock(directory, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => Error::InUse { path: base.to_owned(), by: holder(base) },
        other => failed(other.into()),
    })
}

/// Who holds the lock on `base`, in words for a message: empty if that cannot be told.
fn holder(base: &Path) -> String {
    let Ok(metadata) = fs::metadata(base) else { return String::new() };
    let place = format!("{:02x}:{:02x}:{}", major(metadata.dev()), minor(metadata.dev()), metadata.ino());
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    let Some(pid) = locks.lines().find_map(|line| lock_of(line, &place)) else { return String::new() };
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).replace(|c: char| c.is_control(), " ");
    format!(" (process {pid}: `{}`)", words.trim())
}

/// The process of a line of `/proc/locks` (`1: FLOCK ADVISORY WRITE 708 00:13:7 0 EOF`), if it locks this device and inode.
fn lock_of(line: &str, place: &str) -> Option<u32> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, "FLOCK", _, _, pid, locked, ..] = fields.as_slice() else { return None };
    pid.parse().ok().filter(|_| *locked == place)
}

/// Is the nearest existing directory on a BPF file system?
fn is_bpffs(path: &Path) -> bool {
    let existing = path.ancestors().find(|path| path.exists());
    existing.and_then(|path| statfs(path).ok()).is_some_and(|found| found.filesystem_type() == BPF_FS_MAGIC)
}

/// Mounts a BPF file system where `base` needs one: for paths below `/sys/fs/bpf` there, else at `base` itself.
fn ensure_bpffs(base: &Path) -> Result<(), Error> {
    if is_bpffs(base) {
        return Ok(());
    }
    let root = if base.starts_with(BPFFS) { Path::new(BPFFS) } else { base };
    let failed = |source: io::Error| Error::Bpffs { path: root.to_owned(), source };
    fs::create_dir_all(root).map_err(failed)?;
    // Two starts at once must not mount one over the other: the first one's pins would be hidden. Both lock the
    // directory below the mount, and whoever comes second finds it mounted.
    let below = File::open(root).map_err(failed)?;
    let _lock = Flock::lock(below, FlockArg::LockExclusive).map_err(|(_, errno)| failed(errno.into()))?;
    if is_bpffs(base) {
        return Ok(());
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("bpf"), root, Some("bpf"), flags, Some("mode=0700")).map_err(|errno| failed(errno.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_version_made_is_ours() {
        let ours = |name: &str| is_version(&Path::new("/sys/fs/bpf/honeymesh").join(name));
        assert!(ours("v1") && ours("v20"));
        assert!(!ours("progs.debug") && !ours("v") && !ours("vlan") && !ours("1"));
    }

    #[test]
    fn a_lock_tells_its_process() {
        let of = |line: &str| lock_of(line, "00:13:77");
        assert_eq!(of("3: FLOCK  ADVISORY  WRITE 708 00:13:77 0 EOF"), Some(708));
        assert_eq!(of("3: FLOCK  ADVISORY  WRITE 708 00:14:77 0 EOF"), None);
        assert_eq!(of("3: -> FLOCK  ADVISORY  WRITE 709 00:13:77 0 EOF"), None, "it only waits");
        assert_eq!(of("3: POSIX  ADVISORY  WRITE 708 00:13:77 0 EOF"), None);
    }

    #[test]
    fn a_link_pin_tells_its_interface_and_mode() {
        let pin = |name: &str| LinkPin::at(PathBuf::from("/x").join(name)).map(|pin| (pin.index, pin.mode));
        assert_eq!(pin("7_native"), Some((7, AttachMode::Native)));
        assert_eq!(pin("70_generic"), Some((70, AttachMode::Generic)));
        assert_eq!([pin("7"), pin("x_native"), pin("7_offload"), pin("-1_native")], [None; 4]);
    }
}
