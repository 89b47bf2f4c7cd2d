//! Whether a search's filter fits an entry (RFC 4511, 4.5.1.7), as slapd decides it: yes, no, or undefined.

use super::{
    dn,
    entry::Entry,
    schema::{self, Attribute, Rule},
};
use crate::{
    ber::{tagged, value},
    exactly::Reader,
};
use alloc::{borrow::ToOwned, string::String, vec::Vec};

/// Filters within filters; what is deeper is undefined.
const DEPTH_MAX: usize = 32;
/// Filters of one search that are looked at; what is more is undefined.
const FILTERS_MAX: usize = 256;
/// Pieces of one value that are looked for; what asks for more is undefined.
const PIECES_MAX: usize = 64;
/// Attributes whose values nobody may see who is not logged in.
const SECRET: &str = "userPassword";
/// The rules that are named in filters, in small letters.
const RULES: [(&[u8], Rule); 8] = [
    (b"caseignorematch", Rule::Text),
    (b"2.5.13.2", Rule::Text),
    (b"caseignoreia5match", Rule::Text),
    (b"caseexactmatch", Rule::Exact),
    (b"2.5.13.5", Rule::Exact),
    (b"caseexactia5match", Rule::Exact),
    (b"distinguishednamematch", Rule::Name),
    (b"integermatch", Rule::Number),
];

/// What became of it.
type Fit = Option<bool>;

/// Does the filter fit? `Err`: it cannot be read.
pub(super) fn fits(filter: &[u8], entry: &Entry) -> Result<bool, ()> {
    let mut left = FILTERS_MAX;
    let fit = one(&mut Reader(filter), entry, DEPTH_MAX, &mut left).ok_or(())?;
    Ok(fit == Some(true))
}

/// The next filter; `None` if it cannot be read.
fn one(reader: &mut Reader<'_>, entry: &Entry, depth: usize, left: &mut usize) -> Option<Fit> {
    let (tag, content) = value(reader)?;
    if depth == 0 || *left == 0 {
        return Some(None);
    }
    *left -= 1;
    let mut parts = Reader(content);
    match tag {
        0xa0 | 0xa1 => {
            // What decides: one that does not fit, or one that fits.
            let decisive = tag == 0xa1;
            let mut all = Some(!decisive);
            while !parts.0.is_empty() {
                match one(&mut parts, entry, depth - 1, left)? {
                    Some(fit) if fit == decisive => all = Some(decisive),
                    None if all != Some(decisive) => all = None,
                    _ => {}
                }
            }
            Some(all)
        }
        0xa2 => {
            let fit = one(&mut parts, entry, depth - 1, left)?;
            parts.0.is_empty().then_some(fit.map(|fit| !fit))
        }
        0xa3 | 0xa5 | 0xa6 | 0xa8 => {
            let (name, asserted) = (tagged(&mut parts, 4)?, tagged(&mut parts, 4)?);
            Some(compared(tag, name, asserted, entry))
        }
        0xa4 => {
            let (name, pieces) = (tagged(&mut parts, 4)?, tagged(&mut parts, 0x30)?);
            Some(alike(name, pieces, entry))
        }
        0x87 => Some(present(content, entry)),
        0xa9 => Some(extended(parts, entry)),
        _ => Some(None),
    }
}

fn known(name: &[u8]) -> Option<Attribute> {
    schema::find(name).filter(|attribute| attribute.name != SECRET)
}

fn present(name: &[u8], entry: &Entry) -> Fit {
    let attribute = known(name)?;
    Some(entry.values(&attribute).next().is_some())
}

fn compared(tag: u8, name: &[u8], asserted: &[u8], entry: &Entry) -> Fit {
    let attribute = known(name)?;
    let rule = attribute.rule();
    if matches!(tag, 0xa5 | 0xa6) && !attribute.is_ordered() {
        return None;
    }
    let asserted = normal(rule, asserted)?;
    Some(entry.values(&attribute).any(|value| {
        let Some(value) = normal(rule, value.as_bytes()) else { return false };
        match tag {
            0xa5 => number(&value, &asserted).is_ge(),
            0xa6 => number(&value, &asserted).is_le(),
            _ => value == asserted,
        }
    }))
}

