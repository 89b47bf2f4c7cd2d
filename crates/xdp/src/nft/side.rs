//! Our two tables: bans before the network stack, dark ports and lockdown within it. What concerns both is one transaction.

use super::uapi::{FAMILY_INET, FAMILY_NETDEV};

/// What sets, chains and rules mean. A start replaces the tables of any other version; see [`super::table::Table::attach`].
pub(super) const VERSION: u32 = 1;

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
    pub(super) fn mark(self) -> String {
        format!("{}{VERSION}", self.words())
    }

    /// The version that a mark tells of; `None`: the table is somebody else's.
    pub(super) fn version(self, mark: &str) -> Option<u32> {
        let number = mark.strip_prefix(self.words())?;
        let version: u32 = number.parse().ok()?;
        // Written as we write it, and no other way.
        (version.to_string() == number).then_some(version)
    }

    /// What every version's mark begins with.
    const fn words(self) -> &'static str {
        match self {
            Self::Ingress => "honeymesh bans, version ",
            Self::Stack => "honeymesh dark ports, version ",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_any_version_is_ours_and_nothing_else_is() {
        for (side, words) in [(Side::Ingress, "honeymesh bans"), (Side::Stack, "honeymesh dark ports")] {
            assert_eq!(side.version(&side.mark()), Some(VERSION));
            let version = |number: &str| side.version(&format!("{words}, version {number}"));
            assert_eq!((version("0"), version("7"), version("4294967295")), (Some(0), Some(7), Some(u32::MAX)));
            for number in ["", "+7", "07", " 7", "7 ", "7.1", "-1", "4294967296", "seven"] {
                assert_eq!(version(number), None, "{number:?}");
            }
            assert_eq!(side.version(&format!("my {words}, version 1")), None);
        }
        assert_eq!(Side::Ingress.version(&Side::Stack.mark()), None, "each side has its own");
    }
}
