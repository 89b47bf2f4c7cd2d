//! Fuzzes the parsers: builds one program with all targets, runs each for a while, says what was found and how to see it again.

use crate::{
    demo, machine,
    setup::{self, Install, Purpose},
};
use anyhow::{Context, Result, bail};
use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Mutex,
    thread,
};

/// The longest input, in bytes; `honeymesh_fuzz::INPUT_BYTES_MAX`.
const INPUT_BYTES_MAX: usize = 8 * 1_024;
/// What one run of a target may need, in MB.
const MEMORY_MB_MAX: usize = 2_048;
/// How long one input may take, in seconds: a thousand times as long as it does.
const INPUT_SECONDS_MAX: usize = 10;
/// What is kept of one target: so many inputs, ...
const KEPT_FILES_MAX: usize = 100;
/// ... and so many bytes of them.
const KEPT_BYTES_MAX: u64 = 50 * 1_024;

/// What is to be done.
#[derive(clap::Args)]
pub struct Fuzz {
    /// Which; default: all
    targets: Vec<String>,
    /// How long each, in seconds
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// So many inputs each, always the same ones on the same corpus, instead of a time
    #[arg(long, conflicts_with = "seconds")]
    runs: Option<u64>,
    /// How many at once; default: one for each processor
    #[arg(long)]
    jobs: Option<usize>,
    /// Only list the targets
    #[arg(long)]
    list: bool,
    /// Run one target with this input only
    #[arg(long, value_name = "FILE", conflicts_with = "merge")]
    input: Option<PathBuf>,
    /// Keep the fewest inputs in fuzz/corpus that reach what all of them reach, those found here included
    #[arg(long)]
    merge: bool,
    /// Begin anew: add inputs that the project knows, and what tests have left in HONEYMESH_RECORD
    #[arg(long)]
    seed: bool,
    /// Only check what is installed; install nothing
    #[arg(long)]
    no_install: bool,
}

/// Where everything is.
struct Places {
    program: PathBuf,
    root: PathBuf,
    /// What is found and not kept: inputs by target, and those that broke something.
    scratch: PathBuf,
}

