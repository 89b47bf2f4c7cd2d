//! Redis' requests: arrays of bulk strings, and lines of words (RESP2).

use crate::line::Lines;
use alloc::{format, string::String, vec::Vec};

/// Words of one request that are kept; bots need ten.
pub(super) const WORDS_MAX: usize = 1_024;
/// The most words that a request may announce: Redis' own limit.
const ANNOUNCED_MAX: i64 = i32::MAX as i64;
/// The longest announced word, in bytes: Redis' own limit. What is kept of it is far less.
const WORD_BYTES_MAX: u64 = 512 * 1_024 * 1_024;
/// What is kept of the words of one request together, in bytes; the rest is counted only.
pub(super) const KEPT_BYTES_MAX: usize = 64 * 1_024;
/// The longest line, in bytes: Redis' own limit.
const LINE_BYTES_MAX: usize = 64 * 1_024;

/// A request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) words: Vec<Vec<u8>>,
    /// More was said than is kept.
    pub(super) cut: bool,
}

/// What a byte amounted to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    More,
    Request(Request),
    /// The connection cannot go on; the error's text.
    Broken(String),
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// The beginning of a request.
    Start,
    /// The line that says the next word's length.
    Length,
    /// So many bytes of a word, and its line end.
    Word(u64),
}

/// Cuts bytes into requests.
pub(super) struct Requests {
    lines: Lines,
    expect: Expect,
    missing: i64,
    kept: usize,
    deaf: bool,
    request: Request,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            lines: Lines::new(LINE_BYTES_MAX),
            expect: Expect::Start,
            missing: 0,
            kept: 0,
            deaf: false,
            request: Request::default(),
        }
    }
}

impl Requests {
    pub(super) fn push(&mut self, byte: u8) -> Heard {
        if self.deaf {
            return Heard::More;
        }
        if let Expect::Word(left) = self.expect {
            return self.word_byte(byte, left);
        }
        let Some(line) = self.lines.push(byte) else { return Heard::More };
        if line.cut {
            return Heard::Broken("Protocol error: too big inline request".into());
        }
        match self.expect {
            Expect::Length => self.length(&line.bytes),
            _ => self.start(&line.bytes),
        }
    }

    fn start(&mut self, line: &[u8]) -> Heard {
        self.kept = 0;
        self.request = Request::default();
        let Some(digits) = line.strip_prefix(b"*") else { return self.inline(line) };
        match number(digits) {
            None => Heard::Broken("Protocol error: invalid multibulk length".into()),
            Some(count) if count <= 0 => Heard::More,
            Some(count) if count > ANNOUNCED_MAX => Heard::Broken("Protocol error: invalid multibulk length".into()),
            Some(count) => {
                self.missing = count;
                self.expect = Expect::Length;
                Heard::More
            }
        }
    }

    fn inline(&mut self, line: &[u8]) -> Heard {
        // Redis looks for the line's end up to a nought only, and so waits for ever; bytes that no client sends are the last it hears.
        self.deaf = line.contains(&0);
        if self.deaf {
            return Heard::More;
        }
        match split(line) {
            None => Heard::Broken("Protocol error: unbalanced quotes in request".into()),
            Some(words) if words.is_empty() => Heard::More,
            Some(words) => Heard::Request(Request { words, cut: false }),
        }
    }

    fn length(&mut self, line: &[u8]) -> Heard {
        let Some(digits) = line.strip_prefix(b"$") else {
            let shown = line.first().map_or(' ', |byte| char::from(*byte));
            let shown = if shown.is_ascii_graphic() { shown } else { '?' };
            return Heard::Broken(format!("Protocol error: expected '$', got '{shown}'"));
        };
        let length = number(digits).and_then(|length| u64::try_from(length).ok()).filter(|length| *length <= WORD_BYTES_MAX);
        let Some(length) = length else { return Heard::Broken("Protocol error: invalid bulk length".into()) };
        if self.request.words.len() < WORDS_MAX {
            self.request.words.push(Vec::new());
        } else {
            self.kept = KEPT_BYTES_MAX;
            self.request.cut = true;
        }
        // The word's end is two bytes, whatever they are: so Redis reads it.
        self.expect = Expect::Word(length + 2);
        Heard::More
    }

    fn word_byte(&mut self, byte: u8, left: u64) -> Heard {
        if left > 2 {
            if let Some(word) = self.request.words.last_mut().filter(|_| self.kept < KEPT_BYTES_MAX) {
                word.push(byte);
                self.kept += 1;
            } else {
                self.request.cut = true;
            }
        }
        self.expect = Expect::Word(left - 1);
        if left > 1 {
            return Heard::More;
        }
        self.missing -= 1;
        if self.missing > 0 {
            self.expect = Expect::Length;
            return Heard::More;
        }
        self.expect = Expect::Start;
        Heard::Request(core::mem::take(&mut self.request))
    }

