//! Makes a copy of this process and waits for its end.
#![expect(unsafe_code, reason = "fork has no safe wrapper: what other threads held would be lost in the copy")]

use libc::{c_int, c_ulong};
use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The exit code of a copy that panicked.
const BROKEN: i32 = 101;

/// Runs `work` in a copy of this process, which ends with the code that it gives, and waits for that. Gives the status as
/// wait(2) tells it. The copy is killed if this process ends before it.
///
/// # Errors
/// This process has more than one thread, or the kernel makes no copy: then `work` has not run.
pub fn in_a_copy(work: impl FnOnce() -> i32) -> io::Result<i32> {
    if fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("only a process of one thread can be copied"));
    }
    // SAFETY: there is no other thread, so nothing is held by one that the copy lacks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: takes plain numbers.
            let bound = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong, 0, 0, 0) };
            let code = if bound == 0 { catch_unwind(AssertUnwindSafe(work)).unwrap_or(BROKEN) } else { BROKEN };
            // SAFETY: ends this process at once, without what the original has still to clean up.
            unsafe { libc::_exit(code) }
        }
        copy => wait(copy),
    }
}

fn wait(copy: c_int) -> io::Result<i32> {
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to a live number that the kernel writes.
        if unsafe { libc::waitpid(copy, &raw mut status, 0) } == copy {
            return Ok(status);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
