//! What bytes may be wrapped in, opened one layer at a time: percent signs, escapes, base64, hexadecimal, UTF-16, and
//! the small tricks that keep a word from being found.

use super::file;
use crate::entropy::Census;
use alloc::vec::Vec;

/// Not a layer that anybody would name: quotes, comments and white space were taken out.
const PLAIN: &str = "plain";
/// The same: plus signs became spaces.
const PLUS: &str = "plus";
const PERCENT: &str = "percent";
const ESCAPES: &str = "escapes";
const BASE64: &str = "base64";
const HEX: &str = "hex";
const UTF16: &str = "utf-16";

/// So many quotes in a row may stand inside a word.
const QUOTES_MAX: usize = 4;

/// Shorter runs of base64 are words.
const BASE64_CHARS_MIN: usize = 16;
/// Shorter runs of hexadecimal digits are numbers.
const HEX_CHARS_MIN: usize = 16;
/// What a run decodes to is kept if so many of a hundred bytes are text, or if it begins as a file does: by chance neither
/// happens.
const TEXT_PERCENT_MIN: usize = 85;

/// Is it a layer that somebody would name?
#[must_use]
pub fn is_named(layer: &str) -> bool {
    layer != PLAIN && layer != PLUS
}

/// Of these, one at least stands in whatever [`plain`] takes out.
const PASSED_OVER: &[u8] = b" \t'\"\\$*";

/// The layers that `bytes` are wrapped in, each opened; none is longer than `bytes`. `last`: what was opened before.
pub(super) fn open(bytes: &[u8], census: &Census, last: Option<&'static str>) -> Vec<(&'static str, Vec<u8>)> {
    let mut opened = Vec::new();
    let mut keep = |name, layer: Option<Vec<u8>>| opened.extend(layer.map(|layer| (name, layer)));
    if census.has_any(b"%+") {
        keep(if census.has(b'%') { PERCENT } else { PLUS }, lines_with(bytes, b"%+", percent));
    }
    if census.has_any(b"\\&") {
        keep(ESCAPES, lines_with(bytes, b"\\&", escapes));
    }
    keep(BASE64, runs(bytes, is_base64, BASE64_CHARS_MIN, unbase64));
    keep(HEX, runs(bytes, |byte| byte.is_ascii_hexdigit(), HEX_CHARS_MIN, unhex));
    if census.has(0) {
        keep(UTF16, utf16(bytes));
    }
    if last != Some(PLAIN) && census.has_any(PASSED_OVER) {
        keep(PLAIN, plain(bytes));
    }
    opened
}

/// The lines with one of `marks`, opened, with their neighbours, if any changes. What else is not wrapped is looked at already, and no word
/// that is known goes further than into the next line.
fn lines_with(bytes: &[u8], marks: &[u8; 2], open: fn(&[u8], &mut Vec<u8>) -> bool) -> Option<Vec<u8>> {
    let (mut opened, mut any) = (Vec::new(), false);
    // The line before, as long as it may be a neighbour; and is this one behind a marked one?
    let (mut before, mut is_behind): (&[u8], bool) = (&[], false);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line.iter().any(|byte| marks.contains(byte)) {
            opened.extend_from_slice(before);
            any |= open(line, &mut opened);
            (before, is_behind) = (&[], true);
        } else if core::mem::take(&mut is_behind) {
            opened.extend_from_slice(line);
            before = &[];
        } else {
            before = line;
        }
    }
    any.then_some(opened)
}

/// `%41`, `%u0041`, the overlong `%c0%af`, and `+` for a space. Is anything of that there?
fn percent(line: &[u8], opened: &mut Vec<u8>) -> bool {
    opened.reserve(line.len());
    let (mut rest, mut any) = (line, false);
    while let Some((first, behind)) = rest.split_first() {
        let (byte, taken) = match (first, behind) {
            (b'%', [b'u' | b'U', b'0', b'0', a, b, ..]) if pair(*a, *b).is_some() => (pair(*a, *b), 6),
            (b'%', [a, b, ..]) if pair(*a, *b).is_some() => (pair(*a, *b), 3),
            (b'+', _) => (Some(b' '), 1),
            _ => (None, 1),
        };
        any |= byte.is_some();
        push_overlong(opened, byte.unwrap_or(*first));
        rest = rest.get(taken..).unwrap_or_default();
    }
    any
}

