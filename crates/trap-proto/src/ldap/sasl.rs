//! Logins by SASL, as Cyrus' library speaks for slapd: challenges, and what it says of the answers to them.

use super::{bind::METHOD_NOT_SUPPORTED, digest, entry::MECHANISMS, scram, session::LdapSession};
use crate::{
    Flow,
    ber::ber,
    ntlm::{self, Answer},
    text::base64,
};
use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use honeymesh_types::{Signs, WallTime};

const IN_PROGRESS: u8 = 14;

/// Of an unknown mechanism's name so much is repeated, in bytes; the rest is cut.
const MECHANISM_BYTES_MAX: usize = 256;
/// DIGEST-MD5's nonce, before it is base64.
const NONCE_BYTES: usize = 32;
/// Of a moment only so much is in a challenge of CRAM-MD5, in seconds: Cyrus SASL's own number.
const CRAM_SECONDS: u64 = 0x00ff_ffff;
/// The longest answer to CRAM-MD5 that is looked at, in bytes.
const CRAM_BYTES_MAX: usize = 1_024;
/// The shortest first and last message of NTLM, in bytes, and the shortest proof.
const NTLM_FIRST_BYTES_MIN: usize = 16;
const NTLM_LAST_BYTES_MIN: usize = 52;
const NTLM_PROOF_BYTES_MIN: usize = 24;
/// Said of mechanisms that show a password, and of nobody's.
const TOO_WEAK: &str = "security flags do not match required";

/// How a login ends, in Cyrus SASL's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Code {
    /// It has not ended.
    #[default]
    Fine,
    Failure,
    NoMechanism,
    BadProtocol,
    Authentication,
    NoUser,
    Authorization,
    Encryption,
}

impl Code {
    const fn words(self) -> &'static str {
        match self {
            Self::Fine => "SASL(0): successful result: ",
            Self::Failure => "SASL(-1): generic failure: ",
            Self::NoMechanism => "SASL(-4): no mechanism available: ",
            Self::BadProtocol => "SASL(-5): bad protocol / cancel: ",
            Self::Authentication => "SASL(-13): authentication failure: ",
            Self::NoUser => "SASL(-13): user not found: ",
            Self::Authorization => "SASL(-14): authorization failure: ",
            Self::Encryption => "SASL(-16): encryption needed to use mechanism: ",
        }
    }

    /// What LDAP calls it.
    const fn result(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Failure | Self::BadProtocol => 80,
            Self::NoMechanism => METHOD_NOT_SUPPORTED,
            Self::Authentication | Self::NoUser => 49,
            Self::Authorization => 50,
            Self::Encryption => 48,
        }
    }
}

/// What the library said last on a connection. slapd says it with each step, also where all went well since: what it added stays until
/// it adds something else.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    code: Code,
    /// At most [`MECHANISM_BYTES_MAX`] bytes and a few words.
    detail: Vec<u8>,
}

impl Said {
    fn text(&self) -> Vec<u8> {
        [self.code.words().as_bytes(), &self.detail].concat()
    }

    /// The mechanisms were listed, as the root DSE has them: some are not among them.
    pub(super) fn has_listed(&mut self) {
        TOO_WEAK.as_bytes().clone_into(&mut self.detail);
    }
}

/// Why a login fails; nothing is added to some reasons.
pub(super) struct Fault(pub(super) Code, pub(super) Option<Vec<u8>>);

impl Fault {
    pub(super) fn new(code: Code, detail: impl AsRef<[u8]>) -> Self {
        Self(code, Some(detail.as_ref().to_vec()))
    }

    /// Nobody of that name has a password.
    pub(super) fn no_user() -> Self {
        Self::new(Code::NoUser, "no secret in database")
    }

    /// For the names that may stand in a login; an error if one is none.
    pub(super) fn of_names(user: &[u8], authorization: &[u8]) -> Self {
        if user.is_empty() {
            return Self::new(Code::Authorization, "unable to canonify user and get auxprops");
        }
        let is_named = [&b"u:"[..], b"dn:"].iter().any(|kind| authorization.starts_with(kind));
        if !authorization.is_empty() && !is_named {
            return Self::new(Code::Authorization, "unable to canonify authorization ID");
        }
        Self::no_user()
    }
}

