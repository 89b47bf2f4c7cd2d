//! A mailbox server that refuses every login: Dovecot's POP3, answer for answer.
//!
//! What is said follows Dovecot 2.4.1 as Debian ships it, with plain logins allowed; its texts stand in `pop3-login`.

use crate::{
    BannerError, Findings, Flow, Session, TlsManner,
    dialogue::{Dialogue, Talk, split_word},
    pause,
    sasl::{Exchange, Turn},
    service::checked_banner,
    tls::DOVECOT_ALERT,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::{Signs, WallTime};

/// What Debian's Dovecot says after `+OK `.
const BANNER: &str = "Dovecot ready.";
/// Commands that are none until Dovecot closes.
const ERRORS_MAX: usize = 3;
/// Logins in one connection: more shows no more.
const TRIES_MAX: usize = 100;

/// Around `STLS`.
const CAPABILITIES: [&str; 2] =
    ["+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\n", "USER\r\nSASL PLAIN LOGIN\r\n.\r\n"];
const FAILED: &str = "-ERR [AUTH] Authentication failed.\r\n";

/// A mailbox server that refuses every login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pop3 {
    banner: String,
}

impl Default for Pop3 {
    /// Debian 13's Dovecot.
    fn default() -> Self {
        Self { banner: BANNER.to_string() }
    }
}

impl Pop3 {
    /// The same with an operator's text after `+OK `.
    ///
    /// # Errors
    /// Says why the text is no banner.
    pub fn saying(self, banner: &str) -> Result<Self, BannerError> {
        Ok(Self { banner: checked_banner(banner)? })
    }

    /// A new connection; `seed` makes the time that a refusal takes.
    #[must_use]
    pub fn session(&self, seed: u64) -> impl Session + use<> {
        Talk::new(self.login(seed, false))
    }

    /// The same inside TLS.
    #[must_use]
    pub fn secured(&self, seed: u64) -> impl Session + use<> {
        Talk::new(self.login(seed, true))
    }

    fn login(&self, seed: u64, is_tls: bool) -> Pop3Login {
        Pop3Login {
            is_tls,
            banner: self.banner.clone(),
            seed,
            user: None,
            exchange: None,
            errors: 0,
            tries: 0,
            wait_ms: 0,
            findings: Findings::default(),
        }
    }
}

/// One connection to the mailbox server.
struct Pop3Login {
    is_tls: bool,
    banner: String,
    seed: u64,
    user: Option<Vec<u8>>,
    exchange: Option<Exchange>,
    errors: usize,
    tries: usize,
    wait_ms: u32,
    findings: Findings,
}

impl Pop3Login {
    fn command(&mut self, line: &[u8]) -> (String, Flow) {
        let (verb, argument) = split_word(line);
        match verb.to_ascii_uppercase().as_slice() {
            b"USER" => self.user(argument),
            b"PASS" => self.password(argument),
            b"APOP" => self.apop(argument),
            b"AUTH" => self.auth(argument),
            b"CAPA" => (CAPABILITIES.join(if self.is_tls { "" } else { "STLS\r\n" }), Flow::Continue),
            b"STLS" if self.is_tls => ("-ERR TLS is already active.\r\n".to_string(), Flow::Continue),
            b"STLS" => ("+OK Begin TLS negotiation now.\r\n".to_string(), Flow::StartTls),
            b"QUIT" => ("+OK Logging out\r\n".to_string(), Flow::Close),
            _ => self.unknown(line),
        }
    }

    fn unknown(&mut self, line: &[u8]) -> (String, Flow) {
        self.findings.note("command", line);
        self.findings.signs |= Signs::MALFORMED;
        self.errors += 1;
        if self.errors < ERRORS_MAX {
            return ("-ERR Unknown command.\r\n".to_string(), Flow::Continue);
        }
        ("-ERR Unknown command.\r\n-ERR Too many invalid bad commands.\r\n".to_string(), Flow::Close)
    }

