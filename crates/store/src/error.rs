//! What can go wrong, in the operator's words.

use std::{io, path::PathBuf};

/// Why the store did not do what it was asked. Where a file is named, it was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file was written by a newer version of this program.
    #[error(
        "{} has layout {found}, but this version knows layouts up to {known}; run the newer version again, or move the file away to start empty",
        path.display()
    )]
    TooNew {
        /// The database.
        path: PathBuf,
        /// The layout that was found.
        found: u32,
        /// The newest layout that is known.
        known: u32,
    },
    /// The file belongs to another program.
    #[error("{} is a database of another program; move it away, or choose another [node] state_dir", .0.display())]
    Foreign(PathBuf),
    /// The file is damaged.
    #[error(
        "{} is damaged ({why}); move it away (`mv {0} {0}.damaged`) and start again: the mesh brings peers' bans back, and `sqlite3 {0}.damaged .recover` may save events",
        path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite found.
        why: String,
    },
    /// The system said no.
    #[error("{} cannot be opened: {source}; check that the directory exists and belongs to honeymesh", path.display())]
    Io {
        /// The database.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite said no.
    #[error("the store failed: {0}; check free space and permissions of [node] state_dir")]
    Sqlite(#[from] rusqlite::Error),
    /// Too many writes wait: the disk does not keep up, or refuses. Nothing was kept.
    #[error("the store does not keep up: {0} writes wait; check the disk under [node] state_dir")]
    Overloaded(usize),
    /// The event was dropped, and counted. Nothing was kept.
    #[error("too many events wait for the store; this one was dropped")]
    Dropped,
    /// The writer has ended. Nothing was kept.
    #[error("the store is closed")]
    Closed,
    /// Not in time. It may still be kept.
    #[error("the store did not answer in time; check the disk under [node] state_dir")]
    Late,
    /// The batch was not committed; the writer will try again.
    #[error("the store cannot write: {0}; check free space and permissions of [node] state_dir")]
    NotCommitted(String),
    /// Writing an export failed.
    #[error("the export cannot be written: {0}")]
    Export(#[from] io::Error),
}
