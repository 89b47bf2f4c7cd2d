//! What each command is answered.

mod about;
mod channels;
mod clients;
mod expiry;
mod gate;
mod hashes;
mod keys;
mod known;
mod lists;
mod meaning;
mod memory;
mod others;
mod ranges;
mod reply;
mod role;
mod scan;
mod scripts;
mod sets;
mod sort;
mod sorted;
mod stored;
mod texts;
mod transaction;
mod unions;
mod users;
mod waiting;

pub(super) use stored::REPLY_BYTES_MAX;
pub(super) use waiting::Wait;

use super::{
    data::{Data, NO_MEMORY, glob::fits},
    info::{self, Facts, Host},
};
use crate::{store::VALUE_BYTES_MAX, text::safe_text};
use about::About;
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use channels::Channels;
use honeymesh_types::WallTime;
use reply::Reply;
use role::{MASTER_SETTINGS, READ_ONLY_SETTINGS, Role};
use stored::Steps;
use transaction::Transaction;
use users::Users;

/// Settings that can be told to be something else.
const SETTINGS_MAX: usize = SETTINGS.len() + OTHER_SETTINGS.len();
/// The longest name and the longest value of one, in bytes.
const SETTING_BYTES_MAX: usize = 128;
/// Databases.
const DATABASES: i64 = 16;
/// Tells the order of what has none from whatever else a session's seed makes.
const SALT: u64 = 0x6b65_7973_7061_6365;
/// Words of an unknown command that its error repeats, in bytes: Redis' own limit.
const REPEATED_BYTES_MAX: usize = 128;

/// What a configuration says that nobody changed.
const SETTINGS: [(&str, &str); 16] = [
    ("dir", "/var/lib/redis"),
    ("dbfilename", "dump.rdb"),
    ("requirepass", ""),
    ("protected-mode", "no"),
    ("bind", "* -::*"),
    ("port", "6379"),
    ("save", "3600 1 300 100 60 10000"),
    ("appendonly", "no"),
    ("maxmemory", "0"),
    ("maxclients", "10000"),
    ("databases", "16"),
    ("logfile", "/var/log/redis/redis-server.log"),
    ("pidfile", "/run/redis/redis-server.pid"),
    ("rdbcompression", "yes"),
    ("slave-read-only", "yes"),
    ("replica-read-only", "yes"),
];

/// Settings that may be told to be something else, besides.
const OTHER_SETTINGS: [&str; 22] = [
    "maxmemory-policy",
    "maxmemory-samples",
    "timeout",
    "tcp-keepalive",
    "loglevel",
    "masterauth",
    "masteruser",
    "appendfsync",
    "stop-writes-on-bgsave-error",
    "rdbchecksum",
    "slave-serve-stale-data",
    "replica-serve-stale-data",
    "lua-time-limit",
    "notify-keyspace-events",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "hz",
    "activedefrag",
    "repl-timeout",
    "replica-priority",
    "slave-priority",
    "min-replicas-to-write",
];

/// What a command means to a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A look around.
    Plain,
    /// A password was offered.
    Login,
    /// The server is told to write, load or run something, or to be somebody's replica.
    Abuse,
    /// The connection ends.
    Leave,
}

/// Whether the client wants answers, as it says with `CLIENT REPLY`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Replies {
    /// None, until it says otherwise.
    are_off: bool,
    /// None to this command.
    are_skipped: bool,
    /// None to the next one.
    are_skipped_next: bool,
}

impl Replies {
    const ON: Self = Self { are_off: false, are_skipped: false, are_skipped_next: false };

    const fn are_wanted(self) -> bool {
        !self.are_off && !self.are_skipped
    }

    /// A command is done.
    const fn next(self) -> Self {
        Self { are_skipped: self.are_skipped_next, are_skipped_next: false, ..self }
    }
}

