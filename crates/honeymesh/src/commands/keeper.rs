//! `honeymesh keeper`: what the daemon starts to keep the kernel program on its interfaces. Not for people.

use crate::failure::Failure;
use honeymesh_sandbox::{Capability, Files, Role, Sandbox};
use honeymesh_xdp::Keeper;
use std::os::fd::AsFd;

/// What it may read: the proof that its power is gone.
const PROOF: &str = "/proc/self";

/// Takes what the daemon hands over on the standard input, gives everything away that it does not need, and keeps until the
/// daemon is gone.
///
/// # Errors
/// It was not started by a daemon, or power cannot be given away.
pub fn run() -> Result<(), Failure> {
    let _a_name_is_no_duty = nix::sys::prctl::set_name(c"honeymesh-keep");
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    let keeper = Keeper::receive(socket)
        .map_err(|error| Failure::usage(format!("`honeymesh keeper` is started by `honeymesh run`, not by hand ({error})")))?;
    keeper.outlast_signals()?;
    let files = Files { read: vec![PROOF.into()], write: keeper.directory().map(Into::into).into_iter().collect() };
    let sandbox = Sandbox::of(Role::Keeper).files(files);
    // Measured: since Linux 5.19 nothing of what it does asks for a capability.
    let sandbox = if Keeper::needs_capability() { sandbox.keep(Capability::CAP_BPF) } else { sandbox };
    sandbox.confine().map_err(|error| Failure::Refused(format!("the keeper's power could not be given away: {error}")))?;
    keeper.run();
    Ok(())
}
