//! Large repairs: one at a time, over a stream if one can be had, over datagrams if not.

use super::{Mesh, Sender};
use crate::{
    Effect,
    repair::{Errand, Progress, Session},
    stream::StreamId,
};
use alloc::vec::Vec;
use honeymesh_types::Now;

impl Mesh {
    /// A repair has found out that much is missing here: takes it over to a stream, if one can be had.
    pub(super) fn consider_stream(&mut self, at: usize, now: Now, out: &mut Vec<Effect>) {
        let Some(session) = self.digests.sessions.get(at).filter(|session| session.is_large && session.stream.is_none()) else {
            return;
        };
        let sender = Sender { id: session.peer, addr: session.to.addr };
        if self.has_bulk() {
            // They are being fetched already; what another peer has besides shows at the next digest.
            return self.digests.sessions[at].leave_records();
        }
        if let Some(stream) = self.streams.to(sender.id) {
            self.digests.sessions[at].leave_records();
            return self.repair_over_stream(sender, stream, now, out);
        }
        if self.dial(sender, now, out) {
            self.digests.sessions[at].leave_records();
        } else {
            // Said once for each repair that stays on datagrams.
            self.digests.sessions[at].is_large = false;
            self.post.stats.streams.bulk_fallbacks += 1;
        }
    }

    /// Is a large repair under way on a stream, or about to be?
    pub(super) fn has_bulk(&self) -> bool {
        self.streams.is_dialling() || self.digests.sessions.iter().any(|session| session.stream.is_some())
    }

    /// The stream is there: asks for everything that is missing.
    pub(super) fn repair_over_stream(&mut self, sender: Sender, stream: StreamId, now: Now, out: &mut Vec<Effect>) {
        self.post.stats.streams.bulk += 1;
        let errand = Errand { records: true, ..Errand::default() };
        let mut session = Session::new(sender.id, sender.to(), errand, rand_core::Rng::next_u32(&mut self.rng), now);
        session.stream = Some(stream);
        session.is_bulk = true;
        let at = self.digests.begin(session);
        self.go_on(at, now, out);
    }

    /// No stream comes: the same over datagrams.
    pub(super) fn repair_over_datagrams(&mut self, sender: Sender, now: Now, out: &mut Vec<Effect>) {
        self.start(sender, Errand { records: true, ..Errand::default() }, now, out);
    }

    /// A stream has ended. What had arrived is in the set; the next digest finds out what is still missing.
    pub(super) fn repair_cut(&mut self, stream: StreamId) {
        let before = self.digests.sessions.len();
        self.digests.sessions.retain(|session| session.stream != Some(stream));
        self.post.stats.repairs_failed += (before - self.digests.sessions.len()) as u64;
    }

    /// A repair on a stream has ended: so does the stream, if it was opened for that.
    pub(super) fn repair_ended(&mut self, stream: Option<StreamId>, how: Progress, out: &mut Vec<Effect>) {
        let Some(stream) = stream else { return };
        self.post.stats.streams.bulk_done += u64::from(how == Progress::Done);
        if self.has_dialled(stream) && !self.is_relay(stream) && !self.asks_to_be_relay(stream) {
            self.hang_up(stream, out);
        }
    }
}
