//! A text as it runs: lists, pipelines, redirections, loops and shells inside of shells. All of it is bounded by the shell's work.

use super::{
    COMMAND_STEPS, INNER_BYTES_MAX, Outcome, Output, Place, Reads, Shell, Voice, glob::Glob, place::Input, values::Passed,
};
use crate::shell::{
    syntax::{Assignment, Body, Item, List, Node, Text, Trouble, Word},
    words::Joint,
};
use alloc::{format, rc::Rc, string::ToString, vec::Vec};

/// Shells, functions and the like inside of others; what is deeper does nothing.
pub(super) const DEPTH_MAX: u8 = 6;
/// Lists inside of lists, over all of them.
const NODES_DEEP_MAX: u8 = 40;
/// Rounds of all `while` and `until` of a text together; a loop that goes on ends there. Those of `for` have their words.
const ROUNDS_MAX: u32 = 128;

/// Why nothing further is run for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    Exit(u32),
    /// A line cannot go on: a script ends, and who typed it is asked for the next.
    Broken(u32),
    Return,
    /// Out of so many loops.
    Break(u32),
    /// To the next round, out of so many loops but one.
    Continue(u32),
    /// Something reads what the channel is still to bring.
    Reads(Reads),
    /// There is no work left.
    Done,
}

/// What a command reads.
#[derive(Clone, Debug, Default)]
pub(super) enum Source {
    /// The channel.
    #[default]
    Channel,
    /// This, of which so much is read; it may be the beginning of something longer.
    Text {
        bytes: Rc<[u8]>,
        at: usize,
        length: u64,
    },
    Nothing,
}

impl Source {
    pub(super) fn of(bytes: &[u8], length: u64) -> Self {
        Self::Text { bytes: bytes.into(), at: 0, length }
    }
}

/// A text that runs.
pub(super) struct Run<'a, 's> {
    pub(super) shell: &'a Shell<'s>,
    pub(super) place: &'a mut Place,
    pub(super) input: Source,
    pub(super) leaving: Option<Leaving>,
    pub(super) functions: Vec<(Vec<u8>, Rc<Node>)>,
    /// It is the stranger's own shell, and knows the functions that he typed.
    pub(super) is_own: bool,
    /// Variables that functions have for themselves, as they were before.
    pub(super) locals: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Variables that stay as they are.
    pub(super) fixed: Vec<Vec<u8>>,
    /// Files that stand for commands.
    pub(super) passed: Vec<Passed>,
    /// What is run at the end.
    pub(super) last_words: Option<Vec<u8>>,
    pub(super) depth: u8,
    nodes: u8,
    rounds: u32,
    /// Loops that go round.
    pub(super) loops: u32,
    /// The line that the text begins in.
    from: u32,
}

impl<'a, 's> Run<'a, 's> {
    pub(super) const fn new(shell: &'a Shell<'s>, place: &'a mut Place) -> Self {
        Self {
            shell,
            place,
            input: Source::Channel,
            leaving: None,
            functions: Vec::new(),
            is_own: true,
            locals: Vec::new(),
            fixed: Vec::new(),
            passed: Vec::new(),
            last_words: None,
            depth: 0,
            nodes: 0,
            rounds: 0,
            loops: 0,
            from: 1,
        }
    }

    /// Runs a text, line by line. `Some` if it is not whole and more may come.
    pub(super) fn text(&mut self, bytes: &[u8], is_whole: bool, from: u32, output: &mut Output) -> Option<Trouble> {
        if !self.shell.work.take_bytes(bytes.len()) {
            return None;
        }
        let mut text = Text::new(bytes);
        text.is_whole = is_whole;
        let before = core::mem::replace(&mut self.from, from);
        let missing = self.lines_of(&mut text, output);
        self.from = before;
        missing
    }

    fn lines_of(&mut self, text: &mut Text<'_>, output: &mut Output) -> Option<Trouble> {
        let (from, is_whole) = (self.from, text.is_whole);
        loop {
            let read = text.next_line();
            match read {
                Ok(Some(list)) => self.list(&list, output),
                Ok(None) => return None,
                Err(trouble @ (Trouble::End | Trouble::Unclosed(_))) if !is_whole => return Some(trouble),
                Err(trouble) => {
                    self.broken(&trouble, text.around(), from + text.line().saturating_sub(1), output);
                    return None;
                }
            }
            if self.leaving.is_some() || output.is_full() {
                return None;
            }
        }
    }

