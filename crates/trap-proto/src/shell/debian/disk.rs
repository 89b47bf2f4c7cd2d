//! What a stranger changed of the machine's files: those that he wrote, folders that he made, things that he took away. All channels of
//! his connection see it, and it is gone with the connection.

use crate::shell::paths::is_within as is_in;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Files that are kept, and what of each and of all, in bytes. Further files are forgotten; of what is not kept the length is known.
const FILES_MAX: usize = 16;
pub(crate) const FILE_BYTES_MAX: usize = 1_024;
const FILES_BYTES_MAX: usize = 3_072;
/// Folders that he made and are known; further ones are forgotten.
const MADE_MAX: usize = 16;
/// Things of the machine's that he took away; further ones stay.
const GONE_MAX: usize = 16;
/// Rights of a new file and of a new folder, as a umask of 022 leaves them.
const FILE_MODE: u16 = 0o644;
const FOLDER_MODE: u16 = 0o755;
/// Bits of a mode that run a file.
const RUNS: u16 = 0o111;

/// A file that somebody wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: String,
    /// Its beginning.
    pub(super) bytes: Vec<u8>,
    /// Its length, with what is not kept.
    pub(super) length: u64,
    /// Its rights: the last twelve bits.
    pub(super) mode: u16,
    /// When it was changed last, in seconds since 1970.
    pub(super) changed: u64,
    /// Somebody said when, to the second.
    pub(super) is_dated: bool,
    /// Where it leads, if it is a link: its content is a copy of what is there.
    pub(super) link: Option<String>,
}

/// A folder that somebody made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) path: String,
    pub(super) mode: u16,
    pub(super) changed: u64,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    made: Vec<Folder>,
    gone: Vec<String>,
    /// Seconds since 1970.
    pub(super) now: u64,
}

impl File {
    pub(super) const fn is_program(&self) -> bool {
        self.mode & RUNS != 0
    }

    /// How far back its bytes are all known.
    const fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.length
    }
}

impl Disk {
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn file_mut(&mut self, path: &str) -> Option<&mut File> {
        self.files.iter_mut().find(|file| file.path == path)
    }

    /// Writes a file, or more into it.
    pub(super) fn write(&mut self, path: &str, bytes: &[u8], length: u64, appends: bool) {
        let Some((room, file)) = self.opened(path) else { return };
        if !appends {
            file.bytes.clear();
            file.length = 0;
        }
        // What follows on something that is not kept is not kept either.
        let room = if file.is_whole() { room.saturating_sub(file.bytes.len()) } else { 0 };
        file.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        file.length = file.length.saturating_add(length);
    }

    /// Writes into a file from this place on. What nobody wrote before it is noughts.
    pub(super) fn write_at(&mut self, path: &str, offset: u64, bytes: &[u8]) {
        let Some((room, file)) = self.opened(path) else { return };
        if file.is_whole() && offset > file.length {
            let hole = usize::try_from(offset).unwrap_or(usize::MAX).min(room);
            file.bytes.resize(hole.max(file.bytes.len()), 0);
        }
        let kept = file.bytes.len();
        if let Some(at) = usize::try_from(offset).ok().filter(|at| *at <= kept) {
            let over = bytes.len().min(kept - at);
            file.bytes[at..at + over].copy_from_slice(&bytes[..over]);
            // Behind what is kept something may stand already that is not.
            let more = if file.length <= kept as u64 { bytes.len().min(room.saturating_sub(at)) } else { over };
            file.bytes.extend_from_slice(bytes.get(over..more).unwrap_or_default());
        }
        file.length = file.length.max(offset.saturating_add(bytes.len() as u64));
    }

    /// Gives a file this length; what is new of it is noughts.
    pub(super) fn resize(&mut self, path: &str, length: u64) {
        let Some((room, file)) = self.opened(path) else { return };
        let kept = usize::try_from(length).unwrap_or(usize::MAX);
        if kept < file.bytes.len() {
            file.bytes.truncate(kept);
        } else if file.is_whole() {
            file.bytes.resize(kept.min(room).max(file.bytes.len()), 0);
        }
        file.length = length;
    }

    /// The file that is written, new if there is none, and the bytes that may be kept of it.
    fn opened(&mut self, path: &str) -> Option<(usize, &mut File)> {
        self.bring_back(path);
        if self.file(path).is_none() {
            if self.files.len() >= FILES_MAX {
                return None;
            }
            self.files.push(File { path: path.to_string(), mode: FILE_MODE, ..File::default() });
        }
        let others: usize = self.files.iter().filter(|file| file.path != path).map(|file| file.bytes.len()).sum();
        let now = self.now;
        let file = self.file_mut(path)?;
        (file.changed, file.is_dated) = (now, false);
        Some((FILE_BYTES_MAX.min(FILES_BYTES_MAX.saturating_sub(others)), file))
    }

    /// Takes away a path and what is in it.
    pub(super) fn remove(&mut self, path: &str, was_there: bool) {
        self.files.retain(|file| !is_in(&file.path, path));
        if was_there && self.gone.len() < GONE_MAX && !self.is_gone(path) {
            self.gone.push(path.to_string());
        }
    }

    /// What was taken away is made anew.
    pub(super) fn bring_back(&mut self, path: &str) {
        self.gone.retain(|gone| gone != path);
    }

    pub(super) fn is_gone(&self, path: &str) -> bool {
        self.gone.iter().any(|gone| is_in(path, gone))
    }

