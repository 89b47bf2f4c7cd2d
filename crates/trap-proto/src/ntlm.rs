//! NTLM as a server asks for it (MS-NLMP): the challenge, and what an answer gives away.
//!
//! SMB, SQL Server and others carry the same three messages. The answer is kept as one line that hashcat and John read
//! (modes 5600 and 5500), so that guesses can be checked against it.

use crate::{
    FIELD_BYTES_MAX, Findings,
    exactly::Reader,
    text::{hex, safe_text},
    wide::{narrow, wide},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::{Signs, WallTime};

/// How each message begins.
const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
/// A fixed part of the answer, in bytes: eight fields, the flags behind them.
const ANSWER_FLAGS_AT: usize = 60;
/// The length of an NTLMv1 answer; NTLMv2's are longer.
const V1_BYTES: usize = 24;
/// NTLMv2's proof, in front of its blob.
const PROOF_BYTES: usize = 16;
/// Names that are taken down of one answer, in bytes of UTF-16.
const NAME_BYTES_MAX: usize = 512;

const UNICODE: u32 = 0x1;
const OEM: u32 = 0x2;
const REQUEST_TARGET: u32 = 0x4;
const TARGET_SERVER: u32 = 0x2_0000;
const TARGET_INFO: u32 = 0x80_0000;
const VERSION: u32 = 0x200_0000;
/// What a server grants if it was asked: sign, seal, NTLM, always sign, extended security, 128, key exchange, 56.
const GRANTED: u32 = 0x10 | 0x20 | 0x200 | 0x8000 | 0x8_0000 | 0x2000_0000 | 0x4000_0000 | 0x8000_0000;

/// 100 nanoseconds between 1601 and 1970.
const EPOCH: u64 = 116_444_736_000_000_000;

/// What a server says of itself in a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Its name without a domain.
    pub(crate) host: String,
    /// Its DNS domain; empty if it has none.
    pub(crate) domain: String,
    /// Its workgroup.
    pub(crate) workgroup: String,
}

impl Default for Machine {
    /// What Debian's installer makes of a machine without a domain.
    fn default() -> Self {
        Self { host: "debian".to_string(), domain: String::new(), workgroup: "WORKGROUP".to_string() }
    }
}

/// A service that tells which machine it is on.
pub(crate) trait Placed: Sized {
    fn machine(&mut self) -> &mut Machine;

    /// On the machine of this name and DNS domain.
    fn on(mut self, host: &str, domain: &str) -> Self {
        let machine = self.machine();
        machine.host = host.to_string();
        machine.domain = domain.to_string();
        self
    }
}

impl Machine {
    /// The name as NetBIOS has it: capitals, 15 at most.
    pub(crate) fn netbios(&self) -> String {
        self.host.to_uppercase().chars().take(15).collect()
    }

    fn qualified(&self) -> String {
        if self.domain.is_empty() { self.host.clone() } else { format!("{}.{}", self.host, self.domain) }
    }

    /// The challenge for a client that has begun with `negotiate`, as Samba sends it (Windows 6.1 by its version).
    pub(crate) fn challenge(&self, negotiate: &[u8], challenge: [u8; 8], now: WallTime) -> Vec<u8> {
        let asked = flags(negotiate, 12).unwrap_or(UNICODE);
        let flags = (asked & (GRANTED | OEM | UNICODE)) | REQUEST_TARGET | TARGET_SERVER | TARGET_INFO | (asked & VERSION);
        let target = if asked & UNICODE == 0 { self.netbios().into_bytes() } else { wide(&self.netbios()) };
        let info = self.target_info(now);
        let head: u32 = 56;
        let behind = head + length(&target);
        [
            SIGNATURE.as_slice(),
            &2_u32.to_le_bytes(),
            &place(&target, head),
            &flags.to_le_bytes(),
            &challenge,
            &[0; 8],
            &place(&info, behind),
            &[6, 1, 0, 0, 0, 0, 0, 15],
            &target,
            &info,
        ]
        .concat()
    }

    /// `AV_PAIR`s: workgroup, computer, their DNS names, the time, the end.
    fn target_info(&self, now: WallTime) -> Vec<u8> {
        let time = filetime(now).to_le_bytes();
        let pairs = [
            (2_u16, wide(&self.netbios())),
            (1, wide(&self.netbios())),
            (4, wide(&self.domain)),
            (3, wide(&self.qualified())),
            (7, time.to_vec()),
        ];
        let mut info = Vec::new();
        for (kind, value) in pairs {
            info.extend_from_slice(&kind.to_le_bytes());
            info.extend_from_slice(&short(&value).to_le_bytes());
            info.extend_from_slice(&value);
        }
        info.extend_from_slice(&[0; 4]);
        info
    }
}

