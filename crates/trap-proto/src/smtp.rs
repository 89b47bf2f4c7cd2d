//! A mail server that takes every letter and passes none on: Postfix, answer for answer.
//!
//! What is said follows Postfix 3.10 with Debian's configuration, whose texts stand in its `smtpd`; passwords are checked, and
//! refused, as by Dovecot behind it. Mail for anybody is taken, as an open relay does it, so that
//! its sender shows what he came for; nothing is ever sent.

mod chunks;
mod envelope;
mod session;
#[cfg(test)]
mod tests;

use crate::{BannerError, Persona, Session, dialogue::Talk, service::checked_banner};
use alloc::string::String;

/// What Debian's Postfix says after `220 ` and the host's name.
const BANNER: &str = " ESMTP Postfix (Debian)";

/// A mail server that takes every letter and passes none on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    banner: String,
}

impl Smtp {
    /// Debian 13's Postfix on this machine.
    #[must_use]
    pub fn of(persona: &Persona) -> Self {
        Self { banner: persona.fqdn() + BANNER }
    }

    /// The same with an operator's text after `220 `; its first word is the host's name.
    ///
    /// # Errors
    /// Says why the text is no banner.
    pub fn saying(self, banner: &str) -> Result<Self, BannerError> {
        Ok(Self { banner: checked_banner(banner)? })
    }

    /// A new connection; `seed` makes challenges and queue names.
    #[must_use]
    pub fn session(&self, seed: u64) -> impl Session + use<> {
        Talk::new(session::Smtpd::new(self.banner.clone(), seed, false))
    }

    /// The same inside TLS.
    #[must_use]
    pub fn secured(&self, seed: u64) -> impl Session + use<> {
        Talk::new(session::Smtpd::new(self.banner.clone(), seed, true))
    }
}
