//! What the daemon says in JSON, as its contract fixes it. Written down here a second time on purpose: a change of the
//! daemon's own shapes must not go unnoticed.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};
use std::{collections::BTreeMap, net::IpAddr};

/// A ban in force.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Ban {
    /// The prefix.
    pub subject: String,
    /// Why.
    pub reasons: Vec<String>,
    /// How sure.
    pub grade: String,
    /// `all` or `dark`.
    pub scope: String,
    /// Who says so.
    pub origins: Vec<String>,
    /// Since when.
    #[serde(deserialize_with = "time")]
    pub since: Timestamp,
    /// Until when; `None` is for ever. The key itself must be there.
    #[serde(deserialize_with = "time_or_null")]
    pub until: Option<Timestamp>,
    /// Whether the kernel enforces it.
    pub enforced: bool,
    /// Packets dropped because of it.
    pub drops: u64,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// As any field with a reader of its own, it must be there: an absent key is an error while null is `None`.
fn time_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// Its identity.
    pub id: String,
    /// When.
    #[serde(deserialize_with = "time")]
    pub at: Timestamp,
    /// On which node.
    pub node: String,
    /// `knock`, `visit`, `scan`, `ban`, `unban`, `expire`, `mesh` or `audit`.
    pub kind: String,
    /// Whom it concerns, as an address.
    pub source: Option<IpAddr>,
    /// The trap's name.
    pub trap: Option<String>,
    /// The port that was touched.
    pub port: Option<u16>,
    /// How sure.
    pub grade: Option<String>,
    /// Whom it concerns, as a prefix.
    pub subject: Option<String>,
    /// `all` or `dark`.
    pub scope: Option<String>,
    /// What the stranger sent.
    pub payload_base64: Option<String>,
    /// Named facts.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

impl Event {
    /// A named fact as a number.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<u64> {
        self.fields.get(field)?.parse().ok()
    }
}

/// Reads the JSON that a command printed.
///
/// # Errors
/// With the text, if it is not of this shape.
pub(crate) fn read<T: serde::de::DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json).with_context(|| format!("unexpected JSON: {json}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_examples_are_understood() {
        let bans: Vec<Ban> = read(
            r#"[{"subject": "203.0.113.7/32", "reasons": ["trap", "scan"], "grade": "payload", "scope": "all",
                "origins": ["edge-1"], "since": "2026-11-22T10:00:00Z", "until": null, "enforced": true, "drops": 41}]"#,
        )
        .unwrap();
        assert_eq!((bans[0].drops, bans[0].until), (41, None));
        let event: Event = read(
            r#"{"id": "x", "at": "2026-11-22T10:00:00.123456Z", "node": "edge-1", "kind": "visit", "source": "203.0.113.7",
                "source_port": 51514, "trap": "ssh", "port": 22, "fields": {"latency_us": "41"}}"#,
        )
        .unwrap();
        assert_eq!((event.number("latency_us"), event.port), (Some(41), Some(22)));
    }

    #[test]
    fn a_missing_key_is_not_forever() {
        let json = r#"{"subject": "x", "reasons": [], "grade": "x", "scope": "x", "origins": [],
            "since": "2026-11-22T10:00:00Z", "enforced": true, "drops": 0}"#;
        assert!(read::<Ban>(json).unwrap_err().to_string().starts_with("unexpected JSON: {"));
    }
}