/// Does it.
///
/// # Errors
/// The set-up or the build fails, or no target has that name. What is found is an exit code.
pub fn run(fuzz: &Fuzz) -> Result<ExitCode> {
    let all = targets()?;
    let chosen: Vec<String> = if fuzz.targets.is_empty() { all.clone() } else { fuzz.targets.clone() };
    if let Some(unknown) = chosen.iter().find(|name| !all.contains(name)) {
        bail!("`{unknown}` is no target; `cargo xtask fuzz --list` lists them");
    }
    if fuzz.list {
        all.iter().for_each(|name| println!("{name}"));
        return Ok(ExitCode::SUCCESS);
    }
    setup::run(&[Purpose::Build, Purpose::Fuzz], Install::unless(fuzz.no_install))?;
    let places = build()?;
    if fuzz.seed {
        // Where this target would leave what it finds must be there.
        places.found("words")?;
        let mut command = places.command("words");
        command.env("HONEYMESH_FUZZ_SEEDS", places.scratch.join("corpus")).arg("-runs=0");
        return machine::run(&mut command).map(|()| ExitCode::SUCCESS);
    }
    if let Some(input) = &fuzz.input {
        let [target] = chosen.as_slice() else { bail!("say which target takes the input") };
        return Ok(if places.command(target).arg(input).status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if fuzz.merge {
        chosen.iter().try_for_each(|target| places.merge(target))?;
        return Ok(ExitCode::SUCCESS);
    }
    let jobs = fuzz.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
    let broken = places.fuzz_all(chosen, &amount(fuzz), jobs)?;
    if broken.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("fuzz: {} found something: {}", broken.len(), broken.join(", "));
    Ok(ExitCode::FAILURE)
}

/// How much is done, in libFuzzer's words.
fn amount(fuzz: &Fuzz) -> Vec<String> {
    match fuzz.runs {
        Some(runs) => vec![format!("-runs={runs}"), "-seed=1".into()],
        None => vec![format!("-max_total_time={}", fuzz.seconds)],
    }
}

/// The targets' names, from the list itself: to print them nothing needs to be built.
fn targets() -> Result<Vec<String>> {
    let list = machine::root().join("fuzz/src/targets.rs");
    let text = fs::read_to_string(&list).with_context(|| format!("failed to read {}", list.display()))?;
    Ok(named(&text))
}

fn named(list: &str) -> Vec<String> {
    let made = list.split("Target::").filter_map(|rest| rest.strip_prefix("new(").or_else(|| rest.strip_prefix("talk(")));
    made.filter_map(|rest| rest.split('"').nth(1)).map(str::to_owned).collect()
}

/// Our crates are compiled so that the fuzzer sees where it goes; all others are those of the usual build.
fn build() -> Result<Places> {
    let root = machine::root();
    let mut cargo = machine::cargo();
    cargo.args(["build", "--locked", "--package", "honeymesh-fuzz", "--features", "libfuzzer", "--bin", "honeymesh-fuzz"]);
    machine::run(cargo.env("RUSTC_WORKSPACE_WRAPPER", root.join("fuzz/instrument")))?;
    let target = demo::target_dir()?;
    let program = target.join("debug/honeymesh-fuzz");
    // The usual build would put a program of the same name there.
    let kept = target.join("fuzz/honeymesh-fuzz");
    fs::create_dir_all(target.join("fuzz"))?;
    // One that still runs goes on running.
    drop(fs::remove_file(&kept));
    fs::copy(&program, &kept).with_context(|| format!("failed to copy {}", program.display()))?;
    Ok(Places { program: kept, root, scratch: target.join("fuzz") })
}

impl Places {
    fn command(&self, target: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HONEYMESH_FUZZ_TARGET", target).current_dir(&self.root);
        let artifacts = self.scratch.join("found").join(target).join("");
        command.arg(format!("-artifact_prefix={}", artifacts.display()));
        command.args([
            format!("-max_len={INPUT_BYTES_MAX}"),
            format!("-rss_limit_mb={MEMORY_MB_MAX}"),
            format!("-timeout={INPUT_SECONDS_MAX}"),
        ]);
        command
    }

    fn found(&self, target: &str) -> Result<PathBuf> {
        for folder in ["found", "corpus"] {
            fs::create_dir_all(self.scratch.join(folder).join(target))?;
        }
        Ok(self.scratch.join("corpus").join(target))
    }

    /// Kept inputs of a target: those that reach something, and those that broke something.
    fn kept(&self, target: &str) -> Vec<PathBuf> {
        let folders = ["corpus", "regressions"].map(|kind| self.root.join("fuzz").join(kind).join(target));
        folders.into_iter().filter(|folder| folder.is_dir()).collect()
    }

    /// Those that found something.
    fn fuzz_all(&self, targets: Vec<String>, amount: &[String], jobs: usize) -> Result<Vec<String>> {
        let (queue, broken) = (Mutex::new(VecDeque::from(targets)), Mutex::new(Vec::new()));
        let work = || -> Result<()> {
            loop {
                let next = queue.lock().ok().and_then(|mut queue| queue.pop_front());
                let Some(target) = next else { return Ok(()) };
                if !self.fuzz(&target, amount)? {
                    broken.lock().ok().into_iter().for_each(|mut broken| broken.push(target.clone()));
                }
            }
        };
        thread::scope(|scope| -> Result<()> {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow::anyhow!("a worker broke"))?)
        })?;
        Ok(broken.into_inner().unwrap_or_default())
    }

    /// Runs one target for a while; false if it found something.
    fn fuzz(&self, target: &str, amount: &[String]) -> Result<bool> {
        let found = self.found(target)?;
        let mut command = self.command(target);
        command.args(amount).args(["-print_final_stats=1", "-verbosity=1"]);
        command.arg(found).args(self.kept(target)).stdin(Stdio::null()).stdout(Stdio::null());
        let output = command.output().with_context(|| format!("failed to start {}", machine::words(&command)))?;
        let said = String::from_utf8_lossy(&output.stderr);
        println!("fuzz: {target:16} {}", summary(&said));
        if output.status.success() {
            return Ok(true);
        }
        eprintln!("fuzz: {target} found something ({}):\n{}", output.status, last_lines(&said, 40));
        if let Some(input) = input_of(&said) {
            eprintln!("fuzz: see it again: cargo xtask fuzz {target} --input {input}");
            eprintln!("fuzz: mend it, and keep it: cp {input} fuzz/regressions/{target}/WHAT-IT-WAS");
        }
        Ok(false)
    }

    /// Keeps the fewest inputs that reach what all of them reach.
    fn merge(&self, target: &str) -> Result<()> {
        let found = self.found(target)?;
        let (old, new) = (self.root.join("fuzz/corpus").join(target), self.scratch.join("merged").join(target));
        drop(fs::remove_dir_all(&new));
        fs::create_dir_all(&new)?;
        fs::create_dir_all(&old)?;
        let mut command = self.command(target);
        command.arg("-set_cover_merge=1").args([&new, &old, &found]).stdout(Stdio::null()).stderr(Stdio::null());
        machine::run(&mut command)?;
        let kept = chosen(&new)?;
        fs::remove_dir_all(&old)?;
        fs::create_dir_all(&old)?;
        let mut bytes = 0;
        for (length, file) in &kept {
            bytes += length;
            fs::copy(file, old.join(file.file_name().unwrap_or_default()))?;
        }
        println!("fuzz: {target:16} {} inputs are kept, {bytes} bytes", kept.len());
        Ok(())
    }
}

