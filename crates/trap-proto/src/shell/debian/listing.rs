//! `ls`, as coreutils 9.7 prints what lies in folders.

use super::{
    Output, Place, Shell,
    files::{BLOCK_BYTES, ROW_STEPS, Row, plain},
    options::{Known, Options},
};
use crate::{calendar::Moment, shell::paths::is_within};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Files older than this are shown with their year, in seconds: half of a year as coreutils counts it.
const RECENT_SECONDS: u64 = 31_556_952 / 2;
/// Columns where nobody says how many there are, and folders inside of folders that wait to be listed.
const COLUMNS_USUAL: usize = 80;
const FOLDERS_MAX: usize = 256;
const LS: Known = Known {
    letters: "lahdAtrSR1FinosgpmCxXkcuZUGNqQ",
    long: &[
        ("all", b'a'),
        ("almost-all", b'A'),
        ("recursive", b'R'),
        ("human-readable", b'h'),
        ("directory", b'd'),
        ("reverse", b'r'),
    ],
    wrong: 2,
};

impl Shell<'_> {
    /// `ls`.
    pub(super) fn list(&self, arguments: &[&[u8]], place: &Place, output: &mut Output) {
        let words: Vec<&[u8]> = core::iter::once(&b"ls"[..]).chain(arguments.iter().copied()).collect();
        let Some(mut options) = Options::read(&words, &LS, output) else { return };
        if options.words.is_empty() {
            options.words.push(b".");
        }
        let is_deep = options.has(b'R');
        let several = options.words.len() > 1 || is_deep;
        let (mut alone, mut folders) = (Vec::new(), Vec::new());
        for word in &options.words {
            if !self.work.take(ROW_STEPS) {
                return;
            }
            let Some(mut path) = place.resolve(word, &self.home()) else { continue };
            // A link to a folder is that folder, unless it is to be told of itself.
            if place.disk.file(&path).is_some_and(|file| file.link.is_some()) && !options.has(b'l') && !options.has(b'd') {
                path = self.spot(word, true, place).ok().filter(|real| self.is_folder(real, place)).unwrap_or(path);
            }
            let shown = crate::safe_text(word, 200);
            if self.is_folder(&path, place) && options.has(b'd') {
                alone.push(Row { name: shown, ..self.itself(&path) });
            } else if self.is_folder(&path, place) {
                folders.push((shown, path));
            } else if let Some(row) = self.row_of(&path, place) {
                alone.push(Row { name: shown, ..row });
            } else {
                self.fail(&format!("ls: cannot access '{shown}': No such file or directory\n"), output);
                output.status = 2;
            }
        }
        let mut is_first = alone.is_empty();
        self.put_rows(alone, &options, false, place, output);
        folders.reverse();
        while let Some((shown, path)) = folders.pop() {
            if self.work.is_done() || output.is_full() {
                return;
            }
            if is_within(&path, "/root") && !self.is_root() {
                self.fail(&format!("ls: cannot open directory '{shown}': Permission denied\n"), output);
                output.status = 2;
                continue;
            }
            if several {
                output.say(&format!("{}{shown}:\n", if is_first { "" } else { "\n" }));
            }
            is_first = false;
            let mut rows = self.rows(&path, place, options.has(b'a'));
            if !options.has(b'a') && !options.has(b'A') {
                rows.retain(|row| !row.name.starts_with('.'));
            }
            if is_deep && folders.len() < FOLDERS_MAX {
                let inner = rows.iter().rev().filter(|row| row.rights.starts_with('d') && row.name != "." && row.name != "..");
                let under = |folder: &str, name: &str| format!("{}/{name}", folder.trim_end_matches('/'));
                folders.extend(inner.map(|row| (under(&shown, &row.name), under(&path, &row.name))));
            }
            self.put_rows(rows, &options, true, place, output);
        }
    }

    fn put_rows(&self, mut rows: Vec<Row>, options: &Options<'_>, is_content: bool, place: &Place, output: &mut Output) {
        if options.has(b't') {
            rows.sort_by_key(|row| core::cmp::Reverse(row.changed));
        } else if options.has(b'S') {
            rows.sort_by_key(|row| core::cmp::Reverse(row.bytes));
        }
        if options.has(b'r') {
            rows.reverse();
        }
        if options.has(b'F') || options.has(b'p') {
            for row in &mut rows {
                let mark = match row.rights.as_bytes().first() {
                    Some(b'd') => "/",
                    Some(b'-') if options.has(b'F') && row.rights.contains('x') => "*",
                    _ => "",
                };
                row.name += mark;
            }
        }
        if options.has(b'm') && !options.has(b'l') && !rows.is_empty() {
            let all: Vec<&str> = rows.iter().map(|row| plain(&row.name)).collect();
            return output.say(&format!("{}\n", all.join(", ")));
        }
        let text = if options.has(b'l') || options.has(b'n') || options.has(b'o') || options.has(b'g') {
            self.long(&rows, is_content, options.has(b'h'))
        } else {
            let columns = place.columns().filter(|_| output.screen && !options.has(b'1'));
            let across = options.has(b'C') || options.has(b'x');
            names(&rows, columns.or(across.then_some(COLUMNS_USUAL)))
        };
        output.say(&text);
    }

    /// `ls -l`: columns as wide as their widest.
    fn long(&self, rows: &[Row], is_content: bool, is_human: bool) -> String {
        let widest = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let links = widest(&|row| row.links.to_string().len());
        let (owner, group) = (widest(&|row| row.owner.len()), widest(&|row| row.group.len()));
        let amount = |bytes: u64| if is_human { human(bytes) } else { bytes.to_string() };
        let bytes = widest(&|row| amount(row.bytes).len());
        let kib: u64 = rows.iter().filter(|row| row.is_on_disk()).map(|row| row.bytes.div_ceil(BLOCK_BYTES) * 4).sum();
        let head = if is_content {
            format!("total {}\n", if is_human { human(kib * 1_024) } else { kib.to_string() })
        } else {
            String::new()
        };
        rows.iter().fold(head, |text, row| {
            let date = self.date(row.changed);
            text + &format!(
                "{} {:>links$} {:<owner$} {:<group$} {:>bytes$} {date} {}\n",
                row.rights,
                row.links,
                row.owner,
                row.group,
                amount(row.bytes),
                row.name
            )
        })
    }

    fn date(&self, at: u64) -> String {
        let moment = Moment::of(at);
        let (month, day) = (moment.month_name(), moment.day);
        match (self.now.0 / 1_000_000).saturating_sub(at) < RECENT_SECONDS {
            true => format!("{month} {day:>2} {:02}:{:02}", moment.hour, moment.minute),
            false => format!("{month} {day:>2}  {:04}", moment.year),
        }
    }
}

