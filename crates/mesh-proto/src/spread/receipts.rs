//! Receipts that are awaited: a push whose receiver says nothing is sent again, and its duty done here.

use super::Duty;
use crate::{Signed, frame::Stub, peers::ShortId, post::To};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;
use honeymesh_types::MonoTime;

/// Receipts awaited at once; what is pushed beyond it is left to being told, and to digests.
const AWAITED_MAX: usize = 4_096;
/// A record is sent again so often before its receiver is left to digests, ...
const RESENDS_MAX: u8 = 8;
/// ... and so often to a member that was declared down a short while ago.
const RESENDS_TO_GONE: u8 = 3;
/// How long a receipt may take before anything is known of the way there.
const PATIENCE_START: Duration = Duration::from_millis(150);
/// The least and the most that is waited for a receipt. Not longer at each try: what is lost is mended while it matters, and the tries
/// are few.
const PATIENCE_MIN: Duration = Duration::from_millis(100);
const PATIENCE_MAX: Duration = Duration::from_millis(1_000);

/// Beyond each so many receipts that are awaited, one is waited for as long again, up to [`CROWD_MAX`] times: in a rush they come late
/// because everybody is busy, and what is sent again makes it worse. ...
const CROWD: usize = 128;
/// ... It is no rush if they are not more than those of so many records.
const CROWD_RECORDS: usize = 4;
const CROWD_MAX: usize = 8;

/// The network counts as lossy if more than this of 1,024 pushes go without a receipt: some five in a hundred.
const LOSSY: u32 = 51;
/// The newest push counts for so much of the whole.
const LOST_SHARE: u32 = 16;

/// A push on its way.
struct Awaited {
    signed: Signed,
    to: To,
    /// Where the receiver's part ends.
    until: ShortId,
    sent: MonoTime,
    due: MonoTime,
    resent: u8,
}

/// A push without a receipt in time.
pub(crate) struct Overdue {
    pub(crate) signed: Signed,
    pub(crate) to: To,
    /// What the receiver was to do, and has perhaps not done; only the first time.
    pub(crate) duty: Option<Duty>,
}

/// All receipts that are awaited.
#[derive(Default)]
pub(crate) struct Receipts {
    open: BTreeMap<(ShortId, Stub), Awaited>,
    timeline: BTreeSet<(MonoTime, ShortId, Stub)>,
    /// Mean and deviation of the time that a receipt takes (RFC 6298), in microseconds; zero: unknown.
    mean_us: u64,
    deviation_us: u64,
    /// How many of 1,024 pushes go without a receipt of late.
    lost: u32,
    /// To how many members a record goes.
    wide: usize,
}

impl Receipts {
    /// A record goes to about so many members now.
    pub(crate) const fn expect(&mut self, wide: usize) {
        self.wide = wide;
    }

    /// Awaits a receipt of a record that was just pushed.
    pub(crate) fn await_from(&mut self, to: To, until: ShortId, signed: &Signed, now: MonoTime) {
        self.await_after(0, to, until, signed, now);
    }

    /// The same of one who was declared down and perhaps is: fewer tries, nothing is learnt of the network from it, and no duty comes back.
    pub(crate) fn await_from_gone(&mut self, to: To, signed: &Signed, now: MonoTime) {
        let until = to.peer.map_or(ShortId(0), Duty::none);
        self.await_after(RESENDS_MAX - RESENDS_TO_GONE, to, until, signed, now);
    }

    fn await_after(&mut self, resent: u8, to: To, until: ShortId, signed: &Signed, now: MonoTime) {
        let Some(id) = to.peer else { return };
        if self.open.len() < AWAITED_MAX {
            let due = now.plus(self.patience() * self.crowd());
            self.put(id, Awaited { signed: signed.clone(), to, until, sent: now, due, resent });
        }
    }

    fn put(&mut self, id: ShortId, awaited: Awaited) {
        let stub = awaited.signed.id().stub();
        self.timeline.insert((awaited.due, id, stub));
        if let Some(before) = self.open.insert((id, stub), awaited) {
            self.timeline.remove(&(before.due, id, stub));
        }
    }

