//! From the decision to the last packet that still got through, under a flood.

use crate::{
    bans::{Family, Load},
    common::{Peer, Room, hour},
    contenders::{VARIANTS, ingress, options},
    goals::{MEDIAN, NFT_NETLINK, title},
    host::{hardware_address, nft, raw_socket, send_frame},
    lookup::fill,
    median,
    netlink::Nftables,
    p99,
    plan::Plan,
    program::at_once,
    results::{Results, Section},
};
use honeymesh_types::Scope;
use honeymesh_xdp::{Kernel, now};
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

/// How long a ban of nftables lasts.
const TTL_MS: u64 = 3_600_000;
const PORT: u16 = 9_999;
/// The flood before and after the decision.
const BEFORE: Duration = Duration::from_millis(3);
const AFTER: Duration = Duration::from_millis(10);
/// A flood that has not arrived by then never will.
const PATIENCE: Duration = Duration::from_secs(5);

/// Microseconds that the call took, and from its begin to the last packet that got through.
struct Trial {
    call: f64,
    leak: f64,
}

pub fn measure(room: &Room, plan: &Plan, results: &mut Results) {
    at_once();
    let peer = Peer::new();
    peer.cable("hd0", "hd1");
    let socket = UdpSocket::bind((HERE4, PORT)).unwrap();
    socket.set_nonblocking(true).unwrap();
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
    let mut section = Section::new(title::DECISION, "microseconds");
    for ours in VARIANTS {
        let options = options(ours, &room.options(&["hd0"]), "hd0", plan.size_decision + 1_000);
        let (mut kernel, _knocks) = Kernel::start(&options).unwrap();
        fill(&mut kernel, plan.size_decision);
        let raise = |source: &str| kernel.raise(&hour(source, Scope::All), now()).unwrap();
        enter(&mut section, ours.name, &trials(&peer, &socket, plan.trials, 0, raise));
    }
    nft(&ingress(&Load { family: Family::V4, bans: plan.size_decision, nets: 0 }, "hd0"));
    let netlink = Nftables::new();
    let add = |source: &str| netlink.add("bans", "banned", source.parse().unwrap(), TTL_MS);
    enter(&mut section, NFT_NETLINK, &trials(&peer, &socket, plan.trials, 0, add));
    let command = |source: &str| nft(&format!("add element netdev bans banned {{ {source} timeout 1h }}"));
    enter(&mut section, "nftables by its command (a new process)", &trials(&peer, &socket, plan.trials_slow, 100, command));
    results.sections.push(section);
}

fn enter(section: &mut Section, name: &str, trials: &[Trial]) {
    let all = |of: fn(&Trial) -> f64| trials.iter().map(of).collect::<Vec<_>>();
    let (leak, call) = (all(|trial| trial.leak), all(|trial| trial.call));
    section.enter(name, MEDIAN, median(leak.clone()));
    section.enter(name, "p99", p99(leak));
    section.enter(name, "the call", median(call));
}

fn trials(peer: &Peer, socket: &UdpSocket, count: u32, first: u32, mut decide: impl FnMut(&str)) -> Vec<Trial> {
    (first..first + count).map(|number| trial(peer, socket, &format!("172.20.0.{number}"), &mut decide)).collect()
}

fn trial(peer: &Peer, socket: &UdpSocket, source: &str, decide: &mut impl FnMut(&str)) -> Trial {
    let stop = Arc::new(AtomicBool::new(false));
    let flood = flood(peer, source, stop.clone());
    let started = Instant::now();
    while started.elapsed() < BEFORE || last_arrival(socket).is_none() {
        assert!(started.elapsed() < PATIENCE, "the flood does not arrive");
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
            at_once();
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
