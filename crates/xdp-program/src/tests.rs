//! The decision against the table, and what the table cannot say.

use crate::{
    NESTED_MAX, Next, Onward, Verdict, decide, filter, go_on,
    testing::{
        Doorstep, End, HERE4, HERE6, HostKernel, Mutator, Offer, Packet, SERVED, SYN, Script, Setting, Slice, Step, Tell, Told,
        hushed, hushed_setting, offers, offers_setting, scripts,
    },
};
use alloc::{format, string::String, vec::Vec};
use honeymesh_xdp_abi::{COUNTERS, Counter, Gates, KIND_SUSPECT, SCOPE_ALL, SCOPE_DARK, Slot, SourceKey};

/// The counters a step moved, and how far.
fn moved(before: [u64; COUNTERS], after: [u64; COUNTERS]) -> Vec<(Counter, u64)> {
    let delta = |counter: &Counter| after[*counter as usize] - before[*counter as usize];
    Counter::ALL.iter().map(|counter| (*counter, delta(counter))).filter(|(_, delta)| *delta > 0).collect()
}

fn wanted(step: &Step) -> Vec<(Counter, u64)> {
    Counter::ALL.iter().filter(|counter| step.counts.contains(counter)).map(|counter| (*counter, 1)).collect()
}

fn heard(told: &[Told]) -> Tell {
    match told {
        [] => Tell::Nothing,
        [Told::Knock(knock)] if knock.kind == KIND_SUSPECT => Tell::Suspect(knock.port, knock.fate),
        [Told::Knock(knock)] => Tell::Knock(knock.port),
        [Told::Scan(scan)] => {
            let mut ports: Vec<u16> = scan.slots.iter().filter(|slot| **slot != 0).map(|slot| Slot(*slot).port()).collect();
            ports.sort_unstable();
            Tell::Scan(ports, scan.knock.fate == 1)
        }
        [Told::Visit { knock, .. }] => panic!("a visit to port {}", knock.port),
        more => panic!("one packet told {} things", more.len()),
    }
}

fn run(script: &Script) -> Vec<String> {
    let kernel = HostKernel::of(&script.setting);
    let mut wrong = Vec::new();
    for step in &script.steps {
        let before = *kernel.counters.borrow();
        let verdict = decide(&Slice(&step.frame), &&kernel);
        let (got, want) = (moved(before, *kernel.counters.borrow()), wanted(step));
        let told = heard(&kernel.told.take());
        if (verdict == Verdict::Drop) != step.drops() || got != want || told != step.tell {
            wrong.push(format!("{}: {}: {verdict:?} {got:?} {told:?}, not {want:?} {:?}", script.name, step.name, step.tell));
        }
    }
    for (subject, hits) in &script.hits {
        let got = kernel.hits(subject);
        if got != Some(*hits) {
            wrong.push(format!("{}: hits of {subject}: {got:?}, not {hits}", script.name));
        }
    }
    wrong
}

