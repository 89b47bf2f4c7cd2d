//! An event in JSON, both ways.

use crate::{ban::reason_words, parse_time, time_micros, time_seconds};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use honeymesh_types::{Event, EventKind, Reasons, Transport};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, str::FromStr};

/// An event, as `honeymesh events --json`, `export` and `GET /api/v1/events` write it. What does not apply to
/// the event's kind is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventJson {
    /// A UUID version 7: sorts by time.
    pub id: String,
    /// When: RFC 3339, UTC, microseconds.
    pub at: String,
    /// The name of the node that saw it.
    pub node: String,
    /// `knock`, `visit`, `scan`, `ban`, `unban`, `expire`, `mesh` or `audit`.
    pub kind: String,
    /// Whom it concerns, as an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The source's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    /// The trap's name in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trap: Option<String>,
    /// The port that was touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `tcp` or `udp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// How sure: the words of a ban's grade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<String>,
    /// How many bytes the stranger sent, captured or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Shannon entropy of those bytes in bits per byte, 0 to 8, two decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// How hostile it looks: 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u8>,
    /// Whom it concerns, as a prefix: bans, unbans, expiries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Why: the words of a ban's reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Which packets: `all` or `dark`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Until when, whole seconds. Always there in a `ban`, where null is `forever`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub until: Option<Option<String>>,
    /// The captured bytes, standard base64 with padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// The SHA-256 of the captured bytes, in hexadecimal digits; there even if the bytes were deleted meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_sha256: Option<String>,
    /// Named facts, such as `username`. Names and values are a stranger's words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// Why JSON is no event: the field and what is wrong with it. Nothing was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}`: {why}")]
pub struct EventError {
    /// The field's name.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl From<&Event> for EventJson {
    fn from(event: &Event) -> Self {
        let until = match (event.kind, event.until) {
            (EventKind::Ban, until) => Some(until.map(time_seconds)),
            (_, until) => until.map(|until| Some(time_seconds(until))),
        };
        Self {
            id: event.id.to_string(),
            at: time_micros(event.at),
            node: event.node.to_string(),
            kind: event.kind.to_string(),
            source: event.source.map(|source| source.to_string()),
            source_port: event.source_port,
            trap: event.trap.clone(),
            port: event.port,
            transport: event.transport.map(|transport| transport.to_string()),
            grade: event.grade.map(|grade| grade.to_string()),
            bytes: event.bytes,
            entropy: event.entropy_millibits.map(entropy_bits),
            score: event.score,
            subject: event.subject.map(|subject| subject.to_string()),
            reasons: reason_words(event.reasons),
            scope: event.scope.map(|scope| scope.to_string()),
            until,
            payload_base64: (!event.payload.is_empty()).then(|| STANDARD.encode(&event.payload)),
            payload_sha256: payload_hash(&event.payload).or(event.payload_gone).map(hash_text),
            fields: event.fields.clone(),
        }
    }
}

impl TryFrom<&EventJson> for Event {
    type Error = EventError;

    /// Reads every field back; entropy comes back as precise as it was written.
    fn try_from(json: &EventJson) -> Result<Self, EventError> {
        let mut event = Self::new(
            word("id", &json.id)?,
            parse_time(&json.at).map_err(|error| wrong("at", error))?,
            word("node", &json.node)?,
            word("kind", &json.kind)?,
        );
        event.source = optional("source", json.source.as_deref())?;
        event.source_port = json.source_port;
        event.trap.clone_from(&json.trap);
        event.port = json.port;
        event.transport = json.transport.as_deref().map(transport).transpose()?;
        event.grade = optional("grade", json.grade.as_deref())?;
        event.bytes = json.bytes;
        event.entropy_millibits = json.entropy.map(entropy_millibits).transpose()?;
        event.score = json.score;
        event.subject = optional("subject", json.subject.as_deref())?;
        event.reasons = reasons(&json.reasons)?;
        event.scope = optional("scope", json.scope.as_deref())?;
        let until = json.until.iter().flatten().next();
        event.until = until.map(|text| parse_time(text)).transpose().map_err(|error| wrong("until", error))?;
        event.payload = payload(json.payload_base64.as_deref())?;
        event.payload_gone = hash(json)?;
        event.fields.clone_from(&json.fields);
        Ok(event)
    }
}

