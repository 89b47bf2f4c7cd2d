//! The names of the kernel's tables and of the program, as the object file and the pins spell them.
//!
//! No name is longer than the 15 characters that the kernel shows.

/// The program.
pub const PROGRAM: &str = "honeymesh";
/// The program behind it, at the door of the network stack, that hands connections to dark ports to the trap.
pub const STEERING: &str = "honeymesh_steer";
/// [`crate::Settings`]: an array of one.
pub const SETTINGS: &str = "HM_SETTINGS";
/// Exact IPv4 bans: a mappable array of [`crate::Header`] and [`crate::Line4`].
pub const LINES4: &str = "HM_LINES4";
/// Exact IPv6 (/64) bans: a mappable array of [`crate::Header`] and [`crate::Line6`].
pub const LINES6: &str = "HM_LINES6";
/// Exact IPv4 bans that no line had room for, or all of them: a hash from the address in network order to [`crate::Way`].
pub const BANS4: &str = "HM_BANS4";
/// The same of IPv6, from the first 8 octets in network order.
pub const BANS6: &str = "HM_BANS6";
/// Which /24 some banned prefix touches: a mappable array of [`crate::TOUCH4_WORDS`] words of bits ([`crate::Touch`]).
pub const TOUCH4: &str = "HM_TOUCH4";
/// The same of IPv6, as a filter: [`crate::TOUCH6_WORDS`] words.
pub const TOUCH6: &str = "HM_TOUCH6";
/// Bans of IPv4 prefixes of either scope: a trie of [`crate::NetKey4`].
pub const NETS4: &str = "HM_NETS4";
/// Bans of IPv6 prefixes of either scope, single addresses included: a trie of [`crate::NetKey6`].
pub const NETS6: &str = "HM_NETS6";
/// Entries that the kernel placed by itself: a hash of [`crate::SourceKey`], as large as the budget of such entries.
pub const PLACED: &str = "HM_PLACED";
/// The IPv4 allowlist: a trie of [`crate::NetKey4`].
pub const ALLOW4: &str = "HM_ALLOW4";
/// The IPv6 allowlist: a trie of [`crate::NetKey6`].
pub const ALLOW6: &str = "HM_ALLOW6";
/// [`crate::AllowFilter`], in front of both: an array of one.
pub const ALLOWED: &str = "HM_ALLOWED";
/// The host's own addresses: a hash of [`crate::AddressKey`].
pub const LOCAL: &str = "HM_LOCAL";
/// What is remembered of probing sources: an array of [`crate::ScanBucket`], a power of two of them.
pub const SCANS: &str = "HM_SCANS";
/// [`crate::CounterValues`]: a per-CPU array of one.
pub const COUNTERS: &str = "HM_COUNTERS";
/// [`crate::KnockRecord`], [`crate::ScanRecord`] and [`crate::VisitRecord`]: a ring buffer.
pub const KNOCKS: &str = "HM_KNOCKS";
/// [`crate::FloodMeter`]: a per-CPU array of one.
pub const FLOOD: &str = "HM_FLOOD";
/// Until when a segment may prove a handshake with the program itself, in nanoseconds of `CLOCK_BOOTTIME`, or zero: an
/// array of one.
pub const PROOFS: &str = "HM_PROOFS";
/// The programs that the first one goes on with: an array of [`crate::STEPS`] program descriptors.
pub const STEPS: &str = "HM_STEPS";
/// Those programs, each at its [`crate::STEP_GREET`] and so on.
pub const STEP_PROGRAMS: [&str; crate::STEPS as usize] = ["hm_greet", "hm_listen", "hm_probe", "hm_filter"];

/// The trap's listening sockets: a socket map, [`crate::TRAP_V4`] and [`crate::TRAP_V6`].
pub const TRAPS: &str = "HM_TRAPS";
/// TCP and UDP ports that behave as closed whatever dark ports do: an array of words, see [`crate::except_at`].
pub const EXCEPT: &str = "HM_EXCEPT";
/// [`crate::RecordLimits`]: a per-CPU array of one.
pub const LIMITS: &str = "HM_LIMITS";

/// Every table.
pub const ALL: [&str; 23] = [
    SETTINGS, LINES4, LINES6, BANS4, BANS6, TOUCH4, TOUCH6, NETS4, NETS6, PLACED, ALLOW4, ALLOW6, ALLOWED, LOCAL, SCANS,
    COUNTERS, KNOCKS, TRAPS, EXCEPT, LIMITS, FLOOD, PROOFS, STEPS,
];

/// [`crate::Header`] of [`LINES4`] and of [`LINES6`], as the program that was loaded with them has it: no table that is pinned, but a
/// symbol in the object's read-only data.
pub const HEADERS: &str = "HM_HEADERS";

/// How the object file calls a table: those that the program has at a fixed address are sections of data.
#[must_use]
pub fn in_object(name: &str) -> &str {
    match name {
        SETTINGS => ".bss.settings",
        ALLOWED => ".bss.allowed",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_shows_every_name_whole() {
        assert!(ALL.iter().chain(&[PROGRAM, STEERING]).chain(&STEP_PROGRAMS).all(|name| in_object(name).len() <= 15));
    }
}
