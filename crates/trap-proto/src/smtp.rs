//! A mail server that takes every letter and passes none on: Postfix, answer for answer.
//!
//! What is said follows Postfix 3.7 with Debian's configuration, whose texts stand in its `smtpd`; passwords are checked, and
//! refused, as by Dovecot behind it. `STARTTLS` is not offered. Mail for anybody is taken, as an open relay does it, so that
//! its sender shows what he came for; nothing is ever sent.

mod envelope;
mod session;
#[cfg(test)]
mod tests;

use crate::{BannerError, Session, dialogue::Talk, service::checked_banner};
use alloc::string::{String, ToString};

/// What Debian's Postfix says after `220 ` on a machine called `mail`.
const BANNER: &str = "mail.localdomain ESMTP Postfix (Debian/GNU)";

/// A mail server that takes every letter and passes none on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    banner: String,
}

impl Default for Smtp {
    /// Debian 12's Postfix.
    fn default() -> Self {
        Self { banner: BANNER.to_string() }
    }
}

impl Smtp {
    /// With an operator's text after `220 `; its first word is the host's name.
    ///
    /// # Errors
    /// Says why the text is no banner.
    pub fn new(banner: &str) -> Result<Self, BannerError> {
        Ok(Self { banner: checked_banner(banner)? })
    }

    /// A new connection; `seed` makes challenges and queue names.
    #[must_use]
    pub fn session(&self, seed: u64) -> impl Session + use<> {
        Talk::new(session::Smtpd::new(self.banner.clone(), seed))
    }
}
