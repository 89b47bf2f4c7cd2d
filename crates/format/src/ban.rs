//! A ban in JSON.

use crate::time_seconds;
use honeymesh_types::{Ban, Reasons};
use serde::{Deserialize, Serialize};

/// A ban in force, as `honeymesh bans --json` and `GET /api/v1/bans` list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanJson {
    /// The prefix in canonical form, always with its length: `203.0.113.7/32`.
    pub subject: String,
    /// Why, any of `trap`, `scan`, `mesh`, `manual`, `feed`, in this order.
    pub reasons: Vec<String>,
    /// The best evidence: `spoofable`, `reactive`, `handshake`, `payload`, `hostile` or `operator`.
    pub grade: String,
    /// Which packets: `all`, or `dark` (only those to ports that serve nothing).
    pub scope: String,
    /// The names of the nodes that claim it, sorted.
    pub origins: Vec<String>,
    /// When it began: RFC 3339, UTC, whole seconds.
    pub since: String,
    /// When it ends; null is `forever`.
    pub until: Option<String>,
    /// Whether the kernel holds it: false in mode `observe`, when a record is only observed, or where the kernel has refused it.
    pub enforced: bool,
    /// Packets that this node's kernel dropped because of it.
    pub drops: u64,
    /// The operator's words; left out when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// It is not enforced because the kernel has refused it, and is tried again with every audit; left out when it was not.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub refused: bool,
}

impl BanJson {
    /// A ban with the kernel's count of dropped packets.
    #[must_use]
    pub fn new(ban: &Ban, drops: u64) -> Self {
        Self {
            subject: ban.subject.to_string(),
            reasons: reason_words(ban.reasons),
            grade: ban.grade.to_string(),
            scope: ban.scope.to_string(),
            origins: ban.origins.clone(),
            since: time_seconds(ban.since),
            until: ban.until.map(time_seconds),
            enforced: ban.enforced,
            drops,
            note: ban.note.clone(),
            refused: false,
        }
    }

    /// The same for a ban that the kernel has refused, if it has.
    #[must_use]
    pub fn if_refused(mut self, is_refused: bool) -> Self {
        self.refused = self.enforced && is_refused;
        self.enforced &= !is_refused;
        self
    }
}

pub(crate) fn reason_words(reasons: Reasons) -> Vec<String> {
    reasons.words().map(Into::into).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::json_text;
    use honeymesh_types::{Grade, Scope, WallTime};

    pub(crate) fn ban() -> Ban {
        Ban {
            subject: "203.0.113.7".parse().unwrap(),
            reasons: Reasons::TRAP | Reasons::SCAN,
            grade: Grade::Payload,
            scope: Scope::All,
            origins: vec!["edge-1".into()],
            since: WallTime(1_795_341_600_400_000),
            until: Some(WallTime(1_795_428_000_400_000)),
            enforced: true,
            note: None,
        }
    }

    #[test]
    fn a_ban_is_written_as_the_contract_says() {
        let contract = r#"{"subject":"203.0.113.7/32","reasons":["trap","scan"],"grade":"payload","scope":"all","origins":["edge-1"],"since":"2026-11-22T10:00:00Z","until":"2026-11-23T10:00:00Z","enforced":true,"drops":41}"#;
        assert_eq!(json_text(&BanJson::new(&ban(), 41)).unwrap(), contract);
        assert_eq!(serde_json::from_str::<BanJson>(contract).unwrap(), BanJson::new(&ban(), 41));
    }

    #[test]
    fn forever_is_null_and_a_note_is_added_at_the_end() {
        let forever = Ban { until: None, note: Some("x".into()), ..ban() };
        let text = json_text(&BanJson::new(&forever, 0)).unwrap();
        assert!(text.ends_with(r#""until":null,"enforced":true,"drops":0,"note":"x"}"#), "{text}");
    }
}
