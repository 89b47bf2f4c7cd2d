//! A Redis server without a password, as bots hope to find it: Redis 8.0 of Debian 13, answer for answer.
//!
//! It keeps what one connection stores for that connection, runs and loads nothing, and writes no file; but it agrees to be told
//! where to write, whose replica to be and what to run, so that the stranger shows his hand. Answers were compared with a real
//! redis-server 8.0.2.

mod commands;
mod data;
mod info;
mod lua;
mod request;
mod session;
#[cfg(test)]
mod tests;

pub use session::RedisSession;

use crate::{BannerError, Lure, Persona, service::checked_banner};
use alloc::sync::Arc;
use info::Host;

/// Debian 13's Redis.
const VERSION: &str = "8.0.2";

/// A Redis server without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redis {
    version: Arc<str>,
    host: Arc<Host>,
    /// What is stored already, by name and value.
    stored: Option<Arc<(&'static str, alloc::string::String)>>,
}

impl Redis {
    /// Debian 13's Redis on this machine.
    #[must_use]
    pub fn of(persona: &Persona) -> Self {
        Self { version: VERSION.into(), host: Arc::new(Host::of(persona)), stored: None }
    }

    /// The same with an operator's version, such as `7.2.4`.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn saying(self, version: &str) -> Result<Self, BannerError> {
        Ok(Self { version: checked_banner(version)?.into(), ..self })
    }

    /// The same with settings in it that nobody should have stored there.
    #[must_use]
    pub fn showing(self, lure: &Lure) -> Self {
        Self { stored: Some(Arc::new(lure.settings())), ..self }
    }

    /// A new connection; `seed` makes its number.
    #[must_use]
    pub fn session(&self, seed: u64) -> RedisSession {
        let session = RedisSession::new(Arc::clone(&self.version), Arc::clone(&self.host), seed);
        self.stored.iter().fold(session, |session, stored| session.storing(stored.0, &stored.1))
    }
}
