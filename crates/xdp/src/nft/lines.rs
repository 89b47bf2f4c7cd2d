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
/// How often a lock is taken anew when its file is removed in that very moment.
const TRIES: usize = 3;
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
    for _ in 1..TRIES {
        let lock = lock_at(&path)?;
        // Whoever held it before may have removed the file in between: then this lock keeps nobody out.
        if is_at(&lock, &path) {
            return Ok(lock);
        }
    }
    lock_at(&path)
}

fn lock_at(path: &Path) -> Result<Flock<File>, Error> {
    fs::create_dir_all(LOCKS).map_err(|source| lock_error(path, source))?;
    let file = File::create(path).map_err(|source| lock_error(path, source))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => Error::InUse { path: path.to_owned(), by: String::new() },
        other => lock_error(path, other.into()),
    })
}

fn is_at(file: &File, path: &Path) -> bool {
    let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().is_ok_and(|held| fs::metadata(path).is_ok_and(|there| place(there) == place(held)))
}

/// Removes the file of a lock that is held, and the directory if nobody else has one there.
pub(super) fn remove(lock: Flock<File>) -> Result<(), Error> {
    let path = lock_path()?;
    let removed = fs::remove_file(&path);
    // Another network namespace's may be there.
    let _in_use = fs::remove_dir(LOCKS);
    drop(lock);
    removed.map_err(|source| Error::Pin { doing: "remove", path, source })
}

pub(super) fn lock_path() -> Result<PathBuf, Error> {
    let namespace = Path::new("/proc/thread-self/ns/net");
    let number = fs::metadata(namespace).map_err(|source| lock_error(namespace, source))?.ino();
    Ok(Path::new(LOCKS).join(format!("nft-{number}.lock")))
}

pub(super) fn lock_error(path: &Path, source: io::Error) -> Error {
    Error::Pin { doing: "lock", path: path.to_owned(), source }
}
