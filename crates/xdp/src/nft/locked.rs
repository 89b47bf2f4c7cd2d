//! Lockdown: who else gets in while only allowed sources and established connections do. The table of
//! `docs/kernel/lockdown.md`, asked of sockets alone: nothing is remembered, and nothing follows connections.

use super::{
    ask::{ACK, RST, TCP, UDP, any_socket, flags, later_fragment},
    expression::{Compare, Expression, Meta, Register, SocketKey, Verdict, goto, is},
    ingress::{self, Rule},
    layout::Layout,
    tier::{Class, Family},
    uapi::{FAMILY_IP4, FAMILY_IP6},
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// The set that says whether a lockdown holds, in both tables. Its entries end by the kernel's own clock.
pub(super) const LOCKED: &str = "locked";
/// What is in it: every kind of packet that the rules look into, VLAN tags included.
pub(super) const PROTOCOLS: [[u8; 2]; 4] = [[8, 0], [0x86, 0xdd], [0x81, 0], [0x88, 0xa8]];
/// Where packets go while it holds.
pub(super) const ENTRANCE: &str = "lockdown";
const OUT: &str = "locked_out";

const ICMP: u8 = 1;
const ICMP6: u8 = 58;
/// Destination unreachable (packet too big among its codes), time exceeded, parameter problem.
const ERRORS4: [u8; 3] = [3, 11, 12];
const ERRORS6: (u8, u8) = (1, 4);
/// Multicast listener query: from a neighbour's link-local address, with a hop limit of 1.
const LISTENER_QUERY: u8 = 130;
/// Source and destination port of DHCP servers' answers.
const LEASE4: [u8; 4] = [0, 67, 0, 68];
const LEASE6: [u8; 4] = [0x02, 0x23, 0x02, 0x22];

/// How far its end may be off before that counts as somebody's work.
pub(super) const SLACK_MS: u64 = 2_000;

/// A lockdown, as it is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Lock {
    /// There is none.
    Off,
    /// It ends after so many milliseconds.
    For(u64),
    /// It holds until somebody ends it.
    Confirmed,
}

/// A lockdown that was ordered, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Locked {
    pub(super) lock: Lock,
    pub(super) since: Instant,
}

impl Locked {
    pub(super) fn now(lock: Lock) -> Self {
        Self { lock, since: Instant::now() }
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Lock {
        let Lock::For(millis) = self.lock else { return self.lock };
        let end = Duration::from_millis(millis);
        match end.checked_sub(self.since.elapsed()).map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)) {
            None | Some(0) => Lock::Off,
            Some(left) => Lock::For(left),
        }
    }
}

/// The rules while there is a lockdown.
pub(super) fn rules(layout: &Layout) -> Vec<Rule> {
    let family = |code: u8, to| (ENTRANCE, vec![Expression::Meta(Meta::Family), is(&[code]), goto(to)]);
    let mut rules = vec![family(FAMILY_IP4, "lockdown4"), family(FAMILY_IP6, "lockdown6")];
    rules.extend(friends(layout, Family::V4, "lockdown4"));
    rules.push(("lockdown4", [later_fragment(), vec![goto(OUT)]].concat()));
    rules.extend(lifelines4());
    rules.extend(friends(layout, Family::V6, "lockdown6"));
    rules.extend(lifelines6());
    for chain in ["lockdown4", "lockdown6"] {
        rules.push((chain, [transport(TCP), vec![goto("locked_tcp")]].concat()));
        rules.push((chain, [transport(UDP), any_socket(goto("locked_udp"))].concat()));
        rules.push((chain, vec![goto(OUT)]));
    }
    rules.extend(tcp());
    rules.extend(udp());
    rules.push((OUT, vec![Expression::Count("dropped_lockdown"), Expression::Verdict(Verdict::Drop)]));
    rules
}

fn friends(layout: &Layout, family: Family, chain: &'static str) -> Vec<Rule> {
    layout.longest_first(Class::Allow, family).map(|tier| (chain, ingress::lookup(tier, 0, Verdict::Accept))).collect()
}

fn lifelines4() -> Vec<Rule> {
    let error = |kind: u8| [transport(ICMP), vec![segment(1), is(&[kind]), accept()]].concat();
    let lease = [transport(UDP), vec![segment(4), is(&LEASE4), accept()]].concat();
    let errors = ERRORS4.map(|kind| ("lockdown4", error(kind)));
    errors.into_iter().chain([("lockdown4", lease)]).collect()
}

fn lifelines6() -> Vec<Rule> {
    let (first, last) = ERRORS6;
    let within = Expression::Range { is_within: true, first: vec![first], last: vec![last] };
    let errors = [transport(ICMP6), vec![segment(1), within, accept()]].concat();
    let query = [link_local(), transport(ICMP6), vec![segment(1), is(&[LISTENER_QUERY]), hops(), is(&[1]), accept()]].concat();
    let lease = [link_local(), transport(UDP), vec![segment(4), is(&LEASE6), accept()]].concat();
    let all = [ingress::neighbour_discovery(0, None), errors, query, lease];
    all.map(|steps| ("lockdown6", steps)).into()
}

/// A segment without ACK and RST could only open a connection. Of the others pass those that a socket takes which is no
/// listener on every address; a listener on one address answers them with a reset.
fn tcp() -> Vec<Rule> {
    vec![
        ("locked_tcp", [flags(ACK | RST), vec![Expression::Compare(Compare::Differs, vec![0]), goto("locked_segment")]].concat()),
        ("locked_tcp", vec![goto(OUT)]),
        ("locked_segment", vec![Expression::Socket(SocketKey::Wildcard), is(&[1]), goto(OUT)]),
        ("locked_segment", any_socket(accept())),
        ("locked_segment", vec![goto(OUT)]),
    ]
}

/// A socket that also takes the same datagram from another port is connected to nobody. To ask that, the port is changed and
/// changed back. One that is connected is bound to one address: so one that is bound to every address is connected to nobody, and where it
/// takes only the changed datagram, it is another one than takes this.
fn udp() -> Vec<Rule> {
    vec![
        ("locked_udp", vec![Expression::Socket(SocketKey::Wildcard), is(&[1]), goto(OUT)]),
        ("locked_udp", vec![Expression::FlipSourcePort]),
        ("locked_udp", vec![Expression::Socket(SocketKey::Wildcard), is(&[0]), goto(OUT)]),
        ("locked_udp", vec![Expression::FlipSourcePort]),
        ("locked_udp", vec![accept()]),
    ]
}

fn transport(protocol: u8) -> Vec<Expression> {
    vec![Expression::Meta(Meta::Transport), is(&[protocol])]
}

const fn segment(len: u32) -> Expression {
    Expression::Segment { offset: 0, len, to: Register::FIRST }
}

const fn hops() -> Expression {
    Expression::Header { offset: 7, len: 1 }
}

/// From fe80::/10: no router forwards it.
fn link_local() -> Vec<Expression> {
    vec![Expression::Header { offset: 8, len: 2 }, Expression::Mask(vec![0xff, 0xc0]), is(&[0xfe, 0x80])]
}

const fn accept() -> Expression {
    Expression::Verdict(Verdict::Accept)
}
