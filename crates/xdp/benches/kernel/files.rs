//! What a run leaves below the target directory: a table for the documentation, and numbers to compare two runs by.

use crate::results::{Cell, Results};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A figure that moved by less than this says nothing on a machine that does other work too.
const MOVED_MIN: f64 = 0.1;

/// Writes `kernel-<scale>.json` and `.md`, keeps the run before as `.before.json`, and says what moved since.
pub fn keep(results: &Results) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    fs::create_dir_all(&directory).unwrap();
    let file = |ending: &str| -> PathBuf { directory.join(format!("kernel-{}{ending}", results.scale)) };
    let before = fs::read_to_string(file(".json")).ok();
    if before.is_some() {
        fs::rename(file(".json"), file(".before.json")).unwrap();
    }
    let now = figures(results);
    fs::write(file(".json"), format!("{:#}\n", json(results, &now))).unwrap();
    fs::write(file(".md"), results.markdown()).unwrap();
    println!("written: {} and {}", file(".json").display(), file(".md").display());
    if let Some(before) = before.and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
        compare(&before["figures"], &now);
    }
}

/// Every figure under one name.
fn figures(results: &Results) -> BTreeMap<String, f64> {
    let mut figures = BTreeMap::new();
    for section in &results.sections {
        for line in &section.lines {
            for (case, cell) in section.cases.iter().zip(&line.cells) {
                if let Cell::Figure(figure) = cell {
                    figures.insert(format!("{}/{}/{case}", section.title, line.name), *figure);
                }
            }
        }
    }
    figures
}

fn json(results: &Results, figures: &BTreeMap<String, f64>) -> Value {
    let machine: BTreeMap<&str, &str> = results.machine.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let goals: Vec<Value> =
        results.goals.iter().map(|goal| json!({"goal": goal.name, "measured": goal.measured, "ok": goal.holds()})).collect();
    json!({"scale": results.scale, "machine": machine, "goals": goals, "figures": figures, "absent": results.absent, "faults": results.faults})
}

fn compare(before: &Value, now: &BTreeMap<String, f64>) {
    println!("moved by more than a tenth since the run before:");
    for (name, figure) in now {
        let Some(earlier) = before[name].as_f64() else { continue };
        if (figure - earlier).abs() > earlier.abs() * MOVED_MIN {
            println!("  {name}: {} -> {}", crate::results::number(earlier), crate::results::number(*figure));
        }
    }
}

/// What ran it.
pub fn machine() -> Vec<(&'static str, String)> {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default().trim().to_owned();
    let cpus = read("/proc/cpuinfo");
    let models: Vec<&str> = cpus.lines().filter_map(|line| line.strip_prefix("model name")?.split(": ").nth(1)).collect();
    let kernel = read("/proc/sys/kernel/osrelease");
    vec![
        ("kernel", kernel),
        ("processor", format!("{} x {}", models.len(), models.first().unwrap_or(&"unknown"))),
        ("load average at the start", read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")),
    ]
}
