//! The program's own handshake, in the real kernel: crafted packets first, then real clients over a cable.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use common::{
    Room, alone,
    flood::{Settings, settings},
    traps::{arm, close, traps},
};
use honeymesh_types::{Signs, Transport, Visit};
use honeymesh_xdp::{Dark, Flood, Kernel, Knocks, Seen, now};
use honeymesh_xdp_abi::Gates;
use honeymesh_xdp_program::{
    BUCKET_BITS, Verdict, decide,
    testing::{
        ACK, Buffer, FIN_ACK, Greeting, HERE4, HERE6, HostKernel, Mutator, PSH, Packet, RST, SERVED, SYN, Setting,
        handshake_frames, has_right_checksums, syn_with, with_numbers,
    },
};
use std::net::TcpListener;

/// The shortest frame that the kernel's test run takes.
const FRAME_LEN_MIN: usize = 14;
/// Damaged packets in all.
const DAMAGED: usize = 20_000;
/// The sequence number of a guest's SYN: the next ones wrap around.
const FIRST: u32 = u32::MAX;
const SAID: &[u8] = b"GET /shell?cmd=id HTTP/1.1\r\nHost: x\r\n\r\n";

/// A kernel that shakes hands from the first SYN on.
fn greeting_kernel(room: &Room) -> (Kernel, Knocks, Heard) {
    let mut options = room.options(&["lo"]);
    options.scan.ports = 16;
    options.flood = Flood::Cookie { syns_per_second: 1 };
    options.dark = Dark::Trap;
    let (mut kernel, knocks) = Kernel::start(&options).unwrap();
    let local: Vec<_> = Setting::default().local.iter().map(|addr| addr.parse().unwrap()).collect();
    kernel.set_local(&local).unwrap();
    let heard = Heard { traps: traps(), settings: settings(room) };
    arm(&mut kernel, &heard.traps);
    (kernel, knocks, heard)
}

/// What has to live as long as the program is to answer.
struct Heard {
    traps: [TcpListener; 2],
    settings: Settings,
}

fn ways() -> Vec<Packet> {
    let tags: [&[u16]; 3] = [&[], &[0x8100], &[0x88a8, 0x8100]];
    let v4 = |port| Packet::tcp("203.0.113.7", HERE4, port, SYN);
    let v6 = |port| Packet::tcp("2001:db8:bad::7", HERE6, port, SYN);
    (23..).zip(tags).flat_map(|(port, tags)| [v4(port).vlans(tags), v6(port).vlans(tags)]).collect()
}

fn greeted(kernel: &Kernel, packet: &Packet) -> Greeting {
    let answer = kernel.try_answer(&syn_with(packet, FIRST, 5)).unwrap();
    let answer = answer.unwrap_or_else(|| panic!("{packet:?} was not answered: {:?}", kernel.counters().unwrap()));
    assert!(has_right_checksums(&answer), "{packet:?}: {answer:x?}");
    let greeting = Greeting::of(&answer).unwrap();
    assert_eq!((greeting.ack, greeting.flags), (FIRST.wrapping_add(1), SYN | ACK));
    greeting
}

fn visits(knocks: &mut Knocks) -> Vec<Visit> {
    let visit = |seen| if let Seen::Visit(visit) = seen { Some(visit) } else { None };
    std::iter::from_fn(|| knocks.see(now())).filter_map(visit).collect()
}

#[test]
fn every_way_to_come_is_greeted_proved_told_and_ended_in_the_kernel() {
    alone("handshakes in the kernel", |room| {
        let (kernel, mut knocks, _heard) = greeting_kernel(room);
        for (index, packet) in ways().into_iter().enumerate() {
            let frame = syn_with(&packet, FIRST, 5);
            let answer = kernel.try_answer(&frame).unwrap().unwrap();
            assert_eq!((&answer[..6], &answer[6..12]), (&frame[6..12], &frame[..6]));
            let network = 14 + 4 * packet.vlans.len();
            assert_eq!(answer[12..network], frame[12..network], "tags stay");
            let headers = network + if packet.source.is_ipv4() { 44 } else { 64 };
            assert_eq!(answer.len(), headers.max(60), "and nothing of the rest");
            let greeting = greeted(&kernel, &packet);
            assert!(visits(&mut knocks).is_empty());
            let before = kernel.counters().unwrap();
            assert!(kernel.try_frame(&greeting.returned(&packet, ACK, b""), 1).unwrap().dropped);
            let told = visits(&mut knocks);
            let [visit] = told.as_slice() else { panic!("{told:?}") };
            assert_eq!((visit.source.ip(), visit.source.port()), (packet.source, 40_000));
            assert_eq!(
                (visit.local.ip(), usize::from(visit.local.port()), visit.transport),
                (packet.dest, 23 + index / 2, Transport::Tcp)
            );
            assert_eq!((visit.trap.as_str(), visit.service.as_str(), visit.bytes), ("dark", "cookie", 0));
            let reset = kernel.try_answer(&greeting.returned(&packet, ACK | PSH, SAID)).unwrap().unwrap();
            assert!(has_right_checksums(&reset), "{packet:?}");
            let said = u32::try_from(SAID.len()).unwrap();
            let expected = Greeting { seq: greeting.seq.wrapping_add(1), ack: greeting.ack.wrapping_add(said), flags: RST | ACK };
            assert_eq!(Greeting::of(&reset).unwrap(), expected);
            let told = visits(&mut knocks);
            let [visit] = told.as_slice() else { panic!("{told:?}") };
            assert_eq!((visit.payload.as_slice(), visit.bytes, visit.signs), (SAID, u64::from(said), Signs::DARK));
            let after = kernel.counters().unwrap();
            assert_eq!((after.cookies_proven - before.cookies_proven, after.cookie_payloads - before.cookie_payloads), (1, 1));
            assert_eq!((after.answered - before.answered, after.packets - before.packets), (2, 2));
        }
        kernel.release().unwrap();
    });
}

