//! The process that plays the traps, as the daemon has it: a child, its warden, whose own child it is, and the lines to it.

use super::{owner::Owner, start::refused, state_dir::Seed};
use crate::{config::Config, failure::Failure, honeytokens::Honeytokens};
use honeymesh_trap::{Line, Setting, SshIdentity, TlsIdentity, lines};
use honeymesh_trap_proto::Persona;
use nix::unistd::User;
use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

/// This very program, also when its file was replaced meanwhile.
const SELF: &str = "/proc/self/exe";
/// Whom the process becomes, if the machine has such a user; else [`NOBODY`].
pub const TRAP_USER: &str = "honeymesh-trap";
/// The user and the group that own nothing, everywhere.
const NOBODY: (u32, u32) = (65_534, 65_534);

/// The process, playing, and nobody let in yet.
#[derive(Debug)]
pub struct Playing {
    /// The daemon's ends of the lines.
    pub line: Line,
    /// The warden.
    pub child: Child,
    /// The process that plays.
    pub pid: u32,
}

/// The machine that the traps pretend to be, on which their services run: the same at each start, for it is made from the node's
/// identity (which cannot be found from it).
///
/// # Errors
/// [`Failure::Usage`]: `[traps] host` is no name.
pub fn persona(config: &Config, identity: &Seed) -> Result<Persona, Failure> {
    let traps = config.traps.iter().map(|trap| &trap.definition);
    let persona = Persona::of(Persona::of(**identity).key("the traps' machine")).serving(traps);
    match &config.trap_limits.host {
        Some(host) => persona.named(&host.value).map_err(|error| Failure::usage(format!("[traps] host: {error}"))),
        None => Ok(persona),
    }
}

/// Starts it, as a process of its own with nothing of this one in its memory, and waits until it plays.
///
/// # Errors
/// [`Failure::Usage`]: `[traps] user` is nobody. [`Failure::Refused`]: it cannot be started, or cannot give its power away.
pub fn start(
    config: &Config,
    owner: &Owner,
    persona: Persona,
    shown: Option<(TlsIdentity, SshIdentity)>,
    honeytokens: Honeytokens,
) -> Result<Playing, Failure> {
    let (tls, ssh) = shown.unzip();
    let setting = Setting {
        traps: config.traps.iter().map(|trap| trap.definition.clone()).collect(),
        dark: config.dark.dark.value == crate::config::Dark::Trap,
        tokens: honeytokens.tokens,
        rules: config.evidence.files.clone(),
        lure: honeytokens.lure,
        limits: super::start::trap_limits(config),
        persona,
        user: user(config, owner)?,
        tls,
        ssh,
    };
    let cannot = |error: std::io::Error| refused(format!("the process that plays the traps cannot be started: {error}"));
    let (mut line, theirs) = lines().map_err(cannot)?;
    let (admissions, evidence) = theirs.into_descriptors();
    let mut command = Command::new(SELF);
    command.arg0("honeymesh").arg("traps").env_clear().current_dir("/");
    let child = command.stdin(Stdio::from(admissions)).stdout(Stdio::from(evidence)).spawn().map_err(cannot)?;
    // The command holds the process's ends, which must be its alone.
    drop(command);
    let pid = line.begin(&setting).map_err(cannot)?;
    Ok(Playing { line, child, pid })
}

/// Whom the process becomes, looked up while that is still possible.
fn user(config: &Config, owner: &Owner) -> Result<(u32, u32), Failure> {
    let named = |name: &str| User::from_name(name).ok().flatten().map(|user| (user.uid.as_raw(), user.gid.as_raw()));
    let Some(asked) = &config.trap_limits.user else {
        let usual = named(TRAP_USER).unwrap_or(NOBODY);
        if owner.other().is_some_and(|daemon| daemon.user == usual.0) {
            return Err(Failure::usage(format!(
                "[node] user: `{}` is whom those become who meet strangers; name another",
                owner.name()
            )));
        }
        return Ok(usual);
    };
    match named(&asked.value) {
        Some((0, _)) => Err(Failure::usage(format!("[traps] user: `{}` is root; name a user who owns nothing", asked.value))),
        Some((user, _)) if owner.other().is_some_and(|daemon| daemon.user == user) => Err(Failure::usage(format!(
            "[traps] user: `{}` is whom the daemon becomes; name another, who owns nothing",
            asked.value
        ))),
        Some(user) => Ok(user),
        None => Err(Failure::usage(format!(
            "[traps] user: this machine has no user `{0}`; make it with `useradd --system --no-create-home --shell /usr/sbin/nologin {0}`, or leave the key out",
            asked.value
        ))),
    }
}
