//! A DNS message as BIND reads it: where it gives up, and what it says then (RFC 1035, 6891, 7871, 7873).

use super::{NAME_BYTES_MAX, OPT};
use alloc::vec::Vec;

/// Records of one message that are looked at; a message with more is broken.
const RECORDS_MAX: usize = 64;
const CLIENT_SUBNET: u16 = 8;
const COOKIE: u16 = 10;

/// A question with the octets that it takes.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) raw: &'a [u8],
    pub(super) kind: u16,
    pub(super) class: u16,
}

/// What its sender says of itself.
#[derive(Clone, Copy)]
pub(super) struct Edns<'a> {
    /// The buffer that it has.
    pub(super) size: u16,
    pub(super) version: u8,
    /// It wants signatures.
    pub(super) signed: bool,
    /// The whole option.
    pub(super) subnet: Option<&'a [u8]>,
    /// A client's part of a cookie.
    pub(super) cookie: Option<[u8; 8]>,
    /// An option in it is none.
    pub(super) is_wrong: bool,
}

/// What could be read, and whether all could.
#[derive(Default)]
pub(super) struct Message<'a> {
    pub(super) question: Option<Question<'a>>,
    pub(super) edns: Option<Edns<'a>>,
    pub(super) is_broken: bool,
}

/// Reads what follows a header with these counts.
pub(super) fn read<'a>(bytes: &'a [u8], counts: [u16; 4]) -> Message<'a> {
    let mut message = Message::default();
    let mut rest = bytes;
    match counts[0] {
        0 => {}
        1 => match question(bytes) {
            Some((found, behind)) => (message.question, rest) = (Some(found), behind),
            None => return Message { is_broken: true, ..message },
        },
        _ => return Message { is_broken: true, ..message },
    }
    let [_, answers, authorities, additional] = counts.map(usize::from);
    let all = answers + authorities + additional;
    if all > RECORDS_MAX || records(&mut message, rest, all, answers + authorities).is_none() {
        return Message { is_broken: true, edns: None, ..message };
    }
    message
}

fn records<'a>(message: &mut Message<'a>, mut rest: &'a [u8], all: usize, before: usize) -> Option<()> {
    for index in 0..all {
        let (is_root, behind) = skipped(rest)?;
        let ([kind, kind_low, size, size_low, _, version, flags, _, length, length_low], behind) = behind.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([*length, *length_low]));
        let (data, behind) = behind.split_at_checked(length)?;
        rest = behind;
        if u16::from_be_bytes([*kind, *kind_low]) != OPT {
            continue;
        }
        if !is_root || message.edns.is_some() || index < before {
            return None;
        }
        let mut edns = Edns {
            size: u16::from_be_bytes([*size, *size_low]),
            version: *version,
            signed: flags & 0x80 != 0,
            subnet: None,
            cookie: None,
            is_wrong: false,
        };
        options(&mut edns, data)?;
        message.edns = Some(edns);
    }
    Some(())
}

fn options<'a>(edns: &mut Edns<'a>, mut rest: &'a [u8]) -> Option<()> {
    while !rest.is_empty() {
        let ([code, code_low, length, length_low], behind) = rest.split_first_chunk()?;
        let (value, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes([*length, *length_low])))?;
        match u16::from_be_bytes([*code, *code_low]) {
            CLIENT_SUBNET => {
                edns.subnet = rest.get(..4 + value.len());
                edns.is_wrong |= !is_subnet(value);
            }
            COOKIE => {
                edns.cookie = value.first_chunk().copied();
                edns.is_wrong |= !matches!(value.len(), 8 | 16..=40);
            }
            _ => {}
        }
        rest = behind;
    }
    Some(())
}

/// A family, a prefix of it, and no more octets than it takes.
fn is_subnet(value: &[u8]) -> bool {
    let Some(([0, family, prefix, 0], address)) = value.split_first_chunk() else { return false };
    let most = match family {
        1 => 32,
        2 => 128,
        _ => return *family == 0 && *prefix == 0 && address.is_empty(),
    };
    *prefix <= most && address.len() == usize::from(prefix.div_ceil(8))
}

/// Behind a name, and whether that was the root's. Names may point elsewhere: where to is not looked at.
fn skipped(bytes: &[u8]) -> Option<(bool, &[u8])> {
    let mut rest = bytes;
    loop {
        let (length, behind) = rest.split_first()?;
        rest = match length {
            0 => return Some((rest.len() == bytes.len(), behind)),
            0xc0.. => return Some((false, behind.get(1..)?)),
            1..=63 => behind.get(usize::from(*length)..)?,
            _ => return None,
        };
    }
}

fn question(bytes: &[u8]) -> Option<(Question<'_>, &[u8])> {
    let (_, behind) = skipped(bytes)?;
    let name = &bytes[..bytes.len() - behind.len()];
    // A name in a question points nowhere.
    if name.len() > NAME_BYTES_MAX || name.last() != Some(&0) || labels(name).is_none() {
        return None;
    }
    let ([kind, kind_low, class, class_low], behind) = behind.split_first_chunk()?;
    let raw = &bytes[..bytes.len() - behind.len()];
    let (kind, class) = (u16::from_be_bytes([*kind, *kind_low]), u16::from_be_bytes([*class, *class_low]));
    Some((Question { raw, kind, class }, behind))
}

/// A name's labels, if it is written without pointers.
fn labels(mut rest: &[u8]) -> Option<Vec<&[u8]>> {
    let mut labels = Vec::new();
    loop {
        let (length, behind) = rest.split_first()?;
        if *length == 0 {
            return Some(labels);
        }
        let (label, behind) = behind.split_at_checked(usize::from(*length)).filter(|_| *length < 64)?;
        labels.push(label);
        rest = behind;
    }
}

impl<'a> Question<'a> {
    /// The name's labels, the root's left out.
    pub(super) fn labels(&self) -> Vec<&'a [u8]> {
        labels(self.raw).unwrap_or_default()
    }

    /// The name as it stands in the message.
    pub(super) fn written(&self) -> &'a [u8] {
        self.raw.get(..self.raw.len().saturating_sub(4)).unwrap_or_default()
    }

    /// With points between its labels, as it is written.
    pub(super) fn name(&self) -> Vec<u8> {
        let labels = self.labels();
        if labels.is_empty() { b".".to_vec() } else { labels.join(&b'.') }
    }
}
