//! Lines between two processes, and the lock that says whose a network namespace's tables are.

use crate::Error;
use nix::{
    fcntl::{Flock, FlockArg},
    sys::{
        socket::{AddressFamily, SockFlag, SockType, setsockopt, socketpair, sockopt},
        time::TimeVal,
    },
};
use std::{
    fs::{self, File},
    io,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

/// How long the writer may take to answer. Then it is given up, which ends it.
const ANSWER_WAIT_SECONDS: i64 = 30;
/// Where a lock says that a network namespace's tables are taken.
const LOCKS: &str = "/run/honeymesh";

/// Both ends of a line; the first gives up waiting.
pub(super) fn pair() -> Result<(OwnedFd, OwnedFd), Error> {
    let failed = |errno: nix::errno::Errno| Error::Nftables {
        doing: "make a line to the process that writes".into(),
        source: errno.into(),
    };
    let ends = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).map_err(failed)?;
    setsockopt(&ends.0, sockopt::ReceiveTimeout, &TimeVal::new(ANSWER_WAIT_SECONDS, 0)).map_err(failed)?;
    setsockopt(&ends.0, sockopt::SendTimeout, &TimeVal::new(ANSWER_WAIT_SECONDS, 0)).map_err(failed)?;
    Ok(ends)
}

/// One daemon for each network namespace: two would undo each other's work.
pub(super) fn lock() -> Result<Flock<File>, Error> {
    let path = lock_path()?;
    fs::create_dir_all(LOCKS).map_err(|source| lock_error(&path, source))?;
    let file = File::create(&path).map_err(|source| lock_error(&path, source))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => Error::InUse { path, by: String::new() },
        other => lock_error(&path, other.into()),
    })
}

pub(super) fn lock_path() -> Result<PathBuf, Error> {
    let namespace = Path::new("/proc/thread-self/ns/net");
    let number = fs::metadata(namespace).map_err(|source| lock_error(namespace, source))?.ino();
    Ok(Path::new(LOCKS).join(format!("nft-{number}.lock")))
}

pub(super) fn lock_error(path: &Path, source: io::Error) -> Error {
    Error::Pin { doing: "lock", path: path.to_owned(), source }
}
