//! What many connections, moments and users come to; what one connection is answered is held against a real server
//! (`crates/trap/tests/real/redis-order.txt`, `redis-clients.txt`).

use super::Redis;
use crate::{
    Flow, Persona, Session,
    drive::{self, NOW, said},
    text::hex,
};
use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use honeymesh_types::{Signs, WallTime};
use sha1::{Digest, Sha1};

fn redis() -> Redis {
    Redis::of(&Persona::of([7; 32]))
}

fn replies(bytes: &[u8]) -> String {
    said(&drive::whole(&mut redis().session(7), bytes).answer).replace("\r\n", "|")
}

fn told(session: &mut dyn Session, bytes: &[u8], now: WallTime) -> String {
    let mut answer = Vec::new();
    let _ = session.receive(bytes, now, &mut answer);
    said(&answer)
}

const fn later(seconds: u64) -> WallTime {
    WallTime(NOW.0 + seconds * 1_000_000)
}

#[test]
fn who_comes_later_has_a_higher_number_and_no_higher_one_than_there_were_connections() {
    let number = |text: String, begin: &str| -> u64 {
        let from = text.find(begin).unwrap() + begin.len();
        text[from..].split(['\r', ' ']).next().unwrap().parse().unwrap()
    };
    let mut last = 0;
    for (at, seed) in (0..3_600_u64).step_by(7).zip((0..u64::MAX).step_by(1_234_567_891_234_567)) {
        let mut session = redis().session(seed);
        let id = number(told(&mut session, b"CLIENT ID\r\n", later(at)), ":");
        assert!(id > last, "{id} behind {last}");
        last = id;
        // It is the connection's, whatever time it is.
        assert_eq!(number(told(&mut session, b"CLIENT ID\r\n", later(at + 60)), ":"), id);
        assert_eq!(number(told(&mut session, b"CLIENT INFO\r\n", later(at + 60)), "id="), id);
        let received = number(told(&mut session, b"INFO stats\r\n", later(at)), "total_connections_received:");
        assert!((id - 3..id + 2).contains(&received), "{id} of {received}");
    }
    let info = replies(b"INFO stats\r\n");
    assert!(!info.contains("ops_per_sec:0|") && !info.contains("put_kbps:0.00|"), "what comes is counted: {info}");
    assert_ne!(
        [0, 1].map(|seed| number(told(&mut redis().session(seed), b"CLIENT ID\r\n", NOW), ":")),
        [0, 0].map(|seed| number(told(&mut redis().session(seed), b"CLIENT ID\r\n", NOW), ":"))
    );
}

#[test]
fn a_client_grows_older() {
    let mut session = redis().session(7);
    for (at, age) in [(0, "age=0"), (5, "age=5"), (65, "age=65")] {
        assert!(told(&mut session, b"CLIENT INFO\r\n", later(at)).contains(&format!(" {age} idle=0 ")), "{age}");
    }
}

/// What ends the connection ends it once, and is told for what it is.
#[test]
fn a_server_that_is_told_to_end_is_abused_and_a_transaction_ends_nothing() {
    let table = [
        ("SHUTDOWN NOSAVE\r\nPING\r\n", "", Flow::Close),
        (
            "MULTI\r\nSHUTDOWN NOSAVE\r\nPING\r\nEXEC\r\nPING\r\n",
            "+OK|-ERR Command not allowed inside a transaction|+QUEUED|-EXECABORT Transaction discarded because of previous errors.|+PONG|",
            Flow::Telling,
        ),
        ("SHUTDOWN ABORT\r\n", "-ERR No shutdown in progress.|", Flow::Telling),
        (
            "SUBSCRIBE a\r\nSHUTDOWN\r\n",
            "*3|$9|subscribe|$1|a|:1|-ERR Can't execute 'shutdown': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context|",
            Flow::Telling,
        ),
    ];
    for (bytes, answer, flow) in table {
        let heard = drive::whole(&mut redis().session(7), bytes.as_bytes());
        assert_eq!((said(&heard.answer).replace("\r\n", "|").as_str(), heard.flow), (answer, flow), "{bytes}");
        let abuse: Vec<Signs> = heard.reports.iter().map(|(found, _)| found.signs).filter(|signs| !signs.is_empty()).collect();
        assert_eq!(abuse, [Signs::RULE], "{bytes}");
    }
    let quit = drive::whole(&mut redis().session(7), b"QUIT\r\n");
    assert_eq!((quit.findings.signs, quit.flow), (Signs::empty(), Flow::Close));
}

