//! The lists: what a confined process may ask the kernel for, what it may not, and why.

mod clerk;
mod keeper;
mod nft_writer;
mod trap;
mod warden;

pub(crate) use warden::FORK;

use crate::Role;
use libc::{
    SYS_accept4, SYS_acct, SYS_add_key, SYS_adjtimex, SYS_bind, SYS_bpf, SYS_brk, SYS_capget, SYS_capset, SYS_chdir, SYS_chroot,
    SYS_clock_adjtime, SYS_clock_getres, SYS_clock_gettime, SYS_clock_nanosleep, SYS_clock_settime, SYS_clone, SYS_close,
    SYS_close_range, SYS_connect, SYS_copy_file_range, SYS_delete_module, SYS_dup, SYS_dup3, SYS_epoll_create1, SYS_epoll_ctl,
    SYS_epoll_pwait, SYS_epoll_pwait2, SYS_eventfd2, SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group, SYS_faccessat,
    SYS_faccessat2, SYS_fadvise64, SYS_fallocate, SYS_fanotify_init, SYS_fchmod, SYS_fchmodat, SYS_fchmodat2, SYS_fchown,
    SYS_fchownat, SYS_fcntl, SYS_fdatasync, SYS_finit_module, SYS_flock, SYS_fsconfig, SYS_fsmount, SYS_fsopen, SYS_fspick,
    SYS_fstat, SYS_fstatfs, SYS_fsync, SYS_ftruncate, SYS_futex, SYS_futex_waitv, SYS_get_robust_list, SYS_getcpu, SYS_getcwd,
    SYS_getdents64, SYS_getegid, SYS_geteuid, SYS_getgid, SYS_getgroups, SYS_getpeername, SYS_getpgid, SYS_getpid, SYS_getppid,
    SYS_getrandom, SYS_getresgid, SYS_getresuid, SYS_getrusage, SYS_getsid, SYS_getsockname, SYS_getsockopt, SYS_gettid,
    SYS_gettimeofday, SYS_getuid, SYS_init_module, SYS_inotify_add_watch, SYS_inotify_init1, SYS_inotify_rm_watch,
    SYS_io_uring_enter, SYS_io_uring_register, SYS_io_uring_setup, SYS_ioctl, SYS_kcmp, SYS_kexec_file_load, SYS_kexec_load,
    SYS_keyctl, SYS_kill, SYS_linkat, SYS_listen, SYS_lookup_dcookie, SYS_lseek, SYS_madvise, SYS_membarrier, SYS_memfd_create,
    SYS_migrate_pages, SYS_mkdirat, SYS_mknodat, SYS_mlock, SYS_mmap, SYS_mount, SYS_mount_setattr, SYS_move_mount,
    SYS_move_pages, SYS_mprotect, SYS_mremap, SYS_msync, SYS_munlock, SYS_munmap, SYS_nanosleep, SYS_newfstatat,
    SYS_open_by_handle_at, SYS_open_tree, SYS_openat, SYS_openat2, SYS_perf_event_open, SYS_personality, SYS_pidfd_getfd,
    SYS_pidfd_open, SYS_pidfd_send_signal, SYS_pipe2, SYS_pivot_root, SYS_ppoll, SYS_prctl, SYS_pread64, SYS_preadv, SYS_preadv2,
    SYS_prlimit64, SYS_process_madvise, SYS_process_mrelease, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pselect6,
    SYS_ptrace, SYS_pwrite64, SYS_pwritev, SYS_pwritev2, SYS_quotactl, SYS_quotactl_fd, SYS_read, SYS_readahead, SYS_readlinkat,
    SYS_readv, SYS_reboot, SYS_recvfrom, SYS_recvmmsg, SYS_recvmsg, SYS_renameat2, SYS_request_key, SYS_restart_syscall,
    SYS_rseq, SYS_rt_sigaction, SYS_rt_sigpending, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigsuspend, SYS_rt_sigtimedwait,
    SYS_sched_getaffinity, SYS_sched_getparam, SYS_sched_getscheduler, SYS_sched_yield, SYS_seccomp, SYS_sendfile, SYS_sendmmsg,
    SYS_sendmsg, SYS_sendto, SYS_set_robust_list, SYS_set_tid_address, SYS_setdomainname, SYS_setfsgid, SYS_setfsuid, SYS_setgid,
    SYS_setgroups, SYS_sethostname, SYS_setns, SYS_setregid, SYS_setresgid, SYS_setresuid, SYS_setreuid, SYS_setsockopt,
    SYS_settimeofday, SYS_setuid, SYS_shutdown, SYS_sigaltstack, SYS_signalfd4, SYS_socket, SYS_socketpair, SYS_statfs,
    SYS_statx, SYS_swapoff, SYS_swapon, SYS_sync_file_range, SYS_sysinfo, SYS_syslog, SYS_tgkill, SYS_timerfd_create,
    SYS_timerfd_gettime, SYS_timerfd_settime, SYS_times, SYS_truncate, SYS_umask, SYS_umount2, SYS_uname, SYS_unlinkat,
    SYS_unshare, SYS_userfaultfd, SYS_utimensat, SYS_vhangup, SYS_vmsplice, SYS_wait4, SYS_waitid, SYS_write, SYS_writev, c_long,
};

