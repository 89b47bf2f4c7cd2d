//! The ledger beside a model that keeps a plain list of claims and computes everything anew.

use super::{NOW, Queue, at, peer_origin, subject};
use crate::{
    Cause, Change, ChangeKind, Claim, Class, Entered, KernelChange, Ledger, Origin, Policy, Protected, Protection, Quorum, Reach,
    Refusal, Ttls, Whose,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use core::{net::IpAddr, time::Duration};
use honeymesh_types::{Ban, Enforcement, Grade, Mode, NodeId, Reasons, Scope, Subject, Trust, WallTime};
use proptest::{prelude::*, sample::select};

const SUBJECTS: [&str; 8] =
    ["10.0.0.1", "10.0.0.2", "10.0.0.0/24", "10.0.0.0/8", "192.0.2.1", "2001:db8:1::/64", "2001:db8:1::5", "198.51.100.0/25"];
const NETS: [&str; 5] = ["10.0.0.0/24", "10.0.0.2/32", "192.0.2.0/24", "2001:db8::/32", "198.51.100.0/24"];
const POLICY: Policy = Policy {
    mode: Mode::Enforce,
    bans_max: 2,
    bans_v6_max: Some(1),
    nets_max: 2,
    spoofable_max: 2,
    ttl: Ttls {
        trap: Duration::from_secs(50),
        scan: Duration::from_secs(50),
        mesh: Duration::from_secs(40),
        spoofable: Duration::from_secs(10),
        feed: Duration::from_secs(50),
        manual: None,
    },
};

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a few of them, in a test")]
enum Step {
    Enter(Claim),
    Lift(Subject, u64),
    Withdraw(Subject, u8),
    Pass(u64),
    Protect(Vec<&'static str>),
    Mode(Mode),
}

fn arb_subject() -> impl Strategy<Value = Subject> {
    select(&SUBJECTS[..]).prop_map(subject)
}

fn arb_local() -> impl Strategy<Value = Claim> {
    let reasons = select(&[Reasons::TRAP, Reasons::SCAN, Reasons::MANUAL][..]);
    let until = prop_oneof![9 => (0_u64..60).prop_map(Some), 1 => Just(None)];
    (arb_subject(), reasons, select(Grade::ALL), select(Scope::ALL), until, any::<bool>()).prop_map(
        |(subject, reasons, grade, scope, until, force)| Claim {
            scope,
            force,
            reach: if force { Reach::Here } else { Reach::Mesh },
            ..Claim::local(subject, "here", reasons, grade, NOW, until.map(at))
        },
    )
}

fn arb_peer() -> impl Strategy<Value = Claim> {
    (arb_local(), 0_u8..4, select(Trust::ALL), 0_u64..30).prop_map(|(claim, index, trust, said)| Claim {
        origin: peer_origin(index),
        origin_name: format!("peer-{index}"),
        trust,
        since: at(said),
        last: at(said),
        ..claim
    })
}

fn arb_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop_oneof![arb_local(), arb_peer()].prop_map(Step::Enter),
        2 => (arb_subject(), 0_u64..60).prop_map(|(subject, before)| Step::Lift(subject, before)),
        1 => (arb_subject(), 0_u8..4).prop_map(|(subject, index)| Step::Withdraw(subject, index)),
        3 => (1_u64..15).prop_map(Step::Pass),
        1 => proptest::collection::vec(select(&NETS[..]), 0..3).prop_map(Step::Protect),
        1 => select(&[Mode::Observe, Mode::Enforce][..]).prop_map(Step::Mode),
    ]
}

/// The naive ledger.
pub(super) struct Model {
    policy: Policy,
    claims: Vec<Claim>,
    never: Vec<Protected>,
    lifted: BTreeMap<Subject, WallTime>,
    mode: Mode,
}

impl Model {
    pub(super) const fn new(policy: Policy) -> Self {
        Self { policy, claims: Vec::new(), never: Vec::new(), lifted: BTreeMap::new(), mode: Mode::Enforce }
    }

    fn of(&self, subject: &Subject) -> Vec<&Claim> {
        self.claims.iter().filter(|claim| claim.subject == *subject).collect()
    }

    pub(super) fn subjects(&self) -> BTreeSet<Subject> {
        self.claims.iter().map(|claim| claim.subject).collect()
    }

    fn is_same_place(a: &Claim, b: &Claim) -> bool {
        let same = a.reasons == b.reasons && a.is_spoofable() == b.is_spoofable();
        a.subject == b.subject && a.origin == b.origin && (!a.is_local() || same)
    }

