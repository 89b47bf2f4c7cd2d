//! Beginnings that only the rest of their line tells apart: `OPTIONS` of HTTP, SIP and RTSP, and memcached's commands.

use super::{Guess, Protocol};

/// So much of a line is waited for, in octets: the longest that memcached's commands have is a key of 250, four numbers and `noreply`.
const LINE_BYTES_MAX: usize = 300;

const OPTIONS: &[u8] = b"OPTIONS ";

/// How targets begin that are not HTTP's, in small letters.
const SCHEMES: [(&[u8], Protocol); 6] = [
    (b"sip:", Protocol::Sip),
    (b"sips:", Protocol::Sip),
    (b"tel:", Protocol::Sip),
    (b"rtsp:", Protocol::Rtsp),
    (b"rtsps:", Protocol::Rtsp),
    (b"rtspu:", Protocol::Rtsp),
];

/// Which versions stand behind a target that any of them may have; all others are HTTP's, or none.
const VERSIONS: [(&[u8], Protocol); 2] = [(b"SIP/", Protocol::Sip), (b"RTSP/", Protocol::Rtsp)];

/// Commands of memcached that another server might have, too, each with what has to stand behind it.
const COMMANDS: [(&[u8], Arguments); 22] = [
    (b"get ", Arguments::Keys),
    (b"gets ", Arguments::Keys),
    (b"gat ", Arguments::Number(0, 2)),
    (b"gats ", Arguments::Number(0, 2)),
    (b"set ", Arguments::Value),
    (b"add ", Arguments::Value),
    (b"replace ", Arguments::Value),
    (b"append ", Arguments::Value),
    (b"prepend ", Arguments::Value),
    (b"cas ", Arguments::Value),
    (b"incr ", Arguments::Number(1, 2)),
    (b"decr ", Arguments::Number(1, 2)),
    (b"touch ", Arguments::Number(1, 2)),
    (b"delete ", Arguments::Keys),
    (b"ms ", Arguments::Number(1, 2)),
    (b"mg ", Arguments::Keys),
    (b"md ", Arguments::Keys),
    (b"ma ", Arguments::Keys),
    (b"me ", Arguments::Keys),
    (b"mn\r\n", Arguments::None),
    (b"flush_all\r\n", Arguments::None),
    (b"flush_all ", Arguments::Number(0, 1)),
];

/// What stands behind a command.
#[derive(Clone, Copy)]
enum Arguments {
    None,
    /// At least one; if the last is a version of HTTP, it is that.
    Keys,
    /// A key and three numbers: flags, a time, a length.
    Value,
    /// This one is a number, and there are at least so many.
    Number(usize, usize),
}

/// What `bytes` are the beginning of, by what the rest of their first line says.
pub(super) fn guess(bytes: &[u8]) -> Guess {
    if bytes.starts_with(OPTIONS) {
        return target(&bytes[OPTIONS.len()..]);
    }
    let mut guess = if OPTIONS.starts_with(bytes) { Guess::Open } else { Guess::Unknown };
    for (command, arguments) in COMMANDS {
        if command.starts_with(bytes) && command.len() > bytes.len() {
            guess = Guess::Open;
        }
        if let Some(rest) = bytes.strip_prefix(command) {
            return arguments.guess(rest);
        }
    }
    guess
}

/// Whom somebody asks for his options.
fn target(bytes: &[u8]) -> Guess {
    let lower = |byte: &u8| byte.to_ascii_lowercase();
    for (scheme, protocol) in SCHEMES {
        if bytes.iter().zip(scheme).all(|(byte, letter)| lower(byte) == *letter) {
            return if bytes.len() < scheme.len() { Guess::Open } else { Guess::Known(protocol) };
        }
    }
    if bytes.len() >= LINE_BYTES_MAX || bytes.contains(&b'\n') {
        return Guess::Known(Protocol::Http);
    }
    let Some(at) = bytes.iter().position(|byte| *byte == b' ') else { return Guess::Open };
    let version = &bytes[at + 1..];
    for (name, protocol) in VERSIONS {
        if let Some(letters) = name.get(..version.len().min(name.len()))
            && version.starts_with(letters)
        {
            return if version.len() < name.len() { Guess::Open } else { Guess::Known(protocol) };
        }
    }
    Guess::Known(Protocol::Http)
}

