//! WordPress as Debian 13 packages it, on Apache: the front page, the login, XML-RPC and the REST API, which all refuse.

use super::{
    super::{
        reply::{Headers, Reply},
        request::{Content, Method},
        software::apache_page,
        xmlrpc,
    },
    Visit, escaped,
};
use crate::Findings;
use alloc::{borrow::Cow, format, string::String, vec};
use honeymesh_types::Signs;

/// Debian 13's, after its updates of this season.
const VERSION: &str = "6.8.12";
const HTML: &str = "text/html; charset=UTF-8";
const XML: &str = "text/xml; charset=UTF-8";
const JSON: &str = "application/json; charset=UTF-8";
/// Calls in one call that are a guesser's beyond doubt.
const CALLS_HOSTILE: usize = 2;

pub(super) fn respond(visit: &Visit<'_>, findings: &mut Findings) -> Reply {
    let path = visit.path();
    match (visit.asked.method, path) {
        (Method::Trace, _) => {
            apache_page("405 Method Not Allowed", "The requested method TRACE is not allowed for this URL.", visit.frame)
                .with("Allow", "")
        }
        _ if visit.asked.verb == "OPTIONS" && path == "*" => Reply::new("200 OK", "", ""),
        (_, path) if path.contains("%00") || path.contains("%2f") || path.contains("%2F") => {
            apache_page("404 Not Found", "The requested URL was not found on this server.", visit.frame)
        }
        (_, "/wp-login.php") if visit.asked.query == "action=register" => {
            let mut reply = to(visit, "302 Found", "/wp-login.php?registration=disabled");
            reply.headers.splice(2..2, login_headers());
            reply
        }
        (_, "/wp-login.php") => login(visit),
        (_, "/xmlrpc.php") => xml_rpc(visit, findings),
        (_, "/" | "/index.php") if visit.asked.query.starts_with("rest_route=") => {
            rest(visit, &unescaped_route(&visit.asked.query))
        }
        (_, "/" | "/index.php") if visit.asked.query.starts_with("author=") => canonical(visit, "/author/admin/"),
        (_, "/index.php") => canonical(visit, "/"),
        (_, "/") if visit.asked.query == "p=1" => {
            let mut reply = canonical(visit, "/hello-world/");
            reply.headers.insert(0, ("X-Pingback", format!("{}/xmlrpc.php", visit.origin()).into()));
            reply
        }
        (_, "/") => made(visit, "200 OK", HTML, front(visit)),
        (_, "/author/admin/") => {
            let mut reply = made(visit, "200 OK", HTML, front(visit));
            let link = format!(
                "<{}/wp-json/wp/v2/users/1>; rel=\"alternate\"; title=\"JSON\"; type=\"application/json\"",
                visit.origin()
            );
            reply.headers.insert(1, ("Link", link.into()));
            reply
        }
        (_, "/feed/") => made(visit, "200 OK", "application/rss+xml; charset=UTF-8", feed(visit)),
        (_, "/robots.txt") => linked(visit, made(visit, "200 OK", "text/plain; charset=utf-8", robots(visit))),
        (_, "/wp-cron.php") => Reply::new("200 OK", HTML, "")
            .with("Expires", "Wed, 11 Jan 1984 05:00:00 GMT")
            .with("Cache-Control", "no-cache, must-revalidate, max-age=0"),
        (_, "/wp-config.php" | "/wp-content/" | "/wp-content/plugins/" | "/wp-content/themes/") => Reply::new("200 OK", HTML, ""),
        (_, "/readme.html") => Reply::new("200 OK", "text/html", readme()).with("Vary", "Accept-Encoding"),
        (_, "/favicon.ico") => linked(visit, elsewhere(visit, "302 Found", "/wp-includes/images/w-logo-blue-white-bg.png")),
        (_, "/sitemap.xml") => canonical(visit, "/wp-sitemap.xml"),
        (_, "/wp-admin") => moved(visit, "/wp-admin/"),
        (_, "/login") => linked(visit, to(visit, "302 Found", "/wp-login.php")),
        (_, "/admin" | "/dashboard") => linked(visit, to(visit, "302 Found", "/wp-admin/")),
        (_, "/wp-admin/admin-ajax.php") => uncached(Reply::new("400 Bad Request", HTML, "0").with("X-Robots-Tag", "noindex")),
        (_, "/wp-admin/css/") => apache_page("403 Forbidden", "You don't have permission to access this resource.", visit.frame),
        (_, "/wp-admin/install.php") => already(visit, "200 OK", "WordPress &rsaquo; Installation", "Already Installed"),
        (_, "/wp-admin/setup-config.php") => configured(visit),
        (_, "/wp-admin/upgrade.php") => already(visit, "200 OK", "WordPress &rsaquo; Update", "No Update Required"),
        (_, path) if path.starts_with("/wp-admin/") => to_login(visit),
        (_, path) if path.starts_with("/wp-json/") || path == "/wp-json" => rest(visit, path.trim_start_matches("/wp-json")),
        (_, path) if path.starts_with("/.ht") || path == "/wp-includes/" || path == "/wp-content/uploads/" => {
            apache_page("403 Forbidden", "You don't have permission to access this resource.", visit.frame)
        }
        (_, path) if is_file(path) => {
            apache_page("404 Not Found", "The requested URL was not found on this server.", visit.frame)
        }
        _ => missing(visit),
    }
}

