//! Builds the daemon and the lab, then becomes the lab telling its story.

use crate::{
    machine,
    setup::{self, DEMO, Install},
};
use anyhow::{Context, Result, bail};
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
    if !machine::is_root() {
        let again = if once { "cargo xtask demo --once" } else { "cargo xtask demo" };
        bail!(
            "the demo makes network namespaces and loads a kernel program, so it needs root; run: sudo -E env \"PATH=$PATH\" {again}"
        );
    }
    setup::run(DEMO, install)?;
    println!("demo: building the daemon and the lab");
    machine::run(machine::cargo().args(["build", "--locked", "-p", "honeymesh", "-p", "honeymesh-lab", "--bins"]))?;
    let built = target_dir()?.join("debug");
    let mut lab = Command::new(built.join("honeymesh-lab"));
    lab.arg("demo").args(once.then_some("--once")).env("HONEYMESH_BIN", built.join("honeymesh"));
    Err(lab.exec()).with_context(|| format!("failed to start {}", machine::words(&lab)))
}

/// Where cargo puts what it builds.
pub fn target_dir() -> Result<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Workspace {
        target_directory: PathBuf,
    }
    let json = machine::read(machine::cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let workspace: Workspace = serde_json::from_str(&json).context("cargo metadata is not what it used to be")?;
    Ok(workspace.target_directory)
}
