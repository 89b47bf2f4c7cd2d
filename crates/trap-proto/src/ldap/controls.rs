//! What stands behind a request: controls (RFC 4511, 4.1.11), of which some must be understood.

use super::{entry::Entry, fits};
use crate::{
    ber::{ber, number, sequence, tagged, value},
    exactly::Reader,
};
use alloc::vec::Vec;

/// Controls of one request that are looked at; the rest is taken for understood.
const CONTROLS_MAX: usize = 16;
const PROTOCOL_ERROR: u8 = 2;
const UNAVAILABLE: u8 = 12;
const ASSERTION_FAILED: u8 = 122;
const NO_PROXY: u8 = 123;

const PAGES: &[u8] = b"1.2.840.113556.1.4.319";
const PROXIED: &[u8] = b"2.16.840.1.113730.3.4.18";
const MANAGED: &[u8] = b"2.16.840.1.113730.3.4.2";
const SUBENTRIES: &[u8] = b"1.3.6.1.4.1.4203.1.10.1";
const ASSERTION: &[u8] = b"1.3.6.1.1.12";
const NO_COPY: &[u8] = b"1.3.6.1.1.22";
const VALUES: &[u8] = b"1.2.826.0.1.3344810.2.3";
const BEHIND: &[u8] = b"1.3.6.1.1.13.2";
const BEFORE: &[u8] = b"1.3.6.1.1.13.1";

const SEARCH: u8 = 0x63;
const MODIFY: u8 = 0x66;
const ADD: u8 = 0x68;
const DELETE: u8 = 0x4a;
const RENAME: u8 = 0x6c;
const COMPARE: u8 = 0x6e;
const EXTENDED: u8 = 0x77;

/// The controls that slapd has, each with the operations that it has it for.
const KNOWN: [(&[u8], &[u8]); 9] = [
    (PROXIED, &[SEARCH, COMPARE, ADD, DELETE, MODIFY, RENAME, EXTENDED]),
    (MANAGED, &[SEARCH, COMPARE, ADD, DELETE, MODIFY, RENAME]),
    (SUBENTRIES, &[SEARCH]),
    (NO_COPY, &[SEARCH, COMPARE]),
    (PAGES, &[SEARCH]),
    (VALUES, &[SEARCH]),
    (BEHIND, &[ADD, MODIFY, RENAME]),
    (BEFORE, &[DELETE, MODIFY, RENAME]),
    (ASSERTION, &[SEARCH, COMPARE, ADD, DELETE, MODIFY, RENAME]),
];

/// Whether it is a list of texts.
fn is_list(asked: &[u8]) -> bool {
    let Some(list) = tagged(&mut Reader(asked), 0x30) else { return false };
    let mut texts = Reader(list);
    while !texts.0.is_empty() {
        if value(&mut texts).is_none() {
            return false;
        }
    }
    true
}

/// What the controls of one request ask for.
#[derive(Default)]
pub(super) struct Controls<'a> {
    /// How many entries a page shall have.
    pub(super) pages: Option<u32>,
    /// Only what is said about the tree is asked for.
    pub(super) only_subentries: bool,
    assertion: Option<&'a [u8]>,
}

/// An error's code and words.
pub(super) type Refused = (u8, &'static str);

impl<'a> Controls<'a> {
    /// Reads them. `None`: they cannot be read.
    pub(super) fn read(operation: u8, list: Option<&'a [u8]>) -> Option<Result<Self, Refused>> {
        let mut controls = Self::default();
        let mut reader = Reader(list.unwrap_or_default());
        for _ in 0..CONTROLS_MAX {
            let Some(one) = tagged(&mut reader, 0x30) else { break };
            let mut parts = Reader(one);
            let name = tagged(&mut parts, 4)?;
            let (mut is_critical, mut asked) = (false, None);
            while let Some((tag, content)) = value(&mut parts) {
                match tag {
                    1 => is_critical = content != [0],
                    4 => asked = Some(content),
                    _ => return None,
                }
            }
            if let Err(refused) = controls.take(operation, name, is_critical, asked) {
                return Some(Err(refused));
            }
        }
        Some(Ok(controls))
    }

    fn take(&mut self, operation: u8, name: &[u8], is_critical: bool, asked: Option<&'a [u8]>) -> Result<(), Refused> {
        let Some((_, operations)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            return if is_critical { Err((UNAVAILABLE, "critical extension is not recognized")) } else { Ok(()) };
        };
        if !operations.contains(&operation) {
            // An unbind and an abandon are not answered.
            let is_refused = is_critical && !matches!(operation, 0x42 | 0x50);
            return if is_refused { Err((UNAVAILABLE, "critical extension is unavailable")) } else { Ok(()) };
        }
        let wrong = |words| Err((PROTOCOL_ERROR, words));
        match (name, asked) {
            (PAGES, asked) => return self.pages(asked),
            (PROXIED, None) => return wrong("proxy authorization control value absent"),
            (PROXIED, Some(_)) => return Err((NO_PROXY, "anonymous proxied authorization not allowed")),
            (MANAGED, Some(_)) => return wrong("manageDSAit control value not absent"),
            (NO_COPY, Some(_)) => return wrong("dontUseCopy control value not absent"),
            (SUBENTRIES, Some([1, 1, only])) => self.only_subentries = *only != 0,
            (SUBENTRIES, _) => return wrong("subentries control value encoding is bogus"),
            (ASSERTION, None) => return wrong("assert control value is absent"),
            (ASSERTION, asked) => self.assertion = asked,
            (VALUES, None) => return wrong("valuesReturnFilter control value is absent"),
            (BEFORE, None) => return wrong("preread control: value is absent"),
            (BEHIND, None) => return wrong("postread control: value is absent"),
            (BEFORE, Some(list)) if !is_list(list) => return wrong("preread control: decoding error"),
            (BEHIND, Some(list)) if !is_list(list) => return wrong("postread control: decoding error"),
            _ => {}
        }
        Ok(())
    }

    fn pages(&mut self, asked: Option<&[u8]>) -> Result<(), Refused> {
        let said = match asked {
            _ if self.pages.is_some() => "paged results control specified multiple times",
            None => "paged results control value is absent",
            Some([]) => "paged results control value is empty",
            Some(asked) => {
                let read = tagged(&mut Reader(asked), 0x30).and_then(|content| {
                    let mut parts = Reader(content);
                    Some((number(tagged(&mut parts, 2)?)?, tagged(&mut parts, 4)?))
                });
                match read {
                    Some((size, [])) => {
                        self.pages = Some(size);
                        return Ok(());
                    }
                    Some(_) => "paged results cookie is invalid",
                    None => "paged results control could not be decoded",
                }
            }
        };
        Err((PROTOCOL_ERROR, said))
    }

    /// Whether the entry is as it was asserted to be.
    pub(super) fn asserted(&self, entry: &Entry) -> Result<(), Refused> {
        match self.assertion.map(|filter| fits::fits(filter, entry)) {
            None | Some(Ok(true)) => Ok(()),
            Some(_) => Err((ASSERTION_FAILED, "")),
        }
    }

    /// What stands behind a search's result: that this was the last page, or that the first is still to come.
    pub(super) fn behind(&self) -> Vec<u8> {
        let Some(size) = self.pages else { return Vec::new() };
        let cookie: &[u8] = if size == 0 { &[0xff; 8] } else { &[] };
        let page = sequence(0x30, &[ber(2, &[0]), ber(4, cookie)]);
        ber(0xa0, &sequence(0x30, &[ber(4, PAGES), ber(4, &page)]))
    }
}
