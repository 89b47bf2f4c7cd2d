//! What a rule answers: bytes, and what the rule has captured.

use super::define::{Problem, shortened};
use alloc::{string::String, vec::Vec};
use core::ops::Range;

/// The longest answer of a rule with what it has captured, in bytes; what does not fit is left out.
pub(super) const REPLY_BYTES_MAX: usize = 8 * 1_024;

/// A part of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// What was captured under this number; 0 is all that was expected.
    Group(usize),
}

/// An answer in which `{name}` and `{1}` stand for what was captured, `{0}` for all that was expected.
///
/// Every other brace is a brace; `{{name}}` is `{name}`. Where nothing is captured, all braces are.
pub(super) fn text(key: &'static str, text: &str, names: &[Option<String>], is_strict: bool) -> Result<Vec<Piece>, Problem> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, behind)) = rest.split_once('{').filter(|_| is_strict || !names.is_empty()) {
        push(&mut pieces, before.as_bytes());
        let doubled = behind.strip_prefix('{').and_then(word);
        if let Some((name, behind)) = doubled.and_then(|(name, behind)| Some((name, behind.strip_prefix('}')?))) {
            push(&mut pieces, b"{");
            push(&mut pieces, name.as_bytes());
            push(&mut pieces, b"}");
            rest = behind;
            continue;
        }
        match word(behind) {
            Some((name, after)) if is_strict || group(key, name, names).is_ok() => {
                pieces.push(group(key, name, names)?);
                rest = after;
            }
            _ => {
                push(&mut pieces, b"{");
                rest = behind;
            }
        }
    }
    push(&mut pieces, rest.as_bytes());
    Ok(pieces)
}

/// `name}…` as the name and what follows.
fn word(text: &str) -> Option<(&str, &str)> {
    let (name, behind) = text.split_once('}')?;
    super::define::is_word(name).then_some((name, behind))
}

/// The group of this name or number.
pub(super) fn group(key: &'static str, name: &str, names: &[Option<String>]) -> Result<Piece, Problem> {
    let by_number = name.parse::<usize>().ok().filter(|number| *number <= names.len());
    let by_name = names.iter().position(|known| known.as_deref() == Some(name)).map(|place| place + 1);
    by_name.or(by_number).map(Piece::Group).ok_or_else(|| Problem::Group { key, name: shortened(name) })
}

/// Appends bytes to the last piece, if that has bytes.
pub(super) fn push(pieces: &mut Vec<Piece>, bytes: &[u8]) {
    match pieces.last_mut() {
        _ if bytes.is_empty() => {}
        Some(Piece::Bytes(last)) => last.extend_from_slice(bytes),
        _ => pieces.push(Piece::Bytes(bytes.to_vec())),
    }
}

/// How long it is without what is captured.
pub(super) fn fixed_bytes(pieces: &[Piece]) -> usize {
    let bytes = pieces.iter().map(|piece| if let Piece::Bytes(bytes) = piece { bytes.len() } else { 0 });
    bytes.sum()
}

/// Appends the answer, at most up to `end` bytes in all.
pub(super) fn write(pieces: &[Piece], line: &[u8], found: &[Range<usize>], end: usize, answer: &mut Vec<u8>) {
    for piece in pieces {
        let bytes = match piece {
            Piece::Bytes(bytes) => bytes.as_slice(),
            Piece::Group(number) => found.get(*number).and_then(|group| line.get(group.clone())).unwrap_or_default(),
        };
        let room = end.saturating_sub(answer.len());
        answer.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::said;

    fn written(template: &str, is_strict: bool) -> String {
        let names = [Some("name".into()), None];
        let pieces = text("answer", template, &names, is_strict).unwrap();
        let mut answer = Vec::new();
        write(&pieces, b"USER root x", &[0..11, 5..9, 10..11], 64, &mut answer);
        said(&answer)
    }

    #[test]
    fn braces_are_braces_unless_they_name_what_was_captured() {
        let table = [
            ("331 {name}, {2}!", "331 root, x!"),
            ("{0}", "USER root x"),
            ("{{name}} {name}", "{name} root"),
            ("{\"user\":{\"a\":\"{name}\"}}", "{\"user\":{\"a\":\"root\"}}"),
            ("{", "{"),
            ("{ name } {Name}", "{ name } {Name}"),
            ("{{{name}}}", "{{name}}"),
        ];
        for (template, answer) in table {
            assert_eq!(written(template, true), answer, "{template}");
        }
        assert_eq!(written("{other} {name}", false), "{other} root");
        assert_eq!(written(&"{0}".repeat(99), true).len(), 64, "and never longer than there is room");
    }

    #[test]
    fn a_name_that_nothing_captures_is_told() {
        let problem = text("answer", "331 {user}", &[Some("name".into())], true).unwrap_err();
        assert_eq!(
            alloc::format!("{problem}"),
            "`answer` has {user}, but the rule captures nothing of that name; write {{user}} for the text itself"
        );
        assert!(text("answer", "{3}", &[None, None], true).is_err());
        assert_eq!(text("answer", "{x} {1}", &[], false).unwrap(), [Piece::Bytes(b"{x} {1}".to_vec())]);
    }
}
