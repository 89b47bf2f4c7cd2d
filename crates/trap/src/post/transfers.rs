//! Transfers: ports of their own from which answers have left, each open to one sender for a while.
//!
//! Whoever forges senders can have as many begun as he likes. So there are few places, who has gone on at his port is never displaced by who
//! has only begun, and no one source has more than a part of them.

use super::of_source;
use honeymesh_trap_proto::{TRANSFER_BYTES, Transfer};
use std::{collections::HashMap, net::IpAddr, time::Duration};
use tokio::{sync::watch, time::Instant};

/// Transfers that are open at once. At the bound the oldest that has not gone on gives way; where all have, none is begun.
pub(crate) const TRANSFERS_MAX: usize = 256;
/// The same of one source (an IPv4 address, an IPv6 /64).
pub(crate) const TRANSFERS_OF_SOURCE_MAX: usize = 16;
/// How long one is open at most after its last answer: tftpd-hpa gives up after 1 + 2 + 4 + 8 + 16 + 32 seconds.
pub(crate) const TRANSFER_WAIT_MAX: Duration = Duration::from_secs(63);
/// How long one is open at most, whatever comes.
pub(crate) const TRANSFER_MAX: Duration = Duration::from_secs(900);

/// All that are open.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    open: HashMap<u64, Open>,
    last: u64,
}

#[derive(Debug)]
struct Open {
    source: [u8; 16],
    known: [u8; TRANSFER_BYTES],
    /// Something came to it.
    has_gone_on: bool,
    ends: Instant,
    /// Told to whoever keeps the socket; when it is gone, the transfer is over.
    until: watch::Sender<Instant>,
}

/// One that begins.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) id: u64,
    /// When it is over, unless it goes on; closed when it is over sooner.
    pub(crate) until: watch::Receiver<Instant>,
    /// Another one had to give way.
    pub(crate) has_displaced: bool,
}

impl Transfers {
    /// `None`: there is no place.
    pub(super) fn begin(&mut self, source: IpAddr, transfer: Transfer, now: Instant) -> Option<Begun> {
        let source = of_source(source);
        let is_own = |open: &Open| open.source == source;
        let own = self.open.values().filter(|open| is_own(open)).count();
        let has_displaced = if own >= TRANSFERS_OF_SOURCE_MAX {
            self.displace(is_own)?;
            true
        } else if self.open.len() >= TRANSFERS_MAX {
            self.displace(|_| true)?;
            true
        } else {
            false
        };
        self.last += 1;
        let ends = now + TRANSFER_MAX;
        let (until, begun) = watch::channel(deadline(transfer, now, ends));
        self.open.insert(self.last, Open { source, known: transfer.known, has_gone_on: false, ends, until });
        Some(Begun { id: self.last, until: begun, has_displaced })
    }

    /// Ends the oldest of some that has not gone on.
    fn displace(&mut self, is_one: impl Fn(&Open) -> bool) -> Option<()> {
        let oldest = self.open.iter().filter(|(_, open)| !open.has_gone_on && is_one(open)).map(|(id, _)| *id).min()?;
        self.open.remove(&oldest).map(drop)
    }

    /// Something comes to one: what is to be known.
    pub(super) fn goes_on(&mut self, id: u64) -> Option<[u8; TRANSFER_BYTES]> {
        let open = self.open.get_mut(&id)?;
        open.has_gone_on = true;
        Some(open.known)
    }

    /// It was answered there, or it ends.
    pub(super) fn answered(&mut self, id: u64, transfer: Transfer, now: Instant) {
        if transfer.wait_ms == 0 {
            return self.end(id);
        }
        if let Some(open) = self.open.get_mut(&id) {
            open.known = transfer.known;
            open.until.send_replace(deadline(transfer, now, open.ends));
        }
    }

    /// It is over.
    pub(super) fn end(&mut self, id: u64) {
        self.open.remove(&id);
    }
}

