//! Rows as values again; whatever does not fit is an error, never a guess.

use crate::{
    ClaimRow, LiftRow, RecordRow,
    number::{time, unsigned},
};
use honeymesh_types::{Event, EventId, Grade, Reasons, Scope, Transport};
use rusqlite::{
    Row,
    types::{FromSql, Type},
};
use std::str::FromStr;

type Read<T> = rusqlite::Result<T>;

pub(super) fn event(row: &Row<'_>) -> Read<Event> {
    let mut event = Event::new(id(row, "id")?, time(row.get("at")?), word(row, "node")?, word(row, "kind")?);
    event.source = optional_word(row, "source")?;
    event.source_port = row.get("source_port")?;
    event.trap = row.get("trap")?;
    event.port = row.get("port")?;
    event.transport = optional(row, "transport", |word: String| {
        [Transport::Tcp, Transport::Udp].into_iter().find(|transport| transport.as_str() == word)
    })?;
    event.grade = optional_word(row, "grade")?;
    event.bytes = row.get::<_, Option<i64>>("bytes")?.map(unsigned);
    event.entropy_millibits = row.get("entropy_millibits")?;
    event.score = row.get("score")?;
    // Where it is kept once; or with the event, as an older version kept it; or gone.
    let kept = row.get::<_, Option<Vec<u8>>>("content")?;
    event.payload = kept.map_or_else(|| row.get::<_, Option<Vec<u8>>>("payload"), |kept| Ok(Some(kept)))?.unwrap_or_default();
    if event.payload.is_empty() {
        event.payload_gone = row.get("payload_hash")?;
    }
    event.subject = optional_word(row, "subject")?;
    event.reasons = Reasons::from_bits_truncate(row.get("reasons")?);
    event.scope = optional_word(row, "scope")?;
    event.until = row.get::<_, Option<i64>>("until")?.map(time);
    event.fields = optional(row, "fields", |json: String| serde_json::from_str(&json).ok())?.unwrap_or_default();
    Ok(event)
}

/// What [`claim`] reads. There may be a million: a column is found by its place, because by its name it takes longer than all else.
pub(super) const CLAIM: &str =
    "subject, slot, origin_name, reasons, grade, scope, score, since, last, until, note, evidence, meshed, force";
/// What [`lift`] reads.
pub(super) const LIFT: &str = "subject, before, expires";
/// What [`record`] reads.
pub(super) const RECORD: &str = "cluster, subject, id, raw, expires";

pub(super) fn claim(row: &Row<'_>) -> Read<ClaimRow> {
    Ok(ClaimRow {
        subject: word_at(row, 0)?,
        slot: row.get(1)?,
        origin_name: row.get(2)?,
        reasons: Reasons::from_bits_truncate(row.get(3)?),
        grade: Grade::from_code(row.get(4)?).ok_or_else(|| wrong_at(row, 4))?,
        scope: Scope::from_code(row.get(5)?).ok_or_else(|| wrong_at(row, 5))?,
        score: row.get(6)?,
        since: time(row.get(7)?),
        last: time(row.get(8)?),
        until: row.get::<_, Option<i64>>(9)?.map(time),
        note: row.get(10)?,
        evidence: row
            .get_ref(11)?
            .as_blob_or_null()?
            .map(|bytes| event_id(bytes).ok_or_else(|| wrong_at(row, 11)))
            .transpose()?,
        meshed: row.get(12)?,
        force: row.get(13)?,
    })
}

pub(super) fn lift(row: &Row<'_>) -> Read<LiftRow> {
    Ok(LiftRow { subject: word_at(row, 0)?, before: time(row.get(1)?), expires: time(row.get(2)?) })
}

pub(super) fn record(row: &Row<'_>) -> Read<RecordRow> {
    Ok(RecordRow {
        cluster: word_at(row, 0)?,
        subject: word_at(row, 1)?,
        id: row.get(2)?,
        raw: row.get(3)?,
        expires: time(row.get(4)?),
    })
}

fn id(row: &Row<'_>, column: &'static str) -> Read<EventId> {
    event_id(&row.get::<_, Vec<u8>>(column)?).ok_or_else(|| wrong(column))
}

fn event_id(bytes: &[u8]) -> Option<EventId> {
    bytes.try_into().ok().map(|bytes| EventId(u128::from_be_bytes(bytes)))
}

fn word<T: FromStr>(row: &Row<'_>, column: &'static str) -> Read<T> {
    row.get::<_, String>(column)?.parse().map_err(|_| wrong(column))
}

/// The same, where it is, without a copy of the text.
fn word_at<T: FromStr>(row: &Row<'_>, place: usize) -> Read<T> {
    row.get_ref(place)?.as_str()?.parse().map_err(|_| wrong_at(row, place))
}

fn optional_word<T: FromStr>(row: &Row<'_>, column: &'static str) -> Read<Option<T>> {
    optional(row, column, |word: String| word.parse().ok())
}

fn optional<C: FromSql, T>(row: &Row<'_>, column: &'static str, read: impl FnOnce(C) -> Option<T>) -> Read<Option<T>> {
    row.get::<_, Option<C>>(column)?.map(|cell| read(cell).ok_or_else(|| wrong(column))).transpose()
}

fn wrong_at(row: &Row<'_>, place: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(place, row.as_ref().column_name(place).unwrap_or_default().into(), Type::Null)
}

fn wrong(column: &'static str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(0, column.into(), Type::Null)
}
