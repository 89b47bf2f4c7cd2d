//! JA4 and JA3 of a hello.
//!
//! The method of JA4 for TLS clients is FoxIO's, under the BSD 3-clause licence:
//!
//! Copyright (c) 2023, FoxIO. All rights reserved. Redistribution and use in source and binary forms, with or without
//! modification, are permitted provided that the following conditions are met: 1. Redistributions of source code must retain
//! the above copyright notice, this list of conditions and the following disclaimer. 2. Redistributions in binary form must
//! reproduce the above copyright notice, this list of conditions and the following disclaimer in the documentation and/or
//! other materials provided with the distribution. 3. Neither the name of the copyright holder nor the names of its
//! contributors may be used to endorse or promote products derived from this software without specific prior written
//! permission. THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED
//! WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE
//! ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
//! SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES;
//! LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN
//! CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE,
//! EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
//!
//! The other methods of the JA4+ family are under another licence and not used.

use super::Hello;
use crate::text::hex;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use md5::Md5;
use sha2::{Digest, Sha256};

/// Digits of a digest that are kept.
const DIGEST_DIGITS: usize = 12;
/// What stands for the digest of nothing.
const NOTHING: &str = "000000000000";
/// Counts are written with two digits.
const COUNT_MAX: usize = 99;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

/// JA4 over TCP.
pub(super) fn ja4(hello: &Hello) -> String {
    let (mut ciphers, extensions) = (without_grease(&hello.ciphers), without_grease(&hello.extensions));
    let addressed = if hello.extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
    let counts = format!("{:02}{:02}", ciphers.len().min(COUNT_MAX), extensions.len().min(COUNT_MAX));
    ciphers.sort_unstable();
    let head = format!("t{}{addressed}{counts}{}", version(hello), alpn(hello));
    format!("{head}_{}_{}", digest(&listed(&ciphers)), digest(&described(&extensions, &without_grease(&hello.signatures))))
}

/// The sorted extensions, and the signature algorithms in their order.
fn described(extensions: &[u16], signatures: &[u16]) -> String {
    let mut sorted: Vec<u16> = extensions.iter().copied().filter(|kind| !matches!(*kind, SERVER_NAME | ALPN)).collect();
    sorted.sort_unstable();
    let signatures = if signatures.is_empty() { String::new() } else { format!("_{}", listed(signatures)) };
    listed(&sorted) + &signatures
}

fn listed(numbers: &[u16]) -> String {
    numbers.iter().map(|number| format!("{number:04x}")).collect::<Vec<_>>().join(",")
}

fn digest(text: &str) -> String {
    if text.is_empty() {
        return NOTHING.into();
    }
    let mut digits = hex(&Sha256::digest(text));
    digits.truncate(DIGEST_DIGITS);
    digits
}

/// The highest version offered.
pub(super) fn newest(hello: &Hello) -> u16 {
    without_grease(&hello.versions).into_iter().max().unwrap_or(hello.version)
}

fn version(hello: &Hello) -> &'static str {
    match newest(hello) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// The first and the last character of the first protocol, or of its hexadecimal form if one of them is no letter or digit.
