//! The real daemon with every trap, its log in a file, and everything that can be asked of it.

use super::{
    common::{Daemon, Net, eventually, sh},
    strangers::{self, Said},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Write},
    net::IpAddr,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Where the strangers find it.
pub const ADDRESS: &str = "10.77.0.1";
/// The token of its page.
pub const TOKEN: &str = "hm_0123456789abcdef0123456789abcdef";

/// Where another node of its cluster is, which is not to be taken for a stranger.
const OTHER: &str = "10.77.0.9";

/// How long the live stream may be silent before all is there.
const STREAM_PATIENCE: Duration = Duration::from_secs(20);

/// A daemon that plays everything and drops nothing.
pub struct House {
    pub net: Net,
    pub log: PathBuf,
    daemon: Child,
    other_config: PathBuf,
}

/// A client that goes on until it is dropped; what it says is in a file.
pub struct Follower {
    child: Child,
    pub file: PathBuf,
}

impl House {
    pub fn open(log_format: &str) -> Self {
        let net = Net::new();
        let token = net.dir.path().join("api.token");
        fs::write(&token, TOKEN).unwrap();
        std::os::unix::fs::chown(&token, Some(0), Some(0)).unwrap();
        fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let keys = net.dir.path().join("m.key");
        assert!(Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(["key", "new"]).arg(&keys).output().unwrap().status.success());
        sh(&format!("ip -n {} addr add {OTHER}/24 dev s{}", net.stranger, &net.interface[1..]));
        let cluster = |here: &str, there: &str| {
            let keys = keys.display();
            format!("[[cluster]]\nname = \"m\"\nlisten = \"{here}:7946\"\njoin = [\"{there}:7946\"]\nkey_file = \"{keys}\"\n")
        };
        let other_config = net.other_config(&cluster(OTHER, ADDRESS));
        let config = net.config(&(strangers::config(ADDRESS) + &cluster(ADDRESS, OTHER)));
        let text = fs::read_to_string(&config).unwrap();
        let text = text.replace("name = \"roof\"\n", "name = \"roof\"\nmode = \"observe\"\n");
        let text = text.replace("[api]\n", &format!("[api]\ntoken_file = \"{}\"\n", token.display()));
        fs::write(&config, text).unwrap();
        let log = net.dir.path().join("log");
        let mut command = net.daemon_command(&config);
        command.args(["--log-format", log_format]).env("RUST_LOG", "honeymesh=debug").stderr(File::create(&log).unwrap());
        let mut house = Self { daemon: command.spawn().unwrap(), net, log, other_config };
        eventually("it is ready", || {
            let ended = house.daemon.try_wait().unwrap();
            let said = || fs::read_to_string(&house.log).unwrap();
            assert!(ended.is_none(), "it ends: {}", said());
            let ready = house.net.client(&["status", "--json"]).stdout;
            (serde_json::from_slice::<Value>(&ready).ok()?["ready"] == true).then_some(())
        });
        house
    }

    /// Another node of its cluster, once they know each other.
    pub fn other(&self) -> Daemon {
        let other = self.net.start_other(&self.other_config);
        eventually("they meet", || (self.net.json(&["peers"])[0]["state"] == "alive").then_some(()));
        other
    }

    pub fn address() -> IpAddr {
        ADDRESS.parse().unwrap()
    }

    /// Everything that was told by now of what strangers said, by trap and port.
    pub fn visits(&self) -> BTreeMap<(String, u16), Vec<Value>> {
        let mut visits: BTreeMap<_, Vec<Value>> = BTreeMap::new();
        for event in self.net.told(&["events", "--json", "--since", "1h", "--kind", "visit"]).lines() {
            let event: Value = serde_json::from_str(event).unwrap();
            let port = u16::try_from(event["source_port"].as_u64().unwrap()).unwrap();
            visits.entry((event["trap"].as_str().unwrap().to_owned(), port)).or_default().push(event);
        }
        visits
    }

