//! The addresses the daemon listens on: can each be had, and who has it?

use super::{
    finding::{Area, Finding, State},
    state::Daemon,
};
use crate::config::Config;
use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt},
};
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
};

/// An address that the daemon wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub by: String,
    pub addr: SocketAddr,
    pub transport: Transport,
    /// `[::]` means IPv6 alone.
    pub v6_only: bool,
}

/// What is listened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What came of trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    Free,
    Taken(Option<Holder>),
    NotOurs,
    Denied,
    Odd(String),
}

/// Who has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    pub name: String,
}

/// Every address of the configuration.
pub fn wanted(config: &Config) -> Vec<Wanted> {
    let traps = config.traps.iter().flat_map(|trap| {
        let by = format!("trap `{}`", trap.name.value);
        let each = trap.transports.iter().map(|transport| match transport {
            honeymesh_types::Transport::Tcp => Transport::Tcp,
            honeymesh_types::Transport::Udp => Transport::Udp,
        });
        each.flat_map(move |transport| {
            let by = by.clone();
            trap.listen.iter().map(move |at| Wanted { by: by.clone(), addr: at.value, transport, v6_only: true })
        })
    });
    let api = config.api.listen.iter().map(|at| Wanted {
        by: "the API".into(),
        addr: at.value,
        transport: Transport::Tcp,
        v6_only: false,
    });
    let meshes = config.clusters.iter().map(|cluster| Wanted {
        by: format!("cluster `{}`", cluster.name.value),
        addr: cluster.listen.value,
        transport: Transport::Udp,
        v6_only: false,
    });
    traps.chain(api).chain(meshes).collect()
}

/// Binds and lets go, without listening: nobody can notice.
pub fn look(wanted: &Wanted) -> Look {
    match try_bind(wanted) {
        Ok(()) => Look::Free,
        Err(Errno::EADDRINUSE) => Look::Taken(holder(wanted)),
        Err(Errno::EADDRNOTAVAIL) => Look::NotOurs,
        Err(Errno::EACCES | Errno::EPERM) => Look::Denied,
        Err(error) => Look::Odd(error.desc().into()),
    }
}

fn try_bind(wanted: &Wanted) -> nix::Result<()> {
    let family = if wanted.addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let kind = match wanted.transport {
        Transport::Tcp => SockType::Stream,
        Transport::Udp => SockType::Datagram,
    };
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC, None)?;
    if wanted.transport == Transport::Tcp {
        // As a listener does: connections of yesterday are not in the way.
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    }
    if wanted.addr.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &wanted.v6_only)?;
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(wanted.addr))
}

/// The process that has the port, as far as `/proc` shows it.
fn holder(wanted: &Wanted) -> Option<Holder> {
    let word = wanted.transport.word();
    let tables = [word.to_owned(), format!("{word}6")].map(|name| format!("/proc/thread-self/net/{name}"));
    let inodes: Vec<String> = tables
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|table| inodes(&table, wanted.addr.port(), wanted.transport))
        .collect();
    let numbers = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let pid: u32 = numbers.into_iter().find(|pid| has_socket(*pid, &inodes))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned();
    Some(Holder { pid, name })
}

/// The inodes of sockets at a port: of TCP those that listen.
fn inodes(table: &str, port: u16, transport: Transport) -> Vec<String> {
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, state, _, _, _, _, _, inode, ..] = fields.as_slice() else { return None };
        let at = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        let counts = transport == Transport::Udp || *state == "0A";
        (at == port && counts).then(|| (*inode).to_owned())
    };
    table.lines().skip(1).filter_map(inode).collect()
}

fn has_socket(pid: u32, inodes: &[String]) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links = files.filter_map(|file| fs::read_link(file.path()).ok());
    links.into_iter().any(|link| {
        let inode = link.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'));
        inode.is_some_and(|inode| inodes.iter().any(|known| known == inode))
    })
}

