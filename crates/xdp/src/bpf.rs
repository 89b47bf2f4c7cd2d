//! The few calls of bpf(2) that aya does not offer as we need them: links that are only ever links, and their facts.
#![expect(unsafe_code, reason = "bpf(2) has no safe binding")]

mod attempt;

pub(crate) use attempt::{attach, map_create, pass_load};

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

const MAP_LOOKUP_ELEM: i64 = 1;
const PROG_LOAD: i64 = 5;
const OBJ_PIN: i64 = 6;
const OBJ_GET: i64 = 7;
const PROG_TEST_RUN: i64 = 10;
const PROG_GET_FD_BY_ID: i64 = 13;
const OBJ_GET_INFO_BY_FD: i64 = 15;
const LINK_CREATE: i64 = 28;
const LINK_UPDATE: i64 = 29;
const LINK_DETACH: i64 = 34;
/// `BPF_PROG_TYPE_XDP`.
const PROG_TYPE_XDP: u32 = 6;
/// `BPF_FUNC_jiffies64`.
const FUNC_JIFFIES64: u32 = 118;
/// The shortest frame that a test run takes.
const FRAME_LEN_MIN: usize = 14;
/// `BPF_XDP`.
const ATTACH_XDP: u32 = 37;
/// `BPF_TCX_INGRESS`.
const ATTACH_TCX_INGRESS: u32 = 46;
/// `BPF_LINK_TYPE_TCX`.
const LINK_TYPE_TCX: u32 = 11;
/// `BPF_F_BEFORE`: in front of all others, because no other is named.
const BEFORE: u32 = 1 << 3;
/// `XDP_FLAGS_SKB_MODE`.
pub(crate) const MODE_GENERIC: u32 = 1 << 1;
/// `XDP_FLAGS_DRV_MODE`.
pub(crate) const MODE_NATIVE: u32 = 1 << 2;
/// Room for `union bpf_attr` and `struct bpf_link_info` as far as they are used here; the rest is zero.
const ROOM: usize = 64;
/// `struct bpf_prog_info` as far as it is used here: up to and with the name.
const PROGRAM_ROOM: usize = 80;

/// The start of `union bpf_attr`, field by field, zero behind.
#[repr(C, align(8))]
struct Attr([u8; ROOM]);

impl Attr {
    fn new(fields: &[&[u8]]) -> Self {
        let mut attr = Self([0; ROOM]);
        for (to, from) in attr.0.iter_mut().zip(fields.iter().copied().flatten()) {
            *to = *from;
        }
        attr
    }
}

fn number(value: u32) -> [u8; 4] {
    value.to_ne_bytes()
}

fn descriptor(fd: BorrowedFd<'_>) -> [u8; 4] {
    fd.as_raw_fd().to_ne_bytes()
}

fn address<T: ?Sized>(of: *const T) -> [u8; 8] {
    (of.cast::<u8>().addr() as u64).to_ne_bytes()
}

