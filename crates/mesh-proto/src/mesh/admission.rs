//! What the authority's deeds mean in the mesh: who may speak, and what leaves the set with who is turned away.

use super::{Mesh, Sender};
use crate::{
    Admitted, Deed, DeedError, Deeds, Effect, Refused, Standing,
    frame::{Message, Packer, Records},
    membership::{Known, News, Share, State},
    peers::ShortId,
    post::To,
    repair::Errand,
    roster::fanout,
};
use alloc::{sync::Arc, vec::Vec};
use honeymesh_types::{NodeId, NodeName, Now};

/// New deeds in one datagram that are pushed on; more at once are a walk, which everybody does for himself.
const PUSH_DEEDS_MAX: usize = 4;

impl Mesh {
    /// Refuses whatever a node may not say that the authority has not let in. It may introduce itself and ask who is let in.
    pub(super) fn check_sender(&self, sender: Sender, message: &Message<'_>, now: Now) -> Result<(), Refused> {
        let standing = self.admission.check_sender(sender.id, now.wall);
        match message {
            Message::Knock { .. } | Message::Welcome { .. } | Message::Deeds { .. } | Message::DeedsFrom(_)
                if standing == Err(Refused::Uncertified) =>
            {
                Ok(())
            }
            _ => standing,
        }
    }

    /// This node's own certificate, to be shown when it knocks; empty if it has none.
    pub(super) fn own_certificate(&self) -> Arc<[u8]> {
        self.admission.register.certificate(&self.node.0).map_or_else(|| Arc::from([].as_slice()), |deed| deed.raw.clone())
    }

    /// Takes the certificate that somebody shows with a knock or a welcome. Is it let in?
    pub(super) fn shown(&mut self, sender: Sender, certificate: &[u8], now: Now, out: &mut Vec<Effect>) -> Result<(), Refused> {
        if !certificate.is_empty() && self.admission.authority().is_some() {
            self.take_deed(certificate, Some(sender.id), true, now, out)?;
        }
        self.admission.check_sender(sender.id, now.wall)
    }

    /// Takes deeds that somebody sent; what is new is pushed on, and the walk goes on if there is more.
    pub(super) fn deeds(
        &mut self,
        sender: Sender,
        deeds: Records<'_>,
        next: Option<u64>,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        let hand_on = deeds.iter().take(PUSH_DEEDS_MAX + 1).count() <= PUSH_DEEDS_MAX;
        for raw in deeds.iter() {
            if !self.post.charge(sender.id, now) {
                return Err(Refused::PeerRate);
            }
            self.take_deed(raw, Some(sender.id), hand_on, now, out)?;
        }
        if self.lacks_member(now.mono) {
            self.start(sender, Errand { members: true, ..Errand::default() }, now, out);
        }
        if let Some(next) = next {
            self.ask_deeds(sender.to(), ShortId(next), now, out);
        }
        Ok(())
    }

