//! The one owner: feeds the node one input at a time and carries out each of its outputs, in order.
//!
//! Nothing here waits. The kernel's tables are memory (or, without XDP, an answer of a process that does nothing else), the store is a queue, a datagram that the socket refuses is
//! lost (the mesh repairs that), and listeners are told through a broadcast that drops what they cannot take.

mod answer;
mod audit;
mod crowd;
mod keeping;
mod listing;
mod playing;
mod refusals;
mod rotation;
mod shield;
#[cfg(test)]
mod tests;
mod trouble;

use super::{
    books::{Books, Committed},
    checks::{Checks, Done as CheckDone, Job},
    enforcer::Enforcer,
    facts::Around,
    keys::{ClusterKeys, Rotation},
    post::{Sender, obey},
};
use answer::Asker;
use audit::Audits;
use crowd::Crowd;
use honeymesh_api::{Desk, Refusal, RefusalKind, Response};
use honeymesh_format::CountsJson;
use honeymesh_mesh::Streams;
use honeymesh_node::{Done, Input, NetworkFacts, Node, Order, OrderId, Output, Refused};
use honeymesh_trap::{Dismisser, StatusReader};
use honeymesh_types::{Enforcement, Event, EventKind, Mode, MonoTime, Now, Scope, Subject};
use honeymesh_xdp::Drift;
use keeping::Keeping;
use listing::Listing;
use playing::Players;
use refusals::Refusals;
use shield::Shield;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Duration,
};
use tokio::sync::mpsc;
use trouble::Troubles;

/// What was done on another thread for the engine. At most one of each kind is under way, and of the checks as many as
/// [`honeymesh_mesh_proto::limits::CHECK_BATCHES_MAX`] for each cluster.
pub enum Inner {
    /// Signatures were checked.
    Checked(CheckDone),
    /// A new key was read.
    Key(rotation::NewKeyRead),
    /// The kernel's tables were read.
    Looked(audit::Looked),
}

/// With so many bans, making the whole table equal at once would keep new bans waiting: the audit does it in parts.
const RECONCILED_AT_ONCE_MAX: usize = 2_000;

/// What becomes of an entry that was refused.
const TRIED_AGAIN: &str = "it is tried again with every audit";

/// Everything an engine is made of.
pub struct Parts<K> {
    /// The brain, restored.
    pub node: Node,
    /// The kernel.
    pub kernel: K,
    /// The store.
    pub books: Books,
    /// One per cluster, in the order of the configuration.
    pub posts: Vec<Sender>,
    /// One per cluster, in the same order.
    pub streams: Vec<Streams>,
    /// Where the clusters listen, in the same order.
    pub listen: Vec<SocketAddr>,
    /// The clusters' keys, in the same order.
    pub keys: Vec<ClusterKeys>,
    /// Where what was done elsewhere comes back to [`Engine::inner`].
    pub inner: mpsc::UnboundedSender<Inner>,
    /// The traps' counters.
    pub traps: StatusReader,
    /// Ends the traps' sessions with whoever was banned.
    pub dismisser: Dismisser,
    /// Whoever listens.
    pub desk: Desk,
    /// What an operator should mend, found at the start.
    pub warnings: Vec<String>,
    /// Whom the daemon runs as.
    pub user: String,
    /// Both clocks.
    pub clock: fn() -> Now,
}

/// The one owner of node and kernel.
pub struct Engine<K> {
    node: Node,
    kernel: K,
    books: Books,
    posts: Vec<Sender>,
    streams: Vec<Streams>,
    listen: Vec<SocketAddr>,
    traps: StatusReader,
    dismisser: Dismisser,
    desk: Desk,
    warnings: Vec<String>,
    user: String,
    clock: fn() -> Now,
    started: Now,
    counts: CountsJson,
    waiting: BTreeMap<OrderId, Asker>,
    last_order: u64,
    listings: VecDeque<Listing>,
    rotations: Vec<Rotation>,
    keys: Vec<ClusterKeys>,
    inner: mpsc::UnboundedSender<Inner>,
    audits: Audits,
    troubles: Troubles,
    refusals: Refusals,
    keeping: Keeping,
    crowd: Crowd,
    shield: Shield,
    players: Players,
    /// What cannot be looked at of the network around.
    unseen: Option<String>,
    checks: Checks,
    outputs: Vec<Output>,
    ready: bool,
}

