//! Groups of bans: one prefix in the kernel stands for a block of neighbours of whom every one is banned.
//!
//! A group is taken apart at once when one of its members is let in, is enforced less than others, or becomes an operator's;
//! what is still complete stays grouped, the others have entries of their own again, over the limit if need be, and
//! [`Ledger::shrink`] then decides what gives way.

use super::Ledger;
use crate::{
    Class,
    entry::{Entry, Sum},
    group::{self, Cover, Groups},
};
use alloc::vec::Vec;
use honeymesh_types::{Grade, Reasons, Scope, Subject, WallTime};

/// How a subject stood in the table before or after its claims were changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) is_banned: bool,
    /// Until when it may be a member of a group, if it may.
    pub(super) member_until: Option<WallTime>,
}

impl Standing {
    /// Only whole bans that are enforced are grouped. An operator's is not: it never gives way, so it always has its own place.
    pub(super) fn of(entry: &Entry, sum: &Sum) -> Self {
        let is_member = sum.counts && sum.scope == Scope::All && !entry.rank().is_operators();
        Self { is_banned: true, member_until: is_member.then_some(sum.until_widest) }
    }
}

impl Ledger {
    /// The group whose entry in the kernel stands for `subject`, if it has none of its own.
    #[must_use]
    pub fn group_of(&self, subject: &Subject) -> Option<Subject> {
        self.groups.of(subject)
    }

    /// Keeps groups true after the claims on `subject` were changed.
    pub(super) fn regroup(&mut self, subject: Subject, before: Standing, after: Standing) {
        if !Class::of(&subject).is_hosts() {
            if before.is_banned != after.is_banned {
                self.regroup_net(subject);
            }
            return;
        }
        match (before.member_until, after.member_until) {
            (_, None) => self.take_apart(&self.groups.around(&subject)),
            (Some(before), Some(after)) if before != after => self.follow_end(subject, before, after),
            _ => {}
        }
        match (before.member_until, after.member_until) {
            (Some(_), None) => self.groups.set_pair(group::pair(&subject), false),
            (None, Some(_)) => {
                self.refresh_pair(group::pair(&subject));
                self.note_place(group::buddy(&subject));
            }
            _ => {}
        }
    }

    /// A ban of a prefix needs its key in the kernel's table for itself.
    fn regroup_net(&mut self, net: Subject) {
        if self.groups.get(&net).is_some() {
            self.take_apart(&[net]);
        }
        if group::is_pair(&net) {
            self.refresh_pair(net);
        }
    }

    /// Lets the members that stay banned have entries again shortly before the group's entry ends. That one stays in the kernel,
    /// for those that end with it.
    pub(super) fn hand_over(&mut self, block: Subject) {
        let Some(cover) = self.groups.get(&block).copied() else { return };
        self.groups.set(block, Cover { is_handed_over: true, ..cover });
        let mut stay = self.groups.members(&block);
        stay.retain(|member| self.ends(member).is_some_and(|until| until > cover.until));
        stay.iter().for_each(|member| self.uncover(*member));
        self.cover_parts(&block, &stay);
    }

    /// A member ends at another time.
    fn follow_end(&mut self, member: Subject, before: WallTime, after: WallTime) {
        let mut doomed = Vec::new();
        for block in self.groups.around(&member) {
            let Some(cover) = self.groups.get(&block).copied() else { continue };
            let is_earliest = before == cover.until || after < cover.until;
            if !cover.is_handed_over && is_earliest {
                self.touch(block);
                let cover = self.measured(&block);
                self.groups.set(block, cover);
            } else if cover.is_handed_over && after < cover.until {
                doomed.push(block);
            } else if cover.is_handed_over && after > cover.until && self.groups.of(&member) == Some(block) {
                self.uncover(member);
                if self.groups.members(&block).is_empty() {
                    self.uncover_block(block);
                }
            }
        }
        self.take_apart(&doomed);
    }

    /// Takes groups apart that lie inside each other, the narrowest first. What is complete among their members is grouped anew,
    /// the others have their own places again.
    fn take_apart(&mut self, blocks: &[Subject]) {
        let mut members = Vec::new();
        for block in blocks {
            members.append(&mut self.groups.members(block));
            self.uncover_block(*block);
        }
        members.sort_unstable();
        members.iter().for_each(|member| self.uncover(*member));
        members.retain(|member| self.ends(member).is_some());
        if let Some(widest) = blocks.last() {
            self.cover_parts(widest, &members);
        }
    }

