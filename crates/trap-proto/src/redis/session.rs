//! One connection to the Redis server.

use super::{
    commands::{Meaning, REPLY_BYTES_MAX, Server, Wait},
    info::Host,
    request::{Heard, Request, Requests},
};
use crate::{ANSWER_BYTES_MAX, DELAY_MS_MAX, FIELD_BYTES_MAX, Findings, Flow, Pause, Session, Step};
use alloc::{format, sync::Arc, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// The longest that a request's words are noted, in bytes.
const NOTED_BYTES_MAX: usize = 2 * FIELD_BYTES_MAX;

/// One connection to the Redis server.
pub struct RedisSession {
    server: Server,
    requests: Requests,
    over: bool,
    /// A browser's request came in one piece: Redis ends it in its second line, before the answer to the first is out.
    is_mute: bool,
    /// A command waits for ever: what comes is taken down, and nothing of it is run.
    is_waiting: bool,
    pause: Pause,
    /// How long a command still waits behind that, in milliseconds, and its answer.
    later: Option<(u32, Vec<u8>)>,
    findings: Findings,
}

impl RedisSession {
    pub(super) fn new(version: Arc<str>, host: Arc<Host>, seed: u64) -> Self {
        let server = Server::new(version, host, seed);
        Self {
            server,
            requests: Requests::default(),
            over: false,
            is_mute: false,
            is_waiting: false,
            pause: Pause::default(),
            later: None,
            findings: Findings::default(),
        }
    }

    /// The same with something stored already.
    pub(super) fn storing(mut self, name: &str, value: &str) -> Self {
        self.server.store(name.as_bytes(), value.as_bytes());
        self
    }

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if self.over {
            return Flow::Close;
        }
        let flow = match self.requests.push(byte) {
            Heard::More => Flow::Continue,
            Heard::Request(request) => self.request(&request, now, answer),
            Heard::Broken(error) => {
                self.findings.signs |= Signs::MALFORMED;
                if !self.server.is_silent() && !self.is_waiting {
                    answer.extend_from_slice(format!("-ERR {error}\r\n").as_bytes());
                }
                Flow::Close
            }
        };
        self.over = flow == Flow::Close;
        flow
    }

    /// Each request is a report of its own.
    fn request(&mut self, request: &Request, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if self.is_waiting {
            self.note(request, Server::meant(&request.words));
            return Flow::Telling;
        }
        let before = answer.len();
        let (meaning, is_left) = self.server.run(&request.words, now, answer);
        self.note(request, meaning);
        if self.is_mute {
            answer.truncate(before);
        }
        match self.server.waits() {
            None => {}
            Some(Wait::Forever) => self.is_waiting = true,
            Some(Wait::Some(ms)) => self.wait(ms, before, answer),
        }
        if is_left { Flow::Close } else { Flow::Telling }
    }

    /// Keeps back what is answered from `before` on, for so long; what is longer than one pause is several.
    fn wait(&mut self, ms: u32, before: usize, answer: &mut Vec<u8>) {
        self.pause = Pause { at: before, ms: ms.min(DELAY_MS_MAX) };
        if ms > DELAY_MS_MAX {
            self.later = Some((ms - DELAY_MS_MAX, answer.split_off(before)));
        }
    }

    fn note(&mut self, request: &Request, meaning: Meaning) {
        let mut said = Vec::new();
        for word in &request.words {
            if said.len() >= NOTED_BYTES_MAX {
                break;
            }
            if !said.is_empty() {
                said.push(b' ');
            }
            said.extend_from_slice(&word[..word.len().min(NOTED_BYTES_MAX)]);
        }
        self.findings.note("command", &said);
        match meaning {
            Meaning::Login => self.note_credentials(&request.words),
            Meaning::Abuse => self.findings.signs |= Signs::RULE,
            Meaning::Plain | Meaning::Leave => {}
        }
    }

    /// `AUTH [user] password`, or the same behind `HELLO 2`.
    fn note_credentials(&mut self, words: &[Vec<u8>]) {
        let is_hello = words.first().is_some_and(|word| word.eq_ignore_ascii_case(b"hello"));
        match if is_hello { offered(words.get(1..).unwrap_or_default()) } else { words.get(1..) } {
            Some([password]) => self.findings.note("password", password),
            Some([user, password, ..]) => {
                self.findings.note("username", user);
                self.findings.note("password", password);
            }
            _ => return,
        }
        self.findings.signs |= Signs::CREDENTIALS;
    }
}

