//! Mounted file systems: `df` and `mount`, with the sizes that the machine's memory gives them.

use super::{Output, Shell};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Disks that hosting companies sell with so many processors, in GiB, and what ext4 leaves of one, of 1,000.
const DISK_GIB: [u64; 3] = [40, 80, 160];
const LEFT_BY_EXT4: u64 = 983;
/// What a server's system takes, at least, and by how much that grows in a day, in KiB.
const USED_KIB: u64 = 2_150_000;
const GROWS_KIB: u64 = 4_300;
const DAY_SECONDS: u64 = 86_400;

/// What it costs to look at all of them, in steps.
const ROOM_STEPS: usize = 100;

/// How much a file system can hold, in blocks of 4 KiB, and in files.
pub(crate) struct Room {
    pub(crate) blocks: u64,
    pub(crate) free: u64,
    /// For those who are not root.
    pub(crate) available: u64,
    pub(crate) nodes: u64,
    pub(crate) nodes_free: u64,
    pub(crate) id: u64,
    /// On a disk: programs that change who runs them can be there, which they cannot in memory.
    pub(crate) is_disk: bool,
}

/// A file system: what it is, where it is, its type and options, and its KiB: all, used and free.
struct Mounted {
    source: &'static str,
    folder: String,
    kind: &'static str,
    all: u64,
    used: u64,
    free: u64,
}

