//! Web servers, each with the application behind it: what a [`Site`] says is the application's, how it is said its server's.
//!
//! The head of a request is read as strictly as nginx reads it; status pages, headers and their order were compared with the
//! real servers where `docs/traps/web.md` says so. What a server would log is kept as fields; forms, HTTP's own schemes, JSON and
//! XML-RPC give credentials.

mod body;
mod credentials;
mod date;
mod fingerprint;
mod json;
mod reply;
mod request;
mod session;
mod sites;
mod software;
mod target;
mod xmlrpc;

pub(crate) use date::civil;
pub use session::HttpSession;
pub use sites::Site;

use crate::{BannerError, Lure, Persona, service::checked_banner};
use alloc::{
    string::{String, ToString},
    sync::Arc,
};

/// A web server with its application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http(Arc<House>);

/// What answers depend on besides the request.
#[derive(Debug, PartialEq, Eq)]
struct House {
    site: Site,
    /// What the software calls itself: see [`Site::banner`].
    banner: String,
    /// The machine it runs on.
    persona: Persona,
    /// The port that it believes to be on.
    secure: bool,
    /// Stands at the end of its pages; empty without a lure.
    remark: String,
}

impl Default for Http {
    /// The login page, on a machine that nobody named.
    fn default() -> Self {
        Self::of(Site::Login, &Persona::of([0; 32]))
    }
}

impl Http {
    /// The site as this machine serves it.
    #[must_use]
    pub fn of(site: Site, persona: &Persona) -> Self {
        Self(Arc::new(House {
            site,
            banner: site.banner().to_string(),
            persona: persona.clone(),
            secure: false,
            remark: String::new(),
        }))
    }

    /// With an operator's word for what the software calls itself.
    ///
    /// # Errors
    /// Says why the text is no header value.
    pub fn called(self, banner: &str) -> Result<Self, BannerError> {
        let banner = checked_banner(banner)?;
        Ok(self.changed(|house| house.banner = banner))
    }

    /// Behind TLS, which shows in the addresses that it gives out.
    #[must_use]
    pub fn secured(self) -> Self {
        self.changed(|house| house.secure = true)
    }

    /// The same with a remark in its pages that nobody should have left there.
    #[must_use]
    pub fn showing(self, lure: &Lure) -> Self {
        self.changed(|house| house.remark = lure.html())
    }

    fn changed(self, change: impl FnOnce(&mut House)) -> Self {
        let House { site, banner, persona, secure, remark } = &*self.0;
        let (banner, persona, remark) = (banner.clone(), persona.clone(), remark.clone());
        let mut house = House { site: *site, banner, persona, secure: *secure, remark };
        change(&mut house);
        Self(Arc::new(house))
    }

    /// The login page with an operator's `Server` header.
    ///
    /// # Errors
    /// Says why the text is no header value.
    pub fn new(server: &str) -> Result<Self, BannerError> {
        Self::default().called(server)
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self, seed: u64) -> HttpSession {
        HttpSession::new(Arc::clone(&self.0), seed, false)
    }

    /// A connection to its TLS port by somebody who speaks in the clear.
    pub(crate) fn unsecured(&self, seed: u64) -> HttpSession {
        HttpSession::new(Arc::clone(&self.0), seed, true)
    }
}
