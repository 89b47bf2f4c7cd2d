//! The two entries that there are: the root DSE, and the tree's first.

use super::Ldap;
use crate::ber::{ber, sequence};
use alloc::{string::String, vec, vec::Vec};

/// One entry: its name and its attributes, of which some are only shown when asked for.
pub(super) struct Entry {
    name: String,
    /// Each with its values, and whether it is operational.
    attributes: Vec<(&'static str, Vec<String>, bool)>,
}

/// What slapd of Debian 13 says of itself.
const CONTROLS: [&str; 9] = [
    "2.16.840.1.113730.3.4.18",
    "2.16.840.1.113730.3.4.2",
    "1.3.6.1.4.1.4203.1.10.1",
    "1.3.6.1.1.22",
    "1.2.840.113556.1.4.319",
    "1.2.826.0.1.3344810.2.3",
    "1.3.6.1.1.13.2",
    "1.3.6.1.1.13.1",
    "1.3.6.1.1.12",
];
const EXTENSIONS: [&str; 5] =
    ["1.3.6.1.4.1.4203.1.11.1", "1.3.6.1.4.1.4203.1.11.3", "1.3.6.1.1.8", "1.3.6.1.1.21.3", "1.3.6.1.1.21.1"];
const FEATURES: [&str; 6] = [
    "1.3.6.1.1.14",
    "1.3.6.1.4.1.4203.1.5.1",
    "1.3.6.1.4.1.4203.1.5.2",
    "1.3.6.1.4.1.4203.1.5.3",
    "1.3.6.1.4.1.4203.1.5.4",
    "1.3.6.1.4.1.4203.1.5.5",
];
pub(super) const MECHANISMS: [&str; 8] =
    ["SCRAM-SHA-512", "SCRAM-SHA-384", "SCRAM-SHA-256", "SCRAM-SHA-224", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5", "NTLM"];

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| String::from(*value)).collect()
}

/// The root DSE.
pub(super) fn root(ldap: &Ldap) -> Entry {
    let attributes = vec![
        ("objectClass", texts(&["top", "OpenLDAProotDSE"]), false),
        ("structuralObjectClass", texts(&["OpenLDAProotDSE"]), true),
        ("configContext", texts(&["cn=config"]), true),
        ("namingContexts", vec![ldap.suffix()], true),
        ("supportedControl", texts(&CONTROLS), true),
        ("supportedExtension", texts(&EXTENSIONS), true),
        ("supportedFeatures", texts(&FEATURES), true),
        ("supportedLDAPVersion", texts(&["3"]), true),
        ("supportedSASLMechanisms", texts(&MECHANISMS), true),
        ("entryDN", texts(&[""]), true),
        ("subschemaSubentry", texts(&["cn=Subschema"]), true),
    ];
    Entry { name: String::new(), attributes }
}

/// The tree's first entry, as Debian's set-up makes it.
pub(super) fn suffix(ldap: &Ldap) -> Entry {
    let first = ldap.domain().split('.').next().unwrap_or_default();
    let attributes = vec![
        ("objectClass", texts(&["top", "dcObject", "organization"]), false),
        ("o", texts(&[ldap.domain()]), false),
        ("dc", texts(&[first]), false),
        ("structuralObjectClass", texts(&["organization"]), true),
        ("entryDN", vec![ldap.suffix()], true),
        ("hasSubordinates", texts(&["FALSE"]), true),
        ("subschemaSubentry", texts(&["cn=Subschema"]), true),
    ];
    Entry { name: ldap.suffix(), attributes }
}

impl Entry {
    /// The attributes that were asked for, as the content of a search's entry.
    pub(super) fn shown(&self, asked: &[&[u8]], types_only: bool) -> Vec<u8> {
        let has = |name: &[u8]| asked.iter().any(|one| one.eq_ignore_ascii_case(name));
        let is_shown = |name: &str, is_operational: bool| {
            has(name.as_bytes()) || if is_operational { has(b"+") } else { asked.is_empty() || has(b"*") }
        };
        let mut attributes = Vec::new();
        for (name, values, is_operational) in &self.attributes {
            if is_shown(name, *is_operational) {
                let values: Vec<Vec<u8>> = values.iter().filter(|_| !types_only).map(|value| ber(4, value.as_bytes())).collect();
                attributes.push(sequence(0x30, &[ber(4, name.as_bytes()), sequence(0x31, &values)]));
            }
        }
        [ber(4, self.name.as_bytes()), sequence(0x30, &attributes)].concat()
    }
}
