//! Closed vocabularies that are ordered or chosen by an operator: grades, scopes, modes, trust.

use crate::UnknownWord;
use core::{fmt, str::FromStr};

macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident, $allowed:literal { $($(#[$doc:meta])* $variant:ident = $code:literal $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$doc])* $variant = $code),+ }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as users write and read it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The number under which formats keep it; stable for ever.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The word behind a stable number, if there is one.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    other => Err(UnknownWord { got: other.into(), allowed: $allowed }),
                }
            }
        }
    };
}

vocabulary! {
    /// How sure we are that the address itself did it (promise 2). Ordered: a higher grade is harder to forge.
    Grade, "spoofable|reactive|handshake|payload|hostile|operator" {
        /// Only SYNs or datagrams were seen: the source may be forged.
        Spoofable = 0 "spoofable",
        /// A half-open scan, statistically proved by its retransmissions.
        Reactive = 1 "reactive",
        /// A completed TCP handshake with a trap.
        Handshake = 2 "handshake",
        /// It spoke: protocol data was received over a completed handshake.
        Payload = 3 "payload",
        /// Credentials were tried, or an exploit, shellcode or bait was used.
        Hostile = 4 "hostile",
        /// A person said so.
        Operator = 5 "operator",
    }
}

vocabulary! {
    /// Which packets of a banned subject are dropped. `All` covers `Dark`.
    Scope, "dark|all" {
        /// Only packets to ports that serve nothing: harms nobody even if the source was forged.
        Dark = 0 "dark",
        /// Every packet.
        All = 1 "all",
    }
}

vocabulary! {
    /// What the node does with its verdicts.
    Mode, "observe|enforce|lockdown" {
        /// Detect and tell, drop nothing.
        Observe = 0 "observe",
        /// Drop what is banned.
        Enforce = 1 "enforce",
        /// Let only the allowlist and established connections through.
        Lockdown = 2 "lockdown",
    }
}

vocabulary! {
    /// What a cluster's records may do on this node.
    Trust, "observe|corroborate|enforce|override" {
        /// Shown, never enforced.
        Observe = 0 "observe",
        /// Enforced once enough distinct origins agree.
        Corroborate = 1 "corroborate",
        /// Enforced; manual unbans lift this node's own bans too.
        Enforce = 2 "enforce",
        /// As `enforce`: the place for what may overrule this node's own operator.
        Override = 3 "override",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn grades_are_ordered_as_the_contract_says() {
        let words: alloc::vec::Vec<_> = Grade::ALL.iter().map(|g| g.as_str()).collect();
        assert_eq!(words, ["spoofable", "reactive", "handshake", "payload", "hostile", "operator"]);
        assert!(Grade::ALL.is_sorted());
    }

    #[test]
    fn words_and_codes_round_trip_and_strangers_are_named() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse::<Mode>().unwrap(), *mode);
            assert_eq!(Mode::from_code(mode.code()), Some(*mode));
        }
        assert_eq!("on".parse::<Mode>().unwrap_err().to_string(), "`on` is not one of observe|enforce|lockdown");
    }
}
