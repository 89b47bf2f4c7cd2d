//! Which of a fresh MariaDB's accounts refuses somebody, and how it writes his name.
//!
//! Debian's has three: `mariadb.sys` with a password that is none, and `root` and `mysql`, who may also come through the socket. Who is
//! nobody is refused by one of them, which his name's hash picks, so that guessers learn nothing (`find_mpvio_user` in `sql_acl.cc`).

use alloc::{format, string::String};

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 128;
/// Accounts, in the server's order; the first of them has a password alone.
const ACCOUNTS: u64 = 3;

/// Whether the account behind this name has the socket, too: then no password is spoken of.
pub(super) fn has_socket(user: &[u8]) -> bool {
    match user {
        b"root" | b"mysql" => true,
        b"mariadb.sys" => false,
        _ => !hash(user).is_multiple_of(ACCOUNTS),
    }
}

/// The hash of a name in `latin1_swedish_ci`.
fn hash(name: &[u8]) -> u64 {
    let end = name.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    let step = |(sum, place): (u64, u64), byte: &u8| {
        let added = ((sum & 63) + place).wrapping_mul(u64::from(weight(*byte))).wrapping_add(sum << 8);
        (sum ^ added, place + 3)
    };
    name[..end].iter().fold((1, 4), step).0
}

/// Letters that only their case or an accent tells apart are one.
const fn weight(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => byte - 32,
        0xc0..=0xc3 | 0xe0..=0xe3 => b'A',
        0xc4 | 0xc6 | 0xe4 | 0xe6 => 92,
        0xc5 | 0xe5 => 91,
        0xc7 | 0xe7 => b'C',
        0xc8..=0xcb | 0xe8..=0xeb => b'E',
        0xcc..=0xcf | 0xec..=0xef => b'I',
        0xd0 | 0xf0 => b'D',
        0xd1 | 0xf1 => b'N',
        0xd2..=0xd5 | 0xf2..=0xf5 => b'O',
        0xd6 | 0xf6 => 93,
        0xd9..=0xdb | 0xf9..=0xfb => b'U',
        0xdc | 0xdd | 0xfc | 0xfd => b'Y',
        0xfe => 222,
        _ => byte,
    }
}

/// A name as its errors repeat it.
pub(super) fn shown(user: &[u8]) -> String {
    let mut shown = String::new();
    let mut chars = 0;
    for chunk in user.utf8_chunks() {
        let broken = chunk.invalid().iter().map(|_| '?');
        for char in chunk.valid().chars().chain(broken).take(NAME_CHARS_MAX - chars) {
            chars += 1;
            match char {
                '\t' | '\n' | '\r' | ' '..='~' | '\u{80}'.. => shown.push(char),
                _ => shown.push_str(&format!("\\{:04X}", u32::from(char))),
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each was said to a real MariaDB 11.8.9 with a fourth account, which has a password alone, too.
    #[test]
    fn a_name_of_nobodys_picks_the_account_that_a_real_server_picks() {
        let picked = |name: &[u8]| matches!(hash(name) % 4, 1 | 2);
        for name in [&b""[..], b"a\nb", &[b'u'; 100], b"mysqld", b"db", b"c", b"d", b"web", b"developer", b"\xe2\x82\xac"] {
            assert!(picked(name), "{name:?}");
        }
        for name in [&b"admin"[..], b"test", b"Admin", b"ROOT", b"postgres", b"sa", b"caf\xc3\xa9", b"trailing "] {
            assert!(!picked(name), "{name:?}");
        }
        assert_eq!(["root", "mysql", "mariadb.sys"].map(|name| has_socket(name.as_bytes())), [true, true, false]);
    }

    #[test]
    fn a_name_is_written_as_the_server_writes_it() {
        assert_eq!(shown(b"a\xff\x01b\x1b\x7f\n'"), "a?\\0001b\\001B\\007F\n'");
        assert_eq!(shown(&[b'u'; 300]).len(), NAME_CHARS_MAX);
        assert_eq!(shown("é".repeat(200).as_bytes()).chars().count(), NAME_CHARS_MAX);
    }
}
