//! Uploads to the TFTP trap of the real daemon, which go on at ports of their own: whatever dark ports do, on the highest and the lowest rung.

#![cfg(test)]

mod common;

use common::turn;
use honeymesh_lab::{Event, Family, Lab, Node, NodeConfig, Outcome, Place, wait_until};
use std::{collections::BTreeSet, fs, net::UdpSocket, path::PathBuf, process::Command, time::Duration};

const SOON: Duration = Duration::from_secs(20);
/// A scanner waits for answers that do not come.
const SCAN: Duration = Duration::from_secs(150);
/// A script that loses answers is started so often at most.
const TRIES: usize = 8;
/// TFTP's.
const PORT: u16 = 69;
/// Five blocks and a part of one.
const FILE_BYTES: usize = 5 * 512 + 77;
const BLOCKS: u64 = 6;

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
    let node = up(&lab, rung, dark);
    let file = brought(&lab);
    for family in Family::BOTH {
        bring(&lab, &node, family, &file);
    }
    assert_eq!(node.events("scan").unwrap(), [], "blocks are no probes");
    assert_eq!(node.events("knock").unwrap(), []);
}

fn up<'lab>(lab: &'lab Lab, rung: &str, dark: &str) -> Node<'lab> {
    let config = NodeConfig::alone(Place::Node(1))
        .with("xdp", format!("attach = \"{rung}\""))
        .with("node", "mode = \"enforce\"")
        .with("traps", format!("dark = \"{dark}\""))
        .with("[trap]", format!("name = \"tftp\"\nservice = \"tftp\"\nlisten = [\"0.0.0.0:{PORT}\", \"[::]:{PORT}\"]"));
    let mut node = lab.node(config).unwrap();
    node.start().unwrap();
    node
}

fn brought(lab: &Lab) -> PathBuf {
    let file = lab.scratch().join("bot.elf");
    let bytes = [b"\x7fELF".as_slice(), &vec![b'x'; FILE_BYTES - 4]].concat();
    fs::write(&file, bytes).unwrap();
    file
}

fn run(lab: &Lab, program: &str, arguments: &[&str], time_max: Duration) -> Outcome {
    lab.attacker().run(Command::new(program).args(arguments), time_max).unwrap()
}

/// The blocks that a source has brought so far.
fn blocks(node: &Node<'_>, family: Family) -> Vec<Event> {
    let source = Some(Place::Attacker.addr(family));
    let is_block = |event: &Event| event.source == source && event.fields.contains_key("block");
    node.events("visit").unwrap().into_iter().filter(is_block).collect()
}

/// Brings the file with one client, is silenced for it, brings it with another, and is still no scanner.
fn bring(lab: &Lab, node: &Node<'_>, family: Family, file: &std::path::Path) {
    let (server, file) = (Place::Node(1).addr(family), file.display().to_string());
    let url = format!("tftp://{}/one.elf", Place::Node(1).at(family, PORT));
    let curl = run(lab, "curl", &["-sS", "-m", "20", "-T", &file, &url], SOON);
    assert!(curl.ok(), "{family:?}: {curl:?}");
    let ban = wait_until("it is silenced", SOON, || node.ban_of(&Place::Attacker.subject(family))).unwrap();
    assert_eq!((ban.grade.as_str(), ban.scope.as_str()), ("spoofable", "dark"), "{family:?}");
    let which = if family == Family::V4 { "-4" } else { "-6" };
    let tftp = run(lab, "tftp", &[which, &server.to_string(), "-m", "binary", "-c", "put", &file, "two.elf"], SOON);
    assert!(tftp.ok() && !tftp.stdout.contains("imed out"), "{family:?}: {tftp:?}");
    let told =
        wait_until("all blocks are told", SOON, || Ok(Some(blocks(node, family)).filter(|told| told.len() as u64 == 2 * BLOCKS)))
            .unwrap_or_else(|error| panic!("{family:?}: {error:#}: {:?}", blocks(node, family)));
    let sum = |field: &str| told.iter().filter_map(|event| event.number(field)).sum::<u64>();
    assert_eq!((sum("data_bytes"), sum("block")), (2 * FILE_BYTES as u64, BLOCKS * (BLOCKS + 1)));
    assert!(told.iter().all(|event| event.port == Some(PORT) && event.grade.as_deref() == Some("spoofable")));
    let ports: BTreeSet<u64> = told.iter().filter_map(|event| event.number("transfer_port")).collect();
    assert!(ports.len() == 2 && !ports.contains(&PORT.into()), "each upload has a port of its own: {ports:?}");
    // Blocks that come too late, also to ports that nobody had.
    let late = ports.into_iter().filter_map(|port| u16::try_from(port).ok()).chain([40_001, 40_002, 40_003, 40_004]);
    let send = || {
        let socket = UdpSocket::bind(Place::Attacker.at(family, 0))?;
        for port in late {
            // Some are told that nobody is there, and the next call says so.
            let _refused = socket.send_to(b"\0\x03\0\x07late", Place::Node(1).at(family, port));
        }
        Ok(())
    };
    lab.attacker().namespace.inside(send).unwrap();
}

#[test]
fn a_scanner_meets_what_it_meets_at_a_real_server() {
    let Some(_turn) = turn("a_scanner_meets_what_it_meets_at_a_real_server") else { return };
    let lab = Lab::up().unwrap();
    let node = up(&lab, "native", "refuse");
    // Where nmap looks for lists, too.
    let lists = lab.scratch();
    fs::write(lists.join("names"), "bootrom.ld\nstartup-config\n").unwrap();
    let server = Place::Node(1).addr(Family::V4).to_string();
    let scan = |more: &[&str]| {
        let mut nmap = Command::new("nmap");
        nmap.env("NMAPDIR", lists).args(["-sU", "-Pn", "-n", "-p", "69"]).args(more).arg(&server);
        lab.attacker().run(&mut nmap, SCAN).unwrap().stdout
    };
    // An answer from port 69 would be the trap's alone.
    let plain = scan(&[]);
    assert!(plain.contains("69/udp open|filtered tftp"), "{plain}");
    let is_asked = |name: &str| {
        let is = |event: &Event| event.fields.get("file").is_some_and(|file| file == name);
        node.events("visit").unwrap().iter().any(is)
    };
    // It closes its socket and opens another one for the answer, which some answers forestall.
    let mut said = Vec::new();
    let are_asked = || ["bootrom.ld", "startup-config"].into_iter().all(is_asked);
    while said.len() < TRIES && !are_asked() {
        said.push(scan(&["--script", "tftp-enum", "--script-args", "tftp-enum.filelist=names"]));
    }
    let all = said.concat();
    assert!(are_asked() && all.contains("69/udp open  tftp"), "{all}");
    assert!(!all.contains("bootrom.ld") && !all.to_lowercase().contains("honey"), "{all}");
}
