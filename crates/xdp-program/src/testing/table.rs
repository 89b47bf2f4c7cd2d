//! The table: settings, the packets that meet them, and what must come of each.

use super::{
    packet::{ACK, FIN, Layer4, PSH, Packet, RST, SYN, URG},
    truncation,
};
use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use honeymesh_xdp_abi::{Counter, SCOPE_ALL, SCOPE_DARK, SPOOFABLE_ALL, SPOOFABLE_DARK, SPOOFABLE_OFF, ScanSettings};

/// The IPv4 address of the host under test.
pub const HERE4: &str = "192.0.2.1";
/// The IPv6 address of the host under test.
pub const HERE6: &str = "2001:db8::1";
/// A port that a socket listens on.
pub const SERVED: u16 = 4_480;
const VLAN: u16 = 0x8100;
const QINQ: u16 = 0x88a8;

/// When a ban ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has ended.
    Past,
    /// Not within the test.
    Later,
    /// Never.
    Never,
}

/// What the packets of a script meet.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Subjects, their scope and end.
    pub bans: Vec<(&'static str, u8, End)>,
    /// The allowlist.
    pub allow: Vec<&'static str>,
    /// Own addresses.
    pub local: Vec<&'static str>,
    /// Ports that TCP sockets listen on, on every address.
    pub served: Vec<u16>,
    /// What a scan is.
    pub scan: ScanSettings,
    /// How many entries may be placed.
    pub budget: u32,
    /// Or only observing.
    pub enforcing: bool,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            bans: Vec::new(),
            allow: Vec::new(),
            local: vec![HERE4, HERE6],
            served: vec![SERVED],
            scan: ScanSettings { ports: 3, spoofable: SPOOFABLE_DARK, window_ns: 60_000_000_000, ttl_ns: 600_000_000_000 },
            budget: 64,
            enforcing: true,
        }
    }
}

/// What user space is told of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// Nothing.
    Nothing,
    /// A probe of this port.
    Knock(u16),
    /// A scan of these ports (sorted), and whether its source is silenced.
    Scan(Vec<u16>, bool),
}

/// A packet and what must come of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is.
    pub name: String,
    /// The frame.
    pub frame: Vec<u8>,
    /// Every counter that moves, by one.
    pub counts: Vec<Counter>,
    /// What user space is told.
    pub tell: Tell,
}

impl Step {
    /// A step that tells nothing.
    #[must_use]
    pub fn new(name: &str, frame: Vec<u8>, counts: &[Counter]) -> Self {
        Self { name: name.to_string(), frame, counts: counts.to_vec(), tell: Tell::Nothing }
    }

    /// Must it be dropped?
    #[must_use]
    pub fn drops(&self) -> bool {
        !self.counts.contains(&Counter::Passed)
    }

    fn telling(mut self, tell: Tell) -> Self {
        self.tell = tell;
        self
    }
}

