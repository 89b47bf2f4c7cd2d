//! What the server knows of a client beside what it stores: `CLIENT INFO`.

use super::{Server, channels::Kind};
use crate::{persona::derived, redis::info::Host, text::safe_text};
use alloc::{format, string::String, vec::Vec};
use honeymesh_types::WallTime;

/// The longest name of a client or of its library that is kept, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 128;

/// A connection and its habits.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    /// Its number, and when it said something first: it comes with that.
    begun: Option<(u64, WallTime)>,
    now: WallTime,
    /// Where it says that it comes from, once it is asked.
    port: Option<u16>,
    pub(super) is_tracking: bool,
    pub(super) is_kept: bool,
    pub(super) is_untouching: bool,
    /// What its library calls itself, and its version.
    pub(super) library: [Vec<u8>; 2],
}

impl About {
    pub(super) const fn new() -> Self {
        Self {
            begun: None,
            now: WallTime(0),
            port: None,
            is_tracking: false,
            is_kept: false,
            is_untouching: false,
            library: [Vec::new(), Vec::new()],
        }
    }

    /// Something is said.
    pub(super) fn begin(&mut self, now: WallTime, host: &Host, seed: u64) {
        self.begun.get_or_insert_with(|| (host.connection(now, seed), now));
        self.now = now;
    }

    /// The connection's number.
    pub(super) fn connection(&self) -> u64 {
        self.begun.map_or(0, |(number, _)| number)
    }

    /// What `RESET` forgets: not the library.
    pub(super) fn reset(&mut self) {
        let (begun, now, port, library) = (self.begun, self.now, self.port, core::mem::take(&mut self.library));
        *self = Self { begun, now, port, library, ..Self::new() };
    }

    fn port(&mut self, host: &Host, seed: u64) -> u16 {
        *self.port.get_or_insert_with(|| {
            let [low, high, ..] = derived(&host.key, &[b"port", &seed.to_le_bytes()]);
            32_768 + u16::from_le_bytes([low, high]) % 28_232
        })
    }

    fn age(&self) -> u64 {
        self.begun.map_or(0, |(_, begun)| self.now.0.saturating_sub(begun.0) / 1_000_000)
    }
}

impl Server {
    /// What the server knows of this client. It does not know where it is: so says a server behind a proxy on its own machine.
    pub(super) fn about(&mut self, sub: &str) -> String {
        let port = self.about.port(&self.host, self.seed);
        let about = &self.about;
        let shown = |name: &[u8]| safe_text(name.split(|byte| *byte == 0).next().unwrap_or_default(), NAME_BYTES_MAX);
        let (id, name, resp) = (about.connection(), shown(&self.name), if self.is_resp3 { 3 } else { 2 });
        let running = self.transaction.running();
        let marks = [
            (self.is_listening(), 'P'),
            (running.is_some(), 'x'),
            (about.is_tracking, 't'),
            (about.is_kept, 'e'),
            (about.is_untouching, 'T'),
        ];
        let flags: String = marks.iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| *mark).collect();
        let flags = if flags.is_empty() { "N" } else { &flags };
        let [sub_, psub, ssub] = [Kind::Channel, Kind::Pattern, Kind::Shard].map(|kind| self.channels.of(kind));
        let multi = running.map_or_else(|| String::from("-1"), |count| format!("{count}"));
        let said = running.map_or_else(|| format!("client|{sub}"), |_| String::from("exec"));
        let (user, [library, version]) = (shown(self.who()), [0, 1].map(|at| shown(&about.library[at])));
        let redirected = if about.is_tracking { 0 } else { -1 };
        format!(
            "id={id} addr=127.0.0.1:{port} laddr=127.0.0.1:6379 fd=8 name={name} age={} idle=0 flags={flags} db={} sub={sub_} psub={psub} \
             ssub={ssub} multi={multi} watch={} qbuf=26 qbuf-free=20448 argv-mem=10 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 \
             tot-mem=22426 events=r cmd={said} user={user} redir={redirected} resp={resp} lib-name={library} lib-ver={version} \
             io-thread=0\n",
            about.age(),
            self.data.selected,
            self.transaction.watched(),
        )
    }
}
