//! The subsystem `sftp`: OpenSSH's sftp-server, which speaks version 3 of the protocol (draft-ietf-secsh-filexfer-02) and OpenSSH's own
//! extensions to it.
//!
//! Its files are those that the [shell](crate::shell) shows. A stranger's packet is taken as it comes, and nothing is reserved for
//! what has not come; what he writes is never held. What was brought is told once for each file, with the file as what was said.

mod answers;
mod handles;
mod names;
mod requests;

use super::{
    acts::Acts,
    channel::{Channel, Runs},
    connection::Reply,
    wire::Fields,
};
use crate::shell::debian::{Place, Shell};
use alloc::{boxed::Box, format, string::String, vec::Vec};
use answers::{Answers, Status};
use handles::Handles;

/// Servers that run at once in one connection; who wants more is refused. OpenSSH has none but that of channels.
pub(super) const SERVERS_MAX: usize = 3;
/// The longest packet, in bytes: OpenSSH's. A longer one ends the server.
const PACKET_BYTES_MAX: u32 = 256 * 1_024;
/// The longest request that is no write, in bytes: two of the longest paths, and what stands around them. Longer ones are read and
/// answered as paths that are too long.
const REQUEST_BYTES_MAX: usize = 10 * 1_024;
/// A handle's name that a write may have, in bytes, to be looked at before the rest is there.
const HANDLE_BYTES_MAX: usize = 256;
/// Requests wait while so many bytes of answers do.
const ANSWERED_BYTES_MAX: usize = 4 * 1_024;
/// What may wait of requests while answers do, in bytes: a message and more. A client that says more without reading ends the server.
const PENDING_BYTES_MAX: usize = 40 * 1_024;
/// Pieces of a file that are told by their places, where they did not come one behind the other; further ones are not.
const PARTS_MAX: usize = 32;
/// How the server ends on a packet that is too long, on one that is none, and at the end of its input.
const TOO_LONG: u32 = 11;
const BROKEN: u32 = 255;

const INIT: u8 = 1;
const WRITE: u8 = 6;
/// A packet's length and kind.
const HEAD_BYTES: usize = 5;
/// What a write has before its data, without the handle's name: its number, two lengths, a place.
const WRITE_BYTES: usize = 20;

/// One server.
pub(super) struct Sftp {
    /// What came and was not heard yet.
    pending: Vec<u8>,
    packet: Packet,
    /// The client's, once it said so.
    version: Option<u32>,
    handles: Handles,
    /// What was done and not told yet, and whether that is told with this message.
    acts: Acts,
    is_urgent: bool,
    /// What was said since the last report.
    transcript: Transcript,
}

/// What is known of a packet that has not come whole.
enum Packet {
    /// Its length and kind.
    Head(Vec<u8>),
    /// A request of this kind, of which so many bytes are still to come.
    Body { kind: u8, held: Vec<u8>, left: u32 },
    /// What is written: so many bytes of it, and of the packet, are still to come.
    Data(Writing),
}

struct Writing {
    id: u32,
    handle: Option<usize>,
    offset: u64,
    data: u32,
    left: u32,
    status: Status,
}

/// What the captured bytes since the last report are.
#[derive(Default)]
enum Transcript {
    #[default]
    Nothing,
    /// Requests.
    Requests,
    /// Of this file.
    File(Upload),
}

/// What was written into one file and not told yet.
struct Upload {
    handle: Option<usize>,
    path: String,
    bytes: u64,
    /// Where its pieces began, and how long they were.
    parts: Vec<(u64, u64)>,
}

/// Where it serves.
struct Ground<'a, 'b> {
    shell: &'a Shell<'b>,
    place: &'a mut Place,
    /// Answers that wait for the client's window.
    out: &'a mut Vec<u8>,
    /// What is captured.
    said: &'a mut Vec<u8>,
}

/// How far it came.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// Something was done.
    Step,
    /// All that came was heard.
    All,
    /// Answers wait.
    Full,
    /// What was said must be told before more is heard.
    Telling,
    /// The server has ended.
    Ended(u32),
}

impl Sftp {
    fn new() -> Self {
        Self {
            pending: Vec::new(),
            packet: Packet::Head(Vec::new()),
            version: None,
            handles: Handles::default(),
            acts: Acts::default(),
            is_urgent: false,
            transcript: Transcript::default(),
        }
    }

    fn hear(&mut self, bytes: &[u8], ground: &mut Ground<'_, '_>) -> Heard {
        if !self.pending.is_empty() && self.pending.len() + bytes.len() > PENDING_BYTES_MAX {
            return Heard::Ended(BROKEN);
        }
        self.pending.extend_from_slice(bytes);
        self.go_on(ground)
    }

    fn go_on(&mut self, ground: &mut Ground<'_, '_>) -> Heard {
        let pending = core::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        let heard = loop {
            if ground.out.len() > ANSWERED_BYTES_MAX {
                break Heard::Full;
            }
            if rest.is_empty() {
                break Heard::All;
            }
            match self.step(&mut rest, ground) {
                Heard::Step => {}
                other => break other,
            }
        };
        self.pending = rest.to_vec();
        heard
    }

