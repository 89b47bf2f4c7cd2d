//! Who is known on the machine, and who is there: `/etc/passwd`, `/etc/shadow`, `/etc/group`, `w` and `who`.

use super::{Output, Place, Shell};
use crate::{Persona, calendar::Moment};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Those of `base-passwd`, as Debian 13 has them: name, number, group, words, home, shell.
const BASE: [&str; 18] = [
    "root:x:0:0:root:/root:/bin/bash",
    "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin",
    "bin:x:2:2:bin:/bin:/usr/sbin/nologin",
    "sys:x:3:3:sys:/dev:/usr/sbin/nologin",
    "sync:x:4:65534:sync:/bin:/bin/sync",
    "games:x:5:60:games:/usr/games:/usr/sbin/nologin",
    "man:x:6:12:man:/var/cache/man:/usr/sbin/nologin",
    "lp:x:7:7:lp:/var/spool/lpd:/usr/sbin/nologin",
    "mail:x:8:8:mail:/var/mail:/usr/sbin/nologin",
    "news:x:9:9:news:/var/spool/news:/usr/sbin/nologin",
    "uucp:x:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin",
    "proxy:x:13:13:proxy:/bin:/usr/sbin/nologin",
    "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin",
    "backup:x:34:34:backup:/var/backups:/usr/sbin/nologin",
    "list:x:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin",
    "irc:x:39:39:ircd:/run/ircd:/usr/sbin/nologin",
    "_apt:x:42:65534::/nonexistent:/usr/sbin/nologin",
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
];
/// Those that systemd makes.
const SYSTEM: [&str; 4] = [
    "systemd-network:x:998:998:systemd Network Management:/:/usr/sbin/nologin",
    "systemd-timesync:x:996:996:systemd Time Synchronization:/:/usr/sbin/nologin",
    "messagebus:x:995:995:System Message Bus:/nonexistent:/usr/sbin/nologin",
    "sshd:x:994:65534:sshd user:/run/sshd:/usr/sbin/nologin",
];
/// Those that a program's package makes, with the rest of their lines: each gets the next free number.
const OF_PROGRAMS: [(&str, &str, &str); 18] = [
    ("named", "bind", ":/var/cache/bind:/usr/sbin/nologin"),
    ("ntpd", "ntpsec", ":/nonexistent:/usr/sbin/nologin"),
    ("snmpd", "Debian-snmp", ":/var/lib/snmp:/bin/false"),
    ("in.tftpd", "tftp", "tftp daemon:/srv/tftp:/usr/sbin/nologin"),
    ("memcached", "memcache", "Memcached:/nonexistent:/bin/false"),
    ("redis-server", "redis", ":/var/lib/redis:/usr/sbin/nologin"),
    ("mosquitto", "mosquitto", ":/var/lib/mosquitto:/usr/sbin/nologin"),
    ("mongod", "mongodb", ":/home/mongodb:/usr/sbin/nologin"),
    ("slapd", "openldap", "OpenLDAP Server Account:/var/lib/ldap:/bin/false"),
    ("vsftpd", "ftp", "ftp daemon:/srv/ftp:/usr/sbin/nologin"),
    ("dovecot", "dovecot", "Dovecot mail server:/usr/lib/dovecot:/usr/sbin/nologin"),
    ("dovecot", "dovenull", "Dovecot login user:/nonexistent:/usr/sbin/nologin"),
    ("minio", "minio-user", ":/home/minio-user:/usr/sbin/nologin"),
    ("asterisk", "asterisk", "Asterisk PBX daemon:/var/lib/asterisk:/usr/sbin/nologin"),
    ("mariadbd", "mysql", "MariaDB Server:/nonexistent:/bin/false"),
    ("postgres", "postgres", "PostgreSQL administrator:/var/lib/postgresql:/bin/bash"),
    ("jenkins", "jenkins", "Jenkins:/var/lib/jenkins:/bin/bash"),
    ("elasticsearch", "elasticsearch", ":/nonexistent:/bin/false"),
];
/// The same behind them.
const OF_PROGRAMS_LATER: [(&str, &str, &str); 2] = [
    ("sqlservr", "mssql", ":/var/opt/mssql:/bin/bash"),
    ("postfix", "postfix", "Postfix MTA:/var/spool/postfix:/usr/sbin/nologin"),
];
/// The first number of a user and of a group that packages make.
const FIRST: (u16, u16) = (100, 102);
/// The groups of `base-passwd`, with their numbers.
const GROUPS: [(&str, u32); 37] = [
    ("root", 0),
    ("daemon", 1),
    ("bin", 2),
    ("sys", 3),
    ("adm", 4),
    ("tty", 5),
    ("disk", 6),
    ("lp", 7),
    ("mail", 8),
    ("news", 9),
    ("uucp", 10),
    ("man", 12),
    ("proxy", 13),
    ("kmem", 15),
    ("dialout", 20),
    ("fax", 21),
    ("voice", 22),
    ("cdrom", 24),
    ("floppy", 25),
    ("tape", 26),
    ("sudo", 27),
    ("audio", 29),
    ("dip", 30),
    ("www-data", 33),
    ("backup", 34),
    ("operator", 37),
    ("list", 38),
    ("irc", 39),
    ("src", 40),
    ("shadow", 42),
    ("utmp", 43),
    ("video", 44),
    ("sasl", 45),
    ("plugdev", 46),
    ("staff", 50),
    ("games", 60),
    ("users", 100),
];
const SYSTEM_GROUPS: [(&str, u32); 7] = [
    ("nogroup", 65_534),
    ("systemd-journal", 999),
    ("systemd-network", 998),
    ("crontab", 997),
    ("systemd-timesync", 996),
    ("messagebus", 995),
    ("_ssh", 101),
];
/// The digits of a password's hash, as crypt(5) writes them, and how many there are of its salt and of itself in yescrypt's.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SALT_DIGITS: usize = 22;
const HASH_DIGITS: usize = 43;
const DAY_SECONDS: u64 = 86_400;
/// The user and the group of what belongs to nobody.
const NOBODY: u32 = 65_534;
/// What looking through `/etc/passwd` costs, in steps.
const PASSWD_STEPS: usize = 100;

