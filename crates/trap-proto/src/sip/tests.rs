//! What is said to the exchange, in datagrams and over TCP.

use super::*;
use crate::{
    Definition, Persona, Service,
    drive::{self, NOW, said},
};
use alloc::{format, string::String, vec::Vec};
use proptest::prelude::*;

const NONCE: &str = "0123456789abcdef0123456789abcdef";

/// As svwar of SIPVicious sends it.
const SHORT: &str = "REGISTER sip:198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bK-2584217392;rport\r\n\
                 Content-Length: 0\r\nFrom: \"100\" <sip:100@198.51.100.1>; tag=31303001323937383533\r\n\
                 Accept: application/sdp\r\nUser-Agent: friendly-scanner\r\nTo: \"100\" <sip:100@198.51.100.1>\r\n\
                 Contact: sip:100@198.51.100.1\r\nCSeq: 1 REGISTER\r\nCall-ID: 1739201134\r\nMax-Forwards: 70\r\n\r\n";

/// A request with the headers that each has, and those in `more`.
fn request(method: &str, target: &str, more: &str) -> String {
    format!(
        "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.7:5062;branch=z9hG4bK-77;rport\r\nMax-Forwards: 70\r\n\
         From: \"1000\" <sip:1000@198.51.100.1>;tag=abc\r\nTo: <sip:1000@198.51.100.1>\r\nCall-ID: 1@203.0.113.7\r\n\
         CSeq: 1 {method}\r\nContact: <sip:1000@203.0.113.7:5062>\r\nUser-Agent: friendly-scanner\r\nAccept: application/sdp\r\n\
         {more}Content-Length: 0\r\n\r\n"
    )
}

fn reply(bytes: &str, nonce_at: Option<usize>) -> Reply {
    Sip::default().datagram(&Datagram { bytes: bytes.as_bytes(), nonce_at, now: NOW, ..Datagram::default() })
}

fn authorization(nonce: &str) -> String {
    format!(
        "Authorization: Digest username=\"1000\",realm=\"asterisk\",nonce=\"{nonce}\",uri=\"sip:198.51.100.1\",\
         response=\"ad0520061ca07c120d7e8ce696a6df2d\",algorithm=MD5,cnonce=\"c, d\",qop=auth,nc=00000001\r\n"
    )
}

#[test]
fn a_registration_is_asked_who_it_is_within_its_own_length() {
    let asked = request("REGISTER", "sip:198.51.100.1", "Expires: 3600\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n");
    let reply = reply(&asked, None);
    let answer = said(&reply.answer);
    assert!(answer.len() <= asked.len() && answer.starts_with("SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 203.0.113.7:5062;"));
    assert!(answer.contains("To: <sip:1000@198.51.100.1>;tag=z9hG4bK-77\r\n"), "{answer}");
    let at = reply.nonce_at.unwrap();
    assert!(answer[..at].ends_with("nonce=\"1795341600/") && answer[at + NONCE_BYTES..].starts_with('"'), "{answer}");
    let fields = ["method", "extension", "caller", "tool"].map(|name| reply.findings.fields[name].as_str());
    assert_eq!((fields, reply.findings.signs), (["REGISTER", "1000", "1000", "friendly-scanner"], Signs::RULE));
}

/// What the challenges to the same octets have in them beside the nonce, and the tags that are not repeated.
fn told(answer: &[u8]) -> Vec<String> {
    let answer = said(answer);
    let behind = |what: &str| answer.split(what).skip(1).map(|rest| rest.split(['"', '\r']).next().unwrap().into()).collect();
    let found: [Vec<String>; 2] = ["opaque=\"", "\r\nt: \"100\" <sip:100@198.51.100.1>;tag="].map(behind);
    found.concat()
}

#[test]
fn a_challenge_says_nothing_that_its_octets_give_away() {
    let of = |seed: u8| Persona::of([seed; 32]);
    let trap = |seed: u8| Service::define(&Definition { service: "sip".into(), ..Definition::default() }, &of(seed)).unwrap();
    let long = request("REGISTER", "sip:198.51.100.1", &format!("X: {}\r\n", "x".repeat(300))).replace("1@203", "a@b");
    for (asked, is_dated) in [(long.as_str(), true), (SHORT, false)] {
        let at = |seed: u8, now: WallTime| {
            let found = told(&trap(seed).datagram(&Datagram { bytes: asked.as_bytes(), now, ..Datagram::default() }).answer);
            assert_eq!(found.len(), 1, "{asked}");
            found
        };
        assert_ne!(at(1, NOW), at(2, NOW), "another machine");
        assert_eq!(at(1, NOW) != at(1, WallTime(NOW.0 + 1)), is_dated, "another moment, where it is no tag");
        assert_eq!(at(1, NOW), at(1, NOW));
    }
    let talk = |seed: u8, session: u64| {
        let heard = drive::whole(&mut *trap(seed).session(session), long.repeat(2).as_bytes());
        let found = told(&heard.answer);
        assert!(found.len() == 2 && found[0] != found[1], "each challenge is another");
        found
    };
    let all = [talk(1, 7), talk(1, 8), talk(2, 7)];
    assert!(all[0] != all[1] && all[0] != all[2], "{all:?}");
}

