//! What the kernel refuses stays wanted where nf_tables drops: it is said again, and until then the self-probe tells.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    alone,
    backend::{Kind, SENTINEL, Stage, full, nft_again, unhindered},
    ban, ip, net_of,
    tool::{Monitor, crowd, refuse, refuse_no_more, tool, unowned},
    wait,
};
use honeymesh_types::{Lockdown, Scope};
use honeymesh_xdp::{Error, InterfaceState, Nft, NftEnds, NftWriter, now};
use ipnet::Ipv4Net;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use std::{
    net::Ipv4Addr,
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

const BANNED: &str = "203.0.113.7";

/// Tables that everybody may change, with two bans and the self-probe.
fn begun(stage: &Stage<'_>) -> Nft {
    begun_on(stage, &["hm0"])
}

fn begun_on(stage: &Stage<'_>, interfaces: &[&str]) -> Nft {
    let mut nft = unowned(stage.room, interfaces);
    nft.begin_probing().unwrap();
    nft.set_allow(&[]).unwrap();
    nft.raise(&ban(SENTINEL, Scope::All, None), now()).unwrap();
    nft.raise(&full(BANNED), now()).unwrap();
    nft
}

/// Is a packet of the banned source dropped, and not only counted?
fn drops(stage: &Stage<'_>, nft: &Nft) -> bool {
    let before = nft.counters().unwrap().dropped;
    stage.drops(nft, BANNED);
    nft.counters().unwrap().dropped - before == 2
}

#[test]
fn a_mode_that_the_kernel_refused_is_told_by_the_probe_and_said_again() {
    alone("refused mode", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun(&stage);
        nft.set_enforcing(false).unwrap();
        assert!(!drops(&stage, &nft) && nft.probe().unwrap().is_ok());
        refuse();
        nft.set_enforcing(true).unwrap_err();
        let why = nft.probe().unwrap().unwrap_err();
        assert!(why.contains("a banned IPv4 source was let through") && why.contains("refused what was ordered"), "{why}");
        assert!(!drops(&stage, &nft));
        nft.guard().unwrap_err();
        refuse_no_more();
        let drift = nft.guard().unwrap();
        assert!(drift.taken && drift.settings_changed, "the table was somebody's work, too: {drift:?}");
        assert!(drops(&stage, &nft), "what was wanted is in force");
        assert_eq!(nft.probe().unwrap(), Ok(()));
        assert!(nft.guard().unwrap().is_none(), "once is enough");

        // The other way around, and by the look that comes each second.
        let mut lookout = nft.lookout().unwrap();
        refuse();
        nft.set_enforcing(false).unwrap_err();
        assert!(nft.probe().unwrap().unwrap_err().contains("dropped while nothing is enforced"));
        assert!(nft.look_after(lookout.look().unwrap()).is_ok() && drops(&stage, &nft), "it is told elsewhere");
        refuse_no_more();
        nft.look_after(lookout.look().unwrap()).unwrap();
        assert!(!drops(&stage, &nft));
        assert_eq!(nft.probe().unwrap(), Ok(()));
        assert!(nft.guard().unwrap().taken, "that it was said again is told");
        nft.release().unwrap();
    });
}

/// An order.
type GivenTo = fn(&mut Nft) -> Result<(), Error>;

#[test]
fn what_was_refused_and_is_taken_with_the_next_order_is_told() {
    alone("taken with an order", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun(&stage);
        let orders: [(bool, GivenTo); 3] = [
            (false, |nft| nft.set_enforcing(true)),
            (false, |nft| nft.set_allow(&[net_of("198.51.100.0/28")])),
            (true, |nft| nft.set_lockdown(Lockdown::Confirmed)),
        ];
        for (mode, order) in orders {
            refuse();
            nft.set_enforcing(mode).unwrap_err();
            refuse_no_more();
            assert!(!nft.take_mended().taken);
            order(&mut nft).unwrap();
            assert!(nft.take_mended().taken);
            assert!(!nft.guard().unwrap().taken, "once is enough");
        }
        nft.release().unwrap();
    });
}

