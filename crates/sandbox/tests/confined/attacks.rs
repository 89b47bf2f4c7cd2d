//! What somebody who took the process over would try.

use crate::scene::Outcome;
use libc::c_long;
use nix::errno::Errno;
use std::{ffi::CString, ptr::null_mut};

/// All of these answer `EPERM`.
pub const REFUSED: &[&str] = &[
    "execve",
    "execveat",
    "fork",
    "clone_process",
    "clone_namespace",
    "ptrace",
    "process_vm_readv",
    "kill_other",
    "mount",
    "umount",
    "pivot_root",
    "chroot",
    "move_mount",
    "fsopen",
    "open_tree",
    "unshare",
    "setns",
    "prog_load",
    "map_create",
    "obj_get",
    "link_create",
    "setuid",
    "setresuid",
    "setgid",
    "setgroups",
    "capset",
    "packet_socket",
    "raw_socket",
    "raw_socket6",
    "sctp_socket",
    "old_packet_socket",
    "netfilter_socket",
    "vsock_socket",
    "local_socket",
    "local_datagrams",
    "local_pair_of_datagrams",
    "socket_filter",
    "write_and_run",
    "run_written",
    "terminal_input",
    "memfd_create",
    "personality",
    "io_uring_setup",
    "keyctl",
    "add_key",
    "perf_event_open",
    "userfaultfd",
    "kexec_load",
    "init_module",
    "finit_module",
    "delete_module",
    "reboot",
    "swapon",
    "mknod",
    "open_by_handle",
    "pidfd_open",
    "set_clock",
    "set_host_name",
    "syslog",
    "prctl_seccomp_off",
    "prctl_keep_capabilities",
    "limit_other",
    "signal_by_descriptor",
    "signal_by_descriptor_ex",
    "kill_by_descriptor",
    "run_mapped",
];

/// These are not there.
pub const ABSENT: &[&str] = &["clone3", "unknown_call", "x32_getpid", "pkey_mprotect", "landlock_create_ruleset"];

pub fn all(tell: impl Fn(&str, Outcome)) {
    programs_and_processes(&tell);
    files_and_namespaces(&tell);
    kernel(&tell);
    users(&tell);
    sockets(&tell);
    memory(&tell);
    absent(&tell);
    tell("low_port", low_port());
}

/// Those that need nothing which a keeper has not: no socket, no thread.
pub fn on_keeper(tell: impl Fn(&str, Outcome)) {
    programs_and_processes(&tell);
    files_and_namespaces(&tell);
    kernel(&tell);
    users(&tell);
    memory(&tell);
    absent(&tell);
    tell("socket", call(libc::SYS_socket, [libc::AF_INET.into(), libc::SOCK_STREAM.into(), 0, 0, 0, 0]));
    tell("rename", call1(libc::SYS_renameat2, 0));
    tell("accept", call1(libc::SYS_accept4, 0));
}

/// Those that need nothing which a writer of nf_tables has not: `own` is a file of root's that everybody may write, and `closed`
/// one that only root may read.
pub fn on_nft_writer(own: &std::path::Path, closed: &std::path::Path, tell: impl Fn(&str, Outcome)) {
    on_keeper(&tell);
    let path = |path: &std::path::Path| CString::new(path.to_str().unwrap()).unwrap();
    let (own, closed) = (path(own), path(closed));
    let open = |path: &CString, flags: i32| {
        call(libc::SYS_openat, [libc::AT_FDCWD.into(), path.as_ptr() as c_long, flags.into(), 0o600, 0, 0])
    };
    tell("read_closed", open(&closed, libc::O_RDONLY));
    tell("read_own", open(&own, libc::O_RDONLY));
    for (name, flags) in [
        ("write_own", libc::O_WRONLY),
        ("read_and_write_own", libc::O_RDWR),
        ("empty_own", libc::O_RDONLY | libc::O_TRUNC),
        ("make_own", libc::O_RDONLY | libc::O_CREAT),
    ] {
        tell(name, open(&own, flags));
    }
    for (name, number) in [
        ("connect", libc::SYS_connect),
        ("bind", libc::SYS_bind),
        ("sendmsg", libc::SYS_sendmsg),
        ("setsockopt", libc::SYS_setsockopt),
        ("pipe", libc::SYS_pipe2),
        ("unlink", libc::SYS_unlinkat),
        ("link", libc::SYS_linkat),
        ("truncate", libc::SYS_truncate),
        ("openat2", libc::SYS_openat2),
        ("name_to_handle", libc::SYS_name_to_handle_at),
        ("chmod", libc::SYS_fchmodat),
        ("chown", libc::SYS_fchownat),
        ("ioctl", libc::SYS_ioctl),
    ] {
        tell(name, call1(number, 0));
    }
    for command in [1, 2, 3] {
        tell(&format!("map_{command}"), call1(libc::SYS_bpf, command));
    }
}

