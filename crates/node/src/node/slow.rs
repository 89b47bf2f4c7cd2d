//! Slow, wide scans: what this node tells of its touches, what it hears of others', and when they add up.
//!
//! Only finished handshakes with dark ports are told: nobody forges them. A page of them is a signed record like any other, but it bans
//! nobody, is not kept over a restart and crosses no bridge. Each node decides by itself, about sources that it has met itself.

use super::{Cluster, Node};
use alloc::{
    collections::{BTreeMap, VecDeque},
    string::{String, ToString},
    vec::Vec,
};
use core::{net::SocketAddr, time::Duration};
use honeymesh_detect::{Saw, SlowPolicy, TOUCHES_OWN_MAX, Told, Touches, Verdict, Witness, judge_slow};
use honeymesh_mesh_proto::{
    Record, Said, Signed, Statement, Touch,
    limits::{FUTURE_MAX, TOUCH_PAGE_BYTES_MAX},
};
use honeymesh_types::{EventKind, Grade, Mode, MonoTime, NodeId, NodeName, Reasons, Subject, Transport, Trust, WallTime};

/// How long a touch waits for others, so that they share a page.
pub const TOUCHES_WAIT: Duration = Duration::from_secs(1);
/// A node says one page at most in this time, in each cluster.
pub const TOUCHES_EVERY: Duration = Duration::from_secs(10);
/// How often what has left the window is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// The touches that this node has seen itself.
#[derive(Default)]
pub(super) struct Slow {
    own: Touches,
    forget_at: MonoTime,
}

/// What one cluster says and hears of touches.
pub(super) struct SlowCluster {
    pub(super) policy: SlowPolicy,
    told: Told,
    /// What the peers that have told something call themselves.
    names: BTreeMap<NodeId, NodeName>,
    page: Page,
    lost: u64,
}

/// The page that this node is writing. It is said again with each new touch until it is full, and replaces itself.
#[derive(Default)]
struct Page {
    number: u64,
    touches: Vec<Touch>,
    waiting: VecDeque<Touch>,
    due: Option<MonoTime>,
    not_before: MonoTime,
}

impl SlowCluster {
    pub(super) fn new(policy: SlowPolicy) -> Self {
        Self { policy, told: Told::default(), names: BTreeMap::new(), page: Page::default(), lost: 0 }
    }

    /// When the next page is due.
    pub(super) const fn wake_at(&self) -> Option<MonoTime> {
        self.page.due
    }

    /// Touches of peers that are remembered.
    pub(super) const fn held(&self) -> usize {
        self.told.len()
    }

    /// Touches that were not told, or not taken in, for want of room.
    pub(super) const fn lost(&self) -> u64 {
        self.lost.saturating_add(self.told.lost())
    }

    fn tell(&mut self, touch: Touch, now: MonoTime) {
        if self.page.waiting.len() >= TOUCHES_OWN_MAX {
            self.page.waiting.pop_front();
            self.lost = self.lost.saturating_add(1);
        }
        self.page.waiting.push_back(touch);
        let due = now.plus(TOUCHES_WAIT).max(self.page.not_before);
        self.page.due.get_or_insert(due);
    }

    /// What is to be said now, if it is time.
    fn due(&mut self, now: honeymesh_types::Now) -> Option<Said> {
        self.page.due.take_if(|due| *due <= now.mono)?;
        let said = self.page.write(now.wall, self.policy.window);
        self.page.not_before = now.mono.plus(TOUCHES_EVERY);
        self.page.due = (!self.page.waiting.is_empty()).then_some(self.page.not_before);
        said
    }
}

impl Page {
    /// Fills the page with what waits; a full one is turned first.
    fn write(&mut self, now: WallTime, window: Duration) -> Option<Said> {
        let since = now.minus(window);
        self.touches.retain(|touch| touch.at >= since);
        self.waiting.retain(|touch| touch.at >= since);
        let mut room = TOUCH_PAGE_BYTES_MAX.saturating_sub(self.touches.iter().map(Touch::weight).sum());
        if self.number == 0 || self.waiting.front().is_some_and(|next| next.weight() > room) {
            self.number = now.as_millis().max(self.number + 1);
            self.touches.clear();
            room = TOUCH_PAGE_BYTES_MAX;
        }
        while let Some(next) = self.waiting.pop_front_if(|next| next.weight() <= room) {
            room -= next.weight();
            self.touches.retain(|known| (known.source, known.port) != (next.source, next.port));
            self.touches.push(next);
        }
        let touches = self.touches.clone();
        (!touches.is_empty()).then_some(Said::Touches { page: self.number, ttl: window, touches })
    }
}