/// As many files of a folder as may be kept, short ones and long ones alike, with their lengths.
fn chosen(folder: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.len(), entry.path()));
    }
    files.sort();
    let (mut room, all) = (KEPT_BYTES_MAX, files.len());
    let many = all.min(KEPT_FILES_MAX);
    let mut files: Vec<_> = (0..many).map(|at| files[at * all / many].clone()).collect();
    files.retain(|(length, _)| room.checked_sub(*length).inspect(|left| room = *left).is_some());
    Ok(files)
}

/// How many inputs were tried, and how much of the code they reach.
fn summary(said: &str) -> String {
    let number = |name: &str| {
        let line = said.lines().rev().find_map(|line| line.strip_prefix(&format!("stat::{name}:")));
        line.map_or("?", str::trim).to_owned()
    };
    let word = |name: &str| {
        let mut words = said.lines().rev().filter(|line| line.starts_with('#')).flat_map(str::split_whitespace);
        words.by_ref().find(|word| *word == name).and_then(|_| words.next()).unwrap_or("?").to_owned()
    };
    format!(
        "{:>9} inputs, {:>6} a second, reach {:>6} places, {:>4} MB",
        number("number_of_executed_units"),
        number("average_exec_per_sec"),
        word("cov:"),
        number("peak_rss_mb")
    )
}

fn last_lines(said: &str, most: usize) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}

/// Where the input is that broke something.
fn input_of(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.split("Test unit written to ").nth(1)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_from_their_list() {
        let list =
            "const ALL: &[Target] = &[\n    Target::talk(\"ftp\"),\n    Target::new(\n        \"words\", \"x\", words::any),\n];";
        assert_eq!(named(list), ["ftp", "words"]);
        assert!(targets().unwrap().contains(&"telnet".to_owned()));
    }

    #[test]
    fn what_the_fuzzer_says_is_understood() {
        let said = "#12\tINITED cov: 7 ft: 9\n#99\tDONE   cov: 41 ft: 90 corp: 3/9b\nstat::number_of_executed_units: 99\n\
            stat::average_exec_per_sec:     33\nstat::peak_rss_mb:              50\n";
        assert_eq!(summary(said), "       99 inputs,     33 a second, reach     41 places,   50 MB");
        let broken = "x\nartifact_prefix='a/'; Test unit written to a/crash-1\nBase64: eA==\n";
        assert_eq!(input_of(broken), Some("a/crash-1"));
        assert_eq!(last_lines("a\nb\nc", 2), "b\nc");
    }
}
