//! The daemon: opens, gives its power away, then lets one loop own node and kernel until it is told to stop.
//!
//! Threads: the loop (the main thread, a runtime of its own, with the traps' doors: those who let in, hand over and hear wake each other and the loop
//! for nothing), the checks of peers' signatures, the doors for clients (HTTPS, control socket, the mesh's streams), the store's writer, the log's
//! writer, the watchers of the network and of the interfaces. Only bounded queues lie between them, so that no slow client and no full disk delays a ban.

pub(crate) mod admission;
mod books;
mod checks;
mod clerk;
mod dark;
mod enforcer;
mod engine;
mod facts;
mod journal;
mod keeping;
pub(crate) mod keys;
mod ladder;
pub mod logs;
mod lookout;
pub mod operators;
pub(crate) mod owner;
pub mod panics;
mod playing;
mod post;
mod resolvers;
mod show;
mod start;
pub(crate) mod state_dir;
mod systemd;
mod trap_identity;

use crate::{
    cli::Run,
    config::{self, Config, OnExit, Parsed},
    failure::Failure,
    output,
};
pub use ladder::WRITER_NAME;

use clerk::Clerk;
use enforcer::Enforcer;
use engine::{Engine, Inner};
use facts::Around;
use honeymesh_api::{Api, Desk, Question};
use honeymesh_node::Input;
use honeymesh_sandbox::{Role, Sandbox};
use honeymesh_trap::{Household, News as TrapNews};
use honeymesh_types::Visit;
use honeymesh_xdp::{Knocks, LinkHandle, Seen, Sight};
use keeping::{Keeping, Said};
use ladder::{Rung, Watched};
use playing::Playing;
use post::{Datagram, StreamNews};
use start::{Https, Opened};
use std::{future::Future, process::Child, time::Duration};
use tokio::{
    io::unix::{AsyncFd, AsyncFdReadyMutGuard},
    runtime::Handle,
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot, watch},
    time::{Interval, timeout},
};

/// Questions that may wait for the loop; one more is refused as busy.
const QUESTIONS_MAX: usize = 64;
/// Visits that may wait for the loop; a trap waits a moment and then gives one up, counted.
const VISITS_MAX: usize = 4_096;
/// What became of the process that plays the traps and waits for the loop; more is not told.
const TRAP_NEWS_MAX: usize = 64;
/// Knocks, and visits that the kernel received itself, that are taken between two other inputs.
const KNOCKS_PER_TURN: usize = 256;
/// Records that are taken when the loop has ended: more than a ring of the kernel's holds (about 18,000).
const KNOCKS_LEFT_MAX: usize = 32_768;
/// Visits that are taken between two other inputs.
const VISITS_PER_TURN: usize = 64;
/// Threads for clients and for the mesh's streams.
const DOOR_THREADS: usize = 2;
/// Threads for reading the store and key files.
const READERS_MAX: usize = 8;
/// So long after the start the code and constants that only it needed are let go.
const START_OVER: Duration = Duration::from_secs(6);
/// How long clients may take to end, and processes that have said all they had to say.
const GRACE: Duration = Duration::from_secs(1);
/// How long the traps may take to tell what they still heard, and the process that played them to end.
const FAREWELL_MAX: Duration = honeymesh_trap::CLOSING_MAX.saturating_add(GRACE);

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// [`Failure::Config`] and [`Failure::Usage`] for what is wrong in the configuration, [`Failure::Refused`] for what the
/// machine refuses or what broke while running.
pub fn run(args: &Run) -> Result<(), Failure> {
    let parsed = config::load_with_rules(&args.config).map_err(|problem| Failure::Config(vec![problem.line(&args.config)]))?;
    if !parsed.is_usable() {
        let errors = parsed.problems.iter().filter(|problem| problem.severity == config::problem::Severity::Error);
        return Err(Failure::Config(errors.map(|problem| problem.line(&args.config)).collect()));
    }
    // Only the configuration may come by a descriptor; systemd hands none over.
    honeymesh_sandbox::close_inherited();
    logs::start(args.log_format).map_err(Failure::usage)?;
    for problem in &parsed.problems {
        tracing::warn!("{}", problem.line(&args.config));
    }
    panics::end_the_process();
    let done = serve(&parsed);
    logs::flush();
    done
}