    /// A text in a shell of its own.
    pub(super) fn inner(&mut self, text: &[u8], output: &mut Output) {
        if self.depth >= DEPTH_MAX {
            return;
        }
        let (scope, line) = (self.place.scope(), self.shell.line.get());
        self.depth += 1;
        let _ = self.text(text, true, line, output);
        self.depth -= 1;
        self.shell.line.set(line);
        self.place.leave(scope);
        self.end_inner(output);
    }

    /// What ended a shell inside ends no more than that.
    fn end_inner(&mut self, output: &mut Output) {
        match self.leaving {
            Some(Leaving::Reads(_) | Leaving::Done) | None => {}
            Some(Leaving::Exit(status) | Leaving::Broken(status)) => {
                self.leaving = None;
                self.set_status(status, output);
            }
            Some(_) => self.leaving = None,
        }
    }

    /// A text as another shell's program: `sh -c`, a script.
    pub(super) fn program_text(&mut self, text: &[u8], voice: Voice, arguments: &[Vec<u8>], output: &mut Output) {
        let (before, known) = (self.shell.voice.replace(voice), core::mem::take(&mut self.functions));
        let (words, line) = (self.place.memory.with_arguments(arguments), self.shell.line.replace(1));
        self.place.memory.status = 0;
        let is_own = core::mem::replace(&mut self.is_own, false);
        let last_words = self.last_words.take();
        let (variables, exported) = (self.place.memory.variables().to_vec(), self.place.memory.exported().to_vec());
        self.place.memory.leave_exported();
        self.inner(text, output);
        if let Some(text) = core::mem::replace(&mut self.last_words, last_words) {
            self.inner(&text, output);
        }
        self.place.memory.restore(variables);
        self.place.memory.restore_exported(exported);
        self.is_own = is_own;
        self.place.memory.with_arguments(&words);
        self.shell.line.set(line);
        self.shell.voice.set(before);
        self.functions = known;
    }

    /// A text in this shell: `eval`, `source`.
    pub(super) fn here(&mut self, text: &[u8], output: &mut Output) {
        if self.depth < DEPTH_MAX {
            self.depth += 1;
            let line = self.shell.line.get();
            let _ = self.text(text, true, line, output);
            self.shell.line.set(line);
            self.depth -= 1;
        }
    }

    pub(super) fn set_status(&mut self, status: u32, output: &mut Output) {
        output.status = status;
        self.place.memory.status = status;
    }

    fn broken(&mut self, trouble: &Trouble, around: &[u8], line: u32, output: &mut Output) {
        let shell = self.shell;
        self.set_status(2, output);
        let around = crate::safe_text(around, 400);
        let text = match (trouble, shell.voice.get()) {
            (Trouble::Unexpected(token), Voice::Dash) => {
                let token =
                    if token == b"newline" { "newline".to_string() } else { format!("\"{}\"", crate::safe_text(token, 100)) };
                format!("sh: {line}: Syntax error: {token} unexpected\n")
            }
            (Trouble::Unclosed(b'"' | b'\''), Voice::Dash) => format!("sh: {line}: Syntax error: Unterminated quoted string\n"),
            (_, Voice::Dash) => format!("sh: {line}: Syntax error: end of file unexpected\n"),
            (Trouble::Unexpected(token), voice) => {
                let head = voice.head(line, "bash: -c: line ");
                let what = format!("{head}syntax error near unexpected token `{}'\n", crate::safe_text(token, 100));
                if voice == Voice::Login { what } else { format!("{what}{head}`{around}'\n") }
            }
            (Trouble::Unclosed(quote), voice) => {
                let head = voice.head(line + u32::from(*quote == b')'), "bash: -c: line ");
                format!("{head}unexpected EOF while looking for matching `{}'\n", char::from(*quote))
            }
            (Trouble::End | Trouble::Bound, voice) => {
                let head = voice.head(line + 1, "bash: -c: line ");
                format!("{head}syntax error: unexpected end of file\n")
            }
        };
        output.complain(&text);
    }

