//! What the daemon and the process that plays say to each other: one message, one packet.
//!
//! Both are the same program, so there is one version of it at a time. What comes *from* the process that plays is a
//! stranger's word all the same, for strangers' bytes are parsed there: everything is bounded and checked again here.

use honeymesh_trap_proto::{FIELD_BYTES_MAX, FIELDS_MAX, Findings, Leaves, TRANSFER_BYTES, Transfer, safe_text};
use honeymesh_types::{
    Entropies, MARK_BYTES_MAX, Marks, RULE_MARK_BYTES_MAX, RULE_MARKS_MAX, RULE_POINTS_MAX, RuleMark, Shape, Signs,
};
use std::net::{IpAddr, SocketAddr};

/// The longest packet of the evidence pipe, in octets (`PIPE_BUF`: written whole or not at all).
pub(crate) const PACKET_BYTES_MAX: usize = 4_096;
/// The longest message to the process that plays, in octets.
pub(crate) const ADMISSION_BYTES_MAX: usize = 32 * 1_024;
/// Sessions that one message dismisses.
pub(crate) const DISMISSED_PER_MESSAGE: usize = 256;
/// The longest name of a field, in octets.
const FIELD_NAME_BYTES_MAX: usize = 32;
/// The longest place of a fault that is told, in octets.
pub(crate) const PLACE_BYTES_MAX: usize = 200;
/// Octets before a report's body in its first packet: kind, session, octets heard, signs, length of the body.
const REPORT_HEAD: usize = 1 + 8 + 8 + 2 + 4;
/// The same in each that follows: kind.
const PART_HEAD: usize = 1;

const SETTING: u8 = 1;
const SETTING_END: u8 = 2;
const ADMIT: u8 = 3;
const DISMISS: u8 = 4;
const ADMIT_SLOW: u8 = 16;
const DATAGRAM: u8 = 5;
const LISTENING: u8 = 6;
const JOIN: u8 = 7;

const HELLO: u8 = 1;
const REPORT: u8 = 2;
const PART: u8 = 3;
const OVER: u8 = 4;
const GONE: u8 = 5;
const ANSWER: u8 = 6;
const LISTEN: u8 = 7;

/// No port, or one at an address of this family.
const NO_PORT: u8 = 0;
const A_PORT_V4: u8 = 4;
const A_PORT_V6: u8 = 6;

/// Stands where no place of a nonce is told.
const NO_PLACE: u16 = u16::MAX;
/// No transfer, or one.
const NO_TRANSFER: u8 = 0;
const A_TRANSFER: u8 = 1;

/// From the daemon to the process that plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// A part of what is to be played; the last one, or not.
    Setting { part: Vec<u8>, is_last: bool },
    /// A stranger comes in; the connection is attached.
    Admit { session: u64, trap: u16, port: u16 },
    /// The same, and it is to be held in a tarpit.
    AdmitSlow { session: u64, trap: u16, port: u16 },
    /// These sessions end.
    Dismiss(Vec<u64>),
    /// A datagram has come; how much of it was cut off; where the nonce stands in it that its source was sent, if it does; what is to be
    /// known of the transfer that it belongs to, if it does.
    Datagram {
        number: u64,
        trap: u16,
        port: u16,
        cut: u16,
        nonce_at: Option<u16>,
        transfer: Option<[u8; TRANSFER_BYTES]>,
        bytes: Vec<u8>,
    },
    /// The port that a session has asked for with its wish of this number is open, at this address of ours, or there is none.
    Listening { session: u64, wish: u16, at: Option<SocketAddr> },
    /// Whom a session belongs to has connected to the port of that wish; the connection is attached.
    Join { session: u64, wish: u16 },
}

