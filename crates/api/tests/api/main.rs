//! The whole crate from outside: both doors open, a brain of straw behind them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod browser;
mod doors;
mod house;
mod tls;