/// Those that need nothing which one who plays a trap has not: no file, no new connection, no way to another process.
pub fn on_trap(tell: impl Fn(&str, Outcome)) {
    let nothing = [0_u8; 128];
    let pointer = nothing.as_ptr() as c_long;
    for (name, number) in [
        ("connect", libc::SYS_connect),
        ("bind", libc::SYS_bind),
        ("listen", libc::SYS_listen),
        ("sendmsg", libc::SYS_sendmsg),
        ("pipe", libc::SYS_pipe2),
        ("dup", libc::SYS_dup),
        ("unlink", libc::SYS_unlinkat),
        ("mkdir", libc::SYS_mkdirat),
        ("memfd_create", libc::SYS_memfd_create),
        ("getpeername", libc::SYS_getpeername),
        ("setsockopt", libc::SYS_setsockopt),
        ("timerfd", libc::SYS_timerfd_create),
        ("inotify", libc::SYS_inotify_init1),
    ] {
        tell(name, call1(number, 0));
    }
    for command in [1, 2, 3] {
        tell(&format!("map_{command}"), call(libc::SYS_bpf, [command, pointer, 128, 0, 0, 0]));
    }
    tell("copy_descriptor", call(libc::SYS_fcntl, [-1, libc::F_DUPFD.into(), 0, 0, 0, 0]));
    let path = CString::new("/etc/hosts").unwrap();
    let open = [libc::AT_FDCWD.into(), path.as_ptr() as c_long, libc::O_RDWR.into(), 0, 0, 0];
    tell("open_to_write", call(libc::SYS_openat, open));
}

/// Half of what makes a thread: were it let through, it would still do nothing.
pub fn thread() -> Outcome {
    fork(libc::CLONE_THREAD.into())
}

/// A raw system call; whatever it returns on success is an escape.
pub fn call(number: c_long, arguments: [c_long; 6]) -> Outcome {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: every caller passes numbers, null, or pointers to live values; a refused call reads none of them.
    Errno::result(unsafe { libc::syscall(number, a, b, c, d, e, f) }).map(drop)
}

fn call1(number: c_long, a: c_long) -> Outcome {
    call(number, [a, 0, 0, 0, 0, 0])
}

fn programs_and_processes(tell: &impl Fn(&str, Outcome)) {
    let program = CString::new("/bin/true").unwrap();
    let pointer = program.as_ptr() as c_long;
    tell("execve", call(libc::SYS_execve, [pointer, 0, 0, 0, 0, 0]));
    tell("execveat", call(libc::SYS_execveat, [libc::AT_FDCWD.into(), pointer, 0, 0, 0, 0]));
    tell("fork", fork(libc::SIGCHLD.into()));
    tell("clone_process", fork(0));
    tell("clone_namespace", fork(c_long::from(libc::CLONE_THREAD | libc::CLONE_NEWUSER)));
    tell("ptrace", call(libc::SYS_ptrace, [libc::PTRACE_ATTACH.into(), parent(), 0, 0, 0, 0]));
    tell("process_vm_readv", call1(libc::SYS_process_vm_readv, parent()));
    tell("kill_other", call(libc::SYS_kill, [parent(), 0, 0, 0, 0, 0]));
    tell("pidfd_open", call1(libc::SYS_pidfd_open, parent()));
    // A descriptor's owner gets a signal when it becomes ready: any signal, and any process of the same user.
    let owner: [i32; 2] = [1, i32::try_from(parent()).unwrap()];
    tell("signal_by_descriptor", call(libc::SYS_fcntl, [0, 8, parent(), 0, 0, 0]));
    tell("signal_by_descriptor_ex", call(libc::SYS_fcntl, [0, 15, owner.as_ptr() as c_long, 0, 0, 0]));
    tell("kill_by_descriptor", call(libc::SYS_fcntl, [0, 10, libc::SIGKILL.into(), 0, 0, 0]));
    tell("limit_other", call(libc::SYS_prlimit64, [parent(), libc::RLIMIT_NOFILE.into(), 0, 0, 0, 0]));
}

