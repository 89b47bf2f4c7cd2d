//! What is counted over a while: traffic, and what a taken-over member costs the others.

use super::Player;
use crate::{Misdeed, measure::Measure, plan::Window};
use honeymesh_mesh_proto::{Limits, Refused};
use std::time::Duration;

/// How long after a misdeed its cost is still counted.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// Tokens of a peer's budget that a bad signature costs: itself, and the fine.
const SIGNATURE_TOKENS: f64 = 101.0;
/// How many records fit into a datagram: those of one are charged together, before the first fine.
const RECORDS_A_DATAGRAM: f64 = 8.0;
/// Events about refusals that a node tells at once, and in a second: the gate of the node.
const EVENTS_AT_ONCE: f64 = 500.0;
const EVENTS_A_SECOND: f64 = 50.0;

/// Something that is being counted.
pub(super) struct Counting {
    pub(super) until: Duration,
    since: Duration,
    what: Counted,
}

enum Counted {
    Traffic { window: Window, bytes: u64, bans: u32 },
    Rogue { number: usize, misdeed: Misdeed, before: Vec<Account> },
}

/// What one honest node has counted so far.
#[derive(Clone, Copy, Default)]
struct Account {
    accepted: u64,
    records: u64,
    new: u64,
    bad_signatures: u64,
    refused: u64,
    events: u64,
}

/// What a taken-over member cost the node that it cost most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// What it did.
    pub misdeed: Misdeed,
    /// Datagrams of it that were accepted.
    pub accepted: u64,
    /// Records that came to be held meanwhile.
    pub records: u64,
    /// Signatures that were verified meanwhile.
    pub signatures: u64,
    /// Of those, bad ones.
    pub bad_signatures: u64,
    /// Datagrams and records that were refused meanwhile.
    pub refused: u64,
    /// Events that were told meanwhile.
    pub events: u64,
}

impl Player<'_> {
    pub(super) fn meter(&mut self, window: Window, lasts: Duration) {
        let what = Counted::Traffic { window, bytes: self.world.traffic().bytes, bans: self.said };
        self.counting.push(Counting { until: self.now() + lasts, since: self.now(), what });
    }

    pub(super) fn misbehave(&mut self, number: usize, misdeed: Misdeed, lasts: Duration) {
        let before = self.accounts(number);
        self.world.misbehave(self.honest + number, misdeed, lasts);
        let what = Counted::Rogue { number, misdeed, before };
        self.counting.push(Counting { until: self.now() + lasts + AFTERWARDS, since: self.now(), what });
    }

    /// Closes the windows whose time is over.
    pub(super) fn count_up(&mut self) {
        let now = self.now();
        let due: Vec<Counting> = self.counting.extract_if(.., |counting| counting.until <= now).collect();
        for counting in due {
            let seconds = (now - counting.since).as_secs_f64();
            match counting.what {
                Counted::Traffic { window, bytes, bans } => self.traffic(window, bytes, bans, seconds),
                Counted::Rogue { number, misdeed, before } => self.cost(number, misdeed, &before, seconds),
            }
        }
    }

    fn traffic(&mut self, window: Window, before: u64, bans_before: u32, seconds: f64) {
        let bytes = (self.world.traffic().bytes - before) as f64 / self.honest as f64;
        let idle = self.run.values.get(&Measure::IdleBytes).copied();
        match (window, idle) {
            (Window::Idle, _) => self.worst(Measure::IdleBytes, bytes / seconds),
            (Window::Bans, Some(idle)) if self.said > bans_before => {
                let bans = f64::from(self.said - bans_before);
                self.worst(Measure::BanBytes, ((bytes - idle * seconds) / bans).max(0.0));
            }
            (Window::Bans, _) => {
                self.run.wrong.push("a window called bans needs bans in it, and one called idle before it".into());
            }
        }
    }

    fn accounts(&self, number: usize) -> Vec<Account> {
        let rogue = self.world.identity(self.honest + number);
        let account = |place| {
            let (stats, _) = self.world.mesh(place)?;
            let peer = stats.peers.iter().find(|peer| peer.node == Some(rogue));
            Some(Account {
                accepted: peer.map_or(0, |peer| peer.received),
                records: stats.records as u64,
                new: stats.records_new,
                bad_signatures: stats.refused.of(Refused::RecordSignature),
                refused: stats.refused.total(),
                events: self.world.told_by(place),
            })
        };
        (0..self.honest).map(|place| account(place).unwrap_or_default()).collect()
    }

    fn cost(&mut self, number: usize, misdeed: Misdeed, before: &[Account], seconds: f64) {
        let after = self.accounts(number);
        let most = |count: fn(&Account) -> u64| {
            let grown = before.iter().zip(&after).map(|(before, after)| count(after).saturating_sub(count(before)));
            grown.max().unwrap_or(0)
        };
        let cost = Cost {
            misdeed,
            accepted: most(|account| account.accepted),
            records: most(|account| account.records),
            signatures: most(|account| account.new + account.bad_signatures),
            bad_signatures: most(|account| account.bad_signatures),
            refused: most(|account| account.refused),
            events: most(|account| account.events),
        };
        self.check(&cost, seconds);
        for (measure, value) in [
            (Measure::RogueAccepted, cost.accepted),
            (Measure::RogueRecords, cost.records),
            (Measure::RogueSignatures, cost.signatures),
            (Measure::RogueEvents, cost.events),
        ] {
            self.worst(measure, value as f64);
        }
        self.run.costs.push(cost);
    }

    /// The bounds that the mesh promises, whatever a member does.
    fn check(&mut self, cost: &Cost, seconds: f64) {
        let limits = Limits::default();
        let budget = f64::from(limits.peer_burst) + f64::from(limits.peer_rate) * seconds;
        let members = 2 * (self.honest + self.plan.rogues());
        let told = cost.records as f64 + EVENTS_AT_ONCE + EVENTS_A_SECOND * seconds + seconds + members as f64;
        for (what, is, most) in [
            ("datagrams accepted", cost.accepted, budget),
            ("records held", cost.records, limits.origin_records_max as f64),
            ("bad signatures verified", cost.bad_signatures, budget / SIGNATURE_TOKENS + RECORDS_A_DATAGRAM),
            ("events told", cost.events, told),
        ] {
            if is as f64 > most {
                let word = cost.misdeed.as_str();
                self.run.wrong.push(format!("{word}: {is} {what}, but the limits allow {most:.0}"));
            }
        }
    }
}