#[test]
fn a_lockdown_that_the_kernel_did_not_leave_or_begin_is_left_or_begun_with_the_next_look() {
    alone("refused lockdown", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun(&stage);
        let is_locked = || ["netdev", "inet"].map(|family| tool(&format!("list set {family} honeymesh locked")).is_ok());
        nft.set_lockdown(Lockdown::Confirmed).unwrap();
        assert!(wait(|| stage.drops(&nft, "198.51.100.9")), "a stranger is kept out");
        refuse();
        nft.set_lockdown(Lockdown::Off).unwrap_err();
        assert!(is_locked()[0], "before the network stack it still holds");
        refuse_no_more();
        assert!(nft.guard().unwrap().settings_changed);
        assert_eq!(is_locked(), [false; 2], "nobody is locked out for ever");
        assert!(!stage.drops(&nft, "198.51.100.9"));

        refuse();
        nft.set_lockdown(Lockdown::Confirmed).unwrap_err();
        nft.set_lockdown(Lockdown::Confirmed).unwrap_err();
        assert!(nft.probe().unwrap().unwrap_err().contains("refused what was ordered"));
        refuse_no_more();
        nft.set_lockdown(Lockdown::Confirmed).unwrap();
        assert_eq!(is_locked(), [true; 2], "saying it again does it, too");
        assert!(wait(|| stage.drops(&nft, "198.51.100.9")));
        assert!(nft.take_mended().taken && nft.guard().unwrap().is_none());
        nft.release().unwrap();
    });
}

#[test]
fn a_lockdown_that_holds_is_confirmed_kept_and_ended_while_something_else_is_refused() {
    alone("held lockdown", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun_on(&stage, &["hm0", "hm2"]);
        let mut lookout = nft.lookout().unwrap();
        nft.set_lockdown(Lockdown::Until(now().mono.plus(Duration::from_secs(600)))).unwrap();
        ip("link add hm2 type veth peer name hm3");
        crowd("hm2");
        nft.look_after(lookout.look().unwrap()).unwrap_err();
        nft.look_after(lookout.look().unwrap()).expect("told once");
        let ends = || tool("list set netdev honeymesh locked").unwrap().contains("expires");
        assert!(ends());
        nft.set_lockdown(Lockdown::Confirmed).expect("it is there already");
        assert!(!ends() && wait(|| stage.drops(&nft, "198.51.100.9")));
        assert!(!nft.take_mended().settings_changed, "our own work is nobody else's");
        tool("flush set netdev honeymesh locked ; flush set inet honeymesh locked").unwrap();
        tool("delete element netdev honeymesh ban4_32 { 192.0.0.8 }").unwrap();
        assert!(!stage.drops(&nft, "198.51.100.9"));
        nft.guard().unwrap_err();
        assert!(tool("get element netdev honeymesh ban4_32 { 192.0.0.8 }").is_ok(), "the self-probe's ban waits for nothing");
        assert!(wait(|| stage.drops(&nft, "198.51.100.9")), "mended");
        assert!(nft.take_mended().settings_changed, "and theirs is told");
        nft.set_lockdown(Lockdown::Off).expect("nobody is kept out for what else is refused");
        assert!(!stage.drops(&nft, "198.51.100.9"));
        assert!(!nft.take_mended().settings_changed, "nor is this");
        tool("delete table netdev other").unwrap();
        assert!(nft.guard().unwrap().taken);
        assert!(!stage.drops(&nft, "198.51.100.9") && nft.guard().unwrap().is_none());
        nft.release().unwrap();
    });
}

