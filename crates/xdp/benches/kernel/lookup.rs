//! What finding a ban costs as the table grows, without a wire: a hundred attackers, each again and again.

use crate::{
    bans::{BANNED, Family, HOT, Kind, Traffic, enforcements, source},
    common::{Peer, Room},
    contenders::{Ours, VARIANTS, options, start},
    goals::title,
    host::Host,
    median,
    plan::Plan,
    program::Empty,
    results::{Results, Section},
    rows::size,
};
use honeymesh_xdp::{Kernel, now};

const XDP_PASS: u32 = 2;
/// Attackers of one measurement.
const SOURCES: u32 = HOT / 10;
/// Bans handed over at once.
const CHUNK: u32 = 1_000_000;
/// Rounds for each round of others: one takes some milliseconds only, and a noisy one must not decide.
const ROUNDS_FACTOR: usize = 5;

/// A table of one size.
struct Sized {
    name: &'static str,
    size: String,
    kernel: Kernel,
    /// It is guarded by this table.
    _host: Host,
    costs: Vec<f64>,
}

impl Sized {
    fn new(room: &Room, sender: &Peer, ours: &Ours, bans: u32) -> Self {
        let host = Host::new(room, sender);
        let mut kernel = start(options(ours, &room.options(&["lo"]), &host.interface(), bans), &host).unwrap();
        fill(&mut kernel, bans);
        Self { name: ours.name, size: size(bans), kernel, _host: host, costs: Vec::new() }
    }
}

/// All sizes take turns.
pub fn measure(room: &Room, plan: &Plan, results: &mut Results) {
    let traffic = Traffic { family: Family::V4, base: BANNED, sources: Some(HOT), kind: Kind::Udp };
    let frames: Vec<_> = (0..SOURCES).map(|number| traffic.frame_from(&source(Family::V4, BANNED, number).to_string())).collect();
    let (empty, sender) = (Empty::new(XDP_PASS), Peer::new());
    let mut all = Vec::new();
    for bans in plan.sizes_lookup {
        plan.say(&format!("        {} bans", size(*bans)));
        let fit = VARIANTS.iter().filter(|ours| ours.bans_max >= *bans);
        all.extend(fit.map(|ours| Sized::new(room, &sender, ours, *bans)));
    }
    for _ in 0..plan.rounds * ROUNDS_FACTOR {
        for Sized { kernel, costs, .. } in &mut all {
            let floor = empty.cost(&frames[0], plan.repeat);
            let sum: u128 = frames.iter().map(|frame| cost(kernel, frame, plan.repeat / SOURCES.min(plan.repeat), results)).sum();
            costs.push(sum as f64 / f64::from(SOURCES) - floor);
        }
    }
    let mut section = Section::new(title::LOOKUP, "ns above an empty program");
    all.into_iter().for_each(|table| section.enter(table.name, &table.size, median(table.costs)));
    results.sections.push(section);
}

/// Nanoseconds of one run.
fn cost(kernel: &Kernel, frame: &[u8], repeat: u32, results: &mut Results) -> u128 {
    let verdict = kernel.try_frame(frame, repeat.max(1)).unwrap();
    if !verdict.dropped {
        results.faults.push("a banned frame passed in the lookup".into());
    }
    verdict.cost.as_nanos()
}

/// Enters the first `bans` bans.
pub fn fill(kernel: &mut Kernel, bans: u32) {
    if bans <= CHUNK {
        let intent: Vec<_> = enforcements(Family::V4, 0..bans).collect();
        kernel.reconcile(&intent, now()).unwrap();
        return;
    }
    let now = now();
    for what in enforcements(Family::V4, 0..bans) {
        kernel.raise(&what, now).unwrap();
    }
}
