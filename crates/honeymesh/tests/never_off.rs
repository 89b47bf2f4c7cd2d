//! Never silently off, with the real daemon: the keeper as a process, interfaces that come and go, sabotage, the release.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{Daemon, Net, Rung, fails, is_root, on_xdp_rungs, sh};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

on_xdp_rungs! {
    interfaces_that_come_vanish_and_are_made_anew_are_guarded_and_shown
    an_interface_that_loses_the_program_gets_it_back_and_the_audit_says_so
    release_refuses_while_a_daemon_runs_and_then_leaves_nothing_behind
    what_a_newer_version_left_gives_way_and_status_says_so
}

mod nftables {
    #[test]
    fn what_a_newer_version_left_gives_way_and_status_says_so() {
        if crate::common::is_root() {
            super::what_a_newer_version_left_gives_way_and_status_says_so(crate::common::Rung::Nftables);
        }
    }
}

/// Waits until `check` finds what it waits for.
fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} never happened");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A configuration that also wants `more` interfaces.
fn config(net: &Net, more: &str) -> PathBuf {
    let file = net.config("");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(&format!("[\"{}\"]", net.interface), &format!("[\"{}\", {more}]", net.interface))).unwrap();
    file
}

fn keeper_pid(net: &Net) -> i32 {
    i32::try_from(net.json(&["status"])["keeper"]["pid"].as_u64().unwrap()).unwrap()
}

fn interface(net: &Net, name: &str) -> Value {
    let status = net.json(&["status"]);
    status["interfaces"].as_array().unwrap().iter().find(|interface| interface["name"] == name).cloned().unwrap()
}

fn events(net: &Net) -> Vec<Value> {
    let text = net.told(&["events", "--kind", "audit", "--json", "--limit", "100"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn release(net: &Net, config: &Path) -> (i32, String) {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{}", net.node)).arg(env!("CARGO_BIN_EXE_honeymesh"));
    let output = command.args(["release", "--config"]).arg(config).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// What the kernel says of a process.
fn fields(pid: &str, names: &[&str]) -> Vec<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &&str| status.lines().find_map(|line| line.strip_prefix(*name)).unwrap().trim().to_owned();
    names.iter().map(field).collect()
}

#[test]
fn keeper_and_warden_are_processes_without_power_that_end_with_the_daemon_however_it_ends() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let config = net.config("[traps]\ndark = \"trap\"\n");
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut daemon = net.start(&config);
        let keeper = keeper_pid(&net).to_string();
        let warden = fields(&keeper, &["PPid:"]).remove(0);
        assert_eq!(fields(&warden, &["PPid:"]), [daemon.child.id().to_string()]);
        for pid in [&keeper, &warden] {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
            assert_eq!(String::from_utf8_lossy(&words), "honeymesh\0keeper\0", "`ps` shows the role");
            for capabilities in fields(pid, &["CapEff:", "CapPrm:", "CapInh:", "CapAmb:", "CapBnd:"]) {
                assert_eq!(u64::from_str_radix(&capabilities, 16).unwrap(), 0);
            }
            assert_eq!(fields(pid, &["NoNewPrivs:", "Seccomp:", "Threads:"]), ["1", "2", "1"]);
            assert!(fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() < 16, "it holds little");
            // What ends a whole service or terminal at once does not end it first.
            for each in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
                kill(Pid::from_raw(pid.parse().unwrap()), each).unwrap();
            }
        }
        assert_eq!(
            [&keeper, &warden].map(|pid| fields(pid, &["Seccomp_filters:"]).remove(0)),
            ["4", "2"],
            "the copy gave up more"
        );
        std::thread::sleep(Duration::from_millis(50));
        let told = net.json(&["status"])["keeper"].clone();
        assert_eq!((&told["running"], &told["warden"], &told["restarts"]), (&true.into(), &true.into(), &0.into()));
        daemon.signal(signal);
        common::wait(&mut daemon.child, Duration::from_secs(10));
        for pid in [&keeper, &warden] {
            eventually("their end", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
        }
    }
    assert!(net.reaches());
}

fn kill_keeper(net: &Net) {
    kill(Pid::from_raw(keeper_pid(net)), Signal::SIGKILL).unwrap();
}

/// Waits for another keeper: what status says of it.
fn another_keeper(net: &Net, before: i32) -> Value {
    eventually("another keeper", || {
        let keeper = net.json(&["status"])["keeper"].clone();
        (keeper["running"] == true && keeper["pid"].as_i64() != Some(before.into())).then_some(keeper)
    })
}

/// Takes what is pinned here off, as whoever has power over the BPF file system can: by way of a second pin, in a directory of
/// its own.
fn sabotage(net: &Net, what: &str) {
    let pin = fs::read_dir(net.pins().join(what)).unwrap().next().unwrap().unwrap().path();
    let saboteur = PathBuf::from(format!("{}x", net.pin_dir.display()));
    let links = saboteur.join(net.pins().file_name().unwrap()).join("links");
    fs::create_dir_all(&links).unwrap();
    fs::hard_link(&pin, links.join("pin")).unwrap();
    let told = honeymesh_xdp::release(&saboteur).unwrap();
    assert!(told[0].contains("detached"), "{told:?}");
}

fn steering(net: &Net) -> Value {
    interface(net, &net.interface)["steering"].clone()
}

/// How many links to tcx are on an interface, of those that these processes hold.
fn tcx_links(pids: &[i32]) -> usize {
    let files = pids.iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap());
    let links = files.filter_map(|file| {
        let text = fs::read_to_string(file.ok()?.path()).ok()?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
        let is_on = field("link_type:")? == "tcx" && field("ifindex:")? != "0";
        is_on.then(|| field("link_id:")).flatten()
    });
    links.collect::<BTreeSet<String>>().len()
}

