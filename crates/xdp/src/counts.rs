//! How many entries there are and may be, and which steps of the program they call for.

use crate::{
    Options,
    load::{DARK_ROOM, NETS_MAX},
    spot::Table,
};
use honeymesh_xdp_abi::Gates;

/// How many entries user space has in each of its tables.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts([usize; Table::OURS.len()]);

impl Counts {
    fn of(&mut self, table: Table) -> Option<&mut usize> {
        self.0.get_mut(table as usize)
    }

    pub(crate) fn add(&mut self, table: Table, more: usize) {
        if let Some(count) = self.of(table) {
            *count = count.saturating_add(more);
        }
    }

    pub(crate) fn take(&mut self, table: Table) {
        if let Some(count) = self.of(table) {
            *count = count.saturating_sub(1);
        }
    }

    pub(crate) fn total(&self) -> usize {
        self.0.iter().sum()
    }

    /// The gates of the tables that hold something.
    pub(crate) fn gates(&self, gates: Gates) -> Gates {
        let [bans4, bans6, nets4, nets6, _] = self.0.map(|count| count > 0);
        gates.with(Gates::BANS4, bans4).with(Gates::BANS6, bans6).with(Gates::NETS4, nets4).with(Gates::NETS6, nets6)
    }
}

/// How many entries fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    bans: u32,
    dark: u32,
    placed: u32,
}

impl Limits {
    pub(crate) const fn new(options: &Options) -> Self {
        let budget = options.scan.budget;
        Self { bans: options.max_bans, dark: budget.saturating_add(DARK_ROOM), placed: budget }
    }

    pub(crate) const fn of(self, table: Table) -> u32 {
        match table {
            Table::Bans4 | Table::Bans6 => self.bans,
            Table::Nets4 | Table::Nets6 => NETS_MAX,
            Table::Dark => self.dark,
            Table::Placed => self.placed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_open_while_its_table_holds_something() {
        let mut counts = Counts::default();
        let gates = |counts: &Counts| counts.gates(Gates::ENFORCING);
        assert_eq!(gates(&counts), Gates::ENFORCING);
        counts.add(Table::Nets6, 2);
        counts.add(Table::Dark, 1);
        assert_eq!((gates(&counts), counts.total()), (Gates::ENFORCING.with(Gates::NETS6, true), 3));
        counts.take(Table::Nets6);
        assert!(gates(&counts).has(Gates::NETS6));
        counts.take(Table::Nets6);
        counts.take(Table::Nets6);
        assert_eq!((gates(&counts), counts.total()), (Gates::ENFORCING, 1));
        counts.add(Table::Placed, 1);
        assert_eq!(counts.total(), 1, "what the kernel placed is not ours");
    }
}
