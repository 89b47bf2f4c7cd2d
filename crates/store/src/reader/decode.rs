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

pub(super) fn claim(row: &Row<'_>) -> Read<ClaimRow> {
    Ok(ClaimRow {
        subject: word(row, "subject")?,
        slot: row.get("slot")?,
        origin_name: row.get("origin_name")?,
        reasons: Reasons::from_bits_truncate(row.get("reasons")?),
        grade: Grade::from_code(row.get("grade")?).ok_or_else(|| wrong("grade"))?,
        scope: Scope::from_code(row.get("scope")?).ok_or_else(|| wrong("scope"))?,
        score: row.get("score")?,
        since: time(row.get("since")?),
        last: time(row.get("last")?),
        until: row.get::<_, Option<i64>>("until")?.map(time),
        note: row.get("note")?,
        evidence: optional(row, "evidence", |bytes: Vec<u8>| event_id(&bytes))?,
        meshed: row.get("meshed")?,
        force: row.get("force")?,
    })
}

pub(super) fn lift(row: &Row<'_>) -> Read<LiftRow> {
    Ok(LiftRow { subject: word(row, "subject")?, before: time(row.get("before")?), expires: time(row.get("expires")?) })
}

pub(super) fn record(row: &Row<'_>) -> Read<RecordRow> {
    Ok(RecordRow {
        cluster: word(row, "cluster")?,
        subject: word(row, "subject")?,
        id: row.get("id")?,
        raw: row.get("raw")?,
        expires: time(row.get("expires")?),
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

fn optional_word<T: FromStr>(row: &Row<'_>, column: &'static str) -> Read<Option<T>> {
    optional(row, column, |word: String| word.parse().ok())
}

fn optional<C: FromSql, T>(row: &Row<'_>, column: &'static str, read: impl FnOnce(C) -> Option<T>) -> Read<Option<T>> {
    row.get::<_, Option<C>>(column)?.map(|cell| read(cell).ok_or_else(|| wrong(column))).transpose()
}

fn wrong(column: &'static str) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(0, column.into(), Type::Null)
}
