//! The machine's files as the kernel shows them to a program: what lies under a path, what it holds, and how it is changed.
//!
//! It is the same machine that the shell shows, with the same bounds ([`Disk`](super::disk)): a path of more than 256 bytes is
//! nowhere. Everything is paid for from the shell's work; who has none left is told of a failure.

use super::{
    Place, Shell,
    disk::FILE_BYTES_MAX,
    files::{Row, plain},
    rights::{mode, rights},
};
use crate::shell::paths::{self, is_within};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// The kernel's own bounds of a path and of one name in it, in bytes.
const PATH_MAX: usize = 4_096;
const NAME_MAX: usize = 255;
/// Links that are followed for one path; more are taken for a circle.
const LINKS_MAX: usize = 16;
/// What a look under a path costs, in steps; what a text costs that is made to be read; and the names in a folder.
const LOOK_STEPS: usize = 24;
const CONTENT_STEPS: usize = 300;
const LIST_STEPS: usize = 64;
/// Bytes of a file that are given for one step: they are only copied and encrypted. And those that are given to whoever has no work left.
const READ_STEP_BYTES: usize = 128;
const READ_BYTES_LEAST: usize = 1_024;
/// Rights that a umask of 022 takes from whatever is made.
pub(super) const UMASK: u16 = 0o022;

/// Why the kernel does not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `ENOENT`, `ENOTDIR`, `EBADF`, `ELOOP`.
    Missing,
    /// `EACCES`, `EPERM`.
    Denied,
    /// `EINVAL`, `ENAMETOOLONG`.
    Wrong,
    /// Anything else: `EEXIST`, `EISDIR`, `ENOTEMPTY`.
    Other,
}

/// What lies somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    /// With the bits of its kind.
    pub(crate) mode: u32,
    pub(crate) links: u64,
    pub(crate) owner: (u32, String),
    pub(crate) group: (u32, String),
    /// In bytes.
    pub(crate) size: u64,
    /// When it was changed last, in seconds since 1970.
    pub(crate) changed: u64,
}

impl Seen {
    const fn kind(&self) -> u32 {
        self.mode & 0o170_000
    }

    pub(crate) const fn is_folder(&self) -> bool {
        self.kind() == 0o040_000
    }

    pub(crate) const fn is_link(&self) -> bool {
        self.kind() == 0o120_000
    }

