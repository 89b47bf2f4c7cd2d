//! What the kernel refuses stays wanted: it is said again, and until then the self-probe tells.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]
#![expect(unsafe_code, reason = "freezing a map and a filter of system calls have no safe binding here")]

mod common;

use aya::maps::{Array, LpmTrie, Map, MapData, lpm_trie::Key};
use common::{Room, alone, hour, net_of};
use honeymesh_types::{Lockdown, Scope};
use honeymesh_xdp::{Error, Fared, Kernel, Probed, now};
use honeymesh_xdp_abi::{Gates, Settings};
use honeymesh_xdp_program::testing::{HERE4, HERE6, Packet};
use ipnet::Ipv4Net;
use std::{
    net::{IpAddr, Ipv4Addr},
    os::fd::{AsFd, AsRawFd},
    thread,
};

const BANNED: &str = "203.0.113.7";
/// Prefixes of one family that the kernel's allowlist holds.
const NETS_MAX: u32 = 65_536;
/// Own addresses that the kernel can be told.
const LOCAL_MAX: u32 = 4_096;

fn pinned(room: &Room, name: &str) -> MapData {
    MapData::from_pin(room.pins().join("maps").join(name)).unwrap()
}

/// From now on nobody can write to it by a call.
fn freeze(map: &MapData) {
    const MAP_FREEZE: i64 = 22;
    let attributes = [map.fd().as_fd().as_raw_fd(), 0];
    // SAFETY: the attributes live through the call, and have the length that is said.
    let frozen = unsafe { libc::syscall(libc::SYS_bpf, MAP_FREEZE, attributes.as_ptr(), 4) };
    assert_eq!(frozen, 0, "{}", std::io::Error::last_os_error());
}

fn is_dropped(kernel: &Kernel) -> bool {
    kernel.try_frame(&Packet::udp(BANNED, HERE4, 53).build(), 1).unwrap().dropped
}

/// What a keeper would say of a program that drops, or does not drop, whom it should.
fn probed(banned: Fared) -> Probed {
    Probed { banned: [banned; 2], honest: [Fared::Passed; 2] }
}

#[test]
fn a_mode_or_lockdown_that_the_kernel_refuses_is_what_the_probe_judges_by_and_is_owed() {
    alone("frozen settings", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        kernel.raise(&hour(BANNED, Scope::All), now()).unwrap();
        kernel.set_enforcing(false).unwrap();
        assert!(!is_dropped(&kernel) && kernel.probed(&probed(Fared::Passed)).is_ok());
        freeze(&pinned(room, "HM_SETTINGS"));
        kernel.set_enforcing(true).unwrap_err();
        assert!(!is_dropped(&kernel), "the kernel has refused it");
        let why = kernel.probed(&probed(Fared::Passed)).unwrap_err();
        assert!(why.contains("a banned IPv4 source was let through") && why.contains("refused what was ordered"), "{why}");
        kernel.guard().unwrap_err();
        kernel.set_enforcing(true).expect_err("it is said again, not taken for done");
        kernel.set_enforcing(false).unwrap_err();
        kernel.set_lockdown(Lockdown::Confirmed).unwrap_err();
        assert_eq!(kernel.lockdown(), Lockdown::Confirmed);
        assert!(kernel.probed(&probed(Fared::Passed)).is_err(), "while locked down, bans are to be enforced");
        kernel.release().unwrap();
    });
}

/// Runs it on a thread that may write to no table by a call.
fn refused<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let forbidden = || {
        forbid_writes();
        work()
    };
    thread::scope(|scope| scope.spawn(forbidden).join().unwrap())
}

