//! A web server with a login page: nginx in front of a small PHP application.
//!
//! The status pages, the headers' order and what is refused with which of them were compared with a real
//! nginx 1.22.1. What nginx would log is kept as fields; a login form and HTTP's own Basic scheme give credentials.

mod answer;
mod body;
mod credentials;
mod date;
mod request;
mod session;

pub use session::HttpSession;

use crate::{BannerError, Lure, service::checked_banner};
use alloc::{string::ToString, sync::Arc};

/// What Debian 12's nginx calls itself.
const SERVER: &str = "nginx/1.22.1";

/// A web server with a login page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    server: Arc<str>,
    /// A remark in the page; empty without a lure.
    remark: Arc<str>,
}

impl Default for Http {
    /// Debian 12's nginx.
    fn default() -> Self {
        Self { server: SERVER.into(), remark: "".into() }
    }
}

impl Http {
    /// With an operator's `Server` header.
    ///
    /// # Errors
    /// Says why the text is no header value.
    pub fn new(server: &str) -> Result<Self, BannerError> {
        Ok(Self { server: checked_banner(server)?.to_string().into(), ..Self::default() })
    }

    /// The same with a remark in its page that nobody should have left there.
    #[must_use]
    pub fn showing(self, lure: &Lure) -> Self {
        Self { remark: lure.html().into(), ..self }
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self, seed: u64) -> HttpSession {
        HttpSession::new(Arc::clone(&self.server), seed).remarking(Arc::clone(&self.remark))
    }
}
