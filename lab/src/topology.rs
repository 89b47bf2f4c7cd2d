//! The lab's hosts: who there is, at which addresses, and how they are joined.

use crate::{
    config::NodeConfig,
    estate::Estate,
    namespace::Namespace,
    node::Node,
    process::{self, Outcome, Task, wait_until},
};
use anyhow::{Context, Result};
use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};

/// How long one `nft` may take.
const NFT_TIME_MAX: Duration = Duration::from_secs(20);

/// How long a new link may take until it carries packets.
const LINK_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a router may take to refuse a connection.
const ANSWER_TIME_MAX: Duration = Duration::from_millis(100);
/// A port on which nobody listens (discard).
const NO_SERVICE: u16 = 9;

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];
}

/// A host in the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A node, 1 to 3.
    Node(u8),
    /// Who attacks.
    Attacker,
    /// Who only wants to use a service.
    Honest,
}

impl Place {
    /// Everybody.
    pub const ALL: [Self; 5] = [Self::Node(1), Self::Node(2), Self::Node(3), Self::Attacker, Self::Honest];
    /// The nodes.
    pub const NODES: [Self; 3] = [Self::Node(1), Self::Node(2), Self::Node(3)];

    /// Its name, also that of the router's link to it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Node(number) => format!("node{number}"),
            Self::Attacker => "attacker".into(),
            Self::Honest => "honest".into(),
        }
    }

    /// Its IPv4 network, a /24, and its address in it.
    const fn v4(self) -> (Ipv4Addr, Ipv4Addr) {
        match self {
            Self::Node(number) => (Ipv4Addr::new(198, 18, number, 1), Ipv4Addr::new(198, 18, number, 10)),
            Self::Attacker => (Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 66)),
            Self::Honest => (Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 51, 100, 10)),
        }
    }

    /// Its IPv6 network, a /64 of its own, and its address in it.
    fn v6(self) -> (Ipv6Addr, Ipv6Addr) {
        let (net, host) = match self {
            Self::Node(number) => (u16::from(number), 0x10),
            Self::Attacker => (0xbad, 0x66),
            Self::Honest => (0x600d, 0x10),
        };
        let addr = |host| Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, host);
        (addr(1), addr(host))
    }

    /// Its address.
    #[must_use]
    pub fn addr(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(self.v4().1),
            Family::V6 => IpAddr::V6(self.v6().1),
        }
    }

    /// Its address with a port.
    #[must_use]
    pub fn at(self, family: Family, port: u16) -> SocketAddr {
        SocketAddr::new(self.addr(family), port)
    }

    /// What a ban of it names: its address, for IPv6 its customer prefix.
    #[must_use]
    pub fn subject(self, family: Family) -> String {
        match family {
            Family::V4 => format!("{}/32", self.v4().1),
            Family::V6 => {
                let [first, second, third, fourth, ..] = self.v6().1.segments();
                format!("{}/64", Ipv6Addr::new(first, second, third, fourth, 0, 0, 0, 0))
            }
        }
    }

    fn router_lines(self, namespace: &str) -> Vec<String> {
        let link = self.name();
        vec![
            format!("link add {link} type veth peer name eth0 netns {namespace}"),
            format!("addr add {}/24 dev {link}", self.v4().0),
            format!("addr add {}/64 dev {link}", self.v6().0),
            format!("link set {link} up"),
        ]
    }

    fn host_lines(self) -> Vec<String> {
        vec![
            "link set lo up".into(),
            format!("addr add {}/24 dev eth0", self.v4().1),
            format!("addr add {}/64 dev eth0", self.v6().1),
            "link set eth0 up".into(),
            format!("route add default via {}", self.v4().0),
            format!("route add default via {}", self.v6().0),
        ]
    }
}

/// A host that is up.
#[derive(Debug)]
pub struct Host {
    /// Who it is.
    pub place: Place,
    /// Where it is.
    pub namespace: Namespace,
}

impl Host {
    /// Runs a program on it, to its end or for at most `time_max`.
    ///
    /// # Errors
    /// If it cannot be started; how it ends is not judged.
    pub fn run(&self, command: &mut Command, time_max: Duration) -> Result<Outcome> {
        self.namespace.inside(|| process::run(command, time_max))
    }

    /// Starts a program on it.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(&self, command: &mut Command) -> Result<Task> {
        self.namespace.inside(|| Task::spawn(command))
    }
}

/// Everything that is up; taken down when dropped.
#[derive(Debug)]
pub struct Lab {
    // Hosts and router only hold files; the estate, dropped last, takes the namespaces down.
    hosts: Vec<Host>,
    router: Namespace,
    estate: Estate,
}

impl Lab {
    /// Makes the hosts and joins them; no daemon runs yet.
    ///
    /// # Errors
    /// If this is not root, or a tool is missing. Nothing is left behind.
    pub fn up() -> Result<Self> {
        let estate = Estate::found()?;
        let router = namespace(&estate, "router").context("failed to make a network namespace (needs root)")?;
        let hosts = Place::ALL.map(|place| host(&estate, &router, place)).into_iter().collect::<Result<Vec<_>>>()?;
        route(&router)?;
        hosts.iter().try_for_each(joined)?;
        Ok(Self { hosts, router, estate })
    }

