//! The sections of a configuration, one function each: keys, bounds and defaults.

use super::{
    Advertise, ApiSection, Attach, BansSection, Cluster, Config, NodeSection, OnExit, STATE_DIR, ScanSection, Spoofable,
    StoreSection, TableKind, TrapLimits, XdpSection, dark, evidence, flood, honeytokens, judgement, problem::Placed,
    reader::Section, traps, values,
};
use honeymesh_node::{ALLOW_MAX, PROTECTED_PEERS_MAX};
use honeymesh_trap_proto::Persona;
use honeymesh_types::{ClusterName, Mode, NodeId, NodeName, Trust};
use honeymesh_xdp::{LOCAL_MAX, NETS_MAX};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The shortest and the longest time a ban may be told to last.
const TTL_BOUNDS: std::ops::RangeInclusive<Duration> = SECOND..=Duration::from_secs(365 * 86_400);
/// The longest interface name the kernel knows, in bytes.
const INTERFACE_BYTES_MAX: usize = 15;
/// The most clusters one node belongs to; each costs a socket and a set of records.
const CLUSTERS_MAX: usize = 16;
/// The most prefixes of `[allow] nets`: with whatever else is never banned they fit into the kernel's tables, so no configuration can order
/// a never-ban set that the kernel would not take.
pub(super) const ALLOW_NETS_MAX: usize = 32_768;
/// What else may be in the set: operators' prefixes, mesh peers, own addresses, and room for gateways, resolvers, operators and the probe.
const ALLOW_OTHERS_MAX: usize = ALLOW_MAX + PROTECTED_PEERS_MAX + LOCAL_MAX as usize + 4_096;
const _: () = assert!(ALLOW_NETS_MAX + ALLOW_OTHERS_MAX <= NETS_MAX as usize, "a configuration could order too much");
/// The port that `[api] listen` has unless given.
const API_PORT: u16 = 8443;

/// Everything, from the root table.
pub(super) fn config(root: &Section<'_, '_>, host_name: &str) -> Config {
    let node = node(root.section("node"), host_name);
    let shared = root.section("traps");
    Config {
        xdp: xdp(root.section("xdp")),
        scan: scan(root.section("scan")),
        bans: bans(root.section("bans")),
        allow: allow(root.section("allow")),
        traps: traps::traps(root),
        dark: dark::dark(&shared),
        flood: flood::flood(&shared),
        trap_limits: trap_limits(shared),
        honeytokens: honeytokens::honeytokens(root.section("honeytokens")),
        evidence: evidence::evidence(root.section("evidence")),
        clusters: clusters(root),
        judgement: judgement::judgement(root),
        api: api(root.section("api"), &node),
        store: store(root.section("store")),
        node,
    }
}

fn node(section: Section<'_, '_>, host_name: &str) -> NodeSection {
    let name = section.word::<NodeName>("name").map_or_else(|| default_name(&section, host_name), |name| name.value);
    let state_dir = path(&section, "state_dir").map_or_else(|| STATE_DIR.into(), |dir| dir.value);
    let mode = section.word::<Mode>("mode").unwrap_or(Placed::default_of(Mode::Enforce));
    let user = user(&section);
    section.finish();
    NodeSection { name, state_dir, mode, user }
}

/// The name of a user; whether there is such a one is known where it is needed.
fn user(section: &Section<'_, '_>) -> Option<Placed<String>> {
    section.text("user", |text| if text.is_empty() { Err("it is empty; leave it out".to_owned()) } else { Ok(text.to_owned()) })
}

/// The host name as a node name. Only a host without a usable name has to be told one.
fn default_name(section: &Section<'_, '_>, host_name: &str) -> NodeName {
    host_name.parse().unwrap_or_else(|error: honeymesh_types::NameError| {
        if !section.has("name") {
            let what = format!("[node] name: the host's name cannot stand in: {error}; write name = \"...\"");
            section.doc.error(section.place, what);
        }
        fallback_name()
    })
}

#[expect(clippy::expect_used, reason = "a literal that is a name, as the tests show; only used beside an error")]
fn fallback_name() -> NodeName {
    "unnamed".parse().expect("a name")
}

