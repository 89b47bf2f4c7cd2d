//! Binds every trap's addresses; the only part that may need power.

use crate::{Dismisser, Limits, Options, StatusReader, limits::Gate, status::Counters};
use honeymesh_trap_proto::Service;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

/// Connections the kernel keeps finished but not yet accepted, per listener; more are dropped by the kernel.
const BACKLOG: i32 = 1_024;

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
    pub(crate) gate: Arc<Gate>,
}

/// One trap with its listeners.
#[derive(Debug)]
pub(crate) struct Trap {
    pub(crate) service: Service,
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) counters: Arc<Counters>,
}

/// Binds all addresses of all traps. Needs no async runtime.
///
/// # Errors
/// The first address that cannot be bound, with its trap and the mend; nothing stays bound.
pub fn bind(options: Options) -> Result<Bound, Error> {
    let mut traps = Vec::with_capacity(options.traps.len());
    for trap in options.traps {
        let listeners = listeners(&trap.name, &trap.listen)?;
        let listen = listeners.iter().zip(&trap.listen).map(|(bound, asked)| bound.local_addr().unwrap_or(*asked)).collect();
        let counters = Counters { name: trap.name, service: trap.service.name(), listen, ..Counters::default() };
        traps.push(Trap { service: trap.service, listeners, counters: Arc::new(counters) });
    }
    Ok(Bound { traps, limits: options.limits, gate: Gate::new(&options.limits) })
}

impl Bound {
    /// Ends open sessions while [`Bound::run`] runs.
    #[must_use]
    pub fn dismisser(&self) -> Dismisser {
        Dismisser(Arc::clone(&self.gate))
    }

    /// A reader of the counters, to keep while [`Bound::run`] runs.
    #[must_use]
    pub fn status(&self) -> StatusReader {
        StatusReader(self.traps.iter().map(|trap| Arc::clone(&trap.counters)).collect())
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

fn listeners(trap: &str, addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Error> {
    let one = |address: &SocketAddr| {
        listener(*address).map_err(|source| Error::Bind {
            trap: trap.to_string(),
            address: *address,
            mend: mend(&source, address.port()),
            source,
        })
    };
    addresses.iter().map(one).collect()
}

/// `SO_REUSEADDR`, so that a restart need not wait; IPv6 only where IPv6 is asked for, so that both wildcards
/// can be listed.
fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn mend(error: &io::Error, port: u16) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "another program has this port (`ss -ltnp` shows which); stop it or give the trap another port",
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