/// From the process that plays to the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Evidence<'a> {
    /// A process has begun to play: whatever was open before is gone.
    Hello { pid: u32 },
    /// A report begins: its body has `body` octets, of which the first are here.
    Report { head: ReportHead, part: &'a [u8] },
    /// It goes on.
    Part(&'a [u8]),
    /// A session is over; so many of its reports found no room, and its protocol broke there, if it did.
    Over { session: u64, lost: u32, fault: &'a [u8] },
    /// The process that played has ended, as wait(2) tells it, and another one begins in so many milliseconds.
    Gone { status: i32, pause_ms: u32 },
    /// What is answered to a datagram, where a nonce is to be written in it, and from which port it leaves.
    Answer { number: u64, nonce_at: Option<u16>, leaves: Leaves, bytes: &'a [u8] },
    /// A session wants a port of its own, in place of the one that it has, if it has one; it counts its wishes.
    Listen { session: u64, wish: u16 },
}

/// What stands before a report's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReportHead {
    pub(crate) session: u64,
    /// Octets heard since the report before, captured or not.
    pub(crate) bytes: u64,
    pub(crate) signs: u16,
    pub(crate) body: u32,
}

impl Admission {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Setting { part, is_last } => [&[if *is_last { SETTING_END } else { SETTING }], part.as_slice()].concat(),
            Self::Admit { session, trap, port } => {
                [&[ADMIT][..], &session.to_le_bytes(), &trap.to_le_bytes(), &port.to_le_bytes()].concat()
            }
            Self::AdmitSlow { session, trap, port } => {
                [&[ADMIT_SLOW][..], &session.to_le_bytes(), &trap.to_le_bytes(), &port.to_le_bytes()].concat()
            }
            Self::Dismiss(sessions) => {
                let mut bytes = vec![DISMISS];
                sessions.iter().for_each(|session| bytes.extend_from_slice(&session.to_le_bytes()));
                bytes
            }
            Self::Datagram { number, trap, port, cut, nonce_at, transfer, bytes } => {
                let mut message = vec![DATAGRAM];
                message.extend_from_slice(&number.to_le_bytes());
                for short in [*trap, *port, *cut, nonce_at.unwrap_or(NO_PLACE)] {
                    message.extend_from_slice(&short.to_le_bytes());
                }
                match transfer {
                    Some(known) => message.extend_from_slice(&[&[A_TRANSFER], &known[..]].concat()),
                    None => message.push(NO_TRANSFER),
                }
                message.extend_from_slice(bytes);
                message
            }
            Self::Listening { session, wish, at } => {
                [&[LISTENING][..], &session.to_le_bytes(), &wish.to_le_bytes(), &address_bytes(*at)].concat()
            }
            Self::Join { session, wish } => [&[JOIN][..], &session.to_le_bytes(), &wish.to_le_bytes()].concat(),
        }
    }

    /// `None`: no message of this program.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (kind, mut rest) = bytes.split_first()?;
        Some(match *kind {
            SETTING | SETTING_END => Self::Setting { part: rest.to_vec(), is_last: *kind == SETTING_END },
            ADMIT => {
                let (session, trap, port) = (u64::from_le_bytes(take(&mut rest)?), take(&mut rest)?, take(&mut rest)?);
                Self::Admit { session, trap: u16::from_le_bytes(trap), port: u16::from_le_bytes(port) }
            }
            ADMIT_SLOW => {
                let (session, trap, port) = (u64::from_le_bytes(take(&mut rest)?), take(&mut rest)?, take(&mut rest)?);
                Self::AdmitSlow { session, trap: u16::from_le_bytes(trap), port: u16::from_le_bytes(port) }
            }
            DISMISS => {
                Self::Dismiss(rest.chunks_exact(8).filter_map(|id| Some(u64::from_le_bytes(id.try_into().ok()?))).collect())
            }
            DATAGRAM => {
                let number = u64::from_le_bytes(take(&mut rest)?);
                let [trap, port, cut, place] =
                    [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?, take(&mut rest)?].map(u16::from_le_bytes);
                let nonce_at = (place != NO_PLACE).then_some(place);
                let transfer = match take(&mut rest)? {
                    [NO_TRANSFER] => None,
                    [A_TRANSFER] => Some(take(&mut rest)?),
                    _ => return None,
                };
                Self::Datagram { number, trap, port, cut, nonce_at, transfer, bytes: rest.to_vec() }
            }
            LISTENING => {
                let (session, wish) = take_wish(&mut rest)?;
                Self::Listening { session, wish, at: take_address(&mut rest)? }
            }
            JOIN => {
                let (session, wish) = take_wish(&mut rest)?;
                Self::Join { session, wish }
            }
            _ => return None,
        })
    }
}

