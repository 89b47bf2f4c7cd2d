//! What a client has opened.

use super::answers::Status;
use alloc::{string::String, vec::Vec};

/// Files and folders that are open at once in one server; nothing more can be opened then. OpenSSH has as many as the kernel gives it
/// (1,019, as the extension `limits` says).
pub(super) const HANDLES_MAX: usize = 64;

/// By their numbers; the one that was closed last is given next.
#[derive(Default)]
pub(super) struct Handles {
    all: Vec<Option<Handle>>,
    free: Vec<usize>,
}

pub(super) enum Handle {
    File(File),
    Folder(Folder),
}

pub(super) struct File {
    pub(super) path: String,
    pub(super) reads: bool,
    pub(super) writes: bool,
    pub(super) appends: bool,
}

pub(super) struct Folder {
    pub(super) path: String,
    /// The place in the folder's order up to which it was read.
    pub(super) after: Option<u64>,
    /// Nothing is left.
    pub(super) is_read: bool,
}

impl Handles {
    pub(super) const fn is_full(&self) -> bool {
        self.all.len() - self.free.len() >= HANDLES_MAX
    }

    pub(super) fn open(&mut self, handle: Handle) -> usize {
        let number = self.free.pop().unwrap_or_else(|| {
            self.all.push(None);
            self.all.len() - 1
        });
        self.all[number] = Some(handle);
        number
    }

    pub(super) fn close(&mut self, number: Option<usize>) -> Option<Handle> {
        let number = number?;
        let handle = self.all.get_mut(number)?.take()?;
        self.free.push(number);
        Some(handle)
    }

    /// The handle that a client names, if it is open.
    pub(super) fn by_name(&self, name: &[u8]) -> Option<usize> {
        let number = usize::try_from(u32::from_be_bytes(name.try_into().ok()?)).ok()?;
        self.all.get(number)?.as_ref().map(|_| number)
    }

    pub(super) fn file(&self, number: Option<usize>) -> Option<&File> {
        match self.all.get(number?)? {
            Some(Handle::File(file)) => Some(file),
            _ => None,
        }
    }

    pub(super) fn file_mut(&mut self, number: usize) -> Option<&mut File> {
        match self.all.get_mut(number)? {
            Some(Handle::File(file)) => Some(file),
            _ => None,
        }
    }

    pub(super) fn folder_mut(&mut self, number: usize) -> Option<&mut Folder> {
        match self.all.get_mut(number)? {
            Some(Handle::Folder(folder)) => Some(folder),
            _ => None,
        }
    }

    /// How a write at this place would end.
    pub(super) fn may_write(&self, number: Option<usize>, offset: u64) -> Status {
        match self.file(number) {
            None => Status::Failure,
            Some(file) if !file.appends && i64::try_from(offset).is_err() => Status::BadMessage,
            Some(file) if !file.writes => Status::NoSuchFile,
            Some(_) => Status::Ok,
        }
    }
}
