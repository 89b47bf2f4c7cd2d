//! What finding a ban costs as the table grows, without a wire: 1,000 attackers, each again and again.

use crate::{
    bans::{BANNED, Family, HOT, Kind, Traffic, enforcements, source},
    common::Room,
    contenders::{VARIANTS, options},
    goals::title,
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

pub fn measure(room: &Room, plan: &Plan, results: &mut Results) {
    let mut section = Section::new(title::LOOKUP, "ns above an empty program");
    let traffic = Traffic { family: Family::V4, base: BANNED, sources: Some(HOT), kind: Kind::Udp };
    let frames: Vec<_> = (0..SOURCES).map(|number| traffic.frame_from(&source(Family::V4, BANNED, number).to_string())).collect();
    let empty = Empty::new(XDP_PASS);
    for bans in plan.sizes_lookup {
        plan.say(&format!("        {} bans", size(*bans)));
        for ours in VARIANTS.iter().filter(|ours| ours.bans_max >= *bans) {
            let (mut kernel, _knocks) = Kernel::start(&options(ours, &room.options(&["lo"]), "lo", *bans)).unwrap();
            fill(&mut kernel, *bans);
            let mut costs = Vec::new();
            for _ in 0..plan.rounds {
                let floor = empty.cost(&frames[0], plan.repeat);
                let all: u128 =
                    frames.iter().map(|frame| cost(&kernel, frame, plan.repeat / SOURCES.min(plan.repeat), results)).sum();
                costs.push(all as f64 / f64::from(SOURCES) - floor);
            }
            section.enter(ours.name, &size(*bans), median(costs));
        }
    }
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
