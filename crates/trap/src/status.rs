//! What the traps have seen so far, readable from any thread.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A snapshot of one trap's counters, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrapStatus {
    /// The trap's name in the configuration.
    pub name: String,
    /// What it plays.
    pub service: &'static str,
    /// Where it listens, with the ports that were really bound. Empty for the trap on dark ports.
    pub listen: Vec<SocketAddr>,
    /// Sessions begun.
    pub sessions: u64,
    /// Sessions open now.
    pub active: u64,
    /// Connections closed because a limit was reached.
    pub refused: u64,
    /// Sessions that were ended in a full house, so that somebody else could come in from a neighbourhood with fewer.
    pub gave_way: u64,
    /// Sessions held in the tarpit; those beyond its limits were played to as always.
    pub slowed: u64,
    /// Bytes received, as far as they were told.
    pub bytes: u64,
    /// Visits handed over.
    pub reports: u64,
    /// Visits lost because nobody took them in time.
    pub reports_lost: u64,
    /// Sessions whose protocol broke; each was reported and closed.
    pub panics: u64,
    /// Connections that could not be accepted, for want of descriptors or memory; datagrams that could not be taken.
    pub accept_errors: u64,
    /// Datagrams that came.
    pub datagrams: u64,
    /// Those of them that were beyond a limit: not looked at, or told without having been looked at.
    pub datagrams_limited: u64,
    /// Those of them that were answered.
    pub answered: u64,
    /// Octets of those answers: never more than came.
    pub answered_bytes: u64,
    /// Answers that were not sent: too many for a source, its neighbourhood or in all, or no room in the socket.
    pub answers_limited: u64,
    /// Answers that were not sent because they were longer than what they answered, or second ones.
    pub answers_refused: u64,
    /// Transfers begun: answers that left from a port of their own, on which it was listened for more; over TCP, ports opened for a
    /// session's data.
    pub transfers: u64,
    /// Transfers that were not begun for want of a place, or gave way to others; over TCP, ports that were not opened.
    pub transfers_limited: u64,
}

/// What is known of the process that plays all traps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HouseStatus {
    /// Its process number; 0 before it has begun.
    pub pid: u64,
    /// How often another one had to begin in its place.
    pub restarts: u64,
    /// Words from it about sessions that are not open: some are on their way when sessions end; many tell that it was taken over.
    pub strays: u64,
    /// Sessions whose end it did not tell in time.
    pub overdue: u64,
    /// Reports that the operator's rules did not look at to the end, since a bound was reached.
    pub rules_cut: u64,
}

/// Reads the counters of all traps while they run.
#[derive(Clone, Debug)]
pub struct StatusReader {
    pub(crate) traps: Arc<[Arc<Counters>]>,
    pub(crate) house: Arc<House>,
}

impl StatusReader {
    /// The counters now, one entry a trap, in the order of the configuration.
    #[must_use]
    pub fn read(&self) -> Vec<TrapStatus> {
        self.traps.iter().map(|counters| counters.read()).collect()
    }

    /// The process that plays.
    #[must_use]
    pub fn house(&self) -> HouseStatus {
        let House { pid, restarts, strays, overdue, rules_cut } = &*self.house;
        HouseStatus {
            pid: pid.load(Relaxed),
            restarts: restarts.load(Relaxed),
            strays: strays.load(Relaxed),
            overdue: overdue.load(Relaxed),
            rules_cut: rules_cut.load(Relaxed),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct House {
    pub(crate) pid: AtomicU64,
    pub(crate) restarts: AtomicU64,
    pub(crate) strays: AtomicU64,
    pub(crate) overdue: AtomicU64,
    pub(crate) rules_cut: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) name: String,
    pub(crate) service: &'static str,
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) sessions: AtomicU64,
    pub(crate) active: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) gave_way: AtomicU64,
    pub(crate) slowed: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) reports: AtomicU64,
    pub(crate) reports_lost: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) accept_errors: AtomicU64,
    pub(crate) datagrams: AtomicU64,
    pub(crate) datagrams_limited: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) answered_bytes: AtomicU64,
    pub(crate) answers_limited: AtomicU64,
    pub(crate) answers_refused: AtomicU64,
    pub(crate) transfers: AtomicU64,
    pub(crate) transfers_limited: AtomicU64,
}

impl Counters {
    fn read(&self) -> TrapStatus {
        TrapStatus {
            name: self.name.clone(),
            service: self.service,
            listen: self.listen.clone(),
            sessions: self.sessions.load(Relaxed),
            active: self.active.load(Relaxed),
            refused: self.refused.load(Relaxed),
            gave_way: self.gave_way.load(Relaxed),
            slowed: self.slowed.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            reports: self.reports.load(Relaxed),
            reports_lost: self.reports_lost.load(Relaxed),
            panics: self.panics.load(Relaxed),
            accept_errors: self.accept_errors.load(Relaxed),
            datagrams: self.datagrams.load(Relaxed),
            datagrams_limited: self.datagrams_limited.load(Relaxed),
            answered: self.answered.load(Relaxed),
            answered_bytes: self.answered_bytes.load(Relaxed),
            answers_limited: self.answers_limited.load(Relaxed),
            answers_refused: self.answers_refused.load(Relaxed),
            transfers: self.transfers.load(Relaxed),
            transfers_limited: self.transfers_limited.load(Relaxed),
        }
    }
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
