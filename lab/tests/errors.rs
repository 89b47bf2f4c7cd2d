//! What goes wrong at start says what, where and how to mend it, in one line, with the contract's exit code.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Lab, NodeConfig, Outcome, Place, Service, binary, run};
use std::{process::Command, time::Duration};

const SOON: Duration = Duration::from_secs(20);
/// Bad usage or bad configuration.
const BAD: i32 = 2;

/// Runs a daemon that should not start.
fn refused(lab: &Lab, config: NodeConfig) -> Outcome {
    let node = lab.node(config).unwrap();
    let mut command = Command::new(binary().unwrap());
    command.arg("run").arg("--config").arg(node.config_file());
    lab.host(Place::Node(1)).run(&mut command, SOON).unwrap()
}

/// The last line on stderr, where the reason must stand.
fn reason(outcome: &Outcome) -> &str {
    outcome.stderr.lines().last().unwrap_or_default()
}

#[test]
fn a_bad_configuration_is_told_with_its_place_and_exit_code_2() {
    let Some(_turn) = turn("a_bad_configuration_is_told") else { return };
    let lab = Lab::up().unwrap();
    let config = || NodeConfig::alone(Place::Node(1));
    for (bad, words) in [
        (config().with("scan", "prots = 5"), ["prots", "ports"]),
        (config().with("allow", "nets = [\"203.0.113.0/33\"]"), ["203.0.113.0/33", "nets"]),
        (config().with("bans", "ttl = \"soon\""), ["soon", "ttl"]),
    ] {
        let outcome = refused(&lab, bad);
        assert_eq!(outcome.code(), Some(BAD), "{outcome:?}");
        let told = outcome.stderr.lines().find(|line| words.iter().all(|word| line.contains(word)));
        let told = told.unwrap_or_else(|| panic!("{words:?} are not told: {outcome:?}"));
        assert!(told.contains("honeymesh.toml:"), "with file and line: {told}");
    }
}

#[test]
fn what_the_machine_lacks_is_told() {
    let Some(_turn) = turn("what_the_machine_lacks_is_told") else { return };
    let lab = Lab::up().unwrap();
    let config = || NodeConfig::alone(Place::Node(1));
    let taken = Service::start(lab.host(Place::Node(1)), 8080).unwrap();
    let outcome = refused(&lab, config());
    assert!(outcome.code().is_some_and(|code| code != 0), "{outcome:?}");
    assert!(reason(&outcome).contains("8080") && reason(&outcome).contains("http"), "a port in use: {outcome:?}");
    drop(taken);

    let node = lab.node(config()).unwrap();
    let file = std::fs::read_to_string(node.config_file()).unwrap().replace("eth0", "eth7");
    std::fs::write(node.config_file(), file).unwrap();
    let mut command = Command::new(binary().unwrap());
    command.arg("run").arg("--config").arg(node.config_file());
    let outcome = lab.host(Place::Node(1)).run(&mut command, SOON).unwrap();
    assert!(outcome.code().is_some_and(|code| code != 0), "{outcome:?}");
    assert!(reason(&outcome).contains("eth7"), "an interface that is not there: {outcome:?}");
}

#[test]
fn without_privileges_it_says_which_are_missing() {
    let Some(_turn) = turn("without_privileges") else { return };
    let lab = Lab::up().unwrap();
    let node = lab.node(NodeConfig::alone(Place::Node(1))).unwrap();
    let copy = lab.scratch().join("honeymesh");
    std::fs::copy(binary().unwrap(), &copy).unwrap();
    let open = |path: &std::path::Path| {
        Command::new("chmod").args(["-R", "a+rX"]).arg(path).status().unwrap();
    };
    open(lab.scratch());
    Command::new("chown").args(["-R", "65534:65534"]).arg(node.state()).status().unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]);
    command.arg(copy).arg("run").arg("--config").arg(node.config_file());
    let outcome = lab.host(Place::Node(1)).run(&mut command, SOON).unwrap();
    assert!(outcome.code().is_some_and(|code| code != 0), "{outcome:?}");
    let told = reason(&outcome);
    assert!(["root", "privileges", "CAP_"].iter().any(|word| told.contains(word)), "{outcome:?}");
}

#[test]
fn a_client_without_a_daemon_says_so_with_exit_code_3() {
    let Some(_turn) = turn("a_client_without_a_daemon") else { return };
    let lab = Lab::up().unwrap();
    let node = lab.node(NodeConfig::alone(Place::Node(1))).unwrap();
    for args in [&["bans"][..], &["status", "--json"], &["ban", "192.0.2.1"]] {
        let outcome = node.client(args).unwrap();
        assert_eq!(outcome.code(), Some(3), "{outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1, "one line: {outcome:?}");
    }
    for bad in [&["ban", "192.0.2.1/24"][..], &["ban", "nobody"], &["ban", "192.0.2.1", "--ttl", "soon"], &["bnas"]] {
        let mut command = Command::new(binary().unwrap());
        let outcome = run(command.args(bad), SOON).unwrap();
        assert_eq!(outcome.code(), Some(BAD), "{outcome:?}");
    }
}
