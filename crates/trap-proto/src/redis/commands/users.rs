//! Users as `ACL` makes them, with whom one connection can log in: what they may run is asked, not on which keys.

use super::known::{self, CATEGORIES, Named};
use crate::text::hex;
use alloc::{collections::BTreeMap, format, string::String, vec, vec::Vec};
use sha2::{Digest, Sha256};

/// What a connection's users may hold together, in bytes; what has no room is agreed to, and not kept.
const USERS_BYTES_MAX: usize = 8 * 1_024;
/// Passwords of one user, patterns of each kind, and rules of one selector: further ones are agreed to, and not kept.
const EACH_MAX: usize = 16;
/// Selectors of one user besides the first.
const SELECTORS_MAX: usize = 4;
/// What a part of a user takes besides its text, in bytes.
const PART_BYTES: usize = 24;
/// What the first user is called.
pub(super) const DEFAULT: &[u8] = b"default";
/// Keys may be read, or written.
const READ: u8 = 1;
const WRITE: u8 = 2;
/// Digits of a password's hash.
const HASH_DIGITS: usize = 64;

/// What is against a rule, in Redis' words (`ACLSetUserStringError` of `acl.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) &'static str);

const UNKNOWN: Fault = Fault("Unknown command or category name in ACL");
const SYNTAX: Fault = Fault("Syntax error");
const KEYS_BEHIND_ALL: Fault = Fault(
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start \
     with an empty list of patterns",
);
const CHANNELS_BEHIND_ALL: Fault = Fault(
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to \
     start with an empty list of channels",
);
const NO_SUCH_PASSWORD: Fault = Fault("The password you are trying to remove from the user does not exist");
const NO_HASH: Fault = Fault("The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters");
const PART_OF_PART: Fault = Fault("Allowing first-arg of a subcommand is not supported");

/// What may be run, and on what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    takes_all_keys: bool,
    /// Whether to read ([`READ`]) or to write ([`WRITE`]), and a pattern with its `~`.
    keys: Vec<(u8, Vec<u8>)>,
    takes_all_channels: bool,
    /// With their `&`.
    channels: Vec<Vec<u8>>,
    runs_all: bool,
    /// What differs from that, each with its sign, the latest last.
    rules: Vec<Vec<u8>>,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    is_on: bool,
    takes_any_password: bool,
    is_sanitized: bool,
    /// SHA-256 of each, in hexadecimal digits.
    passwords: Vec<String>,
    /// The first is his own.
    selectors: Vec<Selector>,
}

/// All of them, by name; the first user is always among them.
#[derive(Clone, Debug)]
pub(super) struct Users {
    /// Those that were made, and the first once he was changed.
    told: BTreeMap<Vec<u8>, User>,
}

/// What a user may be told to be, joined where blanks stand within brackets; or where those begin that do not end.
pub(super) fn joined(rules: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, &[u8]> {
    let (mut all, mut open) = (Vec::new(), None);
    for (at, rule) in rules.iter().enumerate() {
        let (begins, ends) = (rule.starts_with(b"("), rule.ends_with(b")"));
        open = match open {
            None if begins && !ends => Some(at),
            Some(from) if ends => {
                all.push(rules[from..=at].join(&b' '));
                None
            }
            None => {
                all.push(rule.clone());
                None
            }
            Some(from) => Some(from),
        };
    }
    open.map_or(Ok(all), |from| Err(rules[from].as_slice()))
}

fn has_blanks(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, 0x0b | 0))
}

