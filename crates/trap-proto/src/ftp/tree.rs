//! The files and folders that one session sees: two that were there, and what it has made itself. Names and lengths; no contents.

use crate::calendar::Moment;
use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use honeymesh_types::WallTime;

/// Files and folders of one session; beyond that nothing can be made, as where a quota is used up.
const ENTRIES_MAX: usize = 64;
/// The longest name of one, in bytes: the file system's own limit.
const NAME_BYTES_MAX: usize = 255;
/// The longest path that is looked at, in bytes; no longer one can be.
pub(super) const PATH_BYTES_MAX: usize = 1_024;
/// What all paths together may hold, in bytes.
const PATHS_BYTES_MAX: usize = 16 * 1_024;

const MICROS_PER_SECOND: u64 = 1_000_000;
const SECONDS_PER_DAY: u64 = 86_400;
/// How old a file is of which the year is shown instead of the time, in seconds.
const OLD_SECONDS: u64 = 182 * SECONDS_PER_DAY;
/// A folder that a session makes is for its owner alone: vsftpd's mask.
const PRIVATE_FOLDER: &str = "drwx------";
/// What a folder's length is shown as.
const FOLDER_BYTES: u64 = 4_096;

/// What patterns of one listing may cost, in bytes of names times bytes of the pattern; what comes beyond does not fit.
const PATTERN_STEPS_MAX: usize = 32 * 1_024;
/// How wide an owner's number stands.
const OWNER_WIDTH: usize = 8;

/// Whose a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) user: u16,
    pub(super) group: u16,
}

const ROOT: Owner = Owner { user: 0, group: 0 };

#[derive(Clone, Debug)]
struct Entry {
    /// `None`: a folder.
    bytes: Option<u64>,
    permissions: &'static str,
    owner: Owner,
    /// In seconds since 1970.
    made: u64,
}

/// What is there.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// By path from the root on, without its slash.
    entries: BTreeMap<Vec<u8>, Entry>,
    /// Where the session is.
    at: Vec<u8>,
    paths_bytes: usize,
    owner: Owner,
    /// Whose the root is: vsftpd lets the nameless into none that they may write to.
    root: Owner,
}

impl Tree {
    /// An upload folder and one to look at, made by the operator when the machine was set up.
    pub(super) fn new(owner: Owner, is_anonymous: bool, made: u64) -> Self {
        let folder = |permissions, owner| Entry { bytes: None, permissions, owner, made };
        let root = if is_anonymous { ROOT } else { owner };
        let mut tree = Self { entries: BTreeMap::new(), at: Vec::new(), paths_bytes: 0, owner, root };
        tree.put(b"incoming".to_vec(), folder("drwxrwxrwx", owner));
        tree.put(b"pub".to_vec(), folder("drwxr-xr-x", ROOT));
        tree
    }

    fn put(&mut self, path: Vec<u8>, entry: Entry) -> bool {
        let is_new = !self.entries.contains_key(&path);
        if is_new && (self.entries.len() >= ENTRIES_MAX || self.paths_bytes + path.len() > PATHS_BYTES_MAX) {
            return false;
        }
        self.paths_bytes += if is_new { path.len() } else { 0 };
        self.entries.insert(path, entry);
        true
    }

    fn take(&mut self, path: &[u8]) -> Option<Entry> {
        let entry = self.entries.remove(path)?;
        self.paths_bytes -= path.len();
        Some(entry)
    }

    /// A path as it is shown.
    pub(super) fn shown(path: &[u8]) -> Vec<u8> {
        [b"/", path].concat()
    }

    /// Where the session is.
    pub(super) fn here(&self) -> &[u8] {
        &self.at
    }

    fn is_folder(&self, path: &[u8]) -> bool {
        path.is_empty() || self.entries.get(path).is_some_and(|entry| entry.bytes.is_none())
    }

    /// A file's length.
    pub(super) fn file(&self, path: &[u8]) -> Option<u64> {
        self.entries.get(path).and_then(|entry| entry.bytes)
    }

