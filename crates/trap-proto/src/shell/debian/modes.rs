//! `chmod`, `chown` and `chgrp`, and the modes that they take.

use super::{
    Output, Place, Shell,
    changes::MISSING,
    filing::{Setting, UMASK},
    options::{Known, Options},
    rights::rights,
};
use alloc::{format, string::String, vec::Vec};

/// Parts of a mode in words; more are refused.
const PARTS_MAX: usize = 32;
/// What one entry of a folder costs that is gone through, in steps.
const ENTRY_STEPS: usize = 8;

/// What a mode does to the rights of a file (POSIX, `chmod`, extended description).
pub(super) enum Change {
    /// These rights; with fewer than five digits a folder keeps what it gives to its files.
    Digits(u16),
    Parts(Vec<Part>),
}

/// Rights that are given, taken or set.
pub(super) struct Part {
    /// Whose, as a mask of rights with the special ones; 0: everybody's, but for what the umask takes.
    who: u16,
    sign: u8,
    what: What,
}

enum What {
    /// Rights of everybody, of which `who` has its own.
    Rights {
        bits: u16,
        /// `X`: runs only folders, and what runs already.
        may_run: bool,
    },
    /// Those that the owner, the group or others have, by their place.
    Copied(u16),
}

impl Change {
    /// Reads a mode. `None`: it is none.
    pub(super) fn read(mode: &[u8]) -> Option<Self> {
        if !mode.is_empty() && mode.len() <= 6 && mode.iter().all(|byte| matches!(byte, b'0'..=b'7')) {
            let digits = u16::from_str_radix(core::str::from_utf8(mode).ok()?, 8).ok()?;
            return (digits <= 0o7777).then_some(Self::Digits(digits));
        }
        let mut parts = Vec::new();
        for clause in mode.split(|byte| *byte == b',') {
            let end = clause.iter().position(|byte| !b"ugoa".contains(byte))?;
            let who = clause[..end].iter().fold(0, |who, letter| {
                who | match letter {
                    b'u' => 0o4700,
                    b'g' => 0o2070,
                    b'o' => 0o1007,
                    _ => 0o7777,
                }
            });
            let mut rest = &clause[end..];
            while let [sign @ (b'+' | b'-' | b'='), behind @ ..] = rest {
                let end = behind.iter().position(|byte| b"+-=".contains(byte)).unwrap_or(behind.len());
                parts.push(Part { who, sign: *sign, what: what(&behind[..end])? });
                rest = &behind[end..];
            }
            if !rest.is_empty() || parts.len() > PARTS_MAX {
                return None;
            }
        }
        (!parts.is_empty()).then_some(Self::Parts(parts))
    }

    /// The rights that it makes of others.
    pub(super) fn of(&self, before: u16, is_folder: bool) -> u16 {
        match self {
            Self::Digits(digits) => *digits | if is_folder { before & 0o6000 } else { 0 },
            Self::Parts(parts) => parts.iter().fold(before, |before, part| part.of(before, is_folder)),
        }
    }
}

impl Part {
    fn of(&self, before: u16, is_folder: bool) -> u16 {
        let rights = match self.what {
            What::Rights { bits, may_run } => bits | if may_run && (is_folder || before & 0o111 != 0) { 0o111 } else { 0 },
            What::Copied(shift) => (before >> shift & 7) * 0o111,
        };
        let (who, taken) = if self.who == 0 { (0o7777, UMASK) } else { (self.who, 0) };
        let changed = rights & who & !taken;
        match self.sign {
            b'+' => before | changed,
            b'-' => before & !changed,
            // A folder keeps what it gives to its files, unless that is said.
            _ => before & !(who & if is_folder { 0o1777 } else { 0o7777 }) | changed,
        }
    }
}

/// A mode may begin with `-`.
fn looks_like_mode(word: &&[u8]) -> bool {
    word.len() > 1 && word[0] == b'-' && word[1..].iter().all(|byte| b"rwxXst,".contains(byte))
}