/// Rewriting sends everything that is no file to WordPress.
fn is_file(path: &str) -> bool {
    path.starts_with("/wp-content/")
}

fn unescaped_route(query: &str) -> String {
    let route = query.trim_start_matches("rest_route=");
    route.split('&').next().unwrap_or_default().replace("%2F", "/").replace("%2f", "/")
}

/// What PHP answers: Apache waits for its end when it is short, as no page of WordPress is.
fn made(visit: &Visit<'_>, status: &'static str, kind: &'static str, body: String) -> Reply {
    let is_page = kind == HTML && body.len() > 1_000;
    let reply = if is_page { linked(visit, Reply::made(status, kind, body)) } else { Reply::new(status, kind, body) };
    // Nothing is there to be packed.
    if visit.asked.method == Method::Head { reply } else { reply.with("Vary", "Accept-Encoding") }
}

/// What it says to whoever would set it up again.
fn already(visit: &Visit<'_>, status: &'static str, title: &str, heading: &str) -> Reply {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\" xml:lang=\"en-US\">\n<head>\n\t<meta name=\"viewport\" content=\"width=device-width\" />\n\
         \t<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\" />\n\t<meta name=\"robots\" content=\"noindex,nofollow\" />\n\t<title>{title}</title>\n</head>\n\
         <body class=\"wp-core-ui\">\n<p id=\"logo\">WordPress</p>\n<h1>{heading}</h1>\n<p><a href=\"{}/wp-login.php\">Log In</a></p>\n</body>\n</html>\n",
        visit.origin()
    );
    uncached(Reply::new(status, HTML, page)).with("Vary", "Accept-Encoding")
}

/// It was set up before.
fn configured(visit: &Visit<'_>) -> Reply {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n\t<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\" />\n\t<meta name=\"viewport\" content=\"width=device-width\">\n\
         \t\t<meta name='robots' content='noindex, follow' />\n\t<title>WordPress &rsaquo; Error</title>\n</head>\n<body id=\"error-page\">\n\t<div class=\"wp-die-message\"><p>The file <code>wp-config.php</code> already \
         exists. If you need to reset any of the configuration items in this file, please delete it first. You may try <a href=\"{}/wp-admin/install.php\">installing now</a>.</p></div></body>\n</html>\n\t",
        visit.origin()
    );
    uncached(Reply::new("409 Conflict", HTML, page))
}

/// With its REST API's address, behind what says how long it may be kept.
fn linked(visit: &Visit<'_>, mut reply: Reply) -> Reply {
    let place = reply.headers.iter().take_while(|(name, _)| matches!(*name, "Expires" | "Cache-Control")).count();
    reply.headers.insert(place, ("Link", link_header(visit).into()));
    reply
}

/// Somewhere else, said with the lines that `wp_redirect` writes.
fn elsewhere(visit: &Visit<'_>, status: &'static str, path: &str) -> Reply {
    Reply::new(status, HTML, "").with("X-Redirect-By", "WordPress").with("Location", format!("{}{path}", visit.origin()))
}

/// The address that a page should have been asked at.
fn canonical(visit: &Visit<'_>, path: &str) -> Reply {
    elsewhere(visit, "301 Moved Permanently", path)
}

