//! Makes the two lists into seccomp filters and binds every thread to them.

use crate::{Error, Role, syscalls};
use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction,
    SeccompCmpArgLen::{Dword, Qword},
    SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Binds every thread. The list of refusals comes last, because the filter that was installed last decides between
/// two error numbers.
pub(crate) fn install(role: Role) -> Result<(), Error> {
    let allowed = program(allowed(role), Reading::Allowed)?;
    let refused = program(refused(role).map_err(seccompiler::Error::from)?, Reading::Refused)?;
    apply_filter_all_threads(&allowed)?;
    apply_filter_all_threads(&refused)?;
    Ok(())
}

#[derive(Clone, Copy)]
enum Reading {
    Allowed,
    Refused,
}

fn program(rules: Rules, reading: Reading) -> Result<BpfProgram, seccompiler::Error> {
    let (listed, others) = match reading {
        Reading::Allowed => (SeccompAction::Allow, SeccompAction::Errno(number(libc::ENOSYS))),
        Reading::Refused => (SeccompAction::Errno(number(libc::EPERM)), SeccompAction::Allow),
    };
    let filter = SeccompFilter::new(rules, others, listed, TargetArch::try_from(std::env::consts::ARCH)?)?;
    Ok(BpfProgram::try_from(filter)?)
}

fn number(errno: i32) -> u32 {
    errno.unsigned_abs()
}

/// Whatever is allowed here may still be refused by its arguments below.
fn allowed(role: Role) -> Rules {
    let calls = syscalls::allowed(role).flat_map(|(_, calls)| calls.iter());
    calls.map(|call| (*call, Vec::new())).collect()
}

fn refused(role: Role) -> Result<Rules, BackendError> {
    let calls = syscalls::REFUSED.iter().flat_map(|(_, calls)| calls.iter());
    let mut rules: Rules = calls.map(|call| (*call, Vec::new())).collect();
    let allowed = allowed(role);
    for (call, reasons) in
        by_argument(role).into_iter().filter(|(call, reasons)| allowed.contains_key(call) && !reasons.is_empty())
    {
        let made: Result<Vec<_>, _> = reasons.into_iter().map(|reason| SeccompRule::new(reason?)).collect();
        rules.insert(call, made?);
    }
    Ok(rules)
}

/// One reason to refuse a call: all of its conditions at once.
type Reason = Result<Vec<SeccompCondition>, BackendError>;

/// Calls that are refused for some of their arguments: one reason is enough, and with none they are not refused.
fn by_argument(role: Role) -> Vec<(c_long, Vec<Reason>)> {
    vec![
        (libc::SYS_socket, sockets()),
        (libc::SYS_socketpair, pairs()),
        (libc::SYS_setsockopt, socket_filters()),
        (libc::SYS_bpf, vec![none_of(0, syscalls::bpf_commands(role))]),
        (libc::SYS_prctl, vec![none_of(0, syscalls::PRCTL_OPTIONS)]),
        (libc::SYS_ioctl, vec![no_request_of(1, syscalls::IOCTL_REQUESTS)]),
        (libc::SYS_clone, clones(role)),
        (libc::SYS_openat, opens(role, 2)),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, opens(role, 1)),
        (libc::SYS_fcntl, descriptor_changes(role)),
        (libc::SYS_sendto, destinations(role)),
        // What is written is never run, neither memory nor a file: no code comes in as data, and the program's own is there.
        (libc::SYS_mmap, vec![bits(2, libc::PROT_EXEC, libc::PROT_EXEC)]),
        (libc::SYS_mprotect, vec![bits(2, libc::PROT_EXEC, libc::PROT_EXEC)]),
        // No other process is signalled or limited; its own threads are, by the C library.
        (libc::SYS_kill, vec![none_of(0, &[own_process()])]),
        (libc::SYS_tgkill, vec![none_of(0, &[own_process()])]),
        (libc::SYS_prlimit64, vec![none_of(0, &[0, own_process()])]),
    ]
}

/// TCP, UDP and the kernel's own interface for addresses; nothing that sees or forges packets, and no protocol that would load a
/// module. Nor local sockets, by which services of this machine take orders (of root, if the daemon has stayed root): those that
/// are needed are open.
fn sockets() -> Vec<Reason> {
    let mut reasons = vec![none_of(0, &[libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK])];
    for family in [libc::AF_INET, libc::AF_INET6] {
        for kind in [libc::SOCK_RAW, libc::SOCK_SEQPACKET, libc::SOCK_DCCP, syscalls::SOCK_PACKET] {
            reasons.push(both(is(0, family), bits(1, syscalls::SOCKET_KIND_MASK, kind)));
        }
        reasons.push(both(is(0, family), none_of(2, &[0, libc::IPPROTO_TCP, libc::IPPROTO_UDP])));
    }
    reasons.push(both(is(0, libc::AF_NETLINK), none_of(2, &[libc::NETLINK_ROUTE])));
    reasons
}

