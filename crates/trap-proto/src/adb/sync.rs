//! File transfer: what is pushed is counted and thrown away.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// A request's name and length.
const HEAD_BYTES: usize = 8;
/// The longest path with its mode, in bytes: Android's own limit.
const PATH_BYTES_MAX: usize = 1_024;
/// The longest block of a file, in bytes: Android's own limit.
const BLOCK_BYTES_MAX: u32 = 64 * 1_024;
/// A folder's mode: `drwxrwx--x`.
const FOLDER: u32 = 0o40_771;
/// When the folders were made, in seconds since 1970: when this firmware was.
const MADE: u32 = 1_469_094_492;

/// Folders that every box has.
const FOLDERS: [&str; 7] = ["/", "/cache", "/data", "/data/local", "/data/local/tmp", "/sdcard", "/system"];

/// One transfer.
#[derive(Default)]
pub(super) struct Sync {
    held: Vec<u8>,
    /// Bytes of a block that are missing.
    block: u32,
    /// Where the file goes that is coming, and how much of it came.
    file: Option<(String, u64)>,
}

/// What a transfer did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// A file with its path and length is whole.
    Pushed(String, u64),
    /// Somebody looked for this path.
    Asked(String),
    /// It is over.
    Quit,
}

impl Sync {
    /// Takes bytes, appends answers, and gives what was done. An error is what is no request.
    pub(super) fn take(&mut self, mut bytes: &[u8], answer: &mut Vec<u8>) -> Result<Vec<Done>, ()> {
        let mut done = Vec::new();
        while let Some((byte, rest)) = bytes.split_first() {
            if self.block > 0 {
                let taken = bytes.len().min(usize::try_from(self.block).unwrap_or(usize::MAX));
                self.block -= u32::try_from(taken).unwrap_or(self.block);
                if let Some((_, length)) = &mut self.file {
                    *length += taken as u64;
                }
                bytes = bytes.get(taken..).unwrap_or_default();
                continue;
            }
            self.held.push(*byte);
            bytes = rest;
            if self.held.len() >= HEAD_BYTES {
                done.extend(self.request(answer)?);
            }
        }
        Ok(done)
    }

    /// The file that was not finished.
    pub(super) fn unfinished(&mut self) -> Option<(String, u64)> {
        self.file.take()
    }

    fn request(&mut self, answer: &mut Vec<u8>) -> Result<Option<Done>, ()> {
        let [a, b, c, d, length @ ..] = self.held.as_slice() else { return Ok(None) };
        let (name, body) = ([*a, *b, *c, *d], self.held.get(HEAD_BYTES..).unwrap_or_default());
        let length = length.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
        match &name {
            b"DATA" if self.file.is_some() && length <= BLOCK_BYTES_MAX => {
                self.block = length;
                self.held.clear();
                return Ok(None);
            }
            b"DONE" => {
                self.held.clear();
                let (path, bytes) = self.file.take().ok_or(())?;
                answer.extend_from_slice(b"OKAY\0\0\0\0");
                return Ok(Some(Done::Pushed(path, bytes)));
            }
            b"QUIT" => {
                self.held.clear();
                return Ok(Some(Done::Quit));
            }
            b"STAT" | b"LIST" | b"SEND" | b"RECV" if usize::try_from(length).is_ok_and(|length| length <= PATH_BYTES_MAX) => {}
            _ => return Err(()),
        }
        if body.len() < usize::try_from(length).unwrap_or(usize::MAX) {
            return Ok(None);
        }
        let path = crate::safe_text(body, PATH_BYTES_MAX);
        self.held.clear();
        Ok(self.path(&name, path, answer))
    }

    fn path(&mut self, name: &[u8; 4], path: String, answer: &mut Vec<u8>) -> Option<Done> {
        match name {
            b"SEND" => {
                let path = path.rsplit_once(',').map_or(path.as_str(), |(path, _mode)| path);
                self.file = Some((path.to_string(), 0));
                return None;
            }
            b"STAT" => {
                let [mode, size, time] = if is_folder(path.as_bytes()) { [FOLDER, 4_096, MADE] } else { [0, 0, 0] };
                answer.extend_from_slice(b"STAT");
                [mode, size, time].iter().for_each(|word| answer.extend_from_slice(&word.to_le_bytes()));
            }
            b"LIST" => answer.extend_from_slice(&[&b"DONE"[..], &[0; 16]].concat()),
            _ => {
                let what = "No such file or directory";
                answer.extend_from_slice(b"FAIL");
                answer.extend_from_slice(&u32::try_from(what.len()).unwrap_or_default().to_le_bytes());
                answer.extend_from_slice(what.as_bytes());
            }
        }
        Some(Done::Asked(path))
    }
}

/// Is there such a folder?
pub(super) fn is_folder(path: &[u8]) -> bool {
    let trimmed = path.strip_suffix(b"/").filter(|rest| !rest.is_empty()).unwrap_or(path);
    FOLDERS.iter().any(|folder| folder.as_bytes() == trimmed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::said;

    #[test]
    fn a_pushed_file_is_counted_and_its_folder_is_there() {
        let bytes = b"STAT\x10\0\0\0/data/local/tmp/STAT\x02\0\0\0/xSEND\x09\0\0\0/a,b,0644DATA\x03\0\0\0abcDATA\x02\0\0\0deDONE\0\0\0\0QUIT\0\0\0\0";
        for size in [1, 7, 1_000] {
            let (mut sync, mut answer, mut done) = (Sync::default(), Vec::new(), Vec::new());
            for chunk in bytes.chunks(size) {
                done.extend(sync.take(chunk, &mut answer).unwrap());
            }
            let asked = |path: &str| Done::Asked(path.into());
            assert_eq!(done, [asked("/data/local/tmp/"), asked("/x"), Done::Pushed("/a,b".into(), 5), Done::Quit]);
            assert!(answer.starts_with(b"STAT\xf9\x41\0\0") && answer.ends_with(b"STAT\0\0\0\0\0\0\0\0\0\0\0\0OKAY\0\0\0\0"));
        }
    }

    #[test]
    fn what_is_no_request_is_told() {
        for bytes in
            [&b"GET / HTTP"[..], b"DATA\x01\0\0\0x", b"DONE\0\0\0\0", b"STAT\xff\xff\0\0", b"SEND\x01\0\0\0aDATA\x01\0\x01\0"]
        {
            assert_eq!(Sync::default().take(bytes, &mut Vec::new()), Err(()), "{bytes:?}");
        }
        let mut answer = Vec::new();
        Sync::default().take(b"RECV\x02\0\0\0/aLIST\x01\0\0\0/", &mut answer).unwrap();
        assert!(said(&answer).starts_with("FAIL\u{19}\0\0\0No such file or directoryDONE"));
    }
}
