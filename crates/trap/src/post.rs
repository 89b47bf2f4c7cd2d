//! Datagrams that wait for an answer: whose they are, how long they are, and what may still be said of them.
//!
//! Who has sent one stays here, as with connections. What comes back from the process that plays names one of these, and can do
//! no more than this table lets it: one answer, to where the datagram came from, not longer than it; one report; and for some services
//! a port of its own for the sender, for a while.

mod limits;
mod nonce;
mod socket;
mod transfers;

pub(crate) use socket::{Arrived, Local, answer, arrival, bound, connected, heard};
pub(crate) use transfers::Begun;

use crate::neighbours::Neighbours;
use honeymesh_trap_proto::{DATAGRAM_ANSWER_BYTES_MAX, Leaves, NONCE_BYTES, TRANSFER_BYTES, Transfer};
use honeymesh_types::SessionId;
use limits::{Allowance, Limiter};
use nonce::Nonces;
use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::UdpSocket, time::Instant};
use transfers::Transfers;

/// Datagrams that wait at once; further ones are dropped, and counted as beyond a limit.
pub(crate) const WAITING_MAX: usize = 1_024;
/// How long one may be answered. Then it is told by itself, if nothing was told of it.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(2);
/// Numbers of datagrams begin here; those of sessions stay below.
pub(crate) const FIRST_NUMBER: u64 = 1 << 48;

/// Datagrams taken a second: in all, and from one source (an IPv4 address, an IPv6 /64).
const TAKEN: Limiter = Limiter { a_second: 1_000, at_once: 1_000 };
const TAKEN_FROM_SOURCE: Limiter = Limiter { a_second: 32, at_once: 64 };
/// Answers sent a second: in all, to one source, and to its neighbourhood (IPv4 /24, IPv6 /48).
const ANSWERED: Limiter = Limiter { a_second: 500, at_once: 500 };
const ANSWERED_TO_SOURCE: Limiter = Limiter { a_second: 32, at_once: 64 };
const ANSWERED_TO_NEIGHBOURS: Limiter = Limiter { a_second: 128, at_once: 256 };

/// All datagrams that wait.
pub(crate) struct Post {
    nonces: Nonces,
    inside: Mutex<Inside>,
}

struct Inside {
    waiting: HashMap<u64, Letter>,
    /// In the order in which they came: all may wait equally long.
    due: VecDeque<(u64, Instant)>,
    last: u64,
    taken: Allowance,
    taken_from_source: Allowance,
    answered: Allowance,
    answered_to_source: Allowance,
    answered_to_neighbours: Allowance,
    transfers: Transfers,
}

/// Where a datagram is heard.
#[derive(Clone, Debug)]
pub(crate) struct Ear {
    /// Which trap: its place among all.
    pub(crate) trap: usize,
    pub(crate) socket: Arc<UdpSocket>,
    /// Its service answers from ports of its own.
    pub(crate) has_transfers: bool,
    /// It is such a port: the number of its transfer, and the port's.
    pub(crate) transfer: Option<(u64, u16)>,
}

/// One that waits.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) number: SessionId,
    pub(crate) source: SocketAddr,
    pub(crate) local: Local,
    pub(crate) ear: Ear,
    /// What is to be known of the transfer that it belongs to.
    pub(crate) known: Option<[u8; TRANSFER_BYTES]>,
    pub(crate) bytes: Vec<u8>,
    /// How many octets more it had than what is looked at.
    pub(crate) cut: usize,
    /// Where a nonce stands in it that was sent to its source.
    pub(crate) nonce_at: Option<usize>,
    is_told: bool,
    is_answered: bool,
}

/// What becomes of an answer.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Nobody waits under this number.
    Stray,
    /// Longer than what it answers, the second one, for a place that gets none, with a nonce where there is no room for one, or from a port
    /// of its own where there are none.
    Refused(usize),
    /// Too many for this source, its neighbourhood, or in all.
    Limited(usize),
    /// There is no place for another transfer.
    Crowded(usize),
    /// Nothing is said, and a transfer is as the process wants it.
    Silent,
    /// Send it from where the datagram came to.
    Send(Letter),
    /// Send it from a port of its own, which closes.
    Once(Letter),
    /// Send it from a port of its own, which stays open.
    Begin(Letter, Begun),
}

/// What the process that plays wants to answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// How long it is, in octets.
    pub(crate) length: usize,
    /// Where a nonce is to be written.
    pub(crate) nonce_at: Option<usize>,
    pub(crate) leaves: Leaves,
}

impl Post {
    /// # Errors
    /// The kernel gives no key.
    pub(crate) fn new() -> io::Result<Self> {
        let now = Instant::now();
        let inside = Inside {
            waiting: HashMap::new(),
            due: VecDeque::new(),
            last: FIRST_NUMBER,
            taken: Allowance::new(TAKEN, 1, now),
            taken_from_source: Allowance::new(TAKEN_FROM_SOURCE, limits::SLOTS, now),
            answered: Allowance::new(ANSWERED, 1, now),
            answered_to_source: Allowance::new(ANSWERED_TO_SOURCE, limits::SLOTS, now),
            answered_to_neighbours: Allowance::new(ANSWERED_TO_NEIGHBOURS, limits::SLOTS, now),
            transfers: Transfers::default(),
        };
        Ok(Self { nonces: Nonces::new(now)?, inside: Mutex::new(inside) })
    }

