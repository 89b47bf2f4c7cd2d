//! The worked examples of `docs/traps/script.md`, read as an operator's configuration and played on loopback.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use honeymesh_trap::{Limits, Options, TrapOptions, bind};
use honeymesh_trap_proto::{Persona, Service};
use honeymesh_types::{Now, Signs, Visit};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// The examples in their order.
fn examples() -> Vec<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/traps/script.md")).unwrap();
    page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn service(example: &str) -> Service {
    let mut parsed = honeymesh::config::parse(example, "node");
    assert!(parsed.is_usable(), "{:?}", parsed.problems);
    Service::define(&parsed.config.traps.remove(0).definition, &Persona::of([7; 32])).unwrap()
}

/// What a trap says to each of `said`, and what it reports.
async fn play(example: &str, said: &[&[u8]]) -> (Vec<u8>, Vec<Visit>) {
    let traps = vec![TrapOptions { name: "t".into(), service: service(example), listen: vec!["127.0.0.1:0".parse().unwrap()] }];
    let bound = bind(Options { traps, dark: None, limits: Limits { delay_percent: 1, ..Limits::default() } }).unwrap();
    let address = bound.addresses()[0].1;
    let (sender, mut visits) = mpsc::channel(64);
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(bound.run(sender, Now::default, async { drop(stopped.await) }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    for words in said {
        stream.write_all(words).await.unwrap();
    }
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    drop(stop);
    let mut told = Vec::new();
    while let Some(visit) = timeout(PATIENCE, visits.recv()).await.unwrap() {
        told.push(visit);
    }
    task.await.unwrap().unwrap();
    (answer, told)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printer_answers_and_takes_down_who_looks_for_files() {
    let [printer, ..] = &examples()[..] else { panic!("no examples") };
    let said: [&[u8]; 3] =
        [b"\x1b%-12345X@PJL INFO ID\r\n", b"@PJL ECHO 4711\r\n", b"@PJL FSDIRLIST NAME=\"0:\\..\\..\" ENTRY=1 COUNT=99\r\n"];
    let (answer, told) = play(printer, &said).await;
    assert_eq!(
        text(&answer),
        "@PJL INFO ID\r\n\"HP LaserJet Pro M404dn\"\r\n\x0c@PJL ECHO 4711\r\n\x0c@PJL FSDIRLIST NAME=\"0:\\..\\..\"\r\nFILEERROR=3\r\n\x0c"
    );
    let hostile = told.iter().find(|visit| visit.signs.contains(Signs::RULE)).unwrap();
    assert_eq!((hostile.fields["command"].as_str(), hostile.fields["path"].as_str()), ("FSDIRLIST", "0:\\..\\.."));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_takes_logins_down_and_refuses_them() {
    let [_, switch, _] = &examples()[..] else { panic!("three examples") };
    let (answer, told) = play(switch, &[b"\r\nadmin\r\ncisco 1\r\nroot\r\ntoor\r\n"]).await;
    let shown = text(&answer).replace("\r\n", "|");
    assert_eq!(
        shown,
        "||User Access Verification||Username: Username: Password: |% Login invalid||Username: Password: |% Login invalid||Username: "
    );
    let tries: Vec<_> = told
        .iter()
        .filter(|visit| visit.signs.contains(Signs::CREDENTIALS))
        .map(|visit| (visit.fields["username"].as_str(), visit.fields["password"].as_str()))
        .collect();
    assert_eq!(tries, [("admin", "cisco 1"), ("root", "toor")]);
    let (answer, told) = play(switch, &[b"/W root\r\n"]).await;
    assert!(text(&answer).ends_with("% Login first: root\r\n"), "{}", text(&answer));
    assert_eq!(told.last().unwrap().fields["finger"], "root");
}

/// What nmap's `s7-info` sends first, and the order to stop.
#[tokio::test(flavor = "multi_thread")]
async fn the_controller_answers_as_a_controller() {
    let [_, _, controller] = &examples()[..] else { panic!("three examples") };
    let connect = b"\x03\0\0\x16\x11\xe0\0\0\0\x14\0\xc1\x02\x01\0\xc2\x02\x01\x02\xc0\x01\x0a";
    let connect_here = b"\x03\0\0\x16\x11\xe0\0\0\0\x14\0\xc0\x01\x0a\xc1\x02\x01\0\xc2\x02\x01\x02";
    let set_up = b"\x03\0\0\x19\x02\xf0\x80\x32\x01\0\0\x12\x34\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0";
    let stop = b"\x03\0\0\x21\x02\xf0\x80\x32\x01\0\0\x56\x78\0\x10\0\0\x29\0\0\0\0\0\x09P_PROGRAM";
    let (answer, told) = play(controller, &[connect, connect_here, set_up, stop]).await;
    let expected = [
        &b"\x03\0\0\x16\x11\xd0\0\x14\0\x03\0\xc0\x01\x0a\xc1\x02\x01\0\xc2\x02\x01\x02"[..],
        b"\x03\0\0\x1b\x02\xf0\x80\x32\x03\0\0\x12\x34\0\x08\0\0\0\0\xf0\0\0\x01\0\x01\0\xf0",
        b"\x03\0\0\x14\x02\xf0\x80\x32\x03\0\0\x56\x78\0\x01\0\0\x81\x04\x29",
    ]
    .concat();
    assert_eq!(answer, expected, "a request in another order is skipped, and nothing is lost by it");
    let hostile = told.iter().find(|visit| visit.signs.contains(Signs::RULE)).unwrap();
    assert_eq!(hostile.fields["number"], "5678");
    assert_eq!(told[0].fields["reference"], "0014");
}
