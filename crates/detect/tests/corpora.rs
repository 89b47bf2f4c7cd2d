//! What honest clients say scores low, what attackers say scores high: two corpora, one entry each line.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use honeymesh_detect::{Detector, Recogniser, Sight, Tally, Verdict};
use honeymesh_types::{Grade, Now, SessionId, Signs, Transport, Visit};
use std::{collections::BTreeMap, fmt::Write};

/// An honest client that came to a trap by mistake is told with no more than this.
const HONEST_SCORE_MAX: u8 = 30;
/// Any single attack is told with no less than this.
const ATTACK_SCORE_MIN: u8 = 40;

const HONEST: &str = include_str!("corpus/honest.txt");
const ATTACK: &str = include_str!("corpus/attack.txt");

/// Names and bytes.
fn entries(corpus: &str) -> Vec<(&str, Vec<u8>)> {
    let mut lines = corpus.lines().filter(|line| !line.starts_with("//"));
    let mut entries = Vec::new();
    while let (Some(name), Some(bytes)) = (lines.next(), lines.next()) {
        entries.push((name.strip_prefix("# ").unwrap(), unescape(bytes)));
    }
    entries
}

fn unescape(line: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), line.as_bytes());
    while let [first, behind @ ..] = rest {
        let (byte, taken) = match (first, behind) {
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            (b'\\', [b'x', a, b, ..]) => (u8::from_str_radix(std::str::from_utf8(&[*a, *b]).unwrap(), 16).unwrap(), 4),
            _ => (*first, 1),
        };
        bytes.push(byte);
        rest = &rest[taken..];
    }
    bytes
}

fn judge(said: &[u8]) -> (Sight, Verdict) {
    let sight = Recogniser::new(&[]).look(said, &BTreeMap::new(), &Tally::default());
    let visit = Visit {
        at: Now::default(),
        session: SessionId(1),
        trap: "t".into(),
        service: "any".into(),
        source: "203.0.113.7:4711".parse().unwrap(),
        local: "192.0.2.1:80".parse().unwrap(),
        transport: Transport::Tcp,
        payload: said.to_vec(),
        bytes: said.len() as u64,
        signs: Signs::empty(),
        fields: BTreeMap::new(),
        marks: Some(sight.marks.clone()),
    };
    let verdict = Detector::new().judge_visit(&visit);
    (sight, verdict)
}

#[test]
fn honest_clients_score_low_and_none_is_called_hostile() {
    let mut wrong = String::new();
    let entries = entries(HONEST);
    assert!(entries.len() >= 50);
    for (name, said) in &entries {
        let (_, verdict) = judge(said);
        if verdict.score > HONEST_SCORE_MAX || verdict.grade == Grade::Hostile {
            writeln!(wrong, "{name}: {} {} {:?}", verdict.score, verdict.grade, verdict.findings).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn each_attack_is_hostile_scores_high_and_shows_its_shape() {
    let mut wrong = String::new();
    let entries = entries(ATTACK);
    assert!(entries.len() >= 60);
    for (name, said) in &entries {
        let (shape, _) = name.split_once(": ").unwrap();
        let (sight, verdict) = judge(said);
        let is_shown = sight.marks.shapes.keys().any(|found| format!("{found:?}") == shape);
        if verdict.score < ATTACK_SCORE_MIN || verdict.grade != Grade::Hostile || !is_shown {
            writeln!(wrong, "{name}: {} {} {:?}", verdict.score, verdict.grade, verdict.findings).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Where the table stands that people read.
const PAGE: &str = include_str!("../../../docs/traps/evidence.md");

#[test]
fn the_documented_table_is_what_is_measured() {
    for (title, corpus) in [("honest", HONEST), ("attacks", ATTACK)] {
        let mut verdicts: Vec<Verdict> = entries(corpus).iter().map(|(_, said)| judge(said).1).collect();
        verdicts.sort_unstable_by_key(|verdict| verdict.score);
        let hostile = verdicts.iter().filter(|verdict| verdict.grade == Grade::Hostile).count();
        let at = |percent: usize| verdicts[(verdicts.len() - 1) * percent / 100].score;
        let measured = format!(" | {} | {hostile} | {} | {} | {} |", verdicts.len(), at(0), at(50), at(100));
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| {title}"))).unwrap();
        assert!(row.ends_with(&measured), "{row} is documented, {measured} is measured");
    }
}
