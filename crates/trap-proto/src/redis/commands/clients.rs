//! Who somebody is, and who he could be: `HELLO`, `ACL`, `CLIENT`.

use super::{REPEATED_BYTES_MAX, Replies, Reply, Server, known, login};
use crate::{
    persona::derived,
    redis::data::number::integer,
    store::VALUE_BYTES_MAX,
    text::{hex, safe_text},
};
use alloc::{format, string::String, vec::Vec};

/// The longest name of a client that is kept, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// The only user there is, as a configuration would say it.
const DEFAULT_USER: &[u8] = b"user default on nopass sanitize-payload ~* &* +@all";
const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];
/// What a user may be told to be, in one word; or with one of these marks before something.
const RULES: [&str; 15] = [
    "on",
    "off",
    "nopass",
    "reset",
    "resetkeys",
    "resetpass",
    "resetchannels",
    "allkeys",
    "allcommands",
    "allchannels",
    "nocommands",
    "sanitize-payload",
    "skip-sanitize-payload",
    "clearselectors",
    "payload",
];
const MARKS: &[u8] = b"><#!~%&+-(";
const NO_FILE: &str = "-ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER \
    command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis \
    configuration.\r\n";
const NO_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const BAD_NAME: &str = "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
const NO_TRACKING: &str =
    "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled\r\n";
/// Bits of a password that is made on demand.
const PASSWORD_BITS: i64 = 256;
const PASSWORD_BITS_MAX: i64 = 4_096;

impl Server {
    pub(super) fn hello(&mut self, arguments: &[Vec<u8>], reply: &mut Reply<'_>) {
        let (version, mut options) = arguments.split_first().map_or((None, arguments), |(version, rest)| (Some(version), rest));
        match version.map(|version| integer(version)) {
            Some(None) => reply.raw("-ERR Protocol version is not an integer or out of range\r\n"),
            Some(Some(version)) if !(2..=3).contains(&version) => reply.raw("-NOPROTO unsupported protocol version\r\n"),
            _ => {
                let (mut user, mut name) = (None, None);
                while let Some((option, rest)) = options.split_first() {
                    match (option.to_ascii_lowercase().as_slice(), rest) {
                        (b"auth", [who, _, rest @ ..]) => {
                            (user, options) = (Some(who), rest);
                        }
                        (b"setname", [said, rest @ ..]) => (name, options) = (Some(said), rest),
                        _ => {
                            reply.raw("-ERR Syntax error in HELLO option '");
                            reply.repeat(option, REPEATED_BYTES_MAX);
                            reply.raw("'\r\n");
                            return;
                        }
                    }
                }
                match user.map(|user| login(user)) {
                    Some(refusal) if refusal.starts_with('-') => reply.raw(refusal),
                    _ if name.is_some_and(|name| !self.named(name)) => reply.raw(BAD_NAME),
                    _ => {
                        self.is_resp3 = version.map_or(self.is_resp3, |version| version.as_slice() == b"3");
                        reply.is_resp3 = self.is_resp3;
                        self.greet(reply);
                    }
                }
            }
        }
    }

    fn named(&mut self, name: &[u8]) -> bool {
        let is_sound = name.iter().all(u8::is_ascii_graphic);
        if is_sound {
            self.name = name.get(..NAME_BYTES_MAX).unwrap_or(name).to_vec();
        }
        is_sound
    }

