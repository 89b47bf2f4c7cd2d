//! One connection to a MySQL trap.

use super::{
    Guests, account,
    login::{self, Login},
};
use crate::{Findings, Flow, Session, Step, TlsManner, exactly::Exactly, persona::derived, text::hex};
use alloc::{format, string::String, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// Length, and the packet's number.
const HEAD_BYTES: usize = 4;
/// The most that is kept of a packet before a login, in bytes. The real server takes sixteen MiB; a longer one is heard to its end, and is no
/// login then, but who logs in is told from its beginning.
const PACKET_BYTES_MAX: usize = 16 * 1_024;
/// The part of the salt that old clients use, and all of it.
const SALT_OLD_BYTES: usize = 8;
const SALT_BYTES: usize = 20;
/// Of flags so much tells how errors are told.
const FLAG_BYTES: usize = 2;

/// The flag of a server that can be asked for TLS, in the second byte of them.
const HAS_TLS: u8 = 0x08;

/// Characters of a MariaDB's salt, from `!` to `~`.
const SALT_CHARS: u16 = 94;

const NATIVE: &str = "mysql_native_password";
/// What clients from before 4.1 scramble with, and how long the scrambles of later ones are, in bytes.
const OLD: &[u8] = b"mysql_old_password";
const SCRAMBLE_BYTES: usize = 20;
const TOO_OLD: &str = "Client does not support authentication protocol requested by server; consider upgrading MariaDB client";
const SHA2: &str = "caching_sha2_password";
/// Plugins of clients that say the password itself; the second does so inside TLS alone.
const CLEAR: &[u8] = b"mysql_clear_password";
const SHA256: &[u8] = b"sha256_password";

/// What the stranger sends next.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Head,
    Login,
    /// The rest of a packet that is too long: so many bytes of it are still to come.
    Skipped(usize),
    /// The head of his answer to another plugin, and that answer.
    SwitchedHead,
    Switched,
    Over,
}

/// One connection to a MySQL trap.
pub struct MysqlSession {
    version: String,
    guests: Guests,
    connection: u32,
    salt: [u8; SALT_BYTES],
    phase: Phase,
    coming: Exactly,
    /// What of a packet that is too long follows what is kept of it, in bytes.
    skips: usize,
    /// The number of the stranger's last packet.
    number: u8,
    /// TLS was asked for, which takes a packet.
    is_tls: bool,
    /// TLS can be asked for.
    has_tls: bool,
    /// The client is told the state with each error, as long as it does not say that it knows none.
    is_new: bool,
    /// What the client can do, as it said first.
    flags: u32,
    login: Login,
    findings: Findings,
}

impl MysqlSession {
    pub(super) fn new(version: String, guests: Guests, seed: u64) -> Self {
        let salt = salt(seed, version.contains("MariaDB"));
        Self {
            version,
            guests,
            connection: guests.number(WallTime::default(), 0),
            salt,
            phase: Phase::Head,
            coming: Exactly::new(HEAD_BYTES),
            skips: 0,
            number: 0,
            is_tls: false,
            has_tls: true,
            is_new: true,
            flags: 0,
            login: Login::default(),
            findings: Findings::default(),
        }
    }

    pub(super) const fn secured(mut self) -> Self {
        self.has_tls = false;
        self
    }

    /// Refused by an account that has the socket, too.
    fn is_of_socket(&self) -> bool {
        self.is_mariadb() && account::has_socket(&self.login.username)
    }

    fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB")
    }

    /// How passwords are scrambled here.
    fn plugin(&self) -> &'static str {
        let major = self.version.split('.').next().and_then(|digits| digits.parse::<u32>().ok());
        if !self.is_mariadb() && major.is_some_and(|major| major >= 8) { SHA2 } else { NATIVE }
    }

    /// `HandshakeV10`. The flags are those of the real servers.
    fn greeting(&self) -> Vec<u8> {
        let (low, character_set, high, reserved) = if self.is_mariadb() {
            ([0xfe_u8, 0xff], 45, [0xff_u8, 0x81], [0, 0, 0, 0, 0, 0, 0x3d, 0, 0, 0])
        } else {
            ([0xff, 0xff], 0xff, [0xff, 0xdf], [0; 10])
        };
        let [low, flags] = low;
        let low = [low, if self.has_tls { flags } else { flags & !HAS_TLS }];
        let (old, rest) = self.salt.split_at(SALT_OLD_BYTES);
        [
            &[10],
            self.version.as_bytes(),
            &[0],
            &self.connection.to_le_bytes(),
            old,
            &[0],
            &low,
            &[character_set, 2, 0],
            &high,
            &[21],
            &reserved,
            rest,
            &[0],
            self.plugin().as_bytes(),
            &[0],
        ]
        .concat()
    }

    fn byte(&mut self, byte: u8, answer: &mut Vec<u8>) -> Flow {
        if self.phase == Phase::Over {
            return Flow::Close;
        }
        if let Phase::Skipped(left) = &mut self.phase {
            *left -= 1;
            return if *left > 0 { Flow::Continue } else { self.broken(1043, "08S01", "Bad handshake", answer) };
        }
        let Some(said) = self.coming.push(byte) else { return Flow::Continue };
        match self.phase {
            Phase::Login | Phase::Switched if self.skips > 0 => self.too_long(&said),
            Phase::Skipped(_) => Flow::Continue,
            Phase::Head => self.head(&said, 1 + u8::from(self.is_tls), Phase::Login, answer),
            Phase::SwitchedHead => self.head(&said, 3 + u8::from(self.is_tls), Phase::Switched, answer),
            Phase::Login => self.login(&said, answer),
            Phase::Switched => self.scrambled(said, answer),
            Phase::Over => Flow::Close,
        }
    }

    fn head(&mut self, head: &[u8], number: u8, next: Phase, answer: &mut Vec<u8>) -> Flow {
        let [low, middle, high, said] = head else { return self.close() };
        let bytes = usize::from(*low) | usize::from(*middle) << 8 | usize::from(*high) << 16;
        self.number = number;
        if *said != number {
            self.number = number - 1;
            if next == Phase::Switched && self.is_of_socket() {
                self.findings.signs |= Signs::MALFORMED;
                self.refuse(&[], false, answer);
                return self.close();
            }
            return self.broken(1156, "08S01", "Got packets out of order", answer);
        }
        if bytes == 0 && next == Phase::Login {
            return self.broken(1043, "08S01", "Bad handshake", answer);
        }
        self.phase = next;
        // An empty password is an empty packet.
        if bytes == 0 {
            return self.scrambled(Vec::new(), answer);
        }
        self.skips = bytes.saturating_sub(PACKET_BYTES_MAX);
        self.coming.want(bytes.min(PACKET_BYTES_MAX));
        Flow::Continue
    }

    /// What is kept of a packet that goes on: it is told now, as whoever says it may leave before the end.
    fn too_long(&mut self, beginning: &[u8]) -> Flow {
        if self.phase == Phase::Switched {
            self.note_switched(beginning);
        } else {
            self.note_beginning(beginning);
        }
        self.phase = Phase::Skipped(core::mem::take(&mut self.skips));
        Flow::Continue
    }

    /// Those that are said in the clear go for TLS, too.
    fn hear_flags(&mut self, packet: &[u8]) {
        if !self.is_tls {
            self.is_new = packet.len() < FLAG_BYTES || login::is_new(packet);
            self.flags = login::flags(packet);
        }
    }

    fn login(&mut self, packet: &[u8], answer: &mut Vec<u8>) -> Flow {
        self.hear_flags(packet);
        if login::asks_for_tls(packet) && self.has_tls && !self.is_tls {
            self.is_tls = true;
            self.phase = Phase::Head;
            self.coming.want(HEAD_BYTES);
            // Whoever asks with a whole login has shown it in the clear.
            self.note_unanswered(packet);
            return Flow::StartTls;
        }
        let login = match login::read(packet, self.flags) {
            Ok(login) => login,
            Err(login) => {
                self.note_broken(&login);
                return self.broken(1043, "08S01", "Bad handshake", answer);
            }
        };
        self.note_login(&login);
        let is_old = login.plugin == OLD;
        let is_switched = !login.plugin.is_empty() && login.plugin != self.plugin().as_bytes() && !is_old;
        if is_switched {
            // Who hears that it is to be said otherwise may leave.
            self.note_first_proof(&login);
        }
        self.login = login;
        if !is_switched {
            let scramble = core::mem::take(&mut self.login.scramble);
            return self.scrambled(scramble, answer);
        }
        let request = [&[0xfe], self.plugin().as_bytes(), &[0], &self.salt, &[0]].concat();
        packet_of(self.number.wrapping_add(1), &request, answer);
        self.phase = Phase::SwitchedHead;
        self.coming.want(HEAD_BYTES);
        Flow::Continue
    }

    /// The scramble is there: refuse it.
    fn scrambled(&mut self, scramble: Vec<u8>, answer: &mut Vec<u8>) -> Flow {
        self.findings.note("username", &self.login.username);
        // Whoever answered a request for our plugin answers with that.
        let is_old = self.login.plugin == OLD || self.phase == Phase::Login && !self.login.is_secure;
        let plugin = if is_old { OLD } else { self.plugin().as_bytes() };
        self.note_proof(plugin, &scramble);
        let has_password = has_password(&scramble);
        self.refuse(&scramble, has_password, answer);
        self.close()
    }

    /// What there is of an answer to our plugin whose end does not come: a report may have been taken since the name was said.
    fn note_switched(&mut self, proof: &[u8]) {
        self.findings.note("username", &self.login.username);
        self.note_proof(self.plugin().as_bytes(), proof);
    }

    /// Who logs in. Whoever has shown another login before is told with both.
    fn note_login(&mut self, login: &Login) {
        self.findings.note_next("username", &login.username);
        for (name, value) in [("database", &login.database), ("client", &login.attributes)] {
            if !value.is_empty() {
                self.findings.note_next(name, value);
            }
        }
    }

    /// What a login that gets no answer of its own has said, if it names anybody.
    fn note_unanswered(&mut self, packet: &[u8]) {
        match login::read(packet, self.flags) {
            Ok(login) if !login.username.is_empty() => {
                self.note_login(&login);
                self.note_first_proof(&login);
            }
            Ok(_) => {}
            Err(login) => self.note_broken(&login),
        }
    }

    /// The same of a login whose end does not come.
    fn note_beginning(&mut self, packet: &[u8]) {
        self.hear_flags(packet);
        self.note_unanswered(packet);
    }

    /// What a login that breaks off has said: the name, and the proof as far as it goes.
    fn note_broken(&mut self, login: &Login) {
        if login.username.is_empty() {
            return;
        }
        self.note_login(login);
        if !login.scramble.is_empty() {
            self.note_first_proof(login);
        } else if login.is_named {
            self.findings.signs |= Signs::CREDENTIALS;
        }
    }

    /// What came with a login that is not answered by itself, by the client's own plugin. Nothing is not always an empty password there: with
    /// most plugins the server speaks first.
    fn note_first_proof(&mut self, login: &Login) {
        let plugin = match login.plugin.as_slice() {
            [] if login.is_secure => self.plugin().as_bytes(),
            [] => OLD,
            plugin => plugin,
        };
        let speaks_first = plugin == CLEAR || plugin == NATIVE.as_bytes() || plugin == SHA2.as_bytes() || plugin == OLD;
        if speaks_first || !login.scramble.is_empty() {
            self.note_proof(plugin, &login.scramble);
        }
    }

    /// A password, or what a plugin made of it. What was said in the clear before is not replaced by nothing, and nothing by what is said
    /// behind it.
    fn note_proof(&mut self, plugin: &[u8], proof: &[u8]) {
        self.findings.note_next("plugin", plugin);
        self.findings.signs |= Signs::CREDENTIALS;
        let is_clear = plugin == CLEAR || (plugin == SHA256 && self.is_tls && proof.last() == Some(&0));
        if !has_password(proof) {
            self.findings.note_first("password", b"");
        } else if is_clear {
            self.findings.note_next("password", proof.strip_suffix(&[0]).unwrap_or(proof));
        } else {
            self.findings.note("salt", hex(&self.salt).as_bytes());
            self.findings.note_next("scramble", hex(proof).as_bytes());
        }
    }

    fn refuse(&mut self, scramble: &[u8], has_password: bool, answer: &mut Vec<u8>) {
        let user = account::shown(&self.login.username);
        if self.is_of_socket() {
            return self.error(1698, "28000", &format!("Access denied for user '{user}'@'localhost'"), answer);
        }
        let is_native = self.plugin() == NATIVE;
        if is_native && (self.login.plugin == OLD || (has_password && !self.login.is_secure)) {
            return self.error(1251, "08004", TOO_OLD, answer);
        }
        if is_native && !matches!(scramble.len(), 0 | SCRAMBLE_BYTES) {
            self.findings.signs |= Signs::MALFORMED;
            return self.error(1043, "08S01", "Bad handshake", answer);
        }
        let using = if has_password { "YES" } else { "NO" };
        // A session does not know where the stranger is; a server behind a proxy on its own machine says this.
        let message = format!("Access denied for user '{user}'@'localhost' (using password: {using})");
        self.error(1045, "28000", &message, answer);
    }

    fn error(&self, code: u16, state: &str, message: &str, answer: &mut Vec<u8>) {
        let state = if self.is_new { [b"#", state.as_bytes()].concat() } else { Vec::new() };
        let error = [&[0xff], &code.to_le_bytes()[..], &state, message.as_bytes()].concat();
        packet_of(self.number.wrapping_add(1), &error, answer);
    }

    fn broken(&mut self, code: u16, state: &str, message: &str, answer: &mut Vec<u8>) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        self.error(code, state, message, answer);
        self.close()
    }

    fn close(&mut self) -> Flow {
        self.phase = Phase::Over;
        Flow::Close
    }
}

