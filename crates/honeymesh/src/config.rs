//! The configuration: TOML in, a complete and checked [`Config`] out, or every problem with its line and column.
//!
//! Parsing is pure: [`parse`] sees a text and a host name and nothing else. What needs the machine (the file itself,
//! key and token files) is in [`load`] and [`secrets`].

mod checks;
mod dark;
mod evidence;
mod files;
mod fits;
mod flood;
mod honeytokens;
mod judgement;
pub mod problem;
mod reader;
pub mod secrets;
mod sections;
mod traps;
pub mod values;
pub mod walk;

use honeymesh_types::{ClusterName, Mode, NodeId, NodeName, Trust};
use ipnet::IpNet;
use problem::{Placed, Problem, Severity};
use reader::{Document, Section};
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

pub use dark::{Dark, DarkPorts};
pub use evidence::{EvidenceSection, load_with_rules};
pub use files::{load, read};
pub use flood::{Flood, FloodSection};
pub use honeytokens::HoneytokensSection;
pub use judgement::Judgement;
pub use traps::Trap;

/// Where the daemon looks when `--config` is not given.
pub const CONFIG_FILE: &str = "/etc/honeymesh/honeymesh.toml";
/// Where state is kept when the configuration does not say.
pub const STATE_DIR: &str = "/var/lib/honeymesh";
/// Where the kernel's tables and links are pinned if nobody says otherwise.
pub const PIN_DIR: &str = "/sys/fs/bpf/honeymesh";
/// The control socket's name in the state directory.
pub const CONTROL_SOCKET: &str = "honeymesh.sock";
/// The largest configuration file that is read, in bytes; a larger one is refused.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Everything the daemon is told. Every value is within its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[node]`.
    pub node: NodeSection,
    /// `[xdp]`.
    pub xdp: XdpSection,
    /// `[scan]`.
    pub scan: ScanSection,
    /// `[bans]`.
    pub bans: BansSection,
    /// `[allow] nets`: never banned, whoever says so.
    pub allow: Vec<Placed<IpNet>>,
    /// `[[trap]]`, in the order of the file.
    pub traps: Vec<Trap>,
    /// `[traps]`: what ports do that nobody serves.
    pub dark: DarkPorts,
    /// `[traps]`: what happens when connections to dark ports are many.
    pub flood: FloodSection,
    /// `[traps]`: limits that all traps share.
    pub trap_limits: TrapLimits,
    /// `[honeytokens]`.
    pub honeytokens: HoneytokensSection,
    /// `[evidence]`.
    pub evidence: EvidenceSection,
    /// `[[cluster]]`, in the order of the file.
    pub clusters: Vec<Cluster>,
    /// `[[peer]]`, `[canary]` and `[[bridge]]`.
    pub judgement: Judgement,
    /// `[api]`.
    pub api: ApiSection,
    /// `[store]`.
    pub store: StoreSection,
}

/// `[node]`: who this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSection {
    /// Its name; the host name unless given.
    pub name: NodeName,
    /// Database, identity key, control socket.
    pub state_dir: PathBuf,
    /// The mode at start, unless an operator changed it at run time.
    pub mode: Placed<Mode>,
    /// Whom the daemon becomes once it is up.
    pub user: Option<Placed<String>>,
}

/// How the kernel holds exact bans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// `buckets`
    Buckets,
    /// `hash`
    Hash,
}

/// How the kernel program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// Native where the driver can, generic else, nf_tables where there is no XDP at all.
    Auto,
    /// Native or nothing.
    Native,
    /// Generic everywhere.
    Generic,
    /// No XDP: nf_tables drops.
    Nftables,
}

/// What happens to the kernel's entries when the daemon ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// They stay and end at their own deadlines.
    Hold,
    /// They go with the daemon.
    Release,
}

