//! The handshake against a kernel made of plain values: what is answered, what proves, what never does.

use crate::{
    BUCKET_BITS, Verdict, decide,
    testing::{
        ACK, Buffer, FIN, FIN_ACK, Greeting, HERE4, HERE6, HostKernel, Layer4, Mutator, PSH, Packet, RST, SERVED, SYN, Setting,
        Told, URG, handshake_frames, has_right_checksums, syn_with, with_numbers,
    },
};
use alloc::{format, vec, vec::Vec};
use honeymesh_xdp_abi::{AddressKey, Counter, FloodMeter, Gates, KIND_VISIT, NetKey4, TRAP_V4, TRAP_V6};

const GUEST4: &str = "203.0.113.7";
const GUEST6: &str = "2001:db8:bad::7";
/// The sequence number of a guest's SYN: the next ones wrap around.
const FIRST: u32 = u32::MAX;

fn kernel() -> HostKernel {
    let mut kernel = HostKernel::of(&Setting::default());
    // As many ports as there can be below the threshold.
    kernel.scan.ports = 16;
    kernel.gates = kernel.gates.with(Gates::TRAPS, true).with(Gates::COOKIES, true);
    kernel
}

fn send(kernel: &HostKernel, frame: &[u8]) -> (Verdict, Vec<u8>) {
    let buffer = Buffer::of(frame);
    let verdict = decide(&buffer, &kernel);
    (verdict, buffer.0.take())
}

fn guest4(port: u16) -> Packet {
    Packet::tcp(GUEST4, HERE4, port, SYN)
}

fn guest6(port: u16) -> Packet {
    Packet::tcp(GUEST6, HERE6, port, SYN)
}

/// Every plain way to come: both families, with and without tags.
fn ways() -> Vec<Packet> {
    let tags: [&[u16]; 3] = [&[], &[0x8100], &[0x88a8, 0x8100]];
    tags.iter().flat_map(|tags| [guest4(23).vlans(tags), guest6(23).vlans(tags)]).collect()
}

/// The SYN-ACK that answers `packet`.
fn greeted(kernel: &HostKernel, packet: &Packet) -> Greeting {
    let (verdict, answer) = send(kernel, &syn_with(packet, FIRST, 1));
    assert_eq!(verdict, Verdict::Answer, "{packet:?}");
    Greeting::of(&answer).unwrap()
}

/// What was told of visits since the last time: port, where the payload is, how long it is.
fn visits(kernel: &HostKernel) -> Vec<(u16, usize, usize)> {
    let told = kernel.told.take();
    let visit = |told: &Told| match told {
        Told::Visit { knock, offset, len } => Some((knock.port, *offset, *len)),
        _ => None,
    };
    told.iter().filter_map(visit).collect()
}

#[test]
fn a_syn_is_answered_over_its_own_packet_in_both_families_and_under_tags() {
    for packet in ways() {
        let kernel = kernel();
        let frame = syn_with(&packet, FIRST, 5);
        let (verdict, answer) = send(&kernel, &frame);
        assert_eq!((verdict, kernel.counted(Counter::Answered), kernel.counted(Counter::Knocks)), (Verdict::Answer, 1, 1));
        assert!(has_right_checksums(&answer), "{packet:?}");
        let network = 14 + 4 * packet.vlans.len();
        assert_eq!((&answer[..6], &answer[6..12]), (&frame[6..12], &frame[..6]), "back to where it came from");
        assert_eq!(answer[12..network], frame[12..network], "tags stay");
        let (source, dest, len, hops, tcp) = match packet.source.is_ipv4() {
            true => (12..16, 16..20, 2, 8, 20),
            false => (8..24, 24..40, 4, 7, 40),
        };
        assert_eq!(answer[network..][source.clone()], frame[network..][dest.clone()]);
        assert_eq!(answer[network..][dest], frame[network..][source]);
        assert_eq!((answer[network + hops], answer[network + tcp + 12], answer[network + tcp + 13]), (64, 0x60, SYN | ACK));
        assert_eq!(
            answer[network + tcp..][..4],
            [frame[network + tcp + 2..][..2].to_vec(), frame[network + tcp..][..2].to_vec()].concat()
        );
        let said = u16::from_be_bytes([answer[network + len], answer[network + len + 1]]);
        assert_eq!(said, if packet.source.is_ipv4() { 44 } else { 24 });
        let mss = if packet.source.is_ipv4() { 1_460_u16 } else { 1_440 };
        assert_eq!(answer[network + tcp + 20..][..4], [&[2, 4][..], &mss.to_be_bytes()].concat());
        assert_eq!(Greeting::of(&answer).unwrap().ack, 0, "its first sequence number and one");
    }
}

