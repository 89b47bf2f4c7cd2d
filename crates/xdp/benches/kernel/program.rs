//! Two XDP programs of a few instructions, one that only answers and one that sends, and a switch of the driver.
#![expect(unsafe_code, reason = "bpf(2) and the driver's switches have no safe binding")]

use crate::bans::{Family, STEP, Traffic};
use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

const PROG_LOAD: i64 = 5;
const TEST_RUN: i64 = 10;
const LINK_CREATE: i64 = 28;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const MODE_NATIVE: u32 = 1 << 2;
/// `BPF_F_XDP_HAS_FRAGS`, as our program has it.
const HAS_FRAGS: u32 = 1 << 5;
const SIOCETHTOOL: libc::c_ulong = 0x8946;
const ETHTOOL_SGRO: u32 = 0x2c;

/// `BPF_F_TEST_XDP_LIVE_FRAMES`: the frames of a test run are real and go where the program sends them.
const LIVE_FRAMES: u32 = 1 << 1;
/// Frames that a live run sends before it lets others run: three quarters of a veth's ring.
const BATCH: u32 = 192;

/// A program that does nothing but answer.
pub struct Empty(OwnedFd);

/// A program that gives each frame a random source address and sends it out of an interface.
pub struct Sender(OwnedFd);

type Instruction = [u8; 8];

#[repr(C, align(8))]
struct Attr([u8; 80]);

fn attr(fields: &[(usize, &[u8])]) -> Attr {
    let mut attr = Attr([0; 80]);
    for (at, octets) in fields {
        attr.0[*at..*at + octets.len()].copy_from_slice(octets);
    }
    attr
}

fn address<T>(of: &[T]) -> [u8; 8] {
    (of.as_ptr().addr() as u64).to_ne_bytes()
}

fn bpf(command: i64, attr: &mut Attr) -> i32 {
    // SAFETY: the callers below put addresses of slices into the attributes that live through the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr.0.as_mut_ptr(), attr.0.len()) };
    assert!(result >= 0, "bpf({command}): {}", io::Error::last_os_error());
    i32::try_from(result).unwrap()
}

