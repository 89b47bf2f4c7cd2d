//! Patterns of `grep`, `sed` and `awk`: tried one way after the other, with every step taken from the shell's work.

use super::{
    expand::{class_end, in_class},
    work::Work,
};
use alloc::{boxed::Box, vec::Vec};

/// What a pattern may be made of at most; one that is larger is none.
const ITEMS_MAX: usize = 256;
/// Groups inside of groups.
const DEPTH_MAX: u8 = 8;
/// Groups whose text is kept.
pub(super) const GROUPS_MAX: usize = 5;
/// The most that `{n,m}` repeats.
const REPEATS_MAX: u32 = 255;
/// Ways that wait to be tried.
const WAITING_MAX: usize = 1_024;
/// So many tries are one step.
const TRIES_A_STEP: u32 = 16;

#[derive(Clone, Debug)]
enum Item {
    Byte(u8),
    Any,
    /// What is in it, or not.
    Class(Vec<u8>, bool),
    Start,
    End,
    /// `\b`, `\<` and `\>` alike.
    Edge,
    Group(Option<usize>, Box<Choice>),
    /// At least and at most so often.
    Repeat(Box<Item>, u32, u32),
}

type Choice = Vec<Vec<Item>>;

/// What is done next.
#[derive(Clone, Debug)]
enum Step {
    Byte(u8),
    Any,
    Class(Vec<u8>, bool),
    Start,
    End,
    Edge,
    /// Both ways, the first before the second.
    Either(usize, usize),
    Jump(usize),
    /// A group begins or ends here.
    Mark(usize),
    Found,
}

/// A pattern that can be looked for.
pub(super) struct Regex {
    steps: Vec<Step>,
    folds: bool,
}

/// Where it was found, and its groups.
pub(super) type Found = [Option<usize>; 2 * GROUPS_MAX];

struct Reader<'a> {
    rest: &'a [u8],
    extended: bool,
    groups: usize,
    items: usize,
}

impl Regex {
    /// `None`: it is no pattern, or too large a one.
    pub(super) fn new(pattern: &[u8], extended: bool, folds: bool) -> Option<Self> {
        let mut reader = Reader { rest: pattern, extended, groups: 0, items: 0 };
        let choice = reader.choice(0)?;
        if !reader.rest.is_empty() {
            return None;
        }
        let mut steps = alloc::vec![Step::Mark(0)];
        put_choice(&choice, &mut steps)?;
        steps.extend([Step::Mark(1), Step::Found]);
        Some(Self { steps, folds })
    }

    /// A text that means itself.
    pub(super) fn fixed(text: &[u8], folds: bool) -> Option<Self> {
        (text.len() < ITEMS_MAX).then(|| {
            let bytes = text.iter().map(|byte| Step::Byte(*byte));
            Self { steps: [Step::Mark(0)].into_iter().chain(bytes).chain([Step::Mark(1), Step::Found]).collect(), folds }
        })
    }

    /// The first place from `from` on.
    pub(super) fn find(&self, text: &[u8], from: usize, work: &Work) -> Option<Found> {
        let mut tries = 0;
        (from..=text.len()).find_map(|at| self.found_at(text, at, &mut tries, work))
    }

    fn found_at(&self, text: &[u8], from: usize, tries: &mut u32, work: &Work) -> Option<Found> {
        let mut waiting: Vec<(usize, usize, Found)> = alloc::vec![(0, from, Found::default())];
        let mut best: Option<Found> = None;
        while let Some((mut step, mut at, mut found)) = waiting.pop() {
            loop {
                *tries += 1;
                if tries.is_multiple_of(TRIES_A_STEP) && !work.take(1) {
                    return None;
                }
                let byte = text.get(at).copied();
                let goes_on = match &self.steps[step] {
                    Step::Byte(wanted) => byte.is_some_and(|byte| self.folded(byte) == self.folded(*wanted)),
                    Step::Any => byte.is_some(),
                    Step::Class(class, not) => byte.is_some_and(|byte| self.in_class(class, byte) != *not),
                    Step::Start if at == 0 => {
                        step += 1;
                        continue;
                    }
                    Step::End if at == text.len() => {
                        step += 1;
                        continue;
                    }
                    Step::Edge if is_edge(text, at) => {
                        step += 1;
                        continue;
                    }
                    Step::Start | Step::End | Step::Edge => false,
                    Step::Either(first, second) => {
                        if waiting.len() < WAITING_MAX {
                            waiting.push((*second, at, found));
                        }
                        step = *first;
                        continue;
                    }
                    Step::Jump(to) => {
                        step = *to;
                        continue;
                    }
                    Step::Mark(mark) => {
                        if let Some(place) = found.get_mut(*mark) {
                            *place = Some(at);
                        }
                        step += 1;
                        continue;
                    }
                    Step::Found => {
                        // The longest counts, as POSIX has it.
                        if best.is_none_or(|best| best[1] < found[1]) {
                            best = Some(found);
                        }
                        false
                    }
                };
                if !goes_on {
                    break;
                }
                (step, at) = (step + 1, at + 1);
            }
            if best.is_some_and(|best| best[1] == Some(text.len())) {
                break;
            }
        }
        best
    }

