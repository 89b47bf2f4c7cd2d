//! Events as CSV (RFC 4180) that a spreadsheet can open without running anything.
//!
//! Every cell is quoted. A cell that would begin a formula gets a leading apostrophe, `payload_base64` too (base64
//! may begin with `+`), and so does one that begins with an apostrophe: a reader that wants the bytes takes one leading
//! apostrophe off, and one behind each semicolon. A spreadsheet of a country with a decimal comma cuts lines at semicolons, wherever they stand: in `fields`
//! each is written as JSON's `\u003b`, elsewhere what stands behind one is marked like a cell of its own.

use crate::{EventJson, is_unsafe, json_text, printable};
use std::borrow::Cow;

/// The columns in their order. New ones are added at the end.
pub const CSV_COLUMNS: [&str; 20] = [
    "id",
    "at",
    "node",
    "kind",
    "source",
    "source_port",
    "trap",
    "port",
    "transport",
    "grade",
    "bytes",
    "entropy",
    "score",
    "subject",
    "reasons",
    "scope",
    "until",
    "payload_base64",
    "fields",
    "payload_sha256",
];

/// The header line with its CR LF.
#[must_use]
pub fn csv_header() -> String {
    record(CSV_COLUMNS.iter().map(|name| Cow::Borrowed(*name)))
}

/// One event as a line with its CR LF. `until` of a ban for ever is `forever`; `reasons` are separated by spaces;
/// `fields` is a JSON object.
#[must_use]
pub fn csv_row(event: &EventJson) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let until = event.until.clone().map(|until| until.unwrap_or_else(|| "forever".into()));
    let fields = if event.fields.is_empty() {
        String::new()
    } else {
        json_text(&event.fields).unwrap_or_default().replace(';', "\\u003b")
    };
    let cells: [String; CSV_COLUMNS.len()] = [
        event.id.clone(),
        event.at.clone(),
        event.node.clone(),
        event.kind.clone(),
        text(&event.source),
        number(event.source_port),
        text(&event.trap),
        number(event.port),
        text(&event.transport),
        text(&event.grade),
        number(event.bytes),
        event.entropy.map(|bits| format!("{bits:.2}")).unwrap_or_default(),
        number(event.score),
        text(&event.subject),
        event.reasons.join(" "),
        text(&event.scope),
        until.unwrap_or_default(),
        text(&event.payload_base64),
        fields,
        text(&event.payload_sha256),
    ];
    record(cells.iter().map(|cell| csv_cell(cell)))
}

/// Text as a harmless cell, not yet quoted: control and bidi characters are escaped as [`printable`] does it, and a
/// cell that a spreadsheet could take for a formula gets a leading apostrophe. That is one that begins, blanks and quotes left
/// out, with `=`, `+`, `-`, `@` or their full-width forms, or at all with TAB, CR, LF, NUL or an apostrophe; what stands behind
/// a semicolon is such a cell, too. So nothing is lost: whoever takes one apostrophe off the beginning and off what stands behind each
/// semicolon has [`printable`] text.
#[must_use]
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let safe = printable(text);
    let is_marked = |part: &str| is_formula(part) || part.starts_with('\'');
    if !is_marked(text) && !safe.split(';').skip(1).any(is_marked) {
        return safe;
    }
    let mark = |part: &str| if is_marked(part) { format!("'{part}") } else { part.to_owned() };
    let mut parts = safe.split(';');
    let first = format!("{}{}", if is_marked(text) { "'" } else { "" }, parts.next().unwrap_or_default());
    Cow::Owned(std::iter::once(first).chain(parts.map(mark)).collect::<Vec<_>>().join(";"))
}

fn is_formula(text: &str) -> bool {
    let first = text.trim_start_matches(|c: char| c.is_whitespace() || c == '"' || is_unsafe(c)).chars().next();
    let begins_formula = |c| matches!(c, '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}');
    first.is_some_and(begins_formula) || text.starts_with(['\t', '\r', '\n', '\0'])
}

fn number<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn record<'a>(cells: impl Iterator<Item = Cow<'a, str>>) -> String {
    let mut writer =
        csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory cannot fail, and every record has its own writer, so lengths cannot differ.
    let _ = writer.write_record(cells.map(|cell| cell.into_owned()));
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::{banned, visit};
    use proptest::prelude::*;

    #[test]
    fn the_header_and_a_row_are_as_users_scripts_know_them() {
        let header = "\"id\",\"at\",\"node\",\"kind\",\"source\",\"source_port\",\"trap\",\"port\",\"transport\",\"grade\",\"bytes\",\
                      \"entropy\",\"score\",\"subject\",\"reasons\",\"scope\",\"until\",\"payload_base64\",\"fields\",\"payload_sha256\"\r\n";
        assert_eq!(csv_header(), header);
        let row = csv_row(&EventJson::from(&visit()));
        let tail = "\"2026-11-22T10:00:00.123456Z\",\"edge-1\",\"visit\",\"203.0.113.7\",\"51514\",\"ssh\",\"22\",\"tcp\",\"payload\",\"48\",\
                    \"4.31\",\"62\",\"\",\"\",\"\",\"\",\"U1NILTIuMC1Hbw0K\",\"{\"\"username\"\":\"\"root\"\"}\",\
                    \"e9e55307b9c6c1bf5bae2abdb628281d89d5ba57d8805fa8a09ee0bdc672ee5f\"\r\n";
        assert!(row.ends_with(tail), "{row}");
        let row = csv_row(&EventJson::from(&banned()));
        assert!(row.ends_with("\"203.0.113.7/32\",\"trap scan\",\"all\",\"forever\",\"\",\"\",\"\"\r\n"), "{row}");
    }

    #[test]
    fn formulas_are_made_harmless() {
        let table = [
            ("=1+1", "'=1+1"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\\t=1"),
            ("\r=1", "'\\r=1"),
            ("\nx", "'\\nx"),
            ("\0x", "'\\0x"),
            ("  =1", "'  =1"),
            ("\u{200b}=1", "'\\u{200b}=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\u{ff0b}1", "'\u{ff0b}1"),
            ("\u{ff0d}1", "'\u{ff0d}1"),
            ("\u{ff20}1", "'\u{ff20}1"),
            ("\"=1", "'\"=1"),
            ("'=1", "''=1"),
            ("a;=1; +2;b", "a;'=1;' +2;b"),
            ("a;'=1;'b;c'", "a;''=1;''b;c'"),
            ("plain-text", "plain-text"),
            ("a=b", "a=b"),
        ];
        for (given, cell) in table {
            assert_eq!(csv_cell(given), cell, "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn no_cell_begins_a_formula_or_breaks_its_line(text in "[;'=+@\\-\t\r\n\0 \u{ff1d}\"',]{0,4}.{0,12}") {
            let cell = csv_cell(&text).into_owned();
            prop_assert!(!cell.split(';').any(is_formula) && !cell.chars().any(is_unsafe), "{:?}", cell);
            let unmarked = cell.split(';').map(|part| part.strip_prefix('\'').unwrap_or(part)).collect::<Vec<_>>().join(";");
            prop_assert_eq!(unmarked, printable(&text), "what was marked comes back");
            let line = record([Cow::Borrowed(cell.as_str()), Cow::Borrowed("end")].into_iter());
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            let back: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
            prop_assert_eq!((back.len(), &back[0][0], &back[0][1]), (1, cell.as_str(), "end"));
        }
    }
}