#[test]
fn no_answer_is_larger_than_what_caused_it() {
    for packet in ways() {
        for options in 0..=10 {
            let (kernel, frame) = (kernel(), syn_with(&packet, FIRST, options));
            let (verdict, answer) = send(&kernel, &frame);
            assert_eq!(verdict, Verdict::Answer);
            assert!(answer.len() <= frame.len() && has_right_checksums(&answer), "{options} words");
            let header = if options == 0 { 0x50 } else { 0x60 };
            let tcp = 14 + 4 * packet.vlans.len() + if packet.source.is_ipv4() { 20 } else { 40 };
            assert_eq!((answer[tcp + 12], answer.len()), (header, (tcp + usize::from(header >> 2)).max(frame.len().min(60))));
        }
        let kernel = kernel();
        let greeting = greeted(&kernel, &packet);
        for payload in [1, 10, 1_400] {
            let frame = greeting.returned(&packet, ACK | PSH, &vec![b'x'; payload]);
            let (verdict, answer) = send(&kernel, &frame);
            assert_eq!(verdict, Verdict::Answer);
            assert!(answer.len() <= frame.len() && has_right_checksums(&answer));
            assert!(answer.len() <= 62 + 4 * packet.vlans.len() + 12, "and a reset has nothing to say");
        }
    }
}

#[test]
fn a_frame_that_was_padded_stays_as_long_as_ethernet_wants_it() {
    let mut frame = syn_with(&guest4(23), FIRST, 0);
    frame.resize(64, 0);
    let (verdict, answer) = send(&kernel(), &frame);
    assert_eq!((verdict, answer.len()), (Verdict::Answer, 60));
    assert!(has_right_checksums(&answer));
}

#[test]
fn a_bare_ack_is_heard_in_silence_and_the_first_octets_are_told_and_ended_with_a_reset() {
    for packet in ways() {
        let kernel = kernel();
        let greeting = greeted(&kernel, &packet);
        visits(&kernel);
        let (verdict, _) = send(&kernel, &greeting.returned(&packet, ACK, b""));
        assert_eq!((verdict, kernel.counted(Counter::CookiesProven)), (Verdict::Drop, 1));
        assert_eq!(visits(&kernel).iter().map(|visit| (visit.0, visit.2)).collect::<Vec<_>>(), [(23, 0)]);
        let said = greeting.returned(&packet, ACK | PSH, b"GET /shell HTTP/1.0\r\n\r\n");
        let (verdict, answer) = send(&kernel, &said);
        let [(23, offset, 23)] = visits(&kernel)[..] else { panic!("no payload was told") };
        assert_eq!(&said[offset..offset + 10], b"GET /shell");
        assert_eq!(
            (verdict, kernel.counted(Counter::CookiePayloads), kernel.counted(Counter::CookiesProven)),
            (Verdict::Answer, 1, 1)
        );
        let reset = Greeting::of(&answer).unwrap();
        assert_eq!(reset, Greeting { seq: greeting.seq.wrapping_add(1), ack: 23, flags: RST | ACK });
        assert!(has_right_checksums(&answer));
    }
}

