//! What an input says besides its bytes: choices, lengths and pieces, taken from its front.

/// An input that is taken from its front. What is missing is zero, so that every input is one.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of it.
    #[must_use]
    pub const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// Is nothing left?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `bound` (at least 1, at most 256).
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    /// Two bytes, the lower one first.
    pub fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// A part that stands behind its own length in two bytes; shorter if there is no more.
    pub fn part(&mut self) -> &'a [u8] {
        let wanted = usize::from(self.short());
        self.take(wanted)
    }

    /// So many bytes, or what there is.
    pub fn take(&mut self, wanted: usize) -> &'a [u8] {
        let (part, rest) = self.0.split_at(wanted.min(self.0.len()));
        self.0 = rest;
        part
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// All that is left, as text.
    pub fn text(&mut self) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.rest())
    }
}

/// How a stream is cut into pieces: lengths that are repeated to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cuts(Vec<usize>);

impl Cuts {
    /// The most lengths in one input.
    const MAX: usize = 8;

    /// From the front of an input: how many, then each.
    pub(crate) fn read(input: &mut Input<'_>) -> Self {
        let many = input.below(Self::MAX);
        Self((0..many).map(|_| 1 + usize::from(input.byte())).collect())
    }

    /// The pieces of a stream; without a length, one byte each.
    pub(crate) fn pieces<'a>(&self, stream: &'a [u8]) -> Vec<&'a [u8]> {
        let (mut rest, mut pieces) = (stream, Vec::new());
        let one = [1];
        for length in (if self.0.is_empty() { &one[..] } else { &self.0 }).iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at((*length).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        pieces
    }
}
