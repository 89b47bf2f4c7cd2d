//! BSON, written and read (bsonspec.org).

use crate::exactly::Reader;
use alloc::{format, vec::Vec};

/// Documents within documents that are shown.
const DEPTH_MAX: usize = 6;
/// The longest text that is shown of a document, in bytes.
const SHOWN_BYTES_MAX: usize = 1_024;

/// A document that is being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Doc(Vec<u8>);

impl Doc {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn element(mut self, kind: u8, name: &str, value: &[u8]) -> Self {
        self.0.push(kind);
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        self.0.extend_from_slice(value);
        self
    }

    pub(super) fn double(self, name: &str, value: f64) -> Self {
        self.element(1, name, &value.to_le_bytes())
    }

    pub(super) fn text(self, name: &str, value: &str) -> Self {
        let bytes = u32::try_from(value.len() + 1).unwrap_or_default();
        self.element(2, name, &[&bytes.to_le_bytes()[..], value.as_bytes(), &[0]].concat())
    }

    pub(super) fn doc(self, name: &str, value: Self) -> Self {
        self.element(3, name, &value.done())
    }

    /// A list of documents that are written already.
    pub(super) fn list(self, name: &str, values: &[Vec<u8>]) -> Self {
        let list = values.iter().enumerate().fold(Self::new(), |list, (at, value)| list.element(3, &format!("{at}"), value));
        self.element(4, name, &list.done())
    }

    pub(super) fn texts(self, name: &str, values: &[&str]) -> Self {
        let list = values.iter().enumerate().fold(Self::new(), |list, (at, value)| list.text(&format!("{at}"), value));
        self.element(4, name, &list.done())
    }

    pub(super) fn ints(self, name: &str, values: &[i32]) -> Self {
        let list = values.iter().enumerate().fold(Self::new(), |list, (at, value)| list.int(&format!("{at}"), *value));
        self.element(4, name, &list.done())
    }

    pub(super) fn bytes(self, name: &str, kind: u8, value: &[u8]) -> Self {
        let bytes = u32::try_from(value.len()).unwrap_or_default();
        self.element(5, name, &[&bytes.to_le_bytes()[..], &[kind], value].concat())
    }

    pub(super) fn id(self, name: &str, value: [u8; 12]) -> Self {
        self.element(7, name, &value)
    }

    pub(super) fn flag(self, name: &str, value: bool) -> Self {
        self.element(8, name, &[u8::from(value)])
    }

    /// Milliseconds since 1970.
    pub(super) fn date(self, name: &str, value: u64) -> Self {
        self.element(9, name, &value.to_le_bytes())
    }

    pub(super) fn int(self, name: &str, value: i32) -> Self {
        self.element(16, name, &value.to_le_bytes())
    }

    pub(super) fn long(self, name: &str, value: u64) -> Self {
        self.element(18, name, &value.to_le_bytes())
    }

    /// The whole document.
    pub(super) fn done(self) -> Vec<u8> {
        let bytes = u32::try_from(self.0.len() + 5).unwrap_or_default();
        [&bytes.to_le_bytes()[..], &self.0, &[0]].concat()
    }
}