    /// Is there a folder under this name?
    pub(super) fn is_there(&self, name: &[u8]) -> bool {
        self.resolve(name).is_some_and(|path| self.is_folder(&path))
    }

    fn exists(&self, path: &[u8]) -> bool {
        path.is_empty() || self.entries.contains_key(path)
    }

    /// The path that `name` means from here: each part of it but the last must be a folder.
    pub(super) fn resolve(&self, name: &[u8]) -> Option<Vec<u8>> {
        if name.is_empty() || name.len() > PATH_BYTES_MAX {
            return None;
        }
        // The home directory is the root.
        let name = match name {
            [b'~'] => b"/",
            [b'~', b'/', ..] => &name[1..],
            name => name,
        };
        let mut path = if name[0] == b'/' { Vec::new() } else { self.at.clone() };
        for part in name.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            if !self.is_folder(&path) || part.len() > NAME_BYTES_MAX {
                return None;
            }
            match part {
                b"." => {}
                b".." => path.truncate(path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)),
                part => {
                    if !path.is_empty() {
                        path.push(b'/');
                    }
                    path.extend_from_slice(part);
                }
            }
        }
        (path.len() <= PATH_BYTES_MAX).then_some(path)
    }

    /// Goes elsewhere.
    pub(super) fn enter(&mut self, name: &[u8]) -> bool {
        let Some(path) = self.resolve(name).filter(|path| self.is_folder(path)) else { return false };
        self.at = path;
        true
    }

    /// Makes a folder, and gives its path.
    pub(super) fn make_folder(&mut self, name: &[u8], now: WallTime) -> Option<Vec<u8>> {
        let path = self.resolve(name).filter(|path| !self.exists(path) && self.may_change(path))?;
        let entry = Entry { bytes: None, permissions: PRIVATE_FOLDER, owner: self.owner, made: now.0 / MICROS_PER_SECOND };
        self.put(path.clone(), entry).then_some(path)
    }

    /// Where a file can be written: its path.
    pub(super) fn writable(&self, name: &[u8]) -> Option<Vec<u8>> {
        let path = self.resolve(name).filter(|path| !self.is_folder(path) && self.may_change(path))?;
        let has_room = self.entries.contains_key(&path)
            || self.entries.len() < ENTRIES_MAX && self.paths_bytes + path.len() <= PATHS_BYTES_MAX;
        has_room.then_some(path)
    }

    /// A file is so long now.
    pub(super) fn write(&mut self, path: &[u8], bytes: u64, now: WallTime) {
        let entry = Entry { bytes: Some(bytes), permissions: "-rw-------", owner: self.owner, made: now.0 / MICROS_PER_SECOND };
        self.put(path.to_vec(), entry);
    }

    /// Nothing is changed in a folder that belongs to root.
    fn may_change(&self, path: &[u8]) -> bool {
        let owner = self.entries.get(parent(path)).map_or(self.root, |folder| folder.owner);
        !path.is_empty() && owner == self.owner
    }

    /// Takes a file away.
    pub(super) fn remove_file(&mut self, name: &[u8]) -> bool {
        let path = self.resolve(name).filter(|path| self.file(path).is_some() && self.may_change(path));
        path.is_some_and(|path| self.take(&path).is_some())
    }

    /// Takes an empty folder away.
    pub(super) fn remove_folder(&mut self, name: &[u8]) -> bool {
        let Some(path) = self.resolve(name).filter(|path| self.is_folder(path) && self.may_change(path)) else { return false };
        let is_empty = self.inside(&path).next().is_none();
        // Where one stands one may stand no longer: the session stays in the root then.
        if is_empty && self.at == path {
            self.at.clear();
        }
        is_empty && self.take(&path).is_some()
    }

    /// What is there under this name, if anything is.
    pub(super) fn found(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.resolve(name).filter(|path| self.exists(path))
    }

    /// Gives a file another name. Folders stay where they are if something is in them.
    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) -> bool {
        let Some(to) = self.resolve(to).filter(|to| self.may_change(to) && !self.is_folder(to)) else { return false };
        if !self.may_change(from)
            || self.inside(from).next().is_some()
            || self.at.starts_with(from) && !from.is_empty() && self.is_folder(from)
        {
            return false;
        }
        let Some(entry) = self.take(from) else { return false };
        let before = self.take(&to);
        if self.put(to.clone(), entry.clone()) {
            return true;
        }
        // There is always room for what was there before.
        if let Some(before) = before {
            self.put(to, before);
        }
        self.put(from.to_vec(), entry);
        false
    }

    /// When a file was written, as `MDTM` tells it.
    pub(super) fn written(&self, path: &[u8]) -> Option<String> {
        let entry = self.entries.get(path).filter(|entry| entry.bytes.is_some())?;
        let Moment { year, month, day, hour, minute, second, .. } = Moment::of(entry.made);
        Some(format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}"))
    }

    /// What lies in a folder: the last part of each path, and what it is. What lies deeper stands between.
    fn inside<'a>(&'a self, folder: &[u8]) -> impl Iterator<Item = (&'a [u8], &'a Entry)> {
        let mut begin = folder.to_vec();
        if !folder.is_empty() {
            begin.push(b'/');
        }
        let length = begin.len();
        let all = self.entries.range(begin.clone()..).take_while(move |(path, _)| path.starts_with(&begin));
        all.filter_map(move |(path, entry)| {
            let name = &path[length..];
            (!name.contains(&b'/')).then_some((name, entry))
        })
    }

    /// A listing, or the names alone. `None`: there is no such folder, or whoever is nobody may not look into it.
    pub(super) fn list(&self, wanted: &Listing<'_>, now: WallTime) -> Option<Vec<u8>> {
        let folder = self.resolve(wanted.folder).filter(|path| self.is_folder(path))?;
        let is_closed = |entry: &Entry| entry.permissions == PRIVATE_FOLDER;
        if wanted.is_anonymous && self.entries.get(&folder).is_some_and(is_closed) {
            return None;
        }
        let mut listing = Lines::new(wanted, now.0 / MICROS_PER_SECOND);
        if wanted.with_dots {
            for (name, path) in [(&b"."[..], folder.as_slice()), (b"..", parent(&folder))] {
                listing.add(name, &self.folder(path), 2 + self.folders(path));
            }
        }
        let mut child = if folder.is_empty() { Vec::new() } else { [folder.as_slice(), b"/"].concat() };
        let length = child.len();
        for (name, entry) in self.inside(&folder) {
            if !listing.wants(name) {
                continue;
            }
            let links = if entry.bytes.is_some() || !wanted.is_long {
                1
            } else {
                child.truncate(length);
                child.extend_from_slice(name);
                2 + self.folders(&child)
            };
            listing.add(name, entry, links);
        }
        Some(listing.bytes)
    }

    /// The first number from 1 on that is free behind `name` and a point.
    pub(super) fn free_number(&self, name: &[u8]) -> usize {
        let Some(path) = self.resolve(name) else { return 1 };
        let (folder, own) = (parent(&path), &path[path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)..]);
        let mut taken = [false; ENTRIES_MAX + 2];
        for (name, _) in self.inside(folder) {
            let digits = name.strip_prefix(own).and_then(|rest| rest.strip_prefix(b"."));
            let number = digits.and_then(|digits| core::str::from_utf8(digits).ok()?.parse::<usize>().ok());
            if let Some(place) = number.and_then(|number| taken.get_mut(number)) {
                *place = true;
            }
        }
        // There are fewer files than places.
        taken.iter().skip(1).position(|is_taken| !is_taken).map_or(1, |place| place + 1)
    }

    /// A folder that is there: the root was made when the first one in it was.
    fn folder(&self, path: &[u8]) -> Entry {
        let made = self.entries.values().map(|entry| entry.made).min().unwrap_or_default();
        let root = Entry { bytes: None, permissions: "drwxr-xr-x", owner: self.root, made };
        self.entries.get(path).cloned().unwrap_or(root)
    }

    fn folders(&self, folder: &[u8]) -> usize {
        self.inside(folder).filter(|(_, entry)| entry.bytes.is_none()).count()
    }
}

