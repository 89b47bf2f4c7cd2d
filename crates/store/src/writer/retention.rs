//! Old events go, and the file shrinks. What is over among claims, lifts and records goes too.

use crate::{
    Retention,
    number::{micros, signed, unsigned},
};
use honeymesh_types::WallTime;
use rusqlite::Connection;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Rows in one deleting transaction: the next batch never waits for more.
const SWEEP_ROWS: u64 = 1_000;
/// Pages given back to the file system at a time.
const VACUUM_PAGES: u32 = 2_000;
/// What is over is kept for so long, in case the clock was wrong for a while.
const OVER_GRACE: Duration = Duration::from_secs(24 * 3_600);

/// What one sweep did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Swept {
    /// Events deleted.
    pub(super) events: u64,
    /// Whether there is more to delete.
    pub(super) more: bool,
}

/// The number of events from which on it is worth to delete: a thousand or a tenth more than allowed.
pub(super) fn tolerated(events_max: u64) -> u64 {
    events_max.saturating_add(SWEEP_ROWS.min(events_max / 10))
}

/// Deletes at most [`SWEEP_ROWS`] events beyond the number, and if `aged` as many beyond the age.
pub(super) fn enforce(connection: &Connection, retention: Retention, events: u64, aged: bool) -> rusqlite::Result<Swept> {
    let beyond = if events > tolerated(retention.events_max) { events - retention.events_max } else { 0 };
    let mut swept = Swept::default();
    if beyond > 0 {
        swept.events = delete_oldest(connection, beyond.min(SWEEP_ROWS))?;
        swept.more = beyond > SWEEP_ROWS;
    }
    if aged {
        let now = WallTime::default().plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let old = delete_before(connection, now.minus(retention.age))?;
        swept.events += old;
        swept.more |= old == SWEEP_ROWS;
        forget_over(connection, now.minus(OVER_GRACE))?;
    }
    if swept.events > 0 && !swept.more {
        shrink(connection)?;
    }
    Ok(swept)
}

/// Payloads in one deleting statement: they may be large.
const EVICT_ROWS: u64 = 256;

/// What was evicted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Evicted {
    /// Payloads deleted.
    pub(super) payloads: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Whether there may be more to delete.
    pub(super) more: bool,
}

/// Deletes payloads, those first that were not seen for longest: until their bytes are few enough, and if `aged` those beyond
/// the age.
pub(super) fn evict(connection: &Connection, retention: Retention, bytes: u64, aged: bool) -> rusqlite::Result<Evicted> {
    let mut evicted = Evicted::default();
    let now = WallTime::default().plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    let cutoff = if aged { micros(now.minus(retention.age)) } else { i64::MIN };
    let oldest = "SELECT number, size, last_seen FROM payloads ORDER BY last_seen LIMIT ?1";
    let mut statement = connection.prepare_cached(oldest)?;
    let rows = statement.query_map([signed(EVICT_ROWS)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for (number, size, last_seen) in rows.collect::<rusqlite::Result<Vec<(i64, i64, i64)>>>()? {
        if bytes.saturating_sub(evicted.bytes) <= retention.payload_bytes_max && last_seen >= cutoff {
            break;
        }
        connection.prepare_cached("DELETE FROM payloads WHERE number = ?1")?.execute([number])?;
        evicted.payloads += 1;
        evicted.bytes += unsigned(size);
    }
    evicted.more = evicted.payloads == EVICT_ROWS;
    if evicted.payloads > 0 && !evicted.more {
        shrink(connection)?;
    }
    Ok(evicted)
}

fn delete_oldest(connection: &Connection, rows: u64) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM events WHERE seq IN (SELECT seq FROM events ORDER BY seq LIMIT ?1)";
    connection.prepare_cached(sql)?.execute([signed(rows)]).map(|deleted| deleted as u64)
}

fn delete_before(connection: &Connection, cutoff: WallTime) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < ?1 ORDER BY at LIMIT ?2)";
    connection.prepare_cached(sql)?.execute([micros(cutoff), signed(SWEEP_ROWS)]).map(|deleted| deleted as u64)
}

fn forget_over(connection: &Connection, before: WallTime) -> rusqlite::Result<()> {
    for sql in
        ["DELETE FROM claims WHERE until < ?1", "DELETE FROM lifts WHERE expires < ?1", "DELETE FROM records WHERE expires < ?1"]
    {
        connection.prepare_cached(sql)?.execute([micros(before)])?;
    }
    Ok(())
}

/// Gives free pages back. The pragma frees one page a step, so it must be stepped to its end; the file itself shrinks
/// at the checkpoint.
fn shrink(connection: &Connection) -> rusqlite::Result<()> {
    loop {
        let free: i64 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if free == 0 {
            break;
        }
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
        let mut steps = vacuum.query([])?;
        while steps.next()?.is_some() {}
    }
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
