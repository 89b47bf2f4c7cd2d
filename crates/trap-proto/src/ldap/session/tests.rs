//! What is said to a directory, and what it answers and notes.

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
    let heard = talk(&[tokenless(b"CRAM-MD5"), sasl("CRAM-MD5", b"admin 0123456789abcdef0123456789abcdef")]);
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

/// What is said of a bind.
fn words(answer: &[u8]) -> String {
    let (mut messages, mut last) = (Reader(answer), "");
    while let Some(message) = tagged(&mut messages, 0x30) {
        let mut parts = Reader(message);
        let content = value(&mut parts).and_then(|_| value(&mut parts)).unwrap_or_default().1;
        let mut parts = Reader(content);
        let said = (|| Some((tagged(&mut parts, 0x0a)?, tagged(&mut parts, 4)?, tagged(&mut parts, 4)?)))();
        last = said.and_then(|(_, _, said)| core::str::from_utf8(said).ok()).unwrap_or_default();
    }
    last.into()
}

const PLAIN: &[u8] = b"\0admin\0hunter2";

#[test]
fn whoever_was_challenged_answers_that_whatever_he_calls_it_and_a_password_is_told() {
    const NO_NAME: &str = "SASL(-5): bad protocol / cancel: need authentication name";
    const NO_INPUT: &str = "SASL(-13): authentication failure: input expected in DIGEST-MD5, step 2";
    let begun = [
        ("NTLM", "SASL(-5): bad protocol / cancel: client didn't issue valid NTLM request"),
        ("SCRAM-SHA-256", "SASL(-5): bad protocol / cancel: NULs found in SCRAM-SHA-256 input"),
        ("SCRAM-SHA-1", "SASL(-5): bad protocol / cancel: NULs found in SCRAM-SHA-1 input"),
        ("CRAM-MD5", NO_NAME),
        ("DIGEST-MD5", "SASL(-13): authentication failure: required parameters missing: username"),
    ];
    for (begun, said) in begun {
        for plain in ["PLAIN", "LOGIN", "plain"] {
            let heard = talk(&[tokenless(begun.as_bytes()), sasl(plain, PLAIN)]);
            assert_eq!(fields(&heard, &["username", "password", "mechanism"]), ["admin", "hunter2", plain], "{begun}");
            assert_eq!((heard.findings.signs, words(&heard.answer).as_str()), (Signs::CREDENTIALS, said));
            let again = talk(&[tokenless(begun.as_bytes()), sasl(plain, PLAIN), sasl(plain, PLAIN)]);
            assert!(words(&again.answer).ends_with("security flags do not match required"), "a step that fails is the last");
        }
    }
    for (mechanism, said) in [(&b"CRAM-MD5"[..], NO_NAME), (b"DIGEST-MD5", NO_INPUT)] {
        assert_eq!(words(&talk(&[tokenless(mechanism), tokenless(mechanism)]).answer), said, "no other challenge");
    }
    let other = talk(&[tokenless(b"CRAM-MD5"), sasl("FOO", b"root 00")]);
    assert_eq!(fields(&other, &["username", "response"]), ["root", "00"]);
    assert!(other.findings.fields["challenge"].starts_with('<') && words(&other.answer).contains("user not found"));
    let scram = talk(&[tokenless(b"NTLM"), sasl("SCRAM-SHA-1", b"n,,n=root,r=x")]);
    assert_eq!(fields(&scram, &["username"]), ["root"]);
    let windows = talk(&[tokenless(b"ntlm"), sasl("NTLM", &client::negotiate())]);
    assert!(ntlm::find(&windows.answer).is_some(), "goes on as it was begun");
}