    const fn folded(&self, byte: u8) -> u8 {
        if self.folds { byte.to_ascii_lowercase() } else { byte }
    }

    fn in_class(&self, class: &[u8], byte: u8) -> bool {
        in_class(class, byte)
            || self.folds && (in_class(class, byte.to_ascii_lowercase()) || in_class(class, byte.to_ascii_uppercase()))
    }
}

fn is_edge(text: &[u8], at: usize) -> bool {
    let is_word =
        |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_word(at.checked_sub(1)) != is_word(Some(at))
}

impl Reader<'_> {
    fn choice(&mut self, depth: u8) -> Option<Choice> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut choice = alloc::vec![self.sequence(depth)?];
        while self.takes(b'|') {
            choice.push(self.sequence(depth)?);
        }
        Some(choice)
    }

    /// An operator, which has a backslash before it in a basic pattern.
    fn takes(&mut self, operator: u8) -> bool {
        let behind = match self.rest {
            [first, behind @ ..] if self.extended && *first == operator => behind,
            [b'\\', first, behind @ ..] if !self.extended && *first == operator => behind,
            _ => return false,
        };
        self.rest = behind;
        true
    }

    fn sequence(&mut self, depth: u8) -> Option<Vec<Item>> {
        let mut sequence = Vec::new();
        loop {
            let before = self.rest;
            if before.is_empty() {
                return Some(sequence);
            }
            if self.takes(b'|') || depth > 0 && self.takes(b')') {
                self.rest = before;
                return Some(sequence);
            }
            self.items += 1;
            if self.items > ITEMS_MAX {
                return None;
            }
            let item = self.item(depth, sequence.is_empty())?;
            sequence.push(item);
            while let Some((least, most)) = self.repeats(sequence.last()) {
                let item = sequence.pop()?;
                sequence.push(Item::Repeat(Box::new(item), least, most));
            }
        }
    }

    fn item(&mut self, depth: u8, is_first: bool) -> Option<Item> {
        if self.takes(b'(') {
            self.groups += 1;
            let number = self.groups;
            let choice = self.choice(depth + 1)?;
            return self.takes(b')').then(|| Item::Group((number < GROUPS_MAX).then_some(number), Box::new(choice)));
        }
        let [first, behind @ ..] = self.rest else { return None };
        self.rest = behind;
        Some(match first {
            b'.' => Item::Any,
            b'^' if self.extended || is_first => Item::Start,
            b'$' if self.extended || behind.is_empty() || matches!(behind, [b'\\', b'|' | b')', ..]) => Item::End,
            b'[' => {
                let end = class_end(behind)?;
                let not = behind.first() == Some(&b'^');
                self.rest = &behind[end + 1..];
                Item::Class(behind[usize::from(not)..end].to_vec(), not)
            }
            b'\\' => {
                let [escaped, further @ ..] = behind else { return None };
                self.rest = further;
                match escaped {
                    b'w' => Item::Class(b"[:alnum:]_".to_vec(), false),
                    b'W' => Item::Class(b"[:alnum:]_".to_vec(), true),
                    b's' => Item::Class(b"[:space:]".to_vec(), false),
                    b'S' => Item::Class(b"[:space:]".to_vec(), true),
                    b'd' => Item::Class(b"0-9".to_vec(), false),
                    b'b' | b'<' | b'>' => Item::Edge,
                    b't' => Item::Byte(b'\t'),
                    b'n' => Item::Byte(b'\n'),
                    other => Item::Byte(*other),
                }
            }
            other => Item::Byte(*other),
        })
    }

    fn repeats(&mut self, item: Option<&Item>) -> Option<(u32, u32)> {
        if !self.extended && matches!(item, Some(Item::Start)) {
            return None;
        }
        if let [b'*', behind @ ..] = self.rest {
            self.rest = behind;
            return Some((0, u32::MAX));
        }
        if self.takes(b'+') {
            return Some((1, u32::MAX));
        }
        if self.takes(b'?') {
            return Some((0, 1));
        }
        let before = self.rest;
        if !self.takes(b'{') {
            return None;
        }
        let end = memchr::memchr(b'}', self.rest)?;
        let inside = self.rest[..end].strip_suffix(b"\\").unwrap_or(&self.rest[..end]);
        let number = |digits: &[u8]| core::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok());
        let (least, most) = match memchr::memchr(b',', inside) {
            Some(comma) => (number(&inside[..comma]).unwrap_or(0), number(&inside[comma + 1..]).unwrap_or(u32::MAX)),
            None => match number(inside) {
                Some(number) => (number, number),
                None => {
                    // No numbers: it means itself.
                    self.rest = before;
                    return None;
                }
            },
        };
        self.rest = &self.rest[end + 1..];
        Some((least.min(REPEATS_MAX), if most == u32::MAX { most } else { most.min(REPEATS_MAX) }))
    }
}

