//! What honeydet asks over SNMP (v2c, `public`, the time since the start), as the library that it uses writes and reads it.

use super::{line::Line, real::playing};
use honeymesh_trap_proto::Definition;
use honeymesh_types::Transport;
use std::time::Duration;
use tokio::time::timeout;

/// `GetRequest` for 1.3.6.1.2.1.1.3.0, with a number of four octets as gosnmp writes it.
const UPTIME: &[u8] = b"\x30\x29\x02\x01\x01\x04\x06public\xa0\x1c\x02\x04\x4a\x3b\x2c\x1d\x02\x01\0\x02\x01\0\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x03\0\x05\0";
/// net-snmp's answer where that name is outside what may be seen.
const UNSEEN: &[u8] = b"\x30\x29\x02\x01\x01\x04\x06public\xa2\x1c\x02\x04\x4a\x3b\x2c\x1d\x02\x01\0\x02\x01\0\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x03\0\x80\0";

/// Its name, whether it takes what was answered for a honeypot, and what the honeypot says.
type Row = (&'static str, fn(Option<&str>) -> bool, &'static [u8]);

/// The rows, with what the honeypot says: OpenCanary nothing, another one a text.
const ROWS: &[Row] = &[
    // `no-response`: an empty value; a question that fails counts, too.
    ("opencanary-snmp", |value| value.is_none_or(str::is_empty), b""),
    (
        "opencanary-snmp",
        |value| value.is_none_or(str::is_empty),
        b"\x30\x1b\x02\x01\x01\x04\x06public\xa2\x0e\x02\x04\x4a\x3b\x2c\x1d\x02\x01\x01\x02\x01\0\x30\0",
    ),
    // `\D` and the end of a line, with which that pattern is published.
    (
        "generic-snmp-honeypot",
        |value| {
            let value = value.unwrap_or_default().trim().as_bytes().to_vec();
            value.windows(2).any(|two| !two[0].is_ascii_digit() && two[1] == b'\n')
        },
        b"\x30\x2c\x02\x01\x01\x04\x06public\xa2\x1f\x02\x04\x4a\x3b\x2c\x1d\x02\x01\0\x02\x01\0\x30\x11\x30\x0f\x06\x08\x2b\x06\x01\x02\x01\x01\x03\0\x04\x03a\nb",
    ),
];

/// Kind and content of the element that `bytes` begin with, and what is behind it; lengths of one octet.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [kind, length, rest @ ..] = bytes else { return None };
    let (content, behind) = rest.split_at_checked(usize::from(*length))?;
    Some((*kind, content, behind))
}

/// The first variable's value as honeydet prints it: a text as it is, nothing at all as `<nil>`, and no variable as an empty text. `None`: no answer.
fn value(answer: &[u8]) -> Option<String> {
    let (_, message, _) = element(answer)?;
    let (.., behind) = element(message)?;
    let (.., behind) = element(behind)?;
    let (_, mut pdu, _) = element(behind)?;
    for _ in 0..3 {
        (.., pdu) = element(pdu)?;
    }
    let (_, variables, _) = element(pdu)?;
    let Some((_, first, _)) = element(variables) else { return Some(String::new()) };
    let (.., behind) = element(first)?;
    let (kind, content, _) = element(behind)?;
    Some(match kind {
        4 => String::from_utf8_lossy(content).into_owned(),
        0x43 => content.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)).to_string(),
        _ => "<nil>".into(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_of_honeydet_tells_an_agent_and_nobody_is_sent_more_than_he_sent() {
    for (name, tells, stand_in) in ROWS {
        assert!(tells(value(stand_in).as_deref()), "{name} would not be told");
    }
    let traps = playing(&Definition { service: "snmp".into(), ..Definition::default() });
    let mut line = Line::open(Transport::Udp, traps.address("trap")).await.unwrap();
    line.say(UPTIME).await.unwrap();
    let answer = timeout(Duration::from_secs(20), line.hear()).await.expect("an answer").unwrap();
    assert_eq!(answer.escape_ascii().to_string(), UNSEEN.escape_ascii().to_string());
    assert_eq!(answer.len(), UPTIME.len());
    for (name, tells, _) in ROWS {
        assert!(!tells(value(&answer).as_deref()), "{name}: {}", answer.escape_ascii());
    }
}