    fn take_deed(
        &mut self,
        raw: &[u8],
        from: Option<ShortId>,
        hand_on: bool,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refused> {
        match self.admission.take(raw, now.wall) {
            Ok(None) => Ok(()),
            Ok(Some(deed)) => {
                if hand_on {
                    self.push_deed(&deed, from, now, out);
                }
                self.obey(deed, now, out);
                Ok(())
            }
            Err(why) => {
                if let Some(from) = from.filter(|_| why == Refused::DeedInvalid) {
                    self.post.fine(from);
                }
                Err(why)
            }
        }
    }

    /// Does what a new deed says: who is revoked leaves, and takes along what it said.
    fn obey(&mut self, deed: Deed, now: Now, out: &mut Vec<Effect>) {
        if matches!(deed.said, Deeds::Revoked { .. }) && deed.node != self.node {
            self.set.remove_origin(deed.node);
            self.bury(deed.node, now, out);
            self.dismiss_guest(ShortId::of(&deed.node.0), out);
        }
        if deed.is_certificate() && !self.roster.contains(ShortId::of(&deed.node.0)) && deed.node != self.node {
            self.expect_member(now.mono);
        }
        out.push(Effect::Deed { deed });
    }

    /// Ends a membership.
    fn bury(&mut self, node: NodeId, now: Now, out: &mut Vec<Effect>) {
        let Some(known) = self.members.get(ShortId::of(&node.0)).filter(|known| known.ident.node == node.0) else { return };
        let mut news = News::default();
        let down = Known { state: State::Down, ..known };
        // What is known already has room.
        let _ = self.members.learn(&[down], &|_| true, Share::HandOn, now, &mut news);
        self.carry_out(news, now, out);
    }

    fn push_deed(&mut self, deed: &Deed, from: Option<ShortId>, now: Now, out: &mut Vec<Effect>) {
        let mut packer = Packer::default();
        packer.push(&deed.raw);
        let except: Vec<ShortId> = from.into_iter().collect();
        for to in self.roster.pick_many(fanout(self.roster.len() + 1), &except, &mut self.rng) {
            self.post.send(to, Message::Deeds { deeds: packer.list(), next: None }, now, out);
        }
    }

    /// Asks for deeds, if not too much was asked lately.
    pub(super) fn ask_deeds(&mut self, to: To, from: ShortId, now: Now, out: &mut Vec<Effect>) {
        if self.admission.may_ask(now) {
            self.post.send(to, Message::DeedsFrom(from.0), now, out);
        }
    }

    /// Answers with as many deeds as fit into a datagram, from this node on.
    pub(super) fn tell_deeds(&mut self, to: To, from: u64, now: Now, out: &mut Vec<Effect>) {
        let mut packer = Packer::default();
        let mut next = None;
        for (node, deed) in self.admission.register.since(ShortId(from)) {
            if !packer.push(&deed.raw) {
                next = Some(node.0);
                break;
            }
        }
        if !packer.is_empty() {
            self.post.send(to, Message::Deeds { deeds: packer.list(), next }, now, out);
        }
    }

    /// The holder of the secret gives itself a certificate, and renews those of members that end soon.
    pub(super) fn wake_admission(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.admission.wake_at() > now.mono {
            return;
        }
        let mut due = Vec::new();
        if matches!(self.admission.standing(&self.node.0, now.wall), Standing::Uncertified | Standing::Expired) {
            due.push((self.node, self.name.clone(), self.admission.owner().clone()));
        }
        let members = self.members.list(None).into_iter().filter(|known| known.state != State::Down);
        let members: Vec<NodeId> = members.map(|known| NodeId(known.ident.node)).chain([self.node]).collect();
        due.extend(self.admission.due(members.into_iter(), now));
        for (node, name, owner) in due {
            // A full register is told in `peers`; it is tried again.
            let _ = self.certify(node, &name, &owner, now, out);
        }
    }

    /// Lets a node in: signs its certificate and tells everybody.
    ///
    /// # Errors
    /// [`DeedError::NoSecret`], [`DeedError::Full`]; nothing was changed.
    pub fn certify(
        &mut self,
        node: NodeId,
        name: &NodeName,
        owner: &NodeName,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<Deed, DeedError> {
        let deed = self.admission.certify(node, name, owner, now.wall)?;
        self.push_deed(&deed, None, now, out);
        out.push(Effect::Deed { deed: deed.clone() });
        Ok(deed)
    }

    /// Turns a node away, or takes that back, and tells everybody. Its records leave the set and its membership ends;
    /// [`Effect::Deed`] says so to this node too.
    ///
    /// # Errors
    /// [`DeedError::NoSecret`], [`DeedError::Full`]; nothing was changed.
    pub fn revoke(&mut self, node: NodeId, revoked: bool, now: Now, out: &mut Vec<Effect>) -> Result<(), DeedError> {
        let deed = self.admission.judge(node, revoked, now.wall)?;
        self.push_deed(&deed, None, now, out);
        self.obey(deed, now, out);
        Ok(())
    }

    /// Puts a stored deed back at start-up: before the records, which are judged by it. False: it is damaged, or not this
    /// authority's.
    pub fn restore_deed(&mut self, raw: &[u8], now: Now) -> bool {
        self.admission.take(raw, now.wall).is_ok()
    }

    /// Does this cluster have an authority?
    #[must_use]
    pub const fn authority(&self) -> Option<NodeId> {
        self.admission.authority()
    }

    /// Does this node hold the authority's secret?
    #[must_use]
    pub const fn holds_authority(&self) -> bool {
        self.admission.holds_secret()
    }

    /// How one node stands with the authority at the time last seen.
    #[must_use]
    pub fn admission(&self, node: NodeId) -> Admitted {
        self.admission.of(node, self.wall)
    }

    /// Everybody about whom the authority has said anything, by identity.
    #[must_use]
    pub fn admissions(&self) -> Vec<Admitted> {
        self.admission.all(self.wall)
    }

    /// The deeds about one node.
    #[must_use]
    pub fn deeds_about(&self, node: NodeId) -> Vec<Deed> {
        self.admission.register.about(&node.0)
    }

    /// What one origin says and is not over: for taking back what was set aside.
    #[must_use]
    pub fn records_of(&self, origin: NodeId) -> Vec<crate::Signed> {
        let read = |raw: &Arc<[u8]>| {
            let (record, _) = crate::record::wire::read(raw).ok()?;
            Some(crate::Signed::new(record, raw.clone(), crate::RecordId::of(raw)))
        };
        self.set.of_origin(origin).filter_map(read).filter(|signed| !signed.record.is_over(self.wall)).collect()
    }
}

#[cfg(test)]
mod tests;