/// A setting and the packets that meet it, in order.
#[derive(Clone, Debug)]
pub struct Script {
    /// What it shows.
    pub name: &'static str,
    /// What the packets meet.
    pub setting: Setting,
    /// The packets.
    pub steps: Vec<Step>,
    /// Hits of some subjects afterwards.
    pub hits: Vec<(&'static str, u64)>,
}

const PASS: &[Counter] = &[Counter::Passed];
const MALFORMED: &[Counter] = &[Counter::Passed, Counter::Malformed];
const KNOCK: &[Counter] = &[Counter::Passed, Counter::Knocks];
const AT_THRESHOLD: &[Counter] = &[Counter::DroppedScan, Counter::Knocks, Counter::Scans];
const NOT_IP: &[Counter] = &[Counter::Passed, Counter::NotIp];

fn syn4(source: &str, port: u16) -> Vec<u8> {
    Packet::tcp(source, HERE4, port, SYN).build()
}

fn syn6(source: &str, port: u16) -> Vec<u8> {
    Packet::tcp(source, HERE6, port, SYN).build()
}

fn knock(name: &str, frame: Vec<u8>, port: u16) -> Step {
    Step::new(name, frame, KNOCK).telling(Tell::Knock(port))
}

fn script(name: &'static str, setting: Setting, steps: Vec<Step>) -> Script {
    Script { name, setting, steps, hits: Vec::new() }
}

/// The whole table.
#[must_use]
pub fn scripts() -> Vec<Script> {
    vec![
        quiet(),
        exact_bans(),
        ends(),
        prefixes(),
        nested_prefixes(),
        allowed(),
        neighbour_discovery(),
        probes(),
        threshold_v4(),
        threshold_v6(),
        threshold_of_one(),
        silenced_by_user_space(),
        silenced_prefix(),
        served_ports_stay_open(),
        budget(),
        spoofable_all(),
        spoofable_off(),
        observing(),
        link_local_neighbours(),
        odd_headers(),
        truncation::script(),
    ]
}

fn quiet() -> Script {
    let mut arp = vec![0xff; 12];
    arp.extend([0x08, 0x06]);
    arp.extend([0; 28]);
    let setting = Setting { local: Vec::new(), ..Setting::default() };
    script(
        "a host without bans and addresses passes everything",
        setting,
        vec![
            Step::new("ARP", arp, NOT_IP),
            Step::new("SYN", syn4("203.0.113.1", 1), PASS),
            Step::new("SYN, IPv6", syn6("2001:db8:bad::1", 1), PASS),
            Step::new("UDP", Packet::udp("203.0.113.1", HERE4, 53).build(), PASS),
            Step::new("three tags", Packet::tcp("203.0.113.1", HERE4, 1, SYN).vlans(&[QINQ, VLAN, VLAN]).build(), NOT_IP),
        ],
    )
}

fn exact_bans() -> Script {
    let setting = Setting {
        bans: vec![("203.0.113.7", SCOPE_ALL, End::Later), ("2001:db8:bad:7::/64", SCOPE_ALL, End::Never)],
        ..Setting::default()
    };
    let v4 = |counts: &[Counter], packet: Packet| Step::new("banned IPv4", packet.build(), counts);
    let v6 = |counts: &[Counter], packet: Packet| Step::new("banned IPv6", packet.build(), counts);
    let (by4, by6) = (&[Counter::DroppedV4][..], &[Counter::DroppedV6][..]);
    let mut script = script(
        "an exact ban drops whatever the source sends, and nobody else's",
        setting,
        vec![
            v4(by4, Packet::tcp("203.0.113.7", HERE4, SERVED, SYN)),
            v4(by4, Packet::tcp("203.0.113.7", HERE4, SERVED, ACK | PSH)),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53)),
            v4(by4, Packet::udp("203.0.113.7", "198.51.100.1", 53)),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53).vlans(&[VLAN])),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53).vlans(&[QINQ, VLAN])),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53).options(10)),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53).fragment(0, true)),
            v4(by4, Packet::udp("203.0.113.7", HERE4, 53).fragment(185, false)),
            v4(by4, Packet::new("203.0.113.7", HERE4, Layer4::Raw(47, vec![0; 8]))),
            v6(by6, Packet::tcp("2001:db8:bad:7::1", HERE6, SERVED, SYN)),
            v6(by6, Packet::udp("2001:db8:bad:7:ffff::1", HERE6, 53).extension(0).extension(60)),
            v6(by6, Packet::udp("2001:db8:bad:7::2", HERE6, 53).vlans(&[VLAN, VLAN])),
            Step::new("next address", Packet::udp("203.0.113.8", HERE4, 53).build(), PASS),
            Step::new("next prefix", Packet::udp("2001:db8:bad:8::1", HERE6, 53).build(), PASS),
            Step::new("towards the banned", Packet::udp("203.0.113.8", "203.0.113.7", 53).build(), PASS),
        ],
    );
    script.hits = vec![("203.0.113.7", 10), ("2001:db8:bad:7::/64", 3)];
    script
}

fn ends() -> Script {
    let setting = Setting {
        bans: vec![
            ("203.0.113.7", SCOPE_ALL, End::Past),
            ("2001:db8:bad:7::/64", SCOPE_ALL, End::Past),
            ("198.51.100.0/24", SCOPE_ALL, End::Past),
            ("203.0.113.0/24", SCOPE_DARK, End::Past),
            ("203.0.113.9", SCOPE_DARK, End::Past),
        ],
        ..Setting::default()
    };
    let mut script = script(
        "an entry whose end has come drops nothing, whoever is there to remove it",
        setting,
        vec![
            Step::new("IPv4", Packet::udp("203.0.113.7", HERE4, 53).build(), PASS),
            Step::new("IPv6", Packet::udp("2001:db8:bad:7::1", HERE6, 53).build(), PASS),
            Step::new("prefix", Packet::udp("198.51.100.4", HERE4, 53).build(), PASS),
            knock("silence", syn4("203.0.113.9", 23), 23),
        ],
    );
    script.hits = vec![("203.0.113.7", 0), ("198.51.100.0/24", 0)];
    script
}

