//! Is the packet a probe of a dark port, and how many has its source sent?

use crate::{Frame, Judgement, Kernel, Scan, ban, ip::Ip, note, transport::Tcp};
use honeymesh_xdp_abi::{
    BanEntry, Counter, GRADE_SPOOFABLE, Gates, KIND_PROBE, KIND_SCAN, KnockRecord, PORTS_MAX, REASON_SCAN, SCOPE_ALL, SCOPE_DARK,
    SPOOFABLE_ALL, SPOOFABLE_OFF, ScanSettings, Slot, SourceKey, ticks,
};

/// How often a port is entered again when another CPU took the same slot meanwhile. After that it goes uncounted.
const CLAIMS_MAX: usize = 3;

/// What a source's probe comes to. `Drop` means: if the program is enforcing.
#[inline(always)]
pub(crate) fn judge<I: Ip>(ip: &I, frame: &impl Frame, kernel: &impl Kernel, gates: Gates) -> Judgement {
    let tcp = match Tcp::read(frame, ip.payload(frame)) {
        Ok(Some(tcp)) => tcp,
        Ok(None) => return Judgement::Pass,
        Err(broken) => return note(kernel, broken),
    };
    if !tcp.is_probe() || !is_dark(ip, &tcp, kernel, gates) {
        return Judgement::Pass;
    }
    if ip.is_allowed(kernel) {
        return note(kernel, Counter::Allowed);
    }
    if let Some(ban) = ban::silence(ip, kernel, gates) {
        ban.hit();
        return Judgement::Drop(Counter::DroppedDark);
    }
    kernel.count(Counter::Knocks);
    let probe = Probe { source: ip.source_key(), bits: I::EXACT_BITS, knock: knock(ip, &tcp) };
    match weigh(&probe, kernel, gates) {
        // Counted and told like any other; only the answer is spared.
        Judgement::Pass if gates.has(Gates::SILENT) && !kernel.is_excepted(tcp.dest_port) => {
            Judgement::Drop(Counter::DroppedDark)
        }
        judgement => judgement,
    }
}

/// Is it sent to this host, where no socket takes it?
#[inline(always)]
fn is_dark<I: Ip>(ip: &I, tcp: &Tcp, kernel: &impl Kernel, gates: Gates) -> bool {
    gates.has(Gates::LOCAL) && kernel.is_local(&ip.addresses().1) && !ip.is_served(kernel, tcp)
}

/// What is known of a probe of a dark port, whatever its family.
struct Probe {
    source: SourceKey,
    /// How many bits of the source's address its key stands for.
    bits: u32,
    /// What user space is told of it. Its time is still missing.
    knock: KnockRecord,
}

/// Counts the probe for its source, tells user space, and silences the source at the threshold. A function of its own:
/// both families share it, and the program's stack is small.
#[inline(never)]
fn weigh(probe: &Probe, kernel: &impl Kernel, gates: Gates) -> Judgement {
    let (Some(settings), Some(scan)) = (kernel.scan_settings(), kernel.scan(&probe.source)) else {
        return note(kernel, Counter::ScanStateLost);
    };
    let now_ns = kernel.now_ns();
    let window = ticks(settings.window_ns);
    let seen = see(scan, probe.knock.port, ticks(now_ns), window);
    let knock = KnockRecord { at_ns: now_ns, ..probe.knock };
    if seen.count < u64::from(settings.ports) {
        if seen.is_new && !kernel.tell_knock(knock) {
            kernel.count(Counter::KnocksLost);
        }
        return Judgement::Pass;
    }
    let earns = settings.spoofable != SPOOFABLE_OFF;
    let placed = earns && gates.has(Gates::ENFORCING) && place(probe, kernel, &settings, now_ns);
    let crosses = seen.is_new && seen.others < u64::from(settings.ports);
    if placed || crosses {
        let knock = KnockRecord { kind: KIND_SCAN, silenced: u8::from(placed), ..knock };
        tell_scan(scan, knock, window, kernel);
    }
    if earns { Judgement::Drop(Counter::DroppedScan) } else { Judgement::Pass }
}

/// What a source's probe changed.
#[derive(Clone, Copy)]
struct Seen {
    /// The distinct ports within the window before this probe, without its own.
    others: u64,
    /// The distinct ports within the window now.
    count: u64,
    /// This port was not among those of the window.
    is_new: bool,
}

