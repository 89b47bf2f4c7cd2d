//! Records between their arrival and the check of their signatures.
//!
//! What arrives is queued, message by message. At most [`CHECK_BATCHES_MAX`] batches are out at once, so that an idle mesh hands
//! out a single ban at once, and a busy one gathers more and more of them while it waits: large batches are cheaper.

use super::{Mesh, Sender};
use crate::{
    CheckStats, Claims, Effect, RecordId, Refused, Signed, Verdicts,
    frame::{Bytes, Ids, Message, Stub},
    limits::{CHECK_BATCH_MAX, CHECK_BATCHES_MAX, CHECK_PEER_MAX, CHECK_QUEUE_MAX},
    peers::ShortId,
    spread::Duty,
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use honeymesh_types::Now;
use rand_core::Rng;

/// Why records came here, and what is to be done once they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody sent them unasked: metered by origin. With a duty they are receipted and handed on.
    Push(Option<Duty>),
    /// A repair asked for them in a datagram.
    Pull(u64),
    /// A repair asked for them on a stream.
    Haul(u64),
}

impl Cause {
    /// Whoever sends a bad signature over a stream has been asked, and is not heard by its budget.
    pub(super) const fn is_fined(self) -> bool {
        !matches!(self, Self::Haul(_))
    }
}

/// One record of a message.
#[derive(Debug)]
pub(super) enum Entry {
    /// To be checked.
    New(Signed),
    /// The same bytes are being checked for another message.
    Same {
        id: RecordId,
        /// They turned out to be bad.
        is_bad: bool,
    },
}

/// What came in one message and waits.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) sender: Sender,
    pub(super) cause: Cause,
    pub(super) entries: Vec<Entry>,
    /// What is receipted then, in the order in which it came.
    pub(super) receipts: Vec<Stub>,
    /// That something in it was refused was told.
    pub(super) is_told: bool,
}

impl Parcel {
    pub(super) const fn new(sender: Sender, cause: Cause) -> Self {
        Self { sender, cause, entries: Vec::new(), receipts: Vec::new(), is_told: false }
    }

    fn new_ones(&self) -> impl Iterator<Item = &Signed> {
        self.entries.iter().filter_map(|entry| if let Entry::New(signed) = entry { Some(signed) } else { None })
    }
}

/// Parcels that were handed out.
struct Batch {
    ticket: u64,
    parcels: Vec<Parcel>,
}

/// All records of one mesh that wait for a check.
#[derive(Default)]
pub(super) struct Checker {
    is_elsewhere: bool,
    ticket: u64,
    /// Handed out: at most [`CHECK_BATCHES_MAX`].
    out: Vec<Batch>,
    queue: VecDeque<Parcel>,
    /// Records in the queue.
    queued: usize,
    /// Everything that waits or is out.
    under_way: BTreeSet<RecordId>,
    /// How many of them each peer sent that may be fined.
    of_peer: BTreeMap<ShortId, usize>,
    /// Entries that wait for the check of another.
    same: usize,
    /// Repairs whose records were checked, to be gone on with.
    resumed: Vec<u64>,
}

impl Checker {
    /// Are these very bytes being checked?
    pub(super) fn has(&self, id: &RecordId) -> bool {
        self.under_way.contains(id)
    }

    /// Is a record being checked whose id begins so?
    pub(super) fn has_stub(&self, stub: Stub) -> bool {
        let (first, last) = stub.range();
        self.under_way.range(RecordId::first(first)..=RecordId::last(last)).next().is_some()
    }

    /// From now on this record waits.
    pub(super) fn expect(&mut self, id: RecordId) {
        self.under_way.insert(id);
    }

    pub(super) fn stats(&self, stats: &CheckStats) -> CheckStats {
        CheckStats { waiting: self.under_way.len() as u64, ..*stats }
    }

    fn push(&mut self, parcel: Parcel) {
        let many = parcel.new_ones().count();
        self.queued += many;
        self.same += parcel.entries.len() - many;
        if parcel.cause.is_fined() {
            *self.of_peer.entry(parcel.sender.id).or_default() += many;
        }
        self.queue.push_back(parcel);
    }

    /// Is there more than may wait, of this peer or in all? What is out already is past helping.
    fn is_over(&self, peer: ShortId) -> bool {
        let is_much = self.of_peer.get(&peer).is_some_and(|many| *many > CHECK_PEER_MAX);
        // Messages with nothing new in them wait, too, for the check of the same bytes.
        let is_full = self.queued > CHECK_QUEUE_MAX || self.queue.len() > CHECK_QUEUE_MAX;
        !self.queue.is_empty() && (!self.is_elsewhere || is_much || is_full)
    }