/// The folder that something lies in.
fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(&[], |slash| &path[..slash])
}

/// What is to be listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing<'a> {
    pub(super) folder: &'a [u8],
    /// Empty: everything.
    pub(super) filter: &'a [u8],
    pub(super) is_long: bool,
    pub(super) with_dots: bool,
    pub(super) is_anonymous: bool,
}

/// A listing that grows.
struct Lines<'a> {
    bytes: Vec<u8>,
    wanted: Listing<'a>,
    now: u64,
    /// What looking for patterns may still cost.
    steps: usize,
}

impl<'a> Lines<'a> {
    const fn new(wanted: &Listing<'a>, now: u64) -> Self {
        Self { bytes: Vec::new(), wanted: *wanted, now, steps: PATTERN_STEPS_MAX }
    }

    /// Is something of this name to be listed?
    fn wants(&mut self, name: &[u8]) -> bool {
        let shows_hidden = self.wanted.with_dots || self.wanted.filter.first() == Some(&b'.');
        let cost = name.len() * self.wanted.filter.len();
        let Some(left) = self.steps.checked_sub(cost) else { return false };
        self.steps = left;
        (shows_hidden || name.first() != Some(&b'.')) && fits(name, self.wanted.filter)
    }

    fn add(&mut self, name: &[u8], entry: &Entry, links: usize) {
        if self.wanted.is_long {
            self.about(entry, links);
        } else if self.wanted.folder != b"." {
            // Names alone are told as they were asked for.
            self.bytes.extend_from_slice(self.wanted.folder);
            if !self.wanted.folder.ends_with(b"/") {
                self.bytes.push(b'/');
            }
        }
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Written by hand: whoever asks again and again is not to cost more than that.
    fn about(&mut self, entry: &Entry, links: usize) {
        let Entry { permissions, owner: Owner { user, group }, made, bytes } = entry;
        let moment = Moment::of(*made);
        self.bytes.extend_from_slice(permissions.as_bytes());
        self.number(links as u64, 5, b' ');
        self.bytes.push(b' ');
        for owner in [user, group] {
            let end = self.bytes.len() + OWNER_WIDTH;
            self.number(u64::from(*owner), 0, b' ');
            self.bytes.resize(end.max(self.bytes.len()), b' ');
            self.bytes.push(b' ');
        }
        self.number(bytes.unwrap_or(FOLDER_BYTES), 8, b' ');
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(moment.month_name().as_bytes());
        self.bytes.push(b' ');
        self.number(moment.day, 2, b'0');
        self.bytes.push(b' ');
        if self.now.checked_sub(*made).is_some_and(|age| age <= OLD_SECONDS) {
            self.number(moment.hour, 2, b'0');
            self.bytes.push(b':');
            self.number(moment.minute, 2, b'0');
        } else {
            self.number(moment.year, 5, b' ');
        }
        self.bytes.push(b' ');
    }

    /// A number, filled up from the left to `width`.
    fn number(&mut self, number: u64, width: usize, fill: u8) {
        let (mut digits, mut at, mut rest) = ([0; 20], 20, number);
        while at > 0 && (rest > 0 || at == 20) {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        let length = digits.len() - at;
        self.bytes.resize(self.bytes.len() + width.saturating_sub(length), fill);
        self.bytes.extend_from_slice(&digits[at..]);
    }
}

/// Does a name fit a pattern with asterisks?
fn fits(name: &[u8], pattern: &[u8]) -> bool {
    if !pattern.contains(&b'*') {
        return pattern.is_empty() || name == pattern;
    }
    let mut parts = pattern.split(|byte| *byte == b'*');
    let (head, tail) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or_default());
    let Some(mut rest) = name.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail)) else { return false };
    parts.filter(|part| !part.is_empty()).all(|part| {
        let found = rest.windows(part.len()).position(|window| window == part);
        rest = found.map_or(&[], |at| &rest[at + part.len()..]);
        found.is_some()
    })
}

#[cfg(test)]
mod tests;