/// `[xdp]`: where and how packets are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XdpSection {
    /// The interfaces; empty means the default route's.
    pub interfaces: Vec<Placed<String>>,
    /// Native or generic.
    pub attach: Attach,
    /// Hold or release.
    pub on_exit: OnExit,
    /// Where maps and links are pinned.
    pub pin_dir: PathBuf,
}

/// What a scan that might be forged earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoofable {
    /// Silence on dark ports.
    Dark,
    /// A full ban: dangerous, because the source may be forged.
    All,
    /// Nothing.
    Off,
}

/// `[scan]`: what counts as a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanSection {
    /// Distinct dark ports from one source, 1 to 16.
    pub ports: u8,
    /// Within this time.
    pub window: Duration,
    /// What it earns.
    pub spoofable: Placed<Spoofable>,
    /// How many such bans may be in force at once.
    pub budget: u32,
    /// How many probing sources the kernel remembers at once, 1,024 to 1,048,576.
    pub sources: u32,
    /// Whether datagrams to dark ports count.
    pub udp: bool,
    /// Whether a keyed half of the dark ports goes on answering silenced sources, so that their reactions prove them.
    pub oracle: bool,
}

/// `[bans]`: how long bans last and how many there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BansSection {
    /// For reasons without a time of their own: manual bans.
    pub ttl: Duration,
    /// For whoever touched a trap.
    pub ttl_trap: Duration,
    /// For a proven scan.
    pub ttl_scan: Duration,
    /// The longest time a peer's record is believed.
    pub ttl_mesh: Duration,
    /// For evidence that might be forged.
    pub ttl_spoofable: Placed<Duration>,
    /// Exact IPv4 bans the kernel table holds.
    pub max: u32,
    /// Exact IPv6 (/64) bans; `None`: what [`honeymesh_xdp::Options::v6_bans`] makes of `max`.
    pub max_v6: Option<u32>,
    /// How the kernel holds exact bans.
    pub table: TableKind,
}

/// `[traps]`: limits that all traps share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrapLimits {
    /// Sessions at once.
    pub sessions_max: usize,
    /// Sessions at once from one source.
    pub sessions_per_source_max: usize,
    /// Bytes kept of what one stranger sends in one session.
    pub capture_max: usize,
    /// How long a stranger may stay silent.
    pub read_deadline: Duration,
    /// How long a session may last.
    pub session_deadline: Duration,
    /// How much of a real server's wait is kept before an answer, of a hundred.
    pub delay_percent: u8,
    /// What the machine calls itself that the traps pretend to be, with its domain or without; `None`: made up.
    pub host: Option<Placed<String>>,
    /// Whom the process becomes that plays them; `None`: `honeymesh-trap`, or `nobody`.
    pub user: Option<Placed<String>>,
}

/// `[[cluster]]`: one mesh this node belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its name, the same on every member.
    pub name: Placed<ClusterName>,
    /// The UDP address to receive on.
    pub listen: Placed<SocketAddr>,
    /// The address peers shall send to; `None`: found out from `listen` or from the machine's own addresses.
    pub advertise: Option<Advertise>,
    /// Members to knock at.
    pub join: Vec<SocketAddr>,
    /// Nobody can reach this node: it takes part through relays, which it calls.
    pub dial_out: bool,
    /// For how many such nodes this one is a relay.
    pub guests_max: usize,
    /// The shared key.
    pub key_file: Placed<PathBuf>,
    /// What its records may do here.
    pub trust: Placed<Trust>,
    /// How many owners must agree where its records may only corroborate, and within which time.
    pub quorum: honeymesh_node::Quorum,
    /// When touches of dark ports of several nodes are a scan; `None`: they are not exchanged.
    pub slow: Option<honeymesh_node::SlowPolicy>,
    /// Records per second that are taken from one origin.
    pub rate: u32,
    /// The public key of the cluster's authority; `None`: whoever has the key is a member.
    pub authority: Option<Placed<NodeId>>,
    /// The authority's secret, where nodes are let in from.
    pub authority_file: Option<Placed<PathBuf>>,
    /// Who runs this node, for the certificate it gives itself where the secret is; `None`: its name.
    pub owner: Option<NodeName>,
    /// How long every member has for each step of a change of keys.
    pub key_grace: Duration,
}

