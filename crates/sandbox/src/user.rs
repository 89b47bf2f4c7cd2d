//! Another user, for one thread: the kernel knows users by thread, and only the C library by process.
#![expect(unsafe_code, reason = "users of single threads are only reached by raw system calls")]

use crate::capabilities::errno;
use libc::{c_int, c_long};
use std::{io, thread};

/// A user and the one group that goes with it, as the kernel knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
}

impl User {
    /// Can this process become that user? Tried by a thread that ends with it: nothing else of the process changes.
    ///
    /// # Errors
    /// What the kernel says: `EPERM` without `CAP_SETUID` and `CAP_SETGID`, `EINVAL` for a number that this user namespace
    /// does not have. Or no thread can be started.
    pub fn try_on(self) -> io::Result<()> {
        let trial = thread::Builder::new().name("trial".into()).spawn(move || self.become_alone())?;
        match trial.join() {
            Ok(0) => Ok(()),
            Ok(errno) => Err(io::Error::from_raw_os_error(errno)),
            Err(_) => Err(io::Error::other("the thread that tried has ended")),
        }
    }

    /// Makes the calling thread, and it alone, that user: real, effective, saved and for files, in no group but one. Returns 0
    /// or the `errno` of what failed; what came before that stays.
    ///
    /// Runs in a signal handler: it allocates nothing and takes no lock.
    pub(crate) fn become_alone(self) -> c_int {
        let (user, group) = (c_long::from(self.user), c_long::from(self.group));
        // SAFETY: no groups are given, so the list that they would be read from is not looked at.
        if unsafe { libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) } != 0 {
            return errno();
        }
        // SAFETY: takes plain numbers.
        if unsafe { libc::syscall(libc::SYS_setresgid, group, group, group) } != 0 {
            return errno();
        }
        // SAFETY: takes plain numbers.
        if unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) } != 0 {
            return errno();
        }
        0
    }
}
