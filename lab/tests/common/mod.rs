//! What every test of the lab shares: a place for its lab, and a loud word where there can be none.

use std::{
    fs::File,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How often a place is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One test at a time within this program.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The turn of one test.
pub struct Turn {
    _within: MutexGuard<'static, ()>,
    _between: File,
}

/// Waits for this test's turn; `None`, with a line that says so, if this is not root.
pub fn turn(test: &str) -> Option<Turn> {
    let within = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_root() {
        eprintln!("SKIPPED: {test}: network namespaces and kernel programs need root");
        return None;
    }
    Some(Turn { _within: within, _between: place() })
}

/// Test programs may run side by side, or in two checkouts: so many labs on the whole machine as it has processors. A lab waits for
/// three quarters of its time.
fn place() -> File {
    let places = thread::available_parallelism().map_or(1, usize::from);
    let file = |number| File::create(std::env::temp_dir().join(format!("honeymesh-lab-{number}.lock"))).unwrap();
    let mut files: Vec<File> = (0..places).map(file).collect();
    loop {
        if let Some(free) = files.iter().position(|file| file.try_lock().is_ok()) {
            return files.swap_remove(free);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|meta| meta.uid() == 0)
}
