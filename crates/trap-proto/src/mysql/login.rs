//! The client's answer to the greeting: who he says he is, and his scramble (`HandshakeResponse41`, and 4.0's).

use crate::exactly::Reader;
use alloc::{boxed::Box, vec::Vec};

/// Attributes of one client.
const ATTRIBUTES_MAX: usize = 32;

const WITH_DATABASE: u32 = 0x8;
const PROTOCOL_41: u32 = 0x200;
const TLS: u32 = 0x800;
/// Flags, the longest packet, the character set, and what is reserved: all that who asks for TLS says. Before 4.1 the flags and the
/// longest packet.
const REQUEST_BYTES: usize = 32;
const OLD_REQUEST_BYTES: usize = 5;
const SECURE_CONNECTION: u32 = 0x8000;
const PLUGIN: u32 = 0x8_0000;
const ATTRIBUTES: u32 = 0x10_0000;
const LENGTH_ENCODED: u32 = 0x20_0000;

/// What a client says when it logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) username: Vec<u8>,
    pub(super) scramble: Vec<u8>,
    pub(super) database: Vec<u8>,
    /// How it scrambled the password; empty if it did not say.
    pub(super) plugin: Vec<u8>,
    /// What it says of itself, as `name=value` with spaces between.
    pub(super) attributes: Vec<u8>,
    /// It knows scrambles of twenty octets.
    pub(super) is_secure: bool,
    /// Its name has an end.
    pub(super) is_named: bool,
}

fn low_flags(packet: &[u8]) -> u32 {
    packet.first_chunk().map_or(0, |flags| u32::from(u16::from_le_bytes(*flags)))
}

/// Whether it comes from a client of 4.1 or later, who is told the state with each error.
pub(super) fn is_new(packet: &[u8]) -> bool {
    low_flags(packet) & PROTOCOL_41 != 0
}

/// Whether a packet without its head asks for TLS (`SSLRequest`): whatever follows in it is not looked at.
pub(super) fn asks_for_tls(packet: &[u8]) -> bool {
    let least = if is_new(packet) { REQUEST_BYTES } else { OLD_REQUEST_BYTES };
    packet.len() >= least && low_flags(packet) & TLS != 0
}

/// The flags that a client says it has, as many of them as it said.
pub(super) fn flags(packet: &[u8]) -> u32 {
    packet.first_chunk().map_or_else(|| low_flags(packet), |flags| u32::from_le_bytes(*flags))
}

/// Reads a packet without its head. An error: it is broken, which gives what stands before the break, and of the scramble what is there.
/// Behind TLS `flags` are those with which that was asked for: its own are not looked at any more.
pub(super) fn read(packet: &[u8], flags: u32) -> Result<Login, Box<Login>> {
    let mut login = Login::default();
    match fill(&mut login, Reader(packet), flags) {
        Some(()) => Ok(login),
        None => Err(Box::new(login)),
    }
}

fn fill(login: &mut Login, mut reader: Reader<'_>, flags: u32) -> Option<()> {
    reader.bytes(2)?;
    if flags & PROTOCOL_41 == 0 {
        // Before 4.1: the longest packet in three bytes, name, scramble.
        reader.bytes(3)?;
        login.username = name(&mut reader, login)?;
        login.scramble = rest_or_text(&mut reader).to_vec();
        return Some(());
    }
    reader.bytes(2)?;
    // The longest packet, the character set, and what is reserved.
    reader.bytes(4 + 1 + 23)?;
    login.is_secure = flags & (SECURE_CONNECTION | PLUGIN) != 0;
    login.username = name(&mut reader, login)?;
    let scramble = scramble(&mut reader, flags);
    login.scramble = scramble.unwrap_or(reader.0).to_vec();
    scramble?;
    if flags & WITH_DATABASE != 0 {
        login.database = rest_or_text(&mut reader).to_vec();
    }
    if flags & PLUGIN != 0 {
        login.plugin = rest_or_text(&mut reader).to_vec();
    }
    if flags & ATTRIBUTES != 0 {
        login.attributes = attributes(&mut reader).unwrap_or_default();
    }
    Some(())
}

/// A name and its end; without one all that is left is the name.
fn name(reader: &mut Reader<'_>, login: &mut Login) -> Option<Vec<u8>> {
    let name = reader.text();
    login.is_named = name.is_some();
    if name.is_none() {
        login.username = reader.0.to_vec();
    }
    name.map(<[u8]>::to_vec)
}

