//! Who is in: sessions at once, in all and from one source, and what is known of each.

mod ports;

pub use ports::PORTS_MAX;
pub(crate) use ports::{Grant, Wish};

use crate::{Limits, report::Stranger, status::count};
use honeymesh_types::{SessionId, Subject};
use ports::Ports;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// How much longer than it may last a session is remembered: whoever plays tells its end before.
const OVERDUE_AFTER: Duration = Duration::from_secs(15);

/// One place in so many may be taken by those who are held in tarpits: all others stay free.
const SLOW_SHARE: usize = 4;
/// Sessions of one source that are held in tarpits at once.
const SLOW_PER_SOURCE_MAX: usize = 4;

/// Everybody who is in. Holds an entry only for open sessions, so it never has more than `sessions_max`.
#[derive(Debug)]
pub(crate) struct Gate {
    sessions_max: usize,
    per_source_max: usize,
    capture_bytes_max: usize,
    remembered: Duration,
    inside: Mutex<Inside>,
    /// Somebody is to be dismissed.
    pub(crate) dismissal: Notify,
    /// Dismissals that found no room in the list of those to be told; such a session ends by its deadline.
    pub(crate) dismissals_lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Inside {
    /// Boxed, as a map has room for up to twice as many as are in.
    guests: HashMap<u64, Box<Guest>>,
    sources: BTreeMap<Subject, Source>,
    /// In the order in which they came: all may last equally long.
    due: VecDeque<(u64, Instant)>,
    dismissed: Vec<u64>,
    /// Those who are held in tarpits.
    slow: usize,
    ports: Ports,
    last_session: u64,
}

#[derive(Debug, Default)]
struct Source {
    sessions: BTreeSet<u64>,
    slow: usize,
    refused: bool,
}

/// One who is in. Who it is stands here alone: whoever plays does not know, and cannot say otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(crate) stranger: Stranger,
    source: Subject,
    /// Which trap: its place among all.
    pub(crate) trap: usize,
    /// Reports so far.
    pub(crate) reports: usize,
    /// Octets told so far.
    pub(crate) bytes: u64,
    /// Octets that may still be captured.
    pub(crate) capture_room: usize,
    /// Ports of its own that it has had.
    ports: u16,
    is_dismissed: bool,
    /// It is held in a tarpit.
    is_slow: bool,
}

/// What the gate says to a connection.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Come in.
    Admitted(Stranger),
    /// Not now, and somebody should hear of it.
    Refused(Stranger),
    /// Not now, as before.
    RefusedAgain,
}

/// Ends open sessions. Clones act on the same traps.
#[derive(Clone, Debug)]
pub struct Dismisser(pub(crate) Arc<Gate>);

impl Dismisser {
    /// Ends every open session whose source (an IPv4 address, an IPv6 /64) touches `subject`, each after what it is
    /// doing now; what it has not told yet is told. For a source that has just been banned: its packets do not arrive
    /// any more, and one that is still on its way when the ban is lifted must not count as a new visit.
    pub fn dismiss(&self, subject: &Subject) {
        self.0.dismiss(subject);
    }
}

