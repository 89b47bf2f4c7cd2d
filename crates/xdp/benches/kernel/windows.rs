//! What the daemon's side of the table costs: a start, all bans at once, an audit, and single bans all over the table, whose
//! windows are nearly always away.

use crate::{
    bans::{Family, enforcements},
    common::Room,
    contenders::{VARIANTS, options},
    goals::title,
    median, p99,
    plan::Plan,
    results::{Results, Section},
    rows::size,
};
use honeymesh_types::{Enforcement, Subject};
use honeymesh_xdp::{Kernel, now};
use std::{fs, time::Instant};

/// Bans at once, at most.
const BANS_MAX: u32 = 1_000_000;

/// Milliseconds.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed().as_secs_f64() * 1e3)
}

/// Kilobytes of tables that this process has resident.
fn resident() -> f64 {
    let (mut is_map, mut sum) = (false, 0.0);
    for line in fs::read_to_string("/proc/self/smaps").unwrap().lines() {
        if line.split_once(' ').is_some_and(|(range, _)| range.contains('-')) {
            is_map = line.contains("bpf-map");
        } else if let Some(kilobytes) = line.strip_prefix("Rss:").filter(|_| is_map) {
            sum += kilobytes.trim().trim_end_matches(" kB").parse::<f64>().unwrap();
        }
    }
    sum
}

pub fn measure(room: &Room, plan: &Plan, results: &mut Results) {
    let mut section = Section::new(title::OWN_SIDE, "milliseconds, microseconds, kB resident of the tables");
    for capacity in plan.sizes_own_side {
        plan.say(&format!("        room for {} bans", size(*capacity)));
        let row = format!("room for {} bans", size(*capacity));
        let options = options(&VARIANTS[0], &room.options(&["lo"]), "lo", *capacity);
        let mut intent: Vec<Enforcement> = enforcements(Family::V4, 0..(*capacity).min(BANS_MAX)).collect();
        // As the ledger hands them over.
        intent.sort_unstable_by_key(|what| what.subject);
        let before = resident();
        let ((mut kernel, _knocks), start) = timed(|| Kernel::start(&options).unwrap());
        section.enter(&row, "start", start);
        section.enter(&row, "kB, empty", resident() - before);
        let all = timed(|| kernel.reconcile(&intent, now()).unwrap()).1;
        section.enter(&row, "all bans at once", all);
        let auditor = kernel.take_auditor().unwrap();
        let audits = (0..plan.rounds).map(|_| timed(|| assert!(auditor.audit(&intent, now()).unwrap().is_none())).1);
        section.enter(&row, "an audit", median(audits.collect()));
        let some: Vec<Enforcement> = intent.iter().step_by(intent.len().div_ceil(1_000)).copied().collect();
        let lifts = some.iter().map(|what| timed(|| assert!(kernel.lift(&what.subject).unwrap())).1 * 1e3);
        section.enter(&row, "one lifted, us", median(lifts.collect()));
        let raise = |kernel: &mut Kernel, what: &Enforcement| timed(|| kernel.raise(what, now()).unwrap()).1 * 1e3;
        let raises: Vec<f64> = some.iter().map(|what| raise(&mut kernel, what)).collect();
        section.enter(&row, "one entered, us", median(raises.clone()));
        section.enter(&row, "p99, us", p99(raises));
        section.enter(&row, "kB, then", resident() - before);
        let known: usize =
            some.iter().map(|what: &Enforcement| usize::from(kernel.drops(&Subject::new(what.subject.net())) == 0)).sum();
        assert_eq!(known, some.len());
    }
    results.sections.push(section);
}
