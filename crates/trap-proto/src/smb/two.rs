//! SMB 2 and 3 (MS-SMB2).

use super::{
    message::{NAME_BYTES_MAX, Who, length, note_share, send, short, status},
    session::SmbSession,
};
use crate::{Flow, exactly::Reader, ntlm::filetime, spnego, wide::narrow};
use alloc::{format, string::String, vec::Vec};
use honeymesh_types::{Signs, WallTime};

const HEAD_BYTES: usize = 64;
/// Requests in one message.
const COMPOUND_MAX: usize = 8;
/// What one request may be granted.
const CREDITS_MAX: u16 = 512;
/// Dialects and contexts of one negotiation that are looked at.
const LIST_MAX: usize = 64;

/// The dialects, best first.
const DIALECTS: [u16; 5] = [0x0311, 0x0302, 0x0300, 0x0210, 0x0202];
/// What stands for any dialect of SMB 2 in a negotiation that SMB 1 has begun.
pub(super) const ANY_DIALECT: u16 = 0x02ff;

/// Kinds of negotiation contexts.
const PREAUTH: u16 = 1;
const ENCRYPTION: u16 = 2;
const SIGNING: u16 = 8;
/// What Samba prefers: AES-128-GCM, CCM, then with 256 bits; GMAC, CMAC, HMAC-SHA256.
const CIPHERS: [u16; 4] = [2, 1, 4, 3];
const SIGNATURES: [u16; 3] = [2, 1, 0];

/// The head of one request.
struct Request<'a> {
    command: u16,
    session: u64,
    head: &'a [u8],
    /// All of it: offsets count from here.
    whole: &'a [u8],
    body: &'a [u8],
}

impl SmbSession {
    /// One message; `None` if it is broken.
    pub(super) fn two(&mut self, message: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let mut rest = message;
        let mut flow = Flow::Continue;
        for _ in 0..COMPOUND_MAX {
            let head = rest.get(..HEAD_BYTES).filter(|head| head.starts_with(b"\xfeSMB"))?;
            let next = usize::try_from(u32::from_le_bytes(*head[20..].first_chunk()?)).ok()?;
            let whole = if next == 0 { rest } else { rest.get(..next).filter(|_| next >= HEAD_BYTES)? };
            let request = Request {
                command: u16::from_le_bytes([head[12], head[13]]),
                session: u64::from_le_bytes(*head[40..].first_chunk()?),
                head,
                whole,
                body: &whole[HEAD_BYTES..],
            };
            flow = flow.and(self.request(&request, now, answer)?);
            if next == 0 {
                break;
            }
            rest = &rest[next..];
        }
        Some(flow)
    }