    /// Takes the next piece of a packet, and does what is whole.
    fn step(&mut self, rest: &mut &[u8], ground: &mut Ground<'_, '_>) -> Heard {
        match &mut self.packet {
            Packet::Head(held) => {
                held.extend_from_slice(cut(rest, HEAD_BYTES - held.len()));
                let [a, b, c, d, kind] = held.as_slice() else { return Heard::Step };
                let (length, kind) = (u32::from_be_bytes([*a, *b, *c, *d]), *kind);
                let is_known = kind == INIT || self.version.is_some();
                match length {
                    1..=PACKET_BYTES_MAX if is_known => self.packet = Packet::Body { kind, held: Vec::new(), left: length - 1 },
                    0..=PACKET_BYTES_MAX => return self.broken(kind, &[], ground),
                    _ => return Heard::Ended(TOO_LONG),
                }
                self.whole(ground)
            }
            Packet::Body { kind, held, left } => {
                let room = wanted(*kind, held).saturating_sub(held.len());
                let fits = usize::try_from(*left).unwrap_or(usize::MAX);
                // What is too long is read all the same.
                let piece = cut(rest, if room == 0 { fits } else { fits.min(room) });
                *left -= u32::try_from(piece.len()).unwrap_or(*left);
                if room > 0 {
                    held.extend_from_slice(piece);
                }
                self.whole(ground)
            }
            Packet::Data(_) => self.data(rest, ground),
        }
    }

    /// Does what has come whole, if it has.
    fn whole(&mut self, ground: &mut Ground<'_, '_>) -> Heard {
        let Packet::Body { kind, held, left } = &mut self.packet else { return Heard::Step };
        let (kind, left) = (*kind, *left);
        if kind == WRITE && is_write_head(held) {
            let held = core::mem::take(held);
            return self.begin_write(&held, left, ground);
        }
        if left > 0 {
            return Heard::Step;
        }
        let held = core::mem::take(held);
        self.packet = Packet::Head(Vec::new());
        if held.len() >= REQUEST_BYTES_MAX {
            let id = Fields(&held).number().unwrap_or_default();
            self.note(format!("request {kind} that is too long").as_bytes());
            self.capture(kind, &held, ground);
            self.answers(ground).status(id, Status::BadMessage);
            return Heard::Step;
        }
        match self.request(kind, &held, ground) {
            Some(heard) => heard,
            None => self.broken(kind, &held, ground),
        }
    }

    /// OpenSSH's server ends on what it cannot read.
    fn broken(&mut self, kind: u8, body: &[u8], ground: &mut Ground<'_, '_>) -> Heard {
        self.note(format!("broken request {kind}").as_bytes());
        self.capture(kind, body, ground);
        Heard::Ended(BROKEN)
    }

    fn begin_write(&mut self, held: &[u8], left: u32, ground: &mut Ground<'_, '_>) -> Heard {
        let mut fields = Fields(held);
        let head = (|| Some((fields.number()?, fields.string()?, number64(&mut fields)?, fields.number()?)))();
        let Some((id, name, offset, data)) = head.filter(|(.., data)| *data <= left) else {
            return self.broken(WRITE, held, ground);
        };
        let handle = self.handles.by_name(name);
        let status = self.handles.may_write(handle, offset);
        self.packet = Packet::Data(Writing { id, handle, offset, data, left, status });
        self.data(&mut &[][..], ground)
    }

    /// Takes what is written, as it comes.
    fn data(&mut self, rest: &mut &[u8], ground: &mut Ground<'_, '_>) -> Heard {
        let Packet::Data(writing) = &mut self.packet else { return Heard::Step };
        if writing.data > 0 {
            if rest.is_empty() {
                return Heard::Step;
            }
            if !self.transcript.takes(writing.handle) {
                return Heard::Telling;
            }
            let piece = cut(rest, usize::try_from(writing.data).unwrap_or(usize::MAX));
            let bytes = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            let (handle, offset) = (writing.handle, writing.offset);
            let is_done = writing.status == Status::Ok;
            writing.data -= bytes;
            writing.left -= bytes;
            writing.offset = offset.saturating_add(u64::from(bytes));
            self.written(handle, offset, piece, is_done, ground);
            return if matches!(&self.packet, Packet::Data(writing) if writing.left == 0) {
                self.data(rest, ground)
            } else {
                Heard::Step
            };
        }
        let skipped = cut(rest, usize::try_from(writing.left).unwrap_or(usize::MAX));
        writing.left -= u32::try_from(skipped.len()).unwrap_or(writing.left);
        if writing.left == 0 {
            let (id, status) = (writing.id, writing.status);
            self.packet = Packet::Head(Vec::new());
            self.answers(ground).status(id, status);
        }
        Heard::Step
    }