impl Arguments {
    fn guess(self, rest: &[u8]) -> Guess {
        if matches!(self, Self::None) {
            return Guess::Known(Protocol::Memcached);
        }
        let Some(line) = rest.strip_suffix(b"\n") else {
            let is_text = rest.last().is_none_or(|byte| matches!(byte, b'!'..=b'~' | b' ' | b'\r'));
            return if is_text && rest.len() < LINE_BYTES_MAX { Guess::Open } else { Guess::Unknown };
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let words = || line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let is_number = |at: usize| words().nth(at).is_some_and(|word| word.iter().all(u8::is_ascii_digit));
        let is_version = |word: &[u8]| word.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"HTTP/"));
        if matches!(self, Self::Keys) && words().next_back().is_some_and(is_version) {
            return Guess::Known(Protocol::Http);
        }
        let fits = match self {
            Self::None => true,
            Self::Keys => words().next().is_some(),
            Self::Value => (1..=3).all(is_number),
            Self::Number(at, least) => is_number(at) && words().count() >= least,
        };
        if fits { Guess::Known(Protocol::Memcached) } else { Guess::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    #[test]
    fn whoever_asks_for_options_is_known_by_his_target_or_his_version() {
        let table: &[(&[u8], Guess)] = &[
            (b"OPT", Guess::Open),
            (b"OPTIONS s", Guess::Open),
            (b"OPTIONS sip:", Guess::Known(Protocol::Sip)),
            (b"OPTIONS SIPS:", Guess::Known(Protocol::Sip)),
            (b"OPTIONS sippy", Guess::Open),
            (b"OPTIONS sippy ", Guess::Open),
            (b"OPTIONS sippy S", Guess::Open),
            (b"OPTIONS sippy SIP/", Guess::Known(Protocol::Sip)),
            (b"OPTIONS rtsp:", Guess::Known(Protocol::Rtsp)),
            (b"OPTIONS / R", Guess::Open),
            (b"OPTIONS / RTSP/", Guess::Known(Protocol::Rtsp)),
            (b"OPTIONS / RTX", Guess::Known(Protocol::Http)),
            (b"OPTIONS * HTTP/1.1", Guess::Known(Protocol::Http)),
            (b"OPTIONS /\r\n", Guess::Known(Protocol::Http)),
            (b"OPTIONS http://a/ H", Guess::Known(Protocol::Http)),
            (b"OPTION\r\n", Guess::Unknown),
        ];
        for (bytes, expected) in table {
            assert_eq!(guess(bytes), *expected, "{bytes:?}");
        }
        let long: Vec<u8> = [OPTIONS, &vec![b'/'; LINE_BYTES_MAX]].concat();
        assert_eq!(
            (guess(&long[..long.len() - 1]), guess(&long)),
            (Guess::Open, Guess::Known(Protocol::Http)),
            "waits no longer"
        );
    }

    #[test]
    fn commands_of_memcached_are_known_by_what_stands_behind_them() {
        let known = Guess::Known(Protocol::Memcached);
        let table: &[(&[u8], Guess)] = &[
            (b"ge", Guess::Open),
            (b"get a", Guess::Open),
            (b"get a\r\n", known),
            (b"gets a b\n", known),
            (b"get \r\n", Guess::Unknown),
            (b"get / HTTP/1.1\r\n", Guess::Known(Protocol::Http)),
            (b"delete /a http/1.0\r\n", Guess::Known(Protocol::Http)),
            (b"get \x00", Guess::Unknown),
            (b"set a 0 0 5\r\n", known),
            (b"set a 0 0 5 noreply\r\n", known),
            (b"set a b\r\n", Guess::Unknown),
            (b"cas a 0 0 5 7\r\n", known),
            (b"incr a 1\r\n", known),
            (b"incr a\r\n", Guess::Unknown),
            (b"touch a 0\r\n", known),
            (b"gat 0 a\r\n", known),
            (b"gat a\r\n", Guess::Unknown),
            (b"delete a\r\n", known),
            (b"mn\r\n", known),
            (b"mg a v\r\n", known),
            (b"ms a 2\r\n", known),
            (b"flush_all\r\n", known),
            (b"flush_all 0\r\n", known),
            (b"getaway", Guess::Unknown),
        ];
        for (bytes, expected) in table {
            assert_eq!(guess(bytes), *expected, "{bytes:?}");
        }
        let long: Vec<u8> = [b"get ", &vec![b'a'; LINE_BYTES_MAX][..]].concat();
        assert_eq!((guess(&long[..long.len() - 1]), guess(&long)), (Guess::Open, Guess::Unknown), "waits no longer");
    }
}
