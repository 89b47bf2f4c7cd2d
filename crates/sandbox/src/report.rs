//! What holds after confinement, as the kernel tells it.

/// What holds after confinement, as the kernel tells it in `/proc/self/task/*/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Threads looked at.
    pub threads: usize,
    /// Capabilities any thread still has or could regain: effective, permitted, inheritable, bounding, ambient.
    pub capabilities: u64,
    /// Every thread has no-new-privileges.
    pub no_new_privileges: bool,
    /// Every thread has a seccomp filter.
    pub seccomp: bool,
    /// The files are restricted by Landlock.
    pub files: bool,
}