fn prefixes() -> Script {
    let setting = Setting {
        bans: vec![
            ("198.51.100.0/24", SCOPE_ALL, End::Later),
            ("2001:db8:bad::/48", SCOPE_ALL, End::Later),
            ("2001:db8:cafe::1", SCOPE_ALL, End::Later),
        ],
        ..Setting::default()
    };
    let by_net = &[Counter::DroppedNet][..];
    let mut script = script(
        "a prefix is banned from its first to its last address",
        setting,
        vec![
            Step::new("first", Packet::udp("198.51.100.0", HERE4, 53).build(), by_net),
            Step::new("last", Packet::udp("198.51.100.255", HERE4, 53).build(), by_net),
            Step::new("before", Packet::udp("198.51.99.255", HERE4, 53).build(), PASS),
            Step::new("behind", Packet::udp("198.51.101.0", HERE4, 53).build(), PASS),
            Step::new("first, IPv6", Packet::udp("2001:db8:bad::", HERE6, 53).build(), by_net),
            Step::new("last, IPv6", Packet::udp("2001:db8:bad:ffff:ffff::", HERE6, 53).build(), by_net),
            Step::new("behind, IPv6", Packet::udp("2001:db8:bae::", HERE6, 53).build(), PASS),
            Step::new("one address", Packet::udp("2001:db8:cafe::1", HERE6, 53).build(), by_net),
            Step::new("its neighbour", Packet::udp("2001:db8:cafe::2", HERE6, 53).build(), PASS),
        ],
    );
    script.hits = vec![("198.51.100.0/24", 2), ("2001:db8:bad::/48", 2), ("2001:db8:cafe::1", 1)];
    script
}

fn nested_prefixes() -> Script {
    let setting = Setting {
        bans: vec![
            ("198.51.0.0/16", SCOPE_ALL, End::Later),
            ("198.51.100.0/24", SCOPE_ALL, End::Past),
            ("198.51.100.64/26", SCOPE_DARK, End::Later),
            ("2001:db8::/32", SCOPE_ALL, End::Never),
            ("2001:db8:1::/48", SCOPE_DARK, End::Later),
            ("2001:db8:1::7", SCOPE_ALL, End::Past),
        ],
        ..Setting::default()
    };
    let mut script = script(
        "a narrower prefix that has ended or is narrower in scope does not shield from the wider ban",
        setting,
        vec![
            Step::new("inside all three", Packet::udp("198.51.100.65", HERE4, 53).build(), &[Counter::DroppedNet]),
            Step::new("IPv6", Packet::udp("2001:db8:1::7", HERE6, 53).build(), &[Counter::DroppedNet]),
        ],
    );
    script.hits = vec![("198.51.0.0/16", 1), ("198.51.100.64/26", 0), ("2001:db8::/32", 1)];
    script
}