fn link_header(visit: &Visit<'_>) -> String {
    let origin = visit.origin();
    // At the port of HTTPS it takes itself to be behind TLS.
    let origin = if visit.asked.host.ends_with(":443") { origin.replacen("http://", "https://", 1) } else { origin };
    format!("<{origin}/wp-json/>; rel=\"https://api.w.org/\"")
}

fn uncached(reply: Reply) -> Reply {
    reply
        .with("Expires", "Wed, 11 Jan 1984 05:00:00 GMT")
        .with("Cache-Control", "no-cache, must-revalidate, max-age=0, no-store, private")
}

fn to(visit: &Visit<'_>, status: &'static str, path: &str) -> Reply {
    uncached(Reply::new(status, HTML, ""))
        .with("X-Redirect-By", "WordPress")
        .with("Location", format!("{}{path}", visit.origin()))
}

fn to_login(visit: &Visit<'_>) -> Reply {
    let back: String = format!("{}{}", visit.origin(), visit.path()).bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    });
    to(visit, "302 Found", &format!("/wp-login.php?redirect_to={back}&reauth=1"))
}

/// A folder without its slash: Apache's own answer.
fn moved(visit: &Visit<'_>, path: &str) -> Reply {
    let location = format!("{}{path}", visit.origin());
    let page =
        apache_page("301 Moved Permanently", &format!("The document has moved <a href=\"{location}\">here</a>."), visit.frame);
    page.with("Location", location)
}

fn head(visit: &Visit<'_>, title: &str) -> String {
    let origin = visit.origin();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n\t<meta charset=\"UTF-8\" />\n\t<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n\
         <meta name='robots' content='max-image-preview:large' />\n<title>{title}</title>\n\
         <link rel=\"alternate\" type=\"application/rss+xml\" title=\"{name} &raquo; Feed\" href=\"{origin}/feed/\" />\n\
         <link rel=\"alternate\" type=\"application/rss+xml\" title=\"{name} &raquo; Comments Feed\" href=\"{origin}/comments/feed/\" />\n\
         <link rel='stylesheet' id='wp-block-library-css' href='{origin}/wp-includes/css/dist/block-library/style.min.css?ver={VERSION}' media='all' />\n\
         <link rel='stylesheet' id='twentytwentyfive-style-css' href='{origin}/wp-content/themes/twentytwentyfive/style.css?ver=1.3' media='all' />\n\
         <link rel=\"https://api.w.org/\" href=\"{origin}/wp-json/\" /><link rel=\"EditURI\" type=\"application/rsd+xml\" title=\"RSD\" href=\"{origin}/xmlrpc.php?rsd\" />\n\
         <meta name=\"generator\" content=\"WordPress {VERSION}\" />\n</head>\n",
        name = name(visit),
    )
}

/// What the blog is called: whoever set it up gave the machine's name.
fn name(visit: &Visit<'_>) -> String {
    visit.house.persona.host().into()
}

fn front(visit: &Visit<'_>) -> String {
    let (origin, name) = (visit.origin(), name(visit));
    head(visit, &name)
        + &format!(
            "<body class=\"home blog wp-embed-responsive wp-theme-twentytwentyfive\">\n<div class=\"wp-site-blocks\">\
             <header class=\"wp-block-template-part\"><p class=\"wp-block-site-title\"><a href=\"{origin}\" target=\"_self\" rel=\"home\" aria-current=\"page\">{name}</a></p></header>\n\
             <main class=\"wp-block-group\" id=\"wp--skip-link--target\"><h1 class=\"wp-block-heading\">Blog</h1>\n\
             <ul class=\"wp-block-post-template\"><li class=\"wp-block-post post-1 post type-post status-publish format-standard hentry category-uncategorized\">\
             <h2 class=\"wp-block-post-title\"><a href=\"{origin}/hello-world/\" target=\"_self\">Hello world!</a></h2>\
             <div class=\"entry-content\"><p>Welcome to WordPress. This is your first post. Edit or delete it, then start writing!</p></div></li></ul></main>\n\
             <footer class=\"wp-block-template-part\"><p>Designed with <a href=\"https://wordpress.org\" rel=\"nofollow\">WordPress</a></p></footer></div>\n\
             <script src=\"{origin}/wp-includes/js/dist/script-modules/block-library/navigation/view.min.js?ver=61572d447d60c0aa5240\" type=\"module\"></script>\n</body>\n</html>\n"
        )
}