/// The server as one connection sees it.
pub(super) struct Server {
    version: Arc<str>,
    host: Arc<Host>,
    /// Makes what nobody should be able to tell from anything else.
    seed: u64,
    about: About,
    users: Users,
    /// Who the client is; `None`: nobody yet.
    user: Option<Vec<u8>>,
    /// Passwords that were made on demand.
    passwords: u64,
    replies: Replies,
    data: Data,
    /// What commands may still look at.
    steps: Steps,
    /// Makes what is left to chance.
    chance: u64,
    /// The moment of the latest command, in milliseconds since 1970.
    now_ms: i64,
    /// Commands may wait: not in transactions and scripts.
    may_wait: bool,
    /// What the latest one waits for.
    waits: Option<Wait>,
    settings: BTreeMap<String, String>,
    role: Role,
    /// The newer protocol was asked for (RESP3).
    is_resp3: bool,
    /// What the client calls itself.
    name: Vec<u8>,
    channels: Channels,
    /// Scripts with their numbers, the latest first.
    scripts: Vec<(String, Vec<u8>)>,
    transaction: Transaction,
}

impl Server {
    pub(super) const fn new(version: Arc<str>, host: Arc<Host>, seed: u64) -> Self {
        Self {
            version,
            host,
            seed,
            about: About::new(),
            users: Users::new(),
            user: None,
            passwords: 0,
            replies: Replies::ON,
            data: Data::new(seed ^ SALT),
            steps: Steps::new(),
            chance: seed.rotate_left(17),
            now_ms: 0,
            may_wait: true,
            waits: None,
            settings: BTreeMap::new(),
            role: Role::new(),
            is_resp3: false,
            name: Vec::new(),
            channels: Channels::new(),
            scripts: Vec::new(),
            transaction: Transaction::new(),
        }
    }

    /// Stores what was there before the stranger came.
    pub(super) fn store(&mut self, key: &[u8], value: &[u8]) {
        let _ = self.data.put_text(key, value);
    }

    /// How long the latest command waits, if it does.
    pub(super) const fn waits(&mut self) -> Option<Wait> {
        self.waits.take()
    }

    /// What a command means that comes while another one waits: it is not run.
    pub(super) fn meant(words: &[Vec<u8>]) -> Meaning {
        let Some((command, arguments)) = words.split_first() else { return Meaning::Plain };
        meaning::meant(&command.to_ascii_lowercase(), arguments)
    }

    /// Appends the answer to a command of at least one word. What it means is told, even where it is refused, and whether the
    /// connection ends with it.
    pub(super) fn run(&mut self, words: &[Vec<u8>], now: WallTime, answer: &mut Vec<u8>) -> (Meaning, bool) {
        let [command, arguments @ ..] = words else { return (Meaning::Plain, false) };
        let lower = command.to_ascii_lowercase();
        self.now_ms = i64::try_from(now.0 / 1_000).unwrap_or(i64::MAX);
        self.data.forget(self.now_ms);
        self.steps.earn(words);
        self.about.begin(now, &self.host, self.seed);
        let told = self.answered(&lower, words, now, answer);
        self.replies = self.replies.next();
        let meaning = match told {
            Meaning::Plain | Meaning::Leave => meaning::meant(&lower, arguments),
            told => told,
        };
        (meaning, told == Meaning::Leave)
    }

    /// What comes next is not answered.
    pub(super) const fn is_silent(&self) -> bool {
        !self.replies.are_wanted()
    }

    fn answered(&mut self, lower: &[u8], words: &[Vec<u8>], now: WallTime, answer: &mut Vec<u8>) -> Meaning {
        // What a browser is made to send: Redis ends it without a word.
        if matches!(lower, b"post" | b"host:") {
            return Meaning::Leave;
        }
        let before = answer.len();
        if self.refuses(lower, words, answer) || self.transact(lower, words, answer) {
            self.hush(before, answer);
            return Meaning::Plain;
        }
        if lower == b"exec" {
            return self.execute(now, answer);
        }
        self.carried_out(lower, words, now, answer)
    }

