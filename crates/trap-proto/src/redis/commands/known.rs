//! Which commands a Redis 8.0.2 knows, how many words each takes, to which categories it belongs, and what it says of them.

use super::{REPEATED_BYTES_MAX, Reply};
use alloc::{format, vec::Vec};
use core::cmp::Ordering;

/// Names with so many words, or at least so many where the number is below nought, as `COMMAND` tells them; behind those its
/// categories, a bit for each of [`CATEGORIES`] in hexadecimal digits, and one more if others are in it: each such has `HELP` among them.
const ARITY: &str = include_str!("arity.txt");
/// What `HELP` says of each that has others in it.
const HELP: &str = include_str!("help.txt");
/// Categories of commands, as `ACL CAT` tells them.
pub(super) const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// The bit of those that have others in them.
const HAS_PARTS: u32 = 1 << CATEGORIES.len();

/// A command, or a part of one, as the server calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// `config|get`.
    pub(super) name: Vec<u8>,
    /// Its words; at least so many where below nought.
    words: i64,
    categories: u32,
}

/// Why some words are no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is none of this name.
    Command,
    /// The command has no part of this name.
    Part,
    /// This one takes another number of words.
    Words(Vec<u8>),
}

impl Named {
    /// The command of this name, or the part: `config|get`.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let (words, categories) = entry(name)?;
        // Those of the module for vectors call themselves so.
        let name = if words == -1 && name.starts_with(b"v") { name.to_ascii_uppercase() } else { name.to_vec() };
        Some(Self { name, words, categories })
    }

    /// The one that is said with these words. `command` is in small letters.
    pub(super) fn said(command: &[u8], arguments: &[Vec<u8>]) -> Result<Self, Fault> {
        let whole = Self::of(command).filter(|_| !command.contains(&b'|')).ok_or(Fault::Command)?;
        let named = match arguments.first().filter(|_| whole.categories & HAS_PARTS != 0) {
            Some(part) => Self::of(&[command, b"|", &part.to_ascii_lowercase()].concat()).ok_or(Fault::Part)?,
            None => whole,
        };
        let said = i64::try_from(arguments.len()).unwrap_or(i64::MAX - 1) + 1;
        let is_sound = said == named.words || (named.words < 0 && said >= -named.words);
        if is_sound { Ok(named) } else { Err(Fault::Words(named.name)) }
    }

    pub(super) const fn is_in(&self, category: usize) -> bool {
        self.categories >> category & 1 != 0
    }
}

/// How many words this command takes, and its categories; `None`: there is none of this name. By halves, for the names are in order
/// and most of what a flood says is none of them.
fn entry(name: &[u8]) -> Option<(i64, u32)> {
    let (text, is_blank) = (ARITY.as_bytes(), u8::is_ascii_whitespace);
    let (mut low, mut high) = (0, text.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let begin = text[low..middle].iter().rposition(is_blank).map_or(low, |blank| low + blank + 1);
        let end = text[middle..].iter().position(is_blank).map_or(text.len(), |blank| middle + blank);
        let (known, rest) = ARITY.get(begin..end)?.split_once(':').unwrap_or_default();
        match known.as_bytes().cmp(name) {
            Ordering::Less => low = end + 1,
            Ordering::Greater => high = begin,
            Ordering::Equal => {
                let (words, categories) = rest.split_once(':')?;
                return Some((words.parse().ok()?, u32::from_str_radix(categories, 16).ok()?));
            }
        }
    }
    None
}

/// The commands of a category, and the parts of some.
pub(super) fn within(category: usize) -> Vec<&'static [u8]> {
    let is_in = |digits: &str| u32::from_str_radix(digits, 16).is_ok_and(|bits| bits >> category & 1 != 0);
    let name = |entry: &'static str| entry.split_once(':').map(|(name, _)| name.as_bytes());
    let of = |entry: &&'static str| entry.rsplit_once(':').is_some_and(|(_, digits)| is_in(digits));
    ARITY.split_ascii_whitespace().filter(of).filter_map(name).collect()
}

/// Whether it is one, or a part of one as it is told of: `config|get`.
pub(super) fn is_known(command: &[u8]) -> bool {
    entry(command).is_some()
}

/// Whether others are in it.
pub(super) fn has_parts(command: &[u8]) -> bool {
    entry(command).is_some_and(|(_, bits)| bits & HAS_PARTS != 0)
}

/// What the server has against a command before it looks at what it is about. `command` is in small letters.
pub(super) fn objection(command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
    match Named::said(command, arguments) {
        Ok(_) | Err(Fault::Command) => return false,
        Err(Fault::Part) => {
            reply.raw("-ERR unknown subcommand '");
            arguments.iter().take(1).for_each(|part| reply.repeat(part, REPEATED_BYTES_MAX));
            reply.raw("'. Try ");
            reply.repeat(&command.to_ascii_uppercase(), REPEATED_BYTES_MAX);
            reply.raw(" HELP.\r\n");
        }
        Err(Fault::Words(name)) => return wrong_words(&name, reply),
    }
    true
}

/// Says that this one takes another number of words: so it was one.
pub(super) fn wrong_words(name: &[u8], reply: &mut Reply<'_>) -> bool {
    reply.raw("-ERR wrong number of arguments for '");
    reply.repeat(name, REPEATED_BYTES_MAX);
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
            let (words, categories) = words.split_once(':').unwrap();
            assert_eq!(
                entry(name.as_bytes()),
                Some((words.parse().unwrap(), u32::from_str_radix(categories, 16).unwrap())),
                "{name}"
            );
            assert_eq!(has_parts(name.as_bytes()), is_known(format!("{name}|help").as_bytes()), "{name}");
            assert_eq!(entry(&[name.as_bytes(), b"!"].concat()), None, "{name}");
        }
        assert_eq!((entry(b""), entry(b"a"), entry(b"zzz"), entry(b":")), (None, None, None, None));
        let sizes: Vec<usize> = (0..CATEGORIES.len()).map(|category| within(category).len()).collect();
        assert_eq!(
            (sizes.iter().sum::<usize>(), sizes[20], within(19)),
            (1_027, 21, ["discard", "exec", "multi", "unwatch", "watch"].map(str::as_bytes).to_vec())
        );
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
        assert!(is_known(b"config|get") && Named::said(b"config|get", &[]) == Err(Fault::Command));
        assert!(is_known(b"vadd") && is_known(b"acl") && is_known(b"zunionstore"));
        assert!([&b""[..], b"et", b"get:2", b"get:2 getbit", b"\xff"].iter().all(|name| !is_known(name)));
    }
}
