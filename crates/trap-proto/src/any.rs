//! A port that serves nothing by itself: it lets the stranger speak first, and answers in the protocol it hears.
//!
//! Known by their first bytes: HTTP, SSH, Redis, memcached, PostgreSQL, a telnet client's options, a mail client's greeting, a MySQL
//! client's login, the first packets of SQL Server, SMB, RDP, LDAP, MongoDB, MQTT, Modbus, Android's debugging bridge and SIP, which
//! are played on by the traps that know them; TLS, inside which all of these are known again. Everything else is taken down in silence.

mod first;
mod overheard;
mod session;

pub use session::AnySession;

use crate::{Lure, Persona, RsaHostKey, Service, Session, SshCurves};
use alloc::{boxed::Box, sync::Arc, vec::Vec};

/// The services that are played on once they are recognised.
const PLAYED: &[&str] = &[
    "http",
    "ssh",
    "telnet",
    "smtp",
    "redis",
    "memcached",
    "mysql",
    "postgresql",
    "mssql",
    "smb",
    "rdp",
    "ldap",
    "mongodb",
    "mqtt",
    "modbus",
    "adb",
    "sip",
];

/// A port that serves nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Any {
    played: Arc<[Service]>,
}

impl Any {
    /// One that plays as the first of `traps` of each kind does, or in the usual way where there is none.
    #[must_use]
    pub fn like(traps: &[&Service], persona: &Persona) -> Self {
        Self { played: PLAYED.iter().filter_map(|name| Service::like(name, traps, persona)).collect::<Vec<_>>().into() }
    }

    /// The same where what is played shows this.
    #[must_use]
    pub fn showing(self, lure: &Lure) -> Self {
        Self { played: self.played.iter().map(|service| service.clone().showing(lure)).collect() }
    }

    /// The same where what is played has this RSA host key.
    #[must_use]
    pub fn proving(self, rsa: &RsaHostKey) -> Self {
        Self { played: self.played.iter().map(|service| service.clone().proving(rsa)).collect() }
    }

    /// The same where this library works Curve25519 out.
    #[must_use]
    pub fn leaving_curves_to(self, library: &Arc<dyn SshCurves>) -> Self {
        Self { played: self.played.iter().map(|service| service.clone().leaving_curves_to(library)).collect() }
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self, seed: u64) -> AnySession {
        AnySession::new(self.clone(), seed)
    }

    /// A new connection to the service of this name, if it is played; `is_tls`: inside TLS, where none offers it again.
    fn play(&self, name: &str, seed: u64, is_tls: bool) -> Option<Box<dyn Session>> {
        let service = self.played.iter().find(|service| service.name() == name)?;
        Some(if is_tls { service.secured(seed) } else { service.session(seed) })
    }
}
