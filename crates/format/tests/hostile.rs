//! One hostile corpus through every sink: whatever a stranger sends, no sink lets it act.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use honeymesh_format::{
    EventJson, Export, ExportFormat, ProblemJson, csv_cell, json_pretty, json_text, printable, printable_bytes,
};
use honeymesh_types::{Event, EventId, EventKind, WallTime, is_shown_as_it_is};
use std::collections::BTreeMap;

/// Every file of `hostile`: what strangers send.
fn corpus() -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile")).unwrap();
    let corpus: Vec<Vec<u8>> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(corpus.len() > 100, "the corpus is there");
    corpus
}

fn hostile_event(bytes: &[u8]) -> Event {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let at = WallTime(1_795_341_600_000_000);
    let mut event = Event::new(EventId::new(at, 1), at, "n".parse().unwrap(), EventKind::Visit);
    event.payload = bytes.to_vec();
    event.trap = Some(text.clone());
    event.fields = BTreeMap::from([("username".into(), text.clone()), (text, "value".into())]);
    event
}

fn export(format: ExportFormat, event: &Event) -> String {
    let mut out = Vec::new();
    let mut export = Export::begin(format, &mut out).unwrap();
    export.write(event).unwrap();
    export.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn is_safe(text: &str) -> bool {
    is_shown_as_it_is(text)
}

#[test]
fn a_terminal_obeys_nothing() {
    for bytes in &corpus() {
        assert!(is_safe(&printable_bytes(bytes)), "{bytes:?}");
        assert!(is_safe(&printable(&String::from_utf8_lossy(bytes))), "{bytes:?}");
    }
}

#[test]
fn json_stays_on_its_line_and_comes_back_as_it_was() {
    for bytes in &corpus() {
        let event = hostile_event(bytes);
        let line = json_text(&EventJson::from(&event)).unwrap();
        assert!(is_safe(&line), "{line}");
        let back = Event::try_from(&serde_json::from_str::<EventJson>(&line).unwrap()).unwrap();
        assert_eq!(back, event, "{line}");
        assert!(json_pretty(&EventJson::from(&event)).unwrap().lines().all(is_safe));
    }
}

#[test]
fn every_export_holds_one_event_and_no_order() {
    for bytes in &corpus() {
        let event = hostile_event(bytes);
        let jsonl = export(ExportFormat::Jsonl, &event);
        assert!(jsonl.lines().count() == 1 && jsonl.lines().all(is_safe), "{jsonl}");
        let json = export(ExportFormat::Json, &event);
        assert_eq!(serde_json::from_str::<Vec<EventJson>>(&json).unwrap().len(), 1, "{json}");
        let csv = export(ExportFormat::Csv, &event);
        assert!(csv.split("\r\n").all(is_safe) && csv.matches("\r\n").count() == 2, "{csv}");
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        for row in reader.records().map(Result::unwrap) {
            for cell in row.iter().flat_map(|cell| cell.split(';')) {
                assert!(
                    !cell
                        .trim_start_matches(|c: char| c.is_whitespace() || c == '"')
                        .starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']),
                    "{cell:?}"
                );
            }
        }
    }
}

#[test]
fn a_cell_and_a_problem_are_one_safe_line() {
    for bytes in &corpus() {
        let text = String::from_utf8_lossy(bytes);
        assert!(is_safe(&csv_cell(&text)));
        assert!(is_safe(&ProblemJson::new(400, "Bad Request", &text).detail));
    }
}
