//! The login (RFC 4252, RFC 4256), as OpenSSH leads it: every try is told before it is answered.

use super::{
    MSG_SERVICE_ACCEPT, MSG_SERVICE_REQUEST, MSG_USERAUTH_FAILURE, MSG_USERAUTH_INFO_REQUEST, MSG_USERAUTH_INFO_RESPONSE,
    MSG_USERAUTH_REQUEST, MSG_USERAUTH_SUCCESS, SSH_TRIES_MAX,
    transport::{Desk, SIGNATURES, Transport, malformed},
    wire::{Fields, is_text, message, put_string},
};
use crate::{Flow, pause, shell::debian::has_shell};
use alloc::{format, vec::Vec};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use honeymesh_types::Signs;
use sha2::{Digest, Sha256};

/// What a try may be made with, in OpenSSH's order.
const METHODS: &[u8] = b"publickey,password,keyboard-interactive";
const LOGIN_SERVICE: &[u8] = b"ssh-userauth";
/// More of a client's extensions are not looked at.
const EXTENSIONS_MAX: u32 = 1_024;
/// The method with which newer clients bind a signature to the host's key.
const HOST_BOUND: &[u8] = b"publickey-hostbound-v00@openssh.com";
/// What PAM asks for.
const PROMPT: &[u8] = b"Password: ";

/// How far the login is.
pub(super) struct Login {
    let_in: u8,
    stage: Stage,
    user: Vec<u8>,
    service: Vec<u8>,
    /// Requests, failures that count, and passwords among them.
    requests: u32,
    failures: u8,
    passwords: u8,
    /// How long the answer is kept back, in milliseconds.
    wait_ms: u32,
    /// A question waits for its answer.
    asked: bool,
    /// Something was asked at some time.
    ever_asked: bool,
    /// The client has told of its extensions, and wants to hear ours again.
    has_extensions: bool,
    wants_extensions: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Service,
    Tries,
    In,
}

impl Login {
    pub(super) const fn new(let_in: u8) -> Self {
        Self {
            let_in,
            stage: Stage::Service,
            user: Vec::new(),
            service: Vec::new(),
            requests: 0,
            failures: 0,
            passwords: 0,
            wait_ms: 0,
            asked: false,
            ever_asked: false,
            has_extensions: false,
            wants_extensions: false,
        }
    }

    pub(super) fn is_in(&self) -> bool {
        self.stage == Stage::In
    }

    /// Who wants in.
    pub(super) fn user(&self) -> &[u8] {
        &self.user
    }

    /// Nothing of it was said yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.stage == Stage::Service
    }

    /// The client may tell of its extensions: once, and first of all.
    pub(super) fn expects_extensions(&self) -> bool {
        self.stage == Stage::Service && !self.has_extensions
    }

    /// What the client tells of itself; `None` if it cannot be read, `false` if it is too much.
    pub(super) fn extended(&mut self, payload: &[u8]) -> Option<bool> {
        let mut fields = Fields(payload.get(1..)?);
        self.has_extensions = true;
        let count = fields.number()?;
        if count >= EXTENSIONS_MAX {
            return Some(false);
        }
        // Each takes eight bytes at least, so this ends with the packet.
        for _ in 0..count {
            let (name, value) = (fields.string()?, fields.string()?);
            self.wants_extensions |= name == b"ext-info-in-auth@openssh.com" && value == b"0";
        }
        fields.end().map(|()| true)
    }

    /// How long the last answer is kept back, in milliseconds; asked once.
    pub(super) const fn wait_ms(&mut self) -> u32 {
        core::mem::replace(&mut self.wait_ms, 0)
    }

    /// Counts a password: is it the one that is let in?
    fn is_let_in(&mut self) -> bool {
        self.passwords = self.passwords.saturating_add(1);
        self.passwords == self.let_in
    }
}