    /// No more bytes will come: what was said in part, if anything.
    pub(super) fn finish(&mut self) -> Option<Request> {
        if self.expect == Expect::Start {
            let words = split(&self.lines.finish()?.bytes).unwrap_or_default();
            return (!words.is_empty()).then_some(Request { words, cut: true });
        }
        let request = core::mem::take(&mut self.request);
        (!request.words.is_empty()).then_some(Request { cut: true, ..request })
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// The words of a line with Redis' quotes; `None` if a quote is not closed. Words after the last that is allowed are dropped.
fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() && words.len() < WORDS_MAX {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'');
        let (plain, behind) = rest.split_at(rest.iter().position(ends).unwrap_or(rest.len()));
        // A quote may begin within a word, and ends it.
        let (word, behind) = match behind {
            [quote @ (b'"' | b'\''), behind @ ..] => {
                let (inner, behind) = quoted(behind, *quote)?;
                ([plain, &inner].concat(), behind)
            }
            _ => (plain.to_vec(), behind),
        };
        words.push(word);
        rest = behind.trim_ascii_start();
    }
    Some(words)
}

fn quoted(text: &[u8], quote: u8) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut rest = text;
    loop {
        let (byte, behind) = match rest {
            [] => return None,
            [first, behind @ ..] if *first == quote => {
                let ends = behind.first().is_none_or(u8::is_ascii_whitespace);
                return ends.then_some((word, behind));
            }
            [b'\\', b'n', behind @ ..] if quote == b'"' => (b'\n', behind),
            [b'\\', b'r', behind @ ..] if quote == b'"' => (b'\r', behind),
            [b'\\', b't', behind @ ..] if quote == b'"' => (b'\t', behind),
            [b'\\', b'b', behind @ ..] if quote == b'"' => (8, behind),
            [b'\\', b'a', behind @ ..] if quote == b'"' => (7, behind),
            [b'\\', b'x', high, low, behind @ ..] if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
                (digit(high) << 4 | digit(low), behind)
            }
            [b'\\', next, behind @ ..] if quote == b'"' || *next == quote => (*next, behind),
            [first, behind @ ..] => (*first, behind),
        };
        word.push(byte);
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(bytes: &[u8]) -> Vec<Heard> {
        let mut requests = Requests::default();
        bytes.iter().map(|byte| requests.push(*byte)).filter(|heard| *heard != Heard::More).collect()
    }

    fn words(bytes: &[u8]) -> Vec<Vec<String>> {
        let of = |heard| match heard {
            Heard::Request(request) => request.words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect(),
            other => panic!("{other:?}"),
        };
        hear(bytes).into_iter().map(of).collect()
    }

    #[test]
    fn requests_come_in_both_forms() {
        assert_eq!(words(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n"), [["GET", "a"].to_vec(), ["PING"].to_vec()]);
        assert_eq!(words(b"*-1\r\n*0\r\n\r\nPING\n"), [["PING"]]);
        assert_eq!(words(b"*1\r\n$0\r\n\r\n"), [[""]]);
        assert_eq!(words(b"set \"a \\\"b\\n\" 'it\\'s'\r\n"), [["set", "a \"b\n", "it's"]]);
        assert_eq!(words(b"*1\r\n$4\r\na\r\nb\r\n"), [["a\r\nb"]]);
        assert_eq!(words(b"echo \"\\x41\\b\\xzz\"\r\n"), [["echo", "A\u{8}xzz"]]);
        assert_eq!(words(b"set a\"b c\" d'e'\r\n"), [["set", "ab c", "de"]]);
        assert!(words(b"a\0b\r\nPING\r\n").is_empty(), "deaf from then on");
    }

    #[test]
    fn what_is_no_request_is_refused_as_redis_does() {
        let table: [(&[u8], &str); 8] = [
            (b"*x\r\n", "invalid multibulk length"),
            (b"*2147483648\r\n", "invalid multibulk length"),
            (b"*1\r\nfoo\r\n", "expected '$', got 'f'"),
            (b"*1\r\n$x\r\n", "invalid bulk length"),
            (b"*1\r\n$-1\r\n", "invalid bulk length"),
            (b"*1\r\n$536870913\r\n", "invalid bulk length"),
            (b"set \"a\r\n", "unbalanced quotes in request"),
            (b"set {\"a\":1}\r\n", "unbalanced quotes in request"),
        ];
        for (bytes, error) in table {
            assert_eq!(hear(bytes), [Heard::Broken(format!("Protocol error: {error}"))]);
        }
        assert_eq!(hear(&alloc::vec![b'x'; LINE_BYTES_MAX + 2]).len(), 1, "a line without end");
    }

    #[test]
    fn of_many_words_only_the_first_are_kept() {
        let many = [b"*5000\r\n".to_vec(), b"$1\r\na\r\n".repeat(5_000)].concat();
        let heard = hear(&many);
        let [Heard::Request(request)] = heard.as_slice() else { panic!("{}", heard.len()) };
        assert_eq!((request.words.len(), request.cut), (WORDS_MAX, true));
        assert!(request.words.iter().all(|word| word == b"a"));
    }

    #[test]
    fn of_a_long_word_only_its_beginning_is_kept() {
        let long = [b"*2\r\n$3\r\nSET\r\n$100000\r\n".to_vec(), alloc::vec![b'x'; 100_000], b"\r\nPING\r\n".to_vec()].concat();
        let heard = hear(&long);
        let Heard::Request(request) = &heard[0] else { panic!("{heard:?}") };
        assert_eq!((request.words[1].len(), request.cut, heard.len()), (KEPT_BYTES_MAX - 3, true, 2));
        let mut requests = Requests::default();
        b"*1\r\n$500000000\r\nab".iter().for_each(|byte| drop(requests.push(*byte)));
        assert_eq!(requests.finish().unwrap().words, [b"ab".to_vec()], "nothing is reserved for what was only announced");
    }
}
