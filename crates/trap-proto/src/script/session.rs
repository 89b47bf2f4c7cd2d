//! One connection to a scripted trap.

use super::{ANSWER_TEXT_BYTES_MAX, Checked, Frames, LINE_BYTES_MAX, Pattern, Rule};
use crate::{ANSWER_BYTES_MAX, Findings, Flow, Session, Step, line::Lines};
use alloc::{sync::Arc, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// One connection to a scripted trap.
pub struct ScriptSession {
    script: Arc<Checked>,
    /// With lines: the line so far.
    lines: Lines,
    /// With bytes: what may still become a pattern.
    held: Vec<u8>,
    state: usize,
    findings: Findings,
}

/// Whether what was said so far is expected by a rule.
enum Heard<'a> {
    Rule(&'a Rule, usize),
    Perhaps,
    Nothing,
}

impl ScriptSession {
    pub(super) fn new(script: Arc<Checked>) -> Self {
        Self { script, lines: Lines::new(LINE_BYTES_MAX), held: Vec::new(), state: 0, findings: Findings::default() }
    }

    fn byte(&mut self, byte: u8, answer: &mut Vec<u8>) -> Flow {
        match self.script.frames {
            Frames::Lines => match self.lines.push(byte) {
                None => Flow::Continue,
                Some(line) => self.line(&line.bytes, line.cut, answer),
            },
            Frames::Bytes => self.stream(byte, answer),
        }
    }

    fn line(&mut self, line: &[u8], cut: bool, answer: &mut Vec<u8>) -> Flow {
        if cut {
            self.findings.signs |= Signs::MALFORMED;
        }
        let script = Arc::clone(&self.script);
        let heard = self.rules(&script).find_map(|rule| rule.rest(line).map(|rest| (rule, rest)));
        let Some((rule, rest)) = heard else {
            answer.extend_from_slice(&script.otherwise);
            return Flow::Continue;
        };
        if let Some(name) = &rule.capture {
            self.findings.note(name, rest.trim_ascii());
        }
        self.follow(rule, answer)
    }

    /// The rules that hold in this state, in their order.
    fn rules<'a>(&self, script: &'a Checked) -> impl Iterator<Item = &'a Rule> + use<'a> {
        let state = self.state;
        script.rules.iter().filter(move |rule| rule.when.is_none_or(|when| when == state))
    }

    fn follow(&mut self, rule: &Rule, answer: &mut Vec<u8>) -> Flow {
        self.findings.signs |= rule.signs;
        self.state = rule.next.unwrap_or(self.state);
        answer.extend_from_slice(&rule.answer);
        rule.flow
    }

    /// The held bytes never outgrow the longest pattern: they are a part of one, or are dropped from the front.
    fn stream(&mut self, byte: u8, answer: &mut Vec<u8>) -> Flow {
        let script = Arc::clone(&self.script);
        self.held.push(byte);
        let mut flow = Flow::Continue;
        while !self.held.is_empty() && flow != Flow::Close {
            match self.hear(&script) {
                Heard::Perhaps => break,
                Heard::Nothing => drop(self.held.remove(0)),
                Heard::Rule(rule, length) => {
                    self.held.drain(..length);
                    flow = flow.and(self.follow(rule, answer));
                }
            }
        }
        flow
    }

    /// The first rule in order decides: while it may still match, later ones wait.
    fn hear<'a>(&self, script: &'a Checked) -> Heard<'a> {
        for rule in self.rules(script) {
            let Pattern::Prefix(pattern) = &rule.pattern else { continue };
            let length = pattern.len().min(self.held.len());
            if !rule.same(&self.held[..length], &pattern[..length]) {
                continue;
            }
            return if length == pattern.len() { Heard::Rule(rule, length) } else { Heard::Perhaps };
        }
        Heard::Nothing
    }
}

impl Session for ScriptSession {
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        answer.extend_from_slice(&self.script.banner);
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], _now: WallTime, answer: &mut Vec<u8>) -> Step {
        let full = answer.len() + ANSWER_BYTES_MAX - ANSWER_TEXT_BYTES_MAX;
        for (index, byte) in bytes.iter().enumerate() {
            let flow = self.byte(*byte, answer);
            if flow != Flow::Continue || answer.len() > full {
                return Step { taken: index + 1, flow };
            }
        }
        Step { taken: bytes.len(), flow: Flow::Continue }
    }

    fn end(&mut self) {
        if let Some(line) = self.lines.finish() {
            let _ = self.line(&line.bytes, line.cut, &mut Vec::new());
        }
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}
