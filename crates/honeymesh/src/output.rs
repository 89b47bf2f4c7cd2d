//! What people see: aligned tables, times, sizes, colour where it is wanted, and nothing a terminal would obey.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
};

/// A cell is cut after this many characters.
const CELL_CHARS_MAX: usize = 60;

/// Says one line on the standard error. A closed standard error is nobody's problem.
pub fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes `text` and a line end to the standard output.
///
/// # Errors
/// The reader went away, or the output is full.
pub fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
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

/// `text` in a tone, if `coloured`.
#[must_use]
pub fn toned(text: &str, tone: Tone, coloured: bool) -> String {
    let code = match tone {
        Tone::Bold => "1",
        Tone::Good => "32",
        Tone::Bad => "31",
    };
    if coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
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
    fn a_cell_can_neither_move_the_cursor_nor_push_others_out() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["\x1b[2Jx\n".into(), "y".into()]);
        table.row(["z".repeat(500), "y".into()]);
        let text = table.render(false);
        assert!(!text.contains('\x1b') && text.lines().count() == 3, "{text:?}");
        assert!(text.lines().all(|line| line.chars().count() < 80));
    }
}