    /// Takes back what is not wanted.
    fn hush(&self, before: usize, answer: &mut Vec<u8>) {
        if !self.replies.are_wanted() {
            answer.truncate(before);
        }
    }

    /// What comes of a command that was not refused. What is told of channels is told even where no answers are wanted.
    fn carried_out(&mut self, lower: &[u8], words: &[Vec<u8>], now: WallTime, answer: &mut Vec<u8>) -> Meaning {
        let before = answer.len();
        let meaning = self.obeyed(lower, words, now, answer);
        if !channels::is_always_told(lower) {
            self.hush(before, answer);
        }
        meaning
    }

    fn obeyed(&mut self, lower: &[u8], words: &[Vec<u8>], now: WallTime, answer: &mut Vec<u8>) -> Meaning {
        let [_, arguments @ ..] = words else { return Meaning::Plain };
        let mut reply = Reply { answer, is_resp3: self.is_resp3 };
        if gate::lacks_words(lower, arguments, &mut reply)
            || self.objects(lower, arguments, &mut reply)
            || self.listen(lower, arguments, &mut reply)
        {
            return Meaning::Plain;
        }
        if let Some(meaning) = self.script(lower, arguments, now, answer) {
            return meaning;
        }
        let mut reply = Reply { answer, is_resp3: self.is_resp3 };
        match (lower, arguments) {
            (b"quit", _) => {
                reply.raw("+OK\r\n");
                return Meaning::Leave;
            }
            (b"shutdown", _) => return Meaning::Leave,
            (b"auth", _) => {
                self.auth(arguments, &mut reply);
                return Meaning::Login;
            }
            (b"unwatch", _) => {
                self.transaction.unwatch();
                self.data.unwatch();
                reply.raw("+OK\r\n");
                return Meaning::Plain;
            }
            (b"hello", _) => {
                self.hello(arguments, &mut reply);
                return Meaning::Plain;
            }
            (b"config", [sub, rest @ ..]) => return self.config(sub, rest, &mut reply),
            (b"slaveof" | b"replicaof", [host, port]) => {
                self.follow(host, port, &mut reply);
                return Meaning::Abuse;
            }
            (b"fcall", [_, _, ..]) => {
                reply.raw("-ERR Function not found\r\n");
                return Meaning::Abuse;
            }
            (b"reset", []) => {
                self.end_transaction();
                self.about.reset();
                self.user = None;
                self.is_resp3 = false;
                self.channels = Channels::new();
                self.replies = Replies::ON;
                self.name.clear();
                self.data.selected = 0;
                self.data.unwatch();
                reply.raw("+RESET\r\n");
                return Meaning::Plain;
            }
            _ => {}
        }
        if lower == b"acl" {
            return self.acl(arguments, &mut reply);
        }
        let is_answered = lower == b"client" && self.client(arguments, &mut reply)
            || self.other_looks(lower, arguments, &mut reply)
            || self.memory(lower, arguments, &mut reply)
            || self.stored(lower, arguments, &mut reply)
            || self.other_keys(lower, arguments, &mut reply)
            || self.look(lower, arguments, now, &mut reply);
        if !is_answered {
            // What it cannot do, it has no room for.
            reply.raw(NO_MEMORY);
        }
        Meaning::Plain
    }

    fn greet(&self, reply: &mut Reply<'_>) {
        reply.map(7);
        for (name, value) in [("server", "redis"), ("version", &*self.version)] {
            reply.bulk(name.as_bytes());
            reply.bulk(value.as_bytes());
        }
        reply.raw(&format!(
            "$5\r\nproto\r\n:{}\r\n$2\r\nid\r\n:{}\r\n",
            if self.is_resp3 { 3 } else { 2 },
            self.about.connection()
        ));
        for word in ["mode", "standalone", "role", self.role.name(), "modules"] {
            reply.bulk(word.as_bytes());
        }
        reply.modules();
    }

