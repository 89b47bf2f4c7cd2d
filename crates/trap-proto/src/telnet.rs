//! A telnet login as devices have it: busybox's telnetd, login and shell.
//!
//! The first tries are refused, a later one is let in, as bots hope; the shell then takes every line down and answers the
//! few probes by which bots tell a shell from a trap. What is sent first, how line ends are read and how a terminal echoes
//! follow busybox 1.36's telnetd, login and ash.

mod line;
mod session;

pub use session::TelnetSession;

use crate::{BannerError, Lure, service::checked_banner};
use alloc::string::{String, ToString};

/// What a machine is called that was never given a name.
const HOST: &str = "localhost";
/// The try that is let in.
const LET_IN: u8 = 2;
/// Wrong tries until the connection ends: busybox's own limit.
pub const TRIES_MAX: u8 = 3;

/// A telnet login as devices have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telnet {
    pub(crate) host: String,
    let_in: u8,
    /// A script that somebody left there, by name and text.
    pub(crate) left: Option<(&'static str, String)>,
}

impl Default for Telnet {
    /// A device without a name that lets the second try in.
    fn default() -> Self {
        Self { host: HOST.to_string(), let_in: LET_IN, left: None }
    }
}

impl Telnet {
    /// With an operator's host name before ` login: `.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn new(host: &str) -> Result<Self, BannerError> {
        Ok(Self { host: checked_banner(host)?, ..Self::default() })
    }

    /// The same, but the `let_in`th try is let in: 1 to [`TRIES_MAX`]; none if it is 0 or more than that.
    #[must_use]
    pub fn letting_in(self, let_in: u8) -> Self {
        Self { let_in, ..self }
    }

    /// The same with a script in the home directory that nobody should have left there.
    #[must_use]
    pub fn showing(self, lure: &Lure) -> Self {
        Self { left: Some(lure.script()), ..self }
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self) -> TelnetSession {
        TelnetSession::new(self.clone())
    }
}
