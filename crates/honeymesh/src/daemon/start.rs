//! The start: everything that needs power or can fail is opened here, in an order in which a failure leaves nothing behind.

use super::{
    admission,
    books::Books,
    clerk::{self, Clerk},
    enforcer::Enforcer,
    facts::Around,
    keys::{self, ClusterKeys},
    ladder::{self, Prepare, Rung},
    owner::{self, Owner},
    playing::{self, Playing},
    post, resolvers,
    state_dir::{Seed, StateDir, Unusable},
    trap_identity,
};
use crate::{
    clerk::KeyFile,
    config::{self, Advertise, Attach, Cluster, Config, Dark, Flood, OnExit, Spoofable, TableKind, secrets},
    failure::Failure,
    honeytokens,
};
use honeymesh_api::{ControlSocket, Tls, Token};
use honeymesh_mesh::{Port, StreamDoor};
use honeymesh_mesh_proto::StreamSigner;
use honeymesh_node::{ClusterConfig, Input, NetworkFacts, Node, Output, Policy, Ttls};
use honeymesh_sandbox::Files;
use honeymesh_trap::{Bound, TrapOptions};
use honeymesh_trap_proto::{Bait, Persona, Service};
use honeymesh_types::Lockdown;
use std::{
    net::{SocketAddr, TcpListener},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Child,
};

/// What a daemon that is not root may still read: who is logged in, resolvers, routes, how many processors each have a counter, and what
/// SQLite and the C library look into.
const READABLE: [&str; 8] = ["/proc", "/etc", "/run", "/usr", "/lib", "/lib64", "/sys/devices/system/cpu", "/dev/urandom"];

/// Everything that was opened.
pub struct Opened {
    /// The control socket.
    pub control: ControlSocket,
    /// The HTTPS door, unless it is switched off.
    pub https: Option<Https>,
    /// The traps.
    pub traps: Bound,
    /// The process that plays them.
    pub playing: Playing,
    /// One socket per cluster.
    pub ports: Vec<Port>,
    /// One door for streams per cluster.
    pub doors: Vec<post::Door>,
    /// The store.
    pub books: Books,
    /// The brain, restored.
    pub node: Node,
    /// What came of the restoration.
    pub restored: Vec<Output>,
    /// The network around.
    pub around: Around,
    /// The clusters' keys.
    pub keys: Vec<ClusterKeys>,
    /// The process that writes them down, if the daemon may not.
    pub clerk: Option<(Clerk, Child)>,
    /// Whom the daemon becomes.
    pub owner: Owner,
    /// What an operator should mend about how packets are dropped.
    pub warnings: Vec<String>,
}

/// What the HTTPS door needs.
pub struct Https {
    /// Its socket.
    pub listener: TcpListener,
    /// Its certificate.
    pub tls: Tls,
    /// Its token.
    pub token: Token,
}

/// Opens everything; what drops packets comes apart from the rest, because there is more than one kind.
///
/// # Errors
/// [`Failure::Usage`] for what is wrong in the configuration, [`Failure::Refused`] for what the machine refuses. The
/// kernel is touched last, so nothing before it leaves more than files behind.
pub fn open(config: &Config) -> Result<(Opened, Rung), Failure> {
    let mut warnings = Vec::new();
    let (owner, state) = house(config, &mut warnings)?;
    owner.leave_groups()?;
    let control = state.as_owner(|| ControlSocket::bind(&config.control_socket(), state.group())).map_err(refused)?;
    let identity = state.identity().map_err(Failure::Refused)?;
    let mut keys = keys(config)?;
    let books = state.as_owner(|| Books::open(&config.node.state_dir, &config.store)).map_err(Failure::Refused)?;
    let persona = playing::persona(config, &identity)?;
    let traps = honeymesh_trap::bind(trap_options(config, &persona)?).map_err(|error| trap_failure(&error))?;
    let shown = state.as_owner(|| trap_identity::load_or_make(config, &state, &persona)).map_err(Failure::Refused)?;
    let honeytokens = honeytokens::of(config, keys.iter().map(|keys| &keys.ring));
    let playing = playing::start(config, &owner, persona, shown, honeytokens)?;
    let clerk = employ(&mut keys, &owner)?;
    let is_tarpit = |name: &str| config.traps.iter().any(|trap| trap.name.value == name && trap.definition.tarpit);
    let traps = traps.with_tarpits(is_tarpit);
    let ports: Vec<Port> = config.clusters.iter().map(port).collect::<Result<_, _>>()?;
    let doors =
        config.clusters.iter().zip(&ports).map(|(cluster, port)| door(cluster, port, &identity)).collect::<Result<_, _>>()?;
    let https = https(config, &state)?;
    let options = kernel_options(config).map_err(|error| Failure::usage(error.to_string()))?;
    let now = honeymesh_xdp::now();
    let mut node = Node::new(node_config(config, &state, &identity, &keys)?, now);
    let mut restored = Vec::new();
    let kept = state.as_owner(|| books.kept()).map_err(Failure::Refused)?;
    node.restore(kept, now, &mut restored);
    let around = look_around()?;
    // Not before the network is known: a stored ban must not hit an address that is ours by now.
    node.handle(Input::Network(around.facts.clone()), now, &mut restored);
    let fill = |kernel: &mut dyn Enforcer| fill(kernel, &node, &restored, &around.facts);
    let rung = ladder::climb(config, &options, Prepare { traps: traps.dark_sockets(), fill: &fill }, &mut warnings)?;
    Ok((
        Opened { control, https, traps, playing, ports, doors, books, node, restored, around, keys, clerk, owner, warnings },
        rung,
    ))
}

