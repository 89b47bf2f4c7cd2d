//! The whole chain behind a ban in JSON, or why there is none.

use crate::{BanJson, EventJson};
use serde::{Deserialize, Serialize};

/// Everything known about one address, as `honeymesh why --json` and `GET /api/v1/why/{ip}` tell it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WhyJson {
    /// The address that was asked about.
    pub address: String,
    /// Whether any ban covers it.
    pub banned: bool,
    /// Whether the kernel is meant to drop its packets: a ban covers it, is enforced, and nothing protects it.
    pub enforced: bool,
    /// The mode in force.
    pub mode: String,
    /// The verdict in one sentence; says why not, if it is not banned.
    pub verdict: String,
    /// All bans that cover it, narrowest first, each with its claims.
    pub bans: Vec<WhyBanJson>,
    /// What protects it, narrowest first.
    pub protected: Vec<ProtectedJson>,
    /// Signed records about it that belong to no ban of today, unbans above all.
    pub records: Vec<RecordJson>,
    /// Bans of it that ended recently, newest first.
    pub past: Vec<PastJson>,
    /// What was seen of it, newest first; a bounded number.
    pub events: Vec<EventJson>,
}

/// A ban with what holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyBanJson {
    /// The ban itself.
    #[serde(flatten)]
    pub ban: BanJson,
    /// The entry in the kernel that stands for it together with all its neighbours; null if it has one of its own.
    #[serde(default)]
    pub group: Option<GroupJson>,
    /// If it is not enforced because too few owners say so; else null.
    #[serde(default)]
    pub corroboration: Option<CorroborationJson>,
    /// Who claims it, and on what evidence.
    pub claims: Vec<ClaimJson>,
    /// The signed records about its subject.
    pub records: Vec<RecordJson>,
}

/// The one entry of a prefix in which every address (or IPv6 /64) is banned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupJson {
    /// The prefix.
    pub prefix: String,
    /// Packets that it has dropped, of all of them together.
    pub drops: u64,
}

/// How far a ban is from being corroborated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorroborationJson {
    /// How many owners say so.
    pub owners: u64,
    /// How many must.
    pub needed: u64,
    /// Until when another owner's word would agree with the last one, whole seconds.
    pub waits_until: String,
}

/// What one origin says about a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimJson {
    /// What people call the origin.
    pub origin: String,
    /// The cluster its record came by; null for this node's own claims.
    pub cluster: Option<String>,
    /// The origin's identity, 64 hexadecimal digits; null for this node's own claims.
    pub origin_id: Option<String>,
    /// Why: the words of a ban's reasons.
    pub reasons: Vec<String>,
    /// How sure.
    pub grade: String,
    /// Which packets.
    pub scope: String,
    /// How hostile it looked: 0 to 100.
    pub score: u8,
    /// When it was first said, whole seconds.
    pub since: String,
    /// When it was last said, whole seconds.
    pub last: String,
    /// When it ends; null is `forever`.
    pub until: Option<String>,
    /// The operator's words.
    pub note: Option<String>,
    /// The identity of the event that shows it.
    pub evidence: Option<String>,
    /// What the origin's words may do here.
    pub trust: String,
    /// Who runs the origin, if that was stated.
    #[serde(default)]
    pub owner: Option<String>,
    /// Whether it counts for the ban; an observed one does not.
    pub counts: bool,
}

/// A signed record of a mesh. Only records whose signature was verified exist here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordJson {
    /// The cluster it was said in.
    pub cluster: String,
    /// Whom it is about.
    pub subject: String,
    /// `ban` or `unban`.
    pub said: String,
    /// What its origin calls itself.
    pub origin: String,
    /// Its origin's identity, 64 hexadecimal digits.
    pub origin_id: String,
    /// When it was said, microseconds.
    pub at: String,
    /// When it ends, whole seconds.
    pub until: String,
    /// The origin's Ed25519 signature, hexadecimal digits.
    pub signature: String,
    /// The whole record as received, standard base64 with padding: `honeymesh peers verify` checks its signature.
    #[serde(default)]
    pub record_base64: String,
}

/// A ban that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastJson {
    /// Whose.
    pub subject: String,
    /// When it ended, microseconds.
    pub at: String,
    /// How: `expired`, `lifted by …`.
    pub how: String,
}

/// A net that cannot be banned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectedJson {
    /// The net.
    pub net: String,
    /// Why: `allowlist`, `own`, `gateway`, `resolver`, `peer` or `operator`.
    pub why: String,
}