/// What to advertise: an address, and another port if a port mapping stands in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertise {
    /// The address peers can reach.
    pub addr: IpAddr,
    /// The port; `None`: the port that is listened on.
    pub port: Option<u16>,
}

/// `[api]`: the HTTPS door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiSection {
    /// Where it listens; `None`: switched off with `listen = "off"`.
    pub listen: Option<Placed<SocketAddr>>,
    /// The bearer token; made at the first start if the file is absent.
    pub token_file: Placed<PathBuf>,
}

/// `[store]`: how much of the past is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSection {
    /// Events at most.
    pub events_max: u64,
    /// No event older than this.
    pub events_age: Duration,
    /// Bytes of different payloads that are kept.
    pub payloads_max: usize,
}

impl Config {
    /// The control socket's path.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.node.state_dir.join(CONTROL_SOCKET)
    }
}

/// What came of a text: a configuration that is only to be used if [`Parsed::is_usable`], and every problem.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The configuration, with defaults in the place of what was wrong.
    pub config: Config,
    /// Errors and warnings in the order of the file.
    pub problems: Vec<Problem>,
    /// Does the text tell where the pins are, or by saying nothing that they are where they are by default, whatever else is wrong with it?
    pub tells_pins: bool,
}

impl Parsed {
    /// Is there no error among the problems?
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity == Severity::Warning)
    }
}

