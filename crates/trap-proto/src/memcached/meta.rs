//! Meta commands: two letters, a key, and flags of one letter each (`doc/protocol.txt`, "Meta Commands").

use super::{
    item::{self, BINARY, FETCHED, Item, STALE, TOLD},
    manage::{BAD_LINE, parse, signed, word},
    session::{Coming, MemcachedTalk, Way},
};
use crate::{
    Flow,
    store::KEY_BYTES_MAX,
    text::{base64, unbase64},
};
use alloc::{format, string::ToString, vec::Vec};
use honeymesh_types::WallTime;

/// The most words of a meta command.
const WORDS_MAX: usize = 19;
/// The longest opaque flag, in bytes.
const OPAQUE_BYTES_MAX: usize = 32;
/// The longest number that is counted with, in bytes.
const NUMBER_BYTES_MAX: usize = 20;

const BAD_TOKEN: &str = "CLIENT_ERROR bad token in command line format\r\n";
const OPAQUE_TOO_LONG: &str = "CLIENT_ERROR opaque token too long\r\n";
const NOT_FOUND: &str = "NF";

/// What the flags of one command say.
#[derive(Default)]
struct Flags {
    key: Vec<u8>,
    is_binary: bool,
    wants_value: bool,
    leaves_alone: bool,
    is_quiet: bool,
    makes_stale: bool,
    empties: bool,
    /// Times to live: of one that is made, a new one, and the one below which it is to be made anew.
    made_for: Option<i32>,
    lives: Option<i32>,
    anew_below: Option<i32>,
    flags: u32,
    number: Option<u64>,
    new_number: Option<u64>,
    mode: Option<u8>,
    initial: u64,
    delta: Option<u64>,
}

impl Flags {
    /// Reads them; what is wrong first that ends all, else what is wrong last.
    fn read(key: &[u8], words: &[&[u8]]) -> Result<Self, &'static str> {
        let mut flags = Self { key: key.to_vec(), ..Self::default() };
        let (mut seen, mut wrong) = (Vec::new(), None);
        for word in words {
            let letter = word[0];
            if letter >= 127 || seen.contains(&letter) {
                return Err("CLIENT_ERROR duplicate flag\r\n");
            }
            seen.push(letter);
            match flags.take(letter, &word[1..]) {
                Ok(()) => {}
                Err(None) => return Err("CLIENT_ERROR invalid flag\r\n"),
                Err(why) => wrong = why.filter(|why| *why != BAD_LINE || wrong.is_none()).or(wrong),
            }
        }
        wrong.map_or(Ok(flags), Err)
    }

    /// One flag with what stands behind its letter. `None`: there is no such flag.
    fn take(&mut self, letter: u8, behind: &[u8]) -> Result<(), Option<&'static str>> {
        let lives = || signed(behind).ok_or(Some(BAD_TOKEN));
        let number = |wrong| parse::<u64>(behind).ok_or(Some(wrong));
        match letter {
            b'b' => {
                self.is_binary = true;
                self.key =
                    unbase64(&self.key).filter(|key| !key.is_empty()).ok_or(Some("CLIENT_ERROR error decoding key\r\n"))?;
            }
            b'N' => self.made_for = Some(lives()?),
            b'T' => self.lives = Some(lives()?),
            b'R' => self.anew_below = Some(lives()?),
            b'v' => self.wants_value = true,
            b'u' => self.leaves_alone = true,
            b'q' => self.is_quiet = true,
            b'x' => self.empties = true,
            b'I' => self.makes_stale = true,
            b'F' => self.flags = word(behind).ok_or(Some(BAD_LINE))?,
            b'C' => self.number = Some(number(BAD_TOKEN)?),
            b'E' => self.new_number = Some(number(BAD_TOKEN)?),
            b'M' => match behind {
                [mode] => self.mode = Some(*mode),
                _ => return Err(Some("CLIENT_ERROR incorrect length for M token\r\n")),
            },
            b'J' => self.initial = number("CLIENT_ERROR invalid numeric initial value\r\n")?,
            b'D' => self.delta = Some(number("CLIENT_ERROR invalid numeric delta value\r\n")?),
            b'l' | b'O' | b'P' | b'L' | b'k' | b's' | b't' | b'c' | b'f' | b'h' => {}
            _ => return Err(None),
        }
        Ok(())
    }

    /// The key as it is said again.
    fn key_again(&self, is_binary: bool) -> Vec<u8> {
        if is_binary { [b" k", base64(&self.key).as_bytes(), b" b"].concat() } else { [b" k", self.key.as_slice()].concat() }
    }

    /// What is said again behind a code for which no value is there.
    fn again(&self, words: &[&[u8]]) -> Result<Vec<u8>, &'static str> {
        let mut said = Vec::new();
        for word in words {
            match word[0] {
                b'O' => said.extend(opaque(word)?),
                b'k' => said.extend(self.key_again(self.is_binary)),
                _ => {}
            }
        }
        Ok(said)
    }
}

