//! The words of the house in JSON, JSON lines and CSV, as the contract fixes them.
//!
//! This crate is the one owner of every shape that a user's script can see: what the store exports, what the
//! API answers and what the command line prints with `--json` are these structs. Names are added, never
//! renamed or dropped; the tests hold the bytes fast. Whatever a stranger sent is untrusted text here: JSON and
//! CSV leave this crate without a control character or a bidi override in them, and [`printable`] does the
//! same for a terminal.
#![forbid(unsafe_code)]

mod allow;
mod ban;
mod count;
mod csv;
mod doctor;
mod duration;
mod event;
mod export;
mod json;
mod order;
mod payload;
mod peer;
mod problem;
mod query;
mod safe;
mod status;
mod time;
mod why;

pub use allow::{AllowJson, AllowOrderJson};
pub use ban::BanJson;
pub use count::{CountsJson, DETECT_TO_BAN_BUCKETS_S, LatencyJson, NAMES_MAX};
pub use csv::{CSV_COLUMNS, csv_cell, csv_header, csv_row};
pub use doctor::{CheckJson, DoctorInterfaceJson, DoctorJson, FeatureJson};
pub use duration::{DURATION_MAX, DurationError, Ttl, duration_text, parse_duration};
pub use event::{EventError, EventJson, base64_bytes, base64_text, hash_text, parse_hash, payload_hash};
pub use export::{Export, ExportFormat};
pub use json::{json_line, json_made_safe, json_pretty, json_text};
pub use order::{BanOrderJson, DoneJson, JoinTokenJson, KeyRotateJson, ModeJson, RevokeJson};
pub use payload::PayloadJson;
pub use peer::{ClusterJson, PeerJson, QuarantineJson};
pub use problem::ProblemJson;
pub use query::{EventQuery, Order};
pub use safe::{is_unsafe, pair, printable, printable_bytes, printable_lines};
pub use status::{
    AuditJson, BansJson, CountersJson, DatagramsJson, InterfaceJson, KeeperJson, LockdownJson, ProbeJson, StatusJson, StoreJson,
    TrapJson, TrapProcessJson,
};
pub use time::{TimeError, parse_time, time_micros, time_seconds};
pub use why::{ClaimJson, CorroborationJson, GroupJson, PastJson, ProtectedJson, RecordJson, WhyBanJson, WhyJson};
