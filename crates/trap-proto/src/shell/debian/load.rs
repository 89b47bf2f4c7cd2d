//! How busy the machine is: load, memory and the time since its start, which move as time does.

use super::{Place, Shell};
use crate::{Persona, text::random_below};
use alloc::{format, string::String};
use honeymesh_types::WallTime;

const DAY_SECONDS: u64 = 24 * 3_600;
/// The load averages' times, in minutes.
const AVERAGED_MINUTES: [u64; 3] = [1, 5, 15];
/// What a machine like this is busy with on the average at least and less than, in hundredths of a processor, and by how much that
/// moves from minute to minute.
const BUSY: (u32, u32) = (2, 12);
const BUSY_MOVES: u32 = 7;
/// What the kernel and the system take besides the programs' own, in KiB.
const SYSTEM_KIB: u64 = 148_000;
/// By how much used memory moves from minute to minute, in KiB.
const USED_MOVES_KIB: u32 = 6_400;

/// Memory as `/proc/meminfo` tells it, in KiB.
pub(super) struct Memory {
    pub(super) total: u64,
    pub(super) free: u64,
    pub(super) available: u64,
    pub(super) buffers: u64,
    pub(super) cached: u64,
    reclaimable: u64,
    shared: u64,
}

impl Memory {
    /// Of the machine at `now`, whose programs take `programs` KiB.
    pub(super) fn of(persona: &Persona, programs: u64, now: WallTime) -> Self {
        let total = u64::from(persona.machine().memory_kib);
        let mut seed = persona.number("memory") ^ (now.0 / 60_000_000);
        let moved = u64::from(random_below(&mut seed, USED_MOVES_KIB / 4)) * 4;
        // What programs share is counted once.
        let used = (SYSTEM_KIB + programs * 6 / 10 + moved).min(total * 7 / 10);
        // What was read since the start stays as long as there is room.
        let read = (700_000 + persona.uptime(now) / 9 * 4).min(total / 3) / 4 * 4;
        let (buffers, reclaimable) = (read / 14 / 4 * 4, read / 11 / 4 * 4);
        let available = (total - used) / 4 * 4;
        let kept = used / 3 / 4 * 4;
        Self {
            total,
            free: available.saturating_sub(read) + kept,
            available,
            buffers,
            cached: read - buffers - reclaimable,
            reclaimable,
            shared: 620 + persona.number("shared") % 90 * 4,
        }
    }

    const fn buffered(&self) -> u64 {
        self.buffers + self.cached + self.reclaimable
    }

    /// `/proc/meminfo`, its first lines and those about swap.
    pub(super) fn meminfo(&self) -> String {
        let active = self.cached / 2 / 4 * 4 + self.shared;
        let inactive = (self.cached + self.buffers).saturating_sub(active);
        let anonymous = (self.total - self.available) / 2 / 4 * 4;
        let rows = [
            ("MemTotal:", self.total),
            ("MemFree:", self.free),
            ("MemAvailable:", self.available),
            ("Buffers:", self.buffers),
            ("Cached:", self.cached),
            ("SwapCached:", 0),
            ("Active:", active),
            ("Inactive:", inactive + anonymous),
            ("Active(anon):", self.shared),
            ("Inactive(anon):", anonymous),
            ("Active(file):", active - self.shared),
            ("Inactive(file):", inactive),
            ("Unevictable:", 0),
            ("Mlocked:", 0),
            ("SwapTotal:", 0),
            ("SwapFree:", 0),
            ("Zswap:", 0),
            ("Zswapped:", 0),
            ("Dirty:", 48),
            ("Writeback:", 0),
            ("AnonPages:", anonymous),
            ("Mapped:", anonymous * 6 / 10 / 4 * 4),
            ("Shmem:", self.shared),
            ("KReclaimable:", self.reclaimable),
            ("Slab:", self.reclaimable + 34_580),
            ("SReclaimable:", self.reclaimable),
            ("SUnreclaim:", 34_580),
            ("KernelStack:", 2_416),
            ("PageTables:", 3_604),
            ("CommitLimit:", self.total / 2),
            ("Committed_AS:", anonymous * 3),
            ("VmallocTotal:", 34_359_738_367),
            ("VmallocUsed:", 19_764),
            ("VmallocChunk:", 0),
        ];
        rows.iter().map(|(name, kib)| format!("{name:<16}{kib:>8} kB\n")).collect()
    }
}