/// What an answer answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Cram(String),
    /// The challenge, and the nonce in it.
    Digest(String, String),
    Ntlm([u8; 8]),
    /// None: this mechanism's client speaks first.
    Nothing(&'static str),
}

/// A mechanism that slapd has, by its name.
fn known(mechanism: &[u8]) -> Option<&'static str> {
    MECHANISMS.into_iter().find(|name| name.as_bytes().eq_ignore_ascii_case(mechanism))
}

/// Does it show the password itself?
fn is_clear(mechanism: &[u8]) -> bool {
    [&b"PLAIN"[..], b"LOGIN"].iter().any(|clear| mechanism.eq_ignore_ascii_case(clear))
}

impl LdapSession {
    /// A step. Whoever was challenged answers that, whatever mechanism he names now.
    pub(super) fn sasl(
        &mut self,
        id: &[u8],
        challenge: Option<Challenge>,
        mechanism: &[u8],
        token: Option<&[u8]>,
        now: WallTime,
        answer: &mut Vec<u8>,
    ) -> Flow {
        if mechanism.is_empty() {
            self.bound(id, METHOD_NOT_SUPPORTED, "no SASL mechanism provided", &[], answer);
            return Flow::Telling;
        }
        let step = match &challenge {
            Some(challenge) => self.answered(challenge, token.unwrap_or_default()),
            None => self.begun(mechanism, token, now),
        };
        let token = step.unwrap_or_else(|Fault(code, detail)| {
            self.said = Said { code, detail: detail.unwrap_or_else(|| core::mem::take(&mut self.said.detail)) };
            Vec::new()
        });
        let code = if token.is_empty() { self.said.code.result() } else { IN_PROGRESS };
        self.bound(id, code, self.said.text(), &token, answer);
        Flow::Telling
    }

    /// The first step of a login: what is asked, or why nothing is.
    fn begun(&mut self, mechanism: &[u8], token: Option<&[u8]>, now: WallTime) -> Result<Vec<u8>, Fault> {
        if is_clear(mechanism) {
            // Not without TLS.
            return Err(Fault::new(Code::Encryption, TOO_WEAK));
        }
        let Some(known) = known(mechanism) else {
            return Err(match mechanism {
                b"ANONYMOUS" => Fault::new(Code::NoMechanism, TOO_WEAK),
                b"EXTERNAL" => Fault(Code::NoMechanism, None),
                other => Fault::new(Code::NoMechanism, [b"Couldn't find mech ", as_in_c(other)].concat()),
            });
        };
        match (known, token) {
            ("CRAM-MD5", Some(_)) => Err(Fault::new(Code::BadProtocol, "Remote sent first but mech does not allow it.")),
            ("CRAM-MD5", None) => Ok(self.ask_cram(now)),
            ("DIGEST-MD5", _) => Ok(self.ask_digest()),
            ("NTLM", Some(token)) => self.ask_ntlm(token),
            (scram, Some(token @ [_, ..])) if scram != "NTLM" => Err(scram::fault(scram, token)),
            (speaks_first, _) => {
                self.challenge = Some(Challenge::Nothing(speaks_first));
                Ok(ber(0x87, &[]))
            }
        }
    }

    /// The step behind a challenge.
    fn answered(&mut self, challenge: &Challenge, token: &[u8]) -> Result<Vec<u8>, Fault> {
        let is_broken = |words: &str| Err(Fault::new(Code::BadProtocol, words));
        match challenge {
            Challenge::Cram(_) if token.len() > CRAM_BYTES_MAX => is_broken("CRAM-MD5 input longer than 1024 bytes"),
            Challenge::Cram(_) if token.iter().rposition(|byte| *byte == b' ').unwrap_or(0) == 0 => {
                is_broken("need authentication name")
            }
            Challenge::Cram(_) => Err(Fault::no_user()),
            Challenge::Digest(_, nonce) => Err(digest::fault(nonce, token)),
            Challenge::Ntlm(_) => Err(ntlm_fault(token)),
            Challenge::Nothing("NTLM") => self.ask_ntlm(token),
            Challenge::Nothing(scram) => Err(scram::fault(scram, token)),
        }
    }