/// Pairs of local sockets, but not of datagrams: such a pair could be taken apart and connected to somebody else.
fn pairs() -> Vec<Reason> {
    let kinds = [libc::SOCK_DGRAM, libc::SOCK_RAW].map(|kind| bits(1, syscalls::SOCKET_KIND_MASK, kind));
    [none_of(0, &[libc::AF_UNIX])].into_iter().chain(kinds).collect()
}

/// A program on a socket is code in the kernel.
fn socket_filters() -> Vec<Reason> {
    let filters = [libc::SO_ATTACH_FILTER, libc::SO_ATTACH_BPF, libc::SO_ATTACH_REUSEPORT_CBPF, libc::SO_ATTACH_REUSEPORT_EBPF];
    filters.map(|filter| both(is(1, libc::SOL_SOCKET), is(2, filter))).into()
}

/// Threads, but no processes and no namespaces. `clone3` hides its flags in memory, where no filter can read them, so
/// it is not there at all and the C library falls back to `clone`. Wardens start no thread, and one kind of process.
fn clones(role: Role) -> Vec<Reason> {
    if matches!(role, Role::Warden | Role::TrapWarden) {
        return vec![none_of(0, syscalls::FORK)];
    }
    let mut reasons = vec![bits(0, libc::CLONE_THREAD, 0)];
    reasons.extend(syscalls::NAMESPACES.iter().map(|flag| bits(0, *flag, *flag)));
    reasons
}

/// The daemon has a database to write, and the clerk keys; whoever has none only reads. (Pins are made by no opening.) `flags` is
/// the place of the flags among the arguments. To empty a file it is enough to open it, also to read (`O_TRUNC`); a file without
/// a name (`O_TMPFILE`) is only opened to be written.
fn opens(role: Role, flags: u8) -> Vec<Reason> {
    match role {
        Role::Node | Role::Clerk => Vec::new(),
        Role::Keeper | Role::Warden | Role::NftWriter | Role::Trap | Role::TrapWarden => {
            [libc::O_WRONLY, libc::O_RDWR, libc::O_CREAT, libc::O_TRUNC].map(|flag| bits(flags, flag, flag)).into()
        }
    }
}

/// Whoever parses strangers' bytes asks whether a descriptor blocks; it copies none and locks none. Nobody has a descriptor send
/// signals: the kernel sends any signal, to whatever process the descriptor names, and asks for no more than the same user.
fn descriptor_changes(role: Role) -> Vec<Reason> {
    if role == Role::Trap {
        return vec![none_of(1, &[libc::F_GETFL])];
    }
    syscalls::SIGNALS_BY_DESCRIPTOR.iter().map(|command| is(1, *command)).collect()
}

/// A packet socket that is bound to one interface still sends by any other that a call names. Whoever keeps one names none: the
/// address, a pointer of 64 bits, is not there.
fn destinations(role: Role) -> Vec<Reason> {
    let named = || SeccompCondition::new(4, Qword, SeccompCmpOp::Ne, 0).map(|one| vec![one]);
    if role == Role::NftWriter { vec![named()] } else { Vec::new() }
}

fn own_process() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(i32::MAX)
}

fn is(argument: u8, value: i32) -> Reason {
    condition(argument, SeccompCmpOp::Eq, value.cast_unsigned()).map(|one| vec![one])
}

fn bits(argument: u8, mask: i32, value: i32) -> Reason {
    let masked = SeccompCmpOp::MaskedEq(u64::from(mask.cast_unsigned()));
    condition(argument, masked, value.cast_unsigned()).map(|one| vec![one])
}

fn none_of(argument: u8, values: &[i32]) -> Reason {
    values.iter().map(|value| condition(argument, SeccompCmpOp::Ne, value.cast_unsigned())).collect()
}

fn no_request_of(argument: u8, values: &[u32]) -> Reason {
    values.iter().map(|value| condition(argument, SeccompCmpOp::Ne, *value)).collect()
}

fn both(one: Reason, other: Reason) -> Reason {
    Ok([one?, other?].concat())
}

