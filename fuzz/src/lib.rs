//! Hostile bytes for every parser, and what must hold whatever they are.
//!
//! A [`Target`] is a function of some bytes that ends in a panic if something does not hold. The fuzzer calls it with what it makes
//! up (`cargo xtask fuzz`), and ordinary tests with every input that is kept beside this crate: `corpus/TARGET`, and `regressions/TARGET`
//! for those that once broke something. See `docs/fuzzing.md`.

#![expect(clippy::panic, reason = "a panic is how a target says that something does not hold")]

pub mod growth;
mod input;
mod memory;
pub mod seeds;
mod talk;
mod targets;

pub use input::Input;
pub use targets::{all, named};

/// The longest input that the fuzzer makes up, in bytes.
pub const INPUT_BYTES_MAX: usize = 8 * 1_024;

/// What is called with hostile bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, which is also its folder's.
    pub name: &'static str,
    /// What it parses, in a few words.
    pub what: &'static str,
    run: Run,
}

#[derive(Clone, Copy)]
enum Run {
    /// Any function.
    With(fn(&[u8])),
    /// A session of the service of the same name.
    Talk,
}

impl Target {
    const fn new(name: &'static str, what: &'static str, run: fn(&[u8])) -> Self {
        Self { name, what, run: Run::With(run) }
    }

    const fn talk(name: &'static str) -> Self {
        Self { name, what: "a session of the service, cut into pieces in more than one way", run: Run::Talk }
    }

    /// Takes one input.
    ///
    /// # Panics
    /// Something that must hold does not.
    pub fn run(&self, data: &[u8]) {
        match self.run {
            Run::With(run) => run(data),
            Run::Talk => talk::service(self.name, data),
        }
    }
}
