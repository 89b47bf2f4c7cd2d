//! Honeytokens, for real: what one node of a cluster lets a thief find, another one recognises, and nothing was said between
//! them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Net, eventually, is_root, sh};
use serde_json::Value;
use std::{path::Path, process::Command};

/// A thief on the node's side, beside the node.
const THIEF: &str = "10.77.0.9";

fn curl(namespace: &str, arguments: &[&str]) -> String {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{namespace}")).arg("curl").args(["-sS", "-m", "10"]).args(arguments);
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// What a node has told of, one object a line.
fn events(socket: &Path) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
    let output = command.args(["events", "--since", "1h", "--json", "--socket"]).arg(socket).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_one_node_lets_a_thief_find_another_one_knows_when_it_is_used() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let file = net.dir.path().join("m.key");
    assert!(Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["key", "new"]).arg(&file).output().unwrap().status.success());
    let trap = |listen: &str| format!("[[trap]]\nname = \"web\"\nservice = \"http\"\nlisten = [\"{listen}:8080\"]\n");
    let cluster =
        |join: &str| format!("[[cluster]]\nname = \"m\"\njoin = [\"{join}:7946\"]\nkey_file = \"{}\"\n", file.display());
    let other_config = net.other_config(&(trap("10.77.0.2") + &cluster("10.77.0.1")));
    let (_here, _there) = (net.start(&net.config(&(trap("10.77.0.1") + &cluster("10.77.0.2")))), net.start_other(&other_config));
    sh(&format!("ip -n {} addr add {THIEF}/24 dev {}", net.node, net.interface));

    // Found on one node, in a remark of its page.
    let page = curl(&net.stranger, &["http://10.77.0.1:8080/"]);
    let remark = page.split("<!--").nth(1).unwrap();
    // What stands behind it depends on the page.
    let path = remark.split([' ', ',', ';']).find(|word| word.starts_with("/backup-")).unwrap().trim_end_matches('.').to_owned();
    // Used on the other.
    let answer = curl(&net.node, &["--interface", THIEF, &format!("http://10.77.0.2:8080{path}")]);
    assert!(answer.contains("404"), "it opens nothing: {answer}");
    let event = eventually("the use of the token is told", || {
        let is_it = |event: &Value| event["kind"] == "visit" && event["source"] == THIEF;
        events(&net.dir.path().join("other/honeymesh.sock")).into_iter().find(is_it)
    });
    assert_eq!((event["grade"].as_str().unwrap(), event["fields"]["bait"].as_str().unwrap()), ("hostile", path.as_str()));
    let reasons = event["fields"]["score_reasons"].as_str().unwrap();
    assert!(reasons.starts_with("10 it spoke; 70 used bait that only a thief can know"), "{reasons}");
    assert_eq!(event["score"], 80);
    // What was sent is kept once, under its hash, and comes out harmless.
    let hash = event["payload_sha256"].as_str().unwrap();
    let payload = net.other_json(&["payload", hash]);
    assert_eq!((payload["count"].as_u64(), payload["payload_base64"].as_str()), (Some(1), event["payload_base64"].as_str()));
    let ban = eventually("the thief is banned", || {
        let bans = net.other_json(&["bans"]);
        bans.as_array().unwrap().iter().find(|ban| ban["subject"] == format!("{THIEF}/32")).cloned()
    });
    assert_eq!(ban["grade"], "hostile");

    // Whoever plays the traps knows the tokens, and not the key.
    let player = net.json(&["status"])["trap_process"]["pid"].as_i64().unwrap();
    let key = std::fs::read_to_string(&file).unwrap();
    let key: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&key[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let holds = |wanted: &[u8]| memory(player).iter().any(|part| part.windows(wanted.len()).any(|window| window == wanted));
    assert!(holds(path.as_bytes()), "the token is there");
    assert!(!holds(&key), "the key is not");
}

/// What a process has in its memory, as far as it can be read.
fn memory(pid: i64) -> Vec<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let writable = maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw")));
    let range = |line: &str| {
        let (first, last) = line.split(' ').next()?.split_once('-')?;
        Some((u64::from_str_radix(first, 16).ok()?, u64::from_str_radix(last, 16).ok()?))
    };
    let parts = writable.filter_map(range).filter_map(|(first, last)| {
        let mut part = vec![0; usize::try_from(last - first).ok()?];
        let read = memory.read_at(&mut part, first).ok()?;
        part.truncate(read);
        Some(part)
    });
    parts.collect()
}
