//! SSH's transport (RFC 4253): packets in, the key exchange, and whom each message is for.

use super::{
    MSG_DEBUG, MSG_DISCONNECT, MSG_EXT_INFO, MSG_IGNORE, MSG_KEX_INIT, MSG_KEX_REPLY, MSG_KEXINIT, MSG_NEWKEYS, MSG_PING,
    MSG_PONG, MSG_UNIMPLEMENTED, Setup,
    cipher::Keys,
    connection::Connection,
    dice::Dice,
    exchange::Shared,
    hostkey::HostKeyKind,
    kexinit::{self, Agreed},
    login::Login,
    packet::{Corrupt, Incoming, Outgoing},
    session::kept,
    wire::{Fields, message, put_string},
};
use crate::{Findings, Flow};
use alloc::{boxed::Box, format, string::String, sync::Arc, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// Exchanges of keys in one connection, the first among them; a stranger that wants more wants the processor's time.
const EXCHANGES_MAX: usize = 64;
/// Messages before the first keys; a stranger that sends more has nothing to say.
const PLAIN_MESSAGES_MAX: usize = 64;
/// `SSH_DISCONNECT_PROTOCOL_ERROR`, which OpenSSH gives as the reason of nearly everything.
const PROTOCOL_ERROR: u32 = 2;
/// The longest last words, in bytes.
const LAST_WORDS_BYTES_MAX: usize = 1_023;
/// What waits for new keys, in bytes with so many for each packet around it; a stranger that asks for more in the meantime is not listened
/// to any longer.
const QUEUED_BYTES_MAX: usize = 16 * 1_024;
const PACKET_OVERHEAD_BYTES: usize = 64;
/// The first message that waits for them.
const FIRST_QUEUED: u8 = 50;
/// What no message is.
const LAST_KIND: u8 = 255;
/// What the server tells of itself once it can: which signatures it takes, and two things of OpenSSH's own.
pub(super) const SIGNATURES: &str = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com,\
    sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256";

/// A connection after its first lines.
pub(super) struct Transport {
    pub(super) setup: Arc<Setup>,
    pub(super) incoming: Incoming,
    /// What was said since it was last taken: messages without their packets, and without what is drawn at random for each session.
    pub(super) said: Vec<u8>,
    pub(super) outgoing: Outgoing,
    /// Answers that wait for new keys.
    queued: Vec<Vec<u8>>,
    /// They are more than may wait.
    is_overfull: bool,
    pub(super) dice: Dice,
    /// The stranger's first line, and the fingerprint of his first offer.
    client: Vec<u8>,
    hassh: String,
    exchange: Exchange,
    /// Names the session for signatures: the first exchange's hash; empty before.
    pub(super) session: Vec<u8>,
    /// By which host key the last exchange was signed.
    pub(super) proven: Option<HostKeyKind>,
    strict: bool,
    /// Whether payloads are packed once somebody is in: the stranger's, and ours.
    zlib: (bool, bool),
    plain_messages: usize,
    exchanges: usize,
    pub(super) login: Login,
    pub(super) connection: Connection,
}

/// How far the key exchange is.
enum Exchange {
    /// Ours was sent.
    Offered(Vec<u8>),
    /// Both offers are there; his half is missing, and before it perhaps a guess that is thrown away.
    Agreed { ours: Vec<u8>, theirs: Vec<u8>, agreed: Agreed, skip: bool },
    /// Only his word that he has changed to the new keys is missing.
    Shared(Box<Keys>),
    /// None is under way.
    Done,
}

/// Everything that a message is answered with.
pub(super) struct Desk<'a> {
    pub(super) findings: &'a mut Findings,
    pub(super) answer: &'a mut Vec<u8>,
    pub(super) now: WallTime,
}

impl Transport {
    /// The stranger's line will do: appends our offer.
    pub(super) fn open(setup: Arc<Setup>, seed: u64, client: Vec<u8>, answer: &mut Vec<u8>) -> Self {
        let dice = Dice::new(&setup.secret, seed);
        let mut transport = Self {
            login: Login::new(setup.let_in),
            connection: Connection::default(),
            setup,
            incoming: Incoming::default(),
            said: Vec::new(),
            outgoing: Outgoing::default(),
            queued: Vec::new(),
            is_overfull: false,
            dice,
            client,
            hassh: String::new(),
            exchange: Exchange::Done,
            session: Vec::new(),
            proven: None,
            strict: false,
            zlib: (false, false),
            plain_messages: 0,
            exchanges: 0,
        };
        transport.offer(answer);
        transport
    }

