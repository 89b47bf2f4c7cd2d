//! Elasticsearch without a password: tells of itself and of a few indices, finds nothing, and takes scripts and orders down.

use super::{
    super::{json::member, reply::Reply, request::Method},
    Visit, quoted,
};
use crate::Findings;
use alloc::{format, string::String};
use honeymesh_types::Signs;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=UTF-8";
/// The indices that it tells of: name, documents, bytes.
const INDICES: [(&str, u64, u64); 4] = [
    ("customers", 18_422, 21_863_401),
    ("logs-2026.11", 1_204_118, 911_204_377),
    ("orders", 52_310, 60_912_044),
    ("users", 3_107, 4_190_228),
];

pub(super) fn respond(visit: &Visit<'_>, findings: &mut Findings) -> Reply {
    note(visit, findings);
    let path = visit.path();
    match (visit.asked.method, path) {
        (Method::Get | Method::Head, "/") => json("200 OK", about(visit)),
        (Method::Trace, _) => wrong_method(visit),
        (Method::Get | Method::Head, "/_cat" | "/_cat/") => text(CAT.into()),
        (Method::Get | Method::Head, "/_cat/indices") => text(cat_indices(visit)),
        (Method::Get | Method::Head, "/_cat/health") => text(format!(
            "{} {} {} yellow 1 1 {n} {n} 0 0 {n} 0 0 - 50.0%\n",
            seconds(visit),
            clock(visit),
            cluster(),
            n = INDICES.len()
        )),
        (Method::Get | Method::Head, "/_cat/nodes") => {
            text(format!("127.0.0.1 38 91 2 0.14 0.19 0.17 cdfhilmrstw * {}\n", node(visit)))
        }
        (Method::Get | Method::Head, "/_cluster/health") => json("200 OK", health()),
        (Method::Get | Method::Head, "/_nodes" | "/_nodes/_local" | "/_nodes/_all") => json("200 OK", nodes(visit)),
        (Method::Get | Method::Head, "/_aliases" | "/_alias") => json("200 OK", aliases()),
        (_, path) if path.ends_with("/_search") || path == "/_search" || path.ends_with("/_count") => searched(visit, path),
        (_, "/_bulk") => json("200 OK", "{\"errors\":false,\"took\":3,\"items\":[]}".into()),
        (_, path) if path.starts_with("/_scripts/") || path.starts_with("/_snapshot/") => {
            json("200 OK", "{\"acknowledged\":true}".into())
        }
        (Method::Get | Method::Head, path) if known(path).is_some() => json("200 OK", settings(visit, path)),
        (Method::Get | Method::Head, path) if path.starts_with("/_") => no_handler(visit),
        (Method::Get | Method::Head, path) => no_index(path),
        (Method::Other, path) if visit.asked.verb == "DELETE" && (known(path).is_some() || path == "/_all" || path == "/*") => {
            json("200 OK", "{\"acknowledged\":true}".into())
        }
        (Method::Other, path) if visit.asked.verb == "DELETE" => no_index(path),
        (Method::Other | Method::Post, path) if !path.starts_with("/_") && visit.asked.verb != "OPTIONS" => written(visit, path),
        _ => no_handler(visit),
    }
}

/// Scripts, deletions and whatever else a reader does not send.
fn note(visit: &Visit<'_>, findings: &mut Findings) {
    let script = member(visit.body, "source").filter(|_| memchr::memmem::find(visit.body, b"script").is_some());
    let script = script.or_else(|| member(visit.body, "script"));
    if let Some(script) = script {
        findings.note("script", &script);
        findings.signs |= Signs::RULE;
    }
    let is_order = visit.asked.verb == "DELETE"
        || visit.path().starts_with("/_snapshot/")
        || visit.path().starts_with("/_scripts/")
        || visit.path().contains("/_delete_by_query")
        || visit.path() == "/_shutdown";
    if is_order {
        findings.signs |= Signs::RULE;
    }
}

fn json(status: &'static str, body: String) -> Reply {
    Reply::new(status, JSON, body).with("X-elastic-product", "Elasticsearch")
}

fn text(body: String) -> Reply {
    Reply::new("200 OK", TEXT, body).with("X-elastic-product", "Elasticsearch")
}

fn node<'a>(visit: &Visit<'a>) -> &'a str {
    visit.house.persona.host()
}

const fn cluster() -> &'static str {
    "elasticsearch"
}

/// A name as Lucene makes them: 22 letters of base64.
fn lucene(visit: &Visit<'_>, purpose: &str) -> String {
    let mut text = crate::text::base64(&visit.house.persona.key(purpose)).replace(['+', '/'], "A");
    text.truncate(22);
    text
}

