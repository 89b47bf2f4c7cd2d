//! What tests of floods need: the program's settings, written past the daemon, and frames sent as they are.
#![expect(unsafe_code, reason = "packet sockets have no safe binding here")]

use super::Room;
use aya::maps::{Array, Map, MapData};
use honeymesh_xdp_abi::{Gates, Settings as Shared};
use std::{
    cell::RefCell,
    mem::offset_of,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

const LEN: usize = size_of::<Shared>();

/// The program's settings, opened where they are pinned.
pub struct Settings(RefCell<Array<MapData, [u8; LEN]>>);

pub fn settings(room: &Room) -> Settings {
    let map = MapData::from_pin(room.pins().join("maps/HM_SETTINGS")).unwrap();
    Settings(RefCell::new(Array::try_from(Map::Array(map)).unwrap()))
}

impl Settings {
    fn change(&self, change: impl FnOnce(&mut [u8; LEN])) {
        let mut map = self.0.borrow_mut();
        let mut octets = map.get(&0, 0).unwrap();
        change(&mut octets);
        map.set(0, octets, 0).unwrap();
    }

    /// What the program is told to do.
    pub fn gates(&self) -> Gates {
        let octets = self.0.borrow().get(&0, 0).unwrap();
        let at = offset_of!(Shared, gates);
        Gates(u32::from_ne_bytes(octets[at..at + size_of::<Gates>()].try_into().unwrap()))
    }

    /// The secret.
    pub fn secret(&self) -> [u64; 2] {
        let octets = self.0.borrow().get(&0, 0).unwrap();
        let word = |at: usize| u64::from_ne_bytes(octets[at..at + 8].try_into().unwrap());
        [word(offset_of!(Shared, secret)), word(offset_of!(Shared, secret) + 8)]
    }

    /// Another secret.
    pub fn change_secret(&self) {
        self.change(|octets| octets[offset_of!(Shared, secret)] ^= 1);
    }
}

/// A cable's end that sends frames as they are.
pub struct Wire {
    socket: OwnedFd,
    to: libc::sockaddr_ll,
}

impl Wire {
    /// Out of `interface`, in the thread's network namespace.
    pub fn out_of(interface: &str) -> Self {
        let index = nix::net::if_::if_nametoindex(interface).unwrap();
        // SAFETY: no addresses inside; the descriptor, if there is one, is nobody else's.
        let socket = unsafe {
            let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
            assert!(fd >= 0, "{}", std::io::Error::last_os_error());
            OwnedFd::from_raw_fd(fd)
        };
        let to = libc::sockaddr_ll {
            sll_family: u16::try_from(libc::AF_PACKET).unwrap(),
            sll_protocol: 0,
            sll_ifindex: i32::try_from(index).unwrap(),
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 6,
            sll_addr: [0; 8],
        };
        Self { socket, to }
    }

    /// Sends one frame; waits while the queue is full.
    pub fn send(&self, frame: &[u8]) {
        let len = u32::try_from(size_of::<libc::sockaddr_ll>()).unwrap();
        // SAFETY: frame and address live through the call and are as long as stated.
        let send = || unsafe {
            libc::sendto(self.socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0, (&raw const self.to).cast(), len)
        };
        while usize::try_from(send()) != Ok(frame.len()) {
            let error = std::io::Error::last_os_error();
            assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS), "{error}");
            std::thread::yield_now();
        }
    }
}