    fn user(&mut self, name: &[u8]) -> (String, Flow) {
        self.findings.note("username", name);
        self.user = Some(name.to_vec());
        ("+OK\r\n".to_string(), Flow::Continue)
    }

    fn password(&mut self, password: &[u8]) -> (String, Flow) {
        let user = self.user.take();
        self.findings.note("password", password);
        let Some(user) = user else { return ("-ERR No username given.\r\n".to_string(), Flow::Continue) };
        self.findings.note("username", &user);
        self.tried()
    }

    /// A name and a digest of the greeting's stamp and a password (RFC 1939): there is no stamp, as it is usual.
    fn apop(&mut self, argument: &[u8]) -> (String, Flow) {
        let (name, digest) = split_word(argument);
        self.findings.note("username", name);
        self.findings.note("response", digest);
        self.findings.note("mechanism", b"APOP");
        ("-ERR APOP not enabled.\r\n".to_string(), Flow::Continue)
    }

    fn tried(&mut self) -> (String, Flow) {
        self.findings.signs |= Signs::CREDENTIALS;
        self.tries += 1;
        self.wait_ms = pause::dovecot_ms(self.seed, self.tries);
        (FAILED.to_string(), if self.tries < TRIES_MAX { Flow::Telling } else { Flow::Close })
    }

    fn auth(&mut self, argument: &[u8]) -> (String, Flow) {
        let (name, initial) = split_word(argument);
        if name.is_empty() {
            return ("+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n".to_string(), Flow::Continue);
        }
        let Some(mut exchange) = Exchange::begin(name) else {
            self.findings.note("mechanism", name);
            return ("-ERR [AUTH] Unsupported authentication mechanism.\r\n".to_string(), Flow::Continue);
        };
        let turn = exchange.open((!initial.is_empty()).then_some(initial), &mut self.findings);
        self.turn(exchange, turn)
    }

    fn turn(&mut self, exchange: Exchange, turn: Turn) -> (String, Flow) {
        match turn {
            Turn::Ask(challenge) => {
                self.exchange = Some(exchange);
                (format!("+ {challenge}\r\n"), Flow::Continue)
            }
            Turn::Tried => self.tried(),
            Turn::Aborted => ("-ERR Authentication aborted by client.\r\n".to_string(), Flow::Continue),
            Turn::Broken => {
                self.findings.signs |= Signs::MALFORMED;
                ("-ERR [AUTH] Invalid base64 in response\r\n".to_string(), Flow::Continue)
            }
        }
    }
}

impl Dialogue for Pop3Login {
    /// Dovecot's own limit before a login.
    const LINE_BYTES_MAX: usize = 8_192;
    const REPLY_BYTES_MAX: usize = 512;
    const TLS: TlsManner = TlsManner::Pop3;
    const NO_TLS: &[u8] = &DOVECOT_ALERT;

    fn greet(&mut self, answer: &mut Vec<u8>) {
        answer.extend_from_slice(format!("+OK {}\r\n", self.banner).as_bytes());
    }

    fn line(&mut self, line: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let (reply, flow) = match self.exchange.take() {
            Some(mut exchange) => {
                let turn = exchange.take(line, &mut self.findings);
                self.turn(exchange, turn)
            }
            None => self.command(line),
        };
        answer.extend_from_slice(reply.as_bytes());
        flow
    }

    fn secured(&mut self) {
        self.is_tls = true;
    }

