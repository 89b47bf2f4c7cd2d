//! A search's filter as people write it (RFC 4515), for the report.

use crate::{
    ber::{tagged, value},
    exactly::Reader,
};
use alloc::vec::Vec;

/// Filters within filters.
const DEPTH_MAX: usize = 8;
/// The longest text, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// The text; what is broken, too deep or too long ends in `…`.
pub(super) fn text(filter: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    if write(&mut Reader(filter), DEPTH_MAX, &mut text).is_none() {
        text.truncate(TEXT_BYTES_MAX);
        text.extend_from_slice("…".as_bytes());
    }
    text
}

fn write(reader: &mut Reader<'_>, depth: usize, text: &mut Vec<u8>) -> Option<()> {
    let (tag, content) = value(reader)?;
    (depth > 0 && text.len() < TEXT_BYTES_MAX).then_some(())?;
    text.push(b'(');
    let mut parts = Reader(content);
    match tag {
        0xa0..=0xa2 => {
            text.push(b"&|!"[usize::from(tag - 0xa0)]);
            while !parts.0.is_empty() {
                write(&mut parts, depth - 1, text)?;
            }
        }
        0xa3 | 0xa5 | 0xa6 | 0xa8 => {
            text.extend_from_slice(tagged(&mut parts, 4)?);
            let sign: &[u8] = match tag {
                0xa3 => b"=",
                0xa5 => b">=",
                0xa6 => b"<=",
                _ => b"~=",
            };
            text.extend_from_slice(sign);
            text.extend_from_slice(tagged(&mut parts, 4)?);
        }
        0xa4 => {
            text.extend_from_slice(tagged(&mut parts, 4)?);
            text.push(b'=');
            let mut pieces = Reader(tagged(&mut parts, 0x30)?);
            let mut is_open = true;
            while let Some((place, piece)) = value(&mut pieces) {
                if place != 0x80 {
                    text.push(b'*');
                }
                text.extend_from_slice(piece);
                is_open = place != 0x82;
            }
            if is_open {
                text.push(b'*');
            }
        }
        0x87 => {
            text.extend_from_slice(content);
            text.extend_from_slice(b"=*");
        }
        _ => text.extend_from_slice(b"?"),
    }
    text.push(b')');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ber::{ber, sequence};

    #[test]
    fn filters_are_written_as_people_write_them_and_only_so_deep() {
        let is = |name: &[u8], value: &[u8]| sequence(0xa3, &[ber(4, name), ber(4, value)]);
        let like = sequence(0xa4, &[ber(4, b"cn"), sequence(0x30, &[ber(0x80, b"a"), ber(0x81, b"b")])]);
        let both = sequence(0xa0, &[is(b"uid", b"admin"), sequence(0xa2, &[ber(0x87, b"mail")]), like]);
        assert_eq!(text(&both), b"(&(uid=admin)(!(mail=*))(cn=a*b*))");
        let deep = (0..20).fold(is(b"a", b"b"), |inner, _| ber(0xa2, &inner));
        assert_eq!(text(&deep), "(!(!(!(!(!(!(!(!…".as_bytes());
    }
}
