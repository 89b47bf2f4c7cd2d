//! What a client wants of its server, request by request, as OpenSSH's answers it.

use super::{
    super::wire::{Fields, put_string},
    Ground, Heard, INIT, Sftp, Transcript,
    answers::Status,
    handles::{File, Folder, Handle},
    names::long_name,
    number64,
};
use crate::{
    calendar::Moment,
    shell::debian::{Fault, Opening, Room, Seen, Setting},
};
use alloc::{format, string::String, vec::Vec};

const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const LSTAT: u8 = 7;
const FSTAT: u8 = 8;
const SETSTAT: u8 = 9;
const FSETSTAT: u8 = 10;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REMOVE: u8 = 13;
const MKDIR: u8 = 14;
const RMDIR: u8 = 15;
const REALPATH: u8 = 16;
const STAT: u8 = 17;
const RENAME: u8 = 18;
const READLINK: u8 = 19;
const SYMLINK: u8 = 20;
const EXTENDED: u8 = 200;

/// What one read gives at most, in bytes: what clients ask for. OpenSSH's limit is another; whoever asks for more gets this much, and
/// asks again for the rest.
const READ_BYTES_MAX: u32 = 32 * 1_024;
/// Names in one answer: OpenSSH's. And when no further one is put into it, in bytes.
const NAMES_MAX: usize = 100;
const NAMES_BYTES_MAX: usize = 24 * 1_024;
/// Bytes that are copied from one file to another with one request; more are not.
const COPIED_BYTES_MAX: u64 = 32 * 1_024;
/// OpenSSH's buffer for that, in bytes.
const BUFFER_BYTES: u64 = 64 * 1_024;
/// Users and groups that are asked for at once.
const NAMED_MAX: usize = 512;
/// What `limits` says: the longest packet, read and write, in bytes, and files that are open at once.
const LIMITS: [u64; 4] = [262_144, 261_120, 261_120, 1_019];
/// Attributes of an extension's own in one request.
const ATTRIBUTES_MAX: u32 = 0x10_0000;
/// What a file system says of itself: the block, in bytes, that nobody changes who runs there, and the longest name.
const BLOCK_BYTES: u64 = 4_096;
const NO_SETUID: u64 = 2;
const NAME_BYTES: u64 = 255;

/// How a file is wanted.
const FOR_READING: u32 = 1;
const FOR_WRITING: u32 = 2;
const FLAGS: [(u32, &str); 6] = [
    (FOR_READING, "READ"),
    (FOR_WRITING, "WRITE"),
    (APPENDS, "APPEND"),
    (MAKES, "CREATE"),
    (EMPTIES, "TRUNCATE"),
    (IS_NEW, "EXCL"),
];
const APPENDS: u32 = 4;
const MAKES: u32 = 8;
const EMPTIES: u32 = 16;
const IS_NEW: u32 = 32;

/// What a request says of a file.
#[derive(Default)]
struct Attributes {
    size: Option<u64>,
    owner: Option<(u32, u32)>,
    mode: Option<u32>,
    /// When it was changed, in seconds since 1970.
    changed: Option<u32>,
}

impl Attributes {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let flags = fields.number()?;
        let mut all = Self::default();
        if flags & 1 != 0 {
            all.size = Some(number64(fields)?);
        }
        if flags & 2 != 0 {
            all.owner = Some((fields.number()?, fields.number()?));
        }
        if flags & 4 != 0 {
            all.mode = Some(fields.number()?);
        }
        if flags & 8 != 0 {
            let _accessed = fields.number()?;
            all.changed = Some(fields.number()?);
        }
        if flags & 0x8000_0000 != 0 {
            let count = fields.number().filter(|count| *count <= ATTRIBUTES_MAX)?;
            for _ in 0..count {
                fields.c_string()?;
                fields.string()?;
            }
        }
        Some(all)
    }

    const fn has_any(&self) -> bool {
        self.size.is_some() || self.owner.is_some() || self.mode.is_some() || self.changed.is_some()
    }

    fn setting(&self) -> Setting {
        Setting { size: self.size, mode: self.mode.map(bits), changed: self.changed.map(u64::from), owner: self.owner }
    }
}

/// Requests that are told with the message that they came in; of those that only look it is told with the next.
const fn is_told(kind: u8) -> bool {
    matches!(kind, SETSTAT | FSETSTAT | OPENDIR | REMOVE | MKDIR | RMDIR | RENAME | READLINK | SYMLINK)
}

/// The rights of a mode.
fn bits(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).unwrap_or_default()
}

