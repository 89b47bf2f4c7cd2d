//! Scripts: what they give back, and which are known by their number.

use super::{
    Meaning, NO_MEMORY, Reply, Server,
    channels::Channels,
    clients::no_permission,
    gate,
    role::{READ_ONLY, writes},
};
use crate::{
    redis::lua::{self, Script, Value},
    text::{hex, safe_text},
};
use alloc::{format, string::String, vec::Vec};
use honeymesh_types::WallTime;
use sha1::{Digest, Sha1};

/// Scripts that are known by their number; with more, those that came first are forgotten.
const SCRIPTS_MAX: usize = 8;
/// The most that they give back, in bytes of the answer.
const RESULT_BYTES_MAX: usize = 18 * 1_024;
/// What a script is refused that was said to write nothing, and what counts as writing besides: commands that may be passed on to replicas.
const NO_WRITES: &str = "-ERR Write commands are not allowed from read-only scripts.\r\n";
const MAY_REPLICATE: [&[u8]; 3] = [b"publish", b"spublish", b"pfcount"];

/// What a script is known by.
fn number(script: &[u8]) -> String {
    hex(&Sha1::digest(script))
}

impl Server {
    /// Whether it was a command about scripts, and what it means.
    pub(super) fn script(
        &mut self,
        command: &[u8],
        arguments: &[Vec<u8>],
        now: WallTime,
        answer: &mut Vec<u8>,
    ) -> Option<Meaning> {
        match (command, arguments) {
            (b"eval" | b"eval_ro", [script, keys, rest @ ..]) => {
                self.evaluated(script, keys, rest, command == b"eval_ro", now, answer);
            }
            (b"evalsha" | b"evalsha_ro", [wanted, keys, rest @ ..]) => {
                let wanted = wanted.to_ascii_lowercase();
                match self.scripts.iter().find(|(number, _)| number.as_bytes() == wanted).map(|(_, script)| script.clone()) {
                    Some(script) => self.evaluated(&script, keys, rest, command == b"evalsha_ro", now, answer),
                    None => answer.extend_from_slice(b"-NOSCRIPT No matching script. Please use EVAL.\r\n"),
                }
            }
            (b"script", [sub, rest @ ..]) => return Some(self.of_scripts(&sub.to_ascii_lowercase(), rest, answer)),
            (b"eval" | b"eval_ro" | b"evalsha" | b"evalsha_ro" | b"script", _) => {
                let name = safe_text(command, 16);
                answer.extend_from_slice(format!("-ERR wrong number of arguments for '{name}' command\r\n").as_bytes());
                return Some(Meaning::Plain);
            }
            _ => return None,
        }
        Some(Meaning::Abuse)
    }

    fn of_scripts(&mut self, sub: &[u8], arguments: &[Vec<u8>], answer: &mut Vec<u8>) -> Meaning {
        let mut reply = Reply { answer, is_resp3: self.is_resp3 };
        match (sub, arguments) {
            (b"load", [script]) => {
                let nothing = Script { text: script, keys: &[], arguments: &[] };
                match lua::compiled(&nothing) {
                    Ok(()) => reply.bulk(self.known(script).as_bytes()),
                    Err(error) => reply.error(&error),
                }
                return Meaning::Abuse;
            }
            (b"exists", [_, ..]) => {
                reply.raw(&format!("*{}\r\n", arguments.len()));
                for wanted in arguments {
                    let wanted = wanted.to_ascii_lowercase();
                    reply.number(self.scripts.iter().filter(|(number, _)| number.as_bytes() == wanted).count());
                }
            }
            (b"flush", _) => {
                self.scripts.clear();
                reply.raw("+OK\r\n");
            }
            (b"kill", []) => reply.raw("-NOTBUSY No scripts in execution right now.\r\n"),
            (b"load" | b"exists", _) => {
                reply.raw(&format!("-ERR wrong number of arguments for 'script|{}' command\r\n", safe_text(sub, 16)));
            }
            _ => {
                let shown = safe_text(sub, super::REPEATED_BYTES_MAX);
                reply.raw(&format!("-ERR unknown subcommand '{shown}'. Try SCRIPT HELP.\r\n"));
            }
        }
        Meaning::Plain
    }

    /// Keeps a script, and says its number. Of one that is too long to be understood so much is kept that it still is.
    fn known(&mut self, script: &[u8]) -> String {
        let number = number(script);
        if self.scripts.iter().all(|(known, _)| *known != number) {
            self.scripts.truncate(SCRIPTS_MAX - 1);
            let kept = script.get(..=lua::SCRIPT_BYTES_MAX).unwrap_or(script);
            self.scripts.insert(0, (number.clone(), kept.to_vec()));
        }
        number
    }

