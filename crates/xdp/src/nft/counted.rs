//! The counters of both tables as those of the XDP program.

use super::{ingress, probe, stack};
use crate::Counters;

/// Which of them count packets that were dropped. (What silent ports did not answer had passed before that, as on the other rungs.)
const DROPS: [&str; 6] = ["dropped_v4", "dropped_v6", "dropped_net", "dropped_dark", "dropped_scan", "dropped_lockdown"];

/// `all` is what the writer answers: both sides' counters in their order.
pub(super) fn counters(all: &[u64], knocks_lost: u64) -> Counters {
    let (before, within) = all.split_at(all.len().min(ingress::COUNTERS.len()));
    let of = |name: &str| find(&ingress::COUNTERS, before, name).saturating_add(find(&stack::COUNTERS, within, name));
    let dropped = DROPS.iter().map(|name| of(name)).sum();
    let packets = of("packets");
    let counted = Counters {
        packets,
        passed: packets.saturating_sub(dropped),
        dropped,
        dropped_v4: of("dropped_v4"),
        dropped_v6: of("dropped_v6"),
        dropped_net: of("dropped_net"),
        dropped_dark: of("dropped_dark"),
        dropped_scan: of("dropped_scan"),
        dropped_lockdown: of("dropped_lockdown"),
        would_drop: of("would_drop"),
        allowed: of("allowed"),
        neighbour: of("neighbour"),
        not_ip: of("not_ip"),
        malformed: of("malformed"),
        knocks: of("knocks"),
        knocks_lost,
        knocks_limited: of("knocks_limited"),
        scans: of("scans"),
        budget_full: of("budget_full"),
        scan_state_lost: of("scan_state_lost"),
        scan_rushed: of("scan_rushed"),
        steered: of("steered"),
        oracle_answered: of("oracle_answered"),
        silenced: of("silenced"),
        ..Counters::default()
    };
    probe::tally(probe::CAME.map(of), probe::PASSED.map(of), of(probe::ALLOWED)).taken_from(counted)
}

fn find(names: &[&str], values: &[u64], name: &str) -> u64 {
    let index = names.iter().position(|known| *known == name);
    index.and_then(|index| values.get(index)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_added_up_and_what_passed_is_what_nobody_dropped() {
        let mut all = vec![0; ingress::COUNTERS.len() + stack::COUNTERS.len()];
        let mut set = |names: &[&str], from: usize, name: &str, value| {
            all[from + names.iter().position(|known| *known == name).unwrap()] = value;
        };
        let within = ingress::COUNTERS.len();
        set(&ingress::COUNTERS, 0, "packets", 100);
        set(&ingress::COUNTERS, 0, "dropped_v4", 10);
        set(&stack::COUNTERS, within, "dropped_v4", 1);
        set(&stack::COUNTERS, within, "dropped_dark", 2);
        set(&stack::COUNTERS, within, "dropped_lockdown", 3);
        set(&stack::COUNTERS, within, "silenced", 5);
        let counters = counters(&all, 7);
        assert_eq!((counters.packets, counters.passed, counters.dropped), (100, 84, 16));
        assert_eq!((counters.dropped_v4, counters.dropped_dark, counters.knocks_lost), (11, 2, 7));
        assert_eq!(super::counters(&[], 0), Counters::default(), "an answer that is cut short");
    }
}
