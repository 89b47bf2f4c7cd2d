//! Rows of no-operations, as they stand in front of shellcode: the instructions of x86 that do nothing, in one byte and in
//! more, and the no-operations of ARM.

use crate::entropy::Census;

/// The shortest row of plain `nop`, in bytes.
const PLAIN_MIN: usize = 16;
/// The shortest row of other instructions that do nothing, in bytes. A compiler aligns with less than 16 (Intel SDM, vol. 2,
/// NOP: "recommended multi-byte sequences" are 9 bytes at most).
const OTHER_MIN: usize = 32;

/// Instructions of more than one byte: Intel SDM, vol. 2, table 4-12, and the no-operations of A32 and A64 (both as `mov r0, r0`
/// and `nop`), little-endian.
const LONG: [&[u8]; 11] = [
    b"\x66\x0f\x1f\x84\x00\x00\x00\x00\x00",
    b"\x0f\x1f\x84\x00\x00\x00\x00\x00",
    b"\x0f\x1f\x80\x00\x00\x00\x00",
    b"\x66\x0f\x1f\x44\x00\x00",
    b"\x0f\x1f\x44\x00\x00",
    b"\x0f\x1f\x40\x00",
    b"\x0f\x1f\x00",
    b"\x66\x90",
    b"\x00\x00\xa0\xe1",
    b"\x00\xf0\x20\xe3",
    b"\x1f\x20\x03\xd5",
];

/// Bytes of which one at least stands in each of these instructions, and hardly any in text.
const TELLING: [u8; 21] = [
    0x0f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9b, 0x9e, 0x9f, 0xd5, 0xe1, 0xe3, 0xf5, 0xf8, 0xf9, 0xfc,
];
/// So many of them stand in the shortest row: none of the instructions is longer than 9 bytes.
const TELLING_MIN: u64 = (OTHER_MIN as u64).div_ceil(9);

/// Does one of [`LONG`] begin so?
const fn begins_long(byte: u8) -> bool {
    matches!(byte, 0x00 | 0x0f | 0x1f | 0x66)
}

/// One byte, no lasting harm to the shellcode behind: `nop`, `xchg`, `cbw`, `cwd`, `wait`, `sahf`, `lahf`, `cmc`, `clc`, `stc`,
/// `cld`. Those that are letters (`inc`, `dec`) are left out: text would be a sled.
const fn is_short(byte: u8) -> bool {
    matches!(byte, 0x90..=0x99 | 0x9b | 0x9e | 0x9f | 0xf5 | 0xf8 | 0xf9 | 0xfc)
}

/// What row there is, in words.
pub(super) fn find(bytes: &[u8], census: &Census) -> Option<&'static str> {
    if census.sum(&TELLING) < TELLING_MIN {
        return None;
    }
    row(bytes)
}

/// The same without having counted.
fn row(bytes: &[u8]) -> Option<&'static str> {
    let (mut plain, mut other, mut rest) = (0, 0, bytes);
    while let Some(first) = rest.first() {
        let long = if begins_long(*first) { LONG.iter().find(|nop| rest.starts_with(nop)) } else { None };
        let length = long.map_or(usize::from(is_short(*first)), |nop| nop.len());
        plain = if *first == 0x90 { plain + 1 } else { 0 };
        other = if length > 0 { other + length } else { 0 };
        if plain >= PLAIN_MIN {
            return Some("0x90 in a row");
        }
        if other >= OTHER_MIN {
            return Some("instructions that do nothing in a row");
        }
        rest = &rest[length.max(1)..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn sleds_of_several_kinds_are_found_and_text_is_none() {
        let mixed: Vec<u8> = [0x91, 0x99, 0xf8, 0xfc, 0x9e, 0x97].iter().copied().cycle().take(40).collect();
        let cases: [(Vec<u8>, bool); 9] = [
            ([&b"GET /"[..], &[0x90; 16]].concat(), true),
            ([&b"GET /"[..], &[0x90; 15]].concat(), false),
            (mixed.clone(), true),
            (mixed[..20].to_vec(), false),
            (b"\x66\x0f\x1f\x44\x00\x00".repeat(6), true),
            (b"\x00\x00\xa0\xe1".repeat(8), true),
            (b"\x1f\x20\x03\xd5".repeat(8), true),
            (b"A".repeat(1_000), false),
            ("пример текста на русском языке, весьма длинный".as_bytes().to_vec(), false),
        ];
        for (bytes, is_sled) in cases {
            assert_eq!(find(&bytes, &Census::of(&bytes)).is_some(), is_sled, "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn counting_first_misses_no_row(parts in proptest::collection::vec(prop_oneof![
            (proptest::sample::select(LONG.to_vec()), 1..8_usize).prop_map(|(nop, times)| nop.repeat(times)),
            (0x90..=0x9f_u8, 1..40_usize).prop_map(|(byte, times)| [byte].repeat(times)),
            proptest::collection::vec(any::<u8>(), 0..4),
        ], 0..6)) {
            let bytes = parts.concat();
            prop_assert_eq!(find(&bytes, &Census::of(&bytes)), row(&bytes));
        }
    }
}
