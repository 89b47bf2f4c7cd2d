//! A mailbox server that refuses every login: Dovecot's IMAP, answer for answer.
//!
//! What is said follows Dovecot 2.4.1 as Debian ships it, with plain logins allowed; its texts stand in `imap-login`.

mod arguments;
mod session;
#[cfg(test)]
mod tests;

use crate::{BannerError, Session, dialogue::Talk, service::checked_banner};
use alloc::string::{String, ToString};

/// What Debian's Dovecot says after its capabilities.
const BANNER: &str = "Dovecot ready.";

/// A mailbox server that refuses every login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imap {
    banner: String,
}

impl Default for Imap {
    /// Debian 13's Dovecot.
    fn default() -> Self {
        Self { banner: BANNER.to_string() }
    }
}

impl Imap {
    /// The same with an operator's text after the capabilities of `* OK [...] `.
    ///
    /// # Errors
    /// Says why the text is no banner.
    pub fn saying(self, banner: &str) -> Result<Self, BannerError> {
        Ok(Self { banner: checked_banner(banner)? })
    }

    /// A new connection; `seed` makes the time that a refusal takes.
    #[must_use]
    pub fn session(&self, seed: u64) -> impl Session + use<> {
        Talk::new(session::ImapLogin::new(self.banner.clone(), seed, false))
    }

    /// The same inside TLS.
    #[must_use]
    pub fn secured(&self, seed: u64) -> impl Session + use<> {
        Talk::new(session::ImapLogin::new(self.banner.clone(), seed, true))
    }
}
