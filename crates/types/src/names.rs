//! Names of nodes and clusters, and a node's identity.

use alloc::string::String;
use core::{
    fmt::{self, Write},
    str::FromStr,
};

/// The longest node or cluster name, in bytes.
pub const NAME_BYTES_MAX: usize = 63;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name: 1 to 63 of the characters a-z A-Z 0-9 . _ - are allowed")]
pub struct NameError(pub String);

macro_rules! name {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
                if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.bytes().all(allowed) {
                    return Err(NameError(text.chars().take(NAME_BYTES_MAX).collect()));
                }
                Ok(Self(text.into()))
            }
        }
    };
}

name! {
    /// What people call a node. Not an identity: two nodes may claim the same one.
    NodeName
}
name! {
    /// What a cluster is called in this node's configuration and in its records.
    ClusterName
}

/// A node's identity: its Ed25519 public key. Ordered by its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 32]);

impl fmt::Display for NodeId {
    /// All 64 hexadecimal digits; with a precision (`{:.8}`), that many of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(64).min(64);
        for index in 0..digits {
            let byte = self.0[index / 2];
            let nibble = if index % 2 == 0 { byte >> 4 } else { byte & 15 };
            f.write_char(char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }))?;
        }
        Ok(())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:.8}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    #[test]
    fn names_are_plain_and_bounded() {
        assert_eq!("edge-1.example".parse::<NodeName>().unwrap().as_str(), "edge-1.example");
        for bad in ["", "a b", "ä", "x\n", &"x".repeat(64)] {
            assert!(bad.parse::<ClusterName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_identity_prints_whole_or_short() {
        let id = NodeId([0xa1; 32]);
        assert_eq!(id.to_string().len(), 64);
        assert_eq!(format!("{id:.3}"), "a1a");
    }
}
