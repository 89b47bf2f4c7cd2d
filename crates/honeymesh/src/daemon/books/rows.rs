//! What the node keeps, as rows of the store, and back.

use crate::daemon::state_dir::hex;
use honeymesh_node::{Backing, Claim, Keep, Origin, Reach};
use honeymesh_store::{ClaimRow, LiftRow, RecordRow, Stored, Write};
use honeymesh_types::{Mode, NodeId, Reasons, Trust, WallTime};
use ipnet::IpNet;
use std::str::FromStr;

/// Names of the settings among the store's values.
const ALLOW_ADDED: &str = "allow.added";
const ALLOW_REMOVED: &str = "allow.removed";
const MODE: &str = "mode";
/// Names of the node's notes begin so.
const NOTE: &str = "note.";
/// The beginning of what is kept about one quarantined peer; its identity follows.
const QUARANTINED: &str = "quarantined.";

/// The rows of one thing to keep.
pub fn writes(keep: Keep) -> Vec<Write> {
    let meta = |key: &str, value: String| Write::Meta { key: key.into(), value };
    match keep {
        Keep::Claim(claim) => vec![Write::Claim(Box::new(row(claim)))],
        Keep::Again(claim) => vec![Write::Again(Box::new(row(claim)))],
        Keep::Forget { subject, reasons, spoofable } => vec![Write::Forget { subject, slot: slot(reasons, spoofable) }],
        Keep::Unbanned { subject, before, expires } => vec![Write::Lift(LiftRow { subject, before, expires })],
        Keep::Record { cluster, subject, id, raw, expires } => {
            vec![Write::Record(Box::new(RecordRow { cluster, subject, id: id.to_vec(), raw: raw.to_vec(), expires }))]
        }
        Keep::Allow { added, removed } => vec![meta(ALLOW_ADDED, nets(&added)), meta(ALLOW_REMOVED, nets(&removed))],
        Keep::Note { name, value } => vec![meta(&format!("{NOTE}{name}"), value)],
        Keep::Quarantined { node, cluster, net, since, raw } => {
            vec![meta(&format!("{QUARANTINED}{node}"), format!("{cluster} {net} {} {}", since.0, hex(&raw)))]
        }
        Keep::Pardoned { node } => vec![meta(&format!("{QUARANTINED}{node}"), String::new())],
        Keep::Mode { mode, configured } => vec![meta(MODE, format!("{mode} {configured}"))],
    }
}

/// Everything that was kept. A record whose identity is damaged is left out.
pub fn keeps(stored: Stored) -> Vec<Keep> {
    let value = |key: &str| stored.meta.get(key).map(String::as_str);
    let settings = settings(value(ALLOW_ADDED), value(ALLOW_REMOVED), value(MODE));
    let notes = stored.meta.iter().filter_map(|(key, value)| {
        let note = Keep::Note { name: key.strip_prefix(NOTE)?.into(), value: value.clone() };
        (!value.is_empty()).then_some(note)
    });
    let notes: Vec<Keep> = notes.collect();
    let quarantined: Vec<Keep> = stored.meta.iter().filter_map(|(key, value)| quarantined(key, value)).collect();
    let claims = stored.claims.into_iter().map(|row| Keep::Claim(claim(row)));
    let lifts =
        stored.lifts.into_iter().map(|row| Keep::Unbanned { subject: row.subject, before: row.before, expires: row.expires });
    let records = stored.records.into_iter().filter_map(|row| {
        Some(Keep::Record {
            cluster: row.cluster,
            subject: row.subject,
            id: row.id.try_into().ok()?,
            raw: row.raw.into(),
            expires: row.expires,
        })
    });
    settings.into_iter().chain(notes).chain(quarantined).chain(claims).chain(lifts).chain(records).collect()
}

