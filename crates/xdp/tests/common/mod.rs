//! A room of its own for each test: network and mount namespaces that vanish with the test's thread.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each test file uses its own part, so an expectation would be unfulfilled; a test fails where it stands"
)]

pub mod backend;
mod connections;
pub mod counted;
pub mod flood;
pub mod older;
pub mod seats;
pub mod tool;
pub mod traffic;
pub mod traps;
pub mod wire;

use honeymesh_types::{Enforcement, Grade, Lockdown, MonoTime, Now, Reasons, Scope, WallTime};
use honeymesh_xdp::{Attach, Dark, Flood, Kernel, Knocks, Nft, OnExit, Options, ScanOptions, Spoofable, TableKind, now};
use honeymesh_xdp_abi::{Gates, SPOOFABLE_ALL, SPOOFABLE_OFF};
use honeymesh_xdp_program::testing::{Connection, End, Setting};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::{Uid, gettid},
};
use std::{
    any::Any,
    io::Write,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Runs `test` in its own network and mount namespace. Says so and skips if the process may not do that.
pub fn alone(name: &str, test: impl FnOnce(&Room) + Send) {
    if !Uid::effective().is_root() {
        // Written past the test harness, which would keep it to itself.
        let _unheard = writeln!(std::io::stderr(), "SKIPPED: {name}: needs root for namespaces and BPF");
        return;
    }
    let room = Room { directory: tempfile::tempdir().unwrap(), connections: Mutex::default() };
    thread::scope(|scope| {
        let run = || {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
            ip("link set lo up");
            test(&room);
        };
        if let Err(panic) = scope.spawn(run).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Where a test puts its pins: a BPF file system that only the test's thread sees.
pub struct Room {
    directory: tempfile::TempDir,
    /// Made once, because a closed connection blocks its addresses and ports for a minute.
    connections: Mutex<Connections>,
}

type Connections = Vec<(Connection, Box<dyn Any + Send>)>;

impl Room {
    pub fn pin_dir(&self) -> PathBuf {
        self.directory.path().join("pins")
    }

    /// Where in it those of this version are.
    pub fn pins(&self) -> PathBuf {
        pins_in(&self.pin_dir())
    }

    pub fn options(&self, interfaces: &[&str]) -> Options {
        let scan = ScanOptions {
            ports: 3,
            window: Duration::from_secs(60),
            spoofable: Spoofable::Dark,
            ttl: Duration::from_secs(600),
            budget: 64,
            sources: 1_024,
            udp: true,
            oracle: false,
        };
        Options {
            interfaces: interfaces.iter().map(ToString::to_string).collect(),
            attach: Attach::Auto,
            pin_dir: self.pin_dir(),
            max_bans: 1_000,
            max_v6: None,
            table: TableKind::Buckets,
            scan,
            flood: Flood::default(),
            exit: OnExit::Hold,
            dark: Dark::Refuse,
            except: Vec::new(),
        }
    }

    /// The kernel that `setting` describes, on the loopback interface, and the sockets it wants.
    pub fn kernel(&self, setting: &Setting) -> (Kernel, Knocks, Sockets) {
        self.connect(&setting.connections);
        let (mut kernel, knocks) = Kernel::start(&self.options_of(setting, "lo")).unwrap();
        kernel.set_allow(&setting.allow.iter().map(|net| net_of(net)).collect::<Vec<_>>()).unwrap();
        kernel.set_local(&setting.local.iter().map(|addr| addr.parse().unwrap()).collect::<Vec<_>>()).unwrap();
        kernel.set_enforcing(setting.enforcing).unwrap();
        for (subject, scope, end) in &setting.bans {
            let (what, now) = entered(subject, *scope, *end);
            kernel.raise(&what, now).unwrap();
        }
        if let Some(end) = setting.lockdown {
            kernel.set_lockdown(lockdown(end)).unwrap();
        }
        (kernel, knocks, sockets(setting))
    }

    /// The same without XDP, behind the cable's end `hm0`.
    pub fn nft(&self, setting: &Setting) -> (Nft, Knocks, Sockets) {
        self.connect(&setting.connections);
        let mut nft = backend::nft(&self.options_of(setting, "hm0")).unwrap();
        let knocks = nft.take_knocks().unwrap();
        nft.set_allow(&setting.allow.iter().map(|net| net_of(net)).collect::<Vec<_>>()).unwrap();
        nft.set_enforcing(setting.enforcing).unwrap();
        for (subject, scope, end) in &setting.bans {
            let (what, now) = entered(subject, *scope, *end);
            nft.raise(&what, now).unwrap();
        }
        match setting.lockdown {
            // The kernel itself ends it.
            Some(End::Past) => nft.set_lockdown(Lockdown::Until(now().mono.plus(SOON_OVER))).unwrap(),
            Some(end) => nft.set_lockdown(lockdown(end)).unwrap(),
            None => {}
        }
        let sockets = sockets(setting);
        thread::sleep(2 * SOON_OVER);
        (nft, knocks, sockets)
    }

    fn options_of(&self, setting: &Setting, interface: &str) -> Options {
        let mut options = self.options(&[interface]);
        options.exit = OnExit::Release;
        options.scan.ports = u8::try_from(setting.scan.ports).unwrap();
        options.scan.window = Duration::from_nanos(setting.scan.window_ns);
        options.scan.ttl = Duration::from_nanos(setting.scan.ttl_ns);
        options.scan.budget = setting.budget;
        options.scan.udp = setting.udp;
        options.scan.oracle = setting.oracle;
        options.scan.spoofable = match setting.scan.spoofable {
            SPOOFABLE_ALL => Spoofable::All,
            SPOOFABLE_OFF => Spoofable::Off,
            _ => Spoofable::Dark,
        };
        options.dark = match setting.dark {
            Gates::SILENT => Dark::Silent,
            Gates::TRAPS => Dark::Trap,
            _ => Dark::Refuse,
        };
        options.except = setting.except.iter().map(|port| *port..=*port).collect();
        options
    }

    fn connect(&self, wanted: &[Connection]) {
        let mut made = self.connections.lock().unwrap();
        let missing: Vec<Connection> = wanted.iter().filter(|one| made.iter().all(|(known, _)| known != *one)).copied().collect();
        made.extend(missing.iter().copied().zip(connections::make(&missing)));
    }
}

/// Has this thread's network forward packets for others, or not.
pub fn forward(on: bool) {
    for file in ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"] {
        std::fs::write(file, if on { "1" } else { "0" }).unwrap();
    }
}

/// Where in a directory of pins those of this version are.
pub fn pins_in(pin_dir: &Path) -> PathBuf {
    pin_dir.join(format!("v{}", honeymesh_xdp_abi::VERSION))
}

/// How long something lasts that must be over soon.
const SOON_OVER: Duration = Duration::from_millis(20);

fn lockdown(end: End) -> Lockdown {
    match end {
        End::Past => Lockdown::Until(now().mono),
        End::Later => Lockdown::Until(now().mono.plus(Duration::from_secs(3_600))),
        End::Never => Lockdown::Confirmed,
    }
}

fn sockets(setting: &Setting) -> Sockets {
    let served = setting.served.iter().map(|port| TcpListener::bind(("::", *port)).unwrap()).collect();
    let bound = setting
        .served
        .iter()
        .chain(&setting.bound)
        .map(|port| connections::datagrams((std::net::Ipv6Addr::UNSPECIFIED, *port).into()))
        .collect();
    Sockets { served, bound }
}

/// What a setting serves, as long as this lives.
pub struct Sockets {
    served: Vec<TcpListener>,
    bound: Vec<UdpSocket>,
}

pub fn net_of(text: &str) -> ipnet::IpNet {
    text.parse().unwrap_or_else(|_| text.parse::<std::net::IpAddr>().unwrap().into())
}

pub fn ban(subject: &str, scope: Scope, until: Option<WallTime>) -> Enforcement {
    Enforcement { subject: subject.parse().unwrap(), reasons: Reasons::SCAN, grade: Grade::Spoofable, scope, until }
}

/// A ban for an hour from now.
pub fn hour(subject: &str, scope: Scope) -> Enforcement {
    ban(subject, scope, Some(now().wall.plus(Duration::from_secs(3_600))))
}

/// A ban as a setting describes it, and when it is raised.
fn entered(subject: &str, scope: u8, end: End) -> (Enforcement, Now) {
    let (now, scope) = (now(), Scope::from_code(scope).unwrap());
    match end {
        End::Later => (hour(subject, scope), now),
        End::Never => (ban(subject, scope, None), now),
        // Raised as if the machine had just started: the end is a millisecond after that.
        End::Past => {
            let until = Some(now.wall.plus(Duration::from_millis(1)));
            (ban(subject, scope, until), Now { mono: MonoTime(0), ..now })
        }
    }
}

/// How long something that must happen may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until it is `done`, with [`PATIENCE`]; is it?
pub fn wait(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if done() {
            return true;
        }
        thread::sleep(Duration::from_millis(2));
    }
    false
}

/// Runs `ip` with these arguments.
pub fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

type Job = Box<dyn FnOnce() + Send>;

/// Another host: a thread in a network namespace of its own.
pub struct Peer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
    tid: i32,
}

impl Peer {
    pub fn new() -> Self {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (started, start) = mpsc::channel();
        let thread = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            ip("link set lo up");
            started.send(gettid().as_raw()).unwrap();
            inbox.iter().for_each(|job| job());
        });
        Self { jobs: Some(jobs), thread: Some(thread), tid: start.recv().unwrap() }
    }

    /// The thread, by which `ip` knows its namespace.
    pub fn tid(&self) -> i32 {
        self.tid
    }

    /// Runs `job` there and waits for its result.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        let job = move || drop(done.send(job()));
        self.jobs.as_ref().unwrap().send(Box::new(job)).unwrap();
        result.recv().expect("the peer's job failed")
    }

    /// A cable: `here` with 192.0.2.1 and 2001:db8::1, `there` with 192.0.2.2 and 2001:db8::2. Both ends are up.
    pub fn cable(&self, here: &str, there: &'static str) {
        ip(&format!("link add {here} type veth peer name {there}"));
        ip(&format!("link set {there} netns {}", self.tid));
        address(here, 1);
        self.run(move || address(there, 2));
        is_up(here);
        self.run(move || is_up(there));
    }
}

/// Waits until this end of a cable carries packets.
fn is_up(interface: &str) {
    let shown = || Command::new("ip").args(["-o", "link", "show", "dev", interface]).output().unwrap().stdout;
    assert!(wait(|| String::from_utf8_lossy(&shown()).contains("state UP")), "{interface} does not come up");
}

fn address(interface: &str, last: u8) {
    ip(&format!("addr add 192.0.2.{last}/24 dev {interface}"));
    ip(&format!("-6 addr add 2001:db8::{last}/64 dev {interface} nodad"));
    ip(&format!("link set {interface} up"));
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}
