//! SMTP held against what Postfix says, and against noise.

use super::*;
use crate::{
    Flow,
    drive::{self, Heard, said},
    text::base64,
};
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use honeymesh_types::Signs;
use proptest::prelude::*;

fn smtp() -> Smtp {
    Smtp::of(&Persona::of([7; 32]).named("mail").unwrap())
}

/// Line by line, as a client that waits for each answer.
fn talk(bytes: &[u8]) -> Heard {
    drive::chunks(&mut smtp().session(7), &drive::lines(bytes))
}

fn replies(bytes: &[u8]) -> String {
    let shown = said(&talk(bytes).answer).replace("\r\n", "|");
    shown.strip_prefix("220 mail.localdomain ESMTP Postfix (Debian)|").unwrap().to_string()
}

#[test]
fn commands_are_answered_as_postfix_does() {
    let table: [(&[u8], &str); 21] = [
        (b"HELO a\r\n", "250 mail.localdomain|"),
        (b"EHLO\r\n", "501 Syntax: EHLO hostname|"),
        (b"MAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n", "250 2.1.0 Ok|503 5.5.1 Error: nested MAIL command|"),
        (b"MAIL a\r\n", "501 5.5.4 Syntax: MAIL FROM:<address>|"),
        (b"MAIL FROM:<a> SIZE=99999999\r\n", "552 5.3.4 Message size exceeds fixed limit|"),
        (b"RCPT TO:<a>\r\n", "503 5.5.1 Error: need MAIL command|"),
        (b"MAIL FROM: a@b\r\nRCPT TO: c@d\r\n", "250 2.1.0 Ok|250 2.1.5 Ok|"),
        (b"DATA\r\n", "503 5.5.1 Error: need RCPT command|"),
        (b"MAIL FROM:<>\r\nDATA\r\n", "250 2.1.0 Ok|554 5.5.1 Error: no valid recipients|"),
        (b"STARTTLS x\r\n", "501 5.5.4 Syntax: STARTTLS|"),
        (b"STARTTLS\r\n", "220 2.0.0 Ready to start TLS|"),
        (b"XCLIENT a\r\n", "550 5.7.0 Error: insufficient authorization|"),
        (b"noop\r\nRSET\r\n", "250 2.0.0 Ok|250 2.0.0 Ok|"),
        (b"VRFY root\r\n", "252 2.0.0 root|"),
        (b"AUTH PLAIN\r\n", "334 |"),
        (b"EXPN a\r\n", "500 5.5.2 Error: command not recognized|"),
        (b"ETRN a\r\n", "459 <a>: service unavailable|"),
        (b"VRFY\r\n", "501 5.5.4 Syntax: VRFY address [SMTPUTF8]|"),
        (
            b"HELP me\r\n",
            "214 2.0.0 Commands: AUTH BDAT DATA EHLO ETRN HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS VRFY XCLIENT XFORWARD|",
        ),
        (b"GET / HTTP/1.0\r\n", "221 2.7.0 Error: I can break rules, too. Goodbye.|"),
        (b"QUIT\r\nNOOP\r\n", "221 2.0.0 Bye|"),
    ];
    for (bytes, answer) in table {
        assert_eq!(replies(bytes), answer, "{:?}", said(bytes));
    }
    assert!(
        replies(b"EHLO a\r\n").contains("|250-AUTH PLAIN LOGIN|250-ENHANCED")
            && replies(b"EHLO a\r\n").contains("|250-ETRN|250-STARTTLS|250-AUTH")
    );
    assert!(replies(&b"x\r\n".repeat(30)).ends_with("|421 4.7.0 mail.localdomain Error: too many errors|"));
    let waits: Vec<u32> = talk(&b"x\r\n".repeat(30)).pauses.iter().map(|(_, ms)| *ms).collect();
    assert_eq!(waits, [1_000; 10], "from the eleventh mistake on Postfix takes its time");
}