/// An absolute path: the daemon does not depend on the directory it was started in.
pub(super) fn path(section: &Section<'_, '_>, key: &'static str) -> Option<Placed<PathBuf>> {
    section.text(key, |text| match PathBuf::from(text) {
        path if path.is_absolute() && !text.contains('\0') => Ok(path),
        _ => Err(format!("`{text}` is no absolute path; write it from / on")),
    })
}

fn xdp(section: Section<'_, '_>) -> XdpSection {
    let interfaces = section.list("interfaces", interface).map_or_else(Vec::new, |list| list.value);
    let attaches =
        [("auto", Attach::Auto), ("native", Attach::Native), ("generic", Attach::Generic), ("nftables", Attach::Nftables)];
    let attach = choice(&section, "attach", &attaches);
    let on_exit = choice(&section, "on_exit", &[("hold", OnExit::Hold), ("release", OnExit::Release)]);
    let pin_dir = path(&section, "pin_dir").map_or_else(|| super::PIN_DIR.into(), |dir| dir.value);
    section.finish();
    XdpSection { interfaces, attach, on_exit, pin_dir }
}

fn interface(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'/' && byte != b':';
    // A star at the end stands for any end.
    let name = text.strip_suffix('*').unwrap_or(text);
    if text.is_empty() || text.len() > INTERFACE_BYTES_MAX || name.contains('*') || !name.bytes().all(allowed) {
        return Err(format!("`{text}` is no interface name; `ip link` lists them, and `veth*` stands for all that begin so"));
    }
    Ok(text.into())
}

/// One of `words`; the first is the default.
pub(super) fn choice<T: Copy>(section: &Section<'_, '_>, key: &'static str, words: &[(&str, T)]) -> T {
    placed_choice(section, key, words).value
}

/// The same with its place.
pub(super) fn placed_choice<T: Copy>(section: &Section<'_, '_>, key: &'static str, words: &[(&str, T)]) -> Placed<T> {
    let given = section.text(key, |text| {
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        let allowed = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join("|");
        found.ok_or_else(|| format!("`{text}` is not understood; write {}", allowed()))
    });
    given.unwrap_or(Placed::default_of(words[0].1))
}

fn scan(section: Section<'_, '_>) -> ScanSection {
    let words = [("dark", Spoofable::Dark), ("all", Spoofable::All), ("off", Spoofable::Off)];
    let scan = ScanSection {
        ports: number(&section, "ports", 1, 16, 3),
        window: duration(&section, "window", SECOND, DAY, 60 * SECOND),
        spoofable: placed_choice(&section, "spoofable", &words),
        budget: number(&section, "budget", 1, 1_000_000, 65_536),
        sources: number(&section, "sources", 1_024, 1 << 20, 65_536),
        udp: section.switch_or("udp", true),
        oracle: section.switch("oracle"),
    };
    section.finish();
    scan
}

fn bans(section: Section<'_, '_>) -> BansSection {
    let ttl = |key, default| section.duration(key, TTL_BOUNDS).map_or(default, |ttl| ttl.value);
    let usual = ttl("ttl", DAY);
    let max = number(&section, "max", 16, 10_000_000, 1_000_000);
    let bans = BansSection {
        ttl: usual,
        ttl_trap: ttl("ttl_trap", usual),
        ttl_scan: ttl("ttl_scan", usual),
        ttl_mesh: ttl("ttl_mesh", usual),
        ttl_spoofable: section.duration("ttl_spoofable", TTL_BOUNDS).unwrap_or(Placed::default_of(600 * SECOND)),
        max,
        max_v6: section.number("max_v6", 1..=max.into()).and_then(|given| u32::try_from(given.value).ok()),
        table: choice(&section, "table", &[("buckets", TableKind::Buckets), ("hash", TableKind::Hash)]),
    };
    section.finish();
    bans
}

fn allow(section: Section<'_, '_>) -> Vec<Placed<ipnet::IpNet>> {
    let mend = "write wider prefixes in their place, or leave out what need not be there";
    let nets = section.list_up_to("nets", ALLOW_NETS_MAX, mend, values::net).map_or_else(Vec::new, |nets| nets.value);
    section.finish();
    nets
}