fn allowed() -> Script {
    let setting = Setting {
        bans: vec![
            ("203.0.113.7", SCOPE_ALL, End::Later),
            ("198.51.100.0/24", SCOPE_ALL, End::Later),
            ("203.0.113.8", SCOPE_DARK, End::Later),
            ("2001:db8:bad:7::/64", SCOPE_ALL, End::Later),
        ],
        allow: vec!["203.0.113.0/28", "198.51.100.9", "2001:db8:bad:7::9", "2001:db8:feed::/48"],
        ..Setting::default()
    };
    let allow = &[Counter::Passed, Counter::Allowed][..];
    let mut script = script(
        "the allowlist wins over every ban, and allowed sources are no scanners",
        setting,
        vec![
            Step::new("exact", syn4("203.0.113.7", SERVED), allow),
            Step::new("one of a prefix", Packet::udp("198.51.100.9", HERE4, 53).build(), allow),
            Step::new("another of it", Packet::udp("198.51.100.8", HERE4, 53).build(), &[Counter::DroppedNet]),
            Step::new("silence", syn4("203.0.113.8", 23), allow),
            Step::new("one of a /64", syn6("2001:db8:bad:7::9", SERVED), allow),
            Step::new("another of it", syn6("2001:db8:bad:7::8", SERVED), &[Counter::DroppedV6]),
            Step::new("probe 1", syn4("203.0.113.9", 21), allow),
            Step::new("probe 2", syn4("203.0.113.9", 22), allow),
            Step::new("probe 3", syn4("203.0.113.9", 23), allow),
            Step::new("probe 4", syn4("203.0.113.9", 24), allow),
            Step::new("probe 1", syn6("2001:db8:feed::1", 21), allow),
            Step::new("probe 2", syn6("2001:db8:feed::1", 22), allow),
            Step::new("probe 3", syn6("2001:db8:feed::1", 23), allow),
        ],
    );
    script.hits = vec![("203.0.113.7", 0), ("198.51.100.0/24", 1), ("203.0.113.8", 0), ("2001:db8:bad:7::/64", 1)];
    script
}

fn neighbour_discovery() -> Script {
    let setting = Setting { bans: vec![("2001:db8:bad:7::/64", SCOPE_ALL, End::Later)], ..Setting::default() };
    let icmp = |kind, hops| Packet::new("2001:db8:bad:7::1", HERE6, Layer4::Icmp6 { kind }).hops(hops);
    let (passed, dropped) = (&[Counter::Passed, Counter::Neighbour][..], &[Counter::DroppedV6][..]);
    let mut steps: Vec<Step> =
        (133..=137).map(|kind| Step::new("neighbour discovery", icmp(kind, 255).build(), passed)).collect();
    steps.extend([
        Step::new("routed, so forged", icmp(135, 254).build(), dropped),
        Step::new("echo request", icmp(128, 255).build(), dropped),
        Step::new("below the range", icmp(132, 255).build(), dropped),
        Step::new("above the range", icmp(138, 255).build(), dropped),
        Step::new("with an extension header", icmp(135, 255).extension(0).build(), dropped),
        Step::new("UDP", Packet::udp("2001:db8:bad:7::1", HERE6, 53).hops(255).build(), dropped),
    ]);
    script("a banned neighbour still resolves addresses", setting, steps)
}

fn probes() -> Script {
    let from = |source: &str, flags| Packet::tcp(source, HERE4, 23, flags).build();
    script(
        "a probe is TCP without ACK and RST, to an own address, on a port without a socket",
        Setting::default(),
        vec![
            knock("SYN", from("203.0.113.1", SYN), 23),
            knock("FIN", from("203.0.113.2", FIN), 23),
            knock("NULL", from("203.0.113.3", 0), 23),
            knock("Xmas", from("203.0.113.4", FIN | PSH | URG), 23),
            Step::new("ACK", from("203.0.113.5", ACK), PASS),
            Step::new("SYN-ACK", from("203.0.113.5", SYN | ACK), PASS),
            Step::new("RST", from("203.0.113.5", RST), PASS),
            Step::new("UDP", Packet::udp("203.0.113.5", HERE4, 23).build(), PASS),
            Step::new("not for us", Packet::tcp("203.0.113.5", "192.0.2.2", 23, SYN).build(), PASS),
            Step::new("broadcast", Packet::tcp("203.0.113.5", "255.255.255.255", 23, SYN).build(), PASS),
            Step::new("served", syn4("203.0.113.5", SERVED), PASS),
            Step::new("served, IPv6", syn6("2001:db8:bad:5::1", SERVED), PASS),
            Step::new("not for us, IPv6", Packet::tcp("2001:db8:bad:5::1", "2001:db8::2", 23, SYN).build(), PASS),
            knock("IPv6", syn6("2001:db8:bad:1::1", 23), 23),
            knock("port 0", syn4("203.0.113.6", 0), 0),
            Step::new("the same port again", syn4("203.0.113.6", 0), KNOCK),
            Step::new("and again", syn4("203.0.113.6", 0), KNOCK),
            Step::new("and again", syn4("203.0.113.6", 0), KNOCK),
            knock("first fragment", Packet::tcp("203.0.113.10", HERE4, 23, SYN).fragment(0, true).build(), 23),
            Step::new("later fragment", Packet::tcp("203.0.113.11", HERE4, 23, SYN).fragment(1, false).build(), PASS),
            knock("options", Packet::tcp("203.0.113.12", HERE4, 23, SYN).options(10).build(), 23),
            knock("tagged", Packet::tcp("203.0.113.13", HERE4, 23, SYN).vlans(&[QINQ, VLAN]).build(), 23),
        ],
    )
}

