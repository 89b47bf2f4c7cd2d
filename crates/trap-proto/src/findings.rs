//! What a session recognised: signs and named facts, as bounded and harmless text.

use crate::text::kept_text;
use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
};
use honeymesh_types::Signs;

/// The longest value of a field, in bytes of its text; longer ones are cut and end in `…`.
pub const FIELD_BYTES_MAX: usize = 1_024;
/// The most fields in one report; further ones are left out, since the payload has them anyway.
pub const FIELDS_MAX: usize = 32;

/// Signs and fields since the previous report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What was recognised.
    pub signs: Signs,
    /// Named facts: at most [`FIELDS_MAX`], each value made safe and at most [`FIELD_BYTES_MAX`] long.
    pub fields: BTreeMap<String, String>,
}

impl Findings {
    /// Notes a fact as harmless text from which its bytes can be had again; the last one of a name wins.
    pub(crate) fn note(&mut self, name: &str, value: &[u8]) {
        if self.fields.len() < FIELDS_MAX || self.fields.contains_key(name) {
            self.fields.insert(name.to_string(), kept_text(value, FIELD_BYTES_MAX));
        }
    }

    /// Notes a fact if there is none of that name yet.
    pub(crate) fn note_first(&mut self, name: &str, value: &[u8]) {
        if !self.fields.contains_key(name) {
            self.note(name, value);
        }
    }

    /// Takes over what another session found, as far as there is room.
    pub(crate) fn merge(&mut self, other: Self) {
        self.signs |= other.signs;
        for (name, value) in other.fields {
            if self.fields.len() < FIELDS_MAX || self.fields.contains_key(&name) {
                self.fields.insert(name, value);
            }
        }
    }

    /// Nothing recognised.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.signs.is_empty() && self.fields.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn the_number_and_the_length_of_fields_are_bounded() {
        let mut findings = Findings::default();
        for index in 0..FIELDS_MAX + 5 {
            findings.note(&format!("name-{index:03}"), &[b'x'; FIELD_BYTES_MAX * 2]);
        }
        assert_eq!(findings.fields.len(), FIELDS_MAX);
        assert!(findings.fields.values().all(|value| value.len() <= FIELD_BYTES_MAX));
        findings.note("name-000", b"again");
        assert_eq!(findings.fields["name-000"], "again", "a known name can still change");
        findings.note_first("name-000", b"never");
        assert_eq!(findings.fields["name-000"], "again");
    }
}
