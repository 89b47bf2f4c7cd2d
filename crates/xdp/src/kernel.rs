//! The one owner of the kernel's tables and links.

use crate::{
    Auditor, Counters, Drift, Error, InterfaceStatus, Knocks, Options, TestVerdict,
    attach::Link,
    compare::{self, Plan},
    counts::{Counts, Limits},
    deadline,
    load::{LOCAL_MAX, NETS_MAX},
    pins::Pins,
    spot::{Spot, Table},
    start::{self, Parts},
    system,
    tables::Tables,
};
use aya::{
    Ebpf,
    programs::{TestRun, TestRunOptions, Xdp},
};
use honeymesh_types::{Enforcement, MonoTime, Now, Subject};
use honeymesh_xdp_abi::{AddressKey, BanEntry, Gates, NetKey4, NetKey6, Settings, table};
use ipnet::IpNet;
use std::{fmt, net::IpAddr, time::Duration};

/// `XDP_DROP`.
const XDP_DROP: u32 = 1;
/// How often raising also sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The kernel's tables and links. After [`Kernel::start`] nothing here needs a capability on Linux 5.19 or later.
pub struct Kernel {
    object: Ebpf,
    tables: Tables,
    links: Vec<Link>,
    pins: Option<Pins>,
    settings: Settings,
    counts: Counts,
    limits: Limits,
    swept: MonoTime,
    auditor: Option<Auditor>,
}

impl Kernel {
    /// Loads the program, adopts what an earlier start has pinned, attaches (or replaces the program in place, without
    /// a gap) and pins. Mounts the BPF file system if there is none.
    ///
    /// A first start has an empty allowlist, no local addresses (so nothing is a probe yet) and enforces; a later one
    /// goes on with what it adopts.
    ///
    /// # Errors
    /// Any [`Error`]; what this call had made is undone.
    pub fn start(options: &Options) -> Result<(Self, Knocks), Error> {
        let (parts, knocks) = start::start(options)?;
        let Parts { object, tables, links, pins, settings, counts, auditor } = parts;
        let (limits, swept) = (Limits::new(options), MonoTime::default());
        let auditor = Some(auditor);
        Ok((Self { object, tables, links, pins, settings, counts, limits, swept, auditor }, knocks))
    }

    /// Enters a ban, or changes it in place: its drops so far stay counted, and a changed scope leaves one entry.
    /// `until` is turned into the kernel's clock; a ban that has ended already is removed.
    ///
    /// Packets that are dropped in the very moment of a change may go uncounted.
    ///
    /// # Errors
    /// [`Error::Full`] and nothing changed, or [`Error::Table`].
    pub fn raise(&mut self, what: &Enforcement, now: Now) -> Result<(), Error> {
        if !deadline::is_ahead(what.until, now) {
            return self.lift(&what.subject).map(|_| ());
        }
        let home = Spot::home(&what.subject, what.scope);
        let limit = self.limits.of(home.table());
        let entry = deadline::entry(what, 0, now);
        // In the kernel with the first call: a flood does not wait for book-keeping.
        let is_new = self.tables.insert_new(&home, entry, limit)?;
        if is_new {
            self.counts.add(home.table(), 1);
            self.open_gates()?;
        }
        let held = self.held(&what.subject)?;
        let hits = held.iter().map(|(_, entry)| entry.hits).fold(0, u64::saturating_add);
        let elsewhere = held.iter().filter(|(spot, _)| *spot != home);
        if !is_new || elsewhere.clone().next().is_some() {
            self.tables.insert(&home, BanEntry { hits, ..entry }, limit)?;
        }
        for (spot, _) in elsewhere {
            self.remove(spot)?;
        }
        self.open_gates()?;
        self.sweep_now_and_then(now);
        Ok(())
    }

    /// A scan that user space learns of ends in a ban, so raising is the moment to make room for the kernel's own.
    fn sweep_now_and_then(&mut self, now: Now) {
        if now.mono.since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now.mono;
        if let Err(error) = self.sweep(now) {
            tracing::warn!(%error, "ended entries of the kernel stay");
        }
    }

    /// Removes whatever entry stands for `subject`; for one address of a /64 that the kernel silenced, that silence too.
    /// `false` if there was none.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn lift(&mut self, subject: &Subject) -> Result<bool, Error> {
        let held = self.held(subject)?;
        for (spot, _) in &held {
            self.remove(spot)?;
        }
        self.open_gates()?;
        Ok(!held.is_empty())
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

