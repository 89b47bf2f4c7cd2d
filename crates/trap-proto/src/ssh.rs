//! An SSH server up to the key exchange.

use crate::{BannerError, Findings, Flow, Session, Step, service::checked_banner};
use alloc::{string::String, vec::Vec};
use honeymesh_types::WallTime;

/// An SSH server up to the key exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ssh {
    banner: String,
}

/// One connection to it.
pub struct SshSession {
    findings: Findings,
}

impl Ssh {
    /// With an operator's banner.
    ///
    /// # Errors
    /// Says why the text is no banner.
    pub fn new(banner: &str) -> Result<Self, BannerError> {
        Ok(Self { banner: checked_banner(banner)? })
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self, _seed: u64) -> SshSession {
        SshSession { findings: Findings::default() }
    }
}

impl Session for SshSession {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }
    fn receive(&mut self, bytes: &[u8], _now: WallTime, _answer: &mut Vec<u8>) -> Step {
        Step { taken: bytes.len(), flow: Flow::Continue }
    }
    fn end(&mut self) {}
    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}
