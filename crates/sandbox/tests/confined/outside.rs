//! What whoever is taken over would reach for outside of itself: files of root's, and who listens on this machine.

use crate::{attacks::call, scene::Outcome};
use libc::c_long;
use std::{
    collections::BTreeMap,
    ffi::CString,
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::{ffi::OsStrExt, net::UnixDatagram},
    path::Path,
};

/// How a file is opened, and what that would come to.
const OPENINGS: [(&str, i32); 6] = [
    ("read_file", libc::O_RDONLY),
    ("write_file", libc::O_WRONLY),
    ("change_file", libc::O_RDWR),
    ("empty_file", libc::O_RDONLY | libc::O_TRUNC),
    ("make_file", libc::O_RDONLY | libc::O_CREAT),
    ("make_nameless", libc::O_RDWR | libc::O_TMPFILE),
];

/// How many tries [`Outside::tell`] tells of: each opening by both of the calls that open, `/etc/shadow` by them, and three connections.
#[cfg(target_arch = "x86_64")]
const TRIES: usize = (OPENINGS.len() + 1) * 2 + 3;
#[cfg(not(target_arch = "x86_64"))]
const TRIES: usize = OPENINGS.len() + 1 + 3;

/// Everything is made while it may still be made, the sockets too, so that nothing but the last step is tried.
pub struct Outside {
    directory: CString,
    file: CString,
    new: CString,
    local: libc::sockaddr_un,
    internet: libc::sockaddr_in,
    /// A local one and one each of TCP and UDP.
    sockets: [c_long; 3],
    _listeners: (UnixDatagram, TcpListener),
}

impl Outside {
    /// In a directory that is made for it, and that the process is not given.
    pub fn open(directory: &Path) -> Self {
        fs::create_dir(directory).unwrap();
        let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).unwrap();
        let (file, new, door) = (directory.join("file"), directory.join("new"), directory.join("door"));
        fs::write(&file, "x").unwrap();
        let listeners = (UnixDatagram::bind(&door).unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let SocketAddr::V4(at) = listeners.1.local_addr().unwrap() else { unreachable!("it is bound to one of IPv4") };
        // SAFETY: addresses are plain numbers, for which zeros are values.
        let (mut local, mut internet): (libc::sockaddr_un, libc::sockaddr_in) = unsafe { std::mem::zeroed() };
        local.sun_family = u16::try_from(libc::AF_UNIX).unwrap();
        for (to, from) in local.sun_path.iter_mut().zip(door.as_os_str().as_bytes()) {
            *to = from.cast_signed();
        }
        internet.sin_family = u16::try_from(libc::AF_INET).unwrap();
        (internet.sin_port, internet.sin_addr.s_addr) = (at.port().to_be(), u32::from_ne_bytes(at.ip().octets()));
        let kinds = [(libc::AF_UNIX, libc::SOCK_DGRAM), (libc::AF_INET, libc::SOCK_STREAM), (libc::AF_INET, libc::SOCK_DGRAM)];
        // SAFETY: plain numbers; the sockets stay open until the process ends.
        let make = || kinds.map(|(family, kind)| unsafe { libc::socket(family, kind, 0) }.into());
        let [directory, file, new] = [directory, &file, &new].map(path);
        let mut outside = Self { directory, file, new, local, internet, sockets: make(), _listeners: listeners };
        // With power, all of it works.
        outside.tell(|name, outcome| assert_eq!(outcome, Ok(()), "{name}"));
        fs::remove_file(outside.new.to_str().unwrap()).unwrap();
        // What is connected already would be refused for that.
        outside.sockets = make();
        outside
    }

    /// Tries everything.
    pub fn tell(&self, tell: impl Fn(&str, Outcome)) {
        let shadow = CString::new("/etc/shadow").unwrap();
        let openings = OPENINGS.iter().map(|(name, flags)| {
            let path = match *name {
                "make_file" => &self.new,
                "make_nameless" => &self.directory,
                _ => &self.file,
            };
            (*name, path, *flags)
        });
        for (name, path, flags) in openings.chain([("read_shadow", &shadow, libc::O_RDONLY)]) {
            let (path, flags) = (path.as_ptr() as c_long, c_long::from(flags));
            tell(&format!("outside_{name}"), call(libc::SYS_openat, [libc::AT_FDCWD.into(), path, flags, 0o600, 0, 0]));
            #[cfg(target_arch = "x86_64")]
            tell(&format!("outside_{name}_by_the_older_call"), call(libc::SYS_open, [path, flags, 0o600, 0, 0, 0]));
        }
        let [local, tcp, udp] = self.sockets;
        let (path, at) = (&raw const self.local as c_long, &raw const self.internet as c_long);
        let (of_path, of_at) = (size_of_val(&self.local), size_of_val(&self.internet));
        for (name, socket, address, length) in [("local", local, path, of_path), ("tcp", tcp, at, of_at), ("udp", udp, at, of_at)]
        {
            let length = length.try_into().unwrap();
            tell(&format!("outside_connect_{name}"), call(libc::SYS_connect, [socket, address, length, 0, 0, 0]));
        }
    }
}

/// Nothing of it worked for `who`, whose results these are: they are taken out. The kernel's own word for a file that Landlock
/// closes is `EACCES`; reading, which `seccomp` lets everybody do for the proof in `/proc`, has no other lock (`is_held`). Nor has
/// writing, for whom it lets write (`writes`).
pub fn expect_refused(results: &mut BTreeMap<String, String>, who: &str, is_held: bool, writes: bool) {
    let (tries, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        std::mem::take(results).into_iter().partition(|(name, _)| name.starts_with(&format!("{who}_outside_")));
    *results = others;
    assert_eq!(tries.len(), TRIES, "{who}");
    for (name, outcome) in tries {
        let is_left_to_landlock = name.contains("_read_") || writes && !name.contains("_connect_");
        if is_left_to_landlock && !is_held {
            continue;
        }
        let expected: &[&str] = if is_left_to_landlock { &["EACCES", "ENOSYS"] } else { &["EPERM", "ENOSYS"] };
        assert!(expected.contains(&outcome.as_str()), "{name}: {outcome}");
        assert!(!is_left_to_landlock || outcome == "EACCES" || name.ends_with("_by_the_older_call"), "{name}: {outcome}");
    }
}
