//! A node's traps on loopback, for tests with real sockets and real clients.

use honeymesh_trap::{Bound, Limits, Options, SshIdentity, StatusReader, TlsIdentity, TrapOptions, bind};
use honeymesh_trap_proto::{Definition, Persona, RsaHostKey, RuleDefinition, ScriptDefinition, Service};
use honeymesh_types::{MonoTime, Now, Signs, Visit, WallTime};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{Output, Stdio},
    sync::OnceLock,
    time::{Duration, SystemTime},
};
use tokio::{io::AsyncWriteExt, process::Command, sync::mpsc, sync::oneshot, task::JoinHandle, time::timeout};

/// How long anything in a test may take before it is called lost: a scan of nmap's waits for half a minute, and longer on a machine
/// with other work.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a hand rests between two lines.
const TYPING: Duration = Duration::from_millis(200);

/// How long a hand rests behind the last line where that makes the client leave: whoever is slow has not heard all answers before.
const LEAVING: Duration = Duration::from_secs(10);

/// Running traps.
pub struct Traps {
    addresses: BTreeMap<String, SocketAddr>,
    visits: mpsc::Receiver<Visit>,
    status: StatusReader,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

/// The wall clock twice: the tests need no other.
pub fn clock() -> Now {
    let micros = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros();
    let micros = u64::try_from(micros).unwrap();
    Now { wall: WallTime(micros), mono: MonoTime(micros) }
}

/// The usual limits, but that no service takes its time as real ones do after a wrong password.
pub fn quick() -> Limits {
    Limits { delay_percent: 1, ..Limits::default() }
}

/// One machine's for all tests: its key takes a while.
fn identity() -> TlsIdentity {
    static MADE: OnceLock<TlsIdentity> = OnceLock::new();
    MADE.get_or_init(|| TlsIdentity::make("srv01", Duration::from_secs(1_773_738_681)).unwrap()).clone()
}

/// The same for its RSA key.
fn host_key() -> RsaHostKey {
    static MADE: OnceLock<SshIdentity> = OnceLock::new();
    MADE.get_or_init(|| SshIdentity::make().unwrap()).host_key().unwrap()
}

/// One trap of each service on a free port of both loopback addresses, named `ssh`, `ssh6` and so on.
pub fn each_service(limits: Limits) -> Options {
    let mut traps = Vec::new();
    for &name in Service::NAMES {
        let service = Service::define(&definition(name), &Persona::of([7; 32])).unwrap();
        for (suffix, address) in [("", "127.0.0.1:0"), ("6", "[::1]:0")] {
            traps.push(TrapOptions {
                name: format!("{name}{suffix}"),
                service: service.clone(),
                listen: vec![address.parse().unwrap()],
            });
        }
    }
    Options { traps, dark: None, limits }
}

fn definition(service: &str) -> Definition {
    let mut definition = Definition { service: service.into(), ..Definition::default() };
    if service == "script" {
        definition.banner = Some("220 mail ESMTP Postfix\r\n".into());
        let rule = |expect: &str, answer: &str| RuleDefinition {
            expect: Some(expect.into()),
            answer: Some(answer.into()),
            ..RuleDefinition::default()
        };
        definition.script = ScriptDefinition {
            otherwise: Some("502 5.5.2 Error: command not recognized\r\n".into()),
            rules: vec![
                RuleDefinition { capture: Some("client".into()), ignore_case: true, ..rule("EHLO", "250 mail\r\n") },
                RuleDefinition { hostile: true, capture: Some("argument".into()), ..rule("VRFY", "252 2.0.0\r\n") },
                RuleDefinition { close: true, ..rule("QUIT", "221 2.0.0 Bye\r\n") },
            ],
            ..ScriptDefinition::default()
        };
    }
    definition
}

impl Traps {
    /// Binds and runs.
    pub fn open(options: Options) -> Self {
        Self::of(bind(options).unwrap())
    }

    /// The same with every trap a tarpit.
    pub fn tarpits(options: Options) -> Self {
        Self::of(bind(options).unwrap().with_tarpits(|_| true))
    }

    /// Runs what is bound already.
    pub fn of(bound: Bound) -> Self {
        let bound = bound.with_tls(identity()).proving(&host_key());
        let addresses = bound.addresses().into_iter().collect();
        let status = bound.status();
        let (sender, visits) = mpsc::channel(4_096);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(bound.run(sender, clock, async { drop(stopped.await) }));
        Self { addresses, visits, status, stop, task }
    }

    /// One trap of each service.
    pub fn usual() -> Self {
        Self::open(each_service(quick()))
    }

    /// One trap on loopback, as an operator defines it, under its service's name.
    pub fn one(definition: &Definition) -> Self {
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        let service = Service::define(definition, &Persona::of([7; 32])).unwrap();
        let traps = vec![TrapOptions { name: definition.service.clone(), service, listen }];
        Self::open(Options { traps, dark: None, limits: quick() })
    }

