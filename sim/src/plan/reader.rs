//! Reads TOML key by key, remembers every key it was asked for, and collects all problems with their places.

use std::{cell::RefCell, fmt, ops::Range, time::Duration};
use toml::de::{DeTable, DeValue};

/// Something that is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line and the character in it, both from 1.
    pub place: (usize, usize),
    /// What is wrong, a semicolon, and how to mend it.
    pub what: String,
}

impl Problem {
    /// The problem as one line: `FILE:LINE:COL: what; how to mend`.
    #[must_use]
    pub fn line(&self, file: &str) -> String {
        format!("{file}:{self}")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.place.0, self.place.1, self.what)
    }
}

/// The text of a scenario and what was found wrong with it so far.
pub(super) struct Document<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Document<'t> {
    /// A document and its root table. What could be parsed is read in spite of syntax errors.
    pub(super) fn parse(text: &'t str) -> (Self, DeTable<'t>) {
        let doc = Self { text, problems: RefCell::default() };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let what = format!("{}; mend the TOML syntax here", error.message().replace('\n', ", "));
            doc.wrong(&error.span().unwrap_or_default(), what);
        }
        (doc, table.into_inner())
    }

    fn wrong(&self, span: &Range<usize>, what: String) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let place = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
        self.problems.borrow_mut().push(Problem { place, what });
    }

    /// Everything that was found, in the order of the file.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems.dedup();
        problems
    }
}

/// One table, or one that is absent and holds nothing.
pub(super) struct Section<'d, 't> {
    doc: &'d Document<'t>,
    title: &'static str,
    span: Range<usize>,
    table: Option<&'d DeTable<'t>>,
    known: RefCell<Vec<&'static str>>,
}

impl<'d, 't> Section<'d, 't> {
    pub(super) fn root(doc: &'d Document<'t>, table: &'d DeTable<'t>) -> Self {
        Self { doc, title: "the top level", span: 0..0, table: Some(table), known: RefCell::default() }
    }

    /// Something is wrong with the table as a whole.
    pub(super) fn wrong(&self, what: &str) {
        self.doc.wrong(&self.span, what.into());
    }

    /// Has `key` been written, right or wrong?
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// The value under `key`, which is known from now on.
    fn value(&self, key: &'static str) -> Option<&'d toml::Spanned<DeValue<'t>>> {
        self.known.borrow_mut().push(key);
        self.table?.get(key)
    }

    /// What `parse` makes of the value under `key`; nothing if it is absent or wrong (then it is a problem).
    fn read<T>(&self, key: &'static str, parse: impl FnOnce(&DeValue<'t>) -> Result<T, String>) -> Option<T> {
        let value = self.value(key)?;
        parse(value.get_ref()).map_err(|what| self.doc.wrong(&value.span(), format!("{key}: {what}"))).ok()
    }

    /// The table under `key`; an absent one reads as empty.
    pub(super) fn section(&self, key: &'static str) -> Self {
        let found = self.value(key).and_then(|value| match value.get_ref() {
            DeValue::Table(table) => Some((value.span(), table)),
            other => {
                self.doc.wrong(&value.span(), format!("`{key}` is {}; write a table, [{key}]", kind_of(other)));
                None
            }
        });
        let (span, table) = found.unzip();
        Self { doc: self.doc, title: key, span: span.unwrap_or_default(), table, known: RefCell::default() }
    }

    /// The array of tables under `key`, in the order of the file.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.doc.wrong(&value.span(), format!("`{key}` is {}; write [[{key}]]", kind_of(value.get_ref())));
            return Vec::new();
        };
        let item = |item: &'d toml::Spanned<DeValue<'t>>| match item.get_ref() {
            DeValue::Table(table) => {
                Some(Self { doc: self.doc, title: key, span: item.span(), table: Some(table), known: RefCell::default() })
            }
            other => {
                self.doc.wrong(&item.span(), format!("{key} holds {}; write a table", kind_of(other)));
                None
            }
        };
        items.iter().filter_map(item).collect()
    }

    /// A text under `key`.
    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        self.parsed(key, |text| Ok(text.to_owned()))
    }

    /// A text under `key`, as `parse` understands it.
    pub(super) fn parsed<T>(&self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.read(key, |value| parse(text_of(value)?))
    }

    /// One of some words under `key`, by its place among them.
    pub(super) fn choice(&self, key: &'static str, words: &[&str]) -> Option<usize> {
        self.parsed(key, |text| {
            let mend = || format!("`{text}` is none of {}; the nearest is `{}`", words.join(", "), nearest(text, words));
            words.iter().position(|word| *word == text).ok_or_else(mend)
        })
    }

    /// `true` or `false` under `key`; false if it is absent.
    pub(super) fn switch(&self, key: &'static str) -> bool {
        let given = self.read(key, |value| match value {
            DeValue::Boolean(given) => Ok(*given),
            other => Err(format!("is {}; write true or false", kind_of(other))),
        });
        given.unwrap_or(false)
    }

    /// A whole number from `least` to `most` under `key`.
    pub(super) fn number(&self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        self.read(key, |value| {
            let mend = format!("write a whole number from {least} to {most}");
            let DeValue::Integer(number) = value else { return Err(format!("is {}; {mend}", kind_of(value))) };
            let given = u64::from_str_radix(number.as_str(), number.radix()).ok();
            given.filter(|given| (least..=most).contains(given)).ok_or_else(|| format!("{number} is out of range; {mend}"))
        })
    }

    /// A share in whole per cent under `key`, as parts in a thousand.
    pub(super) fn per_mille(&self, key: &'static str) -> Option<u32> {
        self.number(key, 0, 100).and_then(|percent| u32::try_from(percent * 10).ok())
    }

    /// A duration under `key`.
    pub(super) fn duration(&self, key: &'static str) -> Option<Duration> {
        self.parsed(key, |text| honeymesh_format::parse_duration(text).map_err(|error| error.to_string()))
    }

    /// The shortest and the longest of something under `key`: two durations.
    pub(super) fn span(&self, key: &'static str) -> Option<(Duration, Duration)> {
        self.read(key, |value| {
            let mend = "write the shortest and the longest, such as [\"5ms\", \"40ms\"]";
            let DeValue::Array(items) = value else { return Err(format!("is {}; {mend}", kind_of(value))) };
            let duration = |item: &toml::Spanned<DeValue<'t>>| {
                honeymesh_format::parse_duration(text_of(item.get_ref())?).map_err(|error| error.to_string())
            };
            match items.iter().map(duration).collect::<Result<Vec<_>, String>>()?.as_slice() {
                [least, most] if least <= most => Ok((*least, *most)),
                _ => Err(format!("is no span; {mend}")),
            }
        })
    }

    /// Names every key that nobody asked for, each with the nearest one that somebody did.
    pub(super) fn finish(&self) {
        let known = self.known.borrow();
        for key in self.table.into_iter().flat_map(DeTable::keys) {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let mend = format!("the nearest known one is `{}`", nearest(name, &known));
                self.doc.wrong(&key.span(), format!("unknown key `{name}` in {}; {mend}", self.title));
            }
        }
    }
}

fn nearest<'w>(name: &str, known: &[&'w str]) -> &'w str {
    known.iter().copied().min_by_key(|candidate| strsim::osa_distance(name, candidate)).unwrap_or_default()
}

fn text_of<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    match value {
        DeValue::String(text) => Ok(text),
        other => Err(format!("is {}; write a text in quotes", kind_of(other))),
    }
}

const fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