#[test]
fn an_allowlist_that_one_table_cannot_take_is_in_the_other_and_a_length_of_bans_is_held_up_by_nothing() {
    alone("refused sets", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun_on(&stage, &["hm0", "hm2"]);
        let mut lookout = nft.lookout().unwrap();
        let allowed = || {
            let sets = ["netdev", "inet"].map(|family| tool(&format!("list set {family} honeymesh allow4_28")));
            sets.map(|set| set.is_ok_and(|set| set.contains("203.0.113.0")))
        };
        refuse();
        nft.set_enforcing(false).unwrap_err();
        nft.set_allow(&[net_of("203.0.113.0/28")]).unwrap_err();
        assert_eq!(allowed(), [true, false]);
        assert!(!stage.drops(&nft, BANNED), "who is never to be banned is not");
        nft.raise(&full("198.51.0.0/16"), now()).expect("its set is in the table that is ours");
        let before = nft.counters().unwrap().dropped;
        assert!(stage.drops(&nft, "198.51.7.7") && nft.counters().unwrap().dropped - before == 2, "the mode before holds");
        nft.raise(&ban("203.0.113.128/25", Scope::Dark, None), now()).expect_err("its set is not");
        // What comes is guarded, and what somebody changes is mended meanwhile.
        ip("link add hm2 type veth peer name hm3");
        nft.look_after(lookout.look().unwrap()).expect_err("the mode is still refused");
        assert!(tool("list chain netdev honeymesh from_hm2").unwrap().contains("goto entrance"));
        tool("insert rule netdev honeymesh entrance accept").unwrap();
        nft.guard().unwrap_err();
        assert!(!tool("list chain netdev honeymesh entrance").unwrap().contains("\t\taccept"), "mended");
        tool("delete table netdev honeymesh").unwrap();
        nft.raise(&full("198.18.0.0/15"), now()).expect("the table is made anew by what it was");
        nft.raise(&ban(SENTINEL, Scope::All, None), now()).unwrap();
        assert_eq!(allowed(), [true, false], "and nobody is banned who is allowed");
        assert!(stage.drops(&nft, "198.19.7.7"));
        refuse_no_more();
        assert!(nft.guard().unwrap().settings_changed);
        assert_eq!(allowed(), [true; 2]);
        nft.raise(&full("198.51.0.0/16"), now()).unwrap();
        let before = nft.counters().unwrap().dropped;
        assert!(stage.drops(&nft, "198.51.7.7") && nft.counters().unwrap().dropped == before, "what was wanted is in force");
        nft.raise(&ban("203.0.113.128/25", Scope::Dark, None), now()).unwrap();
        assert!(nft.guard().unwrap().is_none());
        nft.release().unwrap();
    });
}

#[test]
fn what_the_kernel_took_in_the_end_is_told_and_is_nobody_elses_work() {
    alone("refused interface", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = nft_again(&room.options(&["hm0", "hm2", "hm4"]));
        nft.begin_probing().unwrap();
        nft.raise(&ban(SENTINEL, Scope::All, None), now()).unwrap();
        nft.raise(&full(BANNED), now()).unwrap();
        let mut lookout = nft.lookout().unwrap();
        assert!(!nft.guard().unwrap().settings_changed);
        ip("link add hm2 type veth peer name hm3");
        crowd("hm2");
        nft.look_after(lookout.look().unwrap()).unwrap_err();
        let stand = |nft: &Nft| nft.interfaces().into_iter().map(|interface| interface.state).collect::<Vec<_>>();
        use InterfaceState::{Absent, Attached, Detached};
        assert_eq!(stand(&nft), [Attached, Detached, Absent]);
        nft.set_enforcing(false).expect("it keeps the mode from no other");
        assert!(!drops(&stage, &nft));
        nft.set_enforcing(true).unwrap();
        nft.set_allow(&[net_of("203.0.113.16/28")]).expect("nor who is never to be banned");
        for subject in ["203.0.113.0/24", "2001:db8:1::/48"] {
            nft.raise(&full(subject), now()).expect("nor is a ban");
        }
        nft.raise(&ban("198.51.100.0/25", Scope::Dark, None), now()).expect("nor a silence");
        let before = nft.counters().unwrap().dropped;
        assert!(stage.drops(&nft, "203.0.113.9") && !stage.drops(&nft, "203.0.113.17") && stage.drops(&nft, "2001:db8:1::9"));
        assert_eq!(nft.counters().unwrap().dropped - before, 5, "three sentinels came by");
        nft.set_lockdown(Lockdown::Confirmed).expect("nor a lockdown");
        assert!(wait(|| stage.drops(&nft, "192.0.2.77")), "a stranger is locked out");
        assert!(!nft.take_mended().taken, "something is still refused");
        let why = nft.probe().unwrap().unwrap_err();
        assert!(why.contains("refused what was ordered") && !why.contains("not as they were left"), "{why}");
        nft.guard().unwrap_err();
        ip("link add hm4 type veth peer name hm5");
        nft.look_after(lookout.look().unwrap()).unwrap_err();
        assert!(
            tool("list chain netdev honeymesh from_hm4").is_ok(),
            "one that can be guarded does not wait for one that cannot"
        );
        assert!(tool("list chain netdev honeymesh from_hm2").is_err());
        assert_eq!(stand(&nft), [Attached, Detached, Attached]);
        ip("link del hm4");
        nft.look_after(lookout.look().unwrap()).unwrap_err();
        assert_eq!(stand(&nft), [Attached, Detached, Absent]);

        tool("delete table netdev other").unwrap();
        nft.look_after(lookout.look().unwrap()).unwrap();
        assert_eq!(stand(&nft), [Attached, Attached, Absent]);
        assert!(tool("list chain netdev honeymesh from_hm2").is_ok() && tool("list set inet honeymesh locked").is_ok());
        let drift = nft.guard().unwrap();
        assert!(drift.taken && !drift.settings_changed && drift.missing.is_empty(), "{drift:?}");
        assert!(wait(|| stage.drops(&nft, "192.0.2.77")), "a stranger is locked out");
        // In a lockdown what else the far end says now and then, of multicast groups, is dropped and counted, too.
        let are_dropped = || ["203.0.113.9", "203.0.113.17"].map(|source| stage.drops(&nft, source));
        assert!(wait(|| are_dropped() == [true, false]), "{:?}", nft.counters());
        assert!(nft.guard().unwrap().is_none(), "once is enough");
        nft.release().unwrap();
    });
}

