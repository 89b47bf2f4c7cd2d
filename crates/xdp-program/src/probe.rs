//! Is the packet a probe of a dark port, and how many has its source sent?

#[cfg(test)]
mod flood;
pub(crate) mod suspect;
mod tell;
mod ways;
mod window;

use crate::{
    Frame, Judgement, Kernel, Scan, ban, cookie,
    ip::Ip,
    note,
    transport::{Contact, Payload},
};
use honeymesh_xdp_abi::{
    BanEntry, Counter, GRADE_SPOOFABLE, Gates, KIND_PROBE, KIND_SCAN, KnockRecord, PORTS_MAX, REASON_SCAN, SCOPE_ALL, SCOPE_DARK,
    SPOOFABLE_ALL, SPOOFABLE_OFF, ScanSettings, SourceKey, age, fingerprint, source_hash, tag, ticks,
};
use window::{Seen, Way};

/// May it be a probe? Nearly every packet ends here, before a socket or another table was asked for it; the rest is for a
/// step of its own, because the kernel's verifier has no room for both in one program.
#[inline(always)]
pub(crate) fn first<I: Ip>(ip: &I, frame: &impl Frame, kernel: &impl Kernel, gates: Gates) -> Judgement {
    asked(ip.payload(frame), frame, kernel, gates)
}

/// The same, once it is known where the transport header is.
#[inline(always)]
pub(crate) fn asked(payload: Payload, frame: &impl Frame, kernel: &impl Kernel, gates: Gates) -> Judgement {
    let contact = match Contact::read(frame, payload, gates.has(Gates::UDP)) {
        Ok(Some(contact)) => contact,
        Ok(None) => return Judgement::Pass,
        Err(broken) => return note(kernel, broken),
    };
    if contact.is_probe(|| kernel.ephemeral()) {
        return if gates.has(Gates::LOCAL) { Judgement::Probe } else { Judgement::Pass };
    }
    let may_prove = gates.has(cookie::IN_FORCE) && contact.is_plain_ack() && kernel.is_listening();
    if may_prove { Judgement::Listen } else { Judgement::Pass }
}

/// What a source's probe comes to. `Drop` means: if the program is enforcing.
#[inline(always)]
pub(crate) fn judge<I: Ip>(ip: &I, frame: &impl Frame, kernel: &impl Kernel, gates: Gates) -> Judgement {
    // What is broken was counted in the step before.
    let Ok(Some(contact)) = Contact::read(frame, ip.payload(frame), gates.has(Gates::UDP)) else { return Judgement::Pass };
    if !is_dark(ip, &contact, kernel) {
        return Judgement::Pass;
    }
    if ip.is_allowed(kernel) {
        return note(kernel, Counter::Allowed);
    }
    let probe = Probe { source: ip.source_key(), bits: I::EXACT_BITS, knock: knock(ip, &contact) };
    if let Some(ban) = ban::silence(ip, kernel, gates) {
        let is_weighed = gates.has(Gates::ORACLE) && gates.has(Gates::ENFORCING) && contact.is_syn();
        if is_weighed && suspect::is_let_through(&probe, kernel) {
            return Judgement::Pass;
        }
        ban.hit();
        return Judgement::Drop(Counter::DroppedDark);
    }
    kernel.count(Counter::Knocks);
    let weight = weigh(&probe, kernel, gates);
    // Also the one that crosses the threshold: a scan is proved by as many handshakes as make one.
    if contact.is_syn() && gates.has(cookie::IN_FORCE) && !kernel.is_excepted(contact.dest_port) {
        return Judgement::Greet;
    }
    match weight {
        Weight::Over if gates.has(Gates::TRAPS) && contact.is_syn() => Judgement::Pass,
        Weight::Below => below(contact.dest_port, kernel, gates),
        Weight::Over => Judgement::Drop(Counter::DroppedScan),
        Weight::Told => Judgement::Pass,
    }
}

/// What becomes of a probe whose source is below the threshold, after it was counted and told: the stack answers, unless
/// the operator wants silence.
#[inline(always)]
fn below(port: u16, kernel: &impl Kernel, gates: Gates) -> Judgement {
    if gates.has(Gates::SILENT) && !kernel.is_excepted(port) {
        return Judgement::Drop(Counter::DroppedDark);
    }
    Judgement::Pass
}

/// Is it sent to this host, where no socket takes it?
#[inline(always)]
fn is_dark<I: Ip>(ip: &I, contact: &Contact, kernel: &impl Kernel) -> bool {
    kernel.is_local(&ip.addresses().1) && !ip.is_served(kernel, contact)
}

