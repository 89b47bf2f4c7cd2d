//! A small ledger beside the naive model without limits: what the kernel would drop is exactly what is banned and does not wait,
//! at every moment, whatever is grouped and taken apart.

use super::{NOW, at, local, model::Model, peer, peer_origin, subject};
use crate::{
    Backing, Claim, Class, Entered, GROUP_MAX, HAND_OVER_AHEAD, KernelChange, Ledger, Policy, Protected, Protection, Quorum,
    Refusal, Ttls, Whose, group,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use core::{net::IpAddr, ops::Bound, time::Duration};
use honeymesh_types::{Enforcement, Grade, Mode, Reasons, Scope, Subject, Trust, WallTime};
use proptest::{prelude::*, sample::select};

/// What banned prefixes there are among the members of groups.
const NETS: [&str; 5] = ["192.0.2.0/31", "192.0.2.4/30", "192.0.2.0/29", "2001:db8::/63", "2001:db8:0:1::9"];
const SHELTERS: [&str; 4] = ["192.0.2.3/32", "192.0.2.6/31", "2001:db8:0:2::/64", "2001:db8::7/128"];
/// How late the node is when something is due.
const LATE: Duration = Duration::from_secs(1);
const SMALL: Policy = Policy { mode: Mode::Enforce, bans_max: 5, bans_v6_max: Some(3), nets_max: 6, spoofable_max: 0, ttl: TTL };
const LARGE: Policy = Policy { bans_max: 1_000, bans_v6_max: None, nets_max: 1_000, ..SMALL };
/// Peers agree however long ago they spoke: the model knows no windows, and a session may last for longer than the usual one.
const ALWAYS: Duration = Duration::from_hours(24);
const TTL: Ttls = Ttls {
    trap: Duration::from_secs(500),
    scan: Duration::from_secs(500),
    mesh: Duration::from_secs(400),
    spoofable: Duration::from_secs(10),
    feed: Duration::from_secs(500),
    manual: None,
};

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a few of them, in a test")]
enum Step {
    Enter(Claim),
    Lift(Subject),
    Withdraw(Subject, u8),
    Protect(Vec<&'static str>),
    Mode(Mode),
}

fn hosts() -> Vec<String> {
    let v4 = (0..8).map(|last| format!("192.0.2.{last}")).chain([String::from("198.51.100.1"), String::from("198.51.100.3")]);
    v4.chain((0..4).map(|customer| format!("2001:db8:0:{customer}::/64"))).collect()
}

fn arb_who() -> impl Strategy<Value = String> {
    prop_oneof![12 => select(hosts()), 1 => select(&NETS[..]).prop_map(String::from)]
}

/// Ends are often the same, often close to each other, and sometimes never come.
fn arb_claim() -> impl Strategy<Value = Claim> {
    let grade = prop_oneof![8 => select(&[Grade::Handshake, Grade::Hostile][..]), 1 => Just(Grade::Operator)];
    let origin = prop_oneof![4 => Just(None), 2 => (0_u8..3).prop_map(Some)];
    let scope = prop_oneof![9 => Just(Scope::All), 1 => Just(Scope::Dark)];
    let until =
        prop_oneof![5 => select(&[60_u64, 61, 63, 90, 200][..]).prop_map(Some), 1 => (1_u64..40).prop_map(Some), 1 => Just(None)];
    let trust = prop_oneof![3 => Just(Trust::Enforce), 1 => select(Trust::ALL)];
    (arb_who(), grade, origin, scope, until, trust).prop_map(|(who, grade, origin, scope, until, trust)| {
        let claim = match origin {
            None => local(&who, if grade == Grade::Operator { Reasons::MANUAL } else { Reasons::TRAP }, grade, 1),
            Some(index) => Claim { grade, ..peer(&who, index, trust, 1) },
        };
        let quorum = Quorum { window: ALWAYS, ..claim.backing.quorum };
        Claim { scope, until: until.map(at), backing: Backing { quorum, ..claim.backing }, ..claim }
    })
}

fn arb_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        16 => arb_claim().prop_map(Step::Enter),
        3 => arb_who().prop_map(|who| Step::Lift(subject(&who))),
        1 => (arb_who(), 0_u8..3).prop_map(|(who, index)| Step::Withdraw(subject(&who), index)),
        1 => proptest::collection::vec(select(&SHELTERS[..]), 0..2).prop_map(Step::Protect),
        1 => select(&[Mode::Observe, Mode::Enforce][..]).prop_map(Step::Mode),
    ]
}

