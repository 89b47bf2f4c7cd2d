//! The bytes of a record: `version(1) | body (postcard) | extension (ignored) | Ed25519 signature(64)`.
//!
//! The signature covers a domain label and everything before itself. New fields go to the end of the body, where
//! nodes that do not know them skip them; anything else needs a new version.

use super::{
    Record, RecordError, RecordId, Said, Signed, Statement, Touch,
    touch::{self, Lists, Packed},
};
use crate::{
    Hlc,
    cluster::ClusterTag,
    hlc::Clock,
    limits::{GRACE, NOTE_BYTES_MAX, RECORD_BYTES_MAX, TOUCH_PAGE_BYTES_MAX, TTL_MAX},
};
use alloc::{string::String, vec::Vec};
use core::{net::IpAddr, time::Duration};
use ed25519_dalek::{SIGNATURE_LENGTH, Signer, SigningKey};
use honeymesh_types::{Grade, NodeId, NodeName, Reasons, Scope, Subject, WallTime};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub(crate) use super::signature::verify;

/// The only version there is.
const VERSION: u8 = 1;
/// Signed in front of every record, so that no signature made for another purpose can be one.
pub(super) const DOMAIN: &[u8] = b"honeymesh mesh record v1\0";
/// The shortest record: a version and a signature.
const BYTES_MIN: usize = 1 + SIGNATURE_LENGTH;
/// The highest score.
const SCORE_MAX: u8 = 100;

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    cluster: [u8; 8],
    origin: [u8; 32],
    name: &'a str,
    at: u64,
    net: Net,
    #[serde(borrow)]
    said: Words<'a>,
}

#[derive(Serialize, Deserialize)]
enum Net {
    V4 { addr: [u8; 4], prefix_len: u8 },
    V6 { addr: [u8; 16], prefix_len: u8 },
}

#[derive(Serialize, Deserialize)]
enum Words<'a> {
    Ban {
        reasons: u16,
        grade: u8,
        scope: u8,
        score: u8,
        ttl_ms: u32,
        linger_ms: u32,
        note: Option<&'a str>,
    },
    Unban,
    Touches {
        page: u64,
        ttl_ms: u32,
        #[serde(borrow)]
        lists: Lists<'a>,
    },
}

/// A statement as this node would have said it: cut to the limits, or refused.
pub(crate) fn compose(statement: Statement, origin: NodeId, origin_name: NodeName, at: Hlc) -> Record {
    let mut subject = statement.subject;
    let said = match statement.said {
        Said::Ban { reasons, grade, scope, ttl, score, note } => Said::Ban {
            reasons,
            grade,
            scope,
            ttl: Duration::from_millis(millis(ttl.min(TTL_MAX)).into()),
            score: score.min(SCORE_MAX),
            note: note.map(cut),
        },
        Said::Touches { page, ttl, touches } => {
            let touches = touch::composed(touches, at.wall());
            subject = touches.first().map_or(subject, |first| first.source);
            Said::Touches { page, ttl: Duration::from_millis(millis(ttl.min(TTL_MAX)).into()), touches }
        }
        Said::Unban => Said::Unban,
    };
    Record { subject, origin, origin_name, at, said, linger: Duration::ZERO }
}

/// A note cut to its limit at a character boundary.
fn cut(mut note: String) -> String {
    note.truncate(note.floor_char_boundary(NOTE_BYTES_MAX));
    note
}

/// Whole milliseconds; what does not fit was cut to [`TTL_MAX`] before.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// Signs a record.
pub(crate) fn sign(record: Record, cluster: ClusterTag, key: &SigningKey) -> Result<Signed, RecordError> {
    let (addr, prefix_len) = (record.subject.addr(), record.subject.prefix_len());
    let packed = match &record.said {
        Said::Touches { touches, .. } => Packed::pack(touches, record.at.wall())?,
        Said::Ban { .. } | Said::Unban => Packed::default(),
    };
    let body = Body {
        cluster: cluster.0,
        origin: record.origin.0,
        name: record.origin_name.as_str(),
        at: record.at.0,
        net: match addr {
            IpAddr::V4(addr) => Net::V4 { addr: addr.octets(), prefix_len },
            IpAddr::V6(addr) => Net::V6 { addr: addr.octets(), prefix_len },
        },
        said: words(&record, packed.lists()),
    };
    let mut raw = postcard::to_extend(&body, Vec::from([VERSION])).map_err(|_| RecordError::Malformed)?;
    let signature = key.sign(&signed_bytes(&raw));
    raw.extend_from_slice(&signature.to_bytes());
    if raw.len() > RECORD_BYTES_MAX {
        return Err(RecordError::Malformed);
    }
    let id = RecordId::of(&raw);
    Ok(Signed::new(record, raw.into(), id))
}