fn about(visit: &Visit<'_>) -> String {
    format!(
        "{{\n  \"name\" : \"{}\",\n  \"cluster_name\" : \"{}\",\n  \"cluster_uuid\" : \"{}\",\n  \"version\" : {{\n    \"number\" : \"{}\",\n    \"build_flavor\" : \"default\",\n\
         \x20   \"build_type\" : \"deb\",\n    \"build_hash\" : \"{}\",\n    \"build_date\" : \"2025-11-20T14:09:11.448296124Z\",\n    \"build_snapshot\" : false,\n    \"lucene_version\" : \"9.12.2\",\n\
         \x20   \"minimum_wire_compatibility_version\" : \"7.17.0\",\n    \"minimum_index_compatibility_version\" : \"7.0.0\"\n  }},\n  \"tagline\" : \"You Know, for Search\"\n}}\n",
        node(visit),
        cluster(),
        lucene(visit, "elastic cluster"),
        visit.house.banner,
        visit.digits("elastic build", 40),
    )
}

const CAT: &str = "=^.^=\n/_cat/allocation\n/_cat/shards\n/_cat/shards/{index}\n/_cat/master\n/_cat/nodes\n/_cat/tasks\n/_cat/indices\n/_cat/indices/{index}\n/_cat/segments\n/_cat/count\n\
     /_cat/recovery\n/_cat/health\n/_cat/pending_tasks\n/_cat/aliases\n/_cat/thread_pool\n/_cat/plugins\n/_cat/fielddata\n/_cat/nodeattrs\n/_cat/repositories\n/_cat/snapshots/{repository}\n/_cat/templates\n";

fn seconds(visit: &Visit<'_>) -> u64 {
    visit.frame.now.0 / 1_000_000
}