fn scramble<'a>(reader: &mut Reader<'a>, flags: u32) -> Option<&'a [u8]> {
    if flags & LENGTH_ENCODED != 0 {
        return length_encoded(reader);
    }
    if flags & SECURE_CONNECTION != 0 {
        let bytes = usize::from(reader.byte()?);
        return reader.bytes(bytes);
    }
    reader.text()
}

/// Some clients leave out the last text's end.
fn rest_or_text<'a>(reader: &mut Reader<'a>) -> &'a [u8] {
    reader.text().unwrap_or_else(|| core::mem::take(&mut reader.0))
}

/// Bytes with their number in front, in one, two, three or eight bytes.
fn length_encoded<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let bytes = match reader.byte()? {
        bytes @ 0..=250 => usize::from(bytes),
        252 => number(reader.bytes(2)?),
        253 => number(reader.bytes(3)?),
        254 => number(reader.bytes(8)?),
        _ => return None,
    };
    reader.bytes(bytes)
}

/// The last byte counts most.
fn number(bytes: &[u8]) -> usize {
    let number = bytes.iter().rev().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn attributes(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let mut pairs = Reader(length_encoded(reader)?);
    let mut told = Vec::new();
    for _ in 0..ATTRIBUTES_MAX {
        if pairs.0.is_empty() {
            break;
        }
        let (name, value) = (length_encoded(&mut pairs)?, length_encoded(&mut pairs)?);
        let space: &[u8] = if told.is_empty() { b"" } else { b" " };
        told.extend_from_slice(&[space, name, b"=", value].concat());
    }
    Some(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(flags: u32, rest: &[u8]) -> Vec<u8> {
        [&flags.to_le_bytes()[..], &[0; 28], rest].concat()
    }

    fn read_own(packet: &[u8]) -> Result<Login, Box<Login>> {
        read(packet, flags(packet))
    }

    #[test]
    fn each_part_is_read_where_the_flags_say() {
        let all = WITH_DATABASE | PROTOCOL_41 | SECURE_CONNECTION | PLUGIN | ATTRIBUTES;
        let login = read_own(&packet(all, b"root\0\x02\xab\xcdshop\0native\0\x0b\x03_os\x05Linux\0")).unwrap();
        let expected = Login {
            username: b"root".to_vec(),
            scramble: b"\xab\xcd".to_vec(),
            database: b"shop".to_vec(),
            plugin: b"native".to_vec(),
            attributes: Vec::new(),
            is_secure: true,
            is_named: true,
        };
        assert_eq!(login, expected, "broken attributes cost only themselves");
        let told =
            read_own(&packet(PROTOCOL_41 | ATTRIBUTES | LENGTH_ENCODED, b"root\0\xfc\x01\0x\x0a\x03_os\x05Linux")).unwrap();
        assert_eq!((told.scramble.as_slice(), told.attributes.as_slice()), (&b"x"[..], &b"_os=Linux"[..]));
        let old = read_own(b"\x01\0\0\0\0root\0abcdefgh").unwrap();
        assert_eq!((old.username.as_slice(), old.scramble.as_slice()), (&b"root"[..], &b"abcdefgh"[..]));
    }

    #[test]
    fn lengths_are_read_in_each_size() {
        let flags = PROTOCOL_41 | LENGTH_ENCODED;
        for length in [&b"\x02"[..], b"\xfc\x02\0", b"\xfd\x02\0\0", b"\xfe\x02\0\0\0\0\0\0\0"] {
            let login = read_own(&packet(flags, &[b"root\0", length, b"abc"].concat())).unwrap();
            assert_eq!(login.scramble, b"ab", "{length:?}");
        }
    }

    #[test]
    fn broken_packets_are_told_with_what_stands_before_the_break() {
        let (secure, long) = (PROTOCOL_41 | SECURE_CONNECTION, PROTOCOL_41 | LENGTH_ENCODED);
        let table: [(Vec<u8>, &[u8], &[u8]); 8] = [
            (b"".to_vec(), b"", b""),
            (b"\0\x02".to_vec(), b"", b""),
            (packet(PROTOCOL_41, b"root"), b"root", b""),
            (packet(secure, b"root\0"), b"root", b""),
            (packet(secure, b"root\0\x09x"), b"root", b"x"),
            (packet(long, b"root\0\xfd\xff\xff\0xy"), b"root", b"xy"),
            (packet(long, b"root\0\xfe\x01\0\0\0\x01\0\0\0xy"), b"root", b"xy"),
            (packet(long, b"root\0\xfbxy"), b"root", b"xy"),
        ];
        for (bytes, username, scramble) in table {
            let login = read_own(&bytes).unwrap_err();
            assert_eq!((login.username.as_slice(), login.scramble.as_slice()), (username, scramble), "{bytes:?}");
        }
    }
}
