//! `honeymesh nft-writer`: not for people. The daemon starts it where there is no XDP, with its two lines as standard input
//! and output. It becomes nobody, gives everything away but the power to change nf_tables, and ends when the daemon does.

use crate::{daemon::WRITER_NAME, failure::Failure};
use honeymesh_sandbox::{Capability, Files, Role, Sandbox, User, close_inherited};
use honeymesh_xdp::NftWriter;
use nix::sys::signal::{SigSet, Signal};
use std::{io, os::fd::AsFd};

/// Whom it becomes: nobody's number (systemd leaves it unused, Debian reserves it), next to the daemon's own.
const USER: User = User { user: 65_522, group: 65_522 };
/// What it may read: the proof that its power is gone.
const PROOF: &str = "/proc/self";

/// Obeys until the daemon's end of the line closes.
///
/// # Errors
/// [`Failure::Refused`]: no power to give away or to keep, or a line that breaks.
pub fn run() -> Result<(), Failure> {
    close_inherited();
    let refused = |error: &dyn std::fmt::Display| Failure::Refused(format!("the process that writes to nf_tables: {error}"));
    // Only for the process list: nothing depends on it.
    let _as_it_is = nix::sys::prctl::set_name(&std::ffi::CString::new(WRITER_NAME).unwrap_or_default());
    // Whoever stops the daemon's whole group means the daemon, which still has something to say to us before it ends.
    let stops = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    stops.thread_block().map_err(|error| refused(&error))?;
    let orders = io::stdin().as_fd().try_clone_to_owned().map_err(|error| refused(&error))?;
    let looks = io::stdout().as_fd().try_clone_to_owned().map_err(|error| refused(&error))?;
    let writer = NftWriter::open(orders, looks).map_err(|error| refused(&error))?;
    let files = Files { read: vec![PROOF.into()], write: Vec::new() };
    let sandbox = Sandbox::of(Role::NftWriter).keep(Capability::CAP_NET_ADMIN).files(files);
    // A daemon without the power to become somebody else has none to give this one, and in a user namespace there may be no such
    // number: root's files are closed by Landlock then, as everybody's are.
    let sandbox = if USER.try_on().is_ok() { sandbox.user(USER) } else { sandbox };
    sandbox.confine().map_err(|error| refused(&error))?;
    writer.run().map_err(|error| refused(&error))
}
