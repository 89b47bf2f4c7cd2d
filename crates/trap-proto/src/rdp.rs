//! A remote desktop: xrdp of Debian 13, with TLS for whoever asks for it and, as `crypt_level=none` has it, without encryption for
//! everybody else, so that names and passwords come in clear (MS-RDPBCGR, T.125, X.224).
//!
//! It goes as far as the client's info packet, which has both, and hangs up as after a failed login. Whoever would prove himself
//! beforehand (CredSSP, MS-CSSP) answers a challenge by NTLM instead.

mod client;
mod credssp;
mod session;

pub use session::RdpSession;

use crate::ntlm::Machine;
use alloc::string::{String, ToString};

/// A remote desktop that lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rdp {
    machine: Machine,
}

impl Default for Rdp {
    /// What Debian's installer makes of a machine.
    fn default() -> Self {
        let machine = Machine { host: "debian".to_string(), domain: String::new(), workgroup: "WORKGROUP".to_string() };
        Self { machine }
    }
}

impl Rdp {
    /// On the machine of this name and DNS domain.
    #[must_use]
    pub fn on(mut self, host: &str, domain: &str) -> Self {
        self.machine.host = host.to_string();
        self.machine.domain = domain.to_string();
        self
    }

    /// A new connection; `seed` makes the challenge.
    #[must_use]
    pub fn session(&self, seed: u64) -> RdpSession {
        RdpSession::new(self.clone(), seed)
    }
}
