//! The names of the kernel's tables and of the program, as the object file and the pins spell them.
//!
//! No name is longer than the 15 characters that the kernel shows.

/// The program.
pub const PROGRAM: &str = "honeymesh";
/// [`crate::Settings`]: an array of one.
pub const SETTINGS: &str = "HM_SETTINGS";
/// Exact IPv4 bans of scope `all`: a hash from the address in network order.
pub const BANS4: &str = "HM_BANS4";
/// Exact IPv6 bans of scope `all`: a hash from the first 8 octets in network order.
pub const BANS6: &str = "HM_BANS6";
/// Bans of IPv4 prefixes of either scope: a trie of [`crate::NetKey4`].
pub const NETS4: &str = "HM_NETS4";
/// Bans of IPv6 prefixes of either scope, single addresses included: a trie of [`crate::NetKey6`].
pub const NETS6: &str = "HM_NETS6";
/// Sources that user space has silenced on dark ports: a hash of [`crate::SourceKey`].
pub const DARK: &str = "HM_DARK";
/// Entries that the kernel placed by itself: a hash of [`crate::SourceKey`], as large as the budget of such entries.
pub const PLACED: &str = "HM_PLACED";
/// The IPv4 allowlist: a trie of [`crate::NetKey4`].
pub const ALLOW4: &str = "HM_ALLOW4";
/// The IPv6 allowlist: a trie of [`crate::NetKey6`].
pub const ALLOW6: &str = "HM_ALLOW6";
/// The host's own addresses: a hash of [`crate::AddressKey`].
pub const LOCAL: &str = "HM_LOCAL";
/// What is remembered of probing sources: an LRU hash from [`crate::SourceKey`] to [`crate::ScanState`].
pub const SCANS: &str = "HM_SCANS";
/// [`crate::CounterValues`]: a per-CPU array of one.
pub const COUNTERS: &str = "HM_COUNTERS";
/// [`crate::KnockRecord`] and [`crate::ScanRecord`]: a ring buffer.
pub const KNOCKS: &str = "HM_KNOCKS";

/// Every table.
pub const ALL: [&str; 13] = [SETTINGS, BANS4, BANS6, NETS4, NETS6, DARK, PLACED, ALLOW4, ALLOW6, LOCAL, SCANS, COUNTERS, KNOCKS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_shows_every_name_whole() {
        assert!(ALL.iter().chain(&[PROGRAM]).all(|name| name.len() <= 15));
    }
}
