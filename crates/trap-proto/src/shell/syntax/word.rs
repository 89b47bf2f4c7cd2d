//! Words: quotes, values and what is run inside of them.

use super::{
    PIECES_MAX, Part, Word,
    read::{Text, Trouble},
};
use alloc::vec::Vec;

/// Words inside the values of words.
const INNER_MAX: u8 = 4;
/// What can be done with a value; the longer ones first.
const CHANGES: [&[u8]; 19] =
    [b":-", b":=", b":+", b":?", b"##", b"%%", b"//", b"^^", b",,", b"?", b"-", b"=", b"+", b"#", b"%", b"/", b"^", b",", b":"];

/// What ends a word.
const fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}

/// How many bytes at the beginning are a name of a variable.
pub(in crate::shell) fn name_bytes(text: &[u8]) -> usize {
    match text.first() {
        Some(first) if first.is_ascii_alphabetic() || *first == b'_' => {
            text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
        }
        _ => 0,
    }
}

/// The same with an index behind it, as in `name[1]` and `name[@]`.
fn name_with_index(text: &[u8]) -> usize {
    let length = name_bytes(text);
    match text.get(length) {
        Some(b'[') if length > 0 => memchr::memchr(b']', &text[length..]).map_or(length, |end| length + end + 1),
        _ => length,
    }
}

/// A text as it is expanded between double quotes, or in a here-document.
pub(in crate::shell) fn between_quotes(text: &[u8]) -> Word {
    let mut inner = Text::new(text);
    let mut word = Word::new();
    // Nothing can be missing: there are no quotes in it.
    let _ = inner.doubly_quoted(&mut word, None);
    word
}

