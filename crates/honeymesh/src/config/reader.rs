//! Reads a TOML tree key by key, remembers every key it was asked for, and collects all problems instead of the first.

use super::problem::{Place, Placed, Problem};
use std::{cell::RefCell, ops::Range, ops::RangeInclusive, str::FromStr, time::Duration};
use toml::de::{DeTable, DeValue};

/// The text of a configuration and what was found wrong with it so far.
pub(super) struct Document<'t> {
    text: &'t str,
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Document<'t> {
    /// A document and its root table. Syntax errors are collected; what could be parsed is read all the same.
    pub(super) fn parse(text: &'t str) -> (Self, DeTable<'t>) {
        let doc = Self { text, problems: RefCell::new(Vec::new()) };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let place = error.span().map(|span| doc.place(&span));
            doc.error(place, format!("{}; mend the TOML syntax here", error.message().replace('\n', ", ")));
        }
        (doc, table.into_inner())
    }

    /// Was nothing found wrong so far?
    pub(super) fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        Place::of(self.text, span)
    }

    pub(super) fn error(&self, place: Option<Place>, what: impl Into<String>) {
        self.problems.borrow_mut().push(Problem::error(place, what));
    }

    pub(super) fn warn(&self, place: Option<Place>, what: impl Into<String>) {
        self.problems.borrow_mut().push(Problem::warning(place, what));
    }

    /// Everything that was found, in the order of the file; what has no place comes last.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.place.map_or((1, None), |place| (0, Some(place))));
        problems.dedup();
        problems
    }
}

/// One table, or one that is absent and gives defaults only.
pub(super) struct Section<'d, 't> {
    pub(super) doc: &'d Document<'t>,
    /// As messages name it: `[xdp]`, `[[trap]]`, or `the top level`.
    title: String,
    /// Where it begins; `None` if it is absent.
    pub(super) place: Option<Place>,
    table: Option<&'d DeTable<'t>>,
    known: RefCell<Vec<&'static str>>,
}

impl<'d, 't> Section<'d, 't> {
    /// The root of `table`.
    pub(super) fn root(doc: &'d Document<'t>, table: &'d DeTable<'t>) -> Self {
        Self { doc, title: "the top level".into(), place: None, table: Some(table), known: RefCell::default() }
    }

    /// Has `key` been written, right or wrong?
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Where the value under `key` stands; where the table begins if it has none.
    pub(super) fn place_of(&self, key: &str) -> Option<Place> {
        let value = self.table.and_then(|table| table.get(key));
        value.map(|value| self.doc.place(&value.span())).or(self.place)
    }

    /// The table under `key`; an absent one reads as empty.
    pub(super) fn section(&self, key: &'static str) -> Self {
        let title = format!("[{}]", self.path_of(key));
        let found = self.value(key).and_then(|(place, value)| match value {
            DeValue::Table(table) => Some((place, table)),
            other => {
                self.doc.error(Some(place), format!("`{key}` is {}; write a table, {title}", kind_of(other)));
                None
            }
        });
        self.child(title, found)
    }

