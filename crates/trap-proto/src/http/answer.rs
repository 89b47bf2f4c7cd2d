//! What the web server says: nginx's status pages and a login page behind it.

use super::{
    date::http_date,
    request::{Asked, Method, Version},
};
use alloc::{format, string::String, vec::Vec};
use core::fmt::Write;
use honeymesh_types::WallTime;

const LOGIN_PAGE: &str = include_str!("login.html");
const LOGIN_REFUSED: &str = "<p class=\"error\" role=\"alert\">Invalid user name or password.</p>";
const LOGIN_PATHS: [&str; 9] =
    ["/", "/index.php", "/index.html", "/login", "/login.php", "/login/", "/admin", "/admin/", "/admin/login.php"];
const PROTECTED_PATHS: [&str; 5] = ["/backup/", "/config/", "/manager/", "/private/", "/status/"];

/// Statuses that end in one of nginx's own pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    BadRequest,
    HeadTooLarge,
    Unauthorized,
    NotFound,
    NotAllowed,
    BodyTooLarge,
    TargetTooLong,
    NotImplemented,
    Version,
}

impl Status {
    /// The status line's text and the page's title.
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::BadRequest => ("400 Bad Request", "400 Bad Request"),
            Self::HeadTooLarge => ("400 Bad Request", "400 Request Header Or Cookie Too Large"),
            Self::Unauthorized => ("401 Unauthorized", "401 Authorization Required"),
            Self::NotFound => ("404 Not Found", "404 Not Found"),
            Self::NotAllowed => ("405 Not Allowed", "405 Not Allowed"),
            Self::BodyTooLarge => ("413 Request Entity Too Large", "413 Request Entity Too Large"),
            Self::TargetTooLong => ("414 Request-URI Too Large", "414 Request-URI Too Large"),
            Self::NotImplemented => ("501 Not Implemented", "501 Not Implemented"),
            Self::Version => ("505 HTTP Version Not Supported", "505 HTTP Version Not Supported"),
        }
    }
}

/// Who answers.
pub(super) struct Responder<'a> {
    pub(super) server: &'a str,
    /// Stands at the end of the page.
    pub(super) remark: &'a str,
    pub(super) now: WallTime,
    /// What the application calls this stranger.
    pub(super) visitor: &'a str,
    pub(super) keep_alive: bool,
}

impl Responder<'_> {
    /// The answer to a complete request.
    pub(super) fn respond(&self, asked: &Asked, answer: &mut Vec<u8>) {
        let is_login = LOGIN_PATHS.contains(&asked.path.as_str());
        let is_protected =
            PROTECTED_PATHS.iter().any(|path| asked.path.starts_with(path) || asked.path == path[..path.len() - 1]);
        match asked.method {
            Method::Trace => self.status(Status::NotAllowed, asked, answer),
            _ if is_protected => self.status(Status::Unauthorized, asked, answer),
            _ if !is_login => self.status(Status::NotFound, asked, answer),
            Method::Get | Method::Head | Method::Post => self.login(asked, answer),
            Method::Other => self.status(Status::NotAllowed, asked, answer),
        }
    }

    /// A request that could not be read: the page, and the connection ends.
    pub(super) fn refuse(&self, status: Status, answer: &mut Vec<u8>) {
        self.page(status, true, answer);
    }

    fn status(&self, status: Status, asked: &Asked, answer: &mut Vec<u8>) {
        if asked.version == Version::Simple {
            answer.extend_from_slice(self.nginx_page(status).as_bytes());
        } else {
            self.page(status, asked.method != Method::Head, answer);
        }
    }

    fn page(&self, status: Status, with_body: bool, answer: &mut Vec<u8>) {
        let page = self.nginx_page(status);
        let mut text = self.head(status.texts().0, "text/html");
        // Writing to a String cannot fail.
        let _ = write!(text, "Content-Length: {}\r\n{}", page.len(), self.connection());
        if status == Status::Unauthorized {
            text.push_str("WWW-Authenticate: Basic realm=\"Restricted\"\r\n");
        }
        text.push_str("\r\n");
        if with_body {
            text.push_str(&page);
        }
        answer.extend_from_slice(text.as_bytes());
    }

    fn head(&self, status: &str, content_type: &str) -> String {
        let (server, date) = (self.server, http_date(self.now));
        format!("HTTP/1.1 {status}\r\nServer: {server}\r\nDate: {date}\r\nContent-Type: {content_type}\r\n")
    }

    const fn connection(&self) -> &'static str {
        if self.keep_alive { "Connection: keep-alive\r\n" } else { "Connection: close\r\n" }
    }

    fn nginx_page(&self, status: Status) -> String {
        let (line, title) = status.texts();
        let (heading, more) = match status {
            Status::HeadTooLarge => (line, "<center>Request Header Or Cookie Too Large</center>\r\n"),
            _ => (title, ""),
        };
        format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{heading}</h1></center>\r\n{more}\
             <hr><center>{}</center>\r\n</body>\r\n</html>\r\n",
            self.server
        )
    }

    /// The application's page, in the form nginx gives PHP's answers.
    fn login(&self, asked: &Asked, answer: &mut Vec<u8>) {
        let refused = asked.method == Method::Post || asked.authorized;
        let page = LOGIN_PAGE.replace("{error}", if refused { LOGIN_REFUSED } else { "" });
        let page = if self.remark.is_empty() { page } else { page.replace("</body>\n", &[self.remark, "</body>\n"].concat()) };
        if asked.version == Version::Simple {
            answer.extend_from_slice(page.as_bytes());
            return;
        }
        let chunked = asked.version == Version::Http11 && asked.method != Method::Head;
        let mut text = self.head("200 OK", "text/html; charset=UTF-8");
        if chunked {
            text.push_str("Transfer-Encoding: chunked\r\n");
        }
        text.push_str(self.connection());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "Set-Cookie: PHPSESSID={}; path=/\r\nExpires: Thu, 19 Nov 1981 08:52:00 GMT\r\n\
             Cache-Control: no-store, no-cache, must-revalidate\r\nPragma: no-cache\r\n\r\n",
            self.visitor
        );
        match (asked.method, chunked) {
            (Method::Head, _) => {}
            (_, false) => text.push_str(&page),
            (_, true) => drop(write!(text, "{:x}\r\n{page}\r\n0\r\n\r\n", page.len())),
        }
        answer.extend_from_slice(text.as_bytes());
    }
}
