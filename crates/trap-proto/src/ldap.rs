//! A directory that anybody may ask little and nobody may log in to: OpenLDAP 2.6 of Debian 13 (RFC 4511).
//!
//! Binds give names and passwords in clear, or answers to challenges (CRAM-MD5, DIGEST-MD5, NTLM); searches are answered from
//! the root DSE and the one entry that a fresh installation has; whoever would change something is told to log in first.

mod bind;
mod entry;
mod filter;
mod session;

use crate::{
    Session,
    ntlm::{Machine, Placed},
    packets::ByPacket,
};
use alloc::{format, string::String};

/// A directory that nobody may log in to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ldap {
    machine: Machine,
}

impl Placed for Ldap {
    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}

impl Ldap {
    /// A new connection; `seed` makes the challenge.
    #[must_use]
    pub fn session(&self, seed: u64) -> impl Session + use<> {
        ByPacket::new(session::LdapSession::new(self.clone(), seed))
    }

    /// The domain, or what Debian calls none.
    fn domain(&self) -> &str {
        if self.machine.domain.is_empty() { "nodomain" } else { &self.machine.domain }
    }

    /// The tree's name.
    fn suffix(&self) -> String {
        let parts: alloc::vec::Vec<String> = self.domain().split('.').map(|part| format!("dc={part}")).collect();
        parts.join(",")
    }
}
