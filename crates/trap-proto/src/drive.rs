//! Drives a session in tests as a carrier does, and the laws that every service keeps.

extern crate std;

use crate::{
    ANSWER_BYTES_MAX, DELAY_MS_MAX, Done, Errand, FIELD_BYTES_MAX, FIELDS_MAX, Findings, Flow, GIVEN_BYTES_MAX, Session,
};
use alloc::{string::String, vec::Vec};
use honeymesh_types::WallTime;
use proptest::prelude::*;

/// 2026-11-22T10:00:00Z.
pub(crate) const NOW: WallTime = WallTime(1_795_341_600_000_000);

/// What came of a session.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) answer: Vec<u8>,
    /// Each report with the bytes that made it; the last one is what was left at the end.
    pub(crate) reports: Vec<(Findings, Vec<u8>)>,
    /// All reports together.
    pub(crate) findings: Findings,
    /// The last flow that was not `Continue`.
    pub(crate) flow: Flow,
    /// From which place in `answer` on something was kept back, and for how many milliseconds.
    pub(crate) pauses: Vec<(usize, u32)>,
    /// What was wanted beside it.
    pub(crate) errands: Vec<Errand>,
}

/// Where the port is that every session gets which wants one, and what is brought there, in bytes.
pub(crate) const PORT: ([u8; 4], u16) = ([192, 0, 2, 7], 50_000);
pub(crate) const BROUGHT: u64 = 9;

/// Text for messages.
pub(crate) fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The whole conversation in one piece.
pub(crate) fn whole(session: &mut dyn Session, bytes: &[u8]) -> Heard {
    chunks(session, &[bytes])
}

/// The conversation in the given pieces, as a carrier holds it.
pub(crate) fn chunks(session: &mut dyn Session, chunks: &[&[u8]]) -> Heard {
    record(&chunks.concat());
    held(session, chunks)
}

/// Keeps what is said in tests in the folder that `HONEYMESH_RECORD` names, under the name of the module that says it: seeds for
/// the fuzzer. What is said at random is not kept.
fn record(bytes: &[u8]) {
    let Some(folder) = std::env::var_os("HONEYMESH_RECORD") else { return };
    let thread = std::thread::current();
    let module = thread.name().and_then(|name| name.split("::").next()).unwrap_or("unknown");
    let folder = std::path::Path::new(&folder).join(module);
    let name = crate::text::hex(&<sha2::Sha256 as sha2::Digest>::digest(bytes)[..8]);
    std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(name), bytes)).expect("a folder to write into");
}

fn held(session: &mut dyn Session, chunks: &[&[u8]]) -> Heard {
    let (mut heard, since_report) = begun(session, chunks);
    session.end();
    let left = session.findings();
    if !left.is_empty() || !since_report.is_empty() {
        heard.findings.signs |= left.signs;
        heard.findings.fields.extend(left.fields.clone());
        heard.reports.push((left, since_report));
    }
    heard
}

/// A conversation that goes on after this, and what was said since the last report.
pub(crate) fn begun(session: &mut dyn Session, chunks: &[&[u8]]) -> (Heard, Vec<u8>) {
    let mut heard = Heard::default();
    let mut since_report = Vec::new();
    heard.flow = session.open(&mut heard.answer);
    for chunk in chunks {
        let mut rest = *chunk;
        while !rest.is_empty() && heard.flow != Flow::Close {
            let before = heard.answer.len();
            let step = session.receive(rest, NOW, &mut heard.answer);
            assert!(step.taken > 0 || step.flow == Flow::Close, "no progress");
            assert!(heard.answer.len() - before <= ANSWER_BYTES_MAX, "an answer without bound");
            let pause = session.pause();
            assert!(pause.ms <= DELAY_MS_MAX && (pause.ms == 0 || (before..=heard.answer.len()).contains(&pause.at)));
            heard.pauses.extend((pause.ms > 0).then_some((pause.at, pause.ms)));
            since_report.extend_from_slice(&rest[..step.taken]);
            rest = &rest[step.taken..];
            if step.flow == Flow::Errand {
                errands(session, &mut heard, &mut since_report);
                continue;
            }
            if step.flow != Flow::Continue {
                heard.flow = step.flow;
                report(session, &mut heard, &mut since_report);
            }
            while let Some(flow) = session.resume(NOW, &mut heard.answer) {
                heard.flow = flow;
            }
        }
    }
    (heard, since_report)
}

/// Does everything that is wanted, and it is always done.
fn errands(session: &mut dyn Session, heard: &mut Heard, since_report: &mut Vec<u8>) {
    heard.flow = Flow::Errand;
    while heard.flow == Flow::Errand {
        let errand = session.errand().expect("nothing is wanted");
        let done = match &errand {
            Errand::Listen => Done::Listening(PORT.into()),
            Errand::Await { .. } => Done::Met,
            Errand::Take => Done::Taken { bytes: BROUGHT, is_whole: true },
            Errand::Give(bytes) => {
                assert!(bytes.len() <= GIVEN_BYTES_MAX, "more is given than can be");
                Done::Given
            }
        };
        heard.errands.push(errand);
        let before = heard.answer.len();
        heard.flow = session.done(done, NOW, &mut heard.answer);
        assert!(heard.answer.len() - before <= ANSWER_BYTES_MAX, "an answer without bound");
    }
    if heard.flow != Flow::Continue {
        report(session, heard, since_report);
    }
}

fn report(session: &mut dyn Session, heard: &mut Heard, since_report: &mut Vec<u8>) {
    let findings = session.findings();
    heard.findings.signs |= findings.signs;
    heard.findings.fields.extend(findings.fields.clone());
    heard.reports.push((findings, core::mem::take(since_report)));
}

/// Bytes without sense.
pub(crate) fn noise() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}

/// Where to cut a conversation into pieces: lengths of pieces, repeated to its end.
pub(crate) fn cuts() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1_usize..40, 1..8)
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at((*cut).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// No panic, bounded answers and findings, and the same answers and reports however the bytes were cut.
pub(crate) fn law<S: Session>(session: impl Fn() -> S, bytes: &[u8], cuts: &[usize]) -> Result<(), TestCaseError> {
    let at_once = held(&mut session(), &[bytes]);
    let in_pieces = held(&mut session(), &pieces(bytes, cuts));
    prop_assert_eq!(&at_once, &in_pieces);
    bounds(&at_once)
}

/// The same for a service that minds what comes behind a line before its answer: however the lines were cut.
pub(crate) fn law_of_lines<S: Session>(session: impl Fn() -> S, bytes: &[u8], cuts: &[usize]) -> Result<(), TestCaseError> {
    let by_line = chunks(&mut session(), &lines(bytes));
    let in_pieces: Vec<&[u8]> = lines(bytes).into_iter().flat_map(|line| pieces(line, cuts)).collect();
    prop_assert_eq!(&by_line, &chunks(&mut session(), &in_pieces));
    bounds(&by_line)?;
    bounds(&whole(&mut session(), bytes))?;
    bounds(&chunks(&mut session(), &pieces(bytes, cuts)))
}

/// Each line, with its end.
pub(crate) fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

fn bounds(heard: &Heard) -> Result<(), TestCaseError> {
    for (findings, _) in &heard.reports {
        prop_assert!(findings.fields.len() <= FIELDS_MAX);
        for value in findings.fields.values() {
            prop_assert!(value.len() <= FIELD_BYTES_MAX && !value.chars().any(char::is_control), "{:?}", value);
        }
    }
    Ok(())
}
