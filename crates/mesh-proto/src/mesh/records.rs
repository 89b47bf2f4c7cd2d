//! Records: saying, hearing, and handing on.

use super::{
    Mesh, Sender,
    checks::{Cause, Entry, Parcel},
};
use crate::{
    Effect, RecordError, RecordId, Refused, Signed, Statement,
    frame::{Bytes, IDS_MAX, Ids, Message, Packer, Records, Stub},
    peers::ShortId,
    post::To,
    record::wire,
    repair::Errand,
    roster::{Part, copies, width},
    set::Offer,
    spread::{Duty, Overdue, STRAY_FANOUT, TELL_LOSSY},
};
use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;
use honeymesh_types::{Now, Subject};

impl Mesh {
    /// Signs a statement and puts it into this node's own slot.
    pub(super) fn say(&mut self, statement: Statement, now: Now) -> Result<Signed, RecordError> {
        let mut record = wire::compose(statement, self.node, self.name.clone(), self.clock.clone().tick(now.wall));
        wire::check_words(&record)?;
        record.at = self.clock.tick(now.wall);
        if record.is_unban() {
            self.clock.close();
        } else if record.is_ban()
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
        self.admission.check_record(&signed.record.origin, signed.record.at.wall())?;
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

    /// Takes records that somebody pushed; what is new is pushed on. Whoever gave a duty with them gets a receipt, also for
    /// what was refused: to send it again would change nothing. Only what may be believed once a certificate is here comes again.
    pub(super) fn pushed(
        &mut self,
        sender: Sender,
        until: Option<ShortId>,
        records: Records<'_>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let duty = until.map(|until| Duty { after: ShortId::of(&self.node.0), until });
        self.hear(sender, records, Cause::Push(duty), now, out);
        self.resume(now, out);
    }

    /// Takes records from a peer: has the signatures checked of those that may be news, and what comes of them is done then.
    /// What is refused is counted; the first refusal is told.
    pub(super) fn hear(&mut self, sender: Sender, records: Records<'_>, cause: Cause, now: Now, out: &mut Vec<Effect>) {
        let mut parcel = Parcel::new(sender, cause);
        for raw in records.iter() {
            let id = RecordId::of(raw);
            let judged = self.judge(sender, raw, id, cause, now);
            if let Cause::Push(Some(duty)) = cause {
                if matches!(judged, Err(None)) {
                    self.serve_late(sender, duty, &id);
                }
                if parcel.receipts.len() < IDS_MAX && !matches!(judged, Err(Some(Refused::RecordUncertified))) {
                    parcel.receipts.push(id.stub());
                }
            }
            match judged {
                Ok(entry) => parcel.entries.push(entry),
                Err(None) => {}
                Err(Some(why)) => {
                    self.refuse_one(&mut parcel, why, out);
                    if why == Refused::RecordUncertified && cause.is_fined() {
                        self.ask_who(sender, raw, now, out);
                    }
                }
            }
        }
        self.have_checked(parcel, now, out);
    }

    /// Does the duty that comes with a record which a repair had brought before.
    pub(super) fn serve_late(&mut self, sender: Sender, duty: Duty, id: &RecordId) {
        if let Some(raw) = self.set.raw(id).cloned()
            && self.spread.serve(id.stub())
            && let Ok((record, _)) = wire::read(&raw)
        {
            self.push_on(&Signed::new(record, raw, *id), Some(sender.id), Some(duty));
        }
    }

    /// Puts a verified record into the set. Gives it back if that is news: if it is not over, or ends another.
    pub(super) fn take(&mut self, sender: Sender, signed: Signed, now: Now, out: &mut Vec<Effect>) -> Option<Signed> {
        let Offer::Entered { replaced, .. } = self.enter(&signed, now) else { return None };
        self.count_new(sender.id);
        let is_news = replaced || !signed.record.is_over(now.wall);
        is_news.then(|| {
            out.push(Effect::Record { signed: signed.clone() });
            signed
        })
    }

    /// May this record enter the set, if its signature is good? `Err(None)` is old news.
    fn judge(&mut self, sender: Sender, raw: &[u8], id: RecordId, cause: Cause, now: Now) -> Result<Entry, Option<Refused>> {
        if self.set.contains(&id) {
            return Err(None);
        }
        if self.checker.has(&id) {
            return Ok(Entry::Same { id, is_bad: false });
        }
        let signed = self.read(raw, id, now).map_err(RecordError::refused)?;
        self.admission.check_record(&signed.record.origin, signed.record.at.wall()).map_err(RecordError::refused)?;
        self.set.consider(&signed).map_err(|offer| (offer == Offer::Quota).then_some(Refused::Quota))?;
        if matches!(cause, Cause::Push(_)) {
            if !self.origins.allow(signed.record.origin, now.mono) {
                return Err(Some(Refused::OriginRate));
            }
            if !self.post.charge(sender.id, now) {
                return Err(Some(Refused::PeerRate));
            }
        }
        self.checker.expect(id);
        Ok(Entry::New(signed))
    }

    /// A record of somebody whose certificate is not known here: whoever hands it on must know it.
    fn ask_who(&mut self, sender: Sender, raw: &[u8], now: Now, out: &mut Vec<Effect>) {
        if let Ok((record, _)) = wire::read(raw) {
            self.ask_deeds(sender.to(), ShortId::of(&record.origin.0), now, out);
        }
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

    /// Queues a record for the members of a duty; for a few at random if there is none.
    pub(super) fn push_on(&mut self, signed: &Signed, from: Option<ShortId>, duty: Option<Duty>) {
        if !self.spread.add(signed.clone(), from, duty) {
            self.post.stats.pushes_dropped += 1;
        }
    }

    /// Sends what is due to be pushed, again what nobody has given a receipt for, and tells what was pushed a moment ago.
    pub(super) fn flush(&mut self, now: Now, out: &mut Vec<Effect>) {
        let wide = width(self.roster.len() + 1);
        self.receipts.expect(wide);
        let overdue = self.receipts.overdue(now.mono);
        self.push_again(overdue, now, out);
        for parcel in self.spread.flush(now.mono, wide) {
            let records = parcel.packer.list();
            let Some(duty) = parcel.duty else {
                for to in self.roster.pick_many(STRAY_FANOUT, &parcel.except, &mut self.rng) {
                    self.post.send(to, Message::Push { until: None, records }, now, out);
                }
                continue;
            };
            let parts = self.roster.divide(duty, wide);
            for to in self.gone.left_over(duty, &parts, self.roster.len(), now.mono) {
                parcel.records.iter().for_each(|signed| self.receipts.await_from_gone(to, signed, now.mono));
                self.post.stats.pushes_to_gone += 1;
                self.post.send(to, Message::Push { until: to.peer.map(Duty::none), records }, now, out);
            }
            for Part { to, until, .. } in &parts {
                parcel.records.iter().for_each(|signed| self.receipts.await_from(*to, *until, signed, now.mono));
            }
            // One after the other, so that the copies for one receiver are not lost together.
            let rounds = parts.iter().map(|part| copies(part.others)).max().unwrap_or(0);
            for round in 0..rounds {
                for Part { to, until, .. } in parts.iter().filter(|part| copies(part.others) > round) {
                    self.post.send(*to, Message::Push { until: Some(*until), records }, now, out);
                }
            }
        }
        self.tell(now, out);
    }

    /// Sends records again that were not receipted, and does itself what their receivers were to do.
    pub(super) fn push_again(&mut self, overdue: Vec<Overdue>, now: Now, out: &mut Vec<Effect>) {
        let mut parcels: Vec<(To, Packer)> = Vec::new();
        for Overdue { signed, to, duty } in overdue {
            if let Some(duty) = duty {
                self.push_on(&signed, to.peer, Some(duty));
            }
            let is_packed = parcels.last_mut().is_some_and(|(last, packer)| *last == to && packer.push(&signed.raw));
            if !is_packed {
                let mut packer = Packer::default();
                packer.push(&signed.raw);
                parcels.push((to, packer));
            }
        }
        for (to, packer) in parcels {
            self.post.stats.pushes_again += 1;
            let until = to.peer.map(Duty::none);
            self.post.send(to, Message::Push { until, records: packer.list() }, now, out);
        }
    }

    /// Tells another what was pushed a moment ago; some more if such messages are likely to be lost.
    fn tell(&mut self, now: Now, out: &mut Vec<Effect>) {
        loop {
            let told = self.spread.told(now.mono);
            if told.is_empty() {
                return;
            }
            let ids = Ids::pack(told.into_iter());
            let wanted = if self.receipts.is_lossy() { TELL_LOSSY } else { 1 };
            for to in self.roster.followers(ShortId::of(&self.node.0), wanted) {
                self.post.send(to, Message::Have(Ids(Bytes(&ids))), now, out);
            }
        }
    }

    /// Somebody has these records: asks for those that did not arrive here.
    pub(super) fn told(&mut self, sender: Sender, ids: &Ids<'_>, now: Now, out: &mut Vec<Effect>) {
        ids.iter().take(IDS_MAX).for_each(|id| self.receipts.got(sender.id, id, now.mono));
        let fetch: Vec<Stub> =
            ids.iter().take(IDS_MAX).filter(|id| !self.set.contains_stub(*id) && !self.checker.has_stub(*id)).collect();
        if !fetch.is_empty() && !self.fetch_too(sender.id, &fetch, now, out) {
            self.start(sender, Errand { fetch, ..Errand::default() }, now, out);
        }
    }
}
