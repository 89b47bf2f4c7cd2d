//! `dd`, of coreutils 9.7.

use super::{INNER_BYTES_MAX, Output, Reads, options::number, run::Run, text::Content};
use alloc::{format, string::String, vec::Vec};

const OPERANDS: [&[u8]; 12] =
    [b"if", b"of", b"bs", b"ibs", b"obs", b"cbs", b"count", b"skip", b"seek", b"conv", b"iflag", b"oflag"];
/// How long it takes for nothing, in nanoseconds, how much of that differs, and how many bytes it copies in one.
const NANOSECONDS: u64 = 21_000;
const DIFFERENCE: u64 = 37_000;
const BYTES_A_NANOSECOND: u64 = 2;

impl Run<'_, '_> {
    pub(super) fn dd(&mut self, words: &[&[u8]], output: &mut Output) {
        let is_known = |word: &&&[u8]| {
            let name = memchr::memchr(b'=', word).map(|at| &word[..at]);
            name.is_some_and(|name| OPERANDS.contains(&name) || matches!(name, b"iseek" | b"oseek" | b"status"))
        };
        if let Some(odd) = words[1..].iter().find(|word| !is_known(word)) {
            output.status = 1;
            let odd = crate::safe_text(odd, 200);
            let text = format!("dd: unrecognized operand \u{2018}{odd}\u{2019}\nTry 'dd --help' for more information.\n");
            return output.complain(&text);
        }
        let value = |name: &[u8]| words.iter().rev().find_map(|word| word.strip_prefix(name));
        let size = value(b"bs=").or_else(|| value(b"ibs=")).and_then(number).unwrap_or(512);
        if size == 0 {
            output.status = 1;
            return output.complain("dd: invalid number: \u{2018}0\u{2019}\n");
        }
        let blocks = |count: usize| (size as u64).saturating_mul(count as u64);
        let most = value(b"count=").and_then(number).map_or(u64::MAX, blocks);
        let Some(content) = self.source_of(value(b"if="), most, output) else { return };
        let skipped = value(b"skip=").or_else(|| value(b"iseek=")).and_then(number).map_or(0, blocks).min(content.length);
        let from = usize::try_from(skipped).unwrap_or(usize::MAX).min(content.bytes.len());
        let length = (content.length - skipped).min(most);
        let bytes = &content.bytes[from..];
        let shown = &bytes[..bytes.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
        match value(b"of=") {
            Some(file) => {
                let path = self.place.resolve(file, &self.shell.home()).unwrap_or_default();
                match self.shell.may_write(&path, self.place) {
                    Ok(()) => self.place.disk.write(&path, shown, length, false),
                    Err(_) if matches!(path.as_str(), "/dev/null" | "/dev/zero" | "/dev/full") => {}
                    Err(what) => {
                        output.status = 1;
                        return output.complain(&format!("dd: failed to open '{}': {what}\n", crate::safe_text(file, 200)));
                    }
                }
            }
            None => {
                output.out.extend_from_slice(shown);
                output.beyond = output.beyond.saturating_add(length - shown.len() as u64);
            }
        }
        match value(b"status=") {
            Some(b"none") => {}
            Some(b"noxfer") => output.complain(&records(length, size as u64)),
            _ => output.complain(&(records(length, size as u64) + &copied(length, self.shell.now.0))),
        }
    }

    /// What it reads; `None` if that is not there, or is still to come.
    fn source_of(&mut self, file: Option<&[u8]>, most: u64, output: &mut Output) -> Option<Content> {
        match file {
            Some(b"/dev/zero" | b"/dev/urandom" | b"/dev/random") => {
                let length = if most == u64::MAX { INNER_BYTES_MAX as u64 } else { most };
                let bytes = usize::try_from(length).unwrap_or(INNER_BYTES_MAX).min(INNER_BYTES_MAX);
                self.shell.work.take_bytes(bytes).then(|| Content { bytes: alloc::vec![0; bytes], length })
            }
            Some(file) => match self.shell.content(file, self.place) {
                Ok(content) => self.shell.work.take_bytes(content.bytes.len()).then_some(content),
                Err(what) => {
                    output.status = 1;
                    output.complain(&format!("dd: failed to open '{}': {what}\n", crate::safe_text(file, 200)));
                    None
                }
            },
            None => {
                let (bytes, beyond) = self.read_all(Reads::File)?;
                let length = (bytes.len() as u64).saturating_add(beyond);
                Some(Content { bytes, length })
            }
        }
    }
}

fn records(length: u64, size: u64) -> String {
    let (whole, part) = (length / size, u64::from(!length.is_multiple_of(size)));
    format!("{whole}+{part} records in\n{whole}+{part} records out\n")
}

/// What it says of how much it copied, and how fast.
fn copied(length: u64, now: u64) -> String {
    let took = NANOSECONDS + now % DIFFERENCE + length / BYTES_A_NANOSECOND;
    let amount = match (scaled(length.into(), 1_000), scaled(length.into(), 1_024)) {
        ((_, 0), _) => String::new(),
        ((number, unit), (_, 0)) => format!(" ({number} {}B)", SI[unit]),
        ((number, unit), (binary, of)) => format!(" ({number} {}B, {binary} {}iB)", SI[unit], BINARY[of]),
    };
    let (rate, unit) = scaled(u128::from(length) * 1_000_000_000 / u128::from(took), 1_000);
    let bytes = if length == 1 { "byte" } else { "bytes" };
    format!("{length} {bytes}{amount} copied, {} s, {rate} {}B/s\n", seconds(took), SI[unit])
}

const SI: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
const BINARY: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];