/// Remembers `port`. Exact also when several CPUs see the same source at once: a slot is taken in one step, by one, and
/// counted only afterwards, so that of two simultaneous probes at least one sees both.
#[inline(always)]
fn see<S: Scan>(scan: S, port: u16, now: u64, window: u64) -> Seen {
    let mut before = survey(scan, port, now, window);
    for _ in 0..CLAIMS_MAX {
        // The port's own slot, else the first free one, else none: then there are enough for any threshold.
        let index = if before.own < SLOTS { before.own } else { before.free };
        if index >= SLOTS || claim(scan, index, port, now, window) {
            break;
        }
        before = survey(scan, port, now, window);
    }
    let after = survey(scan, port, now, window);
    Seen { others: before.others, count: after.others + after.own_live, is_new: before.own_live == 0 }
}

const SLOTS: u64 = PORTS_MAX as u64;

/// The slots of a source, looked through with one port in mind.
#[derive(Clone, Copy)]
struct Survey {
    /// How many within the window hold another port.
    others: u64,
    /// The index of the port's own slot, or [`SLOTS`].
    own: u64,
    /// 1 if that is within the window, else 0.
    own_live: u64,
    /// The index of the first slot that is not within the window, or [`SLOTS`].
    free: u64,
}

/// Without a branch: see [`Scan::opaque`].
#[inline(always)]
fn survey<S: Scan>(scan: S, port: u16, now: u64, window: u64) -> Survey {
    let mut survey = Survey { others: 0, own: 0, own_live: 0, free: 0 };
    // 1 until the slot that is looked for was met, so that each index counts the slots before it.
    let (mut before_own, mut before_free) = (1, 1);
    let mut index = 0;
    while index < SLOTS {
        let slot = Slot(scan.slot(index));
        let (is_live, is_own) = (live_bit::<S>(slot, now, window), port_bit::<S>(slot, port));
        before_own &= is_own ^ 1;
        before_free &= is_live;
        survey.own += before_own;
        survey.free += before_free;
        survey.own_live |= is_live & is_own;
        survey.others += is_live & (is_own ^ 1);
        // Unrolled, the loop would keep sixteen slots on a stack of 512 octets.
        index = S::opaque(index) + 1;
    }
    survey
}

/// 1 if the slot was probed within the `window` of ticks before `now`, else 0. A probe that another CPU dated a moment
/// later counts.
#[inline(always)]
fn live_bit<S: Scan>(slot: Slot, now: u64, window: u64) -> u64 {
    let left = window.wrapping_sub(now.wrapping_sub(slot.tick()));
    taken_bit::<S>(slot) & (top_bit::<S>(left) ^ 1)
}

/// 1 if the slot holds `port`, else 0.
#[inline(always)]
fn port_bit<S: Scan>(slot: Slot, port: u16) -> u64 {
    let difference = S::opaque(u64::from(slot.port() ^ port));
    taken_bit::<S>(slot) & top_bit::<S>(difference.wrapping_sub(1))
}

/// 1 if the slot holds any port, else 0.
#[inline(always)]
fn taken_bit<S: Scan>(slot: Slot) -> u64 {
    top_bit::<S>(slot.0 | slot.0.wrapping_neg())
}

#[inline(always)]
fn top_bit<S: Scan>(value: u64) -> u64 {
    S::opaque(S::opaque(value) >> 63)
}

/// Takes the slot if it still is the port's own or free.
#[inline(always)]
fn claim<S: Scan>(scan: S, index: u64, port: u16, now: u64, window: u64) -> bool {
    let old = Slot(scan.slot(index));
    let is_mine = port_bit::<S>(old, port) | (live_bit::<S>(old, now, window) ^ 1);
    is_mine == 1 && scan.exchange(index, old.0, Slot::new(port, now).0) == old.0
}

#[inline(always)]
fn knock<I: Ip>(ip: &I, tcp: &Tcp) -> KnockRecord {
    let (source, dest) = ip.addresses();
    KnockRecord {
        at_ns: 0,
        source: source.0,
        dest: dest.0,
        source_port: tcp.source_port,
        port: tcp.dest_port,
        family: I::FAMILY,
        kind: KIND_PROBE,
        silenced: 0,
        reserved: 0,
    }
}

