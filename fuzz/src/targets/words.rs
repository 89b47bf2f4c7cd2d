//! What people and clients write: numbers, times, subjects, names, keys, tokens, orders.

use crate::Input;
use honeymesh_format::{
    BanJson, BanOrderJson, EventJson, JoinTokenJson, KeyRotateJson, ModeJson, RevokeJson, StatusJson, Ttl, WhyJson, base64_bytes,
    base64_text, csv_row, hash_text, json_text, parse_duration, parse_hash, parse_time, printable, printable_bytes, time_micros,
};
use honeymesh_mesh_proto::{JoinToken, Key};
use honeymesh_types::{ClusterName, EventId, EventKind, Grade, Mode, NodeName, Reasons, Scope, Subject, Trust};
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Display, str::FromStr};

/// `kind | text`.
pub(super) fn any(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.below(24);
    let bytes = input.rest();
    let text = &*String::from_utf8_lossy(bytes);
    match kind {
        0 => again::<Subject>(text),
        1 => again::<ClusterName>(text),
        2 => again::<NodeName>(text),
        3 => again::<EventId>(text),
        4 => words(text),
        5 => times(text),
        6 => base64(bytes, text),
        7 => json::<BanOrderJson>(bytes),
        8 => json::<ModeJson>(bytes),
        9 => json::<KeyRotateJson>(bytes),
        10 => json::<JoinTokenJson>(bytes),
        11 => json::<RevokeJson>(bytes),
        12 => json::<StatusJson>(bytes),
        13 => json::<WhyJson>(bytes),
        14 => json::<BanJson>(bytes),
        15 => event(bytes),
        16 => key(text),
        17 => token(text),
        18 => shown(bytes, text),
        _ => values(text),
    }
}

/// What is read can be written, and that reads as the same.
fn again<T: FromStr<Err: Display> + ToString + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            assert!(written.parse::<T>().is_ok_and(|read| read == value), "{written:?} is not what was read");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn words(text: &str) {
    if let Ok(grade) = text.parse::<Grade>() {
        assert_eq!(grade.as_str(), text);
        assert_eq!(Grade::from_code(grade.code()), Some(grade));
    }
    if let Ok(kind) = text.parse::<EventKind>() {
        assert_eq!(kind.as_str(), text);
    }
    let _words = (text.parse::<Scope>(), text.parse::<Mode>(), text.parse::<Trust>(), text.parse::<Reasons>());
}

fn times(text: &str) {
    if let Ok(time) = parse_time(text) {
        assert_eq!(parse_time(&time_micros(time)).ok(), Some(time), "{text}");
    }
    if let Ok(duration) = parse_duration(text) {
        assert!(duration <= honeymesh_format::DURATION_MAX);
        assert_eq!(parse_duration(&format!("{}ms", duration.as_millis())).ok(), Some(duration));
    }
    let _ttl = text.parse::<Ttl>();
    let _when = honeymesh::when::parse(text);
}

fn base64(bytes: &[u8], text: &str) {
    assert_eq!(base64_bytes(&base64_text(bytes)).as_deref(), Some(bytes));
    if let Some(decoded) = base64_bytes(text) {
        assert_eq!(base64_text(&decoded), text, "two texts for the same bytes");
    }
    if let Some(hash) = parse_hash(text) {
        assert!(hash_text(hash).eq_ignore_ascii_case(text));
    }
}

/// What is read writes itself as something that reads as the same.
fn json<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return };
    let Ok(written) = json_text(&value) else { panic!("what was read cannot be written") };
    assert!(!honeymesh_format::printable(&written).contains('\u{1b}'));
    let again = serde_json::from_str::<T>(&written).map(|value| json_text(&value).ok());
    assert_eq!(again.ok().flatten().as_deref(), Some(&*written), "what was written reads as something else");
}

fn event(bytes: &[u8]) {
    json::<EventJson>(bytes);
    if let Ok(event) = serde_json::from_slice::<EventJson>(bytes) {
        let row = csv_row(&event);
        assert!(!row.trim_end().contains(['\n', '\r', '\u{1b}']), "a row of more than one line: {row:?}");
    }
}

fn key(text: &str) {
    if let Ok(key) = Key::parse(text) {
        let written = key.to_text();
        assert!(Key::parse(&written).is_ok_and(|again| again == key));
    }
}

fn token(text: &str) {
    if let Ok(token) = JoinToken::parse(text) {
        assert!(JoinToken::parse(&token.to_text()).is_ok_and(|again| again == token));
    }
}

fn shown(bytes: &[u8], text: &str) {
    for shown in [printable(text).into_owned(), printable_bytes(bytes)] {
        assert!(!shown.chars().any(honeymesh_format::is_unsafe), "{shown:?}");
    }
    let safe = honeymesh_trap_proto::safe_text(bytes, 100);
    assert!(safe.len() <= 100 && !safe.chars().any(char::is_control), "{safe:?}");
    assert_eq!(honeymesh_trap_proto::safe_text(safe.as_bytes(), 100), safe, "what is safe stays as it is");
}

fn values(text: &str) {
    use honeymesh::config::values::{addr, duration, listen, net, remote, size};
    let _values = (addr(text), duration(text), listen(text), net(text), remote(text), size(text));
}