fn trap_limits(section: Section<'_, '_>) -> TrapLimits {
    let limits = TrapLimits {
        sessions_max: number(&section, "sessions_max", 1, 100_000, 1_024),
        sessions_per_source_max: number(&section, "sessions_per_source_max", 1, 10_000, 16),
        capture_max: size(&section, "capture_max", 1 << 10, 1 << 20, 64 << 10),
        read_deadline: duration(&section, "read_deadline", SECOND, HOUR, 30 * SECOND),
        session_deadline: duration(&section, "session_deadline", SECOND, DAY, 300 * SECOND),
        delay_percent: number(&section, "delay_percent", 0, 100, 100),
        host: section.text("host", |text| match Persona::of([0; 32]).named(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(error) => Err(error.to_string()),
        }),
        user: user(&section),
    };
    section.finish();
    limits
}

fn clusters(root: &Section<'_, '_>) -> Vec<Cluster> {
    let sections = root.sections("cluster");
    if sections.len() > CLUSTERS_MAX {
        let place = sections[CLUSTERS_MAX].place;
        root.doc.error(place, format!("[[cluster]]: a node belongs to {CLUSTERS_MAX} clusters at most; remove some"));
    }
    sections.into_iter().filter_map(cluster).collect()
}

fn cluster(section: Section<'_, '_>) -> Option<Cluster> {
    let name = required(&section, "name", section.word::<ClusterName>("name"), "write name = \"primary_mesh\"");
    let listen = section.text("listen", values::listen).unwrap_or_else(|| Placed::default_of(any_v4(7946)));
    let advertise = section.text("advertise", advertise).map(|advertise| advertise.value);
    let join = section.list("join", values::remote).map_or_else(Vec::new, |list| list.value);
    let dial_out = dial_out(&section, &join, advertise.is_some());
    let guests_max = number(
        &section,
        "guests_max",
        0,
        honeymesh_mesh_proto::limits::GUESTS_MAX as u64,
        honeymesh_mesh_proto::limits::GUESTS_MAX,
    );
    let mend = "make one with `honeymesh key new FILE`";
    let key_file = required(&section, "key_file", path(&section, "key_file"), mend);
    let trust = section.word::<Trust>("trust").unwrap_or(Placed::default_of(Trust::Enforce));
    let quorum = judgement::quorum(&section);
    let slow = judgement::slow(&section, trust.value);
    let rate = number(&section, "rate", 1, 100_000, 1_000);
    let authority = section.text("authority", authority);
    let authority_file = path(&section, "authority_file");
    if let Some(file) = authority_file.as_ref().filter(|_| authority.is_none() && !section.has("authority")) {
        let what = "[[cluster]] authority_file: does nothing without authority; write the public half that `honeymesh authority new` printed";
        section.doc.error(file.place, what);
    }
    let owner = section.word::<NodeName>("owner").map(|owner| owner.value);
    let key_grace = duration(&section, "key_grace", SECOND, DAY, 300 * SECOND);
    section.finish();
    let join = join.into_iter().map(|addr| addr.value).collect();
    Some(Cluster {
        name: name?,
        listen,
        advertise,
        join,
        dial_out,
        guests_max,
        key_file: key_file?,
        trust,
        quorum,
        slow,
        rate,
        authority,
        authority_file,
        owner,
        key_grace,
    })
}

/// Nobody can call such a node: it has to know whom to call, and has no address of its own to tell.
fn dial_out(section: &Section<'_, '_>, join: &[Placed<SocketAddr>], is_advertised: bool) -> bool {
    let Some(given) = section.placed_switch("dial_out") else { return false };
    if given.value && join.is_empty() {
        let what = "[[cluster]] dial_out: needs join: a node that nobody can call must know whom to call; write join = [\"ADDRESS:PORT\"]";
        section.doc.error(given.place, what);
    }
    if given.value && is_advertised {
        let what =
            "[[cluster]] dial_out: contradicts advertise: others reach such a node through its relay; remove one of the two";
        section.doc.error(given.place, what);
    }
    given.value
}

fn authority(text: &str) -> Result<NodeId, String> {
    let bytes = crate::daemon::state_dir::unhex(text).and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(NodeId)
        .ok_or_else(|| "is not 64 hexadecimal digits; `honeymesh authority new FILE` makes an authority and prints them".into())
}

