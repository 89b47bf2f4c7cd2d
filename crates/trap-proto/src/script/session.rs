//! One connection to a scripted trap.

use super::{
    ANSWER_TEXT_BYTES_MAX, Checked, Found, Frames, LINE_BYTES_MAX, Pattern, Rule,
    reply::{self, REPLY_BYTES_MAX},
};
use crate::{ANSWER_BYTES_MAX, DELAY_MS_MAX, Findings, Flow, Pause, Session, Step, line::Lines, text::random_below};
use alloc::{sync::Arc, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// One connection to a scripted trap.
pub struct ScriptSession {
    script: Arc<Checked>,
    seed: u64,
    /// With lines: the line so far.
    lines: Lines,
    /// With bytes: what may still become a pattern.
    held: Vec<u8>,
    state: usize,
    /// What the last byte's answer is kept back for.
    pause: Pause,
    findings: Findings,
}

/// Whether what was said so far is expected by a rule.
enum Heard<'a> {
    Rule(&'a Rule, Found),
    Perhaps,
    Nothing,
}

impl ScriptSession {
    pub(super) fn new(script: Arc<Checked>, seed: u64) -> Self {
        Self {
            script,
            seed,
            lines: Lines::new(LINE_BYTES_MAX),
            held: Vec::new(),
            state: 0,
            pause: Pause::default(),
            findings: Findings::default(),
        }
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
        let heard = self.rules(&script).find_map(|rule| rule.found(line).map(|found| (rule, found)));
        let Some((rule, found)) = heard else {
            answer.extend_from_slice(&script.otherwise);
            return Flow::Continue;
        };
        let end = answer.len() + REPLY_BYTES_MAX;
        self.follow(rule, line, &found, end, answer)
    }

    /// The rules that hold in this state, in their order.
    fn rules<'a>(&self, script: &'a Checked) -> impl Iterator<Item = &'a Rule> + use<'a> {
        let state = self.state;
        script.rules.iter().filter(move |rule| rule.when.is_none_or(|when| when == state))
    }

    fn follow(&mut self, rule: &Rule, said: &[u8], found: &Found, end: usize, answer: &mut Vec<u8>) -> Flow {
        self.note(rule, said, found);
        self.findings.signs |= rule.signs;
        self.state = rule.next.unwrap_or(self.state);
        self.delay(rule, answer.len());
        reply::write(&rule.answer, said, found, end, answer);
        rule.flow
    }

    /// What was captured becomes fields: text without the spaces around it, bytes of a stream as hexadecimal digits.
    fn note(&mut self, rule: &Rule, said: &[u8], found: &Found) {
        let of_bytes = if let Pattern::Prefix(shape) = &rule.pattern { shape.groups.len() } else { 0 };
        for (index, (name, place)) in rule.groups.iter().zip(found.iter().skip(1)).enumerate() {
            let (Some(name), Some(value)) = (name, said.get(place.clone())) else { continue };
            if index < of_bytes {
                self.findings.note(name, crate::text::hex(value).as_bytes());
            } else {
                self.findings.note(name, value.trim_ascii());
            }
        }
    }

    fn delay(&mut self, rule: &Rule, at: usize) {
        if rule.delay_ms == 0 && rule.jitter_ms == 0 {
            return;
        }
        let jitter_ms = random_below(&mut self.seed, rule.jitter_ms.saturating_add(1));
        // More than one rule can follow one byte of a stream: their waits add up, and all of it is kept back.
        let at = if self.pause.ms == 0 { at } else { self.pause.at };
        let ms = self.pause.ms.saturating_add(rule.delay_ms).saturating_add(jitter_ms);
        self.pause = Pause { at, ms: ms.min(DELAY_MS_MAX) };
    }

    /// The held bytes never outgrow the longest pattern: they are a part of one, or are dropped from the front. What several
    /// rules answer to one byte is bounded together.
    fn stream(&mut self, byte: u8, answer: &mut Vec<u8>) -> Flow {
        let script = Arc::clone(&self.script);
        let end = answer.len() + REPLY_BYTES_MAX;
        self.held.push(byte);
        let mut flow = Flow::Continue;
        while !self.held.is_empty() && flow != Flow::Close {
            match self.hear(&script) {
                Heard::Perhaps => break,
                Heard::Nothing => drop(self.held.remove(0)),
                Heard::Rule(rule, found) => {
                    let length = found.first().map_or(1, |whole| whole.end.max(1)).min(self.held.len());
                    let said: Vec<u8> = self.held.drain(..length).collect();
                    flow = flow.and(self.follow(rule, &said, &found, end, answer));
                }
            }
        }
        flow
    }

    /// The first rule in order decides: while it may still match, later ones wait.
    fn hear<'a>(&self, script: &'a Checked) -> Heard<'a> {
        for rule in self.rules(script) {
            let Pattern::Prefix(shape) = &rule.pattern else { continue };
            if !rule.fits(&self.held, shape) {
                continue;
            }
            return if self.held.len() >= shape.bytes.len() { Heard::Rule(rule, shape.found()) } else { Heard::Perhaps };
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
        self.pause = Pause::default();
        let full = answer.len() + ANSWER_BYTES_MAX - REPLY_BYTES_MAX.max(ANSWER_TEXT_BYTES_MAX);
        Step::by_byte_until_paused(bytes, answer, full, |byte, answer| (self.byte(byte, answer), self.pause.ms > 0))
    }

    fn pause(&mut self) -> Pause {
        core::mem::take(&mut self.pause)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        RuleDefinition, Script, ScriptDefinition,
        drive::{self, Heard, said},
    };
    use alloc::{string::String, vec};
    use proptest::prelude::*;

    fn rule(expect: &str, answer: &str) -> RuleDefinition {
        RuleDefinition { expect: Some(expect.into()), answer: Some(answer.into()), ..RuleDefinition::default() }
    }

    fn any(answer: &str) -> RuleDefinition {
        RuleDefinition { answer: Some(answer.into()), ..RuleDefinition::default() }
    }

    fn lines(rules: Vec<RuleDefinition>) -> ScriptSession {
        let definition = ScriptDefinition { rules, otherwise: Some("ERROR\r\n".into()), ..ScriptDefinition::default() };
        Script::new(Some("hello\r\n"), &definition).unwrap().session(7)
    }

    fn bytes(rules: Vec<RuleDefinition>) -> ScriptSession {
        let definition = ScriptDefinition { frames: Frames::Bytes, rules, otherwise: None };
        Script::new(None, &definition).unwrap().session(7)
    }

    fn memcached() -> ScriptSession {
        lines(vec![
            rule("version", "VERSION 1.6.18\r\n"),
            RuleDefinition { ignore_case: true, close: true, ..rule("QUIT", "") },
            RuleDefinition { capture: Some("key".into()), telling: true, ..rule("get ", "END\r\n") },
            RuleDefinition { contains: Some("/etc/passwd".into()), hostile: true, ..RuleDefinition::default() },
        ])
    }

    /// Telnet's login in four rules.
    fn telnet() -> ScriptSession {
        let to = |state: &str| Some(String::from(state));
        lines(vec![
            RuleDefinition { when: to("start"), next: to("password"), capture: to("username"), ..any("Password: ") },
            RuleDefinition {
                when: to("password"),
                next: to("start"),
                capture: to("password"),
                credentials: true,
                ..any("\r\nLogin incorrect\r\nlogin: ")
            },
        ])
    }

    fn talk(mut session: ScriptSession, bytes: &[u8]) -> Heard {
        drive::whole(&mut session, bytes)
    }

    #[test]
    fn the_first_rule_that_expects_a_line_answers_it() {
        let heard = talk(memcached(), b"version\r\nget a b \r\nstats\nquit\r\nversion\r\n");
        assert_eq!(said(&heard.answer), "hello\r\nVERSION 1.6.18\r\nEND\r\nERROR\r\n");
        assert_eq!((heard.flow, heard.findings.fields["key"].as_str()), (Flow::Close, "a b"));
        assert_eq!(heard.reports[0].1, b"version\r\nget a b \r\n", "told right behind the rule that says so");
    }

    #[test]
    fn rules_give_signs() {
        let heard = talk(memcached(), b"set x 0 0 9 cat /etc/passwd;\r\n");
        assert_eq!((heard.flow, heard.findings.signs), (Flow::Telling, Signs::RULE));
        let bait = RuleDefinition { bait: true, ..rule("AKIA", "") };
        assert_eq!(talk(lines(vec![bait]), b"AKIAXYZ\n").findings.signs, Signs::BAIT);
    }

    #[test]
    fn groups_of_a_regular_expression_become_fields_and_parts_of_answers() {
        let searching = |text: &str, answer: &str| RuleDefinition { regex: Some(text.into()), ..any(answer) };
        let rules = vec![
            RuleDefinition { ignore_case: true, ..searching(r"^user (?<username>\S+)(?: (\S+))?", "331 {username} <{2}>\r\n") },
            RuleDefinition { capture: Some("rest".into()), ..searching("(a|ab)c", "{0}|{1}|{rest}\r\n") },
        ];
        let heard = talk(lines(rules), b"USER root\nuser admin now \nxxabc def\n");
        assert_eq!(said(&heard.answer), "hello\r\n331 root <>\r\n331 admin <now>\r\nabc|ab| def\r\n");
        assert_eq!((heard.findings.fields["username"].as_str(), heard.findings.fields["rest"].as_str()), ("admin", "def"));
    }

    #[test]
    fn bytes_of_a_stream_are_captured_and_given_back() {
        let read = RuleDefinition {
            expect_hex: Some("{transaction:2} 00 00 00 06 {unit:1} 03 {address:2} ?? ??".into()),
            answer_hex: Some("{transaction} 00 00 00 05 {unit} 03 02 00 2a".into()),
            ..RuleDefinition::default()
        };
        let heard = talk(bytes(vec![read]), b"\x12\x34\0\0\0\x06\x07\x03\x00\x6b\x00\x01");
        assert_eq!(heard.answer, b"\x12\x34\0\0\0\x05\x07\x03\x02\x00\x2a");
        let fields = ["transaction", "unit", "address"].map(|name| heard.findings.fields[name].as_str());
        assert_eq!(fields, ["1234", "07", "006b"]);
    }

    #[test]
    fn an_answer_is_kept_back_as_its_rule_says() {
        let slow = RuleDefinition { delay_ms: 300, jitter_ms: 100, ..rule("a", "A") };
        let heard = talk(lines(vec![slow.clone(), rule("b", "B")]), b"a\nb\na\n");
        assert_eq!(said(&heard.answer), "hello\r\nABA");
        assert_eq!(heard.pauses.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [7, 9], "each before its own answer");
        assert!(heard.pauses.iter().all(|(_, ms)| (300..=400).contains(ms)), "{:?}", heard.pauses);
        let both = bytes(vec![rule("ab", "!"), RuleDefinition { delay_ms: 9_000, ..rule("a", "A") }, rule("c", "C")]);
        assert_eq!(talk(both, b"aac").pauses, [(0, 9_000), (1, 9_000)]);
    }

    #[test]
    fn what_many_rules_answer_to_one_byte_is_bounded() {
        let almost = "a".repeat(255) + "b";
        let rules = vec![rule(&almost, "!"), rule("a", &"x".repeat(ANSWER_TEXT_BYTES_MAX))];
        assert_eq!(talk(bytes(rules), &[[b'a'; 255].as_slice(), b"c"].concat()).answer.len(), REPLY_BYTES_MAX);
    }

    #[test]
    fn states_make_a_login_of_lines() {
        let heard = talk(telnet(), b"root\r\ntoor\r\nadmin\r\nadmin\r\n");
        let told: Vec<_> = heard
            .reports
            .iter()
            .map(|(found, _)| (found.fields["username"].as_str(), found.fields["password"].as_str()))
            .collect();
        assert_eq!(told, [("root", "toor"), ("admin", "admin")]);
        assert!(heard.reports.iter().all(|(found, _)| found.signs == Signs::CREDENTIALS));
    }

    #[test]
    fn case_is_kept_unless_it_is_ignored() {
        assert_eq!(said(&talk(lines(vec![rule("HELO", "250\r\n")]), b"helo x\n").answer), "hello\r\nERROR\r\n");
        let ignoring = RuleDefinition { ignore_case: true, ..rule("HELO", "250\r\n") };
        assert_eq!(said(&talk(lines(vec![ignoring]), b"helo x\n").answer), "hello\r\n250\r\n");
        let within = RuleDefinition { contains: Some("PaSS".into()), ignore_case: true, capture: Some("rest".into()), ..any("") };
        assert_eq!(talk(lines(vec![within]), b"xx pAss=1\n").findings.fields["rest"], "=1");
    }

    #[test]
    fn long_lines_and_unfinished_ones_still_count() {
        let heard = talk(memcached(), &[b"get ".as_slice(), &[b'x'; 5_000], b"\nversion\n"].concat());
        assert_eq!(heard.findings.fields["key"].len(), LINE_BYTES_MAX - 4);
        assert!(heard.findings.signs.contains(Signs::MALFORMED) && heard.answer.ends_with(b"VERSION 1.6.18\r\n"));
        let unfinished = talk(memcached(), b"echo /etc/passwd");
        assert_eq!((unfinished.findings.signs, said(&unfinished.answer)), (Signs::RULE, "hello\r\n".into()));
    }

    #[test]
    fn a_stream_is_searched_at_every_position() {
        let hex = |pattern: &str, answer: &str| RuleDefinition {
            expect_hex: Some(pattern.into()),
            answer_hex: Some(answer.into()),
            ..RuleDefinition::default()
        };
        let rules = || vec![hex("03 00 00 13", "0300"), hex("03 00", "ff"), rule("aab", "!")];
        let table: [(&[u8], &[u8]); 6] = [
            (b"\x03\x00\x00\x13", b"\x03\x00"),
            (b"..\x03\x00\x00\x13..", b"\x03\x00"),
            (b"\x03\x00\x01", b"\xff"),
            (b"aaab", b"!"),
            (b"\x03\x00\x00\x03\x00\x00\x13", b"\xff\x03\x00"),
            (b"nothing", b""),
        ];
        for (said, answer) in table {
            assert_eq!(talk(bytes(rules()), said).answer, answer, "{said:?}");
        }
    }

    #[test]
    fn a_flood_is_answered_in_bounded_pieces() {
        let long = lines(vec![any(&"x".repeat(ANSWER_TEXT_BYTES_MAX))]);
        assert_eq!(talk(long, &[b'\n'; 100]).answer.len(), 7 + 100 * ANSWER_TEXT_BYTES_MAX);
    }

    /// A pattern that is almost there, over and over, is the worst case; it must stay linear.
    #[test]
    fn an_almost_matching_flood_is_searched_in_linear_time() {
        let almost = "a".repeat(255) + "b";
        let worst = || vec![rule(&almost, "!"); 1];
        assert_eq!(talk(bytes(worst()), &[b'a'; 100_000]).answer, b"");
        let within = RuleDefinition { contains: Some(almost.clone()), ..any("!") };
        assert_eq!(said(&talk(lines(vec![within]), &[b'a'; 100_000]).answer), "hello\r\nERROR\r\n");
    }

    fn noise() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(b"version".to_vec()),
            Just(b"get ".to_vec()),
            Just(b"/etc/passwd".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"aa".to_vec()),
            Just(b"\x03\x00".to_vec()),
            Just(b"\x00\x13".to_vec()),
            Just(vec![b'x'; 1_030]),
            proptest::collection::vec(proptest::num::u8::ANY, 0..20),
        ];
        proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_packets_do_not_matter(noise in noise(), cuts in drive::cuts()) {
            drive::law(memcached, &noise, &cuts)?;
            drive::law(telnet, &noise, &cuts)?;
            let searching = |text: &str| RuleDefinition { regex: Some(text.into()), delay_ms: 5, jitter_ms: 9, ..any("{1}{0}") };
            drive::law(|| lines(vec![searching("(?:^|x)(g.t) *(a+)?"), searching(r"([^\n]*)\xff")]), &noise, &cuts)?;
            let hex = |pattern: &str| RuleDefinition { expect_hex: Some(pattern.into()), telling: true, ..RuleDefinition::default() };
            drive::law(|| bytes(vec![hex("03 ?? {a:2} ff"), hex("03 {a:1} 00 13")]), &noise, &cuts)?;
            drive::law(|| bytes(vec![hex("03000013"), hex("0300"), rule("aab", "!"), rule("a", "?")]), &noise, &cuts)?;
        }
    }
}
