//! The allowlist in JSON.

use serde::{Deserialize, Serialize};

/// One net that is never banned, as `honeymesh allow list --json` and `GET /api/v1/allow` list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowJson {
    /// The prefix in canonical form: `10.0.0.0/8`.
    pub net: String,
    /// Why: `allowlist`, or what was found live: `own`, `gateway`, `resolver`, `peer`, `operator`.
    pub why: String,
    /// Where an `allowlist` entry comes from: `config` or `operator`; left out for what was found live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// The body of `POST /api/v1/allow`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowOrderJson {
    /// An address or a prefix without host bits.
    pub net: String,
}