#[test]
fn a_keeper_that_is_killed_is_followed_by_another_that_keeps_both_programs() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let mut daemon = net.start(&net.config("[traps]\ndark = \"trap\"\n"));
    net.told(&["ban", "10.77.0.2"]);
    assert_eq!(steering(&net), "attached");
    // Links of three keepers: what one has made, the next must be able to keep.
    for round in 1..=2_u64 {
        sabotage(&net, "steering");
        daemon.wait_for("the second program had come off; it is on again");
        sabotage(&net, "links");
        daemon.wait_for("the program had come off; it is on again");
        let before = keeper_pid(&net);
        kill_keeper(&net);
        daemon.wait_for("the keeper has ended (signal: 9 (SIGKILL)); another one is started");
        let keeper = another_keeper(&net, before);
        assert_eq!((&keeper["restarts"], &keeper["ended"], &keeper["warden"]), (&round.into(), &Value::Null, &true.into()));
        // The daemon looks each second.
        eventually("the kernel says that both are on", || {
            let seen = interface(&net, &net.interface);
            (seen["steering"] == "attached" && seen["state"] == "attached").then_some(())
        });
        let pins = |what: &str| fs::read_dir(net.pins().join(what)).unwrap().count();
        assert_eq!((pins("steering"), pins("links")), (1, 1));
        let [keeper, daemon] = [keeper_pid(&net), i32::try_from(daemon.child.id()).unwrap()];
        let warden = fields(&keeper.to_string(), &["PPid:"]).remove(0).parse().unwrap();
        assert_eq!(tcx_links(&[keeper, warden, daemon]), 1, "what one keeper has put on, the next does not put on again");
    }
    sabotage(&net, "steering");
    daemon.wait_for("the second program had come off; it is on again");
    eventually("the kernel says so", || (steering(&net) == "attached").then_some(()));
    assert!(!net.reaches(), "the ban holds");
    eventually("an audit that tells of it, and finds it on", || {
        let audit = net.json(&["status"])["audit"].clone();
        (!audit["steering_put_back"].as_array()?.is_empty() && audit["unsteered"].as_array()?.is_empty()).then_some(())
    });
    let told = events(&net);
    let of = |name: &str, value: &str| told.iter().filter(|event| event["fields"][name] == value).count();
    assert_eq!((of("keeper", "ended"), of("keeper", "began")), (2, 2), "{told:?}");
    assert!(of("program", "tcx") >= 3 && of("program", "xdp") >= 2, "{told:?}");
    let shown = net.told(&["status"]);
    assert!(shown.contains("started again 2 times") && shown.contains("STEERED"), "{shown}");
    assert!(daemon.stop().0.success());
}

#[test]
fn keepers_that_end_again_and_again_are_told_loudly_and_the_kernel_goes_on() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let mut daemon = net.start(&net.config(""));
    net.told(&["ban", "10.77.0.2"]);
    let status = eventually("the end of patience", || {
        let status = net.json(&["status"]);
        if status["keeper"]["warden"] == true {
            let pid = i32::try_from(status["keeper"]["pid"].as_i64().unwrap()).unwrap();
            let _ended_already = kill(Pid::from_raw(pid), Signal::SIGKILL);
            return None;
        }
        Some(status)
    });
    daemon.wait_for("the keeper has ended (exit status: 1), and no other comes");
    assert_eq!((&status["keeper"]["running"], &status["keeper"]["restarts"]), (&false.into(), &5.into()));
    assert!(
        status["warnings"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("the keeper has ended")),
        "{status}"
    );
    assert!(net.told(&["status"]).contains("keeper   ENDED: exit status: 1"));
    eventually("its event", || events(&net).iter().any(|event| event["fields"]["why"] == "exit status: 1").then_some(()));
    unkept(&net);
    assert!(daemon.stop().0.success());
}

