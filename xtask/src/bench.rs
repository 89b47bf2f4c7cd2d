//! Runs the measurements: bench targets of the crate that owns what is measured, and the lab's own.

use crate::{
    demo, machine,
    setup::{self, DEMO, Install, Purpose},
};
use anyhow::Result;
use std::process::Command;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Small tables and few rounds: a minute.
    Quick,
    /// Everything.
    Full,
}

/// A measurement, by the name that people type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bench {
    /// What a packet costs, against an empty program, nftables, ipset and xdp-filter.
    Kernel,
    /// From a trap's report to the entry in each kernel, with three nodes.
    Reaction,
}

impl Bench {
    const ALL: [Self; 2] = [Self::Kernel, Self::Reaction];

    const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Reaction => "reaction",
        }
    }

    /// What has to be installed.
    fn purposes(self) -> Vec<Purpose> {
        match self {
            Self::Kernel => [DEMO, &[Purpose::Bench]].concat(),
            Self::Reaction => DEMO.to_vec(),
        }
    }

    fn run(self, amount: Amount) -> Result<()> {
        match self {
            Self::Kernel => {
                let quick = if amount == Amount::Quick { &["--", "--quick"][..] } else { &[] };
                let bench = ["bench", "--locked", "-p", "honeymesh-xdp", "--bench", "kernel"];
                machine::run(machine::cargo().args(bench).args(quick))
            }
            Self::Reaction => {
                let built = demo::build(demo::Profile::Release)?;
                machine::run(
                    Command::new(built.join("honeymesh-lab")).arg("reaction").env("HONEYMESH_BIN", built.join("honeymesh")),
                )
            }
        }
    }
}

/// The names that can be asked for.
pub fn names() -> Vec<&'static str> {
    Bench::ALL.into_iter().map(Bench::name).collect()
}

/// Sets up, then runs the measurement called `name`, or all of them.
///
/// # Errors
/// If the set-up, a build or a measurement fails.
pub fn run(name: Option<&str>, amount: Amount, install: Install) -> Result<()> {
    machine::need_root("a measurement in the kernel", "cargo xtask bench")?;
    let chosen = Bench::ALL.into_iter().filter(|bench| name.is_none_or(|name| name == bench.name()));
    chosen.into_iter().try_for_each(|bench| {
        setup::run(&bench.purposes(), install)?;
        bench.run(amount)
    })
}
