//! Real frames over veth: CPU time of the receiving NAPI thread per packet.

use crate::{
    bans::{BANNED, CLIENTS, Family, GOOD, HOT, Kind, Load, Traffic},
    common::{Peer, Room},
    contenders::{self, Contender, Guard, Role},
    goals::{MAPS, title},
    host::Host,
    median,
    plan::{Plan, Scale},
    results::{Results, Section},
};
use std::time::Duration;

/// From this many bans on, the kernel needs a moment to take a table apart.
const BIG: u32 = 1_000_000;

/// The maps of the smallest table: what is there whatever is banned.
const LEAST: &str = "all maps, 1k";

/// A contender at work.
struct Fighter {
    name: &'static str,
    role: Role,
    guard: Guard,
    host: Host,
}

/// One kind of traffic at one load.
struct Case {
    title: String,
    name: String,
    traffic: Traffic,
    is_banned: bool,
}

/// A number as people say it.
pub fn size(number: u32) -> String {
    match number {
        1_000_000.. if number.is_multiple_of(1_000_000) => format!("{}M", number / 1_000_000),
        1_000.. if number.is_multiple_of(1_000) => format!("{}k", number / 1_000),
        _ => number.to_string(),
    }
}

pub fn measure(room: &Room, plan: &Plan, results: &mut Results) {
    let sender = Peer::new();
    let contenders = contenders::all(&room.options(&["lo"]));
    let mut sections: Vec<Section> = [title::DROP4, title::PASS4, title::DROP6, title::PASS6, title::NETS]
        .map(|title| Section::new(title, "ns of CPU a packet"))
        .into();
    sections.push(Section::new(title::RESTORE, "seconds"));
    sections.push(Section::new(title::MEMORY, "octets"));
    let plain = |family| move |bans: &u32| Load { family, bans: *bans, nets: 0 };
    let loads = plan.sizes4.iter().map(plain(Family::V4)).chain(plan.sizes6.iter().map(plain(Family::V6)));
    let nets = (plan.nets > 0).then_some(Load { family: Family::V4, bans: plan.size_nets, nets: plan.nets });
    for load in loads.chain(nets) {
        plan.say(&format!("        {} bans, {}, {} prefixes", size(load.bans), load.family.name(), load.nets));
        let fighters = set_up(room, &sender, &contenders, &load, results);
        note(&fighters, &load, &mut sections);
        for case in cases(&load).into_iter().take(if plan.scale == Scale::Hot { 1 } else { usize::MAX }) {
            let section = sections.iter_mut().find(|section| section.title == case.title).unwrap();
            run(plan, &sender, &fighters, &case, section, &mut results.faults);
        }
        drop(fighters);
        if load.bans >= BIG {
            std::thread::sleep(Duration::from_secs(2));
        }
    }
    results.sections.extend(sections.into_iter().filter(|section| !section.lines.is_empty()));
}

fn set_up(room: &Room, sender: &Peer, contenders: &[Contender], load: &Load, results: &mut Results) -> Vec<Fighter> {
    let mut fighters = Vec::new();
    for contender in contenders.iter().filter(|contender| contender.can(load)) {
        let host = Host::new(room, sender);
        match (contender.set_up)(&host, load) {
            Ok(guard) => fighters.push(Fighter { name: contender.name, role: contender.role, guard, host }),
            Err(why) => {
                let absent = format!("{}: {why}", contender.name);
                if !results.absent.contains(&absent) {
                    results.absent.push(absent);
                }
            }
        }
    }
    fighters
}

/// What entering the bans came to.
fn note(fighters: &[Fighter], load: &Load, sections: &mut [Section]) {
    if load.nets > 0 || load.family == Family::V6 {
        return;
    }
    let size = size(load.bans);
    let [.., restore, memory] = sections else { return };
    for Fighter { name, guard, .. } in fighters {
        let Some(cost) = guard.cost else { continue };
        restore.enter(name, &size, cost.seconds);
        restore.enter(name, &format!("{size} (CPU)"), cost.cpu_seconds);
        if load.bans == BIG {
            memory.enter(name, "a ban, 1M (whole kernel)", cost.octets as f64 / f64::from(load.bans));
        }
        if let Some(octets) = guard.octets {
            memory.enter(name, &format!("all maps, {size}"), octets as f64);
            if let Some(least) = memory.figure(name, LEAST).filter(|_| load.bans == BIG) {
                memory.enter(name, MAPS, (octets as f64 - least) / f64::from(BIG - 1_000));
            }
        }
    }
}

fn cases(load: &Load) -> Vec<Case> {
    let (drop, pass) = match load.family {
        Family::V4 => (title::DROP4, title::PASS4),
        Family::V6 => (title::DROP6, title::PASS6),
    };
    let size = size(load.bans);
    let banned = |name: String, sources| {
        let traffic = Traffic { family: load.family, base: BANNED, sources: Some(sources), kind: Kind::Udp };
        Case { title: drop.into(), name, traffic, is_banned: true }
    };
    let clients = Traffic { family: load.family, base: GOOD, sources: Some(CLIENTS), kind: Kind::Ack };
    let mut cases = vec![banned(format!("{size} hot"), HOT.min(load.bans))];
    if load.bans > HOT {
        cases.push(banned(format!("{size} all"), load.bans));
    }
    cases.push(Case { title: pass.into(), name: size, traffic: clients, is_banned: false });
    if load.nets > 0 {
        for case in &mut cases {
            case.title = title::NETS.into();
            case.name = format!("{} {}", if case.is_banned { "dropped," } else { "passed," }, case.name);
        }
    }
    cases
}

/// Measures one case, contenders in turns, and checks that every packet met its fate.
fn run(plan: &Plan, sender: &Peer, fighters: &[Fighter], case: &Case, section: &mut Section, faults: &mut Vec<String>) {
    let fits = |fighter: &&Fighter| fighter.role == Role::Table || (fighter.role == Role::Drop) == case.is_banned;
    let fighters: Vec<&Fighter> = fighters.iter().filter(fits).collect();
    let mut costs = vec![Vec::new(); fighters.len()];
    let before: Vec<_> = fighters.iter().map(|fighter| (fighter.host.received(), fighter.host.passed())).collect();
    if plan.scale != Scale::Smoke {
        fighters.iter().for_each(|fighter| fighter.host.flood(sender, &case.traffic, plan.frames / 10));
    }
    for _ in 0..plan.rounds {
        for (fighter, costs) in fighters.iter().zip(&mut costs) {
            let (time, packets) = (fighter.host.ran(), fighter.host.received());
            fighter.host.flood(sender, &case.traffic, plan.frames);
            costs.push((fighter.host.ran() - time) as f64 / (fighter.host.received() - packets) as f64);
        }
    }
    for ((fighter, costs), (received, passed)) in fighters.iter().zip(costs).zip(before) {
        section.enter(fighter.name, &case.name, median(costs));
        let (received, passed) = (fighter.host.received() - received, fighter.host.passed() - passed);
        let wanted = if case.is_banned { 0 } else { received };
        if passed != wanted || received == 0 {
            let what = format!("{}, {}: of {received} packets {passed} passed, not {wanted}", section.title, case.name);
            faults.push(format!("{}: {what}", fighter.name));
        }
    }
}