/// Judges what came of one address.
pub fn judge(wanted: &Wanted, look: &Look, daemon: &Daemon) -> Finding {
    let (by, addr, transport) = (&wanted.by, wanted.addr, wanted.transport.word());
    let matters = "the daemon does not start without it";
    let name = format!("{addr}/{transport}");
    let finding = |state, detail: String| Finding::new(Area::Port, &name, state, detail, matters);
    let is_daemon = *daemon == Daemon::Runs;
    match look {
        Look::Free => finding(State::Ok, format!("free for {by}")),
        Look::Taken(Some(holder)) if is_daemon && holder.name.starts_with("honeymesh") => {
            finding(State::Ok, format!("{by} has it (process {})", holder.pid))
        }
        Look::Taken(Some(Holder { pid, name })) => {
            finding(State::Fail, format!("{by} cannot have it: {name} (process {pid}) does"))
                .mend(format!("stop {name}, or give {by} another port"))
        }
        Look::Taken(None) if is_daemon => {
            finding(State::Skip, "taken, likely by the daemon that runs".into()).mend("run doctor as root")
        }
        Look::Taken(None) => finding(State::Fail, format!("{by} cannot have it: another program does")).mend(format!(
            "see who with `ss -lnp{}` as root; stop that, or give {by} another port",
            transport.get(..1).unwrap_or("t")
        )),
        Look::NotOurs if addr.ip() == IpAddr::from([0, 0, 0, 0]) => finding(State::Fail, "this machine has no IPv4".into()),
        Look::NotOurs => finding(State::Fail, "this machine does not have the address".into())
            .mend("use one that `ip address` shows, or 0.0.0.0"),
        Look::Denied => finding(State::Skip, "this process may not bind it".into()).mend("run doctor as root"),
        Look::Odd(said) => finding(State::Fail, format!("cannot be bound: {said}")).mend("check the address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn wanted_at(addr: SocketAddr) -> Wanted {
        Wanted { by: "trap `ssh`".into(), addr, transport: Transport::Tcp, v6_only: true }
    }

    #[test]
    fn a_port_that_is_taken_names_who_has_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wanted = wanted_at(listener.local_addr().unwrap());
        let look_now = look(&wanted);
        assert!(matches!(&look_now, Look::Taken(Some(holder)) if holder.pid == std::process::id()), "{look_now:?}");
        drop(listener);
        assert_eq!(look(&wanted), Look::Free);
        assert_eq!(look(&wanted_at("203.0.113.1:9".parse().unwrap())), Look::NotOurs);
    }

    #[test]
    fn looks_are_judged() {
        let holder = |name: &str| Some(Holder { pid: 7, name: name.into() });
        let table = [
            (Look::Free, Daemon::Absent, State::Ok),
            (Look::Taken(holder("sshd")), Daemon::Absent, State::Fail),
            (Look::Taken(holder("sshd")), Daemon::Runs, State::Fail),
            (Look::Taken(holder("honeymesh")), Daemon::Runs, State::Ok),
            (Look::Taken(None), Daemon::Runs, State::Skip),
            (Look::Taken(None), Daemon::Absent, State::Fail),
            (Look::NotOurs, Daemon::Absent, State::Fail),
            (Look::Denied, Daemon::Absent, State::Skip),
            (Look::Odd("odd".into()), Daemon::Absent, State::Fail),
        ];
        for (look, daemon, state) in table {
            let finding = judge(&wanted_at("192.0.2.1:22".parse().unwrap()), &look, &daemon);
            assert!(finding.state == state && (state == State::Ok) == finding.mend.is_none(), "{look:?}: {finding:?}");
        }
    }

    #[test]
    fn only_listeners_count_for_tcp() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0\n\
            1: 0100007F:0016 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0\n\
            2: 0100007F:0017 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0\nnonsense\n";
        assert_eq!(inodes(table, 22, Transport::Tcp), ["111"]);
        assert_eq!(inodes(table, 22, Transport::Udp), ["111", "222"]);
    }

    #[test]
    fn every_address_of_a_configuration_is_wanted() {
        let text = "[[trap]]\nname = \"a\"\nservice = \"ftp\"\nlisten = [\"0.0.0.0:21\", \"[::]:21\"]\n\
            [[cluster]]\nname = \"m\"\nkey_file = \"/k\"\n";
        let names: Vec<_> =
            wanted(&crate::config::parse(text, "h").config).iter().map(|w| (w.addr.port(), w.transport)).collect();
        assert_eq!(names, [(21, Transport::Tcp), (21, Transport::Tcp), (8443, Transport::Tcp), (7946, Transport::Udp)]);
    }
}
