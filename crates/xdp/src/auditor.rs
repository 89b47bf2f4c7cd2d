//! Reads the ban tables from another thread: with a huge table that takes seconds, and nobody who bans shall wait.

use crate::{
    Drift, Error, compare,
    spot::{Spot, Table},
    tables,
};
use aya::{
    Ebpf,
    maps::{Map, MapData},
};
use honeymesh_types::{Enforcement, Now};
use honeymesh_xdp_abi::{BanEntry, table};
use std::os::fd::AsFd;

/// Handles of its own on the ban tables, which only read.
pub struct Auditor {
    maps: Vec<(Table, Map)>,
}

impl Auditor {
    /// Duplicates the descriptors of the ban tables.
    pub(crate) fn open(object: &Ebpf) -> Result<Self, Error> {
        let names = [table::BANS4, table::BANS6, table::NETS4, table::NETS6, table::DARK];
        let maps = Table::OURS.into_iter().zip(names).map(|(table, name)| Ok((table, twin(object, name)?)));
        maps.collect::<Result<_, Error>>().map(|maps| Self { maps })
    }

    /// How the tables differ from `intent`. Both may change while this reads, so what it says is a hint: verify and mend it
    /// subject by subject with [`crate::Kernel::mend`]. Interfaces and settings are not looked at
    /// ([`crate::Kernel::guard`] does).
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn audit(&self, intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
        let mut actual: Vec<(Spot, BanEntry)> = Vec::new();
        for (table, map) in &self.maps {
            actual.append(&mut tables::read_all(*table, map)?);
        }
        Ok(compare::compare(actual, intent, now).drift)
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
