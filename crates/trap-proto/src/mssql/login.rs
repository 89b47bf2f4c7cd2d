//! What clients of an SQL Server say before they are let in: the pre-login, `LOGIN7`, and the login of TDS 4.2.

use crate::{Findings, exactly::Reader, wide::narrow};
use alloc::vec::Vec;

/// Options of one pre-login that are looked at.
const OPTIONS_MAX: usize = 16;
/// Where `LOGIN7` says where its parts are.
const PARTS_AT: usize = 36;
/// A part's longest text, in UTF-16 units.
const PART_UNITS_MAX: usize = 512;
/// TDS 4.2: room for each of the first names, in front of their length.
const OLD_NAME_BYTES: usize = 30;

/// The option that tells how much the client wants to be encrypted.
const ENCRYPTION: u8 = 1;

/// The kinds of the options that a client sends, and how much it wants to be encrypted, if it says so; `None` if they are broken.
pub(super) fn options(message: &[u8]) -> Option<(Vec<u8>, Option<u8>)> {
    let mut reader = Reader(message);
    let (mut kinds, mut encryption) = (Vec::new(), None);
    for _ in 0..OPTIONS_MAX {
        let kind = reader.byte()?;
        if kind == 0xff {
            return Some((kinds, encryption));
        }
        let place = reader.bytes(4)?;
        let at = usize::from(u16::from_be_bytes([place[0], place[1]]));
        let bytes = usize::from(u16::from_be_bytes([place[2], place[3]]));
        let value = message.get(at..at + bytes)?;
        kinds.push(kind);
        if kind == ENCRYPTION {
            encryption = value.first().copied();
        }
    }
    None
}

/// Whom a client wants to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) username: Vec<u8>,
    pub(super) password: Vec<u8>,
    /// The protocol's version: `0x74000004` is 7.4, and 0 stands for 4.2.
    pub(super) tds: u32,
    /// The first message of another kind of login, if there is one.
    pub(super) token: Vec<u8>,
}

/// Reads `LOGIN7`, and takes down what it says of the client; `None` if it is broken.
pub(super) fn login7(message: &[u8], findings: &mut Findings) -> Option<Login> {
    let bytes = u32::from_le_bytes(*message.first_chunk()?);
    let message = message.get(..usize::try_from(bytes).ok()?)?;
    let part = |index: usize, unit: usize| {
        let place = message.get(PARTS_AT + index..)?.first_chunk::<4>()?;
        let at = usize::from(u16::from_le_bytes([place[0], place[1]]));
        let units = usize::from(u16::from_le_bytes([place[2], place[3]]));
        if units == 0 {
            return Some(&[][..]);
        }
        message.get(at..at + units * unit)
    };
    let text = |index| part(index, 2).map(|part| narrow(&part[..part.len().min(PART_UNITS_MAX * 2)]));
    let names = [(0, "client_host"), (12, "application"), (16, "server"), (24, "library"), (28, "language"), (32, "database")];
    let token = part(42, 1)?.to_vec();
    let hidden: Vec<u8> = part(8, 2)?.iter().map(|byte| (byte ^ 0xa5).rotate_left(4)).collect();
    let login = Login {
        username: text(4)?,
        password: narrow(&hidden[..hidden.len().min(PART_UNITS_MAX * 2)]),
        tds: u32::from_le_bytes(*message.get(4..)?.first_chunk()?),
        token,
    };
    for (index, name) in names {
        let value = text(index)?;
        if !value.is_empty() {
            findings.note(name, &value);
        }
    }
    Some(login)
}

/// Reads the login of TDS 4.2, which old guessers send; `None` if it is broken.
pub(super) fn old(message: &[u8], findings: &mut Findings) -> Option<Login> {
    let mut reader = Reader(message);
    let mut name = || {
        let room = reader.bytes(OLD_NAME_BYTES)?;
        let bytes = usize::from(reader.byte()?).min(OLD_NAME_BYTES);
        Some(&room[..bytes])
    };
    let (host, username, password) = (name()?, name()?, name()?);
    if !host.is_empty() {
        findings.note("client_host", host);
    }
    Some(Login { username: username.to_vec(), password: password.to_vec(), tds: 0, token: Vec::new() })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wide::wide;

    /// `LOGIN7` in TDS 7.4 with a token, or with a password if that is empty.
    pub(in super::super) fn packet(user: &str, password: &str, token: &[u8]) -> Vec<u8> {
        let hidden: Vec<u8> = wide(password).iter().map(|byte| byte.rotate_left(4) ^ 0xa5).collect();
        let texts =
            [wide("PC1"), wide(user), hidden, wide("sqlcmd"), wide("srv"), Vec::new(), wide("ODBC"), Vec::new(), wide("shop")];
        let (mut places, mut data) = (Vec::new(), Vec::new());
        let mut place = |bytes: &[u8], units: usize| {
            places.extend_from_slice(&u16::try_from(94 + data.len()).unwrap().to_le_bytes());
            places.extend_from_slice(&u16::try_from(units).unwrap().to_le_bytes());
            data.extend_from_slice(bytes);
        };
        for text in &texts {
            place(text, text.len() / 2);
        }
        places.extend_from_slice(&[0; 6]);
        let mut place = |bytes: &[u8], units: usize| {
            places.extend_from_slice(&u16::try_from(94 + data.len()).unwrap().to_le_bytes());
            places.extend_from_slice(&u16::try_from(units).unwrap().to_le_bytes());
            data.extend_from_slice(bytes);
        };
        place(token, token.len());
        places.extend_from_slice(&[0; 12]);
        let length = u32::try_from(94 + data.len()).unwrap();
        [&length.to_le_bytes()[..], &0x7400_0004_u32.to_le_bytes(), &[0; 28], &places, &data].concat()
    }

    #[test]
    fn a_login_is_read_where_it_says_and_its_password_is_laid_open() {
        let mut findings = Findings::default();
        let login = login7(&packet("sa", "Pässw0rd!", b""), &mut findings).unwrap();
        assert_eq!((login.username.as_slice(), login.password.as_slice()), (&b"sa"[..], "Pässw0rd!".as_bytes()));
        let told = ["client_host", "application", "server", "library", "database"].map(|name| findings.fields[name].as_str());
        assert_eq!((told, login.tds), (["PC1", "sqlcmd", "srv", "ODBC", "shop"], 0x7400_0004));
    }

    #[test]
    fn broken_ones_are_told() {
        let whole = packet("sa", "x", b"");
        for bytes in [0, 3, 40, whole.len() - 1] {
            assert_eq!(login7(&whole[..bytes], &mut Findings::default()), None);
        }
        assert_eq!(
            (options(b"\0\0\x06\0\x01\xff\x08"), options(b"\0\0\x06\0\x02\xff\x08"), options(b"\0")),
            (Some(([0].into(), None)), None, None)
        );
        assert_eq!(old(&[b'x'; 60], &mut Findings::default()), None);
    }
}