/// If it works, the new process must not play on.
fn fork(flags: c_long) -> Outcome {
    // SAFETY: plain numbers; a child ends at once.
    match Errno::result(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) }) {
        // SAFETY: ends the process that should not be.
        Ok(0) => unsafe { libc::_exit(0) },
        outcome => outcome.map(drop),
    }
}

fn parent() -> c_long {
    nix::unistd::getppid().as_raw().into()
}

fn files_and_namespaces(tell: &impl Fn(&str, Outcome)) {
    // A path that is not there: were these let through, they would still do nothing.
    let (root, kind) = (CString::new("/nowhere-honeymesh").unwrap(), CString::new("tmpfs").unwrap());
    let (path, kind) = (root.as_ptr() as c_long, kind.as_ptr() as c_long);
    tell("mount", call(libc::SYS_mount, [kind, path, kind, 0, 0, 0]));
    tell("umount", call1(libc::SYS_umount2, path));
    tell("pivot_root", call(libc::SYS_pivot_root, [path, path, 0, 0, 0, 0]));
    tell("chroot", call1(libc::SYS_chroot, path));
    tell("move_mount", call1(libc::SYS_move_mount, 0));
    tell("fsopen", call1(libc::SYS_fsopen, kind));
    tell("open_tree", call(libc::SYS_open_tree, [libc::AT_FDCWD.into(), path, 1, 0, 0, 0]));
    tell("unshare", call1(libc::SYS_unshare, libc::CLONE_NEWUSER.into()));
    tell("setns", call1(libc::SYS_setns, 0));
    tell("swapon", call1(libc::SYS_swapon, path));
    tell("mknod", call(libc::SYS_mknodat, [libc::AT_FDCWD.into(), kind, libc::S_IFIFO.into(), 0, 0, 0]));
    tell("open_by_handle", call1(libc::SYS_open_by_handle_at, libc::AT_FDCWD.into()));
}

fn kernel(tell: &impl Fn(&str, Outcome)) {
    let nothing = [0_u8; 128];
    let attributes = nothing.as_ptr() as c_long;
    for (name, command) in [("map_create", 0), ("prog_load", 5), ("obj_get", 7), ("link_create", 28)] {
        tell(name, call(libc::SYS_bpf, [command, attributes, 128, 0, 0, 0]));
    }
    tell("io_uring_setup", call(libc::SYS_io_uring_setup, [1, attributes, 0, 0, 0, 0]));
    tell("keyctl", call1(libc::SYS_keyctl, 0));
    tell("add_key", call1(libc::SYS_add_key, 0));
    tell("perf_event_open", call1(libc::SYS_perf_event_open, attributes));
    tell("userfaultfd", call1(libc::SYS_userfaultfd, 1));
    tell("kexec_load", call1(libc::SYS_kexec_load, 0));
    tell("init_module", call1(libc::SYS_init_module, 0));
    tell("finit_module", call1(libc::SYS_finit_module, 0));
    tell("delete_module", call1(libc::SYS_delete_module, 0));
    // With the wrong magic numbers: were it let through, it would still do nothing.
    tell("reboot", call1(libc::SYS_reboot, 0));
    tell("set_clock", call(libc::SYS_clock_settime, [99, attributes, 0, 0, 0, 0]));
    tell("set_host_name", call(libc::SYS_sethostname, [attributes, 65, 0, 0, 0, 0]));
    tell("syslog", call1(libc::SYS_syslog, 10));
    tell("personality", call1(libc::SYS_personality, 0));
    tell("terminal_input", call(libc::SYS_ioctl, [0, 0x5412, attributes, 0, 0, 0]));
}

fn users(tell: &impl Fn(&str, Outcome)) {
    tell("setuid", call1(libc::SYS_setuid, 65_534));
    tell("setresuid", call(libc::SYS_setresuid, [65_534; 6]));
    tell("setgid", call1(libc::SYS_setgid, 65_534));
    tell("setgroups", call1(libc::SYS_setgroups, 0));
    tell("capset", call1(libc::SYS_capset, 0));
    tell("prctl_seccomp_off", call(libc::SYS_prctl, [libc::PR_SET_SECCOMP.into(), 0, 0, 0, 0, 0]));
    tell("prctl_keep_capabilities", call(libc::SYS_prctl, [libc::PR_SET_KEEPCAPS.into(), 1, 0, 0, 0, 0]));
}

