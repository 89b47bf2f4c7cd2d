//! A remote desktop: as xrdp of Debian 13 has it, with TLS for whoever asks for it and, as with `crypt_level=none`, without encryption for
//! everybody else, so that names and passwords come in clear (MS-RDPBCGR, T.125, X.224).
//!
//! It goes as far as the client's info packet, which has both, and hangs up as after a failed login. Whoever would prove himself
//! beforehand (CredSSP, MS-CSSP) answers a challenge by NTLM instead, as with Windows: xrdp knows no such thing, so it belongs on no Debian's
//! address.

mod client;
mod credssp;
mod session;

use crate::{
    Session,
    ntlm::{Machine, Placed},
    packets::ByPacket,
};

/// A remote desktop that lets nobody in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rdp {
    machine: Machine,
}

impl Placed for Rdp {
    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}

impl Rdp {
    /// A new connection; `seed` makes the challenge.
    #[must_use]
    pub fn session(&self, seed: u64) -> impl Session + use<> {
        ByPacket::new(session::RdpSession::new(self.clone(), seed, true))
    }

    /// The same inside TLS, where there is no other.
    #[must_use]
    pub fn secured(&self, seed: u64) -> impl Session + use<> {
        ByPacket::new(session::RdpSession::new(self.clone(), seed, false))
    }
}
