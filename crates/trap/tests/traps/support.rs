//! A node's traps on loopback, for tests with real sockets and real clients.

use honeymesh_trap::{Limits, Options, StatusReader, TrapOptions, bind};
use honeymesh_trap_proto::{Definition, RuleDefinition, ScriptDefinition, Service};
use honeymesh_types::{MonoTime, Now, Visit, WallTime};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    process::{Output, Stdio},
    time::{Duration, SystemTime},
};
use tokio::{process::Command, sync::mpsc, sync::oneshot, task::JoinHandle, time::timeout};

/// How long anything in a test may take before it is called lost.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// One trap of each service on a free port of both loopback addresses, named `ssh`, `ssh6` and so on.
pub fn each_service(limits: Limits) -> Options {
    let mut traps = Vec::new();
    for name in Service::NAMES {
        let service = Service::define(&definition(name)).unwrap();
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
        let bound = bind(options).unwrap();
        let addresses = bound.addresses().into_iter().collect();
        let status = bound.status();
        let (sender, visits) = mpsc::channel(4_096);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(bound.run(sender, clock, async { drop(stopped.await) }));
        Self { addresses, visits, status, stop, task }
    }

    /// One trap of each service.
    pub fn usual() -> Self {
        Self::open(each_service(Limits::default()))
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

/// Runs a real client to its end.
pub async fn run(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.unwrap_or_else(|_| panic!("{program} does not end"));
    output.unwrap_or_else(|error| panic!("cannot run {program}: {error}; install its Debian package"))
}

/// What it printed.
pub fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