    /// Waits until everybody was told of, and nothing more comes.
    pub fn settle(&self, said: &[Said]) -> BTreeMap<(String, u16), Vec<Value>> {
        let is_told = |visits: &BTreeMap<(String, u16), Vec<Value>>| {
            // Datagrams of one source are limited.
            let mut of_tcp = said.iter().filter(|said| said.trap != "dns");
            of_tcp.all(|said| visits.contains_key(&(said.trap.to_owned(), said.from)))
        };
        eventually("everybody is told of", || is_told(&self.visits()).then_some(()));
        eventually("nothing more comes", || {
            let count = || {
                let status = self.net.json(&["status"]);
                let is_over = status["traps"].as_array().unwrap().iter().all(|trap| trap["active"] == 0);
                is_over.then(|| status["counts"]["events"]["visit"].as_u64()).flatten()
            };
            let (before, told) = (count()?, self.visits());
            std::thread::sleep(Duration::from_millis(700));
            let stored: usize = told.values().map(Vec::len).sum();
            (count() == Some(before) && before == stored as u64).then_some(told)
        })
    }

    /// What a client says on its standard output.
    pub fn asked(&self, args: &[&str]) -> Vec<u8> {
        let output = self.net.client(args);
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// The same on a terminal that shows colours.
    pub fn asked_on_a_terminal(&self, args: &str) -> Vec<u8> {
        let line = format!("{} {args} --socket {}", env!("CARGO_BIN_EXE_honeymesh"), self.net.socket().display());
        let mut command = Command::new("script");
        command.args(["-qefc", &line, "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR").stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stdout));
        output.stdout
    }

    pub fn follow(&self, args: &[&str]) -> Follower {
        let file = self.net.dir.path().join(format!("follow{}", args.concat()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_honeymesh"));
        command.args(["events", "--follow", "--kind", "visit"]).args(args).arg("--socket").arg(self.net.socket());
        Follower { child: command.stdout(File::create(&file).unwrap()).stdin(Stdio::null()).spawn().unwrap(), file }
    }

    /// Head and body of an answer of the API.
    pub fn get(&self, path: &str) -> (String, Vec<u8>) {
        let mut stream = UnixStream::connect(self.net.socket()).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        (String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase(), answer[end + 4..].to_vec())
    }

    /// The live stream as it comes from its socket, of everything behind the event `last` and until `blocks` of it are there.
    pub fn stream_since(&self, last: &str, blocks: usize) -> (String, Vec<u8>) {
        let mut stream = UnixStream::connect(self.net.socket()).unwrap();
        stream.set_read_timeout(Some(STREAM_PATIENCE)).unwrap();
        write!(stream, "GET /api/v1/events/stream HTTP/1.0\r\nHost: localhost\r\nLast-Event-ID: {last}\r\n\r\n").unwrap();
        let (mut answer, mut piece, mut head) = (Vec::new(), vec![0; 1 << 16], None);
        loop {
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0, "the stream ends: {}", String::from_utf8_lossy(&answer));
            answer.extend(&piece[..read]);
            if head.is_none() {
                head = answer.windows(4).position(|window| window == b"\r\n\r\n");
            }
            // The first block is a greeting.
            let ends = |from: usize| answer[from..].windows(2).filter(|window| window == b"\n\n").count();
            if let Some(end) = head.filter(|end| ends(end + 4) > blocks && answer.ends_with(b"\n\n")) {
                let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
                return (head, answer.split_off(end + 4));
            }
        }
    }

    /// The live stream from now on, as it comes, in a file.
    pub fn listen(&self) -> Follower {
        let file = self.net.dir.path().join("stream");
        let mut command = Command::new("curl");
        command.args(["-sN", "--unix-socket"]).arg(self.net.socket()).arg("http://localhost/api/v1/events/stream");
        let child = command.stdout(File::create(&file).unwrap()).stdin(Stdio::null()).spawn().unwrap();
        eventually("it is listened", || (fs::metadata(&file).unwrap().len() > 0).then_some(()));
        Follower { child, file }
    }

    /// Ends it, and gives its whole log.
    pub fn close(mut self) -> Vec<u8> {
        let pid = i32::try_from(self.daemon.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(self.daemon.wait().unwrap().success());
        fs::read(&self.log).unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ended = (self.daemon.kill(), self.daemon.wait());
    }
}

impl Follower {
    /// Ends it, and gives what it has said.
    pub fn end(mut self) -> Vec<u8> {
        let _ended = (self.child.kill(), self.child.wait());
        fs::read(&self.file).unwrap()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ended = (self.child.kill(), self.child.wait());
    }
}
