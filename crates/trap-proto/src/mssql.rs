//! An SQL Server that refuses every login (MS-TDS): 2022 by default, for Linux.
//!
//! Encryption is not demanded, as it is installed: the login alone is encrypted for whoever can do that, everything for whoever wants
//! it, and nothing for who cannot. Windows logins answer a challenge ([`ntlm`](crate::ntlm)).

mod login;
mod session;

use crate::{
    BannerError, Session,
    ntlm::{Machine, Placed},
    packets::ByPacket,
};
use alloc::vec::Vec;

/// SQL Server 2022 with its cumulative update 22.
const VERSION: [u8; 6] = [16, 0, 0x10, 0x81, 0, 0];

/// An SQL Server that refuses every login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mssql {
    /// Major, minor, build; the last two are a sub-build that servers leave 0.
    version: [u8; 6],
    machine: Machine,
}

impl Default for Mssql {
    /// SQL Server 2022.
    fn default() -> Self {
        Self { version: VERSION, machine: Machine::default() }
    }
}

impl Placed for Mssql {
    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}

impl Mssql {
    /// With an operator's version: major, minor and build, such as `16.0.4225`.
    ///
    /// # Errors
    /// The text is no such version.
    pub fn new(version: &str) -> Result<Self, BannerError> {
        let mut parts = version.split('.');
        let mut part = || parts.next().map(str::parse::<u16>);
        let (Some(Ok(major)), Some(Ok(minor)), Some(Ok(build))) = (part(), part(), part()) else {
            return Err(BannerError::NotVersion);
        };
        let (Ok(major), Ok(minor), [high, low]) = (u8::try_from(major), u8::try_from(minor), build.to_be_bytes()) else {
            return Err(BannerError::NotVersion);
        };
        Ok(Self { version: [major, minor, high, low, 0, 0], ..Self::default() })
    }

    /// A new connection; `seed` makes the challenge.
    #[must_use]
    pub fn session(&self, seed: u64) -> impl Session + use<> {
        ByPacket::new(session::MssqlSession::new(self.clone(), seed, true))
    }

    /// The same inside TLS, where there is no other encryption.
    #[must_use]
    pub fn secured(&self, seed: u64) -> impl Session + use<> {
        ByPacket::new(session::MssqlSession::new(self.clone(), seed, false))
    }

    /// The answer to a pre-login: version, encryption, the right instance, and what else the client has asked for.
    fn prelogin(&self, asked: &[u8], encryption: u8) -> Vec<u8> {
        let options: [(u8, &[u8]); 6] = [(0, &self.version), (1, &[encryption]), (2, &[0]), (3, &[]), (4, &[0]), (6, &[0])];
        let answered: Vec<_> = options.iter().filter(|(kind, _)| *kind <= 3 || asked.contains(kind)).collect();
        let mut at = answered.len() * 5 + 1;
        let (mut head, mut body) = (Vec::new(), Vec::new());
        for (kind, value) in answered {
            head.push(*kind);
            for number in [at, value.len()] {
                head.extend_from_slice(&u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes());
            }
            body.extend_from_slice(value);
            at += value.len();
        }
        [head, [0xff].to_vec(), body].concat()
    }
}
