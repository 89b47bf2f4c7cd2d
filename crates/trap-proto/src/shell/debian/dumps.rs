//! Programs that show bytes as digits, and `xxd -r`, which makes bytes of digits: `xxd` of vim 9.1, `od` of coreutils 9.7 and `hexdump`
//! of util-linux 2.41.

use super::{
    INNER_BYTES_MAX, Output, Reads,
    options::{Known, Options, number},
    run::Run,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

const COLUMNS: usize = 16;
const COLUMNS_MAX: usize = 256;
/// The names of control characters that `od -c` has.
const NAMED: [(u8, &str); 8] =
    [(0, "\\0"), (7, "\\a"), (8, "\\b"), (9, "\\t"), (10, "\\n"), (11, "\\v"), (12, "\\f"), (13, "\\r")];

/// How `od` shows what.
#[derive(Clone, Copy)]
struct Shape {
    /// `c`, `x`, `o`, `d`, `u` or `a`.
    letter: u8,
    bytes: usize,
    shows_text: bool,
}

impl Run<'_, '_> {
    /// What is dumped, of a file or of what is read.
    fn dumped(&mut self, name: &str, words: &[&[u8]], output: &mut Output) -> Option<Vec<u8>> {
        let given = self.given(words, &format!("{name}: "), "", output)?;
        let is_missing = given.is_empty();
        let all: Vec<u8> = given.into_iter().flat_map(|(_, content)| content.bytes).take(INNER_BYTES_MAX).collect();
        // Each byte becomes several.
        (!is_missing && self.shell.work.take_bytes(all.len() * 4)).then_some(all)
    }

    pub(super) fn xxd(&mut self, words: &[&[u8]], output: &mut Output) {
        // Its options are words, and may be cut short.
        let (mut kept, mut is_plain, mut is_back, mut letters) = (alloc::vec![words[0]], false, false, Vec::new());
        for word in &words[1..] {
            match *word {
                b"-p" | b"-ps" | b"-postscript" | b"-plain" => is_plain = true,
                b"-r" | b"-revert" => is_back = true,
                b"-rp" | b"-pr" => (is_plain, is_back) = (true, true),
                b"-u" | b"-b" | b"-i" | b"-e" | b"-a" => letters.push(word[1]),
                word => kept.push(word),
            }
        }
        let Some(options) = Options::read(&kept, &Known { letters: "c:g:l:s:o:d", long: &[], wrong: 1 }, output) else { return };
        let Some(all) = self.dumped("xxd", &options.words, output) else { return };
        if is_back {
            return output.out.extend(reverted(&all, is_plain));
        }
        let from = options.number(b's').unwrap_or(0).min(all.len());
        let all = &all[from..];
        let all = &all[..options.number(b'l').unwrap_or(all.len()).min(all.len())];
        let has = |letter: u8| letters.contains(&letter);
        let hex = |bytes: &[u8]| -> String {
            let text = crate::text::hex(bytes);
            if has(b'u') { text.to_ascii_uppercase() } else { text }
        };
        if has(b'i') {
            let lines: Vec<String> = all.chunks(12).map(included).collect();
            return output.say(&format!("{}\n", lines.join(",\n")));
        }
        if is_plain {
            let columns = options.number(b'c').unwrap_or(30).clamp(1, COLUMNS_MAX);
            return all.chunks(columns).for_each(|line| output.say(&format!("{}\n", hex(line))));
        }
        let usual = if has(b'b') { 6 } else { COLUMNS };
        let columns = options.number(b'c').unwrap_or(usual).clamp(1, COLUMNS_MAX);
        let group = options.number(b'g').unwrap_or(if has(b'b') { 1 } else { 2 }).clamp(1, columns);
        let digits = if has(b'b') { 8 } else { 2 };
        let wide = columns * digits + columns.div_ceil(group);
        for (at, line) in all.chunks(columns).enumerate() {
            let of = |part: &[u8]| match has(b'b') {
                true => part.iter().map(|byte| format!("{byte:08b}")).collect::<String>(),
                false => hex(part),
            };
            let parts: Vec<String> = line.chunks(group).map(of).collect();
            output.say(&format!("{:08x}: {:<wide$} {}\n", from + at * columns, parts.join(" "), shown(line)));
        }
    }

    pub(super) fn hexdump(&mut self, name: &[u8], words: &[&[u8]], output: &mut Output) {
        let known = Known { letters: "Cbcdoxe:n:s:v", long: &[("canonical", b'C'), ("length", b'n'), ("skip", b's')], wrong: 1 };
        let Some(options) = Options::read(words, &known, output) else { return };
        let Some(all) = self.dumped("hexdump", &options.words, output) else { return };
        let from = options.number(b's').unwrap_or(0).min(all.len());
        let all = &all[from..];
        let all = &all[..options.number(b'n').unwrap_or(all.len()).min(all.len())];
        if let Some(form) = options.value(b'e') {
            return self.formatted(form, all, output);
        }
        let is_canonical = options.has(b'C') || name == b"hd";
        let digits = if is_canonical { 8 } else { 7 };
        let row = |line: &[u8]| -> String {
            if is_canonical {
                let half = |part: &[u8]| part.iter().map(|byte| format!("{byte:02x} ")).collect::<String>();
                let (one, other) = line.split_at(line.len().min(8));
                format!("  {:<24} {:<24} |{}|", half(one), half(other), shown(line))
            } else if options.has(b'c') {
                format!("{:<64}", line.iter().map(|byte| format!(" {:>3}", letter(*byte))).collect::<String>())
            } else {
                let of = |pair: &[u8]| format!(" {:04x}", u16::from(pair[0]) | u16::from(pair.get(1).copied().unwrap_or(0)) << 8);
                format!("{:<40}", line.chunks(2).map(of).collect::<String>())
            }
        };
        rows(all, from, !options.has(b'v'), &|at| format!("{at:0digits$x}"), &row, output);
        if !all.is_empty() {
            output.say(&format!("{:0digits$x}\n", from + all.len()));
        }
    }

    /// `hexdump -e '1/1 "%02x"'`: one number, again and again.
    fn formatted(&self, form: &[u8], all: &[u8], output: &mut Output) {
        let text = String::from_utf8_lossy(form);
        let Some((counts, rest)) = text.split_once('"') else { return };
        let shape = rest.split('"').next().unwrap_or_default().as_bytes();
        let bytes = counts.trim().split('/').next_back().and_then(|bytes| bytes.parse::<usize>().ok()).unwrap_or(1).clamp(1, 4);
        for part in all.chunks(bytes) {
            let number = part.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)).to_string();
            if output.is_full() {
                return;
            }
            self.print_once(shape, &[number.as_bytes()], output);
        }
    }

    pub(super) fn od(&mut self, words: &[&[u8]], output: &mut Output) {
        let known = Known {
            letters: "A:t:N:j:w:vbcdoxas:",
            long: &[("address-radix", b'A'), ("format", b't'), ("read-bytes", b'N'), ("skip-bytes", b'j'), ("width", b'w')],
            wrong: 1,
        };
        let Some(options) = Options::read(words, &known, output) else { return };
        let Some(all) = self.dumped("od", &options.words, output) else { return };
        let from = options.number(b'j').unwrap_or(0);
        if from > all.len() {
            output.status = 1;
            return output.complain("od: cannot skip past end of combined input\n");
        }
        let all = &all[from..];
        let all = &all[..options.number(b'N').unwrap_or(all.len()).min(all.len())];
        let old = [(b'b', b'o', 1), (b'c', b'c', 1), (b'd', b'u', 2), (b'o', b'o', 2), (b'x', b'x', 2), (b'a', b'a', 1)];
        let shape = options.value(b't').map(typed).or_else(|| {
            let (_, letter, bytes) = old.into_iter().find(|(letter, ..)| options.has(*letter))?;
            Some(Shape { letter, bytes, shows_text: false })
        });
        let shape = shape.unwrap_or(Shape { letter: b'o', bytes: 2, shows_text: false });
        let columns = options.number(b'w').unwrap_or(COLUMNS).clamp(1, COLUMNS_MAX);
        let address = |at: usize| match options.value(b'A') {
            Some(b"n") => String::new(),
            Some(b"x") => format!("{at:06x}"),
            Some(b"d") => format!("{at:07}"),
            _ => format!("{at:07o}"),
        };
        let wide = width(shape);
        let row = |line: &[u8]| {
            let parts: String = line.chunks(shape.bytes).map(|part| format!(" {:>wide$}", number_of(part, shape))).collect();
            if !shape.shows_text {
                return parts;
            }
            let full = columns.div_ceil(shape.bytes) * (wide + 1);
            format!("{parts:<full$}  >{}<", shown(line))
        };
        rows(all, from, !options.has(b'v'), &address, &row, output);
        if options.value(b'A') != Some(b"n") {
            output.say(&format!("{}\n", address(from + all.len())));
        }
    }

    /// `openssl base64`, `openssl enc -base64` and hashes; anything else takes its input and shows nothing of it.
    pub(super) fn openssl(&mut self, words: &[&[u8]], output: &mut Output) {
        let has = |option: &[u8]| words.contains(&option);
        let behind = |option: &[u8]| words.iter().position(|word| *word == option).and_then(|at| words.get(at + 1)).copied();
        let file: Vec<&[u8]> = behind(b"-in").into_iter().collect();
        match words.get(1).copied() {
            Some(b"base64") => self.openssl_base64(&file, has(b"-d"), has(b"-A"), output),
            Some(b"enc") if has(b"-base64") || has(b"-a") => self.openssl_base64(&file, has(b"-d"), has(b"-A"), output),
            Some(name @ (b"md5" | b"sha1" | b"sha256" | b"sha512")) => {
                let program = [name, b"sum"].concat();
                let mut own = Output::default();
                self.hash(&program, &[program.as_slice()], &mut own);
                let digest = String::from_utf8_lossy(&own.out).split(' ').next().unwrap_or_default().to_string();
                if !digest.is_empty() {
                    let name =
                        String::from_utf8_lossy(name).to_ascii_uppercase().replace("SHA", "SHA2-").replace("SHA2-1", "SHA1");
                    output.say(&format!("{name}(stdin)= {digest}\n"));
                }
            }
            Some(b"version") => output.say("OpenSSL 3.5.4 30 Sep 2025 (Library: OpenSSL 3.5.4 30 Sep 2025)\n"),
            None => {}
            Some(_) => {
                let _ = self.read_all(Reads::File);
            }
        }
    }

    fn openssl_base64(&mut self, file: &[&[u8]], decodes: bool, is_one_line: bool, output: &mut Output) {
        let option: &[u8] = if decodes {
            b"-d"
        } else if is_one_line {
            b"-w0"
        } else {
            b"-w64"
        };
        let words: Vec<&[u8]> = [&[&b"base64"[..], option], file].concat();
        self.base64(&words, output);
    }
}