/// Time as Windows counts it: 100 nanoseconds since 1601.
pub(crate) const fn filetime(now: WallTime) -> u64 {
    now.0.saturating_mul(10).saturating_add(EPOCH)
}

/// The NTLM message in a stranger's token, whatever it is wrapped in; nothing in front of it, everything behind.
pub(crate) fn find(token: &[u8]) -> Option<&[u8]> {
    memchr::memmem::find(token, SIGNATURE).map(|at| &token[at..])
}

/// Which of the three messages it is.
pub(crate) fn kind(message: &[u8]) -> Option<u32> {
    message.starts_with(SIGNATURE).then(|| flags(message, 8)).flatten()
}

/// What the first message says of the client, if it says anything.
pub(crate) fn note_negotiate(message: &[u8], findings: &mut Findings) {
    if flags(message, 12).is_some_and(|flags| flags & VERSION != 0) {
        note_version(message, 32, findings);
    }
    for (at, name) in [(16, "domain"), (24, "workstation")] {
        if let Some(value) = field(message, at).filter(|value| !value.is_empty() && value.len() <= NAME_BYTES_MAX) {
            findings.note(name, value);
        }
    }
}

/// An answer to a challenge.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) username: Vec<u8>,
    pub(crate) domain: Vec<u8>,
    pub(crate) workstation: Vec<u8>,
    pub(crate) lm: Vec<u8>,
    pub(crate) nt: Vec<u8>,
}

impl Answer {
    /// Reads the third message; `None` if it is broken.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        let is_wide = flags(message, ANSWER_FLAGS_AT).unwrap_or(UNICODE) & UNICODE != 0;
        let text = |at| {
            let bytes = field(message, at)?;
            let bytes = &bytes[..bytes.len().min(NAME_BYTES_MAX)];
            Some(if is_wide { narrow(bytes) } else { bytes.to_vec() })
        };
        Some(Self {
            lm: field(message, 12)?.to_vec(),
            nt: field(message, 20)?.to_vec(),
            domain: text(28)?,
            username: text(36)?,
            workstation: text(44)?,
        })
    }

    /// Nobody in particular: no name and no password.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.username.is_empty() && self.nt.is_empty()
    }

    /// Takes it down, with the challenge that it answers.
    pub(crate) fn note(&self, message: &[u8], challenge: [u8; 8], findings: &mut Findings) {
        for (name, value) in [("domain", &self.domain), ("workstation", &self.workstation)] {
            if !value.is_empty() {
                findings.note(name, value);
            }
        }
        if flags(message, ANSWER_FLAGS_AT).is_some_and(|flags| flags & VERSION != 0) {
            note_version(message, ANSWER_FLAGS_AT + 4, findings);
        }
        if self.is_anonymous() {
            findings.note("username", b"");
            return;
        }
        findings.note("username", &self.username);
        findings.signs |= Signs::CREDENTIALS;
        // What is cut short cannot be checked; the payload has it whole.
        if let Some(hash) = self.hash(challenge).filter(|hash| hash.len() <= FIELD_BYTES_MAX) {
            findings.note("hash", hash.as_bytes());
        }
    }

    /// One line that guessers read; `None` if there is no answer in it.
    fn hash(&self, challenge: [u8; 8]) -> Option<String> {
        let (user, domain) = (safe_text(&self.username, NAME_BYTES_MAX), safe_text(&self.domain, NAME_BYTES_MAX));
        let challenge = hex(&challenge);
        if self.nt.len() == V1_BYTES {
            return Some(format!("{user}::{domain}:{}:{}:{challenge}", hex(&self.lm), hex(&self.nt)));
        }
        let (proof, blob) = self.nt.split_at_checked(PROOF_BYTES).filter(|(_, blob)| !blob.is_empty())?;
        Some(format!("{user}::{domain}:{challenge}:{}:{}", hex(proof), hex(blob)))
    }
}

/// The client's system: major, minor, build.
fn note_version(message: &[u8], at: usize, findings: &mut Findings) {
    if let Some([major, minor, low, high, ..]) = message.get(at..at + 8) {
        let build = u16::from_le_bytes([*low, *high]);
        findings.note("client_os", format!("{major}.{minor}.{build}").as_bytes());
    }
}

