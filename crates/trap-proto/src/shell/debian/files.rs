//! What lies on the machine: folders that one can look into, mounted file systems, and dates that fit its life.

use super::{Output, Place, Shell};
use crate::{calendar::Moment, shell::paths::is_within};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Files older than this are shown with their year, in seconds: half of a year as coreutils counts it.
const RECENT_SECONDS: u64 = 31_556_952 / 2;
/// When Debian's `base-files` before and behind its second point release was made: root's own files have that date.
const BASE_FILES: [u64; 2] = [1_756_052_400, 1_762_537_200];
/// From then on a machine is installed with the second.
const SECOND_POINT: u64 = 1_763_251_200;
const BLOCK_BYTES: u64 = 4_096;

/// When something was changed last.
#[derive(Clone, Copy)]
enum Age {
    /// On the day of the installation.
    Installed,
    /// With `base-files`.
    Release,
    /// At the machine's start.
    Started,
    /// So many seconds ago at most: it is changed again and again.
    Every(u64),
}

/// Something in a folder: its name, rights, links, owner, group and bytes.
type Entry = (&'static str, &'static str, u64, &'static str, &'static str, u64, Age);

const fn folder(name: &'static str, links: u64, age: Age) -> Entry {
    (name, "drwxr-xr-x", links, "root", "root", BLOCK_BYTES, age)
}

const fn link(name: &'static str, bytes: u64) -> Entry {
    (name, "lrwxrwxrwx", 1, "root", "root", bytes, Age::Release)
}

const fn file(name: &'static str, bytes: u64, age: Age) -> Entry {
    (name, "-rw-r--r--", 1, "root", "root", bytes, age)
}

