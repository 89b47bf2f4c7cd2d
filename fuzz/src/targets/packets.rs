//! Frames, as the kernel program judges them.

use crate::Input;
use honeymesh_xdp_abi::{COUNTERS, Counter, Gates, SCOPE_ALL, SCOPE_DARK};
use honeymesh_xdp_program::{
    Verdict, decide, door,
    testing::{Buffer, Doorstep, End, HostKernel, Setting, Slice, has_right_checksums},
};

/// Frames of one input: more are never needed to cross a threshold.
const FRAMES_MAX: usize = 32;
const VERDICTS: [Counter; 9] = [
    Counter::Passed,
    Counter::DroppedV4,
    Counter::DroppedV6,
    Counter::DroppedNet,
    Counter::DroppedDark,
    Counter::DroppedScan,
    Counter::DroppedLockdown,
    Counter::Answered,
    Counter::DroppedFlood,
];

/// `setting | frames, each a time that passes and a part`.
pub(super) fn judged(data: &[u8]) {
    let mut input = Input::new(data);
    let kernel = HostKernel::of(&setting(input.byte()));
    for _ in 0..FRAMES_MAX {
        if input.is_empty() {
            break;
        }
        kernel.now_ns.set(kernel.now_ns.get() + (u64::from(input.byte()) << 24));
        frame(input.part(), &kernel);
    }
}

fn frame(octets: &[u8], kernel: &HostKernel) {
    let before = *kernel.counters.borrow();
    let buffer = Buffer::of(octets);
    let verdict = decide(&buffer, &kernel);
    let after = *kernel.counters.borrow();
    let moved = |counter: Counter| after[counter as usize] - before[counter as usize];
    assert_eq!(VERDICTS.into_iter().map(moved).sum::<u64>(), 1, "one verdict for each frame");
    assert!((0..COUNTERS).all(|at| after[at] - before[at] <= 1), "nothing is counted twice");
    let now = buffer.0.into_inner();
    match verdict {
        Verdict::Pass => {
            assert_eq!(moved(Counter::Passed), 1);
            assert_eq!(now, octets, "what passes stays as it was");
        }
        Verdict::Drop => {
            let may = kernel.gates.has(Gates::ENFORCING) || kernel.gates.has(Gates::LOCKDOWN);
            assert!(may, "dropped while only observing");
        }
        Verdict::Answer => {
            assert_eq!(moved(Counter::Answered), 1);
            assert!(now.len() <= octets.len(), "an answer that is longer than what it answers");
            if now != octets {
                assert!(has_right_checksums(&now), "an answer with a wrong sum: {now:?}");
                assert_eq!((&now[..6], &now[6..12]), (&octets[6..12], &octets[..6]), "it goes back where it came from");
            }
        }
    }
    assert!(kernel.told.take().len() <= 1, "one frame tells one thing");
    if let Some(at_door) = Doorstep::of(octets) {
        let _onward = door(&at_door, &kernel);
        kernel.told.borrow_mut().clear();
    }
    let again = HostKernel::of(&setting(0));
    let _verdict = decide(&Slice(octets), &&again);
}

fn setting(choice: u8) -> Setting {
    let bans = vec![
        ("198.51.100.1", SCOPE_ALL, End::Later),
        ("198.51.100.2", SCOPE_DARK, End::Never),
        ("198.51.100.0/24", SCOPE_ALL, End::Past),
        ("192.0.2.0/25", SCOPE_ALL, End::Later),
        ("2001:db8:bad:7::/64", SCOPE_ALL, End::Later),
        ("2001:db8:bad::/48", SCOPE_DARK, End::Later),
    ];
    Setting {
        bans: if choice & 1 == 0 { bans } else { Vec::new() },
        allow: if choice & 2 == 0 { Vec::new() } else { vec!["198.51.100.0/28", "2001:db8:bad:7::/64"] },
        enforcing: choice & 4 == 0,
        lockdown: (choice & 8 != 0).then_some(End::Later),
        dark: [Gates::default(), Gates::SILENT, Gates::TRAPS, Gates::TRAPS][usize::from(choice >> 4) & 3],
        udp: choice & 64 == 0,
        oracle: choice & 128 != 0,
        ..Setting::default()
    }
}
