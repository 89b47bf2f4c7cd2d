//! One write as SQL.

use crate::{
    ClaimRow, LiftRow, RecordRow, Write, key,
    number::{micros, signed},
};
use honeymesh_format::payload_hash;
use honeymesh_types::{ClusterName, Event, EventId, Subject};
use rusqlite::{Transaction, params};
use std::collections::HashMap;

/// What one write made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    /// Events.
    pub(super) events: u64,
    /// Payloads that were not there before.
    pub(super) payloads: u64,
    /// Bytes of those.
    pub(super) payload_bytes: u64,
}

/// Payloads that are known to be there, and how often and when they came again within a transaction: bots say the same thousands of
/// times, and each is counted in one step at the end.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<[u8; 32], Option<Times>>);

#[derive(Clone, Copy, Debug)]
struct Times {
    count: i64,
    first: i64,
    last: i64,
}

impl Repeats {
    /// Notes it if its payload is known.
    fn note(&mut self, hash: &[u8; 32], at: i64) -> bool {
        let Some(times) = self.0.get_mut(hash) else { return false };
        let before = times.unwrap_or(Times { count: 0, first: at, last: at });
        *times = Some(Times { count: before.count + 1, first: before.first.min(at), last: before.last.max(at) });
        true
    }

    /// Counts what was noted.
    pub(super) fn count(self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        for (hash, times) in self.0 {
            times.map_or(Ok(0), |times| seen_again(transaction, &hash, times))?;
        }
        Ok(())
    }
}

/// Carries out one write.
pub(super) fn apply(transaction: &Transaction<'_>, write: &Write, repeats: &mut Repeats) -> rusqlite::Result<Made> {
    match write {
        Write::Event(event) => return store_event(transaction, event, repeats),
        Write::Claim(claim) | Write::Again(claim) => upsert_claim(transaction, claim),
        Write::Forget { subject, slot } => forget(transaction, *subject, slot),
        Write::Lift(lift) => upsert_lift(transaction, lift),
        Write::Record(record) => upsert_record(transaction, record),
        Write::ForgetRecord { cluster, subject, id } => forget_record(transaction, cluster, *subject, id),
        Write::Meta { key, value } => transaction
            .prepare_cached("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value")?
            .execute([key, value]),
    }?;
    Ok(Made::default())
}

/// Keeps an event, and its payload if that is new; a payload that is there already is counted once more.
fn store_event(transaction: &Transaction<'_>, event: &Event, repeats: &mut Repeats) -> rusqlite::Result<Made> {
    let hash = payload_hash(&event.payload);
    if insert_event(transaction, event, hash.or(event.payload_gone))? == 0 {
        return Ok(Made::default());
    }
    let mut made = Made { events: 1, ..Made::default() };
    let at = micros(event.at);
    let Some(hash) = hash.filter(|hash| !repeats.note(hash, at)) else { return Ok(made) };
    if seen_again(transaction, &hash, Times { count: 1, first: at, last: at })? == 0 {
        let size = event.payload.len() as u64;
        transaction
            .prepare_cached(
                "INSERT INTO payloads (hash, content, size, first_seen, last_seen, seen) VALUES (?1, ?2, ?3, ?4, ?4, 1)",
            )?
            .execute(params![hash, event.payload, signed(size), at])?;
        (made.payloads, made.payload_bytes) = (1, size);
    }
    repeats.0.insert(hash, None);
    Ok(made)
}

fn seen_again(transaction: &Transaction<'_>, hash: &[u8; 32], times: Times) -> rusqlite::Result<usize> {
    let seen =
        "UPDATE payloads SET seen = seen + ?2, last_seen = max(last_seen, ?3), first_seen = min(first_seen, ?4) WHERE hash = ?1";
    transaction.prepare_cached(seen)?.execute(params![hash, times.count, times.last, times.first])
}

/// An event that is stored already stays as it is.
fn insert_event(transaction: &Transaction<'_>, event: &Event, hash: Option<[u8; 32]>) -> rusqlite::Result<usize> {
    let (net_first, net_last) = key::of_event(event).unzip();
    let fields = (!event.fields.is_empty()).then(|| serde_json::to_string(&event.fields)).transpose();
    let fields = fields.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    transaction
        .prepare_cached(
            "INSERT INTO events (id, at, node, kind, source, source_port, trap, port, transport, grade, bytes, entropy_millibits,
                 score, payload_hash, subject, reasons, scope, until, fields, net_first, net_last)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            id(event.id),
            micros(event.at),
            event.node.as_str(),
            event.kind.as_str(),
            event.source.map(|source| source.to_string()),
            event.source_port,
            event.trap,
            event.port,
            event.transport.map(|transport| transport.as_str()),
            event.grade.map(|grade| grade.as_str()),
            event.bytes.map(signed),
            event.entropy_millibits,
            event.score,
            hash,
            event.subject.map(|subject| subject.to_string()),
            event.reasons.bits(),
            event.scope.map(|scope| scope.as_str()),
            event.until.map(micros),
            fields,
            net_first,
            net_last,
        ])
}

fn upsert_claim(transaction: &Transaction<'_>, claim: &ClaimRow) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO claims (subject, slot, origin_name, reasons, grade, scope, score, since, last, until, note,
                 evidence, meshed, force)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            claim.subject.to_string(),
            claim.slot,
            claim.origin_name,
            claim.reasons.bits(),
            claim.grade.code(),
            claim.scope.code(),
            claim.score,
            micros(claim.since),
            micros(claim.last),
            claim.until.map(micros),
            claim.note,
            claim.evidence.map(id),
            claim.meshed,
            claim.force,
        ])
}

fn forget(transaction: &Transaction<'_>, subject: Subject, slot: &str) -> rusqlite::Result<usize> {
    transaction.prepare_cached("DELETE FROM claims WHERE subject = ?1 AND slot = ?2")?.execute(params![subject.to_string(), slot])
}

fn upsert_lift(transaction: &Transaction<'_>, lift: &LiftRow) -> rusqlite::Result<usize> {
    transaction.prepare_cached("INSERT OR REPLACE INTO lifts (subject, before, expires) VALUES (?1, ?2, ?3)")?.execute(params![
        lift.subject.to_string(),
        micros(lift.before),
        micros(lift.expires)
    ])
}

fn upsert_record(transaction: &Transaction<'_>, record: &RecordRow) -> rusqlite::Result<usize> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO records (cluster, subject, id, raw, expires) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![record.cluster.as_str(), record.subject.to_string(), record.id, record.raw, micros(record.expires)])
}

fn forget_record(transaction: &Transaction<'_>, cluster: &ClusterName, subject: Subject, id: &[u8]) -> rusqlite::Result<usize> {
    transaction.prepare_cached("DELETE FROM records WHERE cluster = ?1 AND subject = ?2 AND id = ?3")?.execute(params![
        cluster.as_str(),
        subject.to_string(),
        id
    ])
}

fn id(id: EventId) -> [u8; 16] {
    id.0.to_be_bytes()
}