fn missing(visit: &Visit<'_>) -> Reply {
    let page = head(visit, &format!("Page not found &#8211; {}", name(visit)))
        + "<body class=\"error404 wp-embed-responsive wp-theme-twentytwentyfive\">\n<div class=\"wp-site-blocks\"><main class=\"wp-block-group\">\
           <h1 class=\"wp-block-heading\">Page not found</h1><p>The page you are looking for doesn't exist, or it has been moved. Please try searching using the form below.</p>\
           </main></div>\n</body>\n</html>\n";
    uncached(Reply::made("404 Not Found", HTML, page)).with("Link", link_header(visit))
}

fn feed(visit: &Visit<'_>) -> String {
    let (origin, name) = (visit.origin(), name(visit));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rss version=\"2.0\"\n\txmlns:dc=\"http://purl.org/dc/elements/1.1/\"\n\t>\n\n<channel>\n\t<title>{name}</title>\n\
         \t<link>{origin}</link>\n\t<description></description>\n\t<language>en-US</language>\n\t<generator>https://wordpress.org/?v={VERSION}</generator>\n\
         \t<item>\n\t\t<title>Hello world!</title>\n\t\t<link>{origin}/hello-world/</link>\n\t\t<dc:creator><![CDATA[admin]]></dc:creator>\n\t</item>\n</channel>\n</rss>\n"
    )
}

fn robots(visit: &Visit<'_>) -> String {
    format!(
        "User-agent: *\nDisallow: /wp-admin/\nAllow: /wp-admin/admin-ajax.php\n\nSitemap: {}/wp-sitemap.xml\n",
        visit.origin()
    )
}

fn readme() -> &'static str {
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n\t<meta name=\"viewport\" content=\"width=device-width\" />\n\t<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\" />\n\
     \t<title>WordPress &#8250; ReadMe</title>\n\t<link rel=\"stylesheet\" href=\"wp-admin/css/install.css?ver=20100228\" type=\"text/css\" />\n</head>\n<body>\n\
     <h1 id=\"logo\">\n\t<a href=\"https://wordpress.org/\"><img alt=\"WordPress\" src=\"wp-admin/images/wordpress-logo.png\" /></a>\n</h1>\n\
     <p style=\"text-align: center\">Semantic Personal Publishing Platform</p>\n</body>\n</html>\n"
}

/// The login form; with a name and a password, what is wrong with them.
fn login(visit: &Visit<'_>) -> Reply {
    let found = if visit.asked.method == Method::Post { super::super::credentials::form(visit.body) } else { Default::default() };
    let user = String::from_utf8_lossy(found.username.as_deref().unwrap_or_default()).into_owned();
    let user: String = escaped(&user).chars().take(120).collect();
    let why: Cow<'static, str> = match (visit.asked.method, user.as_str(), found.password.as_deref().unwrap_or_default()) {
        (Method::Post, "", _) => "<strong>Error:</strong> The username field is empty.".into(),
        (Method::Post, _, []) => "<strong>Error:</strong> The password field is empty.".into(),
        (Method::Post, "admin", _) => format!(
            "<strong>Error:</strong> The password you entered for the username <strong>admin</strong> is incorrect. <a href=\"{}/wp-login.php?action=lostpassword\">Lost your password?</a>",
            visit.origin()
        )
        .into(),
        (Method::Post, user, _) => format!(
            "<strong>Error:</strong> The username <strong>{user}</strong> is not registered on this site. If you are unsure of your username, try your email address instead."
        )
        .into(),
        _ => "".into(),
    };
    let error = if why.is_empty() {
        String::new()
    } else {
        format!("<div id=\"login_error\" class=\"notice notice-error\"><p>{why}</p></div>")
    };
    uncached(Reply::new("200 OK", HTML, login_page(visit, &user, &error))).and(login_headers()).with("Vary", "Accept-Encoding")
}

fn login_headers() -> Headers {
    vec![
        ("Set-Cookie", "wordpress_test_cookie=WP%20Cookie%20check; path=/; HttpOnly".into()),
        ("X-Frame-Options", "SAMEORIGIN".into()),
        ("Referrer-Policy", "strict-origin-when-cross-origin".into()),
    ]
}