/// A string of C's.
fn text<'a>(fields: &mut Fields<'a>) -> Option<&'a [u8]> {
    fields.c_string().map(|text| text.strip_suffix(b"\0").unwrap_or(text))
}

impl Sftp {
    /// Answers a request. `None`: it is none.
    pub(super) fn request(&mut self, kind: u8, body: &[u8], ground: &mut Ground<'_, '_>) -> Option<Heard> {
        let mut fields = Fields(body);
        if kind == INIT {
            self.version = Some(fields.number()?);
            self.answers(ground).version();
            return Some(Heard::Step);
        }
        let id = fields.number()?;
        let is_telling = is_told(kind);
        if is_telling {
            self.capture(kind, body, ground);
        }
        let fields = &mut fields;
        let status = match kind {
            OPEN => self.open(id, fields, ground)?,
            CLOSE => return self.close(id, fields, ground),
            READ => self.read(id, fields, ground)?,
            // One of a handle that cannot be.
            WRITE => {
                let _named = (fields.string()?, number64(fields)?, fields.string()?);
                Some(Status::Failure)
            }
            LSTAT | STAT => self.stat(id, kind, fields, ground)?,
            FSTAT => self.fstat(id, fields, ground)?,
            SETSTAT => Some(self.setstat(fields, true, ground)?),
            FSETSTAT => Some(self.fsetstat(fields, ground)?),
            OPENDIR => self.opendir(id, fields, ground)?,
            READDIR => self.readdir(id, fields, ground)?,
            REMOVE | MKDIR | RMDIR => Some(self.one_path(kind, fields, ground)?),
            RENAME | SYMLINK => Some(self.two_paths(if kind == RENAME { "rename" } else { "symlink" }, fields, ground)?),
            REALPATH => self.realpath(id, fields, ground)?,
            READLINK => self.readlink(id, fields, ground)?,
            EXTENDED => self.extended(id, fields, ground)?,
            // OpenSSH's says nothing to it.
            _ => {
                self.note(format!("unknown request {kind}").as_bytes());
                self.capture(kind, body, ground);
                None
            }
        };
        if let Some(status) = status {
            self.answers(ground).status(id, status);
        }
        Some(Heard::Step)
    }

    fn note_name(&mut self, what: &str, name: &[u8], behind: &str) {
        self.note(&[what.as_bytes(), b" \"", name, b"\"", behind.as_bytes()].concat());
    }