impl Transport {
    pub(super) fn login_message(&mut self, payload: &[u8], desk: &mut Desk<'_>) -> Flow {
        let Some((kind, body)) = payload.split_first() else { return malformed(desk) };
        let mut fields = Fields(body);
        let flow = match (self.login.stage, *kind) {
            (Stage::Service | Stage::Tries, MSG_SERVICE_REQUEST) => self.service(&mut fields, desk),
            (Stage::Tries, MSG_USERAUTH_REQUEST) => self.request(&mut fields, desk),
            (Stage::Tries, MSG_USERAUTH_INFO_RESPONSE) if self.login.asked => self.answered(&mut fields, desk),
            (Stage::Tries, MSG_USERAUTH_INFO_RESPONSE) if self.login.ever_asked => None,
            _ => Some(self.unimplemented(desk)),
        };
        flow.unwrap_or_else(|| malformed(desk))
    }

    fn service(&mut self, fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<Flow> {
        let service = fields.c_string()?;
        fields.end()?;
        if service != LOGIN_SERVICE {
            return Some(self.disconnect(&[b"bad service request ", service].concat(), desk));
        }
        self.login.stage = Stage::Tries;
        self.send(&message(MSG_SERVICE_ACCEPT, |out| put_string(out, service)), desk);
        Some(Flow::Continue)
    }

    fn request(&mut self, fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<Flow> {
        let (user, service, method) = (fields.string()?, fields.string()?, fields.string()?);
        if ![user, service, method].into_iter().all(is_text) {
            self.last_try(user, method, fields, desk)?;
            return None;
        }
        self.login.asked = false;
        self.login.requests += 1;
        if self.login.requests == 1 {
            (self.login.user, self.login.service) = (user.to_vec(), service.to_vec());
            if self.login.wants_extensions {
                self.tell_signatures(desk);
            }
        } else if self.login.user != user || self.login.service != service {
            // Its password may be cut short: that ends nothing that is not over.
            let _ = self.last_try(user, method, fields, desk);
            return Some(self.changed(user, service, desk));
        }
        desk.findings.note("username", user);
        match method {
            b"password" => self.password(fields, desk),
            b"publickey" | HOST_BOUND => self.public_key(method == HOST_BOUND, fields, desk),
            b"keyboard-interactive" => self.ask(fields, desk),
            // The first question which methods there are is free.
            b"none" if self.login.requests == 1 => Some(self.refuse(false, 0, Flow::Continue, desk)),
            _ => Some(self.refuse(true, 0, Flow::Continue, desk)),
        }
    }

    /// OpenSSH ends the connection for it; who was named, and with which password or key, is kept all the same.
    fn last_try(&mut self, user: &[u8], method: &[u8], fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<()> {
        desk.findings.note("username", user);
        match method {
            b"password" => self.note_password(fields, desk).map(|_| ()),
            b"publickey" | HOST_BOUND => self.note_key(fields, desk).map(|_| ()),
            _ => Some(()),
        }
    }

    fn changed(&mut self, user: &[u8], service: &[u8], desk: &mut Desk<'_>) -> Flow {
        let words: [&[u8]; 9] = [
            b"Change of username or service not allowed: (",
            &self.login.user,
            b",",
            &self.login.service,
            b") -> (",
            user,
            b",",
            service,
            b")",
        ];
        self.disconnect(&words.concat(), desk)
    }

    fn password(&mut self, fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<Flow> {
        let password = self.note_password(fields, desk)?;
        fields.end().filter(|()| is_text(password))?;
        Some(self.judge(desk))
    }

    /// A password, and the one that is to take its place.
    fn note_password<'a>(&self, fields: &mut Fields<'a>, desk: &mut Desk<'_>) -> Option<&'a [u8]> {
        let changes = fields.flag()?;
        let password = fields.string()?;
        self.tried("password", desk);
        desk.findings.note("password", password);
        if changes {
            desk.findings.note("new_password", fields.string()?);
        }
        Some(password)
    }

    fn public_key(&mut self, is_bound: bool, fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<Flow> {
        let (signed, algorithm, key) = self.note_key(fields, desk)?;
        if !is_text(algorithm) {
            return None;
        }
        if is_bound {
            let host_key = fields.string()?;
            self.proven.filter(|kind| self.setup.keys.public(*kind) == host_key)?;
        }
        // Of a key that is none no more is read.
        if is_key(algorithm, key) {
            if signed {
                fields.string()?;
            }
            fields.end()?;
        }
        Some(self.refuse(true, 0, Flow::Telling, desk))
    }

    /// Whether it signs, its algorithm, and itself. OpenSSH ends the connection for a nought in an algorithm; what was tried is kept all the
    /// same.
    fn note_key<'a>(&self, fields: &mut Fields<'a>, desk: &mut Desk<'_>) -> Option<(bool, &'a [u8], &'a [u8])> {
        let signed = fields.flag()?;
        let algorithm = fields.string()?;
        self.tried("publickey", desk);
        desk.findings.note("key_algorithm", algorithm);
        let key = fields.string()?;
        let fingerprint = format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)));
        desk.findings.note("key_fingerprint", fingerprint.as_bytes());
        if signed {
            desk.findings.note("key_signed", b"true");
        }
        Some((signed, algorithm, key))
    }

    fn ask(&mut self, fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<Flow> {
        let (_language, devices) = (fields.c_string()?, fields.c_string()?);
        if !devices.is_empty() && !devices.split(|byte| *byte == b',').any(|device| device == b"pam") {
            return Some(self.refuse(true, 0, Flow::Continue, desk));
        }
        (self.login.asked, self.login.ever_asked) = (true, true);
        let question = message(MSG_USERAUTH_INFO_REQUEST, |out| {
            [b"", b"", b""].into_iter().for_each(|nothing| put_string(out, nothing));
            out.extend_from_slice(&1_u32.to_be_bytes());
            put_string(out, PROMPT);
            out.push(0);
        });
        self.send(&question, desk);
        Some(Flow::Continue)
    }

    fn answered(&mut self, fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<Flow> {
        self.login.asked = false;
        let answers = fields.number()?;
        let password = if answers == 0 { b"" } else { fields.string()? };
        self.tried("keyboard-interactive", desk);
        desk.findings.note("username", &self.login.user);
        desk.findings.note("password", password);
        fields.end().filter(|()| answers == 1).map(|()| self.judge(desk))
    }

    fn tried(&self, method: &str, desk: &mut Desk<'_>) {
        desk.findings.note("method", method.as_bytes());
        desk.findings.signs |= Signs::CREDENTIALS;
        self.note_client(desk.findings);
    }

    /// A password: let in, or refused like the others.
    fn judge(&mut self, desk: &mut Desk<'_>) -> Flow {
        let is_let_in = self.login.is_let_in() && has_shell(&self.setup.persona, self.login.user());
        if !is_let_in {
            let seed = u64::from_be_bytes(self.dice.bytes());
            let took_ms = pause::pam_ms(seed, usize::from(self.login.passwords));
            return self.refuse(true, took_ms, Flow::Telling, desk);
        }
        self.login.stage = Stage::In;
        self.send(&[MSG_USERAUTH_SUCCESS], desk);
        self.begin_packing();
        self.tell_host_keys(desk);
        Flow::Telling
    }

    /// The answer to a try that took so long to find wrong.
    fn refuse(&mut self, counts: bool, took_ms: u32, flow: Flow, desk: &mut Desk<'_>) -> Flow {
        if counts {
            self.login.wait_ms = pause::openssh_ms(self.setup.user_delay_us(&self.login.user), took_ms);
        }
        self.login.failures += u8::from(counts);
        if self.login.failures >= SSH_TRIES_MAX {
            return self.disconnect(b"Too many authentication failures", desk);
        }
        let failure = message(MSG_USERAUTH_FAILURE, |out| {
            put_string(out, METHODS);
            out.push(0);
        });
        self.send(&failure, desk);
        flow
    }
}

/// Whether the key is of the kind that its algorithm signs with, and one that is taken at all.
fn is_key(algorithm: &[u8], key: &[u8]) -> bool {
    let kind: &[u8] = if algorithm.starts_with(b"rsa-sha2-") { b"ssh-rsa" } else { algorithm };
    SIGNATURES.split(',').any(|known| known.as_bytes() == algorithm) && Fields(key).string() == Some(kind)
}
