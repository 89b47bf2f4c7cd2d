//! One connection to a directory trap.

use super::{Ldap, bind::Challenge, controls::Controls, dn, entry, entry::Entry, filter, fits};
use crate::{
    Findings, Flow,
    ber::{self, Head, ber, number, sequence, tagged, value},
    exactly::Reader,
    packets::Packets,
    text::random_bytes,
};
use alloc::vec::Vec;
use honeymesh_types::{Signs, WallTime};

/// The longest request, in bytes.
const MESSAGE_BYTES_MAX: usize = 32 * 1_024;
/// Attributes of one search that are looked at.
const ATTRIBUTES_MAX: usize = 64;

pub(super) const NO_SUCH_OBJECT: u8 = 32;
pub(super) const STRONGER_AUTH_REQUIRED: u8 = 8;
pub(super) const PROTOCOL_ERROR: u8 = 2;

pub(super) const INVALID_DN: u8 = 34;
const CANNOT_CANCEL: u8 = 119;

/// Said before a connection is ended.
const DISCONNECTION: &[u8] = b"1.3.6.1.4.1.1466.20036";
const PASSWORD: &[u8] = b"1.3.6.1.4.1.4203.1.11.1";
const CANCEL: &[u8] = b"1.3.6.1.1.8";
const BEGIN: &[u8] = b"1.3.6.1.1.21.1";
const END: &[u8] = b"1.3.6.1.1.21.3";
const WHO_AM_I: &[u8] = b"1.3.6.1.4.1.4203.1.11.3";

const AUTHENTICATE: &str = "modifications require authentication";
const DECODING: &str = "decoding error";
const DECODING_ATTRIBUTES: &str = "decoding attrs error";

/// The tag of what is answered to an operation, if anything is.
const fn reply_to(operation: u8) -> Option<u8> {
    match operation {
        0x60 | 0x66 | 0x68 | 0x6c | 0x6e => Some(operation + 1),
        0x63 => Some(0x65),
        0x4a => Some(0x6b),
        0x77 => Some(0x78),
        _ => None,
    }
}

/// One connection to a directory trap.
pub(super) struct LdapSession {
    pub(super) ldap: Ldap,
    seed: u64,
    /// How many challenges were made.
    drawn: u64,
    pub(super) challenge: Option<Challenge>,
    message: Vec<u8>,
    /// How long the message is, once its head is whole.
    whole: Option<usize>,
    pub(super) findings: Findings,
}

impl LdapSession {
    pub(super) fn new(ldap: Ldap, seed: u64) -> Self {
        let findings = Findings::default();
        Self { ldap, seed, drawn: 0, challenge: None, message: Vec::new(), whole: None, findings }
    }

    /// For one challenge, and no other.
    pub(super) fn draw<const N: usize>(&mut self) -> [u8; N] {
        self.drawn += 1;
        random_bytes(self.seed.wrapping_add(self.drawn))
    }

    /// One request; `None` if it is broken.
    fn request(&mut self, message: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let mut reader = Reader(tagged(&mut Reader(message), 0x30)?);
        let id = tagged(&mut reader, 2).filter(|id| (1..=4).contains(&id.len()))?;
        let (operation, content) = value(&mut reader)?;
        let list = tagged(&mut reader, 0xa0);
        let controls = match (Controls::read(operation, list), reply_to(operation)) {
            (None, _) => {
                self.note(id, operation, content, now);
                self.disconnect("decoding controls error", answer);
                return None;
            }
            (Some(Err((code, said))), Some(reply)) => {
                self.note(id, operation, content, now);
                self.done(id, reply, code, b"", said, answer);
                return Some(Flow::Telling);
            }
            (Some(controls), _) => controls.unwrap_or_default(),
        };
        let flow = self.operate(id, operation, content, &controls, now, answer);
        flow.map_err(|said| self.disconnect(said, answer)).ok()
    }