impl Shell<'_> {
    pub(super) fn uptime(&self) -> u64 {
        self.era().uptime(self.now)
    }

    /// What the machine is busy with on the average, in hundredths of a processor.
    fn busy(&self) -> u64 {
        let (least, below) = BUSY;
        u64::from(least) + self.persona.number("busy") % u64::from(below - least)
    }

    /// The same in one minute since 1970.
    fn busy_in(&self, minute: u64) -> u64 {
        let mut seed = self.persona.number("load").wrapping_add(minute);
        (self.busy() + u64::from(random_below(&mut seed, BUSY_MOVES))).saturating_sub(u64::from(BUSY_MOVES) / 2)
    }

    /// The load averages, in hundredths.
    fn load(&self) -> [u64; 3] {
        let (minute, second) = (self.now.0 / 60_000_000, self.now.0 / 1_000_000 % 60);
        AVERAGED_MINUTES.map(|minutes| {
            // The minute that goes on counts as far as it has gone, and the one that leaves for the rest.
            let whole: u64 =
                (0..minutes).map(|ago| self.busy_in(minute.saturating_sub(ago)) * if ago == 0 { second } else { 60 }).sum();
            (whole + self.busy_in(minute.saturating_sub(minutes)) * (60 - second)) / (60 * minutes)
        })
    }

    fn loads(&self) -> [String; 3] {
        self.load().map(|hundredths| format!("{}.{:02}", hundredths / 100, hundredths % 100))
    }

    /// `/proc/loadavg`: the last number is that of the newest process.
    pub(super) fn loadavg(&self, place: &Place) -> String {
        let (tasks, newest) = self.tasks(place);
        format!("{} 1/{tasks} {newest}\n", self.loads().join(" "))
    }

    /// `/proc/uptime`: seconds since the start, and those that processors were idle.
    pub(super) fn proc_uptime(&self) -> String {
        // The start was at some part of a second.
        let part = self.persona.number("boot hundredths") % 100;
        let hundredths = (self.uptime() * 100 + self.now.0 / 10_000 % 100).saturating_sub(part);
        let idle = hundredths * (u64::from(self.persona.machine().cores) * 100 - self.busy()) / 100;
        let shown = |hundredths: u64| format!("{}.{:02}", hundredths / 100, hundredths % 100);
        format!("{} {}\n", shown(hundredths), shown(idle))
    }

    /// ` 12:00:00 up 5 days,  3:04,  1 user,  load average: 0.08, 0.03, 0.01`.
    pub(super) fn up(&self) -> String {
        let up = self.uptime();
        let days = match up / DAY_SECONDS {
            0 => String::new(),
            1 => "1 day, ".into(),
            days => format!("{days} days, "),
        };
        let (hours, minutes) = (up % DAY_SECONDS / 3_600, up % 3_600 / 60);
        let hours = if hours == 0 { format!("{minutes} min") } else { format!("{hours:2}:{minutes:02}") };
        let clock = self.now.0 / 1_000_000 % DAY_SECONDS;
        let (hour, minute, second) = (clock / 3_600, clock % 3_600 / 60, clock % 60);
        let loads = self.loads().join(", ");
        format!(" {hour:02}:{minute:02}:{second:02} up {days}{hours},  1 user,  load average: {loads}")
    }

    pub(super) fn memory(&self) -> Memory {
        Memory::of(self.persona, self.resident_kib(), self.now)
    }

    pub(super) fn free(&self, arguments: &[&[u8]]) -> String {
        let memory = self.memory();
        let unit = |kib: u64| match arguments {
            [b"-m" | b"--mebi", ..] => format!("{}", kib / 1_024),
            [b"-g" | b"--gibi", ..] => format!("{}", kib >> 20),
            [b"-b" | b"--bytes", ..] => format!("{}", kib * 1_024),
            [b"-h" | b"--human", ..] => human(kib),
            _ => format!("{kib}"),
        };
        let row = |name: &str, columns: &[u64]| {
            columns.iter().fold(format!("{name:<8}"), |row, kib| row + &format!("{:>12}", unit(*kib)))
        };
        let used = memory.total - memory.available;
        format!(
            "               total        used        free      shared  buff/cache   available\n{}\n{}\n",
            row("Mem:", &[memory.total, used, memory.free, memory.shared, memory.buffered(), memory.available]),
            row("Swap:", &[0, 0, 0])
        )
    }
}

