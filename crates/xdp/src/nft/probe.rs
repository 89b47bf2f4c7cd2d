//! The self-probe of this back end: frames that pass through the very rules that judge everybody else's, on the loopback interface.
//!
//! ```text
//! packet socket ─ lo ─ probe_in: count ─ entrance, as from every interface ─ probe_out: count, and drop
//! ```
//!
//! A frame that came in and did not come out was dropped by the rules. What comes out goes no further, so no network stack sees
//! it. The frames carry a mark, so everybody else's packet on the loopback interface costs two comparisons.
//!
//! Its honest source passes whatever prefix is banned around it, but is on no allowlist: that would be a key for whoever forges
//! it. Only a frame with the mark that came by the loopback interface is excused for it, and no wire ends there.
#![expect(unsafe_code, reason = "packet sockets have no safe address type among this crate's dependencies")]

use super::{
    answers,
    ask::came_by,
    expression::{Compare, Expression, Meta, Verdict, goto, is},
    ingress::{self, ENTRANCE, ETHERTYPE_IP, ETHERTYPE_IP6, PRIORITY, Rule},
    layout::Layout,
    orders::Failure,
    tier::{Class, Family},
};
use crate::probe::{Fared, Frame, Probed, Tally};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, setsockopt, socket, sockopt};
use serde::{Deserialize, Serialize};
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

/// The kernel gives this name and this number to it in every network namespace.
pub(super) const LOOPBACK: &str = "lo";
const LOOPBACK_INDEX: i32 = 1;
/// On all frames of the probe: "HMPR". Whoever else of this host puts it on a packet to itself has its source looked
/// up, and nothing more.
const MARK: u32 = 0x484d_5052;

/// Counters of the frames in the order of [`Frame::ALL`]: before the rules, ...
pub(super) const CAME: [&str; 4] = ["probe_banned4_in", "probe_banned6_in", "probe_honest4_in", "probe_honest6_in"];
/// ... and behind them.
pub(super) const PASSED: [&str; 4] = ["probe_banned4_out", "probe_banned6_out", "probe_honest4_out", "probe_honest6_out"];

/// Counter of the frames of a banned source that an allowlist lets through.
pub(super) const ALLOWED: &str = "probe_allowed";

const IN: &str = "probe_in";
const OUT: &str = "probe_out";
const CAME_IN: &str = "probe_came";
const CAME_OUT: &str = "probe_passed";
/// Where frames of the probe are excused from bans, as [`excuse`] says.
const EXCUSED4: &str = "probe_excused4";
const EXCUSED6: &str = "probe_excused6";
/// The chains, base chains first.
pub(super) const CHAINS: [&str; 6] = [IN, OUT, CAME_IN, CAME_OUT, EXCUSED4, EXCUSED6];

/// Where a base chain of the probe hangs on the loopback interface: before everything of ours, and behind everything.
pub(super) fn priority(chain: &str) -> Option<i32> {
    match chain {
        IN => Some(PRIORITY - 1),
        OUT => Some(i32::MAX),
        _ => None,
    }
}

/// The rules of the probe's chains.
pub(super) fn rules(layout: &Layout) -> Vec<Rule> {
    let mut rules: Vec<Rule> =
        [(IN, CAME_IN), (OUT, CAME_OUT)].map(|(from, to)| (from, [mark(Compare::Equal), vec![goto(to)]].concat())).into();
    for (frame, (came, passed)) in Frame::ALL.into_iter().zip(CAME.into_iter().zip(PASSED)) {
        rules.push((CAME_IN, [is_of(frame), vec![Expression::Count(came), goto(ENTRANCE)]].concat()));
        rules.push((CAME_OUT, [is_of(frame), vec![Expression::Count(passed), Expression::Verdict(Verdict::Drop)]].concat()));
    }
    let [_, _, honest4, honest6] = Frame::ALL;
    for (family, chain, honest) in [(Family::V4, EXCUSED4, honest4), (Family::V6, EXCUSED6, honest6)] {
        rules.push((chain, [is_of(honest), vec![Expression::Verdict(Verdict::Accept)]].concat()));
        rules.extend(layout.longest_first(Class::Allow, family).map(|tier| (chain, ingress::excuse(tier, 0, ALLOWED))));
    }
    rules
}

