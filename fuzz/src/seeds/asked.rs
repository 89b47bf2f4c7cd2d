//! What real servers were asked (`crates/trap/tests/real`): each conversation is an input.

use std::{fs, io, path::Path};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/trap/tests/real");

/// What is said in each conversation of the files whose names begin so.
pub(super) fn conversations(begin: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(Path::new(FOLDER))? {
        let path = entry?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(begin) && name.ends_with(".txt")) {
            paths.push(path);
        }
    }
    paths.sort();
    let mut said: Vec<Vec<u8>> = Vec::new();
    for path in paths {
        for line in fs::read_to_string(path)?.lines() {
            match (line.split_at_checked(2), said.last_mut()) {
                (Some(("= ", _)), _) => said.push(Vec::new()),
                (Some(("> ", text)), Some(words)) => words.extend(unescaped(text)),
                (Some((">*", run)), Some(words)) => {
                    let (count, text) = run.split_once(' ').unwrap_or(("1", run));
                    words.extend(unescaped(text).repeat(count.parse().unwrap_or(1)));
                }
                _ => {}
            }
        }
    }
    said.retain(|words| !words.is_empty() && words.len() <= crate::INPUT_BYTES_MAX / 2);
    Ok(said)
}

/// As `escape_ascii` wrote it.
fn unescaped(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match (byte, if byte == b'\\' { rest.next() } else { None }) {
            (_, Some(b'r')) => b'\r',
            (_, Some(b'n')) => b'\n',
            (_, Some(b't')) => b'\t',
            (_, Some(b'x')) => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).unwrap_or_default();
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                u8::try_from(high << 4 | low).unwrap_or_default()
            }
            (_, Some(escaped)) => escaped,
            (byte, None) => byte,
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_of_commands_is_in_what_a_redis_was_asked() {
        let all = conversations("redis").unwrap();
        let words =
            ["RPUSH", "SADD", "HSET", "ZADD", "SORT", "MULTI", "EVAL", "ACL SETUSER", "SUBSCRIBE", "SLAVEOF", "MEMORY USAGE"];
        for word in words {
            let has = |said: &Vec<u8>| said.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()));
            assert!(all.iter().any(has), "{word}");
        }
        assert!(all.len() > 400 && all.iter().any(|said| said.ends_with(b"\r\n")), "{}", all.len());
        assert_eq!(unescaped("a\\r\\n\\x00\\xfe\\\\\\'b"), b"a\r\n\0\xfe\\'b");
    }
}
