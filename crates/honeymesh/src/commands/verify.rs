//! `honeymesh peers verify`: who said what, proven by nothing but the bytes.

use crate::{cli::Verify, failure::Failure, output};
use honeymesh_format::{base64_bytes, json_text, printable, time_micros, time_seconds};
use honeymesh_mesh_proto::verify_record;
use serde::Serialize;

/// A record whose signature holds.
#[derive(Serialize)]
struct Proven {
    /// What it is about.
    subject: String,
    /// `ban` or `unban`.
    said: &'static str,
    /// What the signer calls itself.
    origin: String,
    /// The signer: 64 hexadecimal digits of its Ed25519 public key.
    origin_id: String,
    /// When it was said, microseconds.
    at: String,
    /// When it ends, whole seconds.
    until: String,
}

/// Verifies one record.
pub fn run(args: &Verify) -> Result<(), Failure> {
    let raw = base64_bytes(args.record.trim()).ok_or_else(|| {
        Failure::usage("the record is no standard base64; copy the whole `record_base64` of `honeymesh peers --json`")
    })?;
    let record = verify_record(&raw).map_err(|error| Failure::Refused(format!("NOT proven: {error}")))?;
    let proven = Proven {
        subject: record.subject.to_string(),
        said: record.said.word(),
        origin: record.origin_name.to_string(),
        origin_id: record.origin.to_string(),
        at: time_micros(record.at.wall()),
        until: time_seconds(record.until()),
    };
    let text = match args.json {
        true => json_text(&proven).map_err(|error| Failure::Refused(error.to_string()))?,
        false => {
            let Proven { subject, said, origin, origin_id, at, until } = &proven;
            format!("proven: {origin} ({origin_id}) signed the {said} of {subject} at {at}, until {until}")
        }
    };
    Ok(output::say(&printable(&text))?)
}