#[test]
fn every_packet_of_the_table_gets_its_verdict_counters_and_records() {
    let wrong: Vec<String> = scripts().iter().flat_map(run).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_frame_shorter_than_ethernet_is_malformed() {
    let kernel = HostKernel::of(&Setting::default());
    for len in 0..14 {
        assert_eq!(decide(&Slice(&[0; 14][..len]), &&kernel), Verdict::Pass);
    }
    assert_eq!((kernel.counted(Counter::Malformed), kernel.counted(Counter::Passed)), (14, 14));
}

#[test]
fn whatever_the_damage_each_packet_gets_one_verdict() {
    for script in scripts() {
        let kernel = HostKernel::of(&script.setting);
        let mut mutator = Mutator::new(7);
        let mut judged = 0;
        for _ in 0..2_000 {
            let step = &script.steps[mutator.below(script.steps.len())];
            let _verdict = decide(&Slice(&mutator.damage(&step.frame, 0)), &&kernel);
            judged += 1;
        }
        let verdicts = [Counter::Passed, Counter::DroppedV4, Counter::DroppedV6, Counter::DroppedNet];
        let more =
            [Counter::DroppedDark, Counter::DroppedScan, Counter::DroppedLockdown, Counter::Answered, Counter::DroppedFlood];
        let verdicts = verdicts.into_iter().chain(more);
        assert_eq!(verdicts.map(|counter| kernel.counted(counter)).sum::<u64>(), judged, "{}", script.name);
    }
}

#[test]
fn the_short_way_says_what_the_long_one_would() {
    let mut short = 0;
    for script in scripts() {
        let (quick, whole) = (HostKernel::of(&script.setting), HostKernel::of(&script.setting));
        let mut mutator = Mutator::new(9);
        for round in 0..600 {
            let step = &script.steps[mutator.below(script.steps.len())];
            let frame = if round % 3 == 0 { step.frame.clone() } else { mutator.damage(&step.frame, 0) };
            short += usize::from(!matches!(crate::quick(&Slice(&frame), &&HostKernel::of(&script.setting)), Next::Filter));
            let verdict = decide(&Slice(&frame), &&quick);
            let wanted = go_on(filter(&Slice(&frame), &&whole), &Slice(&frame), &&whole);
            assert_eq!((verdict, &quick.counters), (wanted, &whole.counters), "{}: {frame:?}", script.name);
            assert_eq!(quick.told, whole.told, "{}: {frame:?}", script.name);
        }
        for (subject, _) in &script.hits {
            assert_eq!(quick.hits(subject), whole.hits(subject), "{}: {subject}", script.name);
        }
    }
    assert!(short > 3_000, "the short way was gone {short} times only");
}

fn syn(port: u16) -> Vec<u8> {
    Packet::tcp("203.0.113.7", HERE4, port, SYN).build()
}

fn send(kernel: &HostKernel, frame: &[u8]) -> Verdict {
    decide(&Slice(frame), &kernel)
}

#[test]
fn the_clock_is_read_only_for_a_match_or_a_probe() {
    let bans = [("203.0.113.8", SCOPE_ALL, End::Later), ("198.51.100.0/24", SCOPE_ALL, End::Later)].to_vec();
    let kernel = HostKernel::of(&Setting { bans, ..Setting::default() });
    let _ = send(&kernel, &Packet::udp("203.0.113.7", HERE4, 53).build());
    let _ = send(&kernel, &syn(SERVED));
    assert_eq!(kernel.clock_reads.get(), 0);
    let _ = send(&kernel, &Packet::udp("203.0.113.8", HERE4, 53).build());
    assert_eq!(kernel.clock_reads.get(), 1);
}

#[test]
fn closed_gates_cost_no_look_up() {
    let kernel = HostKernel::of(&Setting { local: Vec::new(), ..Setting::default() });
    let _ = send(&kernel, &syn(23));
    assert_eq!(kernel.lookups.get(), 0);
}

#[test]
fn the_window_slides_over_each_port() {
    let kernel = HostKernel::of(&Setting::default());
    let second = 1_000_000_000;
    let at = |seconds: u64, port| {
        kernel.now_ns.set((1_000 + seconds) * second);
        send(&kernel, &syn(port))
    };
    assert_eq!(at(0, 21), Verdict::Pass);
    assert_eq!(at(50, 22), Verdict::Pass);
    assert_eq!(at(70, 23), Verdict::Pass, "port 21 left the window 10 s ago");
    assert_eq!(at(105, 23), Verdict::Pass, "the same port again");
    assert_eq!(at(112, 24), Verdict::Pass, "port 22 left it too");
    assert_eq!(at(113, 22), Verdict::Drop, "22, 23 and 24: port 23 counts from when it was seen last");
}

#[test]
fn a_silence_ends_by_itself_and_a_new_scan_earns_a_new_one() {
    let kernel = HostKernel::of(&Setting::default());
    let burst = |ports: [u16; 3]| ports.map(|port| send(&kernel, &syn(port)));
    assert_eq!(burst([1, 2, 3]), [Verdict::Pass, Verdict::Pass, Verdict::Drop]);
    assert_eq!(burst([4, 5, 6]), [Verdict::Drop; 3]);
    kernel.now_ns.set(kernel.now_ns.get() + 601_000_000_000);
    assert_eq!(burst([4, 5, 6]), [Verdict::Pass, Verdict::Pass, Verdict::Drop]);
    assert_eq!(kernel.placed_entry(SourceKey::v4(0xcb00_7107)).map(|entry| entry.hits), Some(1), "a new entry");
}

#[test]
fn a_silence_that_user_space_takes_over_in_that_moment_stays_one() {
    for scope in [SCOPE_DARK, SCOPE_ALL] {
        let bans = [("203.0.113.7", scope, End::Later)].to_vec();
        let mut kernel = HostKernel::of(&Setting { bans, ..Setting::default() });
        kernel.coming.set(true);
        let burst = [1, 2, 3].map(|port| send(&kernel, &syn(port)));
        assert_eq!(burst[2], Verdict::Drop, "{scope}: {burst:?}");
        // As where traps play on dark ports: there the probe that is over the threshold is answered.
        kernel.gates = kernel.gates.with(Gates::TRAPS, true);
        kernel.coming.set(true);
        assert_eq!(send(&kernel, &syn(4)), Verdict::Drop, "{scope}");
    }
}

#[test]
fn every_threshold_up_to_sixteen_is_exact() {
    for ports in 1..=16 {
        let mut setting = Setting::default();
        setting.scan.ports = ports;
        let kernel = HostKernel::of(&setting);
        let verdicts: Vec<_> = (1..=17).map(|port| send(&kernel, &syn(port))).collect();
        let answered = verdicts.iter().take_while(|verdict| **verdict == Verdict::Pass).count();
        assert_eq!(answered, usize::try_from(ports).unwrap() - 1);
        assert!(verdicts[answered..].iter().all(|verdict| *verdict == Verdict::Drop));
    }
}

#[test]
fn more_ports_than_slots_stay_over_the_threshold() {
    let setting = Setting { budget: 0, ..Setting::default() };
    let kernel = HostKernel::of(&setting);
    let dropped = (1..=100).filter(|port| send(&kernel, &syn(*port)) == Verdict::Drop).count();
    assert_eq!((dropped, kernel.counted(Counter::Scans), kernel.counted(Counter::BudgetFull)), (98, 1, 98));
}

#[test]
fn a_full_ring_is_counted_and_changes_no_verdict() {
    let mut kernel = HostKernel::of(&Setting::default());
    kernel.ring = 0;
    let verdicts = [1, 2, 3].map(|port| send(&kernel, &syn(port)));
    assert_eq!(verdicts, [Verdict::Pass, Verdict::Pass, Verdict::Drop]);
    assert_eq!(kernel.counted(Counter::KnocksLost), 3);
}

#[test]
fn a_record_tells_who_whom_when() {
    let kernel = HostKernel::of(&Setting::default());
    let _ = send(&kernel, &syn(23));
    let told = kernel.told.take();
    let [Told::Knock(knock)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((knock.at_ns, knock.source_port, knock.port, knock.family), (kernel.now_ns.get(), 40_000, 23, 4));
    assert_eq!(knock.source, honeymesh_xdp_abi::AddressKey::v4(0xcb00_7107).0);
    assert_eq!(knock.dest, honeymesh_xdp_abi::AddressKey::v4(0xc000_0201).0);
}

#[test]
fn beyond_the_nesting_that_is_followed_a_packet_passes_and_is_counted() {
    // Only IPv6 has lengths enough for that.
    let within = |deep: usize| (0..deep).map(|more| (&*format!("2001:db8::/{}", 65 + more).leak(), SCOPE_DARK, End::Later));
    for (deep, verdict, counted) in [(NESTED_MAX - 1, Verdict::Drop, 0), (NESTED_MAX, Verdict::Pass, 1)] {
        let bans = within(deep).chain([("2001:db8::/48", SCOPE_ALL, End::Later)]).collect();
        let kernel = HostKernel::of(&Setting { bans, ..Setting::default() });
        assert_eq!(send(&kernel, &Packet::udp("2001:db8::7", HERE6, 53).build()), verdict, "{deep}");
        assert_eq!(kernel.counted(Counter::TooNested), counted);
    }
}

fn offered(kernel: &HostKernel, frame: &[u8]) {
    if let Some(door) = Doorstep::of(frame) {
        let _onward = crate::door(&door, &kernel);
    }
}

#[test]
fn connections_to_dark_ports_are_steered_and_nothing_else_is() {
    let kernel = HostKernel::of(&offers_setting());
    let steered = |offer: &Offer| {
        let before = kernel.counted(Counter::Steered);
        offered(&kernel, &offer.frame);
        kernel.counted(Counter::Steered) > before
    };
    let wrong: Vec<_> = offers().into_iter().filter(|offer| steered(offer) != offer.steered).map(|offer| offer.name).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn without_a_trap_or_with_the_gate_closed_nothing_is_steered() {
    let mut kernel = HostKernel::of(&offers_setting());
    kernel.traps.clear();
    offers().iter().for_each(|offer| offered(&kernel, &offer.frame));
    assert_eq!(kernel.counted(Counter::Steered), 0);
    let kernel = HostKernel::of(&Setting { dark: Gates::default(), ..offers_setting() });
    offers().iter().for_each(|offer| offered(&kernel, &offer.frame));
    assert_eq!(kernel.counted(Counter::Steered), 0);
}

#[test]
fn what_the_oracle_lets_through_is_refused_and_never_trapped_while_its_source_is_remembered() {
    let kernel = HostKernel::of(&Setting { oracle: true, ..offers_setting() });
    // Does it come to the door, and is it steered there?
    let fares = |source: &str, port| {
        let frame = Packet::tcp(source, HERE4, port, SYN).build();
        let (comes, before) = (decide(&Slice(&frame), &&kernel) == Verdict::Pass, kernel.counted(Counter::Steered));
        if comes {
            offered(&kernel, &frame);
        }
        (comes, kernel.counted(Counter::Steered) > before)
    };
    let suspect = "203.0.113.1";
    assert_eq!([21, 22, 23].map(|port| fares(suspect, port)), [(true, true); 3], "a trap, up to the one that makes a scan");
    let coins: Vec<_> = (100..140).map(|port| fares(suspect, port)).collect();
    assert!(coins.contains(&(true, false)) && coins.contains(&(false, false)) && !coins.contains(&(true, true)), "{coins:?}");
    assert_eq!(fares("203.0.113.2", 21), (true, true), "nobody else pays for it");
    // What was let through may still be on its way when the silence ends, or when the next one begins.
    kernel.now_ns.set(kernel.now_ns.get() + 601_000_000_000);
    assert_eq!([21, 22, 23].map(|port| fares(suspect, port)).map(|(_, steered)| steered), [false; 3]);
    let plain = HostKernel::of(&offers_setting());
    for port in (21..24).chain(100..140) {
        let _verdict = decide(&Slice(&Packet::tcp(suspect, HERE4, port, SYN).build()), &&plain);
    }
    offered(&plain, &Packet::tcp(suspect, HERE4, 21, SYN).build());
    assert_eq!(plain.counted(Counter::Steered), 1, "without the oracle the door does not ask");
}

#[test]
fn however_damaged_a_packet_is_steering_survives_it() {
    let kernel = HostKernel::of(&offers_setting());
    let mut mutator = Mutator::new(11);
    let all = offers();
    for _ in 0..20_000 {
        let offer = &all[mutator.below(all.len())];
        offered(&kernel, &mutator.damage(&offer.frame, 0));
    }
    assert!(kernel.counted(Counter::Steered) > 0);
}

#[test]
fn at_the_door_of_silent_ports_what_they_would_answer_is_dropped_and_counted_unless_only_observing() {
    let drops = |kernel: &HostKernel, offer: &Offer| {
        Doorstep::of(&offer.frame).is_some_and(|door| crate::door(&door, &kernel) == Onward::Dropped)
    };
    for forwards in [false, true] {
        let (kernel, offers) = (HostKernel::of(&hushed_setting(forwards)), hushed(forwards));
        let wrong: Vec<_> =
            offers.iter().filter(|offer| drops(&kernel, offer) != offer.steered).map(|offer| offer.name).collect();
        assert!(wrong.is_empty(), "forwards: {forwards}: {wrong:?}");
        let wanted = offers.iter().filter(|offer| offer.steered).count();
        assert_eq!(kernel.counted(Counter::Silenced), u64::try_from(wanted).unwrap());
        let watching = HostKernel::of(&Setting { enforcing: false, ..hushed_setting(forwards) });
        assert!(!offers.iter().any(|offer| drops(&watching, offer)));
    }
}