impl Cluster {
    /// Does the word of this node about its touches count for anything here?
    fn hears(&self, node: &NodeId) -> bool {
        !self.revoked_here.contains(node)
    }
}

impl Node {
    /// A source has finished a handshake with a dark port of this node, and that alone is no scan.
    pub(super) fn touched(&mut self, source: SocketAddr, port: u16) {
        let subject = self.subject_of(source.ip());
        let windows = self.clusters.iter().filter_map(|cluster| cluster.slow.as_ref()).map(|slow| slow.policy.window);
        let Some(window) = windows.max() else { return };
        let (now, mono) = (self.now.wall, self.now.mono);
        let is_news = self.slow.own.note(subject, port, now, window);
        let is_told = is_news && self.held_mode() != Mode::Observe && !self.is_canary(&subject);
        // Whom nobody here may ban is nobody's business elsewhere either.
        let is_told = is_told && self.ledger.protection(&subject).is_none();
        for cluster in 0..self.clusters.len() {
            if let Some(slow) = self.clusters.get_mut(cluster).and_then(|known| known.slow.as_mut()).filter(|_| is_told) {
                slow.tell(Touch { source: subject, port, at: now }, mono);
            }
            self.weigh_touches(cluster, subject);
        }
    }

    /// A peer's page of touches. It says nothing against anybody by itself.
    pub(super) fn hear_touches(&mut self, cluster: usize, signed: &Signed) {
        let record = &signed.record;
        let Said::Touches { touches, .. } = &record.said else { return };
        self.counters.touch_pages += 1;
        self.test_by_canary(cluster, signed);
        let now = self.now.wall;
        let Some(known) = self.clusters.get_mut(cluster).filter(|known| known.mesh.identity() != record.origin) else { return };
        let Some(slow) = known.slow.as_mut() else { return };
        let (since, until) = (now.minus(slow.policy.window), now.plus(FUTURE_MAX));
        let counts = touches.iter().filter(|touch| since <= touch.at && touch.at <= until);
        let news = counts.filter(|touch| slow.told.learn(record.origin, touch.source, touch.port, touch.at));
        let mut sources: Vec<Subject> = news.map(|touch| touch.source).collect();
        sources.dedup();
        if slow.told.knows(&record.origin) {
            slow.names.insert(record.origin, record.origin_name.clone());
        }
        for source in sources {
            self.weigh_touches(cluster, source);
        }
    }

    /// Do the touches of a source that this node has met add up to a scan?
    fn weigh_touches(&mut self, cluster: usize, source: Subject) {
        let Some(policy) = self.clusters.get(cluster).and_then(|known| known.slow.as_ref()).map(|slow| slow.policy) else {
            return;
        };
        let since = self.now.wall.minus(policy.window).max(self.lifted_at(cluster, source));
        let mut ports: Vec<u16> = self.slow.own.of(source, since).map(|(port, _)| port).collect();
        if ports.is_empty() || self.is_banned_for_scans(source) {
            return;
        }
        ports.dedup();
        let others = self.who_saw(cluster, source, since);
        let quorum = self.clusters.get(cluster).map_or(usize::MAX, |known| usize::from(known.quorum.owners));
        if let Some(verdict) = judge_slow(ports.len(), &others, self.handshakes.threshold(), quorum, policy) {
            self.slow_scan(cluster, source, &ports, &others, &verdict);
        }
    }

    /// What was seen before somebody lifted the ban of a source counts no more.
    fn lifted_at(&self, cluster: usize, source: Subject) -> WallTime {
        let records = self.clusters.get(cluster).map(|known| known.mesh.records(&source)).unwrap_or_default();
        records.iter().filter(|signed| signed.record.is_unban()).map(|signed| signed.record.at.wall()).max().unwrap_or_default()
    }

    /// The peers that are believed here and have met a source since then.
    fn who_saw(&self, cluster: usize, source: Subject, since: WallTime) -> Vec<Saw> {
        let Some((known, slow)) = self.clusters.get(cluster).and_then(|known| Some((known, known.slow.as_ref()?))) else {
            return Vec::new();
        };
        let saw = |(node, ports): (NodeId, usize)| {
            let name = slow.names.get(&node).cloned();
            let trust = self.trust_in(cluster, &node, name.as_ref());
            let witness = match self.owner_of(cluster, &node, name.as_ref()) {
                // Who may ban alone counts alone, whoever runs it.
                Some(owner) if trust < Trust::Enforce => Witness::Owner(owner),
                _ => Witness::Node(node),
            };
            let name = name.as_ref().map_or_else(|| short(node), NodeName::to_string);
            let saw = Saw { witness, name, alone: trust >= Trust::Enforce, ports };
            (trust > Trust::Observe && known.hears(&node)).then_some(saw)
        };
        slow.told.of(source, since).filter_map(saw).collect()
    }

