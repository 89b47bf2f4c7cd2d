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

    /// Notes a fact of which there may be more than one: an earlier one stays as `first_name`, and another as `second_name`.
    pub(crate) fn note_next(&mut self, name: &str, value: &[u8]) {
        let before = self.fields.get(name).cloned();
        self.note(name, value);
        let Some(before) = before.filter(|before| self.fields.get(name) != Some(before)) else { return };
        let places = ["first_", "second_"].map(|place| [place, name].concat());
        if self.fields.get(&places[0]) != Some(&before)
            && let Some(free) = places.into_iter().find(|place| !self.fields.contains_key(place))
            && self.fields.len() < FIELDS_MAX
        {
            self.fields.insert(free, before);
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
    fn of_a_fact_that_is_said_again_the_earlier_ones_stay() {
        let mut findings = Findings::default();
        for value in ["a", "a", "b", "c", "c", "d"] {
            findings.note_next("name", value.as_bytes());
        }
        let told = ["first_name", "second_name", "name"].map(|name| findings.fields[name].as_str());
        assert_eq!((told, findings.fields.len()), (["a", "b", "d"], 3));
        for index in 0..FIELDS_MAX {
            findings.note(&format!("{index}"), b"");
        }
        findings.note_next("0", b"x");
        assert_eq!((findings.fields.len(), findings.fields["0"].as_str()), (FIELDS_MAX, "x"), "where there is room");
    }

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
