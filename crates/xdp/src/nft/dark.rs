//! Lockdown, and traps on dark ports.

use super::{
    Nft,
    layout::sends_from,
    locked::Lock,
    orders::{Depth, Order},
    table,
};
use crate::Error;
use honeymesh_types::Lockdown;
use nix::sys::socket::{SockaddrStorage, getsockname, setsockopt, sockopt};
use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

impl Nft {
    /// As [`crate::Kernel::set_lockdown`]. What passes is asked of sockets alone; where that differs is in `docs/kernel/fallback.md`.
    ///
    /// # Errors
    /// [`Error::Options`] where the kernel cannot tell its rules which packets have a socket, else [`Error::Nftables`]; what held
    /// before holds on, and this is said again with every [`Nft::guard`] until the kernel takes it.
    pub fn set_lockdown(&mut self, lockdown: Lockdown) -> Result<(), Error> {
        if !self.sees_probes && lockdown != Lockdown::Off {
            return Err(Error::Options("mode lockdown needs XDP or nf_tables with nft_socket; choose enforce".into()));
        }
        let left = |end: honeymesh_types::MonoTime| end.since(crate::now().mono).as_millis().try_into().unwrap_or(u64::MAX);
        let lock = match lockdown {
            Lockdown::Off => Lock::Off,
            Lockdown::Until(end) if left(end) == 0 => Lock::Off,
            Lockdown::Until(end) => Lock::For(left(end)),
            Lockdown::Confirmed => Lock::Confirmed,
        };
        self.keep(&Order::Lockdown(lock))
    }

    /// As [`crate::Kernel::arm`]. The sockets are made fit for it, which needs `CAP_NET_ADMIN`: call this while there is power.
    ///
    /// # Errors
    /// [`Error::Options`]: this kernel has no nft_tproxy. [`Error::Nftables`]: no TCP socket of the loopback interface, or no
    /// privilege.
    pub fn arm(&mut self, v4: Option<BorrowedFd<'_>>, v6: Option<BorrowedFd<'_>>) -> Result<(), Error> {
        if !self.plays_traps || !self.sees_probes {
            return Ok(());
        }
        let port = |socket: Option<BorrowedFd<'_>>| socket.map(fit).transpose();
        let failed = |source: io::Error| Error::Nftables { doing: "give dark ports to the trap by".into(), source };
        let ports = [port(v4).map_err(failed)?, port(v6).map_err(failed)?];
        self.insist(&Order::Arm(ports)).map(|_| ()).map_err(without_tproxy)
    }

    /// Looks again which ports this machine sends from. Its own addresses the rules know by themselves.
    ///
    /// # Errors
    /// [`Error::Nftables`].
    pub fn set_local(&mut self) -> Result<(), Error> {
        if sends_from() == self.sends_from {
            return Ok(());
        }
        let mended = self.look_again(Depth::Rules)?;
        self.note(mended);
        Ok(())
    }
}

/// Lets a listener take connections that go to other addresses. Its port.
fn fit(socket: BorrowedFd<'_>) -> io::Result<u16> {
    setsockopt(&socket, sockopt::IpTransparent, &true)?;
    let at: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    let port = at.as_sockaddr_in().map(|at| at.port()).or_else(|| at.as_sockaddr_in6().map(|at| at.port()));
    port.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// What the one expression that may be missing alone is asked for.
fn without_tproxy(error: Error) -> Error {
    match error {
        Error::Nftables { source, .. } if table::is_unknown(&source) => Error::Options(
            "[traps] dark = \"trap\" needs nft_tproxy where nf_tables drops; write dark = \"silent\" or \"refuse\"".into(),
        ),
        other => other,
    }
}