/// Each was sent to a real Postfix 3.10.13 in one packet.
#[test]
fn who_does_not_wait_is_left_as_postfix_leaves_him() {
    const OUT: &str = "554 5.5.0 Error: SMTP protocol synchronization\r\n";
    let out: [&[&[u8]]; 8] = [
        &[b"STARTTLS\r\nEHLO b\r\n"],
        &[b"EHLO a\r\nMAIL FROM:<a@b>\r\n"],
        &[b"EHLO a\r\n\x16"],
        &[b"HELO a\r\n", b"RSET\r\nRSET\r\n"],
        &[b"EHLO a\r\n", b"NOOP\r\nRSET\r\n"],
        &[b"EHLO a\r\n", b"RSET\r\nEHLO b\r\nNOOP\r\n"],
        &[b"EHLO a\r\n", b"MAIL FROM:<a@localhost>\r\nDATA\r\nRSET\r\n"],
        &[b"QUIT\r\nRSET\r\n"],
    ];
    for chunks in out {
        let heard = drive::chunks(&mut smtp().session(7), chunks);
        assert!(heard.flow == Flow::Close && said(&heard.answer).ends_with(OUT), "{}", said(&heard.answer));
        assert!(heard.findings.fields.contains_key("out_of_step") && heard.findings.signs.is_empty());
    }
    let in_step: [&[&[u8]]; 4] = [
        &[b"EHLO a\r\n", b"MAIL FROM:<a@localhost>\r\nRCPT TO:<root@localhost>\r\nDATA\r\n", b"a\r\n.\r\nQUIT\r\n"],
        &[b"EHLO a\r\n", b"QUIT\r\nRSET\r\n"],
        &[b"EHLO a\r\n", b"HELP\r\nETRN a\r\nNOOP\r\n"],
        &[b"foo\r\nbar\r\n"],
    ];
    for chunks in in_step {
        let heard = drive::chunks(&mut smtp().session(7), chunks);
        assert!(!said(&heard.answer).contains("synchronization"), "{}", said(&heard.answer));
    }
    let heard = drive::whole(&mut smtp().session(7), b"EHLO a\r\nAUTH PLAIN AHJvb3QAdG9vcg==\r\nMAIL FROM:<a@b>\r\nhalf");
    assert!(heard.findings.fields["password"] == "toor" && heard.findings.fields["sender"] == "a@b", "heard all the same");
    assert_eq!((heard.pauses.len(), said(&heard.answer).matches("\r\n").count()), (0, 2), "and not answered");
}

#[test]
fn inside_tls_it_begins_anew_and_offers_none() {
    let mut session = smtp().session(7);
    let (asked, _) = drive::begun(&mut session, &[b"EHLO a\r\n", b"MAIL FROM:<a@b>\r\n", b"STARTTLS\r\n"]);
    assert!(asked.flow == Flow::StartTls && session.purges(b"RSET\r\n"));
    let inside = drive::chunks(&mut session, &[b"RCPT TO:<a@b>\r\n", b"MAIL FROM:<a@b>\r\n", b"EHLO a\r\n", b"STARTTLS\r\n"]);
    let shown = said(&inside.answer).replace("\r\n", "|");
    assert!(shown.starts_with("503 5.5.1 Error: need MAIL command|250 2.1.0 Ok|250-mail.localdomain|"), "{shown}");
    assert!(shown.contains("|250-ETRN|250-AUTH ") && shown.ends_with("|554 5.5.1 Error: TLS already active|"), "{shown}");
    let from_the_start = said(&drive::whole(&mut smtp().secured(7), b"EHLO a\r\n").answer);
    assert!(from_the_start.starts_with("220 mail.") && !from_the_start.contains("STARTTLS"));
}

