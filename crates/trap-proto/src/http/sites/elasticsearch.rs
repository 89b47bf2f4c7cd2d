//! Elasticsearch without a password: tells of itself and of a few indices, shows the first documents of each, finds nothing else, and takes
//! scripts and orders down.

mod cluster;
mod documents;
#[cfg(test)]
mod tests;

use super::{
    super::{json::member, reply::Reply, request::Method},
    Visit, quoted,
};
use crate::Findings;
use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use cluster::{json, lucene};
use honeymesh_types::Signs;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=UTF-8";
const CLUSTER: &str = "elasticsearch";

/// An index that it tells of.
#[derive(Clone, Copy)]
struct Index {
    name: &'static str,
    documents: u64,
    /// Octets on disk.
    bytes: u64,
    /// Names and kinds of its fields.
    fields: &'static [(&'static str, &'static str)],
}

impl Index {
    const fn deleted(&self) -> u64 {
        self.documents / 97
    }
}

const INDICES: [Index; 4] = [
    Index {
        name: "customers",
        documents: 18_422,
        bytes: 21_863_401,
        fields: &[("city", "keyword"), ("email", "keyword"), ("name", "text"), ("since", "date")],
    },
    Index {
        name: "logs-2026.11",
        documents: 1_204_118,
        bytes: 911_204_377,
        fields: &[("@timestamp", "date"), ("host", "keyword"), ("level", "keyword"), ("message", "text")],
    },
    Index {
        name: "orders",
        documents: 52_310,
        bytes: 60_912_044,
        fields: &[("customer", "long"), ("ordered", "date"), ("state", "keyword"), ("total", "float")],
    },
    Index {
        name: "users",
        documents: 3_107,
        bytes: 4_190_228,
        fields: &[("email", "keyword"), ("last_login", "date"), ("role", "keyword"), ("username", "keyword")],
    },
];

pub(super) fn respond(visit: &Visit<'_>, findings: &mut Findings) -> Reply {
    note(visit, findings);
    let path = visit.path();
    match visit.asked.method {
        Method::Trace => wrong_method(visit),
        _ if asks(path, "_search") || asks(path, "_count") => searched(visit, path),
        _ if path == "/_bulk" || asks(path, "_bulk") => {
            json(visit, "200 OK", "{\"errors\":false,\"took\":3,\"items\":[]}".into())
        }
        _ if path.starts_with("/_scripts/") || path.starts_with("/_snapshot/") => {
            json(visit, "200 OK", "{\"acknowledged\":true}".into())
        }
        Method::Get | Method::Head => told(visit, path),
        Method::Other if visit.asked.verb == "DELETE" => match chosen(path) {
            Some(_) => json(visit, "200 OK", "{\"acknowledged\":true}".into()),
            None => no_index(visit, path),
        },
        Method::Other | Method::Post if !path.starts_with("/_") && visit.asked.verb != "OPTIONS" => written(visit, path),
        _ => no_handler(visit),
    }
}

/// Is it the last part of a path?
fn asks(path: &str, what: &str) -> bool {
    path.strip_suffix(what).is_some_and(|rest| rest.ends_with('/'))
}

/// What is told to whoever only reads.
fn told(visit: &Visit<'_>, path: &str) -> Reply {
    let path = if path == "/" { path } else { path.trim_end_matches('/') };
    if let Some(rest) = path.strip_prefix("/_cat") {
        return listed(visit, rest);
    }
    let all = &INDICES[..];
    let body = match path {
        "/" => return Reply::new("200 OK", JSON, about(visit)).with("X-elastic-product", "Elasticsearch"),
        "/_cluster/health" => health(),
        "/_cluster/settings" => "{\"persistent\":{},\"transient\":{}}".into(),
        "/_cluster/state" => cluster::state(visit, all),
        "/_cluster/pending_tasks" => "{\"tasks\":[]}".into(),
        "/_nodes" | "/_nodes/_local" | "/_nodes/_all" => cluster::nodes(visit),
        "/_template" | "/_snapshot" | "/_ingest/pipeline" => "{}".into(),
        _ => return of_indices(visit, path),
    };
    json(visit, "200 OK", body)
}

/// What is told of indices, those that are named or all of them.
const OF_ALL: [&str; 6] = ["_stats", "_mapping", "_mappings", "_settings", "_aliases", "_alias"];