#[test]
fn what_is_told_is_who_where_to_and_when() {
    let kernel = kernel();
    let greeting = greeted(&kernel, &guest6(8_080));
    kernel.told.take();
    let _ = send(&kernel, &greeting.returned(&guest6(8_080), ACK, b"hi"));
    let told = kernel.told.take();
    let [Told::Visit { knock, .. }] = told[..] else { panic!("{told:?}") };
    assert_eq!((knock.kind, knock.family, knock.port, knock.source_port), (KIND_VISIT, 6, 8_080, 40_000));
    assert_eq!(AddressKey(knock.source).number(), GUEST6.parse::<core::net::Ipv6Addr>().unwrap().to_bits());
    assert_eq!(AddressKey(knock.dest).number(), HERE6.parse::<core::net::Ipv6Addr>().unwrap().to_bits());
    assert_eq!(knock.at_ns, kernel.now_ns.get());
}

#[test]
fn the_first_segment_may_bring_the_octets_and_the_end_at_once() {
    let kernel = kernel();
    let greeting = greeted(&kernel, &guest4(23));
    visits(&kernel);
    let (verdict, answer) = send(&kernel, &greeting.returned(&guest4(23), FIN_ACK | PSH, b"bye"));
    assert_eq!((verdict, Greeting::of(&answer).unwrap().ack), (Verdict::Answer, 4), "three octets and the end");
    assert_eq!((kernel.counted(Counter::CookiesProven), kernel.counted(Counter::CookiePayloads)), (1, 1));
    assert_eq!(visits(&kernel).len(), 1);
}

#[test]
fn a_client_that_says_nothing_and_ends_is_told_once() {
    let kernel = kernel();
    let greeting = greeted(&kernel, &guest4(23));
    visits(&kernel);
    let verdicts = [ACK, FIN_ACK].map(|flags| send(&kernel, &greeting.returned(&guest4(23), flags, b"")).0);
    assert_eq!((verdicts, visits(&kernel).len()), ([Verdict::Drop, Verdict::Answer], 1));
}

/// Is the segment passed on, told to nobody and counted as nothing but passed?
fn proves_nothing(kernel: &HostKernel, frame: &[u8]) -> bool {
    kernel.told.take();
    let before = *kernel.counters.borrow();
    let (verdict, after) = send(kernel, frame);
    let mut expected = before;
    expected[Counter::Passed as usize] += 1;
    verdict == Verdict::Pass && after == frame && *kernel.counters.borrow() == expected && kernel.told.take().is_empty()
}

#[test]
fn a_cookie_proves_nothing_for_anything_but_its_own_connection() {
    for (packet, others) in [
        (
            guest4(23),
            vec![
                ("another source", Packet::tcp("203.0.113.8", HERE4, 23, SYN)),
                ("another port", guest4(24)),
                ("another address of ours", Packet::tcp(GUEST4, "192.0.2.3", 23, SYN)),
                ("another source port", Packet::new(GUEST4, HERE4, Layer4::Tcp { source_port: 40_001, port: 23, flags: SYN })),
            ],
        ),
        (
            guest6(23),
            vec![
                ("another source in its /64", Packet::tcp("2001:db8:bad::8", HERE6, 23, SYN)),
                ("another /64", Packet::tcp("2001:db8:bad:1::7", HERE6, 23, SYN)),
                ("another port", guest6(24)),
                ("another address of ours", Packet::tcp(GUEST6, "2001:db8::3", 23, SYN)),
            ],
        ),
    ] {
        let mut kernel = kernel();
        kernel.local.extend([AddressKey::v4(0xc000_0203), AddressKey::v6(0x2001_0db8_u128 << 96 | 3)]);
        let greeting = greeted(&kernel, &packet);
        for (what, other) in others {
            assert!(proves_nothing(&kernel, &greeting.returned(&other, ACK, b"x")), "{what}");
        }
        let (seq, ack) = (greeting.ack, greeting.seq.wrapping_add(1));
        for (what, seq, ack) in [
            ("a wrong cookie", seq, ack.wrapping_add(1)),
            ("the cookie itself", seq, ack.wrapping_sub(1)),
            ("the other bucket's bit", seq, (ack.wrapping_sub(1) ^ 1).wrapping_add(1)),
            ("later octets", seq.wrapping_add(1), ack),
            ("earlier octets", seq.wrapping_sub(1), ack),
            ("nothing acknowledged", seq, 0),
        ] {
            assert!(proves_nothing(&kernel, &with_numbers(&packet, ACK, seq, ack, b"x")), "{what}");
        }
        for flags in [RST, RST | ACK, SYN | ACK, ACK | URG, RST | PSH | ACK] {
            assert!(proves_nothing(&kernel, &greeting.returned(&packet, flags, b"")), "flags {flags:#x}");
        }
        assert_eq!(send(&kernel, &greeting.returned(&packet, ACK, b"")).0, Verdict::Drop, "and its own still does");
    }
}

