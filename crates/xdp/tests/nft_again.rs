//! Where nf_tables refuses something, nothing else waits for it: not the other table, not other interfaces, and no ban for a large never-ban set.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    alone,
    backend::{Kind, SENTINEL, Stage, full, nft_again},
    ban, ip,
    tool::{Monitor, crowd, refuse, refuse_no_more, tool, unowned},
    wait,
};
use honeymesh_types::Scope;
use honeymesh_xdp::{Nft, now};
use ipnet::Ipv4Net;
use std::{net::Ipv4Addr, time::Instant};

const BANNED: &str = "203.0.113.7";
/// Prefixes of a large never-ban set.
const LARGE: u32 = 30_000;

/// Tables that everybody may change, with two bans and the self-probe.
fn begun(stage: &Stage<'_>) -> Nft {
    let mut nft = unowned(stage.room, &["hm0"]);
    nft.begin_probing().unwrap();
    nft.set_allow(&[]).unwrap();
    nft.raise(&ban(SENTINEL, Scope::All, None), now()).unwrap();
    nft.raise(&full(BANNED), now()).unwrap();
    nft
}

#[test]
fn of_what_is_entered_at_once_a_table_that_is_somebody_elses_keeps_nothing_out_of_the_other() {
    alone("a mixed order", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun(&stage);
        refuse();
        let intent = [ban("203.0.113.9", Scope::Dark, None), ban(SENTINEL, Scope::All, None), full(BANNED), full("203.0.113.8")];
        let error = nft.reconcile(&intent, now()).unwrap_err();
        assert!(error.to_string().contains("was not made by honeymesh"), "{error}");
        assert!(stage.drops(&nft, "203.0.113.8"), "it is before the network stack, and that table is ours");
        refuse_no_more();
        assert_eq!(nft.reconcile(&intent, now()).unwrap().missing, [intent[0].subject]);
        nft.release().unwrap();
    });
}

#[test]
fn what_is_said_again_waits_for_no_large_never_ban_set() {
    alone("said again", |room| {
        let stage = Stage::new(room, Kind::Nft);
        let mut nft = begun(&stage);
        let mut lookout = nft.lookout().unwrap();
        let large: Vec<_> =
            (0..LARGE).map(|number| Ipv4Net::new(Ipv4Addr::from_bits(0x0a00_0000 + 2 * number), 32).unwrap().into()).collect();
        nft.set_allow(&large).unwrap();
        refuse();
        nft.look_after(lookout.look().unwrap()).unwrap();
        nft.set_enforcing(false).unwrap_err();
        let quickest = |times: u32, act: &mut dyn FnMut()| {
            let one = |_| {
                let start = Instant::now();
                act();
                start.elapsed()
            };
            (0..times).map(one).min().unwrap()
        };
        let again = quickest(5, &mut || drop(nft.look_after(lookout.look().unwrap()).unwrap()));
        assert!(nft.owes(), "it is said again each time");
        let whole = quickest(3, &mut || drop(nft.guard().unwrap_err()));
        eprintln!("with {LARGE} prefixes in the never-ban set: said again in {again:?}, everything compared in {whole:?}");
        assert!(4 * again < whole, "{again:?} of {whole:?}");
        refuse_no_more();
        nft.look_after(lookout.look().unwrap()).unwrap();
        assert!(!nft.owes() && nft.guard().unwrap().taken);
        tool("flush set inet honeymesh allow4_32").unwrap();
        assert!(nft.guard().unwrap().settings_changed, "and a never-ban set that is not whole is found");
        assert!(nft.guard().unwrap().is_none());
        nft.release().unwrap();
    });
}

/// Many interfaces that came at once, and one of them that no chain can be hung on.
const CAME: usize = 24;

#[test]
fn of_many_interfaces_that_come_one_that_cannot_be_guarded_is_found_in_few_steps() {
    alone("one of many", |room| {
        let mut nft = nft_again(&room.options(&["lo", "many*"]));
        let mut lookout = nft.lookout().unwrap();
        (0..CAME).for_each(|number| ip(&format!("link add many{number:02} type veth peer name far{number:02}")));
        crowd("many13");
        let monitor = Monitor::start();
        let before = monitor.told().len();
        nft.look_after(lookout.look().unwrap()).unwrap_err();
        let bare: Vec<_> = nft.interfaces().into_iter().filter(|one| !one.attached).map(|one| one.name).collect();
        assert_eq!(bare, ["many13"]);
        tool("add table ip over").unwrap();
        assert!(wait(|| monitor.told()[before..].contains("table ip over")));
        let steps = monitor.told()[before..].matches("# new generation").count();
        assert!((1..=12).contains(&steps), "{steps}");
        nft.release().unwrap();
    });
}
