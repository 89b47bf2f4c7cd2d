//! Listening to channels, on which nothing is ever said.

use super::{Reply, Server};
use alloc::{collections::BTreeSet, vec::Vec};

/// What the names that are kept may take in an answer that tells them all, in bytes; further ones are counted only.
const KEPT_BYTES_MAX: usize = 16 * 1_024;
/// What an answer has for each name, besides the name, in bytes: at most.
const EACH_BYTES: usize = 64;
/// The longest answer, in bytes; what is behind that is not told.
const ANSWER_BYTES_MAX: usize = 18 * 1_024;

/// Channels, patterns of their names, and channels of a part of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Channel,
    Pattern,
    Shard,
}

/// What is listened to, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Channels {
    kept: BTreeSet<(Kind, Vec<u8>)>,
    /// What those that are kept take of [`KEPT_BYTES_MAX`].
    bytes: usize,
    /// How many of each kind there are, and how many of these are not kept.
    counts: [usize; 3],
    others: [usize; 3],
}

/// What a command is about, and whether it begins to listen.
fn asked(command: &[u8]) -> Option<(Kind, bool)> {
    Some(match command {
        b"subscribe" => (Kind::Channel, true),
        b"psubscribe" => (Kind::Pattern, true),
        b"ssubscribe" => (Kind::Shard, true),
        b"unsubscribe" => (Kind::Channel, false),
        b"punsubscribe" => (Kind::Pattern, false),
        b"sunsubscribe" => (Kind::Shard, false),
        _ => return None,
    })
}

/// Whether it is answered even where no answers are wanted.
pub(super) fn is_always_told(command: &[u8]) -> bool {
    asked(command).is_some()
}

impl Channels {
    pub(super) const fn new() -> Self {
        Self { kept: BTreeSet::new(), bytes: 0, counts: [0; 3], others: [0; 3] }
    }

    fn change(&mut self, (kind, joins): (Kind, bool), name: &[u8]) {
        let bytes = name.len() + EACH_BYTES;
        let known = (kind, name.to_vec());
        let (count, others) = (&mut self.counts[kind as usize], &mut self.others[kind as usize]);
        match (joins, self.kept.contains(&known)) {
            (true, true) => return,
            (true, false) if self.bytes + bytes > KEPT_BYTES_MAX => *others += 1,
            (true, false) => {
                self.bytes += bytes;
                self.kept.insert(known);
            }
            (false, true) => {
                self.bytes -= bytes;
                self.kept.remove(&known);
            }
            (false, false) if *others == 0 => return,
            (false, false) => *others -= 1,
        }
        *count = if joins { *count + 1 } else { *count - 1 };
    }

    /// All names of a kind that are known. Who wants them all does so to leave them: those that are not known are left with this.
    fn all(&mut self, kind: Kind) -> Vec<Vec<u8>> {
        self.counts[kind as usize] -= core::mem::take(&mut self.others[kind as usize]);
        self.kept.iter().filter(|(known, _)| *known == kind).map(|(_, name)| name.clone()).collect()
    }

    /// How many of a kind.
    pub(super) const fn of(&self, kind: Kind) -> usize {
        self.counts[kind as usize]
    }

    /// Those of a cluster's part are counted for themselves.
    const fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Shard => self.of(kind),
            Kind::Channel | Kind::Pattern => self.of(Kind::Channel) + self.of(Kind::Pattern),
        }
    }
}

impl Server {
    pub(super) fn is_listening(&self) -> bool {
        self.channels.counts != [0; 3]
    }

    /// Whether it was about channels, or is answered otherwise by who listens to some.
    pub(super) fn listen(&mut self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
        match command {
            _ if is_always_told(command) => self.changed(command, arguments, reply),
            b"ping" if self.is_listening() && !self.is_resp3 => {
                reply.raw("*2\r\n");
                reply.bulk(b"pong");
                reply.bulk(arguments.first().map(Vec::as_slice).unwrap_or_default());
            }
            _ => return false,
        }
        true
    }

    /// A message for each channel that is named, or for each of that kind that there is.
    fn changed(&mut self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) {
        let Some(what) = asked(command) else { return };
        let all = if arguments.is_empty() { self.channels.all(what.0) } else { Vec::new() };
        let named = if all.is_empty() { arguments } else { &all };
        let from = reply.answer.len();
        for name in named {
            self.channels.change(what, name);
            if reply.answer.len() - from + name.len() + EACH_BYTES <= ANSWER_BYTES_MAX {
                told(command, Some(name), self.channels.count(what.0), reply);
            }
        }
        if named.is_empty() {
            told(command, None, self.channels.count(what.0), reply);
        }
    }
}

fn told(command: &[u8], name: Option<&[u8]>, count: usize, reply: &mut Reply<'_>) {
    reply.push(3);
    reply.bulk(command);
    match name {
        Some(name) => reply.bulk(name),
        None => reply.nil(),
    }
    reply.number(count);
}
