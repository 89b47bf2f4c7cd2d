//! Single questions over netlink: one request, its answers.

use crate::netlink::octets::{DONE, ERROR, PART, errno, messages};
use nix::sys::{
    socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt},
    time::TimeVal,
};
use std::{io, os::fd::AsRawFd};

/// One answer about one interface is a few kilobytes.
const ANSWER_LEN_MAX: usize = 1 << 16;
/// The kernel answers at once; what does not come now does not come.
const PATIENCE_S: i64 = 2;
/// Answers that are read for one question.
const ANSWERS_MAX: usize = 16;

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
fn read(octets: &[u8], answers: &mut Vec<Vec<u8>>) -> io::Result<bool> {
    let mut is_last = true;
    for message in messages(octets) {
        match message.kind {
            ERROR => return errno(message.body).map_or(Ok(true), |errno| Err(io::Error::from_raw_os_error(errno))),
            DONE => return Ok(true),
            _ => answers.push(message.body.to_vec()),
        }
        is_last = message.flags & PART == 0;
    }
    Ok(is_last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::octets::{REQUEST, find, message};

    #[test]
    fn the_kernel_answers_about_the_loopback_interface() {
        let body = [&[0_u8; 4][..], &1_i32.to_ne_bytes(), &[0; 8]].concat();
        let answers = ask(SockProtocol::NetlinkRoute, &message(18, REQUEST, 0, &body)).unwrap();
        assert_eq!(find(&answers[0][16..], 3), Some(&b"lo\0"[..]));
    }
}
