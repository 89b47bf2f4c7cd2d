//! The list of the process that writes to nf_tables. Its sockets are open already.

use super::List;
use libc::{
    SYS_brk, SYS_clock_gettime, SYS_clock_nanosleep, SYS_clone, SYS_close, SYS_exit, SYS_exit_group, SYS_fcntl, SYS_fstat,
    SYS_futex, SYS_getdents64, SYS_getpid, SYS_getrandom, SYS_gettid, SYS_lseek, SYS_madvise, SYS_mmap, SYS_mprotect, SYS_mremap,
    SYS_munmap, SYS_newfstatat, SYS_openat, SYS_prctl, SYS_read, SYS_recvfrom, SYS_recvmsg, SYS_restart_syscall, SYS_rseq,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sched_getaffinity, SYS_sched_yield, SYS_seccomp, SYS_sendto,
    SYS_set_robust_list, SYS_sigaltstack, SYS_statx, SYS_tgkill, SYS_write, SYS_writev,
};

/// What it may call.
pub(super) const ALLOWED: List = &[
    // Only to whom the socket is bound or connected: see the refusals by argument.
    ("orders, their answers, and netlink; frames of the self-probe", &[SYS_sendto, SYS_recvfrom, SYS_recvmsg]),
    ("last words, and what it holds", &[SYS_read, SYS_write, SYS_writev, SYS_close, SYS_fcntl]),
    (
        "the proof that power is gone is read in its own directory of /proc; nothing is opened for writing",
        &[SYS_openat, SYS_getdents64, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_lseek],
    ),
    ("memory; what is written is never run", &[SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise]),
    (
        "a second thread, which reads large tables, and what the C library does for it",
        &[
            SYS_clone,
            SYS_futex,
            SYS_set_robust_list,
            SYS_rseq,
            SYS_prctl,
            SYS_gettid,
            SYS_getpid,
            SYS_sched_yield,
            SYS_sched_getaffinity,
            SYS_getrandom,
            SYS_exit,
            SYS_exit_group,
        ],
    ),
    ("how much time has passed", &[SYS_clock_gettime, SYS_clock_nanosleep]),
    (
        "a fault, and the end",
        &[SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall, SYS_tgkill],
    ),
    ("the second of the two filters is installed under the first, which must let it", &[SYS_seccomp]),
];