/// What is known of a probe of a dark port, whatever its family.
struct Probe {
    source: SourceKey,
    /// How many bits of the source's address its key stands for.
    bits: u32,
    /// What user space is told of it. Its time is still missing.
    knock: KnockRecord,
}

/// Where a source stands after its probe.
#[derive(Clone, Copy)]
enum Weight {
    /// Below the threshold, or it could not be counted.
    Below,
    /// At the threshold or over it.
    Over,
    /// The same, where a scan is only told.
    Told,
}

/// Counts the probe for its source, tells user space, and silences the source at the threshold. A function of its own:
/// both families share it, and the program's stack is small.
#[inline(never)]
fn weigh(probe: &Probe, kernel: &impl Kernel, gates: Gates) -> Weight {
    let now_ns = kernel.now_ns();
    let Some((settings, place)) = remembered(probe, kernel, now_ns) else {
        kernel.count(Counter::ScanStateLost);
        return Weight::Below;
    };
    let (now, window) = (ticks(now_ns), ticks(settings.window_ns));
    let seen = window::see(place.way, probe.knock.port, now, window);
    let knock = KnockRecord { at_ns: now_ns, ..probe.knock };
    if seen.count < u64::from(settings.ports) {
        place.remark(&seen, now, window);
        if seen.is_new {
            tell::knock(knock, kernel);
        }
        return Weight::Below;
    }
    let earns = settings.spoofable != SPOOFABLE_OFF;
    let placed = earns && gates.has(Gates::ENFORCING) && silence(probe, kernel, &settings, now_ns);
    let crosses = seen.is_new && seen.others < u64::from(settings.ports);
    if placed || crosses {
        let knock = KnockRecord { kind: KIND_SCAN, fate: u8::from(placed), ..knock };
        tell::scan(place.way, knock, window, kernel);
    }
    if placed {
        place.give_way(now);
    } else {
        place.remark(&seen, now, window);
    }
    if earns { Weight::Over } else { Weight::Told }
}

/// Where in the table a source is remembered.
struct Place<S> {
    way: Way<S>,
    index: u64,
}

#[inline(always)]
fn remembered<K: Kernel>(probe: &Probe, kernel: &K, now_ns: u64) -> Option<(ScanSettings, Place<K::Scan>)> {
    let settings = kernel.scan_settings()?;
    let secret = kernel.secret();
    let hash = source_hash(secret, probe.source);
    let (print, bucket) = (fingerprint(hash), hash & settings.bucket_mask);
    let scan = kernel.bucket(bucket)?;
    let (now, window) = (ticks(now_ns), ticks(settings.window_ns));
    let draw = ways::draw(secret[1], bucket, now, window);
    let index = ways::own(scan, print, draw, now, window)?;
    let way = Way { scan, first: index * PORTS_MAX as u64, tag: tag(print) };
    Some((settings, Place { way, index }))
}

impl<S: Scan> Place<S> {
    /// Notes how much the source is worth keeping. A lost race leaves another CPU's note, which is as good.
    #[inline(always)]
    fn remark(&self, seen: &Seen, now: u64, window: u64) {
        let old = ways::mark(self.way.scan, self.index);
        // A source that was here for long must not pass for one whose time is over, nor for a newcomer.
        let is_stale = age(now, old.tick()) > window / 2;
        if seen.count == old.ports() && !is_stale {
            return;
        }
        let tick = if is_stale { now.wrapping_sub(window / 4) } else { old.tick() };
        ways::set_mark(self.way.scan, self.index, old, old.with(tick, old.answered(), seen.count));
    }

    /// A silenced source needs no count any more: it is worth no more than a newcomer.
    #[inline(always)]
    fn give_way(&self, now: u64) {
        let old = ways::mark(self.way.scan, self.index);
        ways::set_mark(self.way.scan, self.index, old, old.with(now, 0, 1));
    }
}

#[inline(always)]
fn knock<I: Ip>(ip: &I, contact: &Contact) -> KnockRecord {
    let (source, dest) = ip.addresses();
    KnockRecord {
        at_ns: 0,
        source: source.0,
        dest: dest.0,
        source_port: contact.source_port,
        port: contact.dest_port,
        family: I::FAMILY,
        kind: KIND_PROBE,
        fate: 0,
        transport: contact.transport,
    }
}

/// Silences the source, if the budget allows it.
#[inline(always)]
fn silence(probe: &Probe, kernel: &impl Kernel, settings: &ScanSettings, now_ns: u64) -> bool {
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