fn opaque(word: &[u8]) -> Result<Vec<u8>, &'static str> {
    if word.len() > OPAQUE_BYTES_MAX { Err(OPAQUE_TOO_LONG) } else { Ok([b" ", word].concat()) }
}

/// What of a value is asked for behind its code.
fn shown(letter: u8, item: &Item<'_>, now: WallTime) -> Option<Vec<u8>> {
    let text = match letter {
        b's' => format!(" s{}", item.value.len()),
        b't' => format!(" t{}", item.left(now)),
        b'c' => format!(" c{}", item.number),
        b'f' => format!(" f{}", item.flags),
        b'l' => format!(" l{}", item::seconds(now).saturating_sub(item.used)),
        b'h' => format!(" h{}", u8::from(item.has(FETCHED))),
        _ => return None,
    };
    Some(text.into_bytes())
}

impl MemcachedTalk {
    /// A meta command; `command` is its second letter.
    pub(super) fn meta(&mut self, command: u8, words: &[&[u8]], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let said = match (command, words) {
            (b'n', _) => Ok(b"MN".to_vec()),
            (b'e', words) => self.meta_debug(words, now),
            (b'g' | b's' | b'd' | b'a', []) => Err("ERROR\r\n"),
            (b'g' | b's' | b'd' | b'a', [key, ..]) if key.len() > KEY_BYTES_MAX => Err(BAD_LINE),
            (b's', [_]) => Err(BAD_LINE),
            (b'g', [_, flags @ ..]) if flags.len() + 2 > WORDS_MAX => Err("CLIENT_ERROR options flags are too long\r\n"),
            (b's' | b'd' | b'a', [_, flags @ ..]) if flags.len() + 2 > WORDS_MAX => {
                Err("CLIENT_ERROR options flags too long\r\n")
            }
            (b'g', [key, flags @ ..]) => self.meta_get(key, flags, now),
            (b's', [key, bytes, flags @ ..]) => return self.meta_set(key, bytes, flags, now, answer),
            (b'd', [key, flags @ ..]) => self.meta_delete(key, flags, now),
            (b'a', [key, flags @ ..]) => self.meta_count(key, flags, now),
            _ => {
                self.findings.signs |= honeymesh_types::Signs::MALFORMED;
                Err("ERROR\r\n")
            }
        };
        match said {
            Ok(said) if said.is_empty() => {}
            Ok(said) => answer.extend([said.as_slice(), b"\r\n"].concat()),
            Err(why) => answer.extend_from_slice(why.as_bytes()),
        }
        Flow::Telling
    }