impl Text<'_> {
    /// The word that begins here.
    pub(super) fn word(&mut self) -> Result<Word, Trouble> {
        let rest = self.rest();
        if let [sign @ (b'<' | b'>'), b'(', ..] = rest {
            let end = closing(&rest[1..], b')').ok_or(Trouble::Unclosed(b')'))? + 1;
            self.skip(end + 1);
            let file = Part::File { text: rest[2..end].to_vec(), is_written: *sign == b'>' };
            return Ok(core::iter::once(file).chain(self.word_until(&ends_word)?).collect());
        }
        self.word_until(&ends_word)
    }

    fn word_until(&mut self, ends: &dyn Fn(u8) -> bool) -> Result<Word, Trouble> {
        let mut word = Word::new();
        while let Some(byte) = self.rest().first().copied().filter(|byte| !ends(*byte)) {
            self.counted()?;
            match byte {
                b'\\' => {
                    match self.rest().get(1) {
                        Some(b'\n') => {}
                        Some(escaped) => quoted(&mut word, &[*escaped]),
                        None => plain(&mut word, b"\\"),
                    }
                    self.skip(2);
                }
                b'\'' => {
                    let text = &self.rest()[1..];
                    let end = memchr::memchr(b'\'', text).ok_or(Trouble::Unclosed(b'\''))?;
                    quoted(&mut word, &text[..end]);
                    self.skip(end + 2);
                }
                b'"' => {
                    self.skip(1);
                    quoted(&mut word, b"");
                    self.doubly_quoted(&mut word, Some(b'"'))?;
                }
                b'`' => self.backticks(&mut word, false)?,
                b'$' => self.dollar(&mut word, false)?,
                _ => {
                    // A run of bytes is one piece, however long it is.
                    let rest = self.rest();
                    let is_plain = |byte: &&u8| !ends(**byte) && !matches!(byte, b'\\' | b'\'' | b'"' | b'`' | b'$');
                    let run = rest.iter().take_while(is_plain).count();
                    plain(&mut word, &rest[..run]);
                    self.skip(run);
                }
            }
        }
        Ok(word)
    }

    /// Up to the closing quote, or to the end of the text if there is none to come.
    pub(super) fn doubly_quoted(&mut self, word: &mut Word, end: Option<u8>) -> Result<(), Trouble> {
        loop {
            let rest = self.rest();
            match rest {
                [] => return end.map_or(Ok(()), |quote| Err(Trouble::Unclosed(quote))),
                [byte, ..] if Some(*byte) == end => {
                    self.skip(1);
                    return Ok(());
                }
                [b'\\', b'\n', ..] => self.skip(2),
                [b'\\', escaped @ (b'"' | b'\\' | b'$' | b'`'), ..] if *escaped != b'"' || end.is_some() => {
                    quoted(word, &[*escaped]);
                    self.skip(2);
                }
                [b'`', ..] => self.backticks(word, true)?,
                [b'$', ..] => self.dollar(word, true)?,
                [byte, ..] => {
                    quoted(word, &[*byte]);
                    self.skip(1);
                }
            }
        }
    }

    fn backticks(&mut self, word: &mut Word, is_quoted: bool) -> Result<(), Trouble> {
        self.counted()?;
        let (rest, mut text, mut at) = (self.rest(), Vec::new(), 1);
        loop {
            match rest.get(at..).unwrap_or_default() {
                [] => return Err(Trouble::Unclosed(b'`')),
                [b'`', ..] => break,
                [b'\\', escaped @ (b'`' | b'\\' | b'$'), ..] => {
                    text.push(*escaped);
                    at += 2;
                }
                [byte, ..] => {
                    text.push(*byte);
                    at += 1;
                }
            }
        }
        self.skip(at + 1);
        word.push(Part::Output { text, is_quoted });
        Ok(())
    }

    fn dollar(&mut self, word: &mut Word, is_quoted: bool) -> Result<(), Trouble> {
        self.counted()?;
        let rest = self.rest();
        let name = match rest {
            [_, b'\'', ..] if !is_quoted => return self.with_escapes(word),
            [_, b'"', ..] if !is_quoted => {
                self.skip(2);
                quoted(word, b"");
                return self.doubly_quoted(word, Some(b'"'));
            }
            [_, b'(', ..] => return self.inside_parentheses(word, is_quoted),
            [_, b'{', ..] => return self.inside_braces(word, is_quoted),
            [_, b'?' | b'$' | b'!' | b'#' | b'@' | b'*' | b'-' | b'0'..=b'9', ..] => 1,
            [_, behind @ ..] => name_bytes(behind),
            [] => 0,
        };
        if name == 0 {
            self.skip(1);
            if is_quoted { quoted(word, b"$") } else { plain(word, b"$") }
        } else {
            word.push(Part::Value { name: rest[1..=name].to_vec(), change: None, is_quoted });
            self.skip(name + 1);
        }
        Ok(())
    }

    /// `$'…'`.
    fn with_escapes(&mut self, word: &mut Word) -> Result<(), Trouble> {
        let text = &self.rest()[2..];
        let mut end = 0;
        while let Some(byte) = text.get(end).filter(|byte| **byte != b'\'') {
            end += if *byte == b'\\' { 2 } else { 1 };
        }
        if end >= text.len() {
            return Err(Trouble::Unclosed(b'\''));
        }
        let mut shown = Vec::new();
        let _ = crate::shell::echo::unescape(&text[..end], crate::shell::echo::Escapes::Quoted, &mut shown);
        quoted(word, &shown);
        self.skip(end + 3);
        Ok(())
    }

    fn inside_parentheses(&mut self, word: &mut Word, is_quoted: bool) -> Result<(), Trouble> {
        let rest = self.rest();
        let end = closing(&rest[1..], b')').ok_or(Trouble::Unclosed(b')'))? + 1;
        let text = &rest[2..end];
        let sum = text.strip_prefix(b"(").and_then(|text| text.strip_suffix(b")"));
        word.push(match sum {
            Some(sum) => Part::Sum { text: sum.to_vec(), is_quoted },
            None => Part::Output { text: text.to_vec(), is_quoted },
        });
        self.skip(end + 1);
        Ok(())
    }

    fn inside_braces(&mut self, word: &mut Word, is_quoted: bool) -> Result<(), Trouble> {
        let rest = self.rest();
        let end = closing(&rest[1..], b'}').ok_or(Trouble::Unclosed(b'}'))? + 1;
        let text = &rest[2..end];
        self.skip(end + 1);
        if let [b'#', name @ ..] = text
            && !name.is_empty()
        {
            word.push(Part::Value { name: name.to_vec(), change: Some((b"length", Word::new())), is_quoted });
            return Ok(());
        }
        if let [b'!', name @ ..] = text
            && !name.is_empty()
            && name_bytes(name) == name.len()
        {
            word.push(Part::Value { name: name.to_vec(), change: Some((b"indirect", Word::new())), is_quoted });
            return Ok(());
        }
        let length = match text.first() {
            Some(b'?' | b'$' | b'!' | b'#' | b'@' | b'*' | b'-') => 1,
            Some(first) if first.is_ascii_digit() => text.iter().take_while(|byte| byte.is_ascii_digit()).count(),
            _ => name_with_index(text),
        };
        let (name, behind) = text.split_at(length);
        let change = match CHANGES.into_iter().find(|change| behind.starts_with(change)) {
            Some(change) if self.inner < INNER_MAX => Some((change, self.argument(&behind[change.len()..], is_quoted)?)),
            Some(_) => return Err(Trouble::Bound),
            None if behind.is_empty() && !name.is_empty() => None,
            None => Some((&b"bad"[..], alloc::vec![Part::Quoted(text.to_vec())])),
        };
        word.push(Part::Value { name: name.to_vec(), change, is_quoted });
        Ok(())
    }

    /// What stands behind a change, blanks and all.
    fn argument(&mut self, text: &[u8], is_quoted: bool) -> Result<Word, Trouble> {
        let mut inner = Text::new(text);
        (inner.inner, inner.pieces) = (self.inner + 1, self.pieces);
        let word = if is_quoted {
            let mut word = Word::new();
            inner.doubly_quoted(&mut word, None).map(|()| word)
        } else {
            inner.word_until(&|_| false)
        };
        self.pieces = inner.pieces;
        word
    }

    /// Where `))` begins that closes the two that are open, the second of which is read next; `None` if only one closes there.
    pub(super) fn sum_end(&self) -> Result<Option<usize>, Trouble> {
        let (rest, mut depth) = (self.rest(), 0_usize);
        for at in memchr::memchr2_iter(b'(', b')', rest) {
            if rest[at] == b'(' {
                depth += 1;
                continue;
            }
            depth -= 1;
            if depth == 0 {
                return Ok((rest.get(at + 1) == Some(&b')')).then_some(at));
            }
        }
        Err(Trouble::Unclosed(b')'))
    }

    /// One piece more.
    pub(super) const fn counted(&mut self) -> Result<(), Trouble> {
        self.pieces += 1;
        if self.pieces > PIECES_MAX { Err(Trouble::Bound) } else { Ok(()) }
    }
}

