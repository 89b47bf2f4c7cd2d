//! What Elasticsearch tells of its one node, its cluster and its indices, in the words of 8.19: the same figures wherever they stand.

use super::{
    super::{super::reply::Reply, Visit},
    Index, JSON, node,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Columns of a table that somebody asks for by name; further ones are left out.
const COLUMNS_MAX: usize = 32;
/// Short names of columns.
const SHORT: [(&str, &str); 9] = [
    ("i", "index"),
    ("idx", "index"),
    ("s", "status"),
    ("p", "pri"),
    ("r", "rep"),
    ("dc", "docs.count"),
    ("dd", "docs.deleted"),
    ("ss", "store.size"),
    ("n", "name"),
];

/// A name as Lucene makes them: 22 letters of base64.
pub(super) fn lucene(visit: &Visit<'_>, purpose: &str) -> String {
    let mut text = crate::text::base64(&visit.house.persona.key(purpose)).replace(['+', '/'], "A");
    text.truncate(22);
    text
}

/// As every index of those named is told by `one`: `{"a":…,"b":…}`.
pub(super) fn each(indices: &[Index], one: impl Fn(&Index) -> String) -> String {
    let all: Vec<String> = indices.iter().map(|index| format!("\"{}\":{}", index.name, one(index))).collect();
    format!("{{{}}}", all.join(","))
}

pub(super) fn mappings(index: &Index) -> String {
    let fields: Vec<String> = index
        .fields
        .iter()
        .map(|(name, kind)| match *kind {
            "text" => format!(
                "\"{name}\":{{\"type\":\"text\",\"fields\":{{\"keyword\":{{\"type\":\"keyword\",\"ignore_above\":256}}}}}}"
            ),
            kind => format!("\"{name}\":{{\"type\":\"{kind}\"}}"),
        })
        .collect();
    format!("{{\"properties\":{{{}}}}}", fields.join(","))
}

pub(super) fn settings(visit: &Visit<'_>, index: &Index) -> String {
    format!(
        "{{\"index\":{{\"routing\":{{\"allocation\":{{\"include\":{{\"_tier_preference\":\"data_content\"}}}}}},\"number_of_shards\":\"1\",\"provided_name\":\"{name}\",\
         \"creation_date\":\"{}\",\"number_of_replicas\":\"1\",\"uuid\":\"{}\",\"version\":{{\"created\":\"8536000\"}}}}}}",
        created_ms(visit, index),
        lucene(visit, index.name),
        name = index.name,
    )
}

/// `GET /{index}`.
pub(super) fn whole(visit: &Visit<'_>, index: &Index) -> String {
    format!("{{\"aliases\":{{}},\"mappings\":{},\"settings\":{}}}", mappings(index), settings(visit, index))
}

fn figures(documents: u64, deleted: u64, bytes: u64) -> String {
    format!(
        "{{\"docs\":{{\"count\":{documents},\"deleted\":{deleted},\"total_size_in_bytes\":{bytes}}},\"shard_stats\":{{\"total_count\":1}},\
         \"store\":{{\"size_in_bytes\":{bytes},\"total_data_set_size_in_bytes\":{bytes},\"reserved_in_bytes\":0}},\
         \"indexing\":{{\"index_total\":{documents},\"index_current\":0,\"index_failed\":0,\"delete_total\":{deleted},\"delete_current\":0,\"is_throttled\":false,\"throttle_time_in_millis\":0}}}}"
    )
}

/// `_stats`.
pub(super) fn stats(visit: &Visit<'_>, indices: &[Index]) -> String {
    let sum = |of: fn(&Index) -> u64| indices.iter().map(of).sum::<u64>();
    let all = figures(sum(|index| index.documents), sum(Index::deleted), sum(|index| index.bytes));
    let one = |index: &Index| {
        let figures = figures(index.documents, index.deleted(), index.bytes);
        format!(
            "{{\"uuid\":\"{}\",\"health\":\"yellow\",\"status\":\"open\",\"primaries\":{figures},\"total\":{figures}}}",
            lucene(visit, index.name)
        )
    };
    format!(
        "{{\"_shards\":{{\"total\":{},\"successful\":{},\"failed\":0}},\"_all\":{{\"primaries\":{all},\"total\":{all}}},\"indices\":{}}}",
        2 * indices.len(),
        indices.len(),
        each(indices, one)
    )
}

/// `_cluster/state`.
pub(super) fn state(visit: &Visit<'_>, indices: &[Index]) -> String {
    let (own, cluster) = (lucene(visit, "elastic node"), lucene(visit, "elastic cluster"));
    let shards = |index: &Index| {
        format!(
            "[{{\"state\":\"STARTED\",\"primary\":true,\"node\":\"{own}\",\"relocating_node\":null,\"shard\":0,\"index\":\"{name}\",\"allocation_id\":{{\"id\":\"{}\"}},\
             \"relocation_failure_info\":{{\"failed_attempts\":0}}}},\
             {{\"state\":\"UNASSIGNED\",\"primary\":false,\"node\":null,\"relocating_node\":null,\"shard\":0,\"index\":\"{name}\",\"recovery_source\":{{\"type\":\"PEER\"}},\
             \"unassigned_info\":{{\"reason\":\"CLUSTER_RECOVERED\",\"delayed\":false,\"allocation_status\":\"no_attempt\"}},\"relocation_failure_info\":{{\"failed_attempts\":0}}}}]",
            lucene(visit, &format!("shard {}", index.name)),
            name = index.name,
        )
    };
    let index = |index: &Index| {
        format!(
            "{{\"version\":7,\"mapping_version\":2,\"settings_version\":1,\"aliases_version\":1,\"routing_num_shards\":1024,\"state\":\"open\",\"settings\":{},\
             \"mappings\":{{\"_doc\":{}}},\"aliases\":[],\"primary_terms\":{{\"0\":3}},\"in_sync_allocations\":{{\"0\":[\"{}\"]}},\"rollover_info\":{{}},\"system\":false}}",
            settings(visit, index),
            mappings(index),
            lucene(visit, &format!("shard {}", index.name)),
        )
    };
    format!(
        "{{\"cluster_name\":\"{}\",\"cluster_uuid\":\"{cluster}\",\"version\":412,\"state_uuid\":\"{}\",\"master_node\":\"{own}\",\"blocks\":{{}},\
         \"nodes\":{{\"{own}\":{{\"name\":\"{}\",\"ephemeral_id\":\"{}\",\"transport_address\":\"127.0.0.1:9300\",\"external_id\":\"{}\",\"attributes\":{{\"xpack.installed\":\"true\"}},\
         \"roles\":[{ROLES}],\"version\":\"{}\",\"min_index_version\":7000099,\"max_index_version\":8536000}}}},\
         \"metadata\":{{\"cluster_uuid\":\"{cluster}\",\"cluster_uuid_committed\":true,\"cluster_coordination\":{{\"term\":3,\"last_committed_config\":[\"{own}\"],\
         \"last_accepted_config\":[\"{own}\"],\"voting_config_exclusions\":[]}},\"templates\":{{}},\"indices\":{}}},\
         \"routing_table\":{{\"indices\":{}}}}}",
        super::CLUSTER,
        lucene(visit, "elastic state"),
        node(visit),
        lucene(visit, "elastic start"),
        node(visit),
        visit.house.banner,
        each(indices, index),
        each(indices, |index| format!("{{\"shards\":{{\"0\":{}}}}}", shards(index))),
    )
}

/// What the node does: all that there is.
const ROLES: &str = "\"data\",\"data_cold\",\"data_content\",\"data_frozen\",\"data_hot\",\"data_warm\",\"ingest\",\"ml\",\"remote_cluster_client\",\"transform\",\"master\"";

/// `_nodes`.
pub(super) fn nodes(visit: &Visit<'_>) -> String {
    format!(
        "{{\"_nodes\":{{\"total\":1,\"successful\":1,\"failed\":0}},\"cluster_name\":\"{}\",\"nodes\":{{\"{}\":{{\"name\":\"{}\",\"transport_address\":\"127.0.0.1:9300\",\"host\":\"127.0.0.1\",\"ip\":\"127.0.0.1\",\
         \"version\":\"{}\",\"build_flavor\":\"default\",\"build_type\":\"deb\",\"build_hash\":\"{}\",\"roles\":[{ROLES}],\
         \"os\":{{\"refresh_interval_in_millis\":1000,\"name\":\"Linux\",\"pretty_name\":\"Debian GNU/Linux 13 (trixie)\",\"arch\":\"amd64\",\"version\":\"{}\",\"available_processors\":{cores},\"allocated_processors\":{cores}}}}}}}}}",
        super::CLUSTER,
        lucene(visit, "elastic node"),
        node(visit),
        visit.house.banner,
        visit.digits("elastic build", 40),
        visit.house.persona.kernel(visit.frame.now).release,
        cores = visit.house.persona.machine().cores,
    )
}

/// A size as tables have it.
pub(super) fn size(bytes: u64) -> String {
    format!("{}.{}mb", bytes >> 20, (bytes >> 10) % 1_024 * 10 / 1_024)
}

/// The columns that are asked for (`h`), in their order, with `*` at the end of a name for all that begin so; all of them if none is.
pub(super) fn wanted<'a>(visit: &Visit<'_>, heads: &[&'a str], rows: Vec<Vec<String>>) -> (Vec<&'a str>, Vec<Vec<String>>) {
    let Some(names) = super::asked_for(visit, "h").filter(|names| !names.is_empty()) else { return (heads.to_vec(), rows) };
    let names = names.replace("%2C", ",").replace("%2c", ",");
    let mut columns = Vec::new();
    for name in names.split(',').take(COLUMNS_MAX) {
        let full = SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, full)| *full);
        let fits = |head: &str| full.strip_suffix('*').map_or(head == full, |begin| head.starts_with(begin));
        columns.extend(heads.iter().enumerate().filter(|(_, head)| fits(head)).map(|(column, _)| column));
    }
    columns.truncate(COLUMNS_MAX);
    let chosen = |row: &Vec<String>| columns.iter().filter_map(|column| row.get(*column).cloned()).collect();
    (columns.iter().filter_map(|column| heads.get(*column).copied()).collect(), rows.iter().map(chosen).collect())
}

