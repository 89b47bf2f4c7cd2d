//! Uploads to the FTP trap of the real daemon, on ports that it opens for them: whatever dark ports do, on the highest and the lowest rung,
//! while it drops whom it has banned.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Event, FTP_PORT, Family, Lab, Node, NodeConfig, Outcome, Place, hping_syns, wait_until};
use std::{fs, path::PathBuf, process::Command, time::Duration};

const SOON: Duration = Duration::from_secs(20);
/// FTP's own, where nobody listens: dark ports play it there.
const DARK_PORT: u16 = 21;
/// What makes a scanner, at the usual threshold.
const PROBES: u32 = 3;
/// Ports that nobody has, but that services might.
const PROBED: u16 = 7_001;
const PROGRAM: &[u8] = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x28\0\x01\0\0\0a bot";
const NOTE: &[u8] = b"nobody would mind this note\n";

/// Each case becomes a test of the highest and of the lowest rung.
macro_rules! cases {
    ($($case:ident: $dark:literal)+) => {
        mod xdp { $( #[test] fn $case() { super::on("native", stringify!($case), $dark); } )+ }
        mod nftables { $( #[test] fn $case() { super::on("nftables", stringify!($case), $dark); } )+ }
    };
}

cases! {
    a_file_is_brought_beside_silent_dark_ports: "silent"
    a_file_is_brought_beside_traps_on_dark_ports: "trap"
}

fn on(rung: &'static str, name: &str, dark: &str) {
    let Some(_turn) = turn(name) else { return };
    let lab = Lab::up().unwrap();
    let config = NodeConfig::alone(Place::Node(1))
        .with("xdp", format!("attach = \"{rung}\""))
        .with("node", "mode = \"enforce\"")
        .with("traps", format!("dark = \"{dark}\""));
    let mut node = lab.node(config).unwrap();
    node.start().unwrap();
    let [program, note] = [("bot.elf", PROGRAM), ("note.txt", NOTE)].map(|(name, bytes)| brought(&lab, name, bytes));
    for family in Family::BOTH {
        if dark == "trap" {
            brings_a_note_to_a_dark_port(&lab, &node, family, &note);
        }
        brings_a_program(&lab, &node, family, &program);
    }
    let scans = node.events("scan").unwrap();
    assert!(scans.iter().all(|scan| scan.source == Some(Place::Attacker.addr(Family::V4))), "only who probed: {scans:?}");
    let ours = |knock: &Event| knock.port.is_some_and(|port| port != DARK_PORT && !(PROBED..PROBED + 9).contains(&port));
    assert_eq!(
        node.events("knock").unwrap().into_iter().filter(ours).collect::<Vec<_>>(),
        [],
        "who brings something probes nothing"
    );
}

fn brought(lab: &Lab, name: &str, bytes: &[u8]) -> PathBuf {
    let file = lab.scratch().join(name);
    fs::write(&file, bytes).unwrap();
    file
}

/// With one way to ask for a port in each family.
fn bring(lab: &Lab, family: Family, port: u16, file: &std::path::Path, name: &str) -> Outcome {
    let url = format!("ftp://{}/incoming/{name}", Place::Node(1).at(family, port));
    let way = if family == Family::V4 { "--disable-epsv" } else { "--epsv" };
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-g", "-m", "15", way, "-T"]).arg(file).arg(&url);
    lab.attacker().run(&mut curl, SOON).unwrap()
}

/// What a source has brought under this name.
fn told(node: &Node<'_>, family: Family, name: &str) -> Event {
    let source = Some(Place::Attacker.addr(family));
    let is_it = |event: &Event| {
        event.source == source && event.fields.get("upload").is_some_and(|upload| *upload == format!("/incoming/{name}"))
    };
    wait_until("it is told", SOON, || Ok(node.events("visit")?.into_iter().find(is_it)))
        .unwrap_or_else(|error| panic!("{family:?} {name}: {error:#}: {:?}", node.events("visit")))
}

/// Nobody is banned for that: an honest client may err.
fn brings_a_note_to_a_dark_port(lab: &Lab, node: &Node<'_>, family: Family, note: &std::path::Path) {
    let curl = bring(lab, family, DARK_PORT, note, "note.txt");
    assert!(curl.ok(), "{family:?}: {curl:?}");
    let event = told(node, family, "note.txt");
    assert_eq!((event.trap.as_deref(), event.port), (Some("dark"), Some(DARK_PORT)));
    assert_eq!(event.number("upload_bytes"), Some(NOTE.len() as u64));
    assert!(node.ban_of(&Place::Attacker.subject(family)).unwrap().is_none());
}

/// A source that is silenced on dark ports already reaches the port, and is banned for what it brings.
fn brings_a_program(lab: &Lab, node: &Node<'_>, family: Family, program: &std::path::Path) {
    if family == Family::V4 {
        let [source, target] = [Place::Attacker, Place::Node(1)].map(|place| place.addr(family));
        hping_syns(lab.attacker(), source, target, PROBED, PROBES).unwrap();
        let ban = wait_until("it is silenced", SOON, || node.ban_of(&Place::Attacker.subject(family))).unwrap();
        assert_eq!((ban.grade.as_str(), ban.scope.as_str()), ("spoofable", "dark"));
    }
    let curl = bring(lab, family, FTP_PORT, program, "bot.elf");
    assert!(curl.stderr.is_empty() || !curl.stderr.contains("connect"), "{family:?}: {curl:?}");
    let event = told(node, family, "bot.elf");
    assert_eq!(
        (event.trap.as_deref(), event.port, event.grade.as_deref()),
        (Some("ftp"), Some(FTP_PORT), Some("hostile")),
        "{event:?}"
    );
    assert_eq!(event.number("upload_bytes"), Some(PROGRAM.len() as u64), "the whole of it, before the ban");
    let is_banned = || Ok(node.ban_of(&Place::Attacker.subject(family))?.filter(|ban| ban.scope == "all"));
    let ban = wait_until("it is banned", SOON, is_banned).unwrap();
    assert_eq!((ban.grade.as_str(), ban.reasons.contains(&"trap".to_owned())), ("hostile", true));
    let again = bring(lab, family, FTP_PORT, program, "again.elf");
    assert!(!again.ok(), "it is dropped: {again:?}");
}
