//! Many nodes, one thread, one seed.
//!
//! A [`World`] runs whole nodes (the very [`honeymesh_node::Node`] of the daemon, real ciphers and signatures included)
//! over a network that delays, loses, doubles, reorders and splits, on clocks that disagree. Nothing in it is random
//! but the seed: the same [`Options`] and the same script give the same [`World::trace`].
//!
//! A [`plan`] is a scenario from a file; [`play`] runs it with a seed, measures, and compares what every node drops with a
//! [`model`] that knows only what was said. A failure names its seed, and the same seed fails again.

mod dice;
mod host;
pub mod measure;
pub mod model;
mod network;
mod options;
pub mod plan;
pub mod play;
pub mod plot;
pub mod report;
mod rogue;
pub mod scenario;
mod world;

pub use host::Memory;
pub use options::{Options, Start};
pub use rogue::Misdeed;
pub use world::{Rotation, Watch, World};
