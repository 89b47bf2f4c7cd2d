//! Knocking: configured peers that are not there are asked for ever, so that any split heals.

use crate::{
    limits::JOIN_MAX,
    peers::ShortId,
    roster::{Roster, below},
};
use alloc::vec::Vec;
use core::{net::SocketAddr, time::Duration};
use honeymesh_types::MonoTime;
use rand_chacha::ChaCha8Rng;

/// How long to wait after the first knock; doubled after each.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest wait between knocks, and how often a peer that is there is looked after.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A configured peer.
struct Door {
    addr: SocketAddr,
    /// Who opened it last.
    met: Option<ShortId>,
    wait: Duration,
    due: MonoTime,
}

/// All configured peers; at most [`JOIN_MAX`].
pub(crate) struct Doors(Vec<Door>);

impl Doors {
    pub(crate) fn new(join: &[SocketAddr], now: MonoTime) -> Self {
        let door = |addr: &SocketAddr| Door { addr: *addr, met: None, wait: WAIT_MIN, due: now };
        Self(join.iter().take(JOIN_MAX).map(door).collect())
    }

    /// When somebody is to be knocked at next.
    pub(crate) fn wake_at(&self) -> MonoTime {
        self.0.iter().map(|door| door.due).min().unwrap_or(MonoTime::MAX)
    }

    /// The peers to knock at now: those that are due and not among the living.
    pub(crate) fn due(&mut self, now: MonoTime, roster: &Roster, rng: &mut ChaCha8Rng) -> Vec<SocketAddr> {
        let mut knocks = Vec::new();
        for door in self.0.iter_mut().filter(|door| door.due <= now) {
            let is_open = door.met.is_some_and(|id| roster.contains(id)) || roster.has_addr(door.addr);
            if is_open {
                door.wait = WAIT_MIN;
                door.due = now.plus(jittered(WAIT_MAX, rng));
            } else {
                knocks.push(door.addr);
                door.due = now.plus(jittered(door.wait, rng));
                door.wait = (door.wait * 2).min(WAIT_MAX);
            }
        }
        knocks
    }

    /// The addresses of all of them.
    pub(crate) fn addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.0.iter().map(|door| door.addr)
    }

    /// Is one of them configured at this address?
    pub(crate) fn has_addr(&self, addr: SocketAddr) -> bool {
        self.addrs().any(|known| known == addr)
    }

    /// Somebody answered from this address.
    pub(crate) fn opened(&mut self, addr: SocketAddr, by: ShortId) {
        if let Some(door) = self.0.iter_mut().find(|door| door.addr == addr) {
            door.met = Some(by);
        }
    }

    /// A configured peer at random, there or not.
    pub(crate) fn pick(&self, rng: &mut ChaCha8Rng) -> Option<(SocketAddr, Option<ShortId>)> {
        self.0.get(below(rng, self.0.len())).map(|door| (door.addr, door.met))
    }
}

/// A time somewhere between three and five quarters of `around`, so that nodes do not fall into step.
pub(crate) fn jittered(around: Duration, rng: &mut ChaCha8Rng) -> Duration {
    let half = usize::try_from(around.as_micros() / 2).unwrap_or(usize::MAX);
    around * 3 / 4 + Duration::from_micros(below(rng, half) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;

    #[test]
    fn knocking_slows_down_but_never_ends() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut doors = Doors::new(&["192.0.2.1:1".parse().unwrap()], MonoTime(0));
        let (mut knocks, mut last_wait) = (0, Duration::ZERO);
        while doors.wake_at() < MonoTime::from_millis(3_600_000) {
            let now = doors.wake_at();
            knocks += doors.due(now, &Roster::default(), &mut rng).len();
            last_wait = doors.wake_at().since(now);
        }
        assert!((90..200).contains(&knocks), "{knocks} in an hour");
        assert!(last_wait > Duration::from_secs(20));
    }

    #[test]
    fn nobody_knocks_at_an_open_door_and_a_closed_one_is_noticed() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let addr: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let mut doors = Doors::new(&[addr], MonoTime(0));
        let mut roster = Roster::default();
        doors.opened(addr, ShortId(5));
        roster.insert(ShortId(5), "198.51.100.1:1".parse().unwrap());
        assert!(doors.due(MonoTime(0), &roster, &mut rng).is_empty(), "it is there under another address");
        roster.remove(ShortId(5));
        let later = doors.wake_at();
        assert!(later <= MonoTime::from_millis(37_500));
        assert_eq!(doors.due(later, &roster, &mut rng), [addr]);
    }
}
