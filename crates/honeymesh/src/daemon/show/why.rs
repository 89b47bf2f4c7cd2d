//! The whole chain behind one address.

use super::id;
use honeymesh_format::{
    BanJson, ClaimJson, CorroborationJson, EventJson, GroupJson, PastJson, ProtectedJson, RecordJson, WhyBanJson, WhyJson,
    base64_text, time_micros, time_seconds,
};
use honeymesh_node::{Claim, Origin, Past, Why, WhyBan, WhyRecord};
use honeymesh_types::Subject;
use std::collections::BTreeSet;

/// Bytes of an Ed25519 signature, the last ones of a record.
const SIGNATURE_BYTES: usize = 64;

/// The chain with the kernel's drops, what it has refused, and the events that were seen.
#[must_use]
pub fn why(why: &Why, drops: impl Fn(&Subject) -> u64, refused: &BTreeSet<Subject>, events: Vec<EventJson>) -> WhyJson {
    let is_held = |why: &WhyBan| why.ban.enforced && !refused.contains(&why.ban.subject);
    let is_enforced = why.protected.is_empty() && why.bans.iter().any(is_held);
    let is_refused = why.protected.is_empty() && !is_enforced && !refused.is_empty();
    WhyJson {
        address: why.addr.to_string(),
        banned: !why.bans.is_empty(),
        enforced: is_enforced,
        mode: why.mode.to_string(),
        verdict: format!("{}{}", why.verdict, if is_refused { "; NOT in force: the kernel has refused it" } else { "" }),
        bans: why.bans.iter().map(|ban| why_ban(ban, &drops, refused.contains(&ban.ban.subject))).collect(),
        protected: why.protected.iter().map(|net| ProtectedJson { net: net.net.to_string(), why: net.why.to_string() }).collect(),
        records: why.records.iter().map(record).collect(),
        past: why.past.iter().map(past).collect(),
        events,
    }
}

fn why_ban(why: &WhyBan, drops: impl Fn(&Subject) -> u64, is_refused: bool) -> WhyBanJson {
    WhyBanJson {
        ban: BanJson::new(&why.ban, drops(&why.ban.subject)).if_refused(is_refused),
        group: why.group.map(|group| GroupJson { prefix: group.to_string(), drops: drops(&group) }),
        corroboration: why.corroboration.map(|waits| CorroborationJson {
            owners: waits.owners as u64,
            needed: waits.needed as u64,
            waits_until: time_seconds(waits.waits_until),
        }),
        claims: why.claims.iter().map(|(claim, counts)| claim_json(claim, *counts)).collect(),
        records: why.records.iter().map(record).collect(),
    }
}

fn claim_json(claim: &Claim, counts: bool) -> ClaimJson {
    let (cluster, origin_id) = match &claim.origin {
        Origin::Local => (None, None),
        Origin::Peer { cluster, node } => (Some(cluster.to_string()), Some(id(*node))),
    };
    ClaimJson {
        origin: claim.origin_name.clone(),
        cluster,
        origin_id,
        reasons: claim.reasons.words().map(str::to_owned).collect(),
        grade: claim.grade.to_string(),
        scope: claim.scope.to_string(),
        score: claim.score,
        since: time_seconds(claim.since),
        last: time_seconds(claim.last),
        until: claim.until.map(time_seconds),
        note: claim.note.clone(),
        evidence: claim.evidence.map(|event| event.to_string()),
        trust: claim.trust.to_string(),
        owner: claim.backing.owner.clone(),
        counts,
    }
}

fn record(why: &WhyRecord) -> RecordJson {
    let record = &why.record;
    let signature = why.raw.len().checked_sub(SIGNATURE_BYTES).and_then(|start| why.raw.get(start..)).unwrap_or_default();
    RecordJson {
        cluster: why.cluster.to_string(),
        subject: record.subject.to_string(),
        said: record.said.word().into(),
        origin: record.origin_name.to_string(),
        origin_id: id(record.origin),
        at: time_micros(record.at.wall()),
        until: time_seconds(record.until()),
        signature: crate::daemon::state_dir::hex(signature),
        record_base64: base64_text(&why.raw),
    }
}

fn past(past: &Past) -> PastJson {
    PastJson { subject: past.subject.to_string(), at: time_micros(past.at), how: past.how.clone() }
}