/// Redis takes the last `AUTH` that is an option, and a name may be called so.
#[test]
fn a_login_behind_hello_is_the_one_that_counts() {
    let table: [(&str, Option<(&str, &str)>); 10] = [
        ("HELLO 3 AUTH root toor", Some(("root", "toor"))),
        ("HELLO 3 SETNAME auth AUTH root toor", Some(("root", "toor"))),
        ("HELLO 3 SETNAME auth SETNAME x", None),
        ("HELLO 3 SETNAME auth", None),
        ("HELLO 3 AUTH a b AUTH root toor", Some(("root", "toor"))),
        ("HELLO 3 AUTH auth auth", Some(("auth", "auth"))),
        ("HELLO 3 AUTH root toor SETNAME auth", Some(("root", "toor"))),
        ("HELLO 3 AUTH root toor FOO AUTH a b", Some(("root", "toor"))),
        ("HELLO 3 FOO AUTH root toor", Some(("root", "toor"))),
        ("HELLO AUTH root toor", Some(("root", "toor"))),
    ];
    for (words, login) in table {
        let heard = drive::whole(&mut redis().session(7), format!("{words}\r\n").as_bytes());
        let (found, _) = &heard.reports[0];
        let field = |name: &str| found.fields.get(name).map(String::as_str);
        assert_eq!(field("username").zip(field("password")), login, "{words}");
        assert_eq!(found.signs.contains(Signs::CREDENTIALS), login.is_some(), "{words}");
    }
}

#[test]
fn channels_are_all_counted_and_told_as_far_as_they_fit() {
    let many: Vec<String> = (0..1_000).map(|number| format!("c{number}")).collect();
    let heard = replies(format!("SUBSCRIBE {}\r\nSUBSCRIBE x\r\nUNSUBSCRIBE\r\nUNSUBSCRIBE\r\n", many.join(" ")).as_bytes());
    let told: Vec<&str> = heard.split("*3|").collect();
    assert_eq!(told[40], "$9|subscribe|$3|c39|:40|");
    assert!(heard.contains("|$1|x|:1001|") && heard.ends_with("*3|$11|unsubscribe|$-1|:0|"), "{heard}");
    assert!(heard.matches("|unsubscribe|").count() > 200 && heard.len() < 40 * 1_024);
    let long = "x".repeat(200);
    assert_eq!(replies(format!("SUBSCRIBE {long}\r\n").as_bytes()), format!("*3|$9|subscribe|$200|{long}|:1|"));
}

/// A real server's users are everybody's, so what it says of all of them is not among the recorded conversations.
#[test]
fn users_are_listed_as_a_configuration_would_say_them() {
    let hash = "30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4";
    let first = "$51|user default on nopass sanitize-payload ~* &* +@all|";
    let table = [
        ("ACL SETUSER u1", format!("*2|{first}$48|user u1 off sanitize-payload resetchannels -@all|")),
        ("ACL SETUSER u2 on >pw ~* &* +@all", format!("*2|{first}$105|user u2 on sanitize-payload #{hash} ~* &* +@all|")),
        (
            "ACL SETUSER a on nopass +get ~k*",
            "*2|$62|user a on nopass sanitize-payload ~k* resetchannels -@all +get|".to_owned() + first,
        ),
        (
            "ACL SETUSER u6 %R~a %W~a ~b &c &d +@read -@write +get",
            format!("*2|{first}$80|user u6 off sanitize-payload ~a ~b resetchannels &c &d -@all +@read -@write +get|"),
        ),
        (
            "ACL SETUSER u7 (+get ~x) (~y +@all)",
            format!(
                "*2|{first}$103|user u7 off sanitize-payload resetchannels -@all (~x resetchannels -@all +get) (~y resetchannels +@all)|"
            ),
        ),
        ("ACL SETUSER default on >pw", format!("*1|$110|user default on sanitize-payload #{hash} ~* &* +@all|")),
    ];
    for (words, list) in table {
        assert_eq!(replies(format!("{words}\r\nACL LIST\r\n").as_bytes()), format!("+OK|{list}"), "{words}");
    }
    assert_eq!(
        replies(b"ACL SETUSER b\r\nACL SETUSER x\r\nACL USERS\r\nACL DELUSER b none x\r\nACL USERS\r\n"),
        "+OK|+OK|*3|$1|b|$7|default|$1|x|:2|*1|$7|default|"
    );
}

