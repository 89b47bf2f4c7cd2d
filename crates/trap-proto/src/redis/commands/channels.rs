//! Listening to channels, on which nothing is ever said.

use super::{Meaning, REPEATED_BYTES_MAX, Reply, Server};
use alloc::vec::Vec;

/// What one connection listens to at most; more is answered, and not listened to.
const CHANNELS_MAX: usize = 32;

/// Channels, patterns of their names, and channels of a part of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Channel,
    Pattern,
    Shard,
}

/// What is listened to, as it came, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Channels(Vec<(Kind, Vec<u8>)>);

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
        Self(Vec::new())
    }

    fn change(&mut self, (kind, joins): (Kind, bool), name: &[u8]) {
        let of = |(known_kind, known): &(Kind, Vec<u8>)| *known_kind == kind && known == name;
        if !joins {
            self.0.retain(|known| !of(known));
        } else if self.0.len() < CHANNELS_MAX && !self.0.iter().any(of) {
            self.0.push((kind, name.to_vec()));
        }
    }

    fn names(&self, kind: Kind) -> Vec<Vec<u8>> {
        self.0.iter().filter(|(known, _)| *known == kind).map(|(_, name)| name.clone()).collect()
    }

    /// Those of a cluster's part are counted for themselves.
    fn count(&self, kind: Kind) -> usize {
        self.0.iter().filter(|(known, _)| (*known == Kind::Shard) == (kind == Kind::Shard)).count()
    }
}

impl Server {
    /// Whether it was about channels, or not to be said by who listens to some.
    pub(super) fn listen(&mut self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> Option<Meaning> {
        match command {
            _ if is_always_told(command) => self.changed(command, arguments, reply),
            _ if self.channels.0.is_empty() || self.is_resp3 || matches!(command, b"quit" | b"reset") => return None,
            b"ping" => {
                reply.raw("*2\r\n");
                reply.bulk(b"pong");
                reply.bulk(arguments.first().map(|text| shown(text)).unwrap_or_default());
            }
            _ => {
                reply.raw("-ERR Can't execute '");
                reply.repeat(command, REPEATED_BYTES_MAX);
                reply.raw("': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n");
            }
        }
        Some(Meaning::Plain)
    }

    /// A message for each channel that is named, or for each of that kind that there is.
    fn changed(&mut self, command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) {
        let Some(what) = asked(command) else { return };
        let all = if arguments.is_empty() { self.channels.names(what.0) } else { Vec::new() };
        let named = if all.is_empty() { arguments } else { &all };
        for name in named.iter().take(CHANNELS_MAX).map(|name| shown(name)) {
            self.channels.change(what, name);
            self.told(command, Some(name), what.0, reply);
        }
        if named.is_empty() {
            self.told(command, None, what.0, reply);
        }
    }

    fn told(&self, command: &[u8], name: Option<&[u8]>, kind: Kind, reply: &mut Reply<'_>) {
        reply.push(3);
        reply.bulk(command);
        match name {
            Some(name) => reply.bulk(name),
            None => reply.nil(),
        }
        reply.number(self.channels.count(kind));
    }
}

fn shown(name: &[u8]) -> &[u8] {
    name.get(..REPEATED_BYTES_MAX).unwrap_or(name)
}
