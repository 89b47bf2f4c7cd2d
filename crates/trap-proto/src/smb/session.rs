//! One connection to a file server trap.

use super::{
    Smb,
    message::{Judged, Who, status},
};
use crate::{
    Findings, Flow,
    exactly::Exactly,
    ntlm::{self, Answer},
    packets::Packets,
    spnego,
    text::random_bytes,
};
use alloc::vec::Vec;
use honeymesh_types::{Signs, WallTime};

/// The kind of a message and its length.
const HEAD_BYTES: usize = 4;
/// The longest message before a login, in bytes: the largest writes of those who do not ask for more, with their heads.
const MESSAGE_BYTES_MAX: usize = 68 * 1_024;

/// The longest call by name, in bytes; Samba takes more, and nobody's is longer.
const NETBIOS_BYTES_MAX: usize = 1_024;

/// One connection to a file server trap.
pub(super) struct SmbSession {
    pub(super) smb: Smb,
    pub(super) challenge: [u8; 8],
    /// Names the session, once it has begun; never 0.
    pub(super) id: u32,
    pub(super) salt: [u8; 32],
    pub(super) who: Who,
    phase: Phase,
    coming: Exactly,
    pub(super) findings: Findings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    Message,
    /// Who is called, and by whom.
    Name,
    /// For what never becomes whole.
    Waiting,
}

impl SmbSession {
    pub(super) fn new(smb: Smb, seed: u64) -> Self {
        let random: [u8; 44] = random_bytes(seed);
        let (challenge, rest) = random.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let (id, rest) = rest.split_first_chunk().unwrap_or((&[0; 4], &[]));
        Self {
            smb,
            challenge: *challenge,
            id: u32::from_le_bytes(*id) | 1,
            salt: *rest.first_chunk().unwrap_or(&[0; 32]),
            who: Who::Stranger,
            phase: Phase::Head,
            coming: Exactly::new(HEAD_BYTES),
            findings: Findings::default(),
        }
    }

    fn head(&mut self, head: &[u8]) -> Flow {
        let [kind, high, middle, low] = *head else { return self.broken() };
        let bytes = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        match kind {
            0 if (1..=MESSAGE_BYTES_MAX).contains(&bytes) => {
                self.phase = Phase::Message;
                self.coming.want(bytes);
                Flow::Continue
            }
            // NetBIOS' session request is for another port, but answered here, too, as Samba does.
            0x81 if (1..=NETBIOS_BYTES_MAX).contains(&bytes) => {
                self.phase = Phase::Name;
                self.coming.want(bytes);
                Flow::Continue
            }
            // Its keep-alive.
            0x85 if bytes == 0 => {
                self.coming.want(HEAD_BYTES);
                Flow::Continue
            }
            0 if bytes == 0 => self.broken(),
            // Samba waits for the rest of what is longer than anything, and of what it does not know.
            _ => {
                self.phase = Phase::Waiting;
                self.findings.signs |= Signs::MALFORMED;
                Flow::Telling
            }
        }
    }

    /// A step of a login, whatever it is wrapped in. `wrap` says that answers are to be wrapped, too.
    pub(super) fn judge(&mut self, token: &[u8], now: WallTime) -> Judged {
        let refused = Judged { status: status::LOGON_FAILURE, token: Vec::new(), flow: Flow::Telling };
        let is_wrapped = !token.starts_with(b"NTLMSSP\0");
        let wrap = |token: Vec<u8>| if is_wrapped { spnego::go_on(&token) } else { token };
        let Some(message) = ntlm::find(token) else {
            // It would rather log in another way: it is asked for this one.
            return Judged { status: status::MORE_PROCESSING_REQUIRED, token: spnego::go_on(&[]), flow: Flow::Continue };
        };
        match ntlm::kind(message) {
            Some(1) => {
                ntlm::note_negotiate(message, &mut self.findings);
                let challenge = self.smb.machine.challenge(message, self.challenge, now);
                self.who = Who::Challenged;
                Judged { status: status::MORE_PROCESSING_REQUIRED, token: wrap(challenge), flow: Flow::Continue }
            }
            Some(3) => {
                let Some(theirs) = Answer::read(message) else {
                    self.findings.signs |= Signs::MALFORMED;
                    return Judged { status: status::INVALID_PARAMETER, ..refused };
                };
                theirs.note(message, self.challenge, &mut self.findings);
                if !theirs.is_anonymous() {
                    self.who = Who::Stranger;
                    return refused;
                }
                self.who = Who::Nobody;
                let token = if is_wrapped { spnego::accepted() } else { Vec::new() };
                Judged { status: status::SUCCESS, token, flow: Flow::Telling }
            }
            _ => Judged { status: status::INVALID_PARAMETER, ..refused },
        }
    }

    /// Takes down a request that only an attack makes.
    pub(super) fn hostile(&mut self, what: &str) {
        self.findings.note("probe", what.as_bytes());
        self.findings.signs |= Signs::RULE;
    }

    fn broken(&mut self) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        Flow::Close
    }
}

