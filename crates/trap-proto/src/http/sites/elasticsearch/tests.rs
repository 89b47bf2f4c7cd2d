//! What clients of an Elasticsearch ask of its indices and get.

use crate::{
    Http, Persona, Site,
    drive::{self, said},
};
use alloc::{format, string::String, vec::Vec};

const NAMES: [&str; 4] = ["customers", "logs-2026.11", "orders", "users"];

fn ask(request: &str) -> (String, String) {
    let http = Http::of(Site::Elasticsearch, &Persona::of([7; 32]).named("srv01.example.org").unwrap());
    let answer = said(&drive::whole(&mut http.session(7), request.as_bytes()).answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request}: {answer}"));
    (head.into(), body.into())
}

fn get(path: &str) -> (String, String) {
    ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
}

fn searched(path: &str, body: &str) -> serde_json::Value {
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    serde_json::from_str(&ask(&format!("{head}{body}")).1).unwrap()
}

fn value(path: &str) -> serde_json::Value {
    let (head, body) = get(path);
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\nX-elastic-product: Elasticsearch\r\ncontent-type: application/json"),
        "{path}: {head}"
    );
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

#[test]
fn what_a_real_one_answers_is_answered_with_its_status_and_its_body() {
    let whole = [
        ("/_cluster/settings", "200 OK", r#"{"persistent":{},"transient":{}}"#),
        ("/_cluster/settings?pretty", "200 OK", "{\n  \"persistent\" : { },\n  \"transient\" : { }\n}\n"),
        ("/_template", "200 OK", "{}"),
        (
            "/_aliases",
            "200 OK",
            r#"{"customers":{"aliases":{}},"logs-2026.11":{"aliases":{}},"orders":{"aliases":{}},"users":{"aliases":{}}}"#,
        ),
        ("/_cat/aliases", "200 OK", ""),
        ("/_cat/count", "200 OK", "1277957\n"),
        ("/orders/_count", "200 OK", r#"{"count":52310,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0}}"#),
        ("/_cluster/nothing", "400 Bad Request", r#"{"error":"no handler found for uri [/_cluster/nothing] and method [GET]"}"#),
        ("/api/search", "400 Bad Request", r#"{"error":"no handler found for uri [/api/search] and method [GET]"}"#),
    ];
    for (path, status, expected) in whole {
        let (head, body) = get(path);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{path}: {head}");
        let end = if path == "/_cat/count" { body.rsplit(' ').next().unwrap() } else { &body };
        assert_eq!(end, expected, "{path}");
    }
    let name = r#"{"type":"invalid_index_name_exception","reason":"Invalid index name [_nothing], must not start with '_'.","#;
    assert!(get("/_nothing").1.contains(name), "{:?}", get("/_nothing"));
    let head = ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.0.starts_with("HTTP/1.1 200 OK\r\nX-elastic-product: Elasticsearch\r\n") && head.1.is_empty(), "{head:?}");
    assert_eq!(head.0, get("/").0, "with the length of what GET would bring");
    assert!(get("/_cat").1.starts_with("=^.^=\n/_cat/"), "{:?}", get("/_cat"));
    let node = get("/_cat/nodes?v").1;
    assert!(node.starts_with("ip        heap.percent ") && node.ends_with(" srv01\n") && node.lines().count() == 2, "{node}");
}

#[test]
fn the_same_indices_with_the_same_figures_stand_everywhere() {
    let rows = |path: &str| {
        let body = get(path).1;
        body.lines().map(|line| line.split_whitespace().map(String::from).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let indices = rows("/_cat/indices");
    assert_eq!(indices.iter().map(|row| row[2].as_str()).collect::<Vec<_>>(), NAMES);
    let stats = value("/_stats");
    let (mapping, aliases, state) = (value("/_mapping"), value("/_aliases"), value("/_cluster/state"));
    let mut sum = 0;
    for row in &indices {
        let (name, uuid, documents) = (row[2].as_str(), row[3].as_str(), row[6].parse::<u64>().unwrap());
        sum += documents;
        let of = &stats["indices"][name];
        assert_eq!((&of["uuid"], &of["primaries"]["docs"]["count"]), (&uuid.into(), &documents.into()));
        assert_eq!(of["primaries"]["docs"]["deleted"], row[7].parse::<u64>().unwrap());
        assert!(mapping[name]["mappings"]["properties"].is_object() && aliases[name]["aliases"].is_object(), "{name}");
        let in_state = &state["metadata"]["indices"][name];
        assert_eq!(in_state["settings"]["index"]["uuid"], uuid);
        assert_eq!(in_state["mappings"]["_doc"], mapping[name]["mappings"]);
        assert_eq!(state["routing_table"]["indices"][name]["shards"]["0"].as_array().unwrap().len(), 2);
        let own = value(&format!("/{name}"));
        assert_eq!((&own[name]["mappings"], &own[name]["settings"]["index"]["uuid"]), (&mapping[name]["mappings"], &uuid.into()));
        let shards = rows(&format!("/_cat/shards/{name}"));
        assert_eq!(shards[0][..5], [name, "0", "p", "STARTED", &row[6]].map(String::from));
        assert_eq!(shards[1], [name, "0", "r", "UNASSIGNED"].map(String::from));
        assert_eq!(value(&format!("/{name}/_count"))["count"], documents);
    }
    assert_eq!((&stats["_all"]["primaries"]["docs"]["count"], &value("/_count")["count"]), (&sum.into(), &sum.into()));
    assert_eq!(rows("/_cat/shards").len(), 8);
    let nodes = value("/_nodes");
    assert!(nodes["nodes"].get(state["master_node"].as_str().unwrap()).is_some(), "{nodes}");
    assert_eq!(state["cluster_uuid"], value("/")["cluster_uuid"]);
}

#[test]
fn a_search_shows_the_first_documents_and_finds_nothing_else() {
    let all = searched("/users/_search", r#"{"query":{"match_all":{}},"size":3}"#);
    let hits = all["hits"]["hits"].as_array().unwrap();
    assert_eq!((hits.len(), &all["hits"]["total"]["value"], &all["hits"]["total"]["relation"]), (3, &3_107.into(), &"eq".into()));
    let fields = value("/users/_mapping")["users"]["mappings"]["properties"].clone();
    for hit in hits {
        assert!(
            hit["_index"] == "users" && hit["_source"].as_object().unwrap().keys().all(|key| fields.get(key).is_some()),
            "{hit}"
        );
        let one = value(&format!("/users/_doc/{}", hit["_id"].as_str().unwrap()));
        assert_eq!(one["_source"], hit["_source"]);
    }
    let every = searched("/_search", "");
    assert_eq!((&every["hits"]["total"]["value"], &every["hits"]["total"]["relation"]), (&10_000.into(), &"gte".into()));
    assert_eq!((every["hits"]["hits"].as_array().unwrap().len(), &every["_shards"]["total"]), (10, &4.into()));
    let none = searched("/users/_search", r#"{"query":{"match":{"username":"root"}}}"#);
    assert_eq!((&none["hits"]["total"]["value"], none["hits"]["hits"].as_array().unwrap().len()), (&0.into(), 0));
    let many = searched("/orders/_search?size=100000", "");
    assert_eq!(many["hits"]["hits"].as_array().unwrap().len(), 20, "no more than there is room for");
    for index in NAMES {
        searched(&format!("/{index}/_search"), "");
    }
}

#[test]
fn tables_are_given_as_objects_and_by_columns() {
    let all = value("/_cat/indices?format=json");
    let rows = all.as_array().unwrap();
    assert_eq!(rows.len(), get("/_cat/indices").1.lines().count());
    let orders = rows.iter().find(|row| row["index"] == "orders").unwrap();
    assert_eq!((&orders["health"], &orders["pri"]), (&"yellow".into(), &"1".into()));
    assert_eq!(orders["docs.count"].as_str().unwrap(), get("/_cat/indices/orders?h=docs.count").1.trim());
    assert_eq!(get("/_cat/indices/orders?h=i,docs.*&v").1.lines().next().unwrap(), "index  docs.count docs.deleted");
    assert_eq!(get("/_cat/indices?h=index").1.lines().map(str::trim_end).collect::<Vec<_>>().len(), rows.len());
    assert_eq!(get("/_cat/indices/orders?h=nosuch&format=json").1, "[{}]");
    assert_eq!(get("/_cat/templates?format=json").1, "[]");
    assert_eq!(get("/_cat/repositories").1, "");
    assert_eq!(get("/_cat/repositories?v").1, "id type\n");
    assert!(value("/_cat/shards?format=json").as_array().unwrap().iter().any(|row| row["node"].is_null()));
    assert!(get("/_cat/nodes?format=json&pretty").1.starts_with("[\n  {\n    \"ip\" : \"127.0.0.1\""));
    let many = get(&format!("/_cat/indices?h={}", "*,".repeat(500))).1;
    assert!(many.len() < 20_000, "{}", many.len());
}