/// Those that packages made for the programs that run on a machine.
fn made(persona: &Persona) -> impl Iterator<Item = (u16, u16, &'static str, &'static str)> {
    let runs = |program: &str| persona.programs().any(|running| running == program);
    let all = OF_PROGRAMS.iter().chain(&OF_PROGRAMS_LATER).filter(move |(program, ..)| runs(program));
    let (user, group) = FIRST;
    (user..).zip(group..).zip(all).map(|((user, group), (_, name, rest))| (user, group, *name, *rest))
}

/// The numbers of a user whom a package made, and of his group; of one whose program does not run, as if he were the first.
pub(crate) fn numbers(persona: &Persona, user: &str) -> (u16, u16) {
    made(persona).find(|(_, _, name, _)| *name == user).map_or(FIRST, |(user, group, ..)| (user, group))
}

/// Everybody who is in `/etc/passwd` without being made to log in.
fn system(persona: &Persona) -> impl Iterator<Item = String> {
    let known = BASE.iter().chain(&SYSTEM).map(ToString::to_string);
    known.chain(made(persona).map(|(user, group, name, rest)| format!("{name}:x:{user}:{group}:{rest}")))
}

/// Whether an account ends in a shell. Those that do not have no password either: nobody logs in to them.
pub(crate) fn has_shell(persona: &Persona, user: &[u8]) -> bool {
    let line = system(persona).find(|line| line.split(':').next().is_some_and(|name| name.as_bytes() == user));
    line.is_none_or(|line| line.ends_with("sh"))
}

