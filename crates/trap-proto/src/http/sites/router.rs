//! A router's login: OpenWrt's LuCI on uhttpd.

use super::{
    super::{reply::Reply, request::Method},
    Visit, escaped,
};
use alloc::{format, string::String};

/// What the device is called until somebody changes it.
const DEVICE: &str = "OpenWrt";
const HTML: &str = "text/html; charset=UTF-8";

pub(super) fn respond(visit: &Visit<'_>) -> Reply {
    let path = visit.path();
    match visit.asked.method {
        Method::Trace | Method::Other if visit.asked.verb != "OPTIONS" => {
            Reply::made("400 Bad Request", "text/html", "<h1>Bad Request</h1>The request you sent could not be processed")
        }
        _ if matches!(path, "/" | "/index.html") => index(),
        _ if path == "/cgi-bin/luci" || path.starts_with("/cgi-bin/luci/") => luci(visit),
        _ if path.starts_with("/ubus") => Reply::made(
            "200 OK",
            "application/json",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32002,\"message\":\"Access denied\"}}",
        ),
        _ => {
            let shown: String = escaped(path).chars().take(400).collect();
            let body = format!("<h1>Not Found</h1>The requested URL {shown} was not found on this server.");
            Reply::made("404 Not Found", "text/html", body)
        }
    }
}

/// A file: sends the browser on.
fn index() -> Reply {
    let body = "<!DOCTYPE html>\n<html>\n\t<head>\n\t\t<meta http-equiv=\"Cache-Control\" content=\"no-cache, no-store, must-revalidate\" />\n\
         \t\t<meta http-equiv=\"Pragma\" content=\"no-cache\" />\n\t\t<meta http-equiv=\"Expires\" content=\"0\" />\n\
         \t\t<meta http-equiv=\"refresh\" content=\"0; URL=cgi-bin/luci/\" />\n\t\t<style type=\"text/css\">\n\t\t\tbody { background: white; font-family: arial, helvetica, sans-serif; }\n\
         \t\t\ta { color: black; }\n\n\t\t\t@media (prefers-color-scheme: dark) {\n\t\t\t\tbody { background: black; }\n\t\t\t\ta { color: white; }\n\t\t\t}\n\t\t</style>\n\
         \t</head>\n\t<body>\n\t\t<a href=\"cgi-bin/luci/\">LuCI - Lua Configuration Interface</a>\n\t</body>\n</html>\n";
    Reply::new("200 OK", "text/html", body)
        .with("ETag", "\"3f8-2e1-690a1b3c\"")
        .with("Last-Modified", "Tue, 04 Nov 2025 15:28:28 GMT")
}

/// The form, whatever is asked: nobody is logged in.
fn luci(visit: &Visit<'_>) -> Reply {
    let wrong = visit.asked.method == Method::Post;
    let why = if wrong {
        "\n\t<div class=\"alert-message warning\">\n\t\t<p>Invalid username and/or password! Please try again.</p>\n\t</div>\n"
    } else {
        ""
    };
    let version = &visit.house.banner;
    let action: String = escaped(visit.path()).chars().take(400).collect();
    let token = visit.digits("luci resource version", 10);
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n\t<head>\n\t\t<meta charset=\"utf-8\">\n\t\t<title>{DEVICE} - LuCI</title>\n\
         \t\t<meta name=\"viewport\" content=\"initial-scale=1.0\">\n\t\t<meta name=\"theme-color\" content=\"#202020\">\n\
         \t\t<link rel=\"stylesheet\" href=\"/luci-static/bootstrap/cascade.css?v={version}-{token}\">\n\
         \t\t<link rel=\"shortcut icon\" href=\"/luci-static/bootstrap/favicon.svg\" type=\"image/svg+xml\">\n\
         \t\t<script src=\"/luci-static/resources/luci.js?v={version}-{token}\"></script>\n\t</head>\n\n\
         \t<body class=\"lang_en Login\" data-page=\"\">\n\t\t<header>\n\t\t\t<a class=\"brand\" href=\"/\">{DEVICE}</a>\n\t\t</header>\n\
         \t\t<div id=\"maincontent\" class=\"container\">\n<form method=\"post\" class=\"cbi-map\" action=\"{action}\">{why}\n\t<h2 name=\"content\">Authorization Required</h2>\n\
         \t<div class=\"cbi-section\">\n\t\tPlease enter your username and password.\n\t\t<div class=\"cbi-section-node\">\n\t\t\t<div class=\"cbi-value\">\n\
         \t\t\t\t<label class=\"cbi-value-title\" for=\"luci_username\">Username</label>\n\t\t\t\t<div class=\"cbi-value-field\">\n\
         \t\t\t\t\t<input name=\"luci_username\" id=\"luci_username\" type=\"text\" autocomplete=\"username\" value=\"root\">\n\t\t\t\t</div>\n\t\t\t</div>\n\
         \t\t\t<div class=\"cbi-value cbi-value-last\">\n\t\t\t\t<label class=\"cbi-value-title\" for=\"luci_password\">Password</label>\n\t\t\t\t<div class=\"cbi-value-field\">\n\
         \t\t\t\t\t<input name=\"luci_password\" id=\"luci_password\" type=\"password\" autocomplete=\"current-password\">\n\t\t\t\t</div>\n\t\t\t</div>\n\t\t</div>\n\t</div>\n\
         \t<div class=\"cbi-page-actions\">\n\t\t<button class=\"btn cbi-button-positive important\">Log in</button>\n\t</div>\n</form>\n\t\t</div>\n\
         \t\t<footer>\n\t\t\t<span>\n\t\t\t\tPowered by <a href=\"https://github.com/openwrt/luci\">LuCI openwrt-24.10 branch</a> /\n\t\t\t\tOpenWrt {version}\n\t\t\t</span>\n\t\t</footer>\n\t</body>\n</html>\n"
    );
    Reply::made("403 Forbidden", "", body)
        .with("X-LuCI-Login-Required", "yes")
        .with("Content-Type", HTML)
        .with("Cache-Control", "no-cache")
        .with("Expires", "0")
        .with("X-Frame-Options", "SAMEORIGIN")
        .with("X-XSS-Protection", "1; mode=block")
        .with("X-Content-Type-Options", "nosniff")
}
