//! Moments in people's words, as `date` and `touch` of coreutils take the usual ones, and `date` itself. All in UTC, as the machine's
//! clock is.

use super::{
    Output, Place, Shell,
    changes::MISSING,
    options::{Known, Options},
};
use crate::calendar::Moment;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Words of a date; more are none.
const WORDS_MAX: usize = 16;
/// Letters of `date`'s format that are put in; what stands behind them is printed as it is.
const LETTERS_MAX: usize = 64;
const DAY_SECONDS: u64 = 86_400;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const UNITS: [(&str, u64); 6] =
    [("sec", 1), ("min", 60), ("hour", 3_600), ("day", DAY_SECONDS), ("week", 7 * DAY_SECONDS), ("fortnight", 14 * DAY_SECONDS)];

/// What is known of a moment.
struct Told {
    /// The day, in days since 1970.
    day: Option<u64>,
    /// In seconds since midnight.
    time: Option<u64>,
    /// Seconds before (and behind) it.
    earlier: u64,
    later: u64,
}

/// A moment in words, in seconds since 1970. `None`: it is none.
pub(super) fn read(text: &[u8], now: u64) -> Option<u64> {
    let text = core::str::from_utf8(text).ok()?.trim().to_lowercase();
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.split('.').next()?.parse().ok();
    }
    // A date and a time may stand together.
    let text = match text.split_once('t') {
        Some((date, time)) if date.contains('-') && time.contains(':') => format!("{date} {time}"),
        _ => text,
    };
    let words: Vec<&str> = text.split([' ', '\t', ',']).filter(|word| !word.is_empty()).collect();
    if words.len() > WORDS_MAX {
        return None;
    }
    let mut told = Told { day: None, time: None, earlier: 0, later: 0 };
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += told.hear(word, &words[at + 1..], now)?;
    }
    let day = told.day.unwrap_or(now / DAY_SECONDS);
    let time = told.time.unwrap_or(if told.day.is_some() || words.is_empty() { 0 } else { now % DAY_SECONDS });
    (day * DAY_SECONDS + time).checked_add(told.later)?.checked_sub(told.earlier)
}

impl Told {
    /// Takes a word; how many it was, with those behind it.
    fn hear(&mut self, word: &str, behind: &[&str], now: u64) -> Option<usize> {
        let today = now / DAY_SECONDS;
        match word {
            "now" | "today" | "utc" | "gmt" | "z" | "ago" => {}
            "yesterday" => add(&mut self.earlier, DAY_SECONDS),
            "tomorrow" => add(&mut self.later, DAY_SECONDS),
            "last" | "next" => {
                let seconds = unit(behind.first()?)?;
                add(if word == "last" { &mut self.earlier } else { &mut self.later }, seconds);
                return Some(2);
            }
            _ if word.contains(':') => self.time = Some(clock(word)?),
            _ if word.bytes().filter(|byte| matches!(byte, b'-' | b'/')).count() == 2 && word.as_bytes()[0].is_ascii_digit() => {
                let parts: Vec<&str> = word.split(['-', '/']).collect();
                let [a, b, c] = [0, 1, 2].map(|at| parts[at].parse::<u64>());
                let (a, b, c) = (a.ok()?, b.ok()?, c.ok()?);
                let is_american = word.contains('/') && parts[0].len() < 3;
                self.day = Some(if is_american { Moment::day(c, a, b)? } else { Moment::day(a, b, c)? });
            }
            _ if month(word).is_some() => {
                // `Jan 2 2024`
                let (number, year) = (behind.first()?.parse().ok()?, behind.get(1).and_then(|year| year_of(year)));
                self.day = Some(Moment::day(year.unwrap_or(Moment::of(now).year), month(word)?, number)?);
                return Some(if year.is_some() { 3 } else { 2 });
            }
            _ if word.parse::<i64>().is_ok() => {
                let (number, word) = (word.parse::<i64>().ok()?, behind.first());
                if let Some(month) = word.and_then(|word| month(word)) {
                    // `2 Jan 2024`
                    let year = behind.get(1).and_then(|year| year_of(year));
                    let day = u64::try_from(number).ok()?;
                    self.day = Some(Moment::day(year.unwrap_or(Moment::of(now).year), month, day)?);
                    return Some(if year.is_some() { 3 } else { 2 });
                }
                let seconds = unit(word?)?.checked_mul(number.unsigned_abs())?;
                let is_ago = behind.get(1) == Some(&"ago");
                add(if is_ago != (number < 0) { &mut self.earlier } else { &mut self.later }, seconds);
                return Some(2);
            }
            // A day of the week means the next one of that name, which may be today's.
            _ => {
                let days = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];
                let day = days.iter().position(|day| word.starts_with(day))?;
                self.day = Some(today + (day as u64 + 7 - today % 7) % 7);
            }
        }
        Some(1)
    }
}