/// What one input did to the kernel, for the evidence of how fast it was.
struct Turn {
    /// When the evidence came into user space.
    evidence: MonoTime,
    /// Whose entries are in the kernel now, and when they were.
    raised: Vec<(Subject, MonoTime)>,
    /// Whether the store was told something.
    kept: bool,
    /// What of mode, lockdown and never-ban set the kernel refused, each once.
    unmet: Vec<Unmet>,
    /// The entries that it refused, and why.
    refused_bans: BTreeMap<Subject, String>,
    /// Why it lets somebody in no earlier, or does not hold all bans.
    refused_else: Option<String>,
}

/// What was refused of what lasts.
struct Unmet {
    what: &'static str,
    why: String,
    /// Is it not tried again?
    is_final: bool,
}

impl<K: Enforcer> Engine<K> {
    /// An engine that has done nothing yet.
    #[must_use]
    pub fn new(mut parts: Parts<K>) -> Self {
        let started = (parts.clock)();
        let look = parts.kernel.take_look();
        let inner = parts.inner.clone();
        // Nobody listens any more when the loop has ended.
        let checks = Checks::start(parts.keys.len(), move |done| drop(inner.send(Inner::Checked(done))));
        parts.node.check_elsewhere();
        Self {
            node: parts.node,
            kernel: parts.kernel,
            books: parts.books,
            posts: parts.posts,
            streams: parts.streams,
            listen: parts.listen,
            traps: parts.traps,
            dismisser: parts.dismisser,
            desk: parts.desk,
            warnings: parts.warnings,
            user: parts.user,
            clock: parts.clock,
            started,
            counts: CountsJson::default(),
            waiting: BTreeMap::new(),
            last_order: 0,
            listings: VecDeque::new(),
            rotations: Vec::new(),
            keys: parts.keys,
            inner: parts.inner,
            audits: Audits::new(started.mono, look),
            troubles: Troubles::default(),
            refusals: Refusals::default(),
            keeping: Keeping::default(),
            crowd: Crowd::default(),
            shield: Shield::default(),
            players: Players::default(),
            unseen: None,
            checks,
            outputs: Vec::new(),
            ready: false,
        }
    }

    /// Brings the restored node and the kernel together: the network, the never-ban set, what else the restoration came to, then the tables.
    /// Of several never-ban sets only the last one is said, for it alone is whole: one from before the network was known would take own
    /// addresses, gateways and operators out of a kernel that drops meanwhile, and would do for a lockdown.
    pub fn begin(&mut self, mut restored: Vec<Output>, facts: NetworkFacts) {
        let now = (self.clock)();
        // Before anything is said: a stored ban must not hit an address that is ours by now, and a lockdown must not keep out whoever is
        // logged in.
        self.own_addresses(&facts);
        self.node.handle(Input::Network(facts), now, &mut restored);
        restored.retain(|output| *output != Output::Reconcile);
        let mut sets: Vec<_> = restored.extract_if(.., |output| matches!(output, Output::Protect(_))).collect();
        sets.drain(..sets.len().saturating_sub(1));
        let lockdowns: Vec<_> = restored.extract_if(.., |output| matches!(output, Output::Lockdown(_))).collect();
        for outputs in [sets, restored, lockdowns] {
            self.carry_out(outputs, now.mono, now);
        }
        self.reconcile();
        self.interfaces_seen(self.kernel.interfaces());
    }

    /// The keeper keeps.
    pub fn keeper_began(&mut self, pid: u32) {
        let now = (self.clock)().mono;
        self.keeping.began(pid, now);
    }

