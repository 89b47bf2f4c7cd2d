//! What user space tells the program: one element of an array, read anew for each packet.

use crate::CookieSettings;

/// A scan that may be forged earns silence on dark ports.
pub const SPOOFABLE_DARK: u32 = 0;
/// A scan that may be forged earns a full ban on this host.
pub const SPOOFABLE_ALL: u32 = 1;
/// A scan that may be forged is only reported.
pub const SPOOFABLE_OFF: u32 = 2;

/// Which steps the program takes: a set of bits, so that a step whose table is empty costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Gates(pub u32);

impl Gates {
    /// Drop and silence; without it everything passes and is only counted.
    pub const ENFORCING: Self = Self(1);
    /// There are exact IPv4 bans.
    pub const BANS4: Self = Self(1 << 1);
    /// There are exact IPv6 bans.
    pub const BANS6: Self = Self(1 << 2);
    /// There are bans of IPv4 prefixes.
    pub const NETS4: Self = Self(1 << 3);
    /// There are bans of IPv6 prefixes.
    pub const NETS6: Self = Self(1 << 4);
    /// There are local addresses, so probes can be told from other packets.
    pub const LOCAL: Self = Self(1 << 5);
    /// Entries that the kernel placed may be full bans, so every packet asks for them.
    pub const PLACED_ALL: Self = Self(1 << 6);
    /// Only allowed sources and established connections pass, until [`Settings::lockdown_until_ns`].
    pub const LOCKDOWN: Self = Self(1 << 7);
    /// UDP to dark ports counts as probes.
    pub const UDP: Self = Self(1 << 8);
    /// A keyed half of the dark ports goes on answering silenced sources, to see how they react.
    pub const ORACLE: Self = Self(1 << 9);
    /// Dark TCP ports are traps.
    pub const TRAPS: Self = Self(1 << 10);
    /// The program may shake hands by itself when probes of dark ports are many.
    pub const COOKIES: Self = Self(1 << 11);
    /// Some banned IPv6 prefix is shorter than the filter in front of the trie tells apart.
    pub const NETS6_WIDE: Self = Self(1 << 12);
    /// Dark ports answer nothing at all.
    pub const SILENT: Self = Self(1 << 13);
    /// This host forwards packets for others, and may translate their connections to its own addresses.
    pub const FORWARDS: Self = Self(1 << 14);

    /// Are all bits of `other` set?
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Is some bit of `other` set?
    #[must_use]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These bits, with those of `other` set or cleared.
    #[must_use]
    pub const fn with(self, other: Self, on: bool) -> Self {
        if on { Self(self.0 | other.0) } else { Self(self.0 & !other.0) }
    }
}

/// What a scan is and what it earns. Read only for a probe of a dark port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ScanSettings {
    /// Distinct dark ports that make a scan: 1 to [`crate::PORTS_MAX`].
    pub ports: u32,
    /// What it earns: one of the `SPOOFABLE_…`.
    pub spoofable: u32,
    /// Within this time, in nanoseconds.
    pub window_ns: u64,
    /// How long it is silenced, in nanoseconds.
    pub ttl_ns: u64,
    /// The bits of a source's hash that choose its bucket: one less than the number of buckets, a power of two.
    pub bucket_mask: u64,
}

/// All settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Settings {
    /// [`crate::VERSION`] of the writer.
    pub version: u32,
    /// Which steps are taken.
    pub gates: Gates,
    /// What a scan is.
    pub scan: ScanSettings,
    /// When a lockdown ends by itself, in nanoseconds of `CLOCK_BOOTTIME`; [`crate::FOREVER`] if it was confirmed.
    pub lockdown_until_ns: u64,
    /// The ports that this host sends from: UDP to these is never a probe, because late answers go there. First and last.
    pub ephemeral: [u32; 2],
    /// The secret of everything that a stranger must not predict: 128 bits, made once for each set of tables.
    pub secret: [u64; 2],
    /// How fast is a flood.
    pub cookies: CookieSettings,
}

const _: () = assert!(size_of::<ScanSettings>() == 32);
const _: () = assert!(size_of::<Settings>() == 96);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_distinct_bits() {
        let all = [
            Gates::ENFORCING,
            Gates::BANS4,
            Gates::BANS6,
            Gates::NETS4,
            Gates::NETS6,
            Gates::LOCAL,
            Gates::PLACED_ALL,
            Gates::LOCKDOWN,
            Gates::UDP,
            Gates::ORACLE,
            Gates::TRAPS,
            Gates::COOKIES,
            Gates::NETS6_WIDE,
            Gates::SILENT,
            Gates::FORWARDS,
        ];
        let mut gates = Gates::default();
        for gate in all {
            assert!(!gates.has(gate));
            gates = gates.with(gate, true);
        }
        assert!(all.into_iter().all(|gate| gates.has(gate) && !gates.with(gate, false).has(gate)));
    }
}
