//! The entries that there are: the root DSE, the tree's first, and the schema's.

use super::{
    Ldap,
    schema::{self, Attribute},
};
use crate::ber::{ber, sequence};
use alloc::{format, string::String, vec, vec::Vec};

/// One entry: its name and its attributes, of which some are only shown when asked for.
pub(super) struct Entry {
    name: String,
    attributes: Vec<Held>,
}

/// One attribute with its values.
struct Held {
    name: &'static str,
    /// The first names of it and of those above it, looked up once for each entry, however many filters ask.
    lineage: Vec<&'static str>,
    values: Vec<String>,
    is_operational: bool,
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

/// The schema's name.
pub(super) const SUBSCHEMA: &str = "cn=Subschema";

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
    Entry::of(String::new(), attributes)
}

/// The tree's first entry, as Debian's set-up makes it.
pub(super) fn suffix(ldap: &Ldap) -> Entry {
    let first = ldap.domain().split('.').next().unwrap_or_default();
    let tree = &ldap.tree;
    let attributes = vec![
        ("objectClass", texts(&["top", "dcObject", "organization"]), false),
        ("o", texts(&[ldap.domain()]), false),
        ("dc", texts(&[first]), false),
        ("structuralObjectClass", texts(&["organization"]), true),
        ("entryUUID", vec![tree.uuid()], true),
        ("creatorsName", vec![format!("cn=admin,{}", ldap.suffix())], true),
        ("createTimestamp", vec![tree.timestamp()], true),
        ("entryCSN", vec![tree.csn()], true),
        ("modifiersName", vec![format!("cn=admin,{}", ldap.suffix())], true),
        ("modifyTimestamp", vec![tree.timestamp()], true),
        ("entryDN", vec![ldap.suffix()], true),
        ("subschemaSubentry", texts(&["cn=Subschema"]), true),
        ("hasSubordinates", texts(&["FALSE"]), true),
    ];
    Entry::of(ldap.suffix(), attributes)
}

/// The schema's entry, of which the schema itself is not shown: it is longer than any answer here.
pub(super) fn schema() -> Entry {
    let attributes = vec![
        ("objectClass", texts(&["top", "subentry", "subschema", "extensibleObject"]), false),
        ("cn", texts(&["Subschema"]), false),
        ("structuralObjectClass", texts(&["subentry"]), true),
        ("entryDN", texts(&["cn=Subschema"]), true),
        ("subschemaSubentry", texts(&["cn=Subschema"]), true),
    ];
    Entry::of(String::from(SUBSCHEMA), attributes)
}

/// Classes whose attributes can be asked for together, in small letters.
const OF_CLASSES: [(&[u8], &[&str]); 4] = [
    (b"organization", &["objectClass", "o"]),
    (b"dcobject", &["objectClass", "dc"]),
    (b"top", &["objectClass"]),
    (b"openldaprootdse", &["objectClass"]),
];

impl Entry {
    /// Of attributes each with its values, and whether it is operational.
    fn of(name: String, attributes: Vec<(&'static str, Vec<String>, bool)>) -> Self {
        let held = |(name, values, is_operational)| {
            let lineage = schema::find(str::as_bytes(name)).map_or_else(|| vec![name], |own| own.lineage().collect());
            Held { name, lineage, values, is_operational }
        };
        Self { name, attributes: attributes.into_iter().map(held).collect() }
    }

    /// Is this its name, as names are compared?
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The values of an attribute, and of those below it.
    pub(super) fn values(&self, attribute: &Attribute) -> impl Iterator<Item = &String> {
        // Two that the server computes are not found by their value.
        let is_found = |name: &str| name != "subschemaSubentry" || self.name.is_empty();
        let is_it = move |held: &&Held| is_found(held.name) && held.lineage.contains(&attribute.name);
        self.attributes.iter().filter(is_it).flat_map(|held| &held.values)
    }

    /// Every value.
    pub(super) fn all(&self) -> impl Iterator<Item = &String> {
        self.attributes.iter().flat_map(|held| &held.values)
    }

    /// The attributes that were asked for, as the content of a search's entry.
    pub(super) fn shown(&self, asked: &[&[u8]], types_only: bool) -> Vec<u8> {
        let has = |sign: &[u8]| asked.contains(&sign);
        let found: Vec<Attribute> = asked.iter().filter_map(|name| schema::find(name)).collect();
        let of_class = |name: &str| {
            let classes = asked.iter().filter_map(|asked| asked.strip_prefix(b"@")).map(<[u8]>::to_ascii_lowercase);
            let mut known = classes.filter_map(|class| OF_CLASSES.iter().find(|(name, _)| *name == class.as_slice()));
            known.any(|(_, names)| names.contains(&name))
        };
        let is_shown = |held: &&Held| {
            let is_asked = || found.iter().any(|asked| held.lineage.contains(&asked.name));
            let is_all = if held.is_operational { has(b"+") } else { asked.is_empty() || has(b"*") };
            is_all || of_class(held.name) || is_asked()
        };
        let mut attributes = Vec::new();
        for held in self.attributes.iter().filter(is_shown) {
            let values = held.values.iter().filter(|_| !types_only);
            let values: Vec<Vec<u8>> = values.map(|value| ber(4, value.as_bytes())).collect();
            attributes.push(sequence(0x30, &[ber(4, held.name.as_bytes()), sequence(0x31, &values)]));
        }
        [ber(4, self.name.as_bytes()), sequence(0x30, &attributes)].concat()
    }
}
