//! The body of a request: counted, a part of it kept, and chunked bodies put together.

use super::credentials::digit;
use alloc::vec::Vec;

/// The part of it that is kept.
pub(super) const BODY_KEPT_BYTES_MAX: usize = 8 * 1_024;
/// The longest chunk extension and the longest trailers, in bytes.
const SIDE_BYTES_MAX: usize = 1_024;

/// How a body ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Complete,
    TooLarge,
    Broken,
}

/// A body while it comes in.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) kept: Vec<u8>,
    bytes: u64,
    /// The most that it may have.
    bytes_max: u64,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    /// So many bytes are still to come.
    Counted(u64),
    Chunked(Chunked),
}

#[derive(Debug)]
enum Chunked {
    Size { value: u64, digits: u32 },
    Extension { value: u64, bytes: usize },
    Data(u64),
    DataEnd,
    Trailer { bytes: usize, line: usize },
}

const NEXT_CHUNK: Chunked = Chunked::Size { value: 0, digits: 0 };

impl Body {
    pub(super) const fn counted(bytes: u64) -> Self {
        Self { kept: Vec::new(), bytes: 0, bytes_max: bytes, shape: Shape::Counted(bytes) }
    }

    pub(super) const fn chunked(bytes_max: u64) -> Self {
        Self { kept: Vec::new(), bytes: 0, bytes_max, shape: Shape::Chunked(NEXT_CHUNK) }
    }

    /// Does nothing more belong to it?
    pub(super) const fn is_complete(&self) -> bool {
        matches!(self.shape, Shape::Counted(0))
    }

    /// Takes one byte that belongs to it.
    pub(super) fn push(&mut self, byte: u8) -> Progress {
        match &mut self.shape {
            Shape::Counted(left) => {
                *left = left.saturating_sub(1);
                let done = *left == 0;
                self.keep(byte);
                if done { Progress::Complete } else { Progress::More }
            }
            Shape::Chunked(_) => self.chunk(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        self.bytes += 1;
        if self.kept.len() < BODY_KEPT_BYTES_MAX {
            self.kept.push(byte);
        }
    }

    fn chunk(&mut self, byte: u8) -> Progress {
        let Shape::Chunked(state) = &self.shape else { return Progress::Broken };
        let max = self.bytes_max;
        let next = match *state {
            Chunked::Size { value, digits } => size(value, digits, byte, max),
            Chunked::Extension { value, bytes } => extension(value, bytes, byte, max),
            Chunked::Data(left) => {
                self.keep(byte);
                if self.bytes > max {
                    return Progress::TooLarge;
                }
                Ok(if left > 1 { Chunked::Data(left - 1) } else { Chunked::DataEnd })
            }
            Chunked::DataEnd => match byte {
                b'\r' => Ok(Chunked::DataEnd),
                b'\n' => Ok(NEXT_CHUNK),
                _ => Err(Progress::Broken),
            },
            Chunked::Trailer { bytes, line } => trailer(bytes, line, byte),
        };
        match next {
            Ok(state) => {
                self.shape = Shape::Chunked(state);
                Progress::More
            }
            Err(progress) => progress,
        }
    }
}

fn size(value: u64, digits: u32, byte: u8, max: u64) -> Result<Chunked, Progress> {
    match (digit(byte), byte) {
        // Sixteen digits cannot overflow, and more than `max` is refused before the data.
        (Some(digit), _) if digits < 16 => Ok(Chunked::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }),
        (None, b';' | b' ' | b'\t' | b'\r' | b'\n') if digits > 0 => extension(value, 0, byte, max),
        _ => Err(Progress::Broken),
    }
}

/// Everything between a chunk's size and the end of its line is skipped.
fn extension(value: u64, bytes: usize, byte: u8, max: u64) -> Result<Chunked, Progress> {
    match byte {
        b'\n' if value > max => Err(Progress::TooLarge),
        b'\n' if value == 0 => Ok(Chunked::Trailer { bytes: 0, line: 0 }),
        b'\n' => Ok(Chunked::Data(value)),
        _ if bytes >= SIDE_BYTES_MAX => Err(Progress::Broken),
        _ => Ok(Chunked::Extension { value, bytes: bytes + 1 }),
    }
}

fn trailer(bytes: usize, line: usize, byte: u8) -> Result<Chunked, Progress> {
    match byte {
        b'\n' if line == 0 => Err(Progress::Complete),
        b'\n' => Ok(Chunked::Trailer { bytes: bytes + 1, line: 0 }),
        b'\r' => Ok(Chunked::Trailer { bytes, line }),
        _ if bytes >= SIDE_BYTES_MAX => Err(Progress::Broken),
        _ => Ok(Chunked::Trailer { bytes: bytes + 1, line: line + 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunked(bytes: &[u8]) -> (Progress, Vec<u8>, usize) {
        let mut body = Body::chunked(1 << 20);
        for (index, byte) in bytes.iter().enumerate() {
            match body.push(*byte) {
                Progress::More => {}
                end => return (end, body.kept, index + 1),
            }
        }
        (Progress::More, body.kept, bytes.len())
    }

    #[test]
    fn chunks_are_put_together() {
        let table: [(&[u8], Progress, &[u8]); 12] = [
            (b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", Progress::Complete, b"abcde"),
            (b"3\nabc\n0\n\n", Progress::Complete, b"abc"),
            (b"0\r\nTrailer: x\r\n\r\n", Progress::Complete, b""),
            (b"A\r\n0123456789\r\n0\r\n\r\n", Progress::Complete, b"0123456789"),
            (b"3\r\nab", Progress::More, b"ab"),
            (b"zz\r\n", Progress::Broken, b""),
            (b"\r\n", Progress::Broken, b""),
            (b"-1\r\n", Progress::Broken, b""),
            (b"3\r\nabcd", Progress::Broken, b"abc"),
            (b"00000000000000001\r\n", Progress::Broken, b""),
            (b"ffffffffffffffff\r\n", Progress::TooLarge, b""),
            (b"100001\r\n", Progress::TooLarge, b""),
        ];
        for (bytes, progress, kept) in table {
            let found = chunked(bytes);
            assert_eq!((found.0, found.1.as_slice()), (progress, kept), "{bytes:?}");
        }
        let pipelined = b"0\r\n\r\nGET";
        assert_eq!(chunked(pipelined).2, pipelined.len() - 3, "what follows is left");
    }

    #[test]
    fn everything_beside_the_data_is_bounded() {
        let long = alloc::vec![b'x'; SIDE_BYTES_MAX + 10];
        assert_eq!(chunked(&[b"1;".as_slice(), &long].concat()).0, Progress::Broken);
        assert_eq!(chunked(&[b"0\r\n".as_slice(), &long].concat()).0, Progress::Broken);
        let big = [b"10000\r\n".as_slice(), &alloc::vec![b'x'; 0x1_0000], b"\r\n"].concat().repeat(17);
        let (progress, kept, _) = chunked(&big);
        assert_eq!((progress, kept.len()), (Progress::TooLarge, BODY_KEPT_BYTES_MAX));
    }

    #[test]
    fn a_counted_body_ends_where_it_said() {
        let mut body = Body::counted(2);
        assert!(!body.is_complete() && Body::counted(0).is_complete());
        assert_eq!((body.push(b'a'), body.push(b'b')), (Progress::More, Progress::Complete));
        assert_eq!(body.kept, b"ab");
    }
}