/// As `ls -h` shows an amount: rounded up, with a digit behind the point below ten.
fn human(bytes: u64) -> String {
    let (mut unit, mut letters) = (1_u64, "KMGT".chars());
    if bytes < 1_024 {
        return bytes.to_string();
    }
    let mut letter = 'K';
    while bytes >= unit * 1_024 {
        unit *= 1_024;
        letter = letters.next().unwrap_or('T');
    }
    let tenths = (bytes * 10).div_ceil(unit);
    if tenths < 100 { format!("{}.{}{letter}", tenths / 10, tenths % 10) } else { format!("{}{letter}", bytes.div_ceil(unit)) }
}

/// The most columns that names are put into: each has a name and two blanks.
const ACROSS_MAX: usize = 170;
/// Where a tabulator leads.
const TAB: usize = 8;

/// Names as `ls` of coreutils puts them: one in a line, or on a terminal in as many columns as fit.
fn names(rows: &[Row], columns: Option<usize>) -> String {
    let names: Vec<&str> = rows.iter().map(|row| plain(&row.name)).collect();
    let Some(columns) = columns else { return names.iter().map(|name| format!("{name}\n")).collect() };
    if names.is_empty() {
        return String::new();
    }
    let wide = |name: &str| name.chars().count();
    let widths = |across: usize| -> Vec<usize> {
        let down = names.len().div_ceil(across);
        let last = names.len().div_ceil(down) - 1;
        let of = |(at, column): (usize, &[&str])| {
            column.iter().map(|name| wide(name)).max().unwrap_or(0) + if at == last { 0 } else { 2 }
        };
        names.chunks(down).enumerate().map(of).collect()
    };
    let most = (columns / 3).clamp(1, ACROSS_MAX).min(names.len());
    let fits = |across: &usize| widths(*across).iter().sum::<usize>() < columns;
    let across = (1..=most).rev().find(fits).unwrap_or(1);
    let (down, widths) = (names.len().div_ceil(across), widths(across));
    let mut text = String::new();
    for row in 0..down {
        let (mut at, mut edge) = (0, 0);
        for (column, name) in names.iter().skip(row).step_by(down).enumerate() {
            while at < edge {
                let next = (at / TAB + 1) * TAB;
                if edge / TAB > (at + 1) / TAB && next <= edge {
                    text.push('\t');
                    at = next;
                } else {
                    text.push(' ');
                    at += 1;
                }
            }
            text += name;
            at += wide(name);
            edge += widths[column];
        }
        text.push('\n');
    }
    text
}