fn advertise(text: &str) -> Result<Advertise, String> {
    if let Ok(addr) = text.parse::<IpAddr>() {
        return match addr.is_unspecified() {
            true => Err(format!("`{text}` is no address of a machine; write the address that peers can reach")),
            false => Ok(Advertise { addr, port: None }),
        };
    }
    values::remote(text).map(|socket| Advertise { addr: socket.ip(), port: Some(socket.port()) })
}

/// A value that has no default: its absence is a problem at the section's head.
pub(super) fn required<T>(section: &Section<'_, '_>, key: &'static str, value: Option<T>, mend: &str) -> Option<T> {
    if value.is_none() && !section.has(key) {
        section.doc.error(section.place, format!("{}: is missing; {mend}", section.named(key)));
    }
    value
}

fn api(section: Section<'_, '_>, node: &NodeSection) -> ApiSection {
    let listen = section.text("listen", |text| if text == "off" { Ok(None) } else { values::listen(text).map(Some) });
    let listen = match listen {
        None => Some(Placed::default_of(SocketAddr::from((Ipv4Addr::LOCALHOST, API_PORT)))),
        Some(Placed { value, place }) => value.map(|value| Placed { value, place }),
    };
    let default_token = || Placed::default_of(node.state_dir.join("api.token"));
    let token_file = path(&section, "token_file").unwrap_or_else(default_token);
    section.finish();
    ApiSection { listen, token_file }
}

fn store(section: Section<'_, '_>) -> StoreSection {
    let store = StoreSection {
        events_max: section.number("events_max", 1_000..=1_000_000_000).map_or(1_000_000, |max| max.value),
        events_age: duration(&section, "events_age", HOUR, 3_650 * DAY, 90 * DAY),
        payloads_max: size(&section, "payloads_max", 1 << 20, 1 << 40, 256 << 20),
    };
    section.finish();
    store
}

fn any_v4(port: u16) -> SocketAddr {
    (Ipv4Addr::UNSPECIFIED, port).into()
}

fn number<T: TryFrom<u64>>(section: &Section<'_, '_>, key: &'static str, low: u64, high: u64, default: T) -> T {
    section.number(key, low..=high).and_then(|given| T::try_from(given.value).ok()).unwrap_or(default)
}

fn duration(section: &Section<'_, '_>, key: &'static str, low: Duration, high: Duration, default: Duration) -> Duration {
    section.duration(key, low..=high).map_or(default, |given| given.value)
}

fn size(section: &Section<'_, '_>, key: &'static str, low: u64, high: u64, default: usize) -> usize {
    let given = section.text(key, |text| {
        let bytes = values::size(text)?;
        if !(low..=high).contains(&bytes) {
            return Err(format!("`{text}` is out of range; write {}KiB to {}KiB", low >> 10, high >> 10));
        }
        usize::try_from(bytes).map_err(|_| format!("`{text}` does not fit this machine; write less"))
    });
    given.map_or(default, |given| given.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use std::path::Path;

    #[test]
    fn more_than_the_kernel_would_take_is_never_allowed_and_the_first_too_many_is_named() {
        let nets: String = (0..=ALLOW_NETS_MAX).map(|number| format!("\"10.0.{}.{}\",\n", number / 256, number % 256)).collect();
        let parsed = parse(&format!("[allow]\nnets = [\n{nets}]\n"), "h");
        let told: Vec<String> = parsed.problems.iter().map(|problem| problem.line(Path::new("h"))).collect();
        let expected = "h:32771:1: [allow] nets: has 32769 entries, 32768 at most are taken; write wider prefixes";
        assert!(!parsed.is_usable() && told[0].starts_with(expected), "{told:?}");
    }

    #[test]
    fn a_list_up_to_its_limit_is_read() {
        let read = |text: &str| {
            let (doc, table) = crate::config::reader::Document::parse(text);
            let root = Section::root(&doc, &table);
            let nets = root.list_up_to("nets", 2, "write fewer", values::net).map(|nets| nets.value.len());
            (nets, doc.into_problems().len())
        };
        assert_eq!(read("nets = [\"10.0.0.1\", \"10.0.0.2\"]"), (Some(2), 0));
        assert_eq!(read("nets = [\"10.0.0.1\", \"10.0.0.2\", \"x\"]"), (None, 1));
        assert_eq!(read("nets = 1"), (None, 1));
    }
}