#[test]
fn a_hundred_and_twenty_eight_octets_are_told_and_the_rest_is_counted() {
    alone("captured payload", |room| {
        let (kernel, mut knocks, _heard) = greeting_kernel(room);
        let octets: Vec<u8> = (0..1_400_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        for (port, packet) in (1_000..).zip([1, 2, 127, 128, 129, 1_400]) {
            let said = &octets[..packet];
            let packet = Packet::tcp("203.0.113.7", HERE4, port, SYN);
            let greeting = greeted(&kernel, &packet);
            visits(&mut knocks);
            kernel.try_answer(&greeting.returned(&packet, ACK, said)).unwrap().unwrap();
            let told = visits(&mut knocks);
            assert_eq!((told[0].payload.as_slice(), told[0].bytes), (&said[..said.len().min(128)], said.len() as u64));
            assert_eq!(told[0].signs.contains(Signs::TRUNCATED), said.len() > 128);
        }
        let packet = Packet::tcp("203.0.113.8", HERE4, 23, SYN);
        let whole = greeted(&kernel, &packet).returned(&packet, ACK, SAID);
        visits(&mut knocks);
        kernel.try_answer(&whole[..60]).unwrap().unwrap();
        assert_eq!(visits(&mut knocks)[0].bytes, 0, "a frame that ends before its packet says so has said nothing");
        kernel.release().unwrap();
    });
}

#[test]
fn what_does_not_return_its_own_cookie_passes_untouched() {
    alone("no proof", |room| {
        let (kernel, mut knocks, heard) = greeting_kernel(room);
        for packet in ways() {
            let greeting = greeted(&kernel, &packet);
            let (seq, ack) = (greeting.ack, greeting.seq.wrapping_add(1));
            let other = if packet.source.is_ipv4() { "203.0.113.8" } else { "2001:db8:bad::8" };
            let other_port = Packet { layer4: Packet::tcp(other, other, 99, SYN).layer4, ..packet.clone() };
            let other_source = Packet { source: other.parse().unwrap(), ..packet.clone() };
            visits(&mut knocks);
            let before = kernel.counters().unwrap();
            let frames = [
                with_numbers(&packet, ACK, seq, ack.wrapping_add(1), SAID),
                with_numbers(&packet, ACK, seq.wrapping_add(1), ack, SAID),
                with_numbers(&packet, RST, seq, ack, b""),
                with_numbers(&packet, RST | ACK, seq, ack, b""),
                with_numbers(&packet, SYN | ACK, seq, ack, b""),
                greeting.returned(&other_port, ACK, SAID),
                greeting.returned(&other_source, ACK, SAID),
            ];
            for frame in &frames {
                assert!(!kernel.try_frame(frame, 1).unwrap().dropped && kernel.try_answer(frame).unwrap().is_none());
            }
            let after = kernel.counters().unwrap();
            assert_eq!(after.passed - before.passed, 2 * u64::try_from(frames.len()).unwrap());
            assert_eq!(
                (after.cookies_proven, after.packets - before.packets),
                (before.cookies_proven, after.passed - before.passed)
            );
            assert_eq!(visits(&mut knocks), []);
        }
        let packet = &ways()[0];
        let old = greeted(&kernel, packet);
        heard.settings.change_secret();
        assert!(kernel.try_answer(&old.returned(packet, ACK, SAID)).unwrap().is_none(), "another secret, another cookie");
        assert_ne!(greeted(&kernel, packet).seq, old.seq);
        kernel.release().unwrap();
    });
}

#[test]
fn an_old_cookie_proves_nothing_and_a_young_one_of_the_same_secret_does() {
    alone("old cookie", |room| {
        let (kernel, _knocks, heard) = greeting_kernel(room);
        // The same program on the host, with the kernel's secret and another time.
        let mut host = HostKernel::of(&Setting::default());
        host.gates = host.gates.with(Gates::TRAPS, true).with(Gates::COOKIES, true);
        host.cookies.key = heard.settings.secret();
        let bucket_ns = 1 << BUCKET_BITS;
        for packet in ways() {
            let _listens = greeted(&kernel, &packet);
            for (buckets_ago, is_good) in [(0, true), (1, true), (2, false), (3, false), (1_000, false)] {
                let at_ns = (now().mono.0 * 1_000).saturating_sub(buckets_ago * bucket_ns);
                host.now_ns.set(at_ns);
                let buffer = Buffer::of(&syn_with(&packet, FIRST, 1));
                assert_eq!(decide(&buffer, &&host), Verdict::Answer);
                let returned = Greeting::of(&buffer.0.take()).unwrap().returned(&packet, FIN_ACK, b"");
                let is_taken = kernel.try_answer(&returned).unwrap().is_some();
                let has_turned =
                    (now().mono.0 * 1_000).saturating_sub(buckets_ago * bucket_ns) >> BUCKET_BITS != at_ns >> BUCKET_BITS;
                assert!(is_taken == is_good || has_turned, "{buckets_ago} buckets ago, {packet:?}");
            }
        }
        kernel.release().unwrap();
    });
}

#[test]
fn a_served_port_is_never_greeted_and_its_segments_pass() {
    alone("served port", |room| {
        let (kernel, mut knocks, _heard) = greeting_kernel(room);
        let packet = Packet::tcp("203.0.113.7", HERE4, SERVED, SYN);
        let greeting = greeted(&kernel, &packet);
        let socket = TcpListener::bind(("::", SERVED)).unwrap();
        assert!(kernel.try_answer(&syn_with(&packet, FIRST, 5)).unwrap().is_none());
        visits(&mut knocks);
        assert!(kernel.try_answer(&greeting.returned(&packet, ACK, SAID)).unwrap().is_none(), "a socket comes before a cookie");
        assert_eq!(visits(&mut knocks), []);
        drop(socket);
        assert!(kernel.try_answer(&greeting.returned(&packet, ACK, SAID)).unwrap().is_some());
        kernel.release().unwrap();
    });
}

#[test]
fn nobody_is_greeted_once_the_trap_has_ended_and_the_next_trap_is_heard_of_at_once() {
    alone("no trap", |room| {
        let (mut kernel, mut knocks, Heard { traps: first, .. }) = greeting_kernel(room);
        let greetings: Vec<_> = ways().iter().map(|packet| greeted(&kernel, packet)).collect();
        visits(&mut knocks);
        let before = kernel.counters().unwrap();
        close(first);
        for (packet, greeting) in ways().iter().zip(greetings) {
            let frames = [syn_with(packet, FIRST, 5), greeting.returned(packet, ACK, b""), greeting.returned(packet, ACK, SAID)];
            for frame in frames {
                assert!(!kernel.try_frame(&frame, 1).unwrap().dropped && kernel.try_answer(&frame).unwrap().is_none());
            }
            let told: Vec<_> = visits(&mut knocks).into_iter().map(|visit| visit.payload).collect();
            assert_eq!(told, [b"", SAID], "{packet:?}: what was begun is told, for the next trap");
        }
        let after = kernel.counters().unwrap();
        assert_eq!((after.answered, after.dropped_flood), (before.answered, before.dropped_flood), "the stack has it all");
        let next = traps();
        arm(&mut kernel, &next);
        for packet in ways() {
            greeted(&kernel, &packet);
        }
        kernel.release().unwrap();
    });
}

#[test]
fn twenty_thousand_damaged_packets_neither_crash_nor_prove() {
    alone("damaged handshakes", |room| {
        let (kernel, mut knocks, _heard) = greeting_kernel(room);
        let frames: Vec<Vec<u8>> = handshake_frames();
        let mut mutator = Mutator::new(3);
        let before = kernel.counters().unwrap();
        for _ in 0..DAMAGED {
            let index = mutator.below(frames.len());
            let frame = mutator.damage(&frames[index], FRAME_LEN_MIN);
            let answer = kernel.try_answer(&frame).unwrap();
            assert!(answer.is_none_or(|answer| answer.len() <= frame.len() && has_right_checksums(&answer)), "{frame:x?}");
            while knocks.see(now()).is_some() {}
        }
        let after = kernel.counters().unwrap();
        assert_eq!(after.packets - before.packets, u64::try_from(DAMAGED).unwrap());
        assert_eq!((after.cookies_proven, after.cookie_payloads, knocks.unreadable()), (0, 0, 0));
        assert!(after.answered > 500, "{} were answered, so the damage does not hide everything", after.answered);
        kernel.release().unwrap();
    });
}
