//! Why power could not be given away.

/// Why power could not be given away; the caller must not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused a step.
    #[error("cannot {step}: {source}")]
    Kernel {
        /// What was tried.
        step: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
}
