//! The self-probe: proof, again and again, that a banned source is dropped and another one is not.
//!
//! Two sources that no machine may have are reserved for it: one that is always banned and one that never is. Frames of
//! both are run through the very program that sits on the interfaces, with the tables that are in force, without a wire;
//! where nf_tables drops, through the very rules, over the loopback interface (`nft/probe.rs`).

use crate::{Counters, Drift, compare::Plan, spot::Spot};
use honeymesh_types::{Enforcement, Grade, Reasons, Scope, Subject};
use honeymesh_xdp_abi::{HONEST4 as HONEST4_OCTETS, HONEST6 as HONEST6_OCTETS};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

/// How often it is tried.
pub const PROBE_EVERY: Duration = Duration::from_secs(10);
/// Entries that the probe's ban takes of each address family's table.
pub const PROBE_BANS: u32 = 1;

/// The banned source: the IPv4 dummy address (RFC 7600), and one in the prefix that routers discard (RFC 6666).
const BANNED4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
const BANNED6: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 8);
/// The other one: in the block of protocol assignments (RFC 6890), and in the dummy prefix (RFC 9780).
const HONEST4: Ipv4Addr = Ipv4Addr::from_octets(HONEST4_OCTETS);
const HONEST6: Ipv6Addr = Ipv6Addr::from_octets(HONEST6_OCTETS);
/// Where the frames claim to go: nobody's address, so that they are never probes of dark ports.
const TO4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 9);
const TO6: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 1, 0, 0, 0, 9);
/// The discard service's port, at both ends.
const PORT: u16 = 9;

/// What a probe says while a never-ban set was too large to be taken, ...
pub(crate) const ALLOW_TOO_LARGE: &str = "the never-ban set that was ordered last is too large for the kernel, which keeps the one before: allow fewer or wider prefixes";
/// ... and while there are too many addresses.
pub(crate) const LOCAL_TOO_LARGE: &str = "this machine has more addresses than the kernel can be told, which keeps those before: dark ports of the others are not watched";

/// What became of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fared {
    /// It was dropped.
    Dropped,
    /// It was passed.
    Passed,
    /// It could not be run, or came to something else.
    Failed,
}

/// What became of the four frames of one probe; IPv4 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probed {
    /// From the banned source.
    pub banned: [Fared; 2],
    /// From the other one.
    pub honest: [Fared; 2],
}

impl Probed {
    /// Runs the four frames; `run` says whether the program dropped one.
    pub(crate) fn run(run: impl Fn(&[u8]) -> Fared) -> Self {
        let [banned4, banned6, honest4, honest6] = Frame::ALL.map(|frame| run(&frame.octets()));
        Self { banned: [banned4, banned6], honest: [honest4, honest6] }
    }

    /// Is it as it should be? `dropping`: bans are enforced, and nobody has allowed the probe's sources.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn judge(&self, dropping: bool) -> Result<(), String> {
        self.judge_each([dropping; 2])
    }

    /// The same for each family; IPv4 first.
    pub(crate) fn judge_each(&self, dropping: [bool; 2]) -> Result<(), String> {
        let banned = |fared, family, dropping| match fared {
            Fared::Passed if dropping => Some(format!("a banned {family} source was let through")),
            Fared::Dropped if !dropping => Some(format!("a banned {family} source was dropped while nothing is enforced")),
            Fared::Failed => Some(format!("nothing could be proved with a banned {family} source")),
            _ => None,
        };
        let honest = |fared, family| match fared {
            Fared::Dropped => Some(format!("an {family} source that is not banned was dropped")),
            Fared::Failed => Some(format!("nothing could be proved with an {family} source")),
            Fared::Passed => None,
        };
        let ([banned4, banned6], [honest4, honest6]) = (self.banned, self.honest);
        let all = [
            banned(banned4, "IPv4", dropping[0]),
            honest(honest4, "IPv4"),
            banned(banned6, "IPv6", dropping[1]),
            honest(honest6, "IPv6"),
        ];
        let wrong: Vec<String> = all.into_iter().flatten().collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

/// One of the four frames of a probe: whom it claims to be from, and where it claims to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    V4 { from: Ipv4Addr, to: Ipv4Addr },
    V6 { from: Ipv6Addr, to: Ipv6Addr },
}

impl Frame {
    /// Of the banned source, then of the other one; IPv4 first.
    pub(crate) const ALL: [Self; 4] = [
        Self::V4 { from: BANNED4, to: TO4 },
        Self::V6 { from: BANNED6, to: TO6 },
        Self::V4 { from: HONEST4, to: TO4 },
        Self::V6 { from: HONEST6, to: TO6 },
    ];

    /// The whole of it, as Ethernet has it.
    pub(crate) fn octets(self) -> Vec<u8> {
        match self {
            Self::V4 { from, to } => frame4(from, to),
            Self::V6 { from, to } => frame6(from, to),
        }
    }
}

/// The subjects that are banned for the probe.
pub(crate) fn banned() -> [Subject; 2] {
    let net6 = Ipv6Net::new(BANNED6, 64).unwrap_or_default();
    [Subject::new(IpNet::V4(Ipv4Net::from(BANNED4))), Subject::new(IpNet::V6(net6))]
}

/// The sources that are allowed for the probe, whatever prefix is banned around them. The program heeds that for no frame of a
/// real interface.
pub(crate) fn honest() -> [IpNet; 2] {
    [IpNet::V4(Ipv4Net::from(HONEST4)), IpNet::V6(Ipv6Net::from(HONEST6))]
}

/// Does an allowed prefix cover the banned source of each family? IPv4 first.
pub(crate) fn is_allowed(nets: &[IpNet]) -> [bool; 2] {
    [IpAddr::V4(BANNED4), IpAddr::V6(BANNED6)].map(|source| nets.iter().any(|net| net.contains(&source)))
}