/// What is beyond all time stays there, and is no moment then.
fn add(sum: &mut u64, seconds: u64) {
    *sum = sum.saturating_add(seconds);
}

fn year_of(word: &str) -> Option<u64> {
    word.parse().ok().filter(|year| (1_970..=9_999).contains(year))
}

fn month(word: &str) -> Option<u64> {
    let at = MONTHS.iter().position(|month| word.starts_with(month) && word.bytes().all(|byte| byte.is_ascii_lowercase()))?;
    Some(at as u64 + 1)
}

fn unit(word: &str) -> Option<u64> {
    match word {
        "month" | "months" => Some(30 * DAY_SECONDS),
        "year" | "years" => Some(365 * DAY_SECONDS),
        _ => UNITS.iter().find(|(unit, _)| word.starts_with(unit)).map(|(_, seconds)| *seconds),
    }
}

/// `12:34`, `12:34:56` and `12:34:56.7`, in seconds since midnight.
fn clock(word: &str) -> Option<u64> {
    let mut parts = word.trim_end_matches('z').split(':');
    let (hour, minute) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
    let second = parts.next().map_or(Some(0), |second| second.split('.').next()?.parse().ok())?;
    (hour < 24 && minute < 60 && second < 60 && parts.next().is_none()).then_some(hour * 3_600 + minute * 60 + second)
}

/// `[[CC]YY]MMDDhhmm[.ss]`, as `touch -t` takes it (POSIX, `touch`).
pub(super) fn stamp(text: &[u8], now: u64) -> Option<u64> {
    let text = core::str::from_utf8(text).ok()?;
    let (minutes, seconds) = text.split_once('.').unwrap_or((text, "00"));
    if !minutes.bytes().chain(seconds.bytes()).all(|byte| byte.is_ascii_digit()) || seconds.len() != 2 {
        return None;
    }
    let number = |from: usize, to: usize| minutes.get(from..to)?.parse::<u64>().ok();
    let (year, rest) = match minutes.len() {
        8 => (Moment::of(now).year, 0),
        10 => (number(0, 2).map(|year| if year < 69 { 2_000 + year } else { 1_900 + year })?, 2),
        12 => (number(0, 4)?, 4),
        _ => return None,
    };
    let [month, day, hour, minute] = [0, 2, 4, 6].map(|at| number(rest + at, rest + at + 2));
    let (hour, minute, second) = (hour?, minute?, seconds.parse::<u64>().ok()?);
    let is_time = hour < 24 && minute < 60 && second <= 60;
    let days = Moment::day(year, month?, day?).filter(|_| is_time)?;
    Some(days * DAY_SECONDS + hour * 3_600 + minute * 60 + second)
}

impl Shell<'_> {
    pub(super) fn date_program(&self, words: &[&[u8]], place: &Place, output: &mut Output) {
        const LONG: &[(&str, u8)] = &[
            ("date", b'd'),
            ("reference", b'r'),
            ("utc", b'u'),
            ("universal", b'u'),
            ("rfc-email", b'R'),
            ("set", b's'),
            ("iso-8601", b'i'),
        ];
        let (letters, known): (Vec<&[u8]>, _) = (words.to_vec(), Known { letters: "d:r:us:RIi", long: LONG, wrong: 1 });
        // What is behind `-I` is part of the word.
        let (iso, rest): (Vec<&[u8]>, Vec<&[u8]>) = letters.into_iter().partition(|word| word.starts_with(b"-I"));
        let Some(options) = Options::read(&rest, &known, output) else { return };
        let now = self.now.0 / 1_000_000;
        let invalid = |text: &[u8]| format!("date: invalid date \u{2018}{}\u{2019}\n", crate::safe_text(text, 100));
        let mut fraction = self.now.0 % 1_000_000 * 1_000;
        let at = match (options.value(b'd').or(options.value(b's')), options.value(b'r')) {
            (Some(text), _) => {
                fraction = 0;
                match read(text, now) {
                    Some(at) => at,
                    None => return self.fail(&invalid(text), output),
                }
            }
            (None, Some(word)) => {
                fraction = 0;
                let seen = self.spot(word, true, place).ok().and_then(|path| self.look_at(&path, true, place).ok());
                match seen {
                    Some(seen) => seen.changed,
                    None => return self.fail(&format!("date: {}: {MISSING}\n", crate::safe_text(word, 200)), output),
                }
            }
            (None, None) => now,
        };
        if options.has(b's') && !self.is_root() {
            self.fail("date: cannot set date: Operation not permitted\n", output);
        }
        let form: &[u8] = match (options.words.as_slice(), iso.first()) {
            ([], Some(iso)) => match iso.get(2..).unwrap_or_default() {
                b"" | b"date" => b"%F",
                b"hours" => b"%FT%H+00:00",
                b"minutes" => b"%FT%H:%M+00:00",
                b"ns" => b"%FT%T,%N+00:00",
                _ => b"%FT%T+00:00",
            },
            ([], None) if options.has(b'i') => b"%F",
            ([], None) if options.has(b'R') => b"%a, %d %b %Y %T +0000",
            ([], None) => b"%a %b %e %H:%M:%S UTC %Y",
            ([form], _) if form.starts_with(b"+") => &form[1..],
            ([wrong], _) => return self.fail(&invalid(wrong), output),
            ([_, other, ..], _) => {
                let other = crate::safe_text(other, 100);
                let text = format!("date: extra operand \u{2018}{other}\u{2019}\nTry 'date --help' for more information.\n");
                return self.fail(&text, output);
            }
        };
        output.say(&format!("{}\n", dated(at, fraction, form)));
    }
}

