//! The other process: holds the power to change nf_tables and knows nothing but a few orders.

use super::{
    orders::{Answer, Failure, FailureKind, Line, Order, PER_ORDER_MAX},
    probe::Loopback,
    socket::Socket,
    table::{self, Beginning, Table},
};
use crate::{Error, load::NETS_MAX, system};
use std::{
    collections::BTreeSet,
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

/// Allowed prefixes of both families together.
const ALLOWED_MAX: usize = 2 * NETS_MAX as usize;

/// How long an answer may be under way without a word.
const ALIVE_EVERY: Duration = Duration::from_secs(3);

/// What carries out the orders of [`crate::Nft`]. It needs `CAP_NET_ADMIN` in its network namespace, and nothing else: no
/// file, no stranger's byte, no other socket than those it is opened with. Where it is opened, `CAP_NET_RAW` lets it have the one
/// that the self-probe sends by, and that hears nothing.
#[derive(Debug)]
pub struct NftWriter {
    orders: Line,
    looks: Line,
    socket: Socket,
    looking: Socket,
    loopback: io::Result<Loopback>,
}

impl NftWriter {
    /// Opens the kernel's sockets; `orders` and `looks` are the two of [`crate::NftEnds`]. Changes nothing yet, so power
    /// can be given away between this and [`NftWriter::run`].
    ///
    /// # Errors
    /// [`Error::Privilege`], or [`Error::Nftables`] if this kernel has no netlink for netfilter.
    pub fn open(orders: OwnedFd, looks: OwnedFd) -> Result<Self, Error> {
        let open = || {
            Socket::open().map_err(|source| match source.raw_os_error() {
                denied if system::is_denied(denied) => Error::Privilege { doing: "open nf_tables".into() },
                _ => Error::Nftables { doing: "open".into(), source },
            })
        };
        // Without it bans are dropped all the same: only the proof fails, with this as its reason.
        let loopback = Loopback::open();
        Ok(Self { orders: Line::new(orders), looks: Line::new(looks), socket: open()?, looking: open()?, loopback })
    }

    /// Carries out orders until the other end closes. What it did stays, unless the first order said otherwise.
    ///
    /// # Errors
    /// The other end cannot be heard or answered.
    pub fn run(self) -> io::Result<()> {
        let Self { orders, looks, socket, looking, loopback } = self;
        // Reading a large table takes a while, and nobody who bans shall wait for it.
        let (teller, told) = table::counts();
        let looks = move || look(looks, looking, &teller);
        let _ends_with_the_line = std::thread::Builder::new().name("nft-looks".into()).spawn(looks)?;
        serve(orders, socket, &loopback, told)
    }
}

/// Answers nothing but [`Order::Dump`].
fn look(mut line: Line, mut socket: Socket, teller: &table::Teller) -> io::Result<()> {
    while let Some(order) = line.hear::<Order>()? {
        match order {
            Order::Dump => {
                let all = table::dump(&mut socket, &mut alive(&line)).inspect(|all| teller.tell(all));
                say_elements(&line, all)?;
            }
            _ => line.say(&Answer::Failed(nonsense()))?,
        }
    }
    Ok(())
}

fn serve(mut line: Line, socket: Socket, loopback: &io::Result<Loopback>, told: table::Told) -> io::Result<()> {
    let beginning = match line.hear()? {
        Some(Order::Open { network, max_bans, releases, scan }) if network.is_sound() && scan.is_sound() => {
            Beginning { network, max_bans, releases, scan }
        }
        Some(_) => return line.say(&Answer::Failed(nonsense())),
        None => return Ok(()),
    };
    let mut table = match Table::open(socket, beginning) {
        Ok(table) => table,
        Err(failure) => return line.say(&Answer::Failed(failure)),
    };
    table.hear_from(told);
    line.say(&opened(&table))?;
    let ended = obey(&mut line, &mut table, loopback);
    if table.releases() {
        let _gone_already = table.release();
    } else if table.weighs() {
        let _goes_on_within_its_bounds = table.goes_unheard();
    }
    ended
}

fn opened(table: &Table) -> Answer {
    let replaces = table.replaces().filter(|_| table.is_staged());
    Answer::Opened { sees_probes: table.sees_probes(), weighs: table.weighs(), replaces }
}

fn obey(line: &mut Line, table: &mut Table, loopback: &io::Result<Loopback>) -> io::Result<()> {
    let mut allow = BTreeSet::new();
    while let Some(order) = line.hear::<Order>()? {
        match order {
            Order::Dump => {
                let all = table.dump(&mut alive(line));
                say_elements(line, all)?;
            }
            Order::Probe => line.say(&table.probe(loopback).map_or_else(Answer::Failed, Answer::Probed))?,
            order => line.say(&carry_out(order, table, &mut allow).unwrap_or_else(Answer::Failed))?,
        }
    }
    Ok(())
}

fn carry_out(order: Order, table: &mut Table, allow: &mut BTreeSet<ipnet::IpNet>) -> Result<Answer, Failure> {
    let read = |error: io::Error| Failure::kernel("read", &error);
    let count = match order {
        Order::Attach => return table.attach().map(|()| opened(table)),
        Order::Raise { all, are_new } => table.raise(&all, are_new)?,
        Order::Lift(nets) => table.lift(&nets)?,
        Order::Allow { nets, is_last } => {
            allow.extend(nets);
            if allow.len() > ALLOWED_MAX {
                allow.clear();
                return Err(Failure::new(
                    FailureKind::Full { class: super::tier::Class::Allow, is_usual: false, limit: NETS_MAX },
                    0,
                    "",
                ));
            }
            if is_last {
                table.set_allow(std::mem::take(allow))?;
            }
            0
        }
        Order::Enforcing(on) => table.set_enforcing(on).map(|()| 0)?,
        Order::Held(net) => return table.held(&net).map(|all| Answer::Elements { all, is_last: true }).map_err(read),
        Order::Lockdown(lock) => table.set_lockdown(lock).map(|()| 0)?,
        Order::Arm(traps) => table.arm(traps).map(|()| 0)?,
        Order::Guard(network, depth) if network.is_sound() => {
            let refused = table.guard(network, depth).err();
            return Ok(Answer::Guarded { guarded: table.guarded(), refused, state: table.state() });
        }
        Order::Counters => return table.counters().map(Answer::Counted).map_err(read),
        Order::Release => table.release().map(|()| 0)?,
        Order::Open { .. } | Order::Guard(..) | Order::Dump | Order::Probe => return Err(nonsense()),
    };
    Ok(Answer::Done { count, state: table.state() })
}

/// Says now and then that there will be an answer, so that nobody gives up waiting for it.
fn alive(line: &Line) -> impl FnMut() {
    let mut said = Instant::now();
    move || {
        if said.elapsed() >= ALIVE_EVERY {
            said = Instant::now();
            // Whether anybody still listens is seen with the answer itself.
            let _unheard = line.say(&Answer::Elements { all: Vec::new(), is_last: false });
        }
    }
}

fn say_elements(line: &Line, elements: io::Result<Vec<super::element::Element>>) -> io::Result<()> {
    let all = match elements {
        Ok(all) => all,
        Err(error) => return line.say(&Answer::Failed(Failure::kernel("read", &error))),
    };
    let mut rest = all.as_slice();
    loop {
        let (some, others) = rest.split_at(rest.len().min(PER_ORDER_MAX));
        line.say(&Answer::Elements { all: some.to_vec(), is_last: others.is_empty() })?;
        if others.is_empty() {
            return Ok(());
        }
        rest = others;
    }
}

fn nonsense() -> Failure {
    Failure::new(FailureKind::Order, 0, "not now")
}