impl Shell<'_> {
    fn mounted(&self) -> Vec<Mounted> {
        let persona = self.persona;
        let memory = u64::from(persona.machine().memory_kib);
        let now = self.now.0 / 1_000_000;
        let tmpfs = |folder: &str, all: u64, used: u64| Mounted {
            source: "tmpfs",
            folder: folder.to_string(),
            kind: "tmpfs",
            all,
            used,
            free: all - used,
        };
        let gib = match persona.machine().cores {
            0..=2 => DISK_GIB[0],
            3..=4 => DISK_GIB[1],
            _ => DISK_GIB[2],
        };
        let all = (gib << 20) * LEFT_BY_EXT4 / 1_000 / 4 * 4;
        let days = now.saturating_sub(persona.installed()) / DAY_SECONDS;
        let used = (USED_KIB + persona.number("disk") % 900_000 + days * GROWS_KIB + now / 600 % 1_024).min(all * 9 / 10) / 4 * 4;
        // A twentieth is root's.
        let free = (all - used).saturating_sub((gib << 20) / 20) / 4 * 4;
        // The kernel counts what it has itself before it makes the first.
        let device = memory / 2 - 26_000 - persona.number("udev") % 400 * 4;
        let tenth = memory / 10 / 4 * 4;
        let half = memory / 2 / 4 * 4;
        let user = if self.is_root() { 0 } else { 1_000 };
        alloc::vec![
            Mounted {
                source: "udev",
                folder: "/dev".into(),
                kind: "devtmpfs",
                all: device / 4 * 4,
                used: 0,
                free: device / 4 * 4
            },
            tmpfs("/run", tenth, 560 + persona.number("run tmpfs") % 60 * 4),
            Mounted { source: "/dev/vda1", folder: "/".into(), kind: "ext4", all, used, free },
            tmpfs("/dev/shm", half, 0),
            tmpfs("/run/lock", 5_120, 0),
            tmpfs("/run/credentials/systemd-journald.service", 1_024, 0),
            tmpfs("/tmp", half, 0),
            tmpfs("/run/credentials/getty@tty1.service", 1_024, 0),
            tmpfs("/run/credentials/serial-getty@ttyS0.service", 1_024, 0),
            tmpfs(&format!("/run/user/{user}"), tenth, 8),
        ]
    }

    /// `df`, with `-h`, `-k` and `-T`, of all or of those that the named paths are on.
    pub(super) fn df(&self, arguments: &[&[u8]], output: &mut Output) {
        let letters: Vec<u8> = arguments.iter().filter_map(|word| word.strip_prefix(b"-")).flatten().copied().collect();
        let (is_human, has_kind) = (letters.contains(&b'h'), letters.contains(&b'T'));
        let paths: Vec<String> = arguments
            .iter()
            .filter(|word| !word.starts_with(b"-"))
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        let all = self.mounted();
        let holds = |path: &str| {
            let inside = |mounted: &&Mounted| {
                mounted.folder == "/" || path == mounted.folder || path.starts_with(&format!("{}/", mounted.folder))
            };
            all.iter().filter(inside).max_by_key(|mounted| mounted.folder.len())
        };
        let shown: Vec<&Mounted> =
            if paths.is_empty() { all.iter().collect() } else { paths.iter().filter_map(|path| holds(path)).collect() };
        let size = |kib: u64| if is_human { human(kib) } else { kib.to_string() };
        let head = if is_human { ["Size", "Used", "Avail", "Use%"] } else { ["1K-blocks", "Used", "Available", "Use%"] };
        let mut table: Vec<[String; 7]> =
            alloc::vec![["Filesystem", "Type", head[0], head[1], head[2], head[3], "Mounted on"].map(ToString::to_string)];
        table.extend(shown.iter().map(|one| {
            let percent = (one.used * 100).div_ceil((one.used + one.free).max(1));
            [
                one.source.to_string(),
                one.kind.to_string(),
                size(one.all),
                size(one.used),
                size(one.free),
                format!("{percent}%"),
                one.folder.clone(),
            ]
        }));
        // Each column is as wide as its widest, and as coreutils has it at least.
        let least = [14, 4, 5, 5, 5, 4];
        let width = |column: usize| table.iter().map(|row| row[column].len()).max().unwrap_or(0).max(least[column]);
        let widths: Vec<usize> = (0..6).map(width).collect();
        for row in &table {
            let kind = if has_kind { format!(" {:<width$}", row[1], width = widths[1]) } else { String::new() };
            let numbers: String = (2..6).map(|column| format!(" {:>width$}", row[column], width = widths[column])).collect();
            output.out.extend_from_slice(format!("{:<width$}{kind}{numbers} {}\n", row[0], row[6], width = widths[0]).as_bytes());
        }
    }

    /// What there is room for where a path is.
    pub(crate) fn room(&self, path: &str) -> Room {
        let _ = self.work.take(ROOM_STEPS);
        let holds = |one: &Mounted| one.folder == "/" || crate::shell::paths::is_within(path, &one.folder);
        let all = self.mounted();
        let one = all.iter().filter(|one| holds(one)).max_by_key(|one| one.folder.len());
        let (all, used, free, kind) = one.map_or((0, 0, 0, ""), |one| (one.all, one.used, one.free, one.kind));
        let is_disk = kind == "ext4";
        // ext4 has one for each 16 KiB, and a small system takes some 40,000; what is in memory has one for each page.
        let nodes = if is_disk { all / 16 / 8_192 * 8_192 } else { all / 4 };
        let taken = if is_disk { 36_000 + self.persona.number("nodes") % 9_000 } else { 20 + used / 40 };
        let id = self.persona.number(&format!("file system {}", one.map_or("/", |one| &one.folder)));
        Room {
            blocks: all / 4,
            free: (all - used) / 4,
            available: free / 4,
            nodes,
            nodes_free: nodes.saturating_sub(taken),
            id: if is_disk { id } else { id & 0xffff },
            is_disk,
        }
    }

    /// `mount`, and `/proc/mounts` without its words.
    pub(super) fn mounts(&self, as_file: bool) -> String {
        let memory = u64::from(self.persona.machine().memory_kib);
        let line = |source: &str, folder: &str, kind: &str, options: &str| match as_file {
            true => format!("{source} {folder} {kind} {options} 0 0\n"),
            false => format!("{source} on {folder} type {kind} ({options})\n"),
        };
        let mut text = line("sysfs", "/sys", "sysfs", "rw,nosuid,nodev,noexec,relatime");
        text += &line("proc", "/proc", "proc", "rw,nosuid,nodev,noexec,relatime");
        for one in self.mounted() {
            let options = match (one.folder.as_str(), one.kind) {
                ("/", _) => "rw,relatime,errors=remount-ro".to_string(),
                (_, "devtmpfs") => format!("rw,nosuid,relatime,size={}k,nr_inodes={},mode=755,inode64", one.all, one.all / 4),
                ("/dev/shm", _) => "rw,nosuid,nodev,inode64".to_string(),
                ("/tmp", _) => format!("rw,nosuid,nodev,size={}k,nr_inodes=1048576,inode64", one.all),
                ("/run", _) => format!("rw,nosuid,nodev,noexec,relatime,size={}k,mode=755,inode64", one.all),
                ("/run/lock", _) => "rw,nosuid,nodev,noexec,relatime,size=5120k,inode64".to_string(),
                (folder, _) if folder.starts_with("/run/user/") => {
                    format!("rw,nosuid,nodev,relatime,size={}k,nr_inodes={},mode=700,inode64", memory / 10 / 4 * 4, memory / 40)
                }
                _ => "ro,nosuid,nodev,noexec,relatime,nosymfollow,size=1024k,nr_inodes=1024,mode=700,inode64,noswap".to_string(),
            };
            text += &line(one.source, &one.folder, one.kind, &options);
            if one.folder == "/dev" {
                text += &line("devpts", "/dev/pts", "devpts", "rw,nosuid,noexec,relatime,gid=5,mode=600,ptmxmode=000");
            }
            if one.folder == "/dev/shm" {
                text += &line(
                    "cgroup2",
                    "/sys/fs/cgroup",
                    "cgroup2",
                    "rw,nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot",
                );
            }
        }
        text
    }
}

/// As `df -h` writes it: rounded up, with a point below ten.
fn human(kib: u64) -> String {
    let scaled = |shift: u32, unit: char| {
        let tenths = (kib * 10).div_ceil(1 << shift);
        if tenths < 100 {
            format!("{}.{}{unit}", tenths / 10, tenths % 10)
        } else {
            format!("{}{unit}", kib.div_ceil(1 << shift))
        }
    };
    match kib {
        0 => "0".into(),
        1..10 => format!("{kib}.0K"),
        10..1_024 => format!("{kib}K"),
        1_024..1_047_553 => scaled(10, 'M'),
        _ => scaled(20, 'G'),
    }
}
