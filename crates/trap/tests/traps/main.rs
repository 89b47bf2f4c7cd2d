//! The traps on loopback, held against real sockets and real clients.

mod clients;
mod sockets;
mod support;
