//! A file server that lets nobody but nobody in: Samba 4.22 of Debian 13, its old protocol switched on.
//!
//! SMB 1, 2 and 3 over TCP (MS-CIFS, MS-SMB2) up to the login, whose answers to a challenge are kept as guessers read them.
//! Anonymous sessions get as far as `IPC$`, as with Samba, so that probes for known holes show themselves.

mod message;
mod one;
mod session;
mod two;

use crate::{
    BannerError, Session,
    ntlm::{Machine, Placed},
    packets::ByPacket,
    service::checked_banner,
};
use alloc::string::{String, ToString};

/// Debian 13's Samba.
const VERSION: &str = "4.22.11-Debian-4.22.11+dfsg-0+deb13u1";

/// A file server that lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smb {
    version: String,
    machine: Machine,
}

impl Default for Smb {
    /// Debian 13's Samba.
    fn default() -> Self {
        Self { version: VERSION.to_string(), machine: Machine::default() }
    }
}

impl Placed for Smb {
    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}

impl Smb {
    /// With an operator's version of Samba.
    ///
    /// # Errors
    /// Says why the text cannot be sent.
    pub fn new(version: &str) -> Result<Self, BannerError> {
        Ok(Self { version: checked_banner(version)?, ..Self::default() })
    }

    /// A new connection; `seed` makes the challenge.
    #[must_use]
    pub fn session(&self, seed: u64) -> impl Session + use<> {
        ByPacket::new(session::SmbSession::new(self.clone(), seed))
    }

    /// Samba's GUID is its name in small letters.
    fn guid(&self) -> [u8; 16] {
        let mut guid = [0; 16];
        let name = self.machine.netbios().to_lowercase();
        guid.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        guid
    }
}