    /// Takes the oldest parcels, as many as are checked together.
    fn take_batch(&mut self) -> Vec<Parcel> {
        let (mut parcels, mut many) = (Vec::new(), 0);
        while many < CHECK_BATCH_MAX
            && let Some(parcel) = self.queue.pop_front()
        {
            many += parcel.new_ones().count();
            parcels.push(parcel);
        }
        self.queued -= many;
        parcels
    }

    /// A parcel is done with.
    fn forget(&mut self, parcel: &Parcel) {
        let many = parcel.new_ones().count();
        self.same -= parcel.entries.len() - many;
        if let Some(left) = self.of_peer.get_mut(&parcel.sender.id).filter(|_| parcel.cause.is_fined()) {
            *left -= many;
            if *left == 0 {
                self.of_peer.remove(&parcel.sender.id);
            }
        }
    }

    /// These bytes are bad, whoever else has sent them.
    fn condemn(&mut self, bad: RecordId) {
        if self.same == 0 {
            return;
        }
        let waiting = self.queue.iter_mut().chain(self.out.iter_mut().flat_map(|batch| &mut batch.parcels));
        for entry in waiting.flat_map(|parcel| &mut parcel.entries) {
            if let Entry::Same { id, is_bad } = entry {
                *is_bad |= *id == bad;
            }
        }
    }
}

impl Mesh {
    /// From now on signatures of peers' records are not checked in here but handed out as [`Effect::Check`]; the verdicts come back
    /// through [`Mesh::checked`]. At the bounds ([`crate::limits::CHECK_QUEUE_MAX`], [`crate::limits::CHECK_PEER_MAX`]) the mesh
    /// checks a batch itself all the same.
    pub const fn check_elsewhere(&mut self) {
        self.checker.is_elsewhere = true;
    }

    /// Takes the verdicts about an [`Effect::Check`]: what is good is entered, handed on and receipted. Those about anything else
    /// change nothing.
    pub fn checked(&mut self, verdicts: Verdicts, now: Now, out: &mut Vec<Effect>) {
        self.wall = now.wall;
        let Some(at) = self.checker.out.iter().position(|batch| batch.ticket == verdicts.ticket) else { return };
        let batch = self.checker.out.swap_remove(at);
        // Before the rest, so that the next batch is under way meanwhile.
        self.hand_out(out);
        self.conclude(batch.parcels, &verdicts, now, out);
        self.resume(now, out);
        self.flush(now, out);
    }

    /// Has the signatures of what came in one message checked, in here or elsewhere.
    pub(super) fn have_checked(&mut self, parcel: Parcel, now: Now, out: &mut Vec<Effect>) {
        let peer = parcel.sender.id;
        if parcel.entries.is_empty() {
            return self.finish(parcel, now, out);
        }
        self.checker.push(parcel);
        self.hand_out(out);
        while self.checker.is_over(peer) {
            let parcels = self.checker.take_batch();
            self.post.stats.checks.overflows += u64::from(self.checker.is_elsewhere);
            let verdicts = self.claims(&parcels).check();
            self.conclude(parcels, &verdicts, now, out);
        }
    }

    fn hand_out(&mut self, out: &mut Vec<Effect>) {
        while self.checker.is_elsewhere && self.checker.out.len() < CHECK_BATCHES_MAX && !self.checker.queue.is_empty() {
            let parcels = self.checker.take_batch();
            let claims = self.claims(&parcels);
            self.checker.out.push(Batch { ticket: self.checker.ticket, parcels });
            out.push(Effect::Check(claims));
        }
    }

    fn claims(&mut self, parcels: &[Parcel]) -> Claims {
        let mut secret = [0; 32];
        self.rng.fill_bytes(&mut secret);
        self.checker.ticket += 1;
        let of = |parcel: &Parcel| parcel.new_ones().map(|signed| (parcel.sender.id, signed.clone())).collect::<Vec<_>>();
        Claims::new(self.checker.ticket, secret, parcels.iter().flat_map(of).collect())
    }