/// Everything after the configuration.
fn serve(parsed: &Parsed) -> Result<(), Failure> {
    let config = &parsed.config;
    systemd::open();
    let (opened, rung) = start::open(config)?;
    let sandbox = Sandbox::of(Role::Node);
    let sandbox = match opened.owner.other() {
        Some(user) => sandbox.user(user).files(start::files(config, &opened.keys)),
        None => sandbox.files(start::files_of_root(config, &opened.keys)),
    };
    let report = sandbox.confine().map_err(|error| Failure::Refused(format!("power could not be given away: {error}")))?;
    tracing::info!("power given away: {report}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(READERS_MAX)
        .thread_name(panics::READERS)
        .build();
    let doors =
        tokio::runtime::Builder::new_multi_thread().worker_threads(DOOR_THREADS).thread_name(panics::DOORS).enable_all().build();
    let (runtime, doors) = (runtime.map_err(no_runtime)?, doors.map_err(no_runtime)?);
    let outside = doors.handle().clone();
    let mut warnings = [start::warnings(&parsed.problems), opened.warnings.clone()].concat();
    if let Some(warning) = dark::warning(config) {
        tracing::warn!("{warning}");
        warnings.push(warning);
    }
    let ended = match rung {
        Rung::Xdp(kernel, watched) => {
            let from = Kernel { enforcer: *kernel, watched: *watched, writer: None };
            runtime.block_on(live(config, warnings, opened, from, outside))
        }
        Rung::Nftables(nft, watched, child) => {
            let from = Kernel { enforcer: *nft, watched: *watched, writer: Some(child) };
            runtime.block_on(live(config, warnings, opened, from, outside))
        }
    };
    doors.shutdown_timeout(GRACE);
    runtime.shutdown_timeout(GRACE);
    ended
}

fn no_runtime(error: std::io::Error) -> Failure {
    Failure::Refused(format!("this machine gives no event queue: {error}; raise the limit of open files"))
}

/// What drops packets, what it tells, and the process it needs.
struct Kernel<K> {
    enforcer: K,
    watched: Watched,
    writer: Option<Child>,
}

/// Everything that feeds the loop.
struct Feeds {
    knocks: Option<AsyncFd<Knocks>>,
    visits: mpsc::Receiver<Visit>,
    trap_news: mpsc::Receiver<TrapNews>,
    datagrams: mpsc::Receiver<Datagram>,
    streams: mpsc::Receiver<StreamNews>,
    questions: mpsc::Receiver<Question>,
    facts: mpsc::Receiver<Around>,
    interfaces: mpsc::Receiver<Sight>,
    /// What the lookout is to look at besides.
    links: watch::Sender<Vec<LinkHandle>>,
    keeper: Option<Keeping>,
    inner: mpsc::UnboundedReceiver<Inner>,
    broken: mpsc::Receiver<String>,
    heartbeat: Interval,
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

async fn live<K: Enforcer>(
    config: &Config,
    warnings: Vec<String>,
    opened: Opened,
    kernel: Kernel<K>,
    outside: Handle,
) -> Result<(), Failure> {
    let [terminate, interrupt, hangup] = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let (desk, questions) = honeymesh_api::desk(QUESTIONS_MAX);
    let (visit_sender, visits) = mpsc::channel(VISITS_MAX);
    let (posts, datagrams) = post::open(opened.ports, honeymesh_xdp::now).map_err(no_runtime)?;
    let (streams, stream_news) = post::open_doors(opened.doors, &outside).map_err(no_runtime)?;
    let (inner_sender, inner) = mpsc::unbounded_channel();
    let (broken_sender, broken) = mpsc::channel(1);
    let (stop, stopped) = watch::channel(false);
    let mut engine = Engine::new(engine::Parts {
        node: opened.node,
        kernel: kernel.enforcer,
        books: opened.books,
        posts,
        streams,
        listen: config.clusters.iter().map(|cluster| cluster.listen.value).collect(),
        keys: opened.keys,
        inner: inner_sender,
        traps: opened.traps.status(),
        dismisser: opened.traps.dismisser(),
        desk: desk.clone(),
        warnings,
        user: opened.owner.name().to_owned(),
        clock: honeymesh_xdp::now,
    });
    let (links, links_to_see) = watch::channel(Vec::new());
    let Watched { knocks, keeper, lookout } = kernel.watched;
    keeper.iter().for_each(|keeper| engine.keeper_began(keeper.pid()));
    engine.begin(opened.restored, opened.around.facts.clone());
    engine.looked_around(&opened.around);
    let supervise = Supervisor { outside, broken: broken_sender, stopped };
    let (trap_news_sender, trap_news) = mpsc::channel(TRAP_NEWS_MAX);
    let household = Household { visits: visit_sender, news: trap_news_sender, clock: honeymesh_xdp::now };
    let traps = supervise.traps(opened.traps, opened.playing, household);
    kernel.writer.into_iter().for_each(|child| supervise.writer(child));
    opened.clerk.into_iter().for_each(|(clerk, child)| supervise.clerk(clerk, child));
    let control = std::sync::Arc::new(opened.control);
    let presence = std::sync::Arc::<honeymesh_api::Presence>::default();
    supervise.api(desk, opened.https, control.clone(), presence.clone());
    let feeds = Feeds {
        knocks: knocks.map(awaited).transpose().map_err(no_runtime)?,
        visits,
        trap_news,
        datagrams,
        streams: stream_news,
        questions,
        facts: facts::watch(opened.around, presence).map_err(no_runtime)?,
        interfaces: lookout::watch(lookout, links_to_see).map_err(no_runtime)?,
        links,
        keeper: keeper.map(keeping::Started::listen).transpose().map_err(no_runtime)?,
        inner,
        broken,
        heartbeat: tokio::time::interval(heartbeat_every()),
        terminate: terminate.map_err(no_runtime)?,
        interrupt: interrupt.map_err(no_runtime)?,
        hangup: hangup.map_err(no_runtime)?,
    };
    engine.set_ready();
    ready(config, &engine);
    tokio::spawn(async {
        tokio::time::sleep(START_OVER).await;
        honeymesh_sandbox::let_go_of_code();
    });
    let (ended, Left { visits, mut knocks, keeper }) = turn(&mut engine, feeds).await;
    let _ = stop.send(true);
    let _ = systemd::tell(&sd_notify::NotifyState::Stopping);
    drop(control);
    // Before the kernel is let go: whoever keeps must not put back what is taken off.
    keeper.into_iter().for_each(Keeping::end);
    hear_out(&mut engine, visits, traps).await;
    hear_kernel_out(&mut engine, || knocks.as_mut()?.get_mut().see(honeymesh_xdp::now()));
    end(engine, config.xdp.on_exit);
    ended
}

#[expect(deprecated, reason = "the other way is unsafe; `what` owns its one descriptor as long as it lives")]
fn awaited<T: std::os::fd::AsRawFd>(what: T) -> std::io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(what, tokio::io::Interest::READABLE)
}

/// Traps, kernel and mesh are up.
fn ready<K: Enforcer>(config: &Config, engine: &Engine<K>) {
    let drops: Vec<_> =
        engine.kernel().interfaces().iter().map(|interface| format!("{}:{}", interface.name, interface.mode)).collect();
    tracing::info!(node = %config.node.name, mode = %engine.mode(), drops = drops.join(" "), "ready");
    if let Err(error) = systemd::tell(&sd_notify::NotifyState::Ready) {
        tracing::warn!(%error, "systemd could not be told that the daemon is ready");
    }
}

/// How often systemd is told that the loop turns: twice in the time it waits.
fn heartbeat_every() -> Duration {
    sd_notify::watchdog_enabled().map_or(Duration::from_secs(60), |patience| (patience / 2).max(Duration::from_millis(10)))
}

/// Tells systemd that the loop turns. Nobody listens unless `WatchdogSec` is set.
fn heartbeat() {
    let _ = systemd::tell(&sd_notify::NotifyState::Watchdog);
}

/// What is still needed when the loop has ended.
struct Left {
    visits: mpsc::Receiver<Visit>,
    knocks: Option<AsyncFd<Knocks>>,
    keeper: Option<Keeping>,
}

/// The loop, and what is left of what fed it.
async fn turn<K: Enforcer>(engine: &mut Engine<K>, mut feeds: Feeds) -> (Result<(), Failure>, Left) {
    let ended = turn_until_told(engine, &mut feeds).await;
    (ended, Left { visits: feeds.visits, knocks: feeds.knocks, keeper: feeds.keeper })
}

/// Takes what waits and what the traps still tell while they close, for the kernel and for the store: being there when the daemon
/// is stopped is no way out of a ban. Nothing else is taken any more.
async fn hear_out<K: Enforcer>(engine: &mut Engine<K>, mut told: mpsc::Receiver<Visit>, mut closed: oneshot::Receiver<()>) {
    let hearing = async {
        loop {
            tokio::select! {
                biased;
                Some(visit) = told.recv() => visits(engine, visit, &mut told),
                _ = &mut closed => return,
            }
        }
    };
    if timeout(FAREWELL_MAX, hearing).await.is_err() {
        tracing::warn!("the traps' doors do not end in time, and are left behind");
    }
    told.close();
    while let Ok(visit) = told.try_recv() {
        visits(engine, visit, &mut told);
    }
}

/// Takes what the kernel has told and nobody has read, for the same reason: where it is let go of, nobody ever would.
fn hear_kernel_out<K: Enforcer>(engine: &mut Engine<K>, next: impl FnMut() -> Option<Seen>) {
    std::iter::from_fn(next).take(KNOCKS_LEFT_MAX).for_each(|seen| saw(engine, seen));
}

/// The loop: one input, all its outputs, the next. Ends on a signal, or with what broke.
async fn turn_until_told<K: Enforcer>(engine: &mut Engine<K>, feeds: &mut Feeds) -> Result<(), Failure> {
    loop {
        tokio::select! {
            _ = feeds.terminate.recv() => { tracing::info!("SIGTERM: stopping"); return Ok(()) }
            _ = feeds.interrupt.recv() => { tracing::info!("SIGINT: stopping"); return Ok(()) }
            _ = feeds.hangup.recv() => tracing::warn!("SIGHUP: the configuration is read at the start only; restart to read it again"),
            Some(what) = feeds.broken.recv() => return Err(Failure::Refused(what)),
            knocked = readable(&mut feeds.knocks) => knocks(engine, knocked)?,
            Some(visit) = feeds.visits.recv() => visits(engine, visit, &mut feeds.visits),
            Some(news) = feeds.trap_news.recv() => engine.traps_told(news),
            Some(datagram) = feeds.datagrams.recv() => {
                let Datagram { cluster, from, bytes, at } = datagram;
                engine.crowded(!feeds.datagrams.is_empty());
                engine.take(Input::Datagram { cluster, from, bytes }, at);
            }
            Some(StreamNews { cluster, event }) = feeds.streams.recv() => engine.take_now(Input::Stream { cluster, event }),
            Some(question) = feeds.questions.recv() => engine.question(question),
            facts = feeds.facts.recv() => match facts {
                Some(around) => {
                    engine.looked_around(&around);
                    engine.network(around.facts);
                }
                None => return Err(Failure::Refused("nobody watches the network any more; the daemon ends so that it can be started again".into())),
            },
            Some(sight) = feeds.interfaces.recv() => engine.interfaces_looked(sight),
            said = keeping::next(&mut feeds.keeper) => match said {
                Said::Word(word, link) => {
                    link.into_iter().for_each(|link| drop(feeds.links.send_replace(engine.heed(link))));
                    engine.keeper_said(word);
                }
                Said::End(how) => {
                    feeds.keeper = None;
                    engine.keeper_ended(how);
                }
            },
            _ = feeds.heartbeat.tick() => heartbeat(),
            Some(done) = feeds.inner.recv() => engine.inner(done),
            () = tokio::time::sleep(engine.rest()) => {}
        }
        engine.tick();
    }
}

/// Takes visits, a bounded number at a time so that nothing else starves.
fn visits<K: Enforcer>(engine: &mut Engine<K>, first: Visit, visits: &mut mpsc::Receiver<Visit>) {
    let more = std::iter::from_fn(|| visits.try_recv().ok());
    for visit in std::iter::once(first).chain(more).take(VISITS_PER_TURN) {
        let seen = visit.at.mono;
        engine.take(Input::Visit(visit), seen);
    }
}

/// Waits for what the kernel saw; for ever if it tells nothing.
async fn readable(knocks: &mut Option<AsyncFd<Knocks>>) -> std::io::Result<AsyncFdReadyMutGuard<'_, Knocks>> {
    match knocks {
        Some(knocks) => knocks.readable_mut().await,
        None => std::future::pending().await,
    }
}