    /// `ACL` with what the server knows of it.
    pub(super) fn acl(&mut self, arguments: &[Vec<u8>], reply: &mut Reply<'_>) {
        let Some((sub, rest)) = arguments.split_first() else { return };
        match (sub.to_ascii_lowercase().as_slice(), rest) {
            (b"whoami", _) => reply.bulk(b"default"),
            (b"users", _) => reply.list([&b"default"[..]].into_iter()),
            (b"list", _) => reply.list([DEFAULT_USER].into_iter()),
            (b"getuser", [user]) if user == b"default" => reply.user(),
            (b"getuser", _) => reply.nil(),
            (b"cat", []) => reply.list(CATEGORIES.iter().map(|category| category.as_bytes())),
            (b"cat", [category]) if CATEGORIES.iter().any(|known| category.eq_ignore_ascii_case(known.as_bytes())) => {
                reply.raw("*0\r\n");
            }
            (b"cat", [category, ..]) => {
                reply.raw("-ERR Unknown category '");
                reply.repeat(category, REPEATED_BYTES_MAX);
                reply.raw("'\r\n");
            }
            (b"log", [word]) if word.eq_ignore_ascii_case(b"reset") => reply.raw("+OK\r\n"),
            (b"log", [count]) if integer(count).is_none() => reply.raw(NO_INTEGER),
            (b"log", _) => reply.raw("*0\r\n"),
            (b"setuser", [_, rules @ ..]) => {
                let is_rule = |rule: &&Vec<u8>| {
                    RULES.iter().any(|known| rule.eq_ignore_ascii_case(known.as_bytes()))
                        || (rule.len() > 1 && MARKS.contains(&rule[0]))
                };
                match rules.iter().find(|rule| !is_rule(rule)) {
                    Some(rule) => {
                        reply.raw("-ERR Error in ACL SETUSER modifier '");
                        reply.repeat(rule, VALUE_BYTES_MAX);
                        reply.raw("': Syntax error\r\n");
                    }
                    None => reply.raw("+OK\r\n"),
                }
            }
            (b"deluser", users) if users.iter().any(|user| user == b"default") => {
                reply.raw("-ERR The 'default' user cannot be removed\r\n");
            }
            (b"deluser", _) => reply.raw(":0\r\n"),
            (b"genpass", bits) => self.password(bits, reply),
            (b"dryrun", [user, command, rest @ ..]) => dry_run(user, command, rest, reply),
            (b"load" | b"save", _) => reply.raw(NO_FILE),
            (b"help", _) => known::help(b"acl", reply),
            _ => {}
        }
    }

    /// Nobody who has seen one, or knows the number of his connection, can tell another one.
    fn password(&mut self, bits: &[Vec<u8>], reply: &mut Reply<'_>) {
        match bits.first().map_or(Some(PASSWORD_BITS), |bits| integer(bits)) {
            None => reply.raw(NO_INTEGER),
            Some(bits @ 1..=PASSWORD_BITS_MAX) => {
                self.passwords += 1;
                let numbers = [self.seed, self.passwords].map(u64::to_le_bytes).concat();
                let block = |index: u64| hex(&derived(&self.host.key, &[b"password", &numbers, &index.to_le_bytes()]));
                let digits = usize::try_from((bits + 3) / 4).unwrap_or_default();
                let mut password: String = (0..).map(block).take(digits / 64 + 1).collect();
                password.truncate(digits);
                reply.bulk(password.as_bytes());
            }
            Some(_) => reply.raw(
                "-ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096\r\n",
            ),
        }
    }

