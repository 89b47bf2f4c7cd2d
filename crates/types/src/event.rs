//! What happened, as it is stored, streamed and exported.

use crate::{Grade, NodeName, Reasons, Scope, Subject, Transport, UnknownWord, WallTime};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::{fmt, net::IpAddr, str::FromStr};

/// An event's identity: a UUID version 7 (RFC 9562), so that it sorts by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u128);

impl EventId {
    /// Bytes needed to print one.
    const TEXT_LEN: usize = 36;

    /// A version 7 identity from the time and 74 random bits (the upper 54 of `random` are ignored).
    #[must_use]
    pub fn new(at: WallTime, random: u128) -> Self {
        let millis = u128::from(at.as_millis() & 0xffff_ffff_ffff) << 80;
        let rand_a = (random >> 62) & 0xfff;
        let rand_b = random & ((1 << 62) - 1);
        Self(millis | 7 << 76 | rand_a << 64 | 2 << 62 | rand_b)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = alloc::format!("{:032x}", self.0);
        let parts = [&hex[0..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]];
        f.pad(&parts.join("-"))
    }
}

impl FromStr for EventId {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let unknown = || UnknownWord { got: text.chars().take(Self::TEXT_LEN).collect(), allowed: "a UUID" };
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        if text.len() != Self::TEXT_LEN || digits.len() != 32 {
            return Err(unknown());
        }
        u128::from_str_radix(&digits, 16).map(Self).map_err(|_| unknown())
    }
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A packet to a dark port.
    Knock,
    /// A trap session.
    Visit,
    /// A source crossed the scan threshold.
    Scan,
    /// A ban began, or grew (a reason, a grade, a later end).
    Ban,
    /// A ban was lifted by somebody.
    Unban,
    /// A ban ended by itself.
    Expire,
    /// A mesh peer came, went or was refused.
    Mesh,
    /// Enforcement, mode or policy changed, or the audit found drift.
    Audit,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 8] =
        [Self::Knock, Self::Visit, Self::Scan, Self::Ban, Self::Unban, Self::Expire, Self::Mesh, Self::Audit];

    /// The word in the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Knock => "knock",
            Self::Visit => "visit",
            Self::Scan => "scan",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Expire => "expire",
            Self::Mesh => "mesh",
            Self::Audit => "audit",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| UnknownWord { got: word.into(), allowed: "knock|visit|scan|ban|unban|expire|mesh|audit" })
    }
}

/// One thing that happened. Only what applies to its kind is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its identity.
    pub id: EventId,
    /// When.
    pub at: WallTime,
    /// On which node.
    pub node: NodeName,
    /// What.
    pub kind: EventKind,
    /// Whom it concerns, as an address.
    pub source: Option<IpAddr>,
    /// The source's port.
    pub source_port: Option<u16>,
    /// The trap's name in the configuration.
    pub trap: Option<String>,
    /// The port that was touched.
    pub port: Option<u16>,
    /// TCP or UDP.
    pub transport: Option<Transport>,
    /// How sure.
    pub grade: Option<Grade>,
    /// How many bytes the stranger sent.
    pub bytes: Option<u64>,
    /// Shannon entropy of those bytes, in bits per byte times 1,000 (0 to 8,000).
    pub entropy_millibits: Option<u16>,
    /// How hostile it looks: 0 to 100.
    pub score: Option<u8>,
    /// The captured bytes; bounded by the trap's capture limit.
    pub payload: Vec<u8>,
    /// The SHA-256 of captured bytes that were kept once and are not here any more.
    pub payload_gone: Option<[u8; 32]>,
    /// Whom it concerns, as a prefix: bans, unbans, expiries.
    pub subject: Option<Subject>,
    /// Why: bans.
    pub reasons: Reasons,
    /// Which packets: bans.
    pub scope: Option<Scope>,
    /// Until when: bans. `None` with kind `Ban` is for ever.
    pub until: Option<WallTime>,
    /// Named facts.
    pub fields: BTreeMap<String, String>,
}

impl Event {
    /// An event of `kind` with everything else empty.
    #[must_use]
    pub const fn new(id: EventId, at: WallTime, node: NodeName, kind: EventKind) -> Self {
        Self {
            id,
            at,
            node,
            kind,
            source: None,
            source_port: None,
            trap: None,
            port: None,
            transport: None,
            grade: None,
            bytes: None,
            entropy_millibits: None,
            score: None,
            payload: Vec::new(),
            payload_gone: None,
            subject: None,
            reasons: Reasons::empty(),
            scope: None,
            until: None,
            fields: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn identities_are_version_7_and_sort_by_time() {
        let early = EventId::new(WallTime::from_millis(1_000), u128::MAX);
        let late = EventId::new(WallTime::from_millis(1_001), 0);
        assert!(early < late);
        let text = early.to_string();
        assert_eq!((&text[14..15], text.len()), ("7", 36));
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "RFC 9562 variant: {text}");
        assert_eq!(text.parse::<EventId>().unwrap(), early);
        assert!("x".parse::<EventId>().is_err());
    }

    #[test]
    fn every_kind_has_its_word() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse::<EventKind>().unwrap(), kind);
        }
    }
}