/// Takes what the kernel saw, a bounded number at a time so that nothing else starves.
fn knocks<K: Enforcer>(
    engine: &mut Engine<K>,
    knocked: std::io::Result<AsyncFdReadyMutGuard<'_, Knocks>>,
) -> Result<(), Failure> {
    let mut guard = knocked.map_err(|error| Failure::Refused(format!("the kernel's reports cannot be awaited: {error}")))?;
    for _ in 0..KNOCKS_PER_TURN {
        match guard.get_inner_mut().see(honeymesh_xdp::now()) {
            Some(seen) => saw(engine, seen),
            None => {
                guard.clear_ready();
                break;
            }
        }
    }
    Ok(())
}

/// Takes one thing that the kernel saw.
fn saw<K: Enforcer>(engine: &mut Engine<K>, seen: Seen) {
    let (at, input) = match seen {
        Seen::Knock(knock) => (knock.at.mono, Input::Knock(knock)),
        Seen::Visit(visit) => (visit.at.mono, Input::Visit(visit)),
    };
    engine.take(input, at);
}

/// What is queued is written, and the kernel is held or released.
fn end<K: Enforcer>(engine: Engine<K>, on_exit: OnExit) {
    let (kernel, books) = engine.end();
    if let Err(why) = books.end() {
        tracing::error!("not everything is on the disk: {why}");
    }
    match on_exit {
        OnExit::Hold => {
            drop(kernel);
            tracing::info!("stopped; the kernel goes on enforcing until each ban's own end");
        }
        OnExit::Release => match kernel.release() {
            Ok(()) => tracing::info!("stopped; the kernel is released"),
            Err(error) => tracing::error!("stopped, but the kernel is not wholly released: {error}"),
        },
    }
}