/// A table as JSON (`format=json`): an object for each row, all of its values texts, and what is empty nothing.
pub(super) fn objects(heads: &[&str], rows: &[Vec<String>]) -> String {
    let value = |word: &String| if word.is_empty() { "null".into() } else { format!("\"{word}\"") };
    let object = |row: &Vec<String>| {
        let members: Vec<String> = heads.iter().zip(row).map(|(head, word)| format!("\"{head}\":{}", value(word))).collect();
        format!("{{{}}}", members.join(","))
    };
    format!("[{}]", rows.iter().map(object).collect::<Vec<_>>().join(","))
}

/// A table with its heads if they are asked for (`v`): columns as wide as their widest word, numbers to the right.
pub(super) fn table(visit: &Visit<'_>, heads: &[&str], rows: &[Vec<String>], to_the_right: &[&str]) -> String {
    let headed = visit.asked.query.split('&').any(|word| matches!(word, "v" | "v=true" | "v="));
    let head: Vec<String> = heads.iter().map(ToString::to_string).collect();
    let rows: Vec<&Vec<String>> = headed.then_some(&head).into_iter().chain(rows).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, (word, name)) in row.iter().zip(heads).enumerate() {
            let width = rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or_default();
            let gap = if column == 0 { "" } else { " " };
            line += &if to_the_right.contains(name) { format!("{gap}{word:>width$}") } else { format!("{gap}{word:<width$}") };
        }
        text += &line;
        text.push('\n');
    }
    text
}

