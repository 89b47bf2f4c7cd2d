//! HoneyMesh's roof: the daemon's loop, the command line and the configuration.
//!
//! The binary is daemon and client in one. A client command is a small HTTP client of the daemon's control socket;
//! `run` starts the daemon. Everything that decides lives in other crates: the roof reads the configuration, opens
//! what has to be opened while it still has the power to, gives that power away, and then carries the node's
//! outputs to kernel, store, mesh and API in the order the node gave them.

pub mod clerk;
pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod failure;
pub mod honeytokens;
pub mod output;
pub mod when;