#[test]
fn a_keeper_whose_warden_is_killed_goes_on_alone_and_that_is_told() {
    if !is_root() {
        return;
    }
    let net = Net::new();
    let mut daemon = net.start(&net.config(""));
    net.told(&["ban", "10.77.0.2"]);
    let warden = fields(&keeper_pid(&net).to_string(), &["PPid:"]).remove(0).parse().unwrap();
    kill(Pid::from_raw(warden), Signal::SIGKILL).unwrap();
    daemon.wait_for("the warden has ended");
    let status = net.json(&["status"]);
    assert_eq!((&status["keeper"]["running"], &status["keeper"]["warden"]), (&true.into(), &false.into()));
    assert!(status["warnings"].to_string().contains("no other comes"), "{status}");
    sabotage(&net, "links");
    daemon.wait_for("the program had come off; it is on again");
    kill_keeper(&net);
    daemon.wait_for("and no other comes");
    assert_eq!(net.json(&["status"])["keeper"]["running"], false);
    unkept(&net);
    assert!(daemon.stop().0.success());
}

/// Without any keeper bans hold, and the daemon still sees what happens.
fn unkept(net: &Net) {
    assert!(!net.reaches(), "the ban holds");
    assert_eq!(interface(net, &net.interface)["state"], "attached");
    sh(&format!("ip -n {} link del {}", net.node, net.interface));
    let why = eventually("the interface's end", || {
        (interface(net, &net.interface)["state"] == "absent").then(|| net.json(&["status"])["warnings"].to_string())
    });
    assert!(why.contains("restart the daemon"), "{why}");
    eventually("its event", || events(net).iter().any(|event| event["fields"]["state"] == "absent").then_some(()));
}

fn interfaces_that_come_vanish_and_are_made_anew_are_guarded_and_shown(rung: Rung) {
    let net = Net::on(rung);
    let daemon = net.start(&config(&net, "\"late0\", \"veth*\""));
    let state = |name: &str| interface(&net, name)["state"].as_str().unwrap().to_owned();
    assert_eq!((state("late0"), state("veth*")), ("absent".into(), "absent".into()));
    let shown = net.told(&["status"]);
    assert!(shown.contains("NO: absent") && shown.contains("! interface late0 is not there"), "{shown}");
    net.told(&["ban", "10.78.0.2"]);
    for round in 0..3 {
        sh(&format!(
            "ip -n {node} link add late0 type veth peer name far0 netns {stranger}
             ip -n {node} addr add 10.78.0.1/24 dev late0; ip -n {node} link set late0 up
             ip -n {stranger} addr add 10.78.0.2/24 dev far0; ip -n {stranger} link set far0 up",
            node = net.node,
            stranger = net.stranger
        ));
        let attached = eventually("late0 is guarded", || Some(interface(&net, "late0")).filter(|late| late["attached"] == true));
        assert_eq!(attached["xdp_mode"], rung.mode(), "{round}");
        let drops = || net.json(&["bans"])[0]["drops"].as_u64().unwrap();
        let before = drops();
        eventually("its neighbour's ban holds there", || {
            net.stranger("timeout 2 bash -c '</dev/tcp/10.78.0.1/9'");
            (drops() > before).then_some(())
        });
        sh(&format!("ip -n {} link del late0", net.node));
        eventually("late0 is gone", || (state("late0") == "absent").then_some(()));
    }
    sh(&format!("ip -n {} link add veth5 type veth peer name plain5", net.node));
    eventually("veth5 is guarded", || {
        let status = net.json(&["status"]);
        status["interfaces"].as_array().unwrap().iter().find(|one| one["name"] == "veth5" && one["attached"] == true).map(drop)
    });
    let told = events(&net);
    let of = |state: &str| {
        told.iter().filter(|event| event["fields"]["interface"] == "late0" && event["fields"]["state"] == state).count()
    };
    assert!(of("attached") >= 3 && of("absent") >= 3, "{told:?}");
    assert!(daemon.stop().0.success());
}