/// Appends a byte; the overlong forms of `.`, `/` and `\` become what they stand for.
fn push_overlong(opened: &mut Vec<u8>, byte: u8) {
    let short = match (opened.last(), byte) {
        (Some(0xc0), 0xae) => b'.',
        (Some(0xc0), 0xaf) => b'/',
        (Some(0xc1), 0x9c) => b'\\',
        _ => return opened.push(byte),
    };
    opened.pop();
    opened.push(short);
}

/// `\x41`, `\u0041`, `\101`, and `&lt;` and the like. Is anything of that there?
fn escapes(line: &[u8], opened: &mut Vec<u8>) -> bool {
    const NAMED: [(&[u8], u8); 5] = [(b"&lt;", b'<'), (b"&gt;", b'>'), (b"&quot;", b'"'), (b"&apos;", b'\''), (b"&amp;", b'&')];
    opened.reserve(line.len());
    let (mut rest, mut any) = (line, false);
    while let Some((first, behind)) = rest.split_first() {
        let (byte, taken) = match (first, behind) {
            (b'\\', [b'x' | b'X', a, b, ..]) if pair(*a, *b).is_some() => (pair(*a, *b), 4),
            (b'\\', [b'u' | b'U', b'0', b'0', a, b, ..]) if pair(*a, *b).is_some() => (pair(*a, *b), 6),
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                (Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')), 4)
            }
            (b'&', _) => {
                NAMED.iter().find(|(name, _)| rest.starts_with(name)).map_or((None, 1), |(name, byte)| (Some(*byte), name.len()))
            }
            _ => (None, 1),
        };
        any |= byte.is_some();
        opened.push(byte.unwrap_or(*first));
        rest = rest.get(taken..).unwrap_or_default();
    }
    any
}

fn pair(high: u8, low: u8) -> Option<u8> {
    Some(nibble(high)? << 4 | nibble(low)?)
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// All runs of such bytes that decode to something, with a line between them.
fn runs(bytes: &[u8], is_one: impl Fn(u8) -> bool, min: usize, decode: fn(&[u8], &mut Vec<u8>)) -> Option<Vec<u8>> {
    let (mut opened, mut decoded, mut rest) = (Vec::new(), Vec::new(), bytes);
    while let Some(run) = next_run(&mut rest, &is_one, min) {
        decoded.clear();
        decode(run, &mut decoded);
        if !is_meant(&decoded) {
            continue;
        }
        if !opened.is_empty() {
            opened.push(b'\n');
        }
        opened.extend_from_slice(&decoded);
    }
    (!opened.is_empty()).then_some(opened)
}

/// The next run of at least `min` such bytes, which goes from `rest` with all before it. Of what is shorter, nearly all is passed over
/// unseen: no run covers a place with another byte, so only the last place that one from here must cover is looked at.
fn next_run<'a>(rest: &mut &'a [u8], is_one: &impl Fn(u8) -> bool, min: usize) -> Option<&'a [u8]> {
    let mut start = 0;
    loop {
        let must = rest.get(start..start + min)?;
        match must.iter().rposition(|byte| !is_one(*byte)) {
            Some(other) => start += other + 1,
            None => break,
        }
    }
    let run = &rest[start..];
    let length = run.iter().position(|byte| !is_one(*byte)).unwrap_or(run.len());
    *rest = &run[length..];
    Some(&run[..length])
}

/// What no digit is.
const NO_DIGIT: u8 = 0xff;

/// The value of each digit in base64, in either alphabet (RFC 4648, sections 4 and 5).
static BASE64_DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 62 {
        digits[match value {
            0..26 => b'A' + value,
            26..52 => b'a' + value - 26,
            _ => b'0' + value - 52,
        } as usize] = value;
        value += 1;
    }
    (digits[b'+' as usize], digits[b'-' as usize], digits[b'/' as usize], digits[b'_' as usize]) = (62, 62, 63, 63);
    digits
};

fn is_base64(byte: u8) -> bool {
    BASE64_DIGITS[usize::from(byte)] != NO_DIGIT
}