#[test]
fn an_allowlist_that_is_too_large_leaves_the_one_before_and_is_told_until_one_fits() {
    const ALLOWED_MAX: u32 = 131_072;
    alone("too large", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun(&stage);
        nft.set_allow(&[net_of(BANNED)]).unwrap();
        let everybody = std::iter::once(net_of("0.0.0.0/0"));
        let many =
            everybody.chain((0..ALLOWED_MAX).map(|number| Ipv4Net::from(Ipv4Addr::from_bits(0x0a00_0000 + number)).into()));
        assert!(matches!(nft.set_allow(&many.collect::<Vec<_>>()), Err(Error::Full { .. })));
        assert!(!stage.drops(&nft, BANNED), "what held before holds");
        assert!(nft.probe().unwrap().unwrap_err().ends_with("allow fewer or wider prefixes"), "though the rules are good");
        assert!(nft.guard().unwrap().is_none() && nft.probe().unwrap().is_err(), "for as long as it takes");
        nft.set_allow(&[]).unwrap();
        assert!(stage.drops(&nft, BANNED));
        assert_eq!(nft.probe().unwrap(), Ok(()));
        nft.release().unwrap();
    });
}

#[test]
fn a_never_ban_set_that_has_just_grown_is_nobody_elses_work() {
    alone("just grown", |room| {
        let mut nft = unowned(room, &["lo"]);
        let address = |number: u32| Ipv4Net::from(Ipv4Addr::from_bits(0x0a00_0000 + number)).into();
        for round in 0..12 {
            let many: Vec<_> = (0..20_000).map(|number| address(round * 20_000 + number)).collect();
            nft.set_allow(&[]).unwrap();
            nft.set_allow(&many).unwrap();
            for _ in 0..3 {
                assert!(!nft.guard().unwrap().settings_changed, "round {round}");
            }
        }
        tool("delete element netdev honeymesh allow4_32 { 10.3.91.97 }").unwrap();
        assert!(nft.guard().unwrap().settings_changed, "and what is missing is missed");
        nft.release().unwrap();
    });
}

#[test]
fn what_somebody_took_away_and_a_ban_or_a_look_put_back_is_told() {
    alone("mended in passing", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun(&stage);
        let mut lookout = nft.lookout().unwrap();
        tool("insert rule netdev honeymesh entrance accept").unwrap();
        ip("link add br0 type bridge");
        ip("link set hm0 master br0");
        nft.look_after(lookout.look().unwrap()).unwrap();
        assert!(!tool("list chain netdev honeymesh entrance").unwrap().contains("\t\taccept"), "mended");
        assert!(nft.guard().unwrap().settings_changed, "by a look");
        assert!(nft.guard().unwrap().is_none());

        tool("delete table netdev honeymesh").unwrap();
        nft.raise(&full("203.0.113.8"), now()).unwrap();
        let drift = nft.guard().unwrap();
        assert!(drift.settings_changed && !drift.missing.is_empty(), "by a ban: {drift:?}");
        assert!(nft.guard().unwrap().is_none());
        nft.release().unwrap();
    });
}

