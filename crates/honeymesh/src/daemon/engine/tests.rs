//! The engine with a kernel that is only pretended: what it is told, in which order, and what happens when it refuses.

mod refusals;
mod shield;
mod watch;

use super::*;
use crate::daemon::enforcer::Look;
use crate::{config::StoreSection, daemon::books::Books};
use honeymesh_api::{BanOrder, BansQuery, Request, UnbanOrder, desk};
use honeymesh_format::Ttl;
use honeymesh_node::{Config, Policy};
use honeymesh_types::{Enforcement, Lockdown, Mode, WallTime};
use honeymesh_xdp::{Counters, Drift, Error, InterfaceStatus};
use ipnet::IpNet;
use std::{
    cell::Cell,
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

/// A kernel table in memory, shared with the test, that refuses on demand.
#[derive(Clone, Default)]
struct Pretended(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    bans: BTreeMap<Subject, Enforcement>,
    allow: Vec<IpNet>,
    /// Every never-ban set that was told, in this order, taken or not.
    allows_told: Vec<Vec<IpNet>>,
    /// A never-ban set with this one in it is refused.
    refuses_allow_of: Option<IpNet>,
    /// One was taken.
    has_allow: bool,
    local: Vec<IpAddr>,
    enforcing: bool,
    /// Modes are refused, and taken when everything is made equal; or not even then.
    refuses_mode: bool,
    refuses_mode_for_long: bool,
    owes_mode: Option<bool>,
    lockdown: Lockdown,
    /// The never-ban set when the lockdown was told.
    locked_with: Vec<IpNet>,
    full: bool,
    /// What the next never-ban sets come to.
    refuses_allow: Option<fn() -> Error>,
    /// What the next time that everything is made equal finds of settings.
    reconciled: Drift,
    guarded: Drift,
    counters: Counters,
    /// What was mended in passing.
    mended: Drift,
    /// No difference can be mended.
    unmendable: bool,
    /// The tables cannot be read; the settings cannot be looked at.
    unreadable: bool,
    unguarded: bool,
    /// What a probe of its own comes to; `None`: somebody else probes.
    own_probe: Option<Result<(), String>>,
}

impl Pretended {
    fn drift(&self, intent: &[Enforcement]) -> Drift {
        let table = self.0.lock().unwrap();
        let missing = intent.iter().filter(|ban| !table.bans.contains_key(&ban.subject)).map(|ban| ban.subject);
        let wanted = |subject: &Subject| intent.iter().any(|ban| ban.subject == *subject);
        let extra = table.bans.keys().filter(|subject| !wanted(subject)).copied();
        Drift { missing: missing.collect(), extra: extra.collect(), ..Drift::default() }
    }
}

fn broken() -> Error {
    Error::Refused("it is broken".into())
}

impl Enforcer for Pretended {
    fn raise(&mut self, what: &Enforcement, _now: Now) -> Result<(), Error> {
        pass(40);
        let mut table = self.0.lock().unwrap();
        if table.full {
            return Err(Error::Full { table: "IPv4 bans", limit: 1, mend: "raise [bans] max" });
        }
        table.bans.insert(what.subject, *what);
        Ok(())
    }
    fn lift(&mut self, subject: &Subject) -> Result<bool, Error> {
        Ok(self.0.lock().unwrap().bans.remove(subject).is_some())
    }
    fn set_allow(&mut self, nets: &[IpNet]) -> Result<(), Error> {
        let mut table = self.0.lock().unwrap();
        table.allows_told.push(nets.to_vec());
        if let Some(error) = table.refuses_allow {
            return Err(error());
        }
        if table.refuses_allow_of.is_some_and(|net| nets.contains(&net)) {
            return Err(broken());
        }
        (table.allow, table.has_allow) = (nets.to_vec(), true);
        Ok(())
    }
    fn set_local(&mut self, addrs: &[IpAddr]) -> Result<(), Error> {
        self.0.lock().unwrap().local = addrs.to_vec();
        Ok(())
    }
    fn set_enforcing(&mut self, on: bool) -> Result<(), Error> {
        let mut table = self.0.lock().unwrap();
        if table.refuses_mode {
            table.owes_mode = Some(on);
            return Err(broken());
        }
        table.enforcing = on;
        Ok(())
    }
    fn set_lockdown(&mut self, lockdown: Lockdown) -> Result<(), Error> {
        let mut table = self.0.lock().unwrap();
        (table.lockdown, table.locked_with) = (lockdown, table.allow.clone());
        Ok(())
    }
    fn reconcile(&mut self, intent: &[Enforcement], _now: Now) -> Result<Drift, Error> {
        let Drift { missing, extra, .. } = self.drift(intent);
        let mut table = self.0.lock().unwrap();
        table.bans = intent.iter().map(|ban| (ban.subject, *ban)).collect();
        if !table.refuses_mode_for_long
            && let Some(on) = table.owes_mode.take()
        {
            table.enforcing = on;
        }
        Ok(Drift { missing, extra, ..std::mem::take(&mut table.reconciled) })
    }
    fn mend(&mut self, subject: &Subject, what: Option<&Enforcement>, _now: Now) -> Result<Drift, Error> {
        let mut table = self.0.lock().unwrap();
        let mut drift = Drift::default();
        if table.unmendable {
            return Err(broken());
        }
        match (table.bans.get(subject), what) {
            (None, Some(_)) => drift.missing.push(*subject),
            (Some(_), None) => drift.extra.push(*subject),
            _ => return Ok(drift),
        }
        match what {
            Some(what) => drop(table.bans.insert(*subject, *what)),
            None => drop(table.bans.remove(subject)),
        }
        Ok(drift)
    }
    fn guard(&mut self) -> Result<Drift, Error> {
        let mut table = self.0.lock().unwrap();
        if table.unguarded {
            return Err(broken());
        }
        Ok(std::mem::take(&mut table.guarded))
    }
    fn take_mended(&mut self) -> Drift {
        std::mem::take(&mut self.0.lock().unwrap().mended)
    }
    fn owes(&self) -> bool {
        self.0.lock().unwrap().owes_mode.is_some()
    }
    fn has_allow(&self) -> bool {
        self.0.lock().unwrap().has_allow
    }
    fn take_look(&mut self) -> Option<Look> {
        let twin = self.clone();
        Some(Box::new(move |intent, _| {
            let is_readable = !twin.0.lock().unwrap().unreadable;
            is_readable.then(|| twin.drift(intent)).ok_or_else(broken)
        }))
    }
    fn drops(&self, _subject: &Subject) -> u64 {
        7
    }
    fn counters(&self) -> Result<Counters, Error> {
        Ok(self.0.lock().unwrap().counters)
    }
    fn release(self) -> Result<(), Error> {
        Ok(())
    }

    fn interfaces(&self) -> Vec<InterfaceStatus> {
        Vec::new()
    }
    fn heed(&mut self, _link: honeymesh_xdp::LinkHandle) -> Vec<honeymesh_xdp::LinkHandle> {
        Vec::new()
    }
    fn look_after(&mut self, sight: honeymesh_xdp::Sight) -> Result<Vec<InterfaceStatus>, Error> {
        Ok(sight.interfaces)
    }
    fn probed(&mut self, probed: &honeymesh_xdp::Probed) -> Result<(), String> {
        probed.judge(self.0.lock().unwrap().enforcing)
    }
    fn probe(&mut self) -> Option<Result<(), String>> {
        self.0.lock().unwrap().own_probe.clone()
    }
}

thread_local! {
    /// Microseconds; moved by the test and by the pretended kernel, which takes 40 for an entry. Each test has its own: an engine
    /// asks it on the test's thread only.
    static CLOCK: Cell<u64> = const { Cell::new(1_000_000_000) };
}

/// Lets so many microseconds pass.
fn pass(micros: u64) {
    CLOCK.set(CLOCK.get() + micros);
}

fn clock() -> Now {
    let now = CLOCK.get();
    Now { wall: WallTime(1_800_000_000_000_000 + now), mono: MonoTime(now) }
}

struct Bench {
    engine: Engine<Pretended>,
    kernel: Pretended,
    desk: Desk,
    questions: mpsc::Receiver<honeymesh_api::Question>,
    inner: mpsc::UnboundedReceiver<Inner>,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::in_mode(Mode::Enforce)
    }

    fn in_mode(mode: Mode) -> Self {
        Self::with(Policy { mode, ..Policy::default() })
    }

    fn with(policy: Policy) -> Self {
        Self::on(Pretended::default(), policy)
    }

    fn on(kernel: Pretended, policy: Policy) -> Self {
        let own = vec!["192.0.2.1".parse().unwrap()];
        Self::within(kernel, policy, NetworkFacts { own, ..NetworkFacts::default() })
    }

    fn within(kernel: Pretended, policy: Policy, facts: NetworkFacts) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let section = StoreSection { events_max: 10_000, events_age: Duration::from_secs(3_600), payloads_max: 1 << 20 };
        let books = Books::open(dir.path(), &section).unwrap();
        let config = Config {
            name: "roof".parse().unwrap(),
            policy,
            scan: honeymesh_detect::ScanPolicy::default(),
            clusters: Vec::new(),
            allow: Vec::new(),
            peers: Vec::new(),
            canaries: Vec::new(),
            bridges: Vec::new(),
            seed: 1,
        };
        let mut node = Node::new(config, clock());
        let mut restored = Vec::new();
        node.restore(books.kept().unwrap(), clock(), &mut restored);
        let (desk, questions) = desk(64);
        let (inner_sender, inner) = mpsc::unbounded_channel();
        let options = honeymesh_trap::Options { traps: Vec::new(), dark: None, limits: honeymesh_trap::Limits::default() };
        let traps = honeymesh_trap::bind(options).unwrap();
        let mut engine = Engine::new(Parts {
            node,
            kernel: kernel.clone(),
            books,
            streams: Vec::new(),
            posts: Vec::new(),
            listen: Vec::new(),
            keys: Vec::new(),
            inner: inner_sender,
            traps: traps.status(),
            dismisser: traps.dismisser(),
            desk: desk.clone(),
            warnings: Vec::new(),
            user: "somebody".into(),
            clock,
        });
        engine.begin(restored, facts);
        Self { engine, kernel, desk, questions, inner, dir }
    }

    /// Asks as a client would, with the engine turning until the answer is there.
    async fn ask(&mut self, request: Request) -> Result<Response, Refusal> {
        let desk = self.desk.clone();
        let mut answer = tokio::spawn(async move { desk.ask(request).await });
        loop {
            tokio::select! {
                Some(question) = self.questions.recv() => self.engine.question(question),
                answer = &mut answer => return answer.unwrap(),
                () = tokio::time::sleep(Duration::from_millis(1)) => self.engine.list_some(),
            }
        }
    }

    /// A whole audit: what it found.
    async fn audit(&mut self) -> honeymesh_format::AuditJson {
        self.engine.audits.last = None;
        self.engine.audit_soon();
        loop {
            self.engine.audit_some();
            if let Some(found) = self.engine.audits.last.clone() {
                return found;
            }
            if self.engine.audits.due().is_none() {
                let done = self.inner.recv().await.unwrap();
                self.engine.inner(done);
            }
        }
    }

    /// How many events of the kind there were.
    async fn told(&mut self, kind: &str) -> u64 {
        let Response::Status(status) = self.ask(Request::Status).await.unwrap() else { panic!("status") };
        status.counts.events.get(kind).copied().unwrap_or(0)
    }

    async fn ban(&mut self, subject: &str) -> Result<Response, Refusal> {
        let order = BanOrder { subject: subject.parse().unwrap(), ttl: Ttl::Configured, note: None, local: false, force: false };
        self.ask(Request::Ban(order)).await
    }

    async fn bans(&mut self, query: BansQuery) -> (Vec<String>, Option<String>) {
        match self.ask(Request::Bans(query)).await.unwrap() {
            Response::Bans(page) => (page.items.into_iter().map(|ban| ban.subject).collect(), page.next),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_order_is_answered_when_kernel_and_disk_have_it() {
    let mut bench = Bench::new();
    let Response::Done(done) = bench.ban("203.0.113.7").await.unwrap() else { panic!("done") };
    assert_eq!((done.changed, done.bans[0].drops), (true, 7));
    assert!(bench.kernel.0.lock().unwrap().bans.contains_key(&"203.0.113.7".parse().unwrap()));
    let kept = honeymesh_store::Store::open(
        bench.dir.path(),
        honeymesh_store::Retention { events_max: 10_000, age: Duration::from_secs(3_600), payload_bytes_max: 1 << 20 },
    );
    let claims = kept.unwrap().reader().unwrap().stored().unwrap().claims;
    assert_eq!(claims[0].subject.to_string(), "203.0.113.7/32", "on the disk before the answer");
}

#[tokio::test]
async fn the_kernel_is_told_of_own_addresses_mode_and_never_ban_set_before_any_ban() {
    let bench = Bench::new();
    let table = bench.kernel.0.lock().unwrap();
    assert!(table.enforcing && table.local == ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    assert!(table.allow.contains(&"192.0.2.1/32".parse().unwrap()), "{:?}", table.allow);
}

#[tokio::test]
async fn a_start_in_lockdown_lets_the_never_ban_set_in_before_it_locks() {
    let bench = Bench::in_mode(Mode::Lockdown);
    let table = bench.kernel.0.lock().unwrap();
    assert_eq!(table.lockdown, Lockdown::Confirmed);
    assert!(table.locked_with.contains(&"192.0.2.1/32".parse().unwrap()), "{:?}", table.locked_with);
}

#[tokio::test]
async fn a_lockdown_rolls_back_in_kernel_and_status_when_nobody_confirms_it() {
    let mut bench = Bench::new();
    let within = Some(Duration::from_secs(30));
    let Response::Done(done) = bench.ask(Request::LockDown { within }).await.unwrap() else { panic!() };
    assert!(done.changed && done.detail.contains("ON TRIAL: enforce comes back in 30s"), "{}", done.detail);
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!() };
    let lockdown = status.lockdown.unwrap();
    assert_eq!((lockdown.rolls_back_in_seconds, lockdown.rolls_back_to.as_deref()), (Some(30), Some("enforce")));
    assert!(matches!(bench.kernel.0.lock().unwrap().lockdown, Lockdown::Until(_)));
    pass(30_000_000);
    bench.engine.tick();
    assert_eq!(bench.kernel.0.lock().unwrap().lockdown, Lockdown::Off);
    let Err(refusal) = bench.ask(Request::ConfirmLockdown).await else { panic!("too late") };
    assert_eq!(refusal.kind, RefusalKind::Conflict);
}

#[tokio::test]
async fn a_ban_event_tells_how_long_evidence_took_to_the_kernel() {
    let mut bench = Bench::new();
    let mut live = bench.desk.live();
    bench.ban("203.0.113.8").await.unwrap();
    let event = loop {
        let live = live.recv().await.unwrap();
        if live.event.kind == EventKind::Ban {
            break live.event.clone();
        }
    };
    let latency_us: u64 = event.fields["latency_us"].parse().unwrap();
    assert!(latency_us >= 40, "{latency_us}: the pretended kernel takes 40");
    assert_eq!(bench.engine.counts.detect_to_ban.count, 1);
}

#[tokio::test]
async fn a_kernel_that_refuses_is_told_loudly_and_mended_by_the_audit() {
    let mut bench = Bench::new();
    let mut live = bench.desk.live();
    bench.kernel.0.lock().unwrap().full = true;
    bench.ban("203.0.113.9").await.unwrap_err();
    assert!(bench.kernel.0.lock().unwrap().bans.is_empty());
    let mut kinds = Vec::new();
    while let Ok(live) = live.try_recv() {
        let field = |name: &str| live.event.fields.get(name).cloned();
        kinds.push((live.event.kind, field("refused"), field("enforced"), field("latency_us")));
    }
    assert!(kinds.contains(&(EventKind::Audit, Some("a ban".into()), None, None)), "{kinds:?}");
    let ban = kinds.iter().find(|(kind, ..)| *kind == EventKind::Ban).unwrap();
    assert!(ban.1.as_ref().unwrap().contains("the kernel refused a ban: "), "{ban:?}");
    assert_eq!((ban.2.as_deref(), &ban.3), (Some("false"), &None), "no latency of what is not in force: {ban:?}");
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    assert!(status.warnings.iter().any(|warning| warning.contains("refused by the kernel")), "{:?}", status.warnings);
    assert_eq!(status.kernel.more["changes_refused"], 1);

    bench.kernel.0.lock().unwrap().full = false;
    let audit = bench.audit().await;
    assert_eq!((audit.missing, audit.extra, bench.kernel.0.lock().unwrap().bans.len()), (1, 0, 1));
    assert_eq!(bench.audit().await.missing, 0);
    assert_eq!(bench.engine.audits.drifted, 1);
}

/// Somebody who spoke to a trap.
fn visit(source: &str) -> Input {
    Input::Visit(honeymesh_types::Visit {
        at: clock(),
        session: honeymesh_types::SessionId(1),
        trap: "ssh".into(),
        service: "ssh".into(),
        source: SocketAddr::new(source.parse().unwrap(), 50_000),
        local: "192.0.2.1:22".parse().unwrap(),
        transport: honeymesh_types::Transport::Tcp,
        payload: b"x".to_vec(),
        bytes: 1,
        signs: honeymesh_types::Signs::empty(),
        fields: BTreeMap::new(),
        marks: None,
    })
}

#[tokio::test]
async fn a_group_in_a_full_table_is_no_drift_and_why_and_status_tell_of_it() {
    let mut bench = Bench::with(Policy { bans_max: 2, ..Policy::default() });
    for source in ["203.0.113.6", "203.0.113.7", "198.51.100.7"] {
        bench.engine.take(visit(source), clock().mono);
    }
    let held: Vec<String> = bench.kernel.0.lock().unwrap().bans.keys().map(Subject::to_string).collect();
    assert_eq!(held, ["198.51.100.7/32", "203.0.113.6/31"]);
    let audit = bench.audit().await;
    assert_eq!((audit.missing, audit.extra, audit.different), (0, 0, 0));
    let Response::Why(why) = bench.ask(Request::Why("203.0.113.7".parse().unwrap())).await.unwrap() else { panic!("why") };
    let group = why.bans[0].group.clone().unwrap();
    assert_eq!((why.bans[0].ban.subject.as_str(), group.prefix.as_str(), group.drops), ("203.0.113.7/32", "203.0.113.6/31", 7));
    let Response::Status(status) = bench.ask(Request::Status).await.unwrap() else { panic!("status") };
    assert_eq!((status.bans.total, status.bans.groups, status.bans.grouped, status.bans.entries()), (3, 1, 2, 2));
}

#[tokio::test]
async fn what_the_kernel_has_told_when_the_loop_ends_is_taken_but_not_for_ever() {
    let mut bench = Bench::new();
    let mut told = 0;
    crate::daemon::hear_kernel_out(&mut bench.engine, || {
        told += 1;
        let Input::Visit(visit) = visit(if told == 1 { "203.0.113.40" } else { "203.0.113.41" }) else { return None };
        Some(honeymesh_xdp::Seen::Visit(visit))
    });
    assert_eq!(told, crate::daemon::KNOCKS_LEFT_MAX);
    assert_eq!(bench.kernel.0.lock().unwrap().bans.len(), 2);
}

#[tokio::test]
async fn an_entry_that_nobody_ordered_is_found_and_removed() {
    let mut bench = Bench::new();
    let stray: Subject = "198.51.100.1".parse().unwrap();
    let ban = Enforcement {
        subject: stray,
        reasons: honeymesh_types::Reasons::MANUAL,
        grade: honeymesh_types::Grade::Operator,
        scope: honeymesh_types::Scope::All,
        until: None,
    };
    bench.kernel.0.lock().unwrap().bans.insert(stray, ban);
    bench.kernel.0.lock().unwrap().unmendable = true;
    let audit = bench.audit().await;
    assert_eq!((audit.extra, audit.missing), (1, 0), "also if it cannot be removed");
    bench.kernel.0.lock().unwrap().unmendable = false;
    assert_eq!(bench.audit().await.extra, 1);
    assert!(bench.kernel.0.lock().unwrap().bans.is_empty());
}

#[tokio::test]
async fn what_changes_while_the_table_is_read_is_no_drift() {
    let mut bench = Bench::new();
    bench.ban("203.0.113.1").await.unwrap();
    bench.engine.audit_soon();
    while bench.engine.audits.due().is_some() {
        bench.engine.audit_some();
    }
    let unban = Request::Unban(UnbanOrder { subject: "203.0.113.1".parse().unwrap(), local: false, wait: None });
    bench.ask(unban).await.unwrap();
    bench.ban("203.0.113.2").await.unwrap();
    let Some(Inner::Looked(mut looked)) = bench.inner.recv().await else { panic!("looked") };
    let doubtful = |subject: &str| vec![subject.parse().unwrap()];
    looked.pretend(Drift { missing: doubtful("203.0.113.1"), extra: doubtful("203.0.113.2"), ..Drift::default() });
    bench.engine.inner(Inner::Looked(looked));
    bench.engine.audit_some();
    assert_eq!(bench.engine.audits.drifted, 0);
    assert!(bench.kernel.0.lock().unwrap().bans.contains_key(&"203.0.113.2".parse().unwrap()));
}

#[tokio::test]
async fn a_table_that_was_emptied_is_filled_again_in_parts() {
    let mut bench = Bench::new();
    for host in 0..250 {
        bench.ban(&format!("203.0.113.{host}")).await.unwrap();
    }
    bench.kernel.0.lock().unwrap().bans.clear();
    assert_eq!(bench.audit().await.missing, 250);
    assert_eq!(bench.kernel.0.lock().unwrap().bans.len(), 250);
}

#[tokio::test]
async fn long_lists_come_in_pages_and_in_parts() {
    let mut bench = Bench::new();
    for host in 0..5 {
        bench.ban(&format!("203.0.113.{host}")).await.unwrap();
    }
    bench.ban("203.0.112.0/23").await.unwrap();
    bench.ban("198.51.100.0/24").await.unwrap();
    let all = ["198.51.100.0/24", "203.0.112.0/23"].map(String::from).into_iter();
    let all: Vec<String> = all.chain((0..5).map(|host| format!("203.0.113.{host}/32"))).collect();
    assert_eq!(bench.bans(BansQuery::default()).await, (all.clone(), None));
    let (first, next) = bench.bans(BansQuery { limit: 3, ..BansQuery::default() }).await;
    assert_eq!((first.as_slice(), next.as_deref()), (&all[..3], Some("203.0.113.0/32")));
    let after = next.map(|next| next.parse().unwrap());
    assert_eq!(bench.bans(BansQuery { after, ..BansQuery::default() }).await, (all[3..].to_vec(), None));
    let around = BansQuery { subject: Some("203.0.113.2".parse().unwrap()), ..BansQuery::default() };
    assert_eq!(bench.bans(around).await.0, ["203.0.112.0/23", "203.0.113.2/32"]);
    let behind = BansQuery { after: Some("203.0.112.0/23".parse().unwrap()), ..around };
    assert_eq!(bench.bans(behind).await.0, ["203.0.113.2/32"]);
}

#[tokio::test]
async fn an_unban_that_finds_nothing_says_so_and_one_that_waits_claims_no_receipts() {
    let mut bench = Bench::new();
    let unban = |wait| Request::Unban(UnbanOrder { subject: "203.0.113.7".parse().unwrap(), local: false, wait });
    assert_eq!(bench.ask(unban(None)).await.unwrap_err().kind, RefusalKind::NotFound);
    bench.ban("203.0.113.7").await.unwrap();
    let Response::Done(done) = bench.ask(unban(Some(Duration::from_secs(1)))).await.unwrap() else { panic!("done") };
    assert_eq!((done.confirmed, done.unconfirmed), (Some(vec!["roof".into()]), Some(Vec::new())));
    assert!(bench.kernel.0.lock().unwrap().bans.is_empty());
}
