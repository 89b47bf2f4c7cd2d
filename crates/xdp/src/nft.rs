//! The back end for machines without XDP: bans in nf_tables sets before the network stack, over netlink.
//!
//! Every change of nf_tables needs `CAP_NET_ADMIN`, which the daemon has given away. So a process of its own holds that and
//! nothing else ([`NftWriter`]), and [`Nft`] sends it orders from a closed list. The table is `netdev honeymesh`:
//! `nft list table netdev honeymesh` shows everything.
//!
//! What it cannot do: it drops who is banned, and sees no scans. Silences of dark ports are kept, and not enforced.

mod bytes;
mod compare;
mod element;
mod expression;
mod orders;
mod ruleset;
mod socket;
mod table;
mod tier;
mod uapi;
mod writer;

use crate::{
    AttachMode, Counters, Drift, Error, InterfaceState, InterfaceStatus, OnExit, Options, Steered, attach, deadline,
    pins::Pins,
    system::{self, Interface},
};
use compare::Plan;
use element::Element;
use honeymesh_types::{Enforcement, Now, Subject};
use ipnet::IpNet;
use nix::{
    fcntl::{Flock, FlockArg},
    net::if_::if_nametoindex,
    sys::{
        socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt},
        time::TimeVal,
    },
};
use orders::{Answer, Failure, FailureKind, Line, Order, PER_ORDER_MAX};
use std::{
    cell::RefCell,
    fs::{self, File},
    io,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    time::Instant,
};
use tier::Class;
pub use writer::NftWriter;

/// How long the writer may take to answer. Then it is given up, which ends it.
const ANSWER_WAIT_SECONDS: i64 = 30;
/// Where a lock says that a network namespace's table is taken.
const LOCKS: &str = "/run/honeymesh";

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
/// among the prefix's drops; silences of dark ports (`scope` dark) are kept and drop nothing.
#[derive(Debug)]
pub struct Nft {
    orders: RefCell<Line>,
    looks: Option<Line>,
    interfaces: Vec<Interface>,
    // What is before the others in the kernel is said by the kernel itself from Linux 6.9 on.
    _lock: Flock<File>,
}

impl Nft {
    /// Starts a writer and has it make the table, or adopt the one that an earlier writer left. It drops from now on; see
    /// also [`Nft::take_xdp_off`].
    ///
    /// `start_writer` gets the writer's ends and must see to it that an [`NftWriter`] runs with them, in this network
    /// namespace and with `CAP_NET_ADMIN`. It ends by itself when the [`Nft`] is dropped; what it did stays with
    /// [`OnExit::Hold`].
    ///
    /// # Errors
    /// Any [`Error`]; nothing was changed, unless it is [`Error::Nftables`].
    pub fn start(options: &Options, start_writer: impl FnOnce(NftEnds) -> io::Result<()>) -> Result<Self, Error> {
        options.check()?;
        let interfaces = system::interfaces(&options.interfaces)?;
        let lock = lock()?;
        let (orders, writers_orders) = pair()?;
        let (looks, writers_looks) = pair()?;
        start_writer(NftEnds { orders: writers_orders, looks: writers_looks })
            .map_err(|source| Error::Nftables { doing: "start the process that writes".into(), source })?;
        let nft = Self { orders: RefCell::new(Line::new(orders)), looks: Some(Line::new(looks)), interfaces, _lock: lock };
        let names = nft.interfaces.iter().map(|interface| interface.name.clone()).collect();
        let releases = options.exit == OnExit::Release;
        nft.done(&Order::Open { interfaces: names, max_bans: options.max_bans, releases }).map_err(absent)?;
        Ok(nft)
    }

    /// Takes off what an earlier start with XDP has pinned and left on the interfaces: it would go on dropping, and nobody
    /// could lift that. To be called when the bans are in. There may be no such thing, or no BPF at all; what stays is
    /// told as a warning.
    pub fn take_xdp_off(&self, options: &Options) {
        let Ok(Some(pins)) = Pins::existing(&options.pin_dir) else { return };
        for pin in pins.all_links() {
            if let Err(error) = attach::take_off(&pin) {
                tracing::warn!(%error, "an XDP program of an earlier start stays");
            }
        }
        match pins.remove() {
            Ok(()) => tracing::info!("the XDP program of an earlier start is gone"),
            Err(error) => tracing::warn!(%error, "pins of an earlier start stay"),
        }
    }

