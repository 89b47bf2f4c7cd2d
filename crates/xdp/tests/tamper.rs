//! Whoever writes into the pinned tables past the daemon is found out, and what they wrote is mended.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use aya::maps::{Array, HashMap, LpmTrie, Map, MapData, ProgramArray, lpm_trie::Key};
use common::{Room, alone, hour, net_of};
use honeymesh_types::Scope;
use honeymesh_xdp::{Drift, Kernel, now};
use honeymesh_xdp_abi::{
    ALLOWED, ALLOWED_TO_ALL, AllowFilter, BanEntry, FOREVER, FRONT_LINES_MIN, LINE_LEN, SCOPE_ALL, STEP_FILTER,
};
use honeymesh_xdp_program::testing::{HERE4, HERE6, Packet};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

const LINES: u32 = 2 * FRONT_LINES_MIN;
const BANS_MAX: u32 = LINES * 100 / 49;
const BANNED: &str = "203.0.113.7";

/// A kernel with so many lines that their fronts are asked, and one ban.
fn kernel(room: &Room) -> Kernel {
    let mut options = room.options(&["lo"]);
    options.max_bans = BANS_MAX;
    let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
    kernel.raise(&hour(BANNED, Scope::All), now()).unwrap();
    kernel
}

fn pinned(room: &Room, name: &str) -> MapData {
    MapData::from_pin(room.pins().join("maps").join(name)).unwrap()
}

fn is_dropped(kernel: &Kernel, vlans: &[u16]) -> bool {
    let frame = Packet::udp(BANNED, HERE4, 53).vlans(vlans).build();
    kernel.try_frame(&frame, 1).unwrap().dropped
}

/// Writes zeros over every front of the IPv4 lines.
fn hide(room: &Room, kernel: &Kernel) {
    let map = pinned(room, "HM_LINES4");
    let elements = map.info().unwrap().max_entries();
    let mut lines: Array<MapData, [u8; LINE_LEN]> = Array::try_from(Map::Array(map)).unwrap();
    for element in 1 + LINES..elements {
        lines.set(element, [0; LINE_LEN], 0).unwrap();
    }
    assert!(!is_dropped(kernel, &[]), "nothing was hidden");
}

#[test]
fn a_ban_that_is_hidden_is_missing_and_is_shown_again() {
    alone("hidden", |room| {
        let mut kernel = kernel(room);
        assert!(is_dropped(&kernel, &[]) && is_dropped(&kernel, &[0x8100]));
        let intent = [hour(BANNED, Scope::All)];
        assert!(kernel.audit(&intent, now()).unwrap().is_none());
        hide(room, &kernel);
        let missing = [intent[0].subject];
        assert_eq!(kernel.audit(&intent, now()).unwrap().missing, missing, "the audit of the owner");
        let auditor = kernel.take_auditor().unwrap();
        assert_eq!(auditor.audit(&intent, now()).unwrap().missing, missing, "the audit of another thread");
        assert_eq!(kernel.mend(&missing[0], intent.first(), now()).unwrap().missing, missing);
        assert!(is_dropped(&kernel, &[]));

        // A later start finds it, too.
        hide(room, &kernel);
        drop(kernel);
        assert!(is_dropped(&self::kernel(room), &[]));
    });
}

#[test]
fn a_step_that_was_taken_away_is_put_back() {
    alone("a step less", |room| {
        let mut kernel = kernel(room);
        assert!(!kernel.guard().unwrap().settings_changed);
        ProgramArray::try_from(Map::ProgramArray(pinned(room, "HM_STEPS"))).unwrap().clear_index(&STEP_FILTER).unwrap();
        assert!(!is_dropped(&kernel, &[0x8100]), "the step is still there");
        assert!(is_dropped(&kernel, &[]), "the plainest packets need no step");
        assert!(kernel.guard().unwrap().settings_changed);
        assert!(is_dropped(&kernel, &[0x8100]));
        assert!(!kernel.guard().unwrap().settings_changed);
    });
}

/// The bits of an address as a key of a trie has them.
fn octets(addr: [u8; 4]) -> u32 {
    u32::from_ne_bytes(addr)
}

type Trie = LpmTrie<MapData, u32, u32>;
type Own = HashMap<MapData, [u32; 4], u32>;
type Damage<'a> = &'a mut dyn FnMut(&mut Trie, &mut Own);

