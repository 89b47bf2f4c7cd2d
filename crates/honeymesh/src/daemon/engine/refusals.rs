//! What the kernel has refused of the bans that are wanted: whatever is shown as enforced, the kernel holds.

use super::{Engine, Turn, Unmet};
use crate::daemon::enforcer::Enforcer;
use honeymesh_types::{Event, EventKind, Subject};
use std::{collections::BTreeMap, net::IpAddr};

/// Bits of a prefix that a group's members have: an IPv4 address, or an IPv6 /64.
const MEMBER_BITS: [u8; 2] = [32, 64];
/// A group has no more members.
const GROUP_BITS_MAX: u8 = 8;

/// Entries that are wanted and were refused, each until it is taken or not wanted any more; so there are never more than the ledger has. The
/// kernel may also take one by itself, with a setting that it owed: what was refused before an audit began, and is not refused by it, is there.
#[derive(Debug, Default)]
pub struct Refusals {
    /// Before the last audit began.
    earlier: Entries,
    /// Since then.
    since: Entries,
}

/// Entries, and for how many bans each stands.
#[derive(Debug, Default)]
struct Entries {
    all: BTreeMap<Subject, u64>,
    bans: u64,
}

impl Entries {
    fn remove(&mut self, entry: &Subject) {
        self.bans -= self.all.remove(entry).unwrap_or(0);
    }
}

impl Refusals {
    fn refuse(&mut self, entry: Subject, bans: u64) {
        self.settle(&entry);
        self.since.all.insert(entry, bans);
        self.since.bans += bans;
    }

    /// The kernel holds it, or nobody wants it any more.
    fn settle(&mut self, entry: &Subject) {
        self.earlier.remove(entry);
        self.since.remove(entry);
    }

    fn has(&self, entry: &Subject) -> bool {
        self.earlier.all.contains_key(entry) || self.since.all.contains_key(entry)
    }

    const fn is_empty(&self) -> bool {
        self.earlier.bans == 0 && self.since.bans == 0
    }

    /// An audit begins: it sees whatever was refused before.
    pub fn audit_begins(&mut self) {
        let Entries { mut all, bans } = std::mem::take(&mut self.since);
        self.earlier.all.append(&mut all);
        self.earlier.bans += bans;
    }

    /// It is done: what it found missing was tried again, and either taken or refused since.
    pub fn audit_done(&mut self) {
        self.earlier = Entries::default();
    }

    /// Bans, and the entries that would stand for them.
    pub fn counts(&self) -> (u64, u64) {
        let entries = self.earlier.all.len() + self.since.all.len();
        (self.earlier.bans + self.since.bans, entries as u64)
    }
}

impl<K: Enforcer> Engine<K> {
    /// The kernel did not take this entry.
    pub(super) fn entry_refused(&mut self, entry: Subject) {
        // A group is complete, and the prefix that stands for it is no ban.
        let members = group_bits(&entry).filter(|_| self.node.ban(&entry).is_none()).map_or(1, |bits| 1 << bits);
        self.refusals.refuse(entry, members);
    }

    /// The kernel holds it as it is wanted, or it is not wanted any more.
    pub(super) fn entry_settled(&mut self, entry: &Subject) {
        self.refusals.settle(entry);
    }

    /// The kernel holds everything as it is wanted, or nothing is wanted.
    pub(super) fn entries_settled(&mut self) {
        self.refusals = super::Refusals::default();
    }

    /// Is the entry refused that stands for this ban?
    pub(super) fn is_refused(&self, subject: &Subject) -> bool {
        !self.refusals.is_empty() && self.refusals.has(&self.node.entry_of(subject))
    }

    /// Tells with the event of a ban that the kernel has refused it.
    pub(super) fn tell_refused(&self, event: &mut Event, turn: &Turn) {
        let Some(subject) = event.subject.filter(|subject| event.kind == EventKind::Ban && self.is_refused(subject)) else {
            return;
        };
        let why = turn.refused_bans.get(&self.node.entry_of(&subject)).or(self.troubles.last.as_ref()).cloned();
        event.fields.insert("enforced".into(), "false".into());
        event.fields.insert("refused".into(), why.unwrap_or_default());
    }

    /// What of this turn is not in force in the end: it may have been taken by whatever came after it. What is not tried again comes first.
    pub(super) fn unmet<'a>(&self, turn: &'a Turn) -> Option<&'a str> {
        let owes = self.kernel.owes() || self.shield.is_withholding();
        let is_final = |unmet: &&Unmet| unmet.is_final;
        let setting = turn.unmet.iter().find(is_final).or_else(|| turn.unmet.first().filter(|_| owes)).map(|unmet| &unmet.why);
        let ban = || turn.refused_bans.iter().find(|(entry, _)| self.refusals.has(entry)).map(|(_, why)| why);
        setting.or_else(ban).or(turn.refused_else.as_ref()).map(String::as_str)
    }
}

impl Turn {
    /// What of mode, lockdown and never-ban set the kernel has refused.
    pub(super) fn refuse(&mut self, unmet: Unmet) {
        self.take(unmet.what);
        self.unmet.push(unmet);
    }

    /// The kernel has taken it.
    pub(super) fn take(&mut self, what: &str) {
        self.unmet.retain(|unmet| unmet.what != what);
    }
}

/// How many bits of its members a prefix that may stand for a group leaves open.
fn group_bits(entry: &Subject) -> Option<u8> {
    let net = entry.net();
    let member = MEMBER_BITS[usize::from(matches!(net.addr(), IpAddr::V6(_)))];
    member.checked_sub(net.prefix_len()).filter(|bits| (1..=GROUP_BITS_MAX).contains(bits))
}