#[test]
fn a_password_for_all_is_asked_for() {
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.|";
    let open = "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?|";
    let nobody = "-NOAUTH Authentication required.|";
    for set in ["CONFIG SET requirepass foo", "ACL SETUSER default on >foo"] {
        let bytes = format!(
            "{set}\r\nPING\r\nAUTH bar\r\nAUTH foo\r\nAUTH default foo\r\nRESET\r\nPING\r\nMULTI\r\nEXEC\r\nHELLO 9\r\nHELLO 2\r\nAUTH foo\r\nPING\r\n"
        );
        let heard = replies(bytes.as_bytes());
        let hello = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time|";
        let expected = format!(
            "+OK|+PONG|{wrong}+OK|+OK|+RESET|{nobody}{nobody}-EXECABORT Transaction discarded because of: NOAUTH Authentication required.|-NOPROTO unsupported protocol version|{hello}+OK|+PONG|"
        );
        assert_eq!(heard, expected, "{set}");
    }
    assert_eq!(replies(b"CONFIG SET requirepass foo\r\nCONFIG SET requirepass \"\"\r\nAUTH foo\r\n"), format!("+OK|+OK|{open}"));
}

/// However much is said of them, users take little room.
#[test]
fn users_are_bounded() {
    let mut session = redis().session(7);
    for number in 0..2_000 {
        let rules: String = (0..20).map(|rule| format!(" ~{}{rule} &{rule} >{rule} +get|{rule}", "k".repeat(40))).collect();
        assert_eq!(told(&mut session, format!("ACL SETUSER u{number}{rules} (~a)\r\n").as_bytes(), NOW), "+OK\r\n");
    }
    let listed = told(&mut session, b"ACL LIST\r\n", NOW);
    assert!((1_000..16 * 1_024).contains(&listed.len()), "{}", listed.len());
}

/// What a real one says besides is in `crates/trap/tests/real/redis-replica.txt`.
#[test]
fn a_replica_says_so_wherever_it_is_asked_and_takes_no_writes() {
    let told = replies(
        b"SLAVEOF 198.51.100.9 6379\r\nROLE\r\nSET a 1\r\nEVAL \"return redis.call('set', 'a', '1')\" 0\r\nMULTI\r\nDEL a\r\nEXEC\r\nHELLO 3\r\n",
    );
    let refused = "-READONLY You can't write against a read only replica.";
    assert!(told.starts_with(&format!("+OK|*5|$5|slave|$12|198.51.100.9|:6379|$10|connecting|:-1|{refused}|{refused} script: ")));
    assert!(told.contains(&format!("|+OK|{refused}|-EXECABORT ")) && told.contains("|$4|role|$7|replica|"), "{told}");
    assert!(replies(b"SLAVEOF b 1\r\nCONFIG SET slave-read-only no\r\nSET a 1\r\n").ends_with("|+OK|"));
    let back = replies(b"SLAVEOF b 1\r\nSLAVEOF NO ONE\r\nSET a 1\r\nROLE\r\nINFO replication\r\n");
    assert!(back.starts_with("+OK|+OK|+OK|*3|$6|master|") && back.contains("|second_repl_offset:1|"), "{back}");
    let history = |text: &str| text.split("_replid").map(|part| part[..42].to_owned()).skip(1).collect::<Vec<_>>();
    let (before, after) = (history(&replies(b"INFO replication\r\n")), history(&back));
    assert_eq!(before[0][1..41], after[1][2..42], "the history before is the one that it had");
    assert_ne!(before[0], after[0]);
}

/// In the words and the order of `replication.c`.
#[test]
fn commands_about_replicas_are_asked_for_their_words_first() {
    let (positive, failover) = ("-ERR value is out of range, must be positive", "-ERR FAILOVER timeout must be greater than 0");
    let (whole, negative) = ("-ERR timeout is not an integer or out of range", "-ERR timeout is negative");
    let words = b"FAILOVER FOO\r\nFAILOVER TO a\r\nFAILOVER TO a x\r\nFAILOVER TIMEOUT 0\r\nFAILOVER FORCE FORCE\r\n\
        WAITAOF 2 0 0\r\nWAITAOF x 0 0\r\nWAITAOF 0 -1 0\r\nWAITAOF 0 x 0\r\nWAITAOF 0 0 x\r\nWAITAOF 0 0 -1\r\n";
    let (syntax, number) = ("-ERR syntax error", "-ERR value is not an integer or out of range");
    let range = "-ERR value is out of range, value must between 0 and 1";
    let told =
        format!("{syntax}|{syntax}|{number}|{failover}|{syntax}|{range}|{number}|{positive}|{positive}|{whole}|{negative}|");
    assert_eq!(replies(words), told);
    assert_eq!(replies(&[b"SLAVEOF 198.51.100.9 6379\r\n", &words[..]].concat()), format!("+OK|{told}"));
    let told = replies(b"FAILOVER TO a 1 TIMEOUT 5 FORCE\r\nWAITAOF 1 0 0\r\nWAITAOF 0 0 0\r\nWAIT x 0\r\nWAIT 0 x\r\nWAIT 0 -1\r\nWAIT -1 0\r\n");
    let no_file = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
    assert_eq!(told, format!("-ERR FAILOVER requires connected replicas.|{no_file}|*2|:1|:0|{number}|{whole}|{negative}|:0|"));
    let told = replies(b"SLAVEOF 198.51.100.9 6379\r\nFAILOVER TO a 1\r\nWAITAOF 0 0 0\r\n");
    let as_replica = "-ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.";
    assert_eq!(told, format!("+OK|-ERR FAILOVER is not valid when server is a replica.|{as_replica}|"));
}

