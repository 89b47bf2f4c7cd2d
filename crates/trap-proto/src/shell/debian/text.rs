//! Programs that read files or what comes through a pipe, as coreutils have them: the simpler ones.

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
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha2::Digest;

/// Lines of base64 are so long.
const BASE64_COLUMNS: usize = 76;
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// Its beginning at least.
    pub(super) bytes: Vec<u8>,
    pub(super) length: u64,
}

/// A file that is read: its name as it was given, and its content.
pub(super) type Given = (String, Content);

impl Run<'_, '_> {
    /// Does what reads texts; `false` if it is none of it.
    pub(super) fn text_program(&mut self, name: &[u8], words: &[&[u8]], output: &mut Output) -> bool {
        match name {
            b"cat" | b"more" | b"less" | b"zcat" => self.cat(words, output),
            b"head" => self.head(words, output),
            b"tail" => self.tail(words, output),
            b"wc" => self.wc(words, output),
            b"tee" => self.tee(words, output),
            b"base64" => self.base64(words, output),
            b"md5sum" | b"sha1sum" | b"sha256sum" | b"sha512sum" => self.hash(name, words, output),
            b"rev" | b"tac" | b"nl" => self.turned(name, words, output),
            b"dd" => self.dd(words, output),
            b"xxd" => self.xxd(words, output),
            b"od" => self.od(words, output),
            b"hexdump" | b"hd" => self.hexdump(name, words, output),
            b"openssl" => self.openssl(words, output),
            b"grep" | b"egrep" | b"fgrep" | b"zgrep" => self.grep(name, words, output),
            b"cut" => self.cut(words, output),
            b"tr" => self.tr(words, output),
            b"sort" => self.sort(words, output),
            b"uniq" => self.uniq(words, output),
            b"sed" => self.sed(words, output),
            b"awk" | b"mawk" | b"gawk" => self.awk(words, output),
            _ => return false,
        }
        true
    }

    /// The files named, or what is read where none is; `None` if that is still to come. What cannot be opened is complained of,
    /// by what stands before its name and behind it.
    pub(super) fn given(&mut self, words: &[&[u8]], before: &str, behind: &str, output: &mut Output) -> Option<Vec<Given>> {
        let names = if words.is_empty() { &[&b"-"[..]][..] } else { words };
        let mut all = Vec::new();
        for name in names {
            let bytes: usize = all.iter().map(|(_, content): &Given| content.bytes.len()).sum();
            if bytes > INNER_BYTES_MAX || self.shell.work.is_done() {
                break;
            }
            if *name == b"-" {
                let (bytes, beyond) = self.read_all(Reads::File)?;
                let length = bytes.len() as u64 + beyond;
                all.push((if words.is_empty() { String::new() } else { "-".to_string() }, Content { bytes, length }));
                continue;
            }
            let shown = crate::safe_text(name, 200);
            match self.shell.content(name, self.place) {
                Ok(content) => all.push((shown, content)),
                Err(what) => {
                    output.status = 1;
                    output.complain(&format!("{before}{shown}{behind}: {what}\n"));
                }
            }
        }
        let bytes = all.iter().map(|(_, content)| content.bytes.len()).sum();
        self.shell.work.take_bytes(bytes).then_some(all)
    }

    fn cat(&mut self, words: &[&[u8]], output: &mut Output) {
        let known = Known {
            letters: "nbsAETvetuR",
            long: &[("number", b'n'), ("show-all", b'A'), ("show-ends", b'E'), ("squeeze-blank", b's')],
            wrong: 1,
        };
        let Some(options) = Options::read(words, &known, output) else { return };
        if options.words.is_empty() && !options.has(b'n') {
            if let Some((bytes, beyond)) = self.read_all(Reads::Echo) {
                output.out.extend_from_slice(&bytes);
                output.beyond += beyond;
            }
            return;
        }
        if !options.has(b'n') && !options.has(b'b') && !options.has(b'A') && !options.has(b'E') {
            // One after the other, so that complaints stand where they belong.
            for word in &options.words {
                let Some(given) = self.given(&[*word], "cat: ", "", output) else { return };
                for (_, content) in given {
                    output.out.extend_from_slice(&content.bytes);
                    output.beyond += content.length.saturating_sub(content.bytes.len() as u64);
                }
                if output.is_full() {
                    return;
                }
            }
            return;
        }
        let Some(given) = self.given(&options.words, "cat: ", "", output) else { return };
        let mut number = 0;
        for (_, content) in &given {
            for line in content.bytes.split_inclusive(|byte| *byte == b'\n') {
                let is_bare = line == b"\n";
                if options.has(b'n') && !options.has(b'b') || options.has(b'b') && !is_bare {
                    number += 1;
                    output.say(&format!("{number:>6}\t"));
                }
                let ended = line.strip_suffix(b"\n");
                output.out.extend_from_slice(ended.unwrap_or(line));
                if options.has(b'A') || options.has(b'E') {
                    output.say(if ended.is_some() { "$" } else { "" });
                }
                output.say(if ended.is_some() { "\n" } else { "" });
            }
        }
    }

