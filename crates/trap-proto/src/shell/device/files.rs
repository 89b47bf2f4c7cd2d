//! What lies on the device: its folders and texts, and the few small files that somebody brings.

use super::programs;
use crate::{
    Telnet,
    calendar::Moment,
    shell::paths::{is_within, resolved, split},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use honeymesh_types::WallTime;

/// Where root is at home.
pub(super) const HOME: &str = "/root";
/// Files that somebody brought and that are known; the oldest gives way to a further one.
const KEPT_MAX: usize = 16;
/// What of each is kept, in bytes; how long it is altogether is counted.
pub(super) const HEAD_BYTES_MAX: usize = 256;
/// Folders that he made and that are known; further ones are forgotten.
const MADE_MAX: usize = 16;
/// Files older than this are shown with their year, in seconds.
const RECENT_SECONDS: u64 = 3_600 * 24 * 365 / 2;

/// What is in the folders. What is mounted there to be written is in [`WRITABLE`].
const FOLDERS: [(&str, &str); 25] = [
    ("/", "bin dev etc lib linuxrc media mnt opt proc root run sbin sys tmp usr var www"),
    ("/dev", "console full kmsg mem mtd0 mtdblock0 null ptmx pts random tty ttyS0 urandom watchdog zero"),
    ("/dev/pts", "0 ptmx"),
    ("/etc", "fstab group hostname hosts init.d inittab issue mtab os-release passwd profile resolv.conf shadow shells"),
    ("/etc/init.d", "S01syslogd S02klogd S40network S50telnet rcK rcS"),
    ("/lib", "libc.so.6 libcrypt.so.1 libm.so.6 modules"),
    ("/lib/modules", ""),
    ("/media", ""),
    ("/mnt", ""),
    ("/opt", ""),
    (
        "/proc",
        "1 10 2 204 208 311 327 41 8 981 cmdline cpuinfo devices filesystems interrupts loadavg meminfo modules mounts mtd net \
        partitions self stat sys uptime version",
    ),
    ("/proc/self", "cmdline cwd environ exe fd maps mounts stat status"),
    ("/run", "klogd.pid syslogd.pid utmp"),
    ("/sys", "block bus class dev devices firmware fs kernel module"),
    ("/tmp", "resolv.conf"),
    ("/usr", "bin lib sbin share"),
    ("/usr/lib", ""),
    ("/usr/share", ""),
    ("/var", "cache lib lock log run spool tmp"),
    ("/var/log", "messages"),
    ("/var/run", "klogd.pid syslogd.pid utmp"),
    ("/var/tmp", ""),
    ("/var/lib", ""),
    ("/var/spool", ""),
    ("/www", "index.html"),
];
/// Where files can be made.
const WRITABLE: [&str; 5] = ["/tmp", "/var", "/dev", "/run", HOME];
/// The kind, major and minor numbers of what is in `/dev`.
const NODES: [(&str, char, u8, u8); 13] = [
    ("console", 'c', 5, 1),
    ("full", 'c', 1, 7),
    ("kmsg", 'c', 1, 11),
    ("mem", 'c', 1, 1),
    ("mtd0", 'c', 90, 0),
    ("mtdblock0", 'b', 31, 0),
    ("null", 'c', 1, 3),
    ("ptmx", 'c', 5, 2),
    ("random", 'c', 1, 8),
    ("tty", 'c', 5, 0),
    ("ttyS0", 'c', 4, 64),
    ("urandom", 'c', 1, 9),
    ("watchdog", 'c', 10, 130),
];
const LINKS: [(&str, &str); 4] = [
    ("/linuxrc", "bin/busybox"),
    ("/etc/mtab", "/proc/mounts"),
    ("/etc/resolv.conf", "../tmp/resolv.conf"),
    ("/proc/mounts", "self/mounts"),
];

const MOUNTS: &str = "rootfs / rootfs rw 0 0\n/dev/root / squashfs ro,relatime 0 0\nproc /proc proc rw,relatime 0 0\n\
    sysfs /sys sysfs rw,relatime 0 0\ntmpfs /dev tmpfs rw,relatime,size=64k,mode=755 0 0\n\
    devpts /dev/pts devpts rw,relatime,mode=600 0 0\ntmpfs /tmp tmpfs rw,relatime 0 0\ntmpfs /run tmpfs rw,relatime,mode=755 0 0\n\
    tmpfs /var tmpfs rw,relatime 0 0\n/dev/mtdblock0 /root jffs2 rw,relatime 0 0\n";
const FSTAB: &str = "# <file system>\t<mount pt>\t<type>\t<options>\t<dump>\t<pass>\n/dev/root\t/\tsquashfs\tro\t0\t1\n\
    proc\t\t/proc\tproc\tdefaults\t0\t0\ndevpts\t\t/dev/pts\tdevpts\tdefaults,mode=600\t0\t0\ntmpfs\t\t/tmp\ttmpfs\tdefaults\t0\t0\n\
    tmpfs\t\t/run\ttmpfs\tmode=0755\t0\t0\ntmpfs\t\t/var\ttmpfs\tdefaults\t0\t0\nsysfs\t\t/sys\tsysfs\tdefaults\t0\t0\n\
    /dev/mtdblock0\t/root\tjffs2\tdefaults\t0\t0\n";
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nbin:x:2:2:bin:/bin:/bin/false\n\
    sys:x:3:3:sys:/dev:/bin/false\nsync:x:4:100:sync:/bin:/bin/sync\nmail:x:8:8:mail:/var/spool/mail:/bin/false\n\
    www-data:x:33:33:www-data:/var/www:/bin/false\noperator:x:37:37:Operator:/var:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n";
const GROUP: &str = "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nwheel:x:10:root\nutmp:x:43:\n\
    staff:x:50:\nwww-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n";
const INITTAB: &str = "::sysinit:/bin/mount -a\nnull::sysinit:/bin/ln -sf /proc/self/fd /dev/fd\n::sysinit:/bin/hostname -F /etc/hostname\n\
    ::sysinit:/etc/init.d/rcS\nttyS0::respawn:/sbin/getty -L ttyS0 0 vt100\n::shutdown:/etc/init.d/rcK\n::shutdown:/bin/umount -a -r\n";

/// What a file holds: its first bytes, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) head: Vec<u8>,
    pub(super) bytes: u64,
}

