//! The router's end of a link, with a program of its own: only then a veth brings it what the other end's driver sends back.

use crate::{
    node::{binary, start},
    process::Task,
    topology::{Lab, Place},
};
use anyhow::{Context, Result};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// A daemon that only watches what comes from one host to the router; killed when dropped.
#[derive(Debug)]
pub struct FarEnd {
    _watching: Task,
}

impl FarEnd {
    /// Puts it on the router's link to `place`.
    ///
    /// # Errors
    /// With its log, if it does not start.
    pub fn up(lab: &Lab, place: Place) -> Result<Self> {
        let dir = lab.scratch().join(format!("far-{}", place.name()));
        fs::create_dir(&dir).with_context(|| format!("failed to make {}", dir.display()))?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o751))?;
        let file = dir.join("honeymesh.toml");
        fs::write(&file, toml(place, &dir, &lab.pins(&format!("far-{}", place.name()))))?;
        lab.router().ip_batch(&["link set lo up".into()])?;
        let mut daemon = Command::new(binary()?);
        daemon.arg("run").arg("--config").arg(&file);
        Ok(Self { _watching: start(lab.router(), &mut daemon, &dir.join("log"))? })
    }
}

fn toml(place: Place, dir: &Path, pins: &Path) -> String {
    let node = format!("[node]\nname = \"far\"\nmode = \"observe\"\nstate_dir = \"{}\"\n", dir.join("state").display());
    node + &format!("[xdp]\ninterfaces = [\"{}\"]\nattach = \"native\"\npin_dir = \"{}\"\n", place.name(), pins.display())
}
