//! One hostile corpus through every sink: whatever a stranger sends, no sink lets it act.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use honeymesh_format::{
    EventJson, Export, ExportFormat, ProblemJson, csv_cell, is_unsafe, json_pretty, json_text, printable, printable_bytes,
};
use honeymesh_types::{Event, EventId, EventKind, WallTime};
use std::collections::BTreeMap;

/// What strangers send: line ends, terminal orders, markup, formulas, bidi, NUL, bytes that are no text.
const CORPUS: &[&[u8]] = &[
    b"root\r\n2026-11-22T10:00:00Z edge-1 ban 192.0.2.1",
    b"\x1b[2J\x1b[1;1Hyou are safe\x1b]0;title\x07\x1b]8;;http://x\x1b\\",
    b"\xc2\x9b31m\xc2\x85next",
    b"<script>alert(1)</script><img src=x onerror=alert(1)>",
    b"</script><!--",
    b"=HYPERLINK(\"http://x\",\"y\")",
    b"+1+cmd|' /C calc'!A0",
    b"-2+3+cmd|' /C calc'!A0",
    b"@SUM(1+9)*cmd|' /C calc'!A0",
    b"\t=1+1",
    b"\r=1+1",
    b" =1+1",
    "\u{ff1d}1\u{ff0b}1".as_bytes(),
    "\",\"=1\",\"".as_bytes(),
    "user\u{202e}txt.exe\u{2066}\u{2069}".as_bytes(),
    "\u{feff}=1".as_bytes(),
    "a\u{2028}b\u{2029}c\u{e0041}".as_bytes(),
    b"nul\0inside",
    b"\0=1",
    b"\xff\xfe\xc0\xaf\xed\xa0\x80",
    b"'; DROP TABLE events; --",
    b"%n%s{}{{}}$(reboot)`reboot`",
    b"\"}{\"id\":\"x\"",
    b"\\u001b[31m",
];

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
    !text.chars().any(is_unsafe)
}

#[test]
fn a_terminal_obeys_nothing() {
    for bytes in CORPUS {
        assert!(is_safe(&printable_bytes(bytes)), "{bytes:?}");
        assert!(is_safe(&printable(&String::from_utf8_lossy(bytes))), "{bytes:?}");
    }
}

#[test]
fn json_stays_on_its_line_and_comes_back_as_it_was() {
    for bytes in CORPUS {
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
    for bytes in CORPUS {
        let event = hostile_event(bytes);
        let jsonl = export(ExportFormat::Jsonl, &event);
        assert!(jsonl.lines().count() == 1 && jsonl.lines().all(is_safe), "{jsonl}");
        let json = export(ExportFormat::Json, &event);
        assert_eq!(serde_json::from_str::<Vec<EventJson>>(&json).unwrap().len(), 1, "{json}");
        let csv = export(ExportFormat::Csv, &event);
        assert!(csv.split("\r\n").all(is_safe) && csv.matches("\r\n").count() == 2, "{csv}");
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        for row in reader.records().map(Result::unwrap) {
            for cell in &row {
                assert!(
                    !cell.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']),
                    "{cell:?}"
                );
            }
        }
    }
}

#[test]
fn a_cell_and_a_problem_are_one_safe_line() {
    for bytes in CORPUS {
        let text = String::from_utf8_lossy(bytes);
        assert!(is_safe(&csv_cell(&text)));
        assert!(is_safe(&ProblemJson::new(400, "Bad Request", &text).detail));
    }
}
