//! Runs the measurements: bench targets of the crate that owns what is measured, and the lab's own.

use crate::{
    demo, machine,
    setup::{self, DEMO, Install, Purpose},
};
use anyhow::{Context, Result};
use std::{fs, process::Command};

/// Where the kernel benchmark's tables are shown, ...
const SHOWN_IN: &str = "docs/performance.md";
/// ... between these lines.
const SHOWN_FROM: &str = "<!-- from here on written by `cargo xtask bench kernel --show` -->\n";
const SHOWN_TO: &str = "<!-- as far as here -->\n";
/// What a full run leaves.
const TABLES: &str = "target/bench/kernel-full.md";

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Small tables and few rounds: a minute.
    Quick,
    /// Everything.
    Full,
    /// Everything, and the tables go into the documentation.
    Shown,
}

/// A measurement, by the name that people type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bench {
    /// What a packet costs, against an empty program, nftables, ipset and xdp-filter.
    Kernel,
    /// From a trap's report to the entry in each kernel, with three nodes.
    Reaction,
    /// Real nodes on loopback, against other gossip libraries.
    Mesh,
    /// What a session costs a trap, against other traps.
    Traps,
    /// What is resident with every service on, in the release build.
    Memory,
    /// A daemon with a million bans: entered, restarted with, audited, listed.
    Bans,
}

impl Bench {
    const ALL: [Self; 6] = [Self::Kernel, Self::Reaction, Self::Mesh, Self::Traps, Self::Memory, Self::Bans];

    const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Reaction => "reaction",
            Self::Mesh => "mesh",
            Self::Traps => "traps",
            Self::Memory => "memory",
            Self::Bans => "bans",
        }
    }

    /// What has to be installed.
    fn purposes(self) -> Vec<Purpose> {
        match self {
            Self::Kernel => [DEMO, &[Purpose::Bench]].concat(),
            Self::Reaction | Self::Memory | Self::Bans => DEMO.to_vec(),
            Self::Mesh => vec![Purpose::Build, Purpose::BenchMesh],
            Self::Traps => [DEMO, &[Purpose::BenchTraps]].concat(),
        }
    }

    fn run(self, amount: Amount) -> Result<()> {
        match self {
            Self::Kernel => {
                let quick = if amount == Amount::Quick { &["--", "--quick"][..] } else { &[] };
                let bench = ["bench", "--locked", "-p", "honeymesh-xdp", "--bench", "kernel"];
                machine::run(machine::cargo().args(bench).args(quick))?;
                if amount == Amount::Shown { show() } else { Ok(()) }
            }
            Self::Mesh => {
                let quick = if amount == Amount::Quick { &["--", "--quick"][..] } else { &[] };
                machine::run(machine::cargo().args(["bench", "--locked", "-p", "honeymesh-sim", "--bench", "mesh"]).args(quick))
            }
            Self::Traps => {
                let built = demo::build(demo::Profile::Release)?;
                let mut contest = Command::new(built.join("honeymesh-lab"));
                contest.args(["contest", "--installed"]).arg(machine::root().join(setup::PYTHONS_IN));
                contest.args(if amount == Amount::Quick { &["--quick"][..] } else { &[] });
                machine::run(contest.env("HONEYMESH_BIN", built.join("honeymesh")))
            }
            Self::Memory | Self::Bans => {
                let program = if self == Self::Memory { "resident" } else { "many_bans" };
                let test = ["test", "--release", "--locked", "-p", "honeymesh", "--test", program];
                machine::run(machine::cargo().args(test).args(["--", "--nocapture", "--test-threads=1"]))
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

/// Puts the tables of the last full run into the documentation.
fn show() -> Result<()> {
    let (page, tables) = (machine::root().join(SHOWN_IN), machine::root().join(TABLES));
    let text = fs::read_to_string(&page).with_context(|| format!("failed to read {SHOWN_IN}"))?;
    let tables = fs::read_to_string(tables).with_context(|| format!("failed to read {TABLES}"))?;
    let text = with_tables(&text, &tables).with_context(|| format!("{SHOWN_IN} lacks the lines that the tables go between"))?;
    fs::write(&page, text).with_context(|| format!("failed to write {SHOWN_IN}"))
}

/// `page` with other tables in it.
fn with_tables(page: &str, tables: &str) -> Option<String> {
    let (head, rest) = page.split_once(SHOWN_FROM)?;
    let (_, tail) = rest.split_once(SHOWN_TO)?;
    Some(format!("{head}{SHOWN_FROM}\n{tables}\n{SHOWN_TO}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_replaced_and_what_is_around_them_stays() {
        let page = format!("a\n{SHOWN_FROM}old\n{SHOWN_TO}b\n");
        assert_eq!(with_tables(&page, "new\n").unwrap(), format!("a\n{SHOWN_FROM}\nnew\n\n{SHOWN_TO}b\n"));
        assert_eq!(with_tables("a\n", "new\n"), None);
    }

    #[test]
    fn the_page_has_a_place_for_the_tables() {
        let page = fs::read_to_string(machine::root().join(SHOWN_IN)).unwrap();
        assert!(with_tables(&page, "new\n").is_some());
    }
}
