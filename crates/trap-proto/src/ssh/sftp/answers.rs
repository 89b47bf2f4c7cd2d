//! What sftp-server says.

use super::super::wire::put_string;
use crate::shell::debian::{Fault, Seen};
use alloc::vec::Vec;

const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;
const VERSION: u8 = 2;
/// What of a file is told: its length, owner, rights, times.
const ATTRIBUTES: u32 = 0xf;
/// The extensions that are there, in OpenSSH's order, with their versions.
const EXTENSIONS: [(&[u8], &[u8]); 11] = [
    (b"posix-rename@openssh.com", b"1"),
    (b"statvfs@openssh.com", b"2"),
    (b"fstatvfs@openssh.com", b"2"),
    (b"hardlink@openssh.com", b"1"),
    (b"fsync@openssh.com", b"1"),
    (b"lsetstat@openssh.com", b"1"),
    (b"limits@openssh.com", b"1"),
    (b"expand-path@openssh.com", b"1"),
    (b"copy-data", b"1"),
    (b"home-directory", b"1"),
    (b"users-groups-by-id@openssh.com", b"1"),
];

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok = 0,
    Eof = 1,
    NoSuchFile = 2,
    PermissionDenied = 3,
    Failure = 4,
    BadMessage = 5,
    Unsupported = 8,
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Missing => Self::NoSuchFile,
            Fault::Denied => Self::PermissionDenied,
            Fault::Wrong => Self::BadMessage,
            Fault::Other => Self::Failure,
        }
    }
}

impl From<Result<(), Fault>> for Status {
    fn from(done: Result<(), Fault>) -> Self {
        done.map_or_else(Self::from, |()| Self::Ok)
    }
}

impl Status {
    const fn text(self) -> &'static [u8] {
        match self {
            Self::Ok => b"Success",
            Self::Eof => b"End of file",
            Self::NoSuchFile => b"No such file",
            Self::PermissionDenied => b"Permission denied",
            Self::Failure => b"Failure",
            Self::BadMessage => b"Bad message",
            Self::Unsupported => b"Operation unsupported",
        }
    }
}

/// Where answers go.
pub(super) struct Answers<'a> {
    pub(super) out: &'a mut Vec<u8>,
    /// The client's version has texts.
    pub(super) has_texts: bool,
}

impl Answers<'_> {
    fn packet(&mut self, kind: u8, id: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.out.len();
        self.out.extend_from_slice(&[0, 0, 0, 0, kind]);
        self.out.extend_from_slice(&id.to_be_bytes());
        write(self.out);
        let length = u32::try_from(self.out.len() - at - 4).unwrap_or(u32::MAX);
        self.out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }

    pub(super) fn version(&mut self) {
        // What stands where others have their number is the version.
        self.packet(VERSION, 3, |out| {
            for (name, version) in EXTENSIONS {
                put_string(out, name);
                put_string(out, version);
            }
        });
    }

    pub(super) fn status(&mut self, id: u32, status: Status) {
        self.status_in_words(id, status, status.text());
    }

    pub(super) fn status_in_words(&mut self, id: u32, status: Status, words: &[u8]) {
        let has_texts = self.has_texts;
        self.packet(STATUS, id, |out| {
            out.extend_from_slice(&(status as u32).to_be_bytes());
            if has_texts {
                put_string(out, words);
                put_string(out, b"");
            }
        });
    }

    pub(super) fn handle(&mut self, id: u32, handle: usize) {
        self.packet(HANDLE, id, |out| put_string(out, &u32::try_from(handle).unwrap_or(u32::MAX).to_be_bytes()));
    }

    pub(super) fn data(&mut self, id: u32, bytes: &[u8]) {
        self.packet(DATA, id, |out| put_string(out, bytes));
    }

    pub(super) fn attributes(&mut self, id: u32, seen: &Seen) {
        self.packet(ATTRS, id, |out| put_attributes(out, seen));
    }

    /// One name, of which nothing else is told.
    pub(super) fn name(&mut self, id: u32, name: &[u8]) {
        self.packet(NAME, id, |out| {
            out.extend_from_slice(&1_u32.to_be_bytes());
            put_string(out, name);
            put_string(out, name);
            out.extend_from_slice(&0_u32.to_be_bytes());
        });
    }

    /// What is in a folder.
    pub(super) fn names<'a>(&mut self, id: u32, count: usize, all: impl Iterator<Item = (&'a Seen, Vec<u8>)>) {
        self.packet(NAME, id, |out| {
            out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
            for (seen, long) in all {
                put_string(out, seen.name.as_bytes());
                put_string(out, &long);
                put_attributes(out, seen);
            }
        });
    }

    /// An answer of an extension's own.
    pub(super) fn extended(&mut self, id: u32, write: impl FnOnce(&mut Vec<u8>)) {
        self.packet(EXTENDED_REPLY, id, write);
    }
}

fn put_attributes(out: &mut Vec<u8>, seen: &Seen) {
    let changed = u32::try_from(seen.changed).unwrap_or(u32::MAX);
    out.extend_from_slice(&ATTRIBUTES.to_be_bytes());
    out.extend_from_slice(&seen.size.to_be_bytes());
    [seen.owner.0, seen.group.0, seen.mode, changed, changed]
        .iter()
        .for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
}