    /// `me key [b]`: all that is known of a value.
    fn meta_debug(&self, words: &[&[u8]], now: WallTime) -> Result<Vec<u8>, &'static str> {
        let [key, flags @ ..] = words else { return Err(BAD_LINE) };
        let key = if flags.first() == Some(&&b"b"[..]) { unbase64(key).ok_or(BAD_LINE)? } else { key.to_vec() };
        if key.len() > KEY_BYTES_MAX {
            return Err(BAD_LINE);
        }
        let Some(item) = self.item(&key, now) else { return Ok(b"EN".to_vec()) };
        let (size, class) = item.size(key.len());
        let name = if item.has(BINARY) { base64(&key).into_bytes() } else { key };
        let rest = format!(
            " exp={} la={} cas={} fetch={} cls={class} size={size}",
            item.left(now),
            item::seconds(now).saturating_sub(item.used),
            item.number,
            if item.has(FETCHED) { "yes" } else { "no" },
        );
        Ok([b"ME ", name.as_slice(), rest.as_bytes()].concat())
    }

    fn meta_get(&mut self, key: &[u8], words: &[&[u8]], now: WallTime) -> Result<Vec<u8>, &'static str> {
        let flags = Flags::read(key, words)?;
        let mut is_made = false;
        if let (None, Some(lives)) = (self.item(&flags.key, now), flags.made_for) {
            let bits = if flags.is_binary { BINARY } else { 0 };
            is_made =
                self.make(&flags.key, Item { ends: item::ends(lives, now), bits, ..Item::default() }, flags.new_number, now);
        }
        let Some(stored) = self.item(&flags.key, now) else {
            let again = flags.again(words)?;
            return Ok(if flags.is_quiet { Vec::new() } else { [b"EN", again.as_slice()].concat() });
        };
        let value = stored.value.to_vec();
        let mut item = Item { value: &value, ..stored };
        let is_locked = words.iter().any(|word| b"NTRlh".contains(&word[0]));
        if !is_locked && !flags.leaves_alone {
            item = item.fetched(now);
        }
        let mut said = if flags.wants_value { format!("VA {}", value.len()).into_bytes() } else { b"HD".to_vec() };
        let mut is_his = is_made;
        for word in words {
            match word[0] {
                b'T' => item.ends = item::ends(flags.lives.unwrap_or(0), now),
                b'R' => {
                    let border = item::ends(flags.anew_below.unwrap_or(0), now);
                    is_his |= !item.has(TOLD) && !is_made && item.ends != 0 && item.ends < border;
                }
                b'O' => said.extend(opaque(word)?),
                b'k' => said.extend(flags.key_again(item.has(BINARY))),
                letter => said.extend(shown(letter, &item, now).unwrap_or_default()),
            }
        }
        if item.has(TOLD) {
            said.extend_from_slice(b" Z");
        }
        if item.has(STALE) {
            said.extend_from_slice(b" X");
            is_his |= !item.has(TOLD);
        }
        if is_his {
            said.extend_from_slice(b" W");
            item.bits |= TOLD;
        }
        if is_locked && !flags.leaves_alone {
            item = item.fetched(now);
        }
        self.store.set(&flags.key, &item.write());
        if flags.wants_value {
            said.extend([b"\r\n", value.as_slice()].concat());
        }
        Ok(said)
    }

    /// `ms key bytes flags…`; the value follows, also behind what is refused.
    fn meta_set(&mut self, key: &[u8], bytes: &[u8], words: &[&[u8]], now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let Some(bytes) = signed(bytes).filter(|bytes| *bytes <= i32::MAX - 2).and_then(|bytes| u64::try_from(bytes).ok()) else {
            answer.extend_from_slice(BAD_LINE.as_bytes());
            return Flow::Telling;
        };
        let mut coming = Coming { key: key.to_vec(), bytes, missing: bytes, now, ..Coming::default() };
        let checked = self.meta_set_checked(key, words, &mut coming);
        coming.refused = checked.err().or(coming.refusal());
        self.coming = Some(coming);
        Flow::Continue
    }

    fn meta_set_checked(&self, key: &[u8], words: &[&[u8]], coming: &mut Coming) -> Result<(), &'static str> {
        let flags = Flags::read(key, words)?;
        let opaques: Result<Vec<_>, _> = words.iter().filter(|word| word[0] == b'O').map(|word| opaque(word)).collect();
        let (way, lives) = match (flags.mode, flags.made_for) {
            (None | Some(b'S'), _) => (Way::Set, flags.lives),
            (Some(b'E'), _) => (Way::Add, flags.lives),
            (Some(b'A'), lives) => (Way::Append { makes: lives.is_some() }, lives.or(flags.lives)),
            (Some(b'P'), lives) => (Way::Prepend { makes: lives.is_some() }, lives.or(flags.lives)),
            (Some(b'R'), _) => (Way::Replace, flags.lives),
            _ => return Err("CLIENT_ERROR invalid mode for ms M token\r\n"),
        };
        opaques?;
        coming.way = match (way, flags.number) {
            (Way::Set | Way::Replace, Some(number)) => Way::Cas { number, makes_stale: flags.makes_stale },
            (way, _) => way,
        };
        coming.number = flags.number;
        coming.key.clone_from(&flags.key);
        coming.flags = flags.flags;
        coming.ends = item::ends(lives.unwrap_or(0), coming.now);
        coming.new_number = flags.new_number;
        coming.is_quiet = flags.is_quiet;
        coming.is_binary = flags.is_binary;
        coming.meta = Some(words.iter().map(|word| word.to_vec()).collect());
        Ok(())
    }

    /// What is said once a value has come: what became of it, and what was asked for.
    pub(super) fn meta_put(&self, code: &str, coming: &Coming, words: &[Vec<u8>]) -> Vec<u8> {
        let key = Flags { key: coming.key.clone(), ..Flags::default() };
        let item = self.item(&coming.key, coming.now).filter(|_| code == "HD");
        let mut said = code.as_bytes().to_vec();
        for word in words {
            match word[0] {
                b'O' => said.extend([b" ", word.as_slice()].concat()),
                b'k' => said.extend(key.key_again(coming.is_binary)),
                b'c' => said.extend(format!(" c{}", item.map_or(0, |item| item.number)).bytes()),
                b's' => said.extend(format!(" s{}", item.map_or(coming.kept.len(), |item| item.value.len())).bytes()),
                _ => {}
            }
        }
        said
    }

    fn meta_delete(&mut self, key: &[u8], words: &[&[u8]], now: WallTime) -> Result<Vec<u8>, &'static str> {
        let flags = Flags::read(key, words).map_err(|_| "CLIENT_ERROR invalid or duplicate flag\r\n")?;
        let again = flags.again(words)?;
        let code = match self.item(&flags.key, now).map(|item| (item.number, item.write())) {
            None => NOT_FOUND,
            Some((number, _)) if flags.number.is_some_and(|asked| asked != number) => "EX",
            Some((number, before)) => {
                let kept = Item::read(&before).unwrap_or_default();
                let emptied = Item { flags: flags.flags, used: item::seconds(now), ..Item::default() };
                let mut item = if flags.empties { emptied } else { kept };
                if flags.empties {
                    item.ends = item::ends(flags.lives.unwrap_or(0), now);
                    item.number = flags.new_number.unwrap_or(number);
                }
                if flags.makes_stale {
                    item.ends = flags.lives.map_or(item.ends, |lives| item::ends(lives, now));
                    item.bits = (item.bits | STALE) & !TOLD;
                    self.stored += 1;
                    item.number = flags.new_number.unwrap_or(self.stored);
                }
                if flags.empties || flags.makes_stale {
                    self.store.set(&flags.key, &item.write());
                } else {
                    self.store.remove(&flags.key);
                }
                "HD"
            }
        };
        let is_said = !flags.is_quiet || code != "HD";
        Ok(if is_said { [code.as_bytes(), &again].concat() } else { Vec::new() })
    }

    fn meta_count(&mut self, key: &[u8], words: &[&[u8]], now: WallTime) -> Result<Vec<u8>, &'static str> {
        let flags = Flags::read(key, words).map_err(|_| "CLIENT_ERROR invalid or duplicate flag\r\n")?;
        let is_up = match flags.mode {
            None | Some(b'I' | b'+') => true,
            Some(b'D' | b'-') => false,
            _ => return Err("CLIENT_ERROR invalid mode for ma M token\r\n"),
        };
        let (number, is_made) = match self.item(&flags.key, now).map(|item| (item.number, item.value.to_vec())) {
            None => match flags.made_for {
                None => return Ok([NOT_FOUND.as_bytes(), &flags.again(words)?].concat()),
                Some(_) => (flags.initial, true),
            },
            Some((number, _)) if flags.number.is_some_and(|asked| asked != number) => {
                return Ok([b"EX", flags.again(words)?.as_slice()].concat());
            }
            Some((_, value)) => {
                let before = (value.len() <= NUMBER_BYTES_MAX).then(|| parse::<u64>(value.trim_ascii_end())).flatten();
                let before = before.ok_or("CLIENT_ERROR cannot increment or decrement non-numeric value\r\n")?;
                let delta = flags.delta.unwrap_or(1);
                (if is_up { before.wrapping_add(delta) } else { before.saturating_sub(delta) }, false)
            }
        };
        let digits = number.to_string();
        let is_kept = if is_made {
            let item = Item { value: digits.as_bytes(), ..Item::default() };
            self.make(&flags.key, item, flags.new_number, now)
        } else {
            self.counted(&flags.key, &digits, flags.new_number, now)
        };
        let stored = self.item(&flags.key, now).filter(|_| is_kept).ok_or("SERVER_ERROR out of memory\r\n")?;
        let value = stored.value.to_vec();
        let mut item = Item { value: &value, ..stored };
        let mut said = if flags.wants_value { format!("VA {}", digits.len()).into_bytes() } else { b"HD".to_vec() };
        for word in words {
            match word[0] {
                b'T' => item.ends = item::ends(flags.lives.unwrap_or(0), now),
                b'N' if is_made => item.ends = item::ends(flags.made_for.unwrap_or(0), now),
                b'O' => said.extend(opaque(word)?),
                b'k' => said.extend(flags.key_again(flags.is_binary)),
                letter @ (b'c' | b't') => said.extend(shown(letter, &item, now).unwrap_or_default()),
                _ => {}
            }
        }
        self.store.set(&flags.key, &item.write());
        if flags.is_quiet && !is_made {
            return Ok(Vec::new());
        }
        if flags.wants_value {
            said.extend([b"\r\n", digits.as_bytes()].concat());
        }
        Ok(said)
    }
}