    /// Takes the rest of a packet, and what follows from it.
    pub(super) fn take(&mut self, bytes: &[u8], mut desk: Desk<'_>) -> (usize, Flow) {
        let (taken, packet) = self.incoming.take(bytes);
        let flow = match packet {
            Ok(None) => Flow::Continue,
            Ok(Some(payload)) => {
                self.hear(&payload);
                self.message(payload, &mut desk)
            }
            Err(Corrupt::Padding(bytes)) => {
                self.not_heard();
                desk.findings.signs |= Signs::MALFORMED;
                self.disconnect(format!("Corrupted padlen {bytes} on input.").as_bytes(), &mut desk)
            }
            Err(Corrupt::Other) => {
                self.not_heard();
                malformed(&mut desk)
            }
        };
        (taken, flow)
    }

    /// Notes a message. Not the cookie of an offer and not half a secret, which are new each time: the same attack is to leave the
    /// same bytes.
    fn hear(&mut self, payload: &[u8]) {
        match payload {
            [MSG_KEXINIT, offer @ ..] => {
                self.said.push(MSG_KEXINIT);
                self.said.extend_from_slice(offer.get(kexinit::COOKIE_BYTES..).unwrap_or_default());
            }
            _ if self.connection.is_of_files(payload) => {}
            [MSG_KEX_INIT, ..] if matches!(self.exchange, Exchange::Agreed { .. }) => self.said.push(MSG_KEX_INIT),
            _ => self.said.extend_from_slice(payload),
        }
    }

    /// Somebody was let in.
    pub(super) fn is_in(&self) -> bool {
        self.login.is_in()
    }

    /// Notes what came of a packet that is none.
    pub(super) fn not_heard(&mut self) {
        let left = self.incoming.left();
        self.said.extend_from_slice(&left);
    }

    fn message(&mut self, payload: Vec<u8>, desk: &mut Desk<'_>) -> Flow {
        let Some(kind) = payload.first().copied() else { return malformed(desk) };
        if self.session.is_empty() {
            self.plain_messages += 1;
            if self.plain_messages > PLAIN_MESSAGES_MAX {
                return malformed(desk);
            }
        }
        let is_initial = !matches!(self.exchange, Exchange::Done) && self.login.is_untouched();
        match kind {
            0 => self.disconnect(b"Invalid ssh2 packet type: 0", desk),
            // There is no place for it in OpenSSH's table; that says so, but goes before that was sent.
            LAST_KIND => malformed(desk),
            MSG_KEXINIT if matches!(self.exchange, Exchange::Offered(_)) || self.login.is_in() && self.is_at_rest() => {
                self.offered(payload, desk)
            }
            MSG_KEX_INIT if matches!(self.exchange, Exchange::Agreed { .. }) => self.half(&payload, desk),
            MSG_NEWKEYS if matches!(self.exchange, Exchange::Shared(_)) => self.new_keys(),
            MSG_DISCONNECT => Flow::Close,
            1..50 if is_initial && self.strict => self.violation(kind, desk),
            MSG_NEWKEYS if self.is_at_rest() && !self.session.is_empty() && !self.login.is_in() => {
                self.unimplemented(desk).and(malformed(desk))
            }
            MSG_IGNORE => Flow::Continue,
            MSG_DEBUG | MSG_UNIMPLEMENTED | MSG_PING | MSG_PONG if !self.session.is_empty() && !is_whole(&payload) => {
                malformed(desk)
            }
            MSG_DEBUG | MSG_UNIMPLEMENTED | MSG_PONG => Flow::Continue,
            MSG_PING if self.session.is_empty() && !matches!(payload.get(1..5), Some([0, 0, ..])) => malformed(desk),
            // Nor does OpenSSH answer before the login (CVE-2025-26466).
            MSG_PING if !self.is_at_rest() || !self.login.is_in() => Flow::Continue,
            MSG_PING => self.ping(&payload, desk),
            MSG_EXT_INFO if self.is_at_rest() && self.login.expects_extensions() => match self.login.extended(&payload) {
                Some(true) => Flow::Continue,
                Some(false) => self.unimplemented(desk),
                None => malformed(desk),
            },
            1..50 if !self.is_at_rest() => self.unimplemented(desk),
            _ if self.is_overfull => malformed(desk),
            _ if self.login.is_in() => self.connection_message(&payload, desk),
            _ if !self.is_at_rest() => malformed(desk),
            _ => self.login_message(&payload, desk),
        }
    }

    /// No exchange of keys is under way.
    pub(super) const fn is_at_rest(&self) -> bool {
        matches!(self.exchange, Exchange::Done)
    }

