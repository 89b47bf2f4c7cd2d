//! Where a command's input comes from, and where what it prints goes to.

use super::{
    INNER_BYTES_MAX, Output, Reads, Voice,
    run::{Leaving, Run, Source},
};
use crate::shell::{
    fetch::called_by_path,
    syntax::{Kind, Node, Redirect},
};
use alloc::{format, string::String};

/// Where something that was printed goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Out,
    Err,
    Nowhere,
    File { path: String },
}

impl Run<'_, '_> {
    pub(super) fn redirected(&mut self, node: &Node, output: &mut Output) {
        let (before, passed) = (self.input.clone(), self.passed.len());
        let Some((out, err)) = self.targets(&node.redirects, output) else {
            self.input = before;
            return self.set_status(if self.shell.voice.get() == Voice::Dash { 2 } else { 1 }, output);
        };
        let is_same = |one: &Target, other: &Target| {
            one == other || output.merged && matches!((one, other), (Target::Out | Target::Err, Target::Out | Target::Err))
        };
        let screen = output.screen && out == Target::Out;
        let mut own = Output { merged: is_same(&out, &err), screen, ..Output::default() };
        self.body(&node.body, &mut own);
        self.input = before;
        if self.leaving == Some(Leaving::Reads(Reads::Echo)) && out != Target::Out {
            self.leaving = Some(Leaving::Reads(Reads::File));
        }
        own.out.truncate(INNER_BYTES_MAX);
        let printed = core::mem::take(&mut own.out);
        self.deliver(&out, &printed, own.beyond, output);
        self.deliver(&err, &own.err, 0, output);
        if self.passed.len() > passed && !matches!(self.leaving, Some(Leaving::Reads(_))) {
            let status = self.place.memory.status;
            self.pass_on(passed, output);
            self.place.memory.status = status;
        }
        output.status = self.place.memory.status;
    }

    fn deliver(&mut self, target: &Target, bytes: &[u8], beyond: u64, output: &mut Output) {
        match target {
            Target::Out => {
                output.out.extend_from_slice(bytes);
                output.beyond += beyond;
            }
            Target::Err => output.complain_bytes(bytes),
            Target::Nowhere => {}
            Target::File { path } => self.place.disk.write(path, bytes, bytes.len() as u64 + beyond, true),
        }
    }

    /// Where output and complaints go; input is put in its place, and files are emptied. `None`: one of them cannot be.
    fn targets(&mut self, redirects: &[Redirect], output: &mut Output) -> Option<(Target, Target)> {
        let (mut out, mut err) = (Target::Out, Target::Err);
        for redirect in redirects {
            let word = self.whole(&redirect.word, output);
            match (redirect.kind, redirect.number) {
                (Kind::Here, _) => self.input = Source::of(&word, word.len() as u64),
                (Kind::From, 0) => self.input = self.source(&word, output)?,
                (Kind::From, _) => {}
                (Kind::Same, 1) => match word.as_slice() {
                    b"2" => out = err.clone(),
                    b"-" => out = Target::Nowhere,
                    _ => {}
                },
                (Kind::Same, 2) => match word.as_slice() {
                    b"1" => err = out.clone(),
                    b"-" => err = Target::Nowhere,
                    _ => {}
                },
                (Kind::Same, _) => {}
                (Kind::To | Kind::Append | Kind::Both, number) => {
                    let target = self.target(&word, redirect.kind == Kind::Append, output)?;
                    match (redirect.kind, number) {
                        (Kind::Both, _) => (out, err) = (target.clone(), target),
                        (_, 1) => out = target,
                        (_, 2) => err = target,
                        _ => {}
                    }
                }
            }
        }
        Some((out, err))
    }

    /// Whether a path calls somebody: he is not reached.
    fn calls(&mut self, word: &[u8], output: &mut Output) -> bool {
        let text = String::from_utf8_lossy(word).into_owned();
        let Some(address) = called_by_path(&text).filter(|_| self.shell.voice.get() != Voice::Dash) else { return false };
        self.place.call(&address);
        let host = text.split('/').nth(3).unwrap_or_default();
        if host.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':')) {
            self.shell.refuse("connect: Network is unreachable", output);
            self.cannot_open(word, "Network is unreachable", output);
        } else {
            let host = crate::safe_text(host.as_bytes(), 200);
            self.shell.refuse(&format!("{host}: Temporary failure in name resolution"), output);
            self.cannot_open(word, "Invalid argument", output);
        }
        true
    }

    fn source(&mut self, word: &[u8], output: &mut Output) -> Option<Source> {
        if self.calls(word, output) {
            return None;
        }
        match self.shell.content(word, self.place) {
            Ok(content) => Some(Source::of(&content.bytes, content.length)),
            Err(what) => {
                self.cannot_open(word, what, output);
                None
            }
        }
    }

    fn cannot_open(&self, word: &[u8], what: &str, output: &mut Output) {
        let word = crate::safe_text(word, 200);
        match self.shell.voice.get() {
            Voice::Dash => {
                let what = if what == "No such file or directory" { "No such file" } else { what };
                self.shell.refuse(&format!("cannot open {word}: {what}"), output);
            }
            _ => self.shell.refuse(&format!("{word}: {what}"), output),
        }
    }

    fn target(&mut self, word: &[u8], appends: bool, output: &mut Output) -> Option<Target> {
        if self.calls(word, output) {
            return None;
        }
        let shell = self.shell;
        let path = self.place.resolve(word, &shell.home());
        let what = match path.as_deref() {
            Some("/dev/null" | "/dev/zero" | "/dev/full") => return Some(Target::Nowhere),
            Some("/dev/stdout" | "/dev/tty" | "/dev/fd/1" | "/proc/self/fd/1") => return Some(Target::Out),
            Some("/dev/stderr" | "/dev/fd/2") => return Some(Target::Err),
            // One that stands for a command.
            Some(path) if path.starts_with("/dev/fd/") && self.place.disk.file(path).is_some() => Ok(()),
            Some(path) => shell.may_write(path, self.place),
            None => Err("No such file or directory"),
        };
        match (what, path) {
            (Ok(()), Some(path)) => {
                let old = if appends { shell.content(word, self.place).ok() } else { None };
                let is_new = self.place.disk.file(&path).is_none();
                if let Some(old) = old.filter(|_| is_new) {
                    self.place.disk.write(&path, &old.bytes, old.length, false);
                }
                self.place.disk.write(&path, b"", 0, appends);
                Some(Target::File { path })
            }
            (what, _) => {
                let what = what.err().unwrap_or("No such file or directory");
                if self.shell.voice.get() == Voice::Dash {
                    let what = if what == "No such file or directory" { "Directory nonexistent" } else { what };
                    shell.refuse(&format!("cannot create {}: {what}", crate::safe_text(word, 200)), output);
                } else {
                    self.cannot_open(word, what, output);
                }
                None
            }
        }
    }
}
