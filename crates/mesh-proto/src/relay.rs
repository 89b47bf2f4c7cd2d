//! Relays: how a datagram travels to and from a node that can only dial out.
//!
//! Such a node, the *guest*, keeps a stream to a member that can be reached, its *relay*, and gives the relay's address as its own. So
//! everybody sends what is for the guest to the relay, as a datagram like any other, whose envelope names the receiver; the relay
//! puts it on the stream as it is, and sends out what comes up the stream as it is. Frames of a stream that are about this:
//!
//! `2 | address | datagram` down: where it came from; up: where it shall go. `3 | certificate`: be my relay. `4 | answer`. `5`: both
//! ends are still there.

use crate::{
    Config, Effect,
    bucket::Bucket,
    envelope,
    limits::{GUEST_BURST, GUEST_RATE, GUESTS_MAX},
    peers::ShortId,
    post::{Post, To},
    stream::{StreamId, StreamOrder},
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::net::{IpAddr, SocketAddr};
use honeymesh_types::MonoTime;
use serde::{Deserialize, Serialize};

/// A datagram on its way.
pub(crate) const CARRIED: u8 = 2;
/// Be my relay.
pub(crate) const ASKED: u8 = 3;
/// The answer to that.
pub(crate) const ANSWERED: u8 = 4;
/// Both ends are still there.
pub(crate) const STILL_HERE: u8 = 5;

/// Is a frame about relaying?
pub(crate) fn is_about(frame: &[u8]) -> bool {
    matches!(frame.first(), Some(&(CARRIED | ASKED | ANSWERED | STILL_HERE)))
}

/// Whether a node will be somebody's relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It will: this is its address, and yours from now on.
    Yes(SocketAddr),
    /// It has as many guests as it takes.
    Full,
    /// It can only dial out itself, or does not know its own address yet.
    Unreachable,
    /// The authority has not let you in.
    Uncertified,
}

/// A node for which this one is a relay.
pub(crate) struct Guest {
    pub(crate) stream: StreamId,
    /// Where it calls from.
    pub(crate) seen: IpAddr,
    up: Bucket,
    down: Bucket,
}

impl Guest {
    pub(crate) fn new(stream: StreamId, seen: IpAddr, now: MonoTime) -> Self {
        let full = Bucket::full(GUEST_BURST, now);
        Self { stream, seen, up: full, down: full }
    }

    /// May one more datagram leave it?
    pub(crate) fn may_send(&mut self, now: MonoTime) -> bool {
        self.up.take(GUEST_RATE, GUEST_BURST, now)
    }

    /// May one more datagram reach it?
    pub(crate) fn may_hear(&mut self, now: MonoTime) -> bool {
        self.down.take(GUEST_RATE, GUEST_BURST, now)
    }
}

/// How a datagram is to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Datagram,
    Stream(StreamId),
    /// This node has no relay now, or the guest is not here any more.
    Nowhere,
}

/// Where datagrams go over a stream.
pub(crate) struct Routes {
    /// This node can only dial out.
    pub(crate) is_dial_out: bool,
    /// The address that this node's guests share with it.
    pub(crate) own: SocketAddr,
    /// The stream to this node's relay.
    pub(crate) relay: Option<StreamId>,
    /// For whom this node is a relay; at most `guests_max`.
    pub(crate) guests: BTreeMap<ShortId, Guest>,
    guests_max: usize,
}

impl Routes {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            is_dial_out: config.dial_out,
            own: config.advertise,
            relay: None,
            guests: BTreeMap::new(),
            guests_max: config.limits.guests_max.min(GUESTS_MAX),
        }
    }

    pub(crate) fn way(&self, to: To) -> Way {
        if self.is_dial_out {
            return self.relay.map_or(Way::Nowhere, Way::Stream);
        }
        if to.addr != self.own {
            return Way::Datagram;
        }
        to.peer.and_then(|id| self.guests.get(&id)).map_or(Way::Nowhere, |guest| Way::Stream(guest.stream))
    }

    /// Is there room for this guest?
    pub(crate) fn has_room(&self, id: ShortId) -> bool {
        self.guests.len() < self.guests_max || self.guests.contains_key(&id)
    }

    /// Does this node take guests at all?
    pub(crate) const fn takes_guests(&self) -> bool {
        self.guests_max > 0 && !self.is_dial_out
    }
}

/// A datagram with an address, as a frame.
fn carried(addr: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
    let mut frame = postcard::to_extend(&addr, Vec::from([CARRIED])).ok()?;
    frame.extend_from_slice(datagram);
    Some(frame)
}

/// The address and the datagram in what follows [`CARRIED`].
pub(crate) fn read_carried(rest: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (addr, datagram) = postcard::take_from_bytes::<SocketAddr>(rest).ok()?;
    envelope::ends(datagram)?;
    Some((SocketAddr::new(addr.ip().to_canonical(), addr.port()), datagram))
}

impl Post {
    /// Puts a datagram on a stream, as it is.
    pub(crate) fn relay_over(&self, stream: StreamId, addr: SocketAddr, datagram: &[u8], out: &mut Vec<Effect>) {
        if let Some(frame) = carried(addr, datagram) {
            out.push(Effect::Stream(StreamOrder::Offer { stream, frame }));
        }
    }

    /// Says something small about relaying.
    pub(crate) fn relay_say(stream: StreamId, kind: u8, content: &[u8], out: &mut Vec<Effect>) {
        let frame = [&[kind], content].concat();
        out.push(Effect::Stream(StreamOrder::Send { stream, frame }));
    }
}