/// One address of each host, and one beside each block.
fn everybody() -> Vec<IpAddr> {
    let beside = ["192.0.2.8", "2001:db8:0:4::1", "2001:db8:0:1::9"].map(|addr| addr.parse().unwrap());
    hosts().iter().map(|who| subject(who).addr()).chain(beside).collect()
}

/// Does a table drop everything from `addr`?
fn drops(table: &BTreeMap<Subject, Enforcement>, addr: IpAddr, now: WallTime) -> bool {
    let is_live = |what: &&Enforcement| what.until.is_none_or(|until| until > now);
    table.values().filter(is_live).any(|what| what.scope == Scope::All && what.subject.contains(addr))
}

fn dropped(table: &BTreeMap<Subject, Enforcement>, now: WallTime) -> BTreeSet<IpAddr> {
    everybody().into_iter().filter(|addr| drops(table, *addr, now)).collect()
}

struct Pair {
    small: Ledger,
    model: Model,
    kernel: BTreeMap<Subject, Enforcement>,
    /// Which of the kernel's entries stand for groups.
    groups: BTreeSet<Subject>,
    now: WallTime,
}

impl Pair {
    fn step(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Enter(claim) => {
                let claim = Claim { since: now, last: now, ..claim };
                let entered = self.small.enter(claim.clone(), now);
                let is_full = matches!(entered, Entered::Refused(Refusal::Full { .. } | Refusal::Claims { .. }));
                // A refused order does not wait.
                if is_full && claim.is_local() && claim.grade == Grade::Operator {
                    return;
                }
                let is_in = self.model.enter(claim, now);
                assert!(is_full || !matches!(entered, Entered::Refused(_)) == is_in, "{entered:?}");
            }
            Step::Lift(who) => {
                self.small.lift(&who, now, Whose::Everybodys, now);
                self.model.lift(&who, now);
            }
            Step::Withdraw(who, index) => {
                self.small.withdraw(&who, &peer_origin(index), now);
                self.model.withdraw(&who, index);
            }
            Step::Protect(nets) => {
                // What a peer says about an operator does not wait for the end of the session.
                let each = nets.iter().map(|net| Protected { net: net.parse().unwrap(), why: Protection::Operator });
                let all: Vec<Protected> = each.collect();
                self.small.protect(&all, now);
                // What waits for room is looked at only when there is some; the model forgets it at once.
                let protected = |who: &Subject| self.small.protection(who).is_some();
                let waits: Vec<Subject> = self.small.waiting.all().map(|claim| claim.subject).filter(protected).collect();
                waits.iter().for_each(|who| drop(self.small.waiting.take_out(who, |_| true)));
                self.model.protect(all);
            }
            Step::Mode(mode) => {
                self.small.take_kernel_changes();
                self.small.set_mode(mode);
                self.model.set_mode(mode);
                self.kernel = self.small.intent().map(|what| (what.subject, what)).collect();
            }
        }
    }

    /// Time passes, and the node is [`LATE`] whenever something is due. Nobody gains by that.
    fn pass(&mut self, by: Duration) {
        let then = self.now.plus(by);
        while let Some(due) = self.small.wake_at().filter(|due| *due <= then) {
            self.now = self.now.max(due.plus(LATE).min(then));
            self.model.expire(self.now);
            let expected = self.expected();
            assert!(dropped(&self.kernel, self.now).is_superset(&dropped(&expected, self.now)), "while the node was busy");
            self.settle();
        }
        self.now = then;
    }

    /// What is due, what comes back, and then the kernel.
    fn settle(&mut self) {
        for _ in 0..20 {
            if self.small.wake_at().is_some_and(|due| due <= self.now) {
                self.small.expire(self.now);
            }
            self.small.readmit(self.now);
        }
        assert!(
            !self.small.has_readmissions(self.now) && self.small.wake_at().is_none_or(|due| due > self.now),
            "it never rests"
        );
        self.model.expire(self.now);
        self.carry_out();
    }

    /// At no moment anybody is let in who stays banned, or kept out who neither was nor is; and no table is ever too full. (Who
    /// was only covered by the ban of a prefix that goes, and comes back in his own right, is let in for that moment.)
    fn carry_out(&mut self) {
        let before = dropped(&self.kernel, self.now);
        let changes = self.small.take_kernel_changes();
        let mut moments = Vec::new();
        for change in &changes {
            match change {
                KernelChange::Enforce(what) => drop(self.kernel.insert(what.subject, *what)),
                KernelChange::Release(who) => assert!(self.kernel.remove(who).is_some(), "{who} was not there: {changes:?}"),
            }
            moments.push(dropped(&self.kernel, self.now));
            for class in Class::HOSTS {
                let held = self.kernel.keys().filter(|subject| Class::of(subject) == class).count();
                assert!(held <= SMALL.limit(class), "{changes:?}");
            }
        }
        let after = dropped(&self.kernel, self.now);
        let is_prefix = |who: &Subject| Class::HOSTS.iter().all(|class| *class != Class::of(who)) && !self.groups.contains(who);
        let gone = |addr: &IpAddr| {
            changes.iter().any(|change| matches!(change, KernelChange::Release(who) if is_prefix(who) && who.contains(*addr)))
        };
        let stay: BTreeSet<IpAddr> = before.intersection(&after).filter(|addr| !gone(addr)).copied().collect();
        for moment in moments {
            assert!(moment.is_superset(&stay) && moment.is_subset(&(&before | &after)), "{changes:?}");
        }
        self.groups = self.small.groups.covers().keys().copied().collect();
    }

    fn agree(&self) {
        let wanted: BTreeMap<Subject, Enforcement> = self.small.intent().map(|what| (what.subject, what)).collect();
        assert_eq!(wanted, self.kernel, "the changes add up to the intent");
        self.agree_on_coverage();
        self.agree_on_groups();
        self.agree_on_limits();
        self.agree_on_reading();
    }

    /// What is banned, without those who are told to wait.
    fn expected(&self) -> BTreeMap<Subject, Enforcement> {
        let holds = self.model.subjects().into_iter().filter(|who| !self.small.waiting.knows(who));
        let bans = holds.map(|who| self.model.ban(&who).unwrap()).filter(|ban| ban.enforced);
        bans.map(|ban| (ban.subject, ban.enforcement())).collect()
    }

    fn agree_on_coverage(&self) {
        let expected = self.expected();
        assert_eq!(dropped(&self.kernel, self.now), dropped(&expected, self.now));
        let exact = |ban: &honeymesh_types::Ban| {
            self.small.waiting.knows(&ban.subject) || self.model.ban(&ban.subject).as_ref() == Some(ban)
        };
        assert!(self.small.bans().all(|ban| exact(&ban)), "the claims are exact, whatever is grouped");
        assert_eq!(
            self.small.bans().filter(|ban| ban.enforced && !self.small.waiting.knows(&ban.subject)).count(),
            expected.len()
        );
    }

    fn agree_on_groups(&self) {
        for (block, cover) in self.small.groups.covers() {
            let ends: Vec<WallTime> = group::all(block)
                .map(|member| self.small.bans.get(&member).expect("everybody in it is banned").sum(&self.small.origins))
                .map(|sum| if sum.counts && sum.scope == Scope::All { sum.until_widest } else { panic!("{block}: {sum:?}") })
                .collect();
            assert!(!group::all(block).any(|member| self.is_operators(&member)), "an operator's ban has its own place");
            assert!(ends.iter().all(|end| *end >= cover.until), "{block} ends too late");
            let own: Vec<Subject> = self.small.groups.members(block);
            assert!(!own.is_empty() && own.iter().all(|member| self.small.group_of(member) == Some(*block)));
            if !cover.is_handed_over {
                assert_eq!((own.len(), ends.iter().min()), (group::size(block), Some(&cover.until)), "{block}");
                assert!(cover.until > self.now.plus(HAND_OVER_AHEAD), "{block} is handed over in time");
            }
        }
        for class in Class::HOSTS {
            let pairs: BTreeSet<Subject> = self
                .small
                .bans()
                .map(|ban| ban.subject)
                .filter(|who| Class::of(who) == class)
                .map(|who| group::pair(&who))
                .collect();
            let may_be_member = |who: &Subject| {
                self.small.bans.get(who).is_some_and(|entry| {
                    super::regroup::Standing::of(entry, &entry.sum(&self.small.origins)).member_until.is_some()
                })
            };
            let is_open = |pair: &&Subject| {
                let both = group::halves(pair);
                let is_free = self.small.ban(pair).is_none() && self.small.groups.get(pair).is_none();
                is_free && both.iter().all(may_be_member) && both.iter().any(|who| self.small.group_of(who).is_none())
            };
            let expected: Vec<&Subject> = pairs.iter().filter(is_open).collect();
            assert_eq!(self.small.groups.pairs(class).collect::<Vec<_>>(), expected);
        }
    }

    fn is_operators(&self, who: &Subject) -> bool {
        self.small.claims(who).iter().any(|(claim, _)| claim.is_local() && claim.grade == Grade::Operator)
    }

    fn agree_on_limits(&self) {
        for class in Class::ALL {
            let (count, limit) = (self.small.count(class), SMALL.limit(class));
            let held = self.small.bans().filter(|ban| Class::of(&ban.subject) == class).count();
            assert_eq!(self.small.queue(class).len() + self.small.grouped(class), held);
            assert!(count <= limit && self.small.grouped(class) <= limit, "{class:?}: {count}");
            let strongest = self.small.waiting.strongest(class);
            assert!(strongest.is_none() || count == limit, "{class:?}: room is left unused");
            let is_worth = strongest.is_some_and(crate::rank::Rank::is_worth_a_group);
            assert!(
                !is_worth || self.small.groupable(class, self.now).is_none(),
                "{class:?}: nobody waits while a group makes room"
            );
        }
        assert_eq!(self.small.stats().groups, self.small.groups.covers().len());
    }

    /// Read in parts or one by one, it is the same intent.
    fn agree_on_reading(&self) {
        let whole: Vec<_> = self.small.intent_from(Bound::Unbounded).collect();
        assert!(whole.is_sorted_by(|one, other| one.0 < other.0));
        for (place, (subject, what)) in whole.iter().enumerate() {
            assert_eq!(self.small.enforcement(subject), *what);
            let rest: Vec<_> = self.small.intent_from(Bound::Excluded(*subject)).collect();
            assert_eq!(rest, whole[place + 1..]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn what_the_kernel_drops_is_what_is_banned_and_does_not_wait(
        steps in proptest::collection::vec((arb_step(), prop_oneof![6 => Just(0_u64), 2 => 1_u64..70]), 1..70),
    ) {
        let mut pair = Pair { small: Ledger::new(SMALL), model: Model::new(LARGE), kernel: BTreeMap::new(), groups: BTreeSet::new(), now: NOW };
        for (step, secs) in steps {
            // Nobody says two things at the same time.
            pair.pass(Duration::from_secs(secs) + Duration::from_millis(1));
            pair.step(step);
            pair.settle();
            pair.agree();
        }
    }
}

#[test]
fn a_group_has_a_bound_that_fits_its_prefixes() {
    assert_eq!((group::size(&subject("192.0.2.0/24")), group::size(&subject("2001:db8::/56"))), (GROUP_MAX, GROUP_MAX));
}
