//! A mailbox server that refuses every login: Dovecot's IMAP, answer for answer.
//!
//! What is said follows Dovecot 2.4.1 as Debian ships it, with plain logins allowed; its texts stand in `imap-login`.

mod arguments;
mod session;
#[cfg(test)]
mod tests;

use crate::{BannerError, Persona, Session, dialogue::Talk, service::checked_banner};
use alloc::{
    string::{String, ToString},
    sync::Arc,
};

/// What Debian's Dovecot says after its capabilities.
const BANNER: &str = "Dovecot ready.";

/// A mailbox server that refuses every login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imap {
    banner: String,
    host: Arc<str>,
}

impl Imap {
    /// Debian 13's Dovecot on this machine.
    #[must_use]
    pub fn of(persona: &Persona) -> Self {
        Self { banner: BANNER.to_string(), host: persona.host().into() }
    }

    /// The same with an operator's text after the capabilities of `* OK [...] `.
    ///
    /// # Errors
    /// Says why the text is no banner.
    pub fn saying(self, banner: &str) -> Result<Self, BannerError> {
        Ok(Self { banner: checked_banner(banner)?, ..self })
    }

    /// A new connection; `seed` makes challenges.
    #[must_use]
    pub fn session(&self, seed: u64) -> impl Session + use<> {
        Talk::new(session::ImapLogin::new(self.banner.clone(), Arc::clone(&self.host), seed, false))
    }

    /// The same inside TLS.
    #[must_use]
    pub fn secured(&self, seed: u64) -> impl Session + use<> {
        Talk::new(session::ImapLogin::new(self.banner.clone(), Arc::clone(&self.host), seed, true))
    }
}
