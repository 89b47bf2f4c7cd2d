//! What a stranger left behind: variables, small files, and what he took away. All of it is gone once his channel ends.

use crate::shell::paths::is_within as is_in;
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// Variables that are kept, and the bytes of one; further ones are forgotten, longer ones cut.
const VARIABLES_MAX: usize = 16;
const VARIABLE_BYTES_MAX: usize = 512;
const VARIABLES_BYTES_MAX: usize = 2_048;
/// Files that are kept, and what of each and of all.
const FILES_MAX: usize = 16;
pub(crate) const FILE_BYTES_MAX: usize = 1_024;
const FILES_BYTES_MAX: usize = 3_072;
/// Things of the machine's that he took away.
const GONE_MAX: usize = 16;
/// Words behind `sh -c text` that are kept, and their bytes together.
const ARGUMENTS_MAX: usize = 33;
const ARGUMENTS_BYTES_MAX: usize = 16 * 1_024;
/// Functions that are kept from one line to the next, and the bytes of their names and texts.
const FUNCTIONS_MAX: usize = 8;
const FUNCTIONS_BYTES_MAX: usize = 2_048;
/// What stands between the elements of an array: no variable holds such a byte.
pub(super) const BETWEEN: u8 = 0;

/// A file that somebody wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: String,
    /// Its beginning.
    pub(super) bytes: Vec<u8>,
    /// Its length, with what is not kept.
    pub(super) length: u64,
    pub(super) is_program: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    variables: Vec<(Vec<u8>, Vec<u8>)>,
    files: Vec<File>,
    gone: Vec<String>,
    /// Names whose variables other programs get.
    exported: Vec<Vec<u8>>,
    /// Functions that were typed, as they were said.
    functions: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) arguments: Vec<Vec<u8>>,
    /// `$?`.
    pub(super) status: u32,
    /// Numbers that were drawn, which changes the next.
    pub(super) drawn: u64,
}

