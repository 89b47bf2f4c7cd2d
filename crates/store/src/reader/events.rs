//! Events, found by the indices and read page by page.

use super::decode;
use crate::{
    key,
    number::{micros, signed},
};
use honeymesh_format::{EventQuery, Order};
use honeymesh_types::{Event, EventId, Subject, WallTime};
use rusqlite::{Connection, OptionalExtension, params_from_iter, types::Value};

/// The most events in one page.
pub const EVENTS_PAGE_MAX: u64 = 1_000;
/// A page ends when its payloads and fields hold so many bytes; it has at least one event.
pub const PAGE_BYTES_MAX: usize = 8 << 20;

/// A part of the events that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsPage {
    /// The events.
    pub events: Vec<Event>,
    /// The last of them, if there are more behind it: what to give as `after`.
    pub next: Option<EventId>,
}

/// Between which places in the order of arrival the page lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    /// Behind this one; `None`: from the beginning.
    after: Option<i64>,
    /// Nothing that arrived later than this.
    newest: i64,
    /// Where `after` was deleted: not before or not after its time, by the order.
    time: Option<WallTime>,
}

impl Cursor {
    /// The place where a query begins.
    pub(crate) fn begin(connection: &Connection, query: &EventQuery) -> rusqlite::Result<Self> {
        let newest: Option<i64> = connection.query_row("SELECT max(seq) FROM events", [], |row| row.get(0))?;
        let mut cursor = Self { after: None, newest: newest.unwrap_or(0), time: None };
        if let Some(id) = query.after {
            let find = "SELECT seq FROM events WHERE id = ?1";
            cursor.after = connection.prepare_cached(find)?.query_row([id.0.to_be_bytes()], |row| row.get(0)).optional()?;
            cursor.time = cursor.after.is_none().then(|| time_of(id));
        }
        Ok(cursor)
    }
}

/// A version 7 identity begins with its milliseconds.
fn time_of(id: EventId) -> WallTime {
    WallTime::from_millis(u64::try_from(id.0 >> 80).unwrap_or(u64::MAX))
}

/// One page, and the cursor for the next if there is one.
pub(crate) fn page(
    connection: &Connection,
    query: &EventQuery,
    cursor: Cursor,
    limit: u64,
) -> rusqlite::Result<(EventsPage, Option<Cursor>)> {
    let (sql, values) = statement(query, cursor, limit.saturating_add(1));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let (mut page, mut last, mut bytes, mut read) = (EventsPage::default(), None, 0, 0);
    while let Some(row) = rows.next()? {
        if read == limit || bytes >= PAGE_BYTES_MAX {
            page.next = page.events.last().map(|event| event.id);
            let further = Cursor { after: last, time: None, ..cursor };
            return Ok((page, Some(further)));
        }
        read += 1;
        last = Some(row.get("seq")?);
        match decode::event(row) {
            Ok(event) => {
                bytes += event.payload.len() + event.fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
                page.events.push(event);
            }
            Err(error) => tracing::warn!(%error, seq = last, "an event in the store cannot be read and is left out"),
        }
    }
    Ok((page, None))
}

/// The conditions that are given, each answered by an index.
fn statement(query: &EventQuery, cursor: Cursor, rows: u64) -> (String, Vec<Value>) {
    let mut filter = Filter::default();
    let newest_first = query.order == Order::Newest;
    filter.and("seq <= ?", [Value::Integer(cursor.newest)]);
    if let Some(after) = cursor.after {
        filter.and(if newest_first { "seq < ?" } else { "seq > ?" }, [Value::Integer(after)]);
    }
    if let Some(time) = cursor.time {
        // The identity knows only the millisecond.
        let (condition, edge) = if newest_first { ("at < ?", WallTime(time.0.saturating_add(1_000))) } else { ("at >= ?", time) };
        filter.and(condition, [Value::Integer(micros(edge))]);
    }
    if let Some(since) = query.since {
        filter.and("at >= ?", [Value::Integer(micros(since))]);
    }
    if let Some(until) = query.until {
        filter.and("at < ?", [Value::Integer(micros(until))]);
    }
    if let Some(kind) = query.kind {
        filter.and("kind = ?", [Value::Text(kind.as_str().into())]);
    }
    if let Some(subject) = query.subject {
        filter.concerning(subject);
    }
    let order = if newest_first { "DESC" } else { "ASC" };
    filter.values.push(Value::Integer(signed(rows)));
    (
        format!(
            "SELECT events.*, content FROM events LEFT JOIN payloads ON hash = payload_hash WHERE {} ORDER BY seq {order} LIMIT ?",
            filter.conditions.join(" AND ")
        ),
        filter.values,
    )
}

#[derive(Default)]
struct Filter {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Filter {
    fn and<const N: usize>(&mut self, condition: &str, values: [Value; N]) {
        self.conditions.push(condition.into());
        self.values.extend(values);
    }

    /// Prefixes nest or are apart: what overlaps lies inside, or begins where one of the few wider ones does and ends
    /// behind.
    fn concerning(&mut self, subject: Subject) {
        let (first, last) = key::range(subject);
        let wider = key::ancestors(subject);
        let places = vec!["?"; wider.len()].join(", ");
        self.conditions.push(format!("(net_first BETWEEN ? AND ? OR (net_first IN ({places}) AND net_last >= ?))"));
        self.values.extend([Value::Blob(first), Value::Blob(last.clone())]);
        self.values.extend(wider.into_iter().map(Value::Blob));
        self.values.push(Value::Blob(last));
    }
}
