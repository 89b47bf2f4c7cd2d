//! Every route through both doors, and what the doors refuse.

use crate::house::{Answer, Ask, House, TOKEN, visit};
use honeymesh_api::Limits;
use honeymesh_types::{EventKind, Grade, Reasons};
use http_body_util::BodyExt;
use hyper::{Method, StatusCode, body::Incoming};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn furnished() -> House {
    let house = House::open();
    house.brain.ban("203.0.113.7", Reasons::TRAP | Reasons::SCAN, Grade::Hostile);
    house.brain.ban("198.51.100.0/24", Reasons::MANUAL, Grade::Operator);
    house.brain.ban("2001:db8::/64", Reasons::MESH, Grade::Payload);
    house.brain.events.lock().unwrap().extend((1..=5).map(visit));
    house
}

/// The SHA-256 of `hello`.
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

#[tokio::test]
async fn every_question_is_answered_through_both_doors() {
    let house = furnished();
    let hello = format!("/api/v1/payloads/{HELLO}");
    let table = [
        ("/api/v1/status", "node", "\"edge-1\""),
        ("/api/v1/bans", "0", "203.0.113.7/32"),
        ("/api/v1/events", "0", "\"visit\""),
        ("/api/v1/why/203.0.113.7", "address", "\"203.0.113.7\""),
        (&hello, "sha256", "\"aGVsbG8=\""),
        ("/api/v1/allow", "0", "10.0.0.0/8"),
        ("/api/v1/peers", "0", "primary_mesh"),
    ];
    for (path, pointer, part) in table {
        for answer in [Ask::get(path).https(&house).await, Ask::get(path).control(&house).await] {
            assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"), "{path}");
            assert!(
                answer.json().pointer(&format!("/{pointer}")).is_some() && answer.body.contains(part),
                "{path}: {}",
                answer.body
            );
        }
    }
}

#[tokio::test]
async fn lists_come_in_pages_that_name_the_next() {
    let house = furnished();
    let first = Ask::get("/api/v1/bans?limit=1").control(&house).await;
    assert_eq!(first.json().as_array().unwrap().len(), 1);
    assert_eq!(first.header("link"), "</api/v1/bans?limit=1&after=198.51.100.0%2F24>; rel=\"next\"");
    let rest = Ask::get("/api/v1/bans?limit=2&after=198.51.100.0%2F24").control(&house).await;
    assert_eq!((rest.json().as_array().unwrap().len(), rest.header("link")), (2, ""));
    let inside = Ask::get("/api/v1/bans?subject=198.51.100.9").control(&house).await;
    assert_eq!(inside.json()[0]["subject"], "198.51.100.0/24");
    let events = Ask::get("/api/v1/events?limit=2&kind=visit&order=oldest").control(&house).await;
    let second = events.json()[1]["id"].as_str().unwrap().to_owned();
    assert_eq!(events.header("link"), format!("</api/v1/events?limit=2&kind=visit&order=oldest&after={second}>; rel=\"next\""));
}

