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
}