/// As `free -h` writes it: at most four characters, of which a point is one.
fn human(kib: u64) -> String {
    if kib == 0 {
        return "0B".into();
    }
    let scaled = |shift: u32, unit: &str| {
        let tenths = ((kib * 10) + (1 << shift) / 2) >> shift;
        match tenths {
            0..100 => format!("{}.{}{unit}", tenths / 10, tenths % 10),
            _ => format!("{}{unit}", kib >> shift),
        }
    };
    match kib {
        0..1_000 => format!("{kib}Ki"),
        1_000..1_024_000 => scaled(10, "Mi"),
        _ => scaled(20, "Gi"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persona::tests::seeds;
    use alloc::vec::Vec;

    fn at(second: u64) -> WallTime {
        WallTime((1_796_040_000 + second) * 1_000_000)
    }

    #[test]
    fn load_and_memory_move_with_time_and_not_by_leaps() {
        for persona in seeds().take(30) {
            let of = |second| {
                let shell = Shell::new(&persona, b"root", at(second), false);
                (shell.load(), shell.memory())
            };
            let all: Vec<_> = (0..400).map(|step| of(step * 15)).collect();
            for [before, after] in all.array_windows() {
                let leap = before.0.iter().zip(after.0).map(|(before, after)| before.abs_diff(after)).max().unwrap();
                assert!(leap <= u64::from(BUSY_MOVES) && before.1.free.abs_diff(after.1.free) <= 2 * u64::from(USED_MOVES_KIB));
            }
            assert!(all.iter().any(|(load, _)| *load != all[0].0) && all.iter().any(|(_, memory)| memory.free != all[0].1.free));
            for (_, memory) in all {
                assert!(memory.free + memory.buffered() <= memory.total, "what is free and what is buffered fits");
                assert!(memory.available >= memory.free && memory.available < memory.total);
            }
        }
    }

    #[test]
    fn idle_time_is_what_load_leaves_and_never_more_than_the_processors_have() {
        for persona in seeds() {
            let of = |second| {
                let text = Shell::new(&persona, b"root", at(second), false).proc_uptime();
                let mut numbers = text.trim_end().split(' ').map(|number| {
                    assert_eq!(number.split_once('.').unwrap().1.len(), 2, "{text}");
                    number.replace('.', "").parse::<u64>().unwrap()
                });
                (numbers.next().unwrap(), numbers.next().unwrap())
            };
            let cores = u64::from(persona.machine().cores);
            let ((up, idle), (later, later_idle)) = (of(0), of(10));
            if later > up {
                assert!((later - up).abs_diff(1_000) < 2, "{up} {later}");
                assert!((later_idle - idle) <= (later - up) * cores && later_idle > idle);
            }
            assert!(idle < up * cores && idle > up * cores * 8 / 10, "{up} {idle}");
            assert!((up / 100).abs_diff(persona.uptime(at(0))) < 2);
        }
    }

    #[test]
    fn amounts_are_written_as_free_writes_them() {
        let table = [
            (0, "0B"),
            (800, "800Ki"),
            (1_200, "1.2Mi"),
            (1_010, "1.0Mi"),
            (811_600, "792Mi"),
            (9_268_808, "8.8Gi"),
            (15_013_456, "14Gi"),
            (8_956, "8.7Mi"),
        ];
        table.iter().for_each(|(kib, shown)| assert_eq!(human(*kib), *shown));
    }
}
