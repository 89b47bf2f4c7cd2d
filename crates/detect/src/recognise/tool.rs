//! Which program a stranger used, as far as it gives itself away: a guess, for anybody can copy a name.

mod table;

use alloc::{collections::BTreeMap, string::String};
use table::BY_FINGERPRINT;
pub(super) use table::BY_WORDS;

/// Letters of the name of an applet that nobody has: what Mirai and its kin ask a busybox for.
const APPLET_LETTERS: core::ops::RangeInclusive<usize> = 4..=12;
pub(super) const BUSYBOX: &[u8] = b"/bin/busybox ";
/// Applets that are asked for in earnest.
const APPLETS: [&[u8]; 4] = [b"WGET", b"TFTP", b"ECHO", b"CHMOD"];

/// What was seen of tools, in all that was said.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// The first in the table of those whose words were met.
    by_words: Option<usize>,
    asks_for_no_applet: bool,
}

impl Tools {
    /// One of [`BY_WORDS`] was met.
    pub(super) fn met(&mut self, tool: usize) {
        self.by_words = Some(self.by_words.map_or(tool, |known| known.min(tool)));
    }

    /// [`BUSYBOX`], in whatever case, stands at `start` to `end` of what was said.
    pub(super) fn busybox(&mut self, said: &[u8], (start, end): (usize, usize)) {
        self.asks_for_no_applet |= said[start..end] == *BUSYBOX && is_no_applet(&said[end..]);
    }

    /// The first that is known, in the order of the tables: what is said in words comes before a fingerprint, and a tool
    /// before the library it is made of.
    pub(super) fn guess(&self, said: &[u8], fields: &BTreeMap<String, String>) -> Option<&'static str> {
        if self.asks_for_no_applet || is_bot_login(said) {
            return Some("Mirai-like");
        }
        let by_words = self.by_words.and_then(|first| BY_WORDS.get(first)).map(|(_, tool)| *tool);
        by_words.or_else(|| {
            let told = |name: &str| fields.get(name).map(String::as_str);
            let known = BY_FINGERPRINT.iter().find(|(field, print, _)| told(field) == Some(*print));
            known.map(|(_, _, tool)| *tool)
        })
    }
}

/// `/bin/busybox MIRAI` and the like: the answer "applet not found" shows that a shell was reached (Mirai, `bot/scanner.c`).
/// `behind`: what stands behind the blank.
fn is_no_applet(behind: &[u8]) -> bool {
    let longest = APPLET_LETTERS.end() + 1;
    let end = behind.iter().take(longest).position(|byte| !byte.is_ascii_uppercase()).unwrap_or(longest.min(behind.len()));
    APPLET_LETTERS.contains(&end)
        && !APPLETS.contains(&&behind[..end])
        && behind.get(end).is_none_or(|byte| matches!(byte, b'\r' | b'\n' | b';' | b' ' | 0))
}

/// `enable`, `system`, `shell`, `sh`, one a line: how Mirai gets from a router's menu to a shell (`bot/scanner.c`).
fn is_bot_login(said: &[u8]) -> bool {
    const STEPS: [&[u8]; 4] = [b"enable", b"system", b"shell", b"sh"];
    let mut steps = STEPS.iter().peekable();
    for line in said.split(|byte| matches!(byte, b'\r' | b'\n' | 0)).filter(|line| !line.is_empty()) {
        if steps.peek().is_some_and(|step| **step == line.trim_ascii()) {
            steps.next();
        }
    }
    steps.peek().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Recogniser, Tally};

    fn guess(said: &[u8], fields: &[(&str, &str)]) -> Option<String> {
        let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Recogniser::new(&[]).look(said, &fields, &Tally::default()).facts.remove("tool")
    }

    #[test]
    fn tools_are_known_by_what_they_say() {
        let cases: [(&[u8], Option<&str>); 14] = [
            (b"GET / HTTP/1.1\r\nUser-Agent: Mozilla/5.0 zgrab/0.x\r\n", Some("zgrab")),
            (b"GET / HTTP/1.0\r\nUser-Agent: masscan/1.3 (https://github.com/robertdavidgraham/masscan)\r\n", Some("masscan")),
            (b"User-Agent: Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)\r\n", Some("nmap")),
            (b"GET /nice%20ports%2C/Tri%6Eity.txt%2ebak HTTP/1.0\r\n\r\n", Some("nmap")),
            (b"User-Agent: sqlmap/1.8.4#stable (https://sqlmap.org)", Some("sqlmap")),
            (b"User-Agent: Nuclei - Open-source project (github.com/projectdiscovery/nuclei)", Some("nuclei")),
            (b"User-Agent: Mozilla/4.0 (Hydra)", Some("hydra")),
            (b"SSH-2.0-Go\r\n", Some("Go x/crypto/ssh")),
            (b"SSH-2.0-libssh_0.9.6\r\n", Some("libssh")),
            (b"GET / HTTP/1.1\r\nUser-Agent: python-requests/2.32.3\r\n", Some("python-requests")),
            (b"enable\r\nsystem\r\nshell\r\nsh\r\n/bin/busybox ECCHI\r\n", Some("Mirai-like")),
            (b"/bin/busybox wget http://a/; /bin/busybox WGET x", None),
            (b"GET / HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n", None),
            (b"", None),
        ];
        for (said, tool) in cases {
            assert_eq!(guess(said, &[]).as_deref(), tool, "{}", String::from_utf8_lossy(said));
        }
    }

    #[test]
    fn fields_and_fingerprints_tell_too() {
        assert_eq!(guess(b"", &[("client", "SSH-2.0-paramiko_3.4.0")]).as_deref(), Some("paramiko"));
        assert_eq!(guess(b"\x16\x03", &[("ja4", "t13d190900_9dc949149365_97f8aa674fd9")]).as_deref(), Some("Go crypto/tls"));
        assert_eq!(guess(b"\x16\x03", &[("ja4", "t13d190900_9dc949149365_000000000000")]).as_deref(), None);
    }

    #[test]
    fn no_name_is_in_the_table_twice() {
        for (index, (words, _)) in BY_WORDS.iter().enumerate() {
            assert!(BY_WORDS[..index].iter().all(|(known, _)| known != words), "{words}");
            assert!(words.len() >= 4, "{words}");
        }
    }
}
