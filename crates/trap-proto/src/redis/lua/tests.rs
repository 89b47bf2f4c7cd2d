//! What scripts give back, held against a real redis-server 8.0.2.

use super::*;
use crate::{Persona, Redis, drive};
use alloc::vec;
use proptest::prelude::*;

/// The answer to `EVAL script 1 k a`, with bars for ends of lines, `¶` for other ends, and without the script's number.
fn answered(script: &str) -> String {
    let request = format!("*5\r\n$4\r\nEVAL\r\n${}\r\n{script}\r\n$1\r\n1\r\n$1\r\nk\r\n$1\r\na\r\n", script.len());
    let answer = drive::said(&drive::whole(&mut Redis::of(&Persona::of([7; 32])).session(7), request.as_bytes()).answer);
    let plain = answer.replace("\r\n", "|").replace('\n', "¶");
    match plain.split_once(" script: ") {
        Some((before, behind)) => format!("{before} script: #{}", &behind[40..]),
        None => plain,
    }
}

const TABLE: &str = include_str!("tests.txt");

#[test]
fn scripts_give_back_what_a_real_server_gave_back() {
    let (mut script, mut wrong) = ("", String::new());
    for line in TABLE.lines() {
        match line.split_at_checked(2) {
            Some(("> ", said)) => script = said,
            Some(("< ", expected)) => {
                let heard = answered(&script.replace('¶', "\n"));
                if heard != expected {
                    wrong += &format!("{script}\n  real: {expected}\n  trap: {heard}\n");
                }
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(TABLE.lines().filter(|line| line.starts_with("> ")).count() >= 40);
}

#[test]
fn what_is_not_understood_gives_nothing_back_and_has_done_nothing() {
    for script in ["for i=1,9 do end return 1", "redis.call('set', 'k', 1) return ('x'):rep(2)", "if true then return 1 end"] {
        assert_eq!(answered(script), "$-1|", "{script}");
    }
}

#[test]
fn a_list_is_given_up_as_soon_as_it_is_too_heavy_and_not_when_it_is_whole() {
    // Names of two bytes that stand for 32 KiB each: all of them together would be 64 MiB.
    let heavy = format!("local a='{}' local b=a..a..a..a..a..a..a..a local c=b..b ", "x".repeat(1_024));
    let many = |name: &str| vec![name; 1_000].join(",");
    for list in [format!("return {{{}}}", many("c")), format!("return {}", many("c")), format!("return type({})", many("c"))] {
        let script = Script { text: &[heavy.as_bytes(), list.as_bytes()].concat(), keys: &[], arguments: &[] };
        let mut run = run::Run::new(&script, None);
        assert_eq!(run.chunk(), Err(Stop::Unknown), "{list}");
        assert!(run.left() > 1_900, "{} bytes were not read: it stopped at the third", run.left());
    }
    let keys: Vec<Vec<u8>> = (0..4).map(|_| vec![b'x'; 15_000]).collect();
    let list = format!("return {{{}}}", many("KEYS")[..4_000].trim_end_matches(|c| c != 'S'));
    let script = Script { text: list.as_bytes(), keys: &keys, arguments: &[] };
    assert_eq!(run::Run::new(&script, None).chunk(), Err(Stop::Unknown));
    assert_eq!(answered("local a='12' return {a,a,KEYS[1]}"), "*3|$2|12|$2|12|$1|k|");
}

#[test]
fn numbers_are_shown_as_c_shows_them() {
    let table = [
        (0.0, "0"),
        (3.5, "3.5"),
        (0.1 + 0.2, "0.3"),
        (-7.0, "-7"),
        (1e14, "1e+14"),
        (12_345_678_901_234.0, "12345678901234"),
        (1e-5, "1e-05"),
        (1.0 / 3.0, "0.33333333333333"),
        (f64::INFINITY, "inf"),
    ];
    for (number, expected) in table {
        assert_eq!(value::shown(number), expected);
    }
}

fn script() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("return"),
        Just("local a ="),
        Just("a"),
        Just("'x'"),
        Just(".."),
        Just("1"),
        Just("{"),
        Just("}"),
        Just("("),
        Just(")"),
        Just("redis.call('get', KEYS[1])"),
        Just("not"),
        Just("-"),
        Just("#"),
        Just("and"),
        Just(","),
        Just("[[z]]"),
        Just("--"),
        Just("\n"),
    ];
    proptest::collection::vec(word, 0..30).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_script_breaks_it(script in prop_oneof![script(), "[ -~\n]{0,60}"]) {
        let _ = answered(&script);
    }

    #[test]
    fn what_a_script_makes_is_bounded(times in 1_usize..60) {
        let script = format!("local a = '{}' {} return {{a, a, a}}", "x".repeat(500), "local a = a .. a ".repeat(times));
        prop_assert!(answered(&script).len() < 20_000);
    }
}
