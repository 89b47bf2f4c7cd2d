//! A memcached that anybody may use: 1.6 of Debian 12, in its text protocol, answer for answer.
//!
//! It keeps what one connection stores for that connection. Answers were compared with a real memcached 1.6.18.

mod session;
mod statistics;

use crate::{BannerError, Findings, Session, dialogue::Talk, service::checked_banner};
use alloc::string::{String, ToString};

/// Debian 12's memcached.
const VERSION: &str = "1.6.18";

/// A memcached that anybody may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memcached {
    version: String,
}

impl Default for Memcached {
    /// Debian 12's memcached.
    fn default() -> Self {
        Self { version: VERSION.to_string() }
    }
}

impl Memcached {
    /// With an operator's version, such as `1.6.38`.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn new(version: &str) -> Result<Self, BannerError> {
        Ok(Self { version: checked_banner(version)? })
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self) -> impl Session + use<> {
        Talk::new(session::MemcachedTalk::new(self.version.clone(), Findings::default()))
    }
}
