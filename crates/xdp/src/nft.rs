//! The back end for machines without XDP: bans in nf_tables sets before the network stack, probes and scans of dark ports and
//! lockdowns within it, over netlink.
//!
//! Every change of nf_tables needs `CAP_NET_ADMIN`, which the daemon has given away. So a process of its own holds that and
//! nothing else ([`NftWriter`]), and [`Nft`] sends it orders from a closed list. There are two tables: `nft list table netdev
//! honeymesh` and `nft list table inet honeymesh` show everything.
//!
//! What it cannot do is in `docs/kernel/fallback.md`.

mod answers;
mod ask;
mod bytes;
mod compare;
mod counted;
mod dark;
mod element;
mod expression;
mod ingress;
mod lasting;
mod layout;
mod lines;
mod locked;
mod log;
mod looks;
mod memory;
mod objects;
mod orders;
mod probe;
mod proving;
mod shape;
mod side;
mod socket;
mod stack;
mod table;
#[cfg(feature = "testing")]
pub(crate) mod testing;
mod tier;
mod uapi;
mod writer;

use crate::{
    Counters, Dark, Drift, Error, InterfaceStatus, Knocks, Lookout, OnExit, Options, Replaced, deadline, lookout::Sight, system,
};
use answers::{elements, hear, silent, unexpected};
use compare::Plan;
use element::Element;
use honeymesh_types::{Enforcement, Now, Subject};
use ipnet::IpNet;
use lasting::Mended;
use layout::{Scan, SendsFrom, sends_from};
use lines::pair;
pub(crate) use log::Log;
#[cfg(feature = "testing")]
pub(crate) use log::{ends, records};
use nix::fcntl::Flock;
use orders::{Answer, Depth, Line, Network, Order, PER_ORDER_MAX};
use std::{
    cell::{Cell, RefCell},
    fs::File,
    io,
    os::fd::OwnedFd,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use table::{Beginning, Table};
use tier::{Class, Tier};
pub use writer::NftWriter;

/// It is there while the module is.
const LOADED: &str = "/sys/module/nf_tables";

/// Differences that are looked up one by one before they are believed; of more, what the whole table told is.
const CONFIRMED_MAX: usize = 65_536;

/// The writer's ends of its two lines to the daemon; `SOCK_SEQPACKET`.
#[derive(Debug)]
pub struct NftEnds {
    /// Orders come here.
    pub orders: OwnedFd,
    /// Here nothing comes but the wish to see all entries.
    pub looks: OwnedFd,
}

/// The bans in nf_tables, as far as an unprivileged process can have them: it gives orders to a [`NftWriter`].
///
/// The methods are those of [`crate::Kernel`] and do the same, with these differences: a call waits for the writer's
/// answer; entries that have ended are gone at once; a packet of an allowed source within a banned prefix passes, but is
/// among the prefix's drops.
#[derive(Debug)]
pub struct Nft {
    orders: RefCell<Line>,
    looks: Option<Line>,
    lookout: RefCell<Lookout>,
    wanted: Vec<String>,
    /// What the writer was told last.
    seen: Sight,
    /// How those stand.
    interfaces: Vec<InterfaceStatus>,
    sends_from: SendsFrom,
    /// The kernel has refused something that is wanted all the same.
    owes: bool,
    /// For [`Nft::has_allow`].
    has_allow: bool,
    /// For [`Nft::take_mended`].
    mended: Cell<Mended>,
    sees_probes: bool,
    weighs: bool,
    /// The version whose tables were there, and whether they still are.
    replaced: Option<u32>,
    is_pending: bool,
    plays_traps: bool,
    is_probing: bool,
    is_probe_allowed: [bool; 2],
    /// The allowlist that was ordered last: the one before holds.
    is_allow_too_large: bool,
    knocks: Option<Knocks>,
    knocks_lost: Arc<AtomicU64>,
    // What is before the others in the kernel is said by the kernel itself from Linux 6.9 on.
    _lock: Flock<File>,
}

impl Nft {
    /// Starts a writer and has it make the tables, or adopt those that an earlier writer left. They drop from now on; see
    /// also [`Nft::take_xdp_off`]. Tables of another version of ours go on as they are until [`Nft::attach`].
    ///
    /// `start_writer` gets the writer's ends and must see to it that an [`NftWriter`] runs with them, in this network
    /// namespace and with `CAP_NET_ADMIN`. It ends by itself when the [`Nft`] is dropped; what it did stays with
    /// [`OnExit::Hold`].
    ///
    /// # Errors
    /// Any [`Error`]; nothing was changed, unless it is [`Error::Nftables`].
    pub fn start(options: &Options, start_writer: impl FnOnce(NftEnds) -> io::Result<()>) -> Result<Self, Error> {
        options.check()?;
        let scan = Scan::of(options)?;
        system::interfaces(&options.interfaces)?;
        let lock = lines::lock()?;
        let failed = |doing: &'static str| move |source: io::Error| Error::Nftables { doing: doing.into(), source };
        let mut lookout = Lookout::for_nft(options.interfaces.clone()).map_err(failed("look at the interfaces of"))?;
        let seen = lookout.look().map_err(failed("look at the interfaces of"))?;
        let (orders, writers_orders) = pair()?;
        let (looks, writers_looks) = pair()?;
        start_writer(NftEnds { orders: writers_orders, looks: writers_looks })
            .map_err(failed("start the process that writes"))?;
        let orders = Line::new(orders);
        // Nobody may go on without audits: a writer that does not answer here ends, and everybody notices.
        let looks = Line::closing(looks, &orders).map_err(failed("hold the lines of"))?;
        let mut nft = Self {
            orders: RefCell::new(orders),
            looks: Some(looks),
            lookout: RefCell::new(lookout),
            wanted: options.interfaces.clone(),
            sends_from: scan.sends_from,
            interfaces: seen.interfaces.clone(),
            seen,
            owes: false,
            has_allow: false,
            mended: Cell::default(),
            sees_probes: false,
            weighs: false,
            replaced: None,
            is_pending: false,
            plays_traps: options.dark == Dark::Trap,
            is_probing: false,
            is_probe_allowed: [false; 2],
            is_allow_too_large: false,
            knocks: None,
            knocks_lost: Arc::default(),
            _lock: lock,
        };
        nft.open(options, scan)?;
        Ok(nft)
    }

    fn open(&mut self, options: &Options, scan: Scan) -> Result<(), Error> {
        let window = options.scan.window;
        let releases = options.exit == OnExit::Release;
        let order = Order::Open { network: self.network(&self.seen), max_bans: options.max_bans, releases, scan };
        match self.ask(&order).map_err(answers::absent)? {
            Answer::Opened { sees_probes, weighs, replaces } => {
                (self.sees_probes, self.weighs) = (sees_probes, weighs);
                (self.replaced, self.is_pending) = (replaces, replaces.is_some());
            }
            _ => return Err(unexpected()),
        }
        if self.sees_probes {
            self.listen(window);
        }
        Ok(())
    }

    /// Puts the tables in the place of another version's that were there at the start, in one transaction with everything that was
    /// ordered since: mode, never-ban set, lockdown, bans (the first 65,536 of them, prefixes before others; the rest follows at once).
    /// So no banned packet comes through in between. Until then orders are only remembered. Does nothing if it was done, or there were none.
    ///
    /// # Errors
    /// [`Error::Nftables`] or [`Error::NoNftables`]: the other version's tables go on.
    pub fn attach(&mut self) -> Result<(), Error> {
        if !self.is_pending {
            return Ok(());
        }
        match self.ask_to_attach().map_err(answers::absent)? {
            Answer::Opened { sees_probes, weighs, .. } => (self.sees_probes, self.weighs) = (sees_probes, weighs),
            _ => return Err(unexpected()),
        }
        self.is_pending = false;
        if !self.sees_probes {
            self.knocks = None;
        }
        // Which interfaces are guarded is known only now.
        let mended = self.look_again(Depth::Whole)?;
        self.note(mended);
        if let Some(replaced) = self.replaced() {
            tracing::info!("{replaced}");
        }
        Ok(())
    }

    /// The tables of another version that were there at the start.
    #[must_use]
    pub fn replaced(&self) -> Option<Replaced> {
        self.replaced.map(|version| Replaced { what: "nf_tables' tables", version, own: side::VERSION })
    }

    /// Sources are silenced whether somebody listens or not, so that nobody can is only told.
    fn listen(&mut self, window: std::time::Duration) {
        match Log::open(window) {
            Ok(log) => {
                self.knocks_lost = log.lost();
                self.knocks = Some(Knocks::of_log(log));
            }
            Err(error) => {
                tracing::warn!(%error, "the kernel's packet log cannot be read: scans are silenced, and nobody is told");
            }
        }
    }

    /// Are probes and scans of dark ports seen and silenced, and can a lockdown hold? Not where the kernel cannot tell its rules
    /// which packets have a socket.
    #[must_use]
    pub const fn sees_probes(&self) -> bool {
        self.sees_probes
    }

    /// Are reactions of silenced sources weighed, if that was asked for? Needs nft_numgen, and Linux 5.19 for coins that nobody can
    /// foresee.
    #[must_use]
    pub const fn weighs_reactions(&self) -> bool {
        self.weighs
    }

    /// What reads the probes and scans that the kernel tells of; `None` once it was taken, or where it tells none.
    pub fn take_knocks(&mut self) -> Option<Knocks> {
        self.knocks.take()
    }

    /// Takes off what an earlier start with XDP, of whatever version, has pinned and left on the interfaces: it would go on
    /// dropping, and nobody could lift that. To be called when the bans are in. There may be no such thing, or no BPF at all;
    /// what stays is told as a warning.
    pub fn take_xdp_off(&self, options: &Options) {
        match crate::release(&options.pin_dir) {
            Ok(removed) if removed.is_empty() => {}
            Ok(_) => tracing::info!("the XDP program of an earlier start is gone"),
            Err(error) => tracing::warn!(%error, "an XDP program of an earlier start may go on dropping"),
        }
    }

    /// Enters a ban, or changes it in place: its drops so far stay counted. A ban that has ended already is removed.
    ///
    /// # Errors
    /// [`Error::Full`] and nothing changed, or [`Error::Nftables`].
    pub fn raise(&mut self, what: &Enforcement, now: Now) -> Result<(), Error> {
        if self.is_probes(&what.subject) {
            return Ok(());
        }
        if !deadline::is_ahead(what.until, now) {
            return self.lift(&what.subject).map(|_| ());
        }
        self.insist(&Order::Raise { all: vec![compare::element(what, now)], are_new: false }).map(|_| ())
    }

    /// Removes whatever entry stands for exactly `subject`. `false` if there was none.
    ///
    /// # Errors
    /// [`Error::Nftables`].
    pub fn lift(&mut self, subject: &Subject) -> Result<bool, Error> {
        if self.is_probes(subject) {
            return Ok(false);
        }
        self.done(&Order::Lift(vec![subject.net()])).map(|lifted| lifted > 0)
    }

    /// Makes the allowlist equal to `nets`, in one step.
    ///
    /// # Errors
    /// [`Error::Full`] (more than 131,072 prefixes): what was ordered before holds, and [`Nft::probe`] tells it until an order fits. Or
    /// [`Error::Nftables`]: what held before holds in one of the tables at least, and this is said again with every [`Nft::guard`] until
    /// the kernel takes it.
    pub fn set_allow(&mut self, nets: &[IpNet]) -> Result<(), Error> {
        let done = self.say_allow(nets);
        self.is_allow_too_large = matches!(done, Err(Error::Full { .. }));
        if !self.is_allow_too_large {
            self.is_probe_allowed = crate::probe::is_allowed(nets);
        }
        done
    }

    fn say_allow(&mut self, nets: &[IpNet]) -> Result<(), Error> {
        let nets: Vec<IpNet> = nets.iter().map(|net| Subject::new(*net).net()).collect();
        let last = nets.len().div_ceil(PER_ORDER_MAX).saturating_sub(1);
        for (number, some) in nets.chunks(PER_ORDER_MAX).enumerate() {
            self.keep(&Order::Allow { nets: some.to_vec(), is_last: number == last })?;
        }
        if nets.is_empty() {
            self.keep(&Order::Allow { nets, is_last: true })?;
        }
        Ok(())
    }

    /// Enforce, or only count what would be dropped (mode `observe`).
    ///
    /// # Errors
    /// [`Error::Nftables`]: the mode before holds, and this is said again with every [`Nft::guard`] until the kernel takes it.
    pub fn set_enforcing(&mut self, on: bool) -> Result<(), Error> {
        self.keep(&Order::Enforcing(on))
    }

    /// Packets that the entry of `subject` has matched; 0 if there is none, or it cannot be read.
    #[must_use]
    pub fn drops(&self, subject: &Subject) -> u64 {
        self.held(subject).unwrap_or_default().iter().map(|held| held.hits).fold(0, u64::saturating_add)
    }

    /// Makes the table equal to `intent` and says what was different.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Nftables`]; part of the difference may have been mended. What does not fit is left out,
    /// the rest is entered all the same.
    pub fn reconcile(&mut self, intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
        let began = Instant::now();
        let held = self.elements(&Order::Dump)?;
        let is_empty = held.is_empty();
        let mut plan = compare::compare(held, intent, now);
        proving::leave_out(&mut plan);
        if !is_empty && plan.len() <= CONFIRMED_MAX {
            plan = self.confirmed(&plan, now, began)?;
        }
        let carried = self.carry_out(&plan, now, began);
        // Bans that find no room keep nobody out of the never-ban set.
        let Drift { detached, settings_changed, taken, .. } = self.guard()?;
        if carried.is_err() {
            self.note(Mended { is_changed: settings_changed, was_owed: taken });
        }
        carried?;
        Ok(Drift { detached, settings_changed, taken, ..plan.drift })
    }

    /// Compares what stands for one subject with what should (`None`: nothing), and mends it.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Nftables`]; part of the difference may have been mended. What the kernel placed by itself is
    /// left alone.
    pub fn mend(&mut self, subject: &Subject, what: Option<&Enforcement>, now: Now) -> Result<Drift, Error> {
        if self.is_probes(subject) {
            return Ok(Drift::default());
        }
        let began = Instant::now();
        let plan = self.difference(subject, what, now)?;
        self.carry_out(&plan, now, began)?;
        Ok(plan.drift)
    }

    fn difference(&self, subject: &Subject, what: Option<&Enforcement>, now: Now) -> Result<Plan, Error> {
        let mut held = self.held(subject)?;
        held.retain(|held| held.class != Class::Placed);
        Ok(compare::compare(held, what.map_or(&[], std::slice::from_ref), now))
    }

    /// What the whole table differs in, looked up one by one: while the kernel still moves the elements of a set that has just grown,
    /// it tells some of them twice and others not at all.
    fn confirmed(&self, plan: &Plan, now: Now, began: Instant) -> Result<Plan, Error> {
        let mut sure = Plan::default();
        for what in plan.enter.iter().chain(&plan.change) {
            sure.add(self.difference(&what.subject, Some(what), later(now, began))?);
        }
        for net in &plan.lift {
            sure.add(self.difference(&Subject::new(*net), None, later(now, began))?);
        }
        Ok(sure)
    }

    /// What sees the whole table from another thread; `None` once it was taken.
    pub fn take_auditor(&mut self) -> Option<NftAuditor> {
        self.looks.take().map(|line| NftAuditor { line: RefCell::new(line) })
    }

    /// What was counted since the tables were made, without the self-probe's frames. What this back end does not see stays 0.
    ///
    /// # Errors
    /// [`Error::Nftables`].
    pub fn counters(&self) -> Result<Counters, Error> {
        let Answer::Counted(all) = self.ask(&Order::Counters)? else { return Err(unexpected()) };
        Ok(counted::counters(&all, self.knocks_lost.load(Ordering::Relaxed)))
    }

    /// Removes the tables: nothing stays.
    ///
    /// # Errors
    /// [`Error::Nftables`].
    pub fn release(mut self) -> Result<(), Error> {
        self.done(&Order::Release).map(|_| ())
    }

    /// All of it, but of what does not fit the first error. `now` was when this `began`: much takes long, and what is left
    /// of a ban's time is said as it is entered.
    fn carry_out(&mut self, plan: &Plan, now: Now, began: Instant) -> Result<(), Error> {
        let is_prefix = |net: &IpNet| !Tier::of(Class::Ban, net).is_usual();
        let (nets, others): (Vec<IpNet>, Vec<IpNet>) = plan.lift.iter().partition(|net| is_prefix(net));
        let (new_nets, new): (Vec<Enforcement>, Vec<Enforcement>) =
            plan.enter.iter().partition(|what| is_prefix(&what.subject.net()));
        // A prefix may stand for what has many entries, or the other way around, and nobody shall slip through in between: so
        // prefixes come first and go last, unless their sets are full.
        let late = self.enter_all(&new_nets, true, now, began)?.map(|_| new_nets);
        self.lift_all(&others)?;
        let refused = self.enter_all(&plan.change, false, now, began)?.or(self.enter_all(&new, true, now, began)?);
        self.lift_all(&nets)?;
        let refused = refused.or(self.enter_all(&late.unwrap_or_default(), false, now, began)?);
        refused.map_or(Ok(()), Err)
    }

    fn lift_all(&mut self, all: &[IpNet]) -> Result<(), Error> {
        all.chunks(PER_ORDER_MAX).try_for_each(|some| self.done(&Order::Lift(some.to_vec())).map(|_| ()))
    }

    fn enter_all(&mut self, all: &[Enforcement], are_new: bool, now: Now, began: Instant) -> Result<Option<Error>, Error> {
        let mut refused = None;
        for some in all.chunks(PER_ORDER_MAX) {
            refused = refused.or(self.raise_all(some, are_new, later(now, began))?);
        }
        Ok(refused)
    }

    /// Enters what fits, and gives the first error about what does not.
    fn raise_all(&mut self, bans: &[Enforcement], are_new: bool, now: Now) -> Result<Option<Error>, Error> {
        let order = |some: &[Enforcement], are_new| Order::Raise {
            all: some.iter().map(|what| compare::element(what, now)).collect(),
            are_new,
        };
        match self.insist(&order(bans, are_new)) {
            Err(Error::Full { .. }) => {}
            done => return done.map(|_| None),
        }
        let mut refused = None;
        for what in bans.chunks(1) {
            // Some of them are in by now, and are not to be counted twice.
            match self.insist(&order(what, false)) {
                Err(error @ Error::Full { .. }) => refused = refused.or(Some(error)),
                done => drop(done?),
            }
        }
        Ok(refused)
    }

    fn held(&self, subject: &Subject) -> Result<Vec<Element>, Error> {
        self.elements(&Order::Held(subject.net()))
    }

    fn elements(&self, order: &Order) -> Result<Vec<Element>, Error> {
        elements(&mut self.orders.borrow_mut(), order)
    }

    fn ask(&self, order: &Order) -> Result<Answer, Error> {
        let mut line = self.orders.borrow_mut();
        line.say(order).map_err(|source| silent(&line, source))?;
        hear(&mut line)
    }
}

/// Sees the whole table, on a line of its own, so that nobody who bans waits for it.
#[derive(Debug)]
pub struct NftAuditor {
    line: RefCell<Line>,
}

impl NftAuditor {
    /// How the table differs from `intent`: a hint, because both may change meanwhile.
    ///
    /// # Errors
    /// [`Error::Nftables`]. If the process that writes could not be heard, it ends: without it there is no other audit.
    pub fn audit(&self, intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
        let held = elements(&mut self.line.borrow_mut(), &Order::Dump)?;
        let mut plan = compare::compare(held, intent, now);
        proving::leave_out(&mut plan);
        Ok(plan.drift)
    }
}

/// May this back end have left tables in this network namespace? To ask the kernel itself would load nf_tables where it is not used.
#[must_use]
pub fn may_have_nft() -> bool {
    Path::new(LOADED).exists() || lines::lock_path().is_ok_and(|path| path.exists())
}

/// Removes the tables that an earlier run of this back end left in this network namespace, of whatever version, and its lock. Were there
/// any tables? Asks the kernel, which may load nf_tables; see [`may_have_nft`].
///
/// # Errors
/// [`Error::InUse`] by a daemon that runs, or [`Error::Nftables`]: the kernel refused.
pub fn release_nft() -> Result<bool, Error> {
    let lock = lines::lock()?;
    let removed = remove_tables();
    // Also where the tables stay: whoever looks for them again asks the kernel.
    let unlocked = lines::remove(lock);
    removed.and_then(|any| unlocked.map(|()| any))
}

fn remove_tables() -> Result<bool, Error> {
    let mut socket = match socket::Socket::open() {
        Ok(socket) => socket,
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT)) => return Ok(false),
        Err(source) => return Err(Error::Nftables { doing: "open".into(), source }),
    };
    match table::remove_tables(&mut socket) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => Ok(false),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Err(answers::in_use()),
        other => other.map_err(|source| Error::Nftables { doing: "remove".into(), source }),
    }
}