    fn open(&mut self, id: u32, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Option<Status>> {
        let (name, flags, attributes) = (text(fields)?, fields.number()?, Attributes::read(fields)?);
        let mode = attributes.mode.unwrap_or(0o666);
        let shown: Vec<&str> = FLAGS.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, shown)| *shown).collect();
        self.note_name("open", name, &format!(" flags {} mode 0{mode:o}", shown.join(",")));
        let has = |flag: u32| flags & flag != 0;
        let opening = Opening {
            writes: has(FOR_WRITING),
            makes: has(MAKES).then_some(bits(mode)),
            empties: has(EMPTIES),
            is_new: has(IS_NEW) && has(MAKES),
        };
        // What is brought is told once it is there.
        self.is_urgent |= !opening.writes;
        if self.handles.is_full() {
            return Some(Some(Status::Failure));
        }
        match ground.shell.open(name, opening, ground.place) {
            Ok(path) => {
                let (reads, writes) = (has(FOR_READING) || !has(FOR_WRITING), has(FOR_WRITING));
                let handle = self.handles.open(Handle::File(File { path, reads, writes, appends: has(APPENDS) }));
                self.answers(ground).handle(id, handle);
                Some(None)
            }
            Err(fault) => Some(Some(fault.into())),
        }
    }

    fn close(&mut self, id: u32, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Heard> {
        let handle = self.handles.by_name(fields.string()?);
        let status = if self.handles.close(handle).is_some() { Status::Ok } else { Status::NoSuchFile };
        self.answers(ground).status(id, status);
        let is_brought = matches!(&self.transcript, Transcript::File(upload) if handle.is_some() && upload.handle == handle);
        Some(if is_brought { Heard::Telling } else { Heard::Step })
    }

    fn read(&self, id: u32, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Option<Status>> {
        let handle = self.handles.by_name(fields.string()?);
        let (offset, length) = (number64(fields)?, fields.number()?);
        let Some(file) = self.handles.file(handle) else { return Some(Some(Status::Failure)) };
        if i64::try_from(offset).is_err() {
            return Some(Some(Status::BadMessage));
        }
        if length == 0 {
            self.answers(ground).data(id, b"");
            return Some(None);
        }
        if !file.reads {
            return Some(Some(Status::NoSuchFile));
        }
        let length = usize::try_from(length.min(READ_BYTES_MAX)).unwrap_or_default();
        Some(match ground.shell.read(&file.path, offset, length, ground.place) {
            Ok(bytes) if bytes.is_empty() => Some(Status::Eof),
            Ok(bytes) => {
                self.answers(ground).data(id, &bytes);
                None
            }
            Err(fault) => Some(fault.into()),
        })
    }

    fn seen(&self, id: u32, seen: Result<Seen, Fault>, ground: &mut Ground<'_, '_>) -> Option<Status> {
        match seen {
            Ok(seen) => {
                self.answers(ground).attributes(id, &seen);
                None
            }
            Err(fault) => Some(fault.into()),
        }
    }

    fn stat(&mut self, id: u32, kind: u8, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Option<Status>> {
        let name = text(fields)?;
        self.note_name(if kind == LSTAT { "lstat name" } else { "stat name" }, name, "");
        let seen = ground.shell.look(name, kind == STAT, ground.place);
        Some(self.seen(id, seen, ground))
    }

    fn fstat(&self, id: u32, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Option<Status>> {
        let handle = self.handles.by_name(fields.string()?);
        let Some(file) = self.handles.file(handle) else { return Some(Some(Status::Failure)) };
        let seen = ground.shell.look_at(&file.path, true, ground.place);
        Some(self.seen(id, seen, ground))
    }

    fn note_setting(&mut self, name: &[u8], attributes: &Attributes) {
        if let Some(size) = attributes.size {
            self.note_name("set", name, &format!(" size {size}"));
        }
        if let Some(mode) = attributes.mode {
            self.note_name("set", name, &format!(" mode {mode:04o}"));
        }
        if let Some(changed) = attributes.changed {
            let Moment { year, month, day, hour, minute, second, .. } = Moment::of(u64::from(changed));
            self.note_name("set", name, &format!(" modtime {year:04}{month:02}{day:02}-{hour:02}:{minute:02}:{second:02}"));
        }
        if let Some((user, group)) = attributes.owner {
            self.note_name("set", name, &format!(" owner {user} group {group}"));
        }
    }

    fn setstat(&mut self, fields: &mut Fields<'_>, follows: bool, ground: &mut Ground<'_, '_>) -> Option<Status> {
        let (name, attributes) = (text(fields)?, Attributes::read(fields)?);
        self.note_setting(name, &attributes);
        if !follows && attributes.size.is_some() {
            return Some(Status::BadMessage);
        }
        if !attributes.has_any() {
            return Some(Status::Ok);
        }
        let set = |ground: &mut Ground<'_, '_>| {
            let path = ground.shell.real_path(name, follows, ground.place)?;
            let seen = ground.shell.look_at(&path, false, ground.place)?;
            if !follows && seen.is_link() && attributes.mode.is_some() {
                return Err(Fault::Other);
            }
            ground.shell.set_known(&path, attributes.setting(), ground.place)
        };
        Some(set(ground).into())
    }

    fn fsetstat(&mut self, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Status> {
        let (handle, attributes) = (self.handles.by_name(fields.string()?), Attributes::read(fields)?);
        let Some(file) = self.handles.file(handle) else { return Some(Status::Failure) };
        let (path, writes) = (file.path.clone(), file.writes);
        self.note_setting(path.as_bytes(), &attributes);
        if !attributes.has_any() {
            return Some(Status::Ok);
        }
        let mut setting = attributes.setting();
        let size = if writes { None } else { setting.size.take() };
        let done = ground.shell.set_known(&path, setting, ground.place);
        Some(if size.is_some() && done.is_ok() { Status::BadMessage } else { done.into() })
    }

    fn opendir(&mut self, id: u32, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Option<Status>> {
        let name = text(fields)?;
        self.note_name("opendir", name, "");
        if self.handles.is_full() {
            return Some(Some(Status::Failure));
        }
        match ground.shell.folder_to_list(name, ground.place) {
            Ok(path) => {
                let handle = self.handles.open(Handle::Folder(Folder { path, after: None, is_read: false }));
                self.answers(ground).handle(id, handle);
                Some(None)
            }
            Err(fault) => Some(Some(fault.into())),
        }
    }

    fn readdir(&mut self, id: u32, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Option<Status>> {
        let handle = self.handles.by_name(fields.string()?);
        let Some(folder) = handle.and_then(|handle| self.handles.folder_mut(handle)) else { return Some(Some(Status::Failure)) };
        if folder.is_read {
            return Some(Some(Status::Eof));
        }
        let Some(all) = ground.shell.list_from(&folder.path, folder.after, ground.place) else {
            return Some(Some(Status::Failure));
        };
        let now = ground.place.seconds();
        let mut bytes = 0;
        let long = |seen: &Seen| long_name(seen, now);
        let fits = |(_, seen): &&(u64, Seen)| {
            bytes += 48 + 2 * seen.name.len() + 80;
            bytes <= NAMES_BYTES_MAX
        };
        let shown: Vec<&(u64, Seen)> = all.iter().take(NAMES_MAX).take_while(fits).collect();
        folder.is_read = shown.len() == all.len();
        folder.after = shown.last().map(|(order, _)| *order).or(folder.after);
        if shown.is_empty() {
            return Some(Some(Status::Eof));
        }
        self.answers(ground).names(id, shown.len(), shown.iter().map(|(_, seen)| (seen, long(seen))));
        Some(None)
    }

    fn one_path(&mut self, kind: u8, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Status> {
        let name = text(fields)?;
        let done = match kind {
            REMOVE => {
                self.note_name("remove name", name, "");
                ground.shell.remove_file(name, ground.place)
            }
            RMDIR => {
                self.note_name("rmdir name", name, "");
                ground.shell.remove_folder(name, ground.place)
            }
            _ => {
                let mode = Attributes::read(fields)?.mode.map_or(0o777, |mode| mode & 0o7777);
                self.note_name("mkdir name", name, &format!(" mode 0{mode:o}"));
                ground.shell.make_folder(name, bits(mode), ground.place)
            }
        };
        Some(done.into())
    }

    fn two_paths(&mut self, what: &str, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Status> {
        let (old, new) = (text(fields)?, text(fields)?);
        self.note(&[what.as_bytes(), b" old \"", old, b"\" new \"", new, b"\""].concat());
        let (shell, place) = (ground.shell, &mut *ground.place);
        let done = match what {
            "symlink" => shell.make_link(old, new, place),
            "hardlink" => shell.make_name(old, new, place),
            _ => shell.rename(old, new, what == "posix-rename", place),
        };
        Some(done.into())
    }

    fn named(&self, id: u32, name: Result<String, Fault>, ground: &mut Ground<'_, '_>) -> Option<Status> {
        match name {
            Ok(name) => {
                self.answers(ground).name(id, name.as_bytes());
                None
            }
            Err(fault) => Some(fault.into()),
        }
    }

    fn realpath(&mut self, id: u32, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Option<Status>> {
        let name = text(fields)?;
        let name = if name.is_empty() { b"." } else { name };
        self.note_name("realpath", name, "");
        let real = real(name, ground);
        Some(self.named(id, real, ground))
    }

    fn readlink(&mut self, id: u32, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Option<Status>> {
        let name = text(fields)?;
        self.note_name("readlink", name, "");
        let target = ground.shell.link_target(name, ground.place);
        Some(self.named(id, target, ground))
    }

    fn extended(&mut self, id: u32, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Option<Status>> {
        let wants = text(fields)?;
        let changes = matches!(wants, b"posix-rename@openssh.com" | b"hardlink@openssh.com" | b"lsetstat@openssh.com");
        self.is_urgent |= changes;
        Some(match wants {
            b"posix-rename@openssh.com" => Some(self.two_paths("posix-rename", fields, ground)?),
            b"hardlink@openssh.com" => Some(self.two_paths("hardlink", fields, ground)?),
            b"lsetstat@openssh.com" => Some(self.setstat(fields, false, ground)?),
            b"statvfs@openssh.com" => {
                let name = text(fields)?;
                self.note_name("statvfs", name, "");
                let real = ground.shell.look(name, true, ground.place).and_then(|_| real(name, ground));
                self.room(id, real, ground)
            }
            b"fstatvfs@openssh.com" => {
                let handle = self.handles.by_name(fields.string()?);
                let path = self.handles.file(handle).map(|file| file.path.clone()).ok_or(Fault::Other);
                self.room(id, path, ground)
            }
            b"fsync@openssh.com" => {
                let handle = self.handles.by_name(fields.string()?);
                Some(if self.handles.file(handle).is_some() { Status::Ok } else { Status::NoSuchFile })
            }
            b"limits@openssh.com" => {
                self.answers(ground)
                    .extended(id, |out| LIMITS.iter().for_each(|limit| out.extend_from_slice(&limit.to_be_bytes())));
                None
            }
            b"expand-path@openssh.com" => self.expand(id, text(fields)?, ground),
            b"copy-data" => Some(self.copy_data(fields, ground)?),
            b"home-directory" => {
                let name = text(fields)?;
                let home = core::str::from_utf8(name).ok().and_then(|name| ground.shell.home_of(name)).ok_or(Fault::Other);
                self.named(id, home, ground)
            }
            b"users-groups-by-id@openssh.com" => {
                let [users, groups] = [numbers(fields.string()?)?, numbers(fields.string()?)?];
                let [users, groups] = [ground.shell.names_of(&users, false), ground.shell.names_of(&groups, true)].map(strings);
                self.answers(ground).extended(id, |out| [users, groups].iter().for_each(|names| put_string(out, names)));
                None
            }
            unknown => {
                self.note_name("extended", unknown, "");
                Some(Status::Unsupported)
            }
        })
    }

    fn expand(&mut self, id: u32, name: &[u8], ground: &mut Ground<'_, '_>) -> Option<Status> {
        self.note_name("expand", name, "");
        let tilde =
            name.strip_prefix(b"~").map(|rest| rest.split_at(rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len())));
        let path = match tilde {
            None if name.is_empty() => b".".to_vec(),
            None => name.to_vec(),
            Some((user, rest)) => {
                let home = core::str::from_utf8(user).ok().and_then(|user| ground.shell.home_of(user));
                let Some(home) = home else {
                    self.answers(ground).status_in_words(id, Status::NoSuchFile, b"no such user");
                    return None;
                };
                [home.as_bytes(), rest].concat()
            }
        };
        let real = real(&path, ground);
        self.named(id, real, ground)
    }

    fn room(&self, id: u32, path: Result<String, Fault>, ground: &mut Ground<'_, '_>) -> Option<Status> {
        let path = match path {
            Ok(path) => path,
            Err(fault) => return Some(fault.into()),
        };
        let Room { blocks, free, available, nodes, nodes_free, id: name, is_disk } = ground.shell.room(&path);
        let flags = if is_disk { 0 } else { NO_SETUID };
        let all = [BLOCK_BYTES, BLOCK_BYTES, blocks, free, available, nodes, nodes_free, nodes_free, name, flags, NAME_BYTES];
        self.answers(ground).extended(id, |out| all.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes())));
        None
    }

    fn copy_data(&mut self, fields: &mut Fields<'_>, ground: &mut Ground<'_, '_>) -> Option<Status> {
        let (from, from_at, length) = (self.handles.by_name(fields.string()?), number64(fields)?, number64(fields)?);
        let (to, to_at) = (self.handles.by_name(fields.string()?), number64(fields)?);
        let (Some(source), Some(target)) = (self.handles.file(from), self.handles.file(to)) else { return Some(Status::Failure) };
        if source.path == target.path {
            return Some(Status::Failure);
        }
        if [from_at, to_at].iter().any(|at| i64::try_from(*at).is_err()) {
            return Some(Status::BadMessage);
        }
        let most = if length == 0 { COPIED_BYTES_MAX } else { length.min(COPIED_BYTES_MAX) };
        if !source.reads || !target.writes {
            return Some(Status::NoSuchFile);
        }
        let words = ["copy-data from \"", &source.path, "\" to \"", &target.path, "\""].concat();
        let bytes = match ground.shell.read(&source.path, from_at, usize::try_from(most).unwrap_or_default(), ground.place) {
            Ok(bytes) => bytes,
            Err(fault) => return Some(fault.into()),
        };
        ground.shell.write(&target.path, to_at, &bytes, target.appends, ground.place);
        self.note(words.as_bytes());
        // OpenSSH minds the end of a file only behind a whole buffer.
        let is_whole = length <= BUFFER_BYTES || bytes.len() as u64 == length;
        Some(if is_whole { Status::Ok } else { Status::Eof })
    }
}

/// What sftp-server's `realpath` gives: what is last need not be there, but what it is in.
fn real(path: &[u8], ground: &Ground<'_, '_>) -> Result<String, Fault> {
    let real = ground.shell.real_path(path, true, ground.place)?;
    match ground.shell.look_at(&real, false, ground.place) {
        // With a slash behind it, or something, it must be there.
        Err(Fault::Missing) if path.ends_with(b"/") || path.ends_with(b"/.") => Err(Fault::Missing),
        _ => Ok(real),
    }
}

fn numbers(string: &[u8]) -> Option<Vec<u32>> {
    let (all, rest) = string.as_chunks::<4>();
    rest.is_empty().then(|| all.iter().take(NAMED_MAX).map(|number| u32::from_be_bytes(*number)).collect())
}

fn strings(names: Vec<String>) -> Vec<u8> {
    let mut out = Vec::new();
    names.iter().for_each(|name| put_string(&mut out, name.as_bytes()));
    out
}
