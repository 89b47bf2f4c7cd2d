//! The database file: opened safely, brought to today's layout, or refused in clear words.

use crate::{Error, number::signed};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::{
    fs::{self, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::Duration,
};

/// Tells our files from those of other programs: "HMSH".
const APPLICATION_ID: u32 = 0x484d_5348;
/// How long a connection waits for another one's lock.
const BUSY_PATIENCE: Duration = Duration::from_secs(5);
/// What leads from each layout to the next; layout 0 is the empty file. Only ever appended to.
const MIGRATIONS: [&str; 2] = [LAYOUT_1, LAYOUT_2];
/// The tables on which bans depend: checked at every start. Events are checked as they are read.
const VITAL_TABLES: [&str; 4] = ["claims", "lifts", "records", "meta"];

/// Times are microseconds since 1970. `net_first` and `net_last` hold a family byte and an address.
const LAYOUT_1: &str = "
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    node TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT,
    source_port INTEGER,
    trap TEXT,
    port INTEGER,
    transport TEXT,
    grade TEXT,
    bytes INTEGER,
    entropy_millibits INTEGER,
    score INTEGER,
    payload BLOB,
    subject TEXT,
    reasons INTEGER NOT NULL,
    scope TEXT,
    until INTEGER,
    fields TEXT,
    net_first BLOB,
    net_last BLOB
) STRICT;
CREATE INDEX events_at ON events (at);
CREATE INDEX events_net ON events (net_first, seq);
CREATE INDEX events_kind ON events (kind, seq);
CREATE TABLE claims (
    subject TEXT NOT NULL,
    slot TEXT NOT NULL,
    origin_name TEXT NOT NULL,
    reasons INTEGER NOT NULL,
    grade INTEGER NOT NULL,
    scope INTEGER NOT NULL,
    score INTEGER NOT NULL,
    since INTEGER NOT NULL,
    last INTEGER NOT NULL,
    until INTEGER,
    note TEXT,
    evidence BLOB,
    meshed INTEGER NOT NULL,
    force INTEGER NOT NULL,
    PRIMARY KEY (subject, slot)
) STRICT, WITHOUT ROWID;
CREATE TABLE lifts (
    subject TEXT NOT NULL PRIMARY KEY,
    before INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE records (
    cluster TEXT NOT NULL,
    subject TEXT NOT NULL,
    id BLOB NOT NULL,
    raw BLOB NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (cluster, subject, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_expires ON records (expires);
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What strangers sent, each once: events name it by its SHA-256. Events of the layout before keep what they have.
const LAYOUT_2: &str = "
CREATE TABLE payloads (
    number INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    content BLOB NOT NULL,
    size INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    seen INTEGER NOT NULL
) STRICT;
CREATE INDEX payloads_last_seen ON payloads (last_seen);
ALTER TABLE events ADD COLUMN payload_hash BLOB;
";

/// The writer's connection to a database of today's layout. A file that cannot be used is left as it is.
pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    create_private(path).map_err(|source| Error::Io { path: path.into(), source })?;
    prepare(path).map_err(|error| blame(path, error))
}

/// A reader's connection.
pub(crate) fn open_read_only(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| blame(path, error.into()))?;
    connection.busy_timeout(BUSY_PATIENCE)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// SQLite gives its own helper files the mode of the database.
fn create_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if fs::metadata(path)?.mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn prepare(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_PATIENCE)?;
    let layout = layout(&connection, path)?;
    tune(&connection)?;
    migrate(&mut connection, layout)?;
    for table in VITAL_TABLES {
        let verdict: String = connection.query_row(&format!("PRAGMA quick_check('{table}')"), [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Error::Damaged { path: path.into(), why: format!("table {table}: {verdict}") });
        }
    }
    Ok(connection)
}

/// Reads which layout the file has, and changes nothing.
fn layout(connection: &Connection, path: &Path) -> Result<usize, Error> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (found, application) = (pragma("user_version")?, pragma("application_id")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let ours = application == i64::from(APPLICATION_ID) || (tables == 0 && found == 0 && application == 0);
    if !ours {
        return Err(Error::Foreign(path.into()));
    }
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    usize::try_from(found).ok().filter(|found| *found <= MIGRATIONS.len()).ok_or_else(|| Error::TooNew {
        path: path.into(),
        found,
        known: u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX),
    })
}

/// `auto_vacuum` must come before the journal's mode: later it is ignored without a word.
fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let journal: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if journal != "wal" {
        tracing::warn!(journal, "the file system under the store has no shared memory; a crash may cost more");
    }
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)
}

