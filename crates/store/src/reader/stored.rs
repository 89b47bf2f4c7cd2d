//! What was kept for the next start.

use super::decode;
use crate::{ClaimRow, LiftRow, RecordRow};
use rusqlite::{Connection, Row};
use std::collections::BTreeMap;

/// Everything that must survive a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// This node's claims, by subject and slot.
    pub claims: Vec<ClaimRow>,
    /// What operators lifted here.
    pub lifts: Vec<LiftRow>,
    /// The meshes' records, by cluster, subject and id.
    pub records: Vec<RecordRow>,
    /// Settings by name.
    pub meta: BTreeMap<String, String>,
    /// Rows that could not be read and were left out.
    pub unreadable: u64,
}

pub(super) fn read(connection: &Connection) -> rusqlite::Result<Stored> {
    let mut stored = Stored::default();
    // One transaction, so that all tables are of the same moment.
    let moment = connection.unchecked_transaction()?;
    let (claims, lifts, records) = (decode::CLAIM, decode::LIFT, decode::RECORD);
    let unreadable = &mut stored.unreadable;
    stored.claims = rows(&moment, &format!("SELECT {claims} FROM claims ORDER BY subject, slot"), decode::claim, unreadable)?;
    stored.lifts = rows(&moment, &format!("SELECT {lifts} FROM lifts ORDER BY subject"), decode::lift, unreadable)?;
    stored.records =
        rows(&moment, &format!("SELECT {records} FROM records ORDER BY cluster, subject, id"), decode::record, unreadable)?;
    let meta = |row: &Row<'_>| Ok((row.get("key")?, row.get("value")?));
    stored.meta = rows(&moment, "SELECT * FROM meta", meta, &mut stored.unreadable)?.into_iter().collect();
    Ok(stored)
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    decode: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    unreadable: &mut u64,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    let mut cursor = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = cursor.next()? {
        match decode(row) {
            Ok(value) => all.push(value),
            Err(error) => {
                tracing::error!(%error, sql, "a stored row cannot be read and is left out");
                *unreadable += 1;
            }
        }
    }
    Ok(all)
}