    /// `writes_nothing`: it was asked for as a script that does not write.
    fn evaluated(
        &mut self,
        script: &[u8],
        keys: &[u8],
        rest: &[Vec<u8>],
        writes_nothing: bool,
        now: WallTime,
        answer: &mut Vec<u8>,
    ) {
        let keys = match core::str::from_utf8(keys).ok().and_then(|digits| digits.parse::<i64>().ok()).map(usize::try_from) {
            None => return answer.extend_from_slice(b"-ERR value is not an integer or out of range\r\n"),
            Some(Err(_)) => return answer.extend_from_slice(b"-ERR Number of keys can't be negative\r\n"),
            Some(Ok(keys)) => keys,
        };
        let Some((keys, arguments)) = rest.split_at_checked(keys) else {
            return answer.extend_from_slice(b"-ERR Number of keys can't be greater than number of args\r\n");
        };
        let given = Script { text: script, keys, arguments };
        if let Err(error) = lua::compiled(&given) {
            return Reply { answer, is_resp3: self.is_resp3 }.error(&error);
        }
        let number = self.known(script);
        // A script speaks the older protocol, listens to nothing, waits for nothing, and wants its answers.
        let (is_resp3, may_wait) = (core::mem::take(&mut self.is_resp3), core::mem::take(&mut self.may_wait));
        let channels = core::mem::replace(&mut self.channels, Channels::new());
        let replies = core::mem::take(&mut self.replies);
        let result = lua::run(&given, &number, &mut |words| self.called(words, writes_nothing, now));
        (self.is_resp3, self.may_wait, self.channels, self.replies) = (is_resp3, may_wait, channels, replies);
        let from = answer.len();
        let mut reply = Reply { answer, is_resp3 };
        match &result {
            Ok(value) => reply.value(value),
            Err(error) => reply.error(error),
        }
        if answer.len() - from > RESULT_BYTES_MAX {
            answer.truncate(from);
            answer.extend_from_slice(NO_MEMORY.as_bytes());
        }
    }

    /// The answer to a command that a script runs.
    fn called(&mut self, words: &[Vec<u8>], writes_nothing: bool, now: WallTime) -> Vec<u8> {
        let lower = words.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
        let arguments = words.get(1..).unwrap_or_default();
        match gate::scripted(&lower, arguments) {
            Err(error) => format!("-ERR {error}\r\n").into_bytes(),
            Ok(named) if !self.may_run(&named, arguments) => {
                [b"-ERR ACL failure in script: ", &no_permission(self.who(), &named.name)[..], b"\r\n"].concat()
            }
            Ok(named) if writes_nothing && (writes(&named) || MAY_REPLICATE.contains(&named.name.as_slice())) => NO_WRITES.into(),
            Ok(named) if self.is_read_only_for(&named) => READ_ONLY.into(),
            Ok(_) => {
                let mut answer = Vec::new();
                let _ = self.carried_out(&lower, words, now, &mut answer);
                answer
            }
        }
    }
}

/// A number without what is behind its point; what has no room is the lowest that has, as the processor makes it.
fn whole(number: f64) -> i64 {
    const ROOM: f64 = 9_223_372_036_854_775_808.0;
    #[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
    if (-ROOM..ROOM).contains(&number) { number as i64 } else { i64::MIN }
}

impl Reply<'_> {
    /// An error in one line.
    fn error(&mut self, words: &[u8]) {
        self.raw("-");
        self.answer.extend(words.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
        self.raw("\r\n");
    }

    /// What a script gives back: numbers without what is behind their point, tables up to the first that is nothing.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Text(text) => self.bulk(text),
            Value::Number(number) => self.raw(&format!(":{}\r\n", whole(*number))),
            Value::Bool(true) => self.raw(":1\r\n"),
            Value::Nil | Value::Bool(false) | Value::Function(..) => self.nil(),
            Value::Library(_) => self.raw("*0\r\n"),
            Value::Table(placed, named) => {
                let text = |wanted: &[u8]| named.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.text());
                if let Some(error) = text(b"err") {
                    return self.error(&error);
                }
                if let Some(status) = text(b"ok") {
                    self.raw("+");
                    self.answer.extend(status.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
                    return self.raw("\r\n");
                }
                let count = placed.iter().position(|value| *value == Value::Nil).unwrap_or(placed.len());
                self.raw(&format!("*{count}\r\n"));
                placed.iter().take(count).for_each(|value| self.value(value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Persona, redis::info::Host};
    use alloc::vec;

    #[test]
    fn of_long_scripts_little_is_kept_and_they_are_known_all_the_same() {
        let persona = Persona::of([7; 32]);
        let mut server = Server::new("8".into(), Host::of(&persona).into(), 1);
        let scripts: Vec<Vec<u8>> = (b'a'..=b'z').map(|byte| [b"return 1 --", vec![byte; 60_000].as_slice()].concat()).collect();
        let mut asked = |words: &[&[u8]]| {
            let words: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
            let mut answer = Vec::new();
            server.run(&words, WallTime(0), &mut answer);
            (String::from_utf8(answer).unwrap(), server.scripts.iter().map(|(_, script)| script.len()).sum::<usize>())
        };
        for script in &scripts {
            let (loaded, kept) = asked(&[b"SCRIPT", b"LOAD", script]);
            assert_eq!(loaded, format!("$40\r\n{}\r\n", number(script)));
            assert!(kept <= SCRIPTS_MAX * (lua::SCRIPT_BYTES_MAX + 1), "{kept}");
        }
        let last = number(scripts.last().unwrap());
        assert_eq!(asked(&[b"SCRIPT", b"EXISTS", last.as_bytes()]).0, "*1\r\n:1\r\n");
        assert_eq!(asked(&[b"EVALSHA", last.as_bytes(), b"0"]).0, asked(&[b"EVAL", scripts.last().unwrap(), b"0"]).0);
    }
}
