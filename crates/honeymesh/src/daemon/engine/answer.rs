//! Questions from the desk, and their answers.

use super::Engine;
use crate::daemon::{enforcer::Enforcer, show};
use honeymesh_api::{Question, Refusal, RefusalKind, Reply, Request, Response};
use honeymesh_format::{BanJson, DoneJson, EventJson, EventQuery, Ttl};
use honeymesh_node::{Done, Lifetime, Order, Reach, Refused};
use honeymesh_types::{Ban, ClusterName, NodeName, Subject};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

/// How many events the chain behind an address shows.
const WHY_EVENTS_MAX: u64 = 50;

/// Who waits for the reply to an order.
#[derive(Debug)]
pub struct Asker {
    /// The way back; `None`: nobody.
    pub reply: Option<Reply>,
}

impl Asker {
    /// Somebody who waits for the reply.
    const fn new(reply: Reply) -> Self {
        Self { reply: Some(reply) }
    }

    /// Nobody waits.
    pub const fn nobody() -> Self {
        Self { reply: None }
    }
}

impl<K: Enforcer> Engine<K> {
    /// Takes a question; its answer may come later.
    pub fn question(&mut self, question: Question) {
        let (request, reply) = question.split();
        match request {
            Request::Status => reply.answer(Ok(Response::Status(Box::new(self.status())))),
            Request::Bans(query) => self.list(query, reply),
            Request::Events(query) => self.events(query, reply),
            Request::Payload(hash) => self.payload(hash, reply),
            Request::Why(addr) => self.why(addr, reply),
            Request::AllowList => reply.answer(Ok(Response::Allow(show::allow(&self.node)))),
            Request::Peers => {
                let quarantined: Vec<_> = self.node.quarantined().collect();
                reply.answer(Ok(Response::Peers(show::peers(&self.node.peers(), &quarantined, (self.clock)()))));
            }
            Request::Ban(order) => {
                let lifetime = lifetime(order.ttl);
                let (subject, note, reach, force) = (order.subject, order.note, reach(order.local), order.force);
                self.order(Order::Ban { subject, lifetime, note, reach, force }, Asker::new(reply));
            }
            Request::Unban(order) => {
                let order = Order::Unban { subject: order.subject, reach: reach(order.local), wait: order.wait };
                self.order(order, Asker::new(reply));
            }
            Request::AllowAdd(net) => self.order(Order::AllowAdd(net), Asker::new(reply)),
            Request::AllowRemove(net) => self.order(Order::AllowRemove(net), Asker::new(reply)),
            Request::Pardon(node) => self.order(Order::Pardon(node), Asker::new(reply)),
            Request::SetMode(mode) => self.order(Order::SetMode(mode), Asker::new(reply)),
            Request::LockDown { within } => self.order(Order::LockDown { within }, Asker::new(reply)),
            Request::ConfirmLockdown => self.order(Order::ConfirmLockdown, Asker::new(reply)),
            Request::JoinToken { cluster, ttl, owner } => self.join_token(cluster, ttl, owner, reply),
            Request::Revoke { who, revoked } => self.order(Order::Revoke { who, revoked }, Asker::new(reply)),
            Request::KeyRotate { cluster, new } => self.rotate_key(&cluster, new, reply),
            Request::Export { format, query, sink } => {
                reply.answer(self.books.export(format, query, sink).map(|()| Response::Exporting));
            }
        }
    }

    fn join_token(&mut self, cluster: ClusterName, ttl: Duration, owner: Option<NodeName>, reply: Reply) {
        let mut secret = [0; 32];
        if let Err(error) = getrandom::fill(&mut secret) {
            let refusal = format!("the kernel gives no random bytes: {error}; try again");
            return reply.answer(Err(Refusal::new(RefusalKind::Broken, refusal)));
        }
        self.order(Order::JoinToken { cluster, ttl, owner, secret }, Asker::new(reply));
    }

    fn events(&self, query: EventQuery, reply: Reply) {
        self.books.read(move |books| reply.answer(books.page(&query).map(Response::Events)));
    }