fn deadline(transfer: Transfer, now: Instant, ends: Instant) -> Instant {
    (now + Duration::from_millis(transfer.wait_ms.into()).min(TRANSFER_WAIT_MAX)).min(ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const A_WHILE: Transfer = Transfer { wait_ms: 10_000, known: [1; TRANSFER_BYTES] };

    fn source(number: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    #[test]
    fn who_has_gone_on_is_never_displaced_and_who_has_only_begun_gives_way_oldest_first() {
        let (mut transfers, now) = (Transfers::default(), Instant::now());
        let mut begun: Vec<Begun> = (0..256).map(|number| transfers.begin(source(number), A_WHILE, now).unwrap()).collect();
        assert!(begun.iter().all(|one| !one.has_displaced && one.until.has_changed().is_ok()));
        for one in begun.iter().filter(|one| one.id != 7) {
            assert_eq!(transfers.goes_on(one.id), Some(A_WHILE.known));
        }
        let late = transfers.begin(source(999), A_WHILE, now).unwrap();
        assert!(late.has_displaced);
        let seventh = begun.iter_mut().find(|one| one.id == 7).unwrap();
        assert!(seventh.until.has_changed().is_err(), "it is told that it is over");
        assert_eq!((transfers.goes_on(7), transfers.goes_on(8)), (None, Some(A_WHILE.known)));
        assert!(transfers.goes_on(late.id).is_some());
        assert!(transfers.begin(source(1_000), A_WHILE, now).is_none(), "all have gone on");
        transfers.end(8);
        assert!(transfers.begin(source(1_000), A_WHILE, now).is_some());
        assert_eq!(transfers.open.len(), TRANSFERS_MAX);
    }

    #[test]
    fn one_source_displaces_its_own() {
        let (mut transfers, now) = (Transfers::default(), Instant::now());
        let other = transfers.begin(source(1), A_WHILE, now).unwrap();
        let first = transfers.begin(source(2), A_WHILE, now).unwrap();
        let more: Vec<Begun> = (2..=TRANSFERS_OF_SOURCE_MAX).filter_map(|_| transfers.begin(source(2), A_WHILE, now)).collect();
        assert!(first.until.has_changed().is_ok());
        assert!(transfers.begin(source(2), A_WHILE, now).unwrap().has_displaced);
        assert!(first.until.has_changed().is_err() && other.until.has_changed().is_ok() && more[0].until.has_changed().is_ok());
        assert_eq!(transfers.open.len(), 1 + TRANSFERS_OF_SOURCE_MAX);
        let all: Vec<u64> = transfers.open.keys().copied().collect();
        assert!(all.into_iter().all(|id| transfers.goes_on(id).is_some()));
        assert!(transfers.begin(source(2), A_WHILE, now).is_none() && transfers.begin(source(3), A_WHILE, now).is_some());
    }

    #[test]
    fn one_is_open_until_its_time_and_never_longer_than_all_may() {
        let (mut transfers, start) = (Transfers::default(), Instant::now());
        let begun = transfers.begin(source(1), Transfer { wait_ms: u32::MAX, ..A_WHILE }, start).unwrap();
        let until = || *begun.until.borrow();
        assert_eq!(until(), start + TRANSFER_WAIT_MAX, "whatever is asked for");
        let later = start + Duration::from_secs(5);
        transfers.answered(begun.id, Transfer { known: [2; TRANSFER_BYTES], ..A_WHILE }, later);
        assert_eq!((until(), transfers.goes_on(begun.id)), (later + Duration::from_secs(10), Some([2; TRANSFER_BYTES])));
        transfers.answered(begun.id, A_WHILE, start + TRANSFER_MAX - Duration::from_secs(1));
        assert_eq!(until(), start + TRANSFER_MAX);
        transfers.answered(begun.id, Transfer { wait_ms: 0, ..A_WHILE }, later);
        assert!(begun.until.has_changed().is_err() && transfers.goes_on(begun.id).is_none());
    }
}