/// JSON as it is sent to whoever asks for it `pretty`: two spaces a step, a colon with one before it and one behind.
pub(super) fn pretty(json: &str) -> String {
    let (mut text, mut depth, mut quoted, mut escaped) = (String::with_capacity(2 * json.len()), 0_usize, false, false);
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if quoted {
            text.push(letter);
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        match letter {
            '{' | '[' if matches!(letters.peek(), Some('}' | ']')) => {
                text.push(letter);
                text.push(' ');
                text.extend(letters.next());
            }
            '{' | '[' => {
                depth += 1;
                text.push(letter);
                text += &format!("\n{:1$}", "", 2 * depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                text += &format!("\n{:1$}{letter}", "", 2 * depth);
            }
            ',' => text += &format!(",\n{:1$}", "", 2 * depth),
            ':' => text += " : ",
            _ => {
                quoted = letter == '"';
                text.push(letter);
            }
        }
    }
    text.push('\n');
    text
}

/// An answer in JSON.
pub(super) fn json(visit: &Visit<'_>, status: &'static str, body: String) -> Reply {
    let is_pretty = visit.asked.query.split('&').any(|word| matches!(word, "pretty" | "pretty=true" | "pretty="));
    let body = if is_pretty { pretty(&body) } else { body };
    Reply::new(status, JSON, body).with("X-elastic-product", "Elasticsearch")
}

/// When an index was made, in milliseconds since 1970: a month's at its beginning, the others when the machine was set up.
fn created_ms(visit: &Visit<'_>, index: &Index) -> u64 {
    /// 2026-11-01T00:00:00Z.
    const NOVEMBER_MS: u64 = 1_793_491_200_000;
    if index.name.ends_with("2026.11") { NOVEMBER_MS } else { visit.house.persona.set_up(index.name) * 1_000 }
}
