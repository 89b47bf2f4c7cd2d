//! What people see: aligned tables, times, sizes, colour where it is wanted, and nothing a terminal would obey.

use honeymesh_format::printable_lines;
use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
};

/// A cell is cut after this many characters.
const CELL_CHARS_MAX: usize = 60;

/// Says one line on the standard error, with nothing in it that a terminal would obey. A closed standard error is nobody's
/// problem.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", unranked(printable(line)));
}

/// Writes `text`, which may have several lines, and a line end to the standard output, with nothing in it that a terminal would
/// obey but our own tones, and those only where colour is wanted.
///
/// # Errors
/// The reader went away, or the output is full.
pub fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", harmless(text, is_coloured()))
}

/// The last gate: whoever forgot to make a stranger's word printable is put right here.
fn harmless(text: &str, coloured: bool) -> String {
    let shown = |part: &str| printable_lines(part).into_owned();
    if !coloured {
        return unranked(shown(text));
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        let (before, after) = rest.split_at(at);
        let code = TONES.iter().find(|code| after.starts_with(**code)).copied().unwrap_or_default();
        safe.push_str(&shown(before));
        let own = if code.is_empty() { &after[..1] } else { code };
        safe.push_str(&if code.is_empty() { shown(own) } else { own.to_owned() });
        rest = &after[own.len()..];
    }
    safe + &shown(rest)
}

/// Text none of whose lines begins as the journal's priorities do (`<0>`), which it would take for ours.
fn unranked(text: String) -> String {
    let is_rank = |line: &str| line.strip_prefix('<').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if !text.split('\n').any(is_rank) {
        return text;
    }
    let line = |line: &str| if is_rank(line) { format!("\\x3c{}", &line[1..]) } else { line.to_owned() };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A value as JSON on one line.
///
/// # Errors
/// It cannot be JSON; no shape of this program is like that.
pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, crate::failure::Failure> {
    honeymesh_format::json_text(value).map_err(|error| crate::failure::Failure::Refused(error.to_string()))
}

/// Is colour wanted? Not with `NO_COLOR`, not for `TERM=dumb`, not into a file or pipe.
#[must_use]
pub fn is_coloured() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb") && io::stdout().is_terminal()
}

/// Emphasis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A heading.
    Bold,
    /// As it should be.
    Good,
    /// Somebody should look.
    Bad,
}

/// What a tone begins with, and what ends it.
const TONES: [&str; 4] = ["\x1b[1m", "\x1b[32m", "\x1b[31m", "\x1b[0m"];

/// `text` in a tone, if `coloured`.
#[must_use]
pub fn toned(text: &str, tone: Tone, coloured: bool) -> String {
    let [bold, good, bad, end] = TONES;
    let code = match tone {
        Tone::Bold => bold,
        Tone::Good => good,
        Tone::Bad => bad,
    };
    if coloured { format!("{code}{text}{end}") } else { text.into() }
}

/// Rows under headings, aligned. Every cell is made printable and cut at 60 characters, except in the last column.
#[derive(Clone, Debug)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells stay empty, surplus ones are left out.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        let last = self.headings.len().saturating_sub(1);
        let cells = cells.into_iter().take(self.headings.len()).enumerate();
        self.rows
            .push(cells.map(|(index, cell)| if index == last { printable(&cell) } else { cut(&printable(&cell)) }).collect());
    }

    /// The table as text, without a trailing line end.
    #[must_use]
    pub fn render(&self, coloured: bool) -> String {
        let widths = self.widths();
        let headings: Vec<String> = self.headings.iter().map(|heading| (*heading).to_owned()).collect();
        let mut text = toned(line(&headings, &widths).trim_end(), Tone::Bold, coloured);
        for row in &self.rows {
            text.push('\n');
            text.push_str(line(row, &widths).trim_end());
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let width = |(index, heading): (usize, &&str)| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
            cells.chain([heading.chars().count()]).max().unwrap_or(0)
        };
        self.headings.iter().enumerate().map(width).collect()
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let _ = write!(text, "{cell:<width$}  ");
    }
    text
}

/// `text` without anything a terminal would obey.
#[must_use]
pub fn printable(text: &str) -> String {
    honeymesh_format::printable(text).into_owned()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= CELL_CHARS_MAX {
        return text.into();
    }
    text.chars().take(CELL_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_have_no_trailing_blanks() {
        let mut table = Table::new(&["WHO", "WHY"]);
        table.row(["192.0.2.1/32".into(), "trap".into()]);
        table.row(["x".into(), "scan".into()]);
        assert_eq!(table.render(false), "WHO           WHY\n192.0.2.1/32  trap\nx             scan");
        assert!(table.render(true).starts_with("\x1b[1mWHO"));
    }

    #[test]
    fn the_last_gate_lets_our_own_tones_through_and_nothing_else() {
        let forgotten = format!("{}\n\x1b]0;title\x07\x1b[2J\u{202e}", toned("bad\x1b", Tone::Bad, true));
        assert_eq!(harmless(&forgotten, true), "\x1b[31mbad\\x1b\x1b[0m\n\\x1b]0;title\\x07\\x1b[2J\\u{202e}", "on a terminal");
        assert!(!harmless(&forgotten, false).contains('\x1b'), "in a file or pipe");
        assert_eq!(harmless("a\n<0>b\n<b>", false), "a\n\\x3c0>b\n<b>", "no line is more urgent than it is");
    }

    #[test]
    fn a_cell_can_neither_move_the_cursor_nor_push_others_out() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["\x1b[2Jx\n".into(), "y".into()]);
        table.row(["z".repeat(500), "y".into()]);
        let text = table.render(false);
        assert!(!text.contains('\x1b') && text.lines().count() == 3, "{text:?}");
        assert!(text.lines().all(|line| line.chars().count() < 80));
    }
}
