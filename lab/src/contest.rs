//! Traps side by side: what a complete session costs a server, how many it holds a second, what it keeps in memory for one
//! that says nothing, and how long our kernel takes to close the door. Ours against OpenCanary and Cowrie, one after the other
//! on the same host, with the same visitors.

mod bare;
mod contender;
mod cost;
mod crowdsec;
mod door;
mod guess;
mod others;
mod visit;

use crate::{Lab, Place, reaction::percentile, wait_until};
use anyhow::{Context, Result, bail};
use contender::Contender;
pub use contender::serve_barely;
use std::{
    fmt::Write,
    net::TcpStream,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};
pub use visit::Protocol;

/// What is measured, if not everything.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// One of the contenders, of those beside the ways to the kernel, or those ways.
    pub only: Option<String>,
    /// At the contenders, this protocol.
    pub protocol: Option<Protocol>,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Sessions whose cost is measured, one after the other.
    pub sessions: usize,
    /// The same with `ssh`, whose every visit is a process.
    pub ssh_sessions: usize,
    /// How long sessions come from many connections at once.
    pub rush: Duration,
    /// Connections that say nothing.
    pub idle: usize,
    /// Visits that are measured as far as the kernel's table.
    pub door: usize,
    /// The same with others, some of which take a second.
    pub others: usize,
}

impl Amount {
    /// A minute, to see that it works.
    pub const QUICK: Self =
        Self { sessions: 1_000, ssh_sessions: 50, rush: Duration::from_secs(1), idle: 200, door: 10, others: 3 };
    /// What is written down.
    pub const FULL: Self =
        Self { sessions: 3_000, ssh_sessions: 100, rush: Duration::from_secs(4), idle: 800, door: 100, others: 30 };
}

/// What is asked for to have only the ways to the kernel measured.
const DOORS: &str = "doors";
/// Where Debian's packages are unpacked, within what is installed.
const UNPACKED: &str = "unpacked";
/// Connections at once in the rush.
const RUSH: usize = 256;
/// Visitors at once while a session's cost is measured: as many as `hydra` has.
const VISITORS: usize = 16;
/// The same for those that are processes of their own: more only wait for the processor.
const SSH_VISITORS: usize = 4;
/// How long one session may take.
const SESSION_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a server may take to write down what it heard.
const SETTLE_TIME: Duration = Duration::from_secs(3);
/// A server that takes less of a processor than this has nothing to do ...
const IDLE_SHARE_MAX: f64 = 0.01;
/// ... which it must reach within this time.
const IDLE_WITHIN: Duration = Duration::from_secs(120);
/// Every part is measured so often, and the median counts.
const ROUNDS: usize = 3;

/// What was measured of one contender at one protocol.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    /// Processor time of the server for one session, without what it spends when nobody comes.
    cost: Duration,
    /// Sessions a second at [`RUSH`] connections; `None`: not measured.
    rate: Option<f64>,
    /// Sessions that the server broke off, or did not answer in time.
    failed: usize,
}

/// One contender.
#[derive(Debug)]
struct Column {
    name: &'static str,
    /// Octets resident when all services are up and nobody is there: those that no other process has, and all.
    resident: (usize, usize),
    /// Octets of its own for one connection that says nothing, at each protocol.
    idle: Vec<(Protocol, f64)>,
    measured: Vec<(Protocol, Measured)>,
}

/// Measures everything, and writes a table.
///
/// # Errors
/// A contender is not installed or does not come up, a session fails, or what was said is not in its log.
pub fn measure(amount: Amount, installed: &Path, choice: &Choice, progress: impl Fn(&str)) -> Result<String> {
    let only = choice.only.as_deref();
    let known = |only: &str| only == DOORS || Contender::NAMES.contains(&only) || others::NAMES.contains(&only);
    if let Some(only) = only.filter(|only| !known(only)) {
        bail!("there is no {only}: it is one of {}, {}, {DOORS}", Contender::NAMES.join(", "), others::NAMES.join(", "));
    }
    let mut columns = Vec::new();
    for name in Contender::NAMES.into_iter().filter(|name| only.is_none_or(|only| only == *name)) {
        progress(name);
        let told = |what: &str| progress(&format!("{name}: {what}"));
        columns.push(column(name, amount, installed, choice.protocol, &told).with_context(|| name.to_owned())?);
    }
    let other = only.filter(|only| others::NAMES.contains(only));
    if other.is_none() && only.is_some_and(|only| only != DOORS) {
        return Ok(table(&columns));
    }
    progress("from what gives a stranger away to the kernel");
    let mut doors = Vec::new();
    if other.is_none() {
        doors.push(("HoneyMesh", door::measure(amount.door)?));
        doors.push(("bare: one reads, another one is told", door::floor(amount.door)?));
        progress(&doors_table(&doors));
    }
    doors.extend(others::measure(amount.others, &installed.join(UNPACKED), other)?);
    let columns = if columns.is_empty() { String::new() } else { table(&columns) + "\n" };
    Ok(columns + &doors_table(&doors))
}