/// Why, and which calls.
type List = &'static [(&'static str, &'static [c_long])];

/// What may be called. Everything else is not there (`ENOSYS`).
pub(crate) fn allowed(role: Role) -> impl Iterator<Item = &'static (&'static str, &'static [c_long])> {
    let (list, more): (List, List) = match role {
        Role::Node => (NODE, &[]),
        Role::Keeper => (keeper::ALLOWED, &[]),
        Role::Warden => (keeper::ALLOWED, warden::MORE),
        Role::NftWriter => (nft_writer::ALLOWED, &[]),
        Role::Trap => (trap::ALLOWED, &[]),
        Role::TrapWarden => (trap::ALLOWED, trap::MORE),
        Role::Clerk => (clerk::ALLOWED, &[]),
    };
    list.iter().chain(more)
}

/// What may be done with BPF.
pub(crate) const fn bpf_commands(role: Role) -> &'static [i32] {
    match role {
        Role::Node => BPF_COMMANDS,
        Role::Keeper | Role::Warden => keeper::BPF_COMMANDS,
        Role::NftWriter | Role::Trap | Role::TrapWarden | Role::Clerk => &[],
    }
}

/// What the whole daemon may call.
const NODE: List = &[
    (
        "move bytes through descriptors that are open",
        &[
            SYS_read,
            SYS_write,
            SYS_readv,
            SYS_writev,
            SYS_pread64,
            SYS_pwrite64,
            SYS_preadv,
            SYS_pwritev,
            SYS_preadv2,
            SYS_pwritev2,
            SYS_lseek,
            SYS_sendfile,
            SYS_copy_file_range,
            SYS_pipe2,
            SYS_dup,
            SYS_dup3,
            SYS_fcntl,
            SYS_ioctl,
            SYS_close,
            SYS_close_range,
        ],
    ),
    (
        "the database, keys and logs: files as far as their owners, and Landlock, allow",
        &[
            SYS_openat,
            SYS_openat2,
            SYS_fstat,
            SYS_newfstatat,
            SYS_statx,
            SYS_statfs,
            SYS_fstatfs,
            SYS_faccessat,
            SYS_faccessat2,
            SYS_getdents64,
            SYS_getcwd,
            SYS_chdir,
            SYS_readlinkat,
            SYS_unlinkat,
            SYS_renameat2,
            SYS_mkdirat,
            SYS_linkat,
            SYS_truncate,
            SYS_ftruncate,
            SYS_fallocate,
            SYS_fadvise64,
            SYS_readahead,
            SYS_fsync,
            SYS_fdatasync,
            SYS_sync_file_range,
            SYS_flock,
            SYS_utimensat,
            SYS_umask,
        ],
    ),
    (
        "modes of its own files; owners, which SQLite gives its journal where the daemon stays root",
        &[SYS_fchmod, SYS_fchmodat, SYS_fchmodat2, SYS_fchown, SYS_fchownat],
    ),
    ("a configuration or resolver file that changes", &[SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch]),
    (
        "memory; what is written is never run (see the refusals by argument)",
        &[
            SYS_brk,
            SYS_mmap,
            SYS_munmap,
            SYS_mremap,
            SYS_mprotect,
            SYS_madvise,
            SYS_msync,
            SYS_mlock,
            SYS_munlock,
            SYS_membarrier,
        ],
    ),
    (
        "threads, and what the C library needs for them",
        &[
            SYS_clone,
            SYS_exit,
            SYS_exit_group,
            SYS_futex,
            SYS_futex_waitv,
            SYS_set_robust_list,
            SYS_get_robust_list,
            SYS_set_tid_address,
            SYS_rseq,
            SYS_gettid,
            SYS_getcpu,
            SYS_sched_yield,
            SYS_sched_getaffinity,
            SYS_sched_getparam,
            SYS_sched_getscheduler,
            SYS_prctl,
            SYS_restart_syscall,
        ],
    ),
    (
        "signals to itself: stopping, faults, `abort`",
        &[
            SYS_rt_sigaction,
            SYS_rt_sigprocmask,
            SYS_rt_sigreturn,
            SYS_rt_sigpending,
            SYS_rt_sigsuspend,
            SYS_rt_sigtimedwait,
            SYS_sigaltstack,
            SYS_signalfd4,
            SYS_kill,
            SYS_tgkill,
        ],
    ),
    (
        "waiting for events and time",
        &[
            SYS_epoll_create1,
            SYS_epoll_ctl,
            SYS_epoll_pwait,
            SYS_epoll_pwait2,
            SYS_eventfd2,
            SYS_ppoll,
            SYS_pselect6,
            SYS_timerfd_create,
            SYS_timerfd_settime,
            SYS_timerfd_gettime,
            SYS_nanosleep,
            SYS_clock_nanosleep,
            SYS_clock_gettime,
            SYS_clock_getres,
            SYS_gettimeofday,
            SYS_times,
        ],
    ),
    (
        "strangers, peers and operators over TCP, UDP and the local socket that is open; addresses over netlink",
        &[
            SYS_socket,
            SYS_socketpair,
            SYS_bind,
            SYS_listen,
            SYS_accept4,
            SYS_connect,
            SYS_getsockname,
            SYS_getpeername,
            SYS_setsockopt,
            SYS_getsockopt,
            SYS_sendto,
            SYS_recvfrom,
            SYS_sendmsg,
            SYS_recvmsg,
            SYS_sendmmsg,
            SYS_recvmmsg,
            SYS_shutdown,
        ],
    ),
    ("maps of the kernel program that are open (see BPF_COMMANDS)", &[SYS_bpf]),
    (
        "what and where it is",
        &[
            SYS_getpid,
            SYS_getppid,
            SYS_getpgid,
            SYS_getsid,
            SYS_getuid,
            SYS_geteuid,
            SYS_getgid,
            SYS_getegid,
            SYS_getresuid,
            SYS_getresgid,
            SYS_getgroups,
            SYS_capget,
            SYS_prlimit64,
            SYS_getrusage,
            SYS_sysinfo,
            SYS_uname,
            SYS_getrandom,
        ],
    ),
    ("children that were there before: none are made", &[SYS_wait4, SYS_waitid]),
    ("the second of the two filters is installed under the first, which must let it", &[SYS_seccomp]),
    #[cfg(target_arch = "x86_64")]
    (
        "the same under the names that only x86-64 has",
        &[
            libc::SYS_open,
            libc::SYS_stat,
            libc::SYS_lstat,
            libc::SYS_access,
            libc::SYS_readlink,
            libc::SYS_unlink,
            libc::SYS_rename,
            libc::SYS_renameat,
            libc::SYS_mkdir,
            libc::SYS_rmdir,
            libc::SYS_link,
            libc::SYS_chmod,
            libc::SYS_chown,
            libc::SYS_lchown,
            libc::SYS_pipe,
            libc::SYS_dup2,
            libc::SYS_accept,
            libc::SYS_poll,
            libc::SYS_select,
            libc::SYS_epoll_create,
            libc::SYS_epoll_wait,
            libc::SYS_eventfd,
            libc::SYS_signalfd,
            libc::SYS_inotify_init,
            libc::SYS_time,
            libc::SYS_alarm,
            libc::SYS_pause,
            libc::SYS_getpgrp,
            libc::SYS_getdents,
            libc::SYS_arch_prctl,
        ],
    ),
    #[cfg(not(target_arch = "x86_64"))]
    ("the same under an older name", &[libc::SYS_accept, libc::SYS_renameat]),
];

