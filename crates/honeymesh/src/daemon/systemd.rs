//! What systemd is told. Its socket is opened at the start: another user may not be let in later, where it is not systemd's own.

use sd_notify::NotifyState;
use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    sync::OnceLock,
    time::Duration,
};

/// Where systemd listens; nobody does if it is not there.
const VARIABLE: &str = "NOTIFY_SOCKET";
/// How long somebody who does not listen may hold the daemon up.
const PATIENCE: Duration = Duration::from_secs(1);

static SOCKET: OnceLock<UnixDatagram> = OnceLock::new();

/// Opens the way to it, if there is one. To be called while the daemon is still who it was started as.
pub fn open() {
    let Some(place) = env::var_os(VARIABLE).filter(|place| !place.is_empty()) else { return };
    match connect(place.as_bytes()) {
        Ok(socket) => drop(SOCKET.set(socket)),
        Err(error) => tracing::warn!(%error, "systemd cannot be told anything"),
    }
}

fn connect(place: &[u8]) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    let addr = match place.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(place))?,
    };
    socket.connect_addr(&addr)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Tells it, if anybody listens.
///
/// # Errors
/// It does not listen any more.
pub fn tell(state: &NotifyState<'_>) -> io::Result<()> {
    SOCKET.get().map_or(Ok(()), |socket| socket.send(state.to_string().as_bytes()).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_heard_by_path_and_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("honeymesh-test-{}", std::process::id());
        let by_path = UnixDatagram::bind(&path).unwrap();
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (listens, place) in [(by_path, path.to_str().unwrap().to_owned()), (by_name, format!("@{name}"))] {
            let socket = connect(place.as_bytes()).unwrap();
            // Whoever may not open it any more still has it.
            let _ = std::fs::remove_file(&path);
            socket.send(NotifyState::Ready.to_string().as_bytes()).unwrap();
            let mut heard = [0; 16];
            let length = listens.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], b"READY=1");
        }
    }
}
