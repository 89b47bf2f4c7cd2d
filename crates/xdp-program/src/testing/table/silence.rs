//! What the silenced, the many and the merely observed get.

use super::*;

pub(super) fn silenced_by_user_space() -> Script {
    let setting = Setting {
        bans: vec![("203.0.113.7", SCOPE_DARK, End::Later), ("2001:db8:bad:7::/64", SCOPE_DARK, End::Never)],
        ..Setting::default()
    };
    let mut script = script(
        "a ban of scope dark drops probes and nothing else",
        setting,
        vec![
            Step::new("probe", syn4("203.0.113.7", 23), &[Counter::DroppedDark]),
            Step::new("served", syn4("203.0.113.7", SERVED), PASS),
            Step::new("UDP, served", Packet::datagram("203.0.113.7", HERE4, SERVED).build(), PASS),
            Step::new("UDP, dark", Packet::datagram("203.0.113.7", HERE4, 53).build(), &[Counter::DroppedDark]),
            Step::new("ACK", Packet::tcp("203.0.113.7", HERE4, 23, ACK).build(), PASS),
            Step::new("probe, IPv6", syn6("2001:db8:bad:7::1", 23), &[Counter::DroppedDark]),
            Step::new("served, IPv6", syn6("2001:db8:bad:7::1", SERVED), PASS),
        ],
    );
    script.hits = vec![("203.0.113.7", 2), ("2001:db8:bad:7::/64", 1)];
    script
}

pub(super) fn silenced_prefix() -> Script {
    let setting = Setting {
        bans: vec![
            ("203.0.113.0/24", SCOPE_DARK, End::Later),
            ("203.0.113.128/25", SCOPE_DARK, End::Past),
            ("2001:db8:bad:7::9", SCOPE_DARK, End::Later),
        ],
        ..Setting::default()
    };
    let mut script = script(
        "a prefix, and a single IPv6 neighbour, can be silenced",
        setting,
        vec![
            Step::new("probe", syn4("203.0.113.7", 23), &[Counter::DroppedDark]),
            Step::new("behind an ended narrower one", syn4("203.0.113.200", 23), &[Counter::DroppedDark]),
            Step::new("served", syn4("203.0.113.7", SERVED), PASS),
            Step::new("neighbour", syn6("2001:db8:bad:7::9", 23), &[Counter::DroppedDark]),
            knock("its neighbour", syn6("2001:db8:bad:7::8", 23), 23),
        ],
    );
    script.hits = vec![("203.0.113.0/24", 2), ("2001:db8:bad:7::9", 1)];
    script
}

pub(super) fn budget() -> Script {
    let mut setting = Setting { budget: 1, ..Setting::default() };
    setting.scan.ports = 1;
    let full = &[Counter::DroppedScan, Counter::Knocks, Counter::Scans, Counter::BudgetFull][..];
    let again = &[Counter::DroppedScan, Counter::Knocks, Counter::BudgetFull][..];
    script(
        "with the budget used up a scan is dropped and told all the same, packet by packet",
        setting,
        vec![
            Step::new("first source", syn4("203.0.113.1", 21), AT_THRESHOLD).telling(Tell::Scan(vec![21], true)),
            Step::new("second source", syn4("203.0.113.2", 21), full).telling(Tell::Scan(vec![21], false)),
            Step::new("second source again", syn4("203.0.113.2", 22), again),
            Step::new("first source again", syn4("203.0.113.1", 22), &[Counter::DroppedDark]),
        ],
    )
}

pub(super) fn spoofable_all() -> Script {
    let mut setting = Setting::default();
    setting.scan.spoofable = SPOOFABLE_ALL;
    setting.scan.ports = 2;
    script(
        "an operator may choose the full ban for scans that might be forged",
        setting,
        vec![
            knock("first port", syn4("203.0.113.1", 21), 21),
            Step::new("second port", syn4("203.0.113.1", 22), AT_THRESHOLD).telling(Tell::Scan(vec![21, 22], true)),
            Step::new("served port", syn4("203.0.113.1", SERVED), &[Counter::DroppedV4]),
            Step::new("UDP", Packet::udp("203.0.113.1", HERE4, 53).build(), &[Counter::DroppedV4]),
            knock("first port, IPv6", syn6("2001:db8:bad:1::1", 21), 21),
            Step::new("second port, IPv6", syn6("2001:db8:bad:1::1", 22), AT_THRESHOLD).telling(Tell::Scan(vec![21, 22], true)),
            Step::new("UDP, IPv6", Packet::udp("2001:db8:bad:1::1", HERE6, 53).build(), &[Counter::DroppedV6]),
        ],
    )
}

pub(super) fn spoofable_off() -> Script {
    let mut setting = Setting::default();
    setting.scan.spoofable = SPOOFABLE_OFF;
    setting.scan.ports = 2;
    let scan = &[Counter::Passed, Counter::Knocks, Counter::Scans][..];
    script(
        "an operator may choose to be told only",
        setting,
        vec![
            knock("first port", syn4("203.0.113.1", 21), 21),
            Step::new("second port", syn4("203.0.113.1", 22), scan).telling(Tell::Scan(vec![21, 22], false)),
            Step::new("second port again", syn4("203.0.113.1", 22), KNOCK),
            Step::new("third port", syn4("203.0.113.1", 23), KNOCK),
        ],
    )
}

pub(super) fn observing() -> Script {
    let setting = Setting {
        bans: vec![("203.0.113.7", SCOPE_ALL, End::Later), ("203.0.113.8", SCOPE_DARK, End::Later)],
        enforcing: false,
        ..Setting::default()
    };
    let would = &[Counter::Passed, Counter::WouldDrop][..];
    let scan = &[Counter::Passed, Counter::WouldDrop, Counter::Knocks, Counter::Scans][..];
    let mut script = script(
        "while observing nothing is dropped or placed, and everything is counted",
        setting,
        vec![
            Step::new("banned", Packet::udp("203.0.113.7", HERE4, 53).build(), would),
            Step::new("silenced", syn4("203.0.113.8", 23), would),
            knock("first port", syn4("203.0.113.1", 21), 21),
            knock("second port", syn4("203.0.113.1", 22), 22),
            Step::new("third port", syn4("203.0.113.1", 23), scan).telling(Tell::Scan(vec![21, 22, 23], false)),
            Step::new("fourth port", syn4("203.0.113.1", 24), &[Counter::Passed, Counter::WouldDrop, Counter::Knocks]),
            Step::new("banned and probing: it would not have come so far", syn4("203.0.113.7", 23), would),
        ],
    );
    script.hits = vec![("203.0.113.7", 2), ("203.0.113.8", 1)];
    script
}
