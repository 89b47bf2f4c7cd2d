//! nftables over netlink: one element into a set, as a daemon would do it that wants no process and no library; and the
//! reading of a counter, for which its command would first read every set.

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use std::{
    net::Ipv4Addr,
    os::fd::{AsRawFd, OwnedFd},
};

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// `NFNL_SUBSYS_NFTABLES`.
const NFTABLES: u16 = 10;
/// `NFT_MSG_NEWSETELEM`.
const NEW_ELEMENT: u16 = NFTABLES << 8 | 12;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const CREATE: u16 = 0x400;
const NESTED: u16 = 1 << 15;
/// `NFT_MSG_GETOBJ`.
const GET_OBJECT: u16 = NFTABLES << 8 | 19;
/// `NFT_OBJECT_COUNTER`.
const COUNTER: u32 = 1;
/// `NFPROTO_INET`.
const INET: u8 = 1;
/// `NFPROTO_NETDEV`.
const NETDEV: u8 = 5;
/// `NLMSG_ERROR`, which also says that there was none.
const ANSWER: u16 = 2;

/// An open socket to nftables.
pub struct Nftables(OwnedFd);

impl Nftables {
    pub fn new() -> Self {
        let protocol = SockProtocol::NetlinkNetFilter;
        Self(socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).unwrap())
    }

    /// Adds an address to a set for a time, and waits for the kernel's word that it is in force.
    pub fn add(&self, table: &str, set: &str, addr: Ipv4Addr, ttl_ms: u64) {
        let key = attribute(1 | NESTED, &attribute(1, &addr.octets()));
        let element = attribute(1 | NESTED, &[key, attribute(4, &ttl_ms.to_be_bytes())].concat());
        let body = [name(1, table), name(2, set), attribute(3 | NESTED, &element)].concat();
        let batch = [
            message(BATCH_BEGIN, REQUEST, 0, NFTABLES, &[]),
            message(NEW_ELEMENT, REQUEST | CREATE | ACK, NETDEV, 0, &body),
            message(BATCH_END, REQUEST, 0, NFTABLES, &[]),
        ]
        .concat();
        send(self.0.as_raw_fd(), &batch, MsgFlags::empty()).unwrap();
        let mut answer = [0; 512];
        let len = recv(self.0.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
        let kind = u16::from_ne_bytes([answer[4], answer[5]]);
        let error = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
        assert!(len >= 20 && kind == ANSWER && error == 0, "nftables: message {kind}, error {error}");
    }

    /// Packets that a named counter of an `inet` table has counted.
    pub fn packets(&self, table: &str, counter: &str) -> u64 {
        let body = [name(1, table), name(2, counter), attribute(3, &COUNTER.to_be_bytes())].concat();
        send(self.0.as_raw_fd(), &message(GET_OBJECT, REQUEST, INET, 0, &body), MsgFlags::empty()).unwrap();
        let mut answer = [0; 1_024];
        let len = recv(self.0.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
        let data = find(&answer[20..len], 4).unwrap();
        u64::from_be_bytes(find(data, 2).unwrap().try_into().unwrap())
    }
}

/// The attribute of a kind among others.
fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let [a, b, c, d, ..] = *attributes {
        let len = usize::from(u16::from_ne_bytes([a, b]));
        if u16::from_ne_bytes([c, d]) & !NESTED == wanted {
            return attributes.get(4..len);
        }
        attributes = attributes.get(len.next_multiple_of(4).max(4)..)?;
    }
    None
}

fn name(kind: u16, text: &str) -> Vec<u8> {
    attribute(kind, &[text.as_bytes(), &[0]].concat())
}

fn message(kind: u16, flags: u16, family: u8, resource: u16, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(20 + body.len()).unwrap();
    let mut octets = len.to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(flags.to_ne_bytes());
    octets.extend([0; 8]);
    octets.extend([family, 0]);
    octets.extend(resource.to_be_bytes());
    octets.extend(body);
    octets
}

fn attribute(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut octets = u16::try_from(4 + body.len()).unwrap().to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(body);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}
