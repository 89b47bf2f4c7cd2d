//! What bots put behind a pipe: `grep`, `wc`, `head`, `tail` and the simplest of `awk`.

use alloc::{format, vec::Vec};

/// Columns that `awk` prints.
const COLUMNS_MAX: usize = 32;

/// What a filter makes of `input`; `None` if it is none that is known here.
pub(super) fn filter(words: &[&[u8]], input: &[u8]) -> Option<Vec<u8>> {
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let (name, arguments) = words.split_first()?;
    let kept = match *name {
        b"grep" | b"egrep" | b"fgrep" => grep(arguments, &lines)?,
        b"wc" if arguments == [b"-l".as_slice()] => return Some(format!("{}\n", lines.len()).into_bytes()),
        b"head" => lines.iter().take(count(arguments)).map(|line| line.to_vec()).collect(),
        b"tail" => lines.iter().skip(lines.len().saturating_sub(count(arguments))).map(|line| line.to_vec()).collect(),
        b"cat" | b"more" | b"less" if arguments.is_empty() => return Some(input.to_vec()),
        b"sort" if arguments.is_empty() => {
            lines.sort_unstable();
            lines.iter().map(|line| line.to_vec()).collect()
        }
        b"uniq" if arguments.is_empty() => {
            lines.dedup();
            lines.iter().map(|line| line.to_vec()).collect()
        }
        b"awk" => awk(arguments.last()?, &lines)?,
        _ => return None,
    };
    Some(kept.into_iter().flat_map(|line: Vec<u8>| line.into_iter().chain([b'\n'])).collect())
}

fn grep(arguments: &[&[u8]], lines: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    let has = |letter: u8| arguments.iter().any(|word| word.first() == Some(&b'-') && word.contains(&letter));
    let pattern = *arguments.iter().find(|word| word.first() != Some(&b'-'))?;
    let fits = |line: &[u8]| {
        let found = if has(b'i') {
            memchr::memmem::find(&line.to_ascii_lowercase(), &pattern.to_ascii_lowercase()).is_some()
        } else {
            memchr::memmem::find(line, pattern).is_some()
        };
        found != has(b'v')
    };
    let kept: Vec<Vec<u8>> = lines.iter().filter(|line| fits(line)).map(|line| line.to_vec()).collect();
    Some(if has(b'c') { alloc::vec![format!("{}", kept.len()).into_bytes()] } else { kept })
}

/// `-n 3`, `-n3` or `-3`; ten lines without it.
fn count(arguments: &[&[u8]]) -> usize {
    let digits = match arguments {
        [b"-n", digits, ..] => digits,
        [word, ..] => word.strip_prefix(b"-n").or_else(|| word.strip_prefix(b"-")).unwrap_or_default(),
        [] => return 10,
    };
    core::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(10)
}

/// `{print $4,$5}`, perhaps behind `FNR == 2` or `NR==2`.
fn awk(program: &[u8], lines: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
    let open = memchr::memchr(b'{', program)?;
    let condition: Vec<u8> = program[..open].iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let only = condition.strip_prefix(b"FNR==").or_else(|| condition.strip_prefix(b"NR=="));
    let only: Option<usize> = only.and_then(|digits| core::str::from_utf8(digits).ok()?.parse().ok());
    let body = program[open + 1..].split(|byte| *byte == b'}').next()?.trim_ascii();
    let columns: Vec<usize> = body
        .strip_prefix(b"print")?
        .split(|byte| !byte.is_ascii_digit())
        .filter_map(|digits| core::str::from_utf8(digits).ok()?.parse().ok())
        .take(COLUMNS_MAX)
        .collect();
    let print = |line: &&[u8]| {
        let words: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        let column = |column: &usize| if *column == 0 { *line } else { words.get(column - 1).copied().unwrap_or_default() };
        columns.iter().map(column).collect::<Vec<_>>().join(&b' ')
    };
    Some(lines.iter().enumerate().filter(|(at, _)| only.is_none_or(|only| at + 1 == only)).map(|(_, line)| print(line)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::said;

    #[test]
    fn filters_do_what_bots_expect_of_them() {
        let input = b"model name : Some CPU @ 2\nMem: 3915 200\nmodel name : Other\n";
        let table: [(&[&[u8]], &str); 8] = [
            (&[b"grep", b"name"], "model name : Some CPU @ 2\nmodel name : Other\n"),
            (&[b"grep", b"-ci", b"NAME"], "2\n"),
            (&[b"grep", b"-v", b"name"], "Mem: 3915 200\n"),
            (&[b"wc", b"-l"], "3\n"),
            (&[b"head", b"-n", b"1"], "model name : Some CPU @ 2\n"),
            (&[b"tail", b"-1"], "model name : Other\n"),
            (&[b"awk", b"{print $4,$5;}"], "Some CPU\n \nOther \n"),
            (&[b"awk", b"FNR == 2 {print $2;}"], "3915\n"),
        ];
        for (words, expected) in table {
            assert_eq!(said(&filter(words, input).unwrap()), expected, "{}", said(words[1]));
        }
        assert_eq!(filter(&[b"xxd"], input), None);
        assert_eq!(filter(&[b"awk", b"{"], input), None);
    }
}