/// Lines with their addresses; of lines that are the same the first is shown, and a star.
fn rows(
    all: &[u8],
    from: usize,
    folds: bool,
    address: &dyn Fn(usize) -> String,
    row: &dyn Fn(&[u8]) -> String,
    output: &mut Output,
) {
    let (mut before, mut is_folded): (Option<&[u8]>, bool) = (None, false);
    for (at, line) in all.chunks(COLUMNS).enumerate() {
        if folds && before == Some(line) {
            if !core::mem::replace(&mut is_folded, true) {
                output.say("*\n");
            }
            continue;
        }
        (before, is_folded) = (Some(line), false);
        output.say(&format!("{}{}\n", address(from + at * COLUMNS), row(line)));
        if output.out.len() > 4 * INNER_BYTES_MAX {
            return;
        }
    }
}

/// What `xxd -r` makes of digits: of lines with an address, or of nothing but digits.
fn reverted(all: &[u8], is_plain: bool) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::new();
    for line in all.split(|byte| *byte == b'\n') {
        let mut rest = line;
        if !is_plain {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            rest = &line[colon + 1..];
            // Two blanks stand before the text.
            rest = rest.strip_prefix(b" ").unwrap_or(rest);
            rest = &rest[..memchr::memmem::find(rest, b"  ").unwrap_or(rest.len())];
        }
        let digits: Vec<u8> = rest.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).map_while(digit).collect();
        out.extend(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]));
    }
    out
}

