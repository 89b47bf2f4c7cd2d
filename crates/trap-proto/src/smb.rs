//! A file server that lets nobody but nobody in: Samba 4.22 of Debian 13, its old protocol switched on.
//!
//! SMB 1, 2 and 3 over TCP (MS-CIFS, MS-SMB2) up to the login, whose answers to a challenge are kept as guessers read them.
//! Anonymous sessions get as far as `IPC$`, as with Samba, so that probes for known holes show themselves.

mod message;
mod one;
mod session;
mod two;

pub use session::SmbSession;

use crate::{
    BannerError,
    ber::{ber, sequence},
    ntlm::Machine,
    service::checked_banner,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// Debian 13's Samba.
const VERSION: &str = "4.22.6-Debian-4.22.6+dfsg-0+deb13u1";
/// What Debian's installer calls a machine.
const HOST: &str = "debian";
const NTLMSSP: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
/// What servers say in place of a name that nobody reads.
const HINT: &[u8] = b"not_defined_in_RFC4178@please_ignore";

/// A file server that lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smb {
    version: String,
    machine: Machine,
}

impl Default for Smb {
    /// Debian 13's Samba.
    fn default() -> Self {
        let machine = Machine { host: HOST.to_string(), domain: String::new(), workgroup: "WORKGROUP".to_string() };
        Self { version: VERSION.to_string(), machine }
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

    /// On the machine of this name and DNS domain.
    #[must_use]
    pub fn on(mut self, host: &str, domain: &str) -> Self {
        self.machine.host = host.to_string();
        self.machine.domain = domain.to_string();
        self
    }

    /// A new connection; `seed` makes the challenge.
    #[must_use]
    pub fn session(&self, seed: u64) -> SmbSession {
        SmbSession::new(self.clone(), seed)
    }

    /// Samba's GUID is its name in small letters.
    fn guid(&self) -> [u8; 16] {
        let mut guid = [0; 16];
        let name = self.machine.netbios().to_lowercase();
        guid.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        guid
    }
}

/// How one may log in here: by NTLM.
fn offer() -> Vec<u8> {
    let kinds = ber(0xa0, &ber(0x30, &ber(6, NTLMSSP)));
    let hint = ber(0xa3, &ber(0x30, &ber(0xa0, &ber(0x1b, HINT))));
    sequence(0x60, &[ber(6, SPNEGO), ber(0xa0, &sequence(0x30, &[kinds, hint]))])
}

/// The next step of a login by NTLM; without a token, the wish for one.
fn go_on(token: &[u8]) -> Vec<u8> {
    let state = ber(0xa0, &ber(0x0a, &[1]));
    let token = if token.is_empty() { Vec::new() } else { ber(0xa2, &ber(4, token)) };
    ber(0xa1, &sequence(0x30, &[state, ber(0xa1, &ber(6, NTLMSSP)), token]))
}

/// Its end.
fn accepted() -> Vec<u8> {
    ber(0xa1, &ber(0x30, &ber(0xa0, &ber(0x0a, &[0]))))
}