    fn config(&mut self, sub: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> Meaning {
        match (sub.to_ascii_lowercase().as_slice(), arguments) {
            (b"get", [_, ..]) => self.settings(arguments, reply),
            (b"set", [name, _, ..]) if !is_setting(name) => {
                reply.raw("-ERR Unknown option or number of arguments for CONFIG SET - '");
                reply.repeat(name, REPEATED_BYTES_MAX);
                reply.raw("'\r\n");
                return Meaning::Abuse;
            }
            (b"set", [name, value, ..]) => {
                if name.eq_ignore_ascii_case(b"requirepass") {
                    self.require(value);
                }
                self.tell(name, value, reply);
                return Meaning::Abuse;
            }
            (b"rewrite", []) => {
                reply.raw("+OK\r\n");
                return Meaning::Abuse;
            }
            (b"help", []) => known::help(b"config", reply),
            (b"resetstat", []) => reply.raw("+OK\r\n"),
            (b"get" | b"set", _) => {
                reply.raw(&format!("-ERR wrong number of arguments for 'config|{}' command\r\n", safe_text(sub, 16)));
            }
            _ => reply.raw(&format!("-ERR unknown subcommand '{}'. Try CONFIG HELP.\r\n", safe_text(sub, REPEATED_BYTES_MAX))),
        }
        Meaning::Plain
    }

    /// `CONFIG SET` of something that can be set.
    fn tell(&mut self, name: &[u8], value: &[u8], reply: &mut Reply<'_>) {
        let is_said = if READ_ONLY_SETTINGS.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
            let value = value.to_ascii_lowercase();
            if !matches!(value.as_slice(), b"yes" | b"no") {
                reply.raw("-ERR CONFIG SET failed (possibly related to argument '");
                reply.repeat(name, SETTING_BYTES_MAX);
                return reply.raw("') - argument must be 'yes' or 'no'\r\n");
            }
            READ_ONLY_SETTINGS.iter().all(|known| self.set(known.as_bytes(), &value))
        } else {
            self.set(name, value)
        };
        reply.raw(if is_said { "+OK\r\n" } else { NO_MEMORY });
    }

    fn set(&mut self, name: &[u8], value: &[u8]) -> bool {
        let name = safe_text(name, SETTING_BYTES_MAX).to_ascii_lowercase();
        let fits = self.settings.len() < SETTINGS_MAX || self.settings.contains_key(&name);
        if fits {
            self.settings.insert(name, safe_text(value, SETTING_BYTES_MAX));
        }
        fits
    }

    fn settings(&mut self, patterns: &[Vec<u8>], reply: &mut Reply<'_>) {
        let untouched = SETTINGS.iter().filter(|(name, _)| !self.settings.contains_key(*name)).copied();
        let told = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let master = self.master_setting();
        let following = MASTER_SETTINGS.map(|name| (name, master.as_slice()));
        let patterns: Vec<Vec<u8>> = patterns.iter().take(SETTINGS.len()).map(|pattern| pattern.to_ascii_lowercase()).collect();
        let mut left = self.steps.for_patterns();
        let mut is_asked = |name: &str| patterns.iter().any(|pattern| fits(pattern, name.as_bytes(), &mut left));
        let all = told.chain(untouched).map(|(name, value)| (name, value.as_bytes())).chain(following);
        let shown: Vec<(&str, &[u8])> = all.filter(|(name, _)| is_asked(name)).collect();
        if let Err(refusal) = self.steps.tried(left) {
            return reply.raw(refusal);
        }
        reply.map(shown.len());
        for (name, value) in shown {
            reply.bulk(name.as_bytes());
            reply.bulk(value);
        }
    }

