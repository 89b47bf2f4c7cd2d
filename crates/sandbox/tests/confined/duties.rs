//! What a confined node must still be able to do.

use crate::scene::Outcome;
use nix::errno::Errno;
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

/// All of these must succeed.
pub const NAMES: &[&str] = &[
    "thread",
    "threads_of_tokio",
    "files",
    "sqlite",
    "tcp",
    "udp",
    "unix_socket",
    "getifaddrs",
    "resolve",
    "random",
    "time",
    "parallelism",
    "proc",
    "panic",
    "thread_name",
    "signal_self",
    "bpf_map",
];

/// A local socket that listens, and a client of it: both are there before power is given away.
pub struct Door {
    path: PathBuf,
    listener: UnixListener,
    client: UnixStream,
}

impl Door {
    pub fn open(directory: &Path) -> Self {
        let path = directory.join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        Self { path, listener, client }
    }

    fn works(mut self) -> std::io::Result<()> {
        let (mut server, _) = self.listener.accept()?;
        nix::sys::socket::getsockopt(&server, nix::sys::socket::sockopt::PeerCredentials)?;
        server.write_all(b"x")?;
        self.client.read_exact(&mut [0; 1])?;
        fs::remove_file(self.path)
    }
}

pub fn all(directory: &Path, door: Door, map: Option<&Map>, tell: impl Fn(&str, Outcome)) {
    tell("thread", thread::spawn(|| 7).join().map(drop).map_err(|_| Errno::EIO));
    tell("threads_of_tokio", run(tokio));
    tell("files", run(|| files(directory)));
    tell("sqlite", run(|| sqlite(directory)));
    tell("tcp", run(tcp));
    tell("udp", run(udp));
    tell("unix_socket", run(|| door.works()));
    tell("getifaddrs", nix::ifaddrs::getifaddrs().map(drop));
    tell("resolve", run(|| std::net::ToSocketAddrs::to_socket_addrs("localhost:1").map(drop)));
    tell("random", random());
    tell("time", run(time));
    tell("parallelism", run(|| thread::available_parallelism().map(drop)));
    tell("proc", run(|| fs::read_to_string("/proc/self/status").map(drop)));
    tell("panic", run(panic));
    tell("thread_name", thread::Builder::new().name("named".into()).spawn(|| ()).map(drop).map_err(errno));
    tell("signal_self", nix::sys::signal::kill(nix::unistd::getpid(), None));
    tell("bpf_map", map.map_or(Err(Errno::ENODEV), Map::works));
}

fn errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

fn run(duty: impl FnOnce() -> std::io::Result<()>) -> Outcome {
    duty().map_err(errno)
}

fn tokio() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move { listener.accept().await.map(drop) });
        drop(tokio::net::TcpStream::connect(address).await?);
        server.await??;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGHUP)?;
        hangup.recv().await.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        tokio::task::spawn_blocking(|| fs::metadata("/proc/self")).await??;
        Ok(())
    })
}

fn files(directory: &Path) -> std::io::Result<()> {
    let (one, two) = (directory.join("one"), directory.join("two"));
    let mut file = fs::File::create(&one)?;
    file.write_all(b"x")?;
    file.sync_all()?;
    file.lock()?;
    fs::set_permissions(&one, fs::Permissions::from_mode(0o600))?;
    fs::rename(&one, &two)?;
    fs::copy(&two, &one)?;
    fs::create_dir(directory.join("three"))?;
    fs::read_dir(directory)?.try_for_each(|entry| entry.map(drop))?;
    fs::remove_dir(directory.join("three"))?;
    fs::remove_file(two)
}

fn sqlite(directory: &Path) -> std::io::Result<()> {
    let work = || -> rusqlite::Result<i64> {
        let database = rusqlite::Connection::open(directory.join("test.sqlite"))?;
        database.pragma_update(None, "journal_mode", "wal")?;
        database.pragma_update(None, "mmap_size", 1 << 20)?;
        database.execute_batch("create table t (a); insert into t values (1), (2); pragma wal_checkpoint(truncate); vacuum;")?;
        database.query_row("select count(*) from t", [], |row| row.get(0))
    };
    match work() {
        Ok(2) => Ok(()),
        other => Err(std::io::Error::other(format!("{other:?}"))),
    }
}