/// `/_stats`, `/orders`, `/orders/_mapping` and the like.
fn of_indices(visit: &Visit<'_>, path: &str) -> Reply {
    let (name, what) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    let (name, what) = if OF_ALL.contains(&name) && what.is_empty() { ("_all", name) } else { (name, what) };
    let body = |indices: &[Index]| {
        Some(match what {
            "" => cluster::each(indices, |index| cluster::whole(visit, index)),
            "_stats" => cluster::stats(visit, indices),
            "_mapping" | "_mappings" => cluster::each(indices, |index| format!("{{\"mappings\":{}}}", cluster::mappings(index))),
            "_settings" => cluster::each(indices, |index| format!("{{\"settings\":{}}}", cluster::settings(visit, index))),
            "_aliases" | "_alias" => cluster::each(indices, |_| "{\"aliases\":{}}".into()),
            _ => return None,
        })
    };
    let Some(indices) = chosen(name) else {
        let is_known = what.is_empty() || OF_ALL.contains(&what) || what.starts_with("_doc/");
        return if !is_known {
            no_handler(visit)
        } else if name.starts_with('_') {
            bad_name(visit, name)
        } else {
            no_index(visit, path)
        };
    };
    if let Some(id) = what.strip_prefix("_doc/") {
        let (status, body) = documents::one(visit, &indices, id);
        return json(visit, status, body);
    }
    body(&indices).map_or_else(|| no_handler(visit), |body| json(visit, "200 OK", body))
}

/// The indices that a path begins with: one, several with commas between, all of them; `None` if one is not there.
fn chosen(path: &str) -> Option<Vec<Index>> {
    let names = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if matches!(names, "_all" | "*") {
        return Some(INDICES.to_vec());
    }
    let mut chosen = Vec::new();
    for name in names.split(',').take(INDICES.len()) {
        let before = chosen.len();
        match name.strip_suffix('*') {
            Some(begin) => chosen.extend(INDICES.iter().filter(|index| index.name.starts_with(begin))),
            None => chosen.extend(INDICES.iter().filter(|index| index.name == name)),
        }
        if chosen.len() == before && !name.ends_with('*') {
            return None;
        }
    }
    Some(chosen)
}

/// `_cat`: tables for people.
fn listed(visit: &Visit<'_>, path: &str) -> Reply {
    let (what, name) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), "*"));
    let Some(indices) = chosen(name) else { return no_index(visit, name) };
    let (heads, rows) = match what {
        "" => return text(CAT.into()),
        "indices" => (INDEX_HEADS, indices.iter().map(|index| index_row(visit, index)).collect()),
        "shards" => (SHARD_HEADS, indices.iter().flat_map(|index| shard_rows(visit, index)).collect()),
        _ if EMPTY.iter().any(|(empty, _)| *empty == what) => {
            (EMPTY.iter().find(|(empty, _)| *empty == what).map_or(&[][..], |(_, heads)| *heads), Vec::new())
        }
        _ => match of_the_cluster(visit, what, &indices) {
            Some(table) => table,
            None => return no_handler(visit),
        },
    };
    let (heads, rows) = cluster::wanted(visit, heads, rows);
    if asked_for(visit, "format") == Some("json") {
        return json(visit, "200 OK", cluster::objects(&heads, &rows));
    }
    text(cluster::table(visit, &heads, &rows, NUMBERS))
}

