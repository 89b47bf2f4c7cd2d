//! Mesh datagrams over UDP.
//!
//! A [`Port`] is one cluster's socket. It knows nothing of what is in a datagram: [`Port::open`] hands out what arrives
//! through a bounded queue and a [`Sender`] for what leaves. What does not fit anywhere is dropped and counted, as on
//! any other part of the way; the mesh protocol expects that.
#![forbid(unsafe_code)]

mod counters;
mod port;

pub use counters::{Counters, Traffic};
pub use port::{Datagram, Error, Options, Port, Sender};
