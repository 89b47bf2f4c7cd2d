//! Records: saying, hearing, and handing on.

use super::{Mesh, Sender};
use crate::{
    Effect, RecordError, RecordId, Refused, Signed, Statement,
    frame::{Message, Records},
    peers::ShortId,
    record::wire,
    roster::fanout,
    set::Offer,
};
use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;
use honeymesh_types::{Now, Subject};

/// How a record came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// Somebody sent it unasked: metered by origin.
    Push,
    /// It was asked for.
    Pull,
}

impl Mesh {
    /// Signs a statement and puts it into this node's own slot.
    pub(super) fn say(&mut self, statement: Statement, now: Now) -> Result<Signed, RecordError> {
        let mut record = wire::compose(statement, self.node, self.name.clone(), self.clock.clone().tick(now.wall));
        wire::check_words(&record)?;
        record.at = self.clock.tick(now.wall);
        if record.is_ban()
            && let Some(held) = self.set.slot_held_until(&record.subject, self.node)
        {
            record.linger = Duration::from_millis(held.since(record.until()).as_millis().try_into().unwrap_or(u64::MAX));
        }
        let signed = wire::sign(record, self.cluster, &self.signer)?;
        match self.enter(&signed, now) {
            Offer::Entered { .. } | Offer::Known => Ok(signed),
            Offer::Superseded => Err(RecordError::Superseded),
            Offer::Quota => Err(RecordError::Quota),
        }
    }

    /// Puts a stored record back.
    pub(super) fn put_back(&mut self, raw: &[u8], now: Now) -> Result<Signed, RecordError> {
        let signed = self.read(raw, RecordId::of(raw), now)?;
        wire::verify(raw, signed.record.origin)?;
        match self.enter(&signed, now) {
            Offer::Entered { .. } | Offer::Known => Ok(signed),
            Offer::Superseded => Err(RecordError::Superseded),
            Offer::Quota => Err(RecordError::Quota),
        }
    }

    /// What is said about a subject and is not over.
    pub(super) fn live_records(&self, subject: &Subject) -> Vec<Signed> {
        let read = |raw: &Arc<[u8]>| {
            let (record, _) = wire::read(raw).ok()?;
            Some(Signed::new(record, raw.clone(), RecordId::of(raw)))
        };
        self.set.about(subject).filter_map(read).filter(|signed| !signed.record.is_over(self.wall)).collect()
    }

    /// Takes records that somebody pushed; what is new is pushed on.
    pub(super) fn pushed(&mut self, sender: Sender, records: Records<'_>, now: Now, out: &mut Vec<Effect>) {
        for raw in records.iter() {
            if let Some(signed) = self.hear(sender, raw, Via::Push, now, out) {
                self.push_on(&signed, Some(sender.id));
            }
        }
    }

    /// Takes a record from a peer. Gives it back if it is new; what is refused is counted and told.
    pub(super) fn hear(&mut self, sender: Sender, raw: &[u8], via: Via, now: Now, out: &mut Vec<Effect>) -> Option<Signed> {
        match self.judge(raw, via, now) {
            Ok(signed) => match self.enter(&signed, now) {
                Offer::Entered { replaced, .. } => {
                    self.count_new(sender.id);
                    if replaced || !signed.record.is_over(now.wall) {
                        out.push(Effect::Record { signed: signed.clone() });
                    }
                    Some(signed)
                }
                Offer::Known | Offer::Superseded | Offer::Quota => None,
            },
            Err(Some(why)) => {
                self.post.refuse(why, sender.addr, Some(sender.id), out);
                None
            }
            Err(None) => None,
        }
    }

    /// May this record enter the set? Cheap checks first, the signature last. `Err(None)` is old news.
    fn judge(&mut self, raw: &[u8], via: Via, now: Now) -> Result<Signed, Option<Refused>> {
        let id = RecordId::of(raw);
        if self.set.contains(&id) {
            return Err(None);
        }
        let signed = self.read(raw, id, now).map_err(RecordError::refused)?;
        self.set.consider(&signed).map_err(|offer| (offer == Offer::Quota).then_some(Refused::Quota))?;
        if via == Via::Push && !self.origins.allow(signed.record.origin, now.mono) {
            return Err(Some(Refused::OriginRate));
        }
        wire::verify(raw, signed.record.origin).map_err(RecordError::refused)?;
        Ok(signed)
    }

    /// Reads a record and checks everything but its signature.
    fn read(&self, raw: &[u8], id: RecordId, now: Now) -> Result<Signed, RecordError> {
        let (record, signed_for) = wire::read(raw)?;
        wire::check(&record, signed_for, self.cluster, now.wall)?;
        Ok(Signed::new(record, raw.into(), id))
    }

    fn enter(&mut self, signed: &Signed, now: Now) -> Offer {
        let offer = self.set.offer(signed);
        if let Offer::Entered { evicted, .. } = offer {
            self.clock.observe(signed.record.at, now.wall);
            self.post.stats.records_evicted += u64::from(evicted);
        }
        offer
    }

    fn count_new(&mut self, sender: ShortId) {
        self.post.stats.records_new += 1;
        if let Some(peer) = self.post.peers.get_mut(sender) {
            peer.stats.records_new += 1;
        }
    }

    /// Queues a record for the other members.
    pub(super) fn push_on(&mut self, signed: &Signed, from: Option<ShortId>) {
        if !self.spread.add(signed.clone(), from) {
            self.post.stats.pushes_dropped += 1;
        }
    }

    /// Sends what is due to be pushed.
    pub(super) fn flush(&mut self, now: Now, out: &mut Vec<Effect>) {
        for parcel in self.spread.flush(now.mono) {
            let wanted = fanout(self.roster.len() + 1);
            for to in self.roster.pick_many(wanted, &parcel.except, &mut self.rng) {
                self.post.send(to, Message::Push(parcel.packer.list()), now, out);
            }
        }
    }
}