#[test]
fn what_somebody_did_is_told_though_an_order_has_overwritten_it() {
    alone("overwritten", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun(&stage);
        nft.set_allow(&[net_of("203.0.113.16/28")]).unwrap();
        tool("insert rule netdev honeymesh entrance accept").unwrap();
        nft.set_enforcing(false).unwrap();
        assert!(nft.take_mended().settings_changed, "by a mode");
        nft.set_enforcing(true).unwrap();
        assert!(!nft.take_mended().settings_changed && nft.guard().unwrap().is_none());

        tool("flush ruleset").unwrap();
        nft.set_lockdown(Lockdown::Confirmed).unwrap();
        assert!(nft.take_mended().settings_changed, "by a lockdown");
        let intent = [ban(SENTINEL, Scope::All, None), full(BANNED)];
        assert_eq!(nft.reconcile(&intent, now()).unwrap().missing.len(), 2);
        nft.set_lockdown(Lockdown::Off).unwrap();
        assert!(!nft.take_mended().settings_changed && drops(&stage, &nft));
        assert!(nft.guard().unwrap().is_none());
        nft.release().unwrap();
    });
}

#[test]
fn a_length_of_bans_that_comes_when_its_table_was_taken_away_is_there_and_stays() {
    alone("taken away", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun(&stage);
        tool("delete table netdev honeymesh").unwrap();
        nft.raise(&full("198.18.0.0/15"), now()).unwrap();
        nft.raise(&ban(SENTINEL, Scope::All, None), now()).unwrap();
        assert!(stage.drops(&nft, "198.19.7.7"));
        assert!(nft.guard().unwrap().settings_changed && nft.guard().unwrap().is_none());
        assert!(stage.drops(&nft, "198.19.7.7"));
        nft.raise(&full("198.20.0.0/15"), now()).expect("and so does the next one of that length");
        assert!(stage.drops(&nft, "198.21.7.7"));
        nft.release().unwrap();
    });
}

#[test]
fn a_lockdown_that_is_put_back_comes_with_those_who_are_never_locked_out() {
    alone("put back", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun(&stage);
        nft.set_allow(&[net_of("203.0.113.16/28")]).unwrap();
        nft.set_lockdown(Lockdown::Confirmed).unwrap();
        let monitor = Monitor::start();
        let told = || monitor.told();
        for family in ["inet", "netdev"] {
            tool(&format!("delete table {family} honeymesh")).unwrap();
            let before = told().len();
            assert!(nft.guard().unwrap().settings_changed);
            // A step is told line by line, and ends with the number of its generation.
            let is_told = |told: &str| {
                let step = told.split_once(&format!("add table {family} honeymesh"));
                step.is_some_and(|(_, rest)| rest.contains("# new generation"))
            };
            assert!(wait(|| is_told(&told()[before..])));
            let steps = told()[before..].to_owned();
            let made =
                steps.split("# new generation").find(|step| step.contains(&format!("add table {family} honeymesh"))).unwrap();
            assert!(made.contains("203.0.113.16"), "in the same step: {steps}");
        }
        nft.release().unwrap();
    });
}

/// A set of bans that somebody gave another size is made anew; its bans are the next audit's to enter.
#[test]
fn a_set_of_bans_that_takes_no_more_is_made_anew_and_its_bans_are_missed() {
    alone("full by decree", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun(&stage);
        tool("add set netdev honeymesh ban4_32 { type ipv4_addr; flags timeout; counter; size 1; }").unwrap();
        nft.raise(&full("203.0.113.8"), now()).expect_err("no room");
        assert!(nft.probe().unwrap().unwrap_err().contains("not as they were left"));
        assert!(nft.guard().unwrap().settings_changed);
        let intent = [ban(SENTINEL, Scope::All, None), full(BANNED), full("203.0.113.8")];
        let auditor = nft.take_auditor().unwrap();
        let drift = auditor.audit(&intent, now()).unwrap();
        assert_eq!(drift.missing.len(), 3, "{drift:?}");
        for what in &intent {
            nft.mend(&what.subject, Some(what), now()).unwrap();
        }
        assert!(drops(&stage, &nft) && auditor.audit(&intent, now()).unwrap().is_none());
        assert!(nft.guard().unwrap().is_none());
        nft.release().unwrap();
    });
}

/// What a writer answers whom the kernel said ENOENT, as it does before Linux 6.16 while one of the interfaces has just ended.
const GONE: &[u8] = b"\x06\x03\x04\x06set up";
/// The first octet of the order to look at the interfaces.
const GUARD: u8 = 9;

