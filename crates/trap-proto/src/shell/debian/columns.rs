//! `cut` and `tr`, of coreutils 9.7.

use super::{
    Output, Reads,
    expand::is_named,
    lines::lines,
    options::{Known, Options},
    run::Run,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Bytes of a set of `tr` that are looked at: more than all bytes a few times over.
const SET_BYTES_MAX: usize = 1_024;
const CUT: Known = Known {
    letters: "d:f:c:b:snCO:z",
    long: &[
        ("delimiter", b'd'),
        ("fields", b'f'),
        ("characters", b'c'),
        ("bytes", b'b'),
        ("only-delimited", b's'),
        ("complement", b'C'),
        ("output-delimiter", b'O'),
    ],
    wrong: 1,
};

/// From where to where, counted from 1 on.
type Range = (usize, usize);

impl Run<'_, '_> {
    pub(super) fn cut(&mut self, words: &[&[u8]], output: &mut Output) {
        let Some(options) = Options::read(words, &CUT, output) else { return };
        let is_fields = options.value(b'f').is_some();
        let wanted = options.value(b'f').or_else(|| options.value(b'c')).or_else(|| options.value(b'b'));
        let ranges = match wanted {
            Some(word) => ranges(word, is_fields, options.has(b'C')),
            None => Err("you must specify a list of bytes, characters, or fields".to_string()),
        };
        let ranges = ranges.and_then(|ranges| match options.value(b'd') {
            Some(word) if word.len() > 1 => Err("the delimiter must be a single character".to_string()),
            Some(_) if !is_fields => Err("an input delimiter may be specified only when operating on fields".to_string()),
            _ => Ok(ranges),
        });
        let ranges = match ranges {
            Ok(ranges) => ranges,
            Err(what) => {
                output.status = 1;
                return output.complain(&format!("cut: {what}\nTry 'cut --help' for more information.\n"));
            }
        };
        let Some(given) = self.given(&options.words, "cut: ", "", output) else { return };
        let between = options.value(b'd').map_or(b'\t', |word| word.first().copied().unwrap_or(0));
        let joint: &[u8] = options.value(b'O').unwrap_or(if is_fields { core::slice::from_ref(&between) } else { b"" });
        for line in given.iter().flat_map(|(_, content)| lines(&content.bytes)) {
            if !self.shell.work.take(1) {
                return;
            }
            if !is_fields {
                let parts = ranges.iter().take_while(|(from, _)| *from <= line.len());
                let parts: Vec<&[u8]> = parts.map(|(from, to)| &line[from - 1..(*to).min(line.len())]).collect();
                output.out.extend(parts.join(joint).iter().chain(b"\n"));
            } else if memchr::memchr(between, line).is_some() {
                let fields: Vec<&[u8]> = line.split(|byte| *byte == between).collect();
                let parts = ranges.iter().take_while(|(from, _)| *from <= fields.len());
                let parts: Vec<&[u8]> =
                    parts.flat_map(|(from, to)| &fields[from - 1..(*to).min(fields.len())]).copied().collect();
                output.out.extend(parts.join(joint).iter().chain(b"\n"));
            } else if !options.has(b's') {
                output.out.extend(line.iter().chain(b"\n"));
            }
            if output.out.len() > super::INNER_BYTES_MAX {
                return;
            }
        }
    }

    pub(super) fn tr(&mut self, words: &[&[u8]], output: &mut Output) {
        let known = Known {
            letters: "dscCt",
            long: &[("delete", b'd'), ("squeeze-repeats", b's'), ("complement", b'c'), ("truncate-set1", b't')],
            wrong: 1,
        };
        let Some(options) = Options::read(words, &known, output) else { return };
        let (deletes, squeezes) = (options.has(b'd'), options.has(b's'));
        if let Some(what) = misused(&options, deletes, squeezes) {
            output.status = 1;
            return output.complain(&format!("tr: {what}\nTry 'tr --help' for more information.\n"));
        }
        let Some((bytes, beyond)) = self.read_all(Reads::File) else { return };
        output.beyond += beyond;
        let mut from = set(options.words[0]);
        if options.has(b'c') || options.has(b'C') {
            from = (0..=u8::MAX).filter(|byte| !from.contains(byte)).collect();
        }
        let to = options.words.get(1).map(|word| set(word)).unwrap_or_default();
        if options.has(b't') {
            from.truncate(to.len());
        }
        let (mut becomes, mut is_in, mut is_squeezed) = ([0_u8; 256], [false; 256], [false; 256]);
        becomes.iter_mut().zip(0..=u8::MAX).for_each(|(place, byte)| *place = byte);
        for (at, byte) in from.iter().enumerate() {
            is_in[usize::from(*byte)] = true;
            if !deletes && let Some(new) = to.get(at.min(to.len().saturating_sub(1))) {
                becomes[usize::from(*byte)] = *new;
            }
        }
        let squeezed = if options.words.len() > 1 { &to } else { &from };
        squeezed.iter().filter(|_| squeezes).for_each(|byte| is_squeezed[usize::from(*byte)] = true);
        let mut before = None;
        for byte in bytes {
            if deletes && is_in[usize::from(byte)] {
                continue;
            }
            let new = becomes[usize::from(byte)];
            if before == Some(new) && is_squeezed[usize::from(new)] {
                continue;
            }
            before = Some(new);
            output.out.push(new);
        }
    }
}

/// What is wrong with the words of `tr`.
fn misused(options: &Options<'_>, deletes: bool, squeezes: bool) -> Option<String> {
    let shown = |word: &[u8]| crate::safe_text(word, 200);
    let (least, most) = if deletes == squeezes { (2, 2) } else { (1, if deletes { 1 } else { 2 }) };
    match options.words.as_slice() {
        [] => Some("missing operand".to_string()),
        [one] if least > 1 => {
            let why = if deletes { "deleting and squeezing repeats" } else { "translating" };
            Some(format!("missing operand after \u{2018}{}\u{2019}\nTwo strings must be given when {why}.", shown(one)))
        }
        [_, second, ..] if most < 2 => Some(format!(
            "extra operand \u{2018}{}\u{2019}\nOnly one string may be given when deleting without squeezing repeats.",
            shown(second)
        )),
        [_, _, third, ..] => Some(format!("extra operand \u{2018}{}\u{2019}", shown(third))),
        _ => None,
    }
}

/// `1,3-5,7-`, one behind the other and none twice.
fn ranges(word: &[u8], is_fields: bool, is_complement: bool) -> Result<Vec<Range>, String> {
    let text = String::from_utf8_lossy(word).to_string();
    let zero = || if is_fields { "fields are numbered from 1" } else { "byte/character positions are numbered from 1" };
    let odd = |part: &str| {
        let part = crate::safe_text(part.as_bytes(), 100);
        if is_fields {
            format!("invalid field value \u{2018}{part}\u{2019}")
        } else {
            format!("invalid byte/character position \u{2018}{part}\u{2019}")
        }
    };
    let number = |part: &str, usual: usize| match part {
        "" => Ok(usual),
        part if part.bytes().all(|byte| byte.is_ascii_digit()) => match part.parse::<usize>() {
            Ok(0) => Err(zero().to_string()),
            Ok(number) => Ok(number),
            Err(_) => Ok(usize::MAX),
        },
        part => Err(odd(part)),
    };
    let mut all: Vec<Range> = Vec::new();
    for part in text.split([',', ' ']) {
        let range = match part.split_once('-') {
            Some(("", "")) => return Err("invalid range with no endpoint: -".to_string()),
            Some((from, to)) => (number(from, 1)?, number(to, usize::MAX)?),
            None if part.is_empty() => return Err(zero().to_string()),
            None => (number(part, 1)?, number(part, 1)?),
        };
        if range.0 > range.1 {
            return Err("invalid decreasing range".to_string());
        }
        all.push(range);
    }
    all.sort_unstable();
    let mut merged: Vec<Range> = Vec::new();
    for (from, to) in all {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    if !is_complement {
        return Ok(merged);
    }
    let mut next = 1;
    let mut others = Vec::new();
    for (from, to) in merged {
        if next < from {
            others.push((next, from - 1));
        }
        next = to.saturating_add(1);
    }
    if next < usize::MAX {
        others.push((next, usize::MAX));
    }
    Ok(others)
}

/// The bytes of a set of `tr`, [`SET_BYTES_MAX`] of them and what one class has more.
fn set(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let _ = crate::shell::echo::unescape(word, crate::shell::echo::Escapes::Quoted, &mut plain);
    let (mut all, mut rest) = (Vec::new(), plain.as_slice());
    loop {
        let named = rest.strip_prefix(b"[:").and_then(|rest| Some((rest, memchr::memmem::find(rest, b":]")?)));
        rest = match (rest, named) {
            ([], _) => return all,
            _ if all.len() >= SET_BYTES_MAX => return all,
            (_, Some((inside, end))) => {
                all.extend((0..=u8::MAX).filter(|byte| is_named(&inside[..end], *byte)));
                &inside[end + 2..]
            }
            ([from, b'-', to, behind @ ..], _) if from <= to => {
                all.extend(*from..=*to);
                behind
            }
            ([one, behind @ ..], _) => {
                all.push(*one);
                behind
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_bounded_and_ranges_are_put_together() {
        assert!(set(&b"[:print:]".repeat(2_000)).len() <= SET_BYTES_MAX + 256);
        assert!(set(&b"\\0-\\377".repeat(2_000)).len() <= SET_BYTES_MAX + 256);
        assert_eq!(ranges(b"1,3-5,4-7,1,9-", false, false), Ok(alloc::vec![(1, 1), (3, 7), (9, usize::MAX)]));
        assert_eq!(ranges(b"2-3", true, true), Ok(alloc::vec![(1, 1), (4, usize::MAX)]));
    }
}