/// What stands behind the `AUTH` of a `HELLO` that counts: the last one of its options, or where they are none, the first.
fn offered(words: &[Vec<u8>]) -> Option<&[Vec<u8>]> {
    let (mut options, mut last) = (words.get(1..).unwrap_or_default(), None);
    while let Some((option, rest)) = options.split_first() {
        options = match (option.to_ascii_lowercase().as_slice(), rest) {
            (b"auth", [_, _, behind @ ..]) => {
                last = rest.get(..2);
                behind
            }
            (b"setname", [_, behind @ ..]) => behind,
            _ => {
                let is_auth = |word: &Vec<u8>| word.eq_ignore_ascii_case(b"auth");
                let behind = |words: &'_ [Vec<u8>]| words.iter().position(is_auth).map(|at| at + 1);
                return last.or_else(|| behind(words).and_then(|at| words.get(at..)));
            }
        };
    }
    last
}

/// Whether it is a request of HTTP up to the line with the host, at least.
fn is_web(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let is_request = lines.next().is_some_and(|line| line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0"));
    is_request && lines.any(|line| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:")))
}

impl Session for RedisSession {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        let full = answer.len() + ANSWER_BYTES_MAX - REPLY_BYTES_MAX;
        self.is_mute |= is_web(bytes);
        self.pause = Pause::default();
        Step::by_byte_until_full(bytes, answer, full, |byte, answer| self.byte(byte, now, answer))
    }

    fn pause(&mut self) -> Pause {
        core::mem::take(&mut self.pause)
    }

    fn resume(&mut self, _now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let (ms, later) = self.later.take()?;
        let before = answer.len();
        answer.extend(later);
        self.wait(ms, before, answer);
        Some(Flow::Continue)
    }

    fn end(&mut self) {
        if let (Some(request), false) = (self.requests.finish(), self.over) {
            let meaning = if self.is_waiting {
                Server::meant(&request.words)
            } else {
                self.server.run(&request.words, WallTime::default(), &mut Vec::new()).0
            };
            self.note(&request, meaning);
        }
        self.over = true;
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Persona, Redis,
        drive::{self, Heard, said},
    };
    use alloc::{
        string::{String, ToString},
        vec,
    };
    use proptest::prelude::*;

    fn redis() -> Redis {
        Redis::of(&Persona::of([7; 32]))
    }

    fn talk(bytes: &[u8]) -> Heard {
        drive::whole(&mut redis().session(7), bytes)
    }

    fn replies(bytes: &[u8]) -> String {
        said(&talk(bytes).answer).replace("\r\n", "|")
    }

    #[test]
    fn a_browsers_request_is_left_without_a_word_and_taken_down() {
        let heard = talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((heard.answer.len(), heard.flow), (0, Flow::Close));
        assert_eq!(heard.reports[0].0.fields["command"], "GET / HTTP/1.1");
        assert_eq!(replies(b"*1\r\n$4\r\nPING\r\n"), "+PONG|");
    }

    #[test]
    fn transactions_wait_for_their_end() {
        let table = [
            ("MULTI\r\nGET a\r\nSET a 1\r\nGET a\r\nEXEC\r\nGET a\r\n", "+OK|+QUEUED|+QUEUED|+QUEUED|*3|$-1|+OK|$1|1|$1|1|"),
            (
                "MULTI\r\nFOO\r\nEXEC\r\nEXEC\r\n",
                "+OK|-ERR unknown command 'FOO', with args beginning with: |-EXECABORT Transaction discarded because of previous errors.|-ERR EXEC without MULTI|",
            ),
            (
                "MULTI\r\nMULTI\r\nWATCH a\r\nDISCARD\r\nDISCARD\r\nEXEC\r\n",
                "+OK|-ERR MULTI calls can not be nested|-ERR WATCH inside MULTI is not allowed|+OK|-ERR DISCARD without MULTI|-ERR EXEC without MULTI|",
            ),
            ("MULTI\r\nEXEC\r\nMULTI\r\nSET a 1\r\nRESET\r\nGET a\r\n", "+OK|*0|+OK|+QUEUED|+RESET|$-1|"),
        ];
        for (bytes, answer) in table {
            assert_eq!(replies(bytes.as_bytes()), answer, "{bytes:?}");
        }
        let waiting = talk(b"MULTI\r\nCONFIG SET dir /root/.ssh\r\nCONFIG GET dir\r\nDISCARD\r\nCONFIG GET dir\r\n");
        assert!(waiting.reports[1].0.signs.contains(Signs::RULE) && said(&waiting.answer).ends_with("/var/lib/redis\r\n"));
        let many = format!("MULTI\r\n{}EXEC\r\n", "GET a\r\n".repeat(33));
        assert!(replies(many.as_bytes()).ends_with("maxmemory'.|-EXECABORT Transaction discarded because of previous errors.|"));
        let big = format!("SET a {}\r\nMULTI\r\nGET a\r\nGET a\r\nEXEC\r\n", "x".repeat(9_000));
        assert!(replies(big.as_bytes()).ends_with("|-OOM command not allowed when used memory > 'maxmemory'.|"));
    }

    /// Each was said to a real redis-server 8.0.2, which answered the same, but for `CONFIG SET dir`.
    #[test]
    fn commands_are_answered_as_redis_does() {
        let table = [
            ("PING\r\nping a\r\n", "+PONG|$1|a|"),
            ("FOO a b\r\n", "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' |"),
            ("get\r\n", "-ERR wrong number of arguments for 'get' command|"),
            ("*1\r\n$3\r\nfoo\r\n", "-ERR unknown command 'foo', with args beginning with: |"),
            ("*1\r\nfoo\r\nPING\r\n", "-ERR Protocol error: expected '$', got 'f'|"),
            (
                "set a b\r\nget a\r\nget b\r\nkeys *\r\ndbsize\r\ntype a\r\ndel a b\r\nexists a\r\n",
                "+OK|$1|b|$-1|*1|$1|a|:1|+string|:1|:0|",
            ),
            ("config get save\r\n", "*2|$4|save|$23|3600 1 300 100 60 10000|"),
            ("CONFIG GET nothing\r\nCONFIG FOO\r\n", "*0|-ERR unknown subcommand 'FOO'. Try CONFIG HELP.|"),
            ("CONFIG SET dir /tmp\r\nconfig get dir\r\n", "+OK|*2|$3|dir|$4|/tmp|"),
            (
                "SELECT 99\r\nselect x\r\nselect 3\r\n",
                "-ERR DB index is out of range|-ERR value is not an integer or out of range|+OK|",
            ),
            (
                "SCAN 0\r\nCLIENT SETNAME a\r\nMODULE LIST\r\nROLE\r\nACL WHOAMI\r\n",
                "*2|$1|0|*0|+OK|*1|*8|$4|name|$9|vectorset|$3|ver|:1|$4|path|$0||$4|args|*0|*3|$6|master|:0|*0|$7|default|",
            ),
            ("AUTH a b\r\nAUTH default x\r\n", "-WRONGPASS invalid username-password pair or user is disabled.|+OK|"),
            ("HELLO 9\r\n", "-NOPROTO unsupported protocol version|"),
            (
                "HELLO 3\r\nGET a\r\nCONFIG GET dir\r\n",
                "%7|$6|server|$5|redis|$7|version|$5|8.0.2|$5|proto|:3|$2|id|:952295|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*1|%4|\
                 $4|name|$9|vectorset|$3|ver|:1|$4|path|$0||$4|args|*0|_|%1|$3|dir|$14|/var/lib/redis|",
            ),
            ("SLAVEOF NO ONE\r\nEVAL 'return 1' 0\r\nQUIT\r\nPING\r\n", "+OK|:1|+OK|"),
            ("POST / HTTP/1.1\r\nHost: a\r\n", ""),
        ];
        for (bytes, answer) in table {
            assert_eq!(replies(bytes.as_bytes()), answer, "{bytes:?}");
        }
    }

    #[test]
    fn it_says_who_it_is() {
        let info = replies(b"INFO\r\n");
        assert!(
            info.contains("|# Server|redis_version:8.0.2|redis_git_sha1:00000000|") && info.contains("|role:master|"),
            "{info}"
        );
        let server = said(&talk(b"info SERVER\r\n").answer);
        let (length, text) = server.split_once("\r\n").unwrap();
        assert_eq!(length, format!("${}", text.len() - 2));
        assert!(
            text.starts_with("# Server\r\n") && text.ends_with("listener0:name=tcp,bind=*,bind=-::*,port=6379\r\n\r\n"),
            "{server}"
        );
        assert!(replies(b"SLAVEOF 198.51.100.9 6379\r\nINFO replication\r\n").contains("role:slave|master_host:198.51.100.9|"));
        let own = said(&drive::whole(&mut redis().saying("7.2.4").unwrap().session(1), b"INFO\r\n").answer);
        assert!(own.contains("redis_version:7.2.4\r\n"));
    }

    #[test]
    fn each_command_is_a_report_and_abuse_is_hostile() {
        let heard = talk(b"INFO\r\nCONFIG SET dir /root/.ssh\r\nAUTH hunter2\r\nMODULE LOAD /tmp/x.so\r\n*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$10\r\n\n* * * * *\r\n");
        let told: Vec<_> = heard.reports.iter().map(|(found, _)| (found.fields["command"].as_str(), found.signs)).collect();
        let expected = [
            ("INFO", Signs::empty()),
            ("CONFIG SET dir /root/.ssh", Signs::RULE),
            ("AUTH hunter2", Signs::CREDENTIALS),
            ("MODULE LOAD /tmp/x.so", Signs::RULE),
        ];
        assert_eq!(told[..4], expected);
        assert_eq!(heard.reports[2].0.fields["password"], "hunter2");
        let named = talk(b"HELLO 2 AUTH root toor\r\n");
        assert_eq!((named.findings.fields["username"].as_str(), named.findings.fields["password"].as_str()), ("root", "toor"));
    }

    #[test]
    fn nobody_tells_a_password_or_a_port_from_what_is_beside_it() {
        let made: Vec<String> = (0..100)
            .flat_map(|seed| {
                let told = said(&drive::whole(&mut redis().session(seed * 50_000), b"ACL GENPASS\r\nACL GENPASS\r\n").answer);
                told.lines().filter(|line| line.len() == 64).map(ToString::to_string).collect::<Vec<_>>()
            })
            .collect();
        let mut once = made.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!((made.len(), once.len()), (200, 200), "connections of one number, and one after the other");
        let other = Redis::of(&Persona::of([8; 32]));
        let of = |redis: &Redis, words: &[u8]| said(&drive::whole(&mut redis.session(7), words).answer);
        for words in [&b"ACL GENPASS\r\n"[..], b"CLIENT INFO\r\n"] {
            assert_ne!(of(&redis(), words), of(&other, words));
            assert_eq!(of(&redis(), words), of(&redis(), words));
        }
    }

    /// As Redis' source has it (`networking.c`, `pubsub.c`, `server.c`, `acl.c`).
    #[test]
    fn answers_that_are_not_wanted_are_not_given_and_channels_are_counted_once() {
        let table: [(&[u8], &str); 14] = [
            (b"CLIENT REPLY OFF\r\nPING\r\nFOO\r\nCLIENT REPLY ON\r\nPING\r\n", "+OK|+PONG|"),
            (b"CLIENT REPLY SKIP\r\nPING\r\nPING\r\n", "+PONG|"),
            (b"CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nECHO a\r\n", "$1|a|"),
            (b"CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\n", ""),
            (b"CLIENT REPLY OFF\r\nSUBSCRIBE a\r\nGET a\r\nRESET\r\n", "*3|$9|subscribe|$1|a|:1|+RESET|"),
            (b"CLIENT REPLY OFF\r\n*1\r\nfoo\r\n", ""),
            (b"ACL CAT \"\\x01\"\r\n", "-ERR Unknown category '\u{1}'|"),
            (b"ACL SETUSER a \"x\\x01y\"\r\n", "-ERR Error in ACL SETUSER modifier 'x\u{1}y': Syntax error|"),
            (b"SUBSCRIBE a a b\r\n", "*3|$9|subscribe|$1|a|:1|*3|$9|subscribe|$1|a|:1|*3|$9|subscribe|$1|b|:2|"),
            (b"UNSUBSCRIBE a b\r\n", "*3|$11|unsubscribe|$1|a|:0|*3|$11|unsubscribe|$1|b|:0|"),
            (
                b"SUBSCRIBE a\r\nPSUBSCRIBE a\r\nSSUBSCRIBE a\r\nUNSUBSCRIBE\r\nUNSUBSCRIBE\r\n",
                "*3|$9|subscribe|$1|a|:1|*3|$10|psubscribe|$1|a|:2|*3|$10|ssubscribe|$1|a|:1|*3|$11|unsubscribe|$1|a|:1|*3|$11|unsubscribe|$-1|:1|",
            ),
            (b"CONFIG|GET a\r\n", "-ERR unknown command 'CONFIG|GET', with args beginning with: 'a' |"),
            (b"ACL DRYRUN default config|get a\r\n", "-ERR Command 'config|get' not found|"),
            (
                b"EVAL \"return redis.pcall('client', 'reply', 'off')\" 0\r\nPING\r\n",
                "-ERR This Redis command is not allowed from script|+PONG|",
            ),
        ];
        for (bytes, answer) in table {
            assert_eq!(replies(bytes), answer, "{}", said(bytes));
        }
        let long = "x".repeat(200);
        assert!(replies(format!("ACL CAT {long}\r\n").as_bytes()).ends_with(&format!("'{}'|", "x".repeat(128))));
        assert!(replies(format!("ACL SETUSER a {long}\r\n").as_bytes()).contains(&long));
    }

    #[test]
    fn text_for_people_is_called_so_in_the_newer_protocol() {
        for words in ["INFO server", "CLIENT INFO", "CLIENT LIST"] {
            let (old, new) = (talk(format!("{words}\r\n").as_bytes()), talk(format!("HELLO 3\r\n{words}\r\n").as_bytes()));
            let (old, greeted) = (said(&old.answer).replace("resp=2", "resp=3"), said(&talk(b"HELLO 3\r\n").answer).len());
            let (length, text) = old.split_once("\r\n").unwrap();
            let length: usize = length[1..].parse().unwrap();
            assert_eq!(said(&new.answer)[greeted..], format!("={}\r\ntxt:{text}", length + 4), "{words}");
        }
    }

    type Fields = &'static [(&'static str, &'static str)];

    /// Refused for its words, or for the moment at which it is said: the evidence is the same.
    #[test]
    fn what_is_refused_at_once_is_told_all_the_same() {
        let table: [(&str, Fields, Signs); 14] = [
            ("HELLO 3 AUTH hunter2", &[("password", "hunter2")], Signs::CREDENTIALS),
            ("HELLO 3 FOO AUTH root toor", &[("username", "root"), ("password", "toor")], Signs::CREDENTIALS),
            ("HELLO 9 AUTH root toor", &[("username", "root"), ("password", "toor")], Signs::CREDENTIALS),
            ("AUTH a b c", &[("username", "a"), ("password", "b")], Signs::CREDENTIALS),
            ("SUBSCRIBE x\r\nAUTH root hunter2", &[("username", "root"), ("password", "hunter2")], Signs::CREDENTIALS),
            ("SUBSCRIBE x\r\nCONFIG SET dir /root/.ssh", &[], Signs::RULE),
            ("SUBSCRIBE x\r\nEVAL 'return 1' 0", &[], Signs::RULE),
            ("SLAVEOF 198.51.100.9 99999", &[], Signs::RULE),
            ("MULTI\r\nSLAVEOF 198.51.100.9", &[], Signs::RULE),
            ("MODULE LOAD", &[], Signs::RULE),
            ("ACL SETUSER", &[], Signs::RULE),
            ("AUTH", &[], Signs::empty()),
            ("SUBSCRIBE x\r\nCONFIG GET dir", &[], Signs::empty()),
            ("MODULE HELP", &[], Signs::empty()),
        ];
        for (words, fields, signs) in table {
            let heard = talk(format!("{words}\r\n").as_bytes());
            let (found, _) = heard.reports.last().unwrap();
            for (name, value) in fields {
                assert_eq!(found.fields.get(*name).map(String::as_str), Some(*value), "{words}");
            }
            assert_eq!((found.signs, found.fields.len()), (signs, fields.len() + 1), "{words}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_as_with_full_memory() {
        let big = format!("SET a {}\r\nGET a\r\n", "x".repeat(17_000));
        assert_eq!(replies(big.as_bytes()), "-OOM command not allowed when used memory > 'maxmemory'.|$-1|");
        let unfinished = talk(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$99\r\nhalf");
        assert_eq!(unfinished.findings.fields["command"], "SET a half".to_string());
    }

    fn chat() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(b"*3\r\n".to_vec()),
            Just(b"$3\r\nSET\r\n".to_vec()),
            Just(b"$1\r\na\r\n".to_vec()),
            Just(b"$3\r\nGET\r\n".to_vec()),
            Just(b"INFO\r\n".to_vec()),
            Just(b"keys *\r\nCONFIG GET *\r\n".to_vec()),
            Just(b"set a \"b".to_vec()),
            Just(b"MULTI\r\n".to_vec()),
            Just(b"LPUSH a 1 2 3\r\nLRANGE a 0 -1\r\nLREM a 0 2\r\nLINSERT a BEFORE 1 x\r\nSORT a ALPHA STORE b\r\n".to_vec()),
            Just(b"SADD a 1 b\r\nSRANDMEMBER a -9\r\nSPOP a\r\nSUNIONSTORE b a a\r\nSSCAN a 0\r\n".to_vec()),
            Just(b"HSET a f v\r\nHGETALL a\r\nHINCRBYFLOAT a n 0.1\r\nHRANDFIELD a 2 WITHVALUES\r\n".to_vec()),
            Just(
                b"ZADD a 1 m inf n\r\nZRANGE a (0 +inf BYSCORE LIMIT 0 1\r\nZUNIONSTORE b 2 a a WEIGHTS 1 -1\r\nZPOPMIN a 9\r\n"
                    .to_vec()
            ),
            Just(b"EXPIRE a 1\r\nRENAME a b\r\nCOPY b a DB 3 REPLACE\r\nSELECT 3\r\nSCAN 0 COUNT 3\r\nDEL a b\r\n".to_vec()),
            Just(b"WATCH a\r\nBLPOP b 0.5\r\n".to_vec()),
            Just(b"BZPOPMIN c 0\r\n".to_vec()),
            Just(b"HELLO 3 AUTH a b SETNAME c\r\nHELLO 2\r\n".to_vec()),
            Just(b"ACL GENPASS 4096\r\nACL CAT \"\\x01\"\r\nACL SETUSER a b\r\nACL DRYRUN default get a\r\n".to_vec()),
            Just(b"ACL SETUSER u on >p ~a +@read (+set ~b)\r\nAUTH u p\r\nACL LIST\r\nACL GETUSER u\r\n".to_vec()),
            Just(b"CONFIG SET requirepass p\r\nAUTH p\r\nACL DELUSER u\r\nWATCH a\r\n".to_vec()),
            Just(b"CLIENT LIST\r\nCLIENT REPLY SKIP\r\nCLIENT SETNAME a\r\n".to_vec()),
            Just(b"CLIENT REPLY OFF\r\n".to_vec()),
            Just(b"CLIENT REPLY ON\r\n".to_vec()),
            Just(b"SUBSCRIBE a b a\r\nPSUBSCRIBE *\r\n".to_vec()),
            Just(b"UNSUBSCRIBE\r\nRESET\r\n".to_vec()),
            Just(b"EXEC\r\n".to_vec()),
            Just(b"EVAL \"return redis.call('get', KEYS[1]) .. {'a', 1}\" 1 a\r\n".to_vec()),
            Just(format!("set {} {}\r\nget {}\r\n", "k".repeat(99), "v".repeat(16_000), "k".repeat(99)).into_bytes()),
            Just(vec![b'x'; 5_000]),
            proptest::collection::vec(any::<u8>(), 0..20),
        ];
        proptest::collection::vec(word, 0..30).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
            drive::law(|| redis().session(7), &bytes, &cuts)?;
        }
    }
}