    /// Takes a link that the keeper has made; all that are to be looked at now.
    pub fn heed(&mut self, link: honeymesh_xdp::LinkHandle) -> Vec<honeymesh_xdp::LinkHandle> {
        self.kernel.heed(link)
    }

    /// Everything is up.
    pub fn set_ready(&mut self) {
        self.ready = true;
    }

    /// Takes one thing that happened, and what is checked for it here. `evidence` is when it came into user space.
    pub fn take(&mut self, input: Input, evidence: MonoTime) {
        self.take_one(input, evidence);
        while let Some(CheckDone { cluster, verdicts, evidence }) = self.checks.next_here() {
            self.take_one(Input::Checked { cluster, verdicts }, evidence);
        }
    }

    fn take_one(&mut self, input: Input, evidence: MonoTime) {
        let now = (self.clock)();
        let mut outputs = std::mem::take(&mut self.outputs);
        self.node.handle(input, now, &mut outputs);
        self.outputs = self.carry_out(outputs, evidence, now);
    }

    /// The same for what nobody measures the speed of.
    pub fn take_now(&mut self, input: Input) {
        let now = (self.clock)();
        self.take(input, now.mono);
    }

    /// Whether another datagram waits for the loop: then signatures are better checked beside it.
    pub const fn crowded(&mut self, is_crowded: bool) {
        self.checks.crowded(is_crowded);
    }

    /// Takes back what was done on another thread.
    pub fn inner(&mut self, inner: Inner) {
        match inner {
            Inner::Checked(CheckDone { cluster, verdicts, evidence }) => {
                self.take(Input::Checked { cluster, verdicts }, evidence);
            }
            Inner::Key(read) => self.key_read(read),
            Inner::Looked(looked) => self.looked(looked),
        }
    }

    /// Takes a change of the network: what is ours is known to the kernel before anything is judged by it.
    pub fn network(&mut self, facts: NetworkFacts) {
        self.own_addresses(&facts);
        let now = (self.clock)();
        self.take(Input::Network(facts), now.mono);
    }

    /// Takes what of the network cannot be looked at.
    pub fn looked_around(&mut self, around: &Around) {
        self.unseen = around.warning();
    }

    fn own_addresses(&mut self, facts: &NetworkFacts) {
        if let Err(error) = self.kernel.set_local(&facts.own) {
            self.trouble("own addresses", None, &error);
        }
    }

    /// How long the loop may sleep at most; zero if there is something to do at once.
    #[must_use]
    pub fn rest(&self) -> Duration {
        if !self.listings.is_empty() {
            return Duration::ZERO;
        }
        let now = (self.clock)().mono;
        let due = [self.node.wake_at(), self.audits.due(), self.rotation_due()].into_iter().flatten().min();
        due.map_or(Duration::from_secs(1), |due| due.since(now))
    }

    /// Does what has fallen due.
    pub fn tick(&mut self) {
        let now = (self.clock)();
        if self.node.wake_at().is_some_and(|due| due <= now.mono) {
            self.take(Input::Wake, now.mono);
        }
        self.audit_some();
        self.rotate(now.mono);
        self.list_some();
    }

    /// What drops packets.
    pub const fn kernel(&self) -> &K {
        &self.kernel
    }

    /// The mode that is wanted by now, whatever the configuration file says.
    pub fn mode(&self) -> Mode {
        self.node.status().mode
    }

    /// Ends: everything is on the disk, and the kernel is handed back.
    pub fn end(self) -> (K, Books) {
        (self.kernel, self.books)
    }

    /// Carries out all outputs and gives the emptied list back.
    fn carry_out(&mut self, mut outputs: Vec<Output>, evidence: MonoTime, now: Now) -> Vec<Output> {
        let mut turn = Turn {
            evidence,
            raised: Vec::new(),
            kept: false,
            unmet: Vec::new(),
            refused_bans: BTreeMap::new(),
            refused_else: None,
        };
        for output in outputs.drain(..) {
            self.carry_out_one(output, &mut turn, now);
        }
        self.lock_withheld();
        outputs
    }

