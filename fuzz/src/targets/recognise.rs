//! The recognisers, and what the daemon makes of what they saw.

use crate::Input;
use honeymesh_detect::{Detector, FACT_BYTES_MAX, Recogniser, Tally};
use honeymesh_types::{MARK_BYTES_MAX, Marks, Now, SessionId, Shape, Signs, Transport, Visit};
use std::{collections::BTreeMap, sync::LazyLock};

const NAMES: [&str; 4] = ["username", "password", "path", "command"];

static RECOGNISER: LazyLock<Recogniser> =
    LazyLock::new(|| Recogniser::new(&["bait-Pa55w0rd-x1".to_owned(), "bait-key-0123456789".to_owned()]));
static DETECTOR: LazyLock<Detector> = LazyLock::new(Detector::new);

/// `fields, each a part | answer, a part | what was said`.
pub(super) fn look(data: &[u8]) {
    let mut input = Input::new(data);
    let fields: BTreeMap<String, String> = (0..input.below(NAMES.len() + 1))
        .map(|at| (NAMES[at].to_owned(), honeymesh_trap_proto::safe_text(input.part(), honeymesh_trap_proto::FIELD_BYTES_MAX)))
        .collect();
    let mut answered = Tally::default();
    answered.add(input.part());
    let said = input.rest();
    let sight = RECOGNISER.look(said, &fields, &answered);
    harmless(&sight.marks);
    for (name, fact) in &sight.facts {
        assert!(fact.len() <= FACT_BYTES_MAX && is_printable(fact), "{name}: {fact:?}");
    }
    assert_eq!(sight, RECOGNISER.look(said, &fields, &answered), "the same bytes, something else seen");
    judged(said, fields, Some(sight.marks));
}

fn judged(said: &[u8], fields: BTreeMap<String, String>, marks: Option<Marks>) {
    let nobody = std::net::SocketAddr::from(([203, 0, 113, 7], 4_000));
    let mut visit = Visit {
        at: Now::default(),
        session: SessionId(1),
        trap: "bait".into(),
        service: "any".into(),
        source: nobody,
        local: nobody,
        transport: Transport::Tcp,
        payload: said.to_vec(),
        bytes: said.len() as u64,
        signs: Signs::empty(),
        fields,
        marks,
    };
    let seen = DETECTOR.judge_visit(&visit);
    assert!(seen.score <= 100 && seen.entropy_millibits <= 8_000);
    assert!(seen.reckoning.iter().chain(&seen.findings).all(|words| is_printable(words)), "{seen:?}");
    visit.marks = None;
    let unseen = DETECTOR.judge_visit(&visit);
    assert!(unseen.reckoning.iter().all(|words| is_printable(words)), "{unseen:?}");
}

fn harmless(marks: &Marks) {
    assert!(marks.shapes.len() <= Shape::ALL.len());
    for (shape, words) in &marks.shapes {
        assert!(words.len() <= MARK_BYTES_MAX && is_printable(words), "{shape:?}: {words:?}");
    }
    let entropy = &marks.entropy;
    let all = [entropy.whole, entropy.window, entropy.short, entropy.sent.unwrap_or(0)];
    assert!(all.iter().all(|millibits| *millibits <= 8_000), "{entropy:?}");
}

fn is_printable(words: &str) -> bool {
    words.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}
