//! Everything that can drop packets, as data: a name, what it can hold, and how it is set up.

mod filter;
mod netfilter;
mod ours;
mod reference;

use crate::{
    bans::{Family, Load},
    host::Host,
    memory::{self, Cost},
};
use honeymesh_xdp::Options;
use std::{any::Any, time::Instant};

pub use netfilter::ingress;
pub use ours::{Ours, VARIANTS, options, start};

/// Which traffic a contender is measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A table of bans: drops some, passes others.
    Table,
    /// Drops everything: the limit.
    Drop,
    /// Passes everything: what enforcement is added to.
    Pass,
}

/// Whatever a set-up must keep alive, and what entering the bans cost.
pub struct Guard {
    pub _held: Box<dyn Any>,
    /// Of entering the bans; `None` if there is nothing to enter.
    pub cost: Option<Cost>,
    /// Octets of kernel memory by the kernel's own account of single maps, where there is one.
    pub octets: Option<u64>,
}

type SetUp = Box<dyn Fn(&Host, &Load) -> Result<Guard, String>>;

/// One contender.
pub struct Contender {
    pub name: &'static str,
    pub role: Role,
    pub families: &'static [Family],
    /// Bans that fit.
    pub bans_max: u32,
    /// Can it hold prefixes too?
    pub nets: bool,
    pub set_up: SetUp,
}

pub const LIMIT: &str = "empty XDP program, XDP_DROP";
pub const PASS: &str = "empty XDP program, XDP_PASS";
pub const NOTHING: &str = "nothing";
pub const OURS: &str = "HoneyMesh";
pub const GENERIC: &str = "HoneyMesh, generic XDP";
pub const NFTABLES: &str = "HoneyMesh, nf_tables";
pub const NFT_INGRESS: &str = "nftables, netdev ingress set with timeouts";
pub const IPSET: &str = "ipset + iptables raw PREROUTING";

const BOTH: &[Family] = &[Family::V4, Family::V6];

/// Every contender, in the order of the table.
pub fn all(base: &Options) -> Vec<Contender> {
    let mut all = reference::all();
    all.extend(ours::all(base));
    all.extend(netfilter::all());
    all.push(filter::contender());
    all
}

impl Contender {
    /// Does it take part under this load?
    pub fn can(&self, load: &Load) -> bool {
        self.families.contains(&load.family) && load.bans <= self.bans_max && (load.nets == 0 || self.nets)
    }
}

/// Runs what enters the bans and measures it.
fn entered(enter: impl FnOnce() -> Result<(), String>) -> Result<Cost, String> {
    let (begin, cpu, memory) = (Instant::now(), memory::cpu_seconds(), memory::kernel_octets());
    enter()?;
    Ok(Cost {
        seconds: begin.elapsed().as_secs_f64(),
        cpu_seconds: memory::cpu_seconds() - cpu,
        octets: memory::kernel_octets() - memory,
    })
}
