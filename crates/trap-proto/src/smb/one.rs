//! SMB 1 (MS-CIFS, MS-SMB), which hardly anybody but scanners and worms speaks any more.

use super::{
    message::{NAME_BYTES_MAX, Who, length, note_share, send, short, status},
    session::SmbSession,
    two::ANY_DIALECT,
};
use crate::{
    Flow,
    exactly::Reader,
    ntlm::{Answer, filetime},
    spnego,
    text::hex,
    wide::{narrow, wide},
};
use alloc::{format, vec::Vec};
use honeymesh_types::{Signs, WallTime};

const HEAD_BYTES: usize = 32;
/// Dialects of one negotiation that are looked at.
const DIALECTS_MAX: usize = 32;
/// The longest echo, in bytes.
const ECHO_BYTES_MAX: usize = 1_024;

const UNICODE: u16 = 0x8000;
const EXTENDED: u16 = 0x0800;
/// Long names, extended attributes, codes of 32 bits.
const FLAGS: u16 = 0x4003;
/// What Samba says it can, for clients that log in by SPNEGO, and for others.
const CAPABILITIES: u32 = 0x8080_f3fd;
const CAPABILITIES_OLD: u32 = 0x0080_f3fd;

/// One request, taken apart.
struct Request<'a> {
    command: u8,
    flags: u16,
    user: u16,
    head: &'a [u8],
    words: &'a [u8],
    data: &'a [u8],
    /// Where the data begins, from the message's first byte on: text is aligned by that.
    data_at: usize,
}

impl<'a> Request<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let head = message.get(..HEAD_BYTES)?;
        let mut reader = Reader(&message[HEAD_BYTES..]);
        let words = usize::from(reader.byte()?);
        let words = reader.bytes(words * 2)?;
        let bytes = usize::from(short(&mut reader)?);
        let data = reader.bytes(bytes.min(reader.0.len()))?;
        Some(Self {
            command: head[4],
            flags: u16::from_le_bytes([head[10], head[11]]),
            user: u16::from_le_bytes([head[28], head[29]]),
            head,
            words,
            data,
            data_at: HEAD_BYTES + 1 + words.len() + 2,
        })
    }

    fn word(&self, index: usize) -> Option<u16> {
        self.words.get(index * 2..)?.first_chunk().map(|pair| u16::from_le_bytes(*pair))
    }

    /// Texts of the data from here on, in the encoding that the head says: as many as are there, empty ones else.
    fn texts<const N: usize>(&self, at: usize) -> [Vec<u8>; N] {
        let mut reader = Reader(self.data.get(at..).unwrap_or_default());
        let is_wide = self.flags & UNICODE != 0;
        if is_wide && (self.data_at + at) % 2 == 1 {
            let _ = reader.byte();
        }
        core::array::from_fn(|_| if is_wide { wide_text(&mut reader) } else { reader.text().unwrap_or_default().to_vec() })
    }
}

impl SmbSession {
    /// One message; `None` if it is broken.
    pub(super) fn one(&mut self, message: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let request = Request::read(message)?;
        match request.command {
            0x72 => return self.negotiate_one(&request, now, answer),
            0x73 => return self.session_setup_one(&request, now, answer),
            0x2b => {
                let echo = &request.data[..request.data.len().min(ECHO_BYTES_MAX)];
                reply(&request, status::SUCCESS, 0, 0, &[1, 0], echo, answer);
                return Some(Flow::Continue);
            }
            // What belongs to requests that were refused.
            0x26 | 0x33 | 0xa1 => return Some(Flow::Continue),
            _ if self.who != Who::Nobody || u32::from(request.user) != self.id & 0xffff => {
                refuse(&request, status::BAD_UID, answer);
                return Some(Flow::Continue);
            }
            0x75 => return self.tree_connect_one(&request, answer),
            0x71 | 0x74 => reply(&request, status::SUCCESS, request.user, 1, &[], &[], answer),
            0x25 => return self.transaction(&request, answer),
            0x32 => return self.transaction2(&request, answer),
            0xa0 => return self.nt_transaction(&request, answer),
            0xa2 => {
                let [name] = request.texts(0);
                self.findings.note("file", &name);
                refuse(&request, status::ACCESS_DENIED, answer);
                return Some(Flow::Telling);
            }
            _ => refuse(&request, status::NOT_IMPLEMENTED, answer),
        }
        Some(Flow::Continue)
    }