impl<'a> Evidence<'a> {
    /// One packet, of [`PACKET_BYTES_MAX`] octets at most if the part is as long as [`packets`] makes it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Hello { pid } => [&[HELLO][..], &pid.to_le_bytes()].concat(),
            Self::Report { head, part } => {
                let ReportHead { session, bytes, signs, body } = head;
                let head =
                    [&[REPORT][..], &session.to_le_bytes(), &bytes.to_le_bytes(), &signs.to_le_bytes(), &body.to_le_bytes()];
                [&head.concat()[..], part].concat()
            }
            Self::Part(part) => [&[PART][..], part].concat(),
            Self::Over { session, lost, fault } => {
                let fault = &fault[..fault.len().min(PLACE_BYTES_MAX)];
                [&[OVER][..], &session.to_le_bytes(), &lost.to_le_bytes(), fault].concat()
            }
            Self::Gone { status, pause_ms } => [&[GONE][..], &status.to_le_bytes(), &pause_ms.to_le_bytes()].concat(),
            Self::Answer { number, nonce_at, leaves, bytes } => {
                let place = nonce_at.unwrap_or(NO_PLACE).to_le_bytes();
                let from = match leaves {
                    Leaves::Asked => vec![NO_TRANSFER],
                    Leaves::Own(transfer) => [&[A_TRANSFER][..], &transfer.wait_ms.to_le_bytes(), &transfer.known].concat(),
                };
                [&[ANSWER][..], &number.to_le_bytes(), &place, &from, bytes].concat()
            }
            Self::Listen { session, wish } => [&[LISTEN][..], &session.to_le_bytes(), &wish.to_le_bytes()].concat(),
        }
    }

    /// `None`: no packet of this program.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (kind, mut rest) = bytes.split_first()?;
        Some(match *kind {
            HELLO => Self::Hello { pid: u32::from_le_bytes(take(&mut rest)?) },
            REPORT => {
                let head = ReportHead {
                    session: u64::from_le_bytes(take(&mut rest)?),
                    bytes: u64::from_le_bytes(take(&mut rest)?),
                    signs: u16::from_le_bytes(take(&mut rest)?),
                    body: u32::from_le_bytes(take(&mut rest)?),
                };
                Self::Report { head, part: rest }
            }
            PART => Self::Part(rest),
            OVER => {
                let (session, lost) = (u64::from_le_bytes(take(&mut rest)?), u32::from_le_bytes(take(&mut rest)?));
                Self::Over { session, lost, fault: &rest[..rest.len().min(PLACE_BYTES_MAX)] }
            }
            GONE => {
                let status = i32::from_le_bytes(take(&mut rest)?);
                Self::Gone { status, pause_ms: u32::from_le_bytes(take(&mut rest)?) }
            }
            ANSWER => {
                let number = u64::from_le_bytes(take(&mut rest)?);
                let place = u16::from_le_bytes(take(&mut rest)?);
                let leaves = match take(&mut rest)? {
                    [NO_TRANSFER] => Leaves::Asked,
                    [A_TRANSFER] => {
                        let wait_ms = u32::from_le_bytes(take(&mut rest)?);
                        Leaves::Own(Transfer { wait_ms, known: take(&mut rest)? })
                    }
                    _ => return None,
                };
                Self::Answer { number, nonce_at: (place != NO_PLACE).then_some(place), leaves, bytes: rest }
            }
            LISTEN => {
                let (session, wish) = take_wish(&mut rest)?;
                Self::Listen { session, wish }
            }
            _ => return None,
        })
    }
}

