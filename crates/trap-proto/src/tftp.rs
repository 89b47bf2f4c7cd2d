//! A TFTP server without a file, which takes what is brought (RFC 1350, 2347): tftpd-hpa of Debian 13.
//!
//! Whatever it says leaves from a port of its own, as the real one does, and whoever may bring a file goes on there ([`upload`]). It keeps
//! nothing: the carrier keeps a few octets for each upload. Each block stands in the evidence by itself.

mod upload;

use crate::{
    Findings,
    datagram::{Datagram, Reply, room},
};
use alloc::{string::ToString, vec::Vec};
use honeymesh_types::Signs;
use upload::{OVER, Upload};

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
/// Which options were agreed to.
const AGREED: u16 = 6;
/// The largest block that is agreed to, in octets: what tftpd-hpa's manual has for `--blocksize` where packets are to come whole through an
/// Ethernet. So all of a block is kept, of which there would be 4,096 octets at most.
const BLOCK_BYTES_MAX: u64 = 1_468;
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
        let opcode = u16::from_be_bytes(*opcode);
        let upload = datagram.transfer.map(Upload::read);
        match (opcode, upload) {
            (READ | WRITE, None) => return request(opcode, rest, findings, datagram),
            (DATA, None) => return Reply::silent(upload::note(rest, datagram).0),
            (DATA, Some(upload)) => return upload.block(rest, datagram),
            (READ, _) => findings.note("request", b"read"),
            (WRITE, _) => findings.note("request", b"write"),
            (ACK, _) => findings.note("request", b"acknowledgement"),
            (ERROR, _) => findings.note("request", b"error"),
            _ => findings.signs |= Signs::MALFORMED,
        }
        match upload {
            Some(_) if opcode == ERROR => Reply::silent(findings).leaving(OVER),
            Some(upload) if matches!(opcode, ACK | AGREED) => upload.silence(findings),
            Some(upload) => upload.other(findings, datagram),
            None => Reply::silent(findings),
        }
    }
}

/// An error, after which nothing more is heard.
fn refused(findings: Findings, datagram: &Datagram<'_>, errors: [Vec<u8>; 2]) -> Reply {
    Reply::fitting(findings, datagram, errors).leaving(OVER)
}

/// Names a file, a mode and perhaps options, each ended by a zero.
fn request(kind: u16, rest: &[u8], mut findings: Findings, datagram: &Datagram<'_>) -> Reply {
    findings.note("request", if kind == READ { b"read" } else { b"write" });
    let words: Vec<&[u8]> = rest.split(|byte| *byte == 0).take(WORDS_MAX).collect();
    let [file, mode, options @ ..] = words.as_slice() else {
        findings.signs |= Signs::MALFORMED;
        findings.note("file", rest);
        return refused(findings, datagram, errors(4, MISSING_MODE));
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
        return refused(findings, datagram, errors(4, MISSING_MODE));
    }
    if ![&b"octet"[..], b"netascii"].iter().any(|known| mode.eq_ignore_ascii_case(known)) {
        return refused(findings, datagram, errors(4, UNKNOWN_MODE));
    }
    let Some(agreed) = agreed(options) else { return refused(findings, datagram, errors(8, UNSUPPORTED)) };
    if file.split(|byte| *byte == b'/').any(|part| part.len() > NAME_BYTES_MAX) {
        return refused(findings, datagram, errors(0, TOO_LONG));
    }
    if file.iter().all(|byte| matches!(byte, b'/' | b'.')) {
        return refused(findings, datagram, errors(0, FOLDER));
    }
    if kind == READ {
        return refused(findings, datagram, errors(1, NOT_FOUND));
    }
    agreed.said(findings, datagram)
}

/// What server and client agreed on.
#[derive(Default)]
struct Agreed {
    upload: Upload,
    /// The options, as the server says them (RFC 2347).
    words: Vec<u8>,
}

impl Agreed {
    /// The file may be brought. Options that cannot be said are none.
    fn said(mut self, findings: Findings, datagram: &Datagram<'_>) -> Reply {
        let all = [&AGREED.to_be_bytes()[..], &self.words].concat();
        if self.words.is_empty() || all.len() > room(datagram) {
            let plain = Upload::default();
            return Reply::fitting(findings, datagram, [upload::acknowledgement(0)]).leaving(plain.waiting());
        }
        self.upload.has_options = true;
        Reply::fitting(findings, datagram, [all]).leaving(self.upload.waiting())
    }
}

/// The options that the server agrees to. `None`: one of them it cannot.
fn agreed(options: &[&[u8]]) -> Option<Agreed> {
    let mut agreed = Agreed::default();
    for pair in options.chunks_exact(2) {
        let Some(asked) = core::str::from_utf8(pair[1]).ok().and_then(|text| text.parse::<u64>().ok()) else { continue };
        let value = match pair[0].to_ascii_lowercase().as_slice() {
            b"blksize" if asked < 8 => return None,
            b"blksize2" if asked < 8 => return None,
            // What is too large becomes the largest, which is no power of two.
            b"blksize2" if asked <= BLOCK_BYTES_MAX => 1 << asked.ilog2(),
            b"blksize" | b"blksize2" => asked.min(BLOCK_BYTES_MAX),
            b"timeout" if !(1..=255).contains(&asked) => return None,
            b"utimeout" if !(10_000..=255_000_000).contains(&asked) => return None,
            b"rollover" if asked > 1 => return None,
            b"tsize" | b"timeout" | b"utimeout" | b"rollover" => asked,
            _ => continue,
        };
        let (upload, small) = (&mut agreed.upload, u32::try_from(value).unwrap_or(u32::MAX));
        match pair[0].to_ascii_lowercase().as_slice() {
            b"blksize" | b"blksize2" => upload.segment = u16::try_from(value).unwrap_or(u16::MAX),
            b"timeout" => upload.timeout_ms = small.saturating_mul(1_000),
            b"utimeout" => upload.timeout_ms = small / 1_000,
            b"rollover" => upload.rollover = u16::from(asked == 1),
            _ => {}
        }
        agreed.words.extend_from_slice(&[pair[0], &[0], value.to_string().as_bytes(), &[0]].concat());
    }
    Some(agreed)
}

