//! A session as its carrier drives it, and the laws that every service keeps.

use crate::{
    input::{Cuts, Input},
    memory,
};
use honeymesh_trap_proto::{
    ANSWER_BYTES_MAX, DELAY_MS_MAX, Definition, Done, Errand, FIELD_BYTES_MAX, FIELDS_MAX, Findings, Flow, GIVEN_BYTES_MAX, Lure,
    Persona, Service, Session, Site, overhear, safe_text,
};
use honeymesh_types::WallTime;
use std::{
    collections::BTreeMap,
    sync::{LazyLock, OnceLock},
};

/// 2026-11-22T10:00:00Z.
pub(crate) const NOW: WallTime = WallTime(1_795_341_600_000_000);
/// What differs between two sessions of a trap.
const SEED: u64 = 7;
/// What one session may hold between two pieces, in bytes: what the process that plays is limited by.
const HELD_BYTES_MAX: usize = honeymesh_trap::SESSION_HELD_BYTES_MAX;
/// What it may have while it takes 16 bytes and answers, in bytes.
const PEAK_BYTES_MAX: usize = honeymesh_trap::SESSION_PEAK_BYTES_MAX;
/// What a session has said at most for each byte of it, and for all of it, in bytes. What was packed is longer unpacked.
const SAID_BYTES_MAX: usize = 36 * 1_024;
/// What is brought where something is, in bytes.
const BROUGHT: u64 = 77;
/// How often a session goes on by itself after one step.
const RESUMED_MAX: usize = 256;

/// What came of a session.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) answer: Vec<u8>,
    /// Each report with the bytes that made it; the last one is what was left at the end.
    pub(crate) reports: Vec<(Findings, Vec<u8>)>,
    /// The last flow that was not `Continue`.
    flow: Flow,
    /// From which place in `answer` on something was kept back, and for how long.
    pauses: Vec<(usize, u32)>,
    since_report: Vec<u8>,
}

/// The machine on which all traps are.
pub(crate) fn persona() -> &'static Persona {
    static PERSONA: LazyLock<Persona> = LazyLock::new(|| Persona::of([7; 32]));
    &PERSONA
}

/// The traps of a service: each differs in something that an operator may choose.
fn variants(name: &'static str) -> Vec<Service> {
    let plain = || Definition { service: name.into(), ..Definition::default() };
    let letting_in = |most: u8| (0..=most).map(|try_| Definition { let_in: Some(try_), ..plain() }).collect::<Vec<_>>();
    let calling = |names: &[&str]| {
        let called = names.iter().map(|name| Definition { banner: Some((*name).into()), ..plain() });
        std::iter::once(plain()).chain(called).collect::<Vec<_>>()
    };
    let definitions = match name {
        "http" | "https" => Site::NAMES.iter().map(|site| Definition { site: Some((*site).into()), ..plain() }).collect(),
        "telnet" | "ssh" | "mqtt" | "adb" => letting_in(1),
        "ftp" => [plain()].into_iter().chain(letting_in(1)).collect(),
        // Each generation's logins and messages are others.
        "mysql" => calling(&["8.4.5", "5.7.44", "5.5.68-MariaDB"]),
        "mongodb" => calling(&["5.0.31", "3.6.23", "6.0.20"]),
        "dns" | "sip" | "memcached" => vec![Definition { transport: Some("both".into()), ..plain() }],
        _ => vec![plain()],
    };
    definitions
        .iter()
        .map(|definition| Service::define(definition, persona()).unwrap_or_else(|error| panic!("{name}: {error}")))
        .map(|trap| trap.showing(&lure()))
        .collect()
}

/// What thieves find.
fn lure() -> Lure {
    Lure {
        user: "svc-backup-x1".into(),
        password: "bait-Pa55w0rd-x1".into(),
        path: "/old/bait-x1.sql".into(),
        key: "bait-key-0123456789".into(),
        host: "198.51.100.77".into(),
        style: 3,
    }
}

