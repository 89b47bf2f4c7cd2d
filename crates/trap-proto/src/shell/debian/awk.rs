//! What bots use of `awk`: columns that are printed, of lines that are chosen, and sums of them.

use super::{
    Output,
    lines::lines,
    options::{Known, Options},
    regex::{Kind, Regex, STATES_MAX, Syntax, Tool, Wants},
    run::Run,
    work::Work,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cell::RefCell;

/// Rules of a program, statements of a rule, and the depth of an expression.
const RULES_MAX: usize = 16;
const STATEMENTS_MAX: usize = 16;
const DEPTH_MAX: u8 = 8;
const VARIABLES_MAX: usize = 16;
/// Patterns that are kept.
const PATTERNS_MAX: usize = 16;
/// Columns of a line that are looked at.
const COLUMNS_MAX: usize = 256;

enum When {
    Always,
    Begin,
    End,
    So(Vec<u8>),
}

struct Rule {
    when: When,
    statements: Vec<Vec<u8>>,
}

/// Patterns of a program, made into automata once. Those of which there is no room are made again where they are needed.
#[derive(Default)]
struct Patterns {
    made: Vec<(Vec<u8>, Option<Regex>)>,
    /// Of all automata.
    states: usize,
}

impl Patterns {
    /// Whether a pattern fits a text; what is none fits nothing.
    fn fits(&mut self, pattern: &[u8], text: &[u8], work: &Work) -> bool {
        let at = self.made.iter().position(|(known, _)| known == pattern);
        if let Some((_, regex)) = at.and_then(|at| self.made.get(at)) {
            return regex.as_ref().is_some_and(|regex| regex.walk().fits(text, work));
        }
        let regex = regex(pattern, work);
        let is_fit = regex.as_ref().is_some_and(|regex| regex.walk().fits(text, work));
        let states = self.states + regex.as_ref().map_or(0, Regex::states);
        if states <= STATES_MAX && self.made.len() < PATTERNS_MAX {
            self.states = states;
            self.made.push((pattern.to_vec(), regex));
        }
        is_fit
    }
}

fn regex(pattern: &[u8], work: &Work) -> Option<Regex> {
    let kind = Kind::Posix(Syntax { tool: Tool::Awk, is_extended: true, folds: false });
    Regex::new(&[pattern], kind, Wants::default(), work).ok()
}

/// A line that is looked at, and what was found before.
#[derive(Default)]
struct State<'a> {
    line: &'a [u8],
    columns: Vec<&'a [u8]>,
    number: usize,
    variables: Vec<(Vec<u8>, Vec<u8>)>,
    patterns: RefCell<Patterns>,
}

/// What is still to be read of an expression.
struct Reader<'a> {
    rest: &'a [u8],
    depth: u8,
}

impl Run<'_, '_> {
    pub(super) fn awk(&mut self, words: &[&[u8]], output: &mut Output) {
        let known = Known { letters: "F:v:f:W:", long: &[("field-separator", b'F')], wrong: 2 };
        let Some(options) = Options::read(words, &known, output) else { return };
        let Some((program, files)) = options.words.split_first() else {
            output.status = 2;
            return output.complain("Usage: mawk [Options] [Program] [file ...]\n");
        };
        if !self.shell.work.take_bytes(program.len() * 4) {
            return;
        }
        let rules = rules(program);
        let mut state = State::default();
        for word in options.values(b'v') {
            if let Some(at) = memchr::memchr(b'=', word) {
                state.set(&word[..at], word[at + 1..].to_vec());
            }
        }
        let separator = options.value(b'F').map(|word| {
            let mut plain = Vec::new();
            let _ = crate::shell::echo::unescape(word, crate::shell::echo::Escapes::Quoted, &mut plain);
            plain
        });
        let separator = Separator::new(separator.as_deref(), &self.shell.work);
        rules.iter().filter(|rule| matches!(rule.when, When::Begin)).for_each(|rule| self.act(rule, &mut state, output));
        if rules.iter().all(|rule| matches!(rule.when, When::Begin)) {
            return;
        }
        let Some(given) = self.given(files, "awk: cannot open \"", "\"", output) else { return };
        for line in given.iter().flat_map(|(_, content)| lines(&content.bytes)) {
            if output.is_full() || !self.shell.work.take_bytes(line.len() * 4) {
                return;
            }
            state.number += 1;
            state.line = line;
            state.columns = separator.columns(line, &self.shell.work);
            for rule in &rules {
                let is_chosen = match &rule.when {
                    When::Always => true,
                    When::So(condition) => is_true(&self.worked_out(condition, &state)),
                    When::Begin | When::End => false,
                };
                if is_chosen {
                    self.act(rule, &mut state, output);
                }
            }
        }
        rules.iter().filter(|rule| matches!(rule.when, When::End)).for_each(|rule| self.act(rule, &mut state, output));
    }

