//! Builds the daemon and the lab, then becomes the lab telling its story.

use crate::{
    machine,
    setup::{self, DEMO, Install},
};
use anyhow::{Context, Result};
use std::{
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, ExitCode},
};

/// Sets up, builds, and replaces this process by `honeymesh-lab demo`, so that Ctrl-C reaches exactly one program.
///
/// # Errors
/// If this is not root, if the set-up or the build fails, or if the lab cannot be started.
pub fn run(once: bool, install: Install) -> Result<ExitCode> {
    let again = if once { "cargo xtask demo --once" } else { "cargo xtask demo" };
    machine::need_root("the demo makes network namespaces and loads a kernel program, so it", again)?;
    setup::run(DEMO, install)?;
    let built = build(Profile::Dev)?;
    let mut lab = Command::new(built.join("honeymesh-lab"));
    lab.arg("demo").args(once.then_some("--once")).env("HONEYMESH_BIN", built.join("honeymesh"));
    Err(lab.exec()).with_context(|| format!("failed to start {}", machine::words(&lab)))
}

/// How well the daemon is optimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As the tests have it, so that nothing is built twice.
    Dev,
    /// As it is installed.
    Release,
}

/// Builds the daemon and the lab, and says in which folder they are.
///
/// # Errors
/// If the build fails.
pub fn build(profile: Profile) -> Result<PathBuf> {
    println!("building the daemon and the lab");
    let release = (profile == Profile::Release).then_some("--release");
    let packages = ["-p", "honeymesh", "-p", "honeymesh-lab", "--bins"];
    machine::run(machine::cargo().args(["build", "--locked"]).args(packages).args(release))?;
    Ok(target_dir()?.join(if release.is_some() { "release" } else { "debug" }))
}

/// Where cargo puts what it builds.
///
/// # Errors
/// If cargo says nothing that is understood.
pub fn target_dir() -> Result<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Workspace {
        target_directory: PathBuf,
    }
    let json = machine::read(machine::cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let workspace: Workspace = serde_json::from_str(&json).context("cargo metadata is not what it used to be")?;
    Ok(workspace.target_directory)
}
