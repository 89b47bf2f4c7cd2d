//! Patterns of names: `*`, `?`, `[…]`, as `case`, `[[ ]]`, `${x#…}` and the expansion of words have them.

use super::{expand::is_named, work::Work};
use alloc::vec::Vec;

/// Elements of a pattern that are held against an octet for one step of work.
const VISITS_A_STEP: usize = 64;
/// What a class with a name, such as `[:digit:]`, costs to read, in steps.
const NAMED_STEPS: usize = 3;

/// One element of a pattern.
enum Element {
    /// Any octets.
    Star,
    Any,
    Byte(u8),
    /// A bit for each octet.
    Class([u64; 4]),
}

impl Element {
    const fn takes(&self, byte: u8) -> bool {
        match self {
            Self::Star | Self::Any => true,
            Self::Byte(own) => *own == byte,
            Self::Class(bits) => bits[byte as usize / 64] >> (byte % 64) & 1 == 1,
        }
    }
}

/// A pattern, read once: a name of so many octets costs at most as many times its elements, and all of it is paid for with work.
pub(super) struct Glob(Vec<Element>);

/// Which of the places is wanted where a pattern may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    First,
    Last,
    /// Only behind all of the name.
    Whole,
}

impl Glob {
    /// Reads a pattern, in time linear in it. What is no bracket with an end stands for itself. If the work is used up it is one that
    /// nothing fits.
    pub(super) fn new(pattern: &[u8], work: &Work) -> Self {
        let named = memchr::memmem::find_iter(pattern, b"[:").count();
        if !work.take(1 + named * NAMED_STEPS) || !work.take_bytes(pattern.len()) {
            return Self(alloc::vec![Element::Class([0; 4])]);
        }
        let (mut elements, mut rest) = (Vec::new(), pattern);
        // From here on no bracket has an end.
        let mut is_open = false;
        while let [first, behind @ ..] = rest {
            rest = behind;
            elements.push(match first {
                b'*' if matches!(elements.last(), Some(Element::Star)) => continue,
                b'*' => Element::Star,
                b'?' => Element::Any,
                b'\\' if !behind.is_empty() => {
                    rest = &behind[1..];
                    Element::Byte(behind[0])
                }
                b'[' if !is_open => match class(behind) {
                    Some((bits, further)) => {
                        rest = further;
                        Element::Class(bits)
                    }
                    None => {
                        is_open = true;
                        Element::Byte(b'[')
                    }
                },
                byte => Element::Byte(*byte),
            });
        }
        Self(elements)
    }

    /// Whether all of a name fits. If the work is used up nothing does.
    pub(super) fn fits(&self, name: &[u8], work: &Work) -> bool {
        self.end(name.iter().copied(), Ends::Whole, work).is_some()
    }

    /// Where it ends that begins where the octets do. If the work is used up it ends nowhere.
    pub(super) fn end(&self, name: impl ExactSizeIterator<Item = u8>, wanted: Ends, work: &Work) -> Option<usize> {
        let length = name.len();
        let (mut here, mut next, mut visits) = (Vec::new(), Vec::new(), 0);
        self.enter(0, &mut here);
        let mut found = self.is_end(&here).then_some(0);
        for (at, byte) in name.enumerate() {
            if here.is_empty() || found.is_some() && wanted == Ends::First {
                break;
            }
            next.clear();
            for place in &here {
                match self.0.get(*place) {
                    Some(Element::Star) => self.enter(*place, &mut next),
                    Some(element) if element.takes(byte) => self.enter(place + 1, &mut next),
                    _ => {}
                }
            }
            visits += 1 + here.len();
            if visits >= VISITS_A_STEP {
                if !work.take(visits / VISITS_A_STEP) {
                    return None;
                }
                visits %= VISITS_A_STEP;
            }
            core::mem::swap(&mut here, &mut next);
            if self.is_end(&here) {
                found = Some(at + 1);
            }
        }
        found.filter(|end| work.take(1) && (wanted != Ends::Whole || *end == length))
    }