/// The network around. Who does not know what is his own bans nobody: what an earlier start left in the kernel holds meanwhile.
fn look_around() -> Result<Around, Failure> {
    let around = Around::now();
    match around.unseen.get(honeymesh_xdp::OWN_ADDRESSES) {
        Some(why) => Err(Failure::Refused(format!(
            "this machine's own addresses cannot be looked at: {why}; nobody is banned before they are known"
        ))),
        None => Ok(around),
    }
}

/// Whom the daemon becomes, and its directory. Who was asked for by name gets it, or there is no start; else the daemon stays root where it cannot be given away.
fn house(config: &Config, warnings: &mut Vec<String>) -> Result<(Owner, StateDir), Failure> {
    let owner = Owner::choose(config, warnings)?;
    let dir = &config.node.state_dir;
    let (owner, state) = match StateDir::prepare(dir, owner.clone()) {
        Err(Unusable::NotGiven(why)) if config.node.user.is_none() && owner.other().is_some() => {
            warnings.push(format!("{}: {why}", owner::STAYS_ROOT));
            let oneself = Owner::oneself();
            (oneself.clone(), StateDir::prepare(dir, oneself).map_err(refused)?)
        }
        prepared => (owner, prepared.map_err(refused)?),
    };
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    Ok((owner, state))
}

/// Makes the kernel's tables hold what they should before the program works with them: whatever an earlier start has left,
/// of whatever version, goes on until then. (nf_tables works with tables of its own version at once.) What fails here is tried again, and told, when the loop begins.
fn fill(kernel: &mut dyn Enforcer, node: &Node, restored: &[Output], facts: &NetworkFacts) {
    let warn = |what: &str, done: Result<(), honeymesh_xdp::Error>| {
        if let Err(error) = done {
            tracing::warn!(%error, "{what} is not in the kernel before the program is attached");
        }
    };
    let protected = restored.iter().rev().find_map(|output| if let Output::Protect(nets) = output { Some(nets) } else { None });
    if let Some(nets) = protected {
        warn("the never-ban set", kernel.set_allow(nets));
    }
    warn("the own addresses", kernel.set_local(&facts.own));
    // A lockdown that holds has no gap where other tables take over. Never a trial: the kernel's own end of it is told to nobody.
    let lockdown = restored.iter().rev().find(|output| matches!(output, Output::Lockdown(_)));
    if lockdown == Some(&Output::Lockdown(Lockdown::Confirmed)) && kernel.has_allow() {
        warn("the lockdown", kernel.set_lockdown(Lockdown::Confirmed));
    }
    let is_observing = restored.contains(&Output::Enforcing(false));
    if is_observing {
        warn("the mode", kernel.set_enforcing(false));
    }
    warn("the whole ban table", kernel.reconcile(&node.intent(), honeymesh_xdp::now()).map(|_| ()));
    if !is_observing {
        warn("the mode", kernel.set_enforcing(true));
    }
}

/// What the machine refuses.
pub(super) fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::Refused(error.to_string())
}

fn keys(config: &Config) -> Result<Vec<ClusterKeys>, Failure> {
    let one = |cluster: &Cluster| {
        let ring = secrets::read_keys(&cluster.key_file.value)
            .map_err(|error| Failure::usage(format!("cluster `{}`: key_file: {error}", cluster.name.value)))?;
        let file = cluster.key_file.value.clone();
        Ok(ClusterKeys { cluster: cluster.name.value.clone(), file, grace: cluster.key_grace, ring, clerk: None })
    };
    config.clusters.iter().map(one).collect()
}

