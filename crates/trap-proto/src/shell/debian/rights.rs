//! Rights of files, as a mode and as `ls` shows them.

use alloc::string::String;

/// Rights as `ls` shows them, of something of this kind.
pub(super) fn rights(kind: char, mode: u16) -> String {
    let mut text = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let runs = match (mode >> shift & 1 != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        };
        text.push(if mode >> shift & 4 != 0 { 'r' } else { '-' });
        text.push(if mode >> shift & 2 != 0 { 'w' } else { '-' });
        text.push(runs);
    }
    text
}

/// The mode that such rights are.
pub(super) fn mode(rights: &str) -> u32 {
    let kind = match rights.as_bytes().first() {
        Some(b'd') => 0o040_000,
        Some(b'l') => 0o120_000,
        Some(b'c') => 0o020_000,
        Some(b'b') => 0o060_000,
        _ => 0o100_000,
    };
    let special = |bit| match bit {
        0o100 => 0o4000,
        0o010 => 0o2000,
        _ => 0o1000,
    };
    let bits = rights.bytes().skip(1).zip([0o400, 0o200, 0o100, 0o40, 0o20, 0o10, 4, 2, 1]).map(|(letter, bit)| match letter {
        b'-' => 0,
        b's' | b't' => bit | special(bit),
        b'S' | b'T' => special(bit),
        _ => bit,
    });
    bits.fold(kind, |mode, bits| mode | bits)
}