    fn payload(&self, hash: [u8; 32], reply: Reply) {
        self.books.read(move |books| reply.answer(books.payload(hash).map(|payload| Response::Payload(Box::new(payload)))));
    }

    fn why(&self, addr: IpAddr, reply: Reply) {
        let why = self.node.why(addr);
        let subjects = why.bans.iter().flat_map(|ban| [Some(ban.ban.subject), ban.group]).flatten();
        let refused: BTreeSet<Subject> =
            why.bans.iter().map(|ban| ban.ban.subject).filter(|subject| self.is_refused(subject)).collect();
        let drops: BTreeMap<Subject, u64> = subjects.map(|subject| (subject, self.kernel.drops(&subject))).collect();
        self.books.read(move |books| {
            let query = EventQuery { subject: Some(Subject::host(addr)), limit: Some(WHY_EVENTS_MAX), ..EventQuery::default() };
            let events: Vec<EventJson> = match books.page(&query) {
                Ok(page) => page.items,
                Err(refusal) => return reply.answer(Err(refusal)),
            };
            let of = |subject: &Subject| drops.get(subject).copied().unwrap_or(0);
            reply.answer(Ok(Response::Why(Box::new(show::why(&why, of, &refused, events)))));
        });
    }

    fn status(&self) -> honeymesh_format::StatusJson {
        let kernel = self.kernel.counters();
        let mut warnings = self.warnings.clone();
        warnings.extend(kernel.as_ref().err().map(|error| format!("the kernel's counters cannot be read: {error}")));
        warnings.extend(self.live_warnings());
        show::status(show::Parts {
            node: &self.node.status(),
            kernel: kernel.unwrap_or_default(),
            interfaces: self.keeping.interfaces(),
            probe: self.keeping.probe(),
            keeper: self.keeping.keeper(),
            traps: self.traps.read(),
            house: self.traps.house(),
            trap_process: self.players.json(self.traps.house()),
            clusters: show::clusters(
                &self.node.peers(),
                &self.listen,
                &self.streams.iter().map(honeymesh_mesh::Streams::traffic).collect::<Vec<_>>(),
            ),
            audit: self.audits.last.clone(),
            store: self.books.status(),
            refused_bans: self.refusals.counts(),
            refused_and_drifted: (self.troubles.refused, self.audits.drifted),
            counts: &self.counts,
            user: &self.user,
            clerk: self.keys.iter().find_map(|keys| Some(keys.clerk.as_ref()?.0.counts())).unwrap_or_default(),
            warnings,
            started: self.started.wall,
            ready: self.ready,
            now: (self.clock)(),
        })
    }

    /// What came up while running.
    fn live_warnings(&self) -> impl Iterator<Item = String> {
        let refused = self.troubles.refused;
        let last = self.troubles.last.clone().filter(|_| refused > 0);
        let kernel = last.map(|last| format!("{refused} changes were refused by the kernel, the last one: {last}"));
        let withheld = self.shield.warning();
        let off = self.keeping.warnings((self.clock)().mono);
        let players = self.players.warning((self.clock)().mono);
        let lost = self.books.status().lost;
        let lost = (lost > 0)
            .then(|| format!("{lost} bans or records could not be queued for the store and will be forgotten at the next start"));
        let posted: u64 =
            self.posts.iter().map(|post| post.counters().read()).map(|traffic| traffic.queue_full + traffic.would_block).sum();
        let posted = (posted > 0)
            .then(|| format!("{posted} mesh datagrams were lost on this machine because it was too busy; the mesh repairs that"));
        let admission = crate::daemon::admission::warnings(&self.node.peers(), (self.clock)());
        let log = crate::daemon::logs::dropped();
        let log = (log > 0).then(|| format!("{log} log lines were lost because nobody read them fast enough"));
        let liars: Vec<String> = self.node.quarantined().map(show::quarantine_warning).collect();
        let rotations = self.rotations.iter().filter_map(|rotation| self.keys.get(rotation.place));
        let rotations = rotations.map(|keys| format!("a change of keys is under way in cluster {}", keys.cluster));
        let clerk = self.keys.iter().filter_map(|keys| keys.clerk.as_ref()).any(|(clerk, _)| clerk.is_gone());
        let clerk = clerk.then(|| "nobody writes key files any more: restart the daemon before a change of keys".to_owned());
        let all = kernel
            .into_iter()
            .chain(self.audits.warning())
            .chain(withheld)
            .chain(self.unseen.clone())
            .chain(off)
            .chain(self.crowd.warning())
            .chain(players)
            .chain(lost)
            .chain(posted)
            .chain(admission)
            .chain(log)
            .chain(liars)
            .chain(clerk);
        all.chain(rotations.collect::<Vec<_>>())
    }
}

