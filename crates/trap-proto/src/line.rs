//! Cuts a stranger's bytes into lines of bounded length.

use alloc::vec::Vec;

/// Collects one line at a time; holds at most its limit.
pub(crate) struct Lines {
    held: Vec<u8>,
    bytes_max: usize,
    skipping: bool,
}

/// One line without its LF or CR LF.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) bytes: Vec<u8>,
    /// It was longer than the limit, and these are its first bytes.
    pub(crate) cut: bool,
}

impl Lines {
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self { held: Vec::new(), bytes_max, skipping: false }
    }

    /// Takes one byte; the line, if this byte ended it or made it too long. What follows a cut is skipped up to
    /// the next line feed.
    pub(crate) fn push(&mut self, byte: u8) -> Option<Line> {
        if byte == b'\n' {
            return self.ended();
        }
        if self.skipping {
            return None;
        }
        // One more than the limit is held, because the last byte may be the carriage return.
        self.held.push(byte);
        if self.held.len() <= self.bytes_max + 1 && (self.held.len() <= self.bytes_max || byte == b'\r') {
            return None;
        }
        self.skipping = true;
        self.held.truncate(self.bytes_max);
        Some(Line { bytes: core::mem::take(&mut self.held), cut: true })
    }

    /// No more bytes will come: what was not ended, if anything.
    pub(crate) fn finish(&mut self) -> Option<Line> {
        let unfinished = !self.held.is_empty();
        unfinished.then(|| Line { bytes: core::mem::take(&mut self.held), cut: false })
    }

    fn ended(&mut self) -> Option<Line> {
        if core::mem::take(&mut self.skipping) {
            return None;
        }
        let mut bytes = core::mem::take(&mut self.held);
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        Some(Line { bytes, cut: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn cut(bytes: &[u8]) -> Vec<(String, bool)> {
        let mut lines = Lines::new(4);
        let mut found: Vec<Line> = bytes.iter().filter_map(|byte| lines.push(*byte)).collect();
        found.extend(lines.finish());
        found.into_iter().map(|line| (String::from_utf8(line.bytes).unwrap(), line.cut)).collect()
    }

    #[test]
    fn lines_end_in_lf_or_cr_lf() {
        assert_eq!(
            cut(b"ab\r\ncd\n\nef"),
            [("ab".into(), false), ("cd".into(), false), ("".into(), false), ("ef".into(), false)]
        );
        assert_eq!(cut(b"abcd\r\nef\n"), [("abcd".into(), false), ("ef".into(), false)], "the limit is without the end");
    }

    #[test]
    fn a_long_line_is_cut_once_and_its_rest_is_skipped() {
        assert_eq!(cut(b"abcdefgh\nij\n"), [("abcd".into(), true), ("ij".into(), false)]);
        assert_eq!(cut(b"abcd\re\nij\n"), [("abcd".into(), true), ("ij".into(), false)]);
        assert_eq!(cut(b"abcde"), [("abcd".into(), true)]);
    }
}
