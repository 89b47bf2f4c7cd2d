//! What a word that is being typed can become, as bash without `bash-completion` looks for it: commands and names of files.

use super::{Place, Shell, builtins, programs};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// What the end of a line can become.
pub(crate) struct Completion {
    /// How many bytes of each name have been typed.
    pub(crate) typed: usize,
    /// Names in order, each once; those of folders end in `/`.
    pub(crate) names: Vec<String>,
}

impl Shell<'_> {
    /// What the last word of what was typed before the cursor can become.
    pub(crate) fn completion(&self, line: &[u8], place: &Place) -> Completion {
        let (mut word, mut is_first, mut rest) = (Vec::new(), true, line);
        while let [byte, behind @ ..] = rest {
            rest = behind;
            match (byte, behind) {
                (b'\\', [escaped, further @ ..]) => {
                    word.push(*escaped);
                    rest = further;
                }
                (b' ' | b'\t', _) => {
                    is_first &= word.is_empty();
                    word.clear();
                }
                (b';' | b'|' | b'&' | b'(' | b'`', _) => {
                    is_first = true;
                    word.clear();
                }
                (b'>' | b'<' | b'=' | b'"' | b'\'', _) => {
                    is_first = false;
                    word.clear();
                }
                (byte, _) => word.push(*byte),
            }
        }
        let text = String::from_utf8_lossy(&word).into_owned();
        let at = text.rfind('/').map_or(0, |at| at + 1);
        let (folder, last) = text.split_at(at);
        let mut names = if is_first && folder.is_empty() { self.commands(last) } else { self.files(folder, last, place) };
        names.sort_unstable();
        names.dedup();
        Completion { typed: last.len(), names }
    }

    fn commands(&self, begun: &str) -> Vec<String> {
        let own = builtins::names().map(|name| String::from_utf8_lossy(name).into_owned());
        let all = own.chain(programs::names()).chain(programs::system_names());
        all.filter(|name| name.starts_with(begun)).take_while(|_| self.work.take(1)).collect()
    }

    fn files(&self, folder: &str, begun: &str, place: &Place) -> Vec<String> {
        let word = if folder.is_empty() { "." } else { folder };
        let Some(path) = place.resolve(word.as_bytes(), &self.home()) else { return Vec::new() };
        let shows = |name: &String| name.starts_with(begun) && (!name.starts_with('.') || begun.starts_with('.'));
        let names = self.bare_names(&path, place).into_iter().filter(shows).take_while(|_| self.work.take(1));
        let whole = |name: &str| format!("{}/{name}", path.trim_end_matches('/'));
        names.map(|name| if self.is_folder(&whole(&name), place) { name + "/" } else { name.to_string() }).collect()
    }
}