#[test]
fn each_way_to_log_in_gives_the_credentials_away() {
    let plain = base64(b"\0root\0toor");
    let lines = [
        format!("AUTH PLAIN {plain}\r\n"),
        format!("AUTH PLAIN\r\n{plain}\r\n"),
        "AUTH LOGIN\r\ncm9vdA==\r\ndG9vcg==\r\n".to_string(),
        "AUTH LOGIN cm9vdA==\r\ndG9vcg==\r\n".to_string(),
    ];
    for line in lines {
        let heard = talk(("EHLO a\r\n".to_string() + &line).as_bytes());
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Telling, Signs::CREDENTIALS), "{line}");
        let fields = ["client", "username", "password"].map(|name| heard.findings.fields[name].as_str());
        assert_eq!(fields, ["a", "root", "toor"], "{line}");
    }
    assert!(
        replies(b"EHLO a\r\nAUTH LOGIN\r\nYQ==\r\nYg==\r\n")
            .ends_with("|334 VXNlcm5hbWU6|334 UGFzc3dvcmQ6|535 5.7.8 Error: authentication failed: (reason unavailable)|")
    );
    assert!(replies(b"EHLO a\r\nAUTH GSSAPI\r\nAUTH LOGIN\r\n*\r\n").ends_with("|535 5.7.8 Error: authentication failed: Invalid authentication mechanism: 'GSSAPI'|334 VXNlcm5hbWU6|501 5.7.0 Authentication aborted|"));
}

#[test]
fn a_letter_is_taken_and_its_sender_is_hostile() {
    let heard = talk(
        b"EHLO x\r\nMAIL FROM:<spam@example.org> BODY=8BITMIME\r\nRCPT TO:<one@example.com>\r\nRCPT TO:<two@example.com>\r\n\
          DATA\r\nsubject: Invoice\r\n\r\nopen this\r\n..dot\r\n.\r\nQUIT\r\n",
    );
    let fields = &heard.reports[0].0.fields;
    let told = ["sender", "recipients", "subject", "body"].map(|name| fields[name].as_str());
    assert_eq!(told, ["spam@example.org", "one@example.com two@example.com", "Invoice", "open this\\u{a}.dot\\u{a}"]);
    assert_eq!((heard.reports[0].0.signs, heard.flow), (Signs::RULE, Flow::Close));
    let answer = said(&heard.answer);
    let queued = answer.lines().find_map(|line| line.strip_prefix("250 2.0.0 Ok: queued as ")).unwrap();
    assert!(queued.len() == 10 && queued.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(!answer.contains("open this"), "nothing is sent on or back");
    let half = talk(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhello");
    assert_eq!((half.findings.signs, half.findings.fields["recipients"].as_str()), (Signs::RULE, "c@d"));
}

#[test]
fn recipients_and_lines_are_bounded() {
    let many = [b"MAIL FROM:<a@b>\r\n".to_vec(), b"RCPT TO:<c@d>\r\n".repeat(1_001)].concat();
    assert!(replies(&many).ends_with("|250 2.1.5 Ok|452 4.5.3 Error: too many recipients|"));
    let heard = talk(&[b"NOOP ".to_vec(), vec![b'x'; 5_000], b"\r\n".to_vec()].concat());
    assert_eq!(heard.findings.signs, Signs::MALFORMED);
}

fn chat() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"EHLO a\r\n".to_vec()),
        Just(b"AUTH LOGIN\r\n".to_vec()),
        Just(b"YQ==\r\n".to_vec()),
        Just(b"MAIL FROM:<a@b>\r\nRCPT TO:<c>\r\nDATA\r\n".to_vec()),
        Just(b".\r\n".to_vec()),
        Just(b"VRFY x\r\n".to_vec()),
        Just(vec![b'x'; 3_000]),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(word, 0..30).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_bytes_break_it_and_cut_lines_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
        drive::law_of_lines(|| smtp().session(7), &bytes, &cuts)?;
    }
}