    fn negotiate_one(&mut self, request: &Request<'_>, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let mut reader = Reader(request.data);
        let mut dialects = Vec::new();
        while dialects.len() < DIALECTS_MAX && !reader.0.is_empty() {
            (reader.byte()? == 2).then_some(())?;
            dialects.push(reader.text()?);
        }
        self.findings.note("dialects", &dialects.join(&b", "[..]));
        let index = |name: &[u8]| dialects.iter().position(|dialect| *dialect == name);
        if index(b"SMB 2.???").is_some() {
            self.negotiated_from_one(ANY_DIALECT, now, answer);
            return Some(Flow::Telling);
        }
        if index(b"SMB 2.002").is_some() {
            self.negotiated_from_one(0x0202, now, answer);
            return Some(Flow::Telling);
        }
        let Some(index) = index(b"NT LANMAN 1.0").or_else(|| index(b"NT LM 0.12")) else {
            reply(request, status::SUCCESS, 0, 0, &[0xff, 0xff], &[], answer);
            return Some(Flow::Close);
        };
        let is_extended = request.flags & EXTENDED != 0;
        let (capabilities, challenge, data) = if is_extended {
            (CAPABILITIES, 0, [&self.smb.guid()[..], &spnego::offer()].concat())
        } else {
            let names = [wide(&self.smb.machine.workgroup), wide(&self.smb.machine.netbios())].join(&[0, 0][..]);
            (CAPABILITIES_OLD, 8, [&self.challenge[..], &names, &[0, 0]].concat())
        };
        let words = [
            &u16::try_from(index).unwrap_or_default().to_le_bytes()[..],
            &[3, 50, 0, 1, 0],
            &16_644_u32.to_le_bytes(),
            &0x1_0000_u32.to_le_bytes(),
            &(self.id & 0xffff).to_le_bytes(),
            &capabilities.to_le_bytes(),
            &filetime(now).to_le_bytes(),
            &[0, 0, challenge],
        ]
        .concat();
        reply(request, status::SUCCESS, 0, 0, &words, &data, answer);
        Some(Flow::Telling)
    }

    fn session_setup_one(&mut self, request: &Request<'_>, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let user = u16::try_from(self.id & 0xffff).unwrap_or(1);
        if request.words.len() == 24 {
            let bytes = usize::from(request.word(7)?);
            let token = request.data.get(..bytes)?.to_vec();
            self.note_system(&request.texts(bytes));
            let judged = self.judge(&token, now);
            if judged.token.is_empty() && judged.status != status::SUCCESS {
                refuse(request, judged.status, answer);
                return Some(judged.flow);
            }
            let words = [&[0xff, 0, 0, 0, 0, 0], &length(&judged.token)[..]].concat();
            let data = self.with_system(request, &judged.token, HEAD_BYTES + 1 + words.len() + 2);
            reply(request, judged.status, user, 0, &words, &data, answer);
            return Some(judged.flow);
        }
        let (old, new) = (usize::from(request.word(7)?), usize::from(request.word(8)?));
        let (lm, nt) = request.data.get(..old + new)?.split_at(old);
        let [username, domain, system, client] = request.texts(old + new);
        self.note_system(&[system, client]);
        if username.is_empty() && (nt.is_empty() || nt == [0]) {
            self.findings.note("username", b"");
            self.who = Who::Nobody;
            let words = [0xff, 0, 0, 0, 0, 0];
            let data = self.with_system(request, &[], HEAD_BYTES + 1 + words.len() + 2);
            reply(request, status::SUCCESS, user, 0, &words, &data, answer);
            return Some(Flow::Telling);
        }
        let theirs = Answer { username, domain, workstation: Vec::new(), lm: lm.to_vec(), nt: nt.to_vec() };
        theirs.note(&[], self.challenge, &mut self.findings);
        self.findings.signs |= Signs::CREDENTIALS;
        self.who = Who::Stranger;
        refuse(request, status::LOGON_FAILURE, answer);
        Some(Flow::Telling)
    }

    /// What the client says that it is.
    fn note_system(&mut self, [system, client]: &[Vec<u8>; 2]) {
        for (name, value) in [("native_os", system), ("native_lan_manager", client)] {
            if !value.is_empty() {
                self.findings.note(name, value);
            }
        }
    }

