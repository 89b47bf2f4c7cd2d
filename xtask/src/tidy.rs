//! The house rules that no compiler checks. Each finding is one line: where, what, how to mend it.

mod arrows;
mod house;
mod metadata;
mod sources;
mod threats;

use crate::machine;
use anyhow::Result;
use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// Something that breaks a house rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    place: String,
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

/// Checks the checkout and prints what it finds.
///
/// # Errors
/// If cargo or git cannot tell what there is.
pub fn run() -> Result<ExitCode> {
    let root = machine::root();
    let crates = metadata::crates(&root)?;
    let files = tracked(&root)?;
    let mut findings = arrows::check(&crates);
    findings.extend(sources::check(&root, &crates, &files));
    findings.extend(threats::check(&root, &files));
    findings.sort();
    findings.dedup();
    for Finding { place, what } in &findings {
        eprintln!("{place}: {what}");
    }
    if findings.is_empty() {
        println!("tidy: {} crates and {} files keep the house rules", crates.len(), files.len());
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("tidy: {} findings", findings.len());
    Ok(ExitCode::FAILURE)
}

/// Every file that git tracks or would track, relative to the root.
fn tracked(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listing = machine::read(&mut git)?;
    let files = listing.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    // What has been deleted but not yet committed is listed, too.
    Ok(files.filter(|file| root.join(file).is_file()).collect())
}