/// A single NUL is an empty password for `caching_sha2_password`.
const fn has_password(proof: &[u8]) -> bool {
    !matches!(proof, [] | [0])
}

/// A salt from which nothing else that the seed makes can be told, nor the seed: any of MariaDB's characters, as often as any other; or seven
/// bits of MySQL's without NUL and `$`.
fn salt(seed: u64, is_mariadb: bool) -> [u8; SALT_BYTES] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let drawn = [&b"mysql salt 1"[..], b"mysql salt 2"].map(|part| derived(&key, &[part])).concat();
    let mut salt = [b'!'; SALT_BYTES];
    for (byte, pair) in salt.iter_mut().zip(drawn.chunks_exact(2)) {
        let number = u16::from_le_bytes([pair[0], pair[1]]);
        *byte = match u8::try_from(number & 0x7f).unwrap_or(0) {
            _ if is_mariadb => b'!' + u8::try_from(number % SALT_CHARS).unwrap_or(0),
            seven @ (0 | b'$') => seven + 1,
            seven => seven,
        };
    }
    salt
}

/// Appends a packet of this number: a few hundred bytes at most.
fn packet_of(number: u8, body: &[u8], answer: &mut Vec<u8>) {
    let [low, middle, high, _] = u32::try_from(body.len()).unwrap_or_default().to_le_bytes();
    answer.extend_from_slice(&[low, middle, high, number]);
    answer.extend_from_slice(body);
}

impl Session for MysqlSession {
    fn meet(&mut self, now: WallTime, before: u64) {
        self.connection = self.guests.number(now, before);
    }

    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        if !self.is_tls {
            packet_of(0, &self.greeting(), answer);
        }
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Step {
        // One request to switch and one error in all, so there is always room.
        Step::by_byte_until_full(bytes, answer, usize::MAX, |byte, answer| self.byte(byte, answer))
    }

    fn end(&mut self) {
        let left = self.coming.held().to_vec();
        match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Login | Phase::Switched if left.is_empty() => {}
            Phase::Login => self.note_beginning(&left),
            Phase::Switched => self.note_switched(&left),
            Phase::Head | Phase::Skipped(_) | Phase::SwitchedHead | Phase::Over => {}
        }
    }

    fn tls(&self) -> TlsManner {
        TlsManner::Mariadb
    }

    fn misses_tls(&mut self, _head: &[u8], answer: &mut Vec<u8>) {
        let _ = self.broken(1043, "08S01", "Bad handshake", answer);
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}

#[cfg(test)]
mod tests;
