//! What can go wrong with the kernel, who is to blame and how to mend it.

use std::{io, path::PathBuf};

/// Why the kernel could not be made to do it. Unless a variant says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operator named an interface that does not exist.
    #[error("interface `{name}` does not exist; this machine has: {}", present.join(", "))]
    NoSuchInterface {
        /// The name given.
        name: String,
        /// The names that exist.
        present: Vec<String>,
    },
    /// No default route leads anywhere, so the interface to guard cannot be guessed.
    #[error("there is no default route to guess the interface from; name one in [xdp] interfaces (this machine has: {})", present.join(", "))]
    NoDefaultRoute {
        /// The names that exist.
        present: Vec<String>,
    },
    /// A value of [`crate::Options`] is out of bounds.
    #[error("{0}")]
    Options(String),
    /// The process may not do it.
    #[error(
        "no permission to {doing}; run as root, or with the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (and CAP_SYS_ADMIN to mount the BPF file system)"
    )]
    Privilege {
        /// What was tried.
        doing: String,
    },
    /// Another XDP program holds the interface.
    #[error(
        "another XDP program is attached to `{interface}`: {by}; {}, leave the interface out of [xdp] interfaces, or do without XDP: [xdp] attach = \"nftables\"",
        by.mend(interface)
    )]
    Occupied {
        /// The interface.
        interface: String,
        /// The program.
        by: crate::Occupant,
    },
    /// The driver cannot run XDP and the operator insisted on it.
    #[error("the driver of `{interface}` cannot run XDP natively ({source}); set [xdp] attach = \"auto\" or \"generic\"")]
    NotNative {
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel is older than the program needs.
    #[error("kernel {release} is too old; the XDP program needs Linux {needed} or later")]
    TooOld {
        /// The kernel that runs.
        release: String,
        /// The oldest that works.
        needed: &'static str,
    },
    /// The kernel is older than traps on dark ports need.
    #[error(
        "kernel {release} is too old for [traps] dark = \"trap\", which needs Linux 6.6 or later; write dark = \"silent\" or \"refuse\""
    )]
    NoSteering {
        /// The kernel that runs.
        release: String,
    },
    /// There is no BPF file system and none could be mounted.
    #[error("no BPF file system at {} and none can be mounted ({source}); mount one with `mount -t bpf bpf {}`", path.display(), path.display())]
    Bpffs {
        /// Where it was wanted.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Somebody else's nf_tables table has the name of ours.
    #[error(
        "an nf_tables table `honeymesh` was not made by honeymesh; look at it with `nft list table netdev honeymesh` and `nft list table inet honeymesh`, and delete or rename it"
    )]
    ForeignTable,
    /// The kernel has no nf_tables before the network stack.
    #[error(
        "this kernel has no nf_tables at netdev ingress ({source}); it takes Linux 5.10 or later with CONFIG_NF_TABLES_NETDEV and CONFIG_NF_TABLES_INET"
    )]
    NoNftables {
        /// What the kernel said.
        source: io::Error,
    },
    /// nf_tables, or the process that writes to it, did not do it. Part of a larger change may have been made.
    #[error("cannot {doing} nf_tables' bans: {source}")]
    Nftables {
        /// What was tried, as a verb.
        doing: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another process works with the same pins.
    #[error("another honeymesh already uses {}{by}; stop it first, or choose another directory", path.display())]
    InUse {
        /// The pin directory.
        path: PathBuf,
        /// Who, in words that begin with a blank; empty if that cannot be told.
        by: String,
    },
    /// A table is full; the ban was not entered.
    #[error("the kernel's table of {table} is full at {limit} entries; {mend}")]
    Full {
        /// What the table holds, in words.
        table: &'static str,
        /// How many fit.
        limit: u32,
        /// What to do about it: names the key of the configuration, if there is one.
        mend: &'static str,
    },
    /// The kernel refused the program. The text holds the end of the verifier's log.
    #[error("the kernel refused the XDP program: {0}")]
    Refused(String),
    /// The kernel refused to attach. Interfaces before this one in [`crate::Options::interfaces`] were released again.
    #[error("cannot attach to `{interface}`: {source}")]
    Attach {
        /// The interface.
        interface: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file below the pin directory could not be read, made or removed. Other pins may have been changed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Pin {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The keeper cannot work. The program and its tables are as they were.
    #[error("no keeper for the interfaces: {0}")]
    Keeper(String),
    /// A table could not be read or written. With more than one entry to change, some may have been changed.
    #[error("cannot {doing} the kernel's table of {table}: {source}")]
    Table {
        /// `read` or `write`.
        doing: &'static str,
        /// What the table holds, in words.
        table: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}