/// What the kernel said to the rules, and to what they need apart.
#[derive(Debug)]
pub(crate) struct TriedRules {
    /// Rules about dark ports and lockdowns.
    pub(crate) sockets: io::Result<()>,
    /// Those that weigh reactions.
    pub(crate) coins: io::Result<()>,
    /// The one that hands connections to the trap.
    pub(crate) traps: io::Result<()>,
    /// What tells of probes and scans.
    pub(crate) log: io::Result<()>,
}

/// Has the kernel take all rules, in a network namespace that is nobody's, and tries apart what may be missing apart. `options` are such
/// that all of it is asked for.
pub(crate) fn try_rules(options: &Options) -> io::Result<TriedRules> {
    let network = Network { interfaces: Vec::new(), carriers: Vec::new(), sends_from: sends_from() };
    let scan = Scan::of(options).map_err(io::Error::other)?;
    let beginning = Beginning { network, max_bans: options.max_bans, releases: true, scan };
    let table = Table::open(socket::Socket::open()?, beginning);
    let mut table = table.map_err(|failure| failure.error())?;
    let sockets = table.refused().map_or(Ok(()), Err);
    let coins = match table.refused_coins() {
        Some(error) => Err(error),
        None if table.weighs() => Ok(()),
        // Not even asked for.
        None => {
            Err(io::Error::new(io::ErrorKind::Unsupported, "this kernel's random numbers can be foreseen by whoever saw enough"))
        }
    };
    let traps = match table.refused() {
        Some(error) => Err(error),
        None => table.arm([Some(1); 2]).map_err(|failure| failure.error()),
    };
    Ok(TriedRules { sockets, coins, traps, log: Log::open(options.scan.window).map(drop) })
}

fn later(now: Now, since: Instant) -> Now {
    let passed = since.elapsed();
    Now { wall: now.wall.plus(passed), mono: now.mono.plus(passed) }
}
