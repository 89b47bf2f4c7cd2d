//! Files by their first bytes: programs with the machine they run on, scripts, archives.

use crate::entropy::Census;
use alloc::{format, string::String, string::ToString, vec::Vec};
use honeymesh_types::Shape;

/// Machines of an ELF file: `e_machine`, System V ABI, chapter 4 (<https://www.sco.com/developers/gabi/latest/ch4.eheader.html>).
const ELF_MACHINES: [(u16, &str); 15] = [
    (2, "sparc"),
    (3, "x86"),
    (4, "m68k"),
    (8, "mips"),
    (20, "powerpc"),
    (21, "powerpc64"),
    (22, "s390"),
    (40, "arm"),
    (42, "superh"),
    (62, "x86-64"),
    (92, "openrisc"),
    (94, "xtensa"),
    (195, "arcv2"),
    (183, "aarch64"),
    (243, "risc-v"),
];
/// Machines of a PE file: `Machine`, "PE Format", COFF file header (learn.microsoft.com).
const PE_MACHINES: [(u16, &str); 5] = [(0x14c, "x86"), (0x8664, "x86-64"), (0x1c0, "arm"), (0x1c4, "arm"), (0xaa64, "aarch64")];
/// Magic numbers of Mach-O (`mach-o/loader.h`), and of one for several machines.
const MACH_O: [(&[u8], &str); 5] = [
    (b"\xfe\xed\xfa\xce", "Mach-O 32-bit"),
    (b"\xfe\xed\xfa\xcf", "Mach-O 64-bit"),
    (b"\xce\xfa\xed\xfe", "Mach-O 32-bit"),
    (b"\xcf\xfa\xed\xfe", "Mach-O 64-bit"),
    (b"\xca\xfe\xba\xbe\x00\x00\x00\x02", "Mach-O universal"),
];
/// Archives, by the magic numbers of their formats.
const ARCHIVES: [(&[u8], &str); 8] = [
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh91AY&SY", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"!<arch>\ndebian-binary", "deb"),
];
/// With what programs begin.
const PROGRAMS: [u8; 6] = [0x7f, b'M', 0xfe, 0xce, 0xcf, 0xca];
/// The same, by octet: each octet of what was said is asked.
static BEGINS_PROGRAM: [bool; 256] = {
    let (mut begins, mut place) = ([false; 256], 0);
    while place < PROGRAMS.len() {
        begins[PROGRAMS[place] as usize] = true;
        place += 1;
    }
    begins
};
/// Where a tar file has its magic.
const TAR_AT: usize = 257;

/// Do they begin as a file does?
pub(super) fn begins(bytes: &[u8]) -> bool {
    at(bytes).is_some()
}

/// The first of each kind, where it may begin: programs anywhere; scripts and archives at the beginning and at the beginning of a body or
/// a line.
pub(super) fn find(bytes: &[u8], census: &Census) -> Vec<(Shape, String)> {
    // One line of text, as most fields are: there is one place.
    if !census.has(b'\n') && !census.has_any(&PROGRAMS) {
        return at(bytes).into_iter().collect();
    }
    anywhere(bytes)
}

fn anywhere(bytes: &[u8]) -> Vec<(Shape, String)> {
    let mut found: Vec<(Shape, String)> = Vec::new();
    let mut last = [b'\n', b'\n'];
    for (place, byte) in bytes.iter().enumerate() {
        let begins_line = last[1] == b'\n';
        let may_begin = begins_line || BEGINS_PROGRAM[usize::from(*byte)];
        last = [last[1], *byte];
        if !may_begin {
            continue;
        }
        if let Some((shape, words)) = at(&bytes[place..]) {
            let is_allowed = shape == Shape::Executable || begins_line;
            if is_allowed && found.iter().all(|(known, _)| *known != shape) {
                found.push((shape, words));
            }
        }
    }
    found
}

/// Where the first program begins, if one does.
#[must_use]
pub fn program_begins(bytes: &[u8]) -> Option<usize> {
    let mut places = bytes.iter().enumerate().filter(|(_, byte)| BEGINS_PROGRAM[usize::from(**byte)]).map(|(place, _)| place);
    places.find(|place| matches!(at(&bytes[*place..]), Some((Shape::Executable, _))))
}

fn at(bytes: &[u8]) -> Option<(Shape, String)> {
    let named = |(_, words): &(&[u8], &str)| words.to_string();
    elf(bytes)
        .or_else(|| pe(bytes))
        .or_else(|| MACH_O.iter().find(|(magic, _)| bytes.starts_with(magic)).map(named))
        .map(|words| (Shape::Executable, words))
        .or_else(|| script(bytes).map(|words| (Shape::Script, words)))
        .or_else(|| {
            let tar = (bytes.get(TAR_AT..TAR_AT + 5) == Some(b"ustar")).then(|| "tar".to_string());
            ARCHIVES.iter().find(|(magic, _)| bytes.starts_with(magic)).map(named).or(tar).map(|words| (Shape::Archive, words))
        })
}

/// Class and data encoding must be right, too; the machine is told if it is there and known.
fn elf(bytes: &[u8]) -> Option<String> {
    let [0x7f, b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2), 1, ..] = *bytes else { return None };
    let machine = bytes.get(18..20).map(|two| if order == 1 { [two[0], two[1]] } else { [two[1], two[0]] });
    let machine = machine.map(u16::from_le_bytes).map(|number| name(&ELF_MACHINES, number));
    let (bits, ends) = (if class == 1 { 32 } else { 64 }, if order == 1 { "little" } else { "big" });
    Some(format!("ELF {bits}-bit {ends}-endian {}", machine.unwrap_or_default()).trim_end().into())
}