fn clock(visit: &Visit<'_>) -> String {
    let of_day = seconds(visit) % 86_400;
    format!("{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

fn cat_indices(visit: &Visit<'_>) -> String {
    let headed = visit.asked.query.split('&').any(|word| word == "v" || word == "v=true" || word == "v=");
    let mut table = String::new();
    if headed {
        table.push_str("health status index        uuid                   pri rep docs.count docs.deleted store.size pri.store.size dataset.size\n");
    }
    for (name, documents, bytes) in INDICES {
        let size = format!("{}.{}mb", bytes >> 20, (bytes >> 10) % 1_024 * 10 / 1_024);
        table.push_str(&format!(
            "yellow open   {name:<12} {}   1   1 {documents:>10} {:>12} {size:>10} {size:>14} {size:>12}\n",
            lucene(visit, name),
            documents / 97
        ));
    }
    table
}

fn health() -> String {
    format!(
        "{{\"cluster_name\":\"{}\",\"status\":\"yellow\",\"timed_out\":false,\"number_of_nodes\":1,\"number_of_data_nodes\":1,\"active_primary_shards\":{n},\"active_shards\":{n},\"relocating_shards\":0,\
         \"initializing_shards\":0,\"unassigned_shards\":{n},\"unassigned_primary_shards\":0,\"delayed_unassigned_shards\":0,\"number_of_pending_tasks\":0,\"number_of_in_flight_fetch\":0,\
         \"task_max_waiting_in_queue_millis\":0,\"active_shards_percent_as_number\":50.0}}",
        cluster(),
        n = INDICES.len()
    )
}

fn nodes(visit: &Visit<'_>) -> String {
    format!(
        "{{\"_nodes\":{{\"total\":1,\"successful\":1,\"failed\":0}},\"cluster_name\":\"{}\",\"nodes\":{{\"{}\":{{\"name\":\"{}\",\"transport_address\":\"127.0.0.1:9300\",\"host\":\"127.0.0.1\",\"ip\":\"127.0.0.1\",\
         \"version\":\"{}\",\"build_flavor\":\"default\",\"build_type\":\"deb\",\"build_hash\":\"{}\",\"roles\":[\"data\",\"ingest\",\"master\"],\
         \"os\":{{\"refresh_interval_in_millis\":1000,\"name\":\"Linux\",\"pretty_name\":\"Debian GNU/Linux 13 (trixie)\",\"arch\":\"amd64\",\"version\":\"{}\",\"available_processors\":{cores},\"allocated_processors\":{cores}}}}}}}}}",
        cluster(),
        lucene(visit, "elastic node"),
        node(visit),
        visit.house.banner,
        visit.digits("elastic build", 40),
        visit.house.persona.kernel(visit.frame.now).release,
        cores = visit.house.persona.machine().cores,
    )
}

fn aliases() -> String {
    let all: alloc::vec::Vec<String> = INDICES.iter().map(|(name, ..)| format!("\"{name}\":{{\"aliases\":{{}}}}")).collect();
    format!("{{{}}}", all.join(","))
}

/// The index that a path begins with, if there is such a one.
fn known(path: &str) -> Option<&'static str> {
    let name = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    INDICES.iter().map(|(known, ..)| *known).find(|known| *known == name)
}

fn searched(visit: &Visit<'_>, path: &str) -> Reply {
    let name = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let everything = name.starts_with('_') || name.contains('*');
    let total: u64 = match known(path) {
        Some(index) => INDICES.iter().filter(|(name, ..)| *name == index).map(|(_, documents, _)| documents).sum(),
        None if everything => 0,
        None => return no_index(path),
    };
    if path.ends_with("_count") {
        return json(
            "200 OK",
            format!("{{\"count\":{total},\"_shards\":{{\"total\":1,\"successful\":1,\"skipped\":0,\"failed\":0}}}}"),
        );
    }
    if member(visit.body, "script").is_some() || member(visit.body, "script_fields").is_some() {
        return json(
            "400 Bad Request",
            "{\"error\":{\"root_cause\":[{\"type\":\"script_exception\",\"reason\":\"compile error\"}],\"type\":\"search_phase_execution_exception\",\"reason\":\"all shards failed\",\"phase\":\"query\",\"grouped\":true,\"failed_shards\":[]},\"status\":400}".into(),
        );
    }
    json("200 OK", "{\"took\":2,\"timed_out\":false,\"_shards\":{\"total\":4,\"successful\":4,\"skipped\":0,\"failed\":0},\"hits\":{\"total\":{\"value\":0,\"relation\":\"eq\"},\"max_score\":null,\"hits\":[]}}".into())
}

fn settings(visit: &Visit<'_>, path: &str) -> String {
    let name = known(path).unwrap_or_default();
    format!(
        "{{\"{name}\":{{\"aliases\":{{}},\"mappings\":{{}},\"settings\":{{\"index\":{{\"routing\":{{\"allocation\":{{\"include\":{{\"_tier_preference\":\"data_content\"}}}}}},\"number_of_shards\":\"1\",\
         \"provided_name\":\"{name}\",\"number_of_replicas\":\"1\",\"uuid\":\"{}\",\"version\":{{\"created\":\"8536000\"}}}}}}}}}}",
        lucene(visit, name)
    )
}

fn no_index(path: &str) -> Reply {
    let name = quoted(path.trim_start_matches('/').split('/').next().unwrap_or_default(), 200);
    let cause = format!(
        "\"type\":\"index_not_found_exception\",\"reason\":\"no such index [{name}]\",\"resource.type\":\"index_or_alias\",\"resource.id\":\"{name}\",\"index_uuid\":\"_na_\",\"index\":\"{name}\""
    );
    json("404 Not Found", format!("{{\"error\":{{\"root_cause\":[{{{cause}}}],{cause}}},\"status\":404}}"))
}

fn written(visit: &Visit<'_>, path: &str) -> Reply {
    let name = quoted(path.trim_start_matches('/').split('/').next().unwrap_or_default(), 200);
    if path.trim_matches('/').contains('/') {
        let id = crate::text::base64(visit.own_digits("document", 30).as_bytes()).chars().take(20).collect::<String>();
        return json(
            "201 Created",
            format!(
                "{{\"_index\":\"{name}\",\"_id\":\"{id}\",\"_version\":1,\"result\":\"created\",\"_shards\":{{\"total\":2,\"successful\":1,\"failed\":0}},\"_seq_no\":0,\"_primary_term\":1}}"
            ),
        );
    }
    json("200 OK", format!("{{\"acknowledged\":true,\"shards_acknowledged\":true,\"index\":\"{name}\"}}"))
}

fn no_handler(visit: &Visit<'_>) -> Reply {
    let uri = if visit.asked.query.is_empty() {
        visit.asked.path.clone()
    } else {
        format!("{}?{}", visit.asked.path, visit.asked.query)
    };
    let (uri, verb) = (quoted(&uri, 300), quoted(&visit.asked.verb, 20));
    json("400 Bad Request", format!("{{\"error\":\"no handler found for uri [{uri}] and method [{verb}]\"}}"))
}

fn wrong_method(visit: &Visit<'_>) -> Reply {
    let (uri, verb) = (quoted(&visit.asked.path, 300), quoted(&visit.asked.verb, 20));
    json(
        "405 Method Not Allowed",
        format!(
            "{{\"error\":\"Incorrect HTTP method for uri [{uri}] and method [{verb}], allowed: [GET, HEAD, POST]\",\"status\":405}}"
        ),
    )
}