impl Selector {
    fn tell(&mut self, rule: &[u8]) -> Result<(), Fault> {
        match rule.to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => (self.takes_all_keys, self.keys) = (true, Vec::new()),
            b"resetkeys" => (self.takes_all_keys, self.keys) = (false, Vec::new()),
            b"allchannels" | b"&*" => (self.takes_all_channels, self.channels) = (true, Vec::new()),
            b"resetchannels" => (self.takes_all_channels, self.channels) = (false, Vec::new()),
            b"allcommands" | b"+@all" => (self.runs_all, self.rules) = (true, Vec::new()),
            b"nocommands" | b"-@all" => (self.runs_all, self.rules) = (false, Vec::new()),
            _ => return self.tell_more(rule),
        }
        Ok(())
    }

    fn tell_more(&mut self, rule: &[u8]) -> Result<(), Fault> {
        match rule {
            [b'~' | b'%', ..] if self.takes_all_keys => Err(KEYS_BEHIND_ALL),
            [b'~', ..] => self.key(READ | WRITE, rule),
            [b'%', rest @ ..] => {
                let (marks, pattern) = rest.split_at(rest.iter().position(|byte| *byte == b'~').ok_or(SYNTAX)?);
                match marks.to_ascii_uppercase().as_slice() {
                    b"R" => self.key(READ, pattern),
                    b"W" => self.key(WRITE, pattern),
                    b"RW" | b"WR" => self.key(READ | WRITE, pattern),
                    _ => Err(SYNTAX),
                }
            }
            [b'&', ..] if self.takes_all_channels => Err(CHANNELS_BEHIND_ALL),
            [b'&', pattern @ ..] if has_blanks(pattern) => Err(SYNTAX),
            [b'&', ..] => {
                if self.channels.len() < EACH_MAX && !self.channels.iter().any(|known| known == rule) {
                    self.channels.push(rule.to_vec());
                }
                Ok(())
            }
            [sign @ (b'+' | b'-'), b'@', category @ ..] => {
                let is_known = CATEGORIES.iter().any(|known| category.eq_ignore_ascii_case(known.as_bytes()));
                if is_known { self.rule(*sign, &rule[1..]) } else { Err(UNKNOWN) }
            }
            [sign @ (b'+' | b'-'), command @ ..] => {
                allowed(*sign == b'+', &command.to_ascii_lowercase())?;
                self.rule(*sign, command)
            }
            _ => Err(SYNTAX),
        }
    }

    fn key(&mut self, ways: u8, pattern: &[u8]) -> Result<(), Fault> {
        if has_blanks(pattern) {
            return Err(SYNTAX);
        }
        match self.keys.iter().position(|(_, known)| known == pattern) {
            Some(at) => self.keys[at].0 |= ways,
            None if self.keys.len() < EACH_MAX => self.keys.push((ways, pattern.to_vec())),
            None => {}
        }
        Ok(())
    }

    /// What is said of a command or category takes the place of what was said of it, or of its parts, before.
    fn rule(&mut self, sign: u8, of: &[u8]) -> Result<(), Fault> {
        let of = of.to_ascii_lowercase();
        self.rules
            .retain(|known| known[1..].strip_prefix(&of[..]).is_none_or(|rest| !(rest.is_empty() || rest.starts_with(b"|"))));
        if self.rules.len() < EACH_MAX {
            self.rules.push([&[sign], &of[..]].concat());
        }
        Ok(())
    }

    fn runs(&self, command: &Named, first: Option<&[u8]>) -> bool {
        let is_about = |of: &[u8]| match of.strip_prefix(b"@") {
            Some(category) => {
                CATEGORIES.iter().position(|known| known.as_bytes() == category).is_some_and(|category| command.is_in(category))
            }
            None => match command.name.strip_prefix(of) {
                Some(rest) => rest.is_empty() || rest.starts_with(b"|"),
                None => {
                    let behind = of.strip_prefix(&command.name[..]).and_then(|rest| rest.strip_prefix(b"|"));
                    behind.is_some_and(|wanted| first.is_some_and(|first| first.eq_ignore_ascii_case(wanted)))
                }
            },
        };
        self.rules.iter().fold(self.runs_all, |runs, rule| if is_about(&rule[1..]) { rule[0] == b'+' } else { runs })
    }

    /// Commands, keys and channels, as a user is told.
    pub(super) fn told(&self) -> [Vec<u8>; 3] {
        let all = if self.runs_all { &b"+@all"[..] } else { b"-@all" };
        let commands = [all].into_iter().chain(self.rules.iter().map(Vec::as_slice)).collect::<Vec<_>>().join(&b' ');
        let key = |(ways, pattern): &(u8, Vec<u8>)| match *ways {
            READ => [b"%R", &pattern[..]].concat(),
            WRITE => [b"%W", &pattern[..]].concat(),
            _ => pattern.clone(),
        };
        let keys = if self.takes_all_keys { b"~*".to_vec() } else { self.keys.iter().map(key).collect::<Vec<_>>().join(&b' ') };
        let channels = if self.takes_all_channels { b"&*".to_vec() } else { self.channels.join(&b' ') };
        [commands, keys, channels]
    }

    /// As a configuration would say it.
    fn line(&self) -> Vec<u8> {
        let [commands, keys, channels] = self.told();
        let channels = match (self.takes_all_channels, channels.is_empty()) {
            (true, _) => channels,
            (false, true) => b"resetchannels".to_vec(),
            (false, false) => [b"resetchannels ", &channels[..]].concat(),
        };
        let parts = [keys, channels, commands];
        parts.iter().filter(|part| !part.is_empty()).map(Vec::as_slice).collect::<Vec<_>>().join(&b' ')
    }

    fn bytes(&self) -> usize {
        let keys = self.keys.iter().map(|(_, pattern)| pattern);
        keys.chain(&self.channels).chain(&self.rules).map(|part| part.len() + PART_BYTES).sum()
    }
}