/// Shorter numbers come first; of those of one length, and of moments, the order is their letters'.
fn number(one: &str, other: &str) -> core::cmp::Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// A value as it is compared; `None` if it is none of that kind.
fn normal(rule: Rule, value: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(value).ok().filter(|text| !text.is_empty())?;
    match rule {
        Rule::None => None,
        Rule::Text => Some(dn::folded(text)),
        Rule::Exact | Rule::Octets => Some(text.to_owned()),
        Rule::Number => text.parse::<i64>().ok().map(|_| text.to_owned()),
        Rule::Name => dn::normal(value),
        Rule::Truth => ["TRUE", "FALSE"].contains(&text).then(|| text.to_owned()),
        Rule::Time => (text.len() >= 11 && text.ends_with('Z')).then(|| text.to_owned()),
        Rule::Class => schema::class(value).map(ToOwned::to_owned).or_else(|| numbered(text)),
    }
}

/// A number such as `1.2.3`.
fn numbered(text: &str) -> Option<String> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (text.contains('.') && text.split('.').all(is_number)).then(|| text.to_owned())
}

/// Pieces of a value: at its beginning, anywhere, at its end.
fn alike(name: &[u8], pieces: &[u8], entry: &Entry) -> Fit {
    let attribute = known(name).filter(Attribute::has_parts)?;
    let mut asked = Vec::new();
    let mut reader = Reader(pieces);
    while !reader.0.is_empty() {
        if asked.len() == PIECES_MAX {
            return None;
        }
        let (place, piece) = value(&mut reader)?;
        let is_in_order = match place {
            0x80 => asked.is_empty(),
            0x81 | 0x82 => asked.last().is_none_or(|(before, _)| *before != 0x82),
            _ => false,
        };
        let piece = core::str::from_utf8(piece).ok().filter(|piece| is_in_order && !piece.is_empty())?;
        asked.push((place, if attribute.rule() == Rule::Text { piece.to_lowercase() } else { piece.to_owned() }));
    }
    if asked.is_empty() {
        return None;
    }
    Some(entry.values(&attribute).any(|value| {
        let folded = normal(attribute.rule(), value.as_bytes()).unwrap_or_default();
        has_pieces(&folded, &asked)
    }))
}

fn has_pieces(value: &str, asked: &[(u8, String)]) -> bool {
    let mut rest = value;
    for (place, piece) in asked {
        let behind = match place {
            0x80 => rest.strip_prefix(piece.as_str()),
            0x81 => memchr::memmem::find(rest.as_bytes(), piece.as_bytes()).and_then(|at| rest.get(at + piece.len()..)),
            _ => rest.strip_suffix(piece.as_str()).map(|_| ""),
        };
        let Some(behind) = behind else { return false };
        rest = behind;
    }
    true
}

/// By a rule's name, an attribute's, or both.
fn extended(mut parts: Reader<'_>, entry: &Entry) -> Fit {
    let (mut rule, mut name, mut asserted) = (None, None, None);
    while let Some((tag, content)) = value(&mut parts) {
        match tag {
            0x81 => rule = Some(content),
            0x82 => name = Some(content),
            0x83 => asserted = Some(content),
            _ => {}
        }
    }
    let attribute = match name {
        Some(name) => Some(known(name)?),
        None => None,
    };
    let rule = match (rule, &attribute) {
        (Some(rule), _) => RULES.iter().find(|(known, _)| rule.eq_ignore_ascii_case(known)).map(|(_, rule)| *rule)?,
        (None, Some(attribute)) => attribute.rule(),
        (None, None) => return None,
    };
    let asserted = normal(rule, asserted?)?;
    let is_it = |value: &String| normal(rule, value.as_bytes()).is_some_and(|value| value == asserted);
    Some(match attribute {
        Some(attribute) => entry.values(&attribute).any(is_it),
        None => entry.all().any(is_it),
    })
}