/// One call of bpf(2).
///
/// # Safety
/// Addresses in `attr` must be what `command` expects, and stay valid for the call.
unsafe fn bpf(command: i64, attr: &mut Attr) -> io::Result<i32> {
    // SAFETY: the caller vouches for the addresses inside; the room is as long as stated.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attr.0.as_mut_ptr(), ROOM) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(result).unwrap_or(0)) }
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just handed out this descriptor, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

/// The value of 32 bits at an index of an array; `None` if it is empty. Of an array of programs: a program's number.
pub(crate) fn lookup(map: BorrowedFd<'_>, index: u32) -> io::Result<Option<u32>> {
    let mut value = 0_u32;
    // `union bpf_attr`: the map, its key behind a gap, the value.
    let mut attr = Attr::new(&[&descriptor(map), &[0; 4], &address(&raw const index), &address(&raw mut value)]);
    // SAFETY: key and value live through the call, and both are of 32 bits.
    match unsafe { bpf(MAP_LOOKUP_ELEM, &mut attr) } {
        Ok(_) => Ok(Some(value)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Attaches an XDP program to an interface, in one mode.
pub(crate) fn link_create(program: BorrowedFd<'_>, index: u32, mode: u32) -> io::Result<OwnedFd> {
    create(program, index, ATTACH_XDP, mode)
}

/// Attaches a program to an interface at the door of the network stack, in front of all others.
pub(crate) fn tcx_create(program: BorrowedFd<'_>, index: u32) -> io::Result<OwnedFd> {
    create(program, index, ATTACH_TCX_INGRESS, BEFORE)
}

fn create(program: BorrowedFd<'_>, index: u32, kind: u32, flags: u32) -> io::Result<OwnedFd> {
    let mut attr = Attr::new(&[&descriptor(program), &number(index), &number(kind), &number(flags)]);
    // SAFETY: no addresses inside.
    unsafe { bpf(LINK_CREATE, &mut attr) }.map(owned)
}

/// Replaces the program of a link in one step: no packet meets neither.
pub(crate) fn link_update(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = Attr::new(&[&descriptor(link), &descriptor(program)]);
    // SAFETY: no addresses inside.
    unsafe { bpf(LINK_UPDATE, &mut attr) }.map(|_| ())
}

/// Takes the program off at once. Without it, a link whose last pin goes comes off some moments later.
pub(crate) fn link_detach(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut attr = Attr::new(&[&descriptor(link)]);
    // SAFETY: no addresses inside.
    unsafe { bpf(LINK_DETACH, &mut attr) }.map(|_| ())
}

/// Pins a map or link.
pub(crate) fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    let mut attr = Attr::new(&[&address(path.as_ptr()), &descriptor(object)]);
    // SAFETY: the path is a C string that lives through the call.
    unsafe { bpf(OBJ_PIN, &mut attr) }.map(|_| ())
}

/// Opens what is pinned at a path.
pub(crate) fn get(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let mut attr = Attr::new(&[&address(path.as_ptr())]);
    // SAFETY: the path is a C string that lives through the call.
    unsafe { bpf(OBJ_GET, &mut attr) }.map(owned)
}

/// What the kernel knows of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkFacts {
    /// What tells one link from another.
    pub(crate) id: u32,
    /// The number of the program in it.
    pub(crate) program: u32,
    /// The interface that it is attached to; 0 if it has come off.
    pub(crate) interface: u32,
    /// Does it hold a program at the door of the network stack?
    pub(crate) is_steering: bool,
}

/// The interface that a link is attached to; 0 if it has come off.
pub(crate) fn link_interface(link: BorrowedFd<'_>) -> io::Result<u32> {
    link_facts(link).map(|facts| facts.interface)
}

/// What tells one link from another.
pub(crate) fn link_id(link: BorrowedFd<'_>) -> io::Result<u32> {
    link_facts(link).map(|facts| facts.id)
}

/// Asks about a link. Needs no power.
pub(crate) fn link_facts(link: BorrowedFd<'_>) -> io::Result<LinkFacts> {
    let mut info = Attr::new(&[]);
    let len = u32::try_from(ROOM).unwrap_or(0);
    let mut attr = Attr::new(&[&descriptor(link), &number(len), &address(info.0.as_mut_ptr())]);
    // SAFETY: the info lives through the call and is as long as stated.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    // `struct bpf_link_info`: type, id, program, padding, then for links of interfaces the interface, and for tcx the place.
    let at = |offset: usize| {
        let number = info.0.get(offset..).and_then(|rest| rest.first_chunk::<4>());
        number.copied().map_or(0, u32::from_ne_bytes)
    };
    let is_steering = (at(0), at(20)) == (LINK_TYPE_TCX, ATTACH_TCX_INGRESS);
    Ok(LinkFacts { id: at(4), program: at(8), interface: at(16), is_steering })
}

/// What the kernel knows of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgramInfo {
    pub(crate) id: u32,
    /// At most 15 characters.
    pub(crate) name: String,
}

/// Asks about a program.
pub(crate) fn program_info(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    // `struct bpf_prog_info`: type, id, tag, lengths and addresses of code that are not asked for, ..., name.
    let mut info = [0_u64; PROGRAM_ROOM / 8];
    let len = u32::try_from(PROGRAM_ROOM).unwrap_or(0);
    let mut attr = Attr::new(&[&descriptor(program), &number(len), &address(info.as_mut_ptr())]);
    // SAFETY: the info lives through the call and is as long as stated; all its addresses and lengths are zero.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    let octets: Vec<u8> = info.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let id = octets.get(4..8).and_then(|id| id.try_into().ok()).map_or(0, u32::from_ne_bytes);
    let name = octets.get(64..).unwrap_or_default().split(|octet| *octet == 0).next().unwrap_or_default();
    Ok(ProgramInfo { id, name: String::from_utf8_lossy(name).into_owned() })
}

/// Opens a program by its number. Needs `CAP_SYS_ADMIN`.
pub(crate) fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attr = Attr::new(&[&number(id)]);
    // SAFETY: no addresses inside.
    unsafe { bpf(PROG_GET_FD_BY_ID, &mut attr) }.map(owned)
}

/// A program that answers with 32 bits of the kernel's jiffies, from bit `shift` on.
pub(crate) fn load_jiffies(shift: u32) -> io::Result<OwnedFd> {
    let [call, right, exit] = [(0x85, FUNC_JIFFIES64), (0x77, shift), (0x95, 0)].map(|(code, immediate)| {
        let [a, b, c, d] = immediate.to_ne_bytes();
        [code, 0, 0, 0, a, b, c, d]
    });
    let (code, license) = ([call, right, exit], c"GPL");
    let fields: [&[u8]; 4] = [&number(PROG_TYPE_XDP), &number(3), &address(&raw const code), &address(license.as_ptr())];
    let mut attr = Attr::new(&fields);
    // SAFETY: three instructions and a C string, which live through the call.
    unsafe { bpf(PROG_LOAD, &mut attr) }.map(owned)
}

/// Runs an XDP program once, on a frame of zeros. What it answers.
pub(crate) fn run(program: BorrowedFd<'_>) -> io::Result<u32> {
    test_run(program, &[0; FRAME_LEN_MIN])
}

/// Runs an XDP program once on a frame that is on no wire. What it answers.
pub(crate) fn test_run(program: BorrowedFd<'_>, frame: &[u8]) -> io::Result<u32> {
    let len = u32::try_from(frame.len()).map_err(io::Error::other)?;
    let none = number(0);
    let mut attr = Attr::new(&[&descriptor(program), &none, &number(len), &none, &address(frame.as_ptr())]);
    // SAFETY: the frame lives through the call and is as long as stated; nothing is copied out.
    unsafe { bpf(PROG_TEST_RUN, &mut attr) }?;
    let [.., a, b, c, d] = attr.0.first_chunk::<8>().copied().unwrap_or_default();
    Ok(u32::from_ne_bytes([a, b, c, d]))
}
