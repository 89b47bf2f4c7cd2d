//! What the doors themselves counted.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counters of both doors since the start; shown in the metrics.
        #[derive(Debug, Default)]
        pub struct Stats { $($(#[$doc])* pub(crate) $name: AtomicU64),+ }

        impl Stats {
            /// Every counter by name.
            #[must_use]
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed))),+]
            }
        }
    };
}

stats! {
    /// Connections accepted.
    connections,
    /// Connections closed at once because there were too many.
    connections_refused,
    /// Connections that could not be accepted, for want of descriptors or memory.
    accept_errors,
    /// TLS handshakes that failed or took too long.
    handshakes_failed,
    /// Requests answered.
    requests,
    /// Requests with a wrong token.
    auth_failed,
    /// Requests refused because their source had tried too many wrong tokens.
    auth_limited,
    /// Events that slow listeners of the live stream missed.
    live_missed,
    /// Listeners of the live stream now.
    live_listeners,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
