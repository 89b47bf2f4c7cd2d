//! The store as its users see it: through its public interface, on a real file.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use honeymesh_format::{EventJson, EventQuery, ExportFormat, Order, payload_hash};
use honeymesh_store::{ClaimRow, Error, LiftRow, Payload, RecordRow, Retention, Store, Write, export};
use honeymesh_types::{Event, EventId, EventKind, Grade, Reasons, Scope, Subject, Transport, WallTime};
use std::{collections::BTreeMap, path::Path, time::Duration};

const PATIENCE: Duration = Duration::from_secs(60);
const KEEP_ALL: Retention =
    Retention { events_max: 10_000_000, age: Duration::from_secs(3_650 * 86_400), payload_bytes_max: 1 << 40 };
/// In the year 2100: what lies long in the past is forgotten by itself.
const NOON: u64 = 4_102_488_000_000_000;

fn open(dir: &Path) -> Store {
    Store::open(dir, KEEP_ALL).unwrap()
}

fn event(number: u64) -> Event {
    let at = WallTime(NOON + number * 1_000);
    let mut event = Event::new(EventId::new(at, u128::from(number)), at, "edge-1".parse().unwrap(), EventKind::Knock);
    event.source = Some(std::net::IpAddr::V4(u32::try_from(0xcb00_7100 + number % 256).unwrap().into()));
    event
}

fn full_event() -> Event {
    Event {
        kind: EventKind::Visit,
        source: Some("2001:db8::7".parse().unwrap()),
        source_port: Some(65_535),
        trap: Some("ssh\0\u{202e}".into()),
        port: Some(22),
        transport: Some(Transport::Tcp),
        grade: Some(Grade::Hostile),
        bytes: Some(u64::MAX / 2),
        entropy_millibits: Some(7_999),
        score: Some(100),
        payload: (0..=255).collect(),
        subject: Some("2001:db8::/64".parse().unwrap()),
        reasons: Reasons::TRAP | Reasons::FEED,
        scope: Some(Scope::Dark),
        until: Some(WallTime(NOON)),
        fields: BTreeMap::from([("user\n".into(), "'; DROP TABLE events; --\0".into())]),
        ..event(1)
    }
}

fn claim(subject: &str, slot: &str) -> ClaimRow {
    ClaimRow {
        subject: subject.parse().unwrap(),
        slot: slot.into(),
        origin_name: "edge-1".into(),
        reasons: Reasons::TRAP,
        grade: Grade::Hostile,
        scope: Scope::All,
        score: 90,
        since: WallTime(NOON),
        last: WallTime(NOON + 1),
        until: None,
        note: Some("a 'note'".into()),
        evidence: Some(EventId(7)),
        meshed: true,
        force: false,
    }
}

fn record(id: u8) -> RecordRow {
    RecordRow {
        cluster: "mesh".parse().unwrap(),
        subject: "203.0.113.7".parse().unwrap(),
        id: vec![id; 32],
        raw: vec![id; 200],
        expires: WallTime::MAX,
    }
}

fn filled(dir: &Path, events: impl IntoIterator<Item = Event>) -> Store {
    let store = open(dir);
    let writer = store.writer();
    for (number, event) in events.into_iter().enumerate() {
        writer.send(Write::Event(Box::new(event))).unwrap();
        if number % 5_000 == 0 {
            writer.sync(PATIENCE).unwrap();
        }
    }
    writer.sync(PATIENCE).unwrap();
    store
}

fn query(order: Order) -> EventQuery {
    EventQuery { order, ..EventQuery::default() }
}

fn ids(store: &Store, query: &EventQuery) -> Vec<EventId> {
    store.reader().unwrap().events(query).unwrap().events.iter().map(|event| event.id).collect()
}

#[test]
fn every_field_of_an_event_comes_back_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), [full_event(), event(2)]));
    let page = open(dir.path()).reader().unwrap().events(&query(Order::Oldest)).unwrap();
    assert_eq!((page.events, page.next), (vec![full_event(), event(2)], None));
}

