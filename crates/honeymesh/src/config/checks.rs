//! What only shows when sections are read together: addresses and names taken twice, and unsafe choices.

use super::{
    Cluster, Config, Dark, Spoofable, Trap, fits, judgement,
    problem::{Place, Placed},
    reader::Document,
};
use honeymesh_types::{Mode, Transport, Trust};
use std::{net::SocketAddr, time::Duration};

/// A forgeable ban that lasts longer than this deserves a warning.
const TTL_SPOOFABLE_SAFE_MAX: Duration = Duration::from_secs(3_600);
/// An allowed prefix this wide or wider deserves a warning: (IPv4, IPv6).
const ALLOW_WIDE: (u8, u8) = (7, 16);

/// Reports everything of that kind in `doc`.
pub(super) fn across(doc: &Document<'_>, config: &Config) {
    names(doc, config);
    addresses(doc, config);
    judgement::across(doc, config);
    warn_of_silence(doc, config);
    warn_of_forgery(doc, config);
    warn_of_exposure(doc, config);
    warn_of_lockdown(doc, config);
    fits::across(doc, config);
}

/// A start in lockdown is not on trial: nobody is there to confirm it.
fn warn_of_lockdown(doc: &Document<'_>, config: &Config) {
    if config.node.mode.value != Mode::Lockdown {
        return;
    }
    let place = config.node.mode.place;
    match config.allow.is_empty() {
        true => doc.warn(
            place,
            "[node] mode: a start in lockdown lets nobody connect from elsewhere while [allow] nets is empty; name your own addresses there",
        ),
        false => doc.warn(
            place,
            "[node] mode: a start in lockdown is not rolled back; write enforce and use `honeymesh mode lockdown` unless it is meant",
        ),
    }
}

fn names(doc: &Document<'_>, config: &Config) {
    let traps = config.traps.iter().map(|trap| (trap.name.value.clone(), trap.name.place));
    let dark = (config.dark.dark.value == Dark::Trap).then(|| (honeymesh_trap::DARK.to_owned(), config.dark.dark.place));
    once(doc, "[[trap]] name", dark.into_iter().chain(traps));
    let clusters = config.clusters.iter().map(|cluster| (cluster.name.value.to_string(), cluster.name.place));
    once(doc, "[[cluster]] name", clusters);
}

fn once(doc: &Document<'_>, key: &str, names: impl Iterator<Item = (String, Option<Place>)>) {
    let mut seen: Vec<(String, Option<Place>)> = Vec::new();
    for (name, place) in names {
        match seen.iter().find(|(earlier, _)| *earlier == name) {
            Some((_, first)) => {
                doc.error(place, format!("{key}: `{name}` is taken already{}; give each its own", at(*first)));
            }
            None => seen.push((name, place)),
        }
    }
}

/// A listening address with what listens there.
struct Taken {
    addr: SocketAddr,
    families: Families,
    place: Option<Place>,
    by: String,
}

/// What `[::]` means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Families {
    /// IPv6 only: traps.
    Apart,
    /// IPv4 too: the mesh and the API.
    Both,
}

fn addresses(doc: &Document<'_>, config: &Config) {
    let traps = config.traps.iter().flat_map(|trap| taken_by_trap(trap, Transport::Tcp));
    let api = config.api.listen.iter().map(|listen| taken(listen, Families::Both, "the API ([api] listen)".into()));
    apart(doc, traps.chain(api));
    let traps = config.traps.iter().flat_map(|trap| taken_by_trap(trap, Transport::Udp));
    let cluster = |cluster: &Cluster| taken(&cluster.listen, Families::Both, format!("cluster `{}`", cluster.name.value));
    apart(doc, traps.chain(config.clusters.iter().map(cluster)));
}

/// What a trap takes of one transport.
fn taken_by_trap(trap: &Trap, transport: Transport) -> impl Iterator<Item = Taken> {
    let listen = if trap.transports.contains(&transport) { trap.listen.as_slice() } else { &[] };
    listen.iter().map(|listen| taken(listen, Families::Apart, format!("trap `{}`", trap.name.value)))
}

fn taken(listen: &Placed<SocketAddr>, families: Families, by: String) -> Taken {
    Taken { addr: listen.value, families, place: listen.place, by }
}