    fn head(&mut self, words: &[&[u8]], output: &mut Output) {
        let Some((count, in_bytes, _, given)) = self.ends("head", words, output) else { return };
        for (at, (name, content)) in given.iter().enumerate() {
            head_line(at, given.len(), name, output);
            let bytes = &content.bytes;
            let (digits, is_but) = match count.strip_prefix('-') {
                Some(digits) => (digits, true),
                None => (count.as_str(), false),
            };
            let count = number(digits.as_bytes()).unwrap_or(10);
            let ends = || memchr::memchr_iter(b'\n', bytes).map(|at| at + 1);
            let total = if in_bytes { bytes.len() } else { bytes.split_inclusive(|byte| *byte == b'\n').count() };
            let count = if is_but { total.saturating_sub(count) } else { count };
            let end = match (in_bytes, count) {
                (true, count) => count.min(bytes.len()),
                (false, 0) => 0,
                (false, count) => ends().nth(count - 1).unwrap_or(bytes.len()),
            };
            output.out.extend_from_slice(&bytes[..end]);
        }
    }

    fn tail(&mut self, words: &[&[u8]], output: &mut Output) {
        let Some((count, in_bytes, _, given)) = self.ends("tail", words, output) else { return };
        for (at, (name, content)) in given.iter().enumerate() {
            head_line(at, given.len(), name, output);
            let bytes = &content.bytes;
            let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let total = if in_bytes { bytes.len() } else { lines.len() };
            let skipped = match count.strip_prefix('+') {
                Some(digits) => number(digits.as_bytes()).unwrap_or(1).saturating_sub(1),
                None => total.saturating_sub(number(count.trim_start_matches('-').as_bytes()).unwrap_or(10)),
            };
            let skipped = skipped.min(total);
            if in_bytes {
                output.out.extend_from_slice(&bytes[skipped..]);
            } else {
                lines[skipped..].iter().for_each(|line| output.out.extend_from_slice(line));
            }
        }
    }

    /// What `head` and `tail` are asked: how many, of bytes or lines, and of what.
    fn ends(&mut self, name: &str, words: &[&[u8]], output: &mut Output) -> Option<(String, bool, bool, Vec<Given>)> {
        // `-3` is `-n 3`.
        let old = |word: &[u8]| word.len() > 1 && matches!(word[0], b'-' | b'+') && word[1..].iter().all(u8::is_ascii_digit);
        let asked = words.get(1).filter(|word| old(word));
        let kept: Vec<&[u8]> = if asked.is_some() { [&words[..1], &words[2..]].concat() } else { words.to_vec() };
        let known = Known {
            letters: "n:c:qvfFs:z",
            long: &[("lines", b'n'), ("bytes", b'c'), ("quiet", b'q'), ("follow", b'f')],
            wrong: 1,
        };
        let options = Options::read(&kept, &known, output)?;
        let count = asked
            .map(|word| word.strip_prefix(b"-").unwrap_or(word))
            .or_else(|| options.value(b'c'))
            .or_else(|| options.value(b'n'));
        let given = self.given(&options.words, &format!("{name}: cannot open '"), "' for reading", output)?;
        let count = count.map_or_else(|| "10".to_string(), |count| String::from_utf8_lossy(count).to_string());
        Some((count, options.has(b'c') && asked.is_none(), options.has(b'q'), given))
    }

    fn wc(&mut self, words: &[&[u8]], output: &mut Output) {
        let known =
            Known { letters: "lwcmL", long: &[("lines", b'l'), ("words", b'w'), ("bytes", b'c'), ("chars", b'm')], wrong: 1 };
        let Some(options) = Options::read(words, &known, output) else { return };
        let Some(given) = self.given(&options.words, "wc: ", "", output) else { return };
        let wants = |letter: u8| options.has(letter);
        let all = !(wants(b'l') || wants(b'w') || wants(b'c') || wants(b'm'));
        let mut rows: Vec<(Vec<u64>, &str)> = Vec::new();
        for (name, content) in &given {
            let bytes = &content.bytes;
            let lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
            let parts = bytes.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count() as u64;
            let told = [(b'l', lines), (b'w', parts), (b'c', content.length), (b'm', content.length)];
            let told = told.iter().filter(|(letter, _)| wants(*letter) || all && *letter != b'm').map(|(_, number)| *number);
            rows.push((told.collect(), name));
        }
        if options.words.len() > 1 {
            let columns = rows.first().map_or(0, |row| row.0.len());
            rows.push(((0..columns).map(|at| rows.iter().map(|row| row.0[at]).sum()).collect(), "total"));
        }
        let is_one = rows.len() == 1 && rows[0].0.len() == 1;
        // As wide as the largest size, and seven at least where a pipe's size is not known.
        let sizes: u64 = given.iter().map(|(_, content)| content.length).sum();
        let least = if options.words.is_empty() || options.words.contains(&&b"-"[..]) { 7 } else { 1 };
        let width = if is_one { 1 } else { sizes.to_string().len().max(least) };
        for (numbers, name) in rows {
            let columns: Vec<String> = numbers.iter().map(|number| format!("{number:>width$}")).collect();
            let name = if name.is_empty() { String::new() } else { format!(" {name}") };
            output.say(&format!("{}{name}\n", columns.join(" ")));
        }
    }

