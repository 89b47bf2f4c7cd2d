//! Our two tables: bans before the network stack, dark ports and lockdown within it. What concerns both is one transaction.

use super::uapi::{FAMILY_INET, FAMILY_NETDEV};

/// One of the two. Both are called `honeymesh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// `netdev honeymesh`: sees every packet of an interface, and knows no sockets.
    Ingress,
    /// `inet honeymesh`: sees what the network stack takes, before it follows connections, and can ask for sockets.
    Stack,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Ingress, Self::Stack];

    /// The family of the table.
    pub(super) const fn family(self) -> u8 {
        match self {
            Self::Ingress => FAMILY_NETDEV,
            Self::Stack => FAMILY_INET,
        }
    }

    /// What says that the table is ours, and of which version: `nft` prints it as the table's comment.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Ingress => "honeymesh bans, version 1",
            Self::Stack => "honeymesh dark ports, version 1",
        }
    }
}
