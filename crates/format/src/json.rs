//! The one writer of JSON: compact, and with nothing in it that a terminal would obey.

use honeymesh_types::{Censor, is_shown_as_it_is};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};
use std::{borrow::Cow, io};

/// A value as JSON on one line, without the line's end.
///
/// Inside strings every character that [`printable`](crate::printable) escapes is written as `\uXXXX`: the value is the same to
/// every JSON reader, and a terminal or a log that shows the line is not harmed.
///
/// # Errors
/// The value cannot be JSON (a map whose keys are no text); no shape of this crate is like that.
pub fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    text(value, Safe(CompactFormatter))
}

/// As [`json_text`], with line breaks and an indent of two, for people.
///
/// # Errors
/// As [`json_text`].
pub fn json_pretty<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    text(value, Safe(PrettyFormatter::new()))
}

/// Writes a value as one line of JSON and its `\n`.
///
/// # Errors
/// `out` failed; a part of the line may have been written.
pub fn json_line<T: Serialize + ?Sized>(value: &T, out: &mut dyn io::Write) -> io::Result<()> {
    let mut line = json_text(value)?;
    line.push('\n');
    out.write_all(line.as_bytes())
}

fn text<T: Serialize + ?Sized, F: Formatter>(value: &T, formatter: F) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))?;
    // The serializer and the escapes below write nothing but UTF-8.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A formatter that also escapes what serde_json lets through: DEL, C1, separators, bidi, invisible characters.
struct Safe<F>(F);

macro_rules! forward {
    ($($method:ident ( $($arg:ident : $kind:ty),* );)+) => {
        $(fn $method<W: ?Sized + io::Write>(&mut self, writer: &mut W $(, $arg: $kind)*) -> io::Result<()> {
            self.0.$method(writer $(, $arg)*)
        })+
    };
}

impl<F: Formatter> Formatter for Safe<F> {
    forward! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        escaped(fragment, writer)
    }
}

/// JSON that somebody else wrote, on one line and as safe as ours: outside of strings JSON has nothing that is escaped here.
#[must_use]
pub fn json_made_safe(json: &str) -> Cow<'_, str> {
    if is_shown_as_it_is(json) {
        return Cow::Borrowed(json);
    }
    let mut bytes = Vec::with_capacity(json.len() + 16);
    // Writing to memory cannot fail.
    let _ = escaped(json, &mut bytes);
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn escaped<W: ?Sized + io::Write>(text: &str, writer: &mut W) -> io::Result<()> {
    let mut censor = Censor::default();
    let mut shown = 0;
    for (at, c) in text.char_indices().filter(|(_, c)| censor.refuses(*c)) {
        writer.write_all(&text.as_bytes()[shown..at])?;
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
        shown = at + c.len_utf8();
    }
    writer.write_all(&text.as_bytes()[shown..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn json_carries_hostile_text_without_a_raw_control_character() {
        let value = BTreeMap::from([("k\u{202e}", "a\n\u{1b}[2J\u{9b}\u{7f}\u{e0041}\"\\ä")]);
        let text = json_text(&value).unwrap();
        assert_eq!(text, r#"{"k\u202e":"a\n\u001b[2J\u009b\u007f\udb40\udc41\"\\ä"}"#);
    }

    #[test]
    fn pretty_json_is_indented_and_means_the_same() {
        let value = serde_json::json!({"a": [1, {"b": null}], "c": []});
        let pretty = json_pretty(&value).unwrap();
        assert!(pretty.starts_with("{\n  \"a\": [\n    1,"), "{pretty}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty).unwrap(), value);
    }

    proptest! {
        #[test]
        fn any_text_survives_and_stays_on_one_safe_line(text in any::<String>()) {
            let json = json_text(&text).unwrap();
            let others = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(json_made_safe(&others), json.as_str());
            prop_assert!(is_shown_as_it_is(&json));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
