//! The clerk's list. It holds one line to the daemon, and the directories of the key files, all of them open already.

use super::List;
use libc::{
    SYS_brk, SYS_clock_gettime, SYS_clock_nanosleep, SYS_close, SYS_exit, SYS_exit_group, SYS_fchown, SYS_fstat, SYS_fsync,
    SYS_futex, SYS_getdents64, SYS_getpid, SYS_gettid, SYS_madvise, SYS_mmap, SYS_mprotect, SYS_mremap, SYS_munmap,
    SYS_newfstatat, SYS_openat, SYS_prctl, SYS_read, SYS_renameat, SYS_renameat2, SYS_restart_syscall, SYS_rt_sigaction,
    SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_seccomp, SYS_sigaltstack, SYS_statx, SYS_tgkill, SYS_unlinkat, SYS_write,
};

/// What the clerk may call.
pub(super) const ALLOWED: List = &[
    ("orders, their answers, last words, and what is written", &[SYS_read, SYS_write, SYS_close]),
    (
        "a key file: made anew beside the old one, given its owner, put on the disk and in its place; Landlock leaves it their directories",
        &[SYS_openat, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_fchown, SYS_fsync, SYS_unlinkat],
    ),
    ("the file in its place, by either name that a C library uses", &[SYS_renameat, SYS_renameat2]),
    ("the proof that power is gone is read from its own directory in /proc", &[SYS_getdents64]),
    ("a pause after each order", &[SYS_clock_nanosleep, SYS_clock_gettime]),
    ("memory; what is written is never run", &[SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise]),
    (
        "what the C library does around a single thread, a fault and the end",
        &[
            SYS_futex,
            SYS_rt_sigaction,
            SYS_rt_sigprocmask,
            SYS_rt_sigreturn,
            SYS_sigaltstack,
            SYS_restart_syscall,
            SYS_getpid,
            SYS_gettid,
            SYS_tgkill,
            SYS_exit,
            SYS_exit_group,
            SYS_prctl,
        ],
    ),
    ("the second of the two filters is installed under the first, which must let it", &[SYS_seccomp]),
];
