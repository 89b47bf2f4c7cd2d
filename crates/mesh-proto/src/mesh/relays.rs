//! Having a relay: how a node that can only dial out finds one, keeps a spare one, and changes when the first fails.

use super::{Mesh, Sender};
use crate::{
    Effect, Refused,
    membership::News,
    peers::ShortId,
    post::{Post, To},
    relay::{ANSWERED, ASKED, Answer, CARRIED, STILL_HERE, read_carried},
    roster::below,
    stream::{DIAL_MAX, Role, StreamId, StreamOrder},
};
use alloc::{collections::VecDeque, vec::Vec};
use core::{net::SocketAddr, time::Duration};
use honeymesh_types::{MonoTime, Now};

/// One relay that carries, and a spare one.
const HELD_MAX: usize = 2;
/// How long to wait between two calls.
const CALL_AGAIN: Duration = Duration::from_millis(500);
/// How long an address is not called after it failed, unless there is no other and no relay.
const SHUN: Duration = Duration::from_secs(60);
/// Addresses that are shunned at once; beyond it the oldest is forgotten.
const SHUNNED_MAX: usize = 64;
/// A relay beyond which nobody has answered a probe for so long, while one a second is sent, swallows what it is given.
const SILENCE: Duration = Duration::from_secs(5);
/// How often a relay is told that this node is still there: well below the carrier's bound for a silent stream.
const STILL_HERE_EVERY: Duration = Duration::from_secs(20);
/// How many others are told at once that this node is behind another relay now; membership tells the rest.
const TELL_MAX: usize = 64;

/// A relay.
#[derive(Clone, Copy, Debug)]
struct Held {
    stream: StreamId,
    id: ShortId,
    /// Where it was called.
    called: SocketAddr,
    /// Where others reach it.
    addr: SocketAddr,
}

/// A relay that is being asked.
#[derive(Clone, Copy, Debug)]
struct Asked {
    addr: SocketAddr,
    due: MonoTime,
    stream: Option<StreamId>,
}

/// The relays of this node. The first one carries.
#[derive(Default)]
pub(super) struct Relays {
    held: Vec<Held>,
    asked: Option<Asked>,
    shunned: VecDeque<(SocketAddr, MonoTime)>,
    /// When the next call may be made.
    call_at: MonoTime,
    /// When somebody beyond the relay answered last.
    answered: MonoTime,
    /// When the relays are to be told next that this node is there.
    still_here_at: MonoTime,
}

impl Relays {
    pub(super) fn wake_at(&self, is_dial_out: bool) -> MonoTime {
        if !is_dial_out {
            return MonoTime::MAX;
        }
        let silent = if self.held.is_empty() { MonoTime::MAX } else { self.answered.plus(SILENCE).min(self.still_here_at) };
        let call = match self.asked {
            Some(asked) => asked.due,
            None if self.held.len() < HELD_MAX => self.call_at,
            None => MonoTime::MAX,
        };
        silent.min(call)
    }

    fn shun(&mut self, addr: SocketAddr, now: MonoTime) {
        self.shunned.retain(|(shunned, _)| *shunned != addr);
        if self.shunned.len() >= SHUNNED_MAX {
            self.shunned.pop_front();
        }
        self.shunned.push_back((addr, now.plus(SHUN)));
    }

    fn is_held(&self, addr: SocketAddr) -> bool {
        self.held.iter().any(|held| held.called == addr || held.addr == addr)
    }
}

impl Mesh {
    /// Is this the stream to a relay of this node?
    pub(super) fn is_relay(&self, stream: StreamId) -> bool {
        self.relays.held.iter().any(|held| held.stream == stream)
    }

    /// Was the stream opened to ask for a relay?
    pub(super) fn asks_to_be_relay(&self, stream: StreamId) -> bool {
        self.relays.asked.is_some_and(|asked| asked.stream == Some(stream))
    }

    /// Is a relay being called at this address?
    pub(super) fn calls_relay(&self, addr: SocketAddr) -> bool {
        self.relays.asked.is_some_and(|asked| asked.addr == addr && asked.stream.is_none())
    }

    /// Looks after the relays: gives up on who does not answer, changes when the first one swallows, calls another.
    pub(super) fn wake_relays(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.post.routes.is_dial_out {
            return;
        }
        if self.relays.asked.is_some_and(|asked| asked.due <= now.mono) {
            self.call_failed(now, out);
        }
        if let Some(first) = self.relays.held.first().copied().filter(|first| self.is_lost(first, now)) {
            self.hang_up(first.stream, out);
            self.stream_closed(first.stream, now, out);
        }
        if self.relays.still_here_at <= now.mono {
            self.relays.still_here_at = now.mono.plus(STILL_HERE_EVERY);
            self.relays.held.iter().for_each(|held| Post::relay_say(held.stream, STILL_HERE, &[], out));
        }
        self.call_relay(now, out);
    }

    /// Nobody beyond the relay answers, or the authority has turned it away.
    fn is_lost(&self, first: &Held, now: Now) -> bool {
        let is_silent = self.relays.answered.plus(SILENCE) <= now.mono;
        is_silent || self.admission.check_sender(first.id, now.wall) == Err(Refused::Revoked)
    }

    fn call_relay(&mut self, now: Now, out: &mut Vec<Effect>) {
        let relays = &self.relays;
        if relays.asked.is_some() || relays.held.len() >= HELD_MAX || relays.call_at > now.mono {
            return;
        }
        self.relays.call_at = now.mono.plus(CALL_AGAIN);
        let Some(addr) = self.candidate(now.mono) else { return };
        self.relays.asked = Some(Asked { addr, due: now.mono.plus(DIAL_MAX), stream: None });
        out.push(Effect::Stream(StreamOrder::Dial { to: addr, expect: None }));
    }

