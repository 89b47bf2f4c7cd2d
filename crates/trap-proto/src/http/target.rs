//! What a server has against a target: percents that mean nothing, and paths that lead out of its root.

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A percent without two hexadecimal digits.
    Percent,
    /// A nought.
    Nought,
    /// It leads above the root.
    Root,
}

/// What is wrong with a path as it was written, the first of it that a server finds.
pub(super) fn fault(path: &str) -> Option<Fault> {
    let (mut depth, mut segment, mut rest) = (0_i32, Segment::Empty, path.bytes());
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let Some(byte) = digit(rest.next()).zip(digit(rest.next())).map(|(high, low)| high << 4 | low) else {
                return Some(Fault::Percent);
            };
            byte
        } else {
            byte
        };
        match byte {
            0 => return Some(Fault::Nought),
            b'/' => {
                depth += segment.step();
                segment = Segment::Empty;
            }
            b'.' => segment = segment.dotted(),
            _ => segment = Segment::Name,
        }
        if depth < 0 {
            return Some(Fault::Root);
        }
    }
    (depth + segment.step() < 0).then_some(Fault::Root)
}

fn digit(byte: Option<u8>) -> Option<u8> {
    char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// What stands between two slashes, so far.
#[derive(Clone, Copy)]
enum Segment {
    Empty,
    Dot,
    Dots,
    Name,
}

impl Segment {
    const fn dotted(self) -> Self {
        match self {
            Self::Empty => Self::Dot,
            Self::Dot => Self::Dots,
            Self::Dots | Self::Name => Self::Name,
        }
    }

    /// How far down it leads.
    const fn step(self) -> i32 {
        match self {
            Self::Empty | Self::Dot => 0,
            Self::Dots => -1,
            Self::Name => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_go_up_as_far_as_it_went_down() {
        for sound in ["/", "/a/../b", "/a/b/../../c", "/./.", "/...", "/a%20b", "/..a/b", "/a//../", "/%2e%2e%2e", "*", ""] {
            assert_eq!(fault(sound), None, "{sound}");
        }
        for out in ["/..", "/../", "/a/../../b", "/%2e%2E/etc", "/.%2e/x", "/a/..%2f../b", "//../x"] {
            assert_eq!(fault(out), Some(Fault::Root), "{out}");
        }
        for percent in ["/%", "/%zz", "/a%2", "/%u0041"] {
            assert_eq!(fault(percent), Some(Fault::Percent), "{percent}");
        }
        assert_eq!((fault("/%00"), fault("/%00/..%")), (Some(Fault::Nought), Some(Fault::Nought)));
    }
}