impl Gate {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            sessions_max: limits.sessions_max,
            per_source_max: limits.sessions_per_source_max,
            capture_bytes_max: limits.capture_bytes_max,
            remembered: limits.session_deadline + OVERDUE_AFTER,
            inside: Mutex::default(),
            dismissal: Notify::new(),
            dismissals_lost: AtomicU64::new(0),
        })
    }

    /// A refusal for want of room is always worth a report; one for too many sessions of the same source is told
    /// once, until its last session has ended.
    pub(crate) fn enter(&self, from: SocketAddr, local: SocketAddr, trap: usize) -> Entry {
        let source = Subject::of_source(from.ip(), &[]);
        let mut inside = self.inside();
        inside.last_session += 1;
        let session = inside.last_session;
        let stranger = Stranger { session: SessionId(session), source: from, local };
        if let Some(known) = inside.sources.get_mut(&source)
            && known.sessions.len() >= self.per_source_max
        {
            return if std::mem::replace(&mut known.refused, true) { Entry::RefusedAgain } else { Entry::Refused(stranger) };
        }
        if inside.guests.len() >= self.sessions_max {
            return Entry::Refused(stranger);
        }
        let capture_room = self.capture_bytes_max;
        let (is_dismissed, is_slow) = (false, false);
        let guest = Guest { stranger, source, trap, reports: 0, bytes: 0, capture_room, ports: 0, is_dismissed, is_slow };
        inside.sources.entry(source).or_default().sessions.insert(session);
        inside.guests.insert(session, Box::new(guest));
        inside.due.push_back((session, Instant::now() + self.remembered));
        Entry::Admitted(stranger)
    }

    /// May this guest be held in a tarpit? Not beyond a share of all places, and of each source's: then it is played to as always.
    pub(crate) fn slow_down(&self, session: u64) -> bool {
        let mut guard = self.inside();
        let inside = &mut *guard;
        let Some(guest) = inside.guests.get_mut(&session).filter(|guest| !guest.is_slow) else { return false };
        let Some(source) = inside.sources.get_mut(&guest.source) else { return false };
        if inside.slow >= self.sessions_max / SLOW_SHARE || source.slow >= SLOW_PER_SOURCE_MAX {
            return false;
        }
        guest.is_slow = true;
        source.slow += 1;
        inside.slow += 1;
        true
    }

    /// Costs a look-up and what it finds, not a walk over all sources: bans may come by the thousand.
    fn dismiss(&self, subject: &Subject) {
        let first = Subject::of_source(subject.addr(), &[]);
        let mut guard = self.inside();
        let inside = &mut *guard;
        let touched = inside.sources.range(first.min(*subject)..).take_while(|(source, _)| subject.overlaps(&source.net()));
        let before = inside.dismissed.len();
        for session in touched.flat_map(|(_, source)| &source.sessions) {
            let Some(guest) = inside.guests.get_mut(session).filter(|guest| !guest.is_dismissed) else { continue };
            guest.is_dismissed = true;
            if inside.dismissed.len() < self.sessions_max {
                inside.dismissed.push(*session);
            } else {
                count(&self.dismissals_lost);
            }
        }
        if inside.dismissed.len() > before {
            self.dismissal.notify_one();
        }
    }

    /// Whom to dismiss; each is given once.
    pub(crate) fn dismissed(&self) -> Vec<u64> {
        std::mem::take(&mut self.inside().dismissed)
    }

    /// A session that was dismissed before whoever plays had heard of it is dismissed once more.
    pub(crate) fn is_handed_over(&self, session: u64) {
        let mut inside = self.inside();
        if inside.guests.get(&session).is_some_and(|guest| guest.is_dismissed) && inside.dismissed.len() < self.sessions_max {
            inside.dismissed.push(session);
            self.dismissal.notify_one();
        }
    }

    /// Something is told of a guest; `None` if nobody of that number is in.
    pub(crate) fn told<R>(&self, session: u64, tell: impl FnOnce(&mut Guest) -> R) -> Option<R> {
        self.inside().guests.get_mut(&session).map(|guest| tell(guest))
    }

    /// A guest leaves.
    pub(crate) fn leave(&self, session: u64) -> Option<Guest> {
        self.inside().leave(session)
    }

    /// Everybody leaves.
    pub(crate) fn empty(&self) -> Vec<Guest> {
        let mut inside = self.inside();
        inside.sources.clear();
        inside.due.clear();
        inside.slow = 0;
        inside.ports.close_all();
        inside.dismissed.clear();
        inside.guests.drain().map(|(_, guest)| *guest).collect()
    }

    /// Those who should have left long ago leave.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<Guest> {
        let mut inside = self.inside();
        let mut late = Vec::new();
        while let Some((session, due)) = inside.due.front().copied() {
            if due > now && inside.guests.contains_key(&session) {
                break;
            }
            inside.due.pop_front();
            late.extend(inside.leave(session));
        }
        late
    }

    /// Numbers stay true even if a holder of the lock panicked: no update is left half done.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn leave(&mut self, session: u64) -> Option<Guest> {
        let guest = self.guests.remove(&session)?;
        self.slow -= usize::from(guest.is_slow);
        self.ports.close(session);
        if let Some(known) = self.sources.get_mut(&guest.source) {
            known.slow -= usize::from(guest.is_slow);
            known.sessions.remove(&session);
            if known.sessions.is_empty() {
                self.sources.remove(&guest.source);
            }
        }
        // What is left of those who went is forgotten when it is half of all: the list stays as long as the house is full.
        if self.due.len() > 2 * self.guests.len() + 64 {
            let guests = &self.guests;
            self.due.retain(|(session, _)| guests.contains_key(session));
        }
        Some(*guest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(sessions_max: usize, sessions_per_source_max: usize) -> Arc<Gate> {
        Gate::new(&Limits { sessions_max, sessions_per_source_max, ..Limits::default() })
    }

    fn enter(gate: &Gate, source: &str) -> Entry {
        let addr = source.parse().unwrap();
        gate.enter(SocketAddr::new(addr, 7), SocketAddr::new(addr, 22), 0)
    }

    fn admitted(gate: &Gate, source: &str) -> Option<u64> {
        match enter(gate, source) {
            Entry::Admitted(stranger) => Some(stranger.session.0),
            Entry::Refused(_) | Entry::RefusedAgain => None,
        }
    }

    #[test]
    fn one_source_cannot_take_the_house() {
        let gate = gate(10, 2);
        let inside = [admitted(&gate, "192.0.2.1").unwrap(), admitted(&gate, "192.0.2.1").unwrap()];
        assert!(matches!(enter(&gate, "192.0.2.1"), Entry::Refused(_)), "told the first time");
        assert!(matches!(enter(&gate, "192.0.2.1"), Entry::RefusedAgain));
        assert!(admitted(&gate, "192.0.2.2").is_some(), "others come in");
        assert!(inside.iter().all(|session| gate.leave(*session).is_some()));
        assert!(admitted(&gate, "192.0.2.1").is_some(), "and so does it, once it has left");
    }

    #[test]
    fn an_ipv6_customer_is_one_source_however_many_addresses_it_has() {
        let gate = gate(10, 1);
        assert!(admitted(&gate, "2001:db8:1:2::1").is_some());
        assert!(admitted(&gate, "2001:db8:1:2::2").is_none());
        assert!(admitted(&gate, "2001:db8:1:3::1").is_some());
    }

    #[test]
    fn a_dismissal_reaches_the_sources_that_touch_the_subject_and_no_others() {
        let addresses =
            ["192.0.1.255", "192.0.2.0", "192.0.2.1", "192.0.2.255", "192.0.3.0", "2001:db8:1:2::1", "2001:db8:1:3::1"];
        let table: [(&str, &[usize]); 7] = [
            ("192.0.2.1", &[2]),
            ("192.0.2.0/24", &[1, 2, 3]),
            ("192.0.2.77", &[]),
            ("0.0.0.0/0", &[0, 1, 2, 3, 4]),
            ("2001:db8:1:2::/64", &[5]),
            ("2001:db8:1:3::99", &[6]),
            ("2001:db8::/32", &[5, 6]),
        ];
        for (subject, expected) in table {
            let gate = gate(10, 2);
            let sessions = addresses.map(|address| admitted(&gate, address).unwrap());
            Dismisser(Arc::clone(&gate)).dismiss(&subject.parse().unwrap());
            Dismisser(Arc::clone(&gate)).dismiss(&subject.parse().unwrap());
            let _later = admitted(&gate, addresses[2]).unwrap();
            let told = gate.dismissed();
            let expected: Vec<u64> = expected.iter().map(|index| sessions[*index]).collect();
            assert_eq!(told, expected, "{subject}: each once, and nobody who came later");
            assert!(gate.dismissed().is_empty());
        }
    }

    #[test]
    fn who_was_dismissed_before_it_was_handed_over_is_dismissed_again() {
        let gate = gate(10, 2);
        let [early, other] = ["192.0.2.1", "192.0.2.2"].map(|source| admitted(&gate, source).unwrap());
        Dismisser(Arc::clone(&gate)).dismiss(&"192.0.2.1".parse().unwrap());
        assert_eq!(gate.dismissed(), [early]);
        gate.is_handed_over(early);
        gate.is_handed_over(other);
        assert_eq!(gate.dismissed(), [early]);
    }

    #[test]
    fn tarpits_hold_a_share_of_all_and_of_each_source() {
        let gate = gate(40, 16);
        let held = |source: &str| {
            let session = admitted(&gate, source).unwrap();
            (session, gate.slow_down(session))
        };
        let first: Vec<(u64, bool)> = (0..6).map(|_| held("192.0.2.1")).collect();
        assert_eq!(first.iter().filter(|(_, held)| *held).count(), SLOW_PER_SOURCE_MAX);
        let others: Vec<bool> = (2..12).map(|host| held(&format!("192.0.2.{host}")).1).collect();
        assert_eq!(
            others.iter().filter(|held| **held).count(),
            40 / SLOW_SHARE - SLOW_PER_SOURCE_MAX,
            "places for others stay free"
        );
        assert!(!gate.slow_down(first[0].0), "once only");
        gate.leave(first[0].0).unwrap();
        assert!(held("192.0.2.99").1, "a place is free again");
        assert!(!gate.slow_down(9_999));
    }

    #[test]
    fn the_house_has_a_limit_and_forgets_who_left() {
        let gate = gate(2, 2);
        let inside = [admitted(&gate, "192.0.2.1").unwrap(), admitted(&gate, "192.0.2.2").unwrap()];
        assert!(matches!(enter(&gate, "192.0.2.3"), Entry::Refused(_)));
        assert!(matches!(enter(&gate, "192.0.2.3"), Entry::Refused(_)), "a full house is told each time");
        assert!(inside.iter().all(|session| gate.leave(*session).is_some()));
        assert!(gate.inside().sources.is_empty() && gate.inside().guests.is_empty());
        assert!(gate.leave(inside[0]).is_none(), "once only");
    }

    #[test]
    fn the_list_of_deadlines_stays_as_long_as_the_house_is_full() {
        let gate = gate(4, 4);
        for _ in 0..10_000 {
            let session = admitted(&gate, "192.0.2.1").unwrap();
            gate.leave(session).unwrap();
        }
        assert!(gate.inside().due.len() <= 64, "{}", gate.inside().due.len());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_never_said_to_have_left_leaves_long_after_its_deadline() {
        let gate = gate(4, 4);
        let (first, _) = (admitted(&gate, "192.0.2.1").unwrap(), tokio::time::advance(Duration::from_secs(100)).await);
        let second = admitted(&gate, "192.0.2.2").unwrap();
        gate.leave(second);
        assert!(gate.overdue(Instant::now()).is_empty());
        tokio::time::advance(Duration::from_secs(300)).await;
        let late: Vec<u64> = gate.overdue(Instant::now()).iter().map(|guest| guest.stranger.session.0).collect();
        assert_eq!(late, [first]);
        assert!(gate.inside().due.is_empty());
    }
}