/// The options' names as fields; others are in the payload.
fn option_name(name: &[u8]) -> Option<&'static str> {
    ["blksize", "tsize", "timeout", "windowsize"].into_iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// An error with its words, and without them where those would be too long.
fn errors(code: u8, words: &[u8]) -> [Vec<u8>; 2] {
    let head = [0, 5, 0, code];
    [[&head[..], words, &[0]].concat(), [&head[..], &[0]].concat()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TRANSFER_BYTES, Transfer, datagram::Leaves};

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

    /// What is said to a datagram, from which port, and how long it is listened there.
    fn said(bytes: &[u8], transfer: Option<[u8; TRANSFER_BYTES]>) -> (Vec<u8>, Option<Transfer>) {
        let Reply { answer, leaves, .. } = Tftp.datagram(&Datagram { bytes, transfer, ..Datagram::default() });
        match leaves {
            Leaves::Asked => (answer, None),
            Leaves::Own(transfer) => (answer, Some(transfer)),
        }
    }

    #[test]
    fn whatever_it_says_leaves_from_a_port_of_its_own() {
        for asked in [&b"\0\x01running-config\0octet\0"[..], b"\0\x01a-long-name", b"\0\x02a\0octet\0blksize\x007\0"] {
            let (answer, transfer) = said(asked, None);
            assert!(!answer.is_empty());
            assert_eq!(transfer.map(|transfer| transfer.wait_ms), Some(0), "{asked:?}");
        }
        let asked = reply(b"\0\x02a.bin\0octet\0");
        assert_eq!((asked.answer.as_slice(), asked.findings.signs), (b"\0\x04\0\0".as_slice(), Signs::RULE));
        assert_eq!(asked.leaves, Leaves::Own(Upload::default().waiting()));
        let waits = |options: &[u8]| said(&[b"\0\x02a.bin\0octet\0", options].concat(), None).1.map(|transfer| transfer.wait_ms);
        assert_eq!(waits(b""), Some(63_000));
        assert_eq!((waits(b"timeout\x003\0"), waits(b"utimeout\x0010000\0")), (Some(189_000), Some(630)));
    }

    #[test]
    fn no_larger_blocks_are_agreed_to_than_are_kept_whole() {
        let agreed = |option: &str| {
            let asked = [b"\0\x02a.bin\0octet\0", option.as_bytes()].concat();
            let answer = said(&asked, None).0;
            alloc::string::String::from_utf8_lossy(&answer[2..]).replace('\0', " ")
        };
        let table = [
            ("blksize\x001428\0", "blksize 1428 "),
            ("blksize\x0065464\0", "blksize 1468 "),
            ("blksize2\x001468\0", "blksize2 1024 "),
            ("blksize2\x001469\0", "blksize2 1468 "),
        ];
        for (asked, answer) in table {
            assert_eq!(agreed(asked), answer, "{asked:?}");
        }
    }

    #[test]
    fn blocks_are_taken_where_the_answer_came_from_and_nowhere_else() {
        let (_, transfer) = said(b"\0\x02a.bin\0octet\0blksize\x0016\0", None);
        let known = transfer.map(|transfer| transfer.known);
        let block = b"\0\x03\0\x01\x7fELF and so on..";
        assert_eq!(said(block, None), (Vec::new(), None), "of nobody");
        let (answer, transfer) = said(block, known);
        assert_eq!((answer.as_slice(), transfer.map(|transfer| transfer.wait_ms)), (b"\0\x04\0\x01".as_slice(), Some(63_000)));
        let known = transfer.map(|transfer| transfer.known);
        assert_eq!(said(b"\0\x05\0\0x\0", known), (Vec::new(), Some(OVER)), "it gives up");
        for other in [&b"\0\x01a\0octet\0"[..], b"\0\x02a\0octet\0", b"\0\x04\0\x01", b"\0\x06", b"\0", b"", b"\0\x03\0"] {
            assert_eq!(said(other, known), (Vec::new(), None), "{other:?}");
        }
        let (_, transfer) = said(b"\0\x03\0\x02", known);
        assert_eq!(transfer.map(|transfer| transfer.wait_ms), Some(1_000), "an empty block ends it");
        let known = transfer.map(|transfer| transfer.known);
        assert_eq!(said(b"\0\x02a\0octet\0", known), (b"\0\x04\0\x02".to_vec(), Some(OVER)));
        for servers in [&b"\0\x04\0\x02"[..], b"\0\x05\0\0\0", b"\0\x06tsize\x001\0", b"\0\x09"] {
            assert_eq!(said(servers, known), (Vec::new(), Some(OVER)), "{servers:?}");
        }
    }

    #[test]
    fn what_nobody_asks_is_not_answered() {
        for bytes in [&b"\0\x03\0\x01x"[..], b"\0\x04\0\x01", b"\0\x05\0\0x\0", b"\0", b"\0\x09abc", b"\0\x03\0"] {
            assert_eq!(said(bytes, None), (Vec::new(), None), "{bytes:?}");
        }
        let block = reply(b"\0\x03\0\x07\x7fELF").findings;
        assert_eq!((block.fields["block"].as_str(), block.signs), ("7", Signs::RULE));
    }
}