/// A value in a stranger's document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Double(f64),
    Text(&'a [u8]),
    Doc(&'a [u8]),
    List(&'a [u8]),
    Bytes(&'a [u8]),
    Flag(bool),
    Int(i64),
    Other,
}

/// Takes a whole document off the front, its length checked.
pub(super) fn document<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let bytes = usize::try_from(u32::from_le_bytes(*reader.0.first_chunk()?)).ok().filter(|bytes| *bytes >= 5)?;
    reader.bytes(bytes).filter(|document| document.ends_with(&[0]))
}

/// The elements of a document, up to its end or to the first that is broken.
pub(super) fn elements(document: &[u8]) -> impl Iterator<Item = (&[u8], Value<'_>)> {
    let content = document.get(4..document.len().saturating_sub(1)).unwrap_or_default();
    let mut reader = Reader(content);
    core::iter::from_fn(move || element(&mut reader))
}

fn element<'a>(reader: &mut Reader<'a>) -> Option<(&'a [u8], Value<'a>)> {
    let kind = reader.byte()?;
    let name = reader.text()?;
    let value = match kind {
        1 => Value::Double(f64::from_le_bytes(*reader.bytes(8)?.first_chunk()?)),
        2 | 13 | 14 => {
            let bytes = usize::try_from(u32::from_le_bytes(*reader.bytes(4)?.first_chunk()?)).ok()?;
            Value::Text(reader.bytes(bytes)?.strip_suffix(&[0])?)
        }
        3 => Value::Doc(document(reader)?),
        4 => Value::List(document(reader)?),
        5 => {
            let bytes = usize::try_from(u32::from_le_bytes(*reader.bytes(4)?.first_chunk()?)).ok()?;
            reader.byte()?;
            Value::Bytes(reader.bytes(bytes)?)
        }
        7 => reader.bytes(12).map(|_| Value::Other)?,
        8 => Value::Flag(reader.byte()? != 0),
        9 | 17 => reader.bytes(8).map(|_| Value::Other)?,
        6 | 10 | 0x7f | 0xff => Value::Other,
        11 => {
            reader.text()?;
            reader.text().map(|_| Value::Other)?
        }
        16 => Value::Int(i64::from(i32::from_le_bytes(*reader.bytes(4)?.first_chunk()?))),
        18 => Value::Int(i64::from_le_bytes(*reader.bytes(8)?.first_chunk()?)),
        19 => reader.bytes(16).map(|_| Value::Other)?,
        _ => return None,
    };
    Some((name, value))
}

/// The value of this name.
pub(super) fn get<'a>(document: &'a [u8], name: &str) -> Option<Value<'a>> {
    elements(document).find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value)
}

/// The text of this name.
pub(super) fn text<'a>(document: &'a [u8], name: &str) -> Option<&'a [u8]> {
    get(document, name).and_then(|value| if let Value::Text(text) = value { Some(text) } else { None })
}

/// A document as people read it, cut where it is too long or too deep.
pub(super) fn shown(document: &[u8]) -> Vec<u8> {
    let mut shown = Vec::new();
    show(document, true, DEPTH_MAX, &mut shown);
    shown
}

fn show(document: &[u8], is_named: bool, depth: usize, shown: &mut Vec<u8>) {
    shown.push(if is_named { b'{' } else { b'[' });
    for (at, (name, value)) in elements(document).enumerate() {
        if shown.len() > SHOWN_BYTES_MAX || depth == 0 {
            shown.extend_from_slice("…".as_bytes());
            break;
        }
        if at > 0 {
            shown.extend_from_slice(b", ");
        }
        if is_named {
            shown.extend_from_slice(&[name, b": "].concat());
        }
        match value {
            Value::Double(number) => shown.extend_from_slice(format!("{number}").as_bytes()),
            Value::Text(text) => shown.extend_from_slice(&[b"\"", text, b"\""].concat()),
            Value::Doc(inner) => show(inner, true, depth - 1, shown),
            Value::List(inner) => show(inner, false, depth - 1, shown),
            Value::Bytes(bytes) => shown.extend_from_slice(format!("<{} bytes>", bytes.len()).as_bytes()),
            Value::Flag(flag) => shown.extend_from_slice(if flag { b"true" } else { b"false" }),
            Value::Int(number) => shown.extend_from_slice(format!("{number}").as_bytes()),
            Value::Other => shown.extend_from_slice(b"?"),
        }
    }
    shown.push(if is_named { b'}' } else { b']' });
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn what_is_written_is_read_and_shown() {
        let inner = Doc::new().text("b", "c").flag("d", true);
        let written = Doc::new().double("a", 1.5).doc("in", inner).ints("n", &[1, 2]).id("_id", [7; 12]).long("l", 9).done();
        assert_eq!(shown(&written), b"{a: 1.5, in: {b: \"c\", d: true}, n: [1, 2], _id: ?, l: 9}");
        assert_eq!(document(&mut Reader(&written)), Some(&written[..]));
        assert_eq!((text(&written, "a"), get(&written, "l")), (None, Some(Value::Int(9))));
    }

    #[test]
    fn broken_and_deep_ones_end_somewhere() {
        let deep = (0..50).fold(Doc::new(), |inner, _| Doc::new().doc("a", inner)).done();
        assert!(shown(&deep).len() < 100);
        let mut broken = Doc::new().text("a", "b").done();
        broken[7] = 0xff;
        assert_eq!(elements(&broken).count(), 0);
        for bytes in [vec![], vec![4, 0, 0, 0], vec![9, 0, 0, 0, 0]] {
            assert_eq!(document(&mut Reader(&bytes)), None);
        }
    }
}
