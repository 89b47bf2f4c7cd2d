//! IMAP held against what Dovecot says, and against noise.

use super::*;
use crate::{
    Flow, Session,
    drive::{self, Heard, said},
};
use alloc::{format, vec, vec::Vec};
use honeymesh_types::Signs;
use proptest::prelude::*;

fn talk(bytes: &[u8]) -> Heard {
    drive::whole(&mut Imap::default().session(7), bytes)
}

fn replies(bytes: &[u8]) -> String {
    let shown = said(&talk(bytes).answer).replace("\r\n", "|");
    let (greeting, replies) = shown.split_once('|').unwrap();
    assert!(greeting.starts_with("* OK [CAPABILITY IMAP4rev1 ") && greeting.ends_with("] Dovecot ready."));
    replies.to_string()
}

#[test]
fn commands_are_answered_as_dovecot_does() {
    let table: [(&[u8], &str); 10] = [
        (b"a LOGIN root toor\r\n", "a NO [AUTHENTICATIONFAILED] Authentication failed.|"),
        (b"a starttls x\r\n", "a OK Begin TLS negotiation now.|"),
        (b"a noop\r\n", "a OK NOOP completed.|"),
        (b"a ID NIL\r\n", "* ID (\"name\" \"Dovecot\")|a OK ID completed.|"),
        (b"a SELECT inbox\r\n", "a BAD Error in IMAP command received by server.|"),
        (
            b"GET / HTTP/1.0\r\n\r\n",
            "GET BAD Error in IMAP command received by server.|* BAD Error in IMAP command received by server.|",
        ),
        (b"a AUTHENTICATE GSSAPI\r\n", "a NO [ALERT] Unsupported authentication mechanism.|"),
        (b"a AUTHENTICATE PLAIN\r\n*\r\n", "+ |a BAD Authentication aborted by client.|"),
        (b"a LOGIN {4}\r\n", "+ OK|"),
        (b"a LOGOUT\r\nb NOOP\r\n", "* BYE Logging out|a OK Logout completed.|"),
    ];
    for (bytes, answer) in table {
        assert_eq!(replies(bytes), answer, "{:?}", said(bytes));
    }
    assert!(
        replies(b"a CAPABILITY\r\n")
            .starts_with("* CAPABILITY IMAP4rev1 LOGIN-REFERRALS ID ENABLE IDLE SASL-IR LITERAL+ STARTTLS AUTH=PLAIN")
    );
    assert!(replies(&b"x\r\n".repeat(9)).ends_with("|* BYE Too many invalid IMAP commands.|"));
}

#[test]
fn inside_tls_it_offers_none() {
    let imap = Imap::default();
    let mut session = imap.session(7);
    let (asked, _) = drive::begun(&mut session, &[b"a STARTTLS\r\n"]);
    assert!(asked.flow == Flow::StartTls && session.tls().protocol() == Some("imap") && !session.purges(b"b NOOP\r\n"));
    let inside = said(&drive::whole(&mut session, b"b CAPABILITY\r\nc STARTTLS\r\n").answer);
    assert!(inside.contains(" LITERAL+ AUTH=PLAIN") && inside.ends_with("c BAD TLS is already active.\r\n"), "{inside}");
    let from_the_start = said(&drive::whole(&mut imap.secured(7), b"").answer);
    assert!(from_the_start.starts_with("* OK [CAPABILITY ") && !from_the_start.contains("STARTTLS"));
    let mut last_words = Vec::new();
    session.misses_tls(b"b NOO", &mut last_words);
    assert_eq!(last_words, crate::tls::DOVECOT_ALERT);
}

#[test]
fn each_way_to_log_in_gives_the_credentials_away() {
    let lines: [&[u8]; 7] = [
        b"a LOGIN root toor\r\n",
        b"a login \"root\" \"toor\"\r\n",
        b"a LOGIN {4}\r\nroot {4}\r\ntoor\r\n",
        b"a LOGIN {4+}\r\nroot \"toor\"\r\n",
        b"a AUTHENTICATE PLAIN\r\nAHJvb3QAdG9vcg==\r\n",
        b"a AUTHENTICATE PLAIN AHJvb3QAdG9vcg==\r\n",
        b"a AUTHENTICATE LOGIN\r\ncm9vdA==\r\ndG9vcg==\r\n",
    ];
    for bytes in lines {
        let heard = talk(bytes);
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Telling, Signs::CREDENTIALS), "{:?}", said(bytes));
        let fields = ["username", "password"].map(|name| heard.findings.fields[name].as_str());
        assert_eq!(fields, ["root", "toor"], "{:?}", said(bytes));
        assert!(said(&heard.answer).ends_with("a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"));
    }
}

#[test]
fn a_literal_without_measure_ends_it_before_a_byte_of_it_is_held() {
    for announced in ["5000", "18446744073709551615"] {
        let heard = talk(format!("a LOGIN {{{announced}+}}\r\nroot").as_bytes());
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Close, Signs::MALFORMED));
    }
    assert_eq!(talk(b"a LOGIN {0}\r\n {0}\r\n\r\n").findings.fields["username"], "", "nothing is a name, too");
}

fn chat() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"a LOGIN ".to_vec()),
        Just(b"{4}\r\n".to_vec()),
        Just(b"{9+}\r\n".to_vec()),
        Just(b"root".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"a AUTHENTICATE LOGIN\r\nYQ==\r\n".to_vec()),
        Just(b"\"x\\".to_vec()),
        Just(vec![b'x'; 9_000]),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(word, 0..30).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
        drive::law(|| Imap::default().session(7), &bytes, &cuts)?;
    }
}
