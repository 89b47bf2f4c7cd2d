//! Programs that change a file's length, its times or its last name: `truncate`, `shred`, `touch` and `unlink`, as coreutils has them.

use super::{
    Output, Place, Shell,
    changes::MISSING,
    dates,
    disk::FILE_BYTES_MAX,
    filing::Setting,
    options::{Known, Options},
};
use alloc::{format, vec::Vec};

/// What `shred` fills up to, in bytes.
const BLOCK_BYTES: u64 = 4_096;
const PASSES: u32 = 3;
/// More passes than are told of.
const PASSES_MAX: u32 = 25;

impl Shell<'_> {
    pub(super) fn unlink(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        let Some(options) = Options::read(words, &Known { letters: "", long: &[], wrong: 1 }, output) else { return };
        let word = match options.words.as_slice() {
            [] => return self.fail("unlink: missing operand\nTry 'unlink --help' for more information.\n", output),
            [word] => *word,
            [_, other, ..] => {
                let other = crate::safe_text(other, 200);
                let text = format!("unlink: extra operand \u{2018}{other}\u{2019}\nTry 'unlink --help' for more information.\n");
                return self.fail(&text, output);
            }
        };
        let what = match self.spot(word, false, place) {
            Ok(path) => match self.look_at(&path, false, place) {
                Ok(seen) if seen.is_folder() => "Is a directory",
                Ok(_) if self.may_take(&path, place) => return self.take_away(&path, place),
                Ok(_) => "Permission denied",
                Err(_) => MISSING,
            },
            Err(what) => what,
        };
        self.fail(&format!("unlink: cannot unlink '{}': {what}\n", crate::safe_text(word, 200)), output);
    }

    /// The path of a file that is to be written, new if there is none and it may be made.
    fn opened(&self, word: &[u8], makes: bool, place: &mut Place) -> Result<Option<alloc::string::String>, &'static str> {
        let path = self.spot(word, true, place)?;
        let is_there = self.look_at(&path, true, place).is_ok();
        if !is_there && !makes {
            return Ok(None);
        }
        self.may_write(&path, place)?;
        if !is_there {
            place.disk.write(&path, b"", 0, false);
        }
        Ok(Some(path))
    }

    pub(super) fn truncate(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        const LONG: &[(&str, u8)] = &[("size", b's'), ("reference", b'r'), ("no-create", b'c')];
        let Some(options) = Options::read(words, &Known { letters: "cos:r:", long: LONG, wrong: 1 }, output) else { return };
        let trouble = |what: &str| format!("truncate: {what}\nTry 'truncate --help' for more information.\n");
        let size = options.value(b's');
        if size.is_none() && options.value(b'r').is_none() {
            return self.fail(&trouble("you must specify either \u{2018}--size\u{2019} or \u{2018}--reference\u{2019}"), output);
        }
        if options.words.is_empty() {
            return self.fail(&trouble("missing file operand"), output);
        }
        let like = options.value(b'r').map(|word| {
            let path = self.spot(word, true, place)?;
            self.look_at(&path, true, place).map(|seen| seen.size).map_err(|_| MISSING)
        });
        let like = match like.transpose() {
            Ok(like) => like,
            Err(what) => {
                let shown = crate::safe_text(options.value(b'r').unwrap_or_default(), 200);
                return self.fail(&format!("truncate: cannot stat '{shown}': {what}\n"), output);
            }
        };
        let change = match size.map(|word| (word, sized(word))) {
            Some((word, None)) => {
                let word = crate::safe_text(word, 100);
                return self.fail(&format!("truncate: Invalid number: \u{2018}{word}\u{2019}\n"), output);
            }
            Some((_, Some(change))) => change,
            None => (b'+', 0),
        };
        for word in &options.words {
            let shown = crate::safe_text(word, 200);
            let what = match self.opened(word, !options.has(b'c'), place) {
                Ok(None) => continue,
                Ok(Some(path)) => {
                    let Ok(seen) = self.look_at(&path, true, place) else { continue };
                    let size = resized(change, like.unwrap_or(seen.size));
                    let _ = self.set_known(&path, Setting { size: Some(size), ..Setting::default() }, place);
                    continue;
                }
                Err(what) => what,
            };
            self.fail(&format!("truncate: cannot open '{shown}' for writing: {what}\n"), output);
        }
    }

    pub(super) fn shred(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        const LONG: &[(&str, u8)] = &[
            ("force", b'f'),
            ("iterations", b'n'),
            ("size", b's'),
            ("remove", b'u'),
            ("verbose", b'v'),
            ("exact", b'x'),
            ("zero", b'z'),
        ];
        let Some(options) = Options::read(words, &Known { letters: "fn:s:uvxz", long: LONG, wrong: 1 }, output) else { return };
        if options.words.is_empty() {
            return self.fail("shred: missing file operand\nTry 'shred --help' for more information.\n", output);
        }
        let passes = options.number(b'n').and_then(|passes| u32::try_from(passes).ok()).unwrap_or(PASSES);
        for word in &options.words {
            if output.is_full() {
                return;
            }
            let shown = crate::safe_text(word, 200);
            let path = match self.opened(word, false, place) {
                Ok(Some(path)) => path,
                Ok(None) => {
                    self.fail(&format!("shred: {shown}: failed to open for writing: {MISSING}\n"), output);
                    continue;
                }
                Err(what) => {
                    self.fail(&format!("shred: {shown}: failed to open for writing: {what}\n"), output);
                    continue;
                }
            };
            let all = passes.saturating_add(u32::from(options.has(b'z')));
            for pass in (1..=all.min(PASSES_MAX)).filter(|_| options.has(b'v')) {
                let with = if pass > passes { "000000" } else { "random" };
                output.complain(&format!("shred: {shown}: pass {pass}/{all} ({with})...\n"));
            }
            if options.has(b'u') {
                if options.has(b'v') {
                    output.complain(&format!("shred: {shown}: removing\n"));
                    let (above, name) = shown.rsplit_once('/').map_or(("", shown.as_str()), |(above, name)| (above, name));
                    let inside =
                        |length| if above.is_empty() { "0".repeat(length) } else { format!("{above}/{}", "0".repeat(length)) };
                    let mut before = shown.clone();
                    for length in (1..=name.chars().count()).rev() {
                        if !self.work.take(1) || output.is_full() {
                            break;
                        }
                        output.complain(&format!("shred: {before}: renamed to {}\n", inside(length)));
                        before = inside(length);
                    }
                    output.complain(&format!("shred: {shown}: removed\n"));
                }
                self.take_away(&path, place);
                continue;
            }
            let length = self.look_at(&path, true, place).map_or(0, |seen| seen.size);
            let filled = if options.has(b'x') { length } else { length.next_multiple_of(BLOCK_BYTES) };
            let noise: Vec<u8> = if options.has(b'z') {
                alloc::vec![0; FILE_BYTES_MAX]
            } else {
                let piece = |number: usize| self.persona.key(&format!("shred {path} {number} {}", self.now.0));
                (0..FILE_BYTES_MAX / 32).flat_map(piece).collect()
            };
            let kept = usize::try_from(filled).unwrap_or(usize::MAX).min(noise.len());
            place.disk.write(&path, &noise[..kept], filled, false);
        }
    }

    pub(super) fn touch(&self, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        const LONG: &[(&str, u8)] =
            &[("no-create", b'c'), ("date", b'd'), ("reference", b'r'), ("no-dereference", b'h'), ("time", b'=')];
        let Some(options) = Options::read(words, &Known { letters: "acfmr:t:d:h=:", long: LONG, wrong: 1 }, output) else {
            return;
        };
        let now = place.seconds();
        let given = options.value(b'd').map(|text| (text, dates::read(text, now)));
        let given = given.or_else(|| options.value(b't').map(|text| (text, dates::stamp(text, now))));
        let changed = match given {
            Some((_, Some(at))) => at,
            Some((text, None)) => {
                let text = crate::safe_text(text, 100);
                return self.fail(&format!("touch: invalid date format \u{2018}{text}\u{2019}\n"), output);
            }
            None => match options.value(b'r') {
                None => now,
                Some(word) => {
                    let seen = self.spot(word, true, place).ok().and_then(|path| self.look_at(&path, true, place).ok());
                    let Some(seen) = seen else {
                        let shown = crate::safe_text(word, 200);
                        let text = format!("touch: failed to get attributes of '{shown}': {MISSING}\n");
                        return self.fail(&text, output);
                    };
                    seen.changed
                }
            },
        };
        if options.words.is_empty() {
            return self.fail("touch: missing file operand\nTry 'touch --help' for more information.\n", output);
        }
        for word in &options.words {
            let what = match self.spot(word, true, place) {
                Ok(path) if self.look_at(&path, true, place).is_ok() => {
                    if options.has(b'm') || !options.has(b'a') {
                        self.set_changed(&path, changed, place)
                    } else {
                        Ok(())
                    }
                }
                Ok(_) if options.has(b'c') => continue,
                Ok(path) => self.may_write(&path, place).map(|()| {
                    place.disk.write(&path, b"", 0, true);
                    let _ = self.set_changed(&path, changed, place);
                }),
                Err(what) => Err(what),
            };
            if let Err(what) = what {
                self.fail(&format!("touch: cannot touch '{}': {what}\n", crate::safe_text(word, 200)), output);
            }
        }
    }

    /// What is the machine's own is kept with its new time as if it had been written, if it is known whole.
    fn set_changed(&self, path: &str, changed: u64, place: &mut Place) -> Result<(), &'static str> {
        if place.disk.file(path).is_none() && !self.is_folder(path, place) {
            self.may_write(path, place)?;
            self.keep_own(path, place);
        }
        let setting = Setting { changed: Some(changed), ..Setting::default() };
        self.set_known(path, setting, place).map_err(|_| "Permission denied")
    }
}