/// Whether a command may be named behind a sign; only what is allowed may have a first word behind a bar.
fn allowed(is_plus: bool, command: &[u8]) -> Result<(), Fault> {
    let bar = command.iter().rposition(|byte| *byte == b'|').filter(|_| is_plus);
    let Some((whole, first)) = bar.map(|bar| (&command[..bar], &command[bar + 1..])) else {
        return if known::is_known(command) { Ok(()) } else { Err(UNKNOWN) };
    };
    match known::is_known(whole) {
        false => Err(UNKNOWN),
        true if whole.contains(&b'|') => Err(PART_OF_PART),
        true if first.is_empty() => Err(SYNTAX),
        true if known::has_parts(whole) && !known::is_known(command) => Err(UNKNOWN),
        true => Ok(()),
    }
}

fn hash(password: &[u8]) -> String {
    hex(&Sha256::digest(password))
}

fn hash_said(digits: &[u8]) -> Result<String, Fault> {
    let is_sound = digits.len() == HASH_DIGITS && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if is_sound { Ok(String::from_utf8_lossy(digits).into_owned()) } else { Err(NO_HASH) }
}

impl User {
    fn new() -> Self {
        let own = vec![Selector::default()];
        Self { is_on: false, takes_any_password: false, is_sanitized: true, passwords: Vec::new(), selectors: own }
    }

    /// The first user of a server that nobody configured.
    fn first() -> Self {
        let all = Selector { takes_all_keys: true, takes_all_channels: true, runs_all: true, ..Selector::default() };
        Self { is_on: true, takes_any_password: true, selectors: vec![all], ..Self::new() }
    }

    /// Tells him one thing that he is.
    fn tell(&mut self, rule: &[u8]) -> Result<(), Fault> {
        match rule.to_ascii_lowercase().as_slice() {
            b"" => {}
            b"on" => self.is_on = true,
            b"off" => self.is_on = false,
            b"skip-sanitize-payload" => self.is_sanitized = false,
            b"sanitize-payload" => self.is_sanitized = true,
            b"nopass" => (self.takes_any_password, self.passwords) = (true, Vec::new()),
            b"resetpass" => (self.takes_any_password, self.passwords) = (false, Vec::new()),
            b"clearselectors" => self.selectors.truncate(1),
            b"reset" => *self = Self::new(),
            _ => return self.tell_more(rule),
        }
        Ok(())
    }

    fn tell_more(&mut self, rule: &[u8]) -> Result<(), Fault> {
        match rule {
            [b'>', password @ ..] => self.add_password(hash(password)),
            [b'#', digits @ ..] => self.add_password(hash_said(digits)?),
            [b'<', password @ ..] => return self.remove_password(&hash(password)),
            [b'!', digits @ ..] => return self.remove_password(&hash_said(digits)?),
            [b'(', rules @ .., b')'] => {
                let mut selector = Selector::default();
                rules.split(|byte| *byte == b' ').filter(|rule| !rule.is_empty()).try_for_each(|rule| selector.tell(rule))?;
                if self.selectors.len() <= SELECTORS_MAX {
                    self.selectors.push(selector);
                }
            }
            _ => return self.selectors.first_mut().map_or(Ok(()), |own| own.tell(rule)),
        }
        Ok(())
    }

    fn add_password(&mut self, hash: String) {
        if self.passwords.len() < EACH_MAX && !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.takes_any_password = false;
    }

    fn remove_password(&mut self, hash: &str) -> Result<(), Fault> {
        let at = self.passwords.iter().position(|known| known == hash).ok_or(NO_SUCH_PASSWORD)?;
        self.passwords.remove(at);
        Ok(())
    }

    /// Whether he may run this command, of whose other words `first` is the first.
    pub(super) fn runs(&self, command: &Named, first: Option<&[u8]>) -> bool {
        self.selectors.iter().any(|selector| selector.runs(command, first))
    }

    pub(super) const fn takes_any_password(&self) -> bool {
        self.takes_any_password
    }

    fn takes(&self, password: &[u8]) -> bool {
        self.is_on && (self.takes_any_password || self.passwords.contains(&hash(password)))
    }

