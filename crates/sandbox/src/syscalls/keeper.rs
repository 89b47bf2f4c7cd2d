//! The keeper's list. It holds a netlink socket, a socket to the daemon, the program and its links, all of them open already.

use super::List;
use libc::{
    SYS_bpf, SYS_brk, SYS_clock_gettime, SYS_clock_nanosleep, SYS_close, SYS_exit, SYS_exit_group, SYS_fstat, SYS_futex,
    SYS_getdents64, SYS_getpid, SYS_gettid, SYS_madvise, SYS_mmap, SYS_mprotect, SYS_mremap, SYS_munmap, SYS_newfstatat,
    SYS_openat, SYS_ppoll, SYS_prctl, SYS_read, SYS_readv, SYS_recvfrom, SYS_recvmsg, SYS_restart_syscall, SYS_rt_sigaction,
    SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_seccomp, SYS_sendmsg, SYS_sendto, SYS_sigaltstack, SYS_statx, SYS_tgkill,
    SYS_unlinkat, SYS_write, SYS_writev,
};

/// What the keeper may call.
pub(super) const ALLOWED: List = &[
    ("ask the kernel about interfaces, and hear of them", &[SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg]),
    ("wait for that, for the daemon's end, and for the next look", &[SYS_ppoll, SYS_clock_nanosleep, SYS_clock_gettime]),
    ("links of the program, and the self-probe (see BPF_COMMANDS)", &[SYS_bpf]),
    ("dead pins go; Landlock leaves it their directory alone", &[SYS_unlinkat]),
    ("last words, and what it holds", &[SYS_read, SYS_readv, SYS_write, SYS_writev, SYS_close]),
    (
        "the proof that power is gone is read from its own directory in /proc",
        &[SYS_openat, SYS_getdents64, SYS_fstat, SYS_newfstatat, SYS_statx],
    ),
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
    #[cfg(target_arch = "x86_64")]
    ("the same under the names that only x86-64 has", &[libc::SYS_poll, libc::SYS_unlink, libc::SYS_open, libc::SYS_stat]),
];

/// What the keeper may do with BPF: links and the probe. No map is read or written, nothing is loaded or taken from a pin.
pub(super) const BPF_COMMANDS: &[i32] = &[
    6,  // OBJ_PIN
    10, // PROG_TEST_RUN
    15, // OBJ_GET_INFO_BY_FD
    28, // LINK_CREATE
    29, // LINK_UPDATE
    34, // LINK_DETACH
];