fn words<'a>(record: &'a Record, lists: Lists<'a>) -> Words<'a> {
    match &record.said {
        Said::Ban { reasons, grade, scope, ttl, score, note } => Words::Ban {
            reasons: reasons.bits(),
            grade: grade.code(),
            scope: scope.code(),
            score: *score,
            ttl_ms: millis(*ttl),
            linger_ms: millis(record.linger),
            note: note.as_deref(),
        },
        Said::Unban => Words::Unban,
        Said::Touches { page, ttl, .. } => Words::Touches { page: *page, ttl_ms: millis(*ttl), lists },
    }
}

fn signed_bytes(unsigned: &[u8]) -> Vec<u8> {
    [DOMAIN, unsigned].concat()
}

/// Reads a record without believing it: lengths and words are checked, the signature is not. Returns the cluster it
/// was signed for too.
pub(crate) fn read(raw: &[u8]) -> Result<(Record, ClusterTag), RecordError> {
    if raw.len() < BYTES_MIN || raw.len() > RECORD_BYTES_MAX || raw[0] != VERSION {
        return Err(RecordError::Malformed);
    }
    let unsigned = &raw[1..raw.len() - SIGNATURE_LENGTH];
    let (body, _extension) = postcard::take_from_bytes::<Body<'_>>(unsigned).map_err(|_| RecordError::Malformed)?;
    let (said, linger) = heard(&body.said, Hlc(body.at)).ok_or(RecordError::Malformed)?;
    let record = Record {
        subject: subject(&body.net).ok_or(RecordError::Malformed)?,
        origin: NodeId(body.origin),
        origin_name: body.name.parse().map_err(|_| RecordError::Malformed)?,
        at: Hlc(body.at),
        said,
        linger,
    };
    Ok((record, ClusterTag(body.cluster)))
}

/// The prefix, if it is written in its one canonical form.
fn subject(net: &Net) -> Option<Subject> {
    let (addr, prefix_len) = match *net {
        Net::V4 { addr, prefix_len } => (IpAddr::from(addr), prefix_len),
        Net::V6 { addr, prefix_len } => (IpAddr::from(addr), prefix_len),
    };
    let net = IpNet::new(addr, prefix_len).ok()?;
    let subject = Subject::new(net);
    (subject.net() == net).then_some(subject)
}

fn heard(words: &Words<'_>, at: Hlc) -> Option<(Said, Duration)> {
    match *words {
        Words::Unban => Some((Said::Unban, Duration::ZERO)),
        Words::Touches { page, ttl_ms, lists } => {
            let touches = lists.read(at.wall())?;
            Some((Said::Touches { page, ttl: Duration::from_millis(ttl_ms.into()), touches }, Duration::ZERO))
        }
        Words::Ban { reasons, grade, scope, score, ttl_ms, linger_ms, note } => {
            if note.is_some_and(|note| note.len() > NOTE_BYTES_MAX) || score > SCORE_MAX {
                return None;
            }
            let said = Said::Ban {
                reasons: Reasons::from_bits_truncate(reasons),
                grade: Grade::from_code(grade)?,
                scope: Scope::from_code(scope)?,
                ttl: Duration::from_millis(ttl_ms.into()),
                score,
                note: note.map(String::from),
            };
            Some((said, Duration::from_millis(linger_ms.into())))
        }
    }
}

/// May this record be in the set of `cluster` at all? Cheap; everything but the signature.
pub(crate) fn check(record: &Record, signed_for: ClusterTag, cluster: ClusterTag, now: WallTime) -> Result<(), RecordError> {
    if signed_for != cluster {
        return Err(RecordError::Cluster);
    }
    check_words(record)?;
    if Clock::is_future(record.at, now) {
        return Err(RecordError::Future);
    }
    if record.leaves().plus(GRACE) <= now {
        return Err(RecordError::Over);
    }
    Ok(())
}

/// What no clock and no cluster excuses.
pub(crate) fn check_words(record: &Record) -> Result<(), RecordError> {
    if record.subject.is_wide() {
        return Err(RecordError::TooWide);
    }
    if let Said::Ban { grade, ttl, .. } = &record.said {
        if *grade == Grade::Spoofable {
            return Err(RecordError::Spoofable);
        }
        if ttl.is_zero() || *ttl + record.linger > TTL_MAX {
            return Err(RecordError::Ttl);
        }
    }
    if let Said::Touches { ttl, touches, .. } = &record.said {
        let weight: usize = touches.iter().map(Touch::weight).sum();
        if touches.first().is_none_or(|first| first.source != record.subject) || weight > TOUCH_PAGE_BYTES_MAX {
            return Err(RecordError::Malformed);
        }
        if ttl.is_zero() || *ttl > TTL_MAX {
            return Err(RecordError::Ttl);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