impl Content {
    fn of(text: impl Into<Vec<u8>>) -> Self {
        let head = text.into();
        Self { bytes: head.len() as u64, head }
    }
}

/// What somebody changed, and where he is.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// `None`: at home.
    at: Option<String>,
    before: Option<String>,
    kept: Vec<(String, Content)>,
    made: Vec<String>,
}

impl Files {
    /// The folder that he is in.
    pub(super) fn at(&self) -> &str {
        self.at.as_deref().unwrap_or(HOME)
    }

    /// The one before.
    pub(super) fn before(&self) -> Option<String> {
        self.before.clone()
    }

    pub(super) fn go(&mut self, path: String) {
        self.before = Some(self.at().to_string());
        self.at = Some(path);
    }

    pub(super) fn resolve(&self, word: &[u8]) -> Option<String> {
        resolved(word, self.at(), HOME)
    }

    pub(super) fn is_folder(&self, path: &str) -> bool {
        path == HOME
            || programs::FOLDERS.contains(&path)
            || FOLDERS.iter().any(|(folder, _)| *folder == path)
            || self.made.iter().any(|made| made == path)
    }

    /// What is in a folder, sorted.
    pub(super) fn names(&self, path: &str, telnet: &Telnet) -> Vec<String> {
        let mut names: Vec<String> = FOLDERS
            .iter()
            .filter(|(folder, _)| *folder == path)
            .flat_map(|(_, names)| names.split_ascii_whitespace().map(ToString::to_string))
            .chain(programs::installed(path, telnet))
            .chain(telnet.left.iter().filter(|_| path == HOME).map(|left| left.0.to_string()))
            .collect();
        let brought = self.kept.iter().map(|(kept, _)| kept).chain(&self.made).map(|brought| split(brought));
        names.extend(brought.filter(|(folder, _)| *folder == path).map(|(_, name)| name.to_string()));
        names.sort();
        names.dedup();
        names
    }

    /// Whether there is something under this path.
    pub(super) fn is_there(&self, path: &str, telnet: &Telnet) -> bool {
        let (folder, name) = split(path);
        self.is_folder(path) || self.names(folder, telnet).iter().any(|known| known == name)
    }