/// What is refused (`EPERM`) whatever its arguments are: what an attacker wants.
pub(crate) const REFUSED: List = &[
    ("no other program is started", &[SYS_execve, SYS_execveat]),
    (
        "no other process is looked into or steered",
        &[
            SYS_ptrace,
            SYS_process_vm_readv,
            SYS_process_vm_writev,
            SYS_process_madvise,
            SYS_process_mrelease,
            SYS_kcmp,
            SYS_move_pages,
            SYS_migrate_pages,
        ],
    ),
    ("no descriptor or signal by way of a process descriptor", &[SYS_pidfd_open, SYS_pidfd_getfd, SYS_pidfd_send_signal]),
    (
        "the file tree stays as it is",
        &[
            SYS_mount,
            SYS_umount2,
            SYS_pivot_root,
            SYS_chroot,
            SYS_move_mount,
            SYS_open_tree,
            SYS_fsopen,
            SYS_fsconfig,
            SYS_fsmount,
            SYS_fspick,
            SYS_mount_setattr,
            SYS_swapon,
            SYS_swapoff,
            SYS_quotactl,
            SYS_quotactl_fd,
            SYS_acct,
        ],
    ),
    (
        "no files around their directories, no devices, no watch over everybody's files",
        &[SYS_open_by_handle_at, SYS_mknodat, SYS_fanotify_init],
    ),
    ("no other namespace", &[SYS_setns, SYS_unshare]),
    (
        "the kernel stays as it is",
        &[
            SYS_init_module,
            SYS_finit_module,
            SYS_delete_module,
            SYS_kexec_load,
            SYS_kexec_file_load,
            SYS_reboot,
            SYS_syslog,
            SYS_sethostname,
            SYS_setdomainname,
            SYS_vhangup,
        ],
    ),
    (
        "the clock stays as it is: records are dated by it",
        &[SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex],
    ),
    (
        "nobody else is become",
        &[
            SYS_setuid,
            SYS_setgid,
            SYS_setreuid,
            SYS_setregid,
            SYS_setresuid,
            SYS_setresgid,
            SYS_setfsuid,
            SYS_setfsgid,
            SYS_setgroups,
            SYS_capset,
        ],
    ),
    (
        "large and often broken parts of the kernel that nobody here needs",
        &[
            SYS_io_uring_setup,
            SYS_io_uring_enter,
            SYS_io_uring_register,
            SYS_userfaultfd,
            SYS_perf_event_open,
            SYS_lookup_dcookie,
            SYS_vmsplice,
            SYS_personality,
        ],
    ),
    ("the kernel's key rings", &[SYS_add_key, SYS_request_key, SYS_keyctl]),
    ("no file that is nowhere: a place for programs", &[SYS_memfd_create]),
    #[cfg(target_arch = "x86_64")]
    (
        "the same under the names that only x86-64 has",
        &[
            libc::SYS_fork,
            libc::SYS_vfork,
            libc::SYS_mknod,
            libc::SYS_ioperm,
            libc::SYS_iopl,
            libc::SYS_modify_ldt,
            libc::SYS_uselib,
        ],
    ),
];

