//! A MySQL server that refuses every login: MariaDB 11.8 of Debian 13, or MySQL by its version.
//!
//! Each connection gets a salt of its own. What the stranger's password makes of it (the scramble) is kept with it, so that
//! guesses can be checked against it. TLS is there for whoever asks. (MySQL's documentation, "Client/Server Protocol".)

mod account;
mod login;
mod session;

pub use session::MysqlSession;

use crate::{BannerError, service::checked_banner};
use alloc::string::{String, ToString};

/// What Debian 13's MariaDB says of itself.
const VERSION: &str = "11.8.9-MariaDB-0+deb13u1 from Debian";

/// A MySQL server that refuses every login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mysql {
    version: String,
}

impl Default for Mysql {
    /// Debian 13's MariaDB.
    fn default() -> Self {
        Self { version: VERSION.to_string() }
    }
}

impl Mysql {
    /// With an operator's version. `MariaDB` in it makes a MariaDB, which scrambles passwords by `mysql_native_password`;
    /// otherwise, from version 8 on, by `caching_sha2_password`.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn new(version: &str) -> Result<Self, BannerError> {
        Ok(Self { version: checked_banner(version)? })
    }

    /// A new connection; `seed` makes the salt.
    #[must_use]
    pub fn session(&self, seed: u64) -> MysqlSession {
        MysqlSession::new(self.version.clone(), seed)
    }

    /// The same inside TLS: it offers none.
    #[must_use]
    pub fn secured(&self, seed: u64) -> MysqlSession {
        MysqlSession::new(self.version.clone(), seed).secured()
    }
}