    /// As `ls -l` shows them.
    pub(crate) fn rights(&self) -> String {
        let kind = match self.kind() {
            0o040_000 => 'd',
            0o120_000 => 'l',
            0o020_000 => 'c',
            0o060_000 => 'b',
            _ => '-',
        };
        rights(kind, u16::try_from(self.mode & 0o7777).unwrap_or_default())
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opening {
    pub(crate) writes: bool,
    /// It is made if it is not there, with these rights.
    pub(crate) makes: Option<u16>,
    /// It is emptied.
    pub(crate) empties: bool,
    /// It must be new.
    pub(crate) is_new: bool,
}

/// What is set of a file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setting {
    pub(crate) size: Option<u64>,
    pub(crate) mode: Option<u16>,
    /// When it was changed, in seconds since 1970.
    pub(crate) changed: Option<u64>,
    pub(crate) owner: Option<(u32, u32)>,
}

/// Texts by which the shell complains, as what the kernel said.
fn fault(text: &str) -> Fault {
    match text {
        "Permission denied" => Fault::Denied,
        "Is a directory" => Fault::Other,
        _ => Fault::Missing,
    }
}

impl Shell<'_> {
    /// The absolute path, without links but perhaps the last, that a path means. What is last need not be there.
    pub(crate) fn real_path(&self, path: &[u8], follows: bool, place: &Place) -> Result<String, Fault> {
        if !self.work.take(LOOK_STEPS) || !self.work.take_bytes(path.len()) {
            return Err(Fault::Other);
        }
        if path.len() >= PATH_MAX || path.split(|byte| *byte == b'/').any(|name| name.len() > NAME_MAX) {
            return Err(Fault::Wrong);
        }
        let text = core::str::from_utf8(path).map_err(|_| Fault::Missing)?;
        if text.is_empty() || text.len() > paths::PATH_BYTES_MAX {
            return Err(Fault::Missing);
        }
        let mut at = if text.starts_with('/') { String::new() } else { self.home() };
        let mut left: Vec<String> = text.split('/').rev().map(ToString::to_string).collect();
        let mut links = 0;
        while let Some(name) = left.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    at.truncate(at.rfind('/').unwrap_or(0));
                    continue;
                }
                name => at = format!("{at}/{name}"),
            }
            let is_last = left.is_empty();
            let target = if is_last && !follows { None } else { self.link(&at, place) };
            match target {
                // A link of the machine's own to something that nobody ever looks at stands for it.
                Some(target) if is_last && place.disk.file(&at).is_none() && !self.is_reached(&at, &target, place) => {}
                Some(target) => {
                    links += 1;
                    if links > LINKS_MAX || at.len() + target.len() > PATH_MAX {
                        return Err(Fault::Missing);
                    }
                    at.truncate(if target.starts_with('/') { 0 } else { at.rfind('/').unwrap_or(0) });
                    left.extend(target.split('/').rev().map(ToString::to_string));
                }
                None if is_last => {}
                None if !self.is_folder(&at, place) => return Err(Fault::Missing),
                None if at == "/root" && !self.is_root() => return Err(Fault::Denied),
                None => {}
            }
            if !self.work.take(1) {
                return Err(Fault::Other);
            }
        }
        Ok(if at.is_empty() { "/".to_string() } else { at })
    }

    /// Where a link leads, if it is one.
    fn link(&self, path: &str, place: &Place) -> Option<String> {
        if let Some(file) = place.disk.file(path) {
            return file.link.clone();
        }
        let is_there = !place.disk.is_gone(path) && !place.disk.has_made(path);
        self.own_link(path).filter(|_| is_there)
    }

    fn is_reached(&self, link: &str, target: &str, place: &Place) -> bool {
        let above = paths::split(link).0;
        paths::resolved(target.as_bytes(), above, "/").is_some_and(|path| self.is_path_there(&path, place))
    }

    /// What lies under a path (`lstat`, and `stat` if it `follows`).
    pub(crate) fn look(&self, path: &[u8], follows: bool, place: &Place) -> Result<Seen, Fault> {
        let real = self.real_path(path, follows, place)?;
        let seen = self.look_at(&real, follows, place)?;
        if path.ends_with(b"/") && !seen.is_folder() { Err(Fault::Missing) } else { Ok(seen) }
    }

    /// The same of an absolute path without links.
    pub(crate) fn look_at(&self, path: &str, follows: bool, place: &Place) -> Result<Seen, Fault> {
        let row = self.row_at(path, place).ok_or(Fault::Missing)?;
        if self.work.is_done() {
            return Err(Fault::Other);
        }
        let row = if follows && row.rights.starts_with('l') {
            let bytes = self.text(path, place).map_or(0, |text| text.len() as u64);
            Row { rights: "-rw-r--r--".into(), bytes, ..row }
        } else {
            row
        };
        Ok(self.seen(row, paths::split(path).1))
    }

    fn row_at(&self, path: &str, place: &Place) -> Option<Row> {
        if let Some(made) = place.disk.made(path) {
            return Some(self.made_row(made, ""));
        }
        if let Some(row) = self.row_of(path, place) {
            return Some(row);
        }
        if self.is_folder(path, place) {
            return Some(self.itself(path));
        }
        let text = self.text(path, place).filter(|_| !place.disk.is_gone(path))?;
        Some(self.plain_row(text.len() as u64))
    }

    fn seen(&self, row: Row, name: &str) -> Seen {
        Seen {
            name: name.to_string(),
            mode: mode(&row.rights),
            links: row.links,
            owner: (self.number_of_user(&row.owner), row.owner),
            group: (self.number_of_group(&row.group), row.group),
            size: row.bytes,
            changed: row.changed,
        }
    }

    /// Where a link leads (`readlink`).
    pub(crate) fn link_target(&self, path: &[u8], place: &Place) -> Result<String, Fault> {
        let real = self.real_path(path, false, place)?;
        self.look_at(&real, false, place)?;
        self.link(&real, place).ok_or(Fault::Wrong)
    }

    /// Whether a folder can be read (`opendir`); its real path.
    pub(crate) fn folder_to_list(&self, path: &[u8], place: &Place) -> Result<String, Fault> {
        let real = self.real_path(path, true, place)?;
        match self.look_at(&real, true, place)? {
            seen if !seen.is_folder() => Err(Fault::Missing),
            _ if !self.may_read(&real) => Err(Fault::Denied),
            _ => Ok(real),
        }
    }

    /// What is in a folder, behind the place `after` of its order, which is the file system's and no one's: its places and
    /// what is there, `.` and `..` among them. `None`: there is no work left to look.
    pub(crate) fn list_from(&self, path: &str, after: Option<u64>, place: &Place) -> Option<Vec<(u64, Seen)>> {
        if !self.work.take(LIST_STEPS) {
            return None;
        }
        let seed = self.persona.number("readdir");
        let mut rows: Vec<(u64, Row)> = self
            .rows(path, place, true)
            .into_iter()
            .map(|row| (order(seed, plain(&row.name)), row))
            .filter(|(order, _)| after.is_none_or(|after| *order > after))
            .collect();
        rows.sort_by_key(|(order, _)| *order);
        let seen = |(order, row): (u64, Row)| {
            let name = plain(&row.name).to_string();
            (order, self.seen(row, &name))
        };
        if self.work.take(rows.len()) { Some(rows.into_iter().map(seen).collect()) } else { None }
    }

    /// Opens a file; its real path.
    pub(crate) fn open(&self, path: &[u8], opening: Opening, place: &mut Place) -> Result<String, Fault> {
        let real = self.real_path(path, !opening.is_new, place)?;
        let changes = opening.writes || opening.empties;
        match self.look_at(&real, true, place) {
            Ok(_) if opening.makes.is_some() && opening.is_new => Err(Fault::Other),
            Ok(seen) if seen.is_folder() => {
                let is_read = !changes && opening.makes.is_none();
                if !is_read {
                    Err(Fault::Other)
                } else if self.may_read(&real) {
                    Ok(real)
                } else {
                    Err(Fault::Denied)
                }
            }
            Ok(_) if path.ends_with(b"/") => Err(Fault::Missing),
            Ok(_) if !self.may_read(&real) => Err(Fault::Denied),
            Ok(_) if changes => {
                self.change(&real, opening.empties, place)?;
                Ok(real)
            }
            Ok(_) => Ok(real),
            Err(Fault::Missing) => {
                let made = opening.makes.filter(|_| !path.ends_with(b"/")).ok_or(Fault::Missing)?;
                self.may_write(&real, place).map_err(fault)?;
                place.disk.write(&real, b"", 0, false);
                if let Some(file) = place.disk.file_mut(&real) {
                    file.mode = made & 0o7777 & !UMASK;
                }
                Ok(real)
            }
            Err(fault) => Err(fault),
        }
    }

    /// A file that is there is to be written: it becomes the stranger's own, with what it held unless it is emptied.
    fn change(&self, path: &str, empties: bool, place: &mut Place) -> Result<(), Fault> {
        if path.starts_with("/dev/") && place.disk.file(path).is_none() {
            return Ok(());
        }
        self.may_write(path, place).map_err(fault)?;
        if place.disk.file(path).is_none() {
            let rights = self.row_at(path, place).map_or(0o644, |row| mode(&row.rights));
            let content = if empties { None } else { self.content(path.as_bytes(), place).ok() }.unwrap_or_default();
            place.disk.write(path, &content.bytes, content.length, false);
            if let Some(file) = place.disk.file_mut(path) {
                file.mode = u16::try_from(rights & 0o7777).unwrap_or(0o644);
            }
        } else if empties {
            place.disk.resize(path, 0);
        }
        Ok(())
    }

    /// Up to `length` bytes of a file from a place on; none at its end. What is not kept of it is noughts.
    pub(crate) fn read(&self, path: &str, offset: u64, length: usize, place: &Place) -> Result<Vec<u8>, Fault> {
        if self.is_folder(path, place) {
            return Err(Fault::Other);
        }
        if path == "/dev/zero" {
            return Ok(alloc::vec![0; length]);
        }
        // What somebody wrote, and a program's head, is at hand; a text of the machine's is made anew.
        let is_at_hand = place.disk.file(path).is_some() || super::programs::is_program(path);
        if !is_at_hand && !self.work.take(CONTENT_STEPS) {
            return Err(Fault::Other);
        }
        let content = self.content(path.as_bytes(), place).map_err(fault)?;
        let _ = self.work.take_bytes(content.bytes.len());
        let left = usize::try_from(content.length.saturating_sub(offset)).unwrap_or(usize::MAX).min(length);
        // Whoever has no work left gets less at once.
        let afforded = usize::try_from(self.work.left()).unwrap_or(usize::MAX) * READ_STEP_BYTES;
        let left = left.min(afforded.max(READ_BYTES_LEAST));
        let _ = self.work.take(left / READ_STEP_BYTES);
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.bytes.len());
        let known = &content.bytes[from..content.bytes.len().min(from.saturating_add(left))];
        let mut bytes = Vec::with_capacity(left);
        bytes.extend_from_slice(known);
        bytes.resize(left, 0);
        Ok(bytes)
    }

    /// Writes into an open file; at its end if it `appends`.
    pub(crate) fn write(&self, path: &str, offset: u64, bytes: &[u8], appends: bool, place: &mut Place) {
        let Some(file) = place.disk.file(path) else { return };
        let offset = if appends { file.length } else { offset };
        let _ = self.work.take(1);
        place.disk.write_at(path, offset, bytes);
    }

    pub(crate) fn make_folder(&self, path: &[u8], mode: u16, place: &mut Place) -> Result<(), Fault> {
        let real = self.real_path(path, false, place)?;
        if self.row_at(&real, place).is_some() {
            return Err(Fault::Other);
        }
        self.may_write(&real, place).map_err(fault)?;
        place.disk.bring_back(&real);
        place.disk.make(real.clone());
        let folder = place.disk.folder_mut(&real).ok_or(Fault::Other)?;
        folder.mode = mode & !UMASK;
        Ok(())
    }

    pub(crate) fn remove_folder(&self, path: &[u8], place: &mut Place) -> Result<(), Fault> {
        let real = self.real_path(path, false, place)?;
        if !self.look_at(&real, false, place)?.is_folder() {
            return Err(Fault::Missing);
        }
        if !self.may_take(&real, place) {
            return Err(Fault::Denied);
        }
        if !place.disk.has_made(&real) || !self.names_in(&real, place).is_empty() {
            return Err(Fault::Other);
        }
        self.take_away(&real, place);
        Ok(())
    }

    pub(crate) fn remove_file(&self, path: &[u8], place: &mut Place) -> Result<(), Fault> {
        let real = self.real_path(path, false, place)?;
        if self.look_at(&real, false, place)?.is_folder() {
            return Err(Fault::Other);
        }
        if !self.may_take(&real, place) {
            return Err(Fault::Denied);
        }
        self.take_away(&real, place);
        Ok(())
    }

    /// Gives something another name; something else that has it gives way, if it `replaces`.
    pub(crate) fn rename(&self, from: &[u8], to: &[u8], replaces: bool, place: &mut Place) -> Result<(), Fault> {
        let from = self.real_path(from, false, place)?;
        let seen = self.look_at(&from, false, place)?;
        let to = self.real_path(to, false, place)?;
        if seen.is_folder() && from != to && is_within(&to, &from) {
            return Err(Fault::Wrong);
        }
        if let Ok(other) = self.look_at(&to, false, place) {
            match (seen.is_folder(), other.is_folder()) {
                _ if !replaces => return Err(Fault::Other),
                _ if from == to => return Ok(()),
                (false, true) => return Err(Fault::Other),
                (true, false) => return Err(Fault::Missing),
                (true, true) if !place.disk.has_made(&to) || !self.names_in(&to, place).is_empty() => return Err(Fault::Other),
                _ => {}
            }
        }
        if !self.may_take(&from, place) {
            return Err(Fault::Denied);
        }
        // What nobody could name would be left.
        if to.len() + place.disk.longest_in(&from) - from.len() > paths::PATH_BYTES_MAX {
            return Err(Fault::Wrong);
        }
        if self.row_at(&to, place).is_some() {
            if !self.may_take(&to, place) {
                return Err(Fault::Denied);
            }
            self.take_away(&to, place);
        }
        self.may_write(&to, place).map_err(fault)?;
        if place.disk.has_made(&from) || place.disk.file(&from).is_some() {
            let was_there = self.own_row(&from);
            place.disk.rename(&from, &to);
            place.disk.remove(&from, was_there);
        } else if seen.is_folder() {
            place.disk.make(to);
            self.take_away(&from, place);
        } else {
            self.copy(&from, &to, place);
            self.take_away(&from, place);
        }
        Ok(())
    }

    /// Keeps a file of the machine's as if it had been written, with its rights and times, so that those can be changed. What is not
    /// known whole, but for a program, stays as it is.
    pub(super) fn keep_own(&self, path: &str, place: &mut Place) {
        let (Some(row), Ok(content)) = (self.row_at(path, place), self.content(path.as_bytes(), place)) else { return };
        let is_whole = content.bytes.len() as u64 == content.length && content.bytes.len() <= FILE_BYTES_MAX;
        if row.rights.starts_with('-') && (is_whole || super::programs::is_program(path)) {
            place.disk.write(path, &content.bytes, content.length, false);
            if let Some(file) = place.disk.file_mut(path) {
                file.mode = u16::try_from(mode(&row.rights) & 0o7777).unwrap_or(0o644);
                file.changed = row.changed;
            }
        }
    }

    fn copy(&self, from: &str, to: &str, place: &mut Place) {
        let content = self.content(from.as_bytes(), place).unwrap_or_default();
        let mode = self.row_at(from, place).map_or(0o644, |row| mode(&row.rights));
        place.disk.write(to, &content.bytes, content.length, false);
        if let Some(file) = place.disk.file_mut(to) {
            file.mode = u16::try_from(mode & 0o7777).unwrap_or(0o644);
        }
    }

    /// A link to a path, which need not be there.
    pub(crate) fn make_link(&self, target: &[u8], path: &[u8], place: &mut Place) -> Result<(), Fault> {
        let real = self.real_path(path, false, place)?;
        let target = core::str::from_utf8(target).map_err(|_| Fault::Wrong)?;
        if target.is_empty() {
            return Err(Fault::Missing);
        }
        if target.len() > paths::PATH_BYTES_MAX {
            return Err(Fault::Wrong);
        }
        if self.row_at(&real, place).is_some() {
            return Err(Fault::Other);
        }
        self.may_write(&real, place).map_err(fault)?;
        let source = paths::resolved(target.as_bytes(), paths::split(&real).0, "/").unwrap_or_default();
        self.copy(&source, &real, place);
        if let Some(file) = place.disk.file_mut(&real) {
            file.link = Some(target.to_string());
        }
        Ok(())
    }

    /// Another name for a file.
    pub(crate) fn make_name(&self, from: &[u8], to: &[u8], place: &mut Place) -> Result<(), Fault> {
        let from = self.real_path(from, false, place)?;
        let seen = self.look_at(&from, false, place)?;
        let to = self.real_path(to, false, place)?;
        if self.row_at(&to, place).is_some() {
            return Err(Fault::Other);
        }
        if seen.is_folder() {
            return Err(Fault::Denied);
        }
        self.may_write(&to, place).map_err(fault)?;
        self.copy(&from, &to, place);
        Ok(())
    }

    /// Sets what is known of something under a real path. All is tried; the last fault counts.
    pub(crate) fn set_known(&self, path: &str, setting: Setting, place: &mut Place) -> Result<(), Fault> {
        let seen = self.look_at(path, true, place)?;
        let mut done = Ok(());
        if let Some(size) = setting.size {
            let changed = if seen.is_folder() { Err(Fault::Other) } else { self.change(path, false, place) };
            match changed {
                Ok(()) if i64::try_from(size).is_err() => done = Err(Fault::Wrong),
                Ok(()) if place.disk.file(path).is_some() => place.disk.resize(path, size),
                Ok(()) => done = Err(Fault::Wrong),
                Err(fault) => done = Err(fault),
            }
        }
        let is_own = self.is_root() || seen.owner.1 == self.user();
        if (setting.mode.is_some() || setting.changed.is_some()) && !is_own {
            done = Err(Fault::Denied);
        } else {
            if let Some(file) = place.disk.file_mut(path).filter(|_| setting.changed.is_some()) {
                file.is_dated = true;
            }
            let mut kept = match (place.disk.has_made(path), place.disk.file(path).is_some()) {
                (true, _) => place.disk.folder_mut(path).map(|folder| (&mut folder.mode, &mut folder.changed)),
                (_, true) => place.disk.file_mut(path).map(|file| (&mut file.mode, &mut file.changed)),
                _ => None,
            };
            if let Some((mode, changed)) = &mut kept {
                **mode = setting.mode.map_or(**mode, |mode| mode & 0o7777);
                **changed = setting.changed.unwrap_or(**changed);
            }
        }
        match setting.owner {
            Some(owner) if !self.is_root() && owner != (seen.owner.0, seen.group.0) => Err(Fault::Denied),
            _ => done,
        }
    }
}

/// Where a name stands in a folder: nowhere that anybody could tell, and always there.
fn order(seed: u64, name: &str) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}
