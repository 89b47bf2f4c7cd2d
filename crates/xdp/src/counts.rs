//! How many entries there are, and which steps of the program they call for.

use honeymesh_xdp_abi::Gates;

/// How many entries user space has in each of its tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) bans4: usize,
    pub(crate) bans6: usize,
    pub(crate) nets4: usize,
    pub(crate) nets6: usize,
    /// Some prefix is not told apart by the filter.
    pub(crate) is_wide: bool,
}

impl Counts {
    pub(crate) const fn total(&self) -> usize {
        self.bans4 + self.bans6 + self.nets4 + self.nets6
    }

    /// The gates of the tables that hold something.
    pub(crate) fn gates(&self, gates: Gates) -> Gates {
        let Self { bans4, bans6, nets4, nets6, is_wide } = *self;
        let gates = gates.with(Gates::BANS4, bans4 > 0).with(Gates::BANS6, bans6 > 0);
        gates.with(Gates::NETS4, nets4 > 0).with(Gates::NETS6, nets6 > 0).with(Gates::NETS6_WIDE, is_wide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_open_while_its_table_holds_something() {
        let gates = |counts: Counts| counts.gates(Gates::ENFORCING);
        let counts = Counts { nets6: 2, bans4: 1, ..Counts::default() };
        assert_eq!(gates(Counts::default()), Gates::ENFORCING);
        assert_eq!(gates(counts), Gates::ENFORCING.with(Gates::NETS6, true).with(Gates::BANS4, true));
        assert_eq!(counts.total(), 3);
        let wide = gates(Counts { nets6: 1, is_wide: true, ..Counts::default() });
        assert!(wide.has(Gates::NETS6_WIDE) && counts.gates(wide) == gates(counts), "and closed again");
    }
}