/// Silences the source, if the budget allows it.
#[inline(always)]
fn place(probe: &Probe, kernel: &impl Kernel, settings: &ScanSettings, now_ns: u64) -> bool {
    let entry = BanEntry {
        deadline_ns: now_ns.saturating_add(settings.ttl_ns),
        hits: 1,
        reasons: REASON_SCAN,
        scope: if settings.spoofable == SPOOFABLE_ALL { SCOPE_ALL } else { SCOPE_DARK },
        grade: GRADE_SPOOFABLE,
        bits: probe.bits,
    };
    let placed = kernel.place(&probe.source, &entry);
    if !placed {
        kernel.count(Counter::BudgetFull);
    }
    placed
}

/// Tells user space of the scan, with the ports within the window.
#[inline(always)]
fn tell_scan<S: Scan>(scan: S, knock: KnockRecord, window: u64, kernel: &impl Kernel) {
    kernel.count(Counter::Scans);
    let now = ticks(knock.at_ns);
    let live = |index| {
        let slot = scan.slot(index);
        slot & live_bit::<S>(Slot(slot), now, window).wrapping_neg()
    };
    if !kernel.tell_scan(knock, live) {
        kernel.count(Counter::KnocksLost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::{Cell, RefCell};

    /// Slots that another CPU writes to just before each of the first exchanges.
    struct Contended {
        slots: RefCell<[u64; PORTS_MAX]>,
        rivals: Cell<u16>,
    }

    impl Scan for &Contended {
        fn slot(self, index: u64) -> u64 {
            self.slots.borrow()[usize::try_from(index).unwrap()]
        }

        fn exchange(self, index: u64, old: u64, new: u64) -> u64 {
            let mut slots = self.slots.borrow_mut();
            let index = usize::try_from(index).unwrap();
            if self.rivals.get() > 0 {
                slots[index] = Slot::new(1_000 + self.rivals.get(), 50).0;
                self.rivals.set(self.rivals.get() - 1);
            }
            let found = slots[index];
            if found == old {
                slots[index] = new;
            }
            found
        }

        fn opaque(value: u64) -> u64 {
            value
        }
    }

    fn contended(rivals: u16) -> Contended {
        Contended { slots: RefCell::new([0; PORTS_MAX]), rivals: Cell::new(rivals) }
    }

    #[test]
    fn a_slot_that_another_cpu_took_is_left_to_it_and_both_ports_count() {
        let scan = contended(2);
        let seen = see(&scan, 22, 50, 10);
        assert_eq!((seen.count, seen.is_new), (3, true));
        let ports: alloc::vec::Vec<u16> = scan.slots.borrow().iter().take(4).map(|slot| Slot(*slot).port()).collect();
        assert_eq!(ports, [1_002, 1_001, 22, 0]);
    }

    #[test]
    fn after_three_lost_races_the_rivals_count_and_the_port_does_not() {
        let seen = see(&contended(9), 22, 50, 10);
        assert_eq!((seen.count, seen.is_new), (3, true));
    }

    #[test]
    fn a_port_known_already_is_refreshed_in_its_own_slot() {
        let scan = contended(0);
        assert_eq!(
            [see(&scan, 22, 50, 10).is_new, see(&scan, 22, 60, 10).is_new, see(&scan, 22, 71, 10).is_new],
            [true, false, true]
        );
        assert_eq!(scan.slots.borrow()[..2], [Slot::new(22, 71).0, 0]);
    }

    #[test]
    fn a_slot_lives_for_the_window_and_an_empty_one_never() {
        let live = |slot, now| live_bit::<&Contended>(slot, now, 10);
        assert_eq!([99, 100, 110, 111].map(|now| live(Slot::new(22, 100), now)), [1, 1, 1, 0], "a tick ahead is live");
        assert_eq!((live(Slot::EMPTY, 0), live(Slot::new(0, 1), 1)), (0, 1), "port 0 is a port");
    }

    #[test]
    fn a_slot_knows_its_port_and_an_empty_one_has_none() {
        let same = |slot, port| port_bit::<&Contended>(slot, port);
        assert_eq!([22, 23, 0].map(|port| same(Slot::new(22, 7), port)), [1, 0, 0]);
        assert_eq!((same(Slot::EMPTY, 0), same(Slot::new(0, 7), 0)), (0, 1));
    }
}