/// The trap of a service that an input chooses. Those that do not differ are made once.
pub(crate) fn trap(name: &'static str, choice: u8) -> &'static Service {
    static TRAPS: OnceLock<BTreeMap<&'static str, OnceLock<Vec<Service>>>> = OnceLock::new();
    let traps = TRAPS.get_or_init(|| Service::NAMES.iter().map(|name| (*name, OnceLock::new())).collect());
    let all = traps[name].get_or_init(|| variants(name));
    &all[usize::from(choice) % all.len()]
}

/// `choice | cuts | stream`.
pub(crate) fn service(name: &'static str, data: &[u8]) {
    let mut input = Input::new(data);
    let trap = trap(name, input.byte());
    let cuts = Cuts::read(&mut input);
    let session = || trap.session(SEED);
    if MINDS_WHAT_COMES_BEHIND.contains(&name) {
        law_of_lines(&session, input.rest(), &cuts);
    } else {
        law(&session, input.rest(), &cuts);
    }
}

/// Services of lines that answer otherwise to whoever does not wait for the answer to one, and whatever plays such a service.
const MINDS_WHAT_COMES_BEHIND: [&str; 4] = ["any", "redis", "smtp", "smtps"];

/// The same as [`law`], but nothing comes together with the end of a line.
fn law_of_lines(session: &dyn Fn() -> Box<dyn Session>, stream: &[u8], cuts: &Cuts) {
    let lines: Vec<&[u8]> = stream.split_inclusive(|byte| *byte == b'\n').collect();
    let in_pieces: Vec<&[u8]> = lines.iter().flat_map(|line| cuts.pieces(line)).collect();
    let (by_line, in_pieces) = (hold(session(), &lines), hold(session(), &in_pieces));
    assert_eq!(by_line, in_pieces, "what is found and answered depends on how the stream was cut");
    hold(session(), &[stream]);
    weigh(session(), stream);
}

/// Whatever the stream is: bounded answers, findings and memory, and the same answers and reports however it is cut.
pub(crate) fn law(session: &dyn Fn() -> Box<dyn Session>, stream: &[u8], cuts: &Cuts) -> Heard {
    let whole = hold(session(), &[stream]);
    let in_pieces = hold(session(), &cuts.pieces(stream));
    assert_eq!(whole, in_pieces, "what is found and answered depends on how the stream was cut");
    weigh(session(), stream);
    whole
}

/// Holds a conversation as a carrier does, but for TLS: what comes after [`Flow::StartTls`] is taken for what was inside.
pub(crate) fn hold(mut session: Box<dyn Session>, pieces: &[&[u8]]) -> Heard {
    let mut heard = Heard::default();
    heard.flow = opened(&mut *session, &mut heard);
    let first = pieces.iter().flat_map(|piece| piece.iter()).next();
    let mut session = match first {
        Some(first) => overhear(session, *first),
        None => session,
    };
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() && heard.flow != Flow::Close {
            rest = step(&mut *session, rest, &mut heard);
        }
    }
    session.end();
    report(&mut *session, &mut heard);
    assert!(session.findings().is_empty(), "what was told is told again");
    heard
}

fn opened(session: &mut dyn Session, heard: &mut Heard) -> Flow {
    let before = heard.answer.len();
    let flow = session.open(&mut heard.answer);
    assert!(heard.answer.len() - before <= ANSWER_BYTES_MAX, "a greeting without bound");
    paused(session, heard, before);
    flow
}

fn step<'a>(session: &mut dyn Session, rest: &'a [u8], heard: &mut Heard) -> &'a [u8] {
    let before = heard.answer.len();
    let step = session.receive(rest, NOW, &mut heard.answer);
    assert!(step.taken <= rest.len() && (step.taken > 0 || step.flow == Flow::Close), "no progress");
    assert!(heard.answer.len() - before <= ANSWER_BYTES_MAX, "an answer without bound");
    paused(session, heard, before);
    match session.said() {
        Some(said) => {
            assert!(said.len() <= SAID_BYTES_MAX * step.taken.max(1), "more was said than there was");
            heard.since_report.extend_from_slice(&said);
        }
        None => heard.since_report.extend_from_slice(&rest[..step.taken]),
    }
    if step.flow == Flow::Errand {
        heard.flow = errands(session, &mut heard.answer);
        if heard.flow != Flow::Continue {
            report(session, heard);
        }
    } else {
        if step.flow != Flow::Continue {
            heard.flow = step.flow;
            report(session, heard);
        }
        resume(session, heard);
    }
    if step.flow == Flow::StartTls {
        let unread = session.unread();
        assert!(unread.len() <= rest.len().max(heard.since_report.len()).max(512), "more is to be read again than was read");
        heard.flow = opened(session, heard);
    }
    &rest[step.taken..]
}