/// Reads a configuration from its text. `host_name` names the node if the text does not.
#[must_use]
pub fn parse(text: &str, host_name: &str) -> Parsed {
    let (doc, table) = Document::parse(text);
    let is_toml = doc.is_clean();
    let root = Section::root(&doc, &table);
    let config = sections::config(&root, host_name);
    checks::across(&doc, &config);
    root.finish();
    let tells_pins = match reader::text_at(&table, "xdp", "pin_dir") {
        Some(text) => text.is_ok_and(|text| Path::new(text) == config.xdp.pin_dir),
        None => is_toml,
    };
    Parsed { config, problems: doc.into_problems(), tells_pins }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        parse(text, "host-1").problems.iter().map(|problem| problem.line(Path::new("h"))).collect()
    }

    /// Problems that are not the warning about a node without a trap.
    fn told(text: &str) -> Vec<String> {
        lines(text).into_iter().filter(|line| !line.contains("no [[trap]]")).collect()
    }

    #[test]
    fn an_empty_file_runs_a_single_node() {
        let parsed = parse("", "host-1");
        assert!(parsed.is_usable(), "{:?}", parsed.problems);
        let config = parsed.config;
        assert_eq!((config.node.name.as_str(), config.node.mode.value), ("host-1", Mode::Enforce));
        assert_eq!(config.control_socket(), Path::new("/var/lib/honeymesh/honeymesh.sock"));
        assert!(config.xdp.interfaces.is_empty() && config.clusters.is_empty() && config.traps.is_empty());
        assert_eq!((config.scan.ports, config.scan.window), (3, Duration::from_secs(60)));
        assert_eq!((config.scan.sources, config.scan.udp, config.scan.oracle), (65_536, true, false));
        assert_eq!((config.bans.ttl, config.bans.max), (Duration::from_secs(86_400), 1_000_000));
        assert_eq!(config.api.listen.unwrap().value.to_string(), "127.0.0.1:8443");
        assert_eq!(config.api.token_file.value, Path::new("/var/lib/honeymesh/api.token"));
    }

    #[test]
    fn the_contracts_example_is_understood_without_a_word() {
        let example = r#"
            [node]
            name = "edge-1"
            state_dir = "/var/lib/honeymesh"
            mode = "enforce"
            [xdp]
            interfaces = ["eth0"]
            attach = "auto"
            on_exit = "hold"
            [scan]
            ports = 3
            window = "60s"
            spoofable = "dark"
            [bans]
            ttl = "24h"
            max = 1000000
            [allow]
            nets = ["10.0.0.0/8"]
            [[trap]]
            name = "ssh"
            service = "ssh"
            listen = ["0.0.0.0:2222"]
            [[cluster]]
            name = "primary_mesh"
            listen = "0.0.0.0:7946"
            join = ["192.0.2.10:7946"]
            key_file = "/etc/honeymesh/primary_mesh.key"
            trust = "enforce"
            [api]
            listen = "127.0.0.1:8443"
            token_file = "/etc/honeymesh/api.token"
        "#;
        assert_eq!(lines(example), [""; 0]);
        let config = parse(example, "").config;
        assert_eq!(config.clusters[0].join, ["192.0.2.10:7946".parse().unwrap()]);
        assert_eq!(config.traps[0].definition.service, "ssh");
    }

    #[test]
    fn every_problem_is_named_with_its_place_and_its_mend() {
        let table = [
            ("[node]\nnmae = \"a\"", "h:2:1: unknown key `nmae` in [node]; the nearest known one is `name`"),
            ("[nodes]\n", "h:1:2: unknown key `nodes` in the top level; the nearest known one is `node`"),
            ("[node]\nname = \"a b\"", "h:2:8: [node] name: `a b` is no name: 1 to 63 of the characters"),
            ("[node]\nstate_dir = \"x\"", "h:2:13: [node] state_dir: `x` is no absolute path; write it from / on"),
            ("[node]\nmode = \"on\"", "h:2:8: [node] mode: `on` is not one of observe|enforce|lockdown"),
            ("[xdp]\nattach = \"fast\"", "h:2:10: [xdp] attach: `fast` is not understood; write auto|native|generic|nftables"),
            ("[xdp]\ninterfaces = \"eth0\"", "h:2:14: [xdp] interfaces: is a text; write a list"),
            ("[xdp]\ninterfaces = [\"v*th\"]", "h:2:15: [xdp] interfaces: `v*th` is no interface name"),
            ("[xdp]\ninterfaces = [\"a/b\"]", "h:2:15: [xdp] interfaces: `a/b` is no interface name"),
            ("[scan]\nports = 17", "h:2:9: [scan] ports: 17 is out of range; write a whole number from 1 to 16"),
            ("[scan]\nports = 0", "h:2:9: [scan] ports: 0 is out of range"),
            ("[scan]\nwindow = 60", "h:2:10: [scan] window: is a whole number; write a text in quotes"),
            ("[scan]\nwindow = \"60\"", "h:2:10: [scan] window: `60` is no duration; write a whole number and a unit"),
            ("[scan]\nwindow = \"25h\"", "h:2:10: [scan] window: `25h` is out of range; write a duration from 1s to"),
            ("[scan]\nsources = 1000", "h:2:11: [scan] sources: 1000 is out of range; write a whole number from 1024 to 1048576"),
            ("[scan]\nudp = \"on\"", "h:2:7: [scan] udp: is a text; write true or false"),
            ("[scan]\norcale = true", "h:2:1: unknown key `orcale` in [scan]; the nearest known one is `oracle`"),
            ("[bans]\nttl = \"0s\"", "h:2:7: [bans] ttl: `0s` is out of range; write a duration from 1s to 365d"),
            (
                "[bans]\nmax = 1000\nmax_v6 = 1001",
                "h:3:10: [bans] max_v6: 1001 is out of range; write a whole number from 1 to 1000",
            ),
            (
                "[[cluster]]\nname = \"m\"\nkey_file = \"/k\"\ndial_out = true",
                "h:4:12: [[cluster]] dial_out: needs join: a node that nobody can call must know whom to call; write join =",
            ),
            (
                "[[cluster]]\nname = \"m\"\nkey_file = \"/k\"\njoin = [\"192.0.2.1:1\"]\nadvertise = \"192.0.2.2\"\ndial_out = true",
                "h:6:12: [[cluster]] dial_out: contradicts advertise: others reach such a node through its relay; remove one",
            ),
            (
                "[[cluster]]\nname = \"m\"\nkey_file = \"/k\"\nguests_max = 33",
                "h:4:14: [[cluster]] guests_max: 33 is out of range; write a whole number from 0 to 32",
            ),
            ("[bans]\ntable = \"tree\"", "h:2:9: [bans] table: `tree` is not understood; write buckets|hash"),
            ("[bans]\nmax = 99999999", "h:2:7: [bans] max: 99999999 is out of range"),
            ("[allow]\nnets = [\"10.0.0.1/8\"]", "h:2:9: [allow] nets: `10.0.0.1/8` has host bits set; write 10.0.0.0/8"),
            ("[allow]\nnets = [\n\"x\"]", "h:3:1: [allow] nets: `x` is neither an IP address nor a prefix"),
            ("[[trap]]\nname = \"a\"\nlisten = [\"0.0.0.0:1\"]", "h:1:1: [[trap]] service: is missing; write one of ssh|"),
            ("[api]\nlisten = \"localhost:8443\"", "h:2:10: [api] listen: `localhost:8443` is no address with a port"),
            ("[[cluster]]\nname = \"m\"", "h:1:1: [[cluster]] key_file: is missing; make one with `honeymesh key new FILE`"),
            ("[traps]\ncapture_max = \"1GiB\"", "h:2:15: [traps] capture_max: `1GiB` is out of range; write 1KiB to 1024KiB"),
            ("[traps]\ndark = \"on\"", "h:2:8: [traps] dark: `on` is not understood; write refuse|silent|trap"),
            (
                "[traps]\ndark = \"trap\"\nexcept = [0]",
                "h:3:11: [traps] except: 0 is out of range; write a whole number from 1 to 65535",
            ),
            (
                "[traps]\ndark = \"trap\"\nexcept = [25, \"9-1\"]",
                "h:3:15: [traps] except: `9-1` is no port and no range of ports;",
            ),
            ("[traps]\ndark = \"trap\"\nexcept = 25", "h:3:10: [traps] except: is a whole number; write a list"),
            ("[traps]\nflood = \"syn\"", "h:2:9: [traps] flood: `syn` is not understood; write cookie|off"),
            (
                "[traps]\nflood_syns_per_second = 0",
                "h:2:25: [traps] flood_syns_per_second: 0 is out of range; write a whole number from 1",
            ),
            ("[store]\nevents_age = \"1s\"", "h:2:14: [store] events_age: `1s` is out of range"),
        ];
        for (text, expected) in table {
            let told = told(text);
            assert!(told.len() == 1 && told[0].starts_with(expected), "{text:?}\n expected {expected}\n told {told:#?}");
            assert!(!parse(text, "host-1").is_usable(), "{text}");
        }
    }

    #[test]
    fn all_problems_come_at_once_and_in_the_order_of_the_file() {
        let told = told("[scan]\nports = 0\nwimdow = \"1s\"\n[allow]\nnets = [\"x\", \"10.0.0.0/8\", \"y\"]\n");
        assert_eq!(told.len(), 4, "{told:#?}");
        assert!(told[0].starts_with("h:2:9") && told[1].starts_with("h:3:1") && told[3].starts_with("h:5:28"), "{told:#?}");
    }

    #[test]
    fn an_address_taken_twice_names_both_places() {
        let trap =
            |name: &str, listen: &str| format!("[[trap]]\nname = \"{name}\"\nservice = \"ftp\"\nlisten = [\"{listen}\"]\n");
        let two = |one: &str, other: &str| told(&(trap("a", one) + &trap("b", other)));
        let expected = "h:8:11: trap `b` cannot listen on 0.0.0.0:21: trap `a` has 0.0.0.0:21 at line 4, column 11;";
        assert!(two("0.0.0.0:21", "0.0.0.0:21")[0].starts_with(expected));
        let table = [
            ("0.0.0.0:21", "127.0.0.1:21", true),
            ("127.0.0.1:21", "0.0.0.0:21", true),
            ("127.0.0.1:21", "127.0.0.2:21", false),
            ("0.0.0.0:21", "[::]:21", false),
            ("0.0.0.0:21", "0.0.0.0:22", false),
            ("127.0.0.1:8443", "0.0.0.0:22", true),
            ("[::]:8443", "0.0.0.0:22", false),
        ];
        for (one, other, collides) in table {
            assert_eq!(two(one, other).len(), usize::from(collides), "{one} {other}: {:?}", two(one, other));
        }
        let api = "[api]\nlisten = \"[::]:21\"\n";
        assert!(
            told(&(trap("a", "0.0.0.0:21") + api))
                .iter()
                .any(|line| line.contains("the API ([api] listen) cannot listen on [::]:21"))
        );
        assert!(told(&(trap("a", "0.0.0.0:1") + &trap("a", "0.0.0.0:2")))[0].contains("`a` is taken already at line 2"));
    }

    #[test]
    fn an_address_is_taken_for_each_transport_apart() {
        let trap = |name: &str, service: &str, more: &str| {
            format!("[[trap]]\nname = \"{name}\"\nservice = \"{service}\"\nlisten = [\"0.0.0.0:7946\"]\n{more}")
        };
        let count = |text: &str| told(text).iter().filter(|line| line.contains("cannot listen on 0.0.0.0:7946")).count();
        let cluster = "[[cluster]]\nname = \"m\"\nkey_file = \"/k\"\nlisten = \"0.0.0.0:7946\"\n";
        assert_eq!(count(&(trap("a", "ftp", "") + &trap("b", "ntp", ""))), 0);
        assert_eq!(count(&(trap("a", "ftp", "") + &trap("b", "sip", ""))), 1);
        assert_eq!(count(&(trap("a", "ntp", "") + &trap("b", "sip", "transport = \"tcp\"\n"))), 0);
        assert_eq!((count(&(trap("a", "ftp", "") + cluster)), count(&(trap("a", "tftp", "") + cluster))), (0, 1));
        let wrong = told(&trap("a", "ftp", "transport = \"udp\"\n"));
        assert!(wrong[0].contains("[[trap]] service: service `ftp` is spoken over tcp only; leave `transport` out"), "{wrong:?}");
    }

    #[test]
    fn dark_ports_refuse_unless_told_and_ports_and_ranges_are_excepted() {
        let usual = parse("", "host-1").config.dark;
        assert_eq!((usual.dark.value, usual.except.len()), (Dark::Refuse, 0));
        let text = "[traps]\ndark = \"trap\"\nexcept = [25, \"6000-6063\", \"443\"]\nsessions_max = 9\n";
        assert_eq!(lines(text), [""; 0], "and no other trap is needed");
        let config = parse(text, "host-1").config;
        let except: Vec<_> = config.dark.except.into_iter().map(|ports| ports.value).collect();
        assert_eq!((config.dark.dark.value, except), (Dark::Trap, vec![25..=25, 6_000..=6_063, 443..=443]));
        assert_eq!(config.trap_limits.sessions_max, 9);
        let named = "[[trap]]\nname = \"dark\"\nservice = \"ftp\"\nlisten = [\"0.0.0.0:21\"]\n";
        assert_eq!(told(named), [""; 0]);
        assert!(told(&(named.to_owned() + text))[0].contains("`dark` is taken already at line 6, column 8"));
    }

    #[test]
    fn a_node_without_a_usable_host_name_has_to_be_told_one() {
        assert!(!parse("", "my host").is_usable());
        assert!(parse("[node]\nname = \"edge-1\"", "my host").is_usable());
        assert_eq!(parse("[node]\nname = \"a b\"", "my host").problems.iter().filter(|p| p.place.is_some()).count(), 1);
    }

    #[test]
    fn unsafe_choices_are_warnings() {
        let cluster = "[[cluster]]\nname = \"m\"\nkey_file = \"/k\"\ntrust = \"override\"";
        let table = [
            ("[node]\nmode = \"observe\"", "h:2:8: warning: [node] mode: observe drops nothing"),
            ("[node]\nmode = \"lockdown\"", "h:2:8: warning: [node] mode: a start in lockdown lets nobody connect"),
            (
                "[node]\nmode = \"lockdown\"\n[allow]\nnets = [\"192.0.2.0/24\"]",
                "h:2:8: warning: [node] mode: a start in lockdown is not",
            ),
            ("[api]\nlisten = \"0.0.0.0:8443\"", "h:2:10: warning: [api] listen: 0.0.0.0:8443 can be reached from other"),
            (
                "[scan]\noracle = true\nspoofable = \"off\"",
                "h:3:13: warning: [scan] oracle: does nothing unless spoofable is `dark`",
            ),
            ("[scan]\nspoofable = \"all\"", "h:2:13: warning: [scan] spoofable: `all` lets anybody who forges a source"),
            ("[bans]\nttl_spoofable = \"2h\"", "h:2:17: warning: [bans] ttl_spoofable:"),
            ("[allow]\nnets = [\"0.0.0.0/0\"]", "h:2:9: warning: [allow] nets: nobody in 0.0.0.0/0 can ever be banned"),
            ("[traps]\nexcept = [25]", "h:2:11: warning: [traps] except: dark ports refuse in any case; write dark = \"trap\""),
            (cluster, "h:4:9: warning: [[cluster]] trust: `override` lets peers"),
        ];
        for (text, expected) in table {
            let told = told(text);
            assert!(told.len() == 1 && told[0].starts_with(expected), "{text:?}: {told:#?}");
            assert!(parse(text, "host-1").is_usable());
        }
        assert!(lines("").iter().any(|line| line.contains("no [[trap]]")));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic_and_every_place_is_in_the_text(text in "(\\[{1,2}(node|xdp|scan|trap|trap.rule|cluster|api)\\]{1,2}|[a-z_]{1,9} ?= ?|\"|[0-9]{1,3}|\\[|\\]|,|\n|[ -~]|ä){0,40}") {
            let parsed = parse(&text, "host-1");
            let lines = text.split('\n').count();
            for problem in &parsed.problems {
                proptest::prop_assert!(problem.line(Path::new("h")).lines().count() == 1);
                proptest::prop_assert!(problem.place.is_none_or(|place| place.line as usize <= lines && place.column > 0));
            }
        }
    }

    #[test]
    fn a_scripted_trap_takes_a_banner_and_rules() {
        let text = r#"
            [[trap]]
            name = "redis"
            service = "script"
            listen = ["0.0.0.0:6379", "[::]:6379"]
            otherwise = "-ERR unknown command\r\n"
            [[trap.rule]]
            expect = "PING"
            answer = "+PONG\r\n"
            [[trap.rule]]
            expect = "CONFIG SET"
            hostile = true
            close = true
        "#;
        assert_eq!(lines(text), [""; 0]);
        let wrong = text.replace("hostile = true", "hostile = 1\nhostlie = true");
        let told = told(&wrong);
        assert!(told[0].contains("[[trap.rule]] hostile: is a whole number; write true or false"), "{told:?}");
        assert!(told[1].contains("unknown key `hostlie` in [[trap.rule]]; the nearest known one is `hostile`"), "{told:?}");
    }
}
