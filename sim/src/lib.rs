//! Many nodes, one thread, one seed.
//!
//! A [`World`] runs whole nodes (the very [`honeymesh_node::Node`] of the daemon, real ciphers and signatures included)
//! over a network that delays, loses, doubles, reorders and splits, on clocks that disagree. Nothing in it is random
//! but the seed: the same [`Options`] and the same script give the same [`World::trace`].
//!
//! A failure names its seed; `cargo run -p honeymesh-sim -- --seed N` replays the standard scenario with it.

mod dice;
mod host;
mod network;
mod options;
pub mod scenario;
mod world;

pub use host::Memory;
pub use options::{Options, Start};
pub use world::World;
