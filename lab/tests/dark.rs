//! Dark ports: every one a trap, or every one silent, with the real binary and real tools.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Ban, Family, Host, Lab, Node, NodeConfig, Place, Service, WEB_PORT, curl, fetch, scan_connect, wait_until};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    process::Command,
    thread,
    time::Duration,
};

const SOON: Duration = Duration::from_secs(10);
const DROPPED_AFTER: Duration = Duration::from_millis(700);
/// Serves nothing.
const DARK_PORT: u16 = 9_999;
/// The web service's, the API's and the traps' ports are elsewhere.
const SWEEP: &str = "10000-12099";
const SWEPT: u32 = 2_100;

/// The one between them: what answers, and what is silent, meets packets that the network stack has made.
mod generic {
    #[test]
    fn a_dark_port_is_played_an_honest_mistake_is_forgiven_and_scans_and_attacks_are_banned() {
        let case = super::a_dark_port_is_played_an_honest_mistake_is_forgiven_and_scans_and_attacks_are_banned;
        super::on("generic", "a_dark_port_on_the_generic_rung", case);
    }
}

/// Each case becomes a test of the highest and of the lowest rung.
macro_rules! cases {
    ($($case:ident)+) => {
        mod xdp { $( #[test] fn $case() { super::on("native", stringify!($case), super::$case); } )+ }
        mod nftables { $( #[test] fn $case() { super::on("nftables", stringify!($case), super::$case); } )+ }
    };
}

cases! {
    a_dark_port_is_played_an_honest_mistake_is_forgiven_and_scans_and_attacks_are_banned
    while_only_watched_a_sweep_finds_every_port_open
    a_killed_daemon_leaves_dark_ports_closed_and_the_next_one_makes_them_traps_again
    a_trap_that_is_killed_again_and_again_leaves_dark_ports_closed_until_it_is_there_again
    silent_dark_ports_answer_nothing_and_served_ones_as_always
}

fn on(rung: &'static str, name: &str, case: fn(&Lab, &'static str)) {
    let Some(_turn) = turn(name) else { return };
    case(&Lab::up().unwrap(), rung);
}

fn node<'lab>(lab: &'lab Lab, rung: &str, mode: &str, dark: &str) -> Node<'lab> {
    let config = NodeConfig::alone(Place::Node(1))
        .with("xdp", format!("attach = \"{rung}\""))
        .with("node", format!("mode = \"{mode}\""))
        .with("traps", format!("dark = \"{dark}\""))
        .with("traps", "except = [25, \"6000-6063\"]");
    let mut node = lab.node(config).unwrap();
    node.start().unwrap();
    let status: serde_json::Value = node.ask(&["status"]).unwrap();
    assert_eq!(status["interfaces"][0]["xdp_mode"], rung, "it is not this rung that is tested: {status}");
    node
}

fn at(family: Family, port: u16) -> SocketAddr {
    Place::Node(1).at(family, port)
}

/// What becomes of a connection: nothing is said over it.
fn connect(host: &Host, at: SocketAddr) -> Result<(), ErrorKind> {
    let connected = || Ok(TcpStream::connect_timeout(&at, DROPPED_AFTER).map(drop).map_err(|error| error.kind()));
    host.namespace.inside(connected).unwrap()
}

fn is_served(host: &Host, at: SocketAddr) -> bool {
    host.namespace.inside(|| fetch(at, DROPPED_AFTER)).is_ok()
}

fn wait_banned(node: &Node<'_>, subject: &str) -> Ban {
    let full = |ban: &Ban| ban.scope == "all" && ban.enforced;
    wait_until(&format!("{subject} is banned"), SOON, || Ok(node.ban_of(subject)?.filter(full))).unwrap()
}

fn free(node: &Node<'_>, subject: &str) {
    node.client(&["unban", subject]).unwrap().checked().unwrap();
    wait_until(&format!("{subject} is free"), SOON, || Ok(node.ban_of(subject)?.is_none().then_some(()))).unwrap();
}

fn a_dark_port_is_played_an_honest_mistake_is_forgiven_and_scans_and_attacks_are_banned(lab: &Lab, rung: &'static str) {
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let node = node(lab, rung, "enforce", "trap");
    for family in Family::BOTH {
        let page = curl(lab.honest(), at(family, DARK_PORT), "/wrong/port", SOON).unwrap();
        assert!(page.stdout.contains("404 Not Found"), "{family:?}: {page:?}");
        assert!(is_served(lab.honest(), at(family, WEB_PORT)), "{family:?}");
        let refused = connect(lab.honest(), at(family, 6_000));
        assert_eq!(refused, Err(ErrorKind::ConnectionRefused), "{family:?}: excepted");

        let subject = Place::Attacker.subject(family);
        let scan = scan_connect(lab.attacker(), Place::Node(1).addr(family), SWEEP).unwrap();
        assert_eq!((scan.count("open"), scan.count("filtered")), (3, SWEPT - 3), "{family:?}: as many as prove a scan");
        let ban = wait_banned(&node, &subject);
        assert_eq!((ban.grade.as_str(), ban.reasons.as_slice()), ("handshake", ["scan".to_owned()].as_slice()), "{family:?}");
        assert!(!is_served(lab.attacker(), at(family, WEB_PORT)), "{family:?}: all its packets are dropped");
        free(&node, &subject);

        curl(lab.attacker(), at(family, 31_337), "/shell?cmd=cat+/etc/passwd", DROPPED_AFTER).unwrap();
        let ban = wait_banned(&node, &subject);
        assert!(ban.grade == "hostile" && ban.reasons.contains(&"trap".to_owned()), "{family:?}: {ban:?}");
        assert_eq!(node.ban_of(&Place::Honest.subject(family)).unwrap(), None, "{family:?}: one wrong port is no scan");
    }
    wait_until("both visits are remembered", SOON, || {
        let visits = node.events("visit")?;
        let told = |source: Place, port: u16, fact: &str| {
            let source = source.addr(Family::V6);
            let mut own = visits.iter().filter(|visit| visit.source == Some(source) && visit.port == Some(port));
            own.any(|visit| visit.trap.as_deref() == Some("dark") && visit.fields.values().any(|value| value == fact))
        };
        let both = told(Place::Honest, DARK_PORT, "/wrong/port") && told(Place::Attacker, 31_337, "/shell?cmd=cat+/etc/passwd");
        Ok(both.then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", node.events("visit")));
    let status: serde_json::Value = node.ask(&["status"]).unwrap();
    let dark = status["traps"].as_array().unwrap().iter().find(|trap| trap["name"] == "dark").unwrap();
    assert_eq!((&dark["service"], &dark["listen"][0]), (&"any".into(), &"every dark TCP port".into()));
    assert!(dark["sessions"].as_u64() >= Some(10) && status["kernel"]["steered"].as_u64() >= Some(10), "{status}");
}

fn while_only_watched_a_sweep_finds_every_port_open(lab: &Lab, rung: &'static str) {
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let node = node(lab, rung, "observe", "trap");
    let family = Family::V4;
    let scan = scan_connect(lab.attacker(), Place::Node(1).addr(family), &format!("25,6000,{WEB_PORT},{SWEEP}")).unwrap();
    assert_eq!((scan.count("open"), scan.count("closed")), (SWEPT + 1, 2), "{:?}", scan.states);
    let ban = wait_until("the scan is proven", SOON, || {
        Ok(node.ban_of(&Place::Attacker.subject(family))?.filter(|ban| ban.grade == "handshake"))
    });
    assert!(!ban.unwrap().enforced);
    assert!(is_served(lab.attacker(), at(family, WEB_PORT)));
}

fn a_killed_daemon_leaves_dark_ports_closed_and_the_next_one_makes_them_traps_again(lab: &Lab, rung: &'static str) {
    let host = lab.host(Place::Node(1));
    let _web = Service::start(host, WEB_PORT).unwrap();
    let mut node = node(lab, rung, "enforce", "trap");
    for round in 0..2 {
        for family in Family::BOTH {
            let page = curl(lab.honest(), at(family, DARK_PORT), "/", SOON).unwrap();
            assert!(page.stdout.contains("<html"), "{round} {family:?}: {page:?}");
        }
        node.kill();
        for family in Family::BOTH {
            assert_eq!(connect(lab.honest(), at(family, DARK_PORT)), Err(ErrorKind::ConnectionRefused), "{round} {family:?}");
            assert!(is_served(lab.honest(), at(family, WEB_PORT)), "{round} {family:?}");
        }
        node.start().unwrap();
    }
    let later = Service::start(host, DARK_PORT).unwrap();
    for family in Family::BOTH {
        assert!(is_served(lab.honest(), at(family, DARK_PORT)), "{family:?}: a later service is found at once");
    }
    drop(later);
    thread::sleep(Duration::from_millis(50));
    assert!(curl(lab.honest(), at(Family::V4, DARK_PORT), "/", SOON).unwrap().stdout.contains("<html"), "a trap again");
    assert_eq!(node.bans().unwrap(), []);
}

/// The process that plays, if one does; and whether the node says that dark ports are closed.
fn player(node: &Node<'_>) -> (Option<i32>, bool) {
    let status: serde_json::Value = node.ask(&["status"]).unwrap();
    let process = &status["trap_process"];
    let pid = (process["running"] == true).then(|| i32::try_from(process["pid"].as_i64().unwrap()).unwrap());
    (pid, status["warnings"].to_string().contains("dark ports are closed"))
}

/// The next process that plays is killed as soon as it is there. Its number.
fn kill_next(node: &Node<'_>, last: Option<i32>) -> i32 {
    let pid = wait_until("somebody plays", SOON, || Ok(player(node).0.filter(|pid| Some(*pid) != last))).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    pid
}

/// Deaths after which the pause before the next process is much longer than dark ports stay open without one.
const DEATHS: usize = 9;

fn a_trap_that_is_killed_again_and_again_leaves_dark_ports_closed_until_it_is_there_again(lab: &Lab, rung: &'static str) {
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let node = node(lab, rung, "enforce", "trap");
    let mut last = None;
    let (mut refused, mut finished) = (0, 0);
    for death in 0..DEATHS {
        last = Some(kill_next(&node, last));
        for family in Family::BOTH {
            match connect(lab.honest(), at(family, DARK_PORT)) {
                Ok(()) => finished += 1,
                Err(ErrorKind::ConnectionRefused) => refused += 1,
                Err(other) => panic!("{death} {family:?}: {other}"),
            }
            assert!(is_served(lab.honest(), at(family, WEB_PORT)), "{death} {family:?}: the served port does not notice");
        }
    }
    // The pauses begin with some milliseconds, which close nothing, and end with more than two seconds.
    assert!(refused > 0, "{refused} were refused and {finished} finished while it died again and again");
    // A pause of some seconds: what is closed stays so to its end.
    let mut rounds = 0;
    loop {
        wait_until("they are closed", SOON, || Ok(player(&node).1.then_some(()))).unwrap();
        let answers = [(); 3].map(|()| Family::BOTH.map(|family| connect(lab.honest(), at(family, DARK_PORT))));
        let served = Family::BOTH.map(|family| is_served(lab.honest(), at(family, WEB_PORT)));
        assert_eq!(served, [true; 2]);
        if player(&node) == (None, true) {
            assert_eq!(answers, [[Err(ErrorKind::ConnectionRefused); 2]; 3], "after {refused} refused and {finished} finished");
            break;
        }
        rounds += 1;
        assert!(rounds < 5, "the pauses are too short for this machine");
        last = Some(kill_next(&node, last));
    }
    wait_until("somebody plays", SOON, || Ok(player(&node).0.filter(|pid| Some(*pid) != last))).unwrap();
    for family in Family::BOTH {
        let page = wait_until("dark ports are traps again", SOON, || {
            let page = curl(lab.honest(), at(family, DARK_PORT), "/", SOON);
            Ok(page.ok().filter(|page| page.stdout.contains("<html")))
        });
        page.unwrap();
    }
    assert!(!player(&node).1, "and nobody says otherwise");
    let closed = node.events("audit").unwrap();
    assert!(closed.iter().any(|event| event.fields.get("traps").is_some_and(|what| what == "closed")), "{closed:?}");
    assert_eq!(node.bans().unwrap(), []);
}

/// What `status` says of the node's only interface: its index, and whether the program that steers dark ports is on it.
fn steering(node: &Node<'_>) -> (u64, String) {
    let status: serde_json::Value = node.ask(&["status"]).unwrap();
    let eth0 = &status["interfaces"][0];
    (eth0["index"].as_u64().unwrap(), eth0["steering"].as_str().unwrap().to_owned())
}

fn keeper(node: &Node<'_>) -> i32 {
    let status: serde_json::Value = node.ask(&["status"]).unwrap();
    i32::try_from(status["keeper"]["pid"].as_i64().unwrap()).unwrap()
}

/// How often the keeper has put that program on because it had come off.
fn came_off(node: &Node<'_>) -> usize {
    let told = node
        .events("audit")
        .unwrap()
        .into_iter()
        .filter(|event| event.fields.get("program").is_some_and(|program| program == "tcx"));
    told.filter(|event| event.fields.get("why").is_some_and(|why| why.contains("had come off; it is on again"))).count()
}

/// Takes that program off as a hand does that has the power to: `honeymesh release`, told that a second name of its pin is all
/// there is.
fn take_off(lab: &Lab, node: &Node<'_>) {
    let pins = node.pins().with_file_name(format!("{}x", node.pins().file_name().unwrap().to_str().unwrap()));
    let version = fs::read_dir(node.pins()).unwrap().next().unwrap().unwrap().path();
    let pin = fs::read_dir(version.join("steering")).unwrap().next().unwrap().unwrap().path();
    let other = pins.join(version.file_name().unwrap()).join("steering");
    fs::create_dir_all(&other).unwrap();
    fs::hard_link(&pin, other.join(pin.file_name().unwrap())).unwrap();
    let (state, file) = (lab.scratch().join("nobody"), lab.scratch().join("nobody.toml"));
    let text = format!(
        "[node]\nstate_dir = \"{}\"\n[xdp]\ninterfaces = [\"eth0\"]\npin_dir = \"{}\"\n",
        state.display(),
        pins.display()
    );
    fs::write(&file, text).unwrap();
    let mut release = Command::new(honeymesh_lab::binary().unwrap());
    let outcome = node.host.run(release.args(["release", "--config"]).arg(file), SOON).unwrap().checked().unwrap();
    assert!(outcome.stdout.contains("detached from eth0, removed"), "{outcome:?}");
}

/// A visit to a dark port is played, and told.
fn is_met(lab: &Lab, node: &Node<'_>, port: u16) {
    for family in Family::BOTH {
        wait_until(&format!("{family:?}: port {port} is a trap"), SOON, || {
            let page = curl(lab.honest(), at(family, port), "/", DROPPED_AFTER)?;
            Ok(page.stdout.contains("<html").then_some(()))
        })
        .unwrap_or_else(|error| panic!("{error:#}: {:?}\n{}", steering(node), node.log()));
        wait_until("the visit is told", SOON, || {
            let source = Some(Place::Honest.addr(family));
            let mut visits = node.events("visit")?.into_iter();
            Ok(visits.any(|visit| visit.source == source && visit.port == Some(port)).then_some(()))
        })
        .unwrap();
    }
}

#[test]
fn an_interface_made_anew_or_robbed_of_the_program_has_traps_again_also_after_the_keeper_was_killed() {
    let Some(_turn) = turn("an_interface_made_anew_has_traps_again") else { return };
    let lab = Lab::up().unwrap();
    // A few ports from one source are no scan here.
    let config = NodeConfig::alone(Place::Node(1)).with("traps", "dark = \"trap\"").with("scan", "ports = 16");
    let mut node = lab.node(config).unwrap();
    node.start().unwrap();
    is_met(&lab, &node, DARK_PORT);
    let (before, _) = steering(&node);

    lab.replug(Place::Node(1)).unwrap();
    wait_until("the new interface is steered", SOON, || {
        let (index, state) = steering(&node);
        Ok((index != before && state == "attached").then_some(()))
    })
    .unwrap();
    is_met(&lab, &node, DARK_PORT + 1);

    let robbed = |round: usize| {
        take_off(&lab, &node);
        wait_until("it is put on again", SOON, || Ok((came_off(&node) == round).then_some(()))).unwrap();
        wait_until("the kernel says so", SOON, || Ok((steering(&node).1 == "attached").then_some(()))).unwrap();
    };
    robbed(1);
    is_met(&lab, &node, DARK_PORT + 2);

    let killed = keeper(&node);
    kill(Pid::from_raw(killed), Signal::SIGKILL).unwrap();
    wait_until("there is another keeper", SOON, || {
        let status: serde_json::Value = node.ask(&["status"])?;
        let keeper = &status["keeper"];
        Ok((keeper["running"] == true && keeper["restarts"] == 1 && keeper["pid"] != killed).then_some(()))
    })
    .unwrap();
    robbed(2);
    is_met(&lab, &node, DARK_PORT + 3);
    lab.replug(Place::Node(1)).unwrap();
    is_met(&lab, &node, DARK_PORT + 4);
    assert_eq!(node.bans().unwrap(), []);
}

fn silent_dark_ports_answer_nothing_and_served_ones_as_always(lab: &Lab, rung: &'static str) {
    let _web = Service::start(lab.host(Place::Node(1)), WEB_PORT).unwrap();
    let _node = node(lab, rung, "enforce", "silent");
    for family in Family::BOTH {
        assert_eq!(connect(lab.honest(), at(family, DARK_PORT)), Err(ErrorKind::TimedOut), "{family:?}");
        assert_eq!(connect(lab.honest(), at(family, 25)), Err(ErrorKind::ConnectionRefused), "{family:?}: excepted");
        assert!(is_served(lab.honest(), at(family, WEB_PORT)), "{family:?}");
    }
    let scan = scan_connect(lab.attacker(), Place::Node(1).addr(Family::V4), &format!("{WEB_PORT},{SWEEP}")).unwrap();
    assert_eq!((scan.open.as_slice(), scan.count("filtered")), ([WEB_PORT].as_slice(), SWEPT), "{:?}", scan.states);
}