    fn request(&mut self, request: &Request<'_>, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        match request.command {
            0 => return self.negotiate(request, now, answer),
            1 => return self.session_setup(request, now, answer),
            13 => self.reply(request, status::SUCCESS, &[4, 0, 0, 0], answer),
            _ if self.who != Who::Nobody || request.session != u64::from(self.id) => {
                self.error(request, status::USER_SESSION_DELETED, answer);
            }
            2 => {
                self.who = Who::Stranger;
                self.reply(request, status::SUCCESS, &[4, 0, 0, 0], answer);
            }
            3 => return self.tree_connect(request, answer),
            4 => self.reply(request, status::SUCCESS, &[4, 0, 0, 0], answer),
            5 => {
                self.findings.note("file", &self.text(request, 44, 46)?);
                self.error(request, status::ACCESS_DENIED, answer);
                return Some(Flow::Telling);
            }
            // Where else a share may be: nowhere.
            11 if request.body.get(4..8) == Some(&[0x94, 1, 6, 0]) => self.error(request, status::NOT_FOUND, answer),
            11 => self.error(request, status::INVALID_DEVICE_REQUEST, answer),
            _ => self.error(request, status::FILE_CLOSED, answer),
        }
        Some(Flow::Continue)
    }

    fn negotiate(&mut self, request: &Request<'_>, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let mut reader = Reader(request.body);
        reader.bytes(2)?;
        let count = usize::from(short(&mut reader)?).min(LIST_MAX);
        let place = reader.bytes(32)?;
        let mut asked = Vec::new();
        for _ in 0..count {
            asked.push(short(&mut reader)?);
        }
        let names: Vec<String> = asked.iter().map(|dialect| format!("{dialect:04x}")).collect();
        self.findings.note("dialects", names.join(" ").as_bytes());
        let Some(dialect) = DIALECTS.into_iter().find(|dialect| asked.contains(dialect)) else {
            self.error(request, status::NOT_SUPPORTED, answer);
            return Some(Flow::Telling);
        };
        let contexts = if dialect == DIALECTS[0] { self.contexts(request.whole, place)? } else { Vec::new() };
        self.negotiated(request, dialect, &contexts, now, answer);
        Some(Flow::Telling)
    }

    /// SMB 1 has begun, and both want SMB 2.
    pub(super) fn negotiated_from_one(&mut self, dialect: u16, now: WallTime, answer: &mut Vec<u8>) {
        let head = [&b"\xfeSMB\x40"[..], &[0; 9], &[1, 0], &[0; 48]].concat();
        let request = Request { command: 0, session: 0, head: &head, whole: &[], body: &[] };
        self.negotiated(&request, dialect, &[], now, answer);
    }

    fn negotiated(&mut self, request: &Request<'_>, dialect: u16, contexts: &[Vec<u8>], now: WallTime, answer: &mut Vec<u8>) {
        let offer = spnego::offer();
        let (capabilities, size): (u32, u32) = match dialect {
            0x0202 => (0x01, 0x1_0000),
            0x0210 | ANY_DIALECT => (0x07, 0x80_0000),
            0x0311 => (0x0f, 0x80_0000),
            _ => (0x4f, 0x80_0000),
        };
        let mut padded = offer.clone();
        let mut at = 0;
        if !contexts.is_empty() {
            padded.resize(offer.len().next_multiple_of(8), 0);
            at = u32::try_from(HEAD_BYTES + 64 + padded.len()).unwrap_or_default();
        }
        let mut body = [
            &[65, 0, 1, 0],
            &dialect.to_le_bytes()[..],
            &u16::try_from(contexts.len()).unwrap_or_default().to_le_bytes(),
            &self.smb.guid(),
            &capabilities.to_le_bytes(),
            &size.to_le_bytes(),
            &size.to_le_bytes(),
            &size.to_le_bytes(),
            &filetime(now).to_le_bytes(),
            &[0; 8],
            &[0x80, 0],
            &length(&offer),
            &at.to_le_bytes(),
            &padded,
        ]
        .concat();
        for (index, context) in contexts.iter().enumerate() {
            body.extend_from_slice(context);
            if index + 1 < contexts.len() {
                body.resize(body.len().next_multiple_of(8), 0);
            }
        }
        self.reply(request, status::SUCCESS, &body, answer);
    }

    /// The answers to the contexts of SMB 3.1.1 that Samba knows; `None` if they are broken.
    fn contexts(&self, whole: &[u8], place: &[u8]) -> Option<Vec<Vec<u8>>> {
        let at = usize::try_from(u32::from_le_bytes(*place.get(24..)?.first_chunk()?)).ok()?;
        let count = usize::from(u16::from_le_bytes([place[28], place[29]])).min(LIST_MAX);
        let mut rest = whole.get(at..)?;
        let mut kinds: [Option<Vec<u8>>; 3] = [None, None, None];
        for index in 0..count {
            let mut reader = Reader(rest);
            let (kind, bytes) = (short(&mut reader)?, usize::from(short(&mut reader)?));
            reader.bytes(4)?;
            let data = reader.bytes(bytes)?;
            let context = |data: &[u8]| Some([&kind.to_le_bytes()[..], &length(data), &[0; 4], data].concat());
            match kind {
                PREAUTH => kinds[0] = context(&[&[1, 0, 32, 0, 1, 0], &self.salt[..]].concat()),
                ENCRYPTION => kinds[1] = context(&chosen(data, &CIPHERS)),
                SIGNING => kinds[2] = context(&chosen(data, &SIGNATURES)),
                _ => {}
            }
            let used = if index + 1 < count { (8 + bytes).next_multiple_of(8) } else { 8 + bytes };
            rest = rest.get(used..)?;
        }
        Some(kinds.into_iter().flatten().collect())
    }

    fn session_setup(&mut self, request: &Request<'_>, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let place = request.body.get(12..16)?;
        let at = usize::from(u16::from_le_bytes([place[0], place[1]]));
        let bytes = usize::from(u16::from_le_bytes([place[2], place[3]]));
        let token = request.whole.get(at..at + bytes)?;
        if token.is_empty() {
            self.findings.signs |= Signs::MALFORMED;
            self.error(request, status::INVALID_PARAMETER, answer);
            return Some(Flow::Telling);
        }
        let judged = self.judge(token, now);
        if judged.token.is_empty() && judged.status != status::SUCCESS {
            self.error(request, judged.status, answer);
            return Some(judged.flow);
        }
        let nobody = if judged.status == status::SUCCESS { 2 } else { 0 };
        let body = [&[9, 0, nobody, 0, 0x48, 0], &length(&judged.token)[..], &judged.token].concat();
        self.reply(request, judged.status, &body, answer);
        Some(judged.flow)
    }

    fn tree_connect(&mut self, request: &Request<'_>, answer: &mut Vec<u8>) -> Option<Flow> {
        let path = self.text(request, 4, 6)?;
        if note_share(&path, &mut self.findings) {
            self.reply(request, status::SUCCESS, &[16, 0, 2, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 0xa9, 0, 0x1f, 0], answer);
        } else {
            self.error(request, status::BAD_NETWORK_NAME, answer);
        }
        Some(Flow::Telling)
    }

    /// A name whose offset and length stand at these places of the body.
    fn text(&self, request: &Request<'_>, at: usize, bytes: usize) -> Option<Vec<u8>> {
        let number = |at: usize| Some(usize::from(u16::from_le_bytes(*request.body.get(at..)?.first_chunk()?)));
        let (at, bytes) = (number(at)?, number(bytes)?);
        Some(narrow(request.whole.get(at..at + bytes)?.get(..bytes.min(NAME_BYTES_MAX))?))
    }

    fn error(&self, request: &Request<'_>, code: u32, answer: &mut Vec<u8>) {
        self.reply(request, code, &[9, 0, 0, 0, 0, 0, 0, 0, 0], answer);
    }

    fn reply(&self, request: &Request<'_>, code: u32, body: &[u8], answer: &mut Vec<u8>) {
        let head = request.head;
        let asked = u16::from_le_bytes([head[14], head[15]]);
        let session = if request.command == 1 { u64::from(self.id) } else { request.session };
        let tree: &[u8] = if request.command == 3 && code == status::SUCCESS { &[1, 0, 0, 0] } else { &head[36..40] };
        let message = [
            b"\xfeSMB\x40\0",
            &head[6..8],
            &code.to_le_bytes(),
            &request.command.to_le_bytes(),
            &asked.clamp(1, CREDITS_MAX).to_le_bytes(),
            &[1, 0, 0, 0, 0, 0, 0, 0],
            &head[24..36],
            tree,
            &session.to_le_bytes(),
            &[0; 16],
            body,
        ]
        .concat();
        send(&message, answer);
    }
}

/// The best of `ours` that a list (its number, then its entries) has in it, as a list of one.
fn chosen(list: &[u8], ours: &[u16]) -> Vec<u8> {
    let theirs: Vec<u16> =
        list.chunks_exact(2).skip(1).take(LIST_MAX).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let best = ours.iter().find(|one| theirs.contains(one)).copied().unwrap_or_default();
    [&[1, 0], &best.to_le_bytes()[..]].concat()
}