/// The first octets of `rest`, which go.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

/// A session, and which of its wishes.
fn take_wish(rest: &mut &[u8]) -> Option<(u64, u16)> {
    Some((u64::from_le_bytes(take(rest)?), u16::from_le_bytes(take(rest)?)))
}

/// An address and its port; without a scope, which nobody is told.
fn address_bytes(at: Option<SocketAddr>) -> Vec<u8> {
    let Some(at) = at else { return vec![NO_PORT] };
    let port = at.port().to_le_bytes();
    match at.ip() {
        IpAddr::V4(v4) => [&[A_PORT_V4][..], &port, &v4.octets()].concat(),
        IpAddr::V6(v6) => [&[A_PORT_V6][..], &port, &v6.octets()].concat(),
    }
}

/// The outer `None`: it is no address.
fn take_address(rest: &mut &[u8]) -> Option<Option<SocketAddr>> {
    let [family] = take(rest)?;
    if family == NO_PORT {
        return Some(None);
    }
    let port = u16::from_le_bytes(take(rest)?);
    let ip = match family {
        A_PORT_V4 => IpAddr::from(take::<4>(rest)?),
        A_PORT_V6 => IpAddr::from(take::<16>(rest)?),
        _ => return None,
    };
    Some(Some(SocketAddr::new(ip, port)))
}

/// A report as packets, each of [`PACKET_BYTES_MAX`] octets at most.
pub(crate) fn packets(session: u64, bytes: u64, signs: Signs, body: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let (first, rest) = body.split_at(body.len().min(PACKET_BYTES_MAX - REPORT_HEAD));
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let head = ReportHead { session, bytes, signs: signs.bits(), body: length };
    let first = Evidence::Report { head, part: first }.to_bytes();
    std::iter::once(first).chain(rest.chunks(PACKET_BYTES_MAX - PART_HEAD).map(|part| Evidence::Part(part).to_bytes()))
}

/// The longest body of a report with so many octets of payload.
pub(crate) const fn body_bytes_max(payload: usize) -> usize {
    let fields = 1 + FIELDS_MAX * (1 + FIELD_NAME_BYTES_MAX + 2 + FIELD_BYTES_MAX);
    let marks = 1 + Shape::ALL.len() * (1 + 1 + MARK_BYTES_MAX) + 5 * 2;
    let rules = 1 + RULE_MARKS_MAX * (1 + 1 + 1 + RULE_MARK_BYTES_MAX);
    fields + marks + rules + payload
}

/// Fields, marks and payload of a report.
pub(crate) fn body(findings: &Findings, marks: Option<&Marks>, payload: &[u8]) -> Vec<u8> {
    let fields: Vec<(&[u8], &[u8])> = findings
        .fields
        .iter()
        .filter(|(name, value)| name.len() <= FIELD_NAME_BYTES_MAX && value.len() <= FIELD_BYTES_MAX)
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .take(FIELDS_MAX)
        .collect();
    let mut body = vec![length_of(fields.len())];
    for (name, value) in fields {
        body.push(length_of(name.len()));
        body.extend_from_slice(name);
        body.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        body.extend_from_slice(value);
    }
    put_marks(&mut body, marks);
    body.extend_from_slice(payload);
    body
}

/// Nobody has looked.
const NO_MARKS: u8 = u8::MAX;
/// The trap said nothing.
const NOTHING_SENT: u16 = u16::MAX;
/// The most that an entropy can be.
const MILLIBITS_MAX: u16 = 8_000;

