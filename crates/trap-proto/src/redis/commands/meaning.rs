//! What a command's words mean, whatever is answered: what was offered or wanted is told, even where it was said wrongly or at a moment
//! at which the server takes no such command.

use super::Meaning;
use alloc::vec::Vec;

/// Commands that write, load, run or end something, or want somebody else's data, with whatever stands behind them.
const ABUSES: [&[u8]; 13] = [
    b"slaveof",
    b"replicaof",
    b"eval",
    b"eval_ro",
    b"evalsha",
    b"evalsha_ro",
    b"fcall",
    b"fcall_ro",
    b"flushall",
    b"flushdb",
    b"debug",
    b"migrate",
    b"shutdown",
];
/// The same for what others have in them.
const ABUSES_WITHIN: [(&[u8], &[&[u8]]); 5] = [
    (b"config", &[b"set", b"rewrite"]),
    (b"module", &[b"load", b"loadex", b"unload"]),
    (b"script", &[b"load"]),
    (b"function", &[b"load", b"restore"]),
    (b"acl", &[b"setuser"]),
];

/// What these words mean by themselves. `command` is in small letters.
pub(super) fn meant(command: &[u8], arguments: &[Vec<u8>]) -> Meaning {
    let is_login = match command {
        b"auth" => !arguments.is_empty(),
        b"hello" => arguments.iter().any(|word| word.eq_ignore_ascii_case(b"auth")),
        _ => false,
    };
    let is_within =
        |subs: &[&[u8]]| arguments.first().is_some_and(|sub| subs.iter().any(|known| sub.eq_ignore_ascii_case(known)));
    let is_abuse = ABUSES.contains(&command) || ABUSES_WITHIN.iter().any(|(group, subs)| *group == command && is_within(subs));
    match (is_login, is_abuse) {
        (true, _) => Meaning::Login,
        (_, true) => Meaning::Abuse,
        _ => Meaning::Plain,
    }
}
