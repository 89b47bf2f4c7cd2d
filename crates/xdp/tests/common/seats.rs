//! Where exact bans are, read from the pinned tables: in their first line, in their second, or in the hash table beside.

use aya::maps::{Array, HashMap, Map, MapData};
use honeymesh_xdp_abi::{Header, LINE_LEN, Line4, Line6, WAYS4, WAYS6, Way, table};
use std::{
    collections::HashMap as Groups,
    mem::offset_of,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
};

/// Which exact bans are where. Addresses of IPv6 are the first ones of their /64.
#[derive(Debug)]
pub struct Seats {
    pub header: Header,
    pub first: Vec<IpAddr>,
    pub second: Vec<IpAddr>,
    pub stashed: Vec<IpAddr>,
}

/// IPv4 and IPv6, of the tables that are pinned below `pins`.
pub fn seats(pins: &Path) -> [Seats; 2] {
    [seats_of::<u32>(pins, table::LINES4, table::BANS4), seats_of::<u64>(pins, table::LINES6, table::BANS6)]
}

/// So many sources are looked at for those that meet in one line.
const CANDIDATES: u32 = 1 << 26;

/// Sources that crowd one line.
#[derive(Debug)]
pub struct Crowd {
    /// Of all these it is first and second line: they are more than it has ways, and the rest must go to the hash table.
    pub at_home: [IpAddr; 8],
    /// Of these it is the first line, and their second one is another.
    pub elsewhere: [IpAddr; 4],
}

impl Crowd {
    pub fn all(&self) -> Vec<IpAddr> {
        self.at_home.iter().chain(&self.elsewhere).copied().collect()
    }
}

/// A crowd of each family. Nobody who does not know the secret finds them; where there are many lines, this takes a while.
pub fn crowds(headers: [&Header; 2]) -> [Crowd; 2] {
    let v4 = crowd(headers[0], |n| 0x0b00_0000_u32.wrapping_add(n).to_be());
    let v6 = crowd(headers[1], |n| (0x2a00_u64 << 48 | u64::from(n)).to_be());
    [v4, v6]
}

fn crowd<K: Key>(header: &Header, key: impl Fn(u32) -> K) -> Crowd {
    let keys = || (0..CANDIDATES).map(&key).map(|key| (key, header.place(key.number())));
    let mut groups: Groups<u32, Vec<IpAddr>> = Groups::new();
    let at_home = keys().filter(|(_, place)| header.first(*place) == header.second(*place)).find_map(|(key, place)| {
        let line = header.first(place);
        let group = groups.entry(line).or_default();
        group.push(key.addr());
        Some((line, <[IpAddr; 8]>::try_from(&**group).ok()?))
    });
    let (line, at_home) = at_home.unwrap();
    let elsewhere = keys().filter(|(_, place)| header.first(*place) == line && header.second(*place) != line).take(4);
    Crowd { at_home, elsewhere: elsewhere.map(|(key, _)| key.addr()).collect::<Vec<_>>().try_into().unwrap() }
}

/// A key of one family, as it stands in a packet.
trait Key: aya::Pod {
    fn number(self) -> u64;
    fn addr(self) -> IpAddr;
    /// Those of a line.
    fn of(line: &[u8; LINE_LEN]) -> Vec<Self>;
}

impl Key for u32 {
    fn number(self) -> u64 {
        self.into()
    }

    fn addr(self) -> IpAddr {
        Ipv4Addr::from(self.to_ne_bytes()).into()
    }

    fn of(line: &[u8; LINE_LEN]) -> Vec<Self> {
        (0..WAYS4).map(|way| Self::from_ne_bytes(octets(line, offset_of!(Line4, ways) + way * size_of::<Way>()))).collect()
    }
}

impl Key for u64 {
    fn number(self) -> u64 {
        self
    }

    fn addr(self) -> IpAddr {
        Ipv6Addr::from_bits(u128::from(u64::from_be_bytes(self.to_ne_bytes())) << 64).into()
    }

    fn of(line: &[u8; LINE_LEN]) -> Vec<Self> {
        (0..WAYS6).map(|way| Self::from_ne_bytes(octets(line, offset_of!(Line6, keys) + way * size_of::<u64>()))).collect()
    }
}

fn octets<const N: usize>(line: &[u8], from: usize) -> [u8; N] {
    line[from..from + N].try_into().unwrap()
}

/// The header of a pinned table.
pub fn header(pins: &Path, name: &str) -> Header {
    let line = lines(pins, name).get(&0, 0).unwrap();
    let word = |at: usize| u64::from_ne_bytes(octets(&line, at));
    let half = |at: usize| u32::from_ne_bytes(octets(&line, at));
    let header = Header {
        magic: word(offset_of!(Header, magic)),
        version: half(offset_of!(Header, version)),
        lines: half(offset_of!(Header, lines)),
        secret: word(offset_of!(Header, secret)),
        multipliers: [0, 8].map(|at| word(offset_of!(Header, multipliers) + at)),
        tick_shift: half(offset_of!(Header, tick_shift)),
        ways: half(offset_of!(Header, ways)),
        jiffy_ns: half(offset_of!(Header, jiffy_ns)),
        reserved: half(offset_of!(Header, reserved)),
        seal: word(offset_of!(Header, seal)),
    };
    assert!(header.is_sound(), "{name}: {header:?}");
    header
}

fn lines(pins: &Path, name: &str) -> Array<MapData, [u8; LINE_LEN]> {
    Array::try_from(Map::Array(MapData::from_pin(pins.join("maps").join(name)).unwrap())).unwrap()
}

fn seats_of<K: Key>(pins: &Path, lines_name: &str, stash: &str) -> Seats {
    let header = header(pins, lines_name);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let lines = lines(pins, lines_name);
    for element in 1..=header.lines {
        for key in K::of(&lines.get(&element, 0).unwrap()).into_iter().filter(|key| key.number() != 0) {
            let place = header.place(key.number());
            let homes = [header.first(place), header.second(place)];
            assert!(homes.contains(&element), "{} is in line {element}, and not in {homes:?}", key.addr());
            if element == homes[0] { first.push(key.addr()) } else { second.push(key.addr()) }
        }
    }
    let stash = Map::HashMap(MapData::from_pin(pins.join("maps").join(stash)).unwrap());
    let stash = HashMap::<_, K, [u32; 4]>::try_from(stash).unwrap();
    Seats { header, first, second, stashed: stash.keys().map(|key| key.unwrap().addr()).collect() }
}