    /// The files right in a folder.
    pub(super) fn files_in<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a File)> {
        self.files.iter().filter_map(move |file| Some((name_in(&file.path, folder)?, file)))
    }

    /// Remembers a folder that was made.
    pub(super) fn make(&mut self, path: String) {
        if self.made.len() < MADE_MAX && !self.has_made(&path) {
            self.made.push(Folder { path, mode: FOLDER_MODE, changed: self.now });
        }
    }

    /// Takes away a folder that was made, and what is in it.
    pub(super) fn unmake(&mut self, path: &str) {
        self.made.retain(|made| !is_in(&made.path, path));
    }

    pub(super) fn has_made(&self, path: &str) -> bool {
        self.made.iter().any(|made| made.path == path)
    }

    pub(super) fn folder_mut(&mut self, path: &str) -> Option<&mut Folder> {
        self.made.iter_mut().find(|made| made.path == path)
    }

    /// The folders that he made right in `folder`, and their names.
    pub(super) fn made_in<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a Folder)> {
        self.made.iter().filter_map(move |made| Some((name_in(&made.path, folder)?, made)))
    }

    pub(super) fn made(&self, path: &str) -> Option<&Folder> {
        self.made.iter().find(|made| made.path == path)
    }

    /// The longest path of what he made or wrote under this one, and of itself, in bytes.
    pub(super) fn longest_in(&self, path: &str) -> usize {
        let paths = self.files.iter().map(|file| &file.path).chain(self.made.iter().map(|made| &made.path));
        paths.filter(|inside| is_in(inside, path)).map(String::len).fold(path.len(), usize::max)
    }

    /// What he made or wrote under one name has another, with all that is in it.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let renamed = |path: &str| path.strip_prefix(from).map(|rest| format!("{to}{rest}"));
        for path in self.files.iter_mut().map(|file| &mut file.path).chain(self.made.iter_mut().map(|made| &mut made.path)) {
            if let Some(new) = Some(&*path).filter(|path| is_in(path, from)).and_then(|path| renamed(path)) {
                *path = new;
            }
        }
        self.bring_back(to);
    }
}

/// The name of what lies right in a folder.
fn name_in<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let name = path.strip_prefix(folder.trim_end_matches('/'))?.strip_prefix('/')?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let mut disk = Disk::default();
        for number in 0..40 {
            disk.write(&format!("/tmp/{number}"), &[b'x'; 5_000], 5_000, false);
            disk.write("/tmp/0", b"more", 4, true);
            disk.write_at("/tmp/1", 900, &[b'y'; 5_000]);
            disk.resize("/tmp/2", u64::MAX);
            disk.remove(&format!("/etc/{number}"), true);
            disk.make(format!("/srv/{number}"));
        }
        assert_eq!((disk.files.len(), disk.gone.len()), (FILES_MAX, GONE_MAX));
        assert_eq!(disk.files.iter().map(|file| file.bytes.len()).sum::<usize>(), FILES_BYTES_MAX);
        assert_eq!((disk.file("/tmp/0").unwrap().bytes.len(), disk.file("/tmp/0").unwrap().length), (FILE_BYTES_MAX, 5_160));
        assert_eq!((disk.made_in("/srv").count(), disk.made_in("/").count()), (MADE_MAX, 0));
    }

    #[test]
    fn what_is_taken_away_takes_what_is_in_it_along() {
        let mut disk = Disk::default();
        disk.write("/root/.ssh/a", b"1", 1, false);
        disk.write("/root/.sshx", b"2", 1, false);
        disk.remove("/root/.ssh", true);
        assert!(disk.file("/root/.ssh/a").is_none() && disk.file("/root/.sshx").is_some());
        assert!(disk.is_gone("/root/.ssh/authorized_keys") && !disk.is_gone("/root/.sshx"));
        disk.bring_back("/root/.ssh");
        assert!(!disk.is_gone("/root/.ssh"));
    }

    /// Against a file that is kept whole.
    #[test]
    fn pieces_stand_where_they_were_written_in_whatever_order_they_came() {
        let pieces: [&[(u64, &[u8])]; 6] = [
            &[(0, b"abc"), (3, b"def")],
            &[(3, b"def"), (0, b"abc")],
            &[(10, b"x"), (0, b"abcdefghijk"), (2, b"ZZ")],
            &[(2_000, b"far"), (0, &[b'a'; 1_500]), (1_020, &[b'b'; 40])],
            &[(1_023, b"12"), (1_000, &[b'c'; 30])],
            &[(0, &[b'a'; 1_024]), (1_024, b"more"), (1_022, b"over")],
        ];
        for pieces in pieces {
            let (mut disk, mut whole) = (Disk::default(), Vec::new());
            for (at, bytes) in pieces {
                disk.write_at("/tmp/a", *at, bytes);
                let at = usize::try_from(*at).unwrap();
                whole.resize(whole.len().max(at + bytes.len()), 0);
                whole[at..at + bytes.len()].copy_from_slice(bytes);
            }
            let file = disk.file("/tmp/a").unwrap();
            assert_eq!((file.length, file.bytes.as_slice()), (whole.len() as u64, &whole[..whole.len().min(FILE_BYTES_MAX)]));
            disk.resize("/tmp/a", 2);
            disk.resize("/tmp/a", 6);
            assert_eq!(disk.file("/tmp/a").unwrap().bytes, [&whole[..2], &[0; 4]].concat());
        }
    }

    #[test]
    fn a_folder_takes_what_is_in_it_along_to_its_new_name() {
        let mut disk = Disk::default();
        disk.make("/tmp/a".into());
        disk.make("/tmp/a/b".into());
        disk.write("/tmp/a/b/c", b"1", 1, false);
        disk.write("/tmp/ab", b"2", 1, false);
        disk.rename("/tmp/a", "/tmp/z");
        assert!(disk.has_made("/tmp/z/b") && disk.file("/tmp/z/b/c").is_some() && disk.file("/tmp/ab").is_some());
    }
}