#[test]
fn what_must_survive_a_restart_does_and_what_was_forgotten_stays_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let lift = LiftRow { subject: "192.0.2.0/24".parse().unwrap(), before: WallTime(NOON), expires: WallTime::MAX };
    let renewed = ClaimRow { until: Some(WallTime(NOON + 5)), score: 1, ..claim("203.0.113.7", "a") };
    for write in [
        Write::Claim(Box::new(claim("203.0.113.7", "a"))),
        Write::Claim(Box::new(claim("203.0.113.7", "b"))),
        Write::Claim(Box::new(claim("203.0.113.8", "a"))),
        Write::Claim(Box::new(renewed.clone())),
        Write::Forget { subject: "203.0.113.8".parse().unwrap(), slot: "a".into() },
        Write::Forget { subject: "203.0.113.9".parse().unwrap(), slot: "never there".into() },
        Write::Lift(LiftRow { before: WallTime(1), ..lift }),
        Write::Lift(lift),
        Write::Record(Box::new(record(1))),
        Write::Record(Box::new(record(2))),
        Write::ForgetRecord { cluster: "mesh".parse().unwrap(), subject: record(1).subject, id: record(1).id },
        Write::Meta { key: "mode".into(), value: "observe".into() },
        Write::Meta { key: "mode".into(), value: "enforce".into() },
    ] {
        store.writer().send(write).unwrap();
    }
    drop(store);
    let stored = open(dir.path()).reader().unwrap().stored().unwrap();
    assert_eq!(stored.claims, [renewed, claim("203.0.113.7", "b")]);
    assert_eq!((stored.lifts, stored.records), (vec![lift], vec![record(2)]));
    assert_eq!(stored.meta, BTreeMap::from([("mode".into(), "enforce".into())]));
    assert_eq!(stored.unreadable, 0);
}

#[test]
fn pages_follow_each_other_in_both_orders_without_gap_or_repetition() {
    let dir = tempfile::tempdir().unwrap();
    // Ten events share each moment: only the order of arrival tells them apart.
    let all: Vec<Event> = (0..2_500).map(|number| Event { at: WallTime(NOON + number / 10), ..event(number) }).collect();
    let store = filled(dir.path(), all.clone());
    let reader = store.reader().unwrap();
    for order in [Order::Oldest, Order::Newest] {
        let (mut seen, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = reader.events(&EventQuery { after, limit: Some(700), ..query(order) }).unwrap();
            seen.extend(page.events.iter().map(|event| event.id));
            pages += 1;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut expected: Vec<EventId> = all.iter().map(|event| event.id).collect();
        if order == Order::Newest {
            expected.reverse();
        }
        assert_eq!((seen, pages), (expected, 4));
    }
    let page = reader.events(&EventQuery { limit: Some(u64::MAX), ..query(Order::Oldest) }).unwrap();
    assert_eq!(page.events.len(), 1_000, "a page has a limit of its own");
    let exact = reader.events(&EventQuery { limit: Some(500), after: Some(all[499].id), ..query(Order::Newest) }).unwrap();
    assert_eq!((exact.events.len(), exact.next), (499, None), "the last page knows that it is the last");
}

#[test]
fn a_page_is_bounded_in_bytes_too() {
    let dir = tempfile::tempdir().unwrap();
    let heavy = (0..12).map(|number| Event { payload: vec![0; 1 << 20], ..event(number) });
    let store = filled(dir.path(), heavy);
    let page = store.reader().unwrap().events(&query(Order::Oldest)).unwrap();
    assert_eq!((page.events.len(), page.next), (8, Some(event(7).id)));
}

#[test]
fn a_page_behind_a_deleted_event_goes_on_at_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), (10..20).map(event));
    let deleted = EventId::new(WallTime(NOON + 14_500), 0);
    let newer = ids(&store, &EventQuery { after: Some(deleted), ..query(Order::Oldest) });
    assert_eq!(newer, (14..20).map(|number| event(number).id).collect::<Vec<_>>());
    let older = ids(&store, &EventQuery { after: Some(deleted), ..query(Order::Newest) });
    assert_eq!(older, (10..15).rev().map(|number| event(number).id).collect::<Vec<_>>());
}

#[test]
fn conditions_on_time_kind_and_subject_agree_with_the_definition() {
    let dir = tempfile::tempdir().unwrap();
    let net = |text: &str| text.parse::<Subject>().unwrap();
    let subjects =
        ["0.0.0.0/0", "203.0.0.0/16", "203.0.113.0/24", "203.0.113.7", "203.0.113.8/29", "::/0", "2001:db8::/64", "2001:db8::7"];
    let mut events: Vec<Event> = (0..300).map(event).collect();
    for (number, text) in (300..).zip(subjects) {
        events.push(Event { kind: EventKind::Ban, source: None, subject: Some(net(text)), ..event(number) });
        events.push(Event { source: Some(net(text).addr()), ..event(number + 100) });
    }
    let store = filled(dir.path(), events.clone());
    let time = |number: u64| Some(WallTime(NOON + number * 1_000));
    let mut queries = vec![
        EventQuery { since: time(10), until: time(20), ..query(Order::Oldest) },
        EventQuery { since: time(290), kind: Some(EventKind::Ban), ..query(Order::Oldest) },
        EventQuery { kind: Some(EventKind::Mesh), ..query(Order::Oldest) },
    ];
    for text in subjects.into_iter().chain(["203.0.113.0/25", "198.51.100.0/24", "2001:db8::/32", "2001:db8::8"]) {
        let of = EventQuery { subject: Some(net(text)), ..query(Order::Oldest) };
        queries.extend([of, EventQuery { since: time(100), kind: Some(EventKind::Ban), ..of }]);
    }
    for query in queries {
        let expected: Vec<EventId> = events.iter().filter(|event| query.matches(event)).map(|event| event.id).collect();
        assert_eq!(ids(&store, &query), expected, "{query:?}");
    }
}

