//! Where a stranger is in the shell: its folder, what he changed, and since when he is there.

use super::{disk::Disk, memory::Memory};
use crate::shell::{fetch::Addresses, paths};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::WallTime;

/// How wide a terminal may be, in columns, and how wide one is that does not say it.
const COLUMNS: (u32, u32) = (20, 512);
const COLUMNS_USUAL: u32 = 80;

/// Links to folders, and the folders.
pub(super) const LINKED: [(&str, &str); 6] = [
    ("/bin", "/usr/bin"),
    ("/sbin", "/usr/sbin"),
    ("/lib", "/usr/lib"),
    ("/lib64", "/usr/lib64"),
    ("/var/run", "/run"),
    ("/var/lock", "/run/lock"),
];

/// Where somebody is; at first at home.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// An absolute path; `None`: at home.
    at: Option<String>,
    before: Option<String>,
    since: Option<WallTime>,
    columns: Option<usize>,
    pub(super) memory: Memory,
    /// What he changed of the machine's files.
    pub(crate) disk: Disk,
    /// Lines that are not whole yet.
    pub(super) begun: Vec<u8>,
    /// Lines that were read.
    pub(super) lines: u32,
    pub(super) input: Input,
    addresses: Addresses,
}

/// What the channel brings to a command that reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Input {
    /// It is still to come.
    #[default]
    Open,
    /// The beginning of all that came, and how many bytes that were.
    Ended(Vec<u8>, u64),
}

/// What a shell inside another has for itself.
pub(super) struct Scope {
    at: Option<String>,
    before: Option<String>,
    variables: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Place {
    /// He is there, at least since `now`.
    pub(crate) fn enter(&mut self, now: WallTime) {
        self.since.get_or_insert(now);
        self.disk.now = now.0 / 1_000_000;
    }

    /// When he was heard last, in seconds since 1970.
    pub(crate) const fn seconds(&self) -> u64 {
        self.disk.now
    }

    /// His terminal is so wide; 0: it does not say.
    pub(crate) fn widen(&mut self, columns: u32) {
        let (least, most) = COLUMNS;
        let columns = if columns == 0 { COLUMNS_USUAL } else { columns.clamp(least, most) };
        self.columns = usize::try_from(columns).ok();
    }

    /// How wide his terminal is, if he has one.
    pub(crate) const fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// A text with its lines cut to the terminal's width, if it is shown on one.
    pub(super) fn cut(&self, text: String, is_shown: bool) -> String {
        let Some(columns) = self.columns.filter(|_| is_shown) else { return text };
        text.lines().flat_map(|line| line.chars().take(columns).chain(['\n'])).collect()
    }

    /// Where he is and was, and his variables: what another shell inside this one does not change.
    pub(super) fn scope(&self) -> Scope {
        Scope { at: self.at.clone(), before: self.before.clone(), variables: self.memory.variables().to_vec() }
    }

    pub(super) fn leave(&mut self, scope: Scope) {
        (self.at, self.before) = (scope.at, scope.before);
        self.memory.restore(scope.variables);
    }

    /// A command has these words: addresses in them are kept until they are asked for.
    pub(super) fn hear(&mut self, words: &[&[u8]]) {
        self.addresses.hear(words);
    }

    /// Somebody is to be called by the path of a file.
    pub(super) fn call(&mut self, address: &[u8]) {
        self.addresses.keep(address);
    }

    /// What is read next is still to come.
    pub(crate) fn reopen(&mut self) {
        self.input = Input::Open;
    }

    /// The addresses in the words of commands that were run since this was asked.
    pub(crate) fn addresses(&mut self) -> Vec<Vec<u8>> {
        self.addresses.take()
    }

    /// How the last command ended.
    pub(crate) const fn status(&self) -> u32 {
        self.memory.status
    }

    /// All that a command reads has come.
    pub(crate) fn bring(&mut self, beginning: Vec<u8>, length: u64) {
        self.input = Input::Ended(beginning, length);
    }

    /// Since when.
    pub(super) fn since(&self, now: WallTime) -> WallTime {
        self.since.unwrap_or(now)
    }

    /// The folder that he is in.
    pub(super) fn path(&self, home: &str) -> String {
        self.at.clone().unwrap_or_else(|| home.to_string())
    }

    /// The one before, for `cd -`.
    pub(super) fn before(&self) -> Option<String> {
        self.before.clone()
    }

    /// Goes to an absolute path.
    pub(super) fn go(&mut self, path: String, home: &str) {
        self.before = Some(self.path(home));
        self.at = Some(path);
    }

    /// What a word means from here, as an absolute path, in which none of the machine's folders has two names; `None` if it is too
    /// long.
    pub(super) fn resolve(&self, word: &[u8], home: &str) -> Option<String> {
        paths::resolved(word, &self.path(home), home).map(straight)
    }
}

/// What is in a folder that a link leads to, under that folder's own name.
fn straight(path: String) -> String {
    for (link, folder) in LINKED {
        if let Some(rest) = path.strip_prefix(link).filter(|rest| rest.starts_with('/')) {
            return [folder, rest].concat();
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_paths_from_where_one_is() {
        let mut place = Place::default();
        let of = |place: &Place, word: &str| place.resolve(word.as_bytes(), "/root").unwrap();
        assert_eq!((of(&place, "a"), of(&place, "~/b/../c")), ("/root/a".into(), "/root/c".into()));
        place.go("/var/run".into(), "/root");
        assert_eq!(
            (of(&place, "../log/."), of(&place, "/../..//etc/"), place.before()),
            ("/var/log".into(), "/etc".into(), Some("/root".into()))
        );
        assert_eq!(
            (of(&place, "a"), of(&place, "."), of(&place, "/bin/ls")),
            ("/run/a".into(), "/var/run".into(), "/usr/bin/ls".into())
        );
        assert_eq!(place.resolve("a/".repeat(200).as_bytes(), "/root"), None);
    }
}