    /// A message that has no place here.
    pub(super) fn unimplemented(&mut self, desk: &mut Desk<'_>) -> Flow {
        let number = self.incoming.last_number();
        self.send(&message(MSG_UNIMPLEMENTED, |out| out.extend_from_slice(&number.to_be_bytes())), desk);
        Flow::Continue
    }

    fn violation(&mut self, kind: u8, desk: &mut Desk<'_>) -> Flow {
        let number = self.incoming.last_number();
        self.disconnect(format!("strict KEX violation: unexpected packet type {kind} (seqnr {number})").as_bytes(), desk)
    }

    fn ping(&mut self, payload: &[u8], desk: &mut Desk<'_>) -> Flow {
        let Some(data) = Fields(payload.get(1..).unwrap_or_default()).string() else { return malformed(desk) };
        // A stranger cannot make the answer longer than what is taken at once.
        let pong = message(MSG_PONG, |out| put_string(out, data.get(..PONG_BYTES_MAX).unwrap_or(data)));
        self.send(&pong, desk);
        Flow::Continue
    }

    /// Sends a message; while keys are exchanged anew, all but those of the exchange wait for its end, as there.
    pub(super) fn send(&mut self, payload: &[u8], desk: &mut Desk<'_>) {
        let is_offered = matches!(self.exchange, Exchange::Offered(_) | Exchange::Agreed { .. });
        if self.login.is_in() && is_offered && payload.first().is_some_and(|kind| *kind >= FIRST_QUEUED) {
            let bytes: usize = self.queued.iter().map(|waiting| waiting.len() + PACKET_OVERHEAD_BYTES).sum();
            self.is_overfull |= bytes + payload.len() + PACKET_OVERHEAD_BYTES > QUEUED_BYTES_MAX;
            if !self.is_overfull {
                self.queued.push(payload.to_vec());
            }
            return;
        }
        self.outgoing.send(payload, &mut self.dice, desk.answer);
    }

    /// The last words, as OpenSSH says them: with whatever octets the stranger gave, as many as fit its buffer.
    pub(super) fn disconnect(&mut self, text: &[u8], desk: &mut Desk<'_>) -> Flow {
        let text = text.get(..LAST_WORDS_BYTES_MAX).unwrap_or(text);
        let payload = message(MSG_DISCONNECT, |out| {
            out.extend_from_slice(&PROTOCOL_ERROR.to_be_bytes());
            put_string(out, text);
            put_string(out, b"");
        });
        self.send(&payload, desk);
        Flow::Close
    }

    /// What is told with every try: who he says he is.
    pub(super) fn note_client(&self, findings: &mut Findings) {
        findings.note("client", kept(&self.client));
        findings.note("hassh", self.hassh.as_bytes());
    }

    fn offer(&mut self, answer: &mut Vec<u8>) {
        let ours = kexinit::ours(self.dice.bytes(), &self.setup.keys, self.session.is_empty());
        self.outgoing.send(&ours, &mut self.dice, answer);
        self.exchange = Exchange::Offered(ours);
    }

    /// The stranger's offer: the first, or a wish for new keys.
    fn offered(&mut self, theirs: Vec<u8>, desk: &mut Desk<'_>) -> Flow {
        let before = desk.answer.len();
        if matches!(self.exchange, Exchange::Done) {
            self.offer(desk.answer);
        }
        let flow = self.weighed(theirs, desk);
        if flow == Flow::Close && !self.session.is_empty() {
            // OpenSSH has ended by the time that its own offer would go out.
            desk.answer.truncate(before);
        }
        flow
    }

    fn weighed(&mut self, theirs: Vec<u8>, desk: &mut Desk<'_>) -> Flow {
        let Exchange::Offered(ours) = core::mem::replace(&mut self.exchange, Exchange::Done) else { return malformed(desk) };
        let Some(offer) = kexinit::read(&theirs) else { return malformed(desk) };
        let is_first = self.session.is_empty();
        if is_first {
            offer.note(desk.findings);
            self.hassh = offer.hassh();
        }
        let Some(agreed) = offer.agree(&self.setup.keys) else { return Flow::Close };
        self.exchanges += 1;
        if self.exchanges > EXCHANGES_MAX {
            return malformed(desk);
        }
        if is_first {
            self.strict = agreed.strict;
            if agreed.strict && self.incoming.last_number() != 0 {
                return self.disconnect(b"strict KEX violation: KEXINIT was not the first packet", desk);
            }
        }
        self.exchange = Exchange::Agreed { ours, theirs, agreed, skip: agreed.guessed_wrong };
        Flow::Continue
    }