    /// The array of tables under `key`, in the order of the file.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Self> {
        let title = format!("[[{}]]", self.path_of(key));
        let Some((place, value)) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value else {
            self.doc.error(Some(place), format!("`{key}` is {}; write {title} in double brackets", kind_of(value)));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.item(&title, item)).collect()
    }

    fn item(&self, title: &str, item: &'d toml::Spanned<DeValue<'t>>) -> Option<Self> {
        let place = self.doc.place(&item.span());
        match item.get_ref() {
            DeValue::Table(table) => Some(self.child(title.into(), Some((place, table)))),
            other => {
                self.doc.error(Some(place), format!("{title} holds {}; write a table", kind_of(other)));
                None
            }
        }
    }

    fn child(&self, title: String, found: Option<(Place, &'d DeTable<'t>)>) -> Self {
        let (place, table) = found.unzip();
        Self { doc: self.doc, title, place, table, known: RefCell::default() }
    }

    fn path_of(&self, key: &str) -> String {
        match self.title.trim_matches(['[', ']']) {
            "the top level" => key.into(),
            parent => format!("{parent}.{key}"),
        }
    }

    /// The value under `key`, which is known from now on.
    fn value(&self, key: &'static str) -> Option<(Place, &'d DeValue<'t>)> {
        self.known.borrow_mut().push(key);
        let value = self.table?.get(key)?;
        Some((self.doc.place(&value.span()), value.get_ref()))
    }

    /// What `parse` makes of the value under `key`; nothing if it is absent or wrong (then it is a problem).
    pub(super) fn read<T>(&self, key: &'static str, parse: impl FnOnce(&DeValue<'t>) -> Result<T, String>) -> Option<Placed<T>> {
        let (place, value) = self.value(key)?;
        self.parsed(key, place, value, parse)
    }

    fn parsed<T>(
        &self,
        key: &str,
        place: Place,
        value: &DeValue<'t>,
        parse: impl FnOnce(&DeValue<'t>) -> Result<T, String>,
    ) -> Option<Placed<T>> {
        match parse(value) {
            Ok(value) => Some(Placed { value, place: Some(place) }),
            Err(what) => {
                self.doc.error(Some(place), format!("{}: {what}", self.named(key)));
                None
            }
        }
    }

    /// `[xdp] interfaces`.
    pub(super) fn named(&self, key: &str) -> String {
        if self.title.starts_with('[') { format!("{} {key}", self.title) } else { key.into() }
    }

    /// A text under `key`, as `parse` understands it.
    pub(super) fn text<T>(&self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<Placed<T>> {
        self.read(key, |value| parse(text_of(value)?))
    }

    /// A word or name under `key`.
    pub(super) fn word<T: FromStr>(&self, key: &'static str) -> Option<Placed<T>>
    where
        T::Err: std::fmt::Display,
    {
        self.text(key, |text| text.parse::<T>().map_err(|error| error.to_string()))
    }

    /// A list of texts under `key`, each as `parse` understands it; a wrong one is a problem and left out.
    pub(super) fn list<T>(&self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Placed<Vec<Placed<T>>>> {
        self.items(key, |value| parse(text_of(value)?))
    }

    /// The same, with `max` values at most: of more, the first that is too many is the one problem.
    pub(super) fn list_up_to<T>(
        &self,
        key: &'static str,
        max: usize,
        mend: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Placed<Vec<Placed<T>>>> {
        if let Some((_, DeValue::Array(items))) = self.value(key)
            && let Some(beyond) = items.get(max)
        {
            let what = format!("{}: has {} entries, {max} at most are taken; {mend}", self.named(key), items.len());
            self.doc.error(Some(self.doc.place(&beyond.span())), what);
            return None;
        }
        self.list(key, parse)
    }

    /// A list of any values under `key`, each as `parse` understands it; a wrong one is a problem and left out.
    pub(super) fn items<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&DeValue<'t>) -> Result<T, String>,
    ) -> Option<Placed<Vec<Placed<T>>>> {
        let (place, value) = self.value(key)?;
        let DeValue::Array(items) = value else {
            let mend = "write a list, such as [\"...\"]";
            self.doc.error(Some(place), format!("{}: is {}; {mend}", self.named(key), kind_of(value)));
            return None;
        };
        let one = |item: &toml::Spanned<DeValue<'t>>| {
            let place = self.doc.place(&item.span());
            self.parsed(key, place, item.get_ref(), &parse)
        };
        Some(Placed { value: items.iter().filter_map(one).collect(), place: Some(place) })
    }

    /// A whole number under `key` within `bounds`, both included.
    pub(super) fn number(&self, key: &'static str, bounds: RangeInclusive<u64>) -> Option<Placed<u64>> {
        self.read(key, |value| number_of(value, &bounds))
    }

    /// `true` or `false` under `key`; false if it is absent.
    pub(super) fn switch(&self, key: &'static str) -> bool {
        self.switch_or(key, false)
    }

    /// `true` or `false` under `key`; `default` if it is absent.
    pub(super) fn switch_or(&self, key: &'static str, default: bool) -> bool {
        self.placed_switch(key).map_or(default, |given| given.value)
    }

    /// `true` or `false` under `key` with its place.
    pub(super) fn placed_switch(&self, key: &'static str) -> Option<Placed<bool>> {
        self.read(key, |value| match value {
            DeValue::Boolean(given) => Ok(*given),
            other => Err(format!("is {}; write true or false", kind_of(other))),
        })
    }

    /// A duration under `key` within `bounds`, both included.
    pub(super) fn duration(&self, key: &'static str, bounds: RangeInclusive<Duration>) -> Option<Placed<Duration>> {
        self.text(key, |text| {
            let given = super::values::duration(text)?;
            let (low, high) = (super::values::short(*bounds.start()), super::values::short(*bounds.end()));
            if bounds.contains(&given) {
                return Ok(given);
            }
            Err(format!("`{text}` is out of range; write a duration from {low} to {high}"))
        })
    }

    /// Names every key that nobody asked for, each with the nearest one that somebody did.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        for key in self.table.into_iter().flat_map(DeTable::keys) {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let place = Some(self.doc.place(&key.span()));
                self.doc.error(place, format!("unknown key `{name}` in {}; {}", self.title, nearest(name, &known)));
            }
        }
    }
}

