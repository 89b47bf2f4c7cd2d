//! Streams of one mesh: who is at the other end, whether it belongs here, and what is said on them.

use super::{Mesh, Sender};
use crate::{
    Effect, Refused,
    answer::{Room, answer},
    frame::{Answer, Message},
    peers::ShortId,
    post::To,
    relay,
    stream::{DIAL_MAX, Role, STREAM_FRAME_BYTES_MAX, STREAMS_MAX, StreamEvent, StreamId, StreamOrder, proof},
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::{net::SocketAddr, time::Duration};
use honeymesh_types::{MonoTime, NodeId, Now};

/// Members that are not called again for a while; beyond it the oldest is forgotten.
const SHUNNED_MAX: usize = 64;
/// How long a member is not called after a call that failed.
const SHUN: Duration = Duration::from_secs(60);
/// Streams at once with callers of whom no certificate is known yet; more are closed and counted.
const UNCERTIFIED_MAX: usize = 4;
/// What kind of frame a message is.
const MESSAGE: u8 = 1;

/// One stream.
struct Link {
    peer: NodeId,
    addr: SocketAddr,
    role: Role,
    session: proof::Session,
    is_proven: bool,
}

/// A stream that was asked for.
#[derive(Clone, Copy, Debug)]
struct Dial {
    sender: Sender,
    due: MonoTime,
    /// There already, but not yet proven.
    stream: Option<StreamId>,
}

/// The streams of one mesh. At most one is dialled at a time: for the one large repair.
#[derive(Default)]
pub(super) struct Streams {
    links: BTreeMap<StreamId, Link>,
    dial: Option<Dial>,
    /// By identity too: a node and those for which it is a relay share an address.
    shunned: VecDeque<(Sender, MonoTime)>,
}

impl Streams {
    pub(super) fn wake_at(&self) -> MonoTime {
        self.dial.map_or(MonoTime::MAX, |dial| dial.due)
    }

    pub(super) fn open(&self) -> u64 {
        self.links.len() as u64
    }

    /// Is a stream for a large repair being opened?
    pub(super) const fn is_dialling(&self) -> bool {
        self.dial.is_some()
    }

    /// A proven stream to this node.
    pub(super) fn to(&self, peer: ShortId) -> Option<StreamId> {
        let to = |(_, link): &(&StreamId, &Link)| link.is_proven && ShortId::of(&link.peer.0) == peer;
        self.links.iter().find(to).map(|(stream, _)| *stream)
    }

    /// Who is at the other end.
    pub(super) fn end(&self, stream: StreamId) -> Option<Sender> {
        self.links.get(&stream).map(|link| Sender { id: ShortId::of(&link.peer.0), addr: link.addr })
    }

    fn is_shunned(&self, whom: Sender, now: MonoTime) -> bool {
        self.shunned.iter().any(|(shunned, until)| *shunned == whom && *until > now)
    }

    fn shun(&mut self, whom: Sender, now: MonoTime) {
        self.shunned.retain(|(shunned, until)| *shunned != whom && *until > now);
        if self.shunned.len() >= SHUNNED_MAX {
            self.shunned.pop_front();
        }
        self.shunned.push_back((whom, now.plus(SHUN)));
    }
}

impl Mesh {
    /// Takes what a stream does. Anything may be in a frame; what is no message ends the stream and is counted.
    pub fn stream(&mut self, event: StreamEvent, now: Now, out: &mut Vec<Effect>) {
        self.wall = now.wall;
        match event {
            StreamEvent::Opened { stream, peer, addr, role, binding } => {
                let (dialer, listener) = match role {
                    Role::Dialer => (self.node, peer),
                    Role::Listener => (peer, self.node),
                };
                let session = proof::Session { cluster: self.cluster, dialer, listener, binding };
                if self.may_open(&peer, addr, role, now) {
                    self.stream_opened(stream, Link { peer, addr, role, session, is_proven: false }, out);
                } else {
                    self.post.count(Refused::Uncertified, Some(ShortId::of(&peer.0)));
                    out.push(Effect::Stream(StreamOrder::Close(stream)));
                    self.stream_closed(stream, now, out);
                }
            }
            StreamEvent::Failed { to } if self.streams.dial.is_some_and(|dial| dial.sender.addr == to) => {
                self.dial_failed(now, out);
            }
            StreamEvent::Failed { to } if self.calls_relay(to) => self.call_failed(now, out),
            StreamEvent::Failed { .. } => {}
            StreamEvent::Frame { stream, frame } => self.stream_frame(stream, &frame, now, out),
            StreamEvent::Closed(stream) => self.stream_closed(stream, now, out),
        }
        self.flush(now, out);
    }

    /// May a stream with this end be opened? Who has no certificate may ask for a relay and show one; and who looks for a relay
    /// cannot know those of the others before it has one.
    fn may_open(&self, peer: &NodeId, addr: SocketAddr, role: Role, now: Now) -> bool {
        if self.admission.admits(&peer.0, now.wall) {
            return true;
        }
        let is_unknown = self.admission.check_sender(ShortId::of(&peer.0), now.wall) == Err(Refused::Uncertified);
        is_unknown
            && match role {
                Role::Dialer => self.calls_relay(addr),
                Role::Listener => self.post.routes.takes_guests() && self.uncertified_streams(now) < UNCERTIFIED_MAX,
            }
    }

    fn uncertified_streams(&self, now: Now) -> usize {
        self.streams.links.values().filter(|link| !self.admission.admits(&link.peer.0, now.wall)).count()
    }

    /// Asks for a stream to this member; false if there is no hope for one now.
    pub(super) fn dial(&mut self, sender: Sender, now: Now, out: &mut Vec<Effect>) -> bool {
        let Some(known) = self.members.get(sender.id) else { return false };
        let sender = Sender { addr: known.ident.addr, ..sender };
        if self.streams.is_dialling() || self.streams.is_shunned(sender, now.mono) {
            return false;
        }
        self.streams.dial = Some(Dial { sender, due: now.mono.plus(DIAL_MAX), stream: None });
        out.push(Effect::Stream(StreamOrder::Dial { to: sender.addr, expect: Some(NodeId(known.ident.node)) }));
        true
    }

    /// Gives up on a stream that does not come.
    pub(super) fn wake_streams(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.streams.wake_at() <= now.mono {
            self.dial_failed(now, out);
        }
    }

    fn dial_failed(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(dial) = self.streams.dial.take() else { return };
        if let Some(stream) = dial.stream {
            self.hang_up(stream, out);
        }
        self.post.stats.streams.failed += 1;
        self.streams.shun(dial.sender, now.mono);
        self.repair_over_datagrams(dial.sender, now, out);
    }

    fn stream_opened(&mut self, stream: StreamId, link: Link, out: &mut Vec<Effect>) {
        let is_ours = link.peer == self.node;
        let proof = link.session.prove(&self.keys, link.role).filter(|_| !is_ours && self.streams.links.len() < STREAMS_MAX);
        let Some(frame) = proof else {
            self.post.stats.streams.too_many += u64::from(!is_ours);
            out.push(Effect::Stream(StreamOrder::Close(stream)));
            return;
        };
        if let Some(dial) = self.streams.dial.as_mut().filter(|dial| {
            link.role == Role::Dialer && dial.sender.addr == link.addr && dial.sender.id == ShortId::of(&link.peer.0)
        }) {
            dial.stream = Some(stream);
        } else {
            self.relay_opened(stream, link.addr, link.role);
        }
        self.streams.links.insert(stream, link);
        out.push(Effect::Stream(StreamOrder::Send { stream, frame }));
    }

    fn stream_frame(&mut self, stream: StreamId, frame: &[u8], now: Now, out: &mut Vec<Effect>) {
        let Some(link) = self.streams.links.get_mut(&stream) else { return };
        let sender = Sender { id: ShortId::of(&link.peer.0), addr: link.addr };
        if !link.is_proven {
            if !link.session.is_proven(&self.keys, link.role.other(), frame) {
                self.post.stats.streams.unproven += 1;
                self.hang_up(stream, out);
                return self.stream_closed(stream, now, out);
            }
            link.is_proven = true;
            self.post.stats.streams.proven += 1;
            out.push(Effect::Stream(StreamOrder::Admit(stream)));
            self.relay_proven(stream, out);
            if let Some(dial) = self.streams.dial.take_if(|dial| dial.stream == Some(stream)) {
                self.repair_over_stream(dial.sender, stream, now, out);
            }
            return;
        }
        let stats = &mut self.post.stats.streams;
        stats.received += 1;
        stats.received_bytes += frame.len() as u64;
        let taken = match relay::is_about(frame) {
            true => self.relay_frame(stream, sender, frame, now, out),
            false => self.stream_message(stream, sender, frame, now, out),
        };
        if taken.is_none() {
            self.post.stats.streams.malformed += 1;
            self.hang_up(stream, out);
            self.stream_closed(stream, now, out);
        }
    }

    /// Takes a message: on a stream there are only questions and answers.
    fn stream_message(&mut self, stream: StreamId, sender: Sender, frame: &[u8], now: Now, out: &mut Vec<Effect>) -> Option<()> {
        let body = frame.strip_prefix(&[MESSAGE])?;
        let (message, _extension) = postcard::take_from_bytes::<Message<'_>>(body).ok()?;
        // It may have been turned away since the stream was opened.
        self.check_sender(sender, &message, now).ok()?;
        match message {
            Message::Ask { number, question } => {
                let Self { set, members, post, .. } = self;
                let tell = |answer: Answer<'_>| post.say(stream, &Message::Answer { number, answer }, out);
                answer(question, set, &**members, now.wall, &Room::STREAM, tell).ok()
            }
            Message::Answer { number, answer } => {
                // An answer that comes late is none of ours any more: honest peers cause that.
                let _ = self.answered(sender, Some(stream), number, answer, now, out);
                Some(())
            }
            _ => None,
        }
    }

    /// Ends a stream from this side.
    pub(super) fn hang_up(&mut self, stream: StreamId, out: &mut Vec<Effect>) {
        if self.streams.links.remove(&stream).is_some() {
            out.push(Effect::Stream(StreamOrder::Close(stream)));
        }
    }

    /// Ends all streams from this side.
    pub(super) fn end_streams(&mut self, now: Now, out: &mut Vec<Effect>) {
        let all: Vec<StreamId> = self.streams.links.keys().copied().collect();
        for stream in all {
            self.hang_up(stream, out);
            self.stream_closed(stream, now, out);
        }
    }

    pub(super) fn stream_closed(&mut self, stream: StreamId, now: Now, out: &mut Vec<Effect>) {
        self.streams.links.remove(&stream);
        if self.streams.dial.is_some_and(|dial| dial.stream == Some(stream)) {
            self.dial_failed(now, out);
        }
        self.repair_cut(stream);
        self.guest_left(stream, out);
        self.relay_lost(stream, now, out);
    }

    /// Does this node's end of a stream remain one that it opened itself?
    pub(super) fn has_dialled(&self, stream: StreamId) -> bool {
        self.streams.links.get(&stream).is_some_and(|link| link.role == Role::Dialer)
    }
}

impl crate::post::Post {
    /// Puts a message on a stream. What does not fit into a frame is not sent.
    pub(crate) fn say(&mut self, stream: StreamId, message: &Message<'_>, out: &mut Vec<Effect>) {
        let Ok(frame) = postcard::to_extend(message, Vec::from([MESSAGE])) else { return };
        if frame.len() > STREAM_FRAME_BYTES_MAX {
            return;
        }
        self.stats.streams.sent += 1;
        self.stats.streams.sent_bytes += frame.len() as u64;
        out.push(Effect::Stream(StreamOrder::Send { stream, frame }));
    }

    /// Asks or answers the way a repair goes.
    pub(crate) fn ask(&mut self, stream: Option<StreamId>, to: To, message: Message<'_>, now: Now, out: &mut Vec<Effect>) {
        match stream {
            Some(stream) => self.say(stream, &message, out),
            None => self.send(to, message, now, out),
        }
    }
}

#[cfg(test)]
mod tests;
