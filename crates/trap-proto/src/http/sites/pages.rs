//! nginx with what people put on it first.

use super::{
    super::{
        date::http_date,
        reply::Reply,
        request::{Method, Version},
        software::nginx_page,
    },
    Visit,
};
use honeymesh_types::WallTime;

const LOGIN_PAGE: &str = include_str!("login.html");
const LOGIN_REFUSED: &str = "<p class=\"error\" role=\"alert\">Invalid user name or password.</p>";
const LOGIN_PATHS: [&str; 9] =
    ["/", "/index.php", "/index.html", "/login", "/login.php", "/login/", "/admin", "/admin/", "/admin/login.php"];
const PROTECTED_PATHS: [&str; 5] = ["/backup/", "/config/", "/manager/", "/private/", "/status/"];
/// As Debian's nginx has it.
const WELCOME: &str = include_str!("welcome.html");

/// A login page of somebody's own, and some folders with a password.
pub(super) fn login(visit: &Visit<'_>) -> Reply {
    let path = visit.path();
    let is_protected = PROTECTED_PATHS
        .iter()
        .any(|protected| path.starts_with(protected) || protected.strip_suffix('/').is_some_and(|folder| folder == path));
    match visit.asked.method {
        Method::Trace => status(visit, "405 Not Allowed"),
        _ if is_protected => unauthorized(visit),
        _ if !LOGIN_PATHS.contains(&path) => status(visit, "404 Not Found"),
        Method::Get | Method::Head | Method::Post => login_page(visit),
        Method::Other => status(visit, "405 Not Allowed"),
    }
}

/// The application's page, in the form nginx gives PHP's answers.
fn login_page(visit: &Visit<'_>) -> Reply {
    let refused = visit.asked.method == Method::Post || visit.asked.authorized;
    let page = LOGIN_PAGE.replace("{error}", if refused { LOGIN_REFUSED } else { "" });
    let reply = Reply::made("200 OK", "text/html; charset=UTF-8", page);
    if visit.asked.version == Version::Simple {
        return reply;
    }
    reply
        .with("Set-Cookie", alloc::format!("PHPSESSID={}; path=/", visit.visitor))
        .with("Expires", "Thu, 19 Nov 1981 08:52:00 GMT")
        .with("Cache-Control", "no-store, no-cache, must-revalidate")
        .with("Pragma", "no-cache")
}

/// A server that was installed and forgotten.
pub(super) fn plain(visit: &Visit<'_>) -> Reply {
    let is_welcome = matches!(visit.path(), "/" | "/index.nginx-debian.html");
    match visit.asked.method {
        Method::Get | Method::Head if is_welcome => welcome(visit),
        Method::Trace => status(visit, "405 Not Allowed"),
        _ if !is_welcome => status(visit, "404 Not Found"),
        _ => status(visit, "405 Not Allowed"),
    }
}

/// The page is as old as the installation.
fn welcome(visit: &Visit<'_>) -> Reply {
    let made = visit.house.persona.set_up("nginx");
    Reply::new("200 OK", "text/html", WELCOME)
        .with("Last-Modified", http_date(WallTime(made * 1_000_000)))
        .with("ETag", alloc::format!("\"{made:x}-{:x}\"", WELCOME.len()))
        .with("Accept-Ranges", "bytes")
}

/// A name and a password before anything.
pub(super) fn basic(visit: &Visit<'_>) -> Reply {
    match visit.asked.method {
        Method::Trace => status(visit, "405 Not Allowed"),
        _ => unauthorized(visit),
    }
}

fn unauthorized(visit: &Visit<'_>) -> Reply {
    status(visit, "401 Unauthorized").with("WWW-Authenticate", "Basic realm=\"Restricted\"")
}

fn status(visit: &Visit<'_>, status: &'static str) -> Reply {
    nginx_page(status, visit.frame.banner)
}
