//! From the decision to the last packet that still got through, under a flood.

use crate::{
    common::{Peer, Room, hour},
    median, p99, run,
    wire::{hardware_address, nft, raw_socket, send_frame},
};
use honeymesh_types::Scope;
use honeymesh_xdp::now;
use honeymesh_xdp_program::testing::{HERE4, Layer4, Packet};
use nix::{
    cmsg_space,
    sys::{
        socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt},
        time::TimeSpec,
    },
    time::{ClockId, clock_gettime},
};
use std::{
    io::IoSliceMut,
    net::UdpSocket,
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const TRIALS: u32 = 31;
/// nft's command is a new process each time, and slow.
const TRIALS_NFT: u32 = 11;
const PORT: u16 = 9_999;
/// The flood before and after the decision.
const BEFORE: Duration = Duration::from_millis(3);
const AFTER: Duration = Duration::from_millis(10);

/// Microseconds that the call took, and from its begin to the last packet that got through.
struct Trial {
    call: f64,
    leak: f64,
}

pub fn print(room: &Room) {
    let peer = Peer::new();
    peer.cable("hd0", "hd1");
    let socket = UdpSocket::bind((HERE4, PORT)).unwrap();
    socket.set_nonblocking(true).unwrap();
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
    println!("{:<44} {:>8} {:>8} {:>8}", "from decision to last packet, microseconds", "median", "p99", "the call");
    {
        let mut kernel = run::kernel(room, "hd0");
        let raise = |source: &str| kernel.raise(&hour(source, Scope::All), now()).unwrap();
        report("HoneyMesh, Kernel::raise", &trials(&peer, &socket, TRIALS, 0, raise));
    }
    let chain = "chain in {\ntype filter hook ingress device hd0 priority 0;\nip saddr @banned drop\n}";
    nft(&format!("table netdev one {{\nset banned {{\ntype ipv4_addr\nflags timeout\n}}\n{chain}\n}}\n"));
    let command = |source: &str| nft(&format!("add element netdev one banned {{ {source} timeout 1h }}"));
    report("nft command, netdev ingress set", &trials(&peer, &socket, TRIALS_NFT, 100, command));
}

fn report(name: &str, trials: &[Trial]) {
    let all = |of: fn(&Trial) -> f64| trials.iter().map(of).collect::<Vec<_>>();
    let (leak, call) = (all(|trial| trial.leak), all(|trial| trial.call));
    println!("{name:<44} {:>8.1} {:>8.1} {:>8.1}", median(leak.clone()), p99(leak), median(call));
}

fn trials(peer: &Peer, socket: &UdpSocket, count: u32, first: u32, mut decide: impl FnMut(&str)) -> Vec<Trial> {
    (first..first + count).map(|number| trial(peer, socket, &format!("172.20.0.{number}"), &mut decide)).collect()
}

fn trial(peer: &Peer, socket: &UdpSocket, source: &str, decide: &mut impl FnMut(&str)) -> Trial {
    let stop = Arc::new(AtomicBool::new(false));
    let flood = flood(peer, source, stop.clone());
    let started = Instant::now();
    while started.elapsed() < BEFORE {
        last_arrival(socket);
    }
    let begin = nanos(clock_gettime(ClockId::CLOCK_REALTIME).unwrap());
    decide(source);
    let end = nanos(clock_gettime(ClockId::CLOCK_REALTIME).unwrap());
    std::thread::sleep(AFTER);
    stop.store(true, Ordering::Relaxed);
    flood.join().unwrap();
    let last = last_arrival(socket).unwrap_or(begin);
    Trial { call: (end - begin) as f64 / 1e3, leak: last.saturating_sub(begin) as f64 / 1e3 }
}

/// Sends from one source until it is stopped.
fn flood(peer: &Peer, source: &str, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let udp = [40_000_u16.to_be_bytes(), PORT.to_be_bytes(), 8_u16.to_be_bytes(), [0; 2]].concat();
    let mut frame = Packet::new(source, HERE4, Layer4::Raw(17, udp)).build();
    frame[..6].copy_from_slice(&hardware_address("hd0"));
    peer.run(move || {
        let socket = raw_socket("hd1");
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                send_frame(&socket, &frame);
            }
        })
    })
}

/// When the newest waiting packet reached the stack; empties the socket.
fn last_arrival(socket: &UdpSocket) -> Option<u64> {
    let mut last = None;
    loop {
        let mut octets = [0; 16];
        let mut buffer = [IoSliceMut::new(&mut octets)];
        let mut control = cmsg_space!(TimeSpec);
        let message = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut buffer, Some(&mut control), MsgFlags::MSG_DONTWAIT);
        let Ok(message) = message else { return last };
        for control in message.cmsgs().into_iter().flatten() {
            if let ControlMessageOwned::ScmTimestampns(time) = control {
                last = Some(nanos(time));
            }
        }
    }
}

fn nanos(time: TimeSpec) -> u64 {
    u64::try_from(time.tv_sec()).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap()
}
