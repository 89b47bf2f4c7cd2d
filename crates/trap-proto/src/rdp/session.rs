//! One connection to a remote desktop trap.

use super::{Rdp, client, credssp};
use crate::{
    ANSWER_BYTES_MAX, Findings, Flow,
    ber::{self, Head, ber, sequence},
    exactly::{Exactly, Reader},
    ntlm::{self, Answer},
    packets::Packets,
    text::random_bytes,
};
use alloc::{vec, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// Version, nothing, length with the head itself.
const HEAD_BYTES: usize = 4;
/// The longest packet before a login, in bytes: xrdp's buffer.
const PACKET_BYTES_MAX: usize = 8 * 1_024;
/// Requests to join a channel that are answered.
const JOINS_MAX: usize = client::CHANNELS_MAX + 2;
/// The stranger's own channel, and the desktop's, counted from 1001.
const USER: u16 = 1;
const DESKTOP: u16 = 1_003;
/// Answers that are data, and the end of all of them.
const DATA: [u8; 3] = [2, 0xf0, 0x80];
const GOODBYE: [u8; 2] = [0x21, 0x80];
/// Protocols that a client can ask for: TLS, and CredSSP inside it.
const SSL: u32 = 1;
const HYBRID: u32 = 2;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// X.224's connection request.
    Request,
    /// The client's settings.
    Settings,
    /// Channels, and who the user is.
    Joining,
}

/// One connection to a remote desktop trap.
pub(super) struct RdpSession {
    rdp: Rdp,
    challenge: [u8; 8],
    /// TLS can be asked for.
    has_tls: bool,
    phase: Phase,
    /// The head of what comes, once it is whole.
    head: Option<Vec<u8>>,
    coming: Exactly,
    wishes: u32,
    /// The confirmation that waits until the request was told, and what is spoken from then on.
    confirm: Option<(Vec<u8>, u32)>,
    is_tls: bool,
    joins: usize,
    findings: Findings,
}

impl RdpSession {
    pub(super) fn new(rdp: Rdp, seed: u64, has_tls: bool) -> Self {
        Self {
            rdp,
            challenge: random_bytes(seed),
            has_tls,
            phase: Phase::Request,
            head: None,
            coming: Exactly::new(HEAD_BYTES),
            wishes: 0,
            confirm: None,
            is_tls: false,
            joins: 0,
            findings: Findings::default(),
        }
    }

    fn take_head(&mut self, head: Vec<u8>) -> Option<Flow> {
        let bytes = match head.as_slice() {
            [3, _, high, low] => usize::from(u16::from_be_bytes([*high, *low])),
            // CredSSP has no other head than its own length.
            [0x30, ..] if self.is_tls => match ber::head(&head) {
                Head::Whole { head, content, .. } => head + content,
                _ => return None,
            },
            _ => return None,
        };
        let rest = bytes.checked_sub(HEAD_BYTES).filter(|rest| *rest >= 3 && bytes <= PACKET_BYTES_MAX)?;
        self.head = Some(head);
        self.coming.want(rest);
        Some(Flow::Continue)
    }

    fn packet(&mut self, packet: &[u8], answer: &mut Vec<u8>) -> Option<Flow> {
        self.coming.want(HEAD_BYTES);
        if self.phase == Phase::Request {
            return self.request(packet);
        }
        let data = packet.strip_prefix(&DATA)?;
        match self.phase {
            Phase::Settings => self.settings(data, answer),
            _ => self.domain(data, answer),
        }
    }