    /// Commands that look around; whether it was one.
    fn look(&mut self, command: &[u8], arguments: &[Vec<u8>], now: WallTime, reply: &mut Reply<'_>) -> bool {
        match (command, arguments) {
            (b"ping", []) => reply.raw("+PONG\r\n"),
            (b"ping" | b"echo", [text]) if text.len() <= VALUE_BYTES_MAX => reply.bulk(text),
            (b"ping" | b"echo", [_]) => reply.raw(NO_MEMORY),
            (b"info", _) => reply.verbatim(&self.info(arguments, now)),
            (b"select", [index]) => match keys::database(index) {
                Ok(number) => {
                    self.data.selected = number;
                    reply.raw("+OK\r\n");
                }
                Err(refusal) => reply.raw(refusal),
            },
            (b"save" | b"monitor", _) => reply.raw("+OK\r\n"),
            (b"bgsave", _) => reply.raw("+Background saving started\r\n"),
            (b"bgrewriteaof", _) => reply.raw("+Background append only file rewriting started\r\n"),
            (b"lastsave", []) => reply.raw(&format!(":{}\r\n", self.host.started(now))),
            (b"role", []) => self.tell_role(reply),
            (b"command", [sub]) if sub.eq_ignore_ascii_case(b"count") => reply.raw(":265\r\n"),
            (b"module", [sub]) if sub.eq_ignore_ascii_case(b"list") => reply.modules(),
            (b"command" | b"module" | b"slowlog", _) => reply.raw("*0\r\n"),
            (b"cluster" | b"readonly" | b"readwrite" | b"asking", _) => {
                reply.raw("-ERR This instance has cluster support disabled\r\n");
            }
            (b"time", []) => {
                let (seconds, micros) = ((now.0 / 1_000_000).to_string(), (now.0 % 1_000_000).to_string());
                reply.list([seconds.as_bytes(), micros.as_bytes()].into_iter());
            }
            _ => return false,
        }
        true
    }

    /// A line for each database with something in it.
    fn keyspace(&self) -> String {
        let line = |(number, keys, times): (i64, usize, Vec<i64>)| {
            let left: i64 = times.iter().map(|until_ms| until_ms - self.now_ms).fold(0, i64::saturating_add);
            let mean = i64::try_from(times.len()).ok().and_then(|count| left.checked_div(count)).unwrap_or_default();
            format!("\ndb{number}:keys={keys},expires={},avg_ttl={mean},subexpiry=0", times.len())
        };
        self.data.filled().map(line).collect()
    }

    fn info(&self, arguments: &[Vec<u8>], now: WallTime) -> String {
        let (keyspace, following) = (self.keyspace(), self.following());
        let facts = Facts { version: &self.version, host: &self.host, now, keyspace: &keyspace, following };
        let wanted: Vec<Vec<u8>> = arguments.iter().take(SETTINGS_MAX).map(|name| name.to_ascii_lowercase()).collect();
        info::text(&facts, &wanted)
    }
}

fn not_allowed(command: &str, option: &str) -> String {
    format!(
        "-ERR {command} command not allowed. If the {option} option is set to \"local\", you can run it from a local connection, otherwise \
         you need to set this option in the configuration file, and then restart the server.\r\n"
    )
}

fn is_setting(name: &[u8]) -> bool {
    let known = SETTINGS.iter().map(|(name, _)| *name).chain(OTHER_SETTINGS);
    known.into_iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// Repeats the words as Redis does.
fn unknown(command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) {
    reply.raw("-ERR unknown command '");
    reply.repeat(command, REPEATED_BYTES_MAX);
    reply.raw("', with args beginning with: ");
    let begin = reply.answer.len();
    for word in arguments {
        let Some(left) = REPEATED_BYTES_MAX.checked_sub(reply.answer.len() - begin).filter(|left| *left > 0) else { break };
        reply.raw("'");
        reply.repeat(word, left);
        reply.raw("' ");
    }
    reply.raw("\r\n");
}
