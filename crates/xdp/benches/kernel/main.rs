//! What the program costs, beside an empty XDP program and an nftables set, all in one run: `cargo xtask bench kernel`.
//!
//! Makes its own namespaces and cables, takes well under a minute, needs root. Contenders take turns, figures are
//! medians, and ratios are worth more than nanoseconds.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be made should stop where it stands; its result is printed"
)]

#[path = "../../tests/common/mod.rs"]
mod common;
mod decision;
mod program;
mod run;
mod wire;

use common::{Room, alone};

/// Bans in the tables while everything is measured.
const BANS: u32 = 100_000;
/// Banned addresses are in 10.0.0.0/8, ...
const BANNED: u32 = 0x0a00_0000;
/// ... this far apart, so that neighbours in number are none in the tables.
const STEP: u32 = 0x9e_3779;

fn main() {
    alone("kernel benchmark", |room: &Room| {
        println!("{BANS} bans in each table; medians; every figure of one block was taken in turns\n");
        run::print(room);
        wire::print(room);
        decision::print(room);
    });
}

/// The median.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which 99 of 100 lie.
fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}

/// The address of ban number `number`: spread over 10.0.0.0/8.
fn banned(number: u32) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::from_bits(BANNED | number.wrapping_mul(STEP) & 0x00ff_ffff)
}
