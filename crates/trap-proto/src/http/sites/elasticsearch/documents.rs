//! The documents of the indices: the first few of each, made from their numbers, the same for everybody who asks this machine.

use super::{
    super::{super::json::member, Visit},
    Index, lucene, quoted,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Hits of one answer; who asks for more gets as many.
const HITS_MAX: u64 = 20;
/// As many as a search counts to.
const COUNTED_MAX: u64 = 10_000;
const NAMES: [(&str, &str); 8] = [
    ("Anna", "Keller"),
    ("Jonas", "Brandt"),
    ("Sofia", "Lindner"),
    ("Marek", "Nowak"),
    ("Claire", "Dubois"),
    ("Peter", "Hofmann"),
    ("Elena", "Rossi"),
    ("Tomas", "Novotny"),
];
const CITIES: [&str; 5] = ["Berlin", "Wien", "Lyon", "Praha", "Torino"];
const LINES: [&str; 4] =
    ["request finished in 31 ms", "cache miss for key session", "connection pool grew to 8", "login failed for user admin"];

/// Does a search ask for everything?
pub(super) fn wants_all(visit: &Visit<'_>) -> bool {
    let word = visit.asked.query.split('&').find_map(|word| word.strip_prefix("q="));
    let has_query = memchr::memmem::find(visit.body, b"\"query\"").is_some();
    match word {
        Some(word) => matches!(word, "*" | "*:*" | "%2A"),
        None => !has_query || memchr::memmem::find(visit.body, b"match_all").is_some(),
    }
}

/// How many hits are asked for.
fn size(visit: &Visit<'_>) -> u64 {
    let in_path = visit.asked.query.split('&').find_map(|word| word.strip_prefix("size=")).map(ToString::to_string);
    let size = in_path.or_else(|| member(visit.body, "size").and_then(|size| String::from_utf8(size).ok()));
    size.and_then(|size| size.trim().parse().ok()).unwrap_or(10).min(HITS_MAX)
}

/// A day as a text, so many days after the installation.
fn day(visit: &Visit<'_>, days: u64) -> String {
    let at = crate::calendar::Moment::of(visit.house.persona.installed() + days * 86_400);
    format!("{:04}-{:02}-{:02}", at.year, at.month, at.day)
}

/// What a document of this number has, without its number.
fn source(visit: &Visit<'_>, index: &Index, number: u64) -> String {
    let of = |count: usize, step: u64| usize::try_from((number * step + 3) % count as u64).unwrap_or_default();
    let (first, last) = NAMES[of(NAMES.len(), 5)];
    let (city, when) = (CITIES[of(CITIES.len(), 2)], day(visit, 1 + number * 7 % 20));
    let mail = format!("{}.{}@example.com", first.to_lowercase(), last.to_lowercase());
    match index.name {
        "customers" => {
            format!("{{\"name\":\"{first} {last}\",\"email\":\"{mail}\",\"city\":\"{city}\",\"since\":\"{when}\"}}")
        }
        "orders" => {
            let (customer, cents) = (number * 131 % 18_422, 1_290 + number * 737 % 24_000);
            format!(
                "{{\"customer\":{customer},\"total\":{}.{:02},\"state\":\"shipped\",\"ordered\":\"{when}\"}}",
                cents / 100,
                cents % 100
            )
        }
        "users" => {
            let role = if number == 1 { "admin" } else { "user" };
            format!(
                "{{\"username\":\"{}.{}\",\"email\":\"{mail}\",\"role\":\"{role}\",\"last_login\":\"{when}\"}}",
                first.to_lowercase().chars().next().unwrap_or('a'),
                last.to_lowercase()
            )
        }
        _ => format!(
            "{{\"@timestamp\":\"2026-11-01T00:{:02}:{:02}.{:03}Z\",\"host\":\"{}\",\"level\":\"INFO\",\"message\":\"{}\"}}",
            number / 60 % 60,
            number % 60,
            number * 137 % 1_000,
            visit.house.persona.host(),
            LINES[of(LINES.len(), 3)]
        ),
    }
}

fn id(visit: &Visit<'_>, index: &Index, number: u64) -> String {
    lucene(visit, &format!("document {} {number}", index.name)).chars().take(20).collect()
}

/// `_search`: the first documents, or nothing.
pub(super) fn found(visit: &Visit<'_>, indices: &[Index], is_for_all: bool) -> String {
    let total: u64 = indices.iter().filter(|_| is_for_all).map(|index| index.documents).sum();
    let relation = if total > COUNTED_MAX { "gte" } else { "eq" };
    let wanted = if is_for_all { size(visit) } else { 0 };
    let first = indices.first().into_iter();
    let hits: Vec<String> = first
        .flat_map(|index| (1..=wanted).map(move |number| (index, number)))
        .map(|(index, number)| {
            format!(
                "{{\"_index\":\"{}\",\"_id\":\"{}\",\"_score\":1.0,\"_source\":{}}}",
                index.name,
                id(visit, index, number),
                source(visit, index, number)
            )
        })
        .collect();
    let score = if hits.is_empty() { "null" } else { "1.0" };
    format!(
        "{{\"took\":2,\"timed_out\":false,\"_shards\":{{\"total\":{shards},\"successful\":{shards},\"skipped\":0,\"failed\":0}},\
         \"hits\":{{\"total\":{{\"value\":{},\"relation\":\"{relation}\"}},\"max_score\":{score},\"hits\":[{}]}}}}",
        total.min(COUNTED_MAX),
        hits.join(","),
        shards = indices.len(),
    )
}

/// `_doc/{id}`: one of those that a search shows, or none.
pub(super) fn one(visit: &Visit<'_>, indices: &[Index], wanted: &str) -> (&'static str, String) {
    let Some(index) = indices.first() else { return ("404 Not Found", "{}".into()) };
    match (1..=HITS_MAX).find(|number| id(visit, index, *number) == wanted) {
        Some(number) => (
            "200 OK",
            format!(
                "{{\"_index\":\"{}\",\"_id\":\"{wanted}\",\"_version\":1,\"_seq_no\":{},\"_primary_term\":1,\"found\":true,\"_source\":{}}}",
                index.name,
                number - 1,
                source(visit, index, number)
            ),
        ),
        None => {
            ("404 Not Found", format!("{{\"_index\":\"{}\",\"_id\":\"{}\",\"found\":false}}", index.name, quoted(wanted, 200)))
        }
    }
}