fn login_page(visit: &Visit<'_>, user: &str, error: &str) -> String {
    let (origin, name) = (visit.origin(), name(visit));
    format!(
        "<!DOCTYPE html>\n\t<html lang=\"en-US\">\n\t<head>\n\t<meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\" />\n\t<title>Log In &lsaquo; {name} &#8212; WordPress</title>\n\
         \t<meta name='robots' content='max-image-preview:large, noindex, noarchive' />\n\
         <link rel='stylesheet' id='dashicons-css' href='{origin}/wp-includes/css/dashicons.min.css?ver={VERSION}' media='all' />\n\
         <link rel='stylesheet' id='buttons-css' href='{origin}/wp-includes/css/buttons.min.css?ver={VERSION}' media='all' />\n\
         <link rel='stylesheet' id='forms-css' href='{origin}/wp-admin/css/forms.min.css?ver={VERSION}' media='all' />\n\
         <link rel='stylesheet' id='login-css' href='{origin}/wp-admin/css/login.min.css?ver={VERSION}' media='all' />\n\
         \t<meta name='referrer' content='strict-origin-when-cross-origin' />\n\t\t<meta name=\"viewport\" content=\"width=device-width, initial-scale=1.0\" />\n\t</head>\n\
         \t<body class=\"login no-js login-action-login wp-core-ui  locale-en-us\">\n\t<script>\ndocument.body.className = document.body.className.replace('no-js','js');\n</script>\n\n\
         \t\t<h1 class=\"screen-reader-text\">Log In</h1>\n\t<div id=\"login\">\n\t\t<h1 role=\"presentation\" class=\"wp-login-logo\"><a href=\"https://wordpress.org/\">Powered by WordPress</a></h1>\n\t{error}\n\
         \t\t<form name=\"loginform\" id=\"loginform\" action=\"{origin}/wp-login.php\" method=\"post\">\n\t\t\t<p>\n\t\t\t\t<label for=\"user_login\">Username or Email Address</label>\n\
         \t\t\t\t<input type=\"text\" name=\"log\" id=\"user_login\" class=\"input\" value=\"{user}\" size=\"20\" autocapitalize=\"off\" autocomplete=\"username\" required=\"required\" />\n\t\t\t</p>\n\n\
         \t\t\t<div class=\"user-pass-wrap\">\n\t\t\t\t<label for=\"user_pass\">Password</label>\n\t\t\t\t<div class=\"wp-pwd\">\n\
         \t\t\t\t\t<input type=\"password\" name=\"pwd\" id=\"user_pass\" class=\"input password-input\" value=\"\" size=\"20\" autocomplete=\"current-password\" spellcheck=\"false\" required=\"required\" />\n\
         \t\t\t\t</div>\n\t\t\t</div>\n\t\t\t\t\t\t<p class=\"forgetmenot\"><input name=\"rememberme\" type=\"checkbox\" id=\"rememberme\" value=\"forever\"  /> <label for=\"rememberme\">Remember Me</label></p>\n\
         \t\t\t<p class=\"submit\">\n\t\t\t\t<input type=\"submit\" name=\"wp-submit\" id=\"wp-submit\" class=\"button button-primary button-large\" value=\"Log In\" />\n\
         \t\t\t\t\t\t\t\t\t<input type=\"hidden\" name=\"redirect_to\" value=\"{origin}/wp-admin/\" />\n\t\t\t\t\t\t\t\t\t<input type=\"hidden\" name=\"testcookie\" value=\"1\" />\n\t\t\t</p>\n\t\t</form>\n\n\
         \t\t\t\t\t<p id=\"nav\">\n\t\t\t\t<a class=\"wp-login-lost-password\" href=\"{origin}/wp-login.php?action=lostpassword\">Lost your password?</a>\t\t\t</p>\n\
         \t\t\t\t<p id=\"backtoblog\">\n\t\t\t<a href=\"{origin}/\">&larr; Go to {name}</a>\t\t</p>\n\t\t\t</div>\n\t</body>\n\t</html>\n\t"
    )
}

