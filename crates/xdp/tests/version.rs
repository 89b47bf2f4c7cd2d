//! Another version's program, with its bans, gives way to this one's: whatever is started next, no banned packet comes through meanwhile
//! and no honest one is lost.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use aya::programs::XdpMode;
use common::{
    Room, alone,
    backend::{Kind, Stage, full, intent, nft},
    older::leave,
    traffic::{SOURCES, Traffic},
};
use honeymesh_types::Enforcement;
use honeymesh_xdp::{Kernel, OnExit, now};
use std::{path::PathBuf, process::Command};

/// Packets of each source before, while and after a version gives way.
const PACKETS: u64 = 4_000;

fn bans() -> Vec<Enforcement> {
    intent(&[full(SOURCES[0]), full("198.51.100.0/24")])
}

/// A stage on which another version drops what [`bans`] drops, and traffic under way.
fn scene<'a>(room: &'a Room, version: u32, mode: XdpMode) -> (Stage<'a>, Traffic, PathBuf) {
    let stage = Stage::new(room, Kind::Xdp);
    let addresses = [SOURCES[0], "198.51.100.0"].map(|addr| addr.parse().unwrap());
    let left = leave(&room.pin_dir(), version, ("hm0", mode), addresses);
    let traffic = Traffic::start(&stage.peer);
    traffic.flow(PACKETS);
    assert_eq!(traffic.heard()[..2], [0; 2], "the other version drops");
    (stage, traffic, left)
}

/// Ends the traffic: nothing of the banned, all of the honest one.
fn is_clean(traffic: Traffic) {
    let (sent, heard) = traffic.end();
    assert!(sent.iter().all(|sent| *sent >= 2 * PACKETS), "{sent:?}");
    assert_eq!(heard, [0, 0, sent[2]], "of {sent:?}");
    eprintln!("none of {} and {} banned came through, none of {} honest was lost", sent[0], sent[1], sent[2]);
}

fn shown() -> String {
    let shown = Command::new("ip").args(["link", "show", "dev", "hm0"]).output().unwrap().stdout;
    String::from_utf8(shown).unwrap()
}

#[test]
fn an_older_and_a_newer_versions_program_gives_way_under_traffic_without_a_gap() {
    for (version, mode, shows) in [(1, XdpMode::Driver, "xdp"), (1, XdpMode::Skb, "xdpgeneric"), (9_999, XdpMode::Driver, "xdp")]
    {
        alone("another version under traffic", |room| {
            let (_stage, traffic, left) = scene(room, version, mode);
            let (mut kernel, _knocks) = Kernel::prepare(&room.options(&["hm0"])).unwrap();
            traffic.flow(PACKETS / 4);
            kernel.reconcile(&bans(), now()).unwrap();
            assert!(left.exists() && !kernel.interfaces().iter().any(|one| one.attached), "the other one goes on until then");
            kernel.attach().unwrap();
            assert!(!left.exists() && room.pins().join("links").exists());
            assert!(shown().contains(&format!("{shows} ")), "{}", shown());
            traffic.flow(PACKETS);
            for subject in [SOURCES[0], "198.51.100.0/24"] {
                assert!(kernel.drops(&subject.parse().unwrap()) > PACKETS / 2, "this one's table drops {subject}");
            }
            is_clean(traffic);
            kernel.release().unwrap();
            assert!(!shown().contains("xdp"), "{}", shown());
        });
    }
}

#[test]
fn a_start_that_leaves_nothing_at_its_end_takes_another_versions_place_too() {
    alone("another version and release on exit", |room| {
        let (_stage, traffic, left) = scene(room, 1, XdpMode::Driver);
        let mut options = room.options(&["hm0"]);
        options.exit = OnExit::Release;
        let (mut kernel, knocks) = Kernel::prepare(&options).unwrap();
        kernel.reconcile(&bans(), now()).unwrap();
        kernel.attach().unwrap();
        assert!(!left.exists());
        traffic.flow(PACKETS);
        is_clean(traffic);
        drop((kernel, knocks));
        assert!(!shown().contains("xdp"), "{}", shown());
    });
}

#[test]
fn a_start_without_xdp_takes_another_versions_program_off_when_its_bans_are_in() {
    alone("another version and nf_tables", |room| {
        let (_stage, traffic, left) = scene(room, 1, XdpMode::Driver);
        let options = room.options(&["hm0"]);
        let mut nft = nft(&options).unwrap();
        nft.reconcile(&bans(), now()).unwrap();
        assert!(left.exists() && shown().contains("xdp"));
        nft.take_xdp_off(&options);
        assert!(!left.exists() && !shown().contains("xdp"), "{}", shown());
        traffic.flow(PACKETS);
        is_clean(traffic);
        nft.release().unwrap();
    });
}

#[test]
fn a_release_takes_another_versions_program_off_and_says_so() {
    alone("another version and release", |room| {
        let (_stage, traffic, left) = scene(room, 1, XdpMode::Driver);
        let told = honeymesh_xdp::release(&room.pin_dir()).unwrap();
        assert!(told.iter().any(|line| line.ends_with("detached from hm0, removed")), "{told:?}");
        assert!(!left.exists() && !shown().contains("xdp"), "{}", shown());
        let before = traffic.heard();
        traffic.flow(PACKETS);
        assert!(
            traffic.heard().iter().zip(before).all(|(now, before)| *now > before),
            "the traffic can be heard where nobody drops"
        );
        let (sent, _) = traffic.end();
        assert!(sent.iter().all(|sent| *sent >= 2 * PACKETS), "{sent:?}");
    });
}
