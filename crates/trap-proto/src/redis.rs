//! A Redis server without a password, as bots hope to find it: Redis 7.0 of Debian 12, answer for answer.
//!
//! It keeps what one connection stores for that connection, runs and loads nothing, and writes no file; but it agrees to be told
//! where to write, whose replica to be and what to run, so that the stranger shows his hand. Answers were compared with a real
//! redis-server 7.0.15.

mod commands;
mod info;
mod request;
mod session;

pub use session::RedisSession;

use crate::{BannerError, Lure, service::checked_banner};
use alloc::string::{String, ToString};

/// Debian 12's Redis.
const VERSION: &str = "7.0.15";

/// A Redis server without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redis {
    version: String,
    /// What is stored already, by name and value.
    stored: Option<(&'static str, String)>,
}

impl Default for Redis {
    /// Debian 12's Redis.
    fn default() -> Self {
        Self { version: VERSION.to_string(), stored: None }
    }
}

impl Redis {
    /// With an operator's version, such as `7.2.4`.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn new(version: &str) -> Result<Self, BannerError> {
        Ok(Self { version: checked_banner(version)?, ..Self::default() })
    }

    /// The same with settings in it that nobody should have stored there.
    #[must_use]
    pub fn showing(self, lure: &Lure) -> Self {
        Self { stored: Some(lure.settings()), ..self }
    }

    /// A new connection; `seed` makes the server's name for this run.
    #[must_use]
    pub fn session(&self, seed: u64) -> RedisSession {
        RedisSession::new(self.version.clone(), self.stored.as_ref(), seed)
    }
}