    /// What is in a file; `None` if there is none.
    pub(super) fn read(&self, path: &str, telnet: &Telnet, now: WallTime) -> Option<Content> {
        if let Some((_, kept)) = self.kept.iter().find(|(kept, _)| kept == path) {
            return Some(kept.clone());
        }
        let (folder, name) = split(path);
        if let Some(left) = telnet.left.as_ref().filter(|left| folder == HOME && left.0 == name) {
            return Some(Content::of(left.1.replace("\r\n", "\n")));
        }
        if path == "/proc/self/exe" || programs::FOLDERS.contains(&folder) && programs::is_installed(name, telnet) {
            let head = telnet.device.program_head;
            return Some(Content { head: head.to_vec(), bytes: telnet.device.program_bytes() });
        }
        if let Some(text) = text(path, telnet, now) {
            return Some(Content::of(text));
        }
        (self.is_there(path, telnet) && !self.is_folder(path)).then(|| Content::of(""))
    }

    /// Why nothing can be written there, if that is so.
    pub(super) fn refuses(&self, path: &str, telnet: &Telnet) -> Option<&'static str> {
        let (folder, name) = split(path);
        let is_there = self.names(folder, telnet).iter().any(|known| known == name);
        match () {
            () if self.is_folder(path) => Some("Is a directory"),
            () if !self.is_folder(folder) => Some("nonexistent directory"),
            () if path.starts_with("/proc/") && !is_there => Some("nonexistent directory"),
            () if path.starts_with("/proc/") || path.starts_with("/sys/") => Some("Permission denied"),
            () if is_writable(path) => None,
            () => Some("Read-only file system"),
        }
    }

    /// Writes a file, which [`Files::refuses`] not.
    pub(super) fn write(&mut self, path: &str, text: &[u8], appends: bool) {
        if let ("/dev", name) = split(path)
            && FOLDERS[1].1.split_ascii_whitespace().any(|node| node == name)
        {
            return;
        }
        let at = self.kept.iter().position(|(kept, _)| kept == path);
        let mut content = match at {
            Some(at) if appends => self.kept.remove(at).1,
            Some(at) => {
                self.kept.remove(at);
                Content::of("")
            }
            None => Content::of(""),
        };
        let room = HEAD_BYTES_MAX.saturating_sub(content.head.len());
        content.head.extend(text.iter().take(room));
        content.bytes = content.bytes.saturating_add(text.len() as u64);
        self.keep(path, content);
    }

    /// The same with what another file holds.
    pub(super) fn keep(&mut self, path: &str, mut content: Content) {
        content.head.truncate(HEAD_BYTES_MAX);
        self.kept.retain(|(kept, _)| kept != path);
        if self.kept.len() >= KEPT_MAX {
            self.kept.remove(0);
        }
        self.kept.push((path.to_string(), content));
    }

    pub(super) fn make(&mut self, path: &str) {
        if self.made.len() < MADE_MAX && !self.is_folder(path) {
            self.made.push(path.to_string());
        }
    }

    /// Takes away what somebody brought there, and with a folder what is in it; `false` if he brought nothing there.
    pub(super) fn remove(&mut self, path: &str) -> bool {
        // The path that nothing has is in front of all.
        if path.is_empty() {
            return false;
        }
        let before = self.kept.len() + self.made.len();
        let is_gone = |kept: &String| is_within(kept, path);
        self.kept.retain(|(kept, _)| !is_gone(kept));
        self.made.retain(|made| !is_gone(made));
        self.kept.len() + self.made.len() < before
    }

    /// How much is kept: files, their bytes, folders.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize, usize) {
        (self.kept.len(), self.kept.iter().map(|(_, content)| content.head.len()).sum(), self.made.len())
    }

    /// A line of `ls -l`, with `shown` as its name.
    pub(super) fn row(&self, path: &str, shown: &str, telnet: &Telnet, now: WallTime) -> String {
        let device = &telnet.device;
        let (folder, name) = split(path);
        let is_written = is_writable(path) || path.starts_with("/proc") || path.starts_with("/sys");
        let changed = if is_written { device.booted(now) } else { device.made };
        let mut links = 1;
        let node = NODES.iter().find(|(node, ..)| folder == "/dev" && *node == name);
        let link =
            LINKS.iter().find(|(link, _)| *link == path).map(|(_, target)| *target).or_else(|| programs::target(folder, name));
        let (rights, size) = if self.is_folder(path) {
            let names = self.names(path, telnet);
            links = 2 + names.iter().filter(|name| self.is_folder(&format!("{}/{name}", path.trim_end_matches('/')))).count();
            let size = match path {
                _ if path.starts_with("/proc") || path.starts_with("/sys") => 0,
                _ if is_written => (names.len() + 2) * 20,
                _ => names.iter().map(|name| name.len() + 8).sum::<usize>() + 3,
            };
            (if path == "/tmp" { "drwxrwxrwt" } else { "drwxr-xr-x" }, size.to_string())
        } else if let Some((_, kind, major, minor)) = node {
            let rights = if *kind == 'b' { "brw-rw----" } else { "crw-rw-rw-" };
            (rights, format!("{major:>4},{minor:>4}"))
        } else if let Some(target) = link {
            ("lrwxrwxrwx", target.len().to_string())
        } else {
            let bytes = self.read(path, telnet, now).map_or(0, |content| content.bytes);
            let is_program = programs::FOLDERS.contains(&folder) || folder == "/etc/init.d";
            (if is_program { "-rwxr-xr-x" } else { "-rw-r--r--" }, bytes.to_string())
        };
        let target = link.map_or(String::new(), |target| format!(" -> {target}"));
        format!("{rights} {links:>4} root     root     {size:>9} {} {shown}{target}\n", date(changed, now))
    }
}

