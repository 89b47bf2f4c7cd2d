//! An operator's script out of bytes, and a stranger's out of the rest.

use crate::{
    Input,
    input::Cuts,
    talk::{law, persona},
};
use honeymesh_trap_proto::{Definition, Frames, RuleDefinition, ScriptDefinition, Service};

/// Rules of one input.
const RULES_MAX: usize = 6;
const SEED: u64 = 7;

/// `frames and banner | rules | cuts | stream`.
pub(super) fn played(data: &[u8]) {
    let mut input = Input::new(data);
    let head = input.byte();
    let banner = (head & 2 != 0).then(|| text(&mut input));
    let otherwise = (head & 4 != 0).then(|| text(&mut input));
    let frames = if head & 1 == 0 { Frames::Lines } else { Frames::Bytes };
    let rules = (0..=input.below(RULES_MAX)).map(|_| rule(&mut input)).collect();
    let script = ScriptDefinition { frames, otherwise, rules };
    let definition = Definition { service: "script".into(), banner, script, ..Definition::default() };
    match Service::define(&definition, persona()) {
        Ok(service) => {
            let cuts = Cuts::read(&mut input);
            law(&|| service.session(SEED), input.rest(), &cuts);
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.is_empty() && line.len() < 8 * 1_024, "{line}");
        }
    }
}

fn rule(input: &mut Input<'_>) -> RuleDefinition {
    let (pattern, flags) = (input.byte(), input.byte());
    let mut rule = RuleDefinition {
        ignore_case: flags & 1 != 0,
        close: flags & 2 != 0,
        telling: flags & 4 != 0,
        hostile: flags & 8 != 0,
        credentials: flags & 16 != 0,
        bait: flags & 32 != 0,
        delay_ms: if flags & 64 != 0 { u32::from(input.short()) } else { 0 },
        jitter_ms: if flags & 128 != 0 { u32::from(input.short()) } else { 0 },
        ..RuleDefinition::default()
    };
    match pattern & 7 {
        0 => {}
        1 => rule.expect = Some(text(input)),
        2 => rule.contains = Some(text(input)),
        3 => rule.expect_hex = Some(text(input)),
        _ => rule.regex = Some(text(input)),
    }
    match pattern >> 3 & 3 {
        0 => {}
        1 => rule.answer_hex = Some(text(input)),
        _ => rule.answer = Some(text(input)),
    }
    rule.capture = (pattern & 32 != 0).then(|| text(input));
    rule.when = (pattern & 64 != 0).then(|| text(input));
    rule.next = (pattern & 128 != 0).then(|| text(input));
    rule
}

/// A short text behind its length in one byte.
fn text(input: &mut Input<'_>) -> String {
    let wanted = usize::from(input.byte());
    String::from_utf8_lossy(input.take(wanted)).into_owned()
}