/// Does what is wanted beside the connection, one thing after the other.
pub(crate) fn errands(session: &mut dyn Session, answer: &mut Vec<u8>) -> Flow {
    for _ in 0..RESUMED_MAX {
        let Some(errand) = session.errand() else { panic!("it wants something, and does not say what") };
        let done = match errand {
            Errand::Listen => Done::Listening(([192, 0, 2, 7], 50_000).into()),
            Errand::Await { .. } => Done::Met,
            Errand::Take => Done::Taken { bytes: BROUGHT, is_whole: true },
            Errand::Give(bytes) => {
                assert!(bytes.len() <= GIVEN_BYTES_MAX, "more is given than can be");
                Done::Given
            }
        };
        let before = answer.len();
        let flow = session.done(done, NOW, answer);
        assert!(answer.len() - before <= ANSWER_BYTES_MAX, "an answer without bound");
        if flow != Flow::Errand {
            return flow;
        }
    }
    panic!("it wants something without end");
}

fn resume(session: &mut dyn Session, heard: &mut Heard) {
    for _ in 0..RESUMED_MAX {
        let before = heard.answer.len();
        let Some(flow) = session.resume(NOW, &mut heard.answer) else { return };
        assert!(heard.answer.len() - before <= ANSWER_BYTES_MAX, "an answer without bound");
        heard.since_report.extend(session.said().unwrap_or_default());
        heard.flow = flow;
        if flow != Flow::Continue {
            report(session, heard);
        }
    }
    panic!("it goes on by itself without end");
}

fn paused(session: &mut dyn Session, heard: &mut Heard, before: usize) {
    let pause = session.pause();
    assert!(pause.ms <= DELAY_MS_MAX, "a pause without bound");
    assert!(pause.ms == 0 || (before..=heard.answer.len()).contains(&pause.at), "a pause that is nowhere in the answer");
    heard.pauses.extend((pause.ms > 0).then_some((pause.at, pause.ms)));
}

fn report(session: &mut dyn Session, heard: &mut Heard) {
    let findings = session.findings();
    bounded(&findings);
    heard.reports.push((findings, std::mem::take(&mut heard.since_report)));
}

/// What is found is bounded and harmless.
pub(crate) fn bounded(findings: &Findings) {
    assert!(findings.fields.len() <= FIELDS_MAX, "fields without bound");
    for (name, value) in &findings.fields {
        assert!(
            !name.is_empty() && name.len() <= 32 && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')),
            "{name}"
        );
        assert!(value.len() <= FIELD_BYTES_MAX, "{name} is too long");
        assert_eq!(*value, safe_text(value.as_bytes(), FIELD_BYTES_MAX), "{name} is not made safe");
    }
}

/// What a session holds between two bytes is bounded, and so is what it has meanwhile, whatever came before.
fn weigh(session: Box<dyn Session>, stream: &[u8]) {
    let Some(first) = stream.first() else { return };
    let mut answer = Vec::with_capacity(2 * ANSWER_BYTES_MAX);
    let before = memory::held();
    let mut session = session;
    let mut flow = session.open(&mut answer);
    session = overhear(session, *first);
    for piece in stream.chunks(16) {
        memory::forget_peak();
        let mut rest = piece;
        while !rest.is_empty() && flow != Flow::Close {
            answer.clear();
            let step = session.receive(rest, NOW, &mut answer);
            rest = &rest[step.taken..];
            flow = step.flow;
            drop(session.said());
            if flow == Flow::Errand {
                flow = errands(&mut *session, &mut answer);
                answer.clear();
            }
            if flow != Flow::Continue {
                drop(session.findings());
            }
            while session.resume(NOW, &mut answer).is_some() {
                drop(session.said());
                answer.clear();
            }
            if flow == Flow::StartTls {
                drop(session.unread());
                flow = session.open(&mut answer);
            }
        }
        answer.clear();
        let held = memory::held().saturating_sub(before);
        assert!(held <= HELD_BYTES_MAX, "it holds {held} bytes");
        let peak = memory::peak().saturating_sub(before);
        assert!(peak <= PEAK_BYTES_MAX, "for a moment it has {peak} bytes");
    }
}