/// An amount to the nearest, with a digit behind the point below ten, and its unit.
fn scaled(amount: u128, base: u128) -> (String, usize) {
    let (mut unit, mut one) = (0, 1_u128);
    while unit + 1 < SI.len() && amount >= one * base {
        (unit, one) = (unit + 1, one * base);
    }
    if unit == 0 {
        return (format!("{amount}"), 0);
    }
    let tenths = (amount * 10 + one / 2) / one;
    if tenths < 100 {
        return (format!("{}.{}", tenths / 10, tenths % 10), unit);
    }
    let whole = (amount + one / 2) / one;
    if whole >= base && unit + 1 < SI.len() { ("1.0".into(), unit + 1) } else { (format!("{whole}"), unit) }
}

/// Nanoseconds as `%g` prints seconds: six digits, without noughts behind them.
fn seconds(nanoseconds: u64) -> String {
    let digits: Vec<u8> = format!("{nanoseconds}").into_bytes();
    let kept: String = digits.iter().take(6).map(|digit| char::from(*digit)).collect();
    let kept = kept.trim_end_matches('0');
    let (first, rest) = kept.split_at(1.min(kept.len()));
    match digits.len() {
        0..6 => format!("{first}{}{rest}e-0{}", if rest.is_empty() { "" } else { "." }, 10 - digits.len()),
        6..10 => format!("0.{}{kept}", "0".repeat(9 - digits.len())),
        more => {
            let whole = more - 9;
            let all = format!("{kept:0<6}");
            let (whole, part) = all.split_at(whole.min(6));
            let part = part.trim_end_matches('0');
            format!("{whole}{}{part}", if part.is_empty() { "" } else { "." })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_those_of_coreutils() {
        let of = |length| copied(length, 0).split(" copied").next().unwrap().to_string();
        use alloc::string::ToString;
        let table = [
            (52, "52 bytes"),
            (1, "1 byte"),
            (1_000, "1000 bytes (1.0 kB)"),
            (1_024, "1024 bytes (1.0 kB, 1.0 KiB)"),
            (16_384, "16384 bytes (16 kB, 16 KiB)"),
            (1_073_741_824, "1073741824 bytes (1.1 GB, 1.0 GiB)"),
            (10_485_760, "10485760 bytes (10 MB, 10 MiB)"),
            (999_999, "999999 bytes (1.0 MB, 977 KiB)"),
            (u64::MAX, "18446744073709551615 bytes (18 EB, 16 EiB)"),
        ];
        table.iter().for_each(|(length, shown)| assert_eq!(of(*length), *shown));
        let times = [
            (21_117, "2.1117e-05"),
            (123_456, "0.000123456"),
            (1_234_567, "0.00123456"),
            (500_000_000, "0.5"),
            (1_500_000_000, "1.5"),
        ];
        times.iter().for_each(|(took, shown)| assert_eq!(seconds(*took), *shown));
    }
}