    fn refuses(&self, claim: &Claim, now: WallTime) -> bool {
        let is_own = claim.is_local();
        let is_known = self.claims.iter().any(|known| Self::is_same_place(known, claim));
        let spoofable = self.claims.iter().filter(|known| known.is_spoofable()).count();
        self.never.iter().any(|one| one.net.contains(&claim.subject.net()))
            || claim.until.is_some_and(|until| until <= now)
            || claim.subject.is_wide() && !(is_own && claim.force)
            || !is_own && claim.is_spoofable()
            || !is_own && self.lifted.get(&claim.subject).is_some_and(|before| claim.last <= *before)
            || claim.is_spoofable() && !is_known && spoofable >= self.policy.spoofable_max
    }

    /// Makes room; false if nothing gives way.
    fn make_room(&mut self, claim: &Claim) -> bool {
        let subjects = self.subjects();
        let class = Class::of(&claim.subject);
        let mates: Vec<&Subject> = subjects.iter().filter(|subject| Class::of(subject) == class).collect();
        if subjects.contains(&claim.subject) || mates.len() < self.policy.limit(class) {
            return true;
        }
        let rank = |claim: &Claim| match (claim.is_local(), claim.is_spoofable(), claim.trust) {
            (false, _, Trust::Observe) => (0, claim.grade),
            (true, true, _) => (1, claim.grade),
            (false, _, Trust::Corroborate) => (2, claim.grade),
            (false, ..) => (3, claim.grade),
            (true, false, _) => (4, claim.grade),
        };
        let place = |subject: &Subject| {
            let claims = self.of(subject);
            let ends = claims.iter().map(|claim| claim.until.unwrap_or(WallTime::MAX)).min();
            (claims.iter().map(|claim| rank(claim)).max(), ends, *subject)
        };
        let gives_way = |weakest: Option<(u8, Grade)>| weakest < Some(rank(claim)) && weakest != Some((4, Grade::Operator));
        let weakest = mates.into_iter().map(place).min().filter(|(weakest, ..)| gives_way(*weakest));
        let Some((.., victim)) = weakest else { return false };
        self.claims.retain(|claim| claim.subject != victim);
        true
    }

    pub(super) fn enter(&mut self, mut claim: Claim, now: WallTime) -> bool {
        if !claim.is_local() {
            claim.reasons |= Reasons::MESH;
            let longest = claim.last.plus(self.policy.ttl.mesh);
            claim.until = Some(claim.until.map_or(longest, |until| until.min(longest)));
        }
        if self.refuses(&claim, now) || !self.make_room(&claim) {
            return false;
        }
        match self.claims.iter_mut().find(|known| Self::is_same_place(known, &claim)) {
            None => self.claims.push(claim),
            Some(known) if !known.is_local() => {
                if claim.last >= known.last {
                    *known = claim;
                }
            }
            Some(known) if known.until.is_some_and(|until| until <= now) => *known = claim,
            Some(known) => join(known, claim),
        }
        true
    }

    pub(super) fn lift(&mut self, subject: &Subject, before: WallTime) {
        let held = self.lifted.entry(*subject).or_insert(before);
        *held = before.max(*held);
        self.claims.retain(|claim| claim.subject != *subject || claim.last > before);
        let later = self.claims.iter_mut().filter(|claim| claim.subject == *subject && claim.since <= before);
        later.for_each(|claim| claim.since = claim.last);
    }

    pub(super) fn withdraw(&mut self, subject: &Subject, index: u8) {
        self.claims.retain(|claim| claim.subject != *subject || claim.origin != peer_origin(index));
    }

    pub(super) fn expire(&mut self, now: WallTime) {
        self.claims.retain(|claim| claim.until.is_none_or(|until| until > now));
    }

    pub(super) fn protect(&mut self, all: Vec<Protected>) {
        self.claims.retain(|claim| !all.iter().any(|one| one.net.contains(&claim.subject.net())));
        self.never = all;
    }

    pub(super) const fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    pub(super) fn ban(&self, subject: &Subject) -> Option<Ban> {
        let all = self.of(subject);
        let is_witness = |claim: &&&Claim| claim.trust >= Trust::Corroborate && !claim.is_spoofable();
        let voters: BTreeSet<Option<NodeId>> = all.iter().filter(is_witness).map(|claim| node(claim)).collect();
        let does_count = |claim: &&&Claim| {
            claim.is_local()
                || claim.trust >= Trust::Enforce
                || claim.trust == Trust::Corroborate && voters.len() >= usize::from(Quorum::default().owners)
        };
        let counting: Vec<&Claim> = all.iter().filter(does_count).copied().collect();
        let enforced = !counting.is_empty() && self.mode != Mode::Observe;
        let makers = if counting.is_empty() { all } else { counting };
        let origins: BTreeSet<String> = makers.iter().map(|claim| claim.origin_name.clone()).collect();
        Some(Ban {
            subject: *subject,
            reasons: makers.iter().fold(Reasons::empty(), |all, claim| all | claim.reasons),
            grade: makers.iter().map(|claim| claim.grade).max()?,
            scope: makers.iter().map(|claim| claim.scope).max()?,
            origins: origins.into_iter().collect(),
            since: makers.iter().map(|claim| claim.since).min()?,
            until: makers.iter().map(|claim| claim.until.unwrap_or(WallTime::MAX)).max().filter(|until| *until != WallTime::MAX),
            enforced,
            note: None,
        })
    }
}

