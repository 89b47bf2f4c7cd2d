//! Binds every trap's addresses; the only part that may need power.

use crate::{
    Dismisser, Limits, Options, StatusReader, TlsIdentity, TrapOptions,
    limits::Gate,
    post,
    status::{Counters, House},
};
use honeymesh_trap_proto::{Bait, RsaHostKey, Service, SshCurves};
use honeymesh_types::{Signs, Transport};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

/// Connections the kernel keeps finished but not yet accepted, per listener; more are dropped by the kernel.
const BACKLOG: i32 = 1_024;
/// So many ports of the kernel's choice are tried until one is free for connections and datagrams.
const PORTS_TRIED: usize = 16;

/// The same for all dark ports together.
pub(crate) const DARK_BACKLOG: i32 = 4_096;
/// What the trap on dark ports is called in reports and counters.
pub const DARK: &str = "dark";

/// Why a trap cannot listen. Nothing stays bound.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One address failed.
    #[error("trap `{trap}` cannot listen on {address}: {source}; {mend}")]
    Bind {
        /// The trap's name.
        trap: String,
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
        /// What to do about it.
        mend: &'static str,
    },
}

/// Traps that listen but accept nobody yet.
#[derive(Debug)]
pub struct Bound {
    pub(crate) traps: Vec<Trap>,
    pub(crate) limits: Limits,
    pub(crate) tokens: Vec<String>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) house: Arc<House>,
    pub(crate) tls: Option<TlsIdentity>,
}

/// One trap with its listeners.
#[derive(Debug)]
pub(crate) struct Trap {
    pub(crate) plays: Plays,
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) sockets: Vec<UdpSocket>,
    pub(crate) counters: Arc<Counters>,
    /// It is a tarpit.
    pub(crate) is_slow: bool,
}

/// What a trap plays.
#[derive(Clone, Debug)]
pub(crate) enum Plays {
    /// The same on every port.
    One(Service),
    /// On dark ports: what fits the port.
    Bait(Bait),
}

impl Plays {
    /// What it plays to whoever came to this port.
    pub(crate) fn at(&self, port: u16) -> &Service {
        match self {
            Self::One(service) => service,
            Self::Bait(bait) => bait.at(port),
        }
    }

    /// The same with this RSA host key.
    pub(crate) fn proving(self, key: &RsaHostKey) -> Self {
        match self {
            Self::One(service) => Self::One(service.proving(key)),
            Self::Bait(bait) => Self::Bait(bait.proving(key)),
        }
    }

    /// The same with Curve25519 worked out by this library.
    pub(crate) fn leaving_curves_to(self, library: &Arc<dyn SshCurves>) -> Self {
        match self {
            Self::One(service) => Self::One(service.leaving_curves_to(library)),
            Self::Bait(bait) => Self::Bait(bait.leaving_curves_to(library)),
        }
    }

    /// Is it met on dark ports?
    pub(crate) const fn is_dark(&self) -> bool {
        matches!(self, Self::Bait(_))
    }

    /// What is recognised already by where somebody came to.
    pub(crate) const fn signs(&self) -> Signs {
        match self {
            Self::One(_) => Signs::empty(),
            Self::Bait(_) => Signs::DARK,
        }
    }
}

/// Binds all addresses of all traps. Needs no async runtime.
///
/// # Errors
/// The first address that cannot be bound, with its trap and the mend; nothing stays bound.
pub fn bind(options: Options) -> Result<Bound, Error> {
    let mut traps = Vec::with_capacity(options.traps.len());
    for trap in options.traps {
        let Places { listeners, sockets, listen } = places(&trap)?;
        let counters = Counters { name: trap.name, service: trap.service.name(), listen, ..Counters::default() };
        let (plays, counters) = (Plays::One(trap.service), Arc::new(counters));
        traps.push(Trap { plays, listeners, sockets, counters, is_slow: false });
    }
    if let Some(bait) = options.dark {
        traps.push(dark(bait)?);
    }
    let gate = Gate::new(&options.limits);
    Ok(Bound { traps, limits: options.limits, tokens: Vec::new(), gate, house: Arc::default(), tls: None })
}