    fn remove(&mut self, spot: &Spot) -> Result<(), Error> {
        if self.tables.remove(spot)? {
            self.counts.take(spot.table());
        }
        Ok(())
    }

    fn open_gates(&mut self) -> Result<(), Error> {
        self.set_gates(self.counts.gates(self.settings.gates))
    }

    fn set_gates(&mut self, gates: Gates) -> Result<(), Error> {
        if gates != self.settings.gates {
            let settings = Settings { gates, ..self.settings };
            self.tables.set_settings(settings)?;
            self.settings = settings;
        }
        Ok(())
    }

    /// Makes the kernel's allowlist equal to `nets`; what is added is added first.
    ///
    /// # Errors
    /// [`Error::Full`] (more than 65,536 prefixes of one family) or [`Error::Table`].
    pub fn set_allow(&mut self, nets: &[IpNet]) -> Result<(), Error> {
        let (mut nets4, mut nets6) = (Vec::new(), Vec::new());
        for net in nets {
            match Subject::new(*net).net() {
                IpNet::V4(net) => nets4.push(NetKey4::new(net.network().to_bits(), net.prefix_len().into())),
                IpNet::V6(net) => nets6.push(NetKey6::new(net.network().to_bits(), net.prefix_len().into())),
            }
        }
        self.tables.set_allow(&nets4, &nets6, NETS_MAX)
    }

    /// Makes the kernel's list of own addresses equal to `addrs`: only packets to these are ever probes.
    ///
    /// # Errors
    /// [`Error::Full`] (more than 4,096 addresses) or [`Error::Table`].
    pub fn set_local(&mut self, addrs: &[IpAddr]) -> Result<(), Error> {
        let keys: Vec<AddressKey> = addrs.iter().map(address_key).collect();
        self.tables.set_local(&keys, LOCAL_MAX)?;
        self.set_gates(self.settings.gates.with(Gates::LOCAL, !keys.is_empty()))
    }

