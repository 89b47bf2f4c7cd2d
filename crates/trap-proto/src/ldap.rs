//! A directory that anybody may ask little and nobody may log in to: OpenLDAP 2.6 of Debian 13 (RFC 4511).
//!
//! Binds give names and passwords in clear, or answers to challenges (CRAM-MD5, DIGEST-MD5, NTLM); searches are answered from
//! the root DSE and the one entry that a fresh installation has; whoever would change something is told to log in first.

mod bind;
mod change;
mod controls;
mod digest;
mod dn;
mod entry;
mod extended;
mod filter;
mod fits;
mod sasl;
mod schema;
mod scram;
mod search;
mod session;
mod tree;

use crate::{
    Persona, Session,
    ntlm::{Machine, Placed},
    packets::ByPacket,
};
use alloc::{format, string::String};

/// A directory that nobody may log in to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ldap {
    machine: Machine,
    tree: tree::Tree,
}

impl Placed for Ldap {
    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }
}

impl Ldap {
    /// The directory of the machine that `persona` is. When its tree was made, and with which number, a secret of the machine's
    /// decides: its names, which it tells, say nothing of it.
    #[must_use]
    pub fn of(persona: &Persona) -> Self {
        let ldap = Self { tree: tree::Tree::of(persona.key("ldap tree"), persona.set_up("slapd")), ..Self::default() };
        ldap.on(persona.host(), persona.domain())
    }

    /// A new connection; `seed` makes the challenges.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_a_machine_tells_say_nothing_of_its_tree() {
        let of = |seed: u8| Ldap::of(&Persona::of([seed; 32]).named("db1.example.org").unwrap());
        let (one, other) = (of(1), of(2));
        assert_eq!((&one.machine, one.suffix().as_str()), (&other.machine, "dc=example,dc=org"));
        assert_eq!(one, of(1), "the same whenever it starts");
        assert_ne!((one.tree.uuid(), one.tree.csn()), (other.tree.uuid(), other.tree.csn()));
    }
}
