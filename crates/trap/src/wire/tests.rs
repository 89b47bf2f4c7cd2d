//! What the messages are, octet by octet, and what is none.

use super::*;

const KNOWN: [u8; TRANSFER_BYTES] = *b"0123456789abcdef";

fn findings() -> Findings {
    let mut findings = Findings { signs: Signs::CREDENTIALS, ..Findings::default() };
    findings.fields.insert("username".into(), "root".into());
    findings
}

fn marks() -> Marks {
    let entropy = Entropies { whole: 1_000, window: 2_000, short: 3_000, sent: None, sent_window: None };
    let rules = vec![RuleMark { words: "r".to_owned(), points: 40, is_hostile: true }];
    Marks { shapes: [(Shape::Executable, "ok".to_owned())].into(), rules, entropy }
}

#[test]
fn the_octets_of_each_message_are_these() {
    let admissions = [
        (Admission::Setting { part: b"ab".to_vec(), is_last: false }, b"\x01ab".to_vec()),
        (Admission::Setting { part: b"c".to_vec(), is_last: true }, b"\x02c".to_vec()),
        (Admission::Admit { session: 0x0102, trap: 3, port: 22 }, b"\x03\x02\x01\0\0\0\0\0\0\x03\0\x16\0".to_vec()),
        (Admission::AdmitSlow { session: 0x0102, trap: 3, port: 22 }, b"\x10\x02\x01\0\0\0\0\0\0\x03\0\x16\0".to_vec()),
        (Admission::Dismiss(vec![1, 2]), b"\x04\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0".to_vec()),
        (
            Admission::Datagram { number: 7, trap: 1, port: 69, cut: 2, nonce_at: None, transfer: None, bytes: b"x".to_vec() },
            b"\x05\x07\0\0\0\0\0\0\0\x01\0\x45\0\x02\0\xff\xff\0x".to_vec(),
        ),
        (
            Admission::Datagram { number: 7, trap: 1, port: 69, cut: 0, nonce_at: Some(3), transfer: Some(KNOWN), bytes: vec![] },
            [&b"\x05\x07\0\0\0\0\0\0\0\x01\0\x45\0\0\0\x03\0\x01"[..], &KNOWN].concat(),
        ),
        (Admission::Listening { session: 7, wish: 3, at: None }, b"\x06\x07\0\0\0\0\0\0\0\x03\0\0".to_vec()),
        (
            Admission::Listening { session: 7, wish: 3, at: Some("192.0.2.1:4660".parse().unwrap()) },
            b"\x06\x07\0\0\0\0\0\0\0\x03\0\x04\x34\x12\xc0\0\x02\x01".to_vec(),
        ),
        (
            Admission::Listening { session: 7, wish: 3, at: Some("[2001:db8::1]:4660".parse().unwrap()) },
            b"\x06\x07\0\0\0\0\0\0\0\x03\0\x06\x34\x12\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01".to_vec(),
        ),
        (Admission::Join { session: 7, wish: 4_660 }, b"\x07\x07\0\0\0\0\0\0\0\x34\x12".to_vec()),
    ];
    for (message, octets) in admissions {
        assert_eq!(message.to_bytes(), octets);
        assert_eq!(Admission::read(&octets), Some(message));
    }
    let head = ReportHead { session: 7, bytes: 9, signs: 2, body: 3 };
    let own = Leaves::Own(Transfer { wait_ms: 63_000, known: KNOWN });
    let evidence = [
        (Evidence::Hello { pid: 5 }, b"\x01\x05\0\0\0".to_vec()),
        (Evidence::Report { head, part: b"xyz" }, b"\x02\x07\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x02\0\x03\0\0\0xyz".to_vec()),
        (Evidence::Part(b"more"), b"\x03more".to_vec()),
        (Evidence::Over { session: 7, lost: 1, fault: b"a.rs:1" }, b"\x04\x07\0\0\0\0\0\0\0\x01\0\0\0a.rs:1".to_vec()),
        (Evidence::Gone { status: 11, pause_ms: 640 }, b"\x05\x0b\0\0\0\x80\x02\0\0".to_vec()),
        (
            Evidence::Answer { number: 7, nonce_at: None, leaves: Leaves::Asked, bytes: b"x" },
            b"\x06\x07\0\0\0\0\0\0\0\xff\xff\0x".to_vec(),
        ),
        (
            Evidence::Answer { number: 7, nonce_at: Some(2), leaves: own, bytes: b"" },
            [&b"\x06\x07\0\0\0\0\0\0\0\x02\0\x01\x18\xf6\0\0"[..], &KNOWN].concat(),
        ),
        (Evidence::Listen { session: 7, wish: 4_660 }, b"\x07\x07\0\0\0\0\0\0\0\x34\x12".to_vec()),
    ];
    for (message, octets) in evidence {
        assert_eq!(message.to_bytes(), octets);
        assert_eq!(Evidence::read(&octets), Some(message));
    }
    assert_eq!(body(&findings(), None, b"PAY"), b"\x01\x08username\x04\0root\xffPAY");
    let expected = b"\x01\x08username\x04\0root\x01\x06\x02ok\x01\x28\x01\x01r\xe8\x03\xd0\x07\xb8\x0b\xff\xff\xff\xffPAY";
    assert_eq!(body(&findings(), Some(&marks()), b"PAY"), expected);
}

