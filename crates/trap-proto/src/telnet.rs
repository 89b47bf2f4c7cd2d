//! A telnet login as devices have it: busybox's telnetd, login and shell.
//!
//! The first tries are refused, a later one is let in, as bots hope; the shell then takes every line down and answers the
//! few probes by which bots tell a shell from a trap. What is sent first, how line ends are read and how a terminal echoes
//! follow busybox 1.36's telnetd, login and ash.

pub(crate) mod device;
mod line;
mod session;

pub use session::TelnetSession;

use crate::{BannerError, Lure, Persona, service::checked_banner};
use alloc::{string::String, sync::Arc};
use device::Device;

/// The try that is let in.
const LET_IN: u8 = 2;
/// Wrong tries until the connection ends: busybox's own limit.
pub const TRIES_MAX: u8 = 3;

/// A telnet login as devices have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telnet {
    pub(crate) host: Arc<str>,
    let_in: u8,
    /// A script that somebody left there, by name and text.
    pub(crate) left: Option<Arc<(&'static str, String)>>,
    /// What it says of itself, made once for all sessions.
    pub(crate) device: Arc<Device>,
}

impl Default for Telnet {
    /// Nobody's device, which lets the second try in.
    fn default() -> Self {
        Self::of(&Persona::of([0; 32]))
    }
}

impl Telnet {
    /// The device of this persona: a router, a camera or the like of its own, the same at each start. It lets the second try in.
    #[must_use]
    pub fn of(persona: &Persona) -> Self {
        let device = Device::of(persona);
        Self { host: device.host.as_str().into(), let_in: LET_IN, left: None, device: Arc::new(device) }
    }

    /// With an operator's host name before ` login: `.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn named(self, host: &str) -> Result<Self, BannerError> {
        Ok(Self { host: checked_banner(host)?.into(), ..self })
    }

    /// The same, but the `let_in`th try is let in: 1 to [`TRIES_MAX`]; none if it is 0 or more than that.
    #[must_use]
    pub fn letting_in(self, let_in: u8) -> Self {
        Self { let_in, ..self }
    }

    /// The same with a script in the home directory that nobody should have left there.
    #[must_use]
    pub fn showing(self, lure: &Lure) -> Self {
        Self { left: Some(Arc::new(lure.script())), ..self }
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self) -> TelnetSession {
        TelnetSession::new(self.clone())
    }
}