    fn take(&mut self, id: ShortId, stub: Stub) -> Option<Awaited> {
        let awaited = self.open.remove(&(id, stub))?;
        self.timeline.remove(&(awaited.due, id, stub));
        Some(awaited)
    }

    /// A receipt, or a sign that the peer has the record anyhow.
    pub(crate) fn got(&mut self, id: ShortId, stub: Stub, now: MonoTime) {
        if self.open.is_empty() {
            return;
        }
        // Of a record that was sent twice nobody knows which of the two it is for (Karn's rule).
        if let Some(awaited) = self.take(id, stub).filter(|awaited| awaited.resent == 0) {
            self.lost -= self.lost / LOST_SHARE;
            self.learn(now.since(awaited.sent));
        }
    }

    fn learn(&mut self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(10_000_000);
        if self.mean_us == 0 {
            (self.mean_us, self.deviation_us) = (took_us.max(1), took_us / 2);
        } else {
            self.deviation_us = (3 * self.deviation_us + self.mean_us.abs_diff(took_us)) / 4;
            self.mean_us = ((7 * self.mean_us + took_us) / 8).max(1);
        }
    }

    /// How long a receipt may take.
    pub(crate) fn patience(&self) -> Duration {
        match self.mean_us {
            0 => PATIENCE_START,
            mean_us => Duration::from_micros(mean_us + 4 * self.deviation_us).clamp(PATIENCE_MIN, PATIENCE_MAX),
        }
    }

    /// How much longer than usual a receipt may take.
    fn crowd(&self) -> u32 {
        let crowd = CROWD.max(CROWD_RECORDS * self.wide);
        u32::try_from((self.open.len() / crowd + 1).min(CROWD_MAX)).unwrap_or(1)
    }

    /// Is so much lost that more should be told what others have?
    pub(crate) const fn is_lossy(&self) -> bool {
        self.lost > LOSSY
    }

    /// When the next one is overdue.
    pub(crate) fn wake_at(&self) -> MonoTime {
        self.timeline.first().map_or(MonoTime::MAX, |(due, ..)| *due)
    }

    /// What is overdue, to be sent again: to the same member one after the other. The last time it is awaited no more.
    pub(crate) fn overdue(&mut self, now: MonoTime) -> Vec<Overdue> {
        let mut overdue = Vec::new();
        while let Some((due, id, stub)) = self.timeline.first().copied().filter(|(due, ..)| *due <= now) {
            self.timeline.remove(&(due, id, stub));
            let Some(mut awaited) = self.open.remove(&(id, stub)) else { continue };
            let duty = (awaited.resent == 0).then_some(Duty { after: id, until: awaited.until });
            overdue.push(Overdue { signed: awaited.signed.clone(), to: awaited.to, duty });
            if duty.is_some() {
                self.lost += (1_024 - self.lost) / LOST_SHARE;
            }
            awaited.resent += 1;
            if awaited.resent < RESENDS_MAX {
                awaited.due = now.plus(self.patience() * self.crowd());
                self.put(id, awaited);
            }
        }
        overdue
    }