impl Packets for SmbSession {
    /// The longest answer to one message, in bytes: eight of a compound, or an echo.
    const REPLY_BYTES_MAX: usize = 8 * 1_024;

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if self.phase == Phase::Waiting {
            return Flow::Continue;
        }
        let Some(said) = self.coming.push(byte) else { return Flow::Continue };
        match self.phase {
            Phase::Head => self.head(&said),
            Phase::Name => {
                answer.extend_from_slice(&[0x82, 0, 0, 0]);
                self.phase = Phase::Head;
                self.coming.want(HEAD_BYTES);
                Flow::Telling
            }
            Phase::Waiting => Flow::Continue,
            Phase::Message => {
                self.phase = Phase::Head;
                self.coming.want(HEAD_BYTES);
                let flow = match said.get(..4) {
                    Some(b"\xffSMB") => self.one(&said, now, answer),
                    Some(b"\xfeSMB") => self.two(&said, now, answer),
                    _ => None,
                };
                flow.unwrap_or_else(|| self.broken())
            }
        }
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
        drive::{self, Heard, said},
        ntlm::tests as client,
        wide::wide,
    };
    use proptest::prelude::*;

    const NMAP: &[u8] = b"\0\0\0\xa4\xffSMBr\0\0\0\0\x08\x01\x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40\x06\0\0\x01\0\0\x81\0\x02PC NETWORK PROGRAM 1.0\0\x02MICROSOFT NETWORKS 1.03\0\x02MICROSOFT NETWORKS 3.0\0\x02LANMAN1.0\0\x02LM1.2X002\0\x02Samba\0\x02NT LANMAN 1.0\0\x02NT LM 0.12\0";

    fn talk(parts: &[Vec<u8>]) -> Heard {
        drive::whole(&mut session(), &parts.concat())
    }

    fn session() -> impl Session {
        Smb::default().session(7)
    }

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        super::super::message::send(message, &mut bytes);
        bytes
    }

    fn one(command: u8, words: &[u8], data: &[u8]) -> Vec<u8> {
        let user = u16::try_from(SmbSession::new(Smb::default(), 7).id & 0xffff).unwrap().to_le_bytes();
        let head = [&b"\xffSMB"[..], &[command, 0, 0, 0, 0, 0x18, 0x07, 0xc8], &[0; 16], &user, &[0x40, 0]].concat();
        let count = u8::try_from(words.len() / 2).unwrap();
        let length = u16::try_from(data.len()).unwrap().to_le_bytes();
        framed(&[&head[..], &[count], words, &length, data].concat())
    }

    fn two(command: u8, session: u32, body: &[u8]) -> Vec<u8> {
        let head = [&b"\xfeSMB\x40"[..], &[0; 7], &[command, 0, 31], &[0; 25], &session.to_le_bytes(), &[0; 20]].concat();
        framed(&[&head[..], body].concat())
    }

    fn setup(token: &[u8]) -> Vec<u8> {
        let length = u16::try_from(token.len()).unwrap().to_le_bytes();
        two(1, 0, &[&[25, 0, 0, 1], &[0; 8][..], &[88, 0], &length, &[0; 8], token].concat())
    }

    fn setup_one(token: &[u8]) -> Vec<u8> {
        let length = u16::try_from(token.len()).unwrap().to_le_bytes();
        let words = [&[0xff, 0, 0, 0], &[0; 10][..], &length, &[0; 8]].concat();
        one(0x73, &words, &[token, &[0], &wide("Unix"), &[0, 0], &wide("Samba"), &[0, 0]].concat())
    }

    fn negotiate_two(dialects: &[u16]) -> Vec<u8> {
        let count = u8::try_from(dialects.len()).unwrap();
        let list: Vec<u8> = dialects.iter().flat_map(|dialect| dialect.to_le_bytes()).collect();
        two(0, 0, &[&[36, 0, count, 0], &[0; 32][..], &list].concat())
    }

    #[test]
    fn nmaps_greeting_is_answered_as_samba_does_and_its_dialects_are_taken_down() {
        let heard = talk(&[NMAP.to_vec()]);
        assert!(heard.answer[4..].starts_with(b"\xffSMBr\0\0\0\0\x88") && heard.answer[36..].starts_with(&[17, 6, 0, 3, 50]));
        assert!(heard.answer.ends_with(&[wide("WORKGROUP"), wide("\0DEBIAN\0")].concat()));
        assert!(heard.findings.fields["dialects"].ends_with("Samba, NT LANMAN 1.0, NT LM 0.12"));
        let none = talk(&[one(0x72, &[], b"\x02LANMAN1.0\0")]);
        assert_eq!((none.flow, &none.answer[36..39]), (Flow::Close, &[1, 0xff, 0xff][..]));
    }

    #[test]
    fn the_best_dialect_of_smb_2_is_agreed_on() {
        for (asked, agreed) in [(&[0x0202_u16, 0x0210, 0x0300][..], 0x0300_u16), (&[0x0202], 0x0202)] {
            let heard = talk(&[negotiate_two(asked)]);
            assert_eq!(heard.answer[72..74], agreed.to_le_bytes());
            assert_eq!(&heard.answer[76..92], b"debian\0\0\0\0\0\0\0\0\0\0");
        }
        let grown = talk(&[one(0x72, &[], b"\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0")]);
        assert_eq!((&grown.answer[4..8], &grown.answer[72..74]), (&b"\xfeSMB"[..], &[0xff, 2][..]));
        assert_eq!(talk(&[negotiate_two(&[0x0999])]).answer[12..16], status::NOT_SUPPORTED.to_le_bytes());
    }

    #[test]
    fn an_answer_to_the_challenge_is_kept_and_refused_in_both_protocols() {
        let token = client::answer("admin", "CORP", &[0xcc; 48]);
        for setup in [setup, setup_one] {
            let asked = talk(&[setup(&client::negotiate())]);
            let challenge = ntlm::find(&asked.answer).unwrap();
            assert_eq!((ntlm::kind(challenge), &challenge[24..32]), (Some(2), &SmbSession::new(Smb::default(), 7).challenge[..]));
            let heard = talk(&[setup(&client::negotiate()), setup(&token)]);
            assert!(heard.findings.fields["hash"].starts_with("admin::CORP:") && heard.flow == Flow::Telling);
            assert_eq!(heard.findings.signs, Signs::CREDENTIALS);
            let left = &heard.answer[asked.answer.len()..];
            assert!(left[9..13] == status::LOGON_FAILURE.to_le_bytes() || left[12..16] == status::LOGON_FAILURE.to_le_bytes());
        }
    }

    #[test]
    fn other_ways_to_log_in_are_answered_with_the_wish_for_this_one() {
        let heard = talk(&[setup(b"\x60\x06\x06\x04kerb")]);
        assert_eq!(heard.answer[12..16], status::MORE_PROCESSING_REQUIRED.to_le_bytes());
        assert!(heard.answer.ends_with(&spnego::go_on(&[])));
    }

    #[test]
    fn probes_for_known_holes_are_hostile_and_find_none() {
        let nobody = [setup_one(&client::negotiate()), setup_one(&client::answer("", "", b""))];
        let path = [&[0][..], &wide("\\\\1.2.3.4\\IPC$\0"), b"?????\0"].concat();
        let tree = one(0x75, &[0xff, 0, 0, 0, 0, 0, 1, 0], &path);
        let peek = one(0x25, &[&[0; 26][..], &[2, 0, 0x23, 0, 0, 0]].concat(), &wide("\0\\PIPE\\\0"));
        let implant = one(0x32, &[&[0; 26][..], &[1, 0, 0x0e, 0]].concat(), &[0; 13]);
        let overflow = one(0xa0, &[&[0; 7][..], &[0xff, 0xff, 1, 0], &[0; 27]].concat(), b"");
        for (probe, code) in [(peek, status::INVALID_HANDLE), (implant, status::NOT_IMPLEMENTED), (overflow, status::SUCCESS)] {
            let before = talk(&[nobody.concat(), tree.clone()]);
            assert_eq!(before.findings.fields["share"], "\\\\1.2.3.4\\IPC$");
            let heard = talk(&[nobody.concat(), tree.clone(), probe]);
            assert!(heard.findings.signs.contains(Signs::RULE), "{:?}", heard.findings);
            assert_eq!(heard.answer[before.answer.len() + 9..][..4], code.to_le_bytes());
        }
        assert_eq!(talk(&[tree]).answer[9..13], status::BAD_UID.to_le_bytes(), "not before a login");
    }

    #[test]
    fn what_is_no_client_is_left_before_its_message_is_held() {
        for bytes in [&b"\0\0\0\x04\xfdSMB"[..], b"\0\0\0\0"] {
            let heard = talk(&[bytes.to_vec()]);
            assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED), "{}", said(bytes));
        }
        // Samba waits for their rest.
        for bytes in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"\0\xff\xff\xff", b"\x81\0\xff\xff"] {
            let heard = talk(&[bytes.to_vec(), alloc::vec![b'x'; 100_000]]);
            assert_eq!(
                (heard.flow, heard.findings.signs, heard.answer.len()),
                (Flow::Telling, Signs::MALFORMED, 0),
                "{}",
                said(bytes)
            );
        }
        assert_eq!(talk(&[b"\x81\0\0\x02ab".to_vec()]).answer, [0x82, 0, 0, 0], "whoever is called is here");
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(NMAP.to_vec()),
            Just(negotiate_two(&[0x0311, 0x0202])),
            Just(setup(&client::negotiate())),
            Just(setup(&client::answer("a", "b", &[9; 40]))),
            Just(setup_one(&client::negotiate())),
            Just(setup_one(&client::answer("", "", b""))),
            Just(one(0x2b, &[1, 0], b"echo")),
            (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..90)).prop_map(|(command, body)| two(command % 20, 1, &body)),
            (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..60))
                .prop_map(|(command, data)| one(command, &[0; 40], &data)),
        ];
        proptest::collection::vec(word, 0..8).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
            drive::law(session, &bytes, &cuts)?;
        }
    }
}
