//! The one owner of the kernel's tables and links.

mod keeping;
mod lasting;
mod lockdown;
mod mending;

use crate::{
    Auditor, Counters, Drift, Error, Knocks, Lookout, Options, Replaced, TestVerdict, bpf,
    compare::{self, Plan},
    deadline,
    grace::{self, Newcomers},
    link::Link,
    load,
    pins::Pins,
    probe::{self, Tally},
    report::Fill,
    spot::{Spot, Table},
    start::{self, Attached, Parts, Pending},
    steering::Steering,
    steps::{self, Steps},
    system,
    tables::Tables,
    ticks::Clock,
};
use aya::{
    Ebpf,
    programs::{TestRun, TestRunOptions, TestRunResult, Xdp},
};
use honeymesh_types::{Enforcement, MonoTime, Now, Subject};
use honeymesh_xdp_abi::{BanEntry, Gates, Settings, TRAP_V4, TRAP_V6, table};
use lasting::{Depth, Owed, Taken, TooLarge};
use std::{cell::RefCell, collections::BTreeSet, fmt, os::fd::AsFd, os::fd::BorrowedFd, time::Duration};

/// `XDP_DROP`.
const XDP_DROP: u32 = 1;
/// `XDP_TX`.
const XDP_TX: u32 = 3;
/// How often raising also sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How many bans are entered at a time, so that memory answers for one while the next is asked for.
const BATCH: usize = 32;
/// By which the program asks for bans of single hosts.
const EXACT_GATES: Gates = Table::Bans4.gates().with(Table::Bans6.gates(), true);
/// By which it asks for those of prefixes.
const PREFIX_GATES: Gates = Table::Nets4.gates().with(Table::Nets6.gates(), true);
/// How often a full table is looked through for bans that have ended.
const MAKE_ROOM_EVERY: Duration = Duration::from_secs(1);

/// The kernel's tables and links. After [`Kernel::attach`] nothing here needs a capability on Linux 5.19 or later.
pub struct Kernel {
    object: Ebpf,
    tables: Tables,
    newcomers: Newcomers,
    /// Once attached.
    steps: Option<Steps>,
    links: Vec<Link>,
    pins: Option<Pins>,
    replaced: Option<Replaced>,
    /// As they are wanted, whether the kernel took them or not.
    settings: Settings,
    owed: Owed,
    taken: Taken,
    too_large: TooLarge,
    /// For [`Kernel::has_allow`].
    has_allow: bool,
    /// For [`Kernel::take_mended`].
    mended: Drift,
    /// Since the last [`Kernel::guard`].
    is_recounted: bool,
    swept: MonoTime,
    room_made: Option<MonoTime>,
    auditor: Option<Auditor>,
    /// Until it is attached.
    pending: Option<Pending>,
    lookout: RefCell<Lookout>,
    is_probing: bool,
    is_probe_allowed: [bool; 2],
    tally: Tally,
    steering: Steering,
}

impl Kernel {
    /// [`Kernel::prepare`] and [`Kernel::attach`], for whoever has nothing to enter in between.
    ///
    /// # Errors
    /// Any [`Error`]; what this call had made is undone.
    pub fn start(options: &Options) -> Result<(Self, Knocks), Error> {
        let (mut kernel, knocks) = Self::prepare(options)?;
        kernel.attach()?;
        Ok((kernel, knocks))
    }

    /// Loads the program, and adopts the tables that an earlier start has pinned or makes new ones. On the interfaces
    /// nothing changes yet: what an earlier start has attached goes on with its own tables. Now the tables are made to
    /// hold what they should ([`Kernel::set_allow`], [`Kernel::set_local`], [`Kernel::reconcile`]), and then
    /// [`Kernel::attach`] lets the program work with them. Mounts the BPF file system if there is none.
    ///
    /// Tables of another version are not read, those of another size or kind are copied as far as they fit.
    ///
    /// A first start has an empty allowlist, no local addresses (so nothing is a probe yet) and enforces; a later one
    /// goes on with what it adopts.
    ///
    /// # Errors
    /// Any [`Error`]; what this call had made is undone.
    pub fn prepare(options: &Options) -> Result<(Self, Knocks), Error> {
        let (parts, knocks) = start::prepare(options)?;
        let Parts { object, tables, settings, auditor, allow_watch, pending } = parts;
        let lookout = RefCell::new(lookout(&object, options)?);
        let kernel = Self {
            object,
            tables,
            newcomers: Newcomers::default(),
            steps: None,
            links: Vec::new(),
            pins: None,
            replaced: None,
            settings,
            owed: Owed::default(),
            taken: Taken::new(settings, allow_watch),
            too_large: TooLarge::default(),
            has_allow: false,
            mended: Drift::default(),
            is_recounted: false,
            swept: MonoTime::default(),
            room_made: None,
            auditor: Some(auditor),
            pending: Some(pending),
            lookout,
            is_probing: false,
            is_probe_allowed: [false; 2],
            tally: Tally::default(),
            steering: Steering::default(),
        };
        Ok((kernel, knocks))
    }