#[test]
fn who_is_never_banned_and_what_addresses_are_its_own_is_compared_and_said_again() {
    alone("spared", |room| {
        let mut kernel = kernel(room);
        kernel.begin_probing().unwrap();
        kernel.set_allow(&["203.0.113.0/28", "198.51.100.0/24", "2001:db8::/32"].map(net_of)).unwrap();
        kernel.set_local(&["192.0.2.1", "192.0.2.2"].map(|addr| addr.parse().unwrap())).unwrap();
        assert!(!is_dropped(&kernel, &[]) && kernel.guard().unwrap().is_none());
        let mut trie: Trie = Map::LpmTrie(pinned(room, "HM_ALLOW4")).try_into().unwrap();
        let mut own: Own = Map::HashMap(pinned(room, "HM_LOCAL")).try_into().unwrap();
        let mut filter: Array<MapData, [u8; size_of::<AllowFilter>()]> =
            Map::Array(pinned(room, "HM_ALLOWED")).try_into().unwrap();
        let (mine, others) = (Key::new(28, octets([203, 0, 113, 0])), Key::new(8, octets([10, 0, 0, 0])));
        let (good, address) = (filter.get(&0, 0).unwrap(), own.keys().next().unwrap().unwrap());
        let damages: [(&str, Damage<'_>); 6] = [
            ("one fewer is never banned", &mut |trie, _| trie.remove(&mine).unwrap()),
            ("one more is never banned", &mut |trie, _| trie.insert(&others, ALLOWED, 0).unwrap()),
            ("one is allowed to others than before", &mut |trie, _| trie.insert(&mine, ALLOWED_TO_ALL, 0).unwrap()),
            ("nobody is asked for", &mut |_, _| filter.set(0, [0; size_of::<AllowFilter>()], 0).unwrap()),
            ("an address fewer", &mut |_, own| own.remove(&address).unwrap()),
            ("an address more", &mut |_, own| own.insert([7; 4], 1, 0).unwrap()),
        ];
        for (what, damage) in damages {
            damage(&mut trie, &mut own);
            let audited = kernel.audit(&[hour(BANNED, Scope::All)], now()).unwrap();
            assert!(audited.settings_changed && audited.missing.is_empty(), "{what}: {audited:?}");
            assert!(kernel.guard().unwrap().settings_changed, "{what}");
            assert!(!is_dropped(&kernel, &[]) && kernel.guard().unwrap().is_none(), "{what}: once is enough");
            assert_eq!((trie.get(&mine, 0).unwrap(), own.keys().count()), (ALLOWED, 2), "{what}");
            assert!(trie.get(&others, 0).is_err(), "{what}");
        }
        assert_eq!(filter.get(&0, 0).unwrap(), good);
        // An order that comes before the next look finds it, too.
        trie.remove(&mine).unwrap();
        assert!(is_dropped(&kernel, &[]));
        kernel.reconcile(&[hour(BANNED, Scope::All)], now()).unwrap();
        assert!(!is_dropped(&kernel, &[]) && kernel.guard().unwrap().is_none());
        kernel.release().unwrap();
    });
}

#[test]
fn a_long_list_of_who_is_never_banned_is_compared_on_another_thread() {
    const MANY: u32 = 5_000;
    alone("many spared", |room| {
        let mut kernel = kernel(room);
        let mut nets: Vec<_> = (0..MANY).map(|number| Ipv4Net::from(Ipv4Addr::from_bits(0x0a00_0000 + number)).into()).collect();
        nets.push(net_of(BANNED));
        kernel.set_allow(&nets).unwrap();
        let auditor = kernel.take_auditor().unwrap();
        let intent = [hour(BANNED, Scope::All)];
        let audit = || auditor.audit(&intent, now()).unwrap();
        assert!(audit().is_none() && kernel.guard().unwrap().is_none());
        let mut trie: Trie = Map::LpmTrie(pinned(room, "HM_ALLOW4")).try_into().unwrap();
        let key = Key::new(32, octets([203, 0, 113, 7]));
        for is_removed in [true, false] {
            if is_removed { trie.remove(&key) } else { trie.insert(&key, 0, 0) }.unwrap();
            assert!(!kernel.guard().unwrap().settings_changed, "nobody waits for it");
            assert!(audit().is_none(), "bans are as they should be");
            assert!(kernel.guard().unwrap().settings_changed && !is_dropped(&kernel, &[]));
            assert!(audit().is_none() && kernel.guard().unwrap().is_none(), "once is enough");
        }
        kernel.set_allow(&nets[1..]).unwrap();
        assert!(audit().is_none() && kernel.guard().unwrap().is_none());
        kernel.release().unwrap();
    });
}

type Nets4 = LpmTrie<MapData, u32, [u8; size_of::<BanEntry>()]>;
type Nets6 = LpmTrie<MapData, [u32; 4], [u8; size_of::<BanEntry>()]>;

const NETS: [&str; 4] = ["203.0.113.0/24", "198.18.0.0/15", "2001:db8:1::/48", "2001:db8:2::/56"];

/// Does a packet of each banned prefix drop?
fn dropped(kernel: &Kernel) -> [bool; 4] {
    ["203.0.113.9", "198.19.3.4", "2001:db8:1:9::7", "2001:db8:2:8::1"].map(|source| {
        let here = if source.contains(':') { HERE6 } else { HERE4 };
        kernel.try_frame(&Packet::udp(source, here, 53).build(), 1).unwrap().dropped
    })
}

/// A kernel with some prefixes, and an audit as the daemon makes it: settings, then subject by subject.
fn kernel_of_nets(room: &Room) -> (Kernel, impl Fn(&mut Kernel) -> Drift + use<>) {
    let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
    let intent = NETS.map(|net| hour(net, Scope::All));
    intent.iter().for_each(|what| kernel.raise(what, now()).unwrap());
    assert_eq!(dropped(&kernel), [true; 4]);
    let auditor = kernel.take_auditor().unwrap();
    let audit = move |kernel: &mut Kernel| {
        let doubtful = auditor.audit(&intent, now()).unwrap();
        let mut found = kernel.guard().unwrap();
        for subject in [doubtful.missing, doubtful.extra, doubtful.different].concat() {
            let what = intent.iter().find(|what| what.subject == subject);
            let mended = kernel.mend(&subject, what, now()).unwrap();
            found.missing.extend(mended.missing);
            found.extra.extend(mended.extra);
        }
        found
    };
    (kernel, audit)
}

/// An entry of a prefix that drops for ever, as it lies in memory.
fn forever(bits: u32) -> [u8; size_of::<BanEntry>()] {
    let mut entry = [0; size_of::<BanEntry>()];
    entry[..8].copy_from_slice(&FOREVER.to_ne_bytes());
    entry[16..18].copy_from_slice(&1_u16.to_ne_bytes());
    entry[18] = SCOPE_ALL;
    entry[20..].copy_from_slice(&bits.to_ne_bytes());
    entry
}

#[test]
fn prefixes_that_somebody_else_entered_go_and_take_no_other_with_them() {
    alone("foreign prefixes", |room| {
        let (mut kernel, audit) = kernel_of_nets(room);
        let mut nets4: Nets4 = Map::LpmTrie(pinned(room, "HM_NETS4")).try_into().unwrap();
        let mut nets6: Nets6 = Map::LpmTrie(pinned(room, "HM_NETS6")).try_into().unwrap();
        for round in 0..3 {
            for net in 0..4 {
                nets4.insert(&Key::new(24, octets([100, 64, net, 0])), forever(24), 0).unwrap();
                // Of the same 32 bits as those that are banned.
                let words = [0x2001_0db8_u32, 0x0100_0000 + u32::from(net), 0, 0].map(u32::to_be);
                nets6.insert(&Key::new(64, words), forever(64), 0).unwrap();
            }
            assert_eq!(audit(&mut kernel).extra.len(), 8, "{round}");
            assert_eq!(dropped(&kernel), [true; 4], "{round}: a ban went with what was too much");
            assert!(audit(&mut kernel).is_none(), "{round}: once is enough");
        }
        // What is ordered although somebody else has entered it before.
        for net in NETS {
            assert!(kernel.lift(&net.parse().unwrap()).unwrap());
        }
        nets4.insert(&Key::new(24, octets([203, 0, 113, 77])), forever(24), 0).unwrap();
        NETS.iter().for_each(|net| kernel.raise(&hour(net, Scope::All), now()).unwrap());
        assert_eq!(dropped(&kernel), [true; 4]);
        // To the trie another key of the same prefix is the same, to whoever reads its keys it is not.
        nets4.insert(&Key::new(24, octets([203, 0, 113, 77])), forever(24), 0).unwrap();
        kernel.reconcile(&NETS.map(|net| hour(net, Scope::All)), now()).unwrap();
        assert_eq!(dropped(&kernel), [true; 4]);
        kernel.release().unwrap();
    });
}

#[test]
fn bits_in_front_of_prefixes_that_somebody_cleared_are_found_and_set_again() {
    alone("cleared bits", |room| {
        let (mut kernel, audit) = kernel_of_nets(room);
        assert!(audit(&mut kernel).is_none());
        for name in ["HM_TOUCH4", "HM_TOUCH6"] {
            let map = pinned(room, name);
            let words = map.info().unwrap().max_entries();
            let mut words_of: Array<MapData, u64> = Map::Array(map).try_into().unwrap();
            for word in 0..words {
                words_of.set(word, 0, 0).unwrap();
            }
            assert_eq!(dropped(&kernel).iter().filter(|dropped| **dropped).count(), 2, "{name}: nothing was cleared");
            assert!(audit(&mut kernel).settings_changed, "{name}");
            assert_eq!(dropped(&kernel), [true; 4], "{name}");
            assert!(audit(&mut kernel).is_none(), "{name}: once is enough");
        }
        kernel.release().unwrap();
    });
}
