//! What another process has left: adopted, mended, or made anew before the program works with it.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use aya::maps::{Array, HashMap, Map, MapData};
use common::{Room, alone, ban, hour, seats};
use honeymesh_types::{Enforcement, Scope, WallTime};
use honeymesh_xdp::{Dark, Kernel, TableKind, now};
use honeymesh_xdp_abi::{Settings, table};
use honeymesh_xdp_program::testing::{HERE4, HERE6, Packet, Setting};
use std::{collections::BTreeSet, mem::offset_of, path::Path, sync::OnceLock, time::Duration};

type Line = [u8; 64];

fn bans() -> Vec<Enforcement> {
    let v4 = (0..200).map(|n| format!("10.0.{}.{}", n / 7, n % 7));
    let v6 = (0..50).map(|n| format!("2001:db8:5:{n:x}::/64"));
    let nets = ["198.51.100.0/24", "2001:db8:77::/48", "2001:a00::/24", "0.0.0.0"].map(str::to_owned);
    // The same end each time it is asked for.
    static UNTIL: OnceLock<WallTime> = OnceLock::new();
    let until = UNTIL.get_or_init(|| now().wall.plus(Duration::from_secs(3_600)));
    v4.chain(v6).chain(nets).map(|subject| ban(&subject, Scope::All, Some(*until))).collect()
}

fn is_dropped(kernel: &Kernel, source: &str) -> bool {
    let here = if source.contains(':') { HERE6 } else { HERE4 };
    kernel.try_frame(&Packet::udp(source, here, 53).build(), 1).unwrap().dropped
}

/// Every kind of ban holds, and who is not banned passes.
fn all_hold(kernel: &Kernel) -> bool {
    let banned = ["10.0.0.1", "10.0.28.3", "2001:db8:5:31::9", "198.51.100.9", "2001:db8:77::1", "2001:a77::1", "0.0.0.0"];
    let good = ["10.0.29.9", "2001:db8:6::1", "198.51.101.1", "2001:e00::1"];
    banned.iter().all(|source| is_dropped(kernel, source)) && !good.iter().any(|source| is_dropped(kernel, source))
}

/// A process that has entered everything, and ended.
fn left(room: &Room, table: TableKind) {
    let mut options = room.options(&["lo"]);
    options.table = table;
    let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
    kernel.reconcile(&bans(), now()).unwrap();
    assert!(all_hold(&kernel));
}

fn pinned(room: &Room, name: &str) -> Map {
    Map::Array(MapData::from_pin(room.pins().join("maps").join(name)).unwrap())
}

fn change(path: &Path, element: u32, change: impl FnOnce(&mut Line)) {
    let mut lines = Array::<_, Line>::try_from(Map::Array(MapData::from_pin(path).unwrap())).unwrap();
    let mut line = lines.get(&element, 0).unwrap();
    change(&mut line);
    lines.set(element, line, 0).unwrap();
}

#[test]
fn tables_that_fit_are_adopted_with_their_hits_and_nothing_is_entered_again() {
    alone("adopted tables", |room| {
        left(room, TableKind::Buckets);
        let (mut kernel, _knocks) = Kernel::prepare(&room.options(&["lo"])).unwrap();
        assert!(all_hold(&kernel));
        assert_eq!((kernel.drops(&"10.0.0.1".parse().unwrap()), kernel.bans()), (2, bans().len()));
        assert!(kernel.reconcile(&bans(), now()).unwrap().is_none());
        kernel.attach().unwrap();
        assert!(all_hold(&kernel) && kernel.interfaces()[0].attached);
        kernel.release().unwrap();
    });
}

#[test]
fn bans_move_between_both_kinds_of_table_and_all_sizes_with_their_hits() {
    alone("other kinds of table", |room| {
        left(room, TableKind::Buckets);
        let kinds = [(TableKind::Hash, 1_000), (TableKind::Hash, 2_000), (TableKind::Buckets, 300), (TableKind::Buckets, 5_000)];
        for (round, (table, max_bans)) in (3..).zip(kinds) {
            let mut options = room.options(&["lo"]);
            (options.table, options.max_bans) = (table, max_bans);
            let (mut kernel, _knocks) = Kernel::prepare(&options).unwrap();
            assert!(kernel.audit(&bans(), now()).unwrap().missing.is_empty(), "{table:?} {max_bans}");
            kernel.attach().unwrap();
            assert!(all_hold(&kernel));
            assert_eq!(kernel.drops(&"10.0.0.1".parse().unwrap()), round - 1);
        }
    });
}