    /// Puts the program on the interfaces, in one step in place of an earlier start's, and pins. Then what other versions
    /// and sizes have left is removed. Does nothing if it was done.
    ///
    /// # Errors
    /// Any [`Error`] of attaching or pinning; what [`Kernel::prepare`] and this call had made is undone, and the kernel is
    /// good for nothing but to be dropped.
    pub fn attach(&mut self) -> Result<(), Error> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let Attached { steps, links, steering, pins, replaced } = pending.attach(&mut self.object)?;
        self.replaced = replaced;
        (self.steps, self.links, self.steering, self.pins) = (Some(steps), links, steering, pins);
        let lookout = self.lookout.get_mut();
        lookout.steering(self.steering.program_id());
        lookout.heed(self.steering.handles());
        self.tables.settle();
        self.tables.rest();
        Ok(())
    }

    /// What of another version [`Kernel::attach`] has replaced.
    #[must_use]
    pub const fn replaced(&self) -> Option<Replaced> {
        self.replaced
    }

    /// Enters a ban, or changes it in place: its drops so far stay counted, and a changed scope leaves one entry.
    /// `until` is turned into the kernel's clock: an exact ban ends never early and at most 130 ms late. A ban that has
    /// ended already is removed.
    ///
    /// Packets that are dropped in the very moment of a change may go uncounted.
    ///
    /// # Errors
    /// [`Error::Full`] and nothing changed, or [`Error::Table`]: if only the settings cannot be written by which it would be asked for, it is
    /// in its table, and dropped as soon as the kernel takes those. Settings that do not matter to it are no error.
    pub fn raise(&mut self, what: &Enforcement, now: Now) -> Result<(), Error> {
        if self.is_probes(&what.subject) {
            return Ok(());
        }
        if !deadline::is_ahead(what.until, now) {
            return self.lift(&what.subject).map(|_| ());
        }
        let (home, clock) = (Spot::home(&what.subject), self.tables.clock());
        self.enter(&home, what, now, &clock)?;
        self.newcomers.add(&home, &what.subject);
        // In the kernel by now: a flood does not wait for book-keeping.
        self.open_gates(home.table().gates())?;
        if let Some(placed) = Spot::placed(&what.subject)
            && let Some(own) = self.tables.get(&placed)?
        {
            self.tables.put(&home, BanEntry { hits: own.hits, ..deadline::entry(what, 0, now) }, &clock)?;
            self.tables.remove(&placed)?;
        }
        self.sweep_now_and_then(now);
        Ok(())
    }

    /// Into the table. If that is full, bans that have ended make room first.
    fn enter(&mut self, home: &Spot, what: &Enforcement, now: Now, clock: &Clock) -> Result<(), Error> {
        let entry = deadline::entry(what, 0, now);
        match self.tables.put(home, entry, clock) {
            Err(Error::Full { .. }) if self.makes_room(now)? => self.tables.put(home, entry, clock).map(|_| ()),
            done => done.map(|_| ()),
        }
    }

    fn makes_room(&mut self, now: Now) -> Result<bool, Error> {
        if self.room_made.is_some_and(|made| now.mono.since(made) < MAKE_ROOM_EVERY) {
            return Ok(false);
        }
        self.room_made = Some(now.mono);
        Ok(self.tables.sweep(deadline::boot_ns(now))? > 0)
    }

    /// A scan that user space learns of ends in a ban, so raising is the moment to make room for the kernel's own.
    fn sweep_now_and_then(&mut self, now: Now) {
        if now.mono.since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now.mono;
        if let Err(error) = self.sweep_placed(now) {
            tracing::warn!(%error, "ended entries of the kernel stay");
        }
    }

    /// Removes whatever entry stands for `subject`; for one address of a /64 that the kernel silenced, that silence too.
    /// `false` if there was none.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn lift(&mut self, subject: &Subject) -> Result<bool, Error> {
        if self.is_probes(subject) {
            return Ok(false);
        }
        let held = self.held(subject)?;
        for (spot, _) in &held {
            self.newcomers.make_way(spot, subject);
            self.tables.remove(spot)?;
        }
        self.close_gates();
        Ok(!held.is_empty())
    }

    /// What is banned for the probe stays as it is, whoever wants it otherwise.
    fn is_probes(&self, subject: &Subject) -> bool {
        self.is_probing && probe::banned().contains(subject)
    }

    /// The entries that stand for `subject`.
    fn held(&self, subject: &Subject) -> Result<Vec<(Spot, BanEntry)>, Error> {
        let mut held = Vec::new();
        for spot in Spot::all(subject) {
            if let Some(entry) = self.tables.get(&spot)? {
                held.push((spot, entry));
            }
        }
        Ok(held)
    }

    /// Has the program ask for the tables that hold something. What the kernel refuses stays owed, and is an error only for whoever needs
    /// one of these gates that is not open.
    fn open_gates(&mut self, needed: Gates) -> Result<(), Error> {
        let wanted = self.tables.counts().gates(self.settings.gates);
        let done = self.order(|kernel| kernel.set_gates(wanted));
        if self.taken.gates().has(Gates(wanted.0 & needed.0)) { Ok(()) } else { done }
    }

    /// What holds nothing needs not be asked for; that it is asked for all the same harms nobody.
    fn close_gates(&mut self) {
        let _stays_owed = self.open_gates(Gates::default());
    }

    fn set_gates(&mut self, gates: Gates) -> Result<(), Error> {
        self.set_settings(Settings { gates, ..self.settings })
    }

    /// Gives connections to dark ports to these listening TCP sockets, one of each family. They must listen on an address
    /// that strangers cannot reach, such as loopback: then they are met through dark ports only, and `getsockname` of what
    /// they accept tells which. Only while they are there does the program shake hands by itself in a flood; when their process
    /// ends, dark ports are closed ports again. Without [`crate::Dark::Trap`] nobody is given to them.
    ///
    /// # Errors
    /// [`Error::Table`]: no TCP socket, or it does not listen.
    pub fn arm(&mut self, v4: Option<BorrowedFd<'_>>, v6: Option<BorrowedFd<'_>>) -> Result<(), Error> {
        let sockets = [(TRAP_V4, v4), (TRAP_V6, v6)].into_iter();
        sockets
            .filter_map(|(index, socket)| Some((index, socket?)))
            .try_for_each(|(index, socket)| self.tables.set_trap(index, socket))
    }

    /// Enforce, or only count what would be dropped (mode `observe`): then nothing is dropped and nobody is silenced.
    ///
    /// # Errors
    /// [`Error::Table`]: the mode before holds, and this is said again with every [`Kernel::guard`] until the kernel takes it.
    pub fn set_enforcing(&mut self, on: bool) -> Result<(), Error> {
        let gates = self.settings.gates.with(Gates::ENFORCING, on);
        self.order(|kernel| kernel.set_gates(gates))
    }

    /// Packets that the entry of `subject` has dropped (or would have); 0 if there is none, or it cannot be read.
    #[must_use]
    pub fn drops(&self, subject: &Subject) -> u64 {
        let held = self.held(subject).unwrap_or_default();
        held.iter().map(|(_, entry)| entry.hits).fold(0, u64::saturating_add)
    }

    /// Many subjects are to be asked for one after the other ([`Kernel::drops`]), or no more: meanwhile the tables are mapped whole (at most
    /// some 45 octets a ban that there is room for), because a window for each would take longer than all else. A reconciliation ends it, too.
    pub fn look_everywhere(&mut self, on: bool) {
        if on { self.tables.spread_for(0, usize::MAX) } else { self.tables.rest() }
    }

    /// Makes the kernel equal to `intent` and says what was different. Also removes expired entries. The faster the better
    /// `intent` is sorted by subject.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Table`]; part of the difference may have been mended, and [`Kernel::take_mended`] tells what of settings
    /// was. What does not fit is left out, the rest is entered all the same. What was ordered for long and is refused again is no error
    /// here: it stays owed, and [`Kernel::probed`] tells it.
    pub fn reconcile(&mut self, intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
        self.is_recounted = false;
        self.tables.spread_for(0, intent.len());
        let drift = self.make_equal(intent, now);
        self.tables.rest();
        drift
    }

    fn make_equal(&mut self, intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
        let plan = self.plan(intent, now)?;
        let was_owed = self.owed.is_any();
        if !plan.remove.is_empty() {
            self.recount()?;
        }
        self.tables.spread_for(plan.raise.len() + plan.remove.len(), 0);
        let carried = self.carry_out(&plan, now);
        self.close_gates();
        let placed = self.place_again();
        // What is refused of it stays owed, and is no reason to hold anything else up.
        let _stays_owed = self.say_lasting();
        self.mended.settings_changed |= plan.drift.settings_changed;
        self.mended.taken |= was_owed && !self.owed.is_any();
        let probe = self.guard_probe().map(|_| ());
        let swept = self.sweep(now).map(|_| ());
        carried.and(placed).and(probe).and(swept)?;
        let Drift { settings_changed, taken, .. } = self.take_mended();
        Ok(Drift { settings_changed, taken, ..plan.drift })
    }

    /// [`Drift::settings_changed`] and [`Drift::taken`] of what was mended since this was asked last and nobody was told: in passing, with a
    /// ban, or by a [`Kernel::reconcile`] that failed for something else.
    pub fn take_mended(&mut self) -> Drift {
        std::mem::take(&mut self.mended)
    }

    /// Checks what is not about single bans: [`Drift::detached`], [`Drift::unsteered`], [`Drift::settings_changed`] (the allowlist and own
    /// addresses among it), [`Drift::taken`], and the ban that the self-probe needs. What somebody else changed is said again, and so is
    /// what the kernel has refused before; a probe's ban that is gone is entered again. An allowlist of more than 1,024 prefixes is only
    /// compared if an [`Auditor`] has found it doubtful.
    ///
    /// # Errors
    /// [`Error::Table`] or [`Error::Full`]; part of it may have been mended, and [`Kernel::take_mended`] tells it.
    pub fn guard(&mut self) -> Result<Drift, Error> {
        self.is_recounted = false;
        let is_tampered = self.is_tampered(Depth::Quick)?;
        let before = self.owed.each();
        let said = if is_tampered || self.owed.is_any() { self.order(Self::say_again) } else { Ok(()) };
        // What is refused keeps nothing else back, and what was mended all the same is told.
        let is_refused_now = before != self.owed.each();
        let is_mended = said.is_ok() || (!is_refused_now && self.is_tampered(Depth::Quick).is_ok_and(|is_still| !is_still));
        self.mended.settings_changed |= is_tampered && is_mended;
        let probe = self.guard_probe();
        said?;
        let missing = probe?.missing;
        let Drift { detached, unsteered, .. } = self.off();
        Ok(Drift { missing, detached, unsteered, ..self.take_mended() })
    }

    /// What reads the tables from another thread; `None` once it was taken.
    pub fn take_auditor(&mut self) -> Option<Auditor> {
        self.auditor.take()
    }

    /// All of it, but of what is refused the first error. One prefix may stand for what has many entries, or the other way
    /// around, and nobody shall slip through in between: so prefixes come first and go last, unless their table is full; whoever stands
    /// in for others is asked for before they go, so where the kernel refuses that, they stay; and packets under way are waited for.
    fn carry_out(&mut self, plan: &Plan, now: Now) -> Result<(), Error> {
        let mut late = Vec::new();
        self.enter_all(&plan.raise, Spot::is_prefix, now, |what, _| late.push(*what))?;
        let by_prefixes = self.open_gates(PREFIX_GATES);
        // What is too much goes first: it may be in the way of what is missing.
        if by_prefixes.is_ok() {
            self.make_way(plan, Spot::is_prefix);
            self.remove_all(plan.remove.iter().filter(|spot| !spot.is_prefix()))?;
        }
        let mut refused = None;
        self.enter_all(&plan.raise, |spot| !spot.is_prefix(), now, |_, error| refused = refused.take().or(Some(error)))?;
        let one_by_one = self.open_gates(EXACT_GATES);
        if one_by_one.is_ok() {
            self.make_way(plan, |spot| !spot.is_prefix());
            self.remove_all(plan.remove.iter().filter(|spot| spot.is_prefix()))?;
        }
        self.enter_all(&late, Spot::is_prefix, now, |_, error| refused = refused.take().or(Some(error)))?;
        refused.map_or(Ok(()), Err).and(by_prefixes).and(one_by_one)
    }

    /// Before others go, those packets pass that may not have seen what was entered at places that are `entered`.
    fn make_way(&self, plan: &Plan, entered: fn(&Spot) -> bool) {
        let has_come = || plan.raise.iter().any(|what| entered(&Spot::home(&what.subject)));
        if plan.remove.iter().any(|spot| !entered(spot)) && has_come() {
            grace::pass();
        }
    }

    fn remove_all<'a>(&mut self, mut spots: impl Iterator<Item = &'a Spot>) -> Result<(), Error> {
        spots.try_for_each(|spot| self.tables.remove(spot).map(|_| ()))
    }

    /// Enters those whose places are `wanted`; what finds no room is `refused`.
    fn enter_all(
        &mut self,
        all: &[Enforcement],
        wanted: fn(&Spot) -> bool,
        now: Now,
        mut refused: impl FnMut(&Enforcement, Error),
    ) -> Result<(), Error> {
        let placed: BTreeSet<Spot> = self.tables.placed()?.into_iter().map(|(spot, _)| spot).collect();
        let clock = self.tables.clock();
        for batch in all.chunks(BATCH) {
            self.tables.warm(batch.iter().map(|what| Spot::home(&what.subject)).filter(wanted));
            for what in batch {
                let home = Spot::home(&what.subject);
                if !wanted(&home) {
                    continue;
                }
                let entered = match Spot::placed(&what.subject).filter(|_| !placed.is_empty()) {
                    Some(spot) if placed.contains(&spot) => self.raise(what, now),
                    _ => self.enter(&home, what, now, &clock),
                };
                match entered {
                    Err(error @ Error::Full { .. }) => refused(what, error),
                    done => done?,
                }
            }
        }
        Ok(())
    }

    /// Writes again what somebody may have written over.
    fn say_again(&mut self) -> Result<(), Error> {
        let placed = self.place_again();
        placed.and(self.say_lasting())
    }

    /// The same, but for what is ordered for long.
    fn place_again(&mut self) -> Result<(), Error> {
        self.tables.restore_fronts();
        if self.steps.is_some() {
            self.steps = Some(steps::place(&mut self.object)?);
        }
        Ok(())
    }

    /// Has somebody changed what is not about single bans?
    fn is_tampered(&self, depth: Depth) -> Result<bool, Error> {
        let has_steps = self.steps.as_ref().map_or(Ok(true), |steps| steps.are_there(&self.object))?;
        Ok(!has_steps || !self.tables.is_intact() || !self.is_as_taken(depth)?)
    }

    /// Says how the kernel differs from `intent`, and changes nothing.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn audit(&self, intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
        self.plan(intent, now).map(|plan| plan.drift)
    }

    fn plan(&self, intent: &[Enforcement], now: Now) -> Result<Plan, Error> {
        let clock = self.tables.clock();
        let mut plan = self.tables.actual(|actual| compare::compare(actual, intent, now, &clock))?;
        probe::leave_out(&mut plan);
        let Drift { detached, unsteered, .. } = self.off();
        (plan.drift.detached, plan.drift.unsteered) = (detached, unsteered);
        plan.drift.settings_changed = self.is_tampered(Depth::Whole)?;
        Ok(plan)
    }

    /// Removes entries whose end has come: they drop nothing any more, they only use up room and budget. That is exact bans
    /// and what the kernel placed by itself; prefixes go by [`Kernel::lift`] or [`Kernel::reconcile`]. How many went.
    ///
    /// [`Kernel::raise`] does so once a minute for what the kernel placed, and for bans if there is no room;
    /// [`Kernel::reconcile`] does all of it.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn sweep(&mut self, now: Now) -> Result<usize, Error> {
        let swept = self.tables.sweep(deadline::boot_ns(now))?;
        self.close_gates();
        Ok(swept + self.sweep_placed(now)?)
    }

    fn sweep_placed(&mut self, now: Now) -> Result<usize, Error> {
        let placed = self.tables.placed()?;
        let ended = placed.iter().filter(|(_, entry)| !entry.is_live(deadline::boot_ns(now)));
        let mut swept = 0;
        for (spot, _) in ended {
            swept += usize::from(self.tables.remove(spot)?);
        }
        Ok(swept)
    }

    /// What was counted so far, summed over all CPUs. What the self-probe added is left out.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn counters(&self) -> Result<Counters, Error> {
        self.tables.counters().map(|counters| self.tally.taken_from(counters))
    }

    /// How many bans user space has in the kernel, expired ones included until they are lifted, swept or reconciled.
    #[must_use]
    pub fn bans(&self) -> usize {
        self.tables.counts().total().saturating_sub(if self.is_probing { probe::banned().len() } else { 0 })
    }

    /// How full each table is.
    #[must_use]
    pub fn fill(&self) -> Fill {
        self.tables.fill()
    }

    /// Runs the program on a frame without a wire, `repeat` times: a self-test, and a measure of its cost. Tables and
    /// counters change as they would for a real frame. Its sockets are those of the calling thread's network namespace.
    ///
    /// # Errors
    /// [`Error::Privilege`], or [`Error::Refused`]: fewer than 14 octets.
    pub fn try_frame(&self, frame: &[u8], repeat: u32) -> Result<TestVerdict, Error> {
        let result = self.test_run(frame, None, repeat)?;
        Ok(TestVerdict { dropped: result.return_value == XDP_DROP, cost: result.duration })
    }

    /// Runs the program once on a frame without a wire, and says what it would send back, if anything.
    ///
    /// # Errors
    /// As for [`Kernel::try_frame`].
    pub fn try_answer(&self, frame: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut answer = vec![0; frame.len()];
        let result = self.test_run(frame, Some(&mut answer), 1)?;
        answer.truncate(usize::try_from(result.data_size_out).unwrap_or(0));
        Ok((result.return_value == XDP_TX).then_some(answer))
    }

    fn test_run(&self, frame: &[u8], answer: Option<&mut [u8]>, repeat: u32) -> Result<TestRunResult, Error> {
        let missing = || Error::Refused("the program is not loaded".into());
        let program: &Xdp = self.object.program(table::PROGRAM).ok_or_else(missing)?.try_into().map_err(|_| missing())?;
        let mut run = TestRunOptions::new();
        run.data_in = Some(frame);
        run.data_out = answer;
        run.repeat = repeat;
        program.test_run(run).map_err(|error| match system::errno(&error) {
            denied if system::is_denied(denied) => Error::Privilege { doing: "run the XDP program".into() },
            _ => Error::Refused(error.to_string()),
        })
    }

    /// Detaches everywhere, removes every pin and the pin directory: nothing stays. Needs the power that made the pins.
    ///
    /// # Errors
    /// [`Error::Pin`]; what could be removed is removed.
    pub fn release(self) -> Result<(), Error> {
        self.steering.detach();
        self.links.iter().for_each(Link::detach);
        self.pins.or_else(|| self.pending.and_then(Pending::into_pins)).map_or(Ok(()), Pins::remove)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { links, pins, settings, tables, .. } = self;
        let mut all = f.debug_struct("Kernel");
        all.field("links", links).field("pins", pins).field("settings", settings).field("counts", &tables.counts());
        all.finish_non_exhaustive()
    }
}

fn lookout(object: &Ebpf, options: &Options) -> Result<Lookout, Error> {
    let failed = |error: std::io::Error| Error::Keeper(format!("the interfaces cannot be looked at: {error}"));
    let id = bpf::program_info(load::loaded_program(object)?.as_fd()).map_err(failed)?.id;
    Lookout::new(options.interfaces.clone(), id).map_err(failed)
}