#[test]
fn while_a_login_is_under_way_nothing_else_is_answered_and_all_is_told() {
    let delete = request(0x4a, b"cn=a,dc=example,dc=org");
    let heard = talk(&[tokenless(b"CRAM-MD5"), search("", 0, &["+"]), delete, sasl("CRAM-MD5", b"root 00")]);
    assert_eq!(said(&heard.answer).matches("SASL bind in progress").count(), 2);
    assert!(!said(&heard.answer).contains("namingContexts") && words(&heard.answer).contains("user not found"));
    assert_eq!(fields(&heard, &["attributes", "entry", "username"]), ["+", "cn=a,dc=example,dc=org", "root"]);
    assert!(heard.findings.fields["challenge"].starts_with('<') && heard.findings.signs.contains(Signs::RULE));
    let abandon = talk(&[tokenless(b"CRAM-MD5"), request(0x50, &[1])]);
    assert!(abandon.answer.ends_with(b"\x30\x21\x02\x01\0\x30\x1c\x0a\x01\x01\x04\0\x04\x15SASL bind in progress"));
    assert_eq!(talk(&[tokenless(b"CRAM-MD5"), request(0x42, b"")]).flow, Flow::Close);
    assert!(said(&talk(&[tokenless(b"CRAM-MD5"), request(0x41, b"")]).answer).contains("unknown LDAP request"));
}

/// A bind of this version, by this method.
fn bind(version: u8, name: &[u8], method: u8, secret: &[u8]) -> Vec<u8> {
    request(0x60, &[ber(2, &[version]), ber(4, name), ber(method, secret)].concat())
}