    /// Enforce, or only count what would be dropped (mode `observe`): then nothing is dropped and nobody is silenced.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn set_enforcing(&mut self, on: bool) -> Result<(), Error> {
        self.set_gates(self.settings.gates.with(Gates::ENFORCING, on))
    }

    /// Packets that the entry of `subject` has dropped (or would have); 0 if there is none, or it cannot be read.
    #[must_use]
    pub fn drops(&self, subject: &Subject) -> u64 {
        let held = self.held(subject).unwrap_or_default();
        held.iter().map(|(_, entry)| entry.hits).fold(0, u64::saturating_add)
    }

    /// Makes the kernel equal to `intent` and says what was different. Also removes expired entries.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Table`]; part of the difference may have been mended.
    pub fn reconcile(&mut self, intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
        let plan = self.plan(intent, now)?;
        self.carry_out(&plan, now)?;
        self.open_gates()?;
        self.tables.set_settings(self.settings)?;
        self.sweep(now)?;
        Ok(plan.drift)
    }

    /// Compares what stands for one subject with what should (`None`: nothing), and mends it. What the kernel placed by
    /// itself is left alone.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Table`]; part of the difference may have been mended.
    pub fn mend(&mut self, subject: &Subject, what: Option<&Enforcement>, now: Now) -> Result<Drift, Error> {
        let mut held = self.held(subject)?;
        held.retain(|(spot, _)| spot.table() != Table::Placed);
        let plan = compare::compare(held, what.map_or(&[], std::slice::from_ref), now);
        self.carry_out(&plan, now)?;
        self.open_gates()?;
        Ok(plan.drift)
    }

    /// Checks what is not about single bans, in no time: [`Drift::detached`] and [`Drift::settings_changed`]. Settings that
    /// somebody else changed are said again.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn guard(&mut self) -> Result<Drift, Error> {
        let drift = Drift { detached: self.detached(), settings_changed: self.is_tampered()?, ..Drift::default() };
        if drift.settings_changed {
            self.tables.set_settings(self.settings)?;
        }
        Ok(drift)
    }

    /// What reads the tables from another thread; `None` once it was taken.
    pub fn take_auditor(&mut self) -> Option<Auditor> {
        self.auditor.take()
    }

    fn carry_out(&mut self, plan: &Plan, now: Now) -> Result<(), Error> {
        // What is too much goes first: it may be in the way of what is missing.
        for spot in &plan.remove {
            self.remove(spot)?;
        }
        for what in &plan.raise {
            self.raise(what, now)?;
        }
        Ok(())
    }

    fn detached(&self) -> Vec<String> {
        let off = self.links.iter().filter(|link| !link.is_attached());
        off.map(|link| link.name().to_owned()).collect()
    }

    fn is_tampered(&self) -> Result<bool, Error> {
        Ok(self.tables.settings()? != self.settings)
    }

    /// Says how the kernel differs from `intent`, and changes nothing.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn audit(&self, intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
        self.plan(intent, now).map(|plan| plan.drift)
    }

    fn plan(&self, intent: &[Enforcement], now: Now) -> Result<Plan, Error> {
        let mut actual = Vec::new();
        for table in Table::OURS {
            actual.extend(self.tables.entries(table)?);
        }
        let mut plan = compare::compare(actual, intent, now);
        plan.drift.detached = self.detached();
        plan.drift.settings_changed = self.is_tampered()?;
        Ok(plan)
    }

    /// Removes entries that the kernel placed by itself and whose end has come: they drop nothing any more, they only use
    /// up the budget. [`Kernel::raise`] does so once a minute and [`Kernel::reconcile`] always. (Entries of user space go
    /// by [`Kernel::lift`] or [`Kernel::reconcile`].) How many went.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn sweep(&mut self, now: Now) -> Result<usize, Error> {
        let placed = self.tables.entries(Table::Placed)?;
        let ended = placed.iter().filter(|(_, entry)| !entry.is_live(deadline::boot_ns(now)));
        let mut swept = 0;
        for (spot, _) in ended {
            swept += usize::from(self.tables.remove(spot)?);
        }
        Ok(swept)
    }

    /// What was counted so far, summed over all CPUs.
    ///
    /// # Errors
    /// [`Error::Table`].
    pub fn counters(&self) -> Result<Counters, Error> {
        self.tables.counters()
    }

    /// The guarded interfaces.
    #[must_use]
    pub fn interfaces(&self) -> Vec<InterfaceStatus> {
        self.links.iter().map(Link::status).collect()
    }

    /// How many bans user space has in the kernel, expired ones included until they are lifted or reconciled.
    #[must_use]
    pub fn bans(&self) -> usize {
        self.counts.total()
    }

    /// Runs the program on a frame without a wire, `repeat` times: a self-test, and a measure of its cost. Tables and
    /// counters change as they would for a real frame. Its sockets are those of the calling thread's network namespace.
    ///
    /// # Errors
    /// [`Error::Privilege`], or [`Error::Refused`]: fewer than 14 octets.
    pub fn try_frame(&self, frame: &[u8], repeat: u32) -> Result<TestVerdict, Error> {
        let missing = || Error::Refused("the program is not loaded".into());
        let program: &Xdp = self.object.program(table::PROGRAM).ok_or_else(missing)?.try_into().map_err(|_| missing())?;
        let mut run = TestRunOptions::new();
        run.data_in = Some(frame);
        run.repeat = repeat;
        let result = program.test_run(run).map_err(|error| match system::errno(&error) {
            denied if system::is_denied(denied) => Error::Privilege { doing: "run the XDP program".into() },
            _ => Error::Refused(error.to_string()),
        })?;
        Ok(TestVerdict { dropped: result.return_value == XDP_DROP, cost: result.duration })
    }

    /// Detaches everywhere, removes every pin and the pin directory: nothing stays. Needs the power that made the pins.
    ///
    /// # Errors
    /// [`Error::Pin`]; what could be removed is removed.
    pub fn release(self) -> Result<(), Error> {
        self.links.iter().for_each(Link::detach);
        self.pins.map_or(Ok(()), Pins::remove)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { links, pins, settings, counts, .. } = self;
        let mut all = f.debug_struct("Kernel");
        all.field("links", links).field("pins", pins).field("settings", settings).field("counts", counts);
        all.finish_non_exhaustive()
    }
}

fn address_key(addr: &IpAddr) -> AddressKey {
    match addr.to_canonical() {
        IpAddr::V4(addr) => AddressKey::v4(addr.to_bits()),
        IpAddr::V6(addr) => AddressKey::v6(addr.to_bits()),
    }
}
