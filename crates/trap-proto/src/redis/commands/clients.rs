//! Who somebody is, and who he could be: `AUTH`, `HELLO`, `ACL`, `CLIENT`.

use super::{
    Meaning, REPEATED_BYTES_MAX, Reply, Server,
    about::NAME_BYTES_MAX,
    known::{self, CATEGORIES, Named},
    users::{self, DEFAULT, Selector, User},
};
use crate::{persona::derived, redis::data::number::integer, store::VALUE_BYTES_MAX, text::hex};
use alloc::{format, string::String, vec::Vec};

const NO_FILE: &str = "-ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER \
    command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis \
    configuration.\r\n";
const NO_PASSWORD: &str = "-ERR AUTH <password> called without any password configured for the default user. Are you sure your \
    configuration is correct?\r\n";
const WRONG_PASSWORD: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const NOBODY: &str = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> \
    option can be used to authenticate the client and select the RESP protocol version at the same time\r\n";
const NO_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const BAD_NAME: &str = "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
const NO_TRACKING: &str =
    "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled\r\n";
/// Bits of a password that is made on demand.
const PASSWORD_BITS: i64 = 256;
const PASSWORD_BITS_MAX: i64 = 4_096;

impl Server {
    /// Who the client is, or would be.
    pub(super) fn who(&self) -> &[u8] {
        self.user.as_deref().unwrap_or(DEFAULT)
    }

    /// Whether he may say more than who he is: he said so, or nobody need.
    pub(super) fn is_let_in(&self) -> bool {
        self.user.is_some() || self.users.is_open()
    }

    /// The first user's password becomes another one; who is there stays.
    pub(super) fn require(&mut self, password: &[u8]) {
        self.stay();
        self.users.require(password);
    }

    /// Who is let in stays so, whatever a user is told to be.
    fn stay(&mut self) {
        if self.is_let_in() {
            self.user.get_or_insert_with(|| DEFAULT.to_vec());
        }
    }

    fn logs_in(&mut self, user: &[u8], password: &[u8]) -> bool {
        let is_let_in = self.users.let_in(user, password);
        if is_let_in {
            self.user = Some(user.to_vec());
        }
        is_let_in
    }

