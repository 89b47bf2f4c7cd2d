//! Reads the ban tables from another thread: nobody who bans shall wait for a huge one.

use crate::{
    Drift, Error,
    compare::{self, Actual, Reader},
    lines::{Lines, V4, V6},
    probe, spot,
    stash::HashTable,
    tables::{self, AllowWatch, Tables},
    ticks::Ticks,
};
use aya::{
    Ebpf,
    maps::{Map, MapData},
};
use honeymesh_types::{Enforcement, Now};
use honeymesh_xdp_abi::table;
use std::{cell::RefCell, os::fd::AsFd, sync::Arc};

/// Windows of an audit onto each table, while it reads: 2 MiB. In between there are none but the first.
const AUDIT_WINDOWS_MAX: usize = 128;

/// Views of its own of the ban tables, which only read.
pub struct Auditor {
    lines: RefCell<(Lines<V4>, Lines<V6>)>,
    stash4: HashTable<u32>,
    stash6: HashTable<u64>,
    nets4: Map,
    nets6: Map,
    allow4: Map,
    allow6: Map,
    allow_watch: Arc<AllowWatch>,
    ticks: Ticks,
}

/// Second descriptors of the tables that cannot be mapped.
pub(crate) struct Twins([Map; 6]);

impl Twins {
    /// Duplicates the descriptors, before the tables are taken out of the object.
    pub(crate) fn of(object: &Ebpf) -> Result<Self, Error> {
        let twin = |name| twin(object, name);
        let [bans4, bans6, nets4] = [twin(table::BANS4)?, twin(table::BANS6)?, twin(table::NETS4)?];
        Ok(Self([bans4, bans6, nets4, twin(table::NETS6)?, twin(table::ALLOW4)?, twin(table::ALLOW6)?]))
    }
}

impl Auditor {
    pub(crate) fn open(
        Twins([stash4, stash6, nets4, nets6, allow4, allow6]): Twins,
        tables: &Tables,
        ticks: Ticks,
        allow_watch: Arc<AllowWatch>,
    ) -> Result<Self, Error> {
        let failed = |error| Error::Refused(format!("a table cannot be opened twice: {error}"));
        let unmapped = |error| Error::Refused(format!("a table cannot be mapped twice: {error}"));
        Ok(Self {
            lines: RefCell::new(tables.twin_lines(AUDIT_WINDOWS_MAX).map_err(unmapped)?),
            stash4: HashTable::open(stash4, spot::Table::Bans4.words(), 0).map_err(failed)?,
            stash6: HashTable::open(stash6, spot::Table::Bans6.words(), 0).map_err(failed)?,
            nets4,
            nets6,
            allow4,
            allow6,
            allow_watch,
            ticks,
        })
    }

    /// How the tables differ from `intent`. Both may change while this reads, so what it says is a hint: verify and mend it
    /// subject by subject with [`crate::Kernel::mend`]. Interfaces and settings are not looked at ([`crate::Kernel::guard`] does). A long
    /// allowlist is: what seems to differ there is for the next [`crate::Kernel::guard`] to find.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn audit(&self, intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
        let mut lines = self.lines.borrow_mut();
        // Whoever holds so many has hundreds of megabytes of them: what the tables add for a moment is little.
        if intent.len() >= compare::BATCH {
            lines.0.spread();
            lines.1.spread();
        }
        let drift = self.compared(&lines, intent, now);
        let allow = self.allow_watch.look(&self.allow4, &self.allow6);
        lines.0.fold();
        lines.1.fold();
        allow.and(drift)
    }

    fn compared(&self, (lines4, lines6): &(Lines<V4>, Lines<V6>), intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
        let v4 = Reader { lines: lines4, stash: &self.stash4, len: None };
        let v6 = Reader { lines: lines6, stash: &self.stash6, len: None };
        let nets = tables::read_nets(&self.nets4, &self.nets6)?;
        let mut plan = compare::compare(Actual { v4: &v4, v6: &v6, nets }, intent, now, &self.ticks.clock())?;
        probe::leave_out(&mut plan);
        Ok(plan.drift)
    }
}

impl std::fmt::Debug for Auditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auditor").finish_non_exhaustive()
    }
}

fn twin(object: &Ebpf, name: &str) -> Result<Map, Error> {
    let refused = |why: &dyn std::fmt::Display| Error::Refused(format!("the table {name} cannot be opened twice: {why}"));
    let of = |data: &MapData| {
        let fd = data.fd().as_fd().try_clone_to_owned().map_err(|error| refused(&error))?;
        MapData::from_fd(fd).map_err(|error| refused(&error))
    };
    match object.map(name) {
        Some(Map::HashMap(data)) => of(data).map(Map::HashMap),
        Some(Map::LpmTrie(data)) => of(data).map(Map::LpmTrie),
        _ => Err(refused(&"it is not there")),
    }
}