#[test]
fn old_events_are_deleted_by_number_and_the_file_shrinks() {
    let dir = tempfile::tempdir().unwrap();
    let big = |number| Event { payload: vec![7; 500], ..event(number) };
    drop(filled(dir.path(), (0..30_000).map(big)));
    let file = dir.path().join("honeymesh.db");
    let before = std::fs::metadata(&file).unwrap().len();
    let store = Store::open(dir.path(), Retention { events_max: 5_000, ..KEEP_ALL }).unwrap();
    let begin = std::time::Instant::now();
    while store.status().events > 5_500 || std::fs::metadata(&file).unwrap().len() > before / 3 {
        assert!(begin.elapsed() < PATIENCE, "{:?} of {before} bytes", store.status());
        std::thread::sleep(Duration::from_millis(20));
    }
    let oldest = store.reader().unwrap().events(&EventQuery { limit: Some(1), ..query(Order::Oldest) }).unwrap().events;
    assert_eq!(oldest, [big(30_000 - store.status().events)], "the newest are kept");
    assert_eq!(store.status().retired + store.status().events, 30_000);
}

#[test]
fn old_events_are_deleted_by_age_and_what_is_over_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let old = (0..2_500).map(|number| Event { at: WallTime(1_000_000 + number), ..event(number) });
    let store = filled(dir.path(), old);
    store.writer().send(Write::Event(Box::new(Event { at: WallTime::MAX, ..event(9_999) }))).unwrap();
    let over = ClaimRow { until: Some(WallTime(1)), ..claim("192.0.2.1", "over") };
    store.writer().send(Write::Claim(Box::new(over))).unwrap();
    store.writer().send(Write::Claim(Box::new(claim("192.0.2.2", "for ever")))).unwrap();
    store.writer().send(Write::Record(Box::new(RecordRow { expires: WallTime(1), ..record(3) }))).unwrap();
    drop(store);
    let store = Store::open(dir.path(), Retention { age: Duration::from_secs(86_400), ..KEEP_ALL }).unwrap();
    let begin = std::time::Instant::now();
    while store.status().events > 1 {
        assert!(begin.elapsed() < PATIENCE, "{:?}", store.status());
        std::thread::sleep(Duration::from_millis(20));
    }
    let stored = store.reader().unwrap().stored().unwrap();
    assert_eq!((stored.claims, stored.records), (vec![claim("192.0.2.2", "for ever")], vec![]));
    assert_eq!(ids(&store, &query(Order::Oldest)), [event(9_999).id]);
}

#[test]
fn an_export_has_every_event_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), (0..2_345).map(event));
    let reader = store.reader().unwrap();
    let text = |format, query: &EventQuery| {
        let mut out = Vec::new();
        let written = export(&reader, format, query, &mut out).unwrap();
        (written, String::from_utf8(out).unwrap())
    };
    let (written, lines) = text(ExportFormat::Jsonl, &query(Order::Oldest));
    assert_eq!((written, lines.lines().count()), (2_345, 2_345));
    let parse = |line| Event::try_from(&serde_json::from_str::<EventJson>(line).unwrap()).unwrap();
    assert!(lines.lines().map(parse).eq((0..2_345).map(event)));
    let (_, array) = text(ExportFormat::Json, &EventQuery { limit: Some(1_500), ..query(Order::Newest) });
    assert_eq!(serde_json::from_str::<Vec<EventJson>>(&array).unwrap().len(), 1_500);
    let (_, table) = text(ExportFormat::Csv, &EventQuery { until: Some(WallTime(NOON + 5_000)), ..query(Order::Oldest) });
    assert_eq!(table.matches("\r\n").count(), 1 + 5);
    let (none, nothing) = text(ExportFormat::Json, &EventQuery { limit: Some(0), ..query(Order::Oldest) });
    assert_eq!((none, nothing.as_str()), (0, "[]\n"));
}

