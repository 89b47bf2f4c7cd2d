//! What the kernel says of itself.

use crate::system;
use nix::sys::{statfs::BPF_FS_MAGIC, statfs::statfs, utsname::uname};
use std::{fs, path::Path};

/// The kernel and how it is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelFacts {
    /// The release, as `uname -r` says it.
    pub release: String,
    /// Its first two numbers.
    pub version: Option<(u32, u32)>,
    /// Does it describe its own types?
    pub has_btf: bool,
    /// `net.core.bpf_jit_enable`: 0 is off. `None`: it cannot be read, as in a container.
    pub jit: Option<u32>,
    /// `kernel.unprivileged_bpf_disabled`: 0 lets everybody load programs.
    pub unprivileged_bpf_disabled: Option<u32>,
    /// The lockdown in force: `none`, `integrity` or `confidentiality`.
    pub lockdown: Option<String>,
    /// Is a BPF file system mounted at `/sys/fs/bpf`?
    pub has_bpffs: bool,
    /// The capabilities in force in this process that the daemon needs at its start.
    pub capabilities: Vec<Capability>,
}

/// A capability that the daemon needs at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_NET_ADMIN`: attach.
    NetAdmin,
    /// `CAP_SYS_ADMIN`: mount the BPF file system.
    SysAdmin,
    /// `CAP_PERFMON`: the verifier's trust in pointers.
    Perfmon,
    /// `CAP_BPF`: load.
    Bpf,
    /// `CAP_NET_BIND_SERVICE`: ports below 1024.
    NetBindService,
}

impl Capability {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::NetAdmin, Self::SysAdmin, Self::Perfmon, Self::Bpf, Self::NetBindService];

    const fn bit(self) -> u32 {
        match self {
            Self::NetBindService => 10,
            Self::NetAdmin => 12,
            Self::SysAdmin => 21,
            Self::Perfmon => 38,
            Self::Bpf => 39,
        }
    }

    /// As capabilities(7) spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetBindService => "CAP_NET_BIND_SERVICE",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        }
    }
}

/// What the kernel says of itself now.
#[must_use]
pub fn kernel_facts() -> KernelFacts {
    let release = uname().map(|name| name.release().to_string_lossy().into_owned()).unwrap_or_default();
    KernelFacts {
        version: system::version(&release),
        release,
        has_btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
        jit: number("/proc/sys/net/core/bpf_jit_enable"),
        unprivileged_bpf_disabled: number("/proc/sys/kernel/unprivileged_bpf_disabled"),
        lockdown: fs::read_to_string("/sys/kernel/security/lockdown").ok().as_deref().and_then(chosen),
        has_bpffs: statfs("/sys/fs/bpf").is_ok_and(|found| found.filesystem_type() == BPF_FS_MAGIC),
        capabilities: capabilities(&fs::read_to_string("/proc/thread-self/status").unwrap_or_default()),
    }
}

fn number(file: &str) -> Option<u32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The word in brackets.
fn chosen(text: &str) -> Option<String> {
    text.split_once('[')?.1.split_once(']').map(|(word, _)| word.into())
}

/// Those in force, from a process's `status`.
fn capabilities(status: &str) -> Vec<Capability> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    Capability::ALL.into_iter().filter(|capability| bits & 1 << capability.bit() != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lockdown_in_force_is_the_one_in_brackets() {
        assert_eq!(chosen("none [integrity] confidentiality\n").as_deref(), Some("integrity"));
        assert_eq!(chosen("nonsense"), None);
    }

    #[test]
    fn capabilities_are_read_from_their_bits() {
        assert_eq!(capabilities("Name:\tx\nCapEff:\t0000000000001400\n"), [Capability::NetAdmin, Capability::NetBindService]);
        assert_eq!(capabilities("CapEff:\t000001ffffffffff\n").len(), Capability::ALL.len());
        assert!(capabilities("").is_empty());
    }

    #[test]
    fn this_kernel_says_who_it_is() {
        let facts = kernel_facts();
        assert!(facts.version.is_some_and(|version| version >= (5, 18)), "{facts:?}");
    }
}