    fn list(&mut self, list: &List, output: &mut Output) {
        for item in &list.0 {
            if self.leaving.is_some() || output.is_full() {
                return;
            }
            let runs = match item.joint {
                Joint::And => self.place.memory.status == 0,
                Joint::Or => self.place.memory.status != 0,
                Joint::Then => true,
            };
            if runs {
                self.item(item, output);
            }
        }
    }

    fn item(&mut self, item: &Item, output: &mut Output) {
        if !self.shell.work.take(COMMAND_STEPS * item.pipeline.len()) {
            self.leaving = Some(Leaving::Done);
            return;
        }
        if !item.in_background {
            self.pipeline(&item.pipeline, output);
            if item.is_negated {
                let status = u32::from(self.place.memory.status == 0);
                self.set_status(status, output);
            }
            return;
        }
        if self.shell.voice.get() == Voice::Login {
            output.complain(&format!("[1] {}\n", self.shell.newest_pid()));
        }
        let (scope, input) = (self.place.scope(), core::mem::replace(&mut self.input, Source::Nothing));
        self.pipeline(&item.pipeline, output);
        self.input = input;
        self.place.leave(scope);
        self.end_inner(output);
        self.set_status(0, output);
    }

    fn pipeline(&mut self, nodes: &[Node], output: &mut Output) {
        if let [node] = nodes {
            return self.node(node, output);
        }
        let first = self.input.clone();
        for (at, node) in nodes.iter().enumerate() {
            let scope = self.place.scope();
            let mut own = Output { screen: output.screen && at + 1 == nodes.len(), ..Output::default() };
            self.node(node, &mut own);
            self.place.leave(scope);
            self.end_inner(&mut own);
            output.complain_bytes(&own.err);
            if let Some(Leaving::Reads(kind)) = self.leaving {
                // What is read goes on into what is behind; into a shell line by line.
                let kind = if at > 0 || kind == Reads::Commands || feeds_shell(nodes) { kind } else { Reads::File };
                let kind = if at == 0 && feeds_shell(nodes) { Reads::Commands } else { kind };
                self.leaving = Some(Leaving::Reads(kind));
                break;
            }
            if self.leaving.is_some() {
                break;
            }
            own.out.truncate(INNER_BYTES_MAX);
            if at + 1 == nodes.len() {
                output.out.append(&mut own.out);
                output.beyond += own.beyond;
            } else {
                let length = own.out.len() as u64 + own.beyond;
                self.input = Source::of(&own.out, length);
            }
        }
        self.input = first;
        output.status = self.place.memory.status;
    }

    pub(super) fn node(&mut self, node: &Node, output: &mut Output) {
        if self.nodes >= NODES_DEEP_MAX {
            return;
        }
        self.nodes += 1;
        self.shell.line.set(self.from + node.line - 1);
        if node.redirects.is_empty() {
            self.body(&node.body, output);
        } else {
            self.redirected(node, output);
        }
        self.nodes -= 1;
    }

    pub(super) fn body(&mut self, body: &Body, output: &mut Output) {
        match body {
            Body::Simple { assignments, words } => self.simple(assignments, words, output),
            Body::Group(list) => self.list(list, output),
            Body::Inner(list) => {
                let scope = self.place.scope();
                self.list(list, output);
                self.place.leave(scope);
                self.end_inner(output);
            }
            Body::If { arms, otherwise } => {
                for (condition, list) in arms {
                    self.list(condition, output);
                    if self.leaving.is_some() {
                        return;
                    }
                    if self.place.memory.status == 0 {
                        return self.list(list, output);
                    }
                }
                self.set_status(0, output);
                self.list(otherwise, output);
            }
            Body::Loop { condition, is_until, body } => self.loops_while(condition, *is_until, body, output),
            Body::For { name, words, body } => {
                let words = self.fields(words, output);
                self.set_status(0, output);
                self.loops_for(name, &words, body, output);
            }
            Body::Case { word, arms } => {
                let word = self.whole(word, output);
                self.set_status(0, output);
                for (patterns, list) in arms {
                    let shell = self.shell;
                    let work = &shell.work;
                    if patterns.iter().any(|pattern| Glob::new(&self.pattern(pattern, output), work).fits(&word, work)) {
                        return self.list(list, output);
                    }
                }
            }
            Body::Count { sums, body } => self.counts(sums, body, output),
            Body::Function { name, body, text } => {
                self.define(name, body, text);
                self.set_status(0, output);
            }
        }
    }

