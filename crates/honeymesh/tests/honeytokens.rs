//! Honeytokens, for real: what one node of a cluster lets a thief find, another one recognises, and nothing was said between
//! them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Net, eventually, is_root, sh};
use honeymesh::{config::parse, honeytokens};
use honeymesh_mesh_proto::{Key, KeyRing};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
};

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

/// What the configuration of both nodes has.
const LISTED: &str =
    "[honeytokens]\ncredentials = [\"svc:Tr0ub4dor-3x9\"]\nurls = [\"/old/db-7f3a.zip\"]\nnames = [\"files-b07-x1\"]\n";

/// The traps of the other node: a name, a port, and how a thief there says a token. `SOURCE` is where he comes from.
const WAYS: [(&str, u16, &str); 6] = [
    (
        "ssh",
        2022,
        "sshpass -p TOKEN ssh -F /dev/null -b SOURCE -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o ConnectTimeout=5 -o NumberOfPasswordPrompts=1 -o PreferredAuthentications=password -p 2022 root@10.77.0.2 true",
    ),
    ("ftp", 2021, "curl -sS -m 8 --interface SOURCE -u root:TOKEN ftp://10.77.0.2:2021/"),
    (
        "smtp",
        2025,
        "curl -sS -k -m 8 --interface SOURCE --ssl-reqd --login-options AUTH=PLAIN -u root:TOKEN smtp://10.77.0.2:2025 \
        --mail-from a@b --mail-rcpt c@d",
    ),
    ("redis", 6379, "printf 'AUTH TOKEN\\r\\n' | nc -s SOURCE -w 3 10.77.0.2 6379"),
    ("ldap", 3389, "LDAP | nc -s SOURCE -w 3 10.77.0.2 3389"),
    ("https", 8443, "openssl s_client -bind SOURCE:0 -connect 10.77.0.2:8443 -servername TOKEN </dev/null"),
];

/// A simple bind with this password, as a command that prints it.
fn bind(password: &str) -> String {
    let name = "cn=admin";
    let part = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat();
    let bind = [&b"\x02\x01\x03"[..], &part(4, name.as_bytes()), &part(0x80, password.as_bytes())].concat();
    let message = part(0x30, &[&b"\x02\x01\x01"[..], &part(0x60, &bind)].concat());
    let octal: String = message.iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!("printf '{octal}'")
}

/// Thieves have a network of their own behind the first node, so that both nodes may ban them.
fn thieves(net: &Net) -> String {
    let name = format!("{}t", net.node);
    sh(&format!(
        "ip netns add {name}
         ip link add tt netns {name} type veth peer name tn netns {node}
         ip -n {node} addr add 10.88.0.1/24 dev tn; ip -n {node} link set tn up
         ip -n {name} addr add 10.88.0.2/24 dev tt; ip -n {name} link set tt up; ip -n {name} link set lo up
         ip -n {name} route add default via 10.88.0.1
         ip netns exec {node} sysctl -qw net.ipv4.ip_forward=1
         ip -n {stranger} route add 10.88.0.0/24 via 10.77.0.1",
        node = net.node,
        stranger = net.stranger
    ));
    name
}

/// A namespace that goes when it is dropped.
struct Namespace(String);

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ended = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// Every token that a thief may have, said to every service that hears names or passwords, each by a thief of his own: the node
/// that heard it grades it hostile and names the bait, and the other one knows, though it has heard nothing.
#[test]
fn whatever_was_stolen_and_wherever_it_is_said_it_is_hostile_and_both_nodes_know() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let thieves = Namespace(thieves(&net));
    let file = net.dir.path().join("m.key");
    assert!(Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["key", "new"]).arg(&file).output().unwrap().status.success());
    let cluster =
        |join: &str| format!("[[cluster]]\nname = \"m\"\njoin = [\"{join}:7946\"]\nkey_file = \"{}\"\n", file.display());
    let trap = |(name, port, _): &(&str, u16, &str)| {
        format!("[[trap]]\nname = \"{name}\"\nservice = \"{name}\"\nlisten = [\"10.77.0.2:{port}\"]\n")
    };
    let traps: String = WAYS.iter().map(trap).collect();
    let other_config = net.other_config(&[LISTED, &traps, &cluster("10.77.0.1")].concat());
    let config = net.config(&[LISTED, &cluster("10.77.0.2")].concat());
    let (_here, _there) = (net.start(&config), net.start_other(&other_config));
    eventually("they meet", || (net.json(&["peers"])[0]["state"] == "alive").then_some(()));

    let key = Key::parse(std::fs::read_to_string(&file).unwrap().trim()).unwrap();
    let tokens = honeytokens::of(&parse(LISTED, "roof").config, [KeyRing::new(key)].iter()).tokens;
    assert_eq!(tokens.len(), 3 + 4, "three lists, and user, password, path and key");
    let said: Vec<_> = tokens.iter().flat_map(|token| WAYS.iter().map(move |way| (way, token))).collect();
    let next = Mutex::new(said.iter().enumerate());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some((index, ((_, _, line), token))) = next.lock().unwrap().next() else { return };
                    steal(&thieves.0, &source(index), line, token);
                }
            });
        }
    });

    let visits = eventually("all of it is told", || {
        let mut visits: BTreeMap<String, Value> = BTreeMap::new();
        for event in events(&net.dir.path().join("other/honeymesh.sock")) {
            if event["kind"] == "visit" && event["fields"]["bait"].is_string() {
                visits.entry(event["source"].as_str().unwrap().to_owned()).or_insert(event);
            }
        }
        let missing = (0..said.len()).filter(|index| !visits.contains_key(&source(*index)));
        let missing: Vec<_> = missing.map(|index| (said[index].0.0, said[index].1)).collect();
        eprintln!("{} are missing: {missing:?}", missing.len());
        missing.is_empty().then_some(visits)
    });
    for (index, ((service, ..), token)) in said.iter().enumerate() {
        let event = &visits[&source(index)];
        let told = (event["trap"].as_str().unwrap(), event["grade"].as_str().unwrap(), event["fields"]["bait"].as_str().unwrap());
        assert_eq!(told, (*service, "hostile", token.as_str()), "{event}");
        assert!(event["score"].as_u64().unwrap() >= 80, "{service} {token}: {event}");
    }
    eventually("the other node knows all of them", || {
        let bans = net.json(&["bans", "--subject", "10.88.0.0/24"]);
        let is_known = |index| {
            let subject = format!("{}/32", source(index));
            bans.as_array()
                .unwrap()
                .iter()
                .any(|ban| ban["subject"] == subject && ban["grade"] == "hostile" && ban["origins"][0] == "cellar")
        };
        (0..said.len()).all(is_known).then_some(())
    });
}

/// Where the thief of this number comes from.
fn source(index: usize) -> String {
    format!("10.88.0.{}", 10 + index)
}

fn steal(namespace: &str, source: &str, line: &str, token: &str) {
    sh(&format!("ip -n {namespace} addr add {source}/24 dev tt"));
    let line = line.replace("LDAP", &bind(token)).replace("SOURCE", source).replace("TOKEN", token);
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{namespace}")).args(["timeout", "15", "bash", "-c", &line]);
    // He may have been banned before he has heard all.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
}