#[test]
fn another_secret_makes_another_cookie() {
    let (one, mut other) = (kernel(), kernel());
    other.cookies.key[1] ^= 1;
    let greeting = greeted(&one, &guest4(23));
    assert_ne!(greeted(&other, &guest4(23)).seq, greeting.seq);
    assert!(proves_nothing(&other, &greeting.returned(&guest4(23), ACK, b"")));
}

#[test]
fn a_cookie_is_good_in_its_bucket_and_the_next() {
    let bucket = 1_u64 << BUCKET_BITS;
    for (later, is_good) in [(0, true), (bucket - 1, true), (bucket, true), (2 * bucket - 1, true), (2 * bucket, false)] {
        let kernel = kernel();
        kernel.now_ns.set(1_000 * bucket);
        let greeting = greeted(&kernel, &guest4(23));
        kernel.now_ns.set(1_000 * bucket + later);
        // Another answer keeps the program listening.
        let _ = greeted(&kernel, &guest4(24));
        let (verdict, _) = send(&kernel, &greeting.returned(&guest4(23), ACK, b""));
        assert_eq!(verdict == Verdict::Drop, is_good, "after {later} ns");
    }
}

#[test]
fn after_the_last_cookie_has_aged_nobody_listens_and_the_clock_rests() {
    let kernel = kernel();
    let greeting = greeted(&kernel, &guest4(23));
    kernel.now_ns.set(kernel.now_ns.get() + 20_000_000_000);
    assert!(proves_nothing(&kernel, &greeting.returned(&guest4(23), ACK, b"")));
    let reads = kernel.clock_reads.get();
    assert!(proves_nothing(&kernel, &greeting.returned(&guest4(23), ACK, b"")));
    assert_eq!((kernel.clock_reads.get(), kernel.cookies.proofs_until_ns.get()), (reads, 0));
}

#[test]
fn a_segment_for_a_socket_or_for_somebody_else_passes_even_with_a_cookie() {
    let mut kernel = kernel();
    let greeting = greeted(&kernel, &guest4(23));
    kernel.served.push(23);
    assert!(proves_nothing(&kernel, &greeting.returned(&guest4(23), ACK, b"x")));
    kernel.served.clear();
    kernel.local.clear();
    assert!(proves_nothing(&kernel, &greeting.returned(&guest4(23), ACK, b"x")));
}

#[test]
fn honest_segments_are_not_even_read_twice_without_a_flood() {
    let kernel = kernel();
    let established = with_numbers(&guest4(SERVED), ACK, 5, 6, b"hello");
    assert!(proves_nothing(&kernel, &established));
    assert_eq!((kernel.clock_reads.get(), kernel.lookups.get()), (0, 1), "one look: is anybody listening?");
    let mut closed = self::kernel();
    closed.gates = closed.gates.with(Gates::COOKIES, false);
    assert!(proves_nothing(&closed, &established));
    assert_eq!((closed.clock_reads.get(), closed.lookups.get()), (0, 0));
}

#[test]
fn time_stamps_tell_honest_segments_from_ours_even_in_a_flood() {
    let kernel = kernel();
    let greeting = greeted(&kernel, &guest4(23));
    assert!(proves_nothing(&kernel, &with_numbers(&guest4(SERVED), ACK, 5, 6, b"hello")));
    let before = kernel.clock_reads.get();
    for mut stamped in [
        with_numbers(&guest4(SERVED), ACK, 5, 6, &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, b'h', b'i']),
        greeting.returned(&guest4(23), ACK, &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, b'h', b'i']),
    ] {
        stamped[46] = 0x80;
        assert!(proves_nothing(&kernel, &stamped));
    }
    assert_eq!(kernel.clock_reads.get(), before, "the SYN-ACK granted none");
}