/// What `truncate` is told of a length: its sign, `=` if there is none, and bytes.
fn sized(word: &[u8]) -> Option<(u8, u64)> {
    let (sign, number) = match word {
        [sign @ (b'+' | b'-' | b'<' | b'>' | b'/' | b'%'), rest @ ..] => (*sign, rest),
        _ => (b'=', word),
    };
    let digits = number.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(number.len());
    let (digits, unit) = number.split_at(digits);
    let power = match unit.first() {
        None => 0,
        Some(letter) => u32::try_from(b"KMGTPE".iter().position(|known| *known == letter.to_ascii_uppercase())?).ok()? + 1,
    };
    let base: u64 = match unit.get(1..).unwrap_or_default() {
        b"" | b"iB" => 1_024,
        b"B" => 1_000,
        _ => return None,
    };
    let number: u64 = core::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((sign, number.checked_mul(base.checked_pow(power)?)?))
}

fn resized((sign, bytes): (u8, u64), before: u64) -> u64 {
    match sign {
        b'+' => before.saturating_add(bytes),
        b'-' => before.saturating_sub(bytes),
        b'<' => before.min(bytes),
        b'>' => before.max(bytes),
        b'/' if bytes > 0 => before / bytes * bytes,
        b'%' if bytes > 0 => before.checked_next_multiple_of(bytes).unwrap_or(before),
        b'=' => bytes,
        _ => before,
    }
}