fn threshold_v4() -> Script {
    script(
        "the packet that crosses the threshold is dropped, and dark ports stay silent from then on",
        Setting::default(),
        vec![
            knock("first port", syn4("203.0.113.1", 21), 21),
            Step::new("the same again", syn4("203.0.113.1", 21), KNOCK),
            knock("second port", syn4("203.0.113.1", 65_535), 65_535),
            Step::new("third port", syn4("203.0.113.1", 23), AT_THRESHOLD).telling(Tell::Scan(vec![21, 23, 65_535], true)),
            Step::new("fourth port", syn4("203.0.113.1", 24), &[Counter::DroppedDark]),
            Step::new("first port", syn4("203.0.113.1", 21), &[Counter::DroppedDark]),
            Step::new("served port", syn4("203.0.113.1", SERVED), PASS),
            Step::new("ACK", Packet::tcp("203.0.113.1", HERE4, 24, ACK).build(), PASS),
            Step::new("UDP", Packet::udp("203.0.113.1", HERE4, 24).build(), PASS),
            knock("another source", syn4("203.0.113.2", 24), 24),
        ],
    )
}

fn threshold_v6() -> Script {
    script(
        "an IPv6 scan counts by customer prefix, over all its addresses",
        Setting::default(),
        vec![
            knock("first address", syn6("2001:db8:bad:1::1", 21), 21),
            knock("second address", syn6("2001:db8:bad:1:a::2", 22), 22),
            knock("another prefix", syn6("2001:db8:bad:2::1", 23), 23),
            Step::new("third address", syn6("2001:db8:bad:1:b::3", 23), AT_THRESHOLD).telling(Tell::Scan(vec![21, 22, 23], true)),
            Step::new("fourth address", syn6("2001:db8:bad:1:c::4", 24), &[Counter::DroppedDark]),
            Step::new("served port", syn6("2001:db8:bad:1::1", SERVED), PASS),
        ],
    )
}

fn threshold_of_one() -> Script {
    let mut setting = Setting::default();
    setting.scan.ports = 1;
    script(
        "with a threshold of one no probe is answered",
        setting,
        vec![
            Step::new("SYN", syn4("203.0.113.1", 21), AT_THRESHOLD).telling(Tell::Scan(vec![21], true)),
            Step::new("again", syn4("203.0.113.1", 21), &[Counter::DroppedDark]),
        ],
    )
}

fn silenced_by_user_space() -> Script {
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
            Step::new("UDP", Packet::udp("203.0.113.7", HERE4, 53).build(), PASS),
            Step::new("ACK", Packet::tcp("203.0.113.7", HERE4, 23, ACK).build(), PASS),
            Step::new("probe, IPv6", syn6("2001:db8:bad:7::1", 23), &[Counter::DroppedDark]),
            Step::new("served, IPv6", syn6("2001:db8:bad:7::1", SERVED), PASS),
        ],
    );
    script.hits = vec![("203.0.113.7", 1), ("2001:db8:bad:7::/64", 1)];
    script
}

fn silenced_prefix() -> Script {
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

fn served_ports_stay_open() -> Script {
    let mut steps: Vec<Step> = (0..6).map(|_| Step::new("forged SYN", syn4("203.0.113.1", SERVED), PASS)).collect();
    steps.push(knock("dark", syn4("203.0.113.1", 23), 23));
    script("a served port is never a probe, however often it is asked", Setting::default(), steps)
}

fn budget() -> Script {
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

fn spoofable_all() -> Script {
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

fn spoofable_off() -> Script {
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
            Step::new("third port", syn4("203.0.113.1", 23), KNOCK),
        ],
    )
}

fn observing() -> Script {
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
            Step::new("banned and probing", syn4("203.0.113.7", 23), &[Counter::Passed, Counter::WouldDrop, Counter::Knocks])
                .telling(Tell::Knock(23)),
        ],
    );
    script.hits = vec![("203.0.113.7", 2), ("203.0.113.8", 1)];
    script
}