#[tokio::test]
async fn orders_reach_the_brain_as_they_were_meant() {
    let house = furnished();
    let table: [(Ask, &str); 14] = [
        (
            Ask::new(Method::POST, "/api/v1/bans")
                .body(r#"{"subject":"192.0.2.1","ttl":"1h","note":"x","local":true,"force":true}"#),
            "Ban(BanOrder { subject: 192.0.2.1/32, ttl: For(3600s), note: Some(\"x\"), local: true, force: true })",
        ),
        (
            Ask::new(Method::POST, "/api/v1/bans").body(r#"{"subject":"192.0.2.2","ttl":"forever"}"#),
            "Ban(BanOrder { subject: 192.0.2.2/32, ttl: Forever, note: None, local: false, force: false })",
        ),
        (
            Ask::new(Method::DELETE, "/api/v1/bans/192.0.2.1"),
            "Unban(UnbanOrder { subject: 192.0.2.1/32, local: false, wait: None })",
        ),
        (
            Ask::new(Method::DELETE, "/api/v1/bans/198.51.100.0%2F24?local=true&wait=5s"),
            "Unban(UnbanOrder { subject: 198.51.100.0/24, local: true, wait: Some(5s) })",
        ),
        (
            Ask::new(Method::DELETE, "/api/v1/bans/2001:db8::/64?local"),
            "Unban(UnbanOrder { subject: 2001:db8::/64, local: true, wait: None })",
        ),
        (Ask::new(Method::POST, "/api/v1/allow").body(r#"{"net":"192.0.2.0/24"}"#), "AllowAdd(192.0.2.0/24)"),
        (Ask::new(Method::DELETE, "/api/v1/allow/192.0.2.0%2F24"), "AllowRemove(192.0.2.0/24)"),
        (Ask::new(Method::DELETE, "/api/v1/allow/192.0.2.0/24"), "AllowRemove(192.0.2.0/24)"),
        (Ask::new(Method::PUT, "/api/v1/mode").body(r#"{"mode":"observe"}"#), "SetMode(Observe)"),
        (Ask::new(Method::PUT, "/api/v1/mode").body(r#"{"mode":"lockdown"}"#), "LockDown { within: None }"),
        (
            Ask::new(Method::PUT, "/api/v1/mode").body(r#"{"mode":"lockdown","confirm_within":"2m"}"#),
            "LockDown { within: Some(120s) }",
        ),
        (Ask::new(Method::PUT, "/api/v1/mode").body(r#"{"mode":"lockdown","confirm":true}"#), "ConfirmLockdown"),
        (Ask::get("/api/v1/why/2001:db8::1"), "Why(2001:db8::1)"),
        (Ask::get("/api/v1/allow"), "AllowList"),
    ];
    for (ask, order) in table {
        let answer = ask.clone().https(&house).await;
        assert_eq!(answer.status, StatusCode::OK, "{ask:?}: {}", answer.body);
        assert_eq!(house.brain.ordered(), [order], "{ask:?}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_mend_and_never_reaches_the_brain() {
    let house = furnished();
    let post = |body: &str| Ask::new(Method::POST, "/api/v1/bans").body(body);
    let (bad, delete) = (StatusCode::BAD_REQUEST, |path: &str| Ask::new(Method::DELETE, path));
    let long = format!(r#"{{"subject":"192.0.2.1","note":"{}"}}"#, "x".repeat(201));
    let huge = format!(r#"{{"subject":"{}"}}"#, "x".repeat(20_000));
    let table: [(Ask, StatusCode, &str); 26] = [
        (Ask::get("/api/v1/payloads/beef"), bad, "64 hexadecimal digits"),
        (Ask::get(&format!("/api/v1/payloads/{HELLO}g")), bad, "64 hexadecimal digits"),
        (post("{}"), bad, "missing field `subject`"),
        (post("not json"), bad, "not the JSON that is expected"),
        (post(r#"{"subject":"192.0.2.1","tll":"1h"}"#), bad, "unknown field `tll`"),
        (post(r#"{"subject":"192.0.2.1/24"}"#), bad, "write 192.0.2.0/24 if the whole prefix is meant"),
        (post(r#"{"subject":"192.0.2.1","ttl":"soon"}"#), bad, "such as 90s, 5m, 24h or 7d"),
        (post(r#"{"subject":"192.0.2.1","ttl":"0s"}"#), bad, "such as 90s, 5m, 24h or 7d"),
        (post(&long), bad, "`note` is longer than 200 bytes"),
        (post(&huge), StatusCode::PAYLOAD_TOO_LARGE, "larger than 16 KiB"),
        (delete("/api/v1/bans/everybody"), bad, "neither an IP address nor a prefix"),
        (delete("/api/v1/bans/192.0.2.1?wait=1d"), bad, "`wait` is longer than 5m"),
        (delete("/api/v1/bans/192.0.2.1?lokal=1"), bad, "query key `lokal` is not known here; known are: local wait"),
        (delete("/api/v1/bans/192.0.2.1?local=maybe"), bad, "`local` is true or false"),
        (Ask::get("/api/v1/events?limit=0"), bad, "`limit` is a number from 1 to 1000"),
        (Ask::get("/api/v1/events?limit=1001"), bad, "`limit` is a number from 1 to 1000"),
        (Ask::get("/api/v1/events?since=yesterday"), bad, "or how long ago, such as 1h"),
        (Ask::get("/api/v1/events?kind=vist"), bad, "knock|visit|scan"),
        (Ask::get("/api/v1/why/host.example"), bad, "`address`"),
        (Ask::get("/api/v1/export"), bad, "`format` is missing"),
        (Ask::get("/api/v1/export?format=xml"), bad, "json|jsonl|csv"),
        (Ask::new(Method::PUT, "/api/v1/mode").body(r#"{"mode":"on"}"#), bad, "observe|enforce|lockdown"),
        (Ask::new(Method::PUT, "/api/v1/mode").body(r#"{"mode":"enforce","confirm":true}"#), bad, "go with mode `lockdown`"),
        (Ask::new(Method::PUT, "/api/v1/mode").body(r#"{"mode":"lockdown","confirm_within":"5"}"#), bad, "`confirm_within`"),
        (Ask::get("/api/v1/nothing%1b[31m"), StatusCode::NOT_FOUND, "there is no `/api/v1/nothing"),
        (Ask::new(Method::PATCH, "/api/v1/bans"), StatusCode::METHOD_NOT_ALLOWED, "`PATCH` cannot be done to `/api/v1/bans`"),
    ];
    for (ask, status, part) in table {
        let answer = ask.clone().https(&house).await;
        assert_eq!(answer.status, status, "{ask:?}: {}", answer.body);
        assert!(answer.detail().contains(part) && answer.detail().lines().count() == 1, "{ask:?}: {}", answer.detail());
        assert_eq!(house.brain.ordered(), [""; 0], "{ask:?}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_brain_keeps_its_words_and_its_kind() {
    let house = furnished();
    let protected = Ask::new(Method::POST, "/api/v1/bans").body(r#"{"subject":"10.0.0.1"}"#).https(&house).await;
    assert_eq!(protected.status, StatusCode::CONFLICT);
    assert_eq!(protected.detail(), "10.0.0.1/32 is never banned: 10.0.0.0/8 is on the allowlist");
    let missing = Ask::new(Method::DELETE, "/api/v1/bans/192.0.2.99").control(&house).await;
    assert_eq!((missing.status, missing.detail().as_str()), (StatusCode::NOT_FOUND, "192.0.2.99/32 is not banned here"));
}

#[tokio::test]
async fn keys_are_rotated_through_the_control_socket_only_and_never_shown() {
    let house = House::open();
    let ask = |body: &str| Ask::new(Method::POST, "/api/v1/keys/rotate").body(body);
    let with_key = ask(r#"{"cluster":"mesh","key":"5ec2e7"}"#);
    let refused = with_key.clone().https(&house).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.detail().contains("on the node itself only"));
    assert_eq!(house.brain.ordered(), [""; 0]);
    assert_eq!(with_key.control(&house).await.status, StatusCode::OK);
    assert_eq!(house.brain.ordered(), ["KeyRotate { cluster: ClusterName(\"mesh\"), new: Text(Secret(…)) }"]);
    assert_eq!(ask(r#"{"cluster":"mesh","file":"/etc/new.key"}"#).control(&house).await.status, StatusCode::OK);
    for body in [r#"{"cluster":"mesh"}"#, r#"{"cluster":"mesh","file":"x","key":"y"}"#] {
        assert!(ask(body).control(&house).await.detail().contains("exactly one of"), "{body}");
    }
}

#[tokio::test]
async fn without_the_token_there_is_one_answer_for_everything() {
    let house = furnished();
    let shape = |answer: &Answer| {
        let mut headers: Vec<_> =
            answer.headers.iter().filter(|(name, _)| *name != "date").map(|(name, value)| format!("{name}: {value:?}")).collect();
        headers.sort();
        (answer.status, headers, answer.body.clone())
    };
    let mut shapes = Vec::new();
    for path in ["/api/v1/status", "/api/v1/bans", "/api/v1/events/stream", "/metrics", "/api/v1/export?format=csv", "/nothing"] {
        shapes.push(shape(&Ask::get(path).https_bare(&house).await));
    }
    for value in ["Bearer wrong", "Bearer ", "bearer", "Basic aG06aG0=", TOKEN, &format!("Bearer {TOKEN}x"), "Bearer \u{fc}"] {
        shapes.push(shape(&Ask::get("/api/v1/status").header("authorization", value).https_bare(&house).await));
    }
    assert_eq!(shapes[0].0, StatusCode::UNAUTHORIZED);
    assert!(shapes[0].1.contains(&"www-authenticate: \"Bearer realm=\\\"honeymesh\\\"\"".to_owned()), "{:?}", shapes[0].1);
    assert!(shapes.windows(2).all(|pair| pair[0] == pair[1]), "{shapes:#?}");
    let order = Ask::new(Method::DELETE, "/api/v1/bans/203.0.113.7").https_bare(&house).await;
    assert_eq!((order.status, house.brain.bans.lock().unwrap().len()), (StatusCode::UNAUTHORIZED, 3), "nothing was lifted");
    let lower = Ask::get("/api/v1/status").header("authorization", &format!("bearer {TOKEN}")).https_bare(&house).await;
    assert_eq!(lower.status, StatusCode::OK, "the scheme has no case");
}

#[tokio::test]
async fn guessing_is_slowed_down_and_counted() {
    let house = House::open();
    for _ in 0..10 {
        let answer = Ask::get("/api/v1/status").header("authorization", "Bearer guess").https_bare(&house).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let answer = Ask::get("/api/v1/status").header("authorization", "Bearer guess").https_bare(&house).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!((1..=6).contains(&answer.header("retry-after").parse::<u64>().unwrap()), "{answer:?}");
    assert_eq!(Ask::get("/api/v1/status").https(&house).await.status, StatusCode::TOO_MANY_REQUESTS, "the right one too");
    assert_eq!(Ask::get("/api/v1/status").control(&house).await.status, StatusCode::OK, "but never the operator on the node");
    assert_eq!((house.counted("auth_failed"), house.counted("auth_limited")), (10, 2));
}

#[tokio::test]
async fn the_page_needs_no_token_and_every_answer_is_dressed() {
    let house = House::open();
    for (path, media_type, part) in [
        ("/", "text/html; charset=utf-8", "<title>HoneyMesh</title>"),
        ("/app.js", "text/javascript; charset=utf-8", "\"use strict\""),
        ("/style.css", "text/css; charset=utf-8", ":root"),
        ("/favicon.svg", "image/svg+xml", "<svg"),
    ] {
        let answer = Ask::get(path).https_bare(&house).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, media_type));
        assert!(answer.body.contains(part), "{path}");
        dressed(&answer);
    }
    let refused = Ask::get("/api/v1/status").https_bare(&house).await;
    dressed(&refused);
    assert_eq!(refused.header("cache-control"), "no-store");
    dressed(&Ask::get("/api/v1/status").https(&house).await);
}

fn dressed(answer: &Answer) {
    let policy = answer.header("content-security-policy");
    for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(answer.headers.get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn an_export_is_a_download_and_a_cut_one_is_seen_to_be_cut() {
    let house = furnished();
    let whole = Ask::get("/api/v1/export?format=jsonl").https(&house).await;
    assert!(whole.whole && whole.body.lines().count() == 5, "{whole:?}");
    assert_eq!(whole.header("content-disposition"), "attachment; filename=\"honeymesh-events.jsonl\"");
    let table = Ask::get("/api/v1/export?format=csv&subject=203.0.113.2&since=1h").https(&house).await;
    assert_eq!((table.body.lines().count(), table.header("content-type")), (2, "text/csv; charset=utf-8; header=present"));
    // Whether the answer had begun by then is a matter of luck; that it was not whole is not.
    let cut = Ask::get("/api/v1/export?format=json&limit=13").try_https(&house).await;
    assert!(cut.as_ref().map_or(true, |answer| !answer.whole), "{cut:?}");
}

/// Reads until the text so far contains `part`.
async fn read_until(body: &mut Incoming, seen: &mut String, part: &str) {
    while !seen.contains(part) {
        let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await;
        let frame = frame.unwrap_or_else(|_| panic!("no `{part}` in {seen}")).unwrap_or_else(|| panic!("ended: {seen}")).unwrap();
        seen.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn the_live_stream_delivers_what_is_wanted_as_it_happens() {
    let house = House::open();
    let response = Ask::get("/api/v1/events/stream?kind=visit&subject=203.0.113.0/24").stream(&house).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let (mut body, mut seen) = (response.into_body(), String::new());
    read_until(&mut body, &mut seen, ": listening").await;
    let mut other = visit(1);
    other.kind = EventKind::Knock;
    house.desk.tell(&other);
    house.desk.tell(&visit(2));
    read_until(&mut body, &mut seen, "203.0.113.2").await;
    let block = seen.split("\n\n").find(|block| block.contains("data:")).unwrap();
    let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    let event: serde_json::Value = serde_json::from_str(line("data:")).unwrap();
    assert_eq!((event["kind"].as_str(), event["id"].as_str()), (Some("visit"), Some(line("id:"))));
    assert!(!seen.contains("203.0.113.1\""), "filtered: {seen}");
    assert_eq!(house.counted("live_listeners"), 1);
}

#[tokio::test]
async fn a_listener_that_comes_back_is_told_what_it_missed_once() {
    let house = furnished();
    let known = house.brain.events.lock().unwrap()[2].id.to_string();
    let response = Ask::get("/api/v1/events/stream").header("last-event-id", &known).stream(&house).await;
    let (mut body, mut seen) = (response.into_body(), String::new());
    let repeated = house.brain.events.lock().unwrap()[4].clone();
    house.desk.tell(&repeated);
    house.desk.tell(&visit(6));
    read_until(&mut body, &mut seen, "203.0.113.6").await;
    let told: Vec<bool> = (1..=6).map(|number| seen.matches(&format!("\"203.0.113.{number}\"")).count() == 1).collect();
    assert_eq!(told, [false, false, false, true, true, true], "{seen}");
    let nonsense = Ask::get("/api/v1/events/stream").header("last-event-id", "x").control(&house).await;
    assert!(nonsense.detail().contains("Last-Event-ID"));
}

#[tokio::test]
async fn a_slow_listener_is_told_how_much_it_missed() {
    let house = House::open();
    let (mut body, mut seen) = (Ask::get("/api/v1/events/stream").stream(&house).await.into_body(), String::new());
    read_until(&mut body, &mut seen, ": listening").await;
    // No await in between: the listener cannot run.
    for _ in 0..3_000 {
        house.desk.tell(&visit(9));
    }
    read_until(&mut body, &mut seen, "event: lag").await;
    assert!(seen.contains("data: {\"missed\":1976}"), "{}", &seen[..200.min(seen.len())]);
    assert_eq!(house.counted("live_missed"), 1_976);
}

#[tokio::test]
async fn the_number_of_listeners_is_bounded_and_places_come_back() {
    let house = House::open();
    let mut listening = Vec::new();
    for _ in 0..32 {
        listening.push(Ask::get("/api/v1/events/stream").stream(&house).await);
    }
    let refused = Ask::get("/api/v1/events/stream").control(&house).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.detail().contains("too many listeners"));
    assert_eq!(house.counted("live_listeners"), 32);
}

#[tokio::test]
async fn metrics_are_what_prometheus_can_read() {
    let house = furnished();
    let answer = Ask::get("/metrics").https(&house).await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let mut families = std::collections::BTreeMap::new();
    for line in answer.body.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert!(families.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            let name = series.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count", ""].iter().find_map(|end| families.get(name.strip_suffix(end)?));
            assert!(name.starts_with("honeymesh_") && family.is_some(), "{line}");
            assert!(!series.contains("203.0.113"), "an address is no label: {line}");
        }
    }
    for line in [
        "honeymesh_build_info{version=\"0.1.0\"} 1",
        "honeymesh_mode{mode=\"enforce\"} 1",
        "honeymesh_bans_active{reason=\"trap\"} 1",
        "honeymesh_events_total{kind=\"visit\"} 5",
        "honeymesh_xdp_packets_total{action=\"drop\"} 34567",
        "honeymesh_xdp_map_capacity 1000000",
        "honeymesh_gossip_rejected_total{cluster=\"primary_mesh\",why=\"key\"} 5",
        "honeymesh_detect_to_ban_seconds_bucket{le=\"0.00005\"} 1",
        "honeymesh_detect_to_ban_seconds_bucket{le=\"+Inf\"} 1",
        "honeymesh_detect_to_ban_seconds_count 1",
        "honeymesh_api_total{what=\"auth_failed\"} 0",
    ] {
        assert!(answer.body.lines().any(|have| have == line), "{line} is missing in\n{}", answer.body);
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_counted() {
    let house = House::with(Limits { connections_per_source_max: 2, ..Limits::default() });
    let _held =
        [tokio::net::TcpStream::connect(house.https).await.unwrap(), tokio::net::TcpStream::connect(house.https).await.unwrap()];
    let mut third = tokio::net::TcpStream::connect(house.https).await.unwrap();
    let mut nothing = [0; 1];
    assert!(matches!(third.read(&mut nothing).await, Ok(0) | Err(_)), "closed at once");
    assert_eq!(house.counted("connections_refused"), 1);
    assert_eq!(Ask::get("/api/v1/status").control(&house).await.status, StatusCode::OK, "the other door has its own places");
}

/// The clock runs ahead when everybody waits, so a deadline of seconds costs nothing here.
#[tokio::test(start_paused = true)]
async fn nobody_may_be_slow_for_ever() {
    let house = House::open();
    let mut rest = Vec::new();
    let mut silent = tokio::net::TcpStream::connect(house.https).await.unwrap();
    silent.read_to_end(&mut rest).await.unwrap();
    assert_eq!((rest.len(), house.counted("handshakes_failed")), (0, 1), "no handshake");
    let mut half = tokio::net::UnixStream::connect(&house.socket).await.unwrap();
    half.write_all(b"GET /api/v1/status HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    half.read_to_end(&mut rest).await.unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains("200 OK"), "no end of the head");
    let mut idle = tokio::net::UnixStream::connect(&house.socket).await.unwrap();
    idle.write_all(b"GET /api/v1/peers HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    rest.clear();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("200 OK"), "answered, then closed for idling");
    let mut body = tokio::net::UnixStream::connect(&house.socket).await.unwrap();
    body.write_all(b"POST /api/v1/bans HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{").await.unwrap();
    rest.clear();
    body.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("408 Request Timeout"), "{}", String::from_utf8_lossy(&rest));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let house = House::open();
    let answer = Ask::get("/api/v1/status").header("x-filler", &"x".repeat(20_000)).control(&house).await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn closing_ends_open_streams_and_removes_the_socket() {
    let mut house = House::open();
    let (mut body, mut seen) = (Ask::get("/api/v1/events/stream").stream(&house).await.into_body(), String::new());
    read_until(&mut body, &mut seen, ": listening").await;
    tokio::time::timeout(Duration::from_secs(20), house.close()).await.unwrap();
    while let Some(Ok(_)) = body.frame().await {}
    assert!(!house.socket.exists());
    assert!(tokio::net::TcpStream::connect(house.https).await.is_err());
}