/// The bytes that a field of a message (length, room, offset) stands for.
fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let mut reader = Reader(message.get(at..)?);
    let bytes = usize::from(u16::from_le_bytes(*reader.bytes(2)?.first_chunk()?));
    reader.bytes(2)?;
    let offset = usize::try_from(u32::from_le_bytes(*reader.bytes(4)?.first_chunk()?)).ok()?;
    if bytes == 0 {
        return Some(&[]);
    }
    message.get(offset..offset.checked_add(bytes)?)
}

fn flags(message: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*message.get(at..)?.first_chunk()?))
}

fn place(bytes: &[u8], at: u32) -> [u8; 8] {
    let [low, high] = short(bytes).to_le_bytes();
    let [one, two, three, four] = at.to_le_bytes();
    [low, high, low, high, one, two, three, four]
}

/// Lengths of what is made here: a few names.
fn short(bytes: &[u8]) -> u16 {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX)
}

fn length(bytes: &[u8]) -> u32 {
    u32::from(short(bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::drive::NOW;
    use alloc::vec;

    /// A first message, without a version.
    pub(crate) fn negotiate() -> Vec<u8> {
        [&SIGNATURE[..], &1_u32.to_le_bytes(), &0xe008_8297_u32.to_le_bytes(), &[0; 16]].concat()
    }

    /// A third message of this user with this NT answer.
    pub(crate) fn answer(user: &str, domain: &str, nt: &[u8]) -> Vec<u8> {
        let parts = [vec![0; 24], nt.to_vec(), wide(domain), wide(user), wide("WS"), Vec::new()];
        let mut message = [&SIGNATURE[..], &3_u32.to_le_bytes()].concat();
        let mut at = 72;
        for part in &parts {
            message.extend_from_slice(&place(part, at));
            at += length(part);
        }
        message.extend_from_slice(&0xe288_8215_u32.to_le_bytes());
        message.extend_from_slice(&[10, 0, 0x7c, 0x4f, 0, 0, 0, 15]);
        message.extend(parts.concat());
        message
    }

    fn machine() -> Machine {
        Machine { host: "files".into(), domain: "lan".into(), workgroup: "WORKGROUP".into() }
    }

    #[test]
    fn a_challenge_names_the_machine() {
        let message = machine().challenge(&negotiate(), [7; 8], NOW);
        assert_eq!((kind(&message), &message[24..32]), (Some(2), &[7; 8][..]));
        assert_eq!(narrow(field(&message, 12).unwrap()), b"FILES");
        let info = field(&message, 40).unwrap();
        assert_eq!(&info[..4], [2, 0, 10, 0]);
        assert!(memchr::memmem::find(info, &wide("files.lan")).is_some() && info.ends_with(&[0; 4]));
    }

    #[test]
    fn an_answer_becomes_one_line_that_guessers_read() {
        let mut findings = Findings::default();
        let message = answer("admin", "CORP", &[&[0xaa; 16][..], &[0xbb; 3]].concat());
        Answer::read(&message).unwrap().note(&message, [1; 8], &mut findings);
        let expected = format!("admin::CORP:{}:{}:bbbbbb", "01".repeat(8), "aa".repeat(16));
        assert_eq!((findings.fields["hash"].as_str(), findings.signs), (expected.as_str(), Signs::CREDENTIALS));
        assert_eq!(["workstation", "client_os"].map(|name| findings.fields[name].as_str()), ["WS", "10.0.20348"]);
        let old = answer("admin", "CORP", &[0xcc; 24]);
        let hash = Answer::read(&old).unwrap().hash([1; 8]).unwrap();
        assert_eq!(hash, format!("admin::CORP:{}:{}:{}", "00".repeat(24), "cc".repeat(24), "01".repeat(8)));
    }

    #[test]
    fn nobody_is_no_try_and_broken_messages_are_told() {
        let mut findings = Findings::default();
        let message = answer("", "", b"");
        let nobody = Answer::read(&message).unwrap();
        nobody.note(&message, [1; 8], &mut findings);
        assert!(nobody.is_anonymous() && findings.signs.is_empty() && !findings.fields.contains_key("hash"));
        let mut wrong = answer("a", "b", &[0; 24]);
        wrong.truncate(80);
        assert_eq!(Answer::read(&wrong), None);
        assert_eq!((find(b"xxNTLMSSP\0\x01\0\0\0").and_then(kind), find(b"NTLM")), (Some(1), None));
    }
}
