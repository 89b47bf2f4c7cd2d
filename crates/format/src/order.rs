//! Orders in JSON, and what became of them.

use crate::BanJson;
use serde::{Deserialize, Serialize};

/// The body of `POST /api/v1/bans`. An unknown key is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BanOrderJson {
    /// An address or a prefix without host bits.
    pub subject: String,
    /// `90s`, `5m`, `24h`, `7d` or `forever`; left out: as the configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Why, in the operator's words; at most 200 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// On this node only.
    #[serde(default)]
    pub local: bool,
    /// Allow a prefix wider than /16 (IPv4) or /32 (IPv6).
    #[serde(default)]
    pub force: bool,
}

/// The body of `PUT /api/v1/mode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModeJson {
    /// `observe`, `enforce` or `lockdown`.
    pub mode: String,
    /// With `lockdown`: how long there is to confirm it, `5s` to `1h`; left out: `60s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_within: Option<String>,
    /// With `lockdown`: the one under way is meant; it rolls back no more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub confirm: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// The body of `POST /api/v1/keys/rotate`, on the control socket only. Exactly one of `file` and `key` is given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRotateJson {
    /// The cluster's name.
    pub cluster: String,
    /// A file that the daemon can read and that holds the new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The new key itself, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl std::fmt::Debug for KeyRotateJson {
    /// Shows everything but the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.key.as_ref().map(|_| "…");
        f.debug_struct("KeyRotateJson").field("cluster", &self.cluster).field("file", &self.file).field("key", &key).finish()
    }
}

/// The body of `POST /api/v1/join-tokens`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinTokenJson {
    /// The cluster's name.
    pub cluster: String,
    /// For how long it is good, `1s` to `7d`; left out: `1h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Who will run the new machine; left out: its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// The body of `POST /api/v1/peers/revoke`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeJson {
    /// A node's name, or the beginning of its identity (4 digits or more).
    pub node: String,
    /// `false` takes a revocation back.
    pub revoked: bool,
}

/// What became of an order that was carried out: the answer to every `POST`, `PUT` and `DELETE`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneJson {
    /// One line for the operator: `203.0.113.7/32 is banned; said to primary_mesh`.
    pub detail: String,
    /// Whether the order changed anything.
    pub changed: bool,
    /// The bans as they stand now: the one that was made, or those that still cover what was unbanned.
    pub bans: Vec<BanJson>,
    /// The clusters the order was said to.
    pub clusters: Vec<String>,
    /// A join token that was made: a secret, shown only here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// With `wait`: the nodes that confirmed, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Vec<String>>,
    /// With `wait`: the nodes that had not confirmed when the time was over, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<Vec<String>>,
}