fn sockets(tell: &impl Fn(&str, Outcome)) {
    let socket =
        |family: i32, kind: i32, protocol: i32| call(libc::SYS_socket, [family.into(), kind.into(), protocol.into(), 0, 0, 0]);
    tell("packet_socket", socket(libc::AF_PACKET, libc::SOCK_RAW, 0));
    tell("raw_socket", socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_TCP));
    tell("raw_socket6", socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6));
    tell("sctp_socket", socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_SCTP));
    tell("old_packet_socket", socket(libc::AF_INET, 10, 0));
    tell("netfilter_socket", socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER));
    tell("vsock_socket", socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0));
    tell("local_socket", socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0));
    tell("local_datagrams", socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0));
    let mut pair = [0_i32; 2];
    let place = pair.as_mut_ptr() as c_long;
    let kind = (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC).into();
    tell("local_pair_of_datagrams", call(libc::SYS_socketpair, [libc::AF_UNIX.into(), kind, 0, place, 0, 0]));
    let own = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&own).into();
    tell(
        "socket_filter",
        call(libc::SYS_setsockopt, [descriptor, libc::SOL_SOCKET.into(), libc::SO_ATTACH_FILTER.into(), 0, 0, 0]),
    );
}

/// A port below 1024 on loopback: `EACCES` without `CAP_NET_BIND_SERVICE`.
pub fn low_port() -> Outcome {
    match std::net::TcpListener::bind("127.0.0.1:47") {
        Ok(_) => Ok(()),
        Err(error) => Err(Errno::from_raw(error.raw_os_error().unwrap_or(0))),
    }
}

fn memory(tell: &impl Fn(&str, Outcome)) {
    let map = |protection: i32| {
        // SAFETY: a fresh private mapping that nobody else uses.
        let page = unsafe { libc::mmap(null_mut(), 4_096, protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
        if page == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(page) }
    };
    tell("write_and_run", map(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC).map(drop));
    tell("run_mapped", map(libc::PROT_READ | libc::PROT_EXEC).map(drop));
    let page = map(libc::PROT_READ | libc::PROT_WRITE).unwrap();
    // SAFETY: changes the page that was just mapped.
    tell("run_written", Errno::result(unsafe { libc::mprotect(page, 4_096, libc::PROT_READ | libc::PROT_EXEC) }).map(drop));
    let name = CString::new("x").unwrap();
    tell("memfd_create", call(libc::SYS_memfd_create, [name.as_ptr() as c_long, 0, 0, 0, 0, 0]));
}

fn absent(tell: &impl Fn(&str, Outcome)) {
    tell("clone3", call1(libc::SYS_clone3, 0));
    tell("unknown_call", call1(9_999, 0));
    // The same machine's other mode of calling: bit 30 of the number.
    tell("x32_getpid", call1(0x4000_0000 | libc::SYS_getpid, 0));
    tell("pkey_mprotect", call1(libc::SYS_pkey_mprotect, 0));
    tell("landlock_create_ruleset", call(libc::SYS_landlock_create_ruleset, [0, 0, 1, 0, 0, 0]));
}

/// Sends a frame by an interface that the packet socket is not bound to: once with a call, once with a message.
pub fn forged(socket: &std::os::fd::OwnedFd) -> [Outcome; 2] {
    use std::os::fd::AsRawFd;
    // Of a kind that nobody takes (IEEE 802, local experiments), by the loopback interface.
    let frame = [[2; 12].as_slice(), &[0x88, 0xb5], &[0; 46]].concat();
    // SAFETY: a link-layer address and a message are plain numbers and pointers, for which zeros are values.
    let (mut to, mut message): (libc::sockaddr_ll, libc::msghdr) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    to.sll_family = u16::try_from(libc::AF_PACKET).unwrap();
    to.sll_ifindex = 1;
    let len = u32::try_from(size_of_val(&to)).unwrap();
    let mut part = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
    (message.msg_name, message.msg_namelen) = ((&raw mut to).cast(), len);
    (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
    // SAFETY: the frame, the address and the message are live and as long as is said; the kernel only reads them.
    unsafe {
        let sent = libc::sendto(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0, (&raw const to).cast(), len);
        [Errno::result(sent).map(drop), Errno::result(libc::sendmsg(socket.as_raw_fd(), &raw const message, 0)).map(drop)]
    }
}