    /// Enters a ban, or changes it in place: its drops so far stay counted. A ban that has ended already is removed.
    ///
    /// # Errors
    /// [`Error::Full`] and nothing changed, or [`Error::Nftables`].
    pub fn raise(&mut self, what: &Enforcement, now: Now) -> Result<(), Error> {
        if !deadline::is_ahead(what.until, now) {
            return self.lift(&what.subject).map(|_| ());
        }
        self.done(&Order::Raise { all: vec![compare::element(what, now)], are_new: false }).map(|_| ())
    }

    /// Removes whatever entry stands for exactly `subject`. `false` if there was none.
    ///
    /// # Errors
    /// [`Error::Nftables`].
    pub fn lift(&mut self, subject: &Subject) -> Result<bool, Error> {
        self.done(&Order::Lift(vec![subject.net()])).map(|lifted| lifted > 0)
    }

    /// Makes the allowlist equal to `nets`, in one step.
    ///
    /// # Errors
    /// [`Error::Full`] (more than 131,072 prefixes) or [`Error::Nftables`].
    pub fn set_allow(&mut self, nets: &[IpNet]) -> Result<(), Error> {
        let nets: Vec<IpNet> = nets.iter().map(|net| Subject::new(*net).net()).collect();
        let last = nets.len().div_ceil(PER_ORDER_MAX).saturating_sub(1);
        for (number, some) in nets.chunks(PER_ORDER_MAX).enumerate() {
            self.done(&Order::Allow { nets: some.to_vec(), is_last: number == last })?;
        }
        if nets.is_empty() {
            self.done(&Order::Allow { nets, is_last: true })?;
        }
        Ok(())
    }

    /// Enforce, or only count what would be dropped (mode `observe`).
    ///
    /// # Errors
    /// [`Error::Nftables`].
    pub fn set_enforcing(&mut self, on: bool) -> Result<(), Error> {
        self.done(&Order::Enforcing(on)).map(|_| ())
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
        let plan = compare::compare(held, intent, now);
        self.carry_out(&plan, now, began)?;
        let guarded = self.guard()?;
        Ok(Drift { detached: guarded.detached, settings_changed: guarded.settings_changed, ..plan.drift })
    }

    /// Compares what stands for one subject with what should (`None`: nothing), and mends it.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Nftables`]; part of the difference may have been mended.
    pub fn mend(&mut self, subject: &Subject, what: Option<&Enforcement>, now: Now) -> Result<Drift, Error> {
        let began = Instant::now();
        let plan = compare::compare(self.held(subject)?, what.map_or(&[], std::slice::from_ref), now);
        self.carry_out(&plan, now, began)?;
        Ok(plan.drift)
    }

    /// Checks and mends what is not about single bans: chains, rules, allowlist, the chain of an interface that is back.
    /// Whoever removed the whole table is answered by a new one; its bans are then missing, and the next audit enters them.
    ///
    /// # Errors
    /// [`Error::Nftables`].
    pub fn guard(&mut self) -> Result<Drift, Error> {
        let present = self.interfaces.iter().map(|interface| is_present(&interface.name)).collect();
        match self.ask(&Order::Guard { present })? {
            Answer::Guarded { absent, is_changed } => {
                Ok(Drift { detached: absent, settings_changed: is_changed, ..Drift::default() })
            }
            _ => Err(unexpected()),
        }
    }

    /// What sees the whole table from another thread; `None` once it was taken.
    pub fn take_auditor(&mut self) -> Option<NftAuditor> {
        self.looks.take().map(|line| NftAuditor { line: RefCell::new(line) })
    }