    /// Takes down what was asked for, though it is refused before anybody looks at it: nothing is said, and whoever was challenged
    /// still is.
    fn note(&mut self, id: &[u8], operation: u8, content: &[u8], now: WallTime) {
        let challenge = self.challenge.clone();
        // What cannot be read has nothing more in it.
        let _ = self.operate(id, operation, content, &Controls::default(), now, &mut Vec::new());
        self.challenge = challenge;
    }

    /// What is asked for; else what is said of one that cannot be read.
    fn operate(
        &mut self,
        id: &[u8],
        operation: u8,
        content: &[u8],
        controls: &Controls<'_>,
        now: WallTime,
        answer: &mut Vec<u8>,
    ) -> Result<Flow, &'static str> {
        let mut parts = Reader(content);
        match operation {
            0x60 => self.bind(id, content, now, answer).ok_or(DECODING),
            0x42 => Ok(Flow::Close),
            0x50 => Ok(Flow::Continue),
            0x63 => self.search(id, content, controls, answer),
            0x77 => self.extended(id, content, answer).ok_or(DECODING),
            0x6e => self.compare(id, content, controls, answer).ok_or(DECODING),
            0x66 | 0x68 | 0x6c => {
                let name = tagged(&mut parts, 4);
                name.and_then(|name| self.change(id, operation, name, parts.0, answer)).ok_or(DECODING)
            }
            0x4a => self.change(id, operation, content, &[], answer).ok_or(DECODING),
            _ => Err("unknown LDAP request"),
        }
    }

    /// Says why the connection ends.
    fn disconnect(&self, said: &str, answer: &mut Vec<u8>) {
        let notice = [&[0x0a, 1, PROTOCOL_ERROR, 4, 0][..], &ber(4, said.as_bytes()), &ber(0x8a, DISCONNECTION)].concat();
        self.send(&[0], 0x78, &notice, answer);
    }

    /// An entry by its name, as names are compared.
    pub(super) fn entry(&self, name: &str) -> Option<Entry> {
        let is = |own: &str| dn::normal(own.as_bytes()).is_some_and(|own| own == name);
        match name {
            "" => Some(entry::root(&self.ldap)),
            _ if is(&self.ldap.suffix()) => Some(entry::suffix(&self.ldap)),
            _ => is(entry::SUBSCHEMA).then(entry::schema),
        }
    }

    /// What there is of a name that is not there.
    pub(super) fn matched(&self, name: &str) -> Vec<u8> {
        let suffix = self.ldap.suffix();
        let own = dn::normal(suffix.as_bytes()).unwrap_or_default();
        if name.strip_suffix(&own).is_some_and(|before| before.ends_with(',')) { suffix.into_bytes() } else { Vec::new() }
    }

    /// A search; else what is said of one that cannot be read.
    fn search(&mut self, id: &[u8], content: &[u8], controls: &Controls<'_>, answer: &mut Vec<u8>) -> Result<Flow, &'static str> {
        let mut reader = Reader(content);
        let head = (|| {
            let base = tagged(&mut reader, 4)?;
            let scope = number(tagged(&mut reader, 0x0a)?)?;
            tagged(&mut reader, 0x0a)?;
            // Limits of size and time.
            tagged(&mut reader, 2)?;
            tagged(&mut reader, 2)?;
            Some((base, scope, tagged(&mut reader, 1)? != [0]))
        })();
        let (base, scope, types_only) = head.ok_or(DECODING)?;
        let rest = reader.0;
        value(&mut reader).ok_or("error decoding filter")?;
        let sought = &rest[..rest.len() - reader.0.len()];
        let mut names = Reader(tagged(&mut reader, 0x30).ok_or(DECODING_ATTRIBUTES)?);
        let mut asked = Vec::new();
        while asked.len() < ATTRIBUTES_MAX && !names.0.is_empty() {
            asked.push(tagged(&mut names, 4).ok_or(DECODING_ATTRIBUTES)?);
        }
        self.findings.note("base", base);
        self.findings.note("filter", &filter::text(sought));
        if !asked.is_empty() {
            self.findings.note("attributes", &asked.join(&b' '));
        }
        let Some(name) = dn::normal(base).filter(|_| scope <= 3) else {
            let (code, said) = if scope > 3 { (PROTOCOL_ERROR, "invalid scope") } else { (INVALID_DN, "invalid DN") };
            self.done(id, 0x65, code, b"", said, answer);
            return Ok(Flow::Telling);
        };
        // Below the root there is nothing that is asked for by it.
        let Some(entry) = self.entry(&name).filter(|entry| !entry.name().is_empty() || scope == 0) else {
            self.done(id, 0x65, NO_SUCH_OBJECT, &self.matched(&name), "", answer);
            return Ok(Flow::Telling);
        };
        let fits = fits::fits(sought, &entry).map_err(|()| DECODING_ATTRIBUTES)?;
        if let Err((code, said)) = controls.asserted(&entry) {
            self.done(id, 0x65, code, b"", said, answer);
            return Ok(Flow::Telling);
        }
        let is_last = controls.pages != Some(0) || name.is_empty();
        if fits && matches!(scope, 0 | 2) && !controls.only_subentries && is_last {
            self.send(id, 0x64, &entry.shown(&asked, types_only), answer);
        }
        let behind = if name.is_empty() { Vec::new() } else { controls.behind() };
        let done = ber(0x65, &[&[0x0a, 1, 0, 4, 0, 4, 0][..]].concat());
        answer.extend(sequence(0x30, &[ber(2, id), done, behind]));
        Ok(Flow::Telling)
    }

    fn extended(&mut self, id: &[u8], content: &[u8], answer: &mut Vec<u8>) -> Option<Flow> {
        let mut reader = Reader(content);
        let name = tagged(&mut reader, 0x80)?;
        let has_value = !reader.0.is_empty();
        self.findings.note("extension", name);
        match name {
            PASSWORD => {
                let said = "only authenticated users may change passwords";
                self.done(id, 0x78, STRONGER_AUTH_REQUIRED, b"", said, answer);
            }
            BEGIN => self.done(id, 0x78, STRONGER_AUTH_REQUIRED, b"", AUTHENTICATE, answer),
            END if !has_value => self.done(id, 0x78, PROTOCOL_ERROR, b"", "request data expected", answer),
            CANCEL if has_value => self.done(id, 0x78, CANNOT_CANCEL, b"", "message ID not found", answer),
            WHO_AM_I if has_value => self.done(id, 0x78, PROTOCOL_ERROR, b"", "no request data expected", answer),
            WHO_AM_I => self.send(id, 0x78, &[10, 1, 0, 4, 0, 4, 0, 0x8b, 0], answer),
            _ => self.done(id, 0x78, PROTOCOL_ERROR, b"", "unsupported extended operation", answer),
        }
        Some(Flow::Telling)
    }

    /// Appends a result.
    pub(super) fn done(&self, id: &[u8], operation: u8, code: u8, matched: &[u8], said: &str, answer: &mut Vec<u8>) {
        let content = [&[0x0a, 1, code][..], &ber(4, matched), &ber(4, said.as_bytes())].concat();
        self.send(id, operation, &content, answer);
    }

    /// Appends one message.
    pub(super) fn send(&self, id: &[u8], operation: u8, content: &[u8], answer: &mut Vec<u8>) {
        answer.extend(sequence(0x30, &[ber(2, id), ber(operation, content)]));
    }

    fn broken(&mut self) -> Flow {
        self.findings.signs |= Signs::MALFORMED;
        Flow::Close
    }
}

