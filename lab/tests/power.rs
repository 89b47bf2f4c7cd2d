//! Power: a running daemon has none that it does not need.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Family, HTTP_PORT, Lab, NodeConfig, Place, curl, wait_until};
use std::{fs, time::Duration};

const SOON: Duration = Duration::from_secs(10);

/// A value of `/proc/PID/task/TID/status`.
fn value<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim_start_matches(':').trim()
}

#[test]
fn no_thread_of_a_running_daemon_is_root_or_has_a_capability_and_it_still_bans() {
    let Some(_turn) = turn("no_thread_of_a_running_daemon") else { return };
    let lab = Lab::up().unwrap();
    let mut node = lab.node(NodeConfig::alone(Place::Node(1))).unwrap();
    node.start().unwrap();
    let threads = fs::read_dir(format!("/proc/{}/task", node.pid().unwrap())).unwrap();
    let statuses: Vec<_> = threads.flatten().map(|task| fs::read_to_string(task.path().join("status")).unwrap()).collect();
    assert!(statuses.len() > 1, "traps and clients have threads of their own");
    for status in &statuses {
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(value(status, set), "0000000000000000", "{set} of {}", value(status, "Name"));
        }
        assert!(!value(status, "Uid").split_whitespace().any(|user| user == "0"), "{}", value(status, "Name"));
        assert!(!value(status, "Gid").split_whitespace().any(|group| group == "0"), "{}", value(status, "Name"));
        assert_eq!(value(status, "Groups"), "", "{}", value(status, "Name"));
        assert_eq!((value(status, "NoNewPrivs"), value(status, "Seccomp")), ("1", "2"), "{}", value(status, "Name"));
    }
    curl(lab.attacker(), Place::Node(1).at(Family::V4, HTTP_PORT), "/", Duration::from_millis(500)).unwrap();
    let subject = Place::Attacker.subject(Family::V4);
    wait_until("it bans all the same", SOON, || node.ban_of(&subject)).unwrap();
}