fn descriptor(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just handed it out.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Code, registers (destination low, source high), offset, immediate.
const fn op(code: u8, registers: u8, offset: u8, immediate: u32) -> Instruction {
    let [a, b, c, d] = immediate.to_le_bytes();
    [code, registers, offset, 0, a, b, c, d]
}

const EXIT: Instruction = op(0x95, 0, 0, 0);

fn load(instructions: &[Instruction]) -> OwnedFd {
    let license = c"GPL".to_bytes_with_nul();
    let mut attr = attr(&[
        (0, &PROG_TYPE_XDP.to_ne_bytes()),
        (4, &u32::try_from(instructions.len()).unwrap().to_ne_bytes()),
        (8, &address(instructions)),
        (16, &address(license)),
        (44, &HAS_FRAGS.to_ne_bytes()),
    ]);
    descriptor(bpf(PROG_LOAD, &mut attr))
}

impl Sender {
    /// Fills in the source address of [`Traffic::frame`]; the checksum of IPv4 follows.
    pub fn new(interface: u32, traffic: &Traffic) -> Self {
        let end = if traffic.family == Family::V4 { 34 } else { 54 };
        let mut body = vec![op(0x85, 0x00, 0, 7)]; // r0 = a random number
        if let Some(sources) = traffic.sources {
            body.extend([
                op(0x94, 0x00, 0, sources),      // w0 %= sources
                op(0x24, 0x00, 0, STEP),         // w0 *= STEP
                op(0x54, 0x00, 0, 0x00ff_ffff),  // w0 &= 0xffffff
                op(0x44, 0x00, 0, traffic.base), // w0 |= base
            ]);
        }
        body.extend([
            op(0xbc, 0x08, 0, 0),  // w8 = w0
            op(0xdc, 0x00, 0, 32), // r0 to network order
            op(0x63, 0x06, 26, 0), // the address, or the second word of one of IPv6
        ]);
        if traffic.family == Family::V4 {
            body.extend(checksum(&traffic.frame()));
        }
        body.extend([
            op(0xb7, 0x01, 0, interface), // r1 = interface
            op(0xb7, 0x02, 0, 0),         // r2 = no flags
            op(0x85, 0x00, 0, 23),        // redirect
        ]);
        let head = [
            op(0x61, 0x16, 0, 0),   // r6 = start of the frame
            op(0x61, 0x17, 4, 0),   // r7 = its end
            op(0xb7, 0x00, 0, 1),   // r0 = drop
            op(0xbf, 0x62, 0, 0),   // r2 = r6
            op(0x07, 0x02, 0, end), // r2 += the headers
            // Past the end? Answer.
            op(0x2d, 0x72, u8::try_from(body.len()).unwrap(), 0),
        ];
        Self(load(&[&head[..], &body, &[EXIT]].concat()))
    }

    /// Sends `count` copies of a frame.
    pub fn send(&self, frame: &[u8], count: u32) {
        let mut attr = attr(&[
            (0, &self.0.as_raw_fd().to_ne_bytes()),
            (8, &u32::try_from(frame.len()).unwrap().to_ne_bytes()),
            (16, &address(frame)),
            (32, &count.to_ne_bytes()),
            (64, &LIVE_FRAMES.to_ne_bytes()),
            (72, &BATCH.to_ne_bytes()),
        ]);
        bpf(TEST_RUN, &mut attr);
    }
}

/// The header's checksum once the source in w8 has been added to that of a frame without one (RFC 1624).
fn checksum(frame: &[u8]) -> [Instruction; 15] {
    let without = u32::from(!u16::from_be_bytes([frame[24], frame[25]]));
    let fold = [
        op(0xbc, 0x12, 0, 0),      // w2 = w1
        op(0x74, 0x02, 0, 16),     // w2 >>= 16
        op(0x54, 0x01, 0, 0xffff), // w1 &= 0xffff
        op(0x0c, 0x21, 0, 0),      // w1 += w2
    ];
    let [a, b, c, d] = fold;
    [
        op(0xbc, 0x81, 0, 0),       // w1 = w8
        op(0x74, 0x01, 0, 16),      // w1 >>= 16
        op(0x54, 0x08, 0, 0xffff),  // w8 &= 0xffff
        op(0x0c, 0x81, 0, 0),       // w1 += w8
        op(0x04, 0x01, 0, without), // w1 += the rest
        a,
        b,
        c,
        d,
        // A sum of three 16-bit words needs no second carry unless the first made one.
        op(0xbc, 0x12, 0, 0),
        op(0x74, 0x02, 0, 16),
        op(0x0c, 0x21, 0, 0),
        op(0xa4, 0x01, 0, 0xffff), // w1 ^= 0xffff
        op(0xdc, 0x01, 0, 16),     // to network order
        op(0x6b, 0x16, 24, 0),     // the checksum
    ]
}

impl Empty {
    /// `r0 = verdict; exit`.
    pub fn new(verdict: u32) -> Self {
        Self(load(&[op(0xb7, 0, 0, verdict), EXIT]))
    }

    /// Nanoseconds for one run.
    pub fn cost(&self, frame: &[u8], repeat: u32) -> f64 {
        let mut attr = attr(&[
            (0, &self.0.as_raw_fd().to_ne_bytes()),
            (8, &u32::try_from(frame.len()).unwrap().to_ne_bytes()),
            (16, &address(frame)),
            (32, &repeat.to_ne_bytes()),
        ]);
        bpf(TEST_RUN, &mut attr);
        f64::from(u32::from_ne_bytes(attr.0[36..40].try_into().unwrap()))
    }

    /// Attached as long as the result lives.
    pub fn attach(&self, index: u32) -> OwnedFd {
        let mut attr = attr(&[
            (0, &self.as_fd().as_raw_fd().to_ne_bytes()),
            (4, &index.to_ne_bytes()),
            (8, &ATTACH_XDP.to_ne_bytes()),
            (12, &MODE_NATIVE.to_ne_bytes()),
        ]);
        descriptor(bpf(LINK_CREATE, &mut attr))
    }
}

impl AsFd for Empty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The calling thread runs before all others (`SCHED_FIFO`): a flood that pauses when the decision falls shows nothing.
pub fn at_once() {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameters live through the call; 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
    assert!(result == 0, "sched_setscheduler: {}", io::Error::last_os_error());
}

/// A thread gets the processor more often than other work on the machine does.
pub fn prefer(thread: i32) {
    const PRIORITY: i32 = -20;
    let thread = libc::id_t::try_from(thread).unwrap();
    // SAFETY: no addresses inside.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, thread, PRIORITY) };
    assert!(result == 0, "setpriority: {}", io::Error::last_os_error());
}

/// Switches generic receive offload on: only then has a veth without XDP a NAPI thread, whose time can be read.
pub fn gro_on(interface: &CStr) {
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        value: *mut [u32; 2],
        rest: [u8; 16],
    }
    let mut value = [ETHTOOL_SGRO, 1];
    let mut name = [0; 16];
    name[..interface.to_bytes().len()].copy_from_slice(interface.to_bytes());
    let mut request = Request { name, value: &raw mut value, rest: [0; 16] };
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    // SAFETY: the request is laid out as `struct ifreq`, and what it points at lives through the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    assert!(result >= 0, "ethtool: {}", io::Error::last_os_error());
}
