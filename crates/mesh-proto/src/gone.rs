//! Members that were declared down a short while ago. Where much is lost, that is now and then a mistake, and they are back a moment
//! later: until then they still get what is said, as leaves of the tree. Whoever stands before one on the ring sends it a copy, and nobody
//! waits for what it would hand on.

use crate::{peers::ShortId, post::To, roster::Part, spread::Duty};
use alloc::{collections::VecDeque, vec::Vec};
use core::{net::SocketAddr, time::Duration};
use honeymesh_types::MonoTime;

/// For how long a member that was declared down still gets what is said.
const GONE_FOR: Duration = Duration::from_secs(15);
/// The most such members; beyond it the one that went first gets nothing any more.
const GONE_MAX: usize = 16;
/// If more than one for each so many live members went of late, they are really down, or split off: none gets anything.
const LIVE_FOR_EACH: usize = 8;

/// A member that went.
struct Lately {
    id: ShortId,
    addr: SocketAddr,
    until: MonoTime,
}

/// All that went of late, in that order.
#[derive(Default)]
pub(crate) struct Gone {
    lately: VecDeque<Lately>,
}

impl Gone {
    /// A member was declared down. True if another had to make room for it.
    pub(crate) fn went(&mut self, id: ShortId, addr: SocketAddr, now: MonoTime) -> bool {
        self.came(id);
        self.lately.retain(|lately| lately.until > now);
        let is_full = self.lately.len() >= GONE_MAX;
        if is_full {
            self.lately.pop_front();
        }
        self.lately.push_back(Lately { id, addr, until: now.plus(GONE_FOR) });
        is_full
    }

    /// It is back.
    pub(crate) fn came(&mut self, id: ShortId) {
        self.lately.retain(|lately| lately.id != id);
    }

    /// Who of them is in a duty and in none of the parts into which it was divided among some of `live` members: those who stand
    /// between the node that divides it and the first of the others.
    pub(crate) fn left_over(&self, duty: Duty, parts: &[Part], live: usize, now: MonoTime) -> Vec<To> {
        let lately = || self.lately.iter().filter(|lately| lately.until > now);
        if lately().count() > (live / LIVE_FOR_EACH).max(1) {
            return Vec::new();
        }
        let until = parts.first().and_then(|part| part.to.peer).unwrap_or(duty.until);
        let own = Duty { after: duty.after, until };
        let inside = lately().filter(|lately| own.includes(lately.id));
        inside.map(|lately| To { addr: lately.addr, peer: Some(lately.id) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{roster::Roster, testing::addr};

    fn at(secs: u64) -> MonoTime {
        MonoTime::from_millis(secs * 1_000)
    }

    /// Whom a duty reaches as leaves, wherever it is divided, if all know that some went.
    fn reach(others: &Roster, gone: &Gone, duty: Duty, reached: &mut Vec<u64>) {
        let parts = others.divide(duty, 4);
        reached.extend(gone.left_over(duty, &parts, others.len(), at(1)).into_iter().filter_map(|to| Some(to.peer?.0)));
        for Part { to, until, .. } in parts {
            reach(others, gone, Duty { after: to.peer.unwrap(), until }, reached);
        }
    }

    #[test]
    fn whoever_stands_before_a_member_that_went_hands_it_over_once() {
        for origin in 1..=64 {
            let (mut others, mut gone) = (Roster::default(), Gone::default());
            (1..=64).filter(|n| *n != origin).for_each(|n| others.insert(ShortId(n), addr(1)));
            let went: Vec<u64> = [1, 2, 3, 33, 40, 64].into_iter().filter(|n| *n != origin).collect();
            for n in &went {
                others.remove(ShortId(*n));
                assert!(!gone.went(ShortId(*n), addr(1), at(0)));
            }
            let mut reached = Vec::new();
            reach(&others, &gone, Duty::of_origin(ShortId(origin)), &mut reached);
            reached.sort_unstable();
            assert_eq!(reached, went, "said by {origin}");
        }
    }

    #[test]
    fn who_is_back_or_long_gone_or_one_of_many_gets_nothing() {
        let everybody = Duty::of_origin(ShortId(0));
        let mut gone = Gone::default();
        let left = |gone: &Gone, live, now| gone.left_over(everybody, &[], live, now).len();
        assert!((1..=2).all(|n| !gone.went(ShortId(n), addr(1), at(n))));
        assert_eq!([15, 16, 63, 1_000].map(|live| left(&gone, live, at(3))), [0, 2, 2, 2], "not more than one of eight");
        assert_eq!([15, 16, 17].map(|secs| left(&gone, 64, at(secs))), [2, 1, 0], "for 15 seconds");
        assert_eq!(left(&gone, 2, at(16)), 1, "one, however few there are");
        gone.came(ShortId(2));
        assert_eq!(left(&gone, 64, at(3)), 1);
        let pushed_out = (1..=99).filter(|n| gone.went(ShortId(*n), addr(1), at(20))).count();
        assert_eq!(pushed_out, 99 - GONE_MAX);
        assert_eq!((gone.lately.len(), left(&gone, 1_000, at(21)), left(&gone, 100, at(21))), (GONE_MAX, GONE_MAX, 0));
    }
}