    /// A connection request. It is told before it is confirmed, for what follows the confirmation may be TLS.
    fn request(&mut self, packet: &[u8]) -> Option<Flow> {
        let [_, code, _, _, _, _, _, parameters @ ..] = packet else { return None };
        (code & 0xf0 == 0xe0).then_some(())?;
        let wishes = client::request(parameters, &mut self.findings);
        self.wishes = wishes.unwrap_or_default();
        let chosen = [SSL, HYBRID].into_iter().find(|protocol| self.has_tls && self.wishes & protocol != 0).unwrap_or(0);
        let [protocol, ..] = chosen.to_le_bytes();
        let negotiated: &[u8] = if wishes.is_some() { &[2, 1, 8, 0, protocol, 0, 0, 0] } else { &[] };
        let confirm = [&[0xd0, 0, 0, 0x12, 0x34, 0][..], negotiated].concat();
        self.confirm = Some(([&[u8::try_from(confirm.len()).unwrap_or_default()][..], &confirm].concat(), chosen));
        self.phase = Phase::Settings;
        Some(Flow::Telling)
    }

    /// A login by CredSSP: a challenge, or its end.
    fn credssp(&mut self, request: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        self.coming.want(HEAD_BYTES);
        let version = credssp::version(request)?;
        let message = ntlm::find(request)?;
        match ntlm::kind(message) {
            Some(1) => {
                ntlm::note_negotiate(message, &mut self.findings);
                let challenge = self.rdp.machine.challenge(message, self.challenge, now);
                answer.extend(credssp::go_on(request, version, &challenge));
                Some(Flow::Continue)
            }
            Some(3) => {
                Answer::read(message)?.note(message, self.challenge, &mut self.findings);
                answer.extend(credssp::refuse(version));
                Some(Flow::Close)
            }
            _ => None,
        }
    }

    fn settings(&mut self, data: &[u8], answer: &mut Vec<u8>) -> Option<Flow> {
        let channels = client::settings(data, &mut self.findings)?;
        send(&[&DATA, &connect_response(self.wishes, channels)[..]].concat(), answer);
        self.phase = Phase::Joining;
        Some(Flow::Telling)
    }

    fn domain(&mut self, data: &[u8], answer: &mut Vec<u8>) -> Option<Flow> {
        let [kind, rest @ ..] = data else { return None };
        match kind >> 2 {
            // Erect domain: nothing to say.
            1 => {}
            // Attach user.
            10 => send(&[&DATA[..], &[0x2e, 0], &USER.to_be_bytes()].concat(), answer),
            // Join a channel.
            14 if self.joins < JOINS_MAX => {
                let place = rest.get(..4)?;
                self.joins += 1;
                send(&[&DATA[..], &[0x3e, 0], place, &place[2..]].concat(), answer);
            }
            // Disconnected.
            8 => return Some(Flow::Close),
            25 => return self.data(rest, answer),
            _ => return None,
        }
        Some(Flow::Continue)
    }

    /// Data on a channel: the client's info is what it is played for.
    fn data(&mut self, data: &[u8], answer: &mut Vec<u8>) -> Option<Flow> {
        let mut reader = Reader(data);
        reader.bytes(5)?;
        client::packed_length(&mut reader)?;
        let flags = u16::from_le_bytes(*reader.bytes(4)?.first_chunk()?);
        // A security exchange would only make sense with encryption.
        (flags & 0x40 != 0 && flags & 0x08 == 0).then_some(())?;
        client::info(reader.0, &mut self.findings)?;
        // A licence is not needed; then the login has failed.
        let licence = [&[0x80, 0, 0, 0, 0xff, 3, 16, 0][..], &[7, 0, 0, 0], &[2, 0, 0, 0], &[4, 0, 0, 0]].concat();
        let length = u8::try_from(licence.len()).unwrap_or_default();
        let indication = [&[0x68][..], &USER.to_be_bytes(), &DESKTOP.to_be_bytes(), &[0x70, length], &licence].concat();
        send(&[&DATA[..], &indication].concat(), answer);
        send(&[&DATA[..], &GOODBYE].concat(), answer);
        Some(Flow::Close)
    }
}

