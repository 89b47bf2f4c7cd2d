//! A build server: Jenkins, whose login refuses everybody.

use super::{
    super::{reply::Reply, request::Method},
    Visit, escaped,
};
use alloc::{format, string::String};

const HTML: &str = "text/html;charset=utf-8";
/// Paths that nobody needs to log in for.
const OPEN_PREFIXES: [&str; 3] = ["/static/", "/adjuncts/", "/images/"];

pub(super) fn respond(visit: &Visit<'_>) -> Reply {
    let path = visit.path();
    match (visit.asked.method, path) {
        (Method::Trace, _) => error(visit, "405 Method Not Allowed", "HTTP method TRACE is not supported by this URL"),
        (Method::Post, "/j_spring_security_check" | "/j_acegi_security_check") => sent(visit, "302 Found", "/loginError"),
        (_, "/login") => page(visit, "200 OK", form(visit, "")),
        (_, "/loginError") => page(visit, "401 Unauthorized", form(visit, "Invalid username or password")),
        (_, "/robots.txt") => common(visit, Reply::new("200 OK", "", "# we don't want robots to click \"build\" links\nUser-agent: *\nDisallow: /\n"))
            .with("Content-Type", "text/plain"),
        (_, "/whoAmI/api/json") => common(visit, Reply::new("200 OK", "", "{\"_class\":\"hudson.security.WhoAmI\",\"anonymous\":true,\"authenticated\":true,\"authorities\":[\"anonymous\"],\"name\":\"anonymous\",\"toString\":\"\"}"))
            .with("Content-Type", "application/json;charset=utf-8"),
        (_, path) if OPEN_PREFIXES.iter().any(|prefix| path.starts_with(prefix)) => error(visit, "404 Not Found", "Not Found"),
        (Method::Post, _) if !visit.asked.authorized => error(visit, "403 Forbidden", "No valid crumb was included in the request"),
        _ if visit.asked.authorized => error(visit, "401 Unauthorized", "Invalid password/token for user"),
        _ => forbidden(visit),
    }
}

fn session(visit: &Visit<'_>) -> String {
    visit.digits("jenkins session", 8)
}

/// What every answer has.
fn common(visit: &Visit<'_>, reply: Reply) -> Reply {
    let reply = reply.with("X-Content-Type-Options", "nosniff");
    if visit.asked.cookie {
        return reply;
    }
    let cookie = format!("JSESSIONID.{}=node0{}0.node0; Path=/; HttpOnly", session(visit), visit.visitor.to_ascii_lowercase());
    reply.with("Set-Cookie", cookie).with("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
}

fn marked(visit: &Visit<'_>, reply: Reply) -> Reply {
    common(visit, reply)
        .with("Content-Type", HTML)
        .with("X-Hudson", "1.395")
        .with("X-Jenkins", visit.house.banner.clone())
        .with("X-Jenkins-Session", session(visit))
}

/// Sends a browser to the login.
fn forbidden(visit: &Visit<'_>) -> Reply {
    let from: String = visit.path().bytes().take(200).fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    });
    let body = format!(
        "<html><head><meta http-equiv='refresh' content='1;url=/login?from={from}'/><script id='redirect' data-redirect-url='/login?from={from}' src='/static/{}/scripts/redirect.js'></script></head>\
         <body style='background-color:white; color:white;'>\nAuthentication required\n<!--\n-->\n\n</body></html>{}",
        session(visit),
        " ".repeat(310)
    );
    marked(visit, Reply::new("403 Forbidden", "", body))
}

fn sent(visit: &Visit<'_>, status: &'static str, path: &str) -> Reply {
    let location = format!("{}{path}", visit.origin());
    common(visit, Reply::new(status, "", "")).with("Location", location)
}

fn page(visit: &Visit<'_>, status: &'static str, body: String) -> Reply {
    marked(visit, Reply::new(status, "", body))
        .with("X-Frame-Options", "sameorigin")
        .with("Cache-Control", "no-cache,no-store,must-revalidate")
}

fn form(visit: &Visit<'_>, why: &str) -> String {
    let session = session(visit);
    let alert = if why.is_empty() { String::new() } else { format!("<div class=\"app-sign-in-register__error\">{why}</div>") };
    format!(
        "<!DOCTYPE html><html lang=\"en-US\"><head resURL=\"/static/{session}\" data-rooturl=\"\" data-resurl=\"/static/{session}\" data-imagesurl=\"/static/{session}/images\">\n\
         <title>Sign in - Jenkins</title><meta name=\"ROBOTS\" content=\"NOFOLLOW\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"/static/{session}/jsbundles/simple-page.css\" type=\"text/css\"></head>\
         <body class=\"app-sign-in-register\"><div class=\"app-sign-in-register__content\"><main class=\"app-sign-in-register__content-inner\">\
         <div class=\"app-sign-in-register__branding\"><img aria-hidden=\"true\" src=\"/static/{session}/images/svgs/logo.svg\" alt=\"\"></div><h1>Sign in to Jenkins</h1>{alert}\
         <form method=\"post\" name=\"login\" action=\"j_spring_security_check\"><div class=\"jenkins-form-item\"><label for=\"j_username\" class=\"jenkins-form-label\">Username</label>\
         <input autocorrect=\"off\" autocomplete=\"username\" name=\"j_username\" id=\"j_username\" type=\"text\" class=\"jenkins-input\" autofocus=\"autofocus\" autocapitalize=\"off\" aria-label=\"Username\"></div>\
         <div class=\"jenkins-form-item\"><label for=\"j_password\" class=\"jenkins-form-label\">Password</label>\
         <input name=\"j_password\" id=\"j_password\" type=\"password\" autocomplete=\"current-password\" class=\"jenkins-input\" aria-label=\"Password\"></div>\
         <div class=\"jenkins-checkbox\"><input type=\"checkbox\" id=\"remember_me\" name=\"remember_me\"><label for=\"remember_me\">Keep me signed in</label></div>\
         <input name=\"from\" type=\"hidden\"><button type=\"submit\" name=\"Submit\" class=\"jenkins-button jenkins-button--primary\">Sign in</button></form></main></div>\
         </body></html>"
    )
}

/// Jetty's own page.
fn error(visit: &Visit<'_>, status: &'static str, why: &str) -> Reply {
    let (number, _) = status.split_once(' ').unwrap_or((status, ""));
    let uri: String = escaped(visit.path()).chars().take(300).collect();
    let body = format!(
        "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=utf-8\"/>\n<title>Error {number} {why}</title>\n</head>\n<body>\n<h2>HTTP ERROR {number} {why}</h2>\n\
         <table>\n<tr><th>URI:</th><td>{uri}</td></tr>\n<tr><th>STATUS:</th><td>{number}</td></tr>\n<tr><th>MESSAGE:</th><td>{why}</td></tr>\n<tr><th>SERVLET:</th><td>Stapler</td></tr>\n</table>\n\
         <hr/><a href=\"https://jetty.org/\">Powered by Jetty:// 12.0.25</a><hr/>\n\n</body>\n</html>\n"
    );
    marked(visit, Reply::new(status, "", body)).with("Cache-Control", "must-revalidate,no-cache,no-store")
}