    /// Whom to call: a configured peer or a member at random that has not failed lately; without any relay and any such one,
    /// who failed first. Other nodes that only dial out have the addresses of their relays.
    fn candidate(&mut self, now: MonoTime) -> Option<SocketAddr> {
        self.relays.shunned.retain(|(_, until)| *until > now);
        let all = self.doors.addrs().chain(self.roster.addrs());
        let mut addrs: Vec<SocketAddr> = all.filter(|addr| !self.relays.is_held(*addr)).collect();
        addrs.sort_unstable();
        addrs.dedup();
        let fresh: Vec<SocketAddr> =
            addrs.iter().copied().filter(|addr| self.relays.shunned.iter().all(|(shunned, _)| shunned != addr)).collect();
        if fresh.is_empty() && self.relays.held.is_empty() {
            return self.relays.shunned.iter().map(|(addr, _)| *addr).find(|addr| addrs.contains(addr));
        }
        fresh.get(below(&mut self.rng, fresh.len())).copied()
    }

    /// Nobody is there, or it will not be a relay.
    pub(super) fn call_failed(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(asked) = self.relays.asked.take() else { return };
        self.relays.shun(asked.addr, now.mono);
        if let Some(stream) = asked.stream {
            self.hang_up(stream, out);
        }
    }

    /// The stream that was asked for is there, not yet proven.
    pub(super) fn relay_opened(&mut self, stream: StreamId, addr: SocketAddr, role: Role) {
        if role == Role::Dialer
            && let Some(asked) = self.relays.asked.as_mut().filter(|asked| asked.addr == addr && asked.stream.is_none())
        {
            asked.stream = Some(stream);
        }
    }

    /// The other end has proven that it holds the cluster's key: asks it.
    pub(super) fn relay_proven(&self, stream: StreamId, out: &mut Vec<Effect>) {
        if self.asks_to_be_relay(stream) {
            Post::relay_say(stream, ASKED, &self.own_certificate(), out);
        }
    }

    /// Takes what a relay says. `None`: nonsense.
    pub(super) fn relay_says(&mut self, stream: StreamId, kind: u8, rest: &[u8], now: Now, out: &mut Vec<Effect>) -> Option<()> {
        match kind {
            ANSWERED => {
                let asked = self.relays.asked.take_if(|asked| asked.stream == Some(stream))?;
                let link = self.relay_end(stream)?;
                let (answer, _extension) = postcard::take_from_bytes(rest).ok()?;
                let is_other = self.relays.held.iter().all(|held| held.id != link.id);
                match answer {
                    Answer::Yes(addr) if is_other && !addr.ip().is_unspecified() && addr.port() != 0 => {
                        self.take_relay(Held { stream, id: link.id, called: asked.addr, addr }, now, out);
                    }
                    _ => {
                        self.relays.shun(asked.addr, now.mono);
                        self.hang_up(stream, out);
                    }
                }
            }
            CARRIED if self.is_relay(stream) => {
                let (from, datagram) = read_carried(rest)?;
                self.datagram(from, datagram, now, out);
            }
            STILL_HERE => {}
            _ => return None,
        }
        Some(())
    }

    fn take_relay(&mut self, held: Held, now: Now, out: &mut Vec<Effect>) {
        self.post.stats.streams.relays_taken += 1;
        self.relays.held.push(held);
        if self.relays.held.len() == 1 {
            self.go_behind(held, now, out);
        }
    }

    /// This node is behind another relay from now on, and says so.
    fn go_behind(&mut self, first: Held, now: Now, out: &mut Vec<Effect>) {
        self.post.routes.relay = Some(first.stream);
        self.relays.answered = now.mono;
        let mut news = News::default();
        self.members.move_to(first.addr, now, &mut news);
        let doors: Vec<SocketAddr> = self.doors.addrs().filter(|addr| !self.roster.has_addr(*addr)).collect();
        let members = self.roster.pick_many(TELL_MAX, &[], &mut self.rng);
        // Whoever hears of the move from this node itself does not take it for lost in between.
        for to in doors.into_iter().map(|addr| To { addr, peer: None }).chain(members) {
            self.knock_at(to, now, out);
        }
        self.carry_out(news, now, out);
    }

    /// A stream has ended: that of a relay, perhaps, or of who was asked.
    pub(super) fn relay_lost(&mut self, stream: StreamId, now: Now, out: &mut Vec<Effect>) {
        if self.asks_to_be_relay(stream) {
            self.call_failed(now, out);
        }
        let Some(place) = self.relays.held.iter().position(|held| held.stream == stream) else { return };
        let lost = self.relays.held.remove(place);
        self.post.stats.streams.relays_lost += 1;
        self.relays.shun(lost.called, now.mono);
        self.relays.shun(lost.addr, now.mono);
        self.relays.call_at = now.mono;
        if place > 0 {
            return;
        }
        self.post.routes.relay = None;
        if let Some(spare) = self.relays.held.first().copied() {
            self.go_behind(spare, now, out);
        }
    }

    /// Somebody has answered a probe.
    pub(super) fn note_answer(&mut self, id: ShortId, now: MonoTime) {
        let is_relay = self.relays.held.first().is_some_and(|first| first.id == id);
        // A relay answers for itself whatever it does with the rest; where there is nobody else, that is all there is.
        if !is_relay || self.roster.len() <= 1 {
            self.relays.answered = now;
        }
    }

    /// Who is at the other end of a stream.
    fn relay_end(&self, stream: StreamId) -> Option<Sender> {
        self.streams.end(stream)
    }
}

#[cfg(test)]
mod tests;
