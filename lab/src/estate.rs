//! What a lab owns outside of this process, and taking it down again, whatever happens.
//!
//! Namespaces, the scratch directory and the pin directories of one lab share a name that begins with `hmlab-`, the
//! process id and that process' start time. So the leftovers of a lab whose process is gone are known for certain.

use crate::{namespace, process};
use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

/// How the name of everything begins that a lab makes.
const MARK: &str = "hmlab";
/// Where kernel objects are pinned.
const PINS: &str = "/sys/fs/bpf";
/// How long listing a namespace's processes may take.
const LIST_TIME_MAX: Duration = Duration::from_secs(10);
/// How often a namespace's processes are killed until it is empty; new ones may be born meanwhile.
const KILL_ROUNDS_MAX: u32 = 20;
/// The exit code after a signal: 128 and SIGINT's number.
const INTERRUPTED: i32 = 130;

/// The labs of this process that are up. Held while one is taken down, so that nobody ends the process meanwhile.
static UP: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn up() -> MutexGuard<'static, BTreeSet<String>> {
    UP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One lab's belongings; taken down when dropped.
#[derive(Debug)]
pub(crate) struct Estate {
    name: String,
    scratch: PathBuf,
}

impl Estate {
    /// A new one, with an empty scratch directory, after sweeping away what dead labs left.
    pub(crate) fn found() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        give_way_on_signals();
        sweep();
        let pid = std::process::id();
        let born = start_time(pid).context("failed to read this process' start time from /proc")?;
        let name = format!("{MARK}-{pid}-{born}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let scratch = std::env::temp_dir().join(&name);
        up().insert(name.clone());
        let estate = Self { name, scratch };
        fs::create_dir(&estate.scratch).with_context(|| format!("failed to make {}", estate.scratch.display()))?;
        Ok(estate)
    }

    /// A name of its own for something called `what` here.
    pub(crate) fn named(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }

    /// A directory for files.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Where `what` may pin kernel objects.
    pub(crate) fn pins(&self, what: &str) -> PathBuf {
        Path::new(PINS).join(self.named(what))
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        let mut up = up();
        if up.remove(&self.name) {
            take_down(&self.name);
        }
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP take down every lab of this process and end it with code 130.
pub fn give_way_on_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let handled = ctrlc::set_handler(|| {
            let mut up = up();
            while let Some(name) = up.pop_first() {
                take_down(&name);
            }
            std::process::exit(INTERRUPTED);
        });
        if let Err(error) = handled {
            eprintln!("lab: signals will not be handled: {error}");
        }
    });
}

/// Takes down what labs left whose process is gone. Returns their names.
pub fn sweep() -> Vec<String> {
    let places = [PathBuf::from(namespace::NAMES), PathBuf::from(PINS), std::env::temp_dir()];
    let names: BTreeSet<_> = places.iter().flat_map(|place| entries(place)).filter_map(|entry| estate_of(&entry)).collect();
    let dead: Vec<_> = names.into_iter().filter(|name| !is_alive(name)).collect();
    for name in &dead {
        take_down(name);
    }
    dead
}

fn entries(place: &Path) -> Vec<String> {
    let Ok(listing) = fs::read_dir(place) else { return Vec::new() };
    listing.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The estate that something of this name belongs to: its first four parts.
fn estate_of(entry: &str) -> Option<String> {
    let parts: Vec<_> = entry.splitn(5, '-').collect();
    let [mark, numbers @ ..] = parts.get(..4)? else { return None };
    let plain = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (*mark == MARK && numbers.iter().all(plain)).then(|| parts[..4].join("-"))
}

fn is_alive(name: &str) -> bool {
    let mut parts = name.split('-').skip(1).map(str::parse::<u64>);
    let (Some(Ok(pid)), Some(Ok(born))) = (parts.next(), parts.next()) else { return true };
    u32::try_from(pid).is_ok_and(|pid| start_time(pid) == Some(born))
}

/// When a process began, in clock ticks since boot: with its id, an identity that is never used twice.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in brackets and may hold spaces and brackets; field 22 is the 20th behind it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Kills what runs in the estate's namespaces, then removes them, its pins and its scratch directory.
fn take_down(name: &str) {
    let ours = |place: &Path| -> Vec<String> {
        entries(place).into_iter().filter(|entry| estate_of(entry).as_deref() == Some(name)).collect()
    };
    let namespaces = ours(Path::new(namespace::NAMES));
    for namespace in &namespaces {
        kill_all_in(namespace);
    }
    for namespace in &namespaces {
        let _ = namespace::ip(&["netns", "delete", namespace]);
    }
    for place in [PathBuf::from(PINS), std::env::temp_dir()] {
        for entry in ours(&place) {
            let _ = fs::remove_dir_all(place.join(entry));
        }
    }
}

fn kill_all_in(namespace: &str) {
    for _ in 0..KILL_ROUNDS_MAX {
        let listing = process::run(Command::new("ip").args(["netns", "pids", namespace]), LIST_TIME_MAX);
        let Ok(listing) = listing else { return };
        let pids: Vec<i32> = listing.stdout.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        // Threads of this very process may be in there; they go with the process.
        let others: Vec<_> = pids.into_iter().filter(|pid| u32::try_from(*pid) != Ok(std::process::id())).collect();
        if others.is_empty() {
            return;
        }
        for pid in others {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_which_lab_something_belongs_to() {
        assert_eq!(estate_of("hmlab-12-345-0-node1").as_deref(), Some("hmlab-12-345-0"));
        assert_eq!(estate_of("hmlab-12-345-0").as_deref(), Some("hmlab-12-345-0"));
        for foreign in ["hmlab-12-345", "hmlab-x-345-0", "hmlab-12--0", "other-12-345-0", "hmlab", "", "hmlab-12-345-0x-y"] {
            assert_eq!(estate_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn only_this_very_process_keeps_its_lab_alive() {
        let pid = std::process::id();
        let born = start_time(pid).unwrap();
        assert!(is_alive(&format!("{MARK}-{pid}-{born}-0")));
        assert!(!is_alive(&format!("{MARK}-{pid}-{}-0", born + 1)), "the id was used again");
        assert!(!is_alive(&format!("{MARK}-4294967294-1-0")));
    }

    #[test]
    fn a_dropped_estate_takes_its_directory_along_and_a_dead_one_is_swept() {
        let estate = Estate::found().unwrap();
        let scratch = estate.scratch().to_path_buf();
        fs::write(scratch.join("file"), "x").unwrap();
        let dead = std::env::temp_dir().join(format!("{MARK}-4294967294-1-{}", std::process::id()));
        fs::create_dir(&dead).unwrap();
        sweep();
        assert!(scratch.exists() && !dead.exists());
        drop(estate);
        assert!(!scratch.exists());
    }
}