    fn act(&self, rule: &Rule, state: &mut State<'_>, output: &mut Output) {
        for statement in &rule.statements {
            if !self.shell.work.take_bytes(statement.len() * 4) {
                return;
            }
            if let Some(list) = keyword(statement, b"printf") {
                let mut words = self.listed(list, state).into_iter();
                let format = words.next().unwrap_or_default();
                output.out.extend(formatted(&format, &words.collect::<Vec<_>>()));
            } else if let Some(list) = keyword(statement, b"print") {
                let words = if list.is_empty() { alloc::vec![state.line.to_vec()] } else { self.listed(list, state) };
                output.out.extend(words.join(&b' '));
                output.out.push(b'\n');
            } else {
                self.assign(statement, state);
            }
        }
    }

    fn assign(&self, statement: &[u8], state: &mut State<'_>) {
        let length = crate::shell::syntax::name_bytes(statement);
        let (name, behind) = statement.split_at(length);
        let behind = behind.trim_ascii_start();
        let before = number(&state.variable(name));
        let new = match behind {
            [b'+', b'+', ..] => shown(before + 1.0),
            [b'+', b'=', rest @ ..] => shown(before + number(&self.worked_out(rest, state))),
            [b'-', b'=', rest @ ..] => shown(before - number(&self.worked_out(rest, state))),
            [b'=', rest @ ..] if rest.first() != Some(&b'=') => self.worked_out(rest, state),
            _ => return,
        };
        if length > 0 {
            state.set(name, new);
        }
    }

    /// The values of a list with commas between.
    fn listed(&self, list: &[u8], state: &State<'_>) -> Vec<Vec<u8>> {
        let list = list.strip_prefix(b"(").and_then(|list| list.strip_suffix(b")")).unwrap_or(list);
        pieces(list, b",").into_iter().map(|part| self.worked_out(part, state)).collect()
    }

    fn worked_out(&self, text: &[u8], state: &State<'_>) -> Vec<u8> {
        self.awk_either(&mut Reader { rest: text, depth: 0 }, state)
    }

    fn awk_either(&self, reader: &mut Reader<'_>, state: &State<'_>) -> Vec<u8> {
        let mut left = self.awk_compared(reader, state);
        loop {
            let rest = reader.rest.trim_ascii_start();
            let (is_and, behind) = match rest {
                [b'&', b'&', behind @ ..] => (true, behind),
                [b'|', b'|', behind @ ..] => (false, behind),
                _ => return left,
            };
            reader.rest = behind;
            let right = self.awk_compared(reader, state);
            let both = if is_and { is_true(&left) && is_true(&right) } else { is_true(&left) || is_true(&right) };
            left = truth(both);
        }
    }