/// From now on, and for this thread alone, the call that writes to a table is refused.
fn forbid_writes() {
    const MAP_UPDATE: u32 = 2;
    let (number_at, first_argument_at) = (0, 16);
    let step =
        |code: u32, jump_if_not, k: u32| libc::sock_filter { code: u16::try_from(code).unwrap(), jt: 0, jf: jump_if_not, k };
    let (load, is, answer) =
        (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::BPF_RET);
    let mut steps = [
        step(load, 0, number_at),
        step(is, 3, u32::try_from(libc::SYS_bpf).unwrap()),
        step(load, 0, first_argument_at),
        step(is, 1, MAP_UPDATE),
        step(answer, 0, libc::SECCOMP_RET_ERRNO | u32::try_from(libc::ENOMEM).unwrap()),
        step(answer, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: u16::try_from(steps.len()).unwrap(), filter: steps.as_mut_ptr() };
    // SAFETY: plain numbers, and a program that is live and as long as it says; the kernel only reads it.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    assert!(done, "{}", std::io::Error::last_os_error());
}

#[test]
fn what_the_kernel_takes_in_the_end_is_told_and_is_nobody_elses_work() {
    alone("refused for a while", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        kernel.begin_probing().unwrap();
        kernel.raise(&hour(BANNED, Scope::All), now()).unwrap();
        kernel.set_enforcing(false).unwrap();
        let good = probed(Fared::Dropped);
        let orders: [GivenTo; 4] = [
            |kernel| kernel.set_enforcing(true),
            |kernel| kernel.set_allow(&[net_of("198.51.100.0/24")]),
            |kernel| kernel.set_local(&["192.0.2.1".parse().unwrap()]),
            |kernel| kernel.set_lockdown(Lockdown::Confirmed),
        ];
        for order in orders {
            refused(|| order(&mut kernel).unwrap_err());
            assert!(kernel.probed(&good).unwrap_err().contains("refused what was ordered"));
            refused(|| kernel.guard().unwrap_err());
            let drift = kernel.guard().unwrap();
            assert!(drift.taken && !drift.settings_changed, "{drift:?}");
            assert!(kernel.guard().unwrap().is_none() && kernel.probed(&good).is_ok(), "once is enough");
        }
        assert!(is_dropped(&kernel));

        // Both at once are told as both.
        refused(|| kernel.set_lockdown(Lockdown::Off).unwrap_err());
        let mut allow: Trie = Map::LpmTrie(pinned(room, "HM_ALLOW4")).try_into().unwrap();
        allow.insert(&Key::new(8, 10), 1, 0).unwrap();
        let drift = kernel.reconcile(&[hour(BANNED, Scope::All)], now()).unwrap();
        assert!(drift.taken && drift.settings_changed, "{drift:?}");
        assert!(kernel.guard().unwrap().is_none());
        kernel.release().unwrap();
    });
}

#[test]
fn settings_that_are_refused_hold_up_no_ban_and_no_unban_that_does_not_need_them() {
    alone("refused settings", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        let [first, second, third] = [BANNED, "203.0.113.8", "203.0.113.9"].map(|subject| hour(subject, Scope::All));
        kernel.raise(&first, now()).unwrap();
        freeze(&pinned(room, "HM_SETTINGS"));
        kernel.set_enforcing(false).expect_err("whoever orders it hears of it");

        kernel.raise(&second, now()).unwrap();
        assert_eq!(kernel.bans(), 2);
        assert!(kernel.lift(&second.subject).unwrap());
        let mended = kernel.mend(&second.subject, Some(&second), now()).unwrap();
        assert_eq!(mended.missing, [second.subject]);
        let drift = kernel.reconcile(&[first, third], now()).unwrap();
        assert_eq!((drift.missing, drift.extra, drift.taken), (vec![third.subject], vec![second.subject], false));
        assert!(kernel.audit(&[first, third], now()).unwrap().is_none());
        assert!(is_dropped(&kernel), "the mode before holds");
        let why = kernel.probed(&probed(Fared::Dropped)).unwrap_err();
        assert!(why.contains("refused what was ordered"), "it stays owed: {why}");

        // Nobody asks for prefixes before the kernel says so: this ban is not in force, and whom it stands for goes on being dropped.
        let net = hour("203.0.113.0/24", Scope::All);
        kernel.raise(&net, now()).expect_err("it is not asked for");
        kernel.reconcile(&[net], now()).expect_err("it is not asked for");
        assert!(is_dropped(&kernel));
        let new = hour("198.51.100.1", Scope::All);
        kernel.reconcile(&[new, net], now()).unwrap_err();
        assert!(kernel.audit(&[first, third, new, net], now()).unwrap().is_none(), "whoever is new is entered all the same");
        kernel.release().unwrap();
    });
}

#[test]
fn one_family_of_who_is_never_banned_does_not_wait_for_the_other() {
    const BANNED6: &str = "2001:db8:bad::7";
    alone("one family", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        kernel.raise(&hour("2001:db8:bad::/64", Scope::All), now()).unwrap();
        let is_dropped6 = |kernel: &Kernel| kernel.try_frame(&Packet::datagram(BANNED6, HERE6, 53).build(), 1).unwrap().dropped;
        assert!(is_dropped6(&kernel));
        freeze(&pinned(room, "HM_ALLOW4"));
        let error = kernel.set_allow(&[net_of("198.51.100.0/24"), net_of("2001:db8:bad::/48")]).unwrap_err();
        assert!(error.to_string().contains("IPv4"), "{error}");
        assert!(!is_dropped6(&kernel));
        kernel.release().unwrap();
    });
}

