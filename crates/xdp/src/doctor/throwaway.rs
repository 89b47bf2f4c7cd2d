//! A network namespace with a cable in it, that vanishes with the call.

use super::netlink;
use crate::netlink::octets::{NEW, attribute, message, nested, text};
use nix::{
    net::if_::if_nametoindex,
    sched::{CloneFlags, unshare},
    sys::socket::SockProtocol,
};
use std::{io, thread};

const RTM_NEWLINK: u16 = 16;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
/// `struct ifinfomsg`, all zero: a new interface.
const NEW_INTERFACE: [u8; 16] = [0; 16];
/// One end of the cable.
pub(super) const CABLE: &str = "hmd0";

/// Runs `work` with the index of a fresh veth in a network namespace of its own.
///
/// # Errors
/// The namespace or the cable could not be made; the error says why.
pub(super) fn with_cable<T: Send>(work: impl FnOnce(u32) -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            make_cable()?;
            Ok(work(if_nametoindex(CABLE)?))
        });
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the attempt did not end well")))
    })
}

fn make_cable() -> io::Result<()> {
    let peer = [&NEW_INTERFACE[..], &text(IFLA_IFNAME, "hmd1")].concat();
    let data = nested(INFO_DATA, &[attribute(VETH_INFO_PEER, &peer)]);
    let info = nested(IFLA_LINKINFO, &[text(INFO_KIND, "veth"), data]);
    let body = [&NEW_INTERFACE[..], &text(IFLA_IFNAME, CABLE), &info].concat();
    netlink::ask(SockProtocol::NetlinkRoute, &message(RTM_NEWLINK, NEW, 0, &body)).map(|_| ())
}