/// The server's settings: its version, no encryption, and numbers for the client's channels.
fn connect_response(wishes: u32, channels: usize) -> Vec<u8> {
    let count = u16::try_from(channels).unwrap_or_default();
    let mut numbers: Vec<u8> = (1..=count).flat_map(|index| (DESKTOP + index).to_le_bytes()).collect();
    numbers.resize(numbers.len().next_multiple_of(4), 0);
    let network = block(0x0c03, &[&DESKTOP.to_le_bytes()[..], &count.to_le_bytes(), &numbers].concat());
    let core = block(0x0c01, &[&[4, 0, 8, 0][..], &wishes.to_le_bytes()].concat());
    let blocks = [core, network, block(0x0c02, &[0; 8])].concat();
    let length = 0x8000 | u16::try_from(blocks.len()).unwrap_or_default();
    let conference =
        [&b"\0\x05\0\x14\x7c\0\x01\x2a\x14\x76\x0a\x01\x01\0\x01\xc0\0McDn"[..], &length.to_be_bytes(), &blocks].concat();
    let numbers = [&[22][..], &[3], &[0], &[1], &[0], &[1], &[0, 0xff, 0xf8], &[2]];
    let parameters = numbers.map(|number| ber(2, number));
    let parts = [ber(0x0a, &[0]), ber(2, &[0]), sequence(0x30, &parameters), ber(4, &conference)];
    [vec![0x7f], sequence(0x66, &parts)].concat()
}

fn block(kind: u16, content: &[u8]) -> Vec<u8> {
    let bytes = u16::try_from(content.len() + 4).unwrap_or_default();
    [&kind.to_le_bytes()[..], &bytes.to_le_bytes(), content].concat()
}

/// Appends one packet: a few hundred bytes at most.
fn send(body: &[u8], answer: &mut Vec<u8>) {
    let [high, low] = u16::try_from(HEAD_BYTES + body.len()).unwrap_or_default().to_be_bytes();
    answer.extend_from_slice(&[3, 0, high, low]);
    answer.extend_from_slice(body);
}

impl Packets for RdpSession {
    const REPLY_BYTES_MAX: usize = ANSWER_BYTES_MAX / 2;

