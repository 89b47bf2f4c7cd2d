//! A directory that anybody may ask little and nobody may log in to: OpenLDAP 2.6 of Debian 13 (RFC 4511).
//!
//! Binds give names and passwords in clear, or answers to challenges (CRAM-MD5, DIGEST-MD5, NTLM); searches are answered from
//! the root DSE and the one entry that a fresh installation has; whoever would change something is told to log in first.

mod bind;
mod change;
mod controls;
mod dn;
mod entry;
mod filter;
mod fits;
mod schema;
mod session;

use crate::{
    Session,
    ntlm::{Machine, Placed},
    packets::ByPacket,
    text::{hex, random_bytes},
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

    /// When the tree was made, and with which number: the same for one machine whenever it starts.
    fn made(&self) -> Made {
        let name = self.machine.host.bytes().chain([0]).chain(self.domain().bytes());
        let seed = name.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let random: [u8; 16] = random_bytes(seed);
        let [month, day, hour, minute, second, micros, ..] = random;
        let month = MADE_MONTHS[usize::from(month) % MADE_MONTHS.len()];
        let moment = format!("{month}{:02}{:02}{:02}{:02}", 1 + day % 28, hour % 24, minute % 60, second % 60);
        let hex = hex(&random);
        // Version 1, as slapd makes them.
        let uuid = format!("{}-{}-10{}-9{}-{}", &hex[..8], &hex[8..12], &hex[14..16], &hex[17..20], &hex[20..]);
        Made { moment, micros: u32::from(micros) * 3_907, uuid }
    }
}

/// In one of these the tree is made.
const MADE_MONTHS: [&str; 6] = ["202510", "202511", "202512", "202601", "202602", "202603"];

/// When the tree was made.
struct Made {
    /// To the second, in digits.
    moment: String,
    micros: u32,
    uuid: String,
}