impl Memory {
    pub(super) fn variable(&self, name: &[u8]) -> Option<&[u8]> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }

    pub(super) fn set(&mut self, name: &[u8], value: &[u8]) {
        let others: usize =
            self.variables.iter().filter(|(known, _)| known != name).map(|(name, value)| name.len() + value.len()).sum();
        let room = VARIABLES_BYTES_MAX.saturating_sub(others + name.len()).min(VARIABLE_BYTES_MAX);
        let value = value[..value.len().min(room)].to_vec();
        let has_room = self.variables.len() < VARIABLES_MAX;
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, before)) => *before = value,
            None if has_room && name.len() + others <= VARIABLES_BYTES_MAX => {
                self.variables.push((name.to_vec(), value));
            }
            None => {}
        }
    }

    pub(super) fn unset(&mut self, name: &[u8]) {
        self.variables.retain(|(known, _)| known != name);
        self.exported.retain(|known| known != name);
        self.functions.retain(|(known, _)| known != name);
    }

    /// Other programs get this variable; further ones than are known are theirs alone.
    pub(super) fn export(&mut self, name: &[u8]) {
        if self.exported.len() < VARIABLES_MAX && name.len() <= VARIABLE_BYTES_MAX && !self.is_exported(name) {
            self.exported.push(name.to_vec());
        }
    }

    pub(super) fn exported(&self) -> &[Vec<u8>] {
        &self.exported
    }

    pub(super) fn is_exported(&self, name: &[u8]) -> bool {
        self.exported.iter().any(|known| known == name)
    }

    /// Only what is exported is left: the variables of another program.
    pub(super) fn leave_exported(&mut self) {
        let exported = &self.exported;
        self.variables.retain(|(name, _)| exported.contains(name));
    }

    /// The names that are exported are these again.
    pub(super) fn restore_exported(&mut self, before: Vec<Vec<u8>>) {
        self.exported = before;
    }

    /// What was typed of a function.
    pub(super) fn function(&self, name: &[u8]) -> Option<&[u8]> {
        self.functions.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_slice())
    }

    /// Keeps a function; one that does not fit is forgotten, and so is what it was before.
    pub(super) fn keep_function(&mut self, name: &[u8], text: &[u8]) {
        self.functions.retain(|(known, _)| known != name);
        let others: usize = self.functions.iter().map(|(name, text)| name.len() + text.len()).sum();
        if self.functions.len() < FUNCTIONS_MAX && others + name.len() + text.len() <= FUNCTIONS_BYTES_MAX {
            self.functions.push((name.to_vec(), text.to_vec()));
        }
    }

    pub(super) fn variables(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.variables
    }

    /// The variables as another shell's ends; what was there before comes back.
    pub(super) fn restore(&mut self, before: Vec<(Vec<u8>, Vec<u8>)>) {
        self.variables = before;
    }

    pub(super) fn with_arguments(&mut self, words: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut room = ARGUMENTS_BYTES_MAX;
        let fits = |word: &&Vec<u8>| {
            room = room.saturating_sub(word.len());
            room > 0
        };
        let kept: Vec<Vec<u8>> = words.iter().take(ARGUMENTS_MAX).take_while(fits).cloned().collect();
        core::mem::replace(&mut self.arguments, kept)
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn file_mut(&mut self, path: &str) -> Option<&mut File> {
        self.files.iter_mut().find(|file| file.path == path)
    }

    /// Writes a file, or more into it.
    pub(super) fn write(&mut self, path: &str, bytes: &[u8], length: u64, appends: bool) {
        self.gone.retain(|gone| gone != path);
        if self.file(path).is_none() {
            if self.files.len() >= FILES_MAX {
                return;
            }
            self.files.push(File { path: path.to_string(), ..File::default() });
        }
        let others: usize = self.files.iter().filter(|file| file.path != path).map(|file| file.bytes.len()).sum();
        let Some(file) = self.file_mut(path) else { return };
        if !appends {
            file.bytes.clear();
            file.length = 0;
        }
        let room = FILE_BYTES_MAX.min(FILES_BYTES_MAX.saturating_sub(others)).saturating_sub(file.bytes.len());
        // What follows on something that is not kept is not kept either.
        let room = if file.bytes.len() as u64 == file.length { room } else { 0 };
        file.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        file.length = file.length.saturating_add(length);
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
        let inside = move |file: &'a File| Some((file.path.strip_prefix(folder.trim_end_matches('/'))?.strip_prefix('/')?, file));
        self.files.iter().filter_map(inside).filter(|(name, _)| !name.is_empty() && !name.contains('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn what_is_kept_is_bounded() {
        let mut memory = Memory::default();
        for number in 0..40 {
            memory.set(format!("v{number}").as_bytes(), &[b'x'; 5_000]);
            memory.write(&format!("/tmp/{number}"), &[b'x'; 5_000], 5_000, false);
            memory.write("/tmp/0", b"more", 4, true);
            memory.remove(&format!("/etc/{number}"), true);
        }
        assert_eq!((memory.files.len(), memory.gone.len()), (FILES_MAX, GONE_MAX));
        let kept: usize = memory.variables.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(kept <= VARIABLES_BYTES_MAX && memory.variables[0].1.len() == VARIABLE_BYTES_MAX, "{kept}");
        let mut many = Memory::default();
        for number in 0..40 {
            many.set(format!("v{number}").as_bytes(), b"x");
            many.export(format!("v{number}").as_bytes());
            many.keep_function(format!("v{number}").as_bytes(), &[b'x'; 900]);
            many.with_arguments(&alloc::vec![alloc::vec![b'x'; 5_000]; 40]);
        }
        assert_eq!((many.variables.len(), many.exported.len()), (VARIABLES_MAX, VARIABLES_MAX));
        assert_eq!((many.functions.len(), many.arguments.len()), (2, 3));
        assert_eq!(memory.files.iter().map(|file| file.bytes.len()).sum::<usize>(), FILES_BYTES_MAX);
        assert_eq!((memory.file("/tmp/0").unwrap().bytes.len(), memory.file("/tmp/0").unwrap().length), (FILE_BYTES_MAX, 5_160));
    }

    #[test]
    fn what_is_taken_away_takes_what_is_in_it_along() {
        let mut memory = Memory::default();
        memory.write("/root/.ssh/a", b"1", 1, false);
        memory.write("/root/.sshx", b"2", 1, false);
        memory.remove("/root/.ssh", true);
        assert!(memory.file("/root/.ssh/a").is_none() && memory.file("/root/.sshx").is_some());
        assert!(memory.is_gone("/root/.ssh/authorized_keys") && !memory.is_gone("/root/.sshx"));
        memory.bring_back("/root/.ssh");
        assert!(!memory.is_gone("/root/.ssh"));
    }
}