/// The kernel takes these arguments as 32 bits, so the upper half of the register is nobody's business.
fn condition(argument: u8, operator: SeccompCmpOp, value: u32) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Dword, operator, u64::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const ROLES: [Role; 7] = [Role::Node, Role::Keeper, Role::Warden, Role::NftWriter, Role::Trap, Role::TrapWarden, Role::Clerk];

    #[test]
    fn the_clerk_may_call_nothing_that_the_node_may_not_and_has_no_socket_no_map_and_no_second_thread() {
        let (node, clerk) = (allowed(Role::Node), allowed(Role::Clerk));
        assert!(clerk.keys().all(|call| node.contains_key(call)) && clerk.len() * 3 < node.len(), "{}", clerk.len());
        let never = [
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_recvmsg,
            libc::SYS_sendmsg,
            libc::SYS_bpf,
            libc::SYS_clone,
            libc::SYS_kill,
        ];
        assert!(never.into_iter().all(|call| !clerk.contains_key(&call)));
    }

    #[test]
    fn the_writer_of_nf_tables_may_call_nothing_that_the_node_may_not() {
        let (node, writer) = (allowed(Role::Node), allowed(Role::NftWriter));
        assert!(writer.keys().all(|call| node.contains_key(call)) && writer.len() * 3 < node.len(), "{}", writer.len());
        let none = [libc::SYS_socket, libc::SYS_bpf, libc::SYS_bind, libc::SYS_connect, libc::SYS_sendmsg, libc::SYS_sendmmsg];
        assert!(none.into_iter().all(|call| !writer.contains_key(&call)));
    }

    #[test]
    fn whoever_parses_strangers_bytes_has_the_shortest_list_and_can_open_nothing() {
        let (node, trap) = (allowed(Role::Node), allowed(Role::Trap));
        assert!(trap.keys().all(|call| node.contains_key(call)) && trap.len() * 5 < node.len(), "{}", trap.len());
        for role in [Role::Keeper, Role::Warden, Role::NftWriter, Role::TrapWarden] {
            assert!(trap.len() < allowed(role).len(), "{role:?}");
        }
        let opens = [libc::SYS_openat, libc::SYS_socket, libc::SYS_connect, libc::SYS_bind, libc::SYS_accept4, libc::SYS_bpf];
        let opens = opens.into_iter().chain([libc::SYS_clone, libc::SYS_pipe2, libc::SYS_socketpair, libc::SYS_eventfd2]);
        assert!(opens.into_iter().all(|call| !trap.contains_key(&call)));
        assert_eq!(syscalls::bpf_commands(Role::TrapWarden), &[] as &[i32]);
    }

    #[test]
    fn the_keeper_may_call_nothing_that_the_node_may_not_and_shares_no_power_over_maps() {
        let (node, keeper) = (allowed(Role::Node), allowed(Role::Keeper));
        assert!(keeper.keys().all(|call| node.contains_key(call)) && keeper.len() * 3 < node.len(), "{}", keeper.len());
        let (node, keeper) = (syscalls::bpf_commands(Role::Node), syscalls::bpf_commands(Role::Keeper));
        let shared: Vec<_> = node.iter().filter(|command| keeper.contains(command)).collect();
        assert_eq!(shared, [&15], "only OBJ_GET_INFO_BY_FD");
    }

    #[test]
    fn the_warden_may_call_three_things_more_than_the_keeper_and_no_more_of_bpf() {
        let (warden, keeper) = (allowed(Role::Warden), allowed(Role::Keeper));
        assert!(keeper.keys().all(|call| warden.contains_key(call)) && warden.len() == keeper.len() + 3, "{}", warden.len());
        assert_eq!(syscalls::bpf_commands(Role::Warden), syscalls::bpf_commands(Role::Keeper));
    }

    #[test]
    fn no_call_is_on_both_lists_or_twice_on_one() {
        let mut seen: BTreeSet<c_long> = BTreeSet::new();
        for role in ROLES {
            seen.clear();
            for (why, calls) in syscalls::allowed(role).chain(syscalls::REFUSED) {
                assert!(!why.is_empty() && !calls.is_empty());
                for call in *calls {
                    assert!(seen.insert(*call), "{role:?}: {call}: {why}");
                }
            }
        }
    }

    #[test]
    fn what_is_refused_by_argument_is_allowed_otherwise() {
        let allowed = allowed(Role::Node);
        for (call, reasons) in by_argument(Role::Node).into_iter().filter(|(_, reasons)| !reasons.is_empty()) {
            assert!(allowed.contains_key(&call), "{call} would be refused whatever its arguments are");
            assert!(reasons.into_iter().all(|reason| !reason.unwrap().is_empty()), "{call}");
        }
    }

    #[test]
    fn nobody_opens_a_file_by_a_call_whose_flags_no_filter_reads_unless_he_may_write() {
        let hidden =
            [libc::SYS_openat2, libc::SYS_open_by_handle_at, libc::SYS_truncate, libc::SYS_ftruncate, libc::SYS_fallocate];
        let handles = [libc::SYS_name_to_handle_at, libc::SYS_memfd_create, libc::SYS_open_tree];
        for role in ROLES {
            let allowed = allowed(role);
            assert!(handles.iter().all(|call| !allowed.contains_key(call)), "{role:?}");
            assert!(role == Role::Node || hidden.iter().all(|call| !allowed.contains_key(call)), "{role:?}");
            #[cfg(target_arch = "x86_64")]
            assert!(!allowed.contains_key(&libc::SYS_creat), "{role:?}");
        }
    }

    #[test]
    fn both_programs_fit_into_the_kernels_limit() {
        let allowed = program(allowed(Role::Node), Reading::Allowed).unwrap();
        let refused = program(refused(Role::Node).unwrap(), Reading::Refused).unwrap();
        assert!(allowed.len() + refused.len() < 4_096, "{} + {}", allowed.len(), refused.len());
    }
}