/// What the daemon may do with BPF: read and write maps that are open. No load, no attach, no new map, nothing from a pin, and
/// no test run of a program: that call can also put frames onto the wire.
const BPF_COMMANDS: &[i32] = &[
    1,  // MAP_LOOKUP_ELEM
    2,  // MAP_UPDATE_ELEM
    3,  // MAP_DELETE_ELEM
    4,  // MAP_GET_NEXT_KEY
    15, // OBJ_GET_INFO_BY_FD
    21, // MAP_LOOKUP_AND_DELETE_ELEM
    24, // MAP_LOOKUP_BATCH
    25, // MAP_LOOKUP_AND_DELETE_BATCH
    26, // MAP_UPDATE_BATCH
    27, // MAP_DELETE_BATCH
];

/// What a thread may change or ask about itself: names, and what it has given up.
pub(crate) const PRCTL_OPTIONS: &[i32] = &[
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    // The C library names its memory.
    0x5356_4d41, // PR_SET_VMA
    libc::PR_GET_DUMPABLE,
    libc::PR_SET_DUMPABLE,
    libc::PR_SET_PDEATHSIG,
    libc::PR_GET_SECCOMP,
    libc::PR_CAPBSET_READ,
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_GET_NO_NEW_PRIVS,
];

/// Questions about terminals, sockets and interfaces. `TIOCSTI`, which types into a terminal, is none of them.
pub(crate) const IOCTL_REQUESTS: &[u32] = &[
    0x5401,      // TCGETS: is it a terminal?
    0x802c_542a, // TCGETS2: the same for newer C libraries
    0x5413,      // TIOCGWINSZ: how wide is it?
    0x541b,      // FIONREAD: how much is there to read?
    0x5421,      // FIONBIO: do not block
    0x5450,      // FIONCLEX
    0x5451,      // FIOCLEX
    0x8910,      // SIOCGIFNAME
    0x8912,      // SIOCGIFCONF
    0x8913,      // SIOCGIFFLAGS
    0x8915,      // SIOCGIFADDR
    0x891b,      // SIOCGIFNETMASK
    0x8921,      // SIOCGIFMTU
    0x8927,      // SIOCGIFHWADDR
    0x8933,      // SIOCGIFINDEX
];

/// Commands of `fcntl` by which a descriptor, or a directory that changes, sends signals.
pub(crate) const SIGNALS_BY_DESCRIPTOR: &[i32] = &[
    8,  // F_SETOWN: to which process
    15, // F_SETOWN_EX: the same, or to which thread
    10, // F_SETSIG: which signal
    libc::F_NOTIFY,
    libc::F_SETLEASE,
];

/// Flags of `clone` that make a namespace.
pub(crate) const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// The part of a socket's type that is its kind; the rest are flags.
pub(crate) const SOCKET_KIND_MASK: i32 = 0xf;

/// The packet socket of old: a socket type in a family that is allowed otherwise.
pub(crate) const SOCK_PACKET: i32 = 10;