fn is_writable(path: &str) -> bool {
    WRITABLE.iter().any(|folder| is_within(path, folder))
}

/// Of texts that tell what the device is.
fn text(path: &str, telnet: &Telnet, now: WallTime) -> Option<String> {
    let device = &telnet.device;
    Some(match path {
        "/proc/mounts" | "/proc/self/mounts" | "/etc/mtab" => MOUNTS.into(),
        "/proc/cpuinfo" => device.processor.into(),
        "/proc/version" => format!("{}\n", device.version),
        "/proc/uptime" => format!("{}\n", device.proc_uptime(now)),
        "/proc/meminfo" => device.meminfo(now),
        "/proc/cmdline" => "console=ttyS0,115200 root=/dev/mtdblock2 rootfstype=squashfs ro\n".into(),
        "/proc/self/cmdline" => "-sh\0".into(),
        "/etc/fstab" => FSTAB.into(),
        "/etc/group" => GROUP.into(),
        "/etc/hostname" => format!("{}\n", telnet.host),
        "/etc/hosts" => format!("127.0.0.1\tlocalhost\n127.0.1.1\t{}\n", telnet.host),
        "/etc/inittab" => INITTAB.into(),
        "/etc/issue" => "Welcome to Buildroot\n".into(),
        "/etc/os-release" => format!(
            "NAME=Buildroot\nVERSION={0}\nID=buildroot\nVERSION_ID={0}\nPRETTY_NAME=\"Buildroot {0}\"\n",
            device.buildroot
        ),
        "/etc/passwd" => PASSWD.into(),
        "/etc/profile" => {
            "export PATH=\"/bin:/sbin:/usr/bin:/usr/sbin\"\n\nexport PAGER='/bin/more'\nexport EDITOR='/bin/vi'\n".into()
        }
        "/etc/resolv.conf" | "/tmp/resolv.conf" => "nameserver 192.168.1.254\n".into(),
        "/etc/shadow" => device.shadow.clone(),
        "/etc/shells" => "/bin/sh\n/bin/ash\n".into(),
        _ => return None,
    })
}

/// `mount` without words, as busybox prints it.
pub(super) fn mounted() -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            [what, at, kind, how, ..] if *kind != "rootfs" => format!("{what} on {at} type {kind} ({how})\n"),
            _ => String::new(),
        }
    };
    MOUNTS.lines().map(line).collect()
}

/// What is mounted with room in it, for `df`: its name, where, and blocks of 1 KiB, all and used.
pub(super) fn disks(telnet: &Telnet) -> Vec<(&'static str, &'static str, u64, u64)> {
    let half = telnet.device.memory_kib / 2;
    let image = telnet.device.program_bytes() / 1_024 * 13;
    alloc::vec![
        ("/dev/root", "/", image, image),
        ("tmpfs", "/dev", 64, 0),
        ("tmpfs", "/tmp", half, 4),
        ("tmpfs", "/run", half, 12),
        ("tmpfs", "/var", half, 28),
        ("/dev/mtdblock0", HOME, 1_024, 268),
    ]
}

fn date(at: u64, now: WallTime) -> String {
    let moment = Moment::of(at);
    let (month, day) = (moment.month_name(), moment.day);
    match (now.0 / 1_000_000).saturating_sub(at) < RECENT_SECONDS {
        true => format!("{month} {day:>2} {:02}:{:02}", moment.hour, moment.minute),
        false => format!("{month} {day:>2}  {:04}", moment.year),
    }
}
