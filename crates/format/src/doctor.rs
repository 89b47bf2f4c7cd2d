//! What `doctor --json` prints: what works on a machine, what does not, and how to mend it.

use serde::{Deserialize, Serialize};

/// Everything that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorJson {
    /// Does everything work that the daemon needs? What could not be looked at does not count against it.
    pub ok: bool,
    /// Every check, in the order in which a start would meet it.
    pub checks: Vec<CheckJson>,
    /// How each guarded interface would be enforced on.
    pub interfaces: Vec<DoctorInterfaceJson>,
    /// What the kernel path uses of the kernel.
    pub features: Vec<FeatureJson>,
}

/// One check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckJson {
    /// What it belongs to: `config`, `kernel`, `power`, `bpf`, `interface`, `port`, `state`, `clock` or `daemon`.
    pub area: String,
    /// What was looked at.
    pub name: String,
    /// `ok`, `warn`, `fail`, or `skip`: it could not be looked at.
    pub state: String,
    /// What was found.
    pub detail: String,
    /// Why it matters.
    pub matters: String,
    /// How to mend it; null if there is nothing to mend.
    pub mend: Option<String>,
}

/// How one interface would be enforced on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorInterfaceJson {
    /// Its name.
    pub name: String,
    /// Its driver, if it has one that tells.
    pub driver: Option<String>,
    /// `native`, `generic`, `nftables`, `none`, or `unknown` before a start has tried.
    pub mode: String,
    /// Why that mode.
    pub why: String,
    /// The XDP program that is on it now.
    pub program: Option<String>,
}

/// A feature of the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureJson {
    /// Its name.
    pub name: String,
    /// The first kernel that has it, such as `5.18`.
    pub kernel_min: String,
    /// Can the daemon not do without?
    pub needed: bool,
    /// `ok`, `warn` (missing, not needed), `fail` (missing, needed) or `skip` (not tried).
    pub state: String,
    /// What it brings.
    pub brings: String,
    /// What the kernel said when it was tried and did not work.
    pub said: Option<String>,
}