fn included(line: &[u8]) -> String {
    let all: Vec<String> = line.iter().map(|byte| format!("0x{byte:02x}")).collect();
    format!("  {}", all.join(", "))
}

fn shown(line: &[u8]) -> String {
    line.iter().map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' }).collect()
}

fn letter(byte: u8) -> String {
    match NAMED.iter().find(|(known, _)| *known == byte) {
        Some((_, name)) => (*name).to_string(),
        None if matches!(byte, b' '..=b'~') => char::from(byte).to_string(),
        None => format!("{byte:03o}"),
    }
}

/// What stands behind `-t`.
fn typed(word: &[u8]) -> Shape {
    let shows_text = word.ends_with(b"z");
    let word = word.strip_suffix(b"z").unwrap_or(word);
    let (letter, size) = word.split_first().map_or((b'o', &b""[..]), |(letter, size)| (*letter, size));
    let bytes = match size {
        b"C" => 1,
        b"S" => 2,
        b"L" => 8,
        size => number(size).unwrap_or(4),
    };
    let bytes = if matches!(letter, b'c' | b'a') { 1 } else { bytes };
    Shape { letter, bytes: if matches!(bytes, 1 | 2 | 4 | 8) { bytes } else { 4 }, shows_text }
}

/// How wide `od` makes a number.
const fn width(shape: Shape) -> usize {
    match (shape.letter, shape.bytes) {
        (b'c' | b'a', _) => 3,
        (b'x', bytes) => bytes * 2,
        (b'o', 1) => 3,
        (b'o', 2) => 6,
        (b'o', 4) => 11,
        (b'o', _) => 22,
        (b'd', 1) => 4,
        (b'd', 2) => 6,
        (b'd', 4) => 11,
        (b'u', 1) => 3,
        (b'u', 2) => 5,
        (b'u', 4) => 10,
        _ => 20,
    }
}

fn number_of(part: &[u8], shape: Shape) -> String {
    let number = part.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let wide = width(shape);
    match shape.letter {
        b'c' | b'a' => letter(part.first().copied().unwrap_or(0)),
        b'x' => format!("{number:0wide$x}"),
        b'o' => format!("{number:0wide$o}"),
        b'u' => number.to_string(),
        _ => {
            let bits = 64 - 8 * u32::try_from(shape.bytes).unwrap_or(8);
            ((number << bits).cast_signed() >> bits).to_string()
        }
    }
}