    fn ask_cram(&mut self, now: WallTime) -> Vec<u8> {
        let random = u32::from_le_bytes(self.draw());
        let text = format!("<{random}.{}@{}>", now.0 / 1_000_000 % CRAM_SECONDS, self.full_name());
        let asked = ber(0x87, text.as_bytes());
        self.challenge = Some(Challenge::Cram(text));
        asked
    }

    fn ask_digest(&mut self) -> Vec<u8> {
        let (nonce, host) = (base64(&self.draw::<NONCE_BYTES>()), self.full_name());
        let text = format!(
            "nonce=\"{nonce}\",realm=\"{host}\",qop=\"auth,auth-int,auth-conf\",cipher=\"rc4-40,rc4-56,rc4,des,3des\",\
             maxbuf=65536,charset=utf-8,algorithm=md5-sess"
        );
        let asked = ber(0x87, text.as_bytes());
        self.challenge = Some(Challenge::Digest(text, nonce));
        asked
    }

    /// Cyrus SASL's own shape: the machine's whole name, if it is asked for, and nothing more about it. Of the flags that are asked for
    /// sixteen come back, and with the eighth of them all of those above it.
    fn ask_ntlm(&mut self, token: &[u8]) -> Result<Vec<u8>, Fault> {
        if token.len() < NTLM_FIRST_BYTES_MIN || ntlm::kind(token) != Some(1) {
            return Err(Fault::new(Code::BadProtocol, "client didn't issue valid NTLM request"));
        }
        let (low, high) = (token[12], if token[12] & 0x80 == 0 { token[13] } else { 0xff });
        let (is_wide, is_named) = (low & 1 != 0, low & 4 != 0);
        let name = self.full_name().to_uppercase();
        let (bytes, rest): (Vec<u8>, usize) = match (is_named, is_wide) {
            (false, _) => (Vec::new(), 0),
            (true, true) => (name.encode_utf16().flat_map(u16::to_le_bytes).collect(), 0),
            (true, false) => (name.as_bytes().to_vec(), name.len()),
        };
        let [short, long] = u16::try_from(bytes.len()).unwrap_or(0).to_le_bytes();
        let flags = [if is_wide { low & !2 } else { low }, high, if is_named { 2 } else { 0 }, 0];
        let head = [b"NTLMSSP\0\x02\0\0\0", &[short, long, short, long][..], b"\x30\0\0\0", &flags].concat();
        let drawn = self.draw();
        self.challenge = Some(Challenge::Ntlm(drawn));
        let mut asked = [head.as_slice(), &drawn, &[0; 16], &bytes].concat();
        asked.resize(asked.len() + rest, 0);
        Ok(ber(0x87, &asked))
    }

    fn full_name(&self) -> String {
        let (host, domain) = (self.ldap.machine.host.as_str(), self.ldap.machine.domain.as_str());
        if domain.is_empty() { host.to_owned() } else { format!("{host}.{domain}") }
    }

    /// Takes down a step, before anything of it is judged: what shows a password or a name by the mechanism that it calls itself, all else
    /// by the challenge that it answers.
    pub(super) fn note_sasl(&mut self, mechanism: &[u8], token: Option<&[u8]>) {
        self.findings.note("mechanism", mechanism);
        let token = token.unwrap_or_default();
        match (known(mechanism), self.challenge.clone()) {
            _ if is_clear(mechanism) => self.note_clear(token),
            (Some(scram), _) if scram.starts_with("SCRAM") => self.note_scram(token),
            (_, Some(challenge)) => self.note_answer(&challenge, token),
            (Some("NTLM"), None) => self.note_ntlm(None, token),
            (Some(_), None) if token.is_empty() => {}
            (Some("CRAM-MD5"), None) => self.note_cram("", token),
            (Some(_), None) => self.note_digest("", token),
            (None, None) => {
                if !token.is_empty() {
                    self.findings.note("response", token);
                }
                if !mechanism.is_empty() || !token.is_empty() {
                    self.findings.signs |= Signs::CREDENTIALS;
                }
            }
        }
    }

