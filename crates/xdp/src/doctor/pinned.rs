//! What an earlier start has pinned, and who works with it.

use honeymesh_xdp_abi::VERSION;
use nix::sys::{
    stat::{major, minor, stat},
    statfs::{BPF_FS_MAGIC, statfs},
};
use std::{fs, path::Path};

/// What is in a pin directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinFacts {
    /// Can it be looked into? A directory that does not exist is empty.
    pub is_readable: bool,
    /// Is it, or would it be, on a BPF file system?
    pub is_bpffs: bool,
    /// The versions of the tables that something is pinned for, in order.
    pub versions: Vec<u32>,
    /// The version that this program works with.
    pub version: u32,
    /// Pinned links of all versions.
    pub links: usize,
    /// The process that holds the directory.
    pub holder: Option<u32>,
}

/// Looks at a pin directory, and changes nothing.
#[must_use]
pub fn pin_facts(dir: &Path) -> PinFacts {
    let existing = dir.ancestors().find(|path| path.exists());
    let is_bpffs = existing.and_then(|path| statfs(path).ok()).is_some_and(|found| found.filesystem_type() == BPF_FS_MAGIC);
    let mut facts = PinFacts { version: VERSION, is_bpffs, ..PinFacts::default() };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        // Below a directory that we may not enter, everything seems not to exist.
        Err(error) => return PinFacts { is_readable: error.kind() == std::io::ErrorKind::NotFound, ..facts },
    };
    facts.is_readable = true;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(version) = name.to_str().and_then(|name| name.strip_prefix('v')?.parse().ok()) else { continue };
        facts.versions.push(version);
        facts.links += fs::read_dir(entry.path().join("links")).into_iter().flatten().count();
    }
    facts.versions.sort_unstable();
    facts.holder = holder(dir);
    facts
}

/// Who has locked the directory: asked of the kernel's list, because a try to lock could disturb a start.
fn holder(dir: &Path) -> Option<u32> {
    let found = stat(dir).ok()?;
    let file = format!("{:02x}:{:02x}:{}", major(found.st_dev), minor(found.st_dev), found.st_ino);
    locked_by(&fs::read_to_string("/proc/locks").ok()?, &file)
}

/// Number, kind, advisory, access, process, device and inode, range.
fn locked_by(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields.as_slice() {
            [_, "FLOCK", _, _, process, place, ..] if *place == file => process.parse().ok(),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{Flock, FlockArg};

    #[test]
    fn the_process_that_holds_a_directory_is_found() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()), None);
        let _lock = Flock::lock(fs::File::open(dir.path()).unwrap(), FlockArg::LockExclusiveNonblock).unwrap();
        assert_eq!(holder(dir.path()), Some(std::process::id()));
    }

    #[test]
    fn versions_and_links_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["v2/links/7_native", "v10/links/8_generic", "v10/maps", "other"] {
            fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        let facts = pin_facts(dir.path());
        assert_eq!((facts.versions.as_slice(), facts.links, facts.is_bpffs), (&[2, 10][..], 2, false));
        assert!(pin_facts(&dir.path().join("none")).versions.is_empty());
    }
}