    /// The stranger's half of the exchange: answers it and changes to the new keys.
    fn half(&mut self, payload: &[u8], desk: &mut Desk<'_>) -> Flow {
        let Exchange::Agreed { ours, theirs, agreed, skip } = core::mem::replace(&mut self.exchange, Exchange::Done) else {
            return malformed(desk);
        };
        if skip {
            self.exchange = Exchange::Agreed { ours, theirs, agreed, skip: false };
            return Flow::Continue;
        }
        let mut fields = Fields(payload.get(1..).unwrap_or_default());
        let half = fields.string().filter(|_| fields.0.is_empty()).unwrap_or_default();
        let Some(shared) = agreed.method.answer(half, &mut self.dice, &self.setup.keys.curves) else { return malformed(desk) };
        let host_key = self.setup.keys.public(agreed.host_key);
        let strings = [&self.client, self.setup.identification.as_bytes(), &theirs, &ours, &host_key, half, &shared.public];
        let hash = agreed.method.exchange_hash(strings, &shared);
        let Some(signature) = self.setup.keys.sign(agreed.host_key, &hash) else { return Flow::Close };
        let reply = message(MSG_KEX_REPLY, |out| {
            [&host_key, &shared.public, &signature].into_iter().for_each(|part| put_string(out, part));
        });
        self.send(&reply, desk);
        self.send(&[MSG_NEWKEYS], desk);
        self.change_keys(agreed, &shared, &hash, desk).unwrap_or_else(|| malformed(desk))
    }

    fn change_keys(&mut self, agreed: Agreed, shared: &Shared, hash: &[u8], desk: &mut Desk<'_>) -> Option<Flow> {
        let is_first = self.session.is_empty();
        if is_first {
            self.session = hash.to_vec();
        }
        self.proven = Some(agreed.host_key);
        let incoming = agreed.method.keys(agreed.incoming, shared, hash, &self.session, *b"ACE")?;
        let outgoing = agreed.method.keys(agreed.outgoing, shared, hash, &self.session, *b"BDF")?;
        self.outgoing.rekey(outgoing, self.strict);
        self.zlib = (agreed.incoming.zlib, agreed.outgoing.zlib);
        if self.login.is_in() && self.zlib.1 {
            self.outgoing.pack();
        }
        self.exchange = Exchange::Shared(Box::new(incoming));
        if is_first && agreed.ext_info {
            let told = [("server-sig-algs", SIGNATURES), ("publickey-hostbound@openssh.com", "0"), ("ping@openssh.com", "0")];
            self.tell_extensions(&told, desk);
        }
        for payload in core::mem::take(&mut self.queued) {
            self.send(&payload, desk);
        }
        Some(Flow::Continue)
    }

    fn tell_extensions(&mut self, told: &[(&str, &str)], desk: &mut Desk<'_>) {
        let payload = message(MSG_EXT_INFO, |out| {
            out.extend_from_slice(&u32::try_from(told.len()).unwrap_or_default().to_be_bytes());
            for (name, value) in told {
                put_string(out, name.as_bytes());
                put_string(out, value.as_bytes());
            }
        });
        self.send(&payload, desk);
    }

    /// What a client that can hear it is told once more when it begins to log in.
    pub(super) fn tell_signatures(&mut self, desk: &mut Desk<'_>) {
        self.tell_extensions(&[("server-sig-algs", SIGNATURES)], desk);
    }

    /// Somebody was let in.
    pub(super) fn begin_packing(&mut self) {
        if self.zlib.0 {
            self.incoming.unpack();
        }
        if self.zlib.1 {
            self.outgoing.pack();
        }
    }

    fn new_keys(&mut self) -> Flow {
        if let Exchange::Shared(keys) = core::mem::replace(&mut self.exchange, Exchange::Done) {
            self.incoming.rekey(*keys, self.strict);
            if self.login.is_in() && self.zlib.0 {
                self.incoming.unpack();
            }
        }
        Flow::Continue
    }
}

/// The longest ping that is answered in full, in bytes.
const PONG_BYTES_MAX: usize = 16 * 1_024;

/// Messages that mean nothing here have their parts all the same.
fn is_whole(payload: &[u8]) -> bool {
    let mut fields = Fields(payload.get(1..).unwrap_or_default());
    match payload.first() {
        Some(&MSG_DEBUG) => fields.flag().and_then(|_| fields.string()).and_then(|_| fields.string()).is_some(),
        Some(&MSG_UNIMPLEMENTED) => fields.number().is_some(),
        _ => fields.string().is_some(),
    }
}

/// A real server falls silent and closes on everything that does not belong here; so does this one.
pub(super) fn malformed(desk: &mut Desk<'_>) -> Flow {
    desk.findings.signs |= Signs::MALFORMED;
    Flow::Close
}