    fn note_answer(&mut self, challenge: &Challenge, token: &[u8]) {
        match challenge {
            Challenge::Ntlm(drawn) => self.note_ntlm(Some(*drawn), token),
            Challenge::Nothing("NTLM") => self.note_ntlm(None, token),
            Challenge::Nothing(_) => self.note_scram(token),
            _ if token.is_empty() => {}
            Challenge::Cram(text) => self.note_cram(text, token),
            Challenge::Digest(text, _) => self.note_digest(text, token),
        }
    }

    /// `authorization NUL name NUL password` (RFC 4616), or LOGIN's name alone.
    fn note_clear(&mut self, token: &[u8]) {
        let mut parts = token.splitn(3, |byte| *byte == 0);
        match (parts.next(), parts.next(), parts.next()) {
            (_, Some(name), Some(password)) => self.note_simple(name, password),
            (Some(name), None, _) | (_, Some(name), None) if !name.is_empty() => {
                self.findings.note("username", name);
                self.findings.signs |= Signs::CREDENTIALS;
            }
            _ => {}
        }
    }

    /// Says who wants to log in before anything is asked of him: `n,,n=name,r=nonce`.
    fn note_scram(&mut self, token: &[u8]) {
        if token.is_empty() {
            return;
        }
        let name = token.split(|byte| *byte == b',').find_map(|part| part.strip_prefix(b"n="));
        self.findings.note("username", name.unwrap_or_default());
        self.findings.signs |= Signs::CREDENTIALS;
    }

    /// A name and a response.
    fn note_cram(&mut self, challenge: &str, token: &[u8]) {
        self.findings.signs |= Signs::CREDENTIALS;
        let at = token.iter().rposition(|byte| *byte == b' ');
        self.findings.note("username", &token[..at.unwrap_or(token.len())]);
        self.findings.note("challenge", challenge.as_bytes());
        self.findings.note("response", at.and_then(|at| token.get(at + 1..)).unwrap_or_default());
    }

    fn note_digest(&mut self, challenge: &str, token: &[u8]) {
        let name = memchr::memmem::find(token, b"username=\"").map(|at| &token[at + 10..]);
        let name = name.and_then(|rest| rest.split(|byte| *byte == b'"').next());
        self.findings.note("username", name.unwrap_or_default());
        self.findings.note("challenge", challenge.as_bytes());
        self.findings.note("response", token);
        self.findings.signs |= Signs::CREDENTIALS;
    }

    /// The first message, or the one that answers `challenge`.
    fn note_ntlm(&mut self, challenge: Option<[u8; 8]>, token: &[u8]) {
        let Some(message) = ntlm::find(token) else {
            if !token.is_empty() {
                self.findings.note("response", token);
                self.findings.signs |= Signs::CREDENTIALS | Signs::MALFORMED;
            }
            return;
        };
        match Answer::read(message).filter(|_| ntlm::kind(message) == Some(3)) {
            Some(theirs) => {
                theirs.note(message, challenge.unwrap_or_default(), &mut self.findings);
                if challenge.is_none() {
                    // To nothing that was asked: no guess can be checked against it.
                    self.findings.fields.remove("hash");
                }
            }
            None => ntlm::note_negotiate(message, &mut self.findings),
        }
        if challenge.is_some() {
            self.findings.signs |= Signs::CREDENTIALS;
        }
    }
}

/// What is wrong with NTLM's last message.
fn ntlm_fault(token: &[u8]) -> Fault {
    if token.len() < NTLM_LAST_BYTES_MIN || ntlm::kind(token) != Some(3) {
        return Fault::new(Code::BadProtocol, "client didn't issue valid NTLM response");
    }
    let Some(theirs) = Answer::read(token) else { return Fault(Code::BadProtocol, None) };
    let is_short = |proof: &[u8]| !proof.is_empty() && proof.len() < NTLM_PROOF_BYTES_MIN;
    let proofs = [theirs.lm.as_slice(), &theirs.nt];
    if proofs.iter().all(|proof| proof.is_empty()) || proofs.into_iter().any(is_short) || theirs.username.is_empty() {
        return Fault::new(Code::BadProtocol, "client issued incorrect/nonexistent responses");
    }
    Fault::no_user()
}

/// A stranger's text as C repeats it: its octets as they are, up to a zero.
fn as_in_c(text: &[u8]) -> &[u8] {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    &text[..text.len().min(MECHANISM_BYTES_MAX)]
}