#[test]
fn a_scanners_short_request_gets_a_challenge_too() {
    let reply = reply(SHORT, None);
    let (answer, at) = (said(&reply.answer), reply.nonce_at.unwrap());
    assert!(answer.starts_with("SIP/2.0 401 Unauthorized\r\nv: SIP/2.0/UDP 203.0.113.7:5060;branch="), "{answer}");
    assert!(answer[..at].ends_with("WWW-Authenticate: Digest realm=\"asterisk\",nonce=\"") && answer[at + 32..] == *"\"\r\n\r\n");
    assert!(answer.len() <= SHORT.len() && answer.contains("\r\nt: \"100\" <sip:100@198.51.100.1>;tag="), "{answer}");
}

#[test]
fn a_try_is_kept_in_a_form_that_guesses_can_be_checked_against() {
    let asked = request("REGISTER", "sip:198.51.100.1", &authorization(&format!("1795341600/{NONCE}")));
    let found = reply(&asked, None).findings;
    assert_eq!(
        found.fields["digest"],
        format!(
            "$sip$***1000*asterisk*REGISTER*sip*198.51.100.1**1795341600/{NONCE}*c, d*00000001*auth*MD5*ad0520061ca07c120d7e8ce696a6df2d"
        )
    );
    assert_eq!(found.signs, Signs::RULE | Signs::CREDENTIALS, "whose nonce it is, is not known");
}

#[test]
fn only_a_nonce_in_its_place_proves_where_it_comes_from() {
    let proves = |asked: &str| reply(asked, asked.find(NONCE)).findings.signs.contains(Signs::RETURNED);
    assert!(proves(&request("REGISTER", "sip:a", &authorization(&format!("1795341600/{NONCE}")))));
    assert!(!proves(&request("REGISTER", "sip:a", &format!("X-Note: {NONCE}\r\n"))), "somewhere else");
    assert!(!proves(&request("REGISTER", "sip:a", &format!("{}X: {NONCE}\r\n", authorization("1/2")))));
    assert!(!proves(&format!("SIP/2.0 401 Unauthorized\r\n{}\r\n", authorization(NONCE))), "an echo of our own answer");
}

#[test]
fn a_call_gives_the_number_away() {
    let asked = request("INVITE", "sip:900442071234567@198.51.100.1", "");
    let called = reply(&asked, None);
    assert_eq!((called.findings.fields["number"].as_str(), called.findings.signs), ("900442071234567", Signs::RULE));
    assert!(said(&called.answer).contains("401 Unauthorized"));
    assert!(reply(&request("ACK", "sip:a", ""), None).answer.is_empty());
    assert!(said(&reply(&request("BYE", "sip:a", ""), None).answer).contains("481 Call/Transaction Does Not Exist"));
}

#[test]
fn options_are_told_as_far_as_they_fit() {
    let short = request("OPTIONS", "sip:100@198.51.100.1", "");
    let long = request("OPTIONS", "sip:100@198.51.100.1", &format!("X: {}\r\n", "x".repeat(900)));
    let (short, long) = (said(&reply(&short, None).answer), said(&reply(&long, None).answer));
    assert!(short.starts_with("SIP/2.0 200 OK") && !short.contains("Accept-Language"));
    assert!(long.contains("Allow: OPTIONS, REGISTER") && long.contains("Accept-Language: en\r\nServer: Asterisk PBX 22.7.0\r\n"));
    for silent in ["SIP/2.0 200 OK\r\n\r\n", "\r\n\r\n", "OPTIONS\r\n\r\n", "OPTIONS sip:a SIP/2.0\r\n\r\n"] {
        assert!(reply(silent, None).answer.is_empty(), "{silent:?}");
    }
}

#[test]
fn over_tcp_requests_follow_one_another_and_the_challenge_is_the_connections_own() {
    let body = request("MESSAGE", "sip:a", "").replace("Content-Length: 0\r\n\r\n", "l: 5\r\n\r\nhello");
    let talk =
        format!("\r\n\r\n{}{body}{}", request("OPTIONS", "sip:a", ""), request("REGISTER", "sip:a", &authorization("1/2")));
    let heard = drive::whole(&mut Sip::default().session(7), talk.as_bytes());
    let answer = said(&heard.answer);
    assert!(answer.starts_with("\r\nSIP/2.0 200 OK\r\n"), "{answer}");
    let nonces: alloc::vec::Vec<&str> = answer.split("nonce=\"").skip(1).map(|part| part.split('"').next().unwrap()).collect();
    assert_eq!((nonces.len(), nonces[0]), (2, nonces[1]));
    assert!(!nonces[0].ends_with(&"0".repeat(NONCE_BYTES)));
    assert_eq!((heard.reports.len(), heard.findings.signs), (3, Signs::RULE | Signs::CREDENTIALS));
    assert_eq!(drive::whole(&mut Sip::default().session(7), &[b'x'; 10_000]).findings.signs, Signs::MALFORMED);
}

proptest! {
    #[test]
    fn no_bytes_break_it_and_packets_do_not_matter(
        noise in drive::noise(),
        length in 0_u32..9_000,
        cuts in drive::cuts(),
    ) {
        let talk = [
            request("OPTIONS", "sip:a", "").as_bytes(),
            b"\r\n\r\n\r\n",
            request("INVITE", "sip:1@a", &authorization(NONCE)).replace("Length: 0", &format!("Length: {length}")).as_bytes(),
            &noise,
        ]
        .concat();
        drive::law(|| Sip::default().session(1), &talk, &cuts)?;
        drive::law(|| Sip::default().session(1), &noise, &cuts)?;
    }
}
