//! Conversations with a server, kept as text: what was sent, and what it answered.

use super::{line::Line, wire::Layer};
use honeymesh_types::Transport;
use std::{fmt::Write as _, io, net::SocketAddr, time::Duration};
use tokio::time::{Instant, timeout};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(6);
/// The same to a datagram that is known to be answered otherwise, if at all.
const PATIENCE_IF_DIFFERENT: Duration = Duration::from_secs(1);
/// How long it is listened whether more comes than was expected.
const AFTERWARDS: Duration = Duration::from_millis(80);
/// By how much sooner an answer is taken for whole where something is laid over the connection behind it.
const HASTE: u32 = 12;
/// The most that one answer may be, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1_024;
/// The same byte that often in a row is written as a count.
const RUN_MIN: usize = 48;

/// One thing said, and what it was answered with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// What is laid over the connection before anything is said.
    pub layer: Option<Layer>,
    pub said: Vec<u8>,
    /// The answer came from another port than the one that was asked.
    pub has_moved: bool,
    pub heard: Vec<u8>,
}

/// One connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    pub name: String,
    /// The first turn says nothing: it is the greeting.
    pub turns: Vec<Turn>,
    /// The server has closed it.
    pub closed: bool,
    /// Why the trap answers something else, where it is known to.
    pub differs: Option<String>,
}

/// How a conversation that is known is heard again.
pub enum Ear<'a> {
    /// Until nothing came for so long: nothing is known of it.
    Silence(Duration),
    /// Until what came, with its changing parts hidden, is what was expected.
    Expected(&'a Conversation, &'a (dyn Fn(usize, &[u8]) -> Vec<u8> + Sync)),
}

impl Ear<'_> {
    /// One that soon has heard enough.
    fn hasty(&self) -> Self {
        match self {
            Self::Silence(silence) => Self::Silence(*silence / HASTE),
            Self::Expected(known, hide) => Self::Expected(known, *hide),
        }
    }
}

impl Conversation {
    /// Says the same to `address`, and takes down what it answers.
    pub async fn repeat(&self, over: Transport, address: SocketAddr, ear: &Ear<'_>) -> io::Result<Self> {
        let mut line = Line::open(over, address).await?;
        let mut heard = Self { name: self.name.clone(), differs: self.differs.clone(), ..Self::default() };
        for (index, turn) in self.turns.iter().enumerate() {
            if index == 0 && !line.can_be_greeted() {
                heard.turns.push(Turn::default());
                continue;
            }
            // A server that has closed is told nothing more.
            if let Some(layer) = turn.layer.as_ref().filter(|_| !heard.closed) {
                line.lay(layer).await;
            }
            heard.closed = heard.closed || line.say(&turn.said).await.is_err();
            let is_last = index + 1 == self.turns.len();
            // Whoever waits to speak TLS is not kept waiting: MariaDB waits ten seconds.
            let is_layered = self.turns.get(index + 1).is_some_and(|next| next.layer.is_some());
            let (answer, closed) = match heard.closed {
                true => (Vec::new(), true),
                false if is_layered => listen(&mut line, index, is_last, &ear.hasty()).await,
                false => listen(&mut line, index, is_last, ear).await,
            };
            heard.closed = closed;
            heard.turns.push(Turn { has_moved: line.has_moved(), heard: answer, ..turn.clone() });
        }
        Ok(heard)
    }
}

/// One answer, and whether it was the last.
async fn listen(line: &mut Line, index: usize, is_last: bool, ear: &Ear<'_>) -> (Vec<u8>, bool) {
    let mut answer = Vec::new();
    let differs = matches!(ear, Ear::Expected(known, _) if known.differs.is_some());
    let patience = if differs && !line.can_be_greeted() { PATIENCE_IF_DIFFERENT } else { PATIENCE };
    let end = Instant::now() + patience;
    while answer.len() < ANSWER_BYTES_MAX {
        let wait = match ear {
            // A page that a program makes may take a while to begin.
            Ear::Silence(silence) if answer.is_empty() && index > 0 => 3 * *silence,
            Ear::Silence(silence) => *silence,
            Ear::Expected(known, hide) => {
                let complete = known.turns.get(index).is_some_and(|turn| turn.heard == hide(index, &answer));
                if complete && !(is_last && known.closed) { AFTERWARDS } else { end.saturating_duration_since(Instant::now()) }
            }
        };
        match timeout(wait, line.hear()).await {
            Err(_) => return (answer, false),
            Ok(Err(_)) => return (answer, true),
            Ok(Ok(chunk)) if chunk.is_empty() => return (answer, true),
            Ok(Ok(chunk)) => answer.extend(chunk),
        }
    }
    (answer, false)
}

/// Bytes as lines that can be read: each with `mark` before it, one for each line of what was said.
pub fn write_bytes(mark: char, bytes: &[u8], text: &mut String) {
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let mut rest = line;
        while !rest.is_empty() {
            let run = rest.iter().take_while(|byte| **byte == rest[0]).count();
            if run >= RUN_MIN {
                writeln!(text, "{mark}*{run} {}", rest[..1].escape_ascii()).unwrap();
                rest = &rest[run..];
                continue;
            }
            let next =
                (1..=rest.len().saturating_sub(RUN_MIN)).find(|at| rest[*at..*at + RUN_MIN].iter().all(|b| *b == rest[*at]));
            let (piece, left) = rest.split_at(next.unwrap_or(rest.len()));
            writeln!(text, "{mark} {}", piece.escape_ascii()).unwrap();
            rest = left;
        }
    }
}

/// The same back: one line behind its mark.
pub fn read_bytes(line: &str) -> Result<Vec<u8>, String> {
    if let Some(run) = line.strip_prefix('*') {
        let (count, what) = run.split_once(' ').ok_or("a count and what is repeated")?;
        let count: usize = count.parse().map_err(|_| format!("no count: {count}"))?;
        return Ok(unescape(what)?.repeat(count));
    }
    unescape(line.strip_prefix(' ').unwrap_or(line))
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b'r') => b'\r',
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'x') => {
                    let digits = [rest.next(), rest.next()].map(|digit| char::from(digit.unwrap_or(b'?')).to_digit(16));
                    let [Some(high), Some(low)] = digits else { return Err(format!("two hexadecimal digits: {text}")) };
                    u8::try_from(high * 16 + low).unwrap()
                }
                Some(byte @ (b'\\' | b'"' | b'\'')) => byte,
                _ => return Err(format!("no such escape: {text}")),
            },
            byte => byte,
        });
    }
    Ok(bytes)
}

#[test]
fn bytes_are_written_and_read_without_loss() {
    let all: Vec<u8> = (0..=255).collect();
    let table: [&[u8]; 5] = [b"", b"a\r\nb\n", &all, &[b'x'; 500], &[b"ab".as_slice(), &[b'y'; 60], b"\nz"].concat()];
    for bytes in table {
        let mut text = String::new();
        write_bytes('<', bytes, &mut text);
        let read: Vec<Vec<u8>> = text.lines().map(|line| read_bytes(&line[1..]).unwrap()).collect();
        assert_eq!(read.concat(), bytes, "{text}");
        assert!(text.lines().all(|line| line.len() < 1_100), "{text}");
    }
}
