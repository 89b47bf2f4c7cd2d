//! The forensic export: any number of events in constant memory.

use crate::{
    EVENTS_PAGE_MAX, Error, Reader,
    reader::{Cursor, page},
};
use honeymesh_format::{EventQuery, Export, ExportFormat};
use std::io;

/// Writes every event that meets the query (`limit` and `after` included) to `out`, and says how many. Reads page by
/// page, each in a moment of its own, so that a slow reader holds neither memory nor the writer's checkpoint; events
/// that arrive meanwhile are left out.
///
/// # Errors
/// The file cannot be read, or `out` failed; a part may have been written.
pub fn export(reader: &Reader, format: ExportFormat, query: &EventQuery, out: &mut dyn io::Write) -> Result<u64, Error> {
    let connection = reader.connection();
    let mut export = Export::begin(format, out)?;
    let mut left = query.limit.unwrap_or(u64::MAX);
    let mut cursor = Some(Cursor::begin(connection, query)?);
    while let Some(here) = cursor.filter(|_| left > 0) {
        let (events, further) = page(connection, query, here, left.min(EVENTS_PAGE_MAX))?;
        for event in &events.events {
            export.write(event)?;
        }
        left = left.saturating_sub(events.events.len() as u64);
        cursor = further;
    }
    Ok(export.finish()?)
}