#[test]
fn whoever_wants_replicas_waits_for_them() {
    let heard = drive::whole(&mut redis().session(7), b"WAIT 1 250\r\nWAITAOF 0 1 120\r\nPING\r\n");
    assert_eq!(
        (said(&heard.answer).as_str(), heard.pauses.as_slice()),
        (":0\r\n*2\r\n:1\r\n:0\r\n+PONG\r\n", &[(0, 250), (4, 120)][..])
    );
    assert_eq!(replies(b"WAIT 1 0\r\nPING\r\n"), "");
    assert_eq!(replies(b"MULTI\r\nWAIT 1 0\r\nEXEC\r\n"), "+OK|+QUEUED|*1|:0|");
}

/// In the words of `script.c`.
#[test]
fn a_script_that_is_said_to_write_nothing_does_not() {
    let text = |command: &str| format!("return redis.call({command})");
    let asked = |how: &str, command: &str| format!("{how} \"{}\" 0\r\n", text(command));
    let refused = |command: &str| {
        let number = hex(&Sha1::digest(text(command)));
        format!("-ERR Write commands are not allowed from read-only scripts. script: {number}, on @user_script:1.|")
    };
    for command in ["'set','a','1'", "'publish','a','1'", "'pfcount','a'"] {
        assert_eq!(replies(asked("EVAL_RO", command).as_bytes()), refused(command));
        let by_number = format!("SCRIPT LOAD \"{0}\"\r\nEVALSHA_RO {1} 0\r\n", text(command), hex(&Sha1::digest(text(command))));
        assert!(replies(by_number.as_bytes()).ends_with(&refused(command)), "{command}");
        // Asked before whose replica it is.
        let replica = ["SLAVEOF 198.51.100.9 6379\r\n", &asked("EVAL_RO", command)].concat();
        assert_eq!(replies(replica.as_bytes()), format!("+OK|{}", refused(command)));
    }
    assert_eq!(
        replies([asked("EVAL_RO", "'set','a','1'"), "GET a\r\n".into()].concat().as_bytes()).split('|').nth(1),
        Some("$-1")
    );
    assert_eq!(replies(asked("EVAL_RO", "'get','a'").as_bytes()), "$-1|");
    assert_eq!(replies(asked("EVAL", "'set','a','1'").as_bytes()), "+OK|");
}

/// In the words of `replication.c`.
#[test]
fn a_replica_is_told_by_commands_that_do_not_ask_for_its_role() {
    let asked = b"WAIT 0 0\r\nWAIT x y\r\nFAILOVER\r\nSYNC\r\nPSYNC ? -1\r\nCONFIG GET replicaof\r\nCONFIG GET slaveof\r\n";
    let no_wait = "-ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.";
    let no_link = "-NOMASTERLINK Can't SYNC while not connected with my master";
    assert_eq!(
        replies(&[b"SLAVEOF 198.51.100.9 6379\r\n", &asked[..]].concat()),
        format!(
            "+OK|{no_wait}|{no_wait}|-ERR FAILOVER is not valid when server is a replica.|{no_link}|{no_link}|\
             *2|$9|replicaof|$17|198.51.100.9 6379|*2|$7|slaveof|$17|198.51.100.9 6379|"
        )
    );
    let told = replies(b"WAIT 0 0\r\nFAILOVER\r\nFAILOVER abort\r\nCONFIG GET replicaof\r\n");
    assert_eq!(told, ":0|-ERR FAILOVER requires connected replicas.|-ERR No failover in progress.|*2|$9|replicaof|$0||");
    let host = "h".repeat(300);
    let told = replies(format!("SLAVEOF {host} 7\r\nROLE\r\nINFO replication\r\nCONFIG GET replicaof\r\n").as_bytes());
    assert!(told.contains(&format!("|$300|{host}|:7|")) && told.contains(&format!("|master_host:{host}|")), "{told}");
    assert!(told.ends_with(&format!("|$255|{}|", &host[..255])), "{told}");
}