/// The first rule of whatever excuses from bans. A mark alone would not do: somebody's rules may put any mark on strangers'
/// packets.
pub(super) fn excuse(family: Family) -> Vec<Expression> {
    let chain = if family == Family::V4 { EXCUSED4 } else { EXCUSED6 };
    [mark(Compare::Equal), came_by(LOOPBACK), vec![goto(chain)]].concat()
}

/// Goes on with every packet but those of the probe.
pub(super) fn is_none() -> Vec<Expression> {
    mark(Compare::Differs)
}

fn mark(compare: Compare) -> Vec<Expression> {
    vec![Expression::Meta(Meta::Mark), Expression::Compare(compare, MARK.to_ne_bytes().into())]
}

/// From and to whom the frame claims to be.
fn is_of(frame: Frame) -> Vec<Expression> {
    let (family, ethertype, from, to) = match frame {
        Frame::V4 { from, to } => (Family::V4, ETHERTYPE_IP, from.octets().to_vec(), to.octets().to_vec()),
        Frame::V6 { from, to } => (Family::V6, ETHERTYPE_IP6, from.octets().to_vec(), to.octets().to_vec()),
    };
    let (offset, len) = (family.source_at(), u32::from(family.len()));
    vec![
        Expression::Meta(Meta::Protocol),
        is(&ethertype),
        Expression::Header { offset, len },
        is(&from),
        Expression::Header { offset: offset + len, len },
        is(&to),
    ]
}

/// What a probe came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// Why no frames were sent, if they were not.
    pub(super) unsent: Option<Failure>,
    /// Which frames came to the rules, in the order of [`Frame::ALL`] ...
    pub(super) came: [bool; 4],
    /// ... and which came out behind them.
    pub(super) passed: [bool; 4],
    /// Has the kernel refused something that is wanted: a mode, a lockdown, an allowlist, an interface?
    pub(super) is_owed: bool,
    /// Are chains and rules, those of every interface too, as they were left?
    pub(super) is_as_left: bool,
    /// Are bans to be enforced, as it was ordered?
    pub(super) is_dropping: bool,
}

impl Outcome {
    /// How the frames fared.
    pub(super) fn probed(&self) -> Probed {
        let fared = |frame: usize| match (self.came.get(frame), self.passed.get(frame)) {
            // Also past the rules.
            (_, Some(true)) => Fared::Passed,
            (Some(true), _) => Fared::Dropped,
            _ => Fared::Failed,
        };
        Probed { banned: [fared(0), fared(1)], honest: [fared(2), fared(3)] }
    }

    /// Is it as it should be? `is_allowed`: somebody has allowed the banned source of the family.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn judge(&self, is_allowed: [bool; 2]) -> Result<(), String> {
        let frames = match &self.unsent {
            Some(failure) => Err(answers::error(failure).to_string()),
            None => self.probed().judge_each(is_allowed.map(|is_allowed| self.is_dropping && !is_allowed)),
        };
        let rules = (!self.is_as_left).then(|| "chains, rules or sets of nf_tables are not as they were left".to_owned());
        let owed = self.is_owed.then(|| "nf_tables has refused what was ordered last".to_owned());
        let wrong: Vec<String> = frames.err().into_iter().chain(owed).chain(rules).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

/// What all probes since the tables were made have added to the counters. `allowed`: of those that passed, so many were banned
/// and allowed.
pub(super) fn tally(came: [u64; 4], passed: [u64; 4], allowed: u64) -> Tally {
    let [banned4, banned6, honest4, honest6] = passed;
    Tally {
        dropped4: came[0].saturating_sub(banned4),
        dropped6: came[1].saturating_sub(banned6),
        passed: [banned4, banned6, honest4, honest6].into_iter().fold(0, u64::saturating_add),
        would_drop: banned4.saturating_add(banned6).saturating_sub(allowed),
    }
}

/// The socket that frames are sent by: bound to the loopback interface, and to no protocol, so it hears nothing.
#[derive(Debug)]
pub(super) struct Loopback(OwnedFd);

impl Loopback {
    /// Opens it in the network namespace of the calling thread. Needs `CAP_NET_RAW`, and is all that does.
    pub(super) fn open() -> io::Result<Self> {
        let fd = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
        setsockopt(&fd, sockopt::Mark, &MARK)?;
        // SAFETY: a link-layer address is plain numbers, for which zeros are values.
        let mut at: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        at.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or(0);
        at.sll_ifindex = LOOPBACK_INDEX;
        let len = libc::socklen_t::try_from(size_of_val(&at)).unwrap_or(0);
        // SAFETY: the address is live and as long as is said; the kernel only reads it.
        if unsafe { libc::bind(fd.as_raw_fd(), (&raw const at).cast(), len) } != 0 {
            return Err(io::Error::last_os_error());
        }
        bypass(&fd)?;
        Ok(Self(fd))
    }