fn plain(word: &mut Word, bytes: &[u8]) {
    match word.last_mut() {
        Some(Part::Plain(text)) => text.extend_from_slice(bytes),
        _ => word.push(Part::Plain(bytes.to_vec())),
    }
}

fn quoted(word: &mut Word, bytes: &[u8]) {
    match word.last_mut() {
        Some(Part::Quoted(text)) => text.extend_from_slice(bytes),
        _ => word.push(Part::Quoted(bytes.to_vec())),
    }
}

/// Where what the first byte opens is closed, past quotes and whatever is opened and closed between; in one pass.
fn closing(text: &[u8], last: u8) -> Option<usize> {
    let mut open = alloc::vec![last];
    let mut at = 1;
    let mut here: Option<Vec<u8>> = None;
    while at < text.len() {
        let (byte, inside) = (text[at], *open.last()?);
        if inside == b')' && text[at..].starts_with(b"<<") && text.get(at + 2) != Some(&b'<') {
            let rest = text[at + 2..].strip_prefix(b"-").unwrap_or(&text[at + 2..]).trim_ascii_start();
            let end = rest.iter().position(|byte| ends_word(*byte)).unwrap_or(rest.len());
            let is_word = rest.first().is_some_and(|first| !first.is_ascii_digit() && !ends_word(*first));
            here = is_word.then(|| rest[..end].iter().copied().filter(|byte| !matches!(byte, b'\'' | b'"' | b'\\')).collect());
            at = text.len() - rest.len() + end;
            continue;
        }
        // In a text that is read there are no quotes.
        if byte == b'\n'
            && let Some(end) = here.take()
        {
            at += here_bytes(&text[at + 1..], &end);
        }
        if byte == b'\\' {
            at += 2;
            continue;
        }
        if byte == inside {
            open.pop();
            if open.is_empty() {
                return Some(at);
            }
        } else if inside == b'"' {
            match text[at..] {
                [b'$', b'(', ..] => open.push(b')'),
                [b'$', b'{', ..] => open.push(b'}'),
                _ => {
                    at += 1;
                    continue;
                }
            }
            at += 1;
        } else {
            match byte {
                b'\'' => at += 1 + memchr::memchr(b'\'', &text[at + 1..])?,
                b'"' => open.push(b'"'),
                b'(' if inside == b')' => open.push(b')'),
                b'$' if text.get(at + 1) == Some(&b'(') => {
                    open.push(b')');
                    at += 1;
                }
                b'$' if text.get(at + 1) == Some(&b'{') => {
                    open.push(b'}');
                    at += 1;
                }
                _ => {}
            }
        }
        at += 1;
    }
    None
}

/// How many bytes a text that is read has, with the line that ends it, but for its last line feed.
fn here_bytes(text: &[u8], end: &[u8]) -> usize {
    let mut bytes = 0;
    for line in text.split(|byte| *byte == b'\n') {
        bytes += line.len() + 1;
        if line.trim_ascii_start() == end {
            break;
        }
    }
    bytes.min(text.len())
}

/// Where the `=` of an assignment stands.
pub(super) fn assigns(word: &Word) -> Option<usize> {
    let Some(Part::Plain(text)) = word.first() else { return None };
    let mut length = name_bytes(text);
    if length > 0 && text.get(length) == Some(&b'[') {
        length += memchr::memchr(b']', &text[length..])? + 1;
    }
    let equals = length + usize::from(text.get(length) == Some(&b'+'));
    (length > 0 && text.get(equals) == Some(&b'=')).then_some(equals)
}