    /// The host at `place`.
    ///
    /// # Panics
    /// For a node that is not 1 to 3.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a fourth node is a mistake in a test")]
    pub fn host(&self, place: Place) -> &Host {
        self.hosts.iter().find(|host| host.place == place).expect("a host of the lab")
    }

    /// Who attacks.
    #[must_use]
    pub fn attacker(&self) -> &Host {
        self.host(Place::Attacker)
    }

    /// Who only wants to use a service.
    #[must_use]
    pub fn honest(&self) -> &Host {
        self.host(Place::Honest)
    }

    /// The router between all hosts.
    #[must_use]
    pub const fn router(&self) -> &Namespace {
        &self.router
    }

    /// Takes a host's only interface away, and makes it anew: another one, with the same name and addresses.
    ///
    /// # Errors
    /// If `ip` refuses, or nothing passes over the new one in time.
    pub fn replug(&self, place: Place) -> Result<()> {
        let host = self.host(place);
        self.router.ip_batch(&[format!("link del {}", place.name())])?;
        self.router.ip_batch(&place.router_lines(host.namespace.name()))?;
        host.namespace.ip_batch(&place.host_lines())?;
        joined(host)
    }

    /// A daemon on the node at `config`'s place, not started yet.
    ///
    /// # Errors
    /// If its files cannot be written.
    pub fn node(&self, config: NodeConfig) -> Result<Node<'_>> {
        let name = config.place.name();
        Node::prepare(self.host(config.place), config, &self.estate.scratch().join(&name), self.estate.pins(&name))
    }

    /// A directory for files; goes with the lab.
    #[must_use]
    pub fn scratch(&self) -> &std::path::Path {
        self.estate.scratch()
    }

    /// Where `what` may pin kernel objects; goes with the lab.
    pub(crate) fn pins(&self, what: &str) -> std::path::PathBuf {
        self.estate.pins(what)
    }

    /// Cuts every link between `ones` and `others`, both ways, at the router. Adds to earlier cuts.
    ///
    /// # Errors
    /// If `nft` refuses.
    pub fn cut(&self, ones: &[Place], others: &[Place]) -> Result<()> {
        let mut rules = String::from(CUTS);
        for (one, other) in ones.iter().flat_map(|one| others.iter().map(move |other| (one.name(), other.name()))) {
            rules += &format!("add rule inet lab cuts iifname {one} oifname {other} drop\n");
            rules += &format!("add rule inet lab cuts iifname {other} oifname {one} drop\n");
        }
        self.nft(&rules)
    }

    /// Heals every cut.
    ///
    /// # Errors
    /// If `nft` refuses.
    pub fn heal(&self) -> Result<()> {
        self.nft(&format!("{CUTS}flush chain inet lab cuts\n"))
    }

    fn nft(&self, rules: &str) -> Result<()> {
        let mut nft = Command::new("nft");
        nft.args(["-f", "-"]);
        self.router.inside(|| process::run_with_input(&mut nft, rules, NFT_TIME_MAX)?.checked().map(drop))
    }
}

const CUTS: &str = "add table inet lab\nadd chain inet lab cuts { type filter hook forward priority 0; policy accept; }\n";

fn host(estate: &Estate, router: &Namespace, place: Place) -> Result<Host> {
    let namespace = namespace(estate, &place.name())?;
    router.ip_batch(&place.router_lines(namespace.name()))?;
    namespace.ip_batch(&place.host_lines())?;
    Ok(Host { place, namespace })
}

/// A namespace whose IPv6 works at once: nobody else is on its links, so no address has to be defended first.
fn namespace(estate: &Estate, name: &str) -> Result<Namespace> {
    let namespace = Namespace::create(&estate.named(name))?;
    namespace.set("net/ipv6/conf/default/accept_dad", "0")?;
    Ok(namespace)
}

/// Forwards everything, also packets whose source is forged: that is what the lab is for.
fn route(router: &Namespace) -> Result<()> {
    for setting in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
        router.set(setting, "1")?;
    }
    router.set("net/ipv4/conf/all/rp_filter", "0")
}

/// Waits until the router answers on both families: the kernel takes a moment to believe in a new link.
fn joined(host: &Host) -> Result<()> {
    let routers = [SocketAddr::from((host.place.v4().0, NO_SERVICE)), SocketAddr::from((host.place.v6().0, NO_SERVICE))];
    host.namespace.inside(|| {
        routers.iter().try_for_each(|router| {
            wait_until(&format!("{} answers {}", router.ip(), host.place.name()), LINK_TIME_MAX, || {
                let refused = TcpStream::connect_timeout(router, ANSWER_TIME_MAX).err();
                Ok(refused.filter(|error| error.kind() == ErrorKind::ConnectionRefused).map(drop))
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_shares_a_network_with_anybody() {
        for (index, one) in Place::ALL.into_iter().enumerate() {
            for other in &Place::ALL[index + 1..] {
                assert_ne!(one.v4().0, other.v4().0);
                assert_ne!(one.subject(Family::V6), other.subject(Family::V6), "an IPv6 ban is a /64");
            }
        }
    }

    #[test]
    fn subjects_are_written_as_the_daemon_writes_them() {
        assert_eq!(Place::Attacker.subject(Family::V4), "203.0.113.66/32");
        assert_eq!(Place::Attacker.subject(Family::V6), "2001:db8:bad::/64");
        assert_eq!(Place::Node(2).at(Family::V6, 80).to_string(), "[2001:db8:2::10]:80");
    }
}
