//! A network of its own for each test: one namespace with the daemon, one with a stranger, a veth between them.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test file uses its own part, so an expectation would be unfulfilled"
)]

pub mod orders;

use nix::sys::{
    socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket, sockopt::SendTimeout},
    time::{TimeVal, TimeValLike},
};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

/// How long anything in these tests may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long something that must happen may take.
pub const EVENTUALLY: Duration = Duration::from_secs(40);
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Whether the test can run here; says loudly why not.
pub fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: needs root for network namespaces and XDP");
    }
    root
}

/// What drops in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The first that the machine can: XDP in the driver.
    Highest,
    /// XDP in the network stack.
    Generic,
    /// nf_tables.
    Nftables,
}

impl Rung {
    /// Are programs of ours on the interfaces, and pins in the BPF file system?
    pub fn is_xdp(self) -> bool {
        self != Self::Nftables
    }

    /// As status and log call it.
    pub fn mode(self) -> &'static str {
        match self {
            Self::Highest => "native",
            Self::Generic => "generic",
            Self::Nftables => "nftables",
        }
    }

    /// What the configuration says, so that it is this rung.
    fn attach(self) -> &'static str {
        match self {
            Self::Highest => "",
            Self::Generic => "attach = \"generic\"\n",
            Self::Nftables => "attach = \"nftables\"\n",
        }
    }
}