    /// Does what is to be done with what was checked.
    fn conclude(&mut self, parcels: Vec<Parcel>, verdicts: &Verdicts, now: Now, out: &mut Vec<Effect>) {
        let (many, stats) = (verdicts.good.len() as u64, &mut self.post.stats);
        stats.checks.batches += u64::from(many > 0);
        stats.checks.records += many;
        stats.checks.largest = stats.checks.largest.max(many);
        stats.checks.split += u64::from(verdicts.is_split);
        stats.streams.batches_split += u64::from(verdicts.is_split && parcels.iter().any(|parcel| !parcel.cause.is_fined()));
        let (mut good, mut bad) = (verdicts.good.iter().copied(), BTreeSet::new());
        for mut parcel in parcels {
            self.checker.forget(&parcel);
            for entry in core::mem::take(&mut parcel.entries) {
                match entry {
                    Entry::New(signed) => {
                        self.checker.under_way.remove(&signed.id());
                        if good.next() == Some(true) {
                            self.admit(&mut parcel, signed, now, out);
                        } else {
                            bad.insert(signed.id());
                            self.checker.condemn(signed.id());
                            self.refuse_bad(&mut parcel, out);
                        }
                    }
                    Entry::Same { id, is_bad } if is_bad || bad.contains(&id) => {
                        // As it would have been before a check of its own.
                        self.post.charge(parcel.sender.id, now);
                        self.refuse_bad(&mut parcel, out);
                    }
                    Entry::Same { id, .. } => self.came_again(&mut parcel, id),
                }
            }
            self.finish(parcel, now, out);
        }
    }

    /// A record whose signature is good: enters it, unless its origin was turned away meanwhile, and hands it on if it is news.
    fn admit(&mut self, parcel: &mut Parcel, signed: Signed, now: Now, out: &mut Vec<Effect>) {
        let (sender, cause) = (parcel.sender, parcel.cause);
        if let Err(error) = self.admission.check_record(&signed.record.origin, signed.record.at.wall()) {
            return error.refused().into_iter().for_each(|why| self.refuse_one(parcel, why, out));
        }
        let Some(signed) = self.take(sender, signed, now, out) else { return };
        match cause {
            Cause::Push(duty) => self.push_on(&signed, Some(sender.id), duty),
            Cause::Pull(session) | Cause::Haul(session) => {
                if self.digests.session(session).is_some_and(crate::repair::Session::learn) {
                    self.push_on(&signed, Some(sender.id), None);
                }
            }
        }
    }

    fn refuse_bad(&mut self, parcel: &mut Parcel, out: &mut Vec<Effect>) {
        if parcel.cause.is_fined() {
            self.post.fine(parcel.sender.id);
        }
        self.refuse_one(parcel, Refused::RecordSignature, out);
    }

    /// Counts the refusal of one record, and tells of the first one in a message that was not asked for on a stream.
    pub(super) fn refuse_one(&mut self, parcel: &mut Parcel, why: Refused, out: &mut Vec<Effect>) {
        self.post.count(why, Some(parcel.sender.id));
        if parcel.cause.is_fined() && !core::mem::replace(&mut parcel.is_told, true) {
            out.push(Effect::Refused { from: parcel.sender.addr, why });
        }
    }

    /// A record that had been under way when it came again: its duty is done if it came by a repair then, and while it is not
    /// checked there is no receipt.
    fn came_again(&mut self, parcel: &mut Parcel, id: RecordId) {
        if self.checker.has(&id) {
            parcel.receipts.retain(|stub| *stub != id.stub());
        } else if let Cause::Push(Some(duty)) = parcel.cause {
            self.serve_late(parcel.sender, duty, &id);
        }
    }

    /// Everything in a message is done with: gives receipts, or lets the repair go on.
    fn finish(&mut self, parcel: Parcel, now: Now, out: &mut Vec<Effect>) {
        match parcel.cause {
            Cause::Push(Some(_)) if !parcel.receipts.is_empty() => {
                let ids = Ids::pack(parcel.receipts.into_iter());
                self.post.send(parcel.sender.to(), Message::Have(Ids(Bytes(&ids))), now, out);
            }
            Cause::Push(_) => {}
            Cause::Pull(session) | Cause::Haul(session) => {
                self.digests.session(session).into_iter().for_each(crate::repair::Session::checked);
                self.checker.resumed.push(session);
            }
        }
    }

    /// Goes on with the repairs whose records were checked.
    pub(super) fn resume(&mut self, now: Now, out: &mut Vec<Effect>) {
        for session in core::mem::take(&mut self.checker.resumed) {
            if let Some(at) = self.digests.place(session) {
                self.go_on(at, now, out);
            }
        }
    }
}

#[cfg(test)]
mod tests;