#[test]
fn whoever_guesses_too_much_is_not_even_believed_the_right_cookie_for_a_while() {
    let mut kernel = kernel();
    kernel.cookies.settings.guess_cost_ns = 1_000_000_000 / 50;
    let greeting = greeted(&kernel, &guest4(23));
    let right = greeting.returned(&guest4(23), ACK, b"x");
    for guess in 0..50 {
        let wrong = with_numbers(&guest4(23), ACK, greeting.ack, greeting.seq.wrapping_add(3 + 2 * guess), b"x");
        assert!(proves_nothing(&kernel, &wrong));
        assert!(proves_nothing(&kernel, &with_numbers(&guest4(SERVED), ACK, 5, 6, b"honest traffic is no guess")));
    }
    assert_eq!((send(&kernel, &right).0, kernel.counted(Counter::GuessesLimited)), (Verdict::Pass, 1));
    kernel.now_ns.set(kernel.now_ns.get() + 20_000_000);
    assert_eq!(send(&kernel, &right).0, Verdict::Answer);
}

#[test]
fn every_gate_is_needed() {
    for gate in [Gates::ENFORCING, Gates::TRAPS, Gates::COOKIES] {
        let mut kernel = kernel();
        let greeting = greeted(&kernel, &guest4(23));
        kernel.gates = kernel.gates.with(gate, false);
        assert_eq!(send(&kernel, &syn_with(&guest4(22), FIRST, 1)).0, Verdict::Pass, "{gate:?}");
        assert!(proves_nothing(&kernel, &greeting.returned(&guest4(23), ACK, b"x")), "{gate:?}");
    }
}

#[test]
fn where_no_trap_hears_the_stack_refuses_in_a_flood_too() {
    let odd = [guest4(23).options(1).build(), guest6(23).extension(60).build()];
    for (here, gone) in [(TRAP_V4, TRAP_V6), (TRAP_V6, TRAP_V4)] {
        let mut kernel = kernel();
        // Not even one answer fits.
        kernel.cookies.settings.answer_cost_ns = 2_000_000_000;
        kernel.traps = vec![here];
        for packet in ways().into_iter().filter(|packet| packet.source.is_ipv4() == (gone == TRAP_V4)) {
            assert_eq!(send(&kernel, &syn_with(&packet, FIRST, 1)).0, Verdict::Pass, "{packet:?}");
        }
        let is_gone = |frame: &&Vec<u8>| (frame[12..14] == [8, 0]) == (gone == TRAP_V4);
        assert!(odd.iter().filter(is_gone).all(|frame| send(&kernel, frame).0 == Verdict::Pass));
        assert_eq!((kernel.counted(Counter::Answered), kernel.counted(Counter::DroppedFlood)), (0, 0));
        assert_eq!(kernel.cookies.proofs_until_ns.get(), 0, "and nobody listens for proofs");
        kernel.cookies.settings.answer_cost_ns = 1_000;
        for packet in ways() {
            let wanted = if packet.source.is_ipv4() == (here == TRAP_V4) { Verdict::Answer } else { Verdict::Pass };
            assert_eq!(send(&kernel, &syn_with(&packet, FIRST, 1)).0, wanted, "{packet:?}");
        }
        kernel.traps.push(gone);
        assert!(ways().iter().all(|packet| send(&kernel, &syn_with(packet, FIRST, 1)).0 == Verdict::Answer), "the next trap");
    }
}