/// Starts what must not end by itself: if one of them does, the daemon ends with an error, so that systemd restarts it.
struct Supervisor {
    /// Where clients are served.
    outside: Handle,
    broken: mpsc::Sender<String>,
    stopped: watch::Receiver<bool>,
}

impl Supervisor {
    /// The process is started again when it ends; if whoever does that has ended, too, nobody plays any more. What is given is
    /// ready when all is over.
    fn traps(
        &self,
        traps: honeymesh_trap::Bound,
        Playing { line, mut child, pid }: Playing,
        household: Household,
    ) -> oneshot::Receiver<()> {
        tracing::info!(pid, "the traps are played in a process of their own");
        let (shutdown, outside) = (self.shutdown(), self.outside.clone());
        let (over, is_over) = oneshot::channel();
        self.watch_on(&Handle::current(), "the traps", async move {
            let _told_when_it_goes: oneshot::Sender<()> = over;
            let kept = traps.keep(line, household, shutdown).await;
            let _how = outside.spawn_blocking(move || child.wait()).await;
            kept
        });
        is_over
    }

    fn api(
        &self,
        desk: Desk,
        https: Option<Https>,
        control: std::sync::Arc<honeymesh_api::ControlSocket>,
        presence: std::sync::Arc<honeymesh_api::Presence>,
    ) {
        let api = Api::new(desk, honeymesh_api::Limits::default()).noting(presence);
        if let Some(Https { listener, tls, token }) = https {
            let (api, shutdown) = (api.clone(), self.shutdown());
            self.watch("the HTTPS API", async move { api.serve_https(listener, &tls, token, shutdown).await });
        }
        let shutdown = self.shutdown();
        self.watch("the control socket", async move { api.serve_control(&control, shutdown).await });
    }

