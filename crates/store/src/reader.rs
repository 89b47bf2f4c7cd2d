//! Reading: events page by page, and everything that a start needs.

mod decode;
mod events;
mod stored;

pub(crate) use events::Cursor;
pub use events::{EVENTS_PAGE_MAX, EventsPage, PAGE_BYTES_MAX};
pub use stored::Stored;

use crate::{
    Error,
    number::{time, unsigned},
    schema,
};
use honeymesh_format::EventQuery;
use honeymesh_types::WallTime;
use rusqlite::{Connection, OptionalExtension, Row};
use std::path::Path;

/// What a stranger sent, kept once however often it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// When an event first had them.
    pub first_seen: WallTime,
    /// When one last had.
    pub last_seen: WallTime,
    /// How many events had them.
    pub count: u64,
}

/// A connection of its own: it sees what is committed, and never makes the writer wait.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { connection: schema::open_read_only(path)? })
    }

    /// Events that meet the query, at most [`EVENTS_PAGE_MAX`] and about [`PAGE_BYTES_MAX`] bytes, in the order asked
    /// for. The order is that of arrival, so that nothing is missed or told twice when events share a moment. An
    /// `after` that has been deleted stands for its time.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn events(&self, query: &EventQuery) -> Result<EventsPage, Error> {
        let cursor = Cursor::begin(&self.connection, query)?;
        let limit = query.limit.unwrap_or(EVENTS_PAGE_MAX).min(EVENTS_PAGE_MAX);
        Ok(events::page(&self.connection, query, cursor, limit)?.0)
    }

    /// What was sent with this SHA-256, if it is still there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn payload(&self, hash: [u8; 32]) -> Result<Option<Payload>, Error> {
        let sql = "SELECT content, first_seen, last_seen, seen FROM payloads WHERE hash = ?1";
        let read = |row: &Row<'_>| {
            Ok(Payload {
                bytes: row.get(0)?,
                first_seen: time(row.get(1)?),
                last_seen: time(row.get(2)?),
                count: unsigned(row.get(3)?),
            })
        };
        Ok(self.connection.prepare_cached(sql)?.query_row([hash], read).optional()?)
    }

    /// Everything that was kept for the next start. Rows that cannot be read are counted and left out.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn stored(&self) -> Result<Stored, Error> {
        Ok(stored::read(&self.connection)?)
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }
}

pub(crate) use events::page;
