//! Whoever writes into the pinned tables past the daemon is found out, and what they wrote is mended.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use aya::maps::{Array, Map, MapData, ProgramArray};
use common::{Room, alone, hour};
use honeymesh_types::Scope;
use honeymesh_xdp::{Kernel, now};
use honeymesh_xdp_abi::{FRONT_LINES_MIN, LINE_LEN, STEP_FILTER};
use honeymesh_xdp_program::testing::{HERE4, Packet};

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
