//! What the warden may call besides everything that the keeper may, whose parent it is: a copy of itself, and waiting for it.
//!
//! Its filter also binds the keepers, which are such copies, so it cannot be smaller than theirs; a keeper then takes these
//! calls away from itself.

use super::List;
use libc::{SYS_clone, SYS_socketpair, SYS_wait4};

/// What it may call besides (measured: what fork(2) and waitpid(2) come to).
pub(super) const MORE: List = &[
    ("a copy of itself: no thread, no namespace (see FORK)", &[SYS_clone]),
    ("how the copy ended", &[SYS_wait4]),
    ("a line to the copy, on which it tells its links", &[SYS_socketpair]),
];

/// The only flags of `clone`: what the C library's fork(2) says (measured with glibc). With another one the warden cannot start
/// a keeper, and the daemon does not start.
pub(crate) const FORK: &[i32] = &[libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD];
