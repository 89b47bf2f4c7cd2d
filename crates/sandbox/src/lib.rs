//! Gives power away: capabilities, no-new-privileges, seccomp, and if asked for, files.
//!
//! After [`Sandbox::confine`] the process can still do its work (threads, sockets, its files, the BPF maps it holds),
//! but nothing that would help somebody who took it over: no program is started, no process is touched, no kernel
//! object is loaded, no other user is become. It works before the first thread is started and after: every thread of
//! the process gives the same away, or the call fails and says which one did not.
//!
//! # Two lists
//! The seccomp filter is an *allow list*: what is not on it answers `ENOSYS`, as on a kernel that does not have it. A C
//! library always has a way around a call that is not there, so its next version does not break the daemon, and the
//! kernel's next dangerous call is refused without anybody adding it to a list. On top of it lies a list of calls that
//! are refused by name, or by an argument, with `EPERM`: those that an attacker wants and nobody needs. Nothing is
//! ever killed: a refused call is an error where it was made. Calls made in the x32 mode of x86-64 are on no list.
//!
//! # Users
//! The user stays who it was, unless [`Sandbox::user`] names another. Root without capabilities still owns root's files.

mod capabilities;
mod code;
mod copy;
mod error;
mod files;
mod filter;
mod report;
mod syscalls;
mod threads;
mod user;

pub use capabilities::forbid_more;
pub use caps::Capability;
pub use code::let_go_of_code;
pub use copy::in_a_copy;
pub use error::Error;
pub use files::{Files, Restriction, close_inherited};
pub use report::Report;
pub use user::User;

/// What the process is, which decides what it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// The whole daemon after its start: traps, mesh, store, API and the kernel's maps.
    Node,
    /// The process that keeps the kernel programs on their interfaces: links, netlink sockets and one other, no maps. No
    /// stranger's byte reaches it, so that it may do what the node may not.
    Keeper,
    /// The process that starts the keeper, as a copy of itself, and another one when that ends. The copy gives up what is left
    /// over with [`narrow`].
    Warden,
    /// The process that changes nf_tables for the daemon: its netlink sockets and two lines to the daemon, all open already. It
    /// keeps `CAP_NET_ADMIN`, opens no file to write it, and no stranger's byte reaches it.
    NftWriter,
    /// The process that parses what strangers say to the traps: a loop, two lines to the daemon, and the connections that come
    /// over one of them. It opens nothing.
    Trap,
    /// The process that starts that one, as a copy of itself, and another one when it ends. The copy gives up what is left over
    /// with [`narrow`].
    TrapWarden,
    /// The process that replaces the clusters' key files for a daemon that is not root: one line to the daemon, and the
    /// directories of those files. It keeps no capability, opens no socket, and no stranger's byte reaches it.
    Clerk,
}

/// Gives up everything that `role` does not need, in every thread of the process, for ever.
///
/// # Errors
/// What could not be given up. What was given up before that stays given up.
pub fn confine(role: Role) -> Result<Report, Error> {
    Sandbox::of(role).confine()
}

/// Gives up, in a copy of a process that was confined before, the calls that `role` does not need: everything else was given
/// up already, and no copy gets it back.
///
/// # Errors
/// The kernel refuses another filter.
pub fn narrow(role: Role) -> Result<(), Error> {
    filter::install(role)
}

/// What a process keeps.
#[derive(Clone, Debug)]
#[must_use]
pub struct Sandbox {
    role: Role,
    keep: u64,
    files: Option<Files>,
    user: Option<User>,
}

impl Sandbox {
    /// The usual one of a role: no capability is kept, files are not restricted beyond their owners.
    pub const fn of(role: Role) -> Self {
        Self { role, keep: 0, files: None, user: None }
    }

    /// Keeps `capability`, if the process has it.
    pub fn keep(mut self, capability: Capability) -> Self {
        self.keep |= capability.bitmask();
        self
    }

    /// Restricts files to these, where the kernel has Landlock (5.13 and later); [`Report::files`] says what came of it.
    pub fn files(mut self, files: Files) -> Self {
        self.files = Some(files);
        self
    }

    /// Becomes this user for ever, with this group and no other. Of the capabilities none stays but those that
    /// [`Sandbox::keep`] names, if the process has them.
    pub fn user(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }

    /// Gives everything else up, in every thread of the process, for ever. To be called once.
    ///
    /// Threads that exist already are interrupted once by a real-time signal; a call that does not restart by itself
    /// returns `EINTR` there, as with any signal.
    ///
    /// # Errors
    /// What could not be given up, or what the kernel says still holds. What was given up before stays given up, so
    /// the caller must end.
    pub fn confine(self) -> Result<Report, Error> {
        let (restriction, rules) = files::prepare(self.files.as_ref())?;
        no_core_dumps()?;
        threads::everywhere(self.keep, self.user, rules.as_ref())?;
        filter::install(self.role)?;
        let report = Report::read(restriction)?;
        let is_user = self.user.is_none_or(|user| report.is(user));
        if report.capabilities & !self.keep != 0 || !report.no_new_privileges || !report.seccomp || !is_user {
            return Err(Error::Unproved(report));
        }
        Ok(report)
    }
}

/// Memory has keys and strangers' bytes: it is never written to a file.
#[expect(unsafe_code, reason = "setrlimit has no safe wrapper among this crate's dependencies")]
fn no_core_dumps() -> Result<(), Error> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live, initialised rlimit that the kernel only reads.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    Error::check("forbid core dumps", i64::from(result))
}