/// A writer that answers as many orders with [`GONE`] as it is told to, looks at interfaces aside, though it carries them out if it
/// `obeys`. Counts the looks.
fn forgetful(obeys: bool, refusals: Arc<AtomicU32>, looks_seen: Arc<AtomicU32>) -> impl FnOnce(NftEnds) -> std::io::Result<()> {
    move |NftEnds { orders, looks }| {
        let pair = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        let (near, far) = pair;
        thread::spawn(|| NftWriter::open(far, looks).unwrap().run());
        thread::spawn(move || {
            let mut octets = vec![0; 1 << 17];
            let (orders, near) = (orders.as_raw_fd(), near.as_raw_fd());
            while let Ok(len @ 1..) = recv(orders, &mut octets, MsgFlags::empty()) {
                let is_look = octets[0] == GUARD;
                looks_seen.fetch_add(u32::from(is_look), Ordering::Relaxed);
                let less = |left: u32| left.checked_sub(1);
                let refuses = !is_look && refusals.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
                if !refuses || obeys {
                    send(near, &octets[..len], MsgFlags::empty()).unwrap();
                    let len = recv(near, &mut octets, MsgFlags::empty()).unwrap();
                    if !refuses {
                        send(orders, &octets[..len], MsgFlags::empty()).unwrap();
                    }
                }
                if refuses {
                    send(orders, GONE, MsgFlags::empty()).unwrap();
                }
            }
        });
        Ok(())
    }
}

#[test]
fn an_order_that_is_refused_because_an_interface_has_just_ended_is_given_again_after_a_look() {
    alone("ended in that moment", |room| {
        let (refusals, looks) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let start = |obeys| unhindered(|| Nft::start(&room.options(&["lo"]), forgetful(obeys, refusals.clone(), looks.clone())));
        let mut nft = start(true);
        refusals.store(1, Ordering::Relaxed);
        nft.set_enforcing(false).expect("a look at the interfaces is enough");
        assert_eq!(looks.load(Ordering::Relaxed), 1);
        assert!(tool("list chain netdev honeymesh observing").is_ok());
        drop(nft);

        let mut nft = start(false);
        refusals.store(2, Ordering::Relaxed);
        nft.raise(&full(BANNED), now()).expect("the third time it is taken");
        assert_eq!(looks.load(Ordering::Relaxed), 3);
        assert!(tool("list set netdev honeymesh ban4_32").unwrap().contains(BANNED));
        refusals.store(u32::MAX, Ordering::Relaxed);
        nft.raise(&full("203.0.113.8"), now()).expect_err("and not for ever");
        refusals.store(0, Ordering::Relaxed);
        assert!(nft.guard().unwrap().is_none(), "nobody had changed anything");
        nft.release().unwrap();
    });
}

#[test]
fn tables_are_left_as_they_are_for_a_later_start_that_says_what_is_wanted() {
    alone("later start", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut first = begun(&stage);
        tool("add element netdev honeymesh ban4_32 { * }").unwrap();
        tool("add chain netdev honeymesh x { type filter hook ingress device hm0 priority -600; policy drop; }").unwrap();
        first.set_lockdown(Lockdown::Off).unwrap();
        drop(first);
        let mut second = nft_again(&room.options(&["hm0"]));
        assert!(stage.drops(&second, BANNED) && !stage.drops(&second, "198.51.100.9"), "nothing of it outlives a restart");
        assert!(second.guard().unwrap().is_none());
        second.release().unwrap();
    });
}

#[test]
fn a_table_that_is_too_small_takes_as_many_as_it_has_room_for() {
    alone("too small", |room| {
        let mut options = room.options(&["lo"]);
        options.max_bans = 300;
        let mut nft = nft_again(&options);
        let many: Vec<_> = (0..500).map(|number| full(&Ipv4Addr::from_bits(0xcb00_0000 + number).to_string())).collect();
        assert!(matches!(nft.reconcile(&many, now()), Err(Error::Full { .. })));
        let held = many.iter().filter(|ban| nft.mend(&ban.subject, Some(ban), now()).is_ok_and(|drift| drift.is_none())).count();
        assert_eq!(held, 300);
        nft.release().unwrap();
    });
}
