//! What lies on the machine: folders that one can look into, mounted file systems, and dates that fit its life.

use super::{Output, Place, Shell, Voice, rights::rights};
use crate::shell::paths::is_within;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// When Debian's `base-files` before and behind its second point release was made: root's own files have that date.
const BASE_FILES: [u64; 2] = [1_756_052_400, 1_762_537_200];
/// From then on a machine is installed with the second.
const SECOND_POINT: u64 = 1_763_251_200;
pub(super) const BLOCK_BYTES: u64 = 4_096;
/// What a line of a listing costs, in steps, and what its date does where that is the machine's own.
pub(super) const ROW_STEPS: usize = 4;
const DATE_STEPS: usize = 80;

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
/// Where the kernel shows what is in no listing.
const KERNELS: [&str; 3] = ["/proc", "/sys", "/usr/lib"];

/// Programs that are links, and where they lead.
const LINKED: [(&str, &str); 1] = [("sh", "dash")];

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
pub(super) struct Row {
    pub(super) rights: String,
    pub(super) links: u64,
    pub(super) owner: String,
    pub(super) group: String,
    pub(super) bytes: u64,
    pub(super) changed: u64,
    pub(super) name: String,
}

impl Row {
    /// Whether it takes blocks of a disk: a link does not, nor what is in memory, whose folders are of other lengths than whole blocks.
    pub(super) fn is_on_disk(&self) -> bool {
        !(self.rights.starts_with('l') || self.rights.starts_with('d') && !self.bytes.is_multiple_of(BLOCK_BYTES))
    }
}