    /// `CLIENT`; whether it was one that is known here.
    pub(super) fn client(&mut self, arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> bool {
        let Some((sub, rest)) = arguments.split_first() else { return false };
        let sub = sub.to_ascii_lowercase();
        let word = rest.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
        match (sub.as_slice(), word.as_slice()) {
            (b"id", _) => reply.raw(&format!(":{}\r\n", self.connection)),
            (b"getname", _) if self.name.is_empty() => reply.nil(),
            (b"getname", _) => reply.bulk(&self.name),
            (b"setname", _) => {
                let is_named = rest.first().is_some_and(|name| self.named(name));
                reply.raw(if is_named { "+OK\r\n" } else { BAD_NAME });
            }
            (b"info" | b"list", _) => {
                let info = self.about(if sub == b"info" { "info" } else { "list" });
                reply.verbatim(&info);
            }
            (b"setinfo", b"lib-name" | b"lib-ver")
            | (b"no-evict" | b"no-touch" | b"tracking", b"on" | b"off")
            | (b"unpause", _) => reply.raw("+OK\r\n"),
            (b"reply", b"on") => {
                self.replies = Replies::On;
                reply.raw("+OK\r\n");
            }
            (b"reply", b"off") => self.replies = Replies::Off,
            (b"reply", b"skip") if self.replies == Replies::Off => {}
            (b"reply", b"skip") => self.replies = Replies::SkipNext,
            (b"setinfo", _) => {
                reply.raw("-ERR Unrecognized option '");
                rest.iter().take(1).for_each(|option| reply.repeat(option, REPEATED_BYTES_MAX));
                reply.raw("'\r\n");
            }
            (b"trackinginfo", _) => {
                reply.map(3);
                reply.bulk(b"flags");
                reply.set(1);
                reply.bulk(b"off");
                reply.bulk(b"redirect");
                reply.raw(":-1\r\n");
                reply.bulk(b"prefixes");
                reply.raw("*0\r\n");
            }
            (b"getredir", _) => reply.raw(":-1\r\n"),
            (b"caching", _) => reply.raw(NO_TRACKING),
            (b"pause", number) if integer(number).is_none() => reply.raw("-ERR timeout is not an integer or out of range\r\n"),
            (b"pause", _) => reply.raw("+OK\r\n"),
            (b"kill", _) => reply.raw("-ERR No such client\r\n"),
            (b"unblock", _) => reply.raw(":0\r\n"),
            (b"help", _) => known::help(b"client", reply),
            _ => reply.raw(SYNTAX),
        }
        true
    }

    /// What the server knows of this client. It does not know where it is: so says a server behind a proxy on its own machine.
    fn about(&self, sub: &str) -> String {
        let (id, name, resp) = (self.connection, safe_text(&self.name, NAME_BYTES_MAX), if self.is_resp3 { 3 } else { 2 });
        let [low, high, ..] = derived(&self.host.key, &[b"port", &self.seed.to_le_bytes()]);
        let db = self.data.selected;
        let port = 32_768 + u32::from(u16::from_le_bytes([low, high])) % 28_232;
        format!(
            "id={id} addr=127.0.0.1:{port} laddr=127.0.0.1:6379 fd=8 name={name} age=0 idle=0 flags=N db={db} sub=0 psub=0 ssub=0 multi=-1 watch=0 \
             qbuf=26 qbuf-free=20448 argv-mem=10 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=22426 events=r cmd=client|{sub} \
             user=default redir=-1 resp={resp} lib-name= lib-ver= io-thread=0\n"
        )
    }
}

fn dry_run(user: &[u8], command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) {
    let lower = command.to_ascii_lowercase();
    if user != b"default" {
        reply.raw("-ERR User '");
        reply.repeat(user, REPEATED_BYTES_MAX);
        reply.raw("' not found\r\n");
    } else if !known::is_command(&lower) {
        reply.raw("-ERR Command '");
        reply.repeat(command, REPEATED_BYTES_MAX);
        reply.raw("' not found\r\n");
    } else if !known::objection(&lower, arguments, reply) {
        reply.raw("+OK\r\n");
    }
}

impl Reply<'_> {
    /// The only user there is.
    fn user(&mut self) {
        self.map(6);
        self.bulk(b"flags");
        self.set(3);
        [&b"on"[..], b"nopass", b"sanitize-payload"].iter().for_each(|flag| self.bulk(flag));
        self.bulk(b"passwords");
        self.raw("*0\r\n");
        for (name, value) in [("commands", "+@all"), ("keys", "~*"), ("channels", "&*")] {
            self.bulk(name.as_bytes());
            self.bulk(value.as_bytes());
        }
        self.bulk(b"selectors");
        self.raw("*0\r\n");
    }
}
