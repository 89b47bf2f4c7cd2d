//! User names and passwords, as login forms and HTTP's Basic scheme send them.

use crate::text::unbase64;
use alloc::vec::Vec;

/// Pairs of a form that are looked at.
const PAIRS_MAX: usize = 64;
/// The longest decoded name or value, in bytes.
const VALUE_BYTES_MAX: usize = 1_024;

const USER_KEYS: [&str; 18] = [
    "username",
    "user",
    "login",
    "log",
    "email",
    "name",
    "uname",
    "user_name",
    "userid",
    "user_id",
    "usr",
    "account",
    "uid",
    "pma_username",
    "luci_username",
    "j_username",
    "_user",
    "loginname",
];
const PASSWORD_KEYS: [&str; 16] = [
    "password",
    "pass",
    "passwd",
    "pwd",
    "psw",
    "pw",
    "passwort",
    "user_password",
    "userpassword",
    "pma_password",
    "luci_password",
    "j_password",
    "_pass",
    "login_password",
    "secret",
    "passw",
];

/// What was offered to log in with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) username: Option<Vec<u8>>,
    pub(super) password: Option<Vec<u8>>,
}

/// The credentials of an `Authorization: Basic` header's value; `None` if it is another scheme or broken.
pub(super) fn basic(value: &[u8]) -> Option<Credentials> {
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = unbase64(encoded)?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(Credentials { username: Some(decoded[..colon].to_vec()), password: Some(decoded[colon + 1..].to_vec()) })
}

/// What other schemes tell: the name in Digest, the key's name in Amazon's, and a bearer's token, which is a password alone.
pub(super) fn other_scheme(value: &[u8]) -> Option<Credentials> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at(space);
    let rest = rest.trim_ascii();
    let after = |mark: &[u8], end: u8| {
        let at = memchr::memmem::find(rest, mark)? + mark.len();
        rest.get(at..)?.split(|byte| *byte == end).next().map(<[u8]>::to_vec)
    };
    match scheme.to_ascii_lowercase().as_slice() {
        b"bearer" | b"token" | b"apikey" => Some(Credentials { username: None, password: Some(rest.to_vec()) }),
        b"digest" => Some(Credentials { username: after(b"username=\"", b'"'), password: after(b"response=\"", b'"') }),
        b"aws4-hmac-sha256" => Some(Credentials { username: after(b"Credential=", b'/'), password: after(b"Signature=", b',') }),
        b"aws" => {
            let mut parts = rest.splitn(2, |byte| *byte == b':').map(<[u8]>::to_vec);
            Some(Credentials { username: parts.next(), password: parts.next() })
        }
        _ => None,
    }
}

/// The credentials of a JSON object, whatever its members are called.
pub(super) fn json(body: &[u8]) -> Credentials {
    let first = |keys: &[&str]| keys.iter().find_map(|key| super::json::member(body, key));
    Credentials { username: first(&USER_KEYS), password: first(&PASSWORD_KEYS) }
}

/// The credentials of a form (`application/x-www-form-urlencoded`), whatever its fields are called.
pub(super) fn form(body: &[u8]) -> Credentials {
    let mut found = Credentials::default();
    for pair in body.split(|byte| *byte == b'&').take(PAIRS_MAX) {
        let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let key = decoded(&pair[..equals]).to_ascii_lowercase();
        let value = decoded(pair.get(equals + 1..).unwrap_or_default());
        if is_one_of(&USER_KEYS, &key) {
            found.username.get_or_insert(value);
        } else if is_one_of(&PASSWORD_KEYS, &key) {
            found.password.get_or_insert(value);
        }
    }
    found
}

fn is_one_of(keys: &[&str], key: &[u8]) -> bool {
    keys.iter().any(|known| known.as_bytes() == key)
}

/// Percent and plus decoded; what is no escape stays as it is.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        if bytes.len() >= VALUE_BYTES_MAX {
            break;
        }
        let (byte, behind) = match (first, behind) {
            (b'+', _) => (b' ', behind),
            (b'%', [high, low, further @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, further),
                _ => (b'%', behind),
            },
            _ => (*first, behind),
        };
        bytes.push(byte);
        rest = behind;
    }
    bytes
}

pub(super) const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(username: Option<&str>, password: Option<&str>) -> Credentials {
        Credentials {
            username: username.map(|text| text.as_bytes().to_vec()),
            password: password.map(|text| text.as_bytes().to_vec()),
        }
    }

    #[test]
    fn forms_give_credentials_under_many_names() {
        let table: [(&[u8], Credentials); 9] = [
            (b"username=admin&password=secret", pair(Some("admin"), Some("secret"))),
            (b"LOG=admin&PWD=a%20b%2Bc+d&x=y", pair(Some("admin"), Some("a b+c d"))),
            (b"pma_username=root&pma_password=", pair(Some("root"), Some(""))),
            (b"password=one&password=two", pair(None, Some("one"))),
            (b"user", pair(Some(""), None)),
            (b"%75ser=x", pair(Some("x"), None)),
            (b"pass=%zz%4&", pair(None, Some("%zz%4"))),
            (b"csrf=1&other=2", pair(None, None)),
            (b"", pair(None, None)),
        ];
        for (body, credentials) in table {
            assert_eq!(form(body), credentials, "{body:?}");
        }
    }

    #[test]
    fn other_schemes_and_json_give_credentials() {
        let table: [(&[u8], Option<Credentials>); 5] = [
            (b"Bearer eyJh.x", Some(pair(None, Some("eyJh.x")))),
            (
                b"AWS4-HMAC-SHA256 Credential=AKIA1/20261130/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=ab",
                Some(pair(Some("AKIA1"), Some("ab"))),
            ),
            (b"AWS AKIA1:c2ln", Some(pair(Some("AKIA1"), Some("c2ln")))),
            (b"Digest username=\"root\", realm=\"x\", response=\"12\"", Some(pair(Some("root"), Some("12")))),
            (b"Negotiate abc", None),
        ];
        for (value, credentials) in table {
            assert_eq!(other_scheme(value), credentials);
        }
        assert_eq!(json(b"{\"data\":{\"username\":\"a\",\"password\":\"b\"}}"), pair(Some("a"), Some("b")));
    }

    #[test]
    fn a_form_is_looked_at_within_bounds() {
        let many = b"a=b&".repeat(PAIRS_MAX);
        assert_eq!(form(&[many.as_slice(), b"user=late"].concat()), Credentials::default());
        let long = [b"user=".as_slice(), &[b'x'; 5_000]].concat();
        assert_eq!(form(&long).username.map(|name| name.len()), Some(VALUE_BYTES_MAX));
    }

    #[test]
    fn basic_credentials_are_decoded_with_and_without_padding() {
        let table: [(&[u8], Option<Credentials>); 8] = [
            (b"Basic YWRtaW46c2VjcmV0", Some(pair(Some("admin"), Some("secret")))),
            (b"basic  cm9vdDphOmI=", Some(pair(Some("root"), Some("a:b")))),
            (b"BASIC cm9vdDphOmI", Some(pair(Some("root"), Some("a:b")))),
            (b"Basic Og==", Some(pair(Some(""), Some("")))),
            (b"Basic YWRtaW4=", None),
            (b"Basic !!!", None),
            (b"Bearer x", None),
            (b"", None),
        ];
        for (value, credentials) in table {
            assert_eq!(basic(value), credentials, "{value:?}");
        }
    }
}