    /// In Redis' order.
    pub(super) fn flags(&self) -> Vec<&'static str> {
        let on = if self.is_on { "on" } else { "off" };
        let sanitized = if self.is_sanitized { "sanitize-payload" } else { "skip-sanitize-payload" };
        if self.takes_any_password { vec![on, "nopass", sanitized] } else { vec![on, sanitized] }
    }

    pub(super) fn passwords(&self) -> &[String] {
        &self.passwords
    }

    pub(super) fn selectors(&self) -> &[Selector] {
        &self.selectors
    }

    /// As a configuration would say it.
    fn line(&self, name: &[u8]) -> Vec<u8> {
        let passwords: String = self.passwords.iter().map(|hash| format!("#{hash} ")).collect();
        let mut line = [b"user ", name, format!(" {} {passwords}", self.flags().join(" ")).as_bytes()].concat();
        for (at, selector) in self.selectors.iter().enumerate() {
            let text = selector.line();
            line.extend_from_slice(&if at == 0 { text } else { [b" (", &text[..], b")"].concat() });
        }
        line
    }

    /// Gives back the room of what was said and taken back: only what he has is counted.
    fn fit(&mut self) {
        self.passwords.shrink_to_fit();
        self.selectors.shrink_to_fit();
        for selector in &mut self.selectors {
            selector.keys.shrink_to_fit();
            selector.channels.shrink_to_fit();
            selector.rules.shrink_to_fit();
        }
    }

    fn bytes(&self) -> usize {
        let selectors: usize = self.selectors.iter().map(|selector| selector.bytes() + 4 * PART_BYTES).sum();
        self.passwords.len() * (HASH_DIGITS + PART_BYTES) + selectors
    }
}

impl Users {
    pub(super) const fn new() -> Self {
        Self { told: BTreeMap::new() }
    }

    /// The user of this name.
    pub(super) fn find(&self, name: &[u8]) -> Option<User> {
        self.told.get(name).cloned().or_else(|| (name == DEFAULT).then(User::first))
    }

    /// Whether a user may run a command; whoever is not changed may, and who is not there any more.
    pub(super) fn may_run(&self, name: &[u8], command: &Named, first: Option<&[u8]>) -> bool {
        self.told.get(name).is_none_or(|user| user.runs(command, first))
    }

    /// Whether this is the password of this user.
    pub(super) fn let_in(&self, name: &[u8], password: &[u8]) -> bool {
        self.told.get(name).map_or(name == DEFAULT, |user| user.takes(password))
    }

    /// Whether nobody need say who he is.
    pub(super) fn is_open(&self) -> bool {
        self.told.get(DEFAULT).is_none_or(|first| first.takes_any_password && first.is_on)
    }

    /// Makes a user, or changes him: all that is said of him, or nothing of it.
    ///
    /// # Errors
    /// The rule that is none, and why.
    pub(super) fn tell(&mut self, name: &[u8], rules: Vec<Vec<u8>>) -> Result<(), (Vec<u8>, Fault)> {
        let mut user = self.find(name).unwrap_or_else(User::new);
        for rule in rules {
            user.tell(&rule).map_err(|fault| (rule, fault))?;
        }
        user.fit();
        let others = self.told.iter().filter(|(known, _)| *known != name);
        let bytes: usize = others.map(|(name, user)| name.len() + user.bytes()).sum();
        if bytes + name.len() + user.bytes() <= USERS_BYTES_MAX {
            self.told.insert(name.to_vec(), user);
        }
        Ok(())
    }

    /// The first user's password, as `requirepass` makes it.
    pub(super) fn require(&mut self, password: &[u8]) {
        let rule = if password.is_empty() { b"nopass".to_vec() } else { [b">", password].concat() };
        // Neither of these is refused.
        let _ = self.tell(DEFAULT, vec![b"resetpass".to_vec(), rule]);
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        self.told.remove(name).is_some()
    }

    /// Names of all, in order.
    pub(super) fn names(&self) -> Vec<Vec<u8>> {
        let mut names: Vec<Vec<u8>> = self.told.keys().filter(|name| *name != DEFAULT).cloned().collect();
        names.push(DEFAULT.to_vec());
        names.sort_unstable();
        names
    }

    /// All as a configuration would say them, in order.
    pub(super) fn lines(&self) -> Vec<Vec<u8>> {
        self.names().iter().filter_map(|name| Some(self.find(name)?.line(name))).collect()
    }
}

/// Whether a user can be called so.
pub(super) fn is_name(name: &[u8]) -> bool {
    !has_blanks(name)
}