    fn loops_while(&mut self, condition: &List, is_until: bool, body: &List, output: &mut Output) {
        let mut status = 0;
        self.loops += 1;
        while self.goes_round(1) {
            self.list(condition, output);
            if self.leaving.is_some() || (self.place.memory.status == 0) == is_until || output.is_full() {
                break;
            }
            self.list(body, output);
            status = self.place.memory.status;
            if self.ends_loop() {
                break;
            }
        }
        self.loops -= 1;
        self.set_status(status, output);
    }

    fn loops_for(&mut self, name: &[u8], words: &[Vec<u8>], body: &List, output: &mut Output) {
        self.loops += 1;
        for word in words {
            if !self.goes_round(0) || output.is_full() {
                break;
            }
            self.place.memory.set(name, word);
            self.list(body, output);
            if self.ends_loop() {
                break;
            }
        }
        self.loops -= 1;
        output.status = self.place.memory.status;
    }

    /// `for ((…; …; …))`.
    fn counts(&mut self, sums: &[Vec<u8>; 3], body: &List, output: &mut Output) {
        let mut goes_on = sums[0].is_empty() || self.sum_of(&sums[0], "((: ", output).is_some();
        self.loops += 1;
        let mut status = 0;
        while goes_on && self.goes_round(1) && !output.is_full() {
            let is_so = if sums[1].is_empty() { Some(1) } else { self.sum_of(&sums[1], "((: ", output) };
            if is_so.unwrap_or(0) == 0 {
                break;
            }
            self.list(body, output);
            status = self.place.memory.status;
            goes_on = !self.ends_loop() && (sums[2].is_empty() || self.sum_of(&sums[2], "((: ", output).is_some());
        }
        self.loops -= 1;
        self.set_status(status, output);
    }

    fn goes_round(&mut self, rounds: u32) -> bool {
        self.rounds += rounds;
        self.leaving.is_none() && self.rounds <= ROUNDS_MAX && self.shell.work.take(1)
    }

    /// What a round ended with: whether the loop ends with it.
    fn ends_loop(&mut self) -> bool {
        self.leaving = match self.leaving {
            Some(Leaving::Break(loops)) if loops > 1 => Some(Leaving::Break(loops - 1)),
            Some(Leaving::Break(_)) => {
                self.leaving = None;
                return true;
            }
            Some(Leaving::Continue(loops)) if loops > 1 => Some(Leaving::Continue(loops - 1)),
            Some(Leaving::Continue(_)) => None,
            other => other,
        };
        self.leaving.is_some()
    }

    fn simple(&mut self, assignments: &[Assignment], words: &[Word], output: &mut Output) {
        let (before, passed) = (self.place.memory.status, self.passed.len());
        let words = self.fields(words, output);
        if self.leaving.is_some() {
            return;
        }
        if words.is_empty() {
            self.place.memory.status = 0;
            self.give_values(assignments, output);
            output.status = self.place.memory.status;
            return;
        }
        let exported = self.place.memory.exported().to_vec();
        let scope: Vec<_> =
            assignments.iter().map(|one| (&one.name, self.place.memory.variable(&one.name).map(<[u8]>::to_vec))).collect();
        self.give_values(assignments, output);
        assignments.iter().for_each(|one| self.place.memory.export(&one.name));
        self.place.memory.status = before;
        if self.leaving.is_none() {
            self.command(&words, output);
        }
        // What was given to it alone is as it was; what it has set itself stays.
        for (name, before) in scope {
            match before {
                Some(value) => self.place.memory.set(name, &value),
                None => self.place.memory.unset(name),
            }
        }
        if !assignments.is_empty() {
            self.place.memory.restore_exported(exported);
        }
        if self.passed.len() > passed && !matches!(self.leaving, Some(Leaving::Reads(_))) {
            self.pass_on(passed, output);
        }
    }

