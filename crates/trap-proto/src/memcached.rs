//! A memcached that anybody may use: 1.6 of Debian 12, in its text protocol, answer for answer.
//!
//! It keeps what one connection stores for that connection. Answers were compared with a real memcached 1.6.18.

mod datagram;
mod session;
mod statistics;

use crate::{BannerError, Findings, Session, dialogue::Talk, service::checked_banner};
use alloc::string::{String, ToString};
use honeymesh_types::Transport;

/// Debian 12's memcached.
const VERSION: &str = "1.6.18";

/// A memcached that anybody may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memcached {
    version: String,
    transports: &'static [Transport],
}

impl Default for Memcached {
    /// Debian 12's memcached.
    fn default() -> Self {
        Self { version: VERSION.to_string(), transports: &[Transport::Tcp] }
    }
}

impl Memcached {
    /// With an operator's version, such as `1.6.38`.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn new(version: &str) -> Result<Self, BannerError> {
        Ok(Self { version: checked_banner(version)?, ..Self::default() })
    }

    /// Over these transports; stock memcached has not spoken UDP by default since 1.5.6.
    #[must_use]
    pub fn over(self, transports: &'static [Transport]) -> Self {
        Self { transports, ..self }
    }

    /// Over which transports it is spoken to.
    pub(crate) const fn transports(&self) -> &'static [Transport] {
        self.transports
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self) -> impl Session + use<> {
        Talk::new(session::MemcachedTalk::new(self.version.clone(), Findings::default()))
    }
}
