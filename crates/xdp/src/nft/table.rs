//! Our tables in the kernel: what the writer does with them. Everything takes effect at once or not at all.

mod counts;
mod entries;
mod found;
mod probing;
mod sets;
mod staged;
mod taken;
#[cfg(test)]
mod tests;

use super::{
    bytes::Batch,
    element,
    ingress::{self, FROM, Ingress},
    lasting::{Mended, State},
    layout::{Layout, Scan},
    locked::{LOCKED, Lock, Locked, PROTOCOLS, SLACK_MS},
    objects::{self, Hook, TABLE},
    orders::{Depth, Failure, FailureKind, Network},
    side::Side,
    socket::{Socket, THINGS_MAX},
    stack::{self, Stack},
    tier::{Class, Tier},
    uapi::table,
};
use counts::Counts;
pub(super) use counts::{Teller, Told, channel as counts};
pub(super) use entries::dump;
use found::{Found, FoundTable, Picture};
pub(super) use found::{is_unknown, remove_tables};
use ipnet::IpNet;
use sets::{Renewal, SetPlan};
use staged::Staged;
use std::{collections::BTreeSet, io};
use taken::TakenBySide;

/// The tables, adopted or made.
#[derive(Debug)]
pub(super) struct Table {
    socket: Socket,
    /// The interfaces that there are, of those that are to be guarded.
    interfaces: BTreeSet<String>,
    layout: Layout,
    locked: Locked,
    allow: BTreeSet<IpNet>,
    counts: Counts,
    max_bans: u32,
    releases: bool,
    picture: Picture,
    /// The sides that it is not of: they were changed, and could not be read since.
    unread: BTreeSet<Side>,
    /// What has been done cannot be read back, as when others change their tables all the time.
    #[cfg(test)]
    is_unreadable: bool,
    taken: TakenBySide,
    /// What was ordered while another version's tables still go on.
    staged: Option<Staged>,
    /// The version of those.
    replaces: Option<u32>,
    /// The interface that was found last to be one that cannot be guarded.
    refused_last: String,
    /// Something that was ordered is not in the kernel, which has refused it: all of it is to be said again.
    owes: bool,
    /// Which sides have another never-ban set than is wanted, ...
    owes_allow: BTreeSet<Side>,
    /// ... and on which of those somebody else has changed it.
    allow_changed: BTreeSet<Side>,
    /// A never-ban set was ordered, not only found.
    is_allow_ordered: bool,
    /// For [`State::has_allow`].
    has_allow: bool,
    /// What was mended and nobody was told yet: a table that somebody had removed was made anew, or the kernel took what it had refused.
    mended: Mended,
    /// The frames of the self-probe came out of the rules the last time.
    do_frames_pass: bool,
    /// What the kernel said to the rules about dark ports, ...
    refused: Option<Failure>,
    /// ... and to those of them that weigh reactions.
    refused_coins: Option<Failure>,
}

/// What the writer is told when it begins.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) network: Network,
    pub(super) max_bans: u32,
    pub(super) releases: bool,
    pub(super) scan: Scan,
}

impl Table {
    /// Makes the tables, or adopts those that an earlier writer left, with their entries, mode and lockdown. Another version's go on
    /// until [`Table::attach`].
    pub(super) fn open(socket: Socket, beginning: Beginning) -> Result<Self, Failure> {
        let Beginning { network, max_bans, releases, scan } = beginning;
        let layout = Layout {
            tiers: Tier::USUAL.into(),
            is_enforcing: true,
            carriers: Vec::new(),
            scan: Some(scan),
            traps: [None; 2],
            is_locked: false,
            is_heard: true,
        };
        let mut table = Self {
            socket,
            interfaces: BTreeSet::new(),
            layout,
            locked: Locked::now(Lock::Off),
            allow: BTreeSet::new(),
            counts: Counts::new(),
            max_bans,
            releases,
            picture: Picture::default(),
            unread: BTreeSet::new(),
            #[cfg(test)]
            is_unreadable: false,
            taken: TakenBySide::new(),
            staged: None,
            replaces: None,
            refused_last: String::new(),
            owes: false,
            owes_allow: BTreeSet::new(),
            allow_changed: BTreeSet::new(),
            is_allow_ordered: false,
            has_allow: false,
            mended: Mended::default(),
            do_frames_pass: true,
            refused: None,
            refused_coins: None,
        };
        table.take(network);
        table.adopt()?;
        if !table.is_staged() {
            table.begin()?;
        }
        Ok(table)
    }