/// All steps in one transaction: an interrupted migration leaves the layout before.
fn migrate(connection: &mut Connection, from: usize) -> rusqlite::Result<()> {
    let steps = MIGRATIONS.get(from..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", signed(MIGRATIONS.len() as u64))?;
    transaction.commit()
}

/// Names the file when SQLite says that its content is the problem.
fn blame(path: &Path, error: Error) -> Error {
    match error {
        Error::Sqlite(source) if is_damage(&source) => Error::Damaged { path: path.into(), why: source.to_string() },
        Error::Sqlite(source) if source.sqlite_error_code() == Some(ErrorCode::CannotOpen) => {
            Error::Io { path: path.into(), source: io::Error::other(source) }
        }
        other => other,
    }
}

pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn fresh() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("honeymesh.db");
        (dir, path)
    }

    #[test]
    fn a_fresh_file_is_private_and_set_up_as_measured() {
        let (_dir, path) = fresh();
        let connection = open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let wal = path.with_extension("db-wal");
        assert_eq!(fs::metadata(wal).unwrap().mode() & 0o777, 0o600);
        let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((pragma("auto_vacuum"), pragma("synchronous"), pragma("user_version")), (2, 1, 2));
        let strict: i64 = connection
            .query_row(
                "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND strict AND name NOT LIKE 'sqlite_%'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(strict, 6);
    }

    #[test]
    fn a_file_of_the_layout_before_goes_on_with_what_its_events_have() {
        let (_dir, path) = fresh();
        let old = Connection::open(&path).unwrap();
        old.execute_batch(LAYOUT_1).unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        let insert =
            "INSERT INTO events (id, at, node, kind, payload, reasons) VALUES (zeroblob(16), 1, 'n', 'visit', x'6162', 0)";
        old.execute(insert, []).unwrap();
        drop(old);
        drop(open(&path).unwrap());
        let events = crate::Reader::open(&path).unwrap().events(&honeymesh_format::EventQuery::default()).unwrap().events;
        assert_eq!((events.len(), events[0].payload.as_slice(), events[0].payload_gone), (1, b"ab".as_slice(), None));
    }

    #[test]
    fn a_file_that_others_could_read_becomes_private() {
        let (_dir, path) = fresh();
        drop(open(&path).unwrap());
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        drop(open(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_newer_layout_is_refused_and_nothing_changes() {
        let (_dir, path) = fresh();
        open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let before = fs::read(&path).unwrap();
        let error = open(&path).unwrap_err();
        assert!(matches!(error, Error::TooNew { found: 99, known: 2, .. }), "{error}");
        assert!(error.to_string().contains("run the newer version again"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_database_of_another_program_is_refused_and_nothing_changes() {
        let (_dir, path) = fresh();
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        let before = fs::read(&path).unwrap();
        assert!(matches!(open(&path), Err(Error::Foreign(_))));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn damage_is_named_with_the_file_and_the_mend_and_the_file_is_kept() {
        let (_dir, path) = fresh();
        let junk = [b"SQLite format 3\0".as_slice(), &[0xaa; 8_000]].concat();
        for content in [b"this is no database, but it is long enough to be looked at".repeat(100), junk] {
            fs::write(&path, &content).unwrap();
            let error = open(&path).unwrap_err();
            assert!(matches!(error, Error::Damaged { .. }), "{error}");
            let words = error.to_string();
            assert!(words.contains("honeymesh.db") && words.contains("mv ") && words.lines().count() == 1, "{words}");
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    }

    #[test]
    fn damage_inside_a_vital_table_is_found_at_the_start() {
        let (_dir, path) = fresh();
        let connection = open(&path).unwrap();
        for number in 0..2_000 {
            connection.execute("INSERT INTO meta VALUES (?1, 'value')", [format!("key {number}")]).unwrap();
        }
        let root: i64 =
            connection.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'meta'", [], |row| row.get(0)).unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(connection);
        let mut bytes = fs::read(&path).unwrap();
        let begin = (usize::try_from(root).unwrap() - 1) * 4_096;
        bytes[begin..begin + 4_096].fill(0x55);
        fs::write(&path, bytes).unwrap();
        assert!(matches!(open(&path), Err(Error::Damaged { .. })));
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = open(Path::new("/nonexistent/state/honeymesh.db")).unwrap_err().to_string();
        assert!(
            error.contains("/nonexistent/state/honeymesh.db") && error.contains("check that the directory exists"),
            "{error}"
        );
    }
}
