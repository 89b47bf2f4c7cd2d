//! Captured bytes that were kept once, in JSON.

use serde::{Deserialize, Serialize};

/// What a stranger sent, as `honeymesh payload HASH --json` and `GET /api/v1/payloads/{hash}` write it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadJson {
    /// The SHA-256 of the bytes, in hexadecimal digits.
    pub sha256: String,
    /// How many bytes.
    pub size: u64,
    /// When they were first seen: RFC 3339, UTC, microseconds.
    pub first_seen: String,
    /// When they were last seen.
    pub last_seen: String,
    /// In how many events.
    pub count: u64,
    /// The bytes, standard base64 with padding.
    pub payload_base64: String,
}
