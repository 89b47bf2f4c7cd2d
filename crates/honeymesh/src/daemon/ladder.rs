//! How packets get dropped: native XDP, generic XDP, or nf_tables where neither can be. The lower the rung, the louder.

use super::{
    enforcer::Enforcer,
    keeping::{self, Started},
};
use crate::{
    config::{Attach, Config},
    failure::Failure,
};
use honeymesh_types::Mode;
use honeymesh_xdp::{Error, Kernel, Knocks, Lookout, Nft, NftEnds, Options, Replaced, Spoofable};
use std::{
    io,
    os::{fd::BorrowedFd, unix::process::CommandExt},
    process::{Child, Command, Stdio},
};

/// This very program, whatever has become of its file since.
const OWN_PROGRAM: &str = "/proc/self/exe";
/// The hidden command that the other process runs.
pub const WRITER_COMMAND: &str = "nft-writer";
/// What the process list calls it.
pub const WRITER_NAME: &str = "honeymesh-nft";

/// What the lowest rung costs, ...
const COSTS: &str =
    "a dropped packet costs several times as much, and a flood of forged probes hides scanners that come after it";
/// ... and what is missing where its rules cannot ask for sockets.
const MISSING: &str = "this kernel's nf_tables cannot ask for sockets (nft_socket, nft_fib, nft_log), so scans and probes of dark ports are neither \
     seen nor silenced, dark ports are ordinary closed ports and no traps, there is no lockdown, and a dropped packet costs several times as much";

/// Where its rules cannot throw coins.
const NO_ORACLE: &str = "[scan] oracle does nothing here: where nf_tables drops it needs Linux 5.19 and nft_numgen";

/// What drops packets.
pub enum Rung {
    /// The XDP program, native or generic.
    Xdp(Box<Kernel>, Box<Watched>),
    /// nf_tables, and the process that writes to it.
    Nftables(Box<Nft>, Box<Watched>, Child),
}

/// What the kernel tells, and who watches over it.
pub struct Watched {
    /// What it sees, if it tells.
    pub knocks: Option<Knocks>,
    /// The process that keeps the XDP program on the interfaces.
    pub keeper: Option<Started>,
    /// What looks at the interfaces.
    pub lookout: Lookout,
}

/// What must be done to what drops packets before it drops any.
#[derive(Clone, Copy)]
pub struct Prepare<'a> {
    /// The sockets of the trap on dark ports, IPv4 and IPv6.
    pub traps: [Option<BorrowedFd<'a>>; 2],
    /// Makes the tables hold what they should.
    pub fill: &'a dyn Fn(&mut dyn Enforcer),
}

/// Goes as high up as configuration and machine allow, and has every rung it tries filled before anything else is taken
/// away. What is to be said about it is added to `warnings`.
///
/// # Errors
/// What the operator should mend, or that not even nf_tables works.
pub fn climb(config: &Config, options: &Options, prepare: Prepare<'_>, warnings: &mut Vec<String>) -> Result<Rung, Failure> {
    let why = match config.xdp.attach {
        Attach::Nftables => "[xdp] attach = \"nftables\"".to_owned(),
        Attach::Auto | Attach::Native | Attach::Generic => match start_xdp(options, prepare) {
            Ok((kernel, knocks)) => {
                take_nftables_away();
                // While there is power to hand over.
                let keeper = keeping::start(&kernel, options)?;
                let lookout = kernel.lookout(options).map_err(|error| Failure::Refused(error.to_string()))?;
                warnings.extend(went_back(kernel.replaced()));
                let watched = Watched { knocks: Some(knocks), keeper: Some(keeper), lookout };
                return Ok(Rung::Xdp(Box::new(kernel), Box::new(watched)));
            }
            Err(error) if config.xdp.attach == Attach::Auto && falls_back(&error) => {
                tracing::warn!(%error, "XDP cannot be used here; nf_tables is tried instead");
                format!("XDP cannot be used here ({error})")
            }
            Err(error) => return Err(failure(&error)),
        },
    };
    let (mut nft, child) = start_nftables(options, prepare, &why)?;
    if config.node.mode.value == Mode::Lockdown && !nft.sees_probes() {
        let released = nft.release();
        let stays = released.map_or_else(|error| format!(" ({error})"), |()| String::new());
        return Err(Failure::usage(format!("mode lockdown needs XDP or nft_socket, but {why}; choose another mode{stays}")));
    }
    warnings.extend(went_back(nft.replaced()));
    let price = if nft.sees_probes() { COSTS } else { MISSING };
    warnings.push(format!("{why}: nf_tables drops instead; {price}"));
    tracing::warn!("{why}: nf_tables drops instead; {price}");
    let is_asked_for = options.scan.oracle && options.scan.spoofable == Spoofable::Dark;
    if is_asked_for && nft.sees_probes() && !nft.weighs_reactions() {
        warnings.push(NO_ORACLE.into());
        tracing::warn!("{NO_ORACLE}");
    }
    let lookout = nft.lookout().map_err(|error| Failure::Refused(error.to_string()))?;
    let watched = Watched { knocks: nft.take_knocks(), keeper: None, lookout };
    Ok(Rung::Nftables(Box::new(nft), Box::new(watched), child))
}

