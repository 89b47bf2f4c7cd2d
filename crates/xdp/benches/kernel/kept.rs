//! No live ban is lost: with the table filled to the last entry, and under a flood of forged SYNs. Counted, one by one.

use crate::{
    bans::{BANNED, Family, Kind, Traffic, enforcements, source},
    common::{Peer, Room},
    contenders::{Ours, VARIANTS, options, start},
    goals::{FILLED, FLOODED, title},
    host::Host,
    plan::Plan,
    results::{Results, Section},
};
use honeymesh_xdp::{Error, Kernel, now};

pub fn measure(room: &Room, plan: &Plan, results: &mut Results) {
    let mut section = Section::new(title::KEPT, "of all");
    one(room, plan, &VARIANTS[0], &mut section, &mut results.faults);
    results.sections.push(section);
}

fn one(room: &Room, plan: &Plan, ours: &Ours, section: &mut Section, faults: &mut Vec<String>) {
    let sender = Peer::new();
    let host = Host::new(room, &sender);
    let mut kernel = start(options(ours, &room.options(&["lo"]), &host.interface(), plan.size_kept), &host).unwrap();
    let now = now();
    let mut refused = 0_u32;
    for what in enforcements(Family::V4, 0..plan.size_kept) {
        refused += u32::from(kernel.raise(&what, now).is_err());
    }
    let beyond: Vec<_> = enforcements(Family::V4, plan.size_kept..plan.size_kept + 1).collect();
    if !matches!(kernel.raise(&beyond[0], now), Err(Error::Full { .. })) {
        faults.push(format!("{}: a ban beyond the last entry was not refused", ours.name));
    }
    section.enter(ours.name, "bans", plan.size_kept.into());
    section.enter(ours.name, "refused on the way", refused.into());
    section.enter(ours.name, FILLED, lost(&kernel, plan.size_kept));
    let forged = Traffic { family: Family::V4, base: 0, sources: None, kind: Kind::Syn };
    host.flood(&sender, &forged, plan.forged);
    section.enter(ours.name, "forged SYNs", plan.forged.into());
    section.enter(ours.name, FLOODED, lost(&kernel, plan.size_kept));
}

/// How many of the banned would get through now.
fn lost(kernel: &Kernel, bans: u32) -> f64 {
    let traffic = Traffic { family: Family::V4, base: BANNED, sources: Some(bans), kind: Kind::Udp };
    let mut frame = traffic.frame_from("10.0.0.0");
    let passed = (0..bans).filter(|number| {
        if let std::net::IpAddr::V4(addr) = source(Family::V4, BANNED, *number) {
            frame[26..30].copy_from_slice(&addr.octets());
        }
        !kernel.try_frame(&frame, 1).unwrap().dropped
    });
    passed.count() as f64
}