#[test]
fn an_export_whose_reader_goes_away_ends() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), (0..10).map(event));
    let result = export(&store.reader().unwrap(), ExportFormat::Jsonl, &query(Order::Oldest), &mut Gone);
    assert!(matches!(result, Err(Error::Export(_))));
}

#[test]
fn the_same_event_twice_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), [event(1), event(1), event(2)]);
    assert_eq!((ids(&store, &query(Order::Oldest)).len(), store.status().events), (2, 2));
}

#[test]
fn a_second_reader_sees_what_is_committed_while_the_first_reads() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), [event(1)]);
    let (first, second) = (store.reader().unwrap(), store.reader().unwrap());
    let everything = query(Order::Oldest);
    assert_eq!(first.events(&everything).unwrap().events.len(), 1);
    store.writer().send(Write::Event(Box::new(event(2)))).unwrap();
    store.writer().sync(PATIENCE).unwrap();
    assert_eq!(second.events(&everything).unwrap().events.len(), 2);
    assert_eq!(first.events(&everything).unwrap().events.len(), 2);
}

#[test]
fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let writer = store.writer();
    drop(store);
    assert!(matches!(writer.send(Write::Event(Box::new(event(1)))), Err(Error::Closed)));
    assert!(matches!(writer.sync(PATIENCE), Err(Error::Closed)));
}

#[test]
fn what_was_sent_often_is_kept_once_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), KEEP_ALL).unwrap();
    let sent = |number: u128, at: u64, payload: &[u8]| {
        let mut event = Event::new(EventId(number), WallTime(NOON + at), "n".parse().unwrap(), EventKind::Visit);
        event.payload = payload.to_vec();
        store.writer().send(Write::Event(Box::new(event.clone()))).unwrap();
        event
    };
    let large = vec![7; 50_000];
    let events = [sent(1, 10, &large), sent(2, 30, &large), sent(3, 20, &large), sent(4, 40, b"other"), sent(5, 50, b"")];
    // The same event once more is no event.
    sent(1, 10, &large);
    store.writer().sync(PATIENCE).unwrap();
    let reader = store.reader().unwrap();
    assert_eq!(reader.events(&EventQuery { order: Order::Oldest, ..EventQuery::default() }).unwrap().events, events);
    let payload = reader.payload(payload_hash(&large).unwrap()).unwrap().unwrap();
    let expected = Payload { bytes: large, first_seen: WallTime(NOON + 10), last_seen: WallTime(NOON + 30), count: 3 };
    assert_eq!(payload, expected);
    assert_eq!(reader.payload([0; 32]).unwrap(), None);
    let status = store.status();
    assert_eq!((status.payloads, status.payload_bytes, status.payloads_evicted), (2, 50_005, 0));
    drop(store);
    assert_eq!(Store::open(dir.path(), KEEP_ALL).unwrap().status().payload_bytes, 50_005, "counted again at the next start");
}

#[test]
fn payloads_beyond_their_bound_go_those_first_that_were_not_seen_for_longest_and_their_events_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Retention { payload_bytes_max: 100_000, ..KEEP_ALL }).unwrap();
    let payload = |number: u32| [&number.to_be_bytes()[..], &[0; 9_996]].concat();
    for number in 0..1_000_u32 {
        let mut event = Event::new(
            EventId(u128::from(number) + 1),
            WallTime(NOON + u64::from(number)),
            "n".parse().unwrap(),
            EventKind::Visit,
        );
        event.payload = payload(number);
        store.writer().send(Write::Event(Box::new(event))).unwrap();
        if number % 100 == 0 {
            store.writer().sync(PATIENCE).unwrap();
        }
    }
    store.writer().sync(PATIENCE).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while store.status().payload_bytes > 100_000 {
        assert!(std::time::Instant::now() < deadline, "{:?}", store.status());
        std::thread::sleep(Duration::from_millis(10));
    }
    let status = store.status();
    assert_eq!((status.events, status.payloads, status.payloads_evicted), (1_000, 10, 990), "{status:?}");
    let reader = store.reader().unwrap();
    assert!(reader.payload(payload_hash(&payload(999)).unwrap()).unwrap().is_some());
    let page = reader.events(&EventQuery { order: Order::Oldest, limit: Some(1), ..EventQuery::default() }).unwrap();
    assert_eq!((page.events[0].payload.len(), page.events[0].payload_gone), (0, payload_hash(&payload(0))));
}