fn apart(doc: &Document<'_>, all: impl Iterator<Item = Taken>) {
    let mut seen: Vec<Taken> = Vec::new();
    for later in all {
        if let Some(first) = seen.iter().find(|first| collide(first, &later)) {
            let (addr, by) = (later.addr, &later.by);
            let what = format!("{by} cannot listen on {addr}: {} has {}{}", first.by, first.addr, at(first.place));
            // The one that was written is the one to mend, even if it comes before a default.
            doc.error(later.place.or(first.place), format!("{what}; give each its own address or port"));
        }
        seen.push(later);
    }
}

/// Would the second bind fail? A wildcard takes the port on every address of its family, or of both.
fn collide(one: &Taken, other: &Taken) -> bool {
    let covers = |wide: &Taken, narrow: &Taken| {
        let same_family = wide.addr.is_ipv4() == narrow.addr.is_ipv4();
        wide.addr.ip().is_unspecified() && (same_family || (wide.addr.is_ipv6() && wide.families == Families::Both))
    };
    one.addr.port() == other.addr.port() && (one.addr.ip() == other.addr.ip() || covers(one, other) || covers(other, one))
}

fn at(place: Option<Place>) -> String {
    place.map_or_else(|| " by default".into(), |place| format!(" at line {}, column {}", place.line, place.column))
}

/// Choices under which attacks are seen less, or not stopped.
fn warn_of_silence(doc: &Document<'_>, config: &Config) {
    if config.node.mode.value == Mode::Observe {
        doc.warn(config.node.mode.place, "[node] mode: observe drops nothing; write enforce once you trust what it shows");
    }
    let dark_ports = config.dark.dark.value;
    if let Some(except) = config.dark.except.first().filter(|_| dark_ports == Dark::Refuse) {
        doc.warn(
            except.place,
            "[traps] except: dark ports refuse in any case; write dark = \"trap\" or \"silent\", or leave it out",
        );
    }
    if config.traps.is_empty() && dark_ports != Dark::Trap {
        doc.warn(None, "no [[trap]]: only scans are seen, and a scan alone never earns a full ban; add a trap");
    }
    for net in &config.allow {
        let wide = if net.value.addr().is_ipv4() { ALLOW_WIDE.0 } else { ALLOW_WIDE.1 };
        if net.value.prefix_len() <= wide {
            let what = format!("[allow] nets: nobody in {} can ever be banned; write a narrower prefix", net.value);
            doc.warn(net.place, what);
        }
    }
}

/// Choices under which a forged packet could harm an innocent.
fn warn_of_forgery(doc: &Document<'_>, config: &Config) {
    let scan = &config.scan;
    if scan.spoofable.value == Spoofable::All {
        let allow = if config.allow.is_empty() { ", and [allow] nets is empty" } else { "" };
        let what = "[scan] spoofable: `all` lets anybody who forges a source lock that source out";
        doc.warn(scan.spoofable.place, format!("{what}{allow}; write dark, or allow everybody you cannot lose"));
    }
    if scan.oracle && scan.spoofable.value != Spoofable::Dark {
        let what = "[scan] oracle: does nothing unless spoofable is `dark`: it weighs how silenced sources react";
        doc.warn(scan.spoofable.place, format!("{what}; write dark, or leave oracle out"));
    }
    if config.bans.ttl_spoofable.value > TTL_SPOOFABLE_SAFE_MAX {
        let what = "[bans] ttl_spoofable: evidence that may be forged should not bind for more than an hour; write less";
        doc.warn(config.bans.ttl_spoofable.place, what);
    }
}

/// Choices that open a door.
fn warn_of_exposure(doc: &Document<'_>, config: &Config) {
    if let Some(listen) = config.api.listen.as_ref().filter(|listen| !listen.value.ip().to_canonical().is_loopback()) {
        let what = format!("[api] listen: {} can be reached from other machines", listen.value);
        doc.warn(listen.place, format!("{what}; write 127.0.0.1:{} and go through ssh or a VPN", listen.value.port()));
    }
    for cluster in &config.clusters {
        if cluster.trust.value == Trust::Override {
            let what = "[[cluster]] trust: `override` lets peers lift this node's own bans; write enforce unless you mean it";
            doc.warn(cluster.trust.place, what);
        }
    }
}
