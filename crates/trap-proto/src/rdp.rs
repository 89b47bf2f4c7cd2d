//! A remote desktop: xrdp of Debian 13 that was told to speak without TLS and encryption (`security_layer=rdp`,
//! `crypt_level=none`), so that names and passwords come in clear (MS-RDPBCGR, T.125, X.224).
//!
//! It goes as far as the client's info packet, which has both, and hangs up as after a failed login.

mod client;
mod session;

pub use session::RdpSession;

/// A remote desktop that lets nobody in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rdp;

impl Rdp {
    /// A new connection.
    #[must_use]
    pub fn session(self) -> RdpSession {
        RdpSession::new()
    }
}
