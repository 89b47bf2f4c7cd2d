//! Streams between nodes: reliable and ordered, with a delay, a width, and an end when the network is split or a node dies.

use super::{What, World};
use honeymesh_mesh_proto::{Role, StreamEvent, StreamId, StreamOrder};
use honeymesh_node::Input;
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// Round trips until a stream can be used: TCP, then TLS 1.3.
const HANDSHAKE_ROUND_TRIPS: u32 = 2;
/// The kind of a frame that carries a datagram of a node that can only dial out, or for one.
const CARRIED: u8 = 2;
/// How long who calls in vain waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that a stream carries in a millisecond: a hundred megabits a second.
const BYTES_PER_MILLISECOND: u64 = 12_500;

/// One stream.
struct Stream {
    ends: [usize; 2],
    /// How long a frame is under way, besides its own length.
    delay: Duration,
    /// When the way to each end is free again, in microseconds.
    free: [u64; 2],
}

/// All streams.
#[derive(Default)]
pub(super) struct Streams {
    open: BTreeMap<StreamId, Stream>,
    last: u64,
}

impl World {
    /// Carries out what a node wants done with streams.
    pub(super) fn order_streams(&mut self, place: usize) {
        for order in std::mem::take(&mut self.hosts[place].orders) {
            match order {
                StreamOrder::Dial { to, expect } => self.dial(place, to, expect),
                StreamOrder::Send { stream, frame } | StreamOrder::Offer { stream, frame } => {
                    self.send_frame(place, stream, frame);
                }
                StreamOrder::Close(stream) => self.end_stream(stream),
                StreamOrder::Admit(_) => {}
            }
        }
    }

    fn dial(&mut self, from: usize, to: SocketAddr, expect: Option<honeymesh_types::NodeId>) {
        let place = self.places.get(&to).copied();
        let answers = |place: &usize| self.hosts[*place].node.is_some() && !self.hosts[*place].is_dial_out();
        let there = place.filter(|place| answers(place) && self.network.joins(from, *place));
        let Some(there) = there else {
            return self.plan(PATIENCE, What::Stream { to: from, event: StreamEvent::Failed { to } });
        };
        let (least, most) = self.options.latency;
        let delay = self.dice.between(least, most);
        if expect.is_some_and(|expect| self.hosts[there].identity != expect) {
            return self.plan(delay * 4, What::Stream { to: from, event: StreamEvent::Failed { to } });
        }
        self.streams.last += 1;
        let (stream, binding) = (StreamId(self.streams.last), self.dice.bytes());
        let ready = delay * 2 * HANDSHAKE_ROUND_TRIPS;
        let free = self.micros + u64::try_from(ready.as_micros()).unwrap_or(u64::MAX);
        self.streams.open.insert(stream, Stream { ends: [from, there], delay, free: [free; 2] });
        let (caller, called) = (self.hosts[from].identity, self.hosts[there].identity);
        let (caller_addr, called_addr) = (self.hosts[from].addr, self.hosts[there].addr);
        let opened = |peer, addr, role| StreamEvent::Opened { stream, peer, addr, role, binding };
        self.plan(ready, What::Stream { to: from, event: opened(called, called_addr, Role::Dialer) });
        self.plan(ready, What::Stream { to: there, event: opened(caller, caller_addr, Role::Listener) });
    }

    fn send_frame(&mut self, from: usize, stream: StreamId, frame: Vec<u8>) {
        let Some(open) = self.streams.open.get_mut(&stream) else { return };
        let swallows = open.ends.iter().any(|place| self.hosts[*place].swallows);
        if swallows && frame.first() == Some(&CARRIED) {
            return;
        }
        let end = usize::from(open.ends[0] == from);
        let takes = frame.len() as u64 * 1_000 / BYTES_PER_MILLISECOND;
        let leaves = open.free[end].max(self.micros) + takes;
        open.free[end] = leaves;
        let (later, to) = (Duration::from_micros(leaves - self.micros) + open.delay, open.ends[end]);
        self.network.traffic.stream_bytes += frame.len() as u64;
        self.plan(later, What::Stream { to, event: StreamEvent::Frame { stream, frame } });
    }

    /// What is under way when a stream ends is lost.
    pub(super) fn hear_stream(&mut self, to: usize, event: StreamEvent) {
        let is_there = match &event {
            StreamEvent::Opened { stream, .. } | StreamEvent::Frame { stream, .. } => self.streams.open.contains_key(stream),
            StreamEvent::Failed { .. } | StreamEvent::Closed(_) => true,
        };
        if is_there {
            self.note(b"stream", to, format!("{event:?}").as_bytes());
            self.give(to, Input::Stream { cluster: 0, event });
        }
    }

    fn end_stream(&mut self, stream: StreamId) {
        let Some(ended) = self.streams.open.remove(&stream) else { return };
        for to in ended.ends {
            self.plan(ended.delay, What::Stream { to, event: StreamEvent::Closed(stream) });
        }
    }

    /// From now on this node takes guests and hands nothing on for them.
    pub fn swallow(&mut self, place: usize) {
        self.note(b"swallow", place, &[]);
        self.hosts[place].swallows = true;
    }

    /// The node behind whose address another one is reached, as a third one sees it. `None`: it does not know it.
    #[must_use]
    pub fn relay_of(&self, place: usize, seen_by: usize) -> Option<usize> {
        let members = self.hosts[seen_by].members();
        let guest = members.iter().find(|member| member.node == self.hosts[place].identity)?;
        (guest.state != honeymesh_mesh_proto::MemberState::Down).then_some(())?;
        self.places.get(&guest.addr).copied()
    }

    /// Streams between the sides of a split end.
    pub(super) fn cut_streams(&mut self) {
        let is_cut = |open: &Stream| !self.network.joins(open.ends[0], open.ends[1]);
        let cut: Vec<_> = self.streams.open.iter().filter(|(_, open)| is_cut(open)).map(|(stream, _)| *stream).collect();
        cut.into_iter().for_each(|stream| self.end_stream(stream));
    }

    /// A node dies, and its streams with it.
    pub(super) fn end_streams_of(&mut self, place: usize) {
        let of = self.streams.open.iter().filter(|(_, open)| open.ends.contains(&place)).map(|(stream, _)| *stream);
        let of: Vec<_> = of.collect();
        of.into_iter().for_each(|stream| self.end_stream(stream));
    }
}
