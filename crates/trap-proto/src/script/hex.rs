//! Bytes as an operator writes them: pairs of hexadecimal digits, `??` for any byte, `{name:2}` for two that are captured.

use super::{
    Shape,
    define::{Problem, is_word, shortened},
    reply::Piece,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// One word of it.
enum Token<'a> {
    Byte(u8),
    Any,
    /// A name, and what stands behind its colon.
    Group(&'a str, Option<&'a str>),
}

/// A pattern and the names of its groups.
pub(super) fn pattern(key: &'static str, text: &str) -> Result<(Shape, Vec<Option<String>>), Problem> {
    let (mut shape, mut names) = (Shape::default(), Vec::new());
    for token in tokens(text) {
        let wrong = || Problem::Hex { key, text: shortened(text) };
        match token.ok_or_else(wrong)? {
            Token::Byte(byte) => shape.bytes.push(Some(byte)),
            Token::Any => shape.bytes.push(None),
            Token::Group(name, length) => {
                let length = length.and_then(|digits| digits.parse::<u8>().ok()).filter(|length| *length > 0);
                let Some(length) = length else { return Err(Problem::Length { key, name: shortened(name) }) };
                if !is_word(name) {
                    return Err(Problem::Word { key, text: shortened(name) });
                }
                let begin = shape.bytes.len();
                shape.bytes.resize(begin + usize::from(length), None);
                shape.groups.push(begin..shape.bytes.len());
                names.push(Some(name.to_string()));
            }
        }
    }
    if shape.bytes.first().is_some_and(Option::is_none) && shape.bytes.iter().all(Option::is_none) {
        return Err(Problem::Shapeless(key));
    }
    Ok((shape, names))
}

/// An answer in which `{name}` stands for what this group captured.
pub(super) fn answer(key: &'static str, text: &str, names: &[Option<String>]) -> Result<Vec<Piece>, Problem> {
    let mut pieces = Vec::new();
    for token in tokens(text) {
        match token.ok_or_else(|| Problem::Hex { key, text: shortened(text) })? {
            Token::Byte(byte) => super::reply::push(&mut pieces, &[byte]),
            Token::Group(name, None) => pieces.push(super::reply::group(key, name, names)?),
            Token::Any | Token::Group(..) => return Err(Problem::Hex { key, text: shortened(text) }),
        }
    }
    Ok(pieces)
}

/// Each word; `None` where there is none.
fn tokens(text: &str) -> impl Iterator<Item = Option<Token<'_>>> {
    let mut rest = text.trim_start();
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let token = token(&mut rest);
        rest = if token.is_none() { "" } else { rest.trim_start() };
        Some(token)
    })
}

fn token<'a>(rest: &mut &'a str) -> Option<Token<'a>> {
    if let Some(behind) = rest.strip_prefix('{') {
        let (inside, behind) = behind.split_once('}')?;
        *rest = behind;
        let (name, length) = inside.split_once(':').map_or((inside, None), |(name, length)| (name, Some(length)));
        return Some(Token::Group(name, length));
    }
    if let Some(behind) = rest.strip_prefix("??") {
        *rest = behind;
        return Some(Token::Any);
    }
    let mut digit = || {
        *rest = rest.trim_start();
        let first = rest.chars().next()?;
        *rest = rest.get(first.len_utf8()..)?;
        first.to_digit(16).and_then(|value| u8::try_from(value).ok())
    };
    let (high, low) = (digit()?, digit()?);
    Some(Token::Byte(high << 4 | low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_bytes_holes_and_groups() {
        let (shape, names) = pattern("expect_hex", "{id:2} 0000 00 06 ?? 0 3{address:1}").unwrap();
        let bytes = [None, None, Some(0), Some(0), Some(0), Some(6), None, Some(3), None];
        assert_eq!((shape.bytes.as_slice(), shape.groups), (&bytes[..], alloc::vec![0..2, 8..9]));
        assert_eq!(names, [Some("id".into()), Some("address".into())]);
        let pieces = answer("answer_hex", "{id} 00 01 {address}", &names).unwrap();
        assert_eq!(pieces, [Piece::Group(1), Piece::Bytes(alloc::vec![0, 1]), Piece::Group(2)]);
    }

    #[test]
    fn what_is_no_byte_is_told() {
        for bad in ["0x03", "030", "0", "zz", "ä", "?", "? ?", "{id", "00 }"] {
            assert!(matches!(pattern("expect_hex", bad), Err(Problem::Hex { .. })), "{bad}");
        }
        for bad in ["{id}", "{id:}", "{id:0}", "{id:999}", "{id:-1}"] {
            assert!(matches!(pattern("expect_hex", bad), Err(Problem::Length { .. })), "{bad}");
        }
        assert!(matches!(pattern("expect_hex", "{Id:1}"), Err(Problem::Word { .. })));
        assert!(matches!(pattern("expect_hex", "?? {id:3}"), Err(Problem::Shapeless(_))));
        assert!(matches!(answer("answer_hex", "00 ??", &[]), Err(Problem::Hex { .. })));
        assert!(matches!(answer("answer_hex", "00 {id}", &[]), Err(Problem::Group { .. })));
    }
}
