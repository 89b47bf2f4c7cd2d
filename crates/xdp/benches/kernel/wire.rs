//! Real frames over veth: CPU time of the receiving NAPI thread per packet.

use crate::{
    BANNED, BANS, banned,
    common::{Peer, Room, ip},
    median,
    program::{Empty, Sender, gro_on},
    run,
};
use honeymesh_xdp_program::testing::{HERE4, Packet};
use nix::{
    ifaddrs::getifaddrs,
    sched::{CpuSet, sched_setaffinity},
    sys::socket::{AddressFamily, LinkAddr, SockFlag, SockType, bind, send, socket},
    unistd::Pid,
};
use std::{
    any::Any,
    ffi::CString,
    fmt::Write as _,
    fs,
    io::Write,
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

const ROUNDS: usize = 7;
/// Frames of one measurement, from 1,024 sources.
const FRAMES: u32 = 200_000;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;
/// Where those come from that nobody has banned.
const GOOD: u32 = 0x6400_0000;

/// One way of receiving, on a cable of its own.
struct Contender {
    name: &'static str,
    interface: String,
    thread: i32,
    /// Keeps programs attached.
    _held: Box<dyn Any>,
}

pub fn print(room: &Room) {
    let sys = room.pin_dir().with_file_name("sys");
    fs::create_dir(&sys).unwrap();
    nix::mount::mount(Some("sysfs"), &sys, Some("sysfs"), nix::mount::MsFlags::empty(), None::<&str>).unwrap();
    let peer = Peer::new();
    let contenders = contenders(room, &peer, &sys);
    let drops = measure(&peer, &contenders, &[0, 1, 2], BANNED, &sys);
    // What passes ends where IPv4 begins, for all alike: its checksum is wrong.
    let passes = measure(&peer, &contenders, &[4, 3, 1, 2], GOOD, &sys);
    report("dropped on the wire, ns of CPU per packet", &contenders, &drops);
    report("passed on the wire, ns of CPU per packet", &contenders, &passes);
}

fn contenders(room: &Room, peer: &Peer, sys: &Path) -> Vec<Contender> {
    let cable = |name, index: u32| {
        let (here, there) = (format!("hb{index}"), format!("hp{index}"));
        ip(&format!("link add {here} type veth peer name {there}"));
        ip(&format!("link set {there} netns {}", peer.tid()));
        ip(&format!("link set {here} up"));
        let raised = there.clone();
        peer.run(move || ip(&format!("link set {raised} up")));
        gro_on(&CString::new(here.clone()).unwrap());
        fs::write(sys.join(format!("class/net/{here}/threaded")), "1").unwrap();
        Contender { name, interface: here, thread: 0, _held: Box::new(()) }
    };
    let index = |contender: &Contender| nix::net::if_::if_nametoindex(contender.interface.as_str()).unwrap();
    let mut all = vec![
        cable("empty XDP program, XDP_DROP", 0),
        cable("HoneyMesh", 1),
        cable("nftables, netdev ingress set with timeouts", 2),
        cable("empty XDP program, XDP_PASS", 3),
        cable("nothing", 4),
    ];
    all[0]._held = Box::new(Empty::new(XDP_DROP).attach(index(&all[0])));
    all[1]._held = Box::new(run::kernel(room, "hb1"));
    all[3]._held = Box::new(Empty::new(XDP_PASS).attach(index(&all[3])));
    nft(&set("hb2"));
    for contender in &mut all {
        contender.thread = napi(&contender.interface);
    }
    all
}

/// The same bans as a set on the ingress hook of one interface.
fn set(interface: &str) -> String {
    let mut text = String::from("table netdev bans {\nset banned { type ipv4_addr; flags timeout; elements = { ");
    for number in 0..BANS {
        write!(text, "{} timeout 24h, ", banned(number)).unwrap();
    }
    let chain = format!("chain in {{ type filter hook ingress device {interface} priority 0; ip saddr @banned drop; }}");
    write!(text, "}}; }}\n{chain}\n}}\n").unwrap();
    text
}

pub fn nft(rules: &str) {
    let mut command = Command::new("nft");
    let mut child = command.args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "nft: {:.300}", String::from_utf8_lossy(&output.stderr));
}

/// The NAPI thread of an interface, moved to the processor that the sender uses: they take turns, so that the receiver
/// is not woken for each packet.
fn napi(interface: &str) -> i32 {
    let wanted = format!("napi/{interface}-");
    let threads = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_it = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.starts_with(&wanted));
    // Threads of interfaces in other namespaces may have the same name; the youngest is ours.
    let pid = threads.filter(is_it).max().unwrap();
    pin(pid);
    pid
}

fn pin(pid: i32) {
    let mut cpus = CpuSet::new();
    cpus.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(pid), &cpus).unwrap();
}

/// Nanoseconds that a thread has run.
fn ran(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn measure(peer: &Peer, all: &[Contender], which: &[usize], base: u32, sys: &Path) -> Vec<(usize, f64)> {
    let mut costs = vec![Vec::new(); which.len()];
    for _ in 0..ROUNDS {
        for (index, costs) in which.iter().zip(&mut costs) {
            let Contender { interface, thread, .. } = &all[*index];
            let (time, packets) = (ran(*thread), received(sys, interface));
            flood(peer, interface, base);
            std::thread::sleep(Duration::from_millis(5));
            costs.push((ran(*thread) - time) as f64 / (received(sys, interface) - packets) as f64);
        }
    }
    which.iter().copied().zip(costs.into_iter().map(median)).collect()
}

fn received(sys: &Path, interface: &str) -> u64 {
    let text = fs::read_to_string(sys.join(format!("class/net/{interface}/statistics/rx_packets"))).unwrap();
    text.trim().parse().unwrap()
}

/// Sends frames out of the peer's end of a cable, in turns with the receiver on the same processor.
fn flood(peer: &Peer, here: &str, base: u32) {
    let mut frame = Packet::udp("0.0.0.0", HERE4, 9).build();
    frame[..6].copy_from_slice(&hardware_address(here));
    let there = here.replace("hb", "hp");
    peer.run(move || {
        pin(0);
        let index = nix::net::if_::if_nametoindex(there.as_str()).unwrap();
        Sender::new(index, base).send(&frame, FRAMES);
    });
}

fn link_address(interface: &str) -> LinkAddr {
    let mut all = getifaddrs().unwrap().filter(|found| found.interface_name == interface);
    all.find_map(|found| found.address.and_then(|address| address.as_link_addr().copied())).unwrap()
}

pub fn hardware_address(interface: &str) -> [u8; 6] {
    link_address(interface).addr().unwrap()
}

/// A socket that sends whole frames on one interface.
pub fn raw_socket(interface: &str) -> OwnedFd {
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(socket.as_raw_fd(), &link_address(interface)).unwrap();
    socket
}

pub fn send_frame(socket: &OwnedFd, frame: &[u8]) -> bool {
    send(socket.as_raw_fd(), frame, nix::sys::socket::MsgFlags::empty()).is_ok()
}

fn report(title: &str, all: &[Contender], costs: &[(usize, f64)]) {
    let base = costs[0].1;
    println!("{title:<44} {:>6} {:>14}", "", "x the first");
    for (index, cost) in costs {
        println!("{:<44} {cost:>6.0} {:>14.2}", all[*index].name, cost / base);
    }
    println!();
}