    fn carry_out_one(&mut self, output: Output, turn: &mut Turn, now: Now) {
        match output {
            Output::Enforce(what) => self.enforce(&what, turn, now),
            Output::Release(subject) => self.release(subject, turn),
            Output::Protect(nets) => self.protect(&nets, turn),
            Output::Enforcing(on) => {
                self.keeping.mode_set = Some(now.mono);
                let done = self.kernel.set_enforcing(on);
                self.setting("the mode", done, turn);
            }
            Output::Lockdown(lockdown) => self.lock(lockdown, turn),
            Output::Reconcile if self.ready && self.node.status().ledger.bans > RECONCILED_AT_ONCE_MAX => {
                // All is wanted now, or nothing: what is refused of it the audit finds.
                self.entries_settled();
                self.audit_soon();
            }
            Output::Reconcile => {
                let refused = self.reconcile();
                turn.refused_else = refused.or(turn.refused_else.take());
            }
            Output::Keep(keep) => {
                turn.kept = true;
                self.books.keep(keep);
            }
            Output::Send { cluster, to, bytes } => {
                if let Some(post) = self.posts.get(cluster) {
                    post.send(to, &bytes);
                }
            }
            Output::Stream { cluster, order } => {
                if let Some(streams) = self.streams.get(cluster) {
                    obey(streams, order);
                }
            }
            Output::Check { cluster, claims } => self.checks.add(Job { cluster, claims, evidence: turn.evidence }),
            Output::Tell(event) => self.tell(event, turn),
            Output::Reply { id, result } => self.reply(id, result, turn),
        }
    }

    /// What came of a setting. One that was refused stays wanted, and whoever ordered it hears of it.
    fn setting(&mut self, what: &'static str, done: Result<(), honeymesh_xdp::Error>, turn: &mut Turn) {
        if done.is_ok() {
            turn.take(what);
        }
        if let Err(error) = done {
            let is_final = is_final(&error);
            let then = match is_final {
                true => "is not tried again, and what was ordered before holds: order something else",
                false => "is said again until the kernel takes it",
            };
            turn.refuse(Unmet { what, why: format!("the kernel refused {what}: {error}; it {then}"), is_final });
            self.trouble(what, None, &error);
        }
    }

    /// Puts a ban into the kernel. Of one that closes everything, the open sessions end, too: a packet that is still on
    /// its way when the ban is lifted must not count as a new visit.
    fn enforce(&mut self, what: &Enforcement, turn: &mut Turn, now: Now) {
        match self.kernel.raise(what, now) {
            Ok(()) => {
                turn.raised.push((what.subject, (self.clock)().mono));
                self.entry_settled(&what.subject);
            }
            Err(error) => {
                turn.refused_bans.insert(what.subject, format!("the kernel refused a ban: {error}; {TRIED_AGAIN}"));
                self.entry_refused(what.subject);
                self.trouble("a ban", Some(what.subject), &error);
            }
        }
        if what.scope == Scope::All {
            self.dismisser.dismiss(&what.subject);
        }
    }

    /// Takes a ban out of the kernel.
    fn release(&mut self, subject: Subject, turn: &mut Turn) {
        self.entry_settled(&subject);
        if let Err(error) = self.kernel.lift(&subject) {
            turn.refused_else = Some(format!("the kernel refused an unban: {error}; {TRIED_AGAIN}"));
            self.trouble("an unban", Some(subject), &error);
        }
    }