/// What stands behind a name in the query.
fn asked_for<'a>(visit: &'a Visit<'_>, name: &str) -> Option<&'a str> {
    visit.asked.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Tables in which nothing stands.
const EMPTY: [(&str, &[&str]); 6] = [
    ("aliases", &["alias", "index", "filter", "routing.index", "routing.search", "is_write_index"]),
    ("templates", &["name", "index_patterns", "order", "version", "composed_of"]),
    ("plugins", &["name", "component", "version"]),
    ("pending_tasks", &["insertOrder", "timeInQueue", "priority", "source"]),
    ("repositories", &["id", "type"]),
    ("fielddata", &["id", "host", "ip", "node", "field", "size"]),
];

type Rows = Vec<Vec<String>>;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn index_row(visit: &Visit<'_>, index: &Index) -> Vec<String> {
    let (documents, deleted) = (index.documents.to_string(), index.deleted().to_string());
    let size = cluster::size(index.bytes);
    words(&["yellow", "open", index.name, &lucene(visit, index.name), "1", "1", &documents, &deleted, &size, &size, &size])
}

fn shard_rows(visit: &Visit<'_>, index: &Index) -> [Vec<String>; 2] {
    let (documents, size) = (index.documents.to_string(), cluster::size(index.bytes));
    let started = [index.name, "0", "p", "STARTED", &documents, &size, &size, "127.0.0.1", node(visit)];
    [words(&started), words(&[index.name, "0", "r", "UNASSIGNED", "", "", "", "", ""])]
}

/// Tables of the cluster as a whole.
fn of_the_cluster(visit: &Visit<'_>, what: &str, indices: &[Index]) -> Option<(&'static [&'static str], Rows)> {
    let (count, node, own) = (INDICES.len().to_string(), node(visit), lucene(visit, "elastic node"));
    let (seconds, clock) = (seconds(visit).to_string(), clock(visit));
    let sum = |of: fn(&Index) -> u64| indices.iter().map(of).sum::<u64>();
    Some(match what {
        "health" => {
            let before = [&*seconds, &*clock, CLUSTER, "yellow", "1", "1", &*count, &*count];
            let after = ["0", "0", &*count, "0", "0", "-", "50.0%"];
            (HEALTH_HEADS, vec![words(&[&before[..], &after].concat())])
        }
        "nodes" => {
            let figures = ["38", "91", "2", "0.14", "0.19", "0.17"];
            (NODE_HEADS, vec![words(&[&["127.0.0.1"], &figures[..], &["cdfhilmrstw", "*", node]].concat())])
        }
        "master" => (&["id", "host", "ip", "node"], vec![words(&[&own, "127.0.0.1", "127.0.0.1", node])]),
        "count" => {
            let documents = sum(|index| index.documents).to_string();
            (&["epoch", "timestamp", "count"], vec![words(&[&seconds, &clock, &documents])])
        }
        "allocation" => {
            let size = cluster::size(sum(|index| index.bytes));
            let placed = words(&[&count, &size, "127.0.0.1", "127.0.0.1", node]);
            (&["shards", "disk.indices", "host", "ip", "node"], vec![placed, words(&[&count, "", "", "", "UNASSIGNED"])])
        }
        _ => return None,
    })
}

const INDEX_HEADS: &[&str] = &[
    "health",
    "status",
    "index",
    "uuid",
    "pri",
    "rep",
    "docs.count",
    "docs.deleted",
    "store.size",
    "pri.store.size",
    "dataset.size",
];
const SHARD_HEADS: &[&str] = &["index", "shard", "prirep", "state", "docs", "store", "dataset", "ip", "node"];
const NODE_HEADS: &[&str] =
    &["ip", "heap.percent", "ram.percent", "cpu", "load_1m", "load_5m", "load_15m", "node.role", "master", "name"];
const HEALTH_HEADS: &[&str] = &[
    "epoch",
    "timestamp",
    "cluster",
    "status",
    "node.total",
    "node.data",
    "shards",
    "pri",
    "relo",
    "init",
    "unassign",
    "unassign.pri",
    "pending_tasks",
    "max_task_wait_time",
    "active_shards_percent",
];
/// Columns with numbers.
const NUMBERS: &[&str] = &[
    "pri",
    "rep",
    "docs.count",
    "docs.deleted",
    "store.size",
    "pri.store.size",
    "dataset.size",
    "docs",
    "store",
    "dataset",
    "heap.percent",
    "ram.percent",
    "cpu",
    "load_1m",
    "load_5m",
    "load_15m",
    "node.total",
    "node.data",
    "shards",
    "relo",
    "init",
    "unassign",
    "unassign.pri",
    "pending_tasks",
    "max_task_wait_time",
    "active_shards_percent",
    "disk.indices",
];

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

fn text(body: String) -> Reply {
    Reply::new("200 OK", TEXT, body).with("X-elastic-product", "Elasticsearch")
}

fn node<'a>(visit: &Visit<'a>) -> &'a str {
    visit.house.persona.host()
}

