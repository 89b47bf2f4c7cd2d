//! What is typed into a channel: lines for a shell, and what a program reads that was started from one.

use super::{
    channel::{Channel, Key, PASTES, Runs},
    connection::Reply,
    editor::in_columns,
};
use crate::shell::debian::{OUTPUT_BYTES_MAX, Output, Reads, Shell};
use alloc::{format, string::String, vec::Vec};

/// What `passwd` asks for, one after the other; whoever is root is not asked for the first.
const QUESTIONS: [&str; 3] = ["Current password: ", "New password: ", "Retype new password: "];
/// How wide a terminal is that does not say it.
const COLUMNS_USUAL: usize = 80;
const UPDATED: &str = "passwd: password updated successfully\n";
const DIFFERENT: &str =
    "Sorry, passwords do not match.\npasswd: Authentication token manipulation error\npasswd: password unchanged\n";

impl Channel {
    pub(super) fn typed(&mut self, bytes: &[u8], shell: &Shell<'_>, reply: &mut Reply) {
        let mut echo = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(self.runs, Runs::File | Runs::Echo) && !self.has_terminal {
                self.input(&bytes[at..], reply);
                break;
            }
            let is_prompt = matches!(self.runs, Runs::Terminal | Runs::Commands);
            let key = match is_prompt {
                true => self.key(*byte, &mut echo),
                false => self.typed_key(*byte, self.runs == Runs::Asking, &mut echo),
            };
            if key == Key::None {
                continue;
            }
            self.print_raw(&mut echo, reply);
            let goes_on = match key {
                Key::Line(line) if is_prompt => self.line(&line, shell, reply),
                Key::End if is_prompt => self.leave_inner(shell, reply),
                Key::Line(line) => {
                    self.given(line, shell, reply);
                    true
                }
                Key::End | Key::Interrupt if !is_prompt => self.back(key == Key::Interrupt, shell, reply),
                Key::Clear => {
                    self.prompt_again(shell, reply);
                    true
                }
                Key::Complete => {
                    self.complete(false, shell, reply);
                    true
                }
                Key::Show(true) => {
                    self.complete(true, shell, reply);
                    true
                }
                Key::Show(false) => {
                    self.print_raw(&mut b"\r\n".to_vec(), reply);
                    self.prompt_again(shell, reply);
                    true
                }
                _ => {
                    self.prompt(shell, reply);
                    true
                }
            };
            if !goes_on {
                return self.leave();
            }
        }
        self.print_raw(&mut echo, reply);
    }

    /// Tab: the word becomes longer, or what it can become is shown.
    fn complete(&mut self, is_shown: bool, shell: &Shell<'_>, reply: &mut Reply) {
        let completion = shell.completion(self.editor.before_cursor(), &self.place);
        let mut echo = Vec::new();
        let shows = self.editor.complete(&completion, is_shown, &mut echo);
        self.print_raw(&mut echo, reply);
        let Some(mut question) = shows else { return };
        if !question.is_empty() {
            return self.print_raw(&mut question, reply);
        }
        self.print_raw(&mut in_columns(&completion.names, self.place.columns().unwrap_or(COLUMNS_USUAL)), reply);
        self.prompt_again(shell, reply);
    }

    /// The prompt and the line as it is, once more.
    fn prompt_again(&mut self, shell: &Shell<'_>, reply: &mut Reply) {
        let mut text = self.bare_prompt(shell).into_bytes();
        text.extend_from_slice(self.editor.line());
        self.print_raw(&mut text, reply);
    }

    /// A line for a program that reads.
    fn given(&mut self, mut line: Vec<u8>, shell: &Shell<'_>, reply: &mut Reply) {
        if self.runs == Runs::Asking {
            return self.answered(line, shell, reply);
        }
        line.push(b'\n');
        if self.runs == Runs::Echo {
            self.print_raw(&mut line.clone(), reply);
            reply.acts.note("input", &line);
            self.held.as_mut().map(|held| held.take(&line));
        } else {
            self.input(&line, reply);
        }
    }

    /// The program that read has ended: the shell is back, if there is one.
    fn back(&mut self, interrupted: bool, shell: &Shell<'_>, reply: &mut Reply) -> bool {
        self.answers.clear();
        if interrupted {
            self.held = None;
        } else {
            self.finish_reading(shell, reply);
        }
        if self.is_shell {
            self.runs = Runs::Terminal;
            self.prompt(shell, reply);
        } else {
            self.finish(if interrupted { 130 } else { self.place.status() });
        }
        true
    }

    /// What a line started goes on reading; `false` if nothing does.
    pub(super) fn reads_on(&mut self, line: &[u8], reads: Option<Reads>, shell: &Shell<'_>, reply: &mut Reply) -> bool {
        let program = line.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default();
        match reads {
            Some(Reads::Commands) if self.runs == Runs::Terminal => {
                self.enter(program.ends_with(b"bash"));
                false
            }
            Some(Reads::Commands) => false,
            Some(_) => true,
            None if self.runs == Runs::Terminal && program == b"passwd" => {
                self.runs = Runs::Asking;
                self.ask(shell, reply);
                true
            }
            None => false,
        }
    }

    /// The next question of `passwd`.
    fn ask(&mut self, shell: &Shell<'_>, reply: &mut Reply) {
        let asked = self.answers.len() + usize::from(shell.is_root());
        let head = if self.answers.is_empty() && asked == 0 {
            format!("Changing password for {}.\n", shell.user())
        } else {
            String::new()
        };
        if let Some(question) = QUESTIONS.get(asked) {
            self.print_raw(&mut (head + question).into_bytes(), reply);
        }
    }

    fn answered(&mut self, answer: Vec<u8>, shell: &Shell<'_>, reply: &mut Reply) {
        self.answers.push(answer);
        self.print_raw(&mut b"\n".to_vec(), reply);
        let asked = self.answers.len() + usize::from(shell.is_root());
        if asked < QUESTIONS.len() {
            return self.ask(shell, reply);
        }
        let [.., new, again] = self.answers.as_slice() else { return };
        reply.acts.note("new_password", new);
        let text = if new == again { UPDATED } else { DIFFERENT };
        self.print_raw(&mut text.as_bytes().to_vec(), reply);
        let _ = self.back(false, shell, reply);
    }

    /// `history`: what the shell knew, and what was typed.
    pub(super) fn recall(&self, line: &[u8], shell: &Shell<'_>, output: &mut Output) {
        if self.runs != Runs::Terminal || line.trim_ascii() != b"history" {
            return;
        }
        let before = shell.history();
        let typed = self.editor.history().map(|line| String::from_utf8_lossy(line).into_owned());
        for (number, line) in (1..).zip(before.lines().map(String::from).chain(typed)) {
            output.out.extend_from_slice(format!("{number:>5}  {line}\n").as_bytes());
        }
        output.out.truncate(OUTPUT_BYTES_MAX);
    }

    /// What stands before a line; as wide as the line begins.
    pub(super) fn prompt_of(&mut self, shell: &Shell<'_>) -> String {
        let bare = self.bare_prompt(shell);
        let pastes = if self.pastes() { String::from_utf8_lossy(PASTES).into_owned() } else { String::new() };
        pastes + &bare
    }

    fn bare_prompt(&mut self, shell: &Shell<'_>) -> String {
        let prompt = match self.inner.last() {
            Some(true) => String::from(if shell.is_root() { "# " } else { "$ " }),
            _ => shell.prompt(&self.place),
        };
        self.editor.begin(prompt.chars().count());
        prompt
    }

    pub(super) fn prompt(&mut self, shell: &Shell<'_>, reply: &mut Reply) {
        if self.runs == Runs::Terminal && reply.printed < OUTPUT_BYTES_MAX {
            let prompt = self.prompt_of(shell);
            reply.printed += prompt.len();
            self.print(prompt.as_bytes());
        }
    }

    /// Leaves the shell in the shell; `false` if there is none.
    pub(super) fn leave_inner(&mut self, shell: &Shell<'_>, reply: &mut Reply) -> bool {
        match self.inner.pop() {
            Some(is_dash) => {
                self.print_raw(&mut if is_dash { b"\n".to_vec() } else { b"exit\n".to_vec() }, reply);
                self.prompt(shell, reply);
                true
            }
            None => false,
        }
    }

    pub(super) fn leave(&mut self) {
        if self.runs == Runs::Terminal {
            self.print(b"logout\n");
        }
        self.finish(self.place.status());
    }

    /// What the terminal echoes.
    fn print_raw(&mut self, echo: &mut Vec<u8>, reply: &mut Reply) {
        let room = OUTPUT_BYTES_MAX.saturating_sub(reply.printed);
        echo.truncate(room);
        reply.printed += echo.len();
        if !echo.is_empty() {
            self.print(echo);
        }
        echo.clear();
    }
}