    /// Is it closed out for that already, on this node's word or on another's?
    fn is_banned_for_scans(&self, source: Subject) -> bool {
        let proven = |reasons: Reasons, grade: Grade| reasons.contains(Reasons::SCAN) && grade >= Grade::Handshake;
        let is_own = self.ledger.claims(&source).iter().any(|(claim, _)| claim.is_local() && proven(claim.reasons, claim.grade));
        is_own || self.ban(&source).is_some_and(|ban| ban.enforced && proven(ban.reasons, ban.grade))
    }

    fn slow_scan(&mut self, cluster: usize, source: Subject, ports: &[u16], others: &[Saw], verdict: &Verdict) {
        self.counters.scans += 1;
        self.counters.slow_scans += 1;
        let mut event = self.event(EventKind::Scan);
        event.source = Some(source.addr());
        event.subject = Some(source);
        event.transport = Some(Transport::Tcp);
        let nodes: Vec<String> = others.iter().map(|saw| saw.name.clone()).collect();
        let fields = [
            ("cluster", self.cluster_name(cluster)),
            ("ports", super::evidence::list(ports)),
            ("also_touched", nodes.join(", ")),
            ("witnesses", (others.len() + 1).to_string()),
        ];
        event.fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        self.bring_noted(source, verdict, event, None, false, verdict.findings.first().cloned());
    }

    /// Somebody was freed: what this node saw of him so far counts no more.
    pub(super) fn forgive_touches(&mut self, source: Subject) {
        self.slow.own.forget(source);
        for slow in self.clusters.iter_mut().filter_map(|known| known.slow.as_mut()) {
            slow.page.waiting.retain(|touch| touch.source != source);
            slow.page.touches.retain(|touch| touch.source != source);
        }
    }

    /// A node was turned away: what it told goes with it.
    pub(super) fn forget_touches(&mut self, cluster: usize, node: &NodeId) {
        if let Some(slow) = self.clusters.get_mut(cluster).and_then(|known| known.slow.as_mut()) {
            slow.told.forget_peer(node);
        }
    }

    /// Says the pages that are due, and forgets what has left the window.
    pub(super) fn wake_touches(&mut self) {
        for cluster in 0..self.clusters.len() {
            let Some(known) = self.clusters.get_mut(cluster) else { continue };
            let Some(said) = known.slow.as_mut().and_then(|slow| slow.due(self.now)) else { continue };
            let mut effects = Vec::new();
            let Said::Touches { touches, .. } = &said else { continue };
            let Some(subject) = touches.first().map(|touch| touch.source) else { continue };
            let published = known.mesh.publish(Statement { subject, said }, self.now, &mut effects);
            self.counters.touch_pages_said += u64::from(published.is_ok());
            self.take_effects(cluster, effects);
        }
        if self.slow.forget_at <= self.now.mono {
            self.slow.forget_at = self.now.mono.plus(FORGET_EVERY);
            self.forget_old_touches();
        }
    }

    fn forget_old_touches(&mut self) {
        let mut longest = Duration::ZERO;
        for slow in self.clusters.iter_mut().filter_map(|known| known.slow.as_mut()) {
            slow.told.expire(self.now.wall.minus(slow.policy.window));
            slow.names.retain(|node, _| slow.told.knows(node));
            longest = longest.max(slow.policy.window);
        }
        self.slow.own.expire(self.now.wall.minus(longest));
    }

    /// Own touches and peers' that are remembered, and those that were lost for want of room.
    pub(super) fn count_touches(&self) -> (usize, u64) {
        let clusters = || self.clusters.iter().filter_map(|known| known.slow.as_ref());
        let held = self.slow.own.len() + clusters().map(SlowCluster::held).sum::<usize>();
        (held, clusters().map(SlowCluster::lost).fold(self.slow.own.lost(), u64::saturating_add))
    }
}

/// The first digits of an identity, for one that has told no name.
fn short(node: NodeId) -> String {
    node.to_string().chars().take(8).collect()
}

/// The sources that a record accuses or names: whom a canary test looks at.
pub(super) fn named_in(record: &Record) -> Vec<Subject> {
    match &record.said {
        Said::Ban { .. } => [record.subject].into(),
        Said::Touches { touches, .. } => touches.iter().map(|touch| touch.source).collect(),
        Said::Unban => Vec::new(),
    }
}