/// The mend for an unknown key.
fn nearest(name: &str, known: &[&'static str]) -> String {
    let nearest = known.iter().min_by_key(|candidate| strsim::osa_distance(name, candidate));
    nearest.map_or_else(|| "remove it".into(), |nearest| format!("the nearest known one is `{nearest}`"))
}

/// The text of a value.
pub(super) fn text_of<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    match value {
        DeValue::String(text) => Ok(text),
        other => Err(format!("is {}; write a text in quotes", kind_of(other))),
    }
}

/// What is written under `key` of the table `section`, if it is; an error if either is something else.
pub(super) fn text_at<'v>(root: &'v DeTable<'_>, section: &str, key: &str) -> Option<Result<&'v str, String>> {
    match root.get(section)?.get_ref() {
        DeValue::Table(table) => table.get(key).map(|value| text_of(value.get_ref())),
        other => Some(text_of(other).and(Err(format!("`{section}` is {}", kind_of(other))))),
    }
}

/// The whole number of a value, within `bounds`.
pub(super) fn number_of(value: &DeValue<'_>, bounds: &RangeInclusive<u64>) -> Result<u64, String> {
    let mend = || format!("write a whole number from {} to {}", bounds.start(), bounds.end());
    let DeValue::Integer(number) = value else { return Err(format!("is {}; {}", kind_of(value), mend())) };
    u64::from_str_radix(number.as_str(), number.radix())
        .ok()
        .filter(|given| bounds.contains(given))
        .ok_or_else(|| format!("{number} is out of range; {}", mend()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, read: impl FnOnce(&Section<'_, '_>)) -> Vec<String> {
        let (doc, table) = Document::parse(text);
        let root = Section::root(&doc, &table);
        read(&root);
        root.finish();
        doc.into_problems().iter().map(|problem| problem.line(std::path::Path::new("h"))).collect()
    }

    #[test]
    fn all_problems_are_listed_in_the_order_of_the_file() {
        let found = problems("b = 1\na = \"x\"\nzz = 1\n", |root| {
            root.number("a", 1..=3);
            root.text("b", |text| Ok(text.to_owned()));
        });
        assert_eq!(
            found,
            [
                "h:1:5: b: is a whole number; write a text in quotes",
                "h:2:5: a: is a text; write a whole number from 1 to 3",
                "h:3:1: unknown key `zz` in the top level; the nearest known one is `a`",
            ]
        );
    }

    #[test]
    fn bounds_hold_at_both_ends() {
        for (text, wrong) in [("a = 0", true), ("a = 1", false), ("a = 3", false), ("a = 4", true), ("a = -1", true)] {
            assert_eq!(
                !problems(text, |root| {
                    let _ = root.number("a", 1..=3);
                })
                .is_empty(),
                wrong,
                "{text}"
            );
        }
        let secs = Duration::from_secs;
        for (text, wrong) in [("a = \"1s\"", false), ("a = \"0s\"", true), ("a = \"61s\"", true), ("a = 5", true)] {
            assert_eq!(
                !problems(text, |root| {
                    let _ = root.duration("a", secs(1)..=secs(60));
                })
                .is_empty(),
                wrong,
                "{text}"
            );
        }
    }

    #[test]
    fn a_table_in_the_wrong_shape_is_named() {
        let found = problems("a = 1\nb = {}\n", |root| {
            root.section("a").finish();
            root.sections("b");
        });
        assert!(found[0].contains("write a table, [a]") && found[1].contains("[[b]] in double brackets"), "{found:?}");
    }

    #[test]
    fn several_syntax_errors_are_all_listed() {
        let found = problems("a = \nb = ]\n", |root| {
            root.section("a").finish();
            root.section("b").finish();
        });
        assert!(found.iter().any(|line| line.starts_with("h:1:")), "{found:?}");
        assert!(found.iter().any(|line| line.starts_with("h:2:")), "{found:?}");
    }
}
