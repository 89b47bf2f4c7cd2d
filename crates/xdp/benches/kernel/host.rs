//! Hosts in namespaces: each contender guards one, and all are flooded from another.

use crate::{
    bans::Traffic,
    common::{Peer, Room, ip},
    netlink::Nftables,
    program::{Sender, gro_on, prefer},
};
use honeymesh_xdp_program::testing::{HERE4, HERE6};
use nix::{
    ifaddrs::getifaddrs,
    mount::{MsFlags, mount},
    net::if_::if_nametoindex,
    sched::{CpuSet, sched_setaffinity},
    sys::socket::{AddressFamily, LinkAddr, SockFlag, SockType, bind, send, socket},
    unistd::Pid,
};
use std::{
    ffi::CString,
    fs,
    io::Write,
    os::fd::{AsRawFd, OwnedFd},
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A host behind a cable, whose receiving NAPI thread can be timed, and in which whatever passed ends.
pub struct Host {
    peer: Peer,
    number: u32,
    sys: PathBuf,
    thread: i32,
}

impl Host {
    /// A host with a cable to `sender`.
    pub fn new(room: &Room, sender: &Peer) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let sys = room.pin_dir().with_file_name(format!("sys{number}"));
        let mut host = Self { peer: Peer::new(), number, sys, thread: 0 };
        let (here, there, sys) = (host.interface(), host.far_end(), host.sys.clone());
        let tid = sender.tid();
        host.peer.run(move || {
            ip(&format!("link add {here} type veth peer name {there}"));
            ip(&format!("link set {there} netns {tid}"));
            ip(&format!("link set {here} up"));
            gro_on(&CString::new(here.clone()).unwrap());
            fs::create_dir(&sys).unwrap();
            mount(Some("sysfs"), &sys, Some("sysfs"), MsFlags::empty(), None::<&str>).unwrap();
            fs::write(sys.join(format!("class/net/{here}/threaded")), "1").unwrap();
            nft(&sink());
        });
        let there = host.far_end();
        sender.run(move || {
            // Its own chatter would be counted too.
            let _without_ipv6 = fs::write(format!("/proc/sys/net/ipv6/conf/{there}/disable_ipv6"), "1");
            ip(&format!("link set {there} up"));
        });
        host.thread = napi(&host.interface());
        host
    }

    pub fn interface(&self) -> String {
        format!("hb{}", self.number)
    }

    fn far_end(&self) -> String {
        format!("hp{}", self.number)
    }

    pub fn index(&self) -> u32 {
        let name = self.interface();
        self.run(move || if_nametoindex(name.as_str()).unwrap())
    }

    /// Runs `job` on this host.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        self.peer.run(job)
    }

    /// Nanoseconds that the receiving thread has run.
    pub fn ran(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.thread)).unwrap();
        text.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Packets that came in.
    pub fn received(&self) -> u64 {
        let file = self.sys.join(format!("class/net/{}/statistics/rx_packets", self.interface()));
        fs::read_to_string(file).unwrap().trim().parse().unwrap()
    }

    /// Packets of the benchmark that got past the contender.
    pub fn passed(&self) -> u64 {
        self.run(|| Nftables::new().packets("sink", "seen"))
    }

    /// Sends `count` frames to this host, in turns with the receiver on one processor, and waits until they are judged.
    pub fn flood(&self, sender: &Peer, traffic: &Traffic, count: u32) {
        let mut frame = traffic.frame();
        let interface = self.interface();
        frame[..6].copy_from_slice(&self.run(move || hardware_address(&interface)));
        let (there, traffic) = (self.far_end(), *traffic);
        sender.run(move || {
            pin(0);
            prefer(0);
            let index = if_nametoindex(there.as_str()).unwrap();
            Sender::new(index, &traffic).send(&frame, count);
        });
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _stays = nix::mount::umount2(&self.sys, nix::mount::MntFlags::MNT_DETACH);
    }
}

/// Where packets end that passed, before the stack does anything expensive: behind every contender's hook.
fn sink() -> String {
    let count = |net: &str, here: &str| format!("{net} daddr {here} counter name seen drop\n");
    let rules = count("ip", HERE4) + &count("ip6", HERE6);
    format!("table inet sink {{\ncounter seen {{ }}\nchain c {{\ntype filter hook prerouting priority -250;\n{rules}}}\n}}\n")
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
    prefer(pid);
    pid
}

fn pin(pid: i32) {
    let mut cpus = CpuSet::new();
    cpus.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(pid), &cpus).unwrap();
}

/// Runs a program to its end with `input`, in the namespace of the calling thread.
pub fn output(program: &str, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The same; why not, in a line.
pub fn try_run(program: &str, args: &[&str], input: &str) -> Result<(), String> {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return Err(format!("`{program}` is not installed"));
    }
    let output = output(program, args, input);
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    Err(format!("{program}: {:.200}", said.lines().find(|line| !line.trim().is_empty()).unwrap_or("failed without a word")))
}

pub fn nft(rules: &str) {
    try_run("nft", &["-f", "-"], rules).unwrap();
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