    /// A datagram comes. `None`: beyond a limit, or its transfer is over.
    pub(crate) fn take(&self, arrived: Arrived, ear: &Ear) -> Option<Letter> {
        let now = Instant::now();
        let source = arrived.source;
        let (number, known) = {
            let mut inside = self.inside();
            let known = match ear.transfer {
                Some((id, _)) => Some(inside.transfers.goes_on(id)?),
                None => None,
            };
            let has_room = inside.waiting.len() < WAITING_MAX
                && inside.taken_from_source.allows(&of_source(source.ip()), now)
                && inside.taken.allows(&(), now);
            if !has_room {
                return None;
            }
            inside.last += 1;
            (inside.last, known)
        };
        let letter = Letter {
            number: SessionId(number),
            nonce_at: self.nonces.find(&arrived.bytes, source, ear.trap, now),
            source,
            local: arrived.local,
            ear: ear.clone(),
            known,
            bytes: arrived.bytes,
            cut: arrived.cut,
            is_told: false,
            is_answered: false,
        };
        let mut inside = self.inside();
        inside.waiting.insert(number, letter.clone());
        inside.due.push_back((number, now + ANSWER_MAX));
        Some(letter)
    }

    /// Something is told of a datagram: once.
    pub(crate) fn told(&self, number: u64) -> Option<Letter> {
        let mut inside = self.inside();
        let letter = inside.waiting.get_mut(&number).filter(|letter| !letter.is_told)?;
        letter.is_told = true;
        Some(letter.clone())
    }

    /// Somebody wants to answer one.
    pub(crate) fn answer(&self, number: u64, wish: Wish) -> Verdict {
        let now = Instant::now();
        let mut guard = self.inside();
        let inside = &mut *guard;
        let Some(letter) = inside.waiting.get_mut(&number) else { return Verdict::Stray };
        if std::mem::replace(&mut letter.is_answered, true) || !may_be(wish, letter) {
            return Verdict::Refused(letter.ear.trap);
        }
        let source = letter.source.ip();
        let is_allowed = wish.length == 0
            || inside.answered_to_source.allows(&of_source(source), now)
                && inside.answered_to_neighbours.allows(&Neighbours::of(source), now)
                && inside.answered.allows(&(), now);
        if !is_allowed {
            return Verdict::Limited(letter.ear.trap);
        }
        match (wish.leaves, letter.ear.transfer) {
            (Leaves::Asked, _) => Verdict::Send(letter.clone()),
            (Leaves::Own(transfer), Some((id, _))) => {
                inside.transfers.answered(id, transfer, now);
                if wish.length == 0 { Verdict::Silent } else { Verdict::Send(letter.clone()) }
            }
            (Leaves::Own(Transfer { wait_ms: 0, .. }), None) => Verdict::Once(letter.clone()),
            (Leaves::Own(transfer), None) => match inside.transfers.begin(source, transfer, now) {
                Some(begun) => Verdict::Begin(letter.clone(), begun),
                None => Verdict::Crowded(letter.ear.trap),
            },
        }
    }

    /// A transfer is over.
    pub(crate) fn end_transfer(&self, id: u64) {
        self.inside().transfers.end(id);
    }

    /// The nonce for a letter's source.
    pub(crate) fn nonce(&self, letter: &Letter) -> [u8; NONCE_BYTES] {
        self.nonces.of(letter.source, letter.ear.trap, Instant::now())
    }

    /// Nothing more will be said of it. Gives it if nothing was told.
    pub(crate) fn leave(&self, number: u64) -> Option<(usize, Option<Letter>)> {
        let letter = self.inside().leave(number)?;
        Some((letter.ear.trap, (!letter.is_told).then_some(letter)))
    }

    /// Those that nothing was told of in time.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<Letter> {
        let mut inside = self.inside();
        let mut late = Vec::new();
        while let Some((number, due)) = inside.due.front().copied() {
            if due > now && inside.waiting.contains_key(&number) {
                break;
            }
            inside.due.pop_front();
            late.extend(inside.waiting.remove(&number).filter(|letter| !letter.is_told));
        }
        late
    }

    /// Nobody will answer any of them. Gives those that nothing was told of.
    pub(crate) fn empty(&self) -> Vec<Letter> {
        let mut inside = self.inside();
        inside.due.clear();
        inside.waiting.drain().map(|(_, letter)| letter).filter(|letter| !letter.is_told).collect()
    }

    /// Numbers stay true even if a holder of the lock panicked: no update is left half done.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn leave(&mut self, number: u64) -> Option<Letter> {
        let letter = self.waiting.remove(&number)?;
        // What is left of those that went is forgotten when it is half of all.
        if self.due.len() > 2 * self.waiting.len() + 64 {
            let waiting = &self.waiting;
            self.due.retain(|(number, _)| waiting.contains_key(number));
        }
        Some(letter)
    }
}

/// May it be said at all?
fn may_be(wish: Wish, letter: &Letter) -> bool {
    let fits = wish.length <= letter.bytes.len() && wish.length <= DATAGRAM_ANSWER_BYTES_MAX;
    let has_room = wish.nonce_at.is_none_or(|at| at.saturating_add(NONCE_BYTES) <= wish.length);
    // Silence is no answer but where it is about a transfer.
    let may_leave = match wish.leaves {
        Leaves::Asked => wish.length > 0,
        Leaves::Own(_) => letter.ear.has_transfers && (wish.length > 0 || letter.ear.transfer.is_some()),
    };
    fits && has_room && may_leave && letter.local.may_answer
}

/// Who counts as one source: an IPv4 address, an IPv6 /64.
fn of_source(address: IpAddr) -> [u8; 16] {
    let (address, host_bits) = match address.to_canonical() {
        IpAddr::V4(v4) => (v4.to_ipv6_mapped(), 0),
        IpAddr::V6(v6) => (v6, 64),
    };
    (address.to_bits() & (u128::MAX << host_bits)).to_be_bytes()
}

#[cfg(test)]
mod tests;