    fn resume(&mut self, answer: &mut Vec<u8>) -> Option<Flow> {
        let (confirm, protocol) = self.confirm.take()?;
        send(&confirm, answer);
        self.is_tls = protocol != 0;
        Some(if self.is_tls { Flow::StartTls } else { Flow::Continue })
    }

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let Some(said) = self.coming.push(byte) else { return Flow::Continue };
        let flow = match self.head.take() {
            None => self.take_head(said),
            Some(head) if head[0] == 0x30 => self.credssp(&[head, said].concat(), now, answer),
            Some(_) => self.packet(&said, answer),
        };
        flow.unwrap_or_else(|| {
            self.findings.signs |= Signs::MALFORMED;
            Flow::Close
        })
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Session,
        drive::{self, Heard},
        ntlm::tests as ntlm_client,
    };
    use client::tests::{connect_initial, info_packet};
    use proptest::prelude::*;

    const NMAP: &[u8] = b"\x03\0\0*%\xe0\0\0\0\0\0Cookie: mstshash=nmap\r\n\x01\0\x08\0\x03\0\0\0";

    fn packet(data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        send(&[&DATA[..], data].concat(), &mut bytes);
        bytes
    }

    fn info(user: &str, password: &str) -> Vec<u8> {
        let info = [&[0x40, 0, 0, 0][..], &info_packet(user, password)].concat();
        let length = 0x8000 | u16::try_from(info.len()).unwrap();
        packet(&[&[0x64, 0, 1, 3, 0xeb, 0x70][..], &length.to_be_bytes(), &info].concat())
    }

    fn session() -> impl Session {
        Rdp::default().session(7)
    }

    fn talk(parts: &[Vec<u8>]) -> Heard {
        drive::whole(&mut session(), &parts.concat())
    }

    #[test]
    fn a_request_is_told_and_then_confirmed_with_tls_for_whoever_asks_for_it() {
        let heard = talk(&[NMAP.to_vec()]);
        assert_eq!(heard.answer, b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x01\x08\0\x01\0\0\0");
        assert_eq!(["cookie", "protocols"].map(|name| heard.findings.fields[name].as_str()), ["nmap", "ssl hybrid"]);
        assert_eq!((heard.flow, heard.reports.len()), (Flow::StartTls, 1));
        let old = talk(&[b"\x03\0\0\x0b\x06\xe0\0\0\0\0\0".to_vec()]);
        assert_eq!((old.answer.as_slice(), old.flow), (&b"\x03\0\0\x0b\x06\xd0\0\0\x12\x34\0"[..], Flow::Continue));
        let plain = talk(&[b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\0\0\0\0".to_vec()]);
        assert_eq!((&plain.answer[11..], plain.flow), (&[2, 1, 8, 0, 0, 0, 0, 0][..], Flow::Continue));
    }

    #[test]
    fn who_proves_himself_beforehand_answers_a_challenge() {
        let request = |token: &[u8]| {
            let tokens = ber(0xa1, &ber(0x30, &ber(0x30, &ber(0xa0, &ber(4, token)))));
            sequence(0x30, &[ber(0xa0, &ber(2, &[6])), tokens])
        };
        let hybrid = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x02\0\0\0".to_vec();
        let asked = talk(&[hybrid.clone(), request(&ntlm_client::negotiate())]);
        assert_eq!((asked.answer[15], ntlm::find(&asked.answer).and_then(ntlm::kind)), (2, Some(2)));
        let theirs = request(&ntlm_client::answer("admin", "CORP", &[9; 40]));
        let heard = talk(&[hybrid, request(&ntlm_client::negotiate()), theirs.clone()]);
        assert!(heard.findings.fields["hash"].starts_with("admin::CORP:") && heard.flow == Flow::Close);
        assert!(heard.answer.ends_with(&[2, 5, 0, 0xc0, 0, 0, 0x6d]) && heard.findings.signs == Signs::CREDENTIALS);
        let bare = talk(&[b"\x03\0\0\x0b\x06\xe0\0\0\0\0\0".to_vec(), theirs]);
        assert_eq!(bare.findings.signs, Signs::MALFORMED, "not without TLS");
    }

    #[test]
    fn a_user_gives_name_and_password_away_and_is_left() {
        let mut parts = vec![NMAP.to_vec(), packet(&connect_initial("KALI", 3))];
        parts.push(packet(&[4, 1, 0, 1, 0]));
        parts.push(packet(&[0x28]));
        parts.extend((0..3_u8).map(|channel| packet(&[0x38, 0, 1, 3, 0xeb + channel])));
        parts.push(info("admin", "hunter2"));
        let heard = talk(&parts);
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::CREDENTIALS));
        let told = ["client_name", "username", "password", "domain"].map(|name| heard.findings.fields[name].as_str());
        assert_eq!(told, ["KALI", "admin", "hunter2", "CORP"]);
        assert!(heard.answer.ends_with(b"\x03\0\0\x09\x02\xf0\x80\x21\x80"));
    }

    #[test]
    fn what_is_no_client_is_left() {
        for bytes in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"\x03\0\xff\xff", b"\x03\0\0\x04", b"\x03\0\0\x0b\x06\xd0\0\0\0\0\0"] {
            let heard = talk(&[bytes.to_vec()]);
            assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED), "{bytes:?}");
        }
        let joins = vec![packet(&[0x38, 0, 1, 3, 0xeb]); JOINS_MAX + 1];
        let heard = talk(&[NMAP.to_vec(), packet(&connect_initial("A", 0)), joins.concat()]);
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED), "joins are bounded");
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(packet(&connect_initial("KALI", 3))),
            Just(packet(&[0x28])),
            Just(packet(&[0x38, 0, 1, 3, 0xeb])),
            Just(info("a", "b")),
            Just(ber(0x30, &[ber(0xa0, &ber(2, &[6])), ntlm_client::negotiate()].concat())),
            proptest::collection::vec(any::<u8>(), 0..60).prop_map(|data| packet(&data)),
        ];
        proptest::collection::vec(word, 0..6).prop_map(|words| [NMAP.to_vec(), words.concat()].concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
            drive::law(session, &bytes, &cuts)?;
        }
    }
}
