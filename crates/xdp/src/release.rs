//! Everything off and away: for an uninstall, or to begin anew.

use crate::{
    Error, bpf,
    pins::{self, Pins},
};
use std::{
    os::fd::AsFd,
    path::{Path, PathBuf},
};

/// Directories below each other that are followed; what lies deeper was not made by any version, and stays.
const DEPTH_MAX: usize = 8;

/// Takes off whatever any version of this program has pinned below `pin_dir` (XDP, tc and whatever else a link can be) and
/// removes every pin and directory. Says what it removed, line by line; nothing if there was nothing. The base directory stays
/// if it is a mount, or if somebody else uses it too.
///
/// # Errors
/// [`Error::InUse`] if a daemon works with it, and nothing was changed. [`Error::Pin`]; what could be removed is removed.
pub fn release(pin_dir: &Path) -> Result<Vec<String>, Error> {
    let Some(pins) = Pins::existing(pin_dir)? else { return Ok(Vec::new()) };
    let mut removed = Vec::new();
    // Links first: a table that is still looked at is not taken from under the program.
    let mut files: Vec<PathBuf> = pins.versions().iter().flat_map(|version| files(version, DEPTH_MAX)).collect();
    files.sort_by_key(|file| !pins::is_below_links(file));
    let mut first_error = None;
    for file in files {
        let what = take_off(&file).unwrap_or_else(|| "removed".into());
        match pins::remove_file(&file) {
            Ok(()) => removed.push(format!("{}: {what}", file.display())),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    let versions = pins.versions();
    pins.remove()?;
    removed.extend(versions.iter().filter(|version| !version.exists()).map(|version| format!("{}: removed", version.display())));
    if !pin_dir.exists() {
        removed.push(format!("{}: removed", pin_dir.display()));
    }
    first_error.map_or(Ok(removed), Err)
}

/// Takes a link off; in words what it was on. `None` for everything else.
fn take_off(file: &Path) -> Option<String> {
    let link = bpf::get(file).ok()?;
    let interface = bpf::link_interface(link.as_fd()).ok().filter(|_| pins::is_below_links(file));
    // What is no link says so, and is only removed.
    bpf::link_detach(link.as_fd()).ok()?;
    Some(match interface.filter(|index| *index != 0) {
        Some(index) => format!("detached from {}, removed", name(index)),
        None => "detached, removed".into(),
    })
}

/// The name of an interface, or its index if that is all there is.
fn name(index: u32) -> String {
    let all = nix::net::if_::if_nameindex().ok();
    let named = all.and_then(|all| {
        all.iter().find(|interface| interface.index() == index).map(|one| one.name().to_string_lossy().into_owned())
    });
    named.unwrap_or_else(|| format!("interface {index}"))
}

fn files(directory: &Path, depth: usize) -> Vec<PathBuf> {
    let (directories, mut found): (Vec<PathBuf>, Vec<PathBuf>) =
        pins::children(directory).into_iter().partition(|path| path.is_dir());
    if depth > 0 {
        found.extend(directories.iter().flat_map(|directory| files(directory, depth - 1)));
    }
    found
}