    /// Where answers are still to be sent, as those of a transaction, Redis says nothing (`addAuthErrReply` of `acl.c`).
    const fn wrong_password(&self) -> &'static str {
        if self.transaction.running().is_some() { "" } else { WRONG_PASSWORD }
    }

    pub(super) fn auth(&mut self, arguments: &[Vec<u8>], reply: &mut Reply<'_>) {
        reply.raw(match arguments {
            [_] if self.users.find(DEFAULT).is_some_and(|first| first.takes_any_password()) => NO_PASSWORD,
            [password] if self.logs_in(DEFAULT, password) => "+OK\r\n",
            [user, password] if self.logs_in(user, password) => "+OK\r\n",
            _ => self.wrong_password(),
        });
    }

    pub(super) fn hello(&mut self, arguments: &[Vec<u8>], reply: &mut Reply<'_>) {
        let (version, mut options) = arguments.split_first().map_or((None, arguments), |(version, rest)| (Some(version), rest));
        match version.map(|version| integer(version)) {
            Some(None) => return reply.raw("-ERR Protocol version is not an integer or out of range\r\n"),
            Some(Some(version)) if !(2..=3).contains(&version) => return reply.raw("-NOPROTO unsupported protocol version\r\n"),
            _ => {}
        }
        let (mut login, mut name) = (None, None);
        while let Some((option, rest)) = options.split_first() {
            match (option.to_ascii_lowercase().as_slice(), rest) {
                (b"auth", [user, password, rest @ ..]) => (login, options) = (Some((user, password)), rest),
                (b"setname", [said, ..]) if !is_name(said) => return reply.raw(BAD_NAME),
                (b"setname", [said, rest @ ..]) => (name, options) = (Some(said), rest),
                _ => {
                    reply.raw("-ERR Syntax error in HELLO option '");
                    reply.repeat(option, VALUE_BYTES_MAX);
                    return reply.raw("'\r\n");
                }
            }
        }
        if login.is_some_and(|(user, password)| !self.logs_in(user, password)) {
            return reply.raw(self.wrong_password());
        }
        if !self.is_let_in() {
            return reply.raw(NOBODY);
        }
        name.into_iter().for_each(|name| self.call(name));
        self.is_resp3 = version.map_or(self.is_resp3, |version| version.as_slice() == b"3");
        reply.is_resp3 = self.is_resp3;
        self.greet(reply);
    }

    fn call(&mut self, name: &[u8]) {
        self.name = name.get(..NAME_BYTES_MAX).unwrap_or(name).to_vec();
    }

    /// `ACL` with what the server knows of it.
    pub(super) fn acl(&mut self, arguments: &[Vec<u8>], reply: &mut Reply<'_>) -> Meaning {
        let Some((sub, rest)) = arguments.split_first() else { return Meaning::Plain };
        match (sub.to_ascii_lowercase().as_slice(), rest) {
            (b"whoami", _) => reply.bulk(self.who()),
            (b"users", _) => reply.list(self.users.names().iter().map(Vec::as_slice)),
            (b"list", _) => reply.list(self.users.lines().iter().map(Vec::as_slice)),
            (b"getuser", [name]) => match self.users.find(name) {
                Some(user) => reply.user(&user),
                None => reply.nil(),
            },
            (b"cat", [category, ..]) => category_of(category, reply),
            (b"cat", []) => reply.list(CATEGORIES.iter().map(|category| category.as_bytes())),
            (b"log", [word]) if word.eq_ignore_ascii_case(b"reset") => reply.raw("+OK\r\n"),
            (b"log", [count]) if integer(count).is_none() => reply.raw(NO_INTEGER),
            (b"log", _) => reply.raw("*0\r\n"),
            (b"setuser", [name, rules @ ..]) => self.set_user(name, rules, reply),
            (b"deluser", names) => return self.delete_users(names, reply),
            (b"genpass", bits) => self.password(bits, reply),
            (b"dryrun", [user, command, rest @ ..]) => self.dry_run(user, command, rest, reply),
            (b"load" | b"save", _) => reply.raw(NO_FILE),
            (b"help", _) => known::help(b"acl", reply),
            _ => {}
        }
        Meaning::Plain
    }

    fn set_user(&mut self, name: &[u8], rules: &[Vec<u8>], reply: &mut Reply<'_>) {
        if !users::is_name(name) {
            return reply.raw("-ERR Usernames can't contain spaces or null characters\r\n");
        }
        let rules = match users::joined(rules) {
            Ok(rules) => rules,
            Err(first) => {
                reply.raw("-ERR Unmatched parenthesis in acl selector starting at '");
                reply.repeat(first, VALUE_BYTES_MAX);
                return reply.raw("'.\r\n");
            }
        };
        self.stay();
        match self.users.tell(name, rules) {
            Ok(()) => reply.raw("+OK\r\n"),
            Err((rule, fault)) => {
                reply.raw("-ERR Error in ACL SETUSER modifier '");
                reply.repeat(&rule, VALUE_BYTES_MAX);
                reply.raw(&format!("': {}\r\n", fault.0));
            }
        }
    }

    /// Whoever is one of those is sent away.
    fn delete_users(&mut self, names: &[Vec<u8>], reply: &mut Reply<'_>) -> Meaning {
        if names.iter().any(|name| name == DEFAULT) {
            reply.raw("-ERR The 'default' user cannot be removed\r\n");
            return Meaning::Plain;
        }
        let removed: Vec<&Vec<u8>> = names.iter().filter(|name| self.users.remove(name)).collect();
        reply.number(removed.len());
        if removed.iter().any(|name| self.who() == name.as_slice()) { Meaning::Leave } else { Meaning::Plain }
    }

    fn dry_run(&self, name: &[u8], command: &[u8], arguments: &[Vec<u8>], reply: &mut Reply<'_>) {
        let (lower, user) = (command.to_ascii_lowercase(), self.users.find(name));
        let said = Named::said(&lower, arguments);
        match (user, said) {
            (None, _) => {
                reply.raw("-ERR User '");
                reply.repeat(name, VALUE_BYTES_MAX);
                reply.raw("' not found\r\n");
            }
            (Some(_), Err(known::Fault::Command | known::Fault::Part)) => {
                reply.raw("-ERR Command '");
                reply.repeat(command, VALUE_BYTES_MAX);
                reply.raw("' not found\r\n");
            }
            (Some(_), Err(known::Fault::Words(name))) => {
                known::wrong_words(&name, reply);
            }
            (Some(user), Ok(said)) if !user.runs(&said, arguments.first().map(Vec::as_slice)) => {
                reply.bulk(&no_permission(name, &said.name));
            }
            _ => reply.raw("+OK\r\n"),
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
            (b"id", _) => reply.raw(&format!(":{}\r\n", self.about.connection())),
            (b"getname", _) if self.name.is_empty() => reply.nil(),
            (b"getname", _) => reply.bulk(&self.name),
            (b"setname", _) => {
                let name = rest.first().filter(|name| is_name(name));
                name.into_iter().for_each(|name| self.call(name));
                reply.raw(if name.is_some() { "+OK\r\n" } else { BAD_NAME });
            }
            (b"info" | b"list", _) => {
                let info = self.about(if sub == b"info" { "info" } else { "list" });
                reply.verbatim(&info);
            }
            (b"setinfo", b"lib-name" | b"lib-ver") => self.set_library(rest, reply),
            (b"no-evict" | b"no-touch" | b"tracking", b"on" | b"off") => {
                *match sub.as_slice() {
                    b"no-evict" => &mut self.about.is_kept,
                    b"no-touch" => &mut self.about.is_untouching,
                    _ => &mut self.about.is_tracking,
                } = word == b"on";
                reply.raw("+OK\r\n");
            }
            (b"unpause", _) => reply.raw("+OK\r\n"),
            (b"reply", b"on") => {
                (self.replies.are_off, self.replies.are_skipped) = (false, false);
                reply.raw("+OK\r\n");
            }
            (b"reply", b"off") => self.replies.are_off = true,
            (b"reply", b"skip") => self.replies.are_skipped_next |= !self.replies.are_off,
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

    fn set_library(&mut self, words: &[Vec<u8>], reply: &mut Reply<'_>) {
        let [attribute, text, ..] = words else { return };
        if !is_name(text) {
            reply.raw("-ERR ");
            reply.repeat(attribute, REPEATED_BYTES_MAX);
            return reply.raw(" cannot contain spaces, newlines or special characters.\r\n");
        }
        let at = usize::from(attribute.eq_ignore_ascii_case(b"lib-ver"));
        self.about.library[at] = text.get(..NAME_BYTES_MAX).unwrap_or(text).to_vec();
        reply.raw("+OK\r\n");
    }
}

/// Whether a client, or its library, can be called so: a name ends where nought is.
fn is_name(name: &[u8]) -> bool {
    name.iter().take_while(|byte| **byte != 0).all(u8::is_ascii_graphic)
}

/// What is said of a command that somebody may not run.
pub(super) fn no_permission(user: &[u8], command: &[u8]) -> Vec<u8> {
    [b"User ", user, b" has no permissions to run the '", command, b"' command"].concat()
}

fn category_of(category: &[u8], reply: &mut Reply<'_>) {
    match CATEGORIES.iter().position(|known| category.eq_ignore_ascii_case(known.as_bytes())) {
        Some(category) => reply.list(known::within(category).into_iter()),
        None => {
            reply.raw("-ERR Unknown category '");
            reply.repeat(category, REPEATED_BYTES_MAX);
            reply.raw("'\r\n");
        }
    }
}

impl Reply<'_> {
    fn user(&mut self, user: &User) {
        self.map(6);
        self.bulk(b"flags");
        let flags = user.flags();
        self.set(flags.len());
        flags.iter().for_each(|flag| self.bulk(flag.as_bytes()));
        self.bulk(b"passwords");
        self.list(user.passwords().iter().map(String::as_bytes));
        let Some((own, others)) = user.selectors().split_first() else { return };
        self.selector(own);
        self.bulk(b"selectors");
        self.raw(&format!("*{}\r\n", others.len()));
        for other in others {
            self.map(3);
            self.selector(other);
        }
    }

    fn selector(&mut self, selector: &Selector) {
        for (name, value) in ["commands", "keys", "channels"].into_iter().zip(selector.told()) {
            self.bulk(name.as_bytes());
            self.bulk(&value);
        }
    }
}