    /// What was counted since the table was made. What this back end does not see stays 0.
    ///
    /// # Errors
    /// [`Error::Nftables`].
    pub fn counters(&self) -> Result<Counters, Error> {
        let Answer::Counted(all) = self.ask(&Order::Counters)? else { return Err(unexpected()) };
        let of = |name: &str| {
            let index = ruleset::COUNTERS.iter().position(|counter| *counter == name);
            index.and_then(|index| all.get(index)).copied().unwrap_or(0)
        };
        let (packets, dropped) = (of("packets"), of("dropped_v4") + of("dropped_v6") + of("dropped_net"));
        Ok(Counters {
            packets,
            passed: packets.saturating_sub(dropped),
            dropped,
            dropped_v4: of("dropped_v4"),
            dropped_v6: of("dropped_v6"),
            dropped_net: of("dropped_net"),
            would_drop: of("would_drop"),
            allowed: of("allowed"),
            neighbour: of("neighbour"),
            not_ip: of("not_ip"),
            ..Counters::default()
        })
    }

    /// The guarded interfaces.
    #[must_use]
    pub fn interfaces(&self) -> Vec<InterfaceStatus> {
        let status = |interface: &Interface| InterfaceStatus {
            name: interface.name.clone(),
            index: if_nametoindex(interface.name.as_str()).unwrap_or(interface.index),
            mode: AttachMode::Nftables,
            attached: is_present(&interface.name),
            state: if is_present(&interface.name) { InterfaceState::Attached } else { InterfaceState::Absent },
            steering: Steered::Unwanted,
        };
        self.interfaces.iter().map(status).collect()
    }

    /// Removes the table: nothing stays.
    ///
    /// # Errors
    /// [`Error::Nftables`].
    pub fn release(self) -> Result<(), Error> {
        self.done(&Order::Release).map(|_| ())
    }