#[test]
fn what_was_mended_beside_a_ban_that_found_no_room_is_told() {
    alone("no room beside", |room| {
        let options = room.options(&["lo"]);
        let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
        let many: Vec<_> = (0..=NETS_MAX)
            .map(|number| Ipv4Net::new(Ipv4Addr::from_bits(0x0a00_0000 + 2 * number), 31).unwrap())
            .map(|net| hour(&net.to_string(), Scope::All))
            .collect();
        kernel.set_allow(&[net_of("198.51.100.0/24")]).unwrap();
        refused(|| kernel.set_enforcing(true).and(kernel.set_lockdown(Lockdown::Confirmed)).unwrap_err());
        let mut allow: Trie = Map::LpmTrie(pinned(room, "HM_ALLOW4")).try_into().unwrap();
        allow.insert(&Key::new(8, 10), 1, 0).unwrap();
        assert!(matches!(kernel.reconcile(&many, now()), Err(Error::Full { .. })));
        let mended = kernel.take_mended();
        assert!(mended.settings_changed && mended.taken, "{mended:?}");
        assert!(kernel.take_mended().is_none(), "once");
        let drift = kernel.reconcile(&[], now()).unwrap();
        assert!(!drift.settings_changed && !drift.taken, "{drift:?}");
        kernel.release().unwrap();
    });
}

#[test]
fn an_order_that_is_taken_in_passing_with_a_ban_is_told() {
    alone("in passing", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        refused(|| kernel.set_lockdown(Lockdown::Confirmed).unwrap_err());
        kernel.raise(&hour(BANNED, Scope::All), now()).unwrap();
        let mended = kernel.take_mended();
        assert!(mended.taken && !mended.settings_changed, "{mended:?}");
        assert!(kernel.guard().unwrap().is_none());
        kernel.release().unwrap();
    });
}

#[test]
fn an_order_that_is_taken_with_the_next_one_is_told() {
    alone("with the next order", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        let pairs: [[GivenTo; 2]; 4] = [
            [|kernel| kernel.set_enforcing(false), |kernel| kernel.set_enforcing(false)],
            [|kernel| kernel.set_lockdown(Lockdown::Confirmed), |kernel| kernel.set_local(&["192.0.2.1".parse().unwrap()])],
            [|kernel| kernel.set_allow(&[net_of("198.51.100.0/24")]), |kernel| kernel.set_allow(&[net_of("198.51.100.0/25")])],
            [|kernel| kernel.set_enforcing(true), |kernel| kernel.set_lockdown(Lockdown::Off)],
        ];
        for [first, next] in pairs {
            refused(|| first(&mut kernel).unwrap_err());
            assert!(kernel.take_mended().is_none());
            next(&mut kernel).unwrap();
            let mended = kernel.take_mended();
            assert!(mended.taken && !mended.settings_changed, "{mended:?}");
            assert!(kernel.guard().unwrap().is_none(), "once");
        }
        kernel.release().unwrap();
    });
}

#[test]
fn what_somebody_changed_is_told_also_if_only_a_part_of_it_can_be_said_again() {
    alone("partly healed", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        freeze(&pinned(room, "HM_LOCAL"));
        kernel.set_local(&["192.0.2.1".parse().unwrap()]).unwrap_err();
        kernel.guard().unwrap_err();
        assert!(kernel.take_mended().is_none(), "nobody has changed anything");
        let mut settings: Array<_, [u8; size_of::<Settings>()]> = Map::Array(pinned(room, "HM_SETTINGS")).try_into().unwrap();
        settings.set(0, [0; size_of::<Settings>()], 0).unwrap();
        kernel.guard().unwrap_err();
        let mended = kernel.take_mended();
        assert!(mended.settings_changed && !mended.taken, "{mended:?}");
        kernel.guard().unwrap_err();
        assert!(kernel.take_mended().is_none(), "once");
        kernel.release().unwrap();
    });
}

