//! What the program counts, one slot a counter in a per-CPU array element.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $index:literal),+ $(,)?) => {
        /// What is counted. Each packet adds one to exactly one of the verdicts (`Passed`, `Answered` and the `Dropped…`); the rest
        /// tell why.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum Counter { $($(#[$doc])* $name = $index),+ }

        impl Counter {
            /// Every counter, in the order of its index.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

counters! {
    /// Verdict: passed to the stack.
    Passed = 0,
    /// Verdict: dropped by an exact IPv4 ban.
    DroppedV4 = 1,
    /// Verdict: dropped by an exact IPv6 (/64) ban.
    DroppedV6 = 2,
    /// Verdict: dropped by a ban of a prefix.
    DroppedNet = 3,
    /// Verdict: a probe of a dark port, by a silenced source or by anybody if dark ports are silent, dropped.
    DroppedDark = 4,
    /// Verdict: the probe that crossed the scan threshold (or came after it, unsilenced for want of room), dropped.
    DroppedScan = 5,
    /// Passed, but would have been dropped if the program were enforcing.
    WouldDrop = 6,
    /// Passed unread from some point on: a header was cut short or contradicts itself.
    Malformed = 7,
    /// Passed unread from some point on: more IPv6 extension headers than are followed.
    Extensions = 8,
    /// Neither IPv4 nor IPv6: ARP, other protocols, more VLAN tags than are followed.
    NotIp = 9,
    /// A banned source's packet passed because the source is on the allowlist.
    Allowed = 10,
    /// A banned source's IPv6 neighbour discovery, which always passes.
    Neighbour = 11,
    /// Probes of dark ports, repeated ones included, by sources that are not silenced.
    Knocks = 12,
    /// Records that found the ring buffer full.
    KnocksLost = 13,
    /// Sources that crossed the scan threshold.
    Scans = 14,
    /// Sources that were not silenced because the budget of such entries was used up.
    BudgetFull = 15,
    /// Probes that could not be counted because no scan state could be made.
    ScanStateLost = 16,
    /// A live ban behind more nested prefixes than are followed, or a table that could not be read: passed.
    TooNested = 17,
    /// Verdict: dropped because of a lockdown: neither allowed nor part of a connection.
    DroppedLockdown = 18,
    /// Verdict: taken by the program's own handshake, without the network stack: answered, or heard in silence.
    Answered = 19,
    /// Connections to dark ports that were handed to the trap.
    Steered = 20,
    /// Records that were not written because there were too many of late.
    KnocksLimited = 21,
    /// Handshakes with the program itself that were finished, as each CPU saw them.
    CookiesProven = 22,
    /// First octets of such connections that were told.
    CookiePayloads = 23,
    /// Probes of suspects that were let through to be refused, to see how the source reacts.
    OracleAnswered = 24,
    /// Packets that silent dark ports would have answered, dropped behind the verdict `Passed`.
    Silenced = 25,
    /// Verdict: a SYN to a dark port in a flood that the program cannot answer, or may not so soon, dropped.
    DroppedFlood = 26,
    /// Segments that might have returned a cookie and passed unread, because too many wrong ones came of late.
    GuessesLimited = 27,
}

/// How many counters there are.
pub const COUNTERS: usize = Counter::ALL.len();

/// One CPU's counters, indexed by [`Counter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CounterValues(pub [u64; COUNTERS]);

const _: () = assert!(size_of::<CounterValues>() == 28 * 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_slot() {
        for (index, counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(*counter as usize, index);
        }
    }
}