    /// Sends the four frames.
    pub(super) fn send(&self) -> io::Result<()> {
        for frame in Frame::ALL {
            send(self.0.as_raw_fd(), &frame.octets(), MsgFlags::empty())?;
        }
        Ok(())
    }
}

/// Past whatever shapes, filters or records what this host sends.
fn bypass(fd: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let len = libc::socklen_t::try_from(size_of_val(&on)).unwrap_or(0);
    // SAFETY: the number is live and as long as is said; the kernel only reads it.
    let done =
        unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, (&raw const on).cast(), len) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::orders::FailureKind;

    const GOOD: Outcome = Outcome {
        unsent: None,
        came: [true; 4],
        passed: [false, false, true, true],
        is_owed: false,
        is_as_left: true,
        is_dropping: true,
    };

    #[test]
    fn what_came_in_and_not_out_was_dropped_and_what_came_nowhere_proves_nothing() {
        assert_eq!(GOOD.probed(), Probed { banned: [Fared::Dropped; 2], honest: [Fared::Passed; 2] });
        assert_eq!(GOOD.judge([false; 2]), Ok(()));
        let nowhere = Outcome { came: [false; 4], passed: [false; 4], ..GOOD };
        assert_eq!(nowhere.probed().honest, [Fared::Failed; 2]);
        assert!(nowhere.judge([false; 2]).unwrap_err().starts_with("nothing could be proved with a banned IPv4 source; "));
        let past = Outcome { came: [false; 4], passed: [true; 4], ..GOOD };
        assert!(past.judge([false; 2]).unwrap_err().contains("a banned IPv6 source was let through"));
        assert_eq!(past.judge([true; 2]), Ok(()), "an allowed source is let through");
        assert_eq!(Outcome { is_dropping: false, ..past.clone() }.judge([false; 2]), Ok(()), "while nothing is enforced");
        assert!(Outcome { is_as_left: false, ..GOOD }.judge([false; 2]).unwrap_err().contains("not as they were left"));
        assert!(Outcome { is_owed: true, ..GOOD }.judge([false; 2]).unwrap_err().contains("refused what was ordered"));
        let unsent = Some(Failure { kind: FailureKind::Kernel, errno: libc::EPERM, what: "send frames through".into() });
        let why = Outcome { unsent, is_as_left: false, ..nowhere }.judge([false; 2]).unwrap_err();
        assert!(why.contains("send frames through") && why.contains("not as they were left"), "both are told: {why}");
    }

    #[test]
    fn probes_leave_no_trace_in_the_counters() {
        let tally = |allowed| tally([3; 4], [1, 0, 3, 3], allowed);
        let all = |tally: Tally| (tally.dropped4, tally.dropped6, tally.passed, tally.would_drop);
        assert_eq!(all(tally(0)), (2, 3, 7, 1));
        assert_eq!(all(tally(1)), (2, 3, 7, 0), "who is allowed would not be dropped");
    }
}