#[test]
fn a_never_ban_set_that_is_owed_is_there_before_a_lockdown_that_is_owed_begins() {
    const ALLOWED: u32 = 60_000;
    alone("in this order", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        let address = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 + number);
        let nets: Vec<_> = (0..ALLOWED).map(|number| Ipv4Net::from(address(number)).into()).collect();
        refused(|| kernel.set_allow(&nets).unwrap_err());
        refused(|| kernel.set_lockdown(Lockdown::Confirmed).unwrap_err());
        let (settings, allow) = (common::flood::settings(room), pinned(room, "HM_ALLOW4"));
        let allow: Trie = Map::LpmTrie(allow).try_into().unwrap();
        let is_allowed = |number| allow.get(&Key::new(32, address(number).to_bits().to_be()), 0).is_ok();
        thread::scope(|scope| {
            let guarding = scope.spawn(|| kernel.guard().map(|_| ()));
            loop {
                let is_done = guarding.is_finished();
                if settings.gates().has(Gates::LOCKDOWN) {
                    break;
                }
                assert!(!is_done, "it begins");
            }
            let are_allowed = [0, ALLOWED / 2, ALLOWED - 1].map(is_allowed);
            assert_eq!(are_allowed, [true; 3]);
            guarding.join().unwrap().unwrap();
        });
        kernel.release().unwrap();
    });
}

type Trie = LpmTrie<MapData, u32, u32>;
/// An order.
type GivenTo = fn(&mut Kernel) -> Result<(), Error>;

#[test]
fn an_allowlist_that_finds_no_room_takes_that_of_what_is_too_much() {
    alone("no room", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        kernel.begin_probing().unwrap();
        kernel.raise(&hour(BANNED, Scope::All), now()).unwrap();
        let mut allow: Trie = Map::LpmTrie(pinned(room, "HM_ALLOW4")).try_into().unwrap();
        (0..NETS_MAX).for_each(|number| allow.insert(&Key::new(32, (0x0a00_0000 + number).to_be()), 1, 0).unwrap());
        kernel.set_allow(&[net_of(BANNED)]).unwrap();
        assert!(!is_dropped(&kernel), "who is never to be banned is not");
        assert_eq!(allow.keys().count(), 2, "the probe's, and nobody else's");
        assert!(kernel.guard().unwrap().is_none());
        kernel.release().unwrap();
    });
}

#[test]
fn a_list_that_is_too_large_leaves_the_one_before_and_is_told_until_one_fits() {
    alone("too large", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        kernel.begin_probing().unwrap();
        kernel.raise(&hour(BANNED, Scope::All), now()).unwrap();
        kernel.set_allow(&[net_of(BANNED)]).unwrap();
        let good = probed(Fared::Dropped);
        assert!(!is_dropped(&kernel) && kernel.probed(&good).is_ok());
        let mut many: Vec<_> =
            (0..=NETS_MAX).map(|number| Ipv4Net::from(Ipv4Addr::from_bits(0x0a00_0000 + number)).into()).collect();
        many.push(net_of("0.0.0.0/0"));
        assert!(matches!(kernel.set_allow(&many), Err(Error::Full { limit: NETS_MAX, .. })));
        assert!(!is_dropped(&kernel), "what held before holds");
        assert!(
            kernel.probed(&good).unwrap_err().contains("too large for the kernel"),
            "though whoever is banned is still dropped"
        );
        assert!(kernel.guard().unwrap().is_none() && kernel.probed(&good).is_err(), "for as long as it takes");
        kernel.set_allow(&[]).unwrap();
        assert!(kernel.probed(&good).is_ok() && is_dropped(&kernel));

        let addrs: Vec<IpAddr> = (0..=LOCAL_MAX).map(|number| Ipv4Addr::from_bits(0x0a00_0000 + number).into()).collect();
        kernel.set_local(&addrs[..1]).unwrap();
        assert!(matches!(kernel.set_local(&addrs), Err(Error::Full { limit: LOCAL_MAX, .. })));
        assert!(kernel.probed(&good).unwrap_err().contains("more addresses"));
        assert!(kernel.guard().unwrap().is_none());
        kernel.set_local(&addrs[1..]).unwrap();
        assert!(kernel.probed(&good).is_ok() && kernel.guard().unwrap().is_none());
        kernel.release().unwrap();
    });
}

#[test]
fn what_somebody_changed_and_the_kernel_refuses_to_put_right_is_not_told_as_mended() {
    alone("not healed", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        kernel.set_allow(&[net_of("198.51.100.0/24")]).unwrap();
        let mut allow: Trie = Map::LpmTrie(pinned(room, "HM_ALLOW4")).try_into().unwrap();
        allow.insert(&Key::new(8, 10), 1, 0).unwrap();
        freeze(&pinned(room, "HM_ALLOW4"));
        for _ in 0..2 {
            kernel.guard().unwrap_err();
            assert!(kernel.take_mended().is_none() && kernel.owes());
        }
        kernel.release().unwrap();
    });
}