    fn written(&mut self, handle: Option<usize>, offset: u64, piece: &[u8], is_done: bool, ground: &mut Ground<'_, '_>) {
        ground.said.extend_from_slice(piece);
        let file = handle.and_then(|handle| self.handles.file_mut(handle));
        let path = file.as_ref().map(|file| file.path.clone()).unwrap_or_default();
        if let Some(file) = file.filter(|_| is_done) {
            ground.shell.write(&file.path, offset, piece, file.appends, ground.place);
        }
        if !matches!(self.transcript, Transcript::File(_)) {
            self.transcript = Transcript::File(Upload { handle, path, bytes: 0, parts: Vec::new() });
        }
        let Transcript::File(upload) = &mut self.transcript else { return };
        let length = piece.len() as u64;
        upload.bytes = upload.bytes.saturating_add(length);
        let is_full = upload.parts.len() >= PARTS_MAX;
        match upload.parts.last_mut() {
            Some((at, bytes)) if at.saturating_add(*bytes) == offset => *bytes += length,
            _ if !is_full => upload.parts.push((offset, length)),
            _ => {}
        }
    }

    /// Captures a request that is told with this message, unless it came among what is written.
    fn capture(&mut self, kind: u8, body: &[u8], ground: &mut Ground<'_, '_>) {
        self.is_urgent = true;
        if !matches!(self.transcript, Transcript::File(_)) {
            ground.said.push(kind);
            ground.said.extend_from_slice(body);
            self.transcript = Transcript::Requests;
        }
    }

    fn answers<'a>(&self, ground: &'a mut Ground<'_, '_>) -> Answers<'a> {
        Answers { out: ground.out, has_texts: self.version.is_none_or(|version| version >= 3) }
    }

    /// Takes an act down, in the words of sftp-server's own log.
    fn note(&mut self, words: &[u8]) {
        self.acts.note("sftp", words);
    }

    /// Gives what was done, to be told now.
    fn tell(&mut self, acts: &mut Acts) {
        if let Transcript::File(upload) = core::mem::take(&mut self.transcript) {
            self.acts.note("upload", upload.path.as_bytes());
            self.acts.note("upload_bytes", format!("{}", upload.bytes).as_bytes());
            if upload.parts.iter().map(|(at, _)| at).ne([&0]) {
                let parts: Vec<String> = upload.parts.iter().map(|(at, bytes)| format!("{at}+{bytes}")).collect();
                self.acts.note("upload_parts", parts.join(" ").as_bytes());
            }
        }
        self.is_urgent = false;
        acts.absorb(core::mem::take(&mut self.acts));
    }
}

impl Transcript {
    /// Whether what is written into a file belongs to it.
    fn takes(&self, handle: Option<usize>) -> bool {
        match self {
            Self::Nothing => true,
            Self::Requests => false,
            Self::File(upload) => upload.handle == handle,
        }
    }
}

/// How many bytes of a request are held before it is looked at.
fn wanted(kind: u8, held: &[u8]) -> usize {
    match (kind, held.get(4..8)) {
        (WRITE, None) => 8,
        (WRITE, Some(length)) => match handle_bytes(length) {
            bytes @ ..=HANDLE_BYTES_MAX => WRITE_BYTES + bytes,
            _ => REQUEST_BYTES_MAX,
        },
        _ => REQUEST_BYTES_MAX,
    }
}

fn is_write_head(held: &[u8]) -> bool {
    held.get(4..8).map(handle_bytes).is_some_and(|bytes| bytes <= HANDLE_BYTES_MAX && held.len() == WRITE_BYTES + bytes)
}

fn handle_bytes(length: &[u8]) -> usize {
    length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
}

/// The first bytes, of which no more are left then.
fn cut<'a>(rest: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (piece, behind) = rest.split_at(most.min(rest.len()));
    *rest = behind;
    piece
}

fn number64(fields: &mut Fields<'_>) -> Option<u64> {
    let (high, low) = (fields.number()?, fields.number()?);
    Some(u64::from(high) << 32 | u64::from(low))
}

impl Channel {
    /// The server starts.
    pub(super) fn serve_files(&mut self) {
        self.runs = Runs::Files;
        self.files = Some(Box::new(Sftp::new()));
    }

    /// What the client says to the server; nothing, where what waits is to go on.
    pub(super) fn transfer(&mut self, bytes: &[u8], shell: &Shell<'_>, reply: &mut Reply) {
        let Some(mut files) = self.files.take() else { return };
        let mut ground = Ground { shell, place: &mut self.place, out: &mut self.waiting, said: &mut reply.said };
        let heard = files.hear(bytes, &mut ground);
        if heard == Heard::Telling || files.is_urgent || matches!(heard, Heard::Ended(_)) {
            files.tell(&mut reply.acts);
        }
        match heard {
            Heard::Ended(status) => self.finish(status),
            Heard::All if self.is_deaf => {
                files.tell(&mut reply.acts);
                self.finish(0);
            }
            _ => self.files = Some(files),
        }
    }

    /// Requests wait, and can be heard.
    pub(super) fn has_requests(&self) -> bool {
        self.files.as_ref().is_some_and(|files| !files.pending.is_empty()) && self.waiting.len() <= ANSWERED_BYTES_MAX
    }

    /// The client, or the connection, is gone: what was not told yet.
    pub(super) fn untold(&mut self, acts: &mut Acts) {
        if let Some(files) = &mut self.files {
            files.tell(acts);
        }
    }
}
