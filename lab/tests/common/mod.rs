//! What every test of the lab shares: one lab at a time, and a loud word where there can be none.

use std::{
    fs::File,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One test at a time within this program; a lab uses both cores as it is.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The turn of one test.
pub struct Turn {
    _within: MutexGuard<'static, ()>,
    _between: Option<File>,
}

/// Waits for this test's turn; `None`, with a line that says so, if this is not root.
pub fn turn(test: &str) -> Option<Turn> {
    let within = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_root() {
        eprintln!("SKIPPED: {test}: network namespaces and kernel programs need root");
        return None;
    }
    // Test programs may run side by side (or in two checkouts): one lab at a time on the whole machine.
    let lock = File::create(std::env::temp_dir().join("honeymesh-lab.lock")).ok();
    if let Some(file) = &lock {
        let _ = file.lock();
    }
    Some(Turn { _within: within, _between: lock })
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|meta| meta.uid() == 0)
}