/// The second table.
fn doors_table(doors: &[(&str, Vec<Duration>)]) -> String {
    let mut text =
        "| to the entry in the kernel | visits | median, ms | 99th percentile, ms | worst, ms |\n|---|---|---|---|---|\n"
            .to_owned();
    for (name, times) in doors {
        let [median, p99, worst] = [50, 99, 100].map(|percent| percentile(times, percent).as_secs_f64() * 1_000.0);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {name} | {} | {median:.2} | {p99:.2} | {worst:.2} |", times.len());
    }
    text
}

fn column(
    name: &'static str,
    amount: Amount,
    installed: &Path,
    protocol: Option<Protocol>,
    progress: &dyn Fn(&str),
) -> Result<Column> {
    let lab = Lab::up()?;
    // Whoever closes first remembers each connection for a minute; in the rush all ports would soon be such memories.
    for host in [lab.host(STAGE), lab.attacker()] {
        host.namespace.set("net/ipv4/tcp_max_tw_buckets", "0")?;
    }
    let contender = Contender::start(&lab, name, installed)?;
    let resident = cost::resident(&contender.roots());
    let mut column = Column { name, resident, idle: Vec::new(), measured: Vec::new() };
    let chosen = || contender.protocols().into_iter().filter(|one| protocol.is_none_or(|protocol| protocol == *one));
    for protocol in chosen() {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let one = measured(&lab, &contender, protocol, amount, progress)?;
            progress(&format!("{protocol:?}: {one:?}"));
            rounds.push(one);
        }
        column.measured.push((protocol, median(&rounds)));
    }
    // Last, because nobody gives memory back that was once used.
    for protocol in chosen().filter(|protocol| *protocol != Protocol::OpenSsh) {
        column.idle.push((protocol, idle(&lab, &contender, protocol, amount.idle)?));
    }
    Ok(column)
}

fn median(rounds: &[Measured]) -> Measured {
    let middle = rounds.len() / 2;
    let mut costs: Vec<Duration> = rounds.iter().map(|one| one.cost).collect();
    costs.sort_unstable();
    let mut rates: Vec<f64> = rounds.iter().filter_map(|one| one.rate).collect();
    rates.sort_unstable_by(f64::total_cmp);
    Measured { cost: costs[middle], rate: rates.get(middle).copied(), failed: rounds.iter().map(|one| one.failed).sum() }
}

fn measured(lab: &Lab, contender: &Contender, protocol: Protocol, amount: Amount, progress: &dyn Fn(&str)) -> Result<Measured> {
    let at = contender.at(protocol);
    let sessions = if protocol == Protocol::OpenSsh { amount.ssh_sessions } else { amount.sessions };
    let idle = idle_share(contender)?;
    let mark = contender.mark()?;
    let threads = cost::threads(&contender.roots());
    let (began, before) = (Instant::now(), cost::spent(&contender.roots()));
    let visitors = if protocol == Protocol::OpenSsh { SSH_VISITORS } else { VISITORS };
    let failed = crowd(lab, protocol, at, sessions, visitors)?;
    // Long enough to write it down; asking whether it has would cost it something.
    thread::sleep(SETTLE_TIME);
    let spent = cost::spent(&contender.roots()).saturating_sub(before);
    let shares = cost::shares(&contender.roots(), &threads);
    let shares = shares.iter().map(|(name, share)| format!("{name} {}", share.as_micros() / sessions as u128));
    let shares = shares.collect::<Vec<_>>().join(", ");
    progress(&format!("{protocol:?}: at rest {:.2} % of a processor; µs a session, by thread: {shares}", idle * 100.0));
    // Without what it spends when nobody comes.
    let spent = spent.saturating_sub(began.elapsed().mul_f64(idle));
    if let Some(told) = contender.kept(&mark)?.filter(|told| *told < sessions) {
        bail!("{protocol:?}: the evidence of {told} of {sessions} sessions was kept");
    }
    let cost = spent / u32::try_from(sessions)?;
    if protocol == Protocol::OpenSsh {
        return Ok(Measured { cost, rate: None, failed });
    }
    let (done, more, took) = rush(lab, protocol, at, amount.rush)?;
    thread::sleep(SETTLE_TIME);
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let rate = done as f64 / took.as_secs_f64();
    Ok(Measured { cost, rate: Some(rate), failed: failed + more })
}

