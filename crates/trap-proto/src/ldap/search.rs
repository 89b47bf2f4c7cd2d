//! Searches: in which order slapd finds fault with them, and what they find.

use super::{
    controls::Controls,
    dn, filter, fits,
    session::{DECODING, DECODING_ATTRIBUTES, INVALID_DN, LdapSession, NO_SUCH_OBJECT, PROTOCOL_ERROR},
};
use crate::{
    Flow,
    ber::{ber, sequence, signed, tagged, value},
    exactly::Reader,
};
use alloc::vec::Vec;

/// Attributes of one search that are looked at.
const ATTRIBUTES_MAX: usize = 64;
/// The last of the scopes, and of the ways to follow aliases.
const SCOPE_LAST: i32 = 3;
const DEREF_LAST: i32 = 3;

/// What stands in front of a search's filter.
struct Head<'a> {
    base: &'a [u8],
    scope: i32,
    deref: i32,
    size: i32,
    time: i32,
    types_only: bool,
}

impl<'a> Head<'a> {
    /// Reads it; `None` if it cannot be read.
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let base = tagged(reader, 4)?;
        let mut next = |tag| signed(tagged(reader, tag)?);
        let (scope, deref, size, time) = (next(0x0a)?, next(0x0a)?, next(2)?, next(2)?);
        Some(Self { base, scope, deref, size, time, types_only: next(1)? != 0 })
    }

    /// What is wrong with it, as slapd sees it first.
    fn fault(&self) -> Option<(u8, &'static str)> {
        let fault = match self {
            Self { time: ..0, .. } => "invalid time limit",
            Self { size: ..0, .. } => "invalid size limit",
            Self { scope, .. } if !(0..=SCOPE_LAST).contains(scope) => "invalid scope",
            Self { deref, .. } if !(0..=DEREF_LAST).contains(deref) => "invalid deref",
            Self { base, .. } => return dn::normal(base).is_none().then_some((INVALID_DN, "invalid DN")),
        };
        Some((PROTOCOL_ERROR, fault))
    }
}

impl LdapSession {
    /// A search; else what is said of one that cannot be read.
    pub(super) fn search(
        &mut self,
        id: &[u8],
        content: &[u8],
        controls: &Controls<'_>,
        answer: &mut Vec<u8>,
    ) -> Result<Flow, &'static str> {
        let mut reader = Reader(content);
        if let Some(base) = tagged(&mut Reader(content), 4) {
            self.findings.note("base", base);
        }
        let head = Head::read(&mut reader).ok_or(DECODING)?;
        let behind = self.note_sought(&mut reader);
        if let Some((code, said)) = head.fault() {
            self.done(id, 0x65, code, b"", said, answer);
            return Ok(Flow::Telling);
        }
        let (sought, asked) = behind?;
        let name = dn::normal(head.base).unwrap_or_default();
        // Below the root there is nothing that is asked for by it.
        let Some(entry) = self.entry(&name).filter(|entry| !entry.name().is_empty() || head.scope == 0) else {
            self.done(id, 0x65, NO_SUCH_OBJECT, &self.matched(&name), "", answer);
            return Ok(Flow::Telling);
        };
        let fits = fits::fits(sought, &entry).map_err(|()| DECODING_ATTRIBUTES)?;
        if name.is_empty() {
            self.said.has_listed();
        }
        if let Err((code, said)) = controls.asserted(&entry) {
            self.done(id, 0x65, code, b"", said, answer);
            return Ok(Flow::Telling);
        }
        let is_last = controls.pages != Some(0) || name.is_empty();
        if fits && matches!(head.scope, 0 | 2) && !controls.only_subentries && is_last {
            self.send(id, 0x64, &entry.shown(&asked, head.types_only), answer);
        }
        let behind = if name.is_empty() { Vec::new() } else { controls.behind() };
        let done = ber(0x65, &[&[0x0a, 1, 0, 4, 0, 4, 0][..]].concat());
        answer.extend(sequence(0x30, &[ber(2, id), done, behind]));
        Ok(Flow::Telling)
    }

    /// Takes down the filter and the attributes; an error if they cannot be read, with as much of them as can.
    fn note_sought<'a>(&mut self, reader: &mut Reader<'a>) -> Result<(&'a [u8], Vec<&'a [u8]>), &'static str> {
        let rest = reader.0;
        value(reader).ok_or("error decoding filter")?;
        let sought = &rest[..rest.len() - reader.0.len()];
        self.findings.note("filter", &filter::text(sought));
        let mut names = Reader(tagged(reader, 0x30).ok_or(DECODING_ATTRIBUTES)?);
        let mut asked = Vec::new();
        let mut is_whole = true;
        while is_whole && asked.len() < ATTRIBUTES_MAX && !names.0.is_empty() {
            let name = tagged(&mut names, 4);
            is_whole = name.is_some();
            asked.extend(name);
        }
        if !asked.is_empty() {
            self.findings.note("attributes", &asked.join(&b' '));
        }
        if is_whole { Ok((sought, asked)) } else { Err(DECODING_ATTRIBUTES) }
    }
}