    /// Makes the kernel equal to what the ledger wants; why it is not, if it refused. How bans differ is what was ordered, for all that is known; what of settings was said
    /// again is told by an audit.
    fn reconcile(&mut self) -> Option<String> {
        let now = (self.clock)();
        let intent = self.node.intent();
        match self.kernel.reconcile(&intent, now) {
            Ok(drift) if drift.is_none() => {
                self.entries_settled();
                None
            }
            Ok(Drift { missing, extra, different, settings_changed, taken, .. }) => {
                self.entries_settled();
                let (missing, extra, different) = (missing.len(), extra.len(), different.len());
                tracing::info!(missing, extra, different, "kernel tables made equal to the ledger");
                self.mended(&Drift { settings_changed, taken, ..Drift::default() });
                None
            }
            Err(error) => {
                // Which ones it holds, an audit finds.
                self.audits.called_for(now.mono);
                self.trouble("the whole ban table", None, &error);
                Some(format!("the kernel refused the whole ban table: {error}; {TRIED_AGAIN}"))
            }
        }
    }

    fn tell(&mut self, mut event: Event, turn: &Turn) {
        if event.kind == EventKind::Ban
            && let Some((_, done)) =
                turn.raised.iter().rev().find(|(raised, _)| event.subject.is_some_and(|subject| subject.is_within(&raised.net())))
        {
            let latency = done.since(turn.evidence);
            self.counts.detect_to_ban.note(latency);
            event.fields.insert("latency_us".into(), latency.as_micros().to_string());
        }
        self.tell_refused(&mut event, turn);
        self.publish(event);
    }

    /// Counts, stores, streams and logs an event.
    fn publish(&mut self, event: Event) {
        self.counts.note(&event);
        self.desk.tell(&event);
        super::journal::log(&event);
        self.books.tell(event);
    }

    /// Sends an order to the node; its reply goes to `asker`.
    fn order(&mut self, order: Order, asker: Asker) {
        self.last_order += 1;
        let id = OrderId(self.last_order);
        self.waiting.insert(id, asker);
        let now = (self.clock)();
        self.take(Input::Order { id, order }, now.mono);
    }

    /// Answers an order: at once if nothing was kept, else when the store has it on the disk.
    fn reply(&mut self, id: OrderId, result: Result<Done, Refused>, turn: &Turn) {
        self.lock_withheld();
        let Some(asker) = self.waiting.remove(&id) else { return };
        // An unban that waited for the members was kept in an earlier turn.
        let kept = turn.kept || matches!(result, Ok(Done::Unbanned { .. }));
        let answer = match result {
            Ok(done) => answer::done(&done, |subject| self.kernel.drops(subject), |subject| self.is_refused(subject)),
            Err(refused) => Err(answer::refused(&refused)),
        };
        let answer = if_taken(answer, self.unmet(turn));
        let Some(reply) = asker.reply else { return };
        if kept && answer.is_ok() {
            self.books.when_committed(move |committed| reply.answer(if_committed(answer, committed)));
        } else {
            reply.answer(answer);
        }
    }
}

/// Is it not tried again: is it too large, or cannot be on this machine?
const fn is_final(error: &honeymesh_xdp::Error) -> bool {
    matches!(error, honeymesh_xdp::Error::Full { .. } | honeymesh_xdp::Error::Options(_))
}

/// An order that is known but not in force is no success.
fn if_taken(answer: Result<Response, Refusal>, unmet: Option<&str>) -> Result<Response, Refusal> {
    let Some(why) = unmet else { return answer };
    answer.and_then(|_| {
        let words = format!("it is wanted and kept, but not in force: {why}");
        Err(Refusal::new(RefusalKind::Broken, format!("{words}; `honeymesh status` tells whether the self-probe is fine")))
    })
}

/// An order that is in force but not on the disk would be forgotten at the next start: that is no success.
fn if_committed(answer: Result<Response, Refusal>, committed: Committed) -> Result<Response, Refusal> {
    match committed {
        Ok(()) => answer,
        Err(why) => Err(Refusal::new(
            RefusalKind::Broken,
            format!(
                "it is in force, but could not be stored and will be forgotten at the next start: {why}; free disk space and repeat it"
            ),
        )),
    }
}
