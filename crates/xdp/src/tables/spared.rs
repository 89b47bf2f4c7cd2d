//! Who is spared, and whose packets are probes: the never-ban set and this machine's own addresses, written and compared.

use super::{Tables, found, os, read_error};
use crate::{Error, wire::Wire};
use aya::maps::{HashMap, LpmTrie, Map, MapData, MapError, lpm_trie::Key};
use honeymesh_xdp_abi::{ALLOWED, ALLOWED_TO_ALL, AddressKey, AllowFilter, NetKey4, NetKey6, is_honest4, is_honest6};
use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

const ALLOW4_WORDS: &str = "allowed IPv4 prefixes";
const ALLOW6_WORDS: &str = "allowed IPv6 prefixes";
const FILTER_WORDS: &str = "the allowlist's filter";
const LOCAL_WORDS: &str = "own addresses";

/// Prefixes, by their lengths and addresses, and to whom they are allowed.
type Nets<K> = BTreeMap<(u32, K), u32>;
type Trie<K> = LpmTrie<MapData, K, u32>;
type LocalMap = HashMap<MapData, Wire<AddressKey>, u32>;

/// A never-ban set, as the kernel is to hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    nets4: Nets<u32>,
    nets6: Nets<[u32; 4]>,
}

/// This machine's own addresses.
pub(crate) type Local = BTreeSet<AddressKey>;

impl Allowed {
    /// An entry of exactly the self-probe's source is for everybody if `is_for_all` of its family (IPv4 first), else for the probe.
    pub(crate) fn new(nets4: Vec<NetKey4>, nets6: Vec<NetKey6>, is_for_all: [bool; 2]) -> Self {
        let says = |is_own: bool, is_for_all| if is_own && is_for_all { ALLOWED_TO_ALL } else { ALLOWED };
        let says4 = |net: &NetKey4| says(net.bits == 32 && is_honest4(net.addr), is_for_all[0]);
        let says6 = |net: &NetKey6| says(net.bits == 128 && is_honest6(net.addr), is_for_all[1]);
        Self {
            nets4: nets4.into_iter().map(|net| ((net.bits, net.addr), says4(&net))).collect(),
            nets6: nets6.into_iter().map(|net| ((net.bits, net.addr), says6(&net))).collect(),
        }
    }

    /// Prefixes of both families.
    pub(crate) fn len(&self) -> usize {
        self.nets4.len() + self.nets6.len()
    }

    /// Prefixes of the family that has more of them.
    pub(crate) fn longest(&self) -> usize {
        self.nets4.len().max(self.nets6.len())
    }

    /// What stands before the tries.
    fn filter(&self) -> AllowFilter {
        let mut filter = AllowFilter::EMPTY;
        self.nets4.keys().for_each(|(bits, addr)| filter.allow4(u32::from_be(*addr), *bits));
        self.nets6.keys().for_each(|(bits, [first, ..])| filter.allow6(u32::from_be(*first), *bits));
        filter
    }

    /// Everybody of either.
    fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.nets4.extend(&other.nets4);
        both.nets6.extend(&other.nets6);
        both
    }
}

/// What another thread needs to compare the never-ban set: nobody who bans shall wait for a long one.
#[derive(Debug, Default)]
pub(crate) struct AllowWatch {
    /// As the kernel took it last; none while it is being changed, or was refused.
    told: Mutex<Option<Arc<Allowed>>>,
    is_doubtful: AtomicBool,
}

impl AllowWatch {
    /// Whoever finds the lock poisoned finds a whole value: it is changed in one step.
    pub(crate) fn tell(&self, told: Option<Arc<Allowed>>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// Reads the tries, and remembers whether they may be other than they were told.
    pub(crate) fn look(&self, allow4: &Map, allow6: &Map) -> Result<(), Error> {
        let told = || self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(before) = told() else { return Ok(()) };
        let nets4 =
            LpmTrie::<&MapData, u32, u32>::try_from(allow4).and_then(|trie| all(&trie)).map_err(read_error(ALLOW4_WORDS))?;
        let nets6 = LpmTrie::<&MapData, [u32; 4], u32>::try_from(allow6).and_then(|trie| all(&trie));
        let present = Allowed { nets4, nets6: nets6.map_err(read_error(ALLOW6_WORDS))? };
        // Whoever changed it meanwhile is its owner, in all likelihood.
        let is_still_told = told().is_some_and(|after| Arc::ptr_eq(&before, &after));
        if is_still_told && present != *before {
            self.is_doubtful.store(true, Relaxed);
        }
        Ok(())
    }

    /// Was something doubtful since this was asked last?
    pub(crate) fn take_doubt(&self) -> bool {
        self.is_doubtful.swap(false, Relaxed)
    }
}

impl Tables {
    /// Makes the filter that of the allowlist that an earlier start has left.
    pub(super) fn adopt_allow(&mut self) -> Result<(), Error> {
        let present = self.allowed_now()?;
        self.set_filter(&present)
    }