    fn wait_ms(&mut self) -> u32 {
        core::mem::take(&mut self.wait_ms)
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::{self, Heard, said};
    use proptest::prelude::*;

    fn talk(bytes: &[u8]) -> Heard {
        drive::whole(&mut Pop3::default().session(7), bytes)
    }

    fn replies(bytes: &[u8]) -> String {
        let shown = said(&talk(bytes).answer).replace("\r\n", "|");
        let (greeting, replies) = shown.split_once('|').unwrap();
        assert!(greeting == "+OK Dovecot ready.", "{greeting}");
        replies.to_string()
    }

    #[test]
    fn commands_are_answered_as_dovecot_does() {
        let table: [(&[u8], &str); 9] = [
            (b"USER root\r\n", "+OK|"),
            (b"PASS x\r\n", "-ERR No username given.|"),
            (b"USER a\r\npass b c\r\n", "+OK|-ERR [AUTH] Authentication failed.|"),
            (b"STAT\r\n", "-ERR Unknown command.|"),
            (b"AUTH\r\n", "+OK|PLAIN|LOGIN|.|"),
            (b"AUTH NTLM\r\n", "-ERR [AUTH] Unsupported authentication mechanism.|"),
            (b"AUTH LOGIN\r\n?\r\n", "+ VXNlcm5hbWU6|-ERR [AUTH] Invalid base64 in response|"),
            (b"APOP root abc\r\n", "-ERR APOP not enabled.|"),
            (b"QUIT\r\nCAPA\r\n", "+OK Logging out|"),
        ];
        for (bytes, answer) in table {
            assert_eq!(replies(bytes), answer, "{:?}", said(bytes));
        }
        assert!(replies(&b"x\r\n".repeat(20)).ends_with("|-ERR Unknown command.|-ERR Too many invalid bad commands.|"));
    }

    #[test]
    fn inside_tls_it_offers_none() {
        let pop3 = Pop3::default();
        assert!(replies(b"CAPA\r\n").contains("|AUTH-RESP-CODE|STLS|USER|SASL PLAIN"));
        let mut session = pop3.session(7);
        let (asked, _) = drive::begun(&mut session, &[b"STLS\r\n"]);
        assert!(asked.flow == Flow::StartTls && said(&asked.answer).ends_with("+OK Begin TLS negotiation now.\r\n"));
        let inside = said(&drive::whole(&mut session, b"CAPA\r\nSTLS\r\n").answer);
        assert!(inside.starts_with("+OK\r\nCAPA") && inside.ends_with("-ERR TLS is already active.\r\n"), "{inside}");
        let from_the_start = said(&drive::whole(&mut pop3.secured(7), b"CAPA\r\n").answer);
        assert!(from_the_start.starts_with("+OK Dovecot ready.\r\n") && !from_the_start.contains("STLS"));
    }

    #[test]
    fn each_way_to_log_in_gives_the_credentials_away() {
        for bytes in [
            b"USER root\r\nPASS toor\r\n".as_slice(),
            b"AUTH PLAIN AHJvb3QAdG9vcg==\r\n",
            b"AUTH LOGIN\r\ncm9vdA==\r\ndG9vcg==\r\n",
        ] {
            let heard = talk(bytes);
            assert_eq!((heard.flow, heard.findings.signs), (Flow::Telling, Signs::CREDENTIALS), "{:?}", said(bytes));
            let fields = ["username", "password"].map(|name| heard.findings.fields[name].as_str());
            assert_eq!(fields, ["root", "toor"]);
            let [(at, ms)] = heard.pauses[..] else { panic!("{:?}", heard.pauses) };
            assert!((3_000..5_500).contains(&ms) && heard.answer[at..].starts_with(b"-ERR [AUTH]"));
        }
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(b"USER a\r\n".to_vec()),
            Just(b"PASS b\r\n".to_vec()),
            Just(b"APOP a 0123456789abcdef0123456789abcdef\r\n".to_vec()),
            Just(b"AUTH LOGIN\r\n".to_vec()),
            Just(b"YQ==\r\n".to_vec()),
            Just(alloc::vec![b'x'; 9_000]),
            proptest::collection::vec(any::<u8>(), 0..20),
        ];
        proptest::collection::vec(word, 0..30).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
            drive::law(|| Pop3::default().session(7), &bytes, &cuts)?;
        }
    }
}
