//! Old events go, and the file shrinks. What is over among claims, lifts and records goes too.

use crate::{
    Retention,
    number::{micros, signed},
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