    /// All of it, but of what does not fit the first error. `now` was when this `began`: much takes long, and what is left
    /// of a ban's time is said as it is entered.
    fn carry_out(&self, plan: &Plan, now: Now, began: Instant) -> Result<(), Error> {
        for some in plan.lift.chunks(PER_ORDER_MAX) {
            self.done(&Order::Lift(some.to_vec()))?;
        }
        let mut refused = None;
        for (bans, are_new) in [(&plan.change, false), (&plan.enter, true)] {
            for some in bans.chunks(PER_ORDER_MAX) {
                refused = refused.or(self.raise_all(some, are_new, later(now, began))?);
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Enters what fits, and gives the first error about what does not.
    fn raise_all(&self, bans: &[Enforcement], are_new: bool, now: Now) -> Result<Option<Error>, Error> {
        let order =
            |some: &[Enforcement]| Order::Raise { all: some.iter().map(|what| compare::element(what, now)).collect(), are_new };
        match self.done(&order(bans)) {
            Err(Error::Full { .. }) => {}
            done => return done.map(|_| None),
        }
        let mut refused = None;
        for what in bans.chunks(1) {
            match self.done(&order(what)) {
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

    fn done(&self, order: &Order) -> Result<u32, Error> {
        match self.ask(order)? {
            Answer::Done(count) => Ok(count),
            _ => Err(unexpected()),
        }
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
    /// [`Error::Nftables`].
    pub fn audit(&self, intent: &[Enforcement], now: Now) -> Result<Drift, Error> {
        let held = elements(&mut self.line.borrow_mut(), &Order::Dump)?;
        Ok(compare::compare(held, intent, now).drift)
    }
}

/// Removes a table that an earlier run of this back end left in this network namespace. Was there one? Where this back
/// end never ran since the machine booted, the kernel is not even asked: that would load nf_tables.
///
/// # Errors
/// [`Error::InUse`] by a daemon that runs, or [`Error::Nftables`]: the kernel refused.
pub fn release_nft() -> Result<bool, Error> {
    if !lock_path()?.exists() {
        return Ok(false);
    }
    let _lock = lock()?;
    let mut socket = match socket::Socket::open() {
        Ok(socket) => socket,
        Err(error) if matches!(error.raw_os_error(), Some(libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT)) => return Ok(false),
        Err(source) => return Err(Error::Nftables { doing: "open".into(), source }),
    };
    match table::remove_table(&mut socket) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL)) => Ok(false),
        other => other.map_err(|source| Error::Nftables { doing: "remove".into(), source }),
    }
}

fn elements(line: &mut Line, order: &Order) -> Result<Vec<Element>, Error> {
    line.say(order).map_err(|source| silent(line, source))?;
    let mut elements = Vec::new();
    loop {
        match hear(line)? {
            Answer::Elements { mut all, is_last } => {
                elements.append(&mut all);
                if is_last {
                    return Ok(elements);
                }
            }
            _ => return Err(unexpected()),
        }
    }
}

fn hear(line: &mut Line) -> Result<Answer, Error> {
    match line.hear() {
        Ok(Some(Answer::Failed(failure))) => Err(error(&failure)),
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(silent(line, io::ErrorKind::UnexpectedEof.into())),
        Err(source) => Err(silent(line, source)),
    }
}

/// The line is out of step: it is closed, so that the writer ends and everybody notices.
fn silent(line: &Line, source: io::Error) -> Error {
    line.close();
    Error::Nftables { doing: "hear from the process that writes".into(), source }
}

fn unexpected() -> Error {
    Error::Nftables { doing: "understand the process that writes".into(), source: io::ErrorKind::InvalidData.into() }
}

fn error(failure: &Failure) -> Error {
    let Failure { kind, errno, what } = failure;
    match kind {
        FailureKind::Full { class, is_usual, limit } => Error::Full {
            table: match (class, is_usual) {
                (Class::Allow, _) => "allowed prefixes",
                (Class::Dark, _) => "silenced sources",
                (Class::Ban, true) => "bans",
                (Class::Ban, false) => "prefix bans",
            },
            limit: *limit,
            mend: match (class, is_usual) {
                (Class::Allow, _) => "merge prefixes into wider ones",
                (Class::Ban, false) => "merge prefixes into wider ones, or ban single addresses",
                (Class::Dark, _) | (Class::Ban, true) => "raise [bans] max or merge bans into prefixes",
            },
        },
        FailureKind::Foreign => Error::ForeignTable,
        FailureKind::InUse => Error::InUse { path: "the nf_tables table `netdev honeymesh`".into(), by: String::new() },
        FailureKind::Kernel if system::is_denied(Some(*errno)) => Error::Privilege { doing: format!("{what} nf_tables") },
        FailureKind::Kernel | FailureKind::Order => {
            Error::Nftables { doing: what.clone(), source: io::Error::from_raw_os_error(*errno) }
        }
    }
}

fn later(now: Now, since: Instant) -> Now {
    let passed = since.elapsed();
    Now { wall: now.wall.plus(passed), mono: now.mono.plus(passed) }
}

/// What a kernel says about something that it does not have.
fn absent(error: Error) -> Error {
    match error {
        Error::Nftables { source, .. }
            if matches!(
                source.raw_os_error(),
                Some(libc::EINVAL | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT)
            ) =>
        {
            Error::NoNftables { source }
        }
        other => other,
    }
}

fn is_present(interface: &str) -> bool {
    if_nametoindex(interface).is_ok()
}

fn pair() -> Result<(OwnedFd, OwnedFd), Error> {
    let failed = |errno: nix::errno::Errno| Error::Nftables {
        doing: "make a line to the process that writes".into(),
        source: errno.into(),
    };
    let ends = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).map_err(failed)?;
    setsockopt(&ends.0, sockopt::ReceiveTimeout, &TimeVal::new(ANSWER_WAIT_SECONDS, 0)).map_err(failed)?;
    setsockopt(&ends.0, sockopt::SendTimeout, &TimeVal::new(ANSWER_WAIT_SECONDS, 0)).map_err(failed)?;
    Ok(ends)
}

/// One daemon for each network namespace: two would undo each other's work.
fn lock() -> Result<Flock<File>, Error> {
    let path = lock_path()?;
    fs::create_dir_all(LOCKS).map_err(|source| lock_error(&path, source))?;
    let file = File::create(&path).map_err(|source| lock_error(&path, source))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => Error::InUse { path, by: String::new() },
        other => lock_error(&path, other.into()),
    })
}

fn lock_path() -> Result<PathBuf, Error> {
    let namespace = Path::new("/proc/thread-self/ns/net");
    let number = fs::metadata(namespace).map_err(|source| lock_error(namespace, source))?.ino();
    Ok(Path::new(LOCKS).join(format!("nft-{number}.lock")))
}

fn lock_error(path: &Path, source: io::Error) -> Error {
    Error::Pin { doing: "lock", path: path.to_owned(), source }
}
