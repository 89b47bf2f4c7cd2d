//! Mesh members and clusters in JSON.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One mesh member, as `honeymesh peers --json` and `GET /api/v1/peers` list it. This node is not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerJson {
    /// The cluster's name.
    pub cluster: String,
    /// What the member calls itself; null until it has spoken to this node directly. Not an identity.
    pub name: Option<String>,
    /// Its identity: the 64 hexadecimal digits of its Ed25519 public key.
    pub id: String,
    /// Where it is reached: address and port.
    pub address: String,
    /// `alive`, `suspect` or `down`; `gone` for a quarantined one that is no member any more.
    pub state: String,
    /// What its records may do here: `observe`, `corroborate`, `enforce` or `override`.
    pub trust: String,
    /// How it stands with the cluster's authority: `certified`, `expired`, `uncertified` or `revoked`; `open` without one.
    #[serde(default)]
    pub admission: String,
    /// Whether it is revoked, by the authority or on this node only.
    #[serde(default)]
    pub revoked: bool,
    /// When its certificate ends; null without one.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Who runs it, as `[[peer]]` here or else its certificate says: all nodes of one owner count as one where several must agree.
    #[serde(default)]
    pub owner: Option<String>,
    /// If it is believed no more: since when and why, with the proof.
    #[serde(default)]
    pub quarantine: Option<QuarantineJson>,
    /// When its last datagram was accepted, microseconds; null if none was.
    pub last_heard: Option<String>,
    /// Datagrams that were accepted from it.
    pub received: u64,
    /// Datagrams that were sent to it.
    pub sent: u64,
    /// New records it delivered, its own or others'.
    pub records: u64,
    /// What was refused of what it sent, counted by reason.
    pub refused: BTreeMap<String, u64>,
}

/// Why a peer is believed no more: it signed a word against an address that only a liar names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineJson {
    /// When it was noticed, microseconds.
    pub since: String,
    /// The cluster it was said in.
    pub cluster: String,
    /// Whom the record bans.
    pub subject: String,
    /// When it was said, microseconds.
    pub said_at: String,
    /// The record as received, standard base64 with padding: `honeymesh peers verify` checks its signature.
    pub record_base64: String,
}

/// One cluster, as a part of the status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterJson {
    /// Its name.
    pub name: String,
    /// What its records may do here.
    pub trust: String,
    /// This node's identity in it: 64 hexadecimal digits.
    pub id: String,
    /// The public key of its authority; null without one.
    #[serde(default)]
    pub authority: Option<String>,
    /// How this node stands with it: as in a peer.
    #[serde(default)]
    pub admission: String,
    /// When this node's certificate ends; null without one.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Where this node listens for it.
    pub listen: String,
    /// Members that answer, this node left out.
    pub members_alive: u64,
    /// Members that do not answer.
    pub members_down: u64,
    /// Records in the set, unbans included.
    pub records: u64,
    /// A fingerprint of the whole set, 32 hexadecimal digits: equal on all nodes that know the same.
    pub fingerprint: String,
    /// Datagrams that arrived.
    pub received: u64,
    /// Datagrams that were sent.
    pub sent: u64,
    /// What was refused, from members and strangers, counted by reason.
    pub refused: BTreeMap<String, u64>,
    /// What its streams did, by name: `open` is how many there are now, everything else is counted since the start.
    #[serde(default)]
    pub streams: BTreeMap<String, u64>,
}
