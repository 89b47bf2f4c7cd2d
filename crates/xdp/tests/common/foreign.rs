//! Somebody else's program, at XDP or at tc: two instructions, attached by netlink or by a link.
#![expect(unsafe_code, reason = "bpf(2) and netlink have no safe binding here")]
#![allow(dead_code, clippy::allow_attributes, reason = "each test file uses its own part")]

use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const PROG_LOAD: i64 = 5;
const LINK_CREATE: i64 = 28;
const XDP: u32 = 6;
const SCHED_CLS: u32 = 3;
const ATTACH_XDP: u32 = 37;
const MODE_NATIVE: u32 = 1 << 2;

/// A program that passes everything.
pub struct Foreign(OwnedFd);

fn bpf(command: i64, words: &mut [u64; 16]) -> i64 {
    // SAFETY: the callers pass addresses of what lives through the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, words.as_mut_ptr(), 128) };
    assert!(result >= 0, "{}", std::io::Error::last_os_error());
    result
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn owned(fd: i64) -> OwnedFd {
    // SAFETY: the kernel has just handed it out.
    unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap()) }
}

impl Foreign {
    /// Loads it under a name of at most 15 characters.
    pub fn load(name: &str) -> Self {
        // r0 = 2 (XDP_PASS); exit. As aya loads ours, so that one may take the other's place in a link.
        Self::load_as(name, XDP, ATTACH_XDP, 0x0000_0002_0000_00b7)
    }

    /// One for the door of the network stack.
    pub fn load_tc(name: &str) -> Self {
        // r0 = 0 (TC_ACT_OK); exit.
        Self::load_as(name, SCHED_CLS, 0, 0x0000_0000_0000_00b7)
    }

    fn load_as(name: &str, kind: u32, place: u32, verdict: u64) -> Self {
        let code: [u64; 2] = [verdict, 0x95];
        let license = c"GPL";
        let mut words = [0; 16];
        words[0] = pair(kind, 2);
        words[1] = code.as_ptr().addr() as u64;
        words[2] = license.as_ptr().addr() as u64;
        let mut octets = [0; 16];
        octets[..name.len()].copy_from_slice(name.as_bytes());
        words[6] = u64::from_ne_bytes(octets[..8].try_into().unwrap());
        words[7] = u64::from_ne_bytes(octets[8..].try_into().unwrap());
        words[8] = pair(0, place);
        Self(owned(bpf(PROG_LOAD, &mut words)))
    }

    /// Attaches it by a link, natively.
    pub fn link(&self, interface: &str) -> OwnedFd {
        let index = nix::net::if_::if_nametoindex(interface).unwrap();
        let mut words = [0; 16];
        words[0] = pair(self.0.as_raw_fd().cast_unsigned(), index);
        words[1] = pair(ATTACH_XDP, MODE_NATIVE);
        owned(bpf(LINK_CREATE, &mut words))
    }

    /// Attaches it by netlink, natively, as `ip link set dev ... xdp` does.
    pub fn attach(&self, interface: &str) {
        set(interface, self.0.as_raw_fd());
    }

    /// Puts it into somebody's pinned link, in the place of what is there.
    pub fn usurp(&self, pin: &std::path::Path) {
        let path = std::ffi::CString::new(pin.to_str().unwrap()).unwrap();
        let mut get = [0; 16];
        get[0] = path.as_ptr().addr() as u64;
        let link = owned(bpf(7, &mut get));
        let mut update = [0; 16];
        update[0] = pair(link.as_raw_fd().cast_unsigned(), self.0.as_raw_fd().cast_unsigned());
        bpf(29, &mut update);
    }
}

/// Takes a pinned link off its interface; the pin stays.
pub fn take_off(pin: &std::path::Path) {
    let path = std::ffi::CString::new(pin.to_str().unwrap()).unwrap();
    let mut get = [0; 16];
    get[0] = path.as_ptr().addr() as u64;
    let link = owned(bpf(7, &mut get));
    let mut detach = [0; 16];
    detach[0] = pair(link.as_raw_fd().cast_unsigned(), 0);
    bpf(34, &mut detach);
}

fn set(interface: &str, program: i32) {
    let index = nix::net::if_::if_nametoindex(interface).unwrap();
    let attribute = |kind: u16, value: &[u8]| {
        [&u16::try_from(4 + value.len()).unwrap().to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
    };
    // IFLA_XDP with IFLA_XDP_FD and IFLA_XDP_FLAGS.
    let nested = [attribute(1, &program.to_ne_bytes()), attribute(3, &MODE_NATIVE.to_ne_bytes())].concat();
    let body = [&[0; 4][..], &index.to_ne_bytes(), &[0; 8], &attribute(43 | 0x8000, &nested)].concat();
    // RTM_SETLINK with NLM_F_REQUEST and NLM_F_ACK.
    let len = u32::try_from(16 + body.len()).unwrap();
    let message = [&len.to_ne_bytes()[..], &19_u16.to_ne_bytes(), &5_u16.to_ne_bytes(), &[0; 8], &body].concat();
    let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute).unwrap();
    bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0)).unwrap();
    send(fd.as_raw_fd(), &message, MsgFlags::empty()).unwrap();
    let mut answer = [0; 1_024];
    let len = recv(fd.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
    assert!(len >= 20 && answer[16..20] == [0; 4], "{}", i32::from_ne_bytes(answer[16..20].try_into().unwrap()));
}
