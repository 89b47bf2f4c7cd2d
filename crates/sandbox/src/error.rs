//! Why power could not be given away.

use crate::Report;
use std::io;

/// Why power could not be given away; the caller must not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused a step.
    #[error("cannot {step}: {source}")]
    Kernel {
        /// What was tried.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A thread did not give its capabilities up in time: it blocks the signal that asks it to.
    #[error("thread {thread} (`{name}`) does not answer; confine before threads that block signals are started")]
    Thread {
        /// Its number.
        thread: i32,
        /// Its name.
        name: String,
    },
    /// The seccomp filter could not be made or installed.
    #[error("cannot install the seccomp filter: {0}; the kernel needs CONFIG_SECCOMP_FILTER")]
    Filter(#[from] seccompiler::Error),
    /// A path for the file restriction cannot be used.
    #[error("cannot restrict files: {0}")]
    Files(String),
    /// Everything was tried, and the kernel says that it does not hold.
    #[error("the kernel says that power is left: {0}")]
    Unproved(Report),
}

impl Error {
    /// A system call's result as one: negative is `errno`.
    pub(crate) fn check(step: &'static str, result: i64) -> Result<(), Self> {
        if result < 0 { Err(Self::Kernel { step, source: io::Error::last_os_error() }) } else { Ok(()) }
    }
}
