//! The table: settings, the packets that meet them, and what must come of each.

mod bans;
mod dark;
mod datagrams;
mod lockdown;
mod probes;
mod silence;

pub use dark::{Offer, hushed, hushed_setting, offers, offers_setting};

use super::{
    packet::{ACK, FIN, Layer4, PSH, Packet, RST, SYN, URG},
    truncation,
};
use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use honeymesh_xdp_abi::{Counter, Gates, SCOPE_ALL, SCOPE_DARK, SPOOFABLE_ALL, SPOOFABLE_DARK, SPOOFABLE_OFF, ScanSettings};

/// The IPv4 address of the host under test.
pub const HERE4: &str = "192.0.2.1";
/// The IPv6 address of the host under test.
pub const HERE6: &str = "2001:db8::1";
/// A port that a socket listens on.
pub const SERVED: u16 = 4_480;
const VLAN: u16 = 0x8100;
const QINQ: u16 = 0x88a8;

/// How many buckets remember sources.
pub const BUCKETS: u64 = 256;

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
    /// Ports that a TCP socket listens on and a UDP socket is bound to, on every address.
    pub served: Vec<u16>,
    /// What a scan is.
    pub scan: ScanSettings,
    /// How many entries may be placed.
    pub budget: u32,
    /// Or only observing.
    pub enforcing: bool,
    /// A lockdown, and its end.
    pub lockdown: Option<End>,
    /// Sockets that are connected to somebody.
    pub connections: Vec<super::Connection>,
    /// What dark ports do: [`Gates::SILENT`], [`Gates::TRAPS`], or they refuse.
    pub dark: Gates,
    /// Does the host forward packets for others?
    pub forwards: bool,
    /// Further ports that UDP sockets are bound to, on every address.
    pub bound: Vec<u16>,
    /// Ports that behave as closed, whatever dark ports do.
    pub except: Vec<u16>,
    /// Do datagrams to dark ports count?
    pub udp: bool,
    /// Does a keyed half of the dark ports go on answering suspects?
    pub oracle: bool,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            bans: Vec::new(),
            allow: Vec::new(),
            local: vec![HERE4, HERE6],
            served: vec![SERVED],
            scan: ScanSettings {
                ports: 3,
                spoofable: SPOOFABLE_DARK,
                window_ns: 60_000_000_000,
                ttl_ns: 600_000_000_000,
                bucket_mask: BUCKETS - 1,
            },
            budget: 64,
            enforcing: true,
            lockdown: None,
            connections: Vec::new(),
            dark: Gates::default(),
            forwards: false,
            bound: Vec::new(),
            except: Vec::new(),
            udp: true,
            oracle: false,
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
    /// A suspect's probe of this port, and one of the `FATE_…`.
    Suspect(u16, u8),
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

/// The whole table.
#[must_use]
pub fn scripts() -> Vec<Script> {
    vec![
        bans::quiet(),
        bans::exact_bans(),
        bans::every_packet(),
        bans::ends(),
        bans::prefixes(),
        bans::nested_prefixes(),
        bans::deeply_nested_prefixes(),
        bans::allowed(),
        bans::neighbour_discovery(),
        probes::probes(),
        probes::threshold_v4(),
        probes::threshold_v6(),
        probes::threshold_of_one(),
        silence::silenced_by_user_space(),
        silence::silenced_prefix(),
        probes::served_ports_stay_open(),
        silence::budget(),
        silence::spoofable_all(),
        silence::spoofable_off(),
        silence::observing(),
        probes::link_local_neighbours(),
        probes::odd_headers(),
        dark::silent(),
        dark::silent_observing(),
        dark::traps(),
        datagrams::probes(),
        datagrams::threshold(),
        datagrams::switched_off(),
        truncation::script(),
        lockdown::strangers(),
        lockdown::connections(),
        lockdown::shared_ports(),
        lockdown::lifelines(),
        lockdown::friends(),
        lockdown::over(),
        lockdown::confirmed(),
        lockdown::from_observing(),
        lockdown::back_to_observing(),
    ]
}

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

/// A step of a packet that was cut short: for [`truncation`].
pub(super) fn cut(name: String, frame: Vec<u8>, counts: &[Counter], tell: Tell) -> Step {
    Step { name, frame, counts: counts.to_vec(), tell }
}
