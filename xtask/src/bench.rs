//! Runs the measurements: each is a bench target of the crate that owns what is measured.

use crate::{
    machine,
    setup::{self, DEMO, Install},
};
use anyhow::Result;

/// A measurement.
struct Bench {
    /// What people type; also the bench target's name.
    name: &'static str,
    /// The package that owns it.
    package: &'static str,
}

const BENCHES: &[Bench] = &[Bench { name: "kernel", package: "honeymesh-xdp" }];

/// The names that can be asked for.
pub fn names() -> Vec<&'static str> {
    BENCHES.iter().map(|bench| bench.name).collect()
}

/// Sets up, then runs the measurement called `name`, or all of them.
///
/// # Errors
/// If the set-up, a build or a measurement fails.
pub fn run(name: Option<&str>, install: Install) -> Result<()> {
    setup::run(DEMO, install)?;
    for bench in BENCHES.iter().filter(|bench| name.is_none_or(|name| name == bench.name)) {
        machine::run(machine::cargo().args(["bench", "--locked", "-p", bench.package, "--bench", bench.name]))?;
    }
    Ok(())
}