fn an_interface_that_loses_the_program_gets_it_back_and_the_audit_says_so(rung: Rung) {
    let net = Net::on(rung);
    let mut daemon = net.start(&net.config(""));
    net.told(&["ban", "10.77.0.2"]);
    sabotage(&net, "links");
    daemon.wait_for("the program had come off; it is on again");
    assert!(!net.reaches(), "the ban holds again");
    let audit = eventually("an audit that tells of it", || {
        let audit = net.json(&["status"])["audit"].clone();
        (audit["put_back"][0] == net.interface.as_str()).then_some(audit)
    });
    // An audit that looks in the moment in between finds it off, and says so.
    let detached = audit["detached"].as_array().unwrap();
    assert!(detached.iter().all(|name| *name == net.interface.as_str()), "{audit}");
    assert!(audit["took_us"].as_u64().unwrap() > 0 && audit["every_seconds"] == 30, "{audit}");
    assert!(net.told(&["status"]).contains(&format!("the program back on {}: mended", net.interface)));
    let status = eventually("a probe", || Some(net.json(&["status"])).filter(|status| !status["probe"].is_null()));
    assert_eq!((&status["probe"]["ok"], &status["probe"]["failures"]), (&true.into(), &0.into()), "{status}");
    assert!(net.told(&["status"]).contains("probe    a banned source is dropped, another one is not: at"));
    assert!(daemon.stop().0.success());
}

fn what_a_newer_version_left_gives_way_and_status_says_so(rung: Rung) {
    let net = Net::on(rung);
    let config = net.config("");
    let daemon = net.start(&config);
    net.told(&["ban", "10.77.0.2"]);
    assert!(!net.json(&["status"])["warnings"].to_string().contains("a newer honeymesh"));
    assert!(daemon.stop().0.success());
    match rung {
        Rung::Highest | Rung::Generic => fs::rename(net.pins(), net.pin_dir.join("v4000")).unwrap(),
        Rung::Nftables => {
            let table = |family: &str, what: &str, more: &str| {
                let comment = format!("comment \"honeymesh {what}, version 4000\";");
                format!("delete table {family} honeymesh\ntable {family} honeymesh {{ {comment}\n{more}\n}}\n")
            };
            let hook = format!("type filter hook ingress device {} priority 0;", net.interface);
            let chain = format!("chain x {{ {hook} ip saddr 10.77.0.2 drop; }}");
            let rules = net.dir.path().join("newer.nft");
            fs::write(&rules, table("netdev", "bans", &chain) + &table("inet", "dark ports", "")).unwrap();
            sh(&format!("nsenter --net=/run/netns/{} nft -f {}", net.node, rules.display()));
        }
    }
    assert!(!net.reaches(), "the newer one drops");
    let mut daemon = Daemon::spawn(net.daemon_command(&config));
    daemon.wait_for("a newer honeymesh (version 4000) were replaced by those of this one");
    daemon.wait_for("ready");
    assert!(!net.reaches());
    let warnings = net.json(&["status"])["warnings"].to_string();
    assert!(warnings.contains("a newer honeymesh (version 4000) were replaced"), "{warnings}");
    net.told(&["unban", "10.77.0.2"]);
    assert!(net.reaches(), "nothing of the newer one goes on dropping");
    assert!(daemon.stop().0.success());
    let daemon = net.start(&config);
    assert!(!net.json(&["status"])["warnings"].to_string().contains("a newer honeymesh"));
    assert!(daemon.stop().0.success());
}

fn release_refuses_while_a_daemon_runs_and_then_leaves_nothing_behind(rung: Rung) {
    let net = Net::on(rung);
    let config = net.config("");
    let daemon = net.start(&config);
    net.told(&["ban", "10.77.0.2"]);
    let (code, line) = release(&net, &config);
    assert!(
        code == 1 && line.contains(&format!("(process {})", daemon.child.id())) && line.contains("stop it first"),
        "{code} {line}"
    );
    assert!(!net.reaches());
    assert!(daemon.stop().0.success());
    assert!(!net.reaches(), "held");
    let (code, told) = release(&net, &config);
    assert!(code == 0 && told.contains(&format!("detached from {}, removed", net.interface)), "{code} {told}");
    assert!(net.reaches() && !net.pin_dir.exists());
    let shown = Command::new("ip").args(["-n", &net.node, "link", "show", "dev", &net.interface]).output().unwrap();
    assert!(!String::from_utf8_lossy(&shown.stdout).contains("xdp"));
    let (code, told) = release(&net, &config);
    assert!(code == 0 && told.contains("nothing to release"), "{code} {told}");
    // By hand, the keeper says what it is for.
    let mut by_hand = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
    let (code, line) = fails({
        by_hand.arg("keeper").stdin(Stdio::null()).stderr(Stdio::piped());
        by_hand
    });
    assert!(code == 2 && line.contains("started by `honeymesh run`"), "{code} {line}");
    drop(Daemon::spawn(net.daemon_command(&config)));
}