    /// Without this process no ban is entered any more.
    fn writer(&self, mut child: Child) {
        self.watch("the process that writes to nf_tables", async move {
            tokio::task::spawn_blocking(move || child.wait()).await.map_err(std::io::Error::other)?.map(drop)
        });
    }

    /// Without this process changes of keys are not written down, which is no reason to end.
    fn clerk(&self, clerk: Clerk, mut child: Child) {
        let stopped = self.stopped.clone();
        self.outside.spawn(async move {
            let ended = tokio::task::spawn_blocking(move || child.wait()).await;
            if !*stopped.borrow() {
                clerk.set_gone();
                tracing::error!(
                    "the process that writes key files has ended ({ended:?}); restart the daemon before a change of keys"
                );
            }
        });
    }

    fn shutdown(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopped = self.stopped.clone();
        async move { drop(stopped.wait_for(|stopped| *stopped).await) }
    }

    fn watch(&self, what: &'static str, task: impl Future<Output = std::io::Result<()>> + Send + 'static) {
        self.watch_on(&self.outside, what, task);
    }

    fn watch_on(&self, runtime: &Handle, what: &'static str, task: impl Future<Output = std::io::Result<()>> + Send + 'static) {
        let running = runtime.spawn(task);
        let (broken, stopped) = (self.broken.clone(), self.stopped.clone());
        self.outside.spawn(async move {
            let ended = running.await;
            if *stopped.borrow() {
                return;
            }
            let why = match ended {
                Ok(Ok(())) => "ended by itself".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            output::complain(&format!("honeymesh: {what} broke: {why}"));
            let _ = broken.try_send(format!("{what} broke: {why}; the daemon ends so that it can be started again"));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever is killed as it ends neither keeps what it knows nor gives the kernel back.
    #[test]
    fn systemd_waits_twice_as_long_as_the_daemon_may_take_to_end() {
        let unit = include_str!("../../../packaging/systemd/honeymesh.service");
        let waits = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")?.parse().ok()).map(Duration::from_secs);
        let ending = keeping::END_MAX + FAREWELL_MAX + books::END_PATIENCE + 2 * GRACE;
        assert!(waits.unwrap() >= 2 * ending, "{waits:?} for {ending:?}");
    }
}