fn alpn(hello: &Hello) -> String {
    let name = hello.alpn.first().map(Vec::as_slice).unwrap_or_default();
    match (name.first(), name.last()) {
        (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => {
            [char::from(*first), char::from(*last)].iter().collect()
        }
        (Some(first), Some(last)) => [&hex(&[*first])[..1], &hex(&[*last])[1..]].concat(),
        _ => "00".into(),
    }
}

/// Numbers that clients strew in at random so that servers get used to unknown ones (RFC 8701).
const fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

fn without_grease(numbers: &[u16]) -> Vec<u16> {
    numbers.iter().copied().filter(|number| !is_grease(*number)).collect()
}

/// JA3: everything in its order.
pub(super) fn ja3(hello: &Hello) -> String {
    let list = |numbers: &[u16]| without_grease(numbers).iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
    let formats: Vec<u16> = hello.point_formats.iter().copied().map(u16::from).collect();
    let text = [
        hello.version.to_string(),
        list(&hello.ciphers),
        list(&hello.extensions),
        list(&hello.groups),
        // Formats are no place for strewn numbers, but none of them looks like one.
        list(&formats),
    ]
    .join(",");
    hex(&Md5::digest(text))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        Findings,
        tls::{Heard, HelloReader},
    };

    fn numbers(list: &str) -> Vec<u16> {
        list.split(',').map(|number| u16::from_str_radix(number, 16).unwrap()).collect()
    }

    fn counted(content: &[u8]) -> Vec<u8> {
        [&u16::try_from(content.len()).unwrap().to_be_bytes()[..], content].concat()
    }

    fn bytes(numbers: &[u16]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    /// A hello with these extensions, in records of at most `record` bytes.
    fn hello(version: u16, ciphers: &[u16], extensions: &[(u16, Vec<u8>)], record: usize) -> Vec<u8> {
        let extensions: Vec<u8> =
            extensions.iter().flat_map(|(kind, content)| [&kind.to_be_bytes()[..], &counted(content)].concat()).collect();
        let message =
            [&version.to_be_bytes()[..], &[7; 32], &[0], &counted(&bytes(ciphers)), &[1, 0], &counted(&extensions)].concat();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let message = [&[1], &length[1..], &message].concat();
        message.chunks(record).flat_map(|part| [&[0x16, 3, 1][..], &counted(part)].concat()).collect()
    }

    /// Chrome's, as in FoxIO's description of the method.
    pub(crate) fn chrome(record: usize) -> Vec<u8> {
        let ciphers = numbers("2a2a,1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035");
        let signatures = numbers("0403,0804,0401,0503,0805,0501,0806,0601");
        let plain = |kind: u16| (kind, Vec::new());
        let extensions = [
            plain(0x8a8a),
            (0x0000, counted(&[&[0][..], &counted(b"example.org")].concat())),
            plain(0x0017),
            plain(0xff01),
            (0x000a, counted(&bytes(&[0x7a7a, 29, 23, 24]))),
            (0x000b, [1, 0].to_vec()),
            plain(0x0023),
            (0x0010, counted(b"\x02h2\x08http/1.1")),
            plain(0x0005),
            (0x000d, counted(&bytes(&signatures))),
            plain(0x0012),
            plain(0x0033),
            plain(0x002d),
            (0x002b, [&[6][..], &bytes(&[0xdada, 0x0304, 0x0303])].concat()),
            plain(0x001b),
            plain(0x4469),
            plain(0x0015),
        ];
        hello(0x0303, &ciphers, &extensions, record)
    }

    fn read(bytes: &[u8]) -> Option<Hello> {
        let mut reader = HelloReader::default();
        for (index, byte) in bytes.iter().enumerate() {
            match reader.push(*byte) {
                Heard::More => {}
                Heard::Whole => {
                    assert_eq!(index + 1, bytes.len(), "it ends where its last record ends");
                    return reader.hello();
                }
                Heard::Other => return None,
            }
        }
        None
    }

    #[test]
    fn the_published_example_has_its_published_fingerprint() {
        for record in [20_000, 100, 7] {
            let hello = read(&chrome(record)).unwrap();
            assert_eq!(hello.ja4(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
            let mut findings = Findings::default();
            hello.note(&mut findings);
            assert_eq!((findings.fields["sni"].as_str(), findings.fields["alpn"].as_str()), ("example.org", "h2,http/1.1"));
            assert_eq!(findings.fields["ja3"].len(), 32);
        }
    }

    /// The published digest of the same extensions without signature algorithms, and the published special cases.
    #[test]
    fn what_is_missing_is_written_as_the_method_says() {
        let plain = |list: &str| numbers(list).into_iter().map(|kind| (kind, Vec::new())).collect::<Vec<_>>();
        let extensions = plain("0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01");
        let of = |version, ciphers: &[u16], extensions: &[(u16, Vec<u8>)]| {
            read(&hello(version, ciphers, extensions, 20_000)).unwrap().ja4()
        };
        assert_eq!(of(0x0303, &[], &extensions), "t12i001400_000000000000_6d807ffa2a79");
        assert_eq!(of(0x0301, &[], &[]), "t10i000000_000000000000_000000000000");
        let alpn = |name: &[u8]| {
            let list = [&[u8::try_from(name.len()).unwrap()], name].concat();
            of(0x0300, &[], &[(0x0010, counted(&list))])[8..10].to_string()
        };
        let table: [(&[u8], &str); 7] = [
            (b"http/1.1", "h1"),
            (b"x", "xx"),
            (b"", "00"),
            (b"\xab", "ab"),
            (b"\xab\xcd", "ad"),
            (b"\x30\xab", "3b"),
            (b"\x30\x31\xab\xcd", "3d"),
        ];
        for (name, letters) in table {
            assert_eq!(alpn(name), letters, "{name:?}");
        }
        let many: Vec<u16> = (0x1000..0x1100).collect();
        assert!(of(0x0303, &many, &[]).starts_with("t12i990000_"));
    }

    /// Salesforce's own example of the method.
    #[test]
    fn ja3_is_the_digest_of_what_its_description_lists() {
        let hello = Hello {
            version: 769,
            ciphers: alloc::vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            extensions: alloc::vec![0, 10, 11],
            groups: alloc::vec![23, 24, 25],
            point_formats: alloc::vec![0],
            ..Hello::default()
        };
        assert_eq!(hello.ja3(), "ada70206e40642a3e4461f35503241d5");
    }

    #[test]
    fn what_is_no_hello_is_known_at_once_and_nothing_grows_without_bound() {
        let table: [&[u8]; 7] = [
            b"GET / HTTP/1.1",
            b"\x16\x02\x01\0\x05\x01",
            b"\x16\x03\x01\0\0",
            b"\x16\x03\x01\0\x05\x02\0\0\x01\0",
            b"\x16\x03\x01\0\x01\x01\x15",
            b"\x16\x03\x01\0\x04\x01\0\0\0",
            b"\x16\x03\x01\0\x05\x01\0\0\x01\x03",
        ];
        for bytes in table {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
        let mut reader = HelloReader::default();
        let endless = b"\x16\x03\x01\x40\0\x01\xff\xff\xff".iter().copied().chain(core::iter::repeat(0));
        let heard = endless.map(|byte| reader.push(byte)).position(|heard| heard == Heard::Other);
        assert_eq!(heard, Some(crate::tls::HELLO_BYTES_MAX));
    }
}