fn xml_rpc(visit: &Visit<'_>, findings: &mut Findings) -> Reply {
    if visit.asked.query.split('&').any(|word| word == "rsd") {
        let origin = visit.origin();
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rsd version=\"1.0\" xmlns=\"http://archipelago.phrasewise.com/rsd\">\n\t<service>\n\t\t<engineName>WordPress</engineName>\n\
             \t\t<engineLink>https://wordpress.org/</engineLink>\n\t\t<homePageLink>{origin}</homePageLink>\n\t\t<apis>\n\
             \t\t\t<api name=\"WordPress\" blogID=\"1\" preferred=\"true\" apiLink=\"{origin}/xmlrpc.php\" />\n\t\t</apis>\n\t</service>\n</rsd>\n"
        );
        return Reply::new("200 OK", XML, body);
    }
    if visit.asked.method != Method::Post {
        return Reply::new("405 Method Not Allowed", "text/plain;charset=UTF-8", "XML-RPC server accepts POST requests only.")
            .with("Allow", "POST");
    }
    let Some(call) = xmlrpc::call(visit.body) else {
        return said(fault(-32_700, "parse error. not well formed"));
    };
    findings.note("xmlrpc", &call.method);
    if call.calls > 0 {
        findings.note("xmlrpc_calls", format!("{}", call.calls).as_bytes());
        if call.calls >= CALLS_HOSTILE {
            findings.signs |= Signs::RULE;
        }
    }
    let body = match call.method.as_slice() {
        b"system.listMethods" => methods(),
        b"demo.sayHello" => format!(
            "{DECLARATION}<methodResponse>\n  <params>\n    <param>\n      <value>\n      <string>Hello!</string>\n      </value>\n    </param>\n  </params>\n</methodResponse>\n"
        ),
        b"pingback.ping" => fault(0, ""),
        b"system.multicall" => multicall(call.calls),
        method if METHODS.iter().any(|known| known.as_bytes() == method) => fault(403, "Incorrect username or password."),
        method => fault(
            -32_601,
            &format!(
                "server error. requested method {} does not exist.",
                escaped(&String::from_utf8_lossy(method)).chars().take(100).collect::<String>()
            ),
        ),
    };
    said(body)
}

