//! The control socket: made atomically with its mode, a stale one replaced, a live one respected.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt, chown},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

/// The socket's mode: owner and group may connect.
const SOCKET_MODE: u32 = 0o660;
/// What is put behind the socket's name for the lock beside it, which a live daemon holds.
pub const LOCK_SUFFIX: &str = ".lock";
/// The longest path that fits a socket address, in bytes.
const PATH_BYTES_MAX: usize = 107;

/// A bound control socket. Removes itself when dropped, if it still may.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Held as long as the socket lives: whoever has it is the one daemon.
    _lock: File,
}

/// Why there is no control socket. Nothing of another daemon was touched.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A daemon is alive behind it.
    #[error("another daemon already listens at {}; stop it first, or give this one its own [node] state_dir", .0.display())]
    Live(PathBuf),
    /// Something else is in its place.
    #[error("{} is in the way and is no socket; move it away", .0.display())]
    InTheWay(PathBuf),
    /// The path does not fit a socket address.
    #[error("{} is too long for a socket: at most 107 bytes; choose a shorter [node] state_dir", .0.display())]
    TooLong(PathBuf),
    /// The system said no.
    #[error("the control socket {} cannot be made: {source}; check that the directory exists and may be written to", path.display())]
    Io {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ControlSocket {
    /// Binds the socket with mode 0660 and, if given, its group. From the first moment on it can be connected to, it
    /// has that mode; a socket that a dead daemon left behind is replaced.
    ///
    /// # Errors
    /// Another daemon lives there, something else is in the way, or the system refuses.
    pub fn bind(path: &Path, group: Option<u32>) -> Result<Self, ControlError> {
        let io = |source| ControlError::Io { path: path.into(), source };
        if path.as_os_str().len() > PATH_BYTES_MAX {
            return Err(ControlError::TooLong(path.into()));
        }
        let lock = lock(path)?;
        clear(path)?;
        let listener = publish(path, group).map_err(io)?;
        listener.set_nonblocking(true).map_err(io)?;
        Ok(Self { listener, path: path.into(), _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn listener(&self) -> io::Result<tokio::net::UnixListener> {
        tokio::net::UnixListener::from_std(self.listener.try_clone()?)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // The next start replaces it if it cannot be removed any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// Takes the lock beside the socket, which the system takes back from a daemon that dies.
fn lock(path: &Path) -> Result<File, ControlError> {
    let mut name = path.as_os_str().to_owned();
    name.push(LOCK_SUFFIX);
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&name);
    let file = file.map_err(|source| ControlError::Io { path: path.into(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ControlError::Live(path.into())),
        Err(TryLockError::Error(source)) => Err(ControlError::Io { path: path.into(), source }),
    }
}

/// With the lock held, a socket is stale; anything else is somebody's file.
fn clear(path: &Path) -> Result<(), ControlError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok(()),
        Ok(_) => Err(ControlError::InTheWay(path.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(ControlError::Io { path: path.into(), source }),
    }
}

/// Binds in a directory that only we can enter, sets mode and group there, and moves the socket to its place.
fn publish(path: &Path, group: Option<u32>) -> io::Result<UnixListener> {
    let nursery = path.with_file_name(format!(".s{}", std::process::id()));
    let _ = fs::remove_dir_all(&nursery);
    DirBuilder::new().mode(0o700).create(&nursery)?;
    let newborn = nursery.join("s");
    let made = UnixListener::bind(&newborn).and_then(|listener| {
        fs::set_permissions(&newborn, Permissions::from_mode(SOCKET_MODE))?;
        if group.is_some() {
            chown(&newborn, None, group)?;
        }
        fs::rename(&newborn, path)?;
        Ok(listener)
    });
    let _ = fs::remove_dir_all(&nursery);
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{fs::MetadataExt, net::UnixStream};

    #[test]
    fn a_fresh_socket_has_its_mode_and_accepts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("honeymesh.sock");
        let socket = ControlSocket::bind(&path, None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
        UnixStream::connect(&path).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "the socket and its lock");
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        assert!(UnixStream::connect(&path).is_err() && path.exists(), "stale");
        let _socket = ControlSocket::bind(&path, None).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_live_socket_is_refused_and_keeps_working() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let first = ControlSocket::bind(&path, None).unwrap();
        let error = ControlSocket::bind(&path, None).unwrap_err();
        assert!(error.to_string().starts_with("another daemon already listens at "), "{error}");
        UnixStream::connect(first.path()).unwrap();
    }

    #[test]
    fn what_is_no_socket_stays_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(ControlSocket::bind(&path, None), Err(ControlError::InTheWay(_))));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn impossible_paths_are_explained() {
        let long = Path::new("/").join("x".repeat(108));
        assert!(matches!(ControlSocket::bind(&long, None), Err(ControlError::TooLong(_))));
        let missing = Path::new("/nonexistent/dir/s");
        assert!(ControlSocket::bind(missing, None).unwrap_err().to_string().contains("check that the directory exists"));
    }
}