/// The old header must point at the new one. If that was cut off, the words every linker puts between are enough.
fn pe(bytes: &[u8]) -> Option<String> {
    const STUB: &[u8] = b"!This program cannot be run in DOS mode";
    /// Linkers put the new header right behind the stub.
    const NEW_HEADER_MAX: usize = 4_096;
    if !bytes.starts_with(b"MZ") {
        return None;
    }
    let new = bytes.get(60..64)?.try_into().map(u32::from_le_bytes).ok()?;
    let new = usize::try_from(new).ok().filter(|place| *place <= NEW_HEADER_MAX)?;
    match bytes.get(new..new + 6) {
        Some([b'P', b'E', 0, 0, low, high]) => Some(format!("PE {}", name(&PE_MACHINES, u16::from_le_bytes([*low, *high])))),
        Some(_) => None,
        None => bytes.get(77..77 + STUB.len()).is_some_and(|stub| stub == STUB).then(|| "PE".into()),
    }
}

fn script(bytes: &[u8]) -> Option<String> {
    let line = bytes.strip_prefix(b"#!")?;
    let line = line.trim_ascii_start();
    let end = line.iter().position(|byte| *byte == b'\r' || *byte == b'\n').unwrap_or(line.len()).min(64);
    (line.first() == Some(&b'/')).then(|| format!("script for {}", super::ascii(&line[..end], 64)))
}

fn name(machines: &[(u16, &str)], number: u16) -> String {
    machines.iter().find(|(known, _)| *known == number).map_or_else(|| format!("machine {number}"), |(_, name)| (*name).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn find(bytes: &[u8]) -> Vec<(Shape, String)> {
        super::find(bytes, &Census::of(bytes))
    }

    fn elf_head(class: u8, order: u8, machine: [u8; 2]) -> Vec<u8> {
        [&b"\x7fELF"[..], &[class, order, 1, 0], &[0; 8], &[2, 0], &machine].concat()
    }

    fn pe_head(machine: u16) -> Vec<u8> {
        let mut bytes = b"MZ".to_vec();
        bytes.resize(60, 0);
        bytes.extend_from_slice(&128_u32.to_le_bytes());
        bytes.resize(128, 0);
        bytes.extend_from_slice(b"PE\0\0");
        bytes.extend_from_slice(&machine.to_le_bytes());
        bytes
    }

    #[test]
    fn files_are_known_by_their_beginning() {
        let mut tar = alloc::vec![b'x'; 257];
        tar.extend_from_slice(b"ustar\x0000");
        let cases: [(Vec<u8>, Shape, &str); 10] = [
            (elf_head(2, 1, [62, 0]), Shape::Executable, "ELF 64-bit little-endian x86-64"),
            (elf_head(1, 2, [0, 8]), Shape::Executable, "ELF 32-bit big-endian mips"),
            (elf_head(1, 1, [40, 0]), Shape::Executable, "ELF 32-bit little-endian arm"),
            (elf_head(1, 1, [0xff, 0xfe]), Shape::Executable, "ELF 32-bit little-endian machine 65279"),
            (pe_head(0x8664), Shape::Executable, "PE x86-64"),
            (b"\xcf\xfa\xed\xfe\x0c\0\0\x01".to_vec(), Shape::Executable, "Mach-O 64-bit"),
            (b"#! /bin/sh\necho".to_vec(), Shape::Script, "script for /bin/sh"),
            (b"PK\x03\x04\x14\0".to_vec(), Shape::Archive, "zip"),
            (b"\x1f\x8b\x08\x00".to_vec(), Shape::Archive, "gzip"),
            (tar, Shape::Archive, "tar"),
        ];
        for (bytes, shape, words) in cases {
            let body = [&b"POST /upload HTTP/1.1\r\n\r\n"[..], &bytes].concat();
            assert_eq!(find(&body), [(shape, words.to_string())]);
            assert!(begins(&bytes));
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        let cases: [&[u8]; 8] = [
            b"",
            b"\x7fELF",
            b"\x7fELF\x09\x01\x01",
            b"MZ",
            b"MZ is a programme",
            b"#!important",
            b"say PK\x03\x04 in a line",
            b"GET / HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n",
        ];
        for bytes in cases {
            assert_eq!(find(bytes), [], "{bytes:?}");
        }
        let mut wrong = pe_head(0x8664);
        wrong[128] = b'X';
        assert_eq!(find(&wrong), []);
    }
    proptest! {
        #[test]
        fn counting_first_misses_no_file(parts in proptest::collection::vec(prop_oneof![
            Just(elf_head(2, 1, [62, 0])),
            proptest::sample::select(alloc::vec![&b"#!/bin/sh"[..], b"PK\x03\x04", b"\n", b"M", b"\xcf\xfa\xed\xfe"]).prop_map(<[u8]>::to_vec),
            proptest::collection::vec(any::<u8>(), 0..4),
        ], 0..4)) {
            let bytes = parts.concat();
            prop_assert_eq!(find(&bytes), anywhere(&bytes));
        }
    }
}