/// Without padding; what is left over at the end is dropped. All of `run` are digits.
fn unbase64(run: &[u8], decoded: &mut Vec<u8>) {
    let value = |byte: u8| u32::from(BASE64_DIGITS[usize::from(byte)]);
    decoded.reserve(run.len() / 4 * 3 + 2);
    let (fours, rest) = run.as_chunks::<4>();
    for [a, b, c, d] in fours {
        let [_, bytes @ ..] = (value(*a) << 18 | value(*b) << 12 | value(*c) << 6 | value(*d)).to_be_bytes();
        decoded.extend_from_slice(&bytes);
    }
    let bits = rest.iter().fold(0, |bits, byte| bits << 6 | value(*byte)) << (6 * (4 - rest.len()) % 24);
    let [_, bytes @ ..] = bits.to_be_bytes();
    decoded.extend_from_slice(&bytes[..rest.len().saturating_sub(1)]);
}

fn unhex(run: &[u8], decoded: &mut Vec<u8>) {
    decoded.extend(run.chunks_exact(2).filter_map(|two| pair(two[0], two[1])));
}

/// Text, text in UTF-16, or the beginning of a file or an object.
fn is_meant(decoded: &[u8]) -> bool {
    const OBJECTS: [&[u8]; 3] = [b"\xac\xed\x00\x05", b"\x00\x01\x00\x00\x00\xff\xff\xff\xff", b"\x80\x04\x95"];
    let text = decoded.iter().filter(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')).count();
    text * 100 >= decoded.len() * TEXT_PERCENT_MIN
        || is_utf16(decoded)
        || file::begins(decoded)
        || OBJECTS.iter().any(|magic| decoded.starts_with(magic))
}

fn is_utf16(bytes: &[u8]) -> bool {
    bytes.len() >= 8
        && bytes.chunks_exact(2).filter(|two| two[1] == 0 && two[0] != 0).count() * 200 >= bytes.len() * TEXT_PERCENT_MIN
}

/// Little-endian, as a Windows shell takes its encoded commands.
fn utf16(bytes: &[u8]) -> Option<Vec<u8>> {
    is_utf16(bytes).then(|| bytes.chunks_exact(2).filter(|two| two[1] == 0).map(|two| two[0]).collect())
}

/// Without what shells and databases pass over: `w'g'et`, `w\get`, `un/**/ion`, `${IFS}`, white space in rows.
fn plain(bytes: &[u8]) -> Option<Vec<u8>> {
    const FIELD_SEPARATORS: [&[u8]; 4] = [b"${IFS}", b"${ifs}", b"$IFS$9", b"$IFS"];
    let mut opened: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    // A comment that nobody ends is none; looking for its end once is enough.
    let mut has_comment_end = true;
    loop {
        let said = rest.iter().position(|byte| is_looked_at(*byte)).unwrap_or(rest.len());
        opened.extend_from_slice(&rest[..said]);
        rest = &rest[said..];
        let Some((first, behind)) = rest.split_first() else { break };
        let separator = if *first == b'$' { FIELD_SEPARATORS.iter().find(|name| rest.starts_with(name)) } else { None };
        let comment = if has_comment_end && *first == b'/' && behind.first() == Some(&b'*') {
            let end = rest[2..].windows(2).position(|two| two == b"*/").map(|end| end + 4);
            has_comment_end = end.is_some();
            end
        } else {
            None
        };
        let inside_word = |opened: &[u8]| {
            let next = behind.iter().take(QUOTES_MAX).find(|byte| !matches!(byte, b'\'' | b'"' | b'\\'));
            opened.last().is_some_and(u8::is_ascii_alphanumeric) && next.is_some_and(u8::is_ascii_alphanumeric)
        };
        let taken = match (first, separator, comment) {
            (_, Some(name), _) => space(&mut opened, name.len()),
            (_, _, Some(length)) => space(&mut opened, length),
            (b' ' | b'\t', ..) => space(&mut opened, 1),
            (b'\'' | b'"' | b'\\', ..) if inside_word(&opened) => 1,
            _ => {
                opened.push(*first);
                1
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    (opened.len() < bytes.len()).then_some(opened)
}

/// All others [`plain`] takes as they are.
const fn is_looked_at(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\'' | b'"' | b'\\' | b'$' | b'/')
}

fn space(opened: &mut Vec<u8>, taken: usize) -> usize {
    if opened.last().is_some_and(|last| *last != b' ') {
        opened.push(b' ');
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec};
    use proptest::prelude::*;

    fn percent(bytes: &[u8]) -> Option<Vec<u8>> {
        lines_with(bytes, b"%+", super::percent)
    }

    fn escapes(bytes: &[u8]) -> Option<Vec<u8>> {
        lines_with(bytes, b"\\&", super::escapes)
    }

    #[test]
    fn each_layer_is_opened() {
        type Opener = fn(&[u8]) -> Option<Vec<u8>>;
        let cases: [(Opener, &[u8], &[u8]); 14] = [
            (percent, b"0\nGET /\n%41+\r\nx\nb%42\n1\n2\n3\n%43", b"GET /\nA \r\nx\nbB\n1\n3\nC"),
            (escapes, b"w\nx\n\\x41\n", b"x\nA\n"),
            (percent, b"%2e%2e%2Fa", b"../a"),
            (percent, b"..%c0%af", b"../"),
            (percent, b"%u002e.", b".."),
            (percent, b"a+b%", b"a b%"),
            (escapes, b"\\x7f\\x45LF", b"\x7fELF"),
            (escapes, b"\\177\\105", b"\x7fE"),
            (escapes, b"\\u003cscript&gt;", b"<script>"),
            (utf16, b"w\0g\0e\0t\0", b"wget"),
            (plain, b"w'g'e\\t  http", b"wget http"),
            (plain, b"un/**/ion/*x*/select", b"un ion select"),
            (plain, b"wget${IFS}http", b"wget http"),
            (plain, b"wget$IFS$9http", b"wget http"),
        ];
        for (open, wrapped, expected) in cases {
            assert_eq!(open(wrapped).as_deref(), Some(expected), "{wrapped:?}");
        }
        for open in [percent, escapes, utf16, plain] {
            assert_eq!(open(b"plain words"), None);
        }
    }

    proptest! {
        #[test]
        fn no_run_is_passed_over(text in "[a0 ]{0,60}", min in 1_usize..20) {
            let (bytes, mut rest) = (text.as_bytes(), text.as_bytes());
            let is_one = |byte: u8| byte != b' ';
            let runs: Vec<&[u8]> = core::iter::from_fn(|| next_run(&mut rest, &is_one, min)).collect();
            let all: Vec<&[u8]> = bytes.split(|byte| !is_one(*byte)).filter(|run| run.len() >= min).collect();
            prop_assert_eq!(runs, all);
        }

        #[test]
        fn counting_first_misses_no_layer(parts in proptest::collection::vec(prop_oneof![
            proptest::sample::select(vec![
                &b"%41"[..], b"+", b"\\x41", b"&lt;", b"w\0g\0e\0t\0x\0", b"Y2F0IC9ldGMvcGFzc3dk", b"2f6574632f706173737764", b"w'g", b"/**/",
                b"${IFS}", b"  ", b"\t", b"\"a", b"$", b"*",
            ]).prop_map(<[u8]>::to_vec),
            "[a-z]{0,4}".prop_map(String::into_bytes),
        ], 0..5)) {
            let bytes = parts.concat();
            let all = [percent(&bytes), escapes(&bytes), utf16(&bytes), plain(&bytes)].into_iter().flatten().count();
            let counted = open(&bytes, &Census::of(&bytes), None);
            prop_assert_eq!(counted.iter().filter(|(name, _)| *name != BASE64 && *name != HEX).count(), all);
        }
    }

    #[test]
    fn runs_are_decoded_if_something_was_meant() {
        let base64 = |bytes: &[u8]| runs(bytes, is_base64, BASE64_CHARS_MIN, unbase64);
        assert_eq!(base64(b"x=Y2F0IC9ldGMvcGFzc3dk==").as_deref(), Some(&b"cat /etc/passwd"[..]));
        assert_eq!(base64(b"f0VMRgIBAQAAAAAAAAAAAA==").map(|bytes| bytes[..4].to_vec()).as_deref(), Some(&b"\x7fELF"[..]));
        assert_eq!(base64(b"/usr/share/javascript/bootstrap/fonts application/json"), None, "paths are no base64");
        let hex = |bytes: &[u8]| runs(bytes, |byte| byte.is_ascii_hexdigit(), HEX_CHARS_MIN, unhex);
        assert_eq!(hex(b"0x2f6574632f706173737764 ").as_deref(), Some(&b"/etc/passwd"[..]).filter(|_| true));
        assert_eq!(hex(b"id=d41d8cd98f00b204e9800998ecf8427e"), None, "hashes are no text");
    }
}