    /// Adds a place, and that behind a star. Places come in their order, so each is added once.
    fn enter(&self, place: usize, places: &mut Vec<usize>) {
        let behind = matches!(self.0.get(place), Some(Element::Star)).then_some(place + 1);
        for place in core::iter::once(place).chain(behind) {
            if places.last().is_none_or(|last| *last < place) {
                places.push(place);
            }
        }
    }

    fn is_end(&self, places: &[usize]) -> bool {
        places.last() == Some(&self.0.len())
    }

    /// The same from behind.
    pub(super) fn turned(mut self) -> Self {
        self.0.reverse();
        self
    }
}

/// What stands behind `[`, and what is behind its end.
fn class(inside: &[u8]) -> Option<([u64; 4], &[u8])> {
    let not = matches!(inside.first(), Some(b'!' | b'^'));
    let (mut bits, mut rest, mut is_first) = ([0_u64; 4], &inside[usize::from(not)..], true);
    let mut has_names = true;
    let mut set = |byte: u8| bits[usize::from(byte) / 64] |= 1 << (byte % 64);
    loop {
        rest = match rest {
            [b']', behind @ ..] if !is_first => {
                return Some((if not { bits.map(|word| !word) } else { bits }, behind));
            }
            [b'[', b':', named @ ..] if has_names => match memchr::memmem::find(named, b":]") {
                Some(end) => {
                    (0..=u8::MAX).filter(|byte| is_named(&named[..end], *byte)).for_each(&mut set);
                    &named[end + 2..]
                }
                None => {
                    has_names = false;
                    continue;
                }
            },
            [from, b'-', to, behind @ ..] if *to != b']' => {
                (*from..=*to).for_each(&mut set);
                behind
            }
            // What was quoted.
            [b'\\', escaped, behind @ ..] => {
                set(*escaped);
                behind
            }
            [one, behind @ ..] => {
                set(*one);
                behind
            }
            [] => return None,
        };
        is_first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        Glob::new(pattern.as_bytes(), &Work::default()).fits(name.as_bytes(), &Work::default())
    }

    #[test]
    fn names_fit_as_with_bash() {
        let table = [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("*ab", "aab", true),
            ("?", "", false),
            ("??", "ab", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]]", "]", true),
            ("[]-a]", "^", true),
            ("[a-]", "-", true),
            ("[[:digit:]x]", "7", true),
            ("[[:digit:]x]", "y", false),
            ("[a", "[a", true),
            ("[[a]", "[", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a\\", "a\\", true),
            ("**a**", "bab", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_ends_where_it_first_and_last_can() {
        let work = Work::default();
        let end = |pattern: &str, wanted| Glob::new(pattern.as_bytes(), &work).end(b"a.b.c".iter().copied(), wanted, &work);
        assert_eq!((end("*.", Ends::First), end("*.", Ends::Last), end("*.", Ends::Whole)), (Some(2), Some(4), None));
        assert_eq!((end("*", Ends::First), end("*", Ends::Last), end("b", Ends::Last)), (Some(0), Some(5), None));
    }

    /// What a name costs grows with it, and with the pattern, and no faster.
    #[test]
    fn what_a_name_costs_is_linear_in_it() {
        let cost = |pattern: &[u8], length: usize| {
            let work = Work::default();
            let _ = Glob::new(pattern, &work).fits(&alloc::vec![b'a'; length], &work);
            Work::default().left() - work.left()
        };
        let patterns: [&[u8]; 5] =
            [b"*a*a*a*a*a*b", b"*[a][a][a][a]b", b"*aaaaaaaaaaaaaaaaaaaab", b"*?*?*?*?*?b", b"*[[[[[[[[[[[[[[[["];
        for pattern in patterns {
            let costs = [500, 1_000, 2_000].map(|length| cost(pattern, length));
            assert!(costs[1] <= 2 * costs[0] + 2 && costs[2] <= 2 * costs[1] + 2, "{costs:?}");
            assert!(costs[2] as usize <= 2 + 2_000 * (pattern.len() + 2) / VISITS_A_STEP, "{costs:?}");
        }
        let work = Work::default();
        assert!(
            !Glob::new(&b"*a".repeat(500), &work).fits(&[b'a'; 16_384], &work) && work.is_done(),
            "what takes too long is given up"
        );
    }
}
