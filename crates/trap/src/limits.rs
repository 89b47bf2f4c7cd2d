//! Who is in: sessions at once, in all and from one source, and what is known of each; and who gives way in a full house.

mod ports;
mod shares;

pub use ports::PORTS_MAX;
pub(crate) use ports::{Grant, PORTS_OF_SESSION_MAX, Wish};

use crate::{Limits, neighbours::Neighbours, report::Stranger, status::count};
use honeymesh_types::{SessionId, Subject};
use ports::Ports;
use shares::Shares;
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

/// Everybody who is in. Holds an entry only for open sessions, so it never has more than [`Limits::open_max`].
#[derive(Debug)]
pub(crate) struct Gate {
    sessions_max: usize,
    /// Sessions at once, with those who leave.
    open_max: usize,
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
    /// Those of them who stay: who was dismissed has no place any more.
    staying: Shares,
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
    /// Where it stands among its neighbours.
    turn: u64,
    /// Which trap: its place among all.
    pub(crate) trap: usize,
    /// Reports so far.
    pub(crate) reports: u16,
    /// Octets told so far.
    pub(crate) bytes: u64,
    /// Octets that may still be captured.
    pub(crate) capture_room: usize,
    /// Ports of its own that it has had, and that it wanted.
    ports: u16,
    wishes: u16,
    is_dismissed: bool,
    /// It is held in a tarpit.
    is_slow: bool,
}

/// What the gate says to a connection.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Come in.
    Admitted(Stranger),
    /// Come in, for somebody gives way, who came to this trap.
    AdmittedInstead(Stranger, usize),
    /// Not now, and somebody should hear of it.
    Refused(Stranger),
    /// Not now, as before.
    RefusedAgain,
}

/// What place there is for a newcomer.
enum Place {
    Free,
    /// That of somebody who gives way, by his trap.
    Of(usize),
    None,
}

/// Ends open sessions. Clones act on the same traps.
#[derive(Clone, Debug)]
pub struct Dismisser(pub(crate) Arc<Gate>);

impl Dismisser {
    /// Ends every open session whose source (an IPv4 address, an IPv6 /64) touches `subject`, each after what it is
    /// doing now, but for an answer that the stranger does not take; what it has not told yet is told. For a source that has just been banned: its packets do not arrive
    /// any more, and one that is still on its way when the ban is lifted must not count as a new visit.
    pub fn dismiss(&self, subject: &Subject) {
        self.0.dismiss(subject);
    }
}

impl Gate {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            sessions_max: limits.sessions_max,
            open_max: limits.open_max(),
            per_source_max: limits.sessions_per_source_max,
            capture_bytes_max: limits.capture_bytes_max,
            remembered: limits.session_deadline + OVERDUE_AFTER,
            inside: Mutex::default(),
            dismissal: Notify::new(),
            dismissals_lost: AtomicU64::new(0),
        })
    }

    /// In a full house somebody gives way to a newcomer from a neighbourhood that has no place, or at least two fewer than his: of the neighbourhood with
    /// most, who was silent longest. A refusal for want of room is always worth a report; one for too many sessions of the same source
    /// is told once, until its last session has ended.
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
        let neighbours = Neighbours::of(from.ip());
        let entry = match self.place(&mut inside, neighbours) {
            Place::Free => Entry::Admitted(stranger),
            Place::Of(trap) => Entry::AdmittedInstead(stranger, trap),
            Place::None => return Entry::Refused(stranger),
        };
        let (capture_room, turn) = (self.capture_bytes_max, inside.staying.enters(neighbours, session));
        let (is_dismissed, is_slow, ports, wishes) = (false, false, 0, 0);
        let guest =
            Guest { stranger, source, turn, trap, reports: 0, bytes: 0, capture_room, ports, wishes, is_dismissed, is_slow };
        inside.sources.entry(source).or_default().sessions.insert(session);
        inside.guests.insert(session, Box::new(guest));
        inside.due.push_back((session, Instant::now() + self.remembered));
        entry
    }

    /// A place for one of these, so that no more than `sessions_max` stay, and no more than [`Limits::open_max`] are in with those who leave.
    fn place(&self, inside: &mut Inside, newcomer: Neighbours) -> Place {
        if inside.guests.len() >= self.open_max {
            return Place::None;
        }
        if inside.staying.len() < self.sessions_max {
            return Place::Free;
        }
        let Some(session) = inside.staying.gives_way(newcomer) else { return Place::None };
        let Some(trap) = inside.guests.get(&session).map(|guest| guest.trap) else { return Place::None };
        self.dismiss_one(inside, session);
        self.dismissal.notify_one();
        Place::Of(trap)
    }

    /// One who is in is to leave.
    fn dismiss_one(&self, inside: &mut Inside, session: u64) {
        let Some(guest) = inside.guests.get_mut(&session).filter(|guest| !guest.is_dismissed) else { return };
        guest.is_dismissed = true;
        inside.staying.leaves(guest.neighbours(), guest.turn);
        if inside.dismissed.len() < self.open_max {
            inside.dismissed.push(session);
        } else {
            count(&self.dismissals_lost);
        }
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
        let sessions: Vec<u64> = touched.flat_map(|(_, source)| &source.sessions).copied().collect();
        let before = inside.dismissed.len();
        sessions.into_iter().for_each(|session| self.dismiss_one(inside, session));
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
        if inside.guests.get(&session).is_some_and(|guest| guest.is_dismissed) && inside.dismissed.len() < self.open_max {
            inside.dismissed.push(session);
            self.dismissal.notify_one();
        }
    }

    /// Something is told of a guest; `None` if nobody of that number is in.
    pub(crate) fn told<R>(&self, session: u64, tell: impl FnOnce(&mut Guest) -> R) -> Option<R> {
        self.inside().guests.get_mut(&session).map(|guest| tell(guest))
    }

    /// A guest has said something: of its neighbourhood, it is the last now to give way.
    pub(crate) fn speaks(&self, session: u64) {
        let mut guard = self.inside();
        let inside = &mut *guard;
        if let Some(guest) = inside.guests.get_mut(&session).filter(|guest| !guest.is_dismissed) {
            guest.turn = inside.staying.speaks(guest.neighbours(), guest.turn, session);
        }
    }

    /// A guest leaves.
    pub(crate) fn leave(&self, session: u64) -> Option<Guest> {
        self.inside().leave(session)
    }

    /// Everybody leaves.
    pub(crate) fn empty(&self) -> Vec<Guest> {
        let mut inside = self.inside();
        inside.sources.clear();
        inside.staying.clear();
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

impl Guest {
    fn neighbours(&self) -> Neighbours {
        Neighbours::of(self.stranger.source.ip())
    }
}

impl Inside {
    fn leave(&mut self, session: u64) -> Option<Guest> {
        let guest = self.guests.remove(&session)?;
        if !guest.is_dismissed {
            self.staying.leaves(guest.neighbours(), guest.turn);
        }
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
mod tests;