/// Where one trap listens.
struct Places {
    listeners: Vec<TcpListener>,
    sockets: Vec<UdpSocket>,
    listen: Vec<SocketAddr>,
}

/// A port that the kernel is to choose must be free for connections and for datagrams, of which it looks at the first only.
fn places(trap: &TrapOptions) -> Result<Places, Error> {
    let chooses = trap.listen.iter().any(|address| address.port() == 0);
    for _ in 1..PORTS_TRIED {
        match places_once(trap) {
            Err(Error::Bind { source, .. }) if chooses && source.kind() == ErrorKind::AddrInUse => {}
            done => return done,
        }
    }
    places_once(trap)
}

fn places_once(trap: &TrapOptions) -> Result<Places, Error> {
    let is_spoken_over = |transport| trap.service.transports().contains(&transport);
    let mut listen = trap.listen.clone();
    let listeners = if is_spoken_over(Transport::Tcp) { listeners(&trap.name, &listen, BACKLOG)? } else { Vec::new() };
    learn(&mut listen, listeners.iter().map(TcpListener::local_addr));
    // On the same ports as its connections.
    let sockets = if is_spoken_over(Transport::Udp) { sockets(&trap.name, &listen)? } else { Vec::new() };
    learn(&mut listen, sockets.iter().map(UdpSocket::local_addr));
    Ok(Places { listeners, sockets, listen })
}

/// The trap on dark ports: it listens where no stranger can reach it, and is handed its connections by the kernel program.
/// A machine without one of the address families has no listener there.
fn dark(bait: Bait) -> Result<Trap, Error> {
    let [v4, v6] = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))]
        .map(|address| dark_listener(address).map(|listener| vec![listener]).map_err(|source| refusal(DARK, address, source)));
    let listeners = match (v4, v6) {
        (Ok(mut both), Ok(v6)) => {
            both.extend(v6);
            both
        }
        (Ok(one), Err(error)) | (Err(error), Ok(one)) => {
            tracing::info!("dark ports of one address family only are traps: {error}");
            one
        }
        (Err(error), Err(_)) => return Err(error),
    };
    // Where it listens is nobody's business: its name says where it is met.
    let counters = Counters { name: DARK.into(), service: "any", ..Counters::default() };
    Ok(Trap { plays: Plays::Bait(bait), listeners, sockets: Vec::new(), counters: Arc::new(counters), is_slow: false })
}

/// A listener at a port that the kernel chooses first and that is then bound by its number: so it stays the listener's own while that is
/// shut (`door/vigil.rs` does that to dark ports), and whoever was told the port need not be told another.
fn dark_listener(address: SocketAddr) -> io::Result<TcpListener> {
    for _ in 1..PORTS_TRIED {
        // Given back before it is bound: somebody else may be faster.
        let chosen = listener(address, 0)?.local_addr()?;
        match listener(chosen, DARK_BACKLOG) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            done => return done,
        }
    }
    listener(listener(address, 0)?.local_addr()?, DARK_BACKLOG)
}

impl Bound {
    /// The same with the traps of these names as tarpits: strangers are answered a byte at a time, as far as there are places for
    /// that, and as always beyond.
    #[must_use]
    pub fn with_tarpits(mut self, is_tarpit: impl Fn(&str) -> bool) -> Self {
        for trap in &mut self.traps {
            trap.is_slow = is_tarpit(&trap.counters.name);
        }
        self
    }

    /// The same, with honeytokens that are looked for where the playing is in this process ([`Bound::run`]).
    #[must_use]
    pub fn with_tokens(mut self, tokens: Vec<String>) -> Self {
        self.tokens = tokens;
        self
    }