    /// Makes everything as it should be for the first time, as far as this kernel can.
    fn begin(&mut self) -> Result<(), Failure> {
        let lacks = |failure: &Failure| failure.kind == FailureKind::Kernel && is_unknown(&failure.error());
        let mut done = self.settle();
        if self.weighs()
            && let Err(failure) = &done
            && lacks(failure)
        {
            // Without coins, everything else may still be there.
            self.refused_coins = Some(failure.clone());
            self.layout.scan.iter_mut().for_each(|scan| scan.oracle = false);
            done = self.settle();
        }
        match done {
            // What the rules about dark ports ask is not in every kernel; bans are dropped all the same.
            Err(failure) if lacks(&failure) => {
                self.layout.scan = None;
                self.refused = Some(failure);
                self.settle()
            }
            done => done,
        }
    }

    /// The version of ours whose tables were there, if that is another one than this.
    pub(super) const fn replaces(&self) -> Option<u32> {
        self.replaces
    }

    /// Are probes of dark ports seen?
    pub(super) const fn sees_probes(&self) -> bool {
        self.layout.scan.is_some()
    }

    /// Are reactions of silenced sources weighed?
    pub(super) fn weighs(&self) -> bool {
        self.layout.scan.as_ref().is_some_and(Scan::weighs)
    }

    /// Why probes are not seen.
    pub(super) fn refused(&self) -> Option<io::Error> {
        self.refused.as_ref().map(Failure::error)
    }

    /// Why reactions are not weighed, if it was asked for.
    pub(super) fn refused_coins(&self) -> Option<io::Error> {
        self.refused_coins.as_ref().map(Failure::error)
    }

    /// Reads what is there but the two large sets, which are counted when everything is asked for. Sets of prefixes that hold
    /// nothing go: each costs every packet a lookup.
    fn adopt(&mut self) -> Result<(), Failure> {
        let read = |error: io::Error| Failure::kernel("read", &error);
        let mut all = Vec::new();
        for side in Side::BOTH {
            let found = found::look(&mut self.socket, side).map_err(read)?;
            let Some(table) = found.table else { continue };
            if table.flags & table::OWNED != 0 {
                return Err(Failure::new(FailureKind::InUse, 0, TABLE));
            }
            if table.version.is_none() {
                return Err(Failure::new(FailureKind::Foreign, 0, TABLE));
            }
            self.replaces = self.replaces.max(table.other_version());
            all.push((side, found));
        }
        self.staged = self.replaces.map(|_| Staged::default());
        for (side, found) in all {
            if self.is_staged() {
                self.stage(side, &found).map_err(read)?;
                continue;
            }
            if side == Side::Ingress {
                self.layout.is_enforcing = !found.chains.contains_key(ingress::OBSERVING);
            }
            self.adopt_sets(&found, side).map_err(read)?;
        }
        if !self.is_staged() {
            self.locked = Locked::now(self.read_locked(Side::Stack).map_err(read)?);
        }
        self.layout.is_locked = self.locked.lock != Lock::Off;
        Ok(())
    }

    fn adopt_sets(&mut self, found: &Found, side: Side) -> io::Result<()> {
        for tier in found.tiers().into_iter().filter(|tier| tier.class.home() == side && !tier.is_usual()) {
            let all = self.entries(tier)?;
            if all.is_empty() {
                continue;
            }
            self.layout.tiers.insert(tier);
            self.counts.is(tier, all.len());
            if tier.class == Class::Allow {
                self.allow.extend(all.iter().map(|element| element.net));
            }
        }
        Ok(())
    }

