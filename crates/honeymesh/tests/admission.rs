//! Admission with real processes: token, join, ban; revocation; tokens that are used, over or made up.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{Net, eventually, is_root};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const VICTIM: &str = "203.0.113.77";
const SHARED: &str = "203.0.113.78";

fn binary(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(args).output().unwrap()
}

/// A command on the second machine.
fn there(net: &Net, args: &[&str]) -> Output {
    let namespace = format!("--net=/run/netns/{}", net.stranger);
    Command::new("nsenter").arg(namespace).arg(env!("CARGO_BIN_EXE_honeymesh")).args(args).output().unwrap()
}

fn refusal(output: &Output) -> String {
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{line}");
    line
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_token_lets_a_machine_in_and_a_revocation_takes_its_bans_from_everybody() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let (authority, keys) = (net.dir.path().join("authority"), net.dir.path().join("mesh.key"));
    let made = binary(&["authority", "new", text(&authority), "--json"]);
    let public: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert!(binary(&["key", "new", text(&keys)]).status.success());
    let section = format!(
        "[[cluster]]\nname = \"m\"\nlisten = \"10.77.0.1:7946\"\nkey_file = \"{}\"\nauthority = {}\nauthority_file = \"{}\"",
        keys.display(),
        public["authority"],
        authority.display()
    );
    let other = net.other_config("");
    let daemon = net.start(&net.config(&section));

    let token = net.told(&["join-token", "new", "m", "--ttl", "10m", "--owner", "ops"]);
    let theirs = net.dir.path().join("theirs.key");
    let join = |token: &str, keys: &Path| {
        there(&net, &["join", token, "--config", text(&other), "--key-file", text(keys), "--write", "--patience", "3s"])
    };
    let short = net.told(&["join-token", "new", "m", "--ttl", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    assert!(refusal(&join(short.trim(), &theirs)).contains("expired; make a new one"));
    let joined = join(token.trim(), &theirs);
    assert!(joined.status.success(), "{}", String::from_utf8_lossy(&joined.stderr));
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&theirs).unwrap()) & 0o777;
    assert_eq!((fs::read_to_string(&theirs).unwrap(), mode), (fs::read_to_string(&keys).unwrap(), 0o600));

    let second = net.start_other(&other);
    let peers = eventually("the two meet", || {
        let peers = net.json(&["peers"]);
        (peers[0]["state"] == "alive" && peers[0]["name"] == "cellar").then_some(peers)
    });
    assert_eq!((&peers[0]["admission"], &peers[0]["owner"]), (&"certified".into(), &"ops".into()));
    net.other_json(&["ban", VICTIM]);
    net.other_json(&["ban", SHARED]);
    net.json(&["ban", SHARED]);
    let bans = |wanted: usize| {
        eventually("the bans are as they should be", || (net.json(&["bans"]).as_array()?.len() == wanted).then_some(()));
    };
    bans(2);
    eventually("what the other one says of what both say", || net.told(&["why", SHARED]).contains("cellar").then_some(()));

    let told = net.told(&["peers", "revoke", "cellar"]);
    assert!(told.contains("is revoked on every node of m; 2 bans"), "{told}");
    bans(1);
    assert_eq!(net.json(&["bans"])[0]["subject"], format!("{SHARED}/32"), "what others said, too, stays");
    net.other_json(&["ban", "203.0.113.79"]);
    std::thread::sleep(std::time::Duration::from_secs(2));
    bans(1);
    assert_eq!(net.json(&["peers"])[0]["revoked"], true);
    eventually("the revoked one is told", || {
        let status = net.other_json(&["status"]);
        status["warnings"].to_string().contains("REVOKED").then_some(())
    });

    // A restart forgets neither the revocation nor the token that was used.
    drop(second);
    daemon.stop();
    let _daemon = net.start(&net.config(&section));
    assert_eq!(net.json(&["bans"]).as_array().unwrap().len(), 1);
    fs::remove_dir_all(net.dir.path().join("other")).unwrap();
    let third = net.other_config("");
    assert!(
        refusal(&there(&net, &["join", token.trim(), "--config", text(&third), "--key-file", "/nonexistent/k"]))
            .contains("was used by another node")
    );
    let unknown = there(&net, &["join", token.trim(), "--config", text(&third), "--key-file", text(&theirs)]);
    assert!(refusal(&unknown).contains("exists and is not overwritten"));
}
