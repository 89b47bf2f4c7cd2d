//! What things cost besides packets: time of the processor, memory of the kernel.

use nix::time::{ClockId, clock_gettime};
use std::{collections::BTreeMap, fs};

/// What entering bans cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub seconds: f64,
    /// Of this process and of those it started.
    pub cpu_seconds: f64,
    /// By which the kernel's own memory grew, by its account of all of it.
    pub octets: i64,
}

/// Seconds of processor time of this process, and of its children that have ended (to a hundredth).
pub fn cpu_seconds() -> f64 {
    let own = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap();
    let own = own.tv_sec() as f64 + own.tv_nsec() as f64 / 1e9;
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    // After the name in brackets, the 14th and 15th field are the children's ticks in user and kernel space.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[13..15].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    own + ticks / 100.0
}

/// Slabs that cannot be reclaimed, vmalloc and per-CPU memory, in octets. Everybody on the machine has a part in it.
pub fn kernel_octets() -> i64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let wanted = ["SUnreclaim:", "VmallocUsed:", "Percpu:"];
    let lines = text.lines().filter(|line| wanted.iter().any(|wanted| line.starts_with(wanted)));
    lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap() * 1_024).sum()
}

/// Octets of every map that this process holds, as its `memlock` tells, by the map's number.
pub fn maps() -> BTreeMap<u64, u64> {
    let files = fs::read_dir("/proc/self/fdinfo").unwrap().filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    files.filter_map(|text| Some((field(&text, "map_id:")?, field(&text, "memlock:")?))).collect()
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}