fn tcp() -> std::io::Result<()> {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address)?;
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        client.set_nodelay(true)?;
        client.set_read_timeout(Some(Duration::from_secs(5)))?;
        let (mut server, _) = listener.accept()?;
        server.write_all(b"hello")?;
        client.read_exact(&mut [0; 5])?;
        client.shutdown(std::net::Shutdown::Both)?;
    }
    Ok(())
}

fn udp() -> std::io::Result<()> {
    let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    one.send_to(b"x", two.local_addr()?)?;
    two.recv_from(&mut [0; 9]).map(drop)
}

fn random() -> Outcome {
    let mut bytes = [0_u8; 16];
    // SAFETY: the kernel fills live memory of the length it is told.
    Errno::result(unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) }).map(drop)
}

fn time() -> std::io::Result<()> {
    let _ = (Instant::now(), SystemTime::now(), nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME)?);
    thread::sleep(Duration::from_millis(1));
    Ok(())
}

/// A fault must stay a fault of one task: unwinding works, with its backtrace.
fn panic() -> std::io::Result<()> {
    let _ = std::backtrace::Backtrace::force_capture().to_string();
    match std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(7))) {
        Err(_) => Ok(()),
        Ok(()) => Err(std::io::ErrorKind::Other.into()),
    }
}

/// A BPF hash of four bytes to four bytes, made while that was still allowed.
pub struct Map(OwnedFd);

const KEY: [u8; 4] = [1, 2, 3, 4];

impl Map {
    /// `None` where the kernel does not let us have one.
    pub fn create() -> Option<Self> {
        let mut attributes = [0_u32; 32];
        // BPF_MAP_TYPE_HASH, key bytes, value bytes, entries.
        attributes[..4].copy_from_slice(&[1, 4, 4, 16]);
        // SAFETY: the kernel reads 128 bytes of live memory and returns a new descriptor.
        let map = unsafe { libc::syscall(libc::SYS_bpf, 0, attributes.as_ptr(), 128) };
        // SAFETY: a descriptor that the kernel just made for us alone.
        i32::try_from(map).ok().filter(|map| *map >= 0).map(|map| Self(unsafe { OwnedFd::from_raw_fd(map) }))
    }

    /// Update, look up, walk, describe and delete.
    pub fn works(&self) -> Outcome {
        let (key, mut value, mut next) = (KEY, [9_u8; 4], [0_u8; 4]);
        self.command(2, &key, Some(&mut value))?;
        let mut found = [0_u8; 4];
        self.command(1, &key, Some(&mut found))?;
        self.command(4, &[0; 4], Some(&mut next))?;
        self.describe()?;
        self.command(3, &key, None)?;
        if found == value && next == KEY { Ok(()) } else { Err(Errno::EIO) }
    }

    fn command(&self, command: i32, key: &[u8; 4], value: Option<&mut [u8; 4]>) -> Outcome {
        let mut attributes = [0_u64; 16];
        attributes[0] = u64::from(self.0.as_raw_fd().cast_unsigned());
        attributes[1] = key.as_ptr() as u64;
        attributes[2] = value.map_or(0, |value| value.as_mut_ptr() as u64);
        // SAFETY: the attributes point to a live key and a live, writable value of the map's sizes.
        Errno::result(unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), 128) }).map(drop)
    }

    fn describe(&self) -> Outcome {
        let mut about = [0_u8; 256];
        let mut attributes = [0_u64; 2];
        attributes[0] = u64::from(self.0.as_raw_fd().cast_unsigned()) | (about.len() as u64) << 32;
        attributes[1] = about.as_mut_ptr() as u64;
        // SAFETY: the attributes name live, writable memory and its length.
        Errno::result(unsafe { libc::syscall(libc::SYS_bpf, 15, attributes.as_ptr(), 16) }).map(drop)
    }
}
