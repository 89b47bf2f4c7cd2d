//! A memcached that anybody may use: 1.6 of Debian 13, in its two protocols, answer for answer.
//!
//! It keeps what one connection stores for that connection. Answers were compared with a real memcached 1.6.38.

mod binary;
mod datagram;
mod either;
mod item;
mod manage;
mod meta;
mod session;
mod statistics;

use crate::{BannerError, Era, Persona, Session, service::checked_banner};
use alloc::sync::Arc;
use honeymesh_types::Transport;

/// Debian 13's memcached.
const VERSION: &str = "1.6.38";

/// A memcached that anybody may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memcached {
    version: Arc<str>,
    era: Era,
    transports: &'static [Transport],
}

impl Memcached {
    /// Debian 13's memcached on this machine.
    #[must_use]
    pub fn of(persona: &Persona) -> Self {
        Self { version: VERSION.into(), era: persona.era(), transports: &[Transport::Tcp] }
    }

    /// The same with an operator's version, such as `1.6.39`.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn saying(self, version: &str) -> Result<Self, BannerError> {
        Ok(Self { version: checked_banner(version)?.into(), ..self })
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
        either::Either::new(Arc::clone(&self.version), self.era)
    }
}