/// The files that a daemon needs which is not root any more: its own directory, and those of key files that are its own.
pub fn files(config: &Config, keys: &[ClusterKeys]) -> Files {
    let mut read: Vec<PathBuf> = READABLE.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
    if let Some(place) = resolvers::beyond(&read) {
        tracing::info!(place = %place.display(), "resolvers are written down outside of /etc and /run: the daemon may read that place, too");
        read.push(place);
    }
    Files { read, write: written(config, keys) }
}

/// Those that one needs which has stayed who it was: it reads what its user may, and writes what any daemon writes. So root writes neither
/// to memory by way of `/proc`, nor to the system's files. (Pins are the keeper's.)
pub fn files_of_root(config: &Config, keys: &[ClusterKeys]) -> Files {
    Files { read: vec![PathBuf::from("/")], write: written(config, keys) }
}

fn written(config: &Config, keys: &[ClusterKeys]) -> Vec<PathBuf> {
    let own = keys.iter().filter(|keys| keys.clerk.is_none()).filter_map(|keys| keys.file.parent());
    // A file that is named alone is in the directory where the daemon was started.
    let own = own.map(|directory| if directory.as_os_str().is_empty() { Path::new(".") } else { directory });
    own.chain([config.node.state_dir.as_path()]).map(Into::into).collect()
}

/// Starts the clerk, if there are key files that the daemon may not replace once it is another user.
fn employ(all: &mut [ClusterKeys], owner: &Owner) -> Result<Option<(Clerk, Child)>, Failure> {
    let Some(user) = owner.other() else { return Ok(None) };
    let is_own = |keys: &ClusterKeys| {
        let directory = keys::directory_of(&keys.file).and_then(|directory| directory.metadata());
        directory.is_ok_and(|found| found.uid() == user.user && found.mode() & 0o300 == 0o300)
    };
    let mut others: Vec<&mut ClusterKeys> = all.iter_mut().filter(|keys| !is_own(keys)).collect();
    if others.is_empty() {
        return Ok(None);
    }
    let files: Vec<KeyFile> =
        others.iter().map(|keys| KeyFile { cluster: keys.cluster.clone(), path: keys.file.clone() }).collect();
    let (clerk, child) = clerk::start(&files)?;
    for (place, keys) in others.iter_mut().enumerate() {
        keys.clerk = u8::try_from(place).ok().map(|place| (clerk.clone(), place));
    }
    Ok(Some((clerk, child)))
}

fn trap_options(config: &Config, persona: &Persona) -> Result<honeymesh_trap::Options, Failure> {
    let trap = |trap: &config::Trap| {
        Ok(TrapOptions {
            name: trap.name.value.clone(),
            service: Service::define(&trap.definition, persona).map_err(|error| Failure::usage(error.to_string()))?,
            listen: trap.listen.iter().map(|listen| listen.value).collect(),
        })
    };
    let traps = config.traps.iter().map(trap).collect::<Result<Vec<_>, Failure>>()?;
    let is_dark = config.dark.dark.value == Dark::Trap;
    let dark = is_dark.then(|| Bait::like(traps.iter().map(|trap| &trap.service), persona));
    Ok(honeymesh_trap::Options { traps, dark, limits: trap_limits(config) })
}

/// What all traps share.
pub(super) fn trap_limits(config: &Config) -> honeymesh_trap::Limits {
    let limits = &config.trap_limits;
    honeymesh_trap::Limits {
        sessions_max: limits.sessions_max,
        sessions_per_source_max: limits.sessions_per_source_max,
        capture_bytes_max: limits.capture_max,
        read_deadline: limits.read_deadline,
        session_deadline: limits.session_deadline,
        delay_percent: limits.delay_percent.into(),
        ..honeymesh_trap::Limits::default()
    }
}

/// An address that this machine does not have is a mistake in the file; one that is taken is the machine's refusal.
fn bind_failure(words: &str, error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::AddrNotAvailable => Failure::usage(words),
        _ => Failure::Refused(words.into()),
    }
}

fn trap_failure(error: &honeymesh_trap::Error) -> Failure {
    let honeymesh_trap::Error::Bind { source, .. } = error;
    bind_failure(&error.to_string(), source)
}