fn node(claim: &Claim) -> Option<NodeId> {
    match claim.origin {
        Origin::Peer { node, .. } => Some(node),
        Origin::Local => None,
    }
}

fn join(known: &mut Claim, newer: Claim) {
    known.since = known.since.min(newer.since);
    known.last = known.last.max(newer.last);
    known.until = known.until.zip(newer.until).map(|(a, b)| a.max(b));
    known.grade = known.grade.max(newer.grade);
    known.scope = known.scope.max(newer.scope);
}

fn step(ledger: &mut Ledger, model: &mut Model, step: Step, now: &mut WallTime) {
    match step {
        Step::Enter(claim) => {
            let entered = ledger.enter(claim.clone(), *now);
            let is_in = model.enter(claim, *now);
            assert_eq!(!matches!(entered, Entered::Refused(_)), is_in, "{entered:?}");
        }
        Step::Lift(subject, before) => {
            ledger.lift(&subject, at(before), Whose::Everybodys, *now);
            model.lift(&subject, at(before));
        }
        Step::Withdraw(subject, index) => {
            ledger.withdraw(&subject, &peer_origin(index), *now);
            model.withdraw(&subject, index);
        }
        Step::Pass(secs) => {
            *now = now.plus(Duration::from_secs(secs));
            expire(ledger, *now);
            model.expire(*now);
        }
        Step::Protect(nets) => {
            let all: Vec<Protected> =
                nets.iter().map(|net| Protected { net: net.parse().unwrap(), why: Protection::Allowlist }).collect();
            ledger.protect(&all, *now);
            model.protect(all);
        }
        Step::Mode(mode) => {
            ledger.set_mode(mode);
            model.set_mode(mode);
        }
    }
}

fn expire(ledger: &mut Ledger, now: WallTime) {
    while ledger.wake_at().is_some_and(|wake| wake <= now) {
        let changes = ledger.expire(now);
        assert!(!changes.is_empty(), "it asked to be woken for nothing");
        assert!(changes.iter().all(|change| change.cause == Cause::Ended));
    }
}

fn agree(ledger: &Ledger, model: &Model, now: WallTime) {
    let bans: Vec<Ban> = ledger.bans().collect();
    let expected: Vec<Ban> = model.subjects().iter().filter_map(|subject| model.ban(subject)).collect();
    assert_eq!(bans, expected);
    for ban in &bans {
        assert!(!model.never.iter().any(|one| one.net.contains(&ban.subject.net())), "{} is protected", ban.subject);
        assert!(ledger.claims(&ban.subject).iter().all(|(claim, _)| claim.until.is_none_or(|until| until > now)), "a dead claim");
    }
    agree_on_counts(ledger, &bans);
    agree_on_covering(ledger, &bans);
}

fn agree_on_counts(ledger: &Ledger, bans: &[Ban]) {
    let stats = ledger.stats();
    let claims: Vec<Claim> = bans.iter().flat_map(|ban| ledger.claims(&ban.subject)).map(|(claim, _)| claim).collect();
    let origins: BTreeSet<&Origin> = claims.iter().map(|claim| &claim.origin).collect();
    assert_eq!((stats.bans, stats.origins), (bans.len(), origins.len()));
    assert_eq!(stats.enforced, bans.iter().filter(|ban| ban.enforced).count());
    assert_eq!(stats.spoofable, claims.iter().filter(|claim| claim.is_spoofable()).count());
    assert!(stats.spoofable <= POLICY.spoofable_max);
    for (reason, count) in stats.by_reason {
        assert_eq!(count, bans.iter().filter(|ban| ban.reasons.contains(reason)).count(), "{reason}");
    }
    assert_eq!(ledger.intent().count(), stats.enforced);
    assert_eq!(ledger.queues.iter().map(Queue::len).sum::<usize>(), bans.len());
    assert!(Class::ALL.into_iter().all(|class| ledger.count(class) <= POLICY.limit(class)));
}

fn agree_on_covering(ledger: &Ledger, bans: &[Ban]) {
    for addr in ["10.0.0.1", "10.9.9.9", "192.0.2.1", "2001:db8:1::5", "198.51.100.200"] {
        let addr: IpAddr = addr.parse().unwrap();
        let mut expected: Vec<Subject> = bans.iter().map(|ban| ban.subject).filter(|subject| subject.contains(addr)).collect();
        expected.sort_by_key(|subject| core::cmp::Reverse(subject.prefix_len()));
        let found: Vec<Subject> = ledger.why(addr).bans.iter().map(|ban| ban.subject).collect();
        assert_eq!(found, expected, "{addr}");
    }
}