    fn awk_compared(&self, reader: &mut Reader<'_>, state: &State<'_>) -> Vec<u8> {
        let left = self.awk_joined(reader, state);
        let rest = reader.rest.trim_ascii_start();
        let operators: [&[u8]; 8] = [b"==", b"!=", b"<=", b">=", b"!~", b"~", b"<", b">"];
        let Some(operator) = operators.into_iter().find(|operator| rest.starts_with(operator)) else { return left };
        reader.rest = &rest[operator.len()..];
        if operator.ends_with(b"~") {
            let pattern = reader.pattern().unwrap_or_default();
            let found = state.patterns.borrow_mut().fits(&pattern, &left, &self.shell.work);
            return truth(found == (operator == b"~"));
        }
        let right = self.awk_joined(reader, state);
        let are_numbers = is_number(&left) && is_number(&right);
        let order = if are_numbers { number(&left).partial_cmp(&number(&right)) } else { Some(left.cmp(&right)) };
        truth(match operator {
            b"==" => order.is_some_and(core::cmp::Ordering::is_eq),
            b"!=" => order.is_some_and(core::cmp::Ordering::is_ne),
            b"<=" => order.is_some_and(core::cmp::Ordering::is_le),
            b">=" => order.is_some_and(core::cmp::Ordering::is_ge),
            b"<" => order.is_some_and(core::cmp::Ordering::is_lt),
            _ => order.is_some_and(core::cmp::Ordering::is_gt),
        })
    }

    /// Values side by side are one text.
    fn awk_joined(&self, reader: &mut Reader<'_>, state: &State<'_>) -> Vec<u8> {
        let mut text = self.awk_sum(reader, state);
        loop {
            let rest = reader.rest.trim_ascii_start();
            let goes_on =
                matches!(rest.first(), Some(b'$' | b'"' | b'(')) || rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric());
            if !goes_on || text.len() > super::INNER_BYTES_MAX || !self.shell.work.take(1) {
                return text;
            }
            text.extend(self.awk_sum(reader, state));
        }
    }

    fn awk_sum(&self, reader: &mut Reader<'_>, state: &State<'_>) -> Vec<u8> {
        let mut left = self.awk_product(reader, state);
        while let [operator @ (b'+' | b'-'), behind @ ..] = reader.rest.trim_ascii_start() {
            reader.rest = behind;
            let right = number(&self.awk_product(reader, state));
            left = shown(if *operator == b'+' { number(&left) + right } else { number(&left) - right });
        }
        left
    }

    fn awk_product(&self, reader: &mut Reader<'_>, state: &State<'_>) -> Vec<u8> {
        let mut left = self.value_here(reader, state);
        while let [operator @ (b'*' | b'/' | b'%'), behind @ ..] = reader.rest.trim_ascii_start() {
            reader.rest = behind;
            let (one, other) = (number(&left), number(&self.value_here(reader, state)));
            left = shown(match operator {
                b'*' => one * other,
                b'/' => one / other,
                _ => one % other,
            });
        }
        left
    }

    fn value_here(&self, reader: &mut Reader<'_>, state: &State<'_>) -> Vec<u8> {
        reader.rest = reader.rest.trim_ascii_start();
        if reader.depth >= DEPTH_MAX {
            reader.rest = b"";
            return Vec::new();
        }
        match reader.rest {
            [b'$', behind @ ..] => {
                reader.rest = behind;
                reader.depth += 1;
                let column = number(&self.value_here(reader, state));
                reader.depth -= 1;
                state.column(column)
            }
            [b'"', behind @ ..] => {
                let (text, further) = quoted(behind);
                reader.rest = further;
                text
            }
            [b'/', ..] => {
                let pattern = reader.pattern().unwrap_or_default();
                truth(state.patterns.borrow_mut().fits(&pattern, state.line, &self.shell.work))
            }
            [b'(', behind @ ..] => {
                reader.rest = behind;
                reader.depth += 1;
                let value = self.awk_either(reader, state);
                reader.depth -= 1;
                reader.rest = reader.rest.trim_ascii_start();
                reader.rest = reader.rest.strip_prefix(b")").unwrap_or(reader.rest);
                value
            }
            [b'!', behind @ ..] => {
                reader.rest = behind;
                reader.depth += 1;
                let value = !is_true(&self.value_here(reader, state));
                reader.depth -= 1;
                truth(value)
            }
            [b'-', behind @ ..] => {
                reader.rest = behind;
                reader.depth += 1;
                let value = -number(&self.value_here(reader, state));
                reader.depth -= 1;
                shown(value)
            }
            rest => {
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
                let length = if digits > 0 { digits } else { crate::shell::syntax::name_bytes(rest) };
                let (word, behind) = rest.split_at(length);
                // What is none is left out.
                reader.rest = if length == 0 { &rest[rest.len().min(1)..] } else { behind };
                if digits > 0 { word.to_vec() } else { state.variable(word) }
            }
        }
    }
}

