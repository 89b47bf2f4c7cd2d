//! The applications: what each answers to what is asked of it.

mod ci;
mod docker;
mod elasticsearch;
mod kubernetes;
mod object_store;
mod pages;
mod router;
#[cfg(test)]
mod tests;
mod wordpress;

use super::{
    House,
    reply::{Frame, Reply},
    request::Asked,
    software::Software,
};
use crate::{Findings, text::hex};
use alloc::string::String;
use sha2::{Digest, Sha256};

/// What a web server serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Site {
    /// nginx with a login page of somebody's own.
    #[default]
    Login,
    /// nginx as it is after its installation.
    Plain,
    /// nginx that asks for a name and a password before anything.
    Basic,
    /// WordPress on Apache.
    Wordpress,
    /// OpenWrt's.
    Router,
    /// MinIO, which speaks S3.
    ObjectStore,
    /// Jenkins.
    Ci,
    /// Elasticsearch without a password.
    Elasticsearch,
    /// Docker's API without TLS.
    Docker,
    /// The API of Kubernetes, which lets nobody in.
    Kubernetes,
}

impl Site {
    /// What an operator calls those that `http` and `https` have.
    pub const NAMES: [&'static str; 7] = ["login", "plain", "basic", "wordpress", "router", "object-store", "ci"];

    /// The one of this name, among [`Site::NAMES`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "login" => Self::Login,
            "plain" => Self::Plain,
            "basic" => Self::Basic,
            "wordpress" => Self::Wordpress,
            "router" => Self::Router,
            "object-store" => Self::ObjectStore,
            "ci" => Self::Ci,
            _ => return None,
        })
    }

    /// What the software calls itself: of this year, as Debian 13 has it where it has it. nginx, Apache and MinIO: the `Server`
    /// header; the others: the version.
    #[must_use]
    pub const fn banner(self) -> &'static str {
        match self {
            Self::Login | Self::Plain | Self::Basic => "nginx",
            Self::Wordpress => "Apache/2.4.71 (Debian)",
            Self::Router => "24.10.4",
            Self::ObjectStore => "MinIO",
            Self::Ci => "2.528.3",
            Self::Elasticsearch => "8.19.8",
            Self::Docker => "26.1.5+dfsg1",
            Self::Kubernetes => "v1.34.2",
        }
    }

    pub(super) const fn software(self) -> Software {
        match self {
            Self::Login | Self::Plain | Self::Basic => Software::Nginx,
            Self::Wordpress => Software::Apache,
            Self::Router => Software::Uhttpd,
            Self::Ci => Software::Jetty,
            Self::Elasticsearch => Software::Netty,
            Self::ObjectStore | Self::Docker | Self::Kubernetes => Software::Go,
        }
    }

    /// The answer to a complete request.
    pub(super) fn respond(self, visit: &Visit<'_>, findings: &mut Findings) -> Reply {
        match self {
            Self::Login => pages::login(visit),
            Self::Plain => pages::plain(visit),
            Self::Basic => pages::basic(visit),
            Self::Wordpress => wordpress::respond(visit, findings),
            Self::Router => router::respond(visit),
            Self::ObjectStore => object_store::respond(visit),
            Self::Ci => ci::respond(visit),
            Self::Elasticsearch => elasticsearch::respond(visit, findings),
            Self::Docker => docker::respond(visit, findings),
            Self::Kubernetes => kubernetes::respond(visit),
        }
    }
}

/// A request with everything around it.
pub(super) struct Visit<'a> {
    pub(super) house: &'a House,
    pub(super) asked: &'a Asked,
    /// As much of it as is kept.
    pub(super) body: &'a [u8],
    pub(super) frame: &'a Frame<'a>,
    /// What a session is called in cookies: letters and digits that nobody can guess.
    pub(super) visitor: &'a str,
}

impl Visit<'_> {
    fn path(&self) -> &str {
        &self.asked.path
    }

    /// The name under which the stranger found the server, as far as it can stand in a page.
    fn host(&self) -> String {
        let sound = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_' | ':' | '[' | ']');
        let host: String = self.asked.host.chars().filter(sound).take(255).collect();
        if host.is_empty() { self.house.persona.host().into() } else { host }
    }

    /// Where the server believes to be.
    fn origin(&self) -> String {
        let scheme = if self.house.secure { "https" } else { "http" };
        alloc::format!("{scheme}://{}", self.host())
    }

    /// Hexadecimal digits, at most 64, that stay the same on this machine for the same purpose.
    fn digits(&self, purpose: &str, count: usize) -> String {
        let mut digits = hex(&self.house.persona.key(purpose));
        digits.truncate(count);
        digits
    }

    /// Hexadecimal digits, at most 64, that belong to this request.
    fn own_digits(&self, purpose: &str, count: usize) -> String {
        let mut digest = Sha256::new();
        for part in [purpose, self.visitor, &self.asked.path, &self.asked.query] {
            digest.update(part);
            digest.update(b"\n");
        }
        digest.update(self.frame.now.0.to_le_bytes());
        digest.update(self.frame.requests_left.to_le_bytes());
        let mut digits = hex(&digest.finalize());
        digits.truncate(count);
        digits
    }
}

/// 32 hexadecimal digits as a UUID of version 4.
fn uuid(digits: &str) -> String {
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    alloc::format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// Text that a stranger chose, harmless in HTML and XML.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&#34;"),
            '\'' => safe.push_str("&#39;"),
            char if char.is_control() => {}
            char => safe.push(char),
        }
    }
    safe
}

/// Text that a stranger chose, inside the quotation marks of JSON, at most `chars_max` long.
fn quoted(text: &str, chars_max: usize) -> String {
    let sound = |char: &char| !char.is_control();
    let mut safe = String::new();
    for char in text.chars().filter(sound).take(chars_max) {
        match char {
            '"' | '\\' => safe.extend(['\\', char]),
            // As Go's encoder does, so that no browser takes it for markup.
            '<' | '>' | '&' => safe.push_str(&alloc::format!("\\u{:04x}", u32::from(char))),
            char => safe.push(char),
        }
    }
    safe
}
