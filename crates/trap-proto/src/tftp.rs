//! A TFTP server without a file, which takes what is brought (RFC 1350, 2347): tftpd-hpa of Debian 13.
//!
//! It keeps nothing: each block of an upload is acknowledged by itself, and stands in the evidence by itself.

use crate::{
    Findings,
    datagram::{Datagram, Reply},
};
use alloc::{string::ToString, vec::Vec};
use honeymesh_types::Signs;

const READ: u16 = 1;
const WRITE: u16 = 2;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
/// The words for the first error code.
const NOT_FOUND: &[u8] = b"File not found";
const TOO_LONG: &[u8] = b"File name too long";
const FOLDER: &[u8] = b"Is a directory";
const MISSING_MODE: &[u8] = b"Missing mode";
const UNKNOWN_MODE: &[u8] = b"Unknown mode";
const UNSUPPORTED: &[u8] = b"Unsupported option(s) requested";
/// Opcode of the answer that says which options were agreed to.
const OPTIONS: u8 = 6;
/// The largest block, in octets (RFC 2348).
const BLOCK_BYTES_MAX: u64 = 65_464;
/// The longest name that a file can have, in octets.
const NAME_BYTES_MAX: usize = 255;
/// The longest name, mode or option that is looked for, in octets.
const WORDS_MAX: usize = 16;

/// A TFTP server without a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tftp;

impl Tftp {
    /// A packet and what is said to it.
    pub(crate) fn datagram(self, datagram: &Datagram<'_>) -> Reply {
        let mut findings = Findings::default();
        let Some((opcode, rest)) = datagram.bytes.split_first_chunk() else {
            findings.signs |= Signs::MALFORMED;
            return Reply::silent(findings);
        };
        match u16::from_be_bytes(*opcode) {
            kind @ (READ | WRITE) => request(kind, rest, findings, datagram),
            DATA => block(rest, findings, datagram),
            ACK => {
                findings.note("request", b"acknowledgement");
                Reply::silent(findings)
            }
            ERROR => {
                findings.note("request", b"error");
                Reply::silent(findings)
            }
            _ => {
                findings.signs |= Signs::MALFORMED;
                Reply::silent(findings)
            }
        }
    }
}

/// Names a file, a mode and perhaps options, each ended by a zero.
fn request(kind: u16, rest: &[u8], mut findings: Findings, datagram: &Datagram<'_>) -> Reply {
    findings.note("request", if kind == READ { b"read" } else { b"write" });
    let words: Vec<&[u8]> = rest.split(|byte| *byte == 0).take(WORDS_MAX).collect();
    let [file, mode, options @ ..] = words.as_slice() else {
        findings.signs |= Signs::MALFORMED;
        findings.note("file", rest);
        return Reply::fitting(findings, datagram, errors(4, MISSING_MODE));
    };
    findings.note("file", file);
    findings.note("mode", mode);
    for pair in options.chunks_exact(2) {
        if let Some(name) = option_name(pair[0]) {
            findings.note(name, pair[1]);
        }
    }
    // Whoever writes here changes what others would boot.
    if kind == WRITE {
        findings.signs |= Signs::RULE;
    }
    if file.is_empty() || mode.is_empty() {
        return Reply::fitting(findings, datagram, errors(4, MISSING_MODE));
    }
    if ![&b"octet"[..], b"netascii"].iter().any(|known| mode.eq_ignore_ascii_case(known)) {
        return Reply::fitting(findings, datagram, errors(4, UNKNOWN_MODE));
    }
    let accepted = accepted(options);
    if accepted.is_none() {
        return Reply::fitting(findings, datagram, errors(8, UNSUPPORTED));
    }
    if file.split(|byte| *byte == b'/').any(|part| part.len() > NAME_BYTES_MAX) {
        return Reply::fitting(findings, datagram, errors(0, TOO_LONG));
    }
    if file.iter().all(|byte| matches!(byte, b'/' | b'.')) {
        return Reply::fitting(findings, datagram, errors(0, FOLDER));
    }
    if kind == READ {
        return Reply::fitting(findings, datagram, errors(1, NOT_FOUND));
    }
    let all = accepted.filter(|accepted| !accepted.is_empty()).map(|accepted| [&[0, OPTIONS][..], &accepted].concat());
    Reply::fitting(findings, datagram, all.into_iter().chain([[0, 4, 0, 0].to_vec()]))
}