    /// A member went: nothing is awaited from it any more, and what it was to do is given back.
    pub(crate) fn forget(&mut self, id: ShortId) -> Vec<Overdue> {
        let stubs: Vec<Stub> = self.open.range((id, Stub::MIN)..=(id, Stub::MAX)).map(|((_, stub), _)| *stub).collect();
        let taken = stubs.into_iter().filter_map(|stub| self.take(id, stub)).filter(|awaited| awaited.resent == 0);
        let back = |awaited: Awaited| {
            let duty = Some(Duty { after: id, until: awaited.until });
            Overdue { signed: awaited.signed, to: awaited.to, duty }
        };
        taken.map(back).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{addr, ban, hour, signed};

    const PEER: ShortId = ShortId(5);
    const UNTIL: ShortId = ShortId(9);

    fn to() -> To {
        To { addr: addr(5), peer: Some(PEER) }
    }

    fn at(millis: u64) -> MonoTime {
        MonoTime::from_millis(millis)
    }

    #[test]
    fn what_is_not_receipted_is_sent_again_some_times_and_its_duty_given_back_once() {
        let mut receipts = Receipts::default();
        receipts.await_from(to(), UNTIL, &signed(1, "203.0.113.7", ban(hour()), 0), at(0));
        let mut seen = Vec::new();
        while receipts.wake_at() != MonoTime::MAX {
            let now = receipts.wake_at();
            let duties = receipts.overdue(now).into_iter().map(|overdue| overdue.duty);
            seen.extend(duties.map(|duty| (now, duty)));
        }
        let duty = Some(Duty { after: PEER, until: UNTIL });
        assert!(receipts.is_lossy());
        let later = [300, 450, 600, 750, 900, 1_050, 1_200].map(|millis| (at(millis), None));
        assert_eq!(seen, [&[(at(150), duty)], &later[..]].concat());
    }

    #[test]
    fn who_is_perhaps_down_is_sent_a_record_a_few_times_and_teaches_nothing() {
        let mut receipts = Receipts::default();
        let one = signed(1, "203.0.113.7", ban(hour()), 0);
        receipts.await_from_gone(to(), &one, at(0));
        let mut seen = Vec::new();
        while receipts.wake_at() != MonoTime::MAX {
            let now = receipts.wake_at();
            let duties = receipts.overdue(now).into_iter().map(|overdue| overdue.duty);
            seen.extend(duties.map(|duty| (now, duty)));
        }
        assert_eq!(seen, [150, 300, 450].map(|millis| (at(millis), None)));
        receipts.await_from_gone(to(), &one, at(0));
        receipts.got(PEER, one.id().stub(), at(900));
        assert_eq!((receipts.lost, receipts.mean_us, receipts.wake_at()), (0, 0, MonoTime::MAX));
    }

    #[test]
    fn a_receipt_ends_the_waiting_and_teaches_patience() {
        let mut receipts = Receipts::default();
        let one = signed(1, "203.0.113.7", ban(hour()), 0);
        for n in 0..20 {
            receipts.await_from(to(), UNTIL, &one, at(n * 1_000));
            receipts.got(PEER, one.id().stub(), at(n * 1_000 + 200));
            receipts.got(ShortId(6), one.id().stub(), at(n * 1_000));
            assert_eq!(receipts.wake_at(), MonoTime::MAX);
        }
        receipts.await_from(to(), UNTIL, &one, at(0));
        let patience = receipts.wake_at().since(at(0));
        assert!((Duration::from_millis(200)..Duration::from_millis(260)).contains(&patience), "{patience:?}");
        assert!(!receipts.is_lossy());
        let mut quick = Receipts::default();
        quick.learn(Duration::from_micros(90));
        assert_eq!(quick.patience(), PATIENCE_MIN);
    }

    #[test]
    fn who_went_gives_its_duty_back_and_nothing_is_awaited_beyond_the_bound() {
        let mut receipts = Receipts::default();
        let one = signed(1, "203.0.113.7", ban(hour()), 0);
        receipts.await_from(to(), UNTIL, &one, at(0));
        let back = receipts.forget(PEER);
        assert_eq!(back.iter().map(|overdue| overdue.duty).collect::<Vec<_>>(), [Some(Duty { after: PEER, until: UNTIL })]);
        assert_eq!((receipts.wake_at(), receipts.forget(PEER).len()), (MonoTime::MAX, 0));
        for id in 0..AWAITED_MAX as u64 + 9 {
            receipts.await_from(To { peer: Some(ShortId(id)), ..to() }, UNTIL, &one, at(0));
        }
        assert_eq!((receipts.open.len(), receipts.timeline.len()), (AWAITED_MAX, AWAITED_MAX));
        let due = |id: u64| receipts.open[&(ShortId(id), one.id().stub())].due;
        assert_eq!([0, 127, 128, 4_000].map(due), [150, 150, 300, 1_200].map(at), "more patience in a crowd");
        let mut wide = Receipts::default();
        wide.expect(128);
        for id in 0..513 {
            wide.await_from(To { peer: Some(ShortId(id)), ..to() }, UNTIL, &one, at(0));
        }
        let due = |id: u64| wide.open[&(ShortId(id), one.id().stub())].due;
        assert_eq!([511, 512].map(due), [150, 300].map(at), "four records for many are no crowd");
    }
}