fn put_choice(choice: &Choice, steps: &mut Vec<Step>) -> Option<()> {
    let mut ends = Vec::new();
    for (at, sequence) in choice.iter().enumerate() {
        let split = steps.len();
        let is_last = at + 1 == choice.len();
        if !is_last {
            steps.push(Step::Found);
        }
        sequence.iter().try_for_each(|item| put(item, steps))?;
        if !is_last {
            ends.push(steps.len());
            steps.push(Step::Found);
            steps[split] = Step::Either(split + 1, steps.len());
        }
    }
    let end = steps.len();
    ends.into_iter().for_each(|at| steps[at] = Step::Jump(end));
    Some(())
}

fn put(item: &Item, steps: &mut Vec<Step>) -> Option<()> {
    if steps.len() > 2 * ITEMS_MAX {
        return None;
    }
    match item {
        Item::Byte(byte) => steps.push(Step::Byte(*byte)),
        Item::Any => steps.push(Step::Any),
        Item::Class(class, not) => steps.push(Step::Class(class.clone(), *not)),
        Item::Start => steps.push(Step::Start),
        Item::End => steps.push(Step::End),
        Item::Edge => steps.push(Step::Edge),
        Item::Group(number, choice) => {
            number.iter().for_each(|number| steps.push(Step::Mark(2 * number)));
            put_choice(choice, steps)?;
            number.iter().for_each(|number| steps.push(Step::Mark(2 * number + 1)));
        }
        Item::Repeat(item, least, most) => {
            for _ in 0..*least {
                put(item, steps)?;
            }
            if *most == u32::MAX {
                let split = steps.len();
                steps.push(Step::Found);
                put(item, steps)?;
                steps.push(Step::Jump(split));
                steps[split] = Step::Either(split + 1, steps.len());
            } else {
                let mut splits = Vec::new();
                for _ in *least..*most {
                    splits.push(steps.len());
                    steps.push(Step::Found);
                    put(item, steps)?;
                }
                let end = steps.len();
                splits.into_iter().for_each(|split| steps[split] = Step::Either(split + 1, end));
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_found_where_grep_finds_them() {
        type Row = (&'static str, bool, &'static str, Option<(usize, usize)>);
        let table: [Row; 17] = [
            ("^processor", false, "processor\t: 0", Some((0, 9))),
            ("root$", false, "a root", Some((2, 6))),
            ("a|bb", true, "xbb", Some((1, 3))),
            ("a|b", false, "a|b", Some((0, 3))),
            ("a\\|b", false, "xb", Some((1, 2))),
            ("[0-9]+\\.[0-9]", true, "v 12.5", Some((2, 6))),
            ("[[:space:]]x", false, "a x", Some((1, 3))),
            ("[^a-c]", false, "abcd", Some((3, 4))),
            ("(ab){2}", true, "ababab", Some((0, 4))),
            ("ab*c", false, "xabbbc", Some((1, 6))),
            ("a\\+", false, "baa", Some((1, 3))),
            ("[Mm]iner", false, "xminer", Some((1, 6))),
            ("cpu.*[0-9]", false, "cpu MHz 22 a", Some((0, 10))),
            ("a|ab", true, "ab", Some((0, 2))),
            ("x{2,3}", true, "xxxx", Some((0, 3))),
            ("\\bid\\b", false, "a id b", Some((2, 4))),
            ("nosuch", false, "a", None),
        ];
        for (pattern, extended, text, expected) in table {
            let found = Regex::new(pattern.as_bytes(), extended, false).unwrap().find(text.as_bytes(), 0, &Work::default());
            assert_eq!(found.map(|found| (found[0].unwrap(), found[1].unwrap())), expected, "{pattern}");
        }
        assert!(Regex::new(b"(a", true, false).is_none() && Regex::new(b"[a", false, false).is_none());
        assert!(Regex::new(&b"(".repeat(50), true, false).is_none());
        assert!(Regex::new(&b"a{200}".repeat(50), true, false).is_none());
    }

    #[test]
    fn a_pattern_that_goes_back_for_ever_uses_its_work_up_and_no_more() {
        let work = Work::default();
        let regex = Regex::new(b"(a*)*(a*)*(a*)*b", true, false).unwrap();
        assert!(regex.find(&[b'a'; 2_000], 0, &work).is_none() && work.is_done());
        let found = Regex::new(b"(a+)(b)", true, true).unwrap().find(b"xAAb", 0, &Work::default()).unwrap();
        assert_eq!(found[..6], [Some(1), Some(4), Some(1), Some(3), Some(3), Some(4)]);
    }
}
