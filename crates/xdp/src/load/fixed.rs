//! What the program has at fixed addresses. The loader writes all of it when it loads the program, so what is adopted is read
//! first and written as it is.

use super::lines;
use crate::{
    Error, Options,
    lines::{Lines, V4, V6},
    tables::read_error,
    ticks::Ticks,
    wire::Wire,
};
use aya::{
    EbpfLoader,
    maps::{Array, Map, MapData, MapError},
};
use honeymesh_xdp_abi::{AllowFilter, Header, Settings, table};

/// What stands there the moment the program is loaded.
pub(super) struct Fixed {
    settings: Option<Wire<Settings>>,
    allowed: Option<Box<Wire<AllowFilter>>>,
    /// How the lines of IPv4 and of IPv6 are laid out.
    headers: Wire<[Header; 2]>,
}

impl Fixed {
    /// Nothing is told yet, and lines are to be laid out anew.
    pub(super) fn new(options: &Options, ticks: &Ticks) -> Result<Self, Error> {
        let [lines4, lines6] = lines(options);
        let headers = Wire([Lines::<V4>::sealed(fresh(lines4, ticks)?), Lines::<V6>::sealed(fresh(lines6, ticks)?)]);
        Ok(Self { settings: None, allowed: None, headers })
    }

    /// This table is adopted: what it tells stays. The header is that of lines.
    pub(super) fn adopt(&mut self, name: &str, map: MapData, header: Option<Header>) -> Result<(), Error> {
        let Wire([lines4, lines6]) = &mut self.headers;
        match (name, header) {
            (table::LINES4, Some(header)) => *lines4 = header,
            (table::LINES6, Some(header)) => *lines6 = header,
            (table::SETTINGS, _) => self.settings = Some(only(map).map_err(read_error("settings"))?),
            (table::ALLOWED, _) => self.allowed = Some(Box::new(only(map).map_err(read_error("allowed prefixes"))?)),
            _ => {}
        }
        Ok(())
    }

    pub(super) const fn headers(&self) -> [Header; 2] {
        self.headers.0
    }

    pub(super) fn tell<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        loader.override_global(table::HEADERS, &self.headers, true);
        if let Some(settings) = &self.settings {
            loader.override_global(table::SETTINGS, settings, true);
        }
        if let Some(allowed) = &self.allowed {
            loader.override_global(table::ALLOWED, &**allowed, true);
        }
    }
}

/// Of lines that nobody can aim at.
fn fresh(lines: u32, ticks: &Ticks) -> Result<Header, Error> {
    let random = || getrandom::u64().map_err(|error| Error::Refused(format!("the kernel gives no random bytes: {error}")));
    let multipliers = [random()? | 1, random()? | 1];
    Ok(Header { lines, secret: random()?, multipliers, ..ticks.header() })
}

/// The only element of an array of one.
fn only<T: aya::Pod>(map: MapData) -> Result<T, MapError> {
    Array::<MapData, T>::try_from(Map::Array(map))?.get(&0, 0)
}