    /// User names and passwords of the next `count` tries at a trap, in their order.
    pub async fn tries(&mut self, trap: &str, count: usize) -> Vec<(String, String)> {
        let mut tries = Vec::new();
        while tries.len() < count {
            let visit = self.visit_where(|visit| visit.trap == trap && visit.signs.contains(Signs::CREDENTIALS)).await;
            tries.push((visit.fields["username"].clone(), visit.fields["password"].clone()));
        }
        tries
    }

    pub fn address(&self, trap: &str) -> SocketAddr {
        self.addresses[trap]
    }

    pub fn port(&self, trap: &str) -> u16 {
        self.address(trap).port()
    }

    /// The next report.
    pub async fn visit(&mut self) -> Visit {
        timeout(PATIENCE, self.visits.recv()).await.expect("no report came").expect("the traps are gone")
    }

    /// The next report that `wanted` says yes to; others are thrown away.
    pub async fn visit_where(&mut self, wanted: impl Fn(&Visit) -> bool) -> Visit {
        loop {
            let visit = self.visit().await;
            if wanted(&visit) {
                return visit;
            }
        }
    }

    pub fn status(&self, trap: &str) -> honeymesh_trap::TrapStatus {
        self.status.read().into_iter().find(|status| status.name == trap).unwrap()
    }

    /// Closes the traps and gives back what was still reported.
    pub async fn close(mut self) -> Vec<Visit> {
        drop(self.stop);
        let mut left = Vec::new();
        while let Some(visit) = timeout(PATIENCE, self.visits.recv()).await.expect("the traps do not close") {
            left.push(visit);
        }
        self.task.await.unwrap().unwrap();
        left
    }
}

/// Scans that are made, at most, until one sees all.
const SCANS_MAX: usize = 4;

/// Set in a process that runs one test only.
const ALONE: &str = "HONEYMESH_TEST_ALONE";

/// Is this process the one of a test that was started by [`play_alone`]?
pub fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Runs the test of this name in a process of its own, for what a process is measured by, and expects it to pass.
pub async fn play_alone(test: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--show-output"]).env(ALONE, "1").stdin(Stdio::null()).kill_on_drop(true);
    let said = printed(&timeout(PATIENCE, command.output()).await.expect("it does not end").unwrap());
    assert!(said.contains("1 passed; 0 failed"), "{said}");
    eprintln!("{said}");
}

/// Scans with nmap until it names all of `expected`, a few times at most: on a machine with other work an answer comes after nmap has given
/// up on it, and is then taken for the answer to another probe. What it said last.
pub async fn nmap(arguments: &[&str], expected: &[&str]) -> String {
    nmap_without(arguments, expected, &[]).await
}

/// The same, and none of these scans may say one of the words of `never`, in capital letters or small ones.
pub async fn nmap_without(arguments: &[&str], expected: &[&str], never: &[&str]) -> String {
    let mut said = String::new();
    for _ in 0..SCANS_MAX {
        said = printed(&run("nmap", arguments).await);
        let lower = said.to_lowercase();
        assert!(!lower.contains("honey"), "{said}");
        assert!(!never.iter().any(|words| lower.contains(&words.to_lowercase())), "one of {never:?}: {said}");
        if expected.iter().all(|words| said.contains(words)) {
            return said;
        }
    }
    panic!("not all of {expected:?}: {said}");
}

/// Runs a real client to its end.
pub async fn run(program: &str, arguments: &[&str]) -> Output {
    run_with(program, arguments, &[]).await
}

/// The same, typing `lines` at it, each once the one before had time to be answered.
pub async fn run_with(program: &str, arguments: &[&str], lines: &[&str]) -> Output {
    run_at(program, arguments, lines, TYPING).await
}

/// The same where the last line makes the client leave, which would leave at the end of what is typed, too, whatever it has heard by then.
pub async fn run_until_it_leaves(program: &str, arguments: &[&str], lines: &[&str]) -> Output {
    run_at(program, arguments, lines, LEAVING).await
}

/// Types and rests so long behind the last line, unless the client has ended before.
async fn run_at(program: &str, arguments: &[&str], lines: &[&str], rests: Duration) -> Output {
    let mut command = Command::new(program);
    let stdin = if lines.is_empty() { Stdio::null() } else { Stdio::piped() };
    command.args(arguments).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn();
    let mut child = child.unwrap_or_else(|error| panic!("cannot run {program}: {error}; install its Debian package"));
    let typed = child.stdin.take();
    let typing = async {
        let Some(mut keyboard) = typed else { return };
        for line in lines {
            tokio::time::sleep(TYPING).await;
            // A client that has ended takes no more.
            let _ = keyboard.write_all(line.as_bytes()).await;
        }
        tokio::time::sleep(rests).await;
    };
    let ended = async {
        let mut output = std::pin::pin!(child.wait_with_output());
        tokio::select! {
            output = &mut output => return output,
            () = typing => {}
        }
        output.await
    };
    timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{program} does not end")).unwrap()
}

/// What it printed.
pub fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
