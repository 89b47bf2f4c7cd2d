//! What an older version has left: its real program on an interface, and its tables with bans in them, pinned as it pinned them.

use aya::{
    EbpfLoader,
    maps::{Array, HashMap, LpmTrie, lpm_trie::Key},
    programs::{Xdp, XdpMode, links::FdLink},
};
use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

/// See `tests/frozen/README.md`.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../frozen/v1.o");

/// Its tables, and how many entries each has room for.
const TABLES: [(&str, u32); 13] = [
    ("HM_SETTINGS", 1),
    ("HM_BANS4", 1_000),
    ("HM_BANS6", 1_000),
    ("HM_NETS4", 65_536),
    ("HM_NETS6", 65_536),
    ("HM_DARK", 4_096),
    ("HM_PLACED", 64),
    ("HM_ALLOW4", 65_536),
    ("HM_ALLOW6", 65_536),
    ("HM_LOCAL", 4_096),
    ("HM_SCANS", 1_024),
    ("HM_COUNTERS", 1),
    ("HM_KNOCKS", 1 << 20),
];
/// It drops, and has bans of single addresses and of prefixes.
const GATES: u32 = 1 | 1 << 1 | 1 << 3;
const SECOND_NS: u64 = 1_000_000_000;

/// A full ban for ever, of a scan: end, hits, and in one word reasons, scope, grade and length of the prefix.
fn entry(bits: u32) -> [u64; 3] {
    [u64::MAX, 0, 1 << 1 | 1 << 16 | u64::from(bits) << 32]
}

/// An address as it stands in a packet.
fn key(addr: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(addr.octets())
}

/// Version 1's program on `interface`, pinned below `pin_dir` as `version`, dropping what is from `address` or from the /24 of `net`. Where
/// it is pinned.
pub fn leave(pin_dir: &Path, version: u32, (interface, mode): (&str, XdpMode), [address, net]: [Ipv4Addr; 2]) -> PathBuf {
    let ours = pin_dir.join(format!("v{version}"));
    nix::mount::mount(Some("bpf"), make(pin_dir), Some("bpf"), nix::mount::MsFlags::empty(), Some("mode=0700")).unwrap();
    let (maps, links) = (ours.join("maps"), ours.join("links"));
    make(&maps);
    make(&links);
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    for (name, size) in TABLES {
        loader.map_max_entries(name, size).map_pin_path(name, maps.join(name));
    }
    let mut object = loader.load(OBJECT).unwrap();
    let mut bans = HashMap::<_, u32, [u64; 3]>::try_from(object.map_mut("HM_BANS4").unwrap()).unwrap();
    bans.insert(key(address), entry(32), 0).unwrap();
    let mut nets = LpmTrie::<_, u32, [u64; 3]>::try_from(object.map_mut("HM_NETS4").unwrap()).unwrap();
    nets.insert(&Key::new(24, key(net)), entry(24), 0).unwrap();
    let mut settings = Array::<_, [u64; 4]>::try_from(object.map_mut("HM_SETTINGS").unwrap()).unwrap();
    // Version and gates; ports of a scan and what it earns; its window and for how long.
    settings.set(0, [1 | u64::from(GATES) << 32, 3, 60 * SECOND_NS, 600 * SECOND_NS], 0).unwrap();
    let program: &mut Xdp = object.program_mut("honeymesh").unwrap().try_into().unwrap();
    program.load().unwrap();
    let link = program.attach(interface, mode).unwrap();
    let link = FdLink::try_from(program.take_link(link).unwrap()).unwrap();
    let index = nix::net::if_::if_nametoindex(interface).unwrap();
    let seat = if mode == XdpMode::Skb { "generic" } else { "native" };
    link.pin(links.join(format!("{index}_{seat}"))).unwrap();
    ours
}

fn make(directory: &Path) -> &Path {
    fs::create_dir_all(directory).unwrap();
    directory
}