/// What strangers must not know: of the lines of both families, and of everything else.
fn secrets(room: &Room) -> Vec<u64> {
    let headers = [table::LINES4, table::LINES6].map(|name| seats::header(&room.pins(), name));
    let settings = MapData::from_pin(room.pins().join("maps").join(table::SETTINGS)).unwrap();
    let settings = Array::<_, [u8; size_of::<Settings>()]>::try_from(Map::Array(settings)).unwrap().get(&0, 0).unwrap();
    let words = settings[offset_of!(Settings, secret)..].chunks_exact(8).take(2);
    let words = words.map(|octets| u64::from_ne_bytes(octets.try_into().unwrap()));
    headers.into_iter().flat_map(|header| [header.secret, header.multipliers[0], header.multipliers[1]]).chain(words).collect()
}

#[test]
fn every_table_has_secrets_of_its_own_and_whoever_adopts_it_keeps_them() {
    alone("secrets", |room| {
        let mut all = BTreeSet::new();
        const TABLES: usize = 3;
        for _ in 0..TABLES {
            left(room, TableKind::Buckets);
            let drawn = secrets(room);
            // By the next start, with the same program or another mode, and by one that moves the bans of one family to larger tables.
            for round in 0..3 {
                let mut options = room.options(&["lo"]);
                (options.dark, options.max_v6) = [(Dark::Refuse, None), (Dark::Silent, None), (Dark::Refuse, Some(900))][round];
                let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
                let kept = secrets(room);
                assert_eq!((&kept[..3], &kept[6..]), (&drawn[..3], &drawn[6..]), "{round}");
                assert_eq!(kept[3..6] == drawn[3..6], round < 2, "{round}: what is laid out anew has a secret of its own");
                assert!(all_hold(&kernel) && kernel.reconcile(&bans(), now()).unwrap().is_none(), "{round}");
                if round == 2 {
                    all.extend(kept);
                    kernel.release().unwrap();
                }
            }
            all.extend(drawn);
        }
        assert_eq!(all.len(), TABLES * 11, "no two are the same: {all:x?}");
    });
}

#[test]
fn a_start_that_is_not_finished_changes_nothing() {
    alone("an unfinished start", |room| {
        left(room, TableKind::Buckets);
        let mut options = room.options(&["lo"]);
        options.max_bans = 5_000;
        let (mut kernel, _knocks) = Kernel::prepare(&options).unwrap();
        kernel.reconcile(&[], now()).unwrap();
        assert!(!is_dropped(&kernel, "10.0.0.1"));
        drop(kernel);
        let (kernel, _knocks) = Kernel::prepare(&room.options(&["lo"])).unwrap();
        assert!(is_dropped(&kernel, "10.0.0.1") && is_dropped(&kernel, "2001:db8:5:31::9"));
        drop(kernel);
        assert!(
            !std::fs::read_dir(room.pins().join("maps"))
                .unwrap()
                .any(|file| { file.unwrap().file_name().to_string_lossy().ends_with("_replaced") })
        );
    });
}

#[test]
fn a_header_that_was_written_over_is_noticed_and_the_table_is_filled_again_before_it_is_used() {
    alone("a damaged header", |room| {
        for (name, octet) in [("HM_LINES4", 0), ("HM_LINES6", 12), ("HM_LINES4", 20), ("HM_LINES6", 60)] {
            left(room, TableKind::Buckets);
            change(&room.pins().join("maps").join(name), 0, |line| line[octet] ^= 0x40);
            let (mut kernel, _knocks) = Kernel::prepare(&room.options(&["lo"])).unwrap();
            assert!(!kernel.reconcile(&bans(), now()).unwrap().missing.is_empty(), "{name} {octet}");
            kernel.attach().unwrap();
            assert!(all_hold(&kernel), "{name} {octet}");
            kernel.release().unwrap();
        }
    });
}