impl Shell<'_> {
    /// `cd`.
    pub(super) fn cd(&self, arguments: &[&[u8]], place: &mut Place, output: &mut Output) {
        let home = self.home();
        let target = match arguments {
            [_, _, ..] if arguments[0] != b"--" && self.voice.get() != Voice::Dash => {
                return self.refuse("cd: too many arguments", output);
            }
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
        let target = target.map(|path| {
            let is_link = place.disk.file(&path).is_some_and(|file| file.link.is_some());
            let real = || self.real_path(path.as_bytes(), true, place).ok().filter(|real| self.is_folder(real, place));
            if is_link { real().unwrap_or(path) } else { path }
        });
        let shown = || crate::safe_text(arguments.first().copied().unwrap_or_default(), 200);
        match target {
            Some(path) if is_within(&path, "/root") && !self.is_root() => {
                self.no_folder(&shown(), "Permission denied", output);
            }
            Some(path) if self.is_folder(&path, place) => place.go(path, &home),
            Some(path) if self.entry(&path).is_some() => self.no_folder(&shown(), "Not a directory", output),
            _ => self.no_folder(&shown(), "No such file or directory", output),
        }
    }

    fn no_folder(&self, shown: &str, what: &str, output: &mut Output) {
        if self.voice.get() == Voice::Dash {
            self.refuse(&format!("cd: can't cd to {shown}"), output);
            output.status = 2;
        } else {
            self.refuse(&format!("cd: {shown}: {what}"), output);
        }
    }

    /// What stands under a path that is no folder.
    pub(super) fn row_of(&self, path: &str, place: &Place) -> Option<Row> {
        if let Some(file) = place.disk.file(path) {
            return Some(self.written(file, ""));
        }
        if place.disk.is_gone(path) {
            return None;
        }
        if let Some(entry) = self.entry(path) {
            return Some(self.sized(path, self.row(entry), place));
        }
        if super::programs::is_program(path) {
            return Some(self.program_row(path.rsplit('/').next().unwrap_or_default()));
        }
        let (folder, name) = path.rsplit_once('/')?;
        let in_home = folder == self.home() || folder == format!("{}/.ssh", self.home());
        in_home.then(|| self.rows(folder, place, false).into_iter().find(|row| row.name == name))?
    }

    /// A text that stands in no listing.
    pub(super) fn plain_row(&self, bytes: u64) -> Row {
        self.row(&file("", bytes, Age::Release))
    }

    /// Where a link of the machine's own leads.
    pub(super) fn own_link(&self, path: &str) -> Option<String> {
        let program = super::programs::is_program(path).then(|| crate::shell::paths::split(path).1);
        if let Some((_, target)) = program.and_then(|name| LINKED.iter().find(|(link, _)| *link == name)) {
            return Some((*target).to_string());
        }
        let (_, target) = self.entry(path)?.0.split_once(" -> ")?;
        Some(target.replace("KERNEL", self.kernel().release))
    }

    /// Whether it was there before anybody came.
    pub(super) fn own_row(&self, path: &str) -> bool {
        self.is_path_there(path, &Place::default())
    }

    fn written(&self, file: &super::disk::File, name: &str) -> Row {
        let (rights, bytes, name) = match &file.link {
            Some(target) => ("lrwxrwxrwx".into(), target.len() as u64, format!("{name} -> {target}")),
            None => (rights('-', file.mode), file.length, name.to_string()),
        };
        let (owner, group) = (self.user().to_string(), self.user().to_string());
        Row { rights, links: 1, owner, group, bytes, changed: file.changed, name }
    }

    pub(super) fn made_row(&self, folder: &super::disk::Folder, name: &str) -> Row {
        Row {
            rights: rights('d', folder.mode),
            links: 2,
            owner: self.user().to_string(),
            group: self.user().to_string(),
            bytes: BLOCK_BYTES,
            changed: folder.changed,
            name: name.to_string(),
        }
    }

    fn program_row(&self, name: &str) -> Row {
        if let Some((_, target)) = LINKED.iter().find(|(link, _)| *link == name) {
            return Row { name: format!("{name} -> {target}"), ..self.row(&link("", target.len() as u64)) };
        }
        let bytes = super::programs::size(self.persona, name);
        Row { name: name.to_string(), ..self.row(&("", "-rwxr-xr-x", 1, "root", "root", bytes, Age::Release)) }
    }

    /// Whether something that is no folder is there by itself.
    pub(super) fn is_known(&self, path: &str, place: &Place) -> bool {
        self.row_of(path, place).is_some()
            || KERNELS.iter().any(|folder| crate::shell::paths::is_within(path, folder)) && self.has_text(path, place)
    }

    fn has_text(&self, path: &str, place: &Place) -> bool {
        let mut own = Output::default();
        self.cat(path.as_bytes(), place, &mut own);
        own.status == 0
    }

    /// The names in a folder, in order.
    pub(super) fn names_in(&self, path: &str, place: &Place) -> Vec<String> {
        if !self.is_folder(path, place) || is_within(path, "/root") && !self.is_root() {
            return Vec::new();
        }
        self.rows(path, place, false).into_iter().map(|row| plain(&row.name).to_string()).collect()
    }

    /// The same without what is dear of each: who it belongs to and when it was changed.
    pub(super) fn bare_names(&self, path: &str, place: &Place) -> Vec<String> {
        if !self.is_folder(path, place) || is_within(path, "/root") && !self.is_root() {
            return Vec::new();
        }
        let home = self.home();
        let own = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let mut names: Vec<String> = if path == home {
            match self.is_root() {
                true => own(&[".bash_history", ".bashrc", ".profile", ".ssh"]),
                false => own(&[".bash_history", ".bash_logout", ".bashrc", ".profile", ".ssh"]),
            }
        } else if path == "/home" && !self.is_root() {
            own(&[self.user()])
        } else if path == format!("{home}/.ssh") && self.is_root() {
            own(&["authorized_keys"])
        } else if let Some((_, entries)) = FOLDERS.iter().find(|(folder, _)| *folder == path) {
            entries.iter().map(|entry| plain(entry.0).to_string()).collect()
        } else {
            match path {
                "/bin" | "/usr/bin" => super::programs::names().collect(),
                "/sbin" | "/usr/sbin" => super::programs::system_names().collect(),
                _ => Vec::new(),
            }
        };
        names.extend(self.served(path).iter().map(|(name, ..)| (*name).to_string()));
        let inside = |name: &str| format!("{}/{name}", path.trim_end_matches('/'));
        names.retain(|name| !place.disk.is_gone(&inside(name)) && place.disk.file(&inside(name)).is_none());
        names.extend(place.disk.files_in(path).map(|(name, _)| name.to_string()));
        names.extend(place.disk.made_in(path).map(|(name, _)| name.to_string()));
        names.sort_unstable();
        names.dedup();
        let _ = self.work.take(1 + names.len());
        names
    }

    /// Whether a folder lists it as a link to something else.
    pub(super) fn is_link(&self, path: &str) -> bool {
        self.entry(path).is_some_and(|entry| entry.1.starts_with('l'))
    }

    pub(super) fn is_folder(&self, path: &str, place: &Place) -> bool {
        if place.disk.is_gone(path) && !place.disk.has_made(path) || place.disk.file(path).is_some() {
            return false;
        }
        let is_home = path == self.home() || path == "/root" || path == format!("{}/.ssh", self.home());
        is_home
            || EMPTY.contains(&path)
            || place.disk.has_made(path)
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
        let is_plain = !row.rights.starts_with('l') && !row.rights.starts_with('d');
        match is_plain.then(|| self.known(path, place)).flatten() {
            // Texts that are made for their length alone are work, too.
            Some(text) if self.work.take(DATE_STEPS) => Row { bytes: text.len() as u64, ..row },
            _ => row,
        }
    }

    /// What stands in a folder under this path.
    fn entry(&self, path: &str) -> Option<&'static Entry> {
        let (folder, name) = path.rsplit_once('/')?;
        let folder = if folder.is_empty() { "/" } else { folder };
        let (_, entries) = FOLDERS.iter().find(|(known, _)| *known == folder)?;
        entries.iter().find(|entry| plain(entry.0) == name)
    }

    pub(super) fn itself(&self, path: &str) -> Row {
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

    pub(super) fn rows(&self, path: &str, place: &Place, shows_all: bool) -> Vec<Row> {
        let path = super::place::LINKED.iter().find(|(link, _)| *link == path).map_or(path, |(_, folder)| folder);
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
        } else if matches!(path, "/bin" | "/usr/bin") {
            rows.extend(super::programs::names().map(|name| self.program_row(&name)));
        } else if matches!(path, "/sbin" | "/usr/sbin") {
            rows.extend(super::programs::system_names().map(|name| self.program_row(&name)));
        }
        rows.extend(self.served(path).iter().map(|(name, rights, owner)| Row {
            name: (*name).to_string(),
            rights: (*rights).to_string(),
            owner: (*owner).to_string(),
            group: (*owner).to_string(),
            changed: self.persona.set_up("ftp"),
            ..self.row(&folder("", 2, Age::Installed))
        }));
        let inside = |name: &str| format!("{}/{}", path.trim_end_matches('/'), plain(name));
        rows.retain(|row| !place.disk.is_gone(&inside(&row.name)) && place.disk.file(&inside(&row.name)).is_none());
        rows.extend(place.disk.files_in(path).map(|(name, file)| self.written(file, name)));
        rows.extend(place.disk.made_in(path).map(|(name, made)| self.made_row(made, name)));
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        if shows_all {
            let above = path.rsplit_once('/').map_or("/", |(above, _)| if above.is_empty() { "/" } else { above });
            let of = |path| place.disk.made(path).map_or_else(|| self.itself(path), |made| self.made_row(made, ""));
            let dots = [Row { name: ".".into(), ..of(path) }, Row { name: "..".into(), ..of(above) }];
            rows.splice(0..0, dots);
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
        // What is left is asked for before the next folder.
        let _ = self.work.take(ROW_STEPS);
        let kernel = self.kernel().release;
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
        let _ = self.work.take(if matches!(age, Age::Release) { 1 } else { DATE_STEPS });
        let changed = match age {
            Age::Installed => persona.set_up(name),
            Age::Release => BASE_FILES[usize::from(self.installed() >= SECOND_POINT)],
            Age::Started => self.booted() + persona.number(name) % 9,
            Age::Every(seconds) => {
                let offset = persona.number(name) % seconds;
                now - (now + offset) % seconds
            }
        };
        changed.min(now)
    }
}

/// A name without where it leads.
pub(super) fn plain(name: &str) -> &str {
    name.split_once(" -> ").map_or(name, |(name, _)| name)
}
