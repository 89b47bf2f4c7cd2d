//! A MySQL server that refuses every login: MariaDB 11.8 of Debian 13, or MySQL by its version.
//!
//! Each connection gets a salt of its own. What the stranger's password makes of it (the scramble) is kept with it, so that
//! guesses can be checked against it. TLS is there for whoever asks. (MySQL's documentation, "Client/Server Protocol".)

mod account;
mod login;
mod session;

pub use session::MysqlSession;

use crate::{BannerError, Era, Persona, service::checked_banner};
use alloc::string::{String, ToString};
use honeymesh_types::WallTime;

/// What Debian 13's MariaDB says of itself.
const VERSION: &str = "11.8.9-MariaDB-0+deb13u1 from Debian";

/// What Debian itself asks a server when it starts takes the first numbers of its connections.
const FIRST: u64 = 30;
/// Besides those that come to the trap, somebody connects every so many seconds: the least, and how many machines differ by.
const EVERY_SECONDS: (u64, u64) = (20, 100);

/// A MySQL server that refuses every login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mysql {
    version: String,
    guests: Guests,
}

/// How many connect to the server, besides those that come to the trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Guests {
    era: Era,
    every_seconds: u64,
}

impl Guests {
    fn of(persona: &Persona) -> Self {
        let (least, span) = EVERY_SECONDS;
        Self { era: persona.era(), every_seconds: least + persona.number("mysql") % span }
    }

    /// The number of a connection, which grows from one to the next as long as neither the machine nor the carrier is started again.
    fn number(&self, now: WallTime, before: u64) -> u32 {
        let number = FIRST.wrapping_add(self.era.uptime(now) / self.every_seconds).wrapping_add(before);
        u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
    }
}

impl Default for Mysql {
    /// Debian 13's MariaDB, on nobody's machine.
    fn default() -> Self {
        Self { version: VERSION.to_string(), guests: Guests::of(&Persona::of([0; 32])) }
    }
}

impl Mysql {
    /// With an operator's version. `MariaDB` in it makes a MariaDB, which scrambles passwords by `mysql_native_password`;
    /// otherwise, from version 8 on, by `caching_sha2_password`.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn new(version: &str) -> Result<Self, BannerError> {
        Ok(Self { version: checked_banner(version)?, ..Self::default() })
    }

    /// On this machine, whose start its connections are numbered from.
    #[must_use]
    pub fn of(self, persona: &Persona) -> Self {
        Self { guests: Guests::of(persona), ..self }
    }

    /// A new connection; `seed` makes the salt.
    #[must_use]
    pub fn session(&self, seed: u64) -> MysqlSession {
        MysqlSession::new(self.version.clone(), self.guests, seed)
    }

    /// The same inside TLS: it offers none.
    #[must_use]
    pub fn secured(&self, seed: u64) -> MysqlSession {
        MysqlSession::new(self.version.clone(), self.guests, seed).secured()
    }
}
