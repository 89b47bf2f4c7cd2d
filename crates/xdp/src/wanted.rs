//! Which interfaces are to be guarded: names, and patterns such as `veth*`.

use crate::netlink::{Netlink, Seen};
use std::io;

/// The most interfaces that are guarded at once. Those that come later are left out until one goes.
pub const INTERFACES_MAX: usize = 256;

/// Does `wanted` stand for every name that begins with what is before its `*`?
pub(crate) fn is_pattern(wanted: &str) -> bool {
    wanted.ends_with('*')
}

/// Does `wanted` mean the interface `name`?
pub(crate) fn means(wanted: &str, name: &str) -> bool {
    wanted.strip_suffix('*').map_or(wanted == name, |prefix| name.starts_with(prefix))
}

/// What there is of what is wanted, each once: a name (or a pattern that nothing fits), and what is there.
pub(crate) fn find(netlink: &Netlink, wanted: &[String]) -> io::Result<Vec<(String, Option<Seen>)>> {
    let all = if wanted.iter().any(|wanted| is_pattern(wanted)) { netlink.all()? } else { Vec::new() };
    let mut found: Vec<(String, Option<Seen>)> = Vec::new();
    for wanted in wanted {
        let here: Vec<Seen> = match is_pattern(wanted) {
            true => all.iter().filter(|seen| means(wanted, &seen.name)).cloned().collect(),
            false => netlink.named(wanted)?.into_iter().collect(),
        };
        if here.is_empty() {
            found.push((wanted.clone(), None));
        }
        for seen in here {
            // An interface that has two names is guarded once.
            if found.iter().all(|(_, known)| known.as_ref().is_none_or(|known| known.index != seen.index)) {
                // Under the name that was asked for: the kernel also answers to an alternative one.
                let name = if is_pattern(wanted) { seen.name.clone() } else { wanted.clone() };
                found.push((name, Some(seen)));
            }
        }
    }
    found.truncate(INTERFACES_MAX);
    Ok(found)
}

/// Kinds of interface that take their members' packets to the network stack as their own.
const MASTERS: [&str; 3] = ["bridge", "bond", "team"];
/// The kind that takes those with a tag from the interface below it.
const VLAN: &str = "vlan";
/// How often what stands on top of what stands on top is looked for: VLANs on a bond that is a bridge's member.
const STOREYS_MAX: usize = 4;

/// The interfaces by which packets of the guarded ones may come to the network stack: those themselves, and what stands on top.
pub(crate) fn carriers(all: &[Seen], guarded: &[u32]) -> Vec<String> {
    let mut indices = guarded.to_vec();
    for _ in 0..STOREYS_MAX {
        let carries = |seen: &&Seen| !indices.contains(&seen.index) && is_on_top(seen, all, &indices);
        let more: Vec<u32> = all.iter().filter(carries).map(|seen| seen.index).collect();
        indices.extend(more);
    }
    all.iter().filter(|seen| indices.contains(&seen.index)).map(|seen| seen.name.clone()).collect()
}

fn is_on_top(seen: &Seen, all: &[Seen], below: &[u32]) -> bool {
    if seen.kind == VLAN {
        return seen.lower.is_some_and(|lower| below.contains(&lower));
    }
    let has_member = || all.iter().any(|member| member.master == Some(seen.index) && below.contains(&member.index));
    MASTERS.contains(&seen.kind.as_str()) && has_member()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_end() {
        assert!(means("veth*", "veth0") && means("veth*", "veth") && means("*", "eth0"));
        assert!(!means("veth*", "eth0") && !means("veth", "veth0") && means("veth0", "veth0"));
    }

    #[test]
    fn what_is_there_is_found_once_and_what_is_not_is_named() {
        let found = find(&Netlink::open().unwrap(), &["l*".into(), "lo".into(), "nope*".into(), "nope0".into()]).unwrap();
        let told: Vec<_> = found.iter().map(|(name, seen)| (name.as_str(), seen.is_some())).collect();
        assert_eq!(told, [("lo", true), ("nope*", false), ("nope0", false)]);
    }

    #[test]
    fn bridges_bonds_and_vlans_on_top_carry_and_tunnels_and_neighbours_do_not() {
        let one = |name: &str, index, kind: &str, lower, master| Seen {
            name: name.into(),
            index,
            kind: kind.into(),
            lower,
            master,
            ..Seen::default()
        };
        let all = [
            one("lo", 1, "", None, None),
            one("eth0", 2, "", None, Some(4)),
            one("eth1", 3, "", None, Some(5)),
            one("bond0", 4, "bond", None, None),
            one("br1", 5, "bridge", None, None),
            one("bond0.7", 6, "vlan", Some(4), Some(7)),
            one("br7", 7, "bridge", None, None),
            one("gre1", 8, "gre", Some(2), None),
            one("eth1.9", 9, "vlan", Some(3), None),
        ];
        assert_eq!(carriers(&all, &[2]), ["eth0", "bond0", "bond0.7", "br7"]);
        assert_eq!(carriers(&all, &[1]), ["lo"]);
        assert_eq!(carriers(&all, &[]), [""; 0]);
    }
}