/// What to do about an address that cannot be bound.
fn mend(error: &std::io::Error, port: u16) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program has it (`ss -lnptu` shows which); stop that or give another port".into()
        }
        std::io::ErrorKind::PermissionDenied if port < 1_024 => {
            "ports below 1024 need root; start as root or use a higher port".into()
        }
        std::io::ErrorKind::AddrNotAvailable => {
            "this machine does not have the address (`ip address` shows them); use one of its own".into()
        }
        _ => "check the address".into(),
    }
}

fn port(cluster: &Cluster) -> Result<Port, Failure> {
    let options = honeymesh_mesh::Options {
        cluster: cluster.name.value.clone(),
        listen: cluster.listen.value,
        datagram_bytes_max: honeymesh_mesh_proto::limits::DATAGRAM_BYTES_MAX,
        queue_max: post::QUEUE_MAX,
    };
    Port::bind(options).map_err(|error| {
        let honeymesh_mesh::Error::Bind { source, .. } = &error;
        bind_failure(&error.to_string(), source)
    })
}

/// Streams are met on the number of the UDP port.
fn door(cluster: &Cluster, port: &Port, identity: &Seed) -> Result<post::Door, Failure> {
    let (listen, name) = (port.local(), &cluster.name.value);
    let door = StreamDoor::bind(listen).map_err(|error| {
        let words = format!("cluster `{name}`: streams cannot be met on {listen}: {error}; {}", mend(&error, listen.port()));
        bind_failure(&words, &error)
    })?;
    Ok(post::Door { cluster: name.to_string(), door, signer: StreamSigner::new(identity) })
}

fn https(config: &Config, state: &StateDir) -> Result<Option<Https>, Failure> {
    let Some(listen) = &config.api.listen else { return Ok(None) };
    let addr = listen.value;
    let listener = TcpListener::bind(addr).map_err(|error| {
        let words = format!("the API ([api] listen) cannot listen on {addr}: {error}; {}", mend(&error, addr.port()));
        bind_failure(&words, &error)
    })?;
    let names = [config.node.name.to_string(), addr.ip().to_string()];
    let tls = state.as_owner(|| Tls::load_or_create(&config.node.state_dir, &names)).map_err(refused)?;
    let token_file = &config.api.token_file.value;
    let (token, is_new) = state.as_owner_of(token_file, || Token::load_or_create(token_file)).map_err(refused)?;
    tracing::info!(
        "the API listens on https://{addr}; certificate SHA-256 {}{}; token in {}{}",
        tls.fingerprint(),
        if tls.is_new() { " (made now)" } else { "" },
        token_file.display(),
        if is_new { " (made now)" } else { "" }
    );
    Ok(Some(Https { listener, tls, token }))
}

/// The self-probe's ban takes no room from the others.
fn with_probe(bans: u32) -> u32 {
    bans.saturating_add(honeymesh_xdp::PROBE_BANS).min(honeymesh_xdp::MAX_BANS)
}

fn kernel_options(config: &Config) -> Result<honeymesh_xdp::Options, honeymesh_xdp::Error> {
    let mut interfaces: Vec<String> = config.xdp.interfaces.iter().map(|name| name.value.clone()).collect();
    if interfaces.is_empty() {
        interfaces.push(honeymesh_xdp::default_route_interface()?);
    }
    Ok(honeymesh_xdp::Options {
        interfaces,
        attach: match config.xdp.attach {
            Attach::Auto | Attach::Nftables => honeymesh_xdp::Attach::Auto,
            Attach::Native => honeymesh_xdp::Attach::Native,
            Attach::Generic => honeymesh_xdp::Attach::Generic,
        },
        pin_dir: config.xdp.pin_dir.clone(),
        max_bans: with_probe(config.bans.max),
        max_v6: config.bans.max_v6.map(with_probe),
        table: match config.bans.table {
            TableKind::Buckets => honeymesh_xdp::TableKind::Buckets,
            TableKind::Hash => honeymesh_xdp::TableKind::Hash,
        },
        scan: honeymesh_xdp::ScanOptions {
            ports: config.scan.ports,
            window: config.scan.window,
            spoofable: match config.scan.spoofable.value {
                Spoofable::Dark => honeymesh_xdp::Spoofable::Dark,
                Spoofable::All => honeymesh_xdp::Spoofable::All,
                Spoofable::Off => honeymesh_xdp::Spoofable::Off,
            },
            ttl: config.bans.ttl_spoofable.value,
            budget: config.scan.budget,
            sources: config.scan.sources,
            udp: config.scan.udp,
            oracle: config.scan.oracle,
        },
        flood: match config.flood.flood {
            Flood::Cookie => honeymesh_xdp::Flood::Cookie { syns_per_second: config.flood.syns_per_second },
            Flood::Off => honeymesh_xdp::Flood::Off,
        },
        exit: match config.xdp.on_exit {
            OnExit::Hold => honeymesh_xdp::OnExit::Hold,
            OnExit::Release => honeymesh_xdp::OnExit::Release,
        },
        dark: match config.dark.dark.value {
            Dark::Refuse => honeymesh_xdp::Dark::Refuse,
            Dark::Silent => honeymesh_xdp::Dark::Silent,
            Dark::Trap => honeymesh_xdp::Dark::Trap,
        },
        except: config.dark.except.iter().map(|ports| ports.value.clone()).collect(),
    })
}

