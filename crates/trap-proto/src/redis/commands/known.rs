//! Which commands a Redis 8.0.2 knows, how many words each takes, and what it says of them.

use super::{REPEATED_BYTES_MAX, Reply};
use alloc::format;
use core::cmp::Ordering;

/// Names with so many words, or at least so many where the number is below nought, as `COMMAND` tells them.
const ARITY: &str = include_str!("arity.txt");
/// What `HELP` says of each that has others in it.
const HELP: &str = include_str!("help.txt");

/// How many words this command takes; `None`: there is none of this name. By halves, for the names are in order and most of what a
/// flood says is none of them.
fn arity(name: &[u8]) -> Option<i64> {
    let (text, is_blank) = (ARITY.as_bytes(), u8::is_ascii_whitespace);
    let (mut low, mut high) = (0, text.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let begin = text[low..middle].iter().rposition(is_blank).map_or(low, |blank| low + blank + 1);
        let end = text[middle..].iter().position(is_blank).map_or(text.len(), |blank| middle + blank);
        let (known, words) = ARITY.get(begin..end)?.split_once(':').unwrap_or_default();
        match known.as_bytes().cmp(name) {
            Ordering::Less => low = end + 1,
            Ordering::Greater => high = begin,
            Ordering::Equal => return words.parse().ok(),
        }
    }
    None
}

/// Whether it is one that can be said, and no part of another one.
pub(super) fn is_command(name: &[u8]) -> bool {
    !name.contains(&b'|') && is_known(name)
}

/// Whether it is one, or a part of one as it is told of: `config|get`.
pub(super) fn is_known(command: &[u8]) -> bool {
    arity(command).is_some()
}

/// What the server has against a command before it looks at what it is about. `command` is in small letters.
pub(super) fn objection(command: &[u8], arguments: &[alloc::vec::Vec<u8>], reply: &mut Reply<'_>) -> bool {
    let Some(mut wanted) = arity(command).filter(|_| command != b"quit" && !command.contains(&b'|')) else { return false };
    let mut name = command.to_vec();
    // Each that has others in it has `HELP` among them.
    let is_group = || is_known(&[command, b"|help"].concat());
    if let Some(sub) = arguments.first().filter(|_| is_group()) {
        let full = [command, b"|", &sub.to_ascii_lowercase()].concat();
        let Some(words) = arity(&full) else {
            reply.raw("-ERR unknown subcommand '");
            reply.repeat(sub, REPEATED_BYTES_MAX);
            reply.raw("'. Try ");
            reply.repeat(&command.to_ascii_uppercase(), REPEATED_BYTES_MAX);
            reply.raw(" HELP.\r\n");
            return true;
        };
        (name, wanted) = (full, words);
    }
    // Those of the module for vectors count for themselves.
    let is_vectors = command.starts_with(b"v") && wanted == -1;
    if is_vectors && arguments.is_empty() {
        (name, wanted) = (command.to_ascii_uppercase(), -2);
    }
    let said = i64::try_from(arguments.len()).unwrap_or(i64::MAX - 1) + 1;
    if said == wanted || (wanted < 0 && said >= -wanted) {
        return false;
    }
    reply.raw("-ERR wrong number of arguments for '");
    reply.repeat(&name, REPEATED_BYTES_MAX);
    reply.raw("' command\r\n");
    true
}

/// What `HELP` says of a command.
pub(super) fn help(command: &[u8], reply: &mut Reply<'_>) {
    let mut lines = HELP.lines().skip_while(|line| line.strip_prefix("# ").is_none_or(|group| group.as_bytes() != command));
    lines.next();
    let told = lines.clone().take_while(|line| !line.starts_with("# "));
    reply.raw(&format!("*{}\r\n", told.clone().count()));
    told.for_each(|line| reply.raw(&format!("+{line}\r\n")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec::Vec};

    fn said(words: &[&str]) -> Option<String> {
        let arguments: Vec<Vec<u8>> = words[1..].iter().map(|word| word.as_bytes().to_vec()).collect();
        let mut answer = Vec::new();
        let objects = objection(words[0].as_bytes(), &arguments, &mut Reply { answer: &mut answer, is_resp3: false });
        objects.then(|| String::from_utf8(answer).unwrap())
    }

    #[test]
    fn every_name_is_found_and_they_are_in_order() {
        let all: Vec<(&str, &str)> = ARITY.split_whitespace().map(|entry| entry.split_once(':').unwrap()).collect();
        assert!(all.len() > 300 && all.is_sorted_by(|one, other| one.0 < other.0));
        for (name, words) in all {
            assert_eq!(arity(name.as_bytes()), words.parse().ok(), "{name}");
            assert_eq!(arity(&[name.as_bytes(), b"!"].concat()), None, "{name}");
        }
        assert_eq!((arity(b""), arity(b"a"), arity(b"zzz"), arity(b":")), (None, None, None, None));
    }

    #[test]
    fn words_are_counted_and_what_has_others_in_it_is_looked_into() {
        let wrong = |name: &str| Some(format!("-ERR wrong number of arguments for '{name}' command\r\n"));
        assert_eq!((said(&["get"]), said(&["get", "a"]), said(&["get", "a", "b"])), (wrong("get"), None, wrong("get")));
        assert_eq!(
            (said(&["acl"]), said(&["acl", "WHOAMI"]), said(&["acl", "whoami", "a"])),
            (wrong("acl"), None, wrong("acl|whoami"))
        );
        assert_eq!(said(&["acl", "FOO"]).as_deref(), Some("-ERR unknown subcommand 'FOO'. Try ACL HELP.\r\n"));
        assert_eq!((said(&["foo"]), said(&["quit", "a"]), said(&["ge"]), said(&["acl|whoami:2 b"])), (None, None, None, None));
        assert_eq!((said(&["config|get"]), said(&["config|get", "a"])), (None, None), "unknown");
        assert!(is_known(b"config|get") && !is_command(b"config|get") && is_command(b"config"));
        assert!(is_known(b"vadd") && is_known(b"acl") && is_known(b"zunionstore"));
        assert!([&b""[..], b"et", b"get:2", b"get:2 getbit", b"\xff"].iter().all(|name| !is_known(name)));
    }
}