/// Who was quarantined and not pardoned since. What cannot be read is left out and told: then that peer is believed again.
fn quarantined(key: &str, value: &str) -> Option<Keep> {
    let id = key.strip_prefix(QUARANTINED).filter(|_| !value.is_empty())?;
    let read = || {
        let node = NodeId(bytes(id)?.try_into().ok()?);
        let mut words = value.split(' ');
        let (cluster, net) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let since = WallTime(words.next()?.parse().ok()?);
        Some(Keep::Quarantined { node, cluster, net, since, raw: bytes(words.next()?)?.into() })
    };
    let read = read();
    if read.is_none() {
        tracing::warn!(key, "a stored quarantine cannot be read and is left out");
    }
    read
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pair = |place: usize| u8::from_str_radix(hex.get(place..place + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// What tells this node's claims on one subject apart: [`Keep::claim_key`] without the subject.
fn slot(reasons: Reasons, spoofable: bool) -> String {
    format!("{}{}", reasons.bits(), if spoofable { "s" } else { "" })
}

fn row(claim: Claim) -> ClaimRow {
    ClaimRow {
        subject: claim.subject,
        reasons: claim.reasons,
        slot: slot(claim.reasons, claim.is_spoofable()),
        origin_name: claim.origin_name,
        grade: claim.grade,
        scope: claim.scope,
        score: claim.score,
        since: claim.since,
        last: claim.last,
        until: claim.until,
        note: claim.note,
        evidence: claim.evidence,
        meshed: claim.reach == Reach::Mesh,
        force: claim.force,
    }
}

/// Only this node's own claims are kept as claims; what peers say is kept as their signed records.
fn claim(row: ClaimRow) -> Claim {
    Claim {
        subject: row.subject,
        origin: Origin::Local,
        origin_name: row.origin_name,
        reasons: row.reasons,
        grade: row.grade,
        scope: row.scope,
        score: row.score,
        since: row.since,
        last: row.last,
        until: row.until,
        note: row.note,
        evidence: row.evidence,
        trust: Trust::Override,
        backing: Backing::default(),
        reach: if row.meshed { Reach::Mesh } else { Reach::Here },
        force: row.force,
    }
}

/// Settings that cannot be read are left out and told: the configuration file holds then.
fn settings(added: Option<&str>, removed: Option<&str>, mode: Option<&str>) -> Vec<Keep> {
    let mut settings = Vec::new();
    if let (Some(added), Some(removed)) = (added, removed) {
        settings.push(Keep::Allow { added: words(added), removed: words(removed) });
    }
    if let [mode, configured] = words::<Mode>(mode.unwrap_or_default())[..] {
        settings.push(Keep::Mode { mode, configured });
    }
    settings
}

fn nets(nets: &[IpNet]) -> String {
    nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn words<T: FromStr>(text: &str) -> Vec<T> {
    let read = |word: &str| {
        let read = word.parse().ok();
        if read.is_none() {
            tracing::warn!(word, "a stored setting cannot be read and is left out");
        }
        read
    };
    text.split_whitespace().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use honeymesh_types::{EventId, Grade, Scope};

    fn back(keep: Keep) -> Vec<Keep> {
        let mut kept = Stored::default();
        for write in writes(keep) {
            match write {
                Write::Claim(row) | Write::Again(row) => kept.claims.push(*row),
                Write::Lift(row) => kept.lifts.push(row),
                Write::Record(row) => kept.records.push(*row),
                Write::Meta { key, value } => drop(kept.meta.insert(key, value)),
                Write::Forget { .. } | Write::ForgetRecord { .. } | Write::Event(_) => {}
            }
        }
        keeps(kept)
    }

    fn claim() -> Claim {
        let subject = "2001:db8::/32".parse().unwrap();
        let until = Some(WallTime(9));
        Claim {
            scope: Scope::Dark,
            score: 62,
            last: WallTime(7),
            note: Some("why not".into()),
            evidence: Some(EventId(77)),
            reach: Reach::Mesh,
            force: true,
            ..Claim::local(subject, "edge-1", Reasons::TRAP | Reasons::SCAN, Grade::Payload, WallTime(5), until)
        }
    }

    #[test]
    fn whatever_is_kept_comes_back_the_same() {
        let subject = "203.0.113.7".parse().unwrap();
        let all = [
            Keep::Claim(claim()),
            Keep::Claim(Claim { until: None, reach: Reach::Here, note: None, evidence: None, force: false, ..claim() }),
            Keep::Unbanned { subject, before: WallTime(1), expires: WallTime(2) },
            Keep::Record { cluster: "m".parse().unwrap(), subject, id: [7; 32], raw: vec![1, 2].into(), expires: WallTime(3) },
            Keep::Allow { added: vec!["10.0.0.0/8".parse().unwrap(), "::/0".parse().unwrap()], removed: Vec::new() },
            Keep::Note { name: "deed.m.00".into(), value: "0102".into() },
            Keep::Mode { mode: Mode::Observe, configured: Mode::Enforce },
            Keep::Quarantined {
                node: NodeId([0xa7; 32]),
                cluster: "m".parse().unwrap(),
                net: "240.1.0.0/16".parse().unwrap(),
                since: WallTime(7),
                raw: vec![0, 255, 16].into(),
            },
        ];
        for keep in all {
            assert_eq!(back(keep.clone()), [keep]);
        }
    }

    #[test]
    fn who_was_pardoned_comes_back_free() {
        let node = NodeId([0xa7; 32]);
        assert_eq!(back(Keep::Pardoned { node }), []);
        assert_eq!(quarantined(&format!("{QUARANTINED}{node}"), "m 240.1.0.0/16 7"), None, "damaged");
    }

    #[test]
    fn a_spoiled_setting_is_left_out() {
        assert!(settings(None, None, Some("on enforce")).is_empty());
        assert!(settings(None, None, None).is_empty());
    }

    #[test]
    fn a_claim_is_forgotten_under_the_slot_it_was_kept_under() {
        let (subject, reasons, spoofable) = Keep::claim_key(&claim());
        let Write::Claim(row) = &writes(Keep::Claim(claim()))[0] else { panic!("a claim") };
        let forget = Write::Forget { subject, slot: row.slot.clone() };
        assert_eq!(writes(Keep::Forget { subject, reasons, spoofable }), [forget]);
    }
}