const fn reach(local: bool) -> Reach {
    if local { Reach::Here } else { Reach::Mesh }
}

const fn lifetime(ttl: Ttl) -> Lifetime {
    match ttl {
        Ttl::Configured => Lifetime::Default,
        Ttl::Forever => Lifetime::Forever,
        Ttl::For(duration) => Lifetime::For(duration),
    }
}

/// What was done, as users read it; `is_refused` knows which bans the kernel has refused. An unban that neither lifted anything nor was said to anybody found nothing.
pub fn done(done: &Done, drops: impl Fn(&Subject) -> u64, is_refused: impl Fn(&Subject) -> bool) -> Result<Response, Refusal> {
    let json = |ban: &Ban| BanJson::new(ban, drops(&ban.subject)).if_refused(is_refused(&ban.subject));
    let names = |clusters: &[honeymesh_types::ClusterName]| clusters.iter().map(ToString::to_string).collect();
    let mut answer = DoneJson { detail: done.to_string(), changed: true, ..DoneJson::default() };
    match done {
        Done::Banned { ban, changed, clusters, .. } => {
            answer.changed = *changed;
            answer.bans = vec![json(ban)];
            answer.clusters = names(clusters);
        }
        Done::Unbanned { was: None, clusters, covered_by, .. } if clusters.is_empty() && covered_by.is_empty() => {
            return Err(Refusal::new(RefusalKind::NotFound, done.to_string()));
        }
        Done::Unbanned { was, clusters, covered_by, confirmed, unconfirmed, .. } => {
            answer.changed = was.is_some();
            answer.bans = covered_by.iter().map(json).collect();
            answer.clusters = names(clusters);
            // Whoever waited is told of itself at least.
            let has_waited = !confirmed.is_empty();
            answer.confirmed = has_waited.then(|| confirmed.clone());
            answer.unconfirmed = has_waited.then(|| unconfirmed.clone());
        }
        Done::Allowed { changed, .. } | Done::LockdownConfirmed { changed, .. } => answer.changed = *changed,
        Done::ModeSet { mode, before } => answer.changed = mode != before,
        Done::Token { token, .. } => answer.token = Some(token.to_text().to_string()),
        Done::Revoked { everywhere, here, .. } => answer.clusters = names(&[everywhere.clone(), here.clone()].concat()),
        Done::Disallowed { .. } | Done::Pardoned { .. } | Done::LockedDown { .. } | Done::KeysChanged { .. } => {}
    }
    Ok(Response::Done(answer))
}

/// A refusal of the node, with the status that fits.
pub fn refused(refused: &Refused) -> Refusal {
    let kind = match refused {
        Refused::NoTime | Refused::ConfirmWithin | Refused::OwnNode(_) | Refused::AmbiguousNode { .. } => RefusalKind::Bad,
        Refused::UnknownNode(_) | Refused::NotAllowed(_) | Refused::UnknownCluster(_) | Refused::NotQuarantined(_) => {
            RefusalKind::NotFound
        }
        Refused::Ledger(_)
        | Refused::AllowFull(_)
        | Refused::Ambiguous(_)
        | Refused::NothingToConfirm
        | Refused::Keys(_)
        | Refused::RevokedFull(_)
        | Refused::Deed(_)
        | Refused::Token(_) => RefusalKind::Conflict,
    };
    Refusal::new(kind, refused.to_string())
}