/// A ban without what depends on the door's order by design.
fn ban_of(ledger: &Ledger) -> Vec<Ban> {
    ledger.bans().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_ledger_and_the_naive_model_agree(steps in proptest::collection::vec(arb_step(), 1..60)) {
        let mut ledger = Ledger::new(POLICY);
        let mut model = Model::new(POLICY);
        let mut now = NOW;
        for one in steps {
            step(&mut ledger, &mut model, one, &mut now);
            expire(&mut ledger, now);
            model.expire(now);
            agree(&ledger, &model, now);
        }
    }

    #[test]
    fn the_order_at_the_door_does_not_matter(
        (claims, shuffled) in proptest::collection::vec(prop_oneof![arb_local(), arb_peer()], 0..12)
            .prop_map(one_word_a_time)
            .prop_flat_map(|claims| (Just(claims.clone()), Just(claims).prop_shuffle())),
        net in select(&NETS[..]),
    ) {
        let policy = Policy { bans_max: 1_000, bans_v6_max: None, nets_max: 1_000, spoofable_max: 1_000, ..POLICY };
        let enter_all = |claims: Vec<Claim>| {
            let mut ledger = Ledger::new(policy);
            ledger.protect(&[Protected { net: net.parse().unwrap(), why: Protection::Own }], NOW);
            for claim in claims {
                let entered = ledger.enter(claim, NOW);
                let is_bound = matches!(entered, Entered::Refused(Refusal::Full { .. } | Refusal::SpoofableBudget { .. }));
                assert!(!is_bound);
            }
            ban_of(&ledger)
        };
        prop_assert_eq!(enter_all(claims), enter_all(shuffled));
    }

    #[test]
    fn every_change_says_what_the_kernel_must_hold(steps in proptest::collection::vec(arb_step(), 1..60)) {
        let mut ledger = Ledger::new(POLICY);
        let (mut kernel, mut told) = (BTreeMap::new(), BTreeMap::new());
        let mut now = NOW;
        for one in steps {
            for change in changes_of(&mut ledger, one, &mut now) {
                assert_eq!(change.enforce_before, kernel.get(&change.ban.subject).copied(), "{change:?}");
                assert_eq!(change.is_gone(), matches!(change.kind, ChangeKind::Lifted | ChangeKind::Expired));
                match change.enforce {
                    Some(enforce) => kernel.insert(change.ban.subject, enforce),
                    None => kernel.remove(&change.ban.subject),
                };
            }
            carry_out(&mut told, ledger.take_kernel_changes());
            prop_assert_eq!(told.values().collect::<Vec<_>>(), kernel.values().collect::<Vec<_>>());
            prop_assert_eq!(ledger.intent().collect::<Vec<_>>(), kernel.values().copied().collect::<Vec<_>>());
        }
    }
}

/// Does with a table what the ledger says.
fn carry_out(table: &mut BTreeMap<Subject, Enforcement>, changes: Vec<KernelChange>) {
    for change in changes {
        match change {
            KernelChange::Enforce(what) => drop(table.insert(what.subject, what)),
            KernelChange::Release(subject) => assert!(table.remove(&subject).is_some(), "{subject} was not there"),
        }
    }
}

/// One peer does not say two things at the same time: of such claims only the first is kept.
fn one_word_a_time(claims: Vec<Claim>) -> Vec<Claim> {
    let mut said = BTreeSet::new();
    claims
        .into_iter()
        .filter(|claim| claim.is_local() || said.insert((claim.subject, claim.origin.clone(), claim.last)))
        .collect()
}

/// Steps but changes of the mode, which are told to the kernel as a whole.
fn changes_of(ledger: &mut Ledger, step: Step, now: &mut WallTime) -> Vec<Change> {
    match step {
        Step::Enter(claim) => match ledger.enter(claim, *now) {
            Entered::Changed { change, displaced } => displaced.into_iter().chain([change]).map(|change| *change).collect(),
            Entered::Refused(_) | Entered::Unchanged => Vec::new(),
        },
        Step::Lift(subject, before) => ledger.lift(&subject, at(before), Whose::Everybodys, *now).into_iter().collect(),
        Step::Withdraw(subject, index) => ledger.withdraw(&subject, &peer_origin(index), *now).into_iter().collect(),
        Step::Pass(secs) => {
            *now = now.plus(Duration::from_secs(secs));
            ledger.expire(*now)
        }
        Step::Protect(nets) => {
            let each = nets.iter().map(|net| Protected { net: net.parse().unwrap(), why: Protection::Own });
            ledger.protect(&each.collect::<Vec<_>>(), *now)
        }
        Step::Mode(_) => Vec::new(),
    }
}
