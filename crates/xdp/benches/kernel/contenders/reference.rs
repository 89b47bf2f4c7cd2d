//! The ends of the scale: a program that only drops, one that only passes, and nothing at all.

use super::{BOTH, Contender, Guard, LIMIT, NOTHING, PASS, Role};
use crate::{bans::Load, host::Host, program::Empty};

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

pub fn all() -> Vec<Contender> {
    let one = |name, role, set_up: fn(&Host, &Load) -> Result<Guard, String>| Contender {
        name,
        role,
        families: BOTH,
        bans_max: u32::MAX,
        nets: true,
        set_up: Box::new(set_up),
    };
    vec![
        one(NOTHING, Role::Pass, |_, _| Ok(guard(()))),
        one(PASS, Role::Pass, |host, _| Ok(empty(host, XDP_PASS))),
        one(LIMIT, Role::Drop, |host, _| Ok(empty(host, XDP_DROP))),
    ]
}

fn guard(held: impl std::any::Any) -> Guard {
    Guard { _held: Box::new(held), cost: None, octets: None }
}

fn empty(host: &Host, verdict: u32) -> Guard {
    let index = host.index();
    guard(host.run(move || Empty::new(verdict).attach(index)))
}