impl Reader<'_> {
    /// `/…/`, or a text.
    fn pattern(&mut self) -> Option<Vec<u8>> {
        let rest = self.rest.trim_ascii_start();
        let (end, behind) = rest.split_first().filter(|(first, _)| matches!(first, b'/' | b'"'))?;
        let mut at = 0;
        while behind.get(at).is_some_and(|byte| byte != end) {
            at += if behind[at] == b'\\' { 2 } else { 1 };
        }
        let at = at.min(behind.len());
        self.rest = behind.get(at + 1..).unwrap_or_default();
        Some(behind[..at].to_vec())
    }
}

impl State<'_> {
    fn column(&self, column: f64) -> Vec<u8> {
        if column < 1.0 {
            return self.line.to_vec();
        }
        let number = format!("{:.0}", whole(column)).parse::<usize>().ok();
        let text = number.and_then(|number| self.columns.get(number.checked_sub(1)?));
        text.map(|text| text.to_vec()).unwrap_or_default()
    }

    fn variable(&self, name: &[u8]) -> Vec<u8> {
        match name {
            b"NR" | b"FNR" => self.number.to_string().into_bytes(),
            b"NF" => self.columns.len().to_string().into_bytes(),
            b"OFS" => b" ".to_vec(),
            _ => self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default(),
        }
    }

    fn set(&mut self, name: &[u8], value: Vec<u8>) {
        let has_room = self.variables.len() < VARIABLES_MAX;
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, before)) => *before = value,
            None if has_room => self.variables.push((name.to_vec(), value)),
            None => {}
        }
    }
}

fn truth(is_so: bool) -> Vec<u8> {
    if is_so { b"1".to_vec() } else { b"0".to_vec() }
}

fn is_true(value: &[u8]) -> bool {
    if is_number(value) { number(value) != 0.0 } else { !value.is_empty() }
}

fn is_number(value: &[u8]) -> bool {
    core::str::from_utf8(value).is_ok_and(|text| text.trim().parse::<f64>().is_ok())
}

fn number(value: &[u8]) -> f64 {
    let text = value.trim_ascii();
    let digits = text
        .iter()
        .enumerate()
        .take_while(|(at, byte)| byte.is_ascii_digit() || **byte == b'.' || *at == 0 && matches!(byte, b'-' | b'+'));
    core::str::from_utf8(&text[..digits.count()]).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// A number without what is behind its point.
fn whole(value: f64) -> f64 {
    value - value % 1.0
}

/// As `print` shows a number: whole, or with six digits.
fn shown(value: f64) -> Vec<u8> {
    let text = format!("{value}");
    if !text.contains('.') {
        return text.into_bytes();
    }
    let whole = text.split('.').next().map_or(1, |whole| whole.trim_start_matches('-').trim_start_matches('0').len());
    let text = format!("{value:.*}", 6_usize.saturating_sub(whole));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').as_bytes().to_vec() } else { text.into_bytes() }
}

/// What stands between columns.
enum Separator {
    Spaces,
    Byte(u8),
    Text(Regex),
}

impl Separator {
    fn new(word: Option<&[u8]>, work: &Work) -> Self {
        match word {
            None | Some([] | [b' ']) => Self::Spaces,
            Some([one]) => Self::Byte(*one),
            Some(pattern) => regex(pattern, work).map_or(Self::Spaces, Self::Text),
        }
    }

    fn columns<'a>(&self, line: &'a [u8], work: &Work) -> Vec<&'a [u8]> {
        match self {
            Self::Spaces => line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(COLUMNS_MAX).collect(),
            Self::Byte(_) | Self::Text(_) if line.is_empty() => Vec::new(),
            Self::Byte(one) => line.split(|byte| byte == one).take(COLUMNS_MAX).collect(),
            Self::Text(regex) => {
                let (mut parts, mut begun, mut from, mut walk) = (Vec::new(), 0, 0, regex.walk());
                while parts.len() < COLUMNS_MAX
                    && from <= line.len()
                    && let Some(found) = walk.find(line, from, work)
                {
                    // Nothing separates nothing.
                    if found.end > found.start {
                        parts.push(&line[begun..found.start]);
                        begun = found.end;
                    }
                    from = found.end + usize::from(found.end == found.start);
                }
                parts.push(&line[begun..]);
                parts
            }
        }
    }
}