    fn tee(&mut self, words: &[&[u8]], output: &mut Output) {
        let known = Known { letters: "aip", long: &[("append", b'a')], wrong: 1 };
        let Some(options) = Options::read(words, &known, output) else { return };
        let Some((bytes, beyond)) = self.read_all(Reads::Echo) else { return };
        for word in &options.words {
            let path = self.place.resolve(word, &self.shell.home()).unwrap_or_default();
            match self.shell.may_write(&path, self.place) {
                Ok(()) => self.place.disk.write(&path, &bytes, bytes.len() as u64 + beyond, options.has(b'a')),
                Err(what) if path != "/dev/null" => {
                    output.status = 1;
                    output.complain(&format!("tee: {}: {what}\n", crate::safe_text(word, 200)));
                }
                Err(_) => {}
            }
        }
        output.out.extend_from_slice(&bytes);
        output.beyond += beyond;
    }

    pub(super) fn base64(&mut self, words: &[&[u8]], output: &mut Output) {
        let known = Known { letters: "diw:D", long: &[("decode", b'd'), ("ignore-garbage", b'i'), ("wrap", b'w')], wrong: 1 };
        let Some(options) = Options::read(words, &known, output) else { return };
        let Some(given) = self.given(&options.words, "base64: ", "", output) else { return };
        for (_, content) in given {
            if options.has(b'd') || options.has(b'D') {
                let text: Vec<u8> = content.bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).copied().collect();
                // Up to where it is none, as the program gives it.
                let good =
                    text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')).count();
                let end = text.iter().position(|byte| *byte == b'=').unwrap_or(good).min(good);
                let whole = if end % 4 == 1 { end - 1 } else { end };
                let plain = LENIENT.decode(&text[..whole]).unwrap_or_default();
                output.beyond += content.length.saturating_sub(content.bytes.len() as u64) / 4 * 3;
                output.out.extend(plain);
                if good < text.len() || good % 4 != 0 {
                    output.status = 1;
                    output.complain("base64: invalid input\n");
                }
                continue;
            }
            let text = LENIENT.encode(&content.bytes);
            let columns = options.number(b'w').unwrap_or(BASE64_COLUMNS);
            if columns == 0 {
                output.say(&text);
            } else {
                text.as_bytes().chunks(columns).for_each(|line| output.out.extend(line.iter().chain(b"\n")));
            }
        }
    }

    pub(super) fn hash(&mut self, name: &[u8], words: &[&[u8]], output: &mut Output) {
        let known = Known { letters: "bctw", long: &[("check", b'c'), ("binary", b'b')], wrong: 1 };
        let Some(options) = Options::read(words, &known, output) else { return };
        let shown = String::from_utf8_lossy(name).to_string();
        let Some(given) = self.given(&options.words, &format!("{shown}: "), "", output) else { return };
        for (file, content) in given {
            // What is not kept cannot be hashed: another hash than its own, but always the same.
            let mut bytes = content.bytes;
            if content.length > bytes.len() as u64 {
                bytes.extend_from_slice(&self.shell.persona.key(&format!("content {file} {}", content.length)));
            }
            if !self.shell.work.take_bytes(bytes.len() * 8) {
                return;
            }
            let digest: Vec<u8> = match name {
                b"md5sum" => md5::Md5::digest(&bytes).to_vec(),
                b"sha1sum" => sha1::Sha1::digest(&bytes).to_vec(),
                b"sha256sum" => sha2::Sha256::digest(&bytes).to_vec(),
                _ => sha2::Sha512::digest(&bytes).to_vec(),
            };
            let file = if file.is_empty() { "-" } else { &file };
            output.say(&format!("{}  {file}\n", crate::text::hex(&digest)));
        }
    }

    fn turned(&mut self, name: &[u8], words: &[&[u8]], output: &mut Output) {
        let shown = String::from_utf8_lossy(name).to_string();
        let files: Vec<&[u8]> = words[1..].iter().filter(|word| !word.starts_with(b"-")).copied().collect();
        let Some(given) = self.given(&files, &format!("{shown}: "), "", output) else { return };
        let mut number = 0;
        for (_, content) in given {
            let mut lines: Vec<Vec<u8>> = content.bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            match name {
                b"tac" => lines.reverse(),
                b"rev" => lines.iter_mut().for_each(|line| {
                    let end = line.len() - usize::from(line.ends_with(b"\n"));
                    line[..end].reverse();
                }),
                _ => lines.iter_mut().filter(|line| *line != b"\n").for_each(|line| {
                    number += 1;
                    line.splice(0..0, format!("{number:>6}\t").into_bytes());
                    if !line.ends_with(b"\n") {
                        line.push(b'\n');
                    }
                }),
            }
            lines.iter().for_each(|line| output.out.extend_from_slice(line));
        }
    }
}

fn head_line(at: usize, of: usize, name: &str, output: &mut Output) {
    if of > 1 {
        output.say(&format!("{}==> {name} <==\n", if at > 0 { "\n" } else { "" }));
    }
}