    /// What says that a lockdown holds: the shortest of what is left of it. Where an entry is missing there is none.
    fn read_locked(&mut self, side: Side) -> io::Result<Lock> {
        let ask = || element::ask_locked(side);
        let all = self.socket.dump(THINGS_MAX, ask, |message, all| all.extend(element::read_locked(message)))?;
        let first = all.iter().copied().min_by_key(|left| left.unwrap_or(u64::MAX));
        let is_whole = all.len() == PROTOCOLS.len();
        Ok(first.filter(|_| is_whole).map_or(Lock::Off, |left| left.map_or(Lock::Confirmed, Lock::For)))
    }

    /// Makes everything but the entries as it should be, whatever it is now. What rules filled stays, and so do bans, but in a set
    /// that is another kind of set by now.
    fn settle(&mut self) -> Result<(), Failure> {
        self.settle_sides(&Side::BOTH).map(|_| ())
    }

    /// The same for some sides. Which sets of prefixes are empty then?
    fn settle_sides(&mut self, sides: &[Side]) -> Result<BTreeSet<Tier>, Failure> {
        let (mut new, are_right) = self.settle_once(sides, Renewal::Gentle)?;
        if !are_right {
            // A kernel that cannot set the times of a set right.
            new.extend(self.settle_once(sides, Renewal::Anew)?.0);
        }
        self.has_taken(sides);
        Ok(new)
    }