/// A text up to its closing quote, and what is behind.
fn quoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut end = 0;
    while text.get(end).is_some_and(|byte| *byte != b'"') {
        end += if text[end] == b'\\' { 2 } else { 1 };
    }
    let end = end.min(text.len());
    let mut plain = Vec::new();
    let _ = crate::shell::echo::unescape(&text[..end], crate::shell::echo::Escapes::Quoted, &mut plain);
    (plain, text.get(end + 1..).unwrap_or_default())
}

/// A statement's list, if it begins with this word.
fn keyword<'a>(statement: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let rest = statement.strip_prefix(word)?;
    (!rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')).then(|| rest.trim_ascii())
}

/// Parts between separators that stand outside of quotes and parentheses.
fn pieces<'a>(text: &'a [u8], separators: &[u8]) -> Vec<&'a [u8]> {
    let (mut parts, mut start, mut depth, mut at) = (Vec::new(), 0, 0_usize, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => {
                at += 1;
                while text.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            byte if depth == 0 && separators.contains(byte) => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(&text[start.min(text.len())..]);
    parts
}

fn rules(program: &[u8]) -> Vec<Rule> {
    let (mut rules, mut rest) = (Vec::new(), program.trim_ascii());
    while !rest.is_empty() && rules.len() < RULES_MAX {
        let open = pieces(rest, b"{").first().map_or(rest.len(), |before| before.len());
        let (condition, behind) = rest.split_at(open);
        let (body, further) = match behind.split_first() {
            Some((_, inside)) => {
                let end = pieces(inside, b"}").first().map_or(inside.len(), |body| body.len());
                (Some(&inside[..end]), inside.get(end + 1..).unwrap_or_default())
            }
            None => (None, &b""[..]),
        };
        let statements = match body {
            Some(body) => {
                let parts = pieces(body, b";\n").into_iter().map(<[u8]>::trim_ascii).filter(|part| !part.is_empty());
                parts.take(STATEMENTS_MAX).map(<[u8]>::to_vec).collect()
            }
            None => alloc::vec![b"print".to_vec()],
        };
        let when = match condition.trim_ascii() {
            b"" => When::Always,
            b"BEGIN" => When::Begin,
            b"END" => When::End,
            condition => When::So(condition.to_vec()),
        };
        rules.push(Rule { when, statements });
        rest = further.trim_ascii_start();
        rest = rest.strip_prefix(b";").unwrap_or(rest).trim_ascii_start();
    }
    rules
}

/// `printf`, with the letters that are used.
fn formatted(format: &[u8], words: &[Vec<u8>]) -> Vec<u8> {
    let (mut out, mut rest, mut words) = (Vec::new(), format, words.iter());
    while let Some(at) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..at]);
        let spec = &rest[at + 1..];
        let flags = spec.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'+')).count();
        let (flags, behind) = spec.split_at(flags);
        let (letter, behind) = behind.split_first().unwrap_or((&b'%', b""));
        rest = behind;
        if *letter == b'%' {
            out.push(b'%');
            continue;
        }
        let word = words.next().cloned().unwrap_or_default();
        let flags = String::from_utf8_lossy(flags).to_string();
        let (width, precision) = flags.split_once('.').unwrap_or((&flags, ""));
        let text = match letter {
            b'd' | b'i' => format!("{:.0}", whole(number(&word))),
            b'f' => format!("{:.*}", precision.parse::<usize>().unwrap_or(6).min(20), number(&word)),
            _ => String::from_utf8_lossy(&word).to_string(),
        };
        let is_left = width.starts_with('-');
        let width = width.trim_start_matches('-').parse::<usize>().unwrap_or(0).min(512);
        out.extend(if is_left { format!("{text:<width$}") } else { format!("{text:>width$}") }.into_bytes());
    }
    out.extend_from_slice(rest);
    out
}
