//! Which characters are never shown as they are: the one list that every trap, log, export, terminal and page goes by.

mod combining;

use combining::is_combining;

/// Combining marks that one letter may carry; those that follow are refused, so that no tower of them hides its neighbours.
pub const COMBINING_MAX: u8 = 4;

/// Is this a character that a terminal obeys, that ends a line, or that is invisible or reorders its neighbours? C0, DEL and
/// C1 controls, line and paragraph separators, everything that Unicode calls ignorable by default (bidi marks, overrides and
/// isolates, zero-width characters, fillers, variation selectors, tags), the other invisible format characters, and
/// noncharacters.
#[must_use]
pub const fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || c as u32 & 0xfffe == 0xfffe
}

/// Reads a text character by character and says which of them must not be shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Censor {
    combining: u8,
}

impl Censor {
    /// Must `c`, the next character of the text, not be shown as it is?
    #[must_use]
    pub const fn refuses(&mut self, c: char) -> bool {
        self.combining = if is_combining(c) { self.combining.saturating_add(1) } else { 0 };
        is_unsafe(c) || self.combining > COMBINING_MAX
    }
}

/// Is every character of `text` fit to be shown?
#[must_use]
pub fn is_shown_as_it_is(text: &str) -> bool {
    let mut censor = Censor::default();
    // Printable ASCII, which almost everything is, needs no second look.
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(|c| censor.refuses(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_obeyed_or_cannot_be_seen_is_refused_and_letters_of_every_script_are_not() {
        for c in "\n\r\t\0\u{1b}\u{7f}\u{85}\u{9b}\u{200b}\u{200c}\u{200d}\u{202e}\u{2066}\u{2028}\u{2029}\u{feff}\u{fe0f}\u{e0041}\u{3164}\u{ffff}\u{10fffe}".chars() {
            assert!(is_unsafe(c), "{c:?}");
        }
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            assert!(!is_unsafe(c) || Censor::default().refuses(c), "{c:?}, be it a combining mark or not");
        }
        assert!(is_shown_as_it_is("pässwörd e\u{301} 漢字 العربية हिन्दी ไทย 👍 \u{e000} C:\\temp"));
    }

    #[test]
    fn a_letter_carries_four_marks_and_no_tower() {
        let mut censor = Censor::default();
        let refused = "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}b\u{301}".chars().map(|c| censor.refuses(c));
        assert!(refused.eq([false, false, false, false, false, true, true, false, false]));
        for mark in ['\u{e48}', '\u{64b}', '\u{5b4}', '\u{93c}', '\u{f74}', '\u{20dd}'] {
            let mut censor = Censor::default();
            let refused = ['x'].into_iter().chain([mark; 6]).filter(|c| censor.refuses(*c)).count();
            assert_eq!(refused, 2, "{mark:?}");
        }
        assert!(
            is_shown_as_it_is("\u{e17}\u{e35}\u{e48} \u{5e9}\u{5c1}\u{5bc}\u{5b8} \u{645}\u{651}\u{64e}"),
            "as they are written"
        );
    }
}