    /// The sockets of the trap on dark ports, IPv4 and IPv6, for the kernel program: none without that trap.
    #[must_use]
    pub fn dark_sockets(&self) -> [Option<BorrowedFd<'_>>; 2] {
        let listeners = || self.traps.iter().filter(|trap| trap.plays.is_dark()).flat_map(|trap| &trap.listeners);
        let of_family = |is_v4: bool| {
            listeners().find(|listener| listener.local_addr().is_ok_and(|addr| addr.is_ipv4() == is_v4)).map(AsFd::as_fd)
        };
        [of_family(true), of_family(false)]
    }

    /// With TLS, for traps that are played in this process ([`Bound::run`]).
    #[must_use]
    pub fn with_tls(self, identity: TlsIdentity) -> Self {
        Self { tls: Some(identity), ..self }
    }

    /// With this RSA host key, for traps that are played in this process ([`Bound::run`]).
    #[must_use]
    pub fn proving(mut self, key: &RsaHostKey) -> Self {
        self.traps = self.traps.into_iter().map(|trap| Trap { plays: trap.plays.proving(key), ..trap }).collect();
        self
    }

    /// Ends open sessions while the traps are kept.
    #[must_use]
    pub fn dismisser(&self) -> Dismisser {
        Dismisser(Arc::clone(&self.gate))
    }

    /// A reader of the counters, to keep while the traps are kept.
    #[must_use]
    pub fn status(&self) -> StatusReader {
        StatusReader { traps: self.traps.iter().map(|trap| Arc::clone(&trap.counters)).collect(), house: Arc::clone(&self.house) }
    }

    /// Where the traps really listen, in the order of the configuration: `(trap, address)`.
    #[must_use]
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let of_trap = |trap: &Trap| {
            let name = trap.counters.name.clone();
            trap.counters.listen.clone().into_iter().map(move |address| (name.clone(), address))
        };
        self.traps.iter().flat_map(of_trap).collect()
    }
}

/// Where it was really bound.
fn learn(listen: &mut [SocketAddr], bound: impl Iterator<Item = io::Result<SocketAddr>>) {
    for (asked, bound) in listen.iter_mut().zip(bound) {
        *asked = bound.unwrap_or(*asked);
    }
}

fn listeners(trap: &str, addresses: &[SocketAddr], backlog: i32) -> Result<Vec<TcpListener>, Error> {
    addresses.iter().map(|address| listener(*address, backlog).map_err(|source| refusal(trap, *address, source))).collect()
}

fn sockets(trap: &str, addresses: &[SocketAddr]) -> Result<Vec<UdpSocket>, Error> {
    addresses.iter().map(|address| post::bound(*address).map_err(|source| refusal(trap, *address, source))).collect()
}

fn refusal(trap: &str, address: SocketAddr, source: io::Error) -> Error {
    Error::Bind { trap: trap.to_string(), address, mend: mend(&source, address.port()), source }
}

/// `SO_REUSEADDR`, so that a restart need not wait; IPv6 only where IPv6 is asked for, so that both wildcards
/// can be listed.
pub(crate) fn listener(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Each connection has it from here. Answers are written whole; without this the kernel would hold back a small one.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

fn mend(error: &io::Error, port: u16) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "another program has this port (`ss -ltunp` shows which); stop it or give the trap another port",
        ErrorKind::PermissionDenied if port < 1_024 => {
            "ports below 1024 need root or CAP_NET_BIND_SERVICE; start as root or use a higher port"
        }
        ErrorKind::AddrNotAvailable => {
            "this machine does not have the address; use one of its own (`ip address`), 0.0.0.0 or [::]"
        }
        _ => "check the address and that this machine can use it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_mend() {
        let mend = |kind: ErrorKind, port| mend(&kind.into(), port);
        assert!(mend(ErrorKind::AddrInUse, 80).contains("another program"));
        assert!(mend(ErrorKind::PermissionDenied, 80).contains("CAP_NET_BIND_SERVICE"));
        assert!(!mend(ErrorKind::PermissionDenied, 8_080).contains("CAP_NET_BIND_SERVICE"));
        assert!(mend(ErrorKind::AddrNotAvailable, 80).contains("does not have the address"));
    }
}
