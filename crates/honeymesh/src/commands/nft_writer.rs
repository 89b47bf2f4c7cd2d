//! `honeymesh nft-writer`: not for people. The daemon starts it where there is no XDP, with its two lines as standard input
//! and output. It gives everything away but the power to change nf_tables, and ends when the daemon does.

use crate::{daemon::WRITER_NAME, failure::Failure};
use honeymesh_sandbox::{Capability, Role, Sandbox};
use honeymesh_xdp::NftWriter;
use nix::sys::signal::{SigSet, Signal};
use std::{io, os::fd::AsFd};

/// Obeys until the daemon's end of the line closes.
///
/// # Errors
/// [`Failure::Refused`]: no power to give away or to keep, or a line that breaks.
pub fn run() -> Result<(), Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::Refused(format!("the process that writes to nf_tables: {error}"));
    // Only for the process list: nothing depends on it.
    let _as_it_is = nix::sys::prctl::set_name(&std::ffi::CString::new(WRITER_NAME).unwrap_or_default());
    // Whoever stops the daemon's whole group means the daemon, which still has something to say to us before it ends.
    let stops = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    stops.thread_block().map_err(|error| refused(&error))?;
    let orders = io::stdin().as_fd().try_clone_to_owned().map_err(|error| refused(&error))?;
    let looks = io::stdout().as_fd().try_clone_to_owned().map_err(|error| refused(&error))?;
    let writer = NftWriter::open(orders, looks).map_err(|error| refused(&error))?;
    let sandbox = Sandbox::of(Role::NftWriter).keep(Capability::CAP_NET_ADMIN);
    sandbox.confine().map_err(|error| refused(&error))?;
    writer.run().map_err(|error| refused(&error))
}