/// What is in the folders that people look into; the others that are there are empty.
const FOLDERS: [(&str, &[Entry]); 8] = [
    (
        "/",
        &[
            link("bin -> usr/bin", 7),
            folder("boot", 3, Age::Started),
            ("dev", "drwxr-xr-x", 17, "root", "root", 3_300, Age::Started),
            folder("etc", 74, Age::Every(700_000)),
            folder("home", 3, Age::Installed),
            link("initrd.img -> boot/initrd.img-KERNEL", 34),
            link("lib -> usr/lib", 7),
            link("lib64 -> usr/lib64", 9),
            ("lost+found", "drwx------", 2, "root", "root", 16_384, Age::Installed),
            folder("media", 2, Age::Installed),
            folder("mnt", 2, Age::Installed),
            folder("opt", 2, Age::Installed),
            ("proc", "dr-xr-xr-x", 168, "root", "root", 0, Age::Started),
            ("root", "drwx------", 4, "root", "root", BLOCK_BYTES, Age::Every(3_000_000)),
            ("run", "drwxr-xr-x", 26, "root", "root", 700, Age::Every(60_000)),
            link("sbin -> usr/sbin", 8),
            folder("srv", 2, Age::Installed),
            ("sys", "dr-xr-xr-x", 13, "root", "root", 0, Age::Started),
            ("tmp", "drwxrwxrwt", 9, "root", "root", 180, Age::Every(900)),
            folder("usr", 12, Age::Installed),
            folder("var", 11, Age::Installed),
            link("vmlinuz -> boot/vmlinuz-KERNEL", 31),
        ],
    ),
    (
        "/etc",
        &[
            file("adduser.conf", 3_981, Age::Release),
            folder("alternatives", 2, Age::Every(700_000)),
            folder("apt", 8, Age::Installed),
            file("bash.bashrc", 1_997, Age::Release),
            folder("cron.d", 2, Age::Installed),
            folder("cron.daily", 2, Age::Installed),
            file("crontab", 1_042, Age::Release),
            folder("default", 3, Age::Every(2_000_000)),
            file("debian_version", 5, Age::Release),
            file("fstab", 362, Age::Installed),
            file("group", 702, Age::Installed),
            ("gshadow", "-rw-r-----", 1, "root", "shadow", 584, Age::Installed),
            file("hostname", 7, Age::Installed),
            file("hosts", 188, Age::Installed),
            file("issue", 27, Age::Release),
            file("ld.so.cache", 21_644, Age::Every(700_000)),
            link("localtime -> /usr/share/zoneinfo/Etc/UTC", 27),
            file("machine-id", 33, Age::Installed),
            file("motd", 286, Age::Release),
            folder("network", 6, Age::Installed),
            link("os-release -> ../usr/lib/os-release", 21),
            folder("pam.d", 2, Age::Installed),
            file("passwd", 1_398, Age::Installed),
            file("profile", 828, Age::Release),
            file("resolv.conf", 74, Age::Started),
            ("shadow", "-rw-r-----", 1, "root", "shadow", 822, Age::Installed),
            folder("ssh", 4, Age::Installed),
            folder("ssl", 4, Age::Installed),
            ("sudoers", "-r--r-----", 1, "root", "root", 1_714, Age::Release),
            folder("systemd", 6, Age::Installed),
        ],
    ),
    (
        "/var",
        &[
            folder("backups", 2, Age::Every(80_000)),
            folder("cache", 9, Age::Installed),
            folder("lib", 26, Age::Installed),
            ("local", "drwxrwsr-x", 2, "root", "staff", BLOCK_BYTES, Age::Release),
            link("lock -> /run/lock", 9),
            folder("log", 8, Age::Every(80_000)),
            ("mail", "drwxrwsr-x", 2, "root", "mail", BLOCK_BYTES, Age::Installed),
            folder("opt", 2, Age::Installed),
            link("run -> /run", 4),
            folder("spool", 4, Age::Installed),
            ("tmp", "drwxrwxrwt", 5, "root", "root", BLOCK_BYTES, Age::Every(40_000)),
        ],
    ),
    (
        "/var/log",
        &[
            file("alternatives.log", 8_913, Age::Every(700_000)),
            folder("apt", 2, Age::Every(700_000)),
            file("bootstrap.log", 62_118, Age::Release),
            ("btmp", "-rw-rw----", 1, "root", "utmp", 0, Age::Installed),
            file("dpkg.log", 183_204, Age::Every(700_000)),
            ("journal", "drwxr-sr-x", 3, "root", "systemd-journal", BLOCK_BYTES, Age::Installed),
            ("lastlog", "-rw-rw-r--", 1, "root", "utmp", 0, Age::Installed),
            ("private", "drwx------", 2, "root", "root", BLOCK_BYTES, Age::Installed),
            ("unattended-upgrades", "drwxr-x---", 2, "root", "adm", BLOCK_BYTES, Age::Every(2_000_000)),
            ("wtmp", "-rw-rw-r--", 1, "root", "utmp", 0, Age::Installed),
        ],
    ),
    (
        "/etc/ssh",
        &[
            file("moduli", 592_383, Age::Release),
            file("ssh_config", 1_668, Age::Release),
            folder("ssh_config.d", 2, Age::Installed),
            ("ssh_host_ecdsa_key", "-rw-------", 1, "root", "root", 505, Age::Installed),
            file("ssh_host_ecdsa_key.pub", 174, Age::Installed),
            ("ssh_host_ed25519_key", "-rw-------", 1, "root", "root", 411, Age::Installed),
            file("ssh_host_ed25519_key.pub", 94, Age::Installed),
            ("ssh_host_rsa_key", "-rw-------", 1, "root", "root", 2_602, Age::Installed),
            file("ssh_host_rsa_key.pub", 566, Age::Installed),
            file("sshd_config", 3_424, Age::Release),
            folder("sshd_config.d", 2, Age::Installed),
        ],
    ),
    (
        "/usr",
        &[
            folder("bin", 2, Age::Every(700_000)),
            folder("games", 2, Age::Release),
            folder("include", 2, Age::Release),
            folder("lib", 60, Age::Every(700_000)),
            folder("lib64", 2, Age::Release),
            folder("libexec", 5, Age::Installed),
            folder("local", 10, Age::Installed),
            folder("sbin", 2, Age::Every(700_000)),
            folder("share", 84, Age::Installed),
            folder("src", 2, Age::Release),
        ],
    ),
    (
        "/dev",
        &[
            ("null", "crw-rw-rw-", 1, "root", "root", 0, Age::Started),
            ("shm", "drwxrwxrwt", 2, "root", "root", 40, Age::Started),
            ("vda", "brw-rw----", 1, "root", "disk", 0, Age::Started),
            ("vda1", "brw-rw----", 1, "root", "disk", 0, Age::Started),
            ("zero", "crw-rw-rw-", 1, "root", "root", 0, Age::Started),
        ],
    ),
    (
        "/run",
        &[
            folder("lock", 3, Age::Started),
            folder("sshd", 2, Age::Started),
            folder("systemd", 24, Age::Started),
            folder("user", 3, Age::Every(3_000)),
        ],
    ),
];
/// Folders that are there besides, and whose content nobody sees.
const EMPTY: [&str; 31] = [
    "/bin",
    "/boot",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root/.ssh",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/dev/shm",
    "/var/tmp",
    "/var/run",
    "/var/lock",
    "/var/cache",
    "/var/lib",
    "/var/spool",
    "/var/spool/cron",
    "/var/mail",
    "/var/www",
    "/var/backups",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local",
    "/usr/local/bin",
    "/usr/lib",
    "/usr/share",
];
/// What of them holds something that is not told: who lists it gets nothing by a program that was stopped.
const FULL: [&str; 10] =
    ["/bin", "/sbin", "/lib", "/proc", "/sys", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share", "/var/lib"];

/// What differs from machine to machine: how many links it has more than stands there at most, and how many bytes, in steps of so many.
const VARIED: [(&str, u64, u64, u64); 9] = [
    ("proc", 60, 1, 1),
    ("run", 6, 20, 9),
    ("tmp", 3, 20, 4),
    ("etc", 24, 1, 1),
    ("dev", 1, 20, 9),
    ("dpkg.log", 1, 1, 400_000),
    ("alternatives.log", 1, 1, 20_000),
    ("bootstrap.log", 1, 1, 900),
    ("ld.so.cache", 1, 1, 9_000),
];

/// A line of a listing.
struct Row {
    rights: String,
    links: u64,
    owner: String,
    group: String,
    bytes: u64,
    changed: u64,
    name: String,
}

impl Row {
    /// Whether it takes blocks of a disk: a link does not, nor what is in memory, whose folders are of other lengths than whole blocks.
    fn is_on_disk(&self) -> bool {
        !(self.rights.starts_with('l') || self.rights.starts_with('d') && !self.bytes.is_multiple_of(BLOCK_BYTES))
    }
}

impl Shell<'_> {
    /// `cd`.
    pub(super) fn cd(&self, arguments: &[&[u8]], place: &mut Place, output: &mut Output) {
        let home = self.home();
        let target = match arguments {
            [] => Some(home.clone()),
            [b"-"] => match place.before() {
                Some(before) => {
                    output.out.extend_from_slice(format!("{before}\n").as_bytes());
                    Some(before)
                }
                None => return self.refuse("cd: OLDPWD not set", output),
            },
            [b"--", word, ..] | [word, ..] => place.resolve(word, &home),
        };
        let shown = || crate::safe_text(arguments.first().copied().unwrap_or_default(), 200);
        match target {
            Some(path) if is_within(&path, "/root") && !self.is_root() => {
                self.refuse(&format!("cd: {}: Permission denied", shown()), output);
            }
            Some(path) if self.is_folder(&path, place) => place.go(path, &home),
            Some(path) if self.entry(&path).is_some() => self.refuse(&format!("cd: {}: Not a directory", shown()), output),
            _ => self.refuse(&format!("cd: {}: No such file or directory", shown()), output),
        }
    }

    /// `mkdir`: folders that can be entered.
    pub(super) fn mkdir(&self, arguments: &[&[u8]], place: &mut Place, output: &mut Output) {
        let parents = arguments.iter().any(|word| word.starts_with(b"-") && word.contains(&b'p'));
        for word in arguments.iter().filter(|word| !word.starts_with(b"-")) {
            match place.resolve(word, &self.home()) {
                Some(path) if self.is_folder(&path, place) && parents => {}
                Some(path) if self.is_folder(&path, place) => {
                    let word = crate::safe_text(word, 200);
                    self.fail(&format!("mkdir: cannot create directory \u{2018}{word}\u{2019}: File exists\n"), output);
                }
                Some(path) => place.make(path),
                None => {}
            }
        }
    }

    /// `ls`.
    pub(super) fn list(&self, arguments: &[&[u8]], place: &Place, output: &mut Output) {
        let letters: Vec<u8> = arguments.iter().filter_map(|word| word.strip_prefix(b"-")).flatten().copied().collect();
        let (is_long, shows_all, is_itself) = (letters.contains(&b'l'), letters.contains(&b'a'), letters.contains(&b'd'));
        let words: Vec<&[u8]> = arguments.iter().copied().filter(|word| !word.starts_with(b"-")).collect();
        let words = if words.is_empty() { alloc::vec![&b"."[..]] } else { words };
        let several = words.len() > 1;
        for (number, word) in words.iter().enumerate() {
            let Some(path) = place.resolve(word, &self.home()) else { continue };
            let shown = crate::safe_text(word, 200);
            let rows = if self.is_folder(&path, place) {
                if is_within(&path, "/root") && !self.is_root() {
                    self.fail(&format!("ls: cannot open directory '{shown}': Permission denied\n"), output);
                    output.status = 2;
                    continue;
                }
                if is_itself {
                    alloc::vec![Row { name: shown.clone(), ..self.itself(&path) }]
                } else {
                    self.rows(&path, place, shows_all)
                }
            } else if let Some(entry) = self.entry(&path) {
                alloc::vec![Row { name: shown.clone(), ..self.sized(&path, self.row(entry), place) }]
            } else {
                self.fail(&format!("ls: cannot access '{shown}': No such file or directory\n"), output);
                output.status = 2;
                continue;
            };
            let is_content = self.is_folder(&path, place) && !is_itself;
            let head =
                if several && is_content { format!("{}{shown}:\n", if number == 0 { "" } else { "\n" }) } else { String::new() };
            let text = if is_long {
                self.long(&rows, is_content)
            } else {
                names(&rows, place.columns().filter(|_| output.screen && !letters.contains(&b'1')))
            };
            output.out.extend_from_slice((head + &text).as_bytes());
        }
    }

    pub(super) fn is_folder(&self, path: &str, place: &Place) -> bool {
        let is_home = path == self.home() || path == "/root" || path == format!("{}/.ssh", self.home());
        is_home
            || EMPTY.contains(&path)
            || place.has_made(path)
            || self.is_made_home(path)
            || matches!(path.rsplit_once('/'), Some((folder, name)) if self.served(folder).iter().any(|served| served.0 == name))
            || FOLDERS.iter().any(|(folder, _)| *folder == path)
            || self.entry(path).is_some_and(|entry| entry.1.starts_with('d'))
    }

    /// Whether a folder lists it, and it is none.
    pub(super) fn is_listed(&self, path: &str) -> bool {
        let own = path.strip_prefix(&self.home()).and_then(|rest| rest.strip_prefix('/'));
        self.entry(path).is_some() || own.is_some_and(|name| self.at_home().iter().any(|row| row.name == name))
    }

    /// With the length of what stands in it, if that is told.
    fn sized(&self, path: &str, row: Row, place: &Place) -> Row {
        match self.known(path, place).filter(|_| !row.rights.starts_with('l')) {
            Some(text) => Row { bytes: text.len() as u64, ..row },
            None => row,
        }
    }

    /// What stands in a folder under this path.
    fn entry(&self, path: &str) -> Option<&'static Entry> {
        let (folder, name) = path.rsplit_once('/')?;
        let folder = if folder.is_empty() { "/" } else { folder };
        let (_, entries) = FOLDERS.iter().find(|(known, _)| *known == folder)?;
        entries.iter().find(|entry| plain(entry.0) == name)
    }

    fn itself(&self, path: &str) -> Row {
        let entry = self.entry(path).map(|entry| self.row(entry));
        let mut row = entry.unwrap_or_else(|| self.row(&folder("", 2, Age::Installed)));
        if path == "/" {
            row.links = 18;
            row.changed = self.changed("/", Age::Every(3_000_000));
        }
        if path == "/tmp" || path == "/dev/shm" {
            row.rights = "drwxrwxrwt".into();
        }
        if is_within(path, &self.home()) {
            row.rights = "drwx------".into();
            row.owner = self.user().to_string();
            row.group = self.user().to_string();
        }
        row
    }

    fn rows(&self, path: &str, place: &Place, shows_all: bool) -> Vec<Row> {
        let mut rows = Vec::new();
        let home = self.home();
        if path == home {
            rows.extend(self.at_home().into_iter().map(|row| self.sized(&format!("{path}/{}", row.name), row, place)));
        } else if path == "/home" && !self.is_root() {
            rows.push(Row { name: self.user().to_string(), ..self.itself(&home) });
        } else if path == format!("{home}/.ssh") && self.is_root() {
            rows.push(Row { rights: "-rw-------".into(), bytes: 0, ..self.row(&file("authorized_keys", 0, Age::Installed)) });
        } else if let Some((folder, entries)) = FOLDERS.iter().find(|(folder, _)| *folder == path) {
            let folder = folder.trim_end_matches('/');
            rows.extend(entries.iter().map(|entry| self.sized(&format!("{folder}/{}", plain(entry.0)), self.row(entry), place)));
        } else if FULL.contains(&path) && matches!(path, "/bin" | "/usr/bin") {
            rows.extend(
                super::programs::names()
                    .map(|name| Row { name, ..self.row(&("", "-rwxr-xr-x", 1, "root", "root", 43_432, Age::Release)) }),
            );
        }
        rows.extend(self.served(path).iter().map(|(name, rights, owner)| Row {
            name: (*name).to_string(),
            rights: (*rights).to_string(),
            owner: (*owner).to_string(),
            group: (*owner).to_string(),
            changed: self.persona.set_up("ftp"),
            ..self.row(&folder("", 2, Age::Installed))
        }));
        let now = self.now.0 / 1_000_000;
        rows.extend(place.made_in(path).map(|name| Row {
            name: name.to_string(),
            changed: now,
            owner: self.user().to_string(),
            group: self.user().to_string(),
            ..self.row(&folder("", 2, Age::Installed))
        }));
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        if shows_all {
            let above = path.rsplit_once('/').map_or("/", |(above, _)| if above.is_empty() { "/" } else { above });
            let dots = [Row { name: ".".into(), ..self.itself(path) }, Row { name: "..".into(), ..self.itself(above) }];
            rows.splice(0..0, dots);
        } else {
            rows.retain(|row| !row.name.starts_with('.'));
        }
        rows
    }

    /// What a new user finds, and what was there since.
    fn at_home(&self) -> Vec<Row> {
        let of = |name: &'static str, bytes, age| Row {
            owner: self.user().to_string(),
            group: self.user().to_string(),
            ..self.row(&file(name, bytes, age))
        };
        let history = Row {
            rights: "-rw-------".into(),
            ..of(".bash_history", 400 + self.persona.number("history") % 5_000, Age::Every(3_000_000))
        };
        let keys = Row { name: ".ssh".into(), ..self.itself(&format!("{}/.ssh", self.home())) };
        match self.is_root() {
            true => alloc::vec![history, of(".bashrc", 607, Age::Release), of(".profile", 132, Age::Release), keys],
            false => alloc::vec![
                history,
                of(".bash_logout", 220, Age::Installed),
                of(".bashrc", 3_526, Age::Installed),
                of(".profile", 807, Age::Installed),
                keys
            ],
        }
    }

    fn row(&self, entry: &Entry) -> Row {
        let (name, rights, links, owner, group, bytes, age) = *entry;
        let kernel = self.persona.kernel(self.now).release;
        let name = name.replace("KERNEL", kernel);
        let changed = self.changed(&name, age);
        let varied = VARIED.iter().find(|(varied, ..)| *varied == name);
        let (links, bytes) = varied.map_or((links, bytes), |(_, more_links, step, more)| {
            let number = self.persona.number(&format!("size {name}"));
            (links + number % more_links, bytes + (number >> 32) % more * step)
        });
        let bytes = if rights.starts_with('l') {
            name.split_once(" -> ").map_or(bytes, |(_, target)| target.len() as u64)
        } else {
            bytes
        };
        Row { rights: rights.into(), links, owner: owner.into(), group: group.into(), bytes, changed, name }
    }

    /// When something was changed last, in seconds since 1970.
    fn changed(&self, name: &str, age: Age) -> u64 {
        let now = self.now.0 / 1_000_000;
        let persona = self.persona;
        let changed = match age {
            Age::Installed => persona.set_up(name),
            Age::Release => BASE_FILES[usize::from(persona.installed() >= SECOND_POINT)],
            Age::Started => persona.booted(self.now).0 / 1_000_000 + persona.number(name) % 9,
            Age::Every(seconds) => {
                let offset = persona.number(name) % seconds;
                now - (now + offset) % seconds
            }
        };
        changed.min(now)
    }

    /// `ls -l`: columns as wide as their widest.
    fn long(&self, rows: &[Row], is_content: bool) -> String {
        let widest = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let links = widest(&|row| row.links.to_string().len());
        let (owner, group) = (widest(&|row| row.owner.len()), widest(&|row| row.group.len()));
        let bytes = widest(&|row| row.bytes.to_string().len());
        let kib: u64 = rows.iter().filter(|row| row.is_on_disk()).map(|row| row.bytes.div_ceil(BLOCK_BYTES) * 4).sum();
        let head = if is_content { format!("total {kib}\n") } else { String::new() };
        rows.iter().fold(head, |text, row| {
            let date = self.date(row.changed);
            text + &format!(
                "{} {:>links$} {:<owner$} {:<group$} {:>bytes$} {date} {}\n",
                row.rights, row.links, row.owner, row.group, row.bytes, row.name
            )
        })
    }

    fn date(&self, at: u64) -> String {
        let moment = Moment::of(at);
        let (month, day) = (moment.month_name(), moment.day);
        match (self.now.0 / 1_000_000).saturating_sub(at) < RECENT_SECONDS {
            true => format!("{month} {day:>2} {:02}:{:02}", moment.hour, moment.minute),
            false => format!("{month} {day:>2}  {:04}", moment.year),
        }
    }
}

