//! The beginning of a program's file: bots read it to learn which of their builds runs here.

use alloc::vec::Vec;

/// Segments: kind, rights, where it is in the file and in memory, bytes in the file and in memory, alignment.
const SEGMENTS: [(u32, u32, u64, u64, u64); 13] = [
    (6, 4, 0x40, 0x2d8, 8),
    (3, 4, 0x318, 0x1c, 1),
    (1, 4, 0, 0x1750, 0x1000),
    (1, 5, 0x2000, 0x4d91, 0x1000),
    (1, 4, 0x7000, 0x1cd8, 0x1000),
    (1, 6, 0x9a70, 0x650, 0x1000),
    (2, 6, 0x9c18, 0x1c0, 8),
    (4, 4, 0x338, 0x20, 8),
    (4, 4, 0x358, 0x44, 4),
    (0x6474_e553, 4, 0x338, 0x20, 8),
    (0x6474_e550, 4, 0x7cb4, 0x2a4, 4),
    (0x6474_e551, 6, 0, 0, 16),
    (0x6474_e552, 4, 0x9a70, 0x590, 1),
];
const INTERPRETER: &[u8] = b"/lib64/ld-linux-x86-64.so.2\0";
/// Bytes of the head that is shown: headers, segments, the interpreter's name.
const SECTION_BYTES: u64 = 64;
const SECTIONS: u16 = 31;

/// The head of a 64-bit x86 program that is `size` bytes long.
pub(super) fn head(size: u64) -> Vec<u8> {
    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0".to_vec();
    let sections = size.saturating_sub(SECTION_BYTES * u64::from(SECTIONS)) / 8 * 8;
    [0x34e0, 64, sections].iter().for_each(|number: &u64| out.extend_from_slice(&number.to_le_bytes()));
    out.extend_from_slice(&[0; 4]);
    [64, 56, 13, 64, SECTIONS, SECTIONS - 1].iter().for_each(|number: &u16| out.extend_from_slice(&number.to_le_bytes()));
    for (kind, rights, at, bytes, alignment) in SEGMENTS {
        [kind, rights].iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        let address = if at >= 0x9000 { at + 0x1000 } else { at };
        [at, address, address, bytes, bytes, alignment].iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
    }
    out.extend_from_slice(INTERPRETER);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_what_machine_it_is_for() {
        let head = head(44_016);
        assert!(head.starts_with(b"\x7fELF\x02\x01\x01\0") && head[18..20] == [62, 0]);
        assert_eq!((head.len(), &head[0x318..]), (64 + 13 * 56 + INTERPRETER.len(), INTERPRETER));
    }
}