#[test]
fn what_is_proved_after_the_trap_has_ended_is_told_and_refused_by_the_stack() {
    for packet in ways() {
        let mut kernel = kernel();
        let greeting = greeted(&kernel, &packet);
        visits(&kernel);
        kernel.traps.clear();
        let [bare, said] = [greeting.returned(&packet, ACK, b""), greeting.returned(&packet, ACK | PSH, b"hello")];
        assert_eq!(send(&kernel, &bare), (Verdict::Pass, bare), "{packet:?}");
        assert_eq!(send(&kernel, &said), (Verdict::Pass, said.clone()), "{packet:?}");
        assert_eq!(visits(&kernel).iter().map(|(port, _, len)| (*port, *len)).collect::<Vec<_>>(), [(23, 0), (23, 5)]);
        // Also if there is no room to tell it: a closed port does not wait for that.
        kernel.ring = 0;
        kernel.cookies.meter.borrow_mut().told = FloodMeter::EMPTY.told;
        assert_eq!((send(&kernel, &said).0, kernel.counted(Counter::KnocksLost)), (Verdict::Pass, 1), "{packet:?}");
    }
}

#[test]
fn whether_a_trap_hears_is_asked_only_in_a_flood() {
    let mut kernel = kernel();
    let asked = |kernel: &HostKernel, frame: &[u8]| {
        let before = kernel.cookies.traps_asked.get();
        let _ = send(kernel, frame);
        kernel.cookies.traps_asked.get() - before
    };
    assert_eq!(asked(&kernel, &syn_with(&guest4(23), FIRST, 1)), 1);
    // A listening program asks for nothing that proves nothing.
    for frame in [
        with_numbers(&guest4(SERVED), ACK, 5, 6, b"hello"),
        with_numbers(&guest4(23), ACK, 5, 6, b"hello"),
        syn_with(&guest4(SERVED), FIRST, 1),
        Packet::udp(GUEST4, HERE4, 53).build(),
    ] {
        assert_eq!(asked(&kernel, &frame), 0);
    }
    kernel.cookies.settings.syn_cost_ns = 1;
    kernel.cookies.meter.replace(FloodMeter::EMPTY);
    assert_eq!(asked(&kernel, &syn_with(&guest4(24), FIRST, 1)), 0, "no flood");
}

#[test]
fn a_syn_that_is_not_plain_is_dropped_and_counted_in_a_flood() {
    let data = |packet: &Packet| with_numbers(packet, SYN, FIRST, 0, b"fast open");
    let with_ports = |source_port, port| Packet::new(GUEST4, HERE4, Layer4::Tcp { source_port, port, flags: SYN });
    let odd = [
        ("IPv4 options", guest4(23).options(1).build()),
        ("first fragment", guest4(23).fragment(0, true).build()),
        ("extension header", guest6(23).extension(60).build()),
        ("data", data(&guest4(23))),
        ("data, IPv6", data(&guest6(23))),
        ("SYN and URG", Packet::tcp(GUEST4, HERE4, 23, SYN | URG).build()),
        ("our own address", Packet::tcp(HERE4, HERE4, 23, SYN).build()),
        ("a group", Packet::tcp("224.0.0.1", HERE4, 23, SYN).build()),
        ("broadcast", Packet::tcp("255.255.255.255", HERE4, 23, SYN).build()),
        ("nobody", Packet::tcp("0.0.0.0", HERE4, 23, SYN).build()),
        ("loopback", Packet::tcp("127.0.0.1", HERE4, 23, SYN).build()),
        ("a group, IPv6", Packet::tcp("ff02::1", HERE6, 23, SYN).build()),
        ("nobody, IPv6", Packet::tcp("::", HERE6, 23, SYN).build()),
        ("loopback, IPv6", Packet::tcp("::1", HERE6, 23, SYN).build()),
        ("IPv4 in IPv6", Packet::tcp("::ffff:203.0.113.7", HERE6, 23, SYN).build()),
        ("port 0", with_ports(40_000, 0).build()),
        ("from port 0", with_ports(0, 23).build()),
        ("a group's MAC", [&[0xff; 6][..], &guest4(23).build()[6..]].concat()),
        ("from a group's MAC", {
            let mut frame = guest4(23).build();
            frame[6] |= 1;
            frame
        }),
        ("options beyond the frame", syn_with(&guest4(23), FIRST, 5)[..54].to_vec()),
    ];
    for (what, frame) in odd {
        let kernel = kernel();
        let (verdict, _) = send(&kernel, &frame);
        assert_eq!((verdict, kernel.counted(Counter::DroppedFlood)), (Verdict::Drop, 1), "{what}");
    }
    let ecn = Packet::tcp(GUEST4, HERE4, 23, SYN | 0xc0).build();
    assert_eq!(send(&kernel(), &ecn).0, Verdict::Answer, "who offers congestion notification gets a plain answer");
}