impl Shell<'_> {
    /// `/etc/passwd`.
    pub(super) fn passwd(&self) -> String {
        let mut lines: Vec<String> = system(self.persona).collect();
        if self.is_made_for_somebody() {
            lines.push(format!("{0}:x:1000:1000:,,,:/home/{0}:/bin/bash", self.user()));
        }
        lines.join("\n") + "\n"
    }

    /// `/etc/shadow`, for root.
    pub(super) fn shadow(&self) -> String {
        let day = self.persona.installed() / DAY_SECONDS;
        let line = |entry: &str| {
            let mut words = entry.split(':');
            let (name, number) =
                (words.next().unwrap_or_default(), words.nth(1).and_then(|number| number.parse::<u32>().ok()).unwrap_or(0));
            let is_system = (100..1_000).contains(&number);
            match name {
                "root" => format!("root:{}:{day}:0:99999:7:::\n", self.hash(name)),
                _ if number == 1_000 => format!("{name}:{}:{day}:0:99999:7:::\n", self.hash(name)),
                // systemd's have no password that could be unlocked.
                _ if is_system && number >= 990 => format!("{name}:!*:{day}::::::\n"),
                _ if is_system => format!("{name}:!:{day}::::::\n"),
                _ => format!("{name}:*:{day}:0:99999:7:::\n"),
            }
        };
        self.passwd().lines().map(line).collect()
    }

    /// `/etc/group`.
    pub(super) fn group(&self) -> String {
        let user = self.user();
        let member = |name: &str| if matches!(name, "sudo" | "users") && self.is_made_for_somebody() { user } else { "" };
        let known = GROUPS.iter().chain(&SYSTEM_GROUPS).map(|(name, number)| format!("{name}:x:{number}:{}\n", member(name)));
        let made = made(self.persona).map(|(_, group, name, _)| format!("{name}:x:{group}:\n"));
        let own = self.is_made_for_somebody().then(|| format!("{user}:x:1000:\n"));
        known.chain(made).chain(own).collect()
    }

    /// `/etc/gshadow`, for root.
    pub(super) fn gshadow(&self) -> String {
        let line = |line: &str| {
            let words: Vec<&str> = line.split(':').collect();
            let [name, _, number, members] = words.as_slice() else { return String::new() };
            let number: u32 = number.parse().unwrap_or(0);
            let locked = if (100..=1_000).contains(&number) && *name != "users" { "!" } else { "*" };
            format!("{name}:{locked}::{members}\n")
        };
        self.group().lines().map(line).collect()
    }

    /// His number.
    pub(super) fn user_number(&self) -> u32 {
        self.account().and_then(|(number, ..)| number.parse().ok()).unwrap_or(1_000)
    }

    /// What no password hashes to: nobody is ever let in by it.
    fn hash(&self, name: &str) -> String {
        let digits = |of: &str, count: usize| -> String {
            let keys = [self.persona.key(&format!("{of} 1 {name}")), self.persona.key(&format!("{of} 2 {name}"))];
            keys.as_flattened().iter().take(count).map(|byte| char::from(DIGITS[usize::from(byte % 64)])).collect()
        };
        // The last digit of each has fewer bits.
        format!("$y$j9T${}{}${}{}", digits("salt", SALT_DIGITS - 1), ".", digits("hash", HASH_DIGITS - 1), "5")
    }

    /// The number of a user who is known, else that of nobody.
    pub(super) fn number_of_user(&self, name: &str) -> u32 {
        if name == "root" {
            return 0;
        }
        if name == self.user() {
            return self.user_number();
        }
        let of = |line: String| line.strip_prefix(name)?.strip_prefix(":x:")?.split(':').next()?.parse().ok();
        system(self.persona).find_map(of).unwrap_or(NOBODY)
    }

    /// The same of a group.
    pub(super) fn number_of_group(&self, name: &str) -> u32 {
        let known = || GROUPS.iter().chain(&SYSTEM_GROUPS).find(|(known, _)| *known == name).map(|(_, number)| *number);
        let his = || self.account().and_then(|(_, group, _)| group.parse().ok()).unwrap_or(1_000);
        let own = || (name == self.user()).then(his);
        let made = || made(self.persona).find(|(.., of, _)| *of == name).map(|(_, group, ..)| u32::from(group));
        if name == "root" { 0 } else { known().or_else(own).or_else(made).unwrap_or(NOBODY) }
    }

    /// The names that users and groups with these numbers have; of those that nobody has, nothing.
    pub(crate) fn names_of(&self, numbers: &[u32], of_groups: bool) -> Vec<String> {
        let text = if of_groups { self.group() } else { self.passwd() };
        let name_of = |number: &u32| {
            let is_his = |line: &&str| line.split(':').nth(2).and_then(|text| text.parse().ok()) == Some(*number);
            let paid = self.work.take_bytes(text.len());
            let line = text.lines().find(is_his).filter(|_| paid).unwrap_or_default();
            line.split(':').next().unwrap_or_default().to_string()
        };
        numbers.iter().map(name_of).collect()
    }

    /// Where somebody is at home; without a name, whoever is there.
    pub(crate) fn home_of(&self, name: &str) -> Option<String> {
        if name.is_empty() || name == self.user() {
            return Some(self.home());
        }
        let _ = self.work.take(PASSWD_STEPS);
        let of = |line: &str| line.strip_prefix(name)?.strip_prefix(":x:")?.split(':').nth(3).map(ToString::to_string);
        self.passwd().lines().find_map(of)
    }

    /// Whether it is a package's user's home.
    pub(super) fn is_made_home(&self, path: &str) -> bool {
        made(self.persona).any(|(.., rest)| rest.split(':').nth(1) == Some(path)) && path != "/nonexistent"
    }

    /// Folders that are there for a service, in a folder: their names, rights and owners.
    pub(super) fn served(&self, path: &str) -> &'static [(&'static str, &'static str, &'static str)] {
        match path {
            "/srv" if self.is_made_home("/srv/ftp") => &[("ftp", "drwxr-xr-x", "root")],
            "/srv/ftp" if self.is_made_home("/srv/ftp") => &[("incoming", "drwxrwxrwx", "ftp"), ("pub", "drwxr-xr-x", "root")],
            _ => &[],
        }
    }

    /// His line in `/etc/passwd`, if a package made it: number, group and home.
    fn account(&self) -> Option<(String, String, String)> {
        let user = self.user();
        let line = system(self.persona).find(|line| line.split(':').next() == Some(user))?;
        let mut words = line.split(':').skip(2).map(ToString::to_string);
        Some((words.next()?, words.next()?, words.nth(1)?))
    }

    /// `id`, of coreutils 9.7.
    pub(super) fn id(&self, arguments: &[&[u8]], output: &mut Output) {
        let letters: Vec<u8> = arguments.iter().filter_map(|word| word.strip_prefix(b"-")).flatten().copied().collect();
        let named = arguments.iter().find(|word| !word.starts_with(b"-")).map(|word| crate::safe_text(word, 200));
        let name = named.unwrap_or_else(|| self.user().to_string());
        if let Some(odd) = letters.iter().find(|letter| !b"aGgnruZz".contains(letter)) {
            let text = format!("id: invalid option -- '{}'\nTry 'id --help' for more information.\n", char::from(*odd));
            return self.fail(&text, output);
        }
        let passwd = self.passwd();
        let line = passwd.lines().find(|line| line.split(':').next() == Some(&name)).unwrap_or_default();
        let numbers: Vec<&str> = line.split(':').skip(2).collect();
        let [number, group, ..] = numbers.as_slice() else {
            return self.fail(&format!("id: \u{2018}{name}\u{2019}: no such user\n"), output);
        };
        let mut groups: Vec<(String, String)> = Vec::new();
        for line in self.group().lines() {
            if let [of, _, gid, members] = line.split(':').collect::<Vec<_>>().as_slice()
                && (gid == group || *members == name)
            {
                groups.insert(if gid == group { 0 } else { groups.len() }, (of.to_string(), gid.to_string()));
            }
        }
        let shown = |(name, number): &(String, String)| if letters.contains(&b'n') { name.clone() } else { number.clone() };
        let own = groups.first().cloned().unwrap_or_default();
        let text = match &letters {
            letters if letters.contains(&b'u') => shown(&(name, (*number).to_string())),
            letters if letters.contains(&b'g') => shown(&own),
            letters if letters.contains(&b'G') => groups.iter().map(shown).collect::<Vec<_>>().join(" "),
            _ => {
                let all: Vec<String> = groups.iter().map(|(name, number)| format!("{number}({name})")).collect();
                format!("uid={number}({name}) gid={}({}) groups={}", own.1, own.0, all.join(","))
            }
        };
        output.out.extend_from_slice(text.as_bytes());
        output.out.push(b'\n');
    }

    pub(crate) fn home(&self) -> String {
        let home = || self.account().map_or_else(|| format!("/home/{}", self.user()), |(.., home)| home);
        self.facts.home.get_or_init(home).clone()
    }

    /// Nobody's account of a package: it was made for somebody to log in.
    fn is_made_for_somebody(&self) -> bool {
        self.account().is_none()
    }

    /// `w`, as procps 4.0.4 prints it with logind. Whence somebody came is not known here: `-`, as for who came from nowhere.
    pub(super) fn w(&self, arguments: &[&[u8]], place: &Place) -> String {
        let since = Moment::of(place.since(self.now).0 / 1_000_000);
        let (hour, minute) = (since.hour, since.minute);
        let user: String = self.user().chars().take(8).collect();
        let row = match self.has_terminal() {
            true => format!("{user:<9}{:<9}{:<16} {hour:02}:{minute:02}    0.00s  0.02s   ?    w\n", "pts/0", "-"),
            false => format!(
                "{user:<9}{:<9}{:<16} {hour:02}:{minute:02}           0.00s  0.01s sshd-session: {} [priv]\n",
                "",
                "-",
                self.user()
            ),
        };
        let is_bare = arguments.iter().any(|word| matches!(*word, b"-h" | b"--no-header"));
        let head = if is_bare {
            String::new()
        } else {
            format!("{}\nUSER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU  WHAT\n", self.up())
        };
        head + &row
    }

    /// `who` of coreutils 9.7 with logind: sessions that have a terminal.
    pub(super) fn who(&self, place: &Place) -> String {
        if !self.has_terminal() {
            return String::new();
        }
        let Moment { year, month, day, hour, minute, .. } = Moment::of(place.since(self.now).0 / 1_000_000);
        format!("{:<8} {:<12} {year:04}-{month:02}-{day:02} {hour:02}:{minute:02}\n", self.user(), "sshd pts/0")
    }

    /// `users`.
    pub(super) fn users(&self, output: &mut Output) {
        if self.has_terminal() {
            output.out.extend_from_slice(self.user().as_bytes());
            output.out.push(b'\n');
        }
    }
}
