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

/// `cargo test -p honeymesh-detect --test corpora -- --ignored --nocapture` prints the table of docs/traps/evidence.md.
#[test]
#[ignore = "prints a table"]
fn table() {
    for (title, corpus) in [("honest", HONEST), ("attack", ATTACK)] {
        let mut scores: Vec<u8> = entries(corpus).iter().map(|(_, said)| judge(said).1.score).collect();
        scores.sort_unstable();
        let hostile = entries(corpus).iter().filter(|(_, said)| judge(said).1.grade == Grade::Hostile).count();
        let at = |percent: usize| scores[(scores.len() - 1) * percent / 100];
        println!("| {title} | {} | {} | {} | {} | {} |", scores.len(), hostile, at(0), at(50), at(100));
    }
    let recogniser = Recogniser::new(&[]);
    let look = |said: &[u8]| recogniser.look(said, &BTreeMap::new(), &Tally::default());
    let all: Vec<Vec<u8>> = entries(HONEST).into_iter().chain(entries(ATTACK)).map(|(_, said)| said).collect();
    let begun = std::time::Instant::now();
    (0..20).for_each(|_| all.iter().for_each(|said| drop(look(said))));
    println!(
        "mean of both corpora: {:?} for {} bytes",
        begun.elapsed() / 20 / u32::try_from(all.len()).unwrap(),
        all.concat().len() / all.len()
    );
    let text = b"Lorem ipsum dolor sit amet, consectetur adipiscing elit. ".repeat(1_150);
    let nested = b"%2525252e\\x25${${lower:j}/*Li4vLi4vLi4vLi4vLi4vLi4v*/41414141414141414141 wget http://".repeat(750);
    let mut noise = 1_u64;
    let random = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        noise.to_be_bytes()[0]
    });
    let random: Vec<u8> = random.take(64 * 1_024).collect();
    for (name, said) in [("text", text), ("nested layers", nested), ("noise", random)] {
        let begun = std::time::Instant::now();
        (0..20).for_each(|_| drop(look(&said)));
        println!("64 KiB of {name}: {:?}", begun.elapsed() / 20);
    }
    for (name, said) in entries(HONEST).iter().chain(&entries(ATTACK)) {
        let (sight, verdict) = judge(said);
        let facts: Vec<String> = sight.facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
        println!("{:3} {name} | {} | {}", verdict.score, verdict.findings.join("; "), facts.join(" "));
    }
}