/// A moment in `date`'s format; `fraction` in nanoseconds.
fn dated(seconds: u64, fraction: u64, form: &[u8]) -> String {
    let at = Moment::of(seconds);
    let (mut text, mut rest) = (String::new(), form);
    for _ in 0..LETTERS_MAX {
        let Some(percent) = memchr::memchr(b'%', rest) else { break };
        text.push_str(&String::from_utf8_lossy(&rest[..percent]));
        let flag = rest.get(percent + 1).copied().filter(|flag| matches!(flag, b'-' | b'_' | b'0' | b'^'));
        let letter_at = percent + 1 + usize::from(flag.is_some());
        let letter = rest.get(letter_at).copied().unwrap_or(b'%');
        rest = rest.get(letter_at + 1..).unwrap_or_default();
        let value = written(&at, seconds, fraction, letter);
        match flag {
            Some(b'-') => text.push_str(match value.trim_start_matches(['0', ' ']) {
                "" => "0",
                value => value,
            }),
            Some(b'_') if value.starts_with('0') => text.push_str(&value.replacen('0', " ", 1)),
            Some(b'^') => text.push_str(&value.to_uppercase()),
            _ => text.push_str(&value),
        }
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
}

fn written(at: &Moment, seconds: u64, fraction: u64, letter: u8) -> String {
    let Moment { year, month, day, hour, minute, second, days } = *at;
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let half = if hour < 12 { "AM" } else { "PM" };
    let of_year = days - Moment::day(year, 1, 1).unwrap_or(days) + 1;
    let of_week = (days + 4) % 7;
    match letter {
        b'Y' | b'G' => format!("{year:04}"),
        b'C' => format!("{:02}", year / 100),
        b'y' => format!("{:02}", year % 100),
        b'm' => format!("{month:02}"),
        b'd' => format!("{day:02}"),
        b'e' => format!("{day:>2}"),
        b'j' => format!("{of_year:03}"),
        b'H' => format!("{hour:02}"),
        b'I' => format!("{twelve:02}"),
        b'k' => format!("{hour:>2}"),
        b'l' => format!("{twelve:>2}"),
        b'M' => format!("{minute:02}"),
        b'S' => format!("{second:02}"),
        b'p' => half.into(),
        b'P' => half.to_lowercase(),
        b'F' => format!("{year:04}-{month:02}-{day:02}"),
        b'D' | b'x' => format!("{month:02}/{day:02}/{:02}", year % 100),
        b'T' | b'X' => format!("{hour:02}:{minute:02}:{second:02}"),
        b'R' => format!("{hour:02}:{minute:02}"),
        b'r' => format!("{twelve:02}:{minute:02}:{second:02} {half}"),
        b'c' => format!("{} {} {day:>2} {hour:02}:{minute:02}:{second:02} {year:04}", at.weekday(), at.month_name()),
        b's' => seconds.to_string(),
        b'N' => format!("{fraction:09}"),
        b'b' | b'h' => at.month_name().into(),
        b'B' => at.month_in_full().into(),
        b'a' => at.weekday().into(),
        b'A' => at.weekday_in_full().into(),
        b'u' => (if of_week == 0 { 7 } else { of_week }).to_string(),
        b'w' => of_week.to_string(),
        b'U' => format!("{:02}", (of_year + 6 - of_week) / 7),
        b'W' => format!("{:02}", (of_year + 6 - (of_week + 6) % 7) / 7),
        b'q' => ((month - 1) / 3 + 1).to_string(),
        b'Z' => "UTC".into(),
        b'z' => "+0000".into(),
        b'n' => "\n".into(),
        b't' => "\t".into(),
        b'%' => "%".into(),
        other => String::from_utf8_lossy(&[b'%', other]).into_owned(),
    }
}