fn node_config(
    config: &Config,
    state: &StateDir,
    identity: &Seed,
    keys: &[ClusterKeys],
) -> Result<honeymesh_node::Config, Failure> {
    let clusters = config.clusters.iter().zip(keys).map(|(cluster, keys)| cluster_config(config, cluster, state, identity, keys));
    Ok(honeymesh_node::Config {
        name: config.node.name.clone(),
        policy: policy(config),
        scan: honeymesh_detect::ScanPolicy {
            spoofable: match config.scan.spoofable.value {
                Spoofable::Dark => honeymesh_detect::Spoofable::Dark,
                Spoofable::All => honeymesh_detect::Spoofable::All,
                Spoofable::Off => honeymesh_detect::Spoofable::Off,
            },
            ports: config.scan.ports,
            window: config.scan.window,
        },
        clusters: clusters.collect::<Result<_, _>>()?,
        allow: config.allow.iter().map(|net| net.value).collect(),
        peers: config.judgement.peers.iter().map(|rule| rule.value.clone()).collect(),
        canaries: config.judgement.canaries.iter().map(|net| net.value).collect(),
        bridges: config.judgement.bridges.iter().map(|bridge| bridge.value.clone()).collect(),
        seed: random()?,
    })
}

fn policy(config: &Config) -> Policy {
    let bans = &config.bans;
    Policy {
        mode: config.node.mode.value,
        bans_max: bans.max as usize,
        bans_v6_max: Some(honeymesh_xdp::Options::v6_bans_of(bans.max, bans.max_v6) as usize),
        nets_max: Policy::NETS_MAX,
        spoofable_max: config.scan.budget as usize,
        ttl: Ttls {
            trap: bans.ttl_trap,
            scan: bans.ttl_scan,
            mesh: bans.ttl_mesh,
            spoofable: bans.ttl_spoofable.value,
            feed: bans.ttl,
            manual: Some(bans.ttl),
        },
    }
}

fn cluster_config(
    config: &Config,
    cluster: &Cluster,
    state: &StateDir,
    identity: &Seed,
    keys: &ClusterKeys,
) -> Result<ClusterConfig, Failure> {
    let mesh = honeymesh_mesh_proto::Config {
        cluster: cluster.name.value.clone(),
        node_name: config.node.name.clone(),
        identity: identity.clone(),
        advertise: advertised(cluster),
        keys: keys.ring.clone(),
        join: cluster.join.clone(),
        dial_out: cluster.dial_out,
        members: Vec::new(),
        admission: admission::of(config, cluster, state)
            .map_err(|error| Failure::usage(format!("cluster `{}`: {error}", cluster.name.value)))?,
        limits: honeymesh_mesh_proto::Limits {
            origin_rate: cluster.rate,
            guests_max: cluster.guests_max,
            ..honeymesh_mesh_proto::Limits::default()
        },
        boot_salt: random()?,
        seed: random()?,
    };
    Ok(ClusterConfig { mesh, trust: cluster.trust.value, quorum: cluster.quorum, slow: cluster.slow })
}

/// With a wildcard the mesh learns its address from the first peer it meets.
fn advertised(cluster: &Cluster) -> SocketAddr {
    let listen = cluster.listen.value;
    match cluster.advertise {
        Some(Advertise { addr, port }) => SocketAddr::new(addr, port.unwrap_or(listen.port())),
        None => listen,
    }
}

fn random() -> Result<u64, Failure> {
    getrandom::u64().map_err(|error| Failure::Refused(format!("the kernel gives no random bytes: {error}")))
}

/// Warnings of the configuration that a status shows as long as the daemon runs.
#[must_use]
pub fn warnings(problems: &[config::problem::Problem]) -> Vec<String> {
    problems
        .iter()
        .filter(|problem| problem.severity == config::problem::Severity::Warning)
        .map(|problem| problem.what.clone())
        .collect()
}
