//! What the kernel refuses stays wanted: it is said again, and until then the self-probe tells.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]
#![expect(unsafe_code, reason = "bpf(2) has no safe binding for freezing a map")]

mod common;

use aya::maps::{LpmTrie, Map, MapData, lpm_trie::Key};
use common::{Room, alone, hour, net_of};
use honeymesh_types::{Lockdown, Scope};
use honeymesh_xdp::{Error, Fared, Kernel, Probed, now};
use honeymesh_xdp_program::testing::{HERE4, Packet};
use std::os::fd::{AsFd, AsRawFd};

const BANNED: &str = "203.0.113.7";
/// Prefixes of one family that the kernel's allowlist holds.
const NETS_MAX: u32 = 65_536;

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

#[test]
fn an_allowlist_that_found_no_room_is_written_as_soon_as_there_is() {
    alone("no room", |room| {
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["lo"])).unwrap();
        kernel.begin_probing().unwrap();
        kernel.raise(&hour(BANNED, Scope::All), now()).unwrap();
        let mut allow: LpmTrie<MapData, u32, u32> = Map::LpmTrie(pinned(room, "HM_ALLOW4")).try_into().unwrap();
        let others = |number: u32| Key::new(32, (0x0a00_0000 + number).to_be());
        (0..NETS_MAX).for_each(|number| allow.insert(&others(number), 1, 0).unwrap());
        let refused = kernel.set_allow(&[net_of(BANNED)]).unwrap_err();
        assert!(matches!(refused, Error::Full { .. }), "{refused}");
        assert!(is_dropped(&kernel));
        assert!(kernel.probed(&probed(Fared::Dropped)).unwrap_err().contains("refused what was ordered"));
        kernel.guard().expect_err("there is still no room");
        (0..2).for_each(|number| allow.remove(&others(number)).unwrap());
        assert!(kernel.guard().unwrap().settings_changed);
        assert!(!is_dropped(&kernel), "who is never to be banned is not");
        assert_eq!(allow.keys().count(), 2, "the probe's, and nobody else's");
        assert_eq!(kernel.probed(&probed(Fared::Dropped)), Ok(()));
        assert!(kernel.guard().unwrap().is_none(), "once is enough");
        kernel.release().unwrap();
    });
}