fn link_local_neighbours() -> Script {
    let setting = Setting { bans: vec![("fe80::bad", SCOPE_DARK, End::Later)], ..Setting::default() };
    script(
        "link-local neighbours are counted and silenced one by one, although they share one /64",
        setting,
        vec![
            knock("first", syn6("fe80::1", 21), 21),
            knock("second", syn6("fe80::2", 22), 22),
            knock("third", syn6("fe80::3", 23), 23),
            Step::new("the silenced one", syn6("fe80::bad", 21), &[Counter::DroppedDark]),
        ],
    )
}

fn odd_headers() -> Script {
    let v4 = |name: &str, at: usize, octet: u8, counts: &[Counter]| {
        let mut frame = syn4("203.0.113.1", SERVED);
        frame[at] = octet;
        Step::new(name, frame, counts)
    };
    let v6 = |packet: Packet| packet.build();
    let many = |count: usize| {
        (0..count).fold(Packet::tcp("2001:db8:bad:9::1", HERE6, 23, SYN), |packet, _| packet.extension(60)).build()
    };
    let tcp6 = |source: &str| Packet::tcp(source, HERE6, 23, SYN);
    script(
        "headers that contradict themselves pass and are counted; long ones are followed",
        Setting::default(),
        vec![
            v4("IPv4 that says 5", 14, 0x55, MALFORMED),
            v4("IPv4 header of 16 octets", 14, 0x44, MALFORMED),
            v4("IPv4 shorter than its header", 17, 19, MALFORMED),
            v4("TCP beyond the packet's end", 17, 39, MALFORMED),
            v4("TCP header of 16 octets", 46, 0x40, MALFORMED),
            Step::new(
                "IPv6 that says 4",
                {
                    let mut frame = syn6("2001:db8:bad::1", 23);
                    frame[14] = 0x40;
                    frame
                },
                MALFORMED,
            ),
            Step::new(
                "TCP beyond the end, IPv6",
                {
                    let mut frame = syn6("2001:db8:bad::1", 23);
                    frame[19] = 19;
                    frame
                },
                MALFORMED,
            ),
            knock(
                "a jumbogram's length of zero",
                {
                    let mut frame = syn6("2001:db8:bad:1::1", 23);
                    frame[19] = 0;
                    frame
                },
                23,
            ),
            knock("eight extension headers", many(8), 23),
            Step::new("nine", many(9), &[Counter::Passed, Counter::Extensions]),
            knock("hop-by-hop of 24 octets", v6(tcp6("2001:db8:bad:2::1").extension_of(0, &[&[2][..], &[0; 22]].concat())), 23),
            knock("routing", v6(tcp6("2001:db8:bad:3::1").extension(43)), 23),
            knock("authentication", v6(tcp6("2001:db8:bad:4::1").extension_of(51, &[&[4][..], &[0; 22]].concat())), 23),
            knock("first fragment", v6(tcp6("2001:db8:bad:5::1").extension_of(44, &[0, 0, 1, 0, 0, 0, 7])), 23),
            Step::new("later fragment", v6(tcp6("2001:db8:bad:6::1").extension_of(44, &[0, 0, 8, 0, 0, 0, 7])), PASS),
            Step::new("encrypted", v6(Packet::new("2001:db8:bad:6::1", HERE6, Layer4::Raw(50, vec![0; 24]))), PASS),
            Step::new("no next header", v6(Packet::new("2001:db8:bad:6::1", HERE6, Layer4::Raw(59, vec![]))), PASS),
            Step::new(
                "extension beyond the frame",
                v6(tcp6("2001:db8:bad:6::1").extension_of(60, &[255, 0, 0, 0, 0, 0, 0])),
                MALFORMED,
            ),
        ],
    )
}

/// A step of a packet that was cut short: for [`truncation`].
pub(super) fn cut(name: String, frame: Vec<u8>, counts: &[Counter], tell: Tell) -> Step {
    Step { name, frame, counts: counts.to_vec(), tell }
}