impl Packets for LdapSession {
    /// The longest answer to one, in bytes: the whole root DSE, or a challenge.
    const REPLY_BYTES_MAX: usize = 4 * 1_024;

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.message.push(byte);
        let whole = match self.whole {
            Some(whole) => whole,
            None => match ber::head(&self.message) {
                Head::Open if self.message[0] == 0x30 => return Flow::Continue,
                Head::Whole { tag: 0x30, head, content } if (3..=MESSAGE_BYTES_MAX).contains(&content) => head + content,
                _ => return self.broken(),
            },
        };
        self.whole = Some(whole);
        if self.message.len() < whole {
            return Flow::Continue;
        }
        self.whole = None;
        let message = core::mem::take(&mut self.message);
        self.request(&message, now, answer).unwrap_or_else(|| self.broken())
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
        ntlm::{self, Placed, tests as client},
    };
    use alloc::{string::String, vec};
    use proptest::prelude::*;

    fn session() -> impl Session {
        Ldap::default().on("db1", "example.org").session(7)
    }

    fn talk(parts: &[Vec<u8>]) -> Heard {
        drive::whole(&mut session(), &parts.concat())
    }

    fn request(operation: u8, content: &[u8]) -> Vec<u8> {
        sequence(0x30, &[ber(2, &[1]), ber(operation, content)])
    }

    fn simple(name: &str, password: &str) -> Vec<u8> {
        request(0x60, &[ber(2, &[3]), ber(4, name.as_bytes()), ber(0x80, password.as_bytes())].concat())
    }

    fn sasl(mechanism: &str, token: &[u8]) -> Vec<u8> {
        let parts = [ber(4, mechanism.as_bytes()), ber(4, token)];
        request(0x60, &[ber(2, &[3]), ber(4, b""), sequence(0xa3, &parts)].concat())
    }

    fn search(base: &str, scope: u8, attributes: &[&str]) -> Vec<u8> {
        let names: Vec<Vec<u8>> = attributes.iter().map(|name| ber(4, name.as_bytes())).collect();
        let head = [ber(4, base.as_bytes()), ber(10, &[scope]), ber(10, &[0]), ber(2, &[0]), ber(2, &[0]), ber(1, &[0])].concat();
        request(0x63, &[head, ber(0x87, b"objectClass"), sequence(0x30, &names)].concat())
    }

    #[test]
    fn a_bind_gives_name_and_password_away_and_is_refused() {
        let heard = talk(&[simple("cn=admin,dc=example,dc=org", "hunter2")]);
        assert_eq!(heard.answer, b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\0\x04\0");
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Telling, Signs::CREDENTIALS));
        let told = ["username", "password"].map(|name| heard.findings.fields[name].as_str());
        assert_eq!(told, ["cn=admin,dc=example,dc=org", "hunter2"]);
        let nobody = talk(&[simple("", "")]);
        assert_eq!((nobody.answer[9], nobody.findings.signs), (0, Signs::empty()));
        assert!(said(&talk(&[simple("cn=a", "")]).answer).contains("unauthenticated bind (DN with no password) disallowed"));
        let nmap = talk(&[b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x02\x04\0\x80\0".to_vec()]);
        assert!(nmap.answer.starts_with(b"0E\x02\x01\x01a@\n\x01\x02\x04\0\x049historical protocol version requested"));
    }

    #[test]
    fn answers_to_challenges_are_kept_with_them() {
        let heard = talk(&[sasl("CRAM-MD5", b""), sasl("CRAM-MD5", b"admin 0123456789abcdef0123456789abcdef")]);
        let fields = &heard.findings.fields;
        assert_eq!((fields["username"].as_str(), fields["response"].len()), ("admin", 32));
        assert!(said(&heard.answer).contains(&fields["challenge"]) && fields["challenge"].ends_with("@db1.example.org>"));
        let digest = talk(&[sasl("DIGEST-MD5", b""), sasl("DIGEST-MD5", b"username=\"root\",realm=\"db1\",response=00")]);
        assert_eq!(digest.findings.fields["username"], "root");
        let windows = talk(&[sasl("NTLM", &client::negotiate()), sasl("NTLM", &client::answer("admin", "CORP", &[9; 40]))]);
        assert!(windows.findings.fields["hash"].starts_with("admin::CORP:") && ntlm::find(&windows.answer).is_some());
        let plain = talk(&[sasl("PLAIN", b"\0admin\0hunter2")]);
        assert_eq!(plain.findings.fields["password"], "hunter2");
    }

    /// A bind that begins without a token.
    fn tokenless(mechanism: &[u8]) -> Vec<u8> {
        request(0x60, &[ber(2, &[3]), ber(4, b""), sequence(0xa3, &[ber(4, mechanism)])].concat())
    }

    fn fields(heard: &Heard, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| heard.findings.fields.get(*name).cloned().unwrap_or_default()).collect()
    }

    #[test]
    fn a_password_is_told_whatever_mechanism_was_begun_before_it() {
        for begun in ["NTLM", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "DIGEST-MD5"] {
            for plain in ["PLAIN", "LOGIN", "plain"] {
                let heard = talk(&[tokenless(begun.as_bytes()), sasl(plain, b"\0admin\0hunter2")]);
                assert_eq!(fields(&heard, &["username", "password", "mechanism"]), ["admin", "hunter2", plain], "{begun}");
                assert_eq!(heard.findings.signs, Signs::CREDENTIALS);
                assert!(said(&heard.answer).ends_with("security flags do not match required"));
            }
        }
        let scram = talk(&[tokenless(b"NTLM"), sasl("SCRAM-SHA-1", b"n,,n=root,r=x")]);
        assert_eq!(fields(&scram, &["username"]), ["root"]);
        let windows = talk(&[tokenless(b"ntlm"), sasl("NTLM", &client::negotiate())]);
        assert!(ntlm::find(&windows.answer).is_some(), "goes on as it was begun");
    }

    #[test]
    fn a_simple_bind_ends_what_was_begun() {
        let heard = talk(&[tokenless(b"CRAM-MD5"), simple("cn=a", "b"), sasl("CRAM-MD5", b"root 00")]);
        assert!(said(&heard.answer).ends_with("Remote sent first but mech does not allow it."));
        assert_eq!(fields(&heard, &["username", "challenge"]), ["root", ""]);
    }

    #[test]
    fn each_challenge_is_another() {
        let nonces = talk(&[tokenless(b"DIGEST-MD5"), tokenless(b"DIGEST-MD5"), tokenless(b"CRAM-MD5")]);
        let told = said(&nonces.answer);
        let mut found = told.split("nonce=\"").skip(1).map(|rest| &rest[..44]);
        let (one, other) = (found.next().unwrap(), found.next().unwrap());
        assert!(one != other && one.ends_with('='), "{one} {other}");
        let number: u32 = told.rsplit_once('<').unwrap().1.split_once('.').unwrap().0.parse().unwrap();
        let known = [one, other].map(|nonce| crate::text::unbase64(nonce.as_bytes()).unwrap());
        assert!(known.iter().all(|nonce| !nonce.starts_with(&number.to_le_bytes())));
        let windows = [sasl("NTLM", &client::negotiate()), sasl("NTLM", &client::answer("a", "b", &[9; 40]))].concat();
        let windows = talk(&[tokenless(b"DIGEST-MD5"), tokenless(b"DIGEST-MD5"), windows]);
        let challenge = &ntlm::find(&windows.answer).unwrap()[24..32];
        assert!(fields(&windows, &["hash"])[0].contains(&crate::text::hex(challenge)), "kept with what it answers");
        assert!(known.iter().all(|nonce| !nonce.starts_with(challenge)));
    }

    #[test]
    fn an_unknown_mechanism_is_repeated_octet_by_octet_up_to_its_end_and_a_bound() {
        let answered = |mechanism: &[u8]| talk(&[tokenless(mechanism)]).answer;
        assert!(answered(b"FOO").ends_with(b"Couldn't find mech FOO") && answered(b"FOO\0BAR").ends_with(b"find mech FOO"));
        assert!(answered(b"\xc3(").ends_with(b"Couldn't find mech \xc3("));
        let long = answered(&[0xff; 32_000]);
        assert!(long.ends_with(&[b"find mech ".as_slice(), &[0xff; 256]].concat()) && long.len() < 350, "{}", long.len());
    }

    #[test]
    fn the_root_and_the_tree_are_shown_as_they_are_asked_for() {
        let root = talk(&[search("", 0, &["+"])]);
        assert!(said(&root.answer).contains("dc=example,dc=org") && said(&root.answer).contains("supportedSASLMechanisms"));
        assert!(!said(&talk(&[search("", 0, &[])]).answer).contains("namingContexts"));
        let tree = talk(&[search("DC=example,dc=org", 2, &[])]);
        assert!(said(&tree.answer).contains("dcObject") && tree.findings.fields["filter"] == "(objectClass=*)");
        let inside = talk(&[search("ou=people,dc=example,dc=org", 2, &["uid", "mail"])]);
        assert_eq!((inside.answer[9], inside.findings.fields["attributes"].as_str()), (32, "uid mail"));
    }

    #[test]
    fn changes_are_hostile_and_refused() {
        let delete = talk(&[request(0x4a, b"dc=example,dc=org")]);
        assert_eq!((delete.findings.signs, delete.findings.fields["entry"].as_str()), (Signs::RULE, "dc=example,dc=org"));
        assert!(said(&delete.answer).contains("modifications require authentication"));
        assert_eq!(talk(&[request(0x42, b"")]).flow, Flow::Close);
        let tls = talk(&[request(0x77, &ber(0x80, b"1.3.6.1.4.1.1466.20037"))]);
        assert!(said(&tls.answer).contains("unsupported extended operation"));
    }

    /// A control that nobody knows and that matters; and one without a name.
    const MATTERS: &[u8] = b"\xa0\x0e\x30\x0c\x04\x071.2.3.4\x01\x01\xff";
    const NAMELESS: &[u8] = b"\xa0\x02\x30\0";

    fn proxied() -> Vec<u8> {
        ber(0xa0, &ber(0x30, &ber(4, b"2.16.840.1.113730.3.4.18")))
    }

    /// A request with something behind it.
    fn with(request: &[u8], controls: &[u8]) -> Vec<u8> {
        let content = tagged(&mut Reader(request), 0x30).unwrap();
        ber(0x30, &[content, controls].concat())
    }

    #[test]
    fn what_controls_have_refused_is_told_all_the_same() {
        const DN: &str = "cn=admin,dc=localdomain";
        let bind = simple(DN, "x");
        let delete = request(0x4a, b"dc=example,dc=org");
        let plain = sasl("PLAIN", b"\0admin\0hunter2");
        let asked = search("dc=a", 2, &["mail"]);
        let (login, change) = (["username", "password"].as_slice(), ["operation", "entry"].as_slice());
        let table = [
            (with(&bind, MATTERS), 12, login, [DN, "x"], Signs::CREDENTIALS),
            (with(&bind, &proxied()), 123, login, [DN, "x"], Signs::CREDENTIALS),
            (with(&plain, MATTERS), 12, login, ["admin", "hunter2"], Signs::CREDENTIALS),
            (with(&delete, MATTERS), 12, change, ["delete", "dc=example,dc=org"], Signs::RULE),
            (with(&delete, &proxied()), 123, change, ["delete", "dc=example,dc=org"], Signs::RULE),
            (with(&asked, MATTERS), 12, &["base", "attributes"], ["dc=a", "mail"], Signs::empty()),
            (with(&bind, NAMELESS), 2, login, [DN, "x"], Signs::CREDENTIALS | Signs::MALFORMED),
            (with(&delete, NAMELESS), 2, change, ["delete", "dc=example,dc=org"], Signs::RULE | Signs::MALFORMED),
        ];
        for (bytes, code, names, told, signs) in table {
            let heard = talk(&[bytes]);
            assert_eq!((fields(&heard, names), heard.findings.signs), (told.map(String::from).to_vec(), signs));
            assert_eq!((heard.answer[9], heard.answer.iter().filter(|byte| **byte == 0x0a).count()), (code, 1), "one answer");
        }
    }

    #[test]
    fn who_was_challenged_still_is_after_what_controls_have_refused() {
        let answer = sasl("CRAM-MD5", b"root 00");
        let heard = talk(&[tokenless(b"CRAM-MD5"), with(&answer, MATTERS), answer]);
        assert!(said(&heard.answer).ends_with("user not found: no secret in database"));
        assert!(heard.reports.iter().skip(1).all(|(findings, _)| findings.fields["challenge"].starts_with('<')));
        let refused = talk(&[with(&tokenless(b"CRAM-MD5"), MATTERS), sasl("CRAM-MD5", b"root 00")]);
        assert!(said(&refused.answer).ends_with("mech does not allow it."), "none was made");
    }

    #[test]
    fn what_is_no_client_is_left_before_its_message_is_held() {
        for bytes in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"\x30\x84\xff\xff\xff\xff", b"\x30\x80", b"\x30\0"] {
            let heard = talk(&[bytes.to_vec()]);
            assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED), "{bytes:?}");
        }
    }

    fn seek(filter: &[u8]) -> Vec<u8> {
        let head =
            [ber(4, b"dc=example,dc=org"), ber(10, &[2]), ber(10, &[0]), ber(2, &[0]), ber(2, &[0]), ber(1, &[0])].concat();
        request(0x63, &[head.as_slice(), filter, &[0x30, 0]].concat())
    }

    /// Deep filters, many, and such with many pieces.
    fn filters() -> impl Strategy<Value = Vec<u8>> {
        let deep = (0_usize..300).prop_map(|times| (0..times).fold(ber(0x87, b"dc"), |inner, _| ber(0xa2, &inner)));
        let many = (0_usize..4_000).prop_map(|times| ber(0xa0, &ber(0x87, b"mail").repeat(times)));
        let pieces =
            (0_usize..10_000).prop_map(|times| sequence(0xa4, &[ber(4, b"o"), ber(0x30, &ber(0x81, b"e").repeat(times))]));
        prop_oneof![deep, many, pieces]
    }

    fn told() -> impl Strategy<Value = Vec<u8>> {
        let delete = request(0x4a, b"dc=example,dc=org");
        prop_oneof![
            Just(simple("cn=a", "b")),
            Just(delete),
            Just(search("", 0, &["+"])),
            Just(sasl("CRAM-MD5", b"a b")),
            Just(tokenless(b"NTLM")),
        ]
    }

    fn controls() -> impl Strategy<Value = Vec<u8>> {
        let noise = proptest::collection::vec(any::<u8>(), 0..40).prop_map(|content| ber(0xa0, &content));
        let pages = sequence(0x30, &[ber(2, &[1]), ber(4, b"")]);
        let pages = ber(0xa0, &sequence(0x30, &[ber(4, b"1.2.840.113556.1.4.319"), ber(4, &pages)]));
        prop_oneof![Just(MATTERS.to_vec()), Just(NAMELESS.to_vec()), Just(proxied()), Just(pages), noise]
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(simple("cn=a", "b")),
            Just(search("", 0, &["*", "+"])),
            Just(sasl("CRAM-MD5", b"x")),
            Just(sasl("NTLM", &client::negotiate())),
            Just(sasl("NTLM", &client::answer("a", "b", &[9; 40]))),
            Just(sasl("PLAIN", b"\0a\0b")),
            "(NTLM|SCRAM-SHA-1|CRAM-MD5|DIGEST-MD5|PLAIN|FOO)".prop_map(|mechanism| tokenless(mechanism.as_bytes())),
            (any::<u8>(), 0_usize..32_000).prop_map(|(byte, count)| tokenless(&[byte].repeat(count))),
            filters().prop_map(|filter| seek(&filter)),
            (told(), controls()).prop_map(|(request, controls)| with(&request, &controls)),
            (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..60)).prop_map(|(kind, content)| request(kind, &content)),
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