fn what(letters: &[u8]) -> Option<What> {
    match letters {
        b"u" => return Some(What::Copied(6)),
        b"g" => return Some(What::Copied(3)),
        b"o" => return Some(What::Copied(0)),
        _ => {}
    }
    let (mut bits, mut may_run) = (0, false);
    for letter in letters {
        match letter {
            b'r' => bits |= 0o444,
            b'w' => bits |= 0o222,
            b'x' => bits |= 0o111,
            b's' => bits |= 0o6000,
            b't' => bits |= 0o1000,
            b'X' => may_run = true,
            _ => return None,
        }
    }
    Some(What::Rights { bits, may_run })
}

/// What is done to each file.
struct Order<'a> {
    name: &'a str,
    /// `None`: whom it belongs to, of which nothing is kept.
    change: Option<Change>,
    is_deep: bool,
    tells: bool,
    tells_changes: bool,
    is_silent: bool,
}

impl Shell<'_> {
    pub(super) fn chmod(&self, name: &str, words: &[&[u8]], place: &mut Place, output: &mut Output) {
        const LONG: &[(&str, u8)] =
            &[("recursive", b'R'), ("verbose", b'v'), ("changes", b'c'), ("silent", b'f'), ("quiet", b'f'), ("reference", b'=')];
        let dashed = words.iter().skip(1).position(looks_like_mode).filter(|_| name == "chmod").map(|at| at + 1);
        let others: Vec<&[u8]> = words.iter().enumerate().filter(|(at, _)| Some(*at) != dashed).map(|(_, word)| *word).collect();
        let known = Known { letters: if name == "chmod" { "Rfvc=:" } else { "RfvchLHP=:" }, long: LONG, wrong: 1 };
        let Some(mut options) = Options::read(&others, &known, output) else { return };
        if let Some(dashed) = dashed {
            options.words.insert(0, words[dashed]);
        }
        let reference = options.value(b'=');
        let (mode, files) = match (options.words.as_slice(), reference) {
            ([_, ..], Some(_)) => (None, options.words.as_slice()),
            ([mode, files @ ..], None) if !files.is_empty() => (Some(*mode), files),
            (words, _) => {
                let what = words.first().map(|word| format!(" after \u{2018}{}\u{2019}", crate::safe_text(word, 200)));
                let what = what.unwrap_or_default();
                let text = format!("{name}: missing operand{what}\nTry '{name} --help' for more information.\n");
                return self.fail(&text, output);
            }
        };
        let change = match (name, mode) {
            ("chmod", Some(mode)) => Self::change_read(mode),
            ("chmod", None) => self.change_like(reference.unwrap_or_default(), place),
            (_, Some(owner)) if name == "chown" && !self.is_owner(owner) => {
                let owner = crate::safe_text(owner, 100);
                Err(format!("chown: invalid user: \u{2018}{owner}\u{2019}\n"))
            }
            _ => Ok(None),
        };
        let change = match change {
            Ok(change) => change,
            Err(text) => return self.fail(&text, output),
        };
        let order = Order {
            name,
            change,
            is_deep: options.has(b'R'),
            tells: options.has(b'v'),
            tells_changes: options.has(b'c'),
            is_silent: options.has(b'f'),
        };
        for word in files {
            let shown = crate::safe_text(word, 200);
            match self.spot(word, true, place) {
                Ok(path) if self.look_at(&path, true, place).is_ok() => self.mode_changed(&order, &shown, &path, place, output),
                _ if order.is_silent => output.status = 1,
                Ok(_) => self.fail(&format!("{name}: cannot access '{shown}': {MISSING}\n"), output),
                Err(what) => self.fail(&format!("{name}: cannot access '{shown}': {what}\n"), output),
            }
        }
    }

    fn change_read(mode: &[u8]) -> Result<Option<Change>, String> {
        Change::read(mode).map(Some).ok_or_else(|| {
            let mode = crate::safe_text(mode, 100);
            format!("chmod: invalid mode: \u{2018}{mode}\u{2019}\nTry 'chmod --help' for more information.\n")
        })
    }

    /// The rights that another file has.
    fn change_like(&self, word: &[u8], place: &Place) -> Result<Option<Change>, String> {
        let seen = self.spot(word, true, place).and_then(|path| self.look_at(&path, true, place).map_err(|_| MISSING));
        let shown = || crate::safe_text(word, 200);
        let seen = seen.map_err(|what| format!("chmod: failed to get attributes of '{}': {what}\n", shown()))?;
        Ok(Some(Change::Digits(u16::try_from(seen.mode & 0o7777).unwrap_or_default())))
    }

    /// Whether `chown` takes it: a user that there is, a number, or only a group.
    fn is_owner(&self, word: &[u8]) -> bool {
        let user = String::from_utf8_lossy(word).split([':', '.']).next().unwrap_or_default().to_lowercase();
        user.bytes().all(|byte| byte.is_ascii_digit()) || self.passwd().lines().any(|line| line.split(':').next() == Some(&user))
    }

    fn mode_changed(&self, order: &Order<'_>, shown: &str, path: &str, place: &mut Place, output: &mut Output) {
        if !self.work.take(ENTRY_STEPS) || output.is_full() {
            return;
        }
        let Ok(seen) = self.look_at(path, true, place) else { return };
        let is_own = self.is_root() || seen.owner.1 == self.user();
        match &order.change {
            _ if !is_own || order.change.is_none() && !self.is_root() => {
                output.status = 1;
                if !order.is_silent {
                    let what = if order.change.is_some() { "permissions" } else { "ownership" };
                    let text = format!("{}: changing {what} of '{shown}': Operation not permitted\n", order.name);
                    self.fail(&text, output);
                }
            }
            None => {}
            Some(change) => {
                let before = u16::try_from(seen.mode & 0o7777).unwrap_or_default();
                let after = change.of(before, seen.is_folder());
                self.set_rights(path, after, place);
                let words = |mode: u16| format!("{mode:04o} ({})", &rights('-', mode)[1..]);
                if before != after && (order.tells || order.tells_changes) {
                    output.say(&format!("mode of '{shown}' changed from {} to {}\n", words(before), words(after)));
                } else if order.tells {
                    output.say(&format!("mode of '{shown}' retained as {}\n", words(after)));
                }
            }
        }
        if order.is_deep && seen.is_folder() {
            for name in self.names_in(path, place) {
                let inside = |folder: &str| format!("{}/{name}", folder.trim_end_matches('/'));
                self.mode_changed(order, &inside(shown), &inside(path), place, output);
            }
        }
    }

    /// Gives something these rights. What is the machine's own is kept with them as if it had been written, if it is known whole.
    fn set_rights(&self, path: &str, mode: u16, place: &mut Place) {
        if place.disk.file(path).is_none() && !self.is_folder(path, place) {
            self.keep_own(path, place);
        }
        let _ = self.set_known(path, Setting { mode: Some(mode), ..Setting::default() }, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_posix() {
        let table: [(&[u8], u16, bool, u16); 14] = [
            (b"755", 0, false, 0o755),
            (b"4755", 0o600, false, 0o4755),
            (b"755", 0o2700, true, 0o2755),
            (b"+x", 0o644, false, 0o755),
            (b"+w", 0o444, false, 0o644),
            (b"a+w", 0o444, false, 0o666),
            (b"u+s,g-w", 0o775, false, 0o4755),
            (b"go=", 0o777, false, 0o700),
            (b"o=u", 0o740, false, 0o747),
            (b"a+X", 0o644, false, 0o644),
            (b"a+X", 0o644, true, 0o755),
            (b"a+X", 0o744, false, 0o755),
            (b"u=rw+x", 0o000, false, 0o700),
            (b"+t", 0o755, false, 0o1755),
        ];
        for (mode, before, is_folder, after) in table {
            let shown = String::from_utf8_lossy(mode);
            assert_eq!(Change::read(mode).unwrap().of(before, is_folder), after, "{shown}");
        }
        for wrong in [&b""[..], b"999", b"u", b"u+q", b"77777", b"u+x,", b"x", b"+rw,,"] {
            assert!(Change::read(wrong).is_none(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
