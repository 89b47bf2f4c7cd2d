//! Mesh datagrams over UDP, and streams over TLS.
//!
//! A [`Port`] is one cluster's socket. It knows nothing of what is in a datagram: [`Port::open`] hands out what arrives
//! through a bounded queue and a [`Sender`] for what leaves. What does not fit anywhere is dropped and counted, as on
//! any other part of the way; the mesh protocol expects that. [`Streams`] carry what is too much for datagrams.
#![forbid(unsafe_code)]

mod counters;
mod port;
mod streams;

pub use counters::{Counters, StreamCounters, StreamTraffic, Traffic};
pub use port::{Datagram, Error, Options, Port, Sender};
pub use streams::{
    CLOSE_DEADLINE, DIALS_MAX, EVENTS_MAX, Event, FRAME_DEADLINE, HANDSHAKE_DEADLINE, IDLE_DEADLINE, Identity,
    OUTGOING_BYTES_MAX, OUTGOING_PAUSE_BYTES, PER_PEER_MAX, PROOF_DEADLINE, StreamDoor, StreamOptions, Streams, UNPROVEN_MAX,
    UNPROVEN_PER_SOURCE_MAX,
};
