//! What a world is made of.

use std::time::Duration;

/// What a world is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many nodes.
    pub nodes: usize,
    /// Decides everything that is random.
    pub seed: u64,
    /// Datagrams lost, in a thousand.
    pub loss_per_mille: u32,
    /// Datagrams delivered twice, in a thousand.
    pub double_per_mille: u32,
    /// The shortest and the longest way of a datagram. As each takes its own time, they overtake each other.
    pub latency: (Duration, Duration),
    /// How far each node's wall clock may be from the true one, either way.
    pub skew: Duration,
    /// How much each node's wall clock may gain or lose, in millionths of the time that passes.
    pub drift_ppm: u32,
    /// How nodes find each other.
    pub start: Start,
    /// How many of the last nodes can only dial out: no datagram leaves or reaches them, and nobody opens a stream to them.
    pub dial_out: usize,
}

/// How nodes find each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Each knows so many of the first nodes from its configuration and joins through them.
    Join {
        /// How many.
        doors: usize,
    },
    /// Everybody knows others from an earlier run, and so many of the first nodes from its configuration.
    Known {
        /// How many of the first nodes.
        doors: usize,
        /// How many others, drawn for each node; `None`: all of them.
        view: Option<usize>,
    },
    /// Everybody is told once and for all who is there, from outside, and all share that one list: no membership protocol runs.
    Fixed,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 64,
            seed: 1,
            loss_per_mille: 100,
            double_per_mille: 20,
            latency: (Duration::from_millis(5), Duration::from_millis(40)),
            skew: Duration::ZERO,
            drift_ppm: 0,
            start: Start::Join { doors: 3 },
            dial_out: 0,
        }
    }
}