/// Each was said to a real Postfix 3.10.13, which answered the same.
#[test]
fn letters_in_pieces_are_taken_as_postfix_takes_them() {
    let hello = "EHLO a\r\n";
    let letter = "EHLO a\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<root>\r\n";
    let table: [(&str, &[&str], &str); 14] = [
        (hello, &["BDAT\r\n"], "521 5.5.4 Syntax: BDAT count [LAST]|"),
        (hello, &["BDAT 3 FOO\r\n"], "521 5.5.4 Syntax: BDAT count [LAST]|"),
        (letter, &["BDAT 99999999999999999999\r\n"], "521 5.5.4 Syntax: BDAT count [LAST]|"),
        (letter, &["BDAT 99999999\r\n"], "552 5.3.4 Chunk exceeds message size limit|"),
        (
            hello,
            &["BDAT 3\r\nabc", "BDAT 3 LAST\r\nabc", "BDAT 3 LAST\r\nabc"],
            "503 5.5.1 Error: need RCPT command|551 5.0.0 Discarded 3 bytes after earlier error|503 5.5.1 Error: need RCPT command|",
        ),
        (letter, &["BDAT 3 last\r\nabc"], "250 2.0.0 Ok: 5 bytes queued as #|"),
        (letter, &["BDAT 3\r\nabc", "BDAT 0 LAST\r\n"], "250 2.0.0 Ok: 3 bytes|250 2.0.0 Ok: 5 bytes queued as #|"),
        (letter, &["BDAT 0 LAST\r\n"], "250 2.0.0 Ok: 0 bytes queued as #|"),
        (letter, &["BDAT 6 LAST\r\na\nb\r\nc"], "250 2.0.0 Ok: 9 bytes queued as #|"),
        (letter, &["BDAT 4\r\na\nb\r", "BDAT 3 LAST\r\n\ncd"], "250 2.0.0 Ok: 4 bytes|250 2.0.0 Ok: 10 bytes queued as #|"),
        (letter, &["BDAT 9 LAST\r\na\r\n.\r\nb\r\n"], "250 2.0.0 Ok: 9 bytes queued as #|"),
        (
            letter,
            &["BDAT 3\r\nabc", "DATA\r\n", "MAIL FROM:<c@d.e>\r\n", "RCPT TO:<x>\r\n", "RSET\r\n", "RCPT TO:<x>\r\n"],
            "250 2.0.0 Ok: 3 bytes|503 5.5.1 Error: DATA after BDAT|503 5.5.1 Error: nested MAIL command|\
             503 5.5.1 Error: RCPT after BDAT|250 2.0.0 Ok|503 5.5.1 Error: need MAIL command|",
        ),
        (
            letter,
            &["BDAT 0\r\n", "BDAT 3\r\nabc", "RCPT TO:<x>\r\n", "BDAT 3 LAST\r\nabc", "NOOP\r\n"],
            "551 5.7.1 Null BDAT request|551 5.0.0 Discarded 3 bytes after earlier error|503 5.5.1 Error: RCPT after BDAT|\
             551 5.0.0 Discarded 3 bytes after earlier error|250 2.0.0 Ok|",
        ),
        (
            letter,
            &["BDAT 3\r\nabcBDAT 0 LAST\r\nQUIT\r\n"],
            "250 2.0.0 Ok: 3 bytes|250 2.0.0 Ok: 5 bytes queued as #|221 2.0.0 Bye|",
        ),
    ];
    for (before, then, expected) in table {
        let mut said_before: Vec<&[u8]> = drive::lines(before.as_bytes());
        let begun = said(&drive::chunks(&mut smtp().session(7), &said_before).answer).len();
        said_before.extend(then.iter().map(|piece| piece.as_bytes()));
        let answer = said(&drive::chunks(&mut smtp().session(7), &said_before).answer)[begun..].replace("\r\n", "|");
        let plain: Vec<&str> = answer.split(" queued as ").collect();
        let plain = plain
            .iter()
            .enumerate()
            .map(|(at, part)| if at == 0 { *part } else { part.trim_start_matches(|char: char| char.is_ascii_hexdigit()) });
        assert_eq!(plain.collect::<Vec<_>>().join(" queued as #"), expected, "{then:?}");
    }
    let talk = [letter, "BDAT 26\r\nSubject: Invoice\r\n\r\nbuy th", "BDAT 4 LAST\r\nis\r\n"].concat();
    let heard = drive::chunks(&mut smtp().session(7), &drive::lines(talk.as_bytes()));
    let fields = ["sender", "recipients", "subject"].map(|name| heard.findings.fields[name].as_str());
    assert_eq!(fields, ["a@b.c", "root", "Invoice"]);
    assert!(heard.findings.fields["body"].starts_with("buy this"), "{:?}", heard.findings.fields);
    assert!(heard.findings.signs.contains(Signs::RULE));
}
