//! Making the smallest map and the smallest program of a kind, to see whether the kernel lets us.

use super::{Attr, LINK_CREATE, address, bpf, descriptor, number, owned};
use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

const MAP_CREATE: i64 = 0;
const PROG_LOAD: i64 = 5;
/// `r0 = 2; exit`: pass, to XDP; and to tc a verdict that is none.
const PASS: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, 2, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
const LICENSE: &[u8] = b"GPL\0";

/// A map of one kind.
pub(crate) fn map_create(kind: u32, key_size: u32, value_size: u32, max_entries: u32, flags: u32) -> io::Result<OwnedFd> {
    let fields = [kind, key_size, value_size, max_entries, flags].map(number);
    let mut attr = Attr::new(&fields.each_ref().map(|field| field.as_slice()));
    // SAFETY: no addresses inside.
    unsafe { bpf(MAP_CREATE, &mut attr) }.map(owned)
}

/// A program of two instructions of one type.
pub(crate) fn pass_load(kind: u32, flags: u32) -> io::Result<OwnedFd> {
    let (count, code, license) = (number(2), address(PASS.as_ptr()), address(LICENSE.as_ptr()));
    // No log: level, size, address, kernel version; then the flags.
    let fields: [&[u8]; 6] = [&number(kind), &count, &code, &license, &[0; 20], &number(flags)];
    let mut attr = Attr::new(&fields);
    // SAFETY: instructions and license are static, and as long as stated.
    unsafe { bpf(PROG_LOAD, &mut attr) }.map(owned)
}

/// Attaches a program to an interface at a place of the kernel's list of places.
pub(crate) fn attach(program: BorrowedFd<'_>, index: u32, place: u32, flags: u32) -> io::Result<OwnedFd> {
    let mut attr = Attr::new(&[&descriptor(program), &number(index), &number(place), &number(flags)]);
    // SAFETY: no addresses inside.
    unsafe { bpf(LINK_CREATE, &mut attr) }.map(owned)
}
