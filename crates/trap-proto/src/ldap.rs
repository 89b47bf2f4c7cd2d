//! A directory that anybody may ask little and nobody may log in to: OpenLDAP 2.6 of Debian 13 (RFC 4511).
//!
//! Binds give names and passwords in clear, or answers to challenges (CRAM-MD5, DIGEST-MD5, NTLM); searches are answered from
//! the root DSE and the one entry that a fresh installation has; whoever would change something is told to log in first.

mod bind;
mod entry;
mod filter;
mod session;

pub use session::LdapSession;

use crate::ntlm::Machine;
use alloc::{
    format,
    string::{String, ToString},
};

/// A directory that nobody may log in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ldap {
    machine: Machine,
}

impl Default for Ldap {
    /// What Debian's installer makes of a machine without a domain.
    fn default() -> Self {
        let machine = Machine { host: "debian".to_string(), domain: String::new(), workgroup: "WORKGROUP".to_string() };
        Self { machine }
    }
}

impl Ldap {
    /// On the machine of this name and DNS domain, of which the tree's name is made.
    #[must_use]
    pub fn on(mut self, host: &str, domain: &str) -> Self {
        self.machine.host = host.to_string();
        self.machine.domain = domain.to_string();
        self
    }

    /// A new connection; `seed` makes the challenge.
    #[must_use]
    pub fn session(&self, seed: u64) -> LdapSession {
        LdapSession::new(self.clone(), seed)
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
