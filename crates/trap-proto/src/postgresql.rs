//! A PostgreSQL server that asks for a password in clear text and refuses it: version 17 of Debian 13.
//!
//! TLS is there, as Debian sets it up, also from the first byte on; GSSAPI is agreed to and never comes about. The errors are worded, numbered and placed as the real
//! server's; protocol 3.0 (PostgreSQL's documentation, chapter 55).

mod session;
mod startup;

pub use session::PostgresqlSession;

/// A PostgreSQL server that asks for a password and refuses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Postgresql;

impl Postgresql {
    /// A new connection.
    #[must_use]
    pub fn session(self) -> PostgresqlSession {
        PostgresqlSession::new()
    }

    /// The same inside TLS.
    #[must_use]
    pub fn secured(self) -> PostgresqlSession {
        PostgresqlSession::new().secured()
    }
}
