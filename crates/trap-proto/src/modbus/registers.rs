//! What a controller's coils and registers hold: a process that stands still, and what one connection has written.

use crate::text::random_bytes;
use alloc::collections::BTreeMap;

/// Coils, inputs and registers of each kind: what is behind them is an address that there is none of.
pub(super) const ADDRESSES: u16 = 2_048;
/// Those that are in use; the others hold nothing.
const USED: u16 = 96;
/// Values of one connection that are remembered; more are acknowledged, and not read back.
const WRITTEN_MAX: usize = 256;

/// What can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Coils,
    Inputs,
    Holding,
    InputRegisters,
}

/// The registers as one connection sees them.
pub(super) struct Registers {
    process: u64,
    written: BTreeMap<(Table, u16), u16>,
}

impl Registers {
    pub(super) const fn new(process: u64) -> Self {
        Self { process, written: BTreeMap::new() }
    }

    pub(super) fn read(&self, table: Table, address: u16) -> u16 {
        self.written.get(&(table, address)).copied().unwrap_or_else(|| self.given(table, address))
    }

    pub(super) fn write(&mut self, table: Table, address: u16, value: u16) {
        if self.written.len() < WRITTEN_MAX || self.written.contains_key(&(table, address)) {
            self.written.insert((table, address), value);
        }
    }

    /// Levels, temperatures in tenths of a degree and set points: small numbers, and here and there nothing.
    fn given(&self, table: Table, address: u16) -> u16 {
        let seed = self.process ^ (u64::from(address) << 8) ^ ((table as u64) << 32);
        let [low, high, kind, ..] = random_bytes::<8>(seed);
        match table {
            _ if address >= USED => 0,
            Table::Coils | Table::Inputs => u16::from(kind % 3 == 0),
            Table::Holding | Table::InputRegisters => match kind % 4 {
                0 => 0,
                1 => u16::from(low) % 100,
                _ => u16::from_be_bytes([high % 8, low]),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_stays_and_what_is_written_is_bounded() {
        let mut registers = Registers::new(7);
        let before = registers.read(Table::Holding, 3);
        assert_eq!(before, Registers::new(7).read(Table::Holding, 3));
        assert!((0..USED).any(|at| registers.read(Table::Holding, at) != Registers::new(8).read(Table::Holding, at)));
        assert!((0..ADDRESSES).all(|at| registers.read(Table::Coils, at) < 2 && registers.read(Table::Holding, at) < 2_048));
        (0..ADDRESSES).for_each(|at| registers.write(Table::Holding, at, 9_999));
        assert_eq!((registers.written.len(), registers.read(Table::Holding, 3)), (WRITTEN_MAX, 9_999));
    }
}
