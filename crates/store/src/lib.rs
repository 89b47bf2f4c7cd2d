//! What was, kept: bans, evidence, queries, export.
//!
//! One SQLite file, `honeymesh.db` in the state directory, mode 0600. One thread writes, in batches; readers have
//! connections of their own and never wait for it. Events may be dropped under load, and are counted then; what
//! must survive a restart (claims, lifts, records, settings) makes its sender wait instead, up to a bound.
//!
//! A batch is durable against the death of the process as soon as it is committed, which [`Writer::sync`] waits for;
//! against a power cut after the next checkpoint (WAL with `synchronous=NORMAL`: nothing is torn, the last moments
//! may be missing, and the mesh brings them back).
#![forbid(unsafe_code)]

mod error;
mod export;
mod key;
mod number;
mod queue;
mod reader;
mod row;
mod schema;
mod store;
mod writer;

pub use error::Error;
pub use export::export;
pub use queue::{BATCH_ROWS_MAX, EVENTS_QUEUED_BYTES_MAX, EVENTS_QUEUED_MAX, KEEP_PATIENCE, QUEUED_MAX};
pub use reader::{EVENTS_PAGE_MAX, EventsPage, PAGE_BYTES_MAX, Payload, Reader, Stored};
pub use row::{ClaimRow, LiftRow, RecordRow, Write};
pub use store::{DATABASE_FILE, Retention, Store};
pub use writer::{Ack, Writer};