/// Each case becomes a test of each of two rungs: XDP's.
#[allow(unused_macros, clippy::allow_attributes, reason = "not every test file has such cases")]
macro_rules! on_xdp_rungs {
    ($($case:ident)+) => {
        mod xdp { $( #[test] fn $case() { if crate::common::is_root() { super::$case(crate::common::Rung::Highest) } } )+ }
        mod generic { $( #[test] fn $case() { if crate::common::is_root() { super::$case(crate::common::Rung::Generic) } } )+ }
    };
}
#[allow(unused_imports, clippy::allow_attributes, reason = "not every test file has such cases")]
pub(crate) use on_xdp_rungs;

/// Each case becomes a test of every rung.
#[allow(unused_macros, clippy::allow_attributes, reason = "not every test file has such cases")]
macro_rules! on_every_rung {
    ($($case:ident)+) => {
        crate::common::on_xdp_rungs! { $($case)+ }
        mod nftables { $( #[test] fn $case() { if crate::common::is_root() { super::$case(crate::common::Rung::Nftables) } } )+ }
    };
}
#[allow(unused_imports, clippy::allow_attributes, reason = "not every test file has such cases")]
pub(crate) use on_every_rung;

/// Two namespaces, a veth pair, a state directory. Everything goes when it is dropped.
pub struct Net {
    pub node: String,
    pub stranger: String,
    pub interface: String,
    pub dir: tempfile::TempDir,
    pub pin_dir: PathBuf,
    pub rung: Rung,
    service: Option<(std::thread::JoinHandle<()>, Arc<AtomicBool>)>,
}

/// Where the node serves something real.
const SERVICE: &str = "10.77.0.1:7777";

/// Runs `work` on a thread in a namespace.
pub fn in_namespace<T: Send + 'static>(namespace: &str, work: impl FnOnce() -> T + Send + 'static) -> std::thread::JoinHandle<T> {
    let file = fs::File::open(Path::new("/run/netns").join(namespace)).unwrap();
    std::thread::spawn(move || {
        nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        work()
    })
}

/// Accepts until told to stop.
fn serve(stop: &AtomicBool) {
    let listener = TcpListener::bind(SERVICE).unwrap();
    listener.set_nonblocking(true).unwrap();
    while !stop.load(Ordering::Relaxed) {
        if listener.accept().is_err() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A TCP connection from this address of the calling thread's namespace, if it stands in time.
pub fn connect_from(from: &str, to: SocketAddr, patience: Duration) -> Option<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    setsockopt(&socket, SendTimeout, &TimeVal::milliseconds(i64::try_from(patience.as_millis()).unwrap())).unwrap();
    bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(from.parse().unwrap(), 0))).unwrap();
    connect(socket.as_raw_fd(), &SockaddrStorage::from(to)).ok().map(|()| TcpStream::from(socket))
}

pub fn sh(line: &str) {
    let output = Command::new("bash").args(["-ec", line]).output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// A directory that the daemon can pass, once it is not root any more.
fn passable_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

impl Net {
    pub fn new() -> Self {
        Self::on(Rung::Highest)
    }

    /// Its daemons start on this rung.
    pub fn on(rung: Rung) -> Self {
        let id = format!("{}x{}", std::process::id() % 1_000_000, NEXT.fetch_add(1, Ordering::Relaxed));
        let (node, stranger) = (format!("hmr-n{id}"), format!("hmr-s{id}"));
        let (inner, outer) = (format!("n{id}"), format!("s{id}"));
        let mut net = Self {
            service: None,
            rung,
            pin_dir: Path::new("/sys/fs/bpf").join(format!("hmr-{id}")),
            dir: passable_dir(),
            interface: inner.clone(),
            node: node.clone(),
            stranger: stranger.clone(),
        };
        sh(&format!(
            "ip netns add {node}; ip netns add {stranger}
             ip link add {inner} netns {node} type veth peer name {outer} netns {stranger}
             ip -n {node} addr add 10.77.0.1/24 dev {inner}; ip -n {node} addr add fd77::1/64 dev {inner} nodad
             ip -n {stranger} addr add 10.77.0.2/24 dev {outer}; ip -n {stranger} addr add fd77::2/64 dev {outer} nodad
             ip -n {node} link set lo up; ip -n {node} link set {inner} up
             ip -n {stranger} link set lo up; ip -n {stranger} link set {outer} up
             ip -n {node} route add default via 10.77.0.254"
        ));
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        net.service = Some((in_namespace(&net.node, move || serve(&flag)), stop));
        net
    }

    /// Can the stranger reach the node's real service?
    pub fn reaches(&self) -> bool {
        let connect = || TcpStream::connect_timeout(&SERVICE.parse().unwrap(), Duration::from_millis(700)).is_ok();
        in_namespace(&self.stranger, connect).join().unwrap()
    }

    /// The same as [`Net::config`] for a second node, in the stranger's namespace.
    pub fn other_config(&self, more: &str) -> PathBuf {
        let text = fs::read_to_string(self.config(more)).unwrap();
        let text = text.replace(self.pin_dir.to_str().unwrap(), self.other_pin_dir().to_str().unwrap());
        let text = text.replace(&format!("\"{}\"", self.interface), &format!("\"s{}\"", &self.interface[1..]));
        let text = text.replace("name = \"roof\"", "name = \"cellar\"").replace("/state\"", "/other\"");
        let file = self.dir.path().join("other.toml");
        fs::write(&file, text).unwrap();
        file
    }

    /// The pins of the version that runs.
    pub fn pins(&self) -> PathBuf {
        fs::read_dir(&self.pin_dir).unwrap().next().unwrap().unwrap().path()
    }

    fn other_pin_dir(&self) -> PathBuf {
        PathBuf::from(format!("{}o", self.pin_dir.display()))
    }

    /// Starts the second node.
    pub fn start_other(&self, config: &Path) -> Daemon {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.stranger)).arg(env!("CARGO_BIN_EXE_honeymesh"));
        command.args(["run", "--config"]).arg(config).stderr(Stdio::piped()).stdout(Stdio::null()).stdin(Stdio::null());
        let mut daemon = Daemon::spawn(command);
        daemon.wait_for("ready");
        daemon
    }

    /// A client command to the second node that must succeed, with `--json`.
    pub fn other_json(&self, args: &[&str]) -> serde_json::Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
        let socket = self.dir.path().join("other/honeymesh.sock");
        let output = command.args(args).arg("--json").arg("--socket").arg(socket).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// A configuration with `more` at its end.
    pub fn config(&self, more: &str) -> PathBuf {
        let file = self.dir.path().join("honeymesh.toml");
        let attach = self.rung.attach();
        let text = format!(
            "[node]\nname = \"roof\"\nstate_dir = \"{}\"\n[xdp]\n{attach}interfaces = [\"{}\"]\npin_dir = \"{}\"\n[api]\nlisten = \"127.0.0.1:8443\"\n{more}\n",
            self.state_dir().display(),
            self.interface,
            self.pin_dir.display()
        );
        fs::write(&file, text).unwrap();
        file
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub fn socket(&self) -> PathBuf {
        self.state_dir().join("honeymesh.sock")
    }

    /// The daemon's command line, not started yet. `ip netns exec` would hide the BPF file system.
    pub fn daemon_command(&self, config: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.node)).arg(env!("CARGO_BIN_EXE_honeymesh"));
        command.args(["run", "--config"]).arg(config).stderr(Stdio::piped()).stdout(Stdio::null()).stdin(Stdio::null());
        command
    }

    /// Starts the daemon and waits for `ready`.
    pub fn start(&self, config: &Path) -> Daemon {
        self.start_as(self.daemon_command(config))
    }

    /// The same for a daemon that is started in another way. Fails where it does not drop on the rung that is wanted.
    pub fn start_as(&self, command: Command) -> Daemon {
        let config =
            command.get_args().skip_while(|word| *word != "--config").nth(1).map(|file| fs::read_to_string(file).unwrap());
        let mut daemon = Daemon::spawn(command);
        let ready = daemon.wait_for("ready");
        // A test may ask for another rung in the file itself.
        let attach = config.as_deref().and_then(|text| Some(text.split_once("attach = \"")?.1.split_once('"')?.0));
        let mode = attach.filter(|attach| *attach != "auto").unwrap_or(self.rung.mode());
        let wanted = format!("{}:{mode}", self.interface);
        assert!(ready.contains(&wanted), "it is not {wanted} that is tested: {ready}");
        daemon
    }

    /// A daemon that must not come up: its exit code and its last line.
    pub fn start_fails(&self, config: &Path) -> (i32, String) {
        fails(self.daemon_command(config))
    }

    /// A client command; the socket is added.
    pub fn client(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
        command.args(args).arg("--socket").arg(self.socket()).output().unwrap()
    }

    /// A client command that must succeed: its standard output.
    pub fn told(&self, args: &[&str]) -> String {
        let output = self.client(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `--json`.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.told(&[args, &["--json"]].concat())).unwrap()
    }

    /// A client command that must fail: exit code and the one line.
    pub fn refused(&self, args: &[&str]) -> (i32, String) {
        let output = self.client(args);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(line.lines().count(), 1, "{args:?}: {line:?}");
        (output.status.code().unwrap(), line)
    }

    /// A command of the stranger; did it succeed?
    pub fn stranger(&self, line: &str) -> bool {
        let namespace = format!("--net=/run/netns/{}", self.stranger);
        let mut command = Command::new("nsenter");
        command.args([&namespace, "bash", "-c", line]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if let Some((thread, stop)) = self.service.take() {
            stop.store(true, Ordering::Relaxed);
            let _ = thread.join();
        }
        let _ = fs::remove_dir_all(&self.pin_dir);
        let _ = fs::remove_dir_all(self.other_pin_dir());
        for namespace in [&self.node, &self.stranger] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).status();
        }
    }
}

/// A process that is killed when it is dropped: one that came up although it must not have does not outlive its test.
struct Mortal(Child);

impl Drop for Mortal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The exit code and the one line of a daemon that must not come up.
pub fn fails(mut command: Command) -> (i32, String) {
    let mut child = Mortal(command.spawn().unwrap());
    let ended = wait(&mut child.0, PATIENCE);
    let text = std::io::read_to_string(child.0.stderr.take().unwrap()).unwrap();
    let line = text.lines().rfind(|line| !line.contains("INFO") && !line.contains("WARN")).unwrap_or_default().to_owned();
    (ended.code().unwrap_or_else(|| panic!("{ended:?}: {text}")), line)
}

/// Waits until `check` finds what it waits for.
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + EVENTUALLY;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} never happened");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn wait(child: &mut Child, patience: Duration) -> ExitStatus {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    pub child: Child,
    lines: mpsc::Receiver<String>,
    pub log: Vec<String>,
}

impl Daemon {
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, log: Vec::new() }
    }

    /// A command whose standard output is read instead.
    pub fn spawn_reading_stdout(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, log: Vec::new() }
    }

    /// Waits for a log line that ends with or contains `word`.
    pub fn wait_for(&mut self, word: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.log.push(line.clone());
            if line.contains(word) {
                return line;
            }
        }
        panic!("`{word}` never came:\n{}", self.log.join("\n"));
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
    }

    /// Ends it and gives its exit status and the rest of its log.
    pub fn stop(mut self) -> (ExitStatus, Vec<String>) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        let status = wait(&mut self.child, PATIENCE);
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(1)) {
            self.log.push(line);
        }
        (status, std::mem::take(&mut self.log))
    }

    /// Ends it without a word.
    pub fn kill(mut self) {
        self.signal(nix::sys::signal::Signal::SIGKILL);
        assert_eq!(wait(&mut self.child, PATIENCE).signal(), Some(9));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
