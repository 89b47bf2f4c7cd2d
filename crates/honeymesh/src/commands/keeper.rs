//! `honeymesh keeper`: what the daemon starts to keep the kernel programs on their interfaces. Not for people.

use crate::failure::Failure;
use honeymesh_sandbox::{Capability, Files, Role, Sandbox, close_inherited};
use honeymesh_xdp::Warden;
use std::os::fd::AsFd;

/// What it may read: the proof that its power is gone.
const PROOF: &str = "/proc/self";

/// Takes what the daemon hands over on the standard input, gives everything away that it does not need, and sees to it that
/// there is a keeper until the daemon is gone. The keeper is a copy of this process that gives up still more.
///
/// # Errors
/// It was not started by a daemon, power cannot be given away, or no keeper lasts.
pub fn run() -> Result<(), Failure> {
    close_inherited();
    let _a_name_is_no_duty = nix::sys::prctl::set_name(c"honeymesh-ward");
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    let warden = Warden::receive(socket)
        .map_err(|error| Failure::usage(format!("`honeymesh keeper` is started by `honeymesh run`, not by hand ({error})")))?;
    warden.outlast_signals()?;
    let files = Files { read: vec![PROOF.into()], write: warden.directories() };
    let sandbox = Sandbox::of(Role::Warden).files(files);
    // Measured: since Linux 5.19 nothing of what it does asks for a capability.
    let sandbox = if Warden::needs_capability() { sandbox.keep(Capability::CAP_BPF) } else { sandbox };
    sandbox.confine().map_err(|error| Failure::Refused(format!("the keeper's power could not be given away: {error}")))?;
    honeymesh_sandbox::let_go_of_code();
    let kept = warden.run(|| {
        let _a_name_is_no_duty = nix::sys::prctl::set_name(c"honeymesh-keep");
        honeymesh_sandbox::narrow(Role::Keeper).map_err(std::io::Error::other)?;
        honeymesh_sandbox::let_go_of_code();
        Ok(())
    });
    kept.map_err(|error| Failure::Refused(format!("there is no keeper any more: {error}")))
}
