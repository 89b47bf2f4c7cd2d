//! The login (RFC 4252, RFC 4256), as OpenSSH leads it: every try is told before it is answered.

use super::{
    MSG_SERVICE_ACCEPT, MSG_SERVICE_REQUEST, MSG_USERAUTH_FAILURE, MSG_USERAUTH_INFO_REQUEST, MSG_USERAUTH_INFO_RESPONSE,
    MSG_USERAUTH_REQUEST, MSG_USERAUTH_SUCCESS, SSH_TRIES_MAX,
    transport::{Desk, Transport, malformed},
    wire::{Fields, message, put_string},
};
use crate::{Flow, pause, text::safe_text};
use alloc::{format, vec::Vec};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use honeymesh_types::Signs;
use sha2::{Digest, Sha256};

/// What a try may be made with, in OpenSSH's order.
const METHODS: &[u8] = b"publickey,password,keyboard-interactive";
const LOGIN_SERVICE: &[u8] = b"ssh-userauth";
/// Names in last words, in bytes.
const NAME_BYTES_MAX: usize = 200;
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
    /// The client wants to hear extensions again.
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

    /// What the client tells of itself; `None` if it cannot be read.
    pub(super) fn extended(&mut self, payload: &[u8]) -> Option<()> {
        let mut fields = Fields(payload.get(1..)?);
        // Each takes eight bytes at least, so this ends with the packet.
        for _ in 0..fields.number()? {
            let (name, value) = (fields.string()?, fields.string()?);
            self.wants_extensions |= name == b"ext-info-in-auth@openssh.com" && value == b"0";
        }
        Some(())
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
            _ => Some(self.unimplemented(desk)),
        };
        flow.unwrap_or_else(|| malformed(desk))
    }

    fn service(&mut self, fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<Flow> {
        let service = fields.string()?;
        if service != LOGIN_SERVICE {
            return Some(self.disconnect(&format!("bad service request {}", safe_text(service, NAME_BYTES_MAX)), desk));
        }
        self.login.stage = Stage::Tries;
        self.send(&message(MSG_SERVICE_ACCEPT, |out| put_string(out, service)), desk);
        Some(Flow::Continue)
    }

    fn request(&mut self, fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<Flow> {
        let (user, service, method) = (fields.string()?, fields.string()?, fields.string()?);
        self.login.asked = false;
        self.login.requests += 1;
        if self.login.requests == 1 {
            (self.login.user, self.login.service) = (user.to_vec(), service.to_vec());
            if self.login.wants_extensions {
                self.tell_signatures(desk);
            }
        } else if self.login.user != user || self.login.service != service {
            desk.findings.note("username", user);
            return Some(self.changed(user, service, desk));
        }
        desk.findings.note("username", user);
        match method {
            b"password" => self.password(fields, desk),
            b"publickey" | HOST_BOUND => self.public_key(fields, desk),
            b"keyboard-interactive" => self.ask(fields, desk),
            // The first question which methods there are is free.
            b"none" if self.login.requests == 1 => Some(self.refuse(false, 0, Flow::Continue, desk)),
            _ => Some(self.refuse(true, 0, Flow::Continue, desk)),
        }
    }

    fn changed(&mut self, user: &[u8], service: &[u8], desk: &mut Desk<'_>) -> Flow {
        let [was, is] = [(&self.login.user[..], &self.login.service[..]), (user, service)]
            .map(|(user, service)| format!("({},{})", safe_text(user, NAME_BYTES_MAX), safe_text(service, NAME_BYTES_MAX)));
        self.disconnect(&format!("Change of username or service not allowed: {was} -> {is}"), desk)
    }

    fn password(&mut self, fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<Flow> {
        let changes = fields.flag()?;
        let password = fields.string()?;
        self.tried("password", desk);
        desk.findings.note("password", password);
        if changes {
            desk.findings.note("new_password", fields.string()?);
        }
        Some(self.judge(desk))
    }

    fn public_key(&mut self, fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<Flow> {
        let signed = fields.flag()?;
        let (algorithm, key) = (fields.string()?, fields.string()?);
        self.tried("publickey", desk);
        desk.findings.note("key_algorithm", algorithm);
        let fingerprint = format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)));
        desk.findings.note("key_fingerprint", fingerprint.as_bytes());
        if signed {
            desk.findings.note("key_signed", b"true");
        }
        Some(self.refuse(true, 0, Flow::Telling, desk))
    }

    fn ask(&mut self, fields: &mut Fields<'_>, desk: &mut Desk<'_>) -> Option<Flow> {
        let (_language, _devices) = (fields.string()?, fields.string()?);
        self.login.asked = true;
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
        Some(if answers == 1 { self.judge(desk) } else { self.refuse(true, 0, Flow::Telling, desk) })
    }

    fn tried(&self, method: &str, desk: &mut Desk<'_>) {
        desk.findings.note("method", method.as_bytes());
        desk.findings.signs |= Signs::CREDENTIALS;
        self.note_client(desk.findings);
    }

    /// A password: let in, or refused like the others.
    fn judge(&mut self, desk: &mut Desk<'_>) -> Flow {
        if !self.login.is_let_in() {
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
            return self.disconnect("Too many authentication failures", desk);
        }
        let failure = message(MSG_USERAUTH_FAILURE, |out| {
            put_string(out, METHODS);
            out.push(0);
        });
        self.send(&failure, desk);
        flow
    }
}
