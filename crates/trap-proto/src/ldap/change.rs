//! Comparisons, and changes, which nobody may make: in which order slapd finds fault with them.

use super::{
    controls::Controls,
    dn, entry,
    fits::{Compared, compare},
    session::{AUTHENTICATE, INVALID_DN, LdapSession, NO_SUCH_OBJECT, PROTOCOL_ERROR, STRONGER_AUTH_REQUIRED, UNWILLING},
};
use crate::{
    Flow,
    ber::{number, tagged, value},
    exactly::Reader,
};
use alloc::vec::Vec;
use honeymesh_types::Signs;

const EXISTS: u8 = 68;
/// The last kind of modification.
const MODIFICATION_LAST: u32 = 3;
const SCHEMA: &str = "cn=Subschema";
/// The tree of the server's own settings.
const CONFIGURATION: &str = "cn=config";

/// Whether an entry is a tree's first or stands below it.
fn is_below(name: &str, tree: &str) -> bool {
    name.strip_suffix(tree).is_some_and(|before| before.is_empty() || before.ends_with(','))
}

/// A fault: code, matched name, and words.
type Fault = (u8, &'static str);

impl LdapSession {
    /// Whoever would change what is not his is hostile; who only compares is not.
    pub(super) fn change(&mut self, id: &[u8], operation: u8, name: &[u8], rest: &[u8], answer: &mut Vec<u8>) -> Option<Flow> {
        let (word, reply) = match operation {
            0x66 => ("modify", 0x67),
            0x68 => ("add", 0x69),
            0x4a => ("delete", 0x6b),
            _ => ("rename", 0x6d),
        };
        self.findings.note("operation", word.as_bytes());
        self.findings.note("entry", name);
        self.findings.signs |= Signs::RULE;
        let (code, said) = match dn::normal(name) {
            None => (INVALID_DN, "invalid DN"),
            Some(own) => self.fault(word, &own, rest)?,
        };
        self.done(id, reply, code, b"", said, answer);
        Some(Flow::Telling)
    }

    /// What is wrong with a change; `None` if it cannot be read.
    fn fault(&self, word: &str, name: &str, rest: &[u8]) -> Option<Fault> {
        let suffix = dn::normal(self.ldap.suffix().as_bytes()).unwrap_or_default();
        let is_schema = name.eq_ignore_ascii_case(SCHEMA);
        let is_inside = [suffix.as_str(), CONFIGURATION].iter().any(|tree| is_below(name, tree));
        let mut parts = Reader(rest);
        Some(match (word, name) {
            ("delete", "") => (UNWILLING, "cannot delete the root DSE"),
            ("delete", _) if is_schema => (UNWILLING, "cannot delete the root DSE"),
            ("add", _) if tagged(&mut parts, 0x30)?.is_empty() => (PROTOCOL_ERROR, "no attributes provided"),
            ("add", "") => (EXISTS, "root DSE already exists"),
            ("modify", _) if !are_modifications(tagged(&mut parts, 0x30)?)? => (PROTOCOL_ERROR, "unrecognized modify operation"),
            ("modify", "") => (UNWILLING, "modify upon the root DSE not supported"),
            ("modify", _) if is_schema => (UNWILLING, "modification of subschema subentry not supported"),
            ("rename", _) if dn::normal(tagged(&mut parts, 4)?).is_none_or(|own| own.is_empty()) => {
                (INVALID_DN, "invalid new RDN")
            }
            ("rename", "") => (UNWILLING, "cannot rename the root DSE"),
            ("rename", _) if is_schema => (UNWILLING, "cannot rename subschema subentry"),
            _ if !is_inside => (UNWILLING, "no global superior knowledge"),
            _ => (STRONGER_AUTH_REQUIRED, AUTHENTICATE),
        })
    }

    /// An entry; whoever looks at the root has the mechanisms listed.
    fn known(&mut self, name: &str) -> Option<entry::Entry> {
        if name.is_empty() {
            self.said.has_listed();
        }
        self.entry(name)
    }

    /// A comparison; `None` if it cannot be read.
    pub(super) fn compare(&mut self, id: &[u8], content: &[u8], controls: &Controls<'_>, answer: &mut Vec<u8>) -> Option<Flow> {
        let mut reader = Reader(content);
        let name = tagged(&mut reader, 4)?;
        let mut parts = Reader(tagged(&mut reader, 0x30)?);
        let (attribute, asserted) = (tagged(&mut parts, 4)?, tagged(&mut parts, 4)?);
        self.findings.note("operation", b"compare");
        self.findings.note("entry", name);
        let (code, matched, said) = match dn::normal(name) {
            None => (INVALID_DN, Vec::new(), "invalid DN"),
            Some(name) => match self.known(&name) {
                None => (NO_SUCH_OBJECT, self.matched(&name), ""),
                Some(entry) => match controls.asserted(&entry) {
                    Err((code, said)) => (code, Vec::new(), said),
                    Ok(()) => compared(attribute, asserted, &entry),
                },
            },
        };
        self.done(id, 0x6f, code, &matched, said, answer);
        Some(Flow::Telling)
    }
}

fn compared(attribute: &[u8], asserted: &[u8], entry: &entry::Entry) -> (u8, Vec<u8>, &'static str) {
    let (code, said) = match compare(attribute, asserted, entry) {
        _ if attribute.eq_ignore_ascii_case(b"entryDN") => (UNWILLING, "entryDN compare not supported"),
        Compared::True => (6, ""),
        Compared::False => (5, ""),
        Compared::Missing => (16, ""),
        Compared::Unknown => (17, ""),
        Compared::Inappropriate => (18, "inappropriate matching request"),
        Compared::Wrong => (21, "value does not conform to assertion syntax"),
        Compared::Denied => (50, ""),
    };
    (code, Vec::new(), said)
}

/// Are all of them of a kind that there is? `None`: they cannot be read.
fn are_modifications(list: &[u8]) -> Option<bool> {
    let mut reader = Reader(list);
    while !reader.0.is_empty() {
        let mut one = Reader(tagged(&mut reader, 0x30)?);
        let kind = number(tagged(&mut one, 0x0a)?)?;
        value(&mut one)?;
        if kind > MODIFICATION_LAST {
            return Some(false);
        }
    }
    Some(true)
}