/// So many sessions to the end, from so many visitors at once: how many were broken off besides. Such a one costs the server, too; the
/// visitor comes again.
fn crowd(lab: &Lab, protocol: Protocol, at: std::net::SocketAddr, sessions: usize, visitors: usize) -> Result<usize> {
    let (left, failed) = (AtomicUsize::new(sessions), AtomicUsize::new(0));
    let visitor = || -> Result<()> {
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            while let Err(error) = visit::visit(lab.attacker(), protocol, at, SESSION_TIME_MAX) {
                if failed.fetch_add(1, Ordering::Relaxed) >= sessions {
                    return Err(error.context(format!("{protocol:?}")));
                }
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..visitors).map(|_| scope.spawn(visitor)).collect();
        running.into_iter().try_for_each(|visitor| visitor.join().unwrap_or_else(|_| bail!("a visitor broke")))
    })?;
    Ok(failed.into_inner())
}

/// Which share of a processor it takes when nobody comes, once it has written down what it heard before.
fn idle_share(contender: &Contender) -> Result<f64> {
    wait_until("it has nothing left to do", IDLE_WITHIN, || {
        let before = cost::spent(&contender.roots());
        thread::sleep(SETTLE_TIME);
        let share = cost::spent(&contender.roots()).saturating_sub(before).as_secs_f64() / SETTLE_TIME.as_secs_f64();
        Ok((share < IDLE_SHARE_MAX).then_some(share))
    })
}

/// Sessions from [`RUSH`] connections at once, each one after the other: how many ended well, how many did not, in how long.
fn rush(lab: &Lab, protocol: Protocol, at: std::net::SocketAddr, time: Duration) -> Result<(usize, usize, Duration)> {
    let (done, failed, over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let began = Instant::now();
    lab.attacker().namespace.inside(|| {
        thread::scope(|scope| {
            for _ in 0..RUSH {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        let ended = visit::talk(protocol, at, SESSION_TIME_MAX);
                        // One that was under way at the end counts for nothing.
                        if !over.load(Ordering::Relaxed) {
                            if ended.is_ok() { &done } else { &failed }.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            thread::sleep(time);
            over.store(true, Ordering::Relaxed);
        });
        Ok(())
    })?;
    Ok((done.into_inner(), failed.into_inner(), time.max(began.elapsed().min(time))))
}

/// Octets of its own that the server needs for one connection more.
fn idle(lab: &Lab, contender: &Contender, protocol: Protocol, count: usize) -> Result<f64> {
    let before = cost::resident(&contender.roots()).0;
    let at = contender.at(protocol);
    let connections: Vec<TcpStream> = lab.attacker().namespace.inside(|| {
        (0..count).map(|_| TcpStream::connect_timeout(&at, SESSION_TIME_MAX).context("an idle connection")).collect()
    })?;
    thread::sleep(SETTLE_TIME);
    let after = cost::resident(&contender.roots()).0;
    drop(connections);
    thread::sleep(SETTLE_TIME);
    #[expect(clippy::cast_precision_loss, reason = "some megabytes")]
    Ok(after.saturating_sub(before) as f64 / count as f64)
}

fn table(columns: &[Column]) -> String {
    let mut text = String::new();
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "| | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    let row = |text: &mut String, what: &str, cell: &dyn Fn(&Column) -> Option<String>| {
        let cells: Vec<String> = columns.iter().map(|column| cell(column).unwrap_or_else(|| "–".into())).collect();
        let _ = writeln!(text, "| {what} | {} |", cells.join(" | "));
    };
    for protocol in Protocol::ALL {
        let of = |column: &Column| column.measured.iter().find(|(one, _)| *one == protocol).map(|(_, measured)| *measured);
        row(&mut text, &format!("{protocol:?}: processor time a session, µs"), &|column| {
            Some(of(column)?.cost.as_micros().to_string())
        });
        row(&mut text, &format!("{protocol:?}: sessions a second at {RUSH} connections"), &|column| {
            Some(format!("{:.0}", of(column)?.rate?))
        });
        row(&mut text, &format!("{protocol:?}: sessions broken off or not answered"), &|column| {
            Some(of(column)?.failed.to_string())
        });
        row(&mut text, &format!("{protocol:?}: octets for a connection that says nothing"), &|column| {
            let (_, idle) = column.idle.iter().find(|(one, _)| *one == protocol)?;
            Some(format!("{idle:.0}"))
        });
    }
    let mib = |octets: usize| format!("{}.{}", octets >> 20, ((octets & 0xf_ffff) * 10) >> 20);
    row(&mut text, "resident with nobody there, MiB: its own (with files and shared)", &|column| {
        Some(format!("{} ({})", mib(column.resident.0), mib(column.resident.1)))
    });
    text
}

/// The place where the contenders play.
const STAGE: Place = Place::Node(1);