#[test]
fn whoever_tries_to_log_in_is_told_before_anything_is_judged() {
    let plain = sequence(0, &[ber(4, b"PLAIN"), ber(4, PLAIN)])[2..].to_vec();
    let last = client::answer("admin", "CORP", &[9; 40]);
    let password = sequence(0x30, &[ber(0x80, b"cn=a"), ber(0x81, b"old"), ber(0x82, b"new")]);
    let change = |value: &[u8]| request(0x77, &[ber(0x80, b"1.3.6.1.4.1.4203.1.11.1"), ber(0x81, value)].concat());
    type Told<'a> = &'a [(&'a str, &'a str)];
    let table: [(Vec<u8>, Told<'_>, Signs); 13] = [
        (
            change(&password),
            &[("username", "cn=a"), ("password", "old"), ("new_password", "new")],
            Signs::CREDENTIALS | Signs::RULE,
        ),
        (change(b""), &[("extension", "1.3.6.1.4.1.4203.1.11.1")], Signs::RULE),
        (change(&password[..9]), &[("extension", "1.3.6.1.4.1.4203.1.11.1")], Signs::RULE),
        (bind(3, b"cn=a", 0x81, b"ticket"), &[("username", "cn=a"), ("response", "ticket")], Signs::CREDENTIALS),
        (bind(3, b"", 0x8b, &last), &[("username", "admin"), ("domain", "CORP")], Signs::CREDENTIALS),
        (bind(2, b"", 0xa3, &plain), &[("username", "admin"), ("password", "hunter2")], Signs::CREDENTIALS),
        (bind(4, b"foo", 0xa3, &plain), &[("entry", "foo"), ("username", "admin"), ("password", "hunter2")], Signs::CREDENTIALS),
        (bind(2, b"cn=a", 0x80, b"hunter2"), &[("username", "cn=a"), ("password", "hunter2")], Signs::CREDENTIALS),
        (bind(3, b"", 0x80, b"hunter2"), &[("username", ""), ("password", "hunter2")], Signs::CREDENTIALS),
        (sasl("PLAIN", b"\0\0hunter2"), &[("username", ""), ("password", "hunter2")], Signs::CREDENTIALS),
        (sasl("LOGIN", b"root"), &[("username", "root"), ("mechanism", "LOGIN")], Signs::CREDENTIALS),
        (sasl("GSSAPI", b"ticket"), &[("response", "ticket"), ("mechanism", "GSSAPI")], Signs::CREDENTIALS),
        (simple("", ""), &[("username", "")], Signs::empty()),
    ];
    for (bytes, told, signs) in table {
        let heard = talk(core::slice::from_ref(&bytes));
        let found = &heard.findings.fields;
        let has = |(name, value): &(&str, &str)| found.get(*name).is_some_and(|found| found == value);
        assert!(told.iter().all(has), "{}: {found:?}", bytes.escape_ascii());
        assert_eq!(heard.findings.signs, signs, "{}", bytes.escape_ascii());
    }
    assert_eq!(talk(&[bind(3, b"", 0x8b, &last)]).findings.fields.get("hash"), None, "nothing was asked");
}

#[test]
fn a_bind_is_found_fault_with_as_slapd_does() {
    let table = [
        (bind(3, b"foo", 0xa3, b"\x04\x05PLAIN"), 34),
        (bind(3, b"foo", 0x8a, b"x"), 34),
        (bind(2, b"foo", 0x80, b"x"), 34),
        (bind(2, b"", 0x8a, b"x"), 2),
        (bind(3, b"", 0x8a, b"x"), 7),
        (bind(3, b"", 0x80, b"x"), 49),
    ];
    for (bytes, code) in table {
        assert_eq!(talk(core::slice::from_ref(&bytes)).answer[9], code, "{}", bytes.escape_ascii());
    }
    let broken = talk(&[bind(2, b"", 0xa3, b"")]);
    assert_eq!((broken.flow, broken.findings.signs), (Flow::Close, Signs::MALFORMED));
    assert!(broken.answer.starts_with(b"\x30\x1a\x02\x01\x01\x61") && broken.answer.ends_with(b"decoding error"));
}

#[test]
fn what_was_said_last_of_a_login_is_said_of_the_next_step() {
    let told = |parts: &[Vec<u8>]| words(&talk(&[parts, &[tokenless(b"DIGEST-MD5")]].concat()).answer);
    assert_eq!(told(&[]), "SASL(0): successful result: ");
    let listed = "SASL(0): successful result: security flags do not match required";
    assert_eq!(told(&[search("", 0, &[])]), listed);
    assert_eq!(told(&[search("", 2, &[]), search("dc=example,dc=org", 0, &[])]), "SASL(0): successful result: ");
    assert_eq!(told(&[sasl("FOO", b""), simple("", "")]), "SASL(-4): no mechanism available: Couldn't find mech FOO");
    assert_eq!(told(&[sasl("FOO", b""), sasl("EXTERNAL", b"")]), "SASL(-4): no mechanism available: Couldn't find mech FOO");
    let refused = with(&search("", 0, &[]), MATTERS);
    assert_eq!(told(&[refused]), "SASL(0): successful result: ", "nobody looked at the root");
}

#[test]
fn a_simple_bind_ends_what_was_begun() {
    let heard = talk(&[tokenless(b"CRAM-MD5"), simple("cn=a", "b"), sasl("CRAM-MD5", b"root 00")]);
    assert!(said(&heard.answer).ends_with("Remote sent first but mech does not allow it."));
    assert_eq!(fields(&heard, &["username", "challenge"]), ["root", ""]);
}

#[test]
fn each_challenge_is_another() {
    let (digest, cram) = (tokenless(b"DIGEST-MD5"), tokenless(b"CRAM-MD5"));
    // Each second step fails, and is the last.
    let begun = [digest.clone(), digest.clone(), digest.clone(), digest.clone(), cram];
    let nonces = talk(&begun);
    let told = said(&nonces.answer);
    let mut found = told.split("nonce=\"").skip(1).map(|rest| &rest[..44]);
    let (one, other) = (found.next().unwrap(), found.next().unwrap());
    assert!(one != other && one.ends_with('=') && found.next().is_none(), "{one} {other}");
    let number: u32 = told.rsplit_once('<').unwrap().1.split_once('.').unwrap().0.parse().unwrap();
    let known = [one, other].map(|nonce| crate::text::unbase64(nonce.as_bytes()).unwrap());
    assert!(known.iter().all(|nonce| !nonce.starts_with(&number.to_le_bytes())));
    let windows = [sasl("NTLM", &client::negotiate()), sasl("NTLM", &client::answer("a", "b", &[9; 40]))].concat();
    let windows = talk(&[&begun[..4], &[windows]].concat());
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
    ber(0xa0, &sequence(0x30, &[ber(4, b"2.16.840.1.113730.3.4.18"), ber(4, b"u:a")]))
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
        (with(&bind, &proxied()), 49, login, [DN, "x"], Signs::CREDENTIALS),
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
fn a_login_that_a_control_has_refused_is_over() {
    let answer = sasl("CRAM-MD5", b"root 00");
    let heard = talk(&[tokenless(b"CRAM-MD5"), with(&answer, MATTERS), answer]);
    assert!(words(&heard.answer).ends_with("Remote sent first but mech does not allow it."));
    assert!(heard.reports[1].0.fields["challenge"].starts_with('<') && heard.reports[2].0.fields["challenge"].is_empty());
    let refused = talk(&[with(&tokenless(b"CRAM-MD5"), MATTERS), sasl("CRAM-MD5", b"root 00")]);
    assert!(said(&refused.answer).ends_with("mech does not allow it."), "none was made");
}

#[test]
fn a_search_is_found_fault_with_as_slapd_does_and_told_all_the_same() {
    let asked = |deref: u8, size: &[u8], time: &[u8]| {
        let head = [ber(4, b"dc=a"), ber(10, &[0]), ber(10, &[deref]), ber(2, size), ber(2, time), ber(1, &[0])].concat();
        talk(&[request(0x63, &[head, ber(0x87, b"mail"), sequence(0x30, &[ber(4, b"uid")])].concat())])
    };
    let table = [
        (asked(9, &[0], &[0]), "invalid deref"),
        (asked(9, &[0xff], &[0]), "invalid size limit"),
        (asked(9, &[0xff], &[0xff]), "invalid time limit"),
        (asked(0, &[0, 0, 0, 0, 1], &[0]), "decoding error"),
        (asked(3, &[], &[0x7f, 0xff, 0xff, 0xff]), ""),
    ];
    for (heard, said) in table {
        assert_eq!(words(&heard.answer), said);
        let told = if said == "decoding error" { ["dc=a", "", ""] } else { ["dc=a", "(mail=*)", "uid"] };
        assert_eq!(fields(&heard, &["base", "filter", "attributes"]), told);
    }
}

#[test]
fn what_is_below_the_configuration_is_somebodys_and_what_only_ends_as_the_tree_does_is_not() {
    for (name, code) in [
        ("cn=module{0},cn=config", 8),
        ("cn=config", 8),
        ("cn=a,dc=example,dc=org", 8),
        ("cn=a\\,dc=example,dc=org", 53),
        ("cn=adc=example,dc=org", 53),
        ("cn=aconfig", 53),
    ] {
        assert_eq!(talk(&[request(0x4a, name.as_bytes())]).answer[9], code, "{name}");
    }
    let change = [ber(4, b"olcDatabase={0}config,cn=config"), sequence(0x30, &[])].concat();
    assert_eq!(talk(&[request(0x66, &change)]).answer[9], 8);
}

#[test]
fn what_is_no_client_is_left_before_its_message_is_held() {
    for bytes in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"\x30\x84\xff\xff\xff\xff", b"\x30\x80", b"\x30\0"] {
        let heard = talk(&[bytes.to_vec()]);
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED), "{bytes:?}");
    }
}

fn seek(filter: &[u8]) -> Vec<u8> {
    let head = [ber(4, b"dc=example,dc=org"), ber(10, &[2]), ber(10, &[0]), ber(2, &[0]), ber(2, &[0]), ber(1, &[0])].concat();
    request(0x63, &[head.as_slice(), filter, &[0x30, 0]].concat())
}

/// Deep filters, many, and such with many pieces.
fn filters() -> impl Strategy<Value = Vec<u8>> {
    let deep = (0_usize..300).prop_map(|times| (0..times).fold(ber(0x87, b"dc"), |inner, _| ber(0xa2, &inner)));
    let many = (0_usize..4_000).prop_map(|times| ber(0xa0, &ber(0x87, b"mail").repeat(times)));
    let pieces = (0_usize..10_000).prop_map(|times| sequence(0xa4, &[ber(4, b"o"), ber(0x30, &ber(0x81, b"e").repeat(times))]));
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