    /// Groups what is complete among `members`, which are sorted, have their own places and lie inside `block`.
    fn cover_parts(&mut self, block: &Subject, members: &[Subject]) {
        if members.len() < 2 {
            return;
        }
        if members.len() == group::size(block) && self.is_free(block) && self.has_room_for_group(Class::of(&members[0])) {
            return self.cover(*block);
        }
        let halves = group::halves(block);
        let (low, high) = members.split_at(members.partition_point(|member| member.is_within(&halves[0].net())));
        self.cover_parts(&halves[0], low);
        self.cover_parts(&halves[1], high);
    }

    /// Makes a group of all that is in `block`; groups inside it are absorbed.
    pub(super) fn cover(&mut self, block: Subject) {
        self.touch(block);
        for inner in self.groups.inside(&block) {
            self.uncover_block(inner);
        }
        for member in group::all(&block) {
            self.relist(member, |groups| groups.join(member, &block));
        }
        for member in group::all(&block).step_by(2) {
            self.groups.set_pair(group::pair(&member), false);
        }
        let cover = self.measured(&block);
        self.groups.set(block, cover);
    }

    fn uncover_block(&mut self, block: Subject) {
        self.touch(block);
        self.groups.remove(&block);
        if group::is_pair(&block) {
            self.refresh_pair(block);
        }
    }

    fn uncover(&mut self, member: Subject) {
        self.relist(member, |groups| groups.leave(&member));
        self.refresh_pair(group::pair(&member));
    }

    /// Moves a ban between those with an entry of their own and those in groups.
    fn relist(&mut self, member: Subject, change: impl FnOnce(&mut Groups)) {
        self.touch(member);
        let place = self.bans.get(&member).map(|entry| (entry.rank(), entry.ends_next()));
        if let Some((rank, ends)) = place {
            self.queue_of(&member).remove(rank, ends, member);
        }
        change(&mut self.groups);
        if let Some((rank, ends)) = place {
            self.queue_of(&member).insert(rank, ends, member);
        }
    }

    /// What the entry of a complete block must say.
    fn measured(&self, block: &Subject) -> Cover {
        let nobody = Cover { until: WallTime::MAX, reasons: Reasons::empty(), grade: Grade::Spoofable, is_handed_over: false };
        let sums = group::all(block).filter_map(|member| self.bans.get(&member)).map(|entry| entry.sum(&self.origins));
        sums.fold(nobody, |cover, sum| Cover {
            until: cover.until.min(sum.until_widest),
            reasons: cover.reasons | sum.reasons,
            grade: cover.grade.max(sum.grade),
            ..cover
        })
    }

    /// Takes note of whether a group could be made of a pair.
    fn refresh_pair(&mut self, pair: Subject) {
        let is_member = |one: &Subject| self.ends(one).is_some();
        let has_own = |one: &Subject| !self.groups.has_member(one);
        let both = group::halves(&pair);
        let is_open = both.iter().all(is_member) && both.iter().any(has_own) && self.is_free(&pair);
        self.groups.set_pair(pair, is_open);
    }

    /// Until when `subject` may be a member of a group, if it may.
    pub(super) fn ends(&self, subject: &Subject) -> Option<WallTime> {
        let entry = self.bans.get(subject)?;
        Standing::of(entry, &entry.sum(&self.origins)).member_until
    }

    /// Is the key of a block not taken in the kernel's table of prefixes?
    pub(super) fn is_free(&self, block: &Subject) -> bool {
        self.bans.get(block).is_none() && self.groups.get(block).is_none()
    }

    /// Groups have half of the prefixes' table, and leave an eighth of it empty for the moment in which new prefixes stand beside
    /// those that they replace.
    pub(super) fn has_room_for_group(&self, class: Class) -> bool {
        let (nets, max) = (class.nets(), self.policy.limit(class.nets()));
        self.groups.count(nets) < max / 2 && self.count(nets) < max - max / 8
    }
}