#[test]
fn a_header_that_is_written_over_at_run_time_misleads_no_packet_and_is_restored_by_the_guard() {
    alone("a header at run time", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        kernel.reconcile(&bans(), now()).unwrap();
        change(&room.pins().join("maps/HM_LINES4"), 0, |line| line[16..40].fill(0xa5));
        assert!(all_hold(&kernel), "the program has its own");
        assert!(kernel.guard().unwrap().settings_changed);
        assert!(all_hold(&kernel) && kernel.guard().unwrap().is_none());
        kernel.release().unwrap();
    });
}

#[test]
fn lines_that_were_damaged_are_found_by_the_audit_and_mended_by_the_ledger() {
    alone("damaged lines", |room| {
        left(room, TableKind::Buckets);
        for element in 1..=40 {
            change(&room.pins().join("maps/HM_LINES4"), element, |line| match element % 4 {
                0 => line.fill(0),
                1 => line.fill(0xff),
                2 => line.rotate_left(16),
                _ => line[7] ^= 9,
            });
        }
        let (mut kernel, _knocks) = Kernel::prepare(&room.options(&["lo"])).unwrap();
        let drift = kernel.reconcile(&bans(), now()).unwrap();
        assert!(!drift.missing.is_empty(), "{drift:?}");
        assert!(kernel.audit(&bans(), now()).unwrap().is_none());
        kernel.attach().unwrap();
        assert!(all_hold(&kernel));
        let (first, held) = (bans()[0], bans().len());
        assert_eq!((kernel.bans(), kernel.lift(&first.subject).unwrap(), kernel.bans()), (held, true, held - 1));
        kernel.release().unwrap();
    });
}

#[test]
fn what_the_hash_table_holds_twice_or_alone_is_adopted_once() {
    alone("hash and lines", |room| {
        left(room, TableKind::Buckets);
        {
            let stash = MapData::from_pin(room.pins().join("maps/HM_BANS4")).unwrap();
            let mut stash = HashMap::<_, u32, [u32; 4]>::try_from(Map::HashMap(stash)).unwrap();
            let forever = [0, 3, u32::from(honeymesh_types::Reasons::SCAN.bits()) | 1 << 16, u32::MAX];
            let key = |addr: [u8; 4]| u32::from_ne_bytes(addr);
            stash.insert(key([10, 0, 0, 1]), forever, 0).unwrap();
            stash.insert(key([203, 0, 113, 9]), forever, 0).unwrap();
        }
        let (kernel, _knocks) = Kernel::prepare(&room.options(&["lo"])).unwrap();
        assert_eq!((kernel.bans(), kernel.fill().v4.stashed), (bans().len() + 1, 1));
        assert_eq!(kernel.drops(&"203.0.113.9".parse().unwrap()), 3);
        assert!(is_dropped(&kernel, "203.0.113.9"), "its lines say that it is elsewhere");
        assert_eq!(kernel.drops(&"203.0.113.9".parse().unwrap()), 4);
    });
}

#[test]
fn the_bits_before_the_tries_follow_every_prefix() {
    alone("touched", |room| {
        let (mut kernel, ..) = room.kernel(&Setting::default());
        let nets = ["10.0.0.0/7", "10.4.0.0/14", "10.4.4.64/26", "2001:db8:1::/48", "2001:db8:2::/48", "2001::/20"];
        let probe = ["10.200.0.1", "10.4.9.9", "10.4.4.65", "2001:db8:1::1", "2001:db8:2::1", "2001:fff::1"];
        for (net, _) in nets.iter().zip(probe) {
            kernel.raise(&hour(net, Scope::All), now()).unwrap();
        }
        for (index, net) in nets.iter().enumerate() {
            assert!(probe[index..].iter().all(|source| is_dropped(&kernel, source)), "before {net} is lifted");
            assert!(kernel.lift(&net.parse().unwrap()).unwrap());
        }
        assert!(!probe.iter().any(|source| is_dropped(&kernel, source)) && kernel.bans() == 0);
    });
}

#[test]
fn nobody_else_needs_to_know_where_a_table_is() {
    alone("a table tells of itself", |room| {
        left(room, TableKind::Buckets);
        let lines = Array::<_, Line>::try_from(pinned(room, "HM_LINES4")).unwrap();
        let header = lines.get(&0, 0).unwrap();
        assert_eq!(&header[..8], b"hm-lines");
        let told = u32::from_le_bytes(header[12..16].try_into().unwrap());
        assert_eq!(honeymesh_xdp_abi::Header::elements(told), lines.len());
    });
}