    /// Which sets of prefixes are empty now, and are those right that were to be set right?
    fn settle_once(&mut self, sides: &[Side], renewal: Renewal) -> Result<(BTreeSet<Tier>, bool), Failure> {
        let failed = |error| Failure::kernel("set up", &error);
        let mut found = Vec::new();
        for &side in sides {
            let mut one = found::look(&mut self.socket, side).map_err(failed)?;
            if one.is_foreign() {
                return Err(Failure::new(FailureKind::Foreign, 0, TABLE));
            }
            if one.table.is_some_and(|table| self.is_staged() || table.other_version().is_some()) {
                one = Found { gives_way: true, ..Found::default() };
            }
            let sets = self.plan_sets(side, &one, renewal);
            found.push((side, one, sets));
        }
        let is_new = found.iter().any(|(_, one, _)| one.table.is_none());
        match self.commit_layout(&found, true) {
            Ok(()) => {}
            // Before Linux 6.9 no table outlives its owner: it belongs to nobody.
            Err(error) if is_new && matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => {
                self.commit_layout(&found, false).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        // There is nothing in them yet.
        let new: BTreeSet<Tier> = found.iter().flat_map(|(_, _, sets)| sets.new_tiers()).collect();
        self.counts.forget(|tier| new.contains(tier));
        // It is done, whether it can be read back now or not.
        let is_read = self.retake_picture(sides).is_ok();
        Ok((new, !is_read || found.iter().all(|(side, _, sets)| self.are_set_right(*side, sets))))
    }

    /// Takes what these sides are now for what was left. What cannot be read stays to be read, and is made anew when everything is looked at next.
    fn retake_picture(&mut self, sides: &[Side]) -> io::Result<()> {
        self.unread.extend(sides);
        #[cfg(test)]
        if self.is_unreadable {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.picture.retake(found::picture(&mut self.socket, sides)?, sides);
        self.unread.retain(|side| !sides.contains(side));
        Ok(())
    }

    /// An owned table is left alone by `nft flush ruleset`. One that is to be held must outlive us.
    fn flags(&self, found: &Found, may_own: bool) -> u32 {
        match found.table {
            None if !may_own => 0,
            None if self.releases => table::OWNED,
            None => table::OWNED | table::PERSISTENT,
            Some(FoundTable { flags, .. }) if flags & table::PERSISTENT != 0 => table::OWNED | table::PERSISTENT,
            Some(FoundTable { flags, .. }) => flags & table::OWNED,
        }
    }

    /// All of them in one transaction.
    fn commit_layout(&mut self, found: &[(Side, Found, SetPlan)], may_own: bool) -> io::Result<()> {
        let mut batch = Batch::default();
        for (side, found, sets) in found {
            if found.gives_way {
                batch.push(objects::del_table(*side));
            }
            batch.push(objects::new_table(*side, self.flags(found, may_own)));
            self.lay_out(*side, found, sets, &mut batch);
        }
        self.socket.commit(batch)
    }

    fn lay_out(&self, side: Side, found: &Found, sets: &SetPlan, batch: &mut Batch) {
        let (counters, chains, rules) = self.wanted(side);
        for name in counters.iter().filter(|name| !found.counters.contains(**name)) {
            batch.push(objects::new_counter(side, name));
        }
        // Rules first: a set goes only when nobody looks it up, and a chain when nobody leads to it.
        found.chains.keys().for_each(|chain| batch.push(objects::flush(side, chain)));
        self.push_sets(side, sets, batch);
        let mut wanted: Vec<String> = chains.iter().map(|&name| name.to_owned()).collect();
        if side == Side::Ingress {
            // Before every interface that is there, and before no other.
            wanted.extend(self.interfaces.iter().map(|name| objects::base_chain(name)));
        }
        // A chain cannot be hung elsewhere: one that hangs wrongly, or not at all, goes and is made anew.
        let (good, bad): (Vec<_>, Vec<_>) =
            found.chains.iter().partition(|(name, hook)| wanted.contains(name) && **hook == Hook::of(side, name));
        bad.iter().for_each(|(name, _)| batch.push(objects::del_chain(side, name)));
        let is_there = |name: &String| good.iter().any(|(good, _)| *good == name);
        wanted.iter().filter(|name| !is_there(name)).for_each(|name| batch.push(objects::new_chain(side, name)));
        for (chain, steps) in &rules {
            batch.push(objects::new_rule(side, chain, steps));
        }
        if side == Side::Ingress {
            self.interfaces.iter().for_each(|name| batch.push(objects::enter_rule(name)));
        }
    }

    /// Counters, chains and rules of one side.
    fn wanted(&self, side: Side) -> (&'static [&'static str], Vec<&'static str>, Vec<ingress::Rule>) {
        match side {
            Side::Ingress => {
                let ingress = Ingress(&self.layout);
                (&ingress::COUNTERS, ingress.chains(), ingress.rules())
            }
            Side::Stack => {
                let stack = Stack::of(&self.layout);
                let (chains, rules) = stack.map(|stack| (stack.chains(), stack.rules())).unwrap_or_default();
                (&stack::COUNTERS, chains, rules)
            }
        }
    }

    fn add_locked(&self, side: Side, batch: &mut Batch) {
        match self.locked.left() {
            Lock::Off => {}
            Lock::For(left) => batch.push(element::add_locked(side, Some(left))),
            Lock::Confirmed => batch.push(element::add_locked(side, None)),
        }
    }

    /// Changes the layout and settles. What the kernel refuses stays wanted, and [`Table::guard`] says it again.
    fn change(&mut self, change: impl FnOnce(&mut Layout)) -> Result<(), Failure> {
        let before = self.layout.clone();
        change(&mut self.layout);
        if self.is_staged() {
            return Ok(());
        }
        if self.owes {
            return self.say_again().map(|_| ());
        }
        if self.layout == before {
            return Ok(());
        }
        self.settle_over().inspect_err(|_| self.owe())
    }

    /// Settles because something else is wanted. What somebody had changed is overwritten by that, and told: bans may have gone with it.
    fn settle_over(&mut self) -> Result<(), Failure> {
        // What cannot be read now, the next guard tells.
        let is_changed = self.are_rules_as_left(&Side::BOTH).is_ok_and(|are| !are);
        self.settle()?;
        self.mended.is_changed |= is_changed;
        Ok(())
    }

    /// What the kernel has refused stays wanted.
    fn owe(&mut self) {
        self.owes = true;
        self.keep_up();
    }

    /// Says everything that is wanted, whatever the kernel has: layout, allowlist, lockdown. If only interfaces cannot be guarded, that
    /// keeps mode and lockdown from no other: it is what is given, and stays owed.
    fn say_again(&mut self) -> Result<Option<Failure>, Failure> {
        let was_owed = std::mem::replace(&mut self.owes, true);
        self.layout.tiers.extend(self.allow.iter().map(|net| Tier::of(Class::Allow, net)));
        let Err(refused) = self.say_all() else {
            self.owes = false;
            self.mended.was_owed |= was_owed;
            return Ok(None);
        };
        let is_said = self.say_to_guarded();
        self.keep_up();
        if is_said { Ok(Some(refused)) } else { Err(refused) }
    }

    fn say_all(&mut self) -> Result<(), Failure> {
        self.settle_over()?;
        self.pay_allow(&Side::BOTH)?;
        if self.layout.is_locked { self.renew_locked(&Side::BOTH) } else { Ok(()) }
    }

    /// The same without the interfaces that are not guarded yet, if there are any. Was it taken?
    fn say_to_guarded(&mut self) -> bool {
        let guarded: BTreeSet<String> = self.guarded().into_iter().collect();
        if guarded == self.interfaces || !self.taken.contains_key(&Side::Ingress) {
            return false;
        }
        let wanted = std::mem::replace(&mut self.interfaces, guarded);
        let done = self.say_all();
        self.interfaces = wanted;
        done.is_ok()
    }

    /// Drop, or only count.
    pub(super) fn set_enforcing(&mut self, on: bool) -> Result<(), Failure> {
        self.change(|layout| layout.is_enforcing = on)
    }

    /// Where the trap listens on the loopback interface. A kernel that refuses that is asked once: the start ends with it.
    pub(super) fn arm(&mut self, traps: [Option<u16>; 2]) -> Result<(), Failure> {
        let before = std::mem::replace(&mut self.layout.traps, traps);
        if self.layout.traps == before || self.is_staged() {
            return Ok(());
        }
        self.settle().inspect_err(|_| self.layout.traps = before)
    }

    /// Begins, prolongs, confirms or ends a lockdown, in one step for all packets. What the kernel refuses stays wanted.
    pub(super) fn set_lockdown(&mut self, lock: Lock) -> Result<(), Failure> {
        if lock != Lock::Off && self.layout.scan.is_none() {
            return Err(Failure::new(FailureKind::Kernel, libc::EOPNOTSUPP, "lock down with"));
        }
        self.locked = Locked::now(lock);
        let was_locked = std::mem::replace(&mut self.layout.is_locked, lock != Lock::Off);
        if self.is_staged() {
            return Ok(());
        }
        if self.owes {
            // Before anybody compares: our own work is nobody else's. And what else is refused is not this order's.
            let is_as_wanted = self.lock_as_taken();
            return self.say_again().map(|_| ()).or_else(|refused| if is_as_wanted { Ok(()) } else { Err(refused) });
        }
        match (was_locked, self.layout.is_locked) {
            (false, false) => Ok(()),
            // Entries that are there already are those of the lockdown before.
            (true, true) => self.renew_locked(&Side::BOTH).inspect_err(|_| self.owes = true),
            _ => self.settle_over().or_else(|refused| {
                let is_as_wanted = self.lock_as_taken();
                self.owe();
                if is_as_wanted { Ok(()) } else { Err(refused) }
            }),
        }
    }

    fn renew_locked(&mut self, sides: &[Side]) -> Result<(), Failure> {
        let mut batch = Batch::default();
        for &side in sides {
            batch.push(element::clear(side, LOCKED));
            self.add_locked(side, &mut batch);
        }
        self.socket.commit(batch).map_err(|error| Failure::kernel("lock down with", &error))
    }

    /// Takes what the network is like now, and mends whatever is not as it should be, bans excepted: what somebody has changed, and
    /// what the kernel has refused before. [`Table::state`] says whether there was something to mend.
    pub(super) fn guard(&mut self, network: Network, depth: Depth) -> Result<(), Failure> {
        let before = (self.interfaces.clone(), self.layout.clone());
        self.take(network);
        if self.is_staged() {
            return Ok(());
        }
        let was_owed = self.owes;
        let is_changed = self.is_changed(depth).map_err(|error| {
            // Nothing was said: the next order is to find the network as new as this one did.
            (self.interfaces, self.layout) = before.clone();
            Failure::kernel("read", &error)
        })?;
        let mut refused = None;
        if is_changed || was_owed {
            refused = self.say_again()?;
        } else if (&self.interfaces, &self.layout) != (&before.0, &before.1) || !self.unread.is_empty() {
            self.settle().inspect_err(|_| self.owe())?;
        }
        self.mended.is_changed |= is_changed;
        refused.map_or(Ok(()), Err)
    }

    /// Lets the thread that reads whole sets tell how much they hold.
    pub(super) fn hear_from(&mut self, told: Told) {
        self.counts.hear_from(told);
    }

    /// How things stand, and what was mended since this was asked last.
    pub(super) fn state(&mut self) -> State {
        self.has_allow |= self.is_allow_ordered && self.owes_allow.is_empty() && !self.is_staged();
        State { mended: std::mem::take(&mut self.mended), owes: self.owes, has_allow: self.has_allow }
    }

    fn take(&mut self, network: Network) {
        let Network { interfaces, carriers, sends_from } = network;
        self.interfaces = interfaces.into_iter().collect();
        self.layout.carriers = carriers;
        if let Some(scan) = &mut self.layout.scan {
            scan.sends_from = sends_from;
        }
    }

    /// Has somebody changed chains, rules, sets, allowlist or lockdown? While the kernel refuses what is wanted, what it took last counts.
    fn is_changed(&mut self, depth: Depth) -> io::Result<bool> {
        let mut is_changed = false;
        // Both are read: of each it is to be known what is to be said again.
        for side in Side::BOTH {
            is_changed |= self.is_side_changed(side, depth)? | self.is_lock_changed(side)?;
        }
        Ok(is_changed)
    }

    /// The chain of an interface that is gone may be gone, too.
    fn are_rules_as_left(&mut self, sides: &[Side]) -> io::Result<bool> {
        let sides: &[Side] = &sides.iter().copied().filter(|side| !self.unread.contains(side)).collect::<Vec<_>>();
        let now = found::picture(&mut self.socket, sides)?;
        let chains: BTreeSet<String> = self.interfaces.iter().map(|name| objects::base_chain(name)).collect();
        let may_be_gone =
            |(side, chain): &(Side, String)| *side == Side::Ingress && chain.starts_with(FROM) && !chains.contains(chain);
        Ok(self.picture.of(sides).is_still(&now, may_be_gone))
    }

    pub(super) fn is_locked_as_left(&mut self, side: Side) -> io::Result<bool> {
        let there = self.read_locked(side)?;
        Ok(match (self.locked.left(), there) {
            (Lock::Off, Lock::Off) => true,
            // A moment longer than we thought.
            (Lock::Off, Lock::For(there)) => there <= SLACK_MS,
            (Lock::Off, Lock::Confirmed) => false,
            (Lock::Confirmed, there) => there == Lock::Confirmed,
            (Lock::For(left), Lock::For(there)) => there.abs_diff(left) <= SLACK_MS,
            // About to end.
            (Lock::For(left), _) => left <= SLACK_MS,
        })
    }

    /// The counters of both sides, in their order.
    pub(super) fn counters(&mut self) -> io::Result<Vec<u64>> {
        let mut counted = Vec::new();
        for (side, names) in [(Side::Ingress, &ingress::COUNTERS[..]), (Side::Stack, &stack::COUNTERS[..])] {
            let all = found::counters(&mut self.socket, side)?;
            counted.extend(names.iter().map(|name| all.get(*name).copied().unwrap_or(0)));
        }
        Ok(counted)
    }

    /// Removes the tables.
    pub(super) fn release(&mut self) -> Result<(), Failure> {
        remove_tables(&mut self.socket).map(drop).map_err(|error| Failure::kernel("remove", &error))
    }

    /// Is nothing of ours to stay when the daemon ends?
    pub(super) const fn releases(&self) -> bool {
        self.releases && !self.is_staged()
    }
}