#[test]
fn what_is_cut_short_or_unknown_is_no_message() {
    for octets in [
        &b""[..],
        b"\0",
        b"\x06\x07",
        b"\x07",
        b"\x07\x07\0\0\0\0\0\0\0\x34",
        b"\x01\x05",
        b"\x02\x07\0\0",
        b"\x04\x07\0\0\0\0\0\0\0\x01",
        b"\x05",
        b"\x06\x07\0\0\0\0\0\0\0\xff\xff",
        b"\x06\x07\0\0\0\0\0\0\0\xff\xff\x02",
        b"\x06\x07\0\0\0\0\0\0\0\xff\xff\x01\0\0\0\0short",
    ] {
        assert_eq!(Evidence::read(octets), None, "{octets:?}");
    }
    for octets in [
        &b""[..],
        b"\0",
        b"\x03\x02\x01",
        b"\x05\x01",
        b"\x05\x07\0\0\0\0\0\0\0\x01\0\x45\0\x02\0\xff\xff\x01short",
        b"\x09",
        b"\x06\x07\0\0\0\0\0\0\0\x03\0",
        b"\x06\x07\0\0\0\0\0\0\0\x03\0\x05\x34\x12\xc0\0\x02\x01",
        b"\x06\x07\0\0\0\0\0\0\0\x03\0\x06\x34\x12\xc0\0\x02\x01",
        b"\x07\x07\0\0\0\0\0\0\0\x34",
    ] {
        assert_eq!(Admission::read(octets), None, "{octets:?}");
    }
}

#[test]
fn a_long_report_is_cut_into_packets_that_are_written_whole() {
    let payload: Vec<u8> = (0..20_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let body = body(&findings(), Some(&marks()), &payload);
    let made: Vec<Vec<u8>> = packets(1, 20_000, Signs::CREDENTIALS, &body).collect();
    assert!(made.len() == 5 && made.iter().all(|packet| packet.len() <= PACKET_BYTES_MAX));
    let mut whole = Vec::new();
    for packet in &made {
        match Evidence::read(packet).unwrap() {
            Evidence::Report { part, .. } | Evidence::Part(part) => whole.extend_from_slice(part),
            other => panic!("{other:?}"),
        }
    }
    let expected = Body { findings: findings(), marks: Some(marks()), payload };
    assert_eq!(read_body(Signs::CREDENTIALS.bits(), &whole), Some(expected));
}

#[test]
fn a_taken_over_sender_cannot_send_what_a_terminal_obeys() {
    let mut wild = findings();
    wild.fields.insert("password".into(), "a\u{1b}[2J\r\nforged\u{202e}".into());
    let mut wild_marks = marks();
    wild_marks.shapes.insert(Shape::Jndi, "a\u{1b}[2J\r\nforged".into());
    wild_marks.rules[0] = RuleMark { words: "a\u{1b}[2J\r\nforged".into(), points: 200, is_hostile: false };
    wild_marks.entropy.window = 60_000;
    let Body { findings: read, marks: read_marks, .. } = read_body(0, &body(&wild, Some(&wild_marks), b"")).unwrap();
    let read_marks = read_marks.unwrap();
    assert!(read_marks.shapes[&Shape::Jndi].chars().all(|c| matches!(c, ' '..='~')), "{read_marks:?}");
    assert!(read_marks.rules[0].words.chars().all(|c| matches!(c, ' '..='~')), "{read_marks:?}");
    assert_eq!((read_marks.rules[0].points, read_marks.entropy.window), (100, 8_000));
    assert!(read.fields["password"].chars().all(|c| matches!(c, ' '..='~')), "{read:?}");
    assert_eq!(read.fields["username"], "root");
    for body in [
        &b"\x01\x03a b\x01\0x"[..],
        b"\x01\x00\x01\0x",
        b"\xff",
        b"\x01\x08user",
        b"\x01\x01a\xff\xffx",
        b"\0\x01\xfe\0",
        b"\0\x01\0\x09x",
        b"\0\0\x01\x28\x01\x09r",
        b"\0\0\x11",
    ] {
        assert_eq!(read_body(0, body), None, "{body:?}");
    }
    assert_eq!(read_body(u16::MAX, b"\0\xff").unwrap().findings.signs, Signs::all(), "unknown signs are left out");
}
