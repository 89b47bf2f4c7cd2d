//! Drops the capabilities of the thread that runs it, with nothing but system calls.
#![expect(unsafe_code, reason = "capabilities belong to threads and are only reached by raw system calls")]

use crate::User;
use libc::{c_int, c_long, c_ulong};

/// `_LINUX_CAPABILITY_VERSION_3`: 64 bits in two halves.
const VERSION: u32 = 0x2008_0522;
/// One more than the highest capability the interface can name.
const CAPABILITIES_MAX: c_ulong = 64;

#[repr(C)]
struct Header {
    version: u32,
    /// 0: the calling thread.
    thread: c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Drops every capability but those in `keep` from all five sets of the calling thread, makes it `user`, forbids it new
/// privileges and, if there are `rules`, binds it to them. Who becomes another user has the permitted of those in `keep`
/// afterwards. Returns 0 or the `errno` of what failed.
///
/// Runs in a signal handler: it allocates nothing, takes no lock and leaves `errno` to its caller to restore.
pub(crate) fn give_up(keep: u64, user: Option<User>, rules: Option<c_int>) -> c_int {
    // SAFETY: every prctl takes plain numbers.
    let ambient = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    if ambient != 0 {
        return errno();
    }
    // Both need power, so they come before it goes.
    shrink_bounding(keep);
    let stays = user.is_some() && keep != 0;
    let asked = if stays { keep_capabilities(true) } else { 0 };
    if asked != 0 {
        return asked;
    }
    let became = user.map_or(0, User::become_alone);
    if became != 0 {
        return became;
    }
    let capabilities = set(keep, stays);
    if capabilities != 0 {
        return capabilities;
    }
    let asked = if stays { keep_capabilities(false) } else { 0 };
    if asked != 0 {
        return asked;
    }
    // SAFETY: as above.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return errno();
    }
    match rules {
        // SAFETY: takes a descriptor and flags; a descriptor that is none is an error, not undefined.
        Some(rules) if unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules, 0) } != 0 => errno(),
        _ => 0,
    }
}

/// Forbids this thread, and every program and process it starts, ever to get any capability that it does not have: for whoever
/// is about to become another user, and has the power to do this only until then. Call it while there is one thread.
///
/// Without `CAP_SETPCAP` nothing changes, and nobody gets anything by that, for no program is started once a process is confined.
pub fn forbid_more() {
    shrink_bounding(0);
}

/// Needs `CAP_SETPCAP`; without it the set stays, and the report says so. Nothing is started any more, so it gives
/// nobody anything.
fn shrink_bounding(keep: u64) {
    for capability in 0..CAPABILITIES_MAX {
        if keep & 1 << capability == 0 {
            // SAFETY: takes plain numbers; an unknown capability is an error.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        }
    }
}

/// Shall the permitted ones outlast the change from root to another user? The effective ones never do.
fn keep_capabilities(on: bool) -> c_int {
    // SAFETY: takes plain numbers.
    if unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, c_ulong::from(on), 0, 0, 0) } == 0 { 0 } else { errno() }
}

/// `raise`: what was permitted is effective again.
fn set(keep: u64, raise: bool) -> c_int {
    let mut header = Header { version: VERSION, thread: 0 };
    let mut halves = [Half::default(); 2];
    // SAFETY: header and both halves are live, writable and of the layout that this version asks for.
    let got = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) };
    if got != 0 {
        return errno();
    }
    for (half, kept) in halves.iter_mut().zip([low(keep), low(keep >> 32)]) {
        let effective = if raise { half.permitted } else { half.effective };
        *half = Half { effective: effective & kept, permitted: half.permitted & kept, inheritable: 0 };
    }
    // SAFETY: as above; the kernel only reads the halves.
    let result: c_long = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, halves.as_ptr()) };
    if result == 0 { 0 } else { errno() }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is asked for")]
const fn low(bits: u64) -> u32 {
    bits as u32
}

pub(crate) fn errno() -> c_int {
    // SAFETY: the pointer is to this thread's own errno, live as long as the thread.
    unsafe { *libc::__errno_location() }
}
