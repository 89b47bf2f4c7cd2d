//! `top` in one shot, as procps 4.0.4 prints it without a screen.

use super::{Output, Place, Shell};
use alloc::format;

/// Processes that are shown.
const ROWS_MAX: usize = 60;

impl Shell<'_> {
    pub(super) fn top(&self, words: &[&[u8]], place: &Place, output: &mut Output) {
        let is_batch = words.iter().skip(1).any(|word| word.starts_with(b"-") && word.contains(&b'b') || *word == b"b");
        if !is_batch && !self.has_terminal() {
            return self.fail("top: failed tty get\n", output);
        }
        if !self.work.take(super::machine::PROCESSES_STEPS) {
            return;
        }
        let mut all = self.processes(place, &[]);
        let tasks = all.len();
        let running = all.iter().filter(|process| process.state.starts_with('R')).count();
        let memory = self.memory();
        let mib = |kib: u64| format!("{}.{}", kib / 1_024, kib % 1_024 * 10 / 1_024);
        output.say(&format!(
            "top -{}\nTasks: {tasks:>3} total, {running:>3} running, {:>3} sleeping,   0 stopped,   0 zombie\n\
             %Cpu(s):  0.0 us,  0.0 sy,  0.0 ni,100.0 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st \n\
             MiB Mem : {:>8} total, {:>8} free, {:>8} used, {:>8} buff/cache     \n\
             MiB Swap:      0.0 total,      0.0 free,      0.0 used. {:>8} avail Mem \n\n\
             \x20   PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n",
            self.up(),
            tasks - running,
            mib(memory.total),
            mib(memory.free),
            mib(memory.total - memory.available),
            mib(memory.cached + memory.buffers),
            mib(memory.available)
        ));
        // Who runs is above; the others by their numbers.
        all.sort_by_key(|process| (!process.state.starts_with('R'), process.pid));
        for process in all.iter().take(ROWS_MAX) {
            let is_kernel = process.size == 0;
            let nice = if is_kernel && process.state.contains('<') { -20 } else { 0 };
            let held = process.resident * 1_000 / u64::from(self.persona.machine().memory_kib);
            output.say(&format!(
                "{:>7} {:<8} {:>3} {nice:>3} {:>7} {:>6} {:>6} {} {:>5} {:>5} {:>9} {}\n",
                process.pid,
                process.user,
                20 + nice,
                process.size,
                process.resident,
                process.resident * 7 / 10 / 4 * 4,
                process.state.chars().next().unwrap_or('S'),
                "0.0",
                format!("{}.{}", held / 10, held % 10),
                format!("{}:{:02}.{:02}", process.ran / 60, process.ran % 60, process.pid % 100),
                process.name()
            ));
        }
    }
}
