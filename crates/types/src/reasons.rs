//! Why a subject is banned: a bitmask, because reasons stack.

use crate::UnknownWord;
use core::{fmt, str::FromStr};

bitflags::bitflags! {
    /// Reasons for a ban. The bits are the kernel's, the wire's and the store's: stable for ever.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Reasons: u16 {
        /// It touched a trap.
        const TRAP = 1;
        /// It scanned dark ports.
        const SCAN = 1 << 1;
        /// A mesh peer said so.
        const MESH = 1 << 2;
        /// An operator said so.
        const MANUAL = 1 << 3;
        /// A block-list feed said so.
        const FEED = 1 << 4;
    }
}

const WORDS: [(Reasons, &str); 5] = [
    (Reasons::TRAP, "trap"),
    (Reasons::SCAN, "scan"),
    (Reasons::MESH, "mesh"),
    (Reasons::MANUAL, "manual"),
    (Reasons::FEED, "feed"),
];

impl Reasons {
    /// The words of the set bits, in the contract's order.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        WORDS.into_iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, word)| word)
    }

    /// The set bits one by one, in the contract's order.
    pub fn each(self) -> impl Iterator<Item = Self> {
        WORDS.into_iter().map(|(bit, _)| bit).filter(move |bit| self.contains(*bit))
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

impl FromStr for Reasons {
    type Err = UnknownWord;

    /// One reason by its word.
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        WORDS
            .into_iter()
            .find(|(_, known)| *known == word)
            .map(|(bit, _)| bit)
            .ok_or_else(|| UnknownWord { got: word.into(), allowed: "trap|scan|mesh|manual|feed" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn reasons_stack_and_print_in_order() {
        let both = Reasons::SCAN | Reasons::TRAP;
        assert_eq!(both.to_string(), "trap,scan");
        assert_eq!("feed".parse::<Reasons>().unwrap(), Reasons::FEED);
        assert!("traps".parse::<Reasons>().is_err());
    }
}
