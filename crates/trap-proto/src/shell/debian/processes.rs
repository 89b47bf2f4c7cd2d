//! What `ps` shows: the kernel's threads, what every Debian 13 runs, what runs for the services that the machine plays, and the
//! stranger's own, as procps 4.0.4 prints them.

use super::{Place, Shell};
use crate::{
    calendar::Moment,
    shell::debian::daemons::{self, Daemon},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Processes that are shown at most: of a machine with eight processors and every service there are some three hundred.
const PROCESSES_MAX: usize = 512;
/// What a name is cut to where the kernel keeps it, in bytes.
const NAME_BYTES_MAX: usize = 15;
/// The first process that the system started after its services, and every how many seconds another is started, at least and less
/// than.
const FIRST_LATER: u32 = 1_400;
const EVERY_SECONDS: (u64, u64) = (23, 71);
/// Numbers of processes begin again behind this: `kernel.pid_max` of 64 bits.
const PID_MAX: u64 = 4_194_304;
const DAY_SECONDS: u64 = 86_400;

/// A process.
pub(super) struct Process {
    pub(super) pid: u32,
    parent: u32,
    pub(super) user: String,
    /// Size and what of it is in memory, in KiB.
    pub(super) size: u64,
    pub(super) resident: u64,
    tty: &'static str,
    pub(super) state: &'static str,
    /// When it was started, and for how long it ran on a processor, in seconds.
    started: u64,
    pub(super) ran: u64,
    command: String,
}

impl Process {
    /// What the kernel calls it.
    pub(super) fn name(&self) -> String {
        let plain = self.command.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let first = || {
            let word = self.command.split(' ').next().unwrap_or_default();
            let word = word.rsplit('/').next().unwrap_or_default().trim_start_matches('-').trim_end_matches(':');
            if word == "init" { "systemd".to_string() } else { word.to_string() }
        };
        // A thread of the kernel is shown by its whole name.
        plain.map_or_else(|| first().chars().take(NAME_BYTES_MAX).collect(), ToString::to_string)
    }
}

impl Shell<'_> {
    /// Answers `ps`.
    pub(super) fn ps(&self, arguments: &[&[u8]], place: &Place) -> String {
        let letters: Vec<u8> = arguments.iter().flat_map(|word| word.iter().copied()).filter(u8::is_ascii_alphabetic).collect();
        let has = |letter| letters.contains(&letter);
        let all = self.processes(place, arguments);
        let is_all = has(b'e') || has(b'A') || has(b'a') && has(b'x') || has(b'x');
        let tty = self.tty();
        let mine = |process: &&Process| is_all || process.tty == tty && process.user == self.user();
        let shown = all.iter().filter(mine);
        if has(b'u') {
            let head = "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n".to_string();
            return shown.fold(head, |text, process| text + &self.resources(process));
        }
        if has(b'f') {
            let head = "UID          PID    PPID  C STIME TTY          TIME CMD\n".to_string();
            return shown.fold(head, |text, process| text + &self.full(process));
        }
        if has(b'x') {
            let head = "    PID TTY      STAT   TIME COMMAND\n".to_string();
            return shown.fold(head, |text, process| {
                let minutes = minutes(process.ran);
                text + &format!("{:>7} {:<8} {:<4} {minutes:>6} {}\n", process.pid, process.tty, process.state, process.command)
            });
        }
        let head = "    PID TTY          TIME CMD\n".to_string();
        shown.fold(head, |text, process| {
            text + &format!("{:>7} {:<8} {} {}\n", process.pid, process.tty, hours(process.ran), process.name())
        })
    }

    /// How many tasks there are, and the number of the newest.
    pub(super) fn tasks(&self, place: &Place) -> (usize, u32) {
        let all = self.processes(place, &[]);
        (
            all.len() + all.iter().filter(|process| process.state.contains('l')).count() * 3,
            self.newest(self.now.0 / 1_000_000) + 2,
        )
    }

    /// What all that runs keeps in memory, in KiB.
    pub(super) fn resident_kib(&self) -> u64 {
        self.daemons().iter().map(|process| process.resident).sum()
    }

    /// The number of the stranger's shell.
    pub(super) fn own_pid(&self, place: &Place) -> u32 {
        self.newest(place.since(self.now).0 / 1_000_000) + 15
    }

    /// The number of what was started last.
    pub(super) fn newest_pid(&self) -> u32 {
        self.newest(self.now.0 / 1_000_000) + 2
    }

    pub(super) fn has_process(&self, pid: u32, place: &Place) -> bool {
        self.work.take(super::machine::PROCESSES_STEPS) && self.processes(place, &[]).iter().any(|process| process.pid == pid)
    }

    /// The stranger's terminal.
    pub(super) const fn tty(&self) -> &'static str {
        if self.has_terminal() { "pts/0" } else { "?" }
    }

    pub(super) fn processes(&self, place: &Place, asked: &[&[u8]]) -> Vec<Process> {
        let mut all = self.threads();
        all.extend(self.daemons());
        all.extend(self.own(place, asked));
        all.sort_by_key(|process| process.pid);
        all.truncate(PROCESSES_MAX);
        all
    }

    /// The kernel's: what it begins with, what it has for each processor, and what it begins later.
    fn threads(&self) -> Vec<Process> {
        let mut all = Vec::new();
        let mut next = 2;
        let mut add = |name: &str, state, seconds_between| {
            let (parent, ran) = (if next == 2 { 0 } else { 2 }, self.uptime() / seconds_between);
            all.push(Process { parent, ran, state, ..self.process(next, "root", &format!("[{name}]")) });
            next += 1 + u32::try_from(name.len() % 5 / 4).unwrap_or_default();
        };
        daemons::EARLY_THREADS.iter().for_each(|(name, state, between)| add(name, state, *between));
        for processor in 1..self.persona.machine().cores {
            daemons::PROCESSOR_THREADS
                .iter()
                .for_each(|(name, state, between)| add(&name.replace('#', &processor.to_string()), state, *between));
        }
        daemons::LATE_THREADS.iter().for_each(|(name, state, between)| add(name, state, *between));
        // Workers come and go.
        let newest = self.newest(self.now.0 / 1_000_000);
        for (place, name) in daemons::WORKERS.iter().enumerate() {
            let (ago, seconds) = (u32::try_from(place).unwrap_or_default() * 3 + 4, self.now.0 / 1_000_000);
            let pid = newest.saturating_sub(ago);
            let process = self.process(pid, "root", &format!("[{name}]"));
            let started = seconds.saturating_sub(u64::from(ago) * self.every_seconds()).max(self.booted());
            all.push(Process { parent: 2, state: "I", started, ..process });
        }
        all
    }

    /// What runs for the system and its services.
    fn daemons(&self) -> Vec<Process> {
        let mut all = Vec::new();
        let init = Process {
            size: 24_628,
            resident: 14_212,
            ran: 3 + self.uptime() / 41_000,
            state: "Ss",
            ..self.process(1, "root", "/sbin/init")
        };
        all.push(Process { parent: 0, ..init });
        for program in daemons::ALWAYS.into_iter().chain(self.persona.programs()) {
            let pid = self.era().pid(program, self.now);
            let cores = u32::from(self.persona.machine().cores);
            let copies = daemons::of(program)
                .flat_map(|daemon| core::iter::repeat_n(daemon, if daemon.for_each_processor { cores as usize } else { 1 }));
            for (place, daemon) in (0..).zip(copies) {
                all.push(self.daemon(daemon, pid, place));
            }
        }
        all
    }

    fn daemon(&self, daemon: &Daemon, pid: u32, place: u32) -> Process {
        // No two machines' are of one size to the page.
        let grown = self.persona.number(daemon.command) % 64 * 4;
        let parent = if place == 0 { 1 } else { pid };
        let ran = self.uptime() / daemon.seconds_between;
        let started = self.booted() + 2 + u64::from(pid) / 170;
        let process = self.process(pid + place, daemon.user, daemon.command);
        Process { parent, ran, started, size: daemon.size, resident: daemon.resident + grown, state: daemon.state, ..process }
    }

    /// The stranger's: what sshd runs for him, his shell, and `ps` itself.
    fn own(&self, place: &Place, asked: &[&[u8]]) -> Vec<Process> {
        let since = place.since(self.now).0 / 1_000_000;
        let (first, user, tty) = (self.newest(since), self.user(), self.tty());
        let is_terminal = self.has_terminal();
        let own = |pid, parent, user: &str, tty, state, size, resident, started, command: &str| Process {
            parent,
            tty,
            state,
            size,
            resident,
            started,
            ..self.process(pid, user, command)
        };
        let place = if is_terminal { "pts/0" } else { "notty" };
        let command = core::iter::once("ps".to_string())
            .chain(asked.iter().map(|word| String::from_utf8_lossy(word).chars().take(80).collect::<String>()));
        let command = command.collect::<Vec<_>>().join(" ");
        let mut all = alloc::vec![
            own(
                first,
                self.era().pid("sshd", self.now),
                "root",
                "?",
                "Ss",
                19_332,
                12_228,
                since,
                &format!("sshd-session: {user} [priv]")
            ),
            own(first + 3, 1, user, "?", "Ss", 22_020, 12_412, since, "/usr/lib/systemd/systemd --user"),
            own(first + 5, first + 3, user, "?", "S", 22_336, 3_480, since, "(sd-pam)"),
        ];
        all.push(own(first + 14, first, user, "?", "S", 19_596, 7_120, since, &format!("sshd-session: {user}@{place}")));
        let shell = if is_terminal { "-bash" } else { "bash" };
        all.push(own(first + 15, first + 14, user, tty, "Ss", 7_892, 4_356, since, shell));
        let now = self.now.0 / 1_000_000;
        // Something was typed since.
        let newest = (self.newest(now) + 1).max(first + 16);
        all.push(own(newest, first + 15, user, tty, if is_terminal { "R+" } else { "R" }, 9_812, 4_468, now, &command));
        all
    }

    fn process(&self, pid: u32, user: &str, command: &str) -> Process {
        Process {
            pid,
            parent: 1,
            user: user.to_string(),
            size: 0,
            resident: 0,
            tty: "?",
            state: "S",
            started: self.booted(),
            ran: 0,
            command: command.to_string(),
        }
    }

    fn every_seconds(&self) -> u64 {
        let (least, below) = EVERY_SECONDS;
        least + self.persona.number("forks") % (below - least)
    }

    /// The number of the newest process at a moment since the start.
    fn newest(&self, at: u64) -> u32 {
        let later = at.saturating_sub(self.booted()) / self.every_seconds();
        FIRST_LATER + u32::try_from(later % (PID_MAX - 2 * u64::from(FIRST_LATER))).unwrap_or_default()
    }

    /// A line of `ps aux`.
    fn resources(&self, process: &Process) -> String {
        let now = self.now.0 / 1_000_000;
        let lived = now.saturating_sub(process.started).max(1);
        let (busy, held) =
            ((process.ran * 1_000 / lived).min(999), process.resident * 1_000 / u64::from(self.persona.machine().memory_kib));
        let tenths = |tenths: u64| format!("{}.{}", tenths / 10, tenths % 10);
        let at = Moment::of(process.started);
        let started = match lived {
            0..=DAY_SECONDS => format!("{:02}:{:02}", at.hour, at.minute),
            _ => format!("{}{:02}", at.month_name(), at.day),
        };
        format!(
            "{:<8} {:>7} {:>4} {:>4} {:>6} {:>5} {:<8} {:<4} {started:<5} {:>6} {}\n",
            cut(&process.user),
            process.pid,
            tenths(busy),
            tenths(held),
            process.size,
            process.resident,
            process.tty,
            process.state,
            minutes(process.ran),
            process.command
        )
    }

    /// A line of `ps -ef`.
    fn full(&self, process: &Process) -> String {
        let now = Moment::of(self.now.0 / 1_000_000);
        let at = Moment::of(process.started);
        let started = match at {
            _ if at.year != now.year => format!("{}", at.year),
            _ if at.days != now.days => format!("{}{:02}", at.month_name(), at.day),
            _ => format!("{:02}:{:02}", at.hour, at.minute),
        };
        let lived = (self.now.0 / 1_000_000).saturating_sub(process.started).max(1);
        format!(
            "{:<8} {:>7} {:>7} {:>2} {started:>5} {:<8} {} {}\n",
            cut(&process.user),
            process.pid,
            process.parent,
            (process.ran * 100 / lived).min(99),
            process.tty,
            hours(process.ran),
            process.command
        )
    }
}

/// A name as it fits into eight columns.
fn cut(user: &str) -> String {
    if user.len() <= 8 { user.to_string() } else { user.chars().take(7).collect::<String>() + "+" }
}

fn minutes(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn hours(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
