//! Real connections and forwarded packets of a source that is banned in the middle.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{PATIENCE, Peer, alone, backend::Kind, hour, ip, wait};
use honeymesh_types::Scope;
use honeymesh_xdp::{Kernel, now};
use honeymesh_xdp_program::testing::{HERE4, HERE6, Packet};
use nix::{
    ifaddrs::getifaddrs,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, bind, send, socket},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd,
    time::Duration,
};

/// Each case becomes a test of XDP in the driver, and of XDP in the network stack, which sees a packet as that has made it.
macro_rules! cases {
    ($($case:ident)+) => {
        mod xdp { $( #[test] fn $case() { super::$case(super::Kind::Xdp); } )+ }
        mod generic { $( #[test] fn $case() { super::$case(super::Kind::Generic); } )+ }
    };
}

cases! {
    a_connection_is_cut_in_the_middle_by_a_ban_and_goes_on_when_it_is_lifted
    what_is_forwarded_to_a_host_behind_this_one_is_dropped_all_the_same
    tagged_frames_on_the_wire_are_dropped_all_the_same
}

/// Long enough for a packet that is not dropped.
const MOMENT: Duration = Duration::from_millis(300);

fn dropped(kernel: &Kernel) -> u64 {
    kernel.counters().unwrap().dropped
}

/// The octets that have come within a moment.
fn heard(stream: &mut TcpStream) -> Vec<u8> {
    let mut octets = [0; 64];
    match stream.read(&mut octets) {
        Ok(len) => octets[..len].to_vec(),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

fn a_connection_is_cut_in_the_middle_by_a_ban_and_goes_on_when_it_is_lifted(kind: Kind) {
    alone("cut connections", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let (mut kernel, _knocks) = kind.kernel(&room.options(&["hm0"])).unwrap();
        for (here, subject) in [
            ("192.0.2.1:4000", "192.0.2.2"),
            ("192.0.2.1:4001", "192.0.2.0/28"),
            ("[2001:db8::1]:4002", "2001:db8::/64"),
            ("[2001:db8::1]:4003", "2001:db8::2"),
        ] {
            let listener = TcpListener::bind(here).unwrap();
            let mut theirs = peer.run(move || TcpStream::connect(here).unwrap());
            let (mut ours, _) = listener.accept().unwrap();
            ours.set_read_timeout(Some(MOMENT)).unwrap();
            theirs.write_all(b"before").unwrap();
            assert_eq!(heard(&mut ours), b"before", "{here}");
            kernel.raise(&hour(subject, Scope::All), now()).unwrap();
            let before = dropped(&kernel);
            theirs.write_all(b"during").unwrap();
            assert!(wait(|| dropped(&kernel) > before), "{here}");
            assert_eq!(heard(&mut ours), b"", "{here}: nothing of it arrives");
            kernel.lift(&subject.parse().unwrap()).unwrap();
            let mut later = Vec::new();
            assert!(
                wait(|| {
                    later.extend(heard(&mut ours));
                    later == b"during"
                }),
                "{here}: {later:?}"
            );
        }
        kernel.release().unwrap();
    });
}

#[test]
fn silence_on_dark_ports_does_not_touch_a_connection() {
    alone("silence and connections", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let (mut kernel, _knocks) = Kernel::start(&room.options(&["hm0"])).unwrap();
        kernel.set_local(&["192.0.2.1".parse().unwrap()]).unwrap();
        let listener = TcpListener::bind("192.0.2.1:4000").unwrap();
        let mut theirs = peer.run(|| TcpStream::connect("192.0.2.1:4000").unwrap());
        let (mut ours, _) = listener.accept().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        kernel.raise(&hour("192.0.2.2", Scope::Dark), now()).unwrap();
        theirs.write_all(b"during").unwrap();
        assert_eq!(heard(&mut ours), b"during");
        let dark = peer.run(|| TcpStream::connect_timeout(&"192.0.2.1:4001".parse().unwrap(), MOMENT).map(drop));
        assert_eq!(dark.unwrap_err().kind(), ErrorKind::TimedOut);
        kernel.release().unwrap();
    });
}

/// A host behind this one: as a container's network namespace is.
fn behind(guest: &Peer) {
    ip("link add hc0 type veth peer name hc1");
    ip(&format!("link set hc1 netns {}", guest.tid()));
    ip("addr add 10.66.0.1/24 dev hc0");
    ip("-6 addr add 2001:db8:66::1/64 dev hc0 nodad");
    ip("link set hc0 up");
    guest.run(|| {
        ip("addr add 10.66.0.2/24 dev hc1");
        ip("-6 addr add 2001:db8:66::2/64 dev hc1 nodad");
        ip("link set hc1 up");
        ip("route add default via 10.66.0.1");
        ip("-6 route add default via 2001:db8:66::1");
    });
    for switch in ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"] {
        std::fs::write(switch, "1").unwrap();
    }
}

fn what_is_forwarded_to_a_host_behind_this_one_is_dropped_all_the_same(kind: Kind) {
    alone("forwarded packets", |room| {
        let (peer, guest) = (Peer::new(), Peer::new());
        peer.cable("hm0", "hm1");
        behind(&guest);
        peer.run(|| {
            ip("route add 10.66.0.0/24 via 192.0.2.1");
            ip("-6 route add 2001:db8:66::/64 via 2001:db8::1");
        });
        let (mut kernel, _knocks) = kind.kernel(&room.options(&["hm0"])).unwrap();
        for (to, subject) in [("10.66.0.2:5000", "192.0.2.2"), ("[2001:db8:66::2]:5001", "2001:db8::/64")] {
            let socket = guest.run(move || UdpSocket::bind(to).unwrap());
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let send = || {
                let from = if to.starts_with('[') { "[2001:db8::2]:0" } else { "192.0.2.2:0" };
                peer.run(move || UdpSocket::bind(from).unwrap().send_to(b"hello", to).unwrap());
            };
            send();
            assert!(socket.recv(&mut [0; 16]).is_ok(), "{to} is reached");
            kernel.raise(&hour(subject, Scope::All), now()).unwrap();
            let before = dropped(&kernel);
            send();
            assert!(wait(|| dropped(&kernel) > before), "{to}");
            socket.set_read_timeout(Some(MOMENT)).unwrap();
            assert!(socket.recv(&mut [0; 16]).is_err(), "{to} is not reached");
            kernel.lift(&subject.parse().unwrap()).unwrap();
        }
        kernel.release().unwrap();
    });
}

/// Sends a whole frame out of an interface.
fn send_frame(interface: &str, frame: &[u8]) {
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).unwrap();
    let found = getifaddrs().unwrap().filter(|found| found.interface_name == interface);
    let link = found.filter_map(|found| found.address?.as_link_addr().copied()).next().unwrap();
    bind(socket.as_raw_fd(), &link).unwrap();
    assert_eq!(send(socket.as_raw_fd(), frame, MsgFlags::empty()).unwrap(), frame.len());
}

fn tagged_frames_on_the_wire_are_dropped_all_the_same(kind: Kind) {
    alone("tagged frames", |room| {
        let peer = Peer::new();
        peer.cable("hm0", "hm1");
        let (mut kernel, _knocks) = kind.kernel(&room.options(&["hm0"])).unwrap();
        let tags: [&[u16]; 3] = [&[0x8100], &[0x88a8, 0x8100], &[0x8100, 0x8100]];
        let sources = [("203.0.113.7", HERE4, "203.0.113.7"), ("2001:db8:bad:7::1", HERE6, "2001:db8:bad::/48")];
        for (source, here, subject) in sources {
            for tags in tags {
                let frame = Packet::udp(source, here, 53).vlans(tags).build();
                let send = || {
                    let frame = frame.clone();
                    peer.run(move || send_frame("hm1", &frame));
                };
                let (passed, before) = (kernel.counters().unwrap().passed, dropped(&kernel));
                send();
                assert!(wait(|| kernel.counters().unwrap().passed > passed), "{source} {tags:x?}");
                assert_eq!(dropped(&kernel), before);
                kernel.raise(&hour(subject, Scope::All), now()).unwrap();
                send();
                assert!(wait(|| dropped(&kernel) == before + 1), "{source} {tags:x?}");
                kernel.lift(&subject.parse().unwrap()).unwrap();
            }
        }
        kernel.release().unwrap();
    });
}
