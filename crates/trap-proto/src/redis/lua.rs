//! What a small script in Lua gives back: texts, sums, tables, the server's own commands, and what is not there, which is what
//! strangers try a server with.
//!
//! A script is read twice: for what its compiler would have against it, and then once from its beginning to its end. There are no
//! loops, no branches and no functions of its own: whoever brings some gets nothing back, like whoever brings none of them and
//! forgets to `return`.

mod library;
mod read;
mod run;
mod value;

pub(super) use value::Value;

use alloc::{format, string::String, vec::Vec};

/// The longest script that is understood, in bytes.
pub(super) const SCRIPT_BYTES_MAX: usize = 4 * 1_024;

/// How a script ends, if not by its last line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stop {
    /// The compiler refuses it, at a line.
    Compile(String, u32),
    /// It fails, at a line; the words are whole.
    Fails(Vec<u8>, u32),
    /// It is not understood here.
    Unknown,
}

/// A script with what is given to it.
pub(super) struct Script<'a> {
    pub(super) text: &'a [u8],
    pub(super) keys: &'a [Vec<u8>],
    pub(super) arguments: &'a [Vec<u8>],
}

/// What a script gives back; or its error, as the server says it behind the minus. `call` runs a command, and gives its answer.
pub(super) fn run(script: &Script<'_>, sha1: &str, call: &mut dyn FnMut(&[Vec<u8>]) -> Vec<u8>) -> Result<Value, Vec<u8>> {
    if script.text.len() > SCRIPT_BYTES_MAX {
        return Ok(Value::Nil);
    }
    let checked = run::Run::new(script, None).chunk();
    let ended = checked.and_then(|_| run::Run::new(script, Some(call)).chunk());
    match ended {
        Ok(value) => Ok(value),
        Err(Stop::Unknown) => Ok(Value::Nil),
        Err(Stop::Compile(words, line)) => Err(refusal(&words, line)),
        Err(Stop::Fails(words, line)) => {
            let behind = format!(" script: {sha1}, on @user_script:{line}.");
            Err([&words[..], behind.as_bytes()].concat())
        }
    }
}

/// What the compiler has against a script, as the server says it behind the minus.
pub(super) fn compiled(script: &Script<'_>) -> Result<(), Vec<u8>> {
    match run::Run::new(script, None).chunk() {
        Err(Stop::Compile(words, line)) => Err(refusal(&words, line)),
        _ => Ok(()),
    }
}

fn refusal(words: &str, line: u32) -> Vec<u8> {
    format!("ERR Error compiling script (new function): user_script:{line}: {words}").into_bytes()
}

#[cfg(test)]
mod tests;