/// The options that the server agrees to, as it says so (RFC 2347). `None`: one of them it cannot.
fn accepted(options: &[&[u8]]) -> Option<Vec<u8>> {
    let mut accepted = Vec::new();
    for pair in options.chunks_exact(2) {
        let Some(asked) = core::str::from_utf8(pair[1]).ok().and_then(|text| text.parse::<u64>().ok()) else { continue };
        let value = match pair[0].to_ascii_lowercase().as_slice() {
            b"blksize" if asked < 8 => return None,
            b"blksize2" if asked < 8 => return None,
            b"blksize" => asked.min(BLOCK_BYTES_MAX),
            b"blksize2" => 1 << asked.min(BLOCK_BYTES_MAX).ilog2(),
            b"timeout" if !(1..=255).contains(&asked) => return None,
            b"utimeout" if !(10_000..=255_000_000).contains(&asked) => return None,
            b"rollover" if asked > 1 => return None,
            b"tsize" | b"timeout" | b"utimeout" | b"rollover" => asked,
            _ => continue,
        };
        accepted.extend_from_slice(&[pair[0], &[0], value.to_string().as_bytes(), &[0]].concat());
    }
    Some(accepted)
}

/// The options' names as fields; others are in the payload.
fn option_name(name: &[u8]) -> Option<&'static str> {
    ["blksize", "tsize", "timeout", "windowsize"].into_iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

fn block(rest: &[u8], mut findings: Findings, datagram: &Datagram<'_>) -> Reply {
    let Some((number, data)) = rest.split_first_chunk::<2>() else {
        findings.signs |= Signs::MALFORMED;
        return Reply::silent(findings);
    };
    findings.note("request", b"data");
    findings.note("block", u16::from_be_bytes(*number).to_string().as_bytes());
    findings.note("data_bytes", data.len().to_string().as_bytes());
    findings.signs |= Signs::RULE;
    Reply::fitting(findings, datagram, [[0, 4, number[0], number[1]].to_vec()])
}

/// An error with its words, and without them where those would be too long.
fn errors(code: u8, words: &[u8]) -> [Vec<u8>; 2] {
    let head = [0, 5, 0, code];
    [[&head[..], words, &[0]].concat(), [&head[..], &[0]].concat()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(bytes: &[u8]) -> Reply {
        Tftp.datagram(&Datagram { bytes, ..Datagram::default() })
    }

    #[test]
    fn whoever_reads_is_told_that_there_is_none() {
        let asked = reply(b"\0\x01running-config\0octet\0tsize\x000\0");
        assert_eq!(asked.answer, b"\0\x05\0\x01File not found\0");
        let fields = ["request", "file", "mode", "tsize"].map(|name| asked.findings.fields[name].clone());
        assert_eq!((fields, asked.findings.signs), (["read", "running-config", "octet", "0"].map(Into::into), Signs::empty()));
        assert_eq!(reply(b"\0\x01a\0octet\0").answer, b"\0\x05\0\x01\0", "no room for words");
    }

    #[test]
    fn whoever_writes_may_and_each_block_is_taken() {
        let asked = reply(b"\0\x02a.bin\0octet\0");
        assert_eq!((asked.answer.as_slice(), asked.findings.signs), (b"\0\x04\0\0".as_slice(), Signs::RULE));
        let block = reply(b"\0\x03\0\x07\x7fELF");
        assert_eq!((block.answer.as_slice(), block.findings.fields["block"].as_str()), (b"\0\x04\0\x07".as_slice(), "7"));
        assert_eq!(reply(b"\0\x03\0\x08").answer, b"\0\x04\0\x08", "an empty block ends it");
        for bytes in [&b"\0\x04\0\x01"[..], b"\0\x05\0\0x\0", b"\0", b"\0\x09abc", b"\0\x03\0"] {
            assert!(reply(bytes).answer.is_empty(), "{bytes:?}");
        }
    }
}
