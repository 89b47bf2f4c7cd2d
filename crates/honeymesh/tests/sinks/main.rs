//! One hostile corpus through the real daemon, and out of every log, export, terminal and page: nothing of it acts, nothing is lost.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod checks;
#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod house;
mod page;
mod strangers;

use common::{eventually, in_namespace, is_root};
use corpus::Value;
use house::House;
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Command, Output},
};
use strangers::{Said, WAYS};

/// The longest note, in bytes.
const NOTE_BYTES_MAX: usize = 200;

type Visits = BTreeMap<(String, u16), Vec<Json>>;

/// The bytes that a field was made of; with `…` at its end, only the first of them.
fn unkept(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("\\u{") {
        let (number, after) = after.split_once('}').unwrap();
        let number = u32::from_str_radix(number, 16).unwrap();
        bytes.extend_from_slice(before.as_bytes());
        match char::from_u32(number) {
            Some(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => bytes.push(number.to_le_bytes()[0]),
        }
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// The captured bytes of these visits, one after the other.
fn payload(visits: &[Json]) -> Vec<u8> {
    let parts = visits.iter().filter_map(|visit| visit["payload_base64"].as_str());
    parts.flat_map(|part| honeymesh_format::base64_bytes(part).unwrap()).collect()
}

/// What was said is there again, byte by byte: in the payload, and in the facts.
fn nothing_is_lost(said: &[Said], visits: &Visits) {
    for Said { trap, value, from, bytes, facts } in said {
        let Some(visits) = visits.get(&((*trap).to_owned(), *from)) else { continue };
        let payload = payload(visits);
        // Of TLS the trap has what was inside, and here that is nothing.
        if !bytes.is_empty() && *trap != "sni" {
            assert!(bytes.starts_with(&payload) && !payload.is_empty(), "{trap} {value}: {}", payload.escape_ascii());
        }
        for (name, fact) in facts {
            let told: Vec<&str> = visits.iter().filter_map(|visit| visit["fields"][name].as_str()).collect();
            let is_it = |told: &&str| match told.strip_suffix('…') {
                Some(begin) if told.len() > 900 => fact.starts_with(&unkept(begin)),
                _ => unkept(told) == *fact,
            };
            assert!(told.iter().any(is_it), "{trap} {value}, port {from}: {name} is {told:?} in {visits:?}");
        }
    }
}

/// Python's readers say the same.
fn second_opinion(files: &[(&str, &[u8])], dir: &Path) -> Result<(), String> {
    let paths: Vec<_> = files.iter().map(|(name, _)| dir.join(name)).collect();
    files.iter().zip(&paths).for_each(|((_, bytes), path)| fs::write(path, bytes).unwrap());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sinks/second_opinion.py");
    let output = Command::new("python3").arg(script).args(paths).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// Terminals and exports.
fn clients_are_safe(house: &House, visits: &Visits) {
    let count: usize = visits.values().map(Vec::len).sum();
    let seen = ["events", "--since", "1h", "--kind", "visit"];
    let (human, json) = (house.asked(&seen), house.asked(&[&seen[..], &["--json"]].concat()));
    assert_eq!(checks::terminal(&human).unwrap().len(), count, "one event, one line");
    assert_eq!(checks::json_lines(&json).unwrap().len(), count);
    let on_a_terminal = house.asked_on_a_terminal("events --since 1h --kind visit");
    assert_eq!(checks::coloured(&on_a_terminal).unwrap().len(), count);

    // Other events than visits may come in between.
    let (all, [jsonl, array, csv]) = eventually("nothing happens meanwhile", || {
        let all = || house.asked(&["events", "--since", "1h", "--json"]);
        let (before, exports) = (all(), ["jsonl", "json", "csv"].map(|format| house.asked(&["export", "--format", format])));
        (before == all()).then(|| (checks::json_lines(&before).unwrap(), exports))
    });
    assert_eq!(checks::json_lines(&jsonl).unwrap(), all);
    checks::terminal(&array).unwrap();
    assert_eq!(serde_json::from_slice::<Vec<Json>>(&array).unwrap(), all);
    let rows = checks::csv(&csv).unwrap();
    assert_eq!(rows.len(), all.len() + 1);
    for (row, event) in rows.iter().skip(1).zip(&all) {
        let fields = if row[18].is_empty() { serde_json::json!({}) } else { serde_json::from_str(&row[18]).unwrap() };
        assert_eq!((&row[0], &fields), (&event["id"].as_str().unwrap().to_owned(), event.get("fields").unwrap_or(&fields)));
    }
    for args in [&["status"][..], &["peers"], &["bans"], &["why", "10.77.0.2"], &["allow", "list"]] {
        checks::terminal(&house.asked(args)).unwrap_or_else(|error| panic!("{args:?}: {error}"));
        let json = house.asked(&[args, &["--json"]].concat());
        checks::terminal(&json).unwrap_or_else(|error| panic!("{args:?} --json: {error}"));
        serde_json::from_slice::<Json>(&json).unwrap();
        checks::coloured(&house.asked_on_a_terminal(&args.join(" "))).unwrap_or_else(|error| panic!("{args:?}: {error}"));
    }
    let hashes =
        visits.iter().filter(|((trap, _), _)| trap == "redis").filter_map(|(_, told)| told[0]["payload_sha256"].as_str());
    for hash in hashes.take(25) {
        checks::terminal(&house.asked(&["payload", hash])).unwrap();
        let json = house.asked(&["payload", hash, "--json"]);
        checks::terminal(&json).unwrap();
        is_the_payload(&json, hash);
    }
    let files: [(&str, &[u8]); 5] =
        [("a.term", &human), ("b.jsonl", &json), ("c.jsonl", &jsonl), ("d.json", &array), ("e.csv", &csv)];
    second_opinion(&files, house.net.dir.path()).unwrap();
}

/// These words are about what was sent under this hash, and it is in them whole.
fn is_the_payload(json: &[u8], hash: &str) {
    let payload: Json = serde_json::from_slice(json).unwrap();
    let bytes = honeymesh_format::base64_bytes(payload["payload_base64"].as_str().unwrap()).unwrap();
    let told = honeymesh_format::payload_hash(&bytes).map(honeymesh_format::hash_text);
    assert_eq!((payload["sha256"].as_str(), told.as_deref()), (Some(hash), Some(hash)));
}

/// What is streamed again of the past: as many blocks as there are events, each of them one.
fn the_stream_is_safe(house: &House) {
    let (_, page) = house.get("/api/v1/events?limit=1000");
    let mut events: Vec<Json> = serde_json::from_slice(&page).unwrap();
    // The newest is the first of a page and the last of a stream.
    events.reverse();
    assert!(events.len() > 900, "{}", events.len());
    let (head, body) = house.stream_since(events[0]["id"].as_str().unwrap(), events.len() - 1);
    assert!(head.contains("content-type: text/event-stream") && head.contains("nosniff"), "{head}");
    let blocks = checks::sse(&body).unwrap();
    let streamed: Vec<&Json> = blocks.iter().map(|(_, event)| event).take(events.len() - 1).collect();
    assert_eq!(streamed, events.iter().skip(1).collect::<Vec<_>>());
    assert!(blocks.iter().all(|(name, _)| name.is_none()), "nobody was too slow");
}

/// What the API answers, and with which words it says what to make of it.
fn the_api_is_safe(house: &House, visits: &Visits) {
    let hashes: BTreeSet<&str> = visits.values().flatten().filter_map(|visit| visit["payload_sha256"].as_str()).collect();
    let payloads = hashes.iter().step_by(hashes.len() / 100 + 1).map(|hash| format!("/api/v1/payloads/{hash}"));
    let paths = [
        "/api/v1/events?limit=1000",
        "/api/v1/bans",
        "/api/v1/why/10.77.0.2",
        "/api/v1/status",
        "/api/v1/peers",
        "/api/v1/allow",
        "/api/v1/export?format=jsonl",
        "/api/v1/export?format=json",
    ];
    for path in paths.map(str::to_owned).into_iter().chain(payloads) {
        let (head, body) = house.get(&path);
        if let Some(hash) = path.strip_prefix("/api/v1/payloads/") {
            is_the_payload(&body, hash);
        }
        let type_is_told = head.contains("content-type: application/json");
        let is_safe =
            head.contains("x-content-type-options: nosniff") && head.contains("content-security-policy: default-src 'none'");
        assert!(head.starts_with("http/1.0 200") && type_is_told && is_safe, "{path}: {head}");
        let ended = [&body[..], if body.ends_with(b"\n") { b"" } else { b"\n" }].concat();
        checks::terminal(&ended).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let (head, body) = house.get("/api/v1/export?format=csv");
    assert!(head.contains("text/csv") && head.contains("nosniff"), "{head}");
    checks::csv(&body).unwrap();
    for path in ["/%3Cscript%3E%1b]0;x%07", "/api/v1/why/%1b%5b2J%0a%3C0%3E", "/api/v1/events?kind=%1b%E2%80%AE%3Cb%3E"] {
        let (head, body) = house.get(path);
        assert!(head.contains("application/problem+json") && head.contains("nosniff"), "{path}: {head}");
        checks::json_lines(&[&body[..], b"\n"].concat()).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let (head, body) = house.get("/metrics");
    assert!(head.contains("text/plain") && checks::metrics(&body).unwrap() > 100, "{head}");
}

/// What the operator of another node, who may be anybody, writes to his bans comes back as it was, and nowhere as an order.
fn notes_are_safe(house: &House, values: &[Value]) {
    let _other = house.other();
    let is_note = |value: &&Value| {
        let is_argument = std::str::from_utf8(&value.bytes).is_ok() && !value.bytes.contains(&0);
        is_argument && value.bytes.len() <= NOTE_BYTES_MAX && !value.bytes.is_empty()
    };
    let notes: Vec<&str> = values.iter().filter(is_note).map(|value| std::str::from_utf8(&value.bytes).unwrap()).collect();
    for (number, note) in notes.iter().enumerate() {
        let own = house.asked(&["ban", &format!("192.0.2.{}", number + 1), "--ttl", "1h", "--local", &format!("--note={note}")]);
        checks::terminal(&own).unwrap();
        house.net.other_json(&["ban", &format!("198.51.100.{}", number + 1), "--ttl", "1h", &format!("--note={note}")]);
    }
    let bans: Vec<Json> = eventually("all of them are here", || {
        let bans: Vec<Json> = serde_json::from_slice(&house.asked(&["bans", "--json", "--subject", "198.51.100.0/24"])).unwrap();
        (bans.len() == notes.len()).then_some(bans)
    });
    assert!(bans.iter().all(|ban| ban["origins"][0] == "cellar"), "{bans:?}");
    let told: Vec<&str> = bans.iter().map(|ban| ban["note"].as_str().unwrap()).collect();
    assert!(notes.iter().all(|note| told.contains(note)), "{told:?}");
    let table = house.asked(&["bans", "--subject", "198.51.100.0/24"]);
    assert_eq!(checks::terminal(&table).unwrap().len(), notes.len() + 1, "one ban, one row");
    assert_eq!(checks::coloured(&house.asked_on_a_terminal("bans --subject 198.51.100.0/24")).unwrap().len(), notes.len() + 1);
    for number in 1..notes.len() {
        checks::terminal(&house.asked(&["why", &format!("198.51.100.{number}")])).unwrap();
    }
}

#[test]
fn one_hostile_corpus_goes_through_the_real_daemon_and_acts_in_no_sink() {
    if !is_root() {
        return;
    }
    let began = std::time::Instant::now();
    let step = |what: &str| eprintln!("{:>6} ms  {what}", began.elapsed().as_millis());
    let house = House::open("text");
    let (human, json, stream) = (house.follow(&[]), house.follow(&["--json"]), house.listen());
    step("it is ready");
    let namespace = house.net.stranger.clone();
    let speak = || {
        let (all, page) = WAYS.split_at(WAYS.len() - 1);
        let values = corpus::load();
        let mut said = strangers::say_everything(House::address(), all, &values);
        // The last ones are those that the page shows.
        said.extend(strangers::say_everything(House::address(), page, &values));
        said
    };
    let logins = strangers::ssh(&namespace, House::address());
    step("everybody has logged in");
    let mut said = in_namespace(&namespace, speak).join().unwrap();
    said.extend(logins.into_iter().flatten());
    step("everything is said");
    let visits = house.settle(&said);
    step("everything is told");
    let status = house.net.json(&["status"]);
    let lost: Vec<&Json> = status["traps"].as_array().unwrap().iter().filter(|trap| trap["reports_lost"] != 0).collect();
    assert!(lost.is_empty(), "reports found no room: {lost:?}");
    for way in &WAYS {
        assert!(visits.keys().any(|(trap, _)| trap == way.trap), "somebody was heard by {}", way.trap);
    }
    nothing_is_lost(&said, &visits);
    clients_are_safe(&house, &visits);
    step("clients");
    notes_are_safe(&house, &corpus::load());
    step("notes");
    the_api_is_safe(&house, &visits);
    the_stream_is_safe(&house);
    step("API");
    page::shows_it_and_obeys_nothing(&house);
    step("page");
    let count: usize = visits.values().map(Vec::len).sum();
    assert!(checks::terminal(&human.end()).unwrap().len() >= count, "what is followed is one line each");
    assert!(checks::json_lines(&json.end()).unwrap().len() >= count);
    let streamed = checks::sse(&stream.end()).unwrap();
    let missed: u64 = streamed.iter().filter_map(|(name, lag)| name.as_ref().map(|_| lag["missed"].as_u64().unwrap())).sum();
    let told = streamed.iter().filter(|(name, event)| name.is_none() && event["kind"] == "visit").count() as u64;
    assert!(
        told <= count as u64 && told + missed >= count as u64,
        "{told} visits streamed, {missed} events missed, {count} visits"
    );
    let log = house.close();
    let lines = checks::log(&log).unwrap();
    assert_eq!(lines.iter().filter(|line| line.contains(" DEBUG visit 10.77.0.2")).count(), count, "one visit, one record");
    step("log");
}

#[test]
fn the_log_in_json_has_a_line_for_each_record_and_no_forged_one() {
    if !is_root() {
        return;
    }
    let house = House::open("json");
    let speak = || strangers::say_everything(House::address(), &WAYS[WAYS.len() - 1..], &corpus::load());
    let said = in_namespace(&house.net.stranger, speak).join().unwrap();
    let visits = house.settle(&said);
    let count: usize = visits.values().map(Vec::len).sum();
    let records = checks::json_lines(&house.close()).unwrap();
    let is_visit =
        |record: &&Json| record["level"] == "DEBUG" && record["message"].as_str().unwrap().starts_with("visit 10.77.0.2");
    assert_eq!(records.iter().filter(is_visit).count(), count, "one visit, one record");
    let known = ["timestamp", "level", "target", "message"];
    let is_known = |record: &Json| known.iter().all(|key| record.get(key).is_some() || *key == "message");
    assert!(records.iter().all(is_known), "every record is one of ours");
}

fn honeymesh(args: &[&OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_honeymesh")).args(args).output().unwrap()
}

#[test]
fn errors_that_quote_are_one_harmless_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("honeymesh.toml");
    for Value { name, bytes } in corpus::load() {
        if !bytes.contains(&0) {
            let word = OsStr::from_bytes(&bytes);
            for args in [&["ban"][..], &["events", "--kind"], &["check", "--config"], &["peers", "verify"]] {
                let args: Vec<&OsStr> = args.iter().map(OsStr::new).chain([word]).collect();
                let output = honeymesh(&args);
                let told = checks::terminal(&output.stderr).unwrap_or_else(|error| panic!("{name}: {args:?}: {error}"));
                // A configuration that is there may have several faults, a line each.
                let is_one = told.len() == 1 || args[0] == "check" && Path::new(word).exists();
                assert!(is_one && !output.status.success(), "{name}: {args:?}: {told:?}");
            }
        }
        let quoted: String = String::from_utf8_lossy(&bytes).chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        let escaped = format!("[node]\nname = \"{quoted}\"\n\"{quoted}\" = 1\n[[trap]]\nservice = \"{quoted}\"\n").into_bytes();
        for text in [escaped, [b"[node]\nname = \"", &bytes[..], b"\"\n"].concat(), bytes] {
            fs::write(&file, text).unwrap();
            let check = [OsStr::new("check"), OsStr::new("--config"), file.as_os_str()];
            let output = honeymesh(&check);
            let told = checks::terminal(&output.stderr).unwrap_or_else(|error| panic!("{name}: {error}"));
            let begin = file.display().to_string();
            assert!(told.iter().all(|line| line.starts_with(&begin)), "{name}: {told:?}");
            let output = honeymesh(&[&check[..], &[OsStr::new("--json")]].concat());
            assert_eq!(checks::json_lines(&output.stdout).unwrap_or_else(|error| panic!("{name}: {error}")).len(), 1);
        }
    }
}

/// Python's readers, too, refuse what they are there for.
#[test]
fn the_second_opinion_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let refused: [(&str, &[u8]); 8] = [
        ("a.term", b"\x1b[2J\n"),
        ("b.term", "a\u{202e}\n".as_bytes()),
        ("c.term", "a\u{200b}\n".as_bytes()),
        ("d.jsonl", b"{}\nforged\n"),
        ("e.json", b"[1"),
        ("f.csv", b"\"fields\"\r\n\"=1+1\"\r\n"),
        ("g.csv", b"\"id\",\"fields\"\r\n\"1\",\"{\"\"a\"\":\"\"x;=1\"\"}\"\r\n"),
        ("h.csv", b"\"fields\"\r\n\"{}\",\"more\"\r\n"),
    ];
    for file in refused {
        assert!(second_opinion(&[file], dir.path()).is_err(), "{file:?}");
    }
    assert_eq!(
        second_opinion(&[("i.term", "pässwörd\n".as_bytes()), ("j.csv", b"\"fields\"\r\n\"{}\"\r\n")], dir.path()),
        Ok(())
    );
    for Value { name, bytes } in corpus::load() {
        let is_obeyed = std::str::from_utf8(&bytes).is_ok_and(|text| text.chars().any(honeymesh_format::is_unsafe));
        let is_line = bytes.iter().all(|byte| *byte == b'\n' || *byte >= b' ') && !bytes.contains(&0x7f);
        if is_obeyed && !is_line {
            assert!(second_opinion(&[("raw.term", &bytes)], dir.path()).is_err(), "{name} as it is");
        }
    }
}

/// One stranger who said `bytes` as a user name, and one visit that tells of it.
fn heard(bytes: &[u8], payload: &[u8], username: &str) -> (Vec<Said>, Visits) {
    let facts = vec![("username", bytes.to_vec())];
    let said = Said { trap: "redis", value: "one".into(), from: 4_711, bytes: bytes.to_vec(), facts };
    let visit = serde_json::json!({
        "payload_base64": honeymesh_format::base64_text(payload),
        "fields": { "username": username },
    });
    (vec![said], [(("redis".to_owned(), 4_711), vec![visit])].into())
}

#[test]
fn what_is_kept_is_not_missed() {
    let (said, visits) = heard(b"a\xff\x1b", b"a\xff\x1b", "a\\u{dcff}\\u{1b}");
    nothing_is_lost(&said, &visits);
}

#[test]
#[should_panic(expected = "redis one: a?")]
fn a_payload_that_was_changed_is_missed() {
    let (said, visits) = heard(b"a\xff", b"a?", "a\\u{dcff}");
    nothing_is_lost(&said, &visits);
}

#[test]
#[should_panic(expected = "username is")]
fn a_fact_that_was_changed_is_missed() {
    let (said, visits) = heard(b"a\xff", b"a\xff", "a\u{fffd}");
    nothing_is_lost(&said, &visits);
}
