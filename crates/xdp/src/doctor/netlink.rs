//! Netlink as far as a few questions need it: messages of attributes, one request, its answers.

use nix::{
    errno::Errno,
    sys::{
        socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt},
        time::TimeVal,
    },
};
use std::{io, os::fd::AsRawFd};

pub(super) const REQUEST: u16 = 1;
pub(super) const ACK: u16 = 4;
const EXCLUSIVE: u16 = 0x200;
pub(super) const CREATE: u16 = 0x400;
/// `NLM_F_CREATE | NLM_F_EXCL`, acknowledged.
pub(super) const NEW: u16 = REQUEST | ACK | CREATE | EXCLUSIVE;
const NESTED: u16 = 1 << 15;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const HEADER_LEN: usize = 16;
/// One answer about one interface is a few kilobytes.
const ANSWER_LEN_MAX: usize = 1 << 16;
/// The kernel answers at once; what does not come now does not come.
const PATIENCE_S: i64 = 2;
/// Answers that are read for one question.
const ANSWERS_MAX: usize = 16;

/// A message: its header is filled in.
pub(super) fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(HEADER_LEN + body.len()).unwrap_or(u32::MAX);
    let mut octets = len.to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(flags.to_ne_bytes());
    octets.extend([0; 8]);
    octets.extend(body);
    octets
}

/// An attribute.
pub(super) fn attribute(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut octets = u16::try_from(4 + body.len()).unwrap_or(u16::MAX).to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(body);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// An attribute of attributes.
pub(super) fn nested(kind: u16, inside: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind | NESTED, &inside.concat())
}

/// An attribute of text.
pub(super) fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

/// The attribute of a kind among others.
pub(super) fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let [a, b, c, d, ..] = *attributes else { return None };
        let len = usize::from(u16::from_ne_bytes([a, b]));
        if u16::from_ne_bytes([c, d]) & !NESTED == wanted {
            return attributes.get(4..len);
        }
        attributes = attributes.get(len.max(4).next_multiple_of(4)..)?;
    }
}

/// The number that an attribute holds: of 1, 2, 4 or 8 octets.
pub(super) fn value(attributes: &[u8], wanted: u16) -> Option<u64> {
    let octets = find(attributes, wanted)?;
    match *octets {
        [a] => Some(a.into()),
        [a, b] => Some(u16::from_ne_bytes([a, b]).into()),
        [a, b, c, d] => Some(u32::from_ne_bytes([a, b, c, d]).into()),
        _ => Some(u64::from_ne_bytes(octets.try_into().ok()?)),
    }
}

/// Sends a request and returns the bodies of its answers, up to the acknowledgement or the only answer.
///
/// # Errors
/// What the kernel says is wrong.
pub(super) fn ask(protocol: SockProtocol, request: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(PATIENCE_S, 0))?;
    send(socket.as_raw_fd(), request, MsgFlags::empty())?;
    let mut answers = Vec::new();
    let mut buffer = vec![0; ANSWER_LEN_MAX];
    for _ in 0..ANSWERS_MAX {
        let len = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        if read(buffer.get(..len).unwrap_or_default(), &mut answers)? {
            break;
        }
    }
    Ok(answers)
}

/// Takes the messages of one datagram apart. Was it the last?
fn read(mut octets: &[u8], answers: &mut Vec<Vec<u8>>) -> io::Result<bool> {
    let mut is_last = true;
    while let Some((header, _)) = octets.split_first_chunk::<HEADER_LEN>() {
        let [a, b, c, d, e, f, g, h, ..] = *header;
        let len = u32::from_ne_bytes([a, b, c, d]) as usize;
        let (kind, flags) = (u16::from_ne_bytes([e, f]), u16::from_ne_bytes([g, h]));
        let body = octets.get(HEADER_LEN..len).unwrap_or_default();
        match kind {
            ERROR => return said(body).map(|()| true),
            DONE => return Ok(true),
            _ => answers.push(body.to_vec()),
        }
        // Part of many: more follows until it says so.
        is_last = flags & 2 == 0;
        octets = octets.get(len.max(HEADER_LEN).next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(is_last)
}

fn said(body: &[u8]) -> io::Result<()> {
    let code = body.first_chunk::<4>().map_or(0, |octets| i32::from_ne_bytes(*octets));
    if code == 0 { Ok(()) } else { Err(Errno::from_raw(code.saturating_neg()).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_whatever_their_neighbours_are() {
        let all = [attribute(1, &[7]), nested(2, &[attribute(9, &5_u32.to_ne_bytes())]), text(3, "lo")].concat();
        assert_eq!(value(&all, 1), Some(7));
        assert_eq!(find(&all, 2).and_then(|inside| value(inside, 9)), Some(5));
        assert_eq!(find(&all, 3), Some(&b"lo\0"[..]));
        assert_eq!(find(&all, 4), None);
    }

    #[test]
    fn damaged_attributes_end_the_search() {
        assert_eq!(find(&[0, 0, 1], 1), None);
        assert_eq!(find(&[0xff, 0xff, 1, 0, 9], 1), None, "longer than what is there");
        assert_eq!(find(&[0, 0, 1, 0, 0, 0, 2, 0], 2), None, "lengths of zero do not hold it up");
    }

    #[test]
    fn the_kernel_answers_about_the_loopback_interface() {
        let body = [&[0_u8; 4][..], &1_i32.to_ne_bytes(), &[0; 8]].concat();
        let answers = ask(SockProtocol::NetlinkRoute, &message(18, REQUEST, &body)).unwrap();
        assert_eq!(find(&answers[0][16..], 3), Some(&b"lo\0"[..]));
    }
}