fn about(visit: &Visit<'_>) -> String {
    format!(
        "{{\n  \"name\" : \"{}\",\n  \"cluster_name\" : \"{}\",\n  \"cluster_uuid\" : \"{}\",\n  \"version\" : {{\n    \"number\" : \"{}\",\n    \"build_flavor\" : \"default\",\n\
         \x20   \"build_type\" : \"deb\",\n    \"build_hash\" : \"{}\",\n    \"build_date\" : \"2025-11-20T14:09:11.448296124Z\",\n    \"build_snapshot\" : false,\n    \"lucene_version\" : \"9.12.2\",\n\
         \x20   \"minimum_wire_compatibility_version\" : \"7.17.0\",\n    \"minimum_index_compatibility_version\" : \"7.0.0\"\n  }},\n  \"tagline\" : \"You Know, for Search\"\n}}\n",
        node(visit),
        CLUSTER,
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

fn health() -> String {
    format!(
        "{{\"cluster_name\":\"{}\",\"status\":\"yellow\",\"timed_out\":false,\"number_of_nodes\":1,\"number_of_data_nodes\":1,\"active_primary_shards\":{n},\"active_shards\":{n},\"relocating_shards\":0,\
         \"initializing_shards\":0,\"unassigned_shards\":{n},\"unassigned_primary_shards\":0,\"delayed_unassigned_shards\":0,\"number_of_pending_tasks\":0,\"number_of_in_flight_fetch\":0,\
         \"task_max_waiting_in_queue_millis\":0,\"active_shards_percent_as_number\":50.0}}",
        CLUSTER,
        n = INDICES.len()
    )
}

/// The first documents to whoever asks for all of them, and none to whoever looks for something.
fn searched(visit: &Visit<'_>, path: &str) -> Reply {
    let begin = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let indices = if matches!(begin, "_search" | "_count") { Some(INDICES.to_vec()) } else { chosen(begin) };
    let Some(indices) = indices else { return no_index(visit, path) };
    if member(visit.body, "script").is_some() || member(visit.body, "script_fields").is_some() {
        return json(
            visit,
            "400 Bad Request",
            "{\"error\":{\"root_cause\":[{\"type\":\"script_exception\",\"reason\":\"compile error\"}],\"type\":\"search_phase_execution_exception\",\"reason\":\"all shards failed\",\"phase\":\"query\",\"grouped\":true,\"failed_shards\":[]},\"status\":400}".into(),
        );
    }
    let is_for_all = documents::wants_all(visit);
    if asks(path, "_count") {
        let count: u64 = indices.iter().filter(|_| is_for_all).map(|index| index.documents).sum();
        let shards = indices.len();
        return json(
            visit,
            "200 OK",
            format!(
                "{{\"count\":{count},\"_shards\":{{\"total\":{shards},\"successful\":{shards},\"skipped\":0,\"failed\":0}}}}"
            ),
        );
    }
    json(visit, "200 OK", documents::found(visit, &indices, is_for_all))
}

/// A name that no index can have.
fn bad_name(visit: &Visit<'_>, name: &str) -> Reply {
    let name = quoted(name, 200);
    let cause = format!(
        "\"type\":\"invalid_index_name_exception\",\"reason\":\"Invalid index name [{name}], must not start with '_'.\",\"index_uuid\":\"_na_\",\"index\":\"{name}\""
    );
    json(visit, "400 Bad Request", format!("{{\"error\":{{\"root_cause\":[{{{cause}}}],{cause}}},\"status\":400}}"))
}

fn no_index(visit: &Visit<'_>, path: &str) -> Reply {
    let name = quoted(path.trim_start_matches('/').split('/').next().unwrap_or_default(), 200);
    let cause = format!(
        "\"type\":\"index_not_found_exception\",\"reason\":\"no such index [{name}]\",\"resource.type\":\"index_or_alias\",\"resource.id\":\"{name}\",\"index_uuid\":\"_na_\",\"index\":\"{name}\""
    );
    json(visit, "404 Not Found", format!("{{\"error\":{{\"root_cause\":[{{{cause}}}],{cause}}},\"status\":404}}"))
}

fn written(visit: &Visit<'_>, path: &str) -> Reply {
    let name = quoted(path.trim_start_matches('/').split('/').next().unwrap_or_default(), 200);
    if path.trim_matches('/').contains('/') {
        let id = crate::text::base64(visit.own_digits("document", 30).as_bytes()).chars().take(20).collect::<String>();
        return json(
            visit,
            "201 Created",
            format!(
                "{{\"_index\":\"{name}\",\"_id\":\"{id}\",\"_version\":1,\"result\":\"created\",\"_shards\":{{\"total\":2,\"successful\":1,\"failed\":0}},\"_seq_no\":0,\"_primary_term\":1}}"
            ),
        );
    }
    json(visit, "200 OK", format!("{{\"acknowledged\":true,\"shards_acknowledged\":true,\"index\":\"{name}\"}}"))
}

fn no_handler(visit: &Visit<'_>) -> Reply {
    let uri = if visit.asked.query.is_empty() {
        visit.asked.path.clone()
    } else {
        format!("{}?{}", visit.asked.path, visit.asked.query)
    };
    let (uri, verb) = (quoted(&uri, 300), quoted(&visit.asked.verb, 20));
    json(visit, "400 Bad Request", format!("{{\"error\":\"no handler found for uri [{uri}] and method [{verb}]\"}}"))
}

fn wrong_method(visit: &Visit<'_>) -> Reply {
    let (uri, verb) = (quoted(&visit.asked.path, 300), quoted(&visit.asked.verb, 20));
    json(
        visit,
        "405 Method Not Allowed",
        format!(
            "{{\"error\":\"Incorrect HTTP method for uri [{uri}] and method [{verb}], allowed: [GET, HEAD, POST]\",\"status\":405}}"
        ),
    )
}
