//! Traps that take their time, played by the process that can do nothing else: the ban does not wait with them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Net, eventually, in_namespace, is_root};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

const TRAPS: &str = r#"
[[trap]]
name = "ftp"
service = "ftp"
listen = ["0.0.0.0:2121"]

[[trap]]
name = "pit"
service = "ftp"
listen = ["0.0.0.0:2122"]
tarpit = true

[[trap]]
name = "printer"
service = "script"
listen = ["0.0.0.0:9100"]

[[trap.rule]]
regex = '(?i)@PJL +ECHO +(?<token>.*)'
answer = "@PJL ECHO {token}\r\n\f"
delay = "700ms"
telling = true
"#;

/// Says something from the stranger's side; what came back, up to so many bytes, and how long that took.
fn say(net: &Net, port: u16, said: &'static [u8], wanted: usize) -> (Vec<u8>, Duration) {
    let spoken = in_namespace(&net.stranger, move || {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(("10.77.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        stream.write_all(said).unwrap();
        let mut answer = vec![0; wanted];
        stream.read_exact(&mut answer).unwrap();
        (answer, begun.elapsed())
    });
    spoken.join().unwrap()
}

fn events(net: &Net) -> String {
    net.told(&["events", "--json"])
}

#[test]
fn what_is_said_to_a_slow_trap_is_kept_before_it_answers() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&net.config(TRAPS));
    net.told(&["mode", "observe"]);
    let (answer, took) = say(&net, 9_100, b"@pjl echo 4711\r\n", 17);
    assert_eq!(answer, b"@PJL ECHO 4711\r\n\x0c");
    assert!((700..15_000).contains(&took.as_millis()), "{took:?}");
    eventually("what it captured is kept", || events(&net).contains("\"token\":\"4711\"").then_some(()));

    let (answer, took) = say(&net, 2_122, b"USER root\r\nPASS in-the-pit\r\n", 2);
    assert_eq!(answer, b"22");
    assert!((5_500..15_000).contains(&took.as_millis()), "a byte every three seconds: {took:?}");
    eventually("its password is kept", || events(&net).contains("in-the-pit").then_some(()));
    daemon.stop();
}

#[test]
fn a_ban_does_not_wait_for_the_wait_behind_a_wrong_password() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let daemon = net.start(&net.config(TRAPS));
    let stranger = net.stranger.clone();
    let refused = in_namespace(&stranger, move || {
        let mut stream = TcpStream::connect("10.77.0.1:2121").unwrap();
        stream.write_all(b"USER root\r\nPASS toor\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
        let mut heard = Vec::new();
        let _until_it_is_cut_off = stream.read_to_end(&mut heard);
        heard
    });
    eventually("it is banned", || net.told(&["bans", "--json"]).contains("10.77.0.2").then_some(()));
    // What is told before the wait bans before the answer; what were told behind it would ban when the answer is on its way.
    let heard = String::from_utf8_lossy(&refused.join().unwrap()).into_owned();
    assert!(heard.contains("331 ") && !heard.contains("530 Login incorrect"), "and it never hears that it was wrong: {heard}");
    daemon.stop();
}