/// The probe's ban of one subject.
pub(crate) fn ban(subject: Subject) -> Enforcement {
    Enforcement { subject, reasons: Reasons::MANUAL, grade: Grade::Operator, scope: Scope::All, until: None }
}

/// Leaves the probe's own entries out of what a comparison with the ledger found.
pub(crate) fn leave_out(plan: &mut Plan) {
    let (own, spots) = (banned(), banned().map(|subject| Spot::home(&subject)));
    plan.remove.retain(|spot| !spots.contains(spot));
    plan.raise.retain(|what| !own.contains(&what.subject));
    let Drift { missing, extra, different, .. } = &mut plan.drift;
    for subjects in [missing, extra, different] {
        subjects.retain(|subject| !own.contains(subject));
    }
}

/// What probes have added to the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) dropped4: u64,
    pub(crate) dropped6: u64,
    pub(crate) passed: u64,
    pub(crate) would_drop: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, probed: &Probed) {
        let dropped = |fared: Fared| u64::from(fared == Fared::Dropped);
        let passed = |fared: Fared| u64::from(fared == Fared::Passed);
        self.dropped4 += dropped(probed.banned[0]);
        self.dropped6 += dropped(probed.banned[1]);
        self.would_drop += probed.banned.map(passed).iter().sum::<u64>();
        self.passed += probed.banned.iter().chain(&probed.honest).map(|fared| passed(*fared)).sum::<u64>();
    }

    /// What real packets made of the counters.
    pub(crate) const fn taken_from(self, counters: Counters) -> Counters {
        let dropped = self.dropped4 + self.dropped6;
        Counters {
            packets: counters.packets.saturating_sub(dropped + self.passed),
            passed: counters.passed.saturating_sub(self.passed),
            dropped: counters.dropped.saturating_sub(dropped),
            dropped_v4: counters.dropped_v4.saturating_sub(self.dropped4),
            dropped_v6: counters.dropped_v6.saturating_sub(self.dropped6),
            would_drop: counters.would_drop.saturating_sub(self.would_drop),
            ..counters
        }
    }
}

/// An Ethernet frame with an empty UDP datagram. Checksums are left out: whoever is judged by them has come further.
fn frame4(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    // Version and header length, service, total length, identification, fragment, hops, UDP, checksum.
    let head = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    [&ethernet(0x0800)[..], &head, &from.octets(), &to.octets(), &udp()].concat()
}

fn frame6(from: Ipv6Addr, to: Ipv6Addr) -> Vec<u8> {
    // Version and label, payload length, UDP, hops.
    let head = [0x60, 0, 0, 0, 0, 8, 17, 64];
    [&ethernet(0x86dd)[..], &head, &from.octets(), &to.octets(), &udp()].concat()
}

/// Between two stations of our own naming (locally administered addresses).
fn ethernet(kind: u16) -> [u8; 14] {
    let mut header = [0; 14];
    header[0] = 2;
    header[6] = 2;
    [header[12], header[13]] = kind.to_be_bytes();
    header
}

fn udp() -> [u8; 8] {
    let [a, b] = PORT.to_be_bytes();
    [a, b, a, b, 0, 8, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Probed = Probed { banned: [Fared::Dropped; 2], honest: [Fared::Passed; 2] };

    #[test]
    fn each_way_to_fail_is_named_and_observing_expects_nothing_dropped() {
        assert_eq!(GOOD.judge(true), Ok(()));
        let leak = Probed { banned: [Fared::Dropped, Fared::Passed], ..GOOD };
        assert_eq!(leak.judge(true).unwrap_err(), "a banned IPv6 source was let through");
        let innocent = Probed { honest: [Fared::Dropped, Fared::Passed], ..GOOD };
        assert_eq!(innocent.judge(true).unwrap_err(), "an IPv4 source that is not banned was dropped");
        assert!(Probed { honest: [Fared::Failed; 2], ..GOOD }.judge(true).is_err());
        let observing = Probed { banned: [Fared::Passed; 2], ..GOOD };
        assert_eq!(observing.judge(false), Ok(()));
        assert!(GOOD.judge(false).is_err());
        let one = Probed { banned: [Fared::Passed, Fared::Dropped], ..GOOD };
        assert!(one.judge_each([false, true]).is_ok() && one.judge_each([true; 2]).is_err(), "one family's is allowed");
    }

    #[test]
    fn probes_leave_no_trace_in_the_counters() {
        let mut tally = Tally::default();
        tally.add(&GOOD);
        let counted = Counters { packets: 14, passed: 10, dropped: 4, dropped_v4: 3, dropped_v6: 1, ..Counters::default() };
        let real = Counters { packets: 10, passed: 8, dropped: 2, dropped_v4: 2, dropped_v6: 0, ..Counters::default() };
        assert_eq!(tally.taken_from(counted), real);
    }

    #[test]
    fn its_sources_are_nobodys() {
        let allowed = |nets: &[&str]| is_allowed(&nets.iter().map(|net| net.parse().unwrap()).collect::<Vec<_>>());
        assert_eq!(allowed(&["192.0.2.0/24", "2001:db8::/32", "10.0.0.0/8"]), [false; 2]);
        assert_eq!((allowed(&["0.0.0.0/0"]), allowed(&["::/0"])), ([true, false], [false, true]));
        assert_eq!(banned().map(|subject| subject.to_string()), ["192.0.0.8/32", "100::/64"]);
        assert!(!banned().iter().any(|subject| honest().iter().any(|net| subject.net().contains(&net.addr()))));
    }
}
