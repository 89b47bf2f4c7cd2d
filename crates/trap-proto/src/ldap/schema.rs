//! What slapd of Debian 13 knows of attributes and classes: core, cosine, nis and inetorgperson, and its own.

/// A line for each name and number of an attribute, in order: the name in small letters, how its values are compared, its
/// first name, and the attribute above it.
const ATTRIBUTES: &str = include_str!("attributes.txt");
/// The same for classes: the name in small letters, and the first name.
const CLASSES: &str = include_str!("classes.txt");
/// The longest name of an attribute or a class that is looked for, in bytes: longer than any.
const NAME_BYTES_MAX: usize = 64;
/// Attributes above an attribute that are followed.
const ABOVE_MAX: usize = 4;

/// An attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    /// As the server writes it.
    pub(super) name: &'static str,
    kind: &'static str,
    above: &'static str,
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Not at all.
    None,
    /// Small letters as large ones, and spaces once.
    Text,
    Exact,
    Number,
    Name,
    Truth,
    Time,
    /// A class or another thing with a number.
    Class,
    Octets,
}

impl Attribute {
    pub(super) fn rule(&self) -> Rule {
        match self.kind.as_bytes().first() {
            Some(b'i') => Rule::Text,
            Some(b'x') => Rule::Exact,
            Some(b'n') => Rule::Number,
            Some(b'd') => Rule::Name,
            Some(b'b') => Rule::Truth,
            Some(b't') => Rule::Time,
            Some(b'c') => Rule::Class,
            Some(b'o') => Rule::Octets,
            _ => Rule::None,
        }
    }

    /// Is there an order of its values?
    pub(super) fn is_ordered(&self) -> bool {
        self.kind.contains('<')
    }

    /// Can a part of a value be looked for?
    pub(super) fn has_parts(&self) -> bool {
        self.kind.contains('*')
    }

    /// The first names of it and of those above it.
    pub(super) fn lineage(self) -> impl Iterator<Item = &'static str> {
        let all = core::iter::successors(Some(self), |one| find(one.above.as_bytes()));
        all.take(ABOVE_MAX).map(|one| one.name)
    }
}

/// An attribute by one of its names or its number, in letters of any size.
pub(super) fn find(name: &[u8]) -> Option<Attribute> {
    let mut words = line(ATTRIBUTES, name)?.split(' ');
    Some(Attribute { kind: words.next()?, name: words.next()?, above: words.next()? })
}

/// A class's first name.
pub(super) fn class(name: &[u8]) -> Option<&'static str> {
    line(CLASSES, name)
}

/// What stands behind a name in a table whose lines are in order.
fn line(table: &'static str, name: &[u8]) -> Option<&'static str> {
    #[cfg(test)]
    tests::LOOKED_UP.with(|count| count.set(count.get() + 1));
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let mut rest = table;
    while !rest.is_empty() {
        let before = rest.get(..rest.len() / 2)?.rfind('\n').map_or(0, |at| at + 1);
        let end = rest[before..].find('\n').map_or(rest.len(), |at| before + at);
        let (key, value) = rest[before..end].split_once(' ')?;
        match key.as_bytes().cmp(name.as_slice()) {
            core::cmp::Ordering::Equal => return Some(value),
            core::cmp::Ordering::Less => rest = rest.get(end + 1..)?,
            core::cmp::Ordering::Greater => rest = &rest[..before],
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    extern crate std;

    use super::*;
    use core::cell::Cell;

    std::thread_local! {
        /// How often something was looked for.
        pub(in crate::ldap) static LOOKED_UP: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn each_line_is_found_by_its_name_and_nothing_else_is() {
        for line in ATTRIBUTES.lines() {
            let mut words = line.split(' ');
            let (name, first) = (words.next().unwrap(), words.nth(1).unwrap());
            assert_eq!(find(name.to_ascii_uppercase().as_bytes()).unwrap().name, first, "{line}");
        }
        for line in CLASSES.lines() {
            let (name, first) = line.split_once(' ').unwrap();
            assert_eq!(class(name.as_bytes()), Some(first));
        }
        for name in ["", "foo", "a", "zz", "2.5.4", "o ", "organizationName2"] {
            assert_eq!((find(name.as_bytes()), class(name.as_bytes())), (None, None), "{name}");
        }
        let above = |name: &[u8]| find(name).unwrap().lineage().any(|one| one == "name");
        assert!(above(b"2.5.4.10") && above(b"name") && !above(b"dc"));
    }
}
