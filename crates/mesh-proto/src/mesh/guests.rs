//! Being a relay: which nodes that can only dial out are taken, and what is handed on for them.
//!
//! Nobody but a member gets anything through: what is for a guest must open under the cluster's key, be new, and come from somebody
//! who is let in; what comes from a guest must bear its own name and go to a member or a configured peer. Both ways have a
//! budget for each guest.

use super::{Mesh, Sender};
use crate::{
    Effect, MemberChange, envelope,
    peers::ShortId,
    post::Post,
    relay::{ANSWERED, ASKED, Answer, CARRIED, Guest, STILL_HERE, read_carried},
    stream::StreamId,
};
use alloc::vec::Vec;
use core::net::SocketAddr;
use honeymesh_types::Now;

impl Mesh {
    /// Takes a frame about relaying. `None`: it is none, or out of place, which ends the stream.
    pub(super) fn relay_frame(
        &mut self,
        stream: StreamId,
        sender: Sender,
        frame: &[u8],
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Option<()> {
        let (kind, rest) = frame.split_first()?;
        if self.is_relay(stream) || self.asks_to_be_relay(stream) {
            return self.relay_says(stream, *kind, rest, now, out);
        }
        match *kind {
            ASKED => {
                self.guest_asks(stream, sender, rest, now, out);
                Some(())
            }
            CARRIED => self.guest_sends(stream, sender.id, rest, now, out),
            STILL_HERE if rest.is_empty() && self.is_guest(stream, sender.id) => {
                Post::relay_say(stream, STILL_HERE, &[], out);
                Some(())
            }
            _ => None,
        }
    }

    fn is_guest(&self, stream: StreamId, id: ShortId) -> bool {
        self.post.routes.guests.get(&id).is_some_and(|guest| guest.stream == stream)
    }

    /// Somebody who can only dial out wants this node for a relay.
    fn guest_asks(&mut self, stream: StreamId, sender: Sender, certificate: &[u8], now: Now, out: &mut Vec<Effect>) {
        let answer = if self.shown(sender, certificate, now, out).is_err() {
            Answer::Uncertified
        } else if !self.post.routes.takes_guests() || !self.is_placed() {
            Answer::Unreachable
        } else if !self.post.routes.has_room(sender.id) {
            Answer::Full
        } else {
            Answer::Yes(self.members.me().addr)
        };
        match answer {
            Answer::Yes(_) => self.take_guest(stream, sender, now, out),
            _ => self.post.stats.streams.guests_refused += 1,
        }
        if let Ok(answer) = postcard::to_allocvec(&answer) {
            Post::relay_say(stream, ANSWERED, &answer, out);
        }
    }

    /// A guest that calls again has lost its earlier stream, whether this node has noticed or not.
    fn take_guest(&mut self, stream: StreamId, sender: Sender, now: Now, out: &mut Vec<Effect>) {
        let seen = sender.addr.ip();
        let before = self.post.routes.guests.insert(sender.id, Guest::new(stream, seen, now.mono));
        self.post.stats.streams.guests_taken += 1;
        out.push(Effect::Guest { addr: seen, change: MemberChange::Up });
        if let Some(before) = before.filter(|before| before.stream != stream) {
            self.post.stats.streams.guests_left += 1;
            self.hang_up(before.stream, out);
            self.tell_guest_left(before.seen, out);
        }
    }

    /// The stream of a guest has ended, if it is one's.
    pub(super) fn guest_left(&mut self, stream: StreamId, out: &mut Vec<Effect>) {
        let guests = &mut self.post.routes.guests;
        let Some(id) = guests.iter().find(|(_, guest)| guest.stream == stream).map(|(id, _)| *id) else { return };
        let Some(guest) = guests.remove(&id) else { return };
        self.post.stats.streams.guests_left += 1;
        self.tell_guest_left(guest.seen, out);
    }

    /// Is no relay for this node any more.
    pub(super) fn dismiss_guest(&mut self, id: ShortId, out: &mut Vec<Effect>) {
        if let Some(stream) = self.post.routes.guests.get(&id).map(|guest| guest.stream) {
            self.hang_up(stream, out);
            self.guest_left(stream, out);
        }
    }

    /// Others may call from the same address.
    fn tell_guest_left(&self, addr: core::net::IpAddr, out: &mut Vec<Effect>) {
        if self.post.routes.guests.values().all(|guest| guest.seen != addr) {
            out.push(Effect::Guest { addr, change: MemberChange::Down });
        }
    }

    /// Hands on what is for a guest. False: it is for none.
    pub(super) fn hand_on(&mut self, from: SocketAddr, datagram: &[u8], now: Now, out: &mut Vec<Effect>) -> bool {
        let Some((_, receiver)) = envelope::ends(datagram) else { return false };
        if !self.post.routes.guests.contains_key(&receiver) {
            return false;
        }
        let mut body = core::mem::take(&mut self.body);
        let vouched = self.post.vouch(from, datagram, now, &mut body);
        self.body = body;
        let standing = |id| self.admission.check_sender(id, now.wall);
        let checked =
            vouched.and_then(|sender| standing(sender).and_then(|()| standing(receiver)).map_err(|why| (why, Some(sender))));
        if let Err((why, peer)) = checked {
            self.post.refuse(why, from, peer, out);
            return true;
        }
        // After the checks: what a stranger sends takes nothing of the guest's budget.
        let guest = self.post.routes.guests.get_mut(&receiver);
        match guest.and_then(|guest| guest.may_hear(now.mono).then_some(guest.stream)) {
            Some(stream) => {
                self.post.stats.streams.relayed += 1;
                self.post.relay_over(stream, from, datagram, out);
            }
            None => self.post.stats.streams.relay_limited += 1,
        }
        true
    }

    /// Sends out what a guest wants sent.
    fn guest_sends(&mut self, stream: StreamId, id: ShortId, rest: &[u8], now: Now, out: &mut Vec<Effect>) -> Option<()> {
        let (to, datagram) = read_carried(rest)?;
        let own = self.post.routes.own;
        let guest = self.post.routes.guests.get_mut(&id).filter(|guest| guest.stream == stream)?;
        let stats = &mut self.post.stats.streams;
        if !guest.may_send(now.mono) {
            stats.relay_limited += 1;
        } else if envelope::ends(datagram).is_none_or(|(sender, _)| sender != id)
            || self.admission.check_sender(id, now.wall).is_err()
        {
            stats.relay_refused += 1;
        } else if to == own {
            self.datagram(own, datagram, now, out);
        } else if self.roster.has_addr(to) || self.members.has_addr(to) || self.doors.has_addr(to) {
            stats.relayed += 1;
            out.push(Effect::Send { to, bytes: datagram.to_vec() });
        } else {
            stats.relay_refused += 1;
        }
        Some(())
    }
}