    /// `token` with what this server says that it is behind it, in the encoding of the request, aligned.
    fn with_system(&self, request: &Request<'_>, token: &[u8], data_at: usize) -> Vec<u8> {
        let is_wide = request.flags & UNICODE != 0;
        let mut data = token.to_vec();
        if is_wide && (data_at + data.len()) % 2 == 1 {
            data.push(0);
        }
        for text in ["Windows 6.1", &format!("Samba {}", self.smb.version), self.smb.machine.workgroup.as_str()] {
            data.extend(if is_wide { wide(text) } else { text.as_bytes().to_vec() });
            data.extend_from_slice(if is_wide { &[0, 0] } else { &[0] });
        }
        data
    }

    fn tree_connect_one(&mut self, request: &Request<'_>, answer: &mut Vec<u8>) -> Option<Flow> {
        let password = usize::from(request.word(3)?);
        let [path] = request.texts(password);
        if note_share(&path, &mut self.findings) {
            reply(request, status::SUCCESS, request.user, 1, &[0xff, 0, 0, 0, 1, 0], b"IPC\0\0\0", answer);
        } else {
            refuse(request, status::BAD_NETWORK_NAME, answer);
        }
        Some(Flow::Telling)
    }

    fn transaction(&mut self, request: &Request<'_>, answer: &mut Vec<u8>) -> Option<Flow> {
        // A pipe that nobody has opened: so scanners look whether a Windows has the holes of MS17-010.
        if (request.word(14), request.word(15)) == (Some(0x23), Some(0)) {
            self.hostile("peek at no pipe (MS17-010)");
            refuse(request, status::INVALID_HANDLE, answer);
            return Some(Flow::Telling);
        }
        let [name] = request.texts(0);
        self.findings.note("transaction", &name);
        refuse(request, status::NOT_SUPPORTED, answer);
        Some(Flow::Telling)
    }

    fn transaction2(&mut self, request: &Request<'_>, answer: &mut Vec<u8>) -> Option<Flow> {
        let kind = request.word(14)?;
        self.findings.note("trans2", hex(&kind.to_be_bytes()).as_bytes());
        // SESSION_SETUP was never implemented: whoever sends it looks for the DoublePulsar implant.
        if kind == 0x0e {
            self.hostile("trans2 session setup (DoublePulsar)");
            refuse(request, status::NOT_IMPLEMENTED, answer);
        } else {
            refuse(request, status::ACCESS_DENIED, answer);
        }
        Some(Flow::Telling)
    }

    fn nt_transaction(&mut self, request: &Request<'_>, answer: &mut Vec<u8>) -> Option<Flow> {
        let long = |at: usize| request.words.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four));
        let (total, sent) = (long(7)?, long(27)?);
        self.findings.note("nt_transaction", hex(request.words.get(36..38)?).as_bytes());
        if total <= sent {
            refuse(request, status::NOT_SUPPORTED, answer);
            return Some(Flow::Telling);
        }
        // More is to come; so begins an overflow of the list of extended attributes (EternalBlue).
        if total >= 0x1_0000 {
            self.hostile("oversized transaction (EternalBlue)");
        }
        reply(request, status::SUCCESS, request.user, tree(request), &[], &[], answer);
        Some(Flow::Telling)
    }
}

/// UTF-16 up to its NUL, or to the end.
fn wide_text(reader: &mut Reader<'_>) -> Vec<u8> {
    let units = reader.0.chunks_exact(2).position(|pair| pair == [0, 0]);
    let bytes = units.map_or(reader.0.len(), |units| units * 2);
    let text = reader.bytes(bytes).unwrap_or_default();
    let _ = reader.bytes(2);
    narrow(&text[..text.len().min(NAME_BYTES_MAX)])
}

fn tree(request: &Request<'_>) -> u16 {
    u16::from_le_bytes([request.head[24], request.head[25]])
}

/// An answer without content.
fn refuse(request: &Request<'_>, code: u32, answer: &mut Vec<u8>) {
    reply(request, code, request.user, tree(request), &[], &[], answer);
}

fn reply(request: &Request<'_>, code: u32, user: u16, tree: u16, words: &[u8], data: &[u8], answer: &mut Vec<u8>) {
    let head = request.head;
    let flags = FLAGS | (request.flags & (UNICODE | EXTENDED));
    let count = u8::try_from(words.len() / 2).unwrap_or_default();
    let message = [
        &b"\xffSMB"[..],
        &[request.command],
        &code.to_le_bytes(),
        &[0x88],
        &flags.to_le_bytes(),
        &head[12..14],
        &[0; 10],
        &tree.to_le_bytes(),
        &head[26..28],
        &user.to_le_bytes(),
        &head[30..32],
        &[count],
        words,
        &length(data),
        data,
    ]
    .concat();
    send(&message, answer);
}