    /// Makes the allowlist equal to `wanted`; what is missing is added before what is too much goes, if there is room for both.
    /// Where one family is refused, the other is equal all the same.
    pub(crate) fn set_allow(&mut self, wanted: &Allowed) -> Result<(), Error> {
        let present = self.allowed_now()?;
        // First whoever is or will be in the tries, and in the end whoever is: so the filter never hides anybody.
        self.set_filter(&wanted.and(&present))?;
        let of4 = make_equal(&mut self.allow4, &wanted.nets4, &present.nets4).map_err(refused(ALLOW4_WORDS));
        let of6 = make_equal(&mut self.allow6, &wanted.nets6, &present.nets6).map_err(refused(ALLOW6_WORDS));
        of4.and(of6)?;
        self.set_filter(wanted)
    }

    /// Is the allowlist as it was told?
    pub(crate) fn is_allowed(&self, told: &Allowed) -> Result<bool, Error> {
        self.allowed_now().map(|present| present == *told)
    }

    /// Is its filter as it was told?
    pub(crate) fn is_filtered(&self, told: &Allowed) -> Result<bool, Error> {
        self.allowed.get(&0, 0).map(|Wire(filter)| filter == told.filter()).map_err(read_error(FILTER_WORDS))
    }

    fn allowed_now(&self) -> Result<Allowed, Error> {
        Ok(Allowed {
            nets4: all(&self.allow4).map_err(read_error(ALLOW4_WORDS))?,
            nets6: all(&self.allow6).map_err(read_error(ALLOW6_WORDS))?,
        })
    }

    fn set_filter(&mut self, of: &Allowed) -> Result<(), Error> {
        self.allowed.set(0, Wire(of.filter()), 0).map_err(refused(FILTER_WORDS))
    }

    /// Makes the list of own addresses equal to these, in the same order.
    pub(crate) fn set_local(&mut self, wanted: &Local) -> Result<(), Error> {
        let present = self.local_now()?;
        let add = |map: &mut LocalMap| wanted.difference(&present).try_for_each(|addr| map.insert(Wire(*addr), 1, 0));
        let remove =
            |map: &mut LocalMap| present.difference(wanted).try_for_each(|addr| found(map.remove(&Wire(*addr))).map(|_| ()));
        in_order(&mut self.local, add, remove).map_err(refused(LOCAL_WORDS))
    }

    /// Is the list of own addresses as it was told?
    pub(crate) fn is_local(&self, told: &Local) -> Result<bool, Error> {
        self.local_now().map(|present| present == *told)
    }

    fn local_now(&self) -> Result<Local, Error> {
        let keys: Result<Local, MapError> = self.local.keys().map(|key| key.map(|Wire(key)| key)).collect();
        keys.map_err(read_error(LOCAL_WORDS))
    }

    /// Are there any own addresses?
    pub(crate) fn has_local(&self) -> Result<bool, Error> {
        self.local.keys().next().transpose().map(|key| key.is_some()).map_err(read_error(LOCAL_WORDS))
    }
}

/// What fits by its number and is refused all the same stays wanted, so it is no [`Error::Full`].
fn refused(table: &'static str) -> impl Fn(MapError) -> Error {
    move |error| Error::Table { doing: "write", table, source: os(error) }
}

fn all<K: aya::Pod + Ord>(trie: &LpmTrie<impl Borrow<MapData>, K, u32>) -> Result<Nets<K>, MapError> {
    trie.iter().map(|entry| entry.map(|(key, says)| ((key.prefix_len(), key.data()), says))).collect()
}

fn make_equal<K: aya::Pod + Ord>(trie: &mut Trie<K>, wanted: &Nets<K>, present: &Nets<K>) -> Result<(), MapError> {
    let add = |trie: &mut Trie<K>| {
        let mut missing = wanted.iter().filter(|(net, says)| present.get(net) != Some(says));
        missing.try_for_each(|((bits, addr), says)| trie.insert(&Key::new(*bits, *addr), says, 0))
    };
    let remove = |trie: &mut Trie<K>| {
        let mut extra = present.keys().filter(|net| !wanted.contains_key(net));
        extra.try_for_each(|(bits, addr)| found(trie.remove(&Key::new(*bits, *addr))).map(|_| ()))
    };
    in_order(trie, add, remove)
}

/// Adds first, so that nobody is without for a moment; where there is no room for both, removes first.
fn in_order<M>(
    map: &mut M,
    add: impl Fn(&mut M) -> Result<(), MapError>,
    remove: impl Fn(&mut M) -> Result<(), MapError>,
) -> Result<(), MapError> {
    match add(map).map_err(os) {
        Ok(()) => remove(map),
        // Tries say ENOSPC, hashes E2BIG.
        Err(full) if matches!(full.raw_os_error(), Some(libc::E2BIG | libc::ENOSPC)) => {
            remove(map)?;
            add(map)
        }
        Err(other) => Err(other.into()),
    }
}