fn put_marks(body: &mut Vec<u8>, marks: Option<&Marks>) {
    let Some(Marks { shapes, rules, entropy }) = marks else { return body.push(NO_MARKS) };
    body.push(length_of(shapes.len()));
    for (shape, words) in shapes {
        let words = &words.as_bytes()[..words.len().min(MARK_BYTES_MAX)];
        body.extend_from_slice(&[*shape as u8, length_of(words.len())]);
        body.extend_from_slice(words);
    }
    body.push(length_of(rules.len().min(RULE_MARKS_MAX)));
    for RuleMark { words, points, is_hostile } in rules.iter().take(RULE_MARKS_MAX) {
        let words = &words.as_bytes()[..words.len().min(RULE_MARK_BYTES_MAX)];
        body.extend_from_slice(&[*points, u8::from(*is_hostile), length_of(words.len())]);
        body.extend_from_slice(words);
    }
    let sent = [entropy.sent, entropy.sent_window].map(|sent| sent.unwrap_or(NOTHING_SENT));
    for number in [entropy.whole, entropy.window, entropy.short].into_iter().chain(sent) {
        body.extend_from_slice(&number.to_le_bytes());
    }
}

/// Marks again, made harmless; the outer `None` if they are none.
fn take_marks(rest: &mut &[u8]) -> Option<Option<Marks>> {
    let [count] = take(rest)?;
    if count == NO_MARKS {
        return Some(None);
    }
    let mut marks = Marks::default();
    for _ in 0..count {
        let [shape, length] = take(rest)?;
        let (words, left) = rest.split_at_checked(usize::from(length))?;
        *rest = left;
        // No more than there are shapes: one that is told twice replaces itself.
        marks.shapes.insert(*Shape::ALL.get(usize::from(shape))?, safe_text(words, MARK_BYTES_MAX));
    }
    let [count] = take(rest)?;
    if usize::from(count) > RULE_MARKS_MAX {
        return None;
    }
    for _ in 0..count {
        let [points, is_hostile, length] = take(rest)?;
        let (words, left) = rest.split_at_checked(usize::from(length))?;
        *rest = left;
        let words = safe_text(words, RULE_MARK_BYTES_MAX);
        marks.rules.push(RuleMark { words, points: points.min(RULE_POINTS_MAX), is_hostile: is_hostile == 1 });
    }
    let mut number = || Some(u16::from_le_bytes(take(rest)?));
    let [whole, window, short] = [number()?, number()?, number()?].map(|number| number.min(MILLIBITS_MAX));
    let [sent, sent_window] =
        [number()?, number()?].map(|sent| Some(sent).filter(|sent| *sent != NOTHING_SENT).map(|sent| sent.min(MILLIBITS_MAX)));
    marks.entropy = Entropies { whole, window, short, sent, sent_window };
    Some(Some(marks))
}

/// One of the lengths above, all of which fit.
fn length_of(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// What is in a report's body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) findings: Findings,
    pub(crate) marks: Option<Marks>,
    pub(crate) payload: Vec<u8>,
}

/// Fields, marks and payload again, with everything made harmless that might not be; `None` if it is no body.
pub(crate) fn read_body(signs: u16, body: &[u8]) -> Option<Body> {
    let (count, mut rest) = body.split_first()?;
    let mut findings = Findings { signs: Signs::from_bits_truncate(signs), ..Findings::default() };
    if usize::from(*count) > FIELDS_MAX {
        return None;
    }
    for _ in 0..*count {
        let (length, left) = rest.split_first()?;
        let (name, left) = left.split_at_checked(usize::from(*length))?;
        rest = left;
        let length = u16::from_le_bytes(take(&mut rest)?);
        let (value, left) = rest.split_at_checked(usize::from(length))?;
        rest = left;
        let is_name = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if name.is_empty() || name.len() > FIELD_NAME_BYTES_MAX || !name.iter().all(is_name) {
            return None;
        }
        let name = String::from_utf8_lossy(name).into_owned();
        // What was made safe already stays as it is.
        findings.fields.insert(name, safe_text(value, FIELD_BYTES_MAX));
    }
    let marks = take_marks(&mut rest)?;
    Some(Body { findings, marks, payload: rest.to_vec() })
}

#[cfg(test)]
mod tests;