/// An answer to a call, after which WordPress ends the connection by itself.
fn said(body: String) -> Reply {
    Reply::new("200 OK", XML, body).with("Connection", "close").with("Vary", "Accept-Encoding")
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const METHODS: [&str; 18] = [
    "system.multicall",
    "system.listMethods",
    "system.getCapabilities",
    "demo.addTwoNumbers",
    "demo.sayHello",
    "pingback.extensions.getPingbacks",
    "pingback.ping",
    "mt.getCategoryList",
    "metaWeblog.newPost",
    "metaWeblog.getUsersBlogs",
    "blogger.getUsersBlogs",
    "wp.getUsersBlogs",
    "wp.newPost",
    "wp.getPosts",
    "wp.getUsers",
    "wp.getOptions",
    "wp.uploadFile",
    "wp.getCategories",
];
/// Answers to calls within one that are given.
const ANSWERED_MAX: usize = 40;

fn fault(code: i32, text: &str) -> String {
    format!(
        "{DECLARATION}<methodResponse>\n  <fault>\n    <value>\n      <struct>\n        <member>\n          <name>faultCode</name>\n          <value><int>{code}</int></value>\n        </member>\n\
         \x20       <member>\n          <name>faultString</name>\n          <value><string>{text}</string></value>\n        </member>\n      </struct>\n    </value>\n  </fault>\n</methodResponse>\n"
    )
}

fn methods() -> String {
    let values: String = METHODS.iter().map(|method| format!("  <value><string>{method}</string></value>\n")).collect();
    format!(
        "{DECLARATION}<methodResponse>\n  <params>\n    <param>\n      <value>\n      <array><data>\n{values}</data></array>\n      </value>\n    </param>\n  </params>\n</methodResponse>\n"
    )
}

fn multicall(calls: usize) -> String {
    let refused = "  <value><struct>\n  <member><name>faultCode</name><value><int>403</int></value></member>\n  <member><name>faultString</name><value><string>Incorrect username or password.</string></value></member>\n</struct></value>\n";
    let values = refused.repeat(calls.min(ANSWERED_MAX));
    format!(
        "{DECLARATION}<methodResponse>\n  <params>\n    <param>\n      <value>\n      <array><data>\n{values}</data></array>\n      </value>\n    </param>\n  </params>\n</methodResponse>\n"
    )
}

/// Whether it says that it is JSON, and is no object.
fn is_broken(visit: &Visit<'_>) -> bool {
    let body = visit.body.trim_ascii();
    visit.asked.content == Content::Json
        && !body.is_empty()
        && !(body.starts_with(b"{") && body.ends_with(b"}") && body.len() > 1)
}

fn rest(visit: &Visit<'_>, route: &str) -> Reply {
    let origin = visit.origin();
    let error = |code: &str, text: &str, status: u16| {
        format!("{{\"code\":\"{code}\",\"message\":\"{text}\",\"data\":{{\"status\":{status}}}}}")
    };
    let (status, body) = match route {
        "" | "/" => (
            "200 OK",
            format!(
                "{{\"name\":\"{0}\",\"description\":\"\",\"url\":\"{1}\",\"home\":\"{1}\",\"gmt_offset\":\"0\",\"timezone_string\":\"\",\"page_for_posts\":0,\"page_on_front\":0,\"show_on_front\":\"posts\",\
                 \"namespaces\":[\"oembed\\/1.0\",\"wp\\/v2\",\"wp-site-health\\/v1\",\"wp-block-editor\\/v1\"],\"authentication\":{{\"application-passwords\":{{\"endpoints\":{{\"authorization\":\"{1}\\/wp-admin\\/authorize-application.php\"}}}}}},\"routes\":{{}}}}",
                name(visit),
                origin.replace('/', "\\/")
            ),
        ),
        "/wp/v2/users" | "/wp/v2/users/" | "/wp/v2/users/1" => {
            let user = format!(
                "{{\"id\":1,\"name\":\"admin\",\"url\":\"{0}\",\"description\":\"\",\"link\":\"{0}\\/author\\/admin\\/\",\"slug\":\"admin\",\"avatar_urls\":{{\"24\":\"https:\\/\\/secure.gravatar.com\\/avatar\\/{1}?s=24&d=mm&r=g\"}},\"meta\":[]}}",
                origin.replace('/', "\\/"),
                visit.digits("gravatar", 64)
            );
            ("200 OK", if route.ends_with('1') { user } else { format!("[{user}]") })
        }
        route if visit.asked.method == Method::Post && route.starts_with("/wp/v2/") && is_broken(visit) => (
            "400 Bad Request",
            "{\"code\":\"rest_invalid_json\",\"message\":\"Invalid JSON body passed.\",\"data\":{\"status\":400,\"json_error_code\":4,\"json_error_message\":\"Syntax error\"}}".into(),
        ),
        route if visit.asked.method == Method::Post && route.starts_with("/wp/v2/") => {
            ("401 Unauthorized", error("rest_cannot_create", "Sorry, you are not allowed to create posts as this user.", 401))
        }
        "/wp/v2/settings" | "/wp/v2/plugins" => {
            ("401 Unauthorized", error("rest_forbidden", "Sorry, you are not allowed to do that.", 401))
        }
        "/wp/v2/posts" | "/wp/v2/pages" | "/wp/v2/media" => ("200 OK", "[]".into()),
        _ => ("404 Not Found", error("rest_no_route", "No route was found matching the URL and request method.", 404)),
    };
    // The list of everything is long enough to come in chunks.
    let reply = if matches!(route, "/" | "") { Reply::made(status, JSON, body) } else { Reply::new(status, JSON, body) };
    let reply = reply
        .with("X-Robots-Tag", "noindex")
        .with("Link", link_header(visit))
        .with("X-Content-Type-Options", "nosniff")
        .with("Access-Control-Expose-Headers", "X-WP-Total, X-WP-TotalPages, Link")
        .with("Access-Control-Allow-Headers", "Authorization, X-WP-Nonce, Content-Disposition, Content-MD5, Content-Type");
    let is_list = matches!(route.trim_end_matches('/'), "/wp/v2/users" | "/wp/v2/posts" | "/wp/v2/pages" | "/wp/v2/media");
    let reply = match status {
        "200 OK" if is_list => {
            let count = if route.starts_with("/wp/v2/users") { "1" } else { "0" };
            reply.with("X-WP-Total", count).with("X-WP-TotalPages", count).with("Allow", "GET")
        }
        "200 OK" => reply.with("Allow", "GET"),
        "400 Bad Request" | "401 Unauthorized" if visit.asked.method == Method::Post => return reply.with("Allow", "GET"),
        _ => reply,
    };
    reply.with("Vary", "Origin")
}
