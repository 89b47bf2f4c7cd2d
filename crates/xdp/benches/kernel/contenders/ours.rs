//! Ourselves: the default table, other back ends, and the lower rungs of the ladder beside it.

use super::{BOTH, Contender, GENERIC, Guard, NFTABLES, OURS, Role, entered};
use crate::{
    bans::{Family, Load, all as bans_of},
    common::{backend::nft, net_of},
    host::Host,
    memory,
};
use honeymesh_xdp::{Attach, Kernel, OnExit, Options, TableKind, now};
use honeymesh_xdp_program::testing::{HERE4, HERE6};

/// A way to run our own program.
pub struct Ours {
    pub name: &'static str,
    /// What differs from the default.
    pub tune: fn(&mut Options),
    /// Bans beyond which entering them takes minutes.
    pub bans_max: u32,
}

/// Every back end.
pub const VARIANTS: &[Ours] = &[
    Ours { name: OURS, tune: |_| {}, bans_max: 10_000_000 },
    Ours { name: "HoneyMesh, [bans] table = \"hash\"", tune: |options| options.table = TableKind::Hash, bans_max: 1_000_000 },
];

/// The same table, in the network stack.
const IN_STACK: Ours = Ours { name: GENERIC, tune: |options| options.attach = Attach::Generic, bans_max: 100_000 };
/// nf_tables as we use it.
const IN_NFTABLES: Ours = Ours { name: NFTABLES, tune: |_| {}, bans_max: 100_000 };

pub fn all(base: &Options) -> Vec<Contender> {
    let mut all: Vec<Contender> = VARIANTS.iter().chain([&IN_STACK]).map(|ours| contender(ours, base.clone())).collect();
    let base = base.clone();
    all.push(Contender {
        name: IN_NFTABLES.name,
        role: Role::Table,
        families: BOTH,
        bans_max: IN_NFTABLES.bans_max,
        nets: true,
        set_up: Box::new(move |host, load| {
            let options = options(&IN_NFTABLES, &base, &host.interface(), load.bans.max(1_000));
            set_up_nftables(with_room(options, load), host, load)
        }),
    });
    all
}

/// One that is an XDP program.
fn contender(ours: &'static Ours, base: Options) -> Contender {
    Contender {
        name: ours.name,
        role: Role::Table,
        families: BOTH,
        bans_max: ours.bans_max,
        nets: true,
        set_up: Box::new(move |host, load| {
            set_up(with_room(options(ours, &base, &host.interface(), load.bans.max(1_000)), load), host, load)
        }),
    }
}

/// Options of a kernel of `bans` bans at most that leaves nothing behind.
pub fn options(ours: &Ours, base: &Options, interface: &str, bans: u32) -> Options {
    let mut options = Options { interfaces: vec![interface.into()], max_bans: bans, exit: OnExit::Release, ..base.clone() };
    (ours.tune)(&mut options);
    options
}

/// A kernel as a daemon would have it, still without bans.
pub fn start(options: Options, host: &Host) -> Result<Kernel, String> {
    let mut kernel = host.run(move || Kernel::start(&options)).map_err(|error| error.to_string())?.0;
    kernel.set_local(&[HERE4.parse().unwrap(), HERE6.parse().unwrap()]).unwrap();
    kernel.set_allow(&[net_of("192.0.2.0/24")]).unwrap();
    Ok(kernel)
}

/// With room for a load of IPv6; one of IPv4 keeps the room for IPv6 that it has by default.
fn with_room(mut options: Options, load: &Load) -> Options {
    if load.family == Family::V6 {
        options.max_v6 = Some(options.max_bans);
    }
    options
}

fn set_up(options: Options, host: &Host, load: &Load) -> Result<Guard, String> {
    let (known, before) = (memory::maps(), memory::kernel_octets());
    let mut kernel = start(options, host)?;
    let started = memory::kernel_octets() - before;
    let mut intent = bans_of(load);
    // As the ledger hands them over.
    intent.sort_unstable_by_key(|what| what.subject);
    let mut cost = entered(|| kernel.reconcile(&intent, now()).map(drop).map_err(|error| error.to_string()))?;
    cost.octets += started;
    let octets = memory::maps().iter().filter(|(number, _)| !known.contains_key(number)).map(|(_, octets)| octets).sum();
    Ok(Guard { _held: Box::new(kernel), cost: Some(cost), octets: Some(octets) })
}

fn set_up_nftables(options: Options, host: &Host, load: &Load) -> Result<Guard, String> {
    let mut table = host.run(move || nft(&options)).map_err(|error| error.to_string())?;
    table.set_local().map_err(|error| error.to_string())?;
    table.set_allow(&[net_of("192.0.2.0/24")]).map_err(|error| error.to_string())?;
    let mut intent = bans_of(load);
    intent.sort_unstable_by_key(|what| what.subject);
    let cost = entered(|| table.reconcile(&intent, now()).map(drop).map_err(|error| error.to_string()))?;
    Ok(Guard { _held: Box::new(table), cost: Some(cost), octets: None })
}