/// Millibits as bits with two decimals.
fn entropy_bits(millibits: u16) -> f64 {
    f64::from((u32::from(millibits) + 5) / 10) / 100.0
}

fn entropy_millibits(bits: f64) -> Result<u16, EventError> {
    if !(0.0..=8.0).contains(&bits) {
        return Err(wrong("entropy", "it is a number from 0 to 8"));
    }
    // In range, so neither truncated nor negative.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0.0 to 8000.0 fits a u16")]
    Ok((bits * 1_000.0).round() as u16)
}

fn reasons(words: &[String]) -> Result<Reasons, EventError> {
    words.iter().map(|text| word::<Reasons>("reasons", text)).try_fold(Reasons::empty(), |all, one| Ok(all | one?))
}

fn transport(word: &str) -> Result<Transport, EventError> {
    let known = [Transport::Tcp, Transport::Udp].into_iter().find(|transport| transport.as_str() == word);
    known.ok_or_else(|| wrong("transport", format!("`{word}` is not one of tcp|udp")))
}

/// The SHA-256 of captured bytes; `None` if there are none.
#[must_use]
pub fn payload_hash(payload: &[u8]) -> Option<[u8; 32]> {
    (!payload.is_empty()).then(|| Sha256::digest(payload).into())
}

/// A hash as 64 hexadecimal digits.
#[must_use]
pub fn hash_text(hash: [u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash in 64 hexadecimal digits; `None`: they are something else.
#[must_use]
pub fn parse_hash(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut hash = [0; 32];
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

/// The hash of bytes that are not there; one of bytes that are is theirs already.
fn hash(json: &EventJson) -> Result<Option<[u8; 32]>, EventError> {
    match (&json.payload_sha256, &json.payload_base64) {
        (Some(text), None) => parse_hash(text).map(Some).ok_or_else(|| wrong("payload_sha256", "it is 64 hexadecimal digits")),
        _ => Ok(None),
    }
}

/// Bytes as standard base64 with padding.
#[must_use]
pub fn base64_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of standard base64 with padding; `None`: it is none.
#[must_use]
pub fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn payload(base64: Option<&str>) -> Result<Vec<u8>, EventError> {
    base64.map_or(Ok(Vec::new()), |text| STANDARD.decode(text).map_err(|error| wrong("payload_base64", error)))
}

fn word<T: FromStr<Err: ToString>>(field: &'static str, text: &str) -> Result<T, EventError> {
    text.parse().map_err(|error: T::Err| wrong(field, error))
}

fn optional<T: FromStr<Err: ToString>>(field: &'static str, text: Option<&str>) -> Result<Option<T>, EventError> {
    text.map(|text| word(field, text)).transpose()
}

fn wrong(field: &'static str, why: impl ToString) -> EventError {
    EventError { field, why: why.to_string() }
}

/// Tells a field that is null from one that is not there.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::json_text;
    use honeymesh_types::{EventId, Grade, Scope, WallTime};
    use proptest::prelude::*;

    pub(crate) fn visit() -> Event {
        let at = WallTime(1_795_341_600_123_456);
        let mut event = Event::new(EventId::new(at, 7), at, "edge-1".parse().unwrap(), EventKind::Visit);
        event.source = Some("203.0.113.7".parse().unwrap());
        event.source_port = Some(51_514);
        event.trap = Some("ssh".into());
        event.port = Some(22);
        event.transport = Some(Transport::Tcp);
        event.grade = Some(Grade::Payload);
        event.bytes = Some(48);
        event.entropy_millibits = Some(4_312);
        event.score = Some(62);
        event.payload = b"SSH-2.0-Go\r\n".to_vec();
        event.fields = BTreeMap::from([("username".into(), "root".into())]);
        event
    }

    pub(crate) fn banned() -> Event {
        let at = WallTime(1_795_341_600_123_456);
        let mut event = Event::new(EventId::new(at, 8), at, "edge-1".parse().unwrap(), EventKind::Ban);
        event.subject = Some("203.0.113.7".parse().unwrap());
        event.reasons = Reasons::TRAP | Reasons::SCAN;
        event.scope = Some(Scope::All);
        event
    }

    #[test]
    fn a_visit_is_written_as_the_contract_says() {
        let golden = r#"{"id":"019fad5c-e47b-7000-8000-000000000007","at":"2026-11-22T10:00:00.123456Z","node":"edge-1","kind":"visit","source":"203.0.113.7","source_port":51514,"trap":"ssh","port":22,"transport":"tcp","grade":"payload","bytes":48,"entropy":4.31,"score":62,"payload_base64":"U1NILTIuMC1Hbw0K","payload_sha256":"e9e55307b9c6c1bf5bae2abdb628281d89d5ba57d8805fa8a09ee0bdc672ee5f","fields":{"username":"root"}}"#;
        let text = json_text(&EventJson::from(&visit())).unwrap();
        let id = visit().id.to_string();
        assert_eq!(text, golden.replace("019fad5c-e47b-7000-8000-000000000007", &id));
    }

    #[test]
    fn a_ban_for_ever_says_so_and_other_kinds_have_no_end() {
        let text = json_text(&EventJson::from(&banned())).unwrap();
        let tail = r#""kind":"ban","subject":"203.0.113.7/32","reasons":["trap","scan"],"scope":"all","until":null}"#;
        assert!(text.ends_with(tail), "{text}");
        assert_eq!(serde_json::from_str::<EventJson>(&text).unwrap(), EventJson::from(&banned()));
        assert!(!json_text(&EventJson::from(&visit())).unwrap().contains("until"));
    }

    #[test]
    fn bad_fields_are_named() {
        let good = EventJson::from(&visit());
        let gone = EventJson { payload_base64: None, payload_sha256: Some("e9".into()), ..good.clone() };
        let table: [(EventJson, &str); 6] = [
            (gone, "field `payload_sha256`: "),
            (EventJson { at: "noon".into(), ..good.clone() }, "field `at`: `noon` is no time"),
            (EventJson { kind: "vist".into(), ..good.clone() }, "field `kind`: `vist` is not one of"),
            (EventJson { entropy: Some(8.1), ..good.clone() }, "field `entropy`: "),
            (EventJson { payload_base64: Some("?".into()), ..good.clone() }, "field `payload_base64`: "),
            (EventJson { source: Some("host".into()), ..good }, "field `source`: "),
        ];
        for (json, begin) in table {
            let error = Event::try_from(&json).unwrap_err().to_string();
            assert!(error.starts_with(begin), "{error}");
        }
    }

    fn any_event() -> impl Strategy<Value = Event> {
        let numbers = (any::<u64>(), any::<u128>(), 0..8usize, any::<Option<std::net::IpAddr>>(), any::<Option<u16>>());
        let more = (proptest::option::of(0..=8_000u16), any::<Vec<u8>>(), 0..32u16, any::<bool>());
        let words = (any::<Option<String>>(), proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4));
        (numbers, more, words).prop_map(|((at, id, kind, source, port), (entropy, payload, bits, all), (trap, fields))| {
            let at = WallTime(at % 250_000_000_000_000_000);
            let mut event = Event::new(EventId::new(at, id), at, "n".parse().unwrap(), EventKind::ALL[kind]);
            event.source = source;
            event.port = port;
            event.entropy_millibits = entropy;
            event.payload_gone = (payload.is_empty() && all).then_some([7; 32]);
            event.payload = payload;
            event.reasons = Reasons::from_bits_truncate(bits);
            event.scope = all.then_some(Scope::All);
            event.until = all.then(|| WallTime(at.0 / 1_000_000 * 1_000_000));
            event.subject = source.map(honeymesh_types::Subject::host);
            event.trap = trap;
            event.fields = fields;
            event
        })
    }

    proptest! {
        #[test]
        fn every_event_comes_back(event in any_event()) {
            let text = json_text(&EventJson::from(&event)).unwrap();
            let json: EventJson = serde_json::from_str(&text).unwrap();
            let mut back = Event::try_from(&json).unwrap();
            prop_assert_eq!(EventJson::from(&back), json);
            let rounded = event.entropy_millibits.map(|millibits| (millibits + 5) / 10 * 10);
            prop_assert_eq!(back.entropy_millibits, rounded);
            back.entropy_millibits = event.entropy_millibits;
            prop_assert_eq!(back, event);
        }
    }
}
