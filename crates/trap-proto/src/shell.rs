//! Shells that run nothing: they answer the commands by which bots and people look around, and take the others down.
//!
//! What is common to all of them is here: how a line falls into commands, and what `echo` makes of its words. What a machine
//! prints is its own: [`device`] is a busybox with a few applets, [`debian`] a server.

mod arithmetic;
pub(crate) mod debian;
pub(crate) mod device;
mod echo;
mod fetch;
mod filter;
mod paths;
mod syntax;
mod words;

pub(crate) use words::downloads;

/// What a line made the shell do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Prompt,
    Exit,
}