/// A name without where it leads.
fn plain(name: &str) -> &str {
    name.split_once(" -> ").map_or(name, |(name, _)| name)
}

/// The most columns that names are put into: each has a name and two blanks.
const ACROSS_MAX: usize = 170;
/// Where a tabulator leads.
const TAB: usize = 8;

/// Names as `ls` of coreutils puts them: one in a line, or on a terminal in as many columns as fit.
fn names(rows: &[Row], columns: Option<usize>) -> String {
    let names: Vec<&str> = rows.iter().map(|row| plain(&row.name)).collect();
    let Some(columns) = columns else { return names.iter().map(|name| format!("{name}\n")).collect() };
    if names.is_empty() {
        return String::new();
    }
    let wide = |name: &str| name.chars().count();
    let widths = |across: usize| -> Vec<usize> {
        let down = names.len().div_ceil(across);
        let last = names.len().div_ceil(down) - 1;
        let of = |(at, column): (usize, &[&str])| {
            column.iter().map(|name| wide(name)).max().unwrap_or(0) + if at == last { 0 } else { 2 }
        };
        names.chunks(down).enumerate().map(of).collect()
    };
    let most = (columns / 3).clamp(1, ACROSS_MAX).min(names.len());
    let fits = |across: &usize| widths(*across).iter().sum::<usize>() < columns;
    let across = (1..=most).rev().find(fits).unwrap_or(1);
    let (down, widths) = (names.len().div_ceil(across), widths(across));
    let mut text = String::new();
    for row in 0..down {
        let (mut at, mut edge) = (0, 0);
        for (column, name) in names.iter().skip(row).step_by(down).enumerate() {
            while at < edge {
                let next = (at / TAB + 1) * TAB;
                if edge / TAB > (at + 1) / TAB && next <= edge {
                    text.push('\t');
                    at = next;
                } else {
                    text.push(' ');
                    at += 1;
                }
            }
            text += name;
            at += wide(name);
            edge += widths[column];
        }
        text.push('\n');
    }
    text
}
