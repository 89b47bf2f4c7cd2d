//! What the broker says to what a client says.

use super::*;
use crate::{
    Flow, Session,
    drive::{self, Heard},
};
use honeymesh_types::Signs;
use proptest::prelude::*;

fn broker() -> Mqtt {
    Mqtt::of(&Persona::of([7; 32]))
}

fn talk(bytes: &[u8]) -> Heard {
    drive::whole(&mut broker().session(7), bytes)
}

/// As mosquitto_pub -u root -P toor -i bot connects, in 3.1.1.
const HELLO: &[u8] = b"\x10\x1b\0\x04MQTT\x04\xc2\0\x3c\0\x03bot\0\x04root\0\x04toor";
const HELLO_5: &[u8] = b"\x10\x10\0\x04MQTT\x05\x02\0\x3c\x03\x21\0\x14\0\0";
const ACCEPTED: &[u8] = b"\x20\x02\0\0";

#[test]
fn a_client_is_let_in_and_its_credentials_are_told() {
    let heard = talk(HELLO);
    assert_eq!((heard.answer.as_slice(), heard.flow, heard.findings.signs), (ACCEPTED, Flow::Telling, Signs::CREDENTIALS));
    let fields = ["client", "username", "password", "version"].map(|name| heard.findings.fields[name].as_str());
    assert_eq!(fields, ["bot", "root", "toor", "4"]);
    assert_eq!(talk(b"\x10\x10\0\x06MQIsdp\x03\x02\0\x3c\0\x02me").answer, ACCEPTED);
}

#[test]
fn a_client_may_be_silent_once_and_a_half_as_long_as_it_promises_to_speak() {
    let patience = |hello: &[u8]| {
        let mut session = broker().session(7);
        let _ = drive::begun(&mut session, &[hello]);
        session.patience().silence_ms
    };
    assert_eq!((patience(b"\x10"), patience(HELLO)), (None, Some(90_000)));
    assert_eq!(patience(b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01a"), Some(u32::MAX), "it promises nothing");
}

#[test]
fn who_is_not_let_in_is_told_so_in_its_version() {
    let refused = |hello: &[u8]| drive::whole(&mut broker().letting_in(false).session(7), hello);
    assert_eq!((refused(HELLO).answer.as_slice(), refused(HELLO).flow), (&b"\x20\x02\0\x05"[..], Flow::Close));
    assert_eq!(refused(HELLO).findings.fields["password"], "toor");
    assert_eq!(refused(HELLO_5).answer, b"\x20\x03\0\x87\0");
    assert_eq!(talk(b"\x10\x0c\0\x04MQTT\x04\0\0\x3c\0\0").answer, b"\x20\x02\0\x02", "no name to come back to");
    assert_eq!(talk(b"\x10\x0c\0\x04MQTT\x09\x02\0\x3c\0\0").answer, b"\x20\x02\0\x01", "a version that is none");
}

#[test]
fn version_5_gets_a_name_and_properties() {
    let heard = talk(HELLO_5);
    assert!(heard.answer.starts_with(b"\x20\x35\0\0\x32\x22\0\x0a\x12\0\x29auto-") && heard.answer.ends_with(b"\x21\0\x14"));
}

#[test]
fn who_subscribes_hears_what_is_retained() {
    let heard = talk(&[HELLO, b"\x82\x0b\0\x01\0\x06$SYS/#\0", b"\xc0\0", b"\x82\x06\0\x02\0\x01#\x02"].concat());
    let said = drive::said(&heard.answer);
    assert!(said.contains("\u{90}\u{3}") || heard.answer[4..].starts_with(b"\x90\x03\0\x01\0\x31"), "{said:?}");
    assert!(said.contains("$SYS/broker/versionmosquitto version 2.0.21") && said.contains("homeassistant/statusonline"));
    let topics: Vec<&str> = heard.reports.iter().filter_map(|(found, _)| found.fields.get("topic")).map(String::as_str).collect();
    assert_eq!(
        (topics, heard.findings.signs),
        (Vec::from(["$SYS/#", "#"]), Signs::CREDENTIALS),
        "listening alone is not hostile"
    );
}

#[test]
fn what_is_published_is_hostile_acknowledged_and_heard_by_who_subscribed() {
    let subscribe = b"\x82\x08\0\x01\0\x03a/+\x01";
    let publish = b"\x32\x09\0\x03a/b\x12\x34on";
    let heard = talk(&[HELLO, subscribe, publish, b"\x34\x09\0\x03z/b\0\x07up", b"\x62\x02\0\x07", b"\xe0\0"].concat());
    let expected =
        [ACCEPTED, b"\x90\x03\0\x01\x01", b"\x40\x02\x12\x34", b"\x32\x09\0\x03a/b\0\x01on", b"\x50\x02\0\x07\x70\x02\0\x07"];
    assert_eq!(heard.answer, expected.concat());
    assert_eq!(heard.flow, Flow::Close);
    let published = &heard.reports[2].0;
    assert_eq!((published.fields["topic"].as_str(), published.fields["message"].as_str()), ("a/b", "on"));
    assert_eq!(published.signs, Signs::RULE);
}

#[test]
fn what_breaks_the_protocol_ends_it() {
    for bytes in [
        &b"\xc0\0"[..],
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x10\xff\xff\xff\xff\xff",
        &[HELLO, HELLO].concat(),
        &[HELLO, b"\x80\x06\0\x02\0\x01#\x02"].concat(),
        &[HELLO, b"\x82\x06\0\x02\0\x01#\x03"].concat(),
        &[HELLO, b"\x30\x03\0\x01#"].concat(),
    ] {
        let heard = talk(bytes);
        assert_eq!((heard.flow, heard.findings.signs.contains(Signs::MALFORMED)), (Flow::Close, true), "{bytes:?}");
    }
    assert!(talk(&[HELLO_5, HELLO_5].concat()).answer.ends_with(b"\xe0\x01\x82"), "version 5 says why");
    let half = talk(&HELLO[..HELLO.len() - 6]);
    assert_eq!(half.findings.signs, Signs::MALFORMED, "what was not finished counts, too");
}

fn chat() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(HELLO.to_vec()),
        Just(HELLO_5.to_vec()),
        Just(b"\x82\x06\0\x02\0\x01#\x02".to_vec()),
        Just(b"\x82\x08\0\x02\0\x02$S\0\x01+\x01".to_vec()),
        Just(b"\xa2\x05\0\x03\0\x01#".to_vec()),
        Just(b"\x32\x09\0\x03a/b\x12\x34on".to_vec()),
        Just([&b"\x32\x83\x20\0\x03a/b\x12\x34"[..], &[b'x'; 4_092]].concat()),
        Just(b"\xc0\0\xc0\0".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..12),
    ];
    (any::<bool>(), proptest::collection::vec(word, 0..30)).prop_map(|(new, words)| {
        let hello = if new { HELLO_5 } else { HELLO };
        [hello.to_vec(), words.concat()].concat()
    })
}

proptest! {
    #[test]
    fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
        drive::law(|| broker().session(7), &bytes, &cuts)?;
    }
}
