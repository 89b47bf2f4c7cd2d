//! The lab itself: hosts reach each other, cuts cut, tools see what they should, and nothing is left behind.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{
    Capture, Family, Honest, Lab, Place, Service, fetch, forge_syns, hping_syns, scan_connect, scan_half_open, sweep, wait_until,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// After so long nobody is heard any more who was cut off.
const CUT: Duration = Duration::from_millis(500);
/// By then everybody is heard who can be.
const SOON: Duration = Duration::from_secs(10);
const WEB: u16 = 80;

#[test]
fn everybody_reaches_a_service_until_the_link_is_cut_and_again_when_it_heals() {
    let Some(_turn) = turn("everybody_reaches_a_service") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB).unwrap();
    let within = |place, patience| {
        Family::BOTH.map(|family| lab.host(place).namespace.inside(|| fetch(Place::Node(1).at(family, WEB), patience)).is_ok())
    };
    let reaches = |place| within(place, SOON);
    for place in [Place::Node(2), Place::Node(3), Place::Attacker, Place::Honest] {
        assert_eq!(reaches(place), [true, true], "{place:?}");
    }
    lab.cut(&[Place::Node(1)], &[Place::Node(2), Place::Attacker]).unwrap();
    assert_eq!((within(Place::Node(2), CUT), within(Place::Attacker, CUT)), ([false; 2], [false; 2]));
    assert_eq!(reaches(Place::Honest), [true, true], "a cut cuts nobody else");
    lab.heal().unwrap();
    assert_eq!(reaches(Place::Attacker), [true, true]);
}

#[test]
fn scanners_forgers_and_captures_see_the_same_world() {
    let Some(_turn) = turn("scanners_forgers_and_captures") else { return };
    let lab = Lab::up().unwrap();
    let _web = Service::start(lab.host(Place::Node(1)), WEB).unwrap();
    for family in Family::BOTH {
        let target = Place::Node(1).addr(family);
        let capture = Capture::start(lab.attacker(), lab.scratch(), "attacker").unwrap();
        let half = scan_half_open(lab.attacker(), target, "80,1000-1029").unwrap();
        let seen = capture.finish().unwrap();
        assert_eq!((half.count("open"), half.count("closed")), (1, 30), "{family:?}");
        let resets = seen.iter().filter(|segment| segment.from.ip() == target && segment.flags.contains('R')).count();
        assert!(resets >= 30, "{family:?}: {resets} resets were seen");
        let full = scan_connect(lab.attacker(), target, "80,1000-1029").unwrap();
        assert_eq!((full.open, full.states["closed"]), (vec![80], 30), "{family:?}");

        let capture = Capture::start(lab.honest(), lab.scratch(), "honest").unwrap();
        let victim = Place::Honest.addr(family);
        assert_eq!(forge_syns(lab.attacker(), victim, target, 2000..2020).unwrap(), 20);
        thread::sleep(Duration::from_millis(200));
        let answers = capture.finish().unwrap().into_iter().filter(|segment| segment.flags == "R.").count();
        assert_eq!(answers, 20, "{family:?}: the forged source gets the answers, so the packets were whole");
    }
    let capture = Capture::start(lab.honest(), lab.scratch(), "honest").unwrap();
    hping_syns(lab.attacker(), Place::Honest.addr(Family::V4), Place::Node(1).addr(Family::V4), 3000, 20).unwrap();
    let answers = capture.finish().unwrap().into_iter().filter(|segment| segment.flags == "R.").count();
    assert!(answers >= 19, "{answers}");
}

#[test]
fn the_honest_client_counts_what_works_and_what_does_not() {
    let Some(_turn) = turn("the_honest_client_counts") else { return };
    let lab = Lab::up().unwrap();
    let web = Service::start(lab.host(Place::Node(1)), WEB).unwrap();
    let targets = Family::BOTH.map(|family| Place::Node(1).at(family, WEB)).to_vec();
    let honest = Honest::start(lab.honest(), targets).unwrap();
    wait_until("some requests", SOON, || Ok((honest.report().requests.len() > 5).then_some(()))).unwrap();
    let good = honest.report();
    assert!(good.failures().is_empty(), "{good:?}");
    drop(web);
    wait_until("a failure", SOON, || Ok((!honest.report().failures().is_empty()).then_some(()))).unwrap();
    assert!(!honest.finish().failures().is_empty());
}

#[test]
fn nothing_is_left_of_a_lab_and_a_killed_one_is_swept() {
    let Some(_turn) = turn("nothing_is_left_of_a_lab") else { return };
    let lab = Lab::up().unwrap();
    let ours = Path::new("/run/netns").join(lab.router().name());
    let sleeper = lab.attacker().spawn(Command::new("sleep").arg("600")).unwrap();
    assert!(ours.exists());
    drop(lab);
    assert!(!ours.exists());
    assert!(!Path::new(&format!("/proc/{}/exe", sleeper.pid())).exists(), "what ran in it is gone, too");

    // A lab of a process that was killed: the process id is one that no kernel gives out.
    let name = "hmlab-4294967294-1-0-node1";
    assert!(Command::new("ip").args(["netns", "add", name]).status().unwrap().success());
    assert!(sweep().contains(&"hmlab-4294967294-1-0".to_owned()));
    assert!(!Path::new("/run/netns").join(name).exists());
}

#[test]
fn a_terminated_lab_cleans_up() {
    let Some(_turn) = turn("a_terminated_lab_cleans_up") else { return };
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_honeymesh-lab"));
        let mut hosts = command.arg("hosts").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(hosts.stdout.take().unwrap()).lines();
        let router = lines.next().unwrap().unwrap().rsplit('/').next().unwrap().to_owned();
        lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("Ctrl-C"))).unwrap().unwrap();
        let path = Path::new("/run/netns").join(router);
        assert!(path.exists());
        kill(Pid::from_raw(hosts.id().try_into().unwrap()), signal).unwrap();
        assert_eq!(hosts.wait().unwrap().code(), Some(130), "{signal}");
        assert!(!path.exists(), "{signal}");
    }
}
