//! Events written one by one in the format a user chose: nothing is held in memory but the event at hand.

use crate::{EventJson, csv_header, csv_row, json_text};
use honeymesh_types::{Event, UnknownWord};
use std::{io, str::FromStr};

/// In which form events leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExportFormat {
    /// One JSON array, an event a line.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Json, Self::Jsonl, Self::Csv];

    /// The word in a query, and the ending of a file's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Jsonl => "application/jsonl",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

impl FromStr for ExportFormat {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == word)
            .ok_or_else(|| UnknownWord { got: word.into(), allowed: "json|jsonl|csv" })
    }
}

/// An export under way. Without [`Export::finish`] a JSON export lacks its end.
pub struct Export<'a> {
    format: ExportFormat,
    out: &'a mut dyn io::Write,
    written: u64,
}

impl<'a> Export<'a> {
    /// Begins an export: writes a header where the format has one.
    ///
    /// # Errors
    /// `out` failed.
    pub fn begin(format: ExportFormat, out: &'a mut dyn io::Write) -> io::Result<Self> {
        match format {
            ExportFormat::Json => out.write_all(b"[")?,
            ExportFormat::Jsonl => {}
            ExportFormat::Csv => out.write_all(csv_header().as_bytes())?,
        }
        Ok(Self { format, out, written: 0 })
    }

    /// Writes one event.
    ///
    /// # Errors
    /// `out` failed; a part of the event may have been written.
    pub fn write(&mut self, event: &Event) -> io::Result<()> {
        let json = EventJson::from(event);
        match self.format {
            ExportFormat::Json => {
                let separator = if self.written == 0 { "\n" } else { ",\n" };
                self.out.write_all(separator.as_bytes())?;
                self.out.write_all(json_text(&json)?.as_bytes())?;
            }
            ExportFormat::Jsonl => crate::json_line(&json, self.out)?,
            ExportFormat::Csv => self.out.write_all(csv_row(&json).as_bytes())?,
        }
        self.written += 1;
        Ok(())
    }

    /// Ends the export and says how many events it has.
    ///
    /// # Errors
    /// `out` failed.
    pub fn finish(self) -> io::Result<u64> {
        if self.format == ExportFormat::Json {
            self.out.write_all(if self.written == 0 { b"]\n" } else { b"\n]\n" })?;
        }
        self.out.flush()?;
        Ok(self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::{banned, visit};

    fn export(format: ExportFormat, events: &[Event]) -> String {
        let mut out = Vec::new();
        let mut export = Export::begin(format, &mut out).unwrap();
        for event in events {
            export.write(event).unwrap();
        }
        assert_eq!(export.finish().unwrap(), events.len() as u64);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_one_array_and_jsonl_one_object_a_line() {
        let events = [visit(), banned()];
        let array: Vec<EventJson> = serde_json::from_str(&export(ExportFormat::Json, &events)).unwrap();
        let lines = export(ExportFormat::Jsonl, &events);
        let objects: Vec<EventJson> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(array, objects);
        assert_eq!(array, events.iter().map(EventJson::from).collect::<Vec<_>>());
    }

    #[test]
    fn an_empty_export_is_well_formed() {
        let table =
            [(ExportFormat::Json, "[]\n".to_owned()), (ExportFormat::Jsonl, String::new()), (ExportFormat::Csv, csv_header())];
        for (format, text) in table {
            assert_eq!(export(format, &[]), text);
        }
    }
}