    /// A command whose words are ready.
    pub(super) fn command(&mut self, words: &[Vec<u8>], output: &mut Output) {
        let Some(name) = words.first() else { return };
        if let Some(body) = self.function(name) {
            return self.call(&body, words, output);
        }
        let slices: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.place.hear(&slices);
        output.status = 0;
        let before = self.place.memory.status;
        if !self.builtin(&slices, before, output) {
            self.outside(&slices, output);
        }
        if !matches!(self.leaving, Some(Leaving::Reads(_))) {
            self.place.memory.status = output.status;
        }
    }

    /// All that there is to read, from where it was read to; `None` if it is still to come.
    pub(super) fn read_all(&mut self, kind: Reads) -> Option<(Vec<u8>, u64)> {
        if matches!(self.input, Source::Channel) {
            match &self.place.input {
                Input::Open => {
                    self.leaving = Some(Leaving::Reads(kind));
                    return None;
                }
                Input::Ended(bytes, length) => self.input = Source::of(bytes, *length),
            }
            // It comes once.
            self.place.input = Input::Ended(Vec::new(), 0);
        }
        match &mut self.input {
            Source::Text { bytes, at, length } => {
                let rest = bytes.get(*at..).unwrap_or_default().to_vec();
                let beyond = length.saturating_sub(bytes.len() as u64);
                *at = bytes.len();
                *length = bytes.len() as u64;
                self.shell.work.take_bytes(rest.len()).then_some((rest, beyond))
            }
            _ => Some((Vec::new(), 0)),
        }
    }

    /// The next line; `None` if there is none, or if it is still to come.
    pub(super) fn read_line(&mut self) -> Option<Vec<u8>> {
        if matches!(self.input, Source::Channel) {
            let (bytes, _) = self.read_all(Reads::File)?;
            self.input = Source::of(&bytes, bytes.len() as u64);
        }
        let Source::Text { bytes, at, .. } = &mut self.input else { return None };
        let rest = bytes.get(*at..).filter(|rest| !rest.is_empty())?;
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        *at += (end + 1).min(rest.len());
        Some(rest[..end].to_vec())
    }
}

/// Whether the first of a pipeline hands its input to a shell behind it.
fn feeds_shell(nodes: &[Node]) -> bool {
    let name = |node: &Node| match &node.body {
        Body::Simple { words, .. } => words.first().and_then(crate::shell::syntax::plain).map(<[u8]>::to_vec),
        _ => None,
    };
    let is_shell = |name: &[u8]| matches!(name, b"sh" | b"bash" | b"/bin/sh" | b"/bin/bash" | b"dash");
    name(&nodes[0]).is_some_and(|name| name == b"cat") && name(&nodes[1]).is_some_and(|name| is_shell(&name))
}

/// Runs what a stranger said at once, or typed: lines that are not whole wait for more.
pub(super) fn run(shell: &Shell<'_>, text: &[u8], place: &mut Place, is_typed: bool, output: &mut Output) -> Outcome {
    let from = if is_typed { place.lines + 1 } else { 1 };
    let mut run = Run::new(shell, place);
    let missing = run.text(text, !is_typed, from, output);
    if let Some(text) = run.last_words.take().filter(|_| matches!(run.leaving, None | Some(Leaving::Exit(_))) && !is_typed) {
        let leaving = run.leaving.take();
        run.inner(&text, output);
        run.leaving = leaving;
    }
    let leaving = run.leaving;
    place.begun.clear();
    if missing.is_some() {
        place.begun.extend_from_slice(text);
    } else if is_typed {
        place.lines += 1 + u32::try_from(memchr::memchr_iter(b'\n', text).count()).unwrap_or_default();
    }
    output.status = place.memory.status;
    match leaving {
        Some(Leaving::Broken(status)) => {
            (output.status, place.memory.status) = (status, status);
            if is_typed && shell.has_terminal() { Outcome::Prompt } else { Outcome::Exit }
        }
        Some(Leaving::Exit(status)) => {
            output.status = status;
            Outcome::Exit
        }
        Some(Leaving::Reads(kind)) => {
            output.reads = Some(kind);
            Outcome::Prompt
        }
        _ => Outcome::Prompt,
    }
}
