//! Patterns of names, as `KEYS` has them.

/// The longest pattern that is tried, in bytes: no name is longer, and what stands in brackets rarely is.
const PATTERN_BYTES_MAX: usize = 512;

/// One sign of a pattern, fitted to one byte: whether it fits, and what is behind it.
fn one(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    match pattern {
        [b'?', rest @ ..] => (true, rest),
        [b'\\', escaped, rest @ ..] => (*escaped == byte, rest),
        [b'[', rest @ ..] => class(rest, byte),
        [own, rest @ ..] => (*own == byte, rest),
        [] => (false, pattern),
    }
}

/// What stands in brackets. One that is not closed ends with the pattern.
fn class(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    let (mut rest, is_not) = pattern.strip_prefix(b"^").map_or((pattern, false), |rest| (rest, true));
    let mut fits = false;
    loop {
        rest = match rest {
            [] => break,
            [b']', behind @ ..] => {
                rest = behind;
                break;
            }
            [b'\\', escaped, behind @ ..] => {
                fits |= *escaped == byte;
                behind
            }
            [from, b'-', to, behind @ ..] => {
                fits |= (*from.min(to)..=*from.max(to)).contains(&byte);
                behind
            }
            [own, behind @ ..] => {
                fits |= *own == byte;
                behind
            }
        };
    }
    (fits != is_not, rest)
}

/// Whether a pattern fits a name. One that is longer than any that is tried fits nothing, and so does one that takes more steps than
/// are `left`, which become fewer.
pub(in super::super) fn fits(pattern: &[u8], name: &[u8], left: &mut usize) -> bool {
    if pattern == b"*" {
        return true;
    }
    if pattern.len() > PATTERN_BYTES_MAX {
        return false;
    }
    let (mut pattern, mut name) = (pattern, name);
    // Where the last star was: what is behind it, and which name it was tried with.
    let mut star: Option<(&[u8], &[u8])> = None;
    while *left > 0 {
        *left -= 1;
        if let [b'*', rest @ ..] = pattern {
            (pattern, star) = (rest, Some((rest, name)));
            continue;
        }
        let Some((byte, behind)) = name.split_first() else { return pattern.is_empty() };
        let (fits, rest) = one(pattern, *byte);
        *left = left.saturating_sub(pattern.len() - rest.len());
        if fits {
            (pattern, name) = (rest, behind);
            continue;
        }
        let Some((after, [_, later @ ..])) = star else { return false };
        (pattern, name, star) = (after, later, Some((after, later)));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_with_redis() {
        let table = [
            ("*", "", true),
            ("*", "any", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("*b*", "abc", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("ab*bc", "abc", false),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hello", false),
            ("h[^e]llo", "hallo", true),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("[\\]]", "]", true),
            ("[abc", "c", true),
            ("**a**", "bab", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(fits(pattern.as_bytes(), text.as_bytes(), &mut 100), expected, "{pattern} {text}");
        }
        assert!(!fits(&[b'x'; PATTERN_BYTES_MAX + 1], b"x", &mut 100), "too long");
        let mut left = 1_000;
        assert!(!fits(&b"*a".repeat(200), &[b'a'; 180], &mut left) && left > 0, "many stars end");
        assert!(!fits(b"*aaaaaaaaaaaaaaaaaaaab", &[b'a'; 180], &mut left) && left == 0, "what takes too long is given up");
    }
}