#[test]
fn other_probes_pass_as_ever() {
    for flags in [0, FIN, FIN | PSH | URG, SYN | FIN] {
        assert_eq!(send(&kernel(), &Packet::tcp(GUEST4, HERE4, 23, flags).build()).0, Verdict::Pass);
    }
}

#[test]
fn served_ports_allowed_sources_and_other_hosts_are_left_to_the_stack() {
    let mut kernel = kernel();
    kernel.allow4.push(NetKey4::new(0xcb00_7107, 32));
    assert_eq!(send(&kernel, &syn_with(&guest4(23), FIRST, 1)).0, Verdict::Pass, "allowed");
    kernel.allow4.clear();
    kernel.except.push(25);
    assert_eq!(send(&kernel, &syn_with(&guest4(25), FIRST, 1)).0, Verdict::Pass, "excepted");
    assert_eq!(send(&kernel, &syn_with(&guest4(SERVED), FIRST, 1)).0, Verdict::Pass, "served");
    assert_eq!(send(&kernel, &syn_with(&Packet::tcp(GUEST4, "192.0.2.77", 23, SYN), FIRST, 1)).0, Verdict::Pass, "forwarded");
}

#[test]
fn the_syn_that_crosses_the_scan_threshold_is_the_last_that_is_answered() {
    let mut kernel = kernel();
    kernel.scan.ports = 3;
    let verdicts = [21, 22, 23, 24].map(|port| send(&kernel, &syn_with(&guest4(port), FIRST, 1)).0);
    assert_eq!(
        verdicts,
        [Verdict::Answer, Verdict::Answer, Verdict::Answer, Verdict::Drop],
        "three handshakes prove what three SYNs do not"
    );
}

#[test]
fn a_proof_counts_even_from_a_source_that_was_silenced_meanwhile() {
    let mut kernel = kernel();
    kernel.scan.ports = 1;
    let greeting = greeted(&kernel, &guest4(21));
    assert_eq!(send(&kernel, &syn_with(&guest4(22), FIRST, 1)).0, Verdict::Drop);
    visits(&kernel);
    let _ = send(&kernel, &greeting.returned(&guest4(21), ACK, b""));
    assert_eq!(visits(&kernel).len(), 1, "it may be what turns a silence into a ban");
}

#[test]
fn the_flood_decides_between_the_stack_and_the_program_and_back() {
    let mut kernel = kernel();
    kernel.cookies.settings.syn_cost_ns = 1_000_000_000 / 10;
    let from = |n: u32| syn_with(&Packet::tcp(&format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255), HERE4, 23, SYN), n, 1);
    let verdicts: Vec<_> = (0..20).map(|n| send(&kernel, &from(n)).0).collect();
    assert_eq!(verdicts.iter().take_while(|verdict| **verdict == Verdict::Pass).count(), 9);
    assert!(verdicts[9..].iter().all(|verdict| *verdict == Verdict::Answer));
    kernel.now_ns.set(kernel.now_ns.get() + 3_000_000_000);
    assert_eq!(send(&kernel, &from(99)).0, Verdict::Pass, "it is over");
}

#[test]
fn answers_beyond_the_limit_are_dropped_and_counted() {
    let mut kernel = kernel();
    kernel.cookies.settings.answer_cost_ns = 1_000_000_000 / 5;
    let verdicts: Vec<_> =
        (1..=8).map(|last| send(&kernel, &Packet::tcp(&format!("203.0.113.{last}"), HERE4, 23, SYN).build()).0).collect();
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Answer).count(), 5);
    assert_eq!((kernel.counted(Counter::DroppedFlood), kernel.counted(Counter::Answered)), (3, 5));
}

