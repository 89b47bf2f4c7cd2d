//! Symbols on the wire.

use super::{CHECK_BITS, Symbol};
use crate::frame::{Bytes, LIST_BYTES_MAX, Stub};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Bytes of a symbol: a stub, a hash as long, a count.
const SYMBOL_BYTES: usize = Stub::BYTES + CHECK_BITS as usize / 8 + 2;
/// The symbols of one datagram: they tell 25 differences and more, and mostly 50.
pub(crate) const SYMBOLS_SENT: usize = 84;
const _: () = assert!(SYMBOLS_SENT * SYMBOL_BYTES <= LIST_BYTES_MAX);

/// Symbols, one after the other.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Symbols<'a>(#[serde(borrow)] pub(crate) Bytes<'a>);

impl Symbols<'_> {
    /// Symbols as bytes.
    pub(crate) fn pack(symbols: &[Symbol]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(symbols.len() * SYMBOL_BYTES);
        for Symbol { sum, check, count } in symbols {
            bytes.extend_from_slice(&sum.to_be_bytes()[2..]);
            bytes.extend_from_slice(&check.to_be_bytes()[2..]);
            bytes.extend_from_slice(&count.to_be_bytes());
        }
        bytes
    }

    /// The symbols, at most [`SYMBOLS_SENT`].
    pub(crate) fn unpack(&self) -> Vec<Symbol> {
        let wide = |[a, b, c, d, e, f]: [u8; 6]| u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let symbol = |bytes: &[u8]| {
            let (sum, rest) = bytes.split_first_chunk()?;
            let (check, count) = rest.split_first_chunk()?;
            Some(Symbol { sum: wide(*sum), check: wide(*check), count: u16::from_be_bytes(*count.first_chunk()?) })
        };
        self.0.0.chunks_exact(SYMBOL_BYTES).take(SYMBOLS_SENT).filter_map(symbol).collect()
    }
}
