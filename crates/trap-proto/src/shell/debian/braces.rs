//! `{a,b}` and `{1..9}`: a word as several.

use super::work::Work;
use crate::shell::syntax::{Part, Word};
use alloc::{format, vec::Vec};

/// Words that one word becomes at most, and braces of one that are looked at.
const WORDS_MAX: usize = 512;
const BRACES_MAX: usize = 64;

/// Where something stands in a word: in which part, and at which byte of it.
type At = (usize, usize);

/// A brace that is open.
struct Open {
    at: At,
    commas: Vec<At>,
}

/// Braces that mean something: where they stand, and what they stand for.
type Braces = (At, At, Vec<Word>);

/// Bytes of a word that stand there as they are.
pub(super) fn bytes(word: &Word) -> usize {
    let one = |part: &Part| if let Part::Plain(text) | Part::Quoted(text) = part { text.len() } else { 1 };
    word.iter().map(one).sum()
}

/// The words that a word stands for, from the left to the right; each is paid before it is made.
pub(super) fn expanded(word: &Word, work: &Work) -> Vec<Word> {
    let (mut done, mut left) = (Vec::new(), alloc::vec![word.clone()]);
    while let Some(word) = left.pop() {
        let Some((from, to, choices)) = found(&word).filter(|_| done.len() + left.len() < WORDS_MAX) else {
            done.push(word);
            continue;
        };
        let (before, behind) = (between(&word, (0, 0), from), between(&word, (to.0, to.1 + 1), (word.len(), 0)));
        let cost = bytes(&before) + bytes(&behind);
        let at = left.len();
        for choice in choices.into_iter().take(WORDS_MAX - done.len()) {
            if !work.take_bytes(cost + bytes(&choice)) {
                return done;
            }
            left.push([before.clone(), choice, behind.clone()].concat());
        }
        left[at..].reverse();
    }
    done
}

/// The first braces that mean something: where they stand, and what they stand for.
fn found(word: &Word) -> Option<Braces> {
    let (mut open, mut best): (Vec<Open>, Option<Braces>) = (Vec::new(), None);
    let mut looked_at = 0;
    for (part, text) in word.iter().enumerate() {
        let Part::Plain(text) = text else { continue };
        for at in memchr::memchr3_iter(b'{', b'}', b',', text) {
            match text[at] {
                b'{' => {
                    looked_at += 1;
                    if looked_at > BRACES_MAX {
                        return best;
                    }
                    open.push(Open { at: (part, at), commas: Vec::new() });
                }
                b',' => open.last_mut().into_iter().for_each(|open| open.commas.push((part, at))),
                _ => {
                    let Some(this) = open.pop() else { continue };
                    let choices = choices(word, &this, (part, at));
                    if choices.is_some() && best.as_ref().is_none_or(|(before, ..)| this.at < *before) {
                        best = choices.map(|choices| (this.at, (part, at), choices));
                    }
                    // What is outermost and first is expanded first; what is behind it comes later.
                    if open.is_empty() && best.is_some() {
                        return best;
                    }
                }
            }
        }
    }
    best
}

fn choices(word: &Word, open: &Open, close: At) -> Option<Vec<Word>> {
    let inside = (open.at.0, open.at.1 + 1);
    if open.commas.is_empty() {
        let Part::Plain(text) = &word[open.at.0] else { return None };
        return (open.at.0 == close.0).then(|| range(&text[inside.1..close.1]))?;
    }
    let ends = open.commas.iter().copied().chain([close]);
    let mut from = inside;
    Some(
        ends.map(|end| {
            let choice = between(word, from, end);
            from = (end.0, end.1 + 1);
            choice
        })
        .collect(),
    )
}

/// A part of a word.
fn between(word: &Word, from: At, to: At) -> Word {
    let mut new = Word::new();
    for (at, part) in word.iter().enumerate().take(to.0 + 1).skip(from.0) {
        match part {
            Part::Plain(text) => {
                let start = if at == from.0 { from.1 } else { 0 };
                let end = if at == to.0 { to.1 } else { text.len() };
                if start < end {
                    new.push(Part::Plain(text[start..end].to_vec()));
                }
            }
            other if at < to.0 => new.push(other.clone()),
            _ => {}
        }
    }
    new
}

/// `1..9`, `01..20`, `a..e`, `9..1..2`.
fn range(inside: &[u8]) -> Option<Vec<Word>> {
    let mut parts = core::str::from_utf8(inside).ok()?.split("..");
    let (from, to, step) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    let step: i64 = step.map_or(Some(1), |step| step.parse().ok())?;
    let step = usize::try_from(step.unsigned_abs()).ok()?.max(1);
    let word = |text: Vec<u8>| alloc::vec![Part::Plain(text)];
    let letter = |text: &str| if let [one] = text.as_bytes() { one.is_ascii_alphabetic().then_some(*one) } else { None };
    if let (Some(from), Some(to)) = (letter(from), letter(to)) {
        let all: Vec<u8> = if from <= to { (from..=to).collect() } else { (to..=from).rev().collect() };
        return Some(all.into_iter().step_by(step).map(|letter| word(alloc::vec![letter])).collect());
    }
    let (first, last): (i64, i64) = (from.parse().ok()?, to.parse().ok()?);
    let is_padded = |text: &str| text.trim_start_matches('-').len() > 1 && text.trim_start_matches('-').starts_with('0');
    let width = if is_padded(from) || is_padded(to) { from.len().max(to.len()) } else { 0 };
    let text = |number: i64| word(format!("{number:0width$}").into_bytes());
    Some(if first <= last {
        (first..=last).step_by(step).take(WORDS_MAX).map(text).collect()
    } else {
        (last..=first).rev().step_by(step).take(WORDS_MAX).map(text).collect()
    })
}