#[test]
fn a_repeated_proof_is_told_once() {
    let kernel = kernel();
    let greeting = greeted(&kernel, &guest4(23));
    visits(&kernel);
    for _ in 0..1_000 {
        let _ = send(&kernel, &greeting.returned(&guest4(23), ACK, b""));
        let _ = send(&kernel, &greeting.returned(&guest4(23), ACK | PSH, b"again"));
    }
    assert_eq!((visits(&kernel).len(), kernel.counted(Counter::CookiesProven)), (2, 1));
}

#[test]
fn octets_that_could_not_be_told_are_not_answered_so_that_they_come_again() {
    let mut kernel = kernel();
    let greeting = greeted(&kernel, &guest4(23));
    let room = core::mem::take(&mut kernel.ring);
    let said = greeting.returned(&guest4(23), ACK | PSH, b"hello");
    assert_eq!((send(&kernel, &said).0, kernel.counted(Counter::KnocksLost)), (Verdict::Drop, 1));
    kernel.ring = room;
    kernel.told.take();
    kernel.cookies.meter.replace(FloodMeter { at_ns: kernel.now_ns.get(), records_ns: 1_000_000_000, ..FloodMeter::EMPTY });
    assert_eq!((send(&kernel, &said).0, kernel.counted(Counter::KnocksLimited)), (Verdict::Drop, 1));
    kernel.now_ns.set(kernel.now_ns.get() + 1_000_000);
    assert_eq!((send(&kernel, &said).0, visits(&kernel).len()), (Verdict::Answer, 1));
}

#[test]
fn nothing_of_a_connection_stays() {
    let mut kernel = kernel();
    kernel.cookies.settings.answer_cost_ns = 0;
    kernel.ring = 0;
    kernel.served.clear();
    for n in 0..50_000_u32 {
        let packet = Packet::tcp(&format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255), HERE4, 1 + (n % 65_535) as u16, SYN);
        assert_eq!(send(&kernel, &syn_with(&packet, n, 1)).0, Verdict::Answer);
    }
    let meter = kernel.cookies.meter.borrow();
    assert!(meter.told.iter().all(|told| *told == 0), "the meter has the levels and nobody's cookie");
}

#[test]
fn damaged_packets_never_prove_anything() {
    let kernel = kernel();
    let mut frames = handshake_frames();
    frames.extend(ways().iter().map(|packet| greeted(&kernel, packet).returned(packet, ACK | PSH, b"GET / HTTP/1.1\r\n\r\n")));
    let whole = ways().len();
    let mut mutator = Mutator::new(11);
    let (mut told, mut judged) = (0, 0);
    for _ in 0..20_000 {
        let index = mutator.below(frames.len());
        let frame = mutator.damage(&frames[index], 0);
        kernel.told.take();
        let (verdict, answer) = send(&kernel, &frame);
        judged += 1;
        assert!(verdict != Verdict::Answer || (answer.len() <= frame.len() && has_right_checksums(&answer)));
        for visit in kernel.told.take() {
            let Told::Visit { knock, .. } = visit else { continue };
            // Damage outside of what the cookie covers leaves it good: only the connection itself can have been told.
            assert!(index >= frames.len() - whole && knock.port == 23 && knock.source_port == 40_000, "{frame:?}");
            told += 1;
        }
        kernel.cookies.meter.borrow_mut().told = FloodMeter::EMPTY.told;
    }
    let verdicts = [Counter::Passed, Counter::Answered, Counter::DroppedFlood, Counter::DroppedScan, Counter::DroppedDark];
    let sum: u64 = verdicts.into_iter().map(|counter| kernel.counted(counter)).sum();
    assert_eq!(sum, judged + whole as u64);
    assert!(told > 100, "{told}: most of the damage is elsewhere, so the test does look");
}
