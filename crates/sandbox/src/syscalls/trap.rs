//! The list of the process that plays the traps, and of its parent. Its two lines are open already; every connection comes in
//! over one of them, and evidence leaves over the other. It opens nothing.

use super::List;
use libc::{
    SYS_brk, SYS_clock_gettime, SYS_clock_nanosleep, SYS_clone, SYS_close, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait,
    SYS_eventfd2, SYS_exit, SYS_exit_group, SYS_fcntl, SYS_fstat, SYS_futex, SYS_getdents64, SYS_getpid, SYS_getrandom,
    SYS_gettid, SYS_ioctl, SYS_lseek, SYS_madvise, SYS_mmap, SYS_mprotect, SYS_mremap, SYS_munmap, SYS_newfstatat, SYS_openat,
    SYS_ppoll, SYS_prctl, SYS_read, SYS_recvfrom, SYS_recvmsg, SYS_restart_syscall, SYS_rt_sigaction, SYS_rt_sigprocmask,
    SYS_rt_sigreturn, SYS_seccomp, SYS_sendto, SYS_shutdown, SYS_sigaltstack, SYS_socketpair, SYS_statx, SYS_tgkill, SYS_wait4,
    SYS_write,
};

/// What whoever parses strangers' bytes may call.
pub(super) const ALLOWED: List = &[
    ("strangers' connections, as the daemon hands them over", &[SYS_recvmsg]),
    ("hear a stranger, answer, and take leave", &[SYS_recvfrom, SYS_sendto, SYS_shutdown, SYS_close]),
    ("the runtime asks of each connection whether it blocks (F_GETFL, and nothing else)", &[SYS_fcntl]),
    ("evidence, and waking the loop", &[SYS_write, SYS_read]),
    ("wait for any of them, or for time to pass", &[SYS_epoll_ctl, SYS_epoll_pwait, SYS_clock_gettime]),
    ("memory; what is written is never run", &[SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise]),
    ("keys of hash tables and of sessions", &[SYS_getrandom]),
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
        ],
    ),
    ("the second of the two filters is installed under the first, which must let it", &[SYS_seccomp, SYS_prctl]),
    #[cfg(target_arch = "x86_64")]
    ("the same under the name that only x86-64 has", &[libc::SYS_epoll_wait]),
];

/// What its parent may call besides: what starts another one in its place. The copy gives these calls up before the first
/// stranger comes.
pub(super) const MORE: List = &[
    ("a copy of itself: no thread, no namespace (see FORK); and how it ended", &[SYS_clone, SYS_wait4]),
    ("the loop that the copy opens before it gives this up", &[SYS_epoll_create1, SYS_eventfd2, SYS_socketpair, SYS_ioctl]),
    ("a pause before the next copy", &[SYS_clock_nanosleep, SYS_ppoll]),
    (
        "the proof that power is gone is read in its own directory of /proc; nothing is opened for writing",
        &[SYS_openat, SYS_getdents64, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_lseek],
    ),
    #[cfg(target_arch = "x86_64")]
    ("the same under the name that only x86-64 has", &[libc::SYS_poll]),
];