/// What is said to a comparison.
pub(super) enum Compared {
    True,
    False,
    /// There is no such attribute in the entry.
    Missing,
    /// There is no such attribute.
    Unknown,
    /// The value is none of that kind.
    Wrong,
    /// Its values are not compared.
    Inappropriate,
    /// Nobody may who is not logged in.
    Denied,
}

/// Has the attribute this value?
pub(super) fn compare(name: &[u8], asserted: &[u8], entry: &Entry) -> Compared {
    let Some(attribute) = schema::find(name) else { return Compared::Unknown };
    if attribute.name == SECRET {
        return Compared::Denied;
    }
    let rule = attribute.rule();
    if rule == Rule::None {
        return Compared::Inappropriate;
    }
    let Some(asserted) = normal(rule, asserted) else { return Compared::Wrong };
    let mut values = entry.values(&attribute).peekable();
    if values.peek().is_none() {
        return Compared::Missing;
    }
    let has = values.any(|value| normal(rule, value.as_bytes()).is_some_and(|value| value == asserted));
    if has { Compared::True } else { Compared::False }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ber::{ber, sequence},
        ldap::schema::tests::LOOKED_UP,
    };

    fn tree(filter: &[u8]) -> Result<bool, ()> {
        fits(filter, &super::super::entry::suffix(&super::super::Ldap::default()))
    }

    #[test]
    fn a_value_is_looked_for_in_so_many_pieces_and_no_more() {
        // Long enough for all of them.
        let ldap = crate::ntlm::Placed::on(super::super::Ldap::default(), "db1", &"a".repeat(120));
        let entry = super::super::entry::suffix(&ldap);
        let like = |count: usize| sequence(0xa4, &[ber(4, b"o"), ber(0x30, &ber(0x81, b"a").repeat(count))]);
        let fit = |count: usize| (fits(&like(count), &entry), fits(&ber(0xa2, &like(count)), &entry));
        assert_eq!([1, PIECES_MAX].map(fit), [(Ok(true), Ok(false)); 2]);
        assert_eq!([PIECES_MAX + 1, 10_900].map(fit), [(Ok(false), Ok(false)); 2], "undefined");
    }

    #[test]
    fn a_filter_looks_up_the_name_in_it_and_none_of_the_entrys() {
        let looked_up = || LOOKED_UP.with(core::cell::Cell::get);
        let entry = super::super::entry::suffix(&super::super::Ldap::default());
        for name in ["mail", "o", "entryUUID"] {
            let before = looked_up();
            let filter = ber(0xa0, &ber(0x87, name.as_bytes()).repeat(FILTERS_MAX - 1));
            assert_eq!((fits(&filter, &entry), looked_up() - before), (Ok(name != "mail"), FILTERS_MAX - 1), "{name}");
        }
    }

    #[test]
    fn what_is_too_deep_or_too_much_is_undefined_and_what_cannot_be_read_is_told() {
        let present = ber(0x87, b"dc");
        let not = |times: usize| (0..times).fold(present.clone(), |inner, _| ber(0xa2, &inner));
        assert_eq!([0, 1, 2, DEPTH_MAX - 2].map(|times| tree(&not(times))), [Ok(true), Ok(false), Ok(true), Ok(true)]);
        assert_eq!([DEPTH_MAX, DEPTH_MAX + 1, 2_000].map(|times| tree(&not(times))), [Ok(false); 3]);
        let all = |count: usize| tree(&ber(0xa0, &present.repeat(count)));
        assert_eq!([FILTERS_MAX - 1, FILTERS_MAX, 9_000].map(all), [Ok(true), Ok(false), Ok(false)]);
        let broken = sequence(0xa3, &[ber(4, b"dc")]);
        assert_eq!((tree(&broken), tree(&[]), tree(&ber(0xa2, &[]))), (Err(()), Err(()), Err(())));
        let undefined = sequence(0xa3, &[ber(4, b"foo"), ber(4, b"x")]);
        assert_eq!((tree(&undefined), tree(&ber(0xa2, &undefined))), (Ok(false), Ok(false)));
    }
}