fn start_xdp(options: &Options, prepare: Prepare<'_>) -> Result<(Kernel, Knocks), Error> {
    let (mut kernel, knocks) = Kernel::prepare(options)?;
    let [v4, v6] = prepare.traps;
    kernel.arm(v4, v6)?;
    (prepare.fill)(&mut kernel);
    if let Err(error) = kernel.begin_probing() {
        tracing::warn!(%error, "the self-probe's ban is not in the kernel before the program is attached");
    }
    kernel.attach()?;
    Ok((kernel, knocks))
}

fn start_nftables(options: &Options, prepare: Prepare<'_>, why: &str) -> Result<(Nft, Child), Failure> {
    let mut child = None;
    let nft = Nft::start(options, |ends| spawn(ends).map(|started| child = Some(started)));
    let mut nft = nft.map_err(|error| match failure(&error) {
        usage @ Failure::Usage(_) => usage,
        other => Failure::Refused(format!("{why}, and nf_tables does not drop either: {other}")),
    })?;
    let child = child.ok_or_else(|| Failure::Refused("the process that writes to nf_tables was not started".into()))?;
    let [v4, v6] = prepare.traps;
    nft.arm(v4, v6).map_err(|error| failure(&error))?;
    (prepare.fill)(&mut nft);
    if let Err(error) = nft.begin_probing() {
        tracing::warn!(%error, "the self-probe's ban is not in nf_tables yet");
    }
    nft.attach().map_err(|error| failure(&error))?;
    nft.take_xdp_off(options);
    Ok((nft, child))
}

/// What is to be said for as long as the daemon runs: somebody has gone back to an older program. (That one has come is only logged.)
fn went_back(replaced: Option<Replaced>) -> Option<String> {
    replaced.filter(Replaced::is_newer).map(|replaced| format!("{replaced}; if nobody meant to go back, start the newer one"))
}

/// Is it the machine that cannot, rather than something that the operator should know and mend?
fn falls_back(error: &Error) -> bool {
    match error {
        Error::TooOld { .. } | Error::Refused(_) | Error::Attach { .. } => true,
        Error::Bpffs { source, .. } => !matches!(source.raw_os_error(), Some(libc::EPERM | libc::EACCES)),
        _ => false,
    }
}

/// What an earlier run without XDP left would go on dropping, and nobody would lift it.
fn take_nftables_away() {
    if !honeymesh_xdp::may_have_nft() {
        return;
    }
    match honeymesh_xdp::release_nft() {
        Ok(true) => tracing::info!("the nf_tables tables of an earlier start are gone"),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "an nf_tables table of an earlier start may go on dropping"),
    }
}

/// Starts this program once more, with the two lines in place of its standard input and output and nothing else of ours:
/// neither environment nor memory, where keys are.
fn spawn(ends: NftEnds) -> io::Result<Child> {
    let mut command = Command::new(OWN_PROGRAM);
    command.arg0(WRITER_NAME).arg(WRITER_COMMAND).env_clear().current_dir("/");
    command.stdin(Stdio::from(ends.orders)).stdout(Stdio::from(ends.looks)).spawn()
}

/// Who is to blame for what the kernel refused.
fn failure(error: &Error) -> Failure {
    match error {
        Error::NoSuchInterface { .. } => Failure::usage(format!("{error}; mend [xdp] interfaces")),
        Error::NoDefaultRoute { .. } | Error::Options(_) => Failure::usage(error.to_string()),
        Error::Pin { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            Failure::Refused(format!("{error}; run as root, or with the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"))
        }
        _ => Failure::Refused(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(errno: i32) -> io::Error {
        io::Error::from_raw_os_error(errno)
    }

    #[test]
    fn what_the_machine_cannot_do_falls_back_and_what_a_person_should_mend_does_not() {
        let interface = || "eth0".to_owned();
        let falls = [
            Error::TooOld { release: "5.10.0".into(), needed: "5.18" },
            Error::Refused("unknown func".into()),
            Error::Attach { interface: interface(), source: os(libc::EOPNOTSUPP) },
            Error::Bpffs { path: "/sys/fs/bpf".into(), source: os(libc::ENODEV) },
        ];
        let stays = [
            Error::Occupied { interface: interface(), by: honeymesh_xdp::Occupant { program: Some(7), name: None, mode: None } },
            Error::Privilege { doing: "load".into() },
            Error::Bpffs { path: "/sys/fs/bpf".into(), source: os(libc::EPERM) },
            Error::NoSuchInterface { name: interface(), present: Vec::new() },
            Error::InUse { path: "/sys/fs/bpf/honeymesh".into(), by: String::new() },
            Error::Options("[bans] max".into()),
            Error::ForeignTable,
        ];
        for error in &falls {
            assert!(falls_back(error), "{error}");
        }
        for error in &stays {
            assert!(!falls_back(error), "{error}");
        }
    }
}
